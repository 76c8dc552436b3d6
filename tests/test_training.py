"""The training loop, and the committed Tinytown GPT against the floor it was trained towards."""

import gc
import itertools
import json
import math
import signal
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from helpers import tinytown
from helpers.pretrained import load_tinytown
from helpers.training import (
    IGNORED,
    TINYTOWN_CONFIG,
    Record,
    TrainingConfig,
    evaluate,
    learning_rate_at,
    main,
    masked_rows,
    story_rows,
    token_losses,
    train,
)
from helpers.transformer import GPT, GPTConfig


@pytest.fixture(scope="module")
def rows():
    return story_rows(tinytown.stories("train", 400))


def tiny(seed=0):
    return GPT(
        GPTConfig(vocab_size=len(tinytown.VOCABULARY), n_ctx=40, n_layers=1, n_heads=2, d_model=16), seed=seed
    )


def same_curve(records, expected):
    """Whether two runs are one; how quick they were may differ."""
    assert [r.step for r in records] == [r.step for r in expected]
    for field in ("loss", "learning_rate", "gradient_norm"):
        found, wanted = ([getattr(r, field) for r in curve] for curve in (records, expected))
        assert found == pytest.approx(wanted, rel=1e-5, abs=1e-7)


def test_rows_by_hand():
    tokenizer = tinytown.WordTokenizer()
    inputs, targets = story_rows([["look", "!"], ["hello"]])
    look, bang, hello = (tokenizer.ids[word] for word in ("look", "!", "hello"))
    assert inputs.tolist() == [[0, look, bang], [0, hello, 1]]
    assert targets.tolist() == [[look, bang, 1], [hello, 1, IGNORED]]


def test_masked_rows_hide_a_share_of_each_story_and_ask_for_it():
    tokenizer = tinytown.WordTokenizer()
    stories = [*tinytown.stories("train", 30), ["look", "!"], ["hello"]]
    whole, _ = story_rows(stories)
    inputs, targets = masked_rows(stories, share=0.3, seed=4)
    hidden = inputs == tokenizer.unknown_id
    assert torch.equal(hidden, targets != IGNORED)
    assert torch.equal(targets[hidden], whole[hidden])
    assert torch.equal(inputs[~hidden], whole[~hidden])
    assert not (whole[hidden] <= tokenizer.end_id).any()  # <start> and <end> are no words
    lengths = (whole > tokenizer.unknown_id).sum(1)
    assert hidden.sum(1).tolist() == [max(1, round(0.3 * int(length))) for length in lengths]
    # Every word gets its turn, and the seed alone decides when.
    turns = torch.stack([masked_rows(stories[:1], 0.3, seed)[1][0] != IGNORED for seed in range(200)]).float()
    shares = turns.mean(0)[1 : 1 + int(lengths[0])]
    assert 0.15 < shares.min() < shares.max() < 0.45
    assert torch.equal(masked_rows(stories, 0.3, 4)[0], inputs)
    everything, _ = masked_rows(stories, share=1)
    assert ((everything == tokenizer.unknown_id).sum(1) == lengths).all()


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5, math.nan, "half", True])
def test_masked_rows_need_a_share(share):
    with pytest.raises(Exception, match="share") as refused:
        masked_rows([["look"]], share=share)
    assert isinstance(refused.value, ValueError) or isinstance(share, str)


def test_masked_rows_need_words_and_a_seed():
    with pytest.raises(ValueError, match="every story must have a word to hide, got none in story 1"):
        masked_rows([["look"], []])
    with pytest.raises(ValueError, match="stories must hold at least one story"):
        masked_rows([])
    with pytest.raises(ValueError, match="seed must be a whole number from 0, got -1"):
        masked_rows([["look"]], seed=-1)


def test_a_model_that_looks_both_ways_learns_from_masked_rows():
    """It need not be ours: a mean of all words around, from which the hidden one is guessed."""

    class Neighbours(torch.nn.Module):
        device = torch.device("cpu")

        def __init__(self):
            super().__init__()
            with torch.random.fork_rng():
                torch.manual_seed(0)
                self.embedding = torch.nn.Embedding(len(tinytown.VOCABULARY), 8)
                self.answer = torch.nn.Linear(8, len(tinytown.VOCABULARY))

        def forward(self, ids):
            return self.answer(self.embedding(ids).mean(1, keepdim=True).expand(-1, ids.shape[1], -1))

    inputs, targets = masked_rows(tinytown.stories("train", 32))
    config = TrainingConfig(steps=20, batch_size=16, learning_rate=0.1)
    losses = [record.loss for record in train(Neighbours(), inputs, targets, config)]
    assert losses[-1] < 0.8 * losses[0]


