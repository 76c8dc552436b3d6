"""English to Hindi with the first transformer, the one of 2017: an encoder that reads, a decoder that writes.

The **encoder** reads the English sentence in both directions. The **decoder** writes Hindi word by word: it looks back
at what it has written (causal self-attention) and over at what the encoder made of the English (**cross-attention**:
queries from the Hindi, keys and values from the English). ``helpers.transformer`` is the decoder alone, without the
cross-attention, and with the norms moved to the front.

``python -m helpers.translator`` trains the model that the notebook starts from and writes it to
``helpers/weights/translator.safetensors``.

What it leaves out of the paper: dropout and label smoothing (here no sentence comes often enough to be known by heart),
pieces of words as tokens, and a cache while writing.

Sources: Vaswani et al. 2017, "Attention Is All You Need", sections 3.1 to 3.5 (the model) and 6.1 (beam search); Glorot
and Bengio 2010, equation 16 (first weights); Och and Ney 2003, "A Systematic Comparison of Various Statistical
Alignment Models", section 5.1 (alignment error rate).
"""

import argparse
import difflib
import json
import math
import os
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from helpers.positions import sinusoid_table
from helpers.sampling import beam_search
from helpers.tinytown import as_words
from helpers.training import IGNORED, Record, TrainingConfig, train
from helpers.transformer import causal_mask, check_names, embedding_table, explained
from helpers.translation import (
    ADJECTIVES,
    ANIMATE,
    ENGLISH,
    NAMES,
    PHRASES,
    PLACES,
    THINGS,
    TO_SOMEBODY,
    WITH_A_THING,
    Translation,
    translate,
    translations,
)

PAD, UNKNOWN, START, END = "<pad>", "<unk>", "<start>", "<end>"
FILE_FORMAT = "under-the-hood translator, version 1"
WEIGHTS = Path(__file__).parent / "weights" / "translator.safetensors"
LONGEST = 7  # words of the longest English sentence that the dice can roll


def _hindi_words() -> list[str]:
    words = {word for hindi, _ in PHRASES.values() for word in hindi}
    words |= {"मेरा", "नाम", "कहाँ", "में", "है", *NAMES.values()}
    words |= {form for noun in (ANIMATE | PLACES).values() for form in (noun.direct, noun.oblique)}
    words |= {noun.direct for noun in THINGS.values()}
    words |= {form for forms in ADJECTIVES.values() for form in forms}
    words |= {small for smalls, _ in TO_SOMEBODY.values() for small in smalls}
    stems = [*(stem for _, stem in TO_SOMEBODY.values()), *WITH_A_THING.values()]
    return sorted(words | {stem + ending for stem in stems for ending in ("ता", "ती")})


# A word's place in its list is its id. Padding fills up the shorter sentences of a batch.
ENGLISH_WORDS: tuple[str, ...] = (PAD, UNKNOWN, *ENGLISH.words())
HINDI_WORDS: tuple[str, ...] = (PAD, UNKNOWN, START, END, *_hindi_words())
ENGLISH_IDS = {word: number for number, word in enumerate(ENGLISH_WORDS)}
HINDI_IDS = {word: number for number, word in enumerate(HINDI_WORDS)}
PAD_ID = ENGLISH_IDS[PAD]  # the same in both languages


# ---------------------------------------------------------------------------------------------
# Reading what somebody types.


class English(NamedTuple):
    """An English text as the model reads it."""

    words: tuple[str, ...]  # as typed, in small letters, without punctuation
    ids: tuple[int, ...]  # of ENGLISH_WORDS; <unk> for a word outside
    said: tuple[str, ...]  # what a reader should know: which words are unknown, or nothing

    @property
    def tokens(self) -> list[str]:
        """What the model sees: the words, ``<unk>`` for those that it can't tell apart."""
        return [ENGLISH_WORDS[i] for i in self.ids]


def read_english(text: object, longest: int = LONGEST) -> English:
    """The ids of an English text, and what there is to say about it; capitals and punctuation don't count.

    A word outside the vocabulary becomes ``<unk>`` and is named.

    >>> read_english("How are you?").words
    ('how', 'are', 'you')
    >>> read_english("The doog sees the zebra").said
    ("the model does not know 'doog' (did you mean 'dog'?), so it reads <unk>",
     "the model does not know 'zebra', so it reads <unk>")

    Raises ValueError for a text without a word, one with more than ``longest`` words, and one in Hindi.
    """
    if not isinstance(text, str):
        raise ValueError(f"an English text must be a string, got {type(text).__name__}; try 'how are you'")
    if hindi := re.search(r"[\u0900-\u097f]+", text):
        raise ValueError(
            f"the text must be English, got {hindi.group()[:40]!r}, which is in Devanagari; this model reads English "
            "and writes Hindi, so type 'how are you'"
        )
    words = re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower())
    if not words:
        raise ValueError(f"an English text must have a word or more, got {text[:40]!r}; try 'how are you'")
    if len(words) > longest:
        raise ValueError(
            f"an English text can have up to {longest} words, as the longest sentence in training, got {len(words)}; "
            "make it shorter"
        )
    said = [_unknown(word) for word in dict.fromkeys(words) if word not in ENGLISH_IDS]
    if not said:
        try:
            translate(words)
        except ValueError:
            said = ["no sentence in training was built like this one, so mistakes are likely"]
    ids = tuple(ENGLISH_IDS.get(word, ENGLISH_IDS[UNKNOWN]) for word in words)
    return English(tuple(words), ids, tuple(said))


