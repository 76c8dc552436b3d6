"""Attention against torch's own, hand-made patterns, models changed by their weights, and its own properties."""

import copy
import math
import re
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from hypothesis import given
from hypothesis import strategies as st

from helpers import attention, tinytown, transformer
from helpers.attention import (
    Jobs,
    attend,
    attention_cost,
    attention_of,
    best_heads,
    causal_mask,
    context_vectors,
    entropy_by_width,
    every_head,
    head_ablation,
    head_jobs,
    layer_cosines,
    load_head_costs,
    lookback,
    loss_with,
    measure_jobs,
    merge_heads,
    multi_head,
    read,
    repeated_ids,
    row_entropy,
    sense_separation,
    sense_vectors,
    softmax,
    split_heads,
    time_attention,
    value_lengths,
    word_index,
)
from helpers.pretrained import is_available, load_minilm, load_smollm2, load_tinytown
from helpers.senses import APPLE_COMPANY, APPLE_FRUIT, MONEY_BANK, RIVER_BANK, SENSES
from helpers.sentences import SharedWords
from helpers.training import evaluate
from helpers.transformer import GPT, GPTConfig

TINYTOWN, TOKENIZER = load_tinytown()
STORIES = tinytown.stories("test", 60, seed=1)
needs_smollm2 = pytest.mark.skipif(not is_available("smollm2"), reason="run python -m helpers.pretrained")
needs_minilm = pytest.mark.skipif(not is_available("minilm"), reason="run python -m helpers.pretrained")


def draws(*shape, seed=0):
    """Numbers large enough that a lost root or a lost softmax shows."""
    return 3 * np.random.default_rng(seed).normal(size=shape)


def toy(positions="rotary", **changes):
    """A GPT with weights far from 0, so that what is left out shows."""
    sizes = {"vocab_size": 29, "n_ctx": 11, "n_layers": 3, "n_heads": 4, "n_kv_heads": 2, "d_model": 24}
    model = GPT(GPTConfig(**{**sizes, "positions": positions, **changes}), seed=3)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(5)
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return model.eval()


def toy_texts(*lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 29, size=length).tolist() for length in lengths]


def cross_entropy(model, texts):
    """The loss of the model itself, text by text."""
    losses = []
    with torch.no_grad():
        for text in texts:
            logits, _ = model(torch.tensor([text[:-1]]), trace=True)
            losses += F.cross_entropy(logits[0], torch.tensor(text[1:]), reduction="none").tolist()
    return np.mean(losses)


# --- by hand ------------------------------------------------------------------------------------


@given(st.integers(1, 9), st.floats(0, 300), st.integers(0, 2))
def test_softmax_is_torchs(n, size, axis):
    x = size * draws(n, 3, 5)
    np.testing.assert_allclose(softmax(x, axis), torch.tensor(x).softmax(axis).numpy(), atol=1e-12)
    np.testing.assert_allclose(softmax(x, axis).sum(axis), 1)
    np.testing.assert_allclose(softmax(x + 1e4, axis), softmax(x, axis), atol=1e-8)


def test_softmax_hides_and_keeps_its_argument():
    x = np.array([[-np.inf, 2.0, 2.0], [5.0, -np.inf, -np.inf]], dtype=np.float32)
    before = x.copy()
    np.testing.assert_allclose(softmax(x), [[0, 0.5, 0.5], [1, 0, 0]])
    np.testing.assert_array_equal(x, before)
    assert softmax(x).dtype == np.float32
    np.testing.assert_allclose(softmax(np.array([0, 0])), [0.5, 0.5])


@pytest.mark.parametrize(
    ("x", "axis", "message"),
    [
        (
            np.array([[0.0, 1.0], [-np.inf, -np.inf]]),
            -1,
            r"every row needs a finite score .*all minus infinity",
        ),
        (np.array([0.0, np.inf]), -1, r"every row needs a finite score and none above"),
        (np.array([0.0, np.nan]), -1, r"scores must be finite numbers, got NaN or infinity"),
        (
            np.zeros((2, 0)),
            -1,
            r"scores must have at least 1 axes and a number in them, got the shape \[2, 0\]",
        ),
        (np.ones(()), -1, r"got the shape \[\]"),
        (np.zeros((2, 3)), 2, r"axis must be one of the 2 axes of scores, got 2; -1 is the last"),
        (np.zeros((2, 3)), -3, r"axis must be one of the 2 axes of scores, got -3"),
    ],
)
def test_bad_softmax(x, axis, message):
    with pytest.raises(ValueError, match=message):
        softmax(x, axis)


@pytest.mark.parametrize("causal", [True, False])
def test_attend_is_torchs_fused_kernel(causal):
    queries, keys, values = draws(2, 3, 7, 4), draws(2, 3, 7, 4, seed=1), draws(2, 3, 7, 5, seed=2)
    ours = attend(queries, keys, values, causal=causal)
    theirs = F.scaled_dot_product_attention(
        torch.tensor(queries), torch.tensor(keys), torch.tensor(values), is_causal=causal
    )
    np.testing.assert_allclose(ours.output, theirs.numpy(), atol=1e-9)
    np.testing.assert_allclose(ours.scores, queries @ keys.swapaxes(-1, -2) / 2)  # the root of 4
    np.testing.assert_allclose(ours.weights.sum(-1), 1)
    assert ours.weights.min() >= 0
    assert (ours.weights[..., ~causal_mask(7)] == 0).all() == causal


def test_attend_over_another_text():
    queries, keys, values = draws(3, 4), draws(7, 4, seed=1), draws(7, 5, seed=2)
    theirs = F.scaled_dot_product_attention(*(torch.tensor(x)[None] for x in (queries, keys, values)))[0]
    np.testing.assert_allclose(attend(queries, keys, values, causal=False).output, theirs.numpy(), atol=1e-9)
    with pytest.raises(ValueError, match=r"as many queries as keys, got 3 and 7; try causal=False"):
        attend(queries, keys, values)


def test_each_switch_takes_one_part_out():
    queries, keys, values = draws(7, 4), draws(7, 4, seed=1), draws(7, 5, seed=2)
    theirs = F.scaled_dot_product_attention(
        *(torch.tensor(x)[None] for x in (queries, keys, values)), is_causal=True, scale=1.0
    )
    ours = attend(queries, keys, values, scale=False)
    np.testing.assert_allclose(ours.output, theirs[0].numpy(), atol=1e-9)
    np.testing.assert_allclose(ours.scores, queries @ keys.T)
    raw = attend(queries, keys, values, normalize=False)
    np.testing.assert_allclose(raw.weights, np.tril(queries @ keys.T / 2))
    np.testing.assert_allclose(raw.output, np.tril(queries @ keys.T / 2) @ values)
    both = attend(queries, keys, values, normalize=False, causal=False)
    np.testing.assert_allclose(both.weights, both.scores)


