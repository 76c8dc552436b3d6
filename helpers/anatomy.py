"""The transformer taken apart: each piece of a block by hand, and a trained model with one piece missing.

A block has two halves, attention and the feed-forward network. Each half reads the residual stream through a norm
and adds to it what it has found. That is all there is, thirty times over; the last norm and the embedding table
then turn the stream into logits.

1. The pieces by hand, in NumPy: ``layer_norm``, ``rms_norm``, ``gelu``, ``silu``, ``feed_forward``.
2. A trained model without one of them: ``PIECES``, ``loss_without``, ``losses_without``, ``layer_costs``.
3. What each half block writes to the stream: ``stream_lengths``.
4. Who may look at whom: ``masks``, and ``sees``, which finds out from the model itself.
5. SmolLM2 as somebody else's code runs it: ``load_reference``.

What this leaves out: attention itself (``helpers.attention``), positions (``helpers.positions``), training
(``helpers.training``).

Sources: Ba et al. 2016, "Layer Normalization", section 3; Zhang and Sennrich 2019, equation 4 (RMSNorm); Hendrycks
and Gimpel 2016, section 2 (GELU); Elfwing et al. 2017, section 2 (SiLU); Shazeer 2020, equation 6 (SwiGLU); Vaswani
et al. 2017, sections 3.1 to 3.3 (the block, its masks); He et al. 2015, section 3.1 (the residual connection);
Xiong et al. 2020 (norms in front); Raffel et al. 2020, section 3.2.1 and figure 4 (masks, prefix language models);
Sun et al. 2024, "Massive Activations in Large Language Models", section 2 (the first token's long vector).
"""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from einops import rearrange
from jaxtyping import Bool, Float, Num, Shaped

from helpers.attention import (
    _IGNORED,
    Count,
    Model,
    Texts,
    _batches,
    _embed,
    _ids,
    _layer,
    _numbers,
    _whole,
    causal_mask,
    read,
)

# What is done by hand needs no torch, and should not wait for it: it is imported inside the functions below.
if TYPE_CHECKING:
    import torch

    import helpers.transformer

REFERENCE = Path(__file__).parent / "weights" / "reference.json"

# What can be taken out, and what is done in its place.
PIECES = {
    "nothing": "the model as it was trained",
    "attention": "attention finds nothing: zeros are added to the stream",
    "feed-forward": "the feed-forward network finds nothing: zeros are added to the stream",
    "residual around attention": "what attention writes replaces the stream and is not added to it",
    "residual around feed-forward": "what the feed-forward network writes replaces the stream and is not added to it",
    "norm before attention": "attention reads the stream as it is, with neither the norm nor its learned weights",
    "norm before feed-forward": "the feed-forward network reads the stream as it is, likewise",
    "final norm": "the embedding table reads the stream as it is, likewise",
    "nonlinearity": "GELU or SiLU gives back what it was given; in SwiGLU, gate and up are still multiplied",
    "gate": "SwiGLU without its gate, down(up(x)): two matrices in a row, which are no more than one",
    "positions": "no position is told: nothing added to the embedding, no query and no key turned",
}


# ---------------------------------------------------------------------------------------------
# 1. The pieces by hand.


def layer_norm(
    x: Num[np.ndarray, "*batch d_model"],
    weight: Num[np.ndarray, " d_model"] | None = None,
    bias: Num[np.ndarray, " d_model"] | None = None,
    eps: float = 1e-5,
) -> Float[np.ndarray, "*batch d_model"]:
    """Each vector moved to the mean 0 and stretched to the variance 1, then scaled and shifted number by number.

    The mean of 1 and 5 is 3; they lie 2 to either side, so the variance is 4 and its root is 2:

    >>> layer_norm(np.array([1.0, 5.0])).round(3)
    array([-1.,  1.])
    >>> layer_norm(np.array([1.0, 5.0]), weight=np.array([10.0, 10.0]), bias=np.array([0.0, 7.0])).round(3)
    array([-10.,  17.])

    ``eps`` is added to the variance, so that a vector of equal numbers is divided by more than 0. Without
    ``weight`` and ``bias`` nothing is scaled or shifted. Raises ValueError for weights that don't fit ``x``, for an
    ``eps`` that is not above 0, and for NaN. Ba et al. 2016, section 3.
    """
    x, eps = _numbers("x", x), _above_0(eps)
    centred = x - x.mean(-1, keepdims=True)
    normed = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps)
    return normed * _one_each("weight", weight, x, 1.0) + _one_each("bias", bias, x, 0.0)


