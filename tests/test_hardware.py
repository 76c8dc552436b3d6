"""What a model asks of a machine, against torch's own counter; how it is timed, against a clock that we move."""

import dataclasses
import json
import math
import re
import runpy
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info
from torch.utils.flop_counter import FlopCounterMode

from helpers import hardware
from helpers.hardware import (
    MACHINES,
    Bytes,
    Limits,
    Machine,
    Operations,
    Way,
    Work,
    bandwidth,
    bytes_per_token,
    cores,
    generation_work,
    limits,
    measure_generation,
    measure_prompt,
    measure_training,
    multiply_in_python,
    operations_per_token,
    peak,
    prompt_work,
    this_machine,
    threads,
    time_ways,
    training_work,
)
from helpers.pretrained import smollm2_config
from helpers.transformer import GPT, Cache, GPTConfig

ROOT = Path(__file__).parent.parent

# Every axis has a size of its own.
SMALL = {"vocab_size": 37, "n_ctx": 13, "n_layers": 3}
GPT2_LIKE = GPTConfig(**SMALL, n_heads=4, d_model=20, d_mlp=52)
LLAMA_LIKE = GPTConfig(
    **SMALL,
    n_heads=6,
    n_kv_heads=2,
    d_model=24,
    d_mlp=44,
    norm="rmsnorm",
    positions="rotary",
    mlp="swiglu",
    bias=False,
)
CONFIGS = {
    "gpt2": GPT2_LIKE,
    "llama": LLAMA_LIKE,
    "untied": dataclasses.replace(LLAMA_LIKE, tied=False),
    "one kv head": dataclasses.replace(GPT2_LIKE, n_kv_heads=1, d_mlp=None),
}
each_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
TINY = GPTConfig(vocab_size=5, n_ctx=8, n_layers=1, n_heads=1, d_model=2, d_mlp=3)
# Brown et al. 2020, table 2.1.
GPT3 = GPTConfig(vocab_size=50_257, n_ctx=2048, n_layers=96, n_heads=96, d_model=12_288)


def some_ids(n, batch=1):
    return torch.randint(37, (batch, n), generator=torch.Generator().manual_seed(0))


class Clock:
    """Stands in for `time` inside the module: it moves when told to."""

    def __init__(self):
        self.now = 1000.0

    def perf_counter(self):
        return self.now

    def takes(self, *seconds):
        """A function each call of which takes the next of `seconds`, the last one again and again."""
        left = list(seconds)

        def run(*_):
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return run


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(hardware, "time", clock)
    return clock


@pytest.fixture
def two_cores(monkeypatch):
    """Two threads may be asked for on any machine; a third can't."""
    monkeypatch.setattr(hardware, "cores", lambda: 2)


@pytest.fixture
def no_accelerator(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)


# ---------------------------------------------------------------------------------------------
# One product in several ways


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.integers(1, 6)] * 3), st.integers(0, 2**31))
def test_the_loops_agree_with_numpy(sizes, seed):
    rows, between, columns = sizes
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(rows, between)), rng.normal(size=(between, columns))
    product = multiply_in_python(a.tolist(), b.tolist())
    np.testing.assert_allclose(product, a @ b, rtol=1e-12, atol=1e-12)


class Counted(float):
    """A number that counts what is done with it."""

    done = {"products": 0, "sums": 0}  # noqa: RUF012

    def __mul__(self, other):
        self.done["products"] += 1
        return Counted(float(self) * float(other))

    def __add__(self, other):
        self.done["sums"] += 1
        return Counted(float(self) + float(other))

    __radd__ = __add__


