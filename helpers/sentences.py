"""Sentences as vectors: texts that mean the same come out close together.

``SentenceEncoder`` is all-MiniLM-L6-v2, a BERT trained so that the mean of its last vectors says what
a whole sentence is about. Unlike a GPT it looks both ways, and it predicts no next token. Its blocks
are ``torch.nn.TransformerEncoder`` as torch ships it; only the embedding in front and the mean behind
are written out here. ``embeddings_response`` packs its vectors the way an embeddings API answers.

What it leaves out: vectors of single words (``helpers.embeddings``), and how such a model is trained.

Sources: Devlin et al. 2019, section 3 (BERT); Reimers and Gurevych 2019, section 3 (mean pooling);
Wang et al. 2020 (MiniLM); the answer's fields: https://platform.openai.com/docs/api-reference/embeddings.
"""

import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn


@runtime_checkable
class Encodes(Protocol):
    """Whatever turns a text into ids."""

    def encode(self, text: str) -> list[int]: ...


@dataclass(frozen=True)
class EncoderConfig:
    """The sizes of a sentence encoder; the defaults are all-MiniLM-L6-v2's."""

    vocab_size: int = 30_522  # tokens known
    n_ctx: int = 512  # longest text, in tokens
    n_layers: int = 6  # blocks on top of each other
    n_heads: int = 12  # attention heads in a block
    d_model: int = 384  # width of the residual stream, and of the sentence's vector
    d_mlp: int = 1_536  # width inside the feed-forward network
    norm_eps: float = 1e-12  # added to the variance in every LayerNorm
    start_id: int = 101  # [CLS], put in front of every text
    end_id: int = 102  # [SEP], put behind it


def mean_over(
    vectors: Float[Tensor, "batch seq d_model"], mask: Bool[Tensor, "batch seq"]
) -> Float[Tensor, "batch d_model"]:
    """The mean of the vectors where ``mask`` is True.

    >>> mean_over(torch.tensor([[[1.0], [3.0], [50.0]]]), torch.tensor([[True, True, False]]))
    tensor([[2.]])
    """
    kept = vectors.masked_fill(~mask[:, :, None], 0)
    return kept.sum(dim=1) / mask.sum(dim=1, keepdim=True)


def _table(rows: int, d_model: int) -> nn.Embedding:
    """An embedding without first weights: to draw them on the meta device, torch would load its compiler."""
    return nn.Embedding.from_pretrained(torch.empty(rows, d_model), freeze=False)


