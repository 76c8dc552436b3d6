"""The parameter counters: what the browser counts is what Python counts."""

import itertools
import json
import re

import numpy as np
import pytest
import traitlets
from bundles import left_behind
from hypothesis import given, settings
from hypothesis import strategies as st
from js.run import run

from helpers import parameters, plots
from helpers.explorers import parameters as explorers
from helpers.explorers.base import HERE
from helpers.explorers.parameters import DenseCounter, ParameterCounter, draw_network, draw_scale, draw_shares
from helpers.parameters import CHOICES, GPT2, LIMITS, PUBLISHED, Sizes, dense_parameters, gpt_parameters
from helpers.transformer import GPTConfig

NETWORKS = [[3, 5, 4, 2], [2, 1], [1, 1], [1, 2], [784, 1000, 10], [12, 13, 1, 7], [1_000_000] * 8]
SMALL = {"vocab_size": 1011, "n_ctx": 7, "n_layers": 3, "n_heads": 4, "d_model": 24}
PRESETS = ParameterCounter().presets


def as_dict(sizes):
    return {name: getattr(sizes, name) for name in Sizes.__dataclass_fields__}


def kinds():
    """Every combination of parts, each with sizes of its own."""
    switches = [*CHOICES.values(), (True, False), (True, False)]
    for number, values in enumerate(itertools.product(*switches)):
        names = dict(zip((*CHOICES, "tied", "bias"), values, strict=True))
        yield Sizes(**SMALL, n_kv_heads=(1, 2, 4)[number % 3], d_mlp=50 + number, **names)


GPTS = [*kinds(), *(one.sizes for one in PUBLISHED.values()), Sizes(**LIMITS, tied=False, mlp="swiglu")]

# ---- The browser agrees with Python ---------------------------------------------------------------------------------


def test_full_layers_are_counted_as_in_python():
    got = run("parameters", "return given.map((sizes) => [m.dense(sizes), m.describeDense(sizes)])", NETWORKS)
    for sizes, (counted, told) in zip(NETWORKS, got, strict=True):
        count = dense_parameters(sizes)
        assert counted["terms"] == list(count.terms)
        assert counted["total"] == count.total
        assert counted["formula"] == count.formula
        assert " + ".join(counted["products"]) == count.formula.split(" = ")[0]
        assert told == DenseCounter(sizes).alt
    assert got[0][0]["total"] == 54


def test_a_gpt_is_counted_as_in_python_part_by_part():
    got = run("parameters", "return given.map((sizes) => m.gpt(sizes))", [as_dict(sizes) for sizes in GPTS])
    for sizes, counted in zip(GPTS, got, strict=True):
        count = gpt_parameters(sizes)
        assert counted["total"] == count.total
        assert [
            (one["name"], one["formula"], one["numbers"], one["count"]) for one in counted["parts"]
        ] == list(count.parts)


def test_the_sentence_is_that_of_python():
    got = run(
        "parameters",
        "return given.all.map((sizes) => m.describeGPT(sizes, given.presets))",
        {"all": [as_dict(sizes) for sizes in GPTS], "presets": PRESETS},
    )
    assert got == [ParameterCounter(sizes).alt for sizes in GPTS]


def test_limits_names_and_bytes_are_those_of_python():
    sizes = [
        1,
        2,
        999,
        1000,
        1005,
        12_345,
        999_499,
        999_500,
        134_515_008,
        1_125_000,
        1_135_000,
        698_417_037_312,
        2**51,
    ]
    widest, limits, gpt2, names, told, memory = run(
        "parameters",
        """return [[m.WIDEST, m.MOST_LAYERS, m.MOST_DRAWN], m.LIMITS, m.GPT2, [2, 3, 8].map(m.layerNames), given.map(m.bytesTold), given.map(m.weightBytes)];""",
        sizes,
    )
    assert widest == [parameters.WIDEST, explorers.MOST_LAYERS, explorers.MOST_DRAWN]
    assert limits == LIMITS
    assert gpt2 == GPT2
    assert names == [parameters.layer_names(n) for n in (2, 3, 8)]
    assert told == [parameters.bytes_told(n) for n in sizes]
    assert [dict(one) for one in memory] == [parameters.weight_bytes(n) for n in sizes]


