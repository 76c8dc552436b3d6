"""Fine-tuning: rows by hand, LoRA against ``peft`` and against its own arithmetic, adapters as files, bad input."""

import copy
import hashlib
import json
import math
import os
import signal
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from helpers import tinytown
from helpers.finetuning import (
    FULL,
    LORA,
    PARTS,
    Adapter,
    LoRAConfig,
    LoRALinear,
    Pair,
    add_lora,
    exact_match,
    load_adapter,
    lora_layers,
    merge_lora,
    mixed_rows,
    n_trained,
    pair_rows,
    put_adapter,
    question_pairs,
    remove_lora,
    save_adapter,
    set_strength,
    take_adapter,
    try_method,
)
from helpers.pretrained import TINYTOWN_FILE, is_available, load_smollm2, load_tinytown
from helpers.quantized import quantize
from helpers.training import IGNORED, TrainingConfig, evaluate, token_losses, train
from helpers.transformer import GPT, Cache, GPTConfig, save_model

LLAMA_LIKE = GPTConfig(
    vocab_size=37,
    n_ctx=13,
    n_layers=3,
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
SHAPES = {
    "query": (24, 24),
    "key": (8, 24),
    "value": (8, 24),
    "output": (24, 24),
    "gate": (44, 24),
    "up": (44, 24),
    "down": (24, 44),
}
TINYTOWN_PARTS = ("query", "key", "value", "output", "up", "down")
needs_smollm2 = pytest.mark.skipif(not is_available("smollm2"), reason="run python -m helpers.pretrained")


def rough(seed=0, config=LLAMA_LIKE):
    """A model with large weights, so that a wrong sum shows in its logits."""
    return GPT(config, seed=seed, std=0.3).eval()


def some_ids(batch=2, seq=11, seed=3):
    return torch.randint(37, (batch, seq), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def scribble(model, std=0.3, seed=5):
    """Fills an adapter with numbers, as training would: a fresh one changes nothing."""
    generator = torch.Generator().manual_seed(seed)
    for layer in lora_layers(model).values():
        layer.down.normal_(0, std, generator=generator)
        layer.up.normal_(0, std, generator=generator)
    return model


def wearing(rank=5, alpha=7.0, parts=PARTS, seed=0, model=None):
    return scribble(
        add_lora(model or rough(), LoRAConfig(rank=rank, alpha=alpha, parts=parts)), seed=5 + seed
    )


@torch.no_grad()
def logits(model, ids=None):
    return model(some_ids() if ids is None else ids)


def close(found, expected, atol=1e-4):
    torch.testing.assert_close(found, expected, atol=atol, rtol=0)


def far(found, expected, by=0.1):
    assert (found - expected).abs().max() > by


def state(model):
    """All that a refusal must leave alone: the names, numbers and learning of the weights, the strength, the mode."""
    return {
        "weights": {name: (w.detach().clone(), w.requires_grad) for name, w in model.named_parameters()},
        "strengths": {name: layer.strength.item() for name, layer in lora_layers(model).items()},
        "config": getattr(model, "lora", None),
        "training": model.training,
    }


def same_state(before, after):
    assert before["weights"].keys() == after["weights"].keys()
    for name, (weight, learns) in before["weights"].items():
        assert torch.equal(weight, after["weights"][name][0]), name
        assert learns == after["weights"][name][1], name
    assert [before[key] for key in ("strengths", "config", "training")] == [
        after[key] for key in ("strengths", "config", "training")
    ]


# ---------------------------------------------------------------------------------------------
# Rows


def test_rows_by_hand():
    pairs = [Pair((5, 6, 7), (8, 9)), Pair((4,), (3, 2))]
    inputs, targets = pair_rows(pairs, n_ctx=4, fill=1)
    assert inputs.tolist() == [[5, 6, 7, 8], [4, 3, 2, 1]]
    assert targets.tolist() == [[IGNORED, IGNORED, 8, 9], [3, 2, IGNORED, IGNORED]]
    inputs_too, all_targets = pair_rows(pairs, n_ctx=4, fill=1, answer_only=False)
    assert torch.equal(inputs, inputs_too)
    assert all_targets.tolist() == [[6, 7, 8, 9], [3, 2, IGNORED, IGNORED]]
    assert inputs.dtype == targets.dtype == torch.int64


def test_rows_take_any_lists_of_ids():
    lists = pair_rows([([5, 6], [7])], n_ctx=4)
    for other in (
        [(np.array([5, 6]), np.array([7]))],
        [(torch.tensor([5, 6]), torch.tensor([7]))],
        [Pair((5, 6), (7,))],
    ):
        assert all(torch.equal(a, b) for a, b in zip(pair_rows(other, n_ctx=4), lists, strict=True))


def test_the_loss_is_the_answers_alone():
    """Whatever the prompt's targets are worth, they are not in the loss; the answer's are, one by one."""
    model = rough()
    prompt, answer = (3, 30, 11, 6), (9, 2, 28)
    losses = token_losses(model, *pair_rows([Pair(prompt, answer)], n_ctx=13))[0]
    steps = torch.tensor([[*prompt, *answer]])
    expected = [-model(steps[:, :end])[0, -1].log_softmax(-1)[steps[0, end]] for end in range(4, 7)]
    close(losses[:3], torch.zeros(3))
    close(losses[3:], torch.stack(expected))


def test_a_pair_may_fill_the_context_and_not_more():
    pair = Pair(tuple(range(5)), (6, 7, 8))
    inputs, _ = pair_rows([pair], n_ctx=7)  # the last token is written, not read
    assert inputs.shape == (1, 7)
    with pytest.raises(
        ValueError, match=r"fit into the context of 6 tokens, got 7 in pair 1 \(counted from 0\)"
    ):
        pair_rows([Pair((1,), (2,)), pair], n_ctx=6)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "at least one prompt with its answer, got none"),
        ([Pair((1,), (2,)), Pair((), (2,))], "a prompt and an answer, got 0 and 1 tokens in pair 1"),
        ([Pair((1,), ())], "a prompt and an answer, got 1 and 0 tokens in pair 0"),
        (["who ?"], "two lists of ids, whole numbers from 0, got 'who .' as pair 0"),
        ([("who ?", "me .")], "two lists of ids"),
        ([((1,), (2,)), ((1, 2), (3,), (4,))], "as pair 1"),
        ([((1,), (2.5,))], "two lists of ids"),
        ([((1,), (-100,))], "two lists of ids"),
        ([((-1, 3), (2,))], "two lists of ids"),
        ([((math.nan,), (2,))], "two lists of ids"),
        ([7], "got 7 as pair 0"),
    ],
)
def test_bad_pairs_are_refused(pairs, message):
    with pytest.raises(ValueError, match=message):
        pair_rows(pairs, n_ctx=8)


