"""Pixels: a picture as a text, written row by row by a GPT that predicts the next pixel.

The pictures are scikit-learn's handwritten digits, 8 by 8 pixels, with four shades instead of seventeen. Read from left to
right and from top to bottom, one is a text of 64 tokens in a language of four words. In front of it stands ``<start>``, or
the digit's name: then the prompt says what to draw. The model is the class that reads Tinytown; nothing in it knows
that the pixel above is a neighbour, though it stands eight tokens back. That is learned.

1. The data: ``digits``, ``quantise``, ``to_grey``; who wrote what, and a split that no sheet of handwriting crosses.
2. How well a picture was expected: ``dice``, ``surprise``, ``bits_per_pixel``; the same for ``Counts``, the n-grams of
   pictures, as ``baselines``.
3. Drawing: ``complete`` goes on from the top rows, ``samples`` draws from nothing, ``draw`` is what both call.
4. Are these digits? ``Judge`` names a picture by the training pictures nearest to it; ``judge_completions`` counts.
5. Where a pixel looks: ``attention_by_offset``.

``python -m helpers.pixels`` trains the model that the notebook starts from and writes it to
``helpers/weights/pixels.safetensors``.

What this leaves out: colour, larger pictures (every pixel more is a token more), and every order but row by row.

Sources: van den Oord et al. 2016 (arXiv:1601.06759), sections 2 and 5, for pictures as sequences of pixels and bits per
pixel; Chen et al. 2020, "Generative Pretraining from Pixels", for a GPT that does it and halves completed; Alpaydin and
Kaynak 1998 (UCI Machine Learning Repository, doi:10.24432/C50P49) for the digits; Krichevsky and Trofimov 1981, equation
1, for counting from a half.
"""

import argparse
import contextlib
import functools
import math
import operator
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from helpers.sampling import temperature_softmax, uniforms
from helpers.training import TrainingConfig, train
from helpers.transformer import GPT, Cache, GPTConfig, load_model, save_model

SIDE = 8  # pixels in a row, and rows in a picture
PIXELS = SIDE * SIDE
LEVELS = 4  # shades, from 0 (paper) to 3 (ink): their numbers are their tokens
WHITEST, BLACKEST = 0, 16  # what the data count: how many of a pixel's 16 finer dots have ink
TOKENS = ("paper", "light", "dark", "ink", "<start>", *(f"<{digit}>" for digit in range(10)))
START = TOKENS.index("<start>")
MOST = 1000  # pictures drawn by one call
LOOK_EVERY = 100  # steps of training between two looks at the validation pictures

CONFIG = GPTConfig(
    vocab_size=len(TOKENS), n_ctx=PIXELS, n_layers=2, n_heads=4, d_model=64, bias=False, dropout=0.15
)
STD = 0.05  # of the first weights: so narrow a model learns sooner from larger ones than GPT-2's 0.02
# A batch of 32 pictures is 2,048 pixels; with 64, as many pictures teach less, because there are half as many steps.
TRAINING = TrainingConfig(steps=2400, batch_size=32, learning_rate=6e-3)
# To watch: beats every count in seconds. So few steps learn nothing by heart, so dropout would only slow them down.
LIVE_CONFIG = replace(CONFIG, dropout=0.0)
LIVE = replace(TRAINING, steps=300)
WEIGHTS = Path(__file__).parent / "weights" / "pixels.safetensors"


# ---------------------------------------------------------------------------------------------
# The data.

# Every writer filled in forms that begin with 0 1 2 ... 9, three times over. The pictures come in the order of the
# forms, so that the first one of each can be found: fourteen sheets, by thirteen people. (Two lack a digit or two there.)
FIRST_OF_SHEET = (0, 130, 256, 386, 516, 646, 776, 906, 1029, 1157, 1287, 1415, 1545, 1667)
SHEETS = {"train": (0, 1, 3, 4, 6, 7, 8, 10, 11, 13), "validation": (5, 12), "test": (2, 9)}


