"""Execute notebooks and save them in place, so that a second run changes no byte of them.

Run by ``make notebooks``; the plain command is ``python tests/execute.py``, or with names or beginnings of
names, ``python tests/execute.py 00 01_tokenization``. What would change from run to run is not stored: the
interpreter's version, times, widgets' state and their random ids. A notebook whose cell raises stays as it was.
"""

import argparse
import os
import sys
import tempfile
import time
import uuid
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
WIDGET = "application/vnd.jupyter.widget-view+json"


class CellFailed(Exception):
    """A cell raised: the message names the notebook, the cell and the error."""


def settle(notebook, stem):
    """Give every cell an id that stays (``"01-004"``), and drop what differs from run to run.

    Ids that a cell already has are kept. A widget's id in the stored output points at state that is not
    stored; it is made from the cell's id, so that it is the same after every run.
    """
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict(METADATA)
    seen = set()
    for number, cell in enumerate(notebook.cells):
        if not cell.get("id") or cell["id"] in seen:
            cell["id"] = f"{stem[:2]}-{number:03d}"
        seen.add(cell["id"])
        cell.metadata.pop("execution", None)
        for place, output in enumerate(cell.get("outputs", [])):
            if WIDGET in output.get("data", {}):
                output["data"][WIDGET]["model_id"] = uuid.uuid5(
                    uuid.NAMESPACE_OID, f"{stem} {cell['id']} {place}"
                ).hex


def execute(path, timeout=600):
    """Execute one notebook in its own folder and save it; True if its file changed.

    ``timeout`` is in seconds, for each cell. Raises ``CellFailed`` and leaves the file alone when a cell raises.
    """
    path = Path(path)
    notebook = nbformat.read(path, as_version=4)
    settle(notebook, path.stem)
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        store_widget_state=False,
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],  # the kernel's own remarks are not about the notebook
        resources={"metadata": {"path": str(path.parent)}},
    )
    at = None

    def remember(cell, cell_index):
        nonlocal at
        at = f"cell {cell_index} ({cell['id']})"

    client.on_cell_execute = remember
    try:
        client.execute()
    except CellExecutionError as error:
        raise CellFailed(f"{path.name}, {at}: {error.ename}: {error.evalue}\n\n{error.traceback}") from None
    except (TimeoutError, RuntimeError) as error:  # a cell that never ends, a kernel that died
        raise CellFailed(f"{path.name}, {at}: {type(error).__name__}: {error}") from None
    settle(notebook, path.stem)
    nbformat.validate(notebook)
    return write(path, nbformat.writes(notebook) + "\n")


def write(path, text):
    """Replace the file in one step, or leave it alone if that is what it holds; True if it changed."""
    new = text.encode("utf-8")
    if path.exists() and path.read_bytes() == new:
        return False
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(new)
        os.chmod(temporary, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True


def chosen(names, folder=NOTEBOOKS):
    """The notebooks whose file name starts with one of ``names``, all of them for none.

    >>> [path.name for path in chosen(["00"])]
    ['00_start_here.ipynb']
    """
    every = sorted(folder.glob("*.ipynb"))
    if not names:
        return every
    for name in names:
        if not any(path.name.startswith(Path(name).name) for path in every):
            raise ValueError(
                f"no notebook starts with {name!r}; there are: {', '.join(path.stem for path in every)}"
            )
    return [path for path in every if any(path.name.startswith(Path(name).name) for name in names)]


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Execute notebooks and save them in place.")
    parser.add_argument(
        "names", nargs="*", help="beginnings of names (00, 01_tokenization); all of them for none"
    )
    try:
        paths = chosen(parser.parse_args(arguments).names)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if not paths:
        print("no notebooks yet")
    failed = 0
    for path in paths:
        start = time.perf_counter()
        try:
            what = "saved" if execute(path) else "unchanged"
        except CellFailed as error:
            failed += 1
            what = "NOT SAVED: a cell raised"
            print(error, file=sys.stderr)
        print(f"{path.name:40}{time.perf_counter() - start:6.1f} s  {what}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
