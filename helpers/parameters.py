"""Parameters: the numbers that a network learns, counted part by part from its sizes.

A layer in which every neuron hears every neuron before it has ``(inputs + 1) * outputs`` parameters: a weight for
each line between two neurons, and one constant, the bias, for each neuron of its own. A GPT is made of such layers,
of tables (a row of numbers for each token, and for each position) and of norms. So its number of parameters follows
from a handful of sizes, and can be checked against any file of weights.

1. Fully connected layers: ``dense_parameters``.
2. A GPT, part by part: ``Sizes``, ``gpt_parameters``, ``PUBLISHED``.
3. What a file really holds: ``file_parameters``.
4. How much memory they take: ``weight_bytes``, ``bytes_told``.

What this leaves out: mixtures of experts, encoders, and what training needs on top of the weights (gradients, the
optimiser's moments).

Sources: Vaswani et al. 2017, section 3; Radford et al. 2019, Table 2 (GPT-2); Shazeer 2020, equation 6 (SwiGLU);
Brown et al. 2020, Table 2.1 (GPT-3); Dubey et al. 2024, Table 3 (Llama 3).
"""

import itertools
import json
import math
import os
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

# The largest size of each kind, some ten times what is known to exist. All together stay far below 2 ** 53, up to
# where a browser counts exactly.
LIMITS = {
    "vocab_size": 10_000_000,
    "n_ctx": 10_000_000,
    "n_layers": 1_000,
    "n_heads": 10_000,
    "n_kv_heads": 10_000,
    "d_model": 200_000,
    "d_mlp": 1_000_000,
}
GPT2 = {
    "vocab_size": 50_257,
    "n_ctx": 1_024,
    "n_layers": 12,
    "n_heads": 12,
    "n_kv_heads": 12,
    "d_model": 768,
    "d_mlp": 3_072,
}
WIDEST = 1_000_000  # neurons in a fully connected layer
CHOICES = {
    "norm": ("layernorm", "rmsnorm"),
    "positions": ("learned", "rotary", "none"),
    "mlp": ("gelu", "swiglu"),
}
SWITCHES = ("tied", "bias")
BYTES = {"float32": 4, "float16": 2, "8-bit": 1, "4-bit": 0.5}  # that one number takes

# ---------------------------------------------------------------------------------------------
# What is accepted.


