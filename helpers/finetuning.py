"""Fine-tuning: a model that can do one thing already learns another, from few examples.

The loop is that of ``helpers.training``. New are the rows it reads (a prompt, and an answer that alone counts) and
what may move: all weights, or a small change beside a few of them while the rest stand still (LoRA). Such a change
is an *adapter*: it can be saved in a small file, put on and taken off, turned up and down, and merged into the weights.

Sources: Hu et al. (2021, arXiv:2106.09685), section 4, for LoRA; Kirkpatrick et al. (2017, arXiv:1612.00796), section 1,
for forgetting; Robins (1995), "Catastrophic forgetting, rehearsal and pseudorehearsal", for its oldest cure.
"""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from helpers import tinytown
from helpers.training import IGNORED
from helpers.transformer import GPT, linear

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

    Raises ValueError without a pair, for an empty prompt or answer, and for a pair that is longer than the context:
    cut off, its answer would be another one.
    """
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
    """
    right = [
        ((model(x.to(model.device)).argmax(-1).cpu() == y) | (y == IGNORED)).all(dim=1)
        for x, y in zip(inputs.split(batch_size), targets.split(batch_size), strict=True)
    ]
    return torch.cat(right)


# ---------------------------------------------------------------------------------------------
# LoRA: a change of low rank beside a matrix that stands still.


@dataclass(frozen=True)
class LoRAConfig:
    """What an adapter is made of; checked when it is made."""

    rank: int = 8  # numbers through which the change has to pass
    alpha: float = 16.0  # the change counts alpha / rank times
    parts: tuple[str, ...] = ("query", "value")  # matrices of every block that get one
    seed: int = 0  # draws the first weights

    def __post_init__(self):
        if not (isinstance(self.rank, Integral) and not isinstance(self.rank, bool) and self.rank >= 1):
            raise ValueError(f"rank must be a whole number from 1, got {self.rank!r}; 8 is usual")
        if not (isinstance(self.alpha, Real) and 0 < self.alpha < math.inf):
            raise ValueError(f"alpha must be above 0, got {self.alpha!r}; twice the rank is usual")
        object.__setattr__(self, "parts", tuple(self.parts))  # a file knows lists only
        unknown = [part for part in self.parts if part not in PARTS]
        if unknown or not self.parts or len(set(self.parts)) < len(self.parts):
            raise ValueError(
                f"parts must be some of {', '.join(PARTS)}, each once, got {self.parts!r}; ('query', 'value') is usual"
            )
        if not (isinstance(self.seed, Integral) and 0 <= self.seed < 2**63):
            raise ValueError(f"seed must be a whole number from 0, got {self.seed!r}; 0 is usual")


class LoRALinear(nn.Module):
    """A linear layer that stands still, and a small change beside it that learns.

    The change is ``up @ down``: a matrix as large as the layer's own, made of two thin ones. ``up`` begins at 0, so
    that at first nothing is different.
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
        self.down = nn.Parameter(first.to(device))
        self.up = nn.Parameter(torch.zeros(outside, config.rank, device=device))
        self.scale = config.alpha / config.rank
        self.register_buffer("strength", torch.ones((), device=device), persistent=False)

    def forward(self, x: Float[Tensor, "*batch inside"]) -> Float[Tensor, "*batch outside"]:
        change = linear(linear(x, self.down), self.up)
        return self.base(x) + self.strength * self.scale * change

    def change(self) -> Float[Tensor, "outside inside"]:
        """What the adapter adds to the layer's matrix at its present strength."""
        return (self.strength * self.scale * self.up @ self.down).detach()


def add_lora(model: GPT, config: LoRAConfig | None = None) -> GPT:
    """Puts a new adapter on the model, in place, and freezes everything else; gives the model back.

    Raises ValueError for a model that wears one already, a rank above the matrix, and a part it does not have.
    """
    config = config or LoRAConfig()
    if lora_layers(model):
        raise ValueError("a model can wear one adapter, got one that does already; call remove_lora first")
    generator = torch.Generator().manual_seed(int(config.seed))
    new = {}
    for layer, block in enumerate(model.blocks):
        homes = {part: home for home in (block.attention, block.mlp) for part in PARTS if hasattr(home, part)}
        missing = [part for part in config.parts if part not in homes]
        if missing:
            raise ValueError(
                f"parts must be in the model, got {missing[0]!r}; this one has {', '.join(homes)}"
            )
        for part in config.parts:
            new[layer, part] = (
                homes[part],
                LoRALinear(getattr(homes[part], part), config, generator),
            )
    model.requires_grad_(False)
    for (_, part), (home, wrapped) in new.items():
        setattr(home, part, wrapped)
    model.lora = config
    return model