def _unknown(word: str) -> str:
    near = difflib.get_close_matches(word[:40], ENGLISH_WORDS[2:], n=1, cutoff=0.65)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"the model does not know {word[:40]!r}{hint}, so it reads <unk>"


def pair_rows(
    pairs: Sequence[Translation],
) -> tuple[Int[Tensor, "batch source"], Int[Tensor, "batch target"], Int[Tensor, "batch target"]]:
    """The ids of sentence pairs, one a row: the English, the Hindi behind ``<start>``, and the Hindi up to ``<end>``.

    The second and third are moved by one: at each place of the second, the decoder shall write what the third has
    there. Behind a sentence's end the first two have ``<pad>``, and the third does not count.

    >>> source, target_in, target_out = pair_rows([translate("hello"), translate("how are you")])
    >>> [HINDI_WORDS[i] for i in target_in[0]], [HINDI_WORDS[i] for i in target_out[0][:2]]
    (['<start>', 'नमस्ते', '<pad>', '<pad>'], ['नमस्ते', '<end>'])
    >>> target_out[0][2:].tolist()
    [-100, -100]

    Raises ValueError without a pair, and for a word that is outside the vocabulary.
    """
    _check_pairs(pairs)
    english = [_ids(pair.english, ENGLISH_IDS, "English") for pair in pairs]
    hindi = [_ids(pair.hindi, HINDI_IDS, "Hindi") for pair in pairs]
    start, end = HINDI_IDS[START], HINDI_IDS[END]
    return (
        _filled(english, PAD_ID),
        _filled([[start, *ids] for ids in hindi], PAD_ID),
        _filled([[*ids, end] for ids in hindi], IGNORED),
    )


def _check_pairs(pairs: Sequence, others: Sequence | None = None) -> None:
    if len(pairs) == 0 or not all(isinstance(pair, Translation) for pair in pairs):
        raise ValueError(
            f"pairs must be sentence pairs, one or more, got {str(pairs)[:40]!r}; translations gives some"
        )
    if others is not None and len(others) != len(pairs):
        raise ValueError(f"there must be one for each sentence pair, got {len(others)} for {len(pairs)}; make it of "
                         "the same pairs")  # fmt: skip


def _ids(words: Sequence[str], ids: Mapping[str, int], language: str) -> list[int]:
    for word in words:
        if word not in ids:
            raise ValueError(f"every {language} word must be one of the {len(ids)} known, got {word!r}; see "
                             f"{language.upper()}_WORDS")  # fmt: skip
    return [ids[word] for word in words]


def _filled(rows: list[list[int]], filler: int) -> Int[Tensor, "batch seq"]:
    longest = max(map(len, rows))
    return torch.tensor([row + [filler] * (longest - len(row)) for row in rows])


# ---------------------------------------------------------------------------------------------
# The model.


@explained
@dataclass(frozen=True)
class TranslatorConfig:
    """The sizes of a translator; the paper's base model has 6 layers, 8 heads, 512 and 2,048 numbers."""

    n_layers: int = 2  # of the encoder, and as many of the decoder
    n_heads: int = 2  # attention heads in each attention
    d_model: int = 48  # width of the residual stream
    d_mlp: int = 192  # width inside the feed-forward network
    n_ctx: int = 16  # longest sentence, in words

    def __post_init__(self):
        for name, value in asdict(self).items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                usual = type(self).__dataclass_fields__[name].default
                raise ValueError(
                    f"{name} must be a whole number of 1 or more, got {value!r}; {usual} is usual here"
                )
        if self.d_model % 2 or self.d_model % self.n_heads:
            step = math.lcm(2, self.n_heads)
            raise ValueError(
                f"d_model must be even and divisible by n_heads, got {self.d_model} for {self.n_heads} heads; "
                f"try d_model={math.ceil(self.d_model / step) * step}"
            )


def attend(
    queries: Float[Tensor, "batch head query d_head"],
    keys: Float[Tensor, "batch head key d_head"],
    values: Float[Tensor, "batch head key d_head"],
    mask: Bool[Tensor, "#batch 1 #query key"],
) -> tuple[Float[Tensor, "batch head query d_head"], Float[Tensor, "batch head query key"]]:
    """What each query finds, and how much it takes from each key: equation 1 of the paper.

    As ``helpers.transformer.attention_weights``, but every sentence has a mask of its own: True where a query may look.

    >>> ones = torch.ones(1, 1, 2, 1)
    >>> values = torch.tensor([[[[4.0], [8.0]]]])
    >>> attend(ones, ones, values, torch.tensor([[[[True, True], [True, False]]]]))[0].flatten()
    tensor([6., 4.])
    """
    scores = queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])
    weights = scores.masked_fill(~mask, -math.inf).softmax(dim=-1)
    return weights @ values, weights