class Digits(NamedTuple):
    """Pictures of handwritten digits, and what they show."""

    levels: Int[np.ndarray, "image 8 8"]  # 0 (paper) to 3 (ink), rows from the top
    labels: Int[np.ndarray, " image"]  # the digit, 0 to 9
    sheets: Int[np.ndarray, " image"]  # the form it was written on, counted from 0


def quantise(grey: Any) -> Int[np.ndarray, "*any"]:
    """The shade, 0 to 3, that is nearest to each number from 0 to 16; ``to_grey`` says what a shade stands for.

    0 to 2 become 0, 3 to 7 become 1, 8 to 13 become 2, 14 to 16 become 3. 8 lies in the middle and goes to the darker.

    >>> quantise([0, 2, 3, 7, 8, 13, 14, 16]).tolist()
    [0, 0, 1, 1, 2, 2, 3, 3]

    Raises ValueError for what is no whole number from 0 to 16.
    """
    numbers = _array("grey", grey)
    if not ((numbers >= WHITEST) & (numbers <= BLACKEST) & (numbers == np.floor(numbers))).all():
        raise ValueError(
            f"grey must be whole numbers from {WHITEST} to {BLACKEST}, got others; a picture from 0 to 255 is divided by "
            "16 and rounded down first"
        )
    # In whole numbers, so that no rounding of floats decides about the 8.
    return (numbers.astype(np.int64) * (LEVELS - 1) + BLACKEST // 2) // BLACKEST


def to_grey(levels: Any) -> Float[np.ndarray, "*any"]:
    """What the shades stand for, from 0 (paper) to 16 (ink): 0, 5 1/3, 10 2/3, 16.

    >>> to_grey([0, 1, 2, 3]).round(2).tolist()
    [0.0, 5.33, 10.67, 16.0]

    Raises ValueError for what is no shade from 0 to 3.
    """
    return _shades("levels", levels) * BLACKEST / (LEVELS - 1)


def digits(split: str = "train") -> Digits:
    """The digits of a split: "train" (1,285 pictures), "validation" (252), "test" (260), or "all" (1,797).

    No sheet of handwriting is in two splits: who wrote the test pictures has written none of those trained on, but
    for the one person among the thirteen who filled in two sheets, which nobody can tell. Nothing is fetched: the
    pictures are part of scikit-learn. The arrays are the same at every call, and can't be written to.

    >>> print("\\n".join("".join(".-+#"[level] for level in row) for row in digits().levels[0, :3]))
    ..-++...
    ..+#+#-.
    .-#..++.

    Raises ValueError for another split.
    """
    if split not in ("all", *SHEETS):
        raise ValueError(f"split must be one of {', '.join(SHEETS)} or all, got {split!r}; try 'train'")
    return _digits(split)


@functools.cache
def _digits(split: str) -> Digits:
    if split != "all":
        everything = _digits("all")
        chosen = np.isin(everything.sheets, SHEETS[split])
        found = [part[chosen] for part in everything]
    else:
        # Here, because it takes a second: only whoever wants the pictures waits for it.
        from sklearn.datasets import load_digits

        data = load_digits()
        sheets = np.searchsorted(FIRST_OF_SHEET, np.arange(len(data.target)), side="right") - 1
        found = [quantise(data.images), data.target.astype(np.int64), sheets.astype(np.int64)]
    for part in found:
        part.flags.writeable = False
    return Digits(*found)


def _array(name: str, values: Any) -> np.ndarray:
    """Numbers in an array of any shape."""
    try:
        numbers = np.asarray(values)
    except ValueError:  # rows of different lengths
        numbers = np.array(None)
    if numbers.dtype.kind not in "iuf":
        raise ValueError(f"{name} must be numbers in an array, got {values!r:.60}; digits().levels is one")
    return numbers


def _shades(name: str, values: Any) -> Int[np.ndarray, "*any"]:
    numbers = _array(name, values)
    wrong = numbers[~np.isin(numbers, range(LEVELS))]
    if wrong.size:
        raise ValueError(
            f"{name} must be whole numbers from 0 (paper) to {LEVELS - 1} (ink), got {wrong.flat[0]:g}; "
            "quantise makes them from 0 to 16"
        )
    return numbers.astype(np.int64)


def _pictures(name: str, values: Any) -> Int[np.ndarray, "image 8 8"]:
    """Whole pictures, at least one."""
    numbers = _array(name, values)
    if numbers.shape[1:] != (SIDE, SIDE) or not len(numbers):
        hint = "wrap one picture as levels[None]" if numbers.shape == (SIDE, SIDE) else "digits().levels fit"
        raise ValueError(
            f"{name} must be pictures [image, {SIDE}, {SIDE}], at least one, got the shape {list(numbers.shape)}; {hint}"
        )
    return _shades(name, numbers)


def _tops(values: Any) -> Int[np.ndarray, "image row 8"]:
    """The upper rows of pictures, from none to all but one; at least one picture."""
    numbers = _array("tops", values)
    if numbers.ndim != 3 or numbers.shape[2] != SIDE or not len(numbers):
        raise ValueError(
            f"tops must be rows of {SIDE} shades, [picture, row, {SIDE}], at least one picture, got the shape "
            f"{list(numbers.shape)}; levels[:, :4] are the top halves of digits"
        )
    if numbers.shape[1] >= SIDE:
        raise ValueError(f"a row must be left to draw, got {numbers.shape[1]} of {SIDE}; give fewer")
    return _shades("tops", numbers)


def _whole(name: str, value: Any, least: int, most: int, hint: str) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or not least <= number <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most:,}, got {value!r:.40}; {hint}")
    return number


