"""How good is a text? Four numbers that a machine can count, and one that only Tinytown allows.

Nobody has a formula for good prose. What can be counted is how expected a text is to the model (perplexity), how much
it repeats itself (distinct n-grams), and how many of its words are words (spelling). Each can be fooled: the sentence
"the the the" is well spelt, a copied encyclopaedia is fluent. In Tinytown the grammar is known, so that there every
story is either allowed or not, which is as close to truth as such a number comes.

What it leaves out: people, whose judgement all of these stand in for; and whether a text is true.

Sources: Jelinek, Mercer, Bahl and Baker, "Perplexity, a measure of the difficulty of speech recognition tasks" (1977);
Li et al. (2016, arXiv:1510.03055), section 5.1, for distinct n-grams; Holtzman et al. (2020, arXiv:1904.09751), section 5,
for the same numbers over a range of temperatures, beside those of people's texts.
"""

import itertools
import math
import re
from collections.abc import Collection, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from helpers import sampling, tinytown
from helpers.tokenization import Tokenizer, load_tokenizer

STARTS = (
    "The weather in the mountains", "My grandmother used to say", "The best way to learn", "In the middle of the",
    "Scientists have found that the", "The history of the city", "When I was a child", "The little boy opened the",
)  # fmt: skip
"""Beginnings to write on from: five of SmolLM2's tokens each, so that all are read in one batch."""


def _whole(name: str, value: float, usual: str, least: int = 1) -> None:
    if not (isinstance(value, int | float | np.number) and value >= least and float(value).is_integer()):
        raise ValueError(f"{name} must be a whole number from {least}, got {value!r}; {usual}")


def distinct(tokens: Sequence, n: float = 2) -> float:
    """The share of a text's n-grams (runs of `n` tokens) that are different from each other; 1 repeats nothing.

    Li et al. divide by the number of tokens, here it is the number of n-grams, so that 1 can be reached. The longer a
    text, the lower: compare texts of one length. Raises ValueError for a text of less than `n` tokens.

    >>> distinct("the cat and the cat".split(), n=1), distinct("the cat and the cat".split(), n=2)
    (0.6, 0.75)
    """
    _whole("n", n, "2 counts pairs")
    runs = list(zip(*(tokens[start:] for start in range(int(n))), strict=False))
    if not runs:
        raise ValueError(
            f"a text needs at least {n} tokens for runs of {n}, got {len(tokens)}; take a lower n"
        )
    return len(set(runs)) / len(runs)


@cache
def known_words() -> frozenset[str]:
    """The 21,745 words in small letters that MiniLM's vocabulary has whole: a word list that is already on the machine.

    It was counted from BERT's books and encyclopaedia. It lacks rare words ("chatbot") and some endings ("drifts"): of
    the words in this course's own prose it does not know 2 in 100; of words with one letter changed, it does not know
    94. Raises ``helpers.pretrained.ModelMissing`` where MiniLM was not fetched.
    """
    tokenizer = load_tokenizer("minilm")
    pieces = (tokenizer.token_bytes(id_).decode() for id_ in range(tokenizer.vocab_size))
    return frozenset(piece for piece in pieces if re.fullmatch("[a-z]+", piece))


def misspelt(text: str, words: Collection[str]) -> float:
    """The share of the text's words that are not among `words`; NaN for a text without a word to judge.

    A word is a run of letters that begins with a small one: names, which anybody may spell as they like, begin with a
    capital. A known word in a wrong place ("the cat eight a mouse") counts as well spelt.

    >>> misspelt("The cat sat on teh mat, said Bartholomew.", {"cat", "sat", "on", "mat", "said"})
    0.16666666666666666
    """
    found = [word for word in re.findall(r"[^\W\d_]+", text) if word[0].islower()]
    return sum(word not in words for word in found) / len(found) if found else math.nan


