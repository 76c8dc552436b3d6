"""Explorers: controls that move a picture. Each stands in one ``.py`` beside one ``.js``.

``explore(draw, describe, **controls)`` is the general one: a function that draws, a function that says
what is drawn, and a few controls. Explorers show what compute modules worked out; they hold no arithmetic
of their own.
"""

from helpers.explorers.panel import Panel, explore

__all__ = ["Panel", "explore"]
