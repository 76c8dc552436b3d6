"""Fine-tuning: a model that can do one thing already learns another, from few examples.

The loop is that of ``helpers.training``. New are the rows it reads (a prompt, and an answer that alone counts) and
what may move: all weights, or a small change beside a few of them while the rest stand still (LoRA). Such a change
is an *adapter*: it can be saved in a small file, put on and taken off, turned up and down, and merged into the weights.

Sources: Hu et al. (2021, arXiv:2106.09685), section 4, for LoRA; Kirkpatrick et al. (2017, arXiv:1612.00796), section 1,
for forgetting; Robins (1995), "Catastrophic forgetting, rehearsal and pseudorehearsal", for its oldest cure.

What this leaves out: adapters beside the embedding and the norms, matrices in 8 bits below an adapter (QLoRA), and
what answers people prefer (``helpers.preferences``).
"""

import copy
import json
import math
import operator
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from helpers import tinytown
from helpers.training import IGNORED, TrainingConfig, evaluate, train
from helpers.transformer import GPT, linear, save_model

ADAPTER_FORMAT = "under-the-hood adapter, version 1"
STRONGEST = 2.0  # twice what was trained; beyond it text falls apart
PARTS = ("query", "key", "value", "output", "gate", "up", "down")  # of a block, all of them matrices


# ---------------------------------------------------------------------------------------------
# Rows: a prompt, and the answer to learn.


