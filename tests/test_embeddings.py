"""Word vectors against numbers worked by hand, NumPy, scikit-learn, the published theory, and SmolLM2's table."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import NearestNeighbors

from helpers import embeddings, pretrained, tinytown
from helpers.embeddings import (
    SkipGramConfig,
    analogy,
    co_occurrence,
    cohesion,
    cosine,
    load_map,
    nearest,
    neighbour_overlap,
    neighbours,
    one_hot,
    ppmi,
    project,
    skip_gram,
    svd_vectors,
    token_id,
    unit,
    whole_words,
    window_pairs,
)

RNG_SEED = 20
numbers = st.floats(-50, 50).map(lambda x: round(x, 3))
vectors_7 = hnp.arrays(np.float64, (7,), elements=numbers).filter(lambda v: np.linalg.norm(v) > 0.1)


def drawn(*shape, seed=RNG_SEED):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.fixture(scope="module")
def smollm2():
    return pretrained.load_smollm2()


@pytest.fixture(scope="module")
def table(smollm2):
    return smollm2[0].embedding.weight.numpy()


@pytest.fixture(scope="module")
def word(smollm2):
    return lambda text: token_id(smollm2[1], text)


# --- a lookup, and how alike two vectors are ------------------------------------------------------


def test_a_lookup_is_a_matrix_product():
    table = drawn(11, 5)
    ids = [3, 0, 10, 3]
    rows = one_hot(ids, 11)
    assert rows.shape == (4, 11)
    np.testing.assert_array_equal(rows.sum(axis=1), 1)
    np.testing.assert_array_equal(rows @ table, table[ids])
    theirs = torch.nn.functional.one_hot(torch.tensor(ids), 11).numpy()
    np.testing.assert_array_equal(rows, theirs)
    assert one_hot([], 3).shape == (0, 3)


def test_the_two_vectors_of_the_source_text():
    a = [1.5, -0.4, 7.2, 19.6, 3.1, 20.2]
    b = [1.5, -0.4, 7.2, 19.5, 3.2, 20.8]
    dot = 2.25 + 0.16 + 51.84 + 382.2 + 9.92 + 420.16  # = 866.53
    length_a = math.sqrt(2.25 + 0.16 + 51.84 + 384.16 + 9.61 + 408.04)  # root of 856.06 = 29.2585
    length_b = math.sqrt(2.25 + 0.16 + 51.84 + 380.25 + 10.24 + 432.64)  # root of 877.38 = 29.6206
    assert dot == pytest.approx(866.53)
    assert (length_a, length_b) == pytest.approx((29.2585, 29.6206), abs=1e-4)
    assert cosine(a, b) == pytest.approx(dot / (length_a * length_b), abs=1e-12)
    assert cosine(a, b) == pytest.approx(0.99986, abs=5e-6)


@settings(max_examples=40, deadline=None)
@given(vectors_7, vectors_7, st.floats(0.01, 100))
def test_cosine_knows_direction_alone(a, b, factor):
    assert cosine(a, b) == pytest.approx(cosine_similarity([a], [b])[0, 0], abs=1e-9)
    assert cosine(a, factor * b) == pytest.approx(cosine(a, b), abs=1e-9)
    assert cosine(a, -b) == pytest.approx(-cosine(a, b), abs=1e-9)
    assert cosine(a, a) == pytest.approx(1, abs=1e-9)
    assert -1 <= cosine(a, b) <= 1
    assert isinstance(cosine(a, b), float)


def test_rows_meet_rows():
    a, b = drawn(5, 3), drawn(4, 3, seed=1)
    np.testing.assert_allclose(cosine(a, b), cosine_similarity(a, b), atol=1e-12)
    np.testing.assert_allclose(cosine(a[2], b), cosine_similarity(a, b)[2], atol=1e-12)
    np.testing.assert_allclose(cosine(a, b[1]), cosine_similarity(a, b)[:, 1], atol=1e-12)


def test_a_cosine_never_steps_over_1():
    rows = drawn(200, 3).astype(np.float32)
    assert np.abs(cosine(rows, rows)).max() <= 1


def test_unit_keeps_direction_and_precision():
    rows = drawn(5, 3).astype(np.float32)
    assert unit(rows).dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(unit(rows), axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(unit(rows) * np.linalg.norm(rows, axis=1)[:, None], rows, atol=1e-6)
    assert unit([0, 2]).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cosine([1, 2], [1, 2, 3]), "same size, got 2 and 3 numbers; only vectors of one model"),
        (lambda: cosine([1, 2], [0, 0]), "must have a direction, got length 0; leave it out"),
        (lambda: unit([[1, 2], [3, 4], [0, 0]]), "got length 0 in row 2; leave it out"),
        (lambda: unit([[1e200, 1e200]]), "must have a direction, got length inf in row 0; leave it out"),
        (lambda: unit([[1.0, float("nan")]]), "vectors must hold finite numbers, got NaN or infinity; look"),
        (lambda: cosine([1.0], [float("inf")]), "b must hold finite numbers"),
        (lambda: cosine([float("nan")], [1.0]), "a must hold finite numbers"),
        (lambda: unit([]), r"one vector or rows of vectors, got shape \(0,\); the last"),
        (lambda: unit(3.0), r"got shape \(\); the last axis is d_model"),
        (lambda: unit(np.ones((2, 2, 2))), r"got shape \(2, 2, 2\); the last axis is d_model"),
        (lambda: unit([[1], [1, 2]]), r"numbers, in rows of one size, got \[\[1\], \[1, 2\]\]; look"),
        (lambda: unit(["cat", "dog"]), r"numbers, in rows of one size, got \['cat', 'dog'\]; look"),
        (lambda: unit([["word " * 20]]), r"got \[\['word word word word word word word\.\.\.; look"),
        (lambda: one_hot([5], 5), "from 0 to 4, got 5; check the vocabulary"),
        (lambda: one_hot([-1], 5), "from 0 to 4, got -1; check"),
        (lambda: one_hot([1.5], 5), r"list of whole numbers, got \[1.5\]; a tokenizer makes them"),
        (lambda: one_hot([[1]], 5), r"list of whole numbers, got \[\[1\]\]; a tokenizer"),
        (lambda: one_hot([], 0), "vocab_size must be a whole number from 1, got 0; try 10"),
        (lambda: one_hot([], 2.5), "vocab_size must be a whole number from 1, got 2.5; try 10"),
        (lambda: one_hot([0], float("inf")), "vocab_size must be a whole number from 1, got inf"),
        (lambda: one_hot([0], True), "vocab_size must be a whole number from 1, got True"),
    ],
)
def test_bad_vectors_and_ids_are_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- company, by counting -------------------------------------------------------------------------

TEXTS = [[0, 1, 2, 1], [3, 0], [4]]


def test_pairs_by_hand():
    assert sorted(map(tuple, window_pairs(TEXTS, 5, 1).tolist())) == sorted(
        [(0, 1), (1, 0), (1, 2), (2, 1), (2, 1), (1, 2), (3, 0), (0, 3)]
    )
    # Two places apart come (0, 2) and (1, 1), each both ways round; nothing crosses into the next text.
    by_hand = [[0, 1, 1, 1, 0], [1, 2, 2, 0, 0], [1, 2, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
    np.testing.assert_array_equal(co_occurrence(TEXTS, 5, 2), by_hand)
    assert co_occurrence(TEXTS, 5, 10**12).sum() == 4 * 3 + 2  # as wide as the texts, and no slower


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), max_size=7), min_size=1, max_size=4), st.integers(1, 9))
def test_counts_are_those_of_a_plain_loop(texts, window):
    counts = np.zeros((5, 5), dtype=int)
    for text in texts:
        for i, one in enumerate(text):
            for j, other in enumerate(text):
                counts[one, other] += i != j and abs(i - j) <= window
    np.testing.assert_array_equal(co_occurrence(texts, 5, window), counts)
    assert len(window_pairs(texts, 5, window)) == counts.sum()


def test_ppmi_by_hand():
    # 20 meetings; word 0 has 8 of them, word 1 has 8, word 2 has 4.
    counts = [[0, 6, 2], [6, 0, 2], [2, 2, 0]]
    values = ppmi(counts)
    assert values[0, 1] == pytest.approx(math.log((6 / 20) / (8 / 20 * 8 / 20)))  # ln 1.875
    assert values[0, 2] == pytest.approx(math.log((2 / 20) / (8 / 20 * 4 / 20)))  # ln 1.25
    np.testing.assert_allclose(values, values.T, atol=1e-12)
    assert values[0, 0] == values[2, 2] == 0
    # Met, but less often than by chance: (1/10) / (5/10 * 5/10) = 0.4.
    assert ppmi([[1, 4], [4, 1]])[0, 0] == 0


def test_smoothing_raises_the_neighbours_counts_to_its_power():
    counts = [[0, 6, 2, 0], [6, 0, 2, 0], [2, 2, 0, 0], [0, 0, 0, 0]]
    total = 8**0.75 + 8**0.75 + 4**0.75
    values = ppmi(counts, smoothing=0.75)
    assert values[0, 2] == pytest.approx(math.log((2 / 20) / (8 / 20 * 4**0.75 / total)))
    assert values[2, 0] == pytest.approx(math.log((2 / 20) / (4 / 20 * 8**0.75 / total)))
    assert values[0, 2] < ppmi(counts)[0, 2]  # a rare neighbour counts for less
    assert not values[3].any()


def test_svd_vectors_are_numpys_and_nearly_rebuild_the_matrix():
    matrix = np.abs(drawn(9, 7))
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    for d_model in (1, 3, 7):
        vectors = svd_vectors(matrix, d_model)
        assert vectors.shape == (9, d_model)
        np.testing.assert_allclose(np.abs(vectors), np.abs(u[:, :d_model] * np.sqrt(s[:d_model])), atol=1e-12)
    # U sqrt(S) times its own transpose is the best such square: U S U^T.
    np.testing.assert_allclose(svd_vectors(matrix, 7) @ svd_vectors(matrix, 7).T, u * s @ u.T, atol=1e-12)
    assert vt.shape == (7, 7)


def test_signs_do_not_depend_on_the_machine(monkeypatch):
    matrix = drawn(9, 7)
    expected = svd_vectors(matrix, 4), project(matrix)
    largest = np.abs(expected[0]).argmax(axis=0)
    assert (expected[0][largest, np.arange(4)] > 0).all()
    svd = np.linalg.svd

    def mirrored(*args, **kwargs):
        u, s, vt = svd(*args, **kwargs)
        return -u, s, -vt

    monkeypatch.setattr(np.linalg, "svd", mirrored)
    np.testing.assert_allclose(svd_vectors(matrix, 4), expected[0], atol=1e-12)
    np.testing.assert_allclose(project(matrix), expected[1], atol=1e-12)


def test_of_two_numbers_that_are_large_alike_the_first_is_positive():
    # The one direction is (1, -1, 0), or (-1, 1, 0); a hair of rounding must not decide.
    for hair in (1e-13, -1e-13):
        assert svd_vectors([[2.0, 0], [-2.0 - hair, 0], [0, 0]], 1)[0, 0] > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: co_occurrence([1, 2, 3], 5, 1), r"list of lists of ids, got \[1, 2, 3\]; wrap one text"),
        (lambda: co_occurrence([], 5, 1), r"list of lists of ids, got \[\]; wrap"),
        (lambda: co_occurrence([[1, 7]], 7, 1), "from 0 to 6, got 7; check"),
        (lambda: co_occurrence([[1], ["cat"]], 7, 1), r"whole numbers, got \['cat'\]; a tokenizer"),
        (lambda: co_occurrence([[1]], 7, 0), "window must be a whole number from 1, got 0; try 10"),
        (lambda: ppmi([[0, -1], [1, 2]]), "0 or more and not all 0, got -1 to 2; co_occurrence"),
        (lambda: ppmi([[0, 0], [0, 0]]), "0 or more and not all 0, got 0 to 0; co_occurrence"),
        (lambda: ppmi([1, 2]), r"counts must be 1 or more rows of vectors, got shape \(2,\); stack"),
        (lambda: ppmi([[0, 1], [1, 0]], 1.5), "above 0, up to 1, got 1.5; 1 is none"),
        (lambda: ppmi([[0, 1], [1, 0]], 0), "above 0, up to 1, got 0; 1 is none"),
        (lambda: ppmi([[0, 1], [1, 0]], float("nan")), "above 0, up to 1, got nan; 1 is none"),
        (lambda: svd_vectors(drawn(5, 3), 4), "d_model must be a whole number from 1 to 3, got 4; try 3"),
        (lambda: svd_vectors([[float("nan"), 1]], 1), "matrix must hold finite numbers"),
    ],
)
def test_bad_counts_are_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- company, by guessing -------------------------------------------------------------------------

TOKENIZER = tinytown.WordTokenizer()
GROUPS = {
    die: [TOKENIZER.ids[face] for face in tinytown.DICE[die]]
    for die in ("animal", "colour", "place", "number", "name", "did")
}
TINY = SkipGramConfig(d_model=3, window=1, negatives=2, steps=7, batch_size=16, save_every=3)


@pytest.fixture(scope="module")
def stories():
    return [[TOKENIZER.ids[word] for word in words] for words in tinytown.stories("train", 2000)]


@pytest.fixture(scope="module")
def learned(stories):
    return list(skip_gram(stories, TOKENIZER.vocab_size))


def test_records_come_at_the_start_every_few_steps_and_at_the_end():
    records = list(skip_gram(TEXTS, 5, TINY))
    assert [record.step for record in records] == [0, 3, 6, 7]
    assert {record.table.shape for record in records} == {(5, 3)}
    assert {record.contexts.shape for record in records} == {(5, 3)}
    # Contexts start at 0, so every first guess is a half: three coins, of which each costs ln 2.
    assert records[0].loss == pytest.approx(3 * math.log(2), abs=1e-6)
    assert not records[0].contexts.any()
    assert np.abs(records[0].table).max() <= 0.5 / 3
    # Each record keeps its own numbers, though training goes on.
    assert not np.allclose(records[1].table, records[2].table, atol=1e-4)
    assert [r.step for r in skip_gram(TEXTS, 5, dataclasses.replace(TINY, steps=6))] == [0, 3, 6]


def test_the_first_update_is_adams():
    """Adam's first step moves every number by the learning rate, against its slope."""
    first, second = list(skip_gram(TEXTS, 5, dataclasses.replace(TINY, steps=1, learning_rate=0.25)))
    np.testing.assert_allclose(second.table, first.table, atol=1e-7)  # contexts of 0 give words no slope
    moved = np.abs(second.contexts - first.contexts)
    assert np.isclose(moved, 0.25, atol=1e-3).sum() >= 9


