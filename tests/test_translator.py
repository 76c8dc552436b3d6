"""The transformer of 2017: torch's own as truth, what may see what, sentences by hand, alignments, files."""

import json
import math
import os
from collections import Counter

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from helpers import translator
from helpers.explorers.attention import read as read_for_explorer
from helpers.training import IGNORED, TrainingConfig
from helpers.translation import split_of, translate, translations
from helpers.translator import (
    END,
    ENGLISH_IDS,
    ENGLISH_WORDS,
    FILE_FORMAT,
    HINDI_IDS,
    HINDI_WORDS,
    LONGEST,
    PAD,
    PAD_ID,
    SMALL_WORDS,
    START,
    UNKNOWN,
    WEIGHTS,
    Translator,
    TranslatorConfig,
    accuracy_by_chance,
    accuracy_by_word,
    alignment_accuracy,
    alignment_error_rate,
    alignment_found,
    alignment_table,
    alignments_found,
    attend,
    attention_reader,
    diagonal,
    exact_match,
    load_translator,
    loss_on,
    main,
    next_word_logits,
    pair_rows,
    read_english,
    save_translator,
    score_hindi,
    shares,
    train_translator,
    translate_all,
    translate_beams,
    translate_greedy,
    with_unknown,
    word_dictionary,
    word_for_word,
)

SMALL = TranslatorConfig(n_layers=3, n_heads=2, d_model=10, d_mlp=14, n_ctx=12)
PAIRS = [translate(text) for text in ("the big dog chases the cat", "hello", "how are you")]


@pytest.fixture(scope="module")
def trained():
    return load_translator()


@pytest.fixture(scope="module")
def unseen():
    return list(dict.fromkeys(translations("test", 250, seed=1)))


def loud(seed=0, config=SMALL):
    """A model with large weights: with small ones, parity holds even for a wrong formula."""
    model = Translator(config, seed=seed)
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * (0.6 if weight.ndim > 1 else 1))
            if name.endswith("norm.weight"):
                weight.abs_()
    return model


# ---- words ---------------------------------------------------------------------------------------------------------


def test_every_word_of_the_grammar_has_one_id():
    for words, ids, first in (
        (ENGLISH_WORDS, ENGLISH_IDS, [PAD, UNKNOWN]),
        (HINDI_WORDS, HINDI_IDS, [PAD, UNKNOWN, START, END]),
    ):
        assert len(set(words)) == len(words)
        assert list(words[: len(first)]) == first
        assert [words[ids[word]] for word in words] == list(words)
    pairs = [
        pair for split, count in (("train", 900), ("test", 50)) for pair in translations(split, count, seed=3)
    ]
    used = {word for pair in pairs for word in pair.hindi}
    assert used <= set(HINDI_WORDS)
    assert {word for pair in pairs for word in pair.english} == set(ENGLISH_WORDS[2:])
    assert set(HINDI_WORDS[4:]) - used == {"बगीचा"}, "a garden only ever stands before में, as बगीचे"
    assert max(len(pair.english) for pair in pairs) == LONGEST


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("How are you?", ["how", "are", "you"]),
        ("  HELLO!! ", ["hello"]),
        ("the dog, the cat.", ["the", "dog", "the", "cat"]),
        ("what's new", ["what's", "new"]),
        ("5 dogs", ["5", "dogs"]),
    ],
)
def test_capitals_and_punctuation_are_forgiven(text, words):
    english = read_english(text)
    assert list(english.words) == words
    assert english.tokens == [word if word in ENGLISH_IDS else UNKNOWN for word in words]


def test_what_is_said_about_a_text():
    assert read_english("the dog sees the cat").said == ()
    assert read_english("hello").said == ()
    [said] = read_english("you are how").said
    assert "mistakes" in said
    said = read_english("the zebra sees the zebra dogg").said
    assert len(said) == 2
    assert "'zebra'" in said[0]
    assert "mean" not in said[0]
    assert "'dogg' (did you mean 'dog'?)" in said[1]
    assert len(read_english("x" * 5000).said[0]) < 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must have a word or more, got ''"),
        (" ?! ", "must have a word or more"),
        ("नमस्ते", "must be English, got 'नमस्ते'.*writes Hindi"),
        ("the कुत्ता", "must be English"),
        ("the dog sees the cat and runs away", "up to 7 words.*got 8"),
        (None, "must be a string, got NoneType"),
    ],
)
def test_texts_that_are_refused(trained, text, message):
    for use in (read_english, *((lambda t, f=f: f(trained, t)) for f in (translate_greedy, translate_beams))):
        if text is not None or use is read_english:
            with pytest.raises(ValueError, match=message):
                use(text)


