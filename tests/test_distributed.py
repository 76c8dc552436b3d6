"""Several processes and one: the same losses, the same checkpoints, and a clear end when one of them is lost."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from helpers import distributed, tinytown
from helpers.distributed import ALONE, Processes, joined, run_processes
from helpers.training import (
    IGNORED,
    TINYTOWN_CONFIG,
    WEIGHTS,
    Record,
    TrainingConfig,
    story_rows,
    token_losses,
    train,
)
from helpers.transformer import GPT

ROOT = Path(__file__).parents[1]
STORIES = 150


def run_alone(config, stop, **settings):
    """The first records of a run of the command's, in this process."""
    rows = story_rows(tinytown.stories("train", STORIES, config.seed))
    run = train(GPT(TINYTOWN_CONFIG, seed=config.seed), *rows, config, **settings)
    records = list(itertools.islice(run, stop))
    run.close()
    return records


def same_losses(records, expected):
    """To four digits, as the steps, the learning rates and, nearly, the gradients are."""
    assert [record.step for record in records] == [record.step for record in expected]
    assert records
    for found, wanted in zip(records, expected, strict=True):
        assert found.loss == pytest.approx(wanted.loss, rel=5e-5)
        assert found.learning_rate == pytest.approx(wanted.learning_rate, rel=1e-9)
        assert found.gradient_norm == pytest.approx(wanted.gradient_norm, rel=1e-2)


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    """Two processes that go on with what one had saved behind step 3 of 9."""
    folder = tmp_path_factory.mktemp("resumed")
    config = TrainingConfig(steps=9, batch_size=10, seed=2)
    run_alone(config, 3, checkpoint=folder / "one", save_every=3)
    before = WEIGHTS.stat().st_mtime_ns
    run = run_processes(
        2,
        steps=9,
        stories=STORIES,
        batch_size=10,
        seed=2,
        resume=folder / "one",
        checkpoint=folder / "two",
        save_every=4,
    )
    assert WEIGHTS.stat().st_mtime_ns == before
    return config, run, folder


def test_two_processes_go_on_with_the_checkpoint_of_one_and_lose_as_much(resumed):
    config, run, _ = resumed
    same_losses(run.records, run_alone(config, 9)[3:])


def test_speed_is_of_all_processes_and_seconds_of_the_whole_run(resumed):
    _, run, _ = resumed
    assert all(record.tokens_per_second > 0 for record in run.records)
    assert sum(1 / record.tokens_per_second for record in run.records) < run.seconds


def test_the_end_is_saved_by_one_of_them_alone(resumed):
    config, _, folder = resumed
    assert sorted(path.name for path in folder.iterdir()) == ["one", "two"]
    assert run_alone(config, 9, resume=folder / "two") == []


def children(parent):
    """The processes that `parent` has started, by their rank."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            status = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            if int(status[1]) == parent:
                variables = dict(
                    pair.split("=", 1) for pair in (folder / "environ").read_text().split("\0") if "=" in pair
                )
                found[variables.get("RANK")] = int(folder.name)
        except (OSError, IndexError, ValueError):
            continue  # it has ended, or is no process
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for the processes in /proc")
def test_a_killed_worker_ends_the_job_and_one_goes_on_with_the_checkpoint_of_two(tmp_path):
    checkpoint, log = tmp_path / "run.safetensors", tmp_path / "records.jsonl"
    command = (
        "-m torch.distributed.run --standalone --local-addr 127.0.0.1 --nproc-per-node 2 -m helpers.training"
    )
    options = f"--steps 3000 --stories {STORIES} --batch-size 10 --device cpu --save-every 2 --print-every 1"
    process = subprocess.Popen(
        [sys.executable, *command.split(), *options.split(), "--checkpoint", checkpoint, "--records", log],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        end = time.monotonic() + 100
        while not checkpoint.is_file() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(children(process.pid)["1"], signal.SIGKILL)
        printed, errors = process.communicate(timeout=60)
    finally:
        process.terminate()  # it ends its workers; a kill would leave them
        process.wait()
    assert process.returncode == 1
    assert (
        errors.count("a run needs all of its 2 processes, and process 0 has lost another or was told to end")
        == 1
    )
    assert "start it again with --resume and the last checkpoint, which is whole" in errors
    assert "exitcode: -9" in errors
    lines = [line for line in printed.splitlines() if line.startswith("step")]
    records = [Record(**json.loads(line)) for line in log.read_text().splitlines()]
    assert len(lines) == len(records)  # each step said once

    config = TrainingConfig(steps=3000, batch_size=10)
    compared = min(len(records), 6)
    expected = run_alone(config, len(records) + 3)
    same_losses(records[:compared], expected[:compared])
    (first, *_) = further = run_alone(config, 2, resume=checkpoint)
    assert (first.step - 1) % 2 == 0
    assert len(records) - 1 <= first.step <= len(records) + 2
    for record in further:
        assert record.loss == pytest.approx(expected[record.step - 1].loss, rel=2e-3)


def test_shares_make_up_the_batch():
    batch = torch.tensor([5, 3, 8, 1, 9, 2])
    shares = [Processes(rank, 3).share(batch) for rank in range(3)]
    assert [share.tolist() for share in shares] == [[5, 1], [3, 9], [8, 2]]
    assert ALONE.share(batch).tolist() == batch.tolist()


def test_unequal_shares_count_for_as_many_targets_as_they_hold():
    """One process at a time, with the sums of both handed to each: the gradient is the whole batch's."""
    rows = story_rows([["look", "!"] * 2, ["hello"], ["look", "!"] * 9, ["hello", "!"]])
    lengths = (rows[1] != IGNORED).sum(1)
    assert lengths[0::2].sum() != lengths[1::2].sum()
    config = TrainingConfig(steps=1, batch_size=4, max_gradient=1e9)

    whole = GPT(TINYTOWN_CONFIG)
    expected = next(train(whole, *rows, config))
    parts, gradients = [], []
    for rank in range(2):
        processes = Pretended(rank, 2)
        model = GPT(TINYTOWN_CONFIG)
        (record,) = train(model, *rows, config, processes=processes)
        parts.append(record.loss)
        gradients.append([weight.grad for weight in model.parameters()])
    assert sum(parts) == pytest.approx(expected.loss, rel=1e-5)
    for first, second, both in zip(*gradients, whole.parameters(), strict=True):
        torch.testing.assert_close((first + second) / 2, both.grad, rtol=1e-4, atol=1e-6)


