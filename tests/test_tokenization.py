"""Truths for helpers.tokenization: worked examples, published ids, and independent implementations.

Where a published vocabulary is concerned, the truth is tiktoken (another implementation of the
algorithm), the SHA-256 of OpenAI's own vocabulary files, and a WordPiece of ten lines written here.
"""

import base64
import hashlib
import json
import random
import re
import subprocess
import sys
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helpers import pretrained, tokenization
from helpers.tokenization import (
    TOKENIZERS,
    BPETokenizer,
    Merge,
    Tokenizer,
    as_text,
    byte_alphabet,
    count_pairs,
    encode_word,
    load_tokenizer,
    merge,
    pretokenize,
    replay,
    smollm2_tokenizer,
    train_by_recounting,
    train_incrementally,
    utf8,
    vocabulary,
)

ROOT = Path(__file__).parents[1]
FROM_PACKAGE = ("o200k_base", "cl100k_base", "llama3", "qwen3")
TWINKLE = "Hello, World! I am Twinkle Goyal"

TEXTS = {
    "empty": "",
    "letter": "a",
    "English": "Eid al-Fitr is a celebration, isn't it?  It's THE day we'll dance.",
    "Twinkle": TWINKLE,
    "Hindi": "आप कैसे हैं? नमस्ते दुनिया, १२३",
    "Chinese": "你好,世界!今天天气很好。",
    "Japanese": "カタカナとひらがな、漢字。",
    "Thai": "ภาษาไทยไม่มีช่องว่าง",
    "Arabic": "مرحبا بالعالم، كيف حالك؟",
    "Hebrew": "שָׁלוֹם עוֹלָם",
    "both directions": "abc \u202eאבג\u202c 12",
    "emoji": "🦊 👩‍👩‍👧‍👦 🇮🇳 👍🏽 ❤️",
    "composed": "café ﬁ Å 각",
    "decomposed": "cafe\u0301 A\u030a \u1100\u1161\u11a8",
    "code": "def f(x):\n\treturn x**2  # squared\r\n\n    if x_1 != 0x7f: pass\n",
    "numbers": "2+2=4, 1234567.89 ½ Ⅷ ٣",
    "control": "a\x00b\x01\x07\x7f\x85\u200b\ufeff\u2028c",
    "white space": "  a   b\n\n \t c \u00a0 \u3000 ",
    "special": "<|endoftext|> <|im_start|>user",
    "unassigned": "\u0378\ue000\ufffe\U0001ffff\U0010ffff",
    "long": "".join(random.Random(3).choices("the quick brown fox. 12\n é日🦊", k=10_000)),
    "one word": "a" * 10_000,
}

CORPUS = (
    "the fox chased a blue hen by the river . the hen ran to the bank of the river , and the fox sat down . "
    "आप कैसे हैं ? मैं ठीक हूँ । आप कैसे हैं ? naïve café 🦊🦊 2+2=4 , 22+20=42 . the end of the story ."
)

any_text = st.text(max_size=60)
"""Any characters, without halves of one."""

ab_text = st.text(alphabet="ab ", max_size=80)
"""Few letters: many ties, many overlaps, words that come again."""


@pytest.fixture(scope="module")
def ours() -> BPETokenizer:
    return BPETokenizer(special_tokens=["<|end|>", "<|pad|>"]).train(CORPUS, 256 + 60 + 2)


def load(name: str) -> Tokenizer:
    """A published tokenizer, or a skipped test where its model was not fetched."""
    try:
        return load_tokenizer(name)
    except pretrained.ModelMissing as missing:
        pytest.skip(str(missing))


def as_bytes(pieces: list[str | bytes]) -> bytes:
    return b"".join(piece if isinstance(piece, bytes) else piece.encode() for piece in pieces)


# ---------------------------------------------------------------------------------------------
# Words and bytes
# ---------------------------------------------------------------------------------------------


@given(any_text)
@example(TEXTS["white space"])
@example("_a_1_")
def test_pretokenize_loses_nothing(text):
    words = pretokenize(text)
    assert "".join(words) == text
    assert "" not in words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("the cat sat.", ["the", " cat", " sat", "."]),
        ("2+2=4", ["2", "+", "2", "=", "4"]),
        ("a1b", ["a", "1", "b"]),
        ("don't_stop", ["don", "'", "t", "_", "stop"]),
        ("a   b", ["a", "  ", " b"]),
        ("a\n\n b", ["a", "\n\n", " b"]),
        ("end  ", ["end", "  "]),
        ("आप कैसे हैं?", ["आप", " कैसे", " हैं", "?"]),  # GPT-2's \p{L}+ would cut off every vowel sign
        ("so 🦊!", ["so", " 🦊", "!"]),
    ],
)
def test_pretokenize_by_hand(text, words):
    assert pretokenize(text) == words


def test_merges_never_cross_words():
    merges = train_by_recounting("ab ab ab ab ab", 10)
    assert [step.pair for step in merges] == [(97, 98), (32, 256)]  # and then nothing is left


