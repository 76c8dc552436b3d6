"""Positions against the papers' formulas by hand, torch, transformers, complex numbers, and their own properties."""

import copy
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers import positions, tinytown
from helpers.positions import (
    ablate,
    ablation_losses,
    ablations,
    alibi_bias,
    alibi_slopes,
    attend,
    cosines,
    halves_to_interleaved,
    interleaved_to_halves,
    joined_stories,
    learned_table,
    load_rotary,
    loss_by_position,
    rotary_angles,
    rotate_halves,
    rotate_pairs,
    scaled_base,
    sinusoid_table,
    wavelengths,
    windows,
)
from helpers.pretrained import halves_from_pairs, is_available, load_smollm2, load_tinytown
from helpers.training import evaluate
from helpers.transformer import GPT, GPTConfig, causal_mask, rotate

TINYTOWN, TOKENIZER = load_tinytown()
DOG_CAT = TOKENIZER.encode("Dog chases Cat")
CAT_DOG = TOKENIZER.encode("Cat chases Dog")
SWAPPED = [2, 1, 0]

even = st.integers(1, 24).map(lambda pairs: 2 * pairs)
bases = st.sampled_from([1.5, 10.0, 500.0, 10_000.0, 1e6])


def toy(kind="rotary", **changes):
    """A GPT with weights far from 0, so that what is left out shows."""
    sizes = {"vocab_size": 29, "n_ctx": 11, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "d_model": 24}
    model = GPT(GPTConfig(**{**sizes, "positions": kind, "rope_base": 50.0, **changes}), seed=3)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(5)
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return model.eval()


# --- sinusoids ----------------------------------------------------------------------------------


def test_sinusoids_by_hand():
    table = sinusoid_table(4, 6, base=1000)
    # 1000^(2/6) = 10 and 1000^(4/6) = 100: position 3 is at 3, 0.3 and 0.03 radians.
    by_hand = [f(angle) for angle in (3, 0.3, 0.03) for f in (math.sin, math.cos)]
    np.testing.assert_allclose(table[3], by_hand, atol=1e-12)
    assert sinusoid_table(2, 512)[1, 0] == pytest.approx(0.8415, abs=5e-5)  # PE(1, 0) = sin 1, base 10,000
    np.testing.assert_allclose(sinusoid_table(1, 4), [[0, 1, 0, 1]])