def perplexity_of(model, ids: Sequence[int], prompt_length: int = 1) -> float:
    """How surprised a GPT is by a text, at temperature 1: as if at each token it chose among so many equal ones.

    It is ``exp`` of the mean surprise in nats; the first `prompt_length` tokens are read, but not counted. A low number
    says that the model expected the text, not that the text is good: "the the the the" is low. Raises ValueError unless
    at least one token is read and one is counted, and where the model does.
    """
    import torch

    from helpers.transformer import Cache

    if not 1 <= prompt_length < len(ids):
        raise ValueError(
            f"prompt_length must be from 1 to {len(ids) - 1} for a text of {len(ids)} tokens, got {prompt_length}; "
            "one token must be read, and one counted"
        )
    whole = torch.tensor([list(ids)])
    inputs, targets = whole[:, :-1].split(64, dim=1), whole[0, 1:].split(64)
    before, surprises, training = Cache(), [], model.training
    model.eval()
    try:
        with torch.inference_mode():
            for piece, following in zip(
                inputs, targets, strict=True
            ):  # all logits of a long text are gigabytes
                logits = model(piece, cache=before)[0].double()
                surprises.append(torch.nn.functional.cross_entropy(logits, following, reduction="none"))
    finally:
        model.train(training)
    return float(torch.cat(surprises)[prompt_length - 1 :].mean().exp())


class Written(NamedTuple):
    """A text that a model wrote, and how expected it was."""

    tokens: tuple[int, ...]  # the ids behind the prompt, the one that stopped it included
    surprises: tuple[float, ...]  # of each, in nats, by the model's own odds at temperature 1


def write(
    model,
    prompts: Sequence[Sequence[int]],
    temperatures: Sequence[float],
    max_tokens: int,
    seeds: Sequence[int],
    stop: Collection[int] = (),
) -> list[Written]:
    """One text for each prompt with its temperature and seed, all written side by side; much sooner than in turn.

    Each is the one that ``generate`` writes with the same prompt, temperature and seed. The prompts must have one
    length. Raises ValueError where they have not, and where ``generate`` would.
    """
    _whole("max_tokens", max_tokens, "32 are two sentences")
    lengths = {len(prompt) for prompt in prompts}
    if len(lengths) != 1 or not len(prompts) == len(temperatures) == len(seeds):
        raise ValueError(
            f"prompts must have one length, and a temperature and a seed each, got lengths {sorted(lengths)}, "
            f"{len(prompts)} prompts, {len(temperatures)} temperatures and {len(seeds)} seeds; write the others apart"
        )
    read, rngs = sampling.BatchReader(model), [np.random.default_rng(seed) for seed in seeds]
    texts = [list(prompt) for prompt in prompts]
    surprises: list[list[float]] = [[] for _ in prompts]
    going = list(range(len(prompts)))  # the texts that no token has stopped yet
    rows = None  # of the last reading: where those stand that go on; None while all do
    for _ in range(int(max_tokens)):
        logits = read([texts[number] for number in going], rows)
        rows = []
        for row, number in enumerate(going):
            odds = sampling.temperature_softmax(logits[row], temperatures[number])
            token = sampling.roll(odds, rngs[number])
            own = odds if temperatures[number] == 1 else sampling.temperature_softmax(logits[row])
            texts[number].append(token)
            surprises[number].append(-math.log(own[token]))
            if token not in stop:
                rows.append(row)
        if not rows:
            break
        if len(rows) == len(going):
            rows = None
        else:
            going = [going[row] for row in rows]
    start = lengths.pop()
    return [Written(tuple(text[start:]), tuple(cost)) for text, cost in zip(texts, surprises, strict=True)]


class Quality(NamedTuple):
    """Texts at one temperature, and what could be counted in them."""

    temperature: float
    perplexity: float  # of all tokens together, under the model at temperature 1
    distinct_1: float  # share of different tokens in a text, on average
    distinct_2: float  # share of different pairs
    misspelt: float  # share of words that are not in the list, of all texts together
    texts: tuple[str, ...]  # what was written, without the prompts


