"""Sampling: from logits, the raw scores of every token, to the token that comes next.

``logits -> repetition penalty -> temperature -> top-k -> top-p -> min-p -> one roll of the dice``. Another
order gives other dice; this one is that of ``transformers`` (``GenerationMixin._get_logits_processor``, 5.23).
Everything here is exact over the whole vocabulary and pure NumPy: what a model computes comes in as an array.

What it leaves out: every shortcut that makes this fast, but for the key/value cache, whose worth is measured.

Sources: Ackley, Hinton and Sejnowski, "A Learning Algorithm for Boltzmann Machines" (1985), for the
temperature; Fan, Lewis and Dauphin (2018, arXiv:1805.04833), section 5.1, for top-k; Holtzman et al.
(2020, arXiv:1904.09751), section 3.1, for top-p, also called nucleus sampling; Nguyen et al. (2024,
arXiv:2407.01082), section 3, for min-p; Keskar et al. (2019, arXiv:1909.05858), section 4.1, for the
repetition penalty; Lowerre, "The HARPY Speech Recognition System" (1976), for beam search.
"""

import math
import operator
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


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


def repetition_penalty(logits, seen_ids, penalty: float) -> Float[np.ndarray, " vocab"]:
    """The logits, with those of the tokens in `seen_ids` lowered: divided by `penalty`, or multiplied if negative.

    1 does nothing, 1.2 is the paper's choice, below 1 makes repeating likelier. A token counts once, however often
    it was seen. The paper divides negative logits too, which would raise them; everybody multiplies. Raises
    ValueError for a penalty that is not above 0 and finite, and for ids outside the vocabulary.

    >>> repetition_penalty([3.0, -3.0, 1.0], seen_ids=[0, 1, 1], penalty=1.5).tolist()
    [2.0, -4.5, 1.0]
    """
    logits = _logits(logits).copy()
    if not 0 < penalty < math.inf:
        raise ValueError(
            f"the repetition penalty must be above 0 and finite, got {penalty:g}; 1 does nothing, 1.2 is usual"
        )
    seen = sorted(
        {operator.index(token) for token in seen_ids}
    )  # an index would count ids below 0 from the end
    if seen and not (seen[0] >= 0 and seen[-1] < len(logits)):
        wrong = seen[0] if seen[0] < 0 else seen[-1]
        raise ValueError(
            f"the ids seen must be from 0 to {len(logits) - 1}, got {wrong}; use the tokenizer of this model"
        )
    logits[seen] = np.where(logits[seen] > 0, logits[seen] / penalty, logits[seen] * penalty)
    return logits


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
    repetition_penalty: float | None = None,
    seen: Sequence[int] = (),
) -> Float[np.ndarray, " vocab"]:
    """The dice that are rolled for the next token: after the penalty for the ids `seen`, temperature, then
    top-k, top-p and min-p.

    >>> next_distribution(np.log([0.5, 0.3, 0.2]), top_k=2).round(3).tolist()
    [0.625, 0.375, 0.0]
    """
    if repetition_penalty is not None:
        logits = _repetition_penalty(logits, seen, repetition_penalty)
    probabilities = temperature_softmax(logits, temperature)
    for keep, setting in ((_top_k, top_k), (_top_p, top_p), (_min_p, min_p)):
        if setting is not None:
            probabilities = keep(probabilities, setting)
    return probabilities


# `next_distribution` and `generate` name their arguments as everybody does, which hides the functions.
_top_k, _top_p, _min_p, _repetition_penalty = top_k, top_p, min_p, repetition_penalty


class Stage(NamedTuple):
    """The odds at one point on the way from the logits to the dice."""

    name: str  # "softmax", "repetition penalty", "temperature", "top-k", "top-p" or "min-p"
    probabilities: Float[np.ndarray, " vocab"]


def stages(
    logits,
    temperature: float = 1.0,
    top_k: float | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    repetition_penalty: float | None = None,
    seen: Sequence[int] = (),
    *,
    every: bool = False,
) -> list[Stage]:
    """The way to ``next_distribution`` with the same settings: the model's own odds, then those after each step.

    Steps that are not in use (None; temperature 1) are left out, or repeat the odds before them if `every` is set.

    >>> for stage in stages(np.log([0.5, 0.3, 0.2]), temperature=0.5, top_k=2):
    ...     print(f"{stage.name:<11}", stage.probabilities.round(3))
    softmax     [0.5 0.3 0.2]
    temperature [0.658 0.237 0.105]
    top-k       [0.735 0.265 0.   ]
    """
    settings = {
        "repetition_penalty": repetition_penalty,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
    }
    found, used = [Stage("softmax", temperature_softmax(logits))], {}
    for name, setting in settings.items():
        used[name] = setting
        if every or (setting != 1 if name == "temperature" else setting is not None):
            shown = name.replace("_", " " if name == "repetition_penalty" else "-")
            found.append(Stage(shown, next_distribution(logits, **used, seen=seen)))
    return found


