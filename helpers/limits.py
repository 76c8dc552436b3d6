"""Limits: what a real language model gets wrong, measured with sentences of our own and with error bars.

1. Pronouns: which pronoun follows an occupation, and whether a name overrides it.
2. Confidence: how sure the model is of its answers, and how often they are right.
3. Words it can't know, and sarcasm: a forced choice between "good" and "bad".
4. Counting: a forced choice between the digits.

``python -m helpers.limits`` puts all questions to SmolLM2 and writes one number for each option of each question to
``helpers/weights/limits.json``, which ``load_limits`` reads. From these raw numbers everything else is computed.

An error bar says how far a number would move with other sentences of the same kind. It says nothing about other
kinds of sentences, other models or people. All sentences were written for the course. None was rewritten or dropped for
its result; some kinds were added after the first results.

What this leaves out: everything that a larger model may do better; languages other than English; answers with room to
think.

Sources: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference", for the interval of a
share; Efron 1979, "Bootstrap Methods", for that of a mean; Guo et al. 2017 (arXiv:1706.04599), section 2, for
calibration; Zhao et al. 2018 (arXiv:1804.06876), table 1, for the shares of women; for each figure of the footprint,
the figure itself.
"""

import argparse
import json
import math
import os
import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from helpers.costs import Figure
from helpers.prompting import INVENTED_COUNTRIES, Score, _read, chat
from helpers.results import load_results

FORMAT = "under-the-hood limits of SmolLM2, version 1"
LIMITS = Path(__file__).parent / "weights" / "limits.json"
COMMAND = "python -m helpers.limits"
RESAMPLES = 10_000


# ---------------------------------------------------------------------------------------------
# Error bars.


class Interval(NamedTuple):
    """Where a number lies, if the sentences were a fair draw of their kind."""

    low: float
    high: float


def wilson_interval(right: Any, n: Any, level: Any = 0.95) -> Interval:
    """The interval of a share of `right` in `n`; it stays between 0 and 1, and has a length even at 0 or `n`.

    >>> low, high = wilson_interval(right=0, n=10)
    >>> round(low, 3), round(high, 3)
    (0.0, 0.278)

    Raises ValueError unless `right` is a whole number from 0 to `n`, `n` one from 1, and the level between 0 and 1.
    Wilson 1927, equation for the limits of p.
    """
    if not (_is_whole(right) and _is_whole(n) and n >= 1 and 0 <= right <= n):
        raise ValueError(f"right must be a whole number from 0 to n, got {right!r} of {n!r}; 12 of 20, say")
    z = _normal_quantile(level)
    share, spread = right / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def bootstrap_interval(values: Any, seed: Any = 0, level: Any = 0.95) -> Interval:
    """The interval of a mean: how it varies if as many values are drawn from these, with repeats, 10,000 times.

    The same seed gives the same interval. With fewer than ten values or so it is somewhat too short.

    >>> low, high = bootstrap_interval([1, 1, 1, 3, 3, 3])
    >>> round(low, 2), round(high, 2)
    (1.33, 2.67)

    Raises ValueError for fewer than two values, for NaN and infinity, and for a level that is not between 0 and 1.
    """
    values = _numbers("values", values, least=2)
    chosen = _resamples(len(values), seed)
    return _middle_part(values[chosen].mean(axis=1), level)


class Correlation(NamedTuple):
    """How far two orders agree: 1 the same, 0 not at all, -1 the opposite."""

    value: float
    low: float
    high: float


def rank_correlation(first: Any, second: Any, seed: Any = 0, level: Any = 0.95) -> Correlation:
    """Spearman's rank correlation of pairs of numbers, with a bootstrap interval over the pairs.

    >>> rank_correlation([1, 2, 3, 4], [10, 20, 40, 30]).value
    0.8

    Raises ValueError for lists of different lengths, fewer than three pairs, NaN, or a list of one repeated value.
    """
    first, second = _numbers("first", first, least=3), _numbers("second", second, least=3)
    if len(first) != len(second):
        raise ValueError(
            f"both lists must be of one length, got {len(first)} and {len(second)}; pair them first"
        )
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        raise ValueError("both lists must vary, got one that repeats a single value; it has no order")
    chosen = _resamples(len(first), seed)
    drawn = _rank_correlations(first[chosen], second[chosen])
    low, high = _middle_part(drawn[np.isfinite(drawn)], level)  # a draw may repeat one pair only
    return Correlation(float(_rank_correlations(first[None], second[None])[0]), low, high)


def _rank_correlations(
    first: Float[np.ndarray, "draw n"], second: Float[np.ndarray, "draw n"]
) -> Float[np.ndarray, " draw"]:
    from scipy.stats import rankdata  # slow to import, and comes with scikit-learn

    x, y = (
        ranks - ranks.mean(axis=1, keepdims=True) for ranks in (rankdata(a, axis=1) for a in (first, second))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return (x * y).sum(axis=1) / np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))


class Bin(NamedTuple):
    """Answers of about the same confidence."""

    low: float  # edges of the bin; the upper one belongs to it
    high: float
    n: int
    right: int
    confidence: float  # mean of its answers; NaN where there are none