class Pair(NamedTuple):
    """The ids of a prompt, and of the answer that a model shall give to it."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]  # its last id says that the answer is over


def pair_rows(
    pairs: Sequence, *, n_ctx: int, fill: int = 0, answer_only: bool = True
) -> tuple[Int[Tensor, "pair seq"], Int[Tensor, "pair seq"]]:
    """Inputs and targets, one pair a row; the targets of the prompt do not count, unless ``answer_only=False``.

    The prompt is read all the same: the answer depends on it. Behind a pair's end, inputs are ``fill``.

    >>> inputs, targets = pair_rows([Pair((5, 6, 7), (8, 9))], n_ctx=4)
    >>> inputs.tolist(), targets.tolist()
    ([[5, 6, 7, 8]], [[-100, -100, 8, 9]])

    Raises ValueError without a pair, for an empty prompt or answer, for what is no list of ids, and for a pair that is
    longer than the context: cut off, its answer would be another one.
    """
    pairs = [_pair(number, pair) for number, pair in enumerate(pairs)]
    if not pairs:
        raise ValueError("pairs must hold at least one prompt with its answer, got none; write one")
    for number, (prompt, answer) in enumerate(pairs):
        if not (prompt and answer):
            raise ValueError(
                f"a pair must have a prompt and an answer, got {len(prompt)} and {len(answer)} tokens in pair {number} "
                "(counted from 0); write both, or leave it out"
            )
        if len(prompt) + len(answer) - 1 > n_ctx:
            raise ValueError(
                f"a prompt with its answer must fit into the context of {n_ctx} tokens, got "
                f"{len(prompt) + len(answer) - 1} in pair {number} (counted from 0); make it shorter"
            )
    longest = max(len(prompt) + len(answer) for prompt, answer in pairs)
    rows = torch.full((len(pairs), longest), fill)
    counts = torch.zeros(rows.shape, dtype=torch.bool)
    for row, count, (prompt, answer) in zip(rows, counts, pairs, strict=True):
        end = len(prompt) + len(answer)
        row[:end] = torch.tensor([*prompt, *answer])
        count[len(prompt) if answer_only else 1 : end] = True
    targets = rows.masked_fill(~counts, IGNORED)
    return rows[:, :-1].clone(), targets[:, 1:].clone()


def _pair(number: int, pair: object) -> Pair:
    """A pair of two lists of ids; ValueError for anything else."""
    try:
        prompt, answer = ([operator.index(token) for token in tokens] for tokens in pair)
    except (TypeError, ValueError):
        prompt = answer = [-1]
    if min([0, *prompt, *answer]) < 0:
        raise ValueError(
            f"a pair must be two lists of ids, whole numbers from 0, got {pair!r:.80} as pair {number} (counted from 0); "
            "a tokenizer's encode gives ids"
        )
    return Pair(tuple(prompt), tuple(answer))


def mixed_rows(
    rows: tuple[Tensor, Tensor], others: tuple[Tensor, Tensor], *, fill: int = 0
) -> tuple[Int[Tensor, "row seq"], Int[Tensor, "row seq"]]:
    """Two sets of rows as one, the second below the first, to learn from both in one run.

    Each set is its inputs and targets, both ``[row, seq]``, from `pair_rows` or ``training.story_rows``. Old texts beside
    new questions are *rehearsal* (Robins 1995): what is still practised is not forgotten. Shorter rows are filled up at
    their end with inputs ``fill``, where no target counts. ``training.train`` reads them in a mixed order.

    >>> new = pair_rows([Pair((5, 6), (7,))], n_ctx=4)
    >>> old = pair_rows([Pair((8,), (9, 5, 6))], n_ctx=4)
    >>> inputs, targets = mixed_rows(new, old)
    >>> inputs.tolist(), targets.tolist()
    ([[5, 6, 0], [8, 9, 5]], [[-100, 7, -100], [9, 5, 6]])

    Raises ValueError for inputs and targets that do not fit each other.
    """
    for inputs, targets in (rows, others):
        if inputs.ndim != 2 or inputs.shape != targets.shape:
            raise ValueError(
                f"rows must be inputs and targets, both [row, seq], got {list(inputs.shape)} and "
                f"{list(targets.shape)}; pair_rows and training.story_rows make such pairs"
            )
    longest = max(rows[0].shape[1], others[0].shape[1])

    def both(which: int, value: int) -> Tensor:
        sets = (rows[which], others[which])
        return torch.cat([F.pad(ids, (0, longest - ids.shape[1]), value=value) for ids in sets])

    return both(0, fill), both(1, IGNORED)


def question_pairs(questions: Sequence[tinytown.Question]) -> list[Pair]:
    """Tinytown's questions as pairs: the story and the question, then the answer and the end.

    >>> pair = question_pairs(tinytown.questions_about(tinytown.story(5)))[0]
    >>> tinytown.WordTokenizer().decode(pair.prompt[-5:]), tinytown.WordTokenizer().decode(pair.answer)
    ('who follows the hen ?', 'the mouse . <end>')
    """
    tokenizer = tinytown.WordTokenizer()
    return [
        Pair(
            tuple(tokenizer.encode_story(q.story + q.question)[:-1]),
            tuple(tokenizer.encode_story(q.answer)[1:]),
        )
        for q in questions
    ]


@torch.no_grad()
def exact_match(
    model: nn.Module, inputs: Int[Tensor, "pair seq"], targets: Int[Tensor, "pair seq"], batch_size: int = 256
) -> Bool[Tensor, " pair"]:
    """Which answers a model would write word for word, were each time the most probable token taken.

    One pass over the right answers tells: greedy writing gives the right answer if, and only if, the right token is
    the first choice behind every right beginning. Inputs and targets are those of `pair_rows`.

    >>> from helpers.transformer import GPTConfig
    >>> model = GPT(GPTConfig(vocab_size=9, n_ctx=4, n_layers=1, n_heads=2, d_model=8))
    >>> first_choice = model(torch.tensor([[5, 6]])).argmax(-1)[0, -1].item()
    >>> exact_match(model, *pair_rows([Pair((5, 6), (first_choice,)), Pair((5, 6), (8 - first_choice,))], n_ctx=4))
    tensor([ True, False])

    Raises ValueError without a row, and for a row without a target that counts.
    """
    if not (targets != IGNORED).any(dim=1).all() or not len(targets):
        raise ValueError(
            "every row must have a target that counts, got one without; pair_rows makes such rows"
        )
    was_training = model.training
    model.eval()
    right = [
        ((model(x.to(model.device)).argmax(-1).cpu() == y) | (y == IGNORED)).all(dim=1)
        for x, y in zip(inputs.split(batch_size), targets.split(batch_size), strict=True)
    ]
    model.train(was_training)
    return torch.cat(right)


# ---------------------------------------------------------------------------------------------
# LoRA: a change of low rank beside a matrix that stands still.


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


@dataclass(frozen=True)
class LoRAConfig:
    """What an adapter is made of; checked when it is made.

    Raises ValueError for a rank or a seed that is no whole number, an alpha that is not above 0, and unknown parts.
    """

    rank: int = 8  # numbers through which the change has to pass
    alpha: float = 16.0  # the change counts alpha / rank times
    parts: Sequence[str] = ("query", "value")  # matrices of every block that get one
    seed: int = 0  # draws the first weights

    def __post_init__(self):
        if not (_is_number(self.rank) and isinstance(self.rank, Integral) and self.rank >= 1):
            raise ValueError(f"rank must be a whole number from 1, got {self.rank!r}; 8 is usual")
        if not (_is_number(self.alpha) and 0 < self.alpha < math.inf):
            raise ValueError(f"alpha must be above 0, got {self.alpha!r}; twice the rank is usual")
        if isinstance(self.parts, list):  # as a file has it
            object.__setattr__(self, "parts", tuple(self.parts))
        known = isinstance(self.parts, tuple) and all(part in PARTS for part in self.parts)
        if not (known and self.parts and len(set(self.parts)) == len(self.parts)):
            raise ValueError(
                f"parts must be some of {', '.join(PARTS)}, each once, got {self.parts!r}; ('query', 'value') is usual"
            )
        if not (_is_number(self.seed) and isinstance(self.seed, Integral) and 0 <= self.seed < 2**63):
            raise ValueError(f"seed must be a whole number from 0, got {self.seed!r}; 0 is usual")


class LoRALinear(nn.Module):
    """A linear layer that stands still, and a small change beside it that learns.

    The change is ``up @ down``: a matrix as large as the layer's own, made of two thin ones. ``up`` begins at 0, so
    that at first nothing is different. It is kept in float32 where the layer is not: small steps would be lost in
    fewer digits. Hu et al. 2021, section 4.1, equation 3; ``down`` begins as theirs does in ``peft``.
    """

    def __init__(self, base: nn.Linear, config: LoRAConfig, generator: torch.Generator):
        super().__init__()
        outside, inside = base.weight.shape
        if config.rank > min(outside, inside):
            raise ValueError(
                f"rank must be at most {min(outside, inside)} for a matrix of {outside} x {inside}, got {config.rank}; "
                "8 is usual"
            )
        self.base = base
        device = base.weight.device
        bound = 1 / math.sqrt(inside)
        first = torch.empty(config.rank, inside).uniform_(-bound, bound, generator=generator)
        self.down = nn.Parameter(first.to(device))  # [rank, inside]
        self.up = nn.Parameter(torch.zeros(outside, config.rank, device=device))
        self.scale = config.alpha / config.rank
        self.register_buffer("strength", torch.ones((), device=device), persistent=False)

    def forward(self, x: Float[Tensor, "*batch inside"]) -> Float[Tensor, "*batch outside"]:
        y = self.base(x)
        change = linear(linear(x.to(self.down.dtype), self.down), self.up)
        return y + (self.strength * self.scale * change).to(y.dtype)

    def change(self) -> Float[Tensor, "outside inside"]:
        """What the adapter adds to the layer's matrix at its present strength.

        >>> layer = LoRALinear(nn.Linear(3, 2), LoRAConfig(rank=1, alpha=2.0), torch.Generator())
        >>> _ = layer.down.data.copy_(torch.tensor([[1.0, 0.0, -1.0]])), layer.up.data.copy_(torch.tensor([[3.0], [4.0]]))
        >>> layer.change()  # alpha / rank = 2 times
        tensor([[ 6.,  0., -6.],
                [ 8.,  0., -8.]])
        """
        return (self.strength * self.scale * self.up @ self.down).detach()


def add_lora(model: GPT, config: LoRAConfig | None = None) -> GPT:
    """Puts a new adapter on the model, in place, and freezes everything else; gives the model back.

    >>> from helpers.transformer import GPTConfig
    >>> model = GPT(GPTConfig(vocab_size=9, n_ctx=4, n_layers=3, n_heads=2, d_model=8))
    >>> n_trained(add_lora(model, LoRAConfig(rank=2, parts=("query", "up"))))  # 3 layers x 2 x (8 + 8 and 8 + 32)
    336

    Raises ValueError for a model that wears one already, a rank above a matrix, and a part that the model does not
    have; the model is as it was then.
    """
    config = config or LoRAConfig()
    if lora_layers(model):
        raise ValueError("a model can wear one adapter, got one that does already; call remove_lora first")
    return _wear(model, config, _new_layers(model, config))


def _new_layers(model: GPT, config: LoRAConfig) -> dict[str, LoRALinear]:
    """The layers of a new adapter by name, beside the model's matrices and not yet in their place."""
    generator = torch.Generator().manual_seed(int(config.seed))
    layers = {}
    for number, block in enumerate(model.blocks):
        homes = {"attention": block.attention, "mlp": block.mlp}
        names = {part: home for home in homes for part in PARTS if hasattr(homes[home], part)}
        for part in config.parts:
            if part not in names:
                raise ValueError(f"parts must be in the model, got {part!r}; this one has {', '.join(names)}")
            base = getattr(homes[names[part]], part)
            base = base.base if isinstance(base, LoRALinear) else base
            _check_linear(base)
            layers[f"blocks.{number}.{names[part]}.{part}"] = LoRALinear(base, config, generator)
    return layers


