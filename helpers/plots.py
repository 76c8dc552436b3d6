"""Pictures: one palette, one style, and functions that draw plain arrays on an axis.

Every ``plot_*`` function takes arrays and labels, draws on the ``ax`` that it is given (or on a new one)
and gives the axis back; none shows or saves anything, and matplotlib's global settings stay as they are.
``show(ax, alt)`` makes the picture that a notebook displays: a PNG with its alternative text.

A colour stands for one thing in the whole course (`ROLES`). The colours are Okabe and Ito's, made to be
told apart by colour-blind readers ("Color Universal Design", 2008), with darker greys for text.

Letters are the same on every machine: DejaVu, which comes with matplotlib, and for Hindi the font in ``fonts/``.
Matplotlib shapes text from version 3.11 on: before that, the vowel of हि stood on the wrong side.
"""

import base64
import functools
import html
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.patches import FancyBboxPatch, Rectangle

from helpers.pipeline import Pipeline

ROLES = {
    "tokens": "#0072B2",
    "positions": "#CC79A7",
    "queries": "#E69F00",
    "keys": "#009E73",
    "values": "#56B4E9",
    "probabilities": "#0072B2",
    "counts": "#E69F00",
    "loss": "#D55E00",
    "truth": "#3D3D3D",
}
INK, FAINT, PAPER = "#1F1F1F", "#767676", "#FFFFFF"

# Soft fills behind tokens, one after the other: neighbours differ in lightness too, for print.
CHIPS = ("#CFE5F5", "#F9E2B5", "#CDEBDF", "#F2D5E4", "#E3E3E3")

WEIGHTS = LinearSegmentedColormap.from_list("weights", ["#FFFFFF", "#9CCBE6", "#0072B2", "#003A5D"])
SIGNED = LinearSegmentedColormap.from_list("signed", ["#B24700", "#F4C29B", "#FFFFFF", "#9CCBE6", "#005A8F"])

DEVANAGARI = Path(__file__).parent / "fonts" / "NotoSansDevanagari-Regular.ttf"
fontManager.addfont(DEVANAGARI)
_hindi = fontManager.ttflist.pop()
# First, before this machine's own of that name; for bold text too, or matplotlib would warn at every title.
fontManager.ttflist[:0] = [_hindi, replace(_hindi, weight=700)]
# The second one gives the letters that the first one lacks.
SANS, MONO = (["DejaVu Sans", "Noto Sans Devanagari"], ["DejaVu Sans Mono", "Noto Sans Devanagari"])

STYLE = {
    "font.family": SANS,
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#9A9A9A",
    "axes.facecolor": PAPER,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": "#E4E4E4",
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "figure.facecolor": PAPER,
    "figure.dpi": 100,
    "figure.constrained_layout.w_pad": 0.12,
    "figure.constrained_layout.h_pad": 0.1,
    "lines.linewidth": 2,
    "svg.fonttype": "none",
}

# In JupyterLab's dark theme the picture is turned light on dark; turning the hues back keeps the roles' colours.
DARK = '<style>[data-jp-theme-light="false"] .uth-picture img{filter:invert(.93) hue-rotate(180deg)}</style>'
# Chips are text, not a picture: turned the same way, and their hues turned back.
DARK_CHIPS = (
    '<style>[data-jp-theme-light="false"] .uth-chip-still{filter:invert(.82) hue-rotate(180deg)}</style>'
)


def styled(function):
    """Runs a drawing function with the course's style and leaves matplotlib's settings as they were."""

    @functools.wraps(function)
    def inside(*arguments, **settings):
        with matplotlib.rc_context(STYLE):
            return function(*arguments, **settings)

    return inside


