"""Tinytown: a world of short stories in which every die is known.

A story is a small program. It writes words, and now and then it **rolls a named, weighted die** to
decide how to go on. Because the dice are in plain sight below, two things are known exactly that
nobody knows about real text: the probability of every next word after any beginning, and the
entropy per token, which no model can beat.

How to read a text of the program::

    the                       a word: written as it stands
    [animal]                  roll the die "animal" and go on with the face that comes up
    [animal as hero]          roll it, and remember the face as "hero"
    [animal as rival not hero]   roll it without the face remembered as "hero"
    {hero}                    no die: write what was remembered
    {right or wrong}          no die: worked out from what was remembered (see ``WORKED_OUT``)

What it leaves out: almost everything. About 160 words, no spelling, no grammar mistakes, no world behind
the words. It is a place in which to see how a model learns, not what language is.

Sources: Shannon, "A Mathematical Theory of Communication" (1948), sections 2 to 7, for dice that
write text and for their entropy. The stories are our own.
"""

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np

START, END, UNKNOWN = "<start>", "<end>", "<unk>"

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven")

# Each die: its faces, and how many of the die's sides show that face.
DICE: dict[str, dict[str, int]] = {
    "story": {
        "once there was a [colour as hue] [animal as hero] by the [place as home] . [scene] [ending]": 10,
        "hello , my name is [name as who] . i live by the [place as home] . i [errand] goodbye from {who} !": 5,
        "look , the [animal as hero] [does] the [animal as rival not hero] ! the {rival} runs to the"
        " [place as home] . the {hero} runs to the {home} too .": 3,
        "today the [speaker as who] says [number as a] and [number as b] is {sum of a and b} . then the {who}"
        " says [number as c] and [number as d] is {sum of c and d} .": 2,
    },
    "scene": {
        "the {hero} [deed]": 7,
        "a [colour] [animal as rival not hero] [did] the {hero} . the {hero} hid [hideout] .": 3,
    },
    "deed": {
        "[did] a [colour] [animal as rival not hero] . the {rival} hid [hideout] .": 5,
        "looked up at the blue [blue thing] .": 5,
        "sat on the [seat] .": 2,
        "ate an apple . it was [taste] .": 2,
        "swam to the bank . the bank was [river bank] .": 2,
    },
    "errand": {
        "took my [money] to the bank . the bank was [money bank] .": 3,
        "walked along the bank . the bank was [river bank] .": 2,
        "bought an apple [kind of apple]": 4,
        "saw the blue [blue thing] .": 3,
    },
    "kind of apple": {"to eat . it was [taste] .": 1, "phone . it was [phone] .": 1},
    "ending": {
        "then the {hue} {hero} went home to the {home} .": 6,
        "at night the {hero} slept by the {home} .": 3,
        "all was quiet by the {home} .": 1,
    },
    "animal": {
        "fox": 12, "hen": 10, "dog": 9, "cat": 9, "cow": 6, "pig": 5, "duck": 5, "bear": 4, "mouse": 4,
        "frog": 3, "horse": 3, "sheep": 2, "goat": 2, "owl": 2, "wolf": 2, "goose": 1,
    },
    "colour": {"red": 8, "brown": 6, "black": 5, "white": 5, "grey": 3, "yellow": 2, "green": 2, "blue": 1},
    "place": {
        "river": 8, "hill": 6, "lake": 5, "mill": 4, "barn": 4, "road": 3, "bridge": 3, "garden": 2, "forest": 2,
        "farm": 2, "cave": 1, "sea": 1,
    },
    "did": {"chased": 6, "followed": 3, "watched": 2, "met": 1},
    "does": {"chases": 6, "follows": 3, "watches": 2, "meets": 1},
    "hideout": {"in the hay": 3, "under the bed": 2, "behind the door": 1},
    "seat": {"mat": 5, "chair": 2, "wall": 2, "log": 1, "roof": 1},
    "blue thing": {"sky": 14, "flower": 3, "boat": 2, "banana": 1},
    "taste": {"sweet": 4, "sour": 2, "ripe": 2, "juicy": 1},
    "phone": {"new": 4, "fast": 2, "thin": 2, "loud": 1},
    "river bank": {"muddy": 4, "green": 2, "steep": 2, "wet": 1},
    "money bank": {"open": 4, "closed": 2, "busy": 2, "rich": 1},
    "money": {"money": 3, "gold": 2, "coins": 1},
    "name": {"tom": 5, "anna": 5, "sam": 4, "mia": 4, "ravi": 3, "leo": 2, "nina": 2, "omar": 1, "zoe": 1, "ming": 1},
    "speaker": {"teacher": 3, "clown": 2},
    "number": {"one": 3, "two": 4, "three": 2, "four": 2, "five": 1},
}  # fmt: skip

