"""Search: which texts answer a question, by their words or by their vectors.

``keyword_search`` counts shared words. ``exact_search`` compares the question's vector with every other one.
A vector database (``open_database``, ``store``, ``find``) does the same and keeps texts, vectors and facts about
them on disk. ``InvertedIndex`` looks only where good answers are likely, which matters from 100,000 vectors on.

What it leaves out: word forms ("drives" is not "drive" to ``keyword_search``), both kinds of search in one, and
indexes made of graphs, which a database server builds.

One axis is new here: ``doc``, the documents that are searched, in the order in which they were given.

Sources: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), section 3.4;
Sivic and Zisserman, "Video Google" (2003), and Jégou, Douze and Schmid, "Product Quantization for Nearest Neighbor
Search" (2011), section IV, for the inverted file; Malkov and Yashunin (2018, arXiv:1603.09320) for graphs.
"""

import atexit
import json
import math
import sqlite3
import string
import time
import uuid
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Int

if TYPE_CHECKING:
    import qdrant_client

# "not" and "without" stay: they say something.
_SKIPPED = "a an and are as at be by for from i in is it its of on or that the to with"
STOP_WORDS = frozenset(_SKIPPED.split())
# Punctuation becomes a space. Python's \w would do, but it cuts Hindi words at their vowel signs.
_SPACES = str.maketrans(dict.fromkeys(string.punctuation + "’‘“”…–—।。，、？！", " "))
SATURATION = 1.2  # k1: how soon more of the same word stops counting
LENGTH = 0.75  # b: how far a long text has to share its words' weight; 0 not at all, 1 fully


class Found(NamedTuple):
    """A document that was found."""

    index: int  # its place in what was searched, from 0
    score: float  # the more, the better; BM25 has no upper end, a cosine ends at 1


# ---------------------------------------------------------------------------------------------
# What every search here checks.


def _count(k) -> int:
    if isinstance(k, bool) or not (
        isinstance(k, int | float | np.number) and k >= 1 and float(k).is_integer()
    ):
        raise ValueError(f"k must be a whole number from 1, got {k!r}; 3 gives the three best")
    return int(k)


def _listed(texts) -> list[str]:
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"texts must be a list of strings, got {texts!r:.40}; wrap one text as [text]")
    return list(texts)


def _numbers(values, what: str, n_axes: int) -> np.ndarray:
    """`values` as 32-bit floats: finite, with the right number of axes, and no row of zeros."""
    try:
        with np.errstate(over="ignore"):  # too large for 32 bits is infinity, which is refused below
            numbers = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{what} must be numbers, each row as long as the others, got something else ({error}); "
            "encode texts first"
        ) from error
    if numbers.ndim != n_axes or not numbers.size:
        shape = "one row of numbers" if n_axes == 1 else "rows of numbers, one for each document"
        raise ValueError(f"{what} must be {shape}, got shape {numbers.shape}; look at its .shape")
    if not np.isfinite(numbers).all():
        raise ValueError(f"{what} must be finite numbers, got NaN or infinity; look for a division by 0")
    zero = np.flatnonzero(~numbers.reshape(-1, numbers.shape[-1]).any(axis=1))
    if len(zero):
        where = f" in row {zero[0]}" if n_axes == 2 else ""
        raise ValueError(f"{what} must have a direction, got only zeros{where}; an empty text has no vector")
    return numbers


def _query(query_vector, size: int) -> Float[np.ndarray, " d_model"]:
    query = _numbers(query_vector, "the query's vector", 1)
    if len(query) != size:
        raise ValueError(
            f"the query's vector must have {size} numbers, as the stored vectors do, got {len(query)}; "
            "encode it with the same model"
        )
    return query


