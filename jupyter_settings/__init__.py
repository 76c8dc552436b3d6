"""What Jupyter needs so that a saved notebook always shows its explorers, alive or as a picture.

Installing the course puts two files into the environment. ``lab/`` tells JupyterLab to save the state of
widgets, which it doesn't by itself. ``server/`` loads this module as an extension of the Jupyter server, because
that alone is not enough. JupyterLab saves the state of widgets that a kernel answers for, and of no others: open
a saved notebook, save it again without running it, or restart its kernel and save, and the state is gone, and
from then on every explorer in it reads "Error displaying widget: model not found". So, just before a notebook
is written, `settle` takes missing state from the file that is about to be replaced; and an output whose state is
nowhere to be found keeps its picture only.
"""

import json
import re
from pathlib import Path
from typing import Any

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


def settle(notebook: dict[str, Any], before: dict[str, Any] | None = None) -> None:
    """Change a notebook (nbformat 4, as a dict) in place, so that each widget it shows has its state.

    `before` is the notebook in the file so far. State that no output needs is dropped. Where state is missing
    and the notebook is trusted (every code cell was run by its owner), the view is taken out of the output,
    which leaves its picture. An untrusted notebook shows pictures anyway, so there nothing is taken out.
    """
    known = {**_state(before), **_state(notebook)}
    outputs = [output for cell in _code(notebook) for output in cell["outputs"] if VIEW in _data(output)]
    shown = {_data(output)[VIEW].get("model_id"): output for output in outputs}

    needed: dict[str, Any] = {}
    waiting = [name for name in shown if name in known]
    while waiting:
        name = waiting.pop()
        if name in known and name not in needed:
            needed[name] = known[name]
            waiting += re.findall(r'"IPY_MODEL_(\w+)"', json.dumps(known[name]))

    if needed:
        wrapper = {"version_major": 2, "version_minor": 0, "state": needed}
        notebook["metadata"]["widgets"] = {STATE: wrapper}
    else:
        notebook["metadata"].pop("widgets", None)
    if all(cell["metadata"].get("trusted") for cell in _code(notebook)):
        for output in outputs:
            if _data(output)[VIEW].get("model_id") not in needed and len(_data(output)) > 1:
                del output["data"][VIEW]


def _code(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook.get("cells", []) if cell["cell_type"] == "code"]


def _data(output: dict[str, Any]) -> dict[str, Any]:
    return output.get("data", {})


def _state(notebook: dict[str, Any] | None) -> dict[str, Any]:
    metadata = (notebook or {}).get("metadata", {})
    return metadata.get("widgets", {}).get(STATE, {}).get("state", {})


def before_saving(model: dict[str, Any], path: str, contents_manager: Any, **_: Any) -> None:
    """Jupyter's hook: `model["content"]` is the notebook that is about to be written to `path`."""
    if model.get("type") != "notebook" or not isinstance(model.get("content"), dict):
        return
    try:
        file = Path(contents_manager.root_dir) / path.strip("/")
        before = json.loads(file.read_text(encoding="utf-8"))
    except (AttributeError, OSError, ValueError):  # not a file yet, or not a file at all
        before = None
    settle(model["content"], before)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "jupyter_settings"}]


def _load_jupyter_server_extension(server: Any) -> None:
    server.contents_manager.register_pre_save_hook(before_saving)
    # Another extension (jupytext) may replace the contents manager later: the new one reads this.
    server.config.ContentsManager.setdefault("pre_save_hook", "jupyter_settings.before_saving")
