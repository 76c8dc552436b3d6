"""Files of measurements that a command of the course has written: one run a line, read and written whole or not at all.

What takes minutes is measured once, by a command such as ``python -m helpers.scaling``, and committed as JSON, so
that a notebook draws it at once and anybody can make it anew. The file says what it is and which command wrote it.

What it leaves out: what a run holds. That is for the module that measured it.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

File = TypeVar("File")  # what a file holds


def save_results(runs: Iterable[Any], path: str | os.PathLike[str], **head: Any) -> None:
    """Writes `head`, with at least ``format`` and ``command``, and then `runs`, one a line, all or nothing.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_results([{"n": 1}, {"n": 2}], Path(folder) / "x.json", format="counts", command="python -m x")
    ...     print((Path(folder) / "x.json").read_text(), end="")
    {"format": "counts", "command": "python -m x", "runs": [
    {"n": 1},
    {"n": 2}
    ]}
    """
    lines = ",\n".join(json.dumps(run, ensure_ascii=False) for run in runs)
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        unfinished.write_text(json.dumps(head)[:-1] + f', "runs": [\n{lines}\n]}}\n', encoding="utf-8")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_results(
    path: str | os.PathLike[str], read: Callable[[Mapping[str, Any]], File], *, format: str, command: str
) -> File:
    """What `read` makes of a file that `save_results` wrote with this format and command.

    Raises FileNotFoundError for a file that is not there. Raises ValueError for one that is damaged, that holds
    something else, or that `read` stumbles over; the sentence ends with the command that makes the file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"what was measured must be read from a file, got {path}, which is not there; {command} makes it"
        )
    anew = f"delete it, and {command} makes it anew"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # no JSON, or no text at all
        raise ValueError(f"{path.name} must be whole, got a file that is damaged ({error}); {anew}") from None
    if not isinstance(found, dict) or found.get("format") != format:
        raise ValueError(f"{path.name} must say that its format is {format!r}, it does not; {anew}")
    try:
        return read(found)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(
            f"{path.name} must hold whole runs, got one that does not fit ({type(error).__name__}: {error}); {anew}"
        ) from None
