"""One word in two texts: where its vector stands after each block, and which words pull it there.

What models and maps work out (``helpers.paths``) is done when the explorer is made, for a few pairs of texts and each
model. From then on every step is drawn in the browser; only new texts are a question to the kernel. What
``sense_path.js`` computes is here under the same names: `parts_at`, `side`, `strongest`, `most`, `describe`; the tests
run both on the same numbers.

The map has the two senses left and right and the blocks from bottom to top. That is one direction of hundreds, chosen
because it has a meaning; a plane through the largest differences (principal components) shows mainly that all vectors
grow longer.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import traitlets
from jaxtyping import Float
from matplotlib.axes import Axes

from helpers import plots
from helpers.explorers.base import Explorer, script, style
from helpers.explorers.merges import drawable, shortened
from helpers.paths import CLOSE, Comparison, Places, Pulls

LONGEST = 200  # characters that a box takes
EDGE = 2.0  # of the map; what lies beyond is drawn at its edge
KEPT = 40  # comparisons that Python remembers
SHOWS = {"changed": "So far", "direct": "Directly, so far", "last": "Directly, in this step"}
MARKS = ("o", "s")  # first and second text, in the picture that stays
COLOURS = (plots.ROLES["tokens"], plots.ROLES["loss"])

Reader = Callable[[str, str], Comparison]
"""``reader(first, second)`` compares two texts; ``helpers.paths.PathReader(model, tokenizer)`` is one."""


# ---- What the browser computes too --------------------------------------------------------------------------------


class Parts(NamedTuple):
    """What moves the word; below 0 towards the first sense. What tokens changed in all does not add up to a step."""

    tokens: Float[np.ndarray, " token"]
    feed_forward: float
    rest: float
    together: float  # the sum of all
    looks: Float[np.ndarray, " token"]  # share of attention, mean over heads (and over blocks)


def parts_at(pulls: Pulls, block: int, show: str = "changed") -> Parts:
    """What each token changed in `block` blocks; or what the parts handed over ("direct"), or in the "last" of them.

    >>> one = Pulls(["a"], 0, np.array([0.0, 0.5, 0.25]), np.array([[0.25], [0.5]]), np.array([0.25, -0.75]),
    ...             np.zeros(2), np.ones((2, 1)), np.array([[0.0], [0.4], [0.9]]))
    >>> parts_at(one, 1, "last").together, parts_at(one, 2, "last").together, parts_at(one, 2, "direct").together
    (0.5, -0.25, 0.25)
    >>> parts_at(one, 2).tokens
    array([0.9])
    """
    steps = slice(max(0, block - 1) if show == "last" else 0, block)
    looks = pulls.looks[steps].sum(0) / max(1, 1 if show == "last" else block)
    if show == "changed":
        return Parts(pulls.changed[block], 0.0, 0.0, 0.0, looks)
    tokens = pulls.tokens[steps].sum(0)
    feed_forward, rest = float(pulls.feed_forward[steps].sum()), float(pulls.rest[steps].sum())
    return Parts(tokens, feed_forward, rest, float(tokens.sum()) + feed_forward + rest, looks)


def side(x: float, meanings: Sequence[str], digits: int = 1) -> str:
    """A place or a pull in words.

    >>> side(-0.42, ("river", "money")), side(0.02, ("river", "money")), side(0.02, ("river", "money"), 2)
    ('0.4 towards river', 'in the middle', '0.02 towards money')
    """
    if abs(x) < (CLOSE if digits == 1 else 0.005):
        return "in the middle" if digits == 1 else "0.00"
    return f"{abs(x):,.{digits}f} towards {meanings[0] if x < 0 else meanings[1]}"


def strongest(tokens: Float[np.ndarray, " token"]) -> int | None:
    """The token that pulls most, to either side; the first of those that agree to 3 digits; None where none pulls.

    >>> strongest(np.array([0.1, -0.3, 0.3001])), strongest(np.array([0.0004, 0.0]))
    (1, None)
    """
    sizes = np.array([float(f"{abs(x):.3f}") for x in tokens])
    return int(sizes.argmax()) if sizes.max() >= 0.005 else None


def most(pulls: Pulls, block: int, show: str, meanings: Sequence[str]) -> str:
    """Which of the words pulls most; and what the feed-forward network does, where the parts add up."""
    parts = parts_at(pulls, block, show)
    which = strongest(parts.tokens)
    told = "no word pulls"
    if which is not None:
        told = f"{quoted(pulls.labels[which])} pulls most ({side(parts.tokens[which], meanings, 2)})"
    return told if show == "changed" else f"{told}, feed-forward {side(parts.feed_forward, meanings, 2)}"


def quoted(label: str) -> str:
    """A token in quotes, without the space that begins it.

    >>> quoted(" River"), quoted("[CLS]")
    ("'River'", "'[CLS]'")
    """
    return repr(shortened(plots.visible(label.strip(" ") or label), 24))


def describe(got: Comparison, model: str, block: int, show: str = "changed") -> str:
    """What is shown, in two sentences."""
    n = len(got.cosines) - 1
    stands = [
        f"in {shortened(text)!r} it stands {_stands(pulls.path[block], got.meanings)}"
        for text, pulls in zip(got.texts, got.pulls, strict=True)
    ]
    told = f"{got.word!r} in {model} after {block} of {n} blocks: {', '.join(stands)}; cosine {_signed(got.cosines[block])}."
    if block:
        first, second = (most(pulls, block, show, got.meanings) for pulls in got.pulls)
        told += f" {SHOWS[show]}, in the first text {first}; in the second {second}."
    return told


def _stands(x: float, meanings: Sequence[str]) -> str:
    return (
        side(x, meanings)
        if abs(x) <= EDGE
        else f"off the map, beyond {meanings[0] if x < 0 else meanings[1]}"
    )


def _signed(x: float) -> str:
    return f"{x:.2f}".replace("-0.00", "0.00").replace("-", "−")


# ---- What may come in ----------------------------------------------------------------------------------------------


def _named(readers: object) -> dict[str, Reader]:
    """The readers under their names; raises ValueError where there is none, or one that is no function."""
    if not isinstance(readers, Mapping) or not readers:
        raise ValueError(f"readers must give each model a name, got {readers!r}; pass {{'SmolLM2': reader}}")
    for name, reader in readers.items():
        if not isinstance(name, str) or not name.strip() or not callable(reader):
            raise ValueError(
                f"every reader must be a function with a name, got {name!r}: {reader!r}; pass "
                "{'SmolLM2': PathReader(model, tokenizer)}"
            )
    return dict(readers)


def _texts(texts: Sequence[object]) -> tuple[str, str]:
    """Two texts; raises ValueError for an empty one, one that is too long, or half a character."""
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"a text must have a word or more, got {text!r}; type 'The River Bank'")
        if len(text) > LONGEST:
            raise ValueError(
                f"a text can be up to {LONGEST} characters long, got {len(text):,}; make it shorter"
            )
        if half := next((sign for sign in text if "\ud800" <= sign <= "\udfff"), None):
            raise ValueError(
                f"a text must be whole characters, got half of one, U+{ord(half):X}; take it out"
            )
    return tuple(texts)


def _pairs(pairs: object) -> list[tuple[str, str]]:
    try:
        pairs = [tuple(pair) for pair in pairs if not isinstance(pair, str)]
    except TypeError:
        pairs = []
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise ValueError(
            f"pairs must be a list of pairs of texts, got {pairs!r}; try [('The River Bank', 'The SBI Bank')]"
        )
    return [_texts(pair) for pair in pairs]


# ---- The explorer --------------------------------------------------------------------------------------------------


class SensePath(Explorer):
    """One word in two texts on its way through a model: a map, the words that pull it, the cosine.

    `readers` gives each model its name and a function of two texts, see `Reader`; `pairs` are the texts to begin with
    (by default those that the first reader brings), worked out at once for every model that can read them. A model that
    can read none is left out, and a line says why. `model` is the one that is shown, `pair` the number of the pair from
    0; `block` says how many blocks are done (by default half). `show` is "changed" (what each token changed so far),
    "direct" (what it handed over itself so far) or "last" (what it handed over in the last block).

    Raises ValueError for no reader, no pair that any model can read, and a `model`, `pair`,
    `block` or `show` that is not there.
    """

    _esm = script("sense_path")
    _css = style("sense_path")
    shown: ClassVar[tuple[str, ...]] = ("block", "show", "model", "first", "second")

    names = traitlets.List().tag(sync=True)  # of the models
    known = traitlets.List().tag(sync=True)  # comparisons worked out at the start; see `_packed`
    got = traitlets.Dict().tag(sync=True)  # the one that was asked for last
    note = traitlets.Unicode().tag(sync=True)  # which model is not here, and why
    model = traitlets.Unicode().tag(sync=True, echo_update=False)
    first = traitlets.Unicode().tag(sync=True, echo_update=False)
    second = traitlets.Unicode().tag(sync=True, echo_update=False)
    block = traitlets.Int().tag(sync=True, echo_update=False)
    show = traitlets.Unicode("changed").tag(sync=True, echo_update=False)
    width = traitlets.Int(900).tag(sync=True)

    def __init__(
        self,
        readers: Mapping,
        pairs: Sequence | None = None,
        *,
        model: str | None = None,
        pair: int | float = 0,
        block: int | float | None = None,
        show: str = "changed",
    ):
        self._readers, self._known = _named(readers), {}
        refused: dict[str, str] = {}
        for name, reader in self._readers.items():
            for first, second in _pairs(getattr(reader, "pairs", None) if pairs is None else pairs):
                try:
                    self._read(name, first, second)
                except ValueError as error:
                    refused.setdefault(name, str(error))
        if show not in SHOWS:
            raise ValueError(f"show must be one of {', '.join(SHOWS)}, got {show!r}; take the first")
        names = [name for name in self._readers if any(key[0] == name for key in self._known)]
        if not names:
            raise ValueError(f"a model must be able to read a pair, got none that can: {refused}")
        model = names[0] if model is None else model
        if model not in names:
            raise ValueError(f"model must be one of {', '.join(names)}, got {model!r}; take the first")
        own = [key for key in self._known if key[0] == model]
        if isinstance(pair, bool) or not isinstance(pair, int | np.integer) or not 0 <= pair < len(own):
            raise ValueError(f"pair must be from 0 to {len(own) - 1}, got {pair!r}; 0 is the first")
        n = len(self._known[own[pair]].cosines) - 1
        block = n // 2 if block is None else block
        if isinstance(block, bool) or not isinstance(block, int | np.integer) or not 0 <= block <= n:
            raise ValueError(f"block must be from 0 to {n} for {model}, got {block!r}; 0 is the start")
        told = [f"{name} is not shown here: {refused[name]}." for name in self._readers if name not in names]
        super().__init__(
            names=names, known=[_packed(key[0], got) for key, got in self._known.items()], got={}, note=" ".join(told),
            model=model, first=own[pair][1], second=own[pair][2], block=int(block), show=show,
        )  # fmt: skip
        self.observe(self._set_from_python, ["model", "first", "second"])

    def _read(self, model: str, first: str, second: str) -> Comparison:
        """The comparison of two texts; the last ones are remembered."""
        if model not in self._readers:
            raise ValueError(
                f"model must be one of {', '.join(self._readers)}, got {model!r}; take the first"
            )
        key = (model, *_texts((first, second)))
        if key not in self._known:
            got = self._readers[model](first, second)
            if not isinstance(got, Comparison):
                raise ValueError(
                    f"a reader must return a Comparison, got {type(got).__name__}; PathReader(model, tokenizer) is one"
                )
            self._known[key] = _as_sent(got)
            for old in list(self._known)[:-KEPT]:
                del self._known[old]
        return self._known[key]

    def compute(self, question: dict[str, Any]) -> dict[str, Any]:
        """Compares ``question["first"]`` and ``question["second"]`` in ``question["model"]``; it goes into `got`."""
        model, first, second = (str(question[name]) for name in ("model", "first", "second"))
        got = self._read(model, first, second)
        with self.hold_trait_notifications():
            self.model, self.first, self.second = model, first, second
            self.got = _packed(model, got)
        return {}

    def _set_from_python(self, _change: object = None) -> None:
        """What the browser does not have yet is worked out and sent."""
        key = (self.model, self.first, self.second)
        sent = [(one["model"], *one["texts"]) for one in (*self.known, self.got) if one]
        if key not in sent:
            self.ask(model=self.model, first=self.first, second=self.second)

    def _now(self) -> tuple[Comparison, int]:
        """What is shown and how many blocks are done; more than there are means all."""
        got = self._read(self.model, self.first, self.second)
        return got, min(max(0, self.block), len(got.cosines) - 1)

    def describe(self) -> str:
        got, block = self._now()
        return describe(got, self.model, block, self.show)

    @plots.styled
    def picture(self) -> bytes:
        got, block = self._now()
        axes = plots.new_axes(9.5, 4.6, columns=2)
        _draw_map(axes[0], got, shortened(self.model, 20), block)
        blocks = np.arange(len(got.cosines))
        axes[1].plot(blocks, got.cosines, color=plots.ROLES["truth"])
        axes[1].plot([block], [got.cosines[block]], "o", color=plots.ROLES["truth"])
        axes[1].set(
            xlabel="blocks done", ylabel="cosine", ylim=(min(0, got.cosines.min()), 1.03),
            title=f"cosine of the two: {_signed(got.cosines[block])} after {block}",
        )  # fmt: skip
        return plots.png(axes[0].figure, dpi=110)


def _draw_map(ax: Axes, got: Comparison, model: str, block: int) -> None:
    """The two paths over those of the other sentences."""
    blocks = np.arange(len(got.cosines))
    for group, dash in ((got.others.a, ":"), (got.others.b, "-")):
        for path in group:
            ax.plot(path.clip(-EDGE, EDGE), blocks, color="#C9C9C9", linewidth=0.7, linestyle=dash)
    ax.axvline(0, color=plots.FAINT, linewidth=0.8, linestyle=(0, (4, 4)))
    for text, pulls, mark, colour in zip(got.texts, got.pulls, MARKS, COLOURS, strict=True):
        path = pulls.path.clip(-EDGE, EDGE)
        told = shortened(text, 30)
        ax.plot(path, blocks, color=colour, marker=mark, markevery=[block], markersize=9,
                label=plots.named(told) if drawable(told) else "…")  # fmt: skip
    ax.set(
        xlim=(-EDGE - 0.1, EDGE + 0.1), xlabel=f"← {got.meanings[0]}        {got.meanings[1]} →", ylabel="blocks done",
        title=f"{got.word!r} in {model} after {block} of {blocks[-1]} blocks",
    )  # fmt: skip
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=1, handlelength=1.5)


def _as_sent(got: Comparison) -> Comparison:
    """With float32's numbers, which the browser has too."""

    def rounded(array: np.ndarray) -> np.ndarray:
        return np.asarray(array, dtype=np.float32).astype(np.float64)

    return got._replace(
        pulls=tuple(
            Pulls(pulls.labels, pulls.at, *(rounded(array) for array in pulls[2:])) for pulls in got.pulls
        ),
        cosines=rounded(got.cosines),
        others=Places(*(rounded(group) for group in got.others)),
    )


def _packed(model: str, got: Comparison) -> dict[str, Any]:
    """A comparison for the browser: float32, texts one after the other."""

    def packed(*arrays: np.ndarray) -> bytes:
        return b"".join(np.ascontiguousarray(array, dtype="<f4").tobytes() for array in arrays)

    return {
        "model": model,
        "word": got.word,
        "meanings": list(got.meanings),
        "texts": list(got.texts),
        "labels": [list(pulls.labels) for pulls in got.pulls],
        "at": [int(pulls.at) for pulls in got.pulls],
        "cosines": packed(got.cosines),
        "numbers": [
            packed(pulls.path, pulls.feed_forward, pulls.rest, pulls.tokens, pulls.looks, pulls.changed)
            for pulls in got.pulls
        ],
        "others": [packed(got.others.a), packed(got.others.b)],
    }