def test_seeds_decide():
    first, again = list(skip_gram(TEXTS, 5, TINY)), list(skip_gram(TEXTS, 5, TINY))
    other = list(skip_gram(TEXTS, 5, dataclasses.replace(TINY, seed=1)))
    np.testing.assert_allclose(first[-1].table, again[-1].table, atol=1e-6)
    assert not np.allclose(first[-1].table, other[-1].table, atol=1e-2)
    wider = list(skip_gram([[0, 1, 2, 3, 4]], 5, dataclasses.replace(TINY, window=4)))
    narrower = list(skip_gram([[0, 1, 2, 3, 4]], 5, dataclasses.replace(TINY, window=2)))
    assert not np.allclose(wider[-1].table, narrower[-1].table, atol=1e-4)
    # Somebody else's draws change nothing.
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    np.testing.assert_allclose(list(skip_gram(TEXTS, 5, TINY))[-1].table, first[-1].table, atol=1e-6)


@pytest.mark.parametrize(("negatives", "smoothing"), [(3, 1.0), (2, 0.5)])
def test_dot_products_become_pmi_minus_ln_negatives(negatives, smoothing):
    meetings = np.array([[12, 3, 8, 5], [3, 2, 6, 9], [8, 6, 4, 2], [5, 9, 2, 10]])
    texts = [[i, j] for i in range(4) for j in range(i, 4) for _ in range(meetings[i, j] // (1 + (i == j)))]
    np.testing.assert_array_equal(co_occurrence(texts, 4, 1), meetings)
    config = SkipGramConfig(
        d_model=6, window=1, negatives=negatives, smoothing=smoothing, steps=600, batch_size=512,
        learning_rate=0.03, save_every=5,
    )  # fmt: skip
    records = list(skip_gram(texts, 4, config))
    # The draws make the dot products tremble: take their mean over the last half.
    dots = np.mean([record.table @ record.contexts.T for record in records[-60:]], axis=0)
    total, words = meetings.sum(), meetings.sum(axis=1)
    near = words**smoothing / (words**smoothing).sum()
    theory = np.log(meetings / total / np.outer(words / total, near)) - np.log(negatives)
    np.testing.assert_allclose(dots, theory, atol=0.1)


def test_cats_gather_with_dogs(learned):
    before, after = cohesion(learned[0].table, GROUPS), cohesion(learned[-1].table, GROUPS)
    assert max(before.values()) < 0.2
    assert min(after.values()) > 0.35
    cat = TOKENIZER.ids["cat"]
    for record, expected in ((learned[0], {0, 1, 2}), (learned[-1], {5})):
        near = nearest(record.table[cat], record.table, 5, exclude=[cat])
        assert len(set(near.ids) & set(GROUPS["animal"])) in expected
    assert [record.step for record in learned] == list(range(0, 601, 30))
    assert learned[-1].loss < 2 < 4 < learned[0].loss


def test_cats_gather_whatever_the_seed(stories):
    config = SkipGramConfig(seed=7, steps=300, save_every=300)
    last = list(skip_gram(stories[:1000], TOKENIZER.vocab_size, config))[-1]
    assert min(cohesion(last.table, GROUPS).values()) > 0.25


def test_counting_gathers_them_too(stories):
    counts = co_occurrence(stories, TOKENIZER.vocab_size, window=2)
    vectors = svd_vectors(ppmi(counts, smoothing=0.75), 16)
    assert min(cohesion(vectors, GROUPS).values()) > 0.4
    cat = TOKENIZER.ids["cat"]
    never_met = np.flatnonzero(~counts.any(axis=1))  # rows of zeros
    near = nearest(vectors[cat], vectors, 5, exclude=[cat, *never_met.tolist()])
    assert set(near.ids) <= set(GROUPS["animal"])


def test_cohesion_by_hand():
    vectors = [[1, 0], [3, 4], [0, 2], [0, -1], [9, 9]]
    # Inside the first: 0.6; inside the second: -1. Across: (0 + 0 + 0.8 - 0.8) / 4.
    assert cohesion(vectors, {"a": [0, 1], "b": [2, 3]}) == pytest.approx({"a": 0.6, "b": -1})
    # With a third group, "between" is the mean over all words of the others.
    root = math.sqrt(0.5)
    more = cohesion([*vectors, [1, 1]], {"a": [0, 1], "b": [2, 3], "c": np.array([4, 5])})
    across_c = [root, root, 1.4 * root, 1.4 * root, root, root, -root, -root]
    assert more["c"] == pytest.approx(1 - np.mean(across_c))
    assert more["a"] == pytest.approx(0.6 - np.sum([0, 0, 0.8, -0.8, root, root, 1.4 * root, 1.4 * root]) / 8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: next(skip_gram([[1], [2]], 5)), "must hold a pair of neighbours, got none; one text needs"),
        (lambda: next(skip_gram([[1, 5]], 5)), "from 0 to 4, got 5"),
        (lambda: SkipGramConfig(steps=0), "steps must be a whole number from 1, got 0; try 10"),
        (lambda: SkipGramConfig(window=-1), "window must be a whole number from 1, got -1"),
        (lambda: SkipGramConfig(negatives=0), "negatives must be a whole number from 1, got 0"),
        (lambda: SkipGramConfig(d_model=0), "d_model must be"),
        (lambda: SkipGramConfig(batch_size=0), "batch_size must be"),
        (lambda: SkipGramConfig(save_every=0), "save_every must be"),
        (lambda: SkipGramConfig(smoothing=0), "smoothing must be above 0, up to 1, got 0; 0.75 is usual"),
        (lambda: SkipGramConfig(smoothing=2), "smoothing must be above 0, up to 1, got 2; 0.75 is usual"),
        (lambda: SkipGramConfig(learning_rate=0.0), "learning_rate must be above 0, got 0.0; 0.01 suits"),
        (lambda: SkipGramConfig(learning_rate=float("inf")), "learning_rate must be above 0, got inf"),
        (
            lambda: list(skip_gram(TEXTS, 5, dataclasses.replace(TINY, learning_rate=1e30))),
            "the loss must stay a number, got (inf|nan) at step .; try a smaller learning rate",
        ),
        (
            lambda: cohesion(drawn(4, 3), {"a": [0, 1]}),
            r"two groups .* of two words or more, got {'a': 2}; add",
        ),
        (lambda: cohesion(drawn(4, 3), {"a": [0, 1], "b": [2]}), "got {'a': 2, 'b': 1}; add some"),
        (lambda: cohesion(drawn(4, 3), {"a": [0, 1], "b": [1, 2]}), "in one group, once, got one in two"),
        (lambda: cohesion(drawn(4, 3), {"a": [0, 1], "b": [3, 4]}), "from 0 to 3, got 4"),
        (lambda: cohesion(np.eye(3)[[0, 1, 2, 2]] * 0, {"a": [0, 1], "b": [2, 3]}), "got length 0 in row 0"),
    ],
)
def test_bad_worlds_are_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- reading a table ------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(0, 99))
def test_nearest_by_distance_and_cosine_is_scikit_learns(k, seed):
    rows, query = drawn(13, 5, seed=seed), drawn(5, seed=seed + 1000)
    for measure, theirs in (("cosine", "cosine"), ("distance", "euclidean")):
        expected = NearestNeighbors(n_neighbors=k, metric=theirs, algorithm="brute").fit(rows)
        distances, ids = expected.kneighbors(query[None])
        found = nearest(query, rows, k, measure=measure)
        np.testing.assert_array_equal(found.ids, ids[0])
        scores = 1 - found.scores if measure == "cosine" else -found.scores
        np.testing.assert_allclose(scores, distances[0], atol=1e-9)


