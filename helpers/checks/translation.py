"""The exercises of notebook 09: alignments scored, attention across two languages, a gap filled, one step of beam search."""

import math
from collections.abc import Mapping
from operator import itemgetter

import numpy as np

from helpers.checks.checking import (
    Case,
    Exercise,
    Mistake,
    Unreadable,
    article,
    cases,
    floats,
    items,
    read_number,
    read_text,
    show,
    size,
)

SLACK = 1e-3  # half-precision numbers have three digits, and every mistake below is larger

# Learners take e to the power of 1,000 and the logarithm of 0; our own versions of their mistakes do it in silence.
_quiet = np.errstate(all="ignore")


def _rows(*rows):
    return np.array(rows, dtype=np.float64)


# ---------------------------------------------------------------------------------------------
# Exercise 1: alignment_score
# ---------------------------------------------------------------------------------------------


def _found(weights, alignment):
    """For each Hindi word, the English position with the largest weight."""
    return weights[: len(alignment)].argmax(axis=1)


def _alignment_score(weights, alignment):
    return float(np.mean(_found(weights, alignment) == np.array(alignment)))


def _shared(found, alignment):
    """The share of places where two rows agree, and as many as the shorter has are compared."""
    agree = [one == other for one, other in zip(found, alignment, strict=False)]
    return sum(agree) / len(agree)


_YOU = (_rows([0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.2, 0.1, 0.7]), (2, 0, 1))
_CAT = (
    _rows(
        [0.1, 0.6, 0.1, 0.1, 0.1],
        [0.1, 0.1, 0.1, 0.2, 0.5],
        [0.1, 0.1, 0.7, 0, 0.1],
        [0.2, 0.1, 0.6, 0.1, 0],
        [0.1, 0.4, 0.3, 0.2, 0],
        [0.3, 0, 0.2, 0.1, 0.4],
    ),
    (1, 4, 2, 2, 2),
)
_PAST_A_HALF = (_rows([0.2, 0.3, 0.1, 0.4], [0.45, 0.3, 0.2, 0.05], [0.1, 0.2, 0.4, 0.3]), (1, 0))
_ALL_RIGHT = (_rows([0.1, 0.3, 0.6], [0.2, 0.7, 0.1], [0.9, 0.1, 0]), (2, 1))
_END_FITS = (_rows([0.2, 0.8], [0.6, 0.4], [0.1, 0.9]), (0, 0))
_NONE = "No word is found here: the largest weight stands in the wrong place each time, so the share is 0."

