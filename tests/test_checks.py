"""The checks themselves: what they say, and that nothing a learner writes brings them down."""

import itertools
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import torch

from helpers import checks, tinytown
from helpers.checks import EXERCISES, MARKS, Exercise, Verdict
from helpers.checks.checking import (
    Mistake,
    Unreadable,
    as_it_is,
    cases,
    close,
    floats,
    items,
    limited,
    read_ids,
    read_number,
    read_row,
    read_table,
    whole,
)


def square(**settings):
    """An exercise small enough to see through: x times x."""
    given = {
        "notebook": "99",
        "number": 1,
        "minutes": 1,
        "difficulty": "easy",
        "parameters": ("x",),
        "right": lambda x: x * x,
        "praise": "Right.",
        "cases": cases((2,), (3,), (-1, None, "A number below 0 has a square as well.")),
        "mistakes": [Mistake("You double it.", lambda x: 2 * x)],
        "read": whole,
    }
    return Exercise("square", **{**given, **settings})


# ---- what a verdict looks like ---------------------------------------------------------------------


@pytest.mark.parametrize("state", MARKS)
def test_a_verdict_says_it_in_words_and_not_by_colour(state):
    verdict = Verdict(state, "It is `a < b`.")
    assert repr(verdict) == f"{MARKS[state][0]} It is `a < b`."
    html = verdict._repr_html_()
    assert "<code>a &lt; b</code>" in html
    assert html.count(MARKS[state][0]) == 1
    assert "background" not in html
    assert not any(word in html.split("border-left")[0] for word in ("color", "script"))
    assert verdict.passed == (state == "right")


