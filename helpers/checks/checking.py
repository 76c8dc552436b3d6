"""The machinery of the checks: an `Exercise` runs what the learner wrote, and gives a `Verdict`.

``checks.roll(roll)`` runs the learner's function on a row of small inputs, from the plainest to the corner cases,
and gives a `Verdict`, which a notebook shows as one line. An answer is compared by what it is, so that a tuple, a
generator, a Counter or a NumPy number passes where a list, a dict or an int was expected.

How a mistake gets its name: each exercise holds, next to its right answer, the answers of people who went wrong in a
known way. Where a learner's function agrees with one of them on every input, that is the mistake. Otherwise the first
input that went wrong is shown, with what came out and what should have.

An `OpenExercise` has many right answers, and asks what is wrong with the one that it got.

What it leaves out: speed and style. A slow or long answer that is right passes.
"""

import contextlib
import copy
import html
import inspect
import io
import itertools
import linecache
import math
import operator
import re
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from helpers.tinytown import START

MOST_LINES = 100_000  # lines of the learner's code for one input; who needs more has made an endless loop
MOST_SHOWN = 96  # characters of a value in a sentence
MOST_WHOLE = 60  # characters; of a longer dict or table only the first entry that differs is shown

SLACK = 1e-9  # how far a float may be off

MARKS = {"right": ("✓", "#008A61"), "wrong": ("✗", "#D55E00"), "unfinished": ("○", "#767676")}


class Verdict:
    """What a check found: `state` is "right", "wrong" or "unfinished", `sentence` says it in words.

    >>> Verdict("right", "roll works.")
    ✓ roll works.
    """

    def __init__(self, state: str, sentence: str):
        self.state, self.sentence = state, sentence

    @property
    def passed(self) -> bool:
        """Whether the answer is right."""
        return self.state == "right"

    def __repr__(self) -> str:
        return f"{MARKS[self.state][0]} {self.sentence}"

    def _repr_html_(self) -> str:
        mark, colour = MARKS[self.state]
        text = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(self.sentence, quote=False))
        # No text colour and no background: the page's own are right in the light and in the dark theme.
        return (
            f'<div class="uth-verdict uth-{self.state}" style="border-left: 5px solid {colour}; '
            f'padding: 4px 10px; max-width: 72em; overflow-wrap: anywhere"><b>{mark}</b> {text}</div>'
        )


@dataclass(frozen=True)
class Case:
    """One input: a function that makes its arguments afresh, and what it is about, said where it goes wrong."""

    make: Callable[[], tuple]
    about: str = ""
    shown: str = ""  # how the call is written, where the arguments' own repr would say too little


@dataclass(frozen=True)
class Mistake:
    """A known way to go wrong: what to say, and a function that goes wrong in just that way."""

    sentence: str
    answer: Callable[..., Any]


@dataclass(frozen=True)
class Outcome:
    """What came out for one input. `kind` is "gave", "nothing", "odd", "raised" or "endless"."""

    kind: str
    value: Any = None  # in a form that can be compared; the sentence, if it is odd; the error, if it raised
    seen: Any = None  # what the arguments noted down, where they note
    shown: str = ""  # the value as the learner's function gave it
    printed: str = ""
    changed: str = ""  # the argument that was changed in place

    def same(self, other: "Outcome", slack: float = SLACK) -> bool:
        """Whether two functions did the same: both gave equal answers, or both raised the same kind of error."""
        if self.kind == other.kind == "raised":
            return type(self.value) is type(other.value)
        return self.kind == other.kind and close(self.value, other.value, slack) and self.seen == other.seen


class Unreadable(Exception):
    """The answer is of another kind than was asked for; the message is the rest of "... must return"."""


class Endless(BaseException):
    """The learner's code runs on and on. Not an Exception, so that their own `except Exception` lets it through."""


def plain(value: object) -> object:
    """A value without what would only make it long to read: a Counter as a dict, an array as a list, four digits.

    >>> from collections import Counter
    >>> plain(Counter("aab")), plain([1 / 3])
    ({'a': 2, 'b': 1}, [0.3333])
    """
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if hasattr(value, "tolist") and not isinstance(value, str):  # NumPy's and torch's
        value = value.tolist()
    if type(value) in (list, tuple):
        return type(value)([round(one, 4) if type(one) is float else plain(one) for one in value])
    return round(float(value), 4) if isinstance(value, float) else value


