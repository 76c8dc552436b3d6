"""Every notebook in JupyterLab and Chromium: it runs, and all that is interactive in it is for everybody.

Nothing here knows a notebook or an explorer by name. What is in a notebook is found, and tested.
"""

import shutil

import driver
import pytest

# Milliseconds, median, from key press to painted change. "model": a real model reads a text, 20 tokens through 30 layers.
LIMITS = {"browser": 50, "kernel": 150, "model": 600}
MOVES = {"browser": 7, "kernel": 5, "model": 5}  # of a control, to and fro
TRIES = 3  # at most, until the median is under the limit
MOST_BUTTONS = 25  # of each explorer are pressed, evenly chosen
MOVABLE = ("range", "select", "radio", "number", "check", "text")
NEXT_TIME = ("Seed", "Roll from")  # what only the next roll heeds: it changes nothing by itself


def chosen(controls):
    """What to move: each value control (a group of radio buttons is one), then some of the buttons.

    Buttons come from last to first: the first ones often start all over, and what the others offered is gone.
    """
    values = [one for one in controls if one["kind"] in MOVABLE and (one["kind"] != "radio" or one["tab"])]
    buttons = [control for control in controls if control["kind"] == "button"]
    step = max(1, -(-len(buttons) // MOST_BUTTONS))
    return values + buttons[::-step]


def moves(explorer, control):
    """Whether it does what it is for when moved by keyboard; None where it is gone."""
    if control["group"] in NEXT_TIME and explorer.control(control["key"]):
        before = explorer.value(control)
        explorer.press(control)
        return explorer.value(control) != before
    return explorer.moves(control)


def moves_after_another(explorer, control, controls):
    """Whether it moves now, or after one of the explorer's buttons was pressed."""
    if moves(explorer, control) is not False:
        return True
    others = [one for one in controls if one["kind"] == "button" and one != control]
    return any(moves(explorer, other) and moves(explorer, control) is not False for other in others)


def test_it_runs_from_top_to_bottom(opened):
    assert opened.raised == []
    assert opened.watch.errors == []


def test_widgets_are_alive_after_running(opened):
    assert [widget for widget in opened.widgets() if not widget["alive"]] == []


@pytest.mark.parametrize("theme", driver.THEMES)
def test_it_can_be_read_by_everybody(opened, theme):
    opened.theme(theme)
    opened.width(driver.WIDTHS[0])
    assert opened.violations() == []


@pytest.mark.parametrize("width", driver.WIDTHS)
@pytest.mark.parametrize("theme", driver.THEMES)
def test_pictures_for_the_eye(opened, theme, width):
    """Screenshots for somebody to look at; what a machine can see is that nothing is wider than its room."""
    opened.theme(theme)
    opened.width(width)
    folder = driver.SCREENSHOTS / opened.path.removesuffix(".ipynb") / f"{theme}-{width}"
    shutil.rmtree(folder, ignore_errors=True)
    assert opened.photograph(folder)
    assert opened.too_wide() == []


def test_every_control_is_reached_with_tab_and_says_what_it_is(opened):
    opened.theme("light")
    opened.width(driver.WIDTHS[0])
    wrong = []
    for explorer in opened.explorers():
        controls = explorer.controls()
        assert controls, f"{explorer.name} has no control"
        reached = {one["key"]: one["seen"] for one in explorer.tab_through()}
        for control in controls:
            where = f"{explorer.name}: {control['key']}"
            if control["tab"] and not control["disabled"] and control["key"] not in reached:
                wrong.append(f"{where}: Tab does not reach it")
            if not reached.get(control["key"], True):
                wrong.append(f"{where}: one can't see that it has the focus")
            own_words = control["kind"] == "place" or control["key"].startswith("summary")
            if not control["name"] and not (own_words and control["text"]):
                wrong.append(f"{where}: no accessible name")
    assert wrong == []


def test_every_control_is_moved_by_keyboard_and_the_view_changes(opened, turns):
    wrong = []
    for explorer in opened.explorers():
        turns.pause()
        controls = chosen(explorer.controls())
        still = [control for control in controls if moves(explorer, control) is False]
        # "Undo" can do nothing at the start, nor "roll" at the end: once more, after other buttons.
        still = [control for control in still if not moves_after_another(explorer, control, controls)]
        wrong += [f"{explorer.name}: {control['key']}: nothing changes" for control in still]
    assert wrong == []


def test_answers_come_soon(opened, alone, record_property):
    slow, before = [], driver.crowding(opened.page)
    for explorer in opened.explorers():
        controls = [one for one in chosen(explorer.controls()) if explorer.usable(one)]
        # One control of each kind; buttons only where there is nothing else.
        firsts = {one["kind"]: one for one in reversed(controls) if one["group"] not in NEXT_TIME}
        if len(firsts) > 1:
            firsts.pop("button", None)
        # A text last: a letter too many in it is another question for the controls beside it.
        for control in sorted(firsts.values(), key=lambda one: one["kind"] == "text"):
            limit, count = LIMITS[control["answers"]], MOVES[control["answers"]]
            for attempt in range(TRIES):  # a machine has its moods
                if attempt:
                    opened.page.wait_for_timeout(2000)
                times, after = explorer.latencies(control, count), driver.crowding(opened.page)
                crowding, before = max(before, after), after
                if not times or driver.median(times) < limit * crowding:
                    break
            if (
                not times
            ):  # a letter that is refused, say; whether it moves at all is the business of the test above
                continue
            name = f"{opened.path[:2]} {explorer.name}: {control['key']}"
            record_property(driver.LATENCY, (name, control["answers"], times, limit, crowding))
            if 0 < len(times) < count and control["kind"] != "button":
                slow.append(f"{name}: only {len(times)} of {count} moves changed the view")
            elif driver.median(times) >= limit * crowding:
                slow.append(f"{name}: {driver.median(times):.0f} ms, and the limit is {limit} ms")
    assert slow == []


def test_it_asked_for_nothing_outside_this_machine_and_nothing_broke(opened):
    """After all the moves above."""
    assert opened.watch.outside == []
    assert opened.watch.errors == []


@pytest.mark.parametrize("kernel", [True, False], ids=["with a kernel", "without a kernel"])
def test_a_fresh_clone_shows_pictures_before_anything_runs(opened, open_notebook, kernel):
    fresh = f"fresh-{opened.path}"
    shutil.copy(driver.ROOT / "notebooks" / opened.path, opened.lab.root / fresh)
    notebook = open_notebook(fresh, kernel)
    notebook.page.wait_for_timeout(500)
    wrong = [
        widget
        for widget in notebook.widgets()
        if widget["alive"]
        or not widget["images"]
        or not all(widget["images"])
        or any(text in widget["text"] for text in driver.BROKEN)
    ]
    notebook.close()
    assert wrong == []


def test_a_saved_notebook_is_alive_again_with_no_cell_run(opened, open_notebook):
    """Run, saved, kernel gone; opened."""
    count = len(opened.explorers())
    opened.save()
    opened.close()
    notebook = open_notebook(opened.path)
    explorers = notebook.wait_for_explorers(count)
    for widget in notebook.widgets():
        assert widget["alive"], widget
        assert not any(text in widget["text"] for text in driver.BROKEN)
    silent = []
    for explorer in explorers:
        controls = [control for control in chosen(explorer.controls()) if explorer.usable(control)]
        answers = any(explorer.moves(control) for control in controls)
        if explorer.answers == "kernel" and not answers:
            answers = explorer.says_soon("kernel", seconds=25)
        if not answers:
            silent.append(
                f"{explorer.name} answers in the {explorer.answers}, and neither moves nor says why not"
            )
    assert silent == []
    assert notebook.watch.errors == []
    notebook.close()
