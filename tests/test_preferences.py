"""Preferences: the loss by hand and against ``trl``, pairs, training, and what is measured about it."""

import copy
import itertools
import json
import math
import signal
import types
from collections import defaultdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import preferences, tinytown
from helpers.preferences import (
    BETAS,
    RUNS,
    SEEDS,
    STEPS,
    Pair,
    Point,
    PreferenceConfig,
    Run,
    Telling,
    bedtime,
    beginnings,
    divergence,
    dpo_loss,
    least_divergence,
    load_runs,
    log_probability_of,
    main,
    measure,
    preference_pairs,
    preference_rows,
    rewards,
    save_runs,
    tell,
    train_dpo,
)
from helpers.pretrained import load_tinytown
from helpers.training import IGNORED, story_rows
from helpers.transformer import GPT, GPTConfig

WORDS = tinytown.VOCABULARY
PAIRS = [
    Pair("the fox", "sat on the mat .", "hid in the hay ."),
    Pair("the hen", "slept .", "chased a red dog ."),
    Pair("look ,", "the owl !", "the owl met a blue cow ."),
    Pair("once", "there was a pig .", "the pig swam to the bank ."),
    Pair("the red bear", "slept by the lake .", "went home to the farm ."),
]


@pytest.fixture(scope="module")
def reference():
    return load_tinytown()[0]


@pytest.fixture(scope="module")
def pairs(reference):
    return preference_pairs(reference, count=96, seed=3)


@pytest.fixture(scope="module")
def trained(reference, pairs):
    """A model after a short run, with its records."""
    model = load_tinytown(trainable=True)[0]
    records = list(train_dpo(model, reference, pairs, PreferenceConfig(steps=12)))
    return model, records


def small(seed=0, vocab_size=None, n_ctx=21, std=0.3):
    """Weights large enough that every word matters."""
    config = GPTConfig(
        vocab_size=vocab_size or len(WORDS), n_ctx=n_ctx, n_layers=1, n_heads=2, d_model=6, bias=False
    )
    return GPT(config, seed=seed, std=std)


# ---------------------------------------------------------------------------------------------
# The loss.


def logs(*probabilities):
    return torch.tensor(probabilities, dtype=torch.float64).log()


def test_the_loss_by_hand():
    """Two pairs on round numbers, beta 0.5: rewards are halves of logarithms of ratios."""
    found = dpo_loss(logs(0.4, 0.1), logs(0.1, 0.9), logs(0.1, 0.4), logs(0.4, 0.1), beta=0.5)
    assert found.chosen_rewards.exp().tolist() == pytest.approx([2.0, 0.5])  # roots of 4 and 1/4
    assert found.rejected_rewards.exp().tolist() == pytest.approx([0.5, 3.0])  # roots of 1/4 and 9
    assert found.margins.exp().tolist() == pytest.approx([4.0, 1 / 6])
    assert found.accuracy.item() == pytest.approx(0.5)
    # sigmoid(ln 4) = 4/5 and sigmoid(ln 1/6) = 1/7
    assert found.loss.item() == pytest.approx(-(math.log(4 / 5) + math.log(1 / 7)) / 2)


def test_a_model_that_is_its_reference_pays_ln_2_and_prefers_nothing():
    same = logs(0.2, 0.3, 0.7)
    found = dpo_loss(same, same.flip(0), same, same.flip(0), beta=0.1)
    assert found.loss.item() == pytest.approx(math.log(2))
    assert found.accuracy.item() == pytest.approx(0)


def test_large_margins_stay_numbers():
    zero, far = torch.zeros(1), torch.full((1,), -5000.0)
    assert dpo_loss(zero, far, zero, zero, beta=1).loss.item() == pytest.approx(0)
    assert dpo_loss(far, zero, zero, zero, beta=1).loss.item() == pytest.approx(5000)
    chosen = far.clone().requires_grad_()
    dpo_loss(chosen, zero, zero, zero, beta=0.5).loss.backward()
    assert chosen.grad.item() == pytest.approx(-0.5)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.05, 3))
def test_the_gradient_is_the_paper_s(seed, beta):
    """Rafailov et al., section 4: beta * sigmoid(rejected reward - chosen reward), up for chosen, down for rejected."""
    rng = np.random.default_rng(seed)
    four = [torch.tensor(rng.normal(-9, 3, size=7)) for _ in range(4)]
    policy = [values.requires_grad_() for values in four[:2]]
    found = dpo_loss(*policy, *four[2:], beta)
    gradients = torch.autograd.grad(found.loss, policy)
    weight = beta * torch.sigmoid(found.rejected_rewards - found.chosen_rewards) / 7
    torch.testing.assert_close(gradients[0], -weight)
    torch.testing.assert_close(gradients[1], weight)
    assert torch.autograd.gradcheck(lambda *two: dpo_loss(*two, *four[2:], beta).loss, policy)