def show(value: object) -> str:
    """A value as a sentence shows it: its repr on one line, the middle cut out if it is long.

    >>> show(list(range(100)))
    '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, … 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99]'
    """
    try:
        text = " ".join(repr(plain(value)).split())
    except Exception:  # the learner's own class may have a broken repr
        text = article(value)
    half = (MOST_SHOWN - 2) // 2
    return text if len(text) <= MOST_SHOWN else f"{text[:half].rstrip()} … {text[-half:].lstrip()}"


def close(one: Any, other: Any, slack: float = SLACK) -> bool:
    """Whether two answers are equal, with some slack for floats, also inside dicts and lists; nan equals nan.

    >>> close({"a": [0.1 + 0.2]}, {"a": [0.3]}), close({"a": 1}, {"b": 1})
    (True, False)
    """
    if isinstance(one, float) and isinstance(other, float):
        near = math.isclose(one, other, rel_tol=max(slack, 1e-6), abs_tol=slack)
        return near or (math.isnan(one) and math.isnan(other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key], slack) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(close, one, other, itertools.repeat(slack)))
    return type(one) is type(other) and one == other


# ---------------------------------------------------------------------------------------------
# Reading answers: every right answer, whatever it is made of, becomes one and the same thing
# ---------------------------------------------------------------------------------------------


def article(value: object) -> str:
    """What kind of thing a value is, in words: "a list", "an int".

    >>> article([]), article(3)
    ('a list', 'an int')
    """
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def read_text(answer: object) -> str:
    """A text; raises Unreadable for anything else."""
    if isinstance(answer, bytes | bytearray):
        raise Unreadable("a text, and these are bytes: `.decode('utf-8', errors='replace')` is the last step")
    if not isinstance(answer, str):
        raise Unreadable(f"a text, and this is {article(answer)}")
    return str(answer)


def whole(number: object) -> int:
    """A whole number of any make, NumPy's too; raises Unreadable for anything else."""
    try:
        return operator.index(number)
    except TypeError:
        if isinstance(number, float) and number.is_integer():
            return int(number)
        raise Unreadable(f"whole numbers, and `{show(number)}` is {article(number)}") from None


def items(answer: object, what: str) -> list:
    """What a list, a tuple, an array or a generator holds; raises Unreadable for a text or no series at all."""
    if isinstance(answer, str):
        raise Unreadable(f"a list of {what}, and this is a text; leave the joining to whoever prints it")
    single = (
        getattr(answer, "ndim", 1) == 0
    )  # a NumPy or torch number says that it can be gone through, and can't
    if single or isinstance(answer, Mapping) or not isinstance(answer, Iterable):
        raise Unreadable(f"a list of {what}, and this is {article(answer)}")
    return list(answer)


def read_ids(answer: object) -> list[int]:
    """Ids from a list, a tuple, an array or a generator.

    >>> read_ids(iter((1, 2.0)))
    [1, 2]
    """
    return [whole(one) for one in items(answer, "ids")]


def read_words(answer: object) -> list[str]:
    """Words from a list, a tuple or a generator."""
    return [read_text(word) for word in items(answer, "words")]


def read_counts(answer: object) -> dict[tuple, int]:
    """Counts of pairs; a count of 0 is the same as none."""
    if not isinstance(answer, Mapping):
        raise Unreadable(f"a dict from pairs to counts, and this is {article(answer)}")
    counts = {}
    for pair, count in answer.items():
        key = tuple(map(whole, pair)) if isinstance(pair, tuple) else pair
        if whole(count):
            counts[key] = whole(count)
    return counts


