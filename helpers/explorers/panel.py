"""A panel: a few controls, and a picture that the kernel draws anew when one of them moves.

What ``interact`` is used for, without its flicker: the old picture stays until the new one is ready, a burst
of moves is drawn once, the picture has alternative text, an error is a sentence under the controls, and
where there is no kernel the last picture is still there. No Output widget, so nbval can compare it.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import traitlets
from matplotlib.figure import Figure

from helpers import plots
from helpers.explorers.base import Explorer, script


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
        numbers = [
            part.item() if isinstance(part, np.generic) else part for part in given
        ]  # JSON knows no NumPy
        finite = all(isinstance(number, int | float) and math.isfinite(number) for number in numbers)
        low, high, step, start = numbers
        if finite and low < high and low <= start <= high and step > 0:
            whole = all(isinstance(number, int) for number in numbers)
            return control | {
                "kind": "slider",
                "min": low,
                "max": high,
                "step": step,
                "value": start,
                "whole": whole,
            }
    raise ValueError(
        f"control {name!r} must be (low, high, step, start), finite, with low <= start <= high, a list of choices, a text, "
        f"or True or False, got {given!r}"
    )


class Panel(Explorer):
    """Controls and a picture; made by `explore`."""

    _esm = script("panel")

    controls = traitlets.List().tag(sync=True)  # what stands above the picture
    values = traitlets.Dict().tag(sync=True)  # where each control stands
    png = traitlets.Bytes().tag(sync=True)

    def __init__(
        self,
        draw: Callable[..., Any],
        describe: Callable[..., str],
        controls: Mapping[str, Any],
        labels: Mapping[str, str] | None = None,
        size: tuple[float, float] = (6.8, 3.4),
    ):
        labels = labels or {}
        if unknown := [name for name in labels if name not in controls]:
            raise ValueError(f"labels must name controls ({', '.join(controls)}), got {unknown[0]!r}")
        given = [
            _control(name, what, labels.get(name, name.replace("_", " "))) for name, what in controls.items()
        ]
        self._draw, self._describe, self._size = draw, describe, size
        # The first picture must not fail: its error belongs in the cell.
        self._painted = {control["name"]: control["value"] for control in given}  # what the picture shows
        super().__init__(
            controls=given, values=self._painted, width=round(size[0] * 100), png=self._paint(self._painted)
        )
        self.observe(self._set_from_python, "values")

    def _paint(self, values: Mapping[str, Any]) -> bytes:
        ax = plots.new_axes(*self._size)
        figure: Figure = ax.figure
        plots.styled(self._draw)(ax, **values)
        return plots.png(figure, dpi=120, compress=1)

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values as the drawing function expects them: whole numbers stay whole after their trip as JSON."""
        kinds = {control["name"]: control for control in self.controls}
        return {
            name: int(value) if kinds[name].get("whole") else value
            for name, value in values.items()
            if name in kinds
        }

    def compute(self, question: dict[str, Any]) -> dict[str, Any]:
        """Draws the picture of ``question["values"]``; one that fails leaves the picture before it."""
        values = self._checked(question["values"])
        with self.hold_trait_notifications():
            self._asked = self.values = values
        png, _ = self._paint(values), self._describe(**values)
        self.png, self._painted = png, values
        return {}

    def _set_from_python(self, _change: object = None) -> None:
        if self.values != self._asked:
            self.ask(values=self.values)

    _asked: Mapping[str, Any] | None = None

    def describe(self) -> str:
        told = self._describe(**self._painted)
        if not isinstance(told, str) or not told.strip():
            raise ValueError(f"describe must say in a sentence what the picture shows, got {told!r}")
        return plots.named(told)

    def picture(self) -> bytes:
        return self.png

    def __repr__(self) -> str:
        return f"<Explorer: {self.alt}>"


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
