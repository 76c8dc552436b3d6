"""The quiz: a few questions, and for every choice a sentence that says why it is right or wrong.

The questions themselves are in ``questions/``, one module for each notebook. All answers travel to the browser with
the questions, so a quiz needs no kernel: it works in a notebook that was only opened.

What it leaves out: marks. Nobody is told how a learner did, and every question may be tried again.
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import traitlets

from helpers import plots
from helpers.explorers.base import Explorer, script, style

LINE = 100  # characters in a line of the picture

Question = dict[str, Any]
"""What the browser gets: {"kind", "ask", and "choices" or "pairs"}; `choose` and `match` make it."""


def right(text: str, why: str) -> dict[str, Any]:
    """The choice that is right, and the sentence that says why."""
    return {"text": text, "right": True, "why": why}


def wrong(text: str, why: str) -> dict[str, Any]:
    """A choice that is wrong, and the sentence that says why; best is one that says what it would be right for."""
    return {"text": text, "right": False, "why": why}


def choose(ask: str, *choices: dict[str, Any]) -> Question:
    """A question with several choices, made by `right` and `wrong`; one of them is right.

    >>> die = choose("How many sides has a die?", right("six", "A cube has six."), wrong("two", "That is a coin."))
    >>> mark(die, 1)
    [(False, 'two', 'That is a coin.')]

    Raises ValueError unless there are two choices or more, all different, exactly one right, each with a reason.
    """
    texts = [choice["text"] for choice in choices]
    n_right = sum(choice["right"] for choice in choices)
    if len(choices) < 2 or len(set(texts)) < len(texts) or n_right != 1:
        raise ValueError(
            f"a question needs two different choices or more, exactly one of them right, got {len(texts)} with "
            f"{n_right} right: {ask!r}"
        )
    if not all(choice["why"].strip() for choice in choices):
        raise ValueError(f"every choice needs a sentence that says why, and one in {ask!r} has none")
    return {"kind": "choose", "ask": ask, "choices": list(choices)}


def match(ask: str, *pairs: tuple[str, str, str]) -> Question:
    """A question that brings two columns together: (left, right, a sentence about the right one) each.

    >>> coins = match("Match.", ("head", "front", "It has a face."), ("tail", "back", "It has a number."))
    >>> mark(coins, ["back", ""])
    [(False, 'head', 'not “back”. It has a number.'), (None, 'tail', 'nothing chosen yet.')]

    Raises ValueError unless there are two pairs or more, different on both sides.
    """
    lefts, rights = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
    if len(pairs) < 2 or len(lefts) < len(pairs) or len(rights) < len(pairs):
        raise ValueError(f"matching needs two pairs or more, different on both sides, got {pairs!r}")
    options = sorted(rights, key=str.lower)
    if options == [pair[1] for pair in pairs]:
        options.reverse()  # in the order of the pairs the list would give the answer away
    return {
        "kind": "match",
        "ask": ask,
        "pairs": [{"left": left, "right": right, "why": why} for left, right, why in pairs],
        "options": options,
    }


def mark(
    question: Mapping[str, Any], given: int | Sequence[str] | None
) -> list[tuple[bool | None, str, str]]:
    """What is said about an answer, a line each: (whether it is right, what was chosen, why); None is left open.

    `given` is the number of the choice, from 0, or for matching the right-hand text chosen for each pair.
    """
    if question["kind"] == "choose":
        if given is None or not 0 <= given < len(question["choices"]):
            return [(None, "", "Choose an answer first.")]
        choice = question["choices"][given]
        return [(choice["right"], choice["text"], choice["why"])]
    about = {pair["right"]: pair["why"] for pair in question["pairs"]}
    chosen = list(given or [])
    lines = []
    for place, pair in enumerate(question["pairs"]):
        text = chosen[place] if place < len(chosen) else ""
        if text not in about:
            lines.append((None, pair["left"], "nothing chosen yet."))
        elif text == pair["right"]:
            lines.append((True, pair["left"], f"{text}. {about[text]}"))
        else:
            lines.append((False, pair["left"], f"not “{text}”. {about[text]}"))
    return lines


def n_right(questions: Sequence[Mapping[str, Any]], given: Mapping[str, Any]) -> int:
    """How many questions were answered right; `given` holds the answers by the number of the question, as text."""
    return sum(
        all(right is True for right, _, _ in mark(question, given.get(str(place))))
        for place, question in enumerate(questions)
    )


def written(question: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The question, and a line for each choice or pair, as the picture and its alternative text have them."""
    if question["kind"] == "choose":
        return question["ask"], [choice["text"] for choice in question["choices"]]
    return question["ask"], [
        f"{', '.join(pair['left'] for pair in question['pairs'])} with: {'; '.join(question['options'])}"
    ]


class Quiz(Explorer):
    """Questions with an answer to every choice; ``quiz("00")`` makes that of a notebook."""

    _esm = script("quiz")
    _css = style("quiz", devanagari=True)  # that of notebook 09 asks about Hindi
    shown: ClassVar[tuple[str, ...]] = ("questions",)

    questions = traitlets.List().tag(sync=True)
    given = traitlets.Dict().tag(sync=True)  # {"0": 2, "3": ["a", "b"]}, what was checked last; the browser's

    def __init__(self, questions: Sequence[Question]):
        if not questions:
            raise ValueError("a quiz needs at least one question, got none; choose(...) makes one")
        super().__init__(questions=list(questions))

    def describe(self) -> str:
        """The questions and their choices."""
        told = []
        for number, question in enumerate(self.questions, 1):
            ask, lines = written(question)
            told.append(f"{number}. {ask} {'; '.join(lines)}.")
        n = len(self.questions)
        return f"{n} question{'s' if n > 1 else ''}. {' '.join(told)}"

    def picture(self) -> bytes:
        """The questions as text, to be read where nothing can be clicked."""
        lines: list[tuple[str, bool]] = []
        for number, question in enumerate(self.questions, 1):
            ask, choices = written(question)
            lines += [(line, True) for line in textwrap.wrap(f"{number}. {ask}", LINE - 8)]
            for choice in choices:
                wrapped = textwrap.wrap(choice, LINE)
                lines += [
                    (f"   {'–' if not place else ' '} {line}", False) for place, line in enumerate(wrapped)
                ]
            lines.append(("", False))
        ax = plots.new_axes(self.width / 100, 0.24 * len(lines))
        return plots.png(plots.styled(_draw)(ax, lines[:-1]).figure, dpi=130)


def _draw(ax, lines):
    ax.set_axis_off()
    for place, (line, bold) in enumerate(lines):
        ax.text(
            0,
            1 - (place + 0.5) / len(lines),
            line,
            weight="bold" if bold else "normal",
            fontsize=9.5,
            va="center",
            parse_math=False,
            transform=ax.transAxes,
        )
    return ax


def quiz(name: str) -> Quiz:
    """The quiz of a notebook: the questions that stand in ``questions/`` under `name`.

    Raises ValueError for a name that has none.
    """
    from helpers.explorers.questions import QUESTIONS

    if name not in QUESTIONS:
        raise ValueError(
            f"quiz must be one of {', '.join(QUESTIONS)}, got {name!r}; helpers/explorers/questions holds them"
        )
    return Quiz(QUESTIONS[name])