def read_odds(answer: object) -> dict[str, dict[str, float]]:
    """For each word the odds of what follows; odds of 0 are the same as none, and so is a word without odds.

    An entry for what stands before the first word is more than was asked for, and not wrong.
    """
    if not isinstance(answer, Mapping):
        raise Unreadable(f"a dict from words to dicts, and this is {article(answer)}")
    odds = {}
    for word, die in answer.items():
        if not isinstance(die, Mapping):
            raise Unreadable(f"a dict for each word, and under `{show(word)}` is {article(die)}")
        try:
            die = {face: float(share) for face, share in die.items() if share}
        except (TypeError, ValueError):
            raise Unreadable(f"numbers as odds, and under `{show(word)}` is `{show(die)}`") from None
        if die and word != START:
            odds[word] = die
    return odds


def floats(answer: object) -> Any:
    """Numbers of any make as floats, in lists inside lists just as the answer nests them.

    >>> floats((1, range(2)))
    [1.0, [0.0, 1.0]]
    """
    if hasattr(answer, "tolist"):  # NumPy's and torch's
        answer = answer.tolist()
    if isinstance(answer, str | bytes | Mapping):
        raise Unreadable(f"numbers, and `{show(answer)}` is {article(answer)}")
    if isinstance(answer, set | frozenset):
        raise Unreadable("numbers in their order, and a set has none")
    if isinstance(answer, Iterable):
        answer = list(answer)
        # Most rows are Python's own floats, and large tables have many of them.
        return answer if set(map(type, answer)) == {float} else [floats(one) for one in answer]
    try:
        return float(answer)
    except (TypeError, ValueError, OverflowError):
        raise Unreadable(f"numbers, and `{show(answer)}` is {article(answer)}") from None


def size(value: Any) -> str:
    """How much a number, a row or a table of floats holds, in words.

    >>> size([[1.0, 2.0]]), size([1.0]), size(1.0)
    ('a table of 1 × 2 numbers', 'a row of 1 number', 'one number')
    """
    if not isinstance(value, list):
        return "one number"
    if not any(isinstance(row, list) for row in value):
        return f"a row of {len(value)} number{'s' * (len(value) != 1)}"
    lengths = {len(row) if isinstance(row, list) else 0 for row in value}
    if len(lengths) > 1:
        return "a table with rows of different lengths"
    if any(isinstance(one, list) for row in value for one in row):
        return "a list of tables"
    return f"a table of {len(value)} × {lengths.pop()} numbers"


def read_number(answer: object) -> float:
    """One number; a list or an array that holds nothing else is as good."""
    value = floats(answer)
    while isinstance(value, list) and len(value) == 1:
        (value,) = value
    if isinstance(value, list):
        raise Unreadable(f"one number, and this is {size(value)}")
    return value


def read_row(answer: object) -> list[float]:
    """A row of numbers from a list, a tuple, an array or a generator."""
    value = floats(answer)
    if not isinstance(value, list) or any(isinstance(one, list) for one in value):
        raise Unreadable(f"a row of numbers, and this is {size(value)}")
    return value


def read_table(answer: object) -> list[list[float]]:
    """A table of numbers: rows of one length, whatever they are made of."""
    value = floats(answer)
    if not size(value).startswith("a table of"):
        raise Unreadable(f"a table of numbers, and this is {size(value)}")
    return value


def as_it_is(answer: object) -> object:
    """The answer itself; a text is a text, NumPy's too."""
    return str(answer) if isinstance(answer, str) else answer


# ---------------------------------------------------------------------------------------------
# Running a learner's function
# ---------------------------------------------------------------------------------------------

