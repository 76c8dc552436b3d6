"""Skills: what a model in training can do already, and what it can't do yet.

A falling loss says that a model gets better, not at what. Tinytown's stories are told by a program, so that the
places where one skill decides are known exactly: where the colour of a story's beginning comes back, where the
animal that was chased runs first, where the clown's sum is one too many. The dice allow a single word there, and
whether a model says it can be counted.

1. What a loss can be compared with: ``landmarks``.
2. Skills: ``skill_questions``, ``measure``, and what it costs to lack one: ``forgetful_loss``.
3. The heads behind a skill: ``lookback_attention``, ``without_heads``.
4. The model's dice against the true dice: ``divergences``, ``divergence_by_position``, ``divergence_by_kind``,
   ``worst_places``.

What this leaves out: how training finds a skill. That it fails without a head shows that the head is needed.

Sources: Kullback and Leibler, "On Information and Sufficiency" (1951), equation 2.3, for the divergence; Cover and
Thomas, "Elements of Information Theory", theorem 5.4.3, for what wrong odds cost; Olsson et al. 2022, "In-context
Learning and Induction Heads", for a bend of the loss and the heads that appear with it.
"""

import contextlib
import copy
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from helpers import tinytown
from helpers.attention import Head, _heads
from helpers.ngrams import NGram
from helpers.tinytown import TINYTOWN, VOCABULARY, Story, as_words, next_word_distribution, parse
from helpers.training import story_rows
from helpers.transformer import GPT

Count = int | float  # of whole things; a fraction is let in so that it can be refused in a sentence

# Each skill, and a place that needs it: the word behind the dots is the only one that the dice allow.
SKILLS = {
    "animal": "once there was a red fox by the mill . (...) then the red ... fox",
    "place": "once there was a red fox by the mill . (...) went home to the ... mill",
    "colour": "once there was a red fox by the mill . (...) then the ... red",
    "swapped subject": "look , the fox chases the hen ! the ... hen",
    "teacher's sum": "today the teacher says two and two is ... four",
    "clown's sum": "today the clown says two and two is ... five",
}

# The words in {braces} that a story writes from memory, by their kind.
REMEMBERED = {
    f"{{{symbol.value}}}"
    for faces in tinytown.DICE.values()
    for face in faces
    for symbol in parse(face)
    if symbol.kind == "recall" and symbol.value not in tinytown.WORKED_OUT
}

_IDS = {word: number for number, word in enumerate(VOCABULARY)}
_AT_ONCE = 256  # stories that a model reads in one go


# ---------------------------------------------------------------------------------------------
# What is accepted.


def _whole(name: str, value: Count, most: int) -> int:
    if isinstance(value, bool) or not (
        isinstance(value, int | float) and 1 <= value <= most and value == int(value)
    ):
        raise ValueError(f"{name} must be a whole number from 1 to {most}, got {value!r}; try 10")
    return int(value)


def _check_model(model) -> None:
    if not isinstance(model, GPT) or model.config.vocab_size != len(VOCABULARY):
        got = f"{model.config.vocab_size} words" if isinstance(model, GPT) else type(model).__name__
        raise ValueError(
            f"a model must be a GPT with Tinytown's {len(VOCABULARY)} words, got {got}; try load_tinytown()"
        )
    if not all(weights.isfinite().all() for weights in model.parameters()):
        raise ValueError(
            "a model's weights must be finite, got NaN or infinity; train it anew with a smaller learning rate"
        )


def _check_tales(tales: Iterable) -> list[Story]:
    tales = list(tales)
    if not tales or not all(isinstance(tale, Story) for tale in tales):
        got = _first_unlike(tales, Story)
        raise ValueError(
            f"tales must be stories with their rolls, got {got}; tinytown.told('test', 100) gives some"
        )
    return tales


def _first_unlike(things: list, kind: type) -> str:
    """The type of the first thing that is not of a kind; "none" where there are no things."""
    return next((type(thing).__name__ for thing in things if not isinstance(thing, kind)), "none")


@contextlib.contextmanager
def _reading(model: GPT) -> Iterator[None]:
    """The model in evaluation mode and without gradients; afterwards as it was, so that training can go on."""
    _check_model(model)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)


# ---------------------------------------------------------------------------------------------
# 1. What a loss can be compared with.


