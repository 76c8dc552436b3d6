"""What every explorer has: a live view, a picture where there is none, a sentence, and a way to ask the kernel.

An explorer is a widget whose drawing lives in the browser (``x.js`` beside ``x.py``). What it leaves behind in
the notebook is a PNG with alternative text (an ``<img>``), for readers without a kernel, and one line of text that nbval
compares. What the browser can work out it answers by itself. What only Python can, it asks for: the browser
sets ``question`` to a dict with a serial number, the kernel sets ``answer`` to one with the same number.

A trait that the browser sets is tagged ``echo_update=False``. Else the kernel sends every value back, and when it
does so late, the learner who has typed on in the meantime finds an earlier text in the box.

Plain JavaScript, no build step: ``script("x")`` puts ``shared.js`` in front of ``x.js`` and takes the words
``import`` and ``export`` away, because anywidget wants one text. Node and the tests import the files as they are.
"""

import base64
import contextlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

from helpers import plots

HERE = Path(__file__).parent
log = logging.getLogger(__name__)

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./shared\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|let|class)\b)", re.MULTILINE)
_EXPORTED = re.compile(r"^export (?:async )?(?:function\*?|const|let|class) ([\w$]+)", re.MULTILINE)


def bundled(shared: str, own: str) -> str:
    """One module made of two: `shared` becomes an object, `own` takes from it what it imported.

    A name that both use for something of their own does no harm.

    >>> shared = "export const two = 2;\\n"
    >>> own = 'import { two as pair } from "./shared.js";\\nexport default { render: () => pair };\\n'
    >>> print(bundled(shared, own))
    const shared = (() => {
    const two = 2;
    return { two };
    })();
    const { two: pair } = shared;
    export default { render: () => pair };

    Raises ValueError for an import that is written in another way than ``import { a, b } from "./shared.js";``,
    for the import of a name that `shared` does not export, and for an export that it would not understand.
    """
    names = _EXPORTED.findall(shared)

    def taken(found: re.Match[str]) -> str:
        wanted = [name.strip() for name in found[1].split(",") if name.strip()]
        for name in wanted:
            if name.split(" as ")[0].strip() not in names:
                raise ValueError(f"shared.js must export what is imported from it, got {name!r}; export it")
        return f"const {{ {', '.join(name.replace(' as ', ': ') for name in wanted)} }} = shared;\n"

    inside = _EXPORT.sub("", shared)
    outside = _EXPORT.sub("", _IMPORT.sub(taken, own))
    for text in (inside, outside.replace("export default", "")):
        if left := re.search(r"^(?:import|export)\b.*", text, re.MULTILINE):
            raise ValueError(
                'imports must read import { a, b } from "./shared.js"; and exports stand before function, const, let '
                f"or class, got {left[0]!r}"
            )
    return f"const shared = (() => {{\n{inside.rstrip()}\nreturn {{ {', '.join(names)} }};\n}})();\n{outside}"


def script(name: str) -> str:
    """The JavaScript of the explorer `name` as the one text that anywidget wants: ``_esm = script("dice")``."""
    return bundled(
        (HERE / "shared.js").read_text(encoding="utf-8"), (HERE / f"{name}.js").read_text(encoding="utf-8")
    )


def style(name: str | None = None, *, devanagari: bool = False) -> str:
    """The style sheet of all explorers, and that of `name` behind it where it has one of its own.

    With `devanagari` it brings the letters of Hindi with it, 55 kB, for machines that have none.
    """
    files = [HERE / "shared.css", *([HERE / f"{name}.css"] if name else [])]
    sheet = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return f"{sheet}\n{_devanagari()}" if devanagari else sheet


def _devanagari() -> str:
    """``devanagari.css`` with the font itself in the place of its name: a style sheet in a cell has no folder."""
    font = plots.DEVANAGARI.with_suffix(".woff2")
    data = base64.b64encode(font.read_bytes()).decode("ascii")
    sheet = (HERE / "devanagari.css").read_text(encoding="utf-8")
    return sheet.replace(font.name, f"data:font/woff2;base64,{data}")


class Explorer(anywidget.AnyWidget):
    """The base of all explorers.

    A subclass sets ``_esm = script("its_name")`` and defines `describe` and `picture`; one that answers
    questions defines `compute`. `shown` names the traits that the description depends on: when one of them
    changes, here or in the browser, ``alt`` follows. Call ``super().__init__`` with all traits at once, last.
    """

    _css = style()
    shown: ClassVar[tuple[str, ...]] = ()

    alt = traitlets.Unicode().tag(sync=True)  # what is shown, in a sentence
    problem = traitlets.Unicode().tag(sync=True)  # what went wrong, in a sentence, or nothing
    question = traitlets.Dict().tag(sync=True)  # {"number": 3, ...}, set by the browser
    answer = traitlets.Dict().tag(sync=True)  # {"number": 3, ...}, set by the kernel; bytes travel as bytes
    width = traitlets.Int(760).tag(sync=True)  # of the picture, in CSS pixels

    def __init__(self, **traits: Any):
        super().__init__(**traits)
        self.alt = self.describe()  # a first picture that fails is the cell's error, not the explorer's
        self.observe(self._answer, "question")
        if self.shown:
            self.observe(self._moved, list(self.shown))

    def describe(self) -> str:
        """What is shown, in one sentence."""
        raise NotImplementedError(f"{type(self).__name__} must say what it shows: define describe()")

    def picture(self) -> bytes:
        """What is shown, as a PNG, for readers without a kernel; draw it with ``helpers.plots``."""
        raise NotImplementedError(f"{type(self).__name__} must leave a picture behind: define picture()")

    def compute(self, question: dict[str, Any]) -> dict[str, Any]:
        """The answer to a question of the browser's. A ValueError is said, any other exception is shown and logged."""
        raise NotImplementedError(f"{type(self).__name__} got a question and has no compute()")

    def ask(self, **question: Any) -> dict[str, Any]:
        """Asks the way the browser does, from Python; gives the answer."""
        number = max(self.question.get("number", 0), self.answer.get("number", 0)) + 1
        self.question = {"number": number, **question}
        return self.answer

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        """Nothing that goes wrong inside is lost: it becomes the explorer's ``problem``."""
        try:
            yield
            self.problem = ""
        except Exception as error:
            told = str(error) or "it says no more than that"
            if isinstance(error, ValueError) and str(error):  # ours: the rule, the value, the next step
                self.problem = told
            else:
                log.exception("%s could not follow", type(self).__name__)
                self.problem = f"{type(error).__name__}: {told}"

    def _answer(self, _change: object = None) -> None:
        number = self.question.get("number", 0)
        if number <= self.answer.get("number", 0):
            return  # answered already, or overtaken by a later one
        with self.hold_sync():  # one message for all that changes
            answer: dict[str, Any] = {}
            with self._said():
                computed = self.compute(self.question)
                self.alt = self.describe()
                answer = computed
            self.answer = {**answer, "number": number}

    def _moved(self, _change: object = None) -> None:
        with self.hold_sync(), self._said():
            self.alt = self.describe()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {' '.join(self.alt.split())}>"

    def _repr_mimebundle_(self, **settings: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle = super()._repr_mimebundle_(**settings)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        shown = plots.Picture(self.picture(), self.alt, self.width)
        data = {
            **data,
            "text/plain": repr(self),
            "text/html": shown._repr_html_(),  # JupyterLab takes this one, and drops the alternative text of a PNG
            "image/png": base64.b64encode(shown.png).decode("ascii"),  # for readers that show no HTML
        }
        return data, {**metadata, "image/png": {"alt": self.alt, "width": self.width}}
