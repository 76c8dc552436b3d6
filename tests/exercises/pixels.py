"""Answers to the exercises of notebook 10: unusual ones that are right, wrong ones, and random inputs."""

import numpy as np

# Whole functions, as a learner might write them.
UNUSUAL = {
    "quantise": [
        """
def quantise(grey, levels):
    borders = np.linspace(0, 16, levels + 1)[1:-1]  # between two parts
    return np.digitize(grey, borders)
""",
        """
def quantise(grey, levels):
    found = np.zeros(grey.shape, dtype=np.uint8)
    for level in range(1, levels):
        found[grey >= level * 16 / levels] = level
    return found
""",
        """
import torch
def quantise(grey, levels):
    return (torch.tensor(grey) * levels / 16).floor().clamp(max=levels - 1).long()
""",
        """
def quantise(grey, levels):
    if grey.ndim > 1:
        return [quantise(row, levels) for row in grey]
    return tuple(min(int(one * levels / 16), levels - 1) for one in grey)
""",
        """
def quantise(grey, levels):
    return [int(one) for one in np.minimum(grey // (16 / levels), levels - 1)] if grey.ndim == 1 else (
        quantise(row, levels) for row in grey)
""",
        """
def quantise(grey, levels):
    cut = np.floor_divide(grey * levels, 16)
    cut[cut == levels] -= 1
    return cut.astype(np.int8)
""",
    ],
    "bits_per_pixel": [
        """
def bits_per_pixel(odds, targets):
    return -np.log2(np.take_along_axis(odds, targets[:, None], axis=1)).mean(keepdims=True)
""",
        """
import math
def bits_per_pixel(odds, targets):
    return sum(-math.log2(row[target]) for row, target in zip(odds, targets)) / len(targets)
""",
        """
import torch
def bits_per_pixel(odds, targets):
    logits = torch.tensor(odds, dtype=torch.float32).log()
    return torch.nn.functional.cross_entropy(logits, torch.tensor(targets)) / torch.tensor(2.0).log()
""",
        """
def bits_per_pixel(odds, targets):
    hot = np.eye(odds.shape[1])[targets]
    return np.log2(1 / (odds * hot).sum(axis=1)).sum() / hot.sum()
""",
        """
def bits_per_pixel(odds, targets):
    right = odds[range(len(odds)), targets]
    return -np.log2(right.prod() ** (1 / len(right)))  # the logarithm of the geometric mean
""",
    ],
    "add_noise": [
        """
import math
def add_noise(picture, noise, kept):
    noisy = picture.copy()
    noisy *= math.sqrt(kept)
    noisy += math.sqrt(1 - kept) * noise
    return noisy
""",
        """
import torch
def add_noise(picture, noise, kept):
    picture, noise = torch.tensor(picture), torch.tensor(noise)
    return torch.tensor(kept).sqrt() * picture + noise * (1 - kept) ** 0.5
""",
        """
def add_noise(picture, noise, kept):
    turn = np.arccos(kept ** 0.5)  # the squares of cosine and sine sum to 1
    return np.cos(turn) * picture + np.sin(turn) * noise
""",
        """
def add_noise(picture, noise, kept):
    weights = np.sqrt([kept, 1 - kept])
    return np.tensordot(weights, np.stack([picture, noise]), axes=1).astype(np.float32)
""",
        """
def add_noise(picture, noise, kept):
    if picture.ndim:
        return [add_noise(*pair, kept) for pair in zip(picture, noise)]
    return kept ** 0.5 * picture + (1 - kept) ** 0.5 * noise
""",
    ],
    "calibration_error": [
        """
def calibration_error(confidence, correct, bins):
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, None)
    return np.abs(np.bincount(place, correct - confidence)).sum() / len(correct)
""",
        """
def calibration_error(confidence, correct, bins):
    boxes = [[] for _ in range(bins)]
    for sure, right in zip(confidence, correct):
        boxes[min(int(sure * bins), bins - 1)].append((sure, right))
    error = 0
    for box in boxes:
        if box:
            share = sum(right for _, right in box) / len(box)
            mean = sum(sure for sure, _ in box) / len(box)
            error += len(box) / len(correct) * abs(share - mean)
    return error
""",
        """
def calibration_error(confidence, correct, bins):
    borders = np.linspace(0, 1, bins + 1)
    error = 0
    for low, high in zip(borders, borders[1:]):
        inside = (confidence > low) & (confidence <= high) | (confidence == 0) & (low == 0)
        error += abs(correct[inside].sum() - confidence[inside].sum())
    return np.array([error / len(confidence)])
""",
        """
import torch
def calibration_error(confidence, correct, bins):
    confidence, correct = torch.tensor(confidence), torch.tensor(correct).double()
    place = torch.bucketize(confidence, torch.linspace(0, 1, bins + 1, dtype=torch.double)[1:-1])
    gaps = torch.zeros(bins, dtype=torch.double).index_add(0, place, correct - confidence)
    return gaps.abs().sum() / len(correct)
""",
        """
from helpers import limits
def calibration_error(confidence, correct, bins):
    return limits.calibration(confidence, correct, bins).error
""",
    ],
}


