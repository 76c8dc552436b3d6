"""Preferences: a model learns which of two stories was liked better, and is never shown a right answer.

Two continuations of one beginning are rolled by the model itself, and a judge says which one it likes. Direct
preference optimisation (DPO) then makes the liked one more probable and the other one less, measured against a frozen
copy of the model, the reference. A text's **reward** is how far its log-probability has moved from the reference's,
times ``beta``; the loss asks for a **margin** between the rewards of the two.

The judge here is a child who wants a ``bedtime`` story: nobody is chased, and in the end somebody sleeps. It looks at
nothing else: not at the grammar, not at variety. What training does to those is what a preference costs, and
``measure`` counts it.

Trained for too long the reward goes on rising while the text falls apart: over-optimising.
``python -m helpers.preferences`` trains such runs and writes what was measured to ``helpers/weights/preferences.json``,
which ``load_runs`` reads.

What it leaves out: people as judges, who contradict each other; a reward model and reinforcement learning (RLHF), whose
place DPO takes.

Sources: Rafailov et al. (2023, arXiv:2305.18290), equation 7, for the loss, and section 4 for the reward; Gao et al.
(2022, arXiv:2210.10760), for the divergence from the reference as the measure of over-optimising; Razin et al. (2024,
arXiv:2410.08847), for chosen texts that become less probable.
"""

import argparse
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from helpers import tinytown
from helpers.quality import is_allowed, write
from helpers.results import load_results, save_results
from helpers.training import (
    IGNORED,
    TINYTOWN_CONFIG,
    TrainingConfig,
    copy_tensors,
    evaluate,
    interrupts_wait,
    learning,
    shuffled_batches,
    story_rows,
    token_losses,
    trainable_parameters,
)

RUNS = Path(__file__).parent / "weights" / "preferences.json"
FORMAT = "under-the-hood preference runs, version 1"
COMMAND = "python -m helpers.preferences"
Whole = Any  # a whole number: what is none is refused in a sentence
Number = Any
_BEGINNING = 10  # words: "once there was a red fox by the river ."


# ---------------------------------------------------------------------------------------------
# The loss.


def log_probability_of(model: nn.Module, inputs: Tensor, targets: Tensor) -> Float[Tensor, " text"]:
    """How probable the model finds each text: the sum of ln(p) over the targets that count, in nats.

    Inputs and targets are ids ``[text, seq]``. Targets that are ``IGNORED``, such as those of a beginning or behind the end, add nothing. Raises ValueError for
    inputs and targets that do not fit each other or the model.
    """
    return -token_losses(model, inputs, targets).sum(dim=1)


class Preference(NamedTuple):
    """What the DPO loss is made of."""

    loss: Float[Tensor, ""]  # mean over the pairs
    chosen_rewards: Float[Tensor, " pair"]  # beta * (ln p - ln p of the reference) of the chosen texts
    rejected_rewards: Float[Tensor, " pair"]
    margins: Float[Tensor, " pair"]  # chosen reward - rejected reward
    accuracy: Float[Tensor, ""]  # share of the pairs with a margin above 0