def _unit(vectors: Float[np.ndarray, "*doc d_model"]) -> Float[np.ndarray, "*doc d_model"]:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def best(scores: Float[np.ndarray, " doc"], k: float) -> Int[np.ndarray, " found"]:
    """The places of the `k` highest scores, best first; of equal ones, the smaller place comes first.

    Scores that differ only after the sixth digit count as equal, so that no processor's rounding decides.

    >>> best(np.array([0.2, 0.9, 0.5, 0.9]), k=3)
    array([1, 3, 2])
    """
    k = min(_count(k), len(scores))
    scores = np.round(scores, 6)
    if k < len(scores):
        # Only what reaches the k-th best score is sorted: sorting all of 100,000 would cost more than the search.
        candidates = np.flatnonzero(scores >= np.partition(scores, -k)[-k])
    else:
        candidates = np.arange(len(scores))
    return candidates[np.argsort(-scores[candidates], kind="stable")][:k]


# ---------------------------------------------------------------------------------------------
# By words, by vectors, and how good it was.


def words_of(text: str) -> list[str]:
    """The words of a text that keyword search looks at: lower case, without punctuation and stop words.

    >>> words_of("Good with fish, straight off the boat.")
    ['good', 'fish', 'straight', 'off', 'boat']
    """
    return [word for word in text.lower().translate(_SPACES).split() if word not in STOP_WORDS]


def keyword_search(query: str, texts: Sequence[str], k: float = 3) -> list[Found]:
    """The `k` texts that share the most, and the rarest, words with the query; fewer where fewer share any.

    BM25 adds, for every word of the query (once, however often it is asked)::

        ln(1 + (N - n + 0.5) / (n + 0.5))  *  tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length))

    with N texts, n of which hold the word, and tf times the word in this one; lengths are in words, stop words
    not counted; k1 is 1.2 and b is 0.75. The 1 inside the logarithm keeps a word that most texts hold from counting
    against them. Texts that tie come in their order. Raises ValueError for a query without a word to look for.

    >>> texts = ["good with fish", "good with cheese and good with bread", "for the fire"]
    >>> [found.index for found in keyword_search("a good fish", texts)]
    [0, 1]
    >>> keyword_search("wine for seafood", texts)
    []
    """
    asked, texts, k = _asked(query), _listed(texts), _count(k)
    documents = [words_of(text) for text in texts]
    if not any(documents):
        return []
    lengths = np.array([len(document) for document in documents], dtype=np.float64)
    share = lengths / lengths.mean()
    scores = np.zeros(len(texts))
    for word in asked:
        tf = np.array([document.count(word) for document in documents], dtype=np.float64)
        n = np.count_nonzero(tf)
        rarity = math.log(1 + (len(texts) - n + 0.5) / (n + 0.5))
        scores += rarity * tf * (SATURATION + 1) / (tf + SATURATION * (1 - LENGTH + LENGTH * share))
    return [Found(int(i), float(scores[i])) for i in best(scores, k) if scores[i] > 0]


def _asked(query) -> list[str]:
    """The words to look for, each once."""
    words = words_of(query) if isinstance(query, str) else []
    if not words:
        raise ValueError(
            f"a query must have a word to look for, got {query!r:.40}; stop words such as 'the' are not looked for"
        )
    return sorted(set(words))


def exact_search(query_vector, vectors, k: float = 3) -> list[Found]:
    """The `k` vectors with the largest cosine to the query's, after looking at all of them.

    Where there are fewer than `k`, all come back. Ties come in their order. Raises ValueError for vectors of
    another size than the query's, NaN, infinity, or zeros alone, which point nowhere.

    >>> [(found.index, round(found.score, 2)) for found in exact_search([3, 4], [[0, 1], [6, 8], [1, 0]], k=2)]
    [(1, 1.0), (0, 0.8)]
    """
    vectors = _numbers(vectors, "vectors", 2)
    query = _query(query_vector, vectors.shape[1])
    cosines = _unit(vectors) @ _unit(query)
    return [Found(int(i), float(cosines[i])) for i in best(cosines, k)]


