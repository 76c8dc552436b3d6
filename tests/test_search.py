"""Searches against formulas by hand, scikit-learn, one another, and a server that speaks Qdrant's protocol."""

import contextlib
import inspect
import json
import math
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import search
from helpers.search import (
    DatabaseError,
    Found,
    InvertedIndex,
    as_filter,
    best,
    evaluate,
    exact_search,
    find,
    keyword_search,
    open_database,
    precision_at,
    store,
    story_places,
    tradeoffs,
    words_of,
)
from helpers.wines import QUESTIONS, WINES

DOCUMENTS = [wine.document for wine in WINES]
FACTS = [{"name": w.name, "colour": w.colour, "country": w.country, "price": w.price} for w in WINES]


def random_vectors(n, size, seed=0):
    return np.random.default_rng(seed).normal(size=(n, size)).astype(np.float32)


# --- the best of some scores -------------------------------------------------------------------


@given(
    st.lists(st.sampled_from([0.0, -0.5, 0.25, 0.3, 1.0]), min_size=1, max_size=30),
    st.integers(min_value=1, max_value=40),
)
@settings(max_examples=60, deadline=None)
def test_best_is_a_stable_sort(scores, k):
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:k]
    assert best(np.array(scores), k).tolist() == expected


def test_rounding_decides_no_tie():
    scores = np.array([0.1, 0.7 - 1e-9, 0.7, 0.7 + 1e-9, 0.70001])
    assert best(scores, 2).tolist() == [4, 1]
    assert best(scores, 5).tolist() == [4, 1, 2, 3, 0]


@pytest.mark.parametrize("k", [0, -1, 1.5, math.nan, math.inf, True])
def test_k_is_a_whole_number_from_1(k):
    for call in (
        lambda: keyword_search("fish", ["fish"], k),
        lambda: exact_search([1, 0], [[1, 0]], k),
        lambda: precision_at(["fish"], ["fish"], k),
        lambda: InvertedIndex([[1, 0]], 1).search([1, 0], k),
        lambda: find(None, "wines", [1, 0], k),
    ):
        with pytest.raises(
            ValueError, match=f"k must be a whole number from 1, got {re.escape(repr(k))}; 3 gives"
        ):
            call()


@pytest.mark.parametrize("k", ["3", None])
def test_k_is_a_number(k):
    with pytest.raises(ValueError, match=f"k must be a whole number from 1, got {k!r}"):
        search._count(k)


# --- by words ----------------------------------------------------------------------------------


def test_bm25_by_hand():
    """N = 3, mean length 7/3. "red" is in 2 texts: ln(1 + 1.5/2.5) = ln 1.6 = 0.470004.

    First text, length 2, tf 1:  0.470004 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 6/7))  = 0.499177
    second text, length 4, tf 2: 0.470004 * 4.4 / (2 + 1.2 * (0.25 + 0.75 * 12/7)) = 0.538144
    """
    texts = ["Red plum.", "red, RED cherry and smoke", "blue"]
    found = keyword_search("red", texts)
    assert [hit.index for hit in found] == [1, 0]
    assert [hit.score for hit in found] == pytest.approx([0.538144, 0.499177], abs=2e-6)
    # "blue" is in one text, of length 1: ln(1 + 2.5/1.5) = 0.980829; times 2.2 / (1 + 1.2 * (0.25 + 0.75 * 3/7)).
    rare = 0.980829 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 3 / 7))
    both = keyword_search("blue red", texts)
    assert [hit.index for hit in both] == [2, 1, 0]
    assert [hit.score for hit in both] == pytest.approx([rare, 0.538144, 0.499177], abs=2e-6)
    # Words add up: the first text has both of these.
    plum = 0.980829 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 6 / 7))
    assert keyword_search("plum red", texts, 1)[0] == Found(0, pytest.approx(0.499177 + plum, abs=3e-6))


def test_a_word_of_the_query_counts_once():
    texts = ["red plum", "red fig", "fig tart fig"]
    assert keyword_search("fig red fig fig", texts) == keyword_search("red fig", texts)


def test_a_word_in_every_text_does_not_count_against_them():
    found = keyword_search("red", ["red", "red", "red"])
    assert [hit.index for hit in found] == [0, 1, 2]
    assert all(hit.score > 0 for hit in found)


def test_only_texts_that_share_a_word_come_back():
    texts = ["good with fish", "", "fish and chips", "the fire"]
    assert [hit.index for hit in keyword_search("fish", texts, k=10)] == [0, 2]  # both of two words
    assert len(keyword_search("fish", texts, k=1)) == 1
    assert keyword_search("oyster", texts) == []
    assert keyword_search("fishes", texts) == []  # another word, to BM25
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for nothing in ([], ["", "the"]):
            assert keyword_search("fish", nothing) == []


