"""The sinusoid explorer and the rotary dials: what the browser computes is what Python computes."""

import itertools
import json
import re

import numpy as np
import pytest
import torch
import traitlets
from bundles import left_behind
from js.run import run

from helpers import plots, positions
from helpers.explorers import rotary, sinusoids
from helpers.explorers.base import HERE
from helpers.explorers.rotary import RotaryDial, elsewhere, scores, shares
from helpers.explorers.sinusoids import Sinusoids, dot_products, whole, written

SIZES = [
    (2, 2, 10),
    (5, 6, 1234),
    (64, 64, 10_000),
    (33, 128, 100),
    (512, 16, 100_000),
]  # positions, d_model, base
NUMBERS = [
    0,
    -0.0,
    1e-9,
    -0.004,
    -0.005,
    0.125,
    -0.375,
    2.5,
    -1,
    12.5,
    99.996,
    999.5,
    -1234.56,
    47117.3,
    123456.5,
]


def vectors(d_head, seed=0):
    return np.random.default_rng(seed).normal(size=(2, d_head)).round(3)


# ---- The sinusoids: the browser agrees with Python ----------------------------------------------------------------


@pytest.mark.parametrize(("n", "d", "base"), SIZES)
def test_the_table_its_wavelengths_and_its_dot_products_are_those_of_python(n, d, base):
    at = [0, n // 3, n - 1]
    table, waves, dots, from_distance = run(
        "sinusoids",
        """const table = m.sinusoidTable(...given.size);
        const [n, d, base] = given.size;
        return [table, Array.from({ length: d }, (_, i) => m.wavelength(i, d, base)),
          given.at.map((p) => m.dotProducts(table, d, p)),
          given.at.map((p) => Array.from({ length: n }, (_, q) => m.dotAt(q - p, d, base)))];""",
        {"size": [n, d, base], "at": at},
    )
    expected = positions.sinusoid_table(n, d, float(base))
    np.testing.assert_allclose(np.reshape(table, (n, d)), expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(waves, np.repeat(positions.wavelengths(d, float(base)), 2), rtol=1e-12)
    for position, got, closed in zip(at, dots, from_distance, strict=True):
        np.testing.assert_allclose(got, dot_products(expected, position), rtol=0, atol=1e-9)
        np.testing.assert_allclose(got, closed, rtol=0, atol=1e-8)  # nothing but the distance counts
        assert got[position] == pytest.approx(d / 2)
        assert max(got) == pytest.approx(d / 2)


def test_a_cell_is_the_papers_formula():
    told = run(
        "sinusoids",
        """return given.map(([n, d, base, p, i]) => m.cell({ d, base }, m.sinusoidTable(n, d, base), p, i));""",
        [[8, 64, 10_000, 3, 5], [64, 4, 100, 25, 2], [2, 2, 10, 0, 1]],
    )
    assert f"{np.cos(3 / 10_000 ** (4 / 64)):.2f}" == "-0.12"
    assert f"{np.sin(25 / 100 ** (2 / 4)):.2f}" == "0.60"
    assert told == [
        "position 3, dimension 5: cos(3 / 1.78) = −0.12",
        "position 25, dimension 2: sin(25 / 10) = 0.60",
        "position 0, dimension 1: cos(0 / 1) = 1.00",
    ]


def test_numbers_are_written_as_in_python():
    got = run(None, "return given.map((x) => [0, 2, 4].map((digits) => m.written(x, digits)))", NUMBERS)
    assert got == [[written(x, digits) for digits in (0, 2, 4)] for x in NUMBERS]


@pytest.mark.parametrize(
    ("x", "told"),
    [(-0.004, "0.00"), (-0.006, "−0.01"), (0, "0.00"), (-1234.56, "−1,234.56"), (-10, "−10.00")],
)
def test_a_minus_stands_only_before_what_is_not_zero(x, told):
    assert written(x) == told


def test_the_slider_of_the_base_reaches_round_numbers_and_finds_back():
    bases, steps, near = run(
        None,
        """const bases = Array.from({ length: 81 }, (_, step) => m.baseAt(step));
        return [bases, bases.map(m.stepOf), given.map(m.stepOf)];""",
        [500, 1234, 99_000],
    )
    assert steps == list(range(81))
    assert bases == sorted(set(bases))
    assert (bases[0], bases[-1]) == sinusoids.BASES
    assert {100, 1000, 10_000} < set(bases)
    assert all(isinstance(base, int) for base in bases)
    assert near == [34, 42, 80]


STATES = [
    (n, d, base, position)
    for (n, d, base), share in itertools.product(SIZES, (0, 0.4, 1))
    for position in [int(share * (n - 1))]
] + [(9, 4, 10, 3), (10, 4, 10, 3), (3, 4, 10, 1)]


def test_the_sinusoids_sentence_is_that_of_python():
    got = run(
        "sinusoids",
        "return given.map(([n, d, base, position]) => m.describe({ n, d, base, position }, m.sinusoidTable(n, d, base)))",
        STATES,
    )
    assert got == [Sinusoids(d, base, n, position=position).alt for n, d, base, position in STATES]


def test_colours_are_those_of_the_pictures():
    sheet = (HERE / "sinusoids.css").read_text(encoding="utf-8").split("[data-jp-theme-light")[0]
    stops = re.findall(r"--uth-signed-\d: (#[0-9a-f]{6});", sheet)
    assert len(stops) == 5
    got = np.array(run("sinusoids", "return m.palette(given)", stops))
    expected = plots.SIGNED(np.arange(256) / 255)[:, :3] * 255
    assert got.shape == (256, 3)
    assert np.abs(got - expected).max() <= 1.01


def test_the_palette_can_be_told_apart_by_lightness_from_its_middle_in_both_themes():
    sheet = (HERE / "sinusoids.css").read_text(encoding="utf-8")
    for part in sheet.split("[data-jp-theme-light")[:2]:
        low, low_half, middle, high_half, high = map(
            plots.luminance, re.findall(r"--uth-signed-\d: (#[0-9a-f]{6});", part)
        )
        for steps in ([low, low_half, middle], [high, high_half, middle]):
            assert steps in (sorted(steps), sorted(steps, reverse=True))
            assert abs(steps[0] - steps[2]) > 0.3


# ---- The sinusoids in Python ---------------------------------------------------------------------------------------


def test_the_sinusoids_say_what_they_show_and_leave_a_picture():
    explorer = Sinusoids()
    assert repr(explorer) == (
        "<Sinusoids: 64 positions, d_model 64, base 10,000: dimensions 0 and 1 turn once in 6.28 positions, "
        "dimensions 62 and 63 once in 47,117. The dot product of position 32 with itself is 32.00, with a neighbour "
        "0.97 of that. Positions 0 and 8 give 0.70 of it, 55 and 63 give 0.70: distance alone decides.>"
    )
    assert explorer.dimensions == [0, 8, 16, 32]
    data, _ = explorer._repr_mimebundle_()
    assert left_behind(data) == explorer.alt
    assert data["text/plain"] == repr(explorer)
    assert "width:1000px" in data["text/html"]


def test_a_larger_base_makes_the_slowest_wave_slower_and_leaves_the_fastest():
    small, large = (Sinusoids(8, base).describe() for base in (100, 10_000))
    assert "once in 6.28 positions, dimensions 6 and 7 once in 199." in small
    assert "once in 6.28 positions, dimensions 6 and 7 once in 6,283." in large


def test_the_sentence_follows_what_moves():
    explorer = Sinusoids(16, 100, 20, position=4)
    explorer.set_state({"d_model": 32, "position": 0})
    assert explorer.alt == Sinusoids(32, 100, 20, position=0).alt
    explorer.base = 1000
    assert explorer.alt == Sinusoids(32, 1000, 20, position=0).alt


def test_what_was_chosen_is_in_the_saved_state():
    explorer = Sinusoids(16, 100, 20, position=4, dimensions=[5, None, 2])
    explorer.set_state({"dimensions": [5, 15, 2, None], "base": 250})
    state = json.loads(json.dumps({name: explorer.get_state()[name] for name in explorer.shown}))
    assert state == {"d_model": 16, "base": 250, "position": 4, "dimensions": [5, 15, 2, None]}
    assert explorer.get_state()["n_positions"] == 20


@pytest.mark.parametrize(
    ("d_model", "first"), [(2, [0]), (4, [0, 2]), (6, [0, 2]), (16, [0, 2, 4, 8]), (128, [0, 16, 32, 64])]
)
def test_the_first_curves_are_sines_of_the_table(d_model, first):
    assert Sinusoids(d_model).dimensions == first


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"d_model": 7}, "d_model must be even, got 7; sine and cosine come in pairs, take 8"),
        ({"d_model": 0}, "d_model must be a whole number from 2 to 128, got 0; 64 fill"),
        ({"d_model": 130}, "d_model must be a whole number from 2 to 128, got 130"),
        ({"base": 1}, "base must be a whole number from 10 to 100,000, got 1; 10,000 is the usual one"),
        ({"base": 100_001}, "from 10 to 100,000, got 100001"),
        ({"base": 10.5}, "base must be a whole number from 10 to 100,000, got 10.5"),
        ({"base": float("nan")}, "base must be a whole number from 10 to 100,000, got nan"),
        ({"base": float("inf")}, "got inf"),
        ({"n_positions": 1}, "n_positions must be a whole number from 2 to 512, got 1; 64 fill"),
        ({"n_positions": 513}, "n_positions must be a whole number from 2 to 512, got 513"),
        ({"position": 64}, "position must be a whole number from 0 to 63, got 64; positions count from 0"),
        ({"position": -1}, "position must be a whole number from 0 to 63, got -1"),
        (
            {"dimensions": [64]},
            "a dimension must be a whole number from 0 to 63, got 64; dimensions count from 0",
        ),
        (
            {"dimensions": [0, None, 0]},
            r"dimensions must differ from each other, got \[0, None, 0\]; leave one out",
        ),
        ({"dimensions": [0, 1, 2, 3, 4]}, "dimensions must be a list of at most 4, got"),
    ],
)
def test_sinusoids_refuse_what_they_can_not_show(settings, why):
    with pytest.raises(ValueError, match=why):
        Sinusoids(**settings)


