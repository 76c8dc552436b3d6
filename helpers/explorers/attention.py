"""The attention explorer: every layer and head of a model for one sentence, and who looks at whom.

A new sentence is a question to the kernel: one forward pass, whose weights all travel to the browser at once. From
then on everything is worked out there. What ``attention.js`` computes is here under the same names: `chosen`,
`without_first`, `followed`, `ranked`, `entropy`, `habits`, `describe`; the tests run both on the same numbers.

What it leaves out: the forward pass itself. A reader is any function that gives the tokens of a text and the weights
(``helpers.attention``); a translator's fits too (``translator.attention_reader``), where the words that it writes look
at the words that it reads.

Source of the sink: Xiao et al. 2023, "Efficient Streaming Language Models with Attention Sinks", section 3.1.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import traitlets
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from helpers import plots
from helpers.explorers.base import Explorer, script, style
from helpers.explorers.merges import drawable, shortened

MOST = 48  # tokens: more, and a cell of the picture is too small to be read
LONGEST = 400  # characters that a box takes
BYTES = (
    400  # of a text that a reader gets: even where each byte is a token, a forward pass fits into the memory
)
LEFT = 1e-4  # a row of which less than this is left without its first token has nothing to show
TOLD = 3  # tokens in the sentence
WIDE = 24  # letters of what a side is called
SMALL = 14  # cells of a small head in the picture that stays
KEPT = 4  # readings that Python remembers
VIEWS = ("heatmap", "arcs")
SIDES = ("query", "key")

Reader = Callable[[str], tuple]
"""``reader(text)`` gives ``(tokens, weights)``, or ``(query_tokens, key_tokens, weights)``; weights are [layer, head, query, key].

