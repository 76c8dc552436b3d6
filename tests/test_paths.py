"""The path of a word through a model: the map, the steps, and what changes without a token."""

import dataclasses
import inspect

import numpy as np
import pytest
import torch
from einops import rearrange

from helpers import attention, paths
from helpers.paths import (
    CLOSE,
    PAIRS,
    TINYTOWN_BANKS,
    Anchors,
    PathReader,
    Usual,
    all_steps,
    anchors_of,
    compare,
    leave_one_out,
    place,
    pulls_on,
    sense_axis,
    share_right,
    usual,
    vectors_without,
    word_pulls,
    word_steps,
)
from helpers.pretrained import is_available, load_minilm, load_smollm2, load_tinytown
from helpers.senses import APPLE_COMPANY, APPLE_FRUIT, MONEY_BANK, RIVER_BANK
from helpers.sentences import EncoderConfig, SentenceEncoder, SharedWords
from helpers.tinytown import WordTokenizer
from helpers.transformer import GPT, GPTConfig

TOKENIZER = WordTokenizer()
TINYTOWN, _ = load_tinytown()
TEXT = "i took my gold to the bank . the hen"
OTHERS = ("the fox swam to the bank", "i live by the bank . the river was blue .", "the bank was muddy")

needs_smollm2 = pytest.mark.skipif(not is_available("smollm2"), reason="python -m helpers.pretrained")
needs_minilm = pytest.mark.skipif(not is_available("minilm"), reason="python -m helpers.pretrained")


def gpt(**settings):
    """A small model with large random weights: mistakes of scale or order are then seen."""
    config = {
        "vocab_size": TOKENIZER.vocab_size,
        "n_ctx": 40,
        "n_layers": 3,
        "n_heads": 4,
        "d_model": 24,
        **settings,
    }
    model = GPT(GPTConfig(**config), seed=0).eval().requires_grad_(False)
    return shaken(model)


def shaken(model):
    generator = torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        scale = 0.4 if parameter.ndim > 1 else 0.3
        drawn = torch.randn(parameter.shape, generator=generator) * scale
        parameter.copy_(drawn + 1 if "norm" in name and name.endswith("weight") else drawn)
    return model


def encoder():
    config = EncoderConfig(
        vocab_size=TOKENIZER.vocab_size, n_ctx=40, n_layers=3, n_heads=4, d_model=20, d_mlp=28
    )
    model = SentenceEncoder(config)
    model.to_empty(device="cpu")
    return shaken(model.eval().requires_grad_(False))


LLAMA = gpt(positions="rotary", norm="rmsnorm", mlp="swiglu", n_kv_heads=2, bias=False, d_mlp=36)
GPT2 = gpt(n_layers=2)
BERT = encoder()
MODELS = pytest.mark.parametrize("model", [LLAMA, GPT2, BERT], ids=["llama", "gpt2", "bert"])
DECODERS = pytest.mark.parametrize("model", [LLAMA, GPT2], ids=["llama", "gpt2"])


def groups(seed=0, n_a=4, n_b=5, layers=3, d_model=7):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(n_a, layers, d_model)), rng.normal(size=(n_b, layers, d_model))
    return a - 1, b + rng.normal(size=d_model)


