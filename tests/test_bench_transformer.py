"""The benchmark of the transformer: its arithmetic, its verdicts, and what it says where there is no peer."""

import importlib.util
import itertools
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
_spec = importlib.util.spec_from_file_location("bench_transformer", ROOT / "benchmarks" / "transformer.py")
bench = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(bench)


def row(ours, theirs, target, at_least):
    return bench.Row("name", ours, theirs, "ms", target, at_least)


def test_a_ratio_is_that_of_the_medians():
    assert row([3.0, 1.0, 90.0], [2.0, 40.0, 1.0], None, True).ratio == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("target", "at_least", "verdict"),
    [
        (1.4, True, "at least 1.4: met"),
        (1.6, True, "at least 1.6: NOT MET"),
        (1.6, False, "at most 1.6: met"),
        (1.4, False, "at most 1.4: NOT MET"),
        (None, False, "for information"),
    ],
)
def test_a_verdict(target, at_least, verdict):
    assert row([3.0], [2.0], target, at_least).verdict == verdict


def test_contestants_take_turns_after_one_call_each_to_warm_up():
    calls, ticks = [], itertools.count()
    contestants = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    seconds = bench.take_turns(contestants, 3, clock=lambda: next(ticks))
    assert calls == list("ab" * 4)
    assert seconds == {"a": [1, 1, 1], "b": [1, 1, 1]}


def test_perplexity_of_a_model_that_knows_nothing_is_its_vocabulary():
    ids = [[0, 1, 2], [3, 4, 5, 6, 1]]
    assert bench.perplexity(lambda row: torch.zeros(1, row.shape[1], 7), ids) == pytest.approx(7, rel=1e-5)

    def half(row):  # after any token, half of the odds for token 1, the rest for the six others
        odds = torch.full((1, row.shape[1], 7), 1 / 12)
        odds[..., 1] = 0.5
        return odds.log()

    # 6 tokens are guessed, two of them token 1.
    expected = math.exp((2 * math.log(2) + 4 * math.log(12)) / 6)
    assert bench.perplexity(half, ids) == pytest.approx(expected, rel=1e-5)


def test_bandwidth_is_bytes_a_second(monkeypatch):
    monkeypatch.setattr(bench, "take_turns", lambda contestants, rounds: {"sum": [0.5, 0.25, 1.0]})
    assert bench.read_bandwidth(megabytes=2) == pytest.approx(8e6)


def test_a_table_has_a_line_for_each_row(capsys):
    bench.print_table([row([0.003], [0.002], 1.6, False)])
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.split() == ["name", "3.0", "2.0", "ms", "1.50", "at", "most", "1.6:", "met"]


def test_without_transformers_it_says_so_in_one_line_and_ends_well():
    code = (
        "import sys, runpy; sys.modules['transformers'] = None; sys.argv[1:] = [];"
        "runpy.run_path('benchmarks/transformer.py', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith("nothing to compare with: ")
