"""The exercises of notebook 00: a weighted die, dice made by counting, and the loop that writes."""

from collections import Counter, defaultdict
from itertools import pairwise

from helpers.checks.checking import Case, Endless, Exercise, Mistake, cases, read_odds, read_words
from helpers.tinytown import END, stories

# ---------------------------------------------------------------------------------------------
# Exercise 1: roll
# ---------------------------------------------------------------------------------------------


def _roll(odds, number):
    total = 0
    for face, probability in odds.items():
        total += probability
        if number < total:
            return face


def _roll_uncounted(odds, number):
    return next((face for face, probability in odds.items() if number < probability), None)


def _roll_too_late(odds, number):
    total = 0
    for face, probability in odds.items():
        if number < total:
            return face
        total += probability


def _roll_edge(odds, number):
    total = 0
    for face, probability in odds.items():
        total += probability
        if number <= total:
            return face


def _roll_upside_down(odds, number):
    total = 0
    for face, probability in odds.items():
        total += probability
        if number > total:
            return face


def _roll_too_early(odds, number):
    total, last = 0, None
    for face, probability in odds.items():
        total += probability
        if number < total:
            return last
        last = face


_BLUE = {"sky": 0.5, "flower": 0.25, "boat": 0.125, "banana": 0.125}
_EDGE = (
    "A number on the edge belongs to the next face: sky has the numbers from 0 up to 0.5, without 0.5 itself."
)

