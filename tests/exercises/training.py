"""Answers to the exercises of notebook 06: unusual ones that are right, wrong ones, and random inputs."""

import numpy as np

from helpers.checks.training import IGNORED, Slope

# Whole functions, as a learner might write them.
UNUSUAL = {
    "mean_surprise": [
        """
import math
def mean_surprise(odds, targets):
    nats = [math.log(1 / row[target]) for row, target in zip(odds.tolist(), targets) if target >= 0]
    return sum(nats) / len(nats)
""",
        """
import torch
def mean_surprise(odds, targets):
    return torch.nn.functional.nll_loss(torch.tensor(odds).log(), torch.tensor(targets), ignore_index=-100)
""",
        """
import numpy as np
def mean_surprise(odds, targets):
    targets = np.array(targets)
    counts = targets != -100
    return [-np.log(odds[counts, targets[counts]]).mean()]  # one number in a list
""",
    ],
    "logit_gradients": [
        """
import torch
def logit_gradients(logits, answer):
    z = torch.tensor(logits, requires_grad=True)
    torch.nn.functional.cross_entropy(z, torch.tensor(answer)).backward()
    return z.grad
""",
        """
import math
def logit_gradients(logits, answer):
    for k, z in enumerate(logits):  # a generator
        yield 1 / sum(math.exp(min(700, other - z)) for other in logits) - (1 if k == answer else 0)
""",
        """
import numpy as np
def logit_gradients(logits, answer):
    p = np.exp(logits - max(logits))
    p /= p.sum()
    p[answer] -= 1
    return tuple(p)
""",
    ],
    "descend": [
        """
def descend(gradient, x, learning_rate, momentum, steps, velocity=0.0):
    if steps == 0:
        return x
    velocity = momentum * velocity + gradient(x)
    return descend(gradient, x - learning_rate * velocity, learning_rate, momentum, steps - 1, velocity)
""",
        """
def descend(gradient, x, learning_rate, momentum, steps):
    step = 0  # the learning rate is in the velocity: the same while it does not change
    while steps > 0:
        step = momentum * step - learning_rate * gradient(x)
        x += step
        steps -= 1
    return x
""",
        """
import numpy as np
def descend(gradient, x, learning_rate, momentum, steps):
    places = [x, x]  # the heavy ball: the last step is the difference of the last two places
    for _ in range(steps):
        places.append(places[-1] - learning_rate * gradient(places[-1]) + momentum * (places[-1] - places[-2]))
    return np.array([places[-1]])
""",
    ],
    "early_stop": [
        """
def early_stop(losses, patience):
    for end in range(1, len(losses) + 1):
        seen = losses[:end]
        best = seen.index(min(seen))
        if end - 1 - best >= patience:
            return best
    return best
""",
        """
def early_stop(losses, patience):
    best, lowest, waiting = 0, float("inf"), 0
    for place, loss in enumerate(losses):
        waiting += 1
        if loss < lowest:
            best, lowest, waiting = place, loss, 0
        if waiting == patience:
            break
    return float(best)
""",
        """
import numpy as np
def early_stop(losses, patience):
    lowest = np.minimum.accumulate(losses)
    place = 0
    while place < len(losses) and place - losses.index(lowest[place]) < patience:
        place += 1
    return np.int64(losses.index(lowest[min(place, len(losses) - 1)]))
""",
    ],
}

_P = "p = np.exp(logits - logits.max())\np = p / p.sum()\n"
_GIVEN = "given = np.array([row[t] for row, t in zip(odds, targets) if t != -100])\n"
_LOOP = "velocity = 0.0\nfor _ in range(steps):\n"