class SentenceEncoder(nn.Module):
    """Token ids ``[batch, seq]`` in, one vector of length 1 a text out.

    It has shapes but no weights until ``load_sentence_encoder`` puts them in.
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.config = config
        with torch.device("meta"):
            self.token_embedding = _table(config.vocab_size, config.d_model)
            self.position_embedding = _table(config.n_ctx, config.d_model)
            self.kind_embedding = _table(2, config.d_model)  # first or second text of a pair
            self.embedding_norm = nn.LayerNorm(config.d_model, eps=config.norm_eps)
            block = nn.TransformerEncoderLayer(
                config.d_model,
                config.n_heads,
                config.d_mlp,
                dropout=0.0,
                activation="gelu",
                layer_norm_eps=config.norm_eps,
                batch_first=True,
                norm_first=False,
            )
            self.encoder = nn.TransformerEncoder(block, config.n_layers, enable_nested_tensor=False)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.token_embedding.weight.device

    def forward(
        self, ids: Int[Tensor, "batch seq"], mask: Bool[Tensor, "batch seq"]
    ) -> Float[Tensor, "batch d_model"]:
        """Vectors of length 1; ``mask`` is False at the padding behind shorter texts."""
        positions = torch.arange(ids.shape[1], device=ids.device)
        x = self.token_embedding(ids) + self.position_embedding(positions) + self.kind_embedding.weight[0]
        x = self.encoder(self.embedding_norm(x), src_key_padding_mask=~mask)
        return nn.functional.normalize(mean_over(x, mask), dim=-1)

    def encode(self, texts: Sequence[str], tokenizer: Encodes) -> Float[np.ndarray, "batch d_model"]:
        """One row of ``d_model`` numbers for each text, of length 1: their dot product is their cosine.

        Raises ``ValueError`` for a text that is too long, or a single string in place of several.
        """
        if isinstance(texts, str):
            raise ValueError(
                f"texts must be a list of strings, got one string {texts[:20]!r}; wrap it as [text]"
            )
        config = self.config
        rows = [_with_ends(tokenizer.encode(text), config) for text in texts]
        for row in rows:
            if len(row) > config.n_ctx:
                raise ValueError(
                    f"a text must have at most {config.n_ctx - 2} tokens for this model, got {len(row) - 2}; "
                    "split it into sentences"
                )
        if not rows:
            return np.zeros((0, config.d_model), dtype=np.float32)
        longest = max(map(len, rows))
        # What stands in the padding is never looked at.
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows], device=self.device)
        lengths = torch.tensor([len(row) for row in rows], device=self.device)
        mask = torch.arange(longest, device=self.device) < lengths[:, None]
        with torch.inference_mode():
            return self(ids, mask).cpu().numpy()


def _with_ends(ids: list[int], config: EncoderConfig) -> list[int]:
    """The ids between [CLS] and [SEP], which some tokenizers add on their own."""
    if ids[:1] == [config.start_id] and ids[-1:] == [config.end_id]:
        return list(ids)
    return [config.start_id, *ids, config.end_id]


class SharedWords:
    """What stands in for the encoder where its file is missing: texts are close when they share words.

    Each word has a direction of its own, drawn from its letters; a text is their sum, of length 1.

    >>> red, rose, sea = SharedWords().encode(["a red wine", "a red rose", "the sea"])
    >>> bool(red @ rose > 0.3 > abs(red @ sea))
    True
    """

    config = EncoderConfig()

    def encode(self, texts: Sequence[str], tokenizer: object = None) -> Float[np.ndarray, "batch d_model"]:
        """One row of 384 numbers for each text; `tokenizer` is not needed."""
        rows = np.zeros((len(texts), self.config.d_model), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                row += np.random.default_rng(zlib.crc32(word.encode())).normal(size=len(row))
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def embeddings_response(
    texts: str | Sequence,
    encoder: SentenceEncoder | SharedWords,
    tokenizer: Encodes,
    model: str = "all-MiniLM-L6-v2",
) -> dict[str, object]:
    """What an embeddings API answers, as a dict that JSON can hold: one entry of ``data`` for each text.

    ``index`` counts from 0 in the order of `texts`; one string counts as a list of one. ``usage`` counts
    the texts' own tokens, without the [CLS] and [SEP] that the model adds; nothing is generated, so the
    total is the same. Raises ``ValueError`` for an empty list or text, for anything but strings, and for a
    text that is too long.
    """
    texts = [texts] if isinstance(texts, str) else list(texts)
    if not texts:
        raise ValueError("texts must hold at least one text, got none; pass a string or a list of strings")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(
                f"each text must be a string, got {type(text).__name__} at index {index}; str(...) makes one"
            )
        if not text.strip():
            raise ValueError(f"each text must say something, got {text!r} at index {index}; leave it out")
    vectors = encoder.encode(texts, tokenizer)
    tokens = sum(len(_with_ends(tokenizer.encode(text), encoder.config)) - 2 for text in texts)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": vector.tolist()}
            for index, vector in enumerate(vectors)
        ],
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def bert_names(n_layers: int) -> dict[str, str]:
    """The name of each weight in ``SentenceEncoder``, and the one it has in BERT's files.

    Query, key and value lie on top of each other in torch's encoder (``in_proj``) and apart in BERT's:
    there the name holds ``{}`` for ``query``, ``key`` and ``value``.

    >>> bert_names(1)["encoder.layers.0.self_attn.in_proj_bias"]
    'encoder.layer.0.attention.self.{}.bias'
    """
    names = {
        "token_embedding.weight": "embeddings.word_embeddings.weight",
        "position_embedding.weight": "embeddings.position_embeddings.weight",
        "kind_embedding.weight": "embeddings.token_type_embeddings.weight",
    }
    for end in ("weight", "bias"):
        names[f"embedding_norm.{end}"] = f"embeddings.LayerNorm.{end}"
        for layer in range(n_layers):
            ours, bert = f"encoder.layers.{layer}", f"encoder.layer.{layer}"
            names[f"{ours}.self_attn.in_proj_{end}"] = f"{bert}.attention.self.{{}}.{end}"
            names[f"{ours}.self_attn.out_proj.{end}"] = f"{bert}.attention.output.dense.{end}"
            names[f"{ours}.norm1.{end}"] = f"{bert}.attention.output.LayerNorm.{end}"
            names[f"{ours}.linear1.{end}"] = f"{bert}.intermediate.dense.{end}"
            names[f"{ours}.linear2.{end}"] = f"{bert}.output.dense.{end}"
            names[f"{ours}.norm2.{end}"] = f"{bert}.output.LayerNorm.{end}"
    return names


def load_sentence_encoder(
    path: str | os.PathLike[str], config: EncoderConfig | None = None
) -> SentenceEncoder:
    """A sentence encoder with the weights of a BERT's safetensors file, in evaluation mode, frozen.

    Raises ``FileNotFoundError`` for a file that is not there and ``ValueError`` for one that is damaged
    or holds another model.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"a model must be read from a file, got {path}, which is not there; check the path"
        )
    config = config or EncoderConfig()
    model = SentenceEncoder(config)
    expected = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    weights = {}
    try:
        with safe_open(path, framework="pt") as file:
            stored = set(file.keys())
            for ours, bert in bert_names(config.n_layers).items():
                parts = list(dict.fromkeys(bert.format(part) for part in ("query", "key", "value")))
                missing = [name for name in parts if name not in stored]
                if missing:
                    raise ValueError(
                        f"a sentence encoder's file must hold {missing[0]}, got {path} without it; fetch it again"
                    )
                tensors = [file.get_tensor(name) for name in parts]
                # One part stays mapped; only three on top of each other have to be copied.
                weights[ours] = tensors[0] if len(tensors) == 1 else torch.cat(tensors)
                if tuple(weights[ours].shape) != expected[ours]:
                    raise ValueError(
                        f"{bert.format('query')} must make up {list(expected[ours])}, got "
                        f"{list(weights[ours].shape)} in {path}; fetch it again"
                    )
    except SafetensorError as error:
        raise ValueError(
            f"a model file must be whole safetensors, got {path}, which is damaged ({error}); fetch it again"
        ) from error
    model.load_state_dict(weights, assign=True)
    return model.eval().requires_grad_(False)
