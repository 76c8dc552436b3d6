"""The logit-lens explorer: what the browser computes is what Python computes, what may come in, and what stays behind."""

import itertools
import json
import re

import numpy as np
import pytest
from bundles import left_behind
from js.run import run

from helpers import plots
from helpers.explorers import lens as module
from helpers.explorers.attention import quoted
from helpers.explorers.base import HERE
from helpers.explorers.lens import LogitLens, cell, placed, plot_lens, read, says, stage
from helpers.lens import Lens, LensReader, first_layer

TEXT = "the cat sat on"
PIECES = [
    " a",
    "the",
    b"\xe0\xa4",
    "\n",
    '"it\'s"',
    "a\\b",
    "<b>&",
    "आप",
    "x" * 50,
    " Paris",
    " the",
    ".",
    ",",
]


def lens_of(n_layers=4, n_tokens=3, top=5, seed=0, vocab_size=13, tokens=None, goes_on=True):
    """A lens with random numbers that fit each other: odds of 13 tokens."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n_layers, n_tokens, vocab_size)) * 3
    logits[-2:, :1] = logits[-1:, :1]  # somewhere the last word comes early
    odds = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    best = np.argsort(-odds, axis=-1)[..., :top]
    following = rng.integers(0, vocab_size, n_tokens)
    if not goes_on:
        following[-1] = -1

    def found(ids):
        own = odds[:, np.arange(n_tokens), ids]
        return own, 1 + (odds > own[..., None]).sum(-1)

    final, final_rank = found(best[-1, :, 0])
    after, after_rank = found(np.maximum(following, 0))
    ids = rng.integers(0, vocab_size, n_tokens)
    return Lens(
        ids, tokens or [PIECES[i % len(PIECES)] for i in ids], n_tokens, vocab_size, dict(enumerate(PIECES)), best,
        np.take_along_axis(odds, best, -1).astype(np.float32), -(odds * np.log(odds)).sum(-1).astype(np.float32),
        (odds[-1] * np.log(odds[-1] / odds)).sum(-1).astype(np.float32).clip(0), final_rank, final.astype(np.float32),
        following, np.where(following < 0, 0, after_rank), np.where(following < 0, np.nan, after).astype(np.float32),
    )  # fmt: skip


def reader_of(n_layers=4, seed=0, calls=None, **settings):
    """A reader whose tokens are words; `calls` notes the texts it was given."""

    def reader(text):
        if calls is not None:
            calls.append(text)
        words = text.split()
        if "blorf" in words:
            raise ValueError("every word must be one of Tinytown's 162, got 'blorf'; see the list")
        return lens_of(n_layers, len(words), seed=seed, tokens=words, goes_on=False, **settings)

    return reader


def explorer_of(text=TEXT, **settings):
    return LogitLens({"big": reader_of(6), "small": reader_of(3, 1)}, text, **settings)


def plain(value):
    """Bytes as lists, for JSON."""
    if isinstance(value, bytes):
        return {"bytes": list(value)}
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def packed(lens, text="a text", model="m", note=""):
    return plain(module._packed(lens, note, text, model))


# Bytes reach the browser as DataViews.
UNPACK = """
const view = (one) => (one?.bytes ? new DataView(Uint8Array.from(one.bytes).buffer) : Array.isArray(one) ? one.map(view) : one);
const unpack = (reading) => m.unpack(Object.fromEntries(Object.entries(reading).map(([name, one]) => [name, view(one)])));
"""
SHAPES = [(4, 3, 5), (2, 7, 10), (31, 1, 1), (3, 2, 2)]  # layers, tokens, kept


def shown(lens):
    """A lens as an explorer shows it."""
    return read(lambda text: lens, "a text")[0]


# ---- The browser agrees with Python -------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_numbers_arrive_as_they_were_sent(shape):
    lens = shown(lens_of(*shape, seed=sum(shape)))
    got = run("lens", UNPACK + "return unpack(given)", packed(lens, note="cut"))
    assert (got["layers"], got["seq"], got["most"], got["vocab"]) == (*shape, 13)
    assert (got["text"], got["model"], got["note"]) == ("a text", "m", "cut")
    pieces = [bytes(one) if isinstance(one, list) else one for one in got["pieces"]]
    assert [pieces[i] for i in got["best"]] == [lens.pieces[i] for i in lens.top_ids.ravel().tolist()]
    assert [bytes(one) if isinstance(one, list) else one for one in got["tokens"]] == lens.tokens
    for own, name in (("top", "top"), ("entropy", "entropy"), ("kl", "kl"), ("final", "final")):
        np.testing.assert_allclose(got[own], getattr(lens, name).ravel(), rtol=0, atol=0)
    assert got["finalRank"] == lens.final_rank.ravel().tolist()
    assert got["nextRank"] == lens.next_rank.ravel().tolist()
    following = [float(one) for one in got["next"]]  # NaN travels as a text
    np.testing.assert_allclose(following, lens.next.ravel(), rtol=0, atol=0)
    assert [pieces[i] for i in got["nextIds"]] == [lens.pieces[i] for i in lens.next_ids.tolist()]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("view", module.VIEWS)
def test_cells_are_those_of_python(shape, view):
    lens = shown(lens_of(*shape, seed=1 + sum(shape)))
    lens.entropy[0, 0] = 9  # more than there can be: no cell is darker than dark
    got = run(
        "lens",
        UNPACK
        + """const [reading, kind] = given, lens = unpack(reading);
        return Array.from({ length: lens.layers * lens.seq }, (_, i) => m.cell(lens, kind, Math.floor(i / lens.seq), i % lens.seq));""",
        [packed(lens), view],
    )
    expected = [cell(lens, view, *place) for place in np.ndindex(shape[:2])]
    assert [one["text"] for one in got] == [one.text for one in expected]
    np.testing.assert_allclose([one["share"] for one in got], [one.share for one in expected], atol=1e-9)
    assert all(0 <= one.share <= 1 for one in expected)


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_sentence_is_that_of_python(shape, goes_on):
    lens = shown(lens_of(*shape, seed=2 + sum(shape), goes_on=goes_on))
    text = "one\ntwo 'three' " + "x" * 40
    got = run(
        "lens",
        UNPACK
        + """const lens = unpack(given);
        const places = Array.from({ length: lens.layers * lens.seq }, (_, i) => [Math.floor(i / lens.seq), i % lens.seq]);
        return [places.map((place) => m.describe(lens, ...place)), Array.from({ length: lens.seq }, (_, token) => m.firstLayer(lens, token))];""",
        packed(lens, text, "my model"),
    )
    expected = [says(lens, *place) for place in np.ndindex(shape[:2])]
    head = f"Logit lens of \"one two 'three' {'x' * 23}…\" in my model: "
    assert got[0] == [head + one for one in expected]
    assert got[1] == [first_layer(lens, position) for position in range(shape[1])]


def test_the_explorers_sentence_is_that_of_the_browser():
    for settings in ({}, {"layer": 0, "token": 1}, {"layer": 3}, {"model": "small", "token": 0}):
        explorer = explorer_of(**settings)
        got = run(
            "lens",
            UNPACK
            + "const [reading, layer, token] = given; return m.describe(unpack(reading), layer, token)",
            [plain(explorer.reading), *explorer._now()],
        )
        assert got == explorer.alt


def test_stages_have_the_same_names():
    pairs = [(0, 1), (1, 1), (1, 2), (2, 2), (0, 30), (29, 30), (30, 30)]
    got = run("lens", "return given.map((pair) => m.stage(...pair))", pairs)
    assert got == [stage(*pair) for pair in pairs]
    assert got[:3] == ["before the first block", "after the last block, 1 of 1", "after block 1 of 2"]


def test_places_are_told_in_the_same_way():
    ranks = [1, 99, 100, 101, 104, 105, 394, 395, 996, 1000, 1049, 1050, 41_192, 49_152]
    got = run("lens", "return given.map(m.placed)", ranks)
    assert got == [placed(rank) for rank in ranks]
    assert got[3:] == [
        f"about {told}"
        for told in (
            "100",
            "100",
            "110",
            "390",
            "400",
            "1,000",
            "1,000",
            "1,000",
            "1,100",
            "41,000",
            "49,000",
        )
    ]


def sheet():
    return (HERE / "lens.css").read_text(encoding="utf-8")


def test_colours_are_those_of_the_pictures():
    parts = [
        re.findall(r"--uth-weights-\d: (#[0-9a-f]{6});", part)
        for part in sheet().split("[data-jp-theme-light")[:2]
    ]
    got = np.array(run("lens", "return m.palette(given)", parts[0]))
    assert np.abs(got - plots.WEIGHTS(np.arange(256) / 255)[:, :3] * 255).max() <= 1.01
    light, dark = ([plots.luminance(one) for one in part] for part in parts)
    assert light == sorted(light, reverse=True)
    assert dark == sorted(dark)


# ---- Cells and sentences -------------------------------------------------------------------------------------------


def small():
    """Two blocks, two tokens; odds written by hand."""
    ids = np.array([[[0, 1], [0, 1]], [[1, 0], [2, 0]], [[1, 2], [0, 2]]])
    top = np.array(
        [[[1.0, 0.0], [0.6, 0.3]], [[0.5, 0.25], [0.7, 0.1]], [[0.75, 0.2], [0.9, 0.004]]], dtype=np.float32
    )
    final_rank = np.array([[2000, 1], [1, 2], [1, 1]])
    final = np.array([[0.0001, 0.6], [0.5, 0.1], [0.75, 0.9]], dtype=np.float32)
    following = np.array([[0.25, np.nan]] * 3, dtype=np.float32)
    return Lens(
        np.array([2, 2]), [" is", " is"], 2, 2000, {0: " Paris", 1: ".", 2: " is"}, ids, top, np.array([[0.0, 1], [2, 3], [4, 9]]),
        np.array([[5.0, 0], [1, 1], [0, 0]]), final_rank, final, np.array([1, -1]), np.array([[3, 0], [1, 0], [1, 0]]), following,
    )  # fmt: skip


def test_what_is_told_of_a_cell():
    assert [says(small(), *place) for place in ((0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1))] == [
        "Before the first block, at '␣is' (0), the model would say '␣Paris' with 100 %, then '.' with 0 %. In the end it says '.' with 75 %: here in place about 2,000, with under 0.1 %. The text goes on with '.': here in place 3, with 25 %.",
        "After block 1 of 2, at '␣is' (0), the model would say '.' with 50 %, then '␣Paris' with 25 %. In the end it says '.' with 75 %. The text goes on with '.': here in place 1, with 25 %.",
        "After the last block, 2 of 2, at '␣is' (0), the model says '.' with 75 %, then '␣is' with 20 %. '.' is in front from block 1 on. The text goes on with '.': here in place 1, with 25 %.",
        "Before the first block, at '␣is' (1), the model would say '␣Paris' with 60 %, then '.' with 30 %. In the end it says '␣Paris' with 90 %.",
        "After block 1 of 2, at '␣is' (1), the model would say '␣is' with 70 %, then '␣Paris' with 10 %. In the end it says '␣Paris' with 90 %: here in place 2, with 10 %.",
        "After the last block, 2 of 2, at '␣is' (1), the model says '␣Paris' with 90 %, then '␣is' with 0.4 %. '␣Paris' is in front from block 2 on.",
    ]


def test_an_answer_that_was_there_from_the_start():
    lens = small()
    lens.top_ids[:, 1] = lens.top_ids[-1, 1]
    assert says(lens, 2, 1).endswith("'␣Paris' is in front from before the first block on.")


def test_cells_are_dark_where_it_is_sure_or_near_or_open():
    lens = small()
    assert cell(lens, "tokens", 1, 1) == ("␣is", pytest.approx(0.7))
    assert [cell(lens, "rank", *place).text for place in ((0, 0), (1, 1), (2, 0))] == ["2,000", "2", "1"]
    shares = [cell(lens, "rank", *place).share for place in ((0, 0), (1, 1), (2, 0))]
    assert shares == pytest.approx([0, 1 - np.log(2) / np.log(2000), 1])
    assert [cell(lens, "entropy", *place) for place in ((0, 0), (1, 1), (2, 1))] == [
        ("0.00", 0), ("3.00", pytest.approx(3 / np.log(2000))), ("9.00", 1),
    ]  # fmt: skip


# ---- Texts and readers ---------------------------------------------------------------------------------------------


def test_tokens_beyond_the_24th_are_left_out():
    text = " ".join(f"w{i}" for i in range(30))
    lens, note = read(reader_of(), text)
    assert lens.tokens == text.split()[:24]
    whole = reader_of()(text)
    for name in ("top_ids", "top", "entropy", "kl", "final_rank", "final", "next_rank", "next"):
        np.testing.assert_allclose(getattr(lens, name), getattr(whole, name)[:, :24], atol=1e-6)
    assert lens.next_ids.tolist() == whole.next_ids[:24].tolist()
    assert lens.ids.tolist() == whole.ids[:24].tolist()
    assert note == (
        "A text can have up to 24 tokens here; of this one only the beginning is shown, 24 tokens. Make it shorter to see all of it."
    )
    assert read(reader_of(), " ".join("w" * 24))[1] == ""


def test_a_reader_that_left_tokens_out_says_so_itself():
    lens, note = read(lambda text: lens_of()._replace(n_tokens=4), "a text")
    assert "the beginning is shown, 3 tokens" in note
    assert lens.top.shape == (4, 3, 5)


def test_ten_tokens_of_a_cell_are_kept():
    lens, _ = read(lambda text: lens_of(top=12), "a text")
    assert lens.top.shape == lens.top_ids.shape == (4, 3, 10)


def test_no_reader_gets_more_than_400_bytes():
    calls = []
    _, note = read(reader_of(calls=calls), "आप " * 100)
    assert len(calls[0].encode("utf-8")) <= 400
    assert "only the beginning is shown" in note
    assert "only the beginning is shown" in read(reader_of(), "आ" * 300)[1]  # few tokens, and not all of them
    calls.clear()
    assert read(reader_of(calls=calls), "ab " * 4)[1] == ""
    assert calls == ["ab " * 4]


def test_the_last_bits_do_not_decide_what_is_told():
    lens = lens_of()
    lens.top[0, 0, :2] = 1 - 6e-8, 0
    lens.final[1, 1] = 0
    lens.entropy[0, 0] = -0.0
    lens.next[0, 0] = 1.0000002
    got, _ = read(lambda text: lens, "a text")
    assert got.top[0, 0, 0] == 1
    assert 0 < got.top[0, 0, 1] < 1e-20
    assert 0 < got.final[1, 1] < 1e-20
    assert cell(got, "entropy", 0, 0).text == "0.00"
    assert got.next[0, 0] == 1
    np.testing.assert_allclose(got.top[1:], lens.top[1:])
    assert lens.top[0, 0, 1] == 0  # what the reader gave is its own


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "the text must have a word or more, got ''; type one"), (" \n", "the text must have a word or more"),
     (None, "the text must have a word or more, got None"), ("x" * 401, "The text can be up to 400 characters long, got 401; make it shorter."),
     ("a\ud800", "The text must be whole characters, got half of one, U\\+D800; take it out.")],
)  # fmt: skip
def test_texts_that_no_reader_gets(text, why):
    calls = []
    with pytest.raises(ValueError, match=why):
        read(reader_of(calls=calls), text)
    assert calls == []


GOOD = lens_of()


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (("a", 1), "a reader must return a Lens, got tuple; helpers.lens.read_lens gives one"),
        (None, "a reader must return a Lens, got NoneType"),
        (GOOD._replace(tokens=["a"]), r"top_ids of a lens must have a number for each layer and each of its 1 tokens, got the shape \(4, 3, 5\)"),
        (GOOD._replace(top=GOOD.top[:, :, 0]), r"top of a lens must have a number for each layer and each of its 3 tokens, got the shape \(4, 3\)"),
        (GOOD._replace(top=GOOD.top[:2]), r"top_ids of a lens must .* got the shape \(4, 3, 5\)"),
        (GOOD._replace(entropy=GOOD.entropy[:3]), r"entropy of a lens must .* got the shape \(3, 3\)"),
        (GOOD._replace(kl=GOOD.kl[..., None]), r"kl of a lens must .* got the shape \(4, 3, 1\)"),
        (GOOD._replace(next_rank=GOOD.next_rank[:, :2]), r"next_rank of a lens must .* got the shape \(4, 2\)"),
        (lens_of(4, 0, tokens=None), r"must have a number for each layer and each of its 0 tokens"),
        (GOOD._replace(top=np.full_like(GOOD.top, 1.1)), "top of a lens must be probabilities from 0 to 1, got 1.1.* to 1.1.*; take them after"),
        (GOOD._replace(final=-GOOD.final), "final of a lens must be probabilities from 0 to 1"),
        (GOOD._replace(top=np.full_like(GOOD.top, np.nan)), "top of a lens must be probabilities"),
        (GOOD._replace(entropy=np.full_like(GOOD.entropy, np.nan)), "entropy of a lens must be 0 or more and finite, got nan to nan; read a trained model"),
        (GOOD._replace(kl=np.full_like(GOOD.kl, np.inf)), "kl of a lens must be 0 or more and finite, got inf to inf"),
    ],
)  # fmt: skip
def test_readers_that_return_something_else_are_told_so(result, why):
    with pytest.raises(ValueError, match=why):
        read(lambda text: result, "a text")


# ---- The explorer --------------------------------------------------------------------------------------------------


def test_it_says_what_it_shows_and_leaves_a_picture():
    explorer = explorer_of(layer=2, token=1)
    lens = explorer._shown
    piece, share = lens.pieces[int(lens.top_ids[2, 1, 0])], float(lens.top[2, 1, 0])
    assert explorer.alt.startswith(
        f"Logit lens of 'the cat sat on' in big: After block 2 of 5, at 'cat', the model would say {quoted([piece], 0)} "
        f"with {plots.percent(share)}, then "
    )
    data, _ = explorer._repr_mimebundle_()
    assert left_behind(data) == explorer.alt
    assert data["text/plain"] == repr(explorer) == f"<LogitLens: {explorer.alt}>"
    assert "width:1000px" in data["text/html"]


@pytest.mark.parametrize(
    "settings", [{"view": "rank", "layer": 0}, {"view": "entropy", "token": 0}, {"model": "small"}, {"text": "one"}, {"text": "w " * 24}]
)  # fmt: skip
def test_every_state_leaves_a_picture(settings):
    assert explorer_of(**settings).picture().startswith(b"\x89PNG")


def test_letters_that_matplotlib_lacks_and_formulas_leave_a_picture(recwarn):
    LogitLens({"$x_2": reader_of()}, "你好 $x_2 <b>&$ 🙂 " + "x" * 60).picture()
    assert [str(one.message) for one in recwarn if "Glyph" in str(one.message)] == []


@pytest.mark.parametrize("view", module.VIEWS)
def test_the_picture_has_layers_upwards_and_tokens_across(view):
    lens = shown(lens_of(6, 4))
    ax = plot_lens(lens, view, 4, 1, ax=plots.new_axes())
    expected = [[cell(lens, view, row, column).share for column in range(4)] for row in range(6)]
    np.testing.assert_allclose(np.ma.getdata(ax.images[0].get_array()), expected[::-1])
    assert [one.get_text() for one in ax.get_yticklabels()] == ["5", "4", "3", "2", "1", "0"]
    assert [one.get_text() for one in ax.get_xticklabels()] == [module._label(one, 12) for one in lens.tokens]
    (frame,) = ax.patches
    assert (*frame.get_xy(), frame.get_width(), frame.get_height()) == (0.5, 0.5, 1, 1)
    written = {(one.get_position()): one.get_text() for one in ax.texts}
    texts = {(column, 5 - row): cell(lens, view, row, column).text for row, column in np.ndindex(6, 4)}
    assert written
    assert all(texts[place].startswith(told.rstrip("…")) for place, told in written.items())
    assert len(written) == sum(
        module.drawable(one) for one in (one if len(one) <= 21 else one[:20] for one in texts.values())
    )


def test_narrow_cells_of_the_picture_have_no_letters():
    lens = shown(lens_of(3, 20))
    assert not plot_lens(lens, "tokens", 0, 0, ax=plots.new_axes()).texts
    assert plot_lens(shown(lens_of(3, 14)), "rank", 0, 0, ax=plots.new_axes()).texts


def test_the_sentence_follows_what_the_browser_moves():
    explorer = explorer_of()
    explorer.set_state({"layer": 2, "token": 1})
    assert explorer.alt == explorer_of(layer=2, token=1).alt
    explorer.set_state({"layer": None, "token": 0})
    assert explorer.alt == explorer_of(token=0).alt
    assert "After the last block, 5 of 5, at 'the', the model says" in explorer.alt


def test_a_new_text_is_read_once_and_then_known():
    calls = []
    explorer = LogitLens({"big": reader_of(calls=calls), "small": reader_of(2, calls=calls)}, "one two")
    assert explorer.ask(text="three four five", model="big") == {"number": 1}
    assert explorer.reading["tokens"] == ["three", "four", "five"]
    assert (explorer.text, explorer.problem) == ("three four five", "")
    explorer.ask(text="one two", model="big")
    explorer.ask(text="one two", model="small")
    assert calls == ["one two", "three four five", "one two"]
    assert explorer.reading["shape"] == [2, 2, 5]
    assert explorer.model == "small"
    for i in range(6):
        explorer.ask(text=f"text {i}", model="big")
    assert len(explorer._known) == module.KEPT


def test_what_a_reader_refuses_is_said_and_the_old_reading_stays():
    explorer = explorer_of()
    before, alt = explorer.reading, explorer.alt
    for text, why in [("the blorf", "got 'blorf'; see the list"), ("", "must have a word or more"), ("y" * 500, "up to 400 characters")]:  # fmt: skip
        explorer.ask(text=text, model="big")
        assert why in explorer.problem
        assert (explorer.reading, explorer.alt, explorer.text) == (before, alt, TEXT)
    explorer.ask(text="the cat", model="BART")
    assert explorer.problem == "model must be one of big, small, got 'BART'"
    assert explorer.picture().startswith(b"\x89PNG")
    explorer.ask(text="the cat", model="small")
    assert explorer.problem == ""


def test_a_text_that_is_cut_keeps_its_note():
    explorer = explorer_of("w " * 30)
    assert "only the beginning is shown, 24 tokens" in explorer.reading["note"]
    assert explorer.text == "w " * 30
    assert len(explorer.reading["tokens"]) == 24


def test_the_last_layer_stays_the_last_and_others_are_brought_inside():
    explorer = explorer_of()
    explorer.ask(text="one two three", model="small")
    assert "After the last block, 2 of 2, at 'three'" in explorer.alt
    explorer = explorer_of(layer=4, token=3)
    explorer.ask(text="one two three", model="small")
    assert "After the last block, 2 of 2, at 'three'" in explorer.alt
    explorer.set_state({"layer": -1, "token": -1})
    assert "Before the first block, at 'one'" in explorer.alt


def test_the_text_can_be_set_from_python():
    explorer = explorer_of()
    explorer.text = "a b c"
    assert explorer.reading["tokens"] == ["a", "b", "c"]
    explorer.model = "small"
    assert (explorer.reading["model"], explorer.reading["text"]) == ("small", "a b c")
    explorer.text = "blorf"
    assert "blorf" in explorer.problem


def test_what_was_chosen_is_in_the_saved_state():
    explorer = explorer_of(view="rank", powers=True)
    explorer.set_state({"layer": 1, "token": 3, "view": "entropy"})
    state = explorer.get_state()
    names = ("layer", "token", "view", "powers", "names", "text", "model")
    assert json.loads(json.dumps([state[name] for name in names])) == [
        1,
        3,
        "entropy",
        True,
        ["big", "small"],
        TEXT,
        "big",
    ]
    sizes = {name: len(value) for name, value in state["reading"].items() if isinstance(value, bytes)}
    assert sizes == {
        "top_ids": 2 * 120,
        "top": 4 * 120,
        **dict.fromkeys(("entropy", "kl", "final", "next", "final_rank", "next_rank"), 4 * 24),
    }


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"model": "T5"}, "model must be one of big, small, got 'T5'"),
        ({"layer": 6}, "layer must be a whole number from 0 to 5, got 6; 0 is before the first block"),
        ({"layer": -1}, "layer must be a whole number from 0 to 5, got -1"),
        ({"layer": 3, "model": "small"}, "layer must be a whole number from 0 to 2, got 3"),
        ({"token": 4}, "token must be a whole number from 0 to 3, got 4"),
        ({"view": "matrix"}, "view must be tokens, rank or entropy, got 'matrix'"),
        ({"text": "the blorf"}, "got 'blorf'"),
        ({"text": ""}, "must have a word or more"),
    ],
)
def test_what_is_not_there_is_refused(settings, why):
    with pytest.raises(ValueError, match=why):
        explorer_of(**settings)
    assert explorer_of(token=3, layer=5).token == 3


def test_readers_that_are_none_are_refused():
    with pytest.raises(ValueError, match=r"readers must give each model a name, got \{\}"):
        LogitLens({}, "a text")


def test_tinytown_as_it_was_trained():
    from helpers import pretrained

    explorer = LogitLens({"Tinytown GPT": LensReader(*pretrained.load_tinytown())}, "once there was")
    assert explorer.alt == (
        "Logit lens of 'once there was' in Tinytown GPT: After the last block, 2 of 2, at 'was', the model says 'a' with over 99 %, "
        "then 'the' with under 0.1 %. 'a' is in front from block 2 on."
    )
    explorer.ask(text="once there was a banana-phone", model="Tinytown GPT")
    assert "every word must be one of Tinytown's" in explorer.problem


def test_what_the_browser_sets_is_not_sent_back():
    traits = LogitLens.class_traits()
    for name in (*LogitLens.shown, "view", "powers"):
        assert traits[name].metadata["echo_update"] is False


def test_it_is_one_script_that_asks_for_nothing():
    text, css = str(LogitLens._esm), str(LogitLens._css)
    body = "const url = 'data:text/javascript;base64,' + Buffer.from(given).toString('base64'); return Object.keys((await import(url)).default)"
    assert run(None, body, text) == ["initialize", "render"]
    assert set(re.findall(r"https?://[^\s\"'`]+", text + css)) <= {"http://www.w3.org/2000/svg"}
    assert "innerHTML" not in text
    assert min(float(size) for size in re.findall(r"font-size: ([\d.]+)px", css)) >= 11
    assert len(list(itertools.chain.from_iterable(re.findall(r"data-answers\": \"(\w+)\"", text)))) > 0