def dpo_loss(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    beta: Number,
) -> Preference:
    """The DPO loss of some pairs: the mean of -ln(sigmoid(margin)), with the rewards behind it.

    The first four are log-probabilities of whole texts ``[pair]``: under the model in training (the policy), and under
    the reference. Rafailov et al. 2023, equation 7. Where policy and reference agree, the loss is ln 2.

    >>> quarter, half = torch.tensor([0.25]).log(), torch.tensor([0.5]).log()
    >>> found = dpo_loss(half, quarter, quarter, half, beta=1)  # the chosen twice, the rejected half as probable
    >>> [round(part.exp().item(), 3) for part in (found.chosen_rewards, found.rejected_rewards, found.margins)]
    [2.0, 0.5, 4.0]
    >>> round((-found.loss).exp().item(), 3)  # sigmoid(ln 4) = 4 / (4 + 1)
    0.8

    Raises ValueError unless the four have one shape ``[pair]`` with at least one pair and are finite, and for a beta
    that is not above 0.
    """
    _check_beta(beta)
    named = {
        "policy_chosen": policy_chosen,
        "policy_rejected": policy_rejected,
        "reference_chosen": reference_chosen,
        "reference_rejected": reference_rejected,
    }
    shapes = [list(values.shape) for values in named.values()]
    if policy_chosen.ndim != 1 or not len(policy_chosen) or any(shape != shapes[0] for shape in shapes):
        raise ValueError(
            f"the four log-probabilities must have one shape [pair], got {', '.join(map(str, shapes))}; "
            "log_probability_of gives one number a text"
        )
    for name, values in named.items():
        if not values.isfinite().all():
            raise ValueError(
                f"{name} must be finite numbers, got NaN or infinity; try a smaller learning rate"
            )
    chosen_rewards = beta * (policy_chosen - reference_chosen)
    rejected_rewards = beta * (policy_rejected - reference_rejected)
    margins = chosen_rewards - rejected_rewards
    # logsigmoid, since the sigmoid of a margin of -200 is 0, which has no logarithm.
    loss = -F.logsigmoid(margins).mean()
    return Preference(loss, chosen_rewards, rejected_rewards, margins, (margins > 0).float().mean())


