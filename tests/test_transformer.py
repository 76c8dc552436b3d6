"""The GPT against torch's own attention, GPT-2 and llama as transformers builds them, and itself."""

import copy
import dataclasses
import errno
import json
import math
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

import helpers.transformer as transformer
from helpers.transformer import (
    GPT,
    Cache,
    GPTConfig,
    attention_weights,
    causal_mask,
    linear,
    load_model,
    rms_norm,
    rotate,
    save_model,
)

# Every axis has a size of its own: batch 2, seq 7, layers 3, vocab 37; heads, widths as below.
SMALL = {"vocab_size": 37, "n_ctx": 11, "n_layers": 3}
GPT2_LIKE = GPTConfig(**SMALL, n_heads=4, d_model=20, d_mlp=52)
LLAMA_LIKE = GPTConfig(
    **SMALL,
    n_heads=6,
    n_kv_heads=2,
    d_model=24,
    d_mlp=44,
    norm="rmsnorm",
    positions="rotary",
    rope_base=500.0,
    mlp="swiglu",
    bias=False,
)
CONFIGS = {
    "gpt2": GPT2_LIKE,
    "llama": LLAMA_LIKE,
    "untied": dataclasses.replace(LLAMA_LIKE, tied=False),
    "no positions, one kv head": dataclasses.replace(GPT2_LIKE, positions="none", n_kv_heads=1, bias=False),
}
each_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rough(config, seed=0, std=0.35):
    """A model with weights so large that attention is far from uniform."""
    model = GPT(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm.weight" in name else 0.0, std, generator=generator)
    return model.requires_grad_(False)


def some_ids(batch=2, seq=7, seed=0):
    return torch.randint(37, (batch, seq), generator=torch.Generator().manual_seed(seed))


def close(a, b, atol=2e-5):
    torch.testing.assert_close(a, b, rtol=0, atol=atol)


# ---------------------------------------------------------------------------------------------
# Pure functions


@pytest.mark.parametrize("causal", [False, True])
def test_attention_weights_agree_with_torch(causal):
    queries, keys, values = draw(2, 3, 7, 5) * 2, draw(2, 3, 7, 5, seed=1) * 2, draw(2, 3, 7, 4, seed=2)
    weights = attention_weights(queries, keys, causal_mask(7, 7) if causal else None)
    assert weights.max() > 0.9, "far from uniform, or a missing scale would go unseen"
    close(weights @ values, F.scaled_dot_product_attention(queries, keys, values, is_causal=causal), 2e-6)


def test_attention_weights_with_more_keys_than_queries():
    queries, keys, values = draw(2, 3, 4, 5) * 2, draw(2, 3, 9, 5, seed=1) * 2, draw(2, 3, 9, 6, seed=2)
    mask = causal_mask(4, 9)
    assert mask.sum(dim=1).tolist() == [6, 7, 8, 9]
    expected = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    close(attention_weights(queries, keys, mask) @ values, expected, 2e-6)


def test_grouped_heads_agree_with_torch():
    """The block's own grouping: query head h reads with key/value head h // group."""
    attention = rough(LLAMA_LIKE).blocks[0].attention
    x, positions = draw(2, 7, 24), torch.arange(7)
    queries = attention.query(x).view(2, 7, 6, 4).transpose(1, 2)
    keys = attention.key(x).view(2, 7, 2, 4).transpose(1, 2)
    values = attention.value(x).view(2, 7, 2, 4).transpose(1, 2)
    mixed = F.scaled_dot_product_attention(
        rotate(queries, positions, 500.0),
        rotate(keys, positions, 500.0),
        values,
        is_causal=True,
        enable_gqa=True,
    )
    expected = attention.output(mixed.transpose(1, 2).reshape(2, 7, 24))
    for trace in (False, True):
        close(attention(x, positions, None, trace)[0], expected)


@pytest.mark.parametrize("mask", [[[True, True], [False, False]], [[False, False], [False, True]]])
def test_a_query_that_may_see_nothing_is_refused(mask):
    row = mask.index([False, False])
    with pytest.raises(ValueError, match=f"see at least one key, got row {row} all False; causal_mask lets"):
        attention_weights(draw(3, 2, 5), draw(3, 2, 5, seed=1), torch.tensor(mask))
    with pytest.raises(ValueError, match="got row 0 all False"):
        attention_weights(draw(3, 5), draw(2, 5), causal_mask(3, 2))


@pytest.mark.parametrize("shape", [(), (7,), (1,), (2, 7)])
@pytest.mark.parametrize("limit", [0, 2**60], ids=["oneDNN", "MKL"])
def test_linear_agrees_with_torch(monkeypatch, limit, shape):
    monkeypatch.setattr(transformer, "LARGE_PRODUCT", limit)
    x, weight, bias = draw(*shape, 53), draw(31, 53, seed=1), draw(31, seed=2)
    close(linear(x, weight, bias), F.linear(x, weight, bias), 1e-4)
    close(linear(x, weight), F.linear(x, weight), 1e-4)
    assert linear(x.double(), weight.double()).dtype == torch.float64
    assert linear(x.bfloat16(), weight.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("shape", [(), (7,), (2, 7)])
@pytest.mark.parametrize("frozen", [None, "x", "weight"])
@pytest.mark.parametrize("limit", [0, 2**60], ids=["oneDNN", "MKL"])
def test_gradients_of_linear_agree_with_torch(monkeypatch, limit, frozen, shape):
    monkeypatch.setattr(transformer, "LARGE_PRODUCT", limit)
    numbers = {
        "x": draw(53, *shape).movedim(0, -1),  # laid out otherwise than the shape says
        "weight": draw(53, 31, seed=1).T,
        "bias": draw(31, seed=2),
    }
    upstream = draw(31, *shape, seed=3).movedim(0, -1)
    gradients = []
    for product in (linear, F.linear):
        leaves = {name: number.clone().requires_grad_(name != frozen) for name, number in numbers.items()}
        product(*leaves.values()).backward(upstream)
        gradients.append({name: leaf.grad for name, leaf in leaves.items() if name != frozen})
    for name, gradient in gradients[0].items():
        close(gradient, gradients[1][name], 1e-4)


def test_large_products_go_to_onednn(monkeypatch):
    if not transformer.ONEDNN:
        pytest.skip("this torch has no oneDNN")
    monkeypatch.setattr(transformer, "LARGE_PRODUCT", 7 * 31 * 53)
    taken = []
    real = F.linear
    monkeypatch.setattr(F, "linear", lambda x, *rest: taken.append(x.is_mkldnn) or real(x, *rest))
    x, weight = draw(7, 53), draw(31, 53, seed=1)
    linear(x, weight)
    linear(x[:6], weight)
    linear(draw(8, 53), weight[:30])
    linear(x, weight[:30])
    linear(x.double(), weight.double())
    linear(x.requires_grad_(), weight).sum().backward()
    monkeypatch.setattr(transformer, "ONEDNN", False)
    linear(x, weight)
    assert taken == [True, False, True, False, False, True, False]


@pytest.mark.parametrize("threads", [1, 2])
def test_one_row_goes_to_numpy_where_torch_has_one_thread(monkeypatch, threads):
    monkeypatch.setattr(transformer, "LARGE_FOR_ONE_ROW", 31 * 53)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    taken = []
    real = F.linear
    monkeypatch.setattr(F, "linear", lambda x, *rest: taken.append(len(x)) or real(x, *rest))
    x, weight, bias = draw(1, 53), draw(31, 53, seed=1), draw(31, seed=2)
    answers = {"whole": linear(x, weight, bias), "flat": linear(x[0], weight, bias)[None]}
    assert taken == ([1, 53] if threads == 2 else [])
    for answer in answers.values():
        close(answer, real(x, weight, bias), 1e-5)
        assert answer.shape == (1, 31)
    taken.clear()
    linear(draw(2, 53), weight)  # two rows
    linear(x, weight[:30])  # a smaller matrix
    linear(x.double(), weight.double())
    linear(x, weight.T.contiguous().T)  # laid out by columns
    linear(x, weight.clone().requires_grad_())
    linear(x.requires_grad_(), weight)
    assert taken == [2, 1, 1, 1, 1, 1]
    with torch.no_grad():  # a weight that may learn, in a pass that does not
        close(linear(x, weight.requires_grad_(), bias), real(x, weight, bias), 1e-5)


def test_torch_has_one_thread_while_a_reader_reads_one_token(monkeypatch):
    model = rough(CONFIGS["llama"])
    monkeypatch.setattr(transformer, "LARGE_FOR_ONE_ROW", 0)
    counts, threads = [], [4]
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda count: threads.__setitem__(0, count))
    unembed = model.unembed
    monkeypatch.setattr(model, "unembed", lambda x: counts.append(threads[0]) or unembed(x))
    read = model.reader()
    read([1, 2, 3])
    read([1, 2, 3, 4])
    read([5])
    monkeypatch.setattr(transformer, "LARGE_FOR_ONE_ROW", 2**60)  # a small model does without NumPy
    read([6])
    assert counts == [4, 1, 1, 4]
    assert threads == [4]
    monkeypatch.setattr(transformer, "LARGE_FOR_ONE_ROW", 0)
    monkeypatch.setattr(model, "unembed", lambda x: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        read([5, 6])
    assert threads == [4]


@pytest.mark.parametrize("name", ["gpt2", "llama", "untied"])
def test_a_reader_with_numpy_says_the_same(monkeypatch, name):
    model = rough(CONFIGS[name])
    ids = some_ids()[0].tolist()
    expected = model(torch.tensor([ids]))[0, -1].detach().numpy()
    monkeypatch.setattr(transformer, "LARGE_FOR_ONE_ROW", 0)
    read = model.reader()
    read(ids[:-1])
    np.testing.assert_allclose(read(ids), expected, atol=5e-5)


@pytest.mark.parametrize("name", ["gpt2", "llama", "untied"])
def test_a_model_says_the_same_with_either_library(monkeypatch, name):
    model = rough(CONFIGS[name])
    expected = model(some_ids())
    monkeypatch.setattr(transformer, "LARGE_PRODUCT", 0)
    close(model(some_ids()), expected, 5e-5)


def test_rotate_agrees_with_llama():
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

    config = LlamaConfig(
        hidden_size=24, num_attention_heads=3, rope_parameters={"rope_type": "default", "rope_theta": 700.0}
    )
    positions = torch.tensor([0, 1, 5, 17, 400])
    x = draw(2, 3, 5, 8)
    cos, sin = LlamaRotaryEmbedding(config)(x, positions[None])
    expected, _ = apply_rotary_pos_emb(x, x, cos, sin)
    close(rotate(x, positions, 700.0), expected, 1e-5)


def test_rotate_keeps_lengths_and_depends_on_distance_alone():
    query, key = draw(1, 8), draw(1, 8, seed=1)

    def score(i, j):
        return float(rotate(query, torch.tensor([i]), 50.0) @ rotate(key, torch.tensor([j]), 50.0).T)

    assert score(3, 1) == pytest.approx(score(40, 38), abs=1e-4)
    assert abs(score(3, 1) - score(3, 2)) > 0.05, "distance matters"
    close(rotate(query, torch.tensor([9])).norm(), query.norm(), 1e-5)
    close(rotate(query, torch.tensor([0])), query, 0)


def test_rms_norm_agrees_with_torch():
    x, weight = draw(2, 3, 5) * 0.01, draw(5, seed=1)  # so small that eps counts
    close(rms_norm(x, weight, 1e-3), F.rms_norm(x, (5,), weight, 1e-3), 1e-6)


# ---------------------------------------------------------------------------------------------
# The model and itself


@each_config
def test_trace_has_the_shapes_of_the_design(config):
    logits, trace = rough(config)(some_ids(), trace=True)
    assert logits.shape == (2, 7, 37)
    assert trace.attention.shape == (3, 2, config.n_heads, 7, 7)
    assert trace.residual.shape == (4, 2, 7, config.d_model)
    assert trace.logits is logits


@each_config
def test_rows_of_attention_sum_to_1_and_the_future_is_0(config):
    attention = rough(config)(some_ids(), trace=True)[1].attention
    close(attention.sum(dim=-1), torch.ones(3, 2, config.n_heads, 7), 1e-5)
    assert (attention >= 0).all()
    assert attention.triu(diagonal=1).abs().max() == 0
    assert attention[..., 1:, :].amax(dim=-1).max() > 0.8, "weights are large enough to see anything"


@each_config
def test_a_trace_changes_nothing(config):
    model = rough(config)
    close(model(some_ids()), model(some_ids(), trace=True)[0])


@each_config
def test_residual_starts_at_the_embedding_and_ends_before_the_last_norm(config):
    model, ids = rough(config), some_ids()
    logits, trace = model(ids, trace=True)
    start = model.embedding(ids)
    if config.positions == "learned":
        start = start + model.position_embedding.weight[:7]
    close(trace.residual[0], start, 0)
    close(model.unembed(trace.residual[-1]), logits, 0)
    block, _ = model.blocks[1](trace.residual[1], torch.arange(7), None, False)
    close(trace.residual[2], block)


@each_config
@pytest.mark.parametrize("changed", [0, 3, 6])
def test_a_change_leaves_everything_before_it_alone(config, changed):
    model, ids = rough(config), some_ids()
    other = ids.clone()
    other[:, changed] = (ids[:, changed] + 1) % 37
    before, after = model(ids), model(other)
    close(after[:, :changed], before[:, :changed], 1e-5)
    assert (after[:, changed:] - before[:, changed:]).abs().amax(dim=-1).min() > 1e-3


@each_config
@pytest.mark.parametrize("pieces", [(7,), (1, 6), (6, 1), (3, 2, 2), (1,) * 7])
def test_a_cache_gives_the_same_logits(config, pieces):
    model, ids, cache = rough(config), some_ids(), Cache()
    expected, whole = model(ids, trace=True)
    parts = [model(piece, cache=cache) for piece in ids.split(pieces, dim=1)]
    close(torch.cat(parts, dim=1), expected, 5e-5)
    assert cache.length == 7

    cache, start = Cache(), 0
    for piece in ids.split(pieces, dim=1):
        logits, trace = model(piece, cache=cache, trace=True)
        end = start + piece.shape[1]
        close(logits, expected[:, start:end], 5e-5)
        close(trace.attention, whole.attention[..., start:end, :end], 5e-5)
        close(trace.residual, whole.residual[:, :, start:end], 5e-5)
        start = end


def test_a_cache_can_be_taken_back():
    model, ids, cache = rough(LLAMA_LIKE), some_ids(), Cache()
    model(some_ids(seed=5)[:, 5:], cache=cache)  # 2 tokens of another text
    cache.length = 0
    model(ids[:, :5], cache=cache)
    cache.length = 3
    close(model(ids[:, 3:], cache=cache), model(ids)[:, 3:], 5e-5)


def test_an_interrupted_call_leaves_the_cache_usable(monkeypatch):
    model, ids, cache = rough(LLAMA_LIKE), some_ids(), Cache()
    model(ids[:, :3], cache=cache)
    with monkeypatch.context() as patch:
        patch.setattr(model.blocks[2], "forward", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            model(ids[:, 3:5], cache=cache)
    assert cache.length == 3
    close(model(ids[:, 3:], cache=cache), model(ids)[:, 3:], 5e-5)


def test_attention_is_taken_before_dropout():
    config = dataclasses.replace(GPT2_LIKE, dropout=0.5)
    torch.manual_seed(0)
    model = rough(config).train()
    attention = model(some_ids(), trace=True)[1].attention
    close(attention.sum(dim=-1), torch.ones(3, 2, 4, 7), 1e-5)
    assert (model(some_ids()) - model(some_ids())).abs().max() > 0.1, "dropout is at work"
    assert (model.eval()(some_ids()) - model(some_ids())).abs().max() == 0


def test_the_first_weights_are_gpt2s_and_come_from_the_seed():
    config = dataclasses.replace(GPT2_LIKE, d_model=160, n_layers=8)
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    model = GPT(config, seed=1)
    assert torch.equal(state, torch.random.get_rng_state()), "the global random state is left alone"
    blocks = model.blocks[5]
    assert blocks.attention.query.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert model.embedding.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert model.position_embedding.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert blocks.attention.output.weight.std().item() == pytest.approx(0.02 / 4, rel=0.05)
    assert blocks.mlp.down.weight.std().item() == pytest.approx(0.02 / 4, rel=0.05)
    assert blocks.mlp.up.bias.abs().max() == 0
    assert (blocks.mlp_norm.weight == 1).all()
    same, other = GPT(config, seed=1), GPT(config, seed=2)
    drawn = GPT(config, seed=torch.Generator().manual_seed(1))
    assert torch.equal(model.embedding.weight, same.embedding.weight)
    assert torch.equal(model.embedding.weight, drawn.embedding.weight)
    assert not torch.equal(model.embedding.weight, other.embedding.weight)


def test_the_first_weights_can_be_larger():
    small, large = GPT(GPT2_LIKE, seed=1), GPT(GPT2_LIKE, seed=1, std=0.06)
    for (name, before), after in zip(small.named_parameters(), large.parameters(), strict=True):
        fixed = name.endswith("bias") or "norm." in name
        close(after, before if fixed else 3 * before, 1e-6)


@pytest.mark.parametrize("std", [0, -0.02, math.nan, math.inf])
def test_first_weights_without_a_spread_are_refused(std):
    with pytest.raises(ValueError, match=f"std must be above 0 and finite, got {std}; 0.02 is GPT-2's"):
        GPT(GPT2_LIKE, std=std)


def test_n_params_counts_a_tied_table_once():
    # 2 x 5 embedding, 3 x 5 positions; a block: 2 norms of 2 x 5, attention 4 x (25 + 5),
    # feed-forward 5 x 7 + 7 + 7 x 5 + 5; last norm 2 x 5.
    config = GPTConfig(vocab_size=2, n_ctx=3, n_layers=1, n_heads=1, d_model=5, d_mlp=7)
    assert GPT(config).n_params == 10 + 15 + (20 + 120 + 82) + 10
    assert GPT(dataclasses.replace(config, tied=False)).n_params == 257 + 10
    assert GPT(config).device == torch.device("cpu")


def test_it_learns():
    """Gradients reach every weight, and a few steps lower the loss."""
    model, ids = GPT(LLAMA_LIKE, seed=0), some_ids()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())
    assert losses[0] == pytest.approx(math.log(37), rel=0.05)
    assert losses[-1] < 0.5 * losses[0]


# ---------------------------------------------------------------------------------------------
# GPT-2 and llama as transformers builds them


def roughen(theirs, std=0.3):
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            is_norm = "norm" in name or ".ln_" in name
            parameter.normal_(1.0 if is_norm and "weight" in name else 0.0, std, generator=generator)
    return theirs.eval()


def from_gpt2(state, n_layers):
    """GPT-2's weights under our names; its layers keep the matrices transposed, q, k and v in one."""
    ours = {"embedding.weight": state["transformer.wte.weight"]}
    ours["position_embedding.weight"] = state["transformer.wpe.weight"]
    for end in ("weight", "bias"):
        ours[f"final_norm.{end}"] = state[f"transformer.ln_f.{end}"]
        for layer in range(n_layers):
            theirs, block = f"transformer.h.{layer}", f"blocks.{layer}"
            ours[f"{block}.attention_norm.{end}"] = state[f"{theirs}.ln_1.{end}"]
            ours[f"{block}.mlp_norm.{end}"] = state[f"{theirs}.ln_2.{end}"]
            parts = state[f"{theirs}.attn.c_attn.{end}"].chunk(3, dim=-1)
            for part, weight in zip(("query", "key", "value"), parts, strict=True):
                ours[f"{block}.attention.{part}.{end}"] = weight.T if end == "weight" else weight
            for our, their in (
                ("attention.output", "attn.c_proj"),
                ("mlp.up", "mlp.c_fc"),
                ("mlp.down", "mlp.c_proj"),
            ):
                weight = state[f"{theirs}.{their}.{end}"]
                ours[f"{block}.{our}.{end}"] = weight.T if end == "weight" else weight
    return ours


def from_llama(state, n_layers):
    ours = {"embedding.weight": state["model.embed_tokens.weight"]}
    ours["final_norm.weight"] = state["model.norm.weight"]
    names = {
        "attention_norm": "input_layernorm",
        "attention.query": "self_attn.q_proj",
        "attention.key": "self_attn.k_proj",
        "attention.value": "self_attn.v_proj",
        "attention.output": "self_attn.o_proj",
        "mlp_norm": "post_attention_layernorm",
        "mlp.gate": "mlp.gate_proj",
        "mlp.up": "mlp.up_proj",
        "mlp.down": "mlp.down_proj",
    }
    for layer in range(n_layers):
        for our, their in names.items():
            ours[f"blocks.{layer}.{our}.weight"] = state[f"model.layers.{layer}.{their}.weight"]
    return ours


def agrees(model, theirs):
    ids = some_ids(seq=11)
    with torch.no_grad():
        expected = theirs(ids, output_attentions=True, output_hidden_states=True)
        logits, trace = model(ids, trace=True)
    spread = float(expected.logits.std())
    close(logits, expected.logits, 2e-5 * spread)
    close(trace.attention, torch.stack(expected.attentions), 1e-5)
    # Their last hidden state is taken behind the last norm; ours, before it.
    close(trace.residual[:-1], torch.stack(expected.hidden_states[:-1]), 1e-4)
    attention = trace.attention[..., -1, :]
    assert attention.max() > 0.6, "far from uniform, which would be 1 / 11"


@pytest.mark.parametrize("eps", [1e-5, 0.3])
def test_gpt2_agrees_with_transformers(eps):
    from transformers import GPT2Config, GPT2LMHeadModel

    theirs = roughen(
        GPT2LMHeadModel(
            GPT2Config(
                vocab_size=37,
                n_positions=11,
                n_layer=3,
                n_head=4,
                n_embd=20,
                n_inner=52,
                layer_norm_epsilon=eps,
                attn_implementation="eager",
            )
        )
    )
    model = GPT(dataclasses.replace(GPT2_LIKE, norm_eps=eps), seed=None)
    model.load_state_dict(from_gpt2(theirs.state_dict(), 3), assign=True)
    agrees(model.eval(), theirs)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("eps", [1e-6, 0.3])
def test_llama_agrees_with_transformers(tied, eps):
    from transformers import LlamaConfig, LlamaForCausalLM

    theirs = roughen(
        LlamaForCausalLM(
            LlamaConfig(
                vocab_size=37,
                max_position_embeddings=11,
                num_hidden_layers=3,
                num_attention_heads=6,
                num_key_value_heads=2,
                hidden_size=24,
                intermediate_size=44,
                rms_norm_eps=eps,
                rope_parameters={"rope_type": "default", "rope_theta": 500.0},
                tie_word_embeddings=tied,
                attn_implementation="eager",
            )
        )
    )
    state = theirs.state_dict()
    weights = from_llama(state, 3) | ({} if tied else {"unembedding.weight": state["lm_head.weight"]})
    model = GPT(dataclasses.replace(LLAMA_LIKE, norm_eps=eps, tied=tied), seed=None)
    model.load_state_dict(weights, assign=True)
    agrees(model.eval(), theirs)


# ---------------------------------------------------------------------------------------------
# The reader


@each_config
def test_a_reader_gives_the_logits_of_the_next_token(config):
    model = rough(config)
    read = model.reader()
    text = some_ids(batch=1, seq=11)[0].tolist()
    other = [(text[0] + 1) % 37, *text[1:]]
    # longer, longer, the same, shorter, branching off, from the start
    for ids in (text[:3], text[:4], text[:9], text[:9], text[:5], [*text[:3], text[0], text[1]], other, text):
        logits = read(ids)
        assert logits.dtype == np.float32
        np.testing.assert_allclose(logits, model(torch.tensor([ids]))[0, -1].numpy(), atol=5e-5)
        np.testing.assert_allclose(read(tuple(ids)), logits, atol=5e-5)


def test_a_reader_computes_only_what_is_new(monkeypatch):
    model = rough(GPT2_LIKE)
    read, lengths, real = model.reader(), [], model._read
    monkeypatch.setattr(
        model, "_read", lambda ids, cache, trace: lengths.append(ids.shape[1]) or real(ids, cache, trace)
    )
    for ids in ([1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 5, 6, 7], [1, 2], [9]):
        read(ids)
    assert lengths == [3, 1, 1, 3, 1, 1]


def test_a_reader_reads_without_dropout_and_leaves_the_mode():
    model = rough(dataclasses.replace(GPT2_LIKE, dropout=0.5)).train()
    logits = model.reader()([1, 2, 3])
    assert model.training
    assert model.blocks[0].dropout.training
    np.testing.assert_allclose(logits, model.eval()(torch.tensor([[1, 2, 3]]))[0, -1].numpy(), atol=5e-5)


def test_a_reader_notices_training():
    model = GPT(GPT2_LIKE)
    read = model.reader()
    read([1, 2, 3])
    optimizer = torch.optim.SGD(model.parameters(), lr=3.0)
    F.cross_entropy(model(torch.tensor([[1, 2]]))[0], torch.tensor([2, 3])).backward()
    optimizer.step()
    expected = model(torch.tensor([[1, 2, 3]]))[0, -1].detach().numpy()
    np.testing.assert_allclose(read([1, 2, 3]), expected, atol=5e-5)


def test_a_reader_survives_bad_input():
    model = rough(GPT2_LIKE)
    read = model.reader()
    read([1, 2, 3])
    for bad in ([], [1, 2, 3, 37], list(range(12))):
        with pytest.raises(ValueError, match="; "):
            read(bad)
    np.testing.assert_allclose(read([1, 2]), model(torch.tensor([[1, 2]]))[0, -1].numpy(), atol=5e-5)


# ---------------------------------------------------------------------------------------------
# Bad input: one sentence with the rule, the value and the next step


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (torch.zeros(5, dtype=torch.long), r"ids must be \[batch, seq\], got the shape \[5\]; wrap one text"),
        (torch.zeros(2, 3, 5, dtype=torch.long), r"ids must be \[batch, seq\], got the shape \[2, 3, 5\]; "),
        (torch.zeros(2, 3), "ids must be whole numbers, got torch.float32; try"),
        (torch.zeros(2, 3, dtype=torch.bool), "ids must be whole numbers, got torch.bool; try"),
        (torch.zeros(2, 0, dtype=torch.long), r"at least one token to read, got the shape \[2, 0\]; begin"),
        (torch.zeros(0, 2, dtype=torch.long), r"at least one token to read, got the shape \[0, 2\]; begin"),
        (torch.tensor([[1, 37]]), "ids must be from 0 to 36, got 37; use the tokenizer"),
        (torch.tensor([[1, -1]]), "ids must be from 0 to 36, got -1; use the tokenizer"),
        (torch.zeros(1, 12, dtype=torch.long), "at most 11 tokens for this model, got 12; keep the last 11"),
    ],
)
@each_config
def test_bad_ids_are_explained(config, ids, message):
    model = GPT(config)
    with pytest.raises(ValueError, match=message):
        model(ids)
    with pytest.raises(ValueError, match=message):
        model(ids, trace=True, cache=Cache())


