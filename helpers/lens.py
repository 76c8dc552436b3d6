"""The logit lens: what a model would say if it had to stop after any of its layers.

A GPT keeps one vector for each position, the residual stream, and every block adds to it. Only at the very end is it
turned into odds: the last norm, then the dot product with every token's vector. Nothing but habit keeps us from
doing that earlier. The *logit lens* does it before the first block and after each one, so that one can watch an
answer form.

1. ``read_lens``: the most likely tokens at every layer and position, and how far they are from the model's last word.
   ``LensReader``: the same for one text after another.
2. ``answers``: one cell of that table. ``first_layer``: from where on the last word stays in front.

Layers count as in ``trace.residual``: 0 is the stream before the first block, ``n`` the one after the ``n``-th block.

What it leaves out: the *tuned* lens, which learns a small translation for each layer. The plain lens reads every
layer in the language of the last one, and early layers need not speak it. What it shows there can be confident and
mean nothing.

Sources: nostalgebraist 2020, "interpreting GPT: the logit lens" (LessWrong); Belrose et al. 2023, "Eliciting Latent
Predictions from Transformers with the Tuned Lens", sections 1 to 3, on where it fails.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from helpers import attention
from helpers.tokenization import Tokenizer, as_text
from helpers.transformer import GPT, Changes

LONGEST = 24  # tokens: more columns can't be read
TOP = 10  # tokens kept of each cell
ROWS = 96  # of the whole vocabulary at once, 19 MB for SmolLM2: several layers share a pass over the table
UNKNOWN = -1  # in the place of an id


class Lens(NamedTuple):
    """What a model would say next, at every layer and position of a text. Ranks count from 1, entropies in nats."""

    ids: Int[np.ndarray, " seq"]
    tokens: list[str | bytes]  # the tokens that were read; bytes where one is only part of a character
    n_tokens: int  # of the whole text; more than `seq` where only its beginning was read
    vocab_size: int
    pieces: dict[int, str | bytes]  # every id that occurs here, as text
    top_ids: Int[np.ndarray, "layer_plus_1 seq top"]  # most likely first
    top: Float[np.ndarray, "layer_plus_1 seq top"]  # their probabilities
    entropy: Float[np.ndarray, "layer_plus_1 seq"]  # of the whole vocabulary
    kl: Float[np.ndarray, "layer_plus_1 seq"]  # Kullback-Leibler divergence of the last layer's odds, nats
    final_rank: Int[np.ndarray, "layer_plus_1 seq"]  # place of the token that the whole model puts first
    final: Float[np.ndarray, "layer_plus_1 seq"]  # its probability
    next_ids: Int[np.ndarray, " seq"]  # what the text goes on with; -1 where it ends
    next_rank: Int[np.ndarray, "layer_plus_1 seq"]  # its place; 0 where the text ends
    next: Float[np.ndarray, "layer_plus_1 seq"]  # its probability; NaN where the text ends


def read_lens(
    model: nn.Module,
    tokenizer: Tokenizer,
    text: object,
    top: int | float = TOP,
    *,
    longest: int | float = LONGEST,
) -> Lens:
    """The odds of the next token before the first block and after each one, at each of a text's first tokens.

    Odds are those of the whole vocabulary; the ``top`` most likely tokens are kept. Of a text with more than
    ``longest`` tokens, or more than the model reads, the rest is left out: what comes later changes nothing before it.

    >>> from helpers.pretrained import load_tinytown
    >>> lens = read_lens(*load_tinytown(), "once there was a")
    >>> lens.tokens, lens.top_ids.shape
    (['<start>', 'once', 'there', 'was', 'a'], (3, 5, 10))
    >>> answers(lens, 2, 1)[0][0], first_layer(lens, 1)
    ('there', 1)

    Raises ValueError for a model that is no GPT, a text without a token or that the tokenizer can't read, ``top`` or
    ``longest`` below 1 or too large, and a model whose numbers are not finite.
    """
    return LensReader(model, tokenizer, top, longest=longest)(text)


class LensReader:
    """`read_lens` for one text after another, as while somebody types.

    What a text shares with the beginning of the one before is not worked out again, unless the model has been
    trained in between. Raises ValueError as `read_lens` does.

    >>> from helpers.pretrained import load_tinytown
    >>> read = LensReader(*load_tinytown(), top=1)
    >>> [read(text).pieces[int(read(text).top_ids[-1, -1, 0])] for text in ("once", "once there")]
    ['there', 'was']
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Tokenizer,
        top: int | float = TOP,
        *,
        longest: int | float = LONGEST,
    ):
        if not isinstance(model, GPT):
            raise ValueError(
                f"the lens needs a GPT, got {type(model).__name__}; load_smollm2() and load_tinytown() give one"
            )
        vocab_size, n_ctx = model.config.vocab_size, model.config.n_ctx
        self._top = _whole("top", top, vocab_size, f"the model knows {vocab_size:,} tokens")
        self._longest = min(
            n_ctx, _whole("longest", longest, max(n_ctx, LONGEST), f"the model reads {n_ctx:,} tokens")
        )
        self._model, self._tokenizer = model, tokenizer
        self._last: Lens | None = None
        self._changed = Changes(model)

    def __call__(self, text: object) -> Lens:
        """The lens of a text."""
        if not isinstance(text, str):
            raise ValueError(f"text must be a text, got {type(text).__name__}; decode ids first")
        if not self._tokenizer.encode(text):
            raise ValueError(
                f"a text must hold at least one token, got {text!r}; try 'The capital of France is'"
            )
        whole = self._tokenizer.encode(text, special=True)
        ids = np.asarray(whole[: self._longest], dtype=np.int64)
        next_ids = np.full(len(ids), UNKNOWN, dtype=np.int64)
        next_ids[: len(whole) - 1] = whole[1 : len(ids) + 1]
        if self._changed():
            self._last = None
        known = _shared(self._last, ids, next_ids)
        numbers = _measure(self._model, ids, next_ids, self._top, known)
        if known:
            numbers = {
                name: np.concatenate([getattr(self._last, name)[:, :known], new], axis=1)
                for name, new in numbers.items()
            }
        seen = {*ids.tolist(), *next_ids.tolist(), *numbers["top_ids"].ravel().tolist()} - {UNKNOWN}
        pieces = {token: as_text(self._tokenizer.token_bytes(token)) for token in sorted(seen)}
        tokens = [pieces[token] for token in ids.tolist()]
        vocab_size = self._model.config.vocab_size
        self._last = Lens(ids, tokens, len(whole), vocab_size, pieces, next_ids=next_ids, **numbers)
        return self._last