@given(st.integers(1, 40), even, bases)
def test_sinusoids_are_the_papers_formula_in_torch(n_positions, d_model, base):
    place = torch.arange(n_positions, dtype=torch.float64)[:, None]
    column = torch.arange(d_model, dtype=torch.float64)
    angle = place / base ** (2 * (column // 2) / d_model)
    theirs = torch.where(column % 2 == 0, angle.sin(), angle.cos())
    np.testing.assert_allclose(sinusoid_table(n_positions, d_model, base), theirs.numpy(), atol=1e-9)


@given(st.integers(2, 40), even, bases)
def test_the_dot_product_of_two_positions_depends_on_their_distance_alone(n_positions, d_model, base):
    table = sinusoid_table(n_positions, d_model, base)
    dots = table @ table.T
    for distance in range(n_positions):
        np.testing.assert_allclose(np.diagonal(dots, distance), dots[0, distance], atol=1e-9)
    assert dots[0, 0] == pytest.approx(d_model / 2)  # sin^2 + cos^2 = 1 in every pair


def test_a_pair_is_back_after_its_wavelength():
    lengths = wavelengths(6, base=1000)
    np.testing.assert_allclose(lengths, 2 * np.pi * np.array([1, 10, 100]))
    angles = rotary_angles(3, 6, base=1000)
    np.testing.assert_allclose(angles[1] * lengths, 2 * np.pi)
    assert wavelengths(8)[-1] == pytest.approx(2 * np.pi * 1000)  # the base of the paper: 10,000^(6/8)


@pytest.mark.parametrize("make", [sinusoid_table, rotary_angles])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((8, 7), r"(d_model|d_head) must be even, got 7; .*try 8"),
        ((8, 0), r"(d_model|d_head) must be a whole number of 1 or more, got 0"),
        ((8, -4), r"(d_model|d_head) must be a whole number of 1 or more, got -4"),
        ((8, 4.5), r"(d_model|d_head) must be a whole number of 1 or more, got 4.5"),
        ((8, 4, 1), r"base must be above 1 and finite, got 1; 10,000 is usual"),
        ((8, 4, 0.5), r"base must be above 1 and finite, got 0.5"),
        ((8, 4, -3.0), r"base must be above 1 and finite, got -3"),
        ((8, 4, math.nan), r"base must be above 1 and finite, got nan"),
        ((8, 4, math.inf), r"base must be above 1 and finite, got inf"),
        ((-3, 4), r"n_positions must be a whole number of 1 or more, got -3; positions count from 0"),
        ((0, 4), r"n_positions must be a whole number of 1 or more, got 0"),
        ((2.5, 4), r"n_positions must be a whole number of 1 or more, got 2.5"),
        ((math.nan, 4), r"n_positions must be a whole number of 1 or more, got nan"),
        ((True, 4), r"n_positions must be a whole number of 1 or more, got True"),
        ((10**8, 4), r"at most 100,000,000 numbers, got 100,000,000 positions of 4; take a smaller one"),
        ((1, 10**12), r"at most 100,000,000 numbers, got rows of 1,000,000,000,000; take"),
    ],
)
def test_bad_sizes(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(*arguments)


def test_the_largest_table_is_let_through(monkeypatch):
    monkeypatch.setattr(positions, "LARGEST", 24)
    assert sinusoid_table(4, 6).shape == (4, 6)
    assert alibi_bias(6, 2).shape == (6, 2, 2)
    for too_large in (lambda: sinusoid_table(5, 6), lambda: alibi_bias(7, 2)):
        with pytest.raises(ValueError, match=r"at most 24 numbers, got"):
            too_large()


# --- rotary -------------------------------------------------------------------------------------


def draws(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_pairs_are_complex_numbers_turned():
    x, angles = draws(2, 3, 5, 8), rotary_angles(5, 8)
    turned = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * angles)
    ours = rotate_pairs(x, angles)
    np.testing.assert_allclose(ours[..., 0::2], turned.real)
    np.testing.assert_allclose(ours[..., 1::2], turned.imag)


def test_halves_are_transformers_llama():
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    queries, keys = draws(2, 3, 5, 8), draws(2, 3, 5, 8, seed=1)
    angles = rotary_angles(5, 8, base=100.0)
    doubled = torch.tensor(np.concatenate([angles, angles], axis=1))[None]
    theirs = apply_rotary_pos_emb(torch.tensor(queries), torch.tensor(keys), doubled.cos(), doubled.sin())
    np.testing.assert_allclose(rotate_halves(queries, angles), theirs[0].numpy())
    np.testing.assert_allclose(rotate_halves(keys, angles), theirs[1].numpy())


def test_angles_are_transformers_llama():
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    config = LlamaConfig(hidden_size=40, num_attention_heads=5, max_position_embeddings=64)
    config.rope_parameters = {"rope_type": "default", "rope_theta": 300.0}
    cos, sin = LlamaRotaryEmbedding(config)(torch.zeros(1), torch.arange(13)[None])
    angles = rotary_angles(13, 8, base=300.0)
    np.testing.assert_allclose(np.cos(angles), cos[0, :, :4].numpy(), atol=1e-5)
    np.testing.assert_allclose(np.sin(angles), sin[0, :, :4].numpy(), atol=1e-5)


def test_halves_are_this_courses_gpt():
    x = draws(2, 3, 5, 8)
    theirs = rotate(torch.tensor(x), torch.arange(5), base=70.0)
    np.testing.assert_allclose(rotate_halves(x, rotary_angles(5, 8, 70.0)), theirs.numpy(), atol=1e-6)


@pytest.mark.parametrize("turn", [rotate_pairs, rotate_halves])
@given(pairs=st.integers(1, 6), base=bases, shift=st.integers(0, 50), seed=st.integers(0, 99))
def test_scores_depend_on_distance_alone_and_lengths_stay(turn, pairs, base, shift, seed):
    seq = 7
    query, key = draws(2, 1, 2 * pairs, seed=seed)
    angles = rotary_angles(seq + shift, 2 * pairs, base)
    queries, keys = np.repeat(query, seq, 0), np.repeat(key, seq, 0)

    def scores(rows):
        return turn(queries, rows) @ turn(keys, rows).T

    here, there = scores(angles[:seq]), scores(angles[shift:])
    np.testing.assert_allclose(here, there, atol=1e-9)
    assert here[0, 0] == pytest.approx((query @ key.T).item())
    np.testing.assert_allclose(
        np.linalg.norm(turn(queries, angles[shift:]), axis=-1), np.linalg.norm(queries, axis=-1)
    )


def test_the_two_layouts_are_one_rotation():
    x, angles = draws(2, 5, 6), rotary_angles(5, 6)
    by_detour = halves_to_interleaved(rotate_halves(interleaved_to_halves(x), angles))
    np.testing.assert_allclose(by_detour, rotate_pairs(x, angles))
    np.testing.assert_array_equal(interleaved_to_halves(halves_to_interleaved(x)), x)
    np.testing.assert_array_equal(halves_to_interleaved(interleaved_to_halves(x)), x)


def test_a_llama_files_rows():
    n_heads, d_head, d_model = 3, 4, 7
    rows = draws(n_heads * d_head, d_model)
    order = interleaved_to_halves(np.arange(d_head))
    ours = np.concatenate([head[order] for head in np.split(rows, n_heads)])
    np.testing.assert_array_equal(ours, halves_from_pairs(rows, n_heads))
    # What they are for: the same query, whichever layout the rows and the rotation have. Mixed up, another one.
    x, head, angles = draws(5, d_model, seed=1), rows[:d_head], rotary_angles(5, d_head)
    in_file = rotate_pairs(x @ head.T, angles)
    np.testing.assert_allclose(rotate_halves(x @ head[order].T, angles), interleaved_to_halves(in_file))
    assert np.abs(rotate_halves(x @ head.T, angles) - interleaved_to_halves(in_file)).max() > 0.1


def test_rotation_leaves_its_arguments_alone():
    x, angles = draws(5, 6), rotary_angles(5, 6)
    before = x.copy(), angles.copy()
    for turn in (rotate_pairs, rotate_halves):
        turn(x, angles)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(angles, before[1])
    whole = rotate_pairs(np.array([[1, 0]]), np.array([[1.0]]))  # whole numbers are not cut off
    np.testing.assert_allclose(whole, [[math.cos(1), math.sin(1)]])


@pytest.mark.parametrize("turn", [rotate_pairs, rotate_halves])
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (draws(4, 6), r"got \[5, 3\] for \[4, 6\]; rotary_angles\(seq, d_head\) fits"),
        (draws(5, 8), r"got \[5, 3\] for \[5, 8\]"),
        (draws(5, 7), r"got \[5, 3\] for \[5, 7\]"),
        (np.full((5, 6), np.nan), r"finite numbers, got NaN, infinity or no numbers"),
        (np.full((5, 6), np.inf), r"finite numbers, got NaN, infinity or no numbers"),
    ],
)
def test_bad_rotation(turn, x, message):
    with pytest.raises(ValueError, match=message):
        turn(x, rotary_angles(5, 6))
    with pytest.raises(ValueError, match=r"finite numbers"):
        turn(draws(5, 6), np.full((5, 3), np.nan))


