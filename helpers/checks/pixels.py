"""The exercises of notebook 10: greys cut into levels, bits per pixel, one picture with noise, and how calibrated a model is."""

import numpy as np

from helpers.checks.checking import Exercise, Mistake, Unreadable, cases, floats, read_number

SLACK = 1e-3  # half-precision numbers have three digits, and every mistake below is larger

# Learners take roots of negative numbers and means of nothing; our own versions of their mistakes do it in silence.
_quiet = np.errstate(all="ignore")

# ---------------------------------------------------------------------------------------------
# Exercise 1: quantise
# ---------------------------------------------------------------------------------------------

INK = 16.0


def _parts(grey, levels):
    """How many parts of equal width lie below each grey, with what is left of the last."""
    return grey / INK * levels


def _quantise_with(parts=_parts, cut=np.floor, last=lambda levels: levels - 1):
    """A `quantise` in which one of its steps is another one."""

    def quantise(grey, levels):
        return np.clip(cut(parts(grey, levels)), 0, last(levels)).astype(int).tolist()

    return quantise


_quantise = _quantise_with()


def _half_up(parts):
    return np.floor(parts + 0.5)


def _no_end(levels):
    return None


def _nearest(grey, levels):
    return _parts(grey, levels - 1)


def _single(answer):
    """The single numbers in a list of lists, as they are."""
    answer = answer.tolist() if hasattr(answer, "tolist") else answer
    if not isinstance(answer, list | tuple):
        return [answer]
    return [number for one in answer for number in _single(one)]


def _read_levels(answer):
    """Levels in lists inside lists; raises Unreadable where whole numbers have a point.

    What is not whole was not cut, which is another mistake.
    """
    value = floats(answer)
    if all(map(float.is_integer, _single(value))) and any(type(one) is float for one in _single(answer)):
        raise Unreadable(
            "whole numbers, and these have a point, as `3.0` has: a level is a token, which picks a row of the embedding "
            "table, so end with `.astype(int)`"
        )
    return value


def _greys(*rows):
    return np.array(rows, dtype=np.float64)


_TOP = "16 is the end of the last part, and belongs to it: `np.minimum(..., levels - 1)`."
_EDGE = "A grey on the border of two parts belongs to the upper one: with 4 levels, 4 is the first grey of level 1."
_ANY = "Any number of levels is allowed: a part is `16 / levels` wide."

