"""The merge explorer and the token explorer: what the browser computes is what Python computes."""

import logging
import unicodedata

import pytest
from bundles import left_behind
from hypothesis import example, given, settings
from hypothesis import strategies as st
from js.run import run

from helpers import plots, tokenization
from helpers.explorers import Merges, Tokens
from helpers.explorers.merges import drawable, last_merge, lengths
from helpers.tinytown import stories
from helpers.tokenization import BPETokenizer, pretokenize, replay

TEXTS = [
    "",
    "a",
    " ",
    "  two  spaces ",
    "I have 12 cats, really!",
    "don't re-do <b>this</b> & 'that' `x` {y} [z] ~^|\\ $5.00",
    "tab\tnew\nline\r\nnext\x0b\x0cpage",
    "controls \x00 \x01 \x1c \x1d \x1e \x1f \x7f \x85 \x9f end",
    "no-break\u00a0space, \u2003em\u2003space, \u3000wide\u3000, \ufeffmark, \u200bzero \u200dwidth \u2028 lines \u2029",
    "आप कैसे हैं? क्षत्रिय १२३",
    "你好吗 東京 ひらがな カタカナ 한국어 ６７",
    "كيف حالك؟ ١٢٣ שלום",
    "Как дела? Ελλάδα Հայ ქართ",
    "สวัสดี ជំរាបសួរ မင်္ဂလာပါ",
    "👋🏽 👩‍👩‍👧‍👦 🇮🇳 🦊🦊🦊 ❤️",
    "café cafe\u0301 ﬁ ½ Ⅷ ² ①",
    "<script>alert('x')</script><img src=x onerror=alert(1)>",
    "def f(x):\n    return x ** 2  # done",
    "x" * 300,
    "\U0001f98a" * 40,
]
KNOWN = st.characters(
    exclude_categories=("Cs", "Cn", "Co")
)  # unassigned signs change from one Unicode to the next


@pytest.fixture(scope="module")
def tokenizer():
    corpus = " ".join(" ".join(words) for words in stories("train", 60))
    return BPETokenizer().train(corpus + "".join(TEXTS[9:15]) * 3, vocab_size=256 + 150)


@pytest.fixture(scope="module")
def table(tokenizer):
    return list(Merges(tokenizer, "").merges)


READ = "const history = m.readMerges(Uint8Array.from(given.table)); "


# ---- Merges: the browser agrees with Python ----------------------------------------------------------------------


def test_words_are_cut_as_in_python():
    assert run("merges", "return given.map(m.pretokenize)", TEXTS) == [pretokenize(text) for text in TEXTS]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.text(KNOWN, max_size=30), min_size=1, max_size=60))
@example([chr(code) + "x " + chr(code) for code in range(0x3100) if unicodedata.category(chr(code)) != "Cn"])
def test_words_of_any_text_are_cut_as_in_python(texts):
    got = run(
        "merges", "return given.map((t) => [m.pretokenize(t), m.countWords(t), shared.quoted(t)])", texts
    )
    wanted = []
    for text in texts:
        line = " ".join((text[:39] + "…" if len(text) > 40 else text).splitlines())
        wanted.append([pretokenize(text), len(text.split()), repr(line)])
    assert got == wanted


@pytest.mark.parametrize("step", [0, 1, 17, 150])
def test_pieces_after_some_merges_are_those_of_python(tokenizer, table, step):
    got = run(
        "merges", READ + "return given.texts.map((t) => m.replay(t, history, given.step))",
        {"table": table, "texts": TEXTS, "step": step},
    )  # fmt: skip
    for text, pieces in zip(TEXTS, got, strict=True):
        wanted = replay(text, tokenizer.merges, step)
        assert [bytes(piece) if isinstance(piece, list) else piece for piece in pieces] == wanted, text


@settings(max_examples=8, deadline=None)
@given(
    texts=st.lists(st.text(KNOWN, max_size=20) | st.text("the fox.", max_size=40), min_size=1, max_size=30)
)
def test_length_after_every_merge_is_that_of_python(tokenizer, table, texts):
    got = run(
        "merges",
        READ + "return given.texts.map((t) => m.lengths(t, history))",
        {"table": table, "texts": texts},
    )
    for text, counts in zip(texts, got, strict=True):
        few = [0, 1, 2, 30, 149, 150]
        assert [counts[step] for step in few] == [len(replay(text, tokenizer.merges, step)) for step in few]


def test_length_after_every_single_merge(tokenizer, table):
    text = "once there was a red fox by the river, 你好"
    got = run("merges", READ + "return m.lengths(given.text, history)", {"table": table, "text": text})
    assert got == lengths(text, tokenizer.merges)


def test_the_sentence_is_that_of_python(tokenizer, table):
    wanted, told = [], []
    for text in TEXTS:
        for step in (0, 1, 40, 150):
            explorer = Merges(tokenizer, text, step=step)
            wanted.append(explorer.alt)
            told.append([text, step])
    body = READ + "return given.told.map(([t, s]) => m.describe(t, history, s, m.lengths(t, history)[s]))"
    assert run("merges", body, {"table": table, "told": told}) == wanted