def test_words_of_any_script():
    assert words_of("The RED-plum, isn't it?") == ["red", "plum", "isn", "t"]
    assert words_of("आप कैसे हैं।") == ["आप", "कैसे", "हैं"]
    assert words_of("你好，世界") == ["你好", "世界"]
    assert words_of("Not sweet – without oak…") == ["not", "sweet", "without", "oak"]
    assert words_of("’‘“a”") == []


@pytest.mark.parametrize("query", ["", "  ", "!?", "the", "For the", None])
def test_a_query_needs_a_word(query):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - compared as a whole
        search._asked(query)
    assert str(error.value) == (
        f"a query must have a word to look for, got {query!r}; stop words such as 'the' are not looked for"
    )
    if query is not None:
        with pytest.raises(ValueError, match="a query must have a word to look for"):
            keyword_search(query, ["the fish"])


def test_texts_must_be_a_list():
    with pytest.raises(
        ValueError, match=r"texts must be a list of strings, got 'good with fish'; wrap one text"
    ):
        keyword_search("fish", "good with fish")
    with pytest.raises(ValueError, match=r"texts must be a list of strings, got \['good', 3\]"):
        search._listed(["good", 3])


# --- by vectors --------------------------------------------------------------------------------


def test_exact_search_against_scikit_learn():
    from sklearn.metrics.pairwise import cosine_similarity

    vectors, query = random_vectors(53, 7), random_vectors(1, 7, seed=1)[0]
    cosines = cosine_similarity(query[None], vectors)[0]
    found = exact_search(query, vectors, k=11)
    assert [hit.index for hit in found] == np.argsort(-cosines)[:11].tolist()
    assert [hit.score for hit in found] == pytest.approx(sorted(cosines, reverse=True)[:11], abs=1e-5)


def test_length_does_not_matter_and_ties_come_in_order():
    found = exact_search([0, 2], [[0, 9], [1, 0], [0, 1], [0, -3], [0, 0.5]], k=10)
    assert [hit.index for hit in found] == [0, 2, 4, 1, 3]
    assert [hit.score for hit in found] == pytest.approx([1, 1, 1, 0, -1])
    assert len(exact_search([0, 2], [[0, 9], [1, 0], [0, 1]])) == 3


@pytest.mark.parametrize(
    ("query", "vectors", "message"),
    [
        (
            [1, 2, 3],
            [[1, 2], [3, 4]],
            "the query's vector must have 2 numbers, as the stored vectors do, got 3",
        ),
        ([1], [[1, 2], [3, 4]], "the query's vector must have 2 numbers, as the stored vectors do, got 1"),
        ([], [[1, 2]], r"the query's vector must be one row of numbers, got shape \(0,\)"),
        (
            [1, 2],
            np.zeros((0, 2)),
            r"vectors must be rows of numbers, one for each document, got shape \(0, 2\)",
        ),
        ([1, math.nan], [[1, 2]], "the query's vector must be finite numbers, got NaN or infinity"),
        ([1, 2], [[1, math.inf]], "vectors must be finite numbers, got NaN or infinity"),
        ([1, 2], [[1, 1e39]], "vectors must be finite numbers, got NaN or infinity"),
        ([0, 0], [[1, 2]], "the query's vector must have a direction, got only zeros; "),
        ([1, 2], [[1, 2], [0, 0]], "vectors must have a direction, got only zeros in row 1; "),
        ([[1, 2]], [[1, 2]], r"the query's vector must be one row of numbers, got shape \(1, 2\)"),
        ([1, 2], [1, 2], r"vectors must be rows of numbers, one for each document, got shape \(2,\)"),
        ([1, 2], [], r"vectors must be rows of numbers, one for each document, got shape \(0,\)"),
        ([1, 2], [[1, 2], [3]], "vectors must be numbers, each row as long as the others"),
        ("fish", [[1, 2]], "the query's vector must be numbers, .* encode texts first"),
        (None, [[1, 2]], "the query's vector must be (numbers|one row)"),
    ],
)
def test_vectors_that_cannot_be_compared(query, vectors, message):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=message):
            exact_search(query, vectors)


# --- how good it was ---------------------------------------------------------------------------


