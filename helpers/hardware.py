"""Hardware: why a language model wants a GPU, counted in operations and bytes and timed on this machine.

Nearly all that a model does is multiply matrices. A processor can be too slow at that in two ways: its arithmetic
takes too long, or the numbers don't arrive from memory in time. Whichever takes longer sets the pace. Writing a text
token by token reads every weight from memory for two operations each, and waits for memory. Reading a prompt and
training use each weight for many tokens at once, and wait for arithmetic.

1. One matrix product in several ways: ``multiply_in_python``, ``time_ways``, ``threads``.
2. What a machine can do at most: ``peak``, ``bandwidth``, ``this_machine``, ``MACHINES``.
3. What a model asks for: ``operations_per_token``, ``bytes_per_token``, and the ``Work`` of writing, reading a prompt
   and training.
4. What the machine allows the model: ``limits``.
5. What the model reaches: ``measure_generation``, ``measure_prompt``, ``measure_training``.

An operation is a multiplication or an addition, each counted as one. Only matrix products are counted: norms, rotations
and activations come to less than a hundredth of them in SmolLM2.

What this leaves out: caches (a model of a few megabytes, such as Tinytown's, stays in them and is not read from memory
again), the activations that go through memory too, the optimizer, and the way between several machines.

Sources: Kaplan et al. 2020, "Scaling Laws for Neural Language Models", section 2.1 and table 1 (operations for a
token; training costs three times the forward pass); Williams, Waterman and Patterson 2009, "Roofline: An Insightful
Visual Performance Model for Multicore Architectures" (``limits`` and the ridge); Pope et al. 2022, "Efficiently Scaling
Transformer Inference", section 2 (what writing and reading cost).
"""

import math
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral, Real
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Int
from threadpoolctl import threadpool_limits
from torch import Tensor

from helpers.transformer import GPT, GPTConfig

Count = int | float  # of whole things; a fraction is let in so that it can be refused in a sentence
Rows = Sequence[Sequence[float]]  # a matrix in plain Python

LARGEST_IN_PYTHON = 300  # rows of a matrix for the loops: about two seconds
LARGEST = 8192  # rows of a matrix for the others: three of them fill 800 MB
MOST_MEGABYTES = 1024


# ---------------------------------------------------------------------------------------------
# What is accepted.


def _whole(name: str, value: Count, hint: str, most: float = math.inf) -> int:
    """The value, if it is a whole number from 1 to ``most``."""
    if isinstance(value, bool) or not (isinstance(value, Integral) and 1 <= value <= most):
        allowed = "of 1 or more" if most == math.inf else f"from 1 to {most:,}"
        raise ValueError(f"{name} must be a whole number {allowed}, got {value!r}; {hint}")
    return int(value)


def _seconds(value: float) -> float:
    """A time to spend on measuring."""
    if isinstance(value, bool) or not (isinstance(value, Real) and 0 < value <= 60):
        raise ValueError(f"seconds must be above 0 and at most 60, got {value!r}; 0.5 is enough for most")
    return value


def _matrix(name: str, rows: Rows) -> None:
    """Refuses what is not rows of numbers of one length, at least one."""
    if (
        not isinstance(rows, list | tuple)
        or not rows
        or not all(isinstance(row, list | tuple) for row in rows)
    ):
        raise ValueError(
            f"{name} must be a list of rows, each a list of numbers, got {type(rows).__name__}; "
            "an array's .tolist() gives one"
        )
    widths = {len(row) for row in rows}
    if len(widths) > 1 or 0 in widths:
        raise ValueError(
            f"{name} must have rows of one length from 1, got lengths {sorted(widths)}; fill them up"
        )
    for row in rows:
        for number in row:
            if not isinstance(number, Real) or not math.isfinite(number):
                raise ValueError(
                    f"{name} must hold finite numbers, got {number!r}; look for NaN, infinity and text"
                )


def _gpt_config(config: GPTConfig) -> None:
    if not isinstance(config, GPTConfig):
        raise ValueError(
            f"config must be a GPTConfig, got {type(config).__name__}; a model has it as model.config"
        )


def _length(config: GPTConfig, name: str, n: Count) -> int:
    """A number of tokens that the model can read."""
    _gpt_config(config)
    return _whole(name, n, "a longer text needs a model with a larger n_ctx", most=config.n_ctx)


# ---------------------------------------------------------------------------------------------
# 1. One matrix product in several ways.


