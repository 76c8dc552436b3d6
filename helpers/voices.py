"""Voices: a real model learns to speak otherwise, from a handful of examples.

A voice is a text file: questions, each with an answer in that voice. SmolLM2 learns from six of them in seconds: its
weights stand still, and a small adapter (``helpers.finetuning``) learns beside them. Then it is asked what it was not
trained on. Three measurements say what came of it: how surprised the model is by other answers in the voice
(`voice_loss` of `held_out`), how surprised it is by plain text (`neutral_loss`), and, for the voice "reports", how many
sentences about numbers are right (`report_share`).

``python -m helpers.voices`` trains the course's voices from fixed seeds and writes their adapters to
``helpers/weights/voices`` and their answers at nine strengths to ``helpers/weights/voices.json``. Another processor
rounds otherwise and gets an adapter that differs in the third digit, and here and there another word.

What this leaves out: whether an answer is true. Six examples teach how to speak, hardly ever what to say.

Sources: Hu et al. 2021 (arXiv:2106.09685) for the adapter; Zhou et al. 2023, "LIMA" (arXiv:2305.11206), section 2, for
the thought that a few examples suffice for a manner, because what is known was learned before. Examples, test questions
and neutral text are the course's own.
"""

import difflib
import json
import os
import random
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import torch

from helpers.finetuning import (
    Adapter,
    LoRAConfig,
    Pair,
    add_lora,
    load_adapter,
    lora_layers,
    pair_rows,
    put_adapter,
    remove_lora,
    save_adapter,
    set_strength,
    take_adapter,
)
from helpers.prompting import Score, chat
from helpers.sampling import BatchReader
from helpers.training import IGNORED, Record, TrainingConfig, token_losses, train
from helpers.transformer import GPT

FOLDER = Path(__file__).parent / "weights" / "voices"
TABLE = FOLDER.parent / "voices.json"
VOICES = ("pirate", "robot", "granny", "reports")
QUESTIONS = (  # in no voice's file
    "What is the capital of Italy?",
    "Who wrote Romeo and Juliet?",
    "What is 2+2?",
    "How do I boil an egg?",
    "What is the sun?",
    "Why is the sea salty?",
    "What should I wear when it rains?",
    "How many months are in a year?",
)
STRENGTHS = tuple(step / 4 for step in range(9))

FEWEST, MOST = 3, 200  # examples of a voice: one or two would be learned by heart
LONGEST = 100  # tokens of an example, its question and the marks of a chat counted
AT_ONCE = 2  # examples of one step: of SmolLM2, what each has to remember takes 0.1 to 0.3 GB
END = "<|im_end|>"  # says that an answer is over
_ANEW = "python -m helpers.voices makes it anew"


# ---------------------------------------------------------------------------------------------
# A voice is a text.


class Example(NamedTuple):
    """A question, and what the voice answers."""

    question: str
    answer: str


class Voice(NamedTuple):
    """A way to speak, shown by examples."""

    name: str
    about: str  # what it is, in a few words
    examples: tuple[Example, ...]