def test_longest_lifts_the_limit_up_to_what_the_model_has_positions_for(trained):
    text = "the big black dog sees the small cat"
    assert translate_greedy(trained, text, longest=8).words
    assert translate_beams(trained, text, 2, longest=8)
    with pytest.raises(ValueError, match="at most 16 words for this model, got 17"):
        translate_greedy(trained, "dog " * 17, longest=99)


def test_rows():
    source, target_in, target_out = pair_rows(PAIRS)
    assert [ENGLISH_WORDS[i] for i in source[1]] == ["hello", *[PAD] * 5]
    hindi = ["बड़ा", "कुत्ता", "बिल्ली", "का", "पीछा", "करता", "है"]
    assert [HINDI_WORDS[i] for i in target_in[0]] == [START, *hindi]
    assert [HINDI_WORDS[i] for i in target_out[0]] == [*hindi, END]
    assert target_out[2].tolist() == [*(HINDI_IDS[w] for w in ("आप", "कैसे", "हैं", END)), *[IGNORED] * 4]
    assert (target_in == PAD_ID).equal(target_out == IGNORED)


def test_pairs_that_are_none():
    for use in (pair_rows, word_dictionary, accuracy_by_chance):
        with pytest.raises(ValueError, match="pairs must be sentence pairs, one or more"):
            use([])
    for pairs in ("hello", ["hello"]):  # what a signature refuses only while testing
        with pytest.raises(ValueError, match=r"got '?.*hello.*; translations gives some"):
            translator._check_pairs(pairs)


def test_pairs_with_words_outside():
    with pytest.raises(ValueError, match="every English word must be one of the 54 known, got 'zebra'"):
        pair_rows([PAIRS[0]._replace(english=("zebra",))])
    with pytest.raises(ValueError, match=r"every Hindi word must be one of .* got 'क'; see HINDI_WORDS"):
        pair_rows([PAIRS[0]._replace(hindi=("क",))])


# ---- the model -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_layers": 0}, "n_layers must be a whole number of 1 or more, got 0; 2 is usual"),
        ({"d_mlp": 2.5}, "d_mlp must be a whole number"),
        ({"n_ctx": True}, "n_ctx must be"),
        ({"d_model": 50, "n_heads": 4}, "divisible by n_heads, got 50 for 4 heads; try d_model=52"),
        ({"d_model": 9, "n_heads": 3}, "must be even.*try d_model=12"),
        ({"layers": 2}, "no field 'layers'; did you mean 'n_layers'"),
    ],
)
def test_configs_that_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        TranslatorConfig(**settings)


def test_attend_by_hand():
    queries, keys = torch.zeros(1, 1, 1, 4), torch.eye(4)[None, None, :3]
    queries[..., 1] = 2 * math.log(3)  # after division by sqrt 4: ln 3, 0, 0
    values = torch.tensor([1.0, 2.0, 9.0])[None, None, :, None].expand(1, 1, 3, 4)
    found, weights = attend(queries, keys, values, torch.tensor([[[[True, True, False]]]]))
    assert weights.flatten().tolist() == pytest.approx([0.25, 0.75, 0])
    assert found.flatten().tolist() == pytest.approx([1.75] * 4)


