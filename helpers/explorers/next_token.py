"""The next-token explorer: type a prompt, see which tokens a model expects, and append one after the other.

The kernel reads the text and sends the logits of the whole vocabulary; what the temperature makes of them, and
which token a roll gives, the browser works out from them by itself.
"""

from typing import Any

import numpy as np
import traitlets

from helpers import plots, sampling
from helpers.explorers import base
from helpers.explorers.dice import script_with_tinytown, shortened
from helpers.tinytown import WordTokenizer
from helpers.tokenization import Tokenizer, as_text
from helpers.transformer import GPT

SHOWN = 12  # tokens with bars
MOST = 512  # tokens of text: the answer to more would take many seconds on a CPU


def largest(values: np.ndarray, n: int) -> list[int]:
    """The indices of the `n` largest values, largest first; of those that tie, the lower index first.

    >>> largest(np.array([3.0, 9.0, 3.0, 5.0]), 3)
    [1, 3, 0]
    """
    edge = np.partition(values, -n)[-n] if n < len(values) else -np.inf  # sorting all of them would be slow
    near = np.flatnonzero(values >= edge)
    return near[np.argsort(-values[near], kind="stable")][:n].tolist()


class NextToken(base.Explorer):
    """The tokens that `model` expects after `text`, and what grows from it token by token.

    `model` and `tokenizer` come from ``pretrained.load_smollm2`` or ``load_tinytown``. Raises ValueError for a
    text without a token, or with more than the model, or this explorer (512), reads.
    """

    _esm = script_with_tinytown("next_token")
    _css = base.style("next_token")
    shown = ("text", "chosen", "temperature")

    text = traitlets.Unicode().tag(sync=True, echo_update=False)  # the prompt
    chosen = traitlets.List().tag(sync=True, echo_update=False)  # [id, probability when appended], in order
    temperature = traitlets.Float(1.0).tag(sync=True, echo_update=False)
    seed = traitlets.Int(1).tag(sync=True, echo_update=False)

    def __init__(self, model: GPT, tokenizer: Tokenizer, text: str = "My name is"):
        self._read, self._tokenizer = model.reader(), tokenizer
        self._most = min(MOST, model.config.n_ctx)
        self._known: tuple[list[int], np.ndarray] = ([], np.zeros(0))
        super().__init__(text=text, answer={"number": 0, **self._answer_to(text, [])})

    def _ids(self, text: str, chosen: list[int]) -> tuple[list[int], list[int]]:
        """The ids of the prompt and those of the whole text; raises ValueError for none, or too many."""
        prompt = self._tokenizer.encode(text, special=True)
        ids = [*prompt, *chosen]
        if not ids:
            raise ValueError("a prompt must have at least one token, got none; type a word")
        if len(ids) > self._most:
            raise ValueError(
                f"the text must have at most {self._most} tokens here, got {len(ids)}; shorten it, or take tokens back"
            )
        return prompt, ids

    def logits(self, text: str, chosen: list[int]) -> np.ndarray:
        """The logits of the next token after a prompt and the tokens appended to it; the last answer is kept."""
        _, ids = self._ids(text, chosen)
        if self._known[0] != ids:
            self._known = (ids, self._read(ids).astype("<f4"))
        return self._known[1]

    def _piece(self, token: int) -> str | bytes:
        return as_text(self._tokenizer.token_bytes(token))

    def _so_far(self, text: str, chosen: list[int]) -> str:
        """The prompt and what was appended to it, as one text; a character that is cut in two as its bytes."""
        gap = b" " if isinstance(self._tokenizer, WordTokenizer) else b""
        grown = b"".join(gap + self._tokenizer.token_bytes(token) for token in chosen)
        return text + grown.decode("utf-8", errors="backslashreplace")

    def _answer_to(self, text: str, chosen: list[int]) -> dict[str, Any]:
        logits = self.logits(text, chosen)
        best = largest(logits, SHOWN)
        return {
            "text": text,
            "chosen": chosen,
            "after": shortened(self._so_far(text, chosen)),
            "prompt": [self._piece(token) for token in self._ids(text, chosen)[0]],
            "grown": [self._piece(token) for token in chosen],
            "best": best,  # the same at every temperature
            "pieces": [self._piece(token) for token in best],
            # float32: 2 bytes would save 100 kB an answer, and move a likely token's odds by up to 0.4 %
            "logits": logits.tobytes(),
        }

    def compute(self, question: dict[str, Any]) -> dict[str, Any]:
        """The logits after ``question["text"]`` and the ids in ``question["chosen"]``, and how pieces read."""
        return self._answer_to(str(question["text"]), [int(token) for token in question["chosen"]])

    def odds(self) -> np.ndarray:
        """The probability of every token at the present text and temperature."""
        return sampling.temperature_softmax(
            self.logits(self.text, [int(token) for token, _ in self.chosen]), self.temperature
        )

    def _bars(self, most: int) -> tuple[str, list[str | bytes], list[float]]:
        odds = self.odds()
        best = largest(self._known[1], most)
        text = self._so_far(self.text, [int(token) for token, _ in self.chosen])
        heat = "" if self.temperature == 1 else f" at temperature {self.temperature:g}"
        return f"After {shortened(text)!r}{heat}", [self._piece(token) for token in best], odds[best].tolist()

    def describe(self) -> str:
        title, pieces, odds = self._bars(5)
        return plots.describe_bars(title, pieces, {self._tokenizer.name: odds})

    def picture(self) -> bytes:
        title, pieces, odds = self._bars(SHOWN)
        title = "".join(sign if sign.isprintable() else " " for sign in title)
        roles = {self._tokenizer.name: "probabilities"}
        ax = plots.plot_bars(pieces, {self._tokenizer.name: odds}, roles=roles, title=title)
        return plots.png(ax.figure, dpi=150)
