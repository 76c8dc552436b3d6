"""The merge explorer: byte-pair encoding replayed on the learner's own text, merge by merge.

Everything is worked out in the browser from the list of merges, so a slider can run through hundreds of them, with
no kernel at all. What ``merges.js`` computes is here in Python: ``tokenization.pretokenize`` and ``replay``, and
`lengths` and `describe` below; the tests run both on the same texts.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import traitlets
from matplotlib import get_data_path
from matplotlib.ft2font import FT2Font

from helpers import plots
from helpers.explorers.base import Explorer, script
from helpers.tokenization import N_BYTES, BPETokenizer, Merge, as_text, pretokenize, replay, utf8, vocabulary

LONGEST = 10_000  # characters that a text box takes


class Shown(NamedTuple):
    """What the explorer shows of a text after some merges."""

    pieces: list[str | bytes]
    n_words: int  # what stands between white space


def lengths(text: str, merges: Sequence[Merge]) -> list[int]:
    """How many tokens a text has after 0, 1, 2 ... merges.

    >>> from helpers.tokenization import train_by_recounting
    >>> lengths("aaabdaaabac", train_by_recounting("aaabdaaabac", 3))
    [11, 9, 7, 5]
    """
    return [len(replay(text, merges, upto)) for upto in range(len(merges) + 1)]


def last_merge(merges: Sequence[Merge], step: int) -> tuple[str, str, str] | None:
    """The two parts and the whole of merge number `step`, as they are written; None at 0.

    >>> last_merge([Merge((97, 98), 256, 9)], 1)
    ('a', 'b', 'ab')
    """
    if step == 0:
        return None
    vocab = vocabulary(merges[:step])
    left, right = merges[step - 1].pair
    whole = vocab[N_BYTES + step - 1]
    return tuple(plots.visible(as_text(piece)) for piece in (vocab[left], vocab[right], whole))


class Merges(Explorer):
    """A slider that replays the merges of `tokenizer` on `text`, which the learner can change.

    `step` is how many merges have been made to begin with. Raises ValueError for a tokenizer that was not trained, a
    `step` it has not, a text that is longer than 10,000 characters or holds half of one.

    >>> from helpers.tokenization import BPETokenizer
    >>> Merges(BPETokenizer().train("aaabdaaabac", vocab_size=259), "aaab", step=2)
    <Merges: After 2 of 3 merges (vocabulary 258), 'aaab' is 2 tokens, 2.00 a word. Merge 2 made aaa of aa and a, which stood together 2 times.>
    """

    _esm = script("merges")
    shown: ClassVar[tuple[str, ...]] = ("text", "step")

    merges = traitlets.Bytes().tag(sync=True)  # of each merge: left, right, count; uint32, little end first
    text = traitlets.Unicode().tag(sync=True, echo_update=False)
    step = traitlets.Int().tag(sync=True, echo_update=False)  # how many merges have been made

    def __init__(self, tokenizer: BPETokenizer, text: str, *, step: int = 0):
        if not tokenizer.merges:
            raise ValueError("tokenizer must be trained, got one with 0 merges; call its train() first")
        if not 0 <= step <= len(tokenizer.merges):
            raise ValueError(
                f"step must be 0 to {len(tokenizer.merges)}, the number of merges, got {step}; train longer to see more"
            )
        self.history = list(tokenizer.merges)
        table = np.array([[*merge.pair, merge.count] for merge in self.history], dtype="<u4")
        super().__init__(merges=table.tobytes(), text=text, step=step)

    def show(self) -> Shown:
        """What is shown now; raises ValueError for a text that can't be."""
        if len(self.text) > LONGEST:
            raise ValueError(
                f"The text can be up to {LONGEST:,} characters long, got {len(self.text):,}; make it shorter."
            )
        utf8(self.text)
        return Shown(replay(self.text, self.history, self.step), len(self.text.split()))

    def describe(self) -> str:
        pieces, n_words = self.show()
        done = f"After {self.step} of {len(self.history)} merges (vocabulary {N_BYTES + self.step:,}), "
        if not pieces:
            return done + "there is no text yet."
        size = f"{len(pieces):,} token{'' if len(pieces) == 1 else 's'}"
        each = f", {len(pieces) / n_words:.2f} a word" if n_words else ""
        told = f"{done}{shortened(self.text)!r} is {size}{each}."
        if parts := last_merge(self.history, self.step):
            left, right, whole = parts
            times = self.history[self.step - 1].count
            told += (
                f" Merge {self.step} made {whole} of {left} and {right}, which stood together {times:,} "
                f"time{'' if times == 1 else 's'}."
            )
        return told

    def picture(self) -> bytes:
        pieces, _ = self.show()
        title = f"{len(pieces):,} tokens after {self.step} merges"
        if 0 < len(pieces) <= 120 and all(drawable(plots.visible(piece)) for piece in pieces):
            ax = plots.new_axes(7.6, 1.0 + 0.42 * (1 + len(pieces) // 24))
            plots.plot_chips(pieces, title=title, ax=ax)
        else:  # letters that the fonts of pictures lack, or too many: the way there, in numbers
            steps = sorted({*range(0, len(self.history), max(1, len(self.history) // 24)), len(self.history)})
            counts = [len(replay(self.text, self.history, step)) for step in steps]
            ax = plots.plot_lines(
                steps, {"tokens": counts}, roles={"tokens": "tokens"}, x_label="merges", y_label="tokens of the text",
                title=title, ax=plots.new_axes(7.6, 2.8),
            )  # fmt: skip
            ax.set_ylim(bottom=0)
            ax.axvline(self.step, color=plots.INK, linewidth=1, linestyle=":")
        return plots.png(ax.figure, dpi=150)


def shortened(text: str, most: int = 40) -> str:
    """A text cut to `most` characters, with "…" where something is left out, on one line.

    >>> shortened("one two three", 8)
    'one two…'
    """
    text = text[: most - 1] + "…" if len(text) > most else text
    return " ".join(text.splitlines())


_FONTS: list[FT2Font] = []


def drawable(text: str) -> bool:
    """Whether the fonts of `plots` have every letter of a text: Latin, Greek, Cyrillic and Devanagari ones.

    >>> drawable("␣né"), drawable("आप"), drawable("你好")
    (True, True, False)
    """
    if not _FONTS:
        _FONTS.extend([FT2Font(f"{get_data_path()}/fonts/ttf/DejaVuSansMono.ttf"), FT2Font(plots.DEVANAGARI)])
    return all(any(font.get_char_index(ord(sign)) for font in _FONTS) for sign in text)


__all__ = ["Merges", "last_merge", "lengths", "pretokenize"]
