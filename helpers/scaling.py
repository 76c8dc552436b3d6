"""Scaling: what the learning rate, the data and the model's size do to the loss, from a grid of small trainings.

``python -m helpers.scaling`` trains every model of the grid on Tinytown from fixed seeds and writes their curves to
``helpers/weights/grid.json``, which ``load_grid`` reads. The grid answers four questions, one group of runs each:

1. ``rates``: one model, learning rates from much too small to far too large.
2. ``data``: one model, few stories many times or many stories once: overfitting, and where ``early_stop`` stops.
3. ``sizes``: one recipe, wider and wider models. ``fit_power_law`` draws a line through the smaller ones and predicts
   the largest, which was trained as well.
4. The same curves over operations, 6 for each parameter and token: ``frontier``.

The floor is known here, as it never is for real text: what the dice themselves pay on the held-out stories.

Another processor repeats a curve to some digits for some hundred steps. Then they part, for when a model leaves a
plateau is chance: so each size was trained from three seeds, and their spread is part of the result.

What this leaves out: the best learning rate and number of steps for each size, which a real study would search for.

Sources: Kaplan et al. 2020, "Scaling Laws for Neural Language Models" (arXiv:2001.08361), sections 1.2 and 3, for power
laws in size, data and operations; Hoffmann et al. 2022, "Training Compute-Optimal Large Language Models"
(arXiv:2203.15556), section 3.3, for a law with a floor; Prechelt 1998, "Early Stopping - But When?", for patience.
"""

import argparse
import functools
import math
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from helpers.results import load_results, save_results

FORMAT = "under-the-hood grid of trainings, version 1"
GRID = Path(__file__).parent / "weights" / "grid.json"
N_HELD_OUT = 500  # stories of the validation split on which every model is measured
COMMAND = "python -m helpers.scaling"


# ---------------------------------------------------------------------------------------------
# The grid.


class Plan(NamedTuple):
    """One training of the grid: everything that its result depends on."""

    group: str  # rates, data or sizes
    d_model: int
    n_stories: int  # different stories to learn from; when all were read, they come again
    steps: int
    learning_rate: float  # at its highest
    seed: int = 0  # of the first weights, the stories and their order
    n_layers: int = 2
    n_heads: int = 2
    batch_size: int = 32
    every: int = 50  # steps between two measurements


class Run(NamedTuple):
    """A training that was done, with its curves. Losses are in nats per token."""

    plan: Plan
    n_params: int
    tokens_per_step: float  # on average
    steps: Int[np.ndarray, " point"]  # done when this was measured, from 1
    losses: Float[
        np.ndarray, " point"
    ]  # on the training stories: the mean over the steps since the last point
    held_out: Float[np.ndarray, " point"]  # on stories that no model trained on
    stopped: int | None  # the step at which the loss was no number any more

    @property
    def operations(self) -> Float[np.ndarray, " point"]:
        """Spent on training up to each point: 6 for each parameter and token."""
        return 6.0 * self.n_params * self.tokens_per_step * self.steps

    @property
    def epochs(self) -> Float[np.ndarray, " point"]:
        """How often every story had been read at each point."""
        return self.steps * self.plan.batch_size / self.plan.n_stories

    @property
    def best(self) -> int:
        """The point with the lowest held-out loss, counted from 0. Raises ValueError where none is a number."""
        if np.isnan(self.held_out).all():
            raise ValueError("the best point has a held-out loss, but this run has none; take another rate")
        return int(np.nanargmin(self.held_out))


class Grid(NamedTuple):
    """All runs, and what they are measured against."""

    floor: float  # what the true dice pay on the held-out stories, in nats per token
    runs: tuple[Run, ...]

    def group(self, name: Any) -> tuple[Run, ...]:
        """The runs of one group, in the order of the plan. Raises ValueError for an unknown name."""
        names = list(dict.fromkeys(run.plan.group for run in self.runs))
        if name not in names:
            raise ValueError(
                f"a group must be one of {', '.join(names)}, got {name!r:.60}; take one of those"
            )
        return tuple(run for run in self.runs if run.plan.group == name)