def _names(labels: Any, count: int) -> Int[np.ndarray, " image"]:
    """One digit for each picture."""
    names = np.asarray(labels)
    if names.shape != (count,) or names.dtype.kind not in "iu" or not np.isin(names, range(10)).all():
        raise ValueError(
            f"labels must be a digit from 0 to 9 for each of the {count} pictures, got {labels!r:.60}; "
            "digits().labels are such"
        )
    return names.astype(np.int64)


def _first_tokens(labels: Any, count: int) -> Int[np.ndarray, " image"]:
    """What stands in front of each picture: ``<start>`` without labels, otherwise the digit's name."""
    return np.full(count, START) if labels is None else START + 1 + _names(labels, count)


def sequences(levels: Any, labels: Any = None) -> tuple[Int[Tensor, "image 64"], Int[Tensor, "image 64"]]:
    """Inputs and targets of pictures as ``train`` takes them: the targets are the pixels, row by row, and the inputs the
    same moved by one, behind ``<start>`` or, with ``labels``, behind the digit's name.

    >>> inputs, targets = sequences(digits().levels[:1], labels=[7])
    >>> [TOKENS[token] for token in inputs[0, :4]], [TOKENS[token] for token in targets[0, :4]]
    (['<7>', 'paper', 'paper', 'light'], ['paper', 'paper', 'light', 'dark'])

    Raises ValueError for what are no pictures, and for labels that are not one digit a picture.
    """
    targets = _pictures("levels", levels).reshape(-1, PIXELS)
    inputs = np.concatenate([_first_tokens(labels, len(targets))[:, None], targets[:, :-1]], axis=1)
    return torch.from_numpy(inputs), torch.from_numpy(targets)


def training_rows(data: Digits) -> tuple[Int[Tensor, "row 64"], Int[Tensor, "row 64"]]:
    """Inputs and targets in which every picture comes twice: behind ``<start>``, and behind the digit's name."""
    plain, named = sequences(data.levels), sequences(data.levels, data.labels)
    return torch.cat([plain[0], named[0]]), torch.cat([plain[1], named[1]])


