"""Text to ids and back: byte-pair encoding from scratch, and six published tokenizers.

A language model reads numbers, not letters. This module goes from the one to the other in steps:

1. ``pretokenize``: cut a text into words, and ``utf8``: write each word as bytes, numbers 0 to 255.
2. ``count_pairs`` and ``merge``: the two moves of byte-pair encoding (BPE). Find the pair of
   neighbours that occurs most often, give it a number of its own, repeat.
3. ``train_by_recounting``: the whole algorithm in ten lines. Read this one first.
   ``train_incrementally``: the same merges, tens of times faster.
4. ``encode_word`` and ``BPETokenizer``: the merges, played back on a text that was not trained on.
5. ``load_tokenizer``: the vocabularies of GPT-4o, GPT-4, Llama 3, Qwen 3, SmolLM2 and MiniLM.

Ids, positions and ranks count from 0. Ids 0 to 255 are the bytes themselves; the first merge is id 256.

Left out: the longer regular expressions of published tokenizers (ours fits in four lines, theirs
keep "don't" and digits in their own ways), Unigram tokenizers (SentencePiece), and how WordPiece is
trained (here it is only loaded).

Sources: Gage 1994, "A New Algorithm for Data Compression" (BPE); Sennrich et al. 2016,
https://arxiv.org/abs/1508.07909, section 3.2 (BPE on words); Radford et al. 2019, GPT-2, section 2.2,
and https://github.com/openai/gpt-2/blob/master/src/encoder.py (bytes, and words with their space in
front); https://github.com/karpathy/minbpe (a ladder of small files like this one); Schuster and
Nakajima 2012 and Devlin et al. 2019, https://arxiv.org/abs/1810.04805 (WordPiece, "##").
"""

import difflib
import functools
import heapq
import operator
import re
import string
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    import tokenizers

Pair = tuple[int, int]
"""Two ids that stand next to each other."""

N_BYTES = 256
"""A byte has this many values; they are every byte-level vocabulary's first tokens."""


# ---------------------------------------------------------------------------------------------
# 1. From a text to words, from words to bytes
# ---------------------------------------------------------------------------------------------

_PUNCTUATION = re.escape(string.punctuation)  # the 32 signs of ASCII: !"#$%&'()*+,-./:;<=>?@[\]^_`{|}~

_WORD = re.compile(
    rf" ?[^\s\d{_PUNCTUATION}]+"  # a word, with the one space before it: letters of any script, emoji
    r"| ?\d+"  # a number
    rf"| ?[{_PUNCTUATION}]+"  # signs
    r"|\s+(?!\S)|\s+"  # white space; of several spaces the last is left for the word that follows
)


def pretokenize(text: str) -> list[str]:
    """The text cut into words, numbers, signs and white space, with nothing lost.

    A single space belongs to the word after it, so that most words cost no extra token for it. BPE
    never merges across a cut: this is what keeps "dog." and "dog," from becoming tokens of their own.

    The classes are simpler than GPT-2's: a word is anything but white space, digits and ASCII
    punctuation, so that the vowel signs of Hindi stay with their letters and emoji count as letters.

    >>> pretokenize("I have 12 cats, really!")
    ['I', ' have', ' 12', ' cats', ',', ' really', '!']
    >>> pretokenize("two  spaces")
    ['two', ' ', ' spaces']

    Raises ValueError for half a character (see ``utf8``). Source: the idea and the order of the cases
    are GPT-2's, ``encoder.py``.
    """
    utf8(text)  # complain here, where a position in the message counts in the whole text
    return _WORD.findall(text)


def utf8(text: str) -> bytes:
    """The bytes of a text in UTF-8: one for an English letter, two to four for others.

    >>> list(utf8("aé"))
    [97, 195, 169]

    Raises ValueError for anything but a ``str``, and for half a character (a lone surrogate).
    """
    if not isinstance(text, str):
        raise ValueError(
            f"text must be a str, got {type(text).__name__}; "
            "turn bytes into text with .decode('utf-8'), other things with str(...)"
        )
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"text must be whole characters, got half of one, U+{ord(text[error.start]):04X}, at position "
            f"{error.start}, which UTF-8 can't write; text.encode('utf-16', 'surrogatepass')"
            ".decode('utf-16', 'replace') joins halves that belong together and marks the others"
        ) from None