@pytest.mark.parametrize(
    ("text", "half", "position"),
    [("\ud800", "U+D800", 0), ("ab\udfff", "U+DFFF", 2), ("x\ud83d\ude00", "U+D83D", 1)],
)
def test_half_a_character_is_named(text, half, position, ours):
    calls = [
        utf8,
        ours.encode,
        ours.tokens,
        load_tokenizer("cl100k_base").encode,
        load_tokenizer("qwen3").tokens,
    ]
    calls += [
        lambda text: BPETokenizer().train(text, 256),
        lambda text: train_by_recounting(text, 1),
        lambda text: replay(text, ours.merges, 1),
    ]
    for call in calls:
        with pytest.raises(
            ValueError, match=rf"got half of one, U\+{half[2:]}, at position \d+, which UTF-8"
        ):
            call(text)
    for call in (utf8, ours.encode, calls[5], calls[7]):
        with pytest.raises(ValueError, match=f"at position {position},"):
            call("" + text)


def test_position_of_half_a_character_counts_in_the_whole_text(ours):
    text = "two words \ud800"
    for call in (ours.encode, pretokenize, lambda text: replay(text, ours.merges, 1)):
        with pytest.raises(ValueError, match="at position 10,"):
            call(text)
    for train in (train_by_recounting, train_incrementally):
        with pytest.raises(ValueError, match="at position 10,"):
            train(text, 1)
    with pytest.raises(ValueError, match="at position 10,"):
        ours.encode("the<|end|>\ud800", allow_special=True)


def test_advice_for_half_a_character_works():
    text = "a\ud83d\ude00b\ud800"
    assert text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") == "a😀b\ufffd"


def test_as_text_keeps_the_bytes_of_part_of_a_character():
    assert as_text("é".encode()) == "é"
    assert as_text(b"\xc3") == b"\xc3"
    assert as_text(b" \xf0\x9f") == b" \xf0\x9f"
    assert as_text("\ufffd".encode()) == "\ufffd"  # a text that holds the sign itself


# ---------------------------------------------------------------------------------------------
# Training
# ---------------------------------------------------------------------------------------------


def test_wikipedia_by_hand():
    """aaabdaaabac: https://en.wikipedia.org/wiki/Byte-pair_encoding ends at XdXac, and so do we.

    aa occurs 4 times (overlaps count). Then Za and ab tie at 2; Za is seen first (Wikipedia takes ab);
    then (Za)b, which makes aaab, as Wikipedia's X does.
    """
    a, b, c, d = b"abcd"
    tokenizer = BPETokenizer().train("aaabdaaabac", 259)
    assert tokenizer.merges == [Merge((a, a), 256, 4), Merge((256, a), 257, 2), Merge((257, b), 258, 2)]
    assert tokenizer.encode("aaabdaaabac") == [258, d, 258, a, c]
    assert tokenizer.tokens("aaabdaaabac") == ["aaab", "d", "aaab", "a", "c"]
    assert tokenizer.vocab[258] == b"aaab"
    assert tokenizer.vocab_size == 259


def test_first_seen_is_the_leftmost_now_not_the_first_ever():
    """ "ab" stands at position 1 of the text as it was typed, but after the merge of z,a only in "xab".

    So among the pairs that occur twice, " za" and then " c" are further to the left, and "ab" waits.
    """
    text = "zab za za cd xab cd xab"
    merges = train_by_recounting(text, 4)
    pieces = vocabulary(merges)
    assert [pieces[step.new_id] for step in merges] == [b"za", b" za", b" c", b" cd"]
    assert [step.count for step in merges] == [3, 2, 2, 2]
    assert train_incrementally(text, 4) == merges


def test_counts_count_overlaps():
    assert count_pairs([[7, 7, 7], [7]]) == {(7, 7): 2}
    assert train_incrementally("aaa aaa", 1) == [Merge((97, 97), 256, 4)]


@given(ab_text, st.integers(0, 30))
@settings(max_examples=300, deadline=None)
def test_both_trainers_agree_where_ties_are_many(text, n_merges):
    assert train_incrementally(text, n_merges) == train_by_recounting(text, n_merges)