class Landmark(NamedTuple):
    """A loss that a training curve passes, and who pays it."""

    nats: float  # per token, a story's end counted
    meaning: str  # what such a predictor knows


def landmarks(train: Sequence[Sequence[str]], fresh: Sequence[Sequence[str]]) -> dict[str, Landmark]:
    """What predictors that know little, and the dice that know all, pay on fresh stories, in the order of a curve.

    The n-grams are counted on the training stories and mixed as in ``helpers.ngrams`` (Witten and Bell), so that no
    loss is infinite. "dice" is the surprise of the true dice on these very stories; "floor" is its mean over all
    stories that could be told. Luck decides which of the two is lower.

    >>> marks = landmarks(tinytown.stories("train", 2000), tinytown.stories("test", 50))
    >>> [name for name, mark in marks.items() if mark.nats > 1.2]  # a trigram pays less
    ['uniform', 'unigram', 'bigram']
    >>> marks["bigram"].meaning
    'counts, looking at one word back'

    Raises ValueError without stories, and for fresh ones that the dice can't tell.
    """
    counts = NGram(3).count(train)
    unigram, bigram, trigram = (counts.shorter(order).loss(fresh) for order in (1, 2, 3))
    dice = [nats for words in fresh for nats in tinytown.surprise(words)]
    return {
        "uniform": Landmark(
            math.log(len(VOCABULARY)), f"knows nothing: all {len(VOCABULARY)} words are alike to it"
        ),
        "unigram": Landmark(unigram, "counts how often each word occurs, looking nowhere"),
        "bigram": Landmark(bigram, "counts, looking at one word back"),
        "trigram": Landmark(trigram, "counts, looking at two words back"),
        "dice": Landmark(sum(dice) / len(dice), "knows the dice: what these very stories cost it"),
        "floor": Landmark(
            tinytown.entropy_per_token(), "the entropy of the dice: below it no model gets on average"
        ),
    }


# ---------------------------------------------------------------------------------------------
# 2. Skills.


class SkillQuestion(NamedTuple):
    """A place in a story at which only one word can come, and the skill that finds it."""

    skill: str  # one of SKILLS
    words: tuple[str, ...]  # the story up to this place
    answer: str  # the word that comes next: the dice allow no other
    sources: tuple[int, ...]  # where in `words` it can be found out, counted from 0


class Score(NamedTuple):
    """How well a skill is mastered: means over its questions, both from 0 to 1."""

    accuracy: float  # share of the questions at which the answer is the most probable word
    probability: float  # of the answer


def word_kinds(tale: Story) -> list[str]:
    """What decided each word of a story, and its end: "[die]", "{remembered word}", "fixed word" or "end".

    A die that must avoid a face says so, as in "[animal not hero]". Where several dice were rolled for one word, the
    first counts.

    >>> tale = tinytown.story(5)
    >>> list(zip(tale.words, word_kinds(tale)))[:6]
    [('look', '[story]'), (',', 'fixed word'), ('the', 'fixed word'), ('mouse', '[animal]'), ('follows', '[does]'),
     ('the', 'fixed word')]
    >>> tale.words[9], word_kinds(tale)[9]
    ('hen', '{rival}')
    """
    pending, rolls = list(reversed(TINYTOWN.start)), iter(tale.rolls)
    kinds: list[str] = []
    rolled = ""
    while pending:
        symbol = pending.pop()
        if symbol.kind == "roll":
            rolled = rolled or (
                f"[{symbol.value} not {symbol.unlike}]" if symbol.unlike else f"[{symbol.value}]"
            )
            pending.extend(reversed(parse(next(rolls).face)))
        else:
            kinds.append(rolled or (f"{{{symbol.value}}}" if symbol.kind == "recall" else "fixed word"))
            rolled = ""
    return [*kinds, "end"]