def as_text(piece: bytes) -> str | bytes:
    """A token's bytes as text, or the bytes themselves where they are only part of a character.

    >>> as_text(b" caf"), as_text(b"\\xc3")
    (' caf', b'\\xc3')
    """
    try:
        return piece.decode("utf-8")
    except UnicodeDecodeError:
        return piece


# ---------------------------------------------------------------------------------------------
# 2. The two moves
# ---------------------------------------------------------------------------------------------


class Merge(NamedTuple):
    """One step of training: from now on ``pair`` is written as ``new_id``."""

    pair: Pair  # the two ids that were neighbours
    new_id: int  # 256 for the first merge, then one more each time
    count: int  # how often the pair stood in the text when it was chosen, overlaps included


def count_pairs(sequences: Iterable[Sequence[int]]) -> dict[Pair, int]:
    """How often each pair of neighbours occurs, in the order in which the pairs are first seen.

    Overlaps count: three equal ids in a row hold their pair twice.

    >>> count_pairs([[1, 2, 3, 1, 2], [5, 5, 5]])
    {(1, 2): 2, (2, 3): 1, (3, 1): 1, (5, 5): 2}
    """
    counts: dict[Pair, int] = {}
    for ids in sequences:
        for pair in pairwise(ids):
            counts[pair] = counts.get(pair, 0) + 1
    return counts


def merge(ids: Sequence[int], pair: Pair, new_id: int) -> list[int]:
    """The ids with every ``pair`` replaced by ``new_id``, from left to right; ``ids`` stays as it is.

    >>> merge([1, 2, 3, 1, 2], (1, 2), 4)
    [4, 3, 4]
    >>> merge([5, 5, 5], (5, 5), 6)
    [6, 5]
    """
    left, right = pair
    merged = []
    position, last = 0, len(ids) - 1
    while position <= last:
        if ids[position] == left and position < last and ids[position + 1] == right:
            merged.append(new_id)
            position += 2
        else:
            merged.append(ids[position])
            position += 1
    return merged


# ---------------------------------------------------------------------------------------------
# 3. Training: which merges?
# ---------------------------------------------------------------------------------------------


def train_by_recounting(text: str, n_merges: int) -> list[Merge]:
    """The first ``n_merges`` merges of byte-pair encoding, or fewer where nothing is left to merge.

    Count all pairs, merge the most frequent, start again. Of equally frequent pairs the one **first
    seen** wins: the one that, in the text as it is written at this moment, starts furthest to the left.
    (``count_pairs`` lists pairs in that order, and ``max`` takes the first of equals.)

    >>> train_by_recounting("low lower", 2)  # l,o and o,w occur twice each; l,o is seen first
    [Merge(pair=(108, 111), new_id=256, count=2), Merge(pair=(256, 119), new_id=257, count=2)]

    Raises ValueError for half a character (see ``utf8``). Source: Sennrich et al. 2016, algorithm 1.
    """
    words = [list(utf8(word)) for word in pretokenize(text)]
    merges: list[Merge] = []
    for new_id in range(N_BYTES, N_BYTES + n_merges):
        counts = count_pairs(words)
        if not counts:
            break  # every word is one token
        pair = max(counts, key=counts.__getitem__)
        words = [merge(word, pair, new_id) for word in words]
        merges.append(Merge(pair, new_id, counts[pair]))
    return merges