@pytest.mark.parametrize("value", ["64", None, True, [64], 1j])
def test_what_is_no_whole_number_is_refused_in_a_sentence(value):
    with pytest.raises(
        ValueError, match=re.escape(f"d_model must be a whole number from 2 to 128, got {value!r}")
    ):
        whole("d_model", value, 2, 128, "take 64")


def test_true_is_no_number():
    with pytest.raises(ValueError, match="n must be a whole number from 0 to 9, got True"):
        whole("n", True, 0, 9, "")


def test_whole_numbers_of_other_kinds_are_taken():
    assert [whole("n", n, 0, 9, "") for n in (3, 3.0, np.int64(3), np.float32(3))] == [3] * 4
    assert [type(whole("n", n, 0, 9, "")) for n in (3.0, np.int64(3))] == [int, int]
    assert Sinusoids(base=10_000.0).base == 10_000  # as models' settings have it


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [("d_model", 9, "d_model must be even"), ("base", 3, "base must be"), ("position", 20, "from 0 to 19, got 20"),
     ("dimensions", [1, 1], "must differ"), ("dimensions", [128], "from 0 to 127, got 128")],
)  # fmt: skip
def test_what_is_set_later_is_held_to_the_same_rules(name, value, why):
    explorer = Sinusoids(16, 100, 20)
    before = getattr(explorer, name)
    with pytest.raises(ValueError, match=why):
        setattr(explorer, name, value)
    assert getattr(explorer, name) == before
    explorer.dimensions = [127]  # waits for a wider table


