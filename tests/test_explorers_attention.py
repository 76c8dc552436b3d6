"""The attention explorer: what the browser computes is what Python computes, what may come in, and what stays behind."""

import base64
import itertools
import json
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import torch
import traitlets
from bundles import left_behind
from js.run import run
from matplotlib.ft2font import FT2Font

from helpers import plots
from helpers.explorers import attention
from helpers.explorers.attention import (
    Attention,
    Reading,
    beginning,
    chosen,
    entropy,
    followed,
    habits,
    looks,
    place,
    quoted,
    ranked,
    read,
    without_first,
)
from helpers.explorers.base import HERE, style
from helpers.explorers.tokens import Tokens

SENTENCE = "the cat sat on the mat"
TOKENS = ["the", " cat", "sat", b"\xe0\xa4", "the", "'s", '"it\'s"', "a\\b", "\n", "<b>&", "आप", "x" * 50]
# layers, heads, queries, keys, whether queries are the keys, whether they look back only
SHAPES = [(2, 3, 5, 5, True, True), (3, 2, 7, 7, True, False), (2, 5, 3, 8, False, False), (1, 1, 1, 1, True, True),
          (5, 7, 12, 12, True, True), (1, 4, 9, 2, False, False)]  # fmt: skip


def weights_of(n_layers, n_heads, n_queries, n_keys, causal=False, seed=0, sharp=2.0):
    """Random weights; rows sum to 1."""
    scores = torch.tensor(
        np.random.default_rng(seed).normal(size=(n_layers, n_heads, n_queries, n_keys)) * sharp
    )
    if causal:
        scores = scores.masked_fill(torch.ones(n_queries, n_keys).triu(1).bool(), -torch.inf)
    return scores.softmax(dim=-1).numpy()


def reader_of(n_layers=2, n_heads=3, causal=True, seed=0, calls=None):
    """A reader whose tokens are words; `calls` notes the texts it was given."""

    def reader(text):
        if calls is not None:
            calls.append(text)
        words = text.split()
        if "blorf" in words:
            raise ValueError("every word must be one of Tinytown's 137, got 'blorf'; see the list")
        return words, weights_of(n_layers, n_heads, len(words), len(words), causal, seed)

    return reader


def crossed(text):
    words = text.split()
    return ["आप", "कैसे", "हैं"], words, weights_of(2, 5, 3, len(words), seed=4)


SIDES = ("Hindi word written", "English word read")


def reading_of(n_layers, n_heads, n_queries, n_keys, own, causal, seed=0):
    weights = weights_of(n_layers, n_heads, n_queries, n_keys, causal, seed).astype("<f2").astype(np.float32)
    keys = TOKENS[:n_keys]
    return Reading(TOKENS[:n_queries], keys, weights, own, causal, sides=attention.SIDES if own else SIDES)


def packed(reading, text="a text", model="m"):
    """What the browser gets, as JSON: bytes as lists."""

    def plain(value):
        if isinstance(value, bytes):
            return {"bytes": list(value)}
        return [plain(one) for one in value] if isinstance(value, list) else value

    return {name: plain(value) for name, value in attention._packed(reading, text, model).items()}


# Bytes reach the browser as DataViews.
UNPACK = """
const view = (one) => (one?.bytes ? new DataView(Uint8Array.from(one.bytes).buffer) : Array.isArray(one) ? one.map(view) : one);
const unpack = (reading) => m.unpack(Object.fromEntries(Object.entries(reading).map(([name, one]) => [name, view(one)])));
"""

PLACES = [(None, None), (0, None), (None, 0), (0, 0)]


# ---- The browser agrees with Python -------------------------------------------------------------------------------


def test_weights_arrive_as_they_were_sent():
    bits = np.arange(0x3C01, dtype="<u2")  # all numbers of half precision from 0 to 1
    reading = {"text": "t", "model": "m", "queries": ["a"], "keys": ["b"], "shape": [1, 1, 1, 1], "own": False,
               "causal": False, "note": "", "weights": {"bytes": list(bits.tobytes())}}  # fmt: skip
    got = run("attention", UNPACK + "return unpack(given).weights", reading)
    np.testing.assert_allclose(got, bits.view("<f2").astype(np.float64), rtol=0, atol=0)


def test_tokens_arrive_as_texts_and_bytes():
    reading = reading_of(1, 1, 12, 12, True, False)
    got = run("attention", UNPACK + "const r = unpack(given); return [r.queries, r.layers, r.heads, r.own, r.causal]", packed(reading))  # fmt: skip
    assert [bytes(token) if isinstance(token, list) else token for token in got[0]] == TOKENS
    assert got[1:] == [1, 1, True, False]


