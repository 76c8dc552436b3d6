"""Sampling: from logits, the raw scores of every token, to the token that comes next.

``logits -> temperature -> top-k -> top-p -> min-p -> one roll of the dice``. Everything here is exact over
the whole vocabulary and pure NumPy: what a model computes comes in as an array.

What it leaves out: beam search, repetition penalties, and every shortcut that makes this fast.

Sources: Ackley, Hinton and Sejnowski, "A Learning Algorithm for Boltzmann Machines" (1985), for the
temperature; Fan, Lewis and Dauphin (2018, arXiv:1805.04833), section 5.1, for top-k; Holtzman et al.
(2020, arXiv:1904.09751), section 3.1, for top-p, also called nucleus sampling; Nguyen et al. (2024,
arXiv:2407.01082), section 3, for min-p.
"""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float


def _logits(logits) -> Float[np.ndarray, " vocab"]:
    logits = np.asarray(logits, dtype=np.float64)
    if logits.ndim != 1 or not logits.size:
        raise ValueError(
            f"logits must be one row with a score for each token, got shape {logits.shape}; take one position"
        )
    if np.isnan(logits).any():
        raise ValueError("logits must be numbers, got NaN; look for a division by 0 or a loss that blew up")
    return logits


def _probabilities(probabilities) -> Float[np.ndarray, " vocab"]:
    probabilities = np.asarray(probabilities, dtype=np.float64)
    total = probabilities.sum()
    # Written so that NaN, which is neither less nor more than anything, is refused too.
    if not (probabilities.ndim == 1 and (probabilities >= 0).all() and abs(total - 1) < 1e-6):
        raise ValueError(
            f"probabilities must be one row of numbers from 0 that add up to 1, got shape "
            f"{probabilities.shape} with sum {total:.4g}; temperature_softmax makes them from logits"
        )
    return probabilities


def temperature_softmax(logits, temperature: float = 1.0) -> Float[np.ndarray, " vocab"]:
    """The probability of each token: exp(logit / temperature), as a share of the sum.

    Temperature 1 leaves the model's odds alone, below 1 sharpens, above 1 flattens. 0 is greedy: the best
    token gets all, tokens that tie share it. Infinity is uniform over every token with a finite logit.
    Raises ValueError for a negative temperature, NaN, or logits with NaN.

    >>> temperature_softmax([0.0, np.log(3.0)]).round(2).tolist()
    [0.25, 0.75]
    >>> temperature_softmax([0.0, np.log(3.0)], temperature=0.5).round(2).tolist()
    [0.1, 0.9]
    >>> temperature_softmax([2.0, 1.0, 2.0], temperature=0).tolist()
    [0.5, 0.0, 0.5]
    """
    logits = _logits(logits)
    if not temperature >= 0:
        raise ValueError(
            f"temperature must be 0 or more, got {temperature:g}; 0 is greedy, 1 changes nothing"
        )
    best = logits.max()
    if not math.isfinite(best):
        raise ValueError(f"at least one logit must be finite, and none +infinity, got a largest of {best}")
    if temperature == 0:
        weights = (logits == best).astype(np.float64)
    else:
        # Taking the largest logit away first changes no ratio and keeps exp from overflowing.
        with np.errstate(over="ignore"):  # a tiny temperature sends the others to -infinity, as it should
            below = logits - best
            scaled = np.zeros_like(below) if math.isinf(temperature) else below / temperature
        weights = np.where(np.isneginf(logits), 0.0, np.exp(scaled))
    return weights / weights.sum()


def _keep(probabilities: Float[np.ndarray, " vocab"], kept: np.ndarray) -> Float[np.ndarray, " vocab"]:
    """The probabilities of the kept tokens, raised so that they add up to 1 again; the others get 0."""
    weights = np.where(kept, probabilities, 0.0)
    return weights / weights.sum()


def top_k(probabilities, k: float) -> Float[np.ndarray, " vocab"]:
    """Keeps the `k` most probable tokens. Of tokens that tie at the edge, those with the lower id stay.

    Raises ValueError unless `k` is a whole number from 1; more than the vocabulary keeps everything.

    >>> top_k([0.5, 0.3, 0.2], k=2).round(3).tolist()
    [0.625, 0.375, 0.0]
    """
    probabilities = _probabilities(probabilities)
    if not (k >= 1 and float(k).is_integer()):
        raise ValueError(f"top-k must be a whole number from 1, got {k}; 1 is greedy")
    order = np.argsort(-probabilities, kind="stable")
    kept = np.zeros(len(probabilities), dtype=bool)
    kept[order[: int(k)]] = True
    return _keep(probabilities, kept)


def top_p(probabilities, p: float) -> Float[np.ndarray, " vocab"]:
    """Keeps the fewest most probable tokens that together have at least probability `p`.

    The token that crosses `p` is kept. Raises ValueError unless `p` is above 0 and at most 1.

    >>> top_p([0.5, 0.3, 0.2], p=0.6).round(3).tolist()
    [0.625, 0.375, 0.0]
    """
    probabilities = _probabilities(probabilities)
    if not 0 < p <= 1:
        raise ValueError(f"top-p must be above 0 and at most 1, got {p:g}; 1 keeps every token")
    order = np.argsort(-probabilities, kind="stable")
    before = np.cumsum(probabilities[order]) - probabilities[order]
    kept = np.zeros(len(probabilities), dtype=bool)
    # The small slack lets 0.5 + 0.3 reach 0.8 although floats miss it by a hair. The best is always kept.
    kept[order[(before < p - 1e-12) | (before == 0) | (p == 1)]] = True
    return _keep(probabilities, kept)