def test_questions_as_pairs_end_in_an_end():
    tokenizer = tinytown.WordTokenizer()
    questions = tinytown.questions_about(tinytown.story(5)) + tinytown.questions_about(tinytown.story(3))
    for question, (prompt, answer) in zip(questions, question_pairs(questions), strict=True):
        assert prompt[0] == tokenizer.start_id
        assert answer[-1] == tokenizer.end_id
        assert tokenizer.end_id not in prompt + answer[:-1]
        assert tokenizer.decode(prompt[1:]) == " ".join(question.story + question.question)
        assert tokenizer.decode(answer[:-1]) == " ".join(question.answer)


def test_mixed_rows_are_both_filled_up():
    new = pair_rows([Pair((5, 6), (7,)), Pair((4,), (3,))], n_ctx=9)
    old = pair_rows([Pair((8,), (9, 5, 6))], n_ctx=9)
    inputs, targets = mixed_rows(new, old, fill=2)
    assert inputs.tolist() == [[5, 6, 2], [4, 3, 2], [8, 9, 5]]
    assert targets.tolist() == [[IGNORED, 7, IGNORED], [3, IGNORED, IGNORED], [9, 5, 6]]
    swapped = mixed_rows(old, new, fill=2)
    assert torch.equal(swapped[0], inputs[[2, 0, 1]])
    assert torch.equal(swapped[1], targets[[2, 0, 1]])


def test_mixed_rows_cost_what_they_cost_apart():
    model = rough()
    new = pair_rows([Pair((5, 6), (7, 1)), Pair((4,), (3,))], n_ctx=9)
    old = pair_rows([Pair((8,), (9, 5, 6, 30, 12))], n_ctx=9, answer_only=False)
    apart = [token_losses(model, *rows).sum() for rows in (new, old)]
    close(token_losses(model, *mixed_rows(new, old, fill=8)).sum(), sum(apart))


def test_rows_that_do_not_fit_each_other_are_not_mixed():
    good = pair_rows([Pair((5, 6), (7,))], n_ctx=9)
    ids = torch.zeros(2, 3, dtype=torch.long)
    with pytest.raises(ValueError, match=r"both \[row, seq\], got \[2, 3\] and \[1, 2\]"):
        mixed_rows(good, (ids, good[1]))
    with pytest.raises(ValueError, match=r"both \[row, seq\], got \[1, 2\] and \[2, 3\]"):
        mixed_rows((good[0], ids), good)


# ---------------------------------------------------------------------------------------------
# Exact match


def written(model, prompt, length):
    ids = list(prompt)
    for _ in range(length):
        ids.append(logits(model, torch.tensor([ids]))[0, -1].argmax().item())
    return tuple(ids[len(prompt) :])


def test_exact_match_is_what_greedy_writing_gives():
    model = rough(seed=1)
    prompts = [tuple(row) for row in some_ids(batch=7, seq=5).tolist()]
    right = [Pair(prompt, written(model, prompt, 1 + number % 4)) for number, prompt in enumerate(prompts)]
    wrong = [
        Pair(prompt, (*answer[:at], (answer[at] + 1) % 37, *answer[at + 1 :]))
        for prompt, answer in right
        for at in range(len(answer))
    ]
    rows = pair_rows(right + wrong, n_ctx=13)
    expected = torch.tensor([True] * len(right) + [False] * len(wrong))
    for batch_size in (1, 5, 256):
        assert torch.equal(exact_match(model, *rows, batch_size=batch_size), expected)


def test_exact_match_rolls_no_dice_and_leaves_the_mode_alone():
    model = GPT(
        GPTConfig(vocab_size=37, n_ctx=13, n_layers=1, n_heads=2, d_model=24, dropout=0.5), std=0.3
    ).eval()
    prompts = [tuple(row) for row in some_ids(batch=20, seq=5).tolist()]
    rows = pair_rows([Pair(prompt, written(model, prompt, 3)) for prompt in prompts], n_ctx=13)
    for mode in (True, False):
        model.train(mode)
        assert exact_match(model, *rows).all()
        assert model.training is mode


