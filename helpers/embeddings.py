"""Words as vectors: from a 1 among zeros to a table in which neighbours mean similar things.

A model can't multiply words, so each word gets a row of numbers. This module goes up in steps:

1. ``one_hot`` and ``cosine``: a lookup is a matrix product; how alike two vectors point.
2. ``co_occurrence``, ``ppmi``, ``svd_vectors``: vectors from company, by counting.
3. ``skip_gram``: vectors from company, by guessing neighbours and learning from it. ``cohesion`` measures
   whether words of one kind have gathered.
4. ``nearest``, ``neighbours``, ``analogy``, ``token_id``: reading a table, ours or a real model's.
5. ``project``, ``neighbour_overlap``, ``load_map``: a table on two axes, and what is lost on the way.

``python -m helpers.embeddings`` computes the map of SmolLM2's words that notebook 02 shows and writes it to
``helpers/weights/map.npz`` (three minutes on a free core; it needs the models and scikit-learn).

What it leaves out: whole sentences (``helpers.sentences``), the same word in different company (a
transformer's later layers, notebook 04), subsampling of frequent words.

Sources: Levy and Goldberg 2014, "Neural Word Embedding as Implicit Matrix Factorization"; Levy, Goldberg
and Dagan 2015, "Improving Distributional Similarity with Lessons Learned from Word Embeddings"; Mikolov et
al. 2013, "Distributed Representations of Words and Phrases and their Compositionality", section 2.2.
"""

import argparse
import re
import time
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

MAP = Path(__file__).parent / "weights" / "map.npz"
MEASURES = ("cosine", "dot", "distance")


# ---------------------------------------------------------------------------------------------
# What is accepted.


def _whole(name: str, value, most: float = np.inf) -> int:
    """`value` as an int from 1 to `most`; anything else is refused."""
    try:
        right = not isinstance(value, bool) and 1 <= value <= most and value == int(value)
    except (TypeError, ValueError, OverflowError):
        right = False
    if not right:
        limit = f"from 1 to {most:,}" if most < np.inf else "from 1"
        raise ValueError(f"{name} must be a whole number {limit}, got {value!r}; try {min(most, 10)}")
    return int(value)


def _ids(ids, vocab_size: int) -> Int[np.ndarray, " seq"]:
    """Ids as an array; anything that is not the number of a row is refused."""
    array = np.asarray(ids)
    if not array.size and array.ndim == 1:
        return np.zeros(0, dtype=np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"ids must be a list of whole numbers, got {_short(ids)}; a tokenizer makes them")
    wrong = array[(array < 0) | (array >= vocab_size)]
    if wrong.size:
        raise ValueError(
            f"an id must be from 0 to {vocab_size - 1:,}, got {wrong[0]:,}; check the vocabulary"
        )
    return array.astype(np.int64)


