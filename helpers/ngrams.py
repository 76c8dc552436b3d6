"""n-grams: the odds of the next word by counting which words followed the last few.

The oldest language model there is. An n-gram model of order 3 looks at the last two words, finds
every place in its corpus where they stood, and counts what came next. It knows nothing else: a context
that it never saw tells it nothing.

What it leaves out: everything further back than ``order - 1`` words, and any likeness between words.

Sources: Shannon, "A Mathematical Theory of Communication" (1948), section 3, for text by counting;
Witten and Bell, "The zero-frequency problem" (1991), method C, for the odds of what was never counted;
Jurafsky and Martin, "Speech and Language Processing", chapter "N-gram Language Models".
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from helpers.tinytown import END, START, as_words


def _texts(texts: Iterable[Sequence[str] | str]) -> Iterable[list[str]]:
    """The words of each text; one string is refused, because it would be read letter by letter."""
    if isinstance(texts, str):
        raise ValueError(f"texts must be a list of texts, got the one text {texts[:40]!r}; write [text]")
    return map(as_words, texts)


class NGram:
    """Counts of what follows the last ``order - 1`` words, for this order and every lower one.

    >>> model = NGram(order=2).count([["the", "blue", "sky"], ["the", "blue", "sea"], ["the", "blue", "sky"]])
    >>> model.counts(["the", "blue"])
    {'sky': 2, 'sea': 1}
    >>> model.distribution(["the", "blue"])["sky"] == 2 / 3
    True
    >>> model.distribution(["a", "green"])
    {}
    """

    def __init__(self, order: float):
        if not (order >= 1 and float(order).is_integer()):
            raise ValueError(f"order must be a whole number from 1, got {order}; 2 looks at one word back")
        self.order = int(order)
        self._tables: list[dict[tuple[str, ...], Counter]] = [defaultdict(Counter) for _ in range(self.order)]
        self.vocabulary: set[str] = {END}

    def count(self, texts: Iterable[Sequence[str] | str]) -> "NGram":
        """Adds the words of each text, and the end after it, to the counts; gives itself back.

        Raises ValueError for one text where a list of texts is meant.
        """
        for text in _texts(texts):
            words = [*text, END]
            self.vocabulary.update(words)
            padded = [START] * (self.order - 1) + words
            for position, word in enumerate(words):
                for back in range(self.order):
                    context = padded[position + self.order - 1 - back : position + self.order - 1]
                    self._tables[back][tuple(context)][word] += 1
        return self

    def shorter(self, order: float) -> "NGram":
        """The n-gram of a lower order over the same texts; it shares the counts, so it costs nothing.

        >>> NGram(order=3).count([["the", "blue", "sky"]]).shorter(2).counts(["blue"])
        {'sky': 1}

        Raises ValueError for an order above this one's, which was not counted.
        """
        if not order <= self.order:
            raise ValueError(f"order must be from 1 to {self.order}, the order that was counted, got {order}")
        view = NGram(order)
        view._tables, view.vocabulary = self._tables, self.vocabulary
        return view

    def _context(self, prefix: Sequence[str] | str, back: int) -> tuple[str, ...]:
        """The last `back` words of a beginning; before its first word stands ``<start>``."""
        words = as_words(prefix)
        return tuple([*[START] * back, *words][len(words) :]) if back else ()

    def counts(self, prefix: Sequence[str] | str) -> dict[str, int]:
        """What followed the last ``order - 1`` words of `prefix`, most frequent first; {} if never seen."""
        table = self._tables[self.order - 1]
        return dict(table.get(self._context(prefix, self.order - 1), Counter()).most_common())

    def distribution(self, prefix: Sequence[str] | str) -> dict[str, float]:
        """The counts as shares of their sum; {} where the context was never seen: here counting gives up."""
        counts = self.counts(prefix)
        total = sum(counts.values())
        return {word: count / total for word, count in counts.items()}

    def probability(self, word: str, prefix: Sequence[str] | str) -> float:
        """The probability of `word` after `prefix`, never 0: Witten and Bell's mixture of all orders.

        Each order is trusted as far as its context was seen often and with few different followers; the
        rest of the probability is passed down to the next shorter context, at last to equal odds over the
        words that were counted. A word that never was gets as much as if it were one of them, so that a loss
        stays finite. Raises ValueError when nothing was counted.

        >>> model = NGram(order=2).count([["the", "blue", "sky"]] * 3)
        >>> model.probability("sky", ["the", "blue"]) > 0.75 > model.probability("the", ["the", "blue"]) > 0
        True
        """
        if not self._tables[0]:
            raise ValueError("probability needs counts, got none; call count with a list of texts first")
        p = 1 / len(self.vocabulary)
        for back in range(self.order):
            followers = self._tables[back].get(self._context(prefix, back))
            if followers:
                seen, kinds = followers.total(), len(followers)
                p = (followers[word] + kinds * p) / (seen + kinds)
        return p

    def loss(self, texts: Iterable[Sequence[str] | str]) -> float:
        """The mean surprise in nats per token over `texts`, their ends counted: -ln(p) of what came.

        Raises ValueError without a text, and when nothing was counted.
        """
        total = tokens = 0
        for text in _texts(texts):
            for position, word in enumerate([*text, END]):
                total -= math.log(self.probability(word, text[:position]))
                tokens += 1
        if not tokens:
            raise ValueError("loss needs at least one text, got none; pass a list of lists of words")
        return total / tokens

    def coverage(self, texts: Iterable[Sequence[str] | str]) -> float:
        """The share of positions in `texts` whose context was seen at all: where it is not, counts give up.

        The end of a text is a position too. Raises ValueError without a text.
        """
        table = self._tables[self.order - 1]
        known = [
            self._context(text[:position], self.order - 1) in table
            for text in _texts(texts)
            for position in range(len(text) + 1)
        ]
        if not known:
            raise ValueError("coverage needs at least one text, got none; pass a list of lists of words")
        return sum(known) / len(known)
