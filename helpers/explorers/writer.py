"""The writing explorer: a text grows token by token, each shows how likely it was, and a click branches off.

The browser asks for a few tokens at a time: it sends the prompt, the ids written so far and the settings, the kernel
writes on for a tenth of a second, and "Stop" is not to ask again. So nothing keeps the kernel long, and a kernel that
was restarted has forgotten nothing. Token number i behind the prompt always falls by the i-th random number of its seed:
the text is the same whether it came in one piece, in many, or from ``sampling.generate``.

What ``writer.js`` computes is here under the same names, `bin_of` and `measures`; the tests run both.

Source of the colours' idea: Gehrmann, Strobelt and Rush (2019, arXiv:1906.04043), who tell written from generated
text by how likely each word was.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import traitlets
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from helpers import plots, sampling
from helpers.explorers.base import Explorer, script, style
from helpers.explorers.merges import drawable, shortened
from helpers.explorers.next_token import largest
from helpers.sampling import Alternative, Step
from helpers.tinytown import WordTokenizer
from helpers.tokenization import Tokenizer, as_text
from helpers.transformer import GPT

MOST = 512  # tokens that a model reads here at a time: more would take many seconds on a CPU
MOST_AT_ONCE = 200  # tokens that one press of a button writes
OTHERS = 5  # alternatives of each token
PROMPT = 60  # tokens of the prompt that are shown: its last ones
ENDS = ("<|endoftext|>", "<|im_end|>")  # what a published model writes when it is done

EDGES = (0.01, 0.05, 0.25, 0.75)
BINS = ("under 1 %", "1 to 5 %", "5 to 25 %", "25 to 75 %", "75 % and more")
# Role and strength of each bin's colour: surprise has that of the loss, as everywhere.
FILLS = (("loss", 1.0), ("loss", 0.4), ("probabilities", 0.0), ("probabilities", 0.4), ("probabilities", 1.0))


# ---- What the browser computes too --------------------------------------------------------------------------------


def bin_of(probability: float) -> int:
    """The bin of a probability: 0 for under 1 %, up to 4 for 75 % and more.

    >>> [bin_of(p) for p in (0.001, 0.01, 0.2, 0.5, 1.0)]
    [0, 1, 2, 3, 4]
    """
    return sum(probability >= edge for edge in EDGES)


class Measures(NamedTuple):
    """How a written text looks to the model itself: at temperature 1, with nothing cut."""

    tokens: int
    surprise: float  # mean, in nats a token; NaN for no token
    perplexity: float  # exp of it: as if each token was one of so many equally likely ones


def measures(odds: Sequence[float]) -> Measures:
    """The mean surprise of tokens that the model gave these odds, and the perplexity.

    >>> [round(value, 4) for value in measures([0.25, 1.0])]
    [2, 0.6931, 2.0]
    """
    if not odds:
        return Measures(0, math.nan, math.nan)
    surprise = sum(-math.log(p) for p in odds) / len(odds)
    return Measures(len(odds), surprise, math.exp(surprise))


# ---- Writing ------------------------------------------------------------------------------------------------------


def window(ids: Sequence[int], n_ctx: int) -> list[int]:
    """What a model with room for `n_ctx` tokens reads of a text that grew one by one: ``generate``'s "slide".

    All of it while it fits; then its first token and the last ``n_ctx // 2``, which grow again to `n_ctx`.

    >>> [window(range(n), n_ctx=4) for n in (4, 5, 6, 7)]
    [[0, 1, 2, 3], [0, 3, 4], [0, 3, 4, 5], [0, 5, 6]]
    """
    ids = list(ids)
    if len(ids) <= n_ctx:
        return ids
    half = max(1, n_ctx // 2)
    head = 1 if n_ctx > 1 else 0
    return [*ids[:head], *ids[-half - (len(ids) - n_ctx - 1) % max(1, n_ctx + 1 - head - half) :]]


def ending_ids(tokenizer: Tokenizer) -> set[int]:
    """The ids by which a model says that its text is over.

    >>> WordTokenizer().decode(ending_ids(WordTokenizer()))
    '<end>'
    """
    if isinstance(tokenizer, WordTokenizer):
        return {tokenizer.end_id}
    found = [tokenizer.encode(end) for end in ENDS]
    return {ids[0] for ids in found if len(ids) == 1}


def grow(
    read: Callable[[list[int]], np.ndarray],
    prompt: Sequence[int],
    grown: Sequence[int],
    count: int,
    *,
    n_ctx: int,
    slide: bool = False,
    stop: set[int] | frozenset[int] = frozenset(),
    seed: int = 0,
    **dice: float | None,
) -> Iterator[Step]:
    """Up to `count` more tokens behind `prompt` and what is `grown` already: the tokens that ``generate`` gives.

    `read` gives the logits after some ids. Ends after a token in `stop`, and where the text has more than `n_ctx`
    tokens unless it may `slide`. `dice` are the settings of ``sampling.next_distribution``.

    >>> likes_two = lambda ids: np.log([0.1, 0.1, 0.8])
    >>> [step.token for step in grow(likes_two, [0], [1], count=3, n_ctx=4, temperature=0)]
    [2, 2, 2]
    """
    rng = np.random.default_rng(seed)
    rng.random(len(grown))  # one number a token: those of the tokens that are there have been used
    ids = [*prompt, *grown]
    for _ in range(count):
        if len(ids) > n_ctx and not slide:
            return
        logits = read(window(ids, n_ctx))
        odds = sampling.temperature_softmax(logits)
        rolled = sampling.next_distribution(logits, **dice, seen=ids)  # type: ignore[arg-type]
        token = sampling.roll(rolled, rng)
        others = tuple(Alternative(i, float(odds[i]), float(rolled[i])) for i in largest(odds, OTHERS))
        yield Step(token, float(rolled[token]), sampling.entropy(rolled), float(odds[token]), others)
        ids.append(token)
        if token in stop:
            return


def write(model: GPT, tokenizer: Tokenizer, text: str, max_tokens: float = 25, **settings: Any) -> list[Step]:
    """The tokens that the explorer writes after `text`; `settings` are those of `Writer`.

    Raises ValueError as `Writer` does.

    >>> from helpers.pretrained import load_tinytown
    >>> model, tokenizer = load_tinytown()
    >>> steps = write(model, tokenizer, "once there was a", 4, temperature=0)
    >>> tokenizer.decode(step.token for step in steps)
    'red fox by the'
    """
    chosen = checked(max_tokens, **settings)
    prompt, n_ctx = prompt_ids(model, tokenizer, text), min(MOST, model.config.n_ctx)
    return list(
        grow(model.reader(), prompt, [], max_tokens, n_ctx=n_ctx, stop=ending_ids(tokenizer), **chosen)
    )


def checked(
    max_tokens: Any,
    *,
    temperature: float = 1.0,
    top_k: float | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    repetition_penalty: float | None = None,
    seed: float = 0,
    slide: bool = False,
) -> dict[str, Any]:
    """The settings of a text; raises ValueError for one out of range."""

    def whole(value: object) -> bool:
        return isinstance(value, int | np.integer) and not isinstance(value, bool)

    if not whole(max_tokens) or not 1 <= max_tokens <= MOST_AT_ONCE:
        raise ValueError(
            f"max_tokens must be a whole number from 1 to {MOST_AT_ONCE}, got {max_tokens!r}; 25 is a sentence or two"
        )
    if not whole(seed) or seed < 0:
        raise ValueError(f"a seed must be a whole number from 0, got {seed!r}; try 0")
    if temperature == math.inf:
        raise ValueError("temperature must be finite here, got inf; at 10 nearly every token is as likely")
    dice = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
    }
    sampling.next_distribution(np.zeros(1), **dice)  # type: ignore[arg-type]
    return {**dice, "seed": int(seed), "slide": bool(slide)}


def prompt_ids(model: GPT, tokenizer: Tokenizer, text: str) -> list[int]:
    """The ids of a prompt, as the model is fed it; raises ValueError for none, or more than it reads here."""
    ids, most = tokenizer.encode(text, special=True), min(MOST, model.config.n_ctx)
    if not ids:
        raise ValueError("a prompt must have at least one token, got none; type a word")
    if len(ids) > most:
        raise ValueError(f"a prompt must have at most {most} tokens here, got {len(ids)}; shorten it")
    return ids


# ---- The explorer -------------------------------------------------------------------------------------------------


class Writer(Explorer):
    """A text that `model` writes after `text`, token by token, up to `max_tokens` at a press.

    `model` and `tokenizer` come from ``pretrained.load_smollm2`` or ``load_tinytown``. The settings are those of
    ``sampling.generate``; `slide` lets the beginning slide out of a full context. The same seed and settings give
    the same text; the first one is written at once. Raises ValueError for settings out of range, and for a prompt
    without a token, with more than the model reads (512 at most), or with words that it can't take.

    >>> from helpers.pretrained import load_tinytown
    >>> Writer(*load_tinytown(), "once there was a", max_tokens=4, temperature=0)
    <Writer: After 'once there was a', tinytown wrote 'red fox by the' (4 tokens, temperature 0, seed 0). The
    least likely was 'fox', with 15 % in the model's own odds.>
    """

    _esm = script("writer")
    _css = style("writer")
    shown: ClassVar[tuple[str, ...]] = ("branches", "current")

    name = traitlets.Unicode().tag(sync=True)  # of the model
    gap = traitlets.Unicode().tag(sync=True)  # what stands between two tokens
    n_ctx = traitlets.Int().tag(sync=True)  # tokens that it reads at a time
    prompt = traitlets.Unicode().tag(sync=True, echo_update=False)  # what stands in the box
    settings = traitlets.Dict().tag(sync=True, echo_update=False)  # of the next text
    branches = traitlets.List().tag(sync=True, echo_update=False)  # texts; see `_branch`
    current = traitlets.Int().tag(sync=True, echo_update=False)  # which of them is shown
    colours = traitlets.Unicode("dice").tag(sync=True, echo_update=False)  # "dice", "model" or "none"

    def __init__(
        self,
        model: GPT,
        tokenizer: Tokenizer,
        text: str = "Once upon a time",
        max_tokens: float = 25,
        **settings: Any,
    ):
        self._model, self._tokenizer, self._read = model, tokenizer, model.reader()
        self._stop = ending_ids(tokenizer)
        chosen = {**checked(max_tokens, **settings), "tokens": int(max_tokens)}
        first = self._continued(text, [], chosen["tokens"], chosen)
        super().__init__(
            name=tokenizer.name,
            gap=" " if isinstance(tokenizer, WordTokenizer) else "",
            n_ctx=min(MOST, model.config.n_ctx),
            prompt=text,
            settings=chosen,
            branches=[_branch(text, chosen, first)],
        )

    def compute(self, question: dict[str, Any]) -> dict[str, Any]:
        """Up to ``count`` tokens after the prompt ``text`` and the ids ``grown``, as many as come in ``seconds``."""
        grown = [int(token) for token in question["grown"]]
        answer = self._continued(
            str(question["text"]), grown, question["count"], question["settings"], float(question["seconds"])
        )
        return {"run": question["run"], **answer}

    def _continued(
        self, text: str, grown: list[int], count: Any, settings: dict[str, Any], seconds: float = math.inf
    ) -> dict[str, Any]:
        """The next tokens as plain data, the prompt's, and how the text ended: "", "end" or "full"."""
        dice = checked(count, **{name: value for name, value in settings.items() if name != "tokens"})
        prompt = prompt_ids(self._model, self._tokenizer, text)
        until, steps, ended = time.monotonic() + seconds, [], ""
        n_ctx, last = min(MOST, self._model.config.n_ctx), grown[-1] if grown else None
        left = 0 if last in self._stop else count
        for step in grow(self._read, prompt, grown, left, n_ctx=n_ctx, stop=self._stop, **dice):
            steps.append(self._packed(step))
            last = step.token
            if time.monotonic() >= until:
                break
        else:
            ended = "full" if len(steps) < count else ""
        ended = "end" if last in self._stop else ended
        return {"pieces": [self._piece(token) for token in prompt[-PROMPT:]], "steps": steps, "ended": ended}

    def _piece(self, token: int) -> str | list[int]:
        """How a token reads; part of a character as its bytes."""
        piece = as_text(self._tokenizer.token_bytes(token))
        return piece if isinstance(piece, str) else list(piece)

    def _packed(self, step: Step) -> dict[str, Any]:
        """A step as plain data; six digits are enough, and so that none becomes 0 they are those that count."""
        others = [
            [other.token, _short(other.odds), _short(other.probability), self._piece(other.token)]
            for other in step.alternatives
        ]
        return {
            "token": step.token,
            "probability": _short(step.probability),
            "entropy": _short(step.entropy),
            "odds": _short(step.odds),
            "piece": self._piece(step.token),
            "others": others,
        }

    def _now(self) -> dict[str, Any]:
        """The branch that is shown; one without a token where all were cleared."""
        if not self.branches:
            return _branch(self.prompt, self.settings, {"pieces": [], "steps": [], "ended": ""})
        return self.branches[min(max(0, self.current), len(self.branches) - 1)]

    @property
    def steps(self) -> list[Step]:
        """The tokens of the branch that is shown, as ``sampling.generate`` gives them."""
        return [
            Step(
                one["token"], one["probability"], one["entropy"], one["odds"],
                tuple(Alternative(*other[:3]) for other in one["others"]),
            )
            for one in self._now()["steps"]
        ]  # fmt: skip

    @property
    def text(self) -> str:
        """The text that is shown, the prompt included."""
        written = self._written()
        return self._now()["text"] + (self.gap + written if written else "")

    def _written(self) -> str:
        return self._tokenizer.decode([step["token"] for step in self._now()["steps"]])

    def describe(self) -> str:
        branch = self._now()
        start = f"After {shortened(branch['text'])!r}, {self.name}"
        steps = branch["steps"]
        if not steps:
            return f"{start} has written nothing yet."
        size = "1 token" if len(steps) == 1 else f"{len(steps)} tokens"
        off = (
            f"behind token {branch['from']['at']} of branch {branch['from']['id']}, "
            if branch["from"]
            else ""
        )
        told = f"{start} wrote {shortened(self._written(), 400)!r} ({size}, {off}{told_settings(branch['settings'])})."
        least = min(steps, key=lambda step: step["odds"])
        rare = plots.visible(least["piece"] if isinstance(least["piece"], str) else bytes(least["piece"]))
        return f"{told} The least likely was {rare!r}, with {plots.percent(least['odds'])} in the model's own odds."

    @plots.styled
    def picture(self) -> bytes:
        branch = self._now()
        steps = branch["steps"]
        pieces = [*branch["pieces"][-20:], *(step["piece"] for step in steps)]
        told = [_drawn(piece) for piece in pieces]
        shares = [step["probability"] for step in steps]
        below = [""] * (len(pieces) - len(steps)) + [plots.percent(p) for p in shares]
        # Drawn once to see how many lines there are, and once more with room for those.
        lines = 12
        for _ in range(2):
            ax = plots.new_axes(7.6, 1.15 + 0.41 * lines)
            plots.plot_chips(told or ["…"], below=below or [""], title=f"{self.name} writes", ax=ax)
            lines = len({round(patch.get_y(), 3) for patch in ax.patches})
        for patch in ax.patches[: len(pieces) - len(steps)]:
            patch.set_facecolor(plots.CHIPS[-1])
        for patch, p in zip(ax.patches[len(pieces) - len(steps) :], shares, strict=False):
            patch.set_facecolor(_fill(bin_of(p)))
        handles = [Patch(facecolor=_fill(i), edgecolor="#9A9A9A", linewidth=0.5) for i in range(len(BINS))]
        ax.figure.legend(handles, BINS, ncols=len(BINS), loc="outside lower left", fontsize=8.5,
                         title="probability when it was rolled", alignment="left", title_fontsize=8.5)  # fmt: skip
        return plots.png(ax.figure, dpi=150)


