"""Executing and saving: a second run changes no byte, and a cell that raises changes nothing at all."""

import json

import execute
import nbformat
import pytest
from execute import METADATA, WIDGET

SLIDER = "import ipywidgets\nipywidgets.IntSlider(3, description='merges')"


def save(path, *sources, **metadata):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    for number, cell in enumerate(cells):
        cell["id"] = f"mine-{number}"
        cell.metadata["execution"] = {"iopub.status.busy": "2026-01-01T00:00:00Z"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


def test_second_run_is_byte_identical(tmp_path):
    (tmp_path / "word.txt").write_text("fox")
    path = save(
        tmp_path / "07_tiny.ipynb",
        "open('word.txt').read()",
        SLIDER,
        "print('a', flush=True); print('b', flush=True)",
        kernelspec={"name": "my-env", "display_name": "my-env"},
        widgets={"application/vnd.jupyter.widget-state+json": {"state": {}}},
    )
    assert execute.execute(path)
    once = path.read_bytes()
    assert not execute.execute(path)
    assert path.read_bytes() == once

    notebook = json.loads(once)
    assert notebook["metadata"] == METADATA
    assert [cell["execution_count"] for cell in notebook["cells"]] == [1, 2, 3]
    assert [cell["id"] for cell in notebook["cells"]] == ["mine-0", "mine-1", "mine-2"]
    assert all(cell["metadata"] == {} for cell in notebook["cells"])
    word, slider, lines = (cell["outputs"] for cell in notebook["cells"])
    assert word[0]["data"]["text/plain"] == ["'fox'"], "a cell runs in its notebook's folder"
    assert WIDGET in slider[0]["data"]
    assert [output["text"] for output in lines] == [["a\n", "b\n"]]
    assert once.endswith(b"}\n")
    assert list(tmp_path.glob(".*")) == []


def test_ids_are_given_where_missing_or_double():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(str(n)) for n in range(4)])
    notebook.cells[1]["id"] = "kept"
    notebook.cells[2]["id"] = "kept"
    del notebook.cells[3]["id"]
    notebook.cells[0]["id"] = "first"
    execute.settle(notebook, "05_transformer")
    assert [cell["id"] for cell in notebook.cells] == ["first", "kept", "05-002", "05-003"]


def test_cell_that_raises_is_named_and_the_file_stays(tmp_path, capsys, monkeypatch):
    bad = save(tmp_path / "00_bad.ipynb", "word = 'fox'", "word + 1")
    save(tmp_path / "01_good.ipynb", "6 * 7")
    before = bad.read_bytes()
    monkeypatch.setattr(execute.chosen, "__defaults__", (tmp_path,))
    assert execute.main([]) == 1
    told = capsys.readouterr()
    assert "00_bad.ipynb, cell 1 (mine-1): TypeError: can only concatenate str" in told.err
    assert "00_bad.ipynb" in told.out
    assert "NOT SAVED" in told.out
    assert bad.read_bytes() == before
    assert json.loads((tmp_path / "01_good.ipynb").read_text())["cells"][0]["outputs"], "the others go on"


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.ipynb"
    path.write_text("old")

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(execute.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        execute.write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_chosen(tmp_path):
    for name in ("00_start", "01_tokens", "10_beyond"):
        (tmp_path / f"{name}.ipynb").touch()
    assert [path.stem for path in execute.chosen([], tmp_path)] == ["00_start", "01_tokens", "10_beyond"]
    assert [path.stem for path in execute.chosen(["10", "notebooks/00_start.ipynb"], tmp_path)] == [
        "00_start",
        "10_beyond",
    ]
    with pytest.raises(ValueError, match="no notebook starts with '02'; there are: 00_start, 01_tokens"):
        execute.chosen(["02"], tmp_path)