_OURS = str(Path(__file__).parent.parent)
_LIBRARIES = (
    *{sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    _OURS,
    "<frozen",
    "<@beartype",  # the type checks around our functions, in the tests
)


def _is_library(filename: str) -> bool:
    return filename.startswith(_LIBRARIES)


@contextlib.contextmanager
def limited(lines: int = MOST_LINES) -> Iterator[None]:
    """Raises Endless inside after so many lines of code that is not a library's: the end of endless loops."""
    left = itertools.repeat(True, lines)
    # Lambdas, because the tests wrap every function of ours in type checks, and this one runs at every line.
    count = lambda frame, event, argument: count if event != "line" or next(left, False) else _stop()  # noqa: E731
    before = sys.gettrace()  # a debugger's, or that of a test's coverage
    sys.settrace(lambda frame, *rest: None if _is_library(frame.f_code.co_filename) else count)
    try:
        yield
    finally:
        sys.settrace(before)


def _stop() -> None:
    raise Endless


# What a function compiles to that has a docstring and no more; `...` and `pass` leave no trace in it.
_EMPTY = [compile(f"def f():\n {body}", "", "exec").co_consts[0].co_code for body in ("'empty'", "...")]


def _is_stub(function: Callable) -> bool:
    """Whether a function that returns nothing is empty: a docstring, `...` or `pass`, and no more."""
    code = getattr(function, "__code__", None)
    return code is not None and code.co_code in _EMPTY


def _line_of(error: BaseException) -> str:
    """The learner's own line in which an error was raised, where it can be had."""
    found, trace = "", error.__traceback__
    while trace:
        code = trace.tb_frame.f_code
        if not _is_library(code.co_filename):
            found = linecache.getline(code.co_filename, trace.tb_lineno).strip() or found
        trace = trace.tb_next
    return found


class Exercise:
    """An exercise of a notebook: its right answer, its inputs, and the known ways to go wrong.

    Called with a learner's function it gives a `Verdict`. It never raises, and prints only what the learner's
    function printed for the input that the sentence is about.
    """

    def __init__(
        self,
        name: str,
        *,
        notebook: str,
        number: int,
        minutes: int,
        difficulty: str,
        parameters: tuple[str, ...],
        right: Callable[..., Any],
        praise: str,
        cases: list[Case],
        mistakes: list[Mistake],
        read: Callable[[object], Any] = as_it_is,
        keeps: tuple[str, ...] = (),
        if_raised: Mapping[type[Exception], str] | None = None,
        if_endless: str = "does anything in the loop bring its end nearer?",
        notes: Callable[[tuple], Any] = lambda arguments: None,
        if_noted: str = "",
        slack: float = SLACK,
    ):
        self.name, self.notebook, self.number = name, notebook, number
        self.minutes, self.difficulty = minutes, difficulty
        self.parameters, self.right, self.praise = parameters, right, praise
        self.cases, self.mistakes, self.read, self.keeps = cases, mistakes, read, keeps
        self.if_raised, self.if_endless = if_raised or {}, if_endless
        self.notes, self.if_noted, self.slack = notes, if_noted, slack

    def __repr__(self) -> str:
        return (
            f"<Exercise {self.number} of notebook {self.notebook}: {self.name}({', '.join(self.parameters)})>"
        )

    def __call__(self, answer: object = None) -> Verdict:
        """The verdict on `answer`, the learner's function."""
        problem = self._not_a_function(answer)
        if problem:
            return Verdict("wrong", problem)
        outcomes = []
        for case in self.cases:
            outcomes.append(self._run(answer, case))
            if outcomes[-1].kind == "endless":
                return self._wrong(
                    outcomes[-1],
                    f"`{self._call(case)}` doesn't stop: after {MOST_LINES:,} lines of code it was still running; "
                    + self.if_endless,
                )
        return self._judge(answer, outcomes)

    def _not_a_function(self, answer: object) -> str:
        if not callable(answer):
            return (
                f"The check needs the function itself: write `checks.{self.name}({self.name})`, "
                f"with no brackets after the second {self.name}."
            )
        try:
            signature = inspect.signature(answer)
        except (TypeError, ValueError):  # some built-in functions keep theirs to themselves
            return ""
        try:
            signature.bind(*self.parameters)
        except TypeError:
            wanted = f"{self.name}({', '.join(self.parameters)})"
            return f"The check calls `{wanted}`, and yours is `{self.name}{signature}`: leave the first line as it was."
        return ""

    def _unfinished(self) -> Verdict:
        return Verdict(
            "unfinished",
            f"Not yet: {self.name} is still empty. Write your lines in place of the `...`, and run the cell again.",
        )

    def _run(self, function: Callable, case: Case) -> Outcome:
        """What `function` does with the arguments of `case`, made afresh."""
        arguments = case.make()
        before = copy.deepcopy(
            {name: value for name, value in self._named(arguments).items() if name in self.keeps}
        )
        printed = io.StringIO()
        kind, value, shown = "gave", None, ""
        try:
            with contextlib.redirect_stdout(printed), limited():
                answer = function(*arguments)
                kind = "nothing" if answer is None or answer is ... else "gave"
                if inspect.isgenerator(answer) or isinstance(answer, map | filter | zip):
                    answer = list(answer)
                shown = show(answer)
                value = None if kind == "nothing" else self.read(answer)
        except Endless:
            kind = "endless"
        except Unreadable as unreadable:
            kind, value = "odd", str(unreadable)
        except (Exception, SystemExit) as error:
            kind, value = "raised", error
        after = self._named(arguments)
        changed = next((name for name in before if not _equal(before[name], after[name])), "")
        return Outcome(kind, value, self.notes(arguments), shown, printed.getvalue()[:2000], changed)

    def _named(self, arguments: tuple) -> dict[str, Any]:
        return dict(zip(self.parameters, arguments, strict=True))

    def _call(self, case: Case) -> str:
        return case.shown or f"{self.name}({', '.join(map(_argument, case.make()))})"

    def _judge(self, answer: Callable, outcomes: list[Outcome]) -> Verdict:
        expected = [self._run(self.right, case) for case in self.cases]
        wrong = [
            place
            for place, (one, other) in enumerate(zip(outcomes, expected, strict=True))
            if not one.same(other, self.slack)
        ]
        changed = [place for place, outcome in enumerate(outcomes) if outcome.changed]
        first = (wrong or changed or [0])[0]
        outcome, case = outcomes[first], self.cases[first]
        if absent := self._absent(answer, outcomes, outcome):
            return absent
        # A second time, for what outlives a call: dice of their own, or a mutable default such as counts={}.
        for place, again in enumerate(self._run(answer, case) for case in self.cases):
            if not again.same(outcomes[place], self.slack):
                return self._wrong(
                    again,
                    f"The same call gave two answers: `{self._call(self.cases[place])}` gave "
                    f"{self._came(outcomes[place])}, and later {self._came(again)}. Does your function roll dice of "
                    "its own, or keep something from one call to the next?",
                )
        if wrong:
            return self._wrong(outcome, self._explain(outcomes, case, outcome, expected[first]))
        if changed:
            return self._wrong(
                outcome,
                f"The answers are right, but `{self._call(case)}` changed `{outcome.changed}`, which belongs to the "
                "caller: work on a copy, or build something new.",
            )
        return Verdict("right", self.praise)

    def _absent(self, answer: Callable, outcomes: list[Outcome], shown: Outcome) -> Verdict | None:
        """The verdict on a function that is still empty, or never returns anything; None for any other."""
        if all(one.kind == "raised" and isinstance(one.value, NotImplementedError) for one in outcomes):
            return self._unfinished()
        if all(one.kind == "nothing" for one in outcomes):
            if _is_stub(answer):
                return self._unfinished()
            return self._wrong(shown, self._returns_nothing(any(one.printed for one in outcomes)))
        return None

    def _wrong(self, outcome: Outcome, sentence: str) -> Verdict:
        if outcome.printed:
            print(outcome.printed, end="" if outcome.printed.endswith("\n") else "\n")
        return Verdict("wrong", sentence)

    def _returns_nothing(self, printed: bool) -> str:
        if printed:
            return f"{self.name} prints its answer and returns nothing: write `return` where it says `print`."
        return f"{self.name} returns nothing, whatever it is given: does it end with `return`?"

    def _came(self, outcome: Outcome) -> str:
        if outcome.kind == "raised":
            return article(outcome.value)
        return "nothing" if outcome.kind == "nothing" else f"`{outcome.shown}`"

    def _explain(self, outcomes: list[Outcome], case: Case, outcome: Outcome, expected: Outcome) -> str:
        """What went wrong: a known mistake, or what the first input that went wrong is about."""
        call = self._call(case)
        result = ""
        if outcome.kind in ("gave", "nothing", "odd"):
            result = f"`{call}` gave {self._came(outcome)}, and it should be `{expected.shown}`."
        if max(len(outcome.shown), len(expected.shown)) > MOST_WHOLE and (
            difference := outcome.kind == "gave" and _difference(outcome.value, expected.value, self.slack)
        ):
            result = f"`{call}` gave {difference}."
        same_result = close(outcome.value, expected.value, self.slack) and outcome.kind == expected.kind
        if same_result:
            result = f"You can see it in `{call}`."
        for mistake in self.mistakes:
            if all(
                one.same(self._run(mistake.answer, each), self.slack)
                for one, each in zip(outcomes, self.cases, strict=True)
            ):
                return f"{mistake.sentence} {result}".strip()
        if outcome.kind == "raised":
            return self._raised(outcome.value, case)
        if outcome.kind == "odd":
            return f"{self.name} must return {outcome.value}: {result}"
        if same_result:
            return f"{self.if_noted} {result}".strip()
        return f"{case.about} {result}".strip()

    def _raised(self, error: BaseException, case: Case) -> str:
        """An error of the learner's function in a sentence, with their own line and what may help."""
        told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        line = _line_of(error)
        where = f", in your line `{line}`" if line else ""
        tip = next((tip for kind, tip in self.if_raised.items() if isinstance(error, kind)), case.about)
        return f"`{self._call(case)}` raised `{' '.join(told.split())[:200]}`{where}. {tip}".strip()


class OpenExercise(Exercise):
    """An exercise with many right answers. It has one input, and no answer to compare with.

    `judge` says what is wrong with an answer, in a sentence, or "" if nothing is; `tell` says something about a
    right one. `right` is one of the right answers, for the tests.
    """

    def __init__(
        self, name: str, *, judge: Callable[[Any], str], tell: Callable[[Any], str], **settings: Any
    ):
        super().__init__(name, cases=[Case(lambda: ())], mistakes=[], **settings)
        self.judge, self.tell = judge, tell

    def _judge(self, answer: Callable, outcomes: list[Outcome]) -> Verdict:
        (outcome,) = outcomes
        if absent := self._absent(answer, outcomes, outcome):
            return absent
        if outcome.kind == "raised":
            return self._wrong(outcome, self._raised(outcome.value, self.cases[0]))
        if outcome.kind == "odd":
            return self._wrong(outcome, f"{self.name} must return {outcome.value}.")
        if problem := self.judge(outcome.value):
            return self._wrong(outcome, problem)
        return Verdict("right", f"{self.praise} {self.tell(outcome.value)}")


def _argument(argument: object) -> str:
    """An argument as a call would write it."""
    shown = show(argument)
    return f"np.array({shown})" if isinstance(argument, np.ndarray) else shown


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """What a dict, a row or a table holds, with the words that say where; nothing for anything else."""
    if isinstance(value, dict):
        yield from ((f"for `{show(key)}`", one) for key, one in value.items())
    elif isinstance(value, list) and all(isinstance(one, float) for one in value):
        yield from ((f"in place {place} (from 0)", one) for place, one in enumerate(value))
    elif isinstance(value, list) and all(isinstance(row, list) for row in value):
        for row, numbers in enumerate(value):
            yield from (
                (f"in row {row}, column {column} (both from 0)", one) for column, one in enumerate(numbers)
            )


def _difference(given: Any, expected: Any, slack: float) -> str:
    """The first entry in which two dicts, rows or tables differ, in words; "" for anything else."""
    entries, wanted = dict(_entries(given)), dict(_entries(expected))
    if isinstance(given, list) and entries and wanted and size(given) != size(expected):
        return f"{size(given)}, and it should be {size(expected)}"
    for place in [*wanted, *entries]:
        if not close(entries.get(place), wanted.get(place), slack):
            told = [f"`{show(one[place])}`" if place in one else "nothing" for one in (entries, wanted)]
            return f"{told[0]} {place}, and it should be {told[1]}"
    return ""


def _equal(one: object, other: object) -> bool:
    try:
        same = one == other
        return bool(same.all() if isinstance(same, np.ndarray) else same)
    except Exception:  # what the learner put in can't be compared: then it was changed
        return False


def cases(*rows: tuple) -> list[Case]:
    """Cases from rows of arguments; a text at the end of a row, after a None, is what it is about."""
    made = []
    for row in rows:
        about = ""
        if len(row) > 2 and row[-2] is None:
            *row, _, about = row
        made.append(Case(lambda row=tuple(row): copy.deepcopy(row), about))
    return made
