"""Answers to the exercises of notebook 04: unusual ones that are right, wrong ones, and random inputs."""

import numpy as np

# Whole functions, as a learner might write them.
UNUSUAL = {
    "causal_mask": [
        """
def causal_mask(n):
    for query in range(n):  # a generator of tuples, with 1 and 0
        yield tuple(int(key <= query) for key in range(n))
""",
        """
import numpy as np
def causal_mask(n):
    return np.tril(np.ones((n, n), dtype=np.float32))
""",
        """
import torch
def causal_mask(n):
    return ~torch.triu(torch.ones(n, n, dtype=torch.bool), diagonal=1)
""",
        """
from helpers import attention
def causal_mask(n):
    return attention.causal_mask(n)
""",
        """
def causal_mask(n):
    return [[True] * (query + 1) + [False] * (n - query - 1) for query in range(n)]
""",
    ],
    "attend": [
        """
from helpers import attention
def attend(queries, keys, values):
    return attention.attend(queries, keys, values).output
""",
        """
import numpy as np
from helpers import attention
def attend(queries, keys, values):
    scores = attention.scores(queries, keys)
    return attention.softmax(np.where(attention.causal_mask(len(keys)), scores, -np.inf)) @ values
""",
        """
import torch
def attend(queries, keys, values):
    parts = [torch.tensor(one, dtype=torch.float32)[None, None] for one in (queries, keys, values)]
    return torch.nn.functional.scaled_dot_product_attention(*parts, is_causal=True)[0, 0]
""",
        """
import math
def attend(queries, keys, values):
    for i, query in enumerate(queries):  # word by word, each with those before it: no mask is needed
        scores = [sum(a * b for a, b in zip(query, key)) / math.sqrt(len(query)) for key in keys[: i + 1]]
        shares = [math.exp(score - max(scores)) for score in scores]
        yield [sum(s * v for s, v in zip(shares, column)) / sum(shares) for column in values.T]
""",
        """
import numpy as np
def attend(queries, keys, values):
    scores = (queries / np.sqrt(queries.shape[-1])) @ keys.T
    scores = scores - 1e9 * np.triu(np.ones_like(scores), k=1)  # hardly less than minus infinity
    powers = np.exp(scores - scores.max(axis=-1)[:, None])
    return (powers @ values / powers.sum(axis=-1)[:, None]).tolist()
""",
        """
import numpy as np
def attend(queries, keys, values):
    scores = queries @ keys.T / np.sqrt(queries.shape[1])
    powers = np.exp(scores - scores.max(axis=1, keepdims=True)) * np.tri(len(scores))  # hidden before the sum
    return powers / powers.sum(axis=1, keepdims=True) @ values
""",
        """
import numpy as np
def attend(queries, keys, values):
    scores = keys @ queries.T / np.sqrt(queries.shape[1])  # a column for each query
    scores[np.tril_indices(len(scores), k=-1)] = -np.inf
    powers = np.exp(scores - scores.max(axis=0))
    return (powers / powers.sum(axis=0)).T @ values
""",
    ],
    "most_previous": [
        """
import numpy as np
def most_previous(weights):
    spent = np.diagonal(weights, offset=-1, axis1=-2, axis2=-1)[..., 1:].sum(axis=-1)  # the sum finds the same
    return np.argwhere(spent == spent.max())
""",
        """
def most_previous(weights):
    n_layers, n_heads, n, _ = weights.shape
    heads = [(layer, head) for layer in range(n_layers) for head in range(n_heads)]
    return max(heads, key=lambda pair: sum(weights[pair][q][q - 1] for q in range(2, n)) / (n - 2))
""",
        """
import torch
def most_previous(weights):
    weights = torch.tensor(weights, dtype=torch.float32)
    spent = weights[:, :, 1:, :-1].diagonal(dim1=2, dim2=3)[:, :, 1:].mean(-1)
    return torch.tensor(divmod(int(spent.argmax()), spent.shape[1]))
""",
        """
import numpy as np
def most_previous(weights):
    n = weights.shape[-1]
    just_before = np.eye(n, k=-1)
    just_before[1] = 0
    spent = np.einsum("lhqk,qk->lh", weights, just_before)
    layer = spent.max(axis=1).argmax()
    return [float(layer), float(spent[layer].argmax())]
""",
        """
def most_previous(weights):
    from helpers.attention import best_heads, head_jobs
    before = head_jobs(weights, [0] * weights.shape[-1]).previous  # ids play no part in this job
    return best_heads(before, 1)[0][:2]
""",
    ],
    "look_back": [
        """
import numpy as np
def look_back():
    angles = np.radians(60 * np.arange(6))  # six hands of a clock, two numbers each
    turn = lambda angles: np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return 10 * turn(angles - np.radians(60)), turn(angles)
""",
        """
def look_back():
    keys = [[(-2.0) ** i] for i in range(6)]  # one number each: the key before is always the highest or the lowest
    queries = [[5 * (-1) ** (i - 1)] for i in range(6)]
    return {"queries": queries, "keys": keys}.values()
""",
        """
import torch
def look_back():
    torch.manual_seed(0)
    keys = torch.nn.functional.normalize(torch.randn(6, 32), dim=1)
    yield 100 * keys.roll(1, dims=0)  # the first word looks for the last, and sees itself
    yield keys
""",
        """
from helpers import positions
def look_back():
    table = positions.sinusoid_table(n_positions=7, d_model=16)
    return 100 * table[:-1], table[1:]
""",
    ],
}