def test_precision_by_hand():
    right = {"a", "b", "c", "d"}
    assert precision_at(["a", "x", "b", "c"], right) == pytest.approx(2 / 3)
    assert precision_at(["a", "x", "b", "c"], list(right), k=4) == 0.75
    assert precision_at(["a"], right) == pytest.approx(1 / 3)  # the two that are missing count as wrong
    assert precision_at(["a", "a", "a"], right) == pytest.approx(1 / 3)
    assert precision_at([], right) == 0
    for found, answers in (("abc", ["a"]), (["a"], "abc"), (["a"], [])):
        with pytest.raises(ValueError, match="found and right must be lists, with one right answer or more"):
            precision_at(found, answers)


def test_evaluation_by_hand():
    questions = [SimpleNamespace(text="one", right=["a", "b"]), SimpleNamespace(text="two", right=["c"])]
    asked = []

    def answer(text, k):
        asked.append((text, k))
        return {"one": ["a", "b", "x"], "two": ["x"]}[text]

    result = evaluate(answer, questions, k=2)
    assert result.precisions == (1.0, 0.0)
    assert result.mean == 0.5
    assert asked == [("one", 2), ("two", 2)]
    with pytest.raises(ValueError, match="questions must hold at least one question"):
        evaluate(answer, [])


@pytest.fixture(scope="module")
def minilm():
    from helpers.pretrained import load_minilm

    return load_minilm()


@pytest.fixture(scope="module")
def wine_vectors(minilm):
    model, tokenizer = minilm
    return model.encode(DOCUMENTS, tokenizer)


@pytest.fixture(scope="module")
def question_vectors(minilm):
    model, tokenizer = minilm
    texts = [question.text for question in QUESTIONS]
    return dict(zip(texts, model.encode(texts, tokenizer), strict=True))


def test_both_searches_on_twenty_questions(wine_vectors, question_vectors):
    """The numbers that notebook 02 tells: words win by name, meaning wins by meaning, neither knows "not"."""

    def by_words(text, k):
        return [WINES[hit.index].name for hit in keyword_search(text, DOCUMENTS, k)]

    def by_meaning(text, k):
        return [WINES[hit.index].name for hit in exact_search(question_vectors[text], wine_vectors, k)]

    means = {}
    for kind in ("meaning", "word", "not", "all"):
        chosen = [question for question in QUESTIONS if kind in (question.kind, "all")]
        means[kind] = evaluate(by_words, chosen).mean, evaluate(by_meaning, chosen).mean
    assert means["all"] == pytest.approx((0.333, 0.533), abs=0.001)
    assert means["meaning"] == pytest.approx((0.103, 0.436), abs=0.001)
    assert means["word"] == pytest.approx((0.933, 0.867), abs=0.001)
    assert means["not"] == pytest.approx((0.333, 0.333), abs=0.001)
    assert by_words("wine for seafood", 3) == []
    assert by_meaning("wine for seafood", 3)[0] == "Saltwhistle Albariño 2022"
    assert by_meaning("not sweet", 3)[0] == "Hollow Bell Ruby"  # "Sweet cherries and chocolate"


# --- the database ------------------------------------------------------------------------------


@pytest.fixture
def client(tmp_path):
    with contextlib.closing(open_database(tmp_path / "database")) as client:
        yield client


def test_the_database_finds_what_exact_search_finds(client):
    vectors = random_vectors(61, 13)
    texts = [f"text {i}" for i in range(len(vectors))]
    assert store(client, "numbers", texts, vectors) == (61, 0)
    for query in random_vectors(20, 13, seed=1):
        hits, found = find(client, "numbers", query, k=9), exact_search(query, vectors, k=9)
        assert [hit.text for hit in hits] == [texts[i] for i, _ in found]
        assert [hit.score for hit in hits] == pytest.approx([score for _, score in found], abs=1e-5)
    assert len(find(client, "numbers", vectors[0])) == 3
    assert len(find(client, "numbers", vectors[0], k=1_000)) == 61


def test_the_wine_list_in_the_database(client, wine_vectors, question_vectors):
    store(client, "wines", DOCUMENTS, wine_vectors, FACTS)
    for query in question_vectors.values():
        hits = find(client, "wines", query, k=5)
        assert [hit.text for hit in hits] == [DOCUMENTS[i] for i, _ in exact_search(query, wine_vectors, k=5)]
    first = find(client, "wines", question_vectors["wine for seafood"])[0]
    assert first.payload == {"name": WINES[0].name, "colour": "white", "country": "Spain", "price": 14}

    cheap_white = [i for i, wine in enumerate(WINES) if wine.colour == "white" and wine.price <= 15]
    for query in question_vectors.values():
        hits = find(client, "wines", query, k=60, where={"colour": "white", "max_price": 15})
        among = exact_search(query, wine_vectors[cheap_white], k=60)
        assert [hit.text for hit in hits] == [DOCUMENTS[cheap_white[i]] for i, _ in among]
    query = question_vectors["Riesling"]
    assert {hit.payload["country"] for hit in find(client, "wines", query, 60, {"country": "Italy"})} == {
        "Italy"
    }
    assert [hit.payload["price"] for hit in find(client, "wines", query, 60, {"max_price": 5.5})] == [5, 5]
    assert [hit.text for hit in find(client, "wines", query, 60, {"name": "Brindlemoor Fino"})] == [
        DOCUMENTS[5]
    ]
    assert find(client, "wines", query, where={"colour": "blue"}) == []


