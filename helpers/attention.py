"""Attention: every word takes from the others what it needs, and how much is decided by a dot product.

A word asks with its **query**; every word it may see answers with its **key**. The dot product of the two is a
score, the softmax of the scores are shares that sum to 1, and what the word takes home is the mean of the
**values**, weighted by the shares. A head is one such question; a layer asks several at once.

1. By hand, in NumPy: ``softmax``, ``scores``, ``causal_mask``, ``attend``, ``multi_head``.
2. Why the scores are divided by a root: ``row_entropy``, ``entropy_by_width``.
3. A trained model with its attention changed: ``loss_with``, ``head_ablation``.
4. What a real model looks at: ``read``, ``attention_of``, ``value_lengths``.
5. Heads with a job: ``head_jobs``, ``measure_jobs``, ``lookback``, ``best_heads``.
6. One word, two senses: ``context_vectors``, ``sense_separation``.
7. What it costs: ``attention_cost``, ``time_attention``, ``measure_memory``.

``python -m helpers.attention`` switches off each of SmolLM2's 270 heads in turn, reads ``TEXT`` without it, and
writes what that costs to ``helpers/weights/heads.npz``: minutes of work that a notebook then need not wait for.

What this leaves out: positions (``helpers.positions``), the rest of the block (``helpers.transformer``),
attention over two texts (cross-attention, ``helpers.translation``), and sparse or linear attention.

Sources: Vaswani et al. 2017, section 3.2 (attention, the root, several heads); Clark et al. 2019, section 3
(what heads look at); Olsson et al. 2022, "In-context Learning and Induction Heads", Michel et al. 2019, "Are
Sixteen Heads Really Better than One?", section 3 (switching heads off); Xiao et al. 2023, "Efficient Streaming
Language Models with Attention Sinks", section 3.1; Jain and Wallace 2019, "Attention is not Explanation";
Ethayarajh 2019, section 3 (one word's vectors in many contexts); Dao et al. 2022, section 3.1 (the fused kernel).
"""

import argparse
import math
import re
import statistics
import time
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from einops import rearrange
from jaxtyping import Bool, Float, Int, Num, Shaped

# What is done by hand needs no torch, and should not wait for it: it is imported inside the functions below.
if TYPE_CHECKING:
    import torch

    import helpers.sentences
    import helpers.tokenization
    import helpers.transformer

Count = int | float  # of whole things; a fraction is let in so that it can be refused in a sentence
Model = "helpers.transformer.GPT | helpers.sentences.SentenceEncoder"
Texts = Sequence[Sequence[str]] | Sequence[Sequence[int]] | Sequence[Shaped[np.ndarray, "..."]]
Head = tuple[int, int]  # layer and head, both counted from 0

LONGEST = 48  # tokens in a picture of attention: more can't be read
LARGEST = 100_000_000  # numbers in an array, 800 MB: a larger one is a slip of the keyboard
WEIGHTINGS = ("softmax", "uniform", "scores")
HEADS = Path(__file__).parent / "weights" / "heads.npz"

# What SmolLM2 reads while its heads are switched off: people and things come back, so that looking back pays.
TEXT = (
    "Marta Lindqvist kept the lighthouse at Skarholm for thirty years. Every evening she climbed the ninety-two "
    "steps, lit the lamp and wrote one line in the book: the date, the wind, the ships that had passed. In the "
    "winter of 1931 a storm broke the glass of the lamp room. Marta Lindqvist tied herself to the rail, held a "
    "lantern in her hand, and stood there until the morning. Three ships came home that night. The next evening "
    "she climbed the ninety-two steps again and wrote in the book: the date, the wind, the ships that had passed, "
    "and nothing about herself. When she was old, the people of Skarholm asked her what she had thought about "
    "during the storm. She said that she had counted the steps. Today the lighthouse is empty. The lamp lights "
    "itself, and nobody climbs the ninety-two steps. But the book is still there, and on the last page stands "
    "the name of Marta Lindqvist."
)


# ---------------------------------------------------------------------------------------------
# What is accepted.


def _whole(name: str, value: Count, hint: str) -> int:
    """The value, if it is a whole number of 1 or more."""
    if isinstance(value, bool) or not (isinstance(value, int | np.integer) and value >= 1):
        raise ValueError(f"{name} must be a whole number of 1 or more, got {value!r}; {hint}")
    return int(value)


def _numbers(name: str, values, least_axes: int = 1, finite: bool = True) -> np.ndarray:
    """Values as floating-point numbers with at least so many axes, none of them empty."""
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise ValueError(
            f"{name} must be numbers, got {array.dtype}; look for text or rows of unequal length"
        )
    if array.ndim < least_axes or array.size == 0:
        raise ValueError(
            f"{name} must have at least {least_axes} axes and a number in them, got the shape {list(array.shape)}; "
            "the last axis is the innermost"
        )
    if not np.isfinite(array).all() and (finite or np.isnan(array).any()):
        raise ValueError(
            f"{name} must be finite numbers, got NaN or infinity; look for them with np.isfinite"
        )
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _shares(name: str, values, least_axes: int) -> np.ndarray:
    """Values that are 0 or more and sum to 1 along the last axis, as attention weights do."""
    array = _numbers(name, values, least_axes)
    if array.min() < 0 or np.abs(array.sum(-1) - 1).max() > 1e-3:
        raise ValueError(
            f"{name} must be 0 or more and sum to 1 over the keys, got {array.min():.3g} at the lowest and sums "
            f"from {array.sum(-1).min():.3g} to {array.sum(-1).max():.3g}; softmax(scores) gives such rows"
        )
    return array


# ---------------------------------------------------------------------------------------------
# 1. By hand.


class Attended(NamedTuple):
    """What attention computes on its way; with several heads, ``scores`` and ``weights`` have a head axis."""

    scores: Float[np.ndarray, "*batch query key"]  # before the mask: the future is still there
    weights: Float[np.ndarray, "*batch query key"]  # how much each query takes from each key
    output: Float[np.ndarray, "*batch query d_value"]  # what it takes home


def softmax(scores: Num[np.ndarray, "*shape"], axis: int = -1) -> Float[np.ndarray, "*shape"]:
    """Scores turned into shares that sum to 1 along an axis: e to the power of each, over their sum.

    A score of minus infinity gets exactly 0; that is how a mask hides a key. The largest score is taken away
    from all first: the shares stay the same, and e to the power of 1,000 is never asked for.

    >>> softmax(np.log([1.0, 3.0]))
    array([0.25, 0.75])
    >>> softmax(np.array([1000.0, -np.inf, 1000.0]))
    array([0.5, 0. , 0.5])

    Raises ValueError for NaN, plus infinity, an axis that is not there, and a row in which everything is hidden.
    """
    scores = _numbers("scores", scores, finite=False)
    if not -scores.ndim <= axis < scores.ndim:
        raise ValueError(f"axis must be one of the {scores.ndim} axes of scores, got {axis}; -1 is the last")
    highest = scores.max(axis=axis, keepdims=True)
    if not np.isfinite(highest).all():
        raise ValueError(
            "every row needs a finite score and none above, got one that is all minus infinity or holds infinity; "
            "let each query see at least itself"
        )
    powers = np.exp(scores - highest)
    return powers / powers.sum(axis=axis, keepdims=True)