def test_ten_thousand_characters_are_quick(tokenizer, table):
    body = (
        READ
        + "const start = performance.now(); const n = m.lengths(given.text, history).at(-1); return [n, performance.now() - start]"
    )
    for text in ("the red fox " * 833, "x" * 10_000, "你" * 10_000, "thefox" * 1666):
        n, milliseconds = run("merges", body, {"table": table, "text": text})
        assert n == len(replay(text, tokenizer.merges, 150))
        assert milliseconds < 1000  # generous: the machine may be busy


# ---- Merges: Python's side ---------------------------------------------------------------------------------------


def test_merges_leave_a_picture_and_a_line(tokenizer):
    explorer = Merges(tokenizer, "the fox", step=20)
    data, _ = explorer._repr_mimebundle_()
    assert data["text/plain"] == repr(explorer) == f"<Merges: {explorer.alt}>"
    assert "\n" not in repr(Merges(tokenizer, "two\nlines\u2028here"))
    assert left_behind(data) == explorer.alt


def test_moving_the_slider_in_the_browser_changes_the_sentence(tokenizer):
    explorer = Merges(tokenizer, "the fox")
    explorer.set_state({"step": 3})
    assert explorer.alt.startswith("After 3 of 150 merges (vocabulary 259), 'the fox' is ")


@pytest.mark.parametrize("text", [text for text in TEXTS if text])
def test_every_text_has_a_picture_without_a_warning(tokenizer, text, recwarn):
    assert Merges(tokenizer, text, step=10).picture().startswith(b"\x89PNG")
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]


def test_what_is_no_tokenizer_or_step_is_refused(tokenizer):
    with pytest.raises(ValueError, match="must be trained, got one with 0 merges"):
        Merges(BPETokenizer(), "x")
    with pytest.raises(ValueError, match="step must be 0 to 150"):
        Merges(tokenizer, "x", step=151)
    with pytest.raises(ValueError, match="up to 10,000 characters long, got 10,001"):
        Merges(tokenizer, "x" * 10_001)
    with pytest.raises(ValueError, match="half of one"):
        Merges(tokenizer, "\ud800")


def test_a_bad_text_is_said_and_kept(tokenizer):
    explorer = Merges(tokenizer, "fox")
    explorer.text = "x" * 10_001
    assert explorer.problem == "The text can be up to 10,000 characters long, got 10,001; make it shorter."
    assert explorer.alt.startswith("After 0 of 150 merges (vocabulary 256), 'fox' is 3 tokens")
    assert len(explorer.text) == 10_001
    explorer.text = "hen"
    assert explorer.problem == ""


def test_the_last_merge_shows_parts_of_characters_as_bytes(tokenizer):
    shown = [last_merge(tokenizer.merges, step) for step in range(1, 151)]
    assert any(whole.startswith("⟨E0 A4") for _, _, whole in shown)
    assert last_merge(tokenizer.merges, 0) is None


def test_drawable_letters():
    assert drawable("Grüße, Москва ␣⏎⟨E0 A4⟩")
    assert drawable("आप कैसे हैं")
    assert not drawable("你")


# ---- Tokens ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real():
    return tokenization.load_tokenizers()


@pytest.fixture(scope="module")
def few(real):
    return {name: real[name] for name in ("o200k_base", "qwen3")}


def unpacked(explorer):
    """What the browser reads out of the explorer's answer: of each tokenizer its ids and pieces."""
    parts = [
        {key: list(value) if isinstance(value, bytes) else value for key, value in part.items()}
        for part in explorer.answer["tokenizers"]
    ]
    body = """return given.map((part) => {
      for (const key of ["ids", "ends", "bytes"]) if (part[key]) part[key] = Uint8Array.from(part[key]);
      const { ids, token, problem } = m.unpack(part);
      return problem ?? Array.from(ids, (id, i) => [id, shared.asText(token(i).bytes)]);
    });"""
    return run("tokens", body, parts)


@pytest.mark.parametrize("text", [text for text in TEXTS if "\x14" not in text])
def test_the_browser_reads_every_id_and_piece(real, text):
    explorer = Tokens(real, text)
    for tokenizer, part in zip(real.values(), unpacked(explorer), strict=True):
        if isinstance(part, str):  # what SmolLM2 can't write it says
            with pytest.raises(ValueError, match="must do without"):
                tokenizer.encode(text)
            assert "must do without" in part
            continue
        assert [id_ for id_, _ in part] == tokenizer.encode(text)
        pieces = [bytes(piece) if isinstance(piece, list) else piece for _, piece in part]
        assert pieces == tokenizer.tokens(text)


def test_the_sentence_of_tokens_is_that_of_python(real):
    explorers = [Tokens(real, text) for text in [*TEXTS, "a\x14b"]]
    titles = [name["title"] for name in explorers[0].names]
    given_ = [[explorer.text, titles, explorer._lengths] for explorer in explorers]
    got = run("tokens", "return given.map((one) => m.describe(...one))", given_)
    assert got == [explorer.alt for explorer in explorers]


