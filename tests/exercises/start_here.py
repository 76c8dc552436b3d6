"""Answers to the exercises of notebook 00: unusual ones that are right, wrong ones, and random inputs."""

from helpers.checks.start_here import Script

# Whole functions, as a learner might write them.
UNUSUAL = {
    "roll": [
        """
import numpy as np
def roll(odds, number):
    edges = np.cumsum(list(odds.values()))
    return np.array(list(odds))[np.searchsorted(edges, number, side="right")]  # a NumPy text
""",
        """
def roll(odds, number):
    while True:  # in place: the dice are used up
        face = next(iter(odds))
        number -= odds.pop(face)
        if number < 0:
            return face
""",
        """
from itertools import accumulate
def roll(odds, number, *, verbose=True):
    print("rolled", number)
    return next(face for face, edge in zip(odds, accumulate(odds.values())) if number < edge)
""",
    ],
    "bigram_odds": [
        """
from collections import Counter, defaultdict
from fractions import Fraction
def bigram_odds(stories):
    counts = defaultdict(Counter)
    for story in stories:
        for i, word in enumerate(story):
            counts[word][story[i + 1] if i + 1 < len(story) else "<end>"] += 1
    for die in counts.values():
        total = sum(die.values())
        for word in die:
            die[word] = Fraction(die[word], total)
    return counts
""",
        """
import numpy as np
def bigram_odds(stories):
    pairs = [pair for story in stories for pair in zip(["<start>", *story], [*story, "<end>"])]
    words = {word for pair in pairs for word in pair}
    odds = {}
    for word in words:  # every word for every word, most of them with 0
        row = np.array([pairs.count((word, other)) for other in words], dtype=np.float32)
        odds[word] = dict(zip(words, row / max(row.sum(), 1)))
    return odds
""",
    ],
    "write": [
        """
def write(next_word, start, limit):
    words = tuple(start)
    while "<end>" not in words and len(words) < limit:
        words += (next_word(list(words)),)
    return words
""",
        """
def write(next_word, start, limit):
    words = []
    for word in start:
        words.append(word)
        yield word
    while words[-1] != "<end>" and len(words) < limit:
        words.append(next_word(words))
        yield words[-1]
""",
        """
def write(next_word, start, limit):
    if start[-1] == "<end>" or len(start) >= limit:
        return start
    return write(next_word, start + [next_word(start)], limit)
""",
    ],
}

# The body of a function, and a part of the sentence that it must get.
WRONG = {
    "roll": {
        "return max(odds, key=odds.get)": "the most likely face",
        "return random.choice(list(odds))": "gave two answers",
        "for face in odds:\n  if number < odds[face]: return face": "the sum of all up to that face",
        "total = 0\nfor face in odds:\n  total += odds[face]\n  if number <= total: return face": "`<=` that should be",
        "total = 0\nfor face in odds:\n  if number < total: return face\n  total += odds[face]": "compare first and add",
        "return sorted(odds)[int(number * len(odds))]": "it should be `'sky'`",
        "for i in range(len(odds)):\n  if number < odds[i]: return i": "raised `KeyError: 0`",
    },
    "bigram_odds": {
        "c = {}\nfor s in stories:\n  for a, b in zip(s, s[1:]): c.setdefault(a, {}).setdefault(b, 0); c[a][b] += 1\n"
        "return {a: {b: n / sum(d.values()) for b, n in d.items()} for a, d in c.items()}": "The end is missing",
        "c = {}\nfor s in stories:\n  s = list(s) + ['<end>']\n  for a, b in zip(s, s[1:]):\n"
        "    c.setdefault(a, {})\n    c[a][b] = c[a].get(b, 0) + 1\nreturn c": "These are counts",
        "c = {}\nfor s in stories:\n  s = s if isinstance(s, tuple) else s\n  if isinstance(s, list): s.append('<end>')\n"
        "  else: s = (*s, '<end>')\n  for a, b in zip(s, s[1:]): c.setdefault(a, []).append(b)\n"
        "return {a: {b: d.count(b) / len(d) for b in d} for a, d in c.items()}": "changed `stories`",
        "c = {}\nfor s in stories:\n  for a, b in zip(s, s[1:] + ['<end>']): c.setdefault(a, []).append(b)\n"
        "return {a: {b: d.count(b) / len(d) for b in d} for a, d in c.items()}": "tuples of words",
        "w = [w for s in stories for w in [*s, '<end>']]\nc = {}\nfor a, b in zip(w, w[1:]): c.setdefault(a, []).append(b)\n"
        "return {a: {b: d.count(b) / len(d) for b in d} for a, d in c.items()}": "last word of one story",
        "c = {}\nfor s in stories:\n  for a, b in zip(s, [*s[1:], '<end>']): c[a][b] += 1\nreturn c": "no entry yet",
        "return [(a, b) for s in stories for a, b in zip(s, s[1:])]": "a dict from words to dicts, and this is a list",
    },
    "write": {
        "w = list(start)\nwhile w[-1] != '<end>' and len(w) < limit: w.append(next_word(w[-1:]))\nreturn w": "last word alone",
        "w = list(start)\nwhile w[-1] != '<end>': w.append(next_word(w))\nreturn w": "doesn't stop",
        "w = list(start)\nwhile w[-1] != '<end>' and len(w) <= limit: w.append(next_word(w))\nreturn w": "one word too many",
        "w = start\nwhile w[-1] != '<end>' and len(w) < limit: w.append(next_word(w))\nreturn w": "changed `start`",
        "w = list(start)\nwhile len(w) < limit and next_word(w) != '<end>': w.append(next_word(w))\nreturn w": "roll twice",
        "w = list(start)\nwhile len(w) < limit: w.append(next_word(w))\nreturn w": "go on after `<end>`",
        "w = list(start)\nwhile w[-1] != '<end>' and len(w) < limit: w.append(next_word(w))\nreturn ' '.join(w)": "is a text",
        "w = list(start)\nwhile w[-1] != '<end>' and len(w) < limit: w.append(next_word(w))\nprint(w)": "where it says `print`",
    },
}  # fmt: skip


def rolls(rng):
    faces = rng.sample(["sky", "sea", "fox", "hen", "owl"], rng.randint(1, 5))
    sides = [rng.choice([0, 1, 2, 4]) for _ in faces[1:]]
    sides = [16 - sum(sides), *sides]
    rng.shuffle(sides)
    return {face: side / 16 for face, side in zip(faces, sides, strict=True)}, rng.randrange(32) / 32


def corpora(rng):
    return ([[rng.choice("abc") for _ in range(rng.randint(1, 6))] for _ in range(rng.randint(0, 4))],)


def scripts(rng):
    said = rng.choices(["a", "b", "c", "<end>"], k=rng.randint(1, 8))
    start = [rng.choice(["a", "b", "<end>"]) for _ in range(rng.randint(1, 4))]
    start = start[: start.index("<end>") + 1] if "<end>" in start else start
    return Script(*said), start, rng.randint(1, 9)


# Arguments by chance: what tells a changed solution from the right one.
INPUTS = {"roll": rolls, "bigram_odds": corpora, "write": scripts}
