"""The voice explorer: one model, several adapters, and how much of one is added to it.

At strength 0 the base model answers, at 1 the adapter counts as it was trained, at 2 twice. Answers to the course's
questions in the course's voices were computed beforehand (``helpers.voices``) and are looked up in the browser. A
question of the learner's own, and a voice of the learner's own, are answered by the kernel, as `writer` does it: the
browser asks for a few tokens at a time, sending what is written so far, so that nothing keeps the kernel long.

JupyterLab may hand an explorer's messages to another thread than the one that runs cells, so an answer can be wanted
while a cell trains the very same model. Therefore no answer ever touches the model that was passed in: `twin` gives
one that shares its weights, with layers of its own to hang an adapter on.

What ``voices.js`` computes is here under the same names: `nearest`, `between`, `verdict`, `says`, `curves_told`; the
tests run both on the same table.
"""

import copy
import html
import math
import threading
import time
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, ClassVar

import traitlets
from torch import nn

from helpers import plots
from helpers.explorers.base import Explorer, script, style
from helpers.explorers.merges import shortened
from helpers.finetuning import STRONGEST, Adapter, lora_layers, put_adapter, remove_lora, set_strength
from helpers.prompting import chat
from helpers.tokenization import Tokenizer
from helpers.transformer import GPT
from helpers.voices import END, load_voice_adapter, load_voice_table

STEP = 0.25  # of the slider
MOST = 48  # tokens of an answer, as in `helpers.voices.answer`
LONGEST = 100  # tokens of a question: more would take a CPU seconds to read
LONGEST_NAME = 30  # characters of a voice's name
SPOKEN = 160  # characters of an answer that are said aloud

Table = Mapping[str, Any]
"""What ``helpers.voices.load_voice_table`` gives; `checked` says what must be in it."""


# ---- What the browser computes too --------------------------------------------------------------------------------


def nearest(strengths: Sequence[float], strength: float) -> int:
    """Which of the strengths is nearest; the lower one of two that are equally near.

    >>> [nearest([0, 0.5, 1, 2], strength) for strength in (0, 0.25, 0.3, 1.9, 7)]
    [0, 0, 1, 3, 3]
    """
    return min(range(len(strengths)), key=lambda i: abs(strengths[i] - strength))


def between(strengths: Sequence[float], values: Sequence[float], strength: float) -> float:
    """The value at a strength, on straight lines between those that are known; beyond the ends, that of the end.

    >>> [between([0, 1, 2], [4, 2, 3], strength) for strength in (-1, 0.25, 1, 1.5, 9)]
    [4, 3.5, 2, 2.5, 3]
    """
    for i in range(1, len(strengths)):
        if strength < strengths[i]:
            share = max(0, (strength - strengths[i - 1]) / (strengths[i] - strengths[i - 1]))
            return values[i - 1] + share * (values[i] - values[i - 1])
    return values[-1]


def _found(table: Table, voice: str) -> dict[str, Any] | None:
    """What the table has of a voice; None for one of the learner's own."""
    return next((one for one in table["voices"] if one["name"] == voice), None)


def _moved(change: float) -> str:
    """How far a surprise has moved, in words.

    >>> _moved(-0.5), _moved(0.031), _moved(0.004)
    ('0.50 less than without it', '0.03 more than without it', 'as without it')
    """
    if f"{abs(change):.2f}" == "0.00":
        return "as without it"
    return f"{abs(change):.2f} {'less' if change < 0 else 'more'} than without it"


def verdict(table: Table, voice: str, strength: float) -> str:
    """What a voice gains and pays at a strength, in a sentence; "" for one that was not measured."""
    if (known := _found(table, voice)) is None:
        return ""
    strengths = table["strengths"]
    own, neutral = (between(strengths, known[name], strength) for name in ("voice_loss", "neutral_loss"))
    head = f"Surprise, in nats per token: on answers in this voice {own:.2f}"
    if strength <= strengths[0]:
        return f"{head}, on neutral text {neutral:.2f}. This is the base model."
    return (
        f"{head}, {_moved(own - known['voice_loss'][0])}; on neutral text {neutral:.2f}, "
        f"{_moved(neutral - known['neutral_loss'][0])}."
    )


