"""One GPT class, small enough to read, for a toy and for a real model.

A GPT turns the ids of a text into one row of scores (logits) for every position: how much each
token of the vocabulary is expected next. In between runs the *residual stream*: one vector of
``d_model`` numbers for every position, to which each block adds what its attention (looking back)
and its feed-forward network (thinking on the spot) have found.

The config says which parts are built in, so that the same code is GPT-2 (LayerNorm, learned
positions, GELU) and llama (RMSNorm, rotary positions, SwiGLU, few key/value heads), and loads the
weights of both. Pure functions come first, then the modules that own weights, then files.

What this leaves out: training (``helpers.training``), choosing the next token
(``helpers.sampling``), the names of other people's weights (``helpers.pretrained``).

Sources: Vaswani et al. 2017, section 3.2.1, equation 1 (attention); Radford et al. 2019, section
2.3 (GPT-2: norms in front, scaled residual weights); Su et al. 2021, section 3.2.2 (rotary
positions); Zhang and Sennrich 2019, equation 4 (RMSNorm); Shazeer 2020, equation 6 (SwiGLU);
Ainslie et al. 2023, section 2.2 (grouped key/value heads).
"""

import contextlib
import difflib
import functools
import json
import math
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

FILE_FORMAT = "under-the-hood GPT, version 1"


def explained(config_class: type) -> type:
    """The dataclass, which now says in a sentence what is wrong with the names of its fields."""
    build = config_class.__init__
    needed = [field.name for field in fields(config_class) if field.default is MISSING]

    @functools.wraps(build)
    def explain_and_build(self, *values, **named):
        names = [field.name for field in fields(config_class)]
        for name in named:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names)}"
                raise ValueError(f"{config_class.__name__} has no field {name!r}; {hint}")
        missing = [name for name in needed[len(values) :] if name not in named]
        if missing:
            raise ValueError(
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing; "
                f"{config_class.__name__} needs {', '.join(needed)}"
            )
        build(self, *values, **named)

    config_class.__init__ = explain_and_build
    return config_class