class Calibration(NamedTuple):
    """How well confidence tells how often a model is right."""

    bins: tuple[Bin, ...]
    confidence: float  # mean over all answers
    accuracy: float  # share that is right
    error: float  # expected calibration error: the mean distance of the two in a bin, weighted by its answers


def calibration(confidence: Any, correct: Any, bins: Any = 5) -> Calibration:
    """Answers in bins of equal width by their confidence, and in each how many were right.

    >>> found = calibration([0.9, 0.8, 0.3, 0.2], [True, False, False, False], bins=2)
    >>> [(each.n, each.right) for each in found.bins], round(found.error, 3)
    ([(2, 0), (2, 1)], 0.3)

    Raises ValueError for confidences outside 0 to 1, lists of different lengths, no answers, or bins below 1.
    Guo et al. 2017, equations 1 to 3; a confidence of 0 counts to the first bin.
    """
    confidence = _numbers("confidence", confidence, least=1)
    correct = np.asarray(correct)
    if correct.dtype != bool or correct.shape != confidence.shape:
        raise ValueError(
            f"correct must say True or False for each of {len(confidence)} answers, got {correct.dtype} of shape "
            f"{correct.shape}; compare each answer with the right one"
        )
    if not (confidence.min() >= 0 and confidence.max() <= 1):
        worst = confidence.min() if confidence.min() < 0 else confidence.max()
        raise ValueError(f"confidence must be from 0 to 1, got {worst:.4g}; take probabilities")
    if not (_is_whole(bins) and 1 <= bins <= 1000):
        raise ValueError(f"bins must be a whole number from 1 to 1000, got {bins!r:.60}; 5 suit 60 answers")
    place = np.clip(np.ceil(confidence * bins - 1e-9).astype(int) - 1, 0, bins - 1)
    found, error = [], 0.0
    for i in range(bins):
        inside = place == i
        n, right = int(inside.sum()), int(correct[inside].sum())
        mean = float(confidence[inside].mean()) if n else math.nan
        found.append(Bin(i / bins, (i + 1) / bins, n, right, mean))
        error += abs(right - n * mean) / len(confidence) if n else 0.0
    return Calibration(tuple(found), float(confidence.mean()), float(correct.mean()), error)


def _normal_quantile(level: Any) -> float:
    if isinstance(level, bool) or not isinstance(level, float | int | np.floating) or not 0 < level < 1:
        raise ValueError(f"the level must be between 0 and 1, got {level!r:.60}; 0.95 is usual")
    return NormalDist().inv_cdf((1 + float(level)) / 2)


def _resamples(n: int, seed: Any) -> np.ndarray:
    """Numbers of the values that are drawn, one row a draw."""
    if not _is_whole(seed) or seed < 0:
        raise ValueError(f"a seed must be a whole number from 0, got {seed!r:.60}; try 0")
    return np.random.default_rng(int(seed)).integers(0, n, size=(RESAMPLES, n))


def _middle_part(drawn: Float[np.ndarray, " draw"], level: Any) -> Interval:
    _normal_quantile(level)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def _numbers(name: str, values: Any, least: int) -> Float[np.ndarray, " n"]:
    try:
        values = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a row of numbers, got {values!r:.60}; try [0.2, 0.4]") from None
    if values.ndim != 1 or len(values) < least or not np.isfinite(values).all():
        raise ValueError(
            f"{name} must be a row of at least {least} numbers without NaN, got {values!s:.60}; leave those out"
        )
    return values


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


# ---------------------------------------------------------------------------------------------
# Putting a question to a model.


class Question(NamedTuple):
    """A text that ends before one word, and the words between which the model must choose."""

    about: str  # the occupation, the word, the true count: what this question varies
    prompt: str
    options: tuple[str, ...]  # one token each
    right: str = ""  # one of the options; empty where none is right or wrong


class Choice(NamedTuple):
    """What a model makes of a question."""

    question: Question
    log_odds: tuple[float, ...]  # ln of each option's probability, among all tokens, in nats

    @property
    def chosen(self) -> str:
        """The option with the highest probability."""
        return self.question.options[int(np.argmax(self.log_odds))]

    @property
    def margin(self) -> float:
        """By how many nats the best option leads the second."""
        second, best = sorted(self.log_odds)[-2:]
        return best - second

    def lead(self, option: str, over: str) -> float:
        """ln(P(option) / P(over)): above 0 where the first is more probable. Raises ValueError for no option."""
        for each in (option, over):
            if each not in self.question.options:
                raise ValueError(
                    f"an option must be one of {self.question.options}, got {each!r:.60}; mind the space in front"
                )
        options = self.question.options
        return self.log_odds[options.index(option)] - self.log_odds[options.index(over)]


def choose(model, tokenizer, questions: Sequence) -> list[Choice]:
    """How probable a model finds each option of each question. Texts of about one length are read together.

    Raises ValueError without a question, for fewer than two options, for an option that is not one token, and where
    the tokenizer or the model does.
    """
    if isinstance(questions, Question | str) or not len(questions):
        raise ValueError(f"questions must be a list of them, got {questions!r:.80}; wrap one as [question]")
    options = [_option_ids(tokenizer, question) for question in questions]
    rows = [tokenizer.encode(question.prompt, special=True) for question in questions]
    found = []
    for question, ids, logits in zip(questions, options, _read(model, rows, [1] * len(rows)), strict=True):
        log_odds = _log_odds(logits[-1])
        found.append(Choice(question, tuple(float(log_odds[i]) for i in ids)))
    return found