def test_it_is_trl_s_loss():
    """The loss, rewards, accuracy and gradient of trl's DPOTrainer, on a small llama of ``transformers``."""
    from transformers import LlamaConfig, LlamaForCausalLM
    from trl.trainer.dpo_trainer import DPOTrainer, add_fused_lm_head

    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=12,
        intermediate_size=20,
        num_hidden_layers=1,
        num_attention_heads=2,
        initializer_range=1.0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model, reference = (LlamaForCausalLM(config).eval() for _ in range(2))
    beta = 0.3
    inputs, targets = preference_rows(PAIRS)

    class Logits(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, ids):
            return self.inner(ids).logits

    def ours(one):
        found = log_probability_of(Logits(one), inputs.flatten(0, 1), targets.flatten(0, 1))
        return found.unflatten(0, (-1, 2)).unbind(1)

    with torch.no_grad():
        before = ours(reference)
    found = dpo_loss(*ours(model), *before, beta)
    found.loss.backward()
    gradient = model.lm_head.weight.grad.clone()
    model.zero_grad()

    add_fused_lm_head(model, outputs=("log_probs", "entropy", "mean_logits", "is_top1"))
    add_fused_lm_head(reference, outputs=("log_probs", "entropy", "mean_logits", "is_top1"))
    metrics = defaultdict(lambda: defaultdict(list))
    trainer = types.SimpleNamespace(
        model=model,
        ref_model=reference,
        accelerator=types.SimpleNamespace(
            device="cpu", gather=lambda values: values, gather_for_metrics=lambda values: values
        ),
        args=types.SimpleNamespace(gradient_checkpointing_kwargs=None),
        aux_loss_enabled=False,
        ld_alpha=None,
        precompute_ref_logps=False,
        f_divergence_type="reverse_kl",
        beta=beta,
        loss_types=["sigmoid"],
        loss_weights=[1.0],
        use_weighting=False,
        _metrics=metrics,
        _total_train_tokens=0,
    )
    # trl reads all chosen texts, then all rejected ones, each with its last token, and a mask over tokens.
    counts = targets != IGNORED
    last = targets[..., -1:].where(counts[..., -1:], 1)
    ids = torch.cat([inputs, last], dim=-1).transpose(0, 1).flatten(0, 1)
    mask = torch.cat([torch.zeros_like(counts[..., :1]), counts], dim=-1).transpose(0, 1).flatten(0, 1)
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "completion_mask": mask.long()}
    loss = DPOTrainer._compute_loss(trainer, model, batch, return_outputs=False)
    loss.backward()
    theirs = {
        name: values[-1] for name, values in metrics["eval"].items()
    }  # the models are in evaluation mode
    assert found.loss.item() == pytest.approx(loss.item(), abs=1e-5)
    assert found.margins.abs().min().item() > 0.01  # the two models differ
    assert found.chosen_rewards.mean().item() == pytest.approx(theirs["rewards/chosen"], abs=1e-4)
    assert found.rejected_rewards.mean().item() == pytest.approx(theirs["rewards/rejected"], abs=1e-4)
    assert found.margins.mean().item() == pytest.approx(theirs["rewards/margins"], abs=1e-4)
    assert found.accuracy.item() == pytest.approx(theirs["rewards/accuracies"])
    torch.testing.assert_close(model.lm_head.weight.grad, gradient, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("beta", [0, -0.1, math.nan, math.inf, True, "0.1", None])
def test_a_beta_that_is_no_number_above_0_is_refused(beta):
    one = torch.zeros(1)
    with pytest.raises(ValueError, match="beta must be a number above 0"):
        dpo_loss(one, one, one, one, beta)
    with pytest.raises(ValueError, match="beta must be a number above 0"):
        PreferenceConfig(beta=beta)


@pytest.mark.parametrize("shapes", [(2, 2, 2, 3), (2, 3, 2, 2), (0, 0, 0, 0), ((2, 1),) * 4, ((),) * 4])
def test_log_probabilities_of_other_shapes_are_refused(shapes):
    with pytest.raises(ValueError, match=r"one shape \[pair\]"):
        dpo_loss(*(torch.zeros(shape) for shape in shapes), beta=1)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_log_probabilities_that_are_no_numbers_are_refused(place, value):
    four = [torch.zeros(2) for _ in range(4)]
    four[place][1] = value
    name = ["policy_chosen", "policy_rejected", "reference_chosen", "reference_rejected"][place]
    with pytest.raises(ValueError, match=f"{name} must be finite"):
        dpo_loss(*four, beta=1)


# ---------------------------------------------------------------------------------------------
# The log-probability of a text.


def test_the_log_probability_of_a_text_is_the_sum_over_what_counts():
    model = small()
    inputs, targets = story_rows([["look", "!"], ["the", "red", "fox", "slept"]])
    targets[1, :2] = IGNORED
    with torch.no_grad():
        found = log_probability_of(model, inputs, targets)
        odds = model(inputs).double().softmax(-1)
    by_hand = [
        sum(math.log(odds[row, at, targets[row, at]]) for at in places)
        for row, places in enumerate([(0, 1, 2), (2, 3, 4)])
    ]
    assert found.tolist() == pytest.approx(by_hand, abs=1e-4)


def test_a_continuation_that_has_to_come_is_almost_certain(reference):
    beginning = "once there was a red fox by the river . the fox sat on the mat . then the"
    inputs, targets = story_rows([f"{beginning} red fox went home to the river .".split()])
    targets[:, : len(beginning.split())] = IGNORED
    assert 0.9 < log_probability_of(reference, inputs, targets).exp().item() <= 1.0001


def test_rows_that_do_not_fit_each_other_are_refused():
    inputs, targets = story_rows([["look", "!"]])
    with pytest.raises(ValueError, match="inputs and targets must both be"):
        log_probability_of(small(), inputs, targets[:, 1:])
    with pytest.raises(ValueError, match="targets must be from 0 to"):
        log_probability_of(small(), inputs, targets + 1000)


# ---------------------------------------------------------------------------------------------
# Stories, pairs and their rows.


def test_a_bedtime_story_has_sleep_and_no_chase():
    sleeps, hunts = "at night the fox slept by the river .", "the fox chased a red hen ."
    assert bedtime(sleeps)
    assert not bedtime(f"{hunts} {sleeps}")
    assert not bedtime(hunts)
    assert not bedtime("the fox followed a red hen .")
    assert not bedtime("")


def test_22_in_100_of_the_dice_s_stories_are_for_bedtime():
    """By hand: 3 of 10 endings sleep; 7/10 * 5/16 * 1/2 + 3/10 * 1/2 of the scenes have a chase."""
    stories = [words[10:] for words in tinytown.stories("train", 1600) if words[0] == "once"]
    share = sum(bedtime(" ".join(words)) for words in stories) / len(stories)
    assert share == pytest.approx(0.3 * (1 - 0.7 * 5 / 16 / 2 - 0.3 / 2), abs=0.05)


def test_beginnings_are_first_sentences_of_a_split():
    found = beginnings("test", 37, seed=2)
    whole = [" ".join(words) for words in tinytown.stories("test", 400, seed=2) if words[0] == "once"]
    assert len(found) == 37
    assert found == [story[: story.index(" .") + 2] for story in whole[:37]]
    assert len(set(found)) > 20
    assert beginnings("test", 37, seed=3) != found


def test_a_telling_goes_on_from_its_beginning_and_ends(reference):
    starts = beginnings("test", 5) * 2
    told = tell(reference, starts, seed=7)
    assert [story.beginning for story in told] == starts
    assert all(story.ended and tinytown.END not in story.continuation for story in told)
    assert [story.text for story in told] == [f"{story.beginning} {story.continuation}" for story in told]
    assert len({story.text for story in told}) > 5  # the dice differ, also behind one beginning
    assert tell(reference, starts, seed=7) == told
    assert tell(reference, starts, seed=8) != told


def test_a_story_without_an_end_stops_where_the_context_does():
    model = small(n_ctx=16)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()  # all words alike: the end comes once in 160
    told = tell(model, ["look ,"] * 9, seed=0)
    unended = [story for story in told if not story.ended]
    assert unended
    assert all(
        len(story.continuation.split()) == 13 for story in unended
    )  # <start> look , and 13 more are 16


def test_telling_needs_a_beginning(reference):
    with pytest.raises(ValueError, match="at least one beginning"):
        tell(reference, [])
    with pytest.raises(ValueError, match="one length"):
        tell(reference, ["look ,", "look"])
    with pytest.raises(ValueError, match="'zebra'"):
        tell(reference, ["the zebra"])


def test_pairs_are_two_tellings_of_one_beginning_told_apart_by_the_judge(pairs):
    assert len(pairs) == 96
    assert all(bedtime(pair.chosen) and not bedtime(pair.rejected) for pair in pairs)
    assert all(pair.beginning.startswith("once there was a ") for pair in pairs)
    assert len(set(pairs)) > 90
    heroes = [pair.beginning.split()[5] for pair in pairs]
    agree = sum(hero in pair.chosen for hero, pair in zip(heroes, pairs, strict=True))
    assert agree > 85  # both go on from that beginning


def test_pairs_repeat_with_their_seed_and_grow_with_their_count(reference, pairs):
    assert preference_pairs(reference, count=11, seed=3) == pairs[:11]
    assert preference_pairs(reference, count=11, seed=5) != pairs[:11]


def test_the_judge_decides_which_is_chosen(reference):
    found = preference_pairs(reference, lambda story: np.bool_("chased" in story), count=13, seed=4)
    assert all("chased" in pair.chosen and "chased" not in pair.rejected for pair in found)


def test_a_judge_without_a_preference_is_refused(monkeypatch, reference):
    monkeypatch.setattr(
        preferences, "tell", lambda model, starts, seed: [Telling(s, "the end", True) for s in starts]
    )
    with pytest.raises(ValueError, match="preferred one of two only 0 times in 1,000"):
        preference_pairs(reference, lambda story: True, count=5)


def test_stories_without_an_end_make_no_pairs(monkeypatch, reference):
    rolls = itertools.cycle(
        [Telling("x", "slept", False), Telling("x", "hid", True), Telling("x", "slept", True)]
    )
    monkeypatch.setattr(preferences, "tell", lambda model, starts, seed: [next(rolls) for _ in starts])
    found = preference_pairs(reference, count=9)
    assert set(found) == {Pair("x", "slept", "hid")}


@pytest.mark.parametrize("answer", [None, "yes", 0.7, math.nan, 1])
def test_a_judge_must_say_yes_or_no(monkeypatch, reference, answer):
    monkeypatch.setattr(
        preferences, "tell", lambda model, starts, seed: [Telling(s, "the end", True) for s in starts]
    )
    with pytest.raises(ValueError, match="a judge must answer True or False"):
        preference_pairs(reference, lambda story: answer, count=5)


@pytest.mark.parametrize("count", [0, -1, 2.5, math.nan, True, "3"])
def test_counts_are_whole_numbers_from_1(reference, count):
    with pytest.raises(ValueError, match="count must be a whole number from 1"):
        preference_pairs(reference, count=count)
    with pytest.raises(ValueError, match="count must be a whole number from 1"):
        beginnings("test", count)
    with pytest.raises(ValueError, match="seed must be a whole number from 0"):
        preference_pairs(reference, seed=-1)


def test_rows_hold_both_texts_and_count_the_continuations():
    inputs, targets = preference_rows(PAIRS)
    tokenizer = tinytown.WordTokenizer()
    assert inputs.shape == targets.shape == (5, 2, 10)
    for row, pair in enumerate(PAIRS):
        for side, text in enumerate((pair.chosen, pair.rejected)):
            counted = targets[row, side] != IGNORED
            assert tokenizer.decode(targets[row, side][counted].tolist()) == f"{text} {tinytown.END}"
            # What stands before the first target is the beginning.
            first = int(counted.nonzero()[0])
            assert tokenizer.decode(inputs[row, side, 1 : first + 1].tolist()) == pair.beginning
            assert inputs[row, side, 0] == tokenizer.start_id


def test_pairs_that_can_t_be_read_are_refused():
    with pytest.raises(ValueError, match="at least one pair, got none"):
        preference_rows([])
    with pytest.raises(ValueError, match=r"two different continuations.*pair 1"):
        preference_rows([PAIRS[0], Pair("the fox", "slept  .", "slept .")])
    with pytest.raises(ValueError, match="'zebra'"):
        preference_rows([Pair("the", "zebra", "fox")])
    long = Pair("the fox", "hid .", "the " * 60)
    with pytest.raises(ValueError, match="context of 64 tokens, got 65 in pair 0"):
        preference_rows([long._replace(rejected="the " * 62)])
    assert preference_rows([long])[0].shape == (1, 2, 63)


@pytest.mark.parametrize("side", ["chosen", "rejected"])
def test_a_text_may_fill_the_context_and_no_more(side):
    """A beginning of 2 words, a text and the first token: with 5 words that is 8."""
    pair = Pair("the fox", "hid .", "slept .")._replace(**{side: "the hen and the hen"})
    assert preference_rows([pair], n_ctx=8)[0].shape[-1] == 8
    with pytest.raises(ValueError, match="context of 7 tokens, got 8 in pair 0"):
        preference_rows([pair], n_ctx=7)


# ---------------------------------------------------------------------------------------------
# Training.


def test_records_begin_at_ln_2_and_the_margin_grows(trained):
    records = trained[1]
    assert [record.step for record in records] == list(range(1, 13))
    first, last = records[0], records[-1]
    assert first.loss == pytest.approx(math.log(2), abs=1e-5)
    assert (first.margin, first.chosen_reward, first.rejected_reward) == pytest.approx((0, 0, 0), abs=1e-4)
    assert last.loss < 0.2
    assert last.margin > 2
    assert last.accuracy > 0.9
    assert all(r.margin == pytest.approx(r.chosen_reward - r.rejected_reward, abs=1e-4) for r in records)


def test_the_first_step_is_gradient_descent_by_hand():
    """One batch of all pairs: the weights move against the gradient of the paper's loss, times the learning rate."""
    model, reference = small(1), small(1)
    config = PreferenceConfig(beta=0.7, steps=2, batch_size=5, learning_rate=0.01)
    inputs, targets = preference_rows(PAIRS)
    twin = copy.deepcopy(model)
    found = [log_probability_of(twin, inputs[:, side], targets[:, side]) for side in (0, 1)]
    loss = -torch.nn.functional.logsigmoid(
        0.7 * (found[0] - found[0].detach() - found[1] + found[1].detach())
    ).mean()
    gradients = torch.autograd.grad(loss, list(twin.parameters()))
    next(iter(train_dpo(model, reference, PAIRS, config)))
    for weight, old, gradient in zip(model.parameters(), twin.parameters(), gradients, strict=True):
        torch.testing.assert_close(weight.detach(), old.detach() - 0.01 * gradient, atol=1e-6, rtol=1e-4)


def test_a_record_is_of_its_batch_before_the_step():
    model, reference = small(1), small(2)
    before = rewards(model, reference, PAIRS, beta=0.4)
    config = PreferenceConfig(beta=0.4, steps=1, batch_size=5)
    (record,) = train_dpo(model, reference, PAIRS, config)
    assert record.loss == pytest.approx(before.loss.item(), abs=1e-4)
    assert record.margin == pytest.approx(before.margins.mean().item(), abs=1e-4)
    assert record.accuracy == pytest.approx(before.accuracy.item())
    assert record.chosen_reward == pytest.approx(before.chosen_rewards.mean().item(), abs=1e-4)
    assert record.rejected_reward == pytest.approx(before.rejected_rewards.mean().item(), abs=1e-4)


def test_the_reference_stays_and_the_model_is_at_rest_while_you_look(reference, pairs):
    before = [weight.clone() for weight in reference.parameters()]
    model = load_tinytown(trainable=True)[0]
    reference.train()
    try:
        for _ in train_dpo(model, reference, pairs, PreferenceConfig(steps=2)):
            assert not model.training
        assert reference.training  # as it was
    finally:
        reference.eval()
    assert all(torch.equal(old, new) for old, new in zip(before, reference.parameters(), strict=True))
    assert all(weight.grad is None for weight in reference.parameters())


def test_runs_repeat_with_their_seed():
    def run(seed):
        return list(train_dpo(small(1), small(2), PAIRS, PreferenceConfig(steps=4, batch_size=2, seed=seed)))

    assert [r.loss for r in run(5)] == pytest.approx([r.loss for r in run(5)])
    assert [r.loss for r in run(5)] != pytest.approx([r.loss for r in run(6)])


def test_every_pair_is_read_before_any_comes_again(monkeypatch):
    seen = []
    real = preferences._log_probabilities

    def watched(model, inputs, targets):
        seen.extend(inputs[:, 0].sum(-1).tolist())
        return real(model, inputs, targets)

    monkeypatch.setattr(preferences, "_log_probabilities", watched)
    list(train_dpo(small(1), small(2), PAIRS[:4], PreferenceConfig(steps=4, batch_size=2)))
    assert (
        sorted(seen[4:8]) == sorted(seen[8:12]) == sorted(seen[:4])
    )  # the reference reads all of them first


def test_frozen_weights_stay_frozen():
    model = small(1)
    model.requires_grad_(False)
    last = list(model.parameters())[-1].requires_grad_()
    before = [weight.clone() for weight in model.parameters()]
    list(train_dpo(model, small(2), PAIRS, PreferenceConfig(steps=2, batch_size=5)))
    for old, new in zip(before, model.parameters(), strict=True):
        assert torch.equal(old, new) == (new is not last)


def test_an_interrupt_is_heard_when_its_step_is_done(monkeypatch, interrupts):
    model, real, calls = small(1), preferences.dpo_loss, []

    def interrupted(*values):
        calls.append(model.training)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return real(*values)

    twin = small(1)
    config = PreferenceConfig(steps=5, batch_size=5)
    for _ in itertools.islice(train_dpo(twin, small(2), PAIRS, config), 2):
        pass
    monkeypatch.setattr(preferences, "dpo_loss", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(train_dpo(model, small(2), PAIRS, config))
    assert calls == [True, True]
    assert not model.training
    for weight, same in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(weight, same)


def test_a_rate_that_blows_up_is_refused_and_the_weights_stay_numbers():
    model = small(1)
    run = train_dpo(model, small(2), PAIRS, PreferenceConfig(steps=99, batch_size=5, learning_rate=1e30))
    with pytest.raises(ValueError, match=r"must stay numbers, they did not at step \d+; try a smaller"):
        list(run)
    assert all(weight.isfinite().all() for weight in model.parameters())
    start = small(1)
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), start.parameters(), strict=True)
    )  # the first step ruined them