def test_only_the_first_process_writes(tmp_path):
    rows = story_rows(tinytown.stories("train", 4))
    config = TrainingConfig(steps=1, batch_size=4)
    for rank in (1, 0):
        file = tmp_path / str(rank)
        list(train(GPT(TINYTOWN_CONFIG), *rows, config, checkpoint=file, processes=Pretended(rank, 2)))
        assert file.exists() == (rank == 0)


class Pretended(Processes):
    """One of several processes, of which no other is there."""

    def add_up(self, number):
        return number.detach()

    def averaging(self, model):
        return model


def test_alone_nothing_is_wrapped_or_sent():
    model = GPT(TINYTOWN_CONFIG)
    assert ALONE.averaging(model) is model
    number = torch.tensor(2.5, requires_grad=True)
    assert ALONE.add_up(number).item() == 2.5
    with joined(torch.device("cpu")) as processes:
        assert processes == (0, 1)
    rows = story_rows(tinytown.stories("train", 4))
    assert token_losses(model, *rows).shape == rows[1].shape


def test_a_batch_that_can_not_be_shared():
    rows = story_rows(tinytown.stories("train", 20))
    with pytest.raises(
        ValueError,
        match=r"batch_size must be divisible by the number of processes, got 10 for 3 processes; try .*12",
    ):
        next(train(GPT(TINYTOWN_CONFIG), *rows, TrainingConfig(batch_size=10), processes=Processes(1, 3)))
    for bad in (0, -2, 3):
        with pytest.raises(ValueError, match=f"that divides batch_size, got {bad} for 64; try 2"):
            run_processes(bad)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("[gloo/transport/tcp/pair.cc:537] Read error"), torch.distributed.DistBackendError("nccl")],
)
def test_a_lost_connection_is_said_in_a_sentence(monkeypatch, error):
    before = signal.getsignal(signal.SIGTERM)
    try:
        pretend(monkeypatch)
        with (
            pytest.raises(
                ConnectionError, match="needs all of its 2 processes, and process 1 has lost another"
            ),
            joined(torch.device("cpu")),
        ):
            raise error
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def pretend(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda *values, **named: None)
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: None)


def test_being_told_to_end_is_said_too_and_other_errors_stay_what_they_are(monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    try:
        pretend(monkeypatch)
        with joined(torch.device("cpu")) as processes:
            assert processes == (1, 2)
            with pytest.raises(ConnectionError, match="was told to end; start it again with --resume"):
                signal.raise_signal(signal.SIGTERM)
        with pytest.raises(RuntimeError, match="out of memory"):  # noqa: SIM117
            with joined(torch.device("cpu")):
                raise RuntimeError("out of memory")
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_run_that_fails_says_its_last_lines():
    """One process, which costs the least; what torchrun adds is cut off in the next test."""
    with pytest.raises(
        RuntimeError, match="must end without an error, got exit code 1; its last lines:\n"
    ) as error:
        run_processes(1, steps=0)
    assert str(error.value).endswith("helpers.training: steps must be a whole number from 1, got 0; try 100")


def test_torchruns_own_traceback_is_left_out():
    output = (
        "step 1\n\nhelpers.training: bad\nhelpers.training: bad\n"
        "W1122 11:34:07.182000 12750 site-packages/api.py:1028] Sending process 12774 closing signal SIGTERM\n"
        'Traceback (most recent call last):\n  File "x/torch/distributed/run.py"\nChildFailedError\n'
    )
    assert distributed._last_lines(output) == [
        "step 1",
        "helpers.training: bad",
        "Sending process 12774 closing signal SIGTERM",
    ]
    ours = "Traceback (most recent call last):\n  File helpers/training.py\nTypeError: x\n"
    assert distributed._last_lines(ours)[-1] == "TypeError: x"
    assert len(distributed._last_lines("\n".join(map(str, range(99))))) == 8


def test_a_run_that_takes_too_long_is_ended():
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"a run must end within 0.2 seconds"):
        distributed._run_command([sys.executable, "-c", "import time; time.sleep(99)"], timeout=0.2)
    assert time.monotonic() - began < 20