@each_config
def test_a_text_may_fill_the_context_but_not_more(config):
    model, cache = rough(config), Cache()
    model(some_ids(seq=11), cache=cache)
    with pytest.raises(ValueError, match="at most 11 tokens for this model, got 11 in the cache and 1 new"):
        model(some_ids(seq=1), cache=cache)


def test_a_cache_belongs_to_its_batch_and_model():
    cache = Cache()
    rough(GPT2_LIKE)(some_ids(), cache=cache)
    with pytest.raises(ValueError, match=r"a cache goes on .* 2 texts.* for 3 layers, 1 texts.*empty Cache"):
        GPT(GPT2_LIKE)(some_ids(batch=1, seq=2), cache=cache)
    with pytest.raises(ValueError, match="a cache goes on with the model"):
        GPT(LLAMA_LIKE)(some_ids(seq=2), cache=cache)
    with pytest.raises(ValueError, match="a cache goes on with the model"):
        GPT(dataclasses.replace(GPT2_LIKE, n_layers=2))(some_ids(seq=2), cache=cache)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_layers": 0}, "n_layers must be a whole number of 1 or more, got 0; "),
        ({"vocab_size": -3}, "vocab_size must be a whole number of 1 or more, got -3; "),
        ({"d_mlp": 0}, "d_mlp must be a whole number of 1 or more, got 0; "),
        ({"n_kv_heads": 0}, "n_kv_heads must be a whole number of 1 or more, got 0; "),
        ({"n_heads": 3}, "n_heads must divide d_model, got 3 heads for 20 numbers; try d_model=21"),
        ({"n_kv_heads": 3}, "n_kv_heads must divide n_heads, got 3 for 4 heads; try n_kv_heads=1 or"),
        ({"norm": "batchnorm"}, "norm must be one of layernorm, rmsnorm, got 'batchnorm'; "),
        ({"positions": "sinus"}, "positions must be one of learned, rotary, none, got 'sinus'; "),
        ({"mlp": "relu"}, "mlp must be one of gelu, swiglu, got 'relu'; "),
        ({"positions": "rotary"}, "must be even, got 20 / 4 = 5; try positions='learned'"),
        ({"norm_eps": 0.0}, r"norm_eps must be above 0 and finite, got 0.0; 1e-05 is usual"),
        ({"rope_base": math.nan}, "rope_base must be above 0 and finite, got nan; 10000 is usual"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0; 0 switches it off"),
    ],
)
def test_a_config_that_cannot_be_built_is_explained(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(GPT2_LIKE, **changes)


FIVE = {"vocab_size": 7, "n_ctx": 5, "n_layers": 1, "n_heads": 2, "d_model": 6}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (FIVE | {"d_modle": 8}, r"^GPTConfig has no field 'd_modle'; did you mean 'd_model'\?$"),
        (FIVE | {"n_layer": 8}, r"no field 'n_layer'; did you mean 'n_layers'\?$"),
        (FIVE | {"vocab": 8}, r"no field 'vocab'; did you mean 'vocab_size'\?$"),
        (FIVE | {"xyz": 8}, r"^GPTConfig has no field 'xyz'; it has vocab_size, n_ctx, .*, dropout$"),
        (
            {"n_ctx": 5, "n_layers": 1, "n_heads": 2, "d_model": 6},
            "^vocab_size is missing; GPTConfig needs vocab",
        ),
        (
            {"n_ctx": 5, "n_layers": 1, "d_model": 6},
            "^vocab_size and n_heads are missing; GPTConfig needs vocab_s",
        ),
        (
            {},
            "n_heads and d_model are missing; GPTConfig needs vocab_size, n_ctx, n_layers, n_heads, d_model$",
        ),
    ],
)
def test_a_misspelt_or_missing_field_is_named(values, message):
    with pytest.raises(ValueError, match=message):
        GPTConfig(**values)