def test_a_gradient_that_is_no_number_is_refused(monkeypatch):
    model = small(1)
    real = preferences.dpo_loss

    def broken(*values):
        found = real(*values)
        return found._replace(loss=found.loss * math.inf)

    monkeypatch.setattr(preferences, "dpo_loss", broken)
    with pytest.raises(ValueError, match="at step 1"):
        list(train_dpo(model, small(2), PAIRS, PreferenceConfig(steps=2, batch_size=5)))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), small(1).parameters(), strict=True))


@pytest.mark.parametrize("judged", [train_dpo, rewards, measure])
def test_a_reference_that_does_not_fit_is_refused(judged):
    def call(model, reference):
        if judged is train_dpo:
            next(train_dpo(model, reference, PAIRS, PreferenceConfig(batch_size=5)))
        elif judged is rewards:
            rewards(model, reference, PAIRS, 1.0)
        else:
            measure(model, reference)

    model = small(1)
    with pytest.raises(ValueError, match="a model of its own"):
        call(model, model)
    shared = small(2)
    shared.blocks = model.blocks
    with pytest.raises(ValueError, match="a model of its own"):
        call(model, shared)
    with pytest.raises(ValueError, match="the model's vocab_size, got 300"):
        call(model, small(2, vocab_size=300))
    with pytest.raises(ValueError, match="the model's n_ctx, got 22 for 21"):
        call(model, small(2, n_ctx=22))


