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

from helpers.tinytown import END, START


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

    def __init__(self, order: int):
        if order < 1:
            raise ValueError(f"order must be 1 or more, got {order}; 2 looks at one word back")
        self.order = order
        self._tables: list[dict[tuple[str, ...], Counter]] = [defaultdict(Counter) for _ in range(order)]
        self.vocabulary: set[str] = {END}

    def count(self, texts: Iterable[Sequence[str]]) -> "NGram":
        """Adds the words of each text, and the end after it, to the counts; gives itself back."""
        for text in texts:
            words = [*text, END]
            self.vocabulary.update(words)
            padded = [START] * (self.order - 1) + words
            for position, word in enumerate(words):
                for back in range(self.order):
                    context = padded[position + self.order - 1 - back : position + self.order - 1]
                    self._tables[back][tuple(context)][word] += 1
        return self

    def shorter(self, order: int) -> "NGram":
        """The n-gram of a lower order over the same texts; it shares the counts, so it costs nothing.

        >>> NGram(order=3).count([["the", "blue", "sky"]]).shorter(2).counts(["blue"])
        {'sky': 1}

        Raises ValueError for an order above this one's, which was not counted.
        """
        if not 1 <= order <= self.order:
            raise ValueError(f"order must be from 1 to {self.order}, the order that was counted, got {order}")
        view = NGram(order)
        view._tables, view.vocabulary = self._tables, self.vocabulary
        return view

    def _context(self, prefix: Sequence[str], back: int) -> tuple[str, ...]:
        """The last `back` words of a beginning; before its first word stands ``<start>``."""
        return tuple([*[START] * back, *prefix][len(prefix) :]) if back else ()

    def counts(self, prefix: Sequence[str]) -> dict[str, int]:
        """What followed the last ``order - 1`` words of `prefix`, most frequent first; {} if never seen."""
        table = self._tables[self.order - 1]
        return dict(table.get(self._context(prefix, self.order - 1), Counter()).most_common())

    def distribution(self, prefix: Sequence[str]) -> dict[str, float]:
        """The counts as shares of their sum; {} where the context was never seen: here counting gives up."""
        counts = self.counts(prefix)
        total = sum(counts.values())
        return {word: count / total for word, count in counts.items()}

    def probability(self, word: str, prefix: Sequence[str]) -> float:
        """The probability of `word` after `prefix`, never 0: Witten and Bell's mixture of all orders.

        Each order is trusted as far as its context was seen often and with few different followers; the
        rest of the probability is passed down to the next shorter context, at last to equal odds.

        >>> model = NGram(order=2).count([["the", "blue", "sky"]] * 3)
        >>> model.probability("sky", ["the", "blue"]) > 0.75 > model.probability("the", ["the", "blue"]) > 0
        True
        """
        p = 1 / len(self.vocabulary)
        for back in range(self.order):
            followers = self._tables[back].get(self._context(prefix, back))
            if followers:
                seen, kinds = followers.total(), len(followers)
                p = (followers[word] + kinds * p) / (seen + kinds)
        return p

    def loss(self, texts: Iterable[Sequence[str]]) -> float:
        """The mean surprise in nats per token over `texts`, their ends counted: -ln(p) of what came."""
        total = tokens = 0
        for text in texts:
            for position, word in enumerate([*text, END]):
                total -= math.log(self.probability(word, text[:position]))
                tokens += 1
        if not tokens:
            raise ValueError("loss needs at least one text, got none; pass a list of lists of words")
        return total / tokens

    def coverage(self, texts: Iterable[Sequence[str]]) -> float:
        """The share of positions in `texts` whose context was seen at all: where it is not, counts give up."""
        table = self._tables[self.order - 1]
        known = [
            self._context(text[:position], self.order - 1) in table
            for text in texts
            for position in range(len(text) + 1)
        ]
        return sum(known) / len(known)