def _check_linear(base: nn.Module) -> None:
    if not isinstance(base, nn.Linear):
        raise ValueError(
            f"an adapter must stand beside a linear layer in full precision, got {type(base).__name__}; "
            "quantize a model after it"
        )


def _wear(model: GPT, config: LoRAConfig, layers: dict[str, LoRALinear]) -> GPT:
    model.requires_grad_(False)
    for name, layer in layers.items():
        _put(model, name, layer)
    model.lora = config
    return model


def _put(model: GPT, name: str, layer: nn.Module) -> None:
    home, _, part = name.rpartition(".")
    setattr(model.get_submodule(home), part, layer)


def lora_layers(model: nn.Module) -> dict[str, LoRALinear]:
    """The layers that wear an adapter, by name; none for a plain model.

    >>> from helpers.transformer import GPTConfig
    >>> model = GPT(GPTConfig(vocab_size=9, n_ctx=4, n_layers=1, n_heads=2, d_model=8))
    >>> list(lora_layers(model)), list(lora_layers(add_lora(model)))
    ([], ['blocks.0.attention.query', 'blocks.0.attention.value'])
    """
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, LoRALinear)}


def n_trained(model: nn.Module) -> int:
    """How many numbers may learn.

    >>> n_trained(nn.Linear(3, 5))  # 3 x 5, and a constant for each of 5
    20
    """
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def set_strength(model: nn.Module, strength: object) -> None:
    """Turns the adapter up or down: 0 is the base model, 1 what was trained, 2 twice the change.

    Raises ValueError for a model without an adapter, and for a strength that is not from 0 to 2.
    """
    if not (_is_number(strength) and 0 <= strength <= STRONGEST):
        raise ValueError(f"strength must be from 0 to {STRONGEST:g}, got {strength!r}; 1 is what was trained")
    for layer in _worn(model).values():
        layer.strength.fill_(strength)


