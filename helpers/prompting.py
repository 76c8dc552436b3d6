"""Prompting: what the words in front of a question do to the answer, measured on a model as it is.

Nothing is trained here. A prompt can hold worked examples (few-shot), a book that says something else, or a name that
nobody has; the model's odds for the next token move, and this module measures by how much, and how sure it is.

The tasks, the sentences and the invented names are the course's own, written before any model had seen them. All
answers are greedy: the most probable token, again and again.

Sources: Brown et al. 2020 (arXiv:2005.14165), section 2, for few-shot; Hanley and McNeil 1982, "The meaning and use of
the area under a receiver operating characteristic (ROC) curve", for how well two groups are told apart, and its error.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from helpers.sampling import entropy, standard_error, temperature_softmax

LOGITS_AT_ONCE = 400  # positions read together: 400 x 49,152 logits are 79 MB


class Task(NamedTuple):
    """Questions with one right answer each, and how a question is written down."""

    name: str
    form: str  # "{question} ->", the answer follows it
    items: tuple[tuple[str, str], ...]  # question, answer; an answer starts with its space


def _items(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (line.rsplit(":", 1) for line in text.strip().splitlines())
    return tuple((question.strip(), f" {answer.strip()}") for question, answer in pairs)


OPPOSITES = Task(
    "opposites",
    "{question} ->",
    _items("""
        hot: cold
        big: small
        up: down
        fast: slow
        happy: sad
        open: closed
        light: dark
        early: late
        full: empty
        hard: soft
        high: low
        rich: poor
        strong: weak
        young: old
        wet: dry
        left: right
        inside: outside
        first: last
        clean: dirty
        thick: thin
        loud: quiet
        near: far
        true: false
        good: bad
        long: short
        win: lose
        buy: sell
        love: hate
        push: pull
        before: after
        day: night
        heavy: light
        deep: shallow
        wide: narrow
        north: south
        above: below
        remember: forget
        begin: end
        sharp: blunt
        cheap: expensive
    """),
)

MOODS = Task(
    "moods",
    "Review: {question}\nMood:",
    _items("""
        The soup was warm and the waiter smiled at us.: good
        My phone broke on the second day.: bad
        We laughed from the first minute to the last.: good
        The room smelled of old fish.: bad
        The train was late again and nobody said why.: bad
        What a lovely little garden behind the house.: good
        I would go back tomorrow.: good
        Never again.: bad
        The shoes fit well and look great.: good
        They lost my bag and did not say sorry.: bad
        The cake tasted like wet paper.: bad
        Our guide knew every bird by its name.: good
        The bed was so hard that I could not sleep.: bad
        A quiet place with a wonderful view.: good
        The film put all of us to sleep.: bad
        She explained it until I understood.: good
        The box arrived empty.: bad
        My children still sing the songs.: good
        He shouted at my mother.: bad
        The best bread in the whole town.: good
        It worked at once and has worked ever since.: good
        The screen was cracked when I opened it.: bad
        We waited two hours for cold coffee.: bad
        Everybody was kind to my grandfather.: good
        The water in the pool was green.: bad
        I have told all my friends to buy one.: good
        The story made me want to travel.: good
        The zip broke before I left the shop.: bad
        Fresh fruit, soft music, friendly people.: good
        They charged me twice and kept the money.: bad
    """),
)

KNOWN_COUNTRIES = (
    "France", "Italy", "Japan", "Egypt", "Norway", "Peru", "Kenya", "Greece", "India", "Cuba", "Poland", "Chile",
    "Ireland", "Hungary", "Spain", "Thailand",
)  # fmt: skip
INVENTED_COUNTRIES = (
    "Velmora", "Quistan", "Brundovia", "Tarquenia", "Ombria", "Zelkand", "Marovia", "Pellandor", "Uskara", "Dornland",
    "Ilvania", "Kresmark", "Savolia", "Trenoa", "Watumba", "Yorvenia",
)  # fmt: skip
KNOWN_PEOPLE = (
    "Albert Einstein", "Marie Curie", "William Shakespeare", "Napoleon Bonaparte", "Isaac Newton", "Cleopatra",
    "Ludwig van Beethoven", "Charles Darwin", "Leonardo da Vinci", "Abraham Lincoln", "Vincent van Gogh",
    "Mahatma Gandhi", "Galileo Galilei", "Jane Austen", "Pablo Picasso", "Nelson Mandela",
)  # fmt: skip
INVENTED_PEOPLE = (
    "Jimmy Scrambles", "Marta Quillenby", "Osric Plumleigh", "Tobias Wrenfield", "Ludmila Harkovsen", "Edwin Crabtallow",
    "Pia Lindqvorst", "Rufus Mandelbrook", "Ines Calverado", "Horace Twillby", "Anouk Bergesson", "Dimitri Volkarenko",
    "Clara Nightingill", "Samir Haldorani", "Beatrix Oakhollow", "Gustav Pemmerling",
)  # fmt: skip

LETTERS = Task(
    "letters",
    'Number of letters in "{question}":',
    tuple(
        (word, f" {len(word)}")
        for word in (
            *("cat", "house", "flower", "banana", "tree", "elephant", "language", "sun", "computer", "bread"),
            *("kitchen", "to", "window", "garden", "school", "river", "holiday", "egg", "moon", "mountain"),
        )
    ),
)

WORDS = Task(
    "words",
    'Number of words in "{question}":',
    tuple(
        (sentence, f" {len(sentence.split())}")
        for sentence in (
            *(
                "the cat sleeps",
                "we are here",
                "birds sing in the tall trees",
                "stop",
                "my sister plays the piano",
            ),
            *(
                "it rains",
                "come home before dark",
                "he sold his old red car to a friend",
                "snow fell all night long",
            ),
            *(
                "good morning",
                "she reads a book by the fire",
                "they left",
                "nobody knows the answer to this question",
            ),
            *(
                "open the door please",
                "the bread is still warm",
                "wait",
                "ten ships sailed out of the harbour at dawn",
            ),
            *("I like tea", "our train leaves at noon", "the small boat is blue"),
        )
    ),
)


class Score(NamedTuple):
    """How many questions were answered rightly."""

    right: int
    n: int

    @property
    def share(self) -> float:
        """Of all questions, from 0 to 1."""
        return self.right / self.n

    @property
    def error(self) -> float:
        """One standard error of the share: how far it would move with other questions of the kind."""
        return float(standard_error([self.share, 1 - self.share], self.n)[0])


class Confidence(NamedTuple):
    """How sure a model is of the next token."""

    prompt: str
    answer: str  # the most probable token
    probability: float  # of it
    entropy: float  # in nats
    margin: float  # probability of the best token less that of the second


def chat(question: str, answer: str = "") -> str:
    """The question as SmolLM2 was taught to be asked, and the beginning of an answer that it shall go on with.

    >>> chat("Who was she?", "She was")
    '<|im_start|>user\\nWho was she?<|im_end|>\\n<|im_start|>assistant\\nShe was'

    Raises ValueError for a question without words.
    """
    if not question.strip():
        raise ValueError(f"the question must hold some words, got {question!r}; try 'Who was Cleopatra?'")
    return f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n{answer}"


def few_shot_prompt(task: Task, number: int, shots: int, seed: int = 0) -> str:
    """Question `number` of a task (counted from 0) behind `shots` other questions with their answers, rolled by `seed`.

    >>> print(few_shot_prompt(OPPOSITES, 0, shots=2))
    wide -> narrow
    win -> lose
    hot ->

    Raises ValueError for a number of shots or of a question that the task does not have.
    """
    others = [item for i, item in enumerate(task.items) if i != number]
    if not 0 <= number < len(task.items):
        raise ValueError(
            f"number must be from 0 to {len(task.items) - 1}, got {number}; 0 is the first question"
        )
    if not 0 <= shots <= len(others):
        raise ValueError(f"shots must be from 0 to {len(others)}, got {shots}; 3 is usual")
    chosen = np.random.default_rng([seed, number]).choice(len(others), shots, replace=False)
    lines = [task.form.format(question=others[i][0]) + others[i][1] for i in chosen]
    return "\n".join([*lines, task.form.format(question=task.items[number][0])])


def few_shot(model, tokenizer, task: Task, shots: int, seed: int = 0) -> Score:
    """How many of a task's questions a model answers with the right word after `shots` examples.

    An answer counts if its tokens are the model's first choice one after the other. A longer word that begins with
    the right one would count too. Every question gets examples of its own; the same seed gives the same ones.
    Raises ValueError where `few_shot_prompt` does, and where the model does, as for a prompt over its context.
    """
    prompts = [few_shot_prompt(task, number, shots, seed) for number in range(len(task.items))]
    texts = [tokenizer.encode(prompt) for prompt in prompts]
    answers = [tokenizer.encode(answer) for _question, answer in task.items]
    rows = [[*text, *answer[:-1]] for text, answer in zip(texts, answers, strict=True)]
    seen = _read(model, rows, [len(answer) for answer in answers])
    right = sum(
        bool((logits.argmax(-1) == answer).all()) for logits, answer in zip(seen, answers, strict=True)
    )
    return Score(right, len(rows))


def always_the_same(task: Task) -> Score:
    """What somebody gets who gives the most frequent answer of the task to every question.

    >>> always_the_same(MOODS)
    Score(right=15, n=30)
    """
    answers = [answer for _question, answer in task.items]
    return Score(max(map(answers.count, answers)), len(answers))


def confidence(model, tokenizer, prompts: Sequence[str]) -> list[Confidence]:
    """How sure a model is of the token after each prompt; special tokens in the prompts count as such.

    Raises ValueError without a prompt, and where the tokenizer or the model does.
    """
    if isinstance(prompts, str) or not prompts:
        raise ValueError(f"prompts must be a list of texts, got {prompts!r}; try ['The capital of Italy is']")
    rows = [tokenizer.encode(prompt, special=True) for prompt in prompts]
    found = []
    for prompt, logits in zip(prompts, _read(model, rows, [1] * len(rows)), strict=True):
        odds = temperature_softmax(logits[-1])
        second, best = np.sort(odds)[-2:]
        answer = tokenizer.decode([int(odds.argmax())])
        found.append(Confidence(prompt, answer, float(best), entropy(odds), float(best - second)))
    return found


class Separation(NamedTuple):
    """How well a number tells two groups apart."""

    share: float  # of all pairs, one of each group, in which the first group's number is larger; 0.5 tells nothing
    error: float  # one standard error


def separation(larger: Sequence[float], smaller: Sequence[float]) -> Separation:
    """In what share of all pairs the first group's number is larger; ties count half. 1 tells them apart, 0.5 is chance.

    >>> separation([3, 5], [1, 2, 4]).share == 5 / 6
    True

    This is the area under the ROC curve. Raises ValueError for an empty group or NaN.
    """
    first, second = np.asarray(larger, dtype=np.float64), np.asarray(smaller, dtype=np.float64)
    if not (first.size and second.size) or np.isnan(first).any() or np.isnan(second).any():
        raise ValueError(
            f"both groups must hold numbers, got {first.size} and {second.size} with "
            f"{int(np.isnan(first).sum() + np.isnan(second).sum())} NaN; leave the NaN out"
        )
    wins = (first[:, None] > second) + 0.5 * (first[:, None] == second)
    area = float(wins.mean())
    # Hanley and McNeil, equation 1, with their approximations for exponential scores.
    both_firsts, both_seconds = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (
        area * (1 - area)
        + (first.size - 1) * (both_firsts - area**2)
        + (second.size - 1) * (both_seconds - area**2)
    ) / (first.size * second.size)
    return Separation(area, math.sqrt(max(variance, 0.0)))


@torch.no_grad()
def _read(
    model: Callable, rows: Sequence[Sequence[int]], counts: Sequence[int]
) -> list[Float[np.ndarray, "seq vocab"]]:
    """The logits at the last `counts` positions of each row. Rows of about one length are read together.

    Padding stands behind a row's end, where a causal model's earlier positions do not see it.
    """
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    found: dict[int, np.ndarray] = {}
    while order:
        together = [order.pop()]  # the longest that is left
        longest = len(rows[together[0]])
        while order and (len(together) + 1) * longest <= LOGITS_AT_ONCE:
            together.append(order.pop())
        ids: Int[torch.Tensor, "batch seq"] = torch.zeros(len(together), longest, dtype=torch.long)
        for line, i in zip(ids, together, strict=True):
            line[: len(rows[i])] = torch.tensor(rows[i])
        logits = model(ids.to(model.device)).cpu()
        for line, i in zip(logits, together, strict=True):
            found[i] = line[len(rows[i]) - counts[i] : len(rows[i])].float().numpy().copy()
    return [found[i] for i in range(len(rows))]