def test_exact_match_needs_answers():
    inputs, targets = pair_rows([Pair((5, 6), (7,)), Pair((4, 1), (3,))], n_ctx=9)
    targets[1] = IGNORED
    for rows in ((inputs, targets), (inputs[:0], targets[:0])):
        with pytest.raises(ValueError, match="a target that counts, got one without"):
            exact_match(rough(), *rows)


# ---------------------------------------------------------------------------------------------
# The config


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rank": 0}, "rank must be a whole number from 1, got 0; 8 is usual"),
        ({"rank": -3}, "rank must be a whole number from 1, got -3"),
        ({"rank": True}, "rank must be a whole number from 1, got True"),
        ({"alpha": 0}, "alpha must be above 0, got 0"),
        ({"alpha": -1.0}, "alpha must be above 0"),
        ({"alpha": math.nan}, "alpha must be above 0, got nan"),
        ({"alpha": math.inf}, "alpha must be above 0, got inf"),
        ({"alpha": True}, "alpha must be above 0, got True"),
        ({"parts": ()}, "parts must be some of query, .* each once, got "),
        ({"parts": ("query", "query")}, "each once, got"),
        ({"parts": ("query", "head")}, "parts must be some of"),
        ({"parts": "query"}, "parts must be some of .* got 'query'"),
        ({"seed": -1}, "seed must be a whole number from 0, got -1"),
        ({"seed": 2**63}, "seed must be a whole number from 0"),
        ({"seed": True}, "seed must be a whole number from 0, got True"),
    ],
)
def test_bad_configs_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        LoRAConfig(**fields)


def test_a_config_knows_lists():
    assert LoRAConfig(parts=["query", "up"]) == LoRAConfig(parts=("query", "up"))


# ---------------------------------------------------------------------------------------------
# LoRA


def test_a_new_adapter_changes_nothing():
    model = rough()
    before = logits(model)
    close(logits(add_lora(model, LoRAConfig(rank=4, parts=PARTS))), before, 0)


@pytest.mark.parametrize("rank", [1, 3, 8])
@pytest.mark.parametrize("parts", [("query", "value"), ("gate",), PARTS])
def test_what_learns_is_counted(rank, parts):
    model = add_lora(rough(), LoRAConfig(rank=rank, parts=parts))
    expected = 3 * sum(rank * sum(SHAPES[part]) for part in parts)
    assert n_trained(model) == expected
    learns = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert len(learns) == 2 * 3 * len(parts)
    homes = {part: "attention" if part in PARTS[:4] else "mlp" for part in PARTS}
    assert set(lora_layers(model)) == {f"blocks.{i}.{homes[part]}.{part}" for i in range(3) for part in parts}
    assert learns == {f"{name}.{half}" for name in lora_layers(model) for half in ("down", "up")}
    assert n_trained(remove_lora(model)) == 0


def test_the_change_is_two_thin_matrices_by_hand():
    base = torch.nn.Linear(3, 2)
    layer = LoRALinear(base, LoRAConfig(rank=1, alpha=6.0), torch.Generator())
    with torch.no_grad():
        layer.down.copy_(torch.tensor([[1.0, 0.0, -2.0]]))
        layer.up.copy_(torch.tensor([[0.5], [3.0]]))
    close(layer.change(), torch.tensor([[3.0, 0.0, -6.0], [18.0, 0.0, -36.0]]))  # 6 / 1 times
    x = torch.tensor([[1.0, 5.0, 1.0]])
    close(layer(x) - base(x), torch.tensor([[-3.0, -18.0]]))


@pytest.mark.parametrize("rank", [1, 4, 8])
def test_the_change_is_of_low_rank(rank):
    for layer in lora_layers(wearing(rank=rank)).values():
        sizes = torch.linalg.svdvals(layer.change())
        assert (sizes > 1e-4 * sizes[0]).sum() == rank
        assert layer.change().shape == layer.base.weight.shape


def test_the_change_grows_with_its_strength_and_alpha():
    model = wearing(alpha=7.0)
    double = wearing(alpha=14.0)
    for layer, other in zip(lora_layers(model).values(), lora_layers(double).values(), strict=True):
        close(2 * layer.change(), other.change(), 1e-5)
    set_strength(model, 2)
    close(logits(model), logits(double))
    changes = {}
    for strength in (0, 0.5, 1, 2):
        set_strength(model, strength)
        changes[strength] = lora_layers(model)["blocks.1.mlp.up"].change()
    close(changes[0], torch.zeros(44, 24), 0)
    close(changes[0.5] * 2, changes[1], 1e-5)
    close(changes[2], changes[1] * 2, 1e-5)
    far(changes[1], changes[0])


def test_strength_0_is_the_base_and_1_comes_back():
    model = rough()
    base = logits(model)
    changed = logits(wearing(model=model))
    far(changed, base)
    set_strength(model, 0)
    close(logits(model), base, 0)
    set_strength(model, np.float64(1))
    close(logits(model), changed, 0)


@pytest.mark.parametrize("strength", [-0.1, 2.01, math.nan, math.inf, -math.inf, True, "1", None, 1j])
def test_a_strength_out_of_range_is_refused(strength):
    model = wearing()
    set_strength(model, 0.25)
    before = state(model)
    with pytest.raises(ValueError, match=r"strength must be from 0 to 2, got .*; 1 is what was trained"):
        set_strength(model, strength)
    same_state(before, state(model))


