"""Answers to the exercises of notebook 05: unusual ones that are right, wrong ones, and random inputs."""

import numpy as np

from helpers.checks.transformer import Given

# Whole functions, as a learner might write them.
UNUSUAL = {
    "rms_norm": [
        """
import torch
def rms_norm(x, weight):
    x, weight = torch.tensor(x, dtype=torch.float32), torch.tensor(weight, dtype=torch.float32)
    return torch.nn.functional.rms_norm(x, x.shape[-1:], weight, eps=1e-5)
""",
        """
import math
def rms_norm(x, weight):
    for row in x:  # a generator of lists
        root = math.sqrt(sum(number * number for number in row) / len(row) + 0.00001)
        yield [number / root * scale for number, scale in zip(row, weight)]
""",
        """
import numpy as np
def rms_norm(x, weight):
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return weight * x * (length**2 / x.shape[1] + 1e-5) ** -0.5
""",
        """
import numpy as np
def rms_norm(x, weight):
    x = np.array(x, dtype=np.float32)  # a copy, and so it may be changed
    x /= np.sqrt(np.mean(np.square(x), 1, keepdims=True) + np.float32(1e-5))
    x *= weight
    return x.astype(np.float16)
""",
    ],
    "count_parameters": [
        """
def count_parameters(sizes):
    if len(sizes) < 2:
        return 0
    return (sizes[0] + 1) * sizes[1] + count_parameters(sizes[1:])
""",
        """
import numpy as np
def count_parameters(sizes):
    sizes = np.array(sizes)
    return sizes[:-1] @ sizes[1:] + sizes[1:].sum()  # a NumPy number
""",
        """
import torch
def count_parameters(sizes):
    layers = [torch.nn.Linear(sizes[i], sizes[i + 1]) for i in range(len(sizes) - 1)]
    return torch.tensor([sum(p.numel() for layer in layers for p in layer.parameters())])
""",
        """
def count_parameters(sizes):
    total = 0.0
    for i in range(1, len(sizes)):
        for after in range(sizes[i]):
            for before in range(sizes[i - 1]):  # every connection, one by one
                total += 1
            total += 1
    return total  # 54.0
""",
    ],
    "block": [
        """
def block(x, attention, mlp, norm):  # attention runs twice: slow, and right
    return x + attention(norm(x)) + mlp(norm(x + attention(norm(x))))
""",
        """
import numpy as np
def block(x, attention, mlp, norm):
    stream = [list(row) for row in x]  # lists, and mlp one position at a time
    for part in (lambda rows: attention(rows), lambda rows: [mlp(row) for row in rows]):
        found = part([norm(row) for row in stream])
        stream = [[a + b for a, b in zip(row, more)] for row, more in zip(stream, found)]
    return stream
""",
        """
import torch
def block(x, attention, mlp, norm):
    x = torch.tensor(x, dtype=torch.float32)
    x = x + torch.tensor(attention(norm(x)))
    x += torch.tensor(mlp(norm(x)))
    return x
""",
        """
import numpy as np
def block(x, attention, mlp, norm):
    x = x.astype(np.float16)
    for part in attention, mlp:
        x = x + part(norm(x)).astype(np.float16)
    return x
""",
        """
from functools import reduce
def block(x, attention, mlp, norm):
    return reduce(lambda stream, part: stream + part(norm(stream)), (attention, mlp), x)
""",
    ],
    "logit_lens": [
        """
def logit_lens(residual, norm, table):
    ids = []
    for stream in residual:
        last = norm(stream[-1])
        scores = [sum(a * b for a, b in zip(row, last)) for row in table]
        ids.append(scores.index(max(scores)))
    return tuple(ids)
""",
        """
import torch
def logit_lens(residual, norm, table):
    logits = torch.tensor(norm(residual)) @ torch.tensor(table).T  # every position, and then the last one
    return logits.softmax(dim=-1)[:, -1].argmax(dim=-1)  # a softmax changes nothing about who is first
""",
        """
import numpy as np
def logit_lens(residual, norm, table):
    scores = np.einsum("vd,ld->lv", table, norm(residual[:, -1, :]))
    return np.argsort(scores, axis=1)[:, -1].astype(float)  # 3.0
""",
        """
def logit_lens(residual, norm, table):
    return (int((table @ norm(stream)[-1]).argmax()) for stream in residual)  # a generator
""",
    ],
}