def merge_lora(model: GPT) -> GPT:
    """Adds the change, at its present strength, to the weights and takes the adapter off: the same logits, no extra work.

    In place: the base model is gone. Of weights that are mapped from a file, those that change are copied into memory
    first (SmolLM2's queries and values: 53 MB); the file stays as it is. Hu et al. 2021, section 4.1.

    Raises ValueError for a model without an adapter, and for one in 8 bits, which have no room for small changes.
    """
    layers = _worn(model).values()
    for layer in layers:
        _check_linear(layer.base)
    with torch.no_grad():
        for layer in layers:
            layer.base.weight += layer.change()
    return remove_lora(model)


def remove_lora(model: GPT) -> GPT:
    """Takes the adapter off, in place: what is left is the base model, as it was, with all weights frozen.

    Raises ValueError for a model without an adapter.
    """
    for name, layer in _worn(model).items():
        _put(model, name, layer.base)
    del model.lora
    return model


def _worn(model: nn.Module) -> dict[str, LoRALinear]:
    layers = lora_layers(model)
    if not layers:
        raise ValueError(
            "the model must wear an adapter, got one without; call add_lora or put_adapter first"
        )
    return layers


# ---------------------------------------------------------------------------------------------
# Adapters as data: taken off, saved, loaded, put on.


