"""The sinusoid explorer: the table of sines and cosines that marks positions, seen in three ways.

A heatmap of the table, curves of single dimensions, and the dot product of one position's vector with all the
others. The browser works everything out by itself (``sinusoids.js``), without a kernel. The same in Python:
``sinusoid_table`` and ``wavelengths`` of ``positions``, and
`dot_products` and `describe` below; the tests run both.

Source: Vaswani et al. 2017, section 3.5.
"""

import operator
from typing import Any, ClassVar

import numpy as np
import traitlets
from jaxtyping import Float
from matplotlib.axes import Axes

from helpers import plots
from helpers.explorers.base import Explorer, script, style
from helpers.positions import sinusoid_table, wavelengths

WIDEST = 128  # dimensions
LONGEST = 512  # positions
BASES = (10, 100_000)
CURVES = 4
DASHES = ("-", (0, (6, 2)), (0, (1.2, 1.6)), (0, (7, 2, 1.2, 2)))  # as in sinusoids.css


def whole(name: str, value: Any, low: int, high: int, hint: str) -> int:
    """`value` as a whole number; raises ValueError where it is none, or not from `low` to `high`.

    >>> whole("position", 3.0, 0, 63, "positions count from 0")
    3
    """
    try:
        if isinstance(value, float | np.floating) and float(value).is_integer():
            number = int(value)
        else:
            number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or not low <= number <= high:
        raise ValueError(f"{name} must be a whole number from {low:,} to {high:,}, got {value!r}; {hint}")
    return number


def whole_base(value: Any) -> int:
    """A base that the explorers' slider reaches; raises ValueError for any other."""
    return whole("base", value, *BASES, "10,000 is the usual one")


def written(x: float, digits: int = 2) -> str:
    """A number with a real minus sign, and with none where it rounds to 0.

    >>> written(-0.125), written(-0.001), written(1234.5, 1)
    ('−0.12', '0.00', '1,234.5')
    """
    text = f"{abs(x):,.{digits}f}"
    return f"−{text}" if x < 0 and text.strip("0.") else text


def dot_products(
    table: Float[np.ndarray, "position d_model"], position: int
) -> Float[np.ndarray, " position"]:
    """The dot product of one position's vector with the vector of every position.

    Each pair of dimensions gives the cosine of its angle's difference, so with itself it is ``d_model / 2``.

    >>> dot_products(np.array([[0.0, 1.0], [1.0, 0.0], [0.6, 0.8]]), 2)
    array([0.8, 0.6, 1. ])
    """
    return table @ table[position]