def test_a_run_that_can_t_be_trained_is_refused():
    def start(model=None, pairs=PAIRS, **values):
        next(train_dpo(model or small(1), small(2), pairs, PreferenceConfig(**{"batch_size": 5, **values})))

    with pytest.raises(
        ValueError, match=r"batch_size must be at most the number of pairs, got 6 for 5 pairs"
    ):
        start(batch_size=6)
    with pytest.raises(ValueError, match="at least one pair"):
        start(pairs=[])
    with pytest.raises(ValueError, match="all of them frozen"):
        start(small(1).requires_grad_(False))
    with pytest.raises(ValueError, match="context of 8 tokens"):
        next(train_dpo(small(1, n_ctx=8), small(2, n_ctx=8), PAIRS, PreferenceConfig(batch_size=5)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("steps", value) for value in (0, -1, 1.5, True, "9", None)),
        *(("batch_size", value) for value in (0, 2.5, math.nan)),
        *(("seed", value) for value in (-1, 0.5, "0")),
        *(("learning_rate", value) for value in (0, -1, math.nan, math.inf, "1", True)),
    ],
)
def test_settings_are_checked(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a .*number"):
        PreferenceConfig(**{name: value})


# ---------------------------------------------------------------------------------------------
# Measures.


def test_rewards_are_those_of_each_pair():
    model, reference = small(1), small(2)
    model.train()
    found = rewards(model, reference, PAIRS, beta=0.6)
    assert model.training
    assert not found.margins.requires_grad
    for row, pair in enumerate(PAIRS):
        inputs, targets = preference_rows([pair])
        for side, values in enumerate((found.chosen_rewards, found.rejected_rewards)):
            moved = [log_probability_of(one, inputs[:, side], targets[:, side]) for one in (model, reference)]
            assert values[row].item() == pytest.approx(0.6 * (moved[0] - moved[1]).item(), abs=1e-4)


def test_the_divergence_is_torch_s_summed_over_what_counts():
    model, reference = small(1), small(2)
    inputs, targets = story_rows([["look", "!"], ["the", "red", "fox", "slept"]])
    targets[1, :2] = IGNORED
    found = divergence(model, reference, inputs, targets)
    with torch.no_grad():
        ours, theirs = (
            torch.distributions.Categorical(logits=one(inputs).double()) for one in (model, reference)
        )
    nats = torch.distributions.kl_divergence(ours, theirs)
    by_hand = [nats[0, :3].sum().item(), nats[1, 2:].sum().item()]
    assert found.tolist() == pytest.approx(by_hand, rel=1e-5)
    assert abs(by_hand[0] - torch.distributions.kl_divergence(theirs, ours)[0, :3].sum()) > 0.01
    assert divergence(model, copy.deepcopy(model), inputs, targets).tolist() == pytest.approx([0, 0])


def test_the_divergence_is_the_mean_log_ratio_of_the_model_s_own_texts(reference, trained):
    """KL is E[ln p - ln q] over texts of p: exact at every place, it must agree with the mean over many texts."""
    model = trained[0]
    told = tell(model, beginnings("test", 40) * 20, seed=5)
    inputs, targets = story_rows([story.text.split() for story in told])
    targets[:, :10] = IGNORED
    with torch.no_grad():
        ratios = log_probability_of(model, inputs, targets) - log_probability_of(reference, inputs, targets)
    exact = divergence(model, reference, inputs, targets).mean().item()
    assert ratios.mean().item() == pytest.approx(exact, abs=0.15)
    assert exact > 0.5


def test_inputs_and_targets_of_a_divergence_must_fit():
    inputs, targets = story_rows([["look", "!"]])
    with pytest.raises(ValueError, match=r"one shape \[text, seq\]"):
        divergence(small(1), small(2), inputs, targets[:, 1:])


def test_the_least_divergence_by_hand():
    assert least_divergence(0.25, 0.5) == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3))
    assert least_divergence(0.2, 1) == pytest.approx(math.log(5))
    assert least_divergence(0.2, 0) == pytest.approx(math.log(5 / 4))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_no_way_to_reach_a_share_costs_less(seed):
    """Any odds over texts: their divergence is at least that of the two coins."""
    rng = np.random.default_rng(seed)
    old, new = rng.dirichlet(np.ones(9)), rng.dirichlet(np.ones(9))
    liked = np.arange(9) < 4
    assert (new * np.log(new / old)).sum() >= least_divergence(old[liked].sum(), new[liked].sum()) - 1e-12
    scaled = np.where(liked, old / old[liked].sum() * 0.9, old / old[~liked].sum() * 0.1)
    assert (scaled * np.log(scaled / old)).sum() == pytest.approx(least_divergence(old[liked].sum(), 0.9))


