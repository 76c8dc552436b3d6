"""Answers to the exercises of notebook 09: unusual ones that are right, wrong ones, and random inputs."""

import numpy as np

from helpers.checks.translation import END, NextOdds

# Whole functions, as a learner might write them.
UNUSUAL = {
    "alignment_score": [
        """
def alignment_score(weights, alignment):
    right = 0
    for row, true in zip(weights, alignment):  # zip stops with the shorter one, in front of <end>
        right += max(range(len(row)), key=list(row).__getitem__) == true
    return right / len(alignment)
""",
        """
import torch
def alignment_score(weights, alignment):
    found = torch.tensor(weights, dtype=torch.float32)[:-1].argmax(-1)
    return (found == torch.tensor(alignment)).float().mean()
""",
        """
def alignment_score(weights, alignment):
    words = weights[:-1]
    return np.array([[(words.argmax(axis=-1) == alignment).sum() / len(words)]])
""",
        """
from fractions import Fraction
def alignment_score(weights, alignment):
    rows = weights.tolist()
    return Fraction(sum(rows[i][true] == max(rows[i]) for i, true in enumerate(alignment)), len(alignment))
""",
    ],
    "cross_attend": [
        """
from helpers import attention
def cross_attend(queries, keys, values):
    weights = attention.softmax(attention.scores(queries, keys))
    return weights @ values, weights
""",
        """
import torch
def cross_attend(queries, keys, values):
    queries, keys, values = (torch.tensor(one, dtype=torch.float32) for one in (queries, keys, values))
    weights = torch.softmax(queries @ keys.T / queries.shape[-1] ** 0.5, dim=-1)
    found = torch.nn.functional.scaled_dot_product_attention(queries[None], keys[None], values[None])[0]
    return [found, weights]
""",
        """
import math
def cross_attend(queries, keys, values):
    table, weights = [], []
    for query in queries:
        scores = [sum(a * b for a, b in zip(query, key)) / math.sqrt(len(query)) for key in keys]
        powers = [math.exp(score - max(scores)) for score in scores]
        weights.append([power / sum(powers) for power in powers])
        table.append([sum(w * v for w, v in zip(weights[-1], column)) for column in values.T])
    return tuple(table), tuple(weights)
""",
        """
def cross_attend(queries, keys, values):
    scores = keys @ (queries / np.sqrt(queries.shape[1])).T  # a column for each query
    powers = np.exp(scores - scores.max(axis=0))
    weights = (powers / powers.sum(axis=0)).T
    return np.einsum("qk,kd->qd", weights, values), weights.astype(np.float32)
""",
        """
from collections import namedtuple
Attention = namedtuple("Attention", "found weights")
def cross_attend(queries, keys, values):
    scores = queries @ keys.T * queries.shape[1] ** -0.5
    weights = np.exp(scores - np.logaddexp.reduce(scores, axis=1)[:, None])
    return Attention(weights.dot(values), weights)
""",
    ],
    "fill_gap": [
        """
def fill_gap(before, after, odds):
    fits = {}
    for word in odds[before]:
        if word in odds and after in odds[word]:
            fits[word] = odds[before][word] * odds[word][after]
    total = sum(fits.values())
    return {word: fits[word] / total for word in fits}
""",
        """
from collections import Counter
def fill_gap(before, after, odds):
    fits = Counter()
    for word in odds:  # all words that have a die, whether they can stand here or not
        fits[word] += odds[before].get(word, 0) * odds[word].get(after, 0)
    for word in fits:
        fits[word] = fits[word] / fits.total() if word is None else fits[word]
    total = fits.total()
    return Counter({word: np.float32(fit / total) for word, fit in fits.items()})
""",
        """
import math
def fill_gap(before, after, odds):
    logs = {word: math.log(p) + math.log(odds[word][after])
            for word, p in odds[before].items() if odds.get(word, {}).get(after)}
    largest = max(logs.values())
    total = sum(math.exp(log - largest) for log in logs.values())
    return {word: math.exp(log - largest) / total for word, log in logs.items()}
""",
        """
from fractions import Fraction
def fill_gap(before, after, odds):
    pairs = [(w, Fraction(p) * Fraction(odds.get(w, {}).get(after, 0))) for w, p in odds[before].items()]
    return dict((w, fit / sum(other for _, other in pairs)) for w, fit in reversed(pairs))
""",
    ],
    "beam_step": [
        """
import heapq, math
def beam_step(beams, next_odds, k):
    def longer():
        for words, score in beams:
            if words and words[-1] == "<end>":
                yield words, score
                continue
            for word, odds in next_odds(words).items():
                if odds:
                    yield words + (word,), score + math.log(odds)
    return heapq.nlargest(k, longer(), key=lambda beam: beam[1])
""",
        """
def beam_step(beams, next_odds, k):
    found = [[list(words), score] for words, score in beams if "<end>" in words]
    for words, score in beams:
        if "<end>" not in words:
            with np.errstate(divide="ignore"):  # the logarithm of 0 is minus infinity, which comes last
                found += [[[*words, word], np.float32(score + np.log(odds))] for word, odds in next_odds(list(words)).items()]
    found.sort(key=lambda beam: -beam[1])
    return tuple(found[:k])
""",
        """
import math
def beam_step(beams, next_odds, k):
    chances = {}
    for words, score in beams:
        follow = {None: 1} if words[-1:] == ("<end>",) else next_odds(words)
        for word, odds in follow.items():
            chances[words if word is None else words + (word,)] = math.exp(score) * odds
    best = sorted(chances, key=chances.get, reverse=True)[:k]
    return [(words, math.log(chances[words])) for words in best if chances[words]]
""",
        """
from collections import namedtuple
Beam = namedtuple("Beam", "words score")
def beam_step(beams, next_odds, k):
    if k == 0:
        return []
    found = {}
    for words, score in beams:
        if len(words) and words[-1] == "<end>":
            found[words] = score
        else:
            found.update({(*words, w): score + np.log(p) for w, p in next_odds(words).items() if p})
    first = max(found, key=found.get)
    rest = sorted(set(found) - {first}, key=lambda words: -found[words])
    return (Beam(words, found[words]) for words in [first, *rest][:k])
""",
    ],
}

