"""The exercises of notebook 01: a tokenizer in four functions, two to train it and two to use it."""

from collections import Counter
from itertools import pairwise

from helpers import tokenization
from helpers.checks.checking import Exercise, Mistake, cases, read_counts, read_ids, read_text

# ---------------------------------------------------------------------------------------------
# Exercise 1: count_pairs
# ---------------------------------------------------------------------------------------------


def _count_pairs(ids):
    return tokenization.count_pairs([ids])


def _count_apart(ids):
    """As Python's str.count does: three equal ids hold their pair once."""
    counts, taken = Counter(), {}
    for place, pair in enumerate(pairwise(ids)):
        if taken.get(pair) != place - 1:
            counts[pair] += 1
            taken[pair] = place
    return counts


count_pairs = Exercise(
    "count_pairs",
    notebook="01",
    number=1,
    minutes=5,
    difficulty="easy",
    parameters=("ids",),
    right=_count_pairs,
    praise="Right: every place is looked at once, overlaps included. This is the first of the two moves of BPE.",
    read=read_counts,
    cases=cases(
        ([1, 2, 3, 1, 2],),
        ([5, 5, 5],),
        ([1, 2, 2, 1],),
        (list(b"aaabdaaabac"),),
        ([5, 5, 5, 5],),
        ([7, 8],),
        *([(one, None, "A list that is too short for a pair holds none: the answer is an empty dict.")
           for one in ([7], [])]),
        (list(b"the red fox chased the red hen"),),
    ),
    mistakes=[
        Mistake("You miss the overlaps: in 5, 5, 5 the pair (5, 5) stands at two places.", _count_apart),
        Mistake("You step over two ids at a time; each id, but for the last, begins a pair.",
                lambda ids: Counter(zip(ids[::2], ids[1::2], strict=False))),
        Mistake("You join the last id to the first; a text is no ring. (Is there an `ids[i - 1]`? At `i = 0` that is the last.)",
                lambda ids: Counter(zip(ids, [*ids[1:], *ids[:1]], strict=True))),
        Mistake("You miss the last pair: the loop stops one place too early.", lambda ids: Counter(pairwise(ids[:-1]))),
        Mistake("You miss the first pair: the loop starts one place too late.", lambda ids: Counter(pairwise(ids[1:]))),
        Mistake("You count single ids; count pairs of neighbours.", lambda ids: dict(Counter(ids))),
        Mistake("(1, 2) and (2, 1) are different pairs: don't sort them.",
                lambda ids: Counter(tuple(sorted(pair)) for pair in pairwise(ids))),
        Mistake("Each pair is turned round: the left id comes first.",
                lambda ids: Counter(pair[::-1] for pair in pairwise(ids))),
        Mistake("Each pair counts 1, however often it occurs: add to what is there.",
                lambda ids: dict.fromkeys(pairwise(ids), 1)),
        Mistake("Each count is 1 too low: a pair that is met for the first time counts 1, not 0.",
                lambda ids: {pair: count - 1 for pair, count in Counter(pairwise(ids)).items()}),
        Mistake("Each count is 1 too high: a pair that is met for the first time counts 1.",
                lambda ids: {pair: count + 1 for pair, count in Counter(pairwise(ids)).items()}),
        Mistake("You skip one id inside each pair; the two must be neighbours.",
                lambda ids: Counter(zip(ids, ids[2:], strict=False))),
    ],
    if_raised={
        IndexError: "The last id has no right neighbour: stop one place earlier.",
        KeyError: "A pair that is met for the first time has no count yet: `counts.get(pair, 0)` gives 0 for it.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 2: merge
# ---------------------------------------------------------------------------------------------


def _merge_with(skip=2, first_only=False, either=False, turned=False, both=False, stop=0):
    """A `merge` that goes wrong in one place."""

    def answer(ids, pair, new_id):
        left, right = reversed(pair) if turned else pair
        merged, place, done = [], 0, False
        while place < len(ids) - stop:
            here = tuple(ids[place : place + 2])
            hit = here == (left, right) or (either and here == (right, left))
            if hit and not (first_only and done):
                merged.append(new_id)
                if both:
                    merged.append(new_id)
                place, done = place + skip, True
            else:
                merged.append(ids[place])
                place += 1
        return merged

    return answer


def _merge_overlapping(ids, pair, new_id):
    merged, place = [], 0
    while place < len(ids):
        if tuple(ids[place : place + 2]) == pair:
            merged.append(new_id)
            # the right id may begin another pair
            place += 1 if tuple(ids[place + 1 : place + 3]) == pair else 2
        else:
            merged.append(ids[place])
            place += 1
    return merged


def _merge_lost_tail(ids, pair, new_id):
    merged, place = [], 0
    while place < len(ids) - 1:
        if (ids[place], ids[place + 1]) == pair:
            merged.append(new_id)
            place += 2
        else:
            merged.append(ids[place])
            place += 1
    return merged


def _merge_in_pairs(ids, pair, new_id):
    merged = []
    for place in range(0, len(ids), 2):
        here = ids[place : place + 2]
        merged += [new_id] if tuple(here) == pair else here
    return merged


def _merge_one_match(ids, pair, new_id):
    merged, place = [], 0
    while place < len(ids):
        hit = ids[place] == pair[0] and place + 1 < len(ids)
        merged.append(new_id if hit else ids[place])
        place += 2 if hit else 1
    return merged


merge = Exercise(
    "merge",
    notebook="01",
    number=2,
    minutes=10,
    difficulty="medium",
    parameters=("ids", "pair", "new_id"),
    right=tokenization.merge,
    praise="Right: the text gets shorter, and nothing is lost. With count_pairs you have both moves of BPE.",
    read=read_ids,
    keeps=("ids",),
    cases=cases(
        ([1, 2, 3, 1, 2], (1, 2), 4),
        ([3, 1, 2, 3], (1, 2), 4),
        ([5, 5, 5], (5, 5), 6, None, "Go from left to right: the first two make a pair, and the third is left alone."),
        ([5, 5, 5, 5, 5], (5, 5), 6),
        ([1, 2, 1], (1, 2), 4, None, "An id at the very end has no neighbour, but it belongs to the text."),
        ([3, 1], (1, 2), 4, None, "An id at the very end has no neighbour, but it belongs to the text."),
        ([1, 1, 2], (1, 2), 4, None, "The first 1 is no pair with the second: look at each place afresh."),
        ([2, 1, 2, 1], (1, 2), 4, None, "(1, 2) is another pair than (2, 1)."),
        ([1, 3, 2], (1, 2), 4, None, "Where the pair doesn't occur, the list comes back as it was."),
        ([], (1, 2), 4, None, "An empty list stays empty."),
        ([1], (1, 2), 4),
        ([0, 0, 1, 0], (0, 0), 256, None, "0 is an id like any other; `if ids[i]` takes it for nothing."),
        ([int("300"), int("301")], (int("300"), int("301")), 302, None, "Compare numbers with `==`, not with `is`."),
        (list(b"aaabdaaabac"), (97, 97), 256),
    ),
    mistakes=[
        Mistake("You lose the last id where it is not part of a pair.", _merge_lost_tail),
        Mistake("You put the new id in and leave the right one standing: go on two places after a pair.",
                _merge_with(skip=1)),
        Mistake("You use one id for two pairs: of 5, 5, 5 only the first two make a pair.", _merge_overlapping),
        Mistake("Only the first place is replaced; the pair may occur more than once.", _merge_with(first_only=True)),
        Mistake("You look for the pair turned round: its left id comes first.", _merge_with(turned=True)),
        Mistake("You also replace the pair turned round: (2, 1) is not (1, 2).", _merge_with(either=True)),
        Mistake("The new id stands there twice: two ids become one.", _merge_with(both=True)),
        Mistake("You replace every id of the pair, wherever it stands; only the two side by side are a pair.",
                lambda ids, pair, new_id: [new_id if one in pair else one for one in ids]),
        Mistake("You go from right to left; at an overlap that leaves the other id over.",
                lambda ids, pair, new_id: tokenization.merge(ids[::-1], pair[::-1], new_id)[::-1]),
        Mistake("You look only at every second place; a pair can begin anywhere.", _merge_in_pairs),
        Mistake("You look at the left id alone; the right one must fit as well.", _merge_one_match),
        Mistake("The pair is taken out, but `new_id` never comes in.",
                lambda ids, pair, new_id: [one for one in tokenization.merge(ids, pair, -1) if one != -1]),
        Mistake("The list comes back as it was, pairs and all.", lambda ids, pair, new_id: list(ids)),
        Mistake("You skip three places after a pair; two is right.", _merge_with(skip=3)),
    ],
    if_raised={
        IndexError: "The last id has no right neighbour: ask whether there is one before you look at it.",
        AttributeError: "`ids` is a list: begin with an empty list of your own, and append to that.",
    },
    if_endless="in a `while` loop the position must move on for every id, pair or not.",
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 3: encode
# ---------------------------------------------------------------------------------------------


def _encode(text, merges):
    ids = list(text.encode("utf-8"))
    for pair, new_id in merges:
        ids = tokenization.merge(ids, pair, new_id)
    return ids


def _encode_characters(text, merges):
    ids = [ord(sign) for sign in text]
    for pair, new_id in merges:
        ids = tokenization.merge(ids, pair, new_id)
    return ids


def _encode_longest(text, merges):
    """The longest token that fits, from left to right: another algorithm, and often another answer."""
    pieces = sorted(_pieces(merges).items(), key=lambda item: (-len(item[1]), item[0]))
    data, ids = text.encode("utf-8"), []
    while data:
        id_, piece = next((id_, piece) for id_, piece in pieces if data.startswith(piece))
        ids.append(id_)
        data = data[len(piece) :]
    return ids


def _encode_by_place(text, merges):
    """The first pair from the left that has any merge, again and again."""
    ids, new_ids = list(text.encode("utf-8")), dict(merges)
    while place := [i for i, pair in enumerate(pairwise(ids)) if pair in new_ids]:
        ids[place[0] : place[0] + 2] = [new_ids[ids[place[0]], ids[place[0] + 1]]]
    return ids


def _encode_by_count(text, merges):
    """The pair that is most frequent in this text goes first: training again."""
    ids, new_ids = list(text.encode("utf-8")), dict(merges)
    while counts := {pair: n for pair, n in _count_pairs(ids).items() if pair in new_ids}:
        pair = max(counts, key=counts.get)
        ids = tokenization.merge(ids, pair, new_ids[pair])
    return ids


def _encode_once_each(text, merges):
    ids = list(text.encode("utf-8"))
    for pair, new_id in merges:
        ids = _merge_with(first_only=True)(ids, pair, new_id)
    return ids


_WIKIPEDIA = [((97, 97), 256), ((256, 97), 257), ((257, 98), 258)]  # aa, aaa, aaab
_CROSSED = [((97, 98), 256), ((98, 99), 257), ((257, 100), 258)]  # ab, bc, bcd
_RIGHT_FIRST = [((98, 99), 256), ((97, 98), 257)]  # bc, ab
_TOO_LONG = [((97, 98), 256), ((98, 99), 257), ((97, 257), 258)]  # ab, bc, abc
_ACCENT = [((195, 169), 256), ((102, 256), 257), ((97, 257), 258)]  # é, fé, afé
_ORDER = "The merges go in the order in which they were learned: what is learned first goes first."

encode = Exercise(
    "encode",
    notebook="01",
    number=3,
    minutes=10,
    difficulty="medium",
    parameters=("text", "merges"),
    right=_encode,
    praise="Right: bytes first, then every merge in the order it was learned. GPT-4o's tokenizer does the same, with more merges.",
    read=read_ids,
    keeps=("merges",),
    cases=cases(
        ("abc", []),
        ("aaab", _WIKIPEDIA[:1]),
        ("aaabdaaabac", _WIKIPEDIA),
        ("abc", _RIGHT_FIRST, None, _ORDER),
        ("abc", _TOO_LONG, None, _ORDER),
        ("abcd", _CROSSED, None, _ORDER),
        ("abcbcbc", _CROSSED, None, _ORDER),
        ("abab", _CROSSED),
        ("bcabc", _CROSSED, None, _ORDER),
        ("", _WIKIPEDIA, None, "An empty text has no ids."),
        ("café", _ACCENT, None, "A character outside English is more than one byte: begin with the bytes of UTF-8."),
        ("आप🦊", [], None, "A character outside English is more than one byte: begin with the bytes of UTF-8."),
    ),
    mistakes=[
        Mistake("You begin with one number for each character; begin with the bytes, `text.encode('utf-8')`.",
                _encode_characters),
        Mistake("The merges change nothing: `merge` gives back a new list, so write `ids = merge(...)`.",
                lambda text, merges: list(text.encode())),
        Mistake("The list is lost on the way: does the `merge` that you use return a list? `tokenization.merge` does.",
                lambda text, merges: None if merges else list(text.encode())),
        Mistake("You play the merges from the last to the first; later ones are built from earlier ones.",
                lambda text, merges: _encode(text, merges[::-1])),
        Mistake("Only the first merge is played: is the `return` inside the loop?",
                lambda text, merges: _encode(text, merges[:1])),
        Mistake("The last merge is never played.", lambda text, merges: _encode(text, merges[:-1])),
        Mistake("The first merge is never played.", lambda text, merges: _encode(text, merges[1:])),
        Mistake("You take the longest token that fits at each place. That is another algorithm: BPE plays its merges in order.",
                _encode_longest),
        Mistake("You merge whatever comes first in the text; what was learned first must go first.", _encode_by_place),
        Mistake("You merge what is most frequent in this text. That was training; now the order is fixed.",
                _encode_by_count),
        Mistake("Each merge is made at one place; it must be made everywhere in the text.", _encode_once_each),
    ],
    if_raised={
        TypeError: "Does the `merge` that you use return a list? `tokenization.merge` does.",
        NameError: "Has the cell with your `merge` been run? `tokenization.merge` does the same.",
        ValueError: "Each entry of `merges` is a pair and its new id: `for pair, new_id in merges:`.",
    },
    if_endless="each merge has to be played once, so a `for` loop over `merges` is enough.",
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 4: decode
# ---------------------------------------------------------------------------------------------


def _pieces(merges, turned=False, start=256):
    pieces = {byte: bytes([byte]) for byte in range(start)}
    for (left, right), new_id in merges:
        pieces[new_id] = pieces[right] + pieces[left] if turned else pieces[left] + pieces[right]
    return pieces


def _decode(ids, merges):
    pieces = _pieces(merges)
    return b"".join(pieces[id_] for id_ in ids).decode("utf-8", errors="replace")


def _decode_one_by_one(errors):
    return lambda ids, merges: "".join(_pieces(merges)[id_].decode("utf-8", errors=errors) for id_ in ids)


def _decode_as(encoding, errors="replace", **how):
    return lambda ids, merges: b"".join(_pieces(merges, **how)[id_] for id_ in ids).decode(
        encoding, errors=errors
    )


_CUT = "These bytes are only a part of a character: `errors='replace'` puts a � in its place."

decode = Exercise(
    "decode",
    notebook="01",
    number=4,
    minutes=15,
    difficulty="harder",
    parameters=("ids", "merges"),
    right=_decode,
    praise="Right: bytes are joined first and read as text last, so that a character may lie across two tokens.",
    read=read_text,
    cases=cases(
        ([97, 98, 99], []),
        ([256, 97], _WIKIPEDIA[:1]),
        ([258, 100, 258, 97, 99], _WIKIPEDIA),
        ([99, 258], _ACCENT),
        ([], _WIKIPEDIA, None, "No ids make an empty text."),
        ([99, 97, 102, 195, 169], [], None, "195 and 169 are one character, é: join all the bytes before you read them."),
        (list("आप🦊".encode()), []),
        ([256, 138, 33], [((240, 159), 257), ((257, 166), 256)], None, "A character may lie across two tokens."),
        ([97, 195], [], None, _CUT),
        ([0, 255], [], None, "Every byte has its id, from 0 to 255."),
    ),
    mistakes=[
        Mistake("You read each token by itself, and a character that lies across two is lost: join the bytes first.",
                _decode_one_by_one("replace")),
        Mistake("You read each token by itself, and a character that lies across two can't be read: join the bytes first.",
                _decode_one_by_one("strict")),
        Mistake("You leave out what can't be read by itself, and a character that lies across two tokens is lost.",
                _decode_one_by_one("ignore")),
        Mistake("You turn each byte into a character; the bytes of é are two, and together they are one character.",
                _decode_as("latin-1")),
        Mistake("Left and right are swapped: the left part of a pair comes first.",
                _decode_as("utf-8", turned=True)),
        Mistake("A cut character raises an error: `errors='replace'` puts a � in its place.",
                _decode_as("utf-8", errors="strict")),
        Mistake("A cut character vanishes without a word: `errors='replace'` puts a � in its place.",
                _decode_as("utf-8", errors="ignore")),
        Mistake("Tokens are joined with a space; the spaces are in the tokens already.",
                lambda ids, merges: " ".join(_pieces(merges)[id_].decode("utf-8", "replace") for id_ in ids)),
        Mistake("`chr` turns 256 into Ā; look up which bytes it stands for.",
                lambda ids, merges: "".join(map(chr, ids))),
        Mistake("The text is turned round: the first id comes first.", lambda ids, merges: _decode(ids[::-1], merges)),
    ],
    if_raised={
        UnicodeDecodeError: _CUT,
        KeyError: "Give every new id its bytes first, in the order of the merges: the bytes of its left part, then of its right.",
        ValueError: "A byte goes from 0 to 255: an id from 256 on has to be looked up in the merges first.",
        TypeError: "`bytes([65])` makes a byte of a number; `b''.join(...)` joins bytes.",
    },
)  # fmt: skip