@given(st.integers(2, 8), st.data())
def test_a_change_leaves_everything_before_alone(seq, data):
    at = data.draw(st.integers(0, seq - 1))
    parts = [draws(seq, 4, seed=seed) for seed in range(3)]
    before = attend(*parts)
    for part in parts:
        part[at] += 1.5
    after = attend(*parts)
    np.testing.assert_allclose(after.output[:at], before.output[:at])
    np.testing.assert_allclose(after.weights[:at], before.weights[:at])
    assert np.abs(after.output[at] - before.output[at]).max() > 1e-6
    open_ = attend(*parts, causal=False)
    parts[2][-1] += 1000  # without the mask, the first word sees the last
    assert np.abs(attend(*parts, causal=False).output[0] - open_.output[0]).max() > 1e-9


def test_the_mask():
    np.testing.assert_array_equal(causal_mask(5), transformer.causal_mask(5, 5).numpy())
    np.testing.assert_array_equal(causal_mask(1), [[True]])
    for n in (0, -1, 2.5, True, math.nan):
        with pytest.raises(ValueError, match=r"n must be a whole number of 1 or more, got .*; try 5"):
            causal_mask(n)
    with pytest.raises(ValueError, match=r"at most 100,000,000 numbers, got 10,001 x 10,001; take a smaller"):
        causal_mask(10_001)


def test_the_largest_mask_is_let_through(monkeypatch):
    monkeypatch.setattr(attention, "LARGEST", 25)
    assert causal_mask(5).shape == (5, 5)
    with pytest.raises(ValueError, match=r"at most 25 numbers"):
        causal_mask(6)


@pytest.mark.parametrize("causal", [True, False])
def test_multi_head_is_torchs(causal):
    seq, d_model, n_heads = 5, 12, 3
    theirs = torch.nn.MultiheadAttention(d_model, n_heads, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        for seed, weight in enumerate(theirs.parameters()):
            weight.copy_(torch.tensor(draws(*weight.shape, seed=seed)) / 4)
    x = draws(2, seq, d_model, seed=9) / 3
    mask = None if not causal else ~transformer.causal_mask(seq, seq)
    output, weights = theirs(
        *[torch.tensor(x)] * 3, attn_mask=mask, need_weights=True, average_attn_weights=False
    )
    query, key, value = theirs.in_proj_weight.detach().chunk(3)
    ours = multi_head(
        x, query.numpy().T, key.numpy().T, value.numpy().T, theirs.out_proj.weight.detach().numpy().T, n_heads,
        causal=causal,
    )  # fmt: skip
    assert np.abs(output.detach().numpy()).max() > 1  # large, so that 1e-5 is close
    np.testing.assert_allclose(ours.output, output.detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(ours.weights, weights.detach().numpy(), atol=1e-5)
    assert ours.scores.shape == (2, n_heads, seq, seq)
    assert ours.weights.max() > 0.99


def test_heads_split_and_merge():
    x = draws(2, 5, 12)
    split = split_heads(x, 3)
    assert split.shape == (2, 3, 5, 4)
    np.testing.assert_array_equal(split[1, 2, 4], x[1, 4, 8:12])
    np.testing.assert_array_equal(merge_heads(split), x)
    for n_heads, message in (
        (5, r"n_heads must divide d_model, got 5 heads for the shape \[2, 5, 12\], .*try 1"),
        (0, r"n_heads must be a whole number of 1 or more, got 0"),
        (1.5, r"n_heads must be a whole number of 1 or more, got 1.5"),
    ):
        with pytest.raises(ValueError, match=message):
            split_heads(x, n_heads)


# --- the root -----------------------------------------------------------------------------------


@given(st.integers(1, 9), st.integers(0, 50))
def test_row_entropy_is_torchs(n, seed):
    weights = softmax(draws(3, 4, n, seed=seed))
    theirs = torch.distributions.Categorical(probs=torch.tensor(weights)).entropy()
    np.testing.assert_allclose(row_entropy(weights), theirs.numpy(), atol=1e-9)
    assert row_entropy(np.full(n, 1 / n)) == pytest.approx(math.log(n))
    assert (row_entropy(weights) >= 0).all()


@pytest.mark.parametrize(
    "weights",
    [np.array([0.5, 0.4]), np.array([1.5, -0.5]), np.array([np.nan, 1.0]), np.array([[0.5, 0.5], [1, 1]])],
)
def test_bad_rows(weights):
    with pytest.raises(ValueError, match=r"weights must be (0 or more and sum to 1|finite)"):
        row_entropy(weights)


def test_without_the_root_wide_heads_look_at_one_key():
    widths = [1, 4, 16, 64, 256]
    found = entropy_by_width(widths)
    np.testing.assert_allclose(found.divided, 2.38, atol=0.06)  # the same at any width
    np.testing.assert_allclose(found.plain, [2.42, 1.77, 0.87, 0.43, 0.20], atol=0.01)
    assert found.plain[0] == pytest.approx(found.divided[0])  # the root of 1
    assert found.divided.max() < math.log(16)
    # By another way: the scores of wide heads are normal numbers with a standard deviation of the root of d.
    normal = np.random.default_rng(0).normal(size=(4000, 16))
    by_theory = [row_entropy(softmax(size * normal)).mean() for size in (1, 16)]
    assert found.divided[-1] == pytest.approx(by_theory[0], abs=0.05)
    assert found.plain[-1] == pytest.approx(by_theory[1], abs=0.05)


def test_each_width_has_draws_of_its_own():
    alone, together = entropy_by_width([64]), entropy_by_width([4, 64])
    assert alone.plain[0] == pytest.approx(together.plain[1])
    assert entropy_by_width([64], seed=1).plain[0] != pytest.approx(alone.plain[0], abs=1e-6)
    few = entropy_by_width([64], n_keys=2, n_rows=300)
    assert few.divided[0] < math.log(2)
    assert entropy_by_width([3], n_keys=1).plain[0] == pytest.approx(0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"widths": []}, r"widths must hold at least one width, got none; try \[4, 16, 64\]"),
        ({"widths": [4, 0]}, r"each width must be a whole number of 1 or more, got 0"),
        ({"widths": [4], "n_keys": 0}, r"n_keys must be a whole number of 1 or more, got 0"),
        ({"widths": [4], "n_rows": -2}, r"n_rows must be a whole number of 1 or more, got -2"),
        ({"widths": [1, 10**6]}, r"at most 100,000,000 numbers, got 200 rows of 16 keys of 1,000,000"),
    ],
)
def test_bad_widths(arguments, message):
    with pytest.raises(ValueError, match=message):
        entropy_by_width(**arguments)


# --- a trained model with its attention changed -------------------------------------------------