def says(table: Table, voice: str, question: str, strength: float) -> str:
    """What is shown, in a few sentences."""
    head = f"{voice} at strength {strength:g}, asked “{question}”: "
    if (known := _found(table, voice)) is None:
        return f"{head}nothing was computed beforehand; the kernel answers."
    answers = known["answers"][question]
    base, told = (
        shortened(answers[i], SPOKEN) for i in (0, nearest(table["strengths"], strength))
    )  # fmt: skip
    same = "the same" if told == base else f"“{told}”"
    return f"{head}the base model says “{base}”, with the voice it says {same}. {verdict(table, voice, strength)}"


def curves_told(table: Table, voice: str) -> str:
    """Both curves in a sentence, for those who can't see them; "" for a voice that was not measured."""
    if (known := _found(table, voice)) is None:
        return ""
    strengths, parts = table["strengths"], []
    for name, what in (("voice_loss", "on answers in this voice"), ("neutral_loss", "on neutral text")):
        at = [between(strengths, known[name], strength) for strength in (0, 1, strengths[-1])]
        parts.append(f"{what} {at[0]:.2f} at 0, {at[1]:.2f} at 1, {at[2]:.2f} at {strengths[-1]:g}")
    return f"Surprise over the strength of {voice}, in nats per token: {'; '.join(parts)}."


# ---- What may come in ---------------------------------------------------------------------------------------------


def checked(table: Any) -> dict[str, Any]:
    """The table, if it is whole; raises ValueError that names the first thing that is not.

    A table has "strengths" (from 0 upwards, to 2 at most), "questions" (texts), and "voices": each with a "name",
    what it is "about", "answers" (to each question, one for each strength), and "voice_loss" and "neutral_loss" (nats
    per token, one for each strength).
    """
    if not isinstance(table, Mapping):
        raise _broken(f"be a dict, got {type(table).__name__}")
    for part in ("strengths", "questions", "voices"):
        if not isinstance(table.get(part), list | tuple) or not table[part]:
            raise _broken(f"have a list of {part}, got {shortened(repr(table.get(part)))}")
    strengths, questions = table["strengths"], table["questions"]
    rising = all(map(_number, strengths)) and sorted(set(strengths)) == list(strengths)
    if not (rising and len(strengths) > 1 and strengths[0] == 0 and strengths[-1] <= STRONGEST):
        raise _broken(f"have strengths that rise from 0, to {STRONGEST:g} at most, got {strengths!r}")
    _names("questions", questions)
    voices = [one if isinstance(one, Mapping) else {} for one in table["voices"]]
    _names("names of voices", [one.get("name") for one in voices])
    for one in voices:
        name = _name(one["name"])
        if not isinstance(one.get("about"), str):
            raise _broken(f"say what {name!r} is about, got {one.get('about')!r}")
        answers = one.get("answers")
        for question in questions:
            got = answers.get(question) if isinstance(answers, Mapping) else None
            if not _each(got, strengths) or not all(isinstance(answer, str) for answer in got):
                raise _broken(
                    f"have an answer of {name!r} to {question!r} for each of its {len(strengths)} strengths, got "
                    f"{shortened(repr(got))}"
                )
        for losses in ("voice_loss", "neutral_loss"):
            got = one.get(losses)
            if not _each(got, strengths) or not all(_number(loss) and loss >= 0 for loss in got):
                raise _broken(
                    f"have a {losses} of {name!r} in nats for each of its {len(strengths)} strengths, got "
                    f"{shortened(repr(got))}"
                )
    return {part: table[part] for part in ("strengths", "questions", "voices")}


def _broken(what: str) -> ValueError:
    return ValueError(f"a table of voices must {what}; helpers.voices.load_voice_table() gives one")


def _number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _each(values: Any, strengths: Sequence) -> bool:
    return isinstance(values, list | tuple) and len(values) == len(strengths)


