"""Training: turning text into a model, one small step at a time.

Text is its own answer: at every position the target is the token that comes next. A step reads a batch
of texts, measures the mean surprise of the targets (cross-entropy, in nats per token), and moves every
weight a little in the direction that would have made them less surprising.

``python -m helpers.training`` trains the small Tinytown GPT that the notebooks start from and writes it to
``helpers/weights/tinytown.safetensors``. ``torchrun --nproc-per-node 2 -m helpers.training`` does the same with two
processes (``helpers.distributed``).

The loop is silent: it yields one record a step, and whoever runs it prints or draws. A run can be stopped at
any moment, and goes on from its last checkpoint as if it had never stopped.

Sources: Loshchilov and Hutter (2019, arXiv:1711.05101), algorithm 2, for AdamW; Smith and Topin (2018,
arXiv:1708.07120), section 3, for the one-cycle learning rate; Devlin et al. (2019, arXiv:1810.04805), section 3.1, for
hidden words as targets.
"""

import argparse
import contextlib
import itertools
import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from helpers import tinytown
from helpers.distributed import ALONE, Processes, joined
from helpers.transformer import GPT, GPTConfig, save_model

IGNORED = -100  # a target that does not count: padding behind a story's end
CHECKPOINT_FORMAT = "under-the-hood checkpoint, version 1"
AVERAGES = ("exp_avg", "exp_avg_sq")  # torch's names of AdamW's memory: of the gradient, and of its square

TINYTOWN_CONFIG = GPTConfig(
    vocab_size=len(tinytown.VOCABULARY), n_ctx=64, n_layers=2, n_heads=4, d_model=64, bias=False
)
WEIGHTS = Path(__file__).parent / "weights" / "tinytown.safetensors"


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _check_seed(seed: object) -> None:
    if not (isinstance(seed, Integral) and 0 <= seed < 2**63):
        raise ValueError(f"seed must be a whole number from 0, got {seed!r}; 0 is usual")


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
            if not (isinstance(size, Integral) and size >= 1):
                raise ValueError(f"{name} must be a whole number from 1, got {size!r}; try 100")
        _check_seed(self.seed)
        for name in ("learning_rate", "warmup", "weight_decay", "max_gradient"):
            if not _is_number(getattr(self, name)):
                raise ValueError(
                    f"{name} must be a number, got {getattr(self, name)!r}; {getattr(TrainingConfig, name)} suits Tinytown"
                )
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


def masked_rows(
    stories: Sequence[Sequence[str]], share: float = 0.15, seed: int = 0
) -> tuple[Int[Tensor, "story seq"], Int[Tensor, "story seq"]]:
    """Inputs with some words hidden behind ``<unk>``, and targets that count only there: the hidden words.

    Nobody has to label anything: the text had the words before they were hidden. Every story hides the given share
    of its words, at least one. Such rows are for a model that looks both ways, as BERT does (Devlin et al. 2019,
    section 3.1): from ``story_rows`` it would learn nothing, because the next word stands in its input.

    >>> inputs, targets = masked_rows([["hello", "!"]], share=0.5)
    >>> (inputs == tinytown.WordTokenizer().unknown_id).sum().item(), (targets != IGNORED).sum().item()
    (1, 1)

    Raises ValueError for a share that is not above 0 and at most 1, a story without a word, and as ``story_rows`` does.
    """
    if not (_is_number(share) and 0 < share <= 1):
        raise ValueError(f"share must be above 0 and at most 1, got {share!r}; 0.15 is BERT's")
    _check_seed(seed)
    ids, _ = story_rows(stories)
    tokenizer = tinytown.WordTokenizer()
    words = (ids != tokenizer.start_id) & (ids != tokenizer.end_id)
    counts = words.sum(1)
    if (counts == 0).any():
        raise ValueError(
            f"every story must have a word to hide, got none in story {int(counts.argmin())} (counted from 0); leave it out"
        )
    # Every word rolls a number, and those with the lowest of their story are hidden.
    rolls = torch.rand(ids.shape, generator=torch.Generator().manual_seed(seed)).masked_fill(~words, math.inf)
    places = rolls.argsort(dim=1).argsort(dim=1)  # 0 for the lowest
    hidden = places < (counts * share).round().clamp(min=1)[:, None]
    return ids.masked_fill(hidden, tokenizer.unknown_id), ids.masked_fill(~hidden, IGNORED)