def test_operations_are_what_the_loops_do():
    n = 5
    numbers = [[Counted(row + column) for column in range(n)] for row in range(n)]
    multiply_in_python(numbers, numbers)
    assert Counted.done == {"products": n**3, "sums": n**3}
    assert Way(n, seconds=0.25).operations_per_second == pytest.approx(sum(Counted.done.values()) / 0.25)
    assert Way(n, 0.25).faster_than(Way(n, 2.0)) == pytest.approx(8)
    assert Way(2 * n, 0.25).faster_than(Way(n, 0.25)) == pytest.approx(8)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([], [[1]], r"a must be a list of rows, each a list of numbers, got list; an array's \.tolist"),
        ([[1]], [[]], r"b must have rows of one length from 1, got lengths \[0\]; fill them up"),
        ([[1, 2], [3]], [[1]], r"a must have rows of one length from 1, got lengths \[1, 2\]"),
        ([[1, math.nan]], [[1], [2]], r"a must hold finite numbers, got nan; look for NaN, infinity"),
        ([[1]], [[math.inf]], r"b must hold finite numbers, got inf"),
        ([[1, 2, 3]], [[1], [2]], r"a must have a column for each row of b, got 3 columns and 2 rows; swap"),
    ],
)
def test_the_loops_refuse_what_is_no_product(a, b, message):
    with pytest.raises(ValueError, match=message):
        multiply_in_python(a, b)


def blas_threads():
    return {entry["num_threads"] for entry in threadpool_info() if entry["user_api"] == "blas"}


def test_threads_are_put_back(two_cores):
    before, numpy_before = torch.get_num_threads(), blas_threads()
    for n in (2, 1):
        with threads(n):
            assert torch.get_num_threads() == n
            assert blas_threads() <= {n}  # none where NumPy uses Apple's library
        assert (torch.get_num_threads(), blas_threads()) == (before, numpy_before)
    with pytest.raises(ZeroDivisionError), threads(2):
        _ = 1 / 0
    assert (torch.get_num_threads(), blas_threads()) == (before, numpy_before)
    for wrong in (0, -1, 3, 1.5, True):
        with (
            pytest.raises(
                ValueError, match=rf"n_threads must be a whole number from 1 to 2, got {wrong}; a thr"
            ),
            threads(wrong),
        ):
            pass
    assert torch.get_num_threads() == before