def scores(
    queries: Num[np.ndarray, "*batch query d_head"],
    keys: Num[np.ndarray, "*batch key d_head"],
    *,
    scale: bool = True,
) -> Float[np.ndarray, "*batch query key"]:
    """The dot product of every query with every key, divided by the root of ``d_head``.

    >>> scores(np.array([[1.0, 3.0]]), np.array([[2.0, 0.0], [1.0, 1.0]]), scale=False)
    array([[2., 4.]])

    Raises ValueError for queries and keys that don't fit each other. Vaswani et al. 2017, equation 1.
    """
    queries, keys = _numbers("queries", queries, 2), _numbers("keys", keys, 2)
    if queries.shape[:-2] != keys.shape[:-2] or queries.shape[-1] != keys.shape[-1]:
        raise ValueError(
            f"queries and keys must agree in all axes but the one before the last, got {list(queries.shape)} and "
            f"{list(keys.shape)}; both are [..., seq, d_head]"
        )
    dots = queries @ np.swapaxes(keys, -2, -1)
    return dots / math.sqrt(queries.shape[-1]) if scale else dots


def causal_mask(n: Count) -> Bool[np.ndarray, "query key"]:
    """True where a query may look: at its own position and at those before it.

    >>> causal_mask(3).astype(int)
    array([[1, 0, 0],
           [1, 1, 0],
           [1, 1, 1]])

    Raises ValueError for an ``n`` that is no whole number from 1, and for too large a mask.
    """
    n = _whole("n", n, "try 5")
    _check_size(n * n, f"{n:,} x {n:,}")
    return np.tril(np.ones((n, n), dtype=bool))


def _check_size(numbers: int, what: str) -> None:
    if numbers > LARGEST:
        raise ValueError(f"an array must have at most {LARGEST:,} numbers, got {what}; take a smaller one")


def attend(
    queries: Num[np.ndarray, "*batch query d_head"],
    keys: Num[np.ndarray, "*batch key d_head"],
    values: Num[np.ndarray, "*batch key d_value"],
    *,
    causal: bool = True,
    scale: bool = True,
    normalize: bool = True,
) -> Attended:
    """What each query finds: the mean of the values it may see, weighted by the softmax of its scores.

    Three words of two numbers. Only the third word asks; the root of 2 in its query goes away again when the
    scores are divided by it, so they are ln 2, 0 and 2 ln 2, and e to the power of those is 2, 1 and 4. Of its
    attention 2/7, 1/7 and 4/7 go to the three words. Words that ask nothing share alike what they may see:

    >>> queries = np.array([[0.0, 0.0], [0.0, 0.0], [np.sqrt(2) * np.log(2), 0.0]])
    >>> keys = np.array([[1.0, 0.0], [0.0, 5.0], [2.0, 0.0]])
    >>> values = np.array([[7.0, 0.0], [0.0, 7.0], [7.0, 7.0]])
    >>> found = attend(queries, keys, values)
    >>> (14 * found.weights).round(6)
    array([[14.,  0.,  0.],
           [ 7.,  7.,  0.],
           [ 4.,  2.,  8.]])
    >>> found.output.round(6)  # the last row: 7 * 2/7 + 7 * 4/7 = 6 and 7 * 1/7 + 7 * 4/7 = 5
    array([[7. , 0. ],
           [3.5, 3.5],
           [6. , 5. ]])

    Each switch takes one part out: ``causal=False`` shows every word the whole text, ``scale=False`` leaves out
    the division by the root, ``normalize=False`` takes the scores themselves as weights.

    Raises ValueError for arrays that don't fit each other, and for a mask on queries and keys of two texts.
    Vaswani et al. 2017, equation 1.
    """
    values = _numbers("values", values, 2)
    every_score = scores(queries, keys, scale=scale)
    n_queries, n_keys = every_score.shape[-2:]
    if values.shape[:-1] != (*every_score.shape[:-2], n_keys):
        raise ValueError(
            f"there must be one value for each of the {n_keys} keys, got {list(values.shape)} for keys "
            f"{list(np.shape(keys))}; values are [..., key, d_value]"
        )
    if causal and n_queries != n_keys:
        raise ValueError(
            f"a causal mask needs as many queries as keys, got {n_queries} and {n_keys}; try causal=False"
        )
    visible = causal_mask(n_keys) if causal else np.ones((n_queries, n_keys), dtype=bool)
    if normalize:
        weights = softmax(np.where(visible, every_score, -np.inf))
    else:
        weights = np.where(visible, every_score, 0.0)
    return Attended(every_score, weights, weights @ values)


def split_heads(
    x: Num[np.ndarray, "*batch seq d_model"], n_heads: Count
) -> Num[np.ndarray, "*batch head seq d_head"]:
    """Each vector cut into ``n_heads`` pieces, one for each head.

    >>> split_heads(np.array([[1, 2, 3, 4], [5, 6, 7, 8]]), 2)  # two words, two heads of two numbers
    array([[[1, 2],
            [5, 6]],
           [[3, 4],
            [7, 8]]])

    Raises ValueError where ``n_heads`` does not divide ``d_model``.
    """
    x, n_heads = np.asarray(x), _whole("n_heads", n_heads, "try 2")
    if x.ndim < 2 or x.shape[-1] % n_heads:
        raise ValueError(
            f"n_heads must divide d_model, got {n_heads} heads for the shape {list(x.shape)}, [..., seq, d_model]; "
            "try 1"
        )
    return rearrange(x, "... seq (head d_head) -> ... head seq d_head", head=n_heads)


def merge_heads(x: Num[np.ndarray, "*batch head seq d_head"]) -> Num[np.ndarray, "*batch seq d_model"]:
    """The way back: the pieces of all heads side by side.

    >>> merge_heads(np.array([[[1, 2], [5, 6]], [[3, 4], [7, 8]]]))
    array([[1, 2, 3, 4],
           [5, 6, 7, 8]])

    Raises ValueError for less than the three axes head, seq and d_head.
    """
    x = np.asarray(x)
    if x.ndim < 3:
        raise ValueError(f"x must be [..., head, seq, d_head], got the shape {list(x.shape)}; try x[None]")
    return rearrange(x, "... head seq d_head -> ... seq (head d_head)")