@pytest.mark.parametrize(
    "shares", [(0, 0.5), (1, 0.5), (0.5, 1.1), (0.5, -0.1), (math.nan, 0.5), (0.5, math.nan)]
)
def test_shares_are_checked(shares):
    with pytest.raises(ValueError, match="before must be between 0 and 1"):
        least_divergence(*shares)


def test_what_a_preference_changes_and_what_it_costs(reference, trained):
    """The claims of the notebook, with margins that hold on every CPU."""
    model = load_tinytown()[0]
    before, after = measure(model, reference), measure(trained[0], reference)
    assert 0.1 < before.liked < 0.35
    assert after.liked > 0.7
    assert before.allowed > 0.95
    assert after.allowed > 0.9
    assert before.divergence == pytest.approx(0, abs=1e-6)
    assert 0.5 < after.divergence < 2.5
    assert before.loss < after.loss - 0.02
    assert after.other_loss == pytest.approx(before.other_loss, abs=0.02)
    assert after.different < before.different
    assert len(after.stories) == 200


def test_training_reaches_pairs_that_it_did_not_see(reference, trained, pairs):
    kept = preference_pairs(reference, count=60, seed=9)
    found = rewards(trained[0], reference, kept, beta=1.0)
    assert found.accuracy > 0.9
    assert found.chosen_rewards.mean() > 0.5
    assert found.rejected_rewards.mean() < -1


