"""The exercises of notebook 03: what a bag of words can't tell apart, a pair of numbers turned, a table of sines."""

import re
from collections import Counter
from math import prod

import numpy as np

from helpers.checks.checking import (
    Exercise,
    Mistake,
    OpenExercise,
    Unreadable,
    article,
    cases,
    items,
    read_row,
    read_table,
    read_text,
    size,
)
from helpers.tinytown import TINYTOWN

# ---------------------------------------------------------------------------------------------
# Exercise 1: same_bag
# ---------------------------------------------------------------------------------------------


def _words(sentence):
    """The words and signs of a sentence in small letters, without the sign at its end."""
    words = re.findall(r"[^\s.,!?]+|[.,!?]", sentence.lower())
    while words and words[-1] in ".,!?":
        words.pop()
    return words


def _read_pair(answer):
    """Two sentences as two lists of words, in the order of the alphabet: which comes first plays no part."""
    if isinstance(answer, str):
        raise Unreadable("two sentences, and this is one text: write `return first, second`")
    sentences = items(answer, "two sentences")
    if len(sentences) != 2:
        raise Unreadable(f"two sentences, and this is {article(answer)} that holds {len(sentences)}")
    # A sentence may also come as a list of its words.
    texts = [
        " ".join(map(read_text, one)) if isinstance(one, list | tuple) else read_text(one)
        for one in sentences
    ]
    return sorted(map(_words, texts))


def _joined(words):
    return f"`{' '.join(words[:20])}{' …' if len(words) > 20 else ''}`"


def _where_it_stops(words):
    """What no story of Tinytown would say in `words`, and what it would say there; "" if a story can begin with them."""
    odds_at = TINYTOWN.next_word_distributions(words)
    for place, word in enumerate(words):
        odds = next(odds_at)
        if word not in odds:
            after = f"after {_joined(words[:place])}" if place else "at the beginning of a story"
            allowed = ", ".join(f"`{one}`" for one in list(odds)[:6])
            return f"{after} there can't be `{word[:40]}`, but {allowed}{' and others' if len(odds) > 6 else ''}."
    return ""


def _share(words):
    """The share of Tinytown's stories that begin with these words."""
    return prod(
        odds[word] for odds, word in zip(TINYTOWN.next_word_distributions(words), words, strict=False)
    )


def _sums_apart(words):
    """A text with the two numbers of each sum in the order of the alphabet: two and three is as much as three and two."""
    return re.sub(r"(\w+) and (\w+)", lambda found: " and ".join(sorted(found.groups())), " ".join(words))


def _judge_pair(pair):
    first, second = pair
    if not first:  # in the order of the alphabet, nothing stands before anything
        return "One of the two has no words."
    if first == second:
        return f"Both are the same sentence, {_joined(first)}; capitals and the sign at the end don't count as another."
    counts, others = Counter(first), Counter(second)
    if counts != others:
        word = next(word for word in [*first, *second] if counts[word] != others[word])
        return (
            f"The two bags differ: `{word[:40]}` stands {_times(counts[word])} in {_joined(first)} and "
            f"{_times(others[word])} in {_joined(second)}. Use each word equally often in both."
        )
    for words in pair:
        if stops := _where_it_stops(words):
            return f"The same words in another order, but no story of Tinytown begins with {_joined(words)}: {stops}"
    if _sums_apart(first) == _sums_apart(second):
        return "Two and three is as much as three and two: the order is another one, and the meaning is the same."
    return ""


def _times(count):
    return ("not at all", "once", "twice")[count] if count < 3 else f"{count} times"


def _tell_pair(pair):
    odds = [f"{_joined(words)} begins 1 story in {1 / _share(words):,.0f}" for words in pair]
    return f"{odds[0]}, and {odds[1]}. Whether they mean different things no check can tell; that is for you to judge."


same_bag = OpenExercise(
    "same_bag",
    notebook="03",
    number=1,
    minutes=5,
    difficulty="easy",
    parameters=(),
    right=lambda: ("Look, the fox chases the hen!", "Look, the hen chases the fox!"),
    praise="Right: the bags are the same, and Tinytown says both.",
    judge=_judge_pair,
    tell=_tell_pair,
    read=_read_pair,
    if_raised={ValueError: "Two texts are all it takes: `return first, second`."},
)


# ---------------------------------------------------------------------------------------------
# Exercise 2: rotate_pair
# ---------------------------------------------------------------------------------------------


def _rotate(x, y, angle):
    return (float(x * np.cos(angle) - y * np.sin(angle)), float(x * np.sin(angle) + y * np.cos(angle)))


