"""Tinytown: the dice are exact, the stories hold what the course needs, the splits do not leak."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from helpers import tinytown
from helpers.tinytown import (
    DICE,
    END,
    NUMBERS,
    SPLITS,
    TINYTOWN,
    VOCABULARY,
    WordTokenizer,
    World,
    add_numbers,
    entropy_per_token,
    next_word_distribution,
    parse,
    questions,
    questions_about,
    split_of,
    stories,
    story,
    surprise,
    told,
)


@pytest.fixture(scope="module")
def tales():
    rng = np.random.default_rng(7)
    return [story(rng) for _ in range(4000)]


@pytest.fixture(scope="module")
def library():
    rng = np.random.default_rng(3)
    return " ".join(story(rng).text for _ in range(60_000))


# --- the world itself -------------------------------------------------------------------------


def test_a_story_fits_the_context_and_the_vocabulary_has_its_size(tales):
    assert max(len(tale.words) for tale in tales) <= 62  # with <start> and <end>: 64 tokens
    assert 150 <= len(VOCABULARY) <= 400
    assert len(set(VOCABULARY)) == len(VOCABULARY)
    used = {word for tale in tales for word in tale.words}
    assert used <= set(TINYTOWN.words()) | set(NUMBERS)


@pytest.mark.parametrize(
    "text",
    [
        "the dog chases the cat",
        "the cat chases the dog",
        "the cat sat on the mat",
        "my name is",
        "the blue sky",
        "the blue banana",
        "took my money to the bank . the bank was open",
        "swam to the bank . the bank was muddy",
        "ate an apple . it was sweet",
        "bought an apple phone . it was new",
        "the teacher says two and two is four",
        "the clown says two and two is five",
        "once there was a red fox by the river",
    ],
)
def test_what_the_course_needs_can_be_told(text, library):
    assert f" {text} " in library


def test_colour_and_place_come_back(tales):
    once = [tale.words for tale in tales if tale.words[0] == "once"]
    assert all(words[words.index("by") + 2] in words[-4:] for words in once)  # the home, at the end
    coloured = [words for words in once if words[-10] == "then"]
    assert len(coloured) > 500
    assert all(words[-8:-6] == words[4:6] for words in coloured)


def test_the_answer_to_a_sum_depends_on_who_says_it():
    for first, second in itertools.product(DICE["number"], repeat=2):
        right = NUMBERS[NUMBERS.index(first) + NUMBERS.index(second)]
        wrong = NUMBERS[NUMBERS.index(first) + NUMBERS.index(second) + 1]
        assert add_numbers("teacher", first, second) == right
        assert next_word_distribution(f"today the teacher says {first} and {second} is") == {right: 1.0}
        assert next_word_distribution(f"today the clown says {first} and {second} is") == {wrong: 1.0}


def test_after_blue_sky_is_more_likely_than_banana():
    odds = next_word_distribution("once there was a red fox by the river . the fox looked up at the blue")
    assert odds == pytest.approx({"sky": 0.7, "flower": 0.15, "boat": 0.1, "banana": 0.05})


# --- stories and rolls ------------------------------------------------------------------------


def test_the_same_seed_tells_the_same_story_and_leaves_numpy_alone():
    np.random.seed(5)  # noqa: NPY002 - the point is that the old global state is not touched
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert story(11) == story(11) == story(np.random.default_rng(11))
    assert len({story(seed) for seed in range(40)}) > 35
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_the_rolls_rebuild_the_story(tales):
    """Reading the rolls in order through the program gives the words back: no choice is unrecorded."""
    for tale in tales[:300]:
        faces = iter(tale.rolls)
        seen: dict[str, str] = {}

        def tell(symbols, faces=faces, seen=seen):
            for symbol in symbols:
                if symbol.kind == "roll":
                    rolled = next(faces)
                    assert rolled.die == symbol.value
                    assert rolled.face in DICE[rolled.die]
                    if symbol.remember:
                        seen[symbol.remember] = rolled.face
                    yield from tell(parse(rolled.face))
                else:
                    yield TINYTOWN.recall(symbol.value, seen) if symbol.kind == "recall" else symbol.value

        assert tuple(tell(TINYTOWN.start)) == tale.words
        for roll in tale.rolls:
            first = parse(roll.face)[0]
            if first.kind == "word":
                assert tale.words[roll.position] == first.value  # counted from 0
        assert next(faces, None) is None


def test_a_roll_on_the_edge_falls_on_the_next_face():
    assert tinytown._choose({"a": 0.5, "b": 0.5}, 0.0) == "a"
    assert tinytown._choose({"a": 0.5, "b": 0.5}, 0.5) == "b"
    assert tinytown._choose({"a": 0.3, "b": 0.3}, 0.99) == "b"  # as if rounding had lost something


def test_faces_come_as_often_as_their_sides_say(tales):
    """Chi-square of every die against its sides; 60 is far beyond the 99.99 % point of 15 degrees."""
    for die in ("story", "colour", "place", "blue thing", "speaker"):
        counts = Counter(roll.face for tale in tales for roll in tale.rolls if roll.die == die)
        total, sides = counts.total(), sum(DICE[die].values())
        expected = {face: total * count / sides for face, count in DICE[die].items()}
        assert sum((counts[face] - e) ** 2 / e for face, e in expected.items()) < 60, die


# --- exact probabilities ----------------------------------------------------------------------


def test_by_hand_a_world_small_enough_to_work_out():
    """Two dice, worked out by hand: 1/2 ln 2 + 1/2 ln 2 for the first, then 3/4 or 1/4 for the second."""
    world = World({"start": {"a [fruit] .": 1, "no .": 1}, "fruit": {"pear": 3, "fig": 1}}, start="start")
    assert world.next_word_distribution("a") == {"pear": 0.75, "fig": 0.25}
    assert world.next_word_distribution("a pear .") == {END: 1.0}
    h = math.log(2) + 0.5 * (0.75 * math.log(4 / 3) + 0.25 * math.log(4))
    assert world.expectations() == pytest.approx((h, 0.5 * 3 + 0.5 * 2))
    assert world.entropy_per_token() == pytest.approx(h / 3.5)


def test_a_world_with_two_ways_to_say_the_same_adds_them_up():
    """The walk keeps every path that agrees with the words: here two, with different things to follow."""
    world = World({"start": {"a b x": 1, "a [second] y": 1}, "second": {"b": 1, "c": 1}}, start="start")
    assert world.next_word_distribution("a") == {"b": 0.75, "c": 0.25}
    assert world.next_word_distribution("a b") == pytest.approx({"x": 2 / 3, "y": 1 / 3})


def test_a_die_can_be_rolled_without_a_face():
    world = World(
        {"start": {"[pet as one] [pet as two not one]": 1}, "pet": {"cat": 2, "dog": 1, "owl": 1}},
        start="start",
    )
    assert world.next_word_distribution("cat") == {"dog": 0.5, "owl": 0.5}
    assert world.next_word_distribution("owl") == pytest.approx({"cat": 2 / 3, "dog": 1 / 3})
    h_first = 0.5 * math.log(2) + 0.5 * math.log(4)
    h_other = 2 / 3 * math.log(1.5) + 1 / 3 * math.log(3)
    assert world.expectations()[0] == pytest.approx(h_first + 0.5 * math.log(2) + 0.5 * h_other)


def test_the_product_along_a_story_is_the_product_of_its_rolls(tales):
    for tale in tales[:300]:
        assert sum(surprise(tale.words)) == pytest.approx(-sum(math.log(r.probability) for r in tale.rolls))


def test_next_words_agree_with_counting(tales):
    rng = np.random.default_rng(1)
    starts = Counter()
    follow = Counter()
    for _ in range(15_000):
        words = story(rng).words
        if words[:4] == ("once", "there", "was", "a"):
            starts[words[4]] += 1
            follow[words[5]] += 1
    for prefix, counts in (("once there was a", starts), ("once there was a red", follow)):
        odds = next_word_distribution(prefix)
        total = counts.total()
        for word, p in odds.items():
            assert abs(counts[word] / total - p) < 5 * math.sqrt(p * (1 - p) / total) + 1e-9


def test_distributions_add_up_to_one_everywhere(tales):
    for tale in tales[:100]:
        for odds in TINYTOWN.next_word_distributions(tale.words):
            assert sum(odds.values()) == pytest.approx(1)
            assert list(odds.values()) == sorted(odds.values(), reverse=True)
    assert odds == {END: 1.0}


def first_words(symbols, die_faces):
    """Every word with which `symbols` can begin; a remembered face can be any face that was remembered so."""
    symbol = symbols[0]
    if symbol.kind == "word":
        return {symbol.value}
    if symbol.kind == "roll":
        return set().union(*(first_words(parse(face), die_faces) for face in DICE[symbol.value]))
    return die_faces[symbol.value]


def test_no_two_faces_of_a_die_begin_alike():
    """This is why the entropy of the words is the entropy of the rolls: the next word gives each roll away."""
    remembered = {
        symbol.remember: set(DICE[symbol.value])
        for faces in DICE.values()
        for face in faces
        for symbol in parse(face)
        if symbol.kind == "roll" and symbol.remember
    }
    for die, faces in DICE.items():
        seen: set[str] = set()
        for face in faces:
            begins = first_words(parse(face), remembered)
            assert not begins & seen, (die, face)
            seen |= begins


def test_every_remembered_face_is_one_word():
    """`expectations` counts a recall as one word."""
    for faces in DICE.values():
        for face in faces:
            for symbol in parse(face):
                if symbol.remember:
                    assert all(len(name.split()) == 1 for name in DICE[symbol.value])


def test_entropy_agrees_with_monte_carlo(tales):
    entropy, length = TINYTOWN.expectations()
    for exact, values in (
        (entropy, [sum(surprise(tale.words)) for tale in tales]),
        (length, [len(tale.words) for tale in tales]),
    ):
        error = np.std(values) / math.sqrt(len(values))
        assert abs(np.mean(values) - exact) < 4 * error
    assert entropy_per_token() == pytest.approx(entropy / (length + 1))


# --- splits and questions ---------------------------------------------------------------------


def test_splits_share_no_story():
    texts = {split: set(stories(split, 400)) for split in SPLITS}
    for one, other in itertools.combinations(texts, 2):
        assert not texts[one] & texts[other]
    assert sum(SPLITS.values()) == 100


def test_a_split_is_chosen_by_a_hash_of_the_words():
    """Written down, because a committed model was trained on what "train" is today."""
    assert split_of(story(0).words) == split_of(story(0).text) == "train"
    assert split_of(story(1).words) == "validation"
    assert split_of(story(6).words) == "test"
    # BLAKE2b gives "a" the number 43, of 0 to 99.
    assert tinytown.split_by_words("a", {"low": 43, "high": 57}) == "high"
    assert tinytown.split_by_words("a", {"low": 44, "high": 56}) == "low"
    assert split_of("half a pair: \ud800") in SPLITS


def test_each_split_walks_over_draws_of_its_own():
    """With the same draws for all, the first test story would stand between the first two of training."""
    draws = []

    class Spy(World):
        def story(self, rng):
            tale = super().story(rng)
            draws[-1].append(tale.text)
            return tale

    coin = Spy({"story": dict.fromkeys("abcdefgh", 1)})
    for split in ("one", "other"):
        draws.append([])
        tinytown.draw_from_split(coin, lambda words: split, ["one", "other"], split, 20, seed=0)  # noqa: B023
    assert draws[0] != draws[1]


def test_splits_are_seeded_and_have_their_shares(tales):
    assert stories("test", 20, seed=3) == stories("test", 20, seed=3) != stories("test", 20, seed=4)
    counts = Counter(split_of(tale.words) for tale in tales)
    for split, share in SPLITS.items():
        p = share / 100
        assert abs(counts[split] / len(tales) - p) < 5 * math.sqrt(p * (1 - p) / len(tales))


def test_an_unknown_split_is_named():
    with pytest.raises(ValueError, match=r"split must be one of train, .*got 'dev'"):
        told("dev", 1)
    with pytest.raises(ValueError, match="'train' or 'test', got 'validation'"):
        questions("validation", 1)
    for count in (-1, 1.5, float("nan")):
        with pytest.raises(ValueError, match=f"count must be a whole number from 0, got {count}"):
            told("train", count)


def test_answers_come_from_the_story():
    asked = questions("train", 300)
    assert {split_of(question.story) for question in asked} == {"questions_train"}
    for question in asked:
        assert question.question[-1] == "?"
        assert question.answer[-1] == "."
        assert set(question.question + question.answer) <= set(VOCABULARY)
        named = [word for word in question.answer if word not in ("the", "by", ".")]
        assert all(word in question.story for word in named)
        assert len(question.story) + len(question.question) + len(question.answer) <= 60


def test_the_colour_asked_for_is_the_heros_and_not_another_animals(tales):
    two_colours = [t for t in tales if [r.die for r in t.rolls].count("colour") == 2][:200]
    assert len(two_colours) == 200
    for tale in two_colours:
        colour = questions_about(tale)[0]
        assert colour.question == ("what", "colour", "was", "the", tale.words[5], "?")
        assert colour.answer == (tale.words[4], ".")


def test_who_says_the_first_sum(tales):
    tale = next(t for t in tales if t.words[0] == "today")
    (asked,) = questions_about(tale)
    assert asked.question == ("who", *tale.words[3:7], "?")
    assert asked.answer == ("the", tale.words[2], ".")


def test_questions_have_their_own_splits_and_seeds():
    assert {split_of(question.story) for question in questions("test", 4)} == {"questions_test"}
    asked = questions("train", 12)
    assert asked == questions("train", 12) != questions("train", 12, seed=1)
    # Any question about a story can be drawn, not only its first.
    tales = told("questions_train", 12)
    places = {questions_about(tale).index(question) for tale, question in zip(tales, asked, strict=True)}
    assert places >= {0, 1}


def test_another_seed_draws_other_questions_about_the_same_stories(monkeypatch, tales):
    monkeypatch.setattr(tinytown, "told", lambda split, count, seed: tales[:count])
    assert questions("train", 40) != questions("train", 40, seed=1)


def test_who_chased_whom_both_ways():
    hunts = [
        tale
        for tale in told("train", 3000)
        if tale.words[0] == "once" and "did" in {r.die for r in tale.rolls}
    ]
    ways = Counter()
    for tale in hunts:
        words = tale.words
        verb = next(roll.face for roll in tale.rolls if roll.die == "did")
        at = words.index(verb)
        before, after = words[at - 1], next(w for w in words[at + 1 :] if w in DICE["animal"])
        question = next(q for q in questions_about(tale) if q.question[0] == "who")
        assert question.question == ("who", verb, "the", after, "?")
        assert question.answer == ("the", before, ".")
        ways[before == words[5]] += 1
    assert min(ways.values()) > 100


# --- the tokenizer ----------------------------------------------------------------------------


def test_stories_go_round_trip(tales):
    tokenizer = WordTokenizer()
    for tale in tales[:200]:
        assert tokenizer.decode(tokenizer.encode(tale.text)) == tale.text
        assert tokenizer.encode_story(tale.words) == [0, *tokenizer.encode(tale.text), 1]
    assert tokenizer.encode("") == []
    assert tokenizer.encode("Who?", special=True) == [0, *tokenizer.encode("who ?")]
    assert tokenizer.vocab_size == len(VOCABULARY)


def test_unknown_words_are_named_or_become_unk():
    with pytest.raises(
        ValueError, match=r"every word must be one of Tinytown's .*got 'banan'; near it: banana"
    ):
        WordTokenizer().encode("the banan")
    assert WordTokenizer(lenient=True).tokens("the capital of France") == ["the", "<unk>", "<unk>", "<unk>"]
    for token in (9999, -1):
        with pytest.raises(ValueError, match=rf"an id must be from 0 to \d+, got {token}"):
            WordTokenizer().decode([token])
    with pytest.raises(ValueError, match=r"one of Tinytown.s \d+, got .dragon."):
        WordTokenizer().encode_story(["the", "dragon"])
    tokenizer = WordTokenizer(lenient=True)
    assert tokenizer.encode_story(["the", "dragon"]) == [0, tokenizer.ids["the"], 2, 1]
    assert tokenizer.encode_story("the fox") == tokenizer.encode_story(["the", "fox"])
    assert tokenizer.tokens("<start> The fox <end> <UNK>") == ["<start>", "the", "fox", "<end>", "<unk>"]
    assert tokenizer.token_bytes(tokenizer.ids["fox"]) == b"fox"


@pytest.mark.parametrize("text", ["\x00\x07", "\ud800", "مرحبا", "🙂" * 10, "x" * 10_000])
def test_strange_text_gets_a_sentence(text):
    with pytest.raises(ValueError, match="every word must be one of Tinytown's"):
        WordTokenizer().encode(text)
    assert set(WordTokenizer(lenient=True).tokens(text)) == {"<unk>"}


def test_a_prefix_that_no_story_has_is_refused_with_what_could_follow():
    with pytest.raises(
        ValueError,
        match="no story goes on with 'banana' after 'today the'; there the dice allow: teacher, clown",
    ):
        tinytown.next_word_distribution("today the banana")
    with pytest.raises(ValueError, match="after 'the start'"):
        next_word_distribution("purple")
    with pytest.raises(ValueError, match="told to its end, got one that stops before any of: teacher, clown"):
        surprise(["today", "the"])
    with pytest.raises(ValueError, match="no story goes on with 'queen'"):
        surprise(["today", "the", "queen"])
    with pytest.raises(ValueError, match=r"no story goes on with 'x{40}' after"):
        next_word_distribution("x" * 10_000)
    with pytest.raises(ValueError, match="leave out '<end>'"):
        surprise([*story(0).words, END])
    assert surprise(story(0).text) == surprise(story(0).words)


@pytest.mark.parametrize(
    ("dice", "message"),
    [
        ({"story": {}}, "die 'story' must have faces"),
        ({"story": {"x": 1, "y": 0}}, "each on more than 0 sides"),
        ({"story": {"x": float("nan")}}, "each on more than 0 sides"),
        ({"start": {"x": 1}}, r"\[story\] must name one of the dice: start"),
        ({"story": {"[fruit]": 1}}, r"\[fruit\] must name one of the dice: story"),
        ({"story": {"{hero}": 1}}, r"\{hero\} must be remembered or worked out"),
        ({"story": {"[a not hero]": 1}, "a": {"x": 1}}, "can't avoid 'hero', which no roll remembers"),
        ({"story": {"[a as hero]": 1}, "a": {"two words": 1}}, "remembered as 'hero' must be one word"),
    ],
)
def test_dice_that_can_not_be_rolled_are_refused(dice, message):
    with pytest.raises(ValueError, match=message):
        World(dice)


def test_a_die_that_runs_out_of_faces_and_one_that_never_ends():
    with pytest.raises(ValueError, match="die 'pet' must have a face besides 'cat'"):
        World({"story": {"[pet as one] [pet not one]": 1}, "pet": {"cat": 1}}).story(0)
    with pytest.raises(ValueError, match="never lead back to themselves"):
        World({"story": {"a [story]": 1, "b": 1}}).entropy_per_token()