def token_losses(model: nn.Module, inputs: Tensor, targets: Tensor) -> Float[Tensor, "batch seq"]:
    """The surprise -ln(p) of every target in nats; 0 where the target does not count.

    Inputs and targets are ids ``[batch, seq]``. Raises ValueError for other shapes, and for ids that the model lacks.
    """
    _check_rows(inputs, targets)
    logits = model(inputs)
    vocab_size = logits.shape[-1]
    wrong = targets[(targets != IGNORED) & ((targets < 0) | (targets >= vocab_size))]
    if wrong.numel():
        raise ValueError(
            f"targets must be from 0 to {vocab_size - 1}, or {IGNORED} where they do not count, got {int(wrong[0])}; "
            "use the tokenizer that belongs to this model"
        )
    # Flat, because over the last axis of a matrix cross_entropy is quicker than over an axis in the middle.
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none")
    return losses.view_as(targets)


def _check_rows(inputs: Tensor, targets: Tensor) -> None:
    if inputs.ndim != 2 or inputs.shape != targets.shape:
        raise ValueError(
            f"inputs and targets must both be [story, seq], got {list(inputs.shape)} and {list(targets.shape)}; "
            "story_rows makes such pairs"
        )
    if targets.dtype != torch.long:
        raise ValueError(
            f"targets must be whole numbers (torch.int64), got {targets.dtype}; try targets.long()"
        )


@torch.no_grad()
def evaluate(model: nn.Module, stories: Sequence[Sequence[str]], batch_size: int = 256) -> float:
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


def learning_rate_at(step: int, config: TrainingConfig) -> float:
    """The learning rate of a step, counted from 1: up along half a cosine, then down along another to nearly 0.

    It starts at a 25th of its highest and ends at a ten-thousandth of that. Smith and Topin 2018, section 3.

    >>> config = TrainingConfig(steps=99, warmup=0.25, learning_rate=1.0)
    >>> [round(learning_rate_at(step, config), 2) for step in (1, 13, 25, 99)]
    [0.04, 0.52, 1.0, 0.0]
    """
    top = config.learning_rate
    first, last = top / 25, top / 25e4
    turn = config.warmup * (config.steps + 1) - 1  # steps taken when it is highest
    taken = step - 1
    if taken < turn:
        start, end, way = first, top, taken / turn
    else:
        start, end, way = top, last, (taken - turn) / (config.steps - turn)
    return end + (start - end) * (1 + math.cos(math.pi * way)) / 2


def train(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    config: TrainingConfig | None = None,
    *,
    checkpoint: str | os.PathLike[str] | None = None,
    save_every: int = 100,
    resume: str | os.PathLike[str] | None = None,
    processes: Processes = ALONE,
) -> Iterator[Record]:
    """Trains `model` in place and yields a record after every step; stop listening to stop training.

    Inputs and targets are ids ``[story, seq]``. Texts are read in a seeded random order, all of them before any comes
    again. A ``checkpoint`` file is written every ``save_every`` steps and at the end; with a file to ``resume``, the
    run goes on behind that file's last step as if it had never stopped. Of several ``processes``, each calls this with
    the same data and reads its share of every batch.

    Whenever it is your code that runs and not this loop, the model is in evaluation mode and all its weights are of one
    step: an interrupt (``KeyboardInterrupt``) is heard when the step it falls into is done.

    Raises ValueError for rows that do not fit each other, a batch larger than the data, and a checkpoint of another
    run; also when the loss or the gradient stops being a number: the weights are then the last for which both were one.
    """
    config = config or TrainingConfig()
    _check_run(model, inputs, targets, config, save_every, processes)
    optimizer = _adamw(model, config)
    done = 0 if resume is None else load_checkpoint(resume, model, optimizer, config, len(inputs))
    weights = trainable_parameters(model)
    good = [weight.detach().clone() for weight in weights]
    averaged = processes.averaging(model)
    batches = itertools.islice(shuffled_batches(len(inputs), config), done, config.steps)
    for step, batch in enumerate(batches, start=done + 1):
        with interrupts_wait(), learning(model, config.seed, step, processes.rank):
            began = time.perf_counter()
            # Stories differ in length, so the shares of a batch hold more and fewer targets: each process divides by
            # the targets of the whole batch. Its own mean would make the words of short stories count for more.
            counted = int((targets[batch] != IGNORED).sum())
            mine = processes.share(batch)
            x, y = inputs[mine].to(model.device), targets[mine].to(model.device)
            part = token_losses(averaged, x, y).sum() / counted
            optimizer.zero_grad()
            (part * processes.size).backward()  # times size: gradients come back as a mean, and must be a sum
            norm = nn.utils.clip_grad_norm_(weights, config.max_gradient).item()
            loss = processes.add_up(part).item()
            if not (math.isfinite(loss) and math.isfinite(norm)):
                copy_tensors(good, weights)
                name, value = ("gradient", norm) if math.isfinite(loss) else ("loss", loss)
                raise ValueError(
                    f"the {name} must stay a number, got {value} at step {step}; "
                    f"try a smaller learning rate than {config.learning_rate:g}"
                )
            copy_tensors(weights, good)
            learning_rate = learning_rate_at(step, config)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate
            optimizer.step()
            seconds = time.perf_counter() - began
            if checkpoint and processes.rank == 0 and (step % save_every == 0 or step == config.steps):
                save_checkpoint(checkpoint, model, optimizer, config, len(inputs), step)
        yield Record(step, loss, learning_rate, norm, counted / seconds)