@given(st.text(alphabet="abcdé .", max_size=300), st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_both_trainers_agree_on_longer_texts(text, n_merges):
    assert train_incrementally(text, n_merges) == train_by_recounting(text, n_merges)


@pytest.mark.parametrize("text", [*TEXTS.values(), CORPUS], ids=[*TEXTS, "corpus"])
def test_both_trainers_agree_on_every_script(text):
    assert train_incrementally(text, 20) == train_by_recounting(text, 20)


@pytest.mark.parametrize("seed", range(4))
def test_both_trainers_agree_until_nothing_is_left(seed):
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefg", k=rng.randint(1, 9))) for _ in range(60)]
    text = " ".join(rng.choices(words, k=400))
    merges = train_incrementally(text, 10_000)
    assert merges == train_by_recounting(text, 10_000)
    assert 100 < len(merges) < 10_000
    known = {step.pair: step.new_id for step in merges}
    assert all(len(encode_word(utf8(word), known)) == 1 for word in pretokenize(text))


def test_trainer_agrees_with_the_tokenizers_library_while_there_are_no_ties():
    from tokenizers import Tokenizer as Engine
    from tokenizers import models, pre_tokenizers, trainers

    text = _words_by_zipf(30_000, seed=4)
    merges = train_incrementally(text, 200)
    ids = [list(utf8(word)) for word in pretokenize(text)]
    n_clear = 0
    for step in merges:  # up to the first tie, where the library chooses by its own rule
        counts = count_pairs(ids)
        if list(counts.values()).count(step.count) > 1:
            break
        ids = [merge(word, step.pair, step.new_id) for word in ids]
        n_clear += 1
    assert n_clear >= 20

    engine = Engine(models.BPE())
    engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    engine.train_from_iterator(
        pretokenize(text),
        trainers.BpeTrainer(vocab_size=256 + n_clear, initial_alphabet=alphabet, show_progress=False),
    )
    theirs = [tuple(pair) for pair in json.loads(engine.to_str())["model"]["merges"]]
    sign = {byte: sign for sign, byte in byte_alphabet().items()}
    pieces = {id_: "".join(sign[byte] for byte in piece) for id_, piece in vocabulary(merges).items()}
    assert theirs == [(pieces[step.pair[0]], pieces[step.pair[1]]) for step in merges[:n_clear]]


def test_incremental_training_is_20_times_faster_with_the_same_merges():
    """In a process of its own: pytest's type checks would slow the two trainers unequally."""
    command = [sys.executable, "benchmarks/tokenization.py", "--json", "--merges", "60", "--repeats", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    result = json.loads(done.stdout)
    assert result["n_bytes"] == 200_000
    assert result["n_word_types"] > 3_000
    assert result["n_merges"] == 60
    assert result["same_merges"]
    slow, fast = (sorted(result["seconds"][name])[1] for name in ("recounting", "incremental"))
    assert slow / fast >= 20, (
        f"recounting {slow:.2f} s, incremental {fast:.3f} s: only {slow / fast:.1f} times"
    )


def _words_by_zipf(n_bytes: int, seed: int) -> str:
    rng = random.Random(seed)
    words = [
        "".join(rng.choices("etaoinshrdlu", weights=range(12, 0, -1), k=rng.randint(2, 8)))
        for _ in range(800)
    ]
    return " ".join(rng.choices(words, weights=[1 / rank for rank in range(1, 801)], k=n_bytes // 3))[
        :n_bytes
    ]


# ---------------------------------------------------------------------------------------------
# Encoding and decoding with our own
# ---------------------------------------------------------------------------------------------


@given(any_text)
@settings(deadline=None)
def test_round_trip_for_anything(ours, text):
    assert ours.decode(ours.encode(text)) == text
    assert ours.decode(ours.encode(text, allow_special=True)) == text
    assert as_bytes(ours.tokens(text)) == text.encode()
    assert BPETokenizer().encode(text) == list(text.encode())


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_round_trip_in_every_script(ours, text):
    assert ours.decode(ours.encode(text)) == text
    assert as_bytes(ours.tokens(text)) == text.encode()
    assert len(ours.tokens(text)) == len(ours.encode(text)) <= len(text.encode())


@pytest.fixture(scope="module")
def engine_with_our_merges(ours):
    """The tokenizers library, given our merges; it gets our words one by one."""
    from tokenizers import Tokenizer as Engine
    from tokenizers import models, pre_tokenizers

    sign = {byte: sign for sign, byte in byte_alphabet().items()}
    pieces = {id_: "".join(sign[b] for b in piece) for id_, piece in vocabulary(ours.merges).items()}
    merges = [(pieces[step.pair[0]], pieces[step.pair[1]]) for step in ours.merges]
    engine = Engine(models.BPE({piece: id_ for id_, piece in pieces.items()}, merges))
    engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return engine


@given(st.one_of(any_text, st.text(alphabet="the fox. rivआपकैसे🦊", max_size=100)))
@settings(max_examples=300, deadline=None)
def test_encode_equals_the_tokenizers_library(ours, engine_with_our_merges, text):
    assert ours.encode(text) == engine_with_our_merges.encode(pretokenize(text), is_pretokenized=True).ids


@pytest.mark.parametrize("text", [*TEXTS.values(), CORPUS], ids=[*TEXTS, "corpus"])
def test_encode_equals_the_tokenizers_library_in_every_script(ours, engine_with_our_merges, text):
    ids = ours.encode(text)
    assert ids == engine_with_our_merges.encode(pretokenize(text), is_pretokenized=True).ids
    assert text != CORPUS or len(ids) < len(text.encode()) / 2  # merges did happen


def test_earliest_merge_goes_first_wherever_it_stands():
    bc, ab, abc = 256, 257, 258
    new_ids = {(98, 99): bc, (97, 98): ab, (97, bc): abc}
    assert encode_word(b"abc", new_ids) == [abc]
    assert encode_word(b"ab", new_ids) == [ab]
    assert encode_word(b"", new_ids) == []


def test_empty_text_has_no_tokens(ours):
    for tokenizer in [ours, BPETokenizer(), *map(load_tokenizer, FROM_PACKAGE)]:
        assert tokenizer.encode("") == []
        assert tokenizer.tokens("") == []
        assert tokenizer.decode([]) == ""


def test_decode_in_the_middle_of_a_character(ours):
    fox = list("🦊".encode())
    assert ours.decode([97, *fox[:2], 98]) == "a\ufffdb"
    assert ours.token_bytes(fox[0]) == b"\xf0"
    assert BPETokenizer().tokens("🦊a") == [b"\xf0", b"\x9f", b"\xa6", b"\x8a", "a"]


def test_special_tokens_only_when_asked(ours):
    text = "the end<|end|>the<|pad|>"
    plain, special = ours.encode(text), ours.encode(text, allow_special=True)
    assert ours.vocab_size == 318
    assert special == [*ours.encode("the end"), 316, *ours.encode("the"), 317]
    assert ours.tokens("<|end|>", allow_special=True) == ["<|end|>"]
    assert max(plain) < 316
    assert ours.decode(plain) == ours.decode(special) == text
    assert BPETokenizer().encode("<|end|>", allow_special=True) == list(b"<|end|>")


def test_longest_special_token_wins():
    tokenizer = BPETokenizer(special_tokens=["<a>", "<a><b>"])
    assert tokenizer.encode("<a><b><a>.", allow_special=True) == [257, 256, ord(".")]


@pytest.mark.parametrize("special", [["<|end|>", "<|end|>"], [""]])
def test_special_tokens_must_make_sense(special):
    with pytest.raises(
        ValueError, match=r"special tokens must be non-empty and all different, got .*; take out"
    ):
        BPETokenizer(special_tokens=special)


def test_special_tokens_must_be_a_list():
    with pytest.raises(ValueError, match=r"must be a list, got the text '<\|end\|>'; write \['<\|end\|>'\]"):
        BPETokenizer(special_tokens="<|end|>")


def test_replay_is_encoding_with_the_first_merges(ours):
    for upto in (0, 1, 7, len(ours.merges)):
        shorter = BPETokenizer().train(CORPUS, 256 + upto)
        assert replay("the river आप", ours.merges, upto) == shorter.tokens("the river आप")
    lengths = [len(replay(CORPUS, ours.merges, upto)) for upto in range(len(ours.merges) + 1)]
    assert lengths[0] == len(CORPUS.encode())
    assert lengths[-1] == len(ours.encode(CORPUS))
    assert all(before > after for before, after in pairwise(lengths))  # every merge was worth it here


@pytest.mark.parametrize("upto", [-1, 61])
def test_replay_outside_the_history(ours, upto):
    with pytest.raises(
        ValueError, match=f"upto must be 0 to 60, the number of merges, got {upto}; train longer"
    ):
        replay("the", ours.merges, upto)


def test_training_again_forgets_and_failing_changes_nothing():
    tokenizer = BPETokenizer().train("low lower lowest", 259)
    merges = tokenizer.merges
    with pytest.raises(ValueError, match="vocab_size can be at most"):
        tokenizer.train("ab", 300)
    assert tokenizer.merges is merges
    tokenizer.train("ab", 257)
    assert tokenizer.merges == [Merge((97, 98), 256, 1)]
    assert tokenizer.encode("low") == list(b"low")


@pytest.mark.parametrize(
    ("text", "vocab_size", "message"),
    [
        ("", 256, "text must hold at least one character to learn from, got ''; pass a longer text"),
        ("abc", 255, r"vocab_size must be a whole number, 258 or more .* got 255; add the number of merges"),
        ("abc", 257, r"258 or more \(256 bytes and 2 special tokens\), got 257"),
        (
            "hi hi",
            300,
            "at most 260 for this text, got 300: after 2 merges every word is one token; ask for less",
        ),
        ("a", 259, "at most 258 for this text, got 259: after 0 merges"),
    ],
)
def test_training_that_can_not_work(text, vocab_size, message):
    with pytest.raises(ValueError, match=message):
        BPETokenizer(special_tokens=["<a>", "<b>"]).train(text, vocab_size)


def test_the_largest_vocabulary_named_by_the_error_works():
    assert BPETokenizer().train("hi hi", 258).tokens("hi hi") == ["hi", " hi"]


@pytest.mark.parametrize("id_", [-1, 318, 10**30])
def test_unknown_id(ours, id_):
    for call in (lambda: ours.decode([97, id_]), lambda: ours.token_bytes(id_)):
        with pytest.raises(ValueError, match=rf"in the vocabulary of ours, 0 to 317, got {id_}; decode with"):
            call()


# ---------------------------------------------------------------------------------------------
# Published tokenizers
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "ids"),
    [
        ("o200k_base", TWINKLE, [13225, 11, 5922, 0, 357, 939, 7077, 47817, 499, 11616]),
        ("o200k_base", "tiktoken is great!", [83, 8251, 2488, 382, 2212, 0]),
        ("cl100k_base", "tiktoken is great!", [83, 1609, 5963, 374, 2294, 0]),
        ("cl100k_base", "Hello, World!", [9906, 11, 4435, 0]),
        ("cl100k_base", "hello world", [15339, 1917]),
        ("llama3", "Hello, World!", [9906, 11, 4435, 0]),
        ("qwen3", "Hello, World!", [9707, 11, 4337, 0]),
        ("smollm2", "The capital of France is", [504, 3575, 282, 4649, 314]),
        ("minilm", "hello world", [7592, 2088]),
        ("minilm", "Hello, World!", [7592, 1010, 2088, 999]),
    ],
)
def test_published_ids(name, text, ids):
    """Sources: the course's own table; OpenAI's cookbook on tiktoken; BERT's vocab.txt line by line."""
    assert load(name).encode(text) == ids


def test_pieces_by_eye():
    assert load("o200k_base").tokens(TWINKLE) == (
        ["Hello", ",", " World", "!", " I", " am", " Tw", "inkle", " G", "oyal"]
    )


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("o200k_base", 200_019),
        ("cl100k_base", 100_277),
        ("llama3", 128_256),
        ("qwen3", 151_669),
        ("smollm2", 49_152),
        ("minilm", 30_522),
    ],
)
def test_published_sizes(name, size):
    tokenizer = load(name)
    assert isinstance(tokenizer, Tokenizer)
    assert (tokenizer.name, tokenizer.vocab_size) == (name, size)
    assert load_tokenizer(name) is tokenizer  # the second call is immediate
    assert list(TOKENIZERS) == [*FROM_PACKAGE, "smollm2", "minilm"]
    assert isinstance(tokenizer.token_bytes(size - 1), bytes)