@pytest.mark.parametrize("reorder", [interleaved_to_halves, halves_to_interleaved])
@pytest.mark.parametrize("shape", [(3,), (2, 5), (0,)])
def test_bad_layout(reorder, shape):
    with pytest.raises(ValueError, match=r"must hold pairs of numbers, got the shape \["):
        reorder(np.zeros(shape))


@given(st.floats(1, 20), st.integers(2, 20).map(lambda pairs: 2 * pairs), bases)
def test_a_scaled_base_slows_the_slowest_pair_alone(factor, d_head, base):
    plain, scaled = (
        rotary_angles(9, d_head, base),
        rotary_angles(9, d_head, scaled_base(factor, d_head, base)),
    )
    np.testing.assert_allclose(scaled[:, 0], plain[:, 0])
    np.testing.assert_allclose(scaled[:, -1] * factor, plain[:, -1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.5, 8), r"factor must be 1 or more and finite, got 0.5; 4 reads four times as far"),
        ((math.nan, 8), r"factor must be 1 or more and finite, got nan"),
        ((math.inf, 8), r"factor must be 1 or more and finite, got inf"),
        ((4, 2), r"d_head must be 4 or more, got 2; a single pair"),
        ((4, 9), r"d_head must be even, got 9"),
        ((4, 8, 1.0), r"base must be above 1"),
    ],
)
def test_bad_scaled_base(arguments, message):
    with pytest.raises(ValueError, match=message):
        scaled_base(*arguments)