@given(st.lists(st.integers(1, 4 * 2**53), min_size=200, max_size=200))
@settings(max_examples=3, deadline=None)
def test_any_bytes_are_told_as_in_python(sizes):
    exact = [int(float(n)) for n in sizes]
    assert run("parameters", "return given.map(m.bytesTold)", exact) == [
        parameters.bytes_told(n) for n in exact
    ]


# ---- What is typed --------------------------------------------------------------------------------------------------


TYPED = {
    "5": 5, " 5 ": 5, "007": 7, "49152": 49_152, "49,152": 49_152, "1,234,567": 1_234_567, "49 152": 49_152,
    "49_152": 49_152, "49\u202f152": 49_152, "49'152": 49_152, "49’152": 49_152, "0": 0, "": None, "  ": None,
    "-3": None, "3.5": None, "3,5": None, "1e3": None, "12,34": None, ",123": None, "1,,234": None, "0x10": None,
    "five": None, "5 cats": None, "१२": None, "5\n6": None, "1234,567": None,
}  # fmt: skip


def test_whole_numbers_are_read_with_and_without_marks():
    assert (
        dict(zip(TYPED, run("parameters", "return given.map(m.parsed)", list(TYPED)), strict=True)) == TYPED
    )


def test_a_size_that_can_not_be_is_refused_in_pythons_words():
    got = run(
        "parameters",
        """return given.map(([name, typed, most, hint]) => m.refusal(name, typed, most, hint));""",
        [
            *([name, str(value), most, f"GPT-2 has {GPT2[name]:,}"] for name, most in LIMITS.items() for value in (0, most + 1)),
            ["layer 1", "1000001", 1_000_000, "1 is one neuron"],
        ],
    )  # fmt: skip
    expected = []
    for name, most in LIMITS.items():
        for value in (0, most + 1):
            with pytest.raises(ValueError, match=name) as refused:
                Sizes(**{**SMALL, name: value})
            expected.append(str(refused.value))
    with pytest.raises(ValueError, match="layer 1") as refused:
        DenseCounter([3, 1_000_001, 2])
    assert got == [*expected, str(refused.value)]


def test_what_is_no_number_is_refused_with_what_was_typed():
    got = run(
        "parameters",
        'return given.map((typed) => m.refusal("inputs", typed, 1000, "1 is one neuron"))',
        ["", " ", "abc", "-3", "1" * 30, "1" + "0" * 18, "x" * 500, "1,000", "1", "1001"],
    )
    rule = "inputs must be a whole number from 1 to 1,000, got "
    assert got == [
        f"{rule}nothing; 1 is one neuron",
        f"{rule}nothing; 1 is one neuron",
        f"{rule}'abc'; 1 is one neuron",
        f"{rule}'-3'; 1 is one neuron",
        f"{rule}one of 19 digits or more; 1 is one neuron",
        f"{rule}one of 19 digits or more; 1 is one neuron",
        f"{rule}'{'x' * 39}…'; 1 is one neuron",
        "",
        "",
        f"{rule}1,001; 1 is one neuron",
    ]