RATES = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 30.0, 1000.0)
STORIES = (200, 1_000, 5_000, 20_000)
WIDTHS = (6, 8, 12, 16, 24, 32)
SEEDS = (0, 1, 2)


def suitable_rate(d_model: int) -> float:
    """A learning rate that suits this width: a wider model takes smaller steps.

    >>> suitable_rate(16)
    0.01
    """
    return round(0.04 / math.sqrt(d_model), 4)


PLANS: tuple[Plan, ...] = (
    *(Plan("rates", 32, 20_000, 600, rate) for rate in RATES),
    *(Plan("data", 32, n_stories, 2_500, suitable_rate(32)) for n_stories in STORIES),
    *(
        Plan("sizes", width, 48_000, 2_500, suitable_rate(width), seed, every=100)
        for width in WIDTHS
        for seed in SEEDS
    ),
)


def load_grid(path: str | os.PathLike[str] = GRID) -> Grid:
    """The grid of trainings that ``python -m helpers.scaling`` wrote.

    >>> grid = load_grid()
    >>> [run.plan.learning_rate for run in grid.group("rates")]
    [0.0001, 0.001, 0.01, 0.1, 1.0, 30.0, 1000.0]

    Raises FileNotFoundError for a file that is not there, and ValueError for one that is damaged or holds
    something else.
    """
    return load_results(
        path,
        lambda found: Grid(float(found["floor"]), tuple(_read(run) for run in found["runs"])),
        format=FORMAT,
        command=COMMAND,
    )


def _read(fields: Any) -> Run:
    """A run from its JSON, where null stands for what was no number."""
    steps = np.array(fields["steps"], dtype=int)
    losses, held_out = (np.array(fields[name], dtype=float) for name in ("losses", "held_out"))
    if not (steps.ndim == 1 and len(steps) and losses.shape == held_out.shape == steps.shape):
        raise ValueError("curves of different lengths, or empty ones")
    n_params, tokens_per_step = int(fields["n_params"]), float(fields["tokens_per_step"])
    return Run(Plan(**fields["plan"]), n_params, tokens_per_step, steps, losses, held_out, fields["stopped"])


# ---------------------------------------------------------------------------------------------
# What the curves say.


def early_stop(held_out: Any, patience: Any) -> int:
    """The measurement whose model is kept, counted from 0, when training stops as soon as nothing got better.

    `held_out` holds one loss for each measurement. Training stops after `patience` measurements in a row that are no
    lower than the lowest before them, and that lowest is kept. With too little patience it misses what would have come
    later.

    >>> early_stop([3.0, 2.0, 2.5, 2.4, 1.0], patience=2)
    1
    >>> early_stop([3.0, 2.0, 2.5, 2.4, 1.0], patience=3)
    4

    Raises ValueError without measurements, for one that is NaN, and for a patience that is no whole number from 1.
    """
    held_out = _numbers("held_out", held_out)
    if isinstance(patience, bool) or not (isinstance(patience, int | np.integer) and patience >= 1):
        raise ValueError(f"patience must be a whole number from 1, got {patience!r:.60}; 5 is usual")
    best = 0
    for point, loss in enumerate(held_out):
        if loss < held_out[best]:
            best = point
        if point - best >= patience:
            break
    return best


class PowerLaw(NamedTuple):
    """A loss that falls with size towards a floor: ``floor + coefficient * size ** -exponent``."""

    coefficient: float
    exponent: float
    floor: float
    spread: float  # by what factor the points lie off the line, typically: 1 is on it

    def predict(self, size: Any) -> float:
        """The loss at a size.

        >>> PowerLaw(coefficient=8, exponent=0.5, floor=1, spread=1).predict(16)
        3.0

        Raises ValueError for a size that is not above 0.
        """
        if isinstance(size, bool) or not (isinstance(size, int | float | np.number) and 0 < size < math.inf):
            raise ValueError(f"size must be a number above 0, got {size!r:.60}; n_params is one")
        return self.floor + self.coefficient * float(size) ** -self.exponent