class Way(NamedTuple):
    """One way to multiply two matrices of ``n`` rows and ``n`` columns, and how long it takes."""

    n: int
    seconds: float  # the median of several runs

    @property
    def operations_per_second(self) -> float:
        """Each of ``n * n`` numbers takes ``n`` products and as many sums: ``2 n**3`` operations in all.

        >>> Way(n=10, seconds=0.5).operations_per_second  # 2,000 in half a second
        4000.0
        """
        return 2 * self.n**3 / self.seconds

    def faster_than(self, other: "Way") -> float:
        """How many times as many operations a second; the two need not have the same ``n``.

        >>> Way(n=10, seconds=0.5).faster_than(Way(n=5, seconds=0.5))  # 2,000 operations against 250
        8.0
        """
        return self.operations_per_second / other.operations_per_second


def multiply_in_python(a: Rows, b: Rows) -> list[list[float]]:
    """The matrix product of two lists of rows, one multiplication after the other.

    >>> multiply_in_python([[1, 2], [3, 4]], [[5, 6], [7, 8]])  # 1 * 5 + 2 * 7 = 19
    [[19, 22], [43, 50]]

    Raises ValueError for anything but rows of finite numbers, and where ``a`` has not a column for each row of ``b``.
    """
    _matrix("a", a)
    _matrix("b", b)
    if len(a[0]) != len(b):
        raise ValueError(
            f"a must have a column for each row of b, got {len(a[0])} columns and {len(b)} rows; swap or turn one"
        )
    product = []
    for row in a:
        numbers = []
        for column in range(len(b[0])):
            total = 0
            for k in range(len(b)):
                total += row[k] * b[k][column]
            numbers.append(total)
        product.append(numbers)
    return product


def cores() -> int:
    """How many processor cores this program may use, at least 1.

    A machine that is lent by the share (Binder) shows all cores of its host.
    """
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def threads(n_threads: Count) -> Iterator[None]:
    """Inside ``with threads(n):``, torch and NumPy multiply on so many threads; afterwards all is as it was.

    Apple's own library, which both use there, can't be told and takes what it likes.

    >>> before = torch.get_num_threads()
    >>> with threads(1):
    ...     torch.get_num_threads()
    1
    >>> torch.get_num_threads() == before
    True

    Raises ValueError for anything but a whole number from 1 to the cores that there are.
    """
    n_threads = _whole("n_threads", n_threads, "a thread needs a core to run on", most=cores())
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        with threadpool_limits(n_threads, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)


def time_ways(
    n: Count = 512, *, n_python: Count = 64, n_accelerator: Count = 2048, seconds: float = 0.3, seed: int = 0
) -> dict[str, Way]:
    """The same matrix product timed in each way that this machine has, by name, slowest kind first.

    Always there are "Python loops", "NumPy" and "torch", each on one thread; with a second core there is "torch, 2
    threads", and with an accelerator that torch can use "torch on cuda" (or mps, xpu). All multiply random numbers
    in float32, the loops Python's own numbers. The loops get matrices of ``n_python`` rows and columns and an
    accelerator ``n_accelerator``, or one would take minutes and the other no time at all: compare operations per
    second. Each way runs for about ``seconds``, the first run to warm up.

    >>> ways = time_ways(seconds=0.05)
    >>> list(ways)[:3], ways["Python loops"].n, ways["NumPy"].n
    (['Python loops', 'NumPy', 'torch'], 64, 512)
    >>> ways["NumPy"].faster_than(ways["Python loops"]) > 100
    True

    Raises ValueError for sizes that are no whole numbers from 1 or too large, and a time not above 0.
    """
    n = _whole("n", n, "try 512", LARGEST)
    n_python = _whole("n_python", n_python, "try 64", LARGEST_IN_PYTHON)
    n_accelerator = _whole("n_accelerator", n_accelerator, "try 2048", LARGEST)
    seconds = _seconds(seconds)

    a, b = _random_matrices(n, seed)
    few_a, few_b = (matrix.tolist() for matrix in _random_matrices(n_python, seed))
    numpy_a, numpy_b = a.numpy(), b.numpy()
    with threads(1):
        ways = {
            "Python loops": Way(n_python, _median(lambda: multiply_in_python(few_a, few_b), seconds)),
            "NumPy": Way(n, _median(lambda: numpy_a @ numpy_b, seconds)),
            "torch": Way(n, _median(lambda: a @ b, seconds)),
        }
    if cores() >= 2:
        with threads(2):
            ways["torch, 2 threads"] = Way(n, _median(lambda: a @ b, seconds))
    if torch.accelerator.is_available():
        device = torch.accelerator.current_accelerator()
        try:
            ways[f"torch on {device.type}"] = Way(n_accelerator, _on(device, n_accelerator, seconds, seed))
        except RuntimeError as error:
            # Too old for this torch, or its memory is full: the lesson goes on without it.
            reason = str(error).partition("\n")[0]
            warnings.warn(f"this machine's {device.type} can't be timed: {reason}", stacklevel=2)
    return ways