class Attention(nn.Module):
    """Several heads that look from one sentence at another, or at the same one (section 3.2.2)."""

    def __init__(self, config: TranslatorConfig):
        super().__init__()
        self.query, self.key, self.value, self.output = (
            nn.Linear(config.d_model, config.d_model) for _ in range(4)
        )
        self.n_heads = config.n_heads

    def forward(
        self,
        looking: Float[Tensor, "batch query d_model"],
        seen: Float[Tensor, "batch key d_model"],
        mask: Bool[Tensor, "#batch 1 #query key"],
    ) -> tuple[Float[Tensor, "batch query d_model"], Float[Tensor, "batch head query key"]]:
        queries, keys, values = (
            rearrange(x, "batch seq (head d) -> batch head seq d", head=self.n_heads)
            for x in (self.query(looking), self.key(seen), self.value(seen))
        )
        found, weights = attend(queries, keys, values, mask)
        return self.output(rearrange(found, "batch head seq d -> batch seq (head d)")), weights


class MLP(nn.Module):
    """The feed-forward network, the same at every position, with ReLU (section 3.3)."""

    def __init__(self, config: TranslatorConfig):
        super().__init__()
        self.up = nn.Linear(config.d_model, config.d_mlp)
        self.down = nn.Linear(config.d_mlp, config.d_model)

    def forward(self, x: Float[Tensor, "batch seq d_model"]) -> Float[Tensor, "batch seq d_model"]:
        return self.down(F.relu(self.up(x)))


class EncoderLayer(nn.Module):
    """Every English word looks at all the others, then thinks; each sum is normed *afterwards* (section 3.1)."""

    def __init__(self, config: TranslatorConfig):
        super().__init__()
        self.attention, self.mlp = Attention(config), MLP(config)
        self.attention_norm, self.mlp_norm = nn.LayerNorm(config.d_model), nn.LayerNorm(config.d_model)

    def forward(
        self, x: Float[Tensor, "batch source d_model"], mask: Bool[Tensor, "batch 1 1 source"]
    ) -> tuple[Float[Tensor, "batch source d_model"], Float[Tensor, "batch head source source"]]:
        found, weights = self.attention(x, x, mask)
        x = self.attention_norm(x + found)
        return self.mlp_norm(x + self.mlp(x)), weights


class DecoderLayer(nn.Module):
    """Every Hindi word looks back, then over at the English, then thinks (section 3.1)."""

    def __init__(self, config: TranslatorConfig):
        super().__init__()
        self.attention, self.cross, self.mlp = Attention(config), Attention(config), MLP(config)
        self.attention_norm, self.cross_norm, self.mlp_norm = (nn.LayerNorm(config.d_model) for _ in range(3))

    def forward(
        self,
        x: Float[Tensor, "batch target d_model"],
        encoded: Float[Tensor, "batch source d_model"],
        back: Bool[Tensor, "1 1 target target"],
        mask: Bool[Tensor, "batch 1 1 source"],
    ) -> tuple[
        Float[Tensor, "batch target d_model"],
        Float[Tensor, "batch head target target"],
        Float[Tensor, "batch head target source"],
    ]:
        found, own = self.attention(x, x, back)
        x = self.attention_norm(x + found)
        found, cross = self.cross(x, encoded, mask)
        x = self.cross_norm(x + found)
        return self.mlp_norm(x + self.mlp(x)), own, cross


class Encoded(NamedTuple):
    """What the encoder made of a batch of English sentences."""

    vectors: Float[Tensor, "batch source d_model"]
    mask: Bool[Tensor, "batch 1 1 source"]  # False for padding, at which nobody may look
    attention: Float[Tensor, "layer batch head source source"]


class Trace(NamedTuple):
    """What a translator computed on its way; ``model(source_ids, target_ids, trace=True)`` returns one.

    A row of ``decoder`` and ``cross`` belongs to the place that *reads* a word and so writes the next one: row 0 reads
    ``<start>`` and writes the first word.
    """

    encoder: Float[Tensor, "layer batch head source source"]  # English looks at English
    decoder: Float[Tensor, "layer batch head target target"]  # Hindi looks back at Hindi
    cross: Float[Tensor, "layer batch head target source"]  # Hindi looks at English
    encoded: Float[Tensor, "batch source d_model"]  # the encoder's output
    decoded: Float[Tensor, "batch target d_model"]  # the decoder's output
    logits: Float[Tensor, "batch target vocab"]


