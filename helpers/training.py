"""Training: turning text into a model, one small step at a time.

Text is its own answer: at every position the target is the token that comes next. A step reads a batch
of texts, measures the mean surprise of the targets (cross-entropy, in nats per token), and moves every
weight a little in the direction that would have made them less surprising.

``python -m helpers.training`` trains the small Tinytown GPT that the notebooks start from and writes it to
``helpers/weights/tinytown.safetensors``.

The loop is silent: it yields one record a step, and whoever runs it prints or draws. What it leaves out for
now: several processes, checkpoints in the middle.

Sources: Loshchilov and Hutter (2019, arXiv:1711.05101), algorithm 2, for AdamW; Smith and Topin (2018,
arXiv:1708.07120), section 3, for the one-cycle learning rate.
"""

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from helpers import tinytown
from helpers.transformer import GPT, GPTConfig, save_model

IGNORED = -100  # a target that does not count: padding behind a story's end

TINYTOWN_CONFIG = GPTConfig(
    vocab_size=len(tinytown.VOCABULARY), n_ctx=64, n_layers=2, n_heads=4, d_model=64, bias=False
)
WEIGHTS = Path(__file__).parent / "weights" / "tinytown.safetensors"


@dataclass(frozen=True)
class TrainingConfig:
    """How a training run goes; checked when it is made."""

    steps: int = 5000  # batches read
    batch_size: int = 64  # texts in a batch
    learning_rate: float = 6e-3  # at its highest
    warmup: float = 0.1  # share of the steps in which the learning rate rises
    weight_decay: float = 0.05  # pull of every matrix towards 0
    betas: tuple[float, float] = (0.9, 0.98)  # memory of AdamW's two averages
    max_gradient: float = 1.0  # a longer gradient is shortened to this
    seed: int = 0  # order of the texts

    def __post_init__(self):
        for name in ("steps", "batch_size"):
            size = getattr(self, name)
            if not (size >= 1 and size == int(size)):
                raise ValueError(f"{name} must be a whole number from 1, got {size}; try 100")
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}; 0.006 suits Tinytown")
        if not 0 < self.warmup < 1:
            raise ValueError(f"warmup must be a share between 0 and 1, got {self.warmup}; 0.1 is usual")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay must be 0 or more, got {self.weight_decay}; 0 is none")
        if not (len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas)):
            raise ValueError(
                f"betas must be two numbers from 0 up to 1, got {self.betas}; (0.9, 0.98) is usual"
            )
        if not self.max_gradient > 0:
            raise ValueError(
                f"max_gradient must be above 0, got {self.max_gradient}; infinity never shortens"
            )


class Record(NamedTuple):
    """What one training step looked like."""

    step: int  # counted from 1
    loss: float  # of the batch before the step, in nats per token
    learning_rate: float
    gradient_norm: float  # before it was shortened
    tokens_per_second: float  # targets learned from, over the time of this step


def story_rows(stories: Sequence[Sequence[str]]) -> tuple[Int[Tensor, "story seq"], Int[Tensor, "story seq"]]:
    """Inputs and targets of whole stories, one a row, each row from a story's first word.

    Targets are the inputs moved by one. Behind a story's end, inputs are ``<end>`` and targets do not count.

    >>> inputs, targets = story_rows([["look", "!"], ["hello"]])
    >>> inputs.shape, (targets == IGNORED).sum().item()
    (torch.Size([2, 3]), 1)

    Raises ValueError without a story, and for a word that Tinytown lacks.
    """
    if not stories:
        raise ValueError("stories must hold at least one story, got none; tinytown.stories gives some")
    tokenizer = tinytown.WordTokenizer()
    ids = [tokenizer.encode_story(words) for words in stories]
    longest = max(map(len, ids))
    rows = torch.full((len(ids), longest), tokenizer.end_id)
    for row, story in zip(rows, ids, strict=True):
        row[: len(story)] = torch.tensor(story)
    inputs, targets = rows[:, :-1].clone(), rows[:, 1:].clone()
    lengths = torch.tensor([len(story) - 1 for story in ids])
    targets[torch.arange(longest - 1) >= lengths[:, None]] = IGNORED
    return inputs, targets


def token_losses(
    model: GPT, inputs: Int[Tensor, "batch seq"], targets: Int[Tensor, "batch seq"]
) -> Float[Tensor, "batch seq"]:
    """The surprise -ln(p) of every target in nats; 0 where the target does not count."""
    logits = model(inputs)
    return F.cross_entropy(logits.transpose(1, 2), targets, ignore_index=IGNORED, reduction="none")