def test_removing_gives_the_base_back():
    model = rough()
    before, names = logits(model), list(model.state_dict())
    weights = {name: weight.detach().clone() for name, weight in model.state_dict().items()}
    assert remove_lora(wearing(model=model)) is model
    close(logits(model), before, 0)
    assert list(model.state_dict()) == names
    assert not hasattr(model, "lora")
    assert not lora_layers(model)
    assert all(torch.equal(weight, weights[name]) for name, weight in model.state_dict().items())


@pytest.mark.parametrize("strength", [0.5, 1, 2])
def test_merging_gives_the_same_logits(strength):
    model = wearing()
    set_strength(model, strength)
    before, changes = logits(model), {name: layer.change() for name, layer in lora_layers(model).items()}
    plain = rough()
    assert merge_lora(model) is model
    assert not lora_layers(model)
    close(logits(model), before, 2e-4)
    far(logits(model), logits(plain))
    for name, change in changes.items():
        close(model.get_submodule(name).weight, plain.get_submodule(name).weight + change, 1e-6)


def test_what_is_worn_once_can_not_be_worn_twice_or_taken_off_twice():
    model = wearing()
    before = state(model)
    with pytest.raises(ValueError, match="one adapter, got one that does already; call remove_lora first"):
        add_lora(model)
    same_state(before, state(model))
    merge_lora(model)
    for call in (merge_lora, remove_lora, take_adapter, lambda model: set_strength(model, 1)):
        with pytest.raises(
            ValueError, match="must wear an adapter, got one without; call add_lora or put_adapter"
        ):
            call(model)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (LoRAConfig(rank=9, parts=("query", "key")), "rank must be at most 8 for a matrix of 8 x 24, got 9"),
        (LoRAConfig(rank=25, parts=("up",)), "rank must be at most 24 for a matrix of 44 x 24, got 25"),
    ],
)
def test_a_rank_above_the_matrix_is_refused(config, message):
    model = rough().requires_grad_(True)
    before = state(model)
    with pytest.raises(ValueError, match=message):
        add_lora(model, config)
    same_state(before, state(model))


def test_a_part_that_is_not_there_is_refused():
    model, _ = load_tinytown(trainable=True)
    before = state(model)
    with pytest.raises(ValueError, match="got 'gate'; this one has query, key, value, output, up, down"):
        add_lora(model, LoRAConfig(parts=("query", "gate")))
    same_state(before, state(model))


def test_8_bits_are_refused_and_an_adapter_survives_quantizing():
    model = wearing(alpha=2.0)
    light = quantize(rough())
    before = logits(light)
    with pytest.raises(ValueError, match="beside a linear layer in full precision, got Int8Linear"):
        add_lora(light)
    close(logits(light), before, 0)
    dressed = quantize(model)
    assert (logits(dressed) - logits(model)).abs().mean() < 0.3 * (logits(light) - logits(model)).abs().mean()
    with pytest.raises(ValueError, match="full precision, got Int8Linear"):
        merge_lora(dressed)