def test_the_pictures_curves_are_the_tables_columns():
    explorer = Sinusoids(16, 100, 20, dimensions=[3, None, 0])
    explorer.dimensions = [3, None, 0, 16]  # the last one is not of this table
    ax = plots.new_axes()
    explorer._curves(ax)
    table = explorer.table()
    assert len(ax.lines) == 2
    for line, dimension, slot in zip(ax.lines, (3, 0), (0, 2), strict=True):
        x, y = line.get_data()
        np.testing.assert_allclose(np.interp(np.arange(20), x, y), table[:, dimension], atol=0.02)
        assert tuple(line.get_color()) == sinusoids.curve_colour(slot)
    assert [line.get_label() for line in ax.lines] == ["3: 11.2 positions a turn", "0: 6.28 positions a turn"]


@pytest.mark.parametrize(("n", "d", "base"), [SIZES[0], SIZES[4]])
def test_any_size_leaves_a_picture(n, d, base):
    assert Sinusoids(d, base, n, dimensions=[None]).picture().startswith(b"\x89PNG")


def test_numbers_at_the_edge_are_few():
    for n in (2, 8, 9, 64, 512):
        told = sinusoids.ticks(n)
        assert 2 <= len(told) <= 8
        assert told[0] == 0
        assert n - told.step <= told[-1] < n


# ---- The dials: the browser agrees with Python ---------------------------------------------------------------------


