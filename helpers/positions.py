"""Positions: how a model is told where each token stands.

Attention takes a weighted mean, and a mean does not know in which order its parts came. So the order has
to be put in, and there are four ways that matter:

- **sinusoids** (``sinusoid_table``): a fixed vector for each position, added to the token's vector;
- **a learned table** (``learned_table``): the same, with vectors found by training, as in GPT-2;
- **rotary** (``rotary_angles``, ``rotate_pairs``, ``rotate_halves``): nothing is added; queries and keys are
  turned, and their dot product then depends on the distance alone, as in llama;
- **ALiBi** (``alibi_bias``): nothing is turned either; every step of distance costs some score.

The first part is NumPy. The second part takes trained models, switches their positions off, mixes them up or
stretches them, and measures what that costs. ``python -m helpers.positions`` trains the small rotary GPT that
reads 32 tokens and no more, so that a notebook can look beyond.

What this leaves out: relative biases learned by the model (T5), mixtures of the stretches below (YaRN), and
fine-tuning a stretched model, which the papers do and this module does not.

Sources: Vaswani et al. 2017, section 3.5 (sinusoids); Radford et al. 2019 (a learned table); Su et al. 2021,
section 3.2.2 (rotary); Press et al. 2022, section 3 (ALiBi); Chen et al. 2023, section 2.3 (interpolation);
bloc97 2023, "NTK-Aware Scaled RoPE", a post on r/LocalLLaMA (scaled base).
"""

import argparse
import copy
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Num, Shaped

# Tables and rotations need no torch, and should not wait for it: it is imported inside the functions below.
if TYPE_CHECKING:
    import helpers.transformer

Count = int | float  # of whole things; a fraction is let in so that it can be refused in a sentence

WEIGHTS = Path(__file__).parent / "weights" / "rotary.safetensors"
TRAINED_LENGTH = 32  # tokens that the small rotary GPT has seen at once
LARGEST = 100_000_000  # numbers in a table, 800 MB: a larger one is a slip of the keyboard


def _whole(name: str, value: Count, hint: str) -> int:
    """The value, if it is a whole number of 1 or more."""
    if isinstance(value, bool) or not (isinstance(value, int | np.integer) and value >= 1):
        raise ValueError(f"{name} must be a whole number of 1 or more, got {value!r}; {hint}")
    return int(value)


def _check_size(numbers: int, what: str) -> None:
    if numbers > LARGEST:
        raise ValueError(f"a table must have at most {LARGEST:,} numbers, got {what}; take a smaller one")