def torchs_own(model):
    """The same weights in torch.nn's transformer layers, without the last norm that torch adds and 2017 lacks."""
    config = model.config
    sizes = {"dim_feedforward": config.d_mlp, "dropout": 0.0, "batch_first": True, "norm_first": False}
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(config.d_model, config.n_heads, **sizes),
        config.n_layers,
        norm=None,
        enable_nested_tensor=False,
    )
    decoder = nn.TransformerDecoder(
        nn.TransformerDecoderLayer(config.d_model, config.n_heads, **sizes), config.n_layers, norm=None
    )
    names = {"attention": "self_attn", "cross": "multihead_attn"}
    with torch.no_grad():
        for theirs, ours in [*zip(encoder.layers, model.encoder, strict=True), *zip(decoder.layers, model.decoder, strict=True)]:  # fmt: skip
            norms = [ours.attention_norm, getattr(ours, "cross_norm", None), ours.mlp_norm]
            pairs = [(theirs.linear1, ours.mlp.up), (theirs.linear2, ours.mlp.down)]
            pairs += [
                (getattr(theirs, f"norm{i}"), norm) for i, norm in enumerate(filter(None, norms), start=1)
            ]
            for name, their_name in names.items():
                if attention := getattr(ours, name, None):
                    three = (attention.query, attention.key, attention.value)
                    heads = getattr(theirs, their_name)
                    heads.in_proj_weight.copy_(torch.cat([part.weight for part in three]))
                    heads.in_proj_bias.copy_(torch.cat([part.bias for part in three]))
                    pairs.append((heads.out_proj, attention.output))
            for their_part, our_part in pairs:
                their_part.load_state_dict(our_part.state_dict())
    return encoder, decoder


def test_parity_with_torch():
    """Encoder output, decoder output, logits and gradients, with padding in both languages."""
    model = loud()
    encoder, decoder = torchs_own(model)
    source, target_in, target_out = pair_rows(PAIRS)

    def run(ours):
        model.zero_grad()
        if ours:
            logits, trace = model(source, target_in, trace=True)
            encoded, decoded = trace.encoded, trace.decoded
        else:
            root = math.sqrt(SMALL.d_model)
            place = torch.arange(SMALL.n_ctx)[:, None] / 10_000 ** (2 * torch.arange(5) / 10)
            positions = torch.stack([place.sin(), place.cos()], dim=-1).flatten(1)
            x = model.english.weight[source] * root + positions[: source.shape[1]]
            y = model.hindi.weight[target_in] * root + positions[: target_in.shape[1]]
            hidden, target_hidden = source == PAD_ID, target_in == PAD_ID
            future = torch.triu(torch.ones(target_in.shape[1], target_in.shape[1], dtype=torch.bool), 1)
            encoded = encoder(x, src_key_padding_mask=hidden)
            decoded = decoder(
                y,
                encoded,
                tgt_mask=future,
                tgt_key_padding_mask=target_hidden,
                memory_key_padding_mask=hidden,
            )
            logits = decoded @ model.hindi.weight.T
        F.cross_entropy(logits.flatten(0, 1), target_out.flatten(), ignore_index=IGNORED).backward()
        real = target_out != IGNORED
        return encoded[source != PAD_ID], decoded[real], logits[real]

    for mine, theirs in zip(run(ours=True), run(ours=False), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)
    run(ours=True)
    tables = [model.english.weight.grad.clone(), model.hindi.weight.grad.clone()]
    mine = [layer.mlp.up.weight.grad.clone() for layer in [*model.encoder, *model.decoder]]
    mine += [layer.cross.value.weight.grad.clone() for layer in model.decoder]
    encoder.zero_grad()
    decoder.zero_grad()
    run(ours=False)
    theirs = [layer.linear1.weight.grad for layer in [*encoder.layers, *decoder.layers]]
    theirs += [layer.multihead_attn.in_proj_weight.grad[20:] for layer in decoder.layers]
    for a, b in zip(
        [*tables, *mine], [model.english.weight.grad, model.hindi.weight.grad, *theirs], strict=True
    ):
        assert b.abs().max() > 1e-4
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


