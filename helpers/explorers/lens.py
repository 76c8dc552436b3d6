"""The logit-lens explorer: what a model would say after each of its layers, at each token of a text.

A new text is a question to the kernel: one forward pass, and the odds at every layer and position. From then on
everything is worked out in the browser. What ``lens.js`` computes is here under the same names: `stage`, `cell`,
`says`, `describe`; the tests run both on the same numbers.

What it leaves out: the lens itself (``helpers.lens``). A reader is any function that gives a `Lens` of a text.

Source: nostalgebraist 2020, "interpreting GPT: the logit lens", whose tables are read the same way: layers upwards,
tokens across.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from helpers import plots
from helpers.explorers.attention import _named as named_readers
from helpers.explorers.attention import _whole as whole
from helpers.explorers.attention import beginning, quoted
from helpers.explorers.base import Explorer, script, style
from helpers.explorers.merges import drawable, shortened
from helpers.lens import LONGEST as MOST
from helpers.lens import TOP, Lens, first_layer

LONGEST = 400  # characters that a box takes, and bytes that a reader gets
SURE = 1 - 1e-6  # beyond, the last bits decide, and they differ from one processor to the next
LEAST = 1e-30
KEPT = 4  # readings that Python remembers
VIEWS = ("tokens", "rank", "entropy")

Reader = Callable[[str], Lens]
"""``reader(text)`` gives a `Lens`, as ``LensReader(model, tokenizer)`` does."""


# ---- What the browser computes too --------------------------------------------------------------------------------


def stage(layer: int, n_blocks: int) -> str:
    """Where the stream is read, in words.

    >>> [stage(layer, 30) for layer in (0, 24, 30)]
    ['before the first block', 'after block 24 of 30', 'after the last block, 30 of 30']
    """
    if layer == 0:
        return "before the first block"
    return f"after {'the last block,' if layer == n_blocks else 'block'} {layer} of {n_blocks}"


class Cell(NamedTuple):
    """What stands in a cell of the table, and how dark it is."""

    text: str
    share: float  # 0 to 1


def cell(lens: Lens, view: str, layer: int, position: int) -> Cell:
    """One cell: the likeliest token, as dark as it is likely; the place of the final answer, the darker, the nearer
    to the front; or the entropy in nats, the darker, the more open.
    """
    if view == "rank":
        rank = int(lens.final_rank[layer, position])
        return Cell(f"{rank:,}", 1 - math.log(rank) / math.log(max(2, lens.vocab_size)))
    if view == "entropy":
        spread = float(lens.entropy[layer, position])
        return Cell(f"{spread:.2f}", min(1.0, spread / math.log(max(2, lens.vocab_size))))
    return Cell(
        plots.visible(lens.pieces[int(lens.top_ids[layer, position, 0])]),
        float(lens.top[layer, position, 0]),
    )


def placed(rank: int) -> str:
    """A place as it is told: beyond 100 two digits, because the last ones differ from one processor to the next.

    >>> placed(100), placed(396), placed(41_192)
    ('100', 'about 400', 'about 41,000')
    """
    if rank <= 100:
        return str(rank)
    step = 10 ** (len(str(rank)) - 2)
    return f"about {(rank + step // 2) // step * step:,}"


def says(lens: Lens, layer: int, position: int) -> str:
    """What the model would say there, in two or three sentences."""
    n_blocks = len(lens.top) - 1
    where = stage(layer, n_blocks)

    def told(token: int) -> str:
        return quoted([lens.pieces[token]], 0)

    best = [
        f"{told(token)} with {plots.percent(share)}"
        for token, share in zip(
            lens.top_ids[layer, position, :2].tolist(), lens.top[layer, position, :2].tolist(), strict=True
        )
    ]
    verb = "says" if layer == n_blocks else "would say"
    told_all = f"{where[0].upper()}{where[1:]}, at {quoted(lens.tokens, position)}, the model {verb} {', then '.join(best)}."
    final = int(lens.top_ids[-1, position, 0])
    if layer == n_blocks:
        first = first_layer(lens, position)
        told_all += f" {told(final)} is in front {'from block ' + str(first) if first else 'from before the first block'} on."
    else:
        told_all += f" In the end it says {told(final)} with {plots.percent(float(lens.final[-1, position]))}"
        rank = int(lens.final_rank[layer, position])
        told_all += (
            "."
            if rank == 1
            else f": here in place {placed(rank)}, with {plots.percent(float(lens.final[layer, position]))}."
        )
    if lens.next_ids[position] >= 0:
        rank, share = int(lens.next_rank[layer, position]), float(lens.next[layer, position])
        told_all += f" The text goes on with {told(int(lens.next_ids[position]))}: here in place {placed(rank)}, with {plots.percent(share)}."
    return told_all


# ---- What may come in ----------------------------------------------------------------------------------------------


def read(reader: Reader, text: object) -> tuple[Lens, str]:
    """The lens of a text, of 24 tokens at most, and a note where it is only of the text's beginning.

    Raises ValueError for no text, one of more than 400 characters or with half a character in it, and for what is
    no `Lens` or one whose numbers can't be shown.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"the text must have a word or more, got {text!r}; type one")
    if len(text) > LONGEST:
        raise ValueError(
            f"The text can be up to {LONGEST} characters long, got {len(text):,}; make it shorter."
        )
    if half := next((sign for sign in text if "\ud800" <= sign <= "\udfff"), None):
        raise ValueError(f"The text must be whole characters, got half of one, U+{ord(half):X}; take it out.")
    part = beginning(text, LONGEST)
    lens = _checked(reader(part))
    if part == text and lens.n_tokens <= len(lens.tokens):
        return lens, ""
    return lens, (
        f"A text can have up to {MOST} tokens here; of this one only the beginning is shown, {len(lens.tokens)} "
        "tokens. Make it shorter to see all of it."
    )


