"""Answers to the exercises of notebook 02: unusual ones that are right, wrong ones, and random inputs."""

import numpy as np

# Whole functions, as a learner might write them.
UNUSUAL = {
    "cosine": [
        """
import math
def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
""",
        """
import torch
def cosine(a, b):
    return torch.nn.functional.cosine_similarity(torch.tensor(a), torch.tensor(b), dim=0)  # a tensor
""",
        """
import numpy as np
def cosine(a, b):
    a, b = a.astype(np.float32), b.astype(np.float32)
    return (a / np.linalg.norm(a)) @ (b / np.linalg.norm(b)).reshape(-1, 1)  # an array with one number
""",
        """
import numpy as np
def cosine(a, b):
    a /= np.linalg.norm(a)  # in place
    b /= np.linalg.norm(b)
    return float(np.dot(a, b).astype(np.float16))
""",
        """
import numpy as np
def cosine(a, b):
    between = ((a - b) ** 2).sum()
    return ((a @ a) + (b @ b) - between) / (2 * np.linalg.norm(a) * np.linalg.norm(b))  # the law of cosines
""",
    ],
    "nearest": [
        """
import numpy as np
def nearest(vector, table, k):
    directions = table / np.linalg.norm(table, axis=1, keepdims=True)
    return tuple(np.argsort(directions @ vector)[::-1][:k])  # the vector's own length changes no order
""",
        """
import torch
def nearest(vector, table, k):
    cosines = torch.nn.functional.cosine_similarity(torch.tensor(table), torch.tensor(vector)[None])
    return torch.topk(cosines, k).indices
""",
        """
import numpy as np
def nearest(vector, table, k):
    def cosine(row):
        return row @ vector / np.linalg.norm(row)
    yield from sorted(range(len(table)), key=lambda i: cosine(table[i]), reverse=True)[:k]
""",
        """
import numpy as np
def nearest(vector, table, k):
    vector /= np.linalg.norm(vector)  # in place: it is the table that must stay
    directions = table / np.linalg.norm(table, axis=1)[:, None]
    return np.argsort(np.linalg.norm(directions - vector, axis=1))[:k].astype(float)  # distance between directions
""",
    ],
    "mean_pool": [
        """
def mean_pool(vectors, mask):
    kept = [vector for vector, keep in zip(vectors, mask) if keep]
    return tuple(sum(column) / len(kept) for column in zip(*kept))
""",
        """
def mean_pool(vectors, mask):
    return (vectors * mask[:, None]).sum(axis=0) / mask.sum()
""",
        """
import numpy as np
def mean_pool(vectors, mask):
    return np.average(vectors.astype(np.float32), axis=0, weights=mask)
""",
        """
import torch
def mean_pool(vectors, mask):
    weights = torch.tensor(mask, dtype=torch.float32)
    return weights @ torch.tensor(vectors, dtype=torch.float32) / weights.sum()
""",
        """
def mean_pool(vectors, mask):
    vectors[mask == 0] = 0  # in place
    for column in vectors.T:
        yield column.sum() / mask.sum()
""",
    ],
    "ppmi": [
        """
import math
def ppmi(counts):
    rows, columns, total = counts.sum(axis=1), counts.sum(axis=0), counts.sum()
    return [
        [max(0, math.log(n * total / (rows[i] * columns[j]))) if n else 0 for j, n in enumerate(row)]
        for i, row in enumerate(counts)
    ]
""",
        """
import numpy as np
def ppmi(counts):
    shares = counts / counts.sum()
    chance = np.outer(shares.sum(axis=1), shares.sum(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(np.log(shares / chance), neginf=0).clip(0)
""",
        """
import torch
def ppmi(counts):
    counts = torch.tensor(counts, dtype=torch.float32)
    chance = counts.sum(1, keepdim=True) * counts.sum(0) / counts.sum()
    return torch.where(counts > chance, (counts / chance).log(), torch.zeros(()))
""",
        """
import numpy as np
def ppmi(counts):
    sums, total = counts.sum(axis=1), counts.sum()  # the table is the same both ways, so rows will do
    ratio = np.ones(counts.shape, dtype=np.float32)
    np.divide(counts * total, np.outer(sums, sums), out=ratio, where=counts > 0, casting="unsafe")
    return (row for row in np.log(np.maximum(ratio, 1)))  # clipped before the logarithm, at 1
""",
    ],
}