def temperature_for_entropy(logits, target: float) -> float:
    """The temperature at which the odds have the entropy `target`, in nats; found by halving an interval.

    Heat always raises the entropy: from that of the best tokens alone (0 if none tie) to that of a fair choice
    among all with a finite logit. Raises ValueError for a target outside of these two.

    >>> round(temperature_for_entropy([0.0, math.log(3)], entropy([0.1, 0.9])), 6)
    0.5
    """
    least, most = (entropy(temperature_softmax(logits, limit)) for limit in (0, math.inf))
    if not least <= target <= most:
        raise ValueError(
            f"the entropy must be from {least:.4g} (temperature 0) to {most:.4g} (no end to it) for these logits, "
            f"got {target:.4g}; stay between the two"
        )
    if target == least:
        return 0.0
    if target == most:
        return math.inf
    low, high = 0.0, 1.0
    while entropy(temperature_softmax(logits, high)) < target:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:  # until no float lies between the two
        if entropy(temperature_softmax(logits, middle)) < target:
            low = middle
        else:
            high = middle
    return high


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


class Alternative(NamedTuple):
    """A token that might have come."""

    token: int  # its id
    odds: float  # the model's own, at temperature 1
    probability: float  # under the dice that were rolled; 0 if they were cut before it


class Step(NamedTuple):
    """One token of a growing text."""

    token: int  # its id
    probability: float  # of that token under the dice that were rolled
    entropy: float  # of those dice, in nats
    odds: float = math.nan  # the model's own for that token, at temperature 1
    alternatives: tuple[Alternative, ...] = ()  # best odds first; the token itself may be among them