def _vectors(name: str, values) -> Float[np.ndarray, "..."]:
    """One vector, or rows of them, as floating-point numbers; NaN, infinity and emptiness are refused."""
    try:
        array = np.asarray(values)
        array = array if array.dtype.kind == "f" else array.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be numbers, in rows of one size, got {_short(values)}; look for text or gaps"
        ) from None
    if array.ndim not in (1, 2) or not array.size:
        raise ValueError(
            f"{name} must be one vector or rows of vectors, got shape {array.shape}; the last axis is d_model"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must hold finite numbers, got NaN or infinity; look for a division by 0")
    return array


def _rows(name: str, values, least: int = 1) -> Float[np.ndarray, "rows d_model"]:
    """At least `least` vectors, one a row."""
    array = _vectors(name, values)
    if array.ndim != 2 or len(array) < least:
        raise ValueError(
            f"{name} must be {least} or more rows of vectors, got shape {array.shape}; stack them"
        )
    return array


def _lengths(
    vectors: Float[np.ndarray, "*rows d_model"], ignored: Collection | np.ndarray = ()
) -> Float[np.ndarray, "*rows 1"]:
    """The length of each vector. One without a direction is refused, unless its row is `ignored`."""
    lengths = np.sqrt(np.einsum("...d,...d->...", vectors, vectors))  # no copy of a table of 113 MB
    wrong = np.setdiff1d(np.flatnonzero((lengths == 0) | (lengths == np.inf)), ignored)
    if wrong.size:
        where = f" in row {wrong[0]}" if lengths.ndim else ""
        raise ValueError(
            f"a vector must have a direction, got length {lengths.flat[wrong[0]]:g}{where}; leave it out"
        )
    return lengths[..., None]


def _measure(measure: str) -> str:
    if measure not in MEASURES:
        raise ValueError(f"measure must be one of {', '.join(MEASURES)}, got {measure!r}; cosine is usual")
    return measure


def _short(value) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


# ---------------------------------------------------------------------------------------------
# 1. A lookup, and how alike two vectors are.


def one_hot(ids: Sequence | np.ndarray, vocab_size: float) -> Float[np.ndarray, "seq vocab"]:
    """A row of zeros for each id, with a 1 in the id's own column.

    Multiplied with a table it picks the table's rows: a lookup is a matrix product.

    >>> table = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> one_hot([2, 0], vocab_size=3) @ table
    array([[5., 6.], [1., 2.]])
    >>> table[[2, 0]]
    array([[5., 6.], [1., 2.]])

    Raises ValueError for an id that is no row of the vocabulary.
    """
    vocab_size = _whole("vocab_size", vocab_size)
    ids = _ids(ids, vocab_size)
    rows = np.zeros((len(ids), vocab_size))
    rows[np.arange(len(ids)), ids] = 1
    return rows


def unit(vectors) -> Float[np.ndarray, "*rows d_model"]:
    """The vectors, each divided by its length: same direction, length 1.

    >>> unit([3.0, 4.0])
    array([0.6, 0.8])

    Raises ValueError for a vector of zeros, which has no direction, and for NaN or infinity.
    """
    vectors = _vectors("vectors", vectors)
    return vectors / _lengths(vectors)


def cosine(a, b) -> float | Float[np.ndarray, "..."]:
    """The cosine of the angle between two vectors, from -1 (opposite) over 0 to 1 (same direction).

    It is their dot product over the product of their lengths. Where `a` or `b` is rows of vectors, every
    vector of `a` meets every vector of `b`: ``[rows_a, d_model]`` and ``[rows_b, d_model]`` give
    ``[rows_a, rows_b]``.

    >>> cosine([3, 4], [4, 3])  # (12 + 12) / (5 * 5)
    0.96
    >>> cosine([[1, 0], [3, 4]], [[0, 2], [-1, 0]])
    array([[ 0. , -1. ], [ 0.8, -0.6]])

    Raises ValueError for vectors of different sizes, of zeros, or with NaN.
    """
    a, b = _vectors("a", a), _vectors("b", b)
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(
            f"two vectors must have the same size, got {a.shape[-1]} and {b.shape[-1]} numbers; only vectors "
            "of one model can be compared"
        )
    cosines = np.clip(unit(a) @ unit(b).T, -1, 1)  # rounding can step a hair over 1
    return cosines if np.ndim(cosines) else float(cosines)


# ---------------------------------------------------------------------------------------------
# 2. Company, by counting.


def window_pairs(texts_as_ids: Sequence, vocab_size: float, window: float) -> Int[np.ndarray, "pair 2"]:
    """Every word with every neighbour up to `window` places away, both ways round; never across texts.

    >>> window_pairs([[0, 1], [2]], vocab_size=3, window=5).tolist()
    [[0, 1], [1, 0]]

    Raises ValueError for one text where a list of texts is meant, an id that is not in the vocabulary, or a
    window below 1.
    """
    vocab_size, window = _whole("vocab_size", vocab_size), _whole("window", window)
    if not len(texts_as_ids) or np.ndim(texts_as_ids[0]) == 0:
        raise ValueError(
            f"texts must be a list of lists of ids, got {_short(texts_as_ids)}; wrap one text as [ids]"
        )
    ids = np.concatenate([_ids(text, vocab_size) for text in texts_as_ids])
    text_of = np.repeat(np.arange(len(texts_as_ids)), [len(text) for text in texts_as_ids])
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    for distance in range(1, min(window, len(ids) - 1) + 1):
        together = text_of[distance:] == text_of[:-distance]
        left, right = ids[:-distance][together], ids[distance:][together]
        pairs += [np.stack([left, right], axis=1), np.stack([right, left], axis=1)]
    return np.concatenate(pairs)


def co_occurrence(texts_as_ids: Sequence, vocab_size: float, window: float) -> Int[np.ndarray, "vocab vocab"]:
    """How often each word stood within `window` places of each other word, in the same text.

    The table is symmetric: whoever stands near me, I stand near.

    >>> co_occurrence([[0, 1, 2, 1]], vocab_size=3, window=1)
    array([[0, 1, 0], [1, 0, 2], [0, 2, 0]])

    Raises what ``window_pairs`` raises.
    """
    words, near = window_pairs(texts_as_ids, vocab_size, window).T
    counts = np.zeros((int(vocab_size), int(vocab_size)), dtype=np.int64)
    np.add.at(counts, (words, near), 1)
    return counts


def ppmi(counts, smoothing: float = 1.0) -> Float[np.ndarray, "vocab vocab"]:
    """Positive pointwise mutual information in nats: how much more often two words meet than by chance.

    ``ln(p(word, near) / (p(word) p(near)))``, and 0 where that is negative or the two never met. A
    `smoothing` of 0.75 raises the counts behind p(near) to that power, which tames rare neighbours (Levy,
    Goldberg and Dagan 2015, section 3.2).

    >>> ppmi([[0, 3], [3, 2]]).round(2)  # ln((3/8) / (3/8 * 5/8)) = ln(8/5) = 0.47
    array([[0.  , 0.47], [0.47, 0.  ]])

    Raises ValueError for negative counts, a table without counts, and a smoothing that is not above 0 and up to 1.
    """
    counts = _rows("counts", counts)
    if (counts < 0).any() or not counts.any():
        raise ValueError(
            f"counts must be 0 or more and not all 0, got {counts.min():g} to {counts.max():g}; co_occurrence counts"
        )
    if not 0 < smoothing <= 1:
        raise ValueError(f"smoothing must be above 0, up to 1, got {smoothing}; 1 is none, 0.75 is usual")
    near = counts.sum(axis=0) ** smoothing
    expected = np.outer(counts.sum(axis=1), near / near.sum())
    ratio = np.divide(counts, expected, out=np.ones_like(counts), where=counts > 0)
    return np.log(np.maximum(ratio, 1))


def _fix_signs(columns: Float[np.ndarray, "rows axis"]) -> Float[np.ndarray, "rows axis"]:
    """Columns turned so that the largest number of each is positive.

    A singular vector and its mirror image are equally right, and machines differ in which they return.
    """
    # Rounded, so that of two numbers that are large alike the first decides everywhere.
    largest = np.abs(columns).round(9).argmax(axis=0)
    signs = np.where(columns[largest, np.arange(columns.shape[1])] < 0, -1, 1)
    return columns * signs


def svd_vectors(matrix, d_model: float) -> Float[np.ndarray, "vocab d_model"]:
    """A short vector for each row of a matrix, the strongest direction first: ``U sqrt(S)`` of its SVD.

    Rows with similar numbers get similar vectors, though they shrink from `vocab` numbers to `d_model`.
    In each column the largest number is positive, so that the result is the same on every machine.

    >>> svd_vectors([[0.0, 2.0], [2.0, 0.0], [0.0, 2.0]], d_model=1).round(2).tolist()
    [[1.19], [0.0], [1.19]]

    Raises ValueError for a d_model that is larger than the matrix. Source: Levy, Goldberg and Dagan 2015,
    section 3.3 (the root of S).
    """
    matrix = _rows("matrix", matrix)
    d_model = _whole("d_model", d_model, most=min(matrix.shape))
    u, s, _ = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    return _fix_signs(u[:, :d_model]) * np.sqrt(s[:d_model])


# ---------------------------------------------------------------------------------------------
# 3. Company, by guessing.


@dataclass(frozen=True)
class SkipGramConfig:
    """How skip-gram learns; the defaults suit 2,000 Tinytown stories and take 2 to 3 seconds."""

    d_model: int = 16  # numbers a word
    window: int = 2  # how far away a neighbour may stand
    negatives: int = 5  # words drawn at random for each true neighbour
    smoothing: float = 0.75  # power of the counts from which they are drawn
    steps: int = 600  # updates
    batch_size: int = 1024  # pairs in an update
    learning_rate: float = 0.01  # of Adam
    save_every: int = 30  # updates between two records
    seed: int = 0  # first vectors, pairs and negatives

    def __post_init__(self):
        for name in ("d_model", "window", "negatives", "steps", "batch_size", "save_every"):
            _whole(name, getattr(self, name))
        if not 0 < self.smoothing <= 1:
            raise ValueError(f"smoothing must be above 0, up to 1, got {self.smoothing}; 0.75 is usual")
        if not 0 < self.learning_rate < np.inf:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}; 0.01 suits Tinytown")