def _names(what: str, values: Sequence) -> None:
    if not all(isinstance(value, str) and value.strip() for value in values):
        raise _broken(f"have {what} with letters in them, got {shortened(repr(values))}")
    if len(set(values)) < len(values):
        raise _broken(f"have {what} that differ, got {shortened(repr(values))}")


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME:
        raise ValueError(
            f"a voice must have a name of 1 to {LONGEST_NAME} characters, got {shortened(repr(name))}; try 'my voice'"
        )
    return name


def _strength(value: Any) -> float:
    if not (_number(value) and 0 <= value <= STRONGEST and (value / STEP).is_integer()):
        raise ValueError(
            f"strength must be from 0 to {STRONGEST:g} in steps of {STEP}, got {value!r}; 1 is what was trained"
        )
    return float(value)


# ---- Answers of the model ------------------------------------------------------------------------------------------


def twin(model: GPT) -> GPT:
    """A model with the same weights, not copied but shared, and layers of its own; without an adapter.

    What is put on the twin is not on the model, and what trains the model trains the twin's weights too.
    """
    shared = {id(weight): nn.Parameter(weight.detach(), requires_grad=False) for weight in model.parameters()}
    other = copy.deepcopy(model, shared)
    return (remove_lora(other) if lora_layers(other) else other).eval()


class _Speaker:
    """Greedy answers of a model, with one of several adapters or without, one token after the other."""

    def __init__(self, model: GPT, tokenizer: Tokenizer):
        self._tokenizer, end = tokenizer, tokenizer.encode(END, special=True)
        if len(end) != 1:
            raise ValueError(
                f"the tokenizer must know how an answer ends ({END}), got {tokenizer.name}; load_smollm2() gives "
                "a model that answers, and its tokenizer"
            )
        self._end, self._voiced = end[0], twin(model)
        self._readers = {"base": twin(model).reader(), "voice": self._voiced.reader()}
        self._worn: tuple[Adapter | None, float] = (None, 0.0)
        self._lock = threading.Lock()  # a cell may ask while the browser does

    def put_on(self, adapter: Adapter, strength: float) -> None:
        """Wears this adapter at this strength; raises ValueError for one of another base."""
        put_adapter(self._voiced, adapter)
        set_strength(self._voiced, strength)
        self._readers["voice"] = self._voiced.reader()  # what was read in another voice is of no use
        self._worn = (adapter, strength)

    def try_on(self, adapter: Adapter) -> None:
        """Raises ValueError for an adapter of another base."""
        with self._lock:
            self.put_on(adapter, 1.0)

    def write_on(
        self, text: str, adapter: Adapter, strength: float, grown: dict[str, list[int]], seconds: float
    ) -> dict[str, Any]:
        """One more token for each answer that is `grown` so far, and more until the seconds are over."""
        until, prompt = time.monotonic() + seconds, self.prompt(text)
        with self._lock:
            worn, at = self._worn
            # For every answer anew: a base that was changed since is noticed.
            if "voice" in grown and not (grown["voice"] and worn is adapter and at == strength):
                self.put_on(adapter, strength)
            while not all(map(self._over, grown.values())):
                for side, ids in grown.items():
                    if not self._over(ids):
                        ids.append(int(self._readers[side]([*prompt, *ids]).argmax()))
                if time.monotonic() >= until:
                    break
        return {
            side: {"ids": ids, "said": self.read(ids), "over": self._over(ids)} for side, ids in grown.items()
        }

    def prompt(self, text: str) -> list[int]:
        """The ids of a question; raises ValueError for one without words or with too many."""
        if not text.strip():
            raise ValueError("a question must have a word or more, got none; type one")
        n_tokens = len(self._tokenizer.encode(text))
        if n_tokens > LONGEST:
            raise ValueError(
                f"a question can have up to {LONGEST} tokens here, got {n_tokens:,}; make it shorter"
            )
        return self._tokenizer.encode(chat(text), special=True)

    def read(self, ids: list[int]) -> str:
        """An answer as far as it is written, as `helpers.voices.answer` gives it."""
        ended = self._end in ids
        text = self._tokenizer.decode(ids[:-1] if ended else ids).replace("\N{REPLACEMENT CHARACTER}", "")
        return text.strip() + ("…" if self._over(ids) and not ended else "")

    def _over(self, ids: list[int]) -> bool:
        return len(ids) >= MOST or self._end in ids