def test_trace_rows_sum_to_one_and_padding_and_future_get_nothing():
    source, target_in, _ = pair_rows(PAIRS)
    logits, trace = loud()(source, target_in, trace=True)
    assert trace.encoder.shape == (3, 3, 2, 6, 6)
    assert trace.decoder.shape == (3, 3, 2, 8, 8)
    assert trace.cross.shape == (3, 3, 2, 8, 6)
    for weights in (trace.encoder, trace.decoder, trace.cross):
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
    assert (trace.encoder[:, 1, :, :, 1:] == 0).all(), "hello has one word: all look at it"
    assert (trace.cross[:, 2, :, :, 3:] == 0).all()
    assert (trace.decoder.triu(1) == 0).all()
    assert (trace.encoder[:, 0].triu(1) > 0).any(), "the encoder looks ahead too"
    torch.testing.assert_close(loud()(source, target_in), logits)


def test_padding_and_the_future_change_nothing():
    model = loud()
    source, target_in, _ = pair_rows(PAIRS[2:])
    logits = model(source, target_in)
    padded = model(F.pad(source, (0, 4), value=PAD_ID), F.pad(target_in, (0, 3), value=PAD_ID))
    torch.testing.assert_close(padded[:, :4], logits, rtol=1e-4, atol=1e-4)
    later = target_in.clone()
    later[0, 3] = 7
    torch.testing.assert_close(model(source, later)[:, :3], logits[:, :3])
    assert not torch.allclose(model(source, later)[:, 3], logits[:, 3])
    for at in range(3):  # every English word reaches every Hindi one
        other = source.clone()
        other[0, at] = ENGLISH_IDS["king"]
        assert ((model(other, target_in) - logits).abs().amax(-1) > 1e-5).all()


def test_first_weights_come_from_the_seed_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, two, other = Translator(SMALL, seed=3), Translator(SMALL, seed=3), Translator(SMALL, seed=4)
    assert torch.get_rng_state().equal(before)
    assert all(a.equal(b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not one.hindi.weight.equal(other.hindi.weight)
    wide = Translator(TranslatorConfig(d_model=64))
    assert wide.hindi.weight.std().item() == pytest.approx(1 / 8, rel=0.05)
    limit = math.sqrt(6 / (64 + 192))
    assert 0.9 * limit < wide.encoder[0].mlp.up.weight.abs().max() <= limit
    assert wide.encoder[0].mlp.up.bias.abs().max() == 0
    assert wide.encoder[0].mlp_norm.weight.eq(1).all()
    assert set(wide.state_dict()) == {name for name, _ in wide.named_parameters()}, "positions are no weights"


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ([[1, 2]], [[2], [2]], "as many Hindi sentences as English ones, got 2 and 1"),
        ([[1, 99]], [[2]], "source_ids must be from 0 to 53, got 99"),
        ([[1]], [[-1]], "target_ids must be from 0 to .* got -1"),
        ([1, 2], [[2]], r"source_ids must be whole numbers .* got torch.int64 of shape \[2\]"),
        ([[1.0]], [[2]], "got torch.float32"),
        ([[]], [[2]], "source_ids must be"),
        ([[1, 1], [0, 0]], [[2], [2]], "must have a word, got one of padding only"),
        ([[1] * 13], [[2]], "at most 12 words for this model, got 13"),
        ([[1]], [[2] * 13], "at most 12 words for this model, got 13"),
    ],
)
def test_ids_that_are_refused(source, target, message):
    with pytest.raises(ValueError, match=message):
        Translator(SMALL)(torch.tensor(source), torch.tensor(target))


# ---- training ------------------------------------------------------------------------------------------------------


def test_unknown_words_are_unknown_in_both_languages():
    pairs = translations("train", 300, seed=2)
    hidden = with_unknown(pairs, 0.5, seed=0)
    changed = [(a, b) for a, b in zip(pairs, hidden, strict=True) if a != b]
    assert 0.25 < len(changed) / len(pairs) < 0.5  # phrases have no word to hide
    counts = Counter()
    for before, after in changed:
        places = [i for i, word in enumerate(after.english) if word == UNKNOWN]
        written = [k for k, word in enumerate(after.hindi) if word == UNKNOWN]
        counts[len(places)] += 1
        assert sorted(before.alignment[k] for k in written) == places, "one word of Hindi for each of English"
        assert before.alignment == after.alignment
        assert not SMALL_WORDS & {before.hindi[k] for k in written}
        assert not {"the", "is", "in", "chases", "my", "name", "where"} & {before.english[i] for i in places}
        for old, new, gone in ((before.hindi, after.hindi, written), (before.english, after.english, places)):
            assert [word for i, word in enumerate(old) if i not in gone] == [w for w in new if w != UNKNOWN]
    assert min(counts[n] for n in (1, 2, 3)) > 15, "often more than one in a sentence"
    assert with_unknown(pairs, 0, seed=0) == pairs
    assert with_unknown(pairs, 0.5, seed=0) == hidden != with_unknown(pairs, 0.5, seed=1)