def usual_of(model, seed=3):
    layers, heads = model.config.n_layers, model.config.n_heads
    return (
        np.random.default_rng(seed).normal(size=(layers, heads, model.config.d_model // heads)).astype("f4")
    )


# ---- The map ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_means_stand_at_minus_one_and_one_where_the_direction_was_taken(layer):
    a, b = groups()
    axis = sense_axis(a, b, layer)
    assert axis.layer == layer
    assert isinstance(axis.layer, int)
    np.testing.assert_allclose(place(axis, a).mean(0)[layer], -1, atol=1e-9)
    np.testing.assert_allclose(place(axis, b).mean(0)[layer], 1, atol=1e-9)
    # The middle of the two is at 0 everywhere.
    np.testing.assert_allclose(place(axis, a).mean(0) + place(axis, b).mean(0), 0, atol=1e-9)


def test_the_direction_is_the_difference_of_the_means():
    a, b = groups()
    axis = sense_axis(a, b, 2)
    apart = b[:, 2].mean(0) - a[:, 2].mean(0)
    cosine = apart @ axis.direction / np.linalg.norm(apart) / np.linalg.norm(axis.direction)
    assert cosine == pytest.approx(1)
    np.testing.assert_allclose(axis.middle, (a.mean(0) + b.mean(0)) / 2 @ axis.direction)


@pytest.mark.parametrize(("layers", "half"), [(3, 1), (4, 1), (5, 2), (31, 15), (7, 3)])
def test_the_direction_is_taken_half_way_up(layers, half):
    a, b = groups(layers=layers)
    assert sense_axis(a, b).layer == half
    np.testing.assert_allclose(sense_axis(a, b).direction, sense_axis(a, b, half).direction)


def test_a_step_on_the_map_is_the_same_in_all_blocks():
    a, b = groups()
    axis, moved = sense_axis(a, b), np.random.default_rng(5).normal(size=7)
    for layer in range(3):
        changed = a[0].copy()
        changed[layer] += moved
        shift = place(axis, changed) - place(axis, a[0])
        np.testing.assert_allclose(shift[layer], moved @ axis.direction)
        np.testing.assert_allclose(np.delete(shift, layer), 0, atol=1e-12)


def test_longer_vectors_make_the_same_map():
    a, b = groups()
    np.testing.assert_allclose(place(sense_axis(100 * a, 100 * b), 100 * a), place(sense_axis(a, b), a))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a, b: (a, b[:, :2], None), "the same layers and width, got"),
        (lambda a, b: (a, b[:, :, :3], None), "take one model"),
        (lambda a, b: (a, b, 3), "layer must be from 0 to 2 for these vectors, got 3"),
        (lambda a, b: (a, b, -1), "from 0 to 2"),
        (lambda a, b: (a, b, True), "got True"),
        (lambda a, b: (a, a, None), "must differ after block 1, got the same mean"),
        (lambda a, b: (a + np.nan, b, None), "finite"),
    ],
)
def test_what_no_map_can_be_made_of_is_refused(change, said):
    a, b, layer = change(*groups())
    with pytest.raises(ValueError, match=said):
        inspect.unwrap(sense_axis)(a, b, layer)


def test_vectors_of_another_model_have_no_place():
    axis = sense_axis(*groups())
    for vectors in (np.ones((3, 8)), np.ones((4, 7))):
        with pytest.raises(ValueError, match="for this map, got"):
            place(axis, vectors)


# ---- Is the map true? ---------------------------------------------------------------------------------------------


def test_each_sentence_is_placed_by_the_others_alone():
    a, b = groups()
    places = leave_one_out(a, b, 2)
    assert (places.a.shape, places.b.shape) == ((4, 3), (5, 3))
    for which, vectors in enumerate((a, b)):
        for i in range(len(vectors)):
            rest = [a, b]
            rest[which] = np.concatenate([vectors[:i], vectors[i + 1 :]])
            means = [group.mean(0) for group in rest]
            apart = means[1][2] - means[0][2]
            expected = 2 * (vectors[i] - (means[0] + means[1]) / 2) @ apart / (apart @ apart)
            np.testing.assert_allclose(places[which][i], expected, atol=1e-9)


def test_noise_is_told_apart_by_a_map_that_has_seen_it_and_not_by_one_that_has_not():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 30, 1, 200))
    seen = place(sense_axis(a, b, 0), np.concatenate([a, b]))
    assert share_right(seen[:30], seen[30:])[0] > 0.95
    assert 0.2 < share_right(*leave_one_out(a, b, 0))[0] < 0.7


def test_one_sentence_can_not_be_left_out():
    a, b = groups()
    for pair in ((a[:1], b), (a, b[:1])):
        with pytest.raises(ValueError, match="at least two sentences"):
            leave_one_out(*pair)


def test_close_to_the_middle_counts_half():
    a, b = (
        np.array([[-1.0, 1.0, -CLOSE * 0.9]]),
        np.array([[1.0, 1.0, 0.0], [1.0, -1.0, 0.2], [-1.0, 1.0, 0.04]]),
    )
    np.testing.assert_allclose(share_right(a, b), [3 / 4, 2 / 4, 2.5 / 4])


@pytest.mark.parametrize("a", [np.zeros((2, 3)), np.zeros(4), np.zeros((2, 2, 4))])
def test_places_with_other_layers_have_no_share(a):
    with pytest.raises((ValueError, TypeError)):
        share_right(a, np.zeros((2, 4)))
    with pytest.raises((ValueError, TypeError)):
        share_right(np.zeros((2, 4)), a)


