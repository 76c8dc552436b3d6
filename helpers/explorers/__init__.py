"""Explorers: controls that move a picture. Each stands in one ``.py`` beside one ``.js``.

``explore(draw, **controls)`` is the general one: a function that says what to show (`Bars`, `Pieces` of
`helpers.explorers.views`, or whatever it draws with matplotlib), and a few controls. The others answer in the browser, without waiting for the kernel. Explorers
show what compute modules worked out: what the browser computes is also a Python function, and the tests
run both on the same numbers.
"""

import importlib

from helpers.explorers.base import Explorer
from helpers.explorers.panel import Panel, explore
from helpers.explorers.views import Bars, Pieces

_HOME = {
    "Attention": "attention",
    "DenseCounter": "parameters",
    "Dice": "dice",
    "GradientDescent": "gradient_descent",
    "LogitLens": "lens",
    "LossCurve": "loss_curve",
    "Merges": "merges",
    "NextToken": "next_token",
    "ParameterCounter": "parameters",
    "PixelExplorer": "pixels",
    "Quiz": "quiz",
    "RotaryDial": "rotary",
    "Sampling": "sampling",
    "SensePath": "sense_path",
    "Sinusoids": "sinusoids",
    "Tokens": "tokens",
    "VoiceExplorer": "voices",
    "WordMap": "word_map",
    "Writer": "writer",
}

__all__ = [
    "Attention", "Bars", "DenseCounter", "Dice", "Explorer", "GradientDescent", "LogitLens", "LossCurve", "Merges", "NextToken", "Panel", "ParameterCounter", "Pieces",
    "Quiz", "RotaryDial", "Sampling", "SensePath", "Sinusoids", "Tokens", "VoiceExplorer", "WordMap", "Writer", "explore",
]  # fmt: skip


def __getattr__(name: str):
    """The other explorers are imported when they are first asked for: some need a model's modules."""
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"helpers.explorers has no {name!r}; it has {', '.join(__all__)}")