def test_sizes_that_do_not_fit_together_are_refused_in_pythons_words():
    fits = [(4, 4, 24, "learned"), (12, 4, 24, "rotary"), (8, 8, 24, "none"), (1, 1, 1, "learned")]
    wrong = [
        (4, 4, 25, "learned"), (9, 3, 577, "rotary"), (1500, 1, 1000, "none"), (12, 8, 24, "learned"),
        (4, 8, 24, "none"), (8, 8, 24, "rotary"), (1, 1, 4001, "rotary"), (7, 3, 25, "rotary"),
    ]  # fmt: skip
    got = run(
        "parameters",
        "return given.map(([n_heads, n_kv_heads, d_model, positions]) => m.broken({ n_heads, n_kv_heads, d_model, positions }))",
        fits + wrong,
    )
    assert got[: len(fits)] == [None] * len(fits)
    for (n_heads, n_kv_heads, d_model, positions), broken in zip(wrong, got[len(fits) :], strict=True):
        with pytest.raises(ValueError, match=r"must divide|must be even") as refused:
            Sizes(5, 5, 5, n_heads, d_model, n_kv_heads, 5, positions=positions)
        assert broken["text"] == str(refused.value)
        assert set(broken["names"]) <= {"n_heads", "n_kv_heads", "d_model"}
        first = broken["text"].split()[0]
        assert broken["names"][0] == (first if first in LIMITS else "n_heads")


def edited(function, cases):
    """The sizes that a function of the page gives, for [arguments] each."""
    return run("parameters", f"return given.map((one) => m.{function}(...one))", cases)


GPT_2, SMOL = (as_dict(PUBLISHED[name].sizes) for name in ("GPT-2", "SmolLM2"))
BOTH, NONE = {"n_kv_heads": True, "d_mlp": True}, {"n_kv_heads": False, "d_mlp": False}


def test_sizes_that_follow_go_along_until_they_are_given_by_themselves():
    got = edited(
        "carried",
        [["n_heads", {**GPT_2, "n_heads": 6}, BOTH], ["n_heads", {**GPT_2, "n_heads": 6}, NONE],
         ["d_model", {**GPT_2, "d_model": 96}, BOTH], ["d_model", {**GPT_2, "d_model": 96}, NONE],
         ["n_layers", {**GPT_2, "n_heads": 6, "d_model": 96}, BOTH]],
    )  # fmt: skip
    assert [(one["n_heads"], one["n_kv_heads"], one["d_model"], one["d_mlp"]) for one in got] == [
        (6, 6, 768, 3072), (6, 12, 768, 3072), (12, 12, 96, 384), (12, 12, 96, 3072), (6, 12, 96, 3072),
    ]  # fmt: skip


def test_arrow_keys_go_to_the_next_size_that_fits():
    cases = [
        (("n_heads", 1, SMOL, NONE), 12), (("n_heads", -1, SMOL, NONE), 6), (("n_kv_heads", 1, SMOL, NONE), 9),
        (("n_kv_heads", -1, SMOL, NONE), 1), (("n_kv_heads", -1, {**SMOL, "n_kv_heads": 1}, NONE), None),
        (("n_kv_heads", 1, GPT_2, NONE), None), (("d_model", 1, SMOL, NONE), 594), (("d_model", -1, SMOL, NONE), 558),
        (("d_model", 1, GPT_2, BOTH), 780), (("n_heads", 1, GPT_2, BOTH), 16), (("n_heads", 1, GPT_2, NONE), 24),
        (("n_heads", 1, {**GPT_2, "n_heads": 768}, BOTH), None), (("vocab_size", 1, SMOL, NONE), 49_153),
        (("d_mlp", -1, SMOL, NONE), 1_535), (("n_layers", -1, {**SMOL, "n_layers": 1}, NONE), None),
        (("n_layers", 1, {**SMOL, "n_layers": 1_000}, NONE), None), (("n_layers", 1, {**SMOL, "n_layers": 999}, NONE), 1_000),
        (("n_layers", 1, {**SMOL, "d_model": 577}, NONE), 31),  # a quarrel elsewhere does not stop it
    ]  # fmt: skip
    assert edited("nextSize", [list(case) for case, _ in cases]) == [expected for _, expected in cases]