def measure_temperatures(
    model,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    temperatures: Sequence[float],
    max_tokens: int = 32,
    *,
    words: Collection[str],
    seed: int = 0,
) -> list[Quality]:
    """What changes from temperature to temperature in the texts that a model writes, one `Quality` each.

    Every temperature gets the same prompts and, prompt by prompt, the same dice throws. No token stops a text, so that
    all have one length and their numbers can be compared. `words` are those that count as spelt well (``known_words``).
    Prompts of one length in tokens are written side by side. SmolLM2: 5 temperatures x 8 prompts x 32 tokens in 6 s
    of one core. Raises ValueError without a prompt or temperature, and as ``generate`` does.
    """
    if not prompts or not len(temperatures):
        raise ValueError(
            f"there must be a prompt and a temperature, got {len(prompts)} and {len(temperatures)}; 8 and 5 show it"
        )
    _whole("max_tokens", max_tokens, "32 are two sentences", least=2)
    ids = [tokenizer.encode(prompt, special=True) for prompt in prompts]
    jobs = sorted(
        itertools.product(range(len(ids)), range(len(temperatures))), key=lambda job: len(ids[job[0]])
    )
    written: dict[tuple[int, int], Written] = {}
    for _, group in itertools.groupby(jobs, key=lambda job: len(ids[job[0]])):
        same = list(group)
        found = write(
            model,
            [ids[prompt] for prompt, _ in same],
            [temperatures[heat] for _, heat in same],
            max_tokens,
            [seed + prompt for prompt, _ in same],
        )
        written.update(zip(same, found, strict=True))
    return [
        _judge(temperature, [written[prompt, heat] for prompt in range(len(ids))], tokenizer, words)
        for heat, temperature in enumerate(temperatures)
    ]


def _judge(
    temperature: float, written: Sequence[Written], tokenizer: Tokenizer, words: Collection[str]
) -> Quality:
    texts = tuple(tokenizer.decode(text.tokens) for text in written)
    return Quality(
        float(temperature),
        float(np.exp(np.mean([text.surprises for text in written]))),
        float(np.mean([distinct(text.tokens, 1) for text in written])),
        float(np.mean([distinct(text.tokens, 2) for text in written])),
        misspelt("\n".join(texts), words),
        texts,
    )


class StoryQuality(NamedTuple):
    """Tinytown's stories at one temperature, judged by the grammar."""

    temperature: float
    allowed: float  # share of stories that the dice can roll, to their end
    different: float  # number of different stories, as a share
    stories: tuple[str, ...]


def is_allowed(story: Sequence[str] | str) -> bool:
    """Whether Tinytown's dice can roll this whole story, word for word.

    >>> is_allowed("today the clown says two and two is five . then the clown says one and one is three .")
    True
    >>> is_allowed("today the teacher says two and two is five . then the teacher says one and one is two .")
    False
    """
    try:
        tinytown.surprise(story)
    except ValueError:
        return False
    return True


def measure_stories(
    model,
    tokenizer: tinytown.WordTokenizer,
    temperatures: Sequence[float],
    stories: int = 100,
    *,
    seed: int = 0,
) -> list[StoryQuality]:
    """How many of the stories that a Tinytown GPT tells are allowed, and how many are different, by temperature.

    A story is cut where the context ends, and then not allowed. The number of different stories is the price of few
    mistakes: at temperature 0 all are one. Raises ValueError without a story or temperature.
    """
    _whole("stories", stories, "100 show a share to about 5 %")
    if not len(temperatures):
        raise ValueError("there must be a temperature, got none; 0.5, 1 and 1.5 show it")
    jobs = list(itertools.product(temperatures, range(seed, seed + stories)))
    written = write(
        model,
        [[tokenizer.start_id]] * len(jobs),
        [temperature for temperature, _ in jobs],
        model.config.n_ctx,
        [number for _, number in jobs],
        stop=[tokenizer.end_id],
    )
    records = []
    for heat, temperature in enumerate(temperatures):
        here = written[heat * stories : (heat + 1) * stories]
        told = [tokenizer.decode(text.tokens).removesuffix(f" {tinytown.END}") for text in here]
        ended = [text.tokens[-1] == tokenizer.end_id for text in here]
        allowed = sum(end and is_allowed(story) for end, story in zip(ended, told, strict=True)) / stories
        records.append(StoryQuality(float(temperature), allowed, len(set(told)) / stories, tuple(told)))
    return records