def test_with_nothing_changed_it_is_the_models_loss(monkeypatch):
    own = evaluate(TINYTOWN, STORIES)
    assert loss_with(TINYTOWN, STORIES) == pytest.approx(own, abs=1e-5)
    ids = [TOKENIZER.encode_story(words) for words in STORIES]
    assert loss_with(TINYTOWN, ids) == pytest.approx(own, abs=1e-5)
    assert loss_with(TINYTOWN, [np.array(row) for row in ids]) == pytest.approx(own, abs=1e-5)
    longest = max(map(len, ids)) - 1  # the last word is not read
    monkeypatch.setattr(attention, "_LOGITS_AT_ONCE", longest * 162 * 7)  # seven stories at a time
    assert len(attention._batches(TINYTOWN, STORIES)) == 9
    assert loss_with(TINYTOWN, STORIES) == pytest.approx(own, abs=1e-5)
    monkeypatch.setattr(attention, "_LOGITS_AT_ONCE", 1)
    assert loss_with(TINYTOWN, STORIES[:3]) == pytest.approx(evaluate(TINYTOWN, STORIES[:3]), abs=1e-5)


@pytest.mark.parametrize("kind", ["learned", "rotary", "none"])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_every_kind_of_gpt(kind, kv_heads):
    model, texts = toy(kind, n_kv_heads=kv_heads, rope_base=50.0), toy_texts(12, 5, 2, 9)
    assert loss_with(model, texts) == pytest.approx(cross_entropy(model, texts), rel=1e-4)