def test_what_quarrels_stays_as_it_was_and_the_rest_goes_on():
    new = {**SMOL, "d_model": 577, "n_layers": 31, "tied": False, "positions": "none", "d_mlp": 2308}
    fine, held, following = edited(
        "accepted", [[{**new, "d_model": 585}, SMOL, NONE], [new, SMOL, NONE], [new, SMOL, BOTH]]
    )
    assert fine == {"sizes": {**new, "d_model": 585}, "conflict": None}
    rest = {**SMOL, "n_layers": 31, "tied": False}
    assert held["sizes"] == {**rest, "d_mlp": 2308}
    assert following["sizes"] == rest
    assert held["conflict"]["text"].startswith("n_heads must divide d_model, got 9 heads for 577 numbers")
    swapped = edited("accepted", [[{**GPT_2, "n_heads": 6, "n_kv_heads": 4}, GPT_2, NONE]])[0]
    assert swapped["sizes"] == GPT_2
    assert swapped["conflict"]["names"] == ["n_kv_heads", "n_heads"]


# ---- What is said and drawn -----------------------------------------------------------------------------------------


def test_a_layers_parameters_are_explained():
    got = run(
        "parameters", "return given.map(([sizes, at]) => m.explained(sizes, at))",
        [[[3, 5, 4, 2], 1], [[3, 5, 4, 2], 0], [[3, 5, 4, 2], 3], [[1, 1], 1], [[1, 3000], 0], [[1, 3000], 1]],
    )  # fmt: skip
    assert got == [
        "layer 1: (3 + 1) × 5 = 20: each of its 5 neurons has 3 weights, one for each neuron before it, and 1 bias.",
        "inputs: 3 numbers that are given. They have no parameters of their own.",
        "outputs: (4 + 1) × 2 = 10: each of its 2 neurons has 4 weights, one for each neuron before it, and 1 bias.",
        "outputs: (1 + 1) × 1 = 2: its neuron has 1 weight, for the neuron before it, and 1 bias.",
        "inputs: 1 number that is given. They have no parameters of their own.",
        "outputs: (1 + 1) × 3,000 = 6,000: each of its 3,000 neurons has 1 weight, for the neuron before it, and 1 bias.",
    ]


def test_what_is_heard_is_short_and_names_the_largest_part():
    got = run(
        "parameters",
        "return given.map((one) => m.spoken(one.name, m.gpt(one.sizes)))",
        [PRESETS[0], PRESETS[2], PRESETS[5]],
    )
    assert got == [
        "Tinytown GPT: 113,088 parameters, 58 % of them in feed-forward; 452 kB as float32.",
        "SmolLM2: 134,515,008 parameters, 59 % of them in feed-forward; 538 MB as float32.",
        "GPT-3: 174,604,259,328 parameters, 66 % of them in feed-forward; 698 GB as float32.",
    ]


def test_sizes_are_known_again_and_the_published_number_is_compared():
    got = run(
        "parameters",
        """const edited = { ...given[3].sizes, n_layers: 47 };
        return [given.map((one) => m.presetOf({ ...one.sizes }, given).name), m.presetOf(edited, given) ?? null,
          given.map((one) => m.gap(one, m.gpt(one.sizes).total)), m.gap(undefined, 5), m.gap({ published: 90 }, 100)];""",
        PRESETS,
    )
    assert got[0] == list(PUBLISHED)
    assert got[1] is None
    assert got[2] == [""] * 5 + ["Published are 175,000,000,000, rounded: 0.2 % more."]
    assert got[3:] == ["", "Published are 90, rounded: 11 % less."]


def test_every_change_of_a_size_makes_it_another_model():
    sizes = as_dict(Sizes(**SMALL))
    changes = {
        **{name: sizes[name] + 1 for name in LIMITS}, "norm": "rmsnorm", "positions": "none", "mlp": "swiglu", "tied": False, "bias": False,
    }  # fmt: skip
    assert set(changes) == set(sizes)
    got = run(
        "parameters",
        "return given.changes.map((change) => Boolean(m.presetOf({ ...given.sizes, ...change }, [given])))",
        {"sizes": sizes, "changes": [{}, *({name: value} for name, value in changes.items())]},
    )
    assert got == [True] + [False] * len(changes)