def multi_head(
    x: Num[np.ndarray, "*batch seq d_model"],
    query: Num[np.ndarray, "d_model d_all"],
    key: Num[np.ndarray, "d_model d_all"],
    value: Num[np.ndarray, "d_model d_all"],
    output: Num[np.ndarray, "d_all d_model"],
    n_heads: Count,
    *,
    causal: bool = True,
) -> Attended:
    """Several heads at once, each on its own slice of the queries, keys and values; ``output`` mixes what they find.

    A matrix turns a row vector: ``x @ query`` are the queries of all heads side by side. (torch keeps its
    matrices the other way round: hand over ``linear.weight.T``.)

    >>> x, same = np.array([[1.0, 0.0], [0.0, 1.0]]), np.eye(2)
    >>> found = multi_head(x, 0 * same, same, same, same, n_heads=2)
    >>> found.weights.shape, found.output  # no query, no preference: the mean of what is visible
    ((2, 2, 2), array([[1. , 0. ],
           [0.5, 0.5]]))

    Raises ValueError where ``n_heads`` does not divide the width. Vaswani et al. 2017, section 3.2.2.
    """
    queries, keys, values = (split_heads(x @ matrix, n_heads) for matrix in (query, key, value))
    found = attend(queries, keys, values, causal=causal)
    return found._replace(output=merge_heads(found.output) @ output)


# ---------------------------------------------------------------------------------------------
# 2. Why the scores are divided by a root.


class EntropyByWidth(NamedTuple):
    """The mean entropy of random rows of attention, in nats, for each width of the head."""

    divided: Float[np.ndarray, " width"]  # scores divided by the root of d_head
    plain: Float[np.ndarray, " width"]  # scores as they are


def row_entropy(weights: Num[np.ndarray, "*batch key"]) -> Float[np.ndarray, "*batch"] | float:
    """The entropy of each row of attention weights, in nats: 0 looks at one key, ln n at n keys alike.

    >>> row_entropy(np.array([[1.0, 0.0], [0.5, 0.5]])).round(4)  # ln 2 = 0.6931
    array([0.    , 0.6931])

    Raises ValueError for rows that do not sum to 1.
    """
    weights = _shares("weights", weights, 1)
    # 0 ln 0 counts as 0: a key that is not looked at adds no surprise. Adding 0 turns -0 into 0.
    return -np.sum(weights * np.log(np.where(weights > 0, weights, 1)), axis=-1) + 0.0


def entropy_by_width(
    widths: Sequence[int], *, n_keys: Count = 16, n_rows: Count = 200, seed: int = 0
) -> EntropyByWidth:
    """How sharp random attention is as heads grow wider, with the division by the root and without.

    Queries and keys are drawn from the standard normal distribution. Their dot product then has a standard
    deviation of the root of ``d_head``: without the division, wide heads look at one key only. Each width has
    draws of its own that depend on the seed and on nothing else.

    >>> found = entropy_by_width([1, 1024])  # ln 16 = 2.77 is looking at all alike
    >>> found.divided.round(1), found.plain.round(1)
    (array([2.4, 2.4]), array([2.4, 0.1]))

    Raises ValueError for sizes that are no whole numbers from 1, no width, and too many numbers. Vaswani et al.
    2017, section 3.2.1, footnote 4.
    """
    n_keys, n_rows = _whole("n_keys", n_keys, "try 16"), _whole("n_rows", n_rows, "try 200")
    widths = [_whole("each width", width, "try [4, 16, 64]") for width in widths]
    if not widths:
        raise ValueError("widths must hold at least one width, got none; try [4, 16, 64]")
    _check_size(n_rows * n_keys * max(widths), f"{n_rows:,} rows of {n_keys:,} keys of {max(widths):,}")
    entropies = []
    for width in widths:
        rng = np.random.default_rng([seed, width])
        queries, keys = rng.normal(size=(n_rows, 1, width)), rng.normal(size=(n_rows, n_keys, width))
        entropies.append(
            [row_entropy(softmax(scores(queries, keys, scale=scale))).mean() for scale in (True, False)]
        )
    divided, plain = np.array(entropies).T
    return EntropyByWidth(divided, plain)


# ---------------------------------------------------------------------------------------------
# 3. A trained model with its attention changed.


class _Batch(NamedTuple):
    """Texts of unequal length as one block; behind a text's end targets do not count."""

    ids: "torch.Tensor"  # [batch, seq]
    targets: "torch.Tensor"  # [batch, seq], _IGNORED where there is none


_IGNORED = -100
_LOGITS_AT_ONCE = 4_000_000  # 16 MB; a real model's texts are then read one by one


def loss_with(
    model: "helpers.transformer.GPT",
    texts: Texts,
    *,
    scale: bool = True,
    causal: bool = True,
    weighting: str = "softmax",
    heads_off: Iterable[Head] = (),
) -> float:
    """The mean surprise of a GPT over texts, in nats per token, with its attention changed; it is not trained again.

    ``texts`` are Tinytown stories as ``tinytown.stories`` gives them, or lists of ids. ``scale=False`` leaves out
    the division by the root of ``d_head``; ``causal=False`` lets every token see the whole text, the one to be
    predicted included; ``weighting="uniform"`` gives every visible token the same share and ``"scores"`` takes the
    scores as they are, without a softmax. ``heads_off`` names heads as (layer, head), counted from 0, that find
    nothing: zeros in place of their part.

    Raises ValueError for texts the model can't read, a head it lacks and an unknown weighting.
    """
    import torch

    off = _heads(model, heads_off)
    if weighting not in WEIGHTINGS:
        raise ValueError(
            f"weighting must be one of {', '.join(WEIGHTINGS)}, got {weighting!r}; softmax is what models do"
        )
    total = counted = 0.0
    with torch.inference_mode():
        for batch in _batches(model, texts):
            x = _embed(model, batch.ids)
            visible = _visible(batch, causal)
            *_, last = _streams(model, x, visible, scale=scale, weighting=weighting, off=off)
            total += _total_loss(model, last, batch)
            counted += int((batch.targets != _IGNORED).sum())
    return total / counted


def every_head(model: "helpers.transformer.GPT") -> list[Head]:
    """All heads of a GPT as (layer, head): what is left of them without one is ``loss_with(..., heads_off=...)``.

    >>> from helpers.transformer import GPT, GPTConfig
    >>> every_head(GPT(GPTConfig(vocab_size=7, n_ctx=5, n_layers=1, n_heads=2, d_model=6)))
    [(0, 0), (0, 1)]
    """
    return [(layer, head) for layer in range(model.config.n_layers) for head in range(model.config.n_heads)]