_RMS = "np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-5)"
_SCORES = "scores = norm(residual[:, -1]) @ table.T\n"

# The body of a function, and a part of the sentence that it must get.
WRONG = {
    "rms_norm": {
        "x = x - x.mean(axis=-1, keepdims=True)\nreturn x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-5) * weight": "That is layer norm",
        "return x / (x.std(axis=-1, keepdims=True) + 1e-5) * weight": "`std` takes the mean away",
        "return x / np.sqrt((x**2).sum(axis=-1, keepdims=True) + 1e-5) * weight": "makes every row 1 long",
        "return x / np.linalg.norm(x, axis=-1, keepdims=True) * weight": "the length of each row",
        "return x / ((x**2).mean(axis=-1, keepdims=True) + 1e-5) * weight": "The root is missing",
        "return x / np.sqrt((x**2).mean() + 1e-5) * weight": "all rows at once",
        "return x / np.sqrt((x**2).mean(axis=0) + 1e-5) * weight": "down the columns",
        "return x / np.sqrt((x**2).mean(axis=-1) + 1e-5) * weight": "stand in a column",
        f"return x / {_RMS}": "The weight is missing",
        "return x / np.sqrt((x**2).mean(axis=-1, keepdims=True)) * weight": "A row of zeros must come out",
        "return x / (np.sqrt((x**2).mean(axis=-1, keepdims=True)) + 1e-5) * weight": "added to the root",
        "return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6) * weight": "You add 0.000001",
        f"x /= {_RMS}\nreturn x * weight": "changed `x`",
        f"weight *= 2\nreturn x / {_RMS} * weight / 2": "changed `weight`",
        f"return x / {_RMS} * abs(weight)": "and it should be `-",
        "return x / np.sqrt((x**2).sum(axis=-1, keepdims=True) / len(x) + 1e-5) * weight": "by the number of rows",
        "return x / np.sqrt((x**2).mean(axis=-1)) * weight": "is a column with one number for each row",
        "import math\nreturn x / math.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-5) * weight": "work on all their numbers at once",
        "return [[n / (sum(m * m for m in row) / len(row)) ** 0.5 * w for n, w in zip(row, weight)] for row in x.tolist()]":
            "raised `ZeroDivisionError",
        f"return (x / {_RMS})[0] * weight": "a table of numbers, and this is a row of 2 numbers",
        f"return x / {_RMS} @ weight": "a table of numbers, and this is a row of 1 number",
        "return [number / root for number in x]": "raised `NameError",
        f"return weight * {_RMS}": "gave `[[5.0, 5.0]]`",
        f"print(x / {_RMS} * weight)": "where it says `print`",
    },
    "count_parameters": {
        "return sum(a * b for a, b in zip(sizes, sizes[1:]))": "The biases are missing",
        "return sum(a * b for a, b in zip(sizes, sizes[1:])) + sum(sizes)": "first layer biases as well",
        "return sum(a * (b + 1) for a, b in zip(sizes, sizes[1:]))": "the layer that is written has one",
        "return sum(a * b + 1 for a, b in zip(sizes, sizes[1:]))": "one bias for a whole layer",
        "total = 1\nfor size in sizes:\n    total *= size\nreturn total": "You multiply all sizes",
        "return sum(sizes)": "the numbers in the network",
        "total = 0\nfor a, b in zip(sizes, sizes[1:]):\n    total += a * b + b\n    return total": "is `return` inside the loop",
        "total = 0\nfor a, b in zip(sizes, sizes[1:]):\n    total = a * b + b\nreturn total": "don't replace it",
        "return [a * b + b for a, b in zip(sizes, sizes[1:])]": "a row of 3 numbers: add them up",
        "return sum(sizes[i - 1] * n + n for i, n in enumerate(sizes))": "with the first",
        "total = 0\nfor i in range(len(sizes)):\n    total += sizes[i] * sizes[i + 1] + sizes[i + 1]\nreturn total": "behind the last one there is none",
        "return sum((a + 1) * b for i, a in enumerate(sizes) for b in sizes[i + 1:])": "every layer with every later one",
        "return sum((a + 1) * b / 4 for a, b in zip(sizes, sizes[1:]))": "a whole number, and this is `13.5`",
        "return sum(a * b + b for a, b in sizes)": "`sizes` is a list of whole numbers",
        "return sum(a * b + b for a, b in zip(sizes))": "`for before, after in zip(sizes, sizes[1:])`.",
        "return sum((a + 1) * sizes[sizes.index(a) + 1] for a in sizes[:-1])": "Two layers may have the same size",
        "return sum((a + 1) * b for a, b in zip(sizes[:3], sizes[1:4]))": "`count_parameters([1, 2, 3, 4, 5])` gave",
        "total = -3\nfor a, b in zip(sizes, sizes[1:]):\n    total += a * b + b\nreturn total": "gave `51`, and it should be `54`",
        "total = 0\nwhile len(sizes) > 1:\n    total += (sizes[0] + 1) * sizes[1]\n    sizes.pop(0)\nreturn total": "changed `sizes`",
        "while True:\n    sizes = sizes[1:]": "doesn't stop",
        "return 54": "`count_parameters([2, 1])` gave `54`, and it should be `3`",
    },
    "block": {
        "x = norm(x + attention(x))\nreturn norm(x + mlp(x))": "as in the first transformer",
        "x = x + norm(attention(x))\nreturn x + norm(mlp(x))": "norm what they read",
        "x = norm(x)\nx = x + attention(x)\nx = norm(x)\nreturn x + mlp(x)": "write the norm back",
        "x = norm(x)\nx = x + attention(x)\nreturn x + mlp(norm(x))": "`[[18.0, 30.0]]`",
        "x = attention(norm(x))\nreturn x + mlp(norm(x))": "The first sum is missing",
        "x = x + attention(norm(x))\nreturn mlp(norm(x))": "The second sum is missing",
        "x = attention(norm(x))\nreturn mlp(norm(x))": "Both sums are missing",
        "x = x + attention(x)\nreturn x + mlp(norm(x))": "The first norm is missing",
        "x = x + attention(norm(x))\nreturn x + mlp(x)": "The second norm is missing",
        "x = x + attention(x)\nreturn x + mlp(x)": "The norm is missing",
        "h = norm(x)\nreturn x + attention(h) + mlp(h)": "mlp reads the old `x`",
        "h = x + attention(norm(x))\nreturn x + mlp(norm(h))": "it begins with the old `x`",
        "x += attention(norm(x))\nx += mlp(norm(x))\nreturn x": "changed `x`",
        "h = x + attention(norm(x))\nreturn x + h + mlp(norm(h))": "The stream is added twice",
        "x = x + mlp(norm(x))\nreturn x + attention(norm(x))": "mlp comes first",
        "x = np.array([row + attention(norm(row)) for row in x])\nreturn x + mlp(norm(x))": "one by one",
        "return x + attention + mlp": "are functions",
        "return x + attention.forward(norm(x))": "are functions",
        "x = x @ attention(norm(x))\nreturn x @ mlp(norm(x))": "one of the same shape",
        "x = x[:2] + attention(norm(x[:2]))\nreturn x + mlp(norm(x))": "`block(np.array([[1.0, -2.0], [3.0, 0.5], [4.0, -1.0]])",
        "x = x * attention(norm(x))\nreturn x * mlp(norm(x))": "`[[80.0, 720.0]]`",
        "h = x + attention(norm(x))\nreturn np.concatenate([h, mlp(norm(h))])": "`[[4.0, 7.0], [20.0, 35.0]]`",
        "h = x + attention(norm(x))\nreturn (h + mlp(norm(h)))[-1]": "a table of numbers, and this is a row of 2 numbers",
        "h = x + attention(norm(x))\nh + mlp(norm(h))": "does it end with `return`",
    },
    "logit_lens": {
        "return (norm(residual[:, 0]) @ table.T).argmax(axis=-1)": "You read the first position",
        "return (norm(residual.sum(axis=1)) @ table.T).argmax(axis=-1)": "You mix all positions",
        "return (residual[:, -1] @ table.T).argmax(axis=-1)": "The norm is missing",
        "return (norm(residual[:, -1]) @ table).argmax(axis=-1)": "The table lies on its side",
        f"{_SCORES}return scores.argmin(axis=-1)": "the lowest score",
        f"{_SCORES}return scores": "Those are the scores",
        f"{_SCORES}return scores.max(axis=-1)": "as `argmax` says",
        f"{_SCORES}return scores.argmax(axis=0)": "in which layer it scores best",
        f"{_SCORES}return scores.argmax()": "`argmax` without an axis",
        "odds = np.exp(norm(residual[:, -1]) @ table.T)\nodds /= odds.sum(axis=0)\nreturn odds.argmax(axis=-1)": "among the layers",
        "return (norm(residual) @ table.T).argmax(axis=-1)": "take the last position alone",
        "return (norm(residual[-1]) @ table.T).argmax(axis=-1)": "That is the last layer at every position",
        "return (norm(residual[-1, -1]) @ table.T).argmax(axis=-1)": "That is the last layer alone",
        "return (norm(residual[1:, -1]) @ table.T).argmax(axis=-1)": "The first stream is missing",
        "return (norm(np.diff(residual[:, -1], axis=0)) @ table.T).argmax(axis=-1)": "what each block has added",
        "rows = table / np.linalg.norm(table, axis=1, keepdims=True)\nreturn (norm(residual[:, -1]) @ rows.T).argmax(axis=-1)": "compare directions",
        "return (norm[-1] @ table.T).argmax(axis=-1)": "is a function, and takes all layers at once",
        "return (norm(residual[:, :, :, -1]) @ table.T).argmax(axis=-1)": "is [layer, seq, d_model]",
        f"{_SCORES}return np.exp(scores).max(axis=-1) / np.exp(scores).sum(axis=-1)": "these look like scores",
        f"{_SCORES}return ['token ' + str(one) for one in scores.argmax(axis=-1)]": "`'token 0'` is a str",
        "last = residual[:, -1]\nlast *= 2\nreturn (norm(last / 2) @ table.T).argmax(axis=-1)": "changed `residual`",
        f"table *= 2\n{_SCORES}return scores.argmax(axis=-1)": "changed `table`",
        "return np.dot(table, norm(residual[:, -1])).argmax(axis=0)": "`@` gives a score for each layer and token",
        f"{_SCORES}return scores.argmax(axis=-1).squeeze()": "one id for each layer, and this is one number",
        "return (norm(residual[:, 1]) @ table.T).argmax(axis=-1)": "gave `[2, 1]`, and it should be `[1, 1]`",
        f"{_SCORES}return scores.argmax(axis=-1) + 1": "gave `[1, 4, 2]`, and it should be `[0, 3, 1]`",
    },
}  # fmt: skip


