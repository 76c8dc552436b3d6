"""The sampling explorer: from the logits of a whole vocabulary, step by step, to the dice that are rolled.

The kernel reads a text and sends its logits. From then on everything is worked out in the browser: penalty, heat, cuts,
1,000 draws. What ``sampling.js`` computes is here under the same names, on top of ``helpers.sampling``: `way`, `rows`,
`hidden`, `judged`, `describe`, `says`; the tests run both on the same numbers.

What it leaves out: the text that grows from these dice.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import traitlets
from jaxtyping import Float

from helpers import plots, sampling
from helpers.explorers.base import Explorer, style
from helpers.explorers.dice import script_with_tinytown
from helpers.explorers.merges import drawable, shortened
from helpers.explorers.next_token import MOST, largest
from helpers.tokenization import Tokenizer, as_text
from helpers.transformer import GPT

SHOWN = 12  # tokens with bars
TOLD = 5  # tokens in the sentence
VIEW = 50  # a list of so many tokens would hide the rest
DRAWS = 1000
ENOUGH = 5  # draws that a row must expect, and leave to others, for its error bar to mean 95 %
OUTSIDE = math.erfc(math.sqrt(2))  # the share of a bell beyond two standard errors: 0.0455
NOTHING = 1e-9  # less is rounding
SETTINGS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
OFF = {"temperature": 1, "top_k": None, "top_p": 1, "min_p": 0, "repetition_penalty": 1}  # None is off, too

Piece = str | bytes


# ---- What the browser computes too --------------------------------------------------------------------------------


class Step(NamedTuple):
    """The odds after one step of the way, in numbers."""

    name: str  # as in `sampling.stages`
    used: bool  # whether it is switched on
    left: int  # tokens that can still come
    entropy: float  # in nats
    best: float  # probability of the likeliest token
    moved: float  # the share of the probability that this step took from tokens and gave to others


def used(name: str, value: float | None) -> bool:
    """Whether a setting changes anything.

    >>> used("top_p", 0.9), used("top_p", 1), used("min_p", None)
    (True, False, False)
    """
    return value is not None and value != OFF[name]


def way(logits, seen: Sequence[int], settings: dict[str, float | None]) -> list[Step]:
    """The model's own odds and those after each of the five steps.

    `moved` is half the sum of all differences (the total variation distance): for a cut, the mass of what it cuts.

    >>> for step in way(np.log([0.5, 0.3, 0.2]), [], {"temperature": 1, "top_k": 2}):
    ...     print(f"{step.name:<18} {step.used!s:<5} {step.left} {step.best:.3f} {step.moved:.3f}")
    softmax            False 3 0.500 0.000
    repetition penalty False 3 0.500 0.000
    temperature        False 3 0.500 0.000
    top-k              True  2 0.625 0.200
    top-p              False 2 0.625 0.000
    min-p              False 2 0.625 0.000
    """
    found, before = [], None
    left = int(np.isfinite(np.asarray(logits)).sum())
    for stage in sampling.stages(logits, **settings, seen=seen, every=True):
        name = stage.name.replace(" ", "_").replace("-", "_")
        on = name in settings and used(name, settings[name])
        odds = stage.probabilities
        if on:
            # Not simply those above 0: far below the best one, a probability can be too small for a float.
            positive, setting = int(np.count_nonzero(odds)), settings[name]
            if name == "top_k":
                left = min(left, int(setting))
            elif name in ("top_p", "min_p") or (name == "temperature" and setting == 0):
                left = positive
        moved = 0.0 if before is None else 0.5 * float(np.abs(odds - before).sum())
        found.append(Step(stage.name, on, left, sampling.entropy(odds), float(odds.max()), moved))
        before = odds
    return found


class Row(NamedTuple):
    """One token with its bar."""

    token: int  # its id; -1: all others together
    probability: float  # under the final dice
    own: float  # the model's own odds
    count: int  # how often it was drawn
    cut: str  # the step that took all its probability, or nothing


def rows(logits, seen: Sequence[int], settings: dict[str, float | None], seed: int) -> list[Row]:
    """The 12 tokens with the highest logits after the penalty, best first, and the sum of all others, if there are any."""
    stages = sampling.stages(logits, **settings, seen=seen, every=True)
    own, dice = stages[0].probabilities, stages[-1].probabilities
    counts = sampling.draw_counts(dice, DRAWS, seed)
    penalty = settings.get("repetition_penalty")
    scores = np.asarray(logits) if penalty is None else sampling.repetition_penalty(logits, seen, penalty)

    def cut(token: int) -> str:
        if not np.isfinite(scores[token]):
            return ""  # it never had any
        return next((stage.name for stage in stages[2:] if not stage.probabilities[token]), "")

    best = largest(scores, SHOWN)
    found = [Row(i, float(dice[i]), float(own[i]), int(counts[i]), cut(i)) for i in best]
    if len(dice) > len(best):
        rest = np.delete(np.arange(len(dice)), best)
        found.append(Row(-1, float(dice[rest].sum()), float(own[rest].sum()), int(counts[rest].sum()), ""))
    return found


def hidden(odds: Float[np.ndarray, " vocab"], shown: int = VIEW) -> float:
    """The probability of all tokens but the `shown` likeliest.

    >>> round(hidden(np.array([0.1, 0.6, 0.3]), shown=2), 6)
    0.1
    """
    return float(np.sort(odds)[: max(0, len(odds) - shown)].sum())


def _enough(row: Row) -> bool:
    """Whether a row expects enough draws, for itself and for all others, for its error bar to mean what it says."""
    return DRAWS * min(row.probability, 1 - row.probability) >= ENOUGH


def outside(row: Row) -> bool:
    """Whether such a row's share of the draws is more than two standard errors off.

    >>> outside(Row(0, 0.5, 0.5, count=531, cut="")), outside(Row(0, 0.5, 0.5, count=532, cut=""))
    (False, True)
    """
    error = math.sqrt(row.probability * (1 - row.probability) / DRAWS)
    return _enough(row) and abs(row.count / DRAWS - row.probability) > 2 * error


def judged(found: Sequence[Row]) -> tuple[int, int]:
    """How many rows can be judged by their error bar, and how many of these lie outside of it."""
    return sum(map(_enough, found)), sum(map(outside, found))


def about(value: float) -> str:
    """Two digits that count.

    >>> about(4.44), about(9.96), about(3217.0)
    ('4.4', '10', '3,200')
    """
    if value < 9.95:
        return f"{value:.1f}"
    step = 10 ** max(0, math.floor(math.log10(value)) - 1)
    return f"{math.floor(value / step + 0.5) * step:,}"


def tenths(share: float) -> str:
    """A share in percent with one digit behind the point.

    >>> tenths(0.0312), tenths(0.0001), tenths(0)
    ('3.1 %', 'under 0.1 %', '0 %')
    """
    if share < NOTHING:
        return "0 %"
    return "under 0.1 %" if share < 0.001 else f"{100 * share:.1f} %"


def told(settings: dict[str, float | None]) -> str:
    """The settings that are in use, in words.

    >>> told({"temperature": math.inf, "top_k": 1200, "top_p": 0.9, "min_p": None})
    'temperature ∞, top-k 1,200, top-p 0.9'
    >>> told({"temperature": 1.0})
    "the model's own odds"
    """
    words = []
    for name, value in settings.items():
        if used(name, value):
            written = "∞" if value == math.inf else f"{value:,}" if name == "top_k" else f"{value:g}"
            words.append(f"{name.replace('_', ' ' if 'penalty' in name else '-')} {written}")
    return ", ".join(words) or "the model's own odds"


# ---- The explorer ---------------------------------------------------------------------------------------------------


class Sampling(Explorer):
    """The dice for the token after `text`: every step from the logits to them, and 1,000 draws.

    `model` and `tokenizer` come from ``pretrained.load_smollm2`` or ``load_tinytown``; `Sampling.from_logits` takes
    numbers of your own. The settings are those of ``sampling.next_distribution``; `seed` is that of the draws. The
    repetition penalty lowers the tokens of the prompt.

    Raises ValueError for a text without a token, or with more than the model, or this explorer (512), reads, and for
    settings out of range.
    """

    _esm = script_with_tinytown("sampling")
    _css = style("sampling")
    shown: ClassVar[tuple[str, ...]] = SETTINGS

    text = traitlets.Unicode().tag(sync=True)  # what the logits come after
    written = traitlets.Bool(True).tag(sync=True)  # whether there is a text, and not given logits
    reading = traitlets.Dict().tag(sync=True)  # text, logits and tokens; see `_reading`
    # JSON has no infinity.
    temperature = traitlets.Float(1.0).tag(
        sync=True, echo_update=False,
        to_json=lambda value, _: "Infinity" if math.isinf(value) else value,
        from_json=lambda value, _: float(value),
    )  # fmt: skip
    top_k = traitlets.Int(None, allow_none=True).tag(sync=True, echo_update=False)  # None: off
    top_p = traitlets.Float(None, allow_none=True).tag(sync=True, echo_update=False)
    min_p = traitlets.Float(None, allow_none=True).tag(sync=True, echo_update=False)
    repetition_penalty = traitlets.Float(None, allow_none=True).tag(sync=True, echo_update=False)
    seed = traitlets.Int(1).tag(sync=True, echo_update=False)
    width = traitlets.Int(760).tag(sync=True)

    def __init__(
        self,
        model: GPT,
        tokenizer: Tokenizer,
        text: str = "The capital of France is",
        *,
        temperature: float = 1.0,
        top_k: float | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        repetition_penalty: float | None = None,
        seed: int = 1,
    ):
        self._model, self._read, self._tokenizer = model, model.reader(), tokenizer
        self._start(
            self._after(text), text=text, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p,
            repetition_penalty=repetition_penalty, seed=seed,
        )  # fmt: skip

    @classmethod
    def from_logits(
        cls, logits: Iterable, names: Sequence[str], seen: Iterable[int] = (), **settings: Any
    ) -> "Sampling":
        """The same for given logits; `names` are the tokens, `seen` the ids of those that the penalty lowers.

        Raises ValueError for logits that are not finite or -infinity, unless each has a name, and for ids beyond them.

        >>> Sampling.from_logits([3.0, 2.0, 0.0], ["sky", "sea", "hen"], temperature=0.5)
        <Sampling: Dice of 3 tokens (temperature 0.5): sky 88 %, sea 12 %, hen 0.2 %. Entropy 0.4 nats: as open as a choice
        among 1.5 equally likely tokens.>
        """
        explorer = cls.__new__(cls)
        explorer._model = None
        logits, names = np.asarray(logits, dtype=np.float64), list(names)
        sampling.repetition_penalty(
            logits, seen := list(seen), 1
        )  # refuses what is no row, and ids outside of it
        if len(names) != len(logits):
            raise ValueError(
                f"names must have one for each of the {len(logits)} logits, got {len(names)}; name every token"
            )
        explorer._start(_reading("", logits, seen, names.__getitem__), written=False, **settings)
        return explorer

    def _start(self, reading: dict[str, Any], **traits: Any) -> None:
        settings = {name: traits[name] for name in SETTINGS if name in traits}
        sampling.next_distribution(np.zeros(1), **settings)  # refuses what is out of range, in a sentence
        _whole_seed(traits.get("seed", 1))
        if settings.get("top_k") is not None:
            traits["top_k"] = int(settings["top_k"])
        Explorer.__init__(self, reading=reading, **traits)
        self.observe(self._set_from_python, "text")

    @traitlets.validate(*SETTINGS)
    def _in_range(self, proposal: Any) -> float | None:
        sampling.next_distribution(np.zeros(1), **{proposal["trait"].name: proposal["value"]})
        return proposal["value"]

    @traitlets.validate("seed")
    def _seed_in_range(self, proposal: Any) -> int:
        return _whole_seed(proposal["value"])

    # ---- Texts

    def _after(self, text: str) -> dict[str, Any]:
        """What the browser needs to know about a text."""
        if self._model is None:
            raise ValueError("these logits were given and come after no text; Sampling(model, tokenizer, text) reads one")  # fmt: skip
        ids = self._tokenizer.encode(text, special=True)
        if not ids:
            raise ValueError("a prompt must have at least one token, got none; type a word")
        most = min(MOST, self._model.config.n_ctx)
        if len(ids) > most:
            raise ValueError(f"the text must have at most {most} tokens here, got {len(ids)}; shorten it")
        return _reading(text, self._read(ids), ids, lambda i: as_text(self._tokenizer.token_bytes(i)))

    def compute(self, question: dict[str, Any]) -> dict[str, Any]:
        """Reads ``question["text"]``; what it gives goes into `reading`."""
        text = str(question["text"])
        reading = self._after(text)
        with self.hold_trait_notifications():
            self.text, self.reading = text, reading
        return {}

    def _set_from_python(self, _change: object = None) -> None:
        if self.text != self.reading["text"]:
            self.ask(text=self.text)

    # ---- What is shown

    def settings(self) -> dict[str, float | None]:
        """The settings, as ``sampling.next_distribution`` takes them."""
        return {name: getattr(self, name) for name in SETTINGS}

    def logits(self) -> Float[np.ndarray, " vocab"]:
        """The logits that are shown, as the browser got them."""
        return np.frombuffer(self.reading["logits"], dtype="<f4").astype(np.float64)

    def seen(self) -> list[int]:
        """The ids that the repetition penalty lowers."""
        return list(self.reading["seen"])

    def odds(self) -> Float[np.ndarray, " vocab"]:
        """The final dice: the probability of every token."""
        return sampling.next_distribution(self.logits(), **self.settings(), seen=self.seen())

    def rows(self) -> list[Row]:
        """The rows that have bars."""
        return rows(self.logits(), self.seen(), self.settings(), self.seed)

    def _piece(self, token: int) -> Piece:
        return self.reading["pieces"][self.reading["named"].index(token)]

    def _title(self) -> str:
        if not self.written:
            return f"Dice of {plots.number(len(self.logits()))} tokens"
        return f"Dice after {shortened(self.reading['text'])!r}" if self.reading["text"] else "Dice for a first token"  # fmt: skip

    def describe(self) -> str:
        """The likeliest tokens of the final dice, and their entropy, in two sentences."""
        found = [row for row in self.rows()[:TOLD] if row.token >= 0 and row.probability > 0]
        parts = [f"{plots._label(self._piece(row.token))} {plots.percent(row.probability)}" for row in found]
        if (rest := 1 - sum(row.probability for row in found)) > NOTHING:
            parts.append(f"all others {plots.percent(rest)}")
        nats = sampling.entropy(self.odds())
        return (
            f"{self._title()} ({told(self.settings())}): {', '.join(parts)}. Entropy {abs(nats):.1f} nats: as open as a "
            f"choice among {about(math.exp(nats))} equally likely token{'' if about(math.exp(nats)) == '1.0' else 's'}."
        )

    def says(self) -> str:
        """What the draws show, in a sentence."""
        found = self.rows()
        begins = f"{DRAWS:,} draws with seed {self.seed}"
        if max(row.probability for row in found if row.token >= 0) > 1 - NOTHING:
            return f"{begins} all give the same token."
        some, out = judged(found)
        if not some:
            return f"{begins} are too few to judge: no row expects {ENOUGH} or more, and leaves as many to the others."
        return (
            f"{begins}. More than two standard errors off: {out} of {some} row{'' if some == 1 else 's'}; chance alone makes "
            f"it about {OUTSIDE * some:.1f}. A row that expects fewer than {ENOUGH} draws, or leaves fewer to the others, is "
            "not judged."
        )

    @plots.styled
    def picture(self) -> bytes:
        found = [row for row in self.rows() if row.token >= 0]
        names = [shortened(plots._label(self._piece(row.token)), 20) for row in found]
        series = {"the final dice": [row.probability for row in found]}
        if any(used(*setting) for setting in self.settings().items()):
            series["the model's own odds"] = [row.own for row in found]
        title = self._title()
        title = title if drawable(title) else "Dice after the text"
        ax = plots.plot_bars(
            [name if drawable(name) else "…" for name in names], series,
            roles=dict(zip(series, ("probabilities", "truth"), strict=False)), title=f"{title}\n{told(self.settings())}",
        )  # fmt: skip
        return plots.png(ax.figure, dpi=130)


def _whole_seed(seed: int) -> int:
    if not (isinstance(seed, int | np.integer) and 0 <= seed < 2**32):
        raise ValueError(f"a seed must be a whole number from 0 to {2**32 - 1:,}, got {seed!r}; try 1")
    return int(seed)


def _reading(text: str, logits, seen: Sequence[int], piece) -> dict[str, Any]:
    """Logits and tokens for the browser. It names all tokens that any setting can bring among the first 12."""
    with np.errstate(over="ignore"):
        logits = np.asarray(logits, dtype="<f4")
    sampling.temperature_softmax(logits)  # refuses NaN and infinity
    known = sorted(set(seen))
    named = list(dict.fromkeys([*largest(logits, SHOWN + len(known)), *known]))
    return {
        "text": text, "logits": logits.tobytes(), "seen": known, "tokens": [piece(token) for token in seen],
        "named": named, "pieces": [piece(token) for token in named],
    }  # fmt: skip