# ---- The steps ----------------------------------------------------------------------------------------------------


@MODELS
@pytest.mark.parametrize("text", [TEXT, *OTHERS, "bank"])
def test_the_vectors_are_the_models_own(model, text):
    steps = word_steps(model, TOKENIZER, text, "bank")
    np.testing.assert_allclose(
        steps.residual, attention.context_vectors(model, TOKENIZER, text, "bank"), rtol=1e-4, atol=1e-4
    )
    ids = TOKENIZER.encode(text, special=True)
    assert steps.labels == [TOKENIZER.decode([token]) for token in ids]
    assert steps.labels[steps.at] == "bank"


@MODELS
def test_the_parts_of_a_step_are_the_step(model):
    for text in (TEXT, *OTHERS):
        steps = word_steps(model, TOKENIZER, text, "bank")
        whole = steps.tokens.sum(1) + steps.feed_forward + steps.rest
        np.testing.assert_allclose(np.diff(steps.residual, axis=0), whole, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(steps.heads.sum(1), steps.tokens.sum(1), rtol=1e-4, atol=1e-4)


def test_nothing_is_left_over_in_a_gpt_without_constants():
    steps = word_steps(LLAMA, TOKENIZER, TEXT, "bank")
    assert np.abs(steps.rest).max() < 1e-4 * np.abs(np.diff(steps.residual, axis=0)).max()


def test_the_rest_is_the_constant_of_the_output_matrix_in_a_gpt_that_has_one():
    steps = word_steps(GPT2, TOKENIZER, TEXT, "bank")
    constants = torch.stack([block.attention.output.bias for block in GPT2.blocks])
    np.testing.assert_allclose(steps.rest, constants, atol=2e-4)


@MODELS
def test_weights_are_those_that_the_model_read_with(model):
    steps = word_steps(model, TOKENIZER, TEXT, "bank")
    weights = attention.read(model, TOKENIZER.encode(TEXT, special=True)).attention[:, :, steps.at]
    np.testing.assert_allclose(steps.weights, weights, atol=1e-5)
    assert steps.at == 7


@DECODERS
def test_a_token_gives_its_value_times_its_weight_through_the_output_matrix(model):
    steps = word_steps(model, TOKENIZER, TEXT, "bank")
    reading = attention.read(model, TOKENIZER.encode(TEXT, special=True))
    config, d = model.config, model.config.d_head
    for layer, block in enumerate(model.blocks):
        x = torch.from_numpy(reading.residual[layer])
        values = block.attention.value(block.attention_norm(x[None]))[0].numpy()
        output = block.attention.output.weight.numpy()
        for token in (0, 3, steps.at):
            given = np.zeros(config.d_model)
            for head in range(config.n_heads):
                shared = head // (config.n_heads // config.kv_heads)
                part = values[token, shared * d : (shared + 1) * d]
                weight = reading.attention[layer, head, steps.at, token]
                given += weight * (output[:, head * d : (head + 1) * d] @ part)
            np.testing.assert_allclose(steps.tokens[layer, token], given, rtol=1e-3, atol=2e-4)
        for head in range(config.n_heads):
            found = steps.found[layer, head]
            np.testing.assert_allclose(
                steps.heads[layer, head], output[:, head * d : (head + 1) * d] @ found, rtol=1e-3, atol=2e-4
            )


def test_an_encoders_parts_go_through_its_norms_with_the_scale_of_the_whole():
    """One block by hand: what is left over is the old vector after both norms, and the constants."""
    steps = word_steps(BERT, TOKENIZER, TEXT, "bank")
    at, block, x = steps.at, BERT.encoder.layers[0], torch.from_numpy(steps.residual[0])
    attended = torch.from_numpy(steps.found[0]).flatten() @ block.self_attn.out_proj.weight.T
    first = x + attended + block.self_attn.out_proj.bias
    between = block.norm1(first)
    added = block.linear2(torch.nn.functional.gelu(block.linear1(between)))
    second = between + added
    scales = [1 / (part.var(correction=0) + 1e-12).sqrt() for part in (first, second)]

    def through(part, *which):
        for norm, scale in [((block.norm1, scales[0])), ((block.norm2, scales[1]))][which[0] :]:
            part = (part - part.mean()) * scale * norm.weight
        return part.numpy()

    np.testing.assert_allclose(steps.tokens[0].sum(0), through(attended, 0), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(steps.feed_forward[0], through(added, 1), rtol=1e-3, atol=1e-4)
    assert at == 7
    np.testing.assert_allclose(block.norm2(second), steps.residual[1], atol=1e-4)


@DECODERS
def test_what_comes_after_the_word_changes_nothing_in_a_gpt(model):
    short, long = (
        word_steps(model, TOKENIZER, text, "bank")
        for text in ("the hen by the bank", "the hen by the bank saw the sky")
    )
    np.testing.assert_allclose(short.residual, long.residual, atol=1e-4)
    np.testing.assert_allclose(short.tokens, long.tokens[:, : len(short.labels)], atol=1e-4)
    assert not long.tokens[:, len(short.labels) :].any()
    assert not long.weights[:, :, len(short.labels) :].any()


def test_an_encoder_sees_what_comes_after_the_word():
    steps = word_steps(BERT, TOKENIZER, "the bank saw the sky", "bank")
    assert np.abs(steps.tokens[:, -1]).min() > 0
    assert (steps.weights[:, :, -1] > 0).all()


@pytest.mark.parametrize("texts", [[], (), "the bank"])
def test_no_texts_or_a_single_one_in_place_of_several_are_refused(texts):
    with pytest.raises(ValueError, match="at least one string, got"):
        all_steps(LLAMA, TOKENIZER, texts, "bank")


@MODELS
def test_several_texts_at_once_are_read_as_each_alone(model):
    texts = [TEXT, *OTHERS]
    for text, together in zip(texts, all_steps(model, TOKENIZER, texts, "bank"), strict=True):
        alone = word_steps(model, TOKENIZER, text, "bank")
        assert together.labels == alone.labels
        assert together.at == alone.at
        for one, other in zip(together[2:], alone[2:], strict=True):
            assert one.shape == other.shape
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=2e-4)


def test_a_model_in_training_is_read_without_dropout_and_stays_in_training():
    model = gpt(n_layers=2, dropout=0.5)
    expected = word_steps(model, TOKENIZER, TEXT, "bank").residual
    model.train()
    steps = word_steps(model, TOKENIZER, TEXT, "bank")
    np.testing.assert_allclose(steps.residual, expected, atol=1e-5)
    without = vectors_without(model, steps, usual_of(model))
    assert model.training
    np.testing.assert_allclose(without, vectors_without(model.eval(), steps, usual_of(model)), atol=1e-5)


@pytest.mark.parametrize(
    ("text", "word", "said"),
    [("the hen", "bank", "exactly once, got 0 times"), ("the bank by the bank", "bank", "2 times"), ("  ", "bank", "text must be"),
     ("a blorf bank", "bank", "blorf"), ("the hen " * 20 + "bank", "bank", "at most 40 tokens here, got 42")],
)  # fmt: skip
def test_texts_that_can_not_be_followed_are_refused(text, word, said):
    with pytest.raises(ValueError, match=said):
        word_steps(LLAMA, TOKENIZER, text, word)


def test_no_text_has_more_than_48_tokens():
    model = gpt(n_layers=1, n_ctx=60)
    assert len(word_steps(model, TOKENIZER, "the " * 46 + "bank", "bank").labels) == 48
    with pytest.raises(ValueError, match="at most 48 tokens here, got 49"):
        word_steps(model, TOKENIZER, "the " * 47 + "bank", "bank")


@pytest.mark.parametrize("model", [SharedWords(), None, "GPT"])
def test_a_model_without_blocks_is_refused(model):
    with pytest.raises(ValueError, match="must be a GPT or a SentenceEncoder, got"):
        inspect.unwrap(paths._place_of)(model, TOKENIZER, TEXT, "bank")


# ---- Without a token ----------------------------------------------------------------------------------------------


def slowly_without(model, text, left_out, usual):
    """The whole text beside one copy of the word that finds the usual in place of one token: a plain loop."""
    from helpers.transformer import rotate

    ids = torch.tensor(TOKENIZER.encode(text, special=True))
    at, n = attention.word_index(TOKENIZER, text, "bank"), len(ids)
    is_gpt = isinstance(model, GPT)
    if is_gpt:
        x = model.embedding(ids)
        x = x + model.position_embedding(torch.arange(n)) if model.config.positions == "learned" else x
    else:
        x = model.embedding_norm(
            model.token_embedding(ids)
            + model.position_embedding(torch.arange(n))
            + model.kind_embedding.weight[0]
        )
    word, path = x[at], [x[at]]
    for layer, block in enumerate(model.blocks if is_gpt else model.encoder.layers):
        heads = model.config.n_heads

        def parts(rows, positions, block=block):
            if not is_gpt:
                looking = block.self_attn
                return rearrange(rows @ looking.in_proj_weight.T + looking.in_proj_bias, "s (p h d) -> p h s d", p=3, h=looking.num_heads)  # fmt: skip
            looking, config = block.attention, model.config
            rows = block.attention_norm(rows[None])[0]
            q, k, v = (
                rearrange(m(rows), "s (h d) -> h s d", d=config.d_head)
                for m in (looking.query, looking.key, looking.value)
            )
            if config.positions == "rotary":
                q, k = rotate(q, positions, config.rope_base), rotate(k, positions, config.rope_base)
            times = config.n_heads // config.kv_heads
            return q, k.repeat_interleave(times, 0), v.repeat_interleave(times, 0)

        def rest(rows, found, block=block):
            if is_gpt:
                rows = rows + block.attention.output(found)
                return rows + block.mlp(block.mlp_norm(rows[None]))[0]
            rows = block.norm1(rows + block.self_attn.out_proj(found))
            return block.norm2(rows + block.linear2(torch.nn.functional.gelu(block.linear1(rows))))

        positions = torch.arange(n)
        q, k, v = parts(x, positions)
        own_q, own_k, own_v = parts(word[None], positions[at : at + 1])
        found = torch.zeros(1, model.config.d_model)
        d = q.shape[-1]
        for head in range(heads):
            keys, values = k[head].clone(), v[head].clone()
            keys[at], values[at] = own_k[head, 0], own_v[head, 0]
            scores = keys @ own_q[head, 0] / d**0.5
            weights = (scores[: at + 1] if is_gpt else scores).softmax(0)
            if left_out != at and left_out < len(weights):
                values[left_out] = torch.from_numpy(usual[layer, head])
            found[0, head * d : (head + 1) * d] = weights @ values[: len(weights)]
        word = rest(word[None], found)[0]
        path.append(word)
        scores = q @ k.transpose(1, 2) / d**0.5
        if is_gpt:
            scores = scores.masked_fill(torch.ones(n, n).triu(1).bool(), -torch.inf)
        x = rest(x, rearrange(scores.softmax(-1) @ v, "h s d -> s (h d)"))
    return torch.stack(path).numpy()


@MODELS
def test_vectors_without_a_token_are_those_of_a_plain_loop(model):
    usual, steps = usual_of(model), word_steps(model, TOKENIZER, TEXT, "bank")
    found = vectors_without(model, steps, usual)
    assert found.shape == (len(steps.labels), model.config.n_layers + 1, model.config.d_model)
    for left_out in (0, 3, steps.at, len(steps.labels) - 1):
        expected = slowly_without(model, TEXT, left_out, usual)
        np.testing.assert_allclose(found[left_out], expected, rtol=2e-3, atol=2e-3)


def test_steps_of_another_model_are_refused():
    steps, found = word_steps(LLAMA, TOKENIZER, TEXT, "bank"), usual_of(LLAMA)
    for model, given in ((GPT2, found), (BERT, found), (LLAMA, found[:2]), (LLAMA, found[:, :, :3])):
        with pytest.raises(ValueError, match="steps must be of this model and the usual"):
            vectors_without(model, steps, given)


@MODELS
def test_the_word_itself_leaves_nothing_out(model):
    steps = word_steps(model, TOKENIZER, TEXT, "bank")
    found = vectors_without(model, steps, usual_of(model))
    np.testing.assert_allclose(found[steps.at], steps.residual, rtol=1e-3, atol=1e-3)
    unseen = found[steps.at + 1 :]
    if isinstance(model, GPT):
        np.testing.assert_allclose(
            unseen, np.broadcast_to(steps.residual, unseen.shape), rtol=1e-3, atol=1e-3
        )
    else:
        assert np.abs(unseen - steps.residual).max(axis=(1, 2)).min() > 0.01
    np.testing.assert_allclose(found[:, 0], np.broadcast_to(steps.residual[0], found[:, 0].shape))


@MODELS
def test_a_token_that_gives_the_usual_changes_nothing(model):
    """All weight on one token's value: where the usual is that value, it may as well be left out."""
    steps = word_steps(model, TOKENIZER, TEXT, "bank")
    group = model.config.n_heads // steps.values.shape[1]
    usual = np.repeat(steps.values[:, :, 2], group, axis=1)
    found = vectors_without(model, steps, usual)
    np.testing.assert_allclose(found[2], steps.residual, rtol=1e-3, atol=1e-3)
    assert np.abs(found[1] - steps.residual).max() > 0.01


# ---- Pulls --------------------------------------------------------------------------------------------------------


def read_groups(model):
    a = all_steps(
        model, TOKENIZER, ["the fox swam to the bank", "i live by the green bank", "the muddy bank"], "bank"
    )
    b = all_steps(model, TOKENIZER, ["i took my money to the bank", "my gold is by the bank"], "bank")
    axis = sense_axis(*(np.stack([one.residual for one in group]) for group in (a, b)))
    return a, b, axis


@MODELS
def test_the_usual_is_the_mean_of_the_senses(model):
    a, b, axis = read_groups(model)
    middle = usual(axis, a, b)
    expected = (np.mean([s.feed_forward for s in a], 0) + np.mean([s.feed_forward for s in b], 0)) / 2
    np.testing.assert_allclose(middle.feed_forward, expected @ axis.direction, atol=1e-5)
    for part in ("heads", "rest"):
        expected = (np.mean([getattr(s, part) for s in a], 0) + np.mean([getattr(s, part) for s in b], 0)) / 2
        np.testing.assert_allclose(getattr(middle, part), expected @ axis.direction, atol=1e-5)
    expected = (np.mean([s.found for s in a], 0) + np.mean([s.found for s in b], 0)) / 2
    np.testing.assert_allclose(middle.found, expected, atol=1e-5)


@MODELS
def test_pulls_add_up_to_the_way_on_the_map(model):
    a, b, axis = read_groups(model)
    middle, steps = usual(axis, a, b), word_steps(model, TOKENIZER, TEXT, "bank")
    pulls = pulls_on(steps, axis, middle, vectors_without(model, steps, middle.found))
    np.testing.assert_allclose(pulls.path, place(axis, steps.residual))
    whole = pulls.tokens.sum(1) + pulls.feed_forward + pulls.rest
    np.testing.assert_allclose(np.diff(pulls.path), whole, rtol=1e-3, atol=1e-4)
    assert (pulls.labels, pulls.at) == (steps.labels, steps.at)
    np.testing.assert_allclose(pulls.looks, steps.weights.mean(1), atol=1e-6)
    np.testing.assert_allclose(pulls.looks.sum(1), 1, atol=1e-5)
    # In the mean over both senses, nothing pulls.
    for part in ("feed_forward", "rest"):
        means = [np.mean([getattr(pulls_on(s, axis, middle, vectors_without(model, s, middle.found)), part) for s in group], 0) for group in (a, b)]  # fmt: skip
        np.testing.assert_allclose(means[0] + means[1], 0, atol=1e-4)


@MODELS
def test_a_token_pulls_by_more_than_the_heads_usually_find(model):
    a, b, axis = read_groups(model)
    middle, steps = usual(axis, a, b), word_steps(model, TOKENIZER, TEXT, "bank")
    pulls = pulls_on(steps, axis, middle, vectors_without(model, steps, middle.found))
    for layer, token in ((0, 2), (1, 0), (1, steps.at)):
        usually = sum(
            steps.weights[layer, head, token] * middle.heads[layer, head]
            for head in range(model.config.n_heads)
        )
        expected = steps.tokens[layer, token] @ axis.direction - usually
        assert pulls.tokens[layer, token] == pytest.approx(expected, abs=1e-4)


@MODELS
def test_what_a_token_changes_is_the_path_less_the_path_without_it(model):
    a, b, axis = read_groups(model)
    middle, steps = usual(axis, a, b), word_steps(model, TOKENIZER, TEXT, "bank")
    without = vectors_without(model, steps, middle.found)
    pulls = pulls_on(steps, axis, middle, without)
    assert pulls.changed.shape == (model.config.n_layers + 1, len(steps.labels))
    for token in range(len(steps.labels)):
        np.testing.assert_allclose(pulls.changed[:, token], pulls.path - place(axis, without[token]))
    np.testing.assert_allclose(pulls.changed[0], 0, atol=1e-6)
    np.testing.assert_allclose(pulls.changed[:, steps.at], 0, atol=1e-3)


# ---- Two texts ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reader():
    return PathReader(TINYTOWN, TOKENIZER)


def test_tinytown_compares_its_own_banks(reader):
    first, second = reader.pairs[0]
    got = reader(first, second)
    assert (got.word, got.meanings, got.texts) == ("bank", ("river", "money"), (first, second))
    assert got.pulls[0].path[1] < -0.3
    assert got.pulls[1].path[1] > 0.3
    vectors = [attention.context_vectors(TINYTOWN, TOKENIZER, text, "bank") for text in (first, second)]
    np.testing.assert_allclose(got.cosines, attention.layer_cosines(*vectors), atol=1e-5)
    again = compare(TINYTOWN, TOKENIZER, reader.anchors("bank"), first, second)
    np.testing.assert_allclose(got.pulls[0].tokens, again.pulls[0].tokens, atol=1e-6)
    np.testing.assert_allclose(got.pulls[1].changed, again.pulls[1].changed, atol=1e-6)
    assert share_right(*got.others)[1] == pytest.approx(1)


def test_a_text_that_is_on_the_map_has_its_place_without_itself(reader):
    anchors = reader.anchors("bank")
    for sense, places in zip(TINYTOWN_BANKS, anchors.places, strict=True):
        for text, expected in zip(sense.clue_before, places, strict=True):
            for said in (text, text.capitalize() + "."):
                path = word_pulls(TINYTOWN, TOKENIZER, said, anchors).path
                np.testing.assert_allclose(path, expected, atol=1e-3)


def test_a_text_that_is_not_on_the_map_is_placed_by_all(reader):
    anchors = reader.anchors("bank")
    text = "hello , my name is leo . i live by the sea . i walked along the bank"
    path = word_pulls(TINYTOWN, TOKENIZER, text, anchors).path
    expected = place(
        sense_axis(*anchors.vectors), attention.context_vectors(TINYTOWN, TOKENIZER, text, "bank")
    )
    np.testing.assert_allclose(path, expected, atol=1e-4)
    assert anchors.known(text) is None
    assert anchors.known(TINYTOWN_BANKS[1].clue_before[2]) is anchors.steps_b[2]


def test_the_layer_of_the_map_can_be_chosen():
    anchors = anchors_of(TINYTOWN, TOKENIZER, *TINYTOWN_BANKS, layer=2)
    assert anchors.map_without("")[0].layer == 2
    np.testing.assert_allclose(anchors.places.a, leave_one_out(*anchors.vectors, 2).a)


def test_a_text_is_read_once(reader, monkeypatch):
    reader = PathReader(TINYTOWN, TOKENIZER)
    reader.anchors("bank")
    calls = []
    true = paths._steps_and_pulls
    monkeypatch.setattr(paths, "_steps_and_pulls", lambda *given: calls.append(given[2]) or true(*given))
    first, second = "the hen by the bank", "the fox by the bank"
    reader(first, second)
    reader(second, first)
    assert calls == [first, second]
    for i in range(paths.KEPT):
        reader(first, f"{'the ' * (i + 1)}bank")
    assert len(reader._read) == paths.KEPT
    got = reader(first, first)
    np.testing.assert_allclose(got.cosines, 1, atol=1e-6)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [("the hen", "the bank", "the same one of the words 'bank'"), ("the bank", "", "put 'bank' into both"),
     ("the banks", "the bank", "the same one"), (7, "the bank", "must be a string, got int")],
)  # fmt: skip
def test_texts_without_a_shared_word_are_refused(reader, first, second, said):
    with pytest.raises(ValueError, match=said):
        inspect.unwrap(type(reader).word)(reader, first, second)