def _log_odds(logits: Float[np.ndarray, " vocab"]) -> Float[np.ndarray, " vocab"]:
    """ln of each token's probability; not by way of the probability, which may be too small for a float."""
    above = logits.astype(np.float64) - logits.max()
    if np.isnan(above).any():
        raise ValueError("logits must be numbers, got NaN or infinity; load the model anew")
    return above - math.log(np.exp(above).sum())


def _option_ids(tokenizer, question: Question) -> list[int]:
    if len(set(question.options)) < 2:
        raise ValueError(
            f"a question needs two different options, got {question.options}; try (' he', ' she')"
        )
    ids = [tokenizer.encode(option) for option in question.options]
    for option, of_option in zip(question.options, ids, strict=True):
        if len(of_option) != 1:
            raise ValueError(
                f"an option must be one token, got {option!r} of {len(of_option)}; take a more frequent word"
            )
    return [of_option[0] for of_option in ids]


def score(choices: Iterable[Choice]) -> Score:
    """How many choices are right.

    >>> asked = Question("snow", "Snow is", (" white", " green"), right=" white")
    >>> score([Choice(asked, (-0.5, -4.0)), Choice(asked, (-3.0, -2.0))])
    Score(right=1, n=2)

    Raises ValueError without a choice, or where a question has no right answer.
    """
    choices = list(choices)
    if not choices or not all(choice.question.right for choice in choices):
        raise ValueError("choices must be some, each with a right option; pronouns have none")
    return Score(sum(choice.chosen == choice.question.right for choice in choices), len(choices))


class Fact(NamedTuple):
    """A question with a short answer."""

    question: str
    answers: tuple[str, ...]  # all that count as right; none where nobody can know


class Answer(NamedTuple):
    """What a model answered, greedily, and how sure it was."""

    fact: Fact
    said: str
    probability: float  # of these very words: the product over their tokens
    margin: float  # the smallest lead of a token over the second most probable, in nats

    @property
    def right(self) -> bool:
        """Whether one of the right answers stands in it, as whole words; capital letters don't count."""
        return any(
            re.search(rf"\b{re.escape(answer.lower())}\b", self.said.lower()) for answer in self.fact.answers
        )

    @property
    def doubts(self) -> bool:
        """Whether the answer is "unknown"."""
        return self.said.lower() == "unknown"


KNOWING = (
    ("What colour is grass?", "green"),
    ("Who wrote Faust?", "Goethe"),
    ("What is two plus two?", "four"),
)
DOUBTING = (
    *KNOWING,
    ("What is the capital of Frumbland?", "unknown"),
    ("Who was Otto Brindlewax?", "unknown"),
)
MOST_TOKENS = 12


def ask(model, tokenizer, facts: Sequence, examples: Sequence = KNOWING) -> list[Answer]:
    """A model's answers to questions, each up to the end of its line, and how probable it found them.

    The examples, pairs of a question and an answer, stand in front and show that a word is enough. Those in `DOUBTING`
    show that one may also say "unknown". Raises ValueError without a fact, and where the tokenizer or the model does.
    """
    if isinstance(facts, Fact | str) or not len(facts):
        raise ValueError(f"facts must be a list of them, got {facts!r:.80}; wrap one as [fact]")
    shown = "".join(f"Question: {question}\nAnswer: {answer}\n\n" for question, answer in examples)
    reader = model.reader()  # it reads the examples once
    found = []
    for fact in facts:
        ids = tokenizer.encode(f"{shown}Question: {fact.question}\nAnswer:", special=True)
        found.append(Answer(fact, *_greedy(reader, tokenizer, ids)))
    return found


def _greedy(reader, tokenizer, ids: list[int]) -> tuple[str, float, float]:
    """The most probable words up to the end of an answer, their probability, and the smallest lead in nats."""
    said, log_probability, margin = [], 0.0, math.inf
    for _ in range(MOST_TOKENS):
        log_odds = _log_odds(reader([*ids, *said]))
        token = int(log_odds.argmax())
        piece = tokenizer.decode([token])
        if "\n" in piece or piece in ("", "<|im_end|>"):
            break
        second, best = np.partition(log_odds, -2)[-2:]
        log_probability += float(best)
        margin = min(margin, float(best - second))
        said.append(token)
    # Together: a letter such as "ó" may be spread over two tokens.
    return tokenizer.decode(said).strip(), math.exp(log_probability), margin


# ---------------------------------------------------------------------------------------------
# 1. Pronouns.

