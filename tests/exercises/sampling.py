"""Answers to the exercises of notebook 07: unusual ones that are right, wrong ones, and random inputs."""

import numpy as np

from helpers.checks.sampling import EntropyOf, Says

# Whole functions, as a learner might write them.
UNUSUAL = {
    "temperature_softmax": [
        """
import math
def temperature_softmax(logits, temperature):
    best = max(logits)
    powers = [math.exp((logit - best) / temperature) for logit in logits]
    for power in powers:  # a generator
        yield power / sum(powers)
""",
        """
import torch
def temperature_softmax(logits, temperature):
    return torch.softmax(torch.tensor(logits, dtype=torch.float32) / temperature, dim=0)
""",
        """
from helpers import sampling
def temperature_softmax(logits, temperature):
    return sampling.temperature_softmax(logits, temperature)
""",
        """
import numpy as np
def temperature_softmax(logits, temperature):
    scaled = logits / temperature
    scaled -= scaled.max()  # its own array, not the caller's
    return np.exp(scaled - np.log(np.exp(scaled).sum()))
""",
        """
def temperature_softmax(logits, temperature):
    return {i: 1 / np.exp((logits - logit) / temperature).sum() for i, logit in enumerate(logits)}.values()
""",
    ],
    "top_p": [
        """
def top_p(odds, p):
    order = np.argsort(odds)[::-1]
    sums = np.cumsum(odds[order])
    n = np.searchsorted(sums, p) + 1
    kept = np.zeros_like(odds)
    kept[order[:n]] = odds[order[:n]]
    return (kept / sums[min(n, len(sums)) - 1]).tolist()
""",
        """
from helpers import sampling
def top_p(odds, p):
    return sampling.top_p(odds, p)
""",
        """
import torch
def top_p(odds, p):
    values, places = torch.sort(torch.tensor(odds), descending=True)
    values[values.cumsum(0) - values >= p] = 0
    return torch.zeros_like(values).scatter(0, places, values / values.sum())
""",
        """
def top_p(odds, p):
    left, chosen = dict(enumerate(odds)), {}
    while sum(chosen.values()) < p and left:
        best = max(left, key=left.get)
        chosen[best] = left.pop(best)
    return tuple(chosen.get(i, 0) / sum(chosen.values()) for i in range(len(odds)))
""",
        """
def top_p(odds, p):
    return _cut(odds, p, np.sort(odds)[::-1])
def _cut(odds, p, ordered):
    edge = next(odd for odd, total in zip(ordered, np.cumsum(ordered)) if total >= p)
    left, kept = p, []
    for odd in odds:
        kept.append(odd if odd >= edge else 0)
    if odds.tolist().count(edge) > 1 and sum(kept) - edge >= p:
        kept[len(kept) - 1 - kept[::-1].index(edge)] = 0
    return [odd / sum(kept) for odd in kept]
""",
    ],
    "write_sentence": [
        """
import re
def write_sentence(next_piece, text, max_pieces):
    new = ""
    while max_pieces > 0 and not re.search("[.!?]", new):
        new, max_pieces = new + next_piece(text + new), max_pieces - 1
    return text + re.sub("(?<=[.!?]).*", "", new, count=1, flags=re.S)
""",
        """
def write_sentence(next_piece, text, max_pieces):
    if max_pieces == 0:
        return text
    piece = next_piece(text)
    ends = [piece.index(sign) for sign in ".!?" if sign in piece]
    return text + piece[:min(ends) + 1] if ends else write_sentence(next_piece, text + piece, max_pieces - 1)
""",
        """
from itertools import takewhile
def write_sentence(next_piece, text, max_pieces):
    pieces, signs = [text], {".", "!", "?"}
    for _ in range(max_pieces):
        piece = next_piece("".join(pieces))
        if signs & set(piece):
            before = "".join(takewhile(lambda sign: sign not in signs, piece))
            return "".join(pieces) + before + piece[len(before)]
        pieces.append(piece)
    return "".join(pieces)
""",
        """
def write_sentence(next_piece, text, max_pieces):
    length = len(text)
    for _ in range(max_pieces):
        text += next_piece(text)
        while length < len(text):
            length += 1
            if text[length - 1] in ".!?":
                return text[:length]
    return text
""",
    ],
    "halve_entropy": [
        """
def halve_entropy(entropy_at):
    low, high = 0, 1
    while high - low > 0.0001:
        middle = (low + high) / 2
        low, high = (middle, high) if entropy_at(middle) < entropy_at(1) / 2 else (low, middle)
    return [high]
""",
        """
def halve_entropy(entropy_at):
    temperature, step = 0.5, 0.25
    while step > 1e-6:
        temperature += step if 2 * entropy_at(temperature) < entropy_at(1) else -step
        step /= 2
    return np.float32(temperature)
""",
        """
def halve_entropy(entropy_at, low=0, high=1):
    middle = (low + high) / 2
    if high - low < 1e-5:
        return middle
    if entropy_at(middle) < entropy_at(1) / 2:
        return halve_entropy(entropy_at, middle, high)
    return halve_entropy(entropy_at, low, middle)
""",
        """
def halve_entropy(entropy_at):
    grid = np.linspace(0, 1, 1001)  # steps of a thousandth
    return min(grid, key=lambda temperature: abs(entropy_at(temperature) - entropy_at(1) / 2))
""",
        """
def halve_entropy(entropy_at):
    grid = np.arange(0, 1, 0.01)  # first roughly, then a straight line between two neighbours
    entropies = [entropy_at(temperature) for temperature in grid]
    low = max(i for i, entropy in enumerate(entropies) if entropy < entropy_at(1) / 2)
    fine = np.linspace(grid[low], grid[low] + 0.01, 101)
    return min(fine, key=lambda temperature: abs(entropy_at(temperature) - entropy_at(1) / 2))
""",
    ],
}