# The body of a function, and a part of the sentence that it must get.
WRONG = {
    "cosine": {
        "return a @ b": "That is the dot product",
        "return a @ b / np.linalg.norm(a)": "the length of `a` alone",
        "return a @ b / np.linalg.norm(a) * np.linalg.norm(b)": "below the line, in brackets",
        "return a @ b / (sum(a**2) * sum(b**2))": "the square root of the sum of squares",
        "return a @ b / (sum(abs(a)) * sum(abs(b)))": "absolute values",
        "return np.linalg.norm(a - b)": "the distance between the two points",
        "return 1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b))": "1 minus the cosine",
        "return np.mean(a * b)": "how many numbers there are",
        "return a * b / (np.linalg.norm(a) * np.linalg.norm(b))": "one number, and this is a row of 2 numbers",
        "return np.cos(a @ b)": "gave `0.4242`, and it should be `0.96`",
        "return a @ b / (a.length() * b.length())": "raised `AttributeError",
        "return round(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))": "gave `1`, and it should be `0.96`",
        "print(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))": "where it says `print`",
        "return float(np.sign(a @ b))": "gave `1.0`, and it should be `0.96`",
        "return (a @ b) / (a @ a)": "gave `2.0`, and it should be `1.0`",
    },
    "nearest": {
        "return np.argsort(-(table @ vector))[:k]": "You compare dot products",
        "return np.argsort(np.linalg.norm(table - vector, axis=1))[:k]": "the smallest distance",
        "c = table @ vector / np.linalg.norm(table, axis=1)\nreturn np.argsort(c)[:k]": "with the smallest cosines",
        "c = table @ vector / np.linalg.norm(table, axis=1)\nreturn np.argsort(c)[-k:]": "the worst of them comes first",
        "c = table @ vector / np.linalg.norm(table, axis=1)\nreturn np.argsort(-c)[:k + 1]": "one row too many",
        "c = table @ vector / np.linalg.norm(table, axis=1)\nreturn np.argsort(-c)[1:k + 1]": "You skip the best row",
        "c = table @ vector / np.linalg.norm(table, axis=1)\nreturn sorted(c)[::-1][:k]": "these are not whole: are they the cosines?",
        "c = table @ vector / np.linalg.norm(table, axis=1)\nreturn table[np.argsort(-c)[:k]]": "are they the rows?",
        "c = table @ vector / np.linalg.norm(table, axis=1)\nreturn np.argpartition(-c, k - 1)[:k][np.argsort(np.argpartition(-c, k - 1)[:k])]":
            "in the order of the table",
        "c = table @ vector / np.linalg.norm(table, axis=1)\nreturn np.argmax(c)": "a list of ids, and this is an int64",
        "c = (table / np.linalg.norm(table, axis=0)) @ vector\nreturn np.argsort(-c)[:k]": "the length of each column",
        "table /= np.linalg.norm(table, axis=1, keepdims=True)\nreturn np.argsort(-(table @ vector))[:k]": "changed `table`",
        "return np.argsort(-(vector @ table))[:k]": "raised `ValueError",
    },
    "mean_pool": {
        "return vectors.mean(axis=0)": "Padding counts in your mean",
        "return (vectors * mask[:, None]).mean(axis=0)": "still divide by the full length",
        "return (vectors * mask[:, None]).sum(axis=0)": "That is the sum",
        "return vectors.sum(axis=0) / mask.sum()": "You sum all vectors, padding too",
        "return vectors[0]": "You take the first vector",
        "return vectors[mask == 1].mean(axis=1)": "over its dimensions: `axis=0`",
        "return vectors[mask == 1].mean()": "this is one number",
        "return vectors[mask == 0].mean(axis=0) if 0 in mask else vectors.mean(axis=0)": "`[9.0, 9.0]`",
        "return vectors[mask].mean(axis=0)": "`vectors[mask]` takes a 0 and a 1",
        "return vectors[: sum(mask)].mean(axis=0)": "as many vectors from the front",
        "return (vectors * mask).sum(axis=0) / mask.sum()": "`mask[:, None]` makes a column",
        "return vectors[:, mask == 1].mean(axis=1)": "The mask has one number for each vector",
        "return vectors * mask[:, None]": "a row of numbers, and this is a table of 3 × 2 numbers",
        "m = vectors[mask == 1].mean(axis=0)\nreturn m / np.linalg.norm(m)": "brought to length 1",
    },
    "ppmi": {
        "e = counts.sum(1)[:, None] * counts.sum(0) / counts.sum()\np = np.zeros(counts.shape)\n"
        "p[counts > 0] = np.log((counts / np.maximum(e, 1e-9))[counts > 0])\nreturn p": "Some entries are below 0",
        "with np.errstate(all='ignore'):\n  return np.log(counts * counts.sum() / (counts.sum(1)[:, None] * counts.sum(0)))":
            "minus infinity",
        "with np.errstate(all='ignore'):\n"
        "  return np.maximum(0, np.log(counts * counts.sum() / (counts.sum(1)[:, None] * counts.sum(0))))":
            "which is nan",
        "with np.errstate(all='ignore'):\n"
        "  return np.nan_to_num(np.maximum(0, np.log2(counts * counts.sum() / (counts.sum(1)[:, None] * counts.sum(0)))))":
            "to the base 2",
        "with np.errstate(all='ignore'):\n"
        "  return np.nan_to_num(np.maximum(0, np.log(counts / (counts.sum(1)[:, None] * counts.sum(0)))))":
            "Every entry comes out 0",
        "with np.errstate(all='ignore'):\n"
        "  return np.nan_to_num(np.maximum(0, np.log(counts * counts.sum() / counts.sum(1)[:, None] ** 2)))":
            "the sum of each row twice",
        "with np.errstate(all='ignore'):\n"
        "  return np.nan_to_num(counts * counts.sum() / (counts.sum(1)[:, None] * counts.sum(0)))":
            "The logarithm is missing",
        "with np.errstate(all='ignore'):\n"
        "  return np.log(1 + np.nan_to_num(counts * counts.sum() / (counts.sum(1)[:, None] * counts.sum(0))))":
            "You add 1 before the logarithm",
        "p = np.zeros_like(counts)\nfor i, row in enumerate(counts):\n  for j, n in enumerate(row):\n"
        "    if n: p[i, j] = max(0, np.log(n * counts.sum() / (row.sum() * counts[:, j].sum())))\nreturn p":
            "cut to whole numbers",
        "import math\nreturn [[max(0, math.log(n * counts.sum() / (r.sum() * counts[:, j].sum()))) for j, n in enumerate(r)] for r in counts]":
            "Words that never meet",
        "import math\nreturn [[max(0, math.log(int(n) * int(counts.sum()) / (int(r.sum()) * int(counts[:, j].sum())))) if r[0] + r[1] == 0 or n else 0 "
        "for j, n in enumerate(r)] for r in counts]": "`ZeroDivisionError",
        "with np.errstate(all='ignore'):\n  q = np.log(counts * counts.sum() / (counts.sum(1)[:, None] * counts.sum(0)))\n"
        "return q[q > 0]": "a table of numbers, and this is a row of 2 numbers",
        "with np.errstate(all='ignore'):\n  q = counts * counts.sum() / (counts.sum(1)[:, None] * counts.sum(0))\n"
        "return np.log(np.clip(np.nan_to_num(q), 1e-9, None))": "and it should be",
    },
}  # fmt: skip


