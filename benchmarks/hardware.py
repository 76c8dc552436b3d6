"""What this machine can do, and how much of it a language model gets: one product in several ways, peaks, limits.

    python benchmarks/hardware.py              # about half a minute
    python benchmarks/hardware.py --rounds 1   # a third of it

Everything is measured in rounds that take turns, so that each meets the same load of the machine; the table shows the
median of the rounds and the best. "allowed" is what the machine's peak and bandwidth of the same round allow. SmolLM2
writes and reads where it has been fetched, else its first two layers with new weights; training is always that of two
layers with a small vocabulary, whose gradients take little memory.
``--json`` prints one line for other programs (``tests/test_hardware.py`` reads it).
"""

import argparse
import json
import statistics
from dataclasses import replace

from helpers.hardware import (
    cores,
    generation_work,
    limits,
    measure_generation,
    measure_prompt,
    measure_training,
    prompt_work,
    this_machine,
    time_ways,
    training_work,
)
from helpers.pretrained import is_available, load_smollm2, smollm2_config
from helpers.transformer import GPT

CONTEXT, WRITTEN, PROMPT = 32, 32, 128  # tokens before those that are written, written, and of a prompt
TEXTS, TRAINED = 4, 64  # texts in a step of training, tokens in each


def measure(rounds: int, seconds: float, most_threads: int, small: bool) -> dict:
    """Operations per second of each way; for each number of threads the machine's peaks and each task's tokens a second.

    Every number is a list with one value for each round.
    """
    trained = GPT(replace(smollm2_config(), n_layers=2, vocab_size=1024))
    real = is_available("smollm2") and not small
    model = load_smollm2()[0] if real else GPT(replace(smollm2_config(), n_layers=2))
    tasks = {
        "writing": (
            generation_work(model.config, CONTEXT + WRITTEN // 2),
            lambda n: measure_generation(
                model, n_context=CONTEXT, n_tokens=WRITTEN, n_threads=n, seconds=seconds
            ),
        ),
        "reading": (
            prompt_work(model.config, PROMPT),
            lambda n: measure_prompt(model, PROMPT, n_threads=n, seconds=seconds),
        ),
        "training": (
            training_work(trained.config, TRAINED, n_texts=TEXTS),
            lambda n: measure_training(trained, TRAINED, n_texts=TEXTS, n_threads=n, seconds=seconds),
        ),
    }
    result = {"model": "SmolLM2" if real else "two layers", "cores": cores(), "ways": {}, "threads": {}}
    for _ in range(rounds):
        for name, way in time_ways(seconds=seconds / 3).items():
            result["ways"].setdefault(name, []).append(way.operations_per_second)
        for n in range(1, min(most_threads, cores()) + 1):
            machine = this_machine(n, seconds=seconds)
            rows = result["threads"].setdefault(str(n), {"peak": [], "bandwidth": [], "tasks": {}})
            rows["peak"].append(machine.operations_per_second)
            rows["bandwidth"].append(machine.bytes_per_second)
            for task, (work, run) in tasks.items():
                allowed = limits(work, machine)
                row = rows["tasks"].setdefault(task, {"measured": [], "allowed": [], "binding": []})
                row["measured"].append(run(n))
                row["allowed"].append(allowed.tokens_per_second)
                row["binding"].append(allowed.binding)
    return result


def show(result: dict) -> None:
    """The same as a table."""

    def both(values: list[float], unit: float = 1.0, digits: int = 1) -> str:
        return f"{statistics.median(values) / unit:9,.{digits}f} {max(values) / unit:9,.{digits}f}"

    print(f"{result['cores']} cores\n\n{'':24}{'median':>9} {'best':>9}")
    loops = statistics.median(result["ways"]["Python loops"])
    for name, values in result["ways"].items():
        times = statistics.median(values) / loops
        print(f"{name:24}{both(values, 1e9, 2)} GFLOP/s  {times:8,.0f} x the loops")
    for n, rows in result["threads"].items():
        print(f"\nthreads: {n}")
        print(f"{'peak':24}{both(rows['peak'], 1e9)} GFLOP/s")
        print(f"{'bandwidth':24}{both(rows['bandwidth'], 1e9)} GB/s")
        ridges = [p / b for p, b in zip(rows["peak"], rows["bandwidth"], strict=True)]
        print(f"{'ridge':24}{both(ridges)} operations a byte")
        for task, row in rows["tasks"].items():
            model = "two layers" if task == "training" else result["model"]
            shares = [m / a for m, a in zip(row["measured"], row["allowed"], strict=True)]
            print(
                f"{f'{task}, {model}':24}{both(row['measured'])} tokens/s, {statistics.median(shares):.0%} of the "
                f"{statistics.median(row['allowed']):,.0f} that {statistics.mode(row['binding'])} allows"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.6, help="about, for each measurement in a round")
    parser.add_argument("--threads", type=int, default=2, help="at most, of the cores there are")
    parser.add_argument("--small", action="store_true", help="two layers in place of SmolLM2")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    arguments = parser.parse_args()

    result = measure(arguments.rounds, arguments.seconds, arguments.threads, arguments.small)
    if arguments.json:
        print(json.dumps(result))
    else:
        show(result)


if __name__ == "__main__":
    main()