def _whole(name: str, value: Any, most: int, hint: str) -> int:
    """The value as a whole number from 1 to `most`."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not 1 <= value <= most:
        told = f"{value:,}" if whole and abs(value) < 10**18 else _told(value)
        raise ValueError(f"{name} must be a whole number from 1 to {most:,}, got {told}; {hint}")
    return int(value)


def _told(given: Any, most: int = 60) -> str:
    """What was given, on one short line."""
    if isinstance(given, int) and abs(given) >= 10**18:
        return "one of 19 digits or more"  # Python refuses to write thousands of digits
    text = " ".join(repr(given).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


# ---------------------------------------------------------------------------------------------
# Fully connected layers.


class Dense(NamedTuple):
    """The parameters of a network of fully connected layers."""

    sizes: tuple[int, ...]  # neurons in each layer, inputs first
    terms: tuple[int, ...]  # parameters of each layer but the first, which has none
    total: int

    @property
    def formula(self) -> str:
        """The count, written out.

        >>> dense_parameters([2, 3]).formula
        '(2 + 1) × 3 = 9'
        """
        pairs = itertools.pairwise(self.sizes)
        products = " + ".join(f"({before:,} + 1) × {after:,}" for before, after in pairs)
        sums = f"{' + '.join(f'{term:,}' for term in self.terms)} = " if len(self.terms) > 1 else ""
        return f"{products} = {sums}{self.total:,}"


def dense_parameters(sizes: Any) -> Dense:
    """How many parameters fully connected layers of these sizes have, layer by layer; biases count.

    `sizes` are the neurons of each layer, inputs first. Raises ValueError for fewer than two layers, and for a size
    that is no whole number from 1 to 1,000,000.

    >>> count = dense_parameters([3, 5, 4, 2])
    >>> count.terms, count.total
    ((20, 24, 10), 54)
    >>> count.formula
    '(3 + 1) × 5 + (5 + 1) × 4 + (4 + 1) × 2 = 20 + 24 + 10 = 54'
    """
    listed = isinstance(sizes, list | tuple | range) or (isinstance(sizes, np.ndarray) and sizes.ndim)
    given = list(sizes) if listed else None
    if given is None or len(given) < 2:
        raise ValueError(
            f"sizes must be a list of at least two layers, inputs and outputs, got {_told(sizes)}; "
            "[3, 5, 4, 2] has four"
        )
    names = layer_names(len(given))
    sizes = tuple(
        _whole(name, size, WIDEST, "1 is one neuron") for name, size in zip(names, given, strict=True)
    )
    terms = tuple((before + 1) * after for before, after in itertools.pairwise(sizes))
    return Dense(sizes, terms, sum(terms))


def layer_names(n_layers: int) -> list[str]:
    """What the layers of a network are called, from the first to the last.

    >>> layer_names(4)
    ['inputs', 'layer 1', 'layer 2', 'outputs']
    """
    return ["inputs", *(f"layer {number}" for number in range(1, n_layers - 1)), "outputs"]


# ---------------------------------------------------------------------------------------------
# A GPT.


@dataclass(frozen=True)
class Sizes:
    """What the number of a GPT's parameters depends on: the fields of ``transformer.GPTConfig`` that count.

    Raises ValueError for a size that is no whole number from 1 to its limit, for heads that do not divide what
    they share, and for a part that is not known.

    >>> Sizes(vocab_size=7, n_ctx=5, n_layers=1, n_heads=2, d_model=6).d_mlp
    24
    """

    vocab_size: Any  # tokens known
    n_ctx: Any  # longest text, in tokens; counts only where positions are learned
    n_layers: Any  # blocks on top of each other
    n_heads: Any  # query heads in a block; their number alone changes nothing
    d_model: Any  # width of the residual stream
    n_kv_heads: Any = None  # heads with keys and values; None: n_heads
    d_mlp: Any = None  # width inside the feed-forward network; None: 4 * d_model
    norm: str = "layernorm"  # or "rmsnorm", which has no bias
    positions: str = "learned"  # or "rotary", "none", which have no parameters
    mlp: str = "gelu"  # or "swiglu", which has a third matrix
    tied: bool = True  # the embedding table also reads the answer out
    bias: bool = True  # a constant in every linear layer and LayerNorm

    def __post_init__(self):
        # Those that the others follow from are looked at first: that is the order of LIMITS.
        usual = {"n_kv_heads": lambda: self.n_heads, "d_mlp": lambda: 4 * self.d_model}
        for name, most in LIMITS.items():
            value = getattr(self, name)
            if value is None and name in usual:
                value = usual[name]()
            # A frozen dataclass lets nobody else set its fields.
            object.__setattr__(self, name, _whole(name, value, most, f"GPT-2 has {GPT2[name]:,}"))
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(allowed)}, got {_told(getattr(self, name))}; "
                    f"{allowed[0]!r} is what GPT-2 has"
                )
        for name in SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise ValueError(
                    f"{name} must be True or False, got {_told(getattr(self, name))}; GPT-2 has True"
                )
        if self.d_model % self.n_heads:
            step = self.n_heads * (2 if self.positions == "rotary" else 1)  # pairs need room too
            raise ValueError(
                f"n_heads must divide d_model, got {self.n_heads:,} heads for {self.d_model:,} numbers; "
                f"try d_model={math.ceil(self.d_model / step) * step}"
            )
        if self.n_heads % self.n_kv_heads:
            raise ValueError(
                f"n_kv_heads must divide n_heads, got {self.n_kv_heads:,} for {self.n_heads:,} heads; "
                f"try n_kv_heads={math.gcd(self.n_heads, self.n_kv_heads)}"
            )
        if self.positions == "rotary" and self.d_head % 2:
            raise ValueError(
                f"rotary positions turn pairs of numbers, so d_model / n_heads must be even, got {self.d_model:,} / "
                f"{self.n_heads:,} = {self.d_head:,}; try positions='learned'"
            )

    @property
    def d_head(self) -> int:
        """Numbers in one head's query, key or value."""
        return self.d_model // self.n_heads