def _check_run(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    config: TrainingConfig,
    save_every: int,
    processes: Processes,
) -> None:
    """Raises ValueError for what could not be trained or saved."""
    _check_rows(inputs, targets)
    empty = ~(targets != IGNORED).any(dim=1)
    if empty.any():
        raise ValueError(
            f"every text must have a target that counts, got none in row {int(empty.nonzero()[0])} (counted from 0); "
            "leave it out"
        )
    if len(inputs) < config.batch_size:
        raise ValueError(
            f"batch_size must be at most the number of texts, got {config.batch_size} for {len(inputs)} texts; "
            f"try batch_size={len(inputs)}"
        )
    if config.batch_size % processes.size:
        above = math.ceil(config.batch_size / processes.size) * processes.size
        raise ValueError(
            f"batch_size must be divisible by the number of processes, got {config.batch_size} for "
            f"{processes.size} processes; try batch_size={above}"
        )
    if not (isinstance(save_every, Integral) and save_every >= 1):
        raise ValueError(f"save_every must be a whole number of steps from 1, got {save_every!r}; try 100")
    if not trainable_parameters(model):
        raise ValueError(
            "a model must have weights that may learn, got one with all of them frozen; "
            "load it with trainable=True, or call its requires_grad_()"
        )


def trainable_parameters(model: nn.Module) -> list[nn.Parameter]:
    return [weight for weight in model.parameters() if weight.requires_grad]


def _adamw(model: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    # Norm weights and biases are not pulled towards 0: they are not there to be small.
    matrices = [weight for weight in trainable_parameters(model) if weight.ndim >= 2]
    others = [weight for weight in trainable_parameters(model) if weight.ndim < 2]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=config.learning_rate,
        betas=config.betas,
        fused=True,  # all weights in one call: a fifth of the time
    )


def shuffled_batches(n_texts: int, config: TrainingConfig) -> Iterator[Int[Tensor, " batch"]]:
    """Which texts each batch holds, without end; the same config always gives the same."""
    generator = torch.Generator().manual_seed(config.seed)
    order = torch.empty(0, dtype=torch.long)
    while True:
        if len(order) < config.batch_size:
            order = torch.cat([order, torch.randperm(n_texts, generator=generator)])
        batch, order = order[: config.batch_size], order[config.batch_size :]
        yield batch


@torch.no_grad()
def copy_tensors(source: list[Tensor], target: list[Tensor]) -> None:
    for there, here in zip(source, target, strict=True):
        here.copy_(there)


