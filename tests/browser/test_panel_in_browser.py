"""What can happen to an open panel: a burst of keys, an error, a kernel that was restarted; and planted faults."""

import driver
import nbformat
import pytest

PANEL = """
import time
from helpers.explorers import explore

drawn = 0


def draw(ax, k, wave):
    global drawn
    drawn += 1
    time.sleep(0.25)
    ax.plot([0, k], [0, len(wave)])
    if wave == "broken":
        raise KeyError("no such wave")


explore(draw, lambda k, wave: f"A {wave} to {k}, picture {drawn}", k=(1, 60, 1, 2), wave=["sine", "broken"])
"""
PALE = """
from IPython.display import HTML
HTML('<p style="color: #bbb; background: #fff">pale</p><img src="https://example.org/outside.png" alt="">')
"""


def write(lab, name, *cells):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in cells])
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(notebook, lab.root / name)
    return name


@pytest.fixture(scope="module")
def panel(lab, open_notebook):
    notebook = open_notebook(write(lab, "panel.ipynb", PANEL))
    assert notebook.run() == []
    notebook.save()
    (explorer,) = notebook.explorers()
    explorer.notebook = notebook
    yield explorer
    notebook.close()


def named(explorer, name):
    return next(control for control in explorer.controls() if control["name"] == name)


def test_a_burst_of_keys_costs_few_pictures(panel):
    slider = named(panel, "k")
    panel.control(slider["key"]).focus()
    for _ in range(30):
        panel.page.keyboard.press("ArrowRight")
    panel.wait_until_it_says("A sine to 32", seconds=15)
    panel.settle()
    pictures = int(panel.says().split("picture ")[1].split()[0])
    assert pictures < 15


def test_an_error_is_said_and_is_gone_with_the_next_move(panel):
    choice = named(panel, "wave")
    panel.press(choice)
    panel.wait_until_it_says("KeyError: 'no such wave'", seconds=10)
    panel.press(choice, back=True)
    panel.wait_until_it_says("A sine", seconds=10)
    assert "KeyError" not in panel.says()


def test_a_kernel_that_was_restarted_is_said(panel):
    panel.notebook.restart()
    panel.page.wait_for_timeout(500)
    panel.press(named(panel, "k"))
    panel.wait_until_it_says("kernel", seconds=25)


def test_saved_after_a_restart_it_is_alive_when_opened(panel, open_notebook):
    """And when it was opened, saved with nothing run, and opened again."""
    panel.notebook.save()
    panel.notebook.close()
    again = open_notebook("panel.ipynb")
    again.wait_for_explorers(1)
    again.close(save=True)
    notebook = open_notebook("panel.ipynb")
    (explorer,) = notebook.wait_for_explorers(1)
    assert "A sine to" in explorer.says()
    notebook.close()


SLOW_LOOKS = "{ const timer = setTimeout; window.setTimeout = (call, ms, ...rest) => timer(call, ms === 100 ? 6000 : ms, ...rest); }"


def test_a_view_that_was_given_up_too_early_is_shown_after_all(panel, window, lab):
    """ipywidgets looks for a widget every 100 ms, for 2 s. With 6 s between two looks it misses all."""
    panel.notebook.close()  # its end is the end of the kernel
    page, errors = window.new_page(), []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.add_init_script(SLOW_LOOKS)
    notebook = driver.Notebook(page, lab, "panel.ipynb").open()
    (explorer,) = notebook.wait_for_explorers(1)
    assert [text for text in errors if "widget model not found" in text], "it was not given up in this test"
    assert "A sine to" in explorer.says()
    assert not any(text in widget["text"] for widget in notebook.widgets() for text in driver.BROKEN)
    notebook.close()


def test_planted_faults_are_found(lab, open_notebook):
    """Pale text, a request to another machine, a cell that raises: what the other tests would say to them."""
    notebook = open_notebook(write(lab, "pale.ipynb", PALE, "1 / 0"))
    assert notebook.run() == ["cell 1: ZeroDivisionError: division by zero"]
    assert [sentence for sentence in notebook.violations() if "color-contrast" in sentence]
    assert set(notebook.watch.outside) == {"https://example.org/outside.png"}
    notebook.close()