A last element that is a text is a note for whoever typed: "the model does not know 'zebra'".
"""


class Reading(NamedTuple):
    """What a model did with a text."""

    queries: list[str | bytes]  # the tokens that look
    keys: list[str | bytes]  # the tokens that are looked at
    weights: Float[np.ndarray, "layer head query key"]  # float16's numbers, which the browser has too
    own: bool  # whether both are the same tokens: self-attention
    causal: bool  # whether no token looks at a later one
    note: str = ""  # what the reader says, and what is not shown, or nothing
    sides: tuple[str, str] = SIDES  # what the queries and the keys are called


# ---- What the browser computes too --------------------------------------------------------------------------------


def chosen(
    weights: Float[np.ndarray, "layer head query key"], layer: int | None, head: int | None
) -> Float[np.ndarray, "query key"]:
    """The weights of one head of one layer; None means the mean over all layers, or over all heads.

    >>> weights = np.array([[[[1.0, 0.0]], [[0.5, 0.5]]]])
    >>> chosen(weights, 0, 1).tolist(), chosen(weights, 0, None).tolist()
    ([[0.5, 0.5]], [[0.75, 0.25]])
    """
    some = weights[slice(None) if layer is None else [layer]]
    some = some[:, slice(None) if head is None else [head]].astype(np.float64)
    return some.reshape(-1, *some.shape[2:]).sum(axis=0) / (some.shape[0] * some.shape[1])


def without_first(pattern: Float[np.ndarray, "query key"]) -> Float[np.ndarray, "query key"]:
    """The weights with the first key taken out: its column is 0, and each row is divided by what is left of it.

    A row of which less than 0.0001 is left becomes 0.

    >>> without_first(np.array([[1.0, 0.0, 0.0], [0.8, 0.2, 0.0], [0.5, 0.1, 0.4]])).tolist()
    [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.2, 0.8]]
    """
    rest = np.concatenate([np.zeros_like(pattern[:, :1]), pattern[:, 1:]], axis=1)
    left = rest.sum(axis=1, keepdims=True)
    return np.divide(rest, left, out=np.zeros_like(rest), where=left >= LEFT)


def followed(
    pattern: Float[np.ndarray, "query key"], token: int, back: bool = False
) -> Float[np.ndarray, " other"]:
    """How much a token looks at each key; with `back`, how much each query looks at the token.

    >>> pattern = np.array([[1.0, 0.0], [0.7, 0.3]])
    >>> followed(pattern, 1).tolist(), followed(pattern, 0, back=True).tolist()
    ([0.7, 0.3], [1.0, 0.7])
    """
    return pattern[:, token] if back else pattern[token]


def ranked(row: Float[np.ndarray, " other"], n: int = TOLD) -> list[int]:
    """The numbers of the `n` largest above 0, largest first; of those that tie, the lower number first.

    >>> ranked(np.array([0.25, 0.5, 0.0, 0.25]))
    [1, 0, 3]
    """
    return [int(i) for i in np.argsort(-row, kind="stable")[:n] if row[i] > 0]


def entropy(row: Float[np.ndarray, " key"]) -> float:
    """How spread out a row is, in nats: 0 for one key with all of it, the logarithm of n for n equal ones.

    >>> round(entropy(np.array([0.5, 0.5, 0.0])), 3)
    0.693
    """
    some = row[row > 0]
    return float(-(some * np.log(some)).sum()) + 0.0  # never -0.0


class Habits(NamedTuple):
    """Where a head looks, as means over the queries; the first token, which may have no choice, does not count."""

    first: float  # share that goes to the first token
    previous: float  # to the token right before; NaN where queries and keys are not the same tokens
    itself: float  # to itself; NaN likewise
    entropy: float  # of the rows that have anything, in nats


def habits(pattern: Float[np.ndarray, "query key"], own: bool) -> Habits:
    """Where a head looks; all NaN where no query counts. Where queries are not the keys (`own` is False) all count.

    >>> habits(np.array([[1.0, 0.0], [0.75, 0.25]]), own=True)[:3]
    (0.75, 0.75, 0.25)
    """
    rows = pattern[1:] if own else pattern
    if not len(rows):
        return Habits(np.nan, np.nan, np.nan, np.nan)
    spread = [entropy(row) for row in rows if row.sum() > 0]
    at = np.arange(1, len(pattern))
    return Habits(
        float(rows[:, 0].mean()),
        float(pattern[at, at - 1].mean()) if own else np.nan,
        float(pattern[at, at].mean()) if own else np.nan,
        float(np.mean(spread)) if spread else np.nan,
    )


def quoted(tokens: Sequence[str | bytes], number: int) -> str:
    """A token in quotes, with its position (from 0) where the same token stands elsewhere too.

    >>> quoted(["the", " cat", "the"], 2), quoted(["the", " cat", "the"], 1)
    ("'the' (2)", "'␣cat'")
    """
    told = plots.visible(tokens[number])
    told = repr(told[:39] + "…" if len(told) > 40 else told)
    return f"{told} ({number})" if list(tokens).count(tokens[number]) > 1 else told


def place(n_layers: int, n_heads: int, layer: int | None, head: int | None) -> str:
    """Which head, or which mean, in words.

    >>> place(2, 4, 1, 2), place(2, 4, 1, None), place(2, 4, None, None)
    ('layer 1, head 2 of 2 x 4 (both counted from 0)', 'layer 1 (counted from 0), mean of its 4 heads', 'mean of all 2 x 4 heads')
    """
    if layer is None and head is None:
        return f"mean of all {n_layers} x {n_heads} heads"
    if head is None:
        return f"layer {layer} (counted from 0), mean of its {n_heads} heads"
    if layer is None:
        return f"head {head} (counted from 0), mean over {n_layers} layers"
    return f"layer {layer}, head {head} of {n_layers} x {n_heads} (both counted from 0)"


def looks(
    reading: Reading,
    layer: int | None,
    head: int | None,
    token: int,
    *,
    back: bool = False,
    first_out: bool = False,
) -> str:
    """Who looks at whom, in a sentence or two.

    >>> weights = np.array([[[[1.0, 0.0], [0.75, 0.25]]]])
    >>> looks(Reading(["the", "cat"], ["the", "cat"], weights, True, True), 0, 0, 1)
    "'cat' looks most at 'the' with 75 %, then at 'cat' with 25 %."
    """
    whole = chosen(reading.weights, layer, head)
    row = followed(without_first(whole) if first_out else whole, token, back)
    own, others = (reading.keys, reading.queries) if back else (reading.queries, reading.keys)
    name = quoted(own, token)
    shares = [f"{quoted(others, i)} with {plots.percent(row[i])}" for i in ranked(row)]
    to = "by" if back else "at"
    if shares:
        told = f"{name} {'is looked at most by' if back else 'looks most at'} {shares[0]}"
        told += f", then {to} {' and '.join(shares[1:])}." if len(shares) > 1 else "."
    else:
        told = f"No token looks at {name}." if back else f"{name} looks at no other token."
    if first_out:
        first = "token" if reading.own else "key"
        told += f" The first {first}, {quoted(reading.keys, 0)}, is taken out"
        told += "." if back else f"; {name} gave it {plots.percent(whole[token, 0])}."
    return told


# ---- What may come in ----------------------------------------------------------------------------------------------


def beginning(text: str, most: int) -> str:
    """The beginning of a text in at most `most` bytes of UTF-8, whole words where it has more than one.

    >>> beginning("one two three", 9), beginning("आप", 4)
    ('one two', 'आ')
    """
    if len(text.encode("utf-8")) <= most:
        return text
    cut = text.encode("utf-8")[:most].decode("utf-8", errors="ignore")
    words = cut.rpartition(" ")[0]
    return words if words.strip() and not text[len(cut)].isspace() else cut


def read(reader: Reader, text: object) -> Reading:
    """What a reader makes of a text, or of as much of its beginning as gives 48 tokens; then the note says so.

    Raises ValueError for no text, one of more than 400 characters or with half a character in it, and for tokens
    and weights that can't be shown: wrong shapes, negative numbers, NaN, rows that do not sum to 1.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"the text must have a word or more, got {text!r}; type one")
    if len(text) > LONGEST:
        raise ValueError(
            f"The text can be up to {LONGEST} characters long, got {len(text):,}; make it shorter."
        )
    if half := next((sign for sign in text if "\ud800" <= sign <= "\udfff"), None):
        raise ValueError(f"The text must be whole characters, got half of one, U+{ord(half):X}; take it out.")
    part = beginning(text, BYTES)
    reading = _reading(reader(part))
    while (n := max(len(reading.queries), len(reading.keys))) > MOST:
        if reading.causal:  # what comes later changes nothing before it
            some = reading.weights[:, :, :MOST, :MOST]
            reading = reading._replace(queries=reading.queries[:MOST], keys=reading.keys[:MOST], weights=some)
            break
        part = beginning(part, len(part.encode("utf-8")) * MOST // n)
        if not part.strip():
            raise ValueError(f"the text must have at most {MOST} tokens here, got {n}; shorten it")
        reading = _reading(reader(part))
    else:
        if part == text:
            return reading
    cut = (
        f"A text can have up to {MOST} tokens here; of this one only the beginning is shown, "
        f"{max(len(reading.queries), len(reading.keys))} tokens. Make it shorter to see all of it."
    )
    return reading._replace(note=f"{reading.note} {cut}".strip())


def _reading(result: object) -> Reading:
    """A reader's result, checked; ValueError names what is wrong with it."""
    note = ""
    if isinstance(result, tuple) and result and isinstance(result[-1], str):
        *result, note = result
        result = tuple(result)
    if not isinstance(result, tuple) or len(result) not in (2, 3):
        raise ValueError(
            "a reader must return (tokens, weights) or (query_tokens, key_tokens, weights), got "
            f"{type(result).__name__}; return such a tuple, with a note as its last element if there is one"
        )
    *tokens, weights = result
    queries, keys = _tokens(tokens[0]), _tokens(tokens[-1])
    try:
        weights = np.asarray(weights)
    except (TypeError, ValueError, RuntimeError) as error:  # odd lengths, a tensor that is being trained
        raise ValueError(
            f"weights must be an array of numbers, got {type(weights).__name__}; a tensor needs .detach().float().numpy()"
        ) from error
    if weights.dtype.kind != "f" or weights.ndim != 4 or weights.shape[2:] != (len(queries), len(keys)):
        raise ValueError(
            f"weights must be numbers of the shape [layer, head, {len(queries)} queries, {len(keys)} keys], got "
            f"{weights.dtype} of shape {weights.shape}; take all layers of one text"
        )
    if not weights.size:
        raise ValueError(
            f"weights must have a layer, a head and a token or more, got shape {weights.shape}; read a text with a word"
        )
    if not (weights >= 0).all() or not (np.abs(weights.sum(axis=-1, dtype=np.float64) - 1) < 0.01).all():
        raise ValueError(
            "every row of weights must be 0 or more and sum to 1, got one that does not; take them after the softmax "
            "and before dropout"
        )
    weights = (
        np.minimum(np.abs(weights), 1).astype("<f2").astype(np.float32)
    )  # the last bits may go beyond, or to -0.0
    own = len(tokens) == 1
    causal = own and not np.triu(weights, 1).any()
    return Reading(queries, keys, weights, own, causal, note)


def _tokens(tokens: object) -> list[str | bytes]:
    if isinstance(tokens, str | bytes) or not isinstance(tokens, Sequence):
        raise ValueError(
            f"tokens must be a list of texts, got {type(tokens).__name__}; pass one for each row"
        )
    for token in tokens:
        if not isinstance(token, str | bytes):
            raise ValueError(f"every token must be a text or bytes, got {token!r}; decode the ids first")
    return list(tokens)


def _whole(name: str, value: Any, n: int, hint: str = "they count from 0") -> int:
    """`value` where it is a whole number from 0 to below `n`; raises ValueError for any other."""
    number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not number or not 0 <= value < n:
        raise ValueError(f"{name} must be a whole number from 0 to {n - 1}, got {value!r}; {hint}")
    return int(value)


def _called(sides: object) -> tuple[str, str]:
    """What queries and keys are called; raises ValueError for anything but two short texts."""
    fits = isinstance(sides, list | tuple) and len(sides) == 2
    if not fits or not all(isinstance(side, str) and 0 < len(side.strip()) <= WIDE for side in sides):
        raise ValueError(
            f"sides must be two texts of 1 to {WIDE} letters, what queries and keys are called, got {sides!r}; pass "
            "('Hindi word written', 'English word read')"
        )
    return sides[0], sides[1]


def _named(readers: object) -> dict[str, Reader]:
    """The readers under their names; raises ValueError where there is none, or one that is no function."""
    if not isinstance(readers, Mapping) or not readers:
        raise ValueError(f"readers must give each model a name, got {readers!r}; pass {{'Tinytown': reader}}")
    for name, reader in readers.items():
        if not isinstance(name, str) or not name.strip() or not callable(reader):
            raise ValueError(
                f"every reader must be a function with a name, got {name!r}: {reader!r}; pass {{'Tinytown': reader}}"
            )
    return dict(readers)


# ---- The explorer --------------------------------------------------------------------------------------------------


class Attention(Explorer):
    """Who looks at whom in `text`: all layers and heads of a model, small side by side, and one of them large.

    `readers` gives each model its name and a function of a text, see `Reader`; `model` is the name of the one to begin
    with, by default the first. `layer` and `head` count from 0, and so does `token`, the one that is followed (by
    default the last). `average_heads` and `average_layers` show means; `without_first` takes the first token out.
    `sides` says what queries and keys are called where they are not the same tokens.

    Raises ValueError for no reader, a `model`, `layer`, `head`, `token` or `view` that is not there, `sides` that are
    not two names, and for a text that a reader refuses or that `read` does.

    >>> def reader(text):
    ...     words = text.split()
    ...     mask = np.tri(len(words))
    ...     return words, (mask / mask.sum(axis=1, keepdims=True))[None, None]
    >>> Attention({"evenly": reader}, "the cat sat", token=1)
    <Attention: Attention of 'the cat sat' in evenly, layer 0, head 0 of 1 x 1 (both counted from 0): 'cat' looks most at
    'the' with 50 %, then at 'cat' with 50 %.>
    """

    _esm = script("attention")
    _css = style("attention", devanagari=True)
    shown: ClassVar[tuple[str, ...]] = (
        "layer", "head", "average_layers", "average_heads", "without_first", "token", "back",
    )  # fmt: skip

    names = traitlets.List().tag(sync=True)  # of the models
    text = traitlets.Unicode().tag(sync=True)  # what the reading is of
    model = traitlets.Unicode().tag(sync=True)  # whose reading it is
    reading = traitlets.Dict().tag(sync=True)  # tokens and weights; see `_packed`
    layer = traitlets.Int().tag(sync=True, echo_update=False)
    head = traitlets.Int().tag(sync=True, echo_update=False)
    average_layers = traitlets.Bool().tag(sync=True, echo_update=False)
    average_heads = traitlets.Bool().tag(sync=True, echo_update=False)
    without_first = traitlets.Bool().tag(sync=True, echo_update=False)
    token = traitlets.Int(None, allow_none=True).tag(sync=True, echo_update=False)  # None: the last one
    back = traitlets.Bool().tag(sync=True, echo_update=False)  # who looks at the token, not what it looks at
    view = traitlets.Unicode("heatmap").tag(sync=True, echo_update=False)
    numbers = traitlets.Bool().tag(sync=True, echo_update=False)  # values in the cells, or beside the arcs
    width = traitlets.Int(1000).tag(sync=True)

    def __init__(
        self,
        readers: Mapping[str, Reader],
        text: str = "the cat sat on the mat",
        *,
        model: str | None = None,
        layer: int = 0,
        head: int = 0,
        token: int | None = None,
        view: str = "heatmap",
        sides: Sequence = SIDES,
        average_layers: bool = False,
        average_heads: bool = False,
        without_first: bool = False,
        back: bool = False,
        numbers: bool = False,
    ):
        self._readers, self._known, self._sides = _named(readers), {}, _called(sides)
        if view not in VIEWS:
            raise ValueError(f"view must be {' or '.join(VIEWS)}, got {view!r}")
        model = next(iter(readers)) if model is None else model
        now = self._read(model, text)
        n_layers, n_heads, n_queries, n_keys = now.weights.shape
        if token is not None:
            token = _whole("token", token, n_keys if back else n_queries)
        self._shown = now
        super().__init__(
            names=list(readers), text=text, model=model, reading=_packed(now, text, model),
            layer=_whole("layer", layer, n_layers), head=_whole("head", head, n_heads), token=token, view=view,
            average_layers=average_layers, average_heads=average_heads, without_first=without_first, back=back, numbers=numbers,
        )  # fmt: skip
        self.observe(self._set_from_python, ["text", "model"])

    def _read(self, model: str, text: str) -> Reading:
        """The reading of a text; the last few are remembered."""
        if model not in self._readers:
            raise ValueError(f"model must be one of {', '.join(self._readers)}, got {model!r}")
        key = (model, text)
        if key not in self._known:
            reading = read(self._readers[model], text)
            self._known[key] = reading if reading.own else reading._replace(sides=self._sides)
            for old in list(self._known)[:-KEPT]:
                del self._known[old]
        return self._known[key]

    def compute(self, question: dict[str, Any]) -> dict[str, Any]:
        """Reads ``question["text"]`` with ``question["model"]``; what it gives goes into `reading`."""
        text, model = str(question["text"]), str(question.get("model", self.model))
        self._shown = self._read(model, text)
        with self.hold_trait_notifications():
            self.text, self.model = text, model
            self.reading = _packed(self._shown, text, model)
        return {}

    def _set_from_python(self, _change: object = None) -> None:
        if (self.text, self.model) != (self.reading["text"], self.reading["model"]):
            self.ask(text=self.text, model=self.model)

    def _now(self) -> tuple[int | None, int | None, int]:
        """Layer, head (None: the mean) and token that are shown; numbers beyond the last one mean the last one."""
        n_layers, n_heads, n_queries, n_keys = self._shown.weights.shape
        last = (n_keys if self.back else n_queries) - 1
        layer, head = min(max(0, self.layer), n_layers - 1), min(max(0, self.head), n_heads - 1)
        token = last if self.token is None else min(max(0, self.token), last)
        return None if self.average_layers else layer, None if self.average_heads else head, token

    def _place(self) -> str:
        return place(*self._shown.weights.shape[:2], *self._now()[:2])

    def describe(self) -> str:
        told = looks(self._shown, *self._now(), back=self.back, first_out=self.without_first)
        text, model = self.reading["text"], self.reading["model"]
        between = "" if self._shown.sides == SIDES else ", from {} to {}".format(*self._shown.sides)
        return f"Attention of {shortened(text)!r} in {model}, {self._place()}{between}: {told}"

    def pattern(self) -> Float[np.ndarray, "query key"]:
        """The weights that are shown large."""
        whole = chosen(self._shown.weights, *self._now()[:2])
        return without_first(whole) if self.without_first else whole

    @plots.styled
    def picture(self) -> bytes:
        n_layers, _, n_queries, _ = self._shown.weights.shape
        height = max(min(6.4, 0.34 * n_queries + 1.1), min(6.4, 0.24 * n_layers + 1), 3.2)
        axes = plots.new_axes(11, height, columns=2)
        self._draw_small(axes[0])
        self._draw_large(axes[1])
        title = f"{shortened(self.reading['model'], 30)}, {self._place()}"
        title += f", first {'token' if self._shown.own else 'key'} taken out" if self.without_first else ""
        axes[0].figure.suptitle(
            plots.named(title), x=0.02, ha="left", fontsize=11, fontweight="bold", parse_math=False
        )
        return plots.png(axes[0].figure, dpi=110)

    def _draw_small(self, ax: Axes) -> None:
        """All heads, and a frame around those that are shown large."""
        table, (down, across) = self._overview()
        n_layers, n_heads = self._shown.weights.shape[:2]
        colours = plots.WEIGHTS.with_extremes(bad="#D4D4D4")
        ax.imshow(table, cmap=colours, vmin=0, vmax=1, aspect="equal", interpolation="nearest")
        ax.set(
            xlabel="head", xticks=[across * (i + 0.5) - 1 for i in range(n_heads)], xticklabels=range(n_heads),
            ylabel="layer", yticks=[down * (i + 0.5) - 1 for i in range(n_layers)], yticklabels=range(n_layers),
        )  # fmt: skip
        ax.tick_params(length=0, labelsize=8)
        for spine in ax.spines.values():
            spine.set_visible(False)
        layer, head, _ = self._now()
        corner = across * (head or 0) - 0.5, down * (layer or 0) - 0.5
        _frame(
            ax, corner, across * (n_heads if head is None else 1), down * (n_layers if layer is None else 1)
        )

    def _draw_large(self, ax: Axes) -> None:
        """One pattern, and a frame around the row or column that is followed."""
        reading, (_, _, token), pattern = self._shown, self._now(), self.pattern()
        labels = [[_label(token) for token in tokens] for tokens in (reading.queries, reading.keys)]
        row, column = ("query: who looks", "key: at whom") if reading.sides == SIDES else reading.sides
        plots.plot_heatmap(pattern, *labels, row_label=row, column_label=column, ax=ax)
        size = min(9.5, 320 / max(pattern.shape))
        ax.tick_params(axis="x", labelrotation=90, labelsize=size)
        ax.tick_params(axis="y", labelsize=size)
        ax.set_aspect("equal")
        if self.back:
            _frame(ax, (token - 0.5, -0.5), 1, len(pattern))
        else:
            _frame(ax, (-0.5, token - 0.5), pattern.shape[1], 1)

    def _overview(self) -> tuple[Float[np.ndarray, "down across"], tuple[int, int]]:
        """All heads as one table, layers down and heads across, and how far it is from one to the next.

        NaN is between them, and where no token may look. Of more than 14 tokens, the largest weights stand for
        those beside them.
        """
        weights = self._shown.weights
        if self.without_first:
            weights = np.array([[without_first(one) for one in layer] for layer in weights])
        if self._shown.causal:
            weights = np.where(np.tri(weights.shape[-1], dtype=bool), weights, np.nan)
        for axis in (2, 3):
            n = weights.shape[axis]
            if n > SMALL:
                weights = np.fmax.reduceat(weights, np.arange(SMALL) * n // SMALL, axis=axis)
        framed = np.pad(weights, [(0, 0), (0, 0), (0, 1), (0, 1)], constant_values=np.nan)
        n_layers, n_heads, down, across = framed.shape
        return framed.transpose(0, 2, 1, 3).reshape(n_layers * down, n_heads * across), (down, across)


def _frame(ax: Axes, corner: tuple[float, float], width: float, height: float) -> None:
    ax.add_patch(
        Rectangle(
            corner, width, height, fill=False, edgecolor=plots.ROLES["loss"], linewidth=2, clip_on=False
        )
    )


def _label(token: str | bytes) -> str:
    """A token for matplotlib: 14 characters at most, and "…" for letters that its fonts lack."""
    told = shortened(plots.visible(token), 14)
    return told if drawable(told) else "…"


def _packed(reading: Reading, text: str, model: str) -> dict[str, Any]:
    """A reading for the browser. float16 and not a byte each: rows still sum to 1, and small weights keep their size."""
    return {
        "text": text,
        "model": model,
        "queries": reading.queries,
        "keys": reading.keys,
        "shape": list(reading.weights.shape),
        "weights": reading.weights.astype("<f2").tobytes(),
        "own": reading.own,
        "causal": reading.causal,
        "note": reading.note,
        "sides": list(reading.sides),
    }