@pytest.mark.parametrize("shape", SHAPES)
def test_patterns_rows_and_habits_are_those_of_python(shape):
    reading = reading_of(*shape, seed=sum(shape))
    n_layers, n_heads, n_queries, n_keys, own, _ = shape
    places = [*PLACES, (n_layers - 1, n_heads - 1), (n_layers - 1, None), (None, n_heads - 1)]
    got = run(
        "attention",
        UNPACK
        + """const [reading, places] = given, r = unpack(reading), across = r.keys.length;
        return places.map(([layer, head]) => {
          const whole = m.chosen(r, layer, head), rest = m.withoutFirst(whole, across);
          const rows = [0, r.queries.length - 1].map((q) => m.followed(whole, across, q));
          return { whole, rest, rows, columns: [0, across - 1].map((k) => m.followed(whole, across, k, true)),
            ranked: rows.map((one) => m.ranked(one)), entropy: rows.map(m.entropy),
            habits: [whole, rest].map((one) => Object.values(m.habits(one, across, r.own))) };
        });""",
        [packed(reading), places],
    )
    for (layer, head), one in zip(places, got, strict=True):
        whole = chosen(reading.weights, layer, head)
        rest = without_first(whole)
        np.testing.assert_allclose(np.reshape(one["whole"], whole.shape), whole, rtol=0, atol=1e-12)
        np.testing.assert_allclose(np.reshape(one["rest"], rest.shape), rest, rtol=0, atol=1e-12)
        rows = [followed(whole, q) for q in (0, n_queries - 1)]
        np.testing.assert_allclose(one["rows"], rows, atol=1e-12)
        np.testing.assert_allclose(
            one["columns"], [followed(whole, k, back=True) for k in (0, n_keys - 1)], atol=1e-12
        )
        assert one["ranked"] == [ranked(row) for row in rows]
        np.testing.assert_allclose(one["entropy"], [entropy(row) for row in rows], atol=1e-12)
        for told, pattern in zip(one["habits"], (whole, rest), strict=True):
            numbers = [float(value) for value in told]  # NaN travels as a text
            np.testing.assert_allclose(numbers, habits(pattern, own), atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_sentence_is_that_of_python(shape):
    reading = reading_of(*shape, seed=1 + sum(shape))
    n_layers, n_heads, n_queries, n_keys, *_ = shape
    states = [
        (layer, head, token, back, first_out)
        for (layer, head), back, first_out in itertools.product(
            [*PLACES, (n_layers - 1, n_heads - 1)], (False, True), (False, True)
        )
        for token in range(n_keys if back else n_queries)
    ]
    text = "one\ntwo 'three' " + "x" * 40
    got = run(
        "attention",
        UNPACK
        + """const [reading, states] = given, r = unpack(reading);
        return states.map(([layer, head, token, back, firstOut]) => m.describe(r, layer, head, token, { back, firstOut }));""",
        [packed(reading, text, "my model"), states],
    )
    for (layer, head, token, back, first_out), told in zip(states, got, strict=True):
        own = looks(reading, layer, head, token, back=back, first_out=first_out)
        where = place(n_layers, n_heads, layer, head)
        between = "" if shape[4] else ", from Hindi word written to English word read"
        assert told == f"Attention of \"one two 'three' {'x' * 23}…\" in my model, {where}{between}: {own}"


def test_the_explorers_sentence_is_that_of_the_browser():
    for settings in (
        {},
        {"average_heads": True, "token": 1},
        {"without_first": True, "back": True, "layer": 1},
    ):
        explorer = Attention({"words": reader_of()}, SENTENCE, **settings)
        layer, head, token = explorer._now()
        got = run(
            "attention",
            UNPACK
            + "const [r, layer, head, token, rest] = given; return m.describe(unpack(r), layer, head, token, rest)",
            [packed(explorer._shown, SENTENCE, "words"), layer, head, token,
             {"back": explorer.back, "firstOut": explorer.without_first}],
        )  # fmt: skip
        assert got == explorer.alt


def test_a_reading_saved_before_sides_had_names_is_still_read():
    old = packed(reading_of(1, 1, 2, 2, True, True))
    del old["sides"]
    assert run("attention", UNPACK + "return unpack(given).sides", old) == ["query", "key"]


@pytest.mark.parametrize(
    ("n_queries", "n_keys", "size"), [(4, 4, 12), (5, 5, 11), (48, 48, 20), (7, 3, 9), (3, 30, 13)]
)
@pytest.mark.parametrize("causal", [True, False])
def test_small_heads_show_the_largest_weight_under_each_pixel(n_queries, n_keys, size, causal):
    causal = causal and n_queries == n_keys
    weights = weights_of(2, 3, n_queries, n_keys, causal).astype(np.float32)
    got = run(
        "attention",
        """const [weights, layers, heads, down, across, causal, size] = given;
        const reading = { weights: Float32Array.from(weights), layers, heads, queries: Array(down), keys: Array(across), causal };
        const colours = Uint32Array.from({ length: 256 }, (_, i) => i);
        return m.overview(reading, { size, gap: 2, colours, hidden: 1000, blank: 2000 });""",
        [weights.ravel().tolist(), 2, 3, n_queries, n_keys, causal, size],
    )
    assert (got["width"], got["height"]) == (3 * (size + 2), 2 * (size + 2))
    table = np.reshape(got["pixels"], (2, size + 2, 3, size + 2)).transpose(0, 2, 1, 3)
    assert (table[:, :, size:] == 2000).all()
    assert (table[..., size:] == 2000).all()
    for (y, x), (layer, head) in itertools.product(np.ndindex(size, size), np.ndindex(2, 3)):
        (q0, q1), (k0, k1) = (
            (p * n // size, max(p * n // size + 1, -(-(p + 1) * n // size) if n > size else 0))
            for p, n in ((y, n_queries), (x, n_keys))
        )
        if causal and k0 >= q1:
            assert table[layer, head, y, x] == 1000
        else:
            assert abs(table[layer, head, y, x] - 255 * weights[layer, head, q0:q1, k0:k1].max()) < 0.51


def sheet():
    return (HERE / "attention.css").read_text(encoding="utf-8")


def test_colours_are_those_of_the_pictures():
    stops = re.findall(r"--uth-weights-\d: (#[0-9a-f]{6});", sheet().split("[data-jp-theme-light")[0])
    assert len(stops) == 4
    got = np.array(run("attention", "return m.palette(given)", stops))
    assert np.abs(got - plots.WEIGHTS(np.arange(256) / 255)[:, :3] * 255).max() <= 1.01


def test_more_weight_is_always_darker_in_the_light_theme_and_brighter_in_the_dark_one():
    light, dark = (
        [plots.luminance(one) for one in re.findall(r"--uth-weights-\d: (#[0-9a-f]{6});", part)]
        for part in sheet().split("[data-jp-theme-light")[:2]
    )
    assert light == sorted(light, reverse=True)
    assert dark == sorted(dark)
    assert light[0] - light[-1] > 0.8
    assert dark[-1] - dark[0] > 0.7


# ---- Pictures that are saved --------------------------------------------------------------------------------------

THEME = """
const theme = { ink: "ink", faint: "faint", focus: "focus", line: "line", hidden: "hidden", chip: "chip", paper: "#fff", family: 'a "b"', mono: "mono",
  css: Array.from({ length: 256 }, (_, i) => `c${i}`), on: Array.from({ length: 256 }, (_, i) => (i > 128 ? "white" : "black")) };
const labels = (r) => ({ queries: r.queries.map(m.label), keys: r.keys.map(m.label), sides: r.sides });
const [reading, settings] = given, r = unpack(reading);
const pattern = settings.firstOut ? m.withoutFirst(m.chosen(r, 0, 0), r.keys.length) : m.chosen(r, 0, 0);
const arcs = settings.view === "arcs", where = (arcs ? m.arcsSize : m.heatmapSize)(labels(r), settings);
const pen = m.svgPen(where.width, where.height, theme, "a <b> & c");
(arcs ? m.drawArcs : m.drawHeatmap)(pen, { ...labels(r), pattern, causal: r.causal, theme, at: null, lit: { token: 0, back: false }, ...settings }, where);
return [pen.done(), where];
"""
SVG = "{http://www.w3.org/2000/svg}"


def drawn(reading, **settings):
    """The SVG's elements, and where everything stands."""
    text, where = run(
        "attention", UNPACK + THEME, [packed(reading), {"room": 700, "numbers": False, **settings}]
    )
    return ElementTree.fromstring(text), where


def texts(picture, size=None):
    return [one.text for one in picture.iter(f"{SVG}text") if size in (None, one.get("font-size"))]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_saved_heatmap_has_a_cell_for_each_weight_and_all_names(shape):
    reading = reading_of(*shape)
    picture, where = drawn(reading)
    _, _, n_queries, n_keys, _, causal = shape
    pattern = chosen(reading.weights, 0, 0)
    cells = [one.get("fill") for one in picture.iter(f"{SVG}rect") if one.get("fill") not in ("none", "#fff")]
    expected = [
        "hidden" if causal and k > q else f"c{min(255, np.floor(255 * pattern[q, k] + 0.5)):.0f}"
        for q, k in np.ndindex(n_queries, n_keys)
    ]
    assert cells == expected
    names = [plots.visible(token) for token in reading.queries + reading.keys]
    shown = [name if len(name) <= 14 else name[:13] + "…" for name in names]
    titles = ["key →", "query ↓"] if reading.own else ["English word read →", "Hindi word written ↓"]
    assert texts(picture) == [*titles, *shown]
    assert where["left"] >= (0 if reading.own else 20 * 7 + 8)  # the title's 20 letters fit
    assert picture.find(f"{SVG}title").text == "a <b> & c"
    assert where["left"] + where["cell"] * n_keys <= float(picture.get("width"))
    assert min(float(one.get("font-size")) for one in picture.iter(f"{SVG}text")) >= 11
    lit = [one for one in picture.iter(f"{SVG}rect") if one.get("stroke") == "focus"]
    assert len(lit) == 1
    assert (
        float(lit[0].get("height"))
        < where["cell"] + 3
        <= float(lit[0].get("width")) + (2 if n_keys == 1 else 0)
    )


def test_values_stand_in_the_cells_that_are_not_hidden():
    reading = reading_of(2, 3, 5, 5, True, True)
    picture, where = drawn(reading, numbers=True)
    pattern = chosen(reading.weights, 0, 0)
    values = [f"{100 * pattern[q, k]:.0f}" for q, k in np.ndindex(5, 5) if k <= q]
    assert texts(picture, "11")[2:] == values
    assert where["cell"] >= 28
    colours = {one.get("fill") for one in picture.iter(f"{SVG}text") if one.text == "100"}
    assert colours == {"white"}
    picture, _ = drawn(reading, numbers=True, firstOut=True)
    rest = without_first(pattern)
    assert texts(picture, "11")[2:] == [f"{100 * rest[q, k]:.0f}" for q, k in np.ndindex(5, 5) if 0 < k <= q]


def test_a_column_is_lit_when_it_is_asked_who_looks():
    picture, where = drawn(reading_of(1, 1, 9, 5, False, False), lit={"token": 3, "back": True}, at=2)
    lit = next(one for one in picture.iter(f"{SVG}rect") if one.get("stroke") == "focus")
    assert float(lit.get("x")) == pytest.approx(where["left"] + 3 * where["cell"], abs=2)
    assert float(lit.get("height")) == pytest.approx(9 * where["cell"], abs=4)
    cell = next(one for one in picture.iter(f"{SVG}rect") if one.get("stroke") == "ink")
    assert float(cell.get("x")) == pytest.approx(where["left"] + 3 * where["cell"])
    assert float(cell.get("y")) == pytest.approx(where["top"] + 2 * where["cell"])


def test_arcs_go_from_each_query_to_the_keys_it_looks_at():
    reading = reading_of(1, 4, 9, 2, False, False)
    for back, token in ((False, 4), (True, 1)):
        picture, where = drawn(reading, view="arcs", lit={"token": token, "back": back})
        pattern = chosen(reading.weights, 0, 0)
        curves = list(picture.iter(f"{SVG}path"))
        assert len(curves) == (pattern >= 0.004).sum()
        lit = [one for one in curves if one.get("stroke") == "focus"]
        line = followed(pattern, token, back)
        thick = [1 + 6 * p for p in line if p >= 0.004]
        np.testing.assert_allclose([float(one.get("stroke-width")) for one in lit], thick, atol=0.006)
        ends = [tuple(map(float, re.match(r"M\S+ (\S+)C.* (\S+)$", one.get("d")).groups())) for one in lit]
        middle = [where["top"] + (i + 0.5) * where["step"] for i in range(9)]
        others = [i for i, p in enumerate(line) if p >= 0.004]
        expected = [(middle[i], middle[token]) if back else (middle[token], middle[i]) for i in others]
        np.testing.assert_allclose(ends, expected)
        assert texts(picture)[:2] == list(SIDES)
        who, whom = [float(one.get("x")) for one in picture.iter(f"{SVG}text")][:2]
        assert 18 * 7 <= who < whom <= where["width"] - 17 * 7
        told = [plots.percent(line[i]) for i in range(len(line)) if i in ranked(line)]
        assert [one for one in texts(picture) if one.endswith("%")] == told


def test_a_picture_that_leaves_the_page_can_bring_its_font():
    text = run(
        "attention",
        """const theme = { paper: "#fff", family: "f", mono: "m" };
        return ["", '@font-face { font-family: "a & <b>"; }'].map((font) => m.svgPen(9, 9, theme, "t", font).done());""",
    )
    plain, with_font = (ElementTree.fromstring(one) for one in text)
    assert plain.find(f"{SVG}style") is None
    assert with_font.find(f"{SVG}style").text == '@font-face { font-family: "a & <b>"; }'


def test_cells_use_the_room_and_stay_large_enough():
    sizes = list(itertools.product([220, 330, 700, 1600], [1, 6, 20, 48]))
    got = run(
        "attention",
        """return given.map(([room, n]) => {
          const labels = { queries: Array(n).fill("token"), keys: Array(n).fill("token") };
          return [m.heatmapSize(labels, { room }), m.heatmapSize(labels, { room, numbers: true }), m.arcsSize(labels, { room })];
        });""",
        sizes,
    )
    for (room, n), (plain, numbered, arcs) in zip(sizes, got, strict=True):
        assert 15 <= plain["cell"] <= 60
        assert numbered["cell"] >= 28
        assert plain["cell"] == 15 or plain["width"] <= room
        assert plain["cell"] == 60 or plain["width"] + n > room
        assert plain["height"] == plain["top"] + n * plain["cell"] + 3
        assert arcs["width"] - arcs["left"] - arcs["right"] >= 90
        assert arcs["height"] > arcs["top"] + n * arcs["step"]


# ---- The functions -------------------------------------------------------------------------------------------------


def test_means_are_means_and_rows_sum_to_one():
    weights = weights_of(3, 5, 7, 7, causal=True)
    for layer, head, expected in [
        (None, None, weights.mean((0, 1))), (2, None, weights[2].mean(0)), (None, 4, weights[:, 4].mean(0)), (1, 3, weights[1, 3]),
    ]:  # fmt: skip
        got = chosen(weights, layer, head)
        np.testing.assert_allclose(got, expected, atol=1e-12)
        np.testing.assert_allclose(got.sum(axis=1), 1, atol=1e-9)
        rest = without_first(got)
        assert (rest[:, 0] == 0).all()
        assert (rest[0] == 0).all()  # the first query has nothing else
        np.testing.assert_allclose(rest[1:].sum(axis=1), 1, atol=1e-9)
        np.testing.assert_allclose(rest[1:, 1:] * (1 - got[1:, :1]), got[1:, 1:], atol=1e-9)


def test_a_row_with_next_to_nothing_left_is_empty():
    some = np.array([[1 - 2e-4, 1e-4, 1e-4], [1 - 8e-5, 4e-5, 4e-5]])
    np.testing.assert_allclose(without_first(some), [[0, 0.5, 0.5], [0, 0, 0]], atol=1e-9)


def test_entropy_is_that_of_torch():
    row = weights_of(1, 1, 1, 11)[0, 0, 0]
    assert entropy(row) == pytest.approx(
        float(torch.distributions.Categorical(torch.tensor(row)).entropy()), abs=1e-6
    )
    assert entropy(np.full(8, 1 / 8)) == pytest.approx(np.log(8))
    assert str(entropy(np.array([0.0, 1.0]))) == "0.0"


def test_habits_of_heads_with_one_job():
    n = 6
    first, previous, itself = np.zeros((3, n, n))
    first[:, 0] = 1
    itself[np.arange(n), np.arange(n)] = 1
    previous[0, 0] = 1
    previous[np.arange(1, n), np.arange(n - 1)] = 1
    assert habits(first, True) == pytest.approx(
        (1, 1 / 5, 0, 0)
    )  # the second token's one before is the first
    assert habits(previous, True) == pytest.approx((1 / 5, 1, 0, 0))
    assert habits(itself, True) == pytest.approx((0, 0, 1, 0))
    evenly = np.full((2, 4), 0.25)
    assert habits(evenly, False) == pytest.approx((0.25, np.nan, np.nan, np.log(4)), nan_ok=True)
    assert np.isnan(habits(np.ones((1, 1)), True)).all()
    assert np.isnan(habits(np.zeros((3, 3)), True).entropy)


def test_what_is_told_of_a_row():
    weights = np.array([[[[1, 0, 0], [0.7, 0.3, 0], [0.9, 0.025, 0.075]]]])
    reading = Reading(["a", "b", "a"], ["a", "b", "a"], weights, True, True)
    assert [looks(reading, 0, 0, token) for token in range(3)] == [
        "'a' (0) looks most at 'a' (0) with 100 %.",
        "'b' looks most at 'a' (0) with 70 %, then at 'b' with 30 %.",
        "'a' (2) looks most at 'a' (0) with 90 %, then at 'a' (2) with 8 % and 'b' with 2 %.",
    ]
    assert [looks(reading, 0, 0, token, first_out=True) for token in (0, 2)] == [
        "'a' (0) looks at no other token. The first token, 'a' (0), is taken out; 'a' (0) gave it 100 %.",
        "'a' (2) looks most at 'a' (2) with 75 %, then at 'b' with 25 %. The first token, 'a' (0), is taken out; 'a' (2) gave it 90 %.",
    ]
    assert (
        looks(reading, 0, 0, 1, back=True)
        == "'b' is looked at most by 'b' with 30 %, then by 'a' (2) with 2 %."
    )
    assert looks(reading, 0, 0, 0, back=True, first_out=True) == (
        "No token looks at 'a' (0). The first token, 'a' (0), is taken out."
    )


def test_tokens_are_quoted_so_that_they_can_be_told_apart():
    assert [quoted([*TOKENS, b"\xe0\xa4"], i) for i in (0, 1, 3, 5, 6, 7, 8, 11)] == [
        "'the' (0)", "'␣cat'", "'⟨E0 A4⟩' (3)", '"\'s"', "'\"it\\'s\"'", "'a\\\\b'", "'⏎'", "'" + "x" * 39 + "…'",
    ]  # fmt: skip


def test_a_token_of_40_characters_is_told_whole():
    assert quoted(["z" * 40], 0) == f"'{'z' * 40}'"


def test_ties_go_to_the_earlier_token():
    row = np.array([0.25, 0.25, 0.0, 0.5])
    assert ranked(row) == [3, 0, 1]
    assert ranked(row, 2) == [3, 0]
    assert ranked(np.zeros(4)) == []


@pytest.mark.parametrize(
    ("text", "most", "got"),
    [("one two", 7, "one two"), ("one two", 6, "one"), ("one two", 4, "one"), ("one two", 3, "one"), ("onetwo", 4, "onet"),
     ("é" * 5, 5, "éé"), ("ab cd ef", 5, "ab cd"), ("  ab", 3, "  a"), ("🙂", 3, ""), (" 🙂", 3, " ")],
)  # fmt: skip
def test_the_beginning_of_a_text(text, most, got):
    assert beginning(text, most) == got


# ---- Texts ---------------------------------------------------------------------------------------------------------


def test_tokens_beyond_the_48th_are_left_out_of_a_text_read_from_left_to_right():
    calls = []
    text = " ".join(f"w{i}" for i in range(60))
    reading = read(reader_of(calls=calls), text)
    assert calls == [text]
    assert len(reading.queries) == len(reading.keys) == 48
    assert reading.weights.shape == (2, 3, 48, 48)
    np.testing.assert_allclose(reading.weights, weights_of(2, 3, 60, 60, True)[:, :, :48, :48], atol=5e-4)
    assert reading.note == (
        "A text can have up to 48 tokens here; of this one only the beginning is shown, 48 tokens. Make it shorter to see all of it."
    )
    assert read(reader_of(), " ".join("w" * 48)).note == ""


def test_where_all_tokens_see_each_other_the_beginning_is_read_by_itself():
    calls = []
    text = " ".join(f"w{i:02}" for i in range(60))
    reading = read(reader_of(causal=False, calls=calls), text)
    assert calls[0] == text
    assert len(calls) <= 3
    assert text.startswith(calls[-1])
    assert reading.queries == calls[-1].split()
    assert 40 <= len(reading.queries) <= 48
    np.testing.assert_allclose(reading.weights.sum(-1), 1, atol=2e-3)
    assert f"the beginning is shown, {len(reading.queries)} tokens" in reading.note


def test_no_reader_gets_more_than_the_memory_holds():
    calls = []

    def bytewise(text):
        calls.append(text)
        n = len(text.encode("utf-8"))
        return [bytes([one]) for one in text.encode("utf-8")], weights_of(1, 1, n, n, True)

    reading = read(bytewise, "🙂" * 400)
    assert calls == ["🙂" * 100]
    assert len(reading.queries) == 48
    assert reading.note
    words = " ".join(["आपआपआप"] * 30)  # few tokens, and all of its bytes would be too many
    reading = read(reader_of(calls=calls), words)
    assert len(calls[-1].encode("utf-8")) <= 400
    assert f"the beginning is shown, {len(reading.queries)} tokens" in reading.note


def test_a_text_that_no_cutting_makes_short_is_refused():
    with pytest.raises(ValueError, match="must have at most 48 tokens here, got 50; shorten it"):
        read(lambda text: (["x"] * 50, weights_of(1, 1, 50, 50)), "word")


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


GOOD = weights_of(2, 3, 4, 4)


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (GOOD, r"must return \(tokens, weights\) or \(query_tokens, key_tokens, weights\), got ndarray"),
        ((["a"],), "must return"),
        ((1, 2, 3, 4), "must return"),
        (
            (["a"], "a note"),
            r"must return .* got tuple; return such a tuple, with a note as its last element",
        ),
        ("a note", "must return .* got str"),
        ((), "must return"),
        ((["a"], ["b"], GOOD, GOOD, "a note"), "must return"),
        (("abcd", GOOD), "tokens must be a list of texts, got str"),
        ((5, GOOD), "tokens must be a list of texts, got int"),
        ((["a", "b", "c", 4], GOOD), "every token must be a text or bytes, got 4; decode"),
        ((["a", "b", "c"], GOOD), r"\[layer, head, 3 queries, 3 keys\], got float64 of shape \(2, 3, 4, 4\)"),
        ((["a"] * 4, ["b"] * 5, GOOD), r"\[layer, head, 4 queries, 5 keys\], got"),
        ((["a"] * 4, GOOD[0]), r"got float64 of shape \(3, 4, 4\)"),
        ((["a"] * 4, np.ones((2, 3, 4, 4), int)), "got int64"),
        ((["a"] * 4, [[1.0], [1.0, 2.0]]), "weights must be an array of numbers, got list"),
        ((["a"] * 4, torch.tensor(GOOD, requires_grad=True)), "got Tensor; a tensor needs"),
        (([], np.ones((2, 3, 0, 0))), "must have a layer, a head and a token or more"),
        ((["a"] * 4, np.ones((0, 3, 4, 4))), "must have a layer, a head and a token or more"),
        (
            (["a"] * 4, GOOD * 0.9),
            "sum to 1, got one that does not; take them after the softmax and before dropout",
        ),
        ((["a"] * 4, GOOD * 1.1), "sum to 1"),
        ((["a"] * 4, np.where(GOOD.max() == GOOD, np.nan, GOOD)), "sum to 1"),
        ((["a"] * 2, np.array([[[[1.5, -0.5], [0.5, 0.5]]]])), "every row of weights must be 0 or more"),
    ],
)
def test_readers_that_return_something_else_are_told_so(result, why):
    with pytest.raises(ValueError, match=why):
        read(lambda text: result, "a text")


