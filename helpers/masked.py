"""Masked words: a model that sees a text on both sides of a gap, and says which word belongs there.

A GPT reads from left to right and says what comes next. BERT, and MiniLM which came from it, read the whole text at
once: some words are hidden, and the model is trained to name them. Its blocks are those of ``helpers.sentences``,
``torch.nn.TransformerEncoder`` as torch ships it: no mask hides the future. MiniLM itself lost the layer that names
words when it was made into an encoder of sentences, so here a small one is trained on Tinytown, of the size of the
course's GPT. As in ``training.masked_rows``, ``<unk>`` stands where a word is hidden; BERT calls it [MASK].

1. The model and its training: ``MaskedModel``, ``masked_batch``, ``train_masked``, ``load_masked``.
2. One hidden word: ``fill``, ``fill_left``, ``fill_by_scoring``, and the truth, ``true_odds_both_sides``.
3. The four compared: ``hidden_words``, ``compare``.
4. Several hidden words: ``fill_several``, ``allowed_shares``.

``python -m helpers.masked`` trains the model and writes it to ``helpers/weights/masked.safetensors``.

What this leaves out: BERT's other task (does this sentence follow that one?), its extra layer in front of the table,
and what such a model is used for most: a new task learned from its vectors.

Sources: Devlin et al. 2019 (arXiv:1810.04805), section 3.1; Salazar et al. 2020 (arXiv:1910.14659) for texts scored by
both kinds of models; Ghazvininejad et al. 2019 (arXiv:1904.09324), section 1, for words that are guessed at once and do
not agree.
"""

import argparse
import math
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from helpers import sampling, tinytown
from helpers.quality import is_allowed
from helpers.skills import word_kinds
from helpers.tinytown import END, START, TINYTOWN, UNKNOWN, VOCABULARY, Story, WordTokenizer
from helpers.training import (
    IGNORED,
    Record,
    TrainingConfig,
    masked_rows,
    story_rows,
    token_losses,
    train,
)
from helpers.transformer import GPT

Text = Any  # one string, or word by word; what is neither is refused in a sentence
Count = int | float  # of whole things; a fraction is let in so that it can be refused in a sentence

MASK = UNKNOWN  # stands where a word is hidden
SPECIAL = (START, END, UNKNOWN)  # the first ids: none of them is a word
WORDS = VOCABULARY[len(SPECIAL) :]  # what can fill a gap
WEIGHTS = Path(__file__).parent / "weights" / "masked.safetensors"
RECIPE = TrainingConfig(steps=3000, learning_rate=4e-3)  # of the committed weights
N_STORIES = 192_000  # as many as the recipe reads: no story is seen twice

_TOKENIZER = WordTokenizer()
_IDS = _TOKENIZER.ids
_AT_ONCE = 256  # texts that a model reads in one go


# ---------------------------------------------------------------------------------------------
# 1. The model and its training.


@dataclass(frozen=True)
class MaskedConfig:
    """The sizes of a masked-word model; the defaults are those of the Tinytown GPT. Checked when it is made."""

    vocab_size: int = len(VOCABULARY)  # tokens known
    n_ctx: int = 64  # longest text, in tokens, <start> and <end> counted
    n_layers: int = 2  # blocks on top of each other
    n_heads: int = 4  # attention heads in a block
    d_model: int = 64  # width of the residual stream
    d_mlp: int = 256  # width inside the feed-forward network
    norm_eps: float = 1e-12  # added to the variance in every LayerNorm
    end_id: int = _TOKENIZER.end_id  # what stands behind it is padding

    def __post_init__(self):
        for name in ("vocab_size", "n_ctx", "n_layers", "n_heads", "d_model", "d_mlp"):
            _whole(name, getattr(self, name), least=1)
        if self.d_model % self.n_heads:
            raise ValueError(
                f"d_model must be divisible by n_heads, got {self.d_model} and {self.n_heads}; try 64 and 4"
            )