def _fall(probabilities, points: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The ids on which points from 0 up to 1 fall, where each token has a stretch as long as its probability."""
    edges = np.cumsum(_probabilities(probabilities))
    # The last edge may miss 1 by rounding, and no point may lie behind it: so each point is a share of it.
    return np.searchsorted(edges, points * edges[-1], side="right")


def roll(probabilities, rng: np.random.Generator | int) -> int:
    """One token id, drawn with these probabilities; the same seed draws the same token.

    >>> roll([0.0, 1.0, 0.0], rng=0)
    1
    """
    return int(_fall(probabilities, np.array([np.random.default_rng(rng).random()]))[0])


def uniforms(n: int, seed: int) -> Float[np.ndarray, " n"]:
    """`n` points from 0 up to 1 that look random; the browser makes the same ones (``random`` in tinytown.js).

    Each is worked out from the seed and its own number i, counted from 0, in whole numbers modulo 2**32::

        stir(z):  z += 0x9e3779b9;  z = (z ^ z >> 16) * 0x21f0aaad;  z = (z ^ z >> 15) * 0x735a2d97;  z ^ z >> 15
        point i:  stir(stir(seed) ^ (i + 1) * 0x85ebca6b) / 2**32

    This is splitmix32, a counter well stirred: good enough for pictures, not for secrets. Raises ValueError
    unless `n` is a whole number from 1 and the seed a whole number.

    >>> uniforms(3, seed=1).round(4).tolist()
    [0.326, 0.9344, 0.3215]
    """
    _whole("n", n, "1,000 shows odds to about 1 %")
    if not isinstance(seed, int | np.integer):
        raise ValueError(f"a seed must be a whole number, got {seed!r}; try 0")

    def stir(z: np.ndarray) -> np.ndarray:  # arrays of uint32 drop what is above 2**32 by themselves
        z = z + np.uint32(0x9E3779B9)
        z = (z ^ z >> np.uint32(16)) * np.uint32(0x21F0AAAD)
        z = (z ^ z >> np.uint32(15)) * np.uint32(0x735A2D97)
        return z ^ z >> np.uint32(15)

    start = stir(np.array([int(seed) % 2**32], dtype=np.uint32))
    numbers = np.arange(1, n + 1).astype(np.uint32)
    return stir(start ^ numbers * np.uint32(0x85EBCA6B)) / 2**32


def draw_counts(probabilities, n: int, seed: int) -> Int[np.ndarray, " vocab"]:
    """How often each token came in `n` draws; the points are those of ``uniforms``, which the browser shares.

    >>> draw_counts([0.5, 0.0, 0.5], n=1000, seed=1).tolist()
    [517, 0, 483]
    """
    return np.bincount(_fall(probabilities, uniforms(n, seed)), minlength=len(probabilities))


def standard_error(probabilities, n: int) -> Float[np.ndarray, " vocab"]:
    """How far the share of a token among `n` draws strays from its probability p, typically: the root of p (1 - p) / n.

    About two thirds of all runs stay within one, 95 % within two.

    >>> standard_error([0.5, 0.5], n=100).tolist()
    [0.05, 0.05]
    """
    probabilities = _probabilities(probabilities)
    _whole("n", n, "1,000 shows odds to about 1 %")
    return np.sqrt(probabilities * (1 - probabilities) / n)


def _whole(name: str, value: float, usual: str, least: int = 1) -> None:
    if not (isinstance(value, int | float | np.number) and value >= least and float(value).is_integer()):
        raise ValueError(f"{name} must be a whole number from {least}, got {value!r}; {usual}")


def _check_ids(ids, stop) -> None:
    if isinstance(ids, str):
        raise ValueError(
            f"ids must be the ids of tokens, got the text {ids[:40]!r}; a tokenizer's encode gives them"
        )
    if not isinstance(stop, Collection):
        raise ValueError(f"stop must be a collection of ids, got {stop}; write stop=[{stop}]")


def _alternatives(
    n: int, odds: Float[np.ndarray, " vocab"], dice: Float[np.ndarray, " vocab"]
) -> tuple[Alternative, ...]:
    best = np.argpartition(-odds, min(n, len(odds) - 1))[:n]  # sorting all 49,152 would be slow
    best = best[np.argsort(-odds[best], kind="stable")]
    return tuple(Alternative(int(token), float(odds[token]), float(dice[token])) for token in best)


def _fitting(text: list[int], n_ctx: float, when_full: str) -> list[int] | None:
    """The part of a text that the model shall read: all of it while it fits; None if that is the end."""
    if len(text) <= n_ctx:
        return text
    if when_full == "stop":
        return None
    if when_full == "error":
        raise ValueError(
            f"the context is full: this model reads at most {n_ctx} tokens, and the text has {len(text)}; "
            "when_full='slide' forgets the oldest, when_full='stop' ends there"
        )
    # Half at once, not one by one: every token then stands at another position, so that the cache is of no use and
    # all is read again. The first token stays, because models lean on it (an "attention sink", Xiao et al. 2023,
    # arXiv:2309.17453), and it may be the special one that starts every text.
    recent = max(1, n_ctx // 2)
    return [*text[: 1 if n_ctx > 1 else 0], *text[-recent:]]


def generate(
    model: object,
    ids: Sequence[int] | str,
    max_tokens: float = 20,
    *,
    temperature: float = 1.0,
    top_k: float | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    repetition_penalty: float | None = None,
    stop: Collection[int] | int = (),
    seed: int = 0,
    alternatives: int = 0,
    when_full: str = "error",
) -> Iterator[Step]:
    """Grows a text token by token: asks for the odds, rolls, appends, asks again.

    `model` is a ``GPT``, or any function from the ids so far to the logits ``[vocab]`` of the next token.
    Yields a `Step` as soon as it is there; ends after `max_tokens` or after a token in `stop`. The same
    seed and settings give the same text. The repetition penalty counts every id so far, the prompt's too.
    `alternatives` is how many of the tokens that the model likes best each step names.

    A GPT reads at most ``n_ctx`` tokens. When the text is longer, `when_full` says what to do: "error" raises
    ValueError, "stop" ends the text, "slide" keeps its first token and the last ``n_ctx // 2`` and goes on. Raises
    ValueError also for settings out of range, at once.

    >>> likes_two = lambda ids: np.log([0.1, 0.1, 0.8])
    >>> [step.token for step in generate(likes_two, [0], max_tokens=3, temperature=0)]
    [2, 2, 2]
    """
    _whole("max_tokens", max_tokens, "20 is a short sentence")
    _whole("alternatives", alternatives, "5 shows what else was likely", least=0)
    _check_ids(ids, stop)
    if when_full not in ("error", "stop", "slide"):
        raise ValueError(f"when_full must be 'error', 'stop' or 'slide', got {when_full!r}; 'slide' goes on")
    settings = (temperature, top_k, top_p, min_p, repetition_penalty)
    # Checked here and not at the first `next()`, so that the error stands where the mistake does.
    next_distribution(np.zeros(1), *settings)
    next_logits: Callable = model.reader() if hasattr(model, "reader") else model  # type: ignore[assignment]
    n_ctx = model.config.n_ctx if hasattr(model, "reader") else math.inf  # a function may read without end
    text, window = list(ids), list(ids)
    if len(text) > n_ctx and when_full != "slide":
        raise ValueError(
            f"the prompt must have at most {n_ctx} tokens for this model, got {len(text)}; shorten it, or let "
            "when_full='slide' forget its middle"
        )
    rng = np.random.default_rng(seed)

    def steps() -> Iterator[Step]:
        nonlocal window
        for _ in range(int(max_tokens)):
            window = _fitting(window, n_ctx, when_full)
            if window is None:
                return
            logits = next_logits(window)
            dice = next_distribution(logits, *settings, seen=text)
            odds = temperature_softmax(logits)
            token = roll(dice, rng)
            others = _alternatives(int(alternatives), odds, dice) if alternatives else ()
            yield Step(token, float(dice[token]), entropy(dice), float(odds[token]), others)
            text.append(token)
            window = [*window, token]
            if token in stop:
                return

    return steps()


class BatchReader:
    """Reads several texts of one length side by side, and gives the logits of each one's next token.

    `model` is a ``GPT``, which then remembers what it has read, or any function from ids to logits. Call it with
    the texts, then with texts that are one token longer; `rows` says which text of the last call each goes on from.

    >>> read = BatchReader(lambda ids: np.array([0.0, ids[-1]]))
    >>> read([[3, 5]]).tolist(), read([[3, 5, 1], [3, 5, 0]], rows=[0, 0]).tolist()
    ([[0.0, 5.0]], [[0.0, 1.0], [0.0, 0.0]])
    """

    def __init__(self, model: object):
        self.model = model
        self._cache = None

    def __call__(
        self, texts: Sequence[Sequence[int]], rows: Sequence[int] | None = None
    ) -> Float[np.ndarray, "batch vocab"]:
        if not hasattr(self.model, "reader"):
            return np.stack([np.asarray(self.model(list(text))) for text in texts])
        import torch  # only a GPT needs it

        from helpers.transformer import Cache

        ids = torch.as_tensor(np.asarray(texts, dtype=np.int64))
        if self._cache is None:
            self._cache = Cache()
        elif rows is not None:
            rows = torch.as_tensor(rows)
            self._cache.keys = [keys[rows] for keys in self._cache.keys]
            self._cache.values = [values[rows] for values in self._cache.values]
        training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                pieces = ids[:, self._cache.length :].split(max(1, 512 // len(ids)), dim=1)
                for piece in pieces:  # all logits of a long text are gigabytes
                    logits = self.model(piece, cache=self._cache)[:, -1]
        finally:
            self.model.train(training)
        return logits.float().cpu().numpy()


class Beam(NamedTuple):
    """One of the texts that a beam search has found."""

    tokens: tuple[int, ...]  # the ids behind the prompt
    log_probability: float  # of all of them, one after the other, at temperature 1


def beam_search(
    model: object,
    ids: Sequence[int] | str,
    max_tokens: int = 20,
    beams: int = 4,
    *,
    stop: Collection[int] | int = (),
    length_penalty: float = 0.0,
) -> list[Beam]:
    """The most probable texts found when `beams` of them are kept at every step, the best first.

    It is greedy with a longer memory: 1 beam is greedy; as many beams as there are texts finds the best of all. A
    beam that reached a token in `stop` stays as it is and goes on competing. Beams are ranked by log probability
    divided by ``length ** length_penalty``: with 0 a short text is at an advantage, because every further token
    costs. No dice are rolled. Raises ValueError for counts below 1 and, as the model does, for a text too long.

    >>> trap = lambda ids: np.log([[0.6, 0.4], [0.5, 0.5], [0.1, 0.9]][0 if ids == [9] else ids[-1] + 1])
    >>> [(beam.tokens, round(beam.log_probability, 3)) for beam in beam_search(trap, [9], 2, beams=1)]
    [((0, 0), -1.204)]
    >>> [(beam.tokens, round(float(np.exp(beam.log_probability)), 2)) for beam in beam_search(trap, [9], 2, beams=2)]
    [((1, 1), 0.36), ((0, 0), 0.3)]
    """
    _whole("max_tokens", max_tokens, "20 is a short sentence")
    _whole("beams", beams, "4 is usual, 1 is greedy")
    _check_ids(ids, stop)
    if not math.isfinite(length_penalty):
        raise ValueError(
            f"length_penalty must be a finite number, got {length_penalty}; 0 leaves lengths alone"
        )
    prompt, read = list(ids), BatchReader(model)
    if hasattr(model, "reader") and len(prompt) + max_tokens - 1 > model.config.n_ctx:
        raise ValueError(
            f"the context is full: this model reads at most {model.config.n_ctx} tokens, and the text would grow to "
            f"{len(prompt) + max_tokens}; ask for fewer, or shorten the prompt"
        )

    def score(beam: Beam) -> float:
        return beam.log_probability / len(beam.tokens) ** length_penalty

    ended: list[Beam] = []
    going, rows = [Beam((), 0.0)], None
    for _ in range(int(max_tokens)):
        logits = read([[*prompt, *beam.tokens] for beam in going], rows)
        found = [(beam, None) for beam in ended]
        for row, beam in enumerate(going):
            with np.errstate(divide="ignore"):  # a token that can't come: minus infinity, ranked last
                gains = np.log(temperature_softmax(logits[row]))
            for token in np.argsort(-gains, kind="stable")[
                : int(beams)
            ]:  # more of one beam can't be among the best
                if gains[token] > -math.inf:
                    tokens = (*beam.tokens, int(token))
                    found.append((Beam(tokens, beam.log_probability + float(gains[token])), row))
        best = sorted(found, key=lambda pair: -score(pair[0]))[: int(beams)]
        ended = [beam for beam, row in best if row is None or beam.tokens[-1] in stop]
        open_ = [(beam, row) for beam, row in best if row is not None and beam.tokens[-1] not in stop]
        going, rows = [beam for beam, _ in open_], [row for _, row in open_]
        if not going:
            break
    return sorted([*ended, *going], key=lambda beam: -score(beam))


def tokens_read(prompt: int, written: int, *, cache: bool) -> int:
    """How many tokens a model reads to write `written` tokens after a prompt, with or without a key/value cache.

    With one, the prompt is read once and then each new token but the last, which nobody reads. Without one, the
    whole text so far is read again for every token.

    >>> tokens_read(5, 3, cache=True), tokens_read(5, 3, cache=False)  # 5 + 1 + 1, and 5 + 6 + 7
    (7, 18)
    """
    _whole("prompt", prompt, "a model needs at least one token to read")
    _whole("written", written, "20 is a short sentence")
    return prompt + written - 1 if cache else written * prompt + written * (written - 1) // 2


class CacheTiming(NamedTuple):
    """The same tokens after the same text, written with a key/value cache and without."""

    length: int  # tokens of text before the first that was written
    tokens: int  # written
    seconds_with: float  # for these tokens; reading the text before them is not counted
    seconds_without: float
    same: bool  # whether both wrote the same tokens


def cache_timings(
    model: object, ids: Sequence[int], lengths: Sequence[int], tokens: int = 3
) -> list[CacheTiming]:
    """How long a GPT takes for the next `tokens` tokens after the first ``length`` of `ids`, one record a length.

    Both ways are greedy. The times depend on the machine and what else it does; ``tokens_read`` counts exactly.
    Raises ValueError for a length that `ids` or the model's context is too short for.
    """
    _whole("tokens", tokens, "3 give an average")
    longest = min(len(ids), model.config.n_ctx - tokens + 1)
    for length in lengths:
        if not 2 <= length <= longest:
            raise ValueError(
                f"lengths must be from 2 to {longest} for this text and model, got {length}; give a longer text of "
                "ids, or shorter lengths"
            )
    records = []
    for length in lengths:
        text, read = list(ids[:length]), model.reader()
        read(text[:-1])  # not counted, and it wakes up what is slow when it is first used
        start = time.perf_counter()
        for _ in range(tokens):  # one new token is read each time
            text.append(int(read(text).argmax()))
        seconds_with, start = time.perf_counter() - start, time.perf_counter()
        again = [int(model.reader()(text[: length + i]).argmax()) for i in range(tokens)]
        seconds_without = time.perf_counter() - start
        records.append(CacheTiming(length, tokens, seconds_with, seconds_without, again == text[length:]))
    return records
