"""Prompting: prompts as they should read, scores of models whose answers are known, and confidence by hand."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from helpers import prompting
from helpers.prompting import (
    INVENTED_COUNTRIES,
    INVENTED_PEOPLE,
    KNOWN_COUNTRIES,
    KNOWN_PEOPLE,
    LETTERS,
    MOODS,
    OPPOSITES,
    WORDS,
    Score,
    Task,
    always_the_same,
    chat,
    confidence,
    few_shot,
    few_shot_prompt,
    separation,
)  # fmt: skip

TASKS = (OPPOSITES, MOODS, LETTERS, WORDS)


class Letters:
    """A tokenizer of characters; what stands in <angles> is one token where special tokens are meant."""

    def encode(self, text, special=False):
        assert text
        return [ord(letter) for letter in text]

    def decode(self, ids):
        return "".join(map(chr, ids))


class Knows:
    """A causal 'model' of characters: it continues `texts` and is at a loss (uniform) everywhere else."""

    device = torch.device("cpu")

    def __init__(self, texts, vocab=128):
        self.texts, self.vocab, self.shapes = texts, vocab, []

    def __call__(self, ids):
        self.shapes.append(tuple(ids.shape))
        logits = torch.zeros(*ids.shape, self.vocab)
        for row, line in enumerate(ids.tolist()):
            said = "".join(map(chr, line))
            for place in range(len(line)):
                for text in self.texts:
                    # Whatever stands in front, the last line decides.
                    last = said[: place + 1].rsplit("\n", 1)[-1]
                    if text.startswith(last) and text != last:
                        logits[row, place, ord(text[len(last)])] = 4.0
        return logits


def test_every_task_is_whole():
    for task in TASKS:
        questions = [question for question, _answer in task.items]
        assert len(set(questions)) == len(questions) >= 20
        assert all(answer.startswith(" ") and answer.strip() == answer[1:] != "" for _q, answer in task.items)
        assert "{question}" in task.form
        assert not task.form.endswith(" ")
    assert len(OPPOSITES.items) == 40
    assert {answer for _q, answer in MOODS.items} == {" good", " bad"}


def test_right_answers_of_counting():
    assert ("banana", " 6") in LETTERS.items
    assert ("we are here", " 3") in WORDS.items
    assert all(len(answer) == 2 for task in (LETTERS, WORDS) for _q, answer in task.items)  # one digit


def test_nobody_is_both_known_and_invented():
    assert not {*KNOWN_COUNTRIES, *KNOWN_PEOPLE} & {*INVENTED_COUNTRIES, *INVENTED_PEOPLE}
    assert len({*KNOWN_COUNTRIES}) == len({*INVENTED_COUNTRIES}) == 16
    assert len({*KNOWN_PEOPLE}) == len({*INVENTED_PEOPLE}) == 16
    assert "Jimmy Scrambles" in INVENTED_PEOPLE


def test_examples_are_other_questions_with_their_answers():
    for number in range(len(OPPOSITES.items)):
        *examples, asked = few_shot_prompt(OPPOSITES, number, shots=5, seed=3).split("\n")
        question, _answer = OPPOSITES.items[number]
        assert asked == f"{question} ->"
        pairs = [tuple(example.split(" ->")) for example in examples]
        assert len(set(pairs)) == 5
        assert all(pair in OPPOSITES.items and pair[0] != question for pair in pairs)


def test_examples_are_the_same_for_the_same_seed_only():
    assert few_shot_prompt(OPPOSITES, 4, 3, seed=1) == few_shot_prompt(OPPOSITES, 4, 3, seed=1)
    assert few_shot_prompt(OPPOSITES, 4, 3, seed=1) != few_shot_prompt(OPPOSITES, 4, 3, seed=2)
    firsts = {few_shot_prompt(OPPOSITES, n, 1).split("\n")[0] for n in range(40)}
    assert len(firsts) > 10  # each question has examples of its own


def test_all_other_questions_can_be_examples():
    assert few_shot_prompt(MOODS, 0, 29).count("Mood:") == 30


@pytest.mark.parametrize(
    ("number", "shots", "words"), [(-1, 0, "number"), (40, 0, "number"), (0, -1, "shots"), (0, 40, "shots")]
)
def test_numbers_that_a_task_does_not_have(number, shots, words):
    with pytest.raises(ValueError, match=f"^{words} must be from 0 to 39, got"):
        few_shot_prompt(OPPOSITES, number, shots)


@pytest.mark.parametrize("shots", [0, 1, 3])
def test_a_model_that_knows_some_answers_gets_those_points(shots):
    known = [f"{q} ->{a}" for q, a in OPPOSITES.items[:13]]
    assert few_shot(Knows(known), Letters(), OPPOSITES, shots) == Score(13, 40)


def test_one_wrong_letter_is_a_wrong_answer():
    """Also the last, and also the first."""
    almost = [f"{q} ->{a[:-1]}#" for q, a in OPPOSITES.items[:5]] + [
        f"{q} -> #{a[2:]}" for q, a in OPPOSITES.items[5:9]
    ]
    assert few_shot(Knows(almost), Letters(), OPPOSITES, 0).right == 0


def test_rows_are_read_together_but_not_too_many(monkeypatch):
    known = [f"{q} ->{a}" for q, a in OPPOSITES.items[:13]]
    monkeypatch.setattr(prompting, "LOGITS_AT_ONCE", 60)
    model = Knows(known)
    assert few_shot(model, Letters(), OPPOSITES, 1) == Score(13, 40)
    assert all(n * length <= 60 or n == 1 for n, length in model.shapes)
    assert 2 < len(model.shapes) < 40


def test_batches_change_nothing():
    model = Knows([])
    rows = [[1, 2, 3], [4], [5, 6, 7, 8, 9], [1, 1]]
    model_of_place = lambda ids: torch.stack([ids, ids * 2], dim=-1).float()  # noqa: E731
    model_of_place.device = model.device
    seen = prompting._read(model_of_place, rows, [2, 1, 3, 1])
    assert [line[:, 1].tolist() for line in seen] == [[4, 6], [8], [14, 16, 18], [2]]


def test_score_and_its_error_by_hand():
    score = Score(8, 32)
    assert score.share == 0.25
    assert math.isclose(score.error, math.sqrt(0.25 * 0.75 / 32))


def test_the_most_frequent_answer():
    assert always_the_same(Task("t", "{question}?", (("a", " 1"), ("b", " 2"), ("c", " 2")))) == Score(2, 3)


def test_chat_is_what_the_model_was_taught():
    assert chat("Hi?") == "<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n"
    assert chat("Hi?", "Well,").endswith("assistant\nWell,")
    with pytest.raises(ValueError, match="the question must hold some words, got ' '"):
        chat(" ")


def test_confidence_by_hand():
    sure, unsure = confidence(Knows(["ab"], vocab=100), Letters(), ["a", "zzz"])
    best, other = math.exp(4) / (math.exp(4) + 99), 1 / (math.exp(4) + 99)
    assert sure.prompt == "a"
    assert sure.answer == "b"
    assert math.isclose(sure.probability, best, rel_tol=1e-5)
    assert math.isclose(sure.margin, best - other, rel_tol=1e-5)
    assert math.isclose(sure.entropy, -best * math.log(best) - 99 * other * math.log(other), rel_tol=1e-5)
    assert math.isclose(unsure.entropy, math.log(100), rel_tol=1e-5)
    assert abs(unsure.margin) < 1e-9


def test_confidence_is_asked_with_special_tokens():
    class Special(Letters):
        def encode(self, text, special=False):
            assert special
            return super().encode(text)

    assert len(confidence(Knows([]), Special(), ["<s>a"])) == 1


@pytest.mark.parametrize("prompts", [[], "a text"])
def test_prompts_are_a_list(prompts):
    with pytest.raises(ValueError, match="prompts must be a list of texts, got"):
        confidence(Knows([]), Letters(), prompts)


def test_separation_is_the_area_under_the_curve():
    rng = np.random.default_rng(0)
    first, second = (
        rng.normal(0.7, 1, 23).round(1),
        rng.normal(0, 1, 31).round(1),
    )  # rounded, so that some tie
    truth = roc_auc_score([1] * 23 + [0] * 31, [*first, *second])
    found = separation(first.tolist(), second.tolist())
    assert math.isclose(found.share, truth)
    assert math.isclose(separation(second.tolist(), first.tolist()).share, 1 - truth)
    # Its error against many samples of the same kind.
    many = [separation([*rng.normal(0.7, 1, 23)], [*rng.normal(0, 1, 31)]).share for _ in range(600)]
    assert 0.7 < found.error / np.std(many) < 1.4


def test_separation_of_groups_far_apart_has_no_error():
    assert separation([5.0, 6.0], [1.0]) == (1.0, 0.0)
    assert separation([1.0], [1.0]).share == 0.5


@pytest.mark.parametrize("groups", [([], [1.0]), ([1.0], []), ([math.nan], [1.0]), ([1.0], [2.0, math.nan])])
def test_separation_wants_numbers_in_both(groups):
    with pytest.raises(ValueError, match="both groups must hold numbers, got"):
        separation(*groups)