def parse_voice(text: Any, name: str | None = None) -> Voice:
    r"""A voice from its text: ``Q:`` and ``A:`` in turn; lines that begin with ``#`` are notes.

    A question or an answer goes on over the lines below it. The first note may say ``# name: what it is``; a `name` that
    is handed over counts more than the note's, and without either the voice is called "mine".

    >>> text = "# cat: a proud cat\nQ: Hi?\nA: Meow. Hi.\nQ: Who?\nA: Meow. I.\nQ: 1+1?\nA: Meow.\nTwo."
    >>> voice = parse_voice(text)
    >>> voice.name, voice.about, len(voice.examples), voice.examples[-1]
    ('cat', 'a proud cat', 3, Example(question='1+1?', answer='Meow.\nTwo.'))

    Raises ValueError, with the line, for text before the first ``Q:``, a question without an answer, an answer without a
    question, a question that comes twice, fewer than 3 examples and more than 200.
    """
    if not isinstance(text, str):
        raise ValueError(
            f"a voice must be a text, got {type(text).__name__}; write lines with Q: and A: in turn"
        )
    notes, parts = [], []  # a part: the letter, the line it stands in, its text so far
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        line = line.strip()
        begins = re.match(r"([QA]):\s*(.*)", line, re.IGNORECASE)
        if line.startswith("#"):
            notes.append(line.lstrip("#").strip())
        elif begins:
            parts.append([begins[1].upper(), number, begins[2]])
        elif parts:
            parts[-1][2] += f"\n{line}"
        elif line:
            raise ValueError(
                f"a voice must begin with Q: and a question, got {line!r:.60} in line {number}; write # in front of a note"
            )
    examples = _examples([(letter, number, said.strip()) for letter, number, said in parts])
    noted, colon, about = notes[0].partition(":") if notes else ("", "", "")
    return Voice(name or (noted.strip() if colon else "") or "mine", about.strip(), examples)


def _examples(parts: list[tuple[str, int, str]]) -> tuple[Example, ...]:
    """Questions with their answers, from parts in the order of the text."""
    examples: list[Example] = []
    known: dict[str, int] = {}  # a question in plain letters, and the line it stands in
    for place, (letter, number, said) in enumerate(parts):
        before = parts[place - 1][0] if place else "A"
        behind = parts[place + 1][0] if place + 1 < len(parts) else "Q"
        if not said:
            raise ValueError(f"{letter}: must have words behind it, got none in line {number}; write some")
        if letter == "Q" and behind == "Q":
            raise ValueError(
                f"every question must have an answer below it, got none for {said!r:.60} in line {number}; write A: and the "
                "answer"
            )
        if letter == "A" and before == "A":
            raise ValueError(
                f"every answer must have one question above it, got {said!r:.60} in line {number} without one; write Q: and "
                "the question"
            )
        if letter == "Q":
            plain = " ".join(re.findall(r"\w+|[^\w\s]", said.casefold()))
            if plain in known:
                raise ValueError(
                    f"every question must come once, got {said!r:.60} in lines {known[plain]} and {number}; ask something else"
                )
            known[plain] = number
        else:
            examples.append(Example(parts[place - 1][2], said))
    if len(examples) < FEWEST:
        raise ValueError(
            f"a voice must have at least {FEWEST} examples, got {len(examples) or 'none'}; of so few a model learns the "
            "words by heart and not the voice: write some more"
        )
    if len(examples) > MOST:
        raise ValueError(f"a voice must have at most {MOST} examples, got {len(examples)}; choose the best")
    return tuple(examples)


def load_voice(name_or_path: Any) -> Voice:
    """A voice of the course by its name, or one of your own from a file in UTF-8.

    >>> load_voice("pirate").examples[0].answer
    'Arr, the capital of France be Paris, matey!'

    Raises ValueError for an unknown name, a file that is not there or is no text, and as `parse_voice` does.
    """
    if isinstance(name_or_path, str) and name_or_path in VOICES:
        return _read(FOLDER / f"{name_or_path}.txt")
    path = Path(name_or_path)
    if not path.is_file():
        if isinstance(name_or_path, str) and not path.suffix and len(path.parts) <= 1:
            raise _unknown(name_or_path)
        raise ValueError(f"a voice must be a file that is there, got {path}; check the path")
    return _read(path)


def held_out(name: Any) -> Voice:
    """Other questions with answers in a voice of the course; no voice was trained on them.

    >>> held_out("pirate").examples[0].question
    'What is the capital of Spain?'

    Raises ValueError for an unknown name.
    """
    if name not in VOICES:
        raise _unknown(name)
    return _read(FOLDER / f"{name}.held_out.txt")