def _checked(lens: object) -> Lens:
    """A lens of 24 tokens at most, with numbers that can be shown; ValueError names what is wrong with it."""
    if not isinstance(lens, Lens):
        raise ValueError(
            f"a reader must return a Lens, got {type(lens).__name__}; helpers.lens.read_lens gives one"
        )
    shape = (*np.shape(lens.top)[:1], len(lens.tokens))
    for name in ("top_ids", "top", "entropy", "kl", "final_rank", "final", "next_rank", "next"):
        got = np.shape(getattr(lens, name))
        if got[:2] != shape or not np.prod(got) or len(got) != (3 if name.startswith("top") else 2):
            raise ValueError(
                f"{name} of a lens must have a number for each layer and each of its {len(lens.tokens)} tokens, got "
                f"the shape {got}; helpers.lens.read_lens gives them"
            )
    for name in ("top", "final"):
        values = np.asarray(getattr(lens, name))
        if not ((values >= 0) & (values <= 1.001)).all():
            raise ValueError(
                f"{name} of a lens must be probabilities from 0 to 1, got {values.min()} to {values.max()}; take "
                "them after the softmax"
            )
    for name in ("entropy", "kl"):
        values = np.asarray(getattr(lens, name))
        if not ((values >= 0) & (values < np.inf)).all():
            raise ValueError(
                f"{name} of a lens must be 0 or more and finite, got {values.min()} to {values.max()}; read a "
                "trained model"
            )

    def tidy(shares: np.ndarray) -> np.ndarray:
        some = np.asarray(shares[:, :MOST], dtype=np.float32)
        return np.where(some > SURE, np.float32(1), np.maximum(some, np.float32(LEAST)))

    rest = {name: np.asarray(getattr(lens, name)[:, :MOST]) for name in ("final_rank", "next_rank")}
    # Never -0.0, which would be written so.
    spread = {
        name: np.abs(np.asarray(getattr(lens, name)[:, :MOST], np.float32)) for name in ("entropy", "kl")
    }
    shares = {name: tidy(getattr(lens, name)) for name in ("final", "next")}
    best = {"top_ids": np.asarray(lens.top_ids[:, :MOST, :TOP]), "top": tidy(lens.top)[..., :TOP]}
    return lens._replace(
        ids=lens.ids[:MOST], tokens=list(lens.tokens[:MOST]), next_ids=np.asarray(lens.next_ids[:MOST]), **rest, **spread, **shares, **best,
    )  # fmt: skip


# ---- The explorer --------------------------------------------------------------------------------------------------