def quicktok_vocabulary(name: str) -> dict[bytes, int]:
    """Token -> rank, in the order of ranks (quicktok's own ``token_byte_values`` is sorted by bytes)."""
    import quicktok

    engine = quicktok.get_encoding(name)
    return {engine.decode_single_token_bytes(rank): rank for rank in range(len(engine.token_byte_values()))}


@pytest.fixture(scope="module")
def openai_encodings():
    """tiktoken's own two encodings, with quicktok's vocabulary in place of the download.

    tiktoken names the SHA-256 of the files it downloads. Written in the same format, quicktok's
    vocabularies have exactly these: every token and every rank is the published one.
    """
    import tiktoken
    from tiktoken_ext import openai_public

    def build(name):
        vocab = quicktok_vocabulary(name)

        def from_quicktok(url, expected_hash):
            lines = (base64.b64encode(piece) + b" %d\n" % rank for piece, rank in vocab.items())
            assert hashlib.sha256(b"".join(lines)).hexdigest() == expected_hash, url
            return vocab

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(openai_public, "load_tiktoken_bpe", from_quicktok)
            return tiktoken.Encoding(**getattr(openai_public, name)())

    return {name: build(name) for name in ("o200k_base", "cl100k_base")}


PUBLISHED_PATTERNS = {  # from the models' own tokenizer.json
    "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
}