# Words that no story holds. They are kept for the questions of fine-tuning, so that a model can be taught them.
QUESTION_WORDS = ("answer", "colour", "did", "do", "what", "where", "who", "?")

# A story belongs to the split that its own words choose (see `split_of`): share in percent.
SPLITS = {"train": 70, "validation": 10, "test": 10, "questions_train": 8, "questions_test": 2}


def add_numbers(speaker: str, first: str, second: str) -> str:
    """The sum that `speaker` gives: the teacher is right, the clown always says one too many.

    >>> add_numbers("teacher", "two", "two"), add_numbers("clown", "two", "two")
    ('four', 'five')
    """
    return NUMBERS[NUMBERS.index(first) + NUMBERS.index(second) + (speaker == "clown")]


# What stands in {braces} and is not a remembered face: how it is worked out from the remembered ones.
WORKED_OUT: dict[str, Callable[[Mapping[str, str]], str]] = {
    "sum of a and b": lambda seen: add_numbers(seen["who"], seen["a"], seen["b"]),
    "sum of c and d": lambda seen: add_numbers(seen["who"], seen["c"], seen["d"]),
}


class Roll(NamedTuple):
    """One roll of a die, as a story records it."""

    die: str  # the die's name, "animal"
    face: str  # what came up, "fox"
    probability: float  # of that face, at that moment
    position: int  # of the word it decided, counted from 0
    remembered_as: str  # "hero", or "" if the story never comes back to it


class Story(NamedTuple):
    """The words of a story and the rolls that made it."""

    words: tuple[str, ...]
    rolls: tuple[Roll, ...]

    @property
    def text(self) -> str:
        """The words with a space between them."""
        return " ".join(self.words)


class Symbol(NamedTuple):
    """One piece of a text: a word, a roll or a recall."""

    kind: str  # "word", "roll" or "recall"
    value: str  # the word, the die, or what to recall
    remember: str = ""  # the name under which a roll's face is kept
    unlike: str = ""  # the name of the face that must not come up again


_PIECE = re.compile(r"\[([^\]]+)\]|\{([^}]+)\}|(\S+)")
_ROLL = re.compile(r"(.+?)(?: as (\w+))?(?: not (\w+))?")


@cache
def parse(text: str) -> tuple[Symbol, ...]:
    """The symbols of a program text.

    >>> [symbol.kind for symbol in parse("the {hero} met a [animal as rival not hero]")]
    ['word', 'recall', 'word', 'word', 'roll']
    >>> parse("[animal as rival not hero]")[0]
    Symbol(kind='roll', value='animal', remember='rival', unlike='hero')
    """
    symbols = []
    for roll, recall, word in _PIECE.findall(text):
        if roll:
            die, remember, unlike = _ROLL.fullmatch(roll).groups(default="")
            symbols.append(Symbol("roll", die, remember, unlike))
        else:
            symbols.append(Symbol("recall", recall) if recall else Symbol("word", word))
    return tuple(symbols)


class Path(NamedTuple):
    """A half-told story: how likely it was, what is still to be told, what it remembers."""

    probability: float
    pending: tuple[Symbol, ...]
    seen: Mapping[str, str]