def _rotate_x_lost(x, y, angle):
    x = x * np.cos(angle) - y * np.sin(angle)
    return x, x * np.sin(angle) + y * np.cos(angle)


def _rotate_y_lost(x, y, angle):
    y = x * np.sin(angle) + y * np.cos(angle)
    return x * np.cos(angle) - y * np.sin(angle), y


def _read_two(answer):
    """Two numbers from a tuple, a list, an array or a generator."""
    numbers = read_row(answer)
    if len(numbers) != 2:
        raise Unreadable(f"two numbers, and this is {size(numbers)}")
    return numbers


_QUARTER = np.pi / 2

rotate_pair = Exercise(
    "rotate_pair",
    notebook="03",
    number=2,
    minutes=10,
    difficulty="medium",
    parameters=("x", "y", "angle"),
    right=_rotate,
    praise="Right: the pair has turned and kept its length. Rotary positions do this to every pair of a query and a key.",
    read=_read_two,
    slack=1e-3,
    cases=cases(
        (1.0, 0.0, _QUARTER, None, "A quarter turn against the clock brings the point on the right to the top."),
        (0.0, 1.0, _QUARTER, None, "A quarter turn against the clock brings the point at the top to the left."),
        (3.0, 2.0, 0.0, None, "The angle 0 turns nothing."),
        (3.0, 4.0, 0.5),
        (2.0, -1.0, -1.25, None, "An angle below 0 turns with the clock."),
        (-1.5, 0.5, 7.0, None, "An angle may be more than a whole turn."),
        (0.0, 0.0, 1.0),
    ),
    mistakes=[
        Mistake("You turn with the clock; the sign of both sines is the other one.", lambda x, y, angle: _rotate(x, y, -angle)),
        Mistake("You take the angle for degrees; it is in radians, as `np.cos` wants it.",
                lambda x, y, angle: _rotate(x, y, np.radians(angle))),
        Mistake("You turn radians into degrees; `np.cos` wants radians.",
                lambda x, y, angle: _rotate(x, y, np.degrees(angle))),
        Mistake("Your new `x` is written over the old one before `y` needs it: give the new numbers names of their own.",
                _rotate_x_lost),
        Mistake("Your new `y` is written over the old one before `x` needs it: give the new numbers names of their own.",
                _rotate_y_lost),
        Mistake("The two numbers are swapped: the new x comes first.", lambda x, y, angle: _rotate(x, y, angle)[::-1]),
        Mistake("Both of your signs are plus: in the new x the sine counts down, `x * cos - y * sin`.",
                lambda x, y, angle: (x * np.cos(angle) + y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle))),
        Mistake("Both of your signs are minus: in the new y the sine counts up, `x * sin + y * cos`.",
                lambda x, y, angle: (x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) - y * np.cos(angle))),
        Mistake("That is a mirror, not a turn: the minus belongs into the new x.",
                lambda x, y, angle: (x * np.cos(angle) + y * np.sin(angle), x * np.sin(angle) - y * np.cos(angle))),
        Mistake("Cosine and sine are swapped.",
                lambda x, y, angle: (x * np.sin(angle) - y * np.cos(angle), x * np.cos(angle) + y * np.sin(angle))),
        Mistake("Each number is multiplied by one of the two; both numbers go into the new x and into the new y.",
                lambda x, y, angle: (x * np.cos(angle), y * np.sin(angle))),
        Mistake("You add to the numbers, which moves the point; turn it by multiplying.",
                lambda x, y, angle: (x + np.cos(angle), y + np.sin(angle))),
        Mistake("The pair comes back as it was.", lambda x, y, angle: (x, y)),
        Mistake("You return length and angle; the two numbers of the turned pair are asked for.",
                lambda x, y, angle: (np.hypot(x, y), np.arctan2(y, x) + angle)),
        Mistake("You bring the pair to length 1; turning leaves its length alone.",
                lambda x, y, angle: [one / (np.hypot(x, y) or 1) for one in _rotate(x, y, angle)]),
    ],
    if_raised={TypeError: "`x`, `y` and `angle` are plain numbers: `x * np.cos(angle)` is one as well."},
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 3: sinusoid_table
# ---------------------------------------------------------------------------------------------


def _layout(angles, even=np.sin, odd=np.cos):
    """A table with `even` of the angles in columns 0, 2, 4 ... and `odd` of them in columns 1, 3, 5 ..."""
    table = np.empty((len(angles), 2 * angles.shape[1]))
    table[:, 0::2], table[:, 1::2] = even(angles), odd(angles)
    return table


