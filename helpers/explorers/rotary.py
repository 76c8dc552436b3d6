"""The rotary dials: two tokens, every pair of their numbers a hand that turns with the position.

Rotary positions turn the query and the key before their dot product is taken. The dials show the turning, the bars
each pair's share of the score, and the curve the score at every distance. The browser works everything out by itself
(``rotary.js``), without a kernel. The same in Python: ``positions.rotary_angles`` and ``rotate_pairs``, and `shares`,
`scores` and `describe` below; the tests run both.

Source: Su et al. 2021, section 3.
"""

import contextlib
import itertools
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import traitlets
from jaxtyping import Float
from matplotlib.axes import Axes

from helpers import plots
from helpers.explorers.base import Explorer, script, style
from helpers.explorers.sinusoids import whole, whole_base, written
from helpers.positions import rotary_angles, rotate_pairs

POSITIONS = 64  # that the sliders reach
WIDEST = 32  # numbers of a vector: 16 dials
LARGEST = 1_000  # of these numbers
QUERY = (1.0, 0.2, 0.8, -0.4, 0.6, 0.5, 0.9, 0.1)
KEY = (0.7, 0.6, 0.9, 0.2, 0.5, 0.3, 0.8, 0.4)
Vector = Float[np.ndarray, " d_head"]


def shares(query: Vector, key: Vector, at: tuple[int, int], base: float) -> Float[np.ndarray, " pair"]:
    """Each pair's part of the score, the dot product of the turned query and the turned key.

    `at` are the positions of query and key. Pairs are neighbours: numbers 0 and 1, 2 and 3, and so on.

    >>> shares(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0, 0.0, 1.0]), (7, 7), 100)  # 1 + 2, 0 + 4
    array([3., 4.])
    """
    angles = rotary_angles(POSITIONS, len(query), float(base))
    turned = [
        rotate_pairs(vector[None], angles[place : place + 1])[0]
        for vector, place in zip((query, key), at, strict=True)
    ]
    return (turned[0] * turned[1]).reshape(-1, 2).sum(axis=1)


def scores(query: Vector, key: Vector, base: float) -> tuple[np.ndarray, np.ndarray]:
    """All distances from -63 to 63 and the score at each; the token that stands first is at position 0.

    >>> distances, score = scores(np.array([1.0, 0.0]), np.array([1.0, 0.0]), 100)  # the cosine of the distance
    >>> distances[[0, -1]].tolist(), round(float(score[63 + 1]), 4)
    ([-63, 63], 0.5403)
    """
    distances = range(1 - POSITIONS, POSITIONS)
    score = [shares(query, key, (max(d, 0), max(-d, 0)), base).sum() for d in distances]
    return np.array(distances), np.array(score)


def elsewhere(query_position: int, key_position: int) -> tuple[int, int] | None:
    """Other positions at the same distance, 20 away where there is room; None where there are no others.

    >>> elsewhere(5, 2), elsewhere(60, 50), elsewhere(63, 0)
    ((25, 22), (40, 30), None)
    """
    first, last = sorted((query_position, key_position))
    move = min(20, POSITIONS - 1 - last)
    if move < 20:
        move = max(move, -min(20, first), key=abs)
    return (query_position + move, key_position + move) if move else None