def min_p(probabilities, p: float) -> Float[np.ndarray, " vocab"]:
    """Keeps the tokens with at least `p` times the probability of the best one.

    Raises ValueError unless `p` is from 0 (keeps all) to 1 (keeps the best).

    >>> min_p([0.5, 0.3, 0.2], p=0.5).round(3).tolist()
    [0.625, 0.375, 0.0]
    """
    probabilities = _probabilities(probabilities)
    if not 0 <= p <= 1:
        raise ValueError(f"min-p must be from 0 to 1, got {p:g}; 0 keeps every token")
    return _keep(probabilities, probabilities >= p * probabilities.max())


def entropy(probabilities) -> float:
    """The entropy in nats: how open the choice is. ``exp`` of it is the effective number of choices.

    >>> round(float(np.exp(entropy([0.25, 0.25, 0.25, 0.25]))), 6)
    4.0
    """
    p = _probabilities(probabilities)
    p = p[p > 0]
    return float(-(p * np.log(p)).sum()) + 0.0


def next_distribution(
    logits,
    temperature: float = 1.0,
    top_k: float | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
) -> Float[np.ndarray, " vocab"]:
    """The dice that are rolled for the next token: temperature first, then top-k, top-p and min-p.

    >>> next_distribution(np.log([0.5, 0.3, 0.2]), top_k=2).round(3).tolist()
    [0.625, 0.375, 0.0]
    """
    probabilities = temperature_softmax(logits, temperature)
    for keep, setting in ((_top_k, top_k), (_top_p, top_p), (_min_p, min_p)):
        if setting is not None:
            probabilities = keep(probabilities, setting)
    return probabilities


# `next_distribution` and `generate` name their arguments as everybody does, which hides the functions.
_top_k, _top_p, _min_p = top_k, top_p, min_p


def next_token_odds(model, tokenizer, text: str, temperature: float = 1.0) -> Float[np.ndarray, " vocab"]:
    """The probability of every token as the one that comes after `text`, in a model with a ``reader()``.

    The text is encoded as the model is fed it, with the special tokens that it expects in front. Raises ValueError
    where the tokenizer or the model does: for a text that is empty, too long, or has words it can't take.

    >>> from helpers.pretrained import load_tinytown
    >>> odds = next_token_odds(*load_tinytown(), "today the clown says two and two is")
    >>> load_tinytown()[1].decode([int(odds.argmax())])
    'five'
    """
    return temperature_softmax(model.reader()(tokenizer.encode(text, special=True)), temperature)


class Step(NamedTuple):
    """One token of a growing text."""

    token: int  # its id
    probability: float  # of that token under the dice that were rolled
    entropy: float  # of those dice, in nats


def roll(probabilities, rng: np.random.Generator | int) -> int:
    """One token id, drawn with these probabilities; the same seed draws the same token.

    >>> roll([0.0, 1.0, 0.0], rng=0)
    1
    """
    probabilities = _probabilities(probabilities)
    edges = np.cumsum(probabilities)
    point = np.random.default_rng(rng).random() * edges[-1]
    last = np.flatnonzero(probabilities)[-1]  # rounding must not push the point past the last token
    return int(min(np.searchsorted(edges, point, side="right"), last))


def generate(
    model: object,
    ids: Sequence[int] | str,
    max_tokens: float = 20,
    *,
    temperature: float = 1.0,
    top_k: float | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    stop: Collection[int] | int = (),
    seed: int = 0,
) -> Iterator[Step]:
    """Grows a text token by token: asks for the odds, rolls, appends, asks again.

    `model` is a ``GPT``, or any function from the ids so far to the logits ``[vocab]`` of the next token.
    Yields a `Step` as soon as it is there; ends after `max_tokens` or after a token in `stop`. The same
    seed and settings give the same text. Raises ValueError for settings out of range, and where the model
    does, as for a text longer than its context.

    >>> likes_two = lambda ids: np.log([0.1, 0.1, 0.8])
    >>> [step.token for step in generate(likes_two, [0], max_tokens=3, temperature=0)]
    [2, 2, 2]
    """
    if not (max_tokens >= 0 and float(max_tokens).is_integer()):
        raise ValueError(
            f"max_tokens must be a whole number from 0, got {max_tokens}; 20 is a short sentence"
        )
    if isinstance(ids, str):
        raise ValueError(
            f"ids must be the ids of tokens, got the text {ids[:40]!r}; a tokenizer's encode gives them"
        )
    if not isinstance(stop, Collection):
        raise ValueError(f"stop must be a collection of ids, got {stop}; write stop=[{stop}]")
    next_logits: Callable = model.reader() if hasattr(model, "reader") else model  # type: ignore[assignment]
    # Checked here and not at the first `next()`, so that the error stands where the mistake does.
    next_distribution(np.zeros(1), temperature, top_k, top_p, min_p)
    rng = np.random.default_rng(seed)

    def steps() -> Iterator[Step]:
        text = list(ids)
        for _ in range(int(max_tokens)):
            odds = next_distribution(next_logits(text), temperature, top_k, top_p, min_p)
            token = roll(odds, rng)
            yield Step(token, float(odds[token]), entropy(odds))
            text.append(token)
            if token in stop:
                return

    return steps()
