"""Answers to the exercises of notebook 01: unusual ones that are right, wrong ones, and random inputs."""

from helpers import tokenization

# Whole functions, as a learner might write them.
UNUSUAL = {
    "count_pairs": [
        """
from collections import Counter
def count_pairs(ids):
    return Counter(zip(ids, ids[1:]))
""",
        """
import numpy as np
def count_pairs(ids):
    pairs, counts = np.unique(np.array([ids[:-1], ids[1:]], dtype=np.int64), axis=1, return_counts=True)
    return {tuple(pair): count for pair, count in zip(pairs.T, counts)}  # NumPy's numbers in keys and counts
""",
        """
from collections import defaultdict
def count_pairs(ids):
    counts = defaultdict(int)
    while len(ids) > 1:  # in place, from the back
        right = ids.pop()
        counts[ids[-1], right] += 1
    return counts
""",
    ],
    "merge": [
        """
def merge(ids, pair, new_id):
    i = 0
    while i < len(ids):
        if (ids[i], *ids[i + 1 : i + 2]) == pair:
            yield new_id
            i += 1
        else:
            yield ids[i]
        i += 1
""",
        """
import numpy as np
def merge(ids, pair, new_id):
    out = []
    for one in ids:
        if out and out[-1] == pair[0] and one == pair[1] and out[-1] != new_id:
            out[-1] = new_id
        else:
            out.append(one)
    return np.array(out, dtype=np.uint32)
""",
        """
def merge(ids, pair, new_id):
    ids = list(ids)
    for i in range(len(ids) - 1):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            ids[i : i + 2] = [new_id]
    return tuple(ids)
""",
    ],
    "encode": [
        """
def encode(text, merges):
    ids, ranks = list(bytes(text, "utf-8")), dict(merges)
    while known := set(zip(ids, ids[1:])) & ranks.keys():
        first = min(known, key=ranks.get)
        ids = tokenization.merge(ids, first, ranks[first])
    return tuple(ids)
""",
        """
import numpy as np
def encode(text, merges):
    ids = np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int32).tolist()
    for (left, right), new_id in merges:
        i = 0
        while i + 1 < len(ids):
            if ids[i] == left and ids[i + 1] == right:
                ids[i : i + 2] = [new_id]
            i += 1
    return np.array(ids)
""",
    ],
    "decode": [
        """
def decode(ids, merges):
    parts = {new_id: pair for pair, new_id in merges}
    def data(i):
        return data(parts[i][0]) + data(parts[i][1]) if i in parts else bytes([i])
    return str(b"".join(map(data, ids)), "utf-8", "replace")
""",
        """
def decode(ids, merges):
    for pair, new_id in reversed(merges):
        ids = [one for i in ids for one in (pair if i == new_id else [i])]
    return bytearray(ids).decode(errors="replace")
""",
    ],
}

