"""What a panel can show without a picture from the kernel: plain values that the browser draws by itself.

``explore`` takes a function that gives one of these. A message of a few hundred bytes then changes the view, letters keep
their size on a small screen and have the colours of the theme. Where there is no kernel, `plot` draws the same with
matplotlib, and `describe` is its alternative text.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from helpers import plots


@dataclass(frozen=True)
class Bars:
    """Sideways bars, as `helpers.plots.plot_bars` draws them: one of each series for every label.

    >>> Bars(["sky", "sea"], {"counted": [0.7, 0.3]}, title="After blue").describe()
    'After blue: counted sky 70 %, sea 30 %.'
    """

    labels: Sequence[str]
    series: Mapping[str, Sequence[float]]  # a name, and a value for every label; NaN says "never counted"
    roles: Mapping[str, str] | None = None  # which colour of ROLES each series has
    title: str = ""
    unit: str = "probability"  # shares from 0 to 1; anything else: numbers from 0

    def plot(self, ax: Axes | None = None) -> Axes:
        """The bars as a picture."""
        return plots.plot_bars(
            self.labels, self.series, roles=self.roles, title=self.title, unit=self.unit, ax=ax
        )

    def describe(self) -> str:
        """What is shown, in a sentence."""
        return plots.describe_bars(self.title or "Bars", self.labels, self.series, unit=self.unit)

    def data(self) -> dict[str, Any]:
        """The same for the browser: JSON knows no NaN, so None stands for it."""
        roles = self.roles or {}
        series = [
            {
                "name": name,
                "role": roles.get(name, "probabilities"),
                "values": [None if math.isnan(value) else float(value) for value in values],
            }
            for name, values in self.series.items()
        ]
        return {
            "kind": "bars",
            "labels": list(self.labels),
            "series": series,
            "caption": self.title,
            "unit": self.unit,
        }


@dataclass(frozen=True)
class Pieces:
    """Tokens as coloured chips that wrap like words, as `helpers.plots.plot_chips` draws them.

    >>> Pieces(["the", "fox"], title="Written by hand").describe()
    'Written by hand: the fox'
    """

    pieces: Sequence[str | bytes]
    below: Sequence[object] | None = None  # what is written under each, ids for example
    title: str = ""

    def plot(self, ax: Axes | None = None) -> Axes:
        """The chips as a picture."""
        return plots.plot_chips(self.pieces, below=self.below, title=self.title, ax=ax)

    def describe(self) -> str:
        """What is shown, in a sentence."""
        return f"{self.title or 'Pieces'}: {' '.join(map(plots.visible, self.pieces))}"

    def data(self) -> dict[str, Any]:
        """The same for the browser."""
        below = [None] * len(self.pieces) if self.below is None else [str(note) for note in self.below]
        return {
            "kind": "pieces",
            "pieces": [list(piece) if isinstance(piece, bytes) else piece for piece in self.pieces],
            "below": below,
            "caption": self.title,
        }


View = Bars | Pieces