class SkipGramRecord(NamedTuple):
    """Skip-gram after `step` updates."""

    step: int  # updates made, from 0
    loss: float  # of the next batch, in nats a pair; a blind guess costs (1 + negatives) ln 2
    table: Float[np.ndarray, "vocab d_model"]  # the words' vectors
    contexts: Float[np.ndarray, "vocab d_model"]  # their vectors as neighbours, thrown away in the end


def skip_gram(
    texts_as_ids: Sequence, vocab_size: float, config: SkipGramConfig | None = None
) -> Iterator[SkipGramRecord]:
    """Learns a vector for each word and yields a record at the start, every few steps, and at the end.

    Each word is asked: is this one a true neighbour of yours, or one drawn at random? Its answer is the
    sigmoid of their dot product. With vectors long enough and enough steps, the dot product becomes the
    PMI of the two words minus ``ln(negatives)`` (Levy and Goldberg 2014, equation 7): what ``ppmi`` counts.

    Raises ValueError for texts without a pair of neighbours, and what ``window_pairs`` raises. Source:
    Mikolov et al. 2013, equation 4.
    """
    import torch  # the rest of this module needs only NumPy
    from torch.nn.functional import embedding, logsigmoid

    config = config or SkipGramConfig()
    vocab_size, pairs = int(vocab_size), window_pairs(texts_as_ids, vocab_size, config.window)
    if not len(pairs):
        raise ValueError("texts must hold a pair of neighbours, got none; one text needs two words")
    rng = np.random.default_rng(config.seed)
    odds = np.bincount(pairs[:, 1], minlength=vocab_size) ** config.smoothing
    odds /= odds.sum()
    drawn = (config.batch_size, config.negatives)
    start = rng.uniform(-0.5, 0.5, (vocab_size, config.d_model)) / config.d_model
    table = torch.tensor(start, dtype=torch.float32, requires_grad=True)
    contexts = torch.zeros(vocab_size, config.d_model, requires_grad=True)
    optimizer = torch.optim.Adam([table, contexts], lr=config.learning_rate)
    for step in range(config.steps + 1):
        word, near = torch.from_numpy(pairs[rng.integers(len(pairs), size=config.batch_size)]).T
        others = torch.from_numpy(rng.choice(vocab_size, drawn, p=odds))
        vectors = embedding(word, table)[:, :, None]
        true = embedding(near, contexts)[:, None, :] @ vectors
        false = embedding(others, contexts) @ vectors
        loss = -(logsigmoid(true).sum() + logsigmoid(-false).sum()) / config.batch_size
        if not torch.isfinite(loss):
            raise ValueError(
                f"the loss must stay a number, got {loss.item()} at step {step}; try a smaller learning rate"
            )
        if step % config.save_every == 0 or step == config.steps:
            learned = (weights.detach().numpy().copy() for weights in (table, contexts))
            yield SkipGramRecord(step, loss.item(), *learned)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def cohesion(vectors, groups: Mapping[str, Sequence | np.ndarray]) -> dict[str, float]:
    """How much closer the words of each group are to each other than to the other groups' words.

    The mean cosine inside the group minus the mean cosine with members of other groups: near 0 for vectors
    drawn at random, at most 2. `groups` gives each group's rows.

    >>> cohesion([[1, 0], [1, 0], [0, 1], [0, 1]], {"animals": [0, 1], "colours": [2, 3]})
    {'animals': 1.0, 'colours': 1.0}

    Raises ValueError for fewer than two groups or words in a group, and for a word in two places.
    """
    vectors = _rows("vectors", vectors)
    members = {name: _ids(ids, len(vectors)) for name, ids in groups.items()}
    if len(members) < 2 or min(map(len, members.values())) < 2:
        sizes = {name: len(ids) for name, ids in members.items()}
        raise ValueError(f"there must be two groups or more of two words or more, got {sizes}; add some")
    everyone = np.concatenate(list(members.values()))
    if len(np.unique(everyone)) < len(everyone):
        raise ValueError("a word must be in one group, once, got one in two places; take it out of one")
    result = {}
    for name, ids in members.items():
        own = unit(vectors[ids])
        inside = (own @ own.T)[~np.eye(len(ids), dtype=bool)]  # a word's cosine with itself says nothing
        between = own @ unit(vectors[np.setdiff1d(everyone, ids)]).T
        result[name] = float(inside.mean() - between.mean())
    return result