# ---------------------------------------------------------------------------------------------
# How well a picture was expected.


class Counts(NamedTuple):
    """The odds of a pixel by counting: an n-gram, whose context is where the pixel is and what is next to it."""

    name: str  # one of BASELINES
    odds: Float[np.ndarray, "context level"]  # rows sum to 1


BASELINES = {
    "uniform": (),  # every shade alike, nothing counted
    "histogram": (),  # how often each shade comes at all
    "by place": ("place",),  # ... at this place of the picture
    "neighbours": ("left", "above"),  # ... where the pixels to the left and above are what they are
    "place and neighbours": ("place", "left", "above"),
}


def _contexts(images: Int[np.ndarray, "image 8 8"], name: str) -> Int[np.ndarray, "image 8 8"]:
    """The number of each pixel's context in the table of a baseline."""
    # What lies outside the picture counts as a fifth shade.
    framed = np.pad(images, ((0, 0), (1, 0), (1, 0)), constant_values=LEVELS)
    parts = {
        "place": (np.arange(PIXELS).reshape(SIDE, SIDE), PIXELS),
        "left": (framed[:, 1:, :-1], LEVELS + 1),
        "above": (framed[:, :-1, 1:], LEVELS + 1),
    }
    contexts = np.zeros_like(images)
    for part in BASELINES[name]:
        values, size = parts[part]
        contexts = contexts * size + values
    return contexts


def count_levels(images: Any, name: str, smoothing: float = 0.5) -> Counts:
    """The odds of one of the BASELINES, counted on pictures.

    Counting begins at `smoothing` instead of 0, in every context for every shade, so that what never came is rare and not
    impossible; a half is the choice of Krichevsky and Trofimov. With 0 the odds are the shares themselves, and a
    context that never came is uniform.

    >>> black = np.full((1, 8, 8), 3)
    >>> count_levels(black, "histogram", smoothing=16).odds.tolist()  # 16, 16, 16 and 16 + 64 of 128
    [[0.125, 0.125, 0.125, 0.625]]

    Raises ValueError for what are no pictures, another name, and a smoothing that is not 0 or more and finite.
    """
    images = _pictures("images", images)
    if name not in tuple(BASELINES):
        raise ValueError(f"name must be one of {', '.join(BASELINES)}, got {name!r}; try 'neighbours'")
    if not (isinstance(smoothing, int | float | np.number) and 0 <= smoothing < math.inf):
        raise ValueError(
            f"smoothing must be 0 or more and finite, got {smoothing!r:.40}; 0.5 is usual, 0 is none"
        )
    sizes = {"place": PIXELS, "left": LEVELS + 1, "above": LEVELS + 1}
    counts = np.full((math.prod(sizes[part] for part in BASELINES[name]), LEVELS), float(smoothing))
    if name != "uniform":
        np.add.at(counts, (_contexts(images, name), images), 1)
    totals = counts.sum(axis=1, keepdims=True)
    odds = np.where(totals > 0, counts / np.where(totals > 0, totals, 1), 1 / LEVELS)
    return Counts(name, odds)


def baselines(images: Any, smoothing: float = 0.5) -> list[Counts]:
    """All BASELINES, counted on the same pictures, from the one that knows least."""
    return [count_levels(images, name, smoothing) for name in BASELINES]


def dice(model: GPT | Counts, images: Any, labels: Any = None) -> Float[np.ndarray, "image 64 level"]:
    """The odds of every shade at every pixel, given the pixels before it, at temperature 1.

    A GPT's score for tokens that are no shades is left out: behind the first token, none ever comes. With ``labels``
    the model is told the digit first. Raises ValueError for what are no pictures, for labels that are not one digit a
    picture or that go to a baseline, and for a GPT of another vocabulary.
    """
    images = _pictures("images", images)
    if isinstance(model, Counts):
        if labels is not None:
            raise ValueError("labels must be None for a baseline, got some; counting is not told the digit")
        return model.odds[_contexts(images, model.name)].reshape(-1, PIXELS, LEVELS)
    _check_model(model)
    inputs, _ = sequences(images, labels)
    with _only_reading(model):
        logits = torch.cat([model(part)[:, :, :LEVELS] for part in inputs.split(256)])
    return _odds(logits, 1.0)