def test_training_learns_and_repeats_itself():
    pairs = translations("train", 150, seed=0)
    rows = pair_rows(pairs)
    tiny, config = (
        TranslatorConfig(n_layers=1, n_heads=2, d_model=24, d_mlp=32),
        TrainingConfig(steps=60, batch_size=20, learning_rate=0.01),
    )
    model = Translator(tiny, seed=1)
    before = loss_on(model, *rows)
    whole = TrainingConfig(steps=1, batch_size=len(pairs))
    [first] = train_translator(Translator(tiny, seed=1), pairs, whole, unknown=0)
    assert first.loss == pytest.approx(before, rel=1e-4), "the English, which is no target, does not count"
    records = list(train_translator(model, pairs, config))
    assert len(records) == 60
    assert loss_on(model, *rows) < before / 2
    again = Translator(tiny, seed=1)
    for _ in zip(train_translator(again, pairs, config), range(3), strict=False):
        pass
    other = Translator(tiny, seed=1)
    for _ in zip(train_translator(other, pairs, config), range(3), strict=False):
        pass
    assert again.hindi.weight.equal(other.hindi.weight)


def test_training_hides_words():
    seen = []

    class Listener(Translator):
        def forward(self, source_ids, target_ids, *, trace=False):
            seen.append((source_ids == ENGLISH_IDS[UNKNOWN]).any(1).float().mean().item())
            return super().forward(source_ids, target_ids, trace=trace)

    pairs, config = translations("train", 150, seed=0), TrainingConfig(steps=2, batch_size=150)
    for share in (0, 0.1, 1):
        list(train_translator(Listener(SMALL), pairs, config, unknown=share))
    assert seen[0] == 0
    assert 0.02 < seen[2] < 0.2 < 0.7 < seen[4]


def test_training_that_is_refused():
    for unknown in (-0.1, 1.5, math.nan):
        with pytest.raises(ValueError, match="unknown must be a share from 0 to 1"):
            train_translator(Translator(SMALL), PAIRS, unknown=unknown)
    with pytest.raises(ValueError, match="batch_size must be at most"):
        next(train_translator(Translator(SMALL), PAIRS))


def test_loss_by_hand():
    model = loud()
    pair = PAIRS[2]
    written = score_hindi(model, "how are you", pair.hindi)
    assert written.words == (*pair.hindi, END)
    assert loss_on(model, *pair_rows([pair])) == pytest.approx(-written.log_probability / 4, rel=1e-4)
    log_odds = model(*pair_rows([pair])[:2])[0].log_softmax(-1)
    each = [log_odds[i, HINDI_IDS[word]].exp().item() for i, word in enumerate(written.words)]
    assert written.probabilities == pytest.approx(each, rel=1e-4)


# ---- writing -------------------------------------------------------------------------------------------------------


def test_greedy_is_one_beam_and_takes_the_likeliest_word():
    for seed in range(2):
        model = loud(seed)
        written = translate_greedy(model, "the dog sees the cat")
        [beam] = translate_beams(model, "the dog sees the cat", beams=1)
        assert written.words == beam.words
        assert 1 <= len(written.words) <= SMALL.n_ctx
        assert END not in written.words[:-1]
        logits = next_word_logits(model, read_english("the dog sees the cat"))
        ids = [HINDI_IDS[START]]
        for word, probability in zip(written.words, written.probabilities, strict=True):
            odds = np.exp(logits(ids) - logits(ids).max())
            assert HINDI_WORDS[odds.argmax()] == word
            assert probability == pytest.approx(odds.max() / odds.sum(), rel=1e-3)
            ids.append(HINDI_IDS[word])