def changed(model, change):
    """A copy of a model whose attention's weights went through ``change(layer, attention)``."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        for layer, block in enumerate(other.blocks):
            change(layer, block.attention)
    return other


@pytest.mark.parametrize("model", [toy("learned"), toy("rotary")], ids=["learned", "rotary"])
def test_switches_are_changes_of_weights(model):
    texts = toy_texts(12, 7, 10)
    plain = loss_with(model, texts)

    def sharper(_, layer):  # queries longer by the root that divides them
        layer.query.weight.mul_(math.sqrt(model.config.d_head))
        layer.query.bias.mul_(math.sqrt(model.config.d_head))

    def blind(_, layer):  # queries of zeros: every score is 0
        layer.query.weight.zero_()
        layer.query.bias.zero_()

    for change, switch in ((sharper, {"scale": False}), (blind, {"weighting": "uniform"})):
        expected = cross_entropy(changed(model, change), texts)
        assert loss_with(model, texts, **switch) == pytest.approx(expected, rel=1e-4)
        assert abs(expected - plain) > 0.01


def deaf(*heads):
    """A change that takes the columns of some heads out of the matrix behind them."""

    def change(layer, part):
        columns = rearrange(part.output.weight, "out (head d) -> head out d", head=part.config.n_heads)
        for at, head in heads:
            if at == layer:
                columns[head] = 0

    return change


@pytest.mark.parametrize("model", [toy("learned"), toy("rotary")], ids=["learned", "rotary"])
@pytest.mark.parametrize("heads", [[(0, 0)], [(2, 3)], [(0, 1), (1, 2), (1, 3)]])
def test_a_head_that_is_off_is_a_matrix_without_its_columns(model, heads):
    texts = toy_texts(12, 7)
    expected = cross_entropy(changed(model, deaf(*heads)), texts)
    assert loss_with(model, texts, heads_off=heads) == pytest.approx(expected, rel=1e-4)
    assert abs(expected - loss_with(model, texts)) > 1e-3


def test_without_the_mask_it_sees_the_whole_text_and_no_padding(monkeypatch):
    model, texts = toy("learned"), toy_texts(12, 5, 8)
    monkeypatch.setattr(transformer, "causal_mask", lambda n, m, device: torch.ones(n, m, dtype=torch.bool))
    expected = cross_entropy(model, texts)  # text by text: nothing to pad
    monkeypatch.undo()
    assert loss_with(model, texts, causal=False) == pytest.approx(expected, rel=1e-4)
    assert abs(expected - loss_with(model, texts)) > 1e-3


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("weighting", attention.WEIGHTINGS)
@pytest.mark.parametrize("scale", [True, False])
def test_one_layer_by_hand(causal, weighting, scale):
    model = toy("none", n_layers=1, n_kv_heads=4, bias=False)
    (text,) = toy_texts(10)
    block, look = model.blocks[0], model.blocks[0].attention
    with torch.no_grad():
        x = model.embedding(torch.tensor(text[:-1]))
        queries, keys, values = (
            split_heads(part(block.attention_norm(x)).numpy(), 4)
            for part in (look.query, look.key, look.value)
        )
        if weighting == "uniform":
            queries = 0 * queries
        found = attend(queries, keys, values, causal=causal, scale=scale, normalize=weighting != "scores")
        x = x + look.output(torch.tensor(merge_heads(found.output)))
        x = x + block.mlp(block.mlp_norm(x)[None])[0]
        expected = F.cross_entropy(model.unembed(x[None])[0], torch.tensor(text[1:])).item()
    ours = loss_with(model, [text], causal=causal, scale=scale, weighting=weighting)
    assert ours == pytest.approx(expected, rel=1e-4)


def test_what_tinytown_loses():
    plain = loss_with(TINYTOWN, STORIES)
    assert plain == pytest.approx(0.41, abs=0.03)
    without = {
        "root": loss_with(TINYTOWN, STORIES, scale=False),
        "mask": loss_with(TINYTOWN, STORIES, causal=False),
        "preference": loss_with(TINYTOWN, STORIES, weighting="uniform"),
        "softmax": loss_with(TINYTOWN, STORIES, weighting="scores"),
    }
    assert plain + 0.1 < without["root"] < 1
    # It sees the next word, and does not gain by it: it never learned to look there.
    assert without["mask"] > 4 * plain
    assert without["root"] < without["mask"] < without["preference"] < without["softmax"] < math.log(162)
    silent = loss_with(TINYTOWN, STORIES, heads_off=every_head(TINYTOWN))
    assert silent > 5 * plain


def test_head_ablation(monkeypatch):
    table = head_ablation(TINYTOWN, STORIES)
    assert table.shape == (2, 4)
    with monkeypatch.context() as patch:
        patch.setattr(attention, "_LOGITS_AT_ONCE", 30 * 35 * 162)  # in several blocks
        np.testing.assert_allclose(head_ablation(TINYTOWN, STORIES), table, atol=1e-5)
    plain = loss_with(TINYTOWN, STORIES)
    for layer, head in every_head(TINYTOWN):
        alone = loss_with(TINYTOWN, STORIES, heads_off=[(layer, head)])
        assert table[layer, head] == pytest.approx(alone - plain, abs=1e-5)
    assert best_heads(table, 1)[0][:2] == (0, 1)
    np.testing.assert_allclose(table[1, 2:], 0, atol=0.01)  # two heads that nobody would miss
    model, texts = toy(), toy_texts(12, 5)
    whole = head_ablation(model, texts)
    assert whole.shape == (3, 4)
    np.testing.assert_allclose(head_ablation(model, texts, [2, 0]), whole[[2, 0]], atol=1e-6)


def test_the_model_is_left_alone():
    model = toy()
    before = copy.deepcopy(model.state_dict())
    texts = toy_texts(9, 4)
    loss_with(model, texts, scale=False, causal=False, heads_off=[(0, 1)])
    head_ablation(model, texts)
    read(model, texts[0])
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], r"texts must hold at least one text, got none; tinytown.stories gives some"),
        ([[1, 2], [3]], r"a text must have 2 to 12 tokens for this model, got 1; the first is only read"),
        ([[1] * 13], r"a text must have 2 to 12 tokens for this model, got 13"),
        ([[1, 29]], r"ids must be from 0 to 28, got 29; use the tokenizer that belongs"),
        ([[1, -1]], r"ids must be from 0 to 28, got -1"),
        ([np.array([0.5, 1.0])], r"a list of whole numbers, at least one, got float64 of the shape \[2\]"),
        ([np.array([[1, 2]])[0:0]], r"at least one, got int64 of the shape \[0, 2\]"),
        ([[]], r"at least one, got float64 of the shape \[0\]"),
        ([["once", "upon"]], r"every word must be one of Tinytown's"),
        (["a fox"], r"a text must be a list of words or of ids, got the string 'a fox'; try text.split\(\)"),
    ],
)
def test_bad_texts(texts, message):
    for use in (loss_with, head_ablation):
        with pytest.raises(ValueError, match=message):
            use(toy(), texts)


def test_the_longest_text_is_let_through():
    assert loss_with(toy(), toy_texts(12)) > 0
    assert loss_with(toy(), toy_texts(2)) > 0


@pytest.mark.parametrize("head", [(3, 0), (0, 4), (-1, 0), (0, -1)])
def test_bad_heads(head):
    message = rf"a layer from 0 to 2 and a head from 0 to 3, got {re.escape(repr(head))}; every_head"
    with pytest.raises(ValueError, match=message):
        loss_with(toy(), toy_texts(5), heads_off=[head])


def test_bad_switches():
    with pytest.raises(ValueError, match=r"weighting must be one of softmax, uniform, scores, got 'none'"):
        loss_with(toy(), toy_texts(5), weighting="none")
    for layer in (-1, 3, True):
        with pytest.raises(ValueError, match=rf"layer must be from 0 to 2 for this model, got {layer}"):
            head_ablation(toy(), toy_texts(5), [layer])
    with pytest.raises(ValueError, match=r"layers must name at least one layer, got none; None takes all"):
        head_ablation(toy(), toy_texts(5), [])


def test_best_heads():
    table = np.array([[0.3, 0.9, 0.1], [0.9, -2.0, 0.4]])
    assert best_heads(table, 3) == [(0, 1, 0.9), (1, 0, 0.9), (1, 2, 0.4)]
    assert len(best_heads(table, 6)) == 6
    for wrong, count, message in (
        (table, 7, r"must hold the 7 heads, got the shape \[2, 3\]; ask for fewer"),
        (table, 0, r"count must be a whole number of 1 or more, got 0"),
        (np.full((2, 3), np.nan), 1, r"table must be finite numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            best_heads(wrong, count)


# --- what a model looks at ----------------------------------------------------------------------


def test_tinytown_as_its_trace_says():
    found = attention_of(TINYTOWN, TOKENIZER, "Look, the dog chases the cat")
    assert found.labels == ["<start>", "look", ",", "the", "dog", "chases", "the", "cat"]
    assert found.ids.tolist() == TOKENIZER.encode("look , the dog chases the cat", special=True)
    _, trace = TINYTOWN(torch.tensor(found.ids)[None], trace=True)
    np.testing.assert_allclose(found.weights, trace.attention[:, 0].numpy(), atol=1e-6)
    assert found.weights.shape == (2, 4, 8, 8)
    assert found.weights.dtype == np.float32
    np.testing.assert_allclose(found.weights.sum(-1), 1, atol=1e-5)
    assert (found.weights[..., ~causal_mask(8)] == 0).all()
    by_ids = attention_of(TINYTOWN, TOKENIZER, found.ids[1:])  # read as they are
    assert by_ids.labels == found.labels[1:]
    np.testing.assert_allclose(read(TINYTOWN, found.ids).residual, trace.residual[:, 0].numpy(), atol=1e-5)


def test_one_token_and_the_most():
    one = attention_of(TINYTOWN, TOKENIZER, [5])
    np.testing.assert_allclose(one.weights, np.ones((2, 4, 1, 1)))
    assert attention_of(TINYTOWN, TOKENIZER, "the " * 47).weights.shape == (2, 4, 48, 48)
    for text, message in (
        ("the " * 48, r"a text must have at most 48 tokens to be shown, got 49; take a shorter one"),
        ([3] * 49, r"at most 48 tokens to be shown, got 49"),
        ("", r"a text must hold at least one token, got ''; try"),
        ("   ", r"a text must hold at least one token"),
        ([], r"ids must be a list of whole numbers, at least one"),
        ([1, 162], r"ids must be from 0 to 161, got 162"),
        ([1, -3], r"ids must be from 0 to 161, got -3"),
        ("the zebra", r"every word must be one of Tinytown's"),
    ):
        with pytest.raises(ValueError, match=message):
            attention_of(TINYTOWN, TOKENIZER, text)


def test_reading_leaves_dropout_out_and_the_mode_as_it_was():
    model = toy(dropout=0.5)
    quiet = read(model, [3, 1, 4, 1, 5])
    model.train()
    again = read(model, [3, 1, 4, 1, 5])
    assert model.training
    np.testing.assert_allclose(again.residual, quiet.residual, atol=1e-6)
    model.eval()
    read(model, [3])
    assert not model.training
    assert len(read(model, [1] * 11).residual[0]) == 11
    with pytest.raises(ValueError, match=r"at most 11 tokens for this model, got 12; take a shorter one"):
        read(model, [1] * 12)


@needs_minilm
def test_minilm_is_torchs():
    model, tokenizer = load_minilm()
    found = attention_of(model, tokenizer, "The River Bank was muddy")
    assert found.labels == ["[CLS]", "the", "river", "bank", "was", "muddy", "[SEP]"]
    assert found.weights.shape == (6, 12, 7, 7)
    assert found.weights.dtype == np.float32
    np.testing.assert_allclose(found.weights.sum(-1), 1, atol=1e-5)
    residual = torch.tensor(read(model, found.ids).residual)
    for layer, block in enumerate(model.encoder.layers):
        x = residual[layer][None]
        with torch.no_grad():
            _, theirs = block.self_attn(x, x, x, need_weights=True, average_attn_weights=False)
            after = block(x)
        np.testing.assert_allclose(found.weights[layer], theirs[0].numpy(), atol=1e-5)
        np.testing.assert_allclose(residual[layer + 1], after[0].numpy(), atol=1e-4)
    sentence = F.normalize(residual[-1].mean(0), dim=0)
    np.testing.assert_allclose(
        sentence, model.encode(["The River Bank was muddy"], tokenizer)[0], atol=1e-5
    )  # so the stream began right, too


@needs_smollm2
def test_smollm2():
    model, tokenizer = load_smollm2()
    found = attention_of(model, tokenizer, "The cat sat on the mat 🦊")
    assert found.labels[:4] == ["The", " cat", " sat", " on"]
    assert found.labels[6].startswith("<20 F0 9F") or found.labels[6].startswith("<F0 9F")
    assert all(label.isprintable() for label in found.labels)
    assert found.weights.shape == (30, 9, len(found.ids), len(found.ids))
    assert found.weights[5:, :, 1:, 0].mean() > 0.5  # the sink: most rest on the first token
    with pytest.raises(ValueError, match=r"a text must hold at least one token, got ''"):
        attention_of(model, tokenizer, "")


# --- heads with a job ---------------------------------------------------------------------------


def pattern(*rows):
    """Attention of one layer and head by hand, in tenths."""
    return np.array(rows)[None, None] / 10


def test_jobs_by_hand():
    ids = [7, 8, 7, 8]
    weights = pattern([10, 0, 0, 0], [6, 4, 0, 0], [5, 2, 3, 0], [1, 4, 3, 2])
    jobs = head_jobs(weights, ids)
    assert jobs.previous.item() == pytest.approx(
        (0.2 + 0.3) / 2
    )  # the third to the second, the fourth to the third
    assert jobs.first.item() == pytest.approx((0.5 + 0.1) / 2)
    assert jobs.same.item() == pytest.approx((0.5 + 0.4) / 2)
    assert jobs.induction.item() == pytest.approx((0.2 + 0.3) / 2)


def test_several_earlier_places_add_up():
    ids = [7, 8, 7, 9, 7]
    weights = pattern([10, 0, 0, 0, 0], [5, 5, 0, 0, 0], [1, 6, 3, 0, 0], [10, 0, 0, 0, 0], [1, 2, 3, 4, 0])
    jobs = head_jobs(weights, ids)
    assert jobs.same.item() == pytest.approx((0.1 + 0.4) / 2)  # 0.1 + 0.3 at the end
    assert jobs.induction.item() == pytest.approx((0.6 + 0.6) / 2)  # 0.2 + 0.4 at the end
    # A token said twice in a row: behind the first stands the second itself, and that is no looking back.
    jobs = head_jobs(pattern([10, 0, 0], [4, 6, 0], [2, 3, 5]), [7, 7, 7])
    assert jobs.same.item() == pytest.approx((0.4 + 0.5) / 2)
    assert jobs.induction.item() == pytest.approx(0.3)  # the second, behind the first: only the third can


def test_perfect_heads():
    n = 6
    ids = repeated_ids(range(50), n, seed=3)
    query = np.arange(2 * n)
    looks = {
        "previous": np.maximum(query - 1, 0),
        "first": 0 * query,
        "same": np.where(query < n, query, query - n),
        "induction": np.where(query < n, query, query - n + 1),
    }
    weights = np.stack([np.eye(2 * n)[keys] for keys in looks.values()])[None]
    jobs = head_jobs(weights, ids)
    for head, name in enumerate(looks):
        table = getattr(jobs, name)
        assert table.shape == (1, 4)
        assert table[0, head] == pytest.approx(1)
        assert np.delete(table[0], head).max() < 0.2
    np.testing.assert_allclose(jobs.same[0], [0, 1 / n, 1, 0])


@pytest.mark.parametrize(
    ("weights", "ids", "message"),
    [
        (
            np.eye(3)[None, None],
            [1, 2, 3],
            r"a token must come back after another, got none that does; repeated_ids",
        ),
        (np.eye(2)[None, None], [1, 1], r"a token must come back after another"),
        (
            np.eye(4)[None, None],
            [1, 2, 1],
            r"for the ids, got \[1, 1, 4, 4\] for \[3\]; attention_of gives both",
        ),
        (
            np.eye(3)[None, None] * 2,
            [1, 2, 1],
            r"sum to 1 over the keys, got 0 at the lowest and sums from 2 to 2",
        ),
        (np.full((1, 1, 3, 3), np.nan), [1, 2, 1], r"weights must be finite numbers"),
    ],
)
def test_bad_patterns(weights, ids, message):
    with pytest.raises(ValueError, match=message):
        head_jobs(weights, ids)


def test_repeated_ids():
    ids = repeated_ids(range(40, 60), 9, seed=2)
    assert ids[:9] == ids[9:]
    assert len(set(ids)) == 9
    assert set(ids) <= set(range(40, 60))
    assert ids == repeated_ids(range(40, 60), 9, seed=2) != repeated_ids(range(40, 60), 9, seed=3)
    assert sorted(repeated_ids([5] * 20 + [6], 2)[:2]) == [5, 6]  # a choice named twice is one choice
    for choices, length, message in (
        (range(5), 6, r"length must be from 2 to the number of different ids, got 6 for 5 choices"),
        ([5, 5, 6], 3, r"got 3 for 3 choices"),
        (range(5), 1, r"length must be from 2 .* got 1 for 5 choices"),
        (range(5), 2.5, r"length must be a whole number of 1 or more, got 2.5"),
    ):
        with pytest.raises(ValueError, match=message):
            repeated_ids(choices, length)


def test_jobs_of_a_model_are_means_over_texts():
    model = toy()
    texts = [repeated_ids(range(29), 4, seed=seed) for seed in (0, 1)]
    one, other = (head_jobs(read(model, text).attention, text) for text in texts)
    both = measure_jobs(model, texts)
    for name in Jobs._fields:
        np.testing.assert_allclose(getattr(both, name), (getattr(one, name) + getattr(other, name)) / 2)
    assert both.first.shape == (3, 4)
    with pytest.raises(ValueError, match=r"texts must hold at least one list of ids, got none; repeated_ids"):
        measure_jobs(model, [])


def test_tinytown_has_no_induction_heads():
    texts = [[TOKENIZER.start_id, *repeated_ids(range(3, 162), 15, seed=seed)] for seed in range(4)]
    jobs = measure_jobs(TINYTOWN, texts)
    assert max(table.max() for table in jobs) < 0.2
    assert loss_with(TINYTOWN, texts) > 8  # worse than knowing nothing, 5.09


@needs_smollm2
def test_smollm2_has_them():
    model, _ = load_smollm2()
    texts = [repeated_ids(range(1000, 49_152), 20, seed=seed) for seed in range(2)]
    jobs = measure_jobs(model, texts)
    assert best_heads(jobs.induction, 1)[0][:2] == (18, 6)
    assert best_heads(jobs.same, 1)[0][:2] == (14, 3)
    assert {best[:2] for best in best_heads(jobs.previous, 3)} >= {(16, 0), (11, 1)}
    assert all(table.max() > 0.7 for table in jobs)
    assert jobs.first[1:].mean() > 0.4


# --- one word, two senses -----------------------------------------------------------------------


def test_the_sentences():
    assert [(sense.word, sense.meaning) for sense in SENSES] == [
        ("bank", "river"),
        ("bank", "money"),
        ("apple", "fruit"),
        ("apple", "company"),
    ]
    every = [sentence for sense in SENSES for sentence in sense.sentences]
    assert len(set(every)) == len(every) == 4 * 15
    for needed in (
        "The River Bank",
        "The SBI Bank",
        "ICICI Bank",
        "Please buy an apple and an orange",
        "apple unveiled the new phone",
    ):
        assert needed in every
    for sense in SENSES:
        assert len(sense.clue_before) == 10
        for sentence in sense.sentences:
            assert len(re.findall(rf"\b{sense.word}\b", sentence, re.IGNORECASE)) == 1
        for sentence in sense.clue_before:
            assert sentence.lower().endswith(sense.word)
    for one, other in ((RIVER_BANK, MONEY_BANK), (APPLE_FRUIT, APPLE_COMPANY)):
        for first, second in zip(one.clue_after, other.clue_after, strict=True):
            assert first.partition(one.word)[0] == second.partition(one.word)[0]  # twins
        capitals = [sum("Bank" in sentence for sentence in sense.sentences) for sense in (one, other)]
        assert capitals[0] == capitals[1]


def test_word_index():
    assert word_index(TOKENIZER, "The bank was muddy.", "bank") == 2
    assert word_index(TOKENIZER, "the bank", " BANK ") == 2
    assert word_index(TOKENIZER, "bank", "bank") == 1
    for text, word, message in (
        ("the fox", "bank", r"in the text exactly once, got 0 times 'bank' in 'the fox'; change the text"),
        ("bank of the bank", "bank", r"exactly once, got 2 times"),
        ("the banks", "bank", r"exactly once, got 0 times"),
        ("the river", "", r"a word must be a string with letters in it, got ''; try"),
        ("", "bank", r"a text must be a string with letters in it, got ''; try"),
    ):
        with pytest.raises(ValueError, match=message):
            word_index(TOKENIZER, text, word)


class Pairs:
    """A tokenizer that cuts a text into pieces of two letters, wherever words end."""

    def encode(self, text, special=False):
        return [int.from_bytes(text[i : i + 2].encode()) for i in range(0, len(text), 2)]


def test_a_token_that_goes_on_behind_the_word():
    assert word_index(Pairs(), "a dog ran", "ran") == 4
    with pytest.raises(
        ValueError, match=r"a token must end with the word 'dog', got one that goes on; put a space"
    ):
        word_index(Pairs(), "a dog ran", "dog")


def test_context_vectors_are_the_residual_at_the_word():
    text = "i took my gold to the bank . the river was muddy ."
    vectors = context_vectors(TINYTOWN, TOKENIZER, text, "bank")
    _, trace = TINYTOWN(torch.tensor([TOKENIZER.encode(text, special=True)]), trace=True)
    np.testing.assert_allclose(vectors, trace.residual[:, 0, 7].numpy(), atol=1e-5)
    assert vectors.shape == (3, 64)
    both = sense_vectors(TINYTOWN, TOKENIZER, [text, "the bank"], "bank")
    assert both.shape == (2, 3, 64)
    np.testing.assert_allclose(both[0], vectors)
    for texts in ([], "the bank"):
        with pytest.raises(ValueError, match=r"texts must be a list of at least one string, got"):
            sense_vectors(TINYTOWN, TOKENIZER, texts, "bank")


def test_layer_cosines():
    a, b = draws(4, 5), draws(4, 5, seed=1)
    theirs = F.cosine_similarity(torch.tensor(a), torch.tensor(b), dim=1)
    np.testing.assert_allclose(layer_cosines(a, b), theirs.numpy())
    np.testing.assert_allclose(layer_cosines(a, -3 * a), -1)
    with pytest.raises(
        ValueError, match=r"none be all zeros, got the shape \[2, 3\] and a shortest one of 0"
    ):
        layer_cosines(np.eye(3)[:2], np.zeros((2, 3)))


def test_separation_by_hand():
    def at(*degrees):
        angles = np.radians(degrees)
        return np.stack([np.cos(angles), np.sin(angles)], axis=-1)[:, None]

    a, b = at(0, 60), at(90, 180, 90)
    found = sense_separation(a, b)
    # Within: 60 in a; 90, 0 and 90 in b. Across: 90, 180, 90 from the first, 30, 120, 30 from the second.
    assert found.within.item() == pytest.approx((0.5 + 0 + 1 + 0) / 4)
    assert found.across.item() == pytest.approx((0 - 1 + 0 + 2 * math.sqrt(3) / 2 - 0.5) / 6)
    # Nearest: 0 has 60 (right); 60 has both at 90 (wrong); the two at 90 have each other, 180 has either.
    assert found.nearest.item() == pytest.approx(4 / 5)
    tied = sense_separation(
        at(0, 0), at(0, 0, 0)
    )  # all the same: the share of the own sense among the others
    assert tied.nearest.item() == pytest.approx((2 * 1 / 4 + 3 * 2 / 4) / 5)
    long = sense_separation(7 * a, 0.1 * b)  # length does not matter
    np.testing.assert_allclose(long.across, found.across)


def test_bad_separation():
    a = draws(3, 2, 5)
    for b, message in (
        (
            draws(1, 2, 5),
            r"at least two texts with the same layers and width, got \[[13], 2, 5\] and \[[13], 2, 5\]",
        ),
        (np.zeros((2, 2, 5)), r"none be all zeros"),
        (np.full((2, 2, 5), np.nan), r"vectors must be finite numbers"),
    ):
        for one, other in ((a, b), (b, a)):
            with pytest.raises(ValueError, match=message):
                sense_separation(one, other)


def separation(model, tokenizer, one, other, which, count=10):
    return sense_separation(
        *(
            sense_vectors(model, tokenizer, getattr(sense, which)[:count], sense.word)
            for sense in (one, other)
        )
    )


@needs_minilm
@pytest.mark.parametrize(("one", "other"), [(RIVER_BANK, MONEY_BANK), (APPLE_FRUIT, APPLE_COMPANY)])
def test_minilm_tells_senses_apart_by_either_side(one, other):
    model, tokenizer = load_minilm()
    for which in ("clue_before", "clue_after"):
        found = separation(model, tokenizer, one, other, which)
        assert found.within.shape == (7,)
        assert abs(found.within[0] - found.across[0]) < 0.03  # the table knows nothing of company
        assert found.within[-1] > found.across[-1] + 0.03
        assert found.nearest[-1] > 0.95


@needs_smollm2
def test_smollm2_tells_senses_apart_by_what_stands_before():
    model, tokenizer = load_smollm2()
    found = separation(model, tokenizer, RIVER_BANK, MONEY_BANK, "clue_before", 5)
    assert found.within.shape == (31,)
    assert abs(found.within[0] - found.across[0]) < 0.03
    assert found.within[-1] > found.across[-1] + 0.08
    assert found.nearest[6:].min() > 0.95
    # Twins begin alike, so their words are one and the same to a model that can't look ahead.
    twins = [
        context_vectors(model, tokenizer, s.clue_after[3], "apple") for s in (APPLE_FRUIT, APPLE_COMPANY)
    ]
    np.testing.assert_allclose(layer_cosines(*twins), 1, atol=1e-4)


@needs_smollm2
def test_smollm2_without_the_mask_gains_by_what_it_should_not_see():
    model, tokenizer = load_smollm2()
    texts = [tokenizer.encode(attention.TEXT)]
    plain = loss_with(model, texts)
    assert plain == pytest.approx(2.755, abs=0.02)
    assert loss_with(model, texts, causal=False) < plain - 0.5
    assert loss_with(model, texts, scale=False) > plain + 2


# --- cost ---------------------------------------------------------------------------------------


def test_cost_counts_what_is_done():
    n, d_head, n_heads = 7, 4, 3
    products = sums = 0
    for _ in range(n_heads):
        for _ in range(n):  # queries
            products += n * d_head  # with n keys
            sums += n * d_head
            products += n * d_head  # n weights times a value
            sums += n * d_head
    cost = attention_cost(n, d_head=d_head, n_heads=n_heads)
    assert cost.operations == products + sums
    assert cost.score_bytes == n_heads * np.zeros((n, n), dtype=np.float32).nbytes
    assert attention_cost(7, bytes_per_number=2).score_bytes * 2 == attention_cost(7).score_bytes
    assert attention_cost(70).operations == 100 * attention_cost(7).operations
    for sizes in (
        {"n": 0},
        {"n": 5, "d_head": 1.5},
        {"n": 5, "n_heads": -1},
        {"n": 5, "bytes_per_number": 0},
    ):
        with pytest.raises(ValueError, match=rf"{list(sizes)[-1]} must be a whole number of 1 or more"):
            attention_cost(**sizes)


def test_time():
    times = time_attention([8, 512], d_head=16, n_heads=2, repeats=3)
    for seconds in times:
        assert seconds.shape == (2,)
        assert 0 < seconds[0] < seconds[1] < 1
    for arguments, message in (
        ({"lengths": []}, r"lengths must hold at least one length, got none; try \[64, 128, 256\]"),
        ({"lengths": [8, 0]}, r"each length must be a whole number of 1 or more, got 0"),
        ({"lengths": [8], "repeats": 0}, r"repeats must be a whole number of 1 or more, got 0"),
        ({"lengths": [8], "d_head": 0}, r"d_head must be a whole number of 1 or more, got 0"),
        ({"lengths": [8], "n_heads": 0}, r"n_heads must be a whole number of 1 or more, got 0"),
        ({"lengths": [8, 2000]}, r"at most 100,000,000 numbers, got 9 heads of 2,000 tokens; take a smaller"),
        ({"lengths": [8], "d_head": 10**7}, r"at most 100,000,000 numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            time_attention(**arguments)


def test_time_knows_which_is_which(monkeypatch):
    calls = []

    def slow(*parts, is_causal):
        calls.append(is_causal)
        time.sleep(0.02)
        return parts[0]

    monkeypatch.setattr(F, "scaled_dot_product_attention", slow)
    times = time_attention([8], d_head=16, n_heads=2, repeats=3)
    assert times.fused[0] > 0.02 > times.naive[0]
    assert calls == [True] * 4  # both look back only; the first call warms up


# --- the command --------------------------------------------------------------------------------


class Lenient:
    """Letters as ids, so that a toy can read our text."""

    def encode(self, text):
        return [ord(letter) % 29 for letter in text[:12]]


def test_the_command_measures_and_writes(monkeypatch, tmp_path, capsys):
    from helpers import pretrained

    model = toy()
    monkeypatch.setattr(pretrained, "load_smollm2", lambda: (model, Lenient()))
    attention.main(["--out", str(tmp_path / "heads.npz")])
    found = load_head_costs(tmp_path / "heads.npz")
    texts = [Lenient().encode(attention.TEXT)]
    assert found.loss == pytest.approx(loss_with(model, texts))
    np.testing.assert_allclose(found.gained, head_ablation(model, texts), atol=1e-5)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"12 tokens, {found.loss:.3f} nats per token"
    assert lines[1].startswith("layer  0  ")
    assert lines[1].count(".") == 4
    assert lines[-1].startswith("wrote heads.npz, ")
    assert len(lines) == 1 + 3 + 2
    with pytest.raises(FileNotFoundError, match=r"read from none.npz, .*run: python -m helpers.attention"):
        load_head_costs(tmp_path / "none.npz")


@needs_smollm2
@pytest.mark.skipif(not attention.HEADS.is_file(), reason="run python -m helpers.attention")
def test_the_stored_costs_are_smollm2s():
    model, tokenizer = load_smollm2()
    stored = load_head_costs()
    assert stored.gained.shape == (30, 9)
    layer, head, gained = best_heads(stored.gained, 1)[0]
    without = loss_with(model, [tokenizer.encode(attention.TEXT)], heads_off=[(layer, head)])
    assert without - stored.loss == pytest.approx(gained, abs=0.005)
    assert gained == pytest.approx(0.304, abs=0.01)


# --- imports ------------------------------------------------------------------------------------


IN_PLAIN_PYTHON = """
import sys
import numpy as np
from helpers.attention import *
def refused(*cases):
    for wrong, part in cases:
        try:
            wrong()
        except ValueError as error:
            assert part in str(error), error
        else:
            raise AssertionError(part)