def test_what_a_learner_wrote_is_shown_as_text():
    verdict = square(read=as_it_is)(lambda x: "<script>alert(1)</script>")
    assert not verdict.passed
    assert "<script>" in verdict.sentence
    assert "<script>" not in verdict._repr_html_()


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("paper", ["#ffffff", "#111111"])
@pytest.mark.parametrize("state", MARKS)
def test_borders_stand_out_in_both_themes(state, paper):
    light, dark = sorted([luminance(MARKS[state][1]), luminance(paper)], reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 3


# ---- not yet -----------------------------------------------------------------------------------------


def stub(x):
    """What comes out."""
    ...


def bare(x): ...


def passing(x):
    pass


def raising(x):
    raise NotImplementedError


@pytest.mark.parametrize("function", [stub, bare, passing, raising])
def test_an_empty_function_is_not_yet_there(function):
    verdict = square()(function)
    assert verdict.state == "unfinished"
    assert verdict.sentence.startswith("Not yet: square is still empty")


def test_returning_nothing_is_another_thing():
    def silent(x):
        x = x * x

    def printing(x):
        print(x * x)

    assert "does it end with `return`" in square()(silent).sentence
    assert "write `return` where it says `print`" in square()(printing).sentence


# ---- what goes wrong ---------------------------------------------------------------------------------


def test_a_known_mistake_is_named_with_an_example():
    assert repr(square()(lambda x: x + x)) == "✗ You double it. `square(3)` gave `6`, and it should be `9`."


def test_an_unknown_mistake_is_shown_by_its_first_input():
    assert square()(lambda x: 7).sentence == "`square(2)` gave `7`, and it should be `4`."
    assert (
        square()(lambda x: x * abs(x)).sentence
        == "A number below 0 has a square as well. `square(-1)` gave `-1`, and it should be `1`."
    )


def test_an_error_is_one_sentence_with_the_learners_own_line(tmp_path):
    path = tmp_path / "cell.py"
    path.write_text("def broken(x):\n    y = {}\n    return y[x]\n")
    space = {}
    exec(compile(path.read_text(), str(path), "exec"), space)
    sentence = square()(space["broken"]).sentence
    assert sentence == "`square(2)` raised `KeyError: 2`, in your line `return y[x]`."
    tip = square(if_raised={LookupError: "Look it up elsewhere."})(space["broken"]).sentence
    assert tip.endswith("Look it up elsewhere.")
    assert "Traceback" not in sentence


def exits(x):
    sys.exit(1)


def recurses(x):
    return recurses(x)


@pytest.mark.parametrize(("function", "name"), [(exits, "SystemExit"), (recurses, "RecursionError")])
def test_strong_exits_are_caught(function, name):
    assert f"raised `{name}" in square()(function).sentence


def endless(x):
    while True:
        x += 1


def endless_in_one_line(x):
    while True:
        pass


def endless_and_careful(x):
    while True:
        try:
            x += 1
        except Exception:
            x = 0


def endless_and_loud(x):
    while True:
        print(x)


def endless_generator(x):
    while True:
        yield x


@pytest.mark.parametrize(
    "function", [endless, endless_in_one_line, endless_and_careful, endless_and_loud, endless_generator]
)  # fmt: skip
def test_an_endless_loop_ends(function, capsys):
    sentence = square()(function).sentence
    assert "`square(2)` doesn't stop" in sentence
    assert len(capsys.readouterr().out) < 3000


def test_a_loop_in_a_library_is_not_counted():
    with limited(50):
        assert len(sorted(range(10_000), key=lambda x: 0)) == 10_000 if False else True
        import json

        json.loads(json.dumps(list(range(1000)), indent=1))


def test_the_limit_leaves_a_debugger_where_it_was():
    def tracer(frame, event, argument):
        return None

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        square()(lambda x: x * x)
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("answer", [None, ..., 4, "square", [1]])
def test_anything_but_a_function_is_explained(answer):
    assert "`checks.square(square)`" in square()(answer).sentence


def test_changed_parameters_are_explained():
    assert "The check calls `square(x)`, and yours is `square(x, y)`" in square()(lambda x, y: x).sentence
    assert square()(lambda z, power=2: z**power).passed


def test_what_outlives_a_call_is_found():
    def remembers(x, seen=[]):  # noqa: B006
        seen.append(x)
        return sum(seen) ** 2

    def counts(x, seen=[]):  # noqa: B006
        seen.append(x)
        return x * x + (len(seen) > 5)

    assert "The same call gave two answers: `square(2)` gave `4`, and later" in square()(remembers).sentence
    assert "The same call gave two answers" in square()(counts).sentence


def test_printing_does_no_harm_and_is_shown_where_it_helps(capsys):
    def right(x):
        print("looking at", x)
        return x * x

    def wrong(x):
        print("looking at", x)
        return x + x

    assert square()(right).passed
    assert capsys.readouterr().out == ""
    assert "You double it" in square()(wrong).sentence
    assert (
        capsys.readouterr().out == "looking at 3\n"
    )  # what it printed for the input that the sentence names


def first(xs):
    return square(
        parameters=("xs",),
        right=lambda xs: sorted(xs),
        cases=cases(([2, 1],)),
        mistakes=[],
        read=read_ids,
        **xs,
    )


def test_arguments_changed_in_place_are_named_only_where_they_must_stay():
    def in_place(xs):
        xs.sort()
        return xs

    assert first({})(in_place).passed
    sentence = first({"keeps": ("xs",)})(in_place).sentence
    assert sentence.startswith("The answers are right, but `square([2, 1])` changed `xs`")


def test_a_broken_repr_and_a_broken_comparison_do_no_harm():
    class Odd:
        def __repr__(self):
            raise RuntimeError("no")

        def __eq__(self, other):
            raise RuntimeError("no")

        __hash__ = None

    assert "is an Odd" in square()(lambda x: Odd()).sentence


def test_the_same_answer_gives_the_same_sentence():
    verdicts = {repr(square()(lambda x: {"a": object})) for _ in range(3)}
    assert len(verdicts) == 1


# ---- numbers, rows and tables ------------------------------------------------------------------------


def halved(read=floats, **settings):
    """An exercise on arrays: half of every number."""
    given = {
        "parameters": ("xs",),
        "right": lambda xs: (xs / 2).tolist(),
        "cases": cases((np.array([[2.0, 4.0, 7.0]]),), (np.arange(40.0).reshape(10, 4),)),
        "mistakes": [],
        "read": read,
        **settings,
    }
    return square(**given)


@pytest.mark.parametrize(
    "answer",
    [
        lambda xs: xs / 2,
        lambda xs: tuple(map(tuple, xs / 2)),
        lambda xs: torch.tensor(xs) / 2,
        lambda xs: list(torch.tensor(xs, dtype=torch.float32) / 2),
        lambda xs: torch.tensor(xs / 2, requires_grad=True),
        lambda xs: (row.astype(np.float16) / 2 for row in xs),
        lambda xs: [[Fraction(x) / 2 for x in row] for row in xs],
    ],
)
def test_a_table_may_be_made_of_anything(answer):
    assert halved(read_table)(answer).passed


def test_a_large_table_is_shown_by_its_first_entry_that_differs():
    def slip(xs):
        xs = xs / 2
        xs[-1, -2] += 1
        return xs

    assert halved()(slip).sentence == (
        "`square(np.array([[2.0, 4.0, 7.0]]))` gave `[[1.0, 3.0, 3.5]]`, and it should be `[[1.0, 2.0, 3.5]]`."
    )
    large = halved(cases=cases((np.arange(40.0).reshape(10, 4),)))
    assert large(slip).sentence.endswith(
        "gave `20.0` in row 9, column 2 (both from 0), and it should be `19.0`."
    )
    assert large(lambda xs: xs.T / 2).sentence.endswith(
        "gave a table of 4 × 10 numbers, and it should be a table of 10 × 4 numbers."
    )
    assert large(lambda xs: xs[:, 0]).sentence.endswith(
        "gave a row of 10 numbers, and it should be a table of 10 × 4 numbers."
    )
    assert "must return numbers, and `'no'` is a str: `square(" in large(lambda xs: "no").sentence
    assert "gave `'no'`, and it should be" in large(lambda xs: "no").sentence
    near = halved(cases=cases((np.arange(40.0).reshape(10, 4),)), slack=0.02)
    assert "in row 9, column 2 (both from 0)" in near(lambda xs: slip(xs + 0.01)).sentence
    row = halved(cases=cases((np.arange(40.0),)))
    assert row(lambda xs: np.append(xs[:-1] / 2, 7.0)).sentence.endswith(
        "gave `7.0` in place 39 (from 0), and it should be `19.5`."
    )


def test_how_far_a_float_may_be_off():
    assert not halved()(lambda xs: xs / 2 + 1e-4).passed
    assert halved(slack=1e-3)(lambda xs: xs / 2 + 1e-4).passed
    assert not halved(slack=1e-3)(lambda xs: xs / 2 + 1e-2).passed
    named = halved(slack=1e-3, mistakes=[Mistake("You double it.", lambda xs: xs * 2)])
    assert named(lambda xs: xs * 2 + 1e-4).sentence.startswith("You double it.")
    # Two calls may differ by as much.
    rng = np.random.default_rng(0)
    assert halved(slack=1e-3)(lambda xs: xs / 2 + rng.random() * 1e-5).passed
    assert close({"a": [1.0]}, {"a": [1.0005]}, 1e-3)
    assert not close({"a": [1.0]}, {"a": [1.0005]})


def test_nan_is_a_number_that_came_out_twice():
    exercise = halved(mistakes=[Mistake("Nothing is a number.", lambda xs: xs * np.nan)])
    assert exercise(lambda xs: xs * np.nan).sentence.startswith("Nothing is a number. `square(")
    assert not exercise(
        lambda xs: xs / 2 * np.array([1, 1, np.nan][: xs.shape[1]] + [1] * (xs.shape[1] - 3))
    ).passed


def test_an_array_changed_in_place_is_named_only_where_it_must_stay():
    def in_place(xs):
        xs /= 2
        return xs

    assert halved()(in_place).passed
    assert "changed `xs`" in halved(keeps=("xs",))(in_place).sentence

    def in_one_place(xs):
        half = xs / 2
        xs[0, 0] = 7
        return half + 1e-4

    assert halved(keeps=("xs",))(lambda xs: xs / 2).passed
    assert "changed `xs`" in halved(keeps=("xs",), slack=1e-3)(in_one_place).sentence
    noted = halved(notes=lambda arguments: float(arguments[0].sum()), if_noted="Leave it.", slack=1e-3)
    assert noted(in_one_place).sentence.startswith("Leave it. You can see it in `square(")


@pytest.mark.parametrize(
    ("read", "answer", "sentence"),
    [
        (read_number, [1.0, 2.0], "one number, and this is a row of 2 numbers"),
        (read_number, [], "one number, and this is a row of 0 numbers"),
        (read_number, "7", "numbers, and `'7'` is a str"),
        (read_number, b"7", "numbers, and `b'7'` is a bytes"),
        (read_number, 1j, "numbers, and `1j` is a complex"),
        (read_number, 10**400, "is an int"),
        (read_row, 7, "a row of numbers, and this is one number"),
        (read_row, [[1.0], [2.0]], "a row of numbers, and this is a table of 2 × 1 numbers"),
        (read_row, [1.0, None], "numbers, and `None` is a NoneType"),
        (read_row, {1.0, 2.0}, "numbers in their order, and a set has none"),
        (read_row, {1: 2}, "numbers, and `{1: 2}` is a dict"),
        (read_table, [1, 2, 3], "a table of numbers, and this is a row of 3 numbers"),
        (read_table, [[1, 2], [3]], "a table of numbers, and this is a table with rows of different lengths"),
        (read_table, [[1, 2], 3], "a table with rows of different lengths"),
        (read_table, np.zeros((2, 3, 4)), "a table of numbers, and this is a list of tables"),
    ],
)  # fmt: skip
def test_what_is_no_such_number_is_named(read, answer, sentence):
    with pytest.raises(Unreadable) as caught:
        read(answer)
    assert sentence in str(caught.value)
    told = halved(read)(lambda xs: answer).sentence
    assert told.startswith("square must return ")
    assert sentence in told


def test_a_number_may_be_wrapped():
    wrapped = [3, np.float32(3), np.array([[3]]), torch.tensor(3.0), [3.0], Fraction(3)]
    assert [read_number(one) for one in wrapped] == [3.0] * len(wrapped)


def test_checks_need_no_torch():
    code = "import sys, helpers.checks; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_line_of_ours_is_not_shown_as_the_learners():
    sentence = square()(lambda x: tinytown.next_word_distribution("nonsense")).sentence
    assert "raised `ValueError: no story goes on with 'nonsense'" in sentence
    assert """in your line `sentence = square()(lambda x: tinytown""" in sentence


# ---- many right answers ------------------------------------------------------------------------------


def test_every_order_of_the_words_that_tinytown_can_say_passes_and_no_other():
    first = ["look", ",", "the", "fox", "chases", "the", "hen"]
    orders = [order for order in sorted(set(itertools.permutations(first))) if order[:2] == ("look", ",")]
    assert len(orders) == 60
    for words in orders:
        try:
            tinytown.next_word_distribution(words)
            said = list(words) != first
        except ValueError:
            said = False
        verdict = checks.same_bag(lambda words=words: (" ".join(first), " ".join(words)))
        assert verdict.passed == said, words


def test_a_pair_of_sentences_gets_its_odds():
    said = checks.same_bag(
        lambda: ("Look, the goose meets the hen!", "Look, the hen meets the goose.")
    ).sentence
    for sentence in ("look , the goose meets the hen", "look , the hen meets the goose"):
        words, odds = sentence.split(), 1.0
        for place, word in enumerate(words):
            odds *= tinytown.next_word_distribution(words[:place])[word]
        assert f"`{sentence}` begins 1 story in {1 / odds:,.0f}" in said
    assert "that is for you to judge" in said


def test_a_pair_of_sums_in_another_order_is_no_other_meaning():
    one = "today the clown says two and three is six . then the clown says one and two is four"
    other = one.replace("two and three", "three and two")
    assert "as much as three and two" in checks.same_bag(lambda: (one, other)).sentence
    swapped = "today the clown says one and two is four . then the clown says two and three is six"
    assert checks.same_bag(lambda: (one, swapped)).passed


def test_an_open_exercise_says_what_every_exercise_says(capsys):
    def loud():
        print("looking")
        return 1, 2

    def endless_pair():
        while True:
            pass

    assert checks.same_bag(loud).state == "wrong"
    assert capsys.readouterr().out == "looking\n"
    assert "doesn't stop" in checks.same_bag(endless_pair).sentence
    assert checks.same_bag(lambda: [].clear()).sentence.startswith("same_bag returns nothing")
    assert "The check calls `same_bag()`" in checks.same_bag(lambda x: x).sentence
    assert checks.same_bag(raising_pair).state == "unfinished"


def raising_pair():
    raise NotImplementedError


# ---- every exercise of the course --------------------------------------------------------------------


def test_the_registry_is_the_module():
    for name, exercise in EXERCISES.items():
        assert getattr(checks, name) is exercise
        assert exercise.name == name
    places = [(exercise.notebook, exercise.number) for exercise in EXERCISES.values()]
    assert len(set(places)) == len(places)
    assert repr(checks.roll) == "<Exercise 1 of notebook 00: roll(odds, number)>"


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
def test_the_right_answer_is_right(exercise):
    verdict = exercise(exercise.right)
    assert verdict.passed, verdict
    assert verdict.sentence.startswith("Right")


MISTAKES = [
    pytest.param(exercise, mistake, id=f"{name}-{number}")
    for name, exercise in EXERCISES.items()
    for number, mistake in enumerate(exercise.mistakes)
]


@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES)
def test_every_known_mistake_is_told_from_the_others(exercise, mistake):
    """Two mistakes with one sentence are one mistake; of two that do the same, the second could never be said."""
    verdict = exercise(mistake.answer)
    assert verdict.state == "wrong"
    assert verdict.sentence.startswith(mistake.sentence)
    assert len(verdict.sentence) < 420


