"""The training loop, and the committed Tinytown GPT against the floor it was trained towards."""

import itertools
import math

import pytest
import torch

from helpers import tinytown
from helpers.pretrained import load_tinytown
from helpers.training import (
    IGNORED,
    TINYTOWN_CONFIG,
    TrainingConfig,
    evaluate,
    main,
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


def test_rows_by_hand():
    tokenizer = tinytown.WordTokenizer()
    inputs, targets = story_rows([["look", "!"], ["hello"]])
    look, bang, hello = (tokenizer.ids[word] for word in ("look", "!", "hello"))
    assert inputs.tolist() == [[0, look, bang], [0, hello, 1]]
    assert targets.tolist() == [[look, bang, 1], [hello, 1, IGNORED]]


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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.0}, r"learning_rate must be above 0, got 0.0"),
        ({"learning_rate": float("nan")}, r"learning_rate must be above 0, got nan"),
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

    def spy(model, inputs, targets, config):
        given.update(first=model.embedding.weight.detach().clone(), inputs=inputs, config=config)
        return train(model, inputs, targets, config)

    monkeypatch.setattr(training, "train", spy)
    out = tmp_path / "new" / "tiny.safetensors"
    main(["--steps", "4", "--stories", "80", "--seed", "5", "--out", str(out)])
    assert given["config"] == TrainingConfig(steps=4, seed=5)
    assert torch.equal(given["first"], GPT(TINYTOWN_CONFIG, seed=5).embedding.weight)
    assert torch.equal(given["inputs"], story_rows(tinytown.stories("train", 80, seed=5))[0])
    assert load_model(out).config == TINYTOWN_CONFIG
    assert "wrote tiny.safetensors" in capsys.readouterr().out


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