def test_what_is_stored_stays_on_disk_and_more_can_be_added(tmp_path):
    vectors = random_vectors(5, 3)
    with contextlib.closing(open_database(tmp_path)) as client:
        assert store(client, "mine", ["a", "b", "c"], vectors[:3]) == (3, 0)
    with contextlib.closing(open_database(str(tmp_path))) as client:
        assert find(client, "mine", vectors[1], k=1)[0].text == "b"
        assert store(client, "mine", ["d"], vectors[3:4], [{"colour": "red"}]) == (1, 0)
        assert find(client, "mine", vectors[3], k=1)[0] == ("d", pytest.approx(1), {"colour": "red"})
        # What has no colour is let through by no colour.
        assert [hit.text for hit in find(client, "mine", vectors[0], where={"colour": "red"})] == ["d"]


def test_a_text_is_stored_once(client):
    vectors = random_vectors(4, 3)
    assert store(client, "mine", ["a", "b", "a"], vectors[:3], [{"price": 1}, {}, {"price": 2}]) == (2, 1)
    assert len(find(client, "mine", vectors[0], k=10)) == 2
    # The latest vector and payload are kept.
    assert find(client, "mine", vectors[2], k=1)[0] == ("a", pytest.approx(1), {"price": 2})
    stored = store(client, "mine", ["c", "a"], vectors[[1, 3]], [{}, {"price": 3}])
    assert (stored.new, stored.duplicates) == (1, 1)
    assert find(client, "mine", vectors[3], k=1)[0] == ("a", pytest.approx(1), {"price": 3})
    assert store(client, "other", ["a"], vectors[:1]) == (1, 0)  # collections don't share their texts
    assert store(client, "mine", ["A", "a "], vectors[:2]) == (2, 0)  # other texts


def test_the_payload_is_left_alone(client):
    facts = {"text": "not this", "price": 1}
    store(client, "mine", ["a"], [[1, 2]], [facts])
    assert facts == {"text": "not this", "price": 1}
    assert find(client, "mine", [1, 2])[0] == ("a", pytest.approx(1), {"price": 1})


def test_what_cannot_be_stored(client):
    good = random_vectors(2, 3)
    store(client, "mine", ["a"], good[:1])
    bad = [
        (
            ["x"],
            random_vectors(1, 4),
            None,
            "collection 'mine' must have 3 numbers, got 4; encode the texts with",
        ),
        (["x"], [[1, math.nan, 2]], None, "vectors must be finite numbers, got NaN"),
        (["x"], [[0, 0, 0]], None, "vectors must have a direction, got only zeros in row 0"),
        (["x", "y", "z"], good, None, "got 3 texts, 2 vectors and 3 payloads; give as many of each"),
        (["x"], good[:1], [{}, {}], "got 1 texts, 1 vectors and 2 payloads"),
        (["x", "y"], good, [{}], "got 2 texts, 2 vectors and 1 payloads"),
        (["x", " "], good, None, "a text must not be empty, got ' ' at place 1"),
        ("x", good, None, "texts must be a list of strings, got 'x'"),
        ([], [], None, r"vectors must be rows of numbers, one for each document, got shape \(0,\)"),
    ]
    for texts, vectors, payloads, message in bad:
        with pytest.raises(ValueError, match=message):
            store(client, "mine", texts, vectors, payloads)
        with pytest.raises(ValueError):  # noqa: PT011 - the sentence is checked above; here, that nothing is made
            store(client, "new", texts, vectors if "must have 3" not in message else [[math.nan]], payloads)
    assert [hit.text for hit in find(client, "mine", good[0], k=10)] == ["a"]
    assert not client.collection_exists("new")