def lora_layers(model: nn.Module) -> dict[str, LoRALinear]:
    """The layers that wear an adapter, by name; none for a plain model."""
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, LoRALinear)}


def n_trained(model: nn.Module) -> int:
    """How many numbers may learn."""
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def set_strength(model: nn.Module, strength: float) -> None:
    """Turns the adapter up or down: 0 is the base model, 1 what was trained, 2 twice the change.

    Raises ValueError for a model without an adapter, and for a strength that is not from 0 to 2.
    """
    if not (isinstance(strength, Real) and not isinstance(strength, bool) and 0 <= strength <= STRONGEST):
        raise ValueError(f"strength must be from 0 to {STRONGEST:g}, got {strength!r}; 1 is what was trained")
    for layer in _worn(model).values():
        layer.strength.fill_(strength)


def merge_lora(model: GPT) -> GPT:
    """Adds the adapter's change to the weights, in place, and takes the adapter off: the same logits, no extra work.

    Raises ValueError for a model without an adapter.
    """
    with torch.no_grad():
        for layer in _worn(model).values():
            layer.base.weight += layer.change()
    return remove_lora(model)


def remove_lora(model: GPT) -> GPT:
    """Takes the adapter off, in place: what is left is the base model, as it was.

    Raises ValueError for a model without an adapter.
    """
    for name, layer in _worn(model).items():
        home, _, part = name.rpartition(".")
        setattr(model.get_submodule(home), part, layer.base)
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
    base: Tensor  # a few numbers of the matrices it was trained beside, to know them again


def take_adapter(model: GPT) -> Adapter:
    """A copy of the adapter that the model wears, at strength 1.

    Raises ValueError for a model without an adapter.
    """
    layers = _worn(model)
    weights = {}
    for name, layer in layers.items():
        weights |= {f"{name}.down": layer.down, f"{name}.up": layer.up}
    weights = {name: weight.detach().cpu().clone() for name, weight in weights.items()}
    return Adapter(model.lora, weights, _look(layers))


def put_adapter(model: GPT, adapter: Adapter) -> GPT:
    """Puts an adapter on the model, in place of one that it wears, at strength 1; gives the model back.

    Raises ValueError for an adapter that was trained on another base, and leaves the model as it was.
    """
    before = take_adapter(model) if lora_layers(model) else None
    if before:
        remove_lora(model)
    try:
        add_lora(model, adapter.config)
        layers = lora_layers(model)
        _check_base(adapter, layers)
    except ValueError:
        if lora_layers(model):
            remove_lora(model)
        if before:
            put_adapter(model, before)
        raise
    with torch.no_grad():
        for name, layer in layers.items():
            layer.down.copy_(adapter.weights[f"{name}.down"])
            layer.up.copy_(adapter.weights[f"{name}.up"])
    return model


def _look(layers: dict[str, LoRALinear]) -> Float[Tensor, "layer 4"]:
    """The first four numbers of each matrix below an adapter."""
    return torch.stack([layer.base.weight.detach()[0, :4].float().cpu() for layer in layers.values()])


def _check_base(adapter: Adapter, layers: dict[str, LoRALinear]) -> None:
    shapes = {f"{name}.down": layer.down.shape for name, layer in layers.items()}
    shapes |= {f"{name}.up": layer.up.shape for name, layer in layers.items()}
    same = {name: weight.shape for name, weight in adapter.weights.items()} == shapes
    base = _look(layers)
    if not (
        same and adapter.base.shape == base.shape and torch.allclose(adapter.base, base, atol=1e-5, rtol=1e-4)
    ):
        raise ValueError(
            "an adapter must be put on the base it was trained on, got one of another base: its matrices "
            f"{'have other numbers' if same else 'have other shapes'}; load that base, or train a new adapter"
        )


def save_adapter(adapter: Adapter, path: str | os.PathLike[str], dtype: torch.dtype = torch.float32) -> None:
    """Writes an adapter with its config to one safetensors file, all or nothing.

    ``dtype=torch.float16`` makes it half as large and keeps three digits. Raises OSError for a full disk or a folder that is
    read-only or not there.
    """
    path = Path(path)
    tensors = {name: weight.to(dtype).contiguous() for name, weight in adapter.weights.items()}
    metadata = {"format": ADAPTER_FORMAT, "config": json.dumps(asdict(adapter.config))}
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        save_file({**tensors, "base": adapter.base}, unfinished, metadata=metadata)
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
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(
            f"an adapter must be a whole safetensors file, got {path}, which is cut off, damaged or something else "
            f"({error}); save it again"
        ) from error
    if metadata.get("format") != ADAPTER_FORMAT or "base" not in tensors:
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
    base = tensors.pop("base")
    return Adapter(config, tensors, base)