def head_ablation(
    model: "helpers.transformer.GPT", texts: Texts, layers: Sequence[int] | None = None
) -> Float[np.ndarray, "layer head"]:
    """What it costs to switch off each head alone: the loss without it minus the loss with all, in nats per token.

    One row for each of ``layers`` (``None``: all). Below 0, the texts are read better without the head. What lies
    below a head is computed once and kept, which halves the work.

    Raises ValueError for texts the model can't read, and a layer it lacks.
    """
    import torch

    n_layers, n_heads = model.config.n_layers, model.config.n_heads
    layers = list(range(n_layers)) if layers is None else [_layer(model, layer) for layer in layers]
    if not layers:
        raise ValueError("layers must name at least one layer, got none; None takes all")
    gained = np.zeros((len(layers), n_heads))
    counted = 0
    with torch.inference_mode():
        for batch in _batches(model, texts):
            visible = _visible(batch, causal=True)
            streams = _streams(model, _embed(model, batch.ids), visible)
            plain = _total_loss(model, streams[-1], batch)
            for row, layer in enumerate(layers):
                for head in range(n_heads):
                    *_, last = _streams(model, streams[layer], visible, first=layer, off={(layer, head)})
                    gained[row, head] += _total_loss(model, last, batch) - plain
            counted += int((batch.targets != _IGNORED).sum())
    return gained / counted


def best_heads(table: Num[np.ndarray, "layer head"], count: Count = 3) -> list[tuple[int, int, float]]:
    """The heads with the highest numbers in a table, as (layer, head, number), highest first.

    >>> best_heads(np.array([[0.1, 0.7], [0.9, 0.2]]), 2)
    [(1, 0, 0.9), (0, 1, 0.7)]

    Raises ValueError for anything but a table of finite numbers, and for more heads than it has.
    """
    table, count = _numbers("table", table, 2), _whole("count", count, "try 3")
    if table.ndim != 2 or count > table.size:
        raise ValueError(
            f"a table [layer, head] must hold the {count} heads, got the shape {list(table.shape)}; ask for fewer"
        )
    order = np.argsort(-table, axis=None, kind="stable")[:count]
    rows, columns = np.unravel_index(order, table.shape)
    return [
        (int(layer), int(head), float(table[layer, head])) for layer, head in zip(rows, columns, strict=True)
    ]


def _layer(model, layer: int) -> int:
    layers = model.config.n_layers
    if isinstance(layer, bool) or layer not in range(layers):
        raise ValueError(
            f"layer must be from 0 to {layers - 1} for this model, got {layer!r}; 0 is the first"
        )
    return int(layer)


def _heads(model, heads: Iterable[Head]) -> set[Head]:
    """Pairs (layer, head) that the model has."""
    known, heads = set(every_head(model)), list(heads)
    for pair in heads:
        if not isinstance(pair, tuple) or pair not in known:
            layers, each = model.config.n_layers, model.config.n_heads
            raise ValueError(
                f"a head must be (layer, head) with a layer from 0 to {layers - 1} and a head from 0 to {each - 1}, "
                f"got {pair!r}; every_head(model) lists them"
            )
    return set(heads)