def train_incrementally(text: str, n_merges: int) -> list[Merge]:
    """The same merges as ``train_by_recounting``, without counting everything again after each one.

    Three ideas make it fast:

    - The same words come again and again: keep each once, with how often it occurs.
    - A merge changes few words: remember which words hold a pair, and correct the counts for those.
    - The best pair comes from a queue. Its entries may be out of date, but only in one direction: as
      merges use up its letters, a pair gets rarer and its first place moves to the right, never back.
      So an entry whose count is still true when it reaches the front is the best of all; one that is
      out of date goes back into the queue with today's numbers.

    >>> train_incrementally("low lower", 2) == train_by_recounting("low lower", 2)
    True

    Raises ValueError for half a character (see ``utf8``). Measured (``benchmarks/tokenization.py``).
    """
    times = Counter(pretokenize(text))  # a Counter keeps the order in which words were first seen
    words = [list(utf8(word)) for word in times]
    weights = list(times.values())

    counts: dict[Pair, int] = defaultdict(int)
    holders: dict[Pair, list[int]] = defaultdict(list)  # pair -> the words that hold it, or once held it

    for index, word in enumerate(words):
        for pair in pairwise(word):
            counts[pair] += weights[index]
            holders[pair].append(index)

    n_bytes = [1] * N_BYTES  # id -> how many bytes it stands for

    def first_place(pair: Pair) -> Pair:
        """Word, and byte within the word, where the pair starts for the first time."""
        for n_stale, index in enumerate(holders[pair]):
            byte = 0
            for neighbours in pairwise(words[index]):
                if neighbours == pair:
                    del holders[pair][:n_stale]
                    return index, byte
                byte += n_bytes[neighbours[0]]
        raise AssertionError(f"{pair} is counted {counts[pair]} times but found nowhere")

    def entry(pair: Pair) -> tuple[int, Pair, Pair]:
        return -counts[pair], first_place(pair), pair  # smallest first: most frequent, then leftmost

    queue = [entry(pair) for pair in counts]
    heapq.heapify(queue)
    merges: list[Merge] = []
    while queue and len(merges) < n_merges:
        claimed, _, pair = heapq.heappop(queue)
        if -claimed != counts[pair]:
            if counts[pair]:  # not yet used up by other merges
                heapq.heappush(queue, entry(pair))
            continue

        new_id = N_BYTES + len(merges)
        merges.append(Merge(pair, new_id, counts[pair]))
        n_bytes.append(n_bytes[pair[0]] + n_bytes[pair[1]])
        born: set[Pair] = set()
        for index in holders.pop(pair):
            before = words[index]
            after = words[index] = merge(before, pair, new_id)
            if len(after) == len(before):
                continue  # this word held the pair once, but another merge was faster, or it is listed twice
            for old in pairwise(before):
                counts[old] -= weights[index]
            for new in pairwise(after):
                counts[new] += weights[index]
                if new_id in new:
                    holders[new].append(index)
                    born.add(new)
        for new in born:
            heapq.heappush(queue, entry(new))
    return merges


# ---------------------------------------------------------------------------------------------
# 4. Encoding: the merges, played back
# ---------------------------------------------------------------------------------------------


def vocabulary(merges: Sequence[Merge]) -> dict[int, bytes]:
    """Every id with the bytes it stands for: the 256 bytes, then one entry a merge.

    >>> vocabulary([Merge((97, 98), 256, 9), Merge((256, 99), 257, 5)])[257]
    b'abc'
    """
    vocab = {byte: bytes([byte]) for byte in range(N_BYTES)}
    for (left, right), new_id, _ in merges:
        vocab[new_id] = vocab[left] + vocab[right]
    return vocab


def encode_word(word: bytes, new_ids: Mapping[Pair, int]) -> list[int]:
    """The ids of one word: its bytes, merged for as long as two neighbours have a merge.

    The merge learned first goes first (it has the smallest id), whatever its place in the word.

    >>> encode_word(b"abc", {(98, 99): 256, (97, 98): 257, (97, 256): 258})
    [258]
    """
    ids = list(word)
    while candidates := new_ids.keys() & set(pairwise(ids)):
        pair = min(candidates, key=new_ids.__getitem__)
        ids = merge(ids, pair, new_ids[pair])
    return ids


def _encode_words(text: str, new_ids: Mapping[Pair, int]) -> list[int]:
    """The ids of a text, word by word; a word that comes again is not worked out again."""
    known: dict[str, list[int]] = {}
    ids: list[int] = []
    for word in pretokenize(text):
        if word not in known:
            known[word] = encode_word(utf8(word), new_ids)
        ids += known[word]
    return ids