@styled
def new_axes(width: float = 6.8, height: float = 3.4, columns: int = 1) -> Axes | np.ndarray:
    """One axis, or a row of `columns` axes, on a new figure of `width` by `height` inches.

    >>> new_axes(4, 2).figure.get_size_inches().tolist()
    [4.0, 2.0]
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.subplots(1, columns)


LEAST = 520  # CSS pixels: a picture is never shown narrower


class Picture:
    """A drawn figure with its alternative text, ready for a notebook to display."""

    def __init__(self, png: bytes, alt: str, width: int):
        self.png, self.alt, self.width = png, alt, width

    def __repr__(self) -> str:
        return f"<Picture: {self.alt}>"

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png).decode("ascii")
        # JupyterLab drops the alternative text of an image output; that of an <img> it keeps.
        return (
            f'{DARK}<div class="uth-picture" style="overflow-x:auto"><img alt="{html.escape(self.alt)}" '
            # On a narrow screen it scrolls sideways before its letters are too small to read.
            f'style="width:{self.width}px;min-width:{min(self.width, LEAST)}px;max-width:100%;border-radius:6px" '
            f'src="data:image/png;base64,{data}"></div>'
        )


@styled
def png(figure: Figure, dpi: int = 180, compress: int = 6) -> bytes:
    """The figure as the bytes of a PNG file."""
    buffer, before = io.BytesIO(), figure.dpi
    figure.set_dpi(dpi)
    # Not savefig, which draws everything twice where a layout engine is at work.
    FigureCanvasAgg(figure).print_png(
        buffer, metadata={"Software": None}, pil_kwargs={"compress_level": compress}
    )
    figure.set_dpi(before)
    return buffer.getvalue()


def show(ax: Axes, alt: str) -> Picture:
    """The picture of the figure that `ax` is part of; `alt` says in a sentence what it shows.

    Raises ValueError for an empty `alt`: a picture that cannot be heard is not finished.
    """
    if not alt.strip():
        raise ValueError("alt must say in a sentence what the picture shows, got nothing")
    return Picture(png(ax.figure), named(alt), round(ax.figure.get_size_inches()[0] * 100))


def percent(share: float) -> str:
    """A share as a reader says it: whole percent, or enough digits below one.

    Raises ValueError for a negative share and NaN.

    >>> percent(0.774), percent(0.0042), percent(0.0), percent(0.00001), percent(0.996), percent(1.0)
    ('77 %', '0.4 %', '0 %', 'under 0.1 %', 'over 99 %', '100 %')
    """
    if not share >= 0:
        raise ValueError(f"a share must be 0 or more, got {share}; 0.5 is 50 %")
    if share == 0:
        return "0 %"
    if share < 0.001:
        return "under 0.1 %"
    if share < 0.0095:
        return f"{100 * share:.1f} %"
    if 0.995 <= share < 1:
        return "over 99 %"
    return f"{100 * share:.0f} %"


def number(value: float) -> str:
    """A count or a measure as text: whole numbers with commas, others with three digits.

    >>> [number(value) for value in (7, 12_345.0, 1234.56, 0.0123456)]
    ['7', '12,345', '1,235', '0.0123']
    """
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"


def _colour(roles: Mapping[str, str], name: str) -> str:
    """The colour of the role that `roles` gives to `name`; raises ValueError where it gives none or a wrong one."""
    role = roles.get(name)
    if role not in ROLES:
        raise ValueError(f"{name!r} must have one of the roles {', '.join(ROLES)}, got {role!r}")
    return ROLES[role]


def _fit(what: str, values: Sequence, labels: Sequence) -> None:
    """Raises ValueError unless there is a value for each label."""
    if len(values) != len(labels):
        raise ValueError(f"{what} must have one entry for each of the {len(labels)}, got {len(values)}")


def _told(value: float, unit: str) -> str:
    """What stands beside a bar."""
    if np.isnan(value):
        return "never counted"
    return percent(value) if unit == "probability" else number(value)


@styled
def plot_bars(
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    roles: Mapping[str, str] | None = None,
    title: str = "",
    unit: str = "probability",
    ax: Axes | None = None,
) -> Axes:
    """Sideways bars, the first label on top, one bar a series; each bar says its value.

    `series` gives a name and the values of every label. Values are shares (0 to 1) when `unit` is
    "probability", else numbers from 0. `roles` says which colour of `ROLES` each series has. A value of NaN
    draws no bar and says "never counted". Raises ValueError for no series, one that has not a value for each
    label, one without a role, and values that are negative or infinite.
    """
    if not series:
        raise ValueError("series must hold at least one, got none; pass {'model': [0.7, 0.3]}")
    for name, values in series.items():
        _fit(f"values of {name!r}", values, labels)
        if not all(0 <= value < np.inf or np.isnan(value) for value in values):
            raise ValueError(f"values of {name!r} must be 0 or more and finite, or NaN, got {min(values):g}"
                             f" to {max(values):g}; a bar begins at 0")  # fmt: skip
    roles = roles or dict.fromkeys(series, "probabilities")
    if ax is None:
        ax = new_axes(height=0.6 + (0.26 * len(series) + 0.1) * len(labels) + 0.3 * (len(series) > 1))
    largest = (
        max(
            (np.nanmax(values) for values in map(np.asarray, series.values()) if np.isfinite(values).any()),
            default=1,
        )
        or 1
    )  # if all are zero: an axis needs a width
    thick = 0.8 / len(series)
    for row, (name, values) in enumerate(series.items()):
        at = np.arange(len(labels)) + (row - (len(series) - 1) / 2) * thick
        known = np.nan_to_num(np.asarray(values, dtype=float))
        hatch = "" if row % 2 == 0 else "////"  # series differ without colour too
        ax.barh(
            at,
            known,
            0.9 * thick,
            color=_colour(roles, name),
            label=name,
            hatch=hatch,
            edgecolor=PAPER,
            linewidth=0,
        )
        for y, value in zip(at, values, strict=True):
            told = _told(value, unit)
            ax.text(np.nan_to_num(value) + 0.012 * largest, y, told, va="center", fontsize=9, color=INK)
    ax.set_yticks(range(len(labels)), [_label(label) for label in labels], parse_math=False)
    ax.invert_yaxis()
    ax.set_xlim(0, 1.16 * largest)
    ax.tick_params(axis="y", length=0)
    ax.spines["bottom"].set_visible(False)
    ax.set_xticks([])
    ax.set_xlabel("")
    if len(series) > 1:
        legend = ax.legend(
            loc="upper left", bbox_to_anchor=(0, 0), ncols=len(series), borderaxespad=0.4, handlelength=1.6
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    _title(ax, title)
    return ax


MOST_TOLD = 20  # of anything in an alternative text: who listens can't skim


def _first(told: Sequence[str], between: str = ", ") -> str:
    """The first few of many, and how many more there are."""
    more = [f"… {len(told) - MOST_TOLD:,} more"] if len(told) > MOST_TOLD else []
    return between.join([*told[:MOST_TOLD], *more])


def describe_bars(
    what: str, labels: Sequence[str], series: Mapping[str, Sequence[float]], *, unit: str = "probability"
) -> str:
    """What `plot_bars` shows, in a sentence: its alternative text.

    Tells the first 20 bars of each series, and how many more there are. Raises ValueError for a series that has
    not a value for each label.

    >>> describe_bars("After blue", ["sky", "sea"], {"counted": [0.7, 0.3]})
    'After blue: counted sky 70 %, sea 30 %.'
    """
    told = []
    for name, values in series.items():
        _fit(f"values of {name!r}", values, labels)
        bars = [f"{_label(label)} {_told(value, unit)}" for label, value in zip(labels, values, strict=True)]
        told.append(f"{name} {_first(bars)}")
    return f"{what}: {'; '.join(told)}."


def show_bars(
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    title: str,
    roles: Mapping[str, str] | None = None,
    unit: str = "probability",
) -> Picture:
    """`plot_bars` as a finished picture; `describe_bars` gives the alternative text.

    >>> show_bars(["sky", "sea"], {"counted": [0.7, 0.3]}, title="After blue")
    <Picture: After blue: counted sky 70 %, sea 30 %.>
    """
    ax = plot_bars(labels, series, roles=roles, title=title, unit=unit)
    return show(ax, describe_bars(title, labels, series, unit=unit))


@styled
def plot_lines(
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    roles: Mapping[str, str],
    levels: Mapping[str, tuple[float, str]] | None = None,
    x_label: str = "",
    y_label: str = "",
    title: str = "",
    log_x: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Lines with a mark at every value, each named at its right end; `levels` are named dashed lines.

    `levels` gives each level's name its height and its role. Raises ValueError for a series that has not a
    value for each `x`, for one without a role, and for `x` from 0 down on a logarithmic axis.
    """
    if log_x and not all(value > 0 for value in x):
        raise ValueError(f"a logarithmic axis needs x above 0, got {min(x)}; leave log_x out")
    ax = new_axes() if ax is None else ax
    marks = "os^Dv"
    if log_x:
        ax.set_xscale("log")
    for number, (name, y) in enumerate(series.items()):
        _fit(f"values of {name!r}", y, x)
        colour = _colour(roles, name)
        ax.plot(x, y, marker=marks[number % len(marks)], markersize=5, color=colour)
        ends = [point for point in zip(x, y, strict=True) if np.isfinite(point[1])][-1:]
        for end in ends:  # none where there is no line
            ax.annotate(
                name, end, (8, 0), textcoords="offset points", va="center", color=colour, parse_math=False
            )
    for name, (height, role) in (levels or {}).items():
        colour = _colour({name: role}, name)
        ax.axhline(height, color=colour, linestyle="--", linewidth=1.4)
        ax.annotate(name, (1, height), (8, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                    va="center", color=colour, annotation_clip=False, parse_math=False)  # fmt: skip
    ax.grid(axis="y")
    ax.set(xlabel=x_label, ylabel=y_label)
    _title(ax, title)
    return ax


@styled
def plot_heatmap(
    values: Float[np.ndarray, "row column"],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str = "",
    row_label: str = "",
    column_label: str = "",
    limits: tuple[float, float] = (0.0, 1.0),
    write: str | None = None,
    colours: LinearSegmentedColormap = WEIGHTS,
    ax: Axes | None = None,
) -> Axes:
    """A table as colours, rows down and columns across; `write` is the format of numbers in the cells.

    Raises ValueError unless there is a value for each row and column, and `limits` are a lower and a higher one.
    """
    values = np.asarray(values, dtype=float)
    if values.shape != (len(rows), len(columns)) or not values.size:
        raise ValueError(
            f"values must have the shape of the labels, {len(rows)} rows and {len(columns)} columns with at least "
            f"one each, got {values.shape}"
        )
    if not limits[0] < limits[1]:
        raise ValueError(f"limits must be a lower and a higher number, got {limits}; (0, 1) for shares")
    ax = new_axes(height=1.2 + 0.42 * len(rows)) if ax is None else ax
    ax.imshow(values, cmap=colours, vmin=limits[0], vmax=limits[1], aspect="auto")
    ax.set_xticks(range(len(columns)), [_label(label) for label in columns], parse_math=False)
    ax.set_yticks(range(len(rows)), [_label(label) for label in rows], parse_math=False)
    ax.tick_params(length=0)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    for spine in ax.spines.values():
        spine.set_visible(False)
    if write:
        for row, column in np.ndindex(values.shape):
            value = values[row, column]
            behind = colours((value - limits[0]) / (limits[1] - limits[0]))
            ax.text(column, row, format(value, write), ha="center", va="center", fontsize=9.5,
                    color=readable_on(behind))  # fmt: skip
    ax.set(xlabel=column_label, ylabel=row_label)
    _title(ax, title)
    return ax


def _told_apart(labels: Sequence[str], number: int) -> str:
    """A label, with its position (from 0) where the same one stands elsewhere too."""
    return f"{labels[number]} ({number})" if list(labels).count(labels[number]) > 1 else labels[number]


def _links(
    weights: Float[np.ndarray, "query key"],
    queries: Sequence[str],
    keys: Sequence[str],
    alignment: Sequence | np.ndarray,
) -> list[tuple[int, int]]:
    """The (row, column) that an alignment names; raises ValueError where it does not fit the words."""
    if np.shape(weights) != (len(queries), len(keys)) or not np.size(weights):
        raise ValueError(
            f"weights must have a row for each of the {len(queries)} queries and a column for each of the {len(keys)} "
            f"keys, at least one, got {np.shape(weights)}"
        )
    if not np.isfinite(weights).all():
        raise ValueError("weights must be finite, got NaN or infinity; take those after the softmax")
    if len(alignment) != len(queries):
        raise ValueError(
            f"alignment must have one entry for each of the {len(queries)} queries, got {len(alignment)}; None is for a "
            "query that comes from no key, such as <end>"
        )
    for column in alignment:
        whole = isinstance(column, int | np.integer) and not isinstance(column, bool)
        if column is not None and not (whole and 0 <= column < len(keys)):
            raise ValueError(
                f"alignment must hold positions of keys, from 0 to {len(keys) - 1}, or None, got {column!r}"
            )
    return [(row, int(column)) for row, column in enumerate(alignment) if column is not None]


@styled
def plot_alignment(
    weights: Float[np.ndarray, "query key"],
    queries: Sequence[str],
    keys: Sequence[str],
    alignment: Sequence | np.ndarray,
    *,
    title: str = "",
    row_label: str = "Hindi word written",
    column_label: str = "English word read",
    ax: Axes | None = None,
) -> Axes:
    """Cross-attention as a table, queries down and keys across, with a frame around each pair of the grammar's.

    `alignment` gives for each query the position (from 0) of the key that it comes from, or None where it comes from
    none, as ``<end>`` does. Raises ValueError for weights, or an alignment, that do not fit the words.
    """
    links = _links(weights, queries, keys, alignment)
    if ax is None:
        ax = new_axes(max(5.6, 1.9 + 0.72 * len(keys)), 1.5 + 0.4 * len(queries))
    plot_heatmap(weights, queries, keys, title=title, row_label=row_label, column_label=column_label, write=".2f", ax=ax)  # fmt: skip
    for colour, thick in ((PAPER, 6), (ROLES["truth"], 2.5)):  # a rim of paper: seen on dark cells too
        for row, column in links:
            corner = column - 0.48, row - 0.46
            ax.add_patch(Rectangle(corner, 0.96, 0.92, fill=False, edgecolor=colour, linewidth=thick))
    ax.annotate("frame: where the grammar says that the word comes from", (0, 0), (0, -7), xycoords="axes fraction",
                textcoords="offset points", va="top", fontsize=9, color=FAINT)  # fmt: skip
    return ax


def describe_alignment(
    what: str,
    weights: Float[np.ndarray, "query key"],
    queries: Sequence[str],
    keys: Sequence[str],
    alignment: Sequence | np.ndarray,
) -> str:
    """What `plot_alignment` shows, in a sentence or two: its alternative text.

    For each query the key with the largest weight, and the grammar's own where that is another. It tells no
    weights: their last digits differ from one processor to the next. Raises ValueError as `plot_alignment` does.

    >>> weights = np.array([[0.1, 0.2, 0.7], [0.9, 0.1, 0.0], [0.1, 0.2, 0.7]])
    >>> describe_alignment("Mean of all heads", weights, ["आप", "कैसे", "हैं"], ["how", "are", "you"], [2, 0, 1])
    'Mean of all heads: आप looks most at you, कैसे at how, हैं at you, where the grammar has are. 2 of 3 words look most
    at the one that the grammar names.'
    """
    links = dict(_links(weights, queries, keys, alignment))
    most = np.argmax(weights, axis=1).tolist()
    told = []
    for row, (query, column) in enumerate(zip(queries, most, strict=True)):
        other = (
            ""
            if links.get(row, column) == column
            else f", where the grammar has {_told_apart(keys, links[row])}"
        )
        told.append(f"{query} {'at' if told else 'looks most at'} {_told_apart(keys, column)}{other}")
    right = sum(most[row] == column for row, column in links.items())
    return (
        f"{what}: {_first(told)}. {right} of {len(links)} words look most at the one that the grammar names."
    )


def show_alignment(
    weights: Float[np.ndarray, "query key"],
    queries: Sequence[str],
    keys: Sequence[str],
    alignment: Sequence | np.ndarray,
    *,
    title: str,
) -> Picture:
    """`plot_alignment` as a finished picture; `describe_alignment` gives the alternative text.

    >>> show_alignment(np.array([[0.2, 0.8]]), ["नमस्ते"], ["oh", "hello"], [1], title="Layer 1")
    <Picture: Layer 1: नमस्ते looks most at hello. 1 of 1 words look most at the one that the grammar names.>
    """
    ax = plot_alignment(weights, queries, keys, alignment, title=title)
    return show(ax, describe_alignment(title, weights, queries, keys, alignment))


def luminance(colour) -> float:
    """How bright a colour is, from 0 (black) to 1 (white), by WCAG 2.2's definition of relative luminance.

    >>> luminance("#FFFFFF"), luminance("#000000")
    (1.0, 0.0)
    """
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return round(float(linear @ [0.2126, 0.7152, 0.0722]), 6)


def readable_on(colour) -> str:
    """Black or white, whichever can be read better on a colour.

    >>> readable_on("#FFFFFF"), readable_on("#003A5D")
    ('#000000', '#FFFFFF')
    """
    return "#000000" if luminance(colour) > 0.179 else "#FFFFFF"  # where both have the same contrast


def named(text: str) -> str:
    """A text in which what has no shape (control characters, half a surrogate pair) is named by its number.

    Line breaks stay.

    >>> named("a bell: " + chr(7))
    'a bell: ⟨07⟩'
    """
    return "".join(sign if sign.isprintable() or sign == "\n" else f"⟨{ord(sign):02X}⟩" for sign in text)


def _title(ax: Axes, title: str) -> None:
    """A title is a learner's text too: dollar signs make no formula of it."""
    ax.set_title(named(title), parse_math=False)


def _label(label: str | bytes) -> str:
    """A row's or column's name: a token as `visible` shows it, and a name of two words as it is written."""
    return (
        label if isinstance(label, str) and label.isprintable() and label.strip() == label else visible(label)
    )


def visible(piece: str | bytes) -> str:
    """A token as a reader can see it: a space as "␣", a line break as "⏎", bytes as their numbers.

    >>> visible(" sky"), visible(b"\\xe0\\xa4")
    ('␣sky', '⟨E0 A4⟩')
    """
    if isinstance(piece, bytes):
        return "⟨" + " ".join(f"{byte:02X}" for byte in piece) + "⟩"
    return named(piece.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥"))


def _wrap(
    count: int, make: Callable, more: Callable, room: float, gap: float, n_lines: int
) -> tuple[list, int]:
    """Lines of chips (their texts, their width) as wide as `room`, and how many of `count` got a chip.

    `make` gives the chip of a number; where all lines are full, the last chip is `more` of how many are left.
    """

    def fits(chip: tuple) -> bool:
        return not lines[-1] or sum(width + gap for _, width in lines[-1]) + chip[1] <= room

    def drop(chip: tuple) -> None:
        for text in chip[0]:
            text.remove()

    lines: list[list] = [[]]
    told = 0
    while told < count:
        chip = make(told)
        if not fits(chip):
            if len(lines) == n_lines:
                drop(chip)
                break
            lines.append([])
        lines[-1].append(chip)
        told += 1
    while told < count:  # chips make room until the number of the others fits
        chip = more(count - told)
        if fits(chip):
            lines[-1].append(chip)
            break
        drop(chip)
        drop(lines[-1].pop())
        told -= 1
    return lines, told


@styled
def plot_chips(
    pieces: Sequence[str | bytes],
    *,
    below: Sequence[object] | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Tokens as coloured chips that wrap like words in a line; `below` is written under each, ids for example.

    Where the axis is full, the last chip says how many more there are. For Latin, Greek,
    Cyrillic and Devanagari letters; `chips` shows any script. Raises ValueError unless `below` has an entry for
    each piece.
    """
    if below is not None:
        _fit("below", below, pieces)
    ax = new_axes(height=1.6) if ax is None else ax
    figure = ax.figure
    ax.set_axis_off()
    _title(ax, title)
    figure.draw_without_rendering()
    # Everything in inches, so that the picture can be saved at any resolution.
    inches, renderer = figure.dpi_scale_trans, figure.canvas.get_renderer()
    box = ax.get_window_extent().transformed(inches.inverted())
    em = 10 / 72  # a letter of size 10
    # How far it is from line to line, and how far down one line reaches.
    line, deep = (2.9 * em, 2.8 * em) if below is not None else (2.1 * em, 1.7 * em)

    def write(told: str, **settings):
        """A text that has no place yet, and its width."""
        text = ax.text(0, 0, told, ha="center", va="center", transform=inches, parse_math=False, **settings)
        return text, float(text.get_window_extent(renderer).width / figure.dpi)

    def chip(told: str, note: str | None, **settings):
        """The texts of one chip and its width; a chip wider than the axis is cut short."""
        mono = {"fontsize": 10, "family": MONO, **settings}
        shown, room = told[:300], box.width - 0.7 * em
        text, width = write(shown, **mono)
        if width > room or shown != told:
            text.remove()
            text, width = write(shown[: max(1, int(len(shown) * min(1, room / width)) - 2)] + "…", **mono)
        if note is None:
            return [text], width + 0.7 * em
        under, note_width = write(note, fontsize=8, color=FAINT)
        return [text, under], max(width + 0.7 * em, note_width + 0.5 * em)

    lines, told = _wrap(
        len(pieces),
        lambda number: chip(visible(pieces[number]), None if below is None else str(below[number])),
        lambda left: chip(f"… {left:,} more", None, color=FAINT),
        float(box.width),
        0.25 * em,
        n_lines=max(1, 1 + int((box.height - deep) / line)),
    )
    places = [(chips[:at], chips[at], row) for row, chips in enumerate(lines) for at in range(len(chips))]
    for number, (before, (texts, width), row) in enumerate(places):
        left = box.x0 + sum(other + 0.25 * em for _, other in before)
        middle = box.y1 - 0.9 * em - line * row
        for text, lower in zip(texts, (0, 1.45 * em), strict=False):
            text.set_position((left + width / 2, middle - lower))
        ax.add_patch(
            FancyBboxPatch(
                (left, middle - 0.8 * em), width, 1.6 * em, transform=inches, linewidth=0, zorder=0, clip_on=False,
                boxstyle=f"round,pad=0,rounding_size={0.3 * em}",
                facecolor=CHIPS[number % len(CHIPS)] if number < told else PAPER,
            )
        )  # fmt: skip
    return ax


class Chips:
    """Tokens as coloured chips in HTML: any script, and text that can be selected."""

    def __init__(self, rows: Sequence[tuple[str, Sequence[str | bytes], Sequence[object] | None]]):
        self.rows = rows

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {' | '.join(map(visible, pieces))}" for name, pieces, _ in self.rows)

    def _repr_html_(self) -> str:
        return DARK_CHIPS + "".join(_chip_row(*row) for row in self.rows)


def _chip_row(name: str, pieces: Sequence[str | bytes], below: Sequence[object] | None) -> str:
    chip = (
        '<span class="uth-chip-still" style="display:inline-block;background:{colour};color:{ink};border-radius:5px;padding:2px 6px;'
        "margin:2px;font-family:var(--jp-code-font-family,monospace);text-align:center;white-space:pre;"
        'max-width:100%;overflow-wrap:anywhere">{text}{note}</span>'
    )
    note = '<span style="display:block;font-size:11px;color:#4A4A4A">{}</span>'
    shown = [
        chip.format(
            colour=CHIPS[number % len(CHIPS)],
            ink=INK,
            text=html.escape(visible(piece)),
            note=note.format(html.escape(str(below[number]))) if below is not None else "",
        )
        for number, piece in enumerate(pieces)
    ]
    heading = f'<div style="font-size:12px;opacity:.85">{html.escape(named(name))}</div>' if name else ""
    return f'<div style="margin:6px 0">{heading}<div>{"".join(shown)}</div></div>'


def chips(pieces: Sequence[str | bytes], *, below: Sequence[object] | None = None, name: str = "") -> Chips:
    """Tokens as chips for a notebook to display; `below` is written under each, ids for example.

    Raises ValueError unless `below` has an entry for each piece.

    >>> chips(["the", " sky"], name="words")
    words: the | ␣sky
    """
    pieces, below = list(pieces), None if below is None else list(below)
    if below is not None:
        _fit("below", below, pieces)
    return Chips([(name, pieces, below)])


def chip_table(rows: Mapping[str, Sequence[str | bytes]]) -> Chips:
    """Several rows of chips, each with its name above it.

    >>> chip_table({"a": ["x"], "b": ["y", "z"]})
    a: x
    b: y | z
    """
    return Chips([(name, list(pieces), None) for name, pieces in rows.items()])


STAGES = ("tokens", "ids", "vectors", "positions", "attention", "probabilities")
_STAGE_TEXT = {
    "tokens": "1  tokens\ntext, cut into pieces",
    "ids": "2  ids\neach piece has a number",
    "vectors": "3  vectors\neach number picks a row of a table",
    "positions": "4  positions\nadd where it stands",
    "attention": "5  attention\neach piece looks at those before it",
    "probabilities": "6  probabilities\nodds of the piece that comes next",
}


def _lit(lit: Sequence[str]) -> Sequence[str]:
    """The stages to light, as a list; raises ValueError for one that does not exist."""
    lit = [lit] if isinstance(lit, str) else lit
    for stage in lit:
        if stage not in STAGES:
            raise ValueError(f"lit must name stages out of {', '.join(STAGES)}, got {stage!r}")
    return lit


@styled
def plot_pipeline(pipeline: Pipeline, lit: Sequence[str] = STAGES, *, ax: Axes | None = None) -> Axes:
    """The way of one text from letters to odds in six small pictures; those in `lit` are in full colour.

    Raises ValueError for a stage that does not exist.
    """
    lit = _lit(lit)
    if ax is None:
        ax = new_axes(8.6, 4.9)
    ax.figure.set_layout_engine("none")
    ax.set_axis_off()
    ax.set_position([0, 0, 1, 1])
    cells = {}
    for number, stage in enumerate(STAGES):
        column, row = number % 3, number // 3
        left, bottom = 0.035 + 0.325 * column, 0.535 - 0.49 * row
        on = stage in lit
        frame = FancyBboxPatch(
            (left - 0.015, bottom - 0.03), 0.29, 0.46, transform=ax.figure.transFigure, facecolor="none",
            boxstyle="round,pad=0,rounding_size=0.012", edgecolor=ROLES["tokens"] if on else "#D0D0D0",
            linewidth=2.2 if on else 1,
        )  # fmt: skip
        ax.add_artist(frame)
        name, told = _STAGE_TEXT[stage].split("\n")
        shade = 1.0 if on else 0.45
        ax.figure.text(left, bottom + 0.385, name, fontsize=11, weight="bold", alpha=shade)
        ax.figure.text(left, bottom + 0.335, told, fontsize=9, alpha=shade)
        cells[stage] = (ax.figure.add_axes([left, bottom, 0.26, 0.3]), shade)
        if column < 2:
            ax.figure.text(
                left + 0.2925, bottom + 0.2, "→", fontsize=17, ha="center", va="center", color=FAINT
            )
    words, size = pipeline.tokens, len(pipeline.tokens)
    for stage in ("tokens", "ids"):
        cell, shade = cells[stage]
        cell.set(xlim=(0, 1), ylim=(size - 0.5, -0.5))
        cell.set_axis_off()
        for row, word in enumerate(words):
            cell.text(0.04, row, visible(word), va="center", fontsize=10, alpha=shade, family=MONO,
                      bbox={"boxstyle": "round,pad=0.25", "facecolor": CHIPS[row % 5], "linewidth": 0, "alpha": shade})  # fmt: skip
            if stage == "ids":
                cell.text(0.5, row, "→", va="center", color=FAINT, alpha=shade)
                cell.text(0.92, row, str(pipeline.ids[row]), va="center", ha="right", alpha=shade)
    for stage, grid in (("vectors", pipeline.vectors), ("positions", pipeline.vectors + pipeline.positions)):
        cell, shade = cells[stage]
        scale = float(np.abs(pipeline.vectors).max())
        cell.imshow(grid[:, :12], cmap=SIGNED, vmin=-scale, vmax=scale, aspect="auto", alpha=shade)
        _bare(cell, words, shade)
    cell, shade = cells["attention"]
    cell.imshow(pipeline.attention, cmap=WEIGHTS, vmin=0, vmax=1, aspect="auto", alpha=shade)
    _bare(cell, words, shade)
    cell, shade = cells["probabilities"]
    rows = range(len(pipeline.next_words))
    cell.barh(rows, pipeline.next_probabilities, 0.7, color=ROLES["probabilities"], alpha=shade)
    for row, p in zip(rows, pipeline.next_probabilities, strict=True):
        cell.text(p + 0.02, row, percent(p), va="center", fontsize=8.5, alpha=shade)
    cell.set(xlim=(0, 1.3 * max(pipeline.next_probabilities)))
    _bare(cell, pipeline.next_words, shade)
    cell.invert_yaxis()
    return ax


def _bare(cell: Axes, words: Sequence[str], shade: float) -> None:
    """Word labels on the left, nothing else."""
    cell.set_xticks([])
    cell.set_yticks(range(len(words)), [visible(word) for word in words], fontsize=8.5, alpha=shade)
    cell.tick_params(length=0)
    for spine in cell.spines.values():
        spine.set_visible(False)
    # The labels stand inside the cell's own frame.
    place = cell.get_position()
    cell.set_position([place.x0 + 0.07, place.y0, place.width - 0.07, place.height])


def describe_pipeline(pipeline: Pipeline, lit: Sequence[str] = STAGES) -> str:
    """What `plot_pipeline` shows, in a sentence or two: its alternative text.

    Tells the first 20 tokens, and how many more there are. Raises ValueError for a stage that does not exist.
    """
    lit = _lit(lit)
    best = f"{pipeline.next_words[0]!r} with {percent(float(pipeline.next_probabilities[0]))}"
    part = "" if set(lit) == set(STAGES) else f" Lit here: {', '.join(lit) or 'nothing'}."
    return (
        f"The text {_first(pipeline.tokens, ' ')!r} in six stages: tokens, ids "
        f"({_first([str(number) for number in pipeline.ids])}), "
        f"vectors, positions added, attention, and the odds of the next word, {best} in front.{part}"
    )


# ---- Loss curves ---------------------------------------------------------------------------------------------------

LAST = 20  # steps whose mean stands for where a run is: a single batch is luck
NEAR = 0.1  # what differs by less than this share is said to be near
# Runs take turns: how much of the loss's own colour is in them, and their dashes.
RUN_STYLES = (
    (1.0, "-"), (0.45, (0, (7, 2))), (0.0, (0, (1.5, 1.5))),
    (1.0, (0, (9, 2, 2, 2))), (0.45, (0, (3, 1.5))), (0.0, (0, (12, 3))),
)  # fmt: skip


def running_mean(
    steps: Sequence[float] | np.ndarray, values: Sequence[float] | np.ndarray, window: int
) -> Float[np.ndarray, " step"]:
    """At every step, the mean of the values of the last `window` steps; with 0, the values themselves.

    Early on, where a loss falls fast, it takes no more than the last quarter of the steps so far. Values that are
    no finite number stay NaN, and count in no mean.

    >>> running_mean([10, 11, 12, 17], [4.0, 2.0, 3.0, 1.0], 2).tolist()
    [4.0, 3.0, 2.5, 1.0]
    """
    steps, values = np.asarray(steps, dtype=float), np.asarray(values, dtype=float)
    known = np.isfinite(values)
    if not window:
        return np.where(known, values, np.nan)
    total, count = (np.concatenate([[0.0], np.cumsum(x)]) for x in (np.where(known, values, 0.0), known))
    first = np.searchsorted(steps, steps - np.minimum(window, steps / 4), side="right")
    last = np.arange(1, len(steps) + 1)
    first = np.minimum(first, last - 1)  # a step counts in its own mean
    means = (total[last] - total[first]) / np.maximum(1, count[last] - count[first])
    return np.where(known, means, np.nan)


def among(loss: float, landmarks: Mapping[str, float]) -> str:
    """Where a loss stands among landmarks, in words: "near" one within 10 % of it, else above, below or between.

    >>> [among(loss, {"bigram": 1.2, "floor": 0.4}) for loss in (2, 1.25, 0.8, 0.42, 0.3)]
    ['above bigram', 'near bigram', 'between bigram and floor', 'near floor', 'below floor']
    """
    ladder = sorted(landmarks.items(), key=lambda one: -one[1])
    nearest, height = min(ladder, key=lambda one: abs(np.log(loss / one[1])))
    if abs(loss / height - 1) < NEAR:
        return f"near {nearest}"
    above = [name for name, height in ladder if height > loss]
    below = [name for name, height in ladder if height <= loss]
    if above and below:
        return f"between {above[-1]} and {below[0]}"
    return f"above {below[0]}" if below else f"below {above[-1]}"


def _way(means: np.ndarray, landmarks: Mapping[str, float]) -> str:
    """How a run went, in words that every processor gives, though the last digits of its losses differ."""
    first, last = means[0], means[-1]
    if not (landmarks and first > 0 and last > 0):
        change = last / first if first > 0 else 1
        return "falls" if change < 1 - NEAR else "rises" if change > 1 + NEAR else "stays where it began"
    ends = [among(float(loss), landmarks) for loss in (first, last)]
    if ends[0] == ends[1]:
        return f"begins and ends {ends[0]}"
    low, high = sorted((first, last))
    passed = sorted((height, name) for name, height in landmarks.items() if low < height < high)
    names = [
        name for _, name in (passed if last > first else passed[::-1]) if f"near {name}" not in ends
    ]  # fmt: skip
    middle = f", passes {_listed(names)}," if names else ""
    return f"begins {ends[0]}{middle} and ends {ends[1]}"


def _listed(names: Sequence[str]) -> str:
    """Names in a row, "and" before the last."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def describe_losses(
    runs: Mapping[str, tuple],
    landmarks: Mapping[str, float],
    *,
    outcomes: Mapping[str, str] | None = None,
    exact: bool = False,
) -> str:
    """What `plot_losses` shows, in a few sentences: its alternative text.

    Of each run it tells, by the mean of its last 20 steps, which landmarks it passes, and no digits: those of a
    training run differ from one processor to the next. With `exact` (for stored numbers) it tells them too.
    `outcomes` says how each run went: "finished after 900 steps".

    >>> describe_losses({"small": ([1, 40], [5.0, 0.6])}, {"uniform": 5.12, "floor": 0.4})
    'Loss in nats per token, with uniform at 5.12 and floor at 0.40. small, 2 points: begins near uniform and
    ends between uniform and floor.'
    """
    ladder = sorted(landmarks.items(), key=lambda one: -one[1])
    told = [f"Loss in nats per token, with {_listed([f'{name} at {height:.2f}' for name, height in ladder])}."
            if ladder else "Loss in nats per token."]  # fmt: skip
    if not runs:
        told.append("No run yet.")
    for name, (steps, losses) in runs.items():
        outcome = (outcomes or {}).get(name, f"{len(steps):,} point{'' if len(steps) == 1 else 's'}")
        means = running_mean(steps, losses, LAST)
        at, known = np.asarray(steps)[np.isfinite(means)], means[np.isfinite(means)]
        if not len(known):
            told.append(f"{name}, {outcome}: {'no loss that is a number' if len(steps) else 'no step yet'}.")
            continue
        digits = ""
        if exact:
            best = int(np.argmin(known))
            digits = (
                f", from {known[0]:.2f} to {known[-1]:.2f}, lowest {known[best]:.2f} at step {at[best]:,.0f}"
            )
        told.append(f"{name}, {outcome}: {_way(known, landmarks)}{digits}.")
    return " ".join(told)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places near the `wanted` ones that are `gap` apart, between `low` and `high`, in the same order.

    Where there is no room for all, they stand closer.

    >>> spread([5, 1, 2], 3, 0, 10), spread([9, 9], 3, 0, 10)
    ([7, 1, 4], [7, 10])
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    gap = min(gap, (high - low) / max(1, len(order) - 1))
    places, least = list(wanted), low
    for i in order:
        places[i] = max(wanted[i], least)
        least = places[i] + gap
    most = high
    for i in reversed(order):
        places[i] = min(places[i], most)
        most = places[i] - gap
    return places


def run_colour(number: int) -> tuple[float, ...]:
    """The colour of run 0, 1, 2 ...: the loss's own, more or less darkened.

    >>> run_colour(0) == to_rgb(ROLES["loss"]), run_colour(2) == to_rgb(INK)
    (True, True)
    """
    share = RUN_STYLES[number % len(RUN_STYLES)][0]
    own, ink = np.array(to_rgb(ROLES["loss"])), np.array(to_rgb(INK))
    return tuple((share * own + (1 - share) * ink).tolist())


@styled
def plot_losses(
    runs: Mapping[str, tuple],
    landmarks: Mapping[str, float],
    *,
    window: int = LAST,
    log_loss: bool = False,
    log_steps: bool = False,
    n_steps: int = 1,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Losses over training steps: every step faintly, the mean of the last `window` steps in front of it.

    `runs` gives each run's name its steps and its losses (nats per token); `landmarks` are levels named at the
    right edge, the floor (any whose name holds "floor") drawn through. The axis reaches to step `n_steps` at least. Raises
    ValueError for a run that has not a loss for each step.
    """
    for name, (steps, losses) in runs.items():
        _fit(f"losses of {name!r}", list(losses), list(steps))
    ax = new_axes(8.6, 4.0) if ax is None else ax
    labels, firsts, ends = (
        [],
        [],
        [],
    )  # what is named at the right edge (height, name, colour, weight); runs' ends
    for name, height in landmarks.items():
        floor = "floor" in name.lower()
        ax.axhline(height, color=ROLES["truth"] if floor else FAINT, linestyle="-" if floor else (0, (2, 3)),
                   linewidth=2.2 if floor else 1.1, zorder=1.5)  # fmt: skip
        labels.append((height, f"{name} {height:.2f}", ROLES["truth"], "bold" if floor else "normal"))
    tops = [1.0, *landmarks.values()] if not runs else list(landmarks.values())
    for number, (name, (steps, losses)) in enumerate(runs.items()):
        colour, dash = run_colour(number), RUN_STYLES[number % len(RUN_STYLES)][1]
        means = running_mean(steps, losses, window)
        few = {"marker": "o", "markersize": 4} if len(steps) <= 40 else {}
        if window:
            ax.plot(steps, running_mean(steps, losses, 0), color=colour, alpha=0.28, linewidth=0.8)
        ax.plot(steps, means, color=colour, linestyle=dash, linewidth=1.9, **few)
        known = means[np.isfinite(means)]
        tops += list(known)
        if len(known):
            labels.append((known[-1], name, colour, "bold"))
            ends.append((steps[-1], known[-1], colour))
            firsts.append(known[0])
    # A run that blows up leaves through the top, and the others stay readable; where runs begin is seen.
    top = min(max(tops, default=1.0), max([2 * max(landmarks.values(), default=np.inf), *firsts]))
    positive = [value for value in tops if value > 0]
    ax.set_xlim(1 if log_steps else 0, max([n_steps, 2, *(steps[-1] for steps, _ in runs.values())]))
    for step, height, colour in ends:  # a run that ended early is led to its name
        ax.plot([step, ax.get_xlim()[1]], [height] * 2, color=colour, linewidth=0.7, alpha=0.6)
    if log_steps:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:,.0f}")
    if log_loss and positive:
        ax.set_yscale("log")
        ax.set_ylim(0.88 * min(positive), 1.12 * top)
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter("{x:g}")
        ax.tick_params(axis="y", which="minor", labelsize=8)
    else:
        ax.set_ylim(0, 1.06 * top)
    ax.grid(axis="y")
    ax.set(xlabel="step", ylabel="loss, nats per token")
    if not runs:
        ax.text(0.5, 0.5, "no run yet", transform=ax.transAxes, ha="center", color=FAINT)
    _title(ax, title)
    _name_at_the_edge(ax, labels)
    return ax


def _name_at_the_edge(ax: Axes, labels: Sequence[tuple]) -> None:
    """Names right of an axis at their heights, moved apart where they would overlap, with a line to where they belong."""
    texts = [
        ax.text(1.04, 0.5, named(name), transform=ax.transAxes, va="center", color=colour, weight=weight, fontsize=9,
                parse_math=False)
        for _, name, colour, weight in labels
    ]  # fmt: skip
    ax.figure.draw_without_rendering()
    heights = [
        min(1.0, max(0.0, float(ax.transAxes.inverted().transform(ax.transData.transform((1, height)))[1])))
        for height, *_ in labels
    ]
    gap = 13 / 72 / (ax.get_window_extent().height / ax.figure.dpi)
    for text, height, place in zip(texts, heights, spread(heights, gap, 0.0, 1.0), strict=True):
        text.set_y(place)
        ax.plot(
            [1.0, 1.032], [height, place], transform=ax.transAxes, clip_on=False, linewidth=0.8, color=FAINT
        )


# ---------------------------------------------------------------------------------------------
# Small pictures, and numbers with their intervals.

SHADES = LinearSegmentedColormap.from_list("shades", [PAPER, "#A9A9A9", INK])


@styled
def plot_pictures(
    rows: Mapping[str, Any], *, given: int = 0, limits: tuple[float, float] = (0.0, 3.0)
) -> Axes:
    """Rows of small pictures ``[picture, row, column]``, each row with its name; from white to ink.

    With `given`, the upper so many pixel rows of each picture were there before: a line divides them from the rest.
    Raises ValueError for no pictures, rows of pictures of different sizes, and values that are not finite.

    >>> plot_pictures({"all ink": np.full((2, 8, 8), 3)}).get_yticklabels()[0].get_text()
    'all ink'
    """
    arrays = {name: np.asarray(pictures, dtype=float) for name, pictures in rows.items()}
    shapes = {pictures.shape[1:] for pictures in arrays.values()}
    if len(shapes) != 1 or any(pictures.ndim != 3 or not pictures.size for pictures in arrays.values()):
        raise ValueError(
            f"rows must hold pictures of one size, [picture, row, column], got {[a.shape for a in arrays.values()]}; "
            "a single one is picture[None]"
        )
    if not all(np.isfinite(pictures).all() for pictures in arrays.values()):
        raise ValueError("pictures must hold numbers, got NaN or infinity; see what made them")
    ((height, width),) = shapes
    most = max(map(len, arrays.values()))
    ax = new_axes(min(10.0, 1.2 + 0.75 * most), 0.2 + 0.75 * len(arrays) * height / width)
    for row, pictures in enumerate(arrays.values()):
        for column, picture in enumerate(pictures):
            left, bottom = column * 1.15, -row * 1.15 * height / width
            extent = (left, left + 1, bottom, bottom + height / width)
            ax.imshow(
                picture, cmap=SHADES, vmin=limits[0], vmax=limits[1], extent=extent, interpolation="nearest"
            )
            ax.add_patch(
                Rectangle((left, bottom), 1, height / width, fill=False, edgecolor=FAINT, linewidth=0.6)
            )
            if given:
                at = bottom + (height - given) / width
                ax.plot([left, left + 1], [at, at], color=ROLES["loss"], linewidth=1.2)
    ax.set_xlim(-0.05, most * 1.15 - 0.1)
    ax.set_ylim((1 - len(arrays)) * 1.15 * height / width - 0.05, height / width + 0.05)
    middles = [(0.5 - 1.15 * row) * height / width for row in range(len(arrays))]
    ax.set_yticks(middles, [named(name) for name in arrays])
    ax.set_xticks([])
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    return ax


def show_pictures(
    rows: Mapping[str, Any], alt: str, *, given: int = 0, limits: tuple[float, float] = (0.0, 3.0)
) -> Picture:
    """`plot_pictures` as a finished picture with its alternative text."""
    return show(plot_pictures(rows, given=given, limits=limits), alt)


@styled
def plot_intervals(
    labels: Sequence[str],
    values: Sequence[float],
    lows: Sequence[float],
    highs: Sequence[float],
    *,
    middle: float | None = None,
    label: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A dot for each label with a line from its low to its high, the first on top; `middle` draws a line across.

    Raises ValueError unless every label has a value, a low and a high, and low <= value <= high.

    >>> plot_intervals(["coin"], [0.5], [0.4], [0.6], middle=0.5, label="share right").get_xlabel()
    'share right'
    """
    labels = list(labels)
    for what, given in (("values", values), ("lows", lows), ("highs", highs)):
        _fit(what, given, labels)
    for name, value, low, high in zip(labels, values, lows, highs, strict=True):
        if not low <= value <= high:
            raise ValueError(
                f"each value must lie in its interval, got {value} for {name!r} in {low} to {high}"
            )
    ax = new_axes(height=0.9 + 0.34 * len(labels)) if ax is None else ax
    if middle is not None:
        ax.axvline(middle, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    places = range(len(labels), 0, -1)
    ax.hlines(places, lows, highs, color=ROLES["keys"], linewidth=2)
    ax.plot(values, places, "o", color=ROLES["keys"], markersize=6)
    ax.set_yticks(places, [named(name) for name in labels])
    ax.set_ylim(0.4, len(labels) + 0.6)
    ax.set_xlabel(label)
    return ax