def rms_norm(
    x: Num[np.ndarray, "*batch d_model"],
    weight: Num[np.ndarray, " d_model"] | None = None,
    eps: float = 1e-5,
) -> Float[np.ndarray, "*batch d_model"]:
    """Each vector divided by the root of its mean square, then scaled number by number; the mean stays in.

    The mean of 1 and 49 is 25, and its root is 5:

    >>> rms_norm(np.array([1.0, 7.0])).round(3)
    array([0.2, 1.4])
    >>> rms_norm(np.array([1.0, 7.0]), weight=np.array([10.0, 5.0])).round(3)
    array([2., 7.])

    Raises ValueError as ``layer_norm`` does. Zhang and Sennrich 2019, equation 4.
    """
    x, eps = _numbers("x", x), _above_0(eps)
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + eps) * _one_each("weight", weight, x, 1.0)


def gelu(x: Num[np.ndarray, "*shape"], *, exact: bool = False) -> Float[np.ndarray, "*shape"]:
    """Each number times the chance that a number drawn from the bell curve is smaller.

    84 % of the bell curve lie below 1, half of it below 0, 16 % below -1:

    >>> gelu(np.array([-1.0, 0.0, 1.0, 9.0])).round(2)
    array([-0.16,  0.  ,  0.84,  9.  ])

    GPT-2 has the approximation with tanh, off by less than 0.0005; ``exact=True`` asks for the chance itself.
    Raises ValueError for NaN and infinity. Hendrycks and Gimpel 2016, section 2.
    """
    x = _numbers("x", x, least_axes=0)
    if exact:
        return (x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2).astype(x.dtype)
    return x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