def _random_matrices(n: int, seed: int, device: torch.device | str = "cpu") -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, n, generator=generator).to(device) for _ in range(2)]


def _on(device: torch.device, n: int, seconds: float, seed: int) -> float:
    a, b = _random_matrices(n, seed, device)

    def multiply():
        product = a @ b
        torch.accelerator.synchronize()  # the product was only asked for: now it is there
        return product

    return _median(multiply, seconds)


def _repeat(function: Callable[[], object], seconds: float) -> list[float]:
    """Seconds of each run, as many as fit into the time; a first one warms up, unless it takes all the time alone."""
    began, taken = time.perf_counter(), []
    while not taken or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        function()
        taken.append(time.perf_counter() - start)
    return taken[1:] or taken


def _median(function: Callable[[], object], seconds: float) -> float:
    return statistics.median(_repeat(function, seconds))


# ---------------------------------------------------------------------------------------------
# 2. What a machine can do at most.


@dataclass(frozen=True)
class Machine:
    """What a processor can do at most; its ``ridge`` says what work it suits.

    >>> Machine("a slow one", operations_per_second=60.0, bytes_per_second=20.0).ridge
    3.0
    """

    name: str
    operations_per_second: float
    bytes_per_second: float  # read from memory

    def __post_init__(self):
        for name in ("operations_per_second", "bytes_per_second"):
            value = getattr(self, name)
            if not (isinstance(value, Real) and 0 < value < math.inf):
                raise ValueError(
                    f"{name} must be above 0 and finite, got {value!r}; this_machine() measures it"
                )

    @property
    def ridge(self) -> float:
        """Operations a byte at which arithmetic and memory take the same time: with fewer, memory is what one waits for."""
        return self.operations_per_second / self.bytes_per_second


# Published peaks for bfloat16, 2 bytes a number, without the doubling for matrices that are half zeros. NVIDIA A100 80GB
# SXM: data sheet of June 2021. NVIDIA H100 SXM: data sheet of 2023 (1,979 TFLOPS with sparsity: half of it without).
MACHINES = (
    Machine("NVIDIA A100", operations_per_second=312e12, bytes_per_second=2039e9),
    Machine("NVIDIA H100", operations_per_second=989e12, bytes_per_second=3350e9),
)


def peak(n_threads: Count = 1, *, seconds: float = 0.5) -> float:
    """The most operations per second that this machine reaches: torch's product of two 512 x 512 matrices in float32.

    The best of many short runs counts: whatever else the machine does can only slow one down, and seldom all.

    Raises ValueError for more threads than cores, and a time not above 0.
    """
    n, seconds = 512, _seconds(seconds)
    a, b = _random_matrices(n, seed=0)
    with threads(n_threads):
        return 2 * n**3 / min(_repeat(lambda: a @ b, seconds))