def fit_power_law(sizes: Any, losses: Any, floor: Any) -> PowerLaw:
    """The power law that lies nearest to the points: a straight line where both axes are logarithmic.

    `sizes` and `losses` are numbers, as many of one as of the other. What is above a known floor is fitted by least
    squares, after logarithms: each factor counts alike, near the floor and far from it.

    >>> law = fit_power_law([1, 4, 16], [9.0, 5.0, 3.0], floor=1.0)  # 8, 4 and 2 above the floor
    >>> round(law.coefficient, 6), round(law.exponent, 6), round(law.predict(64), 6)
    (8.0, 0.5, 2.0)

    Raises ValueError for fewer than two different sizes, for numbers that are not finite or not above 0, and for a loss
    that is not above the floor.
    """
    sizes, losses = _numbers("sizes", sizes), _numbers("losses", losses)
    floor = float(_numbers("floor", [floor])[0])
    if len(sizes) != len(losses):
        raise ValueError(
            f"there must be a loss for each size, got {len(sizes)} sizes and {len(losses)} losses"
        )
    if not (sizes > 0).all():
        raise ValueError(f"sizes must be above 0, got {sizes.min():g}; leave it out")
    if len(set(sizes.tolist())) < 2:
        raise ValueError("a line needs at least two different sizes, got one; add another")
    if not (losses > floor).all():
        raise ValueError(
            f"losses must be above the floor, got {losses.min():.4g} for a floor of {floor:.4g}; "
            "measure the floor on the same stories, or leave that size out"
        )
    x, y = np.log(sizes), np.log(losses - floor)
    slope, height = np.polyfit(x, y, 1)
    off = y - (slope * x + height)
    free = max(len(x) - 2, 1)  # two numbers were fitted
    spread = math.exp(math.sqrt((off**2).sum() / free))
    return PowerLaw(math.exp(height), -float(slope), floor, spread)


class Point(NamedTuple):
    """A model on the frontier: what it had cost by then, and the loss it had reached."""

    operations: float
    held_out: float
    run: Run


def frontier(runs: Iterable[Run]) -> list[Point]:
    """The best that so many operations can buy: every measurement that no cheaper or equally dear one beats.

    In order of their cost. Raises ValueError without runs.
    """
    points = [
        Point(float(operations), float(loss), run)
        for run in runs
        for operations, loss in zip(run.operations, run.held_out, strict=True)
        if not math.isnan(loss)
    ]
    if not points:
        raise ValueError("runs must hold at least one run, got none; load_grid().group('sizes') gives some")
    best: list[Point] = []
    for point in sorted(points, key=lambda point: (point.operations, point.held_out)):
        if not best or point.held_out < best[-1].held_out:
            best.append(point)
    return best


def _numbers(name: str, values: Any) -> Float[np.ndarray, " point"]:
    """Finite numbers in a row, at least one."""
    try:
        numbers = np.asarray(values, dtype=float)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be numbers, got {values!r:.60}; a run has them") from None
    if numbers.ndim != 1 or not len(numbers):
        raise ValueError(
            f"{name} must be numbers in a row, at least one, got the shape {list(numbers.shape)}"
        )
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} must be finite numbers, got NaN or infinity; leave them out")
    return numbers


# ---------------------------------------------------------------------------------------------
# Making the grid.


def carry_out(plan: Plan, steps: int | None = None) -> Run:
    """Trains the model of a plan and gives its curves; with `steps` only their beginning.

    A loss that is no number any more ends the run: that is a result, not an error.
    """
    from helpers.training import TrainingConfig, evaluate, train
    from helpers.transformer import GPT

    inputs, targets = _rows(plan.n_stories, plan.seed)
    model = GPT(_model_config(plan), seed=plan.seed)
    config = TrainingConfig(
        steps=plan.steps, batch_size=plan.batch_size, learning_rate=plan.learning_rate, seed=plan.seed
    )
    points: list[tuple[int, float, float]] = []
    recent: list[float] = []
    stopped = None
    records = train(model, inputs, targets, config)
    for step in range(1, (steps or plan.steps) + 1):
        try:
            recent.append(next(records).loss)
        except ValueError as error:
            if "must stay a number" not in str(error):
                raise
            stopped = step
        if recent and (stopped or step % plan.every == 0):
            points.append(
                (step - (stopped is not None), sum(recent) / len(recent), evaluate(model, _held_out()))
            )
            recent = []
        if stopped:
            break
    steps_done, losses, held_out = (np.array(column) for column in zip(*points, strict=True))
    tokens_per_step = int((targets >= 0).sum()) / len(targets) * plan.batch_size
    return Run(plan, model.n_params, tokens_per_step, steps_done, losses, held_out, stopped)