class Adapter(NamedTuple):
    """An adapter without its model."""

    config: LoRAConfig
    weights: dict[str, Tensor]  # "blocks.0.attention.query.down" and so on
    base: Float[Tensor, " number"]  # four of every weight of the model it was trained on, to know that again


def take_adapter(model: GPT) -> Adapter:
    """A copy of the adapter that the model wears, at strength 1.

    Raises ValueError for a model without an adapter.
    """
    weights = {}
    for name, layer in _worn(model).items():
        weights |= {f"{name}.down": layer.down, f"{name}.up": layer.up}
    weights = {name: weight.detach().cpu().clone() for name, weight in weights.items()}
    return Adapter(model.lora, weights, _fingerprint(model))


def put_adapter(model: GPT, adapter: Adapter) -> GPT:
    """Puts an adapter on the model, in place of one that it wears, at strength 1; gives the model back.

    Raises ValueError for an adapter that was trained on another base or is damaged; the model is as it was then, with
    what it wore.
    """
    layers = _new_layers(model, adapter.config)
    _check_fits(adapter, layers, _fingerprint(model))
    with torch.no_grad():
        for name, layer in layers.items():
            layer.down.copy_(adapter.weights[f"{name}.down"])
            layer.up.copy_(adapter.weights[f"{name}.up"])
    if lora_layers(model):
        remove_lora(model)
    return _wear(model, adapter.config, layers)


def _fingerprint(model: GPT) -> Float[Tensor, " number"]:
    """The first four numbers of every weight, those of an adapter left out."""
    weights = [
        weight
        for module in model.modules()
        if not isinstance(module, LoRALinear)  # its base is a module of its own
        for weight in module.parameters(recurse=False)
    ]
    return torch.cat([weight.detach().flatten()[:4].float().cpu() for weight in weights])


def _check_fits(adapter: Adapter, layers: dict[str, LoRALinear], base: Float[Tensor, " number"]) -> None:
    """Raises ValueError for an adapter that is not whole, or does not belong to the base."""
    shapes = {
        f"{name}.{half}": getattr(layer, half).shape
        for name, layer in layers.items()
        for half in ("down", "up")
    }
    if adapter.weights.keys() != shapes.keys():
        odd = sorted(adapter.weights.keys() ^ shapes.keys())[0]
        raise ValueError(
            f"an adapter must be put on the base it was trained on, got one of another base, or a damaged one: {odd!r} is in "
            f"{'the model and not in the adapter' if odd in shapes else 'the adapter and not in the model'}; "
            "load that base, or train a new adapter"
        )
    wrong = [name for name, weight in adapter.weights.items() if not weight.isfinite().all()]
    if wrong:
        raise ValueError(
            f"an adapter must hold numbers, got some that are none in {wrong[0]!r}; train it again"
        )
    same = {name: weight.shape for name, weight in adapter.weights.items()} == shapes
    if not (
        same and adapter.base.shape == base.shape and torch.allclose(adapter.base, base, atol=1e-5, rtol=1e-4)
    ):
        raise ValueError(
            "an adapter must be put on the base it was trained on, got one of another base: its matrices "
            f"{'have other numbers' if same else 'have other shapes'}; load that base, or train a new adapter"
        )


def save_adapter(adapter: Adapter, path: str | os.PathLike[str], dtype: torch.dtype = torch.float32) -> None:
    """Writes an adapter with its config to one safetensors file, all or nothing.

    ``dtype=torch.float16`` makes it half as large and keeps three digits.

    Raises OSError for a full disk or a folder that is read-only or not there, and ValueError for numbers that can't be
    written in this dtype; a file that was there stays as it was then.
    """
    path = Path(path)
    if not dtype.is_floating_point:
        raise ValueError(f"dtype must be one of fractions, got {dtype}; torch.float16 makes a small file")
    tensors = {name: weight.to(dtype).contiguous() for name, weight in adapter.weights.items()}
    wrong = [name for name, weight in tensors.items() if not weight.isfinite().all()]
    if wrong:
        raise ValueError(
            f"an adapter must hold numbers that {dtype} can write, got others in {wrong[0]!r}; try torch.float32"
        )
    metadata = {"format": ADAPTER_FORMAT, "config": json.dumps(asdict(adapter.config))}
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        save_file({**tensors, "base": adapter.base}, unfinished, metadata=metadata)
        unfinished.chmod(0o644)  # safetensors lets nobody else read it
        os.replace(unfinished, path)
    except SafetensorError as error:
        raise OSError(f"an adapter must be written where there is room, got {path} ({error})") from error
    finally:
        unfinished.unlink(missing_ok=True)


