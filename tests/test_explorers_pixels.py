"""The pixel explorer: what the browser reads, rolls and says is what Python does, and what may come in."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from bundles import left_behind
from js.run import run

from helpers import pixels
from helpers.explorers.pixels import NOBODY, PixelExplorer, finished, row_costs, told_cost
from helpers.transformer import GPT

MODEL = pixels.load_pixels()
TEST = pixels.digits("test")
SETTINGS = [
    (0, {"rows": 4, "temperature": 1.0, "seed": 0, "told": None}),
    (7, {"rows": 0, "temperature": 0.5, "seed": 41, "told": None}),
    (3, {"rows": 7, "temperature": 2.0, "seed": 95, "told": 8}),
    (5, {"rows": 1, "temperature": 0.0, "seed": 3, "told": 0}),
]
READER = """
const reader = new m.Reader(given.config, given.sizes, Float32Array.from(given.weights));
"""


@pytest.fixture(scope="module")
def sent():
    """What travels to the browser."""
    explorer = PixelExplorer(MODEL)
    return {
        "config": explorer.config,
        "sizes": explorer.sizes,
        "weights": np.frombuffer(explorer.weights, dtype="<f4").tolist(),
    }


def test_the_browser_draws_pythons_pictures(sent):
    asked = [
        {
            "drawing": TEST.levels[at].ravel().tolist(),
            **now,
            "told": NOBODY if now["told"] is None else now["told"],
        }
        for at, now in SETTINGS
    ]
    found = run(
        "pixels",
        READER
        + """
        return given.asked.map((now) => {
          const { pictures, logits, dice } = m.complete(reader, now.drawing, now);
          return { pictures: pictures.map((one) => Array.from(one)), dice, bits: m.bits(logits, pictures[0]) };
        });""",
        sent | {"asked": asked},
    )
    for (at, now), there in zip(SETTINGS, found, strict=True):
        here = [finished(MODEL, TEST.levels[at], **now | {"seed": now["seed"] + n}) for n in range(4)]
        assert there["pictures"] == [one.levels.ravel().tolist() for one in here]
        np.testing.assert_allclose(
            np.reshape(there["dice"], (64, 4))[8 * now["rows"] :], here[0].dice[8 * now["rows"] :], atol=1e-4
        )
        np.testing.assert_allclose(np.reshape(there["bits"], (8, 8)), here[0].bits, atol=1e-3)


def test_what_was_given_stays():
    for at, now in SETTINGS:
        np.testing.assert_array_equal(
            finished(MODEL, TEST.levels[at], **now).levels[: now["rows"]], TEST.levels[at][: now["rows"]]
        )


def test_at_temperature_0_the_seed_does_not_matter_and_the_likeliest_is_taken():
    one, two = (finished(MODEL, TEST.levels[2], 4, 0.0, seed) for seed in (0, 77))
    np.testing.assert_array_equal(one.levels, two.levels)
    np.testing.assert_array_equal(one.dice[32:].argmax(axis=1), one.levels.ravel()[32:])
    np.testing.assert_allclose(one.dice[32:].max(axis=1), 1)


@pytest.mark.parametrize(
    ("cost", "rows"), [(1.25, 4), (0.5, 1), (9.0, 7), (0.0, 3), (1.0, 2), (1.00005, 2), (0.0, 0)]
)
def test_both_say_the_same_about_what_rows_cost(cost, rows):
    costs = [1.0, 1.5, 1.0]
    there = run(
        "pixels",
        "return m.toldCost(given.cost, given.rows, given.costs)",
        {"cost": cost, "rows": rows, "costs": costs},
    )
    assert there == told_cost(cost, rows, np.array(costs))


def test_a_test_digit_costs_no_more_than_itself():
    costs = row_costs(pixels.surprise(MODEL, TEST.levels))
    for cost in np.sort(costs[3])[[0, 100]]:
        for rounded in (cost - 3e-5, cost, cost + 3e-5):
            assert told_cost(float(rounded), 4, costs[3]) == told_cost(float(cost), 4, costs[3])


def test_the_sentences_about_edges_are_true():
    train = pixels.digits("train").levels
    assert not (train[:, 0] == 0).all(axis=1).any()  # "no picture begins with even one row of paper"
    assert not (train[:, 0] == 3).all(axis=1).any()

    def said(level, temperature=1, rows=4):
        given = {
            "drawing": [level] * 64,
            "now": {"rows": rows, "temperature": temperature, "seed": 5, "told": NOBODY},
        }
        pictures = "[[0, 1], [0, 1], [0, 2], [0, 1]]"
        return run("pixels", f"return m.toldPictures(given.drawing, given.now, {pictures})", given)

    assert said(0).startswith("An empty page: ")
    assert said(3).startswith("All ink: ")
    assert said(1) == "Seeds 5 to 8 drew 2 different pictures."
    assert (
        said(0, rows=0) == "Seeds 5 to 8 drew 2 different pictures."
    )  # nothing was given, so nothing is odd
    assert "no dice" in said(1, temperature=0)


def test_a_pixel_tells_its_dice_and_how_they_fell():
    now = {"rows": 4, "temperature": 1, "seed": 3}
    picture, dice = [2] * 64, [0.1, 0.25, 0.3, 0.35] * 64
    body = "return m.toldPixel(given.pixel, given.now, given.picture, Float64Array.from(given.dice))"
    given = {"now": now, "picture": picture, "dice": dice}
    assert run("pixels", body, given | {"pixel": 5}) == "You gave dark. The dice would have given it 30 %."
    rolled = run("pixels", body, given | {"pixel": 40})
    assert rolled.endswith("dark has the stretch from 0.350 to 0.650.")
    cold = run("pixels", body, given | {"pixel": 40, "now": now | {"temperature": 0}})
    assert cold == "No dice at temperature 0: dark is the likeliest."
    greedy = [0, 1, 0, 0] * 64
    cold = run("pixels", body, given | {"pixel": 5, "dice": greedy, "now": now | {"temperature": 0}})
    assert cold == "You gave dark. The likeliest was light."


def test_a_model_of_another_shape_with_biases_is_read_as_in_python():
    config = replace(pixels.CONFIG, n_layers=3, n_heads=2, d_model=24, bias=True, norm_eps=1e-3)
    model = GPT(config, seed=5, std=0.4)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 1:  # biases and norms begin at 0 and 1: so they would prove nothing
                weight += torch.linspace(-0.3, 0.4, len(weight)) * (1 if "bias" in name else -1)
    explorer = PixelExplorer(model, TEST.levels[4], rows=3, seed=6, told=2)
    found = run(
        "pixels",
        READER
        + """
        const { pictures, logits, dice } = m.complete(reader, given.drawing, given.now);
        return { pictures: pictures.map((one) => Array.from(one)), dice, bits: m.bits(logits, pictures[0]) };""",
        {
            "config": explorer.config,
            "sizes": explorer.sizes,
            "weights": np.frombuffer(explorer.weights, dtype="<f4").tolist(),
            "drawing": TEST.levels[4].ravel().tolist(),
            "now": {"rows": 3, "temperature": 1, "seed": 6, "told": 2},
        },
    )
    here = [finished(model, TEST.levels[4], 3, 1.0, 6 + n, 2) for n in range(4)]
    assert found["pictures"] == [one.levels.ravel().tolist() for one in here]
    np.testing.assert_allclose(np.reshape(found["dice"], (64, 4)), here[0].dice, atol=1e-4)
    np.testing.assert_allclose(np.reshape(found["bits"], (8, 8)), here[0].bits, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocab_size": 14}, "the model must be a GPT with the 15 tokens of pictures, got one with 14"),
        ({"n_ctx": 63}, "the model must read 64 tokens, got one with n_ctx=63"),
        ({"norm": "rmsnorm"}, r"the browser's GPT must have layernorm.*; pixels.load_pixels\(\) gives one"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_in_a_sentence(change, message):
    with pytest.raises(ValueError, match=message):
        PixelExplorer(GPT(replace(pixels.CONFIG, d_model=16, n_heads=2, **change)))


@pytest.mark.parametrize("drawing", ["", "0" * 63, "4" * 64, "x" * 64])
def test_a_drawing_that_is_none_becomes_a_problem_and_no_traceback(drawing):
    explorer = PixelExplorer(MODEL)
    explorer.drawing = drawing
    assert explorer.problem.startswith("drawing must be 8 rows of 8 whole numbers")
    explorer.drawing = "0123" * 16
    assert explorer.problem == ""
    assert "01230123" in explorer.alt


def test_a_picture_is_spelled_row_by_row():
    picture = [0] * 48 + [1] * 8 + [2] * 8
    assert run("pixels", "return m.spelled(given, 6)", picture) == "row 7: 11111111, row 8: 22222222"


def test_it_leaves_a_picture_with_alternative_text():
    explorer = PixelExplorer(MODEL, TEST.levels[1], rows=2, temperature=0.5, seed=7, told=1)
    data, _ = explorer._repr_mimebundle_()
    alt = left_behind(data)
    assert alt in repr(explorer)
    assert "the upper 2 rows" in alt
    assert "at temperature 0.5, seed 7, told that it is a 1" in alt
    assert " ".join("".join(map(str, row)) for row in TEST.levels[1][:2]) in alt


def test_the_first_pixel_is_the_one_that_was_least_likely():
    explorer = PixelExplorer(MODEL, rows=5)
    found = explorer.finished()
    odds = found.dice[np.arange(64), found.levels.ravel()]
    assert explorer.pixel - 1 == 40 + int(odds[40:].argmin())
    assert PixelExplorer(MODEL, pixel=3).pixel == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"drawing": np.zeros((7, 8))}, "drawing must be 8 rows of 8 whole numbers from 0"),
        ({"drawing": np.full((8, 8), 4)}, "drawing must be 8 rows"),
        ({"drawing": [[0, 1], [2]]}, "drawing must be 8 rows"),
        ({"rows": 8}, "rows must be a whole number from 0 to 7, got 8; 4 are half a picture"),
        ({"rows": True}, "rows must be a whole number"),
        ({"temperature": -0.1}, "temperature must be a number from 0 to 2 here, got -0.1"),
        ({"temperature": 2.1}, "temperature must be a number from 0 to 2 here"),
        ({"temperature": float("nan")}, "temperature must be a number"),
        ({"seed": 100}, "seed must be a whole number from 0 to 99"),
        ({"told": 10}, "told must be a whole number from 0 to 9"),
        ({"pixel": 0}, "pixel must be a whole number from 1 to 64"),
    ],
)
def test_settings_out_of_range_are_refused_in_a_sentence(settings, message):
    kept = {name: settings[name] for name in settings}
    with pytest.raises(ValueError, match=message):
        _build(kept)


def _build(settings):
    try:
        PixelExplorer(MODEL, **settings)
    except Exception as error:  # jaxtyping names the type; only sentences of ours count here
        if type(error).__name__ == "TypeCheckError":
            pytest.fail(str(error)[:300])
        raise
