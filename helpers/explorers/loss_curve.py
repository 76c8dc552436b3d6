"""The loss-curve explorer: the loss of one or several training runs, live, beside landmarks whose heights are known.

``watch`` goes between a training loop and whoever reads its records. It passes every record on, tells the browser
at most ten times a second what is new, and ends the loop when the learner presses Stop. The browser draws; what
``loss_curve.js`` computes is here or in ``plots`` under the same names: ``running_mean``, ``among``, ``spread``,
``describe_losses``, and `outcome` and `summary` below; the tests run both on the same numbers.

Two threads: the loop runs in one, so the message that Stop was pressed must come through another. JupyterLab opens
such a one for messages of widgets (a *subshell* of the kernel), but ipykernel 7.4 hands an explorer's messages to the
thread that has last sent something for it, which is the busy one. So the browser calls on a line of its own (`LINE`),
on which nobody ever sends back. All that the other thread does is to write down the number of the run; the browser
sets no trait, so that the two never change the same thing.

Source: Jupyter Enhancement Proposal 91, "Kernel subshells".
"""

import math
import operator
import time
import uuid
import weakref
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
import traitlets
from comm import get_comm_manager
from jaxtyping import Float

from helpers import plots
from helpers.explorers.base import Explorer, script, style

FIELDS = ("step", "loss", "learning_rate", "gradient_norm", "tokens_per_second")
PAUSE = 0.1  # seconds between two updates
KEPT = 512  # records that are sent again with each update, until all are sent as a whole
SMOOTHING = (0, 5, 10, 20, 50, 100, 200, 500)  # steps
SHOWN = ("loss", "learning_rate", "gradient_norm", "tokens_per_second")
LARGEST = 2**24  # the last step that 32 bits count exactly
MOST_RUNS, MOST_LANDMARKS, LONGEST = 12, 8, 24

LINE = "under-the-hood.stop"  # on which the browser calls

clock = time.monotonic
_listening: weakref.WeakValueDictionary[str, "LossCurve"] = weakref.WeakValueDictionary()


def _called(line: Any, message: Any) -> None:
    """The browser calls because Stop was pressed; this runs in another thread than the training."""

    def hear(message: Any) -> None:
        content = message["content"]["data"]
        if curve := _listening.get(content.get("curve")):
            curve._heard(curve, content, None)

    line.on_msg(hear)  # the line stays open for the next time
    hear(message)


@dataclass
class Run:
    """One run: what the browser is told of it, and its records."""

    name: str
    planned: int = 0  # steps; 0: nobody said
    state: str = "running"
    said: str = ""  # the error's own words
    rows: array = field(default_factory=lambda: array("f"))  # FIELDS of a record, one after the other
    sent: int = 0  # numbers that the browser has as a whole

    def table(self) -> Float[np.ndarray, "record 5"]:
        """The records, a row each, as the browser has them: 32 bits a number."""
        return np.array(self.rows, dtype=np.float32).reshape(-1, len(FIELDS)).astype(float)

    def packed(self, start: int = 0) -> bytes:
        """The numbers from number `start` on, as they travel."""
        return np.array(self.rows[start:], dtype="<f4").tobytes()


class Summary(NamedTuple):
    """A run in numbers; losses are means of the last 20 steps, in nats per token, NaN where there are none."""

    name: str
    outcome: str
    n_steps: int
    first: float  # the very first loss
    last: float
    best: float  # the lowest
    best_step: int
    ratio: float  # of the last one to the floor
    tokens_per_second: float  # median


def outcome(state: str, n_steps: int, last_step: int, planned: int) -> str:
    """How a run went, in a few words.

    >>> outcome("stopped", 312, 312, 900), outcome("finished", 900, 900, 900), outcome("given", 1, 1, 0)
    ('stopped at step 312 of 900', 'finished after 900 steps', '1 point')
    """
    if state in ("given", "added"):
        return f"{n_steps:,} point{'' if n_steps == 1 else 's'}"
    if state == "finished":
        return f"finished after {n_steps:,} step{'' if n_steps == 1 else 's'}"
    verb = {"running": "running,", "failed": "failed after"}.get(state, f"{state} at")
    return f"{verb} step {last_step:,}{f' of {planned:,}' if planned else ''}"