def replay(text: str, merges: Sequence[Merge], upto: int) -> list[str | bytes]:
    """The pieces of a text after the first ``upto`` merges: at 0 single bytes, then longer and longer.

    A piece that is only part of a character is given as its bytes.

    >>> history = train_by_recounting("aaabdaaabac", 3)
    >>> for upto in range(4):
    ...     print(*replay("aaabd", history, upto))
    a a a b d
    aa a b d
    aaa b d
    aaab d

    Raises ValueError if ``upto`` is not between 0 and the number of merges.
    """
    if not 0 <= upto <= len(merges):
        raise ValueError(
            f"upto must be 0 to {len(merges)}, the number of merges, got {upto}; train longer to see more"
        )
    first = merges[:upto]
    vocab = vocabulary(first)
    new_ids = {step.pair: step.new_id for step in first}
    return [as_text(vocab[id_]) for id_ in _encode_words(text, new_ids)]


class BPETokenizer:
    """A byte-level BPE tokenizer that you train yourself.

    Untrained it knows the 256 bytes; after ``train``, ``merges`` is the history of what it learned.

    A **special token** such as ``"<|end|>"`` is a sign for the model (here a text ends), not a piece
    of text. It has one id, after all others, that no merge leads to. Only ``encode(...,
    allow_special=True)`` gives that id; by default the seven characters are text like any other, so
    that somebody who types them can't end the text for the model.

    >>> tokenizer = BPETokenizer(special_tokens=["<|end|>"]).train("aaabdaaabac", vocab_size=260)
    >>> tokenizer.encode("aaabdaaabac")  # 258 is aaab, learned in three merges: aa, aaa, aaab
    [258, 100, 258, 97, 99]
    >>> tokenizer.encode("aaab<|end|>", allow_special=True)
    [258, 259]
    >>> tokenizer.decode([258, 100, 259])
    'aaabd<|end|>'

    Attributes:
        merges: the steps of training, in order (a list of ``Merge``).
        vocab: id -> the bytes it stands for.

    Raises ValueError for a special token that is empty or given twice.
    """

    name = "ours"

    def __init__(self, special_tokens: Sequence[str] = ()) -> None:
        if isinstance(special_tokens, str):
            raise ValueError(
                f"special_tokens must be a list, got the text {special_tokens!r}; write [{special_tokens!r}]"
            )
        for token in special_tokens:
            if not token or list(special_tokens).count(token) > 1:
                raise ValueError(
                    f"special tokens must be non-empty and all different, got {list(special_tokens)}; "
                    f"take out {token!r}"
                )
        self.special_tokens = tuple(special_tokens)
        self._set_merges([])

    def _set_merges(self, merges: list[Merge]) -> None:
        self.merges = merges
        self.vocab = vocabulary(merges)
        self._new_ids = {step.pair: step.new_id for step in merges}
        self._special_ids = {token: len(self.vocab) + i for i, token in enumerate(self.special_tokens)}
        self.vocab.update({id_: utf8(token) for token, id_ in self._special_ids.items()})

    @property
    def vocab_size(self) -> int:
        """How many ids there are: 256 bytes, the merges, the special tokens."""
        return len(self.vocab)

    def train(self, text: str, vocab_size: int) -> "BPETokenizer":
        """This tokenizer, with merges learned from ``text`` (what it knew before is forgotten).

        ``vocab_size`` is a promise: where the text is too short for so many merges, you are told how
        many it allows, instead of getting a smaller vocabulary than you asked for.

        >>> BPETokenizer().train("low lower lowest", 259).tokens("slow lowest")
        ['s', 'low', ' low', 'e', 's', 't']

        Raises ValueError for an empty text, or a ``vocab_size`` below 256 + special tokens or beyond
        what the text allows; the tokenizer is then as it was.
        """
        if not utf8(text):
            raise ValueError(
                "text must hold at least one character to learn from, got ''; pass a longer text"
            )
        smallest = N_BYTES + len(self.special_tokens)
        if not isinstance(vocab_size, int) or vocab_size < smallest:
            raise ValueError(
                f"vocab_size must be a whole number, {smallest} or more (256 bytes and "
                f"{len(self.special_tokens)} special tokens), got {vocab_size}; add the number of merges you want"
            )
        merges = train_incrementally(text, vocab_size - smallest)
        if len(merges) < vocab_size - smallest:
            raise ValueError(
                f"vocab_size can be at most {smallest + len(merges)} for this text, got {vocab_size}: after "
                f"{len(merges)} merges every word is one token; ask for less or train on a longer text"
            )
        self._set_merges(merges)
        return self

    def encode(self, text: str, allow_special: bool = False) -> list[int]:
        """The ids of a text; with ``allow_special``, special tokens in it become their one id.

        >>> BPETokenizer().encode("é")
        [195, 169]

        Raises ValueError for anything but a ``str``, and for half a character (see ``utf8``).
        """
        utf8(text)
        if not (allow_special and self.special_tokens):
            return _encode_words(text, self._new_ids)
        longest_first = sorted(self.special_tokens, key=len, reverse=True)  # so that <|a|><|b|> beats <|a|>
        ids: list[int] = []
        for part in re.split("(" + "|".join(map(re.escape, longest_first)) + ")", text):
            if part in self._special_ids:
                ids.append(self._special_ids[part])
            else:
                ids += _encode_words(part, self._new_ids)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some ids; ``decode(encode(text)) == text`` for every text.

        Ids may stop in the middle of a character. What can't be read then shows as "�";
        ``token_bytes`` has the bytes.

        >>> BPETokenizer().decode([104, 105, 195])
        'hi�'

        Raises ValueError for an id that is not in the vocabulary.
        """
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", errors="replace")

    def tokens(self, text: str, allow_special: bool = False) -> list[str | bytes]:
        """The pieces a text is cut into; a piece that is only part of a character as its bytes.

        >>> BPETokenizer().tokens("né")
        ['n', b'\\xc3', b'\\xa9']

        Raises what ``encode`` raises.
        """
        return [as_text(self.vocab[id_]) for id_ in self.encode(text, allow_special)]

    def token_bytes(self, id_: int) -> bytes:
        """The bytes that one id stands for; raises ValueError for an id not in the vocabulary.

        >>> BPETokenizer().token_bytes(97)
        b'a'
        """
        return _lookup(self.vocab.__getitem__, id_, self.vocab_size, self.name)


def _lookup(token_bytes: Callable[[int], bytes], id_: int, vocab_size: int, name: str) -> bytes:
    """``token_bytes(id_)``, with one clear error for every way in which an id can be wrong."""
    try:
        index = operator.index(id_)  # NumPy's and torch's whole numbers too, but not 2.0
        if 0 <= index < vocab_size:
            return token_bytes(index)
    except (TypeError, KeyError):
        pass  # not a whole number, or one of the few that a vocabulary leaves unused
    raise ValueError(
        f"ids must be whole numbers in the vocabulary of {name}, 0 to {vocab_size - 1}, got {id_!r}; "
        "decode with the tokenizer that encoded"
    )


# ---------------------------------------------------------------------------------------------
# 5. Published tokenizers
# ---------------------------------------------------------------------------------------------

TOKENIZERS = {
    "o200k_base": "GPT-4o",
    "cl100k_base": "GPT-4",
    "llama3": "Llama 3",
    "qwen3": "Qwen 3",
    "smollm2": "SmolLM2",
    "minilm": "MiniLM (WordPiece)",
}
"""The names that ``load_tokenizer`` knows, and whose vocabulary each is."""


@runtime_checkable
class Tokenizer(Protocol):
    """What all tokenizers of ``load_tokenizer`` have in common.

    ``special=True`` gives what the model itself is fed: the special tokens it expects around a text
    are added (Llama 3's ``<|begin_of_text|>``, MiniLM's ``[CLS]`` and ``[SEP]``; the others expect
    none). Without it you see the text's own pieces.

    A special token that is *spelled out in the text*, such as ``<|endoftext|>``, is text like any other
    in the four vocabularies of OpenAI, Llama and Qwen unless ``special=True``. SmolLM2's and MiniLM's
    publishers always encode theirs whole, and so does this.
    """

    @property
    def name(self) -> str:
        """The name it was loaded by."""

    @property
    def vocab_size(self) -> int:
        """The highest id plus 1 (a few ids below it may be unused)."""

    def encode(self, text: str, special: bool = False) -> list[int]:
        """The ids of a text."""

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some ids."""

    def tokens(self, text: str, special: bool = False) -> list[str | bytes]:
        """The pieces of a text, one an id; a piece that is only part of a character as its bytes."""

    def token_bytes(self, id_: int) -> bytes:
        """The bytes of one token."""