def test_dot_products_favour_long_vectors():
    table = [[1, 0], [0.9, 0.1], [5, 5]]
    assert nearest([1, 0], table, 3).ids.tolist() == [0, 1, 2]
    found = nearest([1, 0], table, 3, measure="dot")
    assert found.ids.tolist() == [2, 0, 1]
    assert found.scores.tolist() == pytest.approx([5, 1, 0.9])


def test_ties_go_to_the_smaller_id():
    table = np.array([[0, 1], [2, 2], [1, 1], [3, 3], [1, 1 + 1e-9], [1, 0]])
    assert nearest([1, 1], table, 2).ids.tolist() == [1, 2]
    assert nearest([1, 1], table, 5).ids.tolist() == [1, 2, 3, 4, 0]
    assert nearest([1, 1], table, 2, exclude=[2]).ids.tolist() == [1, 3]
    assert neighbours(table, 3).ids[3].tolist() == [1, 2, 4]
    # A cosine of 0.9999999 is as good as 1, even where only one place is left.
    assert nearest([1, 1], [[1, 1.0005], [2, 2]], 1).ids.tolist() == [0]
    mixed = np.tile([[1.0, 0.0], [1.0, 1.0]], (150, 1))
    assert nearest([1, 1], mixed, 300).ids.tolist() == [*range(1, 300, 2), *range(0, 300, 2)]