def test_first_weights_come_from_the_seed_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, again, other = (
        take_adapter(add_lora(rough(), LoRAConfig(rank=4, parts=PARTS, seed=seed))).weights
        for seed in (7, 7, 8)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    for name, weight in first.items():
        if name.endswith(".up"):
            assert not weight.any()
        else:
            assert not torch.equal(weight, other[name])
    downs = [first[f"blocks.{i}.attention.query.down"] for i in range(3)]
    assert not torch.equal(downs[0], downs[1])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_base_with_fewer_digits_wears_an_adapter_with_all_of_them(dtype):
    model = rough().to(dtype)
    plain = logits(model)
    wearing(model=model)
    assert all(layer.up.dtype == layer.down.dtype == torch.float32 for layer in lora_layers(model).values())
    changed = logits(model)
    assert changed.dtype == dtype
    far(changed.float(), plain.float())
    assert (changed.float() - logits(wearing())).abs().mean() < 0.1 * logits(wearing()).std()
    set_strength(model, 0)
    close(logits(model), plain, 0)
    set_strength(model, 1)
    merge_lora(model)
    assert model.blocks[0].mlp.up.weight.dtype == dtype
    spread = changed.float().std().item()
    assert (logits(model).float() - changed.float()).abs().mean() < 0.1 * spread


def test_an_adapter_reads_token_by_token_as_it_reads_a_text():
    model, ids = wearing(), some_ids()
    cache = Cache()
    parts = [logits_of(model, ids[:, at : at + 1], cache) for at in range(ids.shape[1])]
    close(torch.cat(parts, dim=1), logits(model))
    with torch.inference_mode():
        close(model(ids).clone(), logits(model))


@torch.no_grad()
def logits_of(model, ids, cache):
    return model(ids, cache=cache)


def test_a_reader_notices_what_is_turned_put_on_and_taken_off():
    model = rough()
    read, ids = model.reader(), some_ids(batch=1)
    text = ids[0].tolist()

    def right():
        return np.abs(read(text) - logits(model, ids)[0, -1].numpy()).max() < 1e-4

    seen = [read(text)]
    wearing(model=model)
    adapter = take_adapter(model)
    assert right()
    seen.append(read(text))
    for strength in (0.5, 2):
        set_strength(model, strength)
        assert right()
        seen.append(read(text))
    with torch.inference_mode():
        set_strength(model, 1.5)
    assert right()
    seen.append(read(text))
    assert min(np.abs(a - b).max() for i, a in enumerate(seen) for b in seen[:i]) > 0.1
    put_adapter(model, adapter)  # at strength 1 again
    assert right()
    assert np.allclose(read(text), seen[1], atol=1e-4)
    scribble(model, seed=9)
    assert right()
    remove_lora(model)
    assert right()
    assert np.allclose(read(text), seen[0], atol=1e-4)


def test_a_reader_is_not_misled_by_addresses_used_again():
    """An adapter that is taken off leaves its memory to the next one, or to the one after."""
    (model, _), config = load_tinytown(), LoRAConfig(parts=("query",))
    adapters = []
    for seed in range(3):
        adapters.append(take_adapter(scribble(add_lora(model, config), seed=seed)))
        remove_lora(model)
    ids = some_ids(batch=1)
    put_adapter(model, adapters[2])
    expected = logits(model, ids)[0, -1].numpy()
    remove_lora(model)
    for _ in range(12):
        put_adapter(model, adapters[0])
        read = model.reader()
        read(ids[0].tolist())
        for adapter in adapters[1:]:
            put_adapter(remove_lora(model), adapter)
        assert np.abs(read(ids[0].tolist()) - expected).max() < 1e-3
        remove_lora(model)


# ---------------------------------------------------------------------------------------------
# The outside truth: peft

LLAMA_NAMES = {
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


@pytest.fixture(scope="module")
def peft():
    return pytest.importorskip("peft")


def dressed_llama(peft, model, parts, rank, alpha):
    """Our model's weights in ``transformers``' llama, with an adapter of ``peft``'s beside the same matrices."""
    from transformers import LlamaConfig, LlamaForCausalLM

    c = model.config
    theirs = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=c.vocab_size,
            max_position_embeddings=c.n_ctx,
            num_hidden_layers=c.n_layers,
            num_attention_heads=c.n_heads,
            num_key_value_heads=c.kv_heads,
            hidden_size=c.d_model,
            intermediate_size=c.mlp_width,
            rms_norm_eps=c.norm_eps,
            rope_parameters={"rope_type": "default", "rope_theta": c.rope_base},
            tie_word_embeddings=True,
        )
    )
    weights = {
        "model.embed_tokens.weight": model.embedding.weight,
        "model.norm.weight": model.final_norm.weight,
    }
    for layer in range(c.n_layers):
        for our, their in LLAMA_NAMES.items():
            weights[f"model.layers.{layer}.{their}.weight"] = model.get_submodule(
                f"blocks.{layer}.{our}"
            ).weight
    weights["lm_head.weight"] = model.embedding.weight
    theirs.load_state_dict({name: weight.detach().clone() for name, weight in weights.items()})
    targets = [their.split(".")[1] for our, their in LLAMA_NAMES.items() if our.split(".")[-1] in parts]
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets, lora_dropout=0.0)
    return peft.get_peft_model(theirs, config)


def their_layers(theirs):
    """``peft``'s layers under our names."""
    ours = {their: our for our, their in LLAMA_NAMES.items()}
    found = {}
    for name, module in theirs.named_modules():
        if type(module).__name__ == "Linear" and hasattr(module, "lora_A"):
            _, _, _, _, layer, *their = name.split(".")
            found[f"blocks.{layer}.{ours['.'.join(their)]}"] = module
    return found


@pytest.mark.parametrize(("parts", "rank", "alpha"), [(("query", "value"), 3, 7.0), (PARTS, 5, 3.0)])
def test_lora_is_pefts(peft, parts, rank, alpha):
    """Logits, gradients, one step of AdamW, and merged weights, on the same weights."""
    plain = rough()
    theirs = dressed_llama(peft, plain, parts, rank, alpha)
    ours = wearing(rank=rank, alpha=alpha, parts=parts)
    layers, counterparts = lora_layers(ours), their_layers(theirs)
    assert layers.keys() == counterparts.keys()
    assert n_trained(ours) == n_trained(theirs)
    for name, layer in layers.items():
        their = counterparts[name]
        assert their.scaling["default"] == pytest.approx(layer.scale)
        with torch.no_grad():
            their.lora_A["default"].weight.copy_(layer.down)
            their.lora_B["default"].weight.copy_(layer.up)
    ids, targets = some_ids(), some_ids(seed=4)
    far(logits(ours), logits(plain))

    optimizers = []
    for model, call in ((ours, ours), (theirs, lambda ids: theirs(ids).logits)):
        torch.nn.functional.cross_entropy(call(ids).flatten(0, 1), targets.flatten()).backward()
        optimizers.append(torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=1e-3))

    def agree(atol):
        close(logits(ours), theirs(ids).logits.detach(), atol)
        for name, layer in layers.items():
            A, B = counterparts[name].lora_A["default"].weight, counterparts[name].lora_B["default"].weight
            for our, their in ((layer.down, A), (layer.up, B)):
                close(our.detach(), their.detach(), 1e-5)
                assert their.grad.abs().max() > 1e-3
                close(our.grad, their.grad, 1e-5)
            close(layer.change(), counterparts[name].get_delta_weight("default").detach(), 1e-5)

    agree(1e-4)
    before = logits(ours)
    for optimizer in optimizers:
        optimizer.step()
    far(logits(ours), before, 0.01)
    agree(1e-3)
    merged, expected = merge_lora(ours), theirs.merge_and_unload()
    for layer in range(3):
        for our, their in LLAMA_NAMES.items():
            found = merged.get_submodule(f"blocks.{layer}.{our}").weight
            close(
                found.detach(), expected.get_submodule(f"model.layers.{layer}.{their}").weight.detach(), 2e-5
            )


