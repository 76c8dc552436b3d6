"""Gradient descent, on landscapes with two numbers, where every step can be seen.

A loss is a landscape: the numbers of a model say where one stands, the loss how high. The gradient points up the
steepest way, so learning steps against it. With momentum a step keeps a part of the one before it::

    velocity = momentum * velocity + gradient
    place    = place - learning_rate * velocity

What this leaves out: that the gradient of a batch is only an estimate, optimizers that give each number a step length
of its own (AdamW, in ``helpers.training``), and all landscapes with more than two directions, which are the usual ones.

Sources: Polyak 1964, "Some methods of speeding up the convergence of iteration methods", for momentum; Goh 2017, "Why
Momentum Really Works" (Distill), for the limit 2 / curvature and what momentum does to it.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

FAR = 1e4  # who is farther from 0 than this will not come back
FLAT = 1e-3  # who stands on a slope less steep than this has arrived
MOST_STEPS = 10_000


class Landscape(NamedTuple):
    """Heights over two numbers, their slopes, and where to begin."""

    name: str
    names: tuple[str, str]  # of the two numbers
    loss: Callable[[float, float], float]
    gradient: Callable[[float, float], tuple[float, float]]
    start: tuple[float, float]
    x_range: tuple[float, float]  # what a picture shows
    y_range: tuple[float, float]
    lowest: tuple[
        tuple[float, float], ...
    ]  # where it is flat at the bottom; empty where it only falls and falls
    about: str  # one sentence


def _sum_odds(a: float, w: float) -> Float[np.ndarray, " 3"]:
    """The odds of "three", "four", "five" in the network of notebook 06, where two of its weights stay 0.2 and 0.4."""
    logits = np.array([0.2, w, 0.4]) * 2 * a
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def _sum_loss(a: float, w: float) -> float:
    return -math.log(max(_sum_odds(a, w)[1], 1e-300))


def _sum_gradient(a: float, w: float) -> tuple[float, float]:
    wrong = _sum_odds(a, w) - [0, 1, 0]
    return float(2 * (wrong @ [0.2, w, 0.4])), float(wrong[1] * 2 * a)


LANDSCAPES = {
    landscape.name: landscape
    for landscape in (
        Landscape(
            "bowl", ("x", "y"), lambda x, y: (x * x + y * y) / 2, lambda x, y: (x, y), (-1.7, 1.1), (-3, 3), (-2, 2),
            ((0.0, 0.0),), "Equally curved in every direction: curvature 1, so steps longer than 2 climb.",
        ),
        Landscape(
            "narrow valley", ("x", "y"), lambda x, y: (x * x + 16 * y * y) / 2, lambda x, y: (x, 16 * y), (-2.4, 0.8), (-3, 3), (-2, 2),
            ((0.0, 0.0),), "Curvature 1 along the valley, 16 across it: across, steps longer than 2 / 16 = 0.125 climb.",
        ),
        Landscape(
            "two dents", ("x", "y"), lambda x, y: (x * x - 1) ** 2 / 4 + 0.15 * x + 0.16 + y * y / 2,
            lambda x, y: (x**3 - x + 0.15, y), (1.9, 1.1), (-3, 3), (-2, 2),
            ((-1.0679, 0.0), (0.9142, 0.0)), "Two places where the ground is flat; the left one is deeper.",
        ),
        Landscape(
            "two and two", ("a", "weight of four"), _sum_loss, _sum_gradient, (0.5, 0.3), (-2, 4), (-1.5, 2.5), (),
            "Two of the four numbers of the network in part 3. It falls and falls, and nowhere is a bottom.",
        ),
    )
}  # fmt: skip


class Descent(NamedTuple):
    """A way down, or up."""

    path: Float[np.ndarray, "step 2"]  # the start first
    losses: Float[np.ndarray, " step"]
    slopes: Float[np.ndarray, " step"]  # lengths of the gradients
    arrived: int | None  # the first step on ground flatter than `FLAT`
    diverged: bool  # beyond `FAR`, and not followed any longer


def descend(
    landscape: Landscape,
    learning_rate: float,
    momentum: float = 0.0,
    steps: int | float = 100,
    start: tuple[float, float] | None = None,
) -> Descent:
    """The places of so many steps of gradient descent; fewer where it runs away.

    >>> way = descend(LANDSCAPES["bowl"], learning_rate=0.5, steps=2, start=(8.0, 4.0))
    >>> way.path.tolist(), way.losses.tolist()
    ([[8.0, 4.0], [4.0, 2.0], [2.0, 1.0]], [40.0, 10.0, 2.5])
    >>> descend(LANDSCAPES["bowl"], learning_rate=2.5, steps=100).diverged
    True

    Raises ValueError for a learning rate that is not above 0, for a momentum that is not from 0 up to 1, and for steps
    that are no whole number from 0 to 10,000.
    """
    if not (isinstance(learning_rate, int | float) and 0 < learning_rate < math.inf):
        raise ValueError(f"learning_rate must be above 0 and finite, got {learning_rate!r}; try 0.1")
    if not (isinstance(momentum, int | float) and 0 <= momentum < 1):
        raise ValueError(f"momentum must be from 0 up to 1, 1 left out, got {momentum!r}; 0.9 is usual")
    if isinstance(steps, bool) or not (
        isinstance(steps, int | float) and 0 <= steps <= MOST_STEPS and steps == int(steps)
    ):
        raise ValueError(f"steps must be a whole number from 0 to {MOST_STEPS:,}, got {steps!r}; try 100")
    place = np.array(landscape.start if start is None else start, dtype=np.float64)
    velocity = np.zeros(2)
    path, losses, slopes = [], [], []
    arrived, diverged = None, False
    for step in range(int(steps) + 1):
        gradient = np.array(landscape.gradient(*place))
        path.append(place)
        losses.append(landscape.loss(*place))
        slopes.append(float(np.hypot(*gradient)))
        if arrived is None and slopes[-1] < FLAT:
            arrived = step
        if np.abs(place).max() > FAR:
            diverged = True
            break
        velocity = momentum * velocity + gradient
        place = place - learning_rate * velocity
    return Descent(np.array(path), np.array(losses), np.array(slopes), arrived, diverged)