class LogitLens(Explorer):
    """What a model would say after each layer, at each token of `text`; one cell is chosen and shown with its ten best.

    `readers` gives each model its name and a function of a text, see `Reader`; `model` is the name of the one to begin
    with, by default the first. `layer` is 0 before the first block and n after the n-th, by default after the last one;
    `token` counts from 0, by default the last. `view` is "tokens", "rank" (of the final answer) or "entropy".

    Raises ValueError for no reader, a `model`, `layer`, `token` or `view` that is not there, and for a text that a
    reader refuses or that `read` does.

    >>> from helpers.lens import LensReader
    >>> from helpers.pretrained import load_tinytown
    >>> LogitLens({"Tinytown GPT": LensReader(*load_tinytown())}, "there was")
    <LogitLens: Logit lens of 'there was' in Tinytown GPT: After the last block, 2 of 2, at 'was', the model says 'a'
    with 44 %, then 'muddy' with 18 %. 'a' is in front from block 2 on.>
    """

    _esm = script("lens")
    _css = style("lens")
    shown: ClassVar[tuple[str, ...]] = ("layer", "token")

    names = traitlets.List().tag(sync=True)  # of the models
    text = traitlets.Unicode().tag(sync=True)  # what the reading is of
    model = traitlets.Unicode().tag(sync=True)  # whose reading it is
    reading = traitlets.Dict().tag(sync=True)  # tokens and numbers; see `_packed`
    layer = traitlets.Int(None, allow_none=True).tag(sync=True, echo_update=False)  # None: the last one
    token = traitlets.Int(None, allow_none=True).tag(sync=True, echo_update=False)  # None: the last one
    view = traitlets.Unicode("tokens").tag(sync=True, echo_update=False)
    powers = traitlets.Bool().tag(sync=True, echo_update=False)  # whether the line counts in powers of ten
    width = traitlets.Int(1000).tag(sync=True)

    def __init__(
        self,
        readers: Mapping[str, Reader],
        text: str = "The capital of France is",
        *,
        model: str | None = None,
        layer: int | None = None,
        token: int | None = None,
        view: str = "tokens",
        powers: bool = False,
    ):
        self._readers, self._known = named_readers(readers), {}
        if view not in VIEWS:
            raise ValueError(f"view must be {', '.join(VIEWS[:-1])} or {VIEWS[-1]}, got {view!r}")
        model = next(iter(self._readers)) if model is None else model
        self._shown, note = self._read(model, text)
        n_layers, n_tokens = self._shown.top.shape[:2]
        if layer is not None:
            layer = whole("layer", layer, n_layers, "0 is before the first block")
        if token is not None:
            token = whole("token", token, n_tokens)
        super().__init__(
            names=list(self._readers), text=text, model=model, reading=_packed(self._shown, note, text, model),
            layer=layer, token=token, view=view, powers=powers,
        )  # fmt: skip
        self.observe(self._set_from_python, ["text", "model"])

    def _read(self, model: str, text: str) -> tuple[Lens, str]:
        """The lens of a text, and a note; the last few are remembered."""
        if model not in self._readers:
            raise ValueError(f"model must be one of {', '.join(self._readers)}, got {model!r}")
        key = (model, text)
        if key not in self._known:
            self._known[key] = read(self._readers[model], text)
            for old in list(self._known)[:-KEPT]:
                del self._known[old]
        return self._known[key]

    def compute(self, question: dict[str, Any]) -> dict[str, Any]:
        """Reads ``question["text"]`` with ``question["model"]``; what it gives goes into `reading`."""
        text, model = str(question["text"]), str(question.get("model", self.model))
        self._shown, note = self._read(model, text)
        with self.hold_trait_notifications():
            self.text, self.model = text, model
            self.reading = _packed(self._shown, note, text, model)
        return {}

    def _set_from_python(self, _change: object = None) -> None:
        if (self.text, self.model) != (self.reading["text"], self.reading["model"]):
            self.ask(text=self.text, model=self.model)

    def _now(self) -> tuple[int, int]:
        """Layer and position that are shown; numbers beyond the last one mean the last one."""
        return tuple(
            n - 1 if at is None else min(max(0, at), n - 1)
            for at, n in zip((self.layer, self.token), self._shown.top.shape, strict=False)
        )

    def describe(self) -> str:
        text, model = self.reading["text"], self.reading["model"]
        return f"Logit lens of {shortened(text)!r} in {model}: {says(self._shown, *self._now())}"

    @plots.styled
    def picture(self) -> bytes:
        lens, (layer, position) = self._shown, self._now()
        axes = plots.new_axes(11, max(3.4, 1.1 + 0.215 * len(lens.top)), columns=2)
        axes[0].get_gridspec().set_width_ratios([2.3, 1])
        plot_lens(lens, self.view, layer, position, ax=axes[0])
        pieces = [lens.pieces[int(token)] for token in lens.top_ids[layer, position]]
        labels = [_label(piece, 12) for piece in pieces]
        where = f"{stage(layer, len(lens.top) - 1)}\nat {_label(lens.tokens[position], 12)}"
        plots.plot_bars(labels, {"lens": lens.top[layer, position].tolist()}, title=where[0].upper() + where[1:], ax=axes[1])  # fmt: skip
        title = f"{shortened(self.reading['model'], 30)}: {shortened(self.reading['text'], 80)}"
        title = title if drawable(title) else shortened(self.reading["model"], 30)
        axes[0].figure.suptitle(
            plots.named(title), x=0.02, ha="left", fontsize=11, fontweight="bold", parse_math=False
        )
        return plots.png(axes[0].figure, dpi=110)


