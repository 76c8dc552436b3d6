"""A panel: a few controls, and a picture that the kernel draws anew when one of them moves.

What ``interact`` is used for, without its flicker: the old picture stays until the new one is ready, a burst
of moves is drawn once, the picture has alternative text, an error is a sentence under the controls, and
where there is no kernel the last picture is still there. No Output widget, so nbval can compare it.
"""

import base64
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from matplotlib.figure import Figure

from helpers import plots

HERE = Path(__file__).parent
log = logging.getLogger(__name__)


def _control(name: str, given: Any, label: str) -> dict[str, Any]:
    """What the browser needs to know of one control; raises ValueError for what cannot be one."""
    control: dict[str, Any] = {"name": name, "label": label}
    if isinstance(given, bool):
        return control | {"kind": "switch", "value": given}
    if isinstance(given, str):
        return control | {"kind": "text", "value": given}
    if isinstance(given, list) and given and all(isinstance(choice, str) for choice in given):
        return control | {"kind": "choice", "choices": given, "value": given[0]}
    if isinstance(given, tuple) and len(given) == 4:
        low, high, step, start = given
        if low < high and low <= start <= high and step > 0:
            whole = all(isinstance(number, int) for number in given)
            return control | {
                "kind": "slider",
                "min": low,
                "max": high,
                "step": step,
                "value": start,
                "whole": whole,
            }
    raise ValueError(
        f"control {name!r} must be (low, high, step, start) with low <= start <= high, a list of choices, a text, "
        f"or True or False, got {given!r}"
    )


class Panel(anywidget.AnyWidget):
    """Controls and a picture; made by `explore`."""

    _esm = HERE / "panel.js"
    _css = HERE / "panel.css"

    controls = traitlets.List().tag(sync=True)  # what stands above the picture
    values = traitlets.Dict().tag(sync=True)  # where each control stands
    png = traitlets.Bytes().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)  # what the picture shows
    problem = traitlets.Unicode().tag(sync=True)  # one sentence, or nothing
    answered = traitlets.Dict().tag(sync=True)  # the values that picture and problem belong to
    width = traitlets.Int().tag(sync=True)  # of the picture, in CSS pixels

    def __init__(
        self,
        draw: Callable[..., Any],
        describe: Callable[..., str],
        controls: Mapping[str, Any],
        labels: Mapping[str, str] | None = None,
        size: tuple[float, float] = (6.8, 3.4),
    ):
        labels = labels or {}
        given = [
            _control(name, what, labels.get(name, name.replace("_", " "))) for name, what in controls.items()
        ]
        self._draw, self._describe, self._size = draw, describe, size
        super().__init__(
            controls=given,
            values={control["name"]: control["value"] for control in given},
            width=round(size[0] * 100),
        )
        picture, alt = self._paint(
            self.values
        )  # the first picture must not fail: its error belongs in the cell
        self.set_trait("png", picture)
        self.set_trait("alt", alt)
        self.answered = self.values
        self.observe(self._answer, "values")

    def _paint(self, values: Mapping[str, Any]) -> tuple[bytes, str]:
        ax = plots.new_axes(*self._size)
        figure: Figure = ax.figure
        plots.styled(self._draw)(ax, **values)
        return plots.png(figure, dpi=150, compress=1), self._describe(**values)

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values as the drawing function expects them: whole numbers stay whole after their trip as JSON."""
        kinds = {control["name"]: control for control in self.controls}
        return {
            name: int(value) if kinds[name].get("whole") else value
            for name, value in values.items()
            if name in kinds
        }

    def _answer(self, _change=None) -> None:
        values = self._checked(self.values)
        with self.hold_sync():  # one message for all that changes
            try:
                self.png, self.alt = self._paint(values)
                self.problem = ""
            except ValueError as error:  # ours: a rule, the value, the next step
                self.problem = str(error)
            except (
                Exception
            ) as error:  # the learner's drawing function went wrong: say so, keep the traceback
                log.exception("an explorer's drawing function failed")
                self.problem = f"{type(error).__name__}: {error}"
            self.answered = dict(self.values)

    def __repr__(self) -> str:
        return f"<Explorer: {self.alt}>"

    def _repr_mimebundle_(self, **settings):
        bundle = super()._repr_mimebundle_(**settings)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        data = {
            **data,
            "text/plain": repr(self),
            "image/png": base64.b64encode(self._paint(self.values)[0]).decode("ascii"),
        }
        return data, {**metadata, "image/png": {"alt": self.alt, "width": self.width}}


def explore(
    draw: Callable[..., Any],
    describe: Callable[..., str],
    *,
    labels: Mapping[str, str] | None = None,
    size: tuple[float, float] = (6.8, 3.4),
    **controls: Any,
) -> Panel:
    """Controls and the picture that they move, for a notebook to display.

    `draw(ax, **values)` draws on an empty axis; `describe(**values)` says in a sentence what is then seen (it
    is the picture's alternative text, and what nbval compares). Each control is a keyword: ``(low, high, step,
    start)`` makes a slider, a list of texts a choice, a text a text box, True or False a switch. `labels`
    renames controls, `size` is in inches. A ValueError in `draw` or `describe` is shown under the controls,
    and the picture before it stays. Raises ValueError for a control that is none of these.

    >>> def draw(ax, tilt): ax.plot([0, 1], [0, tilt])
    >>> explore(draw, lambda tilt: f"A line that rises to {tilt}", tilt=(0, 5, 1, 2))
    <Explorer: A line that rises to 2>
    """
    return Panel(draw, describe, controls, labels, size)