def _batches(model, texts: Texts) -> list[_Batch]:
    """Texts as blocks of ids and targets, small enough that their logits fit into memory."""
    import torch

    from helpers.transformer import GPT

    if not isinstance(model, GPT):
        raise ValueError(
            f"a model must be a GPT, which predicts the next token, got {type(model).__name__}; take load_tinytown()"
        )
    rows = [_text_ids(model, text) for text in texts]
    if not rows:
        raise ValueError("texts must hold at least one text, got none; tinytown.stories gives some")
    rows.sort(key=len)  # texts of one length together: little padding
    seq = len(rows[-1]) - 1
    size = max(1, _LOGITS_AT_ONCE // (seq * model.config.vocab_size))
    batches = []
    for start in range(0, len(rows), size):
        block = rows[start : start + size]
        ids = torch.zeros(len(block), len(block[-1]) - 1, dtype=torch.long)
        targets = torch.full_like(ids, _IGNORED)
        for row, text in enumerate(block):
            ids[row, : len(text) - 1], targets[row, : len(text) - 1] = text[:-1], text[1:]
        batches.append(_Batch(ids.to(model.device), targets.to(model.device)))
    return batches


def _text_ids(model, text) -> "torch.Tensor":
    """One text as ids that the model knows, at least two of them: nothing can be predicted from nothing."""
    import torch

    if not hasattr(text, "__len__"):
        raise ValueError(
            f"texts must be a list of texts, got {text!r} for one of them; wrap a single text as [text]"
        )
    if len(text) and isinstance(text[0], str):
        from helpers.tinytown import WordTokenizer

        if isinstance(text, str):
            raise ValueError(
                f"a text must be a list of words or of ids, got the string {text[:20]!r}; try text.split()"
            )
        text = WordTokenizer().encode_story(text)
    ids = _ids(text, model.config.vocab_size)
    if not 2 <= len(ids) <= model.config.n_ctx + 1:
        raise ValueError(
            f"a text must have 2 to {model.config.n_ctx + 1} tokens for this model, got {len(ids)}; the first is only "
            "read, the last only predicted"
        )
    return torch.from_numpy(ids)


def _ids(ids, vocab_size: int) -> Int[np.ndarray, " seq"]:
    """Ids of one text, each the number of a token."""
    array = np.asarray(ids)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
        raise ValueError(
            f"ids must be a list of whole numbers, at least one, got {array.dtype} of the shape {list(array.shape)}; "
            "a tokenizer's encode gives them"
        )
    if array.min() < 0 or array.max() >= vocab_size:
        wrong = array.min() if array.min() < 0 else array.max()
        raise ValueError(
            f"ids must be from 0 to {vocab_size - 1}, got {wrong}; use the tokenizer that belongs to this model"
        )
    return array.astype(np.int64)


def _embed(model, ids):
    """The residual stream before the first block, [batch, seq, d_model]."""
    x = model.embedding(ids)
    return x + model.position_embedding.weight[: ids.shape[1]] if model.config.positions == "learned" else x


def _visible(batch: _Batch, causal: bool):
    """True where a query may look, [batch, 1, query, key]: never at the padding behind a text's end."""
    import torch

    real = (batch.targets != _IGNORED)[:, None, None, :]
    seq = batch.ids.shape[1]
    past = torch.ones(seq, seq, dtype=torch.bool, device=real.device)
    return real & (past.tril() if causal else past)


def _streams(model, x, visible, *, first: int = 0, scale=True, weighting="softmax", off=frozenset()) -> list:
    """The residual stream before block ``first`` and after it and each one that follows.

    A GPT in evaluation mode, written out once more so that its attention can be changed.
    """
    streams = [x]
    for layer, block in enumerate(model.blocks[first:], start=first):
        off_here = [head for at, head in off if at == layer]
        x = x + _look(block.attention, block.attention_norm(x), visible, scale, weighting, off_here)
        x = x + block.mlp(block.mlp_norm(x))
        streams.append(x)
    return streams


def _look(attention, x, visible, scale: bool, weighting: str, off: Sequence[int]):
    """One layer's attention, [batch, seq, d_model] in and out."""
    import torch
    from einops import repeat

    from helpers.transformer import rotate

    config = attention.config
    queries, keys, values = (
        rearrange(linear(x), "batch seq (head d) -> batch head seq d", d=config.d_head)
        for linear in (attention.query, attention.key, attention.value)
    )
    if config.positions == "rotary":
        positions = torch.arange(x.shape[1], device=x.device)
        queries, keys = (rotate(part, positions, config.rope_base) for part in (queries, keys))
    group = config.n_heads // config.kv_heads  # neighbouring query heads share keys and values
    keys = repeat(keys, "batch head key d -> batch (head group) key d", group=group)
    values = repeat(values, "batch head key d -> batch (head group) key d", group=group)
    dots = queries @ keys.transpose(-2, -1)
    if scale:
        dots = dots / math.sqrt(config.d_head)
    if weighting == "uniform":
        dots = torch.zeros_like(dots)  # no preference among those it may see
    if weighting == "scores":
        weights = dots.masked_fill(~visible, 0.0)
    else:
        weights = dots.masked_fill(~visible, -math.inf).softmax(-1)
    found = weights @ values
    found[:, list(off)] = 0.0
    return attention.output(rearrange(found, "batch head seq d -> batch seq (head d)"))


def _total_loss(model, stream, batch: _Batch) -> float:
    """The surprise of all targets together, in nats."""
    import torch.nn.functional as F

    logits = model.unembed(stream).flatten(0, 1)
    losses = F.cross_entropy(logits, batch.targets.flatten(), ignore_index=_IGNORED, reduction="none")
    return losses.double().sum().item()


# ---------------------------------------------------------------------------------------------
# 4. What a real model looks at.


class Reading(NamedTuple):
    """What a model computed while it read one text."""

    attention: Float[np.ndarray, "layer head query key"]
    residual: Float[np.ndarray, "layer_plus_1 seq d_model"]  # [0] before the first block, [i] after the i-th


class AttentionOf(NamedTuple):
    """A text cut into tokens, and how much each head lets each of them take from each."""

    ids: Int[np.ndarray, " seq"]
    labels: list[str]  # the tokens as text, one an id
    weights: Float[np.ndarray, "layer head query key"]  # float32; rows sum to 1


def read(model: Model, ids: Sequence[int] | Shaped[np.ndarray, "*seq"]) -> Reading:
    """What a GPT or a sentence encoder computes on one text, in float32.

    A GPT sees what stands before each token, an encoder the whole text. An encoder's stream is normed after every
    block (*post-norm*), a GPT's never.

    Raises ValueError for ids that are not the model's, too long a text, and a model without attention.
    """
    import torch

    from helpers.sentences import SentenceEncoder
    from helpers.transformer import GPT

    if not isinstance(model, GPT | SentenceEncoder):
        raise ValueError(
            f"a model must be a GPT or a SentenceEncoder, got {type(model).__name__}, which has no attention to show; "
            "python -m helpers.pretrained fetches the real ones"
        )
    ids = _ids(ids, model.config.vocab_size)
    if len(ids) > model.config.n_ctx:
        raise ValueError(
            f"a text must have at most {model.config.n_ctx} tokens for this model, got {len(ids)}; take a shorter one"
        )
    rows = torch.from_numpy(ids)[None].to(model.device)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            if isinstance(model, GPT):
                # The model's own way without its last step: logits would be a fifth of a real model's work.
                residual, attention = model._read(rows, None, trace=True)
            else:
                residual, attention = _read_both_ways(model, rows)
    finally:
        model.train(was_training)
    # Lists of layers, each with a batch of one text.
    attention, residual = (torch.cat(layers).float().cpu().numpy() for layers in (attention, residual))
    return Reading(attention, residual)


def _read_both_ways(model, ids) -> tuple[list, list]:
    """A sentence encoder written out, because torch's own gives no weights: stream and attention of each layer."""
    import torch.nn.functional as F

    from helpers.transformer import attention_weights

    x = (
        model.token_embedding(ids)
        + model.position_embedding.weight[: ids.shape[1]]
        + model.kind_embedding.weight[0]
    )
    x = model.embedding_norm(x)
    residual, attention = [x], []
    for block in model.encoder.layers:
        looking = block.self_attn
        # Queries, keys and values of all heads lie on top of each other in one matrix.
        queries, keys, values = rearrange(
            F.linear(x, looking.in_proj_weight, looking.in_proj_bias),
            "batch seq (part head d) -> part batch head seq d",
            part=3,
            head=looking.num_heads,
        )
        weights = attention_weights(queries, keys)
        x = block.norm1(
            x + looking.out_proj(rearrange(weights @ values, "batch head seq d -> batch seq (head d)"))
        )
        x = block.norm2(x + block.linear2(F.gelu(block.linear1(x))))
        attention.append(weights)
        residual.append(x)
    return residual, attention


def attention_of(
    model: Model,
    tokenizer: "helpers.tokenization.Tokenizer",
    text: str | Sequence[int] | Shaped[np.ndarray, "*seq"],
) -> AttentionOf:
    """The attention of every layer and head on a text of at most 48 tokens, and the tokens to label it with.

    A text is read as the model was trained to read it: Tinytown's GPT finds ``<start>`` in front, MiniLM [CLS] in
    front and [SEP] behind, SmolLM2 nothing. Ids are read as they are. A token that is only part of a character
    is labelled by its bytes, as in ``<F0 9F>``.

    Raises ValueError for a text that is empty or too long, and for what the tokenizer or the model can't read.
    """
    if isinstance(text, str):
        _own_tokens(tokenizer, text)
        text = tokenizer.encode(text, special=True)
    ids = _ids(text, model.config.vocab_size)
    if len(ids) > LONGEST:
        raise ValueError(
            f"a text must have at most {LONGEST} tokens to be shown, got {len(ids)}; take a shorter one"
        )
    return AttentionOf(ids, [_label(tokenizer, int(token)) for token in ids], read(model, ids).attention)


def _label(tokenizer, token: int) -> str:
    piece = tokenizer.token_bytes(token)
    try:
        return piece.decode("utf-8")
    except UnicodeDecodeError:
        return f"<{piece.hex(' ').upper()}>"


def _own_tokens(tokenizer, text: str) -> list[int]:
    """The ids of a text without the special ones around it; at least one."""
    ids = tokenizer.encode(text)
    if not ids:
        raise ValueError(f"a text must hold at least one token, got {text!r}; try 'The cat sat on the mat.'")
    return ids


def value_lengths(
    model: Model, ids: Sequence[int] | Shaped[np.ndarray, "*seq"]
) -> Float[np.ndarray, "layer seq"]:
    """How long the value of each token is in each layer of a GPT: the mean over its heads of keys and values.

    A token with a short value may be looked at a lot without giving much.

    Raises ValueError as ``read`` does, and for a model that is no GPT.
    """
    import torch

    from helpers.transformer import GPT

    if not isinstance(model, GPT):
        raise ValueError(f"a model must be a GPT, got {type(model).__name__}; take load_tinytown()")
    streams = read(model, ids).residual
    lengths = []
    with torch.inference_mode():
        for block, stream in zip(model.blocks, streams, strict=False):  # the last stream enters no block
            value = block.attention.value
            x = block.attention_norm(torch.from_numpy(stream)[None].to(value.weight))
            heads = rearrange(
                value(x)[0].float().cpu().numpy(), "seq (head d) -> head seq d", d=model.config.d_head
            )
            lengths.append(np.linalg.norm(heads, axis=-1).mean(axis=0))
    return np.array(lengths)


# ---------------------------------------------------------------------------------------------
# 5. Heads with a job.


class Jobs(NamedTuple):
    """How much of its attention each head spends on one job, on average over the tokens that could: 0 to 1."""

    previous: Float[np.ndarray, "layer head"]  # the token just before
    first: Float[np.ndarray, "layer head"]  # the first token of the text
    same: Float[np.ndarray, "layer head"]  # earlier places of the same token
    induction: Float[np.ndarray, "layer head"]  # what came after earlier places of the same token


def head_jobs(
    weights: Num[np.ndarray, "layer head query key"], ids: Sequence[int] | Shaped[np.ndarray, "*seq"]
) -> Jobs:
    """What each head looks at: four numbers a head, from attention weights and the ids they belong to.

    ``previous`` and ``first`` count from the third token on, since to the second they are the same place.
    ``same`` and ``induction`` count only tokens that have occurred before; where they have several times, the
    weights on all of those places are added. An induction head is what continues "A B ... A" with "B".

    >>> everywhere = np.tril(np.ones((4, 4))) / np.arange(1, 5)[:, None]  # each sees all before it alike
    >>> jobs = head_jobs(everywhere[None, None], [7, 8, 9, 7])
    >>> jobs.induction, jobs.previous.round(3)  # 1/4 on the 8; the mean of 1/3 and 1/4 on the one before
    (array([[0.25]]), array([[0.292]]))

    Raises ValueError for weights that do not sum to 1, and for a text in which no token comes back.
    """
    weights, ids = _shares("weights", weights, 4).astype(np.float64), np.asarray(ids)
    seq = len(ids) if ids.ndim == 1 else 0
    if weights.ndim != 4 or weights.shape[2:] != (seq, seq):
        raise ValueError(
            f"weights must be [layer, head, query, key] for the ids, got {list(weights.shape)} for "
            f"{list(ids.shape)}; attention_of gives both"
        )
    query, key = np.arange(seq)[:, None], np.arange(seq)
    same = (ids[:, None] == ids) & (key < query)
    after_same = np.zeros_like(same)
    after_same[:, 1:] = same[:, :-1]
    after_same &= key < query  # behind a token that was just repeated stands the token itself
    if not after_same.any():
        raise ValueError(
            "in the ids a token must come back after another, got none that does; repeated_ids makes such a text"
        )
    late = query >= 2
    places = ((key == query - 1) & late, (key == 0) & late, same, after_same)
    return Jobs(*(_share_spent(weights, place) for place in places))


def _share_spent(
    weights: Float[np.ndarray, "layer head query key"], places: Bool[np.ndarray, "query key"]
) -> Float[np.ndarray, "layer head"]:
    """The weight on ``places``, on average over the queries that have any."""
    can = places.any(axis=1)
    return (weights * places).sum(-1)[:, :, can].mean(-1)


def lookback(
    model: "helpers.transformer.GPT", stories: Iterable[Sequence[str]], returning: Iterable[str]
) -> Float[np.ndarray, "layer head"]:
    """How much each head looks back, just before one of the ``returning`` words comes again, at where it stood before.

    ``stories`` are lists of Tinytown's words. The mean is over all places where the next word is one of ``returning``,
    has occurred in the story, and not just now. A colour that comes back can be told from nothing else.

    Raises ValueError where no such word comes back, and as ``read`` does.
    """
    from helpers.tinytown import WordTokenizer

    tokenizer, returning, found = WordTokenizer(), set(returning), []
    for story in stories:
        places = []
        tokens = ["<start>", *story]
        for at, word in enumerate(tokens[2:], start=1):  # at: who looks; the word comes after it
            before = [place for place in range(at + 1) if tokens[place] == word]
            if word in returning and before and at not in before:
                places.append((at, before))
        if places:
            weights = read(model, tokenizer.encode_story(story)).attention
            found += [weights[:, :, at, before].sum(-1) for at, before in places]
    if not found:
        raise ValueError(
            f"one of the returning words must come back in a story, got none that does of {sorted(returning)[:5]}; "
            "take more stories, as tinytown.stories('test', 100)"
        )
    return np.mean(found, axis=0)


def repeated_ids(
    choices: Sequence[int] | Shaped[np.ndarray, "*choice"], length: Count, *, seed: int = 0
) -> list[int]:
    """``length`` different ids drawn from ``choices``, twice in a row: a text that only a look back can predict.

    >>> repeated_ids(range(100), 3, seed=1)
    [48, 8, 16, 48, 8, 16]

    Raises ValueError for less than two ids, and for more than there are to choose from.
    """
    choices = np.asarray(choices)
    length = _whole("length", length, "try 16")
    if choices.ndim != 1 or choices.dtype.kind not in "iu" or not 2 <= length <= len(np.unique(choices)):
        raise ValueError(
            f"length must be from 2 to the number of different ids, got {length} for {choices.size} choices; "
            "try repeated_ids(range(100), 16)"
        )
    drawn = np.random.default_rng(seed).permutation(np.unique(choices))[:length].tolist()
    return drawn + drawn


def measure_jobs(model: Model, texts: Sequence[Sequence[int]] | Sequence[Shaped[np.ndarray, "..."]]) -> Jobs:
    """``head_jobs`` of a model on several texts of ids, averaged over the texts.

    Raises ValueError without a text, and as ``read`` and ``head_jobs`` do.
    """
    found = [head_jobs(read(model, ids).attention, ids) for ids in texts]
    if not found:
        raise ValueError("texts must hold at least one list of ids, got none; repeated_ids makes one")
    return Jobs(*(np.mean(job, axis=0) for job in zip(*found, strict=True)))


# ---------------------------------------------------------------------------------------------
# 6. One word, two senses.


class Separation(NamedTuple):
    """How far two senses of a word lie apart, layer by layer; [0] is the stream before the first block."""

    within: Float[np.ndarray, " layer"]  # mean cosine of two sentences of the same sense
    across: Float[np.ndarray, " layer"]  # mean cosine of two sentences of different senses
    nearest: Float[np.ndarray, " layer"]  # share of sentences whose nearest other one has the same sense


def word_index(tokenizer: "helpers.tokenization.Tokenizer", text: str, word: str) -> int:
    """Where a word's last piece stands among the tokens that a model reads of a text, counted from 0.

    Capitals make no difference, special tokens in front are counted.

    >>> from helpers.tinytown import WordTokenizer
    >>> word_index(WordTokenizer(), "The bank was muddy.", "bank")  # <start>, the, bank
    2

    Raises ValueError for a word that is not in the text exactly once, and where no token ends with it.
    """
    for name, value in (("text", text), ("word", word)):
        if not isinstance(value, str) or not value.strip():
            raise ValueError(
                f"a {name} must be a string with letters in it, got {value!r}; try 'The bank', 'bank'"
            )
    word = word.strip()
    places = list(re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text, flags=re.IGNORECASE))
    if len(places) != 1:
        raise ValueError(
            f"the word must stand in the text exactly once, got {len(places)} times {word!r} in {text[:60]!r}; "
            "change the text"
        )
    own, with_special = _own_tokens(tokenizer, text), tokenizer.encode(text, special=True)
    up_to_word = tokenizer.encode(text[: places[0].end()])
    if own[: len(up_to_word)] != up_to_word:
        raise ValueError(
            f"a token must end with the word {word!r}, got one that goes on; put a space behind it"
        )
    in_front = 0 if with_special[: len(own)] == own else 1
    return in_front + len(up_to_word) - 1