def _model_config(plan: Plan) -> Any:
    from helpers.training import TINYTOWN_CONFIG

    return replace(TINYTOWN_CONFIG, n_layers=plan.n_layers, n_heads=plan.n_heads, d_model=plan.d_model)


@functools.cache
def _rows(n_stories: int, seed: int) -> tuple[Any, Any]:
    """Inputs and targets of the first stories of a seed: fewer stories are the beginning of more."""
    from helpers import tinytown
    from helpers.training import story_rows

    return story_rows(tinytown.stories("train", n_stories, seed))


@functools.cache
def _held_out() -> list[tuple[str, ...]]:
    from helpers import tinytown

    return tinytown.stories("validation", N_HELD_OUT)


def _floor() -> float:
    """What the dice pay on the held-out stories, each word and each end counted once, in nats per token."""
    from helpers import tinytown

    stories = _held_out()
    return sum(sum(tinytown.surprise(story)) for story in stories) / sum(len(story) + 1 for story in stories)


def _rounded(numbers: Iterable[float]) -> list[float | None]:
    """Four digits, since those behind them differ between processors; JSON has no NaN."""
    return [float(f"{number:.4g}") if math.isfinite(number) else None for number in numbers]


def save_grid(grid: Grid, path: Path) -> None:
    """Writes a grid, one run a line, all or nothing."""
    runs = (
        {
            "plan": run.plan._asdict(),
            "n_params": run.n_params,
            "tokens_per_step": round(run.tokens_per_step, 2),
            "stopped": run.stopped,
            "steps": run.steps.tolist(),
            "losses": _rounded(run.losses),
            "held_out": _rounded(run.held_out),
        }
        for run in grid.runs
    )
    save_results(runs, path, format=FORMAT, command=COMMAND, floor=round(grid.floor, 5))


def make_grid(plans: Sequence[Plan], kept: Path) -> Iterator[Run]:
    """Every run of the plans, as soon as it is done; each is kept in a file, from which a later call takes it."""
    done = {run.plan: run for run in load_grid(kept).runs} if kept.is_file() else {}
    floor = _floor()
    for plan in plans:
        if plan not in done:
            done[plan] = carry_out(plan)
            save_grid(Grid(floor, tuple(done.values())), kept)
        yield done[plan]


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains every model of the grid, prints how it goes, and writes their curves; interrupted, it goes on later."""
    parser = argparse.ArgumentParser(prog="python -m helpers.scaling", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=GRID)
    parser.add_argument(
        "--quick", action="store_true", help="a few steps of each group, to try it; needs --out"
    )
    options = parser.parse_args(arguments)
    plans = PLANS
    if options.quick:
        if options.out == GRID:
            parser.error("--quick needs --out, or it would write over the grid")
        first = {plan.group: plan for plan in reversed(plans)}.values()
        plans = tuple(plan._replace(steps=4, every=2, n_stories=100) for plan in first)

    kept = options.out.with_name(f".{options.out.name}.kept")
    began, runs = time.perf_counter(), []
    for run in make_grid(plans, kept):
        runs.append(run)
        plan = run.plan
        end = f"no number at step {run.stopped}" if run.stopped else f"held-out {run.held_out[-1]:.4f}"
        print(
            f"{len(runs):2} of {len(plans)}  {plan.group:5}  {run.n_params:6,} parameters  {plan.n_stories:6,} stories  "
            f"rate {plan.learning_rate:<6g}  seed {plan.seed}  {end}  {time.perf_counter() - began:5.0f} s",
            flush=True,
        )
    save_grid(Grid(_floor(), tuple(runs)), options.out)
    kept.unlink()
    print(f"wrote {options.out.name}, {options.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