@contextlib.contextmanager
def interrupts_wait() -> Iterator[None]:
    """Keeps an interrupt (Ctrl-C, the kernel's stop button) until the block is done, so that nothing is left half done."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield  # no interrupt is ever raised here
        return
    heard = []
    signal.signal(signal.SIGINT, lambda *call: heard.append(call))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if heard:
            handler(*heard[0])


@contextlib.contextmanager
def learning(model: nn.Module, seed: int, step: int, rank: int) -> Iterator[None]:
    """Training mode, which dropout needs, and evaluation mode afterwards.

    Dropout rolls torch's global dice. Here they are seeded for each step, so that a resumed run rolls the same, and put
    back afterwards.
    """
    with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
        torch.manual_seed((seed + 1_000_003 * step + rank) % 2**63)
        model.train()
        try:
            yield
        finally:
            model.eval()


# ---------------------------------------------------------------------------------------------
# Checkpoints: all that a run needs to go on.


def save_checkpoint(
    path: str | os.PathLike[str],
    model: nn.Module,
    optimizer: torch.optim.AdamW,
    config: TrainingConfig,
    n_texts: int,
    step: int,
) -> None:
    """Writes the weights, AdamW's two averages and what the run is to one safetensors file, all or nothing.

    The file is written beside the old one and then takes its name in one move, so that whoever kills the process
    finds one or the other, whole. Raises OSError for a full disk or a read-only folder.
    """
    path = Path(path)
    tensors = {f"weight {name}": weight for name, weight in model.state_dict().items()}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            tensors |= {f"{key} {name}": optimizer.state[weight][key] for key in AVERAGES}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {**_run_metadata(model, config, n_texts), "step": str(step)}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        save_file(tensors, unfinished, metadata=metadata)
        os.replace(unfinished, path)
    except SafetensorError as error:
        raise OSError(f"a checkpoint must be written where there is room, got {path} ({error})") from error
    finally:
        unfinished.unlink(missing_ok=True)


def load_checkpoint(
    path: str | os.PathLike[str],
    model: nn.Module,
    optimizer: torch.optim.AdamW,
    config: TrainingConfig,
    n_texts: int,
) -> int:
    """The step that a checkpoint was saved behind; its weights and averages are put in their places.

    Raises ValueError for a file that is missing, damaged, of another format, or of another run, and leaves model and
    optimizer alone then.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"a checkpoint must be a file, got {path}, which is not there; start without resume, or check the path"
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(
            f"a checkpoint must be a whole safetensors file, got {path}, which is damaged or something else ({error}); "
            "resume from another one"
        ) from error
    if metadata.get("format") != CHECKPOINT_FORMAT:
        raise ValueError(
            f"a checkpoint must be one that train saved ({CHECKPOINT_FORMAT}), got {path} of the format "
            f"{metadata.get('format', 'unknown')!r}; resume from a file that was given as checkpoint"
        )
    _check_same_run(metadata, _run_metadata(model, config, n_texts), path)
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    expected = {f"weight {name}": weight.shape for name, weight in model.state_dict().items()}
    expected |= {f"{key} {name}": weight.shape for key in AVERAGES for name, weight in trained.items()}
    if {name: tensor.shape for name, tensor in tensors.items()} != expected:
        raise ValueError(
            f"a checkpoint must hold a model's weights and their two averages, got {path} with others; "
            "resume from another one"
        )
    step = int(metadata["step"])
    model.load_state_dict({name: tensors[f"weight {name}"] for name in model.state_dict()})
    for name, weight in trained.items():
        averages = {key: tensors[f"{key} {name}"].to(weight.device, copy=True) for key in AVERAGES}
        optimizer.state[weight] = {"step": torch.tensor(float(step), device=weight.device), **averages}
    return step


def _run_metadata(model: nn.Module, config: TrainingConfig, n_texts: int) -> dict[str, str]:
    """What a run is: a checkpoint of one can't go on as another."""
    return {
        "format": CHECKPOINT_FORMAT,
        "model": json.dumps(asdict(model.config)),
        "training": json.dumps({**asdict(config), "texts": n_texts}, default=float),
    }


def _check_same_run(there: dict[str, str], here: dict[str, str], path: Path) -> None:
    for part in ("model", "training"):
        theirs, ours = json.loads(there[part]), json.loads(here[part])
        for name in ours | theirs:
            if theirs.get(name) != ours.get(name):
                raise ValueError(
                    f"a checkpoint must be of the same {part} config, got {name}={theirs.get(name)!r} in {path} and "
                    f"{name}={ours.get(name)!r} here; make them the same, or start without resume"
                )


# ---------------------------------------------------------------------------------------------
# The command.