@torch.no_grad()
def evaluate(model: GPT, stories: Sequence[Sequence[str]], batch_size: int = 256) -> float:
    """The mean surprise of a model over whole stories, their ends counted, in nats per token.

    Raises ValueError without a story, for a word that Tinytown lacks, and for a batch size below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be 1 or more, got {batch_size}; 256 is usual")
    inputs, targets = story_rows(stories)
    was_training = model.training
    model.eval()
    total = sum(
        token_losses(model, x.to(model.device), y.to(model.device)).sum().item()
        for x, y in zip(inputs.split(batch_size), targets.split(batch_size), strict=True)
    )
    model.train(was_training)
    return total / int((targets != IGNORED).sum())


def train(
    model: GPT,
    inputs: Int[Tensor, "story seq"],
    targets: Int[Tensor, "story seq"],
    config: TrainingConfig | None = None,
) -> Iterator[Record]:
    """Trains `model` in place and yields a record after every step; stop listening to stop training.

    Texts are read in a seeded random order, all of them before any comes again. Raises ValueError when a
    batch is larger than the data, and when the loss stops being a number.
    """
    config = config or TrainingConfig()
    if len(inputs) < config.batch_size:
        raise ValueError(
            f"batch_size must be at most the number of texts, got {config.batch_size} for {len(inputs)} texts; "
            f"try batch_size={len(inputs)}"
        )
    # Norm weights and biases are not pulled towards 0: they are not there to be small.
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=config.learning_rate,
        betas=config.betas,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        config.learning_rate,
        total_steps=config.steps + 1,
        pct_start=config.warmup,
        cycle_momentum=False,
    )
    generator = torch.Generator().manual_seed(config.seed)
    order = torch.empty(0, dtype=torch.long)
    model.train()
    try:
        for step in range(1, config.steps + 1):
            began = time.perf_counter()
            if len(order) < config.batch_size:
                order = torch.cat([order, torch.randperm(len(inputs), generator=generator)])
            batch, order = order[: config.batch_size], order[config.batch_size :]
            x, y = inputs[batch].to(model.device), targets[batch].to(model.device)
            counted = int((y != IGNORED).sum())
            loss = token_losses(model, x, y).sum() / counted
            if not torch.isfinite(loss):
                raise ValueError(
                    f"the loss must stay a number, got {loss.item()} at step {step}; try a smaller learning rate"
                )
            optimizer.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.max_gradient)
            learning_rate = schedule.get_last_lr()[0]
            optimizer.step()
            schedule.step()
            seconds = time.perf_counter() - began
            yield Record(step, loss.item(), learning_rate, norm.item(), counted / seconds)
    finally:
        model.eval()


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains the Tinytown GPT, prints how it goes, and writes its weights."""
    parser = argparse.ArgumentParser(prog="python -m helpers.training", description=main.__doc__)
    parser.add_argument("--steps", type=int, default=TrainingConfig.steps)
    parser.add_argument("--stories", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args(arguments)

    floor = tinytown.entropy_per_token()
    inputs, targets = story_rows(tinytown.stories("train", options.stories, options.seed))
    model = GPT(TINYTOWN_CONFIG, seed=options.seed)
    print(
        f"{model.n_params:,} parameters, {len(inputs):,} stories, floor {floor:.4f} nats per token",
        flush=True,
    )
    began = time.perf_counter()
    for record in train(model, inputs, targets, TrainingConfig(steps=options.steps, seed=options.seed)):
        if record.step % 200 == 0 or record.step == options.steps:
            print(
                f"step {record.step:5}  loss {record.loss:.4f}  {record.loss / floor:.3f} x floor", flush=True
            )
    fresh = tinytown.stories("test", 4000, seed=1)
    # On the same stories the dice themselves pay this much; the difference is the model's own.
    dice = sum(sum(tinytown.surprise(words)) for words in fresh) / sum(len(words) + 1 for words in fresh)
    loss = evaluate(model, fresh)
    print(
        f"{time.perf_counter() - began:.0f} s; fresh stories: model {loss:.4f}, dice {dice:.4f}: {loss / dice:.4f} x"
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_model(model, options.out)
    print(f"wrote {options.out.name}, {options.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