def vectors(rng, *shape):
    return np.random.default_rng(rng.randrange(2**32)).normal(size=shape)


def tables(rng):
    seq, d_model = rng.randint(1, 4), rng.randint(2, 5)
    return rng.choice([1, 100, 0.002, 0]) * vectors(rng, seq, d_model), vectors(rng, d_model)


ATTENTIONS = ["lambda x: np.cumsum(x, axis=0)", "lambda x: x[::-1] + 1", "lambda x: x.mean(axis=0) + 0 * x"]
MLPS = ["lambda x: x**2", "lambda x: np.maximum(x, 0) - 3", "lambda x: x * x.shape[-1]"]
NORMS = ["lambda x: x / np.sqrt((x**2).mean(axis=-1, keepdims=True))", "lambda x: np.tanh(x)"]


def blocks(rng):
    parts = [Given(rng.choice(sources)) for sources in (ATTENTIONS, MLPS, NORMS)]
    return vectors(rng, rng.randint(1, 4), rng.randint(2, 5)), *parts


def streams(rng):
    layers, seq, d_model, vocab = (rng.randint(1, 5) for _ in range(4))
    weights = [round(rng.uniform(0.1, 3), 2) for _ in range(d_model)]
    norm = Given(f"lambda x: x / np.sqrt((x**2).mean(axis=-1, keepdims=True)) * {weights}")
    return vectors(rng, layers, seq, d_model), norm, vectors(rng, vocab, d_model)


# Arguments by chance: what tells a changed solution from the right one.
INPUTS = {
    "rms_norm": tables,
    "count_parameters": lambda rng: ([rng.randint(1, 30) for _ in range(rng.randint(1, 5))],),
    "block": blocks,
    "logit_lens": streams,
}