def pick_device(name: str | None = None) -> torch.device:
    """Where to train: by name, or the first that is there of a GPU (cuda), Apple's (mps) and the CPU.

    Under ``torchrun`` every process takes a GPU of its own. Raises ValueError for a device that is not there.
    """
    rank = int(os.environ.get("LOCAL_RANK", "0"))  # torchrun's number for this process on this machine
    there = {"cpu": torch.device("cpu")}
    if torch.backends.mps.is_available() and "LOCAL_RANK" not in os.environ:  # it can't average gradients
        there = {"mps": torch.device("mps"), **there}
    if torch.cuda.device_count() > rank:
        there = {"cuda": torch.device("cuda", rank), **there}
    if name is not None and name not in there:
        raise ValueError(
            f"device must be one that is there, got {name!r}; here it can be {' or '.join(there)}"
        )
    return there[name or next(iter(there))]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m helpers.training", description=main.__doc__)
    parser.add_argument("--steps", type=int, default=TrainingConfig.steps)
    parser.add_argument("--stories", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--batch-size", type=int, default=TrainingConfig.batch_size, help="of all processes together"
    )
    parser.add_argument("--learning-rate", type=float, default=TrainingConfig.learning_rate)
    recipe = parser.parse_args([])
    parser.add_argument(
        "--out", type=Path, help="file for the weights; default: the course's own, for its own recipe only"
    )
    parser.add_argument("--checkpoint", type=Path, help="file to save the run in")
    parser.add_argument("--save-every", type=int, default=100, metavar="STEPS")
    parser.add_argument("--resume", type=Path, help="checkpoint to go on from")
    parser.add_argument(
        "--device", choices=["cuda", "mps", "cpu"], help="default: the first of these that is there"
    )
    parser.add_argument("--print-every", type=int, default=200, metavar="STEPS")
    parser.add_argument("--records", type=Path, help="file for the records, one line of JSON a step")
    options = parser.parse_args(arguments)
    if options.print_every < 1:
        raise ValueError(f"print-every must be 1 step or more, got {options.print_every}; 200 is usual")
    # Whoever tries something else must not lose the model that the notebooks start from.
    if options.out is None and all(getattr(options, name) == value for name, value in vars(recipe).items()):
        options.out = WEIGHTS
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains the Tinytown GPT, prints how it goes, and writes its weights."""
    options = _options(arguments)
    device = pick_device(options.device)
    with joined(device) as processes:
        _run(options, device, processes)


def _run(options: argparse.Namespace, device: torch.device, processes: Processes) -> None:
    chief = processes.rank == 0  # the others compute and keep quiet

    def say(text: str) -> None:
        if chief:
            print(text, flush=True)

    floor = tinytown.entropy_per_token()
    config = TrainingConfig(
        steps=options.steps,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        seed=options.seed,
    )
    inputs, targets = story_rows(tinytown.stories("train", options.stories, options.seed))
    model = GPT(TINYTOWN_CONFIG, seed=options.seed).to(device)
    say(f"{model.n_params:,} parameters, {len(inputs):,} stories, floor {floor:.4f} nats per token")
    began = time.perf_counter()
    run = train(
        model,
        inputs,
        targets,
        config,
        checkpoint=options.checkpoint,
        save_every=options.save_every,
        resume=options.resume,
        processes=processes,
    )
    with contextlib.ExitStack() as files:
        log = files.enter_context(open(options.records, "w")) if options.records and chief else None
        for record in run:
            if record.step % options.print_every == 0 or record.step == options.steps:
                say(f"step {record.step:5}  loss {record.loss:.4f}  {record.loss / floor:.3f} x floor")
            if log:
                print(json.dumps(record._asdict()), file=log, flush=True)
    if not chief or options.out is None:
        return
    fresh = tinytown.stories("test", 4000, seed=1)
    # On the same stories the dice themselves pay this much; the difference is the model's own.
    dice = sum(sum(tinytown.surprise(words)) for words in fresh) / sum(len(words) + 1 for words in fresh)
    loss = evaluate(model, fresh)
    say(
        f"{time.perf_counter() - began:.0f} s; fresh stories: model {loss:.4f}, dice {dice:.4f}: {loss / dice:.4f} x"
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_model(model, options.out)
    say(f"wrote {options.out.name}, {options.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"helpers.training: {error}")
    except KeyboardInterrupt:
        sys.exit("helpers.training: interrupted; --resume goes on from the last checkpoint")