def test_labels_on_the_line_cover_each_other_nowhere():
    labels = [[40, 80], [300, 52], [302, 40], [365, 60], [420, 75], [590, 40], [2, 90]]
    room, space = 600, 8
    places = run("parameters", "return m.stacked(given[0], given[1], given[2])", [labels, room, space])
    boxes = [
        (one["row"], one["left"], one["left"] + width) for one, (_, width) in zip(places, labels, strict=True)
    ]
    assert all(left >= 0 and right <= room for _, left, right in boxes)
    for (row, left, right), (other, from_, to) in itertools.combinations(boxes, 2):
        assert row != other or left > to + space - 1 or right < from_ - space + 1
    assert {row for row, _, _ in boxes} == {0, 1}
    assert places[3]["left"] == 365 - 30
    for gap, rows in ((7, [0, 1]), (9, [0, 0])):  # to the right of a label, and to the left of it
        for other in (100 + 40 + gap, 100 - 40 - gap):
            near = run("parameters", "return m.stacked(given, 300, 8)", [[100, 40], [other, 40]])
            assert [one["row"] for one in near] == rows


def test_powers_of_ten_in_words():
    assert run("parameters", "return given.map(m.powerTold)", [0, 2, 3, 5, 6, 9, 11, 12, 15]) == [
        "1", "100", "1 thousand", "100 thousand", "1 million", "1 billion", "100 billion", "1 trillion", "1 quadrillion",
    ]  # fmt: skip


# ---- In Python: full layers -----------------------------------------------------------------------------------------


def test_full_layers_say_what_they_show_and_leave_a_picture():
    explorer = DenseCounter()
    assert repr(explorer) == (
        "<DenseCounter: Layers of 3, 5, 4 and 2 neurons: (3 + 1) × 5 + (5 + 1) × 4 + (4 + 1) × 2 = 20 + 24 + 10 = 54 "
        "parameters.>"
    )
    data, _ = explorer._repr_mimebundle_()
    assert left_behind(data) == explorer.alt
    assert data["text/plain"] == repr(explorer)
    assert DenseCounter([1, 1]).alt.endswith("= 2 parameters.")


def test_full_layers_follow_the_browser():
    explorer = DenseCounter((3, 5, 4, 2))
    explorer.set_state({"sizes": [7, 2]})
    assert explorer.alt == DenseCounter(np.array([7, 2])).alt
    assert json.loads(json.dumps(explorer.get_state()["sizes"])) == [7, 2]
    explorer.sizes = (4, 4, 4)
    assert "= 20 + 20 = 40 parameters" in explorer.alt


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        ([3], "sizes must be a list of at least two layers"),
        ("3-5", "sizes must be a list of at least two layers"),
        ([3, 0, 2], "layer 1 must be a whole number from 1 to 1,000,000, got 0"),
        ([3, 2.5], "outputs must be"),
        (
            [2] * 9,
            "a network must have at most 8 layers to fit the drawing, got 9; dense_parameters counts any",
        ),
    ],
)
def test_layers_that_can_not_be_are_refused_first_and_later(sizes, why):
    with pytest.raises(ValueError, match=why):
        DenseCounter(sizes)
    explorer = DenseCounter([2, 3])
    with pytest.raises(ValueError, match=why):
        explorer.sizes = sizes if isinstance(sizes, list) else list(sizes)[:1]
    assert explorer.sizes == [2, 3]


@pytest.mark.parametrize("sizes", [[3, 5, 4, 2], [12, 12], [1, 1]])
def test_the_picture_has_a_line_for_every_parameter(sizes):
    ax = plots.new_axes()
    draw_network(sizes, ax)
    lines = [line for line in ax.lines if len(line.get_xdata()) == 2 and np.ptp(line.get_xdata()) == 1]
    assert len(lines) == dense_parameters(sizes).total
    dashed = [line for line in lines if line.get_linestyle() == "--"]
    assert len(dashed) == sum(sizes[1:])  # a bias for each neuron
    texts = [text.get_text() for text in ax.texts]
    assert texts[0].startswith("inputs\n")
    assert [text for text in texts if "\n" not in text] == [
        str(term) for term in dense_parameters(sizes).terms
    ]


