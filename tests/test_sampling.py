"""Sampling against torch's softmax, numbers worked by hand, and its own limits."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from helpers import sampling
from helpers.sampling import (
    entropy,
    generate,
    min_p,
    next_distribution,
    roll,
    temperature_softmax,
    top_k,
    top_p,
)

rows = hnp.arrays(np.float64, st.integers(2, 40), elements=st.floats(-30, 30))


# --- temperature ------------------------------------------------------------------------------


@given(rows, st.floats(0.05, 20))
def test_temperature_is_torchs_softmax_of_scaled_logits(logits, temperature):
    theirs = torch.softmax(torch.tensor(logits) / temperature, dim=0).numpy()
    np.testing.assert_allclose(temperature_softmax(logits, temperature), theirs, atol=1e-12)


def test_by_hand():
    # e^0 = 1, e^(ln 2) = 2, e^(ln 5) = 5: shares of 8.
    logits = [0.0, np.log(2), np.log(5)]
    np.testing.assert_allclose(temperature_softmax(logits), [1 / 8, 2 / 8, 5 / 8])
    # Half the temperature squares the weights: 1, 4, 25.
    np.testing.assert_allclose(temperature_softmax(logits, 0.5), [1 / 30, 4 / 30, 25 / 30])


def test_both_limits():
    logits = np.array([1.0, 3.0, 2.0, 3.0, -np.inf])
    np.testing.assert_array_equal(temperature_softmax(logits, 0), [0, 0.5, 0, 0.5, 0])
    np.testing.assert_array_equal(temperature_softmax(logits, np.inf), [0.25, 0.25, 0.25, 0.25, 0])
    np.testing.assert_allclose(temperature_softmax(logits, 1e-300), temperature_softmax(logits, 0))
    np.testing.assert_allclose(
        temperature_softmax(logits, 1e9), temperature_softmax(logits, np.inf), atol=1e-8
    )


@given(rows, st.floats(0.05, 20))
def test_temperature_never_changes_the_order_and_heat_raises_entropy(logits, temperature):
    p = temperature_softmax(logits, temperature)
    assert (np.diff(p[np.argsort(logits, kind="stable")]) >= -1e-15).all()
    assert entropy(temperature_softmax(logits, 2 * temperature)) >= entropy(p) - 1e-9


def test_large_logits_do_not_overflow():
    np.testing.assert_array_equal(temperature_softmax([1e308, 0.0]), [1, 0])
    np.testing.assert_allclose(temperature_softmax([1e4, 1e4 - 1]), temperature_softmax([1.0, 0.0]))


@pytest.mark.parametrize(
    ("logits", "temperature", "message"),
    [
        ([1.0, 2.0], -1, r"temperature must be 0 or more, got -1; 0 is greedy"),
        ([1.0, 2.0], float("nan"), r"temperature must be 0 or more, got nan"),
        ([1.0, float("nan")], 1, r"logits must be numbers, got NaN"),
        ([-np.inf, -np.inf], 1, r"at least one logit must be finite"),
        ([[1.0, 2.0]], 1, r"one row with a score for each token, got shape \(1, 2\)"),
        ([], 1, r"got shape \(0,\)"),
    ],
)
def test_bad_temperature_and_logits(logits, temperature, message):
    with pytest.raises(ValueError, match=message):
        temperature_softmax(logits, temperature)


# --- cutting the tail -------------------------------------------------------------------------

P = np.array([0.1, 0.4, 0.05, 0.3, 0.15])


def test_top_k_by_hand():
    np.testing.assert_allclose(top_k(P, 2), [0, 4 / 7, 0, 3 / 7, 0])
    np.testing.assert_allclose(top_k(P, 99), P)
    np.testing.assert_allclose(top_k([0.25] * 4, 2), [0.5, 0.5, 0, 0])  # a tie at the edge: the lower ids


def test_top_p_by_hand():
    np.testing.assert_allclose(top_p(P, 0.4), [0, 1, 0, 0, 0])
    np.testing.assert_allclose(top_p(P, 0.41), [0, 4 / 7, 0, 3 / 7, 0])
    np.testing.assert_allclose(top_p(P, 0.7), [0, 4 / 7, 0, 3 / 7, 0])  # 0.4 + 0.3 reaches it, in floats too
    np.testing.assert_allclose(top_p(P, 1), P)
    np.testing.assert_array_equal(top_p([1 - 1e-14, 1e-14], 1) > 0, [True, True])  # 1 keeps every token
    np.testing.assert_array_equal(top_p(P, 1e-13), [0, 1, 0, 0, 0])  # and the best always stays


def test_min_p_by_hand():
    np.testing.assert_allclose(min_p(P, 0.5), [0, 4 / 7, 0, 3 / 7, 0])
    np.testing.assert_allclose(min_p(P, 0), P)
    np.testing.assert_allclose(min_p(P, 1), [0, 1, 0, 0, 0])


def test_temperature_comes_first_then_top_k_then_top_p_then_min_p():
    logits = np.log(P)
    # 0.4 and 0.3 become 4/7 and 3/7: the first alone reaches 0.5. Top-p first would have kept both.
    np.testing.assert_allclose(next_distribution(logits, top_k=2, top_p=0.5), [0, 1, 0, 0, 0])
    # Top-p keeps 0.4, 0.3 and 0.15; of these min-p keeps two. Min-p first would have left 4/7, which is enough.
    np.testing.assert_allclose(next_distribution(logits, top_p=0.55, min_p=0.5), [0, 4 / 7, 0, 3 / 7, 0])
    # Half the temperature squares: 0.16 of 0.285 is enough alone.
    np.testing.assert_allclose(next_distribution(logits, 0.5, top_p=0.55), [0, 1, 0, 0, 0])


def test_against_transformers():
    from transformers.generation import logits_process as theirs

    rng = np.random.default_rng(4)
    logits = rng.normal(0, 3, size=47)
    scores = torch.tensor(logits)[None]
    for ours, warper in (
        (next_distribution(logits, top_k=7), theirs.TopKLogitsWarper(7)),
        (next_distribution(logits, top_p=0.83), theirs.TopPLogitsWarper(0.83)),
        (next_distribution(logits, min_p=0.07), theirs.MinPLogitsWarper(0.07)),
        (next_distribution(logits, temperature=1.7), theirs.TemperatureLogitsWarper(1.7)),
    ):
        np.testing.assert_allclose(ours, warper(None, scores).softmax(-1)[0].numpy(), atol=1e-6)


@given(rows, st.integers(1, 50), st.floats(0.01, 1), st.floats(0, 1))
def test_what_is_left_is_a_distribution_with_the_same_ratios(logits, k, p, m):
    before = temperature_softmax(logits)
    for after in (
        top_k(before, k),
        top_p(before, p),
        min_p(before, m),
        next_distribution(logits, 1, k, p, m),
    ):
        assert after.sum() == pytest.approx(1)
        kept = after > 0
        assert kept[before.argmax()]
        np.testing.assert_allclose(after[kept] * before.max(), before[kept] * after.max(), rtol=1e-9)


def test_arguments_stay_as_they_are():
    before = P.copy()
    for keep, setting in ((top_k, 2), (top_p, 0.5), (min_p, 0.5)):
        keep(P, setting)
        np.testing.assert_array_equal(P, before)


@pytest.mark.parametrize(
    ("keep", "setting", "message"),
    [
        (top_k, 0, r"top-k must be a whole number from 1, got 0"),
        (top_k, 2.5, r"top-k must be a whole number from 1, got 2.5"),
        (top_k, float("nan"), r"top-k must be a whole number from 1, got nan"),
        (top_p, 0, r"top-p must be above 0 and at most 1, got 0; 1 keeps every token"),
        (top_p, 1.01, r"top-p must be above 0 and at most 1, got 1.01"),
        (top_p, float("nan"), r"got nan"),
        (min_p, -0.1, r"min-p must be from 0 to 1, got -0.1"),
        (min_p, 2, r"min-p must be from 0 to 1, got 2"),
    ],
)
def test_bad_settings(keep, setting, message):
    with pytest.raises(ValueError, match=message):
        keep(P, setting)


@pytest.mark.parametrize("p", [[0.5, 0.6], [1.5, -0.5], [np.nan, 1.0], [[1.0]], [2.0, 3.0]])
def test_what_is_no_distribution_is_refused(p):
    with pytest.raises(ValueError, match="probabilities must be one row of numbers from 0 that add up to 1"):
        entropy(p)


# --- entropy and rolling ----------------------------------------------------------------------


def test_entropy_by_hand():
    assert str(entropy([0.0, 1.0])) == "0.0"  # and not -0.0
    assert entropy([0.5, 0.5]) == pytest.approx(np.log(2))
    assert entropy([0.5, 0.25, 0.25]) == pytest.approx(1.5 * np.log(2))


def test_rolls_come_as_often_as_they_should():
    rng = np.random.default_rng(0)
    n = 40_000
    counts = np.bincount([roll(P, rng) for _ in range(n)], minlength=5)
    assert (np.abs(counts / n - P) < 5 * np.sqrt(P * (1 - P) / n)).all()
    assert {roll([0.0, 0.5, 0.0, 0.5, 0.0], seed) for seed in range(50)} == {1, 3}


def test_the_smallest_roll_is_a_token_that_can_come():
    class Zero(np.random.Generator):
        def random(self, *_, **__):
            return 0.0

    assert roll([0.0, 1.0], Zero(np.random.PCG64(0))) == 1


def test_the_largest_roll_stays_inside():
    class AlmostOne(np.random.Generator):
        def random(self, *_, **__):
            return np.nextafter(1, 0)

    assert roll([0.1] * 10 + [0.0], AlmostOne(np.random.PCG64(0))) == 9


# --- generate ---------------------------------------------------------------------------------


def a_model(ids):
    """Likes the token after the last one, of 7."""
    logits = np.zeros(7)
    logits[(ids[-1] + 1) % 7] = 3
    return logits


def test_greedy_by_hand():
    steps = list(generate(a_model, [2], 4, temperature=0))
    assert [step.token for step in steps] == [3, 4, 5, 6]
    assert all(step.probability == 1 and step.entropy == 0 for step in steps)


def test_probability_and_entropy_are_those_of_the_dice():
    for step, before in zip(generate(a_model, [2], 9, temperature=2, seed=5), range(9), strict=True):
        del before
        assert step.entropy == pytest.approx(entropy(temperature_softmax(a_model([0]), 2)))
        assert step.probability in np.round(temperature_softmax(a_model([0]), 2), 12) or step.probability > 0
    tokens = [2]
    for step in generate(a_model, [2], 20, temperature=2, seed=5):
        assert step.probability == pytest.approx(temperature_softmax(a_model(tokens), 2)[step.token])
        tokens.append(step.token)


@pytest.mark.parametrize("settings", [{"top_k": 2}, {"top_p": 0.5}, {"min_p": 0.1}])
def test_every_setting_reaches_the_dice(settings):
    """Without it, 60 rolls of 7 tokens, the last six of them alike, would show them all."""
    for step in generate(
        lambda ids: np.log([0.6, 0.39, 0.002, 0.002, 0.002, 0.002, 0.002]), [0], 60, **settings
    ):
        expected = next_distribution(np.log([0.6, 0.39, 0.002, 0.002, 0.002, 0.002, 0.002]), **settings)
        assert step.probability == pytest.approx(expected[step.token])
        assert step.entropy == pytest.approx(entropy(expected))


def test_same_seed_same_text_and_stop():
    def run(seed):
        return [step.token for step in generate(a_model, [0], 30, seed=seed)]

    assert run(3) == run(3)
    assert len({tuple(run(seed)) for seed in range(8)}) == 8
    stopped = [step.token for step in generate(a_model, [0], 30, temperature=0, stop=[4])]
    assert stopped == [1, 2, 3, 4]


def test_it_streams_and_leaves_the_prompt_alone():
    asked = []

    def model(ids):
        asked.append(list(ids))
        return a_model(ids)

    prompt = [1, 2]
    steps = generate(model, prompt, 5, temperature=0)
    assert asked == []
    next(steps)
    assert asked == [[1, 2]]
    next(steps)
    assert asked == [[1, 2], [1, 2, 3]]
    assert prompt == [1, 2]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -0.5}, r"temperature must be 0 or more, got -0.5"),
        ({"temperature": float("nan")}, r"got nan"),
        ({"top_p": 0}, r"top-p must be above 0"),
        ({"top_k": 0}, r"top-k must be"),
        ({"min_p": 3}, r"min-p must be"),
        ({"max_tokens": -1}, r"max_tokens must be a whole number from 0, got -1"),
        ({"max_tokens": 1.5}, r"got 1.5"),
        ({"stop": 4}, r"stop must be a collection of ids, got 4; write stop=\[4\]"),
    ],
)
def test_bad_settings_are_refused_before_the_first_token(settings, message):
    with pytest.raises(ValueError, match=message):
        generate(a_model, [0], **settings)


def test_a_text_where_ids_are_meant_is_named():
    with pytest.raises(ValueError, match="ids must be the ids of tokens, got the text 'My name is'"):
        generate(a_model, "My name is")


def test_with_our_gpt_and_its_context():
    from helpers.transformer import GPT, GPTConfig

    model = GPT(GPTConfig(vocab_size=11, n_ctx=6, n_layers=1, n_heads=2, d_model=8), seed=1)
    assert len(list(generate(model, [1, 2, 3], 3))) == 3
    with pytest.raises(ValueError, match="at most 6 tokens"):
        list(generate(model, [1, 2, 3], 9))


def test_the_module_needs_numpy_only():
    import subprocess
    import sys

    for module in ("sampling", "tinytown", "ngrams", "translation", "pipeline", "tokenization"):
        code = f"import sys, helpers.{module}; assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
        subprocess.run([sys.executable, "-c", code], check=True)
    assert sampling.generate.__doc__
