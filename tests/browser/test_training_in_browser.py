"""The loss curve while a cell trains: Stop is heard although the kernel is busy, and pressing it twice does no harm.

This rests on how JupyterLab and ipykernel hand messages to a busy kernel (subshells), which no other test sees.
"""

import json
import time

import nbformat
import pytest

STEPS = 900
CELLS = (
    f"""
import math, time
from helpers.explorers import LossCurve
from helpers.training import Record

def slowly(steps={STEPS}):
    for step in range(1, steps + 1):
        time.sleep(0.02)
        yield Record(step, 0.4 + 4.7 * math.exp(-step / 90), 0.006, 1.0, 61_000)

curve = LossCurve({{"uniform": 5.12, "floor": 0.4}}, steps={STEPS})
curve""",
    """
for record in curve.watch(slowly(), name="first"):
    pass
print(record.step)""",
    "curve",
)
RUNNING = ".uth-loss-curve .uth-going:not([hidden])"
RESTING = ".uth-loss-curve .uth-going[hidden]"


@pytest.fixture(scope="module")
def training(open_notebook, lab):
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell.strip(), id=f"c{i}") for i, cell in enumerate(CELLS)]
    )
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (lab.root / "training.ipynb").write_text(json.dumps(book), encoding="utf-8")
    notebook = open_notebook("training.ipynb")
    notebook.page.evaluate(
        "() => { window.uthDone = false; jupyterapp.commands.execute('notebook:run-all-cells').then(() => { window.uthDone = true; }); }"
    )
    yield notebook
    notebook.close()


def test_stop_is_heard_while_the_cell_runs(training):
    page = training.page
    page.wait_for_selector(RUNNING, timeout=60_000)
    told = page.locator(".uth-loss-curve .uth-live").first
    page.wait_for_function(
        "document.querySelector('.uth-loss-curve .uth-live').innerText.includes('step')", timeout=30_000
    )
    first = told.inner_text()
    time.sleep(0.5)
    assert told.inner_text() != first  # it goes on live
    stop = page.locator(".uth-going button").first
    stop.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # twice: no harm
    page.wait_for_selector(RESTING, state="attached", timeout=10_000)
    page.wait_for_function("window.uthDone", timeout=30_000)
    assert training.watch.errors == []
    said = page.locator(".uth-loss-curve .uth-told").first.inner_text()
    assert "stopped at step" in said
    assert f"of {STEPS}" in said


def test_the_cells_below_go_on_with_what_was_learned(training):
    training.save()
    outputs = [output for cell in training.saved()["cells"] for output in cell["outputs"]]
    (printed,) = [output["text"] for output in outputs if output["output_type"] == "stream"]
    assert 0 < int("".join(printed)) < STEPS
    last = "".join(outputs[-1]["data"]["text/plain"])
    assert last.startswith("<LossCurve: Loss in nats per token")
    assert "stopped" in last