_FOUND = "found = weights[:len(alignment)].argmax(axis=1)\n"


def _cross(
    scores="queries @ keys.T / np.sqrt(queries.shape[1])",
    powers="np.exp(scores - scores.max(axis=1, keepdims=True))",
    weights="powers / powers.sum(axis=1, keepdims=True)",
    answer="weights @ values, weights",
):
    return f"""with np.errstate(all='ignore'):
    scores = {scores}
    powers = {powers}
    weights = {weights}
    return {answer}"""


def _fits(
    fit="p * odds.get(w, {}).get(after, 0)", answer="{w: f / sum(fits.values()) for w, f in fits.items()}"
):
    return f"fits = {{w: {fit} for w, p in odds[before].items()}}\nreturn {answer}"


def _beams(
    ended="found.append((words, score))",
    add="score + np.log(p)",
    put="(*words, word)",
    asked="words",
    answer="sorted(found, key=lambda beam: beam[1], reverse=True)[:k]",
):
    return f"""found = []
for words, score in beams:
    if words[-1:] == ("<end>",):
        {ended}
    else:
        found += [({put}, {add}) for word, p in next_odds({asked}).items() if p > 0]
return {answer}"""


_BY_BEAM = """found = []
for words, score in beams:
    if words[-1:] == ("<end>",):
        found.append((words, score))
    else:
        longer = [((*words, word), score + np.log(p)) for word, p in next_odds(words).items() if p > 0]
        found += sorted(longer, key=lambda beam: -beam[1])[:{}]
return sorted(found, key=lambda beam: -beam[1]){}"""