_WEIGHTS = "weights = np.exp((logits - logits.max()) / temperature)\n"
_LOOP = "for _ in range(max_pieces):\n    piece = next_piece(text)\n"
_ENDS = "any(sign in piece for sign in '.!?')"


def _bisect(compare="entropy_at(middle) < target", target="entropy_at(1) / 2", answer="middle", steps=50):
    return f"""target = {target}
low, high = 0, 1
for _ in range({steps}):
    middle = (low + high) / 2
    if {compare}:
        low = middle
    else:
        high = middle
return {answer}"""


def _cumulated(choose, order="np.argsort(-odds)", answer="kept / kept.sum()"):
    return f"""order = {order}
sums = np.cumsum(odds[order])
kept = np.zeros(len(odds))
chosen = order[{choose}]
kept[chosen] = odds[chosen]
return {answer}"""


# Bodies of functions, each with a part of the sentence that should come out.
WRONG = {
    "temperature_softmax": {
        "weights = np.exp((logits - logits.max()) * temperature)\nreturn weights / weights.sum()": "You multiply by the temperature",
        "weights = np.exp(logits - logits.max())\nreturn weights / weights.sum()": "The temperature changes nothing",
        "weights = np.exp(logits - logits.max())\nreturn weights / weights.sum() / temperature": "You divide the odds by the temperature",
        "weights = np.exp(logits - logits.max())\nreturn (weights / weights.sum()) ** temperature": "to the power of the temperature",
        f"{_WEIGHTS}return weights": "must add up to 1",
        "with np.errstate(all='ignore'):\n    weights = np.exp(logits / temperature)\n    return weights / weights.sum()": "e to the power of 1,000",
        "with np.errstate(all='ignore'):\n    scaled = logits / temperature\n    return scaled / scaled.sum()": "The powers are missing",
f"{_WEIGHTS}return weights / weights.mean()": "the mean of the powers",
        "weights = np.exp((logits.min() - logits) / temperature)\nreturn weights / weights.sum()": "A minus sign too many",
        "weights = 2 ** ((logits - logits.max()) / temperature)\nreturn weights / weights.sum()": "powers of 2",
        f"{_WEIGHTS}with np.errstate(all='ignore'):\n    return np.log(weights / weights.sum())": "logs of the odds",
        "return logits / temperature": "still logits",
        "return logits == logits.max()": "all to the best token",
        f"{_WEIGHTS}return np.sort(weights / weights.sum())[::-1]": "another order",
        "logits -= logits.max()\nweights = np.exp(logits / temperature)\nreturn weights / weights.sum()": "changed `logits`",
        "import math\nweights = [math.exp(logit / temperature) for logit in logits]\nreturn [w / sum(weights) for w in weights]": "raised `OverflowError",
        "import math\nreturn math.exp(logits / temperature)": "all its numbers can be divided at once",
        f"{_WEIGHTS}return weights.sum() / weights.sum()": "a row of numbers, and this is one number",
        f"{_WEIGHTS}weights / weights.sum()": "does it end with `return`",
        f"{_WEIGHTS}return weights[:2] / weights.sum()": "and it should be `[0.09, 0.2447, 0.6652]`",
        "with np.errstate(all='ignore'):\n    weights = np.exp(logits / temperature - logits.max())\n    return weights / weights.sum()": "behind the division",
    },
    "top_p": {
        _cumulated("sums <= p"): "is kept as well: the kept ones",
        _cumulated("(sums <= p) | (np.arange(len(odds)) == 0)"): "And the best token always stays",
        _cumulated("sums - odds[order] <= p"): "exactly `p` is enough",
        "with np.errstate(all='ignore'):\n    kept = np.where(odds >= p, odds, 0)\n    return kept / kept.sum()": "whose own odds",
        "kept = np.where(odds >= p * odds.max(), odds, 0)\nreturn kept / kept.sum()": "That is min-p",
        _cumulated("sums - odds[order] < p", order="np.arange(len(odds))"): "in the order of their ids",
        _cumulated("sums - odds[order] < p", order="np.argsort(odds, kind='stable')"): "the least likely token",
        _cumulated("sums - odds[order] < p", answer="kept"): "add up to 1 again",
        _cumulated("sums - odds[order] < p", answer="kept / p"): "You divide what is left by `p`",
        _cumulated("sums - odds[order] < p", answer="(kept > 0) / (kept > 0).sum()"): "the same odds in your answer",
        _cumulated("sums - odds[order] < p", answer="np.sort(kept)[::-1] / kept.sum()"): "You sorted the odds",
        _cumulated("sums - odds[order] < p", answer="kept[kept > 0] / kept.sum()"): "You leave out the tokens",
        _cumulated("sums - odds[order] < p", answer="np.sort(chosen)"): "ids of the tokens that are kept",
        _cumulated("sums - odds[order] < p", answer="kept > 0"): "That says which tokens are kept",
        "return odds": "Nothing is cut",
        "kept = np.where(odds == odds.max(), odds, 0)\nreturn kept / kept.sum()": "the best token alone",
        "total, kept = 0, [0] * len(odds)\nfor token in sorted(odds):\n    kept[token] = odds[token]\nreturn kept": "raised `IndexError",
        _cumulated("sums - odds[order] < p").replace("odds[chosen]", "odds[chosen].round(1)"): "`top_p(np.array([0.5, 0.25, 0.125, 0.125]), 0.6)` gave",
        _cumulated("sums - odds[order] < p").replace("return", "odds[:] = 0\nreturn"): "changed `odds`",
        _cumulated("sums - odds[order] < p", answer="(kept / kept.sum()).max()"): "a row of numbers, and this is one number",
        "total = 0\nwhile total < p:\n    pass\nreturn odds": "doesn't stop",
    },
    "write_sentence": {
        f"{_LOOP}    text += piece\nreturn text": "never stops at the end",
        f"{_LOOP}    if {_ENDS}:\n        return text\n    text += piece\nreturn text": "The piece with the end of the sentence is missing",
        f"{_LOOP}    if '.' in piece:\n        return text + piece[: piece.index('.') + 1]\n    text += piece\nreturn text": "may also end with `!` or `?`",
        f"{_LOOP}    text += piece\n    if {_ENDS}:\n        break\nreturn text": "You keep the whole piece",
        f"{_LOOP}    for sign in piece:\n        if sign in '.!?':\n            return text\n        text += sign\nreturn text": "The sign that ends the sentence is missing",
        "for _ in range(max_pieces):\n    for i, sign in enumerate(text):\n        if sign in '.!?':\n            return text[:i + 1]\n    text += next_piece(text)\nfor i, sign in enumerate(text):\n    if sign in '.!?':\n        return text[:i + 1]\nreturn text": "may have a `.` of its own",
        f"{_LOOP}    text += piece\n    if piece in ['.', '!', '?']:\n        break\nreturn text": "nothing but a sign",
        f"{_LOOP}    text += piece\n    if piece in '.!?':\n        break\nreturn text": "asks whether the piece as a whole is in there",
        f"{_LOOP}    text += piece\n    if piece[-1] in '.!?':\n        break\nreturn text": "look at every sign of it",
        f"{_LOOP}    text += piece\n    if piece.endswith(('.', '!', '?')):\n        break\nreturn text": "only at the last sign",
        f"start = text\n{_LOOP}    for sign in piece:\n        text += sign\n        if sign in '.!?':\n            return text[len(start):]\nreturn text[len(start):]": "The text that you were given is missing",
        "new = text\nfor _ in range(max_pieces):\n    new = next_piece(new)\n    for sign in new:\n        text += sign\n        if sign in '.!?':\n            return text\nreturn text": "the newest piece alone",
        "grown = text\nfor _ in range(max_pieces):\n    for sign in next_piece(text):\n        grown += sign\n        if sign in '.!?':\n            return grown\nreturn grown": "the same text each time",
        f"{_LOOP}    for sign in piece:\n        text += sign\n        if sign in '.!?':\n            next_piece(text)\n            return text\nnext_piece(text)\nreturn text": "one piece more than you use",
        "for _ in range(max_pieces - 1):\n    for sign in next_piece(text):\n        text += sign\n        if sign in '.!?':\n            return text\nreturn text": "one piece too few",
        "for _ in range(max_pieces + 1):\n    for sign in next_piece(text):\n        text += sign\n        if sign in '.!?':\n            return text\nreturn text": "one piece too many",
        "while True:\n    for sign in next_piece(text):\n        text += sign\n        if sign in '.!?':\n            return text": "doesn't stop",
        f"{_LOOP}    text += ' ' + piece\n    if {_ENDS}:\n        break\nreturn text": "gave `'My name is Anna .'`",
        "pieces = []\nfor _ in range(max_pieces):\n    pieces.append(next_piece(text))\nreturn pieces": "a text, and this is a list",
        "for piece in next_piece:\n    text += piece\nreturn text": "`next_piece` is a function",
        f"{_LOOP}    if {_ENDS}:\n        return text + piece[: max(piece.rfind(s) for s in '.!?') + 1]\n    text += piece\nreturn text": "at the last `.`, `!` or `?`",
        f"{_LOOP}    for sign in piece:\n        print(sign, end='')\n        text += sign\n        if sign in '.!?':\n            break": "returns nothing",
        f"{_LOOP}    for sign in piece:\n        text += sign\n        if sign in '.!?':\n            break\nreturn text": "`'My name is Anna. I",
        "for _ in range(max_pieces):\n    for place, sign in enumerate(next_piece(text)):\n        if sign in '.!?':\n            return text + next_piece(text)[: place + 1]\n    text += next_piece(text)\nreturn text": "gave `'My name is. Anna",
    },
    "halve_entropy": {
        "return 0.5": "Half the temperature",
        "return entropy_at(1) / 2": "the temperature that has it is asked for",
        "return entropy_at(0.5)": "entropy at temperature 0.5",
        _bisect("entropy_at(middle) > target"): "You go the wrong way",
        _bisect(target="0.5"): "an entropy of 0.5",
        _bisect(target="entropy_at(1)"): "which is at 1",
        _bisect(target="entropy_at(1) / 4"): "a quarter",
        _bisect(target="np.log(np.exp(entropy_at(1)) / 2)"): "the effective number of choices",
        _bisect(answer="high - low"): "the width of the last interval",
        _bisect(steps=4, answer="(low + high) / 2"): "after 4 steps",
        _bisect(steps=7, answer="(low + high) / 2"): "after 7 steps",
        "return min(np.linspace(0, 1, 101), key=lambda t: abs(entropy_at(t) - entropy_at(1) / 2))": "steps of 0.01",
        "t = 0\nwhile entropy_at(t) != entropy_at(1) / 2:\n    t += 0.001\nreturn t": "doesn't stop",
        "return entropy_at / 2": "`entropy_at` is a function",
        "t = 1\nwhile entropy_at(t) > entropy_at(1) / 2:\n    t -= 1.5\nreturn t": "between 0 and 1",
        _bisect(answer="[low, high]"): "one number, and this is a row of 2 numbers",
        _bisect().replace("return", "print(middle) #"): "write `return` where it says `print`",
        "t = 1\nwhile entropy_at(t) > entropy_at(1) / 2:\n    t *= 0.9\nreturn t": "`halve_entropy(entropy_of(0, 1))` gave",
    },
}  # fmt: skip