def _cut(parts="grey / 16 * levels", answer="np.minimum(parts.astype(int), levels - 1)"):
    return f"with np.errstate(all='ignore'):\n    parts = {parts}\n    return {answer}"


def _bits(picked="odds[np.arange(len(targets)), targets]", answer="-np.mean(np.log2(picked))"):
    return f"with np.errstate(all='ignore'):\n    picked = {picked}\n    return {answer}"


def _noisy(first="np.sqrt(kept)", second="np.sqrt(1 - kept)", answer="first * picture + second * noise"):
    return f"with np.errstate(all='ignore'):\n    first, second = {first}, {second}\n    return {answer}"


def _error(
    place="np.minimum((confidence * bins).astype(int), bins - 1)",
    each="range(bins)",
    expected="confidence[inside].mean()",
    share="correct[inside].mean()",
    add="inside.mean() * abs(share - expected)",
    answer="error",
):
    return f"""error, gaps = 0, []
place = {place}
for each in {each}:
    inside = place == each
    if inside.any():
        share, expected = {share}, {expected}
        gaps.append(abs(share - expected))
        error += {add}
return {answer}"""


# Bodies of functions, each with a part of the sentence that should come out.
WRONG = {
    "quantise": {
        _cut(answer="parts.astype(int)"): "The greys at the top fall out",
        _cut(answer="parts.astype(int) % levels"): "so ink becomes paper",
        _cut("grey / 16 * (levels - 1)", "np.round(parts).astype(int)"): "as the notebook's own pictures do",
        _cut(answer="np.minimum(np.round(parts), levels - 1).astype(int)"): "You round; cut instead",
        _cut(answer="np.minimum(np.ceil(parts), levels - 1).astype(int)"): "You round up; cut instead",
        _cut(answer="levels - 1 - np.minimum(parts.astype(int), levels - 1)"): "run the other way",
        _cut(answer="1 + np.minimum(parts.astype(int), levels - 1)"): "begin with 1",
        _cut(answer="np.minimum(parts.astype(int), levels - 1) + (parts > 0)"): "from 0 to `levels`, one too many",
        _cut("grey / 4", "np.minimum(parts.astype(int), 3)"): "into 4 parts, however many",
        _cut("grey / levels"): "You divide by `levels`",
        _cut("grey / 16 * (levels - 1)"): "only 16 itself reaches",
        _cut("grey * levels / 17", "parts.astype(int)"): "You divide by 17",
        _cut("grey * levels / 15"): "You divide by 15",
        _cut("grey * levels / 255"): "You divide by 255",
        _cut("grey * levels"): "as if they ended with 1",
        _cut("(grey / 16).astype(int) * levels"): "You cut the grey before",
        _cut("grey / grey.max() * levels"): "the largest grey of the picture",
        _cut(answer="np.maximum(np.ceil(parts).astype(int) - 1, 0)"): "falls into the lower part",
        _cut(answer="parts"): "You don't cut",
        _cut(answer="np.minimum(np.floor(parts), levels - 1)"): "these have a point",
        _cut(answer="np.minimum(parts.astype(int), levels - 1).ravel()"): "but in one row",
        _cut(answer="min(int(parts), levels - 1)"): "`int(...)` takes one number",
        _cut(answer="min(parts.astype(int), levels - 1)"): "compare single numbers",
        _cut(answer="parts.toint()"): "`levels` a number",
        _cut(answer="str(parts)"): "must return numbers, and `'[",
        _cut(answer="parts * np.nan"): "gave `[nan",
        _cut(answer="np.minimum(parts.astype(int), levels - 1) // 2 * 2"): "`quantise(np.array([0.0, 3.0",
        "grey *= levels / 16\nreturn np.minimum(grey.astype(int), levels - 1)": "would change the caller's",
        _cut("np.where(grey == 16, 15, grey) / 16 * levels"): "a 15 of each 16",
        "found = np.minimum((grey / 16 * levels).astype(int), levels - 1)\ngrey[:] = 0\nreturn found": "changed `grey`",
        _cut(answer="print(parts)"): "where it says `print`",
    },
    "bits_per_pixel": {
        _bits(answer="-np.mean(np.log(picked))"): "That is in nats: for bits",
        _bits(answer="-np.mean(np.log10(picked))"): "to base 10",
        _bits(answer="-np.sum(np.log2(picked))"): "the sum over all pixels; per pixel",
        _bits(answer="-np.sum(np.log(picked))"): "in nats, and the sum",
        _bits(answer="-np.log2(picked.mean())"): "the mean of the odds first",
        _bits("odds.max(axis=1)"): "the most probable level's odds",
        _bits(answer="np.mean(np.log2(picked))"): "The minus is missing: the logarithm",
        _bits(answer="np.mean(np.log(picked))"): "The minus is missing, and that is in nats",
        _bits(answer="np.sum(np.log2(picked))"): "The minus is missing, and that is the sum",
        _bits(answer="picked.mean()"): "The logarithm is missing",
        _bits(answer="np.mean(1 / picked)"): "You take 1 / odds",
        _bits(answer="np.mean(1 - picked)"): "You take 1 - odds",
        _bits(answer="-np.mean(np.log2(1 - picked))"): "does *not* come",
        _bits("odds[:, targets]"): "a whole table",
        _bits("odds"): "every level of every pixel",
        _bits(answer="-np.sum(odds * np.log2(odds)) / len(odds)"): "their entropy",
        _bits(answer="-np.mean(picked * np.log2(picked))"): "You multiply each surprise by its odds",
        _bits("odds[:, 0]"): "You take level 0",
        _bits("odds[np.arange(len(targets)), targets - 1]"): "leave out the `- 1`",
        _bits(answer="-np.sum(np.log2(picked)) / odds.shape[1]"): "how many levels there are",
        _bits(answer="-np.sum(np.log2(picked)) / odds.size"): "how many numbers the table holds",
        _bits(answer="2 ** -np.mean(np.log2(picked))"): "the perplexity",
        _bits("(np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True))[range(len(odds)), targets]"): "You take a softmax",
        _bits(answer="np.mean(odds.argmax(axis=1) == targets)"): "the share of pixels",
        _bits(answer="-np.log2(picked)"): "give their mean",
        _bits("odds[targets, np.arange(len(targets))]"): "the row comes first",
        _bits("odds(targets)"): "`odds[0, 2]` are the odds",
        _bits("odds * targets"): "the two need not be of one shape",
        _bits(answer="-np.median(np.log2(picked))"): "`bits_per_pixel(np.array(",
        "odds[:] = np.log2(odds)\nreturn -odds[np.arange(len(targets)), targets].mean()": "changed `odds`",
        _bits(answer="print(picked)"): "where it says `print`",
    },
    "add_noise": {
        _noisy("kept", "1 - kept"): "The roots are missing. Weights that sum to 1",
        _noisy("np.sqrt(1 - kept)", "np.sqrt(kept)"): "have changed places: `kept` says",
        _noisy("1 - kept", "kept"): "The roots are missing, and `kept`",
        _noisy(second="1 - np.sqrt(kept)"): "and so the variance shrinks",
        _noisy(second="1 - kept"): "The noise has no root",
        _noisy("kept"): "The picture has no root",
        _noisy(second="np.sqrt(kept)"): "You take `kept` twice",
        _noisy("np.sqrt(1 - kept)"): "You take `1 - kept` twice",
        _noisy("1"): "never gives way to the noise",
        _noisy("1", "1 - kept"): "and the root of the noise is missing",
        _noisy(second="1"): "in full from the beginning",
        _noisy("1", "1"): "`kept` plays no part",
        _noisy(answer="first * picture"): "the noise is missing",
        _noisy(answer="second * noise"): "the picture is missing",
        _noisy(answer="first * picture - second * noise"): "You take the noise away",
        _noisy("kept ** 2", "(1 - kept) ** 2"): "You take squares",
        _noisy("kept", "np.sqrt(1 - kept ** 2)"): "Here `kept` is the square itself",
        _noisy(answer="np.sqrt(kept * picture + (1 - kept) * noise)"): "the root of the whole sum",
        _noisy(answer="(picture - second * noise) / first"): "You take the noise out again",
        _noisy(answer="np.clip(first * picture + second * noise, -1, 1)"): "You cut off what lies outside",
        _noisy(answer="(first * picture + second * noise).ravel()"): "but in one row",
        _noisy(answer="[first * float(p) + second * float(n) for p, n in zip(picture, noise)]"): "works on all pixels at once",
        _noisy(answer="first * picture @ np.eye(7) + second * noise"): "where `@` multiplies matrices",
        _noisy(answer="[[first * picture[i, j] + second * noise[i, j] for j in range(3)] for i in range(2)]"): "with no loop",
        "import math\n" + _noisy(answer="picture / (1 / math.sqrt(kept)) + second * noise"): "nothing has to be divided",
        _noisy(answer="first * picture + second * np.random.normal(size=noise.shape)"): "The same call gave two answers",
        _noisy(answer="first * picture + second * noise.mean()"): "`add_noise(np.array([1.0, -1.0])",
        "picture *= np.sqrt(kept)\npicture += np.sqrt(1 - kept) * noise\nreturn picture": "changed `picture`",
        "noise *= np.sqrt(1 - kept)\nreturn np.sqrt(kept) * picture + noise": "changed `noise`",
        _noisy(answer="'noisy'"): "must return numbers, and `'noisy'`",
        _noisy(answer="print(first * picture + second * noise)"): "where it says `print`",
    },
    "calibration_error": {
        _error(answer="np.mean(gaps)"): "Your bins all count alike",
        _error(answer="sum(gaps)"): "You add the bins up without weights",
        _error(add="inside.sum() * abs(share - expected)"): "divide that by how many there are in all",
        _error(answer="error / bins"): "divide the weighted sum by how many bins",
        _error().replace("if inside.any()", "if True").replace("correct[inside].mean()", "(correct[inside].mean() if inside.any() else np.nan)")
        .replace("confidence[inside].mean()", "(confidence[inside].mean() if inside.any() else np.nan)"): "out comes nan",
        _error().replace("if inside.any()", "if True").replace("correct[inside].mean()", "sum(correct[inside].tolist()) / len(correct[inside])"): "No answer may be as sure as that",
        _error("(confidence * bins).astype(int)"): "falls out behind the last bin",
        _error("(confidence * bins).astype(int)", "range(bins + 1)"): "exactly 1 gets a bin of its own",
        _error("np.ceil(confidence * bins).astype(int) - 1"): "falls out in front of the first bin",
        _error("np.ceil(confidence * bins).astype(int)", "range(bins + 1)"): "exactly 0 gets a bin of its own",
        _error("np.arange(bins)[np.ceil(confidence * bins).astype(int) - 1]"): "lands in the last bin",
        _error(add="inside.mean() * (share - expected)"): "take the absolute value of each bin's gap",
        _error(add="inside.mean() * (share - expected)", answer="abs(error)"): "You take the absolute value at the end",
        _error(expected="(each + 0.5) / bins"): "the bin's middle",
        _error(expected="each / bins"): "the bin's lower border",
        _error(expected="(each + 1) / bins"): "the bin's upper border",
        _error(add="inside.mean() * (share - expected) ** 2"): "You square the gaps; take",
        _error(add="inside.mean() * (share - expected) ** 2", answer="error ** 0.5"): "and take the root at the end",
        _error(answer="max(gaps)"): "That is the largest gap",
        _error(answer="100 * error"): "in percent",
        "return np.mean(abs(correct - confidence))": "You compare each answer by itself",
        "return np.mean((correct - confidence) ** 2)": "the Brier score",
        _error(share="1 - correct[inside].mean()"): "the share of wrong answers",
        "return correct.mean()": "That is the share of right answers, over all bins",
        "return confidence.mean()": "That is the mean confidence, over all bins",
        "return np.sum([len(part) / len(correct) * abs(correct[part].mean() - confidence[part].mean())\n"
        "               for part in np.array_split(np.argsort(confidence), bins) if len(part)])": "equally many answers each",
        "low, high = min(confidence), max(confidence)\n"
        + _error("np.minimum(((confidence - low) / max(high - low, 1e-9) * bins).astype(int), bins - 1)"): "between the smallest and the largest",
        _error("np.minimum(np.round(confidence * bins), bins - 1)"): "You round to find the bin",
        _error("(confidence * (bins - 1)).astype(int)"): "You multiply by `bins - 1`",
        "bins = 10\n" + _error(): "You always take 10 bins",
        _error(answer="gaps"): "You give the gap of each bin",
        "found = [0.0] * bins\nfor c, r in zip(confidence, correct):\n    found[int(c * bins)] += r - c\nreturn sum(map(abs, found)) / len(correct)": "number `bins - 1`: `np.minimum",
        _error(share="correct(inside)"): "takes those",
        _error("np.zeros(len(confidence)) if confidence > 0.5 else 1"): "where `and` takes single values",
        _error(answer="error / 2"): "`calibration_error(np.array(",
        "confidence.sort()\n" + _error(): "`calibration_error(np.array([0.9, 0.8",
        _error().replace("return", "correct[:] = True\nreturn"): "changed `correct`",
        _error(answer="print(error)"): "where it says `print`",
    },
}  # fmt: skip