def test_measures_are_counts_over_the_stories(reference, trained):
    found = measure(trained[0], reference, lambda story: "hay" in story, stories=23, seed=2)
    told = found.stories
    assert len(told) == 23
    assert found.liked == pytest.approx(sum("hay" in story.continuation for story in told) / 23)
    allowed = sum(preferences.is_allowed(story.text) for story in told if story.ended)
    assert found.allowed == pytest.approx(allowed / 23)
    assert found.different == pytest.approx(len({story.text for story in told}) / 23)
    assert len({story.beginning for story in told}) <= 3
    assert measure(trained[0], reference, stories=23, seed=2).stories == told
    assert measure(trained[0], reference, stories=23, seed=3).stories != told


def test_stories_that_fall_apart_are_counted(monkeypatch, reference):
    rows = [
        Telling("once there was a red fox by the river .", "the fox sat on the mat . all was quiet by the river .", True),
        Telling("once there was a red fox by the river .", "the fox sat on the mat . all was quiet by the river .", False),
        Telling("once there was a red fox by the river .", "the the the slept", True),
        Telling("once there was a red fox by the river .", "", True),
    ]  # fmt: skip
    monkeypatch.setattr(preferences, "tell", lambda *_: (rows * 3)[:10])
    found = measure(load_tinytown()[0], reference, stories=10)
    assert found.allowed == pytest.approx(0.3)
    assert found.liked == pytest.approx(0.2)
    assert found.different == pytest.approx(0.3)