def precision_at(found: Sequence, right: Collection, k: float = 3) -> float:
    """The share of right answers among the first `k` that were found, from 0 to 1.

    Where fewer than `k` were found, the missing ones count as wrong. Raises ValueError without a right answer.

    >>> precision_at(["plum", "fish", "oyster", "mussel"], {"fish", "oyster", "mussel"}, k=2)
    0.5
    """
    k = _count(k)
    if isinstance(found, str) or isinstance(right, str) or not len(right):
        raise ValueError(
            f"found and right must be lists, with one right answer or more, got {found!r:.30} and {right!r:.30}; "
            "wrap one answer as [answer]"
        )
    return len(set(found[:k]) & set(right)) / k


class Evaluation(NamedTuple):
    """How well a search answered questions."""

    precisions: tuple[float, ...]  # of each question, in their order
    mean: float


def evaluate(search: Callable[[str, int], Sequence], questions: Sequence, k: float = 3) -> Evaluation:
    """Precision at `k` of ``search(question.text, k)``, against ``question.right``, for each question and on average.

    Raises ValueError without a question.

    >>> from helpers.wines import QUESTIONS
    >>> evaluate(lambda text, k: ["Brindlemoor Fino"], QUESTIONS[:2], k=2)
    Evaluation(precisions=(0.5, 0.0), mean=0.25)
    """
    precisions = tuple(precision_at(search(question.text, k), question.right, k) for question in questions)
    if not precisions:
        raise ValueError("questions must hold at least one question, got none; take helpers.wines.QUESTIONS")
    return Evaluation(precisions, math.fsum(precisions) / len(precisions))


# ---------------------------------------------------------------------------------------------
# A vector database. Qdrant's client is imported where it is used: that takes more than a second.


class DatabaseError(RuntimeError):
    """A database folder that can't be opened; the message says why, and what to do next."""


# Databases that this process has open. Weak, so that a client that nobody uses any more is closed as ever.
_OPEN: weakref.WeakValueDictionary[Path, "qdrant_client.QdrantClient"] = weakref.WeakValueDictionary()


@atexit.register
def _close_all() -> None:
    """Closes in good time: a client that is still open when Python shuts down complains on the screen."""
    for client in list(_OPEN.values()):
        client.close()


def open_database(folder) -> "qdrant_client.QdrantClient":
    """A Qdrant client whose collections live in `folder`; a new folder makes an empty database.

    Nothing leaves this machine. Only one client can have a folder open. Where this process opened it before (a
    cell that is run twice), the older client is closed. ``close()`` it when done, or
    ``with contextlib.closing(open_database(folder)) as client:``.

    Three lines reach a server instead, and all others stay as they are::

        docker run -p 6333:6333 qdrant/qdrant                # in a terminal: starts a server on this machine
        from qdrant_client import QdrantClient
        client = QdrantClient(url="http://localhost:6333")   # for open_database(folder); a cluster adds api_key=...

    Open no folder that you don't trust: Qdrant keeps points as pickles, and reading a pickle can run a program.

    Raises DatabaseError for a folder that is open elsewhere, damaged, not a database, or can't be written.
    """
    from qdrant_client import QdrantClient

    path = Path(folder).expanduser().resolve()
    if (older := _OPEN.get(path)) is not None:
        older.close()
    try:
        problem = _what_is_wrong(path)
        client = None if problem else QdrantClient(path=str(path))
    except RuntimeError as error:
        raise DatabaseError(_in_use(path)) from error
    except (OSError, sqlite3.OperationalError) as error:
        if "locked" in str(error):
            raise DatabaseError(_in_use(path)) from error
        raise DatabaseError(
            f"a database's folder must be one that can be read and written, got {path} ({error}); choose another"
        ) from error
    except Exception as error:  # a damaged JSON file, SQLite file or pickle: each fails in its own way
        problem = f"what is in it can't be read ({type(error).__name__})"
    if problem:
        raise DatabaseError(
            f"a database's folder must be new, empty, or a whole database, got {path}, where {problem}; "
            "choose another folder, or delete this one and store its documents again"
        )
    _OPEN[path] = client
    return client


def _in_use(path: Path) -> str:
    return (
        f"a database's folder can be open in one place at a time, got {path}, which another notebook or program "
        "has open; shut that one down, or choose another folder"
    )