def surprise(model: GPT | Counts, images: Any, labels: Any = None) -> Float[np.ndarray, "image 8 8"]:
    """How many bits each pixel came as a surprise: -log2 of its probability, infinite for the impossible.

    >>> uniform = count_levels(digits().levels, "uniform")
    >>> surprise(uniform, digits().levels[:1])[0, 0].tolist()  # one of four: two bits
    [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]

    Raises ValueError as ``dice`` does.
    """
    odds = dice(model, images, labels)
    levels = _pictures("images", images).reshape(-1, PIXELS, 1)
    with np.errstate(divide="ignore"):
        bits = -np.log2(np.take_along_axis(odds, levels, axis=2)[:, :, 0])
    return bits.reshape(-1, SIDE, SIDE) + 0.0


def bits_per_pixel(model: GPT | Counts, images: Any, labels: Any = None) -> float:
    """The mean surprise of the pixels of pictures, in bits: what it costs to store one if the model is shared.

    Raises ValueError as ``dice`` does.
    """
    return float(surprise(model, images, labels).mean())


def _check_model(model: Any) -> None:
    size = model.config.vocab_size if isinstance(model, GPT) else None
    if size != len(TOKENS):
        raise ValueError(
            f"the model must be a GPT with the {len(TOKENS)} tokens of pictures, got "
            f"{f'one with {size:,}' if size else repr(model)[:60]}; load_pixels() gives one"
        )
    if model.config.n_ctx < PIXELS:
        raise ValueError(
            f"the model must read {PIXELS} tokens, got one with n_ctx={model.config.n_ctx}; CONFIG fits"
        )


@contextlib.contextmanager
def _only_reading(model: GPT) -> Iterator[None]:
    """Evaluation mode without gradients, and afterwards the mode in which the model was."""
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(training)


def _odds(logits: Float[Tensor, "*any level"], temperature: float) -> Float[np.ndarray, "*any level"]:
    """``sampling.temperature_softmax`` for many pixels at once."""
    below = logits.double() - logits.amax(dim=-1, keepdim=True)
    # The best stay where they are at every temperature, 0 too, which sends all others to -infinity.
    return torch.where(below == 0, 0.0, below / temperature).softmax(dim=-1).numpy()


# ---------------------------------------------------------------------------------------------
# Drawing.


class Drawn(NamedTuple):
    """Pictures (or one, without the first axis), and the dice that were rolled for their pixels.

    For the rows that were given there are dice too: those that would have been rolled.
    """

    levels: Int[np.ndarray, "*picture 8 8"]
    dice: Float[np.ndarray, "*picture 64 level"]  # after the temperature
    probabilities: Float[np.ndarray, "*picture 64"]  # of the shade that is there, under these dice