def test_a_word_that_comes_twice_is_refused(reader):
    with pytest.raises(ValueError, match="exactly once, got 2 times"):
        reader("the bank by the bank", "the bank")


def test_two_words_in_both_texts_are_refused():
    reader = PathReader(TINYTOWN, TOKENIZER)
    reader.senses = {"bank": TINYTOWN_BANKS, "hen": TINYTOWN_BANKS}
    assert reader.word("the bank", "A BANK.") == "bank"
    with pytest.raises(ValueError, match="'bank' or 'hen'"):
        reader.word("the hen by the bank", "the bank by the hen")
    with pytest.raises(ValueError, match="must be one of bank, hen, got 'fox'"):
        reader.anchors("fox")


def test_senses_of_two_words_or_with_missing_steps_are_refused(reader):
    anchors = reader.anchors("bank")
    with pytest.raises(ValueError, match="of one word, got 'bank' and 'apple'"):
        dataclasses.replace(anchors, b=APPLE_FRUIT)
    with pytest.raises(ValueError, match="each of the 5 sentences about money, got 4"):
        dataclasses.replace(anchors, steps_b=anchors.steps_b[:4])
    assert isinstance(anchors, Anchors)


def test_the_stand_in_for_minilm_is_refused_in_a_sentence():
    reader = PathReader(SharedWords(), WordTokenizer(lenient=True))
    with pytest.raises(ValueError, match="must be a GPT or a SentenceEncoder, got SharedWords"):
        reader(*reader.pairs[0])