def _what_is_wrong(path: Path) -> str:
    """What Qdrant would not notice: it begins an empty database where a file of the old one is missing."""
    if not path.exists():
        return ""
    meta = path / "meta.json"
    if not meta.exists():
        others = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith("."))
        return f"there is no meta.json beside {others[0]}" if others else ""
    for name in json.loads(meta.read_text(encoding="utf-8"))["collections"]:
        points = path / "collection" / name / "storage.sqlite"
        if not points.exists() or not points.stat().st_size:
            return f"the points of the collection {name!r} are missing"
    return ""


class Stored(NamedTuple):
    """What became of documents that were stored."""

    new: int  # were not there before
    duplicates: int  # were there, or came twice: the text is kept once, with the latest vector and payload


def store(
    client,
    name: str,
    texts: Sequence[str],
    vectors,
    payloads: Sequence[Mapping[str, object]] | None = None,
) -> Stored:
    """Stores each text with its vector and payload (facts to filter by), and says how many were new.

    The first call makes the collection `name`, for cosines and vectors of this size. A text's id is computed from
    the text, so that the same text never stands there twice. Raises ValueError for vectors of another size, NaN,
    infinity, zeros alone, a blank text, or lists of different lengths; then nothing is stored.
    """
    from qdrant_client import models

    texts = _listed(texts)
    vectors = _numbers(vectors, "vectors", 2)
    payloads = [{} for _ in texts] if payloads is None else list(payloads)
    if not len(texts) == len(vectors) == len(payloads):
        raise ValueError(
            "each text must have one vector and one payload, got "
            f"{len(texts)} texts, {len(vectors)} vectors and {len(payloads)} payloads; give as many of each"
        )
    if not all(text.strip() for text in texts):
        blank = next(i for i, text in enumerate(texts) if not text.strip())
        raise ValueError(f"a text must not be empty, got {texts[blank]!r} at place {blank}; leave it out")
    size = vectors.shape[1]
    if not client.collection_exists(name):
        params = models.VectorParams(size=size, distance=models.Distance.COSINE)
        client.create_collection(name, vectors_config=params)
    elif (expected := _size(client, name)) != size:
        raise ValueError(
            f"vectors in the collection {name!r} must have {expected} numbers, got {size}; encode the texts with "
            "the model that it was made with, or choose another name"
        )
    ids = [str(uuid.uuid5(uuid.NAMESPACE_OID, text)) for text in texts]
    known = {point.id for point in client.retrieve(name, ids=ids, with_payload=False)}
    points = [
        models.PointStruct(id=id_, vector=vector.tolist(), payload={**payload, "text": text})
        for id_, vector, payload, text in zip(ids, vectors, payloads, texts, strict=True)
    ]
    client.upsert(name, points=points)
    new = len(set(ids) - known)
    return Stored(new, len(ids) - new)


def _size(client, name: str) -> int:
    return client.get_collection(name).config.params.vectors.size


class Hit(NamedTuple):
    """A stored document that was found."""

    text: str
    score: float  # its cosine to the query
    payload: dict[str, object]  # what was stored beside the text


def find(
    client, name: str, query_vector, k: float = 3, where: Mapping[str, object] | None = None
) -> list[Hit]:
    """The `k` stored documents nearest to the query among those that `where` lets through; fewer where there are.

    `where` is explained at ``as_filter``. No document that fits gives an empty list. Raises ValueError for a
    collection that is not there, a vector of another size, NaN, and what ``as_filter`` refuses.
    """
    k = _count(k)
    if not client.collection_exists(name):
        names = ", ".join(sorted(c.name for c in client.get_collections().collections)) or "none"
        raise ValueError(
            f"a collection must be stored before it is searched, got {name!r}; there are: {names}"
        )
    query = _query(query_vector, _size(client, name))
    points = client.query_points(
        name, query=query.tolist(), query_filter=as_filter(where or {}), limit=k, with_payload=True
    ).points
    return [
        Hit(point.payload["text"], point.score, {key: v for key, v in point.payload.items() if key != "text"})
        for point in points
    ]