def draw(model: GPT, tops: Any, temperature: float = 1.0, seed: int = 0, labels: Any = None) -> Drawn:
    """Pictures that begin with the given rows, ``tops [picture, row, 8]``; the other pixels are rolled one by one.

    With ``labels``, one digit a picture, the model is told what to draw. Temperature 0 takes the likeliest shade each
    time, and each top has one end only. Pixel i of picture n falls with point 64 n + i of ``uniforms(seed)``: so the
    first pictures are the same however many follow, and a browser can roll the same dice.

    Raises ValueError for what are no rows, for more than 7 of them or 1,000 pictures, for a temperature below 0, a
    seed that is no whole number, labels that do not fit, and a model that does not know pictures.
    """
    _check_model(model)
    tops = _tops(tops)
    count = _whole("the number of pictures", len(tops), 1, MOST, "draw the others with another seed")
    if isinstance(temperature, bool) or not isinstance(temperature, int | float | np.number):
        raise ValueError(f"temperature must be a number from 0, got {temperature!r:.40}; 1 changes nothing")
    temperature_softmax([0.0], temperature)  # which refuses what is below 0
    given = tops.reshape(count, -1)
    points = uniforms(count * PIXELS, seed).reshape(count, PIXELS)
    levels = np.zeros((count, PIXELS), dtype=np.int64)
    levels[:, : given.shape[1]] = given
    rolled = np.zeros((count, PIXELS, LEVELS))

    new = torch.from_numpy(np.concatenate([_first_tokens(labels, count)[:, None], given], axis=1))
    cache, read = Cache(), 0  # tokens read
    with _only_reading(model):
        while True:
            logits = model(new, cache=cache)[:, :, :LEVELS]
            rolled[:, read : cache.length] = _odds(logits, temperature)
            read = cache.length
            pixel = read - 1  # the first of the tokens is no pixel
            # The shade in whose stretch the point falls, as in `sampling.roll`.
            edges = rolled[:, pixel].cumsum(axis=1)
            levels[:, pixel] = (edges <= points[:, pixel, None] * edges[:, -1:]).sum(axis=1)
            if read == PIXELS:
                break
            new = torch.from_numpy(levels[:, pixel, None])
    probabilities = np.take_along_axis(rolled, levels[:, :, None], axis=2)[:, :, 0]
    return Drawn(levels.reshape(count, SIDE, SIDE), rolled, probabilities)


def complete(
    model: GPT, top: Any, temperature: float = 1.0, seed: int = 0, digit: int | None = None
) -> Drawn:
    """One picture that begins with the rows ``top [row, 8]``, from 1 to 7 of them; ``digit`` says what it shall be.

    The first of ``completions`` with the same seed. Raises ValueError as ``draw`` does, and without a row.
    """
    return Drawn(*(part[0] for part in completions(model, top, 1, temperature, seed, digit)))


def completions(
    model: GPT, top: Any, count: int, temperature: float = 1.0, seed: int = 0, digit: int | None = None
) -> Drawn:
    """`count` pictures that all begin with the rows ``top [row, 8]``, from 1 to 7 of them.

    Raises ValueError as ``draw`` does, and without a row.
    """
    rows = _array("top", top)
    if rows.ndim != 2 or rows.shape[1] != SIDE or not len(rows):
        raise ValueError(
            f"top must be rows of {SIDE} shades, [row, {SIDE}], at least one, got the shape {list(rows.shape)}; "
            "samples draws without any"
        )
    return _many(model, rows, count, temperature, seed, digit)


def samples(
    model: GPT, count: int, temperature: float = 1.0, seed: int = 0, digit: int | None = None
) -> Drawn:
    """`count` pictures drawn from nothing, or from the digit's name alone. Raises ValueError as ``draw`` does."""
    return _many(model, np.zeros((0, SIDE), dtype=np.int64), count, temperature, seed, digit)


def _many(model: GPT, top: np.ndarray, count: int, temperature: float, seed: int, digit: int | None) -> Drawn:
    count = _whole("count", count, 1, MOST, "16 fill a picture")
    labels = None if digit is None else [_whole("digit", digit, 0, 9, "None draws whatever comes")] * count
    return draw(model, np.repeat(top[None], count, axis=0), temperature, seed, labels)


def load_pixels(*, trainable: bool = False) -> GPT:
    """The model that ``python -m helpers.pixels`` trained; it is part of the course."""
    try:
        return load_model(WEIGHTS, trainable=trainable)
    except (ValueError, FileNotFoundError) as error:
        raise type(error)(f"{str(error).rpartition('; ')[0]}; run: git checkout helpers/weights") from error


# ---------------------------------------------------------------------------------------------
# Are these digits?