def test_first_weights_are_drawn_as_pefts(peft):
    """Uniform between the same bounds; ``up`` is 0."""
    ours = add_lora(rough(), LoRAConfig(rank=8, parts=PARTS))
    theirs = their_layers(dressed_llama(peft, rough(), PARTS, 8, 16))
    for name, layer in lora_layers(ours).items():
        A, B = theirs[name].lora_A["default"].weight, theirs[name].lora_B["default"].weight
        assert A.shape == layer.down.shape
        assert B.shape == layer.up.shape
        assert not B.any()
        assert not layer.up.any()
        bound = 1 / math.sqrt(A.shape[1])
        for weight in (layer.down, A):  # 8 x 24 numbers: the largest is next to the bound
            assert 0.9 * bound < weight.abs().max() <= bound
            assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.2)
            assert abs(weight.mean().item()) < 0.2 * bound


# ---------------------------------------------------------------------------------------------
# Adapters as data


def equal(adapter, other, atol=0.0):
    assert adapter.config == other.config
    assert adapter.weights.keys() == other.weights.keys()
    for name, weight in adapter.weights.items():
        close(weight, other.weights[name], atol)
    close(adapter.base, other.base, 0)


def test_an_adapter_is_taken_off_and_put_on():
    model = wearing()
    worn, adapter = logits(model), take_adapter(model)
    set_strength(model, 0.5)
    equal(take_adapter(model), adapter)  # how loud it is, is not part of it
    scribble(model, seed=8)
    far(logits(model), worn)
    assert put_adapter(model, adapter) is model  # in place of the one that it wears
    close(logits(model), worn, 0)
    close(logits(put_adapter(rough(), adapter)), worn, 0)
    copies = take_adapter(model)
    scribble(model, seed=8)
    equal(copies, adapter)  # and not the model's own numbers


def test_another_adapter_may_have_other_parts():
    model, base = rough(), logits(rough())
    one = take_adapter(wearing(parts=("query", "up")))
    other = take_adapter(wearing(parts=("down",), rank=2, seed=1))
    both = []
    for adapter in (one, other, one, other):
        both.append(logits(put_adapter(model, adapter)))
        assert n_trained(model) == sum(weight.numel() for weight in adapter.weights.values())
    close(both[0], both[2], 0)
    close(both[1], both[3], 0)
    far(both[0], both[1])
    close(logits(remove_lora(model)), base, 0)


@pytest.mark.parametrize(
    ("dtype", "atol"), [(torch.float32, 0), (torch.float16, 1e-3), (torch.bfloat16, 1e-2)]
)
def test_a_file_gives_the_adapter_back(tmp_path, dtype, atol):
    adapter, path = take_adapter(wearing(rank=3, alpha=4.5)), tmp_path / "voice.safetensors"
    save_adapter(adapter, path, dtype)
    loaded = load_adapter(str(path))
    equal(loaded, adapter, atol)
    assert all(weight.dtype == torch.float32 for weight in loaded.weights.values())
    assert os.listdir(tmp_path) == ["voice.safetensors"]
    worn = logits(wearing(rank=3, alpha=4.5))
    assert (logits(put_adapter(rough(), loaded)) - worn).abs().mean() <= 10 * atol * worn.std()
    n = sum(weight.numel() for weight in adapter.weights.values())
    assert 0 < path.stat().st_size - n * dtype.itemsize < 10_000
    again = tmp_path / "again.safetensors"
    save_adapter(loaded, again, dtype)
    assert again.stat().st_size == path.stat().st_size


def test_a_loaded_adapter_does_not_hang_on_its_file(tmp_path):
    path = tmp_path / "voice.safetensors"
    adapter = take_adapter(wearing())
    save_adapter(adapter, path)
    loaded = load_adapter(path)
    with open(path, "r+b") as file:  # the same file, scribbled over
        file.seek(-2000, os.SEEK_END)
        file.write(b"\x7f" * 2000)
    equal(loaded, adapter)


def others():
    """Bases that are not the one of `rough()`, and what the refusal says."""
    deeper = GPTConfig(**{**LLAMA_LIKE.__dict__, "n_layers": 4})
    wider = GPTConfig(**{**LLAMA_LIKE.__dict__, "d_mlp": 48})
    tuned = rough().requires_grad_(True)
    ids = some_ids()
    list(
        train(
            tuned, ids[:, :-1], ids[:, 1:].clone(), TrainingConfig(steps=3, batch_size=2, learning_rate=1e-3)
        )
    )
    return {
        "other numbers": (rough(seed=1), "other numbers"),
        "other shapes": (rough(config=wider), "other shapes"),
        "more layers": (
            rough(config=deeper),
            "damaged one: 'blocks.3.*is in the model and not in the adapter",
        ),
        "fine-tuned": (tuned, "other numbers"),
        "another adapter merged": (merge_lora(wearing(parts=("up",), seed=3)), "other numbers"),
    }