def test_tensors_and_tuples_are_taken():
    reading = read(lambda text: (("a", b"\xff", "c", "d"), torch.tensor(GOOD, dtype=torch.float32)), "a text")
    assert reading.queries == ["a", b"\xff", "c", "d"]
    assert (reading.own, reading.causal) == (True, False)
    assert reading.weights.dtype == np.float32
    np.testing.assert_allclose(reading.weights, GOOD, atol=5e-4)


def test_a_look_at_the_next_token_alone_is_a_look_ahead():
    for keys, causal in (([1, 2, 2], False), ([0, 0, 1], True)):
        weights = np.zeros((1, 1, 3, 3))
        weights[..., [0, 1, 2], keys] = 1
        assert read(lambda text, weights=weights: (list("abc"), weights), "a b c").causal is causal


def test_rounding_beyond_1_and_minus_0_does_no_harm():
    weights = np.array([[[[1.004, -0.0], [0.3, 0.7]]]])
    assert read(lambda text: (["a", "b"], weights), "a b").weights[0, 0, 0].tolist() == [1.0, 0.0]
    bits = np.frombuffer(
        attention._packed(read(lambda text: (["a", "b"], weights), "a b"), "a b", "m")["weights"], "<u2"
    )
    assert bits[:2].tolist() == [0x3C00, 0]