def test_what_is_excluded_is_not_found():
    table = drawn(9, 4)
    everything = nearest(table[3], table, 9).ids.tolist()
    left = nearest(table[3], table, 7, exclude=(3, everything[1], 3))
    assert left.ids.tolist() == everything[2:]
    np.testing.assert_allclose(left.scores, cosine(table[3], table[left.ids]), atol=1e-12)


@pytest.mark.parametrize("rows", [2, 9, 256, 257, 600])
@pytest.mark.parametrize("measure", ["cosine", "dot", "distance"])
def test_all_neighbours_at_once_are_those_of_each(rows, measure):
    table = drawn(rows, 5)
    k = min(7, rows - 1)
    found = neighbours(table, k, measure=measure)
    assert found.ids.shape == found.scores.shape == (rows, k)
    for row in {0, 1, rows // 2, rows - 1}:
        alone = nearest(table[row], table, k, measure=measure, exclude=[row])
        np.testing.assert_array_equal(found.ids[row], alone.ids)
        np.testing.assert_allclose(found.scores[row], alone.scores, atol=1e-6)


def test_analogy_adds_unit_vectors():
    table = drawn(11, 4) * np.arange(1, 12)[:, None]  # lengths that would matter
    target = unit(table[5]) - unit(table[2]) + unit(table[7])
    cosines = cosine(target, table)
    order = np.argsort(-cosines)
    assert analogy(table, 2, 5, 7, k=11, exclude_inputs=False).ids.tolist() == order.tolist()
    left = [i for i in order if i not in (2, 5, 7)]
    found = analogy(table, 2, 5, 7, k=8)
    assert found.ids.tolist() == left
    np.testing.assert_allclose(found.scores, cosines[left], atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: nearest([1, 2], drawn(5, 3)),
            r"one vector of 3 numbers, as the table has, got shape \(2,\)",
        ),
        (lambda: nearest(drawn(2, 3), drawn(5, 3)), r"one vector of 3 numbers, .* got shape \(2, 3\)"),
        (lambda: nearest([1, 2, 3], [1, 2, 3]), "table must be 1 or more rows"),
        (lambda: nearest([0, 0, 0], drawn(5, 3), 1), "must have a direction, got length 0; leave it out"),
        (lambda: nearest([1, float("nan"), 0], drawn(5, 3), 1), "query must hold finite numbers"),
        (lambda: nearest([1, 1], [[1, 2], [0, 0]], 1), "got length 0 in row 1"),
        (lambda: nearest([1, 1, 1], drawn(5, 3), 6), "k must be a whole number from 1 to 5, got 6; try 5"),
        (lambda: nearest([1, 1, 1], drawn(5, 3), 4, exclude=[1, 2, 2]), "from 1 to 3, got 4; try 3"),
        (lambda: nearest([1, 1, 1], drawn(5, 3), 0), "k must be a whole number from 1 to 5, got 0"),
        (lambda: nearest([1, 1, 1], drawn(2, 3), 1, exclude=[0, 1]), "leave a row to find, got all 2; leave"),
        (lambda: nearest([1, 1, 1], drawn(5, 3), 1, exclude=[5]), "from 0 to 4, got 5"),
        (
            lambda: nearest([1, 1, 1], drawn(5, 3), 1, measure="cos"),
            "one of cosine, dot, distance, got 'cos'",
        ),
        (lambda: analogy(drawn(5, 3), 0, 1, 5), "from 0 to 4, got 5"),
        (lambda: analogy(drawn(5, 3), 0, 1, 2, k=3), "from 1 to 2, got 3"),
        (lambda: neighbours(drawn(5, 3), 5), "from 1 to 4, got 5; try 4"),
        (lambda: neighbours(drawn(1, 3), 1), r"table must be 2 or more rows of vectors, got shape \(1, 3\)"),
        (lambda: neighbours([[1, 0], [0, 0]], 1), "got length 0 in row 1"),
        (lambda: neighbours(drawn(5, 3), 2, measure="dots"), "got 'dots'; cosine is usual"),
    ],
)
def test_bad_searches_are_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_one_token_or_a_sentence(smollm2):
    _, tokenizer = smollm2
    assert tokenizer.tokens(" cat") == [" cat"]
    assert token_id(tokenizer, "cat") == token_id(tokenizer, " cat ") == tokenizer.encode(" cat")[0]
    assert token_id(tokenizer, "cat") != tokenizer.encode("cat")[0]
    with pytest.raises(
        ValueError, match=r"one token .* got 2 for 'banjo': ' ban' \+ 'jo'; take another word"
    ):
        token_id(tokenizer, "banjo")
    with pytest.raises(ValueError, match=r"got 2 for 'kitty': ' kit' \+ 'ty'; take"):
        token_id(tokenizer, "kitty")
    with pytest.raises(ValueError, match="a string with letters in it, got ' '; try 'cat'"):
        token_id(tokenizer, " ")


