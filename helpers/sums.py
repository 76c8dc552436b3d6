"""Sums: does a small GPT learn to add, or does it learn the sums by heart?

A sum it was trained on proves nothing. So the sums are split once and for all: a fifth of them is never trained on, nor
is any of those turned round (5+3 is held out where 3+5 is, and 6/3 where 6/2 is, for both need the same fact). Memorised:
right on the sums that were seen, wrong on the held-out ones. Learned: right on both.

The same sum can be written in three ways (``FORMS``), and that changes what there is to learn:

1. ``whole``: every number is one token. To begin with, 19 is as unlike 20 as it is unlike 77.
2. ``digits``: every digit is a token. Ten digits and their places make all numbers.
3. ``steps``: digits, and the work is written out before the answer: units, carry, tens.

``python -m helpers.sums`` trains a small GPT for each form and number of examples from fixed seeds, and writes how many
sums each got right to ``helpers/weights/sums.json``, which ``load_sums`` reads. On another processor an accuracy near 0
or 1 comes out alike, one in between only roughly: two seeds show how roughly.

What this leaves out: subtraction and products, and writings that suit a model even better, such as the answer's last
digit first, or all numbers with as many digits.

Sources: Nogueira et al. 2021 (arXiv:2102.13019), on what the writing of numbers does to sums; Nye et al. 2021
(arXiv:2112.00114), on steps written out before an answer; Zhang et al. 2017 (arXiv:1611.03530), on networks that learn
by heart; Power et al. 2022 (arXiv:2201.02177), on tables of sums of which a part is held out.
"""

import argparse
import functools
import itertools
import math
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from helpers.prompting import Score
from helpers.results import load_results, save_results
from helpers.tinytown import split_by_words
from helpers.training import IGNORED, TrainingConfig, train
from helpers.transformer import GPT, Cache, GPTConfig

FORMS = ("whole", "digits", "steps")
LARGEST = 198  # 99+99, the largest answer in training: larger numbers are not written
END = "<end>"
N_CTX = 40  # tokens: 27 for the longest sum in training, in steps; 40 for the longest of the larger ones
N_MEASURED = 500  # sums of each kind that a model is asked, at most
FAMOUS = ("2+2", "4/2")  # the first examples of every training that may hold them
FORMAT = "under-the-hood sums, version 1"
SUMS = Path(__file__).parent / "weights" / "sums.json"
COMMAND = "python -m helpers.sums"


# ---------------------------------------------------------------------------------------------
# Sums, and which of them are held out.


class Sum(NamedTuple):
    """Two numbers and what is done with them. ``read_sum`` makes one from text."""

    first: int
    operator: str  # + or /
    second: int

    @property
    def answer(self) -> int:
        """The right one."""
        return self.first + self.second if self.operator == "+" else self.first // self.second

    @property
    def question(self) -> str:
        """What is asked, with the = behind it."""
        return f"{self.first}{self.operator}{self.second}="

    def __str__(self) -> str:
        return f"{self.question}{self.answer}"


def read_sum(text: Any) -> Sum:
    """The sum that stands in a text, with or without its answer.

    >>> read_sum("4/2"), str(read_sum("2 + 2 ="))
    (Sum(first=4, operator='/', second=2), '2+2=4')

    Raises ValueError for anything else, for numbers above 198, a division by 0 or with a remainder, and a wrong answer.
    """
    asked = text.question if isinstance(text, Sum) else text
    number = "([0-9]+)"
    pattern = f" *{number} *([+/]) *{number} *(?:= *{number}? *)?"
    found = re.fullmatch(pattern, asked) if isinstance(asked, str) else None
    if found is None:
        raise ValueError(
            f"a sum must be two whole numbers with + or / between them, got {text!r:.60}; try '27+35'"
        )
    first, operator, second, claimed = found.groups()
    for digits in (first, second, claimed or "0"):
        if len(digits) > 3 or int(digits) > LARGEST:
            raise ValueError(
                f"a number must be at most {LARGEST}, in up to 3 digits, got {digits:.20}; try '27+35'"
            )
    read = Sum(int(first), operator, int(second))
    if operator == "/" and read.second == 0:
        raise ValueError(f"a sum must not divide by 0, got {read.question[:-1]}; try '4/2'")
    if operator == "/" and read.first % read.second:
        raise ValueError(
            f"a division must leave nothing over, got {read.question[:-1]}, which leaves "
            f"{read.first % read.second}; try '4/2'"
        )
    if read.answer > LARGEST:
        raise ValueError(f"an answer must be at most {LARGEST}, got {read}; try '27+35'")
    if claimed and int(claimed) != read.answer:
        raise ValueError(f"the answer must be right, got {read.question}{claimed}; try '{read}'")
    return read