def test_beams_come_best_first_and_add_up():
    beams = translate_beams(loud(2), "how are you", beams=5)
    assert len({beam.words for beam in beams}) == len(beams) == 5
    sums = [beam.log_probability for beam in beams]
    assert sums == sorted(sums, reverse=True)
    assert sums[0] >= translate_greedy(loud(2), "how are you").log_probability - 1e-6
    with pytest.raises(ValueError, match="beams must be a whole number from 1"):
        translate_beams(loud(2), "how are you", beams=0)


def test_batched_greedy_is_the_same_as_one_by_one():
    model = loud(3)
    one_by_one = [translate_greedy(model, " ".join(pair.english)) for pair in PAIRS]
    assert [" ".join(words) for words in translate_all(model, PAIRS)] == [w.hindi for w in one_by_one]


def test_hindi_that_is_refused(trained):
    with pytest.raises(ValueError, match=r"every Hindi word must be one of"):
        score_hindi(trained, "how are you", "क")
    assert score_hindi(trained, "how are you", "").words == (END,)


# ---- the committed model -------------------------------------------------------------------------------------------


def test_unseen_sentences_come_out_word_for_word(trained, unseen):
    assert all(split_of(pair.english) == "test" for pair in unseen)
    assert len(unseen) > 100
    assert exact_match(trained, unseen) >= 0.98
    words = translate_all(trained, unseen)
    assert exact_match(trained, unseen) == pytest.approx(shares(unseen, words).exact)
    assert WEIGHTS.stat().st_size < 700_000


@pytest.mark.parametrize(
    ("english", "hindi"),
    [
        ("Hello", "नमस्ते"),
        ("how are you", "आप कैसे हैं"),
        ("What is your name?", "आपका नाम क्या है"),
        ("thank you", "धन्यवाद"),
        ("the big dog chases the cat", "बड़ा कुत्ता बिल्ली का पीछा करता है"),
        ("the zebra sees the cat", "<unk> बिल्ली को देखती है"),
        ("the zebra sees the cot", "<unk> <unk> को देखती है"),
        ("the purple dog eats the zork", "<unk> कुत्ता <unk> खाता है"),
        ("the zebra is in the sauna", "<unk> <unk> में है"),
        ("my name is anna", "मेरा नाम <unk> है"),
        ("the dog is in the kitchen", "कुत्ता <unk> में है"),
        ("the purple dog eats the bread", "<unk> कुत्ता रोटी खाता है"),
        ("the dog zorks the cat", "कुत्ता बिल्ली को <unk> है"),
    ],
)
def test_sentences_of_the_notebook(trained, english, hindi):
    written = translate_greedy(trained, english)
    assert written.hindi == hindi
    assert translate_beams(trained, english)[0].hindi == hindi
    assert bool(written.said) == (UNKNOWN in hindi)


def test_word_order_is_what_the_model_believes_in(trained):
    right, wrong = (score_hindi(trained, "how are you", hindi) for hindi in ("आप कैसे हैं", "आप हैं कैसे"))
    assert right.log_probability > -0.1
    assert wrong.log_probability < right.log_probability - 5
    assert wrong.probabilities[0] > 0.9 > 0.1 > wrong.probabilities[1], "it is lost at the second word"


def test_without_the_english_the_hindi_is_a_guess(trained, unseen):
    source, target_in, target_out = pair_rows(unseen)
    blind = torch.where(source == PAD_ID, PAD_ID, ENGLISH_IDS[UNKNOWN])
    assert loss_on(trained, source, target_in, target_out) < 0.05
    assert loss_on(trained, blind, target_in, target_out) > 2


def test_alignment_of_the_committed_model(trained, unseen):
    table = alignment_table(trained, unseen)
    assert table.shape == (2, 3)
    found = alignments_found(trained, unseen)
    assert table[1, 2] == pytest.approx(alignment_accuracy(unseen, found))
    assert table[0, 1] == pytest.approx(alignment_accuracy(unseen, alignments_found(trained, unseen, 0, 1)))
    straight = [diagonal(pair) for pair in unseen]
    assert alignment_accuracy(unseen, straight) < accuracy_by_chance(unseen) < 0.3 < 0.7 < table[1, 2]
    assert alignment_error_rate(unseen, found) < 0.3 < 0.8 < alignment_error_rate(unseen, straight)
    by_word = {word: np.mean(right) for word, right in accuracy_by_word(unseen, found).items()}
    assert by_word["बिल्ली"] > 0.95
    assert by_word["है"] < 0.3, "a small word is written without a look at its English"