def test_there_is_a_core(monkeypatch):
    assert 1 <= cores() <= 10_000
    monkeypatch.delattr(hardware.os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(hardware.os, "cpu_count", lambda: 7)
    assert cores() == 7
    monkeypatch.setattr(hardware.os, "cpu_count", lambda: None)
    assert cores() == 1


def test_runs_fit_into_the_time(clock):
    assert hardware._repeat(clock.takes(0.5, 0.3, 0.2), 1.0) == pytest.approx(
        [0.3, 0.2]
    )  # the first warms up
    assert hardware._repeat(clock.takes(0.5, 3.0), 1.0) == pytest.approx([3.0])  # one is run in any case
    assert hardware._repeat(clock.takes(5.0, 1.0), 1.0) == pytest.approx(
        [5.0]
    )  # unless the first took so long
    assert len(hardware._repeat(clock.takes(0.125), 1.0)) == 7
    assert hardware._median(clock.takes(1, 2, 9, 3, 1), 16) == pytest.approx(2.5)


@pytest.fixture
def caught(monkeypatch):
    """What would be timed runs once instead; each entry is (its result, torch's threads, seconds), and it "takes" 0.5 s."""
    runs = []

    def once(function, seconds):
        runs.append((function(), torch.get_num_threads(), seconds))
        return 0.5

    monkeypatch.setattr(hardware, "_median", once)
    return runs


def test_all_ways_find_the_same_product(two_cores, no_accelerator, caught):
    with threads(2):  # what is set outside does not count
        ways = time_ways(11, n_python=11, seconds=0.25, seed=3)
    assert list(ways) == ["Python loops", "NumPy", "torch", "torch, 2 threads"]
    assert [n for _, n, _ in caught] == [1, 1, 1, 2]
    assert {seconds for *_, seconds in caught} == {0.25}
    products = [np.asarray(product) for product, *_ in caught]
    a, b = (matrix.double().numpy() for matrix in hardware._random_matrices(11, 3))
    for product in products:
        np.testing.assert_allclose(product, a @ b, rtol=0, atol=1e-5)
    assert [product.dtype for product in products[1:]] == [np.float32] * 3
    assert not np.allclose(a, b)
    assert abs(a @ b).max() > 1


def test_ways_know_their_sizes(monkeypatch, no_accelerator, caught):
    monkeypatch.setattr(hardware, "cores", lambda: 1)
    ways = time_ways(13, n_python=7)
    assert ways == {"Python loops": Way(7, 0.5), "NumPy": Way(13, 0.5), "torch": Way(13, 0.5)}
    assert [np.shape(product) for product, *_ in caught] == [(7, 7), (13, 13), (13, 13)]


def test_an_accelerator_is_waited_for(monkeypatch, two_cores, caught):
    waited = []
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cpu"))
    monkeypatch.setattr(torch.accelerator, "synchronize", lambda: waited.append(len(caught)))
    ways = time_ways(7, n_python=5, n_accelerator=11)
    assert list(ways)[-1] == "torch on cpu"
    assert ways["torch on cpu"] == Way(11, 0.5)
    assert waited == [4]  # behind the other four, once a run
    product, *_ = caught[4]
    a, b = hardware._random_matrices(11, 0)
    torch.testing.assert_close(product, a @ b, rtol=0, atol=1e-5)

    def fails():
        raise RuntimeError("CUDA error: no kernel image\nand many lines more")

    monkeypatch.setattr(torch.accelerator, "synchronize", fails)
    with pytest.warns(UserWarning, match=r"^this machine's cpu can't be timed: CUDA error: no kernel image$"):
        assert list(time_ways(7, n_python=5, n_accelerator=11)) == list(ways)[:-1]


def test_ways_are_timed_in_earnest():
    began = time.perf_counter()
    ways = time_ways(256, n_python=32, seconds=0.03)
    assert time.perf_counter() - began < 20
    for way in ways.values():
        assert 1e5 < way.operations_per_second < 1e16
    assert ways["NumPy"].faster_than(ways["Python loops"]) > 20
    assert ways["torch"].faster_than(ways["Python loops"]) > 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, r"^n must be a whole number from 1 to 8,192, got 0; try 512"),
        ({"n": 8193}, r"^n must be a whole number from 1 to 8,192, got 8193"),
        ({"n_python": 301}, r"n_python must be a whole number from 1 to 300, got 301; try 64"),
        ({"n_python": 1.5}, r"n_python must be a whole number from 1 to 300, got 1.5"),
        ({"n_accelerator": -1}, r"n_accelerator must be a whole number from 1 to 8,192, got -1; try 2048"),
        ({"seconds": 0}, r"seconds must be above 0 and at most 60, got 0; 0.5 is enough"),
        ({"seconds": math.nan}, r"seconds must be above 0 and at most 60, got nan"),
        ({"seconds": 61}, r"seconds must be above 0 and at most 60, got 61"),
        ({"seconds": True}, r"seconds must be above 0 and at most 60, got True"),
    ],
)
def test_ways_refuse_bad_sizes(arguments, message):
    with pytest.raises(ValueError, match=message):
        time_ways(**arguments)


# ---------------------------------------------------------------------------------------------
# What a machine can do


@pytest.fixture
def three_runs(monkeypatch):
    """Every measurement takes 3, 2 and 4 seconds; what ran is kept, with the threads it ran on and the time it had."""
    runs = []

    def repeat(function, seconds):
        runs.append((function(), torch.get_num_threads(), seconds))
        return [3.0, 2.0, 4.0]

    monkeypatch.setattr(hardware, "_repeat", repeat)
    return runs


def test_the_best_run_is_the_peak(two_cores, three_runs):
    assert peak(2, seconds=0.25) == pytest.approx(2 * 512**3 / 2.0)
    assert bandwidth(2, megabytes=12, seconds=0.25) == pytest.approx(12e6 / 2.0)
    (product, *product_run), (total, *total_run) = three_runs
    assert product.shape == (512, 512)
    assert product.dtype == torch.float32
    assert total.item() == pytest.approx(3e6)  # ones, 4 bytes each
    assert product_run == total_run == [2, 0.25]

    assert bandwidth(seconds=0.25) == pytest.approx(256e6 / 2.0)
    machine = this_machine(seconds=0.5)
    assert machine == Machine("this machine, 1 thread", 2 * 512**3 / 2.0, 256e6 / 2.0)
    assert [run[1:] for run in three_runs[2:]] == [(1, 0.25)] * 3
    assert this_machine(2).name == "this machine, 2 threads"
    assert [run[1] for run in three_runs[-2:]] == [2, 2]