@pytest.mark.parametrize(("d_head", "base"), [(2, 10), (6, 1234), (8, 100), (32, 100_000)])
def test_turning_shares_and_scores_are_those_of_python(d_head, base):
    query, key = vectors(d_head, seed=d_head)
    at = [(0, 0), (5, 2), (2, 5), (63, 0), (17, 63)]
    turned, parts, curve, speeds = run(
        "rotary",
        """const [query, key, at, base] = given;
        return [at.map(([p]) => m.turned(query, p, base)), at.map((both) => m.shares(query, key, both, base)),
          m.scores(query, key, base), m.speeds(query.length, base)];""",
        [query.tolist(), key.tolist(), at, base],
    )
    angles = positions.rotary_angles(64, d_head, float(base))
    np.testing.assert_allclose(speeds, angles[1], rtol=1e-12)
    for (p, q), got, part in zip(at, turned, parts, strict=True):
        np.testing.assert_allclose(got, positions.rotate_pairs(query[None], angles[p : p + 1])[0], atol=1e-9)
        np.testing.assert_allclose(part, shares(query, key, (p, q), base), atol=1e-9)
    np.testing.assert_allclose(curve, np.transpose(scores(query, key, base)), atol=1e-9)


def test_a_score_is_the_papers_product_of_complex_numbers():
    query, key = vectors(6)
    as_complex = [one[0::2] + 1j * one[1::2] for one in (query, key)]
    distances, score = scores(query, key, 50)
    turn = np.exp(1j * np.outer(distances, 50 ** (-np.arange(0, 6, 2) / 6)))
    expected = (as_complex[0] * as_complex[1].conj() * turn).real
    assert distances.tolist() == list(range(-63, 64))
    np.testing.assert_allclose(score, expected.sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(shares(query, key, (40, 51), 50), expected[63 - 11], atol=1e-12)
    assert abs(score[63 + 5] - score[63 - 5]) > 0.1  # the direction counts


def test_the_score_depends_on_the_distance_alone():
    query, key = vectors(8)
    for distance in (-40, -3, 0, 7):
        pairs = [(p, p - distance) for p in range(64) if 0 <= p - distance < 64]
        all_scores = [shares(query, key, pair, 100).sum() for pair in pairs]
        np.testing.assert_allclose(all_scores, all_scores[0], atol=1e-10)


def test_other_places_keep_the_distance():
    pairs = list(itertools.product(range(64), repeat=2))
    got = run("rotary", "return given.map(([p, q]) => m.elsewhere(p, q))", pairs)
    for (p, q), other in zip(pairs, got, strict=True):
        assert other == (list(elsewhere(p, q)) if elsewhere(p, q) else None)
        if other is None:
            assert abs(p - q) == 63
            continue
        move = other[0] - p
        assert other[0] - other[1] == p - q
        assert all(0 <= place < 64 for place in other)
        assert move != 0
        assert abs(move) == min(20, max(63 - max(p, q), min(p, q)))


def test_while_locked_no_token_leaves_the_positions():
    pairs = list(itertools.product(range(0, 64, 7), repeat=2))
    for (own, other), (low, high) in zip(
        pairs, run("rotary", "return given.map(([own, other]) => m.reach(own, other))", pairs), strict=True
    ):
        both = [(own + move, other + move) for move in range(-63, 64)]
        allowed = [one for one, two in both if 0 <= one < 64 and 0 <= two < 64]
        assert [low, high] == [min(allowed), max(allowed)]


def test_the_distance_has_a_direction_and_says_it():
    assert run("rotary", "return given.map(m.direction)", [[5, 2], [2, 5], [4, 4]]) == [
        "Distance is query position − key position: 5 − 2 = 3, so the key stands before the query.",
        "Distance is query position − key position: 2 − 5 = −3, so the key stands after the query. "
        "A GPT hides such keys; the score is there all the same.",
        "Distance is query position − key position: 4 − 4 = 0, so both stand at the same position.",
    ]


def test_the_dials_sentence_is_that_of_python():
    states = [
        ({"d_head": d_head, "base": base}, at)
        for (d_head, base), at in itertools.product(
            [(2, 10), (8, 100), (32, 100_000), (4, 1234)], [(5, 2), (2, 5), (63, 0), (60, 50), (0, 0)]
        )
    ]
    dials = [RotaryDial(**settings, query_position=p, key_position=q) for settings, (p, q) in states]
    got = run(
        "rotary",
        "return given.map(m.describe)",
        [
            {"query": one.query, "key": one.key, "names": one.names, "base": one.base, "at": at}
            for one, (_, at) in zip(dials, states, strict=True)
        ],
    )
    assert got == [one.alt for one in dials]


def test_a_score_that_were_another_elsewhere_would_be_told(monkeypatch):
    monkeypatch.setattr(
        rotary, "shares", lambda query, key, at, base: np.array([at[0] * 0.25])
    )  # what no rotary position gives
    assert "score 1.2500. At 25 and 22 the score is 6.2500." in RotaryDial().alt


# ---- The dials in Python -------------------------------------------------------------------------------------------


def test_the_dials_say_what_they_show_and_leave_a_picture():
    explorer = RotaryDial()
    assert repr(explorer) == (
        "<RotaryDial: Query “sat” at position 5, key “cat” at 2: distance 3, score 1.2410. At 25 and 22 the score is "
        "the same. d_head 8, base 100: a position turns pair 0 by 57.3° and pair 3 by 1.81°.>"
    )
    data, _ = explorer._repr_mimebundle_()
    assert left_behind(data) == explorer.alt
    assert data["text/plain"] == repr(explorer)
    assert "width:900px" in data["text/html"]


def test_moving_both_leaves_the_score_and_moving_one_does_not():
    told = [re.search(r"score (\S+)\.", RotaryDial(query_position=p, key_position=q).alt)[1] for p, q in
            [(5, 2), (25, 22), (63, 60), (6, 2)]]  # fmt: skip
    assert told[0] == told[1] == told[2] != told[3]


def test_the_dials_follow_what_moves_and_keep_it():
    explorer = RotaryDial(query=[1, 0, 0.5, 0.25], key=[0, 2, 1, 1], base=50)
    explorer.set_state({"query_position": 7, "key_position": 30, "together": True, "base": 1000})
    same = RotaryDial([1, 0, 0.5, 0.25], [0, 2, 1, 1], 4, 1000, query_position=7, key_position=30)
    assert explorer.alt == same.alt
    assert "distance −23" in explorer.alt
    state = explorer.get_state()
    assert (state["query_position"], state["key_position"], state["together"], state["base"]) == (
        7,
        30,
        True,
        1000,
    )
    assert state["query"] == [1.0, 0.0, 0.5, 0.25]


def test_vectors_that_are_not_given_are_as_long_as_needed():
    assert len(RotaryDial(d_head=12).query) == 12
    assert RotaryDial(d_head=12).query[8:] == list(rotary.QUERY[:4])
    assert RotaryDial(query=np.array([1.0, 2.0])).key == list(rotary.KEY[:2])
    assert RotaryDial(key=(1.0, 2.0, 3.0, 4.0)).query == list(rotary.QUERY[:4])


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"d_head": 5}, "d_head must be even, got 5; numbers turn in pairs, take 6"),
        ({"d_head": 0}, "d_head must be a whole number from 2 to 32, got 0; 8 make four dials"),
        ({"d_head": 34}, "d_head must be a whole number from 2 to 32, got 34"),
        ({"query": [1.0, 2.0, 3.0]}, "d_head must be even, got 3"),
        (
            {"query": [1.0, 2.0], "d_head": 4},
            r"query must be a vector of d_head = 4 numbers, got \[1.0, 2.0\]; ",
        ),
        ({"query": [1.0, 2.0], "key": [1.0, 2.0, 3.0, 4.0]}, "key must be a vector of d_head = 2 numbers"),
        ({"query": [[1.0], [2.0]]}, "query must be a vector of d_head = 2 numbers"),
        ({"query": [[1.0], [2.0, 3.0]]}, "query must be a vector of d_head = 2 numbers"),
        ({"query": 5.0}, "query must be a vector of d_head = 8 numbers, got 5.0"),
        ({"query": np.array(5.0)}, "query must be a vector of d_head = 8 numbers"),
        ({"query": []}, "d_head must be a whole number from 2 to 32, got 0"),
        ({"query": "cat"}, "query must be a vector of d_head = 8 numbers, got 'cat'"),
        ({"key": ["a", "b"]}, "key must be a vector of d_head = 2 numbers"),
        (
            {"key": [1.0, float("nan")]},
            r"key must hold numbers from -1,000 to 1,000, got \[1.0, nan\]; scale it down",
        ),
        ({"key": [1.0, -1001.0]}, "key must hold numbers from -1,000 to 1,000"),
        ({"query": [float("inf"), 1.0]}, "query must hold numbers"),
        ({"base": 9}, "base must be a whole number from 10 to 100,000, got 9"),
        (
            {"query_position": 64},
            "query_position must be a whole number from 0 to 63, got 64; positions count from 0",
        ),
        ({"key_position": -1}, "key_position must be a whole number from 0 to 63, got -1"),
        ({"names": ("sat",)}, r"names must be two, the query's and the key's, got \('sat',\)"),
        ({"names": "ab"}, "names must be two, the query's and the key's, got 'ab'"),
        ({"names": ("sat", "")}, "a name must be 1 to 20 characters that can be printed, got ''; shorten it"),
        ({"names": (" ", "cat")}, "a name must be 1 to 20 characters"),
        ({"names": ("sat", "c" * 21)}, "a name must be 1 to 20 characters"),
        ({"names": ("sa\nt", "cat")}, r"that can be printed, got 'sa\\nt'"),
        ({"names": ("sat", "\ud800")}, "that can be printed"),
    ],
)
def test_dials_refuse_what_they_can_not_show(settings, why):
    with pytest.raises(ValueError, match=why):
        RotaryDial(**settings)