# ---------------------------------------------------------------------------------------------
# 4. Reading a table.


class Neighbours(NamedTuple):
    """Rows of a table, best first, and how they scored."""

    ids: Int[np.ndarray, "*rows k"]
    scores: Float[np.ndarray, "*rows k"]


def _scores(
    queries: Float[np.ndarray, "query d_model"], table: Float[np.ndarray, "rows d_model"], measure: str
) -> Float[np.ndarray, "query rows"]:
    """Dot products with each row of the table, or minus the distances to it: more is better."""
    if measure != "distance":
        return queries @ table.T
    queries, table = queries.astype(np.float64), table.astype(np.float64)  # what follows cancels
    squares = (queries**2).sum(axis=1)[:, None] + (table**2).sum(axis=1) - 2 * queries @ table.T
    return -np.sqrt(np.maximum(squares, 0))


def _best(scores: Float[np.ndarray, " rows"], k: int) -> Int[np.ndarray, " k"]:
    """The `k` rows that score best, best first; of those equal to 6 decimals, the smaller id first."""
    edge = np.partition(scores, -k)[-k]
    ids = np.flatnonzero(scores >= edge - 1e-6)  # ties at the edge included
    return ids[np.argsort(-scores[ids].astype(np.float64).round(6), kind="stable")][:k]