# --- ALiBi --------------------------------------------------------------------------------------


def test_alibi_is_transformers_bloom():
    from transformers.models.bloom.modeling_bloom import build_alibi_tensor

    n_heads, seq = 8, 5
    theirs = build_alibi_tensor(torch.ones(1, seq), n_heads, torch.float64).numpy()  # [head, 1, key]
    # Bloom adds slope * key, the same as slope * (key - query) to a softmax over keys.
    ours, past = alibi_bias(n_heads, seq), causal_mask(seq, seq).numpy()
    assert (ours[:, ~past] == -np.inf).all()
    difference = np.where(past, ours - theirs, 0)
    slopes = alibi_slopes(n_heads)
    expected = np.where(past, -slopes[:, None, None] * np.arange(seq)[:, None], 0)
    np.testing.assert_allclose(difference, expected, atol=1e-7)
    np.testing.assert_allclose(slopes, [2.0**-power for power in range(1, 9)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 3), r"n_heads must be a whole number of 1 or more, got 0"),
        ((2, -1), r"n_positions must be a whole number of 1 or more, got -1"),
        ((8, 10**5), r"at most 100,000,000 numbers, got 8 heads of 100,000 x 100,000; take a smaller"),
        ((10**12, 1), r"at most 100,000,000 numbers, got 1,000,000,000,000 heads; take a smaller"),
    ],
)
def test_bad_alibi(arguments, message):
    with pytest.raises(ValueError, match=message):
        alibi_bias(*arguments)


# --- the learned table --------------------------------------------------------------------------


def test_the_learned_table_is_a_copy():
    table = learned_table(TINYTOWN)
    assert table.shape == (64, 64)
    np.testing.assert_array_equal(table, TINYTOWN.position_embedding.weight.numpy())
    table[:] = 0
    assert np.abs(learned_table(TINYTOWN)).max() > 0.5
    learned_table(toy("learned"))  # weights that can learn are no hindrance


def test_only_rows_that_stories_reach_were_trained():
    lengths = np.linalg.norm(learned_table(TINYTOWN), axis=1)
    assert lengths[:35].min() > 0.4  # the longest story has 34 words, and <start> in front
    assert lengths[35:].max() < 0.15


def test_cosines():
    table = draws(5, 3)
    theirs = torch.nn.functional.cosine_similarity(torch.tensor(table)[:, None], torch.tensor(table), dim=-1)
    np.testing.assert_allclose(cosines(table), theirs.numpy())
    # Neighbours in the sinusoid table are alike, in Tinytown's small learned one they are not.
    assert np.diagonal(cosines(sinusoid_table(35, 64)), 1).min() > 0.9
    assert abs(np.diagonal(cosines(learned_table(TINYTOWN)[:24]), 1).mean()) < 0.2
    for wrong in (0.0, np.nan, np.inf):
        with pytest.raises(
            ValueError, match=rf"length above 0 and finite, got {wrong} in row 2; leave it out"
        ):
            cosines(np.array([[1.0, 0.0], [1.0, 1.0], [wrong, 0.0]]))


