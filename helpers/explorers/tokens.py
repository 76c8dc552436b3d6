"""The token explorer: any text, in any script, through several published tokenizers side by side.

The tokenizers are Python's (their tables are tens of megabytes), so a new text is a question to the kernel. One
answer holds every tokenizer's ids and bytes, as bytes. The examples travel with the explorer, so that a notebook
that was only reopened still answers for those.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import traitlets

from helpers import plots
from helpers.explorers.base import Explorer, script, style
from helpers.explorers.merges import LONGEST, shortened
from helpers.tokenization import TOKENIZERS, Tokenizer, utf8

EXAMPLES = (
    # language, its code, "how are you" in it
    ("English", "en", "how are you"),
    ("German", "de", "wie geht es dir"),
    ("Russian", "ru", "как дела"),
    ("Arabic", "ar", "كيف حالك"),
    ("Hindi", "hi", "आप कैसे हैं"),
    ("Tamil", "ta", "எப்படி இருக்கிறீர்கள்"),
    ("Chinese", "zh", "你好吗"),
    ("Japanese", "ja", "お元気ですか"),
    ("emoji", "", "👋🏽🙂❓"),
    ("code", "", 'print("how are you?")'),
)
"""The same question in eight languages, as a greeting in emoji, and in a line of Python."""


def packed(tokenizer: Tokenizer, text: str) -> dict[str, Any]:
    """A text's ids, and the bytes of all its pieces with the place where each ends; or what is wrong, in a sentence.

    `ids` and `ends` are uint32, little end first.
    """
    try:
        ids = tokenizer.encode(text)
        pieces = {id_: tokenizer.token_bytes(id_) for id_ in set(ids)}
    except ValueError as error:  # SmolLM2 lacks a few bytes; the other tokenizers can go on
        return {"problem": str(error)}
    ends = np.cumsum([len(pieces[id_]) for id_ in ids], dtype=np.uint32)
    return {
        "ids": np.array(ids, dtype="<u4").tobytes(),
        "ends": ends.astype("<u4").tobytes(),
        "bytes": b"".join(pieces[id_] for id_ in ids),
    }


class Tokens(Explorer):
    """What each of `tokenizers` makes of `text`, which the learner can change.

    `tokenizers` gives each its name, as ``tokenization.load_tokenizers()`` does. Raises ValueError for none, and for a
    text that is longer than 10,000 characters or holds half of one.

    >>> from helpers.tokenization import load_tokenizer
    >>> Tokens({name: load_tokenizer(name) for name in ("o200k_base", "cl100k_base")}, "आप कैसे हैं")
    <Tokens: 'आप कैसे हैं' (11 characters) is 3 tokens in GPT-4o, 12 in GPT-4.>
    """

    _esm = script("tokens")
    _css = style(devanagari=True)

    names = traitlets.List().tag(
        sync=True
    )  # of each tokenizer: name, title, kind ("bytes" or "wordpiece"), size
    examples = traitlets.List().tag(sync=True)  # of each: language, its code, the text, the answer to it
    text = traitlets.Unicode().tag(sync=True)  # what the answer is about

    shown: ClassVar[tuple[str, ...]] = ()

    def __init__(self, tokenizers: Mapping[str, Tokenizer], text: str):
        if not tokenizers:
            raise ValueError(
                "tokenizers must hold at least one, got none; pass tokenization.load_tokenizers()"
            )
        self.tokenizers = dict(tokenizers)
        self._text = text
        answer = self._encoded(text)
        self._lengths = lengths(answer)
        super().__init__(
            names=[
                {
                    "name": name,
                    "title": TOKENIZERS.get(name, name),
                    "kind": "wordpiece" if "WordPiece" in type(tokenizer).__name__ else "bytes",
                    "size": tokenizer.vocab_size,
                }
                for name, tokenizer in self.tokenizers.items()
            ],
            examples=[
                {"language": language, "lang": code, "text": example, "answer": self._encoded(example)}
                for language, code, example in EXAMPLES
            ],
            text=text,
            question={"number": 1, "text": text},
            answer={"number": 1, **answer},
        )
        self.observe(self._set_from_python, "text")

    def _encoded(self, text: str) -> dict[str, Any]:
        if len(text) > LONGEST:
            raise ValueError(
                f"The text can be up to {LONGEST:,} characters long, got {len(text):,}; make it shorter."
            )
        utf8(text)
        return {
            "text": text,
            "tokenizers": [packed(tokenizer, text) for tokenizer in self.tokenizers.values()],
        }

    def compute(self, question: dict[str, Any]) -> dict[str, Any]:
        """The ids and pieces of ``question["text"]`` in every tokenizer."""
        answer = self._encoded(question["text"])
        self._text, self._lengths = question["text"], lengths(answer)
        self.text = self._text
        return answer

    def _set_from_python(self, _change: object = None) -> None:
        if self.text != self._text:
            self.ask(text=self.text)

    def describe(self) -> str:
        titles = [TOKENIZERS.get(name, name) for name in self.tokenizers]
        known = [(title, n) for title, n in zip(titles, self._lengths, strict=True) if n is not None]
        if not self._text:
            return f"There is no text yet, so it is 0 tokens in all of {', '.join(titles)}."
        size = f"{len(self._text):,} character{'' if len(self._text) == 1 else 's'}"
        told = ", ".join(
            f"{n:,}{'' if i else ' token' if n == 1 else ' tokens'} in {title}"
            for i, (title, n) in enumerate(known)
        )
        left = [title for title, n in zip(titles, self._lengths, strict=True) if n is None]
        beyond = f"; {' and '.join(left)} can't write it" if left else ""
        return f"{shortened(self._text)!r} ({size}) is {told}{beyond}."

    def picture(self) -> bytes:
        titles = [TOKENIZERS.get(name, name) for name in self.tokenizers]
        known = {title: n for title, n in zip(titles, self._lengths, strict=True) if n is not None}
        height = 0.7 + 0.36 * max(1, len(known))
        ax = plots.plot_bars(
            list(known), {"tokens": list(known.values())}, roles={"tokens": "tokens"}, unit="tokens",
            title="Tokens of the text in each vocabulary", ax=plots.new_axes(7.6, height),
        )  # fmt: skip
        return plots.png(ax.figure, dpi=150)


def lengths(answer: Mapping[str, Any]) -> list[int | None]:
    """How many tokens each tokenizer made in an answer; None where it could not."""
    return [None if "problem" in packed_ else len(packed_["ids"]) // 4 for packed_ in answer["tokenizers"]]