def bandwidth(n_threads: Count = 1, *, megabytes: Count = 256, seconds: float = 0.5) -> float:
    """The most bytes per second that this machine reads from memory: it adds up an array too long for any cache.

    The best of several runs counts.

    Raises ValueError for more threads than cores, more than 1,024 megabytes, and a time not above 0.
    """
    megabytes = _whole("megabytes", megabytes, "256 is more than a cache holds", MOST_MEGABYTES)
    seconds = _seconds(seconds)
    with threads(n_threads):
        numbers = torch.ones(megabytes * 1_000_000 // 4)
        return numbers.nbytes / min(_repeat(numbers.sum, seconds))


def this_machine(n_threads: Count = 1, *, seconds: float = 1.0) -> Machine:
    """``peak`` and ``bandwidth`` of the machine this runs on, half of the time for each.

    Raises ValueError for more threads than cores, and a time not above 0.
    """
    name = f"this machine, {n_threads} thread{'s' if n_threads != 1 else ''}"
    half = _seconds(seconds) / 2
    return Machine(name, peak(n_threads, seconds=half), bandwidth(n_threads, seconds=half))


# ---------------------------------------------------------------------------------------------
# 3. What a model asks for.


class Operations(NamedTuple):
    """Multiplications and additions for one token on its way through a model, by part."""

    projections: int  # the matrices of queries, keys, values and outputs
    looking: int  # scores, and means of the values: grows with the tokens to be seen
    feed_forward: int
    unembedding: int  # the logits of all tokens of the vocabulary

    @property
    def total(self) -> int:
        return sum(self)


class Bytes(NamedTuple):
    """What is read from memory to write one token."""

    weights: int
    cache: int  # keys and values of the tokens before, and its own

    @property
    def total(self) -> int:
        return sum(self)


class Work(NamedTuple):
    """What a task asks of a machine: at least so many bytes from or to memory, and so many operations."""

    tokens: int
    operations: int
    bytes: int

    @property
    def intensity(self) -> float:
        """Operations for each byte; to be held against ``Machine.ridge``."""
        return self.operations / self.bytes


def operations_per_token(config: GPTConfig, n_context: Count) -> Operations:
    """Operations for one token that sees ``n_context`` positions, its own included, forward only.

    A weight in a matrix costs two, a product and a sum. Each position that is seen costs ``4 * d_model`` in each
    layer: half for the scores of all heads, half for their means. Here the four matrices have 2 * 2 numbers each, the
    two of the feed-forward network 2 * 3, and the last one 2 * 5:

    >>> config = GPTConfig(vocab_size=5, n_ctx=8, n_layers=1, n_heads=1, d_model=2, d_mlp=3)
    >>> operations_per_token(config, 3)
    Operations(projections=32, looking=24, feed_forward=24, unembedding=20)
    >>> operations_per_token(config, 3).total
    100

    Without ``looking`` this is close to twice the number of parameters, Kaplan's ``2 N``. Training costs three times
    as much: the way back has two products for each one of the way there.

    Raises ValueError for anything but a GPTConfig and a context from 1 to its ``n_ctx``. Kaplan et al. 2020, table 1.
    """
    n_context = _length(config, "n_context", n_context)
    d_kv = config.kv_heads * config.d_head
    n_matrices = 3 if config.mlp == "swiglu" else 2
    return Operations(
        projections=2 * config.n_layers * config.d_model * (2 * config.d_model + 2 * d_kv),
        looking=4 * config.n_layers * config.d_model * n_context,
        feed_forward=2 * config.n_layers * n_matrices * config.d_model * config.mlp_width,
        unembedding=2 * config.d_model * config.vocab_size,
    )


def bytes_per_token(config: GPTConfig, n_context: Count, *, bytes_per_number: Count = 4) -> Bytes:
    """Bytes read to write one token after ``n_context - 1`` others: each weight once, and the key/value cache.

    Of an embedding table that is not the unembedding too, one row is needed: it does not count, nor do norms and
    constants. A position in the cache is a key and a value for each key/value head in each layer. The model of
    ``operations_per_token`` has 38 weights, and keeps 4 numbers for each of 3 positions:

    >>> config = GPTConfig(vocab_size=5, n_ctx=8, n_layers=1, n_heads=1, d_model=2, d_mlp=3)
    >>> bytes_per_token(config, 3)
    Bytes(weights=152, cache=48)

    ``bytes_per_number`` is 4 in float32, 2 in bfloat16, 1 with 8-bit weights (and cache).

    Raises ValueError for anything but a GPTConfig, a context from 1 to its ``n_ctx``, and whole bytes.
    """
    size = _whole("bytes_per_number", bytes_per_number, "float32 has 4, bfloat16 2", most=8)
    operations = operations_per_token(config, n_context)
    n_weights = (operations.total - operations.looking) // 2
    cached = 2 * config.n_layers * config.kv_heads * config.d_head * n_context
    return Bytes(weights=n_weights * size, cache=cached * size)


def generation_work(
    config: GPTConfig, n_context: Count, *, n_texts: Count = 1, bytes_per_number: Count = 4
) -> Work:
    """One more token for each of ``n_texts`` texts: they share one reading of the weights, and each has its cache.

    >>> config = GPTConfig(vocab_size=5, n_ctx=8, n_layers=1, n_heads=1, d_model=2, d_mlp=3)
    >>> generation_work(config, 3)
    Work(tokens=1, operations=100, bytes=200)
    >>> generation_work(config, 3, n_texts=10)  # 152 + 10 * 48
    Work(tokens=10, operations=1000, bytes=632)

    Raises ValueError as ``bytes_per_token`` does, and for a number of texts that is no whole number from 1.
    """
    n_texts = _whole("n_texts", n_texts, "try 1")
    read = bytes_per_token(config, n_context, bytes_per_number=bytes_per_number)
    operations = n_texts * operations_per_token(config, n_context).total
    return Work(n_texts, operations, read.weights + n_texts * read.cache)


def prompt_work(config: GPTConfig, n_tokens: Count, *, bytes_per_number: Count = 4) -> Work:
    """Reading a prompt of ``n_tokens`` at once, up to the logits of the token that comes next.

    The weights are read once for all tokens, the cache is written. Token ``i`` sees ``i`` positions, and only the last
    one needs the unembedding. By hand for three tokens: 3 * (32 + 24) + (1 + 2 + 3) * 8 + 20 operations.

    >>> config = GPTConfig(vocab_size=5, n_ctx=8, n_layers=1, n_heads=1, d_model=2, d_mlp=3)
    >>> prompt_work(config, 3)
    Work(tokens=3, operations=236, bytes=200)

    Raises ValueError as ``bytes_per_token`` does.
    """
    n_tokens = _length(config, "n_tokens", n_tokens)
    unneeded = (n_tokens - 1) * operations_per_token(config, 1).unembedding
    moved = bytes_per_token(config, n_tokens, bytes_per_number=bytes_per_number).total
    return Work(n_tokens, _forward(config, n_tokens) - unneeded, moved)


def training_work(
    config: GPTConfig, n_tokens: Count, *, n_texts: Count = 1, bytes_per_number: Count = 4
) -> Work:
    """One step of training on ``n_texts`` texts of ``n_tokens`` each, there and back.

    The weights are read on both ways, and a gradient is written for each of them, however many tokens there are. (The
    optimizer then moves about seven numbers more for each weight.) By hand for one text of three tokens: three times
    3 * (32 + 24 + 20) + (1 + 2 + 3) * 8 operations.

    >>> config = GPTConfig(vocab_size=5, n_ctx=8, n_layers=1, n_heads=1, d_model=2, d_mlp=3)
    >>> training_work(config, 3)
    Work(tokens=3, operations=828, bytes=456)

    Raises ValueError as ``bytes_per_token`` does, and for a number of texts that is no whole number from 1. Kaplan et
    al. 2020, section 2.1, from where ``6 N`` operations for a token of training are known.
    """
    n_tokens, n_texts = _length(config, "n_tokens", n_tokens), _whole("n_texts", n_texts, "try 1")
    weights = bytes_per_token(config, n_tokens, bytes_per_number=bytes_per_number).weights
    return Work(n_texts * n_tokens, 3 * n_texts * _forward(config, n_tokens), 3 * weights)


def _forward(config: GPTConfig, n_tokens: int) -> int:
    """Operations for a whole text, with logits at every position; token ``i`` sees ``i`` positions."""
    first = operations_per_token(config, 1)
    pairs = n_tokens * (n_tokens + 1) // 2
    return n_tokens * (first.total - first.looking) + pairs * first.looking


# ---------------------------------------------------------------------------------------------
# 4. What the machine allows the model.


class Limits(NamedTuple):
    """Tokens per second that a machine allows at most."""

    arithmetic: float  # if memory were infinitely fast
    memory: float  # if arithmetic were

    @property
    def tokens_per_second(self) -> float:
        """What is left of the two: the lower one."""
        return min(self)

    @property
    def binding(self) -> str:
        """Which of the two is the lower one, "memory" or "arithmetic"."""
        return "memory" if self.memory < self.arithmetic else "arithmetic"


def limits(work: Work, machine: Machine) -> Limits:
    """Tokens per second that a machine's arithmetic and its memory allow: a roofline in numbers.

    100 operations and 200 bytes for a token, on a machine of 60 operations and 20 bytes a second:

    >>> allowed = limits(Work(tokens=1, operations=100, bytes=200), Machine("a slow one", 60.0, 20.0))
    >>> allowed
    Limits(arithmetic=0.6, memory=0.1)
    >>> allowed.binding
    'memory'

    Raises ValueError for work without a token, operation or byte. Williams et al. 2009.
    """
    for name, value in zip(Work._fields, work, strict=True):
        _whole(f"{name} of work", value, "generation_work gives a valid one")
    return Limits(
        arithmetic=work.tokens * machine.operations_per_second / work.operations,
        memory=work.tokens * machine.bytes_per_second / work.bytes,
    )


# ---------------------------------------------------------------------------------------------
# 5. What the model reaches.


def measure_generation(
    model: GPT,
    *,
    n_context: Count = 32,
    n_tokens: Count = 32,
    n_threads: Count = 1,
    seconds: float = 1.5,
    seed: int = 0,
) -> float:
    """Tokens per second, one text at a time with the key/value cache, each token the most likely one.

    The model reads ``n_context`` random tokens first, which does not count, and writes ``n_tokens``, or as many as fit
    into the time; their median counts. To be held against ``limits(generation_work(...), this_machine(n_threads))``.

    Raises ValueError for a model that is no GPT or not on the processor, a text longer than its ``n_ctx``, and more
    threads than cores.
    """
    _on_processor(model)
    n_context, n_tokens = _whole("n_context", n_context, "try 32"), _whole("n_tokens", n_tokens, "try 32")
    _length(model.config, "n_context + n_tokens", n_context + n_tokens)
    seconds = _seconds(seconds)
    ids = _random_ids(model.config, 1, n_context, seed)[0].tolist()
    read, taken = model.reader(), []
    with threads(n_threads):
        logits = read(ids)
        began = time.perf_counter()
        while not taken or (len(taken) < n_tokens and time.perf_counter() - began < seconds):
            start = time.perf_counter()
            ids.append(int(logits.argmax()))
            logits = read(ids)
            taken.append(time.perf_counter() - start)
    return 1 / statistics.median(taken)


def measure_prompt(
    model: GPT, n_tokens: Count = 128, *, n_threads: Count = 1, seconds: float = 1.5, seed: int = 0
) -> float:
    """Tokens per second when a prompt of ``n_tokens`` random tokens is read at once; the median of several runs counts.

    To be held against ``limits(prompt_work(model.config, n_tokens), this_machine(n_threads))``.

    Raises ValueError for a model that is no GPT or not on the processor, a prompt longer than its ``n_ctx``, and more
    threads than cores.
    """
    _on_processor(model)
    n_tokens, seconds = _length(model.config, "n_tokens", n_tokens), _seconds(seconds)
    ids = _random_ids(model.config, 1, n_tokens, seed)[0].tolist()
    with threads(n_threads):
        # Each time a new reader: one that has read the prompt remembers it.
        return n_tokens / _median(lambda: model.reader()(ids), seconds)


def measure_training(
    model: GPT,
    n_tokens: Count = 64,
    *,
    n_texts: Count = 4,
    n_threads: Count = 1,
    seconds: float = 1.0,
    seed: int = 0,
) -> float:
    """Tokens per second of training on random texts, there and back; the weights and their gradients stay as they were.

    The median of several runs counts; the optimizer's step and dropout are left out. To be held against
    ``limits(training_work(model.config, n_tokens, n_texts=n_texts), this_machine(n_threads))``. The gradients need as
    much memory as the weights: 538 MB for SmolLM2, so take a smaller model where memory is short.

    Raises ValueError for a model that is no GPT, not on the processor or not trainable, texts longer than its
    ``n_ctx``, and more threads than cores.
    """
    _on_processor(model)
    n_tokens, n_texts = _length(model.config, "n_tokens", n_tokens), _whole("n_texts", n_texts, "try 4")
    seconds = _seconds(seconds)
    weights = list(model.parameters())
    if not all(weight.requires_grad for weight in weights):
        raise ValueError(
            "model must have weights that may learn, got frozen ones; load_model(path, trainable=True) gives such a model"
        )
    ids, targets = (_random_ids(model.config, n_texts, n_tokens, seed + i) for i in range(2))

    def there_and_back():
        loss = F.cross_entropy(model(ids).flatten(0, 1), targets.flatten())
        torch.autograd.grad(loss, weights)  # gives the gradients back, and leaves `weight.grad` alone

    training = model.training
    model.eval()  # no dropout, which would move the global random state
    try:
        with threads(n_threads):
            return n_texts * n_tokens / _median(there_and_back, seconds)
    finally:
        model.train(training)


def _on_processor(model: GPT) -> None:
    if not isinstance(model, GPT):
        raise ValueError(f"model must be a GPT, got {type(model).__name__}; load_smollm2() gives a real one")
    if model.device.type != "cpu":
        raise ValueError(f"model must be on the processor, got {model.device.type}; try model.cpu()")


def _random_ids(config: GPTConfig, n_texts: int, n_tokens: int, seed: int) -> Int[Tensor, "batch seq"]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(config.vocab_size, (n_texts, n_tokens), generator=generator)