def summary(run: Run, floor: float | None = None) -> Summary:
    """A run's row of the table under the curve.

    >>> run = Run("a", 900, "stopped", rows=array("f", [1, 4, 0, 0, 100, 2, 2, 0, 0, 300]))
    >>> summary(run, floor=0.5)
    Summary(name='a', outcome='stopped at step 2 of 900', n_steps=2, first=4.0, last=2.0, best=2.0, best_step=2,
            ratio=4.0, tokens_per_second=200.0)
    """
    table = run.table()
    steps, losses, speeds = table[:, 0], table[:, 1], table[:, 4]
    means = plots.running_mean(steps, losses, plots.LAST)
    at, known = steps[np.isfinite(means)], means[np.isfinite(means)]
    last_step = int(steps[-1]) if len(steps) else 0
    numbers = [math.nan] * 3
    if len(known):
        numbers = [float(losses[np.isfinite(losses)][0]), float(known[-1]), float(known.min())]
    return Summary(
        run.name,
        outcome(run.state, len(steps), last_step, run.planned),
        len(steps),
        *numbers,
        best_step=int(at[known.argmin()]) if len(known) else 0,
        ratio=numbers[1] / floor if floor else math.nan,
        tokens_per_second=float(np.median(speeds[np.isfinite(speeds)])) if np.isfinite(speeds).any() else math.nan,
    )  # fmt: skip


# ---- What may come in ----------------------------------------------------------------------------------------------


def _short(value: object) -> str:
    """What was given, on one short line."""
    told = " ".join(repr(value).split())
    return told if len(told) <= 60 else f"{told[:59]}…"


def _name(what: str, name: object) -> str:
    """A name that fits beside a line; raises ValueError for any other."""
    if not (isinstance(name, str) and name.strip() and name.isprintable() and len(name) <= LONGEST):
        raise ValueError(
            f"{what} must have a name of 1 to {LONGEST} characters, got {_short(name)}; "
            "it stands beside its line"
        )
    return name


def _ladder(landmarks: Any) -> list[list]:
    """Landmarks as [name, nats per token], the highest first; raises ValueError for what can't be drawn."""
    if landmarks is None:
        return []
    if not isinstance(landmarks, Mapping) or len(landmarks) > MOST_LANDMARKS:
        raise ValueError(
            f"landmarks must be a dict of up to {MOST_LANDMARKS} names and losses, got {_short(landmarks)}; "
            'write {"uniform": 5.09}'
        )
    ladder = []
    for name, height in landmarks.items():
        height = _number(height)
        if not 0 < height < math.inf:
            raise ValueError(
                f"the landmark {_name('a landmark', name)!r} must be above 0 nats per token, got {landmarks[name]!r}; "
                "give its loss as a number"
            )
        ladder.append([_name("a landmark", name), height])
    return sorted(ladder, key=lambda one: -one[1])


def _number(value: Any) -> float:
    """`value` as a number, NaN where it is none."""
    if isinstance(value, str | bytes | bool):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        return math.nan


def _planned(steps: Any) -> int:
    """How many steps a run will have; 0 where nobody said."""
    if steps is None:
        return 0
    try:
        number = operator.index(steps)
    except TypeError:
        number = -1
    if isinstance(steps, bool) or not 0 <= number <= LARGEST:
        raise ValueError(
            f"steps must be a whole number from 0 to {LARGEST:,}, got {steps!r}; config.steps is one"
        )
    return number