def test_the_stand_in_for_smollm2_reads_tinytowns_texts_and_words_it_does_not_know():
    model, tokenizer = load_tinytown(lenient=True)
    reader = PathReader(model, tokenizer)
    assert reader(*reader.pairs[0]).word == "bank"
    assert reader("The River Bank", "The SBI Bank").pulls[1].labels == ["<start>", "the", "<unk>", "bank"]


def test_the_pairs_are_those_of_the_course():
    assert ("The River Bank", "The SBI Bank") in PAIRS
    assert ("The River Bank", "ICICI Bank") in PAIRS
    assert ("Please buy an apple and an orange", "apple unveiled the new phone") in PAIRS
    told = {
        text for sense in (RIVER_BANK, MONEY_BANK, APPLE_FRUIT, APPLE_COMPANY) for text in sense.sentences
    }
    assert {text for pair in PAIRS for text in pair} <= told


# ---- The real models ----------------------------------------------------------------------------------------------


@needs_minilm
def test_minilm_tells_the_senses_apart_on_both_sides_of_the_word():
    model, tokenizer = load_minilm()
    reader = PathReader(model, tokenizer)
    for word, a, b in (("bank", RIVER_BANK, MONEY_BANK), ("apple", APPLE_FRUIT, APPLE_COMPANY)):
        anchors = reader.anchors(word)
        assert share_right(*anchors.places)[1:].min() > 0.9
        axis, _ = anchors.map_without("")
        after = [place(axis, attention.sense_vectors(model, tokenizer, s.clue_after, word)) for s in (a, b)]
        assert share_right(*after)[2:].min() > 0.9
    phone = reader(*PAIRS[2]).pulls[1]
    assert phone.changed[1].argmax() == phone.labels.index("phone")
    assert phone.path[3] > 0.8