def test_a_config_is_built_by_position_and_copied():
    config = GPTConfig(7, 5, 1, 2, d_model=6)
    assert config == GPTConfig(**FIVE)
    assert copy.deepcopy(config) == pickle.loads(pickle.dumps(config)) == config
    with pytest.raises(ValueError, match=r"^d_model is missing"):
        GPTConfig(7, 5, 1, 2)
    with pytest.raises(ValueError, match=r"no field 'n_head'; did you mean 'n_heads'\?"):
        dataclasses.replace(config, n_head=4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.d_model = 8


def test_defaults_follow_the_other_sizes():
    config = GPTConfig(vocab_size=7, n_ctx=5, n_layers=1, n_heads=2, d_model=6)
    assert (config.d_head, config.kv_heads, config.mlp_width) == (3, 2, 24)
    wider = dataclasses.replace(config, d_model=12, n_heads=3)
    assert (wider.d_head, wider.kv_heads, wider.mlp_width) == (4, 3, 48)


# ---------------------------------------------------------------------------------------------
# Files


@each_config
def test_a_saved_model_comes_back(config, tmp_path):
    model, path = rough(config), tmp_path / "model.safetensors"
    save_model(model, path)
    again = load_model(path)
    assert again.config == config
    assert not again.training
    assert not any(parameter.requires_grad for parameter in again.parameters())
    assert all(parameter.requires_grad for parameter in load_model(path, trainable=True).parameters())
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
    assert torch.equal(again(some_ids()), model(some_ids()))
    assert "blocks.0.attention.query.weight" in load_file(path)


def test_writing_to_a_loaded_weight_leaves_the_file_alone(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(rough(GPT2_LIKE), path)
    before = path.read_bytes()
    load_model(path).embedding.weight.zero_()
    assert path.read_bytes() == before


def test_a_missing_file_is_explained(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"read from a file, got .*nowhere.*, which is not there; check"
    ):
        load_model(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("keep", [0, 5, 200, -1, -4000])
def test_a_truncated_file_is_explained(tmp_path, keep):
    path = tmp_path / "model.safetensors"
    save_model(rough(GPT2_LIKE), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(
        ValueError, match=r"must be whole safetensors, got .*, which is damaged \(.*\); fetch or"
    ):
        load_model(path)


def test_a_file_of_something_else_is_explained(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"PK\x03\x04 this is a zip file, or begins like one" * 50)
    with pytest.raises(ValueError, match="must be whole safetensors"):
        load_model(path)
    save_file({"wte.weight": torch.ones(2, 3)}, path)
    with pytest.raises(ValueError, match=r"one that save_model wrote, got .*no config of ours in it; save"):
        load_model(path)


def rewrite(path, change):
    """Saves a model whose weights and metadata ``change`` has spoilt."""
    weights = {name: weight.clone() for name, weight in rough(GPT2_LIKE).state_dict().items()}
    metadata = transformer.file_metadata(GPT2_LIKE)
    change(weights, metadata)
    save_file(weights, path, metadata=metadata)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w, m: w.pop("final_norm.bias"), r"where final_norm.bias is missing instead of \[20\]; save"),
        (lambda w, m: w.update(extra=torch.ones(1)), "where extra is not part of it; save"),
        (
            lambda w, m: w.update({"embedding.weight": torch.ones(37, 21)}),
            r"where embedding.weight is \[37, 21\] instead of \[37, 20\]; save",
        ),
        (
            lambda w, m: [w.pop("final_norm.bias"), w.pop("final_norm.weight")],
            r"where final_norm.weight is missing instead of \[20\] and 1 more; save",
        ),
        (lambda w, m: m.update(config="{"), r"config that can be built, got .* \(.*\); save"),
        (lambda w, m: m.update(config='{"n_layers": 3}'), r"vocab_size and n_ctx .* are missing; .*\); save"),
        (lambda w, m: m.update(config="[3]"), r"config that can be built, got .* \(.*\); save"),
        (lambda w, m: m.update(config='{"n_experts": 3}'), r"GPTConfig has no field 'n_experts'; .*\); save"),
        (
            lambda w, m: m.update(config=json.dumps(dataclasses.asdict(GPT2_LIKE) | {"n_heads": 3})),
            r"config that can be built, got .* \(n_heads must divide",
        ),
    ],
)
def test_a_file_with_the_wrong_contents_is_explained(tmp_path, change, message):
    path = tmp_path / "model.safetensors"
    rewrite(path, change)
    with pytest.raises(ValueError, match=message):
        load_model(path)


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_model(rough(GPT2_LIKE), path)
    before = path.read_bytes()

    def full_disk(weights, unfinished, metadata):
        unfinished.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(transformer, "save_file", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_model(rough(LLAMA_LIKE), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