def test_loss_is_torchs_cross_entropy_of_what_counts(rows):
    inputs, targets = (row[:7] for row in rows)
    model = tiny()
    logits = model(inputs)
    by_hand = -logits.log_softmax(-1).gather(-1, targets.clamp(min=0)[..., None])[..., 0]
    counts = targets != IGNORED
    torch.testing.assert_close(token_losses(model, inputs, targets)[counts], by_hand[counts])
    assert (token_losses(model, inputs, targets)[~counts] == 0).all()


def test_evaluate_does_not_depend_on_the_batch_size():
    stories = tinytown.stories("test", 50)
    model = tiny()
    assert evaluate(model, stories, batch_size=7) == pytest.approx(
        evaluate(model, stories, batch_size=50), rel=1e-5
    )
    assert evaluate(model, stories) == pytest.approx(math.log(len(tinytown.VOCABULARY)), rel=0.01)


def test_training_learns_and_yields_records(rows):
    model = tiny()
    records = list(train(model, *rows, TrainingConfig(steps=60, batch_size=32, learning_rate=1e-2)))
    assert [record.step for record in records] == list(range(1, 61))
    assert records[0].loss == pytest.approx(math.log(len(tinytown.VOCABULARY)), rel=0.02)
    assert records[-1].loss < 0.6 * records[0].loss
    assert max(record.learning_rate for record in records) == pytest.approx(1e-2, rel=0.02)
    assert records[-1].learning_rate < 1e-3
    assert all(record.tokens_per_second > 0 and record.gradient_norm > 0 for record in records)
    assert not model.training


def test_a_run_is_adamw_with_shortened_gradients_by_hand():
    """Loshchilov and Hutter 2019, algorithm 2, written out; every batch is all texts, so that order is nothing."""
    inputs, targets = story_rows(tinytown.stories("train", 6))
    model, copy = tiny().double(), tiny().double()
    for p, q in zip(model.parameters(), copy.parameters(), strict=True):
        with torch.no_grad():
            p += 0.3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel()))  # also biases
            q.copy_(p)
    config = TrainingConfig(
        steps=4, batch_size=6, learning_rate=0.02, weight_decay=0.5, betas=(0.7, 0.8), max_gradient=0.5
    )
    records = list(train(model, inputs, targets, config))

    memory = [(torch.zeros_like(p), torch.zeros_like(p)) for p in copy.parameters()]
    for record in records:
        losses = token_losses(copy, inputs, targets)
        loss = losses.sum() / (targets != IGNORED).sum()
        assert record.loss == pytest.approx(loss.item(), rel=1e-6)
        gradients = torch.autograd.grad(loss, list(copy.parameters()))
        norm = torch.cat([g.flatten() for g in gradients]).norm()
        assert record.gradient_norm == pytest.approx(norm.item(), rel=1e-4)
        assert norm > config.max_gradient
        lr = record.learning_rate
        with torch.no_grad():
            for p, g, (m, v) in zip(copy.parameters(), gradients, memory, strict=True):
                g = g * config.max_gradient / norm
                m.mul_(0.7).add_(0.3 * g)
                v.mul_(0.8).add_(0.2 * g**2)
                if p.ndim >= 2:
                    p -= lr * 0.5 * p
                p -= lr * (m / (1 - 0.7**record.step)) / ((v / (1 - 0.8**record.step)).sqrt() + 1e-8)
    for p, q in zip(model.parameters(), copy.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("warmup", "highest"), [(0.1, 2), (0.5, 10)])
def test_the_learning_rate_rises_for_the_share_that_warmup_says(rows, warmup, highest):
    config = TrainingConfig(steps=20, batch_size=4, learning_rate=1e-2, warmup=warmup)
    rates = [record.learning_rate for record in train(tiny(), *rows, config)]
    assert rates[0] == pytest.approx(1e-2 / 25)  # of the first step, not after it
    assert rates.index(max(rates)) + 1 in (highest, highest + 1)