def test_the_note_counts_the_side_that_was_too_long():
    long = " ".join("x" * 60)
    reading = read(crossed, long)
    assert len(reading.queries) == 3
    assert 40 <= len(reading.keys) <= 48
    assert f"is shown, {len(reading.keys)} tokens" in reading.note


def test_a_reader_may_say_something_about_the_text():
    weights = weights_of(1, 2, 3, 3)
    told = "The model does not know 'zebra'."
    reading = read(lambda text: (["a", "b", "c"], weights, told), "a b zebra")
    assert (reading.note, reading.own) == (told, True)
    reading = read(lambda text: (["अ"] * 3, ["a", "b", "c"], weights, told), "a b zebra")
    assert (reading.note, reading.own) == (told, False)
    assert read(lambda text: (["a", "b", "c"], weights, ""), "a b c").note == ""
    long = " ".join("x" * 60)
    for causal in (True, False):
        reading = read(lambda text, causal=causal: (*reader_of(causal=causal)(text), told), long)
        assert reading.note.startswith(
            f"{told} A text can have up to 48 tokens here; of this one only the beginning"
        )
        assert reading.note.count(told) == 1


def test_other_query_tokens_than_key_tokens_are_no_self_attention():
    reading = read(crossed, "how are you today")
    assert (reading.own, reading.causal, reading.note) == (False, False, "")
    assert reading.weights.shape == (2, 5, 3, 4)
    same = read(lambda text: (["a"] * 4, ["a"] * 4, weights_of(1, 1, 4, 4, True)), "text")
    assert (same.own, same.causal) == (False, False)