# Bodies of functions, each with a part of the sentence that should come out.
WRONG = {
    "alignment_score": {
        "found = weights[:len(alignment)].argmax(axis=0)\nreturn np.mean([f == a for f, a in zip(found, alignment)])": "a Hindi word for each English one",
        "found = weights.argmax(axis=0)\nreturn np.mean([f == a for f, a in zip(found, alignment)])": "through the row of `<end>`",
        "return np.mean(weights.argmax(axis=0) == alignment)": "and they are not as many",
        "return np.mean(weights.argmax(axis=1) == alignment)": "`weights[:len(alignment)]` leaves it out",
        "return np.mean(weights[:-1].argmax() == np.array(alignment))": "with no axis",
        f"{_FOUND}return sum(found == alignment) / len(weights)": "You count the row of `<end>`",
        f"{_FOUND}return sum(found == alignment) / weights.shape[1]": "how many English words there are",
        f"{_FOUND}return sum(found == alignment)": "how many were found",
        f"{_FOUND}return np.mean(found != alignment)": "the share of the wrong ones",
        f"{_FOUND}return 100 * np.mean(found == alignment)": "in percent",
        "return np.mean([row[a] for row, a in zip(weights, alignment)])": "the weight which the true places get",
        "return weights[:-1].max(axis=1).mean()": "how sure the model looks",
        "return np.mean(weights[:-1].argmin(axis=1) == alignment)": "not `argmin`",
        "return np.mean(weights[1:].argmax(axis=1) == alignment)": "You leave out the wrong row",
        "return np.mean([row[a] > 0.5 for row, a in zip(weights, alignment)])": "above a half",
        f"{_FOUND}return sum(f in alignment for f in found) / len(found)": "found somewhere",
        f"{_FOUND}return list(found) == list(alignment)": "You ask whether all words are right",
        f"{_FOUND}return found": "a number for each Hindi word",
        "weights = weights[:-1] + 0\nweights[weights < weights.max()] = 0\nreturn np.mean(weights.argmax(axis=1) == alignment)": "`alignment_score(np.array(",
        "return np.mean([alignment[i] == row.argmax() for i, row in enumerate(weights)])": "raised `IndexError",
        "return np.mean(weights(0) == alignment)": "`weights` is a NumPy array",
        f"{_FOUND}weights[:] = 0\nreturn np.mean(found == alignment)": "changed `weights`",
        f"{_FOUND}print(np.mean(found == alignment))": "write `return` where it says `print`",
        f"{_FOUND}np.mean(found == alignment)": "does it end with `return`",
        "return 'two of three'": "numbers, and `'two of three'` is a str",
    },
    "cross_attend": {
        _cross(scores="queries @ keys.T"): "The scores are not divided",
        _cross(scores="queries @ keys.T / queries.shape[1]"): "divide by its root",
        _cross(scores="queries @ keys.T * np.sqrt(queries.shape[1])"): "You multiply by the root",
        _cross(scores="queries @ keys.T / np.sqrt(len(queries))"): "how many Hindi words there are",
        _cross(scores="queries @ keys.T / np.sqrt(len(keys))"): "how many English words there are",
        _cross(scores="np.where(np.tri(len(queries), len(keys)) > 0, queries @ keys.T / np.sqrt(queries.shape[1]), -np.inf)"): "so leave the mask out",
        _cross(powers="np.exp(scores - scores.max(axis=0))", weights="powers / powers.sum(axis=0)"): "Your softmax runs down the columns",
        _cross(weights="powers / powers.sum(axis=0)"): "You divide each column by its own sum",
        _cross(weights="powers / powers.sum()"): "by itself: `axis=1` and `keepdims=True`",
        _cross(powers="np.exp(scores - scores.max())", weights="powers / powers.sum()"): "by itself: the softmax goes along `axis=1`",
        _cross(weights="powers"): "Your rows are not divided",
        _cross(powers="np.exp(scores)"): "e to the power of 1,000",
        _cross(powers="np.exp(scores - scores.max())"): "each row has a largest score of its own",
        _cross(weights="scores"): "The softmax is missing",
        _cross(powers="scores"): "You divide the scores by their sum",
        _cross(weights="np.eye(len(keys))[scores.argmax(axis=1)]"): "the best English word alone",
        _cross(weights="np.full((len(queries), len(keys)), 1 / len(keys))"): "count alike",
        "keys, values = values, keys\n" + _cross(): "Keys and values have changed places",
        _cross(answer="weights @ keys, weights"): "You take the mean of the keys",
        "queries, keys = keys, queries\n" + _cross(): "Queries and keys are swapped",
        _cross(scores="queries @ queries.T / np.sqrt(queries.shape[1])"): "that is attention within the Hindi",
        _cross(answer="weights, weights @ values"): "Your two tables have changed places",
        _cross(answer="weights @ values"): "The weights are right, but you don't return them",
        _cross(answer="weights"): "Only the weights come back",
        _cross(answer="weights @ values, scores"): "The second table holds the scores",
        _cross(answer="weights @ values, weights.T"): "Your weights lie on their side",
        _cross(answer="weights @ values, weights, scores"): "and this holds 3",
        _cross(answer="weights.sum(), weights"): "one of them is one number",
        _cross(answer="0.9 * (weights @ values), weights"): "for `'found'`, and it should be",
        "queries /= np.sqrt(queries.shape[1])\n" + _cross(scores="queries @ keys.T"): "changed `queries`",
        _cross(scores="queries @ keys.T / np.sqrt(queries.shape(1))"): "`queries.shape[1]` is d, a number",
        _cross().replace("return", "answer =") + "\nprint(answer)": "where it says `print`",
    },
    "fill_gap": {
        "return odds[before]": "The right side is forgotten",
        _fits("odds.get(w, {}).get(after, 0)"): "The left side is forgotten",
        _fits(answer="fits"): "They don't add up to 1",
        _fits("p + odds.get(w, {}).get(after, 0)"): "You add the two sides, so that",
        _fits("p + odds.get(w, {}).get(after, 0)", "fits"): "and divide by the sum of all products",
        _fits("(p + odds.get(w, {}).get(after, 0)) / 2", "fits"): "the mean of the two sides",
        _fits("p * odds.get(after, {}).get(w, 0)"): "as if it came before the gap",
        "fits = {w: p * odds.get(w, {}).get(before, 0) for w, p in odds[after].items()}\nreturn {w: f / sum(fits.values()) for w, f in fits.items()}": "You read backwards",
        _fits("p * (after in odds.get(w, {}))"): "whether `after` can follow the word at all",
        _fits("1 if after in odds.get(w, {}) else 0"): "All words that fit get the same odds",
        _fits(answer="{max(fits, key=fits.get): 1}"): "The best word alone gets all the odds",
        _fits(answer="max(fits, key=fits.get)"): "a dict from words to odds, and this is a str",
        _fits(answer="{w: f / max(fits.values()) for w, f in fits.items()}"): "by the largest product",
        _fits(answer="{w: f / len(fits) for w, f in fits.items()}"): "how many words there are",
        "import math\n" + _fits("math.exp(p * odds.get(w, {}).get(after, 0))"): "they are no logits",
        _fits("min(p, odds.get(w, {}).get(after, 0))"): "you take the smaller",
        _fits("p * odds[w][after]"): "`odds.get(word, {})` and",
        "fits = {w: p / odds[w][after] if after in odds.get(w, {}) else 0 for w, p in odds[before].items()}\nreturn {w: f / sum(fits.values()) for w, f in fits.items()}": "You divide by the odds on the right",
        _fits("p * odds(w)"): "`odds` is a dict of dicts",
        _fits("p * odds.get(w, {}).get('', 0)"): "Some word fits here",
        _fits(answer="list(fits.values())"): "and this is a list",
        _fits(answer="{w: str(f) + '%' for w, f in fits.items()}"): "a dict from words to numbers",
        _fits().replace("return", "odds['x'] = {}\nreturn"): "changed `odds`",
        _fits("p * odds.get(w, {}).get(after, 0) ** 2"): "`fill_gap('a', 'b', {",
        _fits().replace("return", "print(fits) #"): "where it says `print`",
    },
    "beam_step": {
        _beams(add="score * p"): "multiply the log-probability by the probability",
        _beams(add="score * np.log(p)"): "You multiply the logs",
        _beams(add="score + p"): "You add the probability to a log-probability",
        _beams(add="score - np.log(p)"): "You take the logarithm away",
        _beams(add="np.log(p)"): "that of the new word alone",
        _beams(add="score"): "The new word adds nothing",
        _beams(add="score + np.log2(p)"): "to the base 2",
        _beams(add="score + np.log10(p)"): "to the base 10",
        _beams(answer="[(w, np.exp(s)) for w, s in sorted(found, key=lambda beam: -beam[1])[:k]]"): "Your scores are probabilities",
        _BY_BEAM.format(1, "[:k]"): "You keep the best of each beam; the best `k` of all",
        _BY_BEAM.format(1, ""): "however large `k` is",
        _BY_BEAM.format("k", ""): "You keep `k` of each beam",
        "beams = [max(beams, key=lambda beam: beam[1])]\n" + _beams(): "You go on with the best beam alone",
        "found = [((*ws, w), s + np.log(p)) for ws, s in beams for w, p in next_odds(ws).items() if p]\nreturn sorted(found, key=lambda beam: -beam[1])[:k]": "You ask `next_odds` what follows `<end>`",
        _beams(ended="found.append(((*words, '<end>'), score))"): "a second `<end>`",
        _beams(ended="pass"): "The beams that have ended are lost",
        "done = [b for b in beams if b[0][-1:] == ('<end>',)]\n" + _beams(ended="pass", answer="done + sorted(found, key=lambda b: -b[1])[:k]"): "on top of your `k`",
        "done = [b for b in beams if b[0][-1:] == ('<end>',)]\n" + _beams(ended="pass", answer="(done + sorted(found, key=lambda b: -b[1]))[:k]"): "always kept, and first",
        _beams(answer="[b for b in found if b in sorted(found, key=lambda b: -b[1])[:k]]"): "but not best first",
        _beams(answer="sorted(found, key=lambda b: b[1])[-k:]"): "You give the best last",
        _beams(answer="sorted(found, key=lambda b: b[1])[:k]"): "You keep the worst",
        _beams(answer="sorted(found, reverse=True)[:k]"): "You sort by the words; sort by",
        _beams(answer="sorted(found)[:k]"): "in the order of the alphabet",
        _beams(answer="found[:k]"): "Nothing is sorted",
        _beams(answer="sorted(found, key=lambda b: -b[1])"): "You keep all of them",
        _beams(answer="[max(found, key=lambda b: b[1])]"): "You keep the best one alone",
        _beams(answer="sorted(found, key=lambda b: -b[1])[:k + 1]"): "You keep one too many",
        _beams(answer="sorted(found, key=lambda b: -b[1])[:k - 1]"): "You keep one too few",
        _beams(put="words"): "The words have not grown",
        _beams(put="(word,)"): "Only the new word is left",
        _beams(put="(word, *words)"): "You put the new word in front",
        _beams(answer="sorted(((w, s / len(w)) for w, s in found), key=lambda b: -b[1])[:k]"): "You divide each score by its number of words",
        _beams(answer="sorted(found, key=lambda b: b[1] / len(b[0]), reverse=True)[:k]"): "You choose by the score divided",
        _beams(answer="[w for w, _ in sorted(found, key=lambda b: -b[1])[:k]]"): "begin with a tuple of words",
        _beams(put="' '.join((*words, word))"): "begin with a tuple of words, and `'the cat'` is a str",
        _beams(put="words + word"): "`(*words, word)` is that tuple with one more word",
        _beams().replace("words[-1:] == (\"<end>\",)", "words[-1] == '<end>'"): "`words[-1:]` is then empty",
        _beams(asked="' '.join(words)"): "next_odds takes all words so far",
        "import math\n" + _beams(add="score + math.log(p)").replace(" if p > 0", ""): "0 has no logarithm: leave it out. Each",
        "while beams:\n    k += 1\nreturn beams": "doesn't stop",
        _beams(answer="dict(sorted(found, key=lambda b: -b[1])[:k])"): "a list of beams, and this is a dict",
        _beams(answer="beams.clear() or sorted(found, key=lambda b: -b[1])[:k]"): "changed `beams`",
        _beams().replace("return", "answer =") + "\nprint(answer)": "where it says `print`",
    },
}  # fmt: skip