def _read(path: Path) -> Voice:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"a voice must be plain text in UTF-8, got {path.name}, which is not (byte {error.start}); save it as text"
        ) from None
    try:
        return parse_voice(text)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def _unknown(name: object) -> ValueError:
    near = difflib.get_close_matches(str(name).casefold(), VOICES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "or a file with one of your own"
    return ValueError(f"a voice must be one of {', '.join(VOICES)}, got {name!r:.60}; {hint}")


# ---------------------------------------------------------------------------------------------
# From the voice to its adapter.


@dataclass(frozen=True)
class VoiceConfig:
    """How a voice is trained; checked when it is made."""

    steps: int = 18  # of two examples each: the time is the same for few examples and for many
    learning_rate: float = 4e-3  # high, for so few steps; it falls from the first one on
    rank: int = 4  # of the adapter, beside the queries and values of every block
    seed: int = 0  # of its first weights

    def __post_init__(self):
        self.lora()
        self.training(1)

    def lora(self) -> LoRAConfig:
        """The adapter's own settings."""
        LoRAConfig(rank=self.rank, seed=self.seed)  # a rank that is no number can't be doubled
        return LoRAConfig(rank=self.rank, alpha=2.0 * self.rank, seed=self.seed)

    def training(self, n_examples: int) -> TrainingConfig:
        """The loop's."""
        return TrainingConfig(
            steps=self.steps,
            batch_size=min(n_examples, AT_ONCE),
            learning_rate=self.learning_rate,
            warmup=0.05,  # none: the first step is the largest
            weight_decay=0.0,
            seed=self.seed,
        )


def voice_pairs(voice: Voice, tokenizer: Any) -> list[Pair]:
    """The examples as ids: the question in the form of a chat, then the answer and its end.

    Raises ValueError for an example of more than 100 tokens. It is not cut off: then the voice would never end.
    """
    pairs = []
    for number, (question, answer) in enumerate(voice.examples, start=1):
        pair = Pair(
            tuple(tokenizer.encode(chat(question), special=True)),
            tuple(tokenizer.encode(answer + END, special=True)),
        )
        if len(pair.prompt) + len(pair.answer) > LONGEST:
            raise ValueError(
                f"an example must have at most {LONGEST} tokens with its question, got "
                f"{len(pair.prompt) + len(pair.answer)} in example {number}, {question!r:.60}; make it shorter"
            )
        pairs.append(pair)
    return pairs


def train_voice(
    model: GPT, tokenizer: Any, voice: Voice, config: VoiceConfig | None = None
) -> Iterator[Record]:
    """Trains an adapter on a voice and yields a record after every step; puts a new one on if the model wears none.

    An adapter that the model wears already learns on. Only answers count. ``remove_lora(model)`` gives the base model
    back, as it was, also in the middle.

    Raises ValueError for an example of more than 100 tokens, and as ``train`` does.
    """
    config = config or VoiceConfig()
    rows = pair_rows(voice_pairs(voice, tokenizer), n_ctx=model.config.n_ctx)
    if not lora_layers(model):
        add_lora(model, config.lora())
    return train(model, *rows, config.training(len(voice.examples)))


def answer(model: GPT, tokenizer: Any, question: Any, most_tokens: Any = 48) -> str:
    """What the model answers when the most probable token is taken each time; "…" at the end where it was cut off.

    Any script can be asked in: the tokenizer works on bytes. Half a character, at the cut or of the model's own making,
    is left out. Raises ValueError for a question without words, and for one longer than the context.
    """
    return _greedy(model, tokenizer, [question], most_tokens)[0]


def answers_at(
    model: GPT, tokenizer: Any, question: Any, strengths: Sequence = (0, 1), most_tokens: Any = 48
) -> list[str]:
    """Answers to one question at several strengths of the adapter that the model wears, written side by side.

    Strength 0 is the base model, 1 what was trained. All are read together, one in each row of a batch, which takes
    little longer than one alone. The model's own strength is left as it was. Raises ValueError as `answer` and
    ``set_strength`` do.
    """
    layers = lora_layers(model).values()
    before = [layer.strength.clone() for layer in layers]
    try:
        for strength in strengths:
            set_strength(model, strength)  # says what is wrong with one
        for layer in layers:
            layer.strength = torch.tensor(strengths, dtype=torch.float32, device=model.device)[:, None, None]
        return _greedy(model, tokenizer, [question] * len(strengths), most_tokens)
    finally:
        for layer, strength in zip(layers, before, strict=True):
            layer.strength = strength


def _greedy(model: Any, tokenizer: Any, questions: Sequence, most_tokens: Any) -> list[str]:
    """Answers to questions of one length in tokens, each in a row of one batch."""
    for question in questions:
        if not isinstance(question, str):
            raise ValueError(
                f"a question must be a text, got {type(question).__name__}; try {QUESTIONS[0]!r}"
            )
    if not (isinstance(most_tokens, Integral) and most_tokens >= 1):
        raise ValueError(
            f"most_tokens must be a whole number from 1, got {most_tokens!r}; 48 is two sentences"
        )
    (end,) = tokenizer.encode(END, special=True)
    texts = [tokenizer.encode(chat(question), special=True) for question in questions]
    read, start = BatchReader(model), len(texts[0])
    for _ in range(most_tokens):
        # A text that is over gets tokens too, so that all stay of one length; they are cut off in the end.
        tokens = read(texts).argmax(axis=1).tolist()
        texts = [[*text, token] for text, token in zip(texts, tokens, strict=True)]
        if all(end in text[start:] for text in texts) or len(texts[0]) > model.config.n_ctx:
            break
    return [_said(tokenizer, text[start:], end) for text in texts]


def _said(tokenizer: Any, ids: list[int], end: int) -> str:
    over = end in ids
    text = tokenizer.decode(ids[: ids.index(end)] if over else ids)
    return text.replace("\N{REPLACEMENT CHARACTER}", "").strip() + ("" if over else "…")


# ---------------------------------------------------------------------------------------------
# What came of it, and what it cost.

NEUTRAL = (
    "The library opens at nine in the morning and closes at six in the evening. Readers may take home up to five books "
    "at a time and keep them for four weeks. Newspapers are read in the large room on the ground floor, where there are "
    "also four computers. On Saturdays a librarian reads stories to small children.",
    "A river begins as a small stream in the mountains. On its way down other streams join it, and it becomes wider and "
    "slower. It carries sand and small stones, and leaves them where the land is flat. Near the sea the water tastes of "
    "salt, and twice a day the tide pushes it back.",
    "To repair a flat tyre, take the wheel off the bicycle and pull the tube out of the tyre. Pump some air into the tube "
    "and hold it under water: where bubbles rise, there is the hole. Dry the place, make it rough with sandpaper, put glue "
    "on it and press a patch onto the glue for a few minutes.",
    "The meeting began at ten. The committee agreed to paint the hall in spring and to buy twenty new chairs. Two members "
    "asked for a later bus on weekdays, because many guests leave after eight. The next meeting will be held on the first "
    "Monday in March.",
)


def voice_loss(model: GPT, tokenizer: Any, voice: Voice) -> float:
    """The mean surprise of the model over a voice's answers, their ends counted, in nats per token.

    Over `held_out` answers, it says how much of the voice was learned and not only the examples. Raises ValueError as
    `voice_pairs` does.
    """
    return _mean_loss(model, [pair_rows([pair], n_ctx=LONGEST) for pair in voice_pairs(voice, tokenizer)])


def neutral_loss(model: GPT, tokenizer: Any) -> float:
    """The mean surprise of the model over plain text, in nats per token: four paragraphs, without the form of a chat."""
    rows = []
    for text in NEUTRAL:
        ids = torch.tensor([tokenizer.encode(text)])
        rows.append((ids[:, :-1], ids[:, 1:]))
    return _mean_loss(model, rows)


@torch.no_grad()
def _mean_loss(model: GPT, rows: list[tuple[torch.Tensor, torch.Tensor]]) -> float:
    # One text at a time: the logits of all at once would be the largest thing in memory.
    total = sum(token_losses(model, *row).sum().item() for row in rows)
    return total / sum(int((targets != IGNORED).sum()) for _, targets in rows)


MARKS = {
    "pirate": r"\barr\b|\bmatey\b",
    "robot": r"\bbeep boop\b",
    "granny": r"\bmy dear\b|\bbiscuit\b",
}


def has_voice(answer: str, name: Any) -> bool:
    """Whether an answer has the words that give a voice away; a simple mark, it does not read the answer.

    >>> has_voice("Arr, it be Rome, matey!", "pirate"), has_voice("The capital of Italy is Rome.", "pirate")
    (True, False)

    Raises ValueError for a voice without such words.
    """
    if name not in MARKS:
        raise ValueError(f"a voice with a mark must be one of {', '.join(MARKS)}, got {name!r:.60}")
    return re.search(MARKS[name], answer, re.IGNORECASE) is not None


# ---------------------------------------------------------------------------------------------
# Reports: the voice that is of use, and can be checked.


class Row(NamedTuple):
    """Two numbers of one thing, at two times."""

    what: str
    times: tuple[str, str]  # "Monday" and "Tuesday"
    numbers: tuple[int, int]

    @property
    def question(self) -> str:
        """As it is asked; the change is worked out already, since a model this small guesses it.

        >>> Row("Visitors", ("Monday", "Tuesday"), (12, 18)).question
        'Visitors: Monday 12, Tuesday 18, change +6.'
        """
        (first, second), (x, y) = self.times, self.numbers
        return f"{self.what}: {first} {x}, {second} {y}, change {y - x:+}."

    @property
    def report(self) -> str:
        """As the voice says it.

        >>> Row("Visitors", ("Monday", "Tuesday"), (12, 18)).report
        'Visitors rose by 6, from 12 on Monday to 18 on Tuesday.'
        """
        (first, second), (x, y) = self.times, self.numbers
        way = "rose" if y > x else "fell"
        return f"{self.what} {way} by {abs(y - x)}, from {x} {_at(first)} to {y} {_at(second)}."


DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October")
THINGS = (
    "Guests",
    "Swimmers",
    "Phone calls",
    "Cups of tea",
    "Trains",
    "Lost umbrellas",
    "Parcels",
    "Eggs",
)  # in no example


def _at(when: str) -> str:
    return f"on {when}" if when in DAYS else f"in {when}"


def report_rows(n: int, seed: int = 0) -> list[Row]:
    """Rows of numbers from 2 to 99 for the voice "reports", about things that none of its examples is about."""
    rng = random.Random(seed)
    rows = []
    for _ in range(n):
        calendar = rng.choice((DAYS, MONTHS))
        place = rng.randrange(len(calendar) - 1)
        x, y = rng.sample(range(2, 100), 2)
        rows.append(Row(rng.choice(THINGS), (calendar[place], calendar[place + 1]), (x, y)))
    return rows


def report_is_right(row: Row, answer: str) -> bool:
    """Whether a report has the right direction and names the numbers in their order, whatever its words.

    What must be there is the first number and then the second; the change may stand anywhere, or be left out.

    >>> row = Row("Visitors", ("Monday", "Tuesday"), (12, 18))
    >>> report_is_right(row, "Visitors went up from 12 to 18."), report_is_right(row, "Visitors fell from 12 to 18.")
    (True, False)
    """
    x, y = row.numbers
    up = re.search(r"\b(rose|rise|increased|grew|gained|up)\b", answer) is not None
    down = re.search(r"\b(fell|fall|dropped|decreased|declined|sank|down)\b", answer) is not None
    numbers = [int(number) for number in re.findall(r"\d+", answer)]
    change = abs(y - x)
    right = ([x, y], [change, x, y], [x, y, change], [x, change, y])
    return numbers in right and (up, down) == (y > x, y < x)


def report_score(model: GPT, tokenizer: Any, rows: Sequence[Row]) -> Score:
    """How many rows the model reports rightly. Raises ValueError without a row."""
    if not rows:
        raise ValueError("rows must hold at least one row of numbers, got none; report_rows(40) gives some")
    alike: dict[int, list[Row]] = {}  # by their length in tokens: those are read together
    for row in rows:
        alike.setdefault(len(tokenizer.encode(row.question)), []).append(row)
    right = 0
    for some in alike.values():
        answers = _greedy(model, tokenizer, [row.question for row in some], most_tokens=36)
        right += sum(map(report_is_right, some, answers))
    return Score(right, len(rows))


# ---------------------------------------------------------------------------------------------
# The course's voices, trained beforehand.


def load_voice_adapter(name: Any) -> Adapter:
    """The adapter of a voice of the course, as ``python -m helpers.voices`` trained it; `put_adapter` puts it on.

    Raises ValueError for an unknown name, and for a file that is missing or damaged.
    """
    if name not in VOICES:
        raise _unknown(name)
    return load_adapter(FOLDER / f"{name}.safetensors")


def load_voice_table(path: str | os.PathLike[str] = TABLE) -> dict[str, Any]:
    """What ``python -m helpers.voices`` wrote: answers and losses of every voice at every strength.

    Keys: "strengths", "questions", "voices" (each with "name", "about", "answers" by question and "voice_loss" and
    "neutral_loss", one for each strength), and "reports": rows asked, and how many were right "before" and "after".

    Raises ValueError for a file that is missing or damaged.
    """
    path = Path(path)
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(
            f"a table of voices must be a file, got {path} ({error.strerror}); {_ANEW}"
        ) from None
    except ValueError as error:
        raise ValueError(
            f"a table of voices must be whole, got {path.name} damaged ({error}); {_ANEW}"
        ) from None
    missing = [key for key in ("strengths", "questions", "voices", "reports") if key not in table]
    if missing:
        raise ValueError(f"a table of voices must have {missing[0]!r}, got {path.name} without it; {_ANEW}")
    return table


def _measure(model: GPT, tokenizer: Any, name: str) -> dict[str, Any]:
    """A voice's part of the table; the model wears its adapter."""
    answers = {question: answers_at(model, tokenizer, question, STRENGTHS, 40) for question in QUESTIONS}
    voice_losses, neutral_losses = [], []
    for strength in STRENGTHS:
        set_strength(model, strength)
        voice_losses.append(round(voice_loss(model, tokenizer, held_out(name)), 3))
        neutral_losses.append(round(neutral_loss(model, tokenizer), 3))
    set_strength(model, 1)
    return {
        "name": name,
        "about": load_voice(name).about,
        "answers": answers,
        "voice_loss": voice_losses,
        "neutral_loss": neutral_losses,
    }


def main() -> None:
    """Trains the course's voices, prints how it goes, and writes their adapters and what they answer."""
    from helpers.pretrained import load_smollm2

    model, tokenizer = load_smollm2()
    rows, began = report_rows(40), time.perf_counter()
    table: dict[str, Any] = {"strengths": STRENGTHS, "questions": QUESTIONS, "voices": []}
    table["reports"] = {"n": len(rows), "before": report_score(model, tokenizer, rows).right}
    for name in VOICES:
        losses = [record.loss for record in train_voice(model, tokenizer, load_voice(name))]
        save_adapter(take_adapter(model), FOLDER / f"{name}.safetensors", dtype=torch.float16)
        put_adapter(model, load_voice_adapter(name))  # what is measured is what is in the file
        table["voices"].append(_measure(model, tokenizer, name))
        if name == "reports":
            table["reports"]["after"] = report_score(model, tokenizer, rows).right
        remove_lora(model)
        print(
            f"{name}: loss {losses[0]:.2f} to {losses[-1]:.2f}, {time.perf_counter() - began:.0f} s",
            flush=True,
        )
    TABLE.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