def test_this_machine_is_measured_in_earnest():
    before = torch.get_num_threads()
    machine = this_machine(seconds=0.1)
    assert 1e8 < machine.operations_per_second < 1e15
    assert 1e8 < machine.bytes_per_second < 1e14
    assert machine.ridge == pytest.approx(machine.operations_per_second / machine.bytes_per_second)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (lambda: peak(0), "n_threads must be a whole number from 1 to 2, got 0"),
        (lambda: peak(seconds=-1), "seconds must be above 0 and at most 60, got -1"),
        (lambda: bandwidth(3), "n_threads must be a whole number from 1 to 2, got 3"),
        (
            lambda: bandwidth(megabytes=0),
            "megabytes must be a whole number from 1 to 1,024, got 0; 256 is more",
        ),
        (lambda: bandwidth(megabytes=1025), "megabytes must be a whole number from 1 to 1,024, got 1025"),
        (lambda: bandwidth(seconds=0), "seconds must be above 0"),
        (lambda: this_machine(3), "n_threads must be a whole number from 1 to 2, got 3"),
        (lambda: this_machine(seconds=0), "seconds must be above 0 and at most 60, got 0"),
        (
            lambda: Machine("m", 0, 1),
            "operations_per_second must be above 0 and finite, got 0; this_machine()",
        ),
        (lambda: Machine("m", 1, math.inf), "bytes_per_second must be above 0 and finite, got inf"),
        (lambda: Machine("m", math.nan, 1), "operations_per_second must be above 0 and finite, got nan"),
    ],
)
def test_machines_refuse(two_cores, measure, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        measure()


def test_published_machines():
    a100, h100 = MACHINES
    assert (a100.name, h100.name) == ("NVIDIA A100", "NVIDIA H100")
    assert a100.ridge == pytest.approx(312e12 / 2039e9)
    assert h100.ridge == pytest.approx(989e12 / 3350e9)
    assert (round(a100.ridge), round(h100.ridge)) == (153, 295)


# ---------------------------------------------------------------------------------------------
# What a model asks for


def counted(run):
    """Operations that torch counts while `run` runs, by module."""
    with FlopCounterMode(display=False) as counter:
        run()
    return {name: sum(by_kind.values()) for name, by_kind in counter.get_flop_counts().items()}


@each_config
@pytest.mark.parametrize("n_context", [1, 7, 13])
def test_operations_agree_with_torchs_counter(config, n_context):
    model, ids, cache = GPT(config), some_ids(n_context), Cache()
    if n_context > 1:
        model(ids[:, :-1], cache=cache)
    counts = counted(lambda: model(ids[:, -1:], cache=cache, trace=True))
    operations = operations_per_token(config, n_context)
    blocks = [f"GPT.blocks.{layer}" for layer in range(config.n_layers)]
    matrices = ("query", "key", "value", "output")
    assert operations.projections == sum(
        counts[f"{block}.attention.{name}"] for block in blocks for name in matrices
    )
    assert operations.projections + operations.looking == sum(
        counts[f"{block}.attention"] for block in blocks
    )
    assert operations.feed_forward == sum(counts[f"{block}.mlp"] for block in blocks)
    assert operations.unembedding == counts["Global"] - sum(counts[block] for block in blocks)
    assert operations.total == counts["Global"]


@each_config
def test_a_prompt_agrees_with_torchs_counter(config):
    n, ids = 7, some_ids(7)[0].tolist()
    model = GPT(config)
    # The fused attention is not counted by torch; it is the sum over tokens that see 1, 2, ... positions.
    looking = sum(operations_per_token(config, i).looking for i in range(1, n + 1))
    found = prompt_work(config, n)
    assert found.operations == counted(lambda: model.reader()(ids))["Global"] + looking
    assert found.tokens == n
    assert found.bytes == bytes_per_token(config, n).total
    assert prompt_work(config, 1) == generation_work(config, 1)


@each_config
def test_training_agrees_with_torchs_counter(config):
    n, batch = 7, 2
    model, ids = GPT(config), some_ids(7, batch=2)
    fused = counted(lambda: model(ids).sum().backward())["Global"]
    looking = sum(operations_per_token(config, i).looking for i in range(1, n + 1))
    found = training_work(config, n, n_texts=batch)
    assert found.operations == fused + 3 * batch * looking
    # Written out, attention computes the future too, and hides it.
    written_out = counted(lambda: model(ids, trace=True)[0].sum().backward())["Global"]
    assert written_out == 3 * batch * n * operations_per_token(config, n).total
    assert found.tokens == n * batch
    assert found.bytes == 3 * bytes_per_token(config, n).weights
    assert training_work(config, n).operations * batch == found.operations
    assert training_work(config, n).bytes == found.bytes


@each_config
def test_bytes_are_those_of_the_tensors(config):
    model, cache = GPT(config), Cache()
    model(some_ids(7), cache=cache)
    table = model.embedding if config.tied else model.unembedding
    matrices = [
        module.weight
        for block in model.blocks
        for module in block.modules()
        if isinstance(module, torch.nn.Linear)
    ]
    found = bytes_per_token(config, 7)
    assert found.weights == sum(weight.nbytes for weight in [*matrices, table.weight])
    assert found.cache == sum(tensor.nbytes for tensor in cache.keys + cache.values)
    assert bytes_per_token(config, 7, bytes_per_number=2) == Bytes(found.weights // 2, found.cache // 2)
    assert found.total == found.weights + found.cache


def test_two_operations_for_each_parameter():
    for config, n_params in ((smollm2_config(), 134_515_008), (GPT3, 174.6e9)):
        operations = operations_per_token(config, 1)
        assert operations.total == pytest.approx(2 * n_params, rel=2e-3)
        assert training_work(config, 1).operations == 3 * operations.total
    # Brown et al. 2020, table D.1: 300 billion tokens took 3.14e23 operations, attention's looking left out.
    step = training_work(GPT3, 2048)
    assert 300e9 * step.operations / step.tokens == pytest.approx(3.14e23, rel=0.025)
    assert 300e9 * 3 * (operations_per_token(GPT3, 1).total) == pytest.approx(3.14e23, rel=0.003)


def test_smollm2_by_hand():
    config = smollm2_config()
    # 4 matrices of attention: 576 x 576 twice, 576 x 192 twice; 3 of 576 x 1,536; 30 layers; 49,152 tokens.
    expected = Operations(
        projections=2 * 30 * (2 * 576 * 576 + 2 * 576 * 192),
        looking=4 * 30 * 576 * 100,
        feed_forward=2 * 30 * 3 * 576 * 1536,
        unembedding=2 * 576 * 49_152,
    )
    assert operations_per_token(config, 100) == expected
    assert sum(expected) == expected.total == 275_871_744
    assert bytes_per_token(config, 100) == Bytes(weights=537_919_488, cache=4 * 30 * 2 * 192 * 100)
    assert bytes_per_token(config, 100).total == 537_919_488 + 4_608_000


def test_texts_written_together_share_the_weights():
    one, many = (generation_work(LLAMA_LIKE, 5, n_texts=n, bytes_per_number=2) for n in (1, 11))
    read = bytes_per_token(LLAMA_LIKE, 5, bytes_per_number=2)
    assert one == Work(1, operations_per_token(LLAMA_LIKE, 5).total, read.total)
    assert many == Work(11, 11 * one.operations, read.weights + 11 * read.cache)
    assert many.intensity == pytest.approx(many.operations / many.bytes)
    assert many.intensity > 2 * one.intensity
    # Two operations for a weight of two bytes, if nothing else is read.
    assert one.intensity == pytest.approx(1, rel=0.15)


def test_the_number_of_bytes_reaches_every_task():
    for work in (generation_work, prompt_work, training_work):
        assert work(LLAMA_LIKE, 5).bytes == 2 * work(LLAMA_LIKE, 5, bytes_per_number=2).bytes
        assert work(LLAMA_LIKE, 5).operations == work(LLAMA_LIKE, 5, bytes_per_number=2).operations


@pytest.mark.parametrize(
    "count", [operations_per_token, bytes_per_token, generation_work, prompt_work, training_work]
)
def test_counts_refuse_bad_sizes(count):
    name = "n_tokens" if count in (prompt_work, training_work) else "n_context"
    for wrong in (0, 9, -1, 2.5, True):
        with pytest.raises(
            ValueError, match=rf"{name} must be a whole number from 1 to 8, got {wrong}; a longer"
        ):
            count(TINY, wrong)
    assert count(TINY, 8)
    if count is not operations_per_token:
        for wrong in (0, 9, 1.5):
            with pytest.raises(
                ValueError, match=rf"bytes_per_number must be .* from 1 to 8, got {wrong}; float32"
            ):
                count(TINY, 3, bytes_per_number=wrong)
    if count in (generation_work, training_work):
        with pytest.raises(ValueError, match=r"n_texts must be a whole number of 1 or more, got 0; try 1"):
            count(TINY, 3, n_texts=0)


# ---------------------------------------------------------------------------------------------
# What the machine allows the model


def test_the_lower_limit_binds():
    machine = Machine("m", operations_per_second=60.0, bytes_per_second=20.0)  # the ridge is at 3
    for operations, binding in ((29, "memory"), (30, "arithmetic"), (31, "arithmetic")):
        work = Work(tokens=7, operations=operations, bytes=10)
        found = limits(work, machine)
        assert found == pytest.approx(Limits(7 * 60 / operations, 7 * 20 / 10))
        assert found.binding == binding
        assert (found.binding == "memory") == (work.intensity < machine.ridge)
        assert found.tokens_per_second == pytest.approx(min(7 * 60 / operations, 14))


def test_what_limits_a_real_model_on_every_machine():
    config = smollm2_config()
    slow, odd = Machine("slow", 4e9, 5e9), Machine("much arithmetic", 2e12, 60e9)
    for machine in (slow, odd):
        assert limits(generation_work(config, 48), machine).binding == "memory"
        assert limits(prompt_work(config, 128), machine).binding == "arithmetic"
        assert limits(training_work(config, 64, n_texts=4), machine).binding == "arithmetic"
    for machine in MACHINES:
        texts = round(machine.ridge)
        few, many = (
            limits(generation_work(config, 1, n_texts=n, bytes_per_number=2), machine)
            for n in (texts // 2, texts * 2)
        )
        assert (few.binding, many.binding) == ("memory", "arithmetic")
    # The issue's own figure: 538 MB a token at 22 GB/s allow 41 or 42 tokens a second.
    assert 40 < limits(generation_work(config, 20), Machine("m", 1e11, 22e9)).tokens_per_second < 42


@pytest.mark.parametrize("wrong", [Work(0, 1, 1), Work(1, 0, 1), Work(1, 1, 0), Work(1, 1, -5)])
def test_no_work_is_refused(wrong):
    name, value = next((name, value) for name, value in wrong._asdict().items() if value < 1)
    with pytest.raises(
        ValueError, match=rf"{name} of work must be a whole number of 1 or more, got {value}; gener"
    ):
        limits(wrong, MACHINES[0])


# ---------------------------------------------------------------------------------------------
# What the model reaches


class FakeReader:
    """Reads as a model's reader does, each time for so long as told, and expects token 3 next."""

    def __init__(self, clock, *seconds):
        self.takes, self.read = clock.takes(*seconds), []

    def __call__(self, ids):
        self.read.append((list(ids), torch.get_num_threads()))
        self.takes()
        return np.eye(37, dtype=np.float32)[3]


def test_generation_is_timed_token_by_token(monkeypatch, clock, two_cores):
    model, reader = GPT(GPT2_LIKE), FakeReader(clock, 100.0, 0.25, 0.5, 4.0, 0.125, 0.5)
    monkeypatch.setattr(model, "reader", lambda: reader)
    speed = measure_generation(model, n_context=4, n_tokens=5, n_threads=2, seconds=50)
    assert speed == pytest.approx(1 / 0.5)  # the median; the prompt's 100 seconds do not count
    texts, threads_used = zip(*reader.read, strict=True)
    assert [len(text) for text in texts] == [4, 5, 6, 7, 8, 9]
    assert texts[-1] == [*texts[0], 3, 3, 3, 3, 3]
    assert set(threads_used) == {2}
    assert len(set(texts[0])) > 1

    reader = FakeReader(clock, 1.0)
    assert measure_generation(model, n_context=4, n_tokens=9, seconds=3.5) == pytest.approx(1.0)
    assert len(reader.read) == 1 + 4  # then the time was over
    reader = FakeReader(clock, 10.0)
    assert measure_generation(model, n_context=4, n_tokens=9, seconds=3.5) == pytest.approx(0.1)
    assert len(reader.read) == 1 + 1


def test_a_prompt_is_read_anew_each_time(monkeypatch, clock, two_cores):
    model, readers = GPT(GPT2_LIKE), []

    def reader():
        readers.append(FakeReader(clock, 0.5))
        return readers[-1]

    monkeypatch.setattr(model, "reader", reader)
    assert measure_prompt(model, 7, n_threads=2, seconds=2.0) == pytest.approx(7 / 0.5)
    assert len(readers) == 4
    assert {(len(ids), n) for each in readers for ids, n in each.read} == {(7, 2)}
    assert all(len(each.read) == 1 for each in readers)


def test_training_does_all_the_work_and_leaves_no_trace(caught, two_cores):
    config = dataclasses.replace(GPT2_LIKE, dropout=0.5)
    model = GPT(config).train()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    state = torch.get_rng_state()
    counts = counted(lambda: caught.append(measure_training(model, 7, n_texts=2, n_threads=2, seconds=0.25)))
    (_, threads_used, seconds), speed = caught
    assert (threads_used, seconds) == (2, 0.25)
    assert speed == pytest.approx(7 * 2 / 0.5)
    fused = operations_per_token(config, 1)
    assert counts["Global"] == 3 * 7 * 2 * (fused.total - fused.looking)
    assert all(weight.grad is None for weight in model.parameters())
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(weight, before[name], rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    model.eval()
    measure_training(model, 7)
    assert not model.training


def test_a_toy_is_measured_in_earnest():
    model, before = GPT(LLAMA_LIKE), torch.get_num_threads()
    for speed in (
        measure_generation(model, n_context=4, n_tokens=5),
        measure_generation(model, n_context=4, n_tokens=5, seconds=1e-12),  # one token in any case
        measure_prompt(model, 11, seconds=0.05),
        measure_training(model, 11, n_texts=3, seconds=0.05),
    ):
        assert 1 < speed < 1e8
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (lambda m: measure_generation(m, n_context=9, n_tokens=5), "n_context + n_tokens must be a whole number from 1 to 13, got 14; a longer"),
        (lambda m: measure_generation(m, n_context=0, n_tokens=5), "n_context must be a whole number of 1 or more, got 0; try 32"),
        (lambda m: measure_generation(m, n_context=2, n_tokens=0), "n_tokens must be a whole number of 1 or more, got 0; try 32"),
        (lambda m: measure_generation(m, n_context=2, n_tokens=2, seconds=0), "seconds must be above 0"),
        (lambda m: measure_generation(m, n_context=2, n_tokens=2, n_threads=3), "n_threads must be a whole number from 1 to 2, got 3"),
        (lambda m: measure_prompt(m, 14), "n_tokens must be a whole number from 1 to 13, got 14"),
        (lambda m: measure_prompt(m, 4, seconds=0), "seconds must be above 0"),
        (lambda m: measure_prompt(m, 4, n_threads=0), "n_threads must be a whole number from 1 to 2, got 0"),
        (lambda m: measure_training(m, 14), "n_tokens must be a whole number from 1 to 13, got 14"),
        (lambda m: measure_training(m, 4, n_texts=0), "n_texts must be a whole number of 1 or more, got 0; try 4"),
        (lambda m: measure_training(m, 4, seconds=0), "seconds must be above 0"),
        (lambda m: measure_training(m, 4, n_threads=0), "n_threads must be a whole number from 1 to 2, got 0"),
        (lambda m: measure_training(m, 4) if m.blocks[1].requires_grad_(False) else None, "model must have weights that may learn"),
        (lambda m: measure_training(m.requires_grad_(False), 4), "model must have weights that may learn, got frozen ones; load_model"),
        (lambda m: measure_training(GPT(GPT2_LIKE, seed=None), 4), "model must be on the processor, got meta; try model.cpu()"),
        (lambda m: measure_prompt(GPT(GPT2_LIKE, seed=None), 4), "model must be on the processor, got meta"),
        (lambda m: measure_generation(GPT(GPT2_LIKE, seed=None)), "model must be on the processor, got meta"),
    ],
)  # fmt: skip
def test_measuring_refuses(two_cores, measure, message):
    model, before = GPT(GPT2_LIKE).train(), torch.get_num_threads()
    with pytest.raises(ValueError, match=re.escape(message)):
        measure(model)
    assert model.training
    assert torch.get_num_threads() == before


# ---------------------------------------------------------------------------------------------
# Without beartype, as a learner runs it


IN_PLAIN_PYTHON = """
import numpy as np
from helpers.hardware import *
def refused(*cases):
    for wrong, part in cases:
        try:
            wrong()
        except ValueError as error:
            assert part in str(error), error
        else:
            raise AssertionError(part)
config = GPTConfig(vocab_size=5, n_ctx=8, n_layers=1, n_heads=1, d_model=2)
refused(
    (lambda: multiply_in_python(np.eye(2), [[1]]), "a must be a list of rows, each a list of numbers, got ndarray"),
    (lambda: multiply_in_python([[1]], [1]), "b must be a list of rows"),
    (lambda: multiply_in_python([["1"]], [[1]]), "a must hold finite numbers, got '1'"),
    (lambda: multiply_in_python([[1]], [[None]]), "b must hold finite numbers, got None"),
    (lambda: time_ways("512"), "n must be a whole number from 1 to 8,192, got '512'"),
    (lambda: time_ways(seconds="1"), "seconds must be above 0 and at most 60, got '1'"),
    (lambda: peak("1"), "n_threads must be a whole number from 1 to "),
    (lambda: Machine("m", "1", 2), "operations_per_second must be above 0 and finite, got '1'"),
    (lambda: operations_per_token({"n_layers": 3}, 1), "config must be a GPTConfig, got dict; a model has it as"),
    (lambda: bytes_per_token(None, 1), "config must be a GPTConfig, got NoneType"),
    (lambda: prompt_work(config, "3"), "n_tokens must be a whole number from 1 to 8, got '3'"),
    (lambda: limits(Work(1, 2.5, 1), MACHINES[0]), "operations of work must be a whole number of 1 or more, got 2.5"),
    (lambda: measure_prompt(config), "model must be a GPT, got GPTConfig; load_smollm2() gives a real one"),
    (lambda: measure_generation(None), "model must be a GPT, got NoneType"),
    (lambda: measure_training("m"), "model must be a GPT, got str"),
)
assert prompt_work(config, np.int64(3)) == prompt_work(config, 3)
assert multiply_in_python(((1, 2),), [[np.float32(3)], [4]]) == [[11]]
"""


def test_wrong_types_are_refused_in_a_sentence():
    subprocess.run([sys.executable, "-c", IN_PLAIN_PYTHON], check=True, cwd=ROOT)


# ---------------------------------------------------------------------------------------------
# The benchmark


def test_the_benchmark_prints_a_table_and_a_line_for_programs(capsys):
    command = [
        sys.executable,
        "benchmarks/hardware.py",
        "--json",
        "--small",
        "--rounds",
        "2",
        "--threads",
        "1",
    ]
    done = subprocess.run(
        [*command, "--seconds", "0.02"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    result = json.loads(done.stdout)
    assert result["model"] == "two layers"
    assert list(result["ways"])[:3] == ["Python loops", "NumPy", "torch"]
    assert {len(values) for values in result["ways"].values()} == {2}
    (rows,) = result["threads"].values()
    assert set(rows["tasks"]) == {"writing", "reading", "training"}
    for row in rows["tasks"].values():
        assert len(row["measured"]) == len(row["allowed"]) == len(row["binding"]) == 2
        assert min(row["measured"]) > 0

    runpy.run_path(str(ROOT / "benchmarks" / "hardware.py"))["show"](result)
    lines = capsys.readouterr().out.splitlines()
    median, best = statistics.median(rows["peak"]) / 1e9, max(rows["peak"]) / 1e9
    assert f"{'peak':24}{median:9,.1f} {best:9,.1f} GFLOP/s" in lines
    assert any(line.startswith("writing, two layers ") and line.endswith(" allows") for line in lines)