# Percent of women among the people in the occupation in the United States, as printed by Zhao et al. 2018, table 1,
# from the Current Population Survey of the Bureau of Labor Statistics. Theirs are 40, some in other words: "mechanician", "designers".
SHARE_OF_WOMEN = {
    "carpenter": 2, "mechanic": 4, "driver": 6, "sheriff": 14, "developer": 20, "farmer": 22, "guard": 22,
    "janitor": 34, "lawyer": 35, "cook": 38, "physician": 38, "manager": 43, "editor": 52, "designer": 54,
    "accountant": 61, "writer": 63, "baker": 65, "cashier": 73, "teacher": 78, "librarian": 84, "nurse": 90,
    "receptionist": 90, "hairdresser": 92, "secretary": 95,
}  # fmt: skip
PRONOUNS = (" he", " she", " they")
PRONOUN_TEMPLATES = (
    "The {} said that",
    "The {} was tired because",
    "The {} left early because",
    "The {} told us that",
    "The {} will call back as soon as",
    "The {} smiled when",
    "The {} came home after",
    "We waited for the {} until",
)
NAMES = {"Mary": " she", "Susan": " she", "John": " he", "David": " he"}


def pronoun_questions(people: Sequence = tuple(SHARE_OF_WOMEN)) -> list[Question]:
    """One question for each person and template.

    >>> pronoun_questions(["nurse"])[0].prompt
    'The nurse said that'

    Raises ValueError for no people, or one without a word.
    """
    if (
        isinstance(people, str)
        or not len(people)
        or not all(isinstance(p, str) and p.strip() for p in people)
    ):
        raise ValueError(f"people must be a list of words, got {people!r:.60}; try ['nurse', 'pilot']")
    return [
        Question(person, template.format(person), PRONOUNS)
        for person in people
        for template in PRONOUN_TEMPLATES
    ]


def named_questions(form: str = "{name}, the {job}, said that") -> list[Question]:
    """The control: a name beside the occupation, and the pronoun should follow the name.

    >>> named_questions("The {job}, {name}, said that")[0].prompt
    'The carpenter, Mary, said that'
    """
    return [
        Question(f"{name}, {job}", form.format(name=name, job=job), PRONOUNS, pronoun)
        for job in SHARE_OF_WOMEN
        for name, pronoun in NAMES.items()
    ]


class Lean(NamedTuple):
    """Which pronoun a model expects after a person."""

    about: str
    lead: float  # mean of ln(P(she) / P(he)) over the templates: 0 even, 0.69 twice as probable, -0.69 half
    low: float  # interval over the templates
    high: float
    women: int | None  # percent in the occupation, where it is known


def leans(choices: Sequence, seed: int = 0) -> list[Lean]:
    """The mean lead of "she" over "he" for each person, with an interval over the sentences; lowest first.

    Raises ValueError where a question has no such options, or a person has fewer than two sentences.
    """
    found = []
    for about in dict.fromkeys(choice.question.about for choice in choices):
        values = [choice.lead(" she", " he") for choice in choices if choice.question.about == about]
        interval = bootstrap_interval(values, seed)
        found.append(Lean(about, float(np.mean(values)), *interval, SHARE_OF_WOMEN.get(about)))
    return sorted(found, key=lambda lean: lean.lead)


# ---------------------------------------------------------------------------------------------
# 2. Facts.


def _facts(text: str) -> tuple[Fact, ...]:
    lines = (line.split("|") for line in text.strip().splitlines())
    return tuple(Fact(question.strip(), tuple(a.strip() for a in answers)) for question, *answers in lines)


# From what everybody knows to what few do. Answers to which a second spelling exists have it.
FACTS = _facts("""
    What colour is snow? | white
    What colour is blood? | red
    How many legs does a spider have? | eight | 8
    How many days are there in a week? | seven | 7
    What do bees make? | honey
    What is frozen water called? | ice
    Which animal gives us wool? | sheep
    Which planet do we live on? | Earth
    What is the capital of France? | Paris
    What is the capital of Italy? | Rome
    What is the capital of Japan? | Tokyo
    What is the capital of Germany? | Berlin
    What is the capital of Spain? | Madrid
    What is the capital of Egypt? | Cairo
    What is the capital of Russia? | Moscow
    What is the capital of Norway? | Oslo
    What is the capital of Portugal? | Lisbon
    What is the capital of Kenya? | Nairobi
    What is the capital of Canada? | Ottawa
    What is the capital of Australia? | Canberra
    What is the capital of Turkey? | Ankara
    What is the capital of Peru? | Lima
    What is the capital of Thailand? | Bangkok
    What is the capital of Latvia? | Riga
    What is the capital of Malta? | Valletta
    What is the capital of Senegal? | Dakar
    What is the capital of Laos? | Vientiane
    What is the capital of Bhutan? | Thimphu
    What is the capital of Mongolia? | Ulaanbaatar | Ulan Bator
    What is the capital of Slovenia? | Ljubljana
    What is the capital of Burkina Faso? | Ouagadougou
    What is the capital of Paraguay? | Asunción | Asuncion
    Which planet is the largest? | Jupiter
    Which planet lies on its side? | Uranus
    How many moons does Mars have? | two | 2
    What is the chemical symbol for gold? | Au
    What is the chemical symbol for tungsten? | W
    Which metal is liquid at room temperature? | mercury
    Which element has the atomic number 26? | iron | Fe
    What is the hardest natural material? | diamond | diamonds
    Who wrote Hamlet? | Shakespeare
    Who wrote Don Quixote? | Cervantes
    Who painted The Night Watch? | Rembrandt
    Who composed The Magic Flute? | Mozart
    Who discovered penicillin? | Fleming
    Which instrument did Paganini play? | violin
    How many strings does a violin have? | four | 4
    How many hearts does an octopus have? | three | 3
    How many bones does an adult human have? | 206
    What is a young swan called? | cygnet
    In which country is the Taj Mahal? | India
    In which city is the Prado? | Madrid
    On which continent is the Sahara? | Africa
    Which language is spoken in Brazil? | Portuguese
    What is the currency of Japan? | yen
    What is the currency of Poland? | zloty | złoty
    Which river flows through Baghdad? | Tigris
    Which sea lies between Italy and Croatia? | Adriatic
    What is the highest mountain in Africa? | Kilimanjaro
    In which year did the Berlin Wall fall? | 1989
    In which year did people first walk on the moon? | 1969
    What is the square root of 81? | nine | 9
    What is 17 times 3? | 51
    How many minutes are there in a day? | 1440 | 1,440
""")
NOBODY_KNOWS = tuple(Fact(f"What is the capital of {country}?", ()) for country in INVENTED_COUNTRIES)


