"""A panel: a few controls, and a view that the kernel makes anew when one of them moves.

What ``interact`` is used for, without its flicker: the old view stays until the new one is ready, a burst
of moves is drawn once, the view has alternative text, an error is a sentence under the controls, and
where there is no kernel the last view is still there. No Output widget, so nbval can compare it.

Two kinds of function can make the view. One that takes no ``ax`` gives values (`helpers.explorers.views`), and the
browser draws them: that is quick, and the one to prefer. One that takes ``ax`` draws with matplotlib whatever there is to
draw, and a PNG travels.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import traitlets

from helpers import plots
from helpers.explorers.base import Explorer, script
from helpers.explorers.views import View


def _on_grid(value: float, low: float, step: float) -> bool:
    """Whether a slider from `low` can stand there; the browser would move it to the next place that it has."""
    steps = (value - low) / step
    return abs(steps - round(steps)) < 1e-6


def _value(control: Mapping[str, Any], value: Any) -> Any:
    """A control's value as the drawing function expects it: a whole number stays whole after its trip as JSON."""
    kind, name = control["kind"], control["label"]
    if kind == "slider":
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not control["min"] <= value <= control["max"]:
            raise ValueError(
                f"{name} must be a number from {control['min']} to {control['max']}, got {value!r}"
            )
        return int(value) if control["whole"] else value
    if kind == "choice" and value not in control["choices"]:
        raise ValueError(f"{name} must be one of {', '.join(control['choices'])}, got {value!r}")
    return value


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
        if finite and low < high and low <= start <= high and step > 0 and _on_grid(start, low, step):
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
        f"control {name!r} must be (low, high, step, start), finite, with low <= start <= high and start a whole number "
        f"of steps from low, a list of choices, a text, or True or False, got {given!r}"
    )


def _view(made: Any) -> View:
    """What a function without ``ax`` gave, or a sentence that says what it should give."""
    if not isinstance(made, View):
        raise ValueError(
            f"a function without ax must return what to show, such as Bars or Pieces, got {made!r}; return one, or "
            "take ax as the first argument and draw on it"
        )
    return made


class Panel(Explorer):
    """Controls and a view; made by `explore`."""

    _esm = script("panel")

    controls = traitlets.List().tag(sync=True)  # what stands above the view
    values = traitlets.Dict().tag(sync=True)  # where each control stands
    view = traitlets.Dict().tag(sync=True)  # what the browser draws, or nothing where there is a PNG
    png = traitlets.Bytes().tag(sync=True)

    def __init__(
        self,
        draw: Callable[..., Any],
        describe: Callable[..., str] | None,
        controls: Mapping[str, Any],
        labels: Any = None,
        size: Any = (6.8, 3.4),
    ):
        labels = labels or {}
        if not isinstance(labels, Mapping) or len(size) != 2 or not all(0 < side <= 40 for side in size):
            raise ValueError(
                "labels must be a dict and size (width, height) in inches, each up to 40; a control needs another name, "
                f"got labels={labels!r}, size={size!r}"
            )
        if unknown := [name for name in labels if name not in controls]:
            raise ValueError(f"labels must name controls ({', '.join(controls)}), got {unknown[0]!r}")
        given = [
            _control(name, what, labels.get(name, name.replace("_", " "))) for name, what in controls.items()
        ]
        self._draws = "ax" in inspect.signature(draw).parameters
        if describe is None and self._draws:
            raise ValueError(
                "describe must be given for a function that draws on ax: it says what is then seen"
            )
        self._draw, self._describe, self._size = draw, describe, size
        # The first view must not fail: its error belongs in the cell.
        values = {control["name"]: control["value"] for control in given}
        super().__init__(controls=given, values=values, width=round(size[0] * 100), **self._made(values))
        self.observe(self._set_from_python, "values")

    def _made(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The traits that show these values; what `describe` and `picture` need is kept."""
        if self._draws:
            ax = plots.new_axes(*self._size)
            plots.styled(self._draw)(ax, **values)
            told = self._describe(**values)
            made = {"png": plots.png(ax.figure, dpi=120, compress=1)}
        else:
            shown = _view(self._draw(**values))
            told = self._describe(**values) if self._describe else shown.describe()
            self._shown, made = shown, {"view": shown.data()}
        if not isinstance(told, str) or not told.strip():
            raise ValueError(f"describe must say in a sentence what is shown, got {told!r}")
        self._told = plots.named(told)
        return made

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values of all controls; raises ValueError for one that its control can't have."""
        return {
            control["name"]: _value(control, values.get(control["name"], self.values[control["name"]]))
            for control in self.controls
        }

    def compute(self, question: dict[str, Any]) -> dict[str, Any]:
        """Makes the view of ``question["values"]``; one that fails leaves the view before it."""
        values = self._checked(question["values"])
        with self.hold_trait_notifications():
            self._asked = self.values = values
        for name, value in self._made(values).items():
            setattr(self, name, value)
        return {}

    def _set_from_python(self, _change: object = None) -> None:
        if self.values != self._asked:
            self.ask(values=self.values)

    _asked: Mapping[str, Any] | None = None

    def describe(self) -> str:
        return self._told

    def picture(self) -> bytes:
        return self.png or plots.png(self._shown.plot().figure)

    def __repr__(self) -> str:
        return f"<Explorer: {self.alt}>"


def explore(
    draw: Callable[..., Any],
    describe: Callable[..., str] | None = None,
    *,
    labels: Any = None,  # a dict from names to labels; anything else is refused in a sentence
    size: Any = (6.8, 3.4),
    **controls: Any,
) -> Panel:
    """Controls and the view that they move, for a notebook to display.

    `draw(**values)` gives what to show (`Bars`, `Pieces`), and the browser draws it. A function whose first argument is
    ``ax`` draws on that empty axis instead, of `size` inches. `describe(**values)` says in a sentence what is then seen
    (the alternative text, and what nbval compares); what the browser draws can say it by itself. Each control is
    a keyword: ``(low, high, step, start)`` makes a slider, a list of texts a choice, a text a text box, True or
    False a switch. `labels` renames controls. A ValueError in `draw` or `describe` is shown under the controls, and
    the view before it stays. Raises ValueError for a control that is none of these.

    >>> from helpers.explorers.views import Bars
    >>> def shares(heads): return Bars(["heads", "tails"], {"coin": [heads, 1 - heads]}, title="A coin")
    >>> explore(shares, heads=(0.0, 1.0, 0.1, 0.5))
    <Explorer: A coin: coin heads 50 %, tails 50 %.>
    >>> def draw(ax, tilt): ax.plot([0, 1], [0, tilt])
    >>> explore(draw, lambda tilt: f"A line that rises to {tilt}", tilt=(0, 5, 1, 2))
    <Explorer: A line that rises to 2>
    """
    return Panel(draw, describe, controls, labels, size)