class Part(NamedTuple):
    """One part of a GPT and its parameters."""

    name: str
    formula: str  # with the names of the sizes: "vocab_size × d_model"
    numbers: str  # with the sizes: "7 × 6"; empty where there is nothing to count
    count: int


class Count(NamedTuple):
    """The parameters of a GPT, part by part."""

    parts: tuple[Part, ...]
    total: int

    def share(self, name: str) -> float:
        """What part of the total is in the part `name`, from 0 to 1.

        >>> round(gpt_parameters(PUBLISHED["SmolLM2"].sizes).share("embedding"), 4)
        0.2105
        """
        for part in self.parts:
            if part.name == name:
                return part.count / self.total
        names = ", ".join(part.name for part in self.parts)
        raise ValueError(f"a part must be one of {names}, got {_told(name)}; take the first")


def gpt_parameters(config: Any) -> Count:
    """How many parameters a GPT of these sizes has, part by part; biases count with the part they belong to.

    `config` is a ``transformer.GPTConfig``, a `Sizes`, or anything else with their fields. The total is what
    ``GPT(config).n_params`` says, without building the model. Raises ValueError as `Sizes` does.

    >>> count = gpt_parameters(Sizes(vocab_size=7, n_ctx=5, n_layers=1, n_heads=2, d_model=6, bias=False))
    >>> [(part.name, part.numbers, part.count) for part in count.parts[:3]]
    [('embedding', '7 × 6', 42), ('positions', '5 × 6', 30), ('queries', '1 × 6 × 6', 36)]
    >>> count.total  # 42 + 30, four times 36, 2 * 6 * 24 in the feed-forward part, three norms of 6
    522
    """
    sizes = sizes_of(config)
    values = {name: getattr(sizes, name) for name in (*LIMITS, "d_head")}
    written = formulas(sizes)
    parts = []
    for name, count in _counts(sizes).items():
        numbers = re.sub(r"[a-z]\w+", lambda found: f"{values[found[0]]:,}", written[name]) if count else ""
        parts.append(Part(name, written[name], numbers, count))
    return Count(tuple(parts), sum(part.count for part in parts))


def _counts(sizes: Sizes) -> dict[str, int]:
    """The parameters of each part, in the order of the way through the model."""
    layers, d_model = sizes.n_layers, sizes.d_model
    d_kv = sizes.n_kv_heads * sizes.d_head  # keys and values are shared by groups of query heads
    table = sizes.vocab_size * d_model

    def matrix(inputs: int, outputs: int) -> int:
        return (inputs + sizes.bias) * outputs

    into, back = matrix(d_model, sizes.d_mlp), matrix(sizes.d_mlp, d_model)
    matrices_in = 2 if sizes.mlp == "swiglu" else 1  # swiglu multiplies two, "gate" and "up"
    per_norm = 2 if sizes.norm == "layernorm" and sizes.bias else 1
    return {
        "embedding": table,
        "positions": sizes.n_ctx * d_model if sizes.positions == "learned" else 0,
        "queries": layers * matrix(d_model, d_model),
        "keys": layers * matrix(d_model, d_kv),
        "values": layers * matrix(d_model, d_kv),
        "attention output": layers * matrix(d_model, d_model),
        "feed-forward": layers * (matrices_in * into + back),
        "norms": (2 * layers + 1) * per_norm * d_model,  # before attention, before feed-forward, and the last
        "unembedding": 0 if sizes.tied else table,
    }