# --- attention with positions and mask in hand --------------------------------------------------


@pytest.mark.parametrize("model", [TINYTOWN, toy("learned"), toy("rotary"), toy("none")])
@pytest.mark.parametrize("layer", [0, 1])
def test_attend_is_what_the_model_computes(model, layer):
    ids = [3, 1, 4, 1, 5, 9, 2]
    with torch.no_grad():
        _, trace = model(torch.tensor([ids]), trace=True)
        block = model.blocks[layer]
        x = block.attention_norm(trace.residual[layer])
        theirs, _ = block.attention(x, torch.arange(len(ids)), None, False)
    ours = attend(model, ids, layer=layer)
    np.testing.assert_allclose(ours, theirs[0].numpy(), atol=2e-5)
    assert np.abs(ours).max() > 0.3


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("model", [TINYTOWN, toy("learned", vocab_size=162), toy("rotary", vocab_size=162)])
def test_without_positions_and_mask_dog_chases_cat_is_cat_chases_dog(model, layer):
    def both(**options):
        dog_cat, cat_dog = (attend(model, ids, layer=layer, **options) for ids in (DOG_CAT, CAT_DOG))
        return np.abs(dog_cat - cat_dog[SWAPPED]).max(axis=1)  # the same word in both, not the same place

    scale = np.abs(attend(model, DOG_CAT, layer=layer)).max()
    assert both(positions=False, causal=False).max() < 1e-6 * max(1, scale)
    assert both(positions=False).max() > 0.1  # the mask alone gives the order away
    assert both(causal=False).max() > 0.02
    assert both().max() > 0.1


@given(st.permutations(range(6)))
def test_any_order_without_positions_and_mask(order):
    ids = [43, 35, 31, 135, 84, 4]
    one = attend(TINYTOWN, ids, positions=False, causal=False, layer=1)
    other = attend(TINYTOWN, [ids[i] for i in order], positions=False, causal=False, layer=1)
    np.testing.assert_allclose(other, one[list(order)], atol=2e-6)


def test_the_mask_lets_no_later_word_in():
    one, other = (attend(TINYTOWN, [43, 35, last], layer=1) for last in (31, 135))
    np.testing.assert_allclose(one[:2], other[:2], atol=1e-6)
    one, other = (attend(TINYTOWN, [43, 35, last], causal=False) for last in (31, 135))
    assert np.abs(one[:2] - other[:2]).max() > 1e-3


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (np.zeros(0, dtype=int), r"at least one token each, got the shape \[1, 0\]"),
        ([[1, 2]], r"at least one token each, got the shape \[1, 1, 2\]"),
        ([1.0, 2.0], r"ids must be whole numbers, got float64; a tokenizer's encode gives them"),
        (["dog"], r"ids must be whole numbers, got <U3"),
        ([3, 29], r"ids must be from 0 to 28, got 29; use the tokenizer that belongs"),
        ([3, -1], r"ids must be from 0 to 28, got -1"),
        ([1] * 12, r"at most 11 tokens for this model, got 12; take a shorter one"),
    ],
)
def test_bad_texts(ids, message):
    model = toy("learned")
    with pytest.raises(ValueError, match=message):
        attend(model, np.array(ids))


@pytest.mark.parametrize("layer", [-1, 2, 10])
def test_bad_layer(layer):
    with pytest.raises(ValueError, match=rf"layer must be from 0 to 1 for this model, got {layer}"):
        attend(TINYTOWN, DOG_CAT, layer=layer)


# --- ablations ----------------------------------------------------------------------------------