def _row(record: Any, before: float) -> list[float]:
    """A record's numbers; raises ValueError without a step and a loss, and for a step that is not behind `before`."""
    if not (hasattr(record, "step") and hasattr(record, "loss")):
        raise ValueError(
            f"a record must have a step and a loss, got {type(record).__name__}; training.train yields such records"
        )
    step = _number(record.step)
    if not (0 <= step <= LARGEST and step == int(step)):
        raise ValueError(f"a record's step must be a whole number from 0 to {LARGEST:,}, got {record.step!r}; count from 1")  # fmt: skip
    if step <= before:
        raise ValueError(
            f"steps must rise, got step {step:.0f} after step {before:.0f}; give what starts anew a run of its own"
        )
    return [step, *(_number(getattr(record, name, math.nan)) for name in FIELDS[1:])]


class LossCurve(Explorer):
    """Loss over steps, live while training, beside `landmarks` (names and nats per token; the one with "floor" in its
    name is drawn through, and losses are compared with it).

    `steps` is how many a run will have, `smoothing` over how many of the last steps a mean is taken (0: none),
    `log_loss` and `log_steps` choose logarithmic axes. Raises ValueError for a landmark that has no name or is not
    above 0, for steps that are no whole number, and for a smoothing that the slider has not.

    >>> from helpers.training import Record
    >>> curve = LossCurve({"uniform": 5.0, "floor": 0.5}, steps=2)
    >>> for record in curve.watch(iter([Record(1, 5.0, 0.1, 1, 9), Record(2, 0.5, 0.1, 1, 9)]), name="fast"):
    ...     print(record.loss)
    5.0
    0.5
    >>> curve
    <LossCurve: Loss in nats per token, with uniform at 5.00 and floor at 0.50. fast, finished after 2 steps: begins
    near uniform and ends near floor.>
    """

    _esm = script("loss_curve")
    _css = style("loss_curve")
    shown: ClassVar[tuple[str, ...]] = ("runs",)

    landmarks = traitlets.List().tag(sync=True)  # [name, nats per token], the highest first
    steps = traitlets.Int().tag(sync=True)  # planned
    exact = traitlets.Bool().tag(sync=True)  # stored numbers: their digits are told
    runs = traitlets.List().tag(sync=True)  # {name, planned, state, said} of each
    data = traitlets.List().tag(sync=True)  # of each run, its records as a whole, up to some time ago
    news = traitlets.List().tag(sync=True)  # and those since then
    key = traitlets.Unicode().tag(sync=True)  # what the browser calls it by
    # The view as it begins. The browser changes it for itself and tells nobody.
    what = traitlets.Unicode("loss").tag(sync=True)
    smoothing = traitlets.Int().tag(sync=True)
    log_loss = traitlets.Bool().tag(sync=True)
    log_steps = traitlets.Bool().tag(sync=True)
    hidden = traitlets.List().tag(sync=True)  # names of runs
    width = traitlets.Int(860).tag(sync=True)

    def __init__(
        self,
        landmarks: Any = None,
        *,
        steps: Any = None,
        smoothing: Any = 20,
        log_loss: bool = False,
        log_steps: bool = False,
    ):
        if isinstance(smoothing, bool) or smoothing not in SMOOTHING:
            raise ValueError(
                f"smoothing must be one of {', '.join(map(str, SMOOTHING))} steps, got {smoothing!r}; 0 is none"
            )
        self._runs: list[Run] = []
        self._stopping = 0  # the number of the run that is to stop, counted from 1
        self._last = -math.inf  # when the browser was told
        super().__init__(
            landmarks=_ladder(landmarks), steps=_planned(steps), smoothing=int(smoothing), log_loss=bool(log_loss),
            log_steps=bool(log_steps), key=uuid.uuid4().hex,
        )  # fmt: skip
        self.on_msg(self._heard)  # for kernels that hand it to another thread by themselves
        _listening[self.key] = self
        get_comm_manager().register_target(LINE, _called)

    @classmethod
    def from_runs(cls, runs: Any, landmarks: Any = None, **settings: Any) -> "LossCurve":
        """Curves of runs that are over: ``{"lr 0.1": {"step": [1, 2], "loss": [5.1, 4.7]}, ...}``.

        Other fields of a record may stand beside step and loss. A loss that is no number leaves a gap. The description tells
        digits, so give numbers that were stored, not ones that another processor would compute a little differently.
        Raises ValueError for no runs, one without points, and lists that are not equally long.

        >>> LossCurve.from_runs({"small": {"step": [1, 2], "loss": [4.0, 2.0]}})
        <LossCurve: Loss in nats per token. small, 2 points: falls, from 4.00 to 2.00, lowest 2.00 at step 2.>
        """
        if not isinstance(runs, Mapping) or not runs:
            raise ValueError(
                f'runs must be a dict with at least one run, got {_short(runs)}; write {{"a": {{"step": [1], "loss": [5.1]}}}}'
            )
        curve = cls(landmarks, **settings)
        for name, columns in runs.items():
            curve._give(name, columns)
        curve.exact = True
        curve._update(whole=True)
        curve._tell()
        return curve

    def _give(self, name: Any, columns: Any) -> None:
        if not isinstance(columns, Mapping) or not {"step", "loss"} <= set(columns):
            raise ValueError(
                f'the run {name!r} must have "step" and "loss", got {_short(columns)}; give a list of each'
            )
        unknown = sorted(set(columns) - set(FIELDS))
        if unknown:
            raise ValueError(
                f"the run {name!r} may have {', '.join(FIELDS)}, got {unknown[0]!r}; leave it out"
            )
        sizes = {field: np.shape(values) for field, values in columns.items()}
        size = sizes["step"]
        if any(one != size for one in sizes.values()) or len(size) != 1 or not size[0]:
            told = ", ".join(f"{field} {one[0] if one else 'no list'}" for field, one in sizes.items())
            raise ValueError(
                f"the lists of the run {name!r} must be equally long and not empty, got {told}; one entry a step"
            )
        run = self._new(name, 0, "given")
        for values in zip(*columns.values(), strict=True):
            self._append(run, _Columns(dict(zip(columns, values, strict=True))))

    # ---- While training ---------------------------------------------------------------------------------------------

    def watch(self, records: Any, name: Any = None, *, steps: Any = None) -> Iterator[Any]:
        """Passes records on and draws them: ``for record in curve.watch(training.train(...), name="lr 0.006")``.

        Ends when the records end or when Stop is pressed; then, and when anything is raised, what is there stays
        drawn, and a generator of records is closed. A name that is taken gets " (2)". `steps` is how many are
        planned, where it differs from the curve's. Raises ValueError for what is no iterator, and while it runs
        for a record without step and loss or with a step that does not rise.
        """
        if not isinstance(records, Iterable) or isinstance(records, str | bytes | Mapping):
            raise ValueError(
                f"records must come one by one, got {type(records).__name__}; pass training.train(model, inputs, targets)"
            )
        name = _name("a run", f"run {len(self._runs) + 1}" if name is None else name)
        return self._watched(iter(records), name, self.steps if steps is None else _planned(steps))

    def _watched(self, records: Iterator[Any], name: str, planned: int) -> Iterator[Any]:
        run = self._new(name, planned, "running")
        number = len(self._runs)
        self._update()
        self._tell()
        state, said = "ended", ""  # where whoever listens goes away
        try:
            for record in records:
                self._append(run, record)
                if clock() - self._last >= PAUSE:
                    self._update()
                yield record
                if self._stopping == number:
                    state = "stopped"
                    return
            state = "finished"
        except KeyboardInterrupt:
            state = "interrupted"
            raise
        except Exception as error:
            state, said = "failed", str(error) or type(error).__name__
            raise
        finally:
            try:
                if hasattr(records, "close"):
                    records.close()
            finally:
                run.state, run.said = state, said
                with self.hold_sync():
                    self._update(whole=True)
                    self._tell()

    def add(self, record: Any, run: Any) -> None:
        """Adds one point to the run of that name, which is begun with its first: held-out losses, now and then.

        It is drawn with the next update: of a run that is watched, or when the curve is shown again. Raises ValueError for a
        record without step and loss, a step that does not rise, and the name of a run that is watched.
        """
        found = next((one for one in self._runs if one.name == run), None)
        if found is None:
            found = self._new(run, 0, "added")
            self._tell()
        if found.state != "added":
            raise ValueError(
                f"a point goes to a run of its own, got {run!r}, which is another one; choose a new name"
            )
        self._append(found, record)
        if clock() - self._last >= PAUSE:
            self._update()

    def stop(self) -> None:
        """Ends the run that is being watched, as the button does: after the step it is at."""
        self._stopping = max((n for n, run in enumerate(self._runs, 1) if run.state == "running"), default=0)

    def _heard(self, _widget: object, content: Any, _buffers: object) -> None:
        """The browser says that Stop was pressed. In another thread: it writes one number, and nothing else."""
        if isinstance(content, dict) and isinstance(content.get("stop"), int):
            self._stopping = content["stop"]

    def _new(self, name: Any, planned: int, state: str) -> Run:
        name = _name("a run", name)
        if len(self._runs) == MOST_RUNS:
            raise ValueError(f"a curve holds up to {MOST_RUNS} runs, got one more; make a new LossCurve")
        taken, number, own = {run.name for run in self._runs}, 2, name
        while own in taken:
            own, number = f"{name} ({number})", number + 1
        self._runs.append(Run(own, planned, state))
        return self._runs[-1]

    def _append(self, run: Run, record: Any) -> None:
        run.rows.extend(_row(record, run.rows[-len(FIELDS)] if run.rows else -1))

    def _update(self, whole: bool = False) -> None:
        """The browser is told what is new: a little of what it has already, so that no message must be the first."""
        self._last = clock()
        fresh = max((len(run.rows) - run.sent for run in self._runs), default=0) // len(FIELDS)
        with self.hold_sync():
            if whole or fresh > max(KEPT, max(len(run.rows) for run in self._runs) // len(FIELDS) // 8):
                self.data = [run.packed() for run in self._runs]
                for run, sent in zip(self._runs, self.data, strict=True):
                    run.sent = len(sent) // 4
            self.news = [run.packed(run.sent) for run in self._runs]

    def _tell(self) -> None:
        """The browser is told which runs there are and how they go."""
        self.runs = [
            {"name": run.name, "planned": run.planned, "state": run.state, "said": run.said}
            for run in self._runs
        ]

    # ---- What is shown ----------------------------------------------------------------------------------------------

    def summaries(self) -> list[Summary]:
        """The table under the curve: a `Summary` of each run."""
        floor = next((height for name, height in self.landmarks if "floor" in name.lower()), None)
        return [summary(run, floor) for run in self._runs]

    def _curves(self) -> dict[str, tuple]:
        return {run.name: tuple(run.table()[:, :2].T) for run in self._runs}

    def describe(self) -> str:
        outcomes = {one.name: one.outcome for one in self.summaries()}
        return plots.describe_losses(
            self._curves(), dict(self.landmarks), outcomes=outcomes, exact=self.exact
        )

    def picture(self) -> bytes:
        ax = plots.plot_losses(
            {name: curve for name, curve in self._curves().items() if len(curve[0])},
            dict(self.landmarks), window=self.smoothing, log_loss=self.log_loss, log_steps=self.log_steps,
            n_steps=self.steps if not self._runs else 1,
        )  # fmt: skip
        return plots.png(ax.figure, dpi=120)

    def _repr_mimebundle_(self, **settings: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        self._update(whole=True)
        self.alt = self.describe()
        return super()._repr_mimebundle_(**settings)


class _Columns:
    """One step of a stored run, as a record."""

    def __init__(self, values: Mapping[str, Any]):
        self.__dict__.update(values)