def first_curves(d_model: int) -> list[int]:
    """The dimensions whose curves are drawn to begin with: fast ones and slower ones, all of them sines.

    >>> first_curves(64), first_curves(2)
    ([0, 8, 16, 32], [0])
    """
    return sorted({d_model // share // 2 * 2 for share in (2, 4, 8)} | {0})


class Sinusoids(Explorer):
    """The positions' table with sliders for its width, its base and one position.

    `dimensions` are up to 4 whose curves are drawn (None in the list draws none there). Raises ValueError for an
    odd `d_model` or one that is not from 2 to 128, a `base` that is not from 10 to 100,000, fewer than 2 or more
    than 512 positions, a `position` that is not one of them, and dimensions that are too many, twice there or not
    of the table.

    >>> Sinusoids(d_model=16, n_positions=32, base=1_000, position=3)
    <Sinusoids: 32 positions, d_model 16, base 1,000: dimensions 0 and 1 turn once in 6.28 positions, dimensions 14
    and 15 once in 2,650. The dot product of position 3 with itself is 8.00, with a neighbour 0.93 of that. Positions
    0 and 8 give 0.48 of it, 23 and 31 give 0.48: distance alone decides.>
    """

    _esm = script("sinusoids")
    _css = style("sinusoids")
    shown: ClassVar[tuple[str, ...]] = ("d_model", "base", "position", "dimensions")

    d_model = traitlets.Int().tag(sync=True, echo_update=False)
    base = traitlets.Int().tag(sync=True, echo_update=False)
    n_positions = traitlets.Int().tag(sync=True)
    position = traitlets.Int().tag(sync=True, echo_update=False)  # the one that is compared with all
    dimensions = traitlets.List().tag(sync=True, echo_update=False)  # with curves; a place may hold None
    width = traitlets.Int(1000).tag(sync=True)

    def __init__(
        self,
        d_model: int = 64,
        base: float = 10_000,
        n_positions: int = 64,
        *,
        position: int | None = None,
        dimensions: list[int | None] | None = None,
    ):
        d_model = even_width(d_model)
        base = whole_base(base)
        n_positions = whole("n_positions", n_positions, 2, LONGEST, "64 fill the picture well")
        position = one_of(n_positions, n_positions // 2 if position is None else position)
        dimensions = curves(first_curves(d_model) if dimensions is None else dimensions, d_model)
        super().__init__(
            d_model=d_model, base=base, n_positions=n_positions, position=position, dimensions=dimensions
        )

    # What Python sets later is held to the same rules. A curve may wait for a d_model that has its dimension.
    @traitlets.validate("d_model", "base", "position", "dimensions")
    def _valid(self, proposal: Any) -> Any:
        value = proposal["value"]
        return {
            "d_model": even_width,
            "base": whole_base,
            "position": lambda position: one_of(self.n_positions, position),
            "dimensions": lambda dimensions: curves(dimensions, WIDEST),
        }[proposal["trait"].name](value)

    def table(self) -> Float[np.ndarray, "position d_model"]:
        """The table that is shown now."""
        return sinusoid_table(self.n_positions, self.d_model, float(self.base))

    def describe(self) -> str:
        n, d, waves = self.n_positions, self.d_model, wavelengths(self.d_model, float(self.base))
        told = f"{n} positions, d_model {d}, base {self.base:,}: dimensions 0 and 1 turn once in "
        told += f"{plots.number(waves[0])} positions"
        if d > 2:
            told += f", dimensions {d - 2} and {d - 1} once in {plots.number(waves[-1])}"
        table, near = self.table(), self.position - 1 if self.position else 1
        own = dot_products(table, self.position)
        told += (
            f". The dot product of position {self.position} with itself is {written(own[self.position])}, "
        )
        told += f"with a neighbour {written(own[near] / own[self.position])} of that."
        apart = min(8, n - 2)
        if apart:
            pairs = (0, apart), (n - 1 - apart, n - 1)
            shares = [written(float(table[a] @ table[b]) / own[self.position]) for a, b in pairs]
            told += (
                f" Positions 0 and {apart} give {shares[0]} of it, {n - 1 - apart} and {n - 1} give {shares[1]}: "
                "distance alone decides."
            )
        return told

    @plots.styled
    def picture(self) -> bytes:
        axes = plots.new_axes(11, 3.6, columns=3)
        table, n, d = self.table(), self.n_positions, self.d_model
        plots.plot_heatmap(
            table, [""] * n, [""] * d, row_label="position", column_label="dimension", limits=(-1, 1),
            colours=plots.SIGNED, title="sines (even), cosines (odd)", ax=axes[0],
        )  # fmt: skip
        axes[0].set(xticks=ticks(d), yticks=ticks(n), xticklabels=ticks(d), yticklabels=ticks(n))
        axes[0].axhline(self.position, color=plots.INK, linewidth=0.8, linestyle=":")
        axes[0].figure.colorbar(axes[0].images[0], ax=axes[0], shrink=0.7, ticks=[-1, 0, 1])
        self._curves(axes[1])
        distances = np.arange(n) - self.position
        dots = dot_products(table, self.position)
        axes[2].plot(
            distances, dots, color=plots.ROLES["positions"], marker="o", markersize=2.5, linewidth=1.4
        )
        axes[2].axvline(0, color=plots.INK, linewidth=0.8, linestyle=":")
        axes[2].set(xlabel=f"distance from position {self.position}", ylabel="dot product")
        axes[2].set_ylim(bottom=min(0, dots.min()))
        axes[2].set_title(f"position {self.position} with all others")
        return plots.png(axes[0].figure, dpi=120)

    def _curves(self, ax: Axes) -> None:
        at = np.linspace(0, self.n_positions - 1, 4 * self.n_positions)
        for dimension, dash in zip(self.dimensions, DASHES, strict=False):
            if dimension is None or dimension >= self.d_model:
                continue
            wave = wavelengths(self.d_model, float(self.base))[dimension // 2]
            angle = 2 * np.pi * at / wave
            ax.plot(
                at, np.cos(angle) if dimension % 2 else np.sin(angle), linestyle=dash, linewidth=1.6,
                color=curve_colour(DASHES.index(dash)), label=f"{dimension}: {plots.number(wave)} positions a turn",
            )  # fmt: skip
        ax.set(xlabel="position", ylim=(-1.1, 1.1))
        ax.set_title("single dimensions")
        if ax.lines:
            ax.figure.legend(
                *ax.get_legend_handles_labels(), loc="outside lower center", ncols=CURVES, handlelength=3.4
            )


def curve_colour(number: int) -> tuple[float, ...]:
    """The colour of curve 0 to 3: the positions' own, then darker, so that print tells them apart too.

    >>> [round(part, 2) for part in curve_colour(0)]
    [0.8, 0.47, 0.65]
    """
    own, ink = (np.array(plots.to_rgb(colour)) for colour in (plots.ROLES["positions"], plots.INK))
    return tuple((((3 - number) * own + number * ink) / 3).tolist())


def ticks(n: int) -> range:
    """The numbers at the edge of `n` rows: 8 of them at most, so that they can be read.

    >>> list(ticks(5)), list(ticks(20))
    ([0, 1, 2, 3, 4], [0, 4, 8, 12, 16])
    """
    return range(0, n, next(step for step in (1, 4, 8, 16, 32, 64) if n <= 8 * step))


def even_width(d_model: Any) -> int:
    """`d_model` where it is even and from 2 to 128; raises ValueError for any other."""
    d_model = whole("d_model", d_model, 2, WIDEST, "64 fill the picture well")
    if d_model % 2:
        raise ValueError(
            f"d_model must be even, got {d_model}; sine and cosine come in pairs, take {d_model + 1}"
        )
    return d_model


def one_of(n_positions: int, position: Any) -> int:
    """`position` where it is one of them; raises ValueError for any other."""
    return whole("position", position, 0, n_positions - 1, "positions count from 0")


def curves(dimensions: Any, d_model: int) -> list[int | None]:
    """The dimensions whose curves are drawn; raises ValueError for more than 4, for one twice, and for a wrong one.

    >>> curves([0, 5, None], 64)
    [0, 5, None]
    """
    if not isinstance(dimensions, list | tuple) or len(dimensions) > CURVES:
        raise ValueError(
            f"dimensions must be a list of at most {CURVES}, got {dimensions!r}; take [0, 8, 16, 32]"
        )
    chosen = [
        None if one is None else whole("a dimension", one, 0, d_model - 1, "dimensions count from 0")
        for one in dimensions
    ]
    drawn = [one for one in chosen if one is not None]
    if len(set(drawn)) < len(drawn):
        raise ValueError(f"dimensions must differ from each other, got {dimensions!r}; leave one out")
    return chosen