def test_ablate_moves_rows():
    model = toy("learned")
    before = copy.deepcopy(model.state_dict())
    changed = ablate(model, np.array([4, 4, 0]))
    table, theirs = learned_table(model), learned_table(changed)
    np.testing.assert_array_equal(theirs[:3], table[[4, 4, 0]])
    np.testing.assert_array_equal(theirs[3:], table[3:])
    np.testing.assert_array_equal(learned_table(ablate(model, None)), np.zeros((11, 24)))
    np.testing.assert_array_equal(learned_table(ablate(model, np.arange(11))), table)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, before[name])
        if name != "position_embedding.weight":
            assert torch.equal(weight, changed.state_dict()[name])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.arange(12), r"one row for each of 1 to 11 positions, got the shape \[12\]"),
        (np.arange(0), r"one row for each of 1 to 11 positions, got the shape \[0\]"),
        (np.array([[1, 2]]), r"got the shape \[1, 2\]"),
        (np.array([0, -1]), r"rows must be whole numbers from 0 to 10, got -1"),
        (
            np.array([0, 11]),
            r"rows must be whole numbers from 0 to 10, got 11; np.arange\(11\) changes nothing",
        ),
        (np.array([0, 2.5]), r"rows must be whole numbers from 0 to 10, got 2.5"),
        (np.array([0, np.nan]), r"rows must be whole numbers from 0 to 10, got nan"),
        (np.array(["a"]), r"rows must be whole numbers from 0 to 10, got"),
        (np.array([True, False]), r"rows must be whole numbers from 0 to 10, got"),
    ],
)
def test_bad_rows(rows, message):
    with pytest.raises(ValueError, match=message):
        ablate(toy("learned"), rows)


@pytest.mark.parametrize("kind", ["rotary", "none"])
def test_no_table_no_ablation(kind):
    for use in (learned_table, lambda model: ablate(model, None)):
        with pytest.raises(
            ValueError, match=rf"must have learned positions for this, got '{kind}', which has no table"
        ):
            use(toy(kind))


def test_ablation_losses():
    stories = tinytown.stories("test", 200, seed=1)
    losses = ablation_losses(TINYTOWN, stories)
    assert list(losses) == [
        "as trained",
        "removed",
        "shuffled",
        "shifted by 1",
        "shifted by 2",
        "shifted by 5",
    ]
    assert losses["as trained"] == pytest.approx(evaluate(TINYTOWN, stories), abs=1e-6)
    assert losses["as trained"] == pytest.approx(0.41, abs=0.01)
    for name, loss in losses.items():
        assert name == "as trained" or 3 < loss < 6  # ln 162 = 5.09 is knowing nothing
    assert losses["removed"] == pytest.approx(3.91, abs=0.02)
    assert losses["shifted by 2"] < losses["shifted by 1"] < losses["shuffled"]
    few = stories[:10]
    rows = ablations(max(map(len, few)) + 1, seed=7)["shuffled"]  # <start> stands in front
    by_hand = evaluate(ablate(TINYTOWN, rows), few)
    assert ablation_losses(TINYTOWN, few, seed=7)["shuffled"] == pytest.approx(by_hand, abs=1e-6)


def test_ablations_change_only_rows_in_use():
    changes = ablations(9, shifts=(3,), seed=2)
    assert sorted(changes["shuffled"]) == list(range(9))
    assert list(changes["shuffled"]) != list(range(9))
    assert list(changes["shifted by 3"]) == list(range(3, 12))
    assert list(ablations(9, seed=2)["shuffled"]) == list(changes["shuffled"])
    assert list(ablations(9, seed=3)["shuffled"]) != list(changes["shuffled"])
    with pytest.raises(ValueError, match=r"n_positions must be a whole number"):
        ablations(0)
    with pytest.raises(ValueError, match=r"from 0 to 63, got 64"):
        ablation_losses(TINYTOWN, tinytown.stories("test", 20), shifts=(60,))


# --- loss by position ---------------------------------------------------------------------------