# ---- The explorer --------------------------------------------------------------------------------------------------


def explorer_of(**settings):
    return Attention({"GPT": reader_of(5, 4), "BERT": reader_of(3, 7, False, 1), "translator": crossed}, SENTENCE, **settings)  # fmt: skip


def test_it_says_what_it_shows_and_leaves_a_picture():
    explorer = explorer_of(layer=1, head=2)
    weights = explorer._shown.weights[1, 2, 5]
    best = int(weights.argmax())
    assert explorer.alt.startswith(
        f"Attention of 'the cat sat on the mat' in GPT, layer 1, head 2 of 5 x 4 (both counted from 0): 'mat' looks most at "
        f"{quoted(SENTENCE.split(), best)} with {plots.percent(float(weights[best]))}, then at "
    )
    data, _ = explorer._repr_mimebundle_()
    assert left_behind(data) == explorer.alt
    assert data["text/plain"] == repr(explorer) == f"<Attention: {explorer.alt}>"
    assert "width:1000px" in data["text/html"]


@pytest.mark.parametrize(
    "settings",
    [{"average_layers": True, "back": True}, {"average_heads": True, "without_first": True}, {"model": "translator", "token": 0},
     {"model": "BERT", "average_heads": True, "average_layers": True}],
)  # fmt: skip
def test_every_state_leaves_a_picture(settings):
    assert explorer_of(**settings).picture().startswith(b"\x89PNG")


