"""The exercises of notebook 02: the angle between vectors, neighbours, the mean of a text, and company in numbers."""

import numpy as np

from helpers.checks.checking import (
    Exercise,
    Mistake,
    Unreadable,
    cases,
    floats,
    read_ids,
    read_number,
    read_row,
    read_table,
    size,
)

SLACK = 1e-3  # half-precision numbers have three digits, and every mistake below is larger

# Learners divide by 0 as well; our own versions of their mistakes do it without a warning.
_quiet = np.errstate(divide="ignore", invalid="ignore")


def _rows(*rows):
    return np.array(rows, dtype=np.float64)


def _norm(vectors):
    return np.sqrt((vectors**2).sum(axis=-1))


# ---------------------------------------------------------------------------------------------
# Exercise 1: cosine
# ---------------------------------------------------------------------------------------------


def _cosine(a, b):
    return float(a @ b / (_norm(a) * _norm(b)))


# Two vectors of the course's sources. They differ in three numbers, and hardly in their direction.
_SOURCE = _rows([1.5, -0.4, 7.2, 19.6, 3.1, 20.2], [1.5, -0.4, 7.2, 19.5, 3.2, 20.8])

cosine = Exercise(
    "cosine",
    notebook="02",
    number=1,
    minutes=5,
    difficulty="easy",
    parameters=("a", "b"),
    right=_cosine,
    praise="Right: 1 for the same direction, 0 for a right angle, -1 for the opposite, however long the vectors are.",
    read=read_number,
    slack=SLACK,
    cases=cases(
        (*_rows([3, 4], [4, 3]),),
        (*_rows([1, 2, 2], [2, 4, 4]), None, "Twice as long is still the same direction, so the cosine is 1."),
        (*_rows([2, 0, 0, 0], [0, 5, 0, 0]),),
        (*_rows([1, 1], [-3, -3]), None, "Opposite directions have the cosine -1: keep the sign."),
        (*_rows([0.5, -0.25, 1], [2, 1, -0.5]),),
        (*_rows([0.03, 0.01], [0.02, 0.05]), None, "Short vectors have a direction like any others."),
        (*_SOURCE,),
    ),
    mistakes=[
        Mistake("That is the dot product: divide it by both lengths.", lambda a, b: a @ b),
        Mistake("You divide by the length of `a` alone: divide by that of `b` as well.", lambda a, b: a @ b / _norm(a)),
        Mistake("You divide by the length of `b` alone: divide by that of `a` as well.", lambda a, b: a @ b / _norm(b)),
        Mistake("You divide by the squares of the lengths: a length is the square root of the sum of squares.",
                lambda a, b: a @ b / ((a @ a) * (b @ b))),
        Mistake("You multiply by a length that you should divide by: both lengths belong below the line, in brackets.",
                lambda a, b: a @ b / _norm(a) * _norm(b)),
        Mistake("You add the lengths; multiply them.", lambda a, b: a @ b / (_norm(a) + _norm(b))),
        Mistake("You add the absolute values up; the length of a vector is the square root of the sum of its squares.",
                lambda a, b: a @ b / (abs(a).sum() * abs(b).sum())),
        Mistake("That is the distance between the two points; the cosine doesn't care how long they are.",
                lambda a, b: _norm(a - b)),
        Mistake("That is 1 minus the cosine, which some programs call cosine distance.", lambda a, b: 1 - _cosine(a, b)),
        Mistake("You divide by how many numbers there are; divide by the two lengths.", lambda a, b: a @ b / len(a)),
        Mistake("You lose the sign: opposite directions have the cosine -1.", lambda a, b: abs(_cosine(a, b))),
        Mistake("That is the angle in radians; its cosine is asked for.",
                lambda a, b: np.arccos(np.clip(_cosine(a, b), -1, 1))),
        Mistake("That is the angle in degrees; its cosine is asked for.",
                lambda a, b: np.degrees(np.arccos(np.clip(_cosine(a, b), -1, 1)))),
        Mistake("You take the mean of the products; take their sum.", lambda a, b: _cosine(a, b) / len(a)),
        Mistake("You take the root a second time: `np.linalg.norm` has taken it already.",
                lambda a, b: a @ b / np.sqrt(_norm(a) * _norm(b))),
        Mistake("You square the cosine: multiply by `a @ b` once.", lambda a, b: _cosine(a, b) ** 2),
    ],
    if_raised={
        ValueError: "`a @ b` multiplies number by number and adds up; `a * b` alone only multiplies.",
        TypeError: "`a` and `b` are NumPy arrays: `a @ b` is their dot product.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 2: nearest
# ---------------------------------------------------------------------------------------------


def _cosines(vector, table):
    return table @ vector / (_norm(table) * _norm(vector))


def _best(scores, k):
    return np.argsort(-scores, kind="stable")[:k].tolist()


def _nearest(vector, table, k):
    return _best(_cosines(vector, table), k)


def _nearest_others(vector, table, k):
    best = [row for row in _best(_cosines(vector, table), len(table)) if not np.allclose(table[row], vector)]
    return best[:k]


def _read_row_numbers(answer):
    """Numbers of rows, as ids are read; says what it is where cosines or the rows themselves are returned."""
    try:
        return read_ids(answer)
    except Unreadable:
        found = size(floats(answer))
        if found.startswith("a row"):
            raise Unreadable(
                "the numbers of the rows, and these are not whole: are they the cosines?"
            ) from None
        if found.startswith("a table"):
            raise Unreadable(f"the numbers of the rows, and this is {found}: are they the rows?") from None
        raise


# Rows of many lengths: the nearest in direction is neither the longest nor the one at the smallest distance.
_TABLE = _rows([2, 0.7], [0.3, 6], [9, 28], [0.2, 0.1], [-1, -1.5], [1, -5])
_LONG = "A long vector has large dot products with everything: only directions are to be compared."

nearest = Exercise(
    "nearest",
    notebook="02",
    number=2,
    minutes=10,
    difficulty="medium",
    parameters=("vector", "table", "k"),
    right=_nearest,
    praise="Right: directions compared, the best first. This one line is what a vector database does.",
    read=_read_row_numbers,
    keeps=("table",),
    cases=cases(
        (_rows([1, 0])[0], _rows([0, 1], [2, 1], [1, 0.1]), 2),
        (_rows([1, 0.2])[0], _TABLE, 3, None, _LONG),
        (_rows([0.1, 2])[0], _TABLE, 1, None, _LONG),
        (_rows([-30, -200])[0], _TABLE, 4),
        (_TABLE[1], _TABLE, 2, None, "The row of the vector itself is a row like any other, and here it comes first."),
        (_rows([-2, -1])[0], _TABLE, 6, None, "`k` may be as large as the table: then all rows come, best first."),
    ),
    mistakes=[
        Mistake(f"You compare dot products. {_LONG}", lambda vector, table, k: _best(table @ vector, k)),
        Mistake("You take the rows at the smallest distance, where length counts; compare cosines.",
                lambda vector, table, k: _best(-_norm(table - vector), k)),
        Mistake("The right rows, and the worst of them comes first: turn them round.",
                lambda vector, table, k: _nearest(vector, table, k)[::-1]),
        Mistake("You take the rows with the smallest cosines: `np.argsort` begins with the smallest.",
                lambda vector, table, k: _best(-_cosines(vector, table), k)),
        Mistake("You take the smallest cosines, and of those the largest first: sort by `-cosines` to begin at the top.",
                lambda vector, table, k: _best(-_cosines(vector, table), k)[::-1]),
        Mistake("There is one row too many: `[:k]` stops in time.",
                lambda vector, table, k: _nearest(vector, table, k + 1)),
        Mistake("There is one row too few: `[:k]` has k entries.",
                lambda vector, table, k: _nearest(vector, table, k - 1)),
        Mistake("All rows come back: `k` says how many are wanted.",
                lambda vector, table, k: _nearest(vector, table, len(table))),
        Mistake("Only the best row comes back: `k` says how many are wanted.",
                lambda vector, table, k: _nearest(vector, table, 1)),
        Mistake("You skip the best row as if it were the vector itself; here nothing is left out.",
                lambda vector, table, k: _nearest(vector, table, k + 1)[1:]),
        Mistake("You leave out the row of the vector itself; here nothing is left out.", _nearest_others),
        Mistake("You count the rows from 1; they count from 0.",
                lambda vector, table, k: [row + 1 for row in _nearest(vector, table, k)]),
        Mistake("The right rows in the order of the table: the best must come first.",
                lambda vector, table, k: sorted(_nearest(vector, table, k))),
        Mistake("You take the length of each column; each row has its own: `axis=1`.",
                lambda vector, table, k: _best((table / _norm(table.T)) @ vector, k)),
        Mistake("You multiply by the lengths of the rows; divide by them.",
                lambda vector, table, k: _best(table @ vector * _norm(table), k)),
        Mistake("You lose the sign of the cosine: the opposite direction is the farthest of all.",
                lambda vector, table, k: _best(abs(_cosines(vector, table)), k)),
    ],
    if_raised={
        ValueError: "`table @ vector` is one dot product for each row; `np.linalg.norm(table, axis=1)` one length for each row.",
        TypeError: "`k` is how many; `np.argsort(...)[:k]` are the first k.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 3: mean_pool
# ---------------------------------------------------------------------------------------------


def _mean_pool(vectors, mask):
    return vectors[mask == 1].sum(axis=0) / (mask == 1).sum()


@_quiet
def _mean_of_padding(vectors, mask):
    return vectors[mask == 0].sum(axis=0) / (mask == 0).sum()


def _largest_pool(vectors, mask):
    return vectors[mask == 1].max(axis=0)


def _pool_of_length_1(vectors, mask):
    pooled = _mean_pool(vectors, mask)
    return pooled / _norm(pooled)


_PADDING = "A 0 in the mask is padding: the vector there is no part of the text."
_SIDE = "The mask says which vectors count, wherever they stand: some programs put the padding in front."

mean_pool = Exercise(
    "mean_pool",
    notebook="02",
    number=3,
    minutes=10,
    difficulty="medium",
    parameters=("vectors", "mask"),
    right=_mean_pool,
    praise="Right: padding is left out, above the line and below it. The vector of a text no longer depends on its neighbours in the batch.",
    read=read_row,
    slack=SLACK,
    cases=cases(
        (_rows([1, 2], [3, 6], [9, 9]), np.array([1, 1, 0]), None, _PADDING),
        (_rows([2, 4, 0], [4, 1, 5]), np.array([1, 1])),
        (_rows([1, -2, 5, 2], [3, 1, 0, 4], [7, 9, 8, 7], [6, 7, 9, 8], [8, 6, 9, 9]), np.array([1, 1, 0, 0, 0]),
         None, _PADDING),
        (_rows([7, 8, 9], [1, 5, 2], [3, 1, 0], [2, 0, 4], [2, 3, -2]), np.array([0, 1, 1, 1, 1]),
         None, _SIDE),
        (_rows([1, 0, 3], [7, 8, 9], [5, 4, -3]), np.array([1, 0, 1]), None, _SIDE),
        (_rows([9, 8], [0.5, 0.25]), np.array([0, 1])),
    ),
    mistakes=[
        Mistake("Padding counts in your mean: leave out the vectors where the mask is 0.",
                lambda vectors, mask: vectors.mean(axis=0)),
        Mistake("You leave padding out of the sum and still divide by the full length: divide by how many ones there are.",
                lambda vectors, mask: vectors[mask == 1].sum(axis=0) / len(mask)),
        Mistake("That is the sum: divide it by how many ones the mask has.",
                lambda vectors, mask: vectors[mask == 1].sum(axis=0)),
        Mistake("You divide by the number of dimensions: divide by how many ones the mask has.",
                lambda vectors, mask: vectors[mask == 1].sum(axis=0) / vectors.shape[1]),
        Mistake("You sum all vectors, padding too, and divide by the number of ones.",
                lambda vectors, mask: vectors.sum(axis=0) / mask.sum()),
        Mistake("You take the first vector; the mean of all that count is asked for.", lambda vectors, mask: vectors[0]),
        Mistake("You take the last vector; the mean of all that count is asked for.", lambda vectors, mask: vectors[-1]),
        Mistake("You take the mean of each token over its dimensions: `axis=0` goes over the tokens.",
                lambda vectors, mask: vectors[mask == 1].mean(axis=1)),
        Mistake("You take the mean of each token over its dimensions, padding too: `axis=0` goes over the tokens.",
                lambda vectors, mask: vectors.mean(axis=1)),
        Mistake("You take the mean of all numbers at once: `axis=0` keeps the dimensions apart.",
                lambda vectors, mask: [vectors[mask == 1].mean()]),
        Mistake("You take the padding and leave out the text: 1 is what counts.", _mean_of_padding),
        Mistake("`vectors[mask]` takes a 0 and a 1 for numbers of rows; `mask == 1` makes yes and no of them.",
                lambda vectors, mask: vectors[mask].mean(axis=0)),
        Mistake("You take the largest number of each dimension; the mean is asked for.", _largest_pool),
        Mistake("That is the mean, brought to length 1: leave its length alone here.", _pool_of_length_1),
        Mistake(f"You take as many vectors from the front as there are ones. {_SIDE}",
                lambda vectors, mask: vectors[: mask.sum()].mean(axis=0)),
    ],
    if_raised={
        ValueError: "`mask[:, None]` makes a column of the mask, so that each of its numbers meets a whole vector.",
        IndexError: "The mask has one number for each vector, not for each dimension: `vectors[mask == 1]` are those that count.",
        TypeError: "`vectors` and `mask` are NumPy arrays: `vectors[mask == 1]` are the vectors that count.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 4: ppmi
# ---------------------------------------------------------------------------------------------


def _chance(counts):
    """How often each pair would meet by chance, with the same counts of single words."""
    return counts.sum(axis=1, keepdims=True) * counts.sum(axis=0, keepdims=True) / counts.sum()


def _log_where_seen(counts, chance):
    logs = np.zeros(counts.shape)
    seen = counts > 0
    logs[seen] = np.log(counts[seen] / np.broadcast_to(chance, counts.shape)[seen])
    return logs


def _pmi(counts):
    return _log_where_seen(counts, _chance(counts))


def _ppmi(counts):
    return np.maximum(_pmi(counts), 0).tolist()


@_quiet
def _ppmi_all_logs(counts, then=lambda logs: logs):
    return then(np.log(counts / _chance(counts)))


@_quiet
def _ratio(counts):
    return counts / _chance(counts)


def _ppmi_by(chance, then=lambda logs: np.maximum(logs, 0)):
    """A `ppmi` that takes something else for what chance would give."""
    return lambda counts: then(_log_where_seen(counts, chance(counts)))


def _row_twice(counts):
    return counts.sum(axis=1, keepdims=True) ** 2 / counts.sum()


def _column_twice(counts):
    return counts.sum(axis=0, keepdims=True) ** 2 / counts.sum()


_ZERO = "Words that never meet have no logarithm: their entry stays 0."
_NAN = "A word that never occurs would give 0 / 0, which is nan: its entries stay 0."

ppmi = Exercise(
    "ppmi",
    notebook="02",
    number=4,
    minutes=15,
    difficulty="harder",
    parameters=("counts",),
    right=_ppmi,
    praise="Right: what comes together more often than by chance is above 0, and all the rest is 0.",
    read=read_table,
    slack=SLACK,
    keeps=("counts",),
    cases=cases(
        (np.array([[0, 4], [4, 0]]), None, _ZERO),
        (np.array([[4, 1], [1, 2]]), None, "What comes together less often than by chance stays 0 as well."),
        (np.array([[2, 6, 1], [6, 0, 3], [1, 3, 8]]),),
        (np.array([[0, 9, 0, 1], [9, 0, 2, 0], [0, 2, 0, 30], [1, 0, 30, 4]]), None, _ZERO),
        (np.array([[0, 1, 0], [1, 2, 0], [0, 0, 0]]), None, _NAN),
    ),
    mistakes=[
        Mistake("Some entries are below 0: positive PMI puts a 0 in their place.", lambda counts: _pmi(counts)),
        Mistake("The logarithm of 0 is minus infinity, and what is below 0 is still there: put a 0 in place of both.",
                lambda counts: _ppmi_all_logs(counts)),
        Mistake(_NAN, lambda counts: _ppmi_all_logs(counts, lambda logs: np.maximum(logs, 0))),
        Mistake("That is the logarithm to the base 2; the natural one is asked for, `np.log`.",
                lambda counts: np.maximum(_pmi(counts), 0) / np.log(2)),
        Mistake("That is the logarithm to the base 10; the natural one is asked for, `np.log`.",
                lambda counts: np.maximum(_pmi(counts), 0) / np.log(10)),
        Mistake("Every entry comes out 0: chance would give row sum times column sum divided by the total, the sum of all "
                "counts. Is one of the three missing?",
                lambda counts: np.zeros(counts.shape)),
        Mistake("You divide by both sums and leave out the total: chance would give row sum times column sum divided by it.",
                _ppmi_by(lambda counts: _chance(counts) * counts.sum(), lambda logs: logs)),
        Mistake("You compare with the row sums alone: what chance would give is row sum times column sum divided by the total.",
                _ppmi_by(lambda counts: counts.sum(axis=1, keepdims=True), lambda logs: logs)),
        Mistake("The total is the sum of all counts in the table: don't halve it.",
                _ppmi_by(lambda counts: 2 * _chance(counts))),
        Mistake("The logarithm is missing: yours says how many times more often than by chance.",
                lambda counts: np.nan_to_num(_ratio(counts))),
        Mistake("The logarithm is missing: yours says how many times more often than by chance.",
                lambda counts: _ratio(counts)),
        Mistake("You take the sum of each row twice: one word has its row, and the other its column.",
                _ppmi_by(_row_twice)),
        Mistake("You take the sum of each column twice: one word has its row, and the other its column.",
                _ppmi_by(_column_twice)),
        Mistake("You add 1 before the logarithm, so that nothing is below 0: then even pairs that come by chance count.",
                lambda counts: np.log1p(np.nan_to_num(_ratio(counts)))),
        Mistake("You take away the sign; what is below 0 must become 0.", lambda counts: abs(_pmi(counts))),
        Mistake("You keep what is below 0 and drop what is above: `np.maximum(..., 0)` does the opposite of `np.minimum`.",
                lambda counts: np.minimum(_pmi(counts), 0)),
        Mistake("Everything is cut to whole numbers: `np.zeros_like(counts)` holds whole numbers as `counts` does, and "
                "`np.zeros(counts.shape)` doesn't.",
                lambda counts: np.maximum(_pmi(counts), 0).astype(int)),
        Mistake("The logarithm is multiplied by the pair's own share: leave that out.",
                lambda counts: np.maximum(_pmi(counts), 0) * counts / counts.sum()),
    ],
    if_raised={
        ZeroDivisionError: _NAN,
        ValueError: _ZERO,
        TypeError: "`counts` is a NumPy array: `counts.sum(axis=1)` are the sums of its rows.",
    },
)  # fmt: skip