def context_vectors(
    model: Model, tokenizer: "helpers.tokenization.Tokenizer", text: str, word: str
) -> Float[np.ndarray, "layer_plus_1 d_model"]:
    """The vector of one word in its text, layer by layer: the residual stream at the word's last piece.

    A GPT's vector knows only what stands before the word: in "apple unveiled the new phone" nothing, so that it is
    the vector of any other text that begins with "apple". It is also the first of the text, on which heads rest
    when they find nothing (the *sink*), and first tokens have vectors unlike all others.

    Raises ValueError as ``word_index`` and ``read`` do.
    """
    at = word_index(tokenizer, text, word)
    return read(model, tokenizer.encode(text, special=True)).residual[:, at]


def sense_vectors(
    model: Model, tokenizer: "helpers.tokenization.Tokenizer", texts: Sequence[str], word: str
) -> Float[np.ndarray, "text layer_plus_1 d_model"]:
    """``context_vectors`` of the same word in several texts, one on top of the other.

    Raises ValueError for a single string in place of several, without a text, and as ``context_vectors`` does.
    """
    if isinstance(texts, str) or not len(texts):
        raise ValueError(
            f"texts must be a list of at least one string, got {texts!r}; try ['The River Bank']"
        )
    return np.stack([context_vectors(model, tokenizer, text, word) for text in texts])