class ByteLevelTokenizer:
    """A published tokenizer that works on bytes: the pieces' bytes, joined, are the text in UTF-8.

    Two exceptions, both their publishers' choice. Qwen 3 first puts the text in Unicode's composed form
    (NFC: "e" and a combining accent become "é"), so its pieces join to, and decode to, *that* text. And
    SmolLM2 has tokens for 235 of the 256 bytes only. Its own code drops the others without a word: six
    control characters (U+0014, say) and characters beyond U+3FFFF whose first byte is F1 or F2, none
    of which is assigned. Ours says so.
    """

    def __init__(
        self,
        name: str,
        vocab_size: int,
        encode: Callable[[str, bool], list[int]],
        token_bytes: Callable[[int], bytes],
    ) -> None:
        self.name = name
        self.vocab_size = vocab_size
        self._encode = encode
        self._token_bytes = token_bytes

    def __repr__(self) -> str:
        return f"<tokenizer {self.name!r}, {self.vocab_size:,} ids>"

    def encode(self, text: str, special: bool = False) -> list[int]:
        """The ids of a text; with ``special``, as the model is fed (see ``Tokenizer``).

        >>> load_tokenizer("o200k_base").encode("Hello, World!")
        [13225, 11, 5922, 0]

        Raises ValueError for anything but a ``str``, for half a character, and for the few bytes that
        SmolLM2 has no token for.
        """
        utf8(text)
        return self._encode(text, special)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some ids, special tokens included; "�" for cut characters.

        >>> load_tokenizer("o200k_base").decode([13225, 11, 5922, 0])
        'Hello, World!'

        Raises ValueError for an id that is not in the vocabulary.
        """
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", errors="replace")

    def tokens(self, text: str, special: bool = False) -> list[str | bytes]:
        """The pieces of a text; a piece that is only part of a character as its bytes.

        >>> load_tokenizer("o200k_base").tokens("Hi 🦊")
        ['Hi', b' \\xf0\\x9f', b'\\xa6', b'\\x8a']

        Raises what ``encode`` raises.
        """
        return [as_text(self.token_bytes(id_)) for id_ in self.encode(text, special)]

    def token_bytes(self, id_: int) -> bytes:
        """The bytes of one token; raises ValueError for an id that is not in the vocabulary.

        >>> load_tokenizer("o200k_base").token_bytes(5922)
        b' World'
        """
        return _lookup(self._token_bytes, id_, self.vocab_size, self.name)


class WordPieceTokenizer:
    """MiniLM's tokenizer (BERT's, uncased): words, then pieces; a piece inside a word starts with "##".

    It is **no perfect round trip**: the text is put in lower case, accents and control characters
    are dropped, white space is forgotten, and a word with a character it has never seen, or of more
    than 100 characters, becomes ``[UNK]``. ``decode`` gives a readable text, not yours.

    Source: Devlin et al. 2019; https://github.com/google-research/bert/blob/master/tokenization.py.
    """

    def __init__(self, name: str, engine: "tokenizers.Tokenizer") -> None:
        engine.no_padding()  # the file pads and cuts to 128 tokens, for sentence vectors in batches;
        engine.no_truncation()  # here one wants to see the tokens of the text, all of them
        self.name = name
        self.vocab_size = engine.get_vocab_size()
        self._engine = engine

    def __repr__(self) -> str:
        return f"<tokenizer {self.name!r}, {self.vocab_size:,} ids>"

    def encode(self, text: str, special: bool = False) -> list[int]:
        """The ids of a text; with ``special``, between ``[CLS]`` and ``[SEP]``.

        Raises ValueError for anything but a ``str``, and for half a character.
        """
        utf8(text)
        return self._engine.encode(text, add_special_tokens=special).ids

    def decode(self, ids: Iterable[int]) -> str:
        """A readable text for some ids, in lower case and without accents, special tokens included.

        Raises ValueError for an id that is not in the vocabulary.
        """
        ids = list(ids)
        for id_ in ids:
            self.token_bytes(id_)  # the engine would leave out an id that it doesn't know
        return self._engine.decode([operator.index(id_) for id_ in ids], skip_special_tokens=False)

    def tokens(self, text: str, special: bool = False) -> list[str | bytes]:
        """The pieces of a text as the vocabulary writes them: "play", "##ing", "[UNK]".

        Raises what ``encode`` raises.
        """
        utf8(text)
        return list(self._engine.encode(text, add_special_tokens=special).tokens)

    def token_bytes(self, id_: int) -> bytes:
        """The UTF-8 bytes of one token as the vocabulary writes it, "##" included.

        Raises ValueError for an id that is not in the vocabulary.
        """
        return _lookup(lambda index: utf8(self._engine.id_to_token(index)), id_, self.vocab_size, self.name)


def load_tokenizer(name: str) -> Tokenizer:
    """A published tokenizer by name: one of ``TOKENIZERS``. The second call for a name is immediate.

    ``o200k_base``, ``cl100k_base``, ``llama3`` and ``qwen3`` come with an installed package and need
    no network; ``smollm2`` and ``minilm`` are read from the model cache.

    >>> load_tokenizer("o200k_base").encode("Hello, World! I am Twinkle Goyal")
    [13225, 11, 5922, 0, 357, 939, 7077, 47817, 499, 11616]

    Raises ValueError for an unknown name or a damaged file, ``helpers.pretrained.ModelMissing`` (a
    FileNotFoundError) where ``smollm2`` or ``minilm`` was not fetched yet.
    """
    if name not in TOKENIZERS:
        near = difflib.get_close_matches(str(name).lower(), TOKENIZERS, n=1, cutoff=0.5)
        advice = f"did you mean {near[0]!r}?" if near else "take one of these"
        raise ValueError(f"tokenizer must be one of {', '.join(TOKENIZERS)}, got {name!r}; {advice}")
    if name not in _IDS_IN_FILE:
        return _from_package(name)

    from helpers import pretrained

    return _from_file(name, pretrained.ensure(name) / "tokenizer.json")


def load_tokenizers() -> dict[str, Tokenizer]:
    """All of ``TOKENIZERS`` by name; where models were not fetched yet, the others, after one line that says so.

    >>> list(load_tokenizers())[:2]
    ['o200k_base', 'cl100k_base']
    """
    from helpers import pretrained

    missing = [name for name in _IDS_IN_FILE if not pretrained.is_available(name)]
    if missing:
        print(f"Not here yet: {' and '.join(missing)}. To fetch them, run: python -m helpers.pretrained")
    return {name: load_tokenizer(name) for name in TOKENIZERS if name not in missing}


def _published_bpe(name: str) -> object:
    """quicktok's tokenizer of that name: the only place in the course that knows this package.

    Where it is missing, ``tiktoken`` stands in for OpenAI's two, if it is installed; it downloads them
    once. Both have ``encode_ordinary``, ``encode``, ``encode_single_token``,
    ``decode_single_token_bytes`` and ``n_vocab``, and that is all that is used.
    """
    try:
        import quicktok
    except ImportError as missing:
        advice = f"{name} comes with the package quicktok-v1, which is missing; pip install quicktok-v1"
        if name not in ("o200k_base", "cl100k_base"):
            raise ImportError(advice) from missing
        try:
            import tiktoken

            return tiktoken.get_encoding(name)
        except (ImportError, OSError) as error:  # OSError: no network
            raise ImportError(f"{advice} (its stand-in tiktoken failed: {error})") from missing
    return quicktok.get_encoding(name)


@functools.cache
def _from_package(name: str) -> ByteLevelTokenizer:
    engine = _published_bpe(name)
    start = [engine.encode_single_token("<|begin_of_text|>")] if name == "llama3" else []

    def encode(text: str, special: bool) -> list[int]:
        if special:
            return start + engine.encode(text, allowed_special="all")
        return engine.encode_ordinary(text)

    return ByteLevelTokenizer(name, engine.n_vocab, encode, engine.decode_single_token_bytes)


_IDS_IN_FILE = {"smollm2": 49_152, "minilm": 30_522}


@functools.cache  # the path is part of the key: another cache folder, another tokenizer
def _from_file(name: str, path: Path) -> ByteLevelTokenizer | WordPieceTokenizer:
    """The tokenizer in a ``tokenizer.json``; raises ValueError if it is damaged or another model's."""
    from tokenizers import Tokenizer as Engine

    advice = f"run python -m helpers.pretrained --again {name}"
    try:
        engine = Engine.from_file(str(path))
    except Exception as error:  # tokenizers raises plain Exception for everything
        raise ValueError(
            f"{path} must be {name}'s tokenizer, got a damaged file ({error}); {advice}"
        ) from None
    if engine.get_vocab_size() != _IDS_IN_FILE[name]:
        raise ValueError(
            f"{path} must be {name}'s tokenizer with {_IDS_IN_FILE[name]} ids, "
            f"got {engine.get_vocab_size()}; {advice}"
        )
    return WordPieceTokenizer(name, engine) if name == "minilm" else _byte_level(name, engine)