# ---- alignments, by hand -------------------------------------------------------------------------------------------


def test_alignment_is_the_row_that_writes_the_word():
    model, pair = loud(), PAIRS[0]
    source, target_in, _ = pair_rows([pair])
    cross = model(source, target_in, trace=True)[1].cross[:, 0]
    assert alignment_found(model, pair, 1, 0) == tuple(cross[1, 0].argmax(-1)[:7].tolist())
    assert alignment_found(model, pair, 2) == tuple(cross[2].mean(0).argmax(-1)[:7].tolist())
    assert alignment_found(model, pair) == alignment_found(model, pair, -1)
    assert alignments_found(model, PAIRS)[1] == (0,)
    for layer, head, name in ((3, 0, "layer"), (0, 2, "head"), (-4, 0, "layer")):
        with pytest.raises(ValueError, match=f"{name} must be from 0 to"):
            alignment_found(model, pair, layer, head)


def test_alignment_error_rate_is_the_published_formula():
    """Och and Ney 2003: 1 - (|A and S| + |A and P|) / (|A| + |S|), with sets of links."""
    pairs = translations("train", 40, seed=4)
    rng = np.random.default_rng(0)
    found = [tuple(rng.integers(0, len(p.english), len(p.hindi)).tolist()) for p in pairs]
    a = {(n, k, at) for n, places in enumerate(found) for k, at in enumerate(places)}
    possible = {(n, k, at) for n, p in enumerate(pairs) for k, at in enumerate(p.alignment)}
    sure = {(n, k, at) for n, k, at in possible if pairs[n].hindi[k] not in SMALL_WORDS}
    expected = 1 - (len(a & sure) + len(a & possible)) / (len(a) + len(sure))
    assert alignment_error_rate(pairs, found) == pytest.approx(expected)
    assert alignment_accuracy(pairs, found) == pytest.approx(len(a & possible) / len(possible))
    assert alignment_error_rate(pairs, [p.alignment for p in pairs]) == pytest.approx(0)


def test_diagonal_and_chance():
    assert diagonal(PAIRS[0]) == (0, 1, 2, 3, 4, 5, 5)
    assert accuracy_by_chance(PAIRS) == pytest.approx((7 / 6 + 1 + 3 / 3) / 11)
    assert accuracy_by_word(PAIRS[2:], [(2, 1, 1)]) == {"आप": [True], "कैसे": [False], "हैं": [True]}
    for use, one in ((alignment_accuracy, (0,)), (alignment_error_rate, (0,)), (shares, ("है",))):
        with pytest.raises(ValueError, match="one for each sentence pair, got 1 for 3"):
            use(PAIRS, [one])


@pytest.mark.parametrize(
    ("part", "queries", "keys"),
    [
        ("cross", ["आप", "कैसे", "हैं", END], ["how", "are", "you"]),
        ("encoder", ["how", "are", "you"], None),
        ("decoder", [START, "आप", "कैसे", "हैं"], None),
    ],
)
def test_readers_for_the_attention_explorer(trained, part, queries, keys):
    reader = attention_reader(trained, part)
    result = reader("How are you?")
    assert result[0] == queries
    *_, weights, note = result
    assert weights.shape == (2, 2, len(queries), len(keys or queries))
    assert (len(result), note) == (4 if keys else 3, "")
    if keys:
        assert result[1] == keys
    reading = read_for_explorer(reader, "How are you?")
    assert (reading.own, reading.causal) == (part != "cross", part == "decoder")
    with pytest.raises(ValueError, match="must be English"):
        reader("नमस्ते")