def _branch(text: str, settings: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """A text: its prompt as text and pieces, settings, steps, how it `ended`, and which branch it came `from`, and where."""
    return {"id": 1, "text": text, "settings": settings, "from": None, **answer}


def told_settings(settings: dict[str, Any]) -> str:
    """The settings that are in use, in words.

    >>> told_settings({"temperature": 0.8, "top_k": 40, "min_p": None, "seed": 3})
    'temperature 0.8, top-k 40, seed 3'
    """
    names = {"top_k": "top-k", "top_p": "top-p", "min_p": "min-p", "repetition_penalty": "repetition penalty"}
    used = [f"{names[name]} {settings[name]:g}" for name in names if settings.get(name) is not None]
    return ", ".join([f"temperature {settings['temperature']:g}", *used, f"seed {settings['seed']}"])


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _drawn(piece: str | list[int]) -> str | bytes:
    """A piece for matplotlib; "…" for letters that its font lacks."""
    told = piece if isinstance(piece, str) else bytes(piece)
    return told if drawable(plots.visible(told)) else "…"


def _fill(number: int) -> tuple[float, ...]:
    """The colour of a bin on white, as the browser mixes it."""
    role, share = FILLS[number]
    paper = np.array(to_rgb("#F5F5F5"))
    return tuple(paper + 0.55 * share * (np.array(to_rgb(plots.ROLES[role])) - paper))
