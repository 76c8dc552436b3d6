"""Answers to the exercises of notebook 03: unusual ones that are right, wrong ones, and random inputs."""

# Whole functions, as a learner might write them.
UNUSUAL = {
    "same_bag": [
        """
def same_bag():
    return ["Look, the dog follows the cat!", "look , the cat follows the dog"]  # capitals, signs, a list
""",
        """
def same_bag():
    yield "once there was a red fox by the river . the fox chased a blue hen . the hen hid".split()  # words
    yield "once there was a blue hen by the river . the hen chased a red fox . the fox hid".split()
""",
        """
from helpers import tinytown
def same_bag():
    for story in tinytown.stories("train", 30):
        if story[0] == "look":
            first, other = list(story[:8]), list(story[:8])
            other[3], other[6] = other[6], other[3]
            return {" ".join(first), " ".join(other)}
""",
        """
def same_bag():
    return (
        "look , the owl meets the wolf ! the wolf runs to the hill . the owl runs to the hill too .",
        "look , the wolf meets the owl ! the owl runs to the hill . the wolf runs to the hill too .",
    )
""",
    ],
    "rotate_pair": [
        """
import numpy as np
def rotate_pair(x, y, angle):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=np.float32)
    return turn @ [x, y]  # an array
""",
        """
import cmath
def rotate_pair(x, y, angle):
    turned = complex(x, y) * cmath.exp(1j * angle)
    return [turned.real, turned.imag]
""",
        """
import torch
def rotate_pair(x, y, angle):
    angle = torch.tensor(angle)
    x, y = x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos()
    return torch.stack([x, y])
""",
        """
import math
def rotate_pair(x, y, angle):
    length, start = math.hypot(x, y), math.atan2(y, x)
    yield length * math.cos(start + angle)
    yield length * math.sin(start + angle)
""",
    ],
    "sinusoid_table": [
        """
import math
def sinusoid_table(n_positions, d_model):
    rows = []
    for position in range(n_positions):
        row = []
        for i in range(d_model // 2):
            angle = position / 10_000 ** (2 * i / d_model)
            row += [math.sin(angle), math.cos(angle)]
        rows.append(tuple(row))
    return tuple(rows)
""",
        """
import torch
def sinusoid_table(n_positions, d_model):
    positions = torch.arange(n_positions, dtype=torch.float32)[:, None]
    speeds = torch.exp(-torch.log(torch.tensor(10_000.0)) * torch.arange(0, d_model, 2) / d_model)
    return torch.stack([torch.sin(positions * speeds), torch.cos(positions * speeds)], dim=2).flatten(1)
""",
        """
import numpy as np
def sinusoid_table(n_positions, d_model):
    columns = np.arange(d_model)
    angles = np.arange(n_positions)[:, None] * 10_000.0 ** -(columns // 2 * 2 / d_model)
    return np.sin(angles + columns % 2 * np.pi / 2).astype(np.float32)  # a cosine is a sine a quarter turn on
""",
        """
import math
def sinusoid_table(n_positions, d_model):
    for position in range(n_positions):  # a generator of lists
        yield [
            (math.cos if column % 2 else math.sin)(position / 10_000 ** ((column - column % 2) / d_model))
            for column in range(d_model)
        ]
""",
    ],
}

