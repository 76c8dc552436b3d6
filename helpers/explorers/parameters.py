"""The parameter counters: the sizes of a network can be edited, and its parameters are counted part by part.

`DenseCounter` draws fully connected layers, where every line is one parameter; `ParameterCounter` does the same sum
for a GPT, from a toy to GPT-3. The browser counts by itself (``parameters.js``), without a kernel; the same in Python
is ``helpers.parameters``, and `describe` below. The tests run both on the same sizes.

Sources: those of ``helpers.parameters``.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, ClassVar

import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from helpers import plots
from helpers.explorers.base import Explorer, script, style
from helpers.parameters import (
    PUBLISHED,
    Count,
    Sizes,
    bytes_told,
    dense_parameters,
    gpt_parameters,
    layer_names,
    sizes_of,
    weight_bytes,
)

MOST_LAYERS = 8  # that have room side by side
MOST_DRAWN = 12  # neurons of a layer; a larger one is a box with its number
OWN = "Your own sizes"

# Each part's colour: those that have a role have its colour, the others a shade of grey, and a hatching.
COLOURS = {
    "embedding": (plots.ROLES["tokens"], ""),
    "positions": (plots.ROLES["positions"], ""),
    "queries": (plots.ROLES["queries"], ""),
    "keys": (plots.ROLES["keys"], ""),
    "values": (plots.ROLES["values"], ""),
    "attention output": (plots.FAINT, "////"),
    "feed-forward": (plots.FAINT, ""),
    "norms": (plots.INK, "xxx"),
    "unembedding": (plots.ROLES["tokens"], "\\\\\\\\"),
}


class DenseCounter(Explorer):
    """Fully connected layers whose sizes can be edited, drawn, with their parameters counted term by term.

    `sizes` are the neurons of each layer, inputs first. Raises ValueError for fewer than two layers or more than
    eight, and for a size that is no whole number from 1 to 1,000,000.

    >>> DenseCounter([3, 5, 4, 2])
    <DenseCounter: Layers of 3, 5, 4 and 2 neurons: (3 + 1) × 5 + (5 + 1) × 4 + (4 + 1) × 2 = 20 + 24 + 10 = 54 parameters.>
    """

    _esm = script("parameters")
    _css = style("parameters")
    shown: ClassVar[tuple[str, ...]] = ("sizes",)

    kind = traitlets.Unicode("dense").tag(sync=True)  # which of the two the script is to show
    sizes = traitlets.List(traitlets.Any()).tag(sync=True, echo_update=False)

    def __init__(self, sizes: Any = (3, 5, 4, 2)):
        super().__init__(sizes=layer_sizes(sizes))

    # What Python sets later is held to the same rules.
    @traitlets.validate("sizes")
    def _valid_sizes(self, proposal: Any) -> list[int]:
        return layer_sizes(proposal["value"])

    def describe(self) -> str:
        count = dense_parameters(self.sizes)
        told = [f"{size:,}" for size in count.sizes]
        things = "parameter" if count.total == 1 else "parameters"
        return f"Layers of {', '.join(told[:-1])} and {told[-1]} neurons: {count.formula} {things}."

    @plots.styled
    def picture(self) -> bytes:
        ax = plots.new_axes(7.6, 4.2)
        draw_network(self.sizes, ax)
        return plots.png(ax.figure, dpi=120)


def layer_sizes(sizes: Any) -> list[int]:
    """The sizes as whole numbers; raises ValueError where `DenseCounter` does."""
    count = dense_parameters(sizes)
    if len(count.sizes) > MOST_LAYERS:
        raise ValueError(
            f"a network must have at most {MOST_LAYERS} layers to fit the drawing, got {len(count.sizes)}; "
            "dense_parameters counts any number of them"
        )
    return list(count.sizes)


def draw_network(sizes: list[int], ax: Axes) -> None:
    """Neurons as circles, biases as squares, and a line for every parameter; a large layer is a box."""
    count = dense_parameters(sizes)
    tall = max(min(size, MOST_DRAWN) for size in sizes) + 1
    for i, (name, size) in enumerate(zip(layer_names(len(sizes)), sizes, strict=True)):
        places = _places(sizes, i)
        if i:
            before = _places(sizes, i - 1)
            for number, y in enumerate(before):
                bias = number == len(before) - 1
                for to in places[: _drawn(size)]:
                    ax.plot(
                        [i - 1, i], [y, to], color=plots.ROLES["counts"] if bias else plots.FAINT,
                        linewidth=1.2 if bias else 0.9, linestyle="--" if bias else "-", zorder=1,
                    )  # fmt: skip
            term = f"{count.terms[i - 1]:,}"
            ax.text(i - 0.5, tall / 2 + 0.5, term, ha="center", fontsize=11, weight="bold")
        shown = places[: _drawn(size)]
        if size > MOST_DRAWN:
            ax.plot([i], [shown[0]], "s", markersize=54, color=plots.CHIPS[0], markeredgecolor=plots.INK)
            ax.text(i, shown[0], f"{size:,}", ha="center", va="center", rotation=90, zorder=4)
        else:
            ax.plot(
                [i] * len(shown), shown, "o", markersize=12, color=plots.CHIPS[0], markeredgecolor=plots.INK
            )
        if len(places) > len(shown):
            ax.plot([i], places[-1:], "s", markersize=10, color=plots.CHIPS[1], markeredgecolor=plots.INK)
        ax.text(i, -tall / 2 - 0.6, f"{name}\n{size:,}", ha="center", va="top")
    ax.set(xlim=(-0.5, len(sizes) - 0.5), ylim=(-tall / 2 - 2.2, tall / 2 + 1.2))
    ax.axis("off")
    ax.set_title(f"{count.formula} parameters" if len(count.formula) < 80 else f"{count.total:,} parameters")


def _drawn(size: int) -> int:
    """How many marks stand for a layer: one for each neuron, or one box."""
    return size if size <= MOST_DRAWN else 1


def _places(sizes: list[int], i: int) -> np.ndarray:
    """How high the marks of a layer stand, from the top down; the last one is the bias of the layer behind it."""
    marks = _drawn(sizes[i]) + (i < len(sizes) - 1)
    step = 1.0 if sizes[i] <= MOST_DRAWN else max(2.4, (min(max(sizes), MOST_DRAWN) - 1) / 2)
    return step * ((marks - 1) / 2 - np.arange(marks))


class ParameterCounter(Explorer):
    """The parameters of a GPT, part by part: one of ``parameters.PUBLISHED``, or with sizes of your own.

    `model` is the name of a published one, or a ``GPTConfig`` or ``Sizes``. Raises ValueError for a name that is not
    known, and for sizes that ``parameters.Sizes`` refuses.

    >>> print(ParameterCounter("Tinytown GPT").alt.split(": ")[0])
    Tinytown GPT has 113,088 parameters
    """

    _esm = script("parameters")
    _css = style("parameters")
    shown: ClassVar[tuple[str, ...]] = ("sizes",)

    kind = traitlets.Unicode("gpt").tag(sync=True)
    presets = traitlets.List().tag(sync=True)  # {name, sizes, published, year, source} of each
    sizes = traitlets.Dict().tag(sync=True, echo_update=False)  # the fields of parameters.Sizes
    width = traitlets.Int(900).tag(sync=True)

    def __init__(self, model: Any = "SmolLM2"):
        if isinstance(model, str):
            if model not in PUBLISHED:
                raise ValueError(
                    f"model must be one of {', '.join(PUBLISHED)}, or a GPTConfig, got {model[:60]!r}; "
                    "take the nearest and edit its sizes"
                )
            model = PUBLISHED[model].sizes
        presets = [
            {"name": name, **one._asdict(), "sizes": asdict(one.sizes)} for name, one in PUBLISHED.items()
        ]
        super().__init__(sizes=asdict(sizes_of(model)), presets=presets)

    @traitlets.validate("sizes")
    def _valid_sizes(self, proposal: Any) -> dict[str, Any]:
        return asdict(sizes_from(proposal["value"]))

    @property
    def model(self) -> str:
        """The name of the published model that has these sizes, or "Your own sizes"."""
        return next((name for name, one in PUBLISHED.items() if asdict(one.sizes) == self.sizes), OWN)

    def describe(self) -> str:
        return describe(self.model, gpt_parameters(Sizes(**self.sizes)))

    @plots.styled
    def picture(self) -> bytes:
        count = gpt_parameters(Sizes(**self.sizes))
        shares, scale = plots.new_axes(10, 4.6, columns=2)
        draw_shares(count, shares)
        shares.set_title(f"{self.model}: {count.total:,} parameters")
        draw_scale(self.model, count.total, scale)
        return plots.png(shares.figure, dpi=120)


def sizes_from(values: Mapping[str, Any]) -> Sizes:
    """`Sizes` of a dict; raises ValueError for a field that is not known, and where `Sizes` does."""
    known = [field.name for field in fields(Sizes)]
    for name in values:
        if name not in known:
            raise ValueError(f"sizes must be {', '.join(known)}, got {name!r}; leave it out")
    missing = [name for name in known[:5] if name not in values]
    if missing:
        raise ValueError(f"sizes must hold {missing[0]}, got {', '.join(values) or 'nothing'}; add it")
    return Sizes(**values)


def describe(model: str, count: Count) -> str:
    """What is shown, in two or three sentences: the largest part first."""
    largest = sorted(count.parts, key=lambda part: -part.count)
    parts = [
        f"{part.name} {part.count:,} ({plots.percent(part.count / count.total)})"
        for part in largest
        if part.count
    ]
    told = f"{model} {'have' if model == OWN else 'has'} {count.total:,} parameters: {', '.join(parts)}. "
    if model in PUBLISHED and (published := PUBLISHED[model].published) != count.total:
        gap = plots.percent(abs(published - count.total) / published)
        told += (
            f"Published are {published:,}, rounded: {gap} {'more' if published > count.total else 'less'}. "
        )
    memory = [f"{bytes_told(size)} as {name}" for name, size in weight_bytes(count.total).items()]
    return f"{told}The weights take {', '.join(memory)}."


def draw_shares(count: Count, ax: Axes) -> None:
    """Each part as a bar as long as its share, in the order of the way through the model."""
    parts = [part for part in count.parts if part.count]
    for row, part in enumerate(parts):
        colour, hatch = COLOURS[part.name]
        share = part.count / count.total
        soft = tuple(0.5 + 0.5 * value for value in to_rgb(colour))
        ax.barh(row, share, 0.72, color=soft, hatch=hatch, edgecolor=colour, linewidth=1)
        ax.text(share + 0.01, row, f"{part.count:,} ({plots.percent(share)})", va="center", fontsize=9)
    ax.set_yticks(range(len(parts)), [part.name for part in parts])
    ax.invert_yaxis()
    ax.set_xlim(0, 1.6 * max(part.count for part in parts) / count.total)
    ax.tick_params(axis="y", length=0)
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)


def draw_scale(model: str, total: int, ax: Axes) -> None:
    """All published models and this one on a scale on which each step is ten times as many."""
    totals = {name: gpt_parameters(one.sizes).total for name, one in PUBLISHED.items()}
    if model not in totals:
        totals[model] = total
    names = sorted(totals, key=totals.get)
    for row, name in enumerate(names):
        own = name == model
        ax.plot(
            totals[name],
            row,
            "D" if own else "o",
            markersize=9 if own else 6,
            color=plots.INK if own else plots.FAINT,
        )
    ax.set_xscale("log")
    ax.set_xlim(min(1e5, min(totals.values()) / 2), max(1e12, max(totals.values()) * 2))
    labels = ax.set_yticks(range(len(names)), names)
    labels[names.index(model)].label1.set_fontweight("bold")
    ax.grid(axis="both")
    ax.set_xlabel("parameters; each step is ten times as many")
