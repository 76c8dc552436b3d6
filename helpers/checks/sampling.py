"""The exercises of notebook 07: heat, a cut, a text that stops at a sentence, and a temperature that is searched for."""

from itertools import cycle, islice

import numpy as np

from helpers.checks.checking import Case, Exercise, Mistake, cases, read_number, read_row, read_text

SLACK = 1e-3  # half-precision numbers have three digits, and every mistake below is larger

# Learners divide by 0 and take e to the power of 1,000 as well; our own versions of their mistakes do it in silence.
_quiet = np.errstate(all="ignore")


def _row(*numbers):
    return np.array(numbers, dtype=np.float64)


# ---------------------------------------------------------------------------------------------
# Exercise 1: temperature_softmax
# ---------------------------------------------------------------------------------------------


def _shares(weights):
    return weights / weights.sum()


def _softmax(logits):
    return _shares(np.exp(logits - logits.max()))


_HUGE = (
    "e to the power of 1,000 is more than a float can hold. Only differences count: take the largest logit away from all "
    "first, so that the largest power is e to the power of 0."
)

temperature_softmax = Exercise(
    "temperature_softmax",
    notebook="07",
    number=1,
    minutes=5,
    difficulty="easy",
    parameters=("logits", "temperature"),
    right=lambda logits, temperature: _softmax(logits / temperature).tolist(),
    praise="Right: one division, and the same scores become a sure model or a dreaming one. Their order never changes.",
    read=read_row,
    slack=SLACK,
    keeps=("logits",),
    cases=cases(
        (_row(1, 2, 3), 1.0),
        (_row(1, 2, 3), 2.0),
        (_row(3, 1), 0.5),
        (_row(-3, -1, -2.5, -1), 0.75),
        (_row(4), 3.0, None, "A token that is alone gets all, at any temperature."),
        (_row(1000, 1001), 1.0, None, _HUGE),
        (_row(1, 9, 8), 0.001, None, _HUGE),
        (_row(-1000, -1001, -1002), 0.5, None, "These powers are all 0 in a float. " + _HUGE),
    ),
    mistakes=[
        Mistake("You multiply by the temperature; divide by it: 2 makes the differences half as large.",
                _quiet(lambda logits, temperature: _softmax(logits * temperature))),
        Mistake("The temperature changes nothing in your answer: the logits must be divided by it, before `np.exp`.", lambda logits, temperature: _softmax(logits)),
        Mistake("You divide the odds by the temperature; divide the logits by it, before the powers.",
                lambda logits, temperature: _softmax(logits) / temperature),
        Mistake("You take the odds to the power of the temperature; the logits are divided by it.",
                _quiet(lambda logits, temperature: _softmax(logits) ** temperature)),
        Mistake("The odds of all tokens must add up to 1: divide the powers by their sum.",
                _quiet(lambda logits, temperature: np.exp((logits - logits.max()) / temperature))),
        Mistake("The odds of all tokens must add up to 1: divide the powers by their sum.",
                _quiet(lambda logits, temperature: np.exp(logits / temperature))),
        Mistake(_HUGE, _quiet(lambda logits, temperature: _shares(np.exp(logits / temperature)))),
        Mistake("You take the largest logit away behind the division, as it was before it: take it away first.",
                _quiet(lambda logits, temperature: _shares(np.exp(logits / temperature - logits.max())))),
        Mistake("The powers are missing: shares of the logits themselves can be negative. `np.exp` makes all of them positive.",
                _quiet(lambda logits, temperature: _shares(logits / temperature))),
        Mistake("The powers are missing: shares of the logits themselves can be negative. `np.exp` makes all of them positive.",
                _quiet(lambda logits, temperature: _shares((logits - logits.max()) / temperature))),
        Mistake("You divide by the mean of the powers; divide by their sum.",
                _quiet(lambda logits, temperature: _softmax(logits / temperature) * len(logits))),
        Mistake("A minus sign too many: the token with the largest logit has become the least likely.",
                _quiet(lambda logits, temperature: _softmax(-logits / temperature))),
        Mistake("You take powers of 2; `np.exp` takes powers of e.",
                _quiet(lambda logits, temperature: _shares(2.0 ** ((logits - logits.max()) / temperature)))),
        Mistake("Those are the logs of the odds; leave out the last `np.log`.",
                _quiet(lambda logits, temperature: np.log(_softmax(logits / temperature)))),
        Mistake("Those are still logits; powers and shares come next.", lambda logits, temperature: logits / temperature),
        Mistake("You give all to the best token. That is temperature 0 alone.",
                lambda logits, temperature: (logits == logits.max()).astype(float)),
        Mistake("You put the tokens in another order: each odds must stand in the place of its logit.",
                lambda logits, temperature: np.sort(_softmax(logits / temperature))[::-1]),
    ],
    if_raised={
        TypeError: "`logits` is a NumPy array, and all its numbers can be divided at once: `logits / temperature`.",
        ValueError: "`logits` is a NumPy array; `np.exp` takes it as it is.",
        OverflowError: _HUGE,
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 2: top_p
# ---------------------------------------------------------------------------------------------


def _sums(odds, order):
    """For each token the sum of the odds up to it, itself included, in some order of the tokens."""
    sums = np.empty(len(odds))
    sums[order] = np.cumsum(odds[order])
    return sums


def _best_first(odds):
    return np.argsort(-odds, kind="stable")


def _kept(choose, order=_best_first, share=_shares):
    """A `top_p` that chooses, orders or shares in another way; `choose` gets odds, sums up to each token, and p."""
    return _quiet(lambda odds, p: share(np.where(choose(odds, _sums(odds, order(odds)), p), odds, 0.0)))


def _reaches(odds, sums, p):
    return sums - odds < p


_top_p = _kept(_reaches)
_CROSSES = (
    "The token with which the sum reaches `p` is kept as well: the kept ones have at least `p` together."
)
_ENOUGH = "Stop as soon as the sum has reached `p`: exactly `p` is enough."

top_p = Exercise(
    "top_p",
    notebook="07",
    number=2,
    minutes=10,
    difficulty="medium",
    parameters=("odds", "p"),
    right=lambda odds, p: _top_p(odds, p).tolist(),
    praise="Right: where the model is sure, a few tokens are left, and where it is not, many. Top-k can't do that.",
    read=read_row,
    slack=SLACK,
    keeps=("odds",),
    cases=cases(
        (_row(0.5, 0.25, 0.125, 0.125), 0.6),
        (_row(0.125, 0.5, 0.0625, 0.25, 0.0625), 0.8),
        (_row(0.125, 0.5, 0.0625, 0.25, 0.0625), 0.3, None, _CROSSES),
        (_row(0.0625, 0.1875, 0.75), 0.85),
        (_row(0.5, 0.125, 0.25, 0.125), 0.75, None, _ENOUGH),
        (_row(0.1875, 0.3125, 0.5), 0.5, None, _ENOUGH),
        (_row(0.25, 0.0625, 0.6875), 1.0, None, "With `p` = 1 every token is needed to reach it."),
        (_row(1.0), 0.5, None, "The best token always stays."),
        (_row(0.21875, 0.15625, 0.28125, 0.34375), 0.01, None, "The best token always stays."),
    ),
    mistakes=[
        Mistake(_CROSSES, _kept(lambda odds, sums, p: sums <= p)),
        Mistake(_CROSSES, _kept(lambda odds, sums, p: sums < p)),
        Mistake(_CROSSES + " And the best token always stays.",
                _kept(lambda odds, sums, p: (sums <= p) | (odds == odds.max()))),
        Mistake(_ENOUGH, _kept(lambda odds, sums, p: sums - odds <= p)),
        Mistake("You keep every token whose own odds are at least `p`; `p` is for the sum of the odds of all that are kept.",
                _kept(lambda odds, sums, p: odds >= p)),
        Mistake("That is min-p: you compare each token with the best one. Here the sum of the kept odds must reach `p`.",
                _kept(lambda odds, sums, p: odds >= p * odds.max())),
        Mistake("That is top-k: you keep a share of the tokens. Here the sum of the kept odds must reach `p`.",
                _kept(lambda odds, sums, p: np.argsort(_best_first(odds)) < np.ceil(p * len(odds)))),
        Mistake("You go through the tokens in the order of their ids; begin with the most likely one.",
                _kept(_reaches, order=lambda odds: np.arange(len(odds)))),
        Mistake("You begin with the least likely token; begin with the most likely one.",
                _kept(_reaches, order=lambda odds: np.argsort(odds, kind="stable"))),
        Mistake("The odds that are left must add up to 1 again: divide them by their sum.",
                _kept(_reaches, share=lambda kept: kept)),
        Mistake("You divide what is left by `p`; its sum is more than that. Divide by the sum.",
                lambda odds, p: _kept(_reaches, share=lambda kept: kept / p)(odds, p)),
        Mistake("All tokens that are kept have the same odds in your answer; their ratios stay as they were.",
                _kept(_reaches, share=lambda kept: (kept > 0) / (kept > 0).sum())),
        Mistake("You take a softmax of odds; divide what is left by its sum.",
                _kept(_reaches, share=lambda kept: np.where(kept > 0, np.exp(kept), 0) / np.exp(kept)[kept > 0].sum())),
        Mistake("You sorted the odds and left them so: each must stand in the place of its token.",
                lambda odds, p: np.sort(_top_p(odds, p))[::-1]),
        Mistake("You leave out the tokens that are cut; they must stay in their places, with odds of 0.",
                lambda odds, p: _top_p(odds, p)[_top_p(odds, p) > 0]),
        Mistake("You keep what should be cut, and cut what should be kept.",
                _kept(lambda odds, sums, p: sums - odds >= p)),
        Mistake("Those are the ids of the tokens that are kept; their odds are asked for, with 0 for all others.",
                lambda odds, p: np.flatnonzero(_top_p(odds, p))),
        Mistake("That says which tokens are kept; their odds are asked for.", lambda odds, p: _top_p(odds, p) > 0),
        Mistake("Nothing is cut.", lambda odds, p: odds),
        Mistake("You keep the best token alone, whatever `p` is.", _kept(lambda odds, sums, p: odds == odds.max())),
    ],
    if_raised={
        TypeError: "`odds` is a NumPy array: `np.argsort(-odds)` gives the ids, the most likely first.",
        IndexError: "`np.argsort(-odds)` gives the ids of all tokens, the most likely first. There are no more than `len(odds)`.",
        ZeroDivisionError: "Nothing was kept. The best token always stays.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 3: write_sentence
# ---------------------------------------------------------------------------------------------

ENDS = ".!?"


class Says:
    """A next piece for any text: these, one after the other, and then from the first again. Notes what it was given.

    >>> says = Says(" a", " b")
    >>> says, says("Once"), says("Once a"), says.heard
    (says(' a', ' b'), ' a', ' b', ['Once', 'Once a'])
    """

    def __init__(self, *pieces: str):
        self.pieces, self.heard = pieces, []

    def __call__(self, text):
        self.heard.append(str(text))
        return next(islice(cycle(self.pieces), len(self.heard) - 1, None))

    def __repr__(self) -> str:
        return f"says({', '.join(map(repr, self.pieces))})"


def _end(piece, ends=ENDS):
    """Where a piece has the first sign that ends a sentence; -1 if it has none."""
    return next((place for place, sign in enumerate(piece) if sign in ends), -1)


def _write_sentence(next_piece, text, max_pieces, *, ends=ENDS, cut=lambda piece, end: piece[: end + 1]):
    for _ in range(max_pieces):
        piece = next_piece(text)
        if (end := _end(piece, ends)) >= 0:
            return text + cut(piece, end)
        text += piece
    return text


def _sentence_with(**changes):
    return lambda *arguments: _write_sentence(*arguments, **changes)


def _in_the_whole_text(next_piece, text, max_pieces):
    for _ in range(max_pieces):
        if _end(text) >= 0:
            break
        text += next_piece(text)
    return text[: _end(text) + 1] if _end(text) >= 0 else text


def _if_the_piece(ends):
    """A `write_sentence` that looks at each piece as a whole, and keeps it as a whole."""

    def write(next_piece, text, max_pieces):
        for _ in range(max_pieces):
            piece = next_piece(text)
            text += piece
            if ends(piece):
                break
        return text

    return write


def _given(hears):
    """A `write_sentence` whose next_piece hears something else than the text so far."""

    def write(next_piece, text, max_pieces):
        grown, piece = text, text
        for _ in range(max_pieces):
            piece = next_piece(hears(text, grown, piece))
            if (end := _end(piece)) >= 0:
                return grown + piece[: end + 1]
            grown += piece
        return grown

    return write


def _all_first(next_piece, text, max_pieces):
    start = text
    for _ in range(max_pieces):
        text += next_piece(text)
    new = text[len(start) :]
    return start + (new[: _end(new) + 1] if _end(new) >= 0 else new)


def _one_too_many(next_piece, text, max_pieces):
    grown = _write_sentence(next_piece, text, max_pieces)
    next_piece(grown)
    return grown


def _says(*row):
    """A case: the pieces, the text before them, how many may come, and what it is about."""
    pieces, text, most, *about = row
    return Case(lambda: (Says(*pieces), text, most), *about)


_INSIDE = "A piece may have more than one sign: look at every sign of it, and stop right behind the first `.`, `!` or `?`."
_PROMPT = "Only what comes from `next_piece` can end the sentence. The text that you were given may have a `.` of its own."

write_sentence = Exercise(
    "write_sentence",
    notebook="07",
    number=3,
    minutes=10,
    difficulty="medium",
    parameters=("next_piece", "text", "max_pieces"),
    right=_write_sentence,
    praise="Right: it stops at the sentence's end, or where you said at the latest. Each piece was asked for once.",
    read=read_text,
    cases=[
        _says((" Anna", ".", " I"), "My name is", 6),
        _says((" are", " you", "?"), "How", 6),
        _says((" out", "!"), "Look", 6),
        _says((" Anna", ".", " I"), "Hello! My name is", 6, _PROMPT),
        _says((" fox", ' ran."', " It"), '"The', 6, _INSIDE),
        _says((" what", "?!", " Who"), "He asked:", 6, _INSIDE),
        _says((" la", ",", " la"), "She sang:", 5, "There may be no end of a sentence in sight: stop after `max_pieces` pieces."),
        _says((" la", " la", "!"), "She sang:", 3, "The last piece that is allowed may be the one that ends the sentence."),
        _says((" la",), "She sang:", 0, "No piece is allowed, so the text stays as it is, and `next_piece` isn't asked."),
        _says((" it", "", " is", " so", ". And"), "I think", 6, "A piece may be empty. " + _INSIDE),
    ],
    mistakes=[
        Mistake("It never stops at the end of a sentence.", _sentence_with(ends="")),
        Mistake("The sign that ends the sentence is missing from your text.", _sentence_with(cut=lambda piece, end: piece[:end])),
        Mistake("The piece with the end of the sentence is missing from your text.", _sentence_with(cut=lambda piece, end: "")),
        Mistake("A sentence may also end with `!` or `?`.", _sentence_with(ends=".")),
        Mistake("A sentence may also end with `?`.", _sentence_with(ends=".!")),
        Mistake("A sentence may also end with `!`.", _sentence_with(ends=".?")),
        Mistake("A comma doesn't end a sentence.", _sentence_with(ends=".!?,")),
        Mistake("You keep the whole piece; what it has behind the first `.`, `!` or `?` belongs to the next sentence.",
                _sentence_with(cut=lambda piece, end: piece)),
        Mistake(_PROMPT, _in_the_whole_text),
        Mistake("You look only for pieces that are nothing but a sign, as in `piece == \".\"`. " + _INSIDE,
                _if_the_piece(lambda piece: piece in (".", "!", "?"))),
        Mistake("`piece in \".!?\"` asks whether the piece as a whole is in there, and an empty one is. " + _INSIDE,
                _if_the_piece(lambda piece: piece in ENDS)),
        Mistake("You look only at the last sign of a piece. " + _INSIDE, _if_the_piece(lambda piece: piece[-1:] in (".", "!", "?"))),
        Mistake("You look only at the first sign of a piece. " + _INSIDE, _if_the_piece(lambda piece: piece[:1] in (".", "!", "?"))),
        Mistake("You stop at the last `.`, `!` or `?` of a piece; the first one ends the sentence.",
                _sentence_with(cut=lambda piece, end: piece[: max(map(piece.rfind, ENDS)) + 1])),
        Mistake("The text that you were given is missing: give it back together with what was added.",
                lambda next_piece, text, max_pieces: _write_sentence(next_piece, text, max_pieces)[len(text) :]),
        Mistake("You put a space in front of each piece; the pieces bring their own.",
                lambda next_piece, text, max_pieces: _write_sentence(lambda so_far: " " + next_piece(so_far), text, max_pieces)),
        Mistake("You give `next_piece` the newest piece alone; it needs the whole text so far.",
                _given(lambda text, grown, piece: piece)),
        Mistake("You give `next_piece` the same text each time; it needs the text so far, with all pieces added.",
                _given(lambda text, grown, piece: text)),
        Mistake("You ask for all `max_pieces` pieces first and cut afterwards. Each one is a run of the whole model: stop asking at the end.",
                _all_first),
        Mistake("You ask for one piece more than you use.", _one_too_many),
        Mistake("You add one piece too few: `range(max_pieces)` goes round `max_pieces` times.",
                lambda next_piece, text, max_pieces: _write_sentence(next_piece, text, max_pieces - 1)),
        Mistake("You add one piece too many: `range(max_pieces)` goes round `max_pieces` times.",
                lambda next_piece, text, max_pieces: _write_sentence(next_piece, text, max_pieces + 1)),
        Mistake("`max_pieces` counts the pieces that are added, not the signs of the text.",
                lambda next_piece, text, max_pieces: _write_sentence(next_piece, text, max_pieces)[:max_pieces]),
    ],
    if_raised={
        TypeError: "`next_piece` is a function: `next_piece(text)` gives the next piece, a short text.",
        IndexError: "A piece may be empty, and then it has no first and no last sign. `for sign in piece` takes that as well.",
    },
    if_endless="is there a `for _ in range(max_pieces)`?",
    notes=lambda arguments: arguments[0].heard,
    if_noted="Your text is right, but `next_piece` must be asked once for each piece, with the whole text so far.",
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 4: halve_entropy
# ---------------------------------------------------------------------------------------------


class EntropyOf:
    """The entropy of some logits at any temperature, as a function.

    >>> EntropyOf(0, 0), round(EntropyOf(0, 0)(3), 4)
    (entropy_of(0, 0), 0.6931)
    """

    def __init__(self, *logits: float):
        self.logits = logits

    def __call__(self, temperature):
        if not temperature >= 0:
            raise ValueError(f"temperature must be 0 or more, got {temperature}; stay between 0 and 1")
        below = np.array(self.logits) - max(self.logits)
        odds = _shares(np.exp(below / temperature) if temperature else (below == 0).astype(float))
        return float(-(odds * np.log(np.where(odds > 0, odds, 1))).sum())

    def __repr__(self) -> str:
        return f"entropy_of({', '.join(map(repr, self.logits))})"


def _search(
    entropy_at,
    target=lambda at: at(1) / 2,
    steps=50,
    low=0.0,
    high=1.0,
    colder=lambda now, wanted: now >= wanted,
):
    """The temperature between `low` and `high` at which the entropy is the target, found by halving."""
    wanted = target(entropy_at)
    for _ in range(steps):
        middle = (low + high) / 2
        if colder(entropy_at(middle), wanted):
            high = middle
        else:
            low = middle
    return (low + high) / 2


def _search_with(**changes):
    return _quiet(lambda entropy_at: _search(entropy_at, **changes))


_GRID = np.linspace(0, 1, 101)

halve_entropy = Exercise(
    "halve_entropy",
    notebook="07",
    number=4,
    minutes=15,
    difficulty="harder",
    parameters=("entropy_at",),
    right=_search,
    praise="Right: ten questions halve the interval to a thousandth, whoever the model is and however many tokens it has.",
    read=read_number,
    slack=SLACK,
    cases=cases(
        (EntropyOf(0, 1),),
        (EntropyOf(0, 1, 2, 3),),
        (EntropyOf(5, 0, 0, 0, 0),),
        (EntropyOf(0, 30, 29.5), None, "The search must also find temperatures near 0 or near 1."),
        (EntropyOf(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), None, "The search must also find temperatures near 0 or near 1."),
        (EntropyOf(0, 0.01), None, "The search must also find temperatures near 0 or near 1."),
    ),
    mistakes=[
        Mistake("Half the temperature doesn't halve the entropy, which rises along a curve: you have to search.", lambda entropy_at: 0.5),
        Mistake("That is the entropy you look for; the temperature that has it is asked for.", lambda entropy_at: entropy_at(1) / 2),
        Mistake("That is the entropy you look for; the temperature that has it is asked for.",
                lambda entropy_at: entropy_at(_search(entropy_at))),
        Mistake("That is the entropy at temperature 0.5; the temperature is asked for at which it is half of that at 1.",
                lambda entropy_at: entropy_at(0.5)),
        Mistake("You go the wrong way: where the entropy is too low, it must get warmer, so `low` moves up.",
                _search_with(colder=lambda now, wanted: now < wanted)),
        Mistake("You search for an entropy of 0.5; half of `entropy_at(1)` is asked for.", _search_with(target=lambda at: 0.5)),
        Mistake("You search for the entropy at temperature 1, which is at 1; look for half of it.", _search_with(target=lambda at: at(1))),
        Mistake("You search for a quarter of the entropy; half of it is asked for.", _search_with(target=lambda at: at(1) / 4)),
        Mistake("You search for twice the entropy; half of it is asked for.", _search_with(target=lambda at: at(1) * 2, high=100.0)),
        Mistake("You halve the effective number of choices, e to the power of the entropy; halve the entropy itself.",
                _search_with(target=lambda at: np.log(np.exp(at(1)) / 2))),
        Mistake("You give the width of the last interval; give a temperature inside it.", lambda entropy_at: 0.0),
        *(Mistake("Your steps of 0.01 are too wide: three digits are asked for.", answer) for answer in (
            lambda entropy_at: min(_GRID, key=lambda t: abs(entropy_at(t) - entropy_at(1) / 2)),
            lambda entropy_at: next(t for t in _GRID if entropy_at(t) >= entropy_at(1) / 2),
        )),
        *(Mistake(f"You stop after {steps} steps, which is too early: each halves the interval, and 10 make it less than 0.001.",
                  _search_with(steps=steps)) for steps in range(1, 9)),
    ],
    if_raised={
        TypeError: "`entropy_at` is a function: `entropy_at(0.3)` is the entropy at temperature 0.3.",
        ValueError: "The temperature that you look for is between 0 and 1.",
        RecursionError: "Does anything bring the two ends nearer to each other?",
    },
    if_endless="does every step bring `low` and `high` nearer to each other? Two floats may never become equal: stop at 0.0001.",
)  # fmt: skip