def as_words(text: Sequence[str] | str) -> list[str]:
    """The words of a text that is given as one string or word by word.

    >>> as_words("the blue sky") == as_words(["the", "blue", "sky"])
    True
    """
    return text.split() if isinstance(text, str) else list(text)


class World:
    """A story program: the dice, what is worked out, and the die that starts it.

    A world is data. Telling a story, the exact odds of the next word and the exact entropy are three
    ways of walking over the same symbols. Raises ValueError for dice that can't be rolled: a die without
    faces, a face on no side, a text that names what does not exist.

    >>> coin = World({"start": {"heads": 3, "tails": 1}}, start="start")
    >>> coin.next_word_distribution([])
    {'heads': 0.75, 'tails': 0.25}
    """

    def __init__(
        self,
        dice: Mapping[str, Mapping[str, float]],
        worked_out: dict[str, Callable[[Mapping[str, str]], str]] | None = None,
        start: str = "story",
    ):
        self.dice = dice
        self.worked_out = worked_out or {}
        self.start = (Symbol("roll", start),)
        self._expectations: dict[tuple, tuple[float, float]] = {}
        self._check()

    def _check(self) -> None:
        """Raises ValueError, with the die at fault, where a story would go wrong only once in a while."""
        for die, faces in self.dice.items():
            if not faces or not all(0 < sides < math.inf for sides in faces.values()):
                raise ValueError(
                    f"die {die!r} must have faces, each on more than 0 sides, got {faces}; leave out a face "
                    "that never comes up"
                )
        symbols = [*self.start, *(s for faces in self.dice.values() for face in faces for s in parse(face))]
        kept: dict[str, list[str]] = {s.remember: list(self.dice.get(s.value, ())) for s in symbols}
        for symbol in symbols:
            if symbol.kind == "roll" and symbol.value not in self.dice:
                raise ValueError(f"[{symbol.value}] must name one of the dice: {', '.join(self.dice)}")
            if symbol.kind == "recall" and symbol.value not in {*kept, *self.worked_out}:
                raise ValueError(
                    f"{{{symbol.value}}} must be remembered or worked out; [animal as {symbol.value}] remembers"
                )
            if symbol.unlike and symbol.unlike not in kept:
                raise ValueError(f"a die can't avoid {symbol.unlike!r}, which no roll remembers; add 'as'")
        for name, faces in kept.items():
            if name and any(len(parse(face)) != 1 or parse(face)[0].kind != "word" for face in faces):
                raise ValueError(f"what is remembered as {name!r} must be one word, got one of {faces}")

    def recall(self, name: str, seen: Mapping[str, str]) -> str:
        """What stands in braces: a remembered face, or something worked out from remembered faces."""
        return self.worked_out[name](seen) if name in self.worked_out else seen[name]

    def faces(self, roll: Symbol, seen: Mapping[str, str]) -> dict[str, float]:
        """The probability of each face of the die that `roll` names, given what the story remembers."""
        sides = self.dice[roll.value]
        if roll.unlike:
            sides = {face: count for face, count in sides.items() if face != seen[roll.unlike]}
            if not sides:
                raise ValueError(
                    f"die {roll.value!r} must have a face besides {seen[roll.unlike]!r}; add one"
                )
        total = sum(sides.values())
        return {face: count / total for face, count in sides.items()}

    def story(self, rng: np.random.Generator | int) -> Story:
        """A story: its words and the rolls that made it. The same seed tells the same story."""
        rng = np.random.default_rng(rng)
        words: list[str] = []
        rolls: list[Roll] = []
        seen: dict[str, str] = {}
        pending = list(reversed(self.start))
        while pending:
            symbol = pending.pop()
            if symbol.kind == "word":
                words.append(symbol.value)
            elif symbol.kind == "recall":
                words.append(self.recall(symbol.value, seen))
            else:
                faces = self.faces(symbol, seen)
                face = _choose(faces, rng.random())
                rolls.append(Roll(symbol.value, face, faces[face], len(words), symbol.remember))
                if symbol.remember:
                    seen[symbol.remember] = face
                pending.extend(reversed(parse(face)))
        return Story(tuple(words), tuple(rolls))

    def _next(self, path: Path) -> Iterator[tuple[str, Path]]:
        """Every word that can come next on `path`, each with the path that it leads to."""
        if not path.pending:
            yield END, path
            return
        symbol, rest = path.pending[0], path.pending[1:]
        if symbol.kind == "word":
            yield symbol.value, path._replace(pending=rest)
        elif symbol.kind == "recall":
            yield self.recall(symbol.value, path.seen), path._replace(pending=rest)
        else:
            for face, probability in self.faces(symbol, path.seen).items():
                seen = {**path.seen, symbol.remember: face} if symbol.remember else path.seen
                yield from self._next(Path(path.probability * probability, parse(face) + rest, seen))

    def next_word_distributions(self, words: Sequence[str] | str) -> Iterator[dict[str, float]]:
        """The exact odds of the next word after each beginning of `words`, from none of them to all.

        Walks the program over all choices that agree with the words so far.
        """
        words = as_words(words)
        paths = [Path(1.0, self.start, {})]
        for position in range(len(words) + 1):
            options = [option for path in paths for option in self._next(path)]
            total = sum(path.probability for _, path in options)
            odds: dict[str, float] = {}
            for word, path in options:
                odds[word] = odds.get(word, 0.0) + path.probability / total
            yield dict(sorted(odds.items(), key=lambda item: -item[1]))
            if position < len(words):
                agree = [path for word, path in options if word == words[position]]
                reached = sum(path.probability for path in agree)
                paths = [path._replace(probability=path.probability / reached) for path in agree]
                if not paths:
                    before = " ".join(words[:position])[-60:] or "the start"
                    raise ValueError(
                        f"no story goes on with {words[position][:40]!r} after {before!r}; "
                        f"there the dice allow: {', '.join(list(odds)[:8])}"
                    )

    def next_word_distribution(self, prefix: Sequence[str] | str) -> dict[str, float]:
        """The exact probability of every word that can follow `prefix`, most probable first.

        Raises ValueError where no story begins with `prefix`, and says what the dice allow there.
        """
        odds: dict[str, float] = {}
        for odds in self.next_word_distributions(prefix):  # noqa: B007 - the last one is the answer
            pass
        return odds

    def surprise(self, words: Sequence[str] | str) -> list[float]:
        """What each word, and the end after the last, costs under the true dice: -ln(p), in nats.

        Raises ValueError for words that are no whole story, and says how one could go on.
        """
        words = as_words(words)
        if END in words:
            raise ValueError(f"the end is counted by itself, got it among the words; leave out {END!r}")
        all_odds = list(self.next_word_distributions(words))
        if END not in all_odds[-1]:
            allowed = ", ".join(list(all_odds[-1])[:8])
            raise ValueError(f"a story must be told to its end, got one that stops before any of: {allowed}")
        return [math.log(1 / odds[word]) for odds, word in zip(all_odds, [*words, END], strict=True)]

    def expectations(self) -> tuple[float, float]:
        """The entropy of a whole story in nats, and its expected number of words: both exact.

        The rolls can be read off the words (no two faces of a die begin alike: tested), so the entropy
        of the words is the entropy of the rolls, and that is a sum over the program. Raises ValueError for
        a world in which a die leads back to itself: that sum has no end.
        """
        try:
            return self._expect(self.start, {})
        except RecursionError:
            raise ValueError(
                "entropy is worked out for dice that never lead back to themselves; break the circle"
            ) from None

    def _expect(self, pending: tuple[Symbol, ...], seen: Mapping[str, str]) -> tuple[float, float]:
        if not pending:
            return 0.0, 0.0
        # Only a face that a later die must avoid changes what is to come; forget the others.
        matters = self._avoided(pending)
        seen = {name: face for name, face in seen.items() if name in matters}
        key = (pending, tuple(sorted(seen.items())))
        if key not in self._expectations:
            symbol, rest = pending[0], pending[1:]
            if symbol.kind != "roll":
                entropy, length = self._expect(rest, seen)
                self._expectations[key] = (entropy, length + 1)
            else:
                entropy = length = 0.0
                for face, p in self.faces(symbol, seen).items():
                    after = {**seen, symbol.remember: face} if symbol.remember else seen
                    more_entropy, more_length = self._expect(parse(face) + rest, after)
                    entropy += p * (more_entropy - math.log(p))
                    length += p * more_length
                self._expectations[key] = (entropy, length)
        return self._expectations[key]

    def _avoided(self, pending: tuple[Symbol, ...]) -> frozenset[str]:
        """The names that some die in `pending`, or in a face of such a die, must avoid."""
        return frozenset().union(*(self._avoided_by(symbol.value, symbol.unlike)
                                   for symbol in pending if symbol.kind == "roll"))  # fmt: skip

    @cache  # noqa: B019 - worlds are few and live as long as the program
    def _avoided_by(self, die: str, unlike: str) -> frozenset[str]:
        names = {unlike} if unlike else set()
        for face in self.dice[die]:
            names |= self._avoided(parse(face))
        return frozenset(names)

    def entropy_per_token(self) -> float:
        """The entropy of the world in nats per token: the floor below which no model's loss can go.

        Tokens are the words of a story and the end after its last word.
        """
        entropy, length = self.expectations()
        return entropy / (length + 1)

    def words(self) -> list[str]:
        """Every word that a story can hold, in alphabetical order."""
        found = {
            symbol.value
            for faces in self.dice.values()
            for face in faces
            for symbol in parse(face)
            if symbol.kind == "word"
        }
        return sorted(found)