def _questions_in(tale: Story) -> Iterator[SkillQuestion]:
    """Every question that a story holds, in its order."""
    seen = {roll.remembered_as: roll for roll in tale.rolls if roll.remembered_as}
    ending = next((roll.position for roll in tale.rolls if roll.die == "ending"), 0)
    for at, kind in enumerate(word_kinds(tale)):
        match tale.words[0], kind:
            case "once", "{hue}":
                skill, sources = "colour", ["hue"]
            case "once", "{hero}" if at > ending:
                skill, sources = "animal", ["hero"]
            case "once", "{home}":
                skill, sources = "place", ["home"]
            case "look", "{rival}":
                skill, sources = "swapped subject", ["rival"]
            case "today", "{sum of a and b}":
                skill, sources = f"{seen['who'].face}'s sum", ["who", "a", "b"]
            case "today", "{sum of c and d}":
                skill, sources = f"{seen['who'].face}'s sum", ["who", "c", "d"]
            case _:
                continue
        places = tuple(seen[name].position for name in sources)
        yield SkillQuestion(skill, tale.words[:at], tale.words[at], places)


def skill_questions(count: Count = 30, seed: int = 0) -> list[SkillQuestion]:
    """``count`` questions for each of ``SKILLS``, found in fresh stories; the same for the same seed.

    The stories are of the test split, none of which a model was trained on; a short beginning, such as a sum, may have
    occurred. The questions are as hard as the dice make them: the most frequent answers are asked for most often.

    >>> question = skill_questions(1)[2]
    >>> question.skill, question.words[:5], question.words[-2:], question.answer
    ('colour', ('once', 'there', 'was', 'a', 'black'), ('then', 'the'), 'black')

    Raises ValueError for a count that is no whole number from 1 to 300.
    """
    count = _whole("count", count, most=300)
    found: dict[str, list[SkillQuestion]] = {skill: [] for skill in SKILLS}
    needed = 20 * count
    while any(len(questions) < count for questions in found.values()):
        found = {skill: [] for skill in SKILLS}
        for tale in tinytown.told("test", needed, seed):
            for question in _questions_in(tale):
                found[question.skill].append(question)
        needed *= 2  # the stories begin as before, and go on
    return [question for questions in found.values() for question in questions[:count]]


def _check_questions(questions: Iterable) -> list[SkillQuestion]:
    questions = list(questions)
    if not questions or not all(isinstance(question, SkillQuestion) for question in questions):
        got = _first_unlike(questions, SkillQuestion)
        raise ValueError(
            f"questions must be a list of SkillQuestion, got {got}; skill_questions(30) gives some"
        )
    return questions


def _rows(questions: Sequence[SkillQuestion]) -> tuple[Int[Tensor, "question seq"], Int[Tensor, " question"]]:
    """The ids of the questions behind ``<start>``, and the position of the last word of each."""
    inputs, _ = story_rows([question.words for question in questions])
    # Behind a question's words stands padding, which a look back can't see.
    return inputs, torch.tensor([len(question.words) for question in questions])


def _odds(predictor: GPT | NGram, questions: Sequence[SkillQuestion]) -> Float[np.ndarray, "question vocab"]:
    """The probability of every word of the vocabulary as the answer to each question."""
    if isinstance(predictor, NGram):
        rows = [
            [predictor.probability(word, question.words) for word in VOCABULARY] for question in questions
        ]
        return np.array(rows)
    with _reading(predictor):
        inputs, last = _rows(questions)
        logits = predictor(inputs.to(predictor.device))[torch.arange(len(questions)), last]
        return logits.cpu().double().softmax(-1).numpy()


def measure(predictor: GPT | NGram, questions: Iterable) -> dict[str, Score]:
    """How well a model masters each skill that is asked for, in the questions' order.

    An ``NGram`` shows what counting alone reaches. A model that is being trained goes on as if nothing had happened.

    Raises ValueError without questions, and for a model that does not speak Tinytown.
    """
    questions = _check_questions(questions)
    odds = _odds(predictor, questions)
    answers = np.array([_IDS[question.answer] for question in questions])
    right = odds.argmax(-1) == answers
    probability = odds[np.arange(len(questions)), answers]
    skills = np.array([question.skill for question in questions])
    return {
        skill: Score(float(right[skills == skill].mean()), float(probability[skills == skill].mean()))
        for skill in dict.fromkeys(skills.tolist())
    }


