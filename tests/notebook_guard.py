"""What nbval cannot see in a notebook: read from its JSON, without running anything.

nbval does not compare a cell that was never executed, does not look at pictures, and passes whatever is
tagged to be ignored. ``problems(notebook, name)`` lists, one sentence each, what must not be committed.
"""

import json
import re
import tomllib
from pathlib import Path

from execute import METADATA, WIDGET

TESTS = Path(__file__).parent
CELL_METADATA = {"tags", "jupyter"}  # jupyter: {"source_hidden": true} folds a cell
MOST_LINES = 20
MOST_IGNORED = 5  # cells in the whole course whose output is not compared

PICTURES = ("image/png", "image/jpeg", "image/svg+xml")
IGNORING = ("nbval-ignore-output", "nbval-skip", "pytest-validate-ignore-output")
IGNORING_COMMENT = re.compile(
    r"^\s*#+\s*(NBVAL_IGNORE_OUTPUT|NBVAL_SKIP|PYTEST_VALIDATE_IGNORE_OUTPUT)\s*$", re.M
)

MACHINE_PATH = re.compile(
    r"(?<![\w.:/<>+-])(?:/[a-z][\w.-]*/[\w.-]+/[\w./-]+|/(?:home|Users|root|tmp|work|mnt|content)/[\w.-]+)"
    r"|\b[A-Za-z]:\\{1,2}\w+\\"
)
BASE64 = re.compile(r"base64,[A-Za-z0-9+/=\s]+")

NOT_IN_CODE = (
    (r"\bsys\.path\b", "sys.path: helpers is installed, import it"),
    (r"^\s*(?:\w+\s*=\s*)?(?:%{1,2}[a-z]|![\w./~$])", "a magic or a shell command: write Python"),
    (r"\b(?:interact|interactive|interactive_output|interact_manual)\(", "interact: nbval can't compare it"),
    (r"\bOutput\(|\bclear_output\(", "an Output widget or clear_output: nbval can't compare it"),
    (r";\s*(?:#.*)?\Z", "a semicolon at the end: nbval sees the output that it hides"),
    (r"\bwarnings\.(?:filterwarnings|simplefilter)\(", "silenced warnings: mend what they warn of"),
    (r"\bNotImplemented|\bTODO\b|\bFIXME\b", "something unfinished"),
    (r"\bos\.chdir\(", "chdir: a notebook runs in its own folder"),
)


def source(cell):
    """A cell's text: stored notebooks hold lines, notebooks in memory a string."""
    return "".join(cell["source"])


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def text_of(bundle, mime):
    return "".join(bundle.get(mime, ""))


def problems(notebook, name, allowed=()):
    """What is wrong with one notebook (nbformat 4 as a dict), a sentence each; an empty list when nothing is.

    ``allowed`` holds the ids of its cells whose output need not be compared.
    """
    found = [*_metadata(notebook), *_order(notebook), *_ignored(notebook, allowed)]
    for number, cell in enumerate(notebook["cells"]):
        here = _markdown(cell) if cell["cell_type"] == "markdown" else []
        if cell["cell_type"] == "code":
            here = [
                *_code(cell),
                *(sentence for output in cell["outputs"] for sentence in _output(cell, output)),
            ]
        here += _paths(cell)
        found += [f"cell {number} ({cell.get('id')}): {sentence}" for sentence in here]
    return [f"{name}: {sentence}" for sentence in found]


def _metadata(notebook):
    if "widgets" in notebook["metadata"]:
        yield "widget state is stored in its metadata"
    if {key: value for key, value in notebook["metadata"].items() if key != "widgets"} != METADATA:
        yield f"its metadata must be {METADATA}, without versions: run `make notebooks`"
    ids = [cell.get("id") for cell in notebook["cells"]]
    if None in ids:
        yield "a cell has no id"
    if len(set(ids)) < len(ids):
        yield f"cells share an id: {sorted({str(one) for one in ids if ids.count(one) > 1})}"
    for number, cell in enumerate(notebook["cells"]):
        if extra := set(cell["metadata"]) - CELL_METADATA:
            yield f"cell {number}: metadata that says nothing to a learner: {sorted(extra)}"


def _order(notebook):
    counts = [cell.get("execution_count") for cell in code_cells(notebook)]
    if None in counts:
        yield f"code cell {counts.index(None)} was not executed, so nbval would not compare it"
    elif counts != list(range(1, len(counts) + 1)):
        yield f"code cells were not executed in order, from the first to the last: {counts}"


def ignored_cells(notebook):
    """Ids of the code cells whose output nbval is told not to compare, or not to run."""
    return [
        cell.get("id")
        for cell in code_cells(notebook)
        if set(IGNORING) & set(cell["metadata"].get("tags", [])) or IGNORING_COMMENT.search(source(cell))
    ]