def test_what_cannot_be_found(client):
    with pytest.raises(
        ValueError, match="a collection must be stored before it is searched, got 'mine'; there are: none"
    ):
        find(client, "mine", [1, 2])
    store(client, "b", ["a"], [[1, 2]])
    store(client, "a", ["a"], [[1, 2]])
    with pytest.raises(ValueError, match="got 'mine'; there are: a, b"):
        find(client, "mine", [1, 2])
    with pytest.raises(
        ValueError, match="the query's vector must have 2 numbers, as the stored vectors do, got 3"
    ):
        find(client, "a", [1, 2, 3])
    with pytest.raises(ValueError, match="the query's vector must be finite"):
        find(client, "a", [1, math.nan])
    with pytest.raises(
        ValueError, match="a filter's key must be one of colour, country, name, max_price, got 'color'"
    ):
        find(client, "a", [1, 2], where={"color": "white"})


def test_filters():
    from qdrant_client import models

    assert as_filter({}) is None
    conditions = as_filter({"colour": "white", "max_price": 15}).must
    assert conditions == [
        models.FieldCondition(key="colour", match=models.MatchValue(value="white")),
        models.FieldCondition(key="price", range=models.Range(lte=15.0)),
    ]
    for key, value, kind in (
        ("colour", 3, "a text"),
        ("max_price", "15", "a number"),
        ("max_price", math.nan, "a number"),
        ("max_price", True, "a number"),
    ):
        with pytest.raises(ValueError, match=f"{key} must be {kind}, got {value!r}; such as"):
            as_filter({key: value})
    assert as_filter({"max_price": np.float32(2.5)}).must[0].range.lte == 2.5