class Translator(nn.Module):
    """The transformer of 2017: English ids and the Hindi so far in, logits of the next Hindi word out.

    ``seed`` draws the first weights; torch's global random state is left alone. With ``seed=None`` there are shapes but
    no numbers yet, for ``load_translator``.

    >>> model = Translator(TranslatorConfig(n_layers=3, n_heads=2, d_model=8), seed=0)
    >>> logits, trace = model(torch.tensor([[1, 4, 2]]), torch.tensor([[2, 6, 5, 4]]), trace=True)
    >>> tuple(trace.cross.shape), logits.shape[-1] == len(HINDI_WORDS)
    ((3, 1, 2, 4, 3), True)
    """

    def __init__(self, config: TranslatorConfig | None = None, seed: int | torch.Generator | None = 0):
        super().__init__()
        self.config = config = config or TranslatorConfig()
        with torch.device("meta"):  # torch's own first weights would move the global random state
            self.english = embedding_table(len(ENGLISH_WORDS), config.d_model)
            self.hindi = embedding_table(len(HINDI_WORDS), config.d_model)
            self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(config.n_layers))
            self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.n_layers))
        if seed is not None:
            self.to_empty(device="cpu")
            self._draw_weights(seed)
        positions = torch.from_numpy(sinusoid_table(config.n_ctx, config.d_model)).float()
        self.register_buffer("positions", positions, persistent=False)  # fixed, so no file needs it

    @torch.no_grad()
    def _draw_weights(self, seed: int | torch.Generator) -> None:
        generator = torch.Generator().manual_seed(seed) if isinstance(seed, int) else seed
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif "norm" in name:
                parameter.fill_(1)
            elif name in ("english.weight", "hindi.weight"):
                parameter.normal_(0, self.config.d_model**-0.5, generator=generator)
            else:
                nn.init.xavier_uniform_(parameter, generator=generator)

    @property
    def n_params(self) -> int:
        """How many numbers were learned."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.english.weight.device

    def forward(
        self, source_ids: Tensor, target_ids: Tensor, *, trace: bool = False
    ) -> Float[Tensor, "batch target vocab"] | tuple[Float[Tensor, "batch target vocab"], Trace]:
        """Logits of the next Hindi word behind every word of ``target_ids [batch, target]``, given the English
        ``source_ids [batch, source]``; with ``trace=True`` also what was computed on the way.

        Padding is ``<pad>`` behind a sentence. Raises ValueError for ids outside the vocabularies, sentences that are
        empty or too long, and batches that do not fit each other.
        """
        encoded = self.encode(source_ids)
        decoded, own, cross = self.decode(target_ids, encoded)
        logits = self.unembed(decoded)
        if not trace:
            return logits
        return logits, Trace(encoded.attention, own, cross, encoded.vectors, decoded, logits)

    def encode(self, source_ids: Tensor) -> Encoded:
        """What the encoder makes of English sentences."""
        self._check(source_ids, len(ENGLISH_WORDS), "source_ids")
        mask = rearrange(source_ids != PAD_ID, "batch source -> batch 1 1 source")
        if not mask.any(-1).all():
            raise ValueError("every English sentence must have a word, got one of padding only; leave it out")
        x, attention = self._embed(self.english, source_ids), []
        for layer in self.encoder:
            x, weights = layer(x, mask)
            attention.append(weights)
        return Encoded(x, mask, torch.stack(attention))

    def decode(
        self, target_ids: Tensor, encoded: Encoded
    ) -> tuple[
        Float[Tensor, "batch target d_model"],
        Float[Tensor, "layer batch head target target"],
        Float[Tensor, "layer batch head target source"],
    ]:
        """The decoder's output, and its attention to itself and to the English."""
        self._check(target_ids, len(HINDI_WORDS), "target_ids")
        if len(target_ids) != len(encoded.vectors):
            raise ValueError(
                "there must be as many Hindi sentences as English ones, got "
                f"{len(target_ids)} and {len(encoded.vectors)}; pair_rows makes such pairs"
            )
        # Padding stands behind a sentence, in the future of all its words: the causal mask hides it too.
        back = causal_mask(target_ids.shape[1], target_ids.shape[1], target_ids.device)[None, None]
        x, owns, crosses = self._embed(self.hindi, target_ids), [], []
        for layer in self.decoder:
            x, own, cross = layer(x, encoded.vectors, back, encoded.mask)
            owns.append(own)
            crosses.append(cross)
        return x, torch.stack(owns), torch.stack(crosses)

    def unembed(self, decoded: Float[Tensor, "batch target d_model"]) -> Float[Tensor, "batch target vocab"]:
        """Logits of the decoder's output: the dot product with every Hindi word's vector (section 3.4)."""
        return decoded @ self.hindi.weight.T

    def _embed(self, table: nn.Embedding, ids: Tensor) -> Float[Tensor, "batch seq d_model"]:
        # The root brings the vectors to the size of the positions (section 3.4).
        return table(ids) * math.sqrt(self.config.d_model) + self.positions[: ids.shape[1]]

    def _check(self, ids: Tensor, vocab_size: int, name: str) -> None:
        if ids.ndim != 2 or ids.dtype != torch.long or ids.numel() == 0:
            raise ValueError(
                f"{name} must be whole numbers (torch.int64) of the shape [batch, seq], got {ids.dtype} of shape "
                f"{list(ids.shape)}; pair_rows makes such ids"
            )
        if ids.shape[1] > self.config.n_ctx:
            raise ValueError(
                f"a sentence must have at most {self.config.n_ctx} words for this model, got {ids.shape[1]}; shorten it"
            )
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= vocab_size:
            raise ValueError(
                f"{name} must be from 0 to {vocab_size - 1}, got {low if low < 0 else high}; pair_rows makes such ids"
            )


# ---------------------------------------------------------------------------------------------
# Training.