def _ignored(notebook, allowed):
    ignored = ignored_cells(notebook)
    for cell_id in ignored:
        if cell_id not in allowed:
            yield f"the output of cell {cell_id} is not compared, and allowed_ignored_outputs.toml gives no reason"
    for cell_id in allowed:
        if cell_id not in ignored:
            yield f"allowed_ignored_outputs.toml names cell {cell_id}, whose output is compared: take it off"


def _code(cell):
    lines = [line for line in source(cell).splitlines() if line.strip()]
    if not lines:
        yield "an empty code cell"
    if len(lines) > MOST_LINES:
        yield f"{len(lines)} lines of code, and {MOST_LINES} are the most"
    for pattern, sentence in NOT_IN_CODE:
        if re.search(pattern, source(cell), re.M):
            yield sentence


def _output(cell, output):
    kind = output["output_type"]
    if kind == "error" and "raises-exception" not in cell["metadata"].get("tags", []):
        yield f"an error is stored: {output['ename']}"
    if kind == "stream" and output["name"] == "stderr":
        yield f"something was written to stderr: {''.join(output['text'])[:60]!r}"
    bundle = output.get("data", {})
    pictured = any(picture in bundle for picture in PICTURES) or "<img" in text_of(bundle, "text/html")
    if WIDGET in bundle and not pictured:
        yield "a widget leaves no picture where there is no kernel"
    if any("widget-state" in mime for mime in bundle):
        yield "widget state is stored in an output"
    for picture in PICTURES:
        alt = str(output.get("metadata", {}).get(picture, {}).get("alt", "")).strip()
        if picture in bundle and (not alt or alt.startswith(("<Figure", "Figure("))):
            yield f"a figure ({picture}) without alternative text"
    for mime in ("text/html", "text/markdown"):
        yield from _images(text_of(bundle, mime))


def _markdown(cell):
    return list(_images(source(cell)))


def _images(text):
    """Pictures in HTML or Markdown: each says what it shows, none is loaded from elsewhere."""
    text = re.sub(r"```.*?```|`[^`\n]+`", "", text, flags=re.S)
    for tag in re.findall(r"<img\b[^>]*>", text, re.I):
        if not re.search(r"""\balt\s*=\s*(?:"[^"]*[^"\s][^"]*"|'[^']*[^'\s][^']*')""", tag, re.I):
            yield "an image without alternative text"
    if re.search(r"!\[\s*\][(\[]", text):
        yield "an image without alternative text"
    for tag in re.findall(r"<svg\b.*?</svg>", text, re.I | re.S):
        if not re.search(r"<title\b|aria-label\s*=|aria-hidden\s*=\s*[\"']true", tag, re.I):
            yield "a drawing (svg) without a title, an aria-label or aria-hidden"
    outside = r"(?:https?:)?//"
    if re.search(
        rf"""<(?:img|script|iframe|source|video|audio)\b[^>]*\bsrc\s*=\s*["']?{outside}"""
        rf"""|<link\b[^>]*\bhref\s*=\s*["']?{outside}|!\[[^\]]*\]\({outside}|url\(\s*["']?{outside}""",
        text,
        re.I,
    ):
        yield "something is loaded from elsewhere, and the course works offline"


def _paths(cell):
    texts = [source(cell), json.dumps(cell["metadata"])]
    for output in cell.get("outputs", []):
        texts += [
            "".join(output.get("text", "")),
            "\n".join(output.get("traceback", [])),
            output.get("evalue", ""),
        ]
        for mime, value in output.get("data", {}).items():
            if mime not in ("image/png", "image/jpeg", WIDGET):
                texts.append("".join(value) if isinstance(value, str | list) else json.dumps(value))
    for text in texts:
        if found := MACHINE_PATH.search(BASE64.sub("", text)):
            yield f"a path of somebody's machine: {found.group()[:60]}"


def allowed_ignored_outputs(path=TESTS / "allowed_ignored_outputs.toml"):
    """{notebook: {cell id: reason}} of the cells whose output need not be compared.

    Raises ``ValueError`` for a missing reason, and for more cells than ``MOST_IGNORED``.
    """
    rows = tomllib.loads(Path(path).read_text(encoding="utf-8")).get("cell", [])
    if len(rows) > MOST_IGNORED:
        raise ValueError(
            f"at most {MOST_IGNORED} outputs may go uncompared in the whole course, got {len(rows)}"
        )
    allowed = {}
    for row in rows:
        if set(row) != {"notebook", "id", "reason"} or len(row["reason"].split()) < 4:
            raise ValueError(f"each cell needs notebook, id and a reason in a few words, got {row}")
        allowed.setdefault(row["notebook"], {})[row["id"]] = row["reason"]
    return allowed
