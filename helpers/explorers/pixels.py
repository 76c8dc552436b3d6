"""The pixel explorer: you draw the upper rows of a digit, and the model of ``helpers.pixels`` goes on, pixel by pixel.

All of it happens in the browser: the weights travel there once, and ``pixels.js`` reads and rolls there. It draws what
``pixels.complete`` draws with the same seed: the point that decides about a pixel is worked out the same way in both.

What ``pixels.js`` computes is here or in ``helpers.pixels``: `finished` (there ``complete`` and ``bits``), `row_costs`
(which it is sent) and `told_cost`; the tests run both on the same numbers.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, ClassVar, NamedTuple

import numpy as np
import traitlets
from jaxtyping import Float, Int
from matplotlib.colors import LinearSegmentedColormap

from helpers import pixels, plots
from helpers.explorers.base import Explorer, style
from helpers.explorers.dice import script_with_tinytown, weights_data
from helpers.pixels import LEVELS, PIXELS, SIDE
from helpers.transformer import GPT

SHADES = pixels.TOKENS[:LEVELS]
SAME = 1e-4  # bits a pixel by which two costs may differ and be the same: processors round differently
HIGHEST_SEED = 99
HOTTEST = 2.0
NOBODY = -1  # told no digit
SIGNS = "0123"  # one for each shade: a drawing is a text of 64

PAPER_TO_INK = LinearSegmentedColormap.from_list("pixels", ["#FAFAFA", "#B8B8B8", "#686868", "#141414"])
SURPRISE = LinearSegmentedColormap.from_list("surprise", ["#FAFAFA", "#D55E00"])


# ---- What the browser computes too --------------------------------------------------------------------------------


class Finished(NamedTuple):
    """A picture, with the dice that were rolled for it and how much of a surprise each pixel was."""

    levels: Int[np.ndarray, "8 8"]
    dice: Float[np.ndarray, "64 level"]  # after the temperature
    bits: Float[np.ndarray, "8 8"]  # at temperature 1


def finished(
    model: GPT, drawing: Any, rows: int = 4, temperature: float = 1.0, seed: int = 0, told: int | None = None
) -> Finished:
    """What `model` makes of the upper `rows` of `drawing`. Raises ValueError as ``pixels.draw`` does."""
    labels = None if told is None else np.array([told])
    drawn = pixels.draw(model, np.asarray(drawing)[None, :rows], temperature, seed, labels)
    return Finished(drawn.levels[0], drawn.dice[0], pixels.surprise(model, drawn.levels, labels)[0])


def row_costs(bits: Float[np.ndarray, "image 8 8"]) -> Float[np.ndarray, "8 image"]:
    """What the first row of each picture costs, the first two, and so on: the mean of `bits` a pixel.

    >>> row_costs(np.arange(8.0).repeat(8).reshape(1, 8, 8))[:3, 0].tolist()  # 0, (0 + 1) / 2, (0 + 1 + 2) / 3
    [0.0, 0.5, 1.0]
    """
    return (bits.mean(axis=2).cumsum(axis=1) / np.arange(1, SIDE + 1)).T


def told_cost(cost: float, rows: int, costs: Float[np.ndarray, " image"]) -> str:
    """The sentence about what given rows cost, beside the costs of the same rows of other pictures.

    >>> told_cost(1.25, 4, np.array([1.0, 1.5, 1.0]))
    'Your 4 rows cost 1.25 bits a pixel, more than those of 2 of the 3 test digits.'
    """
    if not rows:
        return "No row is given: all that the model has is the token in front of the picture."
    cheaper, among = int((costs < cost - SAME).sum()), len(costs)
    more = {0: "less than those of any", among: "more than those of any"}.get(
        cheaper, f"more than those of {cheaper}"
    )
    mine = "row costs" if rows == 1 else f"{rows} rows cost"
    return f"Your {mine} {cost:.2f} bits a pixel, {more} of the {among} test digits."


# ---- The explorer -------------------------------------------------------------------------------------------------


class PixelExplorer(Explorer):
    """A picture of which you draw the upper rows, and `model`, from ``pixels.load_pixels``, the others.

    `drawing` are 8 by 8 shades from 0 (paper) to 3 (ink), a test digit if none is given; of it, the model is given
    `rows` rows, 0 to 7. It may be `told` the digit, 0 to 9. `pixel`, 1 to 64, is the one whose dice are seen first;
    without it, the rolled pixel that was least likely. Raises ValueError for settings out of range, and for a model
    that does not know pictures or has parts that the browser has not.

    >>> PixelExplorer(pixels.load_pixels(), rows=7, temperature=0).drawing[:16]  # the upper two rows of a 3
    '0023200001313100'
    """

    _esm = script_with_tinytown("pixels")
    _css = style("pixels")
    shown: ClassVar[tuple[str, ...]] = ("drawing", "rows", "temperature", "seed", "told")

    config = traitlets.Dict().tag(sync=True)  # of the GPT
    sizes = traitlets.List().tag(sync=True)  # [name, how many numbers] of its weights, in their order
    weights = traitlets.Bytes().tag(sync=True)  # float32
    examples = traitlets.List().tag(sync=True)  # a test picture of each digit, as 64 signs
    costs = traitlets.Bytes().tag(sync=True)  # float32, [told no digit or its own, rows given, test picture]
    drawing = traitlets.Unicode().tag(sync=True, echo_update=False)  # 64 signs from 0 (paper) to 3 (ink)
    rows = traitlets.Int().tag(sync=True, echo_update=False)
    temperature = traitlets.Float().tag(sync=True, echo_update=False)
    seed = traitlets.Int().tag(sync=True, echo_update=False)
    told = traitlets.Int(NOBODY).tag(sync=True, echo_update=False)
    pixel = traitlets.Int().tag(sync=True, echo_update=False)  # whose dice are seen, counted from 1
    hide = traitlets.Bool(False).tag(sync=True, echo_update=False)  # what comes after it

    def __init__(
        self,
        model: GPT,
        drawing: Sequence[Sequence[int]] | np.ndarray | None = None,
        rows: int = 4,
        temperature: float = 1.0,
        seed: int = 0,
        told: int | None = None,
        pixel: int | None = None,
    ):
        test = pixels.digits("test")
        self._model = model
        costs = [row_costs(pixels.surprise(model, test.levels, labels)) for labels in (None, test.labels)]
        weights, sizes = _weights(model)
        examples = [test.levels[test.labels.tolist().index(digit)] for digit in range(10)]
        first = _checked(examples[3] if drawing is None else drawing, rows, temperature, seed, told)
        if pixel is None:
            pixel = _least_likely(finished(model, **first), first["rows"])
        super().__init__(
            config=asdict(model.config),
            sizes=sizes,
            weights=weights,
            examples=[_signs(picture) for picture in examples],
            costs=np.array(costs).astype("<f4").tobytes(),
            pixel=_whole("pixel", pixel, 1, PIXELS, "41 begins the sixth row"),
            drawing=_signs(first["drawing"]),
            rows=first["rows"],
            temperature=first["temperature"],
            seed=first["seed"],
            told=NOBODY if told is None else told,
        )

    def finished(self) -> Finished:
        """The picture that is shown. Raises ValueError where a trait is out of range."""
        return finished(self._model, **self._now())

    def _now(self) -> dict[str, Any]:
        """The settings as `finished` takes them."""
        levels = [SIGNS.find(sign) for sign in self.drawing]
        drawing = np.reshape(levels, (SIDE, SIDE)) if len(levels) == PIXELS else levels
        told = None if self.told == NOBODY else self.told
        return _checked(drawing, self.rows, self.temperature, self.seed, told)

    def describe(self) -> str:
        now, found = self._now(), self.finished()
        rows, levels = now["rows"], found.levels
        given = f"the upper {_plural(rows, 'row')} {_spelled(levels[:rows])}" if rows else "no row"
        dice = (
            f"temperature {now['temperature']:g}, seed {now['seed']}"
            if now["temperature"]
            else "temperature 0"
        )
        told = "" if now["told"] is None else f", told that it is a {now['told']}"
        return (
            f"The model was given {given} (0 is paper, 3 is ink) and drew {_spelled(levels[rows:])} at {dice}{told}. "
            f"{told_cost(float(found.bits[:rows].mean()) if rows else math.nan, rows, self._costs(now))}"
        )

    def _costs(self, now: dict[str, Any]) -> Float[np.ndarray, " image"]:
        """What as many rows of each test digit cost."""
        every = np.frombuffer(self.costs, dtype="<f4").reshape(2, SIDE, -1)
        return every[int(now["told"] is not None), max(now["rows"], 1) - 1]

    def picture(self) -> bytes:
        now, found = self._now(), self.finished()
        rows, names = now["rows"], [str(i + 1) for i in range(SIDE)]
        given = np.where(np.arange(SIDE)[:, None] < rows, found.levels, np.nan)
        axes = plots.new_axes(10, 3.7, columns=3)
        plots.plot_heatmap(
            given, names, names, title="Given", limits=(0, LEVELS - 1), colours=PAPER_TO_INK, ax=axes[0]
        )
        plots.plot_heatmap(
            found.levels.astype(float),
            names,
            names,
            title="The picture",
            limits=(0, LEVELS - 1),
            colours=PAPER_TO_INK,
            ax=axes[1],
        )
        plots.plot_heatmap(
            np.round(found.bits),
            names,
            names,
            title="Surprise in bits",
            limits=(0, 5),
            write=".0f",
            colours=SURPRISE,
            ax=axes[2],
        )
        for ax in axes:
            ax.set_aspect("equal")
            ax.axhline(rows - 0.5, color=plots.ROLES["tokens"], linewidth=2.5)
        return plots.png(axes[0].figure, dpi=150)


# ---- What may come in ---------------------------------------------------------------------------------------------


def _checked(drawing: Any, rows: Any, temperature: Any, seed: Any, told: Any) -> dict[str, Any]:
    """The settings as `finished` takes them; raises ValueError for one out of range."""
    try:
        levels = np.asarray(drawing)
    except ValueError:  # rows of different lengths
        levels = np.array(None)
    if (
        levels.shape != (SIDE, SIDE)
        or levels.dtype.kind not in "iuf"
        or not np.isin(levels, range(LEVELS)).all()
    ):
        raise ValueError(
            f"drawing must be {SIDE} rows of {SIDE} whole numbers from 0 (paper) to {LEVELS - 1} (ink), got "
            f"{drawing!r:.60}; pixels.digits('test').levels[0] is one"
        )
    if (
        isinstance(temperature, bool)
        or not isinstance(temperature, int | float | np.number)
        or not 0 <= temperature <= HOTTEST
    ):
        raise ValueError(
            f"temperature must be a number from 0 to {HOTTEST:g} here, got {temperature!r:.40}; 1 changes nothing"
        )
    return {
        "drawing": levels.astype(np.int64),
        "rows": _whole("rows", rows, 0, SIDE - 1, "4 are half a picture"),
        "temperature": round(float(temperature), 1),
        "seed": _whole("seed", seed, 0, HIGHEST_SEED, "try 0"),
        "told": None if told is None else _whole("told", told, 0, 9, "None tells it nothing"),
    }


def _whole(name: str, value: Any, least: int, most: int, hint: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most}, got {value!r:.40}; {hint}")
    return int(value)


def _weights(model: GPT) -> tuple[bytes, list[list[Any]]]:
    try:
        return weights_data(model)
    except ValueError as error:
        raise ValueError(f"{str(error).rpartition('; ')[0]}; pixels.load_pixels() gives one") from error


def _least_likely(found: Finished, rows: int) -> int:
    """The rolled pixel whose shade the dice had given least, counted from 1."""
    odds = np.take_along_axis(found.dice, found.levels.reshape(PIXELS, 1), axis=1)[:, 0]
    return SIDE * rows + int(odds[SIDE * rows :].argmin()) + 1


def _signs(levels: Int[np.ndarray, "8 8"]) -> str:
    """A picture as 64 signs."""
    return "".join(SIGNS[level] for level in levels.ravel())


def _spelled(levels: Int[np.ndarray, "row 8"]) -> str:
    """Rows as a listener can follow them.

    >>> _spelled(np.array([[0, 0, 3, 3, 0, 0, 0, 0], [0, 1, 2, 3, 0, 0, 0, 0]]))
    '00330000 01230000'
    """
    return " ".join("".join(SIGNS[level] for level in row) for row in levels)


def _plural(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"