# The body of a function, and a part of the sentence that it must get.
WRONG = {
    "same_bag": {
        "return 'dog bites man'": "this is one text",
        "return 'the fox sleeps', 'the fox sleeps', 'the fox'": "a tuple that holds 3",
        "return 'Look, the fox chases the hen!', 'look , the fox chases the hen'": "Both are the same sentence",
        "return 'look , the fox chases the hen', 'look , the hen follows the fox'": "`chases` stands once",
        "return 'look , the fox chases the hen', 'look , the hen chases the the fox'": "`the` stands",
        "return 'Dog bites man.', 'Man bites dog.'": "at the beginning of a story there can't be `dog`, but `once`, `hello`, `look`, `today`.",
        "return 'look , the fox chases the hen', 'look , hen the chases the fox'": "after `look ,` there can't be `hen`, but `the`",
        "return 'look , the fox chases the fox', 'look , the fox the fox chases'": "there can't be",
        "return 'today the teacher says two and three is five', 'today the teacher says three and two is five'":
            "Two and three is as much as three and two",
        "return '', '!'": "no words",
        "return 7, 8": "a text, and this is an int",
        "return 7": "a list of two sentences, and this is an int",
        "return first, second": "raised `NameError",
        "print('look , the fox chases the hen', 'look , the hen chases the fox')": "where it says `print`",
    },
    "rotate_pair": {
        "return x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)": "You turn with the clock",
        "a = np.radians(angle)\nreturn x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a)": "for degrees",
        "x = x * np.cos(angle) - y * np.sin(angle)\ny = x * np.sin(angle) + y * np.cos(angle)\nreturn x, y": "written over the old one before `y`",
        "return x * np.sin(angle) + y * np.cos(angle), x * np.cos(angle) - y * np.sin(angle)": "swapped: the new x",
        "return x * np.cos(angle) + y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)": "signs are plus",
        "return x * np.cos(angle), y * np.sin(angle)": "Each number is multiplied by one",
        "return x + angle, y + angle": "gave `(2.5708, 1.5708)`, and it should be `(0.0, 1.0)`",
        "return x * np.cos(angle) - y * np.sin(angle)": "must return a row of numbers, and this is one number",
        "return complex(x, y) * np.exp(1j * angle)": "is a complex",
        "return x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle), angle": "two numbers, and this is a row of 3",
        "return x[0] * np.cos(angle), y": "are plain numbers",
        "a, b = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)\nreturn 2 * a, 2 * b": "gave `(0.0, 2.0)`",
        "return x, y": "as it was",
        "return round(x * np.cos(angle) - y * np.sin(angle)), round(x * np.sin(angle) + y * np.cos(angle))": "`(1, 5)`",
    },
    "sinusoid_table": {
        "t = np.zeros((n_positions, d_model))\na = np.arange(n_positions)[:, None] / 10_000 ** (np.arange(0, d_model, 2) / d_model)\n"
        "t[:, 0::2] = np.cos(a)\nt[:, 1::2] = np.sin(a)\nreturn t": "Sine and cosine are swapped",
        "a = np.arange(n_positions)[:, None] / 10_000 ** (np.arange(0, d_model, 2) / d_model)\n"
        "return np.concatenate([np.sin(a), np.cos(a)], axis=1)": "on the left",
        "return [[f(p / 10_000 ** (i / d_model)) for i in range(d_model // 2) for f in (np.sin, np.cos)] for p in range(n_positions)]": "i counts pairs",
        "return [[(np.cos if c % 2 else np.sin)(p / 10_000 ** (c / d_model)) for c in range(d_model)] for p in range(n_positions)]": "share one angle",
        "return [[(np.cos if c % 2 else np.sin)(p / 10_000 ** (2 * c / d_model)) for c in range(d_model)] for p in range(n_positions)]": "and it should be",
        "return [[f(np.radians(p / 10_000 ** (2 * i / d_model))) for i in range(d_model // 2) for f in (np.sin, np.cos)] for p in range(n_positions)]": "for degrees",
        "return [[f(p / 10_000 ** (2 * i / d_model)) for i in range(d_model // 2) for f in (np.sin, np.cos)] for p in range(1, n_positions + 1)]": "count from 1",
        "return [[f(p) for i in range(d_model // 2) for f in (np.sin, np.cos)] for p in range(n_positions)]": "The base is missing",
        "return [[f(p / 1_000 ** (2 * i / d_model)) for i in range(d_model // 2) for f in (np.sin, np.cos)] for p in range(n_positions)]": "yours is 1,000",
        "return np.array([[f(p / 10_000 ** (2 * i / d_model)) for i in range(d_model // 2) for f in (np.sin, np.cos)] for p in range(n_positions)]).T": "lies on its side",
        "return [[f(p * 10_000 ** (2 * i / d_model)) for i in range(d_model // 2) for f in (np.sin, np.cos)] for p in range(n_positions)]": "You multiply the position",
        "return [[np.sin(p / 10_000 ** (2 * i / d_model)) for i in range(d_model // 2)] for p in range(n_positions)]": "half as wide",
        "return [[f(p / 10_000 ** (2 * i / d_model)) for i in range(d_model / 2) for f in (np.sin, np.cos)] for p in range(n_positions)]": "`d_model // 2` is one",
        "return [f(p / 10_000 ** (2 * i / d_model)) for p in range(n_positions) for i in range(d_model // 2) for f in (np.sin, np.cos)]": "a table of numbers, and this is a row of 12 numbers",
        "return [[f(p / 9_000 ** (2 * i / d_model)) for i in range(d_model // 2) for f in (np.sin, np.cos)] for p in range(n_positions)]": "gave `0.0105` in row 1, column 2",
    },
}  # fmt: skip


# Arguments by chance: what tells a changed solution from the right one.
INPUTS = {
    "same_bag": lambda rng: (),
    "rotate_pair": lambda rng: (rng.uniform(-3, 3), rng.uniform(-3, 3), rng.uniform(-9, 9)),
    "sinusoid_table": lambda rng: (rng.randint(1, 40), 2 * rng.randint(1, 6)),
}