EQUAL_KEYS = ("colour", "country", "name")  # text that must be the same
LIMIT_KEYS = {"max_price": "price"}  # a number that must not be passed


def as_filter(where: Mapping[str, object]) -> "qdrant_client.models.Filter | None":
    """Qdrant's filter for a small dict; every line of it must hold. ``{}`` lets everything through: None.

    ``{"colour": "white", "max_price": 15}`` keeps payloads whose colour is "white" and whose price is 15 or less.
    Known keys: colour, country and name, with a text; max_price, with a number. A document without the key is
    left out. Raises ValueError for another key, and for a value that is not of its kind.
    """
    from qdrant_client import models

    conditions = []
    for key, value in where.items():
        if key in EQUAL_KEYS and isinstance(value, str):
            conditions.append(models.FieldCondition(key=key, match=models.MatchValue(value=value)))
        elif key in LIMIT_KEYS and _is_number(value):
            limit = models.Range(lte=float(value))
            conditions.append(models.FieldCondition(key=LIMIT_KEYS[key], range=limit))
        elif key in (*EQUAL_KEYS, *LIMIT_KEYS):
            kind = "a text" if key in EQUAL_KEYS else "a number"
            raise ValueError(
                f"{key} must be {kind}, got {value!r}; such as {{'colour': 'white', 'max_price': 15}}"
            )
        else:
            known = ", ".join((*EQUAL_KEYS, *LIMIT_KEYS))
            raise ValueError(f"a filter's key must be one of {known}, got {key!r}; choose one of them")
    return models.Filter(must=conditions) if conditions else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)


# ---------------------------------------------------------------------------------------------
# What an index buys.


class Probed(NamedTuple):
    """What an inverted file found, and what that cost."""

    ids: Int[np.ndarray, " found"]  # places in the vectors that the index was made of
    scores: Float[np.ndarray, " found"]  # their cosines, best first
    compared: int  # vectors that the query was compared with


class InvertedIndex:
    """Vectors sorted into cells, so that a search can leave most of them out: an inverted file.

    k-means puts `n_cells` centres among the vectors, and every vector goes to the cell of its nearest centre. A
    search looks into the `n_probe` cells whose centres are nearest to the query. What it misses lies just beyond
    a border; ``n_probe = n_cells`` misses nothing, and is ``exact_search``.

    >>> index = InvertedIndex([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]], n_cells=2, seed=0)
    >>> found = index.search([1, 0.05], k=2, n_probe=1)
    >>> found.ids, found.compared
    (array([0, 1]), 2)

    Raises ValueError for bad vectors, and for cells that are not from 1 to as many as the vectors.
    """

    def __init__(self, vectors, n_cells: float = 256, seed: int = 0):
        from sklearn.cluster import KMeans

        vectors = _unit(_numbers(vectors, "vectors", 2))
        self.n_cells = _between(
            n_cells, "n_cells", len(vectors), "about the root of the number of vectors is usual"
        )
        # Eight rounds from randomly chosen vectors: more rounds find little more, and a cleverer start or small
        # batches would let the last bit of a number decide, so that each processor got other cells.
        kmeans = KMeans(self.n_cells, init="random", n_init=1, max_iter=8, random_state=seed).fit(vectors)
        self.centres = kmeans.cluster_centers_
        # A cell's vectors stand next to each other: one slice each.
        self._ids = np.argsort(kmeans.labels_, kind="stable")
        self._vectors = vectors[self._ids]
        self._ends = np.concatenate([[0], np.cumsum(np.bincount(kmeans.labels_, minlength=self.n_cells))])

    def __len__(self) -> int:
        return len(self._ids)

    def search(self, query_vector, k: float = 10, n_probe: float | None = 1) -> Probed:
        """The `k` best of the `n_probe` cells nearest to the query; fewer where those hold fewer.

        ``n_probe=None`` leaves the cells aside and compares the query with every vector. Raises ValueError as
        ``exact_search`` does, and for `n_probe` below 1 or above the number of cells.
        """
        query = _unit(_query(query_vector, self._vectors.shape[1]))
        if n_probe is None:
            ids, scores = self._ids, self._vectors @ query
        else:
            n_probe = _between(n_probe, "n_probe", self.n_cells, "more finds more, and takes longer")
            cells = np.argsort(((self.centres - query) ** 2).sum(axis=1), kind="stable")[:n_probe]
            slices = [slice(self._ends[cell], self._ends[cell + 1]) for cell in cells]
            ids = np.concatenate([self._ids[cell] for cell in slices])
            scores = np.concatenate([self._vectors[cell] @ query for cell in slices])
        kept = best(scores, k)
        return Probed(ids[kept], scores[kept], len(ids))