@explained
@dataclass(frozen=True)
class GPTConfig:
    """The sizes and parts of a GPT; every combination that is let through can be built.

    >>> GPTConfig(vocab_size=7, n_ctx=5, n_layers=1, n_heads=2, d_model=6).d_head
    3
    """

    vocab_size: int  # tokens known
    n_ctx: int  # longest text, in tokens
    n_layers: int  # blocks on top of each other
    n_heads: int  # attention heads in a block, each with its own queries
    d_model: int  # width of the residual stream
    n_kv_heads: int | None = None  # heads with keys and values, shared by the query heads; None: n_heads
    d_mlp: int | None = None  # width inside the feed-forward network; None: 4 * d_model
    norm: str = "layernorm"  # or "rmsnorm", which leaves the mean alone and has no bias
    norm_eps: float = 1e-5  # added to the variance, so that a vector of zeros divides by more than 0
    positions: str = "learned"  # how the order of the tokens gets in; or "rotary", "none"
    rope_base: float = 10_000.0  # rotary: the slowest pair turns by about 1 / rope_base a position
    mlp: str = "gelu"  # the tanh approximation, as in GPT-2; or "swiglu", as in llama
    tied: bool = True  # the embedding table also reads the answer out
    bias: bool = True  # a constant in every linear layer and LayerNorm
    dropout: float = 0.0  # share of the numbers set to 0 while training

    def __post_init__(self):
        optional = {"n_kv_heads": self.kv_heads, "d_mlp": self.mlp_width}
        for name in ("vocab_size", "n_ctx", "n_layers", "n_heads", "d_model", "n_kv_heads", "d_mlp"):
            value = optional.get(name, getattr(self, name))
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} must be a whole number of 1 or more, got {value!r}; try 1")
        if self.d_model % self.n_heads:
            raise ValueError(
                f"n_heads must divide d_model, got {self.n_heads} heads for {self.d_model} numbers; "
                f"try d_model={math.ceil(self.d_model / self.n_heads) * self.n_heads}"
            )
        if self.n_heads % self.kv_heads:
            raise ValueError(
                f"n_kv_heads must divide n_heads, got {self.kv_heads} for {self.n_heads} heads; "
                f"try n_kv_heads=1 or n_kv_heads={self.n_heads}"
            )
        choices = {
            "norm": ("layernorm", "rmsnorm"),
            "positions": ("learned", "rotary", "none"),
            "mlp": ("gelu", "swiglu"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}; "
                    f"{allowed[0]!r} is what GPT-2 has"
                )
        if self.positions == "rotary" and self.d_head % 2:
            raise ValueError(
                f"rotary positions turn pairs of numbers, so d_model / n_heads must be even, "
                f"got {self.d_model} / {self.n_heads} = {self.d_head}; try positions='learned'"
            )
        for name in ("norm_eps", "rope_base"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                default = type(self).__dataclass_fields__[name].default
                raise ValueError(f"{name} must be above 0 and finite, got {value}; {default:g} is usual")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {self.dropout}; 0 switches it off")

    @property
    def d_head(self) -> int:
        """Numbers in one head's query, key or value."""
        return self.d_model // self.n_heads

    @property
    def kv_heads(self) -> int:
        """Heads with keys and values, once ``None`` is filled in."""
        return self.n_heads if self.n_kv_heads is None else self.n_kv_heads

    @property
    def mlp_width(self) -> int:
        """Width inside the feed-forward network, once ``None`` is filled in."""
        return 4 * self.d_model if self.d_mlp is None else self.d_mlp


# ---------------------------------------------------------------------------------------------
# Pure functions: all the arithmetic that is not a matrix of weights.


def causal_mask(
    n_queries: int, n_keys: int, device: torch.device | str | None = None
) -> Bool[Tensor, "query key"]:
    """True where a query may look: at its own position and at those before it.

    The queries are the last ``n_queries`` of the ``n_keys`` positions; with a cache there are fewer
    queries than keys.

    >>> causal_mask(2, 3).int()
    tensor([[1, 1, 0],
            [1, 1, 1]], dtype=torch.int32)
    """
    everything = torch.ones(n_queries, n_keys, dtype=torch.bool, device=device)
    return everything.tril(diagonal=n_keys - n_queries)


def attention_weights(
    queries: Float[Tensor, "*batch query d_head"],
    keys: Float[Tensor, "*batch key d_head"],
    mask: Bool[Tensor, "query key"] | None = None,
) -> Float[Tensor, "*batch query key"]:
    """How much each query takes from each key: softmax of the scaled dot products, rows sum to 1.

    Where ``mask`` is False the weight is exactly 0. Vaswani et al. 2017, equation 1. Raises
    ``ValueError`` for a mask that lets a query see nothing: no shares of nothing add up to 1.

    >>> keys = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> attention_weights(torch.zeros(1, 2), keys)
    tensor([[0.5000, 0.5000]])
    >>> attention_weights(keys, keys, causal_mask(2, 2))[0]
    tensor([1., 0.])
    """
    # Without the root, longer vectors give larger scores, and the softmax puts all on one key.
    scores = queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])
    if mask is not None:
        blind = ~mask.any(dim=-1)
        if blind.any():
            raise ValueError(
                f"a mask must let every query see at least one key, got row {int(blind.nonzero()[0])} all False; "
                "causal_mask lets each see its own position"
            )
        scores = scores.masked_fill(~mask, -math.inf)
    return scores.softmax(dim=-1)