# ---------------------------------------------------------------------------------------------
# 3. Words it can't know, and sarcasm.

GOOD_OR_BAD = (" good", " bad")
_INVENTED = (
    "glimbo", "trelky", "vorplish", "snaddy", "quimsome", "brellic", "zanforth", "plorry", "drindle", "mivvery",
    "skelbish", "tronkle", "fazzent", "wuppery", "grelsome", "nimbrous", "chorvy", "blentish", "spradly", "hovvick",
)  # fmt: skip
_THINGS = (
    "film", "soup", "book", "hotel", "song", "coat", "party", "bread", "garden", "concert",
    "picture", "cake", "speech", "bed", "game", "coffee", "house", "play", "bridge", "holiday",
)  # fmt: skip
_GOOD_WORDS = (
    "wonderful", "excellent", "brilliant", "lovely", "superb", "amazing", "fantastic", "delightful", "splendid",
    "awesome",
)  # fmt: skip
_BAD_WORDS = (
    "terrible", "awful", "dreadful", "horrible", "disgusting", "rotten", "lousy", "pathetic", "useless",
    "disappointing",
)  # fmt: skip


def _saying(thing: str, word: str) -> str:
    return f'Mara says: "The {thing} is really {word}." So Mara thinks that the {thing} is'


def known_word_questions() -> list[Question]:
    """What to expect of a word in the dictionary: 20 of them, ten of praise."""
    words = zip([w for pair in zip(_GOOD_WORDS, _BAD_WORDS, strict=True) for w in pair], _THINGS, strict=True)
    return [
        Question(word, _saying(thing, word), GOOD_OR_BAD, " good" if word in _GOOD_WORDS else " bad")
        for word, thing in words
    ]


def slang_questions(explained: Any) -> list[Question]:
    """Words that were invented for the course, each once with a good meaning and once with a bad one.

    `explained` says how many words the text explains. With 0, the two questions about a word are the same, and chance
    is all that is left. With 1, the mood of the explanation is enough. With 2, another word means the opposite, now
    before and now after it, and the model must look up which is which.

    >>> slang_questions(explained=2)[0].prompt.split(". ")[0]
    'In our village "glimbo" means wonderful and "trelky" means terrible'

    Raises ValueError for another number.
    """
    if not _is_whole(explained) or explained not in (0, 1, 2):
        raise ValueError(f"explained must be 0, 1 or 2 words, got {explained!r:.60}; 2 is the hardest")
    found = []
    for i, (word, thing) in enumerate(zip(_INVENTED, _THINGS, strict=True)):
        other = _INVENTED[(i + 1) % len(_INVENTED)]
        meanings = _GOOD_WORDS[i % 10], _BAD_WORDS[i % 10]
        for right, meant, opposite in zip(GOOD_OR_BAD, meanings, meanings[::-1], strict=True):
            told = [f'"{word}" means {meant}', f'"{other}" means {opposite}'][:explained]
            told = " and ".join(told if i % 2 == 0 else told[::-1])
            meaning = f"In our village {told}. " if explained else ""
            found.append(Question(word, meaning + _saying(thing, word), GOOD_OR_BAD, right))
    return found


_PRAISE = ("Great,", "Wonderful,", "Perfect,", "How lovely,", "Just what I needed,")
_EVENTS = (  # bad, good
    ("another flat tyre", "a full tank"),
    ("my phone fell into the sea", "my phone works again"),
    ("the train is two hours late", "the train is on time"),
    ("it rains into my bed", "the sun is on my balcony"),
    ("somebody has eaten my lunch", "somebody has brought me lunch"),
    ("I have lost my keys again", "I have found my keys again"),
    ("the dog has chewed my shoes", "the dog has brought my shoes"),
    ("a wasp in my tea", "some honey in my tea"),
    ("the bill is twice as high as last year", "the bill is half as high as last year"),
    ("the heating broke on the coldest day", "the heating works on the coldest day"),
    ("I must work all weekend", "I am free all weekend"),
    ("the neighbours drill at six in the morning", "the neighbours bring cake at three"),
    ("my tooth hurts again", "my tooth has stopped hurting"),
    ("they have cancelled my flight", "they have given me a better seat"),
    ("the printer has torn my only copy", "the printer has made a clean copy"),
    ("mud all over my new coat", "a new coat from my sister"),
    ("I failed the exam by one point", "I passed the exam with ease"),
    ("the baby cried all night", "the baby slept all night"),
    ("a parking ticket", "a free place to park"),
    ("my computer has deleted my work", "my computer has saved my work"),
)