def formulas(sizes: Sizes) -> dict[str, str]:
    """The formula of each part, with the names of the sizes; a few words where there is nothing to count.

    >>> formulas(PUBLISHED["GPT-2"].sizes)["queries"]
    'n_layers × (d_model + 1) × d_model'
    """
    one = " + 1" if sizes.bias else ""

    def matrix(inputs: str, outputs: str) -> str:
        return f"({inputs}{one}) × {outputs}" if one else f"{inputs} × {outputs}"

    back = matrix("d_mlp", "d_model")
    into = matrix("d_model", "d_mlp")
    keys = f"n_layers × {matrix('d_model', 'n_kv_heads × d_head')}"
    square = f"n_layers × {matrix('d_model', 'd_model')}"
    scales = "2 × " if sizes.norm == "layernorm" and sizes.bias else ""  # a norm's weights and its biases
    table = "vocab_size × d_model"
    return {
        "embedding": table,
        "positions": {
            "learned": "n_ctx × d_model",
            "rotary": "none: rotary positions are worked out",
            "none": "none: no positions",
        }[sizes.positions],
        "queries": square,
        "keys": keys,
        "values": keys,
        "attention output": square,
        "feed-forward": f"n_layers × ({'2 × ' if sizes.mlp == 'swiglu' else ''}{into} + {back})",
        "norms": f"(2 × n_layers + 1) × {scales}d_model",
        "unembedding": "none: the embedding table once more" if sizes.tied else table,
    }


def sizes_of(config: Any) -> Sizes:
    """The `Sizes` in a ``transformer.GPTConfig``, or in any other object that has them; ValueError for one without.

    >>> sizes_of(PUBLISHED["GPT-3"].sizes).d_head
    128
    """
    if isinstance(config, Sizes):
        return config
    names = [field.name for field in fields(Sizes)]
    missing = [name for name in names if not hasattr(config, name)]
    if missing:
        raise ValueError(
            f"config must have the sizes of a GPT, got {_told(config)} without {missing[0]}; take a GPTConfig or a Sizes"
        )
    return Sizes(**{name: getattr(config, name) for name in names})


class Published(NamedTuple):
    """A model whose sizes are known."""

    sizes: Sizes
    published: int  # parameters, as published
    year: int
    source: str  # of the sizes and of the number


def _gpt2(n_layers: int, n_heads: int, d_model: int, n_ctx: int = 1024) -> Sizes:
    return Sizes(vocab_size=50_257, n_ctx=n_ctx, n_layers=n_layers, n_heads=n_heads, d_model=d_model)


def _llama(vocab_size: int, n_ctx: int, n_layers: int, d_model: int, n_heads: int, n_kv_heads: int, d_mlp: int,
           tied: bool) -> Sizes:  # fmt: skip
    return Sizes(
        vocab_size, n_ctx, n_layers, n_heads, d_model, n_kv_heads, d_mlp,
        norm="rmsnorm", positions="rotary", mlp="swiglu", tied=tied, bias=False,
    )  # fmt: skip


PUBLISHED = {
    "Tinytown GPT": Published(
        Sizes(vocab_size=162, n_ctx=64, n_layers=2, n_heads=4, d_model=64, bias=False),
        113_088, 2026, "this course: helpers/weights/tinytown.safetensors",
    ),
    "GPT-2": Published(
        _gpt2(12, 12, 768), 124_439_808, 2019, "Radford et al. 2019, Table 2; the released checkpoint (the paper says 117M)",
    ),
    "SmolLM2": Published(
        _llama(49_152, 8_192, 30, 576, 9, 3, 1_536, tied=True),
        134_515_008, 2025, "Ben Allal et al. 2025; the released file of SmolLM2-135M",
    ),
    "GPT-2 XL": Published(
        _gpt2(48, 25, 1_600), 1_557_611_200, 2019, "Radford et al. 2019, Table 2; the released checkpoint (the paper says 1542M)",
    ),
    "Llama 3 8B": Published(
        _llama(128_256, 8_192, 32, 4_096, 32, 8, 14_336, tied=False),
        8_030_261_248, 2024, "Dubey et al. 2024, Table 3; the released checkpoint",
    ),
    "GPT-3": Published(
        _gpt2(96, 96, 12_288, 2_048), 175_000_000_000, 2020, "Brown et al. 2020, Table 2.1 (175.0B; the weights are not public)",
    ),
}  # fmt: skip
"""Models from small to large, by name. All but GPT-3 have exactly as many parameters as their sizes say; GPT-3's sizes
give 0.2 % less than the paper's rounded number, and its weights can't be counted."""


