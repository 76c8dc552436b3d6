"""The gradient-descent explorer: what the browser computes is what Python computes, and what it leaves behind."""

import re

import numpy as np
import pytest
import traitlets
from bundles import left_behind
from js.run import run

from helpers.descent import LANDSCAPES, descend
from helpers.explorers import gradient_descent
from helpers.explorers.gradient_descent import MOST, GradientDescent, describe, levels, told

SETTINGS = [(0.1, 0.0, 10), (0.5, 0.9, 60), (2.5, 0.0, 200), (0.001, 0.98, 3), (1.0, 0.5, 1), (0.25, 0.0, 0)]


@pytest.mark.parametrize("name", LANDSCAPES)
def test_ways_and_sentences_are_those_of_python(name):
    ways = run(
        "gradient_descent",
        """return given.settings.map(([rate, momentum, steps]) => {
          const way = m.descend(m.LANDSCAPES[given.name], rate, momentum, steps);
          return { ...way, told: m.describe(given.name, rate, momentum, way) };
        });""",
        {"name": name, "settings": SETTINGS},
    )
    for got, (rate, momentum, steps) in zip(ways, SETTINGS, strict=True):
        way = descend(LANDSCAPES[name], rate, momentum, steps)
        np.testing.assert_allclose(got["path"], way.path, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(got["losses"], way.losses, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(got["slopes"], way.slopes, rtol=1e-8, atol=1e-12)
        assert (got["arrived"], got["diverged"]) == (way.arrived, way.diverged)
        assert got["told"] == describe(name, rate, momentum, way)


def test_landscapes_are_the_same_in_both():
    theirs = run("gradient_descent", "return m.LANDSCAPES")
    assert list(theirs) == list(LANDSCAPES)
    for name, one in LANDSCAPES.items():
        assert theirs[name]["names"] == list(one.names)
        assert theirs[name]["start"] == list(one.start)
        assert (theirs[name]["x"], theirs[name]["y"]) == (list(one.x_range), list(one.y_range))
        assert theirs[name]["lowest"] == [list(place) for place in one.lowest]
        assert theirs[name]["about"] == one.about


def test_numbers_are_written_alike():
    numbers = [0, 1e-12, 2e-9, 0.0012345, 0.001, 0.1, 0.25, 1, 1.999, 12.346, 999.6, 1000, 9999, 10001, 1e9]
    assert run("gradient_descent", "return given.map(m.told)", numbers) == [told(float(n)) for n in numbers]


def test_the_sliders_rates():
    steps = list(range(-60, 15))
    rates = run("gradient_descent", "return given.map(m.rateAt)", steps)
    assert rates[0] == 0.001
    assert rates[-1] == 5.0
    assert rates == sorted(set(rates))
    assert run("gradient_descent", "return given.map(m.stepOfRate)", rates) == steps


def test_a_contour_line_lies_where_the_height_is():
    """On a plane it is a straight line, in a bowl a circle."""
    path = run(
        "gradient_descent",
        """const at = (i) => -2 + i / 5, table = [];
        for (let r = 0; r < 21; r++) for (let c = 0; c < 21; c++) table.push(at(c) ** 2 + at(r) ** 2);
        return m.contour(table, 21, 21, 2.25, (c) => 1000 * at(c), (r) => 1000 * at(r));""",
    )
    points = np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", path), dtype=float)
    assert len(points) > 40
    np.testing.assert_allclose(np.hypot(*points.T), 1500, atol=10)
    assert run("gradient_descent", "return m.contour([1, 1, 1, 1], 2, 2, 0.5, Number, Number)") == ""


def test_what_it_leaves_behind():
    explorer = GradientDescent("narrow valley", 0.12, 0.0, 30)
    data = explorer._repr_mimebundle_()[0]
    assert data["text/plain"] == f"<GradientDescent: {explorer.alt}>"
    assert left_behind(data) == explorer.alt == explorer.describe()
    assert explorer.alt.startswith(
        "narrow valley, learning rate 0.12, momentum 0: after 30 steps the loss went from 8 to "
    )


def test_the_description_follows_the_controls():
    explorer = GradientDescent()
    explorer.set_state({"learning_rate": 2.5, "steps": 40})
    assert explorer.alt.endswith("It diverged: every step goes farther away.")
    explorer.set_state({"learning_rate": 0.5})
    assert "It reached flat ground at step 11." in explorer.alt
    explorer.set_state({"learning_rate": 2.01, "steps": 5})
    assert explorer.alt.endswith("That is higher than at the start.")
    explorer.set_state({"steps": 1, "learning_rate": 0.1})
    assert "after 1 step the loss" in explorer.alt
    explorer.set_state({"steps": 0})
    assert explorer.alt.endswith("after 0 steps the loss went from 2.05 to 2.05.")


def test_a_picture_of_every_landscape():
    for name in LANDSCAPES:
        for steps in (0, 20):
            assert GradientDescent(name, 3.0, 0.5, steps).picture().startswith(b"\x89PNG")


def test_levels_are_closer_together_where_it_is_low():
    found = levels(np.array([[1.0, 3.0], [2.0, 5.0]]), count=10)
    assert len(found) == 9
    assert 1 < found[0] < found[-1] < 5
    assert (np.diff(found, 2) > 0).all()


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        (
            {"landscape": "hill"},
            "landscape must be one of bowl, narrow valley, two dents, two and two, got 'hill'",
        ),
        ({"landscape": None}, "landscape must be one of"),
        ({"learning_rate": 0}, "learning_rate must be a number from 0.001 to 5, got 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number"),
        ({"learning_rate": "0.1"}, "learning_rate must be a number"),
        ({"momentum": 1}, "momentum must be a number from 0 to 0.98, got 1"),
        ({"momentum": -0.1}, "momentum must be a number"),
        ({"steps": MOST + 1}, "steps must be a whole number from 0 to 200, got 201"),
        ({"steps": 2.5}, "steps must be a whole number"),
        ({"steps": True}, "steps must be a whole number"),
    ],
)
def test_bad_settings_here_and_later(settings, rule):
    with pytest.raises(ValueError, match=re.escape(rule)):
        GradientDescent(**settings)
    explorer = GradientDescent()
    ((name, value),) = settings.items()
    with pytest.raises((ValueError, traitlets.TraitError)):
        setattr(explorer, name, value)
    assert explorer.alt == GradientDescent().alt


def test_traits_of_the_browser_are_not_sent_back():
    explorer = GradientDescent()
    for name in GradientDescent.shown:
        assert explorer.trait_metadata(name, "echo_update") is False
        assert explorer.trait_metadata(name, "sync")
    assert gradient_descent.RATES == (0.001, 5.0)