def test_sides_are_named_where_queries_are_not_the_keys():
    readers = {"translator": crossed, "GPT": reader_of()}
    explorer = Attention(readers, "how are you", sides=SIDES, layer=1)
    assert explorer.reading["sides"] == list(SIDES)
    assert re.match(
        r"Attention of 'how are you' in translator, layer 1, head 0 of 2 x 5 \(both counted from 0\), from Hindi word "
        r"written to English word read: 'हैं' looks most at '(how|are|you)' with \d+ %, then at",
        explorer.alt,
    )
    ax = plots.new_axes()
    explorer._draw_large(ax)
    assert (ax.get_ylabel(), ax.get_xlabel()) == SIDES
    assert [text.get_text() for text in ax.get_yticklabels()] == ["आप", "कैसे", "हैं"]
    explorer.ask(text="how are you", model="GPT")  # where a text looks at itself they have no sides
    assert explorer.reading["sides"] == ["query", "key"]
    assert "from" not in explorer.alt.replace("counted from", "")
    ax = plots.new_axes()
    explorer._draw_large(ax)
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("query: who looks", "key: at whom")
    plain = Attention(readers, "how are you")
    assert plain.reading["sides"] == ["query", "key"]
    assert "of 2 x 5 (both counted from 0): 'हैं'" in plain.alt


@pytest.mark.parametrize(
    "sides", [("a",), "ab", ("a", ""), ("a", 5), ("a", "b" * 25), ("a", "b", "c"), (" ", "b")]
)
def test_sides_are_two_short_names(sides):
    with pytest.raises(
        ValueError, match="sides must be two texts of 1 to 24 letters, what queries and keys are called"
    ):
        Attention({"translator": crossed}, "how are you", sides=sides)


def test_the_first_key_of_another_text_is_no_token_of_this_one():
    explorer = Attention({"translator": crossed}, "how are you", without_first=True)
    assert "The first key, 'how', is taken out; 'हैं' gave it" in explorer.alt


def test_letters_that_matplotlib_lacks_and_formulas_leave_a_picture(recwarn):
    Attention({"$x_2": reader_of()}, "你好 $x_2 <b>&$ 🙂 " + "x" * 60).picture()
    assert [str(one.message) for one in recwarn if "Glyph" in str(one.message)] == []


def test_hindi_is_drawn_and_not_left_out():
    assert [attention._label(token) for token in ("हैं", "चिट्ठी", "你")] == ["हैं", "चिट्ठी", "…"]


# ---- Hindi in the browser --------------------------------------------------------------------------------------------


def test_explorers_that_show_hindi_bring_its_letters():
    plain = style("attention")
    for explorer, own in ((Attention, plain), (Tokens, style())):
        sheet = explorer._css
        assert sheet.startswith(own)
        data = re.search(r'src: url\("data:font/woff2;base64,([A-Za-z0-9+/=]+)"\) format\("woff2"\);', sheet)[
            1
        ]
        font = base64.b64decode(data, validate=True)
        assert font == plots.DEVANAGARI.with_suffix(".woff2").read_bytes()
        assert font.startswith(b"wOF2")
        assert len(sheet) < len(own) + 56_000
    assert "font-face" not in plain


def test_the_hindi_font_stands_for_its_own_letters_only_and_first():
    rules = (HERE / "devanagari.css").read_text(encoding="utf-8")
    spans = [
        span.split("-") for span in re.search(r"unicode-range: (.*);", rules)[1].replace("U+", "").split(", ")
    ]
    said = {
        code for first, *last in spans for code in range(int(first, 16), int((last or [first])[0], 16) + 1)
    }
    assert said == set(FT2Font(plots.DEVANAGARI).get_charmap()) - {0x20}
    stacks = re.findall(r"font-family: ([^;]*);", rules)
    assert len(stacks) == 3
    assert all(
        stack.startswith('"uth-devanagari"') for stack in stacks
    )  # behind others, a first word is drawn as boxes
    assert '"uth-devanagari"' in (HERE / "attention.js").read_text(encoding="utf-8")


def test_the_font_comes_with_its_licence():
    folder = plots.DEVANAGARI.parent
    licence = (folder / "OFL.txt").read_text(encoding="utf-8")
    assert licence.startswith("Copyright 2022 The Noto Project Authors")
    assert "SIL OPEN FONT LICENSE Version 1.1" in licence
    assert "with Reserved Font Name" not in licence.split("-----")[0]
    assert plots.DEVANAGARI.stat().st_size < 160_000