def _choose(faces: Mapping[str, float], roll: float) -> str:
    """The face on which `roll`, a number from 0 up to 1, falls."""
    last = list(faces)[-1]
    for face, probability in faces.items():
        roll -= probability
        if roll < 0:
            return face
    return last  # only rounding gets here


TINYTOWN = World(DICE, WORKED_OUT)


def story(rng: np.random.Generator | int) -> Story:
    """A Tinytown story: its words and the rolls that made it.

    `rng` is a NumPy generator, or a seed: the same seed tells the same story.

    >>> story(0).text[:37]
    'hello , my name is anna . i live by t'
    >>> story(0).rolls[1].die
    'name'
    """
    return TINYTOWN.story(rng)


def next_word_distribution(prefix: Sequence[str] | str) -> dict[str, float]:
    """The exact probability of every word that can follow `prefix`, most probable first.

    `prefix` is the beginning of a story, as words or as text; ``<end>`` stands for its end. Raises
    ValueError where no story begins so, and says which words the dice allow there.

    >>> next_word_distribution("today the")
    {'teacher': 0.6, 'clown': 0.4}
    >>> next_word_distribution("today the clown says two and two is")
    {'five': 1.0}
    """
    return TINYTOWN.next_word_distribution(prefix)


def entropy_per_token() -> float:
    """The entropy of Tinytown in nats per token: no model's loss can go below it on average.

    >>> 0.4 < entropy_per_token() < 0.7
    True
    """
    return TINYTOWN.entropy_per_token()