def byte_alphabet() -> dict[str, int]:
    """The 256 signs that GPT-2's kind of files write bytes with, each with its byte.

    Files want printable text, and many bytes are not: those are written as the characters from U+0100
    on. So "Ġ" in such a file is a space, and "Ċ" a new line.

    >>> alphabet = byte_alphabet()
    >>> len(alphabet), alphabet["a"], alphabet["Ġ"], alphabet["Ċ"]
    (256, 97, 32, 10)

    Source: ``bytes_to_unicode`` in GPT-2's ``encoder.py``.
    """
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    others = [byte for byte in range(N_BYTES) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


def smollm2_tokenizer(
    tokens: Sequence[str], merges: Sequence[str], types: Sequence[int] | None = None
) -> "tokenizers.Tokenizer":
    """SmolLM2's tokenizer, built from the two lists in its GGUF file.

    ``tokens`` are the vocabulary in the order of the ids, ``merges`` the pairs in the order they were
    learned, both written in ``byte_alphabet``. Digits are cut off one by one, then words as GPT-2
    does. Special tokens (``<|im_start|>``) are encoded whole: those whose type in ``types`` is control
    or user-defined (3 or 4 in ``tokenizer.ggml.token_type``). Without ``types`` they are found by a
    thought: a token that is neither a byte nor made by a merge can't come out of a text.

    >>> built = smollm2_tokenizer(["<|im_start|>", "h", "i", "hi", "1", "2"], ["h i"])
    >>> built.encode("<|im_start|>hi12").tokens
    ['<|im_start|>', 'hi', '1', '2']

    Raises ValueError if ``merges`` makes a token that is not in ``tokens``. Source: the pre-tokenizer
    is the one that GGUF files name "smollm" (``tokenizer.ggml.pre``), as in llama.cpp.
    """
    from tokenizers import AddedToken, decoders, models, pre_tokenizers
    from tokenizers import Tokenizer as Engine

    pairs = [(left, right) for left, right in (pair.split(" ") for pair in merges)]
    ids = {token: id_ for id_, token in enumerate(tokens)}
    made = {left + right for left, right in pairs}
    if strangers := sorted(made - ids.keys()):
        raise ValueError(
            f"merges must make tokens of the vocabulary, got {strangers[0]!r}; "
            "take tokens and merges from the same file"
        )
    engine = Engine(models.BPE(ids, pairs))
    engine.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    engine.decoder = decoders.ByteLevel()
    if types is None:
        made.update(byte_alphabet())
        special = [token for token in tokens if token not in made]
    else:
        special = [token for token, type_ in zip(tokens, types, strict=True) if type_ in (3, 4)]
    engine.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    return engine


def _byte_level(name: str, engine: "tokenizers.Tokenizer") -> ByteLevelTokenizer:
    """A ``tokenizers`` tokenizer of GPT-2's kind, with the bytes of its tokens worked out."""
    alphabet = byte_alphabet()
    special = engine.get_added_tokens_decoder()
    pieces = [
        utf8(token) if id_ in special else bytes(alphabet[sign] for sign in token)
        for token, id_ in sorted(engine.get_vocab().items(), key=operator.itemgetter(1))
    ]
    missing = {byte for byte in range(N_BYTES) if bytes([byte]) not in pieces}

    def encode(text: str, special: bool) -> list[int]:
        if not missing.isdisjoint(utf8(text)):
            position, sign = next((i, c) for i, c in enumerate(text) if not missing.isdisjoint(utf8(c)))
            raise ValueError(
                f"text for {name} must do without the {len(missing)} bytes it has no token for, got "
                f"U+{ord(sign):04X} at position {position}; take that character out"
            )
        return engine.encode(text, add_special_tokens=special).ids

    return ByteLevelTokenizer(name, len(pieces), encode, pieces.__getitem__)