def test_losses_are_of_the_judged_kind_and_of_the_others(monkeypatch, reference):
    seen = []
    monkeypatch.setattr(
        preferences, "evaluate", lambda model, stories: float(len(seen.append(stories) or seen))
    )
    found = measure(load_tinytown()[0], reference, stories=12, seed=1)
    assert (found.loss, found.other_loss) == pytest.approx((1, 2))
    assert [len(stories) for stories in seen] == [12, 12]
    assert {words[0] for words in seen[0]} == {"once"}
    assert "once" not in {words[0] for words in seen[1]}


@pytest.mark.parametrize("stories", [0, 9, 10.5, True, "20"])
def test_ten_stories_are_the_least(reference, stories):
    with pytest.raises(ValueError, match="stories must be a whole number from 10"):
        measure(load_tinytown()[0], reference, stories=stories)
    with pytest.raises(ValueError, match="seed must be a whole number from 0"):
        measure(load_tinytown()[0], reference, seed=-1)


# ---------------------------------------------------------------------------------------------
# The committed runs.


@pytest.fixture(scope="module")
def runs():
    return load_runs()


def test_the_runs_are_the_plan(runs):
    assert [(run.beta, run.seed) for run in runs] == [(beta, seed) for beta in BETAS for seed in SEEDS]
    for run in runs:
        assert tuple(point.step for point in run.points) == STEPS
        assert run.points[0].margin == pytest.approx(0, abs=1e-4)
        assert all(len(point.stories) == 3 for point in run.points)