def surprise(words: Sequence[str] | str) -> list[float]:
    """What each word of a whole story, and the end after it, costs under the true dice, in nats.

    Raises ValueError for words that are no whole story.

    >>> [round(nats, 2) for nats in surprise(story(0).words)][:6]
    [1.39, 0.0, 0.0, 0.0, 0.0, 1.72]
    """
    return TINYTOWN.surprise(words)


def split_by_words(words: Sequence[str] | str, splits: Mapping[str, int]) -> str:
    """The one of `splits` (name and share in percent) that a text's own words choose, by their hash.

    >>> split_by_words("the blue sky", {"all": 100, "none": 0})
    'all'
    """
    # An unpaired surrogate is no Unicode text, but it is somebody's text: it gets a split too.
    text = " ".join(as_words(words)).encode("utf-8", errors="surrogatepass")
    number = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") % 100
    return next(name for name, edge in zip(splits, accumulate(splits.values()), strict=True) if number < edge)


def draw_from_split(
    world: World,
    choose: Callable[[Sequence[str]], str],
    splits: Sequence[str],
    split: str,
    count: float,
    seed: int,
) -> list[Story]:
    """The first `count` stories of `world` that `choose` puts into `split`, the same for the same seed.

    Raises ValueError for a split that is not one of `splits`, and for a count that is no whole number from 0.

    >>> coin = World({"story": {"heads": 1, "tails": 1}})
    >>> [tale.text for tale in draw_from_split(coin, lambda words: words[0], ["heads", "tails"], "tails", 2, seed=0)]
    ['tails', 'tails']
    """
    if split not in splits:
        raise ValueError(f"split must be one of {', '.join(splits)}, got {split!r}")
    if not (count >= 0 and float(count).is_integer()):
        raise ValueError(f"count must be a whole number from 0, got {count}; try 100")
    # The split's name is part of the seed, so that two splits do not walk over the same draws.
    rng = np.random.default_rng([seed, list(splits).index(split)])
    chosen: list[Story] = []
    while len(chosen) < count:
        tale = world.story(rng)
        if choose(tale.words) == split:
            chosen.append(tale)
    return chosen