def nearest(
    query, table, k: float = 10, *, measure: str = "cosine", exclude: Collection[int] | np.ndarray = ()
) -> Neighbours:
    """The `k` rows of the table that are nearest to `query`, best first, without those in `exclude`.

    Measures: ``"cosine"``; ``"dot"``, which long vectors win; ``"distance"``, whose scores are minus the
    distance, so that more is better everywhere. Ties go to the smaller id.

    >>> nearest([1, 0], [[3, 4], [2, 0], [0, 9], [9, 9]], k=2).ids.tolist()
    [1, 3]
    >>> nearest([1, 0], [[3, 4], [2, 0], [0, 9], [9, 9]], k=2, measure="dot").ids.tolist()
    [3, 0]

    Raises ValueError for a query of another size, of zeros, or with NaN, and a `k` that the table can't fill.
    """
    query, table = _vectors("query", query), _rows("table", table)
    if query.shape != table.shape[1:]:
        raise ValueError(
            f"query must be one vector of {table.shape[1]} numbers, as the table has, got shape {query.shape}; "
            "take a row of the same table"
        )
    left_out = np.unique(_ids(list(exclude), len(table)))
    if len(left_out) == len(table):
        raise ValueError(f"exclude must leave a row to find, got all {len(table):,}; leave out fewer")
    k = _whole("k", k, most=len(table) - len(left_out))
    scores = _scores(query[None], table, _measure(measure))[0]
    if measure == "cosine":
        with np.errstate(invalid="ignore"):  # 0 / 0 in a row that is left out
            scores = scores / _lengths(query) / _lengths(table, ignored=left_out)[:, 0]
    scores[left_out] = -np.inf
    ids = _best(scores, k)
    return Neighbours(ids, scores[ids])


def analogy(table, a: int, b: int, c: int, k: float = 10, *, exclude_inputs: bool = True) -> Neighbours:
    """What is to `c` as `b` is to `a`: the rows nearest to ``b - a + c``, each taken at length 1 (3CosAdd).

    man is to king as woman is to ...: ``analogy(table, man, king, woman)``. The three words asked with are
    left out, as everybody does. That flatters the method: the nearest row is often `b` or `c` itself, and
    what comes next may be no more than a neighbour of it. ``exclude_inputs=False`` shows it.

    >>> man, woman, king, queen = [1, 0, 0.1], [0, 1, 0.1], [1, 0, 9], [0, 1, 9]
    >>> analogy([man, woman, king, queen], 0, 2, 1, k=1).ids.tolist()
    [3]

    Raises ValueError for an id that is no row of the table, and for vectors of zeros. Sources: Mikolov, Yih
    and Zweig 2013, section 4; Linzen 2016 and Rogers, Drozd and Li 2017 on leaving the inputs out.
    """
    table = _rows("table", table)
    inputs = _ids([a, b, c], len(table))
    from_a, from_b, from_c = unit(table[inputs])
    return nearest(from_b - from_a + from_c, table, k, exclude=inputs if exclude_inputs else ())


