"""The panel: what the kernel does when a control moves, without a browser."""

import base64
import logging

import pytest

from helpers.explorers import Panel, explore


def draw(ax, k, name="sine", wide=False):
    if name == "broken":
        raise KeyError("no such wave")
    if k > 8:
        raise ValueError(f"k must be at most 8, got {k}; take a slower wave")
    ax.plot([0, k], [0, 1 + wide])


def describe(k, name="sine", wide=False):
    return f"A {name} with k = {k}{', wide' if wide else ''}"


@pytest.fixture
def panel():
    return explore(
        draw, describe, k=(1, 10, 1, 2), name=["sine", "broken"], wide=False, labels={"k": "frequency"}
    )


def move(panel, **values):
    panel.values = {**panel.values, **values}


def test_it_shows_itself_with_a_picture_and_a_line(panel):
    data, metadata = panel._repr_mimebundle_()
    assert data["text/plain"] == repr(panel) == "<Explorer: A sine with k = 2>"
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == "A sine with k = 2"
    assert "application/vnd.jupyter.widget-view+json" in data


def test_controls_reach_the_browser(panel):
    slider, choice, switch = panel.controls
    assert slider == {
        "name": "k", "label": "frequency", "kind": "slider", "min": 1, "max": 10, "step": 1, "value": 2, "whole": True,
    }  # fmt: skip
    assert choice["choices"] == ["sine", "broken"]
    assert choice["label"] == "name"
    assert switch["kind"] == "switch"


def test_a_move_changes_picture_and_text(panel):
    before = panel.png
    move(panel, k=5, wide=True)
    assert panel.alt == "A sine with k = 5, wide"
    assert panel.png != before
    assert panel.answered == panel.values


def test_moving_there_and_back_gives_the_same_picture(panel):
    before = panel.png
    move(panel, k=7)
    move(panel, k=2)
    assert panel.png == before


def test_a_rule_that_is_broken_is_said_and_the_picture_stays(panel):
    move(panel, k=4)
    before = panel.png
    move(panel, k=9)
    assert panel.problem == "k must be at most 8, got 9; take a slower wave"
    assert panel.png == before
    assert panel.alt == "A sine with k = 4"
    assert panel.values["k"] == 9  # what the learner chose is kept
    assert panel.answered == panel.values
    move(panel, k=3)
    assert panel.problem == ""


def test_an_error_in_the_drawing_function_is_never_swallowed(panel, caplog):
    with caplog.at_level(logging.ERROR):
        move(panel, name="broken")
    assert panel.problem == "KeyError: 'no such wave'"
    assert "no such wave" in caplog.text


def test_the_first_picture_must_not_fail():
    with pytest.raises(ValueError, match="k must be at most 8, got 9"):
        explore(draw, describe, k=(1, 10, 1, 9))


def test_whole_numbers_stay_whole_after_the_browser():
    seen = []
    panel = explore(
        lambda ax, k, x: seen.append((k, x)), lambda k, x: f"{k} {x}", k=(0, 9, 1, 2), x=(0.0, 1.0, 0.1, 0.5)
    )
    panel.values = {"k": 3.0, "x": 1}
    assert seen[-1] == (3, 1)
    assert isinstance(seen[-1][0], int)
    assert panel.alt == "3 1"


@pytest.mark.parametrize("control", [(1, 2), (5, 1, 1, 3), (0, 5, 1, 9), (0, 5, 0, 1), [], 3, None, [1, 2]])
def test_what_can_not_be_a_control_is_refused(control):
    with pytest.raises(ValueError, match="control 'k' must be"):
        explore(lambda ax, k: None, lambda k: "x", k=control)


def test_a_panel_is_a_widget_with_its_javascript_beside_it():
    assert "function render" in str(Panel._esm)
    assert ".uth-panel" in str(Panel._css)
    assert "http" not in str(Panel._esm)  # nothing is fetched from elsewhere
