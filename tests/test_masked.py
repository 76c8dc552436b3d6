"""helpers.masked: against BERT as transformers has it, brute force over the grammar, and bad input."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from helpers import masked, tinytown
from helpers.masked import (
    MASK,
    PREDICTORS,
    SIDES,
    WORDS,
    MaskedConfig,
    MaskedModel,
    allowed_shares,
    compare,
    fill,
    fill_by_scoring,
    fill_left,
    fill_several,
    hidden_words,
    load_masked,
    masked_batch,
    train_masked,
    true_odds_both_sides,
)
from helpers.pretrained import load_tinytown
from helpers.sentences import EncoderConfig, SentenceEncoder
from helpers.tinytown import VOCABULARY
from helpers.training import IGNORED, TINYTOWN_CONFIG, TrainingConfig, story_rows, token_losses
from helpers.transformer import GPT

SMALL = MaskedConfig(n_ctx=40, n_layers=3, n_heads=2, d_model=12, d_mlp=20)
APPLE = [
    "hello",
    ",",
    "my",
    "name",
    "is",
    "tom",
    ".",
    "i",
    "live",
    "by",
    "the",
    "lake",
    ".",
    "i",
    "bought",
    "an",
    "apple",
    "phone",
    ".",
    "it",
    "was",
    "fast",
    ".",
    "goodbye",
    "from",
    "tom",
    "!",
]
LOOK = [
    "look",
    ",",
    "the",
    "fox",
    "chases",
    "the",
    "hen",
    "!",
    "the",
    "hen",
    "runs",
    "to",
    "the",
    "mill",
    ".",
    "the",
    "fox",
    "runs",
    "to",
    "the",
    "mill",
    "too",
    ".",
]
HID = [
    "once",
    "there",
    "was",
    "a",
    "red",
    "fox",
    "by",
    "the",
    "mill",
    ".",
    "the",
    "fox",
    "met",
    "a",
    "white",
    "hen",
    ".",
    "the",
    "hen",
    "hid",
    "in",
    "the",
    "hay",
    ".",
    "at",
    "night",
    "the",
    "fox",
    "slept",
    "by",
    "the",
    "mill",
    ".",
]


@pytest.fixture(scope="module")
def model():
    return load_masked()


@pytest.fixture(scope="module")
def gpt():
    return load_tinytown()[0]


def random_ids(batch, seq, seed=0):
    """Rows of words between <start> and <end>."""
    ids = torch.randint(3, len(VOCABULARY), (batch, seq), generator=torch.Generator().manual_seed(seed))
    ids[:, 0], ids[:, -1] = 0, 1
    return ids


# ---------------------------------------------------------------------------------------------
# The model.


def loud(seed=5):
    """A small model with random weights everywhere, so that nothing can hide behind a zero bias."""
    model = MaskedModel(SMALL, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.5, generator=generator)
    return model


def test_it_is_bert_as_transformers_has_it():
    from transformers import BertConfig, BertModel

    from helpers.sentences import bert_names

    model, config = loud(), SMALL
    theirs = BertModel(
        BertConfig(
            vocab_size=config.vocab_size,
            hidden_size=config.d_model,
            num_hidden_layers=config.n_layers,
            num_attention_heads=config.n_heads,
            intermediate_size=config.d_mlp,
            max_position_embeddings=config.n_ctx,
            layer_norm_eps=config.norm_eps,
            hidden_act="gelu",
        ),
        add_pooling_layer=False,
    ).eval()
    weights = {"embeddings.token_type_embeddings.weight": torch.zeros(2, config.d_model)}
    ours = model.state_dict()
    for name, bert in bert_names(config.n_layers).items():
        name = name.replace("token_embedding", "embedding")
        if name in ours:
            parts = ours[name].chunk(3) if "{}" in bert else [ours[name]]
            for kind, part in zip(("query", "key", "value"), parts, strict=False):
                weights[bert.format(kind)] = part
    theirs.load_state_dict(weights, strict=False)
    assert set(theirs.state_dict()) <= {*weights, "embeddings.position_ids", "embeddings.token_type_ids"}

    ids = random_ids(4, 9)
    ids[1, 5:] = 1  # a shorter text
    seen = torch.ones(4, 9, dtype=torch.long)
    seen[1, 6:] = 0
    with torch.inference_mode():
        expected = theirs(ids, attention_mask=seen).last_hidden_state
        found = model.vectors(ids)
        logits = model(ids)
    kept = seen.bool()
    assert expected.std() > 0.3
    assert torch.allclose(found[kept], expected[kept], atol=2e-5)
    table = ours["embedding.weight"]
    assert torch.allclose(logits[kept], expected[kept] @ table.T, atol=2e-4)


def test_its_blocks_are_those_of_minilm():
    model = loud()
    sizes = {
        name: getattr(SMALL, name)
        for name in ("vocab_size", "n_ctx", "n_layers", "n_heads", "d_model", "d_mlp")
    }
    minilm = SentenceEncoder(EncoderConfig(**sizes))
    weights = {
        ("token_" if name == "embedding.weight" else "") + name: weight
        for name, weight in model.state_dict().items()
    }
    weights["kind_embedding.weight"] = torch.zeros(2, SMALL.d_model)
    minilm.load_state_dict(weights, assign=True)
    minilm.eval()
    ids = random_ids(3, 7)
    with torch.inference_mode():
        expected = minilm(ids, torch.ones(3, 7, dtype=torch.bool))
        mean = model.vectors(ids).mean(1)
    assert torch.allclose(mean / mean.norm(dim=1, keepdim=True), expected, atol=1e-5)


def test_every_position_sees_both_sides_and_no_padding():
    model = loud()
    ids = random_ids(1, 8)
    changed = ids.clone()
    changed[0, 4] = 3 + (ids[0, 4] - 2) % (len(VOCABULARY) - 3)
    longer = torch.cat([ids, torch.tensor([[1, 1, 1]])], dim=1)
    other = torch.cat([ids, torch.tensor([[9, 77, 5]])], dim=1)
    with torch.inference_mode():
        expected = model(ids)
        assert ((expected - model(changed)).abs().amax(-1) > 1e-3).all()
        assert torch.allclose(model(longer)[:, :8], expected, atol=2e-4)
        assert torch.allclose(model(other)[:, :8], expected, atol=2e-4)
    # With gradients, torch takes another way through the same layers.
    assert torch.allclose(model(longer)[:, :8].detach(), expected, atol=2e-4)


def test_seeds_draw_the_weights_and_leave_torch_alone():
    before = torch.random.get_rng_state()
    first, same, other = MaskedModel(SMALL, seed=1), MaskedModel(SMALL, seed=1), MaskedModel(SMALL, seed=2)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(first.embedding.weight, same.embedding.weight)
    assert not torch.equal(first.embedding.weight, other.embedding.weight)
    assert not first.training
    for name, weight in first.named_parameters():
        if name.endswith("bias"):
            assert (weight == 0).all(), name
        elif "norm" in name:
            assert (weight == 1).all(), name
        else:
            assert abs(weight.std().item() - 0.1) < 0.02, name
            assert abs(weight.mean().item()) < 0.04, name
    assert 0.15 < MaskedModel(SMALL, std=0.2).embedding.weight.std().item() < 0.25


def test_it_is_as_large_as_the_tinytown_gpt(model, gpt):
    assert 0.9 < model.n_params / gpt.n_params < 1.1
    assert model.n_params == sum(weight.numel() for weight in model.state_dict().values())
    assert model.config == MaskedConfig()
    assert (model.config.n_ctx, model.config.d_model) == (gpt.config.n_ctx, gpt.config.d_model)


@pytest.mark.parametrize("name", ["vocab_size", "n_ctx", "n_layers", "n_heads", "d_model", "d_mlp"])
@pytest.mark.parametrize("size", [0, -1, True])
def test_a_config_has_whole_sizes(name, size):
    with pytest.raises(ValueError, match=f"{name} must be a whole number from 1, got"):
        MaskedConfig(**{name: size})


def test_a_config_shares_its_width_among_the_heads():
    with pytest.raises(ValueError, match="d_model must be divisible by n_heads, got 64 and 5"):
        MaskedConfig(n_heads=5)


@pytest.mark.parametrize("seed", [-1, 0.5, True])
def test_a_model_needs_a_seed(seed):
    with pytest.raises(ValueError, match="seed must be a whole number from 0"):
        MaskedModel(SMALL, seed=seed)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (torch.zeros(3, dtype=torch.long), r"whole numbers \[batch, seq\], got torch.int64 \[3\]"),
        (torch.zeros(2, 3), "got torch.float32"),
        (torch.zeros(2, 0, dtype=torch.long), r"\[2, 0\]"),
        (torch.zeros(0, 3, dtype=torch.long), r"\[0, 3\]"),
        (torch.zeros(1, 41, dtype=torch.long), "at most 40 tokens for this model, got 41"),
        (torch.tensor([[0, -1]]), f"from 0 to {len(VOCABULARY) - 1}, got -1"),
        (torch.tensor([[0, len(VOCABULARY)]]), f"got {len(VOCABULARY)}"),
    ],
)
def test_ids_that_it_can_not_read(ids, message):
    with pytest.raises(ValueError, match=message):
        MaskedModel(SMALL)(ids)


def test_the_longest_text_fits():
    assert MaskedModel(SMALL)(random_ids(2, 40)).shape == (2, 40, len(VOCABULARY))


# ---------------------------------------------------------------------------------------------
# Rows to learn from.


def test_a_share_is_asked_for_and_most_of_it_hidden():
    stories = tinytown.stories("train", 2000)
    inputs, targets = masked_batch(stories, seed=3)
    whole = story_rows(stories)[0]
    ends = torch.full((len(whole), 1), 1)
    whole = torch.cat([whole, ends], dim=1)
    asked = targets != IGNORED
    words = whole >= 3
    assert not (asked & ~words).any()
    assert torch.equal(targets[asked], whole[asked])
    assert torch.equal(inputs[~asked], whole[~asked])
    n = int(asked.sum())
    assert abs(n / int(words.sum()) - 0.15) < 0.01
    hidden = inputs[asked] == VOCABULARY.index(MASK)
    same = inputs[asked] == targets[asked]
    assert abs(hidden.sum() / n - 0.8) < 0.02
    by_chance = 0.1 / len(WORDS)  # a word that comes up for itself
    assert abs(same.sum() / n - 0.1 - by_chance) < 0.015
    other = inputs[asked][~hidden & ~same]
    assert abs(len(other) / n - 0.1 + by_chance) < 0.015
    # The other words are any words, alike.
    assert other.min() == 3
    assert other.max() == len(VOCABULARY) - 1
    assert len(set(other.tolist())) == len(WORDS)
    # What becomes of a word has nothing to do with its place.
    places = torch.arange(whole.shape[1]).expand_as(whole)[asked].double()
    assert abs(places[hidden].mean() - places[~hidden].mean()) < 1


def test_every_story_keeps_its_end_and_asks_for_a_word():
    stories = [("look", "!"), ("hello", ",", "my")]
    inputs, targets = masked_batch(stories, share=0.5, seed=1)
    assert inputs.shape == targets.shape == (2, 5)
    assert inputs[:, 0].tolist() == [0, 0]
    assert inputs[0, 3:].tolist() == [1, 1]
    assert inputs[1, 4].item() == 1
    assert (targets != IGNORED).sum(1).tolist() == [1, 2]
    everything = masked_batch(stories, share=1)[1]
    assert (everything != IGNORED).sum().item() == 5


def test_the_same_seed_asks_the_same():
    stories = tinytown.stories("train", 50)
    first, again, other = (
        masked_batch(stories, seed=4),
        masked_batch(stories, seed=4),
        masked_batch(stories, seed=5),
    )
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])
    assert masked_batch(stories, seed=2**63 - 1)[0].shape == first[0].shape


@pytest.mark.parametrize(("share", "seed"), [(0, 0), (1.5, 0), (math.nan, 0), (0.15, -1)])
def test_rows_need_a_share_and_a_seed(share, seed):
    with pytest.raises(ValueError, match="must be"):
        masked_batch([("look", "!")], share, seed)


@pytest.mark.parametrize("stories", [[], [()], [("look", "zebra")]])
def test_rows_need_words_of_tinytown(stories):
    with pytest.raises(ValueError, match="must"):
        masked_batch(stories)


def test_only_the_words_asked_for_pull():
    inputs, targets = masked_batch(tinytown.stories("train", 6), seed=2)
    model = MaskedModel(SMALL)
    logits = model(inputs).detach().requires_grad_()

    class Standing(torch.nn.Module):
        def forward(self, ids):
            return logits

    token_losses(Standing(), inputs, targets).sum().backward()
    pulled = logits.grad.abs().sum(-1) > 0
    assert torch.equal(pulled, targets != IGNORED)


def test_training_makes_hidden_words_less_surprising():
    stories = tinytown.stories("train", 400)
    model = MaskedModel(MaskedConfig(n_ctx=40, n_layers=1, n_heads=2, d_model=16, d_mlp=32), seed=1)
    records = list(
        train_masked(model, stories, TrainingConfig(steps=60, batch_size=32, learning_rate=2e-2), seed=7)
    )
    assert records[0].loss > 4.5
    assert np.mean([record.loss for record in records[-10:]]) < 3.2
    assert not model.training
    # The seed chooses what is hidden.
    same, other = (
        next(
            train_masked(MaskedModel(SMALL), stories, TrainingConfig(steps=2, batch_size=32), seed=seed)
        ).loss
        for seed in (7, 8)
    )
    assert abs(same - other) > 1e-6


def test_only_a_masked_model_is_trained_here(gpt):
    with pytest.raises(ValueError, match=r"the model must be a MaskedModel .* got GPT; try load_masked"):
        train_masked(gpt, tinytown.stories("train", 64))


# ---------------------------------------------------------------------------------------------
# Files.


def test_the_committed_model_is_small_frozen_and_silent(model):
    assert masked.WEIGHTS.stat().st_size < 700_000
    assert not model.training
    assert not any(weight.requires_grad for weight in model.parameters())


def test_a_file_must_be_there_whole_and_of_this_model(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"which is not there; run: git checkout"):
        load_masked(tmp_path / "none.safetensors")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(masked.WEIGHTS.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"must be whole and hold its weights, got .*; run: git checkout"):
        load_masked(damaged)
    other = tmp_path / "other.safetensors"
    save_file({"embedding.weight": torch.zeros(3, 4)}, other)
    with pytest.raises(ValueError, match="must be whole and hold its weights"):
        load_masked(other)


def test_the_command_trains_and_keeps_the_courses_model(tmp_path, capsys):
    before = masked.WEIGHTS.read_bytes()
    masked.main(["--steps", "2", "--stories", "64", "--test-stories", "3"])
    said = capsys.readouterr().out
    assert "step     2  loss" in said
    assert "wrote" not in said
    assert all(f"\n{side} " in said for side in (*SIDES, "all"))
    masked.main(
        ["--steps", "2", "--stories", "64", "--test-stories", "3", "--out", str(tmp_path / "own.safetensors")]
    )
    assert "wrote own.safetensors" in capsys.readouterr().out
    assert load_masked(tmp_path / "own.safetensors").n_params == MaskedModel().n_params
    assert masked.WEIGHTS.read_bytes() == before


# ---------------------------------------------------------------------------------------------
# One hidden word.


def by_brute_force(words, place):
    """The odds of each word by the probability of the whole story."""
    odds = {}
    for word in WORDS:
        try:
            odds[word] = math.exp(-sum(tinytown.surprise([*words[:place], word, *words[place + 1 :]])))
        except ValueError:
            continue
    return {word: p / sum(odds.values()) for word, p in odds.items()}


@pytest.mark.parametrize("seed", range(6))
def test_the_truth_is_the_share_of_whole_stories(seed):
    words = tinytown.story(seed).words
    for place in {0, 1, seed + 3, len(words) // 2, len(words) - 1}:
        found = true_odds_both_sides(words, place)
        expected = by_brute_force(words, place)
        assert set(found) == set(expected)
        assert all(abs(found[word] - expected[word]) < 1e-12 for word in expected)
        assert abs(sum(found.values()) - 1) < 1e-12
        assert list(found.values()) == sorted(found.values(), reverse=True)


def test_the_truth_by_hand():
    colours = true_odds_both_sides(HID, HID.index("white"))
    assert abs(colours["red"] - 8 / 32) < 1e-12  # the hen's colour is not said again
    left = tinytown.next_word_distribution(HID[:4])
    assert true_odds_both_sides(HID, HID.index("red")) == pytest.approx(left)  # nor the fox's
    assert list(true_odds_both_sides(HID, HID.index("mill"))) == ["mill"]  # its home is
    assert list(true_odds_both_sides(APPLE, APPLE.index("phone"))) == ["phone"]
    # As text, with the gap in it; what stands in the gap does not count.
    text = "Look, the <unk> chases the hen! The hen runs to the mill. The fox runs to the mill too."
    assert list(true_odds_both_sides(text, 3)) == ["fox"]
    assert list(true_odds_both_sides([*LOOK[:3], "hen", *LOOK[4:]], 3)) == ["fox"]


def test_the_truth_needs_a_story_with_one_gap():
    with pytest.raises(ValueError, match="one word may be hidden for the exact odds, got 2"):
        true_odds_both_sides([*LOOK[:5], MASK, *LOOK[6:]], 3)
    with pytest.raises(ValueError, match="some word must make the text a story, got 'look , <unk> fox'"):
        true_odds_both_sides("look , the fox", 2)
    with pytest.raises(ValueError, match="some word must make"):
        true_odds_both_sides(LOOK[:-1], 3)  # an end is part of a story


def test_the_masked_model_is_near_the_truth_on_both_sides(model):
    for words, place in ((LOOK, 3), (LOOK, 6), (HID, HID.index("mill")), (APPLE, APPLE.index("phone"))):
        assert fill(model, words, place)[words[place]] > 0.85
    found, true = fill(model, HID, HID.index("white")), tinytown.DICE["colour"]
    assert max(abs(found[word] - sides / 32) for word, sides in true.items()) < 0.06


def test_the_gpt_is_near_the_truth_on_the_left(gpt):
    for words, place in ((LOOK, 3), (HID, 4), (APPLE, APPLE.index("phone"))):
        true = tinytown.next_word_distribution(words[:place])
        assert max(abs(fill_left(gpt, words, place)[word] - p) for word, p in true.items()) < 0.05


def test_scoring_gives_the_gpt_both_sides(gpt):
    for words, place in ((LOOK, 3), (LOOK, 6), (APPLE, APPLE.index("phone"))):
        assert fill_left(gpt, words, place)[words[place]] < 0.6
        assert fill_by_scoring(gpt, words, place)[words[place]] > 0.99
    # By hand: the probability of each whole text, token by token.
    place = HID.index("white")
    found = fill_by_scoring(gpt, HID, place)
    scores = {}
    for word in ("red", "black", "hen"):
        ids = torch.tensor([tinytown.WordTokenizer().encode_story([*HID[:place], word, *HID[place + 1 :]])])
        with torch.inference_mode():
            odds = gpt(ids[:, :-1]).double().log_softmax(-1)
        scores[word] = sum(odds[0, at, token].item() for at, token in enumerate(ids[0, 1:]))
    assert abs(math.log(found["red"] / found["black"]) - (scores["red"] - scores["black"])) < 1e-4
    assert abs(math.log(found["red"] / found["hen"]) - (scores["red"] - scores["hen"])) < 1e-4


def test_all_three_give_odds_of_every_word(model, gpt):
    for odds in (fill(model, LOOK, 3), fill_left(gpt, LOOK, 3), fill_by_scoring(gpt, LOOK, 3)):
        assert sorted(odds) == sorted(WORDS)
        assert abs(sum(odds.values()) - 1) < 1e-6
        assert list(odds.values()) == sorted(odds.values(), reverse=True)
    assert not set(WORDS) & {"<start>", "<end>", MASK}


def test_the_hidden_word_is_not_seen_and_the_right_side_only_by_some(model, gpt):
    other = [*LOOK[:3], "goose", *LOOK[4:]]
    for filled, who in ((fill, model), (fill_left, gpt), (fill_by_scoring, gpt)):
        expected = pytest.approx(filled(who, LOOK, 3))
        assert filled(who, other, 3) == expected
        assert filled(who, " ".join(LOOK), np.int64(3)) == filled(who, tuple(LOOK), 3) == expected
    right = [*LOOK[:15], *["the", "hen", "runs", "to", "the", "mill", "too", "."]]
    assert fill_left(gpt, right, 3) == pytest.approx(fill_left(gpt, LOOK, 3))
    assert fill(model, right, 3)["fox"] < fill(model, LOOK, 3)["fox"] - 0.1
    # The first word has no left side at all, and the last no right one.
    assert fill(model, LOOK, 0)["look"] > 0.9 > 0.3 > fill_left(gpt, LOOK, 0)["look"]
    assert fill(model, LOOK, len(LOOK) - 1)["."] > 0.9


def test_more_words_may_be_hidden(model):
    """With its second mention hidden too, the fox is one animal among many."""
    last = len(LOOK) - 1 - LOOK[::-1].index("fox")
    twice = [*LOOK[:last], MASK, *LOOK[last + 1 :]]
    assert fill(model, LOOK, 3)["fox"] > 0.85 > 0.4 > fill(model, twice, 3)["fox"]


@pytest.mark.parametrize("place", [-1, 23, 1.0, True, None, "3", math.nan])
def test_a_place_is_in_the_text(model, gpt, place):
    for call in (
        lambda: true_odds_both_sides(LOOK, place),
        lambda: fill(model, LOOK, place),
        lambda: fill_left(gpt, LOOK, place),
        lambda: fill_by_scoring(gpt, LOOK, place),
        lambda: fill_several(model, LOOK, [3, place]),
    ):
        with pytest.raises(
            ValueError, match="place must be a whole number from 0 to 22 in a text of 23 words, got"
        ):
            call()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "a text must have a word, got none"),
        ([], "a text must have a word, got none"),
        ("the foxx", "got 'foxx'; near it: fox"),
        (["the", "zebra"], "got 'zebra'"),
        (["the", 3], "a text must be words, got 3 among them"),
        (None, "a text must be words, got None"),
        (["the", "<end>"], "got '<end>' among them; leave it out"),
        (["<start>", "the"], "got '<start>' among them"),
        (["fox"] * 63, "at most 62 words for this model, got 63"),
    ],
)
def test_texts_that_can_not_be_filled(model, gpt, words, message):
    for filled, who in ((fill, model), (fill_left, gpt), (fill_by_scoring, gpt), (fill_several, model)):
        with pytest.raises(ValueError, match=message):
            filled(who, words, [0] if filled is fill_several else 0)


def test_the_longest_text_can_be_filled(model, gpt):
    for filled, who in ((fill, model), (fill_left, gpt), (fill_by_scoring, gpt)):
        assert abs(sum(filled(who, ["fox"] * 62, 61).values()) - 1) < 1e-6


def test_each_way_has_its_own_kind_of_model(model, gpt):
    for call, message in (
        (lambda: fill(gpt, LOOK, 3), "must be a MaskedModel with Tinytown's .* got GPT; try load_masked"),
        (lambda: fill_left(model, LOOK, 3), "must be a GPT .* got MaskedModel; try load_tinytown"),
        (lambda: fill_by_scoring(None, LOOK, 3), "must be a GPT .* got NoneType"),
        (lambda: fill(MaskedModel(MaskedConfig(vocab_size=9)), LOOK, 3), "got 9 words"),
        (lambda: fill_several(gpt, LOOK, [3]), "must be a MaskedModel"),
        (lambda: compare(gpt, gpt, []), "must be a MaskedModel"),
        (lambda: compare(model, model, []), "must be a GPT"),
        (lambda: allowed_shares(gpt, gpt, [tinytown.story(0)], 1), "must be a MaskedModel"),
        (lambda: allowed_shares(model, None, [tinytown.story(0)], 1), "must be a GPT"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_broken_model_says_nothing(gpt):
    broken = MaskedModel()
    with torch.no_grad():
        broken.embedding.weight[7, 7] = math.nan
    with pytest.raises(ValueError, match="weights must be finite, got NaN or infinity"):
        fill(broken, LOOK, 3)


# ---------------------------------------------------------------------------------------------
# Compared.


def test_the_dice_say_where_a_word_can_be_found_out():
    hidden = hidden_words([tinytown.story(5)])
    words = hidden[0].words
    assert [one.place for one in hidden] == list(range(len(words)))
    sides = {one.place: one.side for one in hidden}
    assert sides[words.index("mouse")] == sides[words.index("river")] == "right"
    assert sides[words.index("follows")] == "neither"
    assert sides[len(words) - 1] == "left"
    for one in hidden:
        assert abs(one.left - tinytown.next_word_distribution(words[: one.place])[words[one.place]]) < 1e-12
        assert abs(one.both - true_odds_both_sides(words, one.place)[words[one.place]]) < 1e-12
    assert [one.kind for one in hidden][:6] == [
        "[story]",
        "fixed word",
        "fixed word",
        "[animal]",
        "[does]",
        "fixed word",
    ]


def test_the_right_side_says_more_even_where_it_does_not_say_all():
    """Behind a fox by the bank, "ate" or "sat" may be told from the words behind; "green" grows in one more place."""
    hidden = hidden_words(tinytown.told("test", 40, 2))
    counts = Counter(one.side for one in hidden)
    assert list(SIDES) == sorted(SIDES, key=lambda side: ["left", "right", "neither"].index(side))
    assert 0.65 < counts["left"] / len(hidden) < 0.8
    assert 0.15 < counts["right"] / len(hidden) < 0.25
    helped = [one for one in hidden if one.side == "right" and one.both < 1 - 1e-9]
    assert helped
    assert all(one.kind == "[deed]" for one in helped)
    assert all(abs(one.left - one.both) < 1e-9 for one in hidden if one.side != "right")
    assert all(one.left > 1 - 1e-9 for one in hidden if one.side == "left")


def test_what_each_predictor_pays(model, gpt):
    hidden = hidden_words(tinytown.told("test", 30, 3))
    found = compare(model, gpt, hidden)
    assert list(found) == list(SIDES)
    assert sum(group.count for group in found.values()) == len(hidden)
    left, right, neither = (found[side].nats for side in SIDES)
    assert list(left) == list(PREDICTORS[:-1])
    assert left["dice, left"] == pytest.approx(0, abs=1e-9)
    assert left["GPT, left"] < 0.01
    assert left["masked, both"] < 0.05
    # The words behind are worth more than a nat where they say something, and nothing where they don't.
    assert right["dice, left"] > 1.3
    assert abs(right["GPT, left"] - right["dice, left"]) < 0.05
    assert right["dice, both"] < 0.1
    assert right["masked, both"] < right["dice, both"] + 0.1
    assert abs(neither["dice, left"] - neither["dice, both"]) < 1e-9
    assert abs(neither["masked, both"] - neither["dice, both"]) < 0.12


def test_the_mean_is_of_the_right_words(model, gpt):
    hidden = [one for one in hidden_words([tinytown.story(5), tinytown.story(0)]) if one.side == "right"][:4]
    found = compare(model, gpt, hidden, scoring=True)["right"]
    assert found.count == 4
    assert list(found.nats) == list(PREDICTORS)
    ways = {
        "dice, left": lambda one: tinytown.next_word_distribution(one.words[: one.place]),
        "GPT, left": lambda one: fill_left(gpt, one.words, one.place),
        "dice, both": lambda one: true_odds_both_sides(one.words, one.place),
        "masked, both": lambda one: fill(model, one.words, one.place),
        "GPT, scoring": lambda one: fill_by_scoring(gpt, one.words, one.place),
    }
    for name, way in ways.items():
        expected = np.mean([-math.log(way(one)[one.words[one.place]]) for one in hidden])
        assert abs(found.nats[name] - expected) < 1e-4, name
    assert found.nats["GPT, scoring"] < 0.1 < found.nats["GPT, left"]
    kinds = compare(model, gpt, hidden, by="kind")
    assert list(kinds) == sorted({one.kind for one in hidden})


def test_many_words_are_read_in_several_batches(model, gpt, monkeypatch):
    hidden = hidden_words([tinytown.story(0)])
    whole = compare(model, gpt, hidden)
    monkeypatch.setattr(masked, "_AT_ONCE", 7)
    parts = compare(model, gpt, hidden)
    for side in whole:
        assert parts[side].nats == pytest.approx(whole[side].nats, abs=1e-5)


def test_what_can_not_be_compared(model, gpt):
    hidden = hidden_words([tinytown.story(5)])
    with pytest.raises(ValueError, match="by must be 'side' or 'kind', got 'colour'"):
        compare(model, gpt, hidden, by="colour")
    for nothing in ([], [LOOK]):
        with pytest.raises(ValueError, match="hidden must be a list of Hidden words"):
            compare(model, gpt, nothing)
    for tales, got in (([], "none"), ([LOOK], "list"), ([tinytown.story(0), 3], "int")):
        with pytest.raises(
            ValueError, match=f"tales must be stories with their rolls, got {got}; tinytown.told"
        ):
            hidden_words(tales)


# ---------------------------------------------------------------------------------------------
# Several hidden words.

HIDEOUT = range(HID.index("hid") + 1, HID.index("hid") + 4)  # in the hay, under the bed, behind the door


def test_words_that_are_guessed_at_once_do_not_agree(model):
    """Three of six sides, two and one: two dice that know nothing of each other agree 14 times in 36."""
    at_once, in_turn = (
        [fill_several(model, HID, HIDEOUT, seed, at_once) for seed in range(80)] for at_once in (True, False)
    )
    for texts in (at_once, in_turn):
        assert all(text[: HIDEOUT[0]] == HID[: HIDEOUT[0]] for text in texts)
        assert all(text[HIDEOUT[-1] + 1 :] == HID[HIDEOUT[-1] + 1 :] for text in texts)
    real = {"in the hay", "under the bed", "behind the door"}

    def share(texts):
        return np.mean([" ".join(text[HIDEOUT[0] : HIDEOUT[-1] + 1]) in real for text in texts])

    assert abs(share(at_once) - 14 / 36) < 0.15
    assert share(in_turn) > 0.9
    firsts = Counter(text[HIDEOUT[0]] for text in in_turn)
    assert abs(firsts["in"] / 80 - 1 / 2) < 0.15


def test_several_words_are_rolled_by_seed_and_in_any_order(model):
    first = fill_several(model, HID, HIDEOUT, seed=3)
    assert (
        first
        == fill_several(model, HID, reversed(HIDEOUT), seed=3)
        == fill_several(model, HID, [*HIDEOUT] * 2, 3)
    )
    assert len({tuple(fill_several(model, HID, HIDEOUT, seed)) for seed in range(20)}) > 1
    # What stood there does not count.
    other = [word if at not in HIDEOUT else "mill" for at, word in enumerate(HID)]
    assert fill_several(model, other, HIDEOUT, seed=3) == first
    assert fill_several(model, other, HIDEOUT, seed=3, at_once=False) == fill_several(
        model, HID, HIDEOUT, 3, False
    )
    # Of one word there is no first and last.
    assert fill_several(model, HID, [4], 5) == fill_several(model, HID, [4], 5, at_once=False)


def test_a_run_of_words_is_written_better_in_turn(model, gpt):
    tales = [tale for tale in tinytown.told("test", 40, 4) if tale.words[0] == "once"][:12]
    few, many = (allowed_shares(model, gpt, tales, count) for count in (2, 16))
    assert list(few) == ["at once", "one by one", "GPT"]
    assert all(share > 0.9 for share in few.values())
    assert many["at once"] < 0.3
    assert many["at once"] < many["one by one"] - 0.2
    assert many["GPT"] > 0.85
    assert allowed_shares(model, gpt, tales[:3], 10**6)["GPT"] in (0, 1 / 3, 2 / 3, 1)  # all words anew
    # Whoever has learnt nothing writes no story: each of the three is asked.
    untrained = allowed_shares(MaskedModel(), GPT(TINYTOWN_CONFIG), tales[:3], 4)
    assert max(untrained.values()) < 0.1


def test_nothing_to_write(model, gpt):
    tale = tinytown.story(0)
    for nowhere in ([], 3, None):
        with pytest.raises(ValueError, match="places must be a list that names a word to hide, got none"):
            fill_several(model, LOOK, nowhere)
    with pytest.raises(ValueError, match="seed must be a whole number from 0, got -1"):
        fill_several(model, LOOK, [3], seed=-1)
    for count in (0, 1.5, None, True):
        with pytest.raises(ValueError, match="count must be a whole number from 1, got"):
            allowed_shares(model, gpt, [tale], count)
    with pytest.raises(ValueError, match="tales must be stories"):
        allowed_shares(model, gpt, [], 3)
    with pytest.raises(ValueError, match="seed must be a whole number"):
        allowed_shares(model, gpt, [tale], 3, seed=-2)
