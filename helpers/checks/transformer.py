"""The exercises of notebook 05: a norm, a network's parameters, a block, and the logit lens."""

from itertools import combinations, pairwise
from math import prod

import numpy as np

from helpers.checks.checking import (
    Exercise,
    Mistake,
    Unreadable,
    cases,
    floats,
    read_number,
    read_table,
    show,
    size,
)

# Learners divide by 0 as well; our own versions of their mistakes do it without a warning.
_quiet = np.errstate(divide="ignore", invalid="ignore")


class Given:
    """A function that is handed to the learner's: it shows itself as a line that can be copied and run.

    >>> double = Given("lambda x: 2 * x")
    >>> double, double([1.0])
    (lambda x: 2 * x, array([2.]))
    """

    def __init__(self, source: str):
        self.source = source
        self.function = eval(source, {"np": np})  # our own lines below, never the learner's

    def __call__(self, x):
        return self.function(np.asarray(x, dtype=np.float64))

    def __repr__(self) -> str:
        return self.source


# ---------------------------------------------------------------------------------------------
# Exercise 1: rms_norm
# ---------------------------------------------------------------------------------------------

EPS = 1e-5


def _mean_square(x):
    return (x**2).mean(axis=-1, keepdims=True)


def _rms_norm(x, weight):
    return (x / np.sqrt(_mean_square(x) + EPS) * weight).tolist()


def _rms_norm_by(divisor, weigh=lambda y, weight: y * weight):
    """An `rms_norm` that divides by something else, or does something else with the weight."""
    return _quiet(lambda x, weight: weigh(x / divisor(x), weight))


def _layer_norm(x, weight):
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt(_mean_square(centred) + EPS) * weight


_ZERO = "A row of zeros must come out as zeros: 0.00001 is added to the mean square, so that nothing is divided by 0."
_INSIDE = "0.00001 is added to the mean square, before the root is taken."


def _eps_is(eps):
    return Mistake(
        f"You add {eps:.12f}".rstrip("0") + " to the mean square; 0.00001 is asked for.",
        _rms_norm_by(lambda x: np.sqrt(_mean_square(x) + eps)),
    )