def load_adapter(path: str | os.PathLike[str]) -> Adapter:
    """The adapter that `save_adapter` wrote, in float32.

    Raises ValueError for a file that is missing, cut off, damaged, or something else.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"an adapter must be a file, got {path}, which is not there; check the path")
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, Any] = file.metadata() or {}
            # Copies: what is mapped would hold on to the file, and Windows could not replace it.
            tensors = {name: file.get_tensor(name).to(torch.float32, copy=True) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(
            f"an adapter must be a whole safetensors file, got {path}, which is cut off, damaged or something else "
            f"({error}); save it again"
        ) from error
    if metadata.get("format") != ADAPTER_FORMAT:
        raise ValueError(
            f"an adapter must be one that save_adapter wrote ({ADAPTER_FORMAT}), got {path} of the format "
            f"{metadata.get('format', 'unknown')!r}; save it with save_adapter"
        )
    try:
        config = LoRAConfig(**json.loads(metadata["config"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"an adapter must hold a config that can be built, got {path} with a broken one ({error}); save it again"
        ) from error
    if "base" not in tensors:
        raise ValueError(
            f"an adapter must say what base it is for, got {path} without the numbers of its base; save it again"
        )
    base = tensors.pop("base")
    return Adapter(config, tensors, base)


# ---------------------------------------------------------------------------------------------
# Methods compared.


class Outcome(NamedTuple):
    """What one method of fine-tuning brings, and what it costs."""

    method: str
    trained: int  # numbers that learn
    accuracy: float  # share of held-out questions answered word for word
    story_loss: float  # on stories, in nats per token: what was not forgotten
    seconds: float  # of training, on this machine
    training_bytes: int  # of gradients and AdamW's two averages: three float32 for every number that learns
    file_bytes: int  # what has to be kept: the whole model, or the adapter alone


FULL = TrainingConfig(steps=140, batch_size=32, learning_rate=2e-3)
# Steps are longer for a change that begins at 0.
LORA = TrainingConfig(steps=140, batch_size=32, learning_rate=7e-3)


def try_method(
    model: GPT,
    rank: int | None,
    rows: tuple[Int[Tensor, "row seq"], Int[Tensor, "row seq"]],
    held_out: tuple[Int[Tensor, "pair held_out_seq"], Int[Tensor, "pair held_out_seq"]],
    stories: Sequence[Sequence[str]],
    config: TrainingConfig | None = None,
) -> Outcome:
    """Fine-tunes a copy of the model and measures it: all weights for rank ``None``, else an adapter of this rank.

    The adapter stands beside every matrix of the blocks and counts twice (alpha is twice the rank). ``rows`` are
    trained on, ``held_out`` are asked (both of `pair_rows`), and ``stories`` show what was forgotten. Without a
    config it is `FULL` or `LORA`. The model itself stays as it is.

    Raises ValueError as `add_lora`, `train` and `evaluate` do.
    """
    pupil = copy.deepcopy(model)
    if rank is None:
        pupil.requires_grad_(True)
    else:
        homes = (pupil.blocks[0].attention, pupil.blocks[0].mlp)
        parts = tuple(part for part in PARTS if any(hasattr(home, part) for home in homes))
        add_lora(pupil, LoRAConfig(rank=rank, alpha=2 * rank, parts=parts))
    began = time.perf_counter()
    for _ in train(pupil, *rows, config or (FULL if rank is None else LORA)):
        pass
    seconds = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kept.safetensors"
        save_model(pupil, path) if rank is None else save_adapter(take_adapter(pupil), path)
        file_bytes = path.stat().st_size
    return Outcome(
        method="all weights" if rank is None else f"LoRA, rank {rank}",
        trained=n_trained(pupil),
        accuracy=exact_match(pupil, *held_out).float().mean().item(),
        story_loss=evaluate(pupil, stories),
        seconds=seconds,
        training_bytes=3 * 4 * n_trained(pupil),
        file_bytes=file_bytes,
    )