@pytest.mark.parametrize(
    "name", ["other numbers", "other shapes", "more layers", "fine-tuned", "another adapter merged"]
)
@pytest.mark.parametrize("worn", [False, True])
def test_an_adapter_for_another_base_is_refused(name, worn):
    model, message = others()[name]
    if worn:
        set_strength(wearing(rank=2, parts=("gate", "value"), model=model), 0.5)
    before, seen = state(model), logits(model)
    for adapter in (take_adapter(wearing(parts=("query", "up"))), take_adapter(wearing(parts=PARTS))):
        with pytest.raises(ValueError, match=message):
            put_adapter(model, adapter)
        same_state(before, state(model))
        close(logits(model), seen, 0)


def broken(adapter, how):
    name = "blocks.1.mlp.up.down"
    weights = dict(adapter.weights)
    config = adapter.config
    if how == "nan":
        weights[name] = weights[name].clone()
        weights[name][1, 2] = math.nan
    elif how == "name":
        weights["blocks.1.mlp.sideways.down"] = weights.pop(name)
    elif how == "missing":
        del weights[name]
    elif how == "transposed":
        weights[name] = weights[name].T.contiguous()
    elif how == "part":
        config = LoRAConfig(**{**config.__dict__, "parts": ("query",)})
    elif how == "rank":
        config = LoRAConfig(**{**config.__dict__, "rank": 2})
    return Adapter(config, weights, adapter.base)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("nan", "must hold numbers, got some that are none in 'blocks.1.mlp.up.down'; train it again"),
        ("name", "'blocks.1.mlp.sideways.down' is in the adapter"),
        ("missing", "'blocks.1.mlp.up.down' is in the model"),
        ("transposed", "other shapes"),
        ("part", "'blocks.0.mlp.up.down' is in the adapter"),
        ("rank", "other shapes"),
    ],
)
def test_a_broken_adapter_is_refused(tmp_path, how, message):
    good = take_adapter(wearing(parts=("query", "up"), rank=3))
    model = set_half(wearing(parts=("gate",), rank=1))
    before = state(model)
    with pytest.raises(ValueError, match=message):
        put_adapter(model, broken(good, how))
    same_state(before, state(model))
    path = tmp_path / "broken.safetensors"
    if how == "nan":
        with pytest.raises(
            ValueError, match=r"numbers that torch.float32 can write, got others in 'blocks.1.mlp.up.down'"
        ):
            save_adapter(broken(good, how), path)
        return
    save_adapter(broken(good, how), path)
    with pytest.raises(ValueError, match=message):
        put_adapter(model, load_adapter(path))
    same_state(before, state(model))


def set_half(model):
    set_strength(model, 0.5)
    return model


def test_an_adapter_with_gate_does_not_fit_tinytown():
    model, _ = load_tinytown()
    with pytest.raises(ValueError, match="parts must be in the model, got 'gate'; this one has query"):
        put_adapter(model, take_adapter(wearing(parts=("gate",))))
    with pytest.raises(ValueError, match="rank must be at most 64"):
        put_adapter(model, Adapter(LoRAConfig(rank=65), {}, torch.zeros(0)))


def test_what_can_not_be_saved_leaves_the_old_file(tmp_path):
    path = tmp_path / "voice.safetensors"
    adapter = take_adapter(wearing())
    save_adapter(adapter, path)
    before = path.read_bytes()
    loud = Adapter(
        adapter.config, {name: weight * 1e7 for name, weight in adapter.weights.items()}, adapter.base
    )
    with pytest.raises(
        ValueError, match=r"numbers that torch.float16 can write, got others in .*; try torch.float32"
    ):
        save_adapter(loud, path, torch.float16)
    with pytest.raises(ValueError, match=r"dtype must be one of fractions, got torch.int8"):
        save_adapter(adapter, path, torch.int8)
    with pytest.raises(OSError, match="must be written where there is room"):
        save_adapter(adapter, tmp_path / "nowhere" / "voice.safetensors")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        save_adapter(adapter, tmp_path / "folder")
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["folder", "voice.safetensors"]