class MaskedModel(nn.Module):
    """An encoder: ids ``[batch, seq]`` in, logits ``[batch, seq, vocab]`` for the word at each position out.

    Every position sees all others, to its left and to its right, but for the padding behind a text's first ``<end>``.
    The output uses the embedding table once more, as the GPT does. ``seed`` draws the first weights.

    >>> logits = MaskedModel(MaskedConfig(), seed=0)(torch.tensor([[0, 5, 2, 7, 1]]))
    >>> logits.shape[2] == len(VOCABULARY), tuple(logits.shape[:2])
    (True, (1, 5))

    Raises ValueError for ids that are no ``[batch, seq]`` of whole numbers, too long, or unknown.
    """

    def __init__(self, config: MaskedConfig | None = None, seed: Count = 0, std: float = 0.1):
        super().__init__()
        self.config = config = config or MaskedConfig()
        with torch.device("meta"):  # torch's own first weights would move the global random state
            self.embedding = _table(config.vocab_size, config.d_model)
            self.position_embedding = _table(config.n_ctx, config.d_model)
            self.embedding_norm = nn.LayerNorm(config.d_model, eps=config.norm_eps)
            block = nn.TransformerEncoderLayer(
                config.d_model,
                config.n_heads,
                config.d_mlp,
                dropout=0.0,
                activation="gelu",
                layer_norm_eps=config.norm_eps,
                batch_first=True,
            )
            self.encoder = nn.TransformerEncoder(block, config.n_layers, enable_nested_tensor=False)
        self.to_empty(device="cpu")
        generator = torch.Generator().manual_seed(_whole("seed", seed, least=0))
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if name.endswith("bias"):
                    weight.zero_()
                elif "norm" in name:
                    weight.fill_(1)
                else:  # BERT's 0.02 is for 768 numbers a vector; 64 learn far sooner from a larger one
                    weight.normal_(0, std, generator=generator)
        self.eval()

    @property
    def n_params(self) -> int:
        """How many numbers were learned; the table counts once."""
        return sum(weight.numel() for weight in self.parameters())

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embedding.weight.device

    def vectors(self, ids: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq d_model"]:
        """What the last block says about each position."""
        ends = ids == self.config.end_id
        padding = ends.cumsum(1) > ends.int()  # an <end> stands to the left
        positions = torch.arange(ids.shape[1], device=ids.device)
        x = self.embedding_norm(self.embedding(ids) + self.position_embedding(positions))
        return self.encoder(x, src_key_padding_mask=padding)

    def forward(self, ids: Tensor) -> Float[Tensor, "batch seq vocab"]:
        """Logits of the word at every position."""
        self._check(ids)
        return self.vectors(ids) @ self.embedding.weight.T

    def _check(self, ids: Tensor) -> None:
        config = self.config
        if ids.ndim != 2 or ids.dtype != torch.long or 0 in ids.shape:
            raise ValueError(
                f"ids must be whole numbers [batch, seq], got {ids.dtype} {list(ids.shape)}; masked_batch makes such"
            )
        if ids.shape[1] > config.n_ctx:
            raise ValueError(
                f"a text must have at most {config.n_ctx} tokens for this model, got {ids.shape[1]}; cut it"
            )
        if ids.min() < 0 or ids.max() >= config.vocab_size:
            wrong = ids[(ids < 0) | (ids >= config.vocab_size)][0]
            raise ValueError(
                f"ids must be from 0 to {config.vocab_size - 1}, got {int(wrong)}; use Tinytown's tokenizer"
            )


def _table(rows: int, d_model: int) -> nn.Embedding:
    """An embedding without first weights: to draw them on the meta device, torch would load its compiler."""
    return nn.Embedding.from_pretrained(torch.empty(rows, d_model), freeze=False)


def _whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not (isinstance(value, Integral) and value >= least):
        raise ValueError(f"{name} must be a whole number from {least}, got {value!r}; try {least}")
    return int(value)


def masked_batch(
    stories: Sequence[Sequence[str]], share: float = 0.15, seed: int = 0
) -> tuple[Int[Tensor, "story seq"], Int[Tensor, "story seq"]]:
    """Inputs and targets as BERT has them: a share of each story's words is asked for, and most of those are hidden.

    Of the words asked for, 80 % are hidden behind ``<unk>``, 10 % become another word by chance and 10 % stay. So
    the model can't rest where it sees a word: that word may be asked for too, and may be wrong. Targets count only at
    the words asked for. Devlin et al. 2019, section 3.1.

    >>> inputs, targets = masked_batch([["hello", "!"]], share=0.5)
    >>> tuple(inputs.shape), (targets != IGNORED).sum().item()
    ((1, 4), 1)

    Raises ValueError as ``training.masked_rows`` does.
    """
    hidden, targets = masked_rows(stories, share, seed)
    generator = torch.Generator().manual_seed(seed + 1)  # by `seed` the places were rolled
    rolls = torch.rand(hidden.shape, generator=generator)
    others = torch.randint(len(SPECIAL), len(VOCABULARY), hidden.shape, generator=generator)
    asked = targets != IGNORED
    inputs = torch.where(asked & (rolls < 0.1), others, hidden)
    inputs = torch.where(asked & (rolls >= 0.9), targets, inputs)
    # The longest story of masked_rows lacks its <end>, which a model that sees both sides may see.
    return _one_more(inputs, _TOKENIZER.end_id), _one_more(targets, IGNORED)


def _one_more(rows: Int[Tensor, "story seq"], value: int) -> Int[Tensor, "story longer"]:
    """The rows with one more number behind each."""
    return torch.cat([rows, torch.full((len(rows), 1), value)], dim=1)


def train_masked(
    model: Any, stories: Sequence[Sequence[str]], config: TrainingConfig = RECIPE, seed: int = 0
) -> Iterator[Record]:
    """Trains a model in place to name hidden words, and yields a record after every step (see ``training.train``).

    ``seed`` chooses the words that are hidden. Raises ValueError as ``masked_batch`` and ``training.train`` do.
    """
    _check_model(model, MaskedModel)
    return train(model, *masked_batch(stories, seed=seed), config)


def load_masked(path: str | os.PathLike[str] = WEIGHTS) -> MaskedModel:
    """The masked-word model that ``python -m helpers.masked`` trained, in evaluation mode, frozen.

    Raises FileNotFoundError for a file that is not there and ValueError for one that is damaged or of another model.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"a model must be read from a file, got {path}, which is not there; run: git checkout helpers/weights"
        )
    model = MaskedModel()
    try:
        model.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(
            f"a masked-word model's file must be whole and hold its weights, got {path}, which does not "
            f"({str(error).splitlines()[0]}); run: git checkout helpers/weights"
        ) from error
    return model.requires_grad_(False)


# ---------------------------------------------------------------------------------------------
# 2. One hidden word.


def _check_model(model: Any, kind: type) -> None:
    usual = "load_tinytown()" if kind is GPT else "load_masked()"
    if not isinstance(model, kind) or model.config.vocab_size != len(VOCABULARY):
        got = f"{model.config.vocab_size} words" if isinstance(model, kind) else type(model).__name__
        raise ValueError(
            f"the model must be a {kind.__name__} with Tinytown's {len(VOCABULARY)} words, got {got}; try {usual}"
        )
    if not all(weight.isfinite().all() for weight in model.parameters()):
        raise ValueError(f"a model's weights must be finite, got NaN or infinity; try {usual}")


def _as_text(words: Text) -> list[str]:
    """The words of a text, each one of Tinytown's; ``<unk>`` may stand where more are hidden."""
    if isinstance(words, str):
        words = _TOKENIZER.tokens(words)
    words = list(words) if isinstance(words, Iterable) else [words]
    for word in words:
        if not isinstance(word, str) or word in (START, END):
            raise ValueError(
                f"a text must be words, got {word!r} among them; leave it out: the models add {START} and {END}"
            )
    _TOKENIZER.encode_story(words)  # names a word that Tinytown lacks, and those near it
    if not words:
        raise ValueError("a text must have a word, got none; try 'look , the fox chases the hen !'")
    return words


def _with_gap(words: Text, place: Any, model: GPT | MaskedModel | None = None) -> tuple[list[str], int]:
    """A text with ``<unk>`` at the place, and the place."""
    words = _as_text(words)
    if model is not None and len(words) > model.config.n_ctx - 2:
        raise ValueError(
            f"a text must have at most {model.config.n_ctx - 2} words for this model, got {len(words)}; cut it"
        )
    if isinstance(place, bool) or not (isinstance(place, Integral) and 0 <= place < len(words)):
        raise ValueError(
            f"place must be a whole number from 0 to {len(words) - 1} in a text of {len(words)} words, got {place!r}; "
            "places count from 0"
        )
    return [*words[:place], MASK, *words[place + 1 :]], int(place)


def _named(odds: Float[np.ndarray, " words"]) -> dict[str, float]:
    """Each word with its odds, the most probable first."""
    return {WORDS[at]: float(odds[at]) for at in np.argsort(-odds, kind="stable")}


def _softmax(logits: Float[Tensor, "*batch vocab"]) -> Float[np.ndarray, "*batch words"]:
    """The odds of the words: a gap is filled with a word, not with ``<start>``, ``<end>`` or ``<unk>``."""
    return logits[..., len(SPECIAL) :].double().softmax(-1).numpy()


def true_odds_both_sides(words: Text, place: Any) -> dict[str, float]:
    """The exact odds of the word at ``place``, counted from 0, given all other words of a whole story.

    The probability of the story with each word that could stand there, divided by their sum. The word that stands
    there does not count. ``tinytown.next_word_distribution(words[:place])`` gives the odds by the left side alone.

    >>> tinytown.next_word_distribution("today the")
    {'teacher': 0.6, 'clown': 0.4}
    >>> true_odds_both_sides("today the <unk> says two and two is five . then the clown says one and one is three .", 2)
    {'clown': 1.0}

    Raises ValueError for a place outside the text, a second hidden word, and a text that no word makes a story.
    """
    words, place = _with_gap(words, place)
    if words.count(MASK) > 1:
        raise ValueError(
            f"one word may be hidden for the exact odds, got {words.count(MASK)}; put words in place of {MASK}"
        )
    # Half-told stories that agree with the words so far, each with the word that it has in the gap.
    tellings = [("", tinytown.Path(1.0, TINYTOWN.start, {}))]
    for at, known in enumerate([*words, END]):
        steps = ((gap, word, path) for gap, before in tellings for word, path in TINYTOWN._next(before))
        tellings = [
            (word if at == place else gap, path) for gap, word, path in steps if known in (word, MASK)
        ]
    odds = defaultdict(float)
    for gap, path in tellings:
        odds[gap] += path.probability
    if not odds:
        raise ValueError(
            f"some word must make the text a story, got {' '.join(words)[:80]!r}, which none does; "
            "tinytown.stories('test', 5) gives some"
        )
    total = sum(odds.values())
    return {word: odds[word] / total for word in sorted(odds, key=lambda word: -odds[word])}


@torch.inference_mode()
def _both(model: MaskedModel, texts: Sequence, places: Sequence) -> Float[np.ndarray, "place words"]:
    """The odds at one place of each text, or at several places of one text."""
    rows = _one_more(story_rows(texts)[0], _TOKENIZER.end_id)
    return _softmax(model(rows)[torch.arange(len(texts)), torch.tensor(places) + 1])  # behind <start>


@torch.inference_mode()
def _left(gpt: GPT, texts: Sequence, places: Sequence) -> Float[np.ndarray, "place words"]:
    # The position in front of the gap says what comes next; it can't see the gap or what stands behind it.
    return _softmax(gpt(story_rows(texts)[0])[torch.arange(len(texts)), torch.tensor(places)])


@torch.inference_mode()
def _scored(gpt: GPT, words: Sequence, place: int) -> Float[np.ndarray, " words"]:
    whole = [[*words[:place], word, *words[place + 1 :]] for word in WORDS]
    return (-token_losses(gpt, *story_rows(whole)).double().sum(1)).softmax(0).numpy()


def fill(model: Any, words: Text, place: Any) -> dict[str, float]:
    """The masked model's odds of the word at ``place``, counted from 0, the most probable first: one reading.

    The word that stands there is hidden from it; ``<unk>`` may stand there, and where further words are hidden.

    Raises ValueError for a place outside the text, an unknown word, and a text that is empty or too long.
    """
    _check_model(model, MaskedModel)
    words, place = _with_gap(words, place, model)
    return _named(_both(model, [words], [place])[0])


def fill_left(gpt: Any, words: Text, place: Any) -> dict[str, float]:
    """A GPT's odds of the word at ``place``, by the words in front of it alone: one reading.

    Raises ValueError as ``fill`` does.
    """
    _check_model(gpt, GPT)
    words, place = _with_gap(words, place, gpt)
    return _named(_left(gpt, [words], [place])[0])


def fill_by_scoring(gpt: Any, words: Text, place: Any) -> dict[str, float]:
    """A GPT's odds of the word at ``place`` given both sides: it reads the whole text once with each word in the gap.

    A text's log probability is the sum over its tokens, its end counted, and the softmax of these sums gives the odds:
    Bayes' rule. It costs as many readings as there are words.

    Raises ValueError as ``fill`` does.
    """
    _check_model(gpt, GPT)
    words, place = _with_gap(words, place, gpt)
    return _named(_scored(gpt, words, place))


# ---------------------------------------------------------------------------------------------
# 3. The four compared, and the dice.

# Where a hidden word can be found out, by the dice.
SIDES = {
    "left": "the words in front allow one word only",
    "right": "the words behind say more",
    "neither": "the words behind say nothing more: the dice decide",
}

PREDICTORS = ("dice, left", "GPT, left", "dice, both", "masked, both", "GPT, scoring")


class Hidden(NamedTuple):
    """A word to be found: the only one hidden in its story."""

    words: tuple[str, ...]  # the story, with the word in it
    place: int  # of the word, counted from 0
    kind: str  # what decided it (see ``skills.word_kinds``)
    side: str  # one of SIDES
    left: float  # its odds under the dice, by the words in front
    both: float  # its odds under the dice, by all other words


def hidden_words(tales: Iterable) -> list[Hidden]:
    """Every word of the tales, hidden one at a time, with what the dice know about it.

    ``tales`` are stories with their rolls, as ``tinytown.told`` gives them.

    >>> found = hidden_words([tinytown.story(5)])  # look , the mouse follows the hen ! the hen ...
    >>> [(hidden.words[hidden.place], hidden.side) for hidden in found[2:7]]
    [('the', 'left'), ('mouse', 'right'), ('follows', 'neither'), ('the', 'left'), ('hen', 'right')]

    Raises ValueError without a story, and for one that has no rolls.
    """
    found = []
    for tale in _check_tales(tales):
        kinds = word_kinds(tale)
        for place, left in enumerate(list(TINYTOWN.next_word_distributions(tale.words))[:-1]):
            both = true_odds_both_sides(tale.words, place)
            same = all(math.isclose(left[word], both.get(word, 0.0), abs_tol=1e-9) for word in left)
            side = "left" if len(left) == 1 else "neither" if same else "right"
            word = tale.words[place]
            found.append(Hidden(tale.words, place, kinds[place], side, left[word], both[word]))
    return found


def _check_tales(tales: Iterable) -> list[Story]:
    tales = list(tales)
    if not tales or not all(isinstance(tale, Story) for tale in tales):
        got = next((type(tale).__name__ for tale in tales if not isinstance(tale, Story)), "none")
        raise ValueError(
            f"tales must be stories with their rolls, got {got}; tinytown.told('test', 20) gives some"
        )
    return tales


class Compared(NamedTuple):
    """What hidden words of one side or kind cost each predictor."""

    count: int  # hidden words
    nats: dict[str, float]  # the mean surprise at the right word, by predictor (one of PREDICTORS)


def compare(
    masked: Any, gpt: Any, hidden: Sequence, by: str = "side", scoring: bool = False
) -> dict[str, Compared]:
    """The mean surprise of the dice, a masked model and a GPT at hidden words, in nats, by the words' side or kind.

    The dice and the GPT by the left side alone; the dice and the masked model by both sides; with ``scoring`` also the
    GPT by both sides, as ``fill_by_scoring`` does it, which takes a hundred times as long.

    Raises ValueError without hidden words, and where ``by`` is neither "side" nor "kind".
    """
    _check_model(masked, MaskedModel)
    _check_model(gpt, GPT)
    if by not in ("side", "kind"):
        raise ValueError(f"by must be 'side' or 'kind', got {by!r}; 'side' makes {len(SIDES)} groups")
    if not hidden or not all(isinstance(one, Hidden) for one in hidden):
        raise ValueError(
            "hidden must be a list of Hidden words, got none or something else; hidden_words(tales) gives some"
        )
    nats = defaultdict(list)
    for start in range(0, len(hidden), _AT_ONCE):
        some = hidden[start : start + _AT_ONCE]
        for one, row in zip(some, _surprises(masked, gpt, some, scoring), strict=True):
            nats[getattr(one, by)].append(row)
    order = [name for name in SIDES if name in nats] if by == "side" else sorted(nats)
    predictors = PREDICTORS if scoring else PREDICTORS[:-1]
    return {
        name: Compared(
            len(nats[name]), dict(zip(predictors, np.mean(nats[name], axis=0).tolist(), strict=True))
        )
        for name in order
    }


def _surprises(
    masked: MaskedModel, gpt: GPT, hidden: Sequence, scoring: bool
) -> Float[np.ndarray, "hidden predictor"]:
    """What each hidden word costs each of PREDICTORS; without scoring, the last of them is left out."""
    places = [one.place for one in hidden]
    texts = [_with_gap(one.words, one.place, masked)[0] for one in hidden]
    answers = [WORDS.index(one.words[one.place]) for one in hidden]
    rows = np.arange(len(hidden))
    odds = [
        np.array([one.left for one in hidden]),
        _left(gpt, texts, places)[rows, answers],
        np.array([one.both for one in hidden]),
        _both(masked, texts, places)[rows, answers],
    ]
    if scoring:
        scored = [_scored(gpt, text, place) for text, place in zip(texts, places, strict=True)]
        odds.append(np.array(scored)[rows, answers])
    return -np.log(np.stack(odds, axis=1))


# ---------------------------------------------------------------------------------------------
# 4. Several hidden words.


def fill_several(model: Any, words: Text, places: Any, seed: Count = 0, at_once: bool = True) -> list[str]:
    """A text in which the words at ``places`` are hidden and rolled anew from the masked model's odds.

    At once: one reading, and each place rolls its own die, which knows nothing of what the others roll. Otherwise from
    left to right, with one reading for each word: later ones see what was rolled before.

    Raises ValueError for a seed that is no whole number from 0, no places, and as ``fill`` does.
    """
    _check_model(model, MaskedModel)
    rng = np.random.default_rng(_whole("seed", seed, least=0))
    words, places = _as_text(words), list(places) if isinstance(places, Iterable) else []
    if not places:
        raise ValueError("places must be a list that names a word to hide, got none; [3] hides the fourth")
    for place in places:
        words, _ = _with_gap(words, place, model)
    places = sorted(set(places))
    for number, place in enumerate(places):
        if number == 0 or not at_once:
            odds = _both(model, [words], places)
        words[place] = WORDS[sampling.roll(odds[number], rng)]
    return words


def allowed_shares(masked: Any, gpt: Any, tales: Iterable, count: Any, seed: Count = 0) -> dict[str, float]:
    """The share of stories that the grammar allows after their last ``count`` words were written anew, in three ways.

    "at once" and "one by one" are ``fill_several`` (the masked model knows how many words are missing); "GPT" goes on
    from the words that are left until it writes ``<end>``, however many words that takes.

    Raises ValueError without a story, and for a count or a seed that is no whole number.
    """
    _check_model(masked, MaskedModel)
    _check_model(gpt, GPT)
    count, seed = _whole("count", count, least=1), _whole("seed", seed, least=0)
    tales = _check_tales(tales)
    allowed = dict.fromkeys(("at once", "one by one", "GPT"), 0)
    for number, tale in enumerate(tales, start=seed):
        places = range(max(0, len(tale.words) - count), len(tale.words))
        for name, at_once in (("at once", True), ("one by one", False)):
            allowed[name] += is_allowed(fill_several(masked, tale.words, places, number, at_once))
        allowed["GPT"] += is_allowed(_go_on(gpt, tale.words[: places[0]], number))
    return {name: number / len(tales) for name, number in allowed.items()}


def _go_on(gpt: GPT, words: Sequence[str], seed: int) -> list[str]:
    """A story that begins with some words; where it does not end in time, the dice allow no such story."""
    start = [_TOKENIZER.start_id, *(_IDS[word] for word in words)]
    room = gpt.config.n_ctx - len(start)
    steps = sampling.generate(gpt, start, room, stop=[_TOKENIZER.end_id], seed=seed)
    return [*words, *(VOCABULARY[step.token] for step in steps if step.token != _TOKENIZER.end_id)]


# ---------------------------------------------------------------------------------------------
# The command.


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains the masked-word model on Tinytown, prints how it goes, and writes its weights."""
    from helpers.pretrained import load_tinytown

    parser = argparse.ArgumentParser(prog="python -m helpers.masked", description=main.__doc__)
    parser.add_argument("--steps", type=int, default=RECIPE.steps)
    parser.add_argument("--stories", type=int, default=N_STORIES)
    parser.add_argument("--test-stories", type=int, default=300)
    parser.add_argument(
        "--out", type=Path, help="file for the weights; default: the course's own, for its own recipe only"
    )
    options = parser.parse_args(arguments)
    own = (options.steps, options.stories) == (RECIPE.steps, N_STORIES)
    # Whoever tries something else must not lose the course's model.
    out = options.out or (WEIGHTS if own else None)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
    model, (gpt, _) = MaskedModel(), load_tinytown()
    hidden = hidden_words(tinytown.told("test", options.test_stories, seed=1))
    config = TrainingConfig(steps=options.steps, learning_rate=RECIPE.learning_rate)
    print(f"{model.n_params:,} parameters, {options.stories:,} stories", flush=True)
    began, losses = time.perf_counter(), []
    for record in train_masked(model, tinytown.stories("train", options.stories), config):
        losses.append(record.loss)
        if record.step % 200 == 0 or record.step == config.steps:
            print(f"step {record.step:5}  loss {np.mean(losses[-200:]):.4f}", flush=True)
    print(f"{time.perf_counter() - began:.0f} s; words hidden one at a time, in nats:")
    found = compare(model, gpt, hidden)
    counts = [group.count for group in found.values()]
    everything = {
        who: np.average([group.nats[who] for group in found.values()], weights=counts)
        for who in PREDICTORS[:-1]
    }
    for name, (count, nats) in {**found, "all": Compared(len(hidden), everything)}.items():
        print(f"{name:8} {count:5}  " + "  ".join(f"{who} {mean:.4f}" for who, mean in nats.items()))
    if out is not None:
        save_file(model.state_dict(), out)
        print(f"wrote {out.name}, {out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"helpers.masked: {error}")