def test_neighbours_in_a_real_table(table, word):
    cat, kitten, guitar = word("cat"), word("kitten"), word("guitar")
    near = nearest(table[cat], table, 10, exclude=[cat])
    assert [word(text) in near.ids for text in ("cats", "dog", "pet", "guitar")] == [True, True, True, False]
    assert near.scores.tolist() == sorted(near.scores.tolist(), reverse=True)
    assert cosine(table[kitten], table[word("puppy")]) == pytest.approx(0.845, abs=0.01)
    # What goes wrong: rare words share a direction, so a kitten is nearer to a guitar than to a cat.
    assert cosine(table[kitten], table[guitar]) > cosine(table[kitten], table[cat]) + 0.1


def test_long_vectors_win_by_dot_product(table, smollm2):
    _, tokenizer = smollm2
    some = np.random.default_rng(0).integers(len(table), size=60)
    winners = [
        int(nearest(table[id_], table, 1, measure="dot", exclude=[id_]).ids[0]) for id_ in some.tolist()
    ]
    assert np.mean([tokenizer.decode([winner]) == " strugg" for winner in winners]) > 0.6


def test_analogies_in_a_real_table(table, word):
    def answers(a, b, c, **options):
        return analogy(table, word(a), word(b), word(c), **options).ids.tolist()

    assert answers("man", "king", "woman")[0] == word("queen")
    assert answers("man", "king", "woman", exclude_inputs=False)[:2] == [word("queen"), word("king")]
    assert answers("France", "Paris", "Japan")[0] == word("Tokyo")
    assert answers("France", "Paris", "Japan", exclude_inputs=False)[0] == word("Paris")
    assert answers("cat", "cats", "dog")[0] == word("dogs")
    assert answers("France", "Paris", "Italy")[0] != word("Rome")


