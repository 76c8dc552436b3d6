"""The map explorer: words as points in two dimensions, and what such a map leaves out, measured.

One map or several of the same words: two projections to choose from, or the steps of a training with a slider.
Everything is drawn and worked out in the browser. What ``word_map.js`` computes is here under the same names:
`written`, `find`, `overlap`, `measured`, `WordMap.describe`; the tests run both on the same numbers.

What it leaves out: how the maps and the neighbours were found. It draws what it is given.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import ClassVar, NamedTuple

import numpy as np
import traitlets
from jaxtyping import Float, Int
from matplotlib.axes import Axes

from helpers import plots
from helpers.explorers.base import Explorer, script, style

MOST_WORDS = 20_000  # more, and a laptop no longer draws 60 pictures a second
MOST_NEIGHBOURS = 30
MOST_CHOICES = 8  # maps side by side to choose from; more need a slider
ALL_NAMED = 150  # up to so many words, every one has its name beside it
SUGGESTED = 6
TOLD = 5  # neighbours in the sentence
NONE = 255  # of a word in no group

# Of each group: colour and shape, so that nothing is told by colour alone. matplotlib's markers; SHAPES in word_map.js.
GROUP_ROLES = ("counts", "keys", "positions", "loss", "values", "truth", "tokens", "queries")
GROUP_MARKS = ("s", "^", "D", "v", "P", "X", "o", "*")


def written(word: str) -> str:
    """A word as a reader can see it: as it is, or with its white space and control characters made visible.

    >>> written("New York"), written(" York")
    ('New York', '␣York')
    """
    return word if word.isprintable() and word.strip() == word else plots.visible(word)


def _key(word: str) -> str:
    return word.strip(" ").lower()


class Found(NamedTuple):
    """What a search finds."""

    word: int | None  # the number of the word itself
    begins: list[int]  # of other words that begin so, the first few


def find(words: Sequence[str], query: str) -> Found:
    """The word that a query means, and the first 6 others that begin with it.

    The word as it was typed; where there is none, the first that is the same without outer spaces and with
    all letters small.

    >>> find(["cat", "Cats", "dog", " cat"], "CAT")
    Found(word=0, begins=[1, 3])
    """
    wanted = _key(query)
    if not wanted:
        return Found(None, [])
    keys = [_key(word) for word in words]
    same = [i for i, word in enumerate(words) if word == query] or [
        i for i, key in enumerate(keys) if key == wanted
    ]
    word = same[0] if same else None
    begins = [i for i, key in enumerate(keys) if i != word and key.startswith(wanted)]
    return Found(word, begins[:SUGGESTED])


def overlap(
    xy: Float[np.ndarray, "word 2"], neighbours: Int[np.ndarray, "word k"], of: Sequence[int] | None = None
) -> Int[np.ndarray, " chosen"]:
    """How many of a word's k neighbours are also among its k nearest on the map; for all words, or those in `of`.

    A neighbour counts when fewer than k other words are nearer on the map. ``overlap(xy, ids).mean()`` is the number
    under the explorer.

    >>> line = np.array([[0.0, 0], [1, 0], [2, 0], [9, 0]])
    >>> overlap(line, np.array([[1, 2], [2, 3], [1, 0], [0, 1]])).tolist()
    [2, 1, 2, 1]

    Raises ValueError where the neighbours are not those of the words (see `WordMap`).
    """
    at = np.asarray(xy, np.float32).astype(np.float64)  # as the browser has them
    neighbours = _neighbours(neighbours, len(at))
    chosen = np.arange(len(at)) if of is None else np.asarray(of, dtype=int)
    k = neighbours.shape[1]
    kept = np.zeros(len(chosen), dtype=int)
    for first in range(0, len(chosen), 256):  # all pairs at once would fill the memory
        some = chosen[first : first + 256]
        squares = (at[some, None, 0] - at[:, 0]) ** 2 + (at[some, None, 1] - at[:, 1]) ** 2
        theirs = np.take_along_axis(squares, neighbours[some], axis=1)
        squares[np.arange(len(some)), some] = np.inf  # a word is not its own neighbour
        reach = np.partition(squares, k - 1, axis=1)[:, k - 1]
        kept[first : first + 256] = (theirs <= reach[:, None]).sum(axis=1)
    return kept


def measured(k: int, dimensions: int | None, mean: float, word: str = "", own: int = 0) -> str:
    """What a map keeps of a word's neighbours, in a sentence; with `word`, its own number too.

    >>> measured(10, 576, 3.24, "cat", 5)
    "Of a word's 10 nearest in 576 dimensions, 3.2 are also among its 10 nearest on this map, on average; of those of 'cat', 5."
    """
    told = f"Of a word's {k} nearest in {space(dimensions)}, {mean:.1f} are also among its {k} nearest on this map, on average"
    return told + (f"; of those of {_quoted(word)}, {own}." if word else ".")


def space(dimensions: int | None) -> str:
    """Where the neighbours were found, in words.

    >>> space(576), space(None)
    ('576 dimensions', 'the full space')
    """
    return "the full space" if dimensions is None else f"{dimensions:,} dimensions"


def _quoted(word: str) -> str:
    """A word in quotes, cut to 40 characters: `quoted` of shared.js."""
    told = written(word)
    return repr(told[:39] + "…" if len(told) > 40 else told)


class WordMap(Explorer):
    """A map of `words`, or several to choose from, with search, zoom, and each word's neighbours.

    `frames` gives each map its name and the place of every word on it, [word, 2]. `neighbours` are the numbers (from
    0) of each word's nearest in the full space, nearest first, [word, k], or [frame, word, k] where they change from
    map to map; `cosines` has their cosines in the same shape; `dimensions` is how many the full space has. Without
    neighbours a word can be found and ringed, and nothing is measured.

    With `slider` the maps are steps of one course of events: a slider and a play button move along them, and all
    share their limits. Without, each fills the picture, and the reader chooses one. `frame_label` names that control.
    `groups` gives names to some words, which get a colour and a shape, at most 8. `start` is the word chosen first,
    `frame` the name of the map shown first.

    Words must differ: a search could not tell two of a name apart. Raises ValueError for that, and for no words, more
    than 20,000, places or neighbours of another shape, NaN, a word as its own neighbour, and a `start`, `frame` or
    word of a group that is not there.

    >>> xy = np.array([[0.0, 0], [1, 0], [0, 9]])
    >>> ids = np.array([[1, 2], [0, 2], [0, 1]])
    >>> WordMap(["cat", "cats", "banjo"], {"PCA": xy}, neighbours=ids, start="cat")
    <WordMap: Map of 3 words (PCA): 'cat' and its nearest 'cats', 'banjo'.>
    """

    _esm = script("word_map")
    _css = style("word_map")
    shown: ClassVar[tuple[str, ...]] = ("chosen", "frame")

    words = traitlets.List().tag(sync=True)
    names = traitlets.List().tag(sync=True)  # of the maps
    xy = traitlets.Bytes().tag(sync=True)  # float32, little end first: [frame, word, 2]
    neighbours = traitlets.Bytes().tag(sync=True)  # uint16: [word, k] or [frame, word, k]; empty: none
    cosines = traitlets.Bytes().tag(sync=True)  # float32, in the same shape; empty: none
    k = traitlets.Int().tag(sync=True)  # neighbours of a word
    dimensions = traitlets.Int(None, allow_none=True).tag(sync=True)
    groups = traitlets.List().tag(sync=True)  # their names
    group_of = traitlets.Bytes().tag(sync=True)  # of each word: its group's number, or 255
    slider = traitlets.Bool().tag(sync=True)
    frame_label = traitlets.Unicode().tag(sync=True)
    chosen = traitlets.Unicode().tag(sync=True, echo_update=False)  # a word, or nothing
    frame = traitlets.Int().tag(sync=True, echo_update=False)  # the number of the map that is shown

    def __init__(
        self,
        words: Sequence[str],
        frames: Mapping[str, np.ndarray],
        *,
        neighbours: np.ndarray | None = None,
        cosines: np.ndarray | None = None,
        groups: Mapping[str, Sequence[str]] | None = None,
        frame_label: str = "map",
        slider: bool = False,
        start: str | None = None,
        frame: str | None = None,
        dimensions: int | None = None,
    ):
        words = _words(words)
        self._numbers = {word: number for number, word in enumerate(words)}
        self._xy = _places(frames, len(words), slider)
        names = list(frames)
        if frame is not None and frame not in names:
            raise ValueError(f"frame must be one of {', '.join(map(repr, names))}, got {frame!r}")
        if cosines is not None and neighbours is None:
            raise ValueError("cosines must come with neighbours, got none; pass the ids they belong to")
        if dimensions is not None and dimensions < 1:
            raise ValueError(
                f"dimensions must be 1 or more, got {dimensions}; leave it out if it is not known"
            )
        self._neighbours = None if neighbours is None else _neighbours(neighbours, len(words), len(names))
        if cosines is not None:
            cosines = _cosines(cosines, self._neighbours.shape)
        self._groups = _groups(groups or {}, self._numbers)
        group_of = np.full(len(words), NONE, dtype=np.uint8)
        for number, members in enumerate(self._groups.values()):
            group_of[members] = number
        if start is not None:
            self._number(start)
        super().__init__(
            words=words,
            names=names,
            xy=self._xy.astype("<f4").tobytes(),
            neighbours=b"" if neighbours is None else self._neighbours.astype("<u2").tobytes(),
            cosines=b"" if cosines is None else cosines.tobytes(),
            k=0 if neighbours is None else self._neighbours.shape[-1],
            dimensions=dimensions,
            groups=list(self._groups),
            group_of=group_of.tobytes(),
            slider=slider,
            frame_label=frame_label,
            chosen=start or "",
            frame=names.index(frame) if frame is not None else 0,
        )

    def _number(self, word: str) -> int:
        """The number of a word. Raises ValueError for one that is not on the map."""
        if word not in self._numbers:
            near = (
                get_close_matches(word, self.words or list(self._numbers), n=3)
                if isinstance(word, str)
                else []
            )
            hint = f"; {' and '.join(map(_quoted, near))} are on it" if near else "; choose one that is"
            raise ValueError(
                f"the word must be one of the {len(self._numbers):,} on the map, got {word!r}{hint}"
            )
        return self._numbers[word]

    def nearest(self, word: str) -> list[str]:
        """The neighbours of a word in the full space, nearest first, in the map that is shown."""
        ids = self._ids()
        return [] if ids is None else [self.words[i] for i in ids[self._number(word)]]

    def _ids(self) -> Int[np.ndarray, "word k"] | None:
        ids = self._neighbours
        return ids if ids is None or ids.ndim == 2 else ids[self.frame]

    def describe(self) -> str:
        if not 0 <= self.frame < len(self.names):
            raise ValueError(
                f"frame must be 0 to {len(self.names) - 1}, the number of a map, got {self.frame}"
            )
        which = self.names[self.frame]
        if self.slider:
            which += f", one of {len(self.names)} from {self.names[0]} to {self.names[-1]}"
        told = f"Map of {len(self.words):,} word{'' if len(self.words) == 1 else 's'} ({which})"
        if not self.chosen:
            return f"{told}. No word is chosen."
        self._number(self.chosen)
        near = [_quoted(word) for word in self.nearest(self.chosen)[:TOLD]]
        if not near:
            return f"{told}: {_quoted(self.chosen)} is ringed."
        return f"{told}: {_quoted(self.chosen)} and its nearest {', '.join(near)}."

    def picture(self) -> bytes:
        self.describe()  # says what can not be shown
        chosen = self._numbers[self.chosen] if self.chosen else None
        frames = sorted({0, self.frame, len(self.names) - 1}) if self.slider else [self.frame]
        axes = np.atleast_1d(plots.new_axes(7.6, 5.4 if len(frames) == 1 else 3.4, columns=len(frames)))
        for ax, frame in zip(axes, frames, strict=True):
            ids = self._neighbours[frame] if np.ndim(self._neighbours) == 3 else self._neighbours
            near = [] if ids is None or chosen is None else ids[chosen].tolist()
            if near:
                own, k = overlap(self._xy[frame], ids, [chosen])[0], len(near)
                ax.set_xlabel(
                    f"Of its {k} nearest in {space(self.dimensions)},\n{own} are among its {k} nearest here."
                )
            plot_map(
                self._xy[frame], [written(word) for word in self.words], chosen=chosen, near=near, groups=self._groups,
                limits=self._xy if self.slider else None, title=self.names[frame], ax=ax,
            )  # fmt: skip
        _legend(axes[0])
        return plots.png(axes[0].figure, dpi=150)


# ---- What may come in --------------------------------------------------------------------------------------------


def _words(words: Sequence[str]) -> list[str]:
    if isinstance(words, str):
        raise ValueError(f"words must be a list of strings, got one string {words[:20]!r}; wrap it as [word]")
    words = list(words)
    if not 1 <= len(words) <= MOST_WORDS:
        raise ValueError(
            f"a map must have 1 to {MOST_WORDS:,} words, got {len(words):,}; with more, a laptop can't redraw it "
            "60 times a second: take the most frequent ones"
        )
    for word in words:
        if not isinstance(word, str) or not word:
            raise ValueError(f"every word must be a string with a letter or more, got {word!r}; leave it out")
        if any("\ud800" <= sign <= "\udfff" for sign in word):
            raise ValueError(
                f"every word must be whole characters, got half of one in {word!r}; leave it out"
            )
    if len(set(words)) < len(words):
        twice = next(word for number, word in enumerate(words) if word in words[:number])
        raise ValueError(
            f"words must differ, got {twice!r} {words.count(twice)} times; keep one of them: a search could not tell "
            "them apart"
        )
    return words


def _places(
    frames: Mapping[str, np.ndarray], n_words: int, slider: bool
) -> Float[np.ndarray, "frame word 2"]:
    if not isinstance(frames, Mapping) or not frames:
        raise ValueError("frames must give each map a name, got none; pass {'PCA': xy}")
    if slider and len(frames) < 2:
        raise ValueError("a slider must have 2 maps or more to move along, got 1; leave slider out")
    if not slider and len(frames) > MOST_CHOICES:
        raise ValueError(
            f"a reader can choose from {MOST_CHOICES} maps at most, got {len(frames)}; pass slider=True"
        )
    for name, xy in frames.items():
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"every map must have a name, got {name!r}; pass {{'PCA': xy}}")
        shape = np.shape(xy)
        if shape != (n_words, 2):
            raise ValueError(
                f"the map {name!r} must have two numbers for each of the {n_words:,} words, got shape {shape}"
            )
        with np.errstate(over="ignore"):
            if not np.isfinite(np.asarray(xy, dtype=np.float32)).all():
                raise ValueError(
                    f"every place on the map {name!r} must be finite, got NaN or infinity; leave that word out"
                )
    return np.stack([np.asarray(xy, dtype=np.float32) for xy in frames.values()])


def _neighbours(ids: np.ndarray, n_words: int, n_frames: int | None = None) -> np.ndarray:
    """The ids as integers, [word, k] or, with `n_frames`, also [frame, word, k]; ValueError if they can't be neighbours."""
    ids = np.asarray(ids)
    shapes = [(n_words,), *([(n_frames, n_words)] if n_frames else [])]
    if ids.shape[:-1] not in shapes or not 1 <= ids.shape[-1] <= MOST_NEIGHBOURS:
        raise ValueError(
            f"neighbours must be 1 to {MOST_NEIGHBOURS} for each of the {n_words:,} words (once, or for every map), "
            f"got shape {ids.shape}"
        )
    if not np.issubdtype(ids.dtype, np.integer) or ids.min() < 0 or ids.max() >= n_words:
        raise ValueError(
            f"neighbours must be numbers of words, whole and from 0 to {n_words - 1:,}, got {ids.min()} to {ids.max()} "
            f"({ids.dtype}); number them within the map"
        )
    if (ids == np.arange(n_words)[:, None]).any():
        raise ValueError("no word must be its own neighbour, got one that is; leave out the first column")
    ordered = np.sort(ids, axis=-1)
    if (ordered[..., 1:] == ordered[..., :-1]).any():
        raise ValueError("the neighbours of a word must differ, got the same one twice; count each once")
    return ids.astype(int)