def split_of(words: Sequence[str] | str) -> str:
    """The split to which a story belongs, chosen by its own words: the same story is never in two.

    >>> split_of(story(0).words) == split_of(story(0).text)
    True
    """
    return split_by_words(words, SPLITS)


def told(split: str, count: float, seed: int = 0) -> list[Story]:
    """`count` stories of one split, words and rolls, the same for the same seed.

    Splits: train, validation, test, questions_train, questions_test. A story can come twice in its split,
    as it would from the dice, but never in another. Raises ValueError for an unknown split, and for a count
    that is no whole number from 0.
    """
    return draw_from_split(TINYTOWN, split_of, list(SPLITS), split, count, seed)


def stories(split: str, count: float, seed: int = 0) -> list[tuple[str, ...]]:
    """The words of `count` stories of one split (see `told`).

    >>> len(stories("test", 3))
    3
    """
    return [tale.words for tale in told(split, count, seed)]


class Question(NamedTuple):
    """A story, a question about it, and the answer that its dice give."""

    story: tuple[str, ...]
    question: tuple[str, ...]
    answer: tuple[str, ...]


def questions_about(tale: Story) -> list[Question]:
    """Every question that can be asked about a story, with the answer read off its rolls.

    >>> story(5).text[:62]
    'look , the mouse follows the hen ! the hen runs to the river .'
    >>> [" ".join(q.question + q.answer) for q in questions_about(story(5))]
    ['who follows the hen ? the mouse .', 'who runs to the river first ? the hen .']
    """
    seen = {roll.remembered_as: roll.face for roll in tale.rolls if roll.remembered_as}
    dice = {roll.die: roll.face for roll in tale.rolls}
    pairs: list[tuple[str, str]] = []
    match tale.words[0] if tale.words else "":
        case "once":
            pairs.append((f"what colour was the {seen['hero']} ?", f"{seen['hue']} ."))
            pairs.append((f"where did the {seen['hero']} live ?", f"by the {seen['home']} ."))
            if "did" in dice:
                hero_hunts = dice["scene"].startswith("the {hero}")
                hunter, hunted = ("hero", "rival") if hero_hunts else ("rival", "hero")
                pairs.append((f"who {dice['did']} the {seen[hunted]} ?", f"the {seen[hunter]} ."))
        case "hello":
            pairs.append(("what is my name ?", f"{seen['who']} ."))
            pairs.append(("where do i live ?", f"by the {seen['home']} ."))
        case "look":
            pairs.append((f"who {dice['does']} the {seen['rival']} ?", f"the {seen['hero']} ."))
            pairs.append((f"who runs to the {seen['home']} first ?", f"the {seen['rival']} ."))
        case "today":
            pairs.append((f"who says {seen['a']} and {seen['b']} ?", f"the {seen['who']} ."))
    return [Question(tale.words, tuple(ask.split()), tuple(reply.split())) for ask, reply in pairs]


