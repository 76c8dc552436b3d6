"""The checks themselves: what they say, and that nothing a learner writes brings them down."""

import sys

import pytest

from helpers import checks
from helpers.checks import EXERCISES, MARKS, Verdict, limited


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
        "cases": checks._cases((2,), (3,), (-1, None, "A number below 0 has a square as well.")),
        "mistakes": [checks.Mistake("You double it.", lambda x: 2 * x)],
        "read": checks.whole,
    }
    return checks.Exercise("square", **{**given, **settings})


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
    verdict = square(read=checks.as_it_is)(lambda x: "<script>alert(1)</script>")
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
        cases=checks._cases(([2, 1],)),
        mistakes=[],
        read=checks.read_ids,
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