def _between(value: float, what: str, most: int, hint: str) -> int:
    if isinstance(value, bool) or not (1 <= value <= most and float(value).is_integer()):
        raise ValueError(f"{what} must be a whole number from 1 to {most}, got {value}; {hint}")
    return int(value)


class Tradeoff(NamedTuple):
    """What looking into so many cells gives and costs, over several queries."""

    n_probe: int | None  # None: every vector, without cells
    recall: float  # the share of the truly `k` nearest that were found, from 0 to 1
    share: float  # of all vectors, how many a query was compared with, from 0 to 1
    seconds: float  # for one query, median


def tradeoffs(index: InvertedIndex, queries, n_probes: Iterable[int], k: float = 10) -> list[Tradeoff]:
    """What each number of cells gives and costs; the first entry looks at every vector, and finds all.

    A vector that is as near as the `k`-th nearest counts as found, whichever of several equals came back.
    """
    queries = _numbers(queries, "queries", 2)
    rows, last = [], np.array([])
    for n_probe in (None, *n_probes):
        probed, seconds = [], []
        for query in queries:
            start = time.perf_counter()
            probed.append(index.search(query, k, n_probe))
            seconds.append(time.perf_counter() - start)
        if n_probe is None:
            last = np.array([found.scores[-1] for found in probed]) - 1e-5
        near = [np.count_nonzero(found.scores >= edge) for found, edge in zip(probed, last, strict=True)]
        compared = np.mean([found.compared for found in probed])
        recall = float(sum(near) / (len(queries) * min(k, len(index))))
        rows.append(Tradeoff(n_probe, recall, float(compared) / len(index), float(np.median(seconds))))
    return rows


class Places(NamedTuple):
    """Places in stories, as a trained GPT sees them."""

    texts: list[str]  # the story up to and with this word
    vectors: Float[np.ndarray, "doc d_model"]  # the last residual at this word


def story_places(split: str, count: float, seed: int = 0) -> Places:
    """`count` different places in Tinytown's stories, with the vectors that the trained GPT has there.

    Vectors that a model made, with neighbours that mean something, at 40,000 a second and without a download.
    Raises ValueError for a split that Tinytown does not have, or a count below 1.
    """
    import torch

    from helpers.pretrained import load_tinytown
    from helpers.tinytown import stories

    if not (count >= 1 and float(count).is_integer()):
        raise ValueError(f"count must be a whole number from 1, got {count}; try 1000")
    model, tokenizer = load_tinytown()
    places: dict[str, np.ndarray] = {}
    while len(places) < count:
        batch = stories(split, 250, seed)
        seed += 1
        rows = [tokenizer.encode(" ".join(words), special=True) for words in batch]
        longest = max(map(len, rows))
        # A GPT never looks ahead: what stands in the padding behind a story changes nothing in front of it.
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        with torch.inference_mode():
            residual = model(ids, trace=True)[1].residual[-1].numpy()
        for words, vectors in zip(batch, residual, strict=True):
            for length in range(1, len(words) + 1):
                # A copy, because a row of an array keeps all of the array in memory.
                places.setdefault(" ".join(words[:length]), vectors[length].copy())
    texts = list(places)[: int(count)]
    return Places(texts, np.stack([places[text] for text in texts]))