def _vectors(rng, *shape):
    """Numbers of any sign, whole ones among them, none of them 0."""
    count = int(np.prod(shape))
    return np.array([rng.choice([-1, 1]) * rng.uniform(0.2, 4) for _ in range(count)]).reshape(shape)


def pairs(rng):
    return tuple(_vectors(rng, 2, rng.randint(2, 7)))


def tables(rng):
    rows, width = rng.randint(3, 7), rng.randint(2, 5)
    return _vectors(rng, width), _vectors(rng, rows, width), rng.randint(1, rows)


def texts(rng):
    length = rng.randint(2, 7)
    mask = [1] + [rng.randint(0, 1) for _ in range(length - 1)]
    rng.shuffle(mask)
    return _vectors(rng, length, rng.randint(2, 5)), np.array(mask)


def meetings(rng):
    """A table of counts that is the same both ways, with a zero here and there."""
    words = rng.randint(2, 5)
    counts = np.array([[rng.choice([0, 0, 1, 2, 9]) for _ in range(words)] for _ in range(words)])
    counts[0, 1] = rng.randint(1, 3)
    return (np.triu(counts) + np.triu(counts, 1).T,)


# Arguments by chance: what tells a changed solution from the right one.
INPUTS = {"cosine": pairs, "nearest": tables, "mean_pool": texts, "ppmi": meetings}