def _numbers(rng, n, scale):
    return scale * np.random.default_rng(rng.randrange(2**32)).normal(size=n)


def _odds(rng):
    shares = np.exp(_numbers(rng, rng.randint(1, 7), 1.5))
    return shares / shares.sum(), rng.choice([rng.random() or 1, 1.0, 0.01, 0.9])


def _pieces(rng):
    choices = [" fox", " a", "", ".", "!", "?", '."', "?! No", ",", " it.", " Mr", "\n"]
    weights = [6, 6, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1]
    pieces = rng.choices(choices, weights, k=rng.randint(1, 9))
    return Says(*pieces), rng.choice(["", "Once", "Hi! I", "No.", "Is it?"]), rng.randint(0, 9)


# Arguments by chance: what tells a changed solution from the right one.
INPUTS = {
    "temperature_softmax": lambda rng: (
        _numbers(rng, rng.randint(1, 6), rng.choice([1, 4, 900])),
        rng.choice([0.01, 0.3, 1.0, 1.7, 5.0]),
    ),
    "top_p": _odds,
    "write_sentence": _pieces,
    "halve_entropy": lambda rng: (
        EntropyOf(*_numbers(rng, rng.randint(2, 9), rng.choice([0.1, 1, 5])).tolist()),
    ),
}