def _cosines(cosines: np.ndarray, shape: tuple[int, ...]) -> Float[np.ndarray, "..."]:
    cosines = np.asarray(cosines, dtype="<f4")
    if cosines.shape != shape:
        raise ValueError(f"cosines must have the shape of the neighbours, {shape}, got {cosines.shape}")
    if not (np.abs(cosines) <= 1.001).all():  # NaN too; a cosine worked out in float32 may end just above 1
        raise ValueError("every cosine must be from -1 to 1, got one that is not; divide by both lengths")
    return cosines


def _groups(groups: Mapping[str, Sequence[str]], numbers: Mapping[str, int]) -> dict[str, list[int]]:
    """The numbers of the words of each group."""
    if len(groups) > len(GROUP_ROLES):
        raise ValueError(
            f"groups can be {len(GROUP_ROLES)} at most, got {len(groups)}; there are no more shapes"
        )
    of: dict[str, str] = {}
    for name, members in groups.items():
        if isinstance(members, str) or not len(members):
            raise ValueError(f"the group {name!r} must be a list of words, got {members!r}")
        for word in members:
            if word not in numbers:
                raise ValueError(
                    f"every word of a group must be on the map, got {word!r} in {name!r}; leave it out"
                )
            if of.setdefault(word, name) != name:
                raise ValueError(
                    f"a word can be in one group, got {word!r} in {of[word]!r} and {name!r}; choose one"
                )
    return {name: sorted({numbers[word] for word in members}) for name, members in groups.items()}