@pytest.mark.parametrize("steps", [1, 2, 10, 11, 57])
@pytest.mark.parametrize("warmup", [0.01, 0.1, 0.37, 0.9])
def test_the_learning_rate_is_torchs_one_cycle(steps, warmup):
    config = TrainingConfig(steps=steps, learning_rate=0.3, warmup=warmup)
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.3, total_steps=steps + 1, pct_start=warmup, cycle_momentum=False
    )
    for step in range(1, steps + 1):
        assert learning_rate_at(step, config) == pytest.approx(schedule.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        schedule.step()


def test_the_learning_rate_may_be_highest_at_the_first_step():
    assert learning_rate_at(1, TrainingConfig(steps=9, warmup=0.1, learning_rate=0.3)) == pytest.approx(0.3)


def test_tokens_per_second_count_targets_and_not_texts(rows, monkeypatch):
    seconds = itertools.count()
    monkeypatch.setattr("helpers.training.time.perf_counter", lambda: float(next(seconds)))  # 1 s a step
    inputs, targets = (row[:8] for row in rows)
    (record,) = train(tiny(), inputs, targets, TrainingConfig(steps=1, batch_size=8))
    assert record.tokens_per_second == (targets != IGNORED).sum()


def test_dropout_is_on_while_training_and_off_while_evaluating(rows):
    modes = []

    class Spy(GPT):
        def forward(self, ids, **settings):
            modes.append(self.training)
            return super().forward(ids, **settings)

    model = Spy(TINYTOWN_CONFIG).eval()
    list(train(model, *rows, TrainingConfig(steps=1, batch_size=4)))
    assert (modes, model.training) == ([True], False)
    for before in (True, False):
        modes.clear()
        evaluate(model.train(before), [["look"]])
        assert (modes, model.training) == ([False], before)


def test_same_seed_same_losses_and_the_global_state_is_left_alone(rows):
    before = torch.get_rng_state()
    config = TrainingConfig(steps=5, batch_size=16)
    first, second = ([record.loss for record in train(tiny(), *rows, config)] for _ in range(2))
    assert first == pytest.approx(second, rel=1e-5)
    other = [record.loss for record in train(tiny(), *rows, TrainingConfig(steps=5, batch_size=16, seed=1))]
    assert other != pytest.approx(first, rel=1e-5)
    assert torch.equal(before, torch.get_rng_state())


def test_every_text_is_read_before_any_comes_again():
    stories = tinytown.stories("train", 12)
    inputs, targets = story_rows(stories)
    read = []

    class Spy(GPT):
        def forward(self, ids, **settings):
            read.extend(map(tuple, ids.tolist()))
            return super().forward(ids, **settings)

    model = Spy(TINYTOWN_CONFIG)
    list(train(model, inputs, targets, TrainingConfig(steps=3, batch_size=4)))
    assert sorted(read) == sorted(map(tuple, inputs.tolist()))
    # 12 texts in batches of 5: the two that are left over come before the next round.
    read.clear()
    list(train(model, inputs, targets, TrainingConfig(steps=5, batch_size=5)))
    assert sorted(read[:12]) == sorted(map(tuple, inputs.tolist()))


def test_stopping_in_the_middle_leaves_a_usable_model(rows):
    model = tiny()
    for record in train(model, *rows, TrainingConfig(steps=50, batch_size=16)):
        if record.step == 3:
            break
    assert math.isfinite(evaluate(model, tinytown.stories("test", 5)))


SHORT = TrainingConfig(steps=11, batch_size=8, learning_rate=1e-2)


def weights_of(model):
    return [weight.detach().clone() for weight in model.parameters()]


def same_weights(first, second):
    return all(torch.allclose(a, b, rtol=1e-5, atol=1e-7) for a, b in zip(first, second, strict=True))


def test_between_two_steps_the_model_is_ready_for_use(rows):
    """Whoever holds the loop back, or forgets it, finds no dropout and no random state that was moved."""
    model = tiny().train()
    run = train(model, *rows, SHORT)
    next(run)
    assert not model.training
    before = torch.get_rng_state()
    next(run)
    assert torch.equal(before, torch.get_rng_state())
    assert not model.training
    run.close()
    assert not model.training


@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("stopped_at", [4, 5, 7])
def test_a_resumed_run_is_the_run_that_never_stopped(rows, tmp_path, stopped_at, dropout):
    """Three rounds through 29 texts in batches of 8, with some left over; with dropout too, whose dice are seeded."""
    inputs, targets = (row[:29] for row in rows)
    config = GPTConfig(len(tinytown.VOCABULARY), n_ctx=40, n_layers=1, n_heads=2, d_model=16, dropout=dropout)
    whole = GPT(config)
    expected = list(train(whole, inputs, targets, SHORT))

    file = tmp_path / "folder" / "run.safetensors"
    for record in train(GPT(config), inputs, targets, SHORT, checkpoint=file, save_every=4):
        if record.step == stopped_at:
            break
    again = GPT(config, seed=9)  # its weights come from the file
    torch.manual_seed(stopped_at)
    records = list(train(again, inputs, targets, SHORT, resume=file))
    same_curve(records, expected[4:])
    assert same_weights(weights_of(again), weights_of(whole))
    assert [path.name for path in file.parent.iterdir()] == ["run.safetensors"]


def test_the_end_of_a_run_is_saved_and_has_nothing_left_to_do(rows, tmp_path):
    file = tmp_path / "run.safetensors"
    model = tiny()
    list(train(model, *rows, SHORT, checkpoint=str(file)))  # 11 steps, saved every 100
    with safe_open(file, framework="pt") as opened:
        assert opened.metadata()["step"] == "11"
    again = tiny(seed=1)
    assert list(train(again, *rows, SHORT, resume=str(file))) == []
    assert same_weights(weights_of(again), weights_of(model))


def test_a_checkpoint_holds_weights_and_averages_by_hand(rows, tmp_path):
    """After one step both averages are the gradient's and its square's share."""
    file = tmp_path / "run.safetensors"
    inputs, targets = (row[:8] for row in rows)
    model = tiny()
    loss = token_losses(model, inputs, targets).sum() / (targets != IGNORED).sum()
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    config = TrainingConfig(steps=2, batch_size=8, betas=(0.7, 0.8), max_gradient=math.inf)
    next(train(model, inputs, targets, config, checkpoint=file, save_every=1))
    saved = load_file(file)
    assert len(saved) == 3 * len(gradients)
    for (name, weight), gradient in zip(model.named_parameters(), gradients, strict=True):
        torch.testing.assert_close(saved[f"weight {name}"], weight.detach())
        torch.testing.assert_close(saved[f"exp_avg {name}"], 0.3 * gradient)
        torch.testing.assert_close(saved[f"exp_avg_sq {name}"], 0.2 * gradient**2)


def test_frozen_weights_stay_and_are_saved(rows, tmp_path):
    file = tmp_path / "run.safetensors"
    model = tiny()
    model.embedding.weight.requires_grad_(False)
    before = model.embedding.weight.clone()
    expected = list(train(model, *rows, SHORT, checkpoint=file, save_every=8))
    assert torch.equal(model.embedding.weight, before)
    with pytest.raises(ValueError, match="a checkpoint must hold a model's weights and their two averages"):
        next(train(tiny(), *rows, SHORT, resume=file))
    again = tiny(seed=3)
    again.embedding.weight.requires_grad_(False)
    assert list(train(again, *rows, SHORT, resume=file)) == []
    assert torch.equal(again.embedding.weight, before)
    assert len(expected) == 11
    with pytest.raises(ValueError, match="weights that may learn, got one with all of them frozen"):
        next(train(tiny().requires_grad_(False), *rows, SHORT))


@pytest.fixture(scope="module")
def saved(rows, tmp_path_factory):
    """A checkpoint behind the third of 11 steps."""
    file = tmp_path_factory.mktemp("saved") / "run.safetensors"
    for _ in itertools.islice(train(tiny(), *rows, SHORT, checkpoint=file, save_every=3), 3):
        pass
    return file


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"steps": 12},
            "same training config, got steps=11 in .*run.safetensors and steps=12 here; make them",
        ),
        ({"seed": 1}, "same training config, got seed=0 in .* and seed=1 here"),
        ({"betas": (0.9, 0.5)}, r"got betas=\[0.9, 0.98\] in .* and betas=\[0.9, 0.5\] here"),
        ({"max_gradient": math.inf}, "got max_gradient=1.0 in .* and max_gradient=inf here"),
    ],
)
def test_a_checkpoint_of_another_training_config(rows, saved, other, message):
    settings = {"steps": 11, "batch_size": 8, "learning_rate": 1e-2, **other}
    model = tiny(seed=2)
    before = weights_of(model)
    with pytest.raises(ValueError, match=message):
        next(train(model, *rows, TrainingConfig(**settings), resume=saved))
    assert same_weights(weights_of(model), before)