_SCORES = "s = queries @ keys.T / np.sqrt(queries.shape[1])\n"
_MASK = "m = np.tri(len(queries), dtype=bool)\n"
_SHARES = "p = np.exp(s - s.max(axis=1, keepdims=True))\nw = p / p.sum(axis=1, keepdims=True)\n"
_HIDE = "s = np.where(m, s, -np.inf)\n"
_LATE = "late = np.arange(2, weights.shape[2])\n"
_SPENT = _LATE + "spent = weights[:, :, late, late - 1].mean(axis=-1)\n"
_FIND = "return np.unravel_index(spent.argmax(), spent.shape)"

# The body of a function, and a part of the sentence that it must get.
WRONG = {
    "causal_mask": {
        "return np.triu(np.ones((n, n)))": "Your table is mirrored",
        "return np.triu(np.ones((n, n)), k=1).astype(bool)": "True marks what is hidden",
        "return np.tri(n, k=-1, dtype=bool)": "the diagonal is True",
        "return [[key <= query + 1 for key in range(n)] for query in range(n)]": "one word too many",
        "return np.ones((n, n), dtype=bool)": "Nothing is hidden",
        "return np.zeros((n, n), dtype=bool)": "Everything is hidden",
        "return np.eye(n, dtype=bool)": "sees only itself",
        "return [[query - key in (0, 1) for key in range(n)] for query in range(n)]": "one word before it; it may look at all that stand before it. `causal_mask(5)` gave `False` in row 2, column 0 (both from 0), and it should be `True`",
        "return [[key <= query or key == 2 for key in range(n)] for query in range(n)]": "gave `True` in row 0, column 2 (both from 0), and it should be `False`",
        "return [[0 < key <= query for key in range(n)] for query in range(n)]": "The first column is never seen",
        "return np.where(np.tri(n), 0, -np.inf)": "added to the scores",
        "return np.tri(n) / np.arange(1, n + 1)[:, None]": "shares already",
        "return np.tri(n + 1)": "a row and a column too many",
        "return np.tri(n - 1)": "a row and a column too few",
        "return [key <= query for query in range(n) for key in range(n)]": "a table of True and False, and this is a row of 4 numbers",
        "return np.arange(n) >= np.arange(n)": "this is a row of 2 numbers",
        "return np.tri(n)[:, :, None]": "this is a list of tables",
        "return n >= 1": "this is one number",
        "return [[True] * (query + 1) for query in range(n)]": "rows of different lengths",
        "return [['x' if key <= query else '-' for key in range(n)] for query in range(n)]": "is a str",
        "return np.tri(n) * 2": "gave `[[2.0, 0.0], [2.0, 2.0]]`, and it should be `[[True, False], [True, True]]`",
        "return np.arange(len(n))[:, None] >= np.arange(n)": "`n` is a whole number",
        "return np.arange(n).reshape(n, n)": "compared with a row it gives a table",
        "print(np.tri(n, dtype=bool))": "where it says `print`",
    },
    "attend": {
        _SCORES.replace(" / np.sqrt(queries.shape[1])", "") + _MASK + _HIDE + _SHARES + "return w @ values": "not divided",
        _SCORES.replace("np.sqrt(queries.shape[1])", "queries.shape[1]") + _MASK + _HIDE + _SHARES + "return w @ values": "divide by its root",
        _SCORES.replace("shape[1]", "shape[0]") + _MASK + _HIDE + _SHARES + "return w @ values": "how many words there are",
        _SCORES.replace("queries.shape[1]", "values.shape[1]") + _MASK + _HIDE + _SHARES + "return w @ values": "how many numbers a value has",
        "s = queries @ keys.T / 2\n" + _MASK + _HIDE + _SHARES + "return w @ values": "in row 1, column 0 (both from 0), and it should be",
        _SCORES + _SHARES + "return w @ values": "The mask is missing",
        _SCORES + _MASK + "s = np.where(m.T, s, -np.inf)\n" + _SHARES + "return w @ values": "Your mask is mirrored",
        _SCORES + _MASK + "s = np.where(m, -np.inf, s)\n" + _SHARES + "return w @ values": "hides the past",
        _SCORES + "m = np.tri(len(s), k=-1)\n" + _HIDE + _SHARES + "return w @ values": "hides each word from itself",
        _SCORES + "m = np.tri(len(s), k=1)\n" + _HIDE + _SHARES + "return w @ values": "the one that comes next",
        _SCORES + _MASK + "s = s * m\n" + _SHARES + "return w @ values": "You set the future's scores to 0",
        _SCORES + _MASK + _SHARES + "return (w * m) @ values": "after the softmax",
        _SCORES + _MASK + _HIDE + _SHARES.replace("axis=1", "axis=0") + "return w @ values": "runs down the columns",
        _SCORES + _MASK + _HIDE + "p = np.exp(s - s.max(axis=1, keepdims=True))\nw = p / p.sum(axis=1)\nreturn w @ values": "`keepdims=True` keeps",
        _SCORES + _MASK + _HIDE + "p = np.exp(s - s.max(axis=1, keepdims=True))\nw = p / p.sum(axis=0)\nreturn w @ values": "each column by its own sum",
        _SCORES + _MASK + _HIDE + "p = np.exp(s - s.max())\nw = p / p.sum()\nreturn w @ values": "All your weights together sum to 1",
        _SCORES + _MASK + _HIDE + "p = np.exp(s)\nreturn p @ values": "not divided by their sums",
        _SCORES + _MASK + _HIDE + "p = np.exp(s)\nw = p / p.sum(axis=1, keepdims=True)\nreturn w @ values": "no computer holds",
        _SCORES + _MASK + _HIDE + "p = np.exp(s - s.max())\nw = p / p.sum(axis=1, keepdims=True)\nreturn w @ values": "largest score of all",
        _SCORES + _MASK + "return np.where(m, s, 0) @ values": "The softmax is missing",
        _SCORES + _MASK + "s = np.where(m, s, 0)\nreturn s / s.sum(axis=1, keepdims=True) @ values": "e to the power of each first",
        _SCORES + _MASK + _HIDE + "return values[s.argmax(axis=1)]": "the best key alone",
        _MASK + "return m / m.sum(axis=1, keepdims=True) @ values": "counts alike",
        _SCORES.replace("queries @ keys.T", "keys @ queries.T") + _MASK + _HIDE + _SHARES + "return w @ values": "Queries and keys are swapped",
        _SCORES + _MASK + _HIDE + _SHARES + "return w @ keys": "the mean of the keys",
        _SCORES + _MASK + _HIDE + _SHARES + "return w @ queries": "the mean of the queries",
        _SCORES + _MASK + _HIDE + _SHARES + "return w.T @ values": "lie on their side",
        _SCORES + _MASK + _HIDE + _SHARES + "return w": "Those are the weights",
        _SCORES + "return s": "Those are the scores",
        _SCORES + _MASK + _HIDE + _SHARES + "return (w @ values)[-1]": "a table of numbers, and this is a row of 1 number",
        _SCORES + _MASK + _HIDE + _SHARES + "return w @ values, w": "this is a list of tables",
        "queries /= np.sqrt(queries.shape[1])\ns = queries @ keys.T\n" + _MASK + _HIDE + _SHARES + "return w @ values": "changed `queries`",
        _SCORES + _MASK + _HIDE + _SHARES + "values *= 1\nvalues[0] += 1\nvalues[0] -= 1\nvalues[:] = w @ values\nreturn values": "changed `values`",
        _SCORES + _MASK + _HIDE + _SHARES + "return w @ (2 * values)": "and it should be `[[10.0], [17.3106]]`",
        "s = queries @ keys\nreturn s": "`queries @ keys.T` has one row",
        _SCORES.replace("/", "*") + _MASK + _HIDE + _SHARES + "return w @ values": "You multiply by the root",
        "s = queries @ keys.T\n" + _MASK + _HIDE + _SHARES + "return w / np.sqrt(queries.shape[1]) @ values": "after the softmax; it belongs before",
        _SCORES.replace("keys", "queries") + _MASK + _HIDE + _SHARES + "return w @ values": "the queries with themselves",
        _SCORES.replace("queries @", "keys @") + _MASK + _HIDE + _SHARES + "return w @ values": "the keys with themselves",
        "return values": "come back as they were",
        "return queries(0)": "All three are NumPy arrays",
        "return queries.T[9] @ keys": "one row for each word",
        "return attention.attend(queries, keys, values)": "raised `NameError",
        _SCORES + _MASK + _HIDE + _SHARES + "print(w @ values)": "where it says `print`",
    },
    "most_previous": {
        "return 0, 0": "Here are 3 layers with 2 heads, and 4 tokens.",
        "spent = np.diagonal(weights, -1, 2, 3).mean(axis=-1)\n" + _FIND: "Count from the third token on",
        "q = np.arange(weights.shape[2])\nspent = weights[:, :, q, q - 1].mean(axis=-1)\n" + _FIND: "begin with the third",
        _SPENT.replace("(2, ", "(3, ") + _FIND: "one token too late",
        "spent = np.diagonal(weights, 1, 2, 3).mean(axis=-1)\n" + _FIND: "the token that comes next",
        "spent = np.diagonal(weights, 0, 2, 3).mean(axis=-1)\n" + _FIND: "gives to itself",
        "spent = np.diagonal(weights, -2, 2, 3).mean(axis=-1)\n" + _FIND: "two tokens back",
        "spent = weights[:, :, 2:, 0].mean(axis=-1)\n" + _FIND: "the first token of the text",
        _SPENT.replace("mean", "max") + _FIND: "the largest weight of each head",
        _SPENT.replace("mean", "min") + _FIND: "the smallest weight of each head",
        "spent = weights[:, :, -1, -2]\n" + _FIND: "the last token alone",
        "spent = weights[:, :, 2, 1]\n" + _FIND: "the third token alone",
        _SPENT.replace("weights.shape[2])", "weights.shape[2] - 1)").replace("mean", "sum") + _FIND: "stop before the last",
        "spent = (weights.argmax(axis=-1) == np.arange(weights.shape[2]) - 1)[:, :, 2:].mean(axis=-1)\n" + _FIND: "how often",
        "spent = weights[:, :, 2:].max(axis=(2, 3))\n" + _FIND: "gave `(",
        _SPENT + _FIND.replace("argmax", "argmin"): "gives the least",
        _SPENT + _FIND + "[::-1]": "Layer and head are swapped",
        _SPENT + "layer, head = np.unravel_index(spent.argmax(), spent.shape)\nreturn layer + 1, head + 1": "count from 0",
        _SPENT + "return spent.argmax()": "`np.unravel_index(number, table.shape)` makes two of it",
        _SPENT + "return spent.argmax(axis=1)": "the best heads of each layer",
        _SPENT + "return spent.argmax(axis=0)": "the best layers for each head",
        _SPENT + "layer = spent.mean(axis=1).argmax()\nreturn layer, spent[layer].argmax()": "the layer that gives most as a whole",
        _SPENT + "return spent": "two numbers, layer and head, and this is a table of 3 × 2 numbers",
        _SPENT + "return spent.max(), 0": "whole numbers, and `0.4381` is a float",
        _SPENT + "return 'layer 1, head 2'": "this is a text",
        _SPENT + "return 1, 2, spent.max()": "this is a row of 3 numbers",
        "return 1, 2": "gave `(1, 2)`, and it should be `(2, 0)`",
        _SPENT + "weights[:] = 0\n" + _FIND: "changed `weights`",
        "q = np.arange(9)\nspent = weights[:, :, q, q - 1].mean(axis=-1)\n" + _FIND: "The axes are layer, head, query and key",
        "layer, head, query = weights.shape\nreturn layer, head": "has four numbers",
        "return weights(1, 2)": "a NumPy array with four axes",
        _SPENT + "print(np.unravel_index(spent.argmax(), spent.shape))": "where it says `print`",
    },
    "look_back": {
        "return np.eye(6), np.eye(6)": "to itself: the largest dot product",
        "return np.eye(6, k=-1), np.eye(6)": "“mat” gives 0.23 of its attention to “the”, the word before it, and 0.9 is asked for. It looks there most, but",
        "return np.zeros((6, 6)), np.eye(6)": "all its scores are the same",
        "return np.eye(6), 20 * np.eye(6, k=-1)": "swap queries and keys",
        "return 20 * np.eye(6, k=-2), np.eye(6)": "“cat”, the word before it, and 0.9 is asked for. It gives 1.00 to “The”",
        "return 20 * np.eye(6, k=-1)": "and this holds 6",
        "return 20 * np.eye(5, k=-1), np.eye(5)": "the table of queries has 5",
        "return 20 * np.eye(6, k=-1), np.eye(6)[:4]": "the table of keys has 4",
        "return 20 * np.eye(6, 8, k=-1), np.eye(6, 5)": "8 in a query and 5 in a key",
        "return np.inf * np.eye(6, k=-1), np.eye(6)": "some of the queries are not",
        "return np.eye(6, k=-1), np.eye(6) / 0": "some of the keys are not",
        "return 1e200 * np.eye(6, k=-1), 1e200 * np.eye(6)": "smaller numbers will do",
        "return [1] * 6, [2] * 6": "a table of numbers, and this is a row of 6 numbers",
        "return 'cat', 'sat'": "numbers, and `'cat'` is a str",
        "return 7": "a list of two tables, and this is an int",
        "q = 20 * np.eye(6, k=-1)\nq[3] = 0\nreturn q, np.eye(6)": "“on” gives 0.25 of its attention to “sat”",
        "return 20 * queries, keys": "raised `NameError",
        "return np.eye(6, k=-1) @ np.ones(4), np.eye(6)": "Two tables are all it takes",
        "print(20 * np.eye(6, k=-1), np.eye(6))": "where it says `print`",
    },
}  # fmt: skip


def _draw(rng):
    """NumPy's dice, thrown by Python's."""
    return np.random.default_rng(rng.randrange(10**9))


def _words(rng):
    """Queries, keys and values of a few words, of any width."""
    draw, n, d_head, d_value = _draw(rng), rng.randint(1, 7), rng.randint(1, 6), rng.randint(1, 5)
    return draw.normal(size=(n, d_head)), draw.normal(size=(n, d_head)), draw.normal(size=(n, d_value))


def _weights(rng):
    """Attention weights [layer, head, query, key], of a model that sees the past or of one that sees everything."""
    draw, n = _draw(rng), rng.randint(3, 8)
    weights = draw.exponential(size=(rng.randint(1, 4), rng.randint(1, 4), n, n))
    if rng.random() < 0.7:
        weights = np.tril(weights)
    return (weights / weights.sum(axis=-1, keepdims=True),)


# Arguments by chance: what tells a changed solution from the right one.
INPUTS = {
    "causal_mask": lambda rng: (rng.randint(1, 20),),
    "attend": _words,
    "most_previous": _weights,
    "look_back": lambda rng: (),
}