def rotate(
    x: Float[Tensor, "*batch seq d_head"], positions: Int[Tensor, " seq"], base: float = 10_000.0
) -> Float[Tensor, "*batch seq d_head"]:
    """``x`` with every pair of its numbers turned by an angle that grows with the position.

    Pair ``i`` is made of the numbers ``i`` and ``i + d_head / 2`` (the *halves* layout of llama's
    weights as Hugging Face stores them; the paper, and GGUF files, pair neighbours instead:
    ``2 i`` and ``2 i + 1``). It turns by ``position * base ** (-2 i / d_head)`` radians. The dot
    product of two turned vectors depends on how far apart they are, not on where. Positions count
    from 0, where nothing turns. Su et al. 2021, section 3.2.2.

    >>> rotate(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1]))  # cos 1, sin 1
    tensor([[1.0000, 0.0000],
            [0.5403, 0.8415]])
    """
    half = x.shape[-1] // 2
    speeds = base ** (-torch.arange(half, dtype=torch.float32, device=x.device) / half)
    angles = positions[:, None] * speeds  # [seq, half]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def rms_norm(
    x: Float[Tensor, "*batch d_model"], weight: Float[Tensor, " d_model"], eps: float = 1e-5
) -> Float[Tensor, "*batch d_model"]:
    """``x`` divided by the root of its mean square, then scaled number by number.

    Zhang and Sennrich 2019, equation 4.

    >>> rms_norm(torch.tensor([3.0, -3.0, 3.0]), torch.tensor([1.0, 1.0, 2.0]))
    tensor([ 1.0000, -1.0000,  2.0000])
    """
    return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + eps) * weight


# What a product costs depends on who computes it. Measured on an AMD EPYC, times of F.linear (which takes MKL): for one
# row and a large matrix NumPy's library needs half of it; from some millions of multiplications oneDNN does, backwards
# too, and below them its detour costs more than it saves. Macs have no oneDNN, and a lone vector has no way back through
# it. NumPy knows no gradients; its threads and torch's stand in each other's way, so that it is for when nothing is
# learned and torch has one (see `Reader`).
ONEDNN = torch.backends.mkldnn.is_available()
LARGE_FOR_ONE_ROW = 2**16  # numbers in the matrix
LARGE_PRODUCT = 2**23  # multiplications


def linear(
    x: Float[Tensor, "*batch inside"],
    weight: Float[Tensor, "outside inside"],
    bias: Float[Tensor, " outside"] | None = None,
) -> Float[Tensor, "*batch outside"]:
    """``x @ weight.T + bias``, as ``F.linear`` computes it, only sooner where the product is large.

    >>> linear(torch.tensor([1.0, 2.0]), torch.tensor([[3.0, 4.0], [5.0, 6.0]]))  # 3 + 8, 5 + 12
    tensor([11., 17.])
    """
    if not (weight.dtype == x.dtype == torch.float32 and weight.device.type == "cpu"):
        return F.linear(x, weight, bias)
    learns = torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)
    one_row = x.numel() == x.shape[-1] and weight.numel() >= LARGE_FOR_ONE_ROW
    if one_row and not learns and torch.get_num_threads() == 1 and weight.is_contiguous():
        product = weight.detach().numpy() @ x.detach().numpy().ravel()  # the same memory, not a copy
        product = torch.from_numpy(product).view(*x.shape[:-1], len(weight))
        return product if bias is None else product + bias
    if ONEDNN and x.ndim > 1 and x.numel() * len(weight) >= LARGE_PRODUCT:
        return F.linear(x.to_mkldnn(), weight, bias).to_dense()
    return F.linear(x, weight, bias)


# ---------------------------------------------------------------------------------------------
# What a call can return or carry along.


class Trace(NamedTuple):
    """What a GPT computed on its way to the logits; ``model(ids, trace=True)`` returns one.

    With a cache, ``query`` and ``seq`` are the new tokens, ``key`` all tokens so far.
    """

    attention: Float[Tensor, "layer batch head query key"]  # before dropout: rows sum to 1, future is 0
    residual: Float[Tensor, "layer_plus_1 batch seq d_model"]  # [0] embedding, [i] after the i-th block
    logits: Float[Tensor, "batch seq vocab"]  # scores of the next token at every position


