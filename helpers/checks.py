"""The exercises' checks: one sentence that says what is right, or what probably went wrong.

``checks.roll(roll)`` runs the learner's function on a row of small inputs, from the plainest to the corner cases,
and gives a `Verdict`, which a notebook shows as one line. An answer is compared by what it is, so that a tuple, a
generator, a Counter or a NumPy number passes where a list, a dict or an int was expected.

How a mistake gets its name: each exercise holds, next to its right answer, the answers of people who went wrong in a
known way. Where a learner's function agrees with one of them on every input, that is the mistake. Otherwise the first
input that went wrong is shown, with what came out and what should have.

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
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from helpers import tokenization
from helpers.tinytown import END, START, stories

MOST_LINES = 100_000  # lines of the learner's code for one input; who needs more has made an endless loop
MOST_SHOWN = 96  # characters of a value in a sentence
MOST_DICT = 60  # characters; of a longer dict only the first entry that differs is shown

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

    def same(self, other: "Outcome") -> bool:
        """Whether two functions did the same: both gave equal answers, or both raised the same kind of error."""
        if self.kind == other.kind == "raised":
            return type(self.value) is type(other.value)
        return self.kind == other.kind and close(self.value, other.value) and self.seen == other.seen


class Unreadable(Exception):
    """The answer is of another kind than was asked for; the message is the rest of "... must return"."""


class Endless(BaseException):
    """The learner's code runs on and on. Not an Exception, so that their own `except Exception` lets it through."""


def plain(value: object) -> object:
    """A value without what would only make it long to read: a Counter as a dict, floats with four digits.

    >>> plain(Counter("aab")), plain([1 / 3])
    ({'a': 2, 'b': 1}, [0.3333])
    """
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
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


def close(one: Any, other: Any) -> bool:
    """Whether two answers are equal, with some slack for floats, also inside dicts and lists.

    >>> close({"a": [0.1 + 0.2]}, {"a": [0.3]}), close({"a": 1}, {"b": 1})
    (True, False)
    """
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(close, one, other))
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
    if isinstance(answer, Mapping) or not isinstance(answer, Iterable):
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


def as_it_is(answer: object) -> object:
    """The answer itself; a text is a text, NumPy's too."""
    return str(answer) if isinstance(answer, str) else answer


# ---------------------------------------------------------------------------------------------
# Running a learner's function
# ---------------------------------------------------------------------------------------------