def test_readers_show_what_the_model_reads(trained):
    _, english, _, note = attention_reader(trained)("the zebra sees the cat")
    assert note == "The model does not know 'zebra', so it reads <unk>"
    assert english == ["the", UNKNOWN, "sees", "the", "cat"]
    pair = translate("the dog sees the cat")
    weights = attention_reader(trained)("the dog sees the cat")[2]
    assert tuple(weights[-1].mean(0).argmax(-1)[:-1]) == alignment_found(trained, pair)
    with pytest.raises(ValueError, match="part must be 'encoder', 'decoder' or 'cross', got 'all'"):
        attention_reader(trained, "all")


# ---- word for word -------------------------------------------------------------------------------------------------


def test_word_for_word_fails(unseen):
    dictionary = word_dictionary(translations("train", 700, seed=0))
    assert dictionary["the"] == ()
    assert dictionary["dog"] == ("कुत्ता",)
    assert dictionary["in"] == ("में",)
    assert word_for_word(dictionary, "the dog is in the house") == ("कुत्ता", "है", "में", "घर")
    assert word_for_word(dictionary, "the zebra") == (UNKNOWN,)
    found = shares(unseen, [word_for_word(dictionary, pair.english) for pair in unseen])
    assert found.exact < 0.05
    assert found.order > 0.1
    assert found.words > 0.5
    assert sum(found) == pytest.approx(1)


def test_the_dictionary_takes_the_most_frequent():
    pairs = [translate(f"the {who} sees the king") for who in ("cat", "dog", "cow")]
    assert word_dictionary(pairs)["sees"] == ("को", "देखती", "है")


# ---- files ---------------------------------------------------------------------------------------------------------


def test_what_is_saved_comes_back(tmp_path):
    path = tmp_path / "m.safetensors"
    model = loud()
    save_translator(model, path)
    assert sorted(os.listdir(tmp_path)) == ["m.safetensors"]
    again = load_translator(path)
    assert again.config == SMALL
    assert not again.training
    assert not any(weight.requires_grad for weight in again.parameters())
    assert all(weight.requires_grad for weight in load_translator(path, trainable=True).parameters())
    rows = pair_rows(PAIRS)[:2]
    torch.testing.assert_close(again(*rows), model(*rows))


def test_files_that_are_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    with pytest.raises(FileNotFoundError, match="which is not there; check the path"):
        load_translator(path)
    path.write_bytes(b"not safetensors")
    with pytest.raises(ValueError, match=r"must be whole safetensors.*damaged"):
        load_translator(path)
    path.write_bytes(WEIGHTS.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"must be whole safetensors.*damaged"):
        load_translator(path)
    with pytest.raises(ValueError, match="must be one that save_translator wrote"):
        load_translator(WEIGHTS.with_name("tinytown.safetensors"))
    weights = load_file(WEIGHTS)
    for metadata, message in [
        ({"format": FILE_FORMAT}, "with a broken one"),
        ({"format": FILE_FORMAT, "config": "{"}, "with a broken one"),
        ({"format": FILE_FORMAT, "config": json.dumps({"n_layers": 0})}, "with a broken one"),
        ({"format": FILE_FORMAT, "config": json.dumps({"n_layers": 1})}, "is not part of it"),
        ({"format": FILE_FORMAT, "config": json.dumps({"d_mlp": 96})}, "instead of"),
    ]:
        save_file(weights, path, metadata=metadata)
        with pytest.raises(ValueError, match=message):
            load_translator(path)
    with pytest.raises(OSError, match=r"No such file|where there is room"):
        save_translator(Translator(SMALL), tmp_path / "nowhere" / "m.safetensors")


def test_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(translator, "WEIGHTS", tmp_path / "committed.safetensors")

    def few(split, count, seed):
        return translations(split, min(count, 70), seed)

    monkeypatch.setattr(translator, "translations", few)  # to roll them takes most of the time
    main(["--steps", "2", "--pairs", "70", "--out", str(tmp_path / "m.safetensors")])
    assert load_translator(tmp_path / "m.safetensors").config == TranslatorConfig()
    assert "exact match on" in (out := capsys.readouterr().out)
    assert "step     2" in out
    main(["--steps", "1", "--pairs", "70"])
    assert not (tmp_path / "committed.safetensors").exists(), "another recipe leaves the course's file alone"