def test_the_overview_in_the_picture_has_layers_down_and_heads_across():
    explorer = explorer_of()
    table, steps = explorer._overview()
    assert (table.shape, steps) == ((5 * 7, 4 * 7), (7, 7))
    weights = explorer._shown.weights
    mask = np.tri(6, dtype=bool)
    part = table[3 * 7 : 3 * 7 + 6, 2 * 7 : 2 * 7 + 6]
    np.testing.assert_allclose(part[mask], weights[3, 2][mask], atol=1e-9)
    assert np.isnan(part[~mask]).all()  # hidden
    assert np.isnan(table[6]).all()
    assert np.isnan(table[:, 6]).all()
    explorer.without_first = True
    part = explorer._overview()[0][21:27, 14:20]
    np.testing.assert_allclose(part[mask], without_first(weights[3, 2])[mask], atol=1e-6)


def test_a_small_head_keeps_the_largest_of_many_weights():
    explorer = Attention({"m": reader_of(2, 3, False)}, " ".join("x" * 48))
    table, steps = explorer._overview()
    assert (table.shape, steps) == ((2 * 15, 3 * 15), (15, 15))
    weights = explorer._shown.weights[1, 2]
    edges = [i * 48 // 14 for i in range(15)]
    for row, column in ((0, 0), (5, 9), (13, 13)):
        part = weights[edges[row] : edges[row + 1], edges[column] : edges[column + 1]]
        assert table[15 + row, 30 + column] == pytest.approx(part.max())


@pytest.mark.parametrize(
    ("settings", "small", "large"),
    [({"layer": 3, "head": 2, "token": 1}, (14, 21, 7, 7), (0, 1, 6, 1)), ({"average_heads": True, "layer": 1}, (0, 7, 28, 7), (0, 5, 6, 1)),
     ({"average_layers": True, "head": 1, "back": True, "token": 4}, (7, 0, 7, 35), (4, 0, 1, 6)),
     ({"model": "translator", "back": True}, (0, 0, 7, 4), (5, 0, 1, 3))],
)  # fmt: skip
def test_frames_in_the_picture_are_around_what_is_shown(settings, small, large):
    explorer = explorer_of(**settings)
    for draw, expected in ((explorer._draw_small, small), (explorer._draw_large, large)):
        ax = plots.new_axes()
        draw(ax)
        (frame,) = ax.patches
        assert (*frame.get_xy(), frame.get_width(), frame.get_height()) == pytest.approx(
            (expected[0] - 0.5, expected[1] - 0.5, *expected[2:])
        )
    np.testing.assert_allclose(np.ma.getdata(ax.images[0].get_array()), explorer.pattern())
    assert [text.get_text() for text in ax.get_yticklabels()] == [
        attention._label(token) for token in explorer._shown.queries
    ]


def test_the_pattern_is_the_chosen_one():
    explorer = explorer_of(layer=4, head=1)
    weights = explorer._shown.weights
    np.testing.assert_allclose(explorer.pattern(), weights[4, 1], atol=1e-9)
    explorer.average_heads = True
    np.testing.assert_allclose(explorer.pattern(), weights[4].mean(0), atol=1e-6)
    explorer.average_layers = True
    explorer.without_first = True
    np.testing.assert_allclose(explorer.pattern(), without_first(weights.mean((0, 1))), atol=1e-6)


def test_the_sentence_follows_what_the_browser_moves():
    explorer = explorer_of()
    explorer.set_state({"layer": 2, "head": 3, "token": 1, "without_first": True})
    assert explorer.alt == explorer_of(layer=2, head=3, token=1, without_first=True).alt
    explorer.set_state({"back": True, "average_layers": True, "average_heads": True, "without_first": False})
    assert explorer.alt == explorer_of(token=1, back=True, average_layers=True, average_heads=True).alt


def test_a_new_text_is_read_once_and_then_known():
    calls = []
    explorer = Attention(
        {"GPT": reader_of(calls=calls), "BERT": reader_of(3, 1, False, calls=calls)}, "one two"
    )
    assert explorer.ask(text="three four five", model="GPT") == {"number": 1}
    assert explorer.reading["queries"] == ["three", "four", "five"]
    assert (explorer.text, explorer.problem) == ("three four five", "")
    explorer.ask(text="one two", model="GPT")
    explorer.ask(text="one two", model="BERT")
    assert calls == ["one two", "three four five", "one two"]
    assert explorer.reading["shape"] == [3, 1, 2, 2]
    assert explorer.model == "BERT"
    for i in range(6):
        explorer.ask(text=f"text {i}", model="GPT")
    assert len(explorer._known) == attention.KEPT


def test_what_a_reader_refuses_is_said_and_the_old_reading_stays():
    explorer = explorer_of()
    before, alt = explorer.reading, explorer.alt
    for text, why in [
        ("the blorf", "got 'blorf'; see the list"),
        ("", "must have a word or more"),
        ("y" * 500, "up to 400 characters"),
    ]:
        explorer.ask(text=text, model="GPT")
        assert why in explorer.problem
        assert (explorer.reading, explorer.alt, explorer.text) == (before, alt, SENTENCE)
    explorer.ask(text="the cat", model="BART")
    assert explorer.problem == "model must be one of GPT, BERT, translator, got 'BART'"
    assert explorer.picture().startswith(b"\x89PNG")
    explorer.ask(text="the cat", model="BERT")
    assert explorer.problem == ""


def test_a_smaller_model_shows_its_last_layer_and_head():
    explorer = explorer_of(layer=4, head=3, token=5)
    explorer.ask(text="one two three", model="BERT")
    assert "in BERT, layer 2, head 3 of 3 x 7" in explorer.alt
    assert "'three' looks most" in explorer.alt
    explorer.ask(text="one two three", model="translator")
    assert "layer 1, head 3 of 2 x 5" in explorer.alt
    assert "'हैं' looks most" in explorer.alt
    explorer.back = True
    assert "'three' is looked at most by" in explorer.alt
    explorer.set_state({"layer": -1, "head": -1, "token": -1})
    assert "layer 0, head 0 of 2 x 5" in explorer.alt
    assert "'one' is looked at most by" in explorer.alt


def test_the_text_can_be_set_from_python():
    explorer = explorer_of()
    explorer.text = "a b c"
    assert explorer.reading["queries"] == ["a", "b", "c"]
    explorer.model = "BERT"
    assert (explorer.reading["model"], explorer.reading["text"]) == ("BERT", "a b c")
    explorer.text = "blorf"
    assert "blorf" in explorer.problem
    assert explorer.reading["text"] == "a b c"


def test_a_text_that_is_too_long_is_shown_with_a_note():
    explorer = explorer_of()
    assert explorer.reading["note"] == ""
    explorer.ask(text=" ".join("x" * 70), model="GPT")
    assert explorer.problem == ""
    assert "up to 48 tokens" in explorer.reading["note"]
    assert explorer.reading["shape"] == [5, 4, 48, 48]
    assert len(explorer.reading["weights"]) == 2 * 5 * 4 * 48 * 48


def test_rows_still_sum_to_one_as_they_travel():
    explorer = Attention({"m": reader_of(3, 2, False)}, " ".join("x" * 48))
    sent = (
        np.frombuffer(explorer.reading["weights"], "<f2")
        .reshape(explorer.reading["shape"])
        .astype(np.float64)
    )
    np.testing.assert_allclose(sent.sum(-1), 1, atol=1e-3)
    np.testing.assert_allclose(sent, weights_of(3, 2, 48, 48), atol=3e-4)
    # With a byte each, rows of small weights would be off by more than a percent.
    evenly = np.full(48, 1 / 48)
    assert abs(np.round(255 * evenly).sum() / 255 - 1) > 0.05


def test_what_was_chosen_is_in_the_saved_state():
    explorer = explorer_of(view="arcs", numbers=True)
    explorer.set_state({"layer": 1, "head": 2, "token": 3, "without_first": True, "view": "heatmap"})
    state = explorer.get_state()
    names = (
        "layer",
        "head",
        "token",
        "without_first",
        "view",
        "numbers",
        "average_heads",
        "average_layers",
        "back",
        "names",
        "text",
    )
    assert json.loads(json.dumps([state[name] for name in names])) == [
        1, 2, 3, True, "heatmap", True, False, False, False, ["GPT", "BERT", "translator"], SENTENCE,
    ]  # fmt: skip
    assert len(state["reading"]["weights"]) == 2 * 5 * 4 * 6 * 6


@pytest.mark.parametrize(
    ("readers", "why"),
    [
        ({}, "readers must give each model a name, got {}; pass {'Tinytown': reader}"),
        (crossed, "readers must give each model a name, got <function crossed"),
        ({" ": crossed}, "every reader must be a function with a name, got ' '"),
        ({3: crossed}, "every reader must be a function with a name, got 3"),
        ({"m": "crossed"}, "every reader must be a function with a name, got 'm': 'crossed'"),
    ],
)
def test_readers_that_are_none_are_refused(readers, why):
    with pytest.raises(ValueError, match=why):
        attention._named(readers)


@pytest.mark.parametrize(("text", "why"), [("the blorf", "got 'blorf'"), ("", "must have a word or more")])
def test_a_first_text_that_is_refused_is_the_cells_error(text, why):
    with pytest.raises(ValueError, match=why):
        Attention({"m": reader_of()}, text)
    with pytest.raises(ValueError, match="readers must give each model a name"):
        Attention({}, text)


@pytest.mark.parametrize("value", [1.5, True, "1", None, [1], np.nan, 4, -1])
def test_what_is_no_number_of_a_head_is_refused_in_a_sentence(value):
    with pytest.raises(
        ValueError,
        match=re.escape(f"head must be a whole number from 0 to 3, got {value!r}; they count from 0"),
    ):
        attention._whole("head", value, 4)
    assert [attention._whole("head", one, 4) for one in (0, 3, np.int64(2))] == [0, 3, 2]


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"model": "T5"}, "model must be one of GPT, BERT, translator, got 'T5'"),
        ({"layer": 5}, "layer must be a whole number from 0 to 4, got 5; they count from 0"),
        ({"layer": -1}, "layer must be a whole number from 0 to 4, got -1"),
        ({"head": 4}, "head must be a whole number from 0 to 3, got 4"),
        ({"token": 6}, "token must be a whole number from 0 to 5, got 6"),
        ({"token": 3, "model": "translator"}, "token must be a whole number from 0 to 2, got 3"),
        (
            {"token": 6, "model": "translator", "back": True},
            "token must be a whole number from 0 to 5, got 6",
        ),
        ({"view": "matrix"}, "view must be heatmap or arcs, got 'matrix'"),
    ],
)
def test_what_is_not_there_is_refused(settings, why):
    with pytest.raises(ValueError, match=why):
        explorer_of(**settings)
    assert explorer_of(token=5, layer=4, head=3).token == 5