class RotaryDial(Explorer):
    """Dials that turn a query and a key, and their score, with sliders for both positions and the base.

    `query` and `key` are vectors of `d_head` numbers (8, or as many as they have), `names` the two tokens they
    belong to. Raises ValueError for vectors that differ in length, are longer than 32 or of odd length, or hold what
    is no number or one beyond 1,000; for a `base` that is not from 10 to 100,000; for positions that are not from 0
    to 63; and for a name that is empty, longer than 20 characters or can't be printed.

    >>> RotaryDial(query=[1.0, 0.0], key=[0.0, 1.0], names=("sat", "cat"), query_position=5, key_position=2)
    <RotaryDial: Query “sat” at position 5, key “cat” at 2: distance 3, score 0.1411. At 25 and 22 the score is
    the same. d_head 2, base 100: a position turns pair 0 by 57.3°.>
    """

    _esm = script("rotary")
    _css = style("rotary")
    shown: ClassVar[tuple[str, ...]] = ("query_position", "key_position", "base")

    query = traitlets.List(traitlets.Float()).tag(sync=True)  # a few numbers: exact, and easy to read
    key = traitlets.List(traitlets.Float()).tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)  # of query and key
    query_position = traitlets.Int().tag(sync=True, echo_update=False)
    key_position = traitlets.Int().tag(sync=True, echo_update=False)
    together = traitlets.Bool(False).tag(sync=True, echo_update=False)  # whether the distance is locked
    base = traitlets.Int().tag(sync=True, echo_update=False)
    width = traitlets.Int(900).tag(sync=True)

    def __init__(
        self,
        query: Any = None,
        key: Any = None,
        d_head: int | None = None,
        base: float = 100,
        *,
        names: Sequence[str] = ("sat", "cat"),
        query_position: int = 5,
        key_position: int = 2,
        together: bool = False,
    ):
        if d_head is None:
            d_head = first_length(query, key)
        d_head = whole("d_head", d_head, 2, WIDEST, "8 make four dials")
        if d_head % 2:
            raise ValueError(f"d_head must be even, got {d_head}; numbers turn in pairs, take {d_head + 1}")
        super().__init__(
            query=vector("query", query, QUERY, d_head),
            key=vector("key", key, KEY, d_head),
            names=two_names(names),
            query_position=place("query_position", query_position),
            key_position=place("key_position", key_position),
            together=together,
            base=whole_base(base),
        )

    # What Python sets later is held to the same rules.
    @traitlets.validate("query_position", "key_position")
    def _valid_place(self, proposal: Any) -> int:
        return place(proposal["trait"].name, proposal["value"])

    @traitlets.validate("base")
    def _valid_base(self, proposal: Any) -> int:
        return whole_base(proposal["value"])

    def _vectors(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array(self.query), np.array(self.key)

    def describe(self) -> str:
        at = self.query_position, self.key_position
        score = shares(*self._vectors(), at, self.base).sum()
        told = f"Query “{self.names[0]}” at position {at[0]}, key “{self.names[1]}” at {at[1]}: "
        told += f"distance {written(at[0] - at[1], 0)}, score {written(score, 4)}."
        if other := elsewhere(*at):
            there = shares(*self._vectors(), other, self.base).sum()
            same = "the same" if abs(there - score) < 1e-6 else written(there, 4)
            told += f" At {other[0]} and {other[1]} the score is {same}."
        speeds = np.degrees(rotary_angles(2, len(self.query), float(self.base))[1])
        told += f" d_head {len(self.query)}, base {self.base:,}: a position turns pair 0 by {plots.number(speeds[0])}°"
        if len(speeds) > 1:
            told += f" and pair {len(speeds) - 1} by {plots.number(speeds[-1])}°"
        return f"{told}."

    @plots.styled
    def picture(self) -> bytes:
        dials, curve = plots.new_axes(10, 3.4, columns=2)
        self._dials(dials)
        distances, score = scores(*self._vectors(), self.base)
        distance = self.query_position - self.key_position
        curve.plot(distances, score, color=plots.ROLES["positions"])
        curve.plot(distance, score[distance + POSITIONS - 1], "o", color=plots.INK)
        curve.axvline(distance, color=plots.INK, linewidth=0.8, linestyle=":")
        curve.grid(axis="y")
        curve.set(xlabel="distance: query position − key position", ylabel="score")
        curve.set_title(
            f"score {written(score[distance + POSITIONS - 1], 4)} at distance {written(distance, 0)}"
        )
        return plots.png(curve.figure, dpi=120)

    def _dials(self, ax: Axes) -> None:
        vectors = [np.array(one).reshape(-1, 2) for one in self._vectors()]
        longest = max(np.hypot(*one.T).max() for one in vectors) or 1
        speeds = rotary_angles(2, len(self.query), float(self.base))[1]
        columns = min(4, len(speeds))
        around = np.linspace(0, 2 * np.pi, 80)
        for pair, speed in enumerate(speeds):
            x, y = 2.6 * (pair % columns), -3.1 * (pair // columns)
            ax.plot(x + np.cos(around), y + np.sin(around), color=plots.FAINT, linewidth=0.8)
            for one, who, name, position, role, dash, tip in (
                (vectors[0], "query", self.names[0], self.query_position, "queries", "-", "o"),
                (vectors[1], "key", self.names[1], self.key_position, "keys", "--", "s"),
            ):
                turned = complex(*one[pair]) * np.exp(1j * position * speed) / longest
                ax.plot(
                    [x, x + turned.real], [y, y + turned.imag], color=plots.ROLES[role], linestyle=dash, marker=tip,
                    markevery=[1], markersize=5, label=None if pair else f"{who} “{name}” at {position}",
                )  # fmt: skip
            told = f"pair {pair}: {plots.number(np.degrees(speed))}°"
            ax.text(x, y - 1.15, told, ha="center", va="top", fontsize=9)
        ax.set_aspect("equal")
        ax.axis("off")
        ax.set_title("each pair turned by position × its degrees", loc="left")
        legend = ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower left", ncols=2)
        for text in legend.get_texts():
            text.set_parse_math(False)


def first_length(*vectors: Any) -> int:
    """How long the first is that has a length, or 8.

    >>> first_length(None, [1.0, 0.0]), first_length(None, None)
    (2, 8)
    """
    for given in vectors:
        with contextlib.suppress(TypeError):
            if not isinstance(given, str):
                return len(given)
    return len(QUERY)


def vector(name: str, given: Any, usual: Sequence[float], d_head: int) -> list[float]:
    """`given` as `d_head` numbers, or, where it is None, `usual` begun again and again.

    Raises ValueError where it is no vector of that length, or holds a number beyond 1,000.

    >>> vector("query", None, (1.0, 2.0, 3.0, 4.0), 6)
    [1.0, 2.0, 3.0, 4.0, 1.0, 2.0]
    """
    if given is None:
        return list(itertools.islice(itertools.cycle(usual), d_head))
    try:
        numbers = np.asarray(given, dtype=float)
    except (TypeError, ValueError, RuntimeError):  # torch raises the last, for a tensor in training
        numbers = np.zeros(0)
    if numbers.shape != (d_head,):
        raise ValueError(
            f"{name} must be a vector of d_head = {d_head} numbers, got {told(given)}; [1.0, 0.0] is one of 2"
        )
    if not (np.abs(numbers) <= LARGEST).all():  # NaN is not either
        raise ValueError(
            f"{name} must hold numbers from -{LARGEST:,} to {LARGEST:,}, got {told(given)}; scale it down"
        )
    return numbers.tolist()


def told(given: Any, most: int = 60) -> str:
    """What was given, on one short line."""
    text = " ".join(repr(given).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def place(name: str, position: Any) -> int:
    """A position that the sliders reach; raises ValueError for any other."""
    return whole(name, position, 0, POSITIONS - 1, "positions count from 0")


def two_names(names: Any) -> list[str]:
    """The names of query and key; raises ValueError unless they are two short texts that can be printed."""
    if not isinstance(names, list | tuple) or len(names) != 2:
        raise ValueError(
            f'names must be two, the query\'s and the key\'s, got {told(names)}; ("sat", "cat") are two'
        )
    for name in names:
        if (
            not isinstance(name, str)
            or not 0 < len(name.strip()) <= len(name) <= 20
            or not name.isprintable()
        ):
            raise ValueError(
                f"a name must be 1 to 20 characters that can be printed, got {told(name)}; shorten it"
            )
    return list(names)