def test_files_that_hold_no_adapter_are_refused(tmp_path):
    path = tmp_path / "voice.safetensors"
    adapter = take_adapter(wearing())
    save_adapter(adapter, path)
    whole = path.read_bytes()
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    for end in (0, 4, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match=r"a whole safetensors file, got .*, which is cut off, damaged"):
            load_adapter(path)
    path.write_text("Arr, it be Paris, matey!")
    with pytest.raises(ValueError, match="cut off, damaged or something else"):
        load_adapter(path)
    save_model(rough(), path)
    with pytest.raises(
        ValueError, match=r"one that save_adapter wrote .* got .* of the format 'under-the-hood GPT"
    ):
        load_adapter(path)
    save_file({"a": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match="of the format 'unknown'"):
        load_adapter(path)
    for missing in (tmp_path / "nothing", tmp_path):
        with pytest.raises(
            ValueError, match=r"an adapter must be a file, got .*, which is not there; check the path"
        ):
            load_adapter(missing)
    tensors = {**adapter.weights, "base": adapter.base}
    config = json.loads(metadata["config"])
    for bad in (
        None,
        "",
        "[1]",
        "{",
        "7",
        json.dumps({**config, "rank": 0}),
        json.dumps({**config, "size": 2}),
    ):
        save_file(tensors, path, {"format": metadata["format"]} | ({} if bad is None else {"config": bad}))
        with pytest.raises(ValueError, match=r"a config that can be built, got .* with a broken one"):
            load_adapter(path)
    save_file(adapter.weights, path, metadata)
    with pytest.raises(ValueError, match="without the numbers of its base"):
        load_adapter(path)


# ---------------------------------------------------------------------------------------------
# Training


def checksum(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def questions():
    asked = [q for tale in tinytown.told("questions_train", 60) for q in tinytown.questions_about(tale)]
    return pair_rows(question_pairs(asked), n_ctx=64)


SHORT = TrainingConfig(steps=8, batch_size=8, learning_rate=5e-3)


def test_an_adapter_learns_and_the_base_stands_still(questions):
    file_before = checksum(TINYTOWN_FILE)
    model, _ = load_tinytown()
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    add_lora(model, LoRAConfig(rank=4, parts=TINYTOWN_PARTS))
    losses = [record.loss for record in train(model, *questions, SHORT)]
    assert losses[-1] < losses[0] - 0.5
    adapter = take_adapter(model)
    assert all(weight.abs().max() > 0 for weight in adapter.weights.values())
    remove_lora(model)
    assert all(torch.equal(weight, weights[name]) for name, weight in model.state_dict().items())
    merge_lora(put_adapter(model, adapter))
    far(model.blocks[0].mlp.up.weight, weights["blocks.0.mlp.up.weight"], 1e-3)
    model, _ = load_tinytown(trainable=True)
    list(train(model, *questions, SHORT))
    assert checksum(TINYTOWN_FILE) == file_before  # weights are mapped from it, and written to


def interrupted(model, rows, how):
    """Trains until something stops it, and says how many steps were heard of."""
    heard = []

    def listen():
        for record in train(model, *rows, SHORT):
            heard.append(record.step)
            if record.step == 3:
                if how == "listener":
                    raise KeyboardInterrupt
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        listen()
    return len(heard)


@pytest.mark.parametrize(
    "how",
    [
        "listener",
        pytest.param("signal", marks=pytest.mark.skipif(sys.platform == "win32", reason="sends one")),
    ],
)
def test_an_interrupt_leaves_the_base_and_half_an_adapter(questions, how, interrupts):
    model, _ = load_tinytown()
    base = logits(model, questions[0])
    add_lora(model, LoRAConfig(rank=2, parts=TINYTOWN_PARTS))
    assert interrupted(model, questions, how) == 3
    assert not model.training
    half = logits(model, questions[0])
    far(half, base, 0.01)
    kept = take_adapter(model)
    close(logits(remove_lora(model), questions[0]), base, 0)
    close(logits(put_adapter(model, kept), questions[0]), half, 0)
    list(train(model, *questions, SHORT))  # and it can go on
    far(logits(model, questions[0]), half, 0.01)


def test_a_method_is_tried_on_a_copy(questions, tmp_path):
    model, _ = load_tinytown()
    before = state(model)
    held_out = tuple(ids[:40] for ids in questions)
    stories = tinytown.stories("test", 20)
    outcomes = {rank: try_method(model, rank, questions, held_out, stories, SHORT) for rank in (None, 2)}
    same_state(before, state(model))
    n = {None: model.n_params, 2: 2 * 2 * (4 * (64 + 64) + 2 * (64 + 256))}
    for rank, outcome in outcomes.items():
        pupil = copy.deepcopy(model).requires_grad_(True)
        if rank:
            add_lora(pupil, LoRAConfig(rank=2, alpha=4, parts=TINYTOWN_PARTS))
        list(train(pupil, *questions, SHORT))
        path = tmp_path / "kept"
        save_adapter(take_adapter(pupil), path) if rank else save_model(pupil, path)
        assert outcome.method == ("LoRA, rank 2" if rank else "all weights")
        assert outcome.trained == n[rank]
        assert outcome.training_bytes == 12 * n[rank]
        assert outcome.file_bytes == path.stat().st_size
        assert outcome.story_loss == pytest.approx(evaluate(pupil, stories), rel=1e-4)
        assert outcome.accuracy == pytest.approx(
            exact_match(pupil, *held_out).float().mean().item(), abs=0.03
        )
        assert 0 < outcome.seconds < 60
    assert outcomes[2].file_bytes < outcomes[None].file_bytes / 5


def test_the_recipes_compare_like_with_like():
    assert (FULL.steps, FULL.batch_size) == (LORA.steps, LORA.batch_size)


# ---------------------------------------------------------------------------------------------
# A real model


@needs_smollm2
def test_smollm2_wears_and_merges_an_adapter():
    model, tokenizer = load_smollm2()
    ids = torch.tensor([tokenizer.encode("The capital of France is")])
    base = logits(model, ids)
    add_lora(model, LoRAConfig(rank=8))
    assert n_trained(model) == 30 * 8 * ((576 + 576) + (576 + 192))
    close(logits(model, ids), base, 0)
    scribble(model, std=0.05)
    changed = logits(model, ids)
    far(changed, base, 1)
    adapter = take_adapter(model)
    merge_lora(model)
    close(logits(model, ids), changed, 2e-3)
    with pytest.raises(ValueError, match="other numbers"):
        put_adapter(model, adapter)
    model, _ = load_smollm2()  # the file is as it was
    close(logits(model, ids), base, 1e-4)
    close(logits(put_adapter(model, adapter), ids), changed, 1e-4)


def test_a_model_that_wears_an_adapter_is_not_saved(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(
        ValueError, match=r"must be saved without an adapter, .* call merge_lora or remove_lora"
    ):
        save_model(wearing(), path)
    assert list(tmp_path.iterdir()) == []