class Cache:
    """The keys and values of the tokens read so far, so that they need not be computed again.

    Start with an empty one and pass it along with the *new* tokens only: ``model(new_ids,
    cache=cache)`` reads them behind the old ones and makes the cache longer. To take tokens back, set
    ``length`` lower.
    """

    def __init__(self):
        self.length = 0  # tokens read
        self.keys: list[Tensor] = []  # one a layer: [batch, kv_head, key, d_head]
        self.values: list[Tensor] = []

    def extend(
        self,
        layer: int,
        keys: Float[Tensor, "batch kv_head new d_head"],
        values: Float[Tensor, "batch kv_head new d_head"],
    ) -> tuple[Float[Tensor, "batch kv_head key d_head"], Float[Tensor, "batch kv_head key d_head"]]:
        """All keys and values of a layer, the new ones behind the old ones; the model sets ``length``."""
        if layer == len(self.keys):
            self.keys.append(keys)
            self.values.append(values)
        else:
            # Up to `length` only: what lies behind was taken back, or is left of an interrupted call.
            self.keys[layer] = torch.cat([self.keys[layer][:, :, : self.length], keys], dim=2)
            self.values[layer] = torch.cat([self.values[layer][:, :, : self.length], values], dim=2)
        return self.keys[layer], self.values[layer]


# ---------------------------------------------------------------------------------------------
# The parts with weights.