def test_tinytown_as_it_was_trained():
    from helpers import pretrained

    model, words = pretrained.load_tinytown()

    def reader(text):
        ids = words.encode(text, special=True)
        _, trace = model(torch.tensor([ids]), trace=True)
        return [words.decode([one]) for one in ids], torch.stack(list(trace.attention))[:, 0].detach()

    text = "once there was a red fox by the river ."
    explorer = Attention({"Tinytown": reader}, text, layer=1)
    reading = explorer._shown
    assert (reading.own, reading.causal) == (True, True)
    assert reading.queries[1:] == text.split()
    np.testing.assert_allclose(reading.weights.sum(-1), 1, atol=1e-3)
    assert not np.triu(reading.weights, 1).any()
    explorer.ask(text="once there was a red banana-phone", model="Tinytown")
    assert "every word must be one of Tinytown's" in explorer.problem
    assert explorer.alt.startswith(f"Attention of {text!r} in Tinytown, layer 1, head 0 of ")


def test_what_the_browser_sets_is_not_sent_back():
    traits = Attention.class_traits()
    for name in (*Attention.shown, "view", "numbers"):
        assert isinstance(traits[name], traitlets.TraitType)
        assert traits[name].metadata["echo_update"] is False


def test_it_is_one_script_that_asks_for_nothing():
    text, css = str(Attention._esm), str(Attention._css)
    body = "const url = 'data:text/javascript;base64,' + Buffer.from(given).toString('base64'); return Object.keys((await import(url)).default)"
    assert run(None, body, text) == ["initialize", "render"]
    assert set(re.findall(r"https?://[^\s\"'`]+", text + css)) <= {"http://www.w3.org/2000/svg"}
    assert "innerHTML" not in text
    assert min(float(size) for size in re.findall(r"font-size: ([\d.]+)px", css)) >= 11
