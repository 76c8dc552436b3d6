"""The sentence encoder against BERT as transformers builds it from the same file."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from helpers import pretrained
from helpers.sentences import (
    EncoderConfig,
    SentenceEncoder,
    bert_names,
    embeddings_response,
    load_sentence_encoder,
    mean_over,
)

TEXTS = [
    "good with fish",
    "Wine for seafood.",
    "",
    "The river bank was muddy after three days of rain, and nobody wanted to sit on it any more.",
    "आप कैसे हैं",
    "你好，世界",
    "🦊 naïve café",
]


@pytest.fixture(scope="module")
def minilm():
    return pretrained.load_minilm()


@pytest.fixture(scope="module")
def reference():
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=30_522,
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1_536,
        layer_norm_eps=1e-12,
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    weights = load_file(pretrained.ensure("minilm") / "model.safetensors")
    missing, _ = model.load_state_dict(weights, strict=False)
    assert not missing
    return model


def test_vectors_agree_with_bert(minilm, reference):
    model, tokenizer = minilm
    vectors = model.encode(TEXTS, tokenizer)
    assert vectors.shape == (7, 384)
    for text, vector in zip(TEXTS, vectors, strict=True):
        ids = torch.tensor([[101, *tokenizer.encode(text), 102]])
        with torch.inference_mode():
            expected = reference(ids).last_hidden_state.mean(dim=1)
        expected = (expected / expected.norm()).numpy()[0]
        np.testing.assert_allclose(vector, expected, atol=1e-5, rtol=0)


def test_a_batch_gives_what_one_by_one_gives(minilm):
    model, tokenizer = minilm
    together = model.encode(TEXTS, tokenizer)
    alone = np.concatenate([model.encode([text], tokenizer) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5, rtol=0)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_what_means_the_same_is_close(minilm):
    model, tokenizer = minilm
    query, wine, engine = model.encode(["good with fish", "wine for seafood", "diesel engine oil"], tokenizer)
    assert query @ wine > 0.4
    assert query @ engine < 0.2


def test_special_tokens_are_added_once(minilm):
    model, tokenizer = minilm

    class WithEnds:
        def encode(self, text):
            return [101, *tokenizer.encode(text), 102]

    np.testing.assert_array_equal(model.encode(TEXTS, WithEnds()), model.encode(TEXTS, tokenizer))


def test_the_mean_leaves_padding_out():
    vectors = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(5) < torch.tensor([[2], [5]])
    mean = mean_over(vectors, mask)
    torch.testing.assert_close(mean[0], vectors[0, :2].mean(dim=0))
    torch.testing.assert_close(mean[1], vectors[1].mean(dim=0))


def test_bad_texts_are_explained(minilm):
    model, tokenizer = minilm
    assert model.encode([], tokenizer).shape == (0, 384)
    assert model.encode(["fish " * 510], tokenizer).shape == (1, 384)
    with pytest.raises(
        ValueError, match="at most 510 tokens for this model, got 511; split it into sentences"
    ):
        model.encode(["fine", "fish " * 511], tokenizer)
    with pytest.raises(
        ValueError, match=r"must be a list of strings, got one string 'good with fish'; wrap it"
    ):
        model.encode("good with fish", tokenizer)


SMALL = EncoderConfig(vocab_size=37, n_ctx=11, n_layers=2, n_heads=3, d_model=12, d_mlp=20)


def small_file(path, change=lambda weights: None):
    """A file of BERT's names with a small encoder in it, spoilt by ``change``."""
    shapes = {name: weight.shape for name, weight in SentenceEncoder(SMALL).state_dict().items()}
    weights = {}
    for ours, bert in bert_names(2).items():
        parts = torch.randn(shapes[ours]).chunk(3) if "{}" in bert else [torch.randn(shapes[ours])]
        for part, weight in zip(("query", "key", "value"), parts, strict=False):
            weights[bert.format(part)] = weight.clone()
    change(weights)
    save_file(weights, path)
    return path


def test_every_weight_has_a_name(tmp_path):
    model = load_sentence_encoder(small_file(tmp_path / "m.safetensors"), SMALL)
    assert set(bert_names(2)) == set(model.state_dict())
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda w: w.pop("encoder.layer.1.attention.self.key.bias"),
            "must hold encoder.layer.1.attention.self.key.bias, got .* without it; fetch",
        ),
        (
            lambda w: w.update({"embeddings.LayerNorm.bias": torch.ones(13)}),
            r"embeddings.LayerNorm.bias must make up \[12\], got \[13\] in .*; fetch",
        ),
    ],
)
def test_a_file_of_another_model_is_explained(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        load_sentence_encoder(small_file(tmp_path / "m.safetensors", change), SMALL)


def test_a_damaged_or_missing_file_is_explained(tmp_path):
    path = small_file(tmp_path / "m.safetensors")
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(
        ValueError, match=r"must be whole safetensors, got .*, which is damaged \(.*\); fetch"
    ):
        load_sentence_encoder(path, SMALL)
    with pytest.raises(FileNotFoundError, match=r"got .*nowhere, which is not there; check the path"):
        load_sentence_encoder(tmp_path / "nowhere")


def test_sizes_are_minilms():
    assert dataclasses.asdict(EncoderConfig())["d_model"] == 384


# --- the answer of an embeddings API ------------------------------------------------------------


def test_the_answer_has_an_apis_shape(minilm):
    model, tokenizer = minilm
    texts = ["good with fish", "wine", "a wine for seafood"]
    answer = embeddings_response(texts, model, tokenizer)
    assert list(answer) == ["object", "data", "model", "usage"]
    assert (answer["object"], answer["model"]) == ("list", "all-MiniLM-L6-v2")
    assert [entry["object"] for entry in answer["data"]] == ["embedding"] * 3
    assert [entry["index"] for entry in answer["data"]] == [0, 1, 2]
    vectors = np.array([entry["embedding"] for entry in answer["data"]])
    np.testing.assert_allclose(vectors, model.encode(texts, tokenizer), atol=1e-6)
    assert answer["usage"] == {"prompt_tokens": 3 + 1 + 4, "total_tokens": 8}
    assert json.loads(json.dumps(answer)) == answer


def test_one_string_is_a_list_of_one(minilm):
    model, tokenizer = minilm
    one = embeddings_response("good with fish", model, tokenizer, model="ours")
    assert one == embeddings_response(["good with fish"], model, tokenizer, model="ours")
    assert one["model"] == "ours"
    assert len(one["data"]) == 1


def test_usage_does_not_count_ends_that_a_tokenizer_adds(minilm):
    model, tokenizer = minilm

    class WithEnds:
        def encode(self, text):
            return [101, *tokenizer.encode(text), 102]

    assert embeddings_response("good with fish", model, WithEnds())["usage"]["prompt_tokens"] == 3


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "texts must hold at least one text, got none; pass a string"),
        ("", "must say something, got '' at index 0; leave it out"),
        (["fine", " \n"], r"must say something, got ' \\n' at index 1; leave"),
        (["fine", "wine", 7], "must be a string, got int at index 2; str"),
        (["fish " * 511], "at most 510 tokens for this model, got 511; split"),
    ],
)
def test_what_has_no_embedding_is_explained(minilm, texts, message):
    model, tokenizer = minilm
    with pytest.raises(ValueError, match=message):
        embeddings_response(texts, model, tokenizer)