def test_a_large_layer_is_a_box_with_its_number():
    ax = plots.new_axes()
    draw_network([13, 2], ax)
    lines = [line for line in ax.lines if len(line.get_xdata()) == 2 and np.ptp(line.get_xdata()) == 1]
    assert len(lines) == 2 * 2  # box and bias to each output
    assert "13" in [text.get_text() for text in ax.texts]
    assert DenseCounter([1_000_000, 12, 1, 13, 2, 2, 2, 700]).picture().startswith(b"\x89PNG")


# ---- In Python: a GPT -----------------------------------------------------------------------------------------------


def test_a_gpt_says_what_it_shows_and_leaves_a_picture():
    explorer = ParameterCounter()
    assert explorer.alt == (
        "SmolLM2 has 134,515,008 parameters: feed-forward 79,626,240 (59 %), embedding 28,311,552 (21 %), queries "
        "9,953,280 (7 %), attention output 9,953,280 (7 %), keys 3,317,760 (2 %), values 3,317,760 (2 %), norms 35,136 "
        "(under 0.1 %). The weights take 538 MB as float32, 269 MB as float16, 135 MB as 8-bit, 67.3 MB as 4-bit."
    )
    data, _ = explorer._repr_mimebundle_()
    assert left_behind(data) == explorer.alt
    assert data["text/plain"] == repr(explorer) == f"<ParameterCounter: {explorer.alt}>"
    assert "width:900px" in data["text/html"]


def test_gpt_3s_published_number_is_told_beside_the_count():
    told = ParameterCounter("GPT-3").alt
    assert told.startswith("GPT-3 has 174,604,259,328 parameters: feed-forward 115,970,015,232 (66 %), ")
    assert ". Published are 175,000,000,000, rounded: 0.2 % more. The weights take 698 GB" in told
    assert "Published" not in ParameterCounter("Llama 3 8B").alt


def test_a_gpt_follows_the_browser():
    explorer = ParameterCounter("GPT-2")
    sizes = {**explorer.sizes, "n_layers": 13}
    explorer.set_state({"sizes": sizes})
    assert explorer.model == "Your own sizes"
    assert explorer.alt == ParameterCounter(Sizes(**sizes)).alt
    assert explorer.alt.startswith("Your own sizes have 131,527,680 parameters: ")
    assert json.loads(json.dumps(explorer.get_state()["sizes"])) == sizes
    explorer.sizes = {**sizes, "n_layers": 12, "n_kv_heads": None, "d_mlp": None}
    assert explorer.model == "GPT-2"
    assert explorer.sizes["d_mlp"] == 3072


def test_any_config_can_be_counted():
    config = GPTConfig(**SMALL, n_kv_heads=2, dropout=0.5)
    explorer = ParameterCounter(config)
    assert explorer.sizes == as_dict(Sizes(**SMALL, n_kv_heads=2))
    assert all(ParameterCounter(name).model == name for name in PUBLISHED)
    assert [one["name"] for one in explorer.presets] == list(PUBLISHED)
    assert json.loads(json.dumps(explorer.presets)) == explorer.presets


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (
            "GPT-4",
            "model must be one of Tinytown GPT, GPT-2, .*, GPT-3, or a GPTConfig, got 'GPT-4'; take the nearest",
        ),
        ("", "got ''; take the nearest"),
        (5, "config must have the sizes of a GPT, got 5 without vocab_size"),
        (None, "config must have the sizes of a GPT, got None"),
    ],
)
def test_models_that_are_not_known_are_refused(model, why):
    with pytest.raises(ValueError, match=why):
        ParameterCounter(model)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"n_layers": 0}, "n_layers must be a whole number from 1 to 1,000, got 0"),
        ({"d_model": 577}, "n_heads must divide d_model"),
        ({"layers": 5}, "sizes must be vocab_size, n_ctx, .*, bias, got 'layers'; leave it out"),
        ({"norm": "none"}, "norm must be one of"),
    ],
)
def test_a_gpt_holds_what_is_set_later_to_the_same_rules(change, why):
    explorer = ParameterCounter()
    before = explorer.sizes
    with pytest.raises(ValueError, match=why):
        explorer.sizes = {**before, **change}
    assert explorer.sizes == before
    with pytest.raises(ValueError, match="sizes must hold vocab_size, got n_ctx; add it"):
        explorer.sizes = {"n_ctx": 5}
    with pytest.raises(ValueError, match="sizes must hold vocab_size, got nothing; add it"):
        explorer.sizes = {}