def layer_cosines(
    a: Num[np.ndarray, "layer d_model"], b: Num[np.ndarray, "layer d_model"]
) -> Float[np.ndarray, " layer"]:
    """The cosine of two words' vectors in each layer: 1 is the same direction, 0 is unrelated.

    >>> layer_cosines(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 9.0]]))
    array([1., 0.])

    Raises ValueError for two paths of different shape, and for a vector of zeros.
    """
    a, b = _directions(a, 2), _directions(b, 2)
    if a.shape != b.shape:
        raise ValueError(
            f"both must have the same layers and width, got {list(a.shape)} and {list(b.shape)}; take one model"
        )
    return np.einsum("ld,ld->l", a, b)


def sense_separation(
    a: Num[np.ndarray, "text_a layer d_model"], b: Num[np.ndarray, "text_b layer d_model"]
) -> Separation:
    """How alike a word's vectors are within two groups of sentences and across them, layer by layer.

    ``nearest`` is the harder question: leave a sentence out, look for the one nearest to it by cosine. 1 means that
    the layer alone tells the senses apart, about 1/2 that it knows nothing. Where several are equally near,
    their share of the right sense counts.

    >>> river = np.array([[[1.0, 0.0]], [[1.0, 0.0]]])  # two sentences, one layer, two numbers
    >>> money = np.array([[[0.0, 1.0]], [[0.0, 1.0]]])
    >>> sense_separation(river, money)
    Separation(within=array([1.]), across=array([0.]), nearest=array([1.]))

    Raises ValueError for less than two sentences in a group, groups that don't fit, and vectors of zeros.
    """
    a, b = _directions(a, 3), _directions(b, 3)
    if a.shape[1:] != b.shape[1:] or min(len(a), len(b)) < 2:
        raise ValueError(
            "both groups must hold at least two texts with the same layers and width, got "
            f"{list(a.shape)} and {list(b.shape)}; sense_vectors gives them"
        )
    every = np.concatenate([a, b])
    cosine = np.einsum("ald,bld->lab", every, every)
    first = np.arange(len(every)) < len(a)
    same = first[:, None] == first
    others = ~np.eye(len(every), dtype=bool)
    without_self = np.where(others, cosine, -np.inf)
    near = without_self >= without_self.max(-1, keepdims=True) - 1e-6
    return Separation(
        within=cosine[:, same & others].mean(-1),
        across=cosine[:, ~same].mean(-1),
        nearest=((near & same).sum(-1) / near.sum(-1)).mean(-1),
    )


def _directions(vectors, axes: int) -> np.ndarray:
    """Vectors of length 1 in float64."""
    vectors = _numbers("vectors", vectors, axes).astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if vectors.ndim != axes or not (lengths > 0).all():
        raise ValueError(
            f"vectors must have {axes} axes and none be all zeros, got the shape {list(vectors.shape)} and a shortest "
            f"one of {lengths.min():g}; context_vectors gives them"
        )
    return vectors / lengths


# ---------------------------------------------------------------------------------------------
# 7. What it costs.


class Cost(NamedTuple):
    """What one layer's attention needs for a text."""

    operations: int  # multiplications and additions, each counted as one
    score_bytes: int  # of all scores, if they are written down


class Times(NamedTuple):
    """Median seconds for each length."""

    naive: Float[np.ndarray, " length"]  # scores, softmax and mean one after the other, as written here
    fused: Float[np.ndarray, " length"]  # torch's one call, which never writes the scores down


