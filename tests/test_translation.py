"""English to Hindi: sentences written out by hand, the verb at the end, an alignment that covers both sides."""

import itertools
from collections import Counter

import numpy as np
import pytest

from helpers.tinytown import parse
from helpers.translation import (
    _DICE,
    ANIMATE,
    ENGLISH,
    NAMES,
    SPLITS,
    split_of,
    translate,
    translation,
    translations,
)


@pytest.mark.parametrize(
    ("english", "hindi", "alignment"),
    [
        ("hello", "नमस्ते", (0,)),
        ("how are you", "आप कैसे हैं", (2, 0, 1)),
        ("what is your name", "आपका नाम क्या है", (2, 3, 0, 1)),
        ("my name is ravi", "मेरा नाम रवि है", (0, 1, 3, 2)),
        ("where is the cat", "बिल्ली कहाँ है", (3, 0, 1)),
        ("the dog sees the cat", "कुत्ता बिल्ली को देखता है", (1, 4, 2, 2, 2)),
        ("the cat sees the dog", "बिल्ली कुत्ते को देखती है", (1, 4, 2, 2, 2)),
        ("the dog chases the cat", "कुत्ता बिल्ली का पीछा करता है", (1, 4, 2, 2, 2, 2)),
        ("the big dog calls the small horse", "बड़ा कुत्ता छोटे घोड़े को बुलाता है", (1, 2, 5, 6, 3, 3, 3)),
        ("the good girl reads the book", "अच्छी लड़की किताब पढ़ती है", (1, 2, 5, 3, 3)),
        ("the king drinks the water", "राजा पानी पीता है", (1, 4, 2, 2)),
        ("the cow is in the garden", "गाय बगीचे में है", (1, 5, 3, 2)),
        ("the black cat is in the house", "काली बिल्ली घर में है", (1, 2, 6, 4, 3)),
    ],
)
def test_by_hand(english, hindi, alignment):
    pair = translate(english)
    assert pair.hindi == tuple(hindi.split())
    assert pair.alignment == alignment


def test_every_nouns_gender_bends_the_verb():
    """बिल्ली, लड़की, गाय, बकरी and रानी are feminine: their verb ends in ती, not ता."""
    for noun in ANIMATE:
        verb = translate(f"the {noun} sees the dog").hindi[-2]
        assert verb == ("देखती" if noun in {"cat", "girl", "cow", "goat", "queen"} else "देखता"), noun


def test_verbs_come_last_and_every_word_but_the_has_a_counterpart():
    for seed in range(400):
        pair = translation(seed)
        assert len(pair.hindi) == len(pair.alignment)
        covered = {pair.english[at] for at in pair.alignment}
        assert {word for word in pair.english if word not in covered} <= {"the", "you"} or pair.english[
            0
        ] == "thank"
        if pair.english[0] == "the":
            verb = next(
                w for w in pair.english if w in {"is", *(f.split("]")[-1] for f in ())} or w.endswith("s")
            )
            assert pair.hindi[-1] == "है"
            assert pair.english[pair.alignment[-1]] == verb


def test_no_two_faces_begin_alike_so_the_entropy_is_exact():
    def firsts(symbols):
        symbol = symbols[0]
        if symbol.kind == "word":
            return {symbol.value}
        return set().union(*(firsts(parse(face)) for face in _DICE[symbol.value]))

    for die in ("sentence", "says"):
        seen = set()
        for face in _DICE[die]:
            begins = firsts(parse(face))
            if die == "sentence" and face.startswith(("what", "where")):
                begins = {face.split()[0]}
            assert not begins & seen
            seen |= begins
    # "dog" and "big dog" begin differently; "big dog" and "big cat" share a word and nothing more.
    sums = [sum(ENGLISH.surprise(translation(seed).english)) for seed in range(600)]
    exact, _ = ENGLISH.expectations()
    assert abs(np.mean(sums) - exact) < 4 * np.std(sums) / np.sqrt(len(sums))


def test_splits_share_no_sentence_and_phrases_are_for_training():
    sets = {split: {pair.english for pair in translations(split, 500)} for split in SPLITS}
    for one, other in itertools.combinations(sets, 2):
        assert not sets[one] & sets[other]
    assert ("hello",) in sets["train"]
    assert ("how", "are", "you") in sets["train"]
    shares = Counter(split_of(translation(seed).english) for seed in range(1500))
    assert 0.75 < shares["train"] / 1500 < 0.9
    assert translations("test", 5) == translations("test", 5) != translations("test", 5, seed=1)


def test_a_split_is_chosen_by_a_hash_of_the_sentence():
    for text, split in (
        ("the cow sees the good goat", "train"),
        ("the beautiful girl sees the monkey", "test"),
        ("the big girl brings the book", "validation"),
    ):
        assert split_of(text) == split_of(text.split()) == split
    names_and_questions = [f"where is the {noun}" for noun in ANIMATE] + [
        f"my name is {name}" for name in NAMES
    ]
    assert {split_of(text) for text in names_and_questions} == {"train"}


def test_bad_input():
    with pytest.raises(ValueError, match="no story goes on with 'purple' after 'the'"):
        translate("the purple dog sees the cat")
    with pytest.raises(ValueError, match="split must be one of train, validation, test, got 'dev'"):
        translations("dev", 1)
    with pytest.raises(ValueError, match="count must be a whole number from 0, got -1"):
        translations("train", -1)
    with pytest.raises(ValueError, match="told to its end, got one that stops before any of: the"):
        translate("")
