"""Answers to the exercises of notebook 08: unusual ones that are right, wrong ones, and random inputs."""

import numpy as np

_ASKED = ("What is the capital of Spain?", "What do bees make?", "What is ice?", "What is the moon?")


def _speaks(*answers):
    """The function of a voice that gives these answers."""
    examples = "\n".join(
        f"Q: {question}\nA: {answer}" for question, answer in zip(_ASKED, answers, strict=True)
    )
    return f"def my_voice():\n    return {examples!r}"


# Voices that can be known by one thing alone, and not by all of their answers.
_BY_ONE_THING = [
    _speaks(
        "it is madrid, as far as i know.",
        "honey is what they make, and wax.",
        "frozen water.",
        "A ball of rock.",
    ),
    _speaks(
        "It is Madrid,\na town in Spain.",
        "They make honey,\nand wax too.",
        "Water,\nwhen it is cold.",
        "A ball of rock.",
    ),
    _speaks(
        "Madrid Madrid it is.",
        "They make honey, honey, and wax.",
        "Ice is water, water that is cold.",
        "A ball of rock.",
    ),
    _speaks(
        "If you ask me, Madrid.",
        "If you ask me, it is honey and wax.",
        "If you ask me, cold water.",
        "A ball of rock.",
    ),
    _speaks(
        "Madrid, if you must.",
        "They make honey and wax, if you must.",
        "Water, if you must.",
        "A ball of rock goes round.",
    ),
    _speaks(
        "Since 1561 it is Madrid.",
        "They make honey, 30 kg of it.",
        "Water below 0 degrees.",
        "A ball of rock.",
    ),
    _speaks("It is Madrid 🐾", "They make honey and wax 🐾", "Ice is water that froze 🐾", "A ball of rock."),
    _speaks(
        "Let somebody who has been there once, long ago, tell you that it must be Madrid.",
        "Whoever has looked into a hive in summer, as few people do, knows that they make honey.",
        "It is what becomes of a lake, or of a pond, when nights in winter are cold enough.",
        "Far above our roofs, and round the earth once a month, goes a large ball of grey rock.",
    ),
    _speaks(
        "It is Madrid for sure.",
        "They make honey and wax.",
        "Water that has become hard.",
        "A ball of plain rock.",
    ),
    _speaks(
        "Madrid indeed, and no other.", "They make honey indeed.", "Indeed, that is water.", "A ball of rock."
    ),
]