def attention_cost(n: Count, *, d_head: Count = 64, n_heads: Count = 9, bytes_per_number: Count = 4) -> Cost:
    """What scores and weighted means of ``n`` tokens cost in one layer; the defaults are SmolLM2's.

    Each head multiplies ``n`` queries with ``n`` keys and ``n`` rows of weights with the values: twice ``n * n * d_head``
    products and as many sums. (A mask saves at most half of it. The softmax and the matrices that make queries, keys
    and values come on top; the latter grow with ``n`` only.)

    >>> attention_cost(1000)  # 4 * 9 * 64 * a million; 9 million numbers of 4 bytes
    Cost(operations=2304000000, score_bytes=36000000)
    >>> attention_cost(2000).operations / attention_cost(1000).operations
    4.0

    Raises ValueError for sizes that are no whole numbers from 1.
    """
    n, d_head = _whole("n", n, "try 1000"), _whole("d_head", d_head, "try 64")
    n_heads, size = _whole("n_heads", n_heads, "try 9"), _whole("bytes_per_number", bytes_per_number, "try 4")
    return Cost(operations=4 * n_heads * n * n * d_head, score_bytes=n_heads * n * n * size)


def time_attention(
    lengths: Sequence[int], *, d_head: Count = 64, n_heads: Count = 9, repeats: Count = 7, seed: int = 0
) -> Times:
    """Seconds for one layer's causal attention over texts of several lengths, step by step and by torch's fused kernel.

    The two take turns, so that both meet the same load of the machine; the median of ``repeats`` counts.

    Raises ValueError for sizes that are no whole numbers from 1, no length, and too long a text.
    """
    import torch

    d_head, n_heads, lengths = _sizes(d_head, n_heads, lengths)
    repeats = _whole("repeats", repeats, "try 7")
    generator = torch.Generator().manual_seed(seed)
    medians = []
    with torch.inference_mode():
        for n in lengths:
            parts = [torch.randn(n_heads, n, d_head, generator=generator) for _ in range(3)]
            seconds = {_naive: [], _fused: []}
            for _ in range(repeats + 1):  # the first one warms up and does not count
                for way in seconds:
                    began = time.perf_counter()
                    way(*parts)
                    seconds[way].append(time.perf_counter() - began)
            medians.append([statistics.median(taken[1:]) for taken in seconds.values()])
    return Times(*np.array(medians).T)


def _sizes(d_head: Count, n_heads: Count, lengths: Sequence[int]) -> tuple[int, int, list[int]]:
    d_head, n_heads = _whole("d_head", d_head, "try 64"), _whole("n_heads", n_heads, "try 9")
    lengths = [_whole("each length", n, "try 256") for n in lengths]
    if not lengths:
        raise ValueError("lengths must hold at least one length, got none; try [64, 128, 256]")
    longest = max(lengths)
    # Step by step, three arrays of this size stand in memory: scores, masked scores and weights.
    _check_size(3 * n_heads * longest * max(longest, d_head), f"{n_heads} heads of {longest:,} tokens")
    return d_head, n_heads, lengths


def _naive(queries, keys, values):
    """Step by step, [head, seq, d_head] in and out."""
    from helpers.transformer import attention_weights
    from helpers.transformer import causal_mask as torch_mask

    return attention_weights(queries, keys, torch_mask(len(queries[0]), len(keys[0]))) @ values


def _fused(queries, keys, values):
    """torch's one call."""
    import torch.nn.functional as F

    return F.scaled_dot_product_attention(queries[None], keys[None], values[None], is_causal=True)[0]


class Memory(NamedTuple):
    """The most bytes that stood in memory at once beside queries, keys and values, for each length."""

    naive: Int[np.ndarray, " length"]  # scores, softmax and mean one after the other, as written here
    fused: Int[np.ndarray, " length"]  # torch's one call


def measure_memory(lengths: Sequence[int], *, d_head: Count = 64, n_heads: Count = 9) -> Memory:
    """What one layer's causal attention keeps in memory at its peak, step by step and by torch's fused kernel.

    Every array that torch makes is counted until it is gone. What the fused kernel keeps for itself while it works is
    not seen: a block of scores for each thread, which does not grow with the text.

    >>> measure_memory([100, 200]).naive / measure_memory([100, 200]).naive[0] > 3
    array([False,  True])

    Raises ValueError for sizes that are no whole numbers from 1, no length, and too long a text.
    """
    import torch

    d_head, n_heads, lengths = _sizes(d_head, n_heads, lengths)
    peaks = []
    with torch.inference_mode():
        for n in lengths:
            parts = [torch.zeros(n_heads, n, d_head) for _ in range(3)]
            peaks.append([_most_bytes(way, parts) for way in (_naive, _fused)])
    return Memory(*np.array(peaks).T)


def _most_bytes(function, parts) -> int:
    """The most bytes that arrays made inside a function took at once."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    known = {part.untyped_storage().data_ptr() for part in parts}

    class Counter(TorchDispatchMode):
        now = most = 0

        def __torch_dispatch__(self, operation, types, arguments=(), settings=None):
            result = operation(*arguments, **(settings or {}))
            for made in result if isinstance(result, tuple | list) else [result]:
                if isinstance(made, torch.Tensor) and made.untyped_storage().data_ptr() not in known:
                    self.count(made.untyped_storage())
            return result

        def count(self, storage):
            place, size = storage.data_ptr(), storage.nbytes()
            known.add(place)
            self.now += size
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self.forget, place, size)

        def forget(self, place, size):
            known.discard(place)
            self.now -= size

    with Counter() as counter:
        function(*parts)
    return counter.most


# ---------------------------------------------------------------------------------------------
# The command: every head of a real model.


class HeadCosts(NamedTuple):
    """What ``python -m helpers.attention`` measured on ``TEXT`` with SmolLM2."""

    loss: float  # with all heads, in nats per token
    gained: Float[np.ndarray, "layer head"]  # how much more without that head


def load_head_costs(path: Path = HEADS) -> HeadCosts:
    """What each of SmolLM2's 270 heads is worth on ``TEXT``, as the command measured it.

    Raises FileNotFoundError where the file is missing.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"the heads' costs must be read from {path.name}, which is not there; run: python -m helpers.attention"
        )
    with np.load(path) as file:
        return HeadCosts(float(file["loss"]), file["gained"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Switches off each head of SmolLM2 in turn, prints what that costs on our text, and writes it down."""
    parser = argparse.ArgumentParser(prog="python -m helpers.attention", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=HEADS)
    options = parser.parse_args(arguments)

    from helpers.pretrained import load_smollm2

    model, tokenizer = load_smollm2()
    texts = [tokenizer.encode(TEXT)]
    loss = loss_with(model, texts)
    print(f"{len(texts[0])} tokens, {loss:.3f} nats per token", flush=True)
    began, rows = time.perf_counter(), []
    for layer in range(model.config.n_layers):
        rows.append(head_ablation(model, texts, [layer])[0])
        print(f"layer {layer:2}  " + " ".join(f"{gained:+.3f}" for gained in rows[-1]), flush=True)
    print(f"{time.perf_counter() - began:.0f} s")
    np.savez_compressed(options.out, loss=loss, gained=np.array(rows, dtype=np.float32))
    print(f"wrote {options.out.name}, {options.out.stat().st_size / 1e3:.1f} kB")


if __name__ == "__main__":
    main()