def with_unknown(pairs: Sequence[Translation], share: float, seed: int) -> list[Translation]:
    """The same pairs, but in a share of them words are ``<unk>`` in both languages, as if nobody knew them.

    So the model learns what to do with words that it can't tell: put ``<unk>`` where their Hindi belongs, and translate
    the rest. In such a sentence one word is hidden for sure, and each other one by the toss of a coin. Small words (the,
    is, in) and "chases" stay, and so do phrases that are learned by heart.

    >>> [pair] = with_unknown([translate("my name is ravi")], share=1.0, seed=0)
    >>> " ".join(pair.english), " ".join(pair.hindi)
    ('my name is <unk>', 'मेरा नाम <unk> है')
    """
    rng = np.random.default_rng(seed)
    return [_hide_words(pair, rng) if rng.random() < share else pair for pair in pairs]


_CAN_BE_UNKNOWN = ({*ANIMATE, *THINGS, *PLACES, *ADJECTIVES, *NAMES, *TO_SOMEBODY, *WITH_A_THING}) - {
    "chases"
}


def _hide_words(pair: Translation, rng: np.random.Generator) -> Translation:
    places = [at for at, word in enumerate(pair.english) if word in _CAN_BE_UNKNOWN]
    if not places:
        return pair
    sure = rng.choice(places)
    hidden = {at for at in places if at == sure or rng.random() < 0.5}
    english = [UNKNOWN if at in hidden else word for at, word in enumerate(pair.english)]
    # Of what a verb becomes, the word that bends is hidden; the small words beside it stay.
    hindi = [
        UNKNOWN if at in hidden and word not in SMALL_WORDS else word
        for word, at in zip(pair.hindi, pair.alignment, strict=True)
    ]
    return Translation(tuple(english), tuple(hindi), pair.alignment)