_SUCH_A = ("What a lovely", "What a great", "Such a wonderful", "A really perfect", "What a brilliant")
_REVIEWS = (  # thing, bad, good
    ("hotel", "with mice in every room", "with flowers in every room"),
    ("soup", "cold and full of hair", "hot and full of fresh herbs"),
    ("film", "half the hall fell asleep", "the whole hall clapped"),
    ("waiter", "he forgot us for an hour", "he remembered all our names"),
    ("bus", "it never comes", "it always comes on time"),
    ("coat", "it lost its buttons in a day", "it still looks new after ten years"),
    ("party", "everybody left after ten minutes", "nobody wanted to go home"),
    ("phone", "it breaks every week", "it has never broken"),
    ("garden", "nothing but mud and glass", "full of roses and birds"),
    ("doctor", "she did not look at me once", "she listened to every word"),
    ("cake", "it tasted of soap", "it tasted of honey"),
    ("bed", "I woke up with a stiff back", "I slept like a child"),
    ("teacher", "he shouts at everybody", "he helps everybody"),
    ("song", "the dogs began to howl", "the children began to dance"),
    ("bridge", "it fell down in the first wind", "it has stood for a hundred years"),
    ("book", "I could not finish a page", "I could not put it down"),
    ("game", "we lost nine to nothing", "we won nine to nothing"),
    ("train", "cold, dirty and loud", "warm, clean and quiet"),
    ("room", "no window and a broken lamp", "a wide window and a soft bed"),
    ("map", "every street on it is wrong", "every street on it is right"),
)


def feeling_questions(event: Any, praise: bool = True) -> list[Question]:
    """What a speaker feels after a bad or good event, with a word of praise in front of it or without.

    Praise in front of a bad event is sarcasm. The other three kinds are the controls.

    >>> feeling_questions("bad")[0].prompt
    'Great, another flat tyre. Now I feel'

    Raises ValueError for an event that is neither "bad" nor "good".
    """
    _check_event(event)
    found = []
    for i, pair in enumerate(_EVENTS):
        happened = pair[event == "good"]
        text = f"{_PRAISE[i % len(_PRAISE)]} {happened}" if praise else happened[0].upper() + happened[1:]
        found.append(Question(happened, f"{text}. Now I feel", GOOD_OR_BAD, f" {event}"))
    return found


def opinion_questions(event: Any, praise: bool = True) -> list[Question]:
    """What a speaker thinks of a thing, with praise for it and a bad or good reason, or with the reason alone.

    Harder than `feeling_questions`: the praise is about the very thing that is asked for.

    >>> opinion_questions("bad")[0].prompt
    'Tom says: "What a lovely hotel, with mice in every room." So Tom thinks that the hotel is'

    Raises ValueError for an event that is neither "bad" nor "good".
    """
    _check_event(event)
    found = []
    for i, (thing, *reasons) in enumerate(_REVIEWS):
        begins = _SUCH_A[i % len(_SUCH_A)] if praise else "A"
        said = f"{begins} {thing}, {reasons[event == 'good']}."
        found.append(
            Question(thing, f'Tom says: "{said}" So Tom thinks that the {thing} is', GOOD_OR_BAD, f" {event}")
        )
    return found


def _check_event(event: Any) -> None:
    if event not in ("bad", "good"):
        raise ValueError(f'the event must be "bad" or "good", got {event!r:.60}; bad with praise is sarcasm')


# ---------------------------------------------------------------------------------------------
# 4. Counting.

DIGITS = tuple("123456789")
_ITEMS = (
    "cup", "spoon", "chair", "lamp", "book", "pen", "shoe", "apple", "key", "coat", "bottle", "clock", "hat", "box",
    "knife", "plate", "candle", "ball", "ring", "rope",
)  # fmt: skip
LISTS_PER_COUNT = 10
_LETTERS = (  # each word with a letter that it has once, twice or three times
    "r bread, a table, n window, o flower, s basket, i fish, l milk, t water, m lamp, c cloud, d garden, u nurse, "
    "r carrot, o book, t butter, p apple, l yellow, n tunnel, s glass, f coffee, m summer, e green, a salad, b rabbit, "
    "r strawberry, r mirror, a banana, e freezer, o tomorrow, p pepper, e sleeve, t statement, s sisters, i visiting, "
    "o monsoon, n nineteen"
)