alignment_score = Exercise(
    "alignment_score",
    notebook="09",
    number=1,
    minutes=5,
    difficulty="easy",
    parameters=("weights", "alignment"),
    right=_alignment_score,
    praise="Right: one place for each Hindi word, compared with the true one. A half can be little or much: compare it with chance.",
    read=read_number,
    slack=SLACK,
    keeps=("weights",),
    cases=cases(
        _YOU,
        _CAT,
        _ALL_RIGHT,
        _PAST_A_HALF,
        _END_FITS,
        (_rows([0.7, 0.3, 0], [0.2, 0.3, 0.5], [0, 1, 0]), (1, 0), None, _NONE),
        (_rows([0.1, 0.8, 0.1], [0.3, 0.3, 0.4]), (1,), None, "A translation may have one word only; then the share is 0 or 1."),
    ),
    mistakes=[
        Mistake("You look down the columns, which finds a Hindi word for each English one. A row belongs to a Hindi word: `argmax(axis=1)`.",
                lambda weights, alignment: _shared(weights[: len(alignment)].argmax(axis=0), alignment)),
        Mistake("You look down the columns, and through the row of `<end>` as well. A row belongs to a Hindi word: `argmax(axis=1)`.",
                lambda weights, alignment: _shared(weights.argmax(axis=0), alignment)),
        *(Mistake("You look down the columns, which finds a Hindi word for each English one, and they are not as many: `argmax(axis=1)`.", answer)
          for answer in (lambda weights, alignment: np.mean(weights.argmax(axis=0) == np.array(alignment)),
                         lambda weights, alignment: np.mean(weights[: len(alignment)].argmax(axis=0) == np.array(alignment)))),
        Mistake("`argmax()` with no axis finds one place in the whole table; each row has a largest weight of its own: `axis=1`.",
                lambda weights, alignment: np.mean(np.array(alignment) == weights[: len(alignment)].argmax())),
        Mistake("You count the row of `<end>` among the words: divide by how many Hindi words there are, `len(alignment)`.",
                lambda weights, alignment: _alignment_score(weights, alignment) * len(alignment) / len(weights)),
        Mistake("You divide by how many English words there are; the share is one of the Hindi words, `len(alignment)`.",
                lambda weights, alignment: _alignment_score(weights, alignment) * len(alignment) / weights.shape[1]),
        Mistake("That is how many were found; the share of all Hindi words is asked for.",
                lambda weights, alignment: _alignment_score(weights, alignment) * len(alignment)),
        Mistake("That is the share of the wrong ones.", lambda weights, alignment: 1 - _alignment_score(weights, alignment)),
        Mistake("That is in percent; a share is between 0 and 1.", lambda weights, alignment: 100 * _alignment_score(weights, alignment)),
        Mistake("That is the weight which the true places get, on average. Count instead for how many words the largest weight is there.",
                lambda weights, alignment: weights[range(len(alignment)), alignment].mean()),
        Mistake("That is the mean of the largest weights: how sure the model looks, be it right or wrong.",
                lambda weights, alignment: weights[: len(alignment)].max(axis=1).mean()),
        Mistake("You look for the smallest weight: `argmax`, not `argmin`.",
                lambda weights, alignment: np.mean(weights[: len(alignment)].argmin(axis=1) == np.array(alignment))),
        Mistake("You leave out the wrong row: the first belongs to the first Hindi word, and the last to `<end>`.",
                lambda weights, alignment: np.mean(weights[1:].argmax(axis=1) == np.array(alignment))),
        Mistake("You take a place as found once its weight is above a half; the largest of the row may be smaller than that.",
                lambda weights, alignment: (weights[range(len(alignment)), alignment] > 0.5).mean()),
        Mistake("You compare only whether each English word is found somewhere, whatever the Hindi word: compare place by place.",
                lambda weights, alignment: np.isin(_found(weights, alignment), alignment).mean()),
        Mistake("You ask whether all words are right; the share of them is asked for.",
                lambda weights, alignment: float(_alignment_score(weights, alignment) == 1)),
        Mistake("You give a number for each Hindi word. One is asked for: the share of the words whose place agrees with `alignment`.", _found),
    ],
    if_raised={
        ValueError: "The table has one row more than `alignment` has places, that of `<end>`: `weights[:len(alignment)]` leaves it out.",
        IndexError: "The last row of `weights` is that of `<end>`, which has no true place: `weights[:len(alignment)]` leaves it out.",
        TypeError: "`weights` is a NumPy array, `alignment` a tuple of positions: `weights.argmax(axis=1)` finds the largest of each row.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 2: cross_attend
# ---------------------------------------------------------------------------------------------


def _dots(queries, keys):
    return queries @ keys.T


def _scores(queries, keys):
    return _dots(queries, keys) / np.sqrt(queries.shape[1])


def _share_by(total, powers=lambda scores: np.exp(scores - scores.max(axis=1, keepdims=True))):
    """A softmax that divides by something else than the sum of each row."""
    return lambda scores: powers(scores) / total(powers(scores))


def _row_sums(powers):
    return powers.sum(axis=1, keepdims=True)


_softmax = _share_by(_row_sums)


def _columns(scores):
    return _softmax(scores.T).T


def _causal(scores):
    return np.where(np.tri(*scores.shape, dtype=bool), scores, -np.inf)


def _cross_with(scores=_scores, softmax=_softmax, take=lambda weights, _q, _k, values: weights @ values):
    """A `cross_attend` in which one of its steps is another one."""

    def cross(queries, keys, values):
        weights = softmax(scores(queries, keys))
        return take(weights, queries, keys, values), weights

    return _quiet(cross)


_cross = _cross_with()


def _read_cross(answer):
    """What was found and the weights, as two tables with their names; raises Unreadable for anything else."""
    value = floats(answer)
    if size(value).startswith("a table of"):
        raise Unreadable(f"two tables, `found, weights`, and this is {size(value)}")
    if not isinstance(value, list) or len(value) != 2:
        kind = f"this holds {len(value)}" if isinstance(value, list) else f"this is {size(value)}"
        raise Unreadable(f"two tables, `found, weights`, and {kind}")
    for table in value:
        if not size(table).startswith("a table of"):
            raise Unreadable(f"two tables, `found, weights`, and one of them is {size(table)}")
    return dict(zip(("found", "weights"), value, strict=True))


def _whole(queries, keys, values, about=""):
    """A case of whole numbers. They are floats, and shown without their points."""
    call = ", ".join(f"np.array({one})" for one in (queries, keys, values))
    return Case(lambda: (_rows(*queries), _rows(*keys), _rows(*values)), about, f"cross_attend({call})")


_MORE = (
    _rows([0.5, -1, 2], [1.5, 0, -2], [-1, 1, 1], [2, 0.5, 0], [-0.5, -2, 1.5]),
    _rows([1, -0.5, 0], [0, 2, 1], [-1.5, 1, 0.5], [2, 1, -1]),
    _rows([3, -4], [5, 2], [-2, 1], [0, 6]),
)
# The first number of the queries makes all scores of a row large alike, above 0 or below; the others tell them apart.
_LARGE = (
    _rows([2_000, 0, 1, 0], [-2_000, 2, 0, 0], [3_000, 0, 0, 2]),
    _rows([1, 1, 0, 1], [1, -1, 0, 0]),
    _rows([10, 1, 0], [20, 5, 2]),
)
_OVERFLOW = (
    "Some scores are 1,000 or more, others -1,000 or less, and no computer holds e to the power of 1,000: take the "
    "largest score of each row away from that row first, the shares stay the same."
)

cross_attend = Exercise(
    "cross_attend",
    notebook="09",
    number=2,
    minutes=10,
    difficulty="medium",
    parameters=("queries", "keys", "values"),
    right=lambda *tables: tuple(one.tolist() for one in _cross(*tables)),
    praise="Right: the same attention as ever, with questions from one text and answers from the other, and nothing to hide.",
    read=_read_cross,
    slack=SLACK,
    keeps=("queries", "keys", "values"),
    cases=[
        _whole([[1, 0], [0, 2]], [[1, 1], [0, 1], [2, 0]], [[10], [20], [40]]),
        # As many words on both sides, and as many numbers in a value as in a key: exchanged tables raise no error here.
        _whole([[1, 0, 2], [0, 3, 1], [2, -1, 0]], [[1, 2, 0], [0, 1, -1], [3, 0, 1]], [[4, 0, 1], [-2, 6, 3], [1, 8, -5]]),
        _whole([[3, -1]], [[2, 5], [1, 1]], [[7, 8, 9], [1, 2, 3]], "The first Hindi word sees the whole English sentence as well."),
        _whole([[3, -1], [0, 2]], [[2, 5]], [[7, 8, 9]], "An English sentence of one word gets all the attention."),
        *cases(_MORE),
        Case(lambda: tuple(one.copy() for one in _LARGE), _OVERFLOW, "cross_attend(1_000 * queries, keys, values)"),
    ],
    mistakes=[
        Mistake("A causal mask hides a part of the English sentence: it is all there before the first Hindi word is written, so leave the mask out.",
                _cross_with(softmax=lambda scores: _softmax(_causal(scores)))),
        Mistake("The scores are not divided: divide them by the root of d, `np.sqrt(queries.shape[1])`.", _cross_with(_dots)),
        Mistake("You divide the scores by d; divide by its root, `np.sqrt(...)`.", _cross_with(lambda q, k: q @ k.T / q.shape[1])),
        Mistake("You multiply by the root; divide by it.", _cross_with(lambda q, k: q @ k.T * np.sqrt(q.shape[1]))),
        Mistake("You take the root of how many Hindi words there are; d is how many numbers a query has, `queries.shape[1]`.",
                _cross_with(lambda q, k: q @ k.T / np.sqrt(len(q)))),
        Mistake("You take the root of how many English words there are; d is how many numbers a query has, `queries.shape[1]`.",
                _cross_with(lambda q, k: q @ k.T / np.sqrt(len(k)))),
        Mistake("You divide by the root after the softmax; it belongs before it, to the scores.",
                _cross_with(_dots, lambda scores: _softmax(scores), take=lambda w, q, k, v: w / np.sqrt(q.shape[1]) @ v)),
        Mistake("Your softmax runs down the columns; each row, a Hindi word, must sum to 1: `axis=1`.", _cross_with(softmax=_columns)),
        Mistake("You divide each column by its own sum; each row must sum to 1: `axis=1` and `keepdims=True`.",
                _cross_with(softmax=_share_by(lambda powers: powers.sum(axis=0)))),
        Mistake("All your weights together sum to 1; each row must, by itself: `axis=1` and `keepdims=True`.",
                _cross_with(softmax=_share_by(lambda powers: powers.sum()))),
        Mistake("All your weights together sum to 1; each row must, by itself: the softmax goes along `axis=1`.",
                _cross_with(softmax=_share_by(lambda powers: powers.sum(), lambda scores: np.exp(scores - scores.max())))),
        Mistake("Your rows are not divided by their sums, so they don't sum to 1.", _cross_with(softmax=_share_by(lambda powers: 1))),
        Mistake("Your rows are not divided by their sums, so they don't sum to 1.", _cross_with(softmax=_share_by(lambda powers: 1, np.exp))),
        Mistake(_OVERFLOW, _cross_with(softmax=_share_by(_row_sums, np.exp))),
        Mistake("You take the largest score of all away from every row; where a row lies far below it, nothing is left: "
                "each row has a largest score of its own.",
                _cross_with(softmax=_share_by(_row_sums, lambda scores: np.exp(scores - scores.max())))),
        Mistake("The softmax is missing: the scores themselves are your weights.", _cross_with(softmax=lambda scores: scores)),
        Mistake("You divide the scores by their sum; the softmax takes e to the power of each first.",
                _cross_with(softmax=_share_by(_row_sums, lambda scores: scores))),
        Mistake("You look at the best English word alone; all of them count, each by its weight.",
                _cross_with(softmax=lambda scores: np.eye(scores.shape[1])[scores.argmax(axis=1)])),
        Mistake("All English words count alike in your mean; the weights come from the scores.",
                _cross_with(scores=lambda q, k: np.zeros((len(q), len(k))))),
        Mistake("Keys and values have changed places: queries are compared with the keys, and the mean is one of the values.",
                _quiet(lambda q, k, v: _cross(q, v, k))),
        Mistake("You take the mean of the keys: keys say what is found, and the values are what is handed over.",
                _cross_with(take=lambda w, q, k, v: w @ k)),
        Mistake("Queries and keys are swapped: the rows of `queries @ keys.T` are the queries, one for each Hindi word.",
                _quiet(lambda q, k, v: _cross(k, q, v))),
        Mistake("You compare the queries with themselves; that is attention within the Hindi. Compare them with the keys.",
                _cross_with(lambda q, k: q @ q.T / np.sqrt(q.shape[1]))),
        Mistake("You compare the keys with themselves; that is attention within the English. Compare the queries with them.",
                _cross_with(lambda q, k: k @ k.T / np.sqrt(q.shape[1]))),
        Mistake("Your two tables have changed places: first what was found, then the weights.", _quiet(lambda *tables: _cross(*tables)[::-1])),
        Mistake("The weights are right, but you don't return them: end with `return found, weights`.", _quiet(lambda *tables: _cross(*tables)[0])),
        Mistake("Only the weights come back: the mean of the values is missing. End with `return found, weights`.",
                _quiet(lambda *tables: _cross(*tables)[1])),
        Mistake("The second table holds the scores; the weights are what the softmax makes of them.",
                _quiet(lambda *tables: (_cross(*tables)[0], _scores(*tables[:2])))),
        Mistake("Your weights lie on their side: one row for each Hindi word, and one column for each English one.",
                _quiet(lambda *tables: (_cross(*tables)[0], _cross(*tables)[1].T))),
    ],
    if_raised={
        ValueError: "`queries @ keys.T` has a row for each Hindi word and a column for each English one, and `weights @ values` a row for each Hindi word.",
        IndexError: "The two sentences may have different lengths: `queries` has a row for each Hindi word, `keys` and `values` for each English one.",
        TypeError: "All three are NumPy arrays, and `queries.shape[1]` is d, a number.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 3: fill_gap
# ---------------------------------------------------------------------------------------------


def _follows(odds, word, after):
    return odds.get(word, {}).get(after, 0)


def _normalised(fits):
    total = sum(fits.values())
    return {word: fit / total for word, fit in fits.items()}


def _fill_with(fit=lambda left, right, against: left * right, share=_normalised):
    """A `fill_gap` that makes something else of the odds on the left, on the right, and of those against the direction."""

    def fill(before, after, odds):
        return share(
            {
                word: fit(left, _follows(odds, word, after), _follows(odds, after, word))
                for word, left in odds[before].items()
            }
        )

    return fill


_fill_gap = _fill_with()


def _as_they_are(fits):
    return fits


def _read_die(answer):
    """Odds of words; odds of 0 are the same as none."""
    if not isinstance(answer, Mapping):
        raise Unreadable(f"a dict from words to odds, and this is {article(answer)}")
    try:
        return {str(word): float(share) for word, share in answer.items() if share}
    except (TypeError, ValueError):
        raise Unreadable(f"a dict from words to numbers, and this is `{show(answer)}`") from None


_DOGS = {
    "the": {"cat": 0.5, "dog": 0.25, "tree": 0.25},
    "cat": {"barks": 0.1, "sleeps": 0.9},
    "dog": {"barks": 0.6, "sleeps": 0.4},
    "barks": {"at": 1.0},
    "sleeps": {"on": 1.0},
}
_CIRCLE = {
    "a": {"a": 0.1, "b": 0.4, "c": 0.5},
    "b": {"a": 0.3, "b": 0.2, "c": 0.5},
    "c": {"a": 0.6, "b": 0.3, "c": 0.1},
}
_DEAD_END = "A word may have no entry in `odds`, where nothing follows it: then it can't stand in the gap, and its share is 0."
_ONE_WORD = "Where one word alone fits, it has all the odds: 1."

fill_gap = Exercise(
    "fill_gap",
    notebook="09",
    number=3,
    minutes=10,
    difficulty="medium",
    parameters=("before", "after", "odds"),
    right=_fill_gap,
    praise="Right: how likely the word comes, times how likely it is followed by what stands there. That is Bayes' rule at work.",
    read=_read_die,
    keeps=("odds",),
    cases=cases(
        ("a", "b", _CIRCLE),
        ("a", "c", _CIRCLE),
        ("c", "a", _CIRCLE),
        ("b", "b", _CIRCLE),
        ("the", "barks", _DOGS, None, _DEAD_END),
        ("the", "sleeps", _DOGS, None, _DEAD_END),
        ("a", "end", {"a": {"b": 0.5, "c": 0.5}, "b": {"end": 0.25, "a": 0.75}, "c": {"a": 1.0}, "end": {"a": 1.0}}, None, _ONE_WORD),
    ),
    mistakes=[
        Mistake("The right side is forgotten: those are the odds of the next word, whatever comes behind the gap.",
                _fill_with(lambda left, right, against: left)),
        Mistake("The left side is forgotten: some words lead to `after` easily, but seldom come behind `before`. Multiply by `odds[before][word]`.",
                _fill_with(lambda left, right, against: right)),
        Mistake("They don't add up to 1: divide each product by the sum of all.", _fill_with(share=_as_they_are)),
        Mistake("You add the two sides, so that a word which only fits on one side keeps some odds. Multiply them: it must fit on both.",
                _fill_with(lambda left, right, against: left + right)),
        Mistake("You add the two sides; multiply them, and divide by the sum of all products.",
                _fill_with(lambda left, right, against: left + right, _as_they_are)),
        Mistake("You take the mean of the two sides; multiply them, and divide by the sum of all products.",
                _fill_with(lambda left, right, against: (left + right) / 2, _as_they_are)),
        Mistake("You use `after` as if it came before the gap, `odds[after][word]`; the word leads to it: `odds[word][after]`.",
                _fill_with(lambda left, right, against: left * against)),
        Mistake("You read backwards: `before` leads to the word, `odds[before][word]`, and the word to `after`.",
                lambda before, after, odds: _normalised({word: share * _follows(odds, word, before) for word, share in odds.get(after, {}).items()})),
        Mistake("You divide by the odds on the right; multiply by them.",
                _fill_with(lambda left, right, against: left / right if right else 0)),
        Mistake("You ask whether `after` can follow the word at all; how often it does counts as well: multiply by `odds[word][after]`.",
                _fill_with(lambda left, right, against: left * (right > 0))),
        Mistake("All words that fit get the same odds; how well each fits is the product of its odds on both sides.",
                _fill_with(lambda left, right, against: float(left * right > 0))),
        Mistake("The best word alone gets all the odds; the others that fit keep their shares.",
                _fill_with(share=lambda fits: {max(fits, key=fits.get): 1.0})),
        Mistake("You divide by the largest product; divide by the sum of all.",
                _fill_with(share=lambda fits: {word: fit / max(fits.values()) for word, fit in fits.items()})),
        Mistake("You divide by how many words there are; divide by the sum of all products.",
                _fill_with(share=lambda fits: {word: fit / len(fits) for word, fit in fits.items()})),
        Mistake("You take e to the power of the products; they are no logits: divide them by their sum as they are.",
                _fill_with(share=lambda fits: _normalised({word: math.exp(fit) for word, fit in fits.items()}))),
        Mistake("Of the two odds you take the smaller; multiply them.", _fill_with(lambda left, right, against: min(left, right))),
    ],
    if_raised={
        KeyError: "Not every word has an entry, and not every entry has `after`: `odds.get(word, {})` and `.get(after, 0)` give nothing in place of an error.",
        ZeroDivisionError: "Some word fits here: the sum of the products `odds[before][word] * odds[word][after]` is above 0.",
        TypeError: "`odds` is a dict of dicts: `odds[before].items()` are the words that may follow `before`, with their odds.",
        AttributeError: "`odds` is a dict of dicts: `odds[before].items()` are the words that may follow `before`, with their odds.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 4: beam_step
# ---------------------------------------------------------------------------------------------

END = "<end>"
ELSE = {
    "x": 0.875,
    END: 0.125,
}  # what comes after `<end>`, or after words without an entry: nobody should ask


class NextOdds:
    """The odds of the next word after some words, as a function; made of words that are parted by spaces.

    >>> NextOdds({"a": {"b": 0.25, "<end>": 0.75}})(("a",))
    {'b': 0.25, '<end>': 0.75}
    """

    def __init__(self, table: dict[str, dict[str, float]]):
        self.table = {tuple(words.split()): odds for words, odds in table.items()}

    def __call__(self, words):
        if not isinstance(words, tuple | list):
            raise TypeError(f"next_odds takes all words so far, a tuple, and got {words!r}")
        return dict(self.table.get(tuple(words), ELSE))

    def __repr__(self) -> str:
        return "next_odds"


def _ended(words):
    return words[-1:] == (END,)


def _longer(
    words,
    score,
    next_odds,
    add=lambda score, share: score + math.log(share),
    put=lambda words, word: (*words, word),
):
    """A beam with each word that may follow."""
    return [(put(words, word), add(score, share)) for word, share in next_odds(words).items() if share > 0]


def _best(found, k):
    return sorted(found, key=itemgetter(1), reverse=True)[:k]


def _one_list(lists):
    return [beam for found in lists for beam in found]


def _extended(beams, next_odds, k, ended=lambda beam: [beam], **changes):
    """For each beam a list of what becomes of it."""
    return [
        ended(beam) if beam[0][-1:] == (END,) else _longer(*beam, next_odds, **changes) for beam in beams
    ]  # fmt: skip


def _step_with(choose=_best, **changes):
    """A `beam_step` that goes wrong in extending or in choosing."""
    return lambda beams, next_odds, k: choose(_one_list(_extended(beams, next_odds, k, **changes)), k)


_beam_step = _step_with()


def _each(take):
    """A `beam_step` that chooses for each beam by itself."""
    return lambda beams, next_odds, k: _best(
        _one_list(take(found, k) for found in _extended(beams, next_odds, k)), len(beams) * k
    )


def _extend_all(beams, next_odds, k):
    return _best([new for beam in beams for new in _longer(*beam, next_odds)], k)


def _end_again(beam):
    return [((*beam[0], END), beam[1])]


def _ended_extra(beams, next_odds, k):
    done = [beam for beam in beams if _ended(beam[0])]
    return done + _step_with(ended=lambda beam: [])(beams, next_odds, k)


def _ended_first(beams, next_odds, k):
    return _ended_extra(beams, next_odds, k)[:k]


def _in_order(found, k):
    kept = _best(found, k)
    return [beam for beam in found if beam in kept]


def _read_beams(answer):
    """Beams by their places; one that can't be, with a log-probability of minus infinity, is the same as none."""
    beams = {}
    for beam in items(answer, "beams"):
        if isinstance(beam, str | Mapping) or not hasattr(beam, "__len__") or len(beam) != 2:
            raise Unreadable(
                f"a list of beams, each a pair of words and a log-probability, and `{show(beam)}` is none"
            )
        words, score = beam
        if isinstance(words, str) or not isinstance(words, tuple | list):
            raise Unreadable(
                f"beams that begin with a tuple of words, and `{show(words)}` is {article(words)}"
            )
        # Most are Python's own texts and floats, which need no reading.
        score = score if type(score) is float else read_number(score)
        if score > -math.inf:
            words = [word if type(word) is str else read_text(word) for word in words]
            beams[f"beam {len(beams)}"] = [words, score]
    return beams


_PETS = {
    "a": {"cat": 0.5, "dog": 0.3, END: 0.2},
    "the": {"cat": 0.9, "dog": 0.1},
    "one": {END: 0.7, "dog": 0.3},
}


def _step(beams, k, about="", table=_PETS):
    """A case: beams as texts with their log-probabilities, how many to keep, and what it is about."""
    given = [(tuple(words.split()), score) for words, score in beams]
    return Case(lambda: (list(given), NextOdds(table), k), about, f"beam_step({show(given)}, next_odds, {k})")


_STAYS = "A beam that ends with `<end>` is done: it stays as it is, with its log-probability, and competes with the others."
_FEW = "There may be fewer than `k` beams in all: then give all of them, best first."

beam_step = Exercise(
    "beam_step",
    notebook="09",
    number=4,
    minutes=15,
    difficulty="harder",
    parameters=("beams", "next_odds", "k"),
    right=_beam_step,
    praise="Right: all beams grow, and the best of all go on. With k = 1 this is greedy decoding; from step to step it is beam search.",
    read=_read_beams,
    slack=1e-4,
    keeps=("beams",),
    cases=[
        _step([("a", -0.5), ("the", -0.75)], 2),
        _step([("a", -0.5), ("the", -2.0)], 2, "The best beams may all come from the same one."),
        _step([("the", -1.0), ("a", -0.25)], 3),
        _step([("", 0.0)], 2, "At the start there is one beam, with no words: `()`, and its log-probability is 0.",
              {"": {"b": 0.3, "a": 0.6, "c": 0.1}}),
        _step([("stop it now <end>", -1.5), ("a", -0.5)], 2, _STAYS),
        _step([("go <end>", -4.0), ("a", -0.5), ("the", -0.75)], 3, _STAYS),
        _step([("go <end>", -0.5), ("stop it <end>", -0.25)], 2, _STAYS),
        _step([("one", -0.5), ("a", -1.0)], 1, "With k = 1 only the best beam of all is left."),
        _step([("the", -0.5)], 5, _FEW),
        _step([("go", -0.5), ("a", -3.0)], 9, "A word with odds 0 can't come, and 0 has no logarithm: leave it out. " + _FEW,
              {"go": {"on": 0.0, "up": 1.0}, **_PETS}),
    ],
    mistakes=[
        Mistake("You multiply the log-probability by the probability; take the logarithm of the new word's odds, and add it.",
                _step_with(add=lambda score, share: score * share)),
        Mistake("You multiply the logs; where probabilities are multiplied, their logarithms are added.",
                _step_with(add=lambda score, share: score * math.log(share))),
        Mistake("You add the probability to a log-probability: add its logarithm.", _step_with(add=lambda score, share: score + share)),
        Mistake("You take the logarithm away; add it. It is below 0, since a longer sentence is never likelier.",
                _step_with(add=lambda score, share: score - math.log(share))),
        Mistake("Your score is that of the new word alone: add it to what the beam has so far.", _step_with(add=lambda score, share: math.log(share))),
        Mistake("The new word adds nothing to your score: add the logarithm of its odds.", _step_with(add=lambda score, share: score)),
        Mistake("Your logarithm is to the base 2; the others here are natural ones: `np.log`.",
                _step_with(add=lambda score, share: score + math.log2(share))),
        Mistake("Your logarithm is to the base 10; the others here are natural ones: `np.log`.",
                _step_with(add=lambda score, share: score + math.log10(share))),
        Mistake("Your scores are probabilities; keep log-probabilities, as in the beams that you get.",
                lambda *given: [(words, math.exp(score)) for words, score in _beam_step(*given)]),
        Mistake("You keep the best of each beam; the best `k` of all are asked for, and they may all come from one beam.",
                lambda beams, next_odds, k: _each(lambda found, k: _best(found, 1))(beams, next_odds, k)[:k]),
        Mistake("You keep the best of each beam, however large `k` is; put all continued beams into one list, and choose from that.",
                _each(lambda found, k: _best(found, 1))),
        Mistake("You keep `k` of each beam, so there are too many: put all into one list first, and choose `k` from that.", _each(_best)),
        Mistake("You go on with the best beam alone; the others may have the better continuation.",
                lambda beams, next_odds, k: _beam_step(_best(beams, 1), next_odds, k)),
        Mistake("You ask `next_odds` what follows `<end>`, and go on. " + _STAYS, _extend_all),
        Mistake("You put a second `<end>` behind the first. " + _STAYS, _step_with(ended=_end_again)),
        Mistake("The beams that have ended are lost. " + _STAYS, _step_with(ended=lambda beam: [])),
        Mistake("The ended beams come on top of your `k`. " + _STAYS, _ended_extra),
        Mistake("The ended beams are always kept, and first. " + _STAYS, _ended_first),
        Mistake("The right beams are there, but not best first.", _step_with(_in_order)),
        Mistake("You give the best last; the best belongs in front: `reverse=True`.", _step_with(lambda found, k: _best(found, k)[::-1])),
        Mistake("You keep the worst. A log-probability is below 0, and the best is the largest: `reverse=True`.",
                _step_with(lambda found, k: sorted(found, key=itemgetter(1))[:k])),
        Mistake("You sort by the words; sort by the log-probability: `key=lambda beam: beam[1]`.",
                _step_with(lambda found, k: sorted(found, reverse=True)[:k])),
        Mistake("You sort by the words, in the order of the alphabet; sort by the log-probability, largest first: `key=lambda beam: beam[1]`.",
                _step_with(lambda found, k: sorted(found)[:k])),
        Mistake("Nothing is sorted: you keep the first `k` that come.", _step_with(lambda found, k: found[:k])),
        Mistake("You keep all of them; only the best `k` go on.", _step_with(lambda found, k: _best(found, len(found)))),
        Mistake("You keep the best one alone; `k` of them go on.", _step_with(lambda found, k: _best(found, 1))),
        Mistake("You keep one too many: `[:k]` takes the first `k`.", _step_with(lambda found, k: _best(found, k + 1))),
        Mistake("You keep one too few: `[:k]` takes the first `k`.", _step_with(lambda found, k: _best(found, k - 1))),
        Mistake("The words have not grown: put the new one behind them, `(*words, word)`.", _step_with(put=lambda words, word: words)),
        Mistake("Only the new word is left: put it behind the words so far, `(*words, word)`.", _step_with(put=lambda words, word: (word,))),
        Mistake("You put the new word in front; it comes last.", _step_with(put=lambda words, word: (word, *words))),
        Mistake("You divide each score by its number of words. Some do that, so as not to prefer short sentences; here it is the sum itself.",
                lambda beams, next_odds, k: _best([(words, score / max(len(words), 1)) for words, score in _beam_step(beams, next_odds, 10**6)], k)),
        Mistake("You choose by the score divided by the number of words. Some do that, so as not to prefer short sentences; here it is the sum itself.",
                lambda beams, next_odds, k: sorted(_beam_step(beams, next_odds, 10**6), key=lambda beam: beam[1] / max(len(beam[0]), 1), reverse=True)[:k]),
        Mistake("You choose by the odds of the new word alone; the sum decides, with all that came before.",
                lambda beams, next_odds, k: [new for _, new in sorted(
                    ((new[1] - (0 if _ended(beam[0]) else beam[1]), new)
                     for beam, found in zip(beams, _extended(beams, next_odds, k), strict=True) for new in found),
                    reverse=True)][:k]),
    ],
    if_raised={
        TypeError: "`next_odds(words)` gives a dict from words to odds, and `words` is the whole tuple of a beam; `(*words, word)` is that tuple with one more word.",
        ValueError: "A word with odds 0 can't come, and 0 has no logarithm: leave it out. Each beam is a pair of words and a log-probability.",
        IndexError: "A beam may have no words yet: `words[-1:]` is then empty, where `words[-1]` is an error.",
    },
)  # fmt: skip