def answers(lens: Lens, layer: int, position: int, count: int = 1) -> list[tuple[str | bytes, float]]:
    """The ``count`` most likely next tokens in one cell, with their probabilities; -1 is the last layer or position.

    Raises ValueError for a layer, a position or a number of tokens that the lens has not.
    """
    n_layers, n_positions, top = lens.top.shape
    layer, position = _place("layer", layer, n_layers), _place("position", position, n_positions)
    count = _whole("count", count, top, f"the lens kept {top}")
    best = zip(lens.top_ids[layer, position, :count], lens.top[layer, position, :count], strict=True)
    return [(lens.pieces[int(token)], float(share)) for token, share in best]


def first_layer(lens: Lens, position: int = -1) -> int:
    """The layer from which on the token that the model ends with stays in front; -1 is the last position.

    Raises ValueError for a position that the lens has not.
    """
    position = _place("position", position, lens.top.shape[1])
    best = lens.top_ids[:, position, 0]
    others = np.flatnonzero(best != best[-1])
    return int(others[-1]) + 1 if len(others) else 0


def _shared(last: Lens | None, ids: Int[np.ndarray, " seq"], next_ids: Int[np.ndarray, " seq"]) -> int:
    """How many positions, one less than there are, stand in the last lens with the same past and the same next token."""
    if last is None:
        return 0
    same = 0
    for own, other, own_next, other_next in zip(ids[:-1], last.ids, next_ids, last.next_ids, strict=False):
        if own != other or own_next != other_next:
            break
        same += 1
    return same


def _measure(
    model: GPT,
    ids: Int[np.ndarray, " seq"],
    next_ids: Int[np.ndarray, " seq"],
    top: int,
    known: int,
) -> dict[str, np.ndarray]:
    """The fields of a `Lens` that have numbers for each layer and position, without the first ``known`` positions."""
    residual = torch.from_numpy(attention.read(model, ids).residual[:, known:])
    residual = residual.to(model.device, model.embedding.weight.dtype)
    next_ids = torch.from_numpy(next_ids[known:]).to(model.device)
    unknown, at_once = next_ids == UNKNOWN, max(1, ROWS // residual.shape[1])
    final_log, parts = None, []
    with torch.inference_mode():
        for end in range(len(residual), 0, -at_once):  # from the last layer: all others are compared with it
            # Only the last norm and the table: both do the same in training as in evaluation.
            log_p = model.unembed(residual[max(0, end - at_once) : end]).float().log_softmax(-1)
            p, best = log_p.exp(), log_p.topk(top)
            if final_log is None:
                final_log, final_p, final_ids = log_p[-1], p[-1], best.indices[-1, :, 0]
            final, final_rank = _found(log_p, final_ids)
            following, next_rank = _found(log_p, next_ids.clamp(min=0))
            # The mean surprise at what the last layer expects, less what it has itself.
            crossed = -torch.einsum("sv,lsv->ls", final_p, log_p)
            own = -torch.linalg.vecdot(final_p, final_log)
            part = {
                "top_ids": best.indices,
                "top": best.values.exp(),
                "entropy": -torch.linalg.vecdot(p, log_p).clamp(max=0),  # the last bits may go below 0
                "kl": (crossed - own).clamp(min=0),
                "final_rank": final_rank,
                "final": final,
                "next_rank": next_rank.masked_fill(unknown, 0),
                "next": following.masked_fill(unknown, float("nan")),
            }
            if not bool(part["entropy"].isfinite().all()):
                raise ValueError(
                    "the model's numbers must be finite, got NaN or infinity; load its weights again"
                )
            parts.append({name: values.cpu().numpy() for name, values in part.items()})
    return {name: np.concatenate([part[name] for part in reversed(parts)]) for name in parts[0]}


def _found(
    log_p: Float[Tensor, "layer seq vocab"], ids: Int[Tensor, " seq"]
) -> tuple[Float[Tensor, "layer seq"], Int[Tensor, "layer seq"]]:
    """The probability of one token at each position, and its place, counted from 1."""
    own = log_p.gather(-1, ids[None, :, None].expand(len(log_p), -1, 1))
    return own[..., 0].exp(), (log_p > own).sum(-1) + 1


def _whole(name: str, value: int | float, most: int, hint: str) -> int:
    """The value, if it is a whole number from 1 to ``most``."""
    number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not number or not 1 <= value <= most:
        raise ValueError(f"{name} must be a whole number from 1 to {most:,}, got {value!r}; {hint}")
    return int(value)


def _place(name: str, value: int, n: int) -> int:
    """A place counted from 0; -1 is the last one."""
    number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not number or not -1 <= value < n:
        raise ValueError(
            f"{name} must be a whole number from 0 to {n - 1}, or -1 for the last, got {value!r}"
        )
    return int(value) % n