# ---- The picture for readers without a kernel ---------------------------------------------------------------------


@plots.styled
def plot_map(
    xy: Float[np.ndarray, "word 2"],
    labels: Sequence[str],
    *,
    chosen: int | None = None,
    near: Sequence[int] = (),
    groups: Mapping[str, Sequence[int]] | None = None,
    limits: Float[np.ndarray, "*any 2"] | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Words as points, as many of their names beside them as find room; both axes have one scale.

    `chosen` is ringed, with lines to the words in `near`; their names come first. Up to 150 words all have their names.
    `groups` gives a name to the numbers of some words, which get a colour and a shape. `limits` are points that must
    all fit in (by default `xy`), so that several maps share their limits. Raises ValueError unless there is a name for
    each point.
    """
    if len(xy) != len(labels):
        raise ValueError(f"labels must have one entry for each of the {len(xy)}, got {len(labels)}")
    alone = ax is None
    ax = plots.new_axes(7.6, 5.4) if ax is None else ax
    ends = np.reshape(xy if limits is None else limits, (-1, 2)).astype(float)
    middle, reach = (ends.max(axis=0) + ends.min(axis=0)) / 2, np.ptp(ends, axis=0).max() / 2
    low, high = middle - 1.1 * (reach or 1), middle + 1.1 * (reach or 1)
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xticks=[], yticks=[], aspect="equal")
    for spine in ax.spines.values():
        spine.set(visible=True, color=plots.FAINT, linewidth=0.6)
    large = len(xy) > ALL_NAMED
    groups = groups or {}
    grouped = {i for members in groups.values() for i in members}
    others = [i for i in range(len(xy)) if i not in grouped]
    size, ungrouped = (6 if large else 26), (plots.FAINT if groups else plots.ROLES["tokens"])
    ax.scatter(*xy[others].T, s=size, color=ungrouped, alpha=0.35 if large else 0.9, linewidths=0)
    for (name, members), role, mark in zip(groups.items(), GROUP_ROLES, GROUP_MARKS, strict=False):
        ax.scatter(*xy[members].T, s=max(22, size), color=plots.ROLES[role], marker=mark, edgecolors=plots.INK,
                   linewidths=0.5, label=name)  # fmt: skip
    if chosen is not None:
        for other in near:
            ax.plot(*xy[[chosen, other]].T, color=plots.INK, linewidth=0.8, alpha=0.6)
        ax.scatter(*xy[list(near)].T, s=40, facecolors="none", edgecolors=plots.INK, linewidths=1)
        ax.scatter(*xy[[chosen]].T, s=110, facecolors="none", edgecolors=plots.INK, linewidths=2)
    first = [*([] if chosen is None else [chosen]), *near]
    ax.set_title(plots.named(title), parse_math=False)
    if alone:
        _legend(ax)
    _name_points(
        ax, xy, labels, first=first, most=60 if large else len(xy)
    )  # last: they need to know their room
    return ax


@plots.styled
def _legend(ax: Axes) -> None:
    """The groups' names under the whole figure, where there are groups."""
    handles, names = ax.get_legend_handles_labels()
    if handles:
        legend = ax.figure.legend(handles, names, loc="outside lower center", ncols=min(4, len(names)))
        for text in legend.get_texts():
            text.set_parse_math(False)


def _name_points(ax: Axes, xy: np.ndarray, labels: Sequence[str], *, first: Sequence[int], most: int) -> None:
    """Names right of their points where no other name stands, at most so many, those of `first` before all others."""
    ax.figure.draw_without_rendering()
    renderer, taken = ax.figure.canvas.get_renderer(), []
    for i in list(dict.fromkeys([*first, *range(len(xy))])):
        if len(taken) == most:
            return
        bold = {"fontweight": "bold"} if i in first[:1] and len(first) > 1 else {}
        told = labels[i] if len(labels[i]) <= 24 else labels[i][:23] + "…"
        for place, align in (((5, 0), ("left", "center")), ((-5, 0), ("right", "center")), ((0, 5), ("center", "bottom")),
                             ((0, -5), ("center", "top"))):  # fmt: skip
            text = ax.annotate(plots.named(told), xy[i], place, textcoords="offset points", ha=align[0], va=align[1],
                               fontsize=8.5, parse_math=False, annotation_clip=True, **bold)  # fmt: skip
            box = text.get_window_extent(renderer)
            if not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            text.remove()