@pytest.fixture(scope="module")
def independent(openai_encodings):
    """tiktoken's implementation of all four vocabularies."""
    import tiktoken

    encodings = dict(openai_encodings)
    for name, pattern in PUBLISHED_PATTERNS.items():
        vocab = quicktok_vocabulary(name)
        encodings[name] = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=vocab, special_tokens={})
    return encodings


def as_the_model_reads(name: str, text: str) -> str:
    return unicodedata.normalize("NFC", text) if name == "qwen3" else text


@pytest.mark.parametrize("name", FROM_PACKAGE)
def test_ids_equal_tiktoken_in_every_script(independent, name):
    for text in TEXTS.values():
        expected = independent[name].encode_ordinary(as_the_model_reads(name, text))
        assert load_tokenizer(name).encode(text) == expected, text[:80]


assigned_text = st.text(
    alphabet=st.characters(exclude_categories=["Cs", "Cn"], max_codepoint=0x2FFFF), max_size=60
)
"""Characters of Python 3.11's Unicode 14 only: newer ones are letters to one library, unassigned to another."""


@given(assigned_text)
@settings(max_examples=100, deadline=None)
def test_ids_equal_tiktoken_for_anything(independent, text):
    for name in FROM_PACKAGE:
        expected = independent[name].encode_ordinary(as_the_model_reads(name, text))
        assert load_tokenizer(name).encode(text) == expected, name


@given(any_text)
@settings(max_examples=100, deadline=None)
@example("<|endoftext|><|begin_of_text|>")
def test_published_round_trip_for_anything(text):
    for name in ("o200k_base", "cl100k_base", "llama3"):
        tokenizer = load_tokenizer(name)
        assert tokenizer.decode(tokenizer.encode(text)) == text, name
        assert as_bytes(tokenizer.tokens(text)) == text.encode(), name
        assert len(tokenizer.tokens(text)) == len(tokenizer.encode(text))


@given(assigned_text)
@settings(max_examples=100, deadline=None)
@example("cafe\u0301 \u212b \u1100\u1161\u11a8")
def test_qwen_round_trip_is_to_the_composed_form(text):
    qwen = load_tokenizer("qwen3")
    composed = unicodedata.normalize("NFC", text)
    assert qwen.decode(qwen.encode(text)) == composed
    assert as_bytes(qwen.tokens(text)) == composed.encode()