class Judgement(NamedTuple):
    """What a judge makes of pictures."""

    labels: Int[np.ndarray, " image"]  # the digit that most of the nearest show
    sure: Float[np.ndarray, " image"]  # the share of the nearest that show it
    distance: Float[np.ndarray, " image"]  # to the nearest of all, in shades: the root of the summed squares


class Judge:
    """Names a picture by the known pictures nearest to it: those that differ least, shade by shade.

    Each known picture counts five times: as it is, and moved by one pixel to each side. Distances are sums of whole
    numbers, so that every computer finds the same. Of digits that tie, the lower one is named. Raises ValueError for
    data that do not fit each other, fewer pictures than neighbours, and a number of neighbours below 1.

    >>> Judge(digits("train"))(digits("test").levels[:5]).labels.tolist()
    [0, 1, 2, 3, 4]
    """

    def __init__(self, known: Digits, neighbours: int = 5):
        levels, count = _pictures("known.levels", known.levels), len(known.levels)
        self.neighbours = _whole("neighbours", neighbours, 1, count, "5 is usual")
        self._labels = np.tile(_names(known.labels, count), 5)
        framed = np.pad(levels, ((0, 0), (1, 1), (1, 1)))
        moves = ((1, 1), (1, 0), (1, 2), (0, 1), (2, 1))
        moved = [framed[:, row : row + SIDE, column : column + SIDE] for row, column in moves]
        self._known = (
            np.concatenate(moved).reshape(-1, PIXELS).astype(float)
        )  # floats: their product is faster

    def __call__(self, images: Any) -> Judgement:
        """What the pictures show. Raises ValueError for what are no pictures."""
        asked = _pictures("images", images).reshape(-1, PIXELS).astype(float)
        squares = (asked**2).sum(1)[:, None] - 2 * asked @ self._known.T + (self._known**2).sum(1)
        nearest = np.argsort(squares, axis=1, kind="stable")[:, : self.neighbours]
        votes = (self._labels[nearest][:, :, None] == np.arange(10)).sum(axis=1)
        return Judgement(votes.argmax(1), votes.max(1) / self.neighbours, np.sqrt(squares.min(1)))


@functools.cache
def default_judge() -> Judge:
    """The judge of the course: it knows the training and the validation pictures, and none of the test pictures."""
    train, validation = digits("train"), digits("validation")
    return Judge(Digits(*(np.concatenate(parts) for parts in zip(train, validation, strict=True))))


class Completed(NamedTuple):
    """How completions of held-out pictures were judged; counts, out of `pictures`."""

    temperature: float
    pictures: int
    right: int  # shows the digit whose upper rows were given
    sure: int  # all neighbours agree on what it shows, right or wrong
    distance: float  # the mean distance to the nearest known picture, in shades
    different: int  # tops for which the second completion differs from the first


def judge_completions(
    model: GPT,
    data: Digits,
    temperature: float = 1.0,
    rows: int = 4,
    seed: int = 0,
    *,
    told: bool = False,
    judge: Judge | None = None,
) -> Completed:
    """Completes the upper `rows` of every picture twice, and judges the first; ``told`` names the digit beforehand.

    With 0 rows nothing but the name is given. Raises ValueError as ``draw`` does.
    """
    rows = _whole("rows", rows, 0, SIDE - 1, "4 are half a picture")
    tops, labels = _pictures("data.levels", data.levels)[:, :rows], data.labels if told else None
    first, second = (draw(model, tops, temperature, number, labels).levels for number in (seed, seed + 1))
    found = (judge or default_judge())(first)
    return Completed(
        float(temperature),
        len(tops),
        int((found.labels == data.labels).sum()),
        int((found.sure == 1).sum()),
        float(found.distance.mean()),
        int((first != second).any(axis=(1, 2)).sum()),
    )


# ---------------------------------------------------------------------------------------------
# Where a pixel looks.


