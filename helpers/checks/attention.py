"""The exercises of notebook 04: who may look at whom, attention in full, a head with a job found, and one built."""

import numpy as np

from helpers.checks.checking import (
    Case,
    Exercise,
    Mistake,
    OpenExercise,
    Unreadable,
    cases,
    floats,
    items,
    read_table,
    size,
    whole,
)

SLACK = 1e-3  # half-precision numbers have three digits, and every mistake below is larger

# Learners divide by 0 and take e to the power of 1,000 as well; our own versions of their mistakes do it in silence.
_quiet = np.errstate(all="ignore")


def _rows(*rows):
    return np.array(rows, dtype=np.float64)


# ---------------------------------------------------------------------------------------------
# Exercise 1: causal_mask
# ---------------------------------------------------------------------------------------------


def _mask(n):
    return np.tril(np.ones((n, n), dtype=bool))


def _read_mask(answer):
    """A table of True and False; 1 and 0 of any make are as good, and any other number stays a number."""
    value = floats(answer)
    if not size(value).startswith("a table of"):
        raise Unreadable(f"a table of True and False, and this is {size(value)}")
    return [[bool(one) if one in (0, 1) else one for one in row] for row in value]


causal_mask = Exercise(
    "causal_mask",
    notebook="04",
    number=1,
    minutes=5,
    difficulty="easy",
    parameters=("n",),
    right=lambda n: _mask(n).tolist(),
    praise="Right: every word sees itself and what stands before it. The first row has one True, the last has n.",
    read=_read_mask,
    cases=cases(
        (2,),
        (5,),
        (1, None, "A text of one word has one row and one column, and the word may look at itself."),
    ),
    mistakes=[
        Mistake("Your table is mirrored: each word sees what comes after it. The row is the word that looks, the column the one that is looked at.",
                lambda n: _mask(n).T),
        Mistake("True marks what is hidden in your table; here it marks what may be seen: turn True and False round.",
                lambda n: ~_mask(n)),
        Mistake("A word may look at itself as well: the diagonal is True.", lambda n: np.tril(np.ones((n, n)), k=-1)),
        Mistake("Each word sees one word too many, the one that comes next: what it has to guess.",
                lambda n: np.tril(np.ones((n, n)), k=1)),
        Mistake("Nothing is hidden: every word sees the whole text.", lambda n: np.ones((n, n))),
        Mistake("Everything is hidden: no word sees any.", lambda n: np.zeros((n, n))),
        Mistake("Each word sees only itself; it may look at all that stand before it, too.", np.eye),
        Mistake("Each word sees itself and one word before it; it may look at all that stand before it.",
                lambda n: np.eye(n) + np.eye(n, k=-1)),
        Mistake("The first column is never seen: positions count from 0.", lambda n: _mask(n) & (np.arange(n) > 0)),
        Mistake("That is what is added to the scores, 0 or minus infinity; True and False are asked for here.",
                _quiet(lambda n: np.where(_mask(n), 0, -np.inf))),
        Mistake("Those are shares already, each row with a sum of 1; only True and False are asked for.",
                lambda n: _mask(n) / np.arange(1, n + 1)[:, None]),
        Mistake("There is a row and a column too many: n words, n rows.", lambda n: _mask(n + 1)),
        Mistake("There is a row and a column too few: n words, n rows.", lambda n: _mask(n - 1)),
    ],
    if_raised={
        TypeError: "`n` is a whole number; `np.arange(n)` are the n positions.",
        ValueError: "`np.arange(n)[:, None]` is a column; compared with a row it gives a table.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 2: attend
# ---------------------------------------------------------------------------------------------


def _dots(queries, keys, values):
    return queries @ keys.T


def _scores(queries, keys, values):
    return _dots(queries, keys, values) / np.sqrt(queries.shape[1])


def _hide(scores, visible=_mask, hidden=-np.inf):
    return np.where(visible(len(scores)), scores, hidden)


@_quiet
def _softmax(scores, axis=1):
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def _share_by(total, powers=lambda scores: np.exp(scores - scores.max(axis=1, keepdims=True))):
    """A softmax that divides by something else than the sum of each row."""
    return _quiet(lambda scores: powers(scores) / total(powers(scores)))


def _attend_with(
    scores=_scores, hide=_hide, softmax=_softmax, take=lambda weights, _q, _k, values: weights @ values
):
    """An `attend` in which one of its steps is another one."""
    return _quiet(
        lambda queries, keys, values: take(softmax(hide(scores(queries, keys, values))), queries, keys, values)
    )  # fmt: skip


def _attend(queries, keys, values):
    return _attend_with()(queries, keys, values).tolist()


def _row_sums(powers):
    return powers.sum(axis=1, keepdims=True)


def _best_only(scores):
    return np.eye(len(scores))[scores.argmax(axis=1)]


_TINY = (_rows([1, 0, 0, 0], [0, 2, 1, 1]), _rows([1, 1, 0, 0], [0, 1, 1, 1]), _rows([10], [20]))
_WORDS = (
    _rows([1, 0, 2, -1], [0, 3, 1, 1], [2, -1, 0, 1]),
    _rows([1, 2, 0, 1], [0, 1, -1, 0], [3, 0, 1, -2]),
    _rows([4, 0], [-2, 6], [1, 8]),
)
_MORE = (
    _rows([0.5, -1, 2], [1.5, 0, -2], [-1, 1, 1], [2, 0.5, 0], [-0.5, -2, 1.5]),
    _rows([1, -0.5, 0], [0, 2, 1], [-1.5, 1, 0.5], [2, 1, -1], [0.5, -1, 1]),
    _rows([3, -4, 0, 1], [5, 2, -1, 0], [-2, 1, 4, 7], [0, 6, -3, 2], [8, -5, 1, -6]),
)
# The first number of the queries makes all scores of a row large alike, above 0 or below; the others tell them apart.
_LARGE = (
    _rows([2_000, 0, 1, 0], [-2_000, 2, 0, 0], [3_000, 0, 0, 2]),
    _rows([1, 1, 0, 1], [1, -1, 0, 0], [1, 0, 2, -1]),
    _rows([10, 1], [20, 5], [40, -3]),
)
_OVERFLOW = (
    "Some scores are 1,000 or more, others -1,000 or less, and no computer holds e to the power of 1,000: take the "
    "largest score of each row away from that row first, the shares stay the same."
)

attend = Exercise(
    "attend",
    notebook="04",
    number=2,
    minutes=15,
    difficulty="medium",
    parameters=("queries", "keys", "values"),
    right=_attend,
    praise="Right: dot products, root, mask, softmax, weighted mean. That is all of attention, and every head of every GPT does it.",
    read=read_table,
    slack=SLACK,
    keeps=("queries", "keys", "values"),
    cases=[
        *cases(
            _TINY,
            _WORDS,
            (_rows([3, -1]), _rows([2, 5]), _rows([7, 8, 9]), None, "A single word sees itself alone, so it finds its own value."),
            _MORE,
        ),
        Case(lambda: tuple(one.copy() for one in _LARGE), _OVERFLOW, "attend(1_000 * queries, keys, values)"),
    ],
    mistakes=[
        Mistake("The scores are not divided: divide them by the root of d_head, `queries.shape[1]`.", _attend_with(_dots)),
        Mistake("You divide the scores by d_head; divide by its root, `np.sqrt(...)`.",
                _attend_with(lambda q, k, v: q @ k.T / q.shape[1])),
        Mistake("You multiply by the root; divide by it.", _attend_with(lambda q, k, v: q @ k.T * np.sqrt(q.shape[1]))),
        Mistake("You take the root of how many words there are; d_head is how many numbers a query has, `queries.shape[1]`.",
                _attend_with(lambda q, k, v: q @ k.T / np.sqrt(len(q)))),
        Mistake("You take the root of how many numbers a value has; d_head is how many a query has, `queries.shape[1]`.",
                _attend_with(lambda q, k, v: q @ k.T / np.sqrt(v.shape[1]))),
        Mistake("You divide by the root after the softmax; it belongs before it, to the scores.",
                _attend_with(_dots, softmax=lambda scores: _softmax(scores), take=lambda w, q, k, v: w / np.sqrt(q.shape[1]) @ v)),
        Mistake("The mask is missing: every word sees the whole text.", _attend_with(hide=lambda scores: scores)),
        Mistake("Your mask is mirrored: each word sees itself and what comes after it.",
                _attend_with(hide=lambda scores: _hide(scores, lambda n: _mask(n).T))),
        Mistake("Your mask hides the past and shows the future: turn it round.",
                _attend_with(hide=lambda scores: _hide(scores, lambda n: ~_mask(n)))),
        Mistake("Your mask hides each word from itself, so the first word sees nothing: leave it the diagonal.",
                _attend_with(hide=lambda scores: _hide(scores, lambda n: np.tril(np.ones((n, n), dtype=bool), k=-1)))),
        Mistake("Your mask lets each word see the one that comes next.",
                _attend_with(hide=lambda scores: _hide(scores, lambda n: np.tril(np.ones((n, n), dtype=bool), k=1)))),
        Mistake("You set the future's scores to 0, and e to the power of 0 is 1: only minus infinity, `-np.inf`, hides.",
                _attend_with(hide=lambda scores: _hide(scores, hidden=0.0))),
        Mistake("You multiply by the mask after the softmax, so the rows no longer sum to 1: hide the future before it, with `-np.inf`.",
                _attend_with(hide=lambda scores: scores, softmax=lambda scores: _hide(_softmax(scores), hidden=0.0))),
        Mistake("Your softmax runs down the columns; each row must sum to 1, so it goes along `axis=1`.",
                _attend_with(softmax=lambda scores: _softmax(scores, axis=0))),
        Mistake("You divide each column by the sum of a row: `keepdims=True` keeps the sums in a column, one beside each row.",
                _attend_with(softmax=_share_by(lambda powers: powers.sum(axis=1)))),
        Mistake("You divide each column by its own sum; each row must sum to 1: `axis=1` and `keepdims=True`.",
                _attend_with(softmax=_share_by(lambda powers: powers.sum(axis=0)))),
        Mistake("All your weights together sum to 1; each row must, by itself: `axis=1` and `keepdims=True`.",
                _attend_with(softmax=_share_by(lambda powers: powers.sum()))),
        Mistake("All your weights together sum to 1; each row must, by itself: the softmax goes along `axis=1`.",
                _attend_with(softmax=_share_by(lambda powers: powers.sum(), lambda scores: np.exp(scores - scores.max())))),
        Mistake("Your rows are not divided by their sums, so they don't sum to 1.", _attend_with(softmax=_share_by(lambda powers: 1))),
        Mistake("Your rows are not divided by their sums, so they don't sum to 1.",
                _attend_with(softmax=_share_by(lambda powers: 1, np.exp))),
        Mistake(_OVERFLOW, _attend_with(softmax=_share_by(_row_sums, np.exp))),
        Mistake("You take the largest score of all away from every row; where a row lies far below it, nothing is left: "
                "each row has a largest score of its own.",
                _attend_with(softmax=_share_by(_row_sums, lambda scores: np.exp(scores - scores.max())))),
        Mistake("The softmax is missing: the scores themselves are your weights.",
                _attend_with(hide=lambda scores: _hide(scores, hidden=0.0), softmax=lambda scores: scores)),
        Mistake("You divide the scores by their sum; the softmax takes e to the power of each first.",
                _attend_with(hide=lambda scores: _hide(scores, hidden=0.0),
                             softmax=_share_by(_row_sums, lambda scores: scores))),
        Mistake("You take the value of the best key alone; all that can be seen count, each by its weight.",
                _attend_with(softmax=_best_only)),
        Mistake("All that a word sees counts alike in your mean; the weights come from the scores.",
                _attend_with(scores=lambda q, k, v: np.zeros((len(q), len(k))))),
        Mistake("Queries and keys are swapped: the rows of `queries @ keys.T` are the queries.",
                _attend_with(lambda q, k, v: k @ q.T / np.sqrt(q.shape[1]))),
        Mistake("You compare the queries with themselves; compare them with the keys.",
                _attend_with(lambda q, k, v: q @ q.T / np.sqrt(q.shape[1]))),
        Mistake("You compare the keys with themselves; compare the queries with them.",
                _attend_with(lambda q, k, v: k @ k.T / np.sqrt(q.shape[1]))),
        Mistake("You take the mean of the keys: keys say what is found, and the values are what is handed over.",
                _attend_with(take=lambda w, q, k, v: w @ k)),
        Mistake("You take the mean of the queries; the mean of the values is asked for.", _attend_with(take=lambda w, q, k, v: w @ q)),
        Mistake("Your weights lie on their side when they meet the values: `weights @ values`, with one row for each query.",
                _attend_with(take=lambda w, q, k, v: w.T @ v)),
        Mistake("Those are the weights: the mean of the values is still to come, `weights @ values`.",
                _attend_with(take=lambda w, q, k, v: w)),
        Mistake("Those are the scores: mask, softmax and the mean of the values are still to come.", _scores),
        Mistake("The values come back as they were.", lambda q, k, v: v),
    ],
    if_raised={
        ValueError: "`queries @ keys.T` has one row for each query and one column for each key, and `weights @ values` one row for each query.",
        IndexError: "All three are tables with one row for each word: `queries.shape` is (n, d_head).",
        TypeError: "All three are NumPy arrays, and `queries.shape[1]` is d_head, a number.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 3: most_previous
# ---------------------------------------------------------------------------------------------


def _places(first, back, stop=None):
    """What each query gives to the key so many places `back`, for the queries from number `first` on."""

    def chosen(weights):
        n = weights.shape[2]
        queries = np.arange(first, n + min(back, 0))[:stop]  # the last has no key ahead
        return weights[:, :, queries, queries - back]

    return chosen


_PREVIOUS = _places(2, 1)


def _summed(shares):
    """The sum finds the same head as the mean, and is 0 and no warning where there is nothing to sum."""
    return shares.sum(axis=-1)


def _one_head(table):
    layer, head = np.unravel_index(table.argmax(), table.shape)
    return int(layer), int(head)


def _head_with(chosen=_PREVIOUS, summed=_summed, named=_one_head):
    """A `most_previous` in which one of its steps is another one."""
    return lambda weights: named(summed(chosen(weights)))


def _how_often_most(weights):
    """1 for each query from the third on that looks most at the token before it, 0 for the others."""
    return weights.argmax(axis=-1)[:, :, 2:] == np.arange(1, weights.shape[2] - 1)


def _read_head(answer):
    """A layer and a head: two whole numbers, also as an array with nothing else in it."""
    if isinstance(answer, str):
        raise Unreadable("two numbers, layer and head, and this is a text")
    value = floats(answer)
    while isinstance(value, list) and len(value) == 1:
        (value,) = value
    if not isinstance(value, list):
        raise Unreadable(
            "two numbers, layer and head, and this is one: `argmax` counts through all heads of all layers, and "
            "`np.unravel_index(number, table.shape)` makes two of it"
        )
    if len(value) != 2 or any(isinstance(one, list) for one in value):
        raise Unreadable(f"two numbers, layer and head, and this is {size(value)}")
    return [whole(one) for one in value]


def _mixed(n_layers, n_heads, n, *, ahead=False, about=""):
    """A case of weights without any order in them, so that every mistake finds a head of its own."""
    numbers = np.arange(n_layers * n_heads * n * n)
    weights = (numbers * (numbers + 17) * 31 % 1009 + 1.0).reshape(n_layers, n_heads, n, n)
    weights = weights if ahead else np.tril(weights)
    weights /= weights.sum(axis=-1, keepdims=True)
    return Case(
        lambda: (weights.copy(),),
        f"{about} Here are {n_layers} layers with {n_heads} heads, and {n} tokens.".strip(),
        "most_previous(weights)",
    )


_FROM_THIRD = (
    "Count from the third token on: for the second, the token before it is the first token of the text, and a head "
    "that rests on the first would be praised for it."
)

most_previous = Exercise(
    "most_previous",
    notebook="04",
    number=3,
    minutes=15,
    difficulty="harder",
    parameters=("weights",),
    right=_head_with(),
    praise="Right: that is how a head with a job is found, by measuring all of them. What the job is worth to the model is another question.",
    read=_read_head,
    keeps=("weights",),
    cases=[
        _mixed(3, 2, 4),
        _mixed(6, 9, 7, about="Each head has a mean of its own, over the third token to the last."),
        _mixed(9, 5, 4, ahead=True, about="In a model that sees the whole text, such as MiniLM, a head may look ahead; only the token just before counts."),
        _mixed(6, 4, 3, about="With three tokens only the last of them counts."),
    ],
    mistakes=[
        Mistake(_FROM_THIRD, _head_with(_places(1, 1))),
        Mistake("For the first token q - 1 is -1, and that is the last token of the text: begin with the third.", _head_with(_places(0, 1))),
        Mistake("You begin one token too late: the third token has number 2.", _head_with(_places(3, 1))),
        *(Mistake("You take the token that comes next: of query q the token before is key q - 1.", _head_with(_places(first, -1)))
          for first in (0, 1, 2)),
        *(Mistake("You take what each token gives to itself: the token before it is one place to the left of the diagonal.",
                  _head_with(_places(first, 0))) for first in (0, 1, 2)),
        Mistake("You look two tokens back; the token just before is one back.", _head_with(_places(2, 2))),
        *(Mistake("You take the first token of the text; the token just before is asked for.",
                  _head_with(lambda weights, first=first: weights[:, :, first:, 0])) for first in (0, 1, 2)),
        Mistake("You take the largest weight of each head; take the mean over its queries.",
                _head_with(summed=lambda shares: shares.max(axis=-1))),
        Mistake("You take the smallest weight of each head; take the mean over its queries.",
                _head_with(summed=lambda shares: shares.min(axis=-1))),
        Mistake("You look at the last token alone; take the mean over all from the third on.", _head_with(summed=lambda shares: shares[..., -1])),
        Mistake("You look at the third token alone; take the mean over all from the third on.", _head_with(_places(2, 1, 1))),
        Mistake("You stop before the last token; it counts as well.", _head_with(_places(2, 1, -1))),
        Mistake("You count how often the token before gets the most; take the mean of what it gets.", _head_with(_how_often_most)),
        Mistake("You found the head that gives the least; the one that gives the most is asked for.", _head_with(named=lambda table: _one_head(-table))),
        Mistake("Layer and head are swapped: the layer comes first.", _head_with(named=lambda table: _one_head(table)[::-1])),
        Mistake("You count layers and heads from 1; they count from 0.", _head_with(named=lambda table: [one + 1 for one in _one_head(table)])),
        Mistake("Those are the best heads of each layer; one pair is asked for, the layer and the head of the best of all.",
                _head_with(named=lambda table: table.argmax(axis=1))),
        Mistake("Those are the best layers for each head; one pair is asked for, the layer and the head of the best of all.",
                _head_with(named=lambda table: table.argmax(axis=0))),
        Mistake("You take the layer that gives most as a whole, and in it the best head; the best of all heads may stand elsewhere.",
                _head_with(named=lambda table: (table.mean(axis=1).argmax(), table[table.mean(axis=1).argmax()].argmax()))),
    ],
    if_raised={
        IndexError: "The axes are layer, head, query and key: `weights[:, :, 2, 1]` is what each head's third token gives to the second.",
        ValueError: "`weights.shape` has four numbers: layers, heads, and the tokens twice. `np.unravel_index` gives two, if the table is [layer, head].",
        TypeError: "`weights` is a NumPy array with four axes: `weights[layer, head, query, key]` is one number.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 4: look_back
# ---------------------------------------------------------------------------------------------

_SENTENCE = ["The", "cat", "sat", "on", "the", "mat"]
_ENOUGH = 0.9


def _read_queries_and_keys(answer):
    """Two tables of finite numbers, one row for each of the six words, equally wide."""
    tables = items(answer, "two tables")
    if len(tables) != 2:
        raise Unreadable(f"two tables, queries and keys, and this holds {len(tables)}")
    queries, keys = tables = [np.array(read_table(table)) for table in tables]
    for name, table in zip(("queries", "keys"), tables, strict=True):
        if len(table) != len(_SENTENCE):
            raise Unreadable(f"one row for each of the 6 words, and the table of {name} has {len(table)}")
        if not np.isfinite(table).all():
            raise Unreadable(f"finite numbers, and some of the {name} are not")
    if queries.shape[1] != keys.shape[1]:
        raise Unreadable(
            f"queries and keys with equally many numbers, and there are {queries.shape[1]} in a query and "
            f"{keys.shape[1]} in a key"
        )
    return [table.tolist() for table in tables]


@_quiet
def _looks(queries, keys):
    """The attention weights of causal attention, [query, key]; not finite where the scores are too large."""
    return _softmax(_hide(_scores(np.array(queries), np.array(keys), None)))


def _given_back(weights):
    """What each word but the first gives to the word before it."""
    return np.diagonal(weights, offset=-1)


def _judge_look_back(tables):
    queries, keys = tables
    weights = _looks(queries, keys)
    if not np.isfinite(weights).all():
        return "The scores are too large to be computed: smaller numbers will do."
    given = _given_back(weights)
    if (given >= _ENOUGH).all():
        return ""
    if (_given_back(_looks(keys, queries)) >= _ENOUGH).all():
        return "The other way round it is right: swap queries and keys. The row of a query is the word that looks."
    rows = np.arange(1, len(_SENTENCE))
    most = weights[rows].argmax(axis=1)
    at = int(np.argmax(most != rows - 1)) if (most != rows - 1).any() else int(given.argmin())
    query, word, before = at + 1, _SENTENCE[at + 1], _SENTENCE[at]
    share = f"“{word}” gives {given[at]:.2f} of its attention to “{before}”, the word before it, and {_ENOUGH} is asked for"
    seen = weights[query, : query + 1]
    if seen.max() - seen.min() < 1e-6:
        return f"{share}: it gives as much to every word that it sees, since all its scores are the same."
    if most[at] != at:
        other = "itself" if most[at] == query else f"“{_SENTENCE[most[at]]}”"
        return f"{share}. It gives {seen.max():.2f} to {other}: the largest dot product of a query must be with the key before it."
    return f"{share}. It looks there most, but not enough: the scores must lie farther apart, so multiply the queries by more."


def _tell_look_back(tables):
    queries, keys = tables
    width, least = len(queries[0]), _given_back(_looks(queries, keys)).min()
    told = f"The word that looks back least gives {int(1000 * least) / 1000} of its attention to the word before it."
    return (
        f"{told} You took {width} numbers for each query and key; can you do it with two?"
        if width > 2
        else told
    )


look_back = OpenExercise(
    "look_back",
    notebook="04",
    number=4,
    minutes=15,
    difficulty="harder",
    parameters=(),
    right=lambda: (20 * np.eye(6, k=-1), np.eye(6)),
    praise="Right: you have built a head with a job.",
    judge=_judge_look_back,
    tell=_tell_look_back,
    read=_read_queries_and_keys,
    if_raised={ValueError: "Two tables are all it takes: `return queries, keys`."},
)