def test_only_qwen_composes():
    text = "e\u0301"
    assert load_tokenizer("qwen3").decode(load_tokenizer("qwen3").encode(text)) == "é" != text
    assert load_tokenizer("llama3").decode(load_tokenizer("llama3").encode(text)) == text


def test_special_tokens_of_the_packaged_four():
    o200k, llama, qwen = (load_tokenizer(name) for name in ("o200k_base", "llama3", "qwen3"))
    assert len(o200k.encode("<|endoftext|>")) > 3  # typed by a person: text
    assert o200k.encode("<|endoftext|>", special=True) == [199999]
    assert o200k.token_bytes(199999) == b"<|endoftext|>"
    assert o200k.encode("Hello", special=True) == o200k.encode("Hello") == [13225]
    assert llama.encode("Hello", special=True) == [128000, *llama.encode("Hello")]
    assert llama.tokens("Hello", special=True) == ["<|begin_of_text|>", "Hello"]
    assert qwen.encode("<|im_end|>", special=True) == [151645]
    assert qwen.encode("Hello", special=True) == qwen.encode("Hello")


@pytest.mark.parametrize("name", TOKENIZERS)
def test_unknown_id_of_a_published_tokenizer(name):
    tokenizer = load(name)
    wrong = [-1, tokenizer.vocab_size, 10**30]
    wrong += [200_000] if name == "o200k_base" else []  # left unused between two special tokens
    for id_ in wrong:
        for call in (lambda id_=id_: tokenizer.decode([5, id_]), lambda id_=id_: tokenizer.token_bytes(id_)):
            with pytest.raises(
                ValueError, match=rf"in the vocabulary of {name}, 0 to \d+, got {id_}; decode with"
            ):
                call()


def test_decoding_part_of_a_character_shows_that_it_is_part():
    o200k = load_tokenizer("o200k_base")
    ids = o200k.encode("🦊")
    assert len(ids) == 3
    assert o200k.decode(ids[:1]) == "\ufffd"
    assert all(isinstance(piece, bytes) for piece in o200k.tokens("🦊"))


# ---- SmolLM2 ----


def smollm2_text(text: str) -> str:
    """The text without the characters that SmolLM2 has no byte for."""
    return re.sub("[\x04\x06\x13\x14\x16\x1d\U00040000-\U000bffff]", "", text)


def smollm2_by_hand(tokens: list[str], merges: list[str], text: str) -> list[str]:
    """SmolLM2's pieces, by GPT-2's published regular expression, digits apart, and our own BPE."""
    import regex

    number = {token: id_ for id_, token in enumerate(tokens)}
    rank = {tuple(pair.split(" ")): i for i, pair in enumerate(merges)}
    sign = {byte: sign for sign, byte in byte_alphabet().items()}
    pattern = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
    ids = []
    for part in regex.split(r"(\p{N})", text):
        for word in pattern.findall(part):
            pieces = [sign[byte] for byte in word.encode()]
            while pairs := [pair for pair in pairwise(pieces) if pair in rank]:
                best = min(pairs, key=rank.__getitem__)
                at = list(pairwise(pieces)).index(best)
                pieces[at : at + 2] = ["".join(best)]
            ids += [number[piece] for piece in pieces]
    return ids