def token_id(tokenizer, word: str) -> int:
    """The id of a word as it stands inside a text, with a space in front of it: " cat", not "cat".

    Raises ValueError for a word that the tokenizer cuts into several tokens: no single row is its own.
    """
    if not isinstance(word, str) or not word.strip():
        raise ValueError(f"a word must be a string with letters in it, got {word!r}; try 'cat'")
    text = f" {word.strip()}"
    ids = tokenizer.encode(text)
    if len(ids) != 1:
        pieces = " + ".join(map(repr, tokenizer.tokens(text)))
        raise ValueError(
            f"a word must be one token to have a row of its own, got {len(ids)} for {word!r}: {pieces}; take "
            "another word, or a sentence encoder, which gives any text one vector"
        )
    return ids[0]


def neighbours(table, k: float = 10, *, measure: str = "cosine") -> Neighbours:
    """The `k` nearest other rows of every row at once: ids ``[rows, k]`` and scores, best first.

    Works through the table in slices of 256 rows, so that memory stays small. Raises ValueError for vectors
    of zeros or with NaN, and a `k` that the table can't fill.

    >>> neighbours([[1, 0], [5, 1], [0, 1], [-1, 4]], k=1).ids.ravel().tolist()
    [1, 0, 3, 2]
    """
    table = _rows("table", table, least=2)
    k, measure = _whole("k", k, most=len(table) - 1), _measure(measure)
    if measure == "cosine":
        table, measure = unit(table), "dot"
    ids = np.empty((len(table), k), dtype=np.int64)
    scores = np.empty((len(table), k))
    for start in range(0, len(table), 256):
        for row, line in enumerate(_scores(table[start : start + 256], table, measure), start):
            line[row] = -np.inf  # nobody is their own neighbour
            ids[row] = _best(line, k)
            scores[row] = line[ids[row]]
    return Neighbours(ids, scores)


# ---------------------------------------------------------------------------------------------
# 5. A map.


def project(vectors, method: str = "pca", *, seed: int = 0) -> Float[np.ndarray, "rows 2"]:
    """A place on a flat map for each vector.

    ``"pca"`` looks from the side from which the vectors differ most: distances can only shrink. ``"tsne"``
    (scikit-learn's, started from PCA) keeps neighbours together and lets far distances go: gaps between its
    islands, and their sizes, mean nothing. `seed` matters to t-SNE alone.

    >>> project([[0, 0, 7], [3, 0, 7], [9, 0, 7]])[:, 0].round(2).tolist()  # their mean is [4, 0, 7]
    [-4.0, -1.0, 5.0]

    Raises ValueError for fewer than three vectors or two numbers, and for another method. Source: van der
    Maaten and Hinton 2008 (t-SNE).
    """
    vectors = _rows("vectors", vectors, least=3)
    if vectors.shape[1] < 2:
        raise ValueError("vectors must have 2 numbers or more for a map, got 1; a line needs no map")
    if method == "pca":
        u, s, _ = np.linalg.svd((vectors - vectors.mean(axis=0)).astype(np.float64), full_matrices=False)
        return _fix_signs(u[:, :2] * s[:2])
    if method != "tsne":
        raise ValueError(f"method must be 'pca' or 'tsne', got {method!r}; pca is the quick one")
    from sklearn.manifold import TSNE  # only whoever computes such a map needs scikit-learn

    perplexity = min(30, (len(vectors) - 1) / 3)  # about how many neighbours each point looks at
    tsne = TSNE(init="pca", perplexity=perplexity, random_state=seed, n_jobs=1)
    return tsne.fit_transform(vectors).astype(np.float64)