def forgetful_loss(tales: Sequence, forgotten: Iterable[str]) -> float:
    """What the dice would pay on stories, in nats per token, if they forgot some words and rolled them anew.

    ``tales`` are stories with their rolls, as ``tinytown.told`` gives them; ``forgotten`` names remembered words as
    the story program does: hue (the colour), home (the place), who, hero, rival. A colour stands in a story once before
    it comes back: a model that can't look it up pays at least this on average, whatever else it knows.

    >>> tale = tinytown.story(5)  # "look , the mouse follows the hen ! the hen runs ...": 10 of 75 sides show the hen
    >>> more = forgetful_loss([tale], ["rival"]) - forgetful_loss([tale], [])
    >>> round(math.exp(-more * (len(tale.words) + 1)), 4), round(10 / 75, 4)
    (0.1333, 0.1333)

    Raises ValueError without a story, and for a word that no story remembers.
    """
    names = {f"{{{name}}}": name for name in forgotten}
    if unknown := set(names) - REMEMBERED:
        raise ValueError(
            f"forgotten must name remembered words, got {', '.join(sorted(unknown))}; "
            f"stories remember {', '.join(sorted(REMEMBERED))}"
        )
    total, tokens = 0.0, 0
    for tale in _check_tales(tales):
        odds = {roll.remembered_as: roll.probability for roll in tale.rolls}
        total += sum(tinytown.surprise(tale.words))
        total -= sum(math.log(odds[names[kind]]) for kind in word_kinds(tale) if kind in names)
        tokens += len(tale.words) + 1
    return total / tokens


# ---------------------------------------------------------------------------------------------
# 3. The heads behind a skill.


def lookback_attention(model: GPT, questions: Iterable) -> Float[np.ndarray, "layer head"]:
    """How much each head looks, from a question's last word, at the places where the answer can be found out.

    A mean over the questions, from 0 to 1; where a question has several such places, their weights are added. A head
    that looks at all words alike gives one of them about 0.04. What is fetched in two steps, by one head to the next
    word and by another from there, is not seen. (``helpers.attention.lookback`` finds its places by the words alone, so
    that a colour which comes again by chance counts too.)

    Raises ValueError without questions, and for a model that does not speak Tinytown.
    """
    questions = _check_questions(questions)
    with _reading(model):
        inputs, last = _rows(questions)
        _, trace = model(inputs.to(model.device), trace=True)
        attention = trace.attention.cpu()  # [layer, question, head, query, key]
        # In front of the words stands <start>.
        spent = [
            attention[:, number, :, last[number], [place + 1 for place in question.sources]].sum(-1)
            for number, question in enumerate(questions)
        ]
        return torch.stack(spent).mean(0).numpy()


def without_heads(model: GPT, heads: Iterable[Head]) -> GPT:
    """A copy of a model in which some heads, named as (layer, head) from 0, find nothing: zeros in place of their part.

    >>> from helpers.pretrained import load_tinytown
    >>> model, _ = load_tinytown()
    >>> asked = [question for question in skill_questions(10) if question.skill == "place"]
    >>> heads = [tuple(head) for head in np.argwhere(lookback_attention(model, asked) > 0.25).tolist()]
    >>> measure(model, asked)["place"].accuracy
    1.0
    >>> measure(without_heads(model, heads), asked)["place"].accuracy < 0.6
    True

    Raises ValueError for a head that the model lacks. Michel et al. 2019, section 2.3.
    """
    _check_model(model)
    off = _heads(model, heads)
    smaller = copy.deepcopy(model)
    d_head = model.config.d_head
    with torch.no_grad():
        for layer, head in off:
            # Each head has its own columns of the matrix that brings what it found into the stream.
            smaller.blocks[layer].attention.output.weight[:, head * d_head : (head + 1) * d_head] = 0.0
    return smaller


# ---------------------------------------------------------------------------------------------
# 4. The model's dice against the true dice.


class ByPosition(NamedTuple):
    """How far a model's dice are from the true ones after 0, 1, 2, ... words of a story."""

    mean: Float[np.ndarray, " seq"]  # nats
    count: Int[np.ndarray, " seq"]  # stories that get this far


class ByKind(NamedTuple):
    """How far a model's dice are from the true ones at words of one kind."""

    mean: float  # nats at such a word
    share: float  # of the divergence of all words together
    count: int  # words of this kind


class WorstPlace(NamedTuple):
    """A beginning of a story after which a model's dice are far from the true ones."""

    words: tuple[str, ...]
    true: dict[str, float]  # every word that can come, the most probable first
    model: dict[str, float]  # the five words that the model finds most probable
    nats: float  # the divergence


