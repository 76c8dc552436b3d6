"""The benchmark of a step of training: both sides take the same step, and the arithmetic of what is reported."""

import importlib.util
import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from helpers.training import TrainingConfig
from helpers.transformer import GPTConfig

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def bench():
    """The benchmark, which finds the other one beside it, as it does when it is run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        spec = importlib.util.spec_from_file_location("bench_training", ROOT / "benchmarks" / "training.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
        del sys.modules["transformer"]


@pytest.fixture(scope="module")
def small(bench):
    config = GPTConfig(vocab_size=29, n_ctx=11, n_layers=3, n_heads=2, d_model=10, d_mlp=14, norm_eps=1e-3)
    return bench.Size(config, batch_size=5)


def close(actual, expected, tolerance):
    torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance)


def test_both_have_the_same_weights(bench, small):
    model = bench.rough_model(small.config)
    peer = bench.as_gpt2(model)
    ids = bench.batch_of(small)
    assert ids.shape == (5, 11)
    close(model(ids), peer(ids).logits, 1e-4)
    assert model.n_params == sum(weight.numel() for weight in peer.parameters())
    assert peer.training
    assert all(part.p == 0 for part in peer.modules() if isinstance(part, torch.nn.Dropout))
    with torch.no_grad():
        next(peer.parameters()).zero_()
    assert model.embedding.weight.abs().sum() > 0  # copies: what one learns is not the other's


@pytest.mark.parametrize("fused", [True, None])
def test_a_step_is_that_of_torch_written_out(bench, small, fused, monkeypatch):
    config = TrainingConfig(steps=3, batch_size=5, learning_rate=0.01, weight_decay=0.5, max_gradient=0.3)
    ids = bench.batch_of(small)
    models = [bench.rough_model(small.config) for _ in range(3)]
    asked, real = [], torch.optim.AdamW
    monkeypatch.setattr(
        torch.optim, "AdamW", lambda *rest, **named: asked.append(named.get("fused")) or real(*rest, **named)
    )
    steps = [
        bench.our_step(models[0], ids, config),
        bench.their_step(bench.as_gpt2(models[1]), ids, config, fused),
    ]
    plain = models[2]
    decayed = [weight for weight in plain.parameters() if weight.ndim == 2]
    optimizer = torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": 0.5},
            {"params": [w for w in plain.parameters() if w.ndim == 1], "weight_decay": 0},
        ],
        betas=config.betas,
    )
    losses = []
    for step in (1, 2, 3):
        loss = F.cross_entropy(plain(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.3)
        for group in optimizer.param_groups:
            group["lr"] = bench.learning_rate_at(step, config)
        optimizer.step()
        losses.append(loss.item())
    for take in steps:  # our optimizer is made with our first step
        assert [take() for _ in range(3)] == pytest.approx(losses, abs=1e-4)
    assert losses[2] < losses[0] - 0.01
    assert asked == [fused, None, True]


def test_agreement_is_measured_before_and_after_learning(bench, small):
    model, ids = bench.rough_model(small.config), bench.batch_of(small)
    losses, off = bench.agree(model, bench.as_gpt2(model), ids)
    assert len(losses) == 1 + bench.STEPS
    assert losses[-1] < losses[0] - 0.05
    assert 0 <= off < 1e-5


@pytest.mark.parametrize("change", [0.1, 0.005])
def test_models_that_differ_are_refused(bench, small, change):
    model, ids = bench.rough_model(small.config), bench.batch_of(small)
    peer = bench.as_gpt2(model)
    with torch.no_grad():
        peer.transformer.ln_f.bias[3] += change
    with pytest.raises(AssertionError, match=r"losses must agree to 1e-05, and are"):
        bench.agree(model, peer, ids)


def test_steps_that_differ_are_refused(bench, small, monkeypatch):
    model, ids = bench.rough_model(small.config), bench.batch_of(small)
    monkeypatch.setattr(bench, "learning_rate_at", lambda step, config: 2 * config.learning_rate)
    with pytest.raises(AssertionError, match=r"losses must agree to 0\.0001 after steps"):
        bench.agree(model, bench.as_gpt2(model), ids)
    monkeypatch.setattr(bench, "AGREE_LATER", 1)
    assert bench.agree(model, bench.as_gpt2(model), ids)[1] > 1e-3


def test_a_large_product_is_the_same_by_each_library(bench):
    first, second = (multiply() for multiply in bench.large_products(37).values())
    # One multiplies by the matrix as it stands, the other by its columns.
    a, b = torch.randn(2, 37, 37, generator=torch.Generator().manual_seed(0))
    close(first, a @ b, 1e-4)
    close(second, a @ b.T, 1e-4)


def test_rates_and_shares_are_of_the_medians(bench, small, monkeypatch):
    seconds = {
        "fused": [0.4, 0.5, 9.0],
        "default": [1.0, 1.0, 1.0],
        "ours": [0.25, 0.125, 9.0],
        "torch.matmul": [3.0, 2.0, 1.0],
        "linear": [1.0, 1.0, 8.0],
    }
    monkeypatch.setattr(bench, "N_PRODUCT", 100)

    def turns(contestants, repeats, clock):
        assert list(contestants) == list(seconds)
        assert (repeats, clock) == (3, None)
        return seconds

    monkeypatch.setattr(bench, "take_turns", turns)
    fused, real = [], bench.their_step
    monkeypatch.setattr(
        bench, "their_step", lambda *rest, **named: fused.append(named["fused"]) or real(*rest, **named)
    )
    speed = bench.measure(small, 3, None)
    assert fused == [True, True, None]  # to agree, to be measured, and for information
    first, second = speed.rows
    assert first.ours == pytest.approx([220, 440, 55 / 9])  # 5 rows of 11 tokens
    assert first.theirs == pytest.approx([137.5, 110, 55 / 9])
    assert (first.ratio, second.ratio) == pytest.approx((2, 4))
    assert (first.verdict, second.verdict) == ("at least 1.3: met", "for information")
    assert speed.products == pytest.approx({"torch.matmul": 1e6, "linear": 2e6})  # 2 * 100**3 operations
    # Weights that multiply: 3 layers of 4 * 10 * 10 and 2 * 10 * 14, and the table of 29 * 10; looking back, 2 * 10
    # for each of 66 pairs of positions in each layer. Each is a multiplication and an addition, three times over.
    assert speed.operations == 6 * 5 * (11 * (3 * (400 + 280) + 290) + 66 * 3 * 20)
    assert speed.operations_a_second == pytest.approx(speed.operations / 0.25)
    share, slower = bench.describe(speed).splitlines()[1:]
    assert share.strip().startswith(f"{speed.operations / 0.25 / 1e6:.0%} of a large product by torch.matmul")
    assert slower.strip().startswith(f"{speed.operations / 0.25 / 2e6:.0%} of a large product by linear")


def run_main(bench, small, monkeypatch, capsys, *arguments):
    monkeypatch.setattr(bench, "SIZES", (small,))
    monkeypatch.setattr(bench, "N_PRODUCT", 16)
    monkeypatch.setattr(bench.torch, "set_num_threads", lambda n: None)
    monkeypatch.setattr(sys, "argv", ["training.py", "--repeats", "2", "--threads", "1", *arguments])
    ticks = itertools.count()
    monkeypatch.setattr(bench.time, "process_time", lambda: next(ticks) / 8)  # a step takes 1 / 8 second
    bench.main()
    return capsys.readouterr().out


def test_what_is_printed(bench, small, monkeypatch, capsys):
    printed = run_main(bench, small, monkeypatch, capsys, "--cpu-seconds")
    lines = printed.splitlines()
    assert lines[0].startswith("a step of training, float32, 1 threads, CPU seconds; torch ")
    row = next(line for line in lines if line.startswith("3 layers of 10, 5 x 11 tokens  "))
    assert row.split()[8:] == ["440.0", "440.0", "tokens/s", "1.00", "at", "least", "1.3:", "NOT", "MET"]
    assert "losses" in lines[-3]
    assert "% of a large product by torch.matmul" in lines[-2]


def test_one_line_of_json(bench, small, monkeypatch, capsys):
    printed = run_main(bench, small, monkeypatch, capsys, "--cpu-seconds", "--json")
    assert printed.count("\n") == 1
    (size,) = json.loads(printed)["sizes"]
    assert size["name"] == "3 layers of 10, 5 x 11 tokens"
    assert size["rows"][0]["ratio"] == pytest.approx(1)
    assert size["share"] == pytest.approx(size["operations"] / (2 * 16**3))  # both take 1 / 8 second
    assert size["largest_difference"] < 1e-5


def test_the_sizes_that_are_measured_are_gpt2s(bench):
    for size, tokens in zip(bench.SIZES, (64 * 64, 32 * 64), strict=True):
        config = size.config
        assert (config.norm, config.positions, config.mlp, config.tied, config.bias, config.dropout) == (
            "layernorm",
            "learned",
            "gelu",
            True,
            True,
            0,
        )
        assert size.batch_size * config.n_ctx == tokens


def test_without_transformers_it_says_so_in_one_line_and_ends_well():
    code = (
        "import sys, runpy; sys.modules['transformers'] = None; sys.argv[1:] = []; sys.path.insert(0, 'benchmarks');"
        "runpy.run_path('benchmarks/training.py', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith("nothing to compare with: ")