def test_the_sentence_from_the_users_document(real):
    explorer = Tokens(real, "Hello, World! I am Twinkle Goyal")
    ids = [13225, 11, 5922, 0, 357, 939, 7077, 47817, 499, 11616]
    assert [id_ for id_, _ in unpacked(explorer)[0]] == ids
    assert "(32 characters) is 10 tokens in GPT-4o" in repr(explorer)


def test_a_question_is_answered_and_the_line_follows(few):
    explorer = Tokens(few, "a")
    explorer.set_state({"question": {"number": 7, "text": "how are you"}})
    assert explorer.answer["number"] == 7
    assert explorer.text == explorer.answer["text"] == "how are you"
    assert explorer.alt == "'how are you' (11 characters) is 3 tokens in GPT-4o, 3 in Qwen 3."
    explorer.text = "from Python"
    assert explorer.alt.startswith("'from Python' (11 characters)")
    assert explorer.answer["number"] == 8


def test_a_text_that_is_too_long_is_said_and_the_answer_before_it_stays(few):
    explorer = Tokens(few, "a")
    explorer.ask(text="x" * 10_001)
    assert explorer.problem == "The text can be up to 10,000 characters long, got 10,001; make it shorter."
    assert explorer.answer == {"number": 2}
    assert explorer.alt.startswith("'a' (1 character) is 1 token in")
    explorer.ask(text="b")
    assert explorer.problem == ""


def test_one_tokenizer_that_can_not_write_a_text_does_not_stop_the_others(real):
    explorer = Tokens(real, "a\x14b")
    assert explorer.alt.endswith("; SmolLM2 can't write it.")
    assert explorer.picture().startswith(b"\x89PNG")


def test_what_tokens_refuses(few):
    with pytest.raises(ValueError, match="at least one, got none"):
        Tokens({}, "x")
    with pytest.raises(ValueError, match="half of one"):
        Tokens(few, "\udc00")


def test_examples_travel_with_the_explorer_and_cost_what_they_cost(few):
    explorer = Tokens(few, "x")
    for sample in explorer.examples:
        for tokenizer, part in zip(few.values(), sample["answer"]["tokenizers"], strict=True):
            assert len(part["ids"]) // 4 == len(tokenizer.encode(sample["text"]))
    assert {sample["language"] for sample in explorer.examples} >= {
        "English",
        "Hindi",
        "Chinese",
        "emoji",
        "code",
    }


def test_a_picture_of_any_text_has_no_missing_letters(few, recwarn):
    for text in ("आप कैसे हैं", "你好吗", "", "👋🏽"):
        assert Tokens(few, text).picture().startswith(b"\x89PNG")
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]


def test_what_is_said_about_a_token():
    body = """
      const bytes = new TextEncoder().encode("न x"), where = m.ground("न x", bytes);
      const token = (start, end) => ({ id: 9, start, end, bytes: bytes.subarray(start, end) });
      const word = (text) => ({ id: 5, start: 0, end: text.length, bytes: new TextEncoder().encode(text) });
      const bpe = { title: "GPT", kind: "bytes" }, piece = { title: "BERT", kind: "wordpiece" };
      return [m.explain(token(0, 2), 0, 3, bpe, where), m.explain(token(3, 5), 2, 3, bpe, where), m.explain(word("##ing"), 1, 2, piece, null), m.explain(word("[UNK]"), 1, 2, piece, null)];
    """
    cut, plain, inside, unknown = run("tokens", body)
    assert "id 9" in cut
    assert "A cut through न" in cut
    assert "character 0" in cut
    assert "characters 1 to 2" in plain
    assert "goes on inside a word" in inside
    assert "unknown" in unknown


def test_places_in_a_text_that_was_composed_first():
    body = "const n = 'cafe\\u0301'; const w = m.ground(n, new TextEncoder().encode(n.normalize('NFC'))); return [w.signs.length, w.form, m.ground('A', new TextEncoder().encode('a'))]"
    signs, form, nothing = run("tokens", body)
    assert (signs, nothing) == (4, None)
    assert "composed" in form


def test_shown_pieces_are_written_as_plots_writes_them():
    pieces = [text for text in TEXTS if text]
    assert run(None, "return given.map(m.visible)", pieces) == [plots.visible(piece) for piece in pieces]
    assert run(None, "return m.visible(Uint8Array.of(224, 164))") == plots.visible(b"\xe0\xa4")


def test_an_error_in_a_tokenizer_is_never_swallowed(caplog):
    def encode(text, special):
        if text == "boom":
            raise RuntimeError("no such merge")
        return [1]

    broken = tokenization.ByteLevelTokenizer("broken", 3, encode, lambda id_: b"a")
    explorer = Tokens({"broken": broken}, "a")
    with caplog.at_level(logging.ERROR):
        explorer.ask(text="boom")
    assert explorer.problem == "RuntimeError: no such merge"
    assert "no such merge" in caplog.text