@pytest.fixture(scope="module")
def smollm2_lists():
    load("smollm2")
    model = json.loads((pretrained.ensure("smollm2") / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    return sorted(model["vocab"], key=model["vocab"].__getitem__), [
        " ".join(pair) for pair in model["merges"]
    ]


def test_smollm2_equals_bpe_by_hand(smollm2_lists):
    smollm2 = load("smollm2")
    for label, text in TEXTS.items():
        if label not in ("special", "one word", "long"):
            assert smollm2.encode(smollm2_text(text)) == smollm2_by_hand(
                *smollm2_lists, smollm2_text(text)
            ), label
    assert smollm2.encode(TEXTS["long"][:500]) == smollm2_by_hand(*smollm2_lists, TEXTS["long"][:500])


def test_smollm2_special_tokens_are_found_without_their_types(smollm2_lists):
    tokens, merges = smollm2_lists
    types = [3] * 17 + [1] * (len(tokens) - 17)
    chat = "<|im_start|>user\nWhat is 12+30?<|im_end|>\n"
    for engine in (smollm2_tokenizer(tokens, merges), smollm2_tokenizer(tokens, merges, types)):
        assert sorted(engine.get_added_tokens_decoder()) == list(range(17))
        assert engine.encode(chat).ids == load("smollm2").encode(chat)


def test_smollm2_chat():
    smollm2 = load("smollm2")
    tokens = smollm2.tokens("<|im_start|>user\n12<|im_end|>")
    assert tokens == ["<|im_start|>", "user", "\n", "1", "2", "<|im_end|>"]
    assert smollm2.encode("<|im_start|>") == [1]
    assert smollm2.decode(smollm2.encode("<|im_start|>hi")) == "<|im_start|>hi"


@given(any_text)
@settings(max_examples=100, deadline=None)
def test_smollm2_round_trip_for_anything_it_has_bytes_for(text):
    smollm2, text = load("smollm2"), smollm2_text(text)
    assert smollm2.decode(smollm2.encode(text)) == text
    assert as_bytes(smollm2.tokens(text)) == text.encode()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_smollm2_round_trip_in_every_script(text):
    smollm2 = load("smollm2")
    assert smollm2.decode(smollm2.encode(text)) == text
    assert as_bytes(smollm2.tokens(text)) == text.encode()


@pytest.mark.parametrize("sign", ["\x04", "\x06", "\x13", "\x14", "\x16", "\x1d", "\U00040000", "\U000bffff"])
def test_smollm2_says_what_it_has_no_byte_for(sign):
    smollm2 = load("smollm2")
    message = rf"without the 21 bytes it has no token for, got U\+{ord(sign):04X} at position 3; take that"
    for call in (smollm2.encode, smollm2.tokens):
        with pytest.raises(ValueError, match=message):
            call("abé" + sign + "c")


def test_smollm2_built_from_two_short_lists():
    tokens = ["<|end|>", *sorted(byte_alphabet()), "hi", "Ġhi", "12", "Ġ1"]
    engine = smollm2_tokenizer(tokens, ["h i", "Ġ hi", "1 2", "Ġ 1"])  # digits stay apart all the same
    built = tokenization._byte_level("smollm2", engine)
    assert built.tokens("hi hi 12<|end|>") == ["hi", " hi", " ", "1", "2", "<|end|>"]
    assert built.encode("<|end|>") == [0]
    assert built.decode(built.encode("hi 🦊\x14")) == "hi 🦊\x14"


def test_smollm2_lists_of_two_files():
    with pytest.raises(
        ValueError, match="merges must make tokens of the vocabulary, got 'hi'; take tokens and"
    ):
        smollm2_tokenizer(["h", "i"], ["h i"])


def test_byte_alphabet_is_the_librarys():
    from tokenizers import pre_tokenizers

    alphabet = byte_alphabet()
    assert set(alphabet) == set(pre_tokenizers.ByteLevel.alphabet())
    assert sorted(alphabet.values()) == list(range(256))
    for text in ("a b\nc", "é🦊", "\x00\x7f\xad"):
        written = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)[0][
            0
        ]
        assert bytes(alphabet[sign] for sign in written) == text.encode()


# ---- MiniLM ----


def wordpiece_by_hand(word: str, vocab: set[str]) -> list[str]:
    """Longest piece first, from left to right: Devlin et al.'s tokenization.py, without the comments."""
    pieces, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start and ("##" if start else "") + word[start:end] not in vocab:
            end -= 1
        if end == start:
            return ["[UNK]"]
        pieces.append(("##" if start else "") + word[start:end])
        start = end
    return pieces


def test_minilm_equals_wordpiece_by_hand():
    minilm = load("minilm")
    vocab = {minilm.token_bytes(id_).decode() for id_ in range(minilm.vocab_size)}
    words = [
        "unaffable",
        "tokenization",
        "playing",
        "goyal",
        "twinkle",
        "eid",
        "fitr",
        "smollm",
        "zzzzqx",
        "नमस्ते",
        "🦊",
        "embeddings",
        "a",
    ]
    for word in words:
        assert minilm.tokens(word) == wordpiece_by_hand(unaccented(word), vocab), word
    assert minilm.tokens(" ".join(words)) == [p for word in words for p in minilm.tokens(word)]


def unaccented(word: str) -> str:
    """BERT drops every combining mark, Hindi's among them."""
    return "".join(c for c in unicodedata.normalize("NFD", word) if unicodedata.category(c) != "Mn")


def test_minilm_pieces():
    minilm = load("minilm")
    assert minilm.tokens("tokenization") == ["token", "##ization"]
    assert minilm.tokens("🦊 fox") == ["[UNK]", "fox"]
    assert minilm.encode("🦊") == [100]
    assert minilm.tokens("x" * 101) == ["[UNK]"]
    assert minilm.encode("hello world", special=True) == [101, 7592, 2088, 102]
    assert minilm.tokens("hello", special=True) == ["[CLS]", "hello", "[SEP]"]
    assert minilm.token_bytes(minilm.encode("tokenization")[1]) == b"##ization"


def test_minilm_is_no_round_trip():
    minilm = load("minilm")
    assert minilm.decode(minilm.encode("Héllo,   WORLD!\x00")) == "hello, world!"
    assert minilm.decode(minilm.encode("🦊 fox")) == "[UNK] fox"
    assert minilm.decode(minilm.encode("hello", special=True)) == "[CLS] hello [SEP]"


def test_minilm_neither_pads_nor_cuts():
    assert load("minilm").encode("a " * 1_000) == [1037] * 1_000
    assert load("minilm").encode("") == []


@given(any_text)
@settings(max_examples=50, deadline=None)
def test_minilm_takes_anything(text):
    minilm = load("minilm")
    assert len(minilm.encode(text)) == len(minilm.tokens(text))
    assert isinstance(minilm.decode(minilm.encode(text)), str)


# ---------------------------------------------------------------------------------------------
# What can go wrong with loading
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("o200k", "did you mean 'o200k_base'"),
        ("LLAMA3", "did you mean 'llama3'"),
        ("smolm2", "did you mean 'smollm2'"),
        ("", "take one of these"),
        ("bloom-176b", "take one of these"),
    ],
)
def test_unknown_name(name, advice):
    with pytest.raises(ValueError, match=rf"must be one of o200k_base, .*minilm, got '{name}'; {advice}"):
        load_tokenizer(name)