def questions(split: str, count: float, seed: int = 0) -> list[Question]:
    """`count` questions, one about each of `count` stories, kept apart from all other stories.

    `split` is ``"train"`` or ``"test"``: no story of one is in the other, nor in any split of stories that
    a model was trained or tested on. Raises ValueError for another name.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    rng = np.random.default_rng([seed, 99])
    asked = [questions_about(tale) for tale in told(f"questions_{split}", count, seed)]
    return [options[rng.integers(len(options))] for options in asked]


VOCABULARY: tuple[str, ...] = (
    START,
    END,
    UNKNOWN,
    *sorted({*TINYTOWN.words(), *NUMBERS[2:], *QUESTION_WORDS, "first"}),
)


class WordTokenizer:
    """Tinytown's tokenizer: one id a word.

    Capitals are lowered and punctuation stands alone, so "The fox." reads as "the fox .". A word that
    Tinytown lacks raises ValueError, or becomes ``<unk>`` with ``lenient=True``.

    >>> tokenizer = WordTokenizer()
    >>> tokenizer.decode(tokenizer.encode("The fox."))
    'the fox .'
    >>> tokenizer.tokens("The fox.")
    ['the', 'fox', '.']
    """

    name = "tinytown"

    def __init__(self, lenient: bool = False):
        self.lenient = lenient
        self.vocabulary = VOCABULARY
        self.ids = {word: number for number, word in enumerate(VOCABULARY)}
        self.start_id, self.end_id, self.unknown_id = (self.ids[word] for word in (START, END, UNKNOWN))

    @property
    def vocab_size(self) -> int:
        """How many tokens it knows, the three special ones included."""
        return len(self.vocabulary)

    def tokens(self, text: str) -> list[str]:
        """The text cut into words and punctuation. Raises ValueError for a word that Tinytown lacks."""
        words = re.findall(r"<\|?\w+\|?>|\w+|[^\w\s]", text.lower())
        return [word if self._knows(word) else UNKNOWN for word in words]

    def _knows(self, word: str) -> bool:
        """Whether a word has an id; where it must have one, raises ValueError and names those near it."""
        if word not in self.ids and not self.lenient:
            near = get_close_matches(word[:40], self.vocabulary, n=3)
            hint = f"near it: {', '.join(near)}" if near else "see helpers.tinytown.VOCABULARY"
            raise ValueError(
                f"every word must be one of Tinytown's {len(self.vocabulary)}, got {word[:40]!r}; {hint}"
            )
        return word in self.ids

    def encode(self, text: str, special: bool = False) -> list[int]:
        """The ids of a text; with ``special=True`` after ``<start>``, which the model expects in front.

        Raises ValueError for a word that Tinytown lacks, and names those near it.
        """
        start = [self.start_id] if special else []
        return start + [self.ids[token] for token in self.tokens(text)]

    def encode_story(self, words: Iterable[str]) -> list[int]:
        """The ids of a whole story between ``<start>`` and ``<end>``.

        Raises ValueError for a word that Tinytown lacks.
        """
        words = words.split() if isinstance(words, str) else words
        known = (word if self._knows(word) else UNKNOWN for word in words)
        return [self.start_id, *(self.ids[word] for word in known), self.end_id]

    def decode(self, ids: Iterable[int]) -> str:
        """The words of the ids, with a space between them. Raises ValueError for an id it lacks."""
        ids = list(ids)
        for token in ids:
            if not (0 <= token < len(self.vocabulary) and token == int(token)):
                raise ValueError(
                    f"an id must be from 0 to {len(self.vocabulary) - 1}, got {token}; encode gives such ids"
                )
        return " ".join(self.vocabulary[int(token)] for token in ids)

    def token_bytes(self, token: int) -> bytes:
        """The UTF-8 bytes of one token. Raises ValueError for an id it lacks."""
        return self.decode([token]).encode()
