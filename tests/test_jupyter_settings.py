"""What is written when a notebook is saved: every widget that it shows has its state, or leaves its picture."""

import copy
import json
from types import SimpleNamespace

import pytest

from jupyter_settings import STATE, VIEW, before_saving, settle


def notebook(*shown, state=(), trusted=True):
    """A notebook whose cells show these widgets, one each, and that stores the state of those in `state`."""
    cells = [{"cell_type": "markdown", "source": "", "metadata": {}}]
    for name in shown:
        data = {VIEW: {"model_id": name}, "image/png": "AAAA", "text/plain": "<Explorer>"}
        output = {"output_type": "execute_result", "data": data, "metadata": {}}
        outputs = [{"output_type": "stream", "name": "stdout", "text": "hello"}, output]
        metadata = {"trusted": True} if trusted else {}
        cells.append({"cell_type": "code", "source": "", "metadata": metadata, "outputs": outputs})
    metadata = {"kernelspec": {"name": "python3"}}
    if state is not None:
        wrapper = {"version_major": 2, "version_minor": 0, "state": {name: model(name) for name in state}}
        metadata["widgets"] = {STATE: wrapper}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def model(name):
    return {"model_name": "AnyModel", "state": {"layout": f"IPY_MODEL_{name}layout", "values": {"k": 2}}}


def stored(book):
    return set(book["metadata"].get("widgets", {}).get(STATE, {}).get("state", {}))


def views(book):
    return [VIEW in cell["outputs"][1]["data"] for cell in book["cells"] if cell["cell_type"] == "code"]


def test_state_that_is_complete_stays():
    book = notebook("a", "b", state=["a", "alayout", "b", "blayout"])
    before = copy.deepcopy(book)
    settle(book)
    assert book == before


def test_missing_state_comes_from_the_file_with_all_that_it_refers_to():
    book = notebook("a", "b", state=["b", "blayout"])
    settle(book, notebook("a", "b", state=["a", "alayout", "b", "blayout"]))
    assert stored(book) == {"a", "alayout", "b", "blayout"}
    assert views(book) == [True, True]


def test_new_state_is_preferred_to_old():
    book, old = notebook("a", state=["a"]), notebook("a", state=["a"])
    book["metadata"]["widgets"][STATE]["state"]["a"]["state"]["values"] = {"k": 7}
    settle(book, old)
    assert book["metadata"]["widgets"][STATE]["state"]["a"]["state"]["values"] == {"k": 7}


def test_state_that_nothing_shows_is_dropped():
    book = notebook("a", state=["a", "alayout", "gone", "gonelayout"])
    settle(book, notebook("older", state=["older"]))
    assert stored(book) == {"a", "alayout"}


def test_models_that_refer_to_each_other_end():
    book = notebook("a", state=["a", "b"])
    state = book["metadata"]["widgets"][STATE]["state"]
    state["a"]["state"] = {"children": ["IPY_MODEL_b", "IPY_MODEL_missing"]}
    state["b"]["state"] = {"parent": "IPY_MODEL_a"}
    settle(book)
    assert stored(book) == {"a", "b"}


def test_without_state_anywhere_the_picture_stays_and_the_view_goes():
    book = notebook("a", "b", state=["b", "blayout"])
    settle(book, None)
    assert views(book) == [False, True]
    assert set(book["cells"][1]["outputs"][1]["data"]) == {"image/png", "text/plain"}


def test_an_output_that_is_nothing_but_a_widget_is_left():
    book = notebook("a", state=())
    book["cells"][1]["outputs"][1]["data"] = {VIEW: {"model_id": "a"}}
    settle(book)
    assert views(book) == [True]


@pytest.mark.parametrize("state", [None, ()])
def test_a_notebook_that_was_only_looked_at_is_as_it_was(state):
    """Opened from a fresh clone and saved by JupyterLab's clock: not trusted, and shows its pictures anyway."""
    book = notebook("a", "b", state=state, trusted=False)
    settle(book)
    assert book == notebook("a", "b", state=None, trusted=False)


def test_the_hook_reads_the_file_that_is_about_to_be_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    old = json.dumps(notebook("a", state=["a", "alayout"]))
    (tmp_path / "folder" / "book.ipynb").write_text(old)
    manager = SimpleNamespace(root_dir=str(tmp_path))
    for path in ("folder/book.ipynb", "/folder/book.ipynb"):
        book = notebook("a", state=())
        before_saving({"type": "notebook", "content": book}, path, manager)
        assert stored(book) == {"a", "alayout"}
    for path in ("new.ipynb", "folder"):
        book = notebook("a", state=())
        before_saving({"type": "notebook", "content": book}, path, manager)
        assert views(book) == [False]


def test_the_hook_leaves_all_but_notebooks_alone():
    for other in ({"type": "file", "content": "text"}, {"type": "directory"}, {"type": "notebook"}):
        before = copy.deepcopy(other)
        before_saving(other, "x", SimpleNamespace())
        assert other == before