_LIBRARIES = tuple({sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def _is_library(filename: str) -> bool:
    return filename.startswith((*_LIBRARIES, "<frozen")) or filename == __file__


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
    ):
        self.name, self.notebook, self.number = name, notebook, number
        self.minutes, self.difficulty = minutes, difficulty
        self.parameters, self.right, self.praise = parameters, right, praise
        self.cases, self.mistakes, self.read, self.keeps = cases, mistakes, read, keeps
        self.if_raised, self.if_endless = if_raised or {}, if_endless
        self.notes, self.if_noted = notes, if_noted

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
        return case.shown or f"{self.name}({', '.join(show(argument) for argument in case.make())})"

    def _judge(self, answer: Callable, outcomes: list[Outcome]) -> Verdict:
        expected = [self._run(self.right, case) for case in self.cases]
        wrong = [
            place
            for place, (one, other) in enumerate(zip(outcomes, expected, strict=True))
            if not one.same(other)
        ]
        changed = [place for place, outcome in enumerate(outcomes) if outcome.changed]
        first = (wrong or changed or [0])[0]
        outcome, case = outcomes[first], self.cases[first]
        if all(one.kind == "raised" and isinstance(one.value, NotImplementedError) for one in outcomes):
            return self._unfinished()
        if all(one.kind == "nothing" for one in outcomes):
            if _is_stub(answer):
                return self._unfinished()
            return self._wrong(outcome, self._returns_nothing(any(one.printed for one in outcomes)))
        # A second time, for what outlives a call: dice of their own, or a mutable default such as counts={}.
        for place, again in enumerate(self._run(answer, case) for case in self.cases):
            if not again.same(outcomes[place]):
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
        if isinstance(outcome.value, dict) and max(len(outcome.shown), len(expected.shown)) > MOST_DICT:
            result = f"`{call}` gave {_difference(outcome.value, expected.value)}."
        same_result = close(outcome.value, expected.value) and outcome.kind == expected.kind
        if same_result:
            result = f"You can see it in `{call}`."
        for mistake in self.mistakes:
            if all(
                one.same(self._run(mistake.answer, each))
                for one, each in zip(outcomes, self.cases, strict=True)
            ):
                return f"{mistake.sentence} {result}".strip()
        if outcome.kind == "raised":
            error = outcome.value
            told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            line = _line_of(error)
            where = f", in your line `{line}`" if line else ""
            tip = next((tip for kind, tip in self.if_raised.items() if isinstance(error, kind)), case.about)
            sentence = f"`{call}` raised `{' '.join(told.split())[:200]}`{where}."
            return f"{sentence} {tip}".strip()
        if outcome.kind == "odd":
            return f"{self.name} must return {outcome.value}: {result}"
        if same_result:
            return f"{self.if_noted} {result}".strip()
        return f"{case.about} {result}".strip()


def _difference(given: dict, expected: dict) -> str:
    """The first entry in which two dicts differ, in words."""
    key = next(key for key in [*expected, *given] if not close(given.get(key), expected.get(key)))
    told = [f"`{show(one[key])}`" if key in one else "nothing" for one in (given, expected)]
    return f"{told[0]} for `{show(key)}`, and it should be {told[1]}"


def _equal(one: object, other: object) -> bool:
    try:
        return bool(one == other)
    except Exception:  # what the learner put in can't be compared: then it was changed
        return False


EXERCISES: dict[str, Exercise] = {}
"""Every exercise of the course, by the name of the function that the learner writes."""


def _exercise(name: str, **settings: Any) -> Exercise:
    EXERCISES[name] = Exercise(name, **settings)
    return EXERCISES[name]


def _cases(*rows: tuple) -> list[Case]:
    """Cases from rows of arguments; a text at the end of a row, after a None, is what it is about."""
    made = []
    for row in rows:
        about = ""
        if len(row) > 2 and row[-2] is None:
            *row, _, about = row
        made.append(Case(lambda row=tuple(row): copy.deepcopy(row), about))
    return made


# ---------------------------------------------------------------------------------------------
# 00 · Exercise 1: roll
# ---------------------------------------------------------------------------------------------


def _roll(odds, number):
    total = 0
    for face, probability in odds.items():
        total += probability
        if number < total:
            return face


def _roll_uncounted(odds, number):
    return next((face for face, probability in odds.items() if number < probability), None)


def _roll_too_late(odds, number):
    total = 0
    for face, probability in odds.items():
        if number < total:
            return face
        total += probability


def _roll_edge(odds, number):
    total = 0
    for face, probability in odds.items():
        total += probability
        if number <= total:
            return face


def _roll_upside_down(odds, number):
    total = 0
    for face, probability in odds.items():
        total += probability
        if number > total:
            return face


def _roll_too_early(odds, number):
    total, last = 0, None
    for face, probability in odds.items():
        total += probability
        if number < total:
            return last
        last = face


_BLUE = {"sky": 0.5, "flower": 0.25, "boat": 0.125, "banana": 0.125}
_EDGE = (
    "A number on the edge belongs to the next face: sky has the numbers from 0 up to 0.5, without 0.5 itself."
)

roll = _exercise(
    "roll",
    notebook="00",
    number=1,
    minutes=5,
    difficulty="easy",
    parameters=("odds", "number"),
    right=_roll,
    praise="Right: every face comes up for its own share of the numbers from 0 to 1. That is a weighted die.",
    cases=_cases(
        (_BLUE, 0.1),
        (_BLUE, 0.6),
        (_BLUE, 0.8),
        (_BLUE, 0.9),
        (_BLUE, 0.0),
        (_BLUE, 0.5, None, _EDGE),
        (_BLUE, 0.875, None, _EDGE),
        ({"banana": 0.125, "sky": 0.5, "flower": 0.375}, 0.1, None, "The faces come in the order of the dictionary."),
        ({"banana": 0.125, "sky": 0.5, "flower": 0.375}, 0.5),
        ({"banana": 0.125, "sky": 0.5, "flower": 0.375}, 0.7),
        ({"never": 0.0, "sky": 1.0}, 0.0, None, "A face with probability 0 must never come up, whatever the number."),
        ({"sky": 1.0}, 0.999),
    ),
    mistakes=[
        Mistake("You return the most likely face whatever the number says.", lambda odds, _: max(odds, key=odds.get)),
        Mistake("You return the first face whatever the number says.", lambda odds, _: next(iter(odds))),
        Mistake(
            "You give every face the same share of the numbers, but these dice are weighted.",
            lambda odds, number: list(odds)[int(number * len(odds))],
        ),
        Mistake(
            "You compare the number with the probability of one face; compare it with the sum of all up to that face.",
            _roll_uncounted,
        ),
        Mistake("You compare first and add afterwards, so you are always one face late.", _roll_too_late),
        Mistake(_EDGE + " Is there a `<=` that should be `<`?", _roll_edge),
        Mistake("You stop where the number is larger than the sum; it is the other way round.", _roll_upside_down),
        Mistake("You found the right place, but return the face before it.", _roll_too_early),
        Mistake(
            "You return the probability of the face; the face itself is asked for.",
            lambda odds, number: odds[_roll(odds, number)],
        ),
        Mistake(
            "You return the number of the face in the list; the face itself is asked for.",
            lambda odds, number: list(odds).index(_roll(odds, number)),
        ),
        Mistake(
            "You take the face whose probability is nearest to the number; the number says where on the line you are.",
            lambda odds, number: min(odds, key=lambda face: abs(odds[face] - number)),
        ),
        Mistake(
            "You go through the faces from the last to the first.",
            lambda odds, number: _roll(dict(reversed(odds.items())), number),
        ),
        Mistake(
            "You sort the faces first; take them in the order of the dictionary.",
            lambda odds, number: _roll(dict(sorted(odds.items(), key=lambda item: -item[1])), number),
        ),
    ],
    if_raised={
        TypeError: "`odds` is a dict: `odds.items()` gives each face with its probability.",
        KeyError: "`odds` is a dict with the faces as keys.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# 00 · Exercise 2: bigram_odds
# ---------------------------------------------------------------------------------------------


def _follower_counts(stories, end=(END,)):
    counts = defaultdict(Counter)
    for words in stories:
        for word, following in pairwise([*words, *end]):
            counts[word][following] += 1
    return counts


def _shares(counts):
    return {word: {face: count / die.total() for face, count in die.items()} for word, die in counts.items()}


def _bigram_odds(stories):
    return _shares(_follower_counts(stories))


def _odds_of_all_pairs(stories):
    counts = _follower_counts(stories)
    total = sum(die.total() for die in counts.values())
    return {word: {face: count / total for face, count in die.items()} for word, die in counts.items()}


def _odds_backwards(stories):
    return _shares(_follower_counts([END, *reversed(words)] for words in stories))


def _odds_before(stories):
    counts = defaultdict(Counter)
    for words in stories:
        for word, following in pairwise([*words, END]):
            counts[following][word] += 1
    return _shares(counts)


_TOY = [["red", "fox"], ["red", "fox"], ["red", "hen"], ["a", "red", "fox"]]

bigram_odds = _exercise(
    "bigram_odds",
    notebook="00",
    number=2,
    minutes=10,
    difficulty="medium",
    parameters=("stories",),
    right=_bigram_odds,
    praise="Right: one die for every word, made of nothing but counts. You have written a language model.",
    read=read_odds,
    keeps=("stories",),
    cases=[
        *_cases(
            (_TOY,),
            ([["hello"]],),
            ([["no", "no", "no"]],),
            ([["a", "b"], ["b", "a", "b"]],),
        ),
        Case(lambda: ([],), "No stories, no dice: the answer is an empty dict."),
        Case(
            lambda: (stories("train", 5),),
            "The stories of Tinytown are tuples of words: `[*words, '<end>']` works for tuples and lists.",
            "bigram_odds(tinytown.stories('train', 5))",
        ),
    ],
    mistakes=[
        Mistake("These are counts; divide each by the sum of its own dict.", _follower_counts),
        Mistake(
            "The end is missing: after the last word of each story comes `'<end>'`, and it has odds as well.",
            lambda stories: _shares(_follower_counts(stories, end=())),
        ),
        Mistake(
            "You go from the last word of one story to the first of the next; count each story by itself.",
            lambda stories: _shares(_follower_counts([[word for words in stories for word in words]])),
        ),
        Mistake(
            "You go from the last word of one story to the first of the next; count each story by itself.",
            lambda stories: _shares(_follower_counts([[word for words in stories for word in [*words, END]]], ())),
        ),
        Mistake("You divide by the number of all pairs; divide by how often this word occurs.", _odds_of_all_pairs),
        Mistake(
            "Every follower gets the same odds; count how often each one comes.",
            lambda stories: _shares({word: Counter(set(die)) for word, die in _follower_counts(stories).items()}),
        ),
        Mistake("You count what stands before each word; what comes after it is asked for.", _odds_before),
        Mistake(
            "These are percent; odds are shares that add up to 1.",
            lambda stories: {
                word: {face: 100 * share for face, share in die.items()} for word, die in _bigram_odds(stories).items()
            },
        ),
        Mistake(
            "Only the last follower of each word is left: a second one must be added to the first, not replace it.",
            lambda stories: {word: {list(die)[-1]: 1.0} for word, die in _last_follower(stories).items()},
        ),
        Mistake(
            "Only the first story counts: is the `return` inside the loop?",
            lambda stories: _bigram_odds(stories[:1]),
        ),
    ],
    if_raised={
        KeyError: "A word that is met for the first time has no entry yet: `setdefault` or a `defaultdict` makes one.",
        TypeError: "The stories of Tinytown are tuples of words: `[*words, '<end>']` works for tuples and lists.",
    },
)  # fmt: skip


def _last_follower(stories):
    followers = {}
    for words in stories:
        for word, following in pairwise([*words, END]):
            followers[word] = {following: 1.0}
    return followers


# ---------------------------------------------------------------------------------------------
# 00 · Exercise 3: write
# ---------------------------------------------------------------------------------------------


class Script:
    """Loaded dice: whatever they are asked, they say these words in turn; they note what they were asked."""

    def __init__(self, *words: str):
        self.words, self.asked = words, []

    def __call__(self, words: object) -> str:
        self.asked.append(list(words) if isinstance(words, list | tuple) else words)
        if len(self.asked) > 40:
            raise Endless
        return self.words[(len(self.asked) - 1) % len(self.words)]

    def __repr__(self) -> str:
        return "next_word"


def _write(next_word, start, limit):
    words = list(start)
    while words[-1] != END and len(words) < limit:
        words.append(next_word(words))
    return words


def _write_with(ask=lambda words, start: words, keep=lambda words, start: words, more=0):
    """A `write` that goes wrong in one place: what it asks with, what it gives back, how long it may go on."""

    def answer(next_word, start, limit):
        words = list(start)
        while words[-1] != END and len(words) < limit + (more(start) if callable(more) else more):
            words.append(next_word(ask(words, start)))
        return keep(words, start)

    return answer


def _write_two_rolls(next_word, start, limit):
    words = list(start)
    while len(words) < limit and next_word(words) != END:
        words.append(next_word(words))
    return words


def _write_on_and_on(next_word, start, limit):
    words = list(start)
    while len(words) < limit:
        words.append(next_word(words))
    return words


def _write_no_end(next_word, start, limit):
    words = list(start)
    while len(words) < limit:
        word = next_word(words)
        if word == END:
            break
        words.append(word)
    return words


def _write_roll_first(next_word, start, limit):
    words = list(start)
    while True:
        words.append(next_word(words))
        if words[-1] == END or len(words) >= limit:
            return words


def _write_one(next_word, start, limit):
    return [*start, next_word(list(start))]


def _said(start: str, limit: int, words: tuple[str, ...], about: str = "") -> Case:
    told = ", ".join(words) if len(words) > 1 else f"{words[0]} each time"
    return Case(
        lambda: (Script(*words), start.split(), limit),
        about,
        f"write(next_word, {start.split()}, {limit})` with dice that say `{told}",
    )


write = _exercise(
    "write",
    notebook="00",
    number=3,
    minutes=10,
    difficulty="medium",
    parameters=("next_word", "start", "limit"),
    right=_write,
    praise="Right: ask, append, feed the longer text back, until the end or the limit. All chatbots write with this loop.",
    read=read_words,
    keeps=("start",),
    notes=lambda arguments: list(arguments[0].asked),
    if_noted="The words are right, but `next_word` must be asked once for each new word, with the list of all words so far.",
    cases=[
        _said("once", 9, ("there", "was", "a", "fox", END)),
        _said("the red fox", 9, ("slept", END)),
        _said("once", 5, ("very",), "`limit` is the number of words in all, those of `start` included."),
        _said("a very very", 5, ("very",), "`limit` is the number of words in all, those of `start` included."),
        _said("the very", 2, ("very",), "`start` has as many words as the limit allows: nothing may be added."),
        _said("the end <end>", 9, ("again",), "`start` ends with `<end>` already: nothing may be added."),
    ],
    mistakes=[
        Mistake("You ask with the last word alone; the model gets the whole text so far.",
                _write_with(ask=lambda words, start: words[-1:])),
        Mistake("You ask with the last word alone; the model gets the whole text so far.",
                _write_with(ask=lambda words, start: words[-1])),
        Mistake("You ask with `start` again and again: the new words are never fed back.",
                _write_with(ask=lambda words, start: start)),
        Mistake("You roll twice for one word: each call of `next_word` is a new roll, so keep what it says in a variable.",
                _write_two_rolls),
        Mistake("You go on after `<end>`: a story that has ended gets no more words.", _write_on_and_on),
        Mistake("`<end>` is missing: append it like any other word, and then stop.", _write_no_end),
        Mistake("`<end>` is missing: append it like any other word, and then stop.",
                _write_with(keep=lambda words, start: [word for word in words if word != END])),
        Mistake("The words of `start` are missing in what you return.",
                _write_with(keep=lambda words, start: words[len(start):])),
        Mistake("There is one word too many: is there a `<=` that should be `<`?", _write_with(more=1)),
        Mistake("You stop one word too early: `limit` words are allowed.", _write_with(more=-1)),
        Mistake("`limit` counts all words, those of `start` included; yours counts the new ones alone.",
                _write_with(more=len)),
        Mistake("You roll before you look: where `start` has ended, or is as long as the limit, no word may be added.",
                _write_roll_first),
        Mistake("You write one word and stop: where is the loop, or is `return` inside it?", _write_one),
    ],
    if_raised={
        IndexError: "Does your function look for a word where none is?",
        AttributeError: "`start` is a list of words; `list(start)` makes your own copy, which has `append`.",
    },
    if_endless="a story must stop at `<end>`, and at `limit` words where no end comes.",
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# 01 · Exercise 1: count_pairs
# ---------------------------------------------------------------------------------------------


def _count_pairs(ids):
    return tokenization.count_pairs([ids])


def _count_apart(ids):
    """As Python's str.count does: three equal ids hold their pair once."""
    counts, taken = Counter(), {}
    for place, pair in enumerate(pairwise(ids)):
        if taken.get(pair) != place - 1:
            counts[pair] += 1
            taken[pair] = place
    return counts


count_pairs = _exercise(
    "count_pairs",
    notebook="01",
    number=1,
    minutes=5,
    difficulty="easy",
    parameters=("ids",),
    right=_count_pairs,
    praise="Right: every place is looked at once, overlaps included. This is the first of the two moves of BPE.",
    read=read_counts,
    cases=_cases(
        ([1, 2, 3, 1, 2],),
        ([5, 5, 5],),
        ([1, 2, 2, 1],),
        (list(b"aaabdaaabac"),),
        ([5, 5, 5, 5],),
        ([7, 8],),
        *([(one, None, "A list that is too short for a pair holds none: the answer is an empty dict.")
           for one in ([7], [])]),
        (list(b"the red fox chased the red hen"),),
    ),
    mistakes=[
        Mistake("You miss the overlaps: in 5, 5, 5 the pair (5, 5) stands at two places.", _count_apart),
        Mistake("You step over two ids at a time; each id, but for the last, begins a pair.",
                lambda ids: Counter(zip(ids[::2], ids[1::2], strict=False))),
        Mistake("You join the last id to the first; a text is no ring. (Is there an `ids[i - 1]`? At `i = 0` that is the last.)",
                lambda ids: Counter(zip(ids, [*ids[1:], *ids[:1]], strict=True))),
        Mistake("You miss the last pair: the loop stops one place too early.", lambda ids: Counter(pairwise(ids[:-1]))),
        Mistake("You miss the first pair: the loop starts one place too late.", lambda ids: Counter(pairwise(ids[1:]))),
        Mistake("You count single ids; count pairs of neighbours.", lambda ids: dict(Counter(ids))),
        Mistake("(1, 2) and (2, 1) are different pairs: don't sort them.",
                lambda ids: Counter(tuple(sorted(pair)) for pair in pairwise(ids))),
        Mistake("Each pair is turned round: the left id comes first.",
                lambda ids: Counter(pair[::-1] for pair in pairwise(ids))),
        Mistake("Each pair counts 1, however often it occurs: add to what is there.",
                lambda ids: dict.fromkeys(pairwise(ids), 1)),
        Mistake("Each count is 1 too low: a pair that is met for the first time counts 1, not 0.",
                lambda ids: {pair: count - 1 for pair, count in Counter(pairwise(ids)).items()}),
        Mistake("Each count is 1 too high: a pair that is met for the first time counts 1.",
                lambda ids: {pair: count + 1 for pair, count in Counter(pairwise(ids)).items()}),
        Mistake("You skip one id inside each pair; the two must be neighbours.",
                lambda ids: Counter(zip(ids, ids[2:], strict=False))),
    ],
    if_raised={
        IndexError: "The last id has no right neighbour: stop one place earlier.",
        KeyError: "A pair that is met for the first time has no count yet: `counts.get(pair, 0)` gives 0 for it.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# 01 · Exercise 2: merge
# ---------------------------------------------------------------------------------------------


def _merge_with(skip=2, first_only=False, either=False, turned=False, both=False, stop=0):
    """A `merge` that goes wrong in one place."""

    def answer(ids, pair, new_id):
        left, right = reversed(pair) if turned else pair
        merged, place, done = [], 0, False
        while place < len(ids) - stop:
            here = tuple(ids[place : place + 2])
            hit = here == (left, right) or (either and here == (right, left))
            if hit and not (first_only and done):
                merged.append(new_id)
                if both:
                    merged.append(new_id)
                place, done = place + skip, True
            else:
                merged.append(ids[place])
                place += 1
        return merged

    return answer


def _merge_overlapping(ids, pair, new_id):
    merged, place = [], 0
    while place < len(ids):
        if tuple(ids[place : place + 2]) == pair:
            merged.append(new_id)
            # the right id may begin another pair
            place += 1 if tuple(ids[place + 1 : place + 3]) == pair else 2
        else:
            merged.append(ids[place])
            place += 1
    return merged


def _merge_lost_tail(ids, pair, new_id):
    merged, place = [], 0
    while place < len(ids) - 1:
        if (ids[place], ids[place + 1]) == pair:
            merged.append(new_id)
            place += 2
        else:
            merged.append(ids[place])
            place += 1
    return merged


def _merge_in_pairs(ids, pair, new_id):
    merged = []
    for place in range(0, len(ids), 2):
        here = ids[place : place + 2]
        merged += [new_id] if tuple(here) == pair else here
    return merged


def _merge_one_match(ids, pair, new_id):
    merged, place = [], 0
    while place < len(ids):
        hit = ids[place] == pair[0] and place + 1 < len(ids)
        merged.append(new_id if hit else ids[place])
        place += 2 if hit else 1
    return merged


merge = _exercise(
    "merge",
    notebook="01",
    number=2,
    minutes=10,
    difficulty="medium",
    parameters=("ids", "pair", "new_id"),
    right=tokenization.merge,
    praise="Right: the text gets shorter, and nothing is lost. With count_pairs you have both moves of BPE.",
    read=read_ids,
    keeps=("ids",),
    cases=_cases(
        ([1, 2, 3, 1, 2], (1, 2), 4),
        ([3, 1, 2, 3], (1, 2), 4),
        ([5, 5, 5], (5, 5), 6, None, "Go from left to right: the first two make a pair, and the third is left alone."),
        ([5, 5, 5, 5, 5], (5, 5), 6),
        ([1, 2, 1], (1, 2), 4, None, "An id at the very end has no neighbour, but it belongs to the text."),
        ([3, 1], (1, 2), 4, None, "An id at the very end has no neighbour, but it belongs to the text."),
        ([1, 1, 2], (1, 2), 4, None, "The first 1 is no pair with the second: look at each place afresh."),
        ([2, 1, 2, 1], (1, 2), 4, None, "(1, 2) is another pair than (2, 1)."),
        ([1, 3, 2], (1, 2), 4, None, "Where the pair doesn't occur, the list comes back as it was."),
        ([], (1, 2), 4, None, "An empty list stays empty."),
        ([1], (1, 2), 4),
        ([0, 0, 1, 0], (0, 0), 256, None, "0 is an id like any other; `if ids[i]` takes it for nothing."),
        ([int("300"), int("301")], (int("300"), int("301")), 302, None, "Compare numbers with `==`, not with `is`."),
        (list(b"aaabdaaabac"), (97, 97), 256),
    ),
    mistakes=[
        Mistake("You lose the last id where it is not part of a pair.", _merge_lost_tail),
        Mistake("You put the new id in and leave the right one standing: go on two places after a pair.",
                _merge_with(skip=1)),
        Mistake("You use one id for two pairs: of 5, 5, 5 only the first two make a pair.", _merge_overlapping),
        Mistake("Only the first place is replaced; the pair may occur more than once.", _merge_with(first_only=True)),
        Mistake("You look for the pair turned round: its left id comes first.", _merge_with(turned=True)),
        Mistake("You also replace the pair turned round: (2, 1) is not (1, 2).", _merge_with(either=True)),
        Mistake("The new id stands there twice: two ids become one.", _merge_with(both=True)),
        Mistake("You replace every id of the pair, wherever it stands; only the two side by side are a pair.",
                lambda ids, pair, new_id: [new_id if one in pair else one for one in ids]),
        Mistake("You go from right to left; at an overlap that leaves the other id over.",
                lambda ids, pair, new_id: tokenization.merge(ids[::-1], pair[::-1], new_id)[::-1]),
        Mistake("You look only at every second place; a pair can begin anywhere.", _merge_in_pairs),
        Mistake("You look at the left id alone; the right one must fit as well.", _merge_one_match),
        Mistake("The pair is taken out, but `new_id` never comes in.",
                lambda ids, pair, new_id: [one for one in tokenization.merge(ids, pair, -1) if one != -1]),
        Mistake("The list comes back as it was, pairs and all.", lambda ids, pair, new_id: list(ids)),
        Mistake("You skip three places after a pair; two is right.", _merge_with(skip=3)),
    ],
    if_raised={
        IndexError: "The last id has no right neighbour: ask whether there is one before you look at it.",
        AttributeError: "`ids` is a list: begin with an empty list of your own, and append to that.",
    },
    if_endless="in a `while` loop the position must move on for every id, pair or not.",
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# 01 · Exercise 3: encode
# ---------------------------------------------------------------------------------------------


def _encode(text, merges):
    ids = list(text.encode("utf-8"))
    for pair, new_id in merges:
        ids = tokenization.merge(ids, pair, new_id)
    return ids


def _encode_characters(text, merges):
    ids = [ord(sign) for sign in text]
    for pair, new_id in merges:
        ids = tokenization.merge(ids, pair, new_id)
    return ids


def _encode_longest(text, merges):
    """The longest token that fits, from left to right: another algorithm, and often another answer."""
    pieces = sorted(_pieces(merges).items(), key=lambda item: (-len(item[1]), item[0]))
    data, ids = text.encode("utf-8"), []
    while data:
        id_, piece = next((id_, piece) for id_, piece in pieces if data.startswith(piece))
        ids.append(id_)
        data = data[len(piece) :]
    return ids


def _encode_by_place(text, merges):
    """The first pair from the left that has any merge, again and again."""
    ids, new_ids = list(text.encode("utf-8")), dict(merges)
    while place := [i for i, pair in enumerate(pairwise(ids)) if pair in new_ids]:
        ids[place[0] : place[0] + 2] = [new_ids[ids[place[0]], ids[place[0] + 1]]]
    return ids


def _encode_by_count(text, merges):
    """The pair that is most frequent in this text goes first: training again."""
    ids, new_ids = list(text.encode("utf-8")), dict(merges)
    while counts := {pair: n for pair, n in _count_pairs(ids).items() if pair in new_ids}:
        pair = max(counts, key=counts.get)
        ids = tokenization.merge(ids, pair, new_ids[pair])
    return ids


def _encode_once_each(text, merges):
    ids = list(text.encode("utf-8"))
    for pair, new_id in merges:
        ids = _merge_with(first_only=True)(ids, pair, new_id)
    return ids


_WIKIPEDIA = [((97, 97), 256), ((256, 97), 257), ((257, 98), 258)]  # aa, aaa, aaab
_CROSSED = [((97, 98), 256), ((98, 99), 257), ((257, 100), 258)]  # ab, bc, bcd
_RIGHT_FIRST = [((98, 99), 256), ((97, 98), 257)]  # bc, ab
_TOO_LONG = [((97, 98), 256), ((98, 99), 257), ((97, 257), 258)]  # ab, bc, abc
_ACCENT = [((195, 169), 256), ((102, 256), 257), ((97, 257), 258)]  # é, fé, afé
_ORDER = "The merges go in the order in which they were learned: what is learned first goes first."

encode = _exercise(
    "encode",
    notebook="01",
    number=3,
    minutes=10,
    difficulty="medium",
    parameters=("text", "merges"),
    right=_encode,
    praise="Right: bytes first, then every merge in the order it was learned. GPT-4o's tokenizer does the same, with more merges.",
    read=read_ids,
    keeps=("merges",),
    cases=_cases(
        ("abc", []),
        ("aaab", _WIKIPEDIA[:1]),
        ("aaabdaaabac", _WIKIPEDIA),
        ("abc", _RIGHT_FIRST, None, _ORDER),
        ("abc", _TOO_LONG, None, _ORDER),
        ("abcd", _CROSSED, None, _ORDER),
        ("abcbcbc", _CROSSED, None, _ORDER),
        ("abab", _CROSSED),
        ("bcabc", _CROSSED, None, _ORDER),
        ("", _WIKIPEDIA, None, "An empty text has no ids."),
        ("café", _ACCENT, None, "A character outside English is more than one byte: begin with the bytes of UTF-8."),
        ("आप🦊", [], None, "A character outside English is more than one byte: begin with the bytes of UTF-8."),
    ),
    mistakes=[
        Mistake("You begin with one number for each character; begin with the bytes, `text.encode('utf-8')`.",
                _encode_characters),
        Mistake("The merges change nothing: `merge` gives back a new list, so write `ids = merge(...)`.",
                lambda text, merges: list(text.encode())),
        Mistake("The list is lost on the way: does the `merge` that you use return a list? `tokenization.merge` does.",
                lambda text, merges: None if merges else list(text.encode())),
        Mistake("You play the merges from the last to the first; later ones are built from earlier ones.",
                lambda text, merges: _encode(text, merges[::-1])),
        Mistake("Only the first merge is played: is the `return` inside the loop?",
                lambda text, merges: _encode(text, merges[:1])),
        Mistake("The last merge is never played.", lambda text, merges: _encode(text, merges[:-1])),
        Mistake("The first merge is never played.", lambda text, merges: _encode(text, merges[1:])),
        Mistake("You take the longest token that fits at each place. That is another algorithm: BPE plays its merges in order.",
                _encode_longest),
        Mistake("You merge whatever comes first in the text; what was learned first must go first.", _encode_by_place),
        Mistake("You merge what is most frequent in this text. That was training; now the order is fixed.",
                _encode_by_count),
        Mistake("Each merge is made at one place; it must be made everywhere in the text.", _encode_once_each),
    ],
    if_raised={
        TypeError: "Does the `merge` that you use return a list? `tokenization.merge` does.",
        NameError: "Has the cell with your `merge` been run? `tokenization.merge` does the same.",
        ValueError: "Each entry of `merges` is a pair and its new id: `for pair, new_id in merges:`.",
    },
    if_endless="each merge has to be played once, so a `for` loop over `merges` is enough.",
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# 01 · Exercise 4: decode
# ---------------------------------------------------------------------------------------------


def _pieces(merges, turned=False, start=256):
    pieces = {byte: bytes([byte]) for byte in range(start)}
    for (left, right), new_id in merges:
        pieces[new_id] = pieces[right] + pieces[left] if turned else pieces[left] + pieces[right]
    return pieces


def _decode(ids, merges):
    pieces = _pieces(merges)
    return b"".join(pieces[id_] for id_ in ids).decode("utf-8", errors="replace")


def _decode_one_by_one(errors):
    return lambda ids, merges: "".join(_pieces(merges)[id_].decode("utf-8", errors=errors) for id_ in ids)


def _decode_as(encoding, errors="replace", **how):
    return lambda ids, merges: b"".join(_pieces(merges, **how)[id_] for id_ in ids).decode(
        encoding, errors=errors
    )


_CUT = "These bytes are only a part of a character: `errors='replace'` puts a � in its place."

decode = _exercise(
    "decode",
    notebook="01",
    number=4,
    minutes=15,
    difficulty="harder",
    parameters=("ids", "merges"),
    right=_decode,
    praise="Right: bytes are joined first and read as text last, so that a character may lie across two tokens.",
    read=read_text,
    cases=_cases(
        ([97, 98, 99], []),
        ([256, 97], _WIKIPEDIA[:1]),
        ([258, 100, 258, 97, 99], _WIKIPEDIA),
        ([99, 258], _ACCENT),
        ([], _WIKIPEDIA, None, "No ids make an empty text."),
        ([99, 97, 102, 195, 169], [], None, "195 and 169 are one character, é: join all the bytes before you read them."),
        (list("आप🦊".encode()), []),
        ([256, 138, 33], [((240, 159), 257), ((257, 166), 256)], None, "A character may lie across two tokens."),
        ([97, 195], [], None, _CUT),
        ([0, 255], [], None, "Every byte has its id, from 0 to 255."),
    ),
    mistakes=[
        Mistake("You read each token by itself, and a character that lies across two is lost: join the bytes first.",
                _decode_one_by_one("replace")),
        Mistake("You read each token by itself, and a character that lies across two can't be read: join the bytes first.",
                _decode_one_by_one("strict")),
        Mistake("You leave out what can't be read by itself, and a character that lies across two tokens is lost.",
                _decode_one_by_one("ignore")),
        Mistake("You turn each byte into a character; the bytes of é are two, and together they are one character.",
                _decode_as("latin-1")),
        Mistake("Left and right are swapped: the left part of a pair comes first.",
                _decode_as("utf-8", turned=True)),
        Mistake("A cut character raises an error: `errors='replace'` puts a � in its place.",
                _decode_as("utf-8", errors="strict")),
        Mistake("A cut character vanishes without a word: `errors='replace'` puts a � in its place.",
                _decode_as("utf-8", errors="ignore")),
        Mistake("Tokens are joined with a space; the spaces are in the tokens already.",
                lambda ids, merges: " ".join(_pieces(merges)[id_].decode("utf-8", "replace") for id_ in ids)),
        Mistake("`chr` turns 256 into Ā; look up which bytes it stands for.",
                lambda ids, merges: "".join(map(chr, ids))),
        Mistake("The text is turned round: the first id comes first.", lambda ids, merges: _decode(ids[::-1], merges)),
    ],
    if_raised={
        UnicodeDecodeError: _CUT,
        KeyError: "Give every new id its bytes first, in the order of the merges: the bytes of its left part, then of its right.",
        ValueError: "A byte goes from 0 to 255: an id from 256 on has to be looked up in the merges first.",
        TypeError: "`bytes([65])` makes a byte of a number; `b''.join(...)` joins bytes.",
    },
)  # fmt: skip