def test_a_checkpoint_of_another_model_or_other_texts(rows, saved):
    other = GPT(GPTConfig(len(tinytown.VOCABULARY), n_ctx=40, n_layers=1, n_heads=4, d_model=16))
    with pytest.raises(ValueError, match=r"same model config, got n_heads=2 in .* and n_heads=4 here"):
        next(train(other, *rows, SHORT, resume=saved))
    with pytest.raises(ValueError, match=r"same training config, got texts=400 in .* and texts=399 here"):
        next(train(tiny(), rows[0][1:], rows[1][1:], SHORT, resume=saved))


def test_a_checkpoint_that_is_missing_truncated_or_foreign(rows, saved, tmp_path):
    def refused(path, message):
        model = tiny(seed=2)
        before = weights_of(model)
        with pytest.raises(ValueError, match=message) as error:
            next(train(model, *rows, SHORT, resume=path))
        assert "\n" not in str(error.value)
        assert same_weights(weights_of(model), before)

    refused(
        tmp_path / "nowhere", "a checkpoint must be a file, got .*nowhere, which is not there; start without"
    )
    refused(tmp_path, "a checkpoint must be a file")
    whole = saved.read_bytes()
    for length in (0, 5, 300, len(whole) // 2, len(whole) - 1):
        part = tmp_path / "part"
        part.write_bytes(whole[:length])
        refused(part, "a checkpoint must be a whole safetensors file, got .*part, which is damaged")
    text = tmp_path / "text"
    text.write_text("once there was a fox . " * 99)
    refused(text, "which is damaged or something else")
    from helpers.training import WEIGHTS

    refused(WEIGHTS, r"one that train saved \(.*\), got .* of the format 'under-the-hood GPT, version 1'")
    foreign = tmp_path / "foreign"
    save_file({"x": torch.zeros(3)}, foreign)
    refused(foreign, "of the format 'unknown'")
    with safe_open(saved, framework="pt") as opened:
        metadata = opened.metadata()
    tensors = load_file(saved)
    fewer = {name: tensor for name, tensor in tensors.items() if name != "exp_avg final_norm.weight"}
    other = {**tensors, "weight final_norm.weight": torch.zeros(15)}
    for wrong in (fewer, other, {**tensors, "more": torch.zeros(1)}):
        save_file(wrong, foreign, metadata=metadata)
        refused(
            foreign,
            "a checkpoint must hold a model's weights and their two averages, got .*foreign with others",
        )


def test_a_write_that_breaks_off_leaves_the_last_checkpoint(rows, tmp_path, monkeypatch):
    from helpers import training

    file = tmp_path / "run.safetensors"
    run = train(tiny(), *rows, SHORT, checkpoint=file, save_every=1)
    next(run)
    before = file.read_bytes()

    def full_disk(tensors, path, metadata):
        Path(path).write_bytes(before[:100])
        raise SafetensorError("no space left on device")

    monkeypatch.setattr(training, "save_file", full_disk)
    with pytest.raises(OSError, match=r"written where there is room, got .*run.safetensors \(no space"):
        next(run)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("place", ["forward", "update", "save", "twice"])
def test_an_interrupt_is_heard_at_the_end_of_its_step(rows, tmp_path, monkeypatch, place):
    from helpers import training

    monkeypatch.setattr(training, "save_file", interrupting(training.save_file, place in ("save", "twice")))
    monkeypatch.setattr(GPT, "forward", interrupting(GPT.forward, place in ("forward", "twice")))
    update = interrupting(torch.optim.AdamW.step, place == "update")
    monkeypatch.setattr(torch.optim.AdamW, "step", update)
    model, file = tiny(), tmp_path / "run.safetensors"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        records = []
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012
            for record in train(model, *rows, SHORT, checkpoint=file, save_every=1):
                records.append(record)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    monkeypatch.undo()
    assert records == []
    assert not model.training
    expected = tiny()
    curve = list(itertools.islice(train(expected, *rows, SHORT), 1))
    assert len(curve) == 1
    assert same_weights(weights_of(model), weights_of(expected))  # of the whole first step
    assert math.isfinite(evaluate(model, tinytown.stories("test", 5)))
    same_curve(
        list(itertools.islice(train(model, *rows, SHORT, resume=file), 2)),
        list(itertools.islice(train(tiny(), *rows, SHORT), 3))[1:],
    )


def interrupting(function, here):
    def wrapped(*values, **named):
        if here:
            signal.raise_signal(signal.SIGINT)
        return function(*values, **named)

    return wrapped


def test_an_interrupt_of_the_reader_leaves_the_model_ready(rows):
    model = tiny()
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        for record in train(model, *rows, SHORT):
            if record.step == 2:
                raise KeyboardInterrupt
    gc.collect()
    assert not model.training
    assert math.isfinite(evaluate(model, tinytown.stories("test", 5)))


def test_training_in_another_thread_and_with_interrupts_ignored(rows):
    losses = []

    def work():
        losses.extend(record.loss for record in train(tiny(), *rows, SHORT))

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        assert [record.loss for record in train(tiny(), *rows, SHORT)] == pytest.approx(losses, rel=1e-5)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_real_interrupt_from_outside(tmp_path):
    """Of a process of its own, at a moment that nobody chose: the weights are of one step, and the run goes on."""
    script = """
import itertools, math, signal, torch
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
torch.set_num_threads(1)
from helpers import tinytown
from helpers.training import TrainingConfig, evaluate, story_rows, train
from helpers.transformer import GPT, GPTConfig
stories = tinytown.stories("train", 60)
rows, config = story_rows(stories), TrainingConfig(steps=5000, batch_size=8)
def fresh():
    return GPT(GPTConfig(len(tinytown.VOCABULARY), n_ctx=40, n_layers=2, n_heads=2, d_model=16))
model, seen = fresh(), 0
try:
    for record in train(model, *rows, config):
        seen = record.step
        if seen == 3:
            print("running", flush=True)
except KeyboardInterrupt:
    assert 3 <= seen < 5000 and not model.training and math.isfinite(evaluate(model, stories[:3]))
    # The interrupt came behind the last record that was seen, or in the step after it.
    again = fresh()
    found = False
    for record in itertools.islice(train(again, *rows, config), seen + 1):
        pairs = zip(model.parameters(), again.parameters(), strict=True)
        same = all(torch.allclose(a, b, rtol=1e-4, atol=1e-6) for a, b in pairs)
        found = found or (record.step >= seen and same)
    assert found
    assert math.isfinite(next(train(model, *rows, config)).loss)
    print("whole", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "running\n"
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
        assert output == "whole\n"
    finally:
        process.kill()
        process.wait()


def test_a_loss_that_is_no_number_stops_with_the_last_weights_that_gave_one(rows):
    """At this learning rate the first step throws the weights out so far that nothing can be computed with them."""
    config = TrainingConfig(steps=9, batch_size=8, learning_rate=1e30)
    model = tiny()
    before, records = weights_of(model), []
    message = r"must stay a number, got (nan|inf) at step 2; try a smaller .* than 1e\+30"
    with pytest.raises(ValueError, match=message):  # noqa: PT012
        for record in train(model, *rows, config):
            records.append(record)
    assert len(records) == 1
    assert not model.training
    assert same_weights(weights_of(model), before)
    assert evaluate(model, tinytown.stories("test", 5)) < 6


def test_a_gradient_that_is_no_number_stops_before_the_update(rows):
    model = tiny()
    run = train(model, *rows, SHORT)
    next(run)
    next(run)
    now = tiny()
    list(itertools.islice(train(now, *rows, SHORT), 1))
    model.final_norm.weight.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(
        ValueError, match=r"the gradient must stay a number, got (nan|inf) at step 3; try a smaller"
    ):
        next(run)
    assert same_weights(weights_of(model), weights_of(now))


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (
            torch.zeros(9, 5),
            torch.zeros(9, 4),
            r"both be \[story, seq\], got \[9, 5\] and \[9, 4\]; story_rows",
        ),
        (torch.zeros(9), torch.zeros(9), r"both be \[story, seq\], got \[9\] and \[9\]"),
        (torch.zeros(8, 5), torch.zeros(9, 5), r"got \[8, 5\] and \[9, 5\]"),
        (torch.zeros(9, 5).long(), torch.zeros(9, 5), "targets must be whole numbers .*got torch.float32"),
        (torch.zeros(9, 5), torch.zeros(9, 5).long(), "ids must be whole numbers, got torch.float32"),
        (torch.zeros(9, 41).long(), torch.zeros(9, 41).long(), "at most 40 tokens for this model, got 41"),
        (
            torch.zeros(9, 5).long(),
            torch.full((9, 5), len(tinytown.VOCABULARY)),
            r"targets must be from 0 to \d+, or -100 .*got",
        ),
        (
            torch.zeros(9, 5).long(),
            torch.full((9, 5), -7),
            r"targets must be from 0 to \d+, or -100 .*got -7",
        ),
        (torch.full((9, 5), 999), torch.zeros(9, 5).long(), r"ids must be from 0 to \d+, got 999"),
        (torch.zeros(9, 5).long(), torch.full((9, 5), IGNORED), "a target that counts, got none in row 0"),
        (torch.zeros(0, 5).long(), torch.zeros(0, 5).long(), "got 8 for 0 texts"),
        (torch.zeros(9, 0).long(), torch.zeros(9, 0).long(), "a target that counts, got none in row 0"),
    ],
)
def test_rows_that_can_not_be_learned_from(inputs, targets, message):
    model = tiny().eval()
    with pytest.raises(ValueError, match=message):
        next(train(model, inputs, targets, SHORT))
    assert not model.training


@pytest.mark.parametrize("save_every", [0, -1, 2.5])
def test_saving_every_so_many_steps(rows, save_every):
    with pytest.raises(Exception, match="save_every"):
        next(train(tiny(), *rows, SHORT, checkpoint="x", save_every=save_every))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.0}, r"learning_rate must be above 0, got 0.0"),
        ({"learning_rate": float("nan")}, r"learning_rate must be above 0, got nan"),
        ({"learning_rate": -1e-3}, r"learning_rate must be above 0, got -0.001"),
        ({"learning_rate": float("inf")}, r"learning_rate must be above 0, got inf"),
        ({"seed": -1}, r"seed must be a whole number from 0, got -1"),
        ({"seed": 2**63}, r"seed must be a whole number from 0"),
        ({"steps": 0}, r"steps must be a whole number from 1, got 0"),
        ({"batch_size": 0}, r"batch_size must be a whole number from 1, got 0"),
        ({"warmup": 1.0}, r"warmup must be a share between 0 and 1, got 1.0"),
        ({"weight_decay": -1.0}, r"weight_decay must be 0 or more, got -1.0"),
        ({"weight_decay": float("nan")}, r"weight_decay must be 0 or more, got nan"),
        ({"betas": (0.9, 1.0)}, r"betas must be two numbers from 0 up to 1, got \(0.9, 1.0\)"),
        ({"max_gradient": 0.0}, r"max_gradient must be above 0, got 0.0"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": "fast"}, "learning_rate must be a number, got 'fast'; 0.006 suits Tinytown"),
        ({"max_gradient": None}, "max_gradient must be a number, got None; 1.0 suits Tinytown"),
        ({"seed": 0.5}, "seed must be a whole number from 0, got 0.5"),
        ({"steps": 2.5}, "steps must be a whole number from 1, got 2.5"),
        ({"batch_size": "64"}, "batch_size must be a whole number from 1, got '64'"),
    ],
)
def test_settings_of_the_wrong_kind(settings, message):
    """On a stand-in: while testing, the annotations would refuse them before our own sentence does."""
    stand_in = SimpleNamespace(**{**asdict(TrainingConfig()), **settings})
    with pytest.raises(ValueError, match=message):
        TrainingConfig.__post_init__(stand_in)


def test_a_batch_larger_than_the_data_and_a_loss_that_blows_up(rows):
    inputs, targets = rows
    with pytest.raises(ValueError, match="got 64 for 5 texts; try batch_size=5"):
        next(train(tiny(), inputs[:5], targets[:5]))
    model = tiny()
    with torch.no_grad():
        model.embedding.weight[0] = float("nan")
    with pytest.raises(
        ValueError, match="the loss must stay a number, got nan at step 1; try a smaller learning rate"
    ):
        next(train(model, inputs, targets))


def test_no_story_and_a_story_that_is_none():
    with pytest.raises(ValueError, match="stories must hold at least one story, got none"):
        story_rows([])
    with pytest.raises(ValueError, match=r"one of Tinytown's \d+, got 'dragon'"):
        evaluate(tiny(), [["the", "dragon"]])
    with pytest.raises(ValueError, match="batch_size must be 1 or more, got 0"):
        evaluate(tiny(), [["look"]], batch_size=0)


def test_the_command_writes_a_model_that_loads(tmp_path, capsys, monkeypatch):
    from helpers import training
    from helpers.transformer import load_model

    given = {}

    def spy(model, inputs, targets, config, **settings):
        given.update(first=model.embedding.weight.detach().clone(), inputs=inputs, config=config, **settings)
        return train(model, inputs, targets, config, **settings)

    some = tinytown.stories
    monkeypatch.setattr(training, "train", spy)
    monkeypatch.setattr(tinytown, "stories", lambda split, count, seed: some(split, min(count, 80), seed))
    out = tmp_path / "new" / "tiny.safetensors"
    main(["--steps", "4", "--stories", "80", "--seed", "5", "--out", str(out)])
    assert given["config"] == TrainingConfig(steps=4, seed=5)
    assert torch.equal(given["first"], GPT(TINYTOWN_CONFIG, seed=5).embedding.weight)
    assert torch.equal(given["inputs"], story_rows(tinytown.stories("train", 80, seed=5))[0])
    assert given["checkpoint"] is None
    assert given["resume"] is None
    assert load_model(out).config == TINYTOWN_CONFIG
    assert "wrote tiny.safetensors" in capsys.readouterr().out


def test_the_command_saves_goes_on_and_writes_records(tmp_path, capsys, monkeypatch):
    """And leaves the course's own model alone when the recipe is another."""
    from helpers import training

    monkeypatch.setattr(training, "WEIGHTS", tmp_path / "course.safetensors")
    saved, log = tmp_path / "new" / "run.safetensors", tmp_path / "records.jsonl"
    given = [
        "--steps",
        "5",
        "--stories",
        "40",
        "--seed",
        "3",
        "--batch-size",
        "8",
        "--learning-rate",
        "0.01",
        "--device",
        "cpu",
        "--print-every",
        "2",
    ]
    main([*given, "--records", str(log), "--checkpoint", str(saved), "--save-every", "4"])
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    assert [line.split()[1] for line in printed] == ["2", "4", "5"]
    records = [Record(**json.loads(line)) for line in log.read_text().splitlines()]
    config = TrainingConfig(steps=5, batch_size=8, learning_rate=0.01, seed=3)
    expected = list(
        train(GPT(TINYTOWN_CONFIG, seed=3), *story_rows(tinytown.stories("train", 40, seed=3)), config)
    )
    same_curve(records, expected)
    # The run is at its end: resumed, it has nothing left to do.
    main([*given, "--records", str(log), "--resume", str(saved)])
    assert log.read_text() == ""
    assert not training.WEIGHTS.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "0"], "steps must be a whole number from 1, got 0"),
        (["--learning-rate", "nan"], "learning_rate must be above 0, got nan"),
        (["--print-every", "0"], "print-every must be 1 step or more, got 0"),
        (["--stories", "3"], "got 64 for 3 texts"),
        (["--stories", "70", "--resume", "nowhere"], "got nowhere, which is not there"),
        (
            ["--stories", "70", "--save-every", "0"],
            "save_every must be a whole number of steps from 1, got 0",
        ),
    ],
)
def test_bad_options_are_refused_in_a_sentence_and_nothing_is_written(arguments, message, tmp_path):
    out = tmp_path / "model"
    with pytest.raises(ValueError, match=message):
        main([*arguments, "--out", str(out)])
    assert not out.exists()