@pytest.mark.parametrize("name", ["smollm2", "minilm"])
def test_model_that_was_not_fetched(name, monkeypatch, tmp_path):
    monkeypatch.setenv("UNDER_THE_HOOD_CACHE", str(tmp_path))
    with pytest.raises(pretrained.ModelMissing, match=f"{name}.*python -m helpers.pretrained"):
        load_tokenizer(name)


def test_damaged_and_foreign_files(tmp_path):
    damaged, foreign = tmp_path / "damaged.json", tmp_path / "foreign.json"
    damaged.write_text('{"version": "1.0", "mod')
    smollm2_tokenizer(["h", "i", "hi"], ["h i"]).save(str(foreign))
    with pytest.raises(
        ValueError,
        match=r"must be minilm's tokenizer, got a damaged file .*; run python -m helpers.pretrained --again",
    ):
        tokenization._from_file("minilm", damaged)
    with pytest.raises(
        ValueError,
        match=r"must be smollm2's tokenizer with 49152 ids, got 3; run python -m helpers.pretrained --again",
    ):
        tokenization._from_file("smollm2", foreign)


def test_tiktoken_stands_in_where_quicktok_is_missing(monkeypatch, openai_encodings):
    import tiktoken

    monkeypatch.setitem(sys.modules, "quicktok", None)  # importing it now fails
    monkeypatch.setattr(tiktoken, "get_encoding", openai_encodings.__getitem__)  # instead of a download
    stand_in = tokenization._from_package.__wrapped__("o200k_base")
    assert stand_in.encode(TWINKLE) == load_tokenizer("o200k_base").encode(TWINKLE)
    assert stand_in.encode("<|endoftext|>", special=True) == [199999]
    assert stand_in.tokens("Hi 🦊") == load_tokenizer("o200k_base").tokens("Hi 🦊")
    assert stand_in.vocab_size == 200_019
    with pytest.raises(ValueError, match="got 200000; decode with"):
        stand_in.decode([200_000])


def test_no_package_and_no_network(monkeypatch):
    import tiktoken

    def no_network(name):
        raise OSError("no route to host")

    monkeypatch.setitem(sys.modules, "quicktok", None)
    monkeypatch.setattr(tiktoken, "get_encoding", no_network)
    with pytest.raises(
        ImportError, match=r"o200k_base comes with .*pip install quicktok-v1 \(its stand-in .* no route"
    ):
        tokenization._published_bpe("o200k_base")
    with pytest.raises(
        ImportError, match=r"llama3 comes with the package quicktok-v1, .*pip install quicktok-v1$"
    ):
        tokenization._published_bpe("llama3")


def test_without_the_type_checks_of_pytest():
    """As a learner has it: the import is light, and a wrong type gets our sentence, not a stack of frames."""
    code = """
import sys
import helpers.tokenization as t
heavy = {"torch", "tokenizers", "quicktok", "tiktoken", "numpy", "transformers"} & set(sys.modules)
assert not heavy, heavy

def message(call, *arguments):
    try:
        call(*arguments)
    except ValueError as error:
        return str(error)
    raise SystemExit(f"{call} took {arguments}")

ours = t.BPETokenizer()
for call in (ours.encode, ours.tokens, t.load_tokenizer("cl100k_base").encode):
    assert message(call, b"hi").startswith("text must be a str, got bytes; turn bytes into text"), call
    assert message(call, None).startswith("text must be a str, got NoneType;")
assert "text must be a str, got list;" in message(ours.train, ["a"], 300)
assert "whole number, 256 or more" in message(ours.train, "abc", 300.5)
assert "got 97.0; decode" in message(ours.decode, [97.0])
assert "got 'a'; decode" in message(t.load_tokenizer("cl100k_base").decode, ["a"])
assert "got None; take one of these" in message(t.load_tokenizer, None)

import numpy as np
assert ours.decode(np.array([104, 105])) == t.load_tokenizer("cl100k_base").decode(np.array([71, 72])) == "hi"
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_tokenizers_or_a_line_that_says_what_to_run(monkeypatch, tmp_path, capsys):
    assert list(tokenization.load_tokenizers()) == list(tokenization.TOKENIZERS)
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("UNDER_THE_HOOD_CACHE", str(tmp_path))
    assert list(tokenization.load_tokenizers()) == ["o200k_base", "cl100k_base", "llama3", "qwen3"]
    assert capsys.readouterr().out.startswith(
        "Not here yet: smollm2 and minilm. To fetch them, run: python -m"
    )