quantise = Exercise(
    "quantise",
    notebook="10",
    number=1,
    minutes=5,
    difficulty="easy",
    parameters=("grey", "levels"),
    right=_quantise,
    praise="Right: parts of equal width, and a whole number for each, which can be a token.",
    read=_read_levels,
    keeps=("grey",),
    cases=cases(
        (np.array([0.0, 3.0, 4.0, 7.0, 8.0, 12.0, 15.0, 16.0]), 4),
        (np.array([0, 1, 2, 3, 9, 14, 16]), 8, None, _ANY),
        (np.array([0.0, 3.0, 4.0, 6.0, 7.0, 9.0, 10.0, 12.0, 13.0, 16.0]), 5, None, _ANY),
        (np.array([0, 5, 6, 10, 11, 16]), 3, None, _ANY),
        (_greys([0, 7, 9], [8, 3, 13]), 2, None, "A picture has rows: the answer has the shape of `grey`."),
        (_greys([0, 2, 5, 11], [12, 6, 1, 9], [3, 13, 4, 8]), 4, None, "A picture need not hold a 16: a level stands for the same greys in each."),
        (np.array([16.0, 0.0, 8.0]), 1, None, "With one level there is one part, and all greys are in it."),
        (np.array([0.5, 3.75, 12.25, 15.5, 7.5]), 4, None, "Greys may lie between two whole numbers."),
        (np.array([0.0, 1.0, 3.0, 15.5, 16.0]), 20, None, "There may be more levels than 16. " + _TOP),
    ),
    mistakes=[
        *(Mistake("The greys at the top fall out, into one level too many. " + _TOP, _quantise_with(parts, last=_no_end))
          for parts in (_parts, lambda grey, levels: grey // (INK / levels))),
        Mistake("You make a 15 of each 16 first. With many levels 15 is not in the last part. " + _TOP,
                _quantise_with(lambda grey, levels: np.where(grey == INK, 15, grey) / INK * levels)),
        Mistake("You put 16 back to 0 with `%`, so ink becomes paper. " + _TOP, lambda grey, levels: np.fmod(_quantise_with(last=_no_end)(grey, levels), levels)),
        *(Mistake("You take the nearest of `levels` shades, as the notebook's own pictures do. Then the parts at both ends are half as wide; "
                  "here all are equally wide: multiply by `levels`, and cut.", _quantise_with(_nearest, cut)) for cut in (np.round, _half_up)),
        *(Mistake("You round; cut instead: `.astype(int)` drops what is behind the point.", _quantise_with(cut=cut, last=last))
          for cut in (np.round, _half_up) for last in (lambda levels: levels - 1, _no_end)),
        *(Mistake("You round up; cut instead: `.astype(int)` drops what is behind the point.", _quantise_with(cut=np.ceil, last=last))
          for last in (lambda levels: levels - 1, _no_end)),
        Mistake("Your levels run the other way: 0 is paper, and stays 0.", lambda grey, levels: levels - 1 - np.array(_quantise(grey, levels))),
        Mistake("Your levels begin with 1; the first is 0.", lambda grey, levels: np.array(_quantise(grey, levels)) + 1),
        Mistake("Your levels run from 0 to `levels`, one too many: each part has one level, `.astype(int)` and `levels - 1`.",
                lambda grey, levels: (np.array(_quantise(grey, levels)) + (_parts(grey, levels) > 0)).tolist()),
        *(Mistake("Your function cuts into 4 parts, however many `levels` asks for. " + _ANY, _quantise_with(lambda grey, levels: grey / 4, last=last))
          for last in (lambda levels: 3, lambda levels: levels - 1, _no_end)),
        *(Mistake("You divide by `levels`, so a part is that wide; divide by the width of a part, `16 / levels`.",
                  _quantise_with(lambda grey, levels: grey / levels, last=last)) for last in (lambda levels: levels - 1, _no_end)),
        Mistake("You multiply by `levels - 1`, so only 16 itself reaches the last level: multiply by `levels`. " + _TOP, _quantise_with(_nearest)),
        Mistake("You divide by 17. That keeps 16 inside, but the borders move: divide by 16. " + _TOP,
                _quantise_with(lambda grey, levels: grey * levels / 17)),
        Mistake("You divide by 15; the greys end with 16.", _quantise_with(lambda grey, levels: grey * levels / 15)),
        Mistake("You divide by 255; these greys end with 16.", _quantise_with(lambda grey, levels: grey * levels / 255)),
        Mistake("You take the greys as if they ended with 1: divide them by 16 first.", _quantise_with(lambda grey, levels: grey * levels)),
        Mistake("You cut the grey before it is multiplied by `levels`, and nothing but 0 and 16 is left: multiply first, then cut.",
                _quantise_with(lambda grey, levels: np.floor(grey / INK) * levels)),
        Mistake("You divide by the largest grey of the picture. Then the same grey gets one level here and another there: divide by 16.",
                _quantise_with(lambda grey, levels: grey / np.max(grey) * levels)),
        Mistake("A grey on a border falls into the lower part. " + _EDGE, _quantise_with(cut=lambda parts: np.ceil(parts) - 1)),
        *(Mistake("You don't cut: drop what is behind the point, with `.astype(int)`.", answer) for answer in (
            lambda grey, levels: _parts(grey, levels), lambda grey, levels: np.minimum(_parts(grey, levels), levels - 1))),
        Mistake("The levels are right, but in one row: the answer has the shape of `grey`.", lambda grey, levels: np.ravel(_quantise(grey, levels))),
    ],
    if_raised={
        TypeError: "`int(...)` takes one number; `.astype(int)` takes an array of any shape. `grey * 2` is a new array; `grey *= 2` would change the caller's.",
        ValueError: "`min` and `max` compare single numbers; `np.minimum(array, number)` compares every entry with the number.",
        AttributeError: "`grey` is a NumPy array, `levels` a number: `grey / 16 * levels` is an array again, and has `.astype(int)`.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 2: bits_per_pixel
# ---------------------------------------------------------------------------------------------


def _picked(odds, targets):
    """The odds that each pixel's true level had."""
    return odds[np.arange(len(targets)), targets]


def _bits_with(pick=_picked, surprise=lambda odds: -np.log2(odds), mean=np.mean):
    """A `bits_per_pixel` in which one of its steps is another one."""
    return _quiet(lambda odds, targets: float(mean(surprise(pick(odds, targets)))))


_bits = _bits_with()


def _softmax(odds, targets):
    powers = np.exp(odds)
    return _picked(powers / powers.sum(axis=1, keepdims=True), targets)


_FOUR = np.array(
    [[0.6, 0.2, 0.15, 0.05], [0.1, 0.2, 0.3, 0.4], [0.05, 0.7, 0.15, 0.1], [0.3, 0.1, 0.4, 0.2], [0.02, 0.9, 0.05, 0.03]]
)  # fmt: skip

bits_per_pixel = Exercise(
    "bits_per_pixel",
    notebook="10",
    number=2,
    minutes=10,
    difficulty="medium",
    parameters=("odds", "targets"),
    right=_bits,
    praise="Right: the loss of notebook 06, with another logarithm. Per pixel, so that large and small pictures can be compared.",
    read=read_number,
    slack=SLACK,
    keeps=("odds", "targets"),
    cases=cases(
        (np.array([[0.5, 0.25, 0.125, 0.125], [0.25, 0.25, 0.25, 0.25]]), np.array([0, 2])),
        (_FOUR, np.array([0, 1, 1, 3, 2])),
        (_FOUR, np.array([3, 3, 0, 2, 1])),
        (np.array([[0.8, 0.2], [0.3, 0.7], [0.9, 0.1]]), np.array([1, 1, 0]), None, "There may be any number of levels, here two."),
        (np.array([[0.2, 0.5, 0.3]]), np.array([2]), None, "With one pixel the mean is its own surprise."),
    ),
    mistakes=[
        Mistake("That is in nats: for bits the logarithm is to base 2, `np.log2`.", _bits_with(surprise=lambda odds: -np.log(odds))),
        Mistake("Your logarithm is to base 10; for bits it is to base 2, `np.log2`.", _bits_with(surprise=lambda odds: -np.log10(odds))),
        Mistake("That is the sum over all pixels; per pixel means their mean.", _bits_with(mean=np.sum)),
        Mistake("That is in nats, and the sum over all pixels: `np.log2`, and the mean.", _bits_with(surprise=lambda odds: -np.log(odds), mean=np.sum)),
        Mistake("You take the mean of the odds first, then the logarithm. Each pixel has its own surprise: logarithm first, then the mean.",
                _bits_with(surprise=lambda odds: odds, mean=lambda odds: -np.log2(np.mean(odds)))),
        Mistake("You take the most probable level's odds; the surprise is about the level that the pixel has, `targets`.",
                _bits_with(lambda odds, targets: odds.max(axis=1))),
        Mistake("The minus is missing: the logarithm of odds is 0 or less, and a surprise 0 or more.", _bits_with(surprise=np.log2)),
        Mistake("The minus is missing, and that is in nats: `-np.log2(...)`.", _bits_with(surprise=np.log)),
        Mistake("The minus is missing, and that is the sum: `-np.log2(...)`, and the mean.", _bits_with(surprise=np.log2, mean=np.sum)),
        Mistake("The logarithm is missing: that is the mean of the odds.", _bits_with(surprise=lambda odds: odds)),
        Mistake("You take 1 / odds, without a logarithm: the surprise is `-np.log2(odds)`.", _bits_with(surprise=lambda odds: 1 / odds)),
        Mistake("You take 1 - odds as the surprise: it is `-np.log2(odds)`.", _bits_with(surprise=lambda odds: 1 - odds)),
        Mistake("You take the odds that the level does *not* come; leave out the `1 -`.", _bits_with(surprise=lambda odds: -np.log2(1 - odds))),
        Mistake("`odds[:, targets]` takes every pixel's odds for every target, a whole table. Go pixel by pixel: `odds[np.arange(len(targets)), targets]`.",
                _bits_with(lambda odds, targets: odds[:, targets])),
        Mistake("You take every level of every pixel; only the odds of the level in `targets` count.", _bits_with(lambda odds, targets: odds)),
        Mistake("That is the surprise that the odds themselves expect, their entropy; what came is in `targets`.",
                _bits_with(lambda odds, targets: odds, lambda odds: -odds * np.log2(odds), lambda all_of: all_of.sum(axis=1).mean())),
        Mistake("You multiply each surprise by its odds. What has come counts in full: `-np.log2(odds)`, and the mean.",
                _bits_with(surprise=lambda odds: -odds * np.log2(odds))),
        Mistake("You take level 0 for each pixel; its level is in `targets`.", _bits_with(lambda odds, targets: odds[:, 0])),
        Mistake("You take the level before the right one: they are counted from 0, so leave out the `- 1`.",
                _bits_with(lambda odds, targets: _picked(odds, targets - 1))),
        Mistake("You divide by how many levels there are; divide by how many pixels there are.",
                _quiet(lambda odds, targets: _bits(odds, targets) * len(odds) / odds.shape[1])),
        Mistake("You divide by how many numbers the table holds; divide by how many pixels there are.",
                _quiet(lambda odds, targets: _bits(odds, targets) / odds.shape[1])),
        Mistake("You raise 2 to the power of the bits: that is the perplexity. The bits themselves are asked for.",
                _quiet(lambda odds, targets: 2 ** _bits(odds, targets))),
        Mistake("You take a softmax of the odds. They are probabilities already.", _bits_with(_softmax)),
        Mistake("That is the share of pixels whose most probable level is the right one. Ask how surprising the right one was.",
                lambda odds, targets: np.mean(odds.argmax(axis=1) == targets)),
        Mistake("That is the surprise of each pixel by itself; give their mean.", _quiet(lambda odds, targets: -np.log2(_picked(odds, targets)))),
    ],
    if_raised={
        IndexError: "In `odds[pixel, level]` the row comes first: `odds[np.arange(len(targets)), targets]`. Levels count from 0.",
        TypeError: "`odds` is a NumPy table, `targets` a row of levels: `odds[0, 2]` are the odds of level 2 for the first pixel.",
        ValueError: "`odds` has a row for each pixel, and `targets` one level for each: the two need not be of one shape.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 3: add_noise
# ---------------------------------------------------------------------------------------------


def _noisy_with(of_picture=np.sqrt, of_noise=lambda kept: np.sqrt(1 - kept)):
    """An `add_noise` with other weights."""
    return _quiet(lambda picture, noise, kept: (of_picture(kept) * picture + of_noise(kept) * noise).tolist())


_add_noise = _noisy_with()


def _clipped(low):
    return lambda picture, noise, kept: np.clip(_add_noise(picture, noise, kept), low, 1).tolist()


_ROWS = (
    np.array([[-1.0, 0.5, 1.0], [0.0, 1.0, -0.5]]),
    np.array([[0.4, -1.2, 2.0], [-0.3, 0.8, 1.1]]),
)
_SEVERAL = (
    np.array([[[1.0, -1.0], [0.5, 0.0]], [[-0.5, 1.0], [1.0, 0.25]], [[0.0, -1.0], [-1.0, 0.75]]]),
    np.array([[[0.3, 1.5], [-2.0, 0.1]], [[0.9, -0.4], [1.2, -0.7]], [[-1.1, 0.6], [0.2, 0.5]]]),
)

add_noise = Exercise(
    "add_noise",
    notebook="10",
    number=3,
    minutes=10,
    difficulty="medium",
    parameters=("picture", "noise", "kept"),
    right=_add_noise,
    praise="Right: from picture to noise in one step. Training needs no more, for it may begin at any of the steps.",
    read=floats,
    slack=SLACK,
    keeps=("picture", "noise"),
    cases=cases(
        (np.array([1.0, -1.0]), np.array([0.5, 2.0]), 0.64),
        (np.array([1.0, 0.5, -1.0, 0.0]), np.array([-0.8, 1.1, 0.3, 2.0]), 0.9),
        (*_ROWS, 0.25, None, "A picture has rows and columns, and arrays are added and multiplied entry by entry."),
        (*_SEVERAL, 0.51, None, "Several pictures may come in one array: whatever its shape, the answer has the same."),
        (*_ROWS, 1.0, None, "When all is kept, nothing happens to the picture."),
        (*_ROWS, 0.0, None, "When nothing is kept, only noise is left."),
    ),
    mistakes=[
        Mistake("The roots are missing. Weights that sum to 1 make the mixture paler than either: `np.sqrt(kept)` and `np.sqrt(1 - kept)`.",
                _noisy_with(lambda kept: kept, lambda kept: 1 - kept)),
        Mistake("`kept` and `1 - kept` have changed places: `kept` says how much of the picture stays.", _noisy_with(lambda kept: np.sqrt(1 - kept), np.sqrt)),
        Mistake("The roots are missing, and `kept` and `1 - kept` have changed places: `np.sqrt(kept)` goes to the picture.",
                _noisy_with(lambda kept: 1 - kept, lambda kept: kept)),
        Mistake("Your weights sum to 1, and so the variance shrinks. Their squares must: the noise counts `np.sqrt(1 - kept)` times.",
                _noisy_with(of_noise=lambda kept: 1 - np.sqrt(kept))),
        Mistake("The noise has no root: it counts `np.sqrt(1 - kept)` times. 1 - kept is its variance, and you need its standard deviation.",
                _noisy_with(of_noise=lambda kept: 1 - kept)),
        Mistake("The picture has no root: it counts `np.sqrt(kept)` times.", _noisy_with(lambda kept: kept)),
        Mistake("You take `kept` twice; the noise counts `np.sqrt(1 - kept)` times.", _noisy_with(of_noise=np.sqrt)),
        Mistake("You take `1 - kept` twice; the picture counts `np.sqrt(kept)` times.", _noisy_with(lambda kept: np.sqrt(1 - kept))),
        Mistake("The picture stays as it is, and so never gives way to the noise: it counts `np.sqrt(kept)` times.", _noisy_with(lambda kept: 1)),
        Mistake("The picture stays as it is, and the root of the noise is missing: the two count `np.sqrt(kept)` and `np.sqrt(1 - kept)` times.",
                _noisy_with(lambda kept: 1, lambda kept: 1 - kept)),
        Mistake("The noise is there in full from the beginning: it counts `np.sqrt(1 - kept)` times.", _noisy_with(of_noise=lambda kept: 1)),
        Mistake("You add the noise to the picture, and `kept` plays no part: the two count `np.sqrt(kept)` and `np.sqrt(1 - kept)` times.",
                _noisy_with(lambda kept: 1, lambda kept: 1)),
        Mistake("You give the picture alone, paler; the noise is missing.", _noisy_with(of_noise=lambda kept: 0)),
        Mistake("You give the noise alone; the picture is missing.", _noisy_with(lambda kept: 0)),
        Mistake("You take the noise away; add it.", _noisy_with(of_noise=lambda kept: -np.sqrt(1 - kept))),
        Mistake("You take squares; roots are needed, `np.sqrt(kept)` and `np.sqrt(1 - kept)`.", _noisy_with(np.square, lambda kept: (1 - kept) ** 2)),
        Mistake("You multiply the picture by `kept` and the noise by the root of 1 - kept². Here `kept` is the square itself: `np.sqrt(kept)` and `np.sqrt(1 - kept)`.",
                _noisy_with(lambda kept: kept, lambda kept: np.sqrt(1 - kept**2))),
        Mistake("You take the root of the whole sum; each weight has a root of its own, and the sum has none.",
                _quiet(lambda picture, noise, kept: np.sqrt(kept * picture + (1 - kept) * noise))),
        Mistake("You take the noise out again, from a noisy picture; put it in.",
                _quiet(lambda picture, noise, kept: (picture - np.sqrt(1 - kept) * noise) / np.sqrt(kept))),
        *(Mistake("You cut off what lies outside the range of the picture. Leave it: cut off, the noise would no longer be noise of a known kind.", answer)
          for answer in (_clipped(-1), _clipped(0))),
        Mistake("The numbers are right, but in one row: the answer has the shape of the picture.",
                lambda *given: np.ravel(_add_noise(*given))),
    ],
    if_raised={
        TypeError: "`picture` and `noise` are arrays of one shape, and `kept` is a number: `np.sqrt(kept) * picture` works on all pixels at once.",
        ValueError: "`picture` and `noise` are arrays of one shape: `*` multiplies entry by entry, where `@` multiplies matrices.",
        IndexError: "`picture` may have one axis, two, or three: arrays are added and multiplied as a whole, with no loop.",
        ZeroDivisionError: "`kept` may be 0 or 1: nothing has to be divided.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 4: calibration_error
# ---------------------------------------------------------------------------------------------


def _place(confidence, bins):
    """The bin of each answer; a confidence of 1 belongs to the last."""
    return np.minimum((confidence * bins).astype(int), bins - 1)


def _spread(confidence, bins):
    """Bins of equal width between the smallest and the largest confidence."""
    low, high = confidence.min(), confidence.max()
    return _place((confidence - low) / max(high - low, 1e-9), bins)


def _ranked(confidence, bins):
    """Bins that hold equally many answers."""
    place = np.zeros(len(confidence), dtype=int)
    for number, part in enumerate(np.array_split(np.argsort(confidence), bins)):
        place[part] = number
    return place


def _gaps(confidence, correct, bins, place=_place, middle=None):
    """For each bin that holds an answer: how many, and how much larger the share of right ones is than the confidence."""
    where = place(confidence, bins)
    found = []
    for each in sorted(set(where.tolist())):
        inside = where == each
        expected = confidence[inside].mean() if middle is None else (each + middle) / bins
        found.append((int(inside.sum()), float(correct[inside].mean() - expected)))
    return found


def _weighted(found, n, bins):
    return sum(count * abs(gap) for count, gap in found) / n


def _error_with(total=_weighted, **changes):
    """A `calibration_error` that bins or sums in another way; `total` takes the bins, how many answers, how many bins."""
    return lambda confidence, correct, bins: float(
        total(_gaps(confidence, correct, bins, **changes), len(confidence), bins)
    )


_calibration_error = _error_with()


def _without(leave_out, of_all=True):
    """A `calibration_error` that loses some answers; the others are weighed among all, or among themselves."""

    def error(confidence, correct, bins):
        stays = ~leave_out(confidence)
        if not stays.any():
            return 0.0
        return _calibration_error(confidence[stays], correct[stays], bins) * (stays.mean() if of_all else 1)

    return error


def _empty_is_nan(confidence, correct, bins):
    found = _gaps(confidence, correct, bins)
    return _weighted(found, len(confidence), bins) if len(found) == bins else np.nan


def _always(fixed):
    return lambda confidence, correct, bins: _calibration_error(confidence, correct, fixed)


_MIXED = (
    np.array([0.05, 0.12, 0.31, 0.33, 0.58, 0.62, 0.67, 0.71, 0.88, 0.93, 0.97]),
    np.array([False, True, False, True, True, False, False, True, True, True, False]),
)
_SURE = (np.array([1.0, 1.0, 0.9, 0.3, 0.45]), np.array([True, False, True, False, True]))
_DOUBTING = (np.array([0.0, 0.1, 0.85, 0.7]), np.array([True, False, True, False]))
_CLOSE = (np.array([0.42, 0.55, 0.61, 0.78, 0.7]), np.array([True, False, True, False, True]))
_EMPTY = "No answer may be as sure as that: an empty bin has no mean, and counts nothing, so leave it out."

calibration_error = Exercise(
    "calibration_error",
    notebook="10",
    number=4,
    minutes=15,
    difficulty="harder",
    parameters=("confidence", "correct", "bins"),
    right=_calibration_error,
    praise="Right: 0 means that the model is right as often as it thinks. Few answers in a bin leave much to chance, so count them, too.",
    read=read_number,
    slack=SLACK,
    keeps=("confidence", "correct"),
    cases=cases(
        (np.array([0.9, 0.8, 0.7, 0.2]), np.array([True, False, False, False]), 2),
        (*_MIXED, 3),
        (*_MIXED, 4),
        (*_MIXED, 1, None, "With one bin all answers are in it."),
        (np.array([0.95, 0.85, 0.1, 0.92]), np.array([True, True, False, False]), 4, None, _EMPTY),
        (*_SURE, 4, None, "A confidence of exactly 1 belongs to the last bin."),
        (*_DOUBTING, 3, None, "A confidence of exactly 0 belongs to the first bin."),
        (*_CLOSE, 5, None, "The bins go from 0 to 1, also where no answer is."),
        (np.array([0.6]), np.array([True]), 7, None, "There may be a single answer; all bins but one are empty then."),
    ),
    mistakes=[
        *(Mistake("Your bins all count alike; one with more answers counts more: weigh each by its share of all answers.", _error_with(total)) for total in (
            lambda found, n, bins: sum(abs(gap) for _, gap in found) / len(found), lambda found, n, bins: sum(abs(gap) for _, gap in found) / bins)),
        Mistake("You add the bins up without weights; weigh each by its share of all answers.", _error_with(lambda found, n, bins: sum(abs(gap) for _, gap in found))),
        Mistake("You multiply by how many answers a bin holds; divide that by how many there are in all.", _error_with(lambda found, n, bins: n * _weighted(found, n, bins))),
        Mistake("You divide the weighted sum by how many bins there are. The weights are shares, which sum to 1 already.",
                _error_with(lambda found, n, bins: _weighted(found, n, bins) / bins)),
        Mistake("An empty bin has no mean: out comes nan, not a number, and spoils the sum. Leave empty bins out.", _empty_is_nan),
        *(Mistake("A confidence of exactly 1 falls out behind the last bin. It belongs to the last one: `np.minimum(..., bins - 1)`.", answer)
          for answer in (_without(lambda confidence: confidence == 1), _without(lambda confidence: confidence == 1, of_all=False))),
        Mistake("A confidence of exactly 1 gets a bin of its own. It belongs to the last one: `np.minimum(..., bins - 1)`.",
                _error_with(place=lambda confidence, bins: (confidence * bins).astype(int))),
        *(Mistake("A confidence of exactly 0 falls out in front of the first bin; it belongs to the first.", answer)
          for answer in (_without(lambda confidence: confidence == 0), _without(lambda confidence: confidence == 0, of_all=False))),
        Mistake("A confidence of exactly 0 gets a bin of its own; it belongs to the first one.",
                _error_with(place=lambda confidence, bins: np.ceil(confidence * bins).astype(int))),
        Mistake("A confidence of exactly 0 lands in the last bin, since place -1 counts from the end; it belongs to the first.",
                _error_with(place=lambda confidence, bins: np.ceil(confidence * bins).astype(int) - 1 + bins * (confidence == 0))),
        *(Mistake("You let too sure and too doubtful make up for each other: take the absolute value of each bin's gap, `abs(...)`.",
                  _error_with(lambda found, n, bins, sign=sign: sign * sum(count * gap for count, gap in found) / n)) for sign in (1, -1)),
        Mistake("You take the absolute value at the end, when too sure and too doubtful have already made up for each other: take it for each bin.",
                _error_with(lambda found, n, bins: abs(sum(count * gap for count, gap in found)) / n)),
        *(Mistake(f"You compare with the bin's {name}; compare with the mean confidence of the answers in it.", _error_with(middle=middle))
          for name, middle in (("middle", 0.5), ("lower border", 0), ("upper border", 1))),
        Mistake("You square the gaps; take their absolute values.", _error_with(lambda found, n, bins: sum(count * gap**2 for count, gap in found) / n)),
        Mistake("You square the gaps, and take the root at the end; take their absolute values, and the mean.",
                _error_with(lambda found, n, bins: np.sqrt(sum(count * gap**2 for count, gap in found) / n))),
        Mistake("That is the largest gap; the weighted mean of all is asked for.", _error_with(lambda found, n, bins: max(abs(gap) for _, gap in found))),
        Mistake("That is in percent; leave it a share.", _error_with(lambda found, n, bins: 100 * _weighted(found, n, bins))),
        Mistake("You compare each answer by itself, so it is always off: only the share of right ones among many can fit a confidence. Sort them into bins first.",
                lambda confidence, correct, bins: np.abs(correct - confidence).mean()),
        Mistake("You square the gap of each answer: that is the Brier score, which needs no bins. Sort the answers into bins first.",
                lambda confidence, correct, bins: np.square(correct - confidence).mean()),
        Mistake("You compare with the share of wrong answers; take the right ones.",
                lambda confidence, correct, bins: _calibration_error(confidence, ~correct, bins)),
        Mistake("That is the share of right answers, over all bins. Compare it with the mean confidence, in each bin.", lambda confidence, correct, bins: correct.mean()),
        Mistake("That is the mean confidence, over all bins. Compare it with the share of right answers, in each bin.", lambda confidence, correct, bins: confidence.mean()),
        Mistake("Your bins hold equally many answers each; here they are equally wide, from 0 to 1.", _error_with(place=_ranked)),
        Mistake("Your bins lie between the smallest and the largest confidence; they go from 0 to 1, whatever the answers are.", _error_with(place=_spread)),
        *(Mistake("You round to find the bin; cut instead: `(confidence * bins).astype(int)`.", _error_with(place=place)) for place in (
            lambda confidence, bins: np.minimum(np.round(confidence * bins), bins - 1), lambda confidence, bins: np.round(confidence * bins),
            lambda confidence, bins: np.round(confidence * (bins - 1)))),
        Mistake("You multiply by `bins - 1`, so only a confidence of 1 reaches the last bin: multiply by `bins`.",
                _error_with(place=lambda confidence, bins: (confidence * (bins - 1)).astype(int))),
        *(Mistake(f"You always take {fixed} bins; take as many as `bins` says.", _always(fixed)) for fixed in (2, 5, 10)),
        Mistake("You give the gap of each bin; give one number, their weighted mean.",
                lambda *given: [abs(gap) for _, gap in _gaps(*given)]),
    ],
    if_raised={
        ZeroDivisionError: _EMPTY,
        IndexError: "A confidence of exactly 1 belongs to the last bin, number `bins - 1`: `np.minimum((confidence * bins).astype(int), bins - 1)`.",
        TypeError: "`confidence` and `correct` are arrays, `bins` is a number: `inside = place == 3` says for each answer whether it is in bin 3, and `confidence[inside]` takes those.",
        ValueError: "Arrays are compared entry by entry: `(confidence > 0.2) & (confidence < 0.4)`, with brackets, where `and` takes single values.",
    },
)  # fmt: skip
