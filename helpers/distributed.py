"""More processes than one: the same training run, its batches shared out.

Each process holds a copy of the model and reads its share of every batch. Before each step their gradients are
averaged, so that all copies take the same step and stay the same: torch's ``DistributedDataParallel`` (DDP) does that
while the backward pass still runs. What they need from outside is to find each other, and ``torchrun`` sees to that.

What this leaves out: models too large for one machine's memory, and a run that goes on when a process is lost.

Source: Li et al. (2020, arXiv:2006.15704), section 3, for how the gradients travel.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Processes(NamedTuple):
    """The processes of a run, seen from one of them; by default it is alone."""

    rank: int = 0  # which one this is, counted from 0
    size: int = 1  # how many there are

    def share(self, batch: Int[Tensor, " batch"]) -> Int[Tensor, " share"]:
        """The texts of a batch that this process reads.

        >>> Processes(rank=1, size=2).share(torch.tensor([7, 3, 5, 9]))
        tensor([3, 9])
        """
        return batch[self.rank :: self.size]

    def add_up(self, number: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """The sum of a number over all processes, the same in each."""
        number = number.detach()
        if self.size > 1:
            number = number.clone()
            torch.distributed.all_reduce(number)
        return number

    def averaging(self, model: nn.Module) -> nn.Module:
        """The model such that every backward pass leaves the mean of all processes' gradients in each."""
        return nn.parallel.DistributedDataParallel(model) if self.size > 1 else model


ALONE = Processes()


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """The processes that ``torchrun`` started this one with; without ``torchrun`` it is alone.

    They talk through nccl between GPUs and through gloo between CPUs. Raises ConnectionError when another one is lost,
    or when ``torchrun`` ends the run because it saw that first.
    """
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))  # torchrun says so
    if size == 1:
        yield ALONE
        return

    def lost(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # said once, and not again while this process ends
        raise ConnectionError(
            f"a run needs all of its {size} processes, and process {rank} has lost another or was told to end; "
            "start it again with --resume and the last checkpoint, which is whole"
        )

    signal.signal(signal.SIGTERM, lost)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    try:
        torch.distributed.init_process_group(
            "nccl" if device.type == "cuda" else "gloo", timeout=timedelta(minutes=5)
        )
        yield Processes(rank, size)
    except RuntimeError as error:
        if isinstance(error, torch.distributed.DistError) or "gloo" in str(error):
            lost()
        raise
    torch.distributed.destroy_process_group()


class Run(NamedTuple):
    """What a run in processes of its own did."""

    records: list  # of training.Record, one a step
    seconds: float  # from start to end: loading Python and torch, making the texts, training


def run_processes(
    processes: int,
    steps: int = 20,
    *,
    stories: int = 2000,
    batch_size: int = 64,
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    save_every: int = 100,
    resume: str | os.PathLike[str] | None = None,
    timeout: float = 180.0,
) -> Run:
    """The records of ``python -m helpers.training`` with some steps, run by one process or by several.

    For several it is ``torchrun`` that starts them, on this machine's CPU, each with one thread. The model that they
    train is thrown away, unless it is saved in a ``checkpoint``. Raises ValueError when the processes can't share a
    batch, RuntimeError with their last lines when one of them fails, and TimeoutError after ``timeout`` seconds.
    """
    from helpers.training import Record

    if not (isinstance(processes, int) and processes >= 1 and batch_size % processes == 0):
        raise ValueError(
            f"processes must be a whole number that divides batch_size, got {processes!r} for {batch_size}; try 2"
        )
    python = [sys.executable, "-m"]
    if processes > 1:
        # By address and not by name, because a machine's own name does not always lead to it.
        python += ["torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
        python += ["--nproc-per-node", str(processes), "-m"]
    given = {"stories": stories, "batch-size": batch_size, "seed": seed, "save-every": save_every}
    given |= {"steps": steps, "checkpoint": checkpoint, "resume": resume, "device": "cpu"}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "records.jsonl"
        given["records"] = log
        options = [f"--{name}={value}" for name, value in given.items() if value is not None]
        began = time.perf_counter()
        _run_command([*python, "helpers.training", *options], timeout)
        seconds = time.perf_counter() - began
        records = [Record(**json.loads(line)) for line in log.read_text().splitlines()]
    return Run(records, seconds)


def _run_command(command: list[str], timeout: float) -> None:
    """Runs a command of this course; it ends with us, whatever happens here."""
    here = str(Path(__file__).parents[1])
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    loopback = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    if loopback:
        environment["GLOO_SOCKET_IFNAME"] = loopback[0]
    # In a session of its own, so that an interrupt of the notebook does not reach it in pieces.
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise TimeoutError(
            f"a run must end within {timeout:g} seconds, and this one did not; try fewer steps or a longer timeout"
        ) from None
    finally:
        if process.poll() is None:
            process.terminate()  # torchrun then ends its workers; killed, it would leave them behind
            process.communicate()
    if process.returncode:
        raise RuntimeError(
            f"a run must end without an error, got exit code {process.returncode}; its last lines:\n"
            + "\n".join(_last_lines(output))
        )


def _last_lines(output: str, count: int = 8) -> list[str]:
    """The end of what a run's processes printed, without the traceback that ``torchrun`` puts behind it.

    >>> _last_lines("E1122 11:22:13.7 26 api.py:10] failed (exitcode: -9)\\nTraceback\\n torch/distributed/run.py")
    ['failed (exitcode: -9)']
    """
    printed = re.split(r"^Traceback.*?torch/distributed", output, maxsplit=1, flags=re.M | re.S)[0]
    lines = [re.sub(r"^[EW]\d{4} .*?\] ", "", line) for line in printed.splitlines() if line.strip()]
    return list(dict.fromkeys(lines))[-count:]
