"""The gradient-descent explorer: steps down a landscape, for every learning rate and momentum.

What is shown follows from the landscape, the two settings and the number of steps, so that moving a slider shows at
once how the same number of steps would have gone. The browser works it out by itself (``gradient_descent.js``); the
same in Python is ``helpers.descent`` and `describe` below, and the tests run both.
"""

from typing import Any, ClassVar

import numpy as np
import traitlets

from helpers import plots
from helpers.descent import LANDSCAPES, Descent, descend
from helpers.explorers.base import Explorer, script, style

MOST = 200  # steps
RATES = (0.001, 5.0)


def told(value: float) -> str:
    """A height in a sentence: three digits, or "over 10,000".

    >>> told(1.2345), told(0.00001), told(12345678.9)
    ('1.23', '0.00001', 'over 10,000')
    """
    if value > 10_000:
        return "over 10,000"
    if value < 1e-9:
        return "0"
    return np.format_float_positional(value, precision=3, unique=False, fractional=False, trim="-")


def describe(name: str, learning_rate: float, momentum: float, way: Descent) -> str:
    """What is shown, in a sentence or two."""
    n = len(way.path) - 1
    sentence = f"{name}, learning rate {told(learning_rate)}, momentum {momentum:g}: "
    sentence += f"after {n} step{'' if n == 1 else 's'} the loss went from {told(way.losses[0])} to {told(way.losses[-1])}."
    if way.diverged:
        return f"{sentence} It diverged: every step goes farther away."
    if way.arrived is not None:
        return f"{sentence} It reached flat ground at step {way.arrived}."
    if n and way.losses[-1] > way.losses[0]:
        return f"{sentence} That is higher than at the start."
    return sentence


class GradientDescent(Explorer):
    """Gradient descent on a landscape of two numbers, with sliders for learning rate and momentum, and buttons to step.

    `landscape` is one of ``helpers.descent.LANDSCAPES``. Raises ValueError for any other, for a learning rate that is not
    from 0.001 to 5, for a momentum that is not from 0 to 0.98, and for steps that are no whole number from 0 to 200.

    >>> GradientDescent("bowl", learning_rate=0.5, steps=3)
    <GradientDescent: bowl, learning rate 0.5, momentum 0: after 3 steps the loss went from 2.05 to 0.032.>
    """

    _esm = script("gradient_descent")
    _css = style("gradient_descent")
    shown: ClassVar[tuple[str, ...]] = ("landscape", "learning_rate", "momentum", "steps")

    landscape = traitlets.Unicode().tag(sync=True, echo_update=False)
    learning_rate = traitlets.Float().tag(sync=True, echo_update=False)
    momentum = traitlets.Float().tag(sync=True, echo_update=False)
    steps = traitlets.Int().tag(sync=True, echo_update=False)
    width = traitlets.Int(900).tag(sync=True)

    def __init__(
        self, landscape: Any = "bowl", learning_rate: Any = 0.1, momentum: Any = 0.0, steps: Any = 10
    ):
        super().__init__(
            landscape=_one_of(landscape),
            learning_rate=_number("learning_rate", learning_rate, *RATES, "0.1 is a good start"),
            momentum=_number("momentum", momentum, 0, 0.98, "0 is none, 0.9 usual"),
            steps=_steps(steps),
        )

    # What Python sets later is held to the same rules.
    @traitlets.validate("landscape")
    def _valid_landscape(self, proposal: Any) -> str:
        return _one_of(proposal["value"])

    @traitlets.validate("learning_rate")
    def _valid_rate(self, proposal: Any) -> float:
        return _number("learning_rate", proposal["value"], *RATES, "0.1 is a good start")

    @traitlets.validate("momentum")
    def _valid_momentum(self, proposal: Any) -> float:
        return _number("momentum", proposal["value"], 0, 0.98, "0 is none, 0.9 usual")

    @traitlets.validate("steps")
    def _valid_steps(self, proposal: Any) -> int:
        return _steps(proposal["value"])

    def _way(self) -> Descent:
        return descend(LANDSCAPES[self.landscape], self.learning_rate, self.momentum, self.steps)

    def describe(self) -> str:
        return describe(self.landscape, self.learning_rate, self.momentum, self._way())

    @plots.styled
    def picture(self) -> bytes:
        landscape, way = LANDSCAPES[self.landscape], self._way()
        ground, curve = plots.new_axes(10, 3.6, columns=2)
        xs, ys = np.linspace(*landscape.x_range, 121), np.linspace(*landscape.y_range, 81)
        heights = np.array([[landscape.loss(x, y) for x in xs] for y in ys])
        ground.contour(xs, ys, heights, levels=levels(heights), colors=[plots.FAINT], linewidths=0.7)
        ground.plot(*way.path.T, color=plots.ROLES["loss"], marker="o", markersize=4)
        ground.plot(*way.path[0], "s", color=plots.INK)
        for x, y in landscape.lowest:
            ground.plot(x, y, "x", color=plots.INK)
        ground.set(xlim=landscape.x_range, ylim=landscape.y_range)
        ground.set(xlabel=landscape.names[0], ylabel=landscape.names[1])
        ground.set_title("the way down, from the square", loc="left")
        curve.plot(np.minimum(way.losses, 1e4), color=plots.ROLES["loss"], marker="o", markersize=3)
        curve.grid(axis="y")
        curve.set(xlabel="step", ylabel="loss", ylim=(0, None))
        curve.set_title("height at each step", loc="left")
        return plots.png(ground.figure, dpi=120)


def levels(heights: np.ndarray, count: int = 14) -> np.ndarray:
    """Heights at which contour lines are drawn: closer together where it is low.

    >>> levels(np.array([0.0, 98.0]), count=7).round(6).tolist()
    [2.0, 8.0, 18.0, 32.0, 50.0, 72.0]
    """
    low, high = float(heights.min()), float(heights.max())
    return low + (high - low) * (np.arange(1, count) / count) ** 2


def _one_of(name: Any) -> str:
    if not isinstance(name, str) or name not in LANDSCAPES:
        raise ValueError(f"landscape must be one of {', '.join(LANDSCAPES)}, got {name!r:.60}")
    return name


def _number(name: str, value: Any, least: float, most: float, hint: str) -> float:
    if isinstance(value, bool) or not (isinstance(value, int | float) and least <= value <= most):
        raise ValueError(f"{name} must be a number from {least:g} to {most:g}, got {value!r:.60}; {hint}")
    return float(value)


def _steps(value: Any) -> int:
    if isinstance(value, bool) or not (
        isinstance(value, int | float) and 0 <= value <= MOST and value == int(value)
    ):
        raise ValueError(f"steps must be a whole number from 0 to {MOST}, got {value!r:.60}; try 10")
    return int(value)