class RMSNorm(nn.Module):
    """``rms_norm`` with weights of its own."""

    def __init__(self, d_model: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.eps = eps

    def forward(self, x: Float[Tensor, "batch seq d_model"]) -> Float[Tensor, "batch seq d_model"]:
        return rms_norm(x, self.weight, self.eps)


class Linear(nn.Linear):
    """``linear`` with weights of its own."""

    def forward(self, x: Float[Tensor, "*batch inside"]) -> Float[Tensor, "*batch outside"]:
        return linear(x, self.weight, self.bias)


def _norm(config: GPTConfig) -> nn.Module:
    if config.norm == "rmsnorm":
        return RMSNorm(config.d_model, config.norm_eps)
    return nn.LayerNorm(config.d_model, eps=config.norm_eps, bias=config.bias)


class Attention(nn.Module):
    """Looking back: every position takes in what it finds at the positions before it."""

    def __init__(self, config: GPTConfig, layer: int):
        super().__init__()
        d_kv = config.kv_heads * config.d_head
        self.query = Linear(config.d_model, config.d_model, bias=config.bias)
        self.key = Linear(config.d_model, d_kv, bias=config.bias)
        self.value = Linear(config.d_model, d_kv, bias=config.bias)
        self.output = Linear(config.d_model, config.d_model, bias=config.bias)
        self.config, self.layer = config, layer

    def forward(
        self,
        x: Float[Tensor, "batch seq d_model"],
        positions: Int[Tensor, " seq"],
        cache: Cache | None,
        trace: bool,
    ) -> tuple[Float[Tensor, "batch seq d_model"], Float[Tensor, "batch head seq key"] | None]:
        config = self.config
        queries = rearrange(self.query(x), "batch seq (head d) -> batch head seq d", head=config.n_heads)
        keys = rearrange(self.key(x), "batch seq (head d) -> batch head seq d", head=config.kv_heads)
        values = rearrange(self.value(x), "batch seq (head d) -> batch head seq d", head=config.kv_heads)
        if config.positions == "rotary":
            # Both in one call, because they turn by the same angles.
            both = rotate(torch.cat([queries, keys], dim=1), positions, config.rope_base)
            queries, keys = both.split([config.n_heads, config.kv_heads], dim=1)
        if cache is not None:
            keys, values = cache.extend(self.layer, keys, values)
        n_queries, n_keys = queries.shape[2], keys.shape[2]
        dropout = config.dropout if self.training else 0.0
        weights = None
        if trace:
            # Neighbouring query heads share a head of keys and values.
            group = config.n_heads // config.kv_heads
            keys, values = (shared.repeat_interleave(group, dim=1) for shared in (keys, values))
            weights = attention_weights(queries, keys, causal_mask(n_queries, n_keys, x.device))
            mixed = F.dropout(weights, dropout) @ values
        else:
            # The same in one fused call that never stores the weights and shares heads by itself (`gqa`).
            # A single query may see every key; `is_causal` is for as many queries as keys; a mask is for
            # all between.
            whole = n_queries == n_keys
            mask = None if whole or n_queries == 1 else causal_mask(n_queries, n_keys, x.device)
            mixed = F.scaled_dot_product_attention(
                queries, keys, values, attn_mask=mask, dropout_p=dropout, is_causal=whole, enable_gqa=True
            )
        return self.output(rearrange(mixed, "batch head seq d -> batch seq (head d)")), weights


class MLP(nn.Module):
    """Thinking on the spot: the same small network at every position, without looking elsewhere."""

    def __init__(self, config: GPTConfig):
        super().__init__()
        if config.mlp == "swiglu":
            self.gate = Linear(config.d_model, config.mlp_width, bias=config.bias)
        self.up = Linear(config.d_model, config.mlp_width, bias=config.bias)
        self.down = Linear(config.mlp_width, config.d_model, bias=config.bias)
        self.kind = config.mlp

    def forward(self, x: Float[Tensor, "batch seq d_model"]) -> Float[Tensor, "batch seq d_model"]:
        if self.kind == "swiglu":
            return self.down(F.silu(self.gate(x)) * self.up(x))
        return self.down(F.gelu(self.up(x), approximate="tanh"))


class Block(nn.Module):
    """One layer: attention, then the feed-forward network, each added to the residual stream."""

    def __init__(self, config: GPTConfig, layer: int):
        super().__init__()
        self.attention_norm = _norm(config)
        self.attention = Attention(config, layer)
        self.mlp_norm = _norm(config)
        self.mlp = MLP(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Float[Tensor, "batch seq d_model"],
        positions: Int[Tensor, " seq"],
        cache: Cache | None,
        trace: bool,
    ) -> tuple[Float[Tensor, "batch seq d_model"], Float[Tensor, "batch head seq key"] | None]:
        found, weights = self.attention(self.attention_norm(x), positions, cache, trace)
        x = x + self.dropout(found)
        x = x + self.dropout(self.mlp(self.mlp_norm(x)))
        return x, weights


def embedding_table(rows: int, d_model: int) -> nn.Embedding:
    """An embedding without first weights: to draw them on the meta device, torch would load its compiler."""
    return nn.Embedding.from_pretrained(torch.empty(rows, d_model), freeze=False)


class GPT(nn.Module):
    """A decoder-only transformer: ids ``[batch, seq]`` in, logits ``[batch, seq, vocab]`` out.

    ``seed`` draws the first weights, as GPT-2 does (normal, with the standard deviation ``std``; those that
    write to the residual stream divided by the root of ``2 n_layers``); torch's global random state is left
    alone. GPT-2's 0.02 is for vectors of 768 numbers and more: a narrow model learns sooner from a larger
    ``std``. With ``seed=None`` there are shapes but no numbers yet (torch's "meta" device), for ``load_model``.

    Raises ``ValueError`` for a ``std`` that is not above 0 and finite.

    >>> model = GPT(GPTConfig(vocab_size=7, n_ctx=5, n_layers=3, n_heads=2, d_model=8), seed=0)
    >>> logits, trace = model(torch.tensor([[1, 4, 2, 6]]), trace=True)
    >>> tuple(logits.shape), tuple(trace.attention.shape), tuple(trace.residual.shape)
    ((1, 4, 7), (3, 1, 2, 4, 4), (4, 1, 4, 8))
    """

    def __init__(self, config: GPTConfig, *, seed: int | torch.Generator | None = 0, std: float = 0.02):
        super().__init__()
        if not (std > 0 and math.isfinite(std)):
            raise ValueError(f"std must be above 0 and finite, got {std}; 0.02 is GPT-2's")
        self.config = config
        with torch.device("meta"):  # torch's own first weights would move the global random state
            self.embedding = embedding_table(config.vocab_size, config.d_model)
            if config.positions == "learned":
                self.position_embedding = embedding_table(config.n_ctx, config.d_model)
            self.dropout = nn.Dropout(config.dropout)
            self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layers))
            self.final_norm = _norm(config)
            if not config.tied:
                self.unembedding = Linear(config.d_model, config.vocab_size, bias=False)
        if seed is not None:
            self.to_empty(device="cpu")
            self._draw_weights(seed, std)

    @torch.no_grad()
    def _draw_weights(self, seed: int | torch.Generator, std: float) -> None:
        generator = torch.Generator().manual_seed(seed) if isinstance(seed, int) else seed
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif "norm." in name:
                parameter.fill_(1)
            else:
                # Every block adds twice to the residual stream; without the root it would swell.
                adds = name.endswith(("attention.output.weight", "mlp.down.weight"))
                root = math.sqrt(2 * self.config.n_layers) if adds else 1
                parameter.normal_(0, std / root, generator=generator)

    @property
    def n_params(self) -> int:
        """How many numbers were learned; a tied embedding counts once."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embedding.weight.device

    def forward(
        self, ids: Tensor, *, cache: Cache | None = None, trace: bool = False
    ) -> Float[Tensor, "batch seq vocab"] | tuple[Float[Tensor, "batch seq vocab"], Trace]:
        """Logits of the next token after every position of ``ids [batch, seq]``; with
        ``trace=True`` also what was computed on the way.

        Raises ``ValueError`` for ids outside the vocabulary and texts that are empty or too long.
        """
        residual, attention = self._read(ids, cache, trace)
        logits = self.unembed(residual[-1])
        if not trace:
            return logits
        return logits, Trace(torch.stack(attention), torch.stack(residual), logits)

    def unembed(self, residual: Float[Tensor, "batch seq d_model"]) -> Float[Tensor, "batch seq vocab"]:
        """Logits of a residual stream: the last norm, then the dot product with every token's vector.

        On a stream from the middle of the model this is the *logit lens*.
        """
        x = self.final_norm(residual)
        return linear(x, self.embedding.weight) if self.config.tied else self.unembedding(x)

    def reader(self) -> "Reader":
        """A function from the ids of a text to the logits of its next token, in NumPy."""
        return Reader(self)

    def _read(
        self, ids: Tensor, cache: Cache | None, trace: bool
    ) -> tuple[list[Float[Tensor, "batch seq d_model"]], list[Float[Tensor, "batch head query key"]]]:
        """The residual stream and the attention after each block; without ``trace`` the last stream only."""
        self._check(ids, cache)
        start = 0 if cache is None else cache.length
        positions = torch.arange(start, start + ids.shape[1], device=self.device)
        x = self.embedding(ids.to(self.device))
        if self.config.positions == "learned":
            x = x + self.position_embedding(positions)
        x = self.dropout(x)
        residual, attention = [x], []
        for block in self.blocks:
            x, weights = block(x, positions, cache, trace)
            if trace:
                residual.append(x)
                attention.append(weights)
        if cache is not None:
            cache.length = start + ids.shape[1]
        return residual if trace else [x], attention

    def _check(self, ids: Tensor, cache: Cache | None) -> None:
        config = self.config
        if ids.ndim != 2:
            raise ValueError(
                f"ids must be [batch, seq], got the shape {list(ids.shape)}; "
                + ("wrap one text as ids[None]" if ids.ndim == 1 else "rearrange them to two axes")
            )
        if ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
            raise ValueError(f"ids must be whole numbers, got {ids.dtype}; try ids.long()")
        if ids.numel() == 0:
            raise ValueError(
                f"a model needs at least one token to read, got the shape {list(ids.shape)}; "
                "begin with the token that starts a text"
            )
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= config.vocab_size:
            raise ValueError(
                f"ids must be from 0 to {config.vocab_size - 1}, got {low if low < 0 else high}; "
                "use the tokenizer that belongs to this model"
            )
        before = 0 if cache is None else cache.length
        if before + ids.shape[1] > config.n_ctx:
            read = f"{before} in the cache and {ids.shape[1]} new ones" if before else f"{ids.shape[1]}"
            raise ValueError(
                f"a text must have at most {config.n_ctx} tokens for this model, got {read}; "
                f"keep the last {config.n_ctx}"
            )
        if before:
            expected = (ids.shape[0], config.kv_heads, config.d_head)
            batch, heads, _, d_head = cache.keys[-1].shape
            if (batch, heads, d_head) != expected or len(cache.keys) != config.n_layers:
                raise ValueError(
                    f"a cache goes on with the model and the batch that began it, got one of {len(cache.keys)} "
                    f"layers, {batch} texts, {heads} heads of {d_head} for {config.n_layers} layers, "
                    f"{expected[0]} texts, {expected[1]} heads of {expected[2]}; start with an empty Cache()"
                )


_ONE_AT_A_TIME = threading.Lock()


def _goes_to_numpy(part: nn.Module) -> bool:
    """Whether `linear` would hand this part's product with one row to NumPy, if torch had one thread."""
    ours = isinstance(part, Linear) and part.weight.dtype == torch.float32 and part.weight.is_contiguous()
    return ours and part.weight.device.type == "cpu" and part.weight.numel() >= LARGE_FOR_ONE_ROW