refused(
    (lambda: softmax(["a"]), "scores must be numbers, got <U1"),
    (lambda: scores([1.0], [[1.0]]), "queries must have at least 2 axes"),
    (lambda: scores(np.ones((2, 3)), np.ones((2, 4))), "got [2, 3] and [2, 4]; both are [..., seq, d_head]"),
    (lambda: scores(np.ones((1, 2, 3)), np.ones((2, 3))), "got [1, 2, 3] and [2, 3]"),
    (lambda: attend(np.ones((2, 3)), np.ones((2, 3)), np.ones((5, 3))), "one value for each of the 2 keys, got [5, 3]"),
    (lambda: attend([[1, 2]], [[1, 2]], [["a"]]), "values must be numbers"),
    (lambda: split_heads([1, 2], 2), "n_heads must divide d_model, got 2 heads for the shape [2]"),
    (lambda: merge_heads([[1, 2]]), "x must be [..., head, seq, d_head], got the shape [1, 2]; try x[None]"),
    (lambda: best_heads([1.0], 1), "table must have at least 2 axes"),
    (lambda: best_heads(np.ones((1, 2, 3)), 1), "a table [layer, head]"),
    (lambda: head_jobs(np.eye(3), [1, 2, 1]), "weights must have at least 4 axes"),
    (lambda: head_jobs(np.eye(3)[None, None], 3), "got [1, 1, 3, 3] for []"),
    (lambda: repeated_ids("ab", 2), "length must be from 2"),
    (lambda: repeated_ids([0.5, 1.5], 2), "length must be from 2"),
    (lambda: causal_mask("5"), "n must be a whole number of 1 or more, got '5'"),
    (lambda: layer_cosines(np.eye(3), np.eye(2)), "got [3, 3] and [2, 2]; take one model"),
    (lambda: layer_cosines(np.eye(3)[None], np.eye(3)[None]), "vectors must have 2 axes"),
    (lambda: sense_separation(np.ones((2, 3, 4)), np.ones((2, 3, 5))), "got [2, 3, 4] and [2, 3, 5]"),
)
assert softmax([0, 0]).tolist() == [0.5, 0.5]
assert attend([[0]], [[0]], [[3]]).output.tolist() == [[3]]
assert split_heads([[1, 2]], 2).shape == (2, 1, 1)
assert "torch" not in sys.modules
from helpers.pretrained import load_tinytown
from helpers.sentences import SharedWords
model, tokenizer = load_tinytown()
refused(
    (lambda: loss_with(model, [1, 2, 3]), "texts must be a list of texts, got 1 for one of them; wrap"),
    (lambda: loss_with(model, "a fox"), "a text must be a list of words or of ids, got the string 'a'"),
    (lambda: loss_with(model, [[1, 2]], heads_off=[0]), "got 0; every_head(model) lists them"),
    (lambda: loss_with(model, [[1, 2]], heads_off=[[0, 1]]), "got [0, 1]; every_head(model) lists them"),
    (lambda: head_ablation(model, [[1, 2]], ["a"]), "layer must be from 0 to 1 for this model, got 'a'"),
    (lambda: word_index(tokenizer, "the bank", 3), "a word must be a string with letters in it, got 3"),
    (lambda: word_index(tokenizer, None, "bank"), "a text must be a string with letters in it, got None"),
    (lambda: loss_with(SharedWords(), [[1, 2]]), "a model must be a GPT, which predicts the next token, got SharedW"),
    (lambda: read(SharedWords(), [1, 2]), "got SharedWords, which has no attention to show"),
    (lambda: attention_of(SharedWords(), tokenizer, "the fox"), "got SharedWords, which has no attention"),
)
"""


def test_without_types_enforced_a_slip_still_gets_a_sentence_and_no_torch():
    subprocess.run([sys.executable, "-c", IN_PLAIN_PYTHON], check=True)


# --- what the notebook asks besides -------------------------------------------------------------


def test_value_lengths_are_the_models_own():
    model = toy()
    ids = [3, 1, 4, 1, 5]
    lengths = value_lengths(model, ids)
    assert lengths.shape == (3, 5)
    with torch.no_grad():
        _, trace = model(torch.tensor([ids]), trace=True)
        block = model.blocks[1]
        values = block.attention.value(block.attention_norm(trace.residual[1]))[0]
    first_head, second_head = values[:, :6].norm(dim=-1), values[:, 6:].norm(dim=-1)  # 24 numbers, 4 heads
    np.testing.assert_allclose(lengths[1], (first_head + second_head) / 2, rtol=1e-5)


@needs_smollm2
def test_the_sinks_values_are_short():
    model, tokenizer = load_smollm2()
    lengths = value_lengths(model, tokenizer.encode(attention.TEXT)[:24])
    assert (lengths[[3, 5, 20], 0] < 0.3 * lengths[[3, 5, 20], 1:].mean(axis=1)).all()


def test_value_lengths_of_what_is_no_gpt():
    with pytest.raises(ValueError, match="a model must be a GPT, got SharedWords"):
        value_lengths(SharedWords(), [1, 2])


def test_lookback_by_hand(monkeypatch):
    """Who looks: the place before a colour that comes again; at whom: every place where it stood."""
    story = ["a", "red", "fox", "saw", "a", "blue", "fox", ".", "the", "red", "blue", "fox"]
    # tokens with <start> in front:  1 a, 2 red, 6 blue, 10 red, 11 blue; so 9 looks at 2 and 10 at 6
    weights = np.zeros((1, 2, 14, 14), dtype=np.float32)
    weights[0, 0, 9, 2], weights[0, 0, 10, 6], weights[0, 1, 10, 6], weights[0, 1, 9, 6] = 0.5, 0.25, 1.0, 1.0
    monkeypatch.setattr(attention, "read", lambda model, ids: attention.Reading(weights, None))
    monkeypatch.setattr(tinytown.WordTokenizer, "encode_story", lambda self, words: list(words))
    shares = lookback(TINYTOWN, [story, ["a", "fox"]], {"red": 3, "blue": 1})
    np.testing.assert_allclose(shares, [[0.375, 0.5]])


def test_lookback_of_tinytown():
    shares = lookback(TINYTOWN, STORIES, tinytown.DICE["colour"])
    assert shares.shape == (2, 4)
    assert np.unravel_index(shares.argmax(), (2, 4)) == (0, 1)
    assert 0.6 < shares.max() < 0.9
    assert np.sort(shares.ravel())[-2] < 0.15


def test_lookback_without_a_word_that_comes_back():
    with pytest.raises(ValueError, match="must come back in a story, got none"):
        lookback(TINYTOWN, [("look", ",", "the", "fox")], ["red"])


def test_memory_grows_with_the_square_step_by_step_and_with_the_length_fused():
    found = attention.measure_memory([50, 100], d_head=8, n_heads=3)
    table, output = 3 * 100 * 100 * 4, 3 * 100 * 8 * 4
    # scores and what becomes of them stand side by side, with a mask of a byte each: not more
    assert 2 * table <= found.naive[1] <= 2 * table + 3 * 100 * 100 + output
    assert 3.8 < found.naive[1] / found.naive[0] < 4.2
    assert output <= found.fused[1] <= 2 * output
    assert 1.8 < found.fused[1] / found.fused[0] < 2.2


def test_the_most_bytes_at_once_by_hand():
    def three_then_one(part):
        first = part + 1  # 40 bytes
        second = torch.cat([first, part])  # 80 more: 120 at once
        del first
        return second[:3] * 2  # the view costs nothing; 12 bytes beside 80

    assert attention._most_bytes(three_then_one, [torch.zeros(10)]) == 120


@pytest.mark.parametrize(
    ("lengths", "message"), [([], "got none"), ([0], "each length"), ([10**6], "at most")]
)
def test_bad_lengths_to_measure(lengths, message):
    with pytest.raises(ValueError, match=message):
        attention.measure_memory(lengths)