def neighbour_overlap(high, low, k: float = 10) -> float:
    """The share of each vector's `k` nearest neighbours (by cosine) that are still its nearest on the map.

    `high` are the vectors, `low` their places on the map, where near means a short distance. 1 is a perfect
    map; a map drawn at random gets about ``k / (rows - 1)``. The mean over all rows.

    Raises ValueError where `high` and `low` have different numbers of rows.
    """
    high, low = _rows("high", high, least=2), _rows("low", low, least=2)
    if len(high) != len(low):
        raise ValueError(
            f"a map must have a place for each vector, got {len(low)} for {len(high)}; project the same rows"
        )
    near, on_map = neighbours(high, k).ids, neighbours(low, k, measure="distance").ids
    return float((near[:, :, None] == on_map[:, None, :]).any(axis=2).mean())


def load_map(
    path: Path = MAP,
) -> tuple[Int[np.ndarray, " word"], dict[str, Float[np.ndarray, "word 2"]]]:
    """Token ids of SmolLM2's most frequent whole words, and their places: ``{"PCA": xy, "t-SNE": xy}``.

    Raises ValueError for a file that is missing or damaged.
    """
    try:
        with np.load(path) as file:
            places = {"PCA": file["pca"], "t-SNE": file["tsne"]}
            return file["ids"].astype(np.int64), {name: xy.astype(np.float32) for name, xy in places.items()}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise ValueError(
            f"the map must be a whole file, got none or a damaged one at {path}; run: git checkout helpers/weights, "
            "or: python -m helpers.embeddings"
        ) from None


# ---------------------------------------------------------------------------------------------
# The command.

_BEFORE = ("They saw the", "They want to", "It was found")  # then stands a thing, a deed, a word like "in"


def whole_words(model, tokenizer, second_tokenizer, count: int = 5000) -> list[int]:
    """The lowest ids, most frequent first, that are a whole lower-case word with a space in front.

    A byte-pair vocabulary is full of beginnings such as " strugg". A token counts as a word if a second
    tokenizer, trained on other text, keeps it whole too, and if `model` thinks with at least 70 % that no letter
    follows it, in one of three sentences.
    """
    import torch

    texts = [tokenizer.token_bytes(id_).decode("utf-8", "replace") for id_ in range(tokenizer.vocab_size)]
    no_letter = torch.tensor([not text[:1].isalpha() for text in texts])
    candidates = [
        id_
        for id_, text in enumerate(texts)
        if re.fullmatch(" [a-z]{2,}", text) and len(second_tokenizer.encode(text)) == 1
    ]
    words: list[int] = []
    for start in range(0, len(candidates), 32):
        left = candidates[start : start + 32]
        for before in map(tokenizer.encode, _BEFORE):
            if left:
                with torch.inference_mode():
                    odds = model(torch.tensor([[*before, id_] for id_ in left]))[:, -1].softmax(-1)
                ends = odds[:, no_letter].sum(-1).tolist()
                words += [id_ for id_, end in zip(left, ends, strict=True) if end >= 0.7]
                left = [id_ for id_, end in zip(left, ends, strict=True) if end < 0.7]
        if len(words) >= count:
            break
    return sorted(words)[:count]


def main(arguments: Sequence[str] | None = None) -> None:
    """Computes the map of SmolLM2's words, prints how true it is, and writes it."""
    from helpers.pretrained import load_smollm2
    from helpers.tokenization import load_tokenizer

    parser = argparse.ArgumentParser(prog="python -m helpers.embeddings", description=main.__doc__)
    parser.add_argument("--words", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=MAP)
    options = parser.parse_args(arguments)

    began = time.perf_counter()
    model, tokenizer = load_smollm2()
    ids = whole_words(model, tokenizer, load_tokenizer("minilm"), options.words)
    print(f"{len(ids):,} words up to id {ids[-1]:,}, {time.perf_counter() - began:.0f} s", flush=True)
    vectors = unit(model.embedding.weight.numpy()[ids])
    places = {method: project(vectors, method, seed=options.seed) for method in ("pca", "tsne")}
    for method, xy in places.items():
        print(
            f"{method}: keeps {neighbour_overlap(vectors, xy):.1%} of the 10 nearest neighbours", flush=True
        )
    small = {method: xy.astype(np.float16) for method, xy in places.items()}
    np.savez_compressed(options.out, ids=np.array(ids, dtype=np.uint16), **small)
    print(
        f"wrote {options.out.name}, {options.out.stat().st_size / 1e3:.0f} kB, {time.perf_counter() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
