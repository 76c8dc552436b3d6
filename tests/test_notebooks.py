"""What is stored in every notebook, and the guard that reads it: each of its rules refuses a bad notebook."""

import copy
import json

import nbformat
import notebook_guard as guard
import pytest
from execute import METADATA, NOTEBOOKS, WIDGET

ALLOWED = guard.allowed_ignored_outputs()
EVERY = sorted(NOTEBOOKS.glob("*.ipynb"))


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.name)
def test_stored_notebook(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    nbformat.validate(nbformat.from_dict(notebook))
    assert guard.problems(notebook, path.name, ALLOWED.get(path.name, {})) == []


def test_allowed_notebooks_exist():
    assert set(ALLOWED) <= {path.name for path in EVERY}


# ---- the guard itself ------------------------------------------------------------------------------


def picture(alt="A red line falls from 3 to 1."):
    return {
        "output_type": "display_data",
        "data": {"image/png": "aGVsbG8=", "text/plain": ["<Figure size 640x480 with 1 Axes>"]},
        "metadata": {"image/png": {"alt": alt}} if alt is not None else {},
    }


def stream(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": [text]}


def html(text):
    return {"output_type": "display_data", "data": {"text/html": [text]}, "metadata": {}}


def code(number, text, *outputs, tags=None):
    return {
        "cell_type": "code",
        "id": f"xx-{number:03d}",
        "execution_count": number,
        "metadata": {"tags": tags} if tags else {},
        "outputs": list(outputs),
        "source": [text],
    }


def prose(number, text):
    return {"cell_type": "markdown", "id": f"md-{number:03d}", "metadata": {}, "source": [text]}


@pytest.fixture
def good():
    """A notebook with one of everything that is allowed."""
    return {
        "cells": [
            prose(0, "# Dice\n\nEither/or, 2/3, [next](01_tokenization.ipynb), ![a die](images/die.png) `<img>`"),
            code(1, "value = 6 * 7\nprint(value)", stream("42\n")),
            code(2, "draw(value)", picture()),
            code(3, "explore(draw)", picture() | {"data": picture()["data"] | {WIDGET: {"model_id": "ab"}}}),
            code(4, "show()", html('<img alt="a die" src="data:image/png;base64,AA/bb/cc/dd/ee=="><p>a</p>')),
            code(5, "explore(values)", html('<img alt="a die" src="data:image/png;base64,AA==">') | {"data": {"text/html": '<img alt="a die" src="data:image/png;base64,AA==">', WIDGET: {"model_id": "ab"}}}),
            code(6, "1 / 0", {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}, tags=["raises-exception"]),
            code(7, "post('/v1/embeddings')", stream("https://example.org/some/long/path/page.html\n")),
        ],
        "metadata": copy.deepcopy(METADATA),
        "nbformat": 4,
        "nbformat_minor": 5,
    }  # fmt: skip


def test_a_good_notebook_passes(good):
    nbformat.validate(nbformat.from_dict(good))
    assert guard.problems(good, "good") == []


def cell(number, **changes):
    """Change the cell with this index, 0 being prose and 1 to 6 code."""
    return lambda notebook: notebook["cells"][number].update(changes)


def outputs(*new):
    return cell(1, outputs=list(new))


def says(text):
    return cell(1, source=[text])


def writes(text):
    return cell(0, source=[text])


def whole(**changes):
    return lambda notebook: notebook["metadata"].update(changes)


BAD = {
    "never executed": (cell(1, execution_count=None), "was not executed"),
    "stripped by a tool": (cell(2, execution_count=None, outputs=[]), "was not executed"),
    "out of order": (cell(1, execution_count=9), "not executed in order"),
    "a second run of the kernel": (cell(6, execution_count=7), "not executed in order"),
    "widget state": (whole(widgets={"application/vnd.jupyter.widget-state+json": {}}), "widget state"),
    "kernel of one machine": (whole(kernelspec={"display_name": "my-env", "name": "my-env"}), "metadata must be"),
    "interpreter's version": (whole(language_info={"name": "python", "version": "3.11.7"}), "metadata must be"),
    "times of cells": (cell(1, metadata={"execution": {"iopub.status.busy": "2026-01-01"}}), "says nothing"),
    "no id": (lambda notebook: notebook["cells"][1].pop("id"), "has no id"),
    "one id twice": (cell(1, id="xx-002"), "share an id"),
    "path in the code": (says("open('/home/maya/data/story.txt')"), "path of somebody's machine"),
    "path in the prose": (writes("Look into /Users/maya/course."), "path of somebody's machine"),
    "path in an output": (outputs(stream("saved to /tmp/x1/model.bin\n")), "path of somebody's machine"),
    "path of Windows": (outputs(stream("saved to C:\\Users\\maya\\x\n")), "path of somebody's machine"),
    "path in HTML": (outputs(html("<p>from /opt/models/small/a.bin</p>")), "path of somebody's machine"),
    "figure without alt": (outputs(picture(alt=None)), "figure (image/png) without alternative text"),
    "figure with an empty alt": (outputs(picture(alt="  ")), "figure (image/png) without alternative text"),
    "figure with its repr as alt": (outputs(picture(alt="<Figure size 640x480>")), "without alternative text"),
    "widget without a picture": (
        outputs({"output_type": "display_data", "data": {WIDGET: {"model_id": "ab"}}, "metadata": {}}),
        "leaves no picture",
    ),
    "HTML image without alt": (outputs(html('<img src="data:image/png;base64,AA==">')), "image without"),
    "HTML image with an empty alt": (outputs(html('<img alt="" src="a.png">')), "image without"),
    "HTML drawing without a title": (outputs(html("<svg><path d='M0 0'/></svg>")), "drawing (svg)"),
    "Markdown image without alt": (writes("![](images/a.png)"), "image without alternative text"),
    "image from elsewhere": (writes("![a](https://example.org/a.png)"), "loaded from elsewhere"),
    "script from elsewhere": (outputs(html("<script src='//cdn.example.org/x.js'></script>")), "from elsewhere"),
    "stderr": (outputs(stream("Warning: old\n", "stderr")), "written to stderr"),
    "an error": (
        outputs({"output_type": "error", "ename": "KeyError", "evalue": "", "traceback": []}),
        "error is stored: KeyError",
    ),
    "tagged to be ignored": (cell(1, metadata={"tags": ["nbval-ignore-output"]}), "is not compared"),
    "tagged to be skipped": (cell(1, metadata={"tags": ["nbval-skip"]}), "is not compared"),
    "comment to ignore": (says("# NBVAL_IGNORE_OUTPUT\nprint(1)"), "is not compared"),
    "21 lines": (says("\n".join(f"x = {i}" for i in range(21))), "21 lines of code"),
    "empty": (says("\n"), "empty code cell"),
    "sys.path": (says("import sys\nsys.path.append('..')"), "sys.path"),
    "magic": (says("%matplotlib inline"), "magic"),
    "cell magic": (says("%%time\nx = 1"), "magic"),
    "shell": (says("!pip install x"), "magic"),
    "shell into a name": (says("files = !ls"), "magic"),
    "interact": (says("interact(draw, x=(0, 5))"), "interact"),
    "Output": (says("with Output():\n    print(1)"), "Output widget"),
    "clear_output": (says("clear_output(wait=True)"), "clear_output"),
    "semicolon": (says("plot(x);"), "semicolon"),
    "silenced": (says("import warnings\nwarnings.filterwarnings('ignore')"), "silenced"),
    "unfinished": (says("x = 1  # TODO"), "unfinished"),
    "chdir": (says("os.chdir('..')"), "chdir"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_notebook_is_refused(good, name):
    spoil, sentence = BAD[name]
    spoil(good)
    found = guard.problems(good, "bad")
    assert len(found) == 1, found
    assert sentence in found[0]


def test_ignored_with_a_reason_passes_until_the_cell_is_gone(good):
    good["cells"][1]["metadata"] = {"tags": ["nbval-ignore-output"]}
    assert guard.problems(good, "good", allowed={"xx-001": "prints the seconds it took"}) == []
    good["cells"][1]["metadata"] = {}
    found = guard.problems(good, "good", allowed={"xx-001": "prints the seconds it took"})
    assert len(found) == 1
    assert "take it off" in found[0]


def test_list_of_ignored_cells_is_short_and_gives_reasons(tmp_path):
    path = tmp_path / "allowed.toml"
    row = '[[cell]]\nnotebook = "06.ipynb"\nid = "06-{}"\nreason = "{}"\n'
    path.write_text(row.format(1, "prints the seconds it took"))
    assert guard.allowed_ignored_outputs(path) == {"06.ipynb": {"06-1": "prints the seconds it took"}}
    path.write_text(row.format(1, "random"))
    with pytest.raises(ValueError, match="a reason in a few words"):
        guard.allowed_ignored_outputs(path)
    path.write_text(
        "".join(row.format(n, "prints the seconds it took") for n in range(guard.MOST_IGNORED + 1))
    )
    with pytest.raises(ValueError, match=f"at most {guard.MOST_IGNORED} outputs"):
        guard.allowed_ignored_outputs(path)