@needs_smollm2
def test_smollm2s_bank_is_pulled_by_the_river():
    model, tokenizer = load_smollm2()
    reader = PathReader(model, tokenizer)
    got, anchors = reader("The River Bank", "The SBI Bank"), reader.anchors("bank")
    assert share_right(*anchors.places)[8:30].min() > 0.9
    river, money = got.pulls
    assert river.path.shape == (31,)
    assert river.path[15] < -0.1 < 0.1 < money.path[15]
    assert river.changed[15].argmin() == river.labels.index(" River")
    assert river.changed[15].min() < -0.5
    for pulls in got.pulls:
        whole = pulls.tokens.sum(1) + pulls.feed_forward + pulls.rest
        np.testing.assert_allclose(np.diff(pulls.path), whole, atol=1e-4)
        assert np.abs(pulls.rest).max() < 1e-4
    text = MONEY_BANK.clue_before[3]
    vectors = attention.context_vectors(model, tokenizer, text, "bank")
    np.testing.assert_allclose(anchors.known(text).residual, vectors, rtol=1e-3, atol=1e-2)
    axis, _ = anchors.map_without("")
    after = [place(axis, attention.context_vectors(model, tokenizer, s.clue_after[1], "bank")) for s in (RIVER_BANK, MONEY_BANK)]  # fmt: skip
    np.testing.assert_allclose(*after, atol=1e-3)  # the clue comes too late
    assert after[0][15] > 0.3  # and then a bank has money
    assert isinstance(anchors.map_without("")[1], Usual)