def _angles(
    n_positions, d_model, base=10_000.0, first=0, exponents=lambda d_model: np.arange(0, d_model, 2) / d_model
):
    """The angle of each pair (across) at each position (down)."""
    return np.arange(first, first + n_positions)[:, None] / base ** exponents(d_model)


def _sinusoids(n_positions, d_model):
    return _layout(_angles(n_positions, d_model)).tolist()


def _own_exponent(n_positions, d_model):
    """Each column has an exponent of its own, so that sine and cosine of a pair turn at different speeds."""
    columns = np.arange(d_model)
    angles = np.arange(n_positions)[:, None] / 10_000 ** (columns / d_model)
    return np.where(columns % 2 == 0, np.sin(angles), np.cos(angles))


def _sinusoids_with(**changes):
    return lambda n_positions, d_model: _layout(_angles(n_positions, d_model, **changes))


sinusoid_table = Exercise(
    "sinusoid_table",
    notebook="03",
    number=3,
    minutes=15,
    difficulty="harder",
    parameters=("n_positions", "d_model"),
    right=_sinusoids,
    praise="Right: a row for each position, fast pairs on the left, slow ones on the right. The first transformer added this table to its vectors.",
    read=read_table,
    slack=1e-4,
    cases=cases(
        (3, 4),
        (1, 2, None, "At position 0 nothing has turned: the sine is 0 and the cosine 1."),
        (5, 6),
        (2, 10),
        (120, 8, None, "The base is 10,000."),
    ),
    mistakes=[
        Mistake("Sine and cosine are swapped: the sine stands in the even columns, 0, 2, 4 ...",
                lambda n, d: _layout(_angles(n, d), np.cos, np.sin)),
        Mistake("All sines stand on the left and all cosines on the right; here each cosine stands right beside its sine.",
                lambda n, d: np.hstack([np.sin(_angles(n, d)), np.cos(_angles(n, d))])),
        Mistake("The exponent is i / d_model where it should be 2 * i / d_model: i counts pairs, from 0 to d_model / 2.",
                _sinusoids_with(exponents=lambda d: np.arange(d // 2) / d)),
        Mistake("The exponent is twice as large as it should be: in column c of the sines it is c / d_model.",
                _sinusoids_with(exponents=lambda d: 2 * np.arange(0, d, 2) / d)),
        Mistake("The cosine of each pair has an exponent of its own; sine and cosine beside each other share one angle.",
                _own_exponent),
        Mistake("The exponent goes up to 1 at the last pair; it is 2 * i / d_model, which stays below 1.",
                _sinusoids_with(exponents=lambda d: np.linspace(0, 1, d // 2))),
        Mistake("The angles are taken for degrees: leave `np.radians` out.",
                lambda n, d: _layout(np.radians(_angles(n, d)))),
        Mistake("The angles are turned into degrees: leave `np.degrees` out.",
                lambda n, d: _layout(np.degrees(_angles(n, d)))),
        Mistake("The positions count from 1; they count from 0.", _sinusoids_with(first=1)),
        Mistake("The base is missing: every pair turns at the same speed.", _sinusoids_with(base=1.0)),
        Mistake("The base is 10,000, and yours is 1,000.", _sinusoids_with(base=1_000.0)),
        Mistake("The base is 10,000, and yours is 100,000.", _sinusoids_with(base=100_000.0)),
        Mistake("You multiply the position by the power of the base; divide by it, or give the exponent a minus.",
                _sinusoids_with(base=1 / 10_000)),
        Mistake("The table lies on its side: one row for each position, one column for each dimension.",
                lambda n, d: np.array(_sinusoids(n, d)).T),
        Mistake("The cosines are missing: both columns of a pair are sines.",
                lambda n, d: _layout(_angles(n, d), np.sin, np.sin)),
        Mistake("The sines are missing: both columns of a pair are cosines.",
                lambda n, d: _layout(_angles(n, d), np.cos, np.cos)),
        Mistake("The table is only half as wide: each pair has two columns, a sine and a cosine.",
                lambda n, d: np.sin(_angles(n, d))),
        Mistake("Those are the angles: take the sine and the cosine of them.",
                lambda n, d: _layout(_angles(n, d), np.abs, np.abs)),
    ],
    if_raised={
        IndexError: "There are n_positions rows and d_model columns, and both count from 0.",
        ValueError: "`positions[:, None]` is a column; divided by a row of numbers it gives an angle for each position and pair.",
        TypeError: "`range` and `np.arange` want whole numbers: `d_model // 2` is one, `d_model / 2` is not.",
    },
)  # fmt: skip