# ---------------------------------------------------------------------------------------------
# Files.

_IN_FILE = {
    r"embedding\.": "embedding",
    r"position_embedding\.": "positions",
    r"blocks\.\d+\.attention\.query\.": "queries",
    r"blocks\.\d+\.attention\.key\.": "keys",
    r"blocks\.\d+\.attention\.value\.": "values",
    r"blocks\.\d+\.attention\.output\.": "attention output",
    r"blocks\.\d+\.mlp\.": "feed-forward",
    r"(blocks\.\d+\.)?\w*norm\.": "norms",
    r"unembedding\.": "unembedding",
}


def file_parameters(path: str | os.PathLike[str]) -> dict[str, int]:
    """How many numbers a file of ``transformer.save_model`` holds, part by part.

    Reads the head of the file alone, where the shapes stand: a few kilobytes, whatever the model's size. Raises
    FileNotFoundError for a file that is not there and ValueError for one that holds something else.

    >>> sum(file_parameters(Path(__file__).parent / "weights" / "tinytown.safetensors").values())
    113088
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"weights must be read from a file, got {path}, which is not there; check the path"
        )
    counts = dict.fromkeys(_IN_FILE.values(), 0)
    for name, shape in _shapes(path).items():
        part = next((part for pattern, part in _IN_FILE.items() if re.match(pattern, name)), None)
        if part is None:
            raise ValueError(
                f"a file's weights must have the names that save_model gives them, got {name!r} in {path}; "
                "save the model with save_model"
            )
        counts[part] += math.prod(shape)
    return counts


def _shapes(path: Path) -> dict[str, list[int]]:
    """The shape of each array in a safetensors file: 8 bytes say how long the JSON behind them is."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            # A file of something else gives any number here, and asking for so much memory would fail.
            head = json.loads(file.read(length)) if 2 <= length <= path.stat().st_size - 8 else None
        return {name: about["shape"] for name, about in head.items() if name != "__metadata__"}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"a model file must be whole safetensors, got {path}, which is damaged or holds something else; "
            "fetch or save it again"
        ) from error


# ---------------------------------------------------------------------------------------------
# Memory.


def weight_bytes(n_params: Any) -> dict[str, int]:
    """How many bytes the weights take in each of the usual formats, the plain numbers alone.

    Files with 8 or 4 bits hold a little more: a scale for every few dozen numbers. Raises ValueError for a number of
    parameters that is no whole number of 1 or more.

    >>> weight_bytes(134_515_008)
    {'float32': 538060032, 'float16': 269030016, '8-bit': 134515008, '4-bit': 67257504}
    """
    n_params = _whole("n_params", n_params, 2**53, "count them with gpt_parameters")
    return {name: math.ceil(n_params * size) for name, size in BYTES.items()}


def bytes_told(n_bytes: int) -> str:
    """Bytes as a reader says them, in units of 1,000, with three digits.

    >>> [bytes_told(n) for n in (54, 452_352, 67_257_504, 538_060_032, 698_417_037_312)]
    ['54 bytes', '452 kB', '67.3 MB', '538 MB', '698 GB']
    """
    if n_bytes < 1000:
        return f"{n_bytes} byte{'' if n_bytes == 1 else 's'}"
    # 999.5 kB rounds to 1,000 kB, so it is 1 MB already.
    power = next((power for power in range(1, 6) if n_bytes < 999.5 * 1000**power), 6)
    return f"{float(f'{n_bytes / 1000**power:.3g}'):g} {('kB', 'MB', 'GB', 'TB', 'PB', 'EB')[power - 1]}"