def _speeds(name: str, width: Count, base: float) -> Float[np.ndarray, " pair"]:
    """Radians that each pair of ``width`` numbers turns at one step to the next position."""
    width = _whole(name, width, "try 64")
    if width % 2:
        raise ValueError(f"{name} must be even, got {width}; positions use pairs of numbers, try {width + 1}")
    if not (isinstance(base, int | float | np.number) and base > 1 and math.isfinite(base)):
        raise ValueError(f"base must be above 1 and finite, got {base!r}; 10,000 is usual")
    _check_size(width, f"rows of {width:,}")
    return base ** (-2 * np.arange(width // 2) / width)


def _angles(n_positions: Count, name: str, width: Count, base: float) -> Float[np.ndarray, "position pair"]:
    n_positions = _whole("n_positions", n_positions, "positions count from 0, so 8 are the positions 0 to 7")
    speeds = _speeds(name, width, base)
    _check_size(n_positions * 2 * len(speeds), f"{n_positions:,} positions of {width}")
    return np.arange(n_positions)[:, None] * speeds


# ---------------------------------------------------------------------------------------------
# Sinusoids.


def sinusoid_table(
    n_positions: Count, d_model: Count, base: float = 10_000.0
) -> Float[np.ndarray, "position d_model"]:
    """One fixed vector for each position, counted from 0: sines in the even columns, cosines in the odd ones.

    Columns ``2 i`` and ``2 i + 1`` hold the sine and the cosine of ``position / base ** (2 i / d_model)``: the
    place of a clock hand, a slower one in every pair. The dot product of two rows depends on how far apart
    they are, not on where.

    >>> sinusoid_table(2, 4).round(3)  # sin 1 = 0.841, cos 1 = 0.540, sin 0.01 = 0.010
    array([[0.   , 1.   , 0.   , 1.   ],
           [0.841, 0.54 , 0.01 , 1.   ]])

    Raises ValueError for a number of positions that is no whole number from 1, an odd ``d_model``, and a base
    of 1 or less. Vaswani et al. 2017, section 3.5.
    """
    angles = _angles(n_positions, "d_model", d_model, base)
    table = np.empty((len(angles), 2 * angles.shape[1]))
    table[:, 0::2] = np.sin(angles)
    table[:, 1::2] = np.cos(angles)
    return table


def wavelengths(d_model: Count, base: float = 10_000.0) -> Float[np.ndarray, " pair"]:
    """How many positions each pair takes for one full turn: ``2 pi base ** (2 i / d_model)``.

    >>> wavelengths(4).round(1)
    array([  6.3, 628.3])

    Raises ValueError for an odd ``d_model`` and a base of 1 or less.
    """
    return 2 * np.pi / _speeds("d_model", d_model, base)


# ---------------------------------------------------------------------------------------------
# Rotary.


def rotary_angles(
    n_positions: Count, d_head: Count, base: float = 10_000.0
) -> Float[np.ndarray, "position pair"]:
    """How far each pair of a query or key is turned at each position, in radians; position 0 is not turned.

    >>> rotary_angles(3, 4)
    array([[0.  , 0.  ],
           [1.  , 0.01],
           [2.  , 0.02]])

    Raises ValueError as ``sinusoid_table`` does. Su et al. 2021, section 3.2.2, equation 15.
    """
    return _angles(n_positions, "d_head", d_head, base)


def rotate_pairs(
    x: Num[np.ndarray, "*batch seq d_head"], angles: Float[np.ndarray, "position pair"]
) -> Float[np.ndarray, "*batch seq d_head"]:
    """``x`` with neighbours turned: row ``p`` of ``angles`` turns the numbers 0 and 1, 2 and 3, ... at position ``p``.

    This *interleaved* layout is the paper's; a pair is a point in the plane, so the turn is the product with
    a complex number of length 1.

    >>> quarter = np.array([[np.pi / 2, 0.0]])  # the first pair by a quarter turn, the second not at all
    >>> rotate_pairs(np.array([[1.0, 0.0, 5.0, 6.0]]), quarter).round(3)
    array([[0., 1., 5., 6.]])

    Raises ValueError for shapes that do not fit and for numbers that are none. Su et al. 2021, equation 34.
    """
    x, angles = _check_turn(x, angles)
    turned = np.empty(x.shape, dtype=np.result_type(x, angles))
    turned[..., 0::2], turned[..., 1::2] = _turn(x[..., 0::2], x[..., 1::2], angles)
    return turned


def rotate_halves(
    x: Num[np.ndarray, "*batch seq d_head"], angles: Float[np.ndarray, "position pair"]
) -> Float[np.ndarray, "*batch seq d_head"]:
    """The same turn for the *halves* layout: pair ``i`` is made of the numbers ``i`` and ``i + d_head / 2``.

    Hugging Face's llama and this course's GPT keep their weights so: two halves are easier to cut.

    >>> quarter = np.array([[np.pi / 2, 0.0]])
    >>> rotate_halves(np.array([[1.0, 5.0, 0.0, 6.0]]), quarter).round(3)
    array([[0., 5., 1., 6.]])

    Raises ValueError as ``rotate_pairs`` does.
    """
    x, angles = _check_turn(x, angles)
    half = x.shape[-1] // 2
    return np.concatenate(_turn(x[..., :half], x[..., half:], angles), axis=-1)


def _turn(first: np.ndarray, second: np.ndarray, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points ``(first, second)`` of the plane, turned anticlockwise."""
    cos, sin = np.cos(angles), np.sin(angles)
    return first * cos - second * sin, first * sin + second * cos


def _check_turn(x: np.ndarray, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays that fit each other."""
    x, angles = np.asarray(x), np.asarray(angles)
    if angles.ndim != 2 or x.shape[-2:] != (angles.shape[0], 2 * angles.shape[1]):
        raise ValueError(
            f"angles [position, pair] must turn x [..., seq, d_head], got {list(angles.shape)} for {list(x.shape)}; "
            "rotary_angles(seq, d_head) fits"
        )
    if not all(a.dtype.kind in "iuf" and np.isfinite(a).all() for a in (x, angles)):
        raise ValueError(
            "x and angles must be finite numbers, got NaN, infinity or no numbers; look for them with np.isfinite"
        )
    return x, angles


def interleaved_to_halves(x: Shaped[np.ndarray, "*batch d_head"]) -> Shaped[np.ndarray, "*batch d_head"]:
    """``x`` with the numbers of its last axis in the *halves* order: all firsts of a pair, then all seconds.

    >>> interleaved_to_halves(np.array([10, 11, 20, 21, 30, 31]))
    array([10, 20, 30, 11, 21, 31])

    A dot product does not care about the order of its terms, as long as queries and keys have the same. So a
    model can change its layout for good: reorder the *rows* of the weights that make its queries and keys,
    ``rows[interleaved_to_halves(np.arange(d_head))]``, head by head. A llama in a GGUF file has been through
    the inverse, because the program that reads such files turns neighbours;
    ``helpers.pretrained.halves_from_pairs`` brings its rows back. Weights in one order and rotation in the
    other give a model that talks nonsense, without an error.

    Raises ValueError for an odd number of numbers.
    """
    x = _check_even(x)
    return np.concatenate([x[..., 0::2], x[..., 1::2]], axis=-1)


def halves_to_interleaved(x: Shaped[np.ndarray, "*batch d_head"]) -> Shaped[np.ndarray, "*batch d_head"]:
    """The way back: the two numbers of each pair side by side.

    >>> halves_to_interleaved(np.array([10, 20, 30, 11, 21, 31]))
    array([10, 11, 20, 21, 30, 31])

    Raises ValueError for an odd number of numbers.
    """
    x = _check_even(x)
    half = x.shape[-1] // 2
    return np.stack([x[..., :half], x[..., half:]], axis=-1).reshape(x.shape)


def _check_even(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x)
    if x.ndim == 0 or x.shape[-1] % 2 or x.shape[-1] == 0:
        raise ValueError(
            f"the last axis must hold pairs of numbers, got the shape {list(x.shape)}; try an even size"
        )
    return x


def scaled_base(factor: float, d_head: Count, base: float = 10_000.0) -> float:
    """The base with which the slowest pair turns ``factor`` times slower and the fastest as before.

    A model that was trained on 32 tokens and reads 128 with ``scaled_base(4, d_head)`` sees no angle of its
    slowest pair that is new to it. (*Interpolation* slows all pairs alike: ``rotary_angles(128, d_head) / 4``.)

    >>> scaled_base(4, 4, base=100.0)  # 100 * 4 ** (4 / 2)
    1600.0

    Raises ValueError for a factor below 1, a head with less than two pairs, and as ``rotary_angles`` does.
    bloc97 2023.
    """
    pairs = len(_speeds("d_head", d_head, base))
    if not (factor >= 1 and math.isfinite(factor)):
        raise ValueError(f"factor must be 1 or more and finite, got {factor}; 4 reads four times as far")
    if pairs == 1:
        raise ValueError(
            f"d_head must be 4 or more, got {d_head}; a single pair is the fastest and the slowest"
        )
    return base * factor ** (pairs / (pairs - 1))


# ---------------------------------------------------------------------------------------------
# ALiBi.


def alibi_slopes(n_heads: Count) -> Float[np.ndarray, " head"]:
    """What one step of distance costs in each head: ``2 ** (-8 h / n_heads)`` for ``h`` from 1.

    >>> alibi_slopes(4)
    array([0.25      , 0.0625    , 0.015625  , 0.00390625])

    Raises ValueError for a number of heads that is no whole number from 1. Press et al. 2022, section 3.
    """
    n_heads = _whole("n_heads", n_heads, "try 8")
    _check_size(n_heads, f"{n_heads:,} heads")
    return 2.0 ** (-8 * np.arange(1, n_heads + 1) / n_heads)


def alibi_bias(n_heads: Count, n_positions: Count) -> Float[np.ndarray, "head query key"]:
    """What is added to the scores of attention before the softmax: minus slope times distance.

    The future is minus infinity, as the causal mask makes it.

    >>> alibi_bias(8, 3)[0]  # slope 1/2
    array([[ 0. , -inf, -inf],
           [-0.5,  0. , -inf],
           [-1. , -0.5,  0. ]])

    Raises ValueError for counts that are no whole numbers from 1, and for too large a table.
    """
    slopes = alibi_slopes(n_heads)
    n_positions = _whole("n_positions", n_positions, "try 8")
    _check_size(len(slopes) * n_positions**2, f"{n_heads} heads of {n_positions:,} x {n_positions:,}")
    distance = np.arange(n_positions)[:, None] - np.arange(n_positions)  # [query, key]
    return np.where(distance >= 0, slopes[:, None, None] * -distance, -np.inf)


# ---------------------------------------------------------------------------------------------
# A learned table.


def learned_table(model: "helpers.transformer.GPT") -> Float[np.ndarray, "position d_model"]:
    """A copy of the vectors that a GPT with learned positions adds, one row for each position.

    Raises ValueError for a model without such a table.
    """
    if model.config.positions != "learned":
        raise ValueError(
            f"a model must have learned positions for this, got {model.config.positions!r}, which has no table; "
            "take load_tinytown()"
        )
    return model.position_embedding.weight.detach().cpu().numpy().copy()


def cosines(table: Float[np.ndarray, "position d_model"]) -> Float[np.ndarray, "position position"]:
    """The cosine of every row of a table with every other: 1 is the same direction, 0 is unrelated.

    >>> cosines(np.array([[1.0, 0.0], [3.0, 3.0]])).round(2)
    array([[1.  , 0.71],
           [0.71, 1.  ]])

    Raises ValueError for a row of zeros, which has no direction.
    """
    table = np.asarray(table)
    if table.ndim != 2:
        raise ValueError(
            f"a table must be [position, d_model], got the shape {list(table.shape)}; try table[None]"
        )
    lengths = np.linalg.norm(table, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        row = int(np.argmin(np.isfinite(lengths) & (lengths > 0)))
        raise ValueError(
            f"every row must have a length above 0 and finite, got {lengths[row, 0]} in row {row}; leave it out"
        )
    directions = table / lengths
    return directions @ directions.T


# ---------------------------------------------------------------------------------------------
# A trained model with its positions in your hand.


def attend(
    model: "helpers.transformer.GPT",
    ids: Sequence[int] | Shaped[np.ndarray, "*seq"],
    *,
    positions: bool = True,
    causal: bool = True,
    layer: int = 0,
) -> Float[np.ndarray, "seq d_model"]:
    """What a layer's attention finds for each token of a text: one row of ``d_model`` numbers a token.

    ``positions=False`` leaves out the learned table or the rotation; ``causal=False`` lets every token look at
    all of the text. Without both, attention does not know the order: other order, same rows, in other places.

    Raises ValueError for a text that is empty, too long, or not made of this model's ids, and for a layer
    that the model lacks.
    """
    import torch

    rows = _check_ids(model, np.asarray(ids)[None], longest=model.config.n_ctx)
    layers = model.config.n_layers
    if layer not in range(layers):
        raise ValueError(
            f"layer must be from 0 to {layers - 1} for this model, got {layer!r}; 0 is the first"
        )
    with torch.inference_mode():
        found, _ = _run(
            model, rows, _own_angles(model, rows.shape[1]) if positions else None, positions, causal
        )
    return found[layer][0].cpu().numpy()


def _own_angles(model, n_positions: int) -> np.ndarray | None:
    """The angles that a rotary model itself would turn by; None for a model that turns nothing."""
    config = model.config
    return (
        rotary_angles(n_positions, config.d_head, config.rope_base) if config.positions == "rotary" else None
    )


def _run(model, ids: np.ndarray, angles: np.ndarray | None, learned: bool = True, causal: bool = True):
    """A GPT in evaluation mode, written out once more so that positions and mask can be chosen.

    Returns what attention found in each layer and the last residual stream, [batch, seq, d_model] each.
    """
    import torch

    x = model.embedding(torch.as_tensor(ids, device=model.device))
    if learned and model.config.positions == "learned":
        x = x + model.position_embedding.weight[: ids.shape[1]]
    found = []
    for block in model.blocks:
        found.append(_look(block.attention, block.attention_norm(x), angles, causal))
        x = x + found[-1]
        x = x + block.mlp(block.mlp_norm(x))
    return found, x


def _look(attention, x, angles: np.ndarray | None, causal: bool):
    """One layer's attention, [batch, seq, d_model] in and out, turned by the given angles."""
    from einops import rearrange, repeat

    from helpers.transformer import attention_weights, causal_mask

    config, seq = attention.config, x.shape[1]
    queries = rearrange(attention.query(x), "batch seq (head d) -> batch head seq d", d=config.d_head)
    keys = rearrange(attention.key(x), "batch seq (head d) -> batch head seq d", d=config.d_head)
    values = rearrange(attention.value(x), "batch seq (head d) -> batch head seq d", d=config.d_head)
    if angles is not None:
        queries, keys = (_rotate_tensor(queries, angles), _rotate_tensor(keys, angles))
    group = config.n_heads // config.kv_heads  # neighbouring query heads share keys and values
    keys = repeat(keys, "batch head key d -> batch (head group) key d", group=group)
    values = repeat(values, "batch head key d -> batch (head group) key d", group=group)
    weights = attention_weights(queries, keys, causal_mask(seq, seq, x.device) if causal else None)
    return attention.output(rearrange(weights @ values, "batch head seq d -> batch seq (head d)"))


def _rotate_tensor(x, angles: np.ndarray):
    """``rotate_halves`` on a tensor: the very function that was written by hand turns the real thing."""
    import torch

    return torch.as_tensor(rotate_halves(x.cpu().numpy(), angles), dtype=x.dtype, device=x.device)


def _check_ids(model, ids: np.ndarray, longest: float) -> Int[np.ndarray, "batch seq"]:
    """Ids [batch, seq] that a model can read."""
    vocab_size = model.config.vocab_size
    if ids.ndim != 2 or ids.size == 0:
        raise ValueError(
            f"ids must be rows of at least one token each, got the shape {list(ids.shape)}; windows(ids, length) cuts them"
        )
    if ids.dtype.kind not in "iu":
        raise ValueError(f"ids must be whole numbers, got {ids.dtype}; a tokenizer's encode gives them")
    if ids.min() < 0 or ids.max() >= vocab_size:
        wrong = ids.min() if ids.min() < 0 else ids.max()
        raise ValueError(
            f"ids must be from 0 to {vocab_size - 1}, got {wrong}; use the tokenizer that belongs to this model"
        )
    if ids.shape[1] > longest:
        raise ValueError(
            f"a text must have at most {longest} tokens for this model, got {ids.shape[1]}; take a shorter one"
        )
    return ids.astype(np.int64)


# ---------------------------------------------------------------------------------------------
# Ablations: what a model loses when its positions are wrong.


def ablate(
    model: "helpers.transformer.GPT", rows: Shaped[np.ndarray, "*position"] | None
) -> "helpers.transformer.GPT":
    """A copy of a GPT in which position ``p`` is given row ``rows[p]`` of the learned table in place of its own.

    ``None`` gives every position zeros: no positions at all. Positions behind the last of ``rows`` keep their
    own. The model itself is left alone.

    Raises ValueError for a model without a learned table, and for rows that the table does not have.
    """
    import torch

    table = learned_table(model)
    n_ctx = len(table)
    if rows is None:
        table[:] = 0
    else:
        rows = np.asarray(rows)
        if rows.ndim != 1 or not 1 <= len(rows) <= n_ctx:
            raise ValueError(
                f"rows must name one row for each of 1 to {n_ctx} positions, got the shape {list(rows.shape)}; "
                f"np.arange({n_ctx}) changes nothing"
            )
        known = np.isin(rows, np.arange(n_ctx))
        if rows.dtype.kind not in "iu" or not known.all():
            wrong = rows.dtype if known.all() else rows[~known][0]
            raise ValueError(
                f"rows must be whole numbers from 0 to {n_ctx - 1}, got {wrong}; np.arange({n_ctx}) changes nothing"
            )
        table[: len(rows)] = table[rows]
    changed = copy.deepcopy(model)
    with torch.no_grad():
        changed.position_embedding.weight.copy_(torch.from_numpy(table))
    return changed


def ablations(
    n_positions: Count, shifts: Sequence[int] = (1, 2, 5), seed: int = 0
) -> Mapping[str, Int[np.ndarray, " position"] | None]:
    """The changes of a position table that are worth measuring, by name, as ``ablate`` takes them.

    >>> {name: rows if rows is None else rows.tolist() for name, rows in ablations(3, shifts=[5]).items()}
    {'as trained': [0, 1, 2], 'removed': None, 'shuffled': [2, 0, 1], 'shifted by 5': [5, 6, 7]}
    """
    rows = np.arange(_whole("n_positions", n_positions, "try 32"))
    changes = {"as trained": rows, "removed": None, "shuffled": np.random.default_rng(seed).permutation(rows)}
    return changes | {f"shifted by {by}": rows + by for by in shifts}


def ablation_losses(
    model: "helpers.transformer.GPT",
    stories: Sequence[Sequence[str]],
    shifts: Sequence[int] = (1, 2, 5),
    seed: int = 0,
) -> dict[str, float]:
    """The loss on Tinytown stories, in nats per token, with each change of ``ablations``.

    Only positions that the stories use are changed: rows behind them were never trained.

    Raises ValueError without a story, for a word that Tinytown lacks, for a model without a learned table, and
    for a shift beyond its end.
    """
    from helpers.training import evaluate, story_rows

    longest = story_rows(stories)[0].shape[1]
    return {
        name: evaluate(ablate(model, rows), stories)
        for name, rows in ablations(longest, shifts, seed).items()
    }


# ---------------------------------------------------------------------------------------------
# Loss by position, up to the trained length and beyond.


def windows(
    ids: Sequence[int] | Shaped[np.ndarray, "*token"], length: Count
) -> Int[np.ndarray, "window seq"]:
    """A long text cut into rows of ``length`` tokens; what is left over at the end is dropped.

    >>> windows([7, 8, 9, 10, 11], 2)
    array([[ 7,  8],
           [ 9, 10]])

    Raises ValueError for a text shorter than one window.
    """
    ids, length = np.asarray(ids), _whole("length", length, "try 33")
    if ids.ndim != 1 or len(ids) < length:
        raise ValueError(
            f"a text must have at least the {length} tokens of one window, got the shape {list(ids.shape)}; "
            "take a longer text or shorter windows"
        )
    return ids[: len(ids) // length * length].reshape(-1, length)


def loss_by_position(
    model: "helpers.transformer.GPT",
    ids: Int[np.ndarray, "window seq"],
    *,
    angles: Float[np.ndarray, "position pair"] | None = None,
) -> Float[np.ndarray, " position"]:
    """The mean surprise of a window's tokens in nats: entry ``p`` is that of the token after ``p + 1`` others.

    There is one entry less than a window has tokens: nothing comes before the first. ``angles`` turns a rotary
    model's queries and keys by other angles than its own, one row for each token that is read; with them it
    may read texts longer than it was built for.

    Raises ValueError for windows of less than two tokens or longer than the model reads, for ids that are not
    its own, and for angles that do not fit it.
    """
    import torch
    import torch.nn.functional as F

    config = model.config
    ids = _check_ids(model, np.asarray(ids), longest=math.inf)
    n_read = ids.shape[1] - 1
    if n_read < 1:
        raise ValueError("a window must have at least two tokens, got 1; there is nothing to predict it from")
    if angles is None:
        _check_ids(model, ids[:, :-1], longest=config.n_ctx)
        angles = _own_angles(model, n_read)
    elif config.positions != "rotary":
        raise ValueError(
            f"angles are for rotary models, got one with {config.positions!r} positions; leave them out"
        )
    elif np.shape(angles) != (n_read, config.d_head // 2):
        raise ValueError(
            f"angles must be [{n_read}, {config.d_head // 2}] for these windows and this model, "
            f"got {list(np.shape(angles))}; try rotary_angles({n_read}, {config.d_head})"
        )
    losses = np.zeros(n_read)
    with torch.inference_mode():
        for window in ids:  # one at a time: over all of them, a real model's logits would fill gigabytes
            logits = model.unembed(_run(model, window[None, :-1], angles)[1])[0]
            targets = torch.as_tensor(window[1:], device=model.device)
            losses += F.cross_entropy(logits, targets, reduction="none").cpu().numpy()
    return losses / len(ids)


def joined_stories(split: str, count: Count, seed: int = 0) -> Int[np.ndarray, " token"]:
    """The ids of Tinytown stories in a row, each closed by ``<end>``: a text longer than any story.

    >>> joined_stories("test", 2).tolist().count(1)  # <end> is 1
    2

    Raises ValueError for an unknown split, and for a count that is no whole number from 0.
    """
    from helpers import tinytown

    tokenizer = tinytown.WordTokenizer()
    rows = [tokenizer.encode_story(words)[1:] for words in tinytown.stories(split, count, seed)]
    return np.array([token for row in rows for token in row], dtype=np.int64)


def load_rotary() -> "helpers.transformer.GPT":
    """The small rotary GPT that ``python -m helpers.positions`` trained on windows of 32 tokens.

    Raises FileNotFoundError where its weights are missing.
    """
    from helpers.transformer import load_model

    return load_model(WEIGHTS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains the small rotary GPT on joined Tinytown stories, prints how it goes, and writes its weights."""
    parser = argparse.ArgumentParser(prog="python -m helpers.positions", description=main.__doc__)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--stories", type=int, default=40_000)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args(arguments)

    import torch

    from helpers import tinytown
    from helpers.training import TrainingConfig, train
    from helpers.transformer import GPT, GPTConfig, save_model

    config = GPTConfig(
        vocab_size=len(tinytown.VOCABULARY),
        n_ctx=TRAINED_LENGTH,
        n_layers=2,
        n_heads=4,
        d_model=64,
        positions="rotary",
        bias=False,
    )
    # Windows begin anywhere in a story, so that every position sees every part of one.
    rows = torch.from_numpy(windows(joined_stories("train", options.stories), TRAINED_LENGTH + 1))
    model = GPT(config, seed=0)
    print(f"{model.n_params:,} parameters, {len(rows):,} windows of {TRAINED_LENGTH} tokens", flush=True)
    began = time.perf_counter()
    for record in train(model, rows[:, :-1], rows[:, 1:], TrainingConfig(steps=options.steps)):
        if record.step % 250 == 0 or record.step == options.steps:
            print(f"step {record.step:5}  loss {record.loss:.4f}", flush=True)
    print(f"{time.perf_counter() - began:.0f} s")
    save_model(model, options.out)
    print(f"wrote {options.out.name}, {options.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