rms_norm = Exercise(
    "rms_norm",
    notebook="05",
    number=1,
    minutes=5,
    difficulty="easy",
    parameters=("x", "weight"),
    right=_rms_norm,
    praise="Right: however long a vector was, its numbers are now about 1 in size, and the weight says which of them count more.",
    read=read_table,
    slack=1e-3,  # half-precision numbers have three digits, and every mistake below is larger
    keeps=("x", "weight"),
    cases=cases(
        (np.array([[1.0, 7.0]]), np.ones(2)),
        (np.array([[2.0, -2.0, 1.0], [-6.0, 0.0, 9.0]]), np.array([1.0, 2.0, 0.5])),
        (np.array([[1.0, 7.0], [-2.0, 2.0]]), np.array([1.0, 3.0])),
        (np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]), np.ones(3), None, _ZERO),
        (np.array([[0.001, -0.002, 0.003, 0.001]]), np.ones(4), None, _INSIDE),
        (np.array([[300.0, 400.0], [5.0, 5.0], [1.0, -3.0], [0.5, 0.25]]), np.array([-2.0, 0.25])),
    ),
    mistakes=[
        Mistake("That is layer norm: RMS norm leaves the mean of each row where it is.", _layer_norm),
        Mistake("`std` takes the mean away before it squares; RMS norm squares the numbers as they are.",
                _rms_norm_by(lambda x: np.sqrt(x.var(axis=-1, keepdims=True) + EPS))),
        Mistake("`std` takes the mean away before it squares; RMS norm squares the numbers as they are.",
                _rms_norm_by(lambda x: x.std(axis=-1, keepdims=True))),
        Mistake("`std` takes the mean away before it squares; RMS norm squares the numbers as they are.",
                _rms_norm_by(lambda x: x.std(axis=-1, keepdims=True) + EPS)),
        Mistake("You take the sum of the squares, which makes every row 1 long; take their mean.",
                _rms_norm_by(lambda x: np.sqrt((x**2).sum(axis=-1, keepdims=True) + EPS))),
        Mistake("You divide by the length of each row; divide by the root of the mean of the squares.",
                _rms_norm_by(lambda x: np.linalg.norm(x, axis=-1, keepdims=True))),
        Mistake("You divide the sum by the number of rows; the mean of a row is its sum divided by how many numbers it has.",
                _rms_norm_by(lambda x: np.sqrt((x**2).sum(axis=-1, keepdims=True) / len(x) + EPS))),
        Mistake("The root is missing: you divide by the mean square itself.", _rms_norm_by(lambda x: _mean_square(x) + EPS)),
        Mistake("You take the mean of all rows at once: `axis=-1` gives each row its own.",
                _rms_norm_by(lambda x: np.sqrt((x**2).mean() + EPS))),
        Mistake("You go down the columns: `axis=-1` goes along each row.",
                _rms_norm_by(lambda x: np.sqrt((x**2).mean(axis=0) + EPS))),
        Mistake("The roots must stand in a column, so that each divides its own row: `keepdims=True` makes one.",
                _rms_norm_by(lambda x: np.sqrt((x**2).mean(axis=-1) + EPS))),
        Mistake("The weight is missing: multiply each column by its own.", _rms_norm_by(lambda x: np.sqrt(_mean_square(x) + EPS), lambda y, _: y)),
        Mistake("You divide by the weight; multiply by it.",
                _rms_norm_by(lambda x: np.sqrt(_mean_square(x) + EPS), lambda y, weight: y / weight)),
        Mistake("You add the weight; multiply by it.",
                _rms_norm_by(lambda x: np.sqrt(_mean_square(x) + EPS), lambda y, weight: y + weight)),
        Mistake("The weight comes last: yours is multiplied in before the mean square is taken, and counts in it.",
                lambda x, weight: _rms_norm(x * weight, 1.0)),
        Mistake(_ZERO, _rms_norm_by(lambda x: np.sqrt(_mean_square(x)))),
        Mistake(f"{_INSIDE} Yours is added to the root.", _rms_norm_by(lambda x: np.sqrt(_mean_square(x)) + EPS)),
        Mistake("0.00001 is taken away from the mean square; add it.", _rms_norm_by(lambda x: np.sqrt(_mean_square(x) - EPS))),
        _eps_is(1e-6),
        _eps_is(1e-8),
        _eps_is(1e-12),
        Mistake("You take the mean of the absolute values; square the numbers, take the mean, then the root.",
                _rms_norm_by(lambda x: abs(x).mean(axis=-1, keepdims=True) + EPS)),
        Mistake("The squares are missing: you take the root of the mean.",
                _rms_norm_by(lambda x: np.sqrt(x.mean(axis=-1, keepdims=True) + EPS))),
        Mistake("You square the mean; take the mean of the squares.",
                _rms_norm_by(lambda x: np.sqrt(x.mean(axis=-1, keepdims=True) ** 2 + EPS))),
        Mistake("You multiply by the root; divide by it.",
                lambda x, weight: x * np.sqrt(_mean_square(x) + EPS) * weight),
        Mistake("You divide by the largest number of each row; divide by the root of the mean of the squares.",
                _rms_norm_by(lambda x: abs(x).max(axis=-1, keepdims=True) + EPS)),
        Mistake("Those are the roots: divide the rows of `x` by them.", lambda x, _: np.sqrt(_mean_square(x) + EPS)),
    ],
    if_raised={
        ValueError: "`(x**2).mean(axis=-1, keepdims=True)` is a column with one number for each row of `x`.",
        TypeError: "`x` and `weight` are NumPy arrays: `x**2` and `np.sqrt(x)` work on all their numbers at once.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 2: count_parameters
# ---------------------------------------------------------------------------------------------


def _read_count(answer):
    """One whole number; says what to do with a list of them."""
    try:
        count = read_number(answer)
    except Unreadable as unreadable:
        if "a row of" in str(unreadable):
            raise Unreadable(f"{unreadable}: add them up") from None
        raise
    if not count.is_integer():
        raise Unreadable(f"a whole number, and this is `{show(count)}`")
    return int(count)


def _count_parameters(sizes):
    return sum((before + 1) * after for before, after in pairwise(sizes))


def _weights(sizes):
    return sum(before * after for before, after in pairwise(sizes))


def _count_first(sizes):
    for before, after in pairwise(sizes):
        return before * after + after


def _count_all_pairs(sizes):
    return sum((before + 1) * after for before, after in combinations(sizes, 2))


count_parameters = Exercise(
    "count_parameters",
    notebook="05",
    number=2,
    minutes=5,
    difficulty="easy",
    parameters=("sizes",),
    right=_count_parameters,
    praise="Right: one weight for each connection, one bias for each number behind the first layer. Large models are counted in the same way.",
    read=_read_count,
    keeps=("sizes",),
    cases=cases(
        ([3, 5, 4, 2],),
        ([2, 1],),
        ([64, 16, 10],),
        ([4, 4, 2], None, "Two layers may have the same size."),
        ([1, 2, 3, 4, 5],),
        ([7], None, "One layer has nothing behind it to be connected with, so there is nothing to learn: 0."),
    ),
    mistakes=[
        Mistake("The biases are missing: every number behind the first layer has one.", _weights),
        Mistake("You give the first layer biases as well; its numbers are given, and nothing is added to them.",
                lambda sizes: _weights(sizes) + sum(sizes)),
        Mistake("You add a bias for each number of the layer that is read; each number of the layer that is written has one.",
                lambda sizes: _weights(sizes) + sum(sizes[:-1])),
        Mistake("You add one bias for a whole layer; each of its numbers has one.",
                lambda sizes: _weights(sizes) + len(sizes) - 1),
        Mistake("You leave out the biases of the last layer.", lambda sizes: _weights(sizes) + sum(sizes[1:-1])),
        Mistake("You count the biases alone: where are the weights?", lambda sizes: sum(sizes[1:])),
        Mistake("You multiply all sizes; each layer is connected with the next one only, and those products are added up.",
                lambda sizes: prod(sizes)),
        Mistake("You add the sizes up: those are the numbers in the network. Its parameters sit on the connections.",
                lambda sizes: sum(sizes)),
        Mistake("You add two sizes for each pair of layers; multiply them: every number is connected with every number.",
                lambda sizes: sum(before + after for before, after in pairwise(sizes))),
        Mistake("Only the first two layers are counted: is `return` inside the loop?", _count_first),
        Mistake("Only the first two layers are counted: go through all pairs of neighbours.",
                lambda sizes: sizes[0] * sizes[1] + sizes[1]),
        Mistake("Only the first two layers are counted: go through all pairs of neighbours.",
                lambda sizes: _count_parameters(sizes[:2])),
        Mistake("Only the last two layers are counted: add to the total, and don't replace it.",
                lambda sizes: _count_parameters(sizes[-2:])),
        Mistake("The last layer is missing: does the loop stop one pair too early?", lambda sizes: _count_parameters(sizes[:-1])),
        Mistake("The first layer is missing: does the loop begin one pair too late?", lambda sizes: _count_parameters(sizes[1:])),
        Mistake("You connect every layer with every later one; it is connected with the next one only.", _count_all_pairs),
        Mistake("You connect the last layer with the first: `sizes[i - 1]` is the last size when i is 0.",
                lambda sizes: _count_parameters([sizes[-1], *sizes])),
        Mistake("You count each weight twice: a connection has one, and it goes one way.",
                lambda sizes: 2 * _weights(sizes) + sum(sizes[1:])),
    ],
    if_raised={
        IndexError: "A layer is connected with the one behind it, and behind the last one there is none: `zip(sizes, sizes[1:])` "
        "gives each layer with the next.",
        TypeError: "`sizes` is a list of whole numbers: `zip(sizes, sizes[1:])` gives each layer with the next.",
        ValueError: "`zip(sizes, sizes[1:])` gives each layer with the next: `for before, after in zip(sizes, sizes[1:])`.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 3: block
# ---------------------------------------------------------------------------------------------


def _block(x, attention, mlp, norm):
    x = x + attention(norm(x))
    return (x + mlp(norm(x))).tolist()


def _no_norm(x):
    return x


def _block_post_norm(x, attention, mlp, norm):
    x = norm(x + attention(x))
    return norm(x + mlp(x))


def _block_norm_of_found(x, attention, mlp, norm):
    x = x + norm(attention(x))
    return x + norm(mlp(x))


def _block_normed_stream(x, attention, mlp, norm):
    x = norm(x)
    x = norm(x + attention(x))
    return x + mlp(x)


def _block_normed_first(x, attention, mlp, norm):
    x = norm(x)
    x = x + attention(x)
    return x + mlp(norm(x))


def _block_normed_second(x, attention, mlp, norm):
    x = norm(x + attention(norm(x)))
    return x + mlp(x)


def _block_no_first_sum(x, attention, mlp, norm):
    x = attention(norm(x))
    return x + mlp(norm(x))


def _block_no_second_sum(x, attention, mlp, norm):
    return mlp(norm(x + attention(norm(x))))


def _block_no_first_norm(x, attention, mlp, norm):
    x = x + attention(x)
    return x + mlp(norm(x))


def _block_no_second_norm(x, attention, mlp, norm):
    x = x + attention(norm(x))
    return x + mlp(x)


def _block_found_is_lost(x, attention, mlp, norm):
    return x + mlp(norm(x + attention(norm(x))))


def _block_position_by_position(x, *parts):
    return np.concatenate([_block(row[None], *parts) for row in x])


_TOGETHER = (
    "You hand the positions over one by one; attention must see all of them at once, or it can't mix them."
)
_BACK = (
    "You write the norm back into the stream. Only attention and mlp read it; what they find is added to the stream "
    "as it was."
)
_TWICE = "The stream is added twice: the second sum begins with what came out of the first, which holds `x` already."

_BY_HAND = (Given("lambda x: x + 1"), Given("lambda x: 10 * x"), Given("lambda x: x / 2"))
_MIXES = (Given("lambda x: np.cumsum(x, axis=0)"), Given("lambda x: x**2"), Given("lambda x: x / 2"))
_ROUGH = (Given("lambda x: np.cumsum(x, axis=0)"), Given("lambda x: 5 - x"), Given("lambda x: np.sign(x)"))

block = Exercise(
    "block",
    notebook="05",
    number=3,
    minutes=10,
    difficulty="medium",
    parameters=("x", "attention", "mlp", "norm"),
    right=_block,
    praise="Right: two readers that look at a normed copy, and two sums. SmolLM2 is thirty of these on top of each other.",
    read=read_table,
    keeps=("x",),
    cases=cases(
        (np.array([[2.0, 4.0]]), *_BY_HAND),
        (np.array([[1.0, -2.0], [3.0, 0.5]]), *_MIXES),
        (np.array([[1.0, -2.0], [3.0, 0.5], [4.0, -1.0]]), *_ROUGH),
    ),
    mistakes=[
        Mistake("The norm stands behind each sum, as in the first transformer. Here it stands in front of attention and of mlp, and "
                "the stream itself is never normed.", _block_post_norm),
        Mistake("You norm what attention and mlp have found; norm what they read.", _block_norm_of_found),
        Mistake(_BACK, _block_normed_stream),
        Mistake(_BACK, _block_normed_first),
        Mistake(_BACK, _block_normed_second),
        Mistake("The last step is a sum: don't norm it once more.", lambda *given: given[-1](_block(*given))),
        Mistake("The first sum is missing: attention's answer replaces `x`, and should be added to it.", _block_no_first_sum),
        Mistake("The second sum is missing: what mlp finds must be added to what it read from.", _block_no_second_sum),
        Mistake("Both sums are missing: attention and mlp replace the stream, and should add to it.",
                lambda x, attention, mlp, norm: mlp(norm(attention(norm(x))))),
        Mistake("The first norm is missing: attention reads `norm(x)`.", _block_no_first_norm),
        Mistake("The second norm is missing: mlp reads `norm` of the stream as well.", _block_no_second_norm),
        Mistake("The norm is missing: attention and mlp each read a normed copy of the stream.",
                lambda x, attention, mlp, _: _block(x, attention, mlp, _no_norm)),
        Mistake("mlp reads the old `x`; it must read the stream to which attention has already added.",
                lambda x, attention, mlp, norm: x + attention(norm(x)) + mlp(norm(x))),
        Mistake("What attention found is missing in the second sum: it begins with the old `x`.", _block_found_is_lost),
        Mistake("mlp reads what attention found, and not the stream; and what attention found is never added.",
                lambda x, attention, mlp, norm: x + mlp(norm(attention(norm(x))))),
        Mistake("mlp reads what attention found, and not the stream; and what attention found is never added.",
                lambda x, attention, mlp, norm: x + mlp(attention(norm(x)))),
        Mistake("`x` itself is missing in what you return: both answers are added to it.",
                lambda x, attention, mlp, norm: attention(norm(x)) + mlp(norm(x))),
        Mistake("`x` itself is missing in what you return: both answers are added to it.",
                lambda x, attention, mlp, norm: attention(norm(x)) + mlp(norm(x + attention(norm(x))))),
        Mistake("mlp comes first and attention second; it is the other way round.",
                lambda x, attention, mlp, norm: _block(x, mlp, attention, norm)),
        Mistake("The half with mlp is missing.", lambda x, attention, mlp, norm: x + attention(norm(x))),
        Mistake("The half with attention is missing.", lambda x, attention, mlp, norm: x + mlp(norm(x))),
        Mistake(_TWICE, lambda x, *parts: x + _block(x, *parts)),
        Mistake("`x` comes back as it was: add what attention and mlp find.", lambda x, *parts: x),
        Mistake(_TOGETHER, _block_position_by_position),
        Mistake(_TOGETHER, lambda x, *parts: [_block(row, *parts) for row in x]),
    ],
    if_raised={
        TypeError: "`attention`, `mlp` and `norm` are functions: `norm(x)` is what norm makes of `x`.",
        ValueError: "Each of the three functions takes a table [seq, d_model] and gives one of the same shape.",
        AttributeError: "`attention`, `mlp` and `norm` are functions: `norm(x)` is what norm makes of `x`.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 4: logit_lens
# ---------------------------------------------------------------------------------------------


def _read_layers(answer):
    """An id for each layer; says what it is where scores, one id alone, or ids for all positions are returned."""
    ids = floats(answer)
    found = size(ids)
    if not found.startswith("a row"):
        one = f", `{show(answer)}`" if found == "one number" else ""
        raise Unreadable(f"one id for each layer, and this is {found}{one}")
    if not all(one.is_integer() for one in ids):
        raise Unreadable("ids, which are whole numbers, and these look like scores")
    return list(map(int, ids))


def _scores(vectors, norm, table):
    return norm(vectors) @ table.T


def _logit_lens(residual, norm, table):
    return _scores(residual[:, -1], norm, table).argmax(axis=-1).tolist()


def _lens_by(see, choose=lambda scores: scores.argmax(axis=-1)):
    """A `logit_lens` that looks at something else in the residual stream, or chooses in another way."""
    return lambda residual, norm, table: choose(_scores(see(residual), norm, table))


def _last(residual):
    return residual[:, -1]


def _softmax_over_layers(scores):
    odds = np.exp(scores - scores.max())
    return (odds / odds.sum(axis=0)).argmax(axis=-1)


def _distances(residual, norm, table):
    return np.linalg.norm(norm(_last(residual))[:, None] - table, axis=-1)


# The rows differ in length, and the weights of the norm change who wins.
_TABLE = np.array([[1.0, 0.0], [0.0, 1.0], [-2.0, -1.0], [3.0, 3.0]])
_STREAM = np.array([[[2.0, -1.0], [1.0, -2.0]], [[-1.0, 2.0], [3.0, -1.0]], [[0.5, 1.0], [-3.0, 4.0]]])
_LONGER = np.array(
    [
        [[0.3, 2.0, -1.0], [1.0, 1.0, 0.0], [0.0, -1.0, 2.0], [-1.0, 0.5, 0.2]],
        [[-2.0, 0.1, 0.0], [3.0, 0.0, 1.0], [0.5, 2.0, -1.0], [1.0, -2.0, 0.6]],
    ]
)

logit_lens = Exercise(
    "logit_lens",
    notebook="05",
    number=4,
    minutes=15,
    difficulty="harder",
    parameters=("residual", "norm", "table"),
    right=_logit_lens,
    praise="Right: that is the whole logit lens. The last norm and the table are made for the last layer, and you have read every layer with them.",
    read=_read_layers,
    keeps=("residual", "table"),
    cases=cases(
        (_STREAM, Given("lambda x: 3 * x"), _TABLE),
        (_STREAM, Given("lambda x: x * [0.2, 1.0]"), _TABLE),
        (_LONGER, Given("lambda x: x * [1.0, 0.1, 4.0]"), np.eye(3)[[1, 2, 0]]),
        (_LONGER, Given("lambda x: x * [2.0, 0.5, 1.0]"), np.vstack([np.eye(3), -np.eye(3)])),
        (_STREAM[:1], Given("lambda x: x * [1.0, 0.3]"), _TABLE, None, "One layer gives a row with one id."),
        (_LONGER[:, :1], Given("lambda x: np.tanh(x)"), np.array([[0.1, 2.0, -1.0], [-1.0, 1.0, 1.0]]), None,
         "A text of one token has a last position as well."),
    ),
    mistakes=[
        Mistake("You read the first position; what comes next is written at the last one.", _lens_by(lambda residual: residual[:, 0])),
        Mistake("You mix all positions; what comes next is written at the last one.",
                _lens_by(lambda residual: residual.mean(axis=1))),
        Mistake("The norm is missing: the table is made for vectors that have gone through it.",
                lambda residual, norm, table: _logit_lens(residual, lambda x: x, table)),
        Mistake("You norm the table as well; only the residual stream goes through the norm.",
                lambda residual, norm, table: _logit_lens(residual, norm, norm(table))),
        Mistake("The table lies on its side: `table.T` has a column for each token, and gives each its score.",
                lambda residual, norm, table: (norm(_last(residual)) @ table).argmax(axis=-1)),
        Mistake("You look for the lowest score; the most likely token has the highest.",
                _lens_by(_last, lambda scores: scores.argmin(axis=-1))),
        Mistake("Those are the scores: `argmax(axis=-1)` says which token has the highest.", _lens_by(_last, lambda scores: scores)),
        Mistake("Those are the highest scores; which token has them is asked for, as `argmax` says.",
                _lens_by(_last, lambda scores: scores.max(axis=-1))),
        Mistake("You ask for each token in which layer it scores best; ask for each layer which token does: `axis=-1`.",
                _lens_by(_last, lambda scores: scores.argmax(axis=0))),
        Mistake("`argmax` without an axis looks at all layers at once: `axis=-1` gives one id for each.",
                _lens_by(_last, lambda scores: scores.argmax())),
        Mistake("You share the odds out among the layers; a softmax goes over the tokens of one layer, and changes nothing about "
                "which is first.", _lens_by(_last, _softmax_over_layers)),
        Mistake("That is every layer at every position: take the last position alone.", _lens_by(lambda residual: residual)),
        Mistake("That is the last layer at every position; every layer at the last position is asked for.",
                _lens_by(lambda residual: residual[-1])),
        Mistake("That is the last layer alone; the lens reads every layer.",
                lambda residual, norm, table: _logit_lens(residual, norm, table)[-1]),
        Mistake("That is the last layer alone; the lens reads every layer.",
                lambda residual, norm, table: _logit_lens(residual, norm, table)[-1:]),
        Mistake("The first stream is missing: what goes into the first block can be read as well.",
                lambda residual, norm, table: _logit_lens(residual[1:], norm, table)),
        Mistake("The last stream is missing: it is the one from which the model itself reads its answer.",
                lambda residual, norm, table: _logit_lens(residual[:-1], norm, table)),
        Mistake("You read what each block has added; the lens reads the stream as it is after it.",
                _lens_by(lambda residual: np.diff(residual[:, -1], axis=0))),
        Mistake("You read what each block has added; the lens reads the stream as it is after it.",
                _lens_by(lambda residual: np.diff(residual[:, -1], axis=0, prepend=0))),
        Mistake("You add the layers up; the stream after a block holds everything before it already.",
                _lens_by(lambda residual: residual[:, -1].cumsum(axis=0))),
        Mistake("You compare directions; the model takes dot products, and a long row of the table counts for more.",
                lambda residual, norm, table: _logit_lens(residual, norm, table / np.linalg.norm(table, axis=1, keepdims=True))),
        Mistake("You look for the nearest row of the table; the model takes the largest dot product.",
                lambda *given: _distances(*given).argmin(axis=-1)),
    ],
    if_raised={
        ValueError: "`residual[:, -1]` is [layer, d_model] and `table.T` is [d_model, vocab]: `@` gives a score for each layer and token.",
        TypeError: "`norm` is a function, and takes all layers at once: `norm(residual[:, -1])`.",
        IndexError: "`residual` is [layer, seq, d_model]: `residual[:, -1]` is the last position in every layer.",
    },
)  # fmt: skip
