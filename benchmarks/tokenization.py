"""How long byte-pair training takes: our two trainers, and the one of the ``tokenizers`` library.

    python benchmarks/tokenization.py              # 200 KB, 100 merges: about ten seconds
    python benchmarks/tokenization.py --merges 500 # under a minute, nearly all of it recounting

The text is made of invented words whose frequencies follow Zipf's law, from a seed. Each trainer runs
several times, taking turns; the table shows medians of CPU seconds, so that what else the machine does
hardly counts (for the library, the seconds of all its threads together).
``--json`` prints one line for other programs (``tests/test_tokenization.py`` reads it).
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from helpers.tokenization import pretokenize, train_by_recounting, train_incrementally


def zipf_text(n_bytes: int, n_words: int = 6_000, seed: int = 0) -> str:
    """Text of ``n_bytes`` ASCII letters and spaces: the word of rank r occurs in proportion to 1 / r."""
    rng = np.random.default_rng(seed)
    consonants, vowels = list("bcdfghklmnprstvw"), list("aeiou")
    words: dict[str, None] = {}  # a set that keeps its order
    while len(words) < n_words:
        syllables = rng.integers(1, 5)
        parts = zip(rng.choice(consonants, syllables), rng.choice(vowels, syllables), strict=True)
        words["".join(c + v for c, v in parts) + rng.choice(["", "n", "s", "ck"])] = None
    odds = 1 / np.arange(1, n_words + 1)
    drawn = rng.choice(list(words), size=n_bytes // 3, p=odds / odds.sum())
    return " ".join(drawn)[:n_bytes]


def train_with_library(text: str, n_merges: int) -> None:
    """The ``tokenizers`` library's trainer on our words (its ties fall differently)."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    engine = Tokenizer(models.BPE())
    engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=256 + n_merges,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    engine.train_from_iterator(pretokenize(text), trainer)


def seconds(function: Callable, *arguments: object) -> tuple[float, object]:
    """CPU seconds that a call takes, and its answer."""
    start = time.process_time()
    answer = function(*arguments)
    return time.process_time() - start, answer


def measure(n_bytes: int, n_merges: int, repeats: int, library: bool) -> dict:
    """Seconds of each trainer (lists of ``repeats``), and whether our two found the same merges."""
    text = zipf_text(n_bytes)
    times: dict[str, list[float]] = {"recounting": [], "incremental": [], "library": []}
    same = True
    for _ in range(repeats):
        slow, expected = seconds(train_by_recounting, text, n_merges)
        fast, merges = seconds(train_incrementally, text, n_merges)
        same &= merges == expected and len(merges) == n_merges
        times["recounting"].append(slow)
        times["incremental"].append(fast)
        if library:
            times["library"].append(seconds(train_with_library, text, n_merges)[0])
    return {
        "n_bytes": len(text.encode()),
        "n_merges": n_merges,
        "n_word_types": len(set(pretokenize(text))),
        "same_merges": same,
        "seconds": {name: runs for name, runs in times.items() if runs},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bytes", type=int, default=200_000, help="size of the text")
    parser.add_argument("--merges", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one line of JSON, without the library")
    arguments = parser.parse_args()

    result = measure(arguments.bytes, arguments.merges, arguments.repeats, library=not arguments.json)
    if arguments.json:
        print(json.dumps(result))
        return
    print(
        f"{result['n_bytes']:,} bytes, {result['n_word_types']:,} different words, {result['n_merges']} merges; "
        f"same merges: {'yes' if result['same_merges'] else 'NO'}"
    )
    fastest = statistics.median(result["seconds"]["incremental"])
    for name, runs in result["seconds"].items():
        median = statistics.median(runs)
        print(f"{name:<12} {median:8.3f} s   {median / fastest:6.1f} x incremental")


if __name__ == "__main__":
    main()
