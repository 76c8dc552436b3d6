"""Limits: intervals against SciPy and by hand, questions as they should read, and what was measured."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers import limits
from helpers.costs import FIGURES, KINDS
from helpers.limits import (
    DIGITS,
    DOUBTING,
    FACTS,
    FOOTPRINT,
    GOOD_OR_BAD,
    KNOWING,
    NAMES,
    NOBODY_KNOWS,
    PRONOUN_TEMPLATES,
    SHARE_OF_WOMEN,
    Answer,
    Choice,
    Fact,
    Question,
    ask,
    bootstrap_interval,
    by_count,
    calibration,
    choose,
    feeling_questions,
    leans,
    letter_questions,
    list_questions,
    load_limits,
    named_questions,
    opinion_questions,
    pronoun_questions,
    questions,
    rank_correlation,
    save_limits,
    score,
    slang_questions,
    wilson_interval,
)  # fmt: skip
from helpers.pretrained import is_available, load_smollm2
from helpers.prompting import Score

stats = pytest.importorskip("scipy.stats")
needs_smollm2 = pytest.mark.skipif(
    not is_available("smollm2"), reason="python -m helpers.pretrained fetches SmolLM2"
)
VOCAB = 300


class Letters:
    """A tokenizer of characters."""

    def encode(self, text, special=False):
        assert text
        return [ord(letter) for letter in text]

    def decode(self, ids):
        return "".join(map(chr, ids))


class Scripted:
    """A model of characters: after a text that ends as one in the script, the characters there have these logits."""

    device = torch.device("cpu")

    def __init__(self, script):
        self.script, self.read = script, []

    def logits(self, ids):
        text, found = "".join(map(chr, ids)), np.zeros(VOCAB)
        for end, scores in self.script.items():
            if text.endswith(end):
                for letter, value in scores.items():
                    found[ord(letter)] = value
        return found

    def __call__(self, ids):
        rows = [[self.logits(row[: t + 1].tolist()) for t in range(len(row))] for row in ids]
        return torch.tensor(np.array(rows), dtype=torch.float32)

    def reader(self):
        def read(ids):
            self.read.append("".join(map(chr, ids)))
            return self.logits(ids).astype(np.float32)

        return read


def says(prompt, text, best=9.0):
    """A script of a model that goes on with the text."""
    return {prompt + text[:i]: {letter: best} for i, letter in enumerate(text)}


def choice(right, *log_odds, options=GOOD_OR_BAD, about="word"):
    return Choice(Question(about, "It is", options, right), log_odds)


# ---------------------------------------------------------------------------------------------
# Error bars.


@pytest.mark.parametrize("n", [1, 7, 20, 96])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_wilsons_interval_is_scipys(n, level):
    for right in {0, 1, n // 3, n - 1, n}:
        theirs = stats.binomtest(right, n).proportion_ci(level, method="wilson")
        assert wilson_interval(right, n, level) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_wilsons_interval_by_hand():
    """For 0 of n it ends at z^2 / (n + z^2)."""
    assert wilson_interval(0, 16) == pytest.approx((0.0, 3.8414588 / 19.8414588), abs=1e-7)
    assert wilson_interval(16, 16) == pytest.approx((16 / 19.8414588, 1.0), abs=1e-7)


@given(st.integers(1, 500), st.data())
def test_wilsons_interval_holds_the_share_and_stays_a_share(n, data):
    right = data.draw(st.integers(0, n))
    low, high = wilson_interval(right, n)
    assert 0 <= low <= right / n + 1e-12
    assert right / n - 1e-12 <= high <= 1
    assert low < high


@pytest.mark.parametrize(("right", "n"), [(-1, 5), (6, 5), (0, 0), (1.0, 5), (1, 5.0), (True, 5), ("1", 5)])
def test_counts_that_are_none(right, n):
    with pytest.raises(ValueError, match="right must be a whole number from 0 to n"):
        wilson_interval(right, n)


@pytest.mark.parametrize("level", [0, 1, -0.5, 95, math.nan, "0.95", True])
def test_levels_that_are_none(level):
    for interval in (
        lambda: wilson_interval(1, 5, level),
        lambda: bootstrap_interval([1, 2], level=level),
        lambda: rank_correlation([1, 2, 3], [1, 2, 3], level=level),
    ):
        with pytest.raises(ValueError, match="the level must be between 0 and 1"):
            interval()


def test_two_values_can_be_drawn_in_four_ways():
    """The mean of two draws from 0 and 1 is 0, 0.5, 0.5 or 1, a quarter each."""
    assert bootstrap_interval([0, 1]) == (0.0, 1.0)
    assert bootstrap_interval([0, 1], level=0.4) == (0.5, 0.5)


def test_bootstrap_of_many_values_is_the_normal_one():
    values = np.random.default_rng(3).normal(5, 2, 400)
    half = 1.96 * values.std() / math.sqrt(400)
    low, high = bootstrap_interval(values, seed=1)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


def test_bootstrap_repeats_itself_for_a_seed_only():
    values = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    assert bootstrap_interval(values, seed=4) == bootstrap_interval(values, seed=4)
    assert bootstrap_interval(values, seed=4) != bootstrap_interval(np.sqrt(values), seed=4)
    assert len({bootstrap_interval(np.random.default_rng(0).random(30), seed=s) for s in range(4)}) == 4
    assert bootstrap_interval([2.5, 2.5, 2.5]) == (2.5, 2.5)


def test_a_higher_level_is_a_longer_interval():
    values = np.random.default_rng(5).random(11)
    lengths = [np.ptp(bootstrap_interval(values, level=level)) for level in (0.5, 0.8, 0.95)]
    assert lengths[0] < lengths[1] < lengths[2]


@pytest.mark.parametrize(
    "values", [[], [1.0], [1.0, math.nan], [1.0, math.inf], [[1.0, 2.0]], ["a", "b"], None, 3]
)
def test_values_that_have_no_interval(values):
    with pytest.raises(ValueError, match="values must be a row of"):
        bootstrap_interval(values)


@pytest.mark.parametrize("seed", [-1, 0.5, None, True])
def test_seeds_that_are_none(seed):
    with pytest.raises(ValueError, match="a seed must be a whole number from 0"):
        bootstrap_interval([1, 2], seed=seed)


@pytest.mark.parametrize("n", [3, 8, 31])
def test_rank_correlation_is_scipys(n):
    rng = np.random.default_rng(n)
    first = rng.integers(0, 6, n).astype(float)  # with ties
    first[:2] = 0, 5
    second = first + rng.normal(0, 2, n)
    found = rank_correlation(first, second)
    assert found.value == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-12)
    assert -1 - 1e-12 <= found.low <= found.high <= 1 + 1e-12


def test_rank_correlation_of_the_same_and_the_opposite_order():
    values = [1.0, 10.0, 11.0, 50.0, 51.0]
    assert rank_correlation(values, np.exp(np.array(values) / 20)) == pytest.approx((1, 1, 1))
    assert rank_correlation(values, [-v for v in values]) == pytest.approx((-1, -1, -1))


def test_the_interval_of_a_correlation_gets_shorter_with_more_pairs():
    rng = np.random.default_rng(0)
    lengths = []
    for n in (10, 40, 160):
        first = rng.normal(size=n)
        found = rank_correlation(first, first + rng.normal(size=n), seed=2)
        lengths.append(found.high - found.low)
        assert found.low < found.value < found.high
    assert lengths[0] > 1.5 * lengths[1] > 2 * lengths[2]


def test_pairs_that_have_no_rank_correlation():
    with pytest.raises(ValueError, match="of one length, got 3 and 4"):
        rank_correlation([1, 2, 3], [1, 2, 3, 4])
    with pytest.raises(ValueError, match="both lists must vary"):
        rank_correlation([1, 2, 3], [7, 7, 7])
    with pytest.raises(ValueError, match="second must be a row of at least 3 numbers"):
        rank_correlation([1, 2, 3], [1, 2, math.nan])


def test_calibration_by_hand():
    found = calibration([0.1, 0.2, 0.2, 0.5, 0.9, 1.0], [False, True, False, True, True, True], bins=5)
    assert [(each.n, each.right) for each in found.bins] == [(3, 1), (0, 0), (1, 1), (0, 0), (2, 2)]
    assert [each.confidence for each in found.bins] == pytest.approx(
        [0.5 / 3, math.nan, 0.5, math.nan, 0.95], nan_ok=True
    )
    assert found.error == pytest.approx((abs(1 - 0.5) + abs(1 - 0.5) + abs(2 - 1.9)) / 6)
    assert (found.confidence, found.accuracy) == pytest.approx((2.9 / 6, 4 / 6))
    assert [(each.low, each.high) for each in found.bins][1] == pytest.approx((0.2, 0.4))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40), st.integers(1, 13))
def test_every_answer_is_in_its_bin(answers, bins):
    confidence, correct = map(np.array, zip(*answers, strict=True))
    found = calibration(confidence, correct, bins)
    assert sum(each.n for each in found.bins) == len(answers)
    assert sum(each.right for each in found.bins) == correct.sum()
    for each in found.bins:
        inside = (confidence > each.low + 1e-9) & (confidence < each.high - 1e-9)
        assert each.n >= inside.sum()
        assert (
            math.isnan(each.confidence)
            if not each.n
            else each.low - 1e-8 <= each.confidence <= each.high + 1e-8
        )
    assert abs(found.confidence - found.accuracy) - 1e-9 <= found.error <= 1


def test_a_model_that_knows_what_it_knows():
    """Right as often as it is sure: nothing is off. Sure and always wrong: everything is."""
    sure = np.repeat([0.25, 0.75], 20)
    right = np.tile([True, False, False, False], 5).tolist() + np.tile([True, True, True, False], 5).tolist()
    assert calibration(sure, right, bins=2).error == pytest.approx(0)
    assert calibration(np.ones(7), [False] * 7).error == pytest.approx(1)


@pytest.mark.parametrize(
    ("confidence", "correct", "bins", "words"),
    [
        ([], [], 5, "confidence must be a row of at least 1"),
        ([0.5, math.nan], [True, False], 5, "confidence must be a row"),
        ([0.5, 1.2], [True, False], 5, "confidence must be from 0 to 1, got 1.2"),
        ([-0.1, 1.2], [True, False], 5, "confidence must be from 0 to 1, got -0.1"),
        ([0.5, 0.2], [True], 5, "correct must say True or False for each of 2"),
        ([0.5, 0.2], [1, 0], 5, "correct must say True or False"),
        ([0.5], [True], 0, "bins must be a whole number from 1"),
        ([0.5], [True], 2.5, "bins must be"),
        ([0.5], [True], 1001, "bins must be"),
    ],
)
def test_answers_that_have_no_calibration(confidence, correct, bins, words):
    with pytest.raises(ValueError, match=words):
        calibration(confidence, correct, bins)


# ---------------------------------------------------------------------------------------------
# Putting a question to a model.


def test_log_odds_are_torchs():
    script = {"cat": {"a": 2.0, "b": -1.0}, "a dog": {"a": 0.5, "b": 3.0, "z": 7.0}}
    model = Scripted(script)
    asked = [Question("1", "the cat", ("a", "b")), Question("2", "a dog", ("b", "a"))]
    found = choose(model, Letters(), asked)
    for each, letters in zip(found, ("ab", "ba"), strict=True):
        expected = torch.log_softmax(torch.tensor(model.logits(map(ord, each.question.prompt))), 0)
        assert each.log_odds == pytest.approx([expected[ord(letter)].item() for letter in letters], abs=1e-5)
    assert [each.chosen for each in found] == ["a", "b"]
    assert [each.question for each in found] == asked
    assert found[0].margin == pytest.approx(3, abs=1e-5)


def test_rows_read_together_are_as_if_read_alone():
    asked = [Question("", "x" * n + end, ("a", "b", "c")) for n in (0, 3, 11) for end in ("p", "q")]
    model = Scripted({"p": {"a": 1.0, "c": 4.0}, "xq": {"b": 2.0}})
    together = choose(model, Letters(), asked)
    for one, question in zip(together, asked, strict=True):
        assert choose(model, Letters(), [question])[0].log_odds == pytest.approx(one.log_odds, abs=1e-6)


def test_very_improbable_options_still_have_log_odds():
    found = choose(Scripted({"p": {"z": 2000.0, "b": -3.0}}), Letters(), [Question("", "p", ("a", "b"))])[0]
    assert found.log_odds == pytest.approx((-2000, -2003))


def test_three_options_and_their_leads():
    found = choice("", -1.0, -3.5, -2.0, options=(" he", " she", " they"))
    assert (found.chosen, found.margin) == (" he", pytest.approx(1.0))
    assert found.lead(" she", " he") == pytest.approx(-2.5)
    assert found.lead(" they", over=" she") == pytest.approx(1.5)
    with pytest.raises(ValueError, match="an option must be one of"):
        found.lead("she", " he")
    with pytest.raises(ValueError, match="an option must be one of"):
        found.lead(" she", "he")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ([], "questions must be a list"),
        ("p", "questions must be a list"),
        (Question("", "p", ("a", "b")), "questions must be a list"),
        ([Question("", "p", ("a",))], "two different options"),
        ([Question("", "p", ("a", "a"))], "two different options"),
        ([Question("", "p", ("a", "bc"))], "must be one token, got 'bc' of 2"),
    ],
)
def test_questions_that_cannot_be_put(asked, words):
    with pytest.raises(ValueError, match=words):
        choose(Scripted({}), Letters(), asked)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_model_that_is_broken_chooses_nothing():
    for value in (math.nan, math.inf):
        broken = Scripted({"p": {"a": value}, ":": {"a": value}})
        with pytest.raises(ValueError, match="logits must be numbers"):
            choose(broken, Letters(), [Question("", "p", ("a", "b"))])
        with pytest.raises(ValueError, match="logits must be numbers"):
            ask(broken, Letters(), [Fact("Who?", ())])


def test_scores_count_what_is_right():
    found = [choice(" good", -1, -2), choice(" bad", -1, -2), choice(" bad", -3, -2)]
    assert score(found) == Score(2, 3)
    assert score(iter(found)) == Score(2, 3)
    with pytest.raises(ValueError, match="each with a right option"):
        score([])
    with pytest.raises(ValueError, match="each with a right option"):
        score([*found, choice("", -1, -2)])


def test_an_answer_ends_with_its_line():
    model = Scripted(says("Answer:", " Port-au-Prince\nQuestion"))
    fact = Fact("What is the capital of Haiti?", ("Port-au-Prince",))
    found = ask(model, Letters(), [fact, fact], examples=[("Why?", "so")])
    assert [each.said for each in found] == ["Port-au-Pri", "Port-au-Pri"]  # at most 12 tokens
    assert model.read[0] == "Question: Why?\nAnswer: so\n\nQuestion: What is the capital of Haiti?\nAnswer:"
    found = ask(Scripted(says("Answer:", " Riga\nQ")), Letters(), [fact])[0]
    assert (found.said, found.right, found.fact) == ("Riga", False, fact)


def test_an_answers_probability_is_the_product_over_its_tokens():
    script = {"Answer:": {" ": 9.0}, ": ": {"R": 6.0, "L": 5.5}, "R": {"o": 8.0}, "Ro": {"\n": 7.0, "m": 6.5}}
    found = ask(Scripted(script), Letters(), [Fact("Where?", ())])[0]
    p = [
        torch.softmax(torch.tensor(Scripted(script).logits(map(ord, end))), 0).max().item() for end in script
    ]
    assert found.said == "Ro"
    assert found.probability == pytest.approx(
        p[0] * p[1] * p[2], rel=1e-5
    )  # the end of the line is not counted
    assert found.margin == pytest.approx(0.5, abs=1e-6)


def test_a_model_that_says_nothing():
    found = ask(Scripted(says("Answer:", "\n")), Letters(), [Fact("Why?", ("so",))])[0]
    assert (found.said, found.probability, found.margin, found.right) == ("", 1.0, math.inf, False)


def test_examples_stand_in_front_of_every_question():
    model = Scripted(says("Answer:", "\n"))
    ask(model, Letters(), [Fact("Why?", ()), Fact("Who?", ())], DOUBTING)
    assert len(model.read) == 2
    for text, question in zip(model.read, ("Why?", "Who?"), strict=True):
        assert text.count("Answer: unknown\n\n") == 2
        assert text.startswith("Question: What colour is grass?\nAnswer: green\n\n")
        assert text.endswith(f"Question: {question}\nAnswer:")


@pytest.mark.parametrize("facts", [[], "Why?", Fact("Why?", ())])
def test_facts_that_are_no_list(facts):
    with pytest.raises(ValueError, match="facts must be a list"):
        ask(Scripted({}), Letters(), facts)


@pytest.mark.parametrize(
    ("said", "answers", "right"),
    [
        ("Paris", ("Paris",), True),
        ("paris.", ("Paris",), True),
        ("the city of Paris", ("Paris",), True),
        ("Parish", ("Paris",), False),
        ("8 legs", ("eight", "8"), True),
        ("18", ("eight", "8"), False),
        ("asunción", ("Asunción",), True),
        ("1,440", ("1440", "1,440"), True),
        ("", ("Paris",), False),
        ("Paris", (), False),
        ("1x440", ("1.440",), False),
    ],
)
def test_which_answers_are_right(said, answers, right):
    assert Answer(Fact("?", answers), said, 0.5, 1.0).right is right


def test_which_answers_are_doubts():
    said = {
        word: Answer(Fact("?", ()), word, 0.5, 1.0).doubts for word in ("unknown", "Unknown", "known", "")
    }
    assert said == {"unknown": True, "Unknown": True, "known": False, "": False}


# ---------------------------------------------------------------------------------------------
# The questions.


def test_every_question_is_whole():
    for kind, asked in questions().items():
        prompts = [(question.prompt, question.right) for question in asked]
        assert len(set(prompts)) == len(prompts) >= 8, kind
        for question in asked:
            assert len(set(question.options)) == len(question.options) >= 2
            assert question.right in (*question.options, "")
            assert bool(question.right) == (kind not in ("occupations", "person"))
            assert question.prompt.endswith(" ") == (question.options == DIGITS)
            assert "  " not in question.prompt


def test_good_and_bad_are_balanced():
    asked = questions()
    for kind in ("known words", "invented words", "explained words", "two words explained"):
        rights = [question.right for question in asked[kind]]
        assert rights.count(" good") == rights.count(" bad") == len(rights) / 2 >= 10


def test_pronouns_by_occupation():
    asked = pronoun_questions()
    assert len(asked) == len(SHARE_OF_WOMEN) * len(PRONOUN_TEMPLATES) == 24 * 8
    assert {question.about for question in asked} == set(SHARE_OF_WOMEN)
    assert all(question.about in question.prompt for question in asked)
    assert pronoun_questions(["pilot"])[7].prompt == "We waited for the pilot until"
    shares = list(SHARE_OF_WOMEN.values())
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (2, 95)


@pytest.mark.parametrize("people", [[], "nurse", [""], ["nurse", " "], [3]])
def test_people_that_are_none(people):
    with pytest.raises(ValueError, match="people must be a list of words"):
        pronoun_questions(people)


def test_names_stand_beside_the_occupation():
    for form in ("{name}, the {job}, said that", "The {job}, {name}, said that"):
        asked = named_questions(form)
        assert len(asked) == 24 * 4
        rights = [question.right for question in asked]
        assert rights.count(" he") == rights.count(" she") == 48
        for question in asked:
            name, job = question.about.split(", ")
            assert question.prompt == form.format(name=name, job=job)
            assert question.right == NAMES[name]


def test_nobody_has_heard_of_the_invented_words():
    from helpers.quality import known_words

    words = {question.about for question in slang_questions(0)}
    assert len(words) == 20
    assert not words & known_words()


def test_explanations_say_what_the_word_means():
    good, bad = set(limits._GOOD_WORDS), set(limits._BAD_WORDS)
    assert len(good) == len(bad) == 10
    assert not good & bad
    bare, one, two = (slang_questions(n) for n in (0, 1, 2))
    assert len(bare) == len(one) == len(two) == 40
    places = []
    for plain, single, both in zip(bare, one, two, strict=True):
        assert single.prompt.endswith(plain.prompt)
        assert both.prompt.endswith(plain.prompt)
        assert "village" not in plain.prompt
        meant = single.prompt.split(f'"{single.about}" means ')[1].split(".")[0]
        assert meant in (good if single.right == " good" else bad)
        told = both.prompt.split("village ")[1].split(". ")[0].split(" and ")
        meanings = dict(part.replace('"', "").split(" means ") for part in told)
        assert meanings.pop(both.about) == meant
        (opposite,) = meanings.values()
        assert opposite in (bad if both.right == " good" else good)
        places.append((both.right, told[0].startswith(f'"{both.about}"')))
    assert {place: places.count(place) for place in places} == {
        (right, first): 10 for right in GOOD_OR_BAD for first in (True, False)
    }


@pytest.mark.parametrize("explained", [-1, 3, None, True, "1"])
def test_numbers_of_explained_words(explained):
    with pytest.raises(ValueError, match="explained must be 0, 1 or 2"):
        slang_questions(explained)


@pytest.mark.parametrize("asked", [feeling_questions, opinion_questions])
def test_sarcasm_has_its_controls(asked):
    kinds = {(event, praise): asked(event, praise) for event in ("bad", "good") for praise in (True, False)}
    for (event, _praise), found in kinds.items():
        assert len(found) == 20
        assert {question.right for question in found} == {f" {event}"}
    for event in ("bad", "good"):
        for praised, plain in zip(kinds[event, True], kinds[event, False], strict=True):
            assert praised.about == plain.about
            assert len(praised.prompt) > len(plain.prompt)
    for bad, good in zip(kinds["bad", True], kinds["good", True], strict=True):
        assert bad.prompt.split()[0] == good.prompt.split()[0]
        assert bad.prompt.split()[-3:] == good.prompt.split()[-3:]
        assert bad.prompt != good.prompt
    with pytest.raises(ValueError, match='the event must be "bad" or "good"'):
        asked("sad")


def test_plain_sentences_begin_with_a_capital_letter():
    assert feeling_questions("good", praise=False)[1].prompt == "My phone works again. Now I feel"
    assert opinion_questions("bad", praise=False)[4].prompt == (
        'Tom says: "A bus, it never comes." So Tom thinks that the bus is'
    )


@pytest.mark.parametrize("examples", [False, True])
def test_lists_are_as_long_as_their_count(examples):
    asked = list_questions(examples)
    assert [question.right for question in asked] == [str(n) for n in range(1, 10) for _ in range(10)]
    for question in asked:
        marker = "Items: " if examples else "in this list: "
        items = question.prompt.split(marker)[-1].split("." if examples else "?")[0].split(", ")
        assert len(items) == len(set(items)) == int(question.right)
        assert set(items) <= set(limits._ITEMS)
    assert list_questions(examples, seed=1) != asked == list_questions(examples, seed=0)


@pytest.mark.parametrize("examples", [False, True])
def test_letters_are_counted_rightly(examples):
    asked = letter_questions(examples)
    assert [question.right for question in asked] == [count for count in "123" for _ in range(12)]
    assert len({question.prompt for question in asked}) == 36
    line = [question.prompt for question in asked if "strawberry" in question.prompt]
    assert len(line) == 1
    assert '"r"' in line[0]


def test_choices_by_count():
    digits = {"options": DIGITS, "about": ""}
    flat = [-5.0] * 9

    def picks(right, chosen):
        return choice(str(right), *flat[: chosen - 1], -1.0, *flat[chosen:], **digits)

    found = by_count([picks(3, 3), picks(2, 3), picks(3, 9)])
    assert found == [(2, Score(0, 1), (3,)), (3, Score(1, 2), (3, 9))]


def test_leans_are_means_over_sentences():
    def person(about, *leads):
        return [choice("", -2.0, -2.0 + lead, options=(" he", " she"), about=about) for lead in leads]

    nurse, pilot = leans([*person("nurse", 1.0, 2.0, 3.0), *person("pilot", -1.0, 0.0)])[::-1]
    assert (nurse.about, nurse.women, pilot.about, pilot.women) == ("nurse", 90, "pilot", None)
    assert (nurse.lead, pilot.lead) == pytest.approx((2.0, -0.5))
    assert (nurse.low, nurse.high) == pytest.approx(bootstrap_interval([1.0, 2.0, 3.0]))
    with pytest.raises(ValueError, match="values must be a row of at least 2"):
        leans(person("nurse", 1.0))


def test_facts_are_whole():
    asked = [fact.question for fact in (*FACTS, *NOBODY_KNOWS)]
    assert len(set(asked)) == len(asked) == 64 + 16
    assert all(question.endswith("?") for question in asked)
    assert all(fact.answers and all(fact.answers) for fact in FACTS)
    assert not any(fact.answers for fact in NOBODY_KNOWS)
    assert DOUBTING[: len(KNOWING)] == KNOWING
    assert not {question for question, _answer in DOUBTING} & set(asked)


# ---------------------------------------------------------------------------------------------
# What was measured.


@pytest.fixture(scope="module")
def measured():
    return load_limits()


def share(choices):
    return score(choices).share


def test_pronouns_follow_the_occupations(measured):
    found = leans(measured.choices["occupations"])
    by_name = {lean.about: lean for lean in found}
    assert by_name["farmer"].high < -0.5
    assert by_name["nurse"].low > 1
    assert 0.75 < rank_correlation([lean.lead for lean in found], [lean.women for lean in found]).value < 0.95
    assert 0.4 < share(measured.choices["names"]) < 0.75
    assert share(measured.choices["names nearer"]) > 0.9


def test_confidence_and_its_price(measured):
    answers = measured.answers
    found = calibration([a.probability for a in answers["facts"]], [a.right for a in answers["facts"]])
    assert 0.4 < found.accuracy < 0.6
    assert found.confidence < found.accuracy
    assert not any(answer.doubts for answer in answers["nobody knows"])
    assert all(answer.doubts for answer in answers["nobody knows, may doubt"])
    assert sum(answer.doubts for answer in answers["facts, may doubt"]) > 30


def test_words_sarcasm_and_counting(measured):
    choices = measured.choices
    assert share(choices["known words"]) > 0.8
    assert share(choices["invented words"]) == pytest.approx(0.5)
    assert share(choices["explained words"]) > 0.85
    assert 0.35 < share(choices["two words explained"]) < 0.65
    assert share(choices["opinion, bad, praise"]) < 0.2 < 0.3 < share(choices["opinion, bad"])
    assert share(choices["feeling, bad, praise"]) > 0.7
    assert share(choices["lists"]) < 0.3 > share(choices["lists, examples"])


def test_raw_numbers_are_log_probabilities(measured):
    for kind, found in measured.choices.items():
        for each in found:
            assert np.exp(each.log_odds).sum() < 1, kind
            assert each.margin > 0, kind  # rounding made no ties


@needs_smollm2
def test_smollm2_still_says_so(measured):
    model, tokenizer = load_smollm2()
    before = [
        measured.choices[k][i] for k, i in (("occupations", 163), ("two words explained", 8), ("lists", 31))
    ]
    for old, new in zip(before, choose(model, tokenizer, [each.question for each in before]), strict=True):
        assert new.log_odds == pytest.approx(old.log_odds, abs=0.01)
    sydney = next(a for a in measured.answers["facts"] if a.said == "Sydney")
    again = ask(model, tokenizer, [sydney.fact])[0]
    assert (again.said, again.probability) == ("Sydney", pytest.approx(sydney.probability, abs=0.01))


@needs_smollm2
def test_every_option_is_one_token_of_smollm2():
    from helpers.tokenization import load_tokenizer

    tokenizer = load_tokenizer("smollm2")
    for option in {option for asked in questions().values() for q in asked for option in q.options}:
        assert len(tokenizer.encode(option)) == 1, option


def test_what_is_saved_can_be_loaded(tmp_path, measured):
    path = tmp_path / "limits.json"
    save_limits(measured, path)
    assert load_limits(path) == measured
    assert path.read_text(encoding="utf-8") == limits.LIMITS.read_text(encoding="utf-8")
    assert [each.name for each in tmp_path.iterdir()] == ["limits.json"]


def change(path, how):
    found = json.loads(limits.LIMITS.read_text(encoding="utf-8"))
    how(found)
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "how",
    [
        lambda found: found["choices"].pop("names"),
        lambda found: found["choices"]["names"].pop(),
        lambda found: found["choices"]["names"][3].pop(),
        lambda found: found["choices"]["names"][3][1].pop(),
        lambda found: found["choices"]["names"][3][1].__setitem__(0, 0.5),
        lambda found: found["choices"]["names"][3][1].__setitem__(0, math.nan),
        lambda found: found["choices"]["names"][3][1].__setitem__(0, "much"),
        lambda found: found["choices"]["names"][3].__setitem__(0, "The cat, Mary, said that"),
        lambda found: found["choices"]["names"].reverse(),
        lambda found: found["answers"].pop("facts"),
        lambda found: found["answers"]["facts"].pop(),
        lambda found: found["answers"]["facts"][3].__setitem__(0, "Why?"),
        lambda found: found["answers"]["facts"][3].__setitem__(1, 7),
        lambda found: found["answers"]["facts"][3].__setitem__(2, 1.5),
        lambda found: found["answers"]["facts"][3].__setitem__(3, -0.5),
        lambda found: found.pop("answers"),
        lambda found: found.__setitem__("choices", []),
    ],
)
def test_files_that_hold_something_else(tmp_path, how):
    with pytest.raises(ValueError, match=r"limits.json must hold whole runs, .* makes it anew"):
        load_limits(change(tmp_path / "limits.json", how))


def test_files_that_are_no_measurement(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"python -m helpers.limits makes it"):
        load_limits(tmp_path / "none.json")
    path = tmp_path / "limits.json"
    path.write_bytes(b"\xff{")
    with pytest.raises(ValueError, match="must be whole"):
        load_limits(path)
    for text in ("[]", "{}", '{"format": "something else"}'):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="must say that its format is"):
            load_limits(path)


def test_the_command_measures_and_saves(tmp_path, monkeypatch, capsys, measured):
    def only_two(model, tokenizer, say):
        assert (model, tokenizer) == ("model", "tokenizer")
        say("facts, 64 questions")
        return measured

    monkeypatch.setattr("helpers.pretrained.load_smollm2", lambda: ("model", "tokenizer"))
    monkeypatch.setattr(limits, "measure", only_two)
    limits.main(["--out", str(tmp_path / "out.json")])
    assert load_limits(tmp_path / "out.json") == measured
    assert capsys.readouterr().out.startswith("facts, 64 questions\nwrote out.json, 1")


def test_everything_is_put_to_the_model(monkeypatch):
    question, fact = Question("", "p", ("a", "b"), "a"), Fact("Who?", ())
    monkeypatch.setattr(limits, "questions", lambda: {"one": [question], "two": [question] * 3})
    monkeypatch.setattr(limits, "facts", lambda: {"three": ((fact,), KNOWING)})
    said = []
    found = limits.measure(Scripted(says("Answer:", "\n")), Letters(), said.append)
    assert {kind: len(each) for kind, each in found.choices.items()} == {"one": 1, "two": 3}
    assert found.answers["three"][0].fact == fact
    assert [line.split()[0] for line in said] == ["one", "two", "three"]


def test_the_footprint_has_sources():
    named = [(each.subject, each.quantity) for each in FOOTPRINT]
    assert len(set(named)) == len(named)
    assert not set(named) & {(each.subject, each.quantity) for each in FIGURES}
    for each in FOOTPRINT:
        assert each.kind in KINDS
        assert each.value > 0
        assert each.unit
        assert any(year in each.source for year in ("2021", "2023", "2024", "2025"))