roll = Exercise(
    "roll",
    notebook="00",
    number=1,
    minutes=5,
    difficulty="easy",
    parameters=("odds", "number"),
    right=_roll,
    praise="Right: every face comes up for its own share of the numbers from 0 to 1. That is a weighted die.",
    cases=cases(
        (_BLUE, 0.1),
        (_BLUE, 0.6),
        (_BLUE, 0.8),
        (_BLUE, 0.9),
        (_BLUE, 0.0),
        (_BLUE, 0.5, None, _EDGE),
        (_BLUE, 0.875, None, _EDGE),
        ({"banana": 0.125, "sky": 0.5, "flower": 0.375}, 0.1, None, "The faces come in the order of the dictionary."),
        ({"banana": 0.125, "sky": 0.5, "flower": 0.375}, 0.5),
        ({"banana": 0.125, "sky": 0.5, "flower": 0.375}, 0.7),
        ({"never": 0.0, "sky": 1.0}, 0.0, None, "A face with probability 0 must never come up, whatever the number."),
        ({"sky": 1.0}, 0.999),
    ),
    mistakes=[
        Mistake("You return the most likely face whatever the number says.", lambda odds, _: max(odds, key=odds.get)),
        Mistake("You return the first face whatever the number says.", lambda odds, _: next(iter(odds))),
        Mistake(
            "You give every face the same share of the numbers, but these dice are weighted.",
            lambda odds, number: list(odds)[int(number * len(odds))],
        ),
        Mistake(
            "You compare the number with the probability of one face; compare it with the sum of all up to that face.",
            _roll_uncounted,
        ),
        Mistake("You compare first and add afterwards, so you are always one face late.", _roll_too_late),
        Mistake(_EDGE + " Is there a `<=` that should be `<`?", _roll_edge),
        Mistake("You stop where the number is larger than the sum; it is the other way round.", _roll_upside_down),
        Mistake("You found the right place, but return the face before it.", _roll_too_early),
        Mistake(
            "You return the probability of the face; the face itself is asked for.",
            lambda odds, number: odds[_roll(odds, number)],
        ),
        Mistake(
            "You return the number of the face in the list; the face itself is asked for.",
            lambda odds, number: list(odds).index(_roll(odds, number)),
        ),
        Mistake(
            "You take the face whose probability is nearest to the number; the number says where on the line you are.",
            lambda odds, number: min(odds, key=lambda face: abs(odds[face] - number)),
        ),
        Mistake(
            "You go through the faces from the last to the first.",
            lambda odds, number: _roll(dict(reversed(odds.items())), number),
        ),
        Mistake(
            "You sort the faces first; take them in the order of the dictionary.",
            lambda odds, number: _roll(dict(sorted(odds.items(), key=lambda item: -item[1])), number),
        ),
    ],
    if_raised={
        TypeError: "`odds` is a dict: `odds.items()` gives each face with its probability.",
        KeyError: "`odds` is a dict with the faces as keys.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 2: bigram_odds
# ---------------------------------------------------------------------------------------------


def _follower_counts(stories, end=(END,)):
    counts = defaultdict(Counter)
    for words in stories:
        for word, following in pairwise([*words, *end]):
            counts[word][following] += 1
    return counts


def _shares(counts):
    return {word: {face: count / die.total() for face, count in die.items()} for word, die in counts.items()}


def _bigram_odds(stories):
    return _shares(_follower_counts(stories))


def _odds_of_all_pairs(stories):
    counts = _follower_counts(stories)
    total = sum(die.total() for die in counts.values())
    return {word: {face: count / total for face, count in die.items()} for word, die in counts.items()}


def _odds_backwards(stories):
    return _shares(_follower_counts([END, *reversed(words)] for words in stories))


def _odds_before(stories):
    counts = defaultdict(Counter)
    for words in stories:
        for word, following in pairwise([*words, END]):
            counts[following][word] += 1
    return _shares(counts)


_TOY = [["red", "fox"], ["red", "fox"], ["red", "hen"], ["a", "red", "fox"]]

bigram_odds = Exercise(
    "bigram_odds",
    notebook="00",
    number=2,
    minutes=10,
    difficulty="medium",
    parameters=("stories",),
    right=_bigram_odds,
    praise="Right: one die for every word, made of nothing but counts. You have written a language model.",
    read=read_odds,
    keeps=("stories",),
    cases=[
        *cases(
            (_TOY,),
            ([["hello"]],),
            ([["no", "no", "no"]],),
            ([["a", "b"], ["b", "a", "b"]],),
        ),
        Case(lambda: ([],), "No stories, no dice: the answer is an empty dict."),
        Case(
            lambda: (stories("train", 5),),
            "The stories of Tinytown are tuples of words: `[*words, '<end>']` works for tuples and lists.",
            "bigram_odds(tinytown.stories('train', 5))",
        ),
    ],
    mistakes=[
        Mistake("These are counts; divide each by the sum of its own dict.", _follower_counts),
        Mistake(
            "The end is missing: after the last word of each story comes `'<end>'`, and it has odds as well.",
            lambda stories: _shares(_follower_counts(stories, end=())),
        ),
        Mistake(
            "You go from the last word of one story to the first of the next; count each story by itself.",
            lambda stories: _shares(_follower_counts([[word for words in stories for word in words]])),
        ),
        Mistake(
            "You go from the last word of one story to the first of the next; count each story by itself.",
            lambda stories: _shares(_follower_counts([[word for words in stories for word in [*words, END]]], ())),
        ),
        Mistake("You divide by the number of all pairs; divide by how often this word occurs.", _odds_of_all_pairs),
        Mistake(
            "Every follower gets the same odds; count how often each one comes.",
            lambda stories: _shares({word: Counter(set(die)) for word, die in _follower_counts(stories).items()}),
        ),
        Mistake("You count what stands before each word; what comes after it is asked for.", _odds_before),
        Mistake(
            "These are percent; odds are shares that add up to 1.",
            lambda stories: {
                word: {face: 100 * share for face, share in die.items()} for word, die in _bigram_odds(stories).items()
            },
        ),
        Mistake(
            "Only the last follower of each word is left: a second one must be added to the first, not replace it.",
            lambda stories: {word: {list(die)[-1]: 1.0} for word, die in _last_follower(stories).items()},
        ),
        Mistake(
            "Only the first story counts: is the `return` inside the loop?",
            lambda stories: _bigram_odds(stories[:1]),
        ),
    ],
    if_raised={
        KeyError: "A word that is met for the first time has no entry yet: `setdefault` or a `defaultdict` makes one.",
        TypeError: "The stories of Tinytown are tuples of words: `[*words, '<end>']` works for tuples and lists.",
    },
)  # fmt: skip


def _last_follower(stories):
    followers = {}
    for words in stories:
        for word, following in pairwise([*words, END]):
            followers[word] = {following: 1.0}
    return followers


# ---------------------------------------------------------------------------------------------
# Exercise 3: write
# ---------------------------------------------------------------------------------------------


class Script:
    """Loaded dice: whatever they are asked, they say these words in turn; they note what they were asked."""

    def __init__(self, *words: str):
        self.words, self.asked = words, []

    def __call__(self, words: object) -> str:
        self.asked.append(list(words) if isinstance(words, list | tuple) else words)
        if len(self.asked) > 40:
            raise Endless
        return self.words[(len(self.asked) - 1) % len(self.words)]

    def __repr__(self) -> str:
        return "next_word"


def _write(next_word, start, limit):
    words = list(start)
    while words[-1] != END and len(words) < limit:
        words.append(next_word(words))
    return words


def _write_with(ask=lambda words, start: words, keep=lambda words, start: words, more=0):
    """A `write` that goes wrong in one place: what it asks with, what it gives back, how long it may go on."""

    def answer(next_word, start, limit):
        words = list(start)
        while words[-1] != END and len(words) < limit + (more(start) if callable(more) else more):
            words.append(next_word(ask(words, start)))
        return keep(words, start)

    return answer


def _write_two_rolls(next_word, start, limit):
    words = list(start)
    while len(words) < limit and next_word(words) != END:
        words.append(next_word(words))
    return words


def _write_on_and_on(next_word, start, limit):
    words = list(start)
    while len(words) < limit:
        words.append(next_word(words))
    return words


def _write_no_end(next_word, start, limit):
    words = list(start)
    while len(words) < limit:
        word = next_word(words)
        if word == END:
            break
        words.append(word)
    return words


def _write_roll_first(next_word, start, limit):
    words = list(start)
    while True:
        words.append(next_word(words))
        if words[-1] == END or len(words) >= limit:
            return words


def _write_one(next_word, start, limit):
    return [*start, next_word(list(start))]


def _said(start: str, limit: int, words: tuple[str, ...], about: str = "") -> Case:
    told = ", ".join(words) if len(words) > 1 else f"{words[0]} each time"
    return Case(
        lambda: (Script(*words), start.split(), limit),
        about,
        f"write(next_word, {start.split()}, {limit})` with dice that say `{told}",
    )


write = Exercise(
    "write",
    notebook="00",
    number=3,
    minutes=10,
    difficulty="medium",
    parameters=("next_word", "start", "limit"),
    right=_write,
    praise="Right: ask, append, feed the longer text back, until the end or the limit. All chatbots write with this loop.",
    read=read_words,
    keeps=("start",),
    notes=lambda arguments: list(arguments[0].asked),
    if_noted="The words are right, but `next_word` must be asked once for each new word, with the list of all words so far.",
    cases=[
        _said("once", 9, ("there", "was", "a", "fox", END)),
        _said("the red fox", 9, ("slept", END)),
        _said("once", 5, ("very",), "`limit` is the number of words in all, those of `start` included."),
        _said("a very very", 5, ("very",), "`limit` is the number of words in all, those of `start` included."),
        _said("the very", 2, ("very",), "`start` has as many words as the limit allows: nothing may be added."),
        _said("the end <end>", 9, ("again",), "`start` ends with `<end>` already: nothing may be added."),
    ],
    mistakes=[
        Mistake("You ask with the last word alone; the model gets the whole text so far.",
                _write_with(ask=lambda words, start: words[-1:])),
        Mistake("You ask with the last word alone; the model gets the whole text so far.",
                _write_with(ask=lambda words, start: words[-1])),
        Mistake("You ask with `start` again and again: the new words are never fed back.",
                _write_with(ask=lambda words, start: start)),
        Mistake("You roll twice for one word: each call of `next_word` is a new roll, so keep what it says in a variable.",
                _write_two_rolls),
        Mistake("You go on after `<end>`: a story that has ended gets no more words.", _write_on_and_on),
        Mistake("`<end>` is missing: append it like any other word, and then stop.", _write_no_end),
        Mistake("`<end>` is missing: append it like any other word, and then stop.",
                _write_with(keep=lambda words, start: [word for word in words if word != END])),
        Mistake("The words of `start` are missing in what you return.",
                _write_with(keep=lambda words, start: words[len(start):])),
        Mistake("There is one word too many: is there a `<=` that should be `<`?", _write_with(more=1)),
        Mistake("You stop one word too early: `limit` words are allowed.", _write_with(more=-1)),
        Mistake("`limit` counts all words, those of `start` included; yours counts the new ones alone.",
                _write_with(more=len)),
        Mistake("You roll before you look: where `start` has ended, or is as long as the limit, no word may be added.",
                _write_roll_first),
        Mistake("You write one word and stop: where is the loop, or is `return` inside it?", _write_one),
    ],
    if_raised={
        IndexError: "Does your function look for a word where none is?",
        AttributeError: "`start` is a list of words; `list(start)` makes your own copy, which has `append`.",
    },
    if_endless="a story must stop at `<end>`, and at `limit` words where no end comes.",
)  # fmt: skip