def _check_beta(beta: Any) -> None:
    if not _is_number(beta) or not 0 < beta < math.inf:
        raise ValueError(
            f"beta must be a number above 0, got {beta!r:.60}; 0.1 is usual, more stays nearer to the reference"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _check_whole(name: str, value: Any, usual: str, least: int = 1) -> None:
    if isinstance(value, bool) or not (isinstance(value, Integral) and value >= least):
        raise ValueError(f"{name} must be a whole number from {least}, got {value!r:.60}; {usual}")


# ---------------------------------------------------------------------------------------------
# Pairs.


def bedtime(continuation: str) -> bool:
    """Whether a child who wants a bedtime story likes this one: nobody is chased, and somebody sleeps.

    >>> bedtime("the fox sat on the mat . at night the fox slept by the river .")
    True
    >>> bedtime("the fox chased a red hen . the hen hid in the hay . at night the fox slept by the river .")
    False
    """
    words = continuation.split()
    return "slept" in words and "chased" not in words


class Telling(NamedTuple):
    """A story that a model told, from a beginning that it was given."""

    beginning: str
    continuation: str
    ended: bool  # whether the model found an end before its context was full

    @property
    def text(self) -> str:
        """The whole story."""
        return f"{self.beginning} {self.continuation}".rstrip()


class Pair(NamedTuple):
    """Two continuations of one beginning, and which of them was liked better."""

    beginning: str
    chosen: str
    rejected: str


def beginnings(split: str, count: Whole, seed: int = 0) -> list[str]:
    """The first sentences of ``count`` Tinytown stories of a split: who it is about, and where.

    >>> beginnings("test", 1, seed=4)
    ['once there was a brown fox by the mill .']

    Raises ValueError for an unknown split and a count below 1.
    """
    _check_whole("count", count, "200 are enough to count shares")
    size = 3 * count  # half of all stories begin so
    while True:
        stories = [words for words in tinytown.stories(split, size, seed) if words[0] == "once"]
        if len(stories) >= count:
            return [" ".join(words[:_BEGINNING]) for words in stories[:count]]
        size *= 2


def tell(model: nn.Module, beginnings: Sequence[str], seed: int = 0) -> list[Telling]:
    """One story of the model for each beginning, rolled at temperature 1; the same for the same seed.

    All are written side by side: 200 stories take half a second. Raises ValueError without a beginning, for beginnings
    of different lengths, and for a word that Tinytown lacks.
    """
    if not len(beginnings):
        raise ValueError("there must be at least one beginning, got none; beginnings('test', 200) gives some")
    tokenizer = tinytown.WordTokenizer()
    prompts = [tokenizer.encode(beginning, special=True) for beginning in beginnings]
    seeds = np.random.default_rng(seed).integers(2**31, size=len(prompts)).tolist()
    room = model.config.n_ctx - max(map(len, prompts))
    written = write(model, prompts, [1.0] * len(prompts), room, seeds, stop=[tokenizer.end_id])
    return [
        Telling(
            beginning,
            tokenizer.decode(text.tokens).removesuffix(tinytown.END).rstrip(),
            text.tokens[-1] == tokenizer.end_id,
        )
        for beginning, text in zip(beginnings, written, strict=True)
    ]


def preference_pairs(
    model: nn.Module, judge: Callable[[str], bool] = bedtime, count: Whole = 200, seed: Whole = 0
) -> list[Pair]:
    """``count`` pairs: of two continuations that the model rolled, one that the judge likes and one that it does not.

    The judge sees a continuation and answers True or False. Where it likes both or neither it has no preference, and
    these two are left out, as are stories without an end. Raises ValueError for another answer, for a judge that tells
    fewer than 1 in 50 couples apart, and for a count below 1.
    """
    _check_whole("count", count, "200 suit Tinytown")
    _check_whole("seed", seed, "0 is usual", least=0)
    rng = np.random.default_rng(seed)
    pairs: list[Pair] = []
    rolled = 0
    while len(pairs) < count:
        starts = beginnings("train", 200, int(rng.integers(2**31)))
        stories = tell(model, [*starts, *starts], int(rng.integers(2**31)))
        for one, other in zip(stories[: len(starts)], stories[len(starts) :], strict=True):
            liked = _likes(judge, one)
            if one.ended and other.ended and liked != _likes(judge, other):
                chosen, rejected = (one, other) if liked else (other, one)
                pairs.append(Pair(one.beginning, chosen.continuation, rejected.continuation))
        rolled += len(starts)
        if rolled >= 1000 and len(pairs) < rolled / 50:
            raise ValueError(
                f"the judge must like some stories and not others, it preferred one of two only {len(pairs)} times in "
                f"{rolled:,}; take a judge with more to say"
            )
    return pairs[:count]


def _likes(judge: Callable[[str], bool], story: Telling) -> bool:
    answer = judge(story.continuation)
    if not isinstance(answer, bool | np.bool_):
        raise ValueError(f"a judge must answer True or False, got {answer!r:.60}; write a comparison")
    return bool(answer)


def preference_rows(
    pairs: Sequence[Pair], n_ctx: int = TINYTOWN_CONFIG.n_ctx
) -> tuple[Int[Tensor, "pair 2 seq"], Int[Tensor, "pair 2 seq"]]:
    """Inputs and targets of pairs, the chosen text first; only the continuations and their ends count.

    >>> inputs, targets = preference_rows([Pair("look ,", "the fox !", "the hen !")])
    >>> inputs.shape, (targets != IGNORED).sum(dim=-1).tolist()  # the fox ! <end>
    (torch.Size([1, 2, 6]), [[4, 4]])

    Raises ValueError without a pair, for one whose texts are equal, one that is longer than the context, and a
    word that Tinytown lacks.
    """
    if not len(pairs):
        raise ValueError("there must be at least one pair, got none; preference_pairs gives some")
    stories: list[list[str]] = []
    for number, pair in enumerate(pairs):
        beginning, chosen, rejected = (text.split() for text in pair)
        if chosen == rejected:
            raise ValueError(
                f"a pair must have two different continuations, got {pair.chosen!r:.60} twice in pair {number} (counted "
                "from 0); leave it out"
            )
        longest = len(beginning) + max(len(chosen), len(rejected)) + 1
        if longest > n_ctx:
            raise ValueError(
                f"a pair must fit into the model's context of {n_ctx} tokens, got {longest} in pair {number} "
                "(counted from 0); shorten it or leave it out"
            )
        stories += [beginning + chosen, beginning + rejected]
    inputs, targets = story_rows(stories)
    for number, pair in enumerate(pairs):
        targets[2 * number : 2 * number + 2, : len(pair.beginning.split())] = IGNORED
    return inputs.unflatten(0, (-1, 2)), targets.unflatten(0, (-1, 2))


def _log_probabilities(model: nn.Module, inputs: Tensor, targets: Tensor) -> Float[Tensor, "2 pair"]:
    """Of the chosen texts, and of the rejected ones."""
    found = log_probability_of(model, inputs.flatten(0, 1), targets.flatten(0, 1))
    return found.unflatten(0, (-1, 2)).T


# ---------------------------------------------------------------------------------------------
# Training.


@dataclass(frozen=True)
class PreferenceConfig:
    """How a DPO run goes; checked when it is made."""

    beta: Number = 1.0  # how much reward a nat is: the higher, the nearer the model stays to its reference
    steps: Whole = 40  # batches read
    batch_size: Whole = 32  # pairs in a batch
    learning_rate: Number = 0.02
    seed: Whole = 0  # order of the pairs

    def __post_init__(self):
        _check_beta(self.beta)
        _check_whole("steps", self.steps, "40 suit Tinytown")
        _check_whole("batch_size", self.batch_size, "32 suit Tinytown")
        _check_whole("seed", self.seed, "0 is usual", least=0)
        if not _is_number(self.learning_rate) or not 0 < self.learning_rate < math.inf:
            raise ValueError(
                f"learning_rate must be a number above 0, got {self.learning_rate!r:.60}; 0.02 suits Tinytown"
            )


class PreferenceRecord(NamedTuple):
    """What one DPO step looked like: means over its batch, before the step."""

    step: int  # counted from 1
    loss: float  # ln 2 at the start
    margin: float  # chosen reward - rejected reward
    accuracy: float  # share of the pairs with a margin above 0
    chosen_reward: float  # below 0 where the chosen texts have become less probable
    rejected_reward: float


def train_dpo(
    model: nn.Module, reference: nn.Module, pairs: Sequence[Pair], config: PreferenceConfig | None = None
) -> Iterator[PreferenceRecord]:
    """Trains `model` in place on pairs and yields a record after every step; stop listening to stop training.

    `reference` is a second model with the weights that `model` starts from; it never changes. Whenever your code runs,
    the model is in evaluation mode and all its weights are of one step; an interrupt is heard when its step is done.

    Raises ValueError for pairs that can't be read (``preference_rows``), a batch larger than the pairs, a model without
    weights that may learn, and a reference that is the model itself or has another vocabulary or context; also when the
    loss or its gradient stops being a number: the weights are then the last for which both were one.
    """
    config = config or PreferenceConfig()
    inputs, targets = _check_run(model, reference, pairs, config)
    with _reading(reference):  # it stays as it is: once is enough
        before = _log_probabilities(reference, inputs, targets)
    weights = trainable_parameters(model)
    good = [weight.detach().clone() for weight in weights]
    # Plain gradient descent. Adam's steps are of one size for every weight, also for those that hardly matter to the
    # pairs: it was seen here to break the grammar before half of the stories were liked.
    optimizer = torch.optim.SGD(weights, lr=config.learning_rate)
    batches = shuffled_batches(len(pairs), TrainingConfig(batch_size=config.batch_size, seed=config.seed))
    for step in range(1, config.steps + 1):
        batch = next(batches)
        with interrupts_wait(), learning(model, config.seed, step, rank=0):
            now, norm = _log_probabilities(model, inputs[batch], targets[batch]), math.nan
            if now.isfinite().all():
                found = dpo_loss(*now, *before[:, batch], config.beta)
                optimizer.zero_grad()
                found.loss.backward()
                norm = nn.utils.get_total_norm([weight.grad for weight in weights]).item()
            if not math.isfinite(norm):
                copy_tensors(good, weights)
                raise ValueError(
                    f"the log-probabilities and their gradient must stay numbers, they did not at step {step}; "
                    f"try a smaller learning rate than {config.learning_rate:g}"
                )
            copy_tensors(weights, good)
            optimizer.step()
        loss, chosen, rejected, margin, accuracy = (part.mean().item() for part in found)
        yield PreferenceRecord(step, loss, margin, accuracy, chosen, rejected)


def _check_run(
    model: nn.Module, reference: nn.Module, pairs: Sequence[Pair], config: PreferenceConfig
) -> tuple[Tensor, Tensor]:
    """The rows of the pairs. Raises ValueError for what could not be trained."""
    _check_reference(model, reference)
    inputs, targets = preference_rows(pairs, model.config.n_ctx)
    if len(pairs) < config.batch_size:
        raise ValueError(
            f"batch_size must be at most the number of pairs, got {config.batch_size} for {len(pairs)} pairs; "
            f"try batch_size={len(pairs)}"
        )
    if not trainable_parameters(model):
        raise ValueError(
            "a model must have weights that may learn, got one with all of them frozen; load it with trainable=True"
        )
    return inputs, targets


def _check_reference(model: nn.Module, reference: nn.Module) -> None:
    if {id(weight) for weight in model.parameters()} & {id(weight) for weight in reference.parameters()}:
        raise ValueError(
            "the reference must be a model of its own, got one that shares its weights with the model in training; "
            "load it a second time, or copy.deepcopy(model)"
        )
    for name in ("vocab_size", "n_ctx"):
        ours, theirs = getattr(model.config, name), getattr(reference.config, name)
        if ours != theirs:
            raise ValueError(
                f"the reference must have the model's {name}, got {theirs} for {ours}; "
                "take the model from which the training starts"
            )


@contextmanager
def _reading(*models: nn.Module) -> Iterator[None]:
    """The models in evaluation mode and without gradients; afterwards as they were, so that training can go on."""
    were = [model.training for model in models]
    for model in models:
        model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for model, was in zip(models, were, strict=True):
            model.train(was)


# ---------------------------------------------------------------------------------------------
# What changed, and what it cost.


def rewards(model: nn.Module, reference: nn.Module, pairs: Sequence[Pair], beta: Number) -> Preference:
    """The loss, rewards and margins of any pairs, such as some that were kept from training; nothing is trained.

    Divided by ``beta``, a reward says by how many nats a text has become more probable than under the reference.
    Raises ValueError as ``train_dpo`` does.
    """
    _check_reference(model, reference)
    inputs, targets = preference_rows(pairs, model.config.n_ctx)
    with _reading(model, reference):
        policy = _log_probabilities(model, inputs, targets)
        return dpo_loss(*policy, *_log_probabilities(reference, inputs, targets), beta)


def divergence(
    model: nn.Module,
    reference: nn.Module,
    inputs: Tensor,
    targets: Tensor,
) -> Float[Tensor, " text"]:
    """How far the model's odds are from the reference's along each text: the sum of KL(model || reference) in nats.

    At every target that counts, the two distributions over the whole vocabulary are compared; which token stands there
    does not matter. On texts that the model itself rolled, the mean is an estimate of the divergence between its texts
    and the reference's. Raises ValueError for inputs and targets of different shapes and as the models do.
    """
    if inputs.shape != targets.shape:
        raise ValueError(
            f"inputs and targets must have one shape [text, seq], got {list(inputs.shape)} and {list(targets.shape)}; "
            "story_rows makes such pairs"
        )
    with _reading(model, reference):
        ours, theirs = (F.log_softmax(one(inputs).double(), dim=-1) for one in (model, reference))
    nats = F.kl_div(theirs, ours, log_target=True, reduction="none").sum(dim=-1)
    return nats.where(targets != IGNORED, 0.0).sum(dim=-1)


def least_divergence(before: Number, after: Number) -> float:
    """The least that it can cost to raise the liked share from ``before`` to ``after``, in nats per story.

    It is reached by the reference with its liked stories made likelier all alike, and the others less likely all alike:
    the divergence between two coins. Whatever a model's divergence is above this was not needed for the preference.

    >>> round(least_divergence(0.25, 1.0), 3)  # ln 4: only the liked quarter is left
    1.386
    >>> least_divergence(0.25, 0.25)
    0.0

    Raises ValueError unless ``before`` is between 0 and 1 and ``after`` from 0 to 1.
    """
    if not (_is_number(before) and _is_number(after) and 0 < before < 1 and 0 <= after <= 1):
        raise ValueError(
            f"before must be between 0 and 1, and after from 0 to 1, got {before!r:.60} and {after!r:.60}; they are shares"
        )
    shares = ((after, before), (1 - after, 1 - before))
    return sum(new * math.log(new / old) for new, old in shares if new)


class Measured(NamedTuple):
    """A model after preferences were learned, counted on stories that it told afresh."""

    liked: float  # share of its stories that the judge likes
    allowed: float  # share that the grammar's dice can roll, to their end
    different: float  # different stories, as a share of all
    divergence: float  # from the reference: KL(model || reference) in nats per story
    loss: float  # on ordinary stories of the kind that was judged, in nats per token
    other_loss: float  # on ordinary stories of the other kinds, which nobody judged
    stories: tuple[Telling, ...]


def measure(
    model: nn.Module,
    reference: nn.Module,
    judge: Callable[[str], bool] = bedtime,
    stories: Whole = 200,
    seed: Whole = 0,
) -> Measured:
    """What a judge likes about a model, and what that cost; the same for the same seed.

    The model tells ``stories`` of them, from beginnings on which it was not trained, ten from each. The two losses are
    of as many stories of Tinytown's test split each. Raises ValueError unless there are at least ten stories, and for a
    reference as in ``train_dpo``.
    """
    _check_whole("stories", stories, "200 show a share to about 3 %", least=10)
    _check_whole("seed", seed, "0 is usual", least=0)
    _check_reference(model, reference)
    starts = beginnings("test", math.ceil(stories / 10), seed)
    told = tell(model, (starts * 10)[:stories], seed)
    inputs, targets = story_rows([story.text.split() for story in told])
    targets[:, :_BEGINNING] = IGNORED
    ordinary = tinytown.stories("test", 4 * stories, seed)  # about half are of the kind that was judged
    judged = [words for words in ordinary if words[0] == "once"]
    others = [words for words in ordinary if words[0] != "once"]
    return Measured(
        liked=sum(_likes(judge, story) for story in told) / stories,
        allowed=sum(story.ended and is_allowed(story.text) for story in told) / stories,
        different=len({story.text for story in told}) / stories,
        divergence=divergence(model, reference, inputs, targets).mean().item(),
        loss=evaluate(model, judged[:stories]),
        other_loss=evaluate(model, others[:stories]),
        stories=tuple(told),
    )


# ---------------------------------------------------------------------------------------------
# Over-optimising: runs that go on for too long.


class Point(NamedTuple):
    """A model in the middle of a run. The first three are means over pairs that it was not trained on."""

    step: int  # done when this was measured
    margin: float  # chosen reward - rejected reward
    chosen: float  # nats by which the chosen texts have become more probable; below 0: less
    rejected: float
    liked: float  # from here on as in `Measured`
    allowed: float
    different: float
    divergence: float
    loss: float
    other_loss: float
    stories: tuple[str, ...]  # the first that it told, one from each of three beginnings


class Run(NamedTuple):
    """A DPO run that was done, measured at some of its steps."""

    beta: float
    seed: int  # of the order of the pairs
    points: tuple[Point, ...]


BETAS = (1.0, 0.3, 0.1, 0.03)
SEEDS = (0, 1, 2)
STEPS = (0, 5, 10, 20, 40, 80)


def carry_out(
    beta: float, seed: int, pairs: Sequence[Pair], kept: Sequence[Pair], steps: Sequence[int] = STEPS
) -> Run:
    """Trains the committed Tinytown GPT on pairs, and measures it after each of `steps`, also on pairs that were kept."""
    from helpers.pretrained import load_tinytown

    model, reference = load_tinytown(trainable=True)[0], load_tinytown()[0]
    # A gradient is proportional to beta: divided by it, the first steps of all runs are equally long.
    rate = PreferenceConfig.learning_rate / beta
    config = PreferenceConfig(beta=beta, steps=max(*steps, 1), learning_rate=rate, seed=seed)
    records = train_dpo(model, reference, pairs, config)
    points, done = [], 0
    for step in steps:
        for _ in range(step - done):
            next(records)
        done = step
        found = rewards(model, reference, kept, beta)
        chosen, rejected = (part.mean().item() / beta for part in found[1:3])
        *counted, stories = measure(model, reference)
        examples = tuple(story.text for story in stories[:3])
        points.append(Point(step, found.margins.mean().item(), chosen, rejected, *counted, examples))
    return Run(beta, seed, tuple(points))


def save_runs(runs: Sequence[Run], path: Path) -> None:
    """Writes runs, one a line, all or nothing; four digits, since those behind them differ between processors."""
    lines = ({**run._asdict(), "points": [_rounded(point) for point in run.points]} for run in runs)
    save_results(lines, path, format=FORMAT, command=COMMAND, fields=Point._fields)


def _rounded(point: Point) -> list[Any]:
    return [float(f"{value:.4g}") if isinstance(value, float) else value for value in point]


def load_runs(path: str | os.PathLike[str] = RUNS) -> tuple[Run, ...]:
    """The runs that ``python -m helpers.preferences`` wrote.

    >>> sorted({run.beta for run in load_runs()})
    [0.03, 0.1, 0.3, 1.0]

    Raises FileNotFoundError for a file that is not there, and ValueError for one that is damaged or holds something
    else.
    """
    return load_results(
        path, lambda found: tuple(map(_run_from, found["runs"])), format=FORMAT, command=COMMAND
    )


def _run_from(fields: Any) -> Run:
    """A run from its JSON."""
    points = tuple(Point(*point[:-1], tuple(point[-1])) for point in fields["points"])
    return Run(float(fields["beta"]), int(fields["seed"]), points)


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains runs that go on for too long, prints how it goes, and writes what was measured."""
    from helpers.pretrained import load_tinytown

    parser = argparse.ArgumentParser(prog="python -m helpers.preferences", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=RUNS)
    parser.add_argument("--quick", action="store_true", help="three steps of one run, to try it; needs --out")
    options = parser.parse_args(arguments)
    if options.quick and options.out == RUNS:
        parser.error("--quick needs --out, or it would write over the runs")
    plans = [(beta, seed) for beta in BETAS for seed in SEEDS]
    began, runs = time.perf_counter(), []
    reference = load_tinytown()[0]
    count = 40 if options.quick else 200
    pairs, kept = (preference_pairs(reference, count=n, seed=s) for n, s in ((count, 0), (count // 2, 1)))
    for beta, seed in plans[:1] if options.quick else plans:
        runs.append(carry_out(beta, seed, pairs, kept, steps=(0, 3) if options.quick else STEPS))
        last = runs[-1].points[-1]
        print(
            f"{len(runs):2} of {len(plans)}  beta {beta:<4g}  seed {seed}  margin {last.margin:5.1f}  liked {last.liked:.0%}  "
            f"allowed {last.allowed:.0%}  {time.perf_counter() - began:5.0f} s",
            flush=True,
        )
        save_runs(runs, options.out)
    print(f"wrote {options.out.name}, {options.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
