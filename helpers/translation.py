"""English sentences with their Hindi counterparts, rolled from the same dice.

Hindi puts the verb at the end, has no word for "the", bends words by gender ("big dog" is बड़ा कुत्ता, "big
cat" is बड़ी बिल्ली), and marks who is acted upon with a small word of its own (को). So a translation can't go
word by word. Here the English side is a ``tinytown.World``; its Hindi is worked out from the rolls, together
with the **alignment**: which English word each Hindi word comes from.

What it leaves out: every tense but the present, plurals, politeness, and most of both languages.

Sources: McGregor, "Outline of Hindi Grammar" (1995), lessons on the noun cases, को and the imperfective
present; the sentences are our own.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from helpers.tinytown import World, as_words, draw_from_split, split_by_words


class Noun(NamedTuple):
    """A Hindi noun: its form as subject, its form before a small word such as को, and its gender."""

    direct: str
    oblique: str
    feminine: bool


ANIMATE = {
    "dog": Noun("कुत्ता", "कुत्ते", False),
    "cat": Noun("बिल्ली", "बिल्ली", True),
    "boy": Noun("लड़का", "लड़के", False),
    "girl": Noun("लड़की", "लड़की", True),
    "horse": Noun("घोड़ा", "घोड़े", False),
    "cow": Noun("गाय", "गाय", True),
    "monkey": Noun("बंदर", "बंदर", False),
    "goat": Noun("बकरी", "बकरी", True),
    "king": Noun("राजा", "राजा", False),
    "queen": Noun("रानी", "रानी", True),
}
THINGS = {
    "apple": Noun("सेब", "सेब", False),
    "mango": Noun("आम", "आम", False),
    "bread": Noun("रोटी", "रोटी", True),
    "water": Noun("पानी", "पानी", False),
    "milk": Noun("दूध", "दूध", False),
    "book": Noun("किताब", "किताब", True),
    "letter": Noun("चिट्ठी", "चिट्ठी", True),
}
PLACES = {
    "house": Noun("घर", "घर", False),
    "garden": Noun("बगीचा", "बगीचे", False),
    "village": Noun("गाँव", "गाँव", False),
    "river": Noun("नदी", "नदी", True),
}
# An adjective's three forms: masculine, masculine before a small word, feminine.
ADJECTIVES = {
    "big": ("बड़ा", "बड़े", "बड़ी"),
    "small": ("छोटा", "छोटे", "छोटी"),
    "black": ("काला", "काले", "काली"),
    "good": ("अच्छा", "अच्छे", "अच्छी"),
    "white": ("सफ़ेद", "सफ़ेद", "सफ़ेद"),
    "beautiful": ("सुंदर", "सुंदर", "सुंदर"),
}
# What is done to somebody: the small words between object and verb, and the verb without its ending.
TO_SOMEBODY = {
    "sees": (("को",), "देख"),
    "calls": (("को",), "बुला"),
    "catches": (("को",), "पकड़"),
    "chases": (("का", "पीछा"), "कर"),
}
# What is done with a thing: no small word.
WITH_A_THING = {"eats": "खा", "drinks": "पी", "reads": "पढ़", "brings": "ला"}
NAMES = {"ram": "राम", "sita": "सीता", "ravi": "रवि", "mira": "मीरा"}
PHRASES = {
    "hello": (("नमस्ते",), (0,)),
    "thank you": (("धन्यवाद",), (0,)),
    "how are you": (("आप", "कैसे", "हैं"), (2, 0, 1)),
    "what is your name": (("आपका", "नाम", "क्या", "है"), (2, 3, 0, 1)),
}

# The English side, in the notation of `helpers.tinytown`. Nothing needs to be remembered here.
_DICE: dict[str, dict[str, int]] = {
    "sentence": {
        "the [kind and somebody] [says]": 16,
        "my name is [name]": 1,
        "where is the [somebody]": 1,
        **dict.fromkeys(PHRASES, 1),
    },
    "kind and somebody": {},  # filled below: with and without an adjective
    "says": {
        "[to somebody] the [kind and somebody]": 8,
        "eats the [food]": 2,
        "drinks the [drink]": 2,
        "reads the [paper]": 2,
        "brings the [thing]": 3,
        "is in the [place]": 3,
    },
    "to somebody": dict.fromkeys(TO_SOMEBODY, 1),
    "food": {"apple": 1, "mango": 1, "bread": 1},
    "drink": {"water": 1, "milk": 1},
    "paper": {"book": 1, "letter": 1},
    "thing": dict.fromkeys(THINGS, 1),
    "place": dict.fromkeys(PLACES, 1),
    "name": dict.fromkeys(NAMES, 1),
    "somebody": dict.fromkeys(ANIMATE, 1),
}
_DICE["kind and somebody"] = dict.fromkeys(ANIMATE, len(ADJECTIVES)) | {
    f"{adjective} {noun}": 1 for adjective in ADJECTIVES for noun in ANIMATE
}
ENGLISH = World(_DICE, start="sentence")
SPLITS = {"train": 80, "validation": 10, "test": 10}


class Translation(NamedTuple):
    """A sentence in both languages."""

    english: tuple[str, ...]
    hindi: tuple[str, ...]
    alignment: tuple[int, ...]  # for each Hindi word, the position of the English word that it comes from


def _phrase(words: Sequence[str], at: int, oblique: bool) -> list[tuple[str, int]]:
    """Hindi words, each with its English position, for "big dog" or "dog" that begins at position `at`."""
    *described, name = words
    noun = (ANIMATE | PLACES)[name]
    form = 2 if noun.feminine else int(oblique)
    adjectives = [(ADJECTIVES[word][form], at + place) for place, word in enumerate(described)]
    return [*adjectives, (noun.oblique if oblique else noun.direct, at + len(described))]


def translate(english: Sequence[str] | str) -> Translation:
    """The Hindi of one of this module's English sentences, and the alignment.

    >>> " ".join(translate("the big dog chases the cat").hindi)
    'बड़ा कुत्ता बिल्ली का पीछा करता है'
    >>> " ".join(translate("how are you").hindi)
    'आप कैसे हैं'

    Raises ValueError for a sentence that the dice can't roll, and says what they allow.
    """
    words = tuple(as_words(english))
    ENGLISH.surprise(words)  # refuses what is no sentence here
    text = " ".join(words)
    if text in PHRASES:
        hindi, alignment = PHRASES[text]
        return Translation(words, hindi, alignment)
    if words[0] == "my":
        return Translation(words, ("मेरा", "नाम", NAMES[words[3]], "है"), (0, 1, 3, 2))
    if words[0] == "where":
        noun = ANIMATE[words[3]]
        return Translation(words, (noun.direct, "कहाँ", "है"), (3, 0, 1))

    verb_at = next(i for i, word in enumerate(words) if word in {*TO_SOMEBODY, *WITH_A_THING, "is"})
    verb, subject, rest = words[verb_at], words[1:verb_at], words[verb_at + 1 :]
    pieces = _phrase(subject, 1, oblique=False)
    feminine = ANIMATE[subject[-1]].feminine
    ending = "ती" if feminine else "ता"
    if verb == "is":
        pieces += [*_phrase(rest[2:], verb_at + 3, oblique=True), ("में", verb_at + 1), ("है", verb_at)]
    elif verb in TO_SOMEBODY:
        small, stem = TO_SOMEBODY[verb]
        pieces += _phrase(rest[1:], verb_at + 2, oblique=True)
        pieces += [(word, verb_at) for word in (*small, stem + ending, "है")]
    else:
        pieces += [
            (THINGS[rest[1]].direct, verb_at + 2),
            (WITH_A_THING[verb] + ending, verb_at),
            ("है", verb_at),
        ]
    hindi, alignment = zip(*pieces, strict=True)
    return Translation(words, hindi, alignment)


def translation(rng: np.random.Generator | int) -> Translation:
    """An English sentence and its Hindi; the same seed rolls the same sentence.

    >>> " ".join(translation(3).english)
    'the horse brings the milk'
    """
    return translate(ENGLISH.story(rng).words)


def split_of(english: Sequence[str] | str) -> str:
    """The split to which an English sentence belongs, chosen by its own words: it is never in two.

    Phrases that are learned by heart, names and questions are always in "train": they are too few to divide.
    """
    text = " ".join(as_words(english))
    if text in PHRASES or text.startswith(("my ", "where ")):
        return "train"
    return split_by_words(text, SPLITS)


def translations(split: str, count: float, seed: int = 0) -> list[Translation]:
    """`count` sentence pairs of one split, train, validation or test, the same for the same seed.

    Raises ValueError for an unknown split, and for a count that is no whole number from 0.
    """
    chosen = draw_from_split(ENGLISH, split_of, list(SPLITS), split, count, seed)
    return [translate(tale.words) for tale in chosen]