class Offsets(NamedTuple):
    """The mean attention that a head gives, when a pixel is predicted, to what lies so far above and to the side."""

    weights: Float[np.ndarray, "layer head 8 15"]  # rows_above by columns_right, which follow
    first: Float[np.ndarray, "layer head"]  # to the token in front of the picture
    rows_above = tuple(range(SIDE))
    columns_right = tuple(range(1 - SIDE, SIDE))


def attention_by_offset(model: GPT, images: Any, labels: Any = None) -> Offsets:
    """Where the heads look, seen from the pixel that is predicted: the mean weight by row and column offset.

    ``weights[layer, head, 1, 7]`` is what the pixel above gets, ``[.., 0, 6]`` the one to the left; the mean is over
    pictures and over all pixels that have a pixel there. NaN where none can be: the pixel itself, and what comes after
    it. The prediction of a pixel is made one token earlier, at the pixel before it: that one counts as the left
    neighbour, though there the model looks at itself. Raises ValueError as ``dice`` does.
    """
    _check_model(model)
    inputs, _ = sequences(images, labels)
    with _only_reading(model):
        # A mean of means: all parts but the last are alike, and so each counts by its size.
        parts = [(len(part), model(part, trace=True)[1].attention.mean(1)) for part in inputs.split(64)]
    mean = sum(size * weights for size, weights in parts).double().numpy() / len(inputs)
    row, column = np.divmod(np.arange(PIXELS), SIDE)
    # Query i predicts pixel i; key j + 1 is pixel j, and key 0 the token in front.
    query, key = np.tril_indices(PIXELS, -1)
    place = (row[query] - row[key], column[key] - column[query] + SIDE - 1)
    totals = np.zeros((*mean.shape[:2], SIDE, 2 * SIDE - 1))
    np.add.at(totals, (..., *place), mean[:, :, query, key + 1])
    seen = np.zeros(totals.shape[2:])
    np.add.at(seen, place, 1)
    return Offsets(np.where(seen > 0, totals / np.maximum(seen, 1), np.nan), mean[:, :, :, 0].mean(2))


# ---------------------------------------------------------------------------------------------
# The command.


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains the model of pictures, keeps the weights that were best on the validation pictures, and writes them."""
    parser = argparse.ArgumentParser(prog="python -m helpers.pixels", description=main.__doc__)
    parser.add_argument("--steps", type=int, default=TRAINING.steps)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args(arguments)
    data, held_out, began = digits("train"), digits("validation"), time.perf_counter()
    model = GPT(CONFIG, seed=0, std=STD)
    print(f"{model.n_params:,} parameters, {len(data.levels):,} pictures", flush=True)
    best, kept = math.inf, {}
    for record in train(model, *training_rows(data), replace(TRAINING, steps=options.steps)):
        if record.step % LOOK_EVERY and record.step != options.steps:
            continue
        plain = bits_per_pixel(model, held_out.levels)
        named = bits_per_pixel(model, held_out.levels, held_out.labels)
        print(
            f"step {record.step:5}  training {record.loss / math.log(2):.3f}  validation {plain:.4f} bits a pixel, "
            f"{named:.4f} told the digit  {time.perf_counter() - began:4.0f} s",
            flush=True,
        )
        if plain + named < best:
            best, kept = plain + named, {name: x.clone() for name, x in model.state_dict().items()}
    model.load_state_dict(kept)
    fresh = digits("test")
    for counts in baselines(data.levels):
        print(
            f"{counts.name:22} {bits_per_pixel(counts, fresh.levels):.4f} bits a pixel on the test pictures"
        )
    print(f"{'model':22} {bits_per_pixel(model, fresh.levels):.4f}")
    print(f"{'model, told the digit':22} {bits_per_pixel(model, fresh.levels, fresh.labels):.4f}")
    save_model(model, options.out)
    print(f"wrote {options.out.name}, {options.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"helpers.pixels: {error}")