@contextlib.contextmanager
def _torch_on_one_thread() -> Iterator[None]:
    """Keeps torch's threads out of the way while one token is read and NumPy's threads do nearly all the work.

    Between two calls torch's threads wait on their cores, awake, where NumPy's have to be: five times as slow.
    """
    with _ONE_AT_A_TIME:  # or two readers at once would each restore what the other has set
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


class Changes:
    """Asked again and again, tells whether a model's numbers have changed since the last time.

    >>> model = GPT(GPTConfig(vocab_size=7, n_ctx=5, n_layers=1, n_heads=2, d_model=8))
    >>> changed = Changes(model)
    >>> changed(), model.final_norm.weight.detach().mul_(2).sum().item(), changed(), changed()
    (False, 16.0, True, False)
    """

    def __init__(self, model: nn.Module):
        self._model, self._version = model, None
        self()

    def __call__(self) -> bool:
        # Buffers too: an adapter's strength is one. The tensors are held, or new ones could get their addresses.
        numbers = [*self._model.parameters(), *self._model.buffers()]
        version = [(id(tensor), tensor.data_ptr(), tensor._version) for tensor in numbers]
        before, self._version, self._held = self._version, version, numbers
        return version != before


class Reader:
    """Reads one text and gives the logits of its next token; what it has read before, it remembers.

    Called again with a longer text, or another that begins alike, it computes only what is new. It
    reads in evaluation mode (no dropout) and leaves the model in the mode it was in. Weights changed by
    training are noticed, and everything is read again.

    >>> model = GPT(GPTConfig(vocab_size=7, n_ctx=5, n_layers=1, n_heads=2, d_model=8))
    >>> read = model.reader()
    >>> read([1, 4]).shape, read([1, 4, 2]).shape, read.ids
    ((7,), (7,), [1, 4, 2])
    """

    def __init__(self, model: GPT):
        self.model = model
        self.ids: list[int] = []  # what the cache holds
        self._cache = Cache()
        self._changed = Changes(model)

    def __call__(self, ids: Sequence[int]) -> Float[np.ndarray, " vocab"]:
        ids = [int(i) for i in ids]
        new = torch.tensor([ids], dtype=torch.long)
        self.model._check(new, None)
        if self._changed():
            self.ids, self._cache = [], Cache()
        known = 0
        # The last token is always read, or there would be nothing to give the logits of.
        while known < min(len(self.ids), len(ids) - 1) and self.ids[known] == ids[known]:
            known += 1
        self._cache.length, self.ids = known, self.ids[:known]

        training = self.model.training
        if training:  # to change the mode, torch walks through every module: slower than a look
            self.model.eval()
        try:
            by_numpy = len(ids) - known == 1 and _goes_to_numpy(self.model.blocks[0].mlp.down)
            with _torch_on_one_thread() if by_numpy else contextlib.nullcontext(), torch.inference_mode():
                residual, _ = self.model._read(new[:, known:], self._cache, trace=False)
                # The last position alone: over a long text, all logits would fill gigabytes.
                logits = self.model.unembed(residual[-1][:, -1:])
        finally:
            if training:
                self.model.train()
        self.ids = ids
        return logits[0, 0].float().cpu().numpy()