def _true_odds(words: Sequence[str]) -> Float[np.ndarray, "seq vocab"]:
    """The exact probability of every word at each place of a story, and behind its last word."""
    places = list(TINYTOWN.next_word_distributions(words))
    odds = np.zeros((len(places), len(VOCABULARY)))
    for row, place in zip(odds, places, strict=True):
        for word, probability in place.items():
            row[_IDS[word]] = probability
    return odds


def divergences(model: GPT, stories: Sequence[Sequence[str]]) -> Float[np.ndarray, "story seq"]:
    """How far a model's dice are from the true ones at each place of stories, in nats; NaN behind a story's end.

    The Kullback-Leibler divergence of the model from the truth, exact over the whole vocabulary: the sum of
    p ln(p / q) over all words, with p from the dice and q from the model. It is 0 where both agree, and it is what
    the model pays there, on average, above what the dice themselves pay. Column 0 is the first word.

    Raises ValueError without a story, for stories that the dice can't tell, and for a model that does not speak
    Tinytown.
    """
    stories = [as_words(story) for story in stories]
    inputs, _ = story_rows(stories)
    found = np.full(tuple(inputs.shape), np.nan)
    with _reading(model):
        for start in range(0, len(stories), _AT_ONCE):
            logits = model(inputs[start : start + _AT_ONCE].to(model.device))
            log_q = logits.cpu().double().log_softmax(-1).numpy()
            for number, story in enumerate(stories[start : start + _AT_ONCE]):
                p = _true_odds(story)
                log_p = np.log(np.where(p > 0, p, 1.0))  # 0 ln 0 counts as 0
                found[start + number, : len(p)] = (p * (log_p - log_q[number, : len(p)])).sum(-1)
    return found


def divergence_by_position(model: GPT, stories: Sequence[Sequence[str]]) -> ByPosition:
    """The mean divergence after each number of words, over the stories that get so far (see ``divergences``).

    The mean over all places, ``np.average(found.mean, weights=found.count)``, is what the model pays above the dice,
    per token: its loss minus theirs, but for the luck of the draw.
    """
    found = divergences(model, stories)
    return ByPosition(np.nanmean(found, axis=0), np.isfinite(found).sum(axis=0))


def divergence_by_kind(model: GPT, tales: Sequence) -> dict[str, ByKind]:
    """The divergence at words of each kind (see ``word_kinds``), the kind with the largest share first.

    ``tales`` are stories with their rolls, as ``tinytown.told`` gives them. While a loss stands still, the first kind
    says what the model can't do yet.

    Raises ValueError as ``divergences`` does.
    """
    tales = _check_tales(tales)
    found = divergences(model, [tale.words for tale in tales])
    by_kind = defaultdict(list)
    for row, tale in zip(found, tales, strict=True):
        for nats, kind in zip(row, word_kinds(tale), strict=False):  # behind an end stand NaNs
            by_kind[kind].append(nats)
    total = np.nansum(found)
    kinds = {
        kind: ByKind(float(np.mean(nats)), float(np.sum(nats) / total), len(nats))
        for kind, nats in by_kind.items()
    }
    return dict(sorted(kinds.items(), key=lambda item: -item[1].share))


def worst_places(model: GPT, stories: Sequence[Sequence[str]], n: Count = 5) -> list[WorstPlace]:
    """The ``n`` beginnings of stories after which a model's dice are farthest from the true ones, the worst first.

    A beginning that several stories share counts once; fewer than ``n`` come where there are no more.

    Raises ValueError as ``divergences`` does, and for an ``n`` that is no whole number from 1 to 1000.
    """
    n = _whole("n", n, most=1000)
    stories = [as_words(story) for story in stories]
    nats = {
        tuple(words[:at]): float(row[at])
        for words, row in zip(stories, divergences(model, stories), strict=True)
        for at in range(len(words) + 1)
    }
    worst = sorted(nats, key=nats.get, reverse=True)[:n]
    inputs, _ = story_rows(worst)
    with _reading(model):
        logits = model(inputs.to(model.device)).cpu().double()
    places = []
    for row, words in zip(logits, worst, strict=True):
        top = row[len(words)].softmax(-1).topk(5)
        guess = zip([VOCABULARY[word] for word in top.indices], top.values.tolist(), strict=True)
        places.append(WorstPlace(words, next_word_distribution(words), dict(guess), nats[words]))
    return places
