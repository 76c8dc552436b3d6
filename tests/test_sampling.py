"""Sampling against torch's softmax, numbers worked by hand, and its own limits."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from js.run import run as run_js

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
        ({"max_tokens": -1}, r"max_tokens must be a whole number from 1, got -1"),
        ({"max_tokens": 1.5}, r"got 1.5"),
        ({"max_tokens": 0}, r"got 0; 20 is a short sentence"),
        ({"repetition_penalty": 0}, r"the repetition penalty must be above 0"),
        ({"alternatives": -1}, r"alternatives must be a whole number from 0, got -1; 5 shows"),
        ({"when_full": "wait"}, r"when_full must be 'error', 'stop' or 'slide', got 'wait'; 'slide' goes on"),
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


# --- repetition penalty and the order of the steps --------------------------------------------


def test_the_repetition_penalty_by_hand():
    # Likely tokens are divided, unlikely ones multiplied: both get less likely. Zero has no side to go to.
    got = sampling.repetition_penalty([6.0, -6.0, 0.0, 6.0, -np.inf], [1, 0, 0, 2, 4], 1.5)
    np.testing.assert_array_equal(got, [4, -9, 0, 6, -np.inf])
    np.testing.assert_array_equal(sampling.repetition_penalty([1.0, -1.0], [0, 1], 0.5), [2, -0.5])
    np.testing.assert_array_equal(sampling.repetition_penalty([1.0, -1.0], (), 2), [1, -1])


@given(rows, st.lists(st.integers(0, 1)))
def test_a_penalty_of_1_does_nothing_and_no_argument_is_changed(logits, seen):
    before = logits.copy()
    np.testing.assert_array_equal(sampling.repetition_penalty(logits, seen, 1), before)
    sampling.repetition_penalty(logits, [0, 1], 3)
    np.testing.assert_array_equal(logits, before)


def test_the_repetition_penalty_and_the_whole_order_against_transformers():
    from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel

    rng = np.random.default_rng(6)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=53, n_positions=8, n_embd=8, n_layer=1, n_head=2))
    settings = {"repetition_penalty": 1.4, "temperature": 0.8, "top_k": 9, "top_p": 0.9, "min_p": 0.06}
    config = GenerationConfig(do_sample=True, **settings)
    for _ in range(20):
        logits, seen = rng.normal(0, 2, size=53), rng.integers(0, 53, size=11).tolist()
        ids = torch.tensor(seen)[None]
        # The list of processors is theirs, in their order.
        theirs = model._get_logits_processor(config, input_ids_seq_length=11, device="cpu")
        assert len(theirs) == 5  # none was left out because its setting changes nothing
        expected = theirs(ids, torch.tensor(logits)[None]).softmax(-1)[0].numpy()
        np.testing.assert_allclose(next_distribution(logits, **settings, seen=seen), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("seen", "penalty", "message"),
    [
        ([0], 0, r"the repetition penalty must be above 0 and finite, got 0; 1 does nothing"),
        ([0], -1, r"got -1"),
        ([0], float("nan"), r"got nan"),
        ([0], float("inf"), r"got inf"),
        ([0, 3], 1.2, r"the ids seen must be from 0 to 2, got 3"),
        ([0, -1], 1.2, r"the ids seen must be from 0 to 2, got -1"),
    ],
)
def test_bad_penalties(seen, penalty, message):
    with pytest.raises(ValueError, match=message):
        sampling.repetition_penalty([1.0, 2.0, 3.0], seen, penalty)


SETTINGS = {"temperature": 0.8, "top_k": 9, "top_p": 0.9, "min_p": 0.2, "repetition_penalty": 1.4}


def test_the_stages_lead_from_the_models_odds_to_the_dice():
    logits, seen = np.random.default_rng(0).normal(0, 2, size=53), [3, 1, 4, 1]
    found = sampling.stages(logits, **SETTINGS, seen=seen)
    names = ["softmax", "repetition penalty", "temperature", "top-k", "top-p", "min-p"]
    assert [stage.name for stage in found] == names
    penalised = sampling.repetition_penalty(logits, seen, 1.4)
    warm = temperature_softmax(penalised, 0.8)
    expected = [temperature_softmax(logits), temperature_softmax(penalised), warm, top_k(warm, 9)]
    expected += [top_p(expected[-1], 0.9)]
    expected += [min_p(expected[-1], 0.2)]
    for stage, odds in zip(found, expected, strict=True):
        np.testing.assert_allclose(stage.probabilities, odds)
    np.testing.assert_allclose(found[-1].probabilities, next_distribution(logits, **SETTINGS, seen=seen))
    assert len({int((stage.probabilities > 0).sum()) for stage in found}) == 4  # each cut does something


def test_stages_that_are_not_in_use_are_left_out_unless_asked_for():
    logits = [2.0, 1.0, 0.0]
    assert [stage.name for stage in sampling.stages(logits)] == ["softmax"]
    assert [stage.name for stage in sampling.stages(logits, 1, top_p=0.5)] == ["softmax", "top-p"]
    assert [stage.name for stage in sampling.stages(logits, 0, min_p=0)] == [
        "softmax",
        "temperature",
        "min-p",
    ]
    every = sampling.stages(logits, 2, top_p=0.5, every=True)
    assert len(every) == 6
    np.testing.assert_array_equal(every[0].probabilities, every[1].probabilities)
    np.testing.assert_array_equal(every[2].probabilities, every[3].probabilities)


# --- the temperature of an entropy ------------------------------------------------------------


@given(hnp.arrays(np.float64, st.integers(2, 40), elements=st.floats(-30, 30)), st.floats(0.02, 0.98))
def test_the_temperature_gives_the_entropy_back(logits, share):
    least, most = (entropy(temperature_softmax(logits, limit)) for limit in (0, np.inf))
    target = least + share * (most - least)
    found = sampling.temperature_for_entropy(logits, target)
    assert entropy(temperature_softmax(logits, found)) == pytest.approx(target, abs=1e-6)


def test_the_temperature_of_an_entropy_by_hand_and_at_both_limits():
    # Odds 1 : 4 become 1 : 2 at temperature 2.
    target = entropy([1 / 3, 2 / 3])
    assert sampling.temperature_for_entropy([0.0, np.log(4)], target) == pytest.approx(2, abs=1e-9)
    assert sampling.temperature_for_entropy([0.0, 1.0], 0) == 0
    assert sampling.temperature_for_entropy([3.0, 3.0, 1.0], np.log(2)) == 0
    assert sampling.temperature_for_entropy([0.0, 1.0, -np.inf], np.log(2)) == np.inf


@pytest.mark.parametrize("target", [-0.1, 1.2, float("nan")])
def test_an_entropy_out_of_reach(target):
    message = r"the entropy must be from 0 \(temperature 0\) to 1.099 \(no end to it\) for these logits, got"
    with pytest.raises(ValueError, match=message):
        sampling.temperature_for_entropy([3.0, 2.0, 1.0], target)
    with pytest.raises(ValueError, match=r"must be from 0.6931"):
        sampling.temperature_for_entropy([3.0, 3.0, 1.0], 0.1)


# --- seeded draws, the same in the browser ----------------------------------------------------

SEEDS = [0, 1, 20, -7, 123_456_789, 2**32 - 1, 2**32 + 5]


def test_the_browser_draws_the_same_points():
    body = "return given.map((seed) => Array.from({length: 60}, (_, i) => m.random(seed, i)))"
    for seed, theirs in zip(SEEDS, run_js("tinytown", body, SEEDS), strict=True):
        np.testing.assert_array_equal(sampling.uniforms(60, seed), theirs)


def test_the_browser_draws_the_same_tokens():
    odds = temperature_softmax(np.random.default_rng(2).normal(0, 3, size=61))
    odds = top_p(odds, 0.97)
    body = """const counts = Array(given.odds.length).fill(0);
    for (let i = 0; i < 500; i++) counts[m.roll(given.odds, m.random(given.seed, i))]++;
    return counts"""
    theirs = run_js("tinytown", body, {"odds": odds.tolist(), "seed": 4})
    assert sampling.draw_counts(odds, 500, 4).tolist() == theirs


@pytest.mark.parametrize("seed", [0, 1, 20, -7])
def test_the_points_are_spread_evenly_and_know_nothing_of_each_other(seed):
    n = 20_000
    points = sampling.uniforms(n, seed)
    assert points.min() >= 0
    assert points.max() < 1
    cells = np.histogram2d(points[:-1], points[1:], bins=8, range=[[0, 1], [0, 1]])[0]
    chi_squared = ((cells - (n - 1) / 64) ** 2 / ((n - 1) / 64)).sum()
    assert 63 - 4.5 * np.sqrt(126) < chi_squared < 63 + 4.5 * np.sqrt(126)
    other = sampling.uniforms(n, seed + 1)
    assert abs(np.corrcoef(points, other)[0, 1]) < 4.5 / np.sqrt(n)
    np.testing.assert_array_equal(sampling.uniforms(9, seed), points[:9])  # more of them change none


def test_every_token_has_a_count():
    assert sampling.draw_counts([0.0, 1.0, 0.0], 5, 1).tolist() == [0, 5, 0]


def test_counts_stray_as_far_as_the_standard_error_says():
    odds, n = np.array([0.6, 0.0, 0.25, 0.1, 0.05]), 1000
    error = sampling.standard_error(odds, n)
    np.testing.assert_allclose(error[:2], [np.sqrt(0.6 * 0.4 / 1000), 0])
    shares = np.array([sampling.draw_counts(odds, n, seed) for seed in range(300)]) / n
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(shares.mean(axis=0), odds, atol=0.004)
    np.testing.assert_allclose(shares.std(axis=0), error, rtol=0.15)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sampling.uniforms(0, 1), r"n must be a whole number from 1, got 0; 1,000 shows odds"),
        (lambda: sampling.draw_counts([1.0], -3, 1), r"got -3"),
        (lambda: sampling.draw_counts([0.4, 0.4], 5, 1), r"add up to 1"),
        (lambda: sampling.standard_error([1.0], 0), r"n must be a whole number from 1, got 0"),
        (lambda: sampling.standard_error([0.4, 0.4], 5), r"add up to 1"),
    ],
)
def test_bad_draws(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- what each step carries, and a context that is full ---------------------------------------


def test_steps_carry_the_models_own_odds_and_the_alternatives():
    logits = np.log(P)  # 0.1, 0.4, 0.05, 0.3, 0.15
    dice = next_distribution(logits, temperature=0.5, top_k=2)
    for step in sampling.generate(lambda ids: logits, [0], 6, temperature=0.5, top_k=2, alternatives=3):
        assert step.odds == pytest.approx(P[step.token])
        assert step.probability == pytest.approx(dice[step.token])
        assert [other.token for other in step.alternatives] == [1, 3, 4]
        np.testing.assert_allclose([other.odds for other in step.alternatives], [0.4, 0.3, 0.15])
        np.testing.assert_allclose([other.probability for other in step.alternatives], [*dice[[1, 3]], 0])


@pytest.mark.parametrize("n", [0, 1, 5, 9])
def test_as_many_alternatives_as_are_asked_for_and_there(n):
    (step,) = sampling.generate(lambda ids: np.log(P), [0], 1, alternatives=n)
    assert [other.token for other in step.alternatives] == [1, 3, 4, 0, 2][:n]


def test_the_penalty_sees_the_prompt_and_every_token_since():
    steps = list(
        generate(lambda ids: np.array([9.0, 8.0, 7.0, 1.0]), [0], 3, temperature=0, repetition_penalty=3)
    )
    assert [step.token for step in steps] == [1, 2, 0]
    plain = list(generate(lambda ids: np.array([9.0, 8.0, 7.0, 1.0]), [0], 3, temperature=0))
    assert [step.token for step in plain] == [0, 0, 0]


class Short:
    """Reads at most `n_ctx` tokens, keeps what it was asked, and likes the token after the last one."""

    def __init__(self, n_ctx):
        from types import SimpleNamespace

        self.config, self.asked = SimpleNamespace(n_ctx=n_ctx), []

    def reader(self):
        def read(ids):
            assert len(ids) <= self.config.n_ctx
            self.asked.append(list(ids))
            return a_model(ids)

        return read


def test_a_full_context_slides_by_half_and_keeps_its_first_token():
    model = Short(6)
    steps = list(generate(model, [0, 1], 9, temperature=0, when_full="slide"))
    assert [step.token for step in steps] == [2, 3, 4, 5, 6, 0, 1, 2, 3]
    assert model.asked[4:] == [
        [0, 1, 2, 3, 4, 5],
        [0, 4, 5, 6],
        [0, 4, 5, 6, 0],
        [0, 4, 5, 6, 0, 1],
        [0, 0, 1, 2],
    ]


def test_the_penalty_also_sees_what_the_model_has_forgotten():
    """It always likes 0 best, then 1, then 2 ...; the penalty lets no token come twice."""
    model = Short(3)
    model.reader = lambda: lambda ids: np.arange(7.0, 0.0, -1.0)
    steps = generate(model, [0], 6, temperature=0, repetition_penalty=1e9, when_full="slide")
    assert [step.token for step in steps] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("n_ctx", [1, 2, 3])
def test_even_the_shortest_context_slides(n_ctx):
    steps = list(generate(Short(n_ctx), [4, 5, 6, 0, 1], 4, temperature=0, when_full="slide"))
    assert [step.token for step in steps] == [2, 3, 4, 5]


def test_a_full_context_stops_or_says_so_and_offers_to_slide():
    prompt = [0, 1]
    assert len(list(generate(Short(6), prompt, 20, temperature=0, when_full="stop"))) == 5
    assert len(list(generate(Short(6), prompt, 5, temperature=0))) == 5  # the last token needs no reading
    message = (
        r"context is full: this model reads at most 6 tokens, and the text has 7; when_full='slide' forgets"
    )
    with pytest.raises(ValueError, match=message):
        list(generate(Short(6), prompt, 6, temperature=0))


@pytest.mark.parametrize("when_full", ["error", "stop"])
def test_a_prompt_that_does_not_fit_is_refused_at_once(when_full):
    message = (
        r"the prompt must have at most 6 tokens for this model, got 7; shorten it, or let when_full='slide'"
    )
    with pytest.raises(ValueError, match=message):
        generate(Short(6), list(range(7)), 2, when_full=when_full)


def test_sliding_with_our_gpt_gives_what_it_says_of_the_shortened_text():
    from helpers.transformer import GPT, GPTConfig

    model = GPT(GPTConfig(vocab_size=11, n_ctx=6, n_layers=2, n_heads=2, d_model=8), seed=1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(8)
    text = [1, 2, 3, 4]
    steps = list(generate(model, text, 4, temperature=0, when_full="slide"))
    text += [step.token for step in steps]
    assert steps[2].token == int(model.reader()(text[:6]).argmax())
    assert steps[3].token == int(model.reader()([text[0], *text[4:7]]).argmax())


# --- beams ------------------------------------------------------------------------------------


def a_table(vocab, seed, last=2):
    """A model whose odds depend on the last two ids, drawn once."""
    table = np.random.default_rng(seed).normal(0, 1.5, size=(vocab,) * last + (vocab,))
    return lambda ids: table[tuple(ids[-last:])]


def all_texts(model, prompt, n, vocab):
    """Every text of n tokens and its log probability."""
    texts = {(): 0.0}
    for _ in range(n):
        texts = {
            (*text, token): total + float(np.log(temperature_softmax(model([*prompt, *text]))[token]))
            for text, total in texts.items()
            for token in range(vocab)
        }
    return texts


@pytest.mark.parametrize("seed", range(4))
def test_with_a_beam_for_every_text_the_search_misses_none(seed):
    model, prompt = a_table(3, seed), [1, 2]
    texts = all_texts(model, prompt, 4, 3)
    found = sampling.beam_search(model, prompt, 4, beams=3**4)
    assert {beam.tokens for beam in found} == set(texts)
    np.testing.assert_allclose([beam.log_probability for beam in found], sorted(texts.values(), reverse=True))
    for beam in found:
        assert beam.log_probability == pytest.approx(texts[beam.tokens])


@pytest.mark.parametrize("seed", range(4))
def test_one_beam_is_greedy_and_more_are_seldom_worse(seed):
    model, prompt = a_table(5, seed), [1, 2]
    greedy = list(generate(model, prompt, 8, temperature=0))
    (one,) = sampling.beam_search(model, prompt, 8, beams=1)
    assert one.tokens == tuple(step.token for step in greedy)
    assert one.log_probability == pytest.approx(sum(np.log(step.odds) for step in greedy))
    assert sampling.beam_search(model, prompt, 8, beams=25)[0].log_probability >= one.log_probability - 1e-9


def test_beams_that_ended_compete_and_lengths_can_be_made_fair():
    # After 0: 0 ends with 0.4, or 1 goes on with 0.6; 1 goes on to 1 with 0.6 and ends with 0.4.
    model = lambda ids: np.log([0.4, 0.6])  # noqa: E731
    found = sampling.beam_search(model, [1], 3, beams=3, stop=[0])
    assert [beam.tokens for beam in found] == [(0,), (1, 0), (1, 1, 1)]
    np.testing.assert_allclose([np.exp(beam.log_probability) for beam in found], [0.4, 0.24, 0.216])
    fair = sampling.beam_search(model, [1], 3, beams=3, stop=[0], length_penalty=1)
    assert [beam.tokens for beam in fair] == [(1, 1, 1), (1, 1, 0), (1, 0)]
    done = sampling.beam_search(lambda ids: np.log([0.99, 0.01]), [1], 50, beams=1, stop=[0])
    assert [beam.tokens for beam in done] == [(0,)]


def test_a_token_that_can_not_come_is_in_no_beam():
    found = sampling.beam_search(lambda ids: np.array([0.0, -np.inf, 0.0]), [0], 2, beams=9)
    assert {beam.tokens for beam in found} == {(0, 0), (0, 2), (2, 0), (2, 2)}


def small_gpt(seed=1, **changes):
    from helpers.transformer import GPT, GPTConfig

    sizes = {"vocab_size": 13, "n_ctx": 40, "n_layers": 2, "n_heads": 2, "d_model": 8} | changes
    model = GPT(GPTConfig(**sizes), seed=seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(6)
    return model


@pytest.mark.parametrize("prompt", [[3, 1, 4], [5] * 35])
def test_beams_read_side_by_side_are_those_read_one_by_one(prompt):
    model = small_gpt(dropout=0.3).train()
    together = sampling.beam_search(model, prompt, 5, beams=4, stop=[7])
    alone = sampling.beam_search(lambda ids: model.reader()(ids), prompt, 5, beams=4, stop=[7])
    assert model.training
    assert [beam.tokens for beam in together] == [beam.tokens for beam in alone]
    np.testing.assert_allclose(
        [beam.log_probability for beam in together], [beam.log_probability for beam in alone], atol=1e-4
    )


def test_beams_against_transformers():
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = {
        "vocab_size": 31,
        "n_positions": 32,
        "n_embd": 16,
        "n_layer": 2,
        "n_head": 2,
        "tie_word_embeddings": False,
    }
    theirs = GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=None, eos_token_id=None)).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in theirs.parameters():  # larger than a first draw, or all texts would be alike
            weight.normal_(0, 0.3, generator=generator)

    @torch.no_grad()
    def model(ids):
        return theirs(torch.tensor([ids])).logits[0, -1].numpy()

    settings = {"max_new_tokens": 6, "num_beams": 4, "do_sample": False, "length_penalty": 0.0}
    settings |= {"num_return_sequences": 4, "output_scores": True, "return_dict_in_generate": True}
    unlike_greedy = 0
    for prompt in ([3, 1, 4], [1, 5, 9], [2, 6, 5], [3, 5, 8]):
        ids = torch.tensor([prompt])
        written = theirs.generate(ids, attention_mask=torch.ones_like(ids), **settings, pad_token_id=0)
        ours = sampling.beam_search(model, prompt, 6, beams=4)
        assert [list(beam.tokens) for beam in ours] == written.sequences[:, 3:].tolist()
        totals = [beam.log_probability for beam in ours]
        np.testing.assert_allclose(totals, written.sequences_scores.numpy(), atol=1e-4)
        greedy = tuple(step.token for step in generate(model, prompt, 6, temperature=0))
        unlike_greedy += greedy != ours[0].tokens
    assert unlike_greedy  # or these texts could not tell a beam search from a greedy one


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_tokens": 0}, r"max_tokens must be a whole number from 1, got 0; 20 is a short sentence"),
        ({"beams": 0}, r"beams must be a whole number from 1, got 0; 4 is usual, 1 is greedy"),
        ({"stop": 3}, r"stop must be a collection of ids, got 3"),
        ({"length_penalty": float("nan")}, r"length_penalty must be a finite number, got nan"),
        ({"ids": "My name is"}, r"ids must be the ids of tokens, got the text 'My name is'"),
        ({"max_tokens": 39}, r"reads at most 40 tokens, and the text would grow to 42; ask for fewer"),
    ],
)
def test_bad_beams(arguments, message):
    with pytest.raises(ValueError, match=message):
        sampling.beam_search(**({"model": small_gpt(), "ids": [1, 2, 3]} | arguments))
    assert len(sampling.beam_search(small_gpt(), [1, 2, 3], 38, beams=1)[0].tokens) == 38


# --- the cache --------------------------------------------------------------------------------


def test_the_tokens_read_are_those_that_the_model_reads():
    model, read = small_gpt(), []
    original = model._read
    model._read = lambda ids, *rest, **more: read.append(ids.shape[1]) or original(ids, *rest, **more)
    list(generate(model, [1, 2, 3, 4, 5], 7))
    assert sum(read) == sampling.tokens_read(5, 7, cache=True) == 11
    read.clear()
    list(generate(lambda ids: model.reader()(ids), [1, 2, 3, 4, 5], 7))
    assert sum(read) == sampling.tokens_read(5, 7, cache=False) == 5 + 6 + 7 + 8 + 9 + 10 + 11
    assert sampling.tokens_read(5, 1, cache=True) == sampling.tokens_read(5, 1, cache=False) == 5


def test_timings_with_and_without_a_cache():
    model = small_gpt()
    read, original = [], model._read
    model._read = lambda ids, *rest, **more: read.append(ids.shape[1]) or original(ids, *rest, **more)
    records = sampling.cache_timings(model, list(range(13)) * 3, [2, 9, 36], tokens=4)
    assert read == [1, 1, 1, 1, 1, 2, 3, 4, 5, 8, 1, 1, 1, 1, 9, 10, 11, 12, 35, 1, 1, 1, 1, 36, 37, 38, 39]
    assert [(record.length, record.tokens, record.same) for record in records] == [
        (2, 4, True), (9, 4, True), (36, 4, True)]  # fmt: skip
    assert all(record.seconds_with > 0 and record.seconds_without > 0 for record in records)


def test_timings_say_if_the_two_ways_differ():
    class Fickle(Short):
        """Every reader that it makes likes another token."""

        made = 0

        def reader(self):
            self.made += 1
            return lambda ids, token=self.made: np.eye(7)[token]

    (record,) = sampling.cache_timings(Fickle(9), [0] * 9, [3], tokens=2)
    assert not record.same


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"lengths": [4, 1]},
            r"lengths must be from 2 to 10 for this text and model, got 1; give a longer text",
        ),
        ({"lengths": [11]}, r"from 2 to 10 for this text and model, got 11"),
        ({"ids": [1] * 60, "lengths": [39]}, r"from 2 to 38 for this text and model, got 39"),
        ({"tokens": 0}, r"tokens must be a whole number from 1, got 0"),
    ],
)
def test_bad_timings(arguments, message):
    with pytest.raises(ValueError, match=message):
        sampling.cache_timings(**({"model": small_gpt(), "ids": [1] * 10, "lengths": [5]} | arguments))


@pytest.mark.parametrize(("prompt", "written", "name"), [(0, 3, "prompt"), (3, 0, "written")])
def test_bad_counts(prompt, written, name):
    with pytest.raises(ValueError, match=f"{name} must be a whole number from 1, got 0"):
        sampling.tokens_read(prompt, written, cache=True)


def test_the_module_needs_numpy_only():
    import subprocess
    import sys

    for module in ("sampling", "tinytown", "ngrams", "translation", "pipeline", "tokenization"):
        code = f"import sys, helpers.{module}; assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
        subprocess.run([sys.executable, "-c", code], check=True)
    assert sampling.generate.__doc__