def test_a_head_that_looks_back_is_told_how_sure_it_is():
    wide = checks.look_back(lambda: (20 * np.eye(6, 7, k=-1), np.eye(6, 7)))
    score = np.exp(20 / np.sqrt(7))  # the last word sees one key that fits, and five that don't
    assert f"{int(1000 * score / (score + 5)) / 1000} of its attention" in wide.sentence
    assert "You took 7 numbers" in wide.sentence
    turns = np.radians(60 * np.arange(-1, 6))
    hands = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    narrow = checks.look_back(lambda: (100 * hands[:-1], hands[1:]))
    assert narrow.passed
    assert "with two" not in narrow.sentence


@pytest.mark.parametrize(("share", "passed"), [(0.901, True), (0.899, False)])
def test_looking_back_is_enough_from_nine_tenths_on(share, passed):
    times = np.sqrt(6) * np.log(
        5 * share / (1 - share)
    )  # the last word gives this share to the word before it
    assert checks.look_back(lambda: (times * np.eye(6, k=-1), np.eye(6))).passed == passed


@pytest.mark.parametrize("number", [np.array(5), np.float64(5), torch.tensor(5)])
def test_a_single_number_is_not_a_list(number):
    """They have an ``__iter__`` that raises."""
    with pytest.raises(Unreadable, match="a list of ids, and this is a"):
        items(number, "ids")
