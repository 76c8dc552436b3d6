"""Where the real models are missing, a notebook says in one line what to run, and goes on to its end."""

import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_runs_without_the_models(path, tmp_path, monkeypatch):
    monkeypatch.setenv("UNDER_THE_HOOD_CACHE", str(tmp_path / "empty"))
    notebook = nbformat.read(path, as_version=4)
    for file in (path, path.parent / "glossary.md"):
        shutil.copy(file, tmp_path)
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=dict(os.environ))  # raises where a cell does
    text = "".join(
        "".join(output.get("text", ""))
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )
    assert 1 <= text.count("python -m helpers.pretrained") <= 2  # a line for each model
    assert "stderr" not in {
        output.get("name") for cell in notebook.cells for output in cell.get("outputs", [])
    }