# The body of a function, and a part of the sentence that it must get.
WRONG = {
    "mean_surprise": {
        _GIVEN + "return np.log(given).mean()": "The minus sign is missing",
        _GIVEN + "return -np.log(given).sum()": "You add the surprises up",
        _GIVEN + "return -np.log(given).sum() / len(targets)": "Targets of -100 do not count",
        "return -np.mean([np.log(row[t]) for row, t in zip(odds, targets)])": "Targets of -100 do not count",
        _GIVEN + "return -np.log2(given).mean()": "gives bits",
        _GIVEN + "return -np.log10(given).mean()": "base 10",
        _GIVEN + "return -np.log(given.mean())": "first each logarithm, then their mean",
        _GIVEN + "return given.mean()": "That is the mean probability",
        _GIVEN + "return np.exp(-np.log(given).mean())": "That is the perplexity",
        _GIVEN + "return (1 / given).mean()": "You take one over the probability",
        "return -np.mean([np.log(max(row)) for row, t in zip(odds, targets) if t != -100])": "the best word's probability",
        _GIVEN + "return -np.log(given)": "one number, and this is a row of",
        _GIVEN + "print(-np.log(given).mean())": "where it says `print`",
        _GIVEN + "targets.clear()\nreturn -np.log(given).mean()": "changed `targets`",
        _GIVEN + "return -np.log(given).max()": "and it should be",
    },
    "logit_gradients": {
        _P + "return (np.arange(len(p)) == answer) - p": "The sign is turned",
        _P + "return p": "Those are the odds",
        "return logits - (np.arange(len(logits)) == answer)": "The softmax is missing",
        _P + "return p - 1": "You take 1 away everywhere",
        _P + "p[answer] += 1\nreturn p": "You add 1 at the answer",
        _P + "return (p - 1) * (np.arange(len(p)) == answer)": "Only the answer has its gradient",
        _P + "p[answer] -= 1\nreturn 2 * p": "own square error",
        _P + "return -np.log(p)": "Those are the surprises",
        "p = np.exp(logits) / np.exp(logits).sum()\np[answer] -= 1\nreturn p": "Large logits overflow",
        _P + "p[answer - 1] -= 1\nreturn p": "and it should be",
        _P + "p[answer + len(p)] -= 1\nreturn p": "counted from 0",
        _P + "logits *= 2\np[answer] -= 1\nreturn p": "changed `logits`",
        _P + "return p[answer] - 1": "a row of numbers, and this is",
    },
    "descend": {
        _LOOP + "    velocity = momentum * velocity + gradient(x)\n    x = x + learning_rate * velocity\nreturn x": "You step up the slope",
        "for _ in range(steps):\n    x = x - learning_rate * gradient(x)\nreturn x": "The momentum is missing",
        _LOOP + "    x, velocity = x - learning_rate * velocity, momentum * velocity + gradient(x)\nreturn x": "with the old velocity",
        _LOOP + "    velocity = momentum * velocity + (1 - momentum) * gradient(x)\n    x = x - learning_rate * velocity\nreturn x":
            "by 1 - momentum",
        _LOOP + "    velocity = gradient(x) - momentum * velocity\n    x = x - learning_rate * velocity\nreturn x": "You take the old velocity away",
        _LOOP + "    velocity = momentum * velocity + gradient(x)\n    x = x - velocity\nreturn x": "The learning rate is missing",
        "slope = gradient(x)\n" + _LOOP + "    velocity = momentum * velocity + slope\n    x = x - learning_rate * velocity\nreturn x":
            "You ask for the gradient once",
        "velocity = 0.0\nfor _ in range(steps + 1):\n    velocity = momentum * velocity + gradient(x)\n    x = x - learning_rate * velocity\nreturn x":
            "one step too many",
        _LOOP + "    velocity = momentum * velocity + gradient(x)\n    x = x - learning_rate * velocity\n    return x\nreturn x": "You make a single step",
        "for _ in range(steps):\n    velocity = momentum * velocity + gradient(x)\n    x = x - learning_rate * velocity\nreturn x":
            "The velocity is 0 before the first step",
        _LOOP + "    velocity = momentum * velocity + gradient\n    x = x - learning_rate * velocity\nreturn x": "`gradient` is a function",
        _LOOP + "    velocity = momentum * velocity + gradient(x)\n    x = x - learning_rate * velocity\nreturn velocity": "and it should be",
    },
    "early_stop": {
        "best = 0\nfor i, loss in enumerate(losses):\n    if loss < losses[best]:\n        best = i\n    elif i - best >= patience:\n        return i\nreturn len(losses) - 1":
            "where training stops",
        "return losses.index(min(losses))": "the lowest loss of all",
        "best = 0\nfor i, loss in enumerate(losses):\n    if loss < losses[best]:\n        best = i\n    elif i - best >= patience:\n        break\nreturn losses[best]":
            "You return the loss",
        "best, rises = 0, 0\nfor i in range(1, len(losses)):\n    rises = rises + 1 if losses[i] >= losses[i - 1] else 0\n"
        "    if losses[i] < losses[best]:\n        best = i\n    if rises >= patience:\n        break\nreturn best": "with the loss before",
        "best, waited = 0, 0\nfor i in range(1, len(losses)):\n    if losses[i] < losses[best]:\n        best = i\n    else:\n        waited += 1\n"
        "    if waited >= patience:\n        break\nreturn best": "begins anew at each new best",
        "best = 0\nfor i, loss in enumerate(losses):\n    if loss <= losses[best]:\n        best = i\n    elif i - best >= patience:\n        break\nreturn best":
            "is no better: patience runs on",
        "best = 0\nfor i, loss in enumerate(losses):\n    if loss < losses[best]:\n        best = i\n    elif i - best > patience:\n        break\nreturn best":
            "one loss too late",
        "for i in range(1, len(losses)):\n    if losses[i] >= losses[i - 1]:\n        return i - 1\nreturn len(losses) - 1": "at the first loss that is no lower",
        "return len(losses) - 1": "always the last one",
        "best = 0\nfor i, loss in enumerate(losses):\n    if loss < losses[best]:\n        best = i\n    elif i - best >= patience:\n        break\nreturn best + 1":
            "You count from 1",
        "losses.sort()\nreturn 0": "and it should be",
    },
}  # fmt: skip


def odds_and_targets(rng):
    seq, vocab = rng.randint(1, 5), rng.randint(2, 4)
    odds = np.array([[rng.uniform(0.05, 1) for _ in range(vocab)] for _ in range(seq)])
    targets = [rng.choice([*range(vocab), IGNORED]) for _ in range(seq)]
    targets[rng.randrange(seq)] = rng.randrange(vocab)  # at least one counts
    return odds / odds.sum(axis=1, keepdims=True), targets


def logits_and_answer(rng):
    logits = np.array([rng.uniform(-3, 3) for _ in range(rng.randint(2, 5))])
    return logits + rng.choice([0, 0, 800]), rng.randrange(len(logits))


def slopes(rng):
    source = f"lambda x: {rng.choice(['x', '3 * x - 2', 'x ** 3', '1', '-x / 2 + 1'])}"
    return (
        Slope(source),
        rng.uniform(-1, 1),
        rng.choice([0.01, 0.1, 0.3]),
        rng.choice([0.0, 0.5, 0.9]),
        rng.randint(0, 5),
    )


def losses(rng):
    return [round(rng.uniform(0, 3), 1) for _ in range(rng.randint(1, 10))], rng.randint(1, 4)


# Arguments by chance: what tells a changed solution from the right one.
INPUTS = {
    "mean_surprise": odds_and_targets,
    "logit_gradients": logits_and_answer,
    "descend": slopes,
    "early_stop": losses,
}