def test_over_optimising_is_in_the_committed_runs(runs):
    """What the notebook says about the table."""
    for run in runs:
        first, last = run.points[0], run.points[-1]
        assert 0.15 < first.liked < 0.3
        assert first.allowed > 0.95
        margins = [point.margin for point in run.points]
        assert margins == sorted(margins)  # the reward never stops rising
        if run.beta >= 0.3:  # a short leash: liked, allowed, and hardly further away than it must be
            assert last.liked > 0.95
            assert last.allowed > 0.95
            assert last.divergence < 2
            assert abs(last.other_loss - first.other_loss) < 0.01
            assert last.chosen > 1
        else:
            assert last.allowed < 0.7
            assert last.divergence > 8
            assert last.other_loss > first.other_loss + 0.2
            assert last.chosen < -2  # the chosen stories themselves became less probable
            assert any(
                point.liked > 0.9 and point.allowed > 0.95 for point in run.points
            )  # it was good before
        assert last.different < first.different or run.beta < 0.3
    assert all(run.points[-1].allowed < 0.05 for run in runs if run.beta == 0.03)


def test_the_command_makes_what_is_committed(tmp_path, capsys, runs):
    """Its first steps again, and a file that reads back."""
    path = tmp_path / "again.json"
    main(["--quick", "--out", str(path)])
    assert "wrote again.json" in capsys.readouterr().out
    (again,) = load_runs(path)
    assert (again.beta, again.seed) == (BETAS[0], SEEDS[0])
    assert [point.step for point in again.points] == [0, 3]
    start, committed = again.points[0], runs[0].points[0]
    assert start[:-1] == pytest.approx(committed[:-1], abs=0.03)
    with pytest.raises(SystemExit):
        main(["--quick"])


def test_saved_runs_read_back(tmp_path):
    point = Point(3, 1.0, -2.5, 1e-9, 0.5, 0.25, 1.0, 12.34567, 0.1, 0.2, ("a b", "", "c"))
    path = tmp_path / "runs.json"
    save_runs([Run(0.5, 4, (point, point))], path)
    (run,) = load_runs(path)
    assert (run.beta, run.seed, len(run.points)) == (0.5, 4, 2)
    assert run.points[1] == point._replace(divergence=12.35)
    assert [file.name for file in tmp_path.iterdir()] == ["runs.json"]


def test_files_of_runs_are_read_with_care(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"python -m helpers\.preferences makes it"):
        load_runs(tmp_path / "none.json")
    path = tmp_path / "bad.json"
    whole = json.loads(RUNS.read_text())
    for text, message in [
        (RUNS.read_text()[:500], "must be whole"),
        ("[]", "must say that its format is"),
        ('{"format": "another"}', "must say that its format is"),
        (json.dumps({**whole, "runs": [{"beta": 1}]}), "got one that does not fit"),
        (json.dumps({**whole, "runs": [{"beta": 1, "seed": 0, "points": [[1, 2]]}]}), "does not fit"),
        (json.dumps({**whole, "runs": None}), "does not fit"),
    ]:
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            load_runs(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="must be whole"):
        load_runs(path)