def test_minilms_rows_for_the_three_words_of_the_story():
    model, tokenizer = pretrained.load_minilm()
    rows = model.token_embedding.weight.numpy()[[token_id(tokenizer, w) for w in ("cat", "kitty", "banjo")]]
    cat_kitty, cat_banjo, kitty_banjo = cosine(rows, rows)[[0, 0, 1], [1, 2, 2]]
    assert cat_kitty == pytest.approx(0.537, abs=0.01)
    assert max(cat_banjo, kitty_banjo) < 0.25


# --- a map ----------------------------------------------------------------------------------------


def test_pca_is_scikit_learns():
    vectors = drawn(13, 5) * [9, 5, 1, 1, 1] + [4, 0, 0, 7, 0]
    theirs = PCA(2).fit_transform(vectors)
    ours = project(vectors)
    np.testing.assert_allclose(ours * np.sign(ours[0]), theirs * np.sign(theirs[0]), atol=1e-9)
    assert (ours[np.abs(ours).argmax(axis=0), [0, 1]] > 0).all()


def test_tsne_keeps_neighbours_together():
    centres = np.repeat(np.eye(60)[:4] * 9, 20, axis=0)
    vectors = centres + 0.1 * drawn(80, 60)
    places = project(vectors, "tsne")
    assert places.shape == (80, 2)
    group = np.repeat(np.arange(4), 20)
    assert (group[neighbours(places, 5, measure="distance").ids] == group[:, None]).mean() > 0.98
    np.testing.assert_allclose(project(vectors, "tsne", seed=0), places, rtol=1e-3, atol=1e-3)


