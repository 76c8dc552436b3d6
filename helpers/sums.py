"""Sums: does a small GPT learn to add, or does it learn the sums by heart?

A sum it was trained on proves nothing. So the sums are split once and for all: a fifth of them is never trained on, nor
is any of those turned round (3+5 is held out with 5+3, and 6/2 with 6/3, which need the same fact). Memorised is what is
right on the sums that were seen and wrong on the held-out ones; learned is what is right on both.

The same sum can be written in three ways (``FORMS``), and that changes what there is to learn:

1. ``whole``: every number is one token. To the model 19 and 20 are two names; nothing says that they are neighbours.
2. ``digits``: every digit is a token. Ten digits and their places make all numbers.
3. ``steps``: digits, and the work is written out before the answer: units first, then the carry, then tens.

``python -m helpers.sums`` trains a small GPT for each form and number of examples from fixed seeds and writes what came
of it to ``helpers/weights/sums.json``, which ``load_sums`` reads. Another processor gets other digits: after thousands of
steps an accuracy near 0 or 1 repeats, one in between only roughly. Three seeds show how roughly.

What this leaves out: subtraction, products, and ways to write a sum that suit a model better still (the answer's digits
turned round, numbers padded to one length).

Sources: Nogueira et al. 2021 (arXiv:2102.13019) on how a number's writing decides what is learned; Nye et al. 2021
(arXiv:2112.00114) on steps written out before an answer; Zhang et al. 2017 (arXiv:1611.03530) on networks that learn by
heart; Power et al. 2022 (arXiv:2201.02177) on tables of sums with some held out.
"""

import argparse
import functools
import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from helpers.prompting import Score
from helpers.tinytown import split_by_words
from helpers.training import IGNORED, TrainingConfig, train
from helpers.transformer import GPT, Cache, GPTConfig

FORMS = ("whole", "digits", "steps")
LARGEST = 198  # 99+99: the largest answer, and so the largest number that can be written
OPERATORS = ("+", "/")
END = "<end>"
SPLITS = {"held out": 20, "train": 80}  # in percent


# ---------------------------------------------------------------------------------------------
# Sums.


class Sum(NamedTuple):
    """Two numbers and what is done with them; ``read_sum`` makes one from text."""

    first: int
    operator: str  # + or /
    second: int

    @property
    def answer(self) -> int:
        """What is right."""
        return self.first + self.second if self.operator == "+" else self.first // self.second

    @property
    def question(self) -> str:
        """As it is asked, with the = behind it."""
        return f"{self.first}{self.operator}{self.second}="

    def __str__(self) -> str:
        return f"{self.question}{self.answer}"


def read_sum(text: str) -> Sum:
    return Sum(*(int(p) if p.isdigit() else p for p in re.fullmatch(r"(\d+)([+/])(\d+)", text).groups()))


@functools.cache
def all_sums(operators: str = "+") -> tuple[Sum, ...]:
    found = []
    if "+" in operators:
        found += [Sum(a, "+", b) for a in range(100) for b in range(100)]
    if "/" in operators:
        found += [Sum(b * q, "/", b) for b in range(2, 50) for q in range(2, 99 // b + 1)]
    return tuple(found)


def larger_sums() -> tuple[Sum, ...]:
    return tuple(Sum(a, "+", b) for a in range(100, 199) for b in range(10, 199 - a))


def split_of(sum_: Sum) -> str:
    parts = (sum_.first, sum_.second) if sum_.operator == "+" else (sum_.second, sum_.answer)
    return split_by_words(f"{min(parts)} {sum_.operator} {max(parts)}", SPLITS)


class Written(NamedTuple):
    prompt: list[str]
    steps: list[str]
    answer: list[str]


def written(sum_: Sum, form: str) -> Written:
    if form == "whole":
        return Written([str(sum_.first), sum_.operator, str(sum_.second), "="], [], [str(sum_.answer), END])
    steps = _steps(sum_) + ":" if form == "steps" else ""
    return Written(list(sum_.question), list(steps), [*str(sum_.answer), END])


def _steps(sum_: Sum) -> str:
    steps = []
    carry = 0
    if sum_.operator == "+":
        width = max(len(str(sum_.first)), len(str(sum_.second)))
        columns = zip(reversed(f"{sum_.first:0{width}}"), reversed(f"{sum_.second:0{width}}"))
        for place, (a, b) in enumerate(columns):
            total = int(a) + int(b) + carry
            steps.append(f"{a}+{b}{f'+{carry}' if place else ''}={total}")
            carry = total // 10
    else:
        for digit in str(sum_.first):
            carried = 10 * carry + int(digit)
            carry = carried % sum_.second
            steps.append(f"{carried}/{sum_.second}={carried // sum_.second}r{carry}")
    return ",".join(steps)


def vocabulary(form: str) -> tuple[str, ...]:
    numbers = range(LARGEST + 1) if form == "whole" else range(10)
    return (END, *"+/=,:r", *map(str, numbers))


def encode(tokens, form):
    ids = {t: i for i, t in enumerate(vocabulary(form))}
    return [ids[t] for t in tokens]


def sum_rows(sums, form):
    rows = []
    for s in sums:
        w = written(s, form)
        ids = encode(w.prompt + w.steps + w.answer, form)
        rows.append((ids, len(w.prompt)))
    longest = max(len(ids) for ids, _ in rows)
    inputs = torch.zeros(len(rows), longest - 1, dtype=torch.long)
    targets = torch.full((len(rows), longest - 1), IGNORED)
    for i, (ids, n) in enumerate(rows):
        inputs[i, : len(ids) - 1] = torch.tensor(ids[:-1])
        targets[i, n - 1 : len(ids) - 1] = torch.tensor(ids[n:])
    return inputs, targets


@torch.inference_mode()
def replies(model, sums, form):
    words = vocabulary(form)
    out = {}
    prompts = [encode(written(s, form).prompt, form) for s in sums]
    for length in sorted({len(p) for p in prompts}):
        rows = [i for i, p in enumerate(prompts) if len(p) == length]
        ids = torch.tensor([prompts[i] for i in rows])
        cache, new = Cache(), ids
        done = torch.zeros(len(rows), dtype=torch.bool)
        gen = []
        while not done.all() and cache.length + new.shape[1] <= model.config.n_ctx:
            new = model(new, cache=cache)[:, -1].argmax(-1, keepdim=True)
            gen.append(new)
            done |= new[:, 0] == 0
        gen = torch.cat(gen, 1).tolist()
        for i, g in zip(rows, gen):
            g = g[: g.index(0)] if 0 in g else g + ["?"]
            out[i] = "".join(words[x] if x != "?" else "..." for x in g)
    return [out[i] for i in range(len(sums))]


def answer_in(reply):
    t = reply.rsplit(":", 1)[-1]
    return int(t) if t.isdigit() and len(t) < 4 else None


def score(model, sums, form):
    return sum(answer_in(r) == s.answer for r, s in zip(replies(model, sums, form), sums)), len(sums)