class _OneRow(nn.Module):
    """A translator for ``helpers.training``, whose models read one row of ids: the English, then the Hindi."""

    def __init__(self, model: Translator, n_source: int):
        super().__init__()
        self.model, self.n_source = model, n_source

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def config(self) -> TranslatorConfig:
        return self.model.config

    def forward(self, rows: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq vocab"]:
        logits = self.model(rows[:, : self.n_source], rows[:, self.n_source :])
        return F.pad(logits, (0, 0, self.n_source, 0))  # nothing is expected behind English words


LIVE = TrainingConfig(steps=400, batch_size=64, learning_rate=3e-3, weight_decay=0.01)


def train_translator(
    model: Translator,
    pairs: Sequence[Translation],
    config: TrainingConfig | None = None,
    unknown: float = 0.1,
) -> Iterator[Record]:
    """Trains `model` in place on sentence pairs and yields a record after every step; stop listening to stop training.

    The loop is ``helpers.training.train``. In the share ``unknown`` of the pairs words are hidden, see `with_unknown`.
    Raises ValueError as that loop does, and for pairs with words outside the vocabulary.
    """
    config = config or LIVE
    if not (isinstance(unknown, int | float) and 0 <= unknown <= 1):
        raise ValueError(f"unknown must be a share from 0 to 1, got {unknown!r}; 0.1 is usual here")
    source, target_in, target_out = pair_rows(with_unknown(pairs, unknown, config.seed))
    inputs = torch.cat([source, target_in], dim=1)
    targets = torch.cat([torch.full_like(source, IGNORED), target_out], dim=1)
    return train(_OneRow(model, source.shape[1]), inputs, targets, config)


@torch.inference_mode()
def loss_on(
    model: Translator,
    source: Int[Tensor, "batch source"],
    target_in: Int[Tensor, "batch target"],
    target_out: Int[Tensor, "batch target"],
) -> float:
    """The mean surprise of the Hindi words, ``<end>`` counted, in nats per word; the rows are those of `pair_rows`."""
    logits = model(source, target_in)
    return F.cross_entropy(logits.flatten(0, 1), target_out.flatten(), ignore_index=IGNORED).item()


# ---------------------------------------------------------------------------------------------
# Writing Hindi.


class Written(NamedTuple):
    """A Hindi sentence and how much the model believes in it."""

    words: tuple[str, ...]  # as the model writes them: <end> is the last, unless there was no room for it
    probabilities: tuple[float, ...]  # of each word, given those before it
    said: tuple[str, ...]  # what `read_english` said about the English

    @property
    def hindi(self) -> str:
        """The sentence, without ``<end>``."""
        return " ".join(word for word in self.words if word != END)

    @property
    def log_probability(self) -> float:
        """Of the whole sentence, its end counted, in nats: the sum over its words."""
        return sum(math.log(p) if p > 0 else -math.inf for p in self.probabilities)


def translate_greedy(model: Translator, text: str, longest: int = LONGEST) -> Written:
    """The Hindi of an English text: at every step the word that the model finds most likely.

    ``longest`` lifts the limit on the words of the text, up to the ``n_ctx`` of the model. Raises ValueError for a text
    that `read_english` refuses.

    >>> print(translate_greedy(load_translator(), "How are you?").hindi)
    आप कैसे हैं
    """
    english = read_english(text, longest)
    hindi = _greedy(model, torch.tensor([english.ids]))[0]
    return _scored(model, english, hindi)


def translate_beams(model: Translator, text: str, beams: int = 4, longest: int = LONGEST) -> list[Written]:
    """The Hindi sentences that a beam search finds, the most probable first; see ``helpers.sampling.beam_search``.

    Raises ValueError for a text that `read_english` refuses, and for fewer than one beam.
    """
    english = read_english(text, longest)
    found = beam_search(
        next_word_logits(model, english), [HINDI_IDS[START]], model.config.n_ctx, beams, stop=[HINDI_IDS[END]]
    )
    return [_scored(model, english, beam.tokens) for beam in found]


@torch.inference_mode()
def next_word_logits(model: Translator, english: English) -> Callable[[Sequence[int]], np.ndarray]:
    """A function from the Hindi ids so far, ``<start>`` first, to the logits of the next: for ``helpers.sampling``."""
    encoded = model.encode(torch.tensor([english.ids]))

    @torch.inference_mode()
    def logits(ids: Sequence[int]) -> Float[np.ndarray, " vocab"]:
        decoded, _, _ = model.decode(torch.tensor([list(ids)]), encoded)
        return model.unembed(decoded)[0, -1].numpy()

    return logits


def score_hindi(model: Translator, text: str, hindi: Sequence[str] | str) -> Written:
    """How probable the model finds a given Hindi sentence as the translation of an English text, word by word.

    Raises ValueError for a text that `read_english` refuses, and for Hindi words outside the vocabulary.
    """
    english = read_english(text)
    return _scored(model, english, [*_ids(as_words(hindi), HINDI_IDS, "Hindi"), HINDI_IDS[END]])


@torch.inference_mode()
def _scored(model: Translator, english: English, hindi: Sequence[int]) -> Written:
    logits = model(torch.tensor([english.ids]), torch.tensor([[HINDI_IDS[START], *hindi[:-1]]]))[0]
    odds = logits.softmax(dim=-1)[torch.arange(len(hindi)), list(hindi)]
    return Written(tuple(HINDI_WORDS[i] for i in hindi), tuple(odds.tolist()), english.said)


@torch.inference_mode()
def _greedy(model: Translator, source: Int[Tensor, "batch source"]) -> list[list[int]]:
    """The Hindi ids written for each row, <end> included, all rows side by side."""
    encoded = model.encode(source)
    end = HINDI_IDS[END]
    rows = torch.full((len(source), 1), HINDI_IDS[START])
    while rows.shape[1] <= model.config.n_ctx and not (rows == end).any(dim=1).all():
        decoded, _, _ = model.decode(rows, encoded)
        rows = torch.cat([rows, model.unembed(decoded)[:, -1:].argmax(dim=-1)], dim=1)
    written = [row[1:] for row in rows.tolist()]
    return [row[: row.index(end) + 1] if end in row else row for row in written]


def translate_all(model: Translator, pairs: Sequence[Translation]) -> list[tuple[str, ...]]:
    """The Hindi words that the model writes, greedily, for the English of each pair, without ``<end>``."""
    source, _, _ = pair_rows(pairs)
    ids = [row for part in source.split(256) for row in _greedy(model, part)]
    return [tuple(HINDI_WORDS[i] for i in row if i != HINDI_IDS[END]) for row in ids]


def exact_match(model: Translator, pairs: Sequence[Translation]) -> float:
    """The share of sentences whose greedy translation is the grammar's own, word for word."""
    written = translate_all(model, pairs)
    return float(np.mean([words == pair.hindi for words, pair in zip(written, pairs, strict=True)]))


# ---------------------------------------------------------------------------------------------
# Who looks at whom, and whether that is who comes from whom.

Alignment = tuple[int, ...]  # for each Hindi word, the position of an English word
SMALL_WORDS = frozenset({"को", "का", "करता", "करती", "है", "हैं"})  # no English word is their counterpart alone


@torch.inference_mode()
def alignments_found(
    model: Translator, pairs: Sequence[Translation], layer: int = -1, head: int | None = None
) -> list[Alignment]:
    """For each Hindi word of each pair, where the model looks most while writing it: a position of the English.

    The model is given the Hindi words before it. ``head=None`` takes the mean over the heads of the layer. Raises
    ValueError for a layer or head that is not there.
    """
    config = model.config
    for name, value, n in (("layer", layer, config.n_layers), ("head", head, config.n_heads)):
        if value is not None and not (isinstance(value, int) and -n <= value < n):
            raise ValueError(f"{name} must be from 0 to {n - 1}, got {value!r}; -1 is the last")
    source, target_in, _ = pair_rows(pairs)
    _, trace = model(source, target_in, trace=True)
    weights = trace.cross[layer].mean(dim=1) if head is None else trace.cross[layer][:, head]
    most = weights.argmax(dim=-1).tolist()
    return [tuple(row[: len(pair.hindi)]) for row, pair in zip(most, pairs, strict=True)]


def alignment_found(
    model: Translator, pair: Translation, layer: int = -1, head: int | None = None
) -> Alignment:
    """`alignments_found` of one pair."""
    return alignments_found(model, [pair], layer, head)[0]


def diagonal(pair: Translation) -> Alignment:
    """The alignment of somebody who thinks that translation goes word by word: the k-th comes from the k-th.

    >>> diagonal(translate("how are you"))
    (0, 1, 2)
    """
    return tuple(min(k, len(pair.english) - 1) for k in range(len(pair.hindi)))


def alignment_accuracy(pairs: Sequence[Translation], found: Sequence[Alignment]) -> float:
    """The share of Hindi words for which an alignment names the English word that the grammar names.

    >>> pair = translate("how are you")  # its own is (2, 0, 1)
    >>> round(alignment_accuracy([pair], [(2, 0, 0)]), 2)
    0.67
    """
    return float(np.mean([right for rights in accuracy_by_word(pairs, found).values() for right in rights]))


def accuracy_by_word(pairs: Sequence[Translation], found: Sequence[Alignment]) -> dict[str, list[bool]]:
    """For each Hindi word, whether the alignment was the grammar's, once for every time it comes."""
    _check_pairs(pairs, found)
    right = defaultdict(list)
    for pair, positions in zip(pairs, found, strict=True):
        for word, true, position in zip(pair.hindi, pair.alignment, positions, strict=True):
            right[word].append(true == position)
    return dict(right)


def accuracy_by_chance(pairs: Sequence[Translation]) -> float:
    """The accuracy that pointing at any English word, all alike, has on average."""
    _check_pairs(pairs)
    return float(np.mean([1 / len(pair.english) for pair in pairs for _ in pair.hindi]))


def alignment_error_rate(pairs: Sequence[Translation], found: Sequence[Alignment]) -> float:
    """1 - (found and sure + found and possible) / (found + sure), counting links between a Hindi and an English word.

    Every link of the grammar's is possible; those of `SMALL_WORDS` are not sure, because people who align by hand do
    not agree on them. So a small word that points elsewhere counts half of a wrong word. Och and Ney 2003, section 5.1.

    >>> pair = translate("the dog sees the cat")  # कुत्ता बिल्ली को देखता है
    >>> alignment_error_rate([pair], [(1, 4, 2, 2, 2)]), alignment_error_rate([pair], [(1, 4, 4, 2, 2)])
    (0.0, 0.125)
    """
    _check_pairs(pairs, found)
    hits = links = 0
    for pair, positions in zip(pairs, found, strict=True):
        for word, true, position in zip(pair.hindi, pair.alignment, positions, strict=True):
            sure = word not in SMALL_WORDS
            hits += (true == position) * (1 + sure)
            links += 1 + sure
    return 1 - hits / links


def alignment_table(
    model: Translator, pairs: Sequence[Translation]
) -> Float[np.ndarray, "layer head_plus_1"]:
    """The `alignment_accuracy` of every layer (rows) and head (columns); the last column is the mean over the heads."""
    heads = [*range(model.config.n_heads), None]
    return np.array(
        [
            [alignment_accuracy(pairs, alignments_found(model, pairs, layer, head)) for head in heads]
            for layer in range(model.config.n_layers)
        ]
    )


def attention_reader(model: Translator, part: str = "cross") -> Callable[[str], tuple]:
    """A function of an English text that gives the tokens and the attention of one part, for the attention explorer.

    "encoder" gives ``(tokens, weights, note)`` of the English; "decoder" the same of the Hindi that the model writes,
    from ``<start>``; "cross" ``(query_tokens, key_tokens, weights, note)``: a row says where the model looked when it
    wrote that Hindi word. Weights are ``[layer, head, query, key]``. A word outside the vocabulary is shown as
    ``<unk>``, which is what the model reads, and named in the note; where there is nothing to say, that is empty.

    >>> hindi, english, weights, _ = attention_reader(load_translator())("how are you")
    >>> english, len(hindi), weights.shape
    (['how', 'are', 'you'], 4, (2, 2, 4, 3))
    """
    if part not in ("encoder", "decoder", "cross"):
        raise ValueError(
            f"part must be 'encoder', 'decoder' or 'cross', got {part!r}; 'cross' looks from Hindi at English"
        )

    @torch.inference_mode()
    def reader(text: str) -> tuple:
        english = read_english(text)
        source = torch.tensor([english.ids])
        written = _greedy(model, source)[0]
        read = [HINDI_IDS[START], *written[:-1]]
        _, trace = model(source, torch.tensor([read]), trace=True)
        weights = getattr(trace, part)[:, 0].numpy()
        hindi = [HINDI_WORDS[i] for i in (read if part == "decoder" else written)]
        said = "; ".join(english.said)
        note = said[:1].upper() + said[1:]
        if part == "cross":
            return hindi, english.tokens, weights, note
        return (english.tokens if part == "encoder" else hindi), weights, note

    return reader


# ---------------------------------------------------------------------------------------------
# Word for word: the baseline.


def word_dictionary(pairs: Sequence[Translation]) -> dict[str, tuple[str, ...]]:
    """For each English word the Hindi words that come from it most often; none for "the".

    It is generous: it gets the grammar's alignments, which the translator never sees.

    >>> word_dictionary([translate("the dog sees the cat")])
    {'the': (), 'dog': ('कुत्ता',), 'sees': ('को', 'देखता', 'है'), 'cat': ('बिल्ली',)}
    """
    _check_pairs(pairs)
    counts = defaultdict(Counter)
    for pair in pairs:
        for at, word in enumerate(pair.english):
            from_it = tuple(h for h, place in zip(pair.hindi, pair.alignment, strict=True) if place == at)
            counts[word][from_it] += 1
    return {word: found.most_common(1)[0][0] for word, found in counts.items()}


def word_for_word(dictionary: Mapping[str, Sequence[str]], english: Sequence[str] | str) -> tuple[str, ...]:
    """Every English word looked up, in the English order; ``<unk>`` for a word that the dictionary lacks.

    >>> word_for_word({"you": ["आप"], "are": ["हैं"], "how": ["कैसे"]}, "how are you")
    ('कैसे', 'हैं', 'आप')
    """
    return tuple(found for word in as_words(english) for found in dictionary.get(word, [UNKNOWN]))


class Shares(NamedTuple):
    """How good the translations of some sentences are; the three sum to 1."""

    exact: float  # the grammar's own, word for word
    order: float  # the right words in a wrong order
    words: float  # a wrong word, one too many or one too few


def shares(pairs: Sequence[Translation], written: Sequence[Sequence[str]]) -> Shares:
    """How many of some translations are right, and what is wrong with the others.

    >>> pairs = [translate("hello"), translate("how are you")]
    >>> shares(pairs, [["नमस्ते"], ["कैसे", "हैं", "आप"]])
    Shares(exact=0.5, order=0.5, words=0.0)
    """
    _check_pairs(pairs, written)
    kinds = Counter()
    for pair, words in zip(pairs, written, strict=True):
        same_words = Counter(words) == Counter(pair.hindi)
        kinds["exact" if tuple(words) == pair.hindi else "order" if same_words else "words"] += 1
    return Shares(*(kinds[kind] / len(pairs) for kind in Shares._fields))


# ---------------------------------------------------------------------------------------------
# Files, and the command.


def save_translator(model: Translator, path: str | os.PathLike[str]) -> None:
    """Writes the weights and the config to one safetensors file, all or nothing.

    Raises OSError for a full disk or a folder that is read-only or not there.
    """
    path = Path(path)
    weights = {name: weight.detach().cpu().contiguous() for name, weight in model.state_dict().items()}
    metadata = {"format": FILE_FORMAT, "config": json.dumps(asdict(model.config))}
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        save_file(weights, unfinished, metadata=metadata)
        unfinished.chmod(0o644)  # safetensors lets nobody else read it
        os.replace(unfinished, path)
    except SafetensorError as error:
        raise OSError(f"a translator must be written where there is room, got {path} ({error})") from error
    finally:
        unfinished.unlink(missing_ok=True)


def load_translator(path: str | os.PathLike[str] = WEIGHTS, *, trainable: bool = False) -> Translator:
    """The translator that ``python -m helpers.translator`` trained, or another that `save_translator` wrote.

    It comes in evaluation mode; ``trainable=True`` lets its weights learn. Raises FileNotFoundError for a file that is
    not there and ValueError for one that is damaged or holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"a translator must be read from a file, got {path}, which is not there; check the path, or run "
            "python -m helpers.translator"
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(
            f"a translator's file must be whole safetensors, got {path}, which is damaged or something else ({error}); "
            "fetch or save it again"
        ) from error
    if metadata.get("format") != FILE_FORMAT:
        raise ValueError(
            f"a translator's file must be one that save_translator wrote ({FILE_FORMAT}), got {path} of the format "
            f"{metadata.get('format', 'unknown')!r}; save it with save_translator"
        )
    try:
        model = Translator(TranslatorConfig(**json.loads(metadata["config"])), seed=None)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"a translator's file must hold a config that can be built, got {path} with a broken one ({error}); "
            "save it again with save_translator"
        ) from error
    expected = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    check_names(expected, {name: tuple(weight.shape) for name, weight in weights.items()}, path)
    model.load_state_dict(weights, assign=True)
    return model.eval().requires_grad_(trainable)


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains the translator, prints how it goes, and writes its weights."""
    parser = argparse.ArgumentParser(prog="python -m helpers.translator", description=main.__doc__)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out", type=Path, help="file for the weights; default: the course's own, for its own recipe only"
    )
    options = parser.parse_args(arguments)
    if options.out is None and options == parser.parse_args([]):
        options.out = WEIGHTS  # whoever tries something else must not lose the notebook's model
    config = replace(LIVE, steps=options.steps, seed=options.seed)
    model = Translator(seed=options.seed)
    pairs = translations("train", options.pairs, options.seed)
    print(f"{model.n_params:,} parameters, {len(pairs):,} sentence pairs", flush=True)
    began = time.perf_counter()
    for record in train_translator(model, pairs, config):
        if record.step % 100 == 0 or record.step == options.steps:
            print(f"step {record.step:5}  loss {record.loss:.4f}", flush=True)
    test = list(dict.fromkeys(translations("test", 600, seed=1)))  # each sentence once
    print(
        f"{time.perf_counter() - began:.0f} s; exact match on {len(test)} unseen sentences: {exact_match(model, test):.1%}"
    )
    if options.out is not None:
        save_translator(model, options.out)
        print(f"wrote {options.out.name}, {options.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"helpers.translator: {error}")
    except KeyboardInterrupt:
        sys.exit("helpers.translator: interrupted; nothing was written")