def test_overlap_of_a_perfect_and_of_a_random_map():
    angles = np.sort(np.random.default_rng(0).uniform(0, 2 * np.pi, 101))
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert neighbour_overlap(np.hstack([circle, np.zeros((101, 3))]), 7 * circle + 100, 6) == 1
    random = neighbour_overlap(drawn(101, 9), drawn(101, 2, seed=1), 6)
    assert 0.03 < random < 0.1  # by chance: 6 / 100
    # By hand: 0 and 1 find each other in both, 2 finds 1 here and 0 there, 3 finds 2 in both.
    high = [[1, 0], [0.99, 0.1], [0.8, 0.5], [0, 1]]
    assert neighbour_overlap(high, [[0, 0], [-1, 0], [1.5, 0], [4, 0]], 1) == 0.75


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: project(drawn(2, 5)), r"vectors must be 3 or more rows of vectors, got shape \(2, 5\)"),
        (lambda: project(drawn(5, 1)), "2 numbers or more for a map, got 1; a line"),
        (lambda: project(drawn(5, 3), "umap"), "'pca' or 'tsne', got 'umap'; pca is the quick one"),
        (lambda: project([[1, 2], [3, 4], [5, float("nan")]]), "vectors must hold finite numbers"),
        (
            lambda: neighbour_overlap(drawn(5, 3), drawn(4, 2), 1),
            "a place for each vector, got 4 for 5; project",
        ),
        (lambda: neighbour_overlap(drawn(5, 3), drawn(5, 2), 5), "from 1 to 4, got 5"),
    ],
)
def test_bad_maps_are_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_map_that_is_kept(table, smollm2):
    _, tokenizer = smollm2
    ids, places = load_map()
    assert ids.shape == (5000,)
    assert (np.diff(ids) > 0).all()
    texts = [tokenizer.decode([int(id_)]) for id_ in ids]
    assert all(
        text[0] == " " and text[1:].isascii() and text[1:].islower() and text[1:].isalpha() for text in texts
    )
    assert {" in", " cat", " dog", " king", " river", " bank", " seven"} <= set(texts)
    assert not {" strugg", " enthusi", " dem", " fl"} & set(texts)
    assert list(places) == ["PCA", "t-SNE"]
    vectors = unit(table[ids])
    np.testing.assert_allclose(places["PCA"], project(vectors), atol=2e-3)
    near = neighbours(vectors, 10).ids[:500]
    kept = {}
    for name, xy in places.items():
        assert xy.shape == (5000, 2)
        assert np.isfinite(xy).all()
        squares = ((xy[:500, None].astype(np.float64) - xy[None]) ** 2).sum(axis=2)
        on_map = np.argsort(squares, axis=1)[:, 1:11]
        kept[name] = (near[:, :, None] == on_map[:, None, :]).any(axis=2).mean()
    assert kept["PCA"] < 0.05 < 0.3 < kept["t-SNE"]
    assert embeddings.MAP.stat().st_size < 120_000