@functools.cache
def all_sums(operators: str = "+") -> tuple[Sum, ...]:
    """Every sum of the course: a+b for numbers from 0 to 99, and a/b up to 99 that leaves nothing over.

    Divisions by 1 and of a number by itself are left out: for them one rule is enough.

    >>> len(all_sums("+")), len(all_sums("/")), str(all_sums("/")[0])
    (10000, 276, '4/2=2')

    Raises ValueError for other operators than "+", "/" and "+/".
    """
    if operators not in ("+", "/", "+/"):
        raise ValueError(f"operators must be '+', '/' or '+/', got {operators!r:.60}; try '+'")
    additions = (Sum(a, "+", b) for a in range(100) for b in range(100))
    divisions = (Sum(b * times, "/", b) for b in range(2, 50) for times in range(2, 99 // b + 1))
    return (*(additions if "+" in operators else ()), *(divisions if "/" in operators else ()))


def is_held_out(sum_: Any) -> bool:
    """Whether a sum is one of the fifth that no model is trained on. The sum itself decides, by its hash.

    A sum and the same turned round are on the same side.

    >>> is_held_out("3+5") == is_held_out("5+3"), is_held_out("6/2") == is_held_out("6/3")
    (True, True)
    """
    sum_ = read_sum(sum_)
    fact = (sum_.first, sum_.second) if sum_.operator == "+" else (sum_.second, sum_.answer)
    name = f"{min(fact)} {sum_.operator} {max(fact)}"
    return split_by_words(name, {"held out": 20, "train": 80}) == "held out"


@functools.cache
def _split(operators: str) -> tuple[tuple[Sum, ...], tuple[Sum, ...]]:
    """The sums to train on, and those that are held out."""
    sums = all_sums(operators)
    held_out = [is_held_out(sum_) for sum_ in sums]
    return (
        tuple(sum_ for sum_, out in zip(sums, held_out, strict=True) if not out),
        tuple(sum_ for sum_, out in zip(sums, held_out, strict=True) if out),
    )


def _some(sums: Sequence[Sum], count: int, seed: int) -> list[Sum]:
    """The first `count` in a seeded order: fewer are the beginning of more."""
    order = np.random.default_rng(seed).permutation(len(sums))
    return [sums[number] for number in order[:count]]


def held_out_sums(operators: str = "+") -> list[Sum]:
    """The held-out sums that every model is asked: 500, or all where there are fewer."""
    all_sums(operators)  # refuses other operators
    return _some(_split(operators)[1], N_MEASURED, seed=0)


def larger_sums(operators: str = "+") -> list[Sum]:
    """500 sums, or all there are, whose first number is from 100 to 198: larger than in any sum to train on.

    Their answers are no larger than those in training, so that every form has tokens for them.

    >>> [str(sum_) for sum_ in larger_sums("/")][:2], len(larger_sums("/"))
    (['162/9=18', '122/2=61'], 413)
    """
    all_sums(operators)  # refuses other operators
    firsts = range(100, LARGEST + 1)
    additions = [Sum(first, "+", second) for first in firsts for second in range(LARGEST + 1 - first)]
    divisions = [
        Sum(first, "/", second)
        for first in firsts
        for second in range(2, first // 2 + 1)
        if first % second == 0
    ]
    sums = [*(additions if "+" in operators else ()), *(divisions if "/" in operators else ())]
    return _some(sums, N_MEASURED, seed=0)


# ---------------------------------------------------------------------------------------------
# Three ways to write a sum.


class Written(NamedTuple):
    """A sum as tokens."""

    prompt: list[str]  # given
    steps: list[str]  # to be written before the answer; none in two of the forms
    answer: list[str]  # to be written, <end> included


def written(sum_: Any, form: str) -> Written:
    """The tokens of a sum in one of the three forms.

    >>> written("7+12", "whole")
    Written(prompt=['7', '+', '12', '='], steps=[], answer=['19', '<end>'])
    >>> written("7+12", "digits")
    Written(prompt=['7', '+', '1', '2', '='], steps=[], answer=['1', '9', '<end>'])
    >>> "".join(written("27+35", "steps").steps), "".join(written("75/5", "steps").steps)
    ('7+5=12,2+3+1=6:', '7/5=1r2,25/5=5r0:')

    Steps of an addition go from the units up: digit, digit and, from the tens on, the carry. Steps of a division go
    from the tens down: what is left (r) stands before the next digit.

    Raises ValueError for an unknown form, and as ``read_sum`` does.
    """
    sum_ = read_sum(sum_)
    _check_form(form)
    if form == "whole":
        return Written([str(sum_.first), sum_.operator, str(sum_.second), "="], [], [str(sum_.answer), END])
    steps = f"{_steps(sum_)}:" if form == "steps" else ""
    return Written(list(sum_.question), list(steps), [*str(sum_.answer), END])


def _steps(sum_: Sum) -> str:
    steps = []
    if sum_.operator == "+":
        width = max(len(str(sum_.first)), len(str(sum_.second)))
        carry = None  # none comes into the units
        for column in range(width):
            first, second = (number // 10**column % 10 for number in (sum_.first, sum_.second))
            total = first + second + (carry or 0)
            steps.append(f"{first}+{second}" + ("" if carry is None else f"+{carry}") + f"={total}")
            carry = total // 10
    else:
        left = 0
        for digit in str(sum_.first):
            number = 10 * left + int(digit)
            times, left = divmod(number, sum_.second)
            steps.append(f"{number}/{sum_.second}={times}r{left}")
    return ",".join(steps)


def _check_form(form: str) -> None:
    if form not in FORMS:
        raise ValueError(f"form must be one of {', '.join(FORMS)}, got {form!r:.60}; try 'digits'")


@functools.cache
def vocabulary(form: str) -> dict[str, int]:
    """The id of every token that a form is written with; <end> is 0.

    >>> [len(vocabulary(form)) for form in FORMS]
    [203, 14, 17]

    Raises ValueError for an unknown form.
    """
    _check_form(form)
    signs = "+/=,:r" if form == "steps" else "+/="
    numbers = range(LARGEST + 1 if form == "whole" else 10)
    return {token: number for number, token in enumerate([END, *signs, *map(str, numbers)])}


def sum_rows(sums: Iterable, form: str) -> tuple[Int[Tensor, "sum seq"], Int[Tensor, "sum seq"]]:
    """Inputs and targets for ``train``, one sum a row. Only what follows the = counts: steps, answer and <end>.

    >>> inputs, targets = sum_rows(["2+2", "27+35"], "digits")
    >>> (targets != IGNORED).sum(1).tolist()  # 4 <end>, and 6 2 <end>
    [2, 3]

    Raises ValueError without a sum, and as ``written`` does.
    """
    ids = vocabulary(form)
    rows, prompts = [], []
    for sum_ in _several(sums):
        prompt, steps, answer = written(sum_, form)
        prompts.append(len(prompt))
        rows.append([ids[token] for token in (*prompt, *steps, *answer)])
    longest = max(map(len, rows))
    padded = torch.full((len(rows), longest), ids[END])
    for row, tokens in zip(padded, rows, strict=True):
        row[: len(tokens)] = torch.tensor(tokens)
    place = torch.arange(1, longest)  # of every target in its row
    lengths = torch.tensor([len(row) for row in rows])[:, None]
    counts = (place >= torch.tensor(prompts)[:, None]) & (place < lengths)
    return padded[:, :-1].clone(), padded[:, 1:].masked_fill(~counts, IGNORED)


def _several(sums: Iterable) -> list[Sum]:
    sums = [sums] if isinstance(sums, str | Sum) else list(sums)
    if not sums:
        raise ValueError("sums must hold at least one sum, got none; try ['27+35']")
    return [read_sum(sum_) for sum_ in sums]


# ---------------------------------------------------------------------------------------------
# Asking a model.


class Reply(NamedTuple):
    """What a model wrote behind the =, always taking the most probable token."""

    sum: Sum
    text: str  # with its steps; … where it found no end
    answer: int | None  # None: no number

    @property
    def right(self) -> bool:
        """Whether the answer is, however it was reached."""
        return self.answer == self.sum.answer


@torch.inference_mode()
def ask(model: GPT, sums: Iterable, form: str) -> list[Reply]:
    """The model's reply to every sum, in their order.

    Raises ValueError for a model that was not trained on this form, and as ``written`` does.
    """
    ids = vocabulary(form)
    if model.config.vocab_size != len(ids):
        raise ValueError(
            f"the model must know the {len(ids)} tokens of the form {form!r}, got one with "
            f"{model.config.vocab_size}; take the form that it was trained on"
        )
    sums = _several(sums)
    prompts = [[ids[token] for token in written(sum_, form).prompt] for sum_ in sums]
    replies: dict[int, Reply] = {}
    for length in sorted(set(map(len, prompts))):  # prompts of one length are read in one batch
        numbers = [number for number, prompt in enumerate(prompts) if len(prompt) == length]
        rows = _greedy(model, torch.tensor([prompts[number] for number in numbers]))
        replies |= {
            number: _reply(sums[number], row, form) for number, row in zip(numbers, rows, strict=True)
        }
    return [replies[number] for number in range(len(sums))]


def _greedy(model: GPT, prompts: Int[Tensor, "batch seq"]) -> list[list[int]]:
    """The most probable token again and again, until every row has an <end> (id 0) or the model's context is full."""
    cache, new, tokens = Cache(), prompts, []
    ended = torch.zeros(len(prompts), dtype=torch.bool)
    while not ended.all() and cache.length < model.config.n_ctx:
        new = model(new, cache=cache)[:, -1].argmax(dim=-1, keepdim=True)
        tokens.append(new)
        ended |= new[:, 0] == 0
    return torch.cat(tokens, dim=1).tolist()


def _reply(sum_: Sum, row: list[int], form: str) -> Reply:
    names = list(vocabulary(form))
    if 0 not in row:
        return Reply(sum_, "".join(names[token] for token in row) + "…", None)
    tokens = [names[token] for token in row[: row.index(0)]]
    text = "".join(tokens)
    digits = text.rpartition(":")[2]
    # Written as it must be: no 04 for 4, and in the form `whole` a single token.
    is_number = re.fullmatch("0|[1-9][0-9]{0,8}", digits) and (form != "whole" or len(tokens) == 1)
    return Reply(sum_, text, int(digits) if is_number else None)


def score(replies: Sequence[Reply]) -> Score:
    """How many are right, of how many; ``.share`` and its standard error ``.error`` say the rest.

    >>> score([Reply(read_sum("2+2"), "4", 4), Reply(read_sum("2+3"), "4", 4)]).share
    0.5

    Raises ValueError without a reply.
    """
    _check_replies(replies)
    return Score(sum(reply.right for reply in replies), len(replies))


def _check_replies(replies: Sequence[Reply]) -> None:
    if not replies:
        raise ValueError("replies must hold at least one, got none; ask gives some")


class Wrong(NamedTuple):
    """Replies by how far they are from right; the first five add up to all of them."""

    right: int
    off_by_one: int
    off_by_ten: int  # a carry lost, or one too many
    further: int
    no_number: int
    distance: float  # of a wrong number from the right one: half of them are nearer; NaN: there is none
    by_chance: float  # the same if these numbers had been said to any of these sums


def how_wrong(replies: Sequence[Reply]) -> Wrong:
    """How far wrong answers are from right, beside the distance that chance would give.

    Chance exchanges the wrong answers: each is compared with the right answer of every sum that was answered wrongly.
    A distance far below it says that the model knows roughly where the answer lies.

    >>> sums = [read_sum("10+10"), read_sum("40+40")]
    >>> how_wrong([Reply(sums[0], "21", 21), Reply(sums[1], "78", 78)])  # 1 and 2 off; by chance 1, 59, 58 and 2
    Wrong(right=0, off_by_one=1, off_by_ten=0, further=1, no_number=0, distance=1.5, by_chance=30.0)

    Raises ValueError without a reply.
    """
    _check_replies(replies)
    wrong = [reply for reply in replies if reply.answer is not None and not reply.right]
    said = np.array([reply.answer for reply in wrong], dtype=float)
    meant = np.array([reply.sum.answer for reply in wrong], dtype=float)
    off = np.abs(said - meant)
    one, ten = int((off == 1).sum()), int((off == 10).sum())
    return Wrong(
        right=score(replies).right,
        off_by_one=one,
        off_by_ten=ten,
        further=len(wrong) - one - ten,
        no_number=sum(reply.answer is None for reply in replies),
        distance=float(np.median(off)) if wrong else math.nan,
        by_chance=float(np.median(np.abs(said[:, None] - meant))) if wrong else math.nan,
    )


# ---------------------------------------------------------------------------------------------
# Training.


class Plan(NamedTuple):
    """One training: everything that its result depends on."""

    form: str
    n_examples: int  # different sums to learn from; when all were read, they come again
    steps: int = 1000
    operators: str = "+"  # or "/", or both: "+/"
    seed: int = 0  # of the first weights, the examples and their order
    every: int = 200  # steps between two measurements
    n_layers: int = 2
    n_heads: int = 4
    d_model: int = 64
    batch_size: int = 64  # or all examples, where there are fewer
    learning_rate: float = 3e-3


class Run(NamedTuple):
    """A training that was done, and how many sums its model got right at every measurement."""

    plan: Plan
    n_params: int
    steps: Int[np.ndarray, " point"]  # done at this measurement, from 1
    seen: tuple[Score, ...]  # of the examples, one score a measurement
    held_out: tuple[Score, ...]
    larger: Score  # of sums with a larger number than any in training, at the end
    wrong: Wrong  # the held-out replies, at the end
    replies: tuple[Reply, ...]  # a few of them: five held-out sums, then three larger ones


class Trained(NamedTuple):
    """A model, and how it came about."""

    model: GPT
    run: Run


def examples(plan: Plan) -> list[Sum]:
    """The sums of a plan to learn from: "2+2=4" and "4/2=2" first, where they belong, then others by the plan's seed.

    >>> [str(sum_) for sum_ in examples(Plan("digits", 3, operators="+/"))][:2]
    ['2+2=4', '4/2=2']

    Raises ValueError for an unknown form, other operators, and a number of examples that is not from 1 to all there are.
    """
    _check_form(plan.form)
    all_sums(plan.operators)  # refuses other operators
    TrainingConfig(seed=plan.seed)  # refuses what is no seed
    there = _split(plan.operators)[0]
    if not (_is_whole(plan.n_examples) and plan.n_examples <= len(there)):
        raise ValueError(
            f"n_examples must be a whole number from 1 to {len(there):,}, got {plan.n_examples!r:.60}; "
            f"try n_examples={min(400, len(there))}"
        )
    famous = [read_sum(text) for text in FAMOUS if read_sum(text) in there]
    others = [sum_ for sum_ in _some(there, len(there), plan.seed) if sum_ not in famous]
    return [*famous, *others][: plan.n_examples]


def _is_whole(count: Any) -> bool:
    return isinstance(count, Integral) and not isinstance(count, bool) and count >= 1


def train_sums(plan: Plan, steps: int | None = None) -> Trained:
    """Trains a fresh model as a plan says, and measures it on the way; with `steps` only the beginning.

    Raises ValueError as ``examples`` does, for steps that ``every`` does not divide, and as ``TrainingConfig`` and
    ``GPTConfig`` do.
    """
    sums, held_out = examples(plan), held_out_sums(plan.operators)
    last = plan.steps if steps is None else steps
    if not (_is_whole(last) and _is_whole(plan.every) and last % plan.every == 0):
        raise ValueError(
            f"steps must be a whole number of times {plan.every!r:.60}, after which the model is measured, got "
            f"{last!r:.60}; try every=50 and steps=200"
        )
    model = GPT(
        GPTConfig(
            vocab_size=len(vocabulary(plan.form)),
            n_ctx=N_CTX,
            n_layers=plan.n_layers,
            n_heads=plan.n_heads,
            d_model=plan.d_model,
            bias=False,
        ),
        seed=plan.seed,
        std=0.125,  # a narrow model learns much sooner than from GPT-2's 0.02
    )
    config = TrainingConfig(
        steps=plan.steps,
        batch_size=min(plan.batch_size, len(sums)),
        learning_rate=plan.learning_rate,
        seed=plan.seed,
    )
    points: list[tuple[int, Score, Score]] = []
    records = train(model, *sum_rows(sums, plan.form), config)
    for record in itertools.islice(records, last):
        if record.step % plan.every == 0:
            replies = ask(model, held_out, plan.form)
            points.append((record.step, score(ask(model, sums[:N_MEASURED], plan.form)), score(replies)))
    larger = ask(model, larger_sums(plan.operators), plan.form)
    measured, seen, scores = zip(*points, strict=True)
    run = Run(
        plan,
        model.n_params,
        np.array(measured),
        seen,
        scores,
        score(larger),
        how_wrong(replies),
        (*replies[:5], *larger[:3]),
    )
    return Trained(model, run)


# ---------------------------------------------------------------------------------------------
# Many trainings, kept in a file.

N_EXAMPLES = (100, 400, 1_600, 6_400)
SEEDS = (0, 1)
# Small enough to be trained while one waits.
BY_HEART = Plan("digits", 60, steps=150, operators="+/", every=50)

# The first seed of everything, so that there is something to see, then the others.
PLANS: tuple[Plan, ...] = (
    *(Plan(form, n_examples) for n_examples in N_EXAMPLES for form in FORMS),
    Plan("whole", 6_400, steps=6_000, every=500),  # more patience for the form that learns last
    *(Plan(form, 200, steps=400, operators="/", seed=seed) for seed in SEEDS for form in FORMS),
    *(Plan(form, n_examples, seed=seed) for seed in SEEDS[1:] for n_examples in N_EXAMPLES for form in FORMS),
)


def shares(runs: Iterable[Run], what: str = "held_out") -> dict[str, Float[np.ndarray, "seed size"]]:
    """The shares that were right at the end, for each form: a row for each seed, a column for each number of examples.

    `what` is "seen", "held_out" or "larger". Of the runs, only those of the plan's grid count: additions, 1,000 steps.

    >>> held_out = shares(load_sums())
    >>> held_out["digits"].shape, bool(held_out["digits"].mean(axis=0)[2] > 0.9 > 0.1 > held_out["whole"].max(axis=0)[2])
    ((2, 4), True)

    Raises ValueError for another `what`, and where a run of the grid is missing.
    """
    if what not in ("seen", "held_out", "larger"):
        raise ValueError(f"what must be seen, held_out or larger, got {what!r:.60}; try 'held_out'")
    found = {run.plan: getattr(run, what) for run in runs}
    grid = [
        Plan(form, n_examples, seed=seed) for form in FORMS for seed in SEEDS for n_examples in N_EXAMPLES
    ]
    missing = [plan for plan in grid if plan not in found]
    if missing:
        raise ValueError(
            f"runs must hold the whole grid, got none with {missing[0].n_examples} examples in the form "
            f"{missing[0].form!r} from seed {missing[0].seed}; load_sums() has them all"
        )
    ends = [found[plan] if what == "larger" else found[plan][-1] for plan in grid]
    table = np.array([end.share for end in ends]).reshape(len(FORMS), len(SEEDS), len(N_EXAMPLES))
    return dict(zip(FORMS, table, strict=True))


def load_sums(path: str | os.PathLike[str] = SUMS) -> tuple[Run, ...]:
    """The trainings that ``python -m helpers.sums`` wrote.

    >>> run = load_sums()[0]
    >>> run.plan.form, run.plan.n_examples, run.seen[-1].share
    ('whole', 100, 1.0)

    Raises FileNotFoundError for a file that is not there, and ValueError for one that is damaged or holds
    something else.
    """
    return load_results(
        path, lambda found: tuple(map(_run_from, found["runs"])), format=FORMAT, command=COMMAND
    )


def _run_from(fields: Any) -> Run:
    """A run from its JSON, where null stands for what was no number."""
    steps = np.array(fields["steps"], dtype=int)
    seen, held_out = (
        tuple(Score(int(right), int(n)) for right, n in fields[name]) for name in ("seen", "held_out")
    )
    if not (steps.ndim == 1 and len(steps) == len(seen) == len(held_out) > 0):
        raise ValueError("as many scores as measurements, at least one")
    wrong = {name: math.nan if value is None else value for name, value in fields["wrong"].items()}
    replies = tuple(Reply(read_sum(asked), text, answer) for asked, text, answer in fields["replies"])
    return Run(
        Plan(**fields["plan"]),
        int(fields["n_params"]),
        steps,
        seen,
        held_out,
        Score(*fields["larger"]),
        Wrong(**wrong),
        replies,
    )


def save_sums(runs: Iterable[Run], path: Path) -> None:
    """Writes runs, one a line, all or nothing."""
    lines = (
        {
            "plan": run.plan._asdict(),
            "n_params": run.n_params,
            "steps": run.steps.tolist(),
            "seen": run.seen,
            "held_out": run.held_out,
            "larger": run.larger,
            "wrong": {
                name: None if math.isnan(value) else value for name, value in run.wrong._asdict().items()
            },
            "replies": [(reply.sum.question, reply.text, reply.answer) for reply in run.replies],
        }
        for run in runs
    )
    save_results(lines, path, format=FORMAT, command=COMMAND)


def make_sums(plans: Sequence[Plan], kept: Path) -> Iterator[Run]:
    """Every run of the plans, as soon as it is done; each is kept in a file, from which a later call takes it."""
    done = {run.plan: run for run in load_sums(kept)} if kept.is_file() else {}
    for plan in plans:
        if plan not in done:
            done[plan] = train_sums(plan).run
            save_sums(done.values(), kept)
        yield done[plan]


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains a model for every plan, prints how it goes, and writes the results; interrupted, it goes on later."""
    parser = argparse.ArgumentParser(prog="python -m helpers.sums", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=SUMS)
    parser.add_argument(
        "--quick", action="store_true", help="a few steps of each form, to try it; needs --out"
    )
    options = parser.parse_args(arguments)
    plans = PLANS
    if options.quick:
        if options.out == SUMS:
            parser.error("--quick needs --out, or it would write over the results")
        plans = tuple(Plan(form, 9, steps=2, every=1) for form in FORMS)

    kept = options.out.with_name(f".{options.out.name}.kept")
    began, runs = time.perf_counter(), []
    for run in make_sums(plans, kept):
        runs.append(run)
        plan = run.plan
        print(
            f"{len(runs):2} of {len(plans)}  {plan.operators} {plan.form:6}  {plan.n_examples:5,} examples  "
            f"{plan.steps:5,} steps  seed {plan.seed}  seen {run.seen[-1].share:6.1%}  "
            f"held out {run.held_out[-1].share:6.1%}  larger {run.larger.share:6.1%}  "
            f"{time.perf_counter() - began:5.0f} s",
            flush=True,
        )
    save_sums(runs, options.out)
    kept.unlink()
    print(f"wrote {options.out.name}, {options.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