def test_the_pictures_bars_are_the_shares():
    for sizes in GPTS[:48:7]:
        count = gpt_parameters(sizes)
        ax = plots.new_axes()
        draw_shares(count, ax)
        there = [part for part in count.parts if part.count]
        np.testing.assert_allclose(
            [bar.get_width() for bar in ax.patches], [part.count / count.total for part in there]
        )
        assert [label.get_text() for label in ax.get_yticklabels()] == [part.name for part in there]
        assert [text.get_text().split(" ")[0] for text in ax.texts] == [f"{part.count:,}" for part in there]
        assert ax.yaxis_inverted()


def test_the_pictures_line_holds_all_models_and_marks_one():
    for name, total, rows in (
        ("GPT-2", 124_439_808, 6),
        ("Your own sizes", 500, 7),
        ("Your own sizes", 10**14, 7),
    ):
        ax = plots.new_axes()
        draw_scale(name, total, ax)
        assert len(ax.lines) == rows
        marked = [line for line in ax.lines if line.get_marker() == "D"]
        assert [line.get_xdata()[0] for line in marked] == [total]
        labels = ax.get_yticklabels()
        assert [label.get_text() for label in labels if label.get_fontweight() == "bold"] == [name]
        assert labels[int(marked[0].get_ydata()[0])].get_text() == name
        xs = [line.get_xdata()[0] for line in ax.lines]
        assert xs == sorted(xs)
        assert ax.get_xlim()[0] < xs[0]
        assert ax.get_xlim()[1] > xs[-1]
        assert ax.get_xscale() == "log"


def test_every_part_has_a_look_of_its_own_in_picture_and_page():
    names = [part.name for part in gpt_parameters(GPTS[0]).parts]
    assert list(explorers.COLOURS) == names
    assert len(set(explorers.COLOURS.values())) == len(names)
    sheet = (HERE / "parameters.css").read_text(encoding="utf-8")
    for name in names:
        assert f".uth-part-{name.replace(' ', '-')}" in sheet


# ---- Both -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [DenseCounter, ParameterCounter])
def test_it_is_one_script_that_asks_for_nothing_and_answers_by_itself(kind):
    text, sheet = str(kind._esm), str(kind._css)
    body = "const url = 'data:text/javascript;base64,' + Buffer.from(given).toString('base64'); return Object.keys((await import(url)).default)"
    assert run(None, body, text) == ["initialize", "render"]
    assert set(re.findall(r"https?://[^\s\"'`]+", text + sheet)) <= {"http://www.w3.org/2000/svg"}
    assert "innerHTML" not in text
    assert (HERE / "parameters.js").read_text(encoding="utf-8").count('el.dataset.answers = "browser"') == 2
    assert min(float(size) for size in re.findall(r"font-size: ([\d.]+)px", sheet)) >= 11
    assert all(isinstance(kind.class_traits()[name], traitlets.TraitType) for name in kind.shown)
    assert {kind().get_state()["kind"] for kind in (DenseCounter, ParameterCounter)} == {"dense", "gpt"}