def test_a_tensor_is_a_vector_and_one_being_trained_is_refused():
    assert RotaryDial(torch.tensor([1.0, 0.5])).query == [1.0, 0.5]
    with pytest.raises(
        ValueError, match="query must be a vector of d_head = 2 numbers, got Parameter containing"
    ):
        RotaryDial(torch.nn.Parameter(torch.tensor([1.0, 0.5])))


def test_names_of_another_kind_are_refused_in_a_sentence():
    for names in (5, None, {"sat", "cat"}):
        with pytest.raises(ValueError, match="names must be two, the query's and the key's, got "):
            rotary.two_names(names)


def test_what_was_given_is_told_on_one_short_line():
    with pytest.raises(ValueError, match=r"got array\(.{40,60}…; \[1.0"):
        RotaryDial(query=np.zeros((30, 30)))


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("query_position", 64, "query_position must be"),
        ("key_position", -1, "key_position must be"),
        ("base", 3, "base"),
    ],
)
def test_dials_hold_what_is_set_later_to_the_same_rules(name, value, why):
    explorer = RotaryDial()
    before = getattr(explorer, name)
    with pytest.raises(ValueError, match=why):
        setattr(explorer, name, value)
    assert getattr(explorer, name) == before


@pytest.mark.parametrize("d_head", [2, 8, 12])
def test_the_pictures_hands_are_the_turned_pairs(d_head):
    query, key = vectors(d_head)
    explorer = RotaryDial(query, key, query_position=9, key_position=4)
    ax = plots.new_axes()
    explorer._dials(ax)
    angles = positions.rotary_angles(64, d_head, 100.0)
    longest = np.hypot(*np.concatenate([query, key]).reshape(-1, 2).T).max()
    hands = [line for line in ax.lines if len(line.get_xdata()) == 2]
    got = np.array([np.diff(line.get_data(), axis=1)[:, 0] for line in hands]).reshape(-1, 2, 2)
    for i, (vector, position) in enumerate(((query, 9), (key, 4))):
        turned = positions.rotate_pairs(vector[None], angles[position : position + 1])[0].reshape(-1, 2)
        np.testing.assert_allclose(got[:, i], turned / longest, atol=1e-9)
    assert [text.get_text() for text in ax.figure.legends[0].get_texts()] == [
        "query “sat” at 9",
        "key “cat” at 4",
    ]
    assert ax.texts[-1].get_text().startswith(f"pair {d_head // 2 - 1}: ")


def test_hands_of_no_length_and_names_like_formulas_are_drawn():
    assert RotaryDial([0, 0], [0, 0], names=("$x_2", "<b>&$")).picture().startswith(b"\x89PNG")
    assert "score 0.0000" in RotaryDial([0, 0], [0, 0]).alt


# ---- Both ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Sinusoids, RotaryDial])
def test_it_is_one_script_that_asks_for_nothing_and_answers_by_itself(kind):
    text, sheet = str(kind._esm), str(kind._css)
    body = "const url = 'data:text/javascript;base64,' + Buffer.from(given).toString('base64'); return Object.keys((await import(url)).default)"
    assert run(None, body, text) == ["initialize", "render"]
    assert set(re.findall(r"https?://[^\s\"'`]+", text + sheet)) <= {"http://www.w3.org/2000/svg"}
    assert "innerHTML" not in text
    assert 'el.dataset.answers = "browser"' in text
    assert min(float(size) for size in re.findall(r"font-size: ([\d.]+)px", sheet)) >= 11
    assert all(isinstance(kind.class_traits()[name], traitlets.TraitType) for name in kind.shown)