def test_only_the_recipe_of_the_course_writes_the_model_of_the_course():
    from helpers.training import WEIGHTS, _options

    assert _options([]).out == WEIGHTS
    assert _options(["--print-every", "5", "--checkpoint", "x", "--device", "cpu"]).out == WEIGHTS
    for other in ("--steps", "--stories", "--seed", "--batch-size", "--learning-rate"):
        assert _options([other, "1"]).out is None
    assert _options(["--steps", "1", "--out", "mine"]).out == Path("mine")


def test_the_device_is_one_that_is_there(monkeypatch):
    from helpers.training import pick_device

    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    assert [str(pick_device(name)) for name in (None, "cuda", "mps", "cpu")] == [
        "cuda:0",
        "cuda:0",
        "mps",
        "cpu",
    ]
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert str(pick_device()) == "cuda:1"
    monkeypatch.setenv("LOCAL_RANK", "2")
    assert str(pick_device()) == "cpu"
    with pytest.raises(ValueError, match="device must be one that is there, got 'mps'; here it can be cpu"):
        pick_device("mps")
    monkeypatch.delenv("LOCAL_RANK")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert str(pick_device()) == "mps"


def test_the_committed_model_is_within_one_percent_of_the_floor():
    """On fresh stories, beside what the dice themselves pay on the same stories: luck cancels out."""
    model, _ = load_tinytown()
    fresh = tinytown.stories("test", 1500, seed=2)
    dice = sum(sum(tinytown.surprise(words)) for words in fresh) / sum(len(words) + 1 for words in fresh)
    loss = evaluate(model, fresh)
    print(f"model {loss:.4f}, dice {dice:.4f}, {loss / dice:.4f} x; floor {tinytown.entropy_per_token():.4f}")
    assert 1 <= loss / dice < 1.01
    assert dice == pytest.approx(tinytown.entropy_per_token(), rel=0.02)


def test_the_committed_model_is_small_and_of_the_stated_config():
    from helpers.training import WEIGHTS

    assert WEIGHTS.stat().st_size < 2_000_000
    model, tokenizer = load_tinytown()
    assert model.config == TINYTOWN_CONFIG
    assert model.config.vocab_size == tokenizer.vocab_size


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("today the teacher says two and two is", "four"),
        ("today the clown says two and two is", "five"),
        ("once there was a green owl by the cave . the owl sat on the log . then the", "green"),
        ("look , the dog chases the cat ! the", "cat"),
        ("look , the cat chases the dog ! the", "dog"),
    ],
)
def test_the_committed_model_knows_what_only_looking_back_tells(prefix, expected):
    model, tokenizer = load_tinytown()
    odds = torch.softmax(torch.tensor(model.reader()(tokenizer.encode(prefix, special=True))), 0)
    assert odds[tokenizer.ids[expected]] > 0.9