def silu(x: Num[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Each number times its sigmoid, 1 / (1 + e^-x): nearly all of a large one, nearly nothing of one far below 0.

    e to the power of ln 3 is 3, and 1 / (1 + 1/3) is 3/4:

    >>> silu(np.log([1/3, 1.0, 3.0])) / np.log(3)
    array([-0.25,  0.  ,  0.75])

    Raises ValueError for NaN and infinity. Elfwing et al. 2017, section 2 (also called Swish).
    """
    x = _numbers("x", x, least_axes=0)
    return x * (1 + np.tanh(x / 2)) / 2  # the same sigmoid; e to the power of 1,000 is never asked for


def feed_forward(
    x: Num[np.ndarray, "*batch d_model"],
    up: Num[np.ndarray, "d_model d_mlp"],
    down: Num[np.ndarray, "d_mlp d_model"],
    gate: Num[np.ndarray, "d_model d_mlp"] | None = None,
) -> Float[np.ndarray, "*batch d_model"]:
    """What the feed-forward network writes: up to more numbers, bent there, and back down.

    With a ``gate`` it is SwiGLU, as in llama; without one, GELU, as in GPT-2 (which also adds a bias to each
    product; neither of our models does). A matrix turns a row vector, ``x @ up``.
    (torch keeps its matrices the other way round: hand over ``linear.weight.T``.)

    >>> x, up, down = np.array([2.0]), np.array([[5.0, -5.0]]), np.array([[1.0], [1.0]])
    >>> feed_forward(x, up, down)  # up: 10 and -10; GELU lets 10 through, and nothing of -10
    array([10.])
    >>> gate = np.array([[50.0, -50.0]])
    >>> feed_forward(x, up, down, gate)  # SiLU of the gate: 100 and 0; times 10 and -10
    array([1000.])

    Raises ValueError for matrices that don't fit each other. Vaswani et al. 2017, section 3.3; Shazeer 2020,
    equation 6.
    """
    x, up, down = _numbers("x", x), _numbers("up", up, 2), _numbers("down", down, 2)
    gate = gate if gate is None else _numbers("gate", gate, 2)
    # `down` leads back to the stream, so it has the shape of `up` turned round.
    wanted = (x.shape[-1], up.shape[-1])
    if up.shape != wanted or down.shape != wanted[::-1] or (gate is not None and gate.shape != wanted):
        raise ValueError(
            f"up and gate must be [d_model, d_mlp] and down [d_mlp, d_model], got up {list(up.shape)}, "
            f"down {list(down.shape)}, gate {gate if gate is None else list(gate.shape)} for a d_model of {x.shape[-1]}; "
            "torch's weights are the other way round, try linear.weight.T"
        )
    bent = gelu(x @ up) if gate is None else silu(x @ gate) * (x @ up)
    return bent @ down


def _above_0(eps: float) -> float:
    if not (isinstance(eps, int | float) and eps > 0 and math.isfinite(eps)):
        raise ValueError(f"eps must be above 0 and finite, got {eps!r}; 1e-5 is usual")
    return eps


def _one_each(name: str, values, x: np.ndarray, default: float) -> np.ndarray | float:
    """One number for each of a vector's; ``default`` where there are none."""
    if values is None:
        return default
    values = _numbers(name, values)
    if values.shape != x.shape[-1:]:
        raise ValueError(
            f"{name} must hold one number for each of the {x.shape[-1]} it meets, got the shape {list(values.shape)}; "
            "None leaves it out"
        )
    return values.astype(x.dtype)


# ---------------------------------------------------------------------------------------------
# 2. A trained model without a piece.


def loss_without(
    model: "helpers.transformer.GPT",
    texts: Texts,
    piece: str = "nothing",
    layers: Iterable[int] | None = None,
) -> float:
    """The mean surprise of a GPT over texts, in nats per token, with one of ``PIECES`` gone; it is not trained again.

    ``texts`` are Tinytown stories as ``tinytown.stories`` gives them, or lists of ids. The piece is gone in all
    layers, or in those of ``layers``, counted from 0. Infinite where numbers grow beyond what float32 holds.

    Raises ValueError for texts the model can't read, an unknown piece, one that the model lacks, a layer it lacks,
    and for layers where the piece is in none of them.
    """
    import torch

    batches = _batches(model, texts)
    _check_piece(model, piece)
    gone_in = _layers(model, piece, layers)
    total = counted = 0.0
    with torch.inference_mode():
        for batch in batches:
            x = _embed(model, batch.ids) if piece != "positions" else model.embedding(batch.ids)
            total += _total_loss(model, _last(_half_blocks(model, x, piece, gone_in)), batch, piece)
            counted += int((batch.targets != _IGNORED).sum())
    return total / counted


def losses_without(model: "helpers.transformer.GPT", texts: Texts) -> dict[str, float]:
    """``loss_without`` for every piece that the model has, gone in all layers; "nothing" comes first.

    Raises ValueError for texts the model can't read.
    """
    return {piece: loss_without(model, texts, piece) for piece in PIECES if not _lacks(model, piece)}


def layer_costs(
    model: "helpers.transformer.GPT", texts: Texts, layers: Iterable[int] | None = None
) -> Float[np.ndarray, "layer part"]:
    """The loss with one layer's attention gone (column 0) or its feed-forward network (column 1), in nats per token.

    One row for each of ``layers`` (``None``: all). Less ``loss_without(model, texts)``, it is what that half block
    is worth. What lies below it is computed once and kept, which halves the work.

    Raises ValueError for texts the model can't read, and a layer it lacks.
    """
    import torch

    batches = _batches(model, texts)
    wanted = _layers(model, "attention", layers)
    totals, counted = np.zeros((len(wanted), 2)), 0
    with torch.inference_mode():
        for batch in batches:
            x = _embed(model, batch.ids)
            streams = [x, *(after for _, after in _half_blocks(model, x))][::2]  # before each block
            for row, layer in enumerate(wanted):
                for column, piece in enumerate(("attention", "feed-forward")):
                    last = _last(_half_blocks(model, streams[layer], piece, {layer}, first=layer))
                    totals[row, column] += _total_loss(model, last, batch)
            counted += int((batch.targets != _IGNORED).sum())
    return totals / counted


def _half_blocks(
    model, x, piece: str = "nothing", gone_in: Iterable[int] = (), first: int = 0
) -> Iterator[tuple["torch.Tensor", "torch.Tensor"]]:
    """What each half block writes, and the stream behind it, from block ``first`` on, [batch, seq, d_model].

    A GPT in evaluation mode, written out once more so that a piece can be missing.
    """
    for layer, block in enumerate(model.blocks[first:], start=first):
        gone = piece if layer in gone_in else "nothing"
        for name, norm, part in (
            ("attention", block.attention_norm, _look),
            ("feed-forward", block.mlp_norm, _think),
        ):
            if gone == name:
                written = x.new_zeros(x.shape)
            else:
                written = part(model.config, block, x if gone == f"norm before {name}" else norm(x), gone)
            x = written if gone == f"residual around {name}" else x + written
            yield written, x


def _last(half_blocks: Iterator[tuple["torch.Tensor", "torch.Tensor"]]) -> "torch.Tensor":
    """The stream behind the last half block; those before are not kept."""
    for _, stream in half_blocks:
        last = stream
    return last


def _look(config, block, x, gone: str):
    """What attention finds, [batch, seq, d_model]. Padding lies behind a text's end, where nobody looks."""
    import torch
    import torch.nn.functional as F

    from helpers.transformer import rotate

    attention = block.attention
    queries, keys, values = (
        rearrange(linear(x), "batch seq (head d) -> batch head seq d", d=config.d_head)
        for linear in (attention.query, attention.key, attention.value)
    )
    if config.positions == "rotary" and gone != "positions":
        positions = torch.arange(x.shape[1], device=x.device)
        queries, keys = (rotate(part, positions, config.rope_base) for part in (queries, keys))
    found = F.scaled_dot_product_attention(queries, keys, values, is_causal=True, enable_gqa=True)
    return attention.output(rearrange(found, "batch head seq d -> batch seq (head d)"))


def _think(config, block, x, gone: str):
    """What the feed-forward network finds, [batch, seq, d_model]."""
    import torch.nn.functional as F

    mlp, raised = block.mlp, block.mlp.up(x)
    straight = gone == "nonlinearity"
    if config.mlp == "gelu":
        return mlp.down(raised if straight else F.gelu(raised, approximate="tanh"))
    if gone == "gate":
        return mlp.down(raised)
    gate = mlp.gate(x)
    return mlp.down((gate if straight else F.silu(gate)) * raised)


def _total_loss(model, stream, batch, piece: str = "nothing") -> float:
    """The surprise of all targets together, in nats."""
    import torch.nn.functional as F

    # Where the squares don't fit into float32, a norm divides by infinity: the zeros that follow mean nothing.
    if not stream.square().isfinite().all():
        return math.inf
    if piece == "final norm":
        table = model.embedding if model.config.tied else model.unembedding
        logits = F.linear(stream, table.weight)
    else:
        logits = model.unembed(stream)
    logits = logits.flatten(0, 1)
    losses = F.cross_entropy(logits, batch.targets.flatten(), ignore_index=_IGNORED, reduction="none")
    return losses.double().sum().item()


def _check_piece(model, piece: str) -> None:
    if piece not in list(PIECES):  # a list asks for equality, where a dict would ask for a hash
        (near,) = get_close_matches(str(piece), PIECES, n=1, cutoff=0)
        raise ValueError(f"piece must be one of {', '.join(PIECES)}, got {piece!r}; nearest is {near!r}")
    if _lacks(model, piece):
        raise ValueError(f"piece must be one that the model has, got {piece!r}; {_lacks(model, piece)}")


def _lacks(model, piece: str) -> str:
    """Why a piece can't be taken out of a model; empty where it can."""
    if piece == "gate" and model.config.mlp != "swiglu":
        return "its feed-forward network is GELU's, without a gate; try 'nonlinearity'"
    if piece == "positions" and model.config.positions == "none":
        return "nobody tells it positions; try 'nothing'"
    return ""


def _layers(model, piece: str, layers: Iterable[int] | None) -> list[int]:
    """The layers that are meant, in the order in which they were named."""
    if layers is None:
        return list(range(model.config.n_layers))
    if piece == "final norm" or (piece == "positions" and model.config.positions == "learned"):
        raise ValueError(
            f"{piece!r} must go without layers, got {layers!r}: this model has it in none of them; try layers=None"
        )
    if isinstance(layers, str) or not isinstance(layers, Iterable):
        raise ValueError(f"layers must be a list of whole numbers, got {layers!r}; try [0]")
    chosen = [_layer(model, layer) for layer in layers]
    if not chosen:
        raise ValueError("layers must name at least one layer, got none; None takes all")
    return chosen


# ---------------------------------------------------------------------------------------------
# 3. What each half block writes.


class Lengths(NamedTuple):
    """The residual stream of one text: how long its vectors are (L2), and how each half block changes them.

    Half blocks count from 0: 2 i is the attention of block i, 2 i + 1 its feed-forward network.
    """

    stream: Float[np.ndarray, "half_plus_1 seq"]  # [0] before the first block, [h + 1] behind half block h
    written: Float[np.ndarray, "half seq"]  # how long what half block h adds
    cosine: Float[np.ndarray, "half seq"]  # between the stream before half block h and behind it


def stream_lengths(
    model: "helpers.transformer.GPT", ids: Sequence[int] | Shaped[np.ndarray, "*seq"]
) -> Lengths:
    """How long the residual stream's vectors are before and behind each half block, and what was written between.

    Raises ValueError for ids that are not the model's, too long a text, and a model that is no GPT.
    """
    import torch
    import torch.nn.functional as F

    from helpers.transformer import GPT

    if not isinstance(model, GPT):
        raise ValueError(f"a model must be a GPT, got {type(model).__name__}; take load_tinytown()")
    ids = _ids(ids, model.config.vocab_size)
    if len(ids) > model.config.n_ctx:
        raise ValueError(
            f"a text must have at most {model.config.n_ctx} tokens for this model, got {len(ids)}; take a shorter one"
        )
    with torch.inference_mode():
        x = _embed(model, torch.from_numpy(ids)[None].to(model.device))
        written, after = zip(*_half_blocks(model, x), strict=True)
        written, stream = torch.cat(written), torch.cat([x, *after])
        return Lengths(
            stream.norm(dim=-1).float().cpu().numpy(),
            written.norm(dim=-1).float().cpu().numpy(),
            F.cosine_similarity(stream[:-1], stream[1:], dim=-1).float().cpu().numpy(),
        )


# ---------------------------------------------------------------------------------------------
# 4. Who may look at whom.


def masks(n_source: Count, n_target: Count) -> dict[str, Bool[np.ndarray, "query key"]]:
    """The masks of four kinds of transformer, by name: True where a query (a row) may look at a key (a column).

    The source is the text that is given, the target the one that is written. An encoder reads the source in both
    directions. A decoder writes the target and sees no future. A decoder with an encoder also sees the whole
    source: first come the columns of the source, then those of the target. A prefix language model is a decoder
    that reads its source in both directions: its last rows are those of the encoder-decoder.

    >>> found = masks(n_source=2, n_target=3)
    >>> found["encoder-decoder"].astype(int)
    array([[1, 1, 1, 0, 0],
           [1, 1, 1, 1, 0],
           [1, 1, 1, 1, 1]])
    >>> {name: f"{mask.sum()} of {mask.size} pairs" for name, mask in found.items()}
    {'encoder': '4 of 4 pairs', 'decoder': '6 of 9 pairs', 'encoder-decoder': '12 of 15 pairs',
     'prefix': '16 of 25 pairs'}

    Raises ValueError for numbers that are no whole ones from 1, and for too large a mask. Vaswani et al. 2017,
    sections 3.1 and 3.2.3; Raffel et al. 2020, figure 4.
    """
    n_source, n_target = _whole("n_source", n_source, "try 5"), _whole("n_target", n_target, "try 5")
    prefix = causal_mask(n_source + n_target)
    prefix[:n_source, :n_source] = True
    return {
        "encoder": np.ones((n_source, n_source), dtype=bool),
        "decoder": causal_mask(n_target),
        "encoder-decoder": prefix[n_source:],
        "prefix": prefix,
    }


def sees(model: Model, ids: Sequence[int] | Shaped[np.ndarray, "*seq"]) -> Bool[np.ndarray, "position token"]:
    """True where a model's last vector at a position (a row) depends on a token (a column), found by trying.

    Each token in turn is replaced by another. Where the vector moves by more than 0.01 % of its length, the token
    was seen, directly or through others. A GPT gives the decoder's mask, a sentence encoder the encoder's.

    Raises ValueError as ``helpers.attention.read`` does.
    """
    plain = read(model, ids).residual[-1]
    columns = []
    for token in range(len(plain)):
        other = np.array(ids, dtype=np.int64)
        other[token] = (other[token] + 1) % model.config.vocab_size
        moved = np.linalg.norm(read(model, other).residual[-1] - plain, axis=-1)
        columns.append(moved > 1e-4 * np.linalg.norm(plain, axis=-1))
    return np.stack(columns, axis=1)


# ---------------------------------------------------------------------------------------------
# 5. The reference.


class Written(NamedTuple):
    """What the reference writes after a prompt when it always takes the most likely token."""

    prompt: str
    ids: list[int]  # of the prompt
    continuation: str
    continuation_ids: list[int]
    top_ids: list[int]  # the five most likely first tokens, the most likely one first
    top_logits: list[float]  # their logits, rounded to three decimals


class Reference(NamedTuple):
    """SmolLM2 as somebody else's code runs it: what ours must agree with."""

    model: str  # the file of weights that was read
    made_with: dict[str, str]  # the programs that ran it, with their versions
    written: list[Written]


def load_reference(path: Path = REFERENCE) -> Reference:
    """What Hugging Face's ``transformers`` computes from the same weights in float32, as tests/reference.py wrote it.

    >>> load_reference().written[0].prompt
    'The capital of France is'

    Raises FileNotFoundError where the file is missing and ValueError where it is damaged.
    """
    repair = "run: git checkout helpers/weights"
    if not path.is_file():
        raise FileNotFoundError(f"the reference must be read from {path.name}, which is not there; {repair}")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        written = [Written(**one) for one in found["written"]]
        return Reference(found["model"], found["made_with"], written)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"the reference must be what tests/reference.py wrote, got {path.name}, which is damaged ({error!r}); {repair}"
        ) from error