def test_windows():
    np.testing.assert_array_equal(windows(range(7), 3), [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(windows(range(3), 3), [[0, 1, 2]])
    for ids, length, message in (
        (range(2), 3, r"at least the 3 tokens of one window, got the shape \[2\]"),
        ([[1, 2, 3]] * 4, 2, r"got the shape \[4, 3\]"),
        (range(9), 0, r"length must be a whole number of 1 or more, got 0"),
        (range(9), 2.5, r"length must be a whole number of 1 or more, got 2.5"),
    ):
        with pytest.raises(ValueError, match=message):
            windows(np.array(ids), length)


@pytest.mark.parametrize("kind", ["learned", "rotary", "none"])
def test_loss_by_position_is_the_models_cross_entropy(kind):
    model = toy(kind)
    ids = np.random.default_rng(0).integers(0, 29, size=(3, 12))
    with torch.no_grad():
        logits = model(torch.tensor(ids[:, :-1]))
        theirs = torch.nn.functional.cross_entropy(
            logits.transpose(1, 2), torch.tensor(ids[:, 1:]), reduction="none"
        )
    np.testing.assert_allclose(loss_by_position(model, ids), theirs.mean(0).numpy(), rtol=1e-4)


def test_angles_are_the_models_own_or_others():
    model = toy("rotary")
    ids = np.random.default_rng(0).integers(0, 29, size=(3, 12))
    own = loss_by_position(model, ids)
    np.testing.assert_allclose(loss_by_position(model, ids, angles=rotary_angles(11, 6, 50.0)), own)
    # Twenty steps further on, every distance is the same, and so is every loss.
    later = rotary_angles(31, 6, 50.0)[20:]
    np.testing.assert_allclose(loss_by_position(model, ids, angles=later), own, rtol=1e-3)
    assert np.abs(loss_by_position(model, ids, angles=rotary_angles(11, 6, 50.0) / 4) - own).max() > 0.05
    wider = toy("rotary", rope_base=900.0)
    np.testing.assert_allclose(
        loss_by_position(model, ids, angles=rotary_angles(11, 6, 900.0)),
        loss_by_position(wider, ids),
        rtol=1e-4,
    )


def test_bad_windows_and_angles():
    model = toy("rotary")
    long = np.ones((2, 13), dtype=int)
    for ids, angles, message in (
        (long, None, r"at most 11 tokens for this model, got 12"),
        (long[:, :1], None, r"at least two tokens, got 1"),
        (long[:, :0], None, r"at least one token each, got the shape \[2, 0\]"),
        (long * 29, None, r"ids must be from 0 to 28, got 29"),
        (
            long[:, :5],
            rotary_angles(5, 6),
            r"angles must be \[4, 3\] .* got \[5, 3\]; try rotary_angles\(4, 6\)",
        ),
        (long[:, :5], rotary_angles(4, 8), r"got \[4, 4\]"),
    ):
        with pytest.raises(ValueError, match=message):
            loss_by_position(model, ids, angles=angles)
    with pytest.raises(ValueError, match=r"angles are for rotary models, got one with 'learned' positions"):
        loss_by_position(toy("learned"), long[:, :5], angles=rotary_angles(4, 6))


def test_joined_stories():
    ids = joined_stories("test", 3, seed=4)
    told = tinytown.stories("test", 3, seed=4)
    assert TOKENIZER.decode(ids.tolist()) == " ".join(" ".join(words) + " <end>" for words in told)
    with pytest.raises(ValueError, match=r"split must be one of"):
        joined_stories("tests", 3)


# --- the small rotary GPT, beyond its length ----------------------------------------------------


def test_beyond_the_trained_length():
    model = load_rotary()
    assert (model.config.n_ctx, model.config.positions) == (32, "rotary")
    text = joined_stories("test", 400, seed=1)
    d_head = model.config.d_head

    def by_16(rows, angles=None):
        return loss_by_position(model, rows, angles=angles).reshape(-1, 16).mean(1)

    twice = windows(text, 65)
    inside = by_16(twice[:, :33])
    assert inside[1] < inside[0] - 0.1  # more to look at, less surprise
    with pytest.raises(ValueError, match=r"at most 32 tokens for this model, got 64"):
        by_16(twice)
    plain = by_16(twice, rotary_angles(64, d_head))
    scaled = by_16(twice, rotary_angles(64, d_head, scaled_base(2, d_head)))
    divided = by_16(twice, rotary_angles(64, d_head) / 2)
    np.testing.assert_allclose(plain[:2], inside, atol=1e-5)
    assert plain[3] > plain[1] + 0.1  # beyond: worse
    assert plain[1] - 0.05 < scaled[3] < plain[3] - 0.05  # a scaled base helps
    assert divided[3] > 2 * plain[3]  # interpolation alone, without fine-tuning, does not
    fourfold = by_16(windows(text, 129), rotary_angles(128, d_head))
    assert fourfold[7] > 2 * fourfold[1]


def test_the_command_trains_and_writes(tmp_path, capsys):
    positions.main(["--steps", "3", "--stories", "300", "--out", str(tmp_path / "small.safetensors")])
    lines = capsys.readouterr().out.splitlines()
    n_windows = len(joined_stories("train", 300)) // 33  # 32 tokens to read and one more to predict
    assert lines[0] == f"108,992 parameters, {n_windows} windows of 32 tokens"
    assert lines[1].startswith("step     3  loss ")
    assert lines[-1].startswith("wrote small.safetensors, 4")
    from helpers.transformer import load_model

    assert load_model(tmp_path / "small.safetensors").config == load_rotary().config


def test_the_weights_are_small():
    assert positions.WEIGHTS.stat().st_size < 600_000


# --- a real model -------------------------------------------------------------------------------

needs_smollm2 = pytest.mark.skipif(not is_available("smollm2"), reason="run python -m helpers.pretrained")


@needs_smollm2
def test_smollm2_without_positions_and_mask():
    model, tokenizer = load_smollm2()
    ids = tokenizer.encode(" dog chases cat")
    assert len(ids) == 4
    order = [3, 1, 0, 2]
    one = attend(model, ids, positions=False, causal=False, layer=2)
    other = attend(model, [ids[i] for i in order], positions=False, causal=False, layer=2)
    np.testing.assert_allclose(other, one[order], atol=1e-4 * np.abs(one).max())
    assert (
        np.abs(attend(model, [ids[i] for i in order], layer=2) - attend(model, ids, layer=2)[order]).max()
        > 0.01
    )


@needs_smollm2
def test_smollm2_learns_from_what_it_has_read():
    model, tokenizer = load_smollm2()
    text = " ".join(" ".join(words) for words in tinytown.stories("test", 30, seed=1))
    losses = loss_by_position(model, windows(tokenizer.encode(text), 97)[:2])
    assert losses.shape == (96,)
    assert losses[:8].mean() > losses[64:].mean() + 1


# --- imports ------------------------------------------------------------------------------------


IN_PLAIN_PYTHON = """
import sys
import numpy as np
from helpers.positions import *
for wrong, part in (
    (lambda: sinusoid_table("8", 4), "n_positions must be a whole number of 1 or more, got '8'"),
    (lambda: rotary_angles(8, 4, "big"), "base must be above 1 and finite, got 'big'"),
    (lambda: rotate_pairs([[1, 0]], [1.0]), "got [1] for [1, 2]; rotary_angles(seq, d_head) fits"),
    (lambda: rotate_halves([1, 0], [[1.0]]), "got [1, 1] for [2]"),
    (lambda: rotate_pairs([["a", "b"]], [[1.0]]), "finite numbers"),
    (lambda: interleaved_to_halves(3.0), "got the shape []"),
    (lambda: cosines([1.0, 0.0]), "a table must be [position, d_model], got the shape [2]"),
):
    try:
        wrong()
    except ValueError as error:
        assert part in str(error), error
    else:
        raise AssertionError(part)
assert rotate_pairs([[1, 0]], [[0.0]]).tolist() == [[1, 0]]
assert halves_to_interleaved([1, 3, 2, 4]).tolist() == [1, 2, 3, 4]
assert sinusoid_table(2, 4)[1, 0] == np.sin(1) and alibi_bias(2, 3)[0, 0, 0] == 0
assert "torch" not in sys.modules
"""


def test_without_types_enforced_a_slip_still_gets_a_sentence_and_no_torch():
    subprocess.run([sys.executable, "-c", IN_PLAIN_PYTHON], check=True)
