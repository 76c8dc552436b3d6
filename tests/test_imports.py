"""Who may import whom: compute <- plots <- explorers, never back, and heavy packages only where they are used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HELPERS = Path(__file__).parent.parent / "helpers"
LAYERS = ("compute", "plots", "explorers")


def layer_of(name):
    """The layer of a module such as "helpers.plots" or "helpers.explorers.panel"."""
    part = name.split(".")[1] if "." in name else ""
    return part if part in LAYERS else "compute"


def imported(source):
    """The full name of every module that a source text imports, inside functions and for type hints too.

    `from helpers import plots` imports helpers.plots; relative imports are named ".", so that they are seen.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from (f"{base}.{alias.name}" if base == "helpers" else base for alias in node.names)


def breaches(name, source):
    own = LAYERS.index(layer_of(name))
    for other in imported(source):
        if other.startswith(".") or (other.startswith("helpers") and LAYERS.index(layer_of(other)) > own):
            yield f"{name} imports {other}"
        if own == 0 and other.split(".")[0] in (
            "matplotlib",
            "anywidget",
            "ipywidgets",
            "traitlets",
            "IPython",
        ):
            yield f"{name} imports {other}"


MODULES = sorted(
    ".".join(("helpers", *path.relative_to(HELPERS).with_suffix("").parts)) for path in HELPERS.rglob("*.py")
)


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name):
    path = HELPERS.joinpath(*name.split(".")[1:]).with_suffix(".py")
    assert list(breaches(name, path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("helpers.sampling", "from helpers import plots"),
        ("helpers.sampling", "def f():\n    import helpers.explorers.panel"),
        ("helpers.sampling", "from matplotlib.figure import Figure"),
        ("helpers.plots", "from helpers.explorers import explore"),
        ("helpers.plots", "from .explorers import explore"),
    ],
)
def test_an_import_that_points_up_is_seen(name, source):
    assert len(list(breaches(name, source))) == 1
    assert list(breaches("helpers.explorers.panel", source.replace("from .", "from helpers."))) == []


def test_plots_need_no_torch():
    """A picture of plain arrays is there at once; torch alone takes seconds to import."""
    code = "import sys, helpers.plots; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