# The body of a function, and a part of the sentence that it must get.
WRONG = {
    "count_pairs": {
        "c = {}\nfor i in range(0, len(ids) - 1, 2): c[ids[i], ids[i+1]] = c.get((ids[i], ids[i+1]), 0) + 1\nreturn c": "step over two",
        "c = {}\nfor i in range(len(ids)): c[ids[i], ids[i+1]] = c.get((ids[i], ids[i+1]), 0) + 1\nreturn c": "no right neighbour",
        "c = {}\nfor i in range(len(ids)): c[ids[i-1], ids[i]] = c.get((ids[i-1], ids[i]), 0) + 1\nreturn c": "no ring",
        "c = {}\nfor p in zip(ids, ids[1:]): c[p] += 1\nreturn c": "no count yet",
        "c = {}\nfor p in zip(ids, ids[1:]): c[p] = 1\nreturn c": "counts 1, however often",
        "c = {}\nfor p in zip(ids, ids[1:]): c[p] = c[p] + 1 if p in c else 0\nreturn c": "1 too low",
        "s = ''.join(map(chr, ids))\nreturn {(ord(a), ord(b)): s.count(a + b) for a, b in zip(s, s[1:])}": "miss the overlaps",
        "return [p for p in zip(ids, ids[1:])]": "a dict from pairs to counts, and this is a list",
    },
    "merge": {
        "for i in range(len(ids) - 1):\n  if (ids[i], ids[i+1]) == pair: ids[i:i+2] = [new_id]\nreturn ids": "no right neighbour",
        "i = 0\nwhile i < len(ids) - 1:\n  if (ids[i], ids[i+1]) == pair: ids[i:i+2] = [new_id]\n  i += 1\nreturn ids": "changed `ids`",
        "o = []\nfor i in range(len(ids)):\n  if tuple(ids[i:i+2]) == pair: o.append(new_id)\n  else: o.append(ids[i])\nreturn o": "right one standing",
        "o, i = [], 0\nwhile i < len(ids) - 1:\n  if (ids[i], ids[i+1]) == pair: o.append(new_id); i += 2\n  else: o.append(ids[i]); i += 1\nreturn o": "lose the last id",
        "o, i = [], 0\nwhile i < len(ids):\n  if tuple(ids[i:i+2]) == pair: o.append(new_id); i += 2\nreturn o": "doesn't stop",
        "o, i = [], 0\nwhile i < len(ids):\n  if set(ids[i:i+2]) == set(pair): o.append(new_id); i += 2\n  else: o.append(ids[i]); i += 1\nreturn o": "it should be",
        "o, i = [], 0\nwhile i < len(ids):\n  if ids[i] == pair[0] and ids[i+1] == pair[1]: o.append(new_id); i += 2\n  else: o.append(ids[i]); i += 1\nreturn o": "ask whether there is one",
    },
    "encode": {
        "ids = [ord(c) for c in text]\nfor p, n in merges: ids = tokenization.merge(ids, p, n)\nreturn ids": "each character",
        "ids = list(text.encode())\nfor p, n in merges: tokenization.merge(ids, p, n)\nreturn ids": "merges change nothing",
        "ids = list(text.encode())\nfor p, n in merges:\n  ids = tokenization.merge(ids, p, n)\n  return ids": "gave nothing",
        "ids = list(text.encode())\nfor p, n in reversed(merges): ids = tokenization.merge(ids, p, n)\nreturn ids": "from the last to the first",
        "ids = list(text.encode())\nwhile merges:\n  p, n = merges.pop(0)\n  ids = tokenization.merge(ids, p, n)\nreturn ids": "changed `merges`",
        "ids = list(text.encode())\nfor a, b, n in merges: ids = tokenization.merge(ids, (a, b), n)\nreturn ids": "a pair and its new id",
        "ids = list(text.encode())\nfor p, n in merges: ids = merge(ids, p, n)\nreturn ids": "Has the cell with your `merge`",
    },
    "decode": {
        "v = tokenization.N_BYTES\nreturn ''.join(chr(i) for i in ids)": "look up which bytes",
        "v = {i: bytes([i]) for i in range(256)}\nfor (a, b), n in merges: v[n] = v[a] + v[b]\n"
        "return ''.join(v[i].decode('utf-8', 'replace') for i in ids)": "read each token by itself, and a character that lies across two is lost",
        "v = {i: bytes([i]) for i in range(256)}\nfor (a, b), n in merges: v[n] = v[a] + v[b]\n"
        "return b''.join(v[i] for i in ids).decode()": "A cut character raises",
        "v = {i: bytes([i]) for i in range(256)}\nfor (a, b), n in merges: v[n] = v[b] + v[a]\n"
        "return b''.join(v[i] for i in ids).decode('utf-8', 'replace')": "Left and right are swapped",
        "v = {i: bytes([i]) for i in range(256)}\nfor (a, b), n in merges: v[n] = bytes([a]) + bytes([b])\n"
        "return b''.join(v[i] for i in ids).decode('utf-8', 'replace')": "has to be looked up",
        "v = {i: bytes([i]) for i in range(256)}\nfor (a, b), n in merges: v[n] = v[a] + v[b]\n"
        "return b''.join(v[i] for i in ids)": "these are bytes",
        "v = {i: bytes([i]) for i in range(255)}\nfor (a, b), n in merges: v[n] = v[a] + v[b]\n"
        "return b''.join(v[i] for i in ids).decode('utf-8', 'replace')": "raised `KeyError: 255`",
    },
}  # fmt: skip


def sequences(rng, most=9):
    return [rng.choice([0, 1, 2, 300]) for _ in range(rng.randint(0, most))]


def learned(rng):
    """Some merges as training gives them, on one text, and another text."""
    letters = rng.choice(["abc", "aé", "आप🦊", "ab"])
    text = "".join(rng.choices(letters, k=30))
    merges = [(tuple(pair), new_id) for pair, new_id, _ in tokenization.train_by_recounting(text, 4)]
    return "".join(rng.choices(letters + "é", k=rng.randint(0, 12))), merges


def encoded(rng):
    merges = learned(rng)[1]
    return [
        rng.choice([*range(97, 100), 0, 195, 169, 255, *range(256, 256 + len(merges))]) for _ in range(6)
    ], merges


# Arguments by chance: what tells a changed solution from the right one.
INPUTS = {
    "count_pairs": lambda rng: (sequences(rng),),
    "merge": lambda rng: (sequences(rng), (rng.choice([0, 1, 300]), rng.choice([0, 2, 300])), 301),
    "encode": learned,
    "decode": encoded,
}