def _draw(rng):
    """NumPy's dice, thrown by Python's."""
    return np.random.default_rng(rng.randrange(10**9))


def _looks(rng):
    """Attention weights of some Hindi words and `<end>`, and an alignment that often fits them."""
    draw, hindi, english = _draw(rng), rng.randint(1, 6), rng.randint(1, 6)
    weights = draw.dirichlet(np.ones(english), size=hindi + 1)
    found = weights.argmax(axis=1).tolist()[:hindi]
    return weights, tuple(place if rng.random() < 0.6 else rng.randrange(english) for place in found)


def _two_texts(rng):
    """Queries of one text, keys and values of another, of any width and any length."""
    draw, target, source, d = _draw(rng), rng.randint(1, 6), rng.randint(1, 6), rng.randint(1, 6)
    return (
        draw.normal(size=(target, d)),
        draw.normal(size=(source, d)),
        draw.normal(size=(source, rng.randint(1, 5))),
    )


def _die(rng, faces):
    shares = [rng.choice([0.0, rng.random(), rng.random()]) for _ in faces]
    return {face: share / (sum(shares) or 1) for face, share in zip(faces, shares, strict=True)}


def _gap(rng):
    """Dice of a few words, one of which at least fits between two others; some words have none."""
    words = list("abcdef")[: rng.randint(2, 6)]
    odds = {
        word: {face: share for face, share in _die(rng, words).items() if share}
        for word in words
        if rng.random() < 0.8
    }
    before, middle, after = (rng.choice(words) for _ in range(3))
    for one, other in ((before, middle), (middle, after)):
        odds.setdefault(one, {}).setdefault(other, rng.random())
    return before, after, odds


def _searched(rng):
    """Beams of different lengths, some of which have ended, and the odds of what follows the others."""
    beams, table = [], {}
    for number in range(rng.randint(1, 4)):
        words = (*rng.choices("abc", k=rng.randint(0, 3)), str(number))
        if rng.random() < 0.3:
            words = (*words, END)
        else:
            table[" ".join(words)] = _die(rng, ["a", "b", "c", END])
        beams.append((words, -rng.uniform(0.1, 4)))
    return beams, NextOdds(table), rng.randint(1, 6)


# Arguments by chance: what tells a changed solution from the right one.
INPUTS = {
    "alignment_score": _looks,
    "cross_attend": _two_texts,
    "fill_gap": _gap,
    "beam_step": _searched,
}