def _draw(rng):
    """NumPy's dice, thrown by Python's."""
    return np.random.default_rng(rng.randrange(10**9))


def _picture(rng):
    """Greys in any shape, many of them on a border of two parts, and a number of levels that divides 16."""
    draw, shape = _draw(rng), rng.choice([(5,), (3, 4), (2, 2, 3)])
    grey = draw.integers(0, 17, size=shape)
    return rng.choice([grey, grey.astype(float), draw.uniform(0, 16, size=shape)]), rng.choice(
        [1, 2, 4, 8, 16]
    )


def _guesses(rng):
    """Odds of some levels for some pixels, and the levels that came."""
    draw, pixels, levels = _draw(rng), rng.randint(1, 7), rng.randint(2, 5)
    return draw.dirichlet(np.ones(levels), size=pixels), draw.integers(0, levels, size=pixels)


def _two_pictures(rng):
    """A picture and noise of one shape, and how much is kept."""
    draw, shape = _draw(rng), rng.choice([(4,), (2, 3), (2, 3, 2)])
    return (
        draw.uniform(-1, 1, size=shape),
        draw.normal(size=shape),
        rng.choice([0.0, 1.0, rng.random(), rng.random()]),
    )


def _answers(rng):
    """Answers of any confidence, some of them wholly sure or wholly unsure, and few bins or many."""
    draw, n = _draw(rng), rng.randint(1, 9)
    confidence = draw.random(n)
    confidence[draw.random(n) < 0.15] = rng.choice([0.0, 1.0])
    return confidence, draw.random(n) < 0.5, rng.randint(1, 6)


# Arguments by chance: what tells a changed solution from the right one.
INPUTS = {
    "quantise": _picture,
    "bits_per_pixel": _guesses,
    "add_noise": _two_pictures,
    "calibration_error": _answers,
}