# ---- The explorer -------------------------------------------------------------------------------------------------


class VoiceExplorer(Explorer):
    """Answers of a model in one of several voices, with more or less of it; what it gains and what it pays.

    `table` holds answers and losses that were computed beforehand, see `checked`; by default those of the course. With
    `model` and `tokenizer` (``load_smollm2()``) the kernel answers questions of the learner's own too. `adapters` are
    voices of the learner's own, by name; `add` adds one later. `voice`, `question` and `strength` are what to begin with.
    The model is never changed, nor is what it wears.

    Raises ValueError for a table that is not whole, a voice, question or strength that is not there, a model
    without a tokenizer, and for what `add` refuses.

    >>> table = {"strengths": [0, 1, 2], "questions": ["How are you?"], "voices": [{"name": "pirate", "about": "as at sea",
    ...     "answers": {"How are you?": ["Fine.", "Arr, fine!", "Arr arr arr"]},
    ...     "voice_loss": [3.5, 1.25, 1], "neutral_loss": [3, 3.125, 4]}]}
    >>> VoiceExplorer(table=table)
    <VoiceExplorer: pirate at strength 1, asked “How are you?”: the base model says “Fine.”, with the voice it says
    “Arr, fine!”. Surprise, in nats per token: on answers in this voice 1.25, 2.25 less than without it; on neutral
    text 3.12, 0.12 more than without it.>
    """

    _esm = script("voices")
    _css = style("voices")
    shown: ClassVar[tuple[str, ...]] = ("voice", "asked", "strength")

    table = traitlets.Dict().tag(sync=True)
    added = traitlets.List().tag(sync=True)  # voices of the learner's own: [name, serial number]
    live = traitlets.Bool().tag(sync=True)  # whether there is a model
    voice = traitlets.Unicode().tag(sync=True, echo_update=False)
    asked = traitlets.Unicode().tag(sync=True, echo_update=False)  # the question of the table that is chosen
    strength = traitlets.Float(1.0).tag(sync=True, echo_update=False)
    typed = traitlets.Unicode().tag(sync=True, echo_update=False)  # what stands in the box
    heard = traitlets.Dict().tag(sync=True, echo_update=False)  # what was typed and its answers

    def __init__(
        self,
        model: GPT | None = None,
        tokenizer: Tokenizer | None = None,
        *,
        table: Any = None,
        adapters: Any = None,
        voice: str | None = None,
        question: str | None = None,
        strength: Any = 1.0,
    ):
        if (model is None) != (tokenizer is None):
            raise ValueError(
                "a model must come with its tokenizer, got one of the two; VoiceExplorer(*load_smollm2())"
            )
        table = checked(load_voice_table() if table is None else table)
        self._speaker = None if model is None or tokenizer is None else _Speaker(model, tokenizer)
        self._adapters: dict[str, Adapter] = {}  # of the course, once they were needed
        self._own: dict[str, Adapter] = {}
        super().__init__(
            table=table, live=self._speaker is not None, strength=_strength(strength),
            voice=table["voices"][0]["name"], asked=table["questions"][0] if question is None else question,
        )  # fmt: skip
        if adapters is not None and not isinstance(adapters, Mapping):
            raise ValueError(
                f"adapters must be a dict of names and adapters, got {type(adapters).__name__}; "
                '{"my voice": take_adapter(model)}'
            )
        for name, adapter in (adapters or {}).items():
            self.add(name, adapter)
        names = [*(one["name"] for one in table["voices"]), *self._own]
        if voice is not None and voice not in names:
            raise ValueError(f"voice must be one of {', '.join(names)}, got {voice!r}")
        if self.asked not in table["questions"]:
            raise ValueError(
                f"question must be one of the table's, got {question!r}; others are asked in the box below, try "
                f"{table['questions'][0]!r}"
            )
        self.voice = self.voice if voice is None else voice

    def add(self, name: Any, adapter: Any) -> None:
        """A voice of the learner's own, at once on the page; in place of an earlier one of that name.

        Raises ValueError without a model, for a name that is no name or one of the table's, for what is no adapter,
        and for an adapter of another base.
        """
        name = _name(name)
        if self._speaker is None:
            raise ValueError(
                f"{name!r} must have a model to speak with, got none; VoiceExplorer(*load_smollm2()) has one"
            )
        if _found(self.table, name):
            raise ValueError(
                f"a voice of your own must have a name of its own, got {name!r}, which is the course's; try 'my {name}'"
            )
        if not isinstance(adapter, Adapter):
            raise ValueError(
                f"an adapter must be one that take_adapter or load_adapter gives, got {type(adapter).__name__}"
            )
        self._speaker.try_on(adapter)
        self._own[name] = adapter
        others = [one for one in self.added if one[0] != name]
        self.added = [*others, [name, 1 + max((one[1] for one in self.added), default=0)]]

    def compute(self, question: dict[str, Any]) -> dict[str, Any]:
        """Goes on with the answers that are ``grown`` so far ("base", "voice" or both), as far as it comes in ``seconds``."""
        if self._speaker is None:
            raise ValueError(
                "an answer must come from a model, got none; run the cell again with VoiceExplorer(*load_smollm2())"
            )
        voice, strength = str(question["voice"]), _strength(question["strength"])
        grown = {side: [int(token) for token in question["grown"][side]] for side in question["grown"]}
        sides = self._speaker.write_on(
            str(question["text"]), self._adapter(voice), strength, grown, float(question["seconds"])
        )
        return {"run": question["run"], "sides": sides}

    def _adapter(self, voice: str) -> Adapter:
        if voice in self._own:
            return self._own[voice]
        if voice not in self._adapters:
            self._adapters[voice] = load_voice_adapter(voice)
        return self._adapters[voice]

    def _now(self) -> tuple[str, str, float]:
        """Voice, question and strength that are shown; what is not there means the first, or the nearest end."""
        names = [*(one["name"] for one in self.table["voices"]), *(name for name, _ in self.added)]
        questions = self.table["questions"]
        return (
            self.voice if self.voice in names else names[0],
            self.asked if self.asked in questions else questions[0],
            min(STRONGEST, max(0.0, self.strength)),
        )

    def describe(self) -> str:
        return says(self.table, *self._now())

    @plots.styled
    def picture(self) -> bytes:
        voice, _, strength = self._now()
        known, strengths = _found(self.table, voice), self.table["strengths"]
        ax = plots.new_axes(7.6, 3.0)
        if known is None:
            ax.set_axis_off()
            ax.text(0.5, 0.5, f"{voice}: no curves were computed beforehand", ha="center", parse_math=False)
            return plots.png(ax.figure, dpi=120)
        plots.plot_lines(
            strengths,
            {"in this voice": known["voice_loss"], "neutral text": known["neutral_loss"]},
            roles={"in this voice": "loss", "neutral text": "truth"},
            x_label="strength", y_label="nats per token", title=f"Surprise: {voice}", ax=ax,
        )  # fmt: skip
        ax.lines[1].set_linestyle((0, (5, 3)))
        ax.axvline(strength, color=plots.INK, linewidth=1, linestyle=":")
        return plots.png(ax.figure, dpi=120)

    def _repr_mimebundle_(self, **settings: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**settings)
        return {**data, "text/html": data["text/html"] + self._answers()}, metadata

    def _answers(self) -> str:
        """The two answers that are shown, as HTML, for readers without a kernel."""
        voice, question, strength = self._now()
        if (known := _found(self.table, voice)) is None:
            return ""
        answers, at = known["answers"][question], nearest(self.table["strengths"], strength)
        told = [
            (question, ""),
            ("The base model says:", answers[0]),
            (f"With {voice} at strength {self.table['strengths'][at]:g}:", answers[at]),
        ]
        return "".join(f"<p><b>{html.escape(name)}</b> {html.escape(text)}</p>" for name, text in told)