def test_nothing_is_warned_about(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.closing(open_database(tmp_path)) as client:
            store(client, "mine", ["a", "b"], random_vectors(2, 3), [{"price": 1}, {"price": 2}])
            find(client, "mine", [1, 2, 3], where={"max_price": 1})


# --- folders that can't be opened ---------------------------------------------------------------

HOLDER = """
import sys
from qdrant_client import QdrantClient
client = QdrantClient(path=sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
client.close()
"""


def test_a_folder_that_another_process_holds(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(
            DatabaseError,
            match=r"can be open in one place at a time, got .*, which another notebook or program has open; shut that",
        ):
            open_database(tmp_path)
        holder.communicate("close\n", timeout=30)
    finally:
        holder.kill()
        holder.wait()
    with contextlib.closing(open_database(tmp_path)) as client:
        assert store(client, "mine", ["a"], [[1, 2]]) == (1, 0)


def test_a_cell_that_is_run_twice(tmp_path):
    first = open_database(tmp_path)
    store(first, "mine", ["a"], [[1, 2]])
    second = open_database(tmp_path / "elsewhere" / "..")  # the same folder, written in another way
    assert find(second, "mine", [1, 2])[0].text == "a"
    with pytest.raises(RuntimeError, match="closed"):
        find(first, "mine", [1, 2])
    first.close()
    assert find(second, "mine", [1, 2])[0].text == "a"
    second.close()
    second.close()


def points(folder):
    return folder / "collection" / "mine" / "storage.sqlite"


def broken_row(folder):
    with contextlib.closing(sqlite3.connect(points(folder))) as connection, connection:
        connection.execute("UPDATE points SET point = ?", (b"no pickle",))


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def renamed(folder):
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({"collections": {"yours": meta["collections"]["mine"]}}))


DAMAGES = {
    "meta.json cut": lambda folder: half(folder / "meta.json"),
    "meta.json empty": lambda folder: (folder / "meta.json").write_bytes(b""),
    "meta.json not text": lambda folder: (folder / "meta.json").write_bytes(b"\xff\xfe\x00"),
    "meta.json another shape": lambda folder: (folder / "meta.json").write_text("[]"),
    "meta.json without collections": lambda folder: (folder / "meta.json").write_text("{}"),
    "meta.json lost": lambda folder: (folder / "meta.json").unlink(),
    "points not SQLite": lambda folder: points(folder).write_bytes(b"no database" * 999),
    "points cut": lambda folder: half(points(folder)),
    "points empty": lambda folder: points(folder).write_bytes(b""),
    "points lost": lambda folder: points(folder).unlink(),
    "points of another collection": renamed,
    "a point not a pickle": broken_row,
}


@pytest.fixture(scope="module")
def a_database(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    with contextlib.closing(open_database(folder)) as client:
        store(client, "mine", [f"text {i}" for i in range(30)], random_vectors(30, 40))
    return folder


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder(damage, a_database, tmp_path):
    folder = shutil.copytree(a_database, tmp_path / "copy")
    with contextlib.closing(open_database(folder)) as client:
        assert len(find(client, "mine", np.ones(40), k=40)) == 30
    DAMAGES[damage](folder)
    before = sorted(path.name for path in folder.rglob("*"))
    with pytest.raises(DatabaseError) as error:
        open_database(folder)
    assert re.fullmatch(
        r"a database's folder must be new, empty, or a whole database, got .*copy, where "
        r"(what is in it can't be read \(\w+\)|there is no meta.json beside collection|"
        r"the points of the collection '\w+' are missing); "
        r"choose another folder, or delete this one and store its documents again",
        str(error.value),
    )
    assert sorted(path.name for path in folder.rglob("*")) == before  # nothing was made up in its place
    shutil.rmtree(folder)
    with contextlib.closing(open_database(folder)) as client:  # what the sentence says to do works
        assert store(client, "mine", ["a"], [[1, 2]]) == (1, 0)


def test_a_folder_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    open_database("~/wines").close()
    assert (tmp_path / "wines" / "meta.json").exists()


def test_folders_that_are_none(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        DatabaseError, match=r"must be one that can be read and written, got .*file .*; choose another"
    ):
        open_database(tmp_path / "file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / ".hidden").write_text("")
    open_database(tmp_path / "full").close()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.png").write_text("")
    with pytest.raises(
        DatabaseError, match=r"photos, where there is no meta.json beside me.png; choose another"
    ):
        open_database(tmp_path / "photos")
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["me.png"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (sqlite3.OperationalError("database is locked"), "which another notebook or program has open"),
        (
            sqlite3.OperationalError("attempt to write a readonly database"),
            "must be one that can be read and written",
        ),
        (PermissionError(13, "Permission denied"), "can be read and written, got .*Permission denied"),
    ],
)
def test_what_a_system_may_say(tmp_path, monkeypatch, error, message):
    """Kept apart from real files: tests may run as a user who can write everywhere."""

    def fails(path):
        raise error

    monkeypatch.setattr("qdrant_client.QdrantClient", fails)
    with pytest.raises(DatabaseError, match=message):
        open_database(tmp_path)


ALONE = """
import socket, sys
calls = []
def record(*arguments):
    calls.append(arguments)
    raise OSError("no network here")
socket.getaddrinfo = socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = record
import helpers.search
assert not {"qdrant_client", "torch", "sklearn"} & set(sys.modules)
client = helpers.search.open_database(sys.argv[1])
print(helpers.search.store(client, "mine", ["a", "b"], [[1, 2], [2, 1]]))
print(helpers.search.find(client, "mine", [1, 2], k=1)[0].text)
assert not {"fastembed", "torch", "sklearn"} & set(sys.modules)
print(calls)
"""
# Without our own closing, a client that outlives Python's import system complains (seen with 1.20).
KEPT = "import builtins, sys, helpers.search; builtins.kept = helpers.search.open_database(sys.argv[1])"


def alone(code, folder):
    return subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)


def test_no_network(tmp_path):
    result = alone(ALONE, tmp_path)
    assert (result.stdout, result.stderr) == ("Stored(new=2, duplicates=0)\na\n[]\n", "")
    with contextlib.closing(open_database(tmp_path)) as client:
        assert len(find(client, "mine", [1, 2])) == 2


def test_a_quiet_exit_with_the_database_open(tmp_path):
    result = alone(KEPT, tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


# --- the same calls reach a server ----------------------------------------------------------------


class FakeServer(BaseHTTPRequestHandler):
    """What a Qdrant server answers to the requests of this course; an in-memory client does the work."""

    def do_GET(self):
        self.answer()

    do_PUT = do_POST = do_GET

    def answer(self):
        from qdrant_client import models

        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
        path = self.path.split("?")[0]
        self.server.asked.append((self.command, path))
        memory, parts = self.server.memory, path.strip("/").split("/")
        name = parts[1] if len(parts) > 1 else ""
        match self.command, parts[2:]:
            case "GET", [] if path == "/":
                return self.send({"title": "qdrant", "version": "1.20.0"})
            case "GET", [] if not name:
                result = memory.get_collections().model_dump(mode="json")
            case "GET", []:
                result = memory.get_collection(name).model_dump(mode="json")
            case "PUT", []:
                result = memory.create_collection(name, models.VectorParams(**body["vectors"]))
            case "GET", ["exists"]:
                result = {"exists": memory.collection_exists(name)}
            case "POST", ["points"]:
                found = memory.retrieve(name, ids=body["ids"], with_payload=body["with_payload"])
                result = [point.model_dump(mode="json") for point in found]
            case "PUT", ["points"]:
                memory.upsert(name, points=[models.PointStruct(**point) for point in body["points"]])
                result = {"operation_id": 0, "status": "completed"}
            case "POST", ["points", "query"]:
                passed = models.Filter(**body["filter"]) if body.get("filter") else None
                result = memory.query_points(
                    name,
                    query=body["query"]["nearest"],
                    query_filter=passed,
                    limit=body["limit"],
                    with_payload=body["with_payload"],
                ).model_dump(mode="json")
        return self.send({"result": result, "status": "ok", "time": 0.0})

    def send(self, answer):
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    from qdrant_client import QdrantClient

    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeServer)
    server.memory, server.asked = QdrantClient(":memory:", force_disable_check_same_thread=True), []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
    server.memory.close()


def test_the_same_calls_reach_a_server(server, client):
    from qdrant_client import QdrantClient

    said = re.search(r'client = QdrantClient\(url="(http://localhost:6333)"\)', open_database.__doc__)
    remote = QdrantClient(url=said[1].replace("localhost:6333", f"127.0.0.1:{server.server_port}"))
    vectors, query = random_vectors(40, 6), random_vectors(1, 6, seed=1)[0]
    texts = [f"text {i}" for i in range(40)]
    facts = [{"colour": ("red", "white", "pink")[i % 3], "price": i} for i in range(40)]
    with contextlib.closing(remote):
        for store_into in (remote, client):
            assert store(store_into, "wines", texts[:30], vectors[:30], facts[:30]) == (30, 0)
            assert store(store_into, "wines", texts[20:], vectors[20:], facts[20:]) == (10, 10)
        for where in (None, {"colour": "white", "max_price": 15}, {"colour": "blue"}):
            there, here = find(remote, "wines", query, 7, where), find(client, "wines", query, 7, where)
            assert [(hit.text, hit.payload) for hit in there] == [(hit.text, hit.payload) for hit in here]
            assert [hit.score for hit in there] == pytest.approx([hit.score for hit in here], abs=1e-5)
        with pytest.raises(ValueError, match="collection 'wines' must have 6 numbers, got 5"):
            store(remote, "wines", ["x"], random_vectors(1, 5))
        with pytest.raises(ValueError, match="got 'beers'; there are: wines"):
            find(remote, "beers", query)
    assert ("POST", "/collections/wines/points/query") in server.asked


def test_both_kinds_of_client_take_the_same_arguments():
    from qdrant_client.local.qdrant_local import QdrantLocal
    from qdrant_client.qdrant_remote import QdrantRemote

    used = {
        "collection_exists": {"collection_name"},
        "create_collection": {"collection_name", "vectors_config"},
        "get_collection": {"collection_name"},
        "get_collections": set(),
        "retrieve": {"collection_name", "ids", "with_payload"},
        "upsert": {"collection_name", "points"},
        "query_points": {"collection_name", "query", "query_filter", "limit", "with_payload"},
    }
    source = inspect.getsource(store) + inspect.getsource(find) + inspect.getsource(search._size)
    assert set(re.findall(r"client\.(\w+)\(", source)) == set(used)
    for name, arguments in used.items():
        for kind in (QdrantLocal, QdrantRemote):
            assert arguments <= set(inspect.signature(getattr(kind, name)).parameters)


# --- the inverted file ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clouds():
    """2,000 vectors around 40 centres, in 12 dimensions, and 30 queries from the same clouds."""
    centres = random_vectors(40, 12, seed=3)
    rng = np.random.default_rng(4)
    points = centres[rng.integers(40, size=2_030)] + 0.8 * rng.normal(size=(2_030, 12))
    return points[:2_000].astype(np.float32), points[2_000:].astype(np.float32)


@pytest.fixture(scope="module")
def index(clouds):
    return InvertedIndex(clouds[0], n_cells=25, seed=0)


def test_all_cells_together_are_exact_search(index, clouds):
    vectors, queries = clouds
    assert len(index) == 2_000
    for query in queries:
        found = exact_search(query, vectors, k=17)
        for n_probe in (25, None):
            probed = index.search(query, k=17, n_probe=n_probe)
            assert sorted(probed.ids) == sorted(hit.index for hit in found)
            assert probed.scores == pytest.approx([hit.score for hit in found], abs=1e-5)
            assert probed.compared == 2_000


def test_a_vector_is_in_the_cell_of_its_nearest_centre(index, clouds):
    """By hand, with every cell's members from distances to the centres."""
    vectors, queries = clouds
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cells = ((unit[:, None] - index.centres) ** 2).sum(axis=2).argmin(axis=1)
    for query in queries[:10]:
        query = query / np.linalg.norm(query)
        order = ((index.centres - query) ** 2).sum(axis=1).argsort()
        for n_probe in (1, 3):
            members = np.flatnonzero(np.isin(cells, order[:n_probe]))
            probed = index.search(query, k=5, n_probe=n_probe)
            assert probed.compared == len(members)
            inside = exact_search(query, vectors[members], k=5)
            assert probed.ids.tolist() == [members[hit.index] for hit in inside]
            assert probed.scores == pytest.approx([hit.score for hit in inside], abs=1e-5)


def test_more_cells_find_more_and_cost_more(index, clouds):
    rows = tradeoffs(index, clouds[1], [1, 2, 4, 8, 25], k=10)
    assert [row.n_probe for row in rows] == [None, 1, 2, 4, 8, 25]
    assert rows[0].recall == rows[-1].recall == 1
    assert rows[0].share == rows[-1].share == 1
    recalls, shares = [row.recall for row in rows[1:]], [row.share for row in rows[1:]]
    assert recalls == sorted(recalls)
    assert shares == sorted(shares)
    assert 0.4 < recalls[0] < 0.95 < recalls[3]
    assert 0.02 < shares[0] < 0.1
    assert all(0 < row.seconds < 1 for row in rows)


def test_recall_by_hand(index, clouds):
    vectors, queries = clouds
    hits = shares = 0
    for query in queries:
        truth = {hit.index for hit in exact_search(query, vectors, k=10)}
        probed = index.search(query, k=10, n_probe=2)
        hits, shares = hits + len(truth & set(probed.ids.tolist())), shares + probed.compared / 2_000
    row = tradeoffs(index, queries, [2])[1]
    assert row.recall == pytest.approx(hits / (10 * len(queries)))
    assert row.share == pytest.approx(shares / len(queries))


def test_equals_of_the_last_one_count_as_found():
    """Six copies of one vector, k = 2: whichever two come back, nothing was missed."""
    index = InvertedIndex([[1, 0]] * 6 + [[0, 1]], n_cells=1)
    assert tradeoffs(index, [[1, 0.1]], [1], k=2)[1].recall == 1
    assert tradeoffs(index, [[1, 0.1]], [1], k=50)[1].recall == 1


def test_the_same_seed_makes_the_same_index(index, clouds):
    again, other = InvertedIndex(clouds[0], 25, seed=0), InvertedIndex(clouds[0], 25, seed=1)
    assert again.centres == pytest.approx(index.centres)
    assert not np.allclose(other.centres, index.centres)


def test_the_cells_may_hold_fewer_than_k(clouds):
    index = InvertedIndex(clouds[0][:50], n_cells=20)
    probed = index.search(clouds[1][0], k=40, n_probe=1)
    assert 0 < len(probed.ids) == len(probed.scores) == probed.compared < 40


@pytest.mark.parametrize("n_cells", [0, 51, 1.5, math.nan, True])
def test_bad_numbers_of_cells(clouds, n_cells):
    with pytest.raises(
        ValueError, match=f"n_cells must be a whole number from 1 to 50, got {n_cells}; about"
    ):
        InvertedIndex(clouds[0][:50], n_cells)


def test_bad_searches_of_the_index(index):
    for n_probe in (0, 26, 1.5):
        with pytest.raises(
            ValueError, match=f"n_probe must be a whole number from 1 to 25, got {n_probe}; more"
        ):
            index.search(np.ones(12), n_probe=n_probe)
    with pytest.raises(ValueError, match="must have 12 numbers, as the stored vectors do, got 3"):
        index.search([1, 2, 3])
    with pytest.raises(ValueError, match="vectors must be finite"):
        InvertedIndex([[1, math.nan]], 1)


# --- places in stories ---------------------------------------------------------------------------


def test_places_are_what_the_model_sees_at_their_last_word():
    import torch

    from helpers.pretrained import load_tinytown

    places = story_places("test", 400)
    assert len(places.texts) == len(set(places.texts)) == 400
    assert places.vectors.shape == (400, 64)
    model, tokenizer = load_tinytown()
    for i in (0, 7, 211, 399):
        ids = torch.tensor([tokenizer.encode(places.texts[i], special=True)])
        alone = model(ids, trace=True)[1].residual[-1][0, -1].numpy(force=True)
        assert places.vectors[i] == pytest.approx(alone, abs=1e-3)


def test_places_are_the_same_for_the_same_seed():
    first, more, other = (
        story_places("train", 20),
        story_places("train", 30),
        story_places("train", 20, seed=9),
    )
    assert first.texts == more.texts[:20] != other.texts
    assert first.vectors == pytest.approx(more.vectors[:20], abs=1e-4)
    many = story_places("train", 8_000)  # 250 stories have fewer: the next seed goes on
    assert len(set(many.texts)) == 8_000
    with pytest.raises(ValueError, match="count must be a whole number from 1, got 0; try 1000"):
        story_places("train", 0)
    with pytest.raises(ValueError, match="split must be one of"):
        story_places("tests", 5)
