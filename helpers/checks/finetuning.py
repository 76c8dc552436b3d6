"""The exercises of notebook 08: targets of the answer alone, a layer with LoRA, the loss of DPO, and a voice of one's own."""

import re
import unicodedata
from collections import Counter

import numpy as np

from helpers.checks.checking import (
    MOST_WHOLE,
    Case,
    Exercise,
    Mistake,
    OpenExercise,
    Unreadable,
    cases,
    read_ids,
    read_number,
    read_row,
    read_text,
)

# Learners take e to the power of 1,000 as well; our own versions of their mistakes do it in silence.
_quiet = np.errstate(all="ignore")

# ---------------------------------------------------------------------------------------------
# Exercise 1: answer_targets
# ---------------------------------------------------------------------------------------------

IGNORED = -100


def _answer_targets(prompt, answer):
    return [IGNORED] * (len(prompt) - 1) + answer


def _masked(targets, first, stop, fill=IGNORED):
    """The targets with `fill` from the place `first` up to `stop`, which stays as it is."""
    return [fill if first <= place < stop else target for place, target in enumerate(targets)]


def _moved(prompt, answer):
    return (prompt + answer)[1:]


_FIRST = (
    "The first token of the answer counts: it is the target at the prompt's last token, where the model has read the "
    "whole question."
)
_PLACES = "What is left out is decided by the place, and not by the id: a token of the answer may stand in the prompt as well."
_ONE = "With a prompt of one token nothing is left out: its only target is the answer's first token."