def test_a_damaged_or_missing_map_is_explained(tmp_path):
    whole = embeddings.MAP.read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.npz").write_text("no map")
    np.savez(tmp_path / "other.npz", ids=np.arange(3))
    for name in ("half.npz", "text.npz", "other.npz", "none.npz", "."):
        with pytest.raises(
            ValueError, match=r"a whole file, got none or a damaged one at .*; run: git checkout"
        ):
            load_map(tmp_path / name)


class Words:
    """A tokenizer whose ids are places in a list."""

    texts = ("\n", " the", " cat", " strugg", "ling", " Dog", " dog", " dem", " a", " sea", "x", " hen", "!")
    vocab_size = len(texts)

    def token_bytes(self, id_):
        return self.texts[id_].encode()

    def encode(self, text):
        sentences = {"They saw the": [1], "They want to": [6], "It was found": [11], " dem": [0, 1]}
        return sentences[text] if text in sentences else [self.texts.index(text)]


def test_whole_words_are_those_that_end_in_some_sentence():
    """More than 0.3 of the odds on letters, after all three sentences, makes a beginning: " strugg", " sea"."""
    on_letters = {2: 0.2, 3: 0.9, 6: 0.0, 7: 0.0, 9: 0.35, 11: 0.29}

    def model(ids):
        odds = torch.zeros(*ids.shape, Words.vocab_size) + 1e-9
        for row, (first, *_, last) in enumerate(ids.tolist()):
            share = 0.9 if last == 2 and first != 11 else on_letters.get(last, 0)  # " cat" ends late
            odds[row, -1, 4], odds[row, -1, 0] = share + 1e-9, 1 - share
        return odds.log()

    assert whole_words(model, Words(), Words()) == [1, 2, 6, 11]
    assert whole_words(model, Words(), Words(), 3) == [1, 2, 6]


def test_the_command_writes_a_map(tmp_path, capsys):
    embeddings.main(["--words", "20", "--out", str(tmp_path / "map.npz")])
    ids, places = load_map(tmp_path / "map.npz")
    np.testing.assert_array_equal(ids, load_map()[0][:20])
    assert places["t-SNE"].shape == (20, 2)
    printed = capsys.readouterr().out
    assert "20 words up to id" in printed
    assert "pca: keeps" in printed
    assert "tsne: keeps" in printed
    assert "wrote map.npz, 1 kB" in printed