# ---------------------------------------------------------------------------------------------
# Files.


def file_metadata(config: GPTConfig) -> dict[str, str]:
    """What a safetensors file of ours says about itself, so that it can be loaded without other files."""
    return {"format": FILE_FORMAT, "config": json.dumps(asdict(config))}


def save_model(model: GPT, path: str | os.PathLike[str]) -> None:
    """Writes the weights and the config to one safetensors file, all or nothing.

    Raises ``ValueError`` for a model that wears an adapter, and ``OSError`` as the operating system does, for a full disk
    or a read-only folder.
    """
    path = Path(path)
    if any(".base." in name for name in model.state_dict()):
        raise ValueError(
            "a model must be saved without an adapter, got one that wears one; call merge_lora or remove_lora first"
        )
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    weights = {name: weight.detach().cpu().contiguous() for name, weight in model.state_dict().items()}
    try:
        save_file(weights, unfinished, metadata=file_metadata(model.config))
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_model(path: str | os.PathLike[str], *, trainable: bool = False) -> GPT:
    """The model that ``save_model`` wrote, in evaluation mode; ``trainable=True`` lets its weights learn.

    The weights stay in the file and are mapped into memory: pages are read when they are first used,
    and several processes share them. Writing to a weight copies its page; the file never changes.

    Raises ``FileNotFoundError`` for a file that is not there and ``ValueError`` for one that is damaged
    or holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"a model must be read from a file, got {path}, which is not there; check the path"
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            config = _config_from(metadata, path)
            model = GPT(config, seed=None)
            expected = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            check_names(expected, found, path)
            weights = {name: file.get_tensor(name) for name in expected}
    except SafetensorError as error:
        raise ValueError(
            f"a model file must be whole safetensors, got {path}, which is damaged ({error}); fetch or save it again"
        ) from error
    model.load_state_dict(weights, assign=True)
    return model.eval().requires_grad_(trainable)


def _config_from(metadata: dict[str, str], path: Path) -> GPTConfig:
    if metadata.get("format") != FILE_FORMAT or "config" not in metadata:
        raise ValueError(
            f"a model file must be one that save_model wrote, got {path}, which has no config of ours in it; "
            "save the model with save_model"
        )
    try:
        return GPTConfig(**json.loads(metadata["config"]))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"a model file must hold a config that can be built, got {path} with a broken one ({error}); "
            "save the model again with save_model"
        ) from error


def check_names(expected: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]], path: Path) -> None:
    wrong = [
        f"{name} is {list(found[name]) if name in found else 'missing'} instead of {list(shape)}"
        for name, shape in expected.items()
        if found.get(name) != shape
    ]
    wrong += [f"{name} is not part of it" for name in found if name not in expected]
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise ValueError(
            f"a model file must hold the weights that its config asks for, got {path}, where {wrong[0]}{more}; "
            "save the model again with save_model"
        )