@plots.styled
def plot_lens(lens: Lens, view: str, layer: int, position: int, *, ax: Axes) -> Axes:
    """The table of a lens: layers upwards, tokens across; a frame around the cell that is chosen.

    Where a cell has room for letters, its token or number is written in it.
    """
    n_layers, n_tokens = lens.top.shape[:2]
    cells = [[cell(lens, view, row, column) for column in range(n_tokens)] for row in range(n_layers)]
    shares = np.array([[one.share for one in row] for row in cells])
    names = [str(row) for row in range(n_layers)]
    tokens = [_label(token, 12 if n_tokens < 9 else 8) for token in lens.tokens]
    plots.plot_heatmap(shares[::-1], names[::-1], tokens, row_label="blocks read", ax=ax)
    ax.xaxis.tick_bottom()
    ax.tick_params(axis="x", labelrotation=0 if n_tokens < 9 else 90, labelsize=9)
    ax.tick_params(axis="y", labelsize=8)
    fits = 84 // n_tokens  # letters of size 7 in the width of a cell
    for row, column in np.ndindex(n_layers, n_tokens):
        text, share = cells[row][column]
        told = shortened(text, fits) if view == "tokens" else text
        if fits >= 5 and drawable(told) and len(told) <= fits:
            ink = plots.readable_on(plots.WEIGHTS(share))
            ax.text(column, n_layers - 1 - row, told, ha="center", va="center", fontsize=7, color=ink, parse_math=False)  # fmt: skip
    ax.add_patch(
        Rectangle((position - 0.5, n_layers - 1.5 - layer), 1, 1, fill=False, edgecolor=plots.ROLES["loss"], linewidth=2, clip_on=False)
    )  # fmt: skip
    return ax


def _label(token: str | bytes, most: int) -> str:
    """A token for matplotlib: cut short, and "…" for letters that its font lacks."""
    told = shortened(plots.visible(token), most)
    return told if drawable(told) else "…"


def _packed(lens: Lens, note: str, text: str, model: str) -> dict[str, Any]:
    """A lens for the browser: ids become places in the list of pieces."""
    ids = sorted(lens.pieces)
    place = np.zeros(max(ids) + 1, dtype="<u2")
    place[ids] = range(len(ids))
    shares = {name: getattr(lens, name).astype("<f4").tobytes() for name in ("top", "entropy", "kl", "final", "next")}  # fmt: skip
    ranks = {name: getattr(lens, name).astype("<u4").tobytes() for name in ("final_rank", "next_rank")}
    return {
        "text": text, "model": model, "note": note, "tokens": lens.tokens, "shape": list(lens.top.shape),
        "vocab_size": lens.vocab_size, "pieces": [lens.pieces[token] for token in ids],
        "top_ids": place[lens.top_ids].tobytes(),
        "next_ids": [int(place[token]) if token >= 0 else -1 for token in lens.next_ids.tolist()],
        **shares, **ranks,
    }  # fmt: skip