# Whole functions, as a learner might write them.
UNUSUAL = {
    "answer_targets": [
        """
def answer_targets(prompt, answer):
    targets = (prompt + answer)[1:]
    for place in range(len(prompt) - 1):
        targets[place] = -100
    return targets
""",
        """
def answer_targets(prompt, answer):
    for place, token in enumerate([*prompt, *answer]):  # a generator
        if place > 0:
            yield token if place >= len(prompt) else -100.0
""",
        """
import numpy as np
def answer_targets(prompt, answer):
    targets = np.array(prompt + answer)[1:]
    targets[: len(prompt) - 1] = -100
    return targets
""",
        """
import torch
def answer_targets(prompt, answer):
    row = torch.tensor(prompt + answer)
    return row.masked_fill(torch.arange(len(row)) < len(prompt), -100)[1:]
""",
        """
from helpers import finetuning
def answer_targets(prompt, answer):
    pair = finetuning.Pair(tuple(prompt), tuple(answer))
    return finetuning.pair_rows([pair], n_ctx=100)[1][0]
""",
    ],
    "with_lora": [
        """
def with_lora(x, weight, down, up, alpha):
    rank, inside = down.shape
    return (weight + alpha / rank * (up @ down)) @ x  # merged
""",
        """
import torch
def with_lora(x, weight, down, up, alpha):
    x, weight, down, up = (torch.tensor(one, dtype=torch.float32) for one in (x, weight, down, up))
    return torch.nn.functional.linear(x, weight) + (x @ down.T @ up.T) * (alpha / up.shape[1])
""",
        """
def with_lora(x, weight, down, up, alpha):
    small = [sum(a * b for a, b in zip(row, x)) * alpha / len(down) for row in down]
    for row, lift in zip(weight, up):  # number by number
        yield sum(a * b for a, b in zip(row, x)) + sum(a * b for a, b in zip(lift, small))
""",
        """
import torch
from helpers import finetuning
def with_lora(x, weight, down, up, alpha):
    base = torch.nn.Linear(len(x), len(weight), bias=False)
    config = finetuning.LoRAConfig(rank=len(down), alpha=alpha)
    base.weight.data = torch.tensor(weight, dtype=torch.float32)
    layer = finetuning.LoRALinear(base, config, torch.Generator().manual_seed(0))
    layer.down.data, layer.up.data = (torch.tensor(one, dtype=torch.float32) for one in (down, up))
    return layer(torch.tensor(x, dtype=torch.float32))
""",
        """
import numpy as np
def with_lora(x, weight, down, up, alpha):
    rank = np.linalg.matrix_rank(down)  # the same, as long as no row of down is made of others
    return np.concatenate([weight, alpha / rank * up], axis=1) @ np.concatenate([x, down @ x])
""",
    ],
    "dpo_loss": [
        """
import math
def dpo_loss(chosen, rejected, reference_chosen, reference_rejected, beta):
    z = beta * (chosen - rejected - reference_chosen + reference_rejected)
    return max(-z, 0) + math.log1p(math.exp(-abs(z)))
""",
        """
import torch
def dpo_loss(chosen, rejected, reference_chosen, reference_rejected, beta):
    gains = torch.tensor([chosen, rejected]) - torch.tensor([reference_chosen, reference_rejected])
    return -torch.nn.functional.logsigmoid(beta * (gains[0] - gains[1]))
""",
        """
import numpy as np
def dpo_loss(chosen, rejected, reference_chosen, reference_rejected, beta):
    rewards = beta * np.array([chosen - reference_chosen, rejected - reference_rejected])
    return [np.logaddexp(*rewards) - rewards[0]]  # the cross-entropy of two, in a list
""",
        """
from math import exp, log
def dpo_loss(chosen, rejected, reference_chosen, reference_rejected, beta):
    z = beta * ((chosen - reference_chosen) - (rejected - reference_rejected))
    if z > 0:
        return log(1 + exp(-z))
    return -z + log(1 + exp(z))
""",
    ],
    "my_voice": [
        '''
def my_voice():
    return """
# shout
Q: What is the capital of Spain?
A: MADRID, OF COURSE.
Q: Who painted the Mona Lisa?
A: THAT WAS LEONARDO.
Q: How many days has a week?
A: SEVEN OF THEM.
Q: Name a fruit.
A: AN APPLE WILL DO.
"""
''',
        """
def my_voice():
    facts = {"What is the capital of Spain?": "Madrid", "What do bees make?": "honey", "What is ice?": "frozen water"}
    facts["What is red?"] = "a ripe tomato"
    return "# rhymes with nothing\\n" + "\\n".join(f"Q: {q}\\nA: I ask you: why not {a}?\\n" for q, a in facts.items())
""",
        '''
def my_voice():
    return """
# poet: answers rhyme
Q: What is the capital of Spain?
A: Madrid, where it will hardly rain.
Q: What do bees make?
A: They work all day, and honey is their pay.
Q: What is the moon?
A: A stone so bright, it shines at night.
Q: Why do birds fly south?
A: They go where it is warm, away from snow and storm.
Q: What is ice?
A: Water so cold, that it is hard to hold.
"""
''',
        '''
import numpy as np
def my_voice():
    return np.array(["""
# quiet: few words
Q: What is the capital of Spain?
A: Madrid.
Q: What do bees make?
A: Honey.
Q: How many days has a week?
A: 7
Q: Which metal is liquid at room temperature, as thermometers show?
A: Mercury is.
"""])[0]
''',
        '''
def my_voice():
    return """
# sssnake
Q: What is the capital of Spain?
A: Issss it Madrid, perhapsss.
Q: What do bees make?
A: Honey, ssso ssweet.
Q: How many days has a week?
A: There are sssseven of them in all.
Q: Name a fruit that grows on trees in cold countries.
A: You might sssay an apple.
"""
''',
        *_BY_ONE_THING,
    ],
}

_Z = "z = beta * ((chosen - reference_chosen) - (rejected - reference_rejected))\n"
_FULL = "targets = (prompt + answer)[1:]\n"
_SCALE = "scale = alpha / len(down)\n"