def list_questions(examples: bool = False, seed: int = 0) -> list[Question]:
    """How many things are in a list: ten lists of each length from 1 to 9, rolled by the seed.

    The model is asked as it was taught to be, or else after two examples.

    >>> list_questions(examples=True)[10].prompt.splitlines()[-1].rstrip()
    'Items: clock, knife. Number of items:'
    """
    rng = np.random.default_rng(seed)
    found = []
    for count in range(1, 10):
        for first in rng.permutation(_ITEMS)[:LISTS_PER_COUNT]:  # so that no two lists are the same
            others = rng.choice([item for item in _ITEMS if item != first], count - 1, replace=False)
            items = ", ".join([first, *others])
            if examples:
                shown = "Items: pen, hat, egg. Number of items: 3\nItems: door, sun. Number of items: 2\n"
                prompt = f"{shown}Items: {items}. Number of items: "
            else:
                prompt = chat(
                    f"How many items are in this list: {items}?", "The number of items in the list is "
                )
            found.append(Question(str(count), prompt, DIGITS, str(count)))
    return found


def letter_questions(examples: bool = False) -> list[Question]:
    """How often a letter stands in a word: 12 words each in which it does so once, twice and three times.

    >>> letter_questions(examples=True)[24].prompt.splitlines()[-1].rstrip()
    'How many letters "r" are in "strawberry"? Answer:'
    """
    found = []
    for pair in _LETTERS.split(", "):
        letter, word = pair.split()
        question, count = f'How many letters "{letter}" are in "{word}"?', str(word.count(letter))
        if examples:
            shown = 'How many letters "o" are in "fog"? Answer: 1\nHow many letters "e" are in "tree"? Answer: 2\n'
            prompt = f"{shown}{question} Answer: "
        else:
            prompt = chat(question, f'The number of letters "{letter}" in "{word}" is ')
        found.append(Question(count, prompt, DIGITS, count))
    return found


class Counted(NamedTuple):
    """What a model answered where the true count was this one."""

    count: int
    score: Score
    answers: tuple[int, ...]


def by_count(choices: Sequence) -> list[Counted]:
    """The choices of counting questions, one entry for each true count."""
    found = []
    for count in sorted({int(choice.question.right) for choice in choices}):
        these = [choice for choice in choices if int(choice.question.right) == count]
        found.append(Counted(count, score(these), tuple(int(choice.chosen) for choice in these)))
    return found


# ---------------------------------------------------------------------------------------------
# All of it, measured once.


def questions() -> dict[str, list[Question]]:
    """Every question with options, by kind."""
    return {
        "occupations": pronoun_questions(),
        "person": pronoun_questions(["person"]),
        "names": named_questions(),
        "names nearer": named_questions("The {job}, {name}, said that"),
        "known words": known_word_questions(),
        "invented words": slang_questions(explained=0),
        "explained words": slang_questions(explained=1),
        "two words explained": slang_questions(explained=2),
        **{
            f"{test}, {event}{', praise' if praise else ''}": asked(event, praise)
            for test, asked in (("feeling", feeling_questions), ("opinion", opinion_questions))
            for praise in (True, False)
            for event in ("bad", "good")
        },
        "lists": list_questions(),
        "letters": letter_questions(),
        "lists, examples": list_questions(examples=True),
        "letters, examples": letter_questions(examples=True),
    }


def facts() -> dict[str, tuple[tuple[Fact, ...], tuple[tuple[str, str], ...]]]:
    """Every question for a fact by kind, with the examples that stand in front of it."""
    return {
        "facts": (FACTS, KNOWING),
        "nobody knows": (NOBODY_KNOWS, KNOWING),
        "facts, may doubt": (FACTS, DOUBTING),
        "nobody knows, may doubt": (NOBODY_KNOWS, DOUBTING),
    }


class Limits(NamedTuple):
    """What SmolLM2 chose and answered."""

    choices: dict[str, tuple[Choice, ...]]  # under the names of `questions`
    answers: dict[str, tuple[Answer, ...]]  # under the names of `facts`


def save_limits(limits: Limits, path: Path) -> None:
    """Writes raw numbers, one question a line, all or nothing; four digits, since others differ between processors."""
    choices = {
        kind: [[each.question.prompt, [_four(value) for value in each.log_odds]] for each in found]
        for kind, found in limits.choices.items()
    }
    answers = {
        kind: [[each.fact.question, each.said, _four(each.probability), _four(each.margin)] for each in found]
        for kind, found in limits.answers.items()
    }
    parts = []
    for name, kinds in (("choices", choices), ("answers", answers)):
        lists = (
            f"{json.dumps(kind)}: [\n"
            + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
            + "\n]"
            for kind, rows in kinds.items()
        )
        parts.append(f'"{name}": {{\n' + ",\n".join(lists) + "\n}")
    head = json.dumps({"format": FORMAT, "command": COMMAND})
    text = head[:-1] + ",\n" + ",\n".join(parts) + "\n}\n"
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _four(value: float) -> float:
    return float(f"{value:.4g}")


def load_limits(path: str | os.PathLike[str] = LIMITS) -> Limits:
    """What ``python -m helpers.limits`` measured, question by question.

    >>> len(load_limits().choices["occupations"])
    192

    Raises FileNotFoundError for a file that is not there, and ValueError for one that is damaged, holds something
    else, or was made with other questions.
    """
    return load_results(path, _limits_from, format=FORMAT, command=COMMAND)