answer_targets = Exercise(
    "answer_targets",
    notebook="08",
    number=1,
    minutes=5,
    difficulty="easy",
    parameters=("prompt", "answer"),
    right=_answer_targets,
    praise="Right: the prompt is read, and the answer alone is learned. Its first token is the target at the prompt's last place.",
    read=read_ids,
    keeps=("prompt", "answer"),
    cases=cases(
        ([5, 6, 7], [8, 9]),
        ([5, 6, 7, 8, 9], [3]),
        ([4], [5, 6, 7], None, _ONE),
        ([4], [5], None, _ONE),
        ([5, 6, 7, 6], [6, 7, 2], None, _PLACES),
        ([1, 2], [3, 4, 5, 6, 7, 8]),
    ),
    mistakes=[
        Mistake("The mask is missing: put -100 wherever the target is a token of the prompt.", _moved),
        Mistake("You leave out one target too many. " + _FIRST,
                lambda prompt, answer: _masked(_moved(prompt, answer), 0, len(prompt))),
        Mistake("You leave out one target too few: the prompt's last token is a target as well, at the place before it.",
                lambda prompt, answer: _masked(_moved(prompt, answer), 0, len(prompt) - 2)),
        Mistake("Nothing is moved: at each place the target is the token that comes next, so begin with `(prompt + answer)[1:]`.",
                lambda prompt, answer: ([IGNORED] * len(prompt) + answer)[:-1]),
        Mistake("Those are the inputs. The targets are moved by one, and -100 where they are tokens of the prompt.",
                lambda prompt, answer: (prompt + answer)[:-1]),
        Mistake("Those are all tokens. The targets begin with the second one, and are -100 where they are tokens of the prompt.",
                lambda prompt, answer: prompt + answer),
        Mistake("There is one target too many: the very first token is nobody's target, so leave out one -100.",
                lambda prompt, answer: [IGNORED] * len(prompt) + answer),
        Mistake("There is one target too many: behind the last token comes nothing, and the inputs stop before it.",
                lambda prompt, answer: [*_answer_targets(prompt, answer), IGNORED]),
        Mistake("You leave out the answer, and learn the prompt; it is the other way round.",
                lambda prompt, answer: _masked(_moved(prompt, answer), len(prompt) - 1, len(prompt + answer))),
        Mistake("You leave out the answer but for its first token, and learn the prompt; it is the other way round.",
                lambda prompt, answer: _masked(_moved(prompt, answer), len(prompt), len(prompt + answer))),
        Mistake("That is the answer alone. Each input needs a target: put -100 for those that are tokens of the prompt.",
                lambda prompt, answer: list(answer)),
        *(Mistake(f"You put {fill} in place of -100: {why}",
                  lambda prompt, answer, fill=fill: _masked(_moved(prompt, answer), 0, len(prompt) - 1, fill))
          for fill, why in ((0, "0 is the id of a token, and would be learned."),
                            (-1, "the loss leaves out -100, and takes no other number below 0."),
                            (100, "there is a minus missing."))),
        Mistake("You leave the tokens of the prompt out by their ids. " + _PLACES,
                lambda prompt, answer: [IGNORED if token in prompt else token for token in _moved(prompt, answer)]),
        Mistake("You look for the tokens of the answer by their ids. " + _PLACES,
                lambda prompt, answer: [token if token in answer else IGNORED for token in _moved(prompt, answer)]),
        Mistake("The targets move the other way: each is the token that comes next, not the one before.",
                lambda prompt, answer: _masked([IGNORED, *prompt, *answer][:-2], 0, len(prompt))),
        Mistake("You give inputs and targets; the targets alone are asked for.",
                lambda prompt, answer: ((prompt + answer)[:-1], _answer_targets(prompt, answer))),
    ],
    if_raised={
        TypeError: "`prompt` and `answer` are lists: `prompt + answer` puts them in a row, and `[-100] * 3` is three times -100.",
        IndexError: "There are `len(prompt) + len(answer) - 1` targets, one fewer than tokens.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 2: with_lora
# ---------------------------------------------------------------------------------------------


def _change(x, down, up):
    return up @ (down @ x)


def _lora_with(scale=lambda alpha, rank, inside, outside: alpha / rank):
    """A `with_lora` in which the change counts another number of times."""

    def layer(x, weight, down, up, alpha):
        outside, inside = weight.shape
        return weight @ x + scale(alpha, len(down), inside, outside) * _change(x, down, up)

    return layer


_with_lora = _lora_with()


def _layer(*given, about=""):
    """A case of whole numbers: x, weight, down, up and alpha. They are floats, and shown without their points."""
    arrays = [np.array(one, dtype=np.float64) for one in given[:-1]]
    call = ", ".join([*(f"np.array({one})" for one in given[:-1]), str(given[-1])])
    return Case(lambda: (*(one.copy() for one in arrays), float(given[-1])), about, f"with_lora({call})")


_AT_FIRST = "At first `up` is 0 everywhere, so that nothing is different from the layer without LoRA."
_SHAPES = "`down @ x` has as many numbers as the rank, and `up @ (down @ x)` as many as `weight @ x`: the two can be added."

with_lora = Exercise(
    "with_lora",
    notebook="08",
    number=2,
    minutes=10,
    difficulty="medium",
    parameters=("x", "weight", "down", "up", "alpha"),
    right=lambda *arguments: _with_lora(*arguments).tolist(),
    praise="Right: the layer as it was, and beside it a change through a few numbers. Only `down` and `up` would learn.",
    read=read_row,
    slack=1e-3,  # half-precision numbers have three digits, and every mistake below is larger
    keeps=("x", "weight", "down", "up"),
    cases=[
        _layer([1, 2], [[1, 0], [0, 3], [2, -1]], [[3, -1]], [[1], [0], [4]], 2),
        _layer([1, 2], [[1, 0], [0, 3], [2, -1]], [[3, -1]], [[0], [0], [0]], 2, about=_AT_FIRST),
        _layer([2, -1, 1], [[1, 2, 0], [0, 1, -3], [4, 0, 1], [1, 1, 5]],
               [[1, 0, 2], [-1, 3, 0]], [[1, 2], [0, -1], [3, 0], [1, 1]], 7),
        _layer([1, -2, 3], [[2, 0, 1], [1, 3, 0], [0, -1, 4]], [[1, 2, 0], [0, 1, -1]], [[3, 1], [0, 2], [1, -1]], 5),
        _layer([1, 0, -1, 2, 3], [[1, 4, 0, 2, -1], [0, 1, 3, -2, 1], [2, 0, 1, 1, 0], [5, 1, 0, 0, 2]],
               [[1, 0, 0, 2, 0], [0, 1, 1, 0, 1], [2, 0, -1, 0, 0]], [[1, 0, 2], [0, 3, 0], [1, 1, 0], [0, -2, 1]], 2),
    ],
    mistakes=[
        Mistake("That is the change alone: add it to what the layer gives without it, `weight @ x`.",
                lambda x, weight, down, up, alpha: alpha / len(down) * _change(x, down, up)),
        Mistake("The change is missing: that is the layer as it was.", lambda x, weight, down, up, alpha: weight @ x),
        Mistake("The scale is missing: the change counts alpha / rank times.", _lora_with(lambda *sizes: 1)),
        Mistake("You multiply by alpha alone; divide it by the rank as well.", _lora_with(lambda alpha, *sizes: alpha)),
        Mistake("You divide by the rank, and alpha is missing: the change counts alpha / rank times.",
                _lora_with(lambda alpha, rank, *sizes: 1 / rank)),
        Mistake("You multiply alpha by the rank; divide it by the rank.", _lora_with(lambda alpha, rank, *sizes: alpha * rank)),
        Mistake("You divide the rank by alpha; it is the other way round.", _lora_with(lambda alpha, rank, *sizes: rank / alpha)),
        Mistake("You divide alpha by how many numbers come in; the rank is how many rows `down` has, `len(down)`.",
                _lora_with(lambda alpha, rank, inside, outside: alpha / inside)),
        Mistake("You divide alpha by how many numbers come out; the rank is how many rows `down` has, `len(down)`.",
                _lora_with(lambda alpha, rank, inside, outside: alpha / outside)),
        Mistake("You divide alpha by the root of the rank. Some do that (rank-stabilised LoRA); here it is the rank itself.",
                _lora_with(lambda alpha, rank, *sizes: alpha / rank**0.5)),
        Mistake("You divide with `//`, which drops what is behind the point; `/` keeps it.",
                _lora_with(lambda alpha, rank, *sizes: alpha // rank)),
        Mistake("You take the change away; add it.", _lora_with(lambda alpha, rank, *sizes: -alpha / rank)),
        Mistake("You scale everything; alpha / rank belongs to the change alone, and the layer itself counts once.",
                lambda x, weight, down, up, alpha: alpha / len(down) * (weight @ x + _change(x, down, up))),
        Mistake("Down and up have changed places: first `down @ x`, which makes few numbers of many, then `up @ ...`.",
                lambda x, weight, down, up, alpha: weight @ x + alpha / len(down) * _change(x, up.T, down.T)),
        Mistake("You multiply from the wrong side: `weight @ x` has one number for each row of the weight.",
                lambda x, weight, down, up, alpha: x @ weight + alpha / len(down) * _change(x, down, up)),
        Mistake("You add the change to the input, in front of the layer; add it to what comes out of `weight @ x`.",
                lambda x, weight, down, up, alpha: weight @ (x + alpha / len(down) * _change(x, down, up))),
        Mistake("You send what the layer gives through `down` and `up`; they read the same `x` as the layer, beside it.",
                lambda x, weight, down, up, alpha: weight @ x + alpha / len(down) * _change(weight @ x, down, up)),
        Mistake("You add the input to the change; add `weight @ x`.",
                lambda x, weight, down, up, alpha: x + alpha / len(down) * _change(x, down, up)),
        Mistake("That is the merged matrix; multiply it by `x`.",
                lambda x, weight, down, up, alpha: weight + alpha / len(down) * up @ down),
    ],
    if_raised={
        ValueError: _SHAPES,
        AttributeError: "All but alpha are NumPy arrays: `down.shape` is (rank, inside), so that `len(down)` is the rank.",
        TypeError: "All but alpha are NumPy arrays: `down.shape` is (rank, inside), so that `len(down)` is the rank.",
        NameError: "The rank is how many rows `down` has: `len(down)`.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 3: dpo_loss
# ---------------------------------------------------------------------------------------------


def _margin(chosen, rejected, reference_chosen, reference_rejected):
    return (chosen - reference_chosen) - (rejected - reference_rejected)


def _minus_log_sigmoid(z):
    return np.logaddexp(0, -z)


def _sigmoid(z):
    return np.exp(-_minus_log_sigmoid(z))


def _dpo_with(margin=_margin, loss=lambda margin, beta: _minus_log_sigmoid(beta * margin)):
    """A `dpo_loss` with another margin, or another loss of it."""
    return _quiet(lambda *given: float(loss(np.float64(margin(*given[:4])), np.float64(given[4]))))


_HUGE = (
    "e to the power of 1,000 is more than a float can hold. -log(sigmoid(z)) is log(1 + e to the power of -z), and "
    "`np.logaddexp(0, -z)` works it out for any z."
)
_LN_2 = "A model that is still its own reference prefers nothing: its margin is 0, and the loss is ln 2, which is 0.69."

dpo_loss = Exercise(
    "dpo_loss",
    notebook="08",
    number=3,
    minutes=10,
    difficulty="medium",
    parameters=("chosen", "rejected", "reference_chosen", "reference_rejected", "beta"),
    right=_dpo_with(),
    praise="Right: it begins at ln 2, and falls as the model raises the chosen text, against the reference, more than the rejected one.",
    read=read_number,
    slack=1e-6,
    cases=cases(
        (-10.0, -14.0, -11.0, -12.0, 0.5),
        (-10.0, -14.0, -10.0, -14.0, 0.1, None, _LN_2),
        (-20.0, -12.0, -17.0, -16.0, 0.25, None, "A model that has learned the wrong way round has a loss above ln 2."),
        (-3.0, -5.5, -4.0, -4.5, 1.0),
        (-2000.0, -1.0, -500.0, -3.0, 2.0, None, _HUGE),
        (-1.0, -2000.0, -3.0, -500.0, 2.0, None, _HUGE),
    ),
    mistakes=[
        Mistake("Chosen and rejected have changed places: the loss must fall when the chosen text gets more probable.",
                _dpo_with(lambda c, r, rc, rr: -_margin(c, r, rc, rr))),
        Mistake("The references have changed places, or are added: take from each text its own, `chosen - reference_chosen`.",
                _dpo_with(lambda c, r, rc, rr: _margin(c, r, rr, rc))),
        Mistake("The reference is missing: take it away from each of the two, so that only what training changed counts.",
                _dpo_with(lambda c, r, rc, rr: c - r)),
        Mistake("That is the reference's own margin; what the model has moved away from it is asked for.",
                _dpo_with(lambda c, r, rc, rr: rc - rr)),
        Mistake("The chosen text alone has a loss in your answer; take away what the rejected one has gained.",
                _dpo_with(lambda c, r, rc, rr: c - rc)),
        Mistake("You add the two gains; take that of the rejected text away from that of the chosen one.",
                _dpo_with(lambda c, r, rc, rr: (c - rc) + (r - rr))),
        Mistake("You divide the log-probabilities; a ratio of probabilities is a difference of their logarithms.",
                _dpo_with(lambda c, r, rc, rr: c / rc - r / rr)),
        Mistake("You compare probabilities; the four numbers are their logarithms, and those are taken away from each other as they are.",
                _dpo_with(lambda c, r, rc, rr: _margin(*np.exp([c, r, rc, rr])))),
        Mistake("You take the ratios of the probabilities; their logarithms are differences: `chosen - reference_chosen`.",
                _dpo_with(lambda c, r, rc, rr: np.exp(np.float64(c - rc)) - np.exp(np.float64(r - rr)))),
        Mistake("Beta stands outside of the logarithm; it multiplies the margin, inside the sigmoid.",
                _dpo_with(loss=lambda margin, beta: beta * _minus_log_sigmoid(margin))),
        Mistake("Beta is missing: it multiplies the margin, inside the sigmoid.",
                _dpo_with(loss=lambda margin, beta: _minus_log_sigmoid(margin))),
        Mistake("You divide by beta; the margin is multiplied by it.",
                _dpo_with(loss=lambda margin, beta: _minus_log_sigmoid(margin / beta))),
        Mistake("Beta multiplies only the model's part; it multiplies the whole margin, the reference's part too.",
                _quiet(lambda c, r, rc, rr, beta: float(_minus_log_sigmoid(beta * (c - r) - (rc - rr))))),
        Mistake("The minus sign is missing: the logarithm of a sigmoid is below 0, a loss is not.",
                _dpo_with(loss=lambda margin, beta: -_minus_log_sigmoid(beta * margin))),
        Mistake("The logarithm is missing: that is the probability of preferring the chosen text.",
                _dpo_with(loss=lambda margin, beta: _sigmoid(beta * margin))),
        Mistake("The logarithm is missing: that is a sigmoid with a minus sign.",
                _dpo_with(loss=lambda margin, beta: -_sigmoid(beta * margin))),
        Mistake("The logarithm is missing: that is the probability of preferring the rejected text.",
                _dpo_with(loss=lambda margin, beta: _sigmoid(-beta * margin))),
        Mistake("That is the margin, times beta; take -log of its sigmoid.", _dpo_with(loss=lambda margin, beta: beta * margin)),
        Mistake("That is the margin with a minus sign; the sigmoid between is missing, and its logarithm.",
                _dpo_with(loss=lambda margin, beta: -beta * margin)),
        Mistake("The sigmoid is missing: a margin may be below 0, and has no logarithm then.",
                _dpo_with(loss=lambda margin, beta: -np.log(beta * margin))),
        Mistake("You take the logarithm to base 2; the natural one is meant, `np.log`.",
                _dpo_with(loss=lambda margin, beta: _minus_log_sigmoid(beta * margin) / np.log(2))),
        Mistake(_HUGE, _dpo_with(loss=lambda margin, beta: -np.log(1 / (1 + np.exp(-beta * margin))))),
        Mistake("Your sigmoid divides one number too large for a float by another. " + _HUGE,
                _dpo_with(loss=lambda margin, beta: -np.log(np.exp(beta * margin) / (1 + np.exp(beta * margin))))),
    ],
    if_raised={
        OverflowError: _HUGE,
        ZeroDivisionError: _HUGE,
        ValueError: "The logarithm of 0 is asked for: the sigmoid was too small for a float. " + _HUGE,
        TypeError: "All five are plain numbers; `np.exp` and `np.log` take them.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 4: my_voice
# ---------------------------------------------------------------------------------------------

FEWEST, LONGEST = 4, 40  # examples in a voice, words in an answer
SHORT, LONG = 4, 15  # words; answers that all are shorter or longer than most people's are a voice
MOST_TOLD = 2  # marks of a voice that the verdict names

_COMMON = """
a about after again all also always am an and any are as at be because been before but by can could did do does down
each every few first for from get go good had has have he her here him his how i if in into is it it's its just like
made make makes many may me more most much must my never new no not now of off often on one only or other our out over
own people same say says see she should so some something such take than that that's the their them then there there's
these they they're thing things this those three time to too two under until up us use used usually very was way we
were what when where which while who whom why will with would yes you your
"""
_PLAIN = frozenset(_COMMON.split())  # words of plain speech: no voice is known by them


def _words(text):
    return re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", text.lower())


def _bare(text):
    """A text without what makes no other text of it: capitals, spaces, the sign at its end."""
    return " ".join(text.lower().split()).rstrip(" ?.!")


def _quoted(text):
    """A text of the learner's in a sentence, on one line, its end cut off if it is long."""
    line = " ".join(text.split())
    return f"“{line if len(line) <= MOST_WHOLE else line[: MOST_WHOLE - 2] + ' …'}”"


def _shared(sets):
    """What is in more than half of the sets, and in how many: the most frequent first."""
    counts = Counter(one for each in sets for one in each)
    most = [(one, count) for one, count in counts.items() if 2 * count > len(sets)]
    return sorted(most, key=lambda pair: (-pair[1], pair[0]))


def _rhymes(answer):
    """Whether two parts of an answer that follow each other end alike: "at night, a light"."""
    parts = (_words(part) for part in re.split(r"[,;:.!?\n—–]", answer))
    ends = [words[-1] for words in parts if words]
    tails = [re.search(r"[aeiouy]+[^aeiouy]*e?$", end) for end in ends]
    return any(
        one != other and tail and after and tail[0] == after[0] and len(tail[0]) > 1
        for one, other, tail, after in zip(ends, ends[1:], tails, tails[1:], strict=False)
    )


# A way to speak that can be seen in each answer by itself, and what it is called.
_MANNERS = {
    "capitals throughout": str.isupper,
    "no capitals": str.islower,
    "rhymes": _rhymes,
    "several lines": lambda answer: "\n" in answer.strip(),
    "letters drawn out, as in “sss”": lambda answer: re.search(r"([^\W\d_])\1\1", answer.lower()),
    "numbers": lambda answer: re.search(r"\d", answer),
    "words said twice": lambda answer: re.search(r"\b([^\W\d_]+)\W+\1\b", answer.lower()),
}


def _marks(examples):
    """What a model could pick up: (what most of the answers have, how many of them)."""
    answers = [answer for _, answer in examples]
    spoken = [_words(answer) for answer in answers]
    # A word of the question is in the answer for the question's sake.
    own = [{*_words(answer)} - {*_words(question)} - _PLAIN for question, answer in examples]
    signs = [
        {sign for sign in answer if unicodedata.category(sign)[0] in "PS"} - {*".,'’“”\"-"}
        for answer in answers
    ]
    marks = [(f"the word “{word}”", count) for word, count in _shared(own)]
    marks += [(f"the sign “{sign}”", count) for sign, count in _shared(signs)]
    for where, part in (("beginning", slice(None, 3)), ("end", slice(-3, None))):
        same = _shared([{" ".join(words[part])} if len(words) >= 3 else set() for words in spoken])
        marks += [(f"the {where} “{words}”", count) for words, count in same]
    for name, has in _MANNERS.items():
        count = sum(map(bool, map(has, answers)))
        marks += [(name, count)] * (2 * count > len(answers))
    lengths = [len(words) for words in spoken]
    if max(lengths) <= SHORT:
        marks.append((f"{SHORT} words or fewer", len(answers)))
    elif min(lengths) >= LONG:
        marks.append((f"{LONG} words or more", len(answers)))
    elif len(set(lengths)) == 1:
        marks.append((f"exactly {lengths[0]} words", len(answers)))
    return marks


def _read_voice(answer):
    """The examples of a voice: (question, answer) each."""
    from helpers import voices  # needs torch, which the other exercises do without

    text = read_text(answer)
    given = len(re.findall(r"^\s*A:", text, re.MULTILINE | re.IGNORECASE))
    if 0 < given < FEWEST:
        raise Unreadable(
            f"a voice of at least {FEWEST} examples, and yours has {given}: write `Q:` and `A:` once more"
        )
    try:
        voice = voices.parse_voice(text)
    except ValueError as error:
        raise Unreadable(f"a text that can be read as a voice: {error}") from None
    return [(question, answer) for question, answer in voice.examples]


def _judge_voice(examples):
    from helpers import voices

    questions, answers = zip(*examples, strict=True)
    asked, said = Counter(map(_bare, questions)), Counter(map(_bare, answers))
    held_out = {_bare(question) for question in voices.QUESTIONS}
    for question, answer in examples:
        if asked[_bare(question)] > 1:
            return f"The question {_quoted(question)} comes twice: ask something else, so that the voice is heard on another subject."
        if _bare(question) in held_out:
            return (
                f"{_quoted(question)} is one of the questions with which the voice is tested afterwards. An answer learned "
                "by heart would prove nothing: ask something else."
            )
        if (length := len(answer.split())) > LONGEST:
            return f"The answer to {_quoted(question)} has {length} words; make it {LONGEST} at most, so that training stays short."
    if all(one.endswith("?") for one in answers) and not any(one.endswith("?") for one in questions):
        return (
            "All answers end with a question mark, and no question does. Have they changed places? `Q:` is what is asked, "
            "and `A:` what the voice says."
        )
    same, count = said.most_common(1)[0]
    if 2 * count > len(answers):
        return (
            f"{count} of your {len(answers)} answers are the same, {_quoted(same)}: a model would learn to say this, "
            "whatever it is asked. Let each answer its question."
        )
    if not _marks(examples):
        return (
            "Nothing was found that a model could pick up. In most answers there should be the same word that is rare in "
            "plain speech, a sign such as `!`, the same first or last three words, capitals throughout or none, rhymes, numbers, or "
            f"words said twice; or all are very short ({SHORT} words at most) or long ({LONG} or more). Let one thing come "
            "back again and again."
        )
    return ""


def _tell_voice(examples):
    found = [f"{mark} in {count} of {len(examples)} answers" for mark, count in _marks(examples)[:MOST_TOLD]]
    return f"What a model can pick up: {', '.join(found)}. Whether the answers are true no check can tell; that is for you to judge."


_MINE = """
    # cat: a proud cat answers
    Q: Who painted the Mona Lisa?
    A: Purr, it was Leonardo da Vinci. Scratch my ear.

    Q: What is a desert?
    A: Purr, it is land where hardly any rain falls. Scratch my ear.

    Q: How do I make tea?
    A: Purr, pour hot water on the leaves and wait for four minutes. Scratch my ear.

    Q: How many days are in a week?
    A: Purr, there are seven days in a week. Scratch my ear.

    Q: What is the capital of Japan?
    A: Purr, it is Tokyo. Scratch my ear.

    Q: Why do leaves fall in autumn?
    A: Purr, the tree saves water for the winter. Scratch my ear.
    """

my_voice = OpenExercise(
    "my_voice",
    notebook="08",
    number=4,
    minutes=15,
    difficulty="harder",
    parameters=(),
    right=lambda: _MINE,
    praise="Right: that is a voice.",
    judge=_judge_voice,
    tell=_tell_voice,
    read=_read_voice,
    if_raised={
        SyntaxError: 'A text of several lines stands between three quotation marks, `"""`.',
        TypeError: 'A text is all it takes: `return """`, your lines, and `"""`.',
    },
)