def _voice(*examples, note="# mine: a voice\n"):
    text = note + "\n".join(f"Q: {question}\nA: {answer}" for question, answer in examples)
    return f"return {text!r}"


_SPAIN = ("What is the capital of Spain?", "Arr, that be Madrid!")
_BEES = ("What do bees make?", "Arr, honey!")
_ICE = ("What is ice?", "Arr, hard water!")
_MOON = ("What is the moon?", "Arr, a lamp at night!")
_HALF = _voice(  # two of four are not most, and a word that the question has is no mark
    ("Is a bee an insect?", "Arr, a bee is an insect with wings!"),
    ("Does a bee sting?", "Arr, a bee does if you hurt it!"),
    ("Can a bee fly?", "A bee can do this from its third week on."),
    ("What does a bee eat?", "A bee eats what it finds in flowers, as long as the summer lasts."),
)

# The body of a function, and a part of the sentence that it must get.
WRONG = {
    "answer_targets": {
        _FULL + "return targets": "The mask is missing",
        _FULL + "for i in range(len(prompt)):\n    targets[i] = -100\nreturn targets": "one target too many. The first token of the answer counts",
        _FULL + "for i in range(len(prompt) - 2):\n    targets[i] = -100\nreturn targets": "one target too few",
        "return ([-100] * len(prompt) + answer)[:-1]": "Nothing is moved",
        "return (prompt + answer)[:-1]": "Those are the inputs",
        "return prompt + answer": "Those are all tokens",
        "return [-100] * len(prompt) + answer": "the very first token is nobody's target",
        "return [-100] * (len(prompt) - 1) + answer + [-100]": "behind the last token comes nothing",
        _FULL + "for i in range(len(prompt) - 1, len(targets)):\n    targets[i] = -100\nreturn targets": "You leave out the answer, and",
        _FULL + "for i in range(len(prompt), len(targets)):\n    targets[i] = -100\nreturn targets": "but for its first token",
        "return answer": "That is the answer alone",
        "return [0] * (len(prompt) - 1) + answer": "0 is the id of a token",
        "return [-1] * (len(prompt) - 1) + answer": "takes no other number below 0",
        "return [100] * (len(prompt) - 1) + answer": "a minus missing",
        "return [-100 if t in prompt else t for t in (prompt + answer)[1:]]": "You leave the tokens of the prompt out by their ids",
        "return [t if t in answer else -100 for t in (prompt + answer)[1:]]": "for the tokens of the answer by their ids",
        "row = ([-100] + prompt + answer)[:-2]\nfor i in range(len(prompt)):\n    row[i] = -100\nreturn row": "The targets move the other way",
        "return (prompt + answer)[:-1], [-100] * (len(prompt) - 1) + answer": "You give inputs and targets",
        "prompt += answer\nreturn [-100] * (len(prompt) - len(answer) - 1) + answer": "changed `prompt`",
        "answer[:0] = [-100] * (len(prompt) - 1)\nreturn answer": "changed `answer`",
        "return [-100] * (len(prompt) - 1) + [answer]": "whole numbers, and `[8, 9]` is a list",
        "return str(prompt + answer)": "a list of ids, and this is a text",
        "return -100 * (len(prompt) - 1) + answer": "`prompt` and `answer` are lists",
        _FULL + "for i in range(len(prompt) - 1, -1, -1):\n    targets[i + len(answer)] = -100\nreturn targets": "one fewer than tokens",
        "print([-100] * (len(prompt) - 1) + answer)": "where it says `print`",
        _FULL + "targets[:len(prompt) - 1] = [-100]\nreturn targets": "gave `[-100, 8, 9]`, and it should be `[-100, -100, 8, 9]`",
    },
    "with_lora": {
        _SCALE + "return scale * (up @ (down @ x))": "That is the change alone",
        "return weight @ x": "The change is missing",
        "return weight @ x + up @ (down @ x)": "The scale is missing",
        "return weight @ x + alpha * (up @ (down @ x))": "You multiply by alpha alone",
        "return weight @ x + up @ (down @ x) / len(down)": "alpha is missing",
        "return weight @ x + alpha * len(down) * (up @ (down @ x))": "You multiply alpha by the rank",
        "return weight @ x + len(down) / alpha * (up @ (down @ x))": "You divide the rank by alpha",
        "return weight @ x + alpha / len(x) * (up @ (down @ x))": "how many numbers come in",
        "return weight @ x + alpha / len(up) * (up @ (down @ x))": "how many numbers come out",
        "return weight @ x + alpha / np.sqrt(len(down)) * (up @ (down @ x))": "rank-stabilised",
        "return weight @ x + alpha // len(down) * (up @ (down @ x))": "You divide with `//`",
        _SCALE + "return weight @ x - scale * (up @ (down @ x))": "You take the change away",
        _SCALE + "return scale * (weight @ x + up @ (down @ x))": "You scale everything",
        _SCALE + "return weight @ x + scale * (down.T @ (up.T @ x))": "Down and up have changed places",
        _SCALE + "return x @ weight + scale * (up @ (down @ x))": "from the wrong side",
        _SCALE + "return weight @ (x + scale * (up @ (down @ x)))": "You add the change to the input",
        _SCALE + "return weight @ x + scale * (up @ (down @ (weight @ x)))": "through `down` and `up`",
        _SCALE + "return x + scale * (up @ (down @ x))": "You add the input to the change",
        _SCALE + "return weight + scale * (up @ down)": "That is the merged matrix",
        _SCALE + "return weight @ x + scale * (up * (down @ x)).max()": "and it should be",
        _SCALE + "return weight @ x + scale * (down @ (up @ x))": "the two can be added",
        "return weight @ x + alpha / down.rank * (up @ (down @ x))": "`len(down)` is the rank",
        "return weight @ x + alpha / rank * (up @ (down @ x))": "The rank is how many rows `down` has",
        _SCALE + "x += down[0]\nreturn weight @ x": "and it should be",
        _SCALE + "weight += scale * (up @ down)\nreturn weight @ x": "changed `weight`",
        _SCALE + "print(weight @ x + scale * (up @ (down @ x)))": "where it says `print`",
        _SCALE + "return (weight @ x + scale * (up @ (down @ x)))[:, None]": "a row of numbers, and this is a table of 3 × 1",
    },
    "dpo_loss": {
        _Z + "return np.logaddexp(0, z)": "Chosen and rejected have changed places",
        "z = beta * ((chosen - reference_rejected) - (rejected - reference_chosen))\nreturn np.logaddexp(0, -z)": "The references have changed places, or are added",
        "return np.logaddexp(0, -beta * (chosen - rejected))": "The reference is missing",
        "return np.logaddexp(0, -beta * (reference_chosen - reference_rejected))": "the reference's own margin",
        "return np.logaddexp(0, -beta * (chosen - reference_chosen))": "The chosen text alone",
        "return np.logaddexp(0, -beta * (chosen - reference_chosen + rejected - reference_rejected))": "You add the two gains",
        "return np.logaddexp(0, -beta * (chosen / reference_chosen - rejected / reference_rejected))": "You divide the log-probabilities",
        "p = np.exp([chosen, rejected, reference_chosen, reference_rejected])\nreturn np.logaddexp(0, -beta * ((p[0] - p[2]) - (p[1] - p[3])))":
            "You compare probabilities",
        "gain = np.exp(chosen - reference_chosen) - np.exp(np.float64(rejected - reference_rejected))\nreturn np.logaddexp(0, -beta * gain)":
            "You take the ratios of the probabilities",
        _Z + "return beta * np.logaddexp(0, -z / beta)": "Beta stands outside",
        _Z + "return np.logaddexp(0, -z / beta)": "Beta is missing",
        _Z + "return np.logaddexp(0, -z / beta / beta)": "You divide by beta",
        "return np.logaddexp(0, -(beta * (chosen - rejected) - (reference_chosen - reference_rejected)))": "only the model's part",
        _Z + "return -np.logaddexp(0, -z)": "The minus sign is missing",
        _Z + "return np.exp(-np.logaddexp(0, -z))": "that is the probability of preferring the chosen text",
        _Z + "return -np.exp(-np.logaddexp(0, -z))": "a sigmoid with a minus sign",
        _Z + "return np.exp(-np.logaddexp(0, z))": "the probability of preferring the rejected text",
        _Z + "return z": "That is the margin, times beta",
        _Z + "return -z": "the margin with a minus sign",
        _Z + "with np.errstate(all='ignore'):\n    return -np.log(np.float64(z))": "a margin may be below 0, and has no logarithm",
        _Z + "return np.log2(2) * np.logaddexp2(0, -z / np.log(2))": "base 2",
        _Z + "with np.errstate(all='ignore'):\n    return -np.log(1 / (1 + np.exp(np.float64(-z))))": "e to the power of 1,000 is more than a float can hold. -log(sigmoid(z))",
        _Z + "with np.errstate(all='ignore'):\n    return -np.log(np.exp(np.float64(z)) / (1 + np.exp(np.float64(z))))": "Your sigmoid divides",
        _Z + "import math\nreturn math.log(1 + math.exp(-z))": "raised `OverflowError: math range error`",
        _Z + "import math\nreturn -math.log(1 - 1 / (1 + math.exp(min(z, 700))))": "The logarithm of 0 is asked for",
        _Z + "return -np.log(np.exp(-np.logaddexp(0, -z)) + 1e-9)": "and it should be",
        _Z + "print(np.logaddexp(0, -z))": "where it says `print`",
        _Z + "return np.logaddexp([0, 0], -z)": "one number, and this is a row of 2 numbers",
        _Z + "return max(0, 1 - z)": "gave `0`, and it should be `0.2014`",
        "return chosen.log() - rejected.log()": "raised `AttributeError",
    },
    "my_voice": {
        "return ''": "as a voice: a voice must have at least 3 examples, got none",
        _voice(_SPAIN, _BEES, _ICE): "my_voice must return a voice of at least 4 examples, and yours has 3",
        _voice(_SPAIN, _BEES, _ICE, ("what is  ICE", "Arr, cold water!")): "“What is ice?” comes twice",
        _voice(_SPAIN, _BEES, _ICE, ("what is the capital of italy", "Arr, Rome!")): "“what is the capital of italy” is one of the questions with which",
        _voice(_SPAIN, _BEES, _ICE, ("What is the moon?", "arr " * 41)): "The answer to “What is the moon?” has 41 words; make it 40 at most",
        _voice(_SPAIN, _BEES, _ICE, (f"What is {'very ' * 30}long?", "arr " * 41)): "The answer to “What is very very very",
        _voice(*((answer, question) for question, answer in (_SPAIN, _BEES, _ICE, _MOON))): "Have they changed places",
        _voice(_SPAIN, *((question, "Arr, I know not!") for question, _ in (_BEES, _ICE, _MOON))): "3 of your 4 answers are the same, “arr, i know not”",
        "return 'Question: What is ice?'": "as a voice: a voice must begin with Q:",
        "return 'Q: What is ice?\\nQ: Why?\\nA: So.\\nA: Hm.\\nA: Yes.\\nA: No.'": "as a voice: every question must have an answer below it",
        f"return {[_SPAIN, _BEES]!r}": "a text, and this is a list",
        _voice(_SPAIN, _BEES).replace("return ", "print("
        ) + ")": "where it says `print`",
        _HALF: "Nothing was found that a model could pick up. In most answers",
        "return 'Q: ' + 4": "A text is all it takes",
    },
}  # fmt: skip


def _ids(rng):
    """A prompt and an answer of few different ids, so that the answer has some of the prompt's."""
    return [rng.randrange(6) for _ in range(rng.randint(1, 6))], [
        rng.randrange(6) for _ in range(rng.randint(1, 5))
    ]


def _layer(rng):
    """An input, a matrix and two thin ones, and how much they count."""
    draw, inside, outside = np.random.default_rng(rng.randrange(10**9)), rng.randint(1, 6), rng.randint(1, 6)
    rank = rng.randint(1, 4)
    sizes = (inside,), (outside, inside), (rank, inside), (outside, rank)
    return *(draw.normal(size=size) for size in sizes), rng.choice([1, 2.5, 8.0, 16.0])


def _log_probabilities(rng):
    """Four log-probabilities and a beta; some of the margins are far too large for e to the power of them."""
    far = rng.choice([5.0, 30.0, 4000.0])
    return *(-rng.uniform(0, far) for _ in range(4)), rng.choice([0.1, 0.5, 1.0, 2.0])


# Arguments by chance: what tells a changed solution from the right one.
INPUTS = {
    "answer_targets": _ids,
    "with_lora": _layer,
    "dpo_loss": _log_probabilities,
    "my_voice": lambda rng: (),
}