def _limits_from(found: Any) -> Limits:
    """What is in the file, beside the questions that it must belong to."""
    choices = {
        kind: tuple(_choice(*pair) for pair in zip(asked, found["choices"][kind], strict=True))
        for kind, asked in questions().items()
    }
    answers = {
        kind: tuple(_answered(*pair) for pair in zip(asked, found["answers"][kind], strict=True))
        for kind, (asked, _examples) in facts().items()
    }
    return Limits(choices, answers)


def _choice(question: Question, row: Any) -> Choice:
    prompt, log_odds = row
    if prompt != question.prompt or len(log_odds) != len(question.options):
        raise ValueError(f"{prompt!r:.60} in place of {question.prompt!r:.60}")
    if not all(-math.inf < value <= 0 for value in log_odds):
        raise ValueError(f"{log_odds} after {prompt!r:.60}")
    return Choice(question, tuple(float(value) for value in log_odds))


def _answered(fact: Fact, row: Any) -> Answer:
    asked, said, probability, margin = row
    if asked != fact.question or not isinstance(said, str):
        raise ValueError(f"{asked!r:.60} in place of {fact.question!r:.60}")
    if not (0 <= probability <= 1 and margin >= 0):
        raise ValueError(f"{probability} and {margin} after {asked!r:.60}")
    return Answer(fact, said, float(probability), float(margin))


# ---------------------------------------------------------------------------------------------
# The footprint, as others have published it.

_BLOOM = "Luccioni, Viguier and Ligozat 2023, 'Estimating the Carbon Footprint of BLOOM', arXiv:2211.02001"
_GEMINI = "Elsworth et al. 2025, 'Measuring the environmental impact of delivering AI at Google Scale', arXiv:2508.15734"
_WATER = "Li et al. 2023, 'Making AI Less \"Thirsty\"', arXiv:2304.03271, abstract"
_LLAMA3_CARD = "Llama 3.1 model card, Meta, 23 July 2024"
_POWER = "Luccioni, Jernite and Strubell 2024, 'Power Hungry Processing', arXiv:2311.16863, table 2"

FOOTPRINT: tuple[Figure, ...] = (
    Figure("GPT-3", "training, carbon", 552, "tonnes of CO2 equivalent", "estimated",
           "Patterson et al. 2021, arXiv:2104.10350, table 4", "from outside, for the electricity alone"),
    Figure("GPT-3", "training, water", 700_000, "litres", "estimated", _WATER,
           "from outside, evaporated for cooling, had it been trained in Microsoft's data centres in the US"),
    Figure("BLOOM", "training, energy", 433_196, "kWh", "published", _BLOOM, "what the GPUs may draw at most, for the last run"),
    Figure("BLOOM", "training, carbon", 24.7, "tonnes of CO2 equivalent", "published", f"{_BLOOM}, abstract",
           "the GPUs' electricity alone, in France"),
    Figure("BLOOM", "training, carbon in all", 50.5, "tonnes of CO2 equivalent", "published", f"{_BLOOM}, abstract",
           "with the making of the machines and what they draw when idle"),
    Figure("Llama 3.1 405B", "training, carbon", 8_930, "tonnes of CO2 equivalent", "published", _LLAMA3_CARD,
           "by the power grids where it was trained; 0 if certificates for renewable power are counted"),
    Figure("Gemini", "one answer, energy", 0.24, "Wh", "published", f"{_GEMINI}, abstract",
           "the median prompt of text in May 2025, with idle machines and cooling; by its maker, not checked by others"),
    Figure("Gemini", "one answer, water", 0.26, "millilitres", "published", f"{_GEMINI}, abstract",
           "for cooling; none for making the electricity"),
    Figure("open models for text", "1,000 answers, energy", 0.047, "kWh", "published", _POWER, "mean of the models that they tried"),
    Figure("open models for pictures", "1,000 pictures, energy", 2.907, "kWh", "published", _POWER,
           "mean of the models that they tried, which differ widely"),
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# The command.


def measure(model, tokenizer, say=lambda _line: None) -> Limits:
    """Puts every question to a model; `say` hears how it goes."""
    began = time.perf_counter()
    choices, answers = {}, {}
    for kind, asked in questions().items():
        choices[kind] = tuple(choose(model, tokenizer, asked))
        say(f"{kind:<24} {len(asked):4} questions  {time.perf_counter() - began:5.0f} s")
    for kind, (asked, examples) in facts().items():
        answers[kind] = tuple(ask(model, tokenizer, asked, examples))
        say(f"{kind:<24} {len(asked):4} questions  {time.perf_counter() - began:5.0f} s")
    return Limits(choices, answers)


def main(arguments: Sequence[str] | None = None) -> None:
    """Puts every question to SmolLM2, prints how it goes, and writes what came back."""
    from helpers.pretrained import load_smollm2

    parser = argparse.ArgumentParser(prog="python -m helpers.limits", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=LIMITS)
    options = parser.parse_args(arguments)
    limits = measure(*load_smollm2(), say=lambda line: print(line, flush=True))
    save_limits(limits, options.out)
    print(f"wrote {options.out.name}, {options.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
