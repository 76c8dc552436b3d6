"""The loss curve: what the browser computes is what Python computes, and the run goes through it unharmed."""

import itertools
import json
import math
import re
import statistics
import threading
from array import array

import numpy as np
import pytest
import torch
from bundles import left_behind
from js.run import run

from helpers import plots, training
from helpers.explorers import loss_curve
from helpers.explorers.base import HERE
from helpers.explorers.loss_curve import FIELDS, LossCurve, Run, outcome, summary
from helpers.training import Record

LANDMARKS = {"unigram": 4.0, "floor": 0.41, "uniform": 5.12, "bigram": 1.2, "trigram": 0.9}
LADDER = [list(one) for one in LANDMARKS.items()]


def records(n, *, rate=40.0, end=0.42, first=1, seed=0):
    """Records of a training that nobody does."""
    dice = np.random.default_rng(seed)
    for step in range(first, first + n):
        loss = (end + (5.1 - end) * math.exp(-step / rate)) * (1 + 0.04 * dice.normal())
        yield Record(
            step, float(loss), 0.001 * step, float(abs(dice.normal())), float(dice.uniform(5e4, 7e4))
        )


def run_of(name="a", n=30, state="finished", planned=30, **settings):
    rows = array("f", itertools.chain.from_iterable(records(n, **settings)))
    return Run(name, planned, state, rows=rows)


def holes():
    """A run with losses that are no numbers, steps far apart, and no speed."""
    losses = [5.0, math.nan, 3.0, math.inf, 2.5, 2.75]
    rows = [
        [step, loss, math.nan, math.nan, math.nan]
        for step, loss in zip([0, 1, 7, 8, 40, 41], losses, strict=True)
    ]
    return Run("holes", 50, "failed", rows=array("f", itertools.chain.from_iterable(rows)))


RUNS = [
    run_of(n=300, planned=300),
    run_of("b", 1, "stopped", 900, end=3.0),
    run_of("up", 120, "ended", 0, end=9.0, rate=50),
    run_of("held out", 6, "added", 0),
    run_of("late", 90, "running", 1200, first=1000, end=1.0, rate=900),
    Run("none", 20, "running"),
    Run("gap", 0, "given", rows=array("f", [3, math.nan, 0, 0, 0])),
    holes(),
]
AS_COLUMNS = """
  const asRun = ({ rows, ...about }) => ({ ...m.columns(Float32Array.from(rows.map(Number)).buffer), ...about });
"""


def told(one):
    """A run as JSON; what is no finite number travels as a text."""
    rows = [str(x) if not math.isfinite(x) else x for x in one.rows]
    rows = [{"nan": "NaN", "inf": "Infinity"}.get(x, x) for x in rows]
    return {"name": one.name, "planned": one.planned, "state": one.state, "rows": rows}


def floats(values):
    return [float(value) for value in values]  # "NaN" too


# ---- The browser agrees with Python -------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [0, 1, 5, 20, 500])
@pytest.mark.parametrize("one", [RUNS[0], RUNS[1], RUNS[4], RUNS[7]], ids=lambda one: one.name)
def test_means_are_those_of_python(one, window):
    table = one.table()
    got = run(
        "loss_curve",
        AS_COLUMNS + "const r = asRun(given[0]); return m.runningMean(r.step, r.loss, given[1]);",
        [told(one), window],
    )
    expected = plots.running_mean(table[:, 0], table[:, 1], window)
    np.testing.assert_allclose(floats(got), expected, rtol=1e-12)
    assert np.isnan(expected).sum() == (~np.isfinite(table[:, 1])).sum()


def test_places_among_landmarks_are_those_of_python():
    losses = [
        0.01,
        0.3,
        0.37,
        0.4,
        0.41,
        0.45,
        0.46,
        0.6,
        0.82,
        0.99,
        1.0,
        1.05,
        1.2,
        2.5,
        4.0,
        4.5,
        5,
        5.12,
        5.7,
        9,
        1000,
    ]
    sets = [LANDMARKS, {"floor": 0.5}, {"a": 1.0, "b": 1.0}, {"one": 1.0, "two": 1.05}]
    got = run(
        "loss_curve",
        "return given[1].map((ladder) => given[0].map((loss) => m.among(loss, ladder)));",
        [losses, [list(map(list, one.items())) for one in sets]],
    )
    assert got == [[plots.among(loss, one) for loss in losses] for one in sets]


def test_sentences_are_those_of_python():
    for landmarks, exact in itertools.product((LANDMARKS, {}, {"floor": 0.5, "other": 0.5}), (False, True)):
        chosen = [[], RUNS, RUNS[:1], *[[one] for one in RUNS[1:]]]
        got = run(
            "loss_curve",
            AS_COLUMNS
            + "return given[0].map((runs) => m.describeLosses(runs.map(asRun), given[1], given[2]));",
            [[list(map(told, runs)) for runs in chosen], list(map(list, landmarks.items())), exact],
        )
        for runs, said in zip(chosen, got, strict=True):
            curves = {one.name: tuple(one.table()[:, :2].T) for one in runs}
            outcomes = {one.name: summary(one).outcome for one in runs}
            assert said == plots.describe_losses(curves, landmarks, outcomes=outcomes, exact=exact)


@pytest.mark.parametrize("floor", [None, 0.41])
def test_rows_of_the_table_are_those_of_python(floor):
    got = run(
        "loss_curve",
        AS_COLUMNS + "return given[0].map((one) => m.summary(asRun(one), given[1] ?? undefined));",
        [list(map(told, RUNS)), floor],
    )
    for one, row in zip(RUNS, got, strict=True):
        expected = summary(one, floor)._asdict()
        assert set(row) == set(expected)
        for name, value in expected.items():
            if isinstance(value, str):
                assert row[name] == value
            else:
                np.testing.assert_allclose(float(row[name]), value, rtol=1e-12, err_msg=f"{one.name} {name}")


def test_outcomes_are_those_of_python():
    cases = [
        (state, n, step, planned)
        for state in ("running", "finished", "stopped", "ended", "interrupted", "failed", "added", "given")
        for n, step, planned in [(0, 0, 0), (1, 1, 900), (312, 312, 900), (1200, 4321, 12000)]
    ]
    assert run("loss_curve", "return given.map((one) => m.outcome(...one));", cases) == [
        outcome(*case) for case in cases
    ]
    assert outcome("stopped", 312, 312, 900) == "stopped at step 312 of 900"
    assert outcome("ended", 5, 1234, 0) == "ended at step 1,234"
    assert outcome("running", 1, 1, 9) == "running, step 1 of 9"
    assert outcome("failed", 31, 31, 90) == "failed after step 31 of 90"
    assert outcome("finished", 1, 1, 1) == "finished after 1 step"
    assert outcome("added", 2, 50, 0) == "2 points"


def test_names_are_moved_apart_as_in_python():
    dice = np.random.default_rng(1)
    cases = [[dice.uniform(0, 100, n).round(1).tolist(), 9, 0, 100] for n in (0, 1, 2, 5, 12, 16)]
    cases += [[[50, 50, 50], 10, 0, 100], [[99, 98, 100], 10, 0, 100], [[0, 0], 10, 0, 100]]
    got = run("loss_curve", "return given.map((one) => m.spread(...one));", cases)
    for case, places in zip(cases, got, strict=True):
        np.testing.assert_allclose(places, plots.spread(*case), rtol=1e-12)


def test_the_browser_reads_what_python_sends():
    one = RUNS[0]
    got = run("loss_curve", "const bytes = given.map((one) => Uint8Array.from(one).buffer); const c = m.columns(...bytes); return [c.n, c.step, c.loss, c.learning_rate, c.gradient_norm, c.tokens_per_second];",
              [list(one.packed()[:2000]), list(one.packed(500))])  # fmt: skip
    assert got[0] == 300
    np.testing.assert_allclose(np.transpose(got[1:]), one.table())


def test_looks_of_runs_are_those_of_the_picture():
    sheet = (HERE / "loss_curve.css").read_text(encoding="utf-8")
    looks = dict(re.findall(r"\.uth-run-(\d) \{ (.*) \}", sheet))
    assert sorted(looks) == [str(i) for i in range(len(plots.RUN_STYLES))]
    for i, (share, dash) in enumerate(plots.RUN_STYLES):
        mixed = re.search(r"var\(--uth-loss\) (\d+)%", looks[str(i)])
        assert share == (int(mixed[1]) / 100 if mixed else float("--uth-loss" in looks[str(i)]))
        assert ("dasharray" in looks[str(i)]) == (dash != "-")
    assert len(set(looks.values())) == len(looks)
    assert f"STYLES = {len(looks)}," in (HERE / "loss_curve.js").read_text(encoding="utf-8")


def test_the_slider_has_what_python_takes():
    assert (
        run("loss_curve", "return (await import(given)).default ? 1 : 0", (HERE / "loss_curve.js").as_uri())
        == 1
    )
    source = (HERE / "loss_curve.js").read_text(encoding="utf-8")
    assert json.loads(re.search(r"SMOOTHING = (\[.*?\]);", source)[1]) == list(loss_curve.SMOOTHING)
    assert [key for key, _ in json.loads(re.search(r"WHAT = (\[.*?\]\]);", source)[1])] == list(FIELDS[1:])
    assert f'"{loss_curve.LINE}"' in source


# ---- Drawing ------------------------------------------------------------------------------------------------------


def drawn(xs, ys):
    path = run(
        "loss_curve",
        "return m.path(given[0].map(Number), given[1].map(Number));",
        [xs, [str(y) if not math.isfinite(y) else y for y in ys]],
    )
    return [(kind, float(x), float(y)) for kind, x, y in re.findall(r"([ML])([\d.-]+) ([\d.-]+)", path)]


def test_a_path_of_thousands_of_points_keeps_what_can_be_seen():
    dice = np.random.default_rng(2)
    xs = np.sort(dice.uniform(0, 300, 5000)).round(1)
    ys = dice.uniform(0, 200, 5000).round(1)
    points = drawn(xs.tolist(), ys.tolist())
    assert len(points) <= 4 * 300
    assert [kind for kind, *_ in points] == ["M"] + ["L"] * (len(points) - 1)
    assert [x for _, x, _ in points] == sorted(x for _, x, _ in points)
    assert {(x, y) for _, x, y in points} <= set(zip(xs.tolist(), ys.tolist(), strict=True))
    for column in range(300):
        here, kept = ys[np.floor(xs) == column], [y for _, x, y in points if math.floor(x) == column]
        assert (min(kept), max(kept), kept[0], kept[-1]) == (here.min(), here.max(), here[0], here[-1])


def test_a_path_has_a_gap_where_there_is_no_number():
    points = drawn([0, 10, 20, 30, 30.5], [1, 2, math.nan, 4, 5])
    assert points == [("M", 0, 1), ("L", 10, 2), ("M", 30, 4), ("L", 30.5, 5)]
    assert drawn([], []) == []
    assert drawn([5], [math.nan]) == []


def test_axes():
    line, log, none, low_high = run(
        "loss_curve",
        """const line = m.scale(0, 10, 100, 0, false), log = m.scale(1, 100, 0, 200, true);
        return [[0, 5, 10].map(line), [1, 10, 100].map(log), [0, -1].map(log),
          [[[0.4, 5], [5.12, 0.41], false], [[0.4, 80], [5, 0.5], false, [6]], [[0.4, 80], [5, 0.5], false, [15]], [[0.4, 80], [], false],
           [[0.4, 5], [5, 0.5], true], [[Infinity, -Infinity], [], false], [[Infinity, -Infinity], [], true], [[0, 0], [], false]].map((one) => m.heights(...one))];""",
    )
    assert line == [100, 50, 0]
    np.testing.assert_allclose(log, [0, 100, 200], atol=1e-9)
    assert none == ["NaN", "NaN"]
    np.testing.assert_allclose(
        low_high,
        [[0, 1.06 * 5.12], [0, 10.6], [0, 15.9], [0, 84.8], [0.352, 5.6], [0, 1], [0.1, 10], [0, 1]],
        rtol=1e-9,
    )


@pytest.mark.parametrize(
    ("ends", "expected"),
    [((0, 5, 6, False), [0, 1, 2, 3, 4, 5]), ((1, 2000, 8, True), [1, 10, 100, 1000]),
     ((0.36, 5.7, 6, True), [0.5, 1, 2, 5]), ((1, 1e6, 8, True), [10**i for i in range(7)]),
     ((0.4, 0.9, 6, True), [0.4, 0.5, 0.6, 0.7, 0.8, 0.9])],
)  # fmt: skip
def test_numbers_at_the_axes(ends, expected):
    got = run("loss_curve", "return m.axisTicks(...given);", ends)
    np.testing.assert_allclose(got, expected)


def test_numbers_at_a_narrow_logarithmic_axis_are_some():
    got = run("loss_curve", "return [m.axisTicks(0.41, 0.42, 6, true), m.axisTicks(0.45, 0.62, 6, true)];")
    assert all(len(one) >= 2 for one in got)


def test_the_record_at_a_step_is_the_last_until_then():
    got = run("loss_curve", "return [0, 1, 4, 5, 9, 10, 99].map((step) => m.before([1, 5, 10], step));")
    assert got == [-1, 0, 0, 1, 1, 2, 2]


# ---- A run goes through ---------------------------------------------------------------------------------------------


@pytest.fixture
def sent(monkeypatch):
    """Every update: (clock, whole). The clock stands still but for `sent.pass_(seconds)`."""

    class Sent(list):
        now = 100.0

        def pass_(self, seconds):
            self.now += seconds

    log = Sent()
    monkeypatch.setattr(loss_curve, "clock", lambda: log.now)
    plain = LossCurve._update

    def update(self, whole=False):
        plain(self, whole)
        log.append((log.now, whole, tuple(map(len, self.data)), tuple(map(len, self.news))))

    monkeypatch.setattr(LossCurve, "_update", update)
    return log


def rows(curve, i=0):
    """The records as the browser would read them."""
    data = b"".join([*curve.data[i : i + 1], curve.news[i]])
    return np.frombuffer(data, "<f4").reshape(-1, 5)


def test_records_pass_through_unchanged_and_reach_the_browser():
    curve = LossCurve(LANDMARKS, steps=70)
    given = list(records(70))
    passed = list(curve.watch(iter(given), name="lr 0.006"))
    assert all(one is other for one, other in zip(passed, given, strict=True))
    np.testing.assert_allclose(rows(curve), np.array(given), rtol=1e-6)
    assert curve.runs == [{"name": "lr 0.006", "planned": 70, "state": "finished", "said": ""}]
    assert curve.alt == (
        "Loss in nats per token, with uniform at 5.12, unigram at 4.00, bigram at 1.20, trigram at 0.90 and floor at 0.41. "
        "lr 0.006, finished after 70 steps: begins near uniform, passes unigram, and ends between unigram and bigram."
    )


def test_at_most_ten_updates_a_second_and_the_last_records_at_once(sent):
    curve = LossCurve(steps=400)
    for _ in curve.watch(records(400)):
        sent.pass_(0.025)
    times = [time for time, *_ in sent]
    assert sent[0][1:] == (False, (), (0,)) or sent[0][0] == 100.0
    assert np.diff(times[:-1]).min() > 0.0999
    assert len(times) == pytest.approx(100, abs=4)
    assert sent[-1][1:] == (True, (400 * 20,), (0,))
    assert max(new for *_, (new,) in sent) <= 20 * (loss_curve.KEPT + 1)


def test_only_what_is_new_travels_and_all_of_it_now_and_then(sent):
    curve = LossCurve()
    lengths = []
    for record in curve.watch(records(3000, end=1.0)):
        sent.pass_(0.05)
        lengths.append(len(rows(curve)))
        assert record.step - len(rows(curve)) <= 3  # never more than a tenth of a second behind
    wholes = [data for _, _, (data,), _ in (one for one in sent if one[2]) if data]
    assert len(set(wholes)) == 6  # five on the way, and the end
    assert lengths == sorted(lengths)


def test_fast_steps_cost_few_updates(sent):
    curve = LossCurve()
    for _ in curve.watch(records(5000)):
        sent.pass_(0.0001)
    assert len(sent) == 1 + 4 + 1 or len(sent) == 1 + 5 + 1
    np.testing.assert_array_equal(rows(curve)[:, 0], np.arange(1, 5001))


def closing(n, log):
    try:
        yield from records(n)
    finally:
        log.append("closed")


def test_stop_ends_the_run_after_the_step_it_is_at():
    curve, log, seen = LossCurve(LANDMARKS, steps=900), [], []
    training_loop = closing(900, log)  # held on to: nobody else closes it
    for record in curve.watch(training_loop, name="lr 1"):
        seen.append(record.step)
        if record.step == 312:
            curve.stop()
            curve.stop()  # pressed twice: no harm
    assert seen[-1] == 312
    assert log == ["closed"]
    assert curve.runs[0]["state"] == "stopped"
    assert "lr 1, stopped at step 312 of 900:" in curve.alt
    assert len(rows(curve)) == 312


class Line:
    """What the kernel opens when the browser calls."""

    def on_msg(self, hear):
        self.hear = hear


def called(curve, content):
    return {"content": {"data": {"curve": curve.key} | content}}


def test_the_browser_stops_a_run_from_another_thread():
    curve, line = LossCurve(), Line()
    reached = threading.Event()

    def press():
        reached.wait(10)
        loss_curve._called(line, called(curve, {"stop": 1}))

    thread = threading.Thread(target=press)
    thread.start()
    steps = 0
    for record in curve.watch(records(1_000_000)):
        steps = record.step
        if steps == 50:
            reached.set()
            thread.join(10)
    assert steps == 50
    for record in curve.watch(records(60)):  # and the same line once more
        if record.step == 7:
            line.hear(called(curve, {"stop": 2}))
    assert [one["state"] for one in curve.runs] == ["stopped", "stopped"]
    assert len(rows(curve, 1)) == 7


def test_the_line_is_registered_where_the_kernel_looks():
    from comm import get_comm_manager

    LossCurve()
    assert get_comm_manager().targets[loss_curve.LINE] is loss_curve._called


@pytest.mark.parametrize(
    "content", [{"stop": 1}, {"stop": 3}, {"stop": "2"}, {}, {"stop": None}, {"stop": 2, "curve": "?"}]
)
def test_a_stop_that_means_another_run_stops_nothing(content):
    curve = LossCurve()
    list(curve.watch(records(3)))
    for record in curve.watch(records(9)):
        if record.step == 4:
            loss_curve._called(Line(), called(curve, content))
    assert curve.runs[1]["state"] == "finished"


def test_a_plain_message_stops_too():
    curve = LossCurve()
    for record in curve.watch(records(9)):
        if record.step == 4:
            curve._handle_custom_msg({"stop": 1}, [])
    assert curve.runs[0]["state"] == "stopped"


def test_a_stop_before_anything_runs_stops_nothing():
    curve = LossCurve()
    curve.stop()
    assert len(list(curve.watch(records(5)))) == 5
    curve.stop()
    assert len(list(curve.watch(records(6)))) == 6


def broken(n, error):
    yield from records(n)
    raise error


def test_an_error_in_the_training_is_told_and_raised():
    curve = LossCurve(steps=90)
    message = "the loss must stay a number, got nan at step 32; try a smaller learning rate"
    with pytest.raises(ValueError, match="got nan at step 32"):
        list(curve.watch(broken(31, ValueError(message)), name="lr 9"))
    assert curve.runs == [{"name": "lr 9", "planned": 90, "state": "failed", "said": message}]
    assert "lr 9, failed after step 31 of 90: falls." in curve.alt
    assert len(rows(curve)) == 31
    with pytest.raises(RuntimeError):
        list(curve.watch(broken(2, RuntimeError())))
    assert curve.runs[1]["said"] == "RuntimeError"


def test_an_interrupt_leaves_the_curve_whole_and_goes_on():
    curve = LossCurve(steps=90)
    with pytest.raises(KeyboardInterrupt):
        list(curve.watch(broken(31, KeyboardInterrupt())))
    assert curve.runs[0]["state"] == "interrupted"
    assert "interrupted at step 31 of 90" in curve.alt
    assert len(rows(curve)) == 31


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_error_in_the_loops_own_lines_ends_the_run(error):
    curve, log = LossCurve(steps=90), []

    def cell():
        for record in curve.watch(closing(90, log)):
            if record.step == 12:
                raise error

    with pytest.raises(error):
        cell()
    assert curve.runs[0]["state"] == "ended"
    assert len(rows(curve)) == 12
    assert log == ["closed"]


def test_a_loop_that_is_left_is_over():
    curve, log = LossCurve(steps=90), []
    for record in curve.watch(closing(90, log)):
        if record.step == 12:
            break
    assert log == ["closed"]
    assert "run 1, ended at step 12 of 90" in curve.alt


def test_a_stopped_training_leaves_a_model_that_can_be_used():
    from helpers import tinytown
    from helpers.transformer import GPT, GPTConfig

    inputs, targets = training.story_rows(tinytown.stories("train", 8))
    model = GPT(
        GPTConfig(vocab_size=len(tinytown.VOCABULARY), n_ctx=64, n_layers=1, n_heads=1, d_model=8), seed=0
    )
    curve = LossCurve(LANDMARKS, steps=5)
    config = training.TrainingConfig(steps=5, batch_size=4)
    for record in curve.watch(training.train(model, inputs, targets, config)):
        if record.step == 2:
            curve.stop()
    assert not model.training
    assert curve.summaries()[0].n_steps == 2
    assert torch.isfinite(model(inputs[:1])).all()


def test_a_name_that_is_taken_gets_a_number():
    curve = LossCurve()
    for name in ("a", "a", None, "a", "run 4"):
        list(curve.watch(records(2), name=name))
    assert [one["name"] for one in curve.runs] == ["a", "a (2)", "run 3", "a (3)", "run 4"]


def test_steps_of_a_run_can_differ_from_the_curves():
    curve = LossCurve(steps=10)
    list(curve.watch(records(3), steps=3))
    list(curve.watch(records(4), steps=0))
    list(curve.watch(records(4)))
    assert [one["planned"] for one in curve.runs] == [3, 0, 10]


def test_points_are_added_to_a_run_of_their_own_while_another_goes_on(sent):
    curve = LossCurve({"floor": 0.4})
    for record in curve.watch(records(40), name="train"):
        if record.step % 10 == 0:
            curve.add(Record(record.step, 2 * record.loss, 0, 0, 0), run="held out")
    assert [one["name"] for one in curve.runs] == ["train", "held out"]
    np.testing.assert_array_equal(rows(curve, 1)[:, 0], [10, 20, 30, 40])
    assert "held out, 4 points: begins above floor and ends above floor" not in curve.alt
    assert "held out, 4 points: begins and ends above floor." in curve.alt
    curve.add(Record(50, 1.0, 0, 0, 0), run="held out")
    sent.pass_(1)
    curve.add(Record(60, 1.0, 0, 0, 0), run="held out")
    assert len(rows(curve, 1)) == 6
    curve.add(Record(100, 0.4, 0, 0, 0), run="held out")
    curve._repr_mimebundle_()  # shown again: nothing is missing
    assert len(rows(curve, 1)) == 7
    assert "held out, 7 points: begins above floor and ends near floor." in curve.alt


def test_a_record_needs_no_more_than_a_step_and_a_loss():
    class Bare:
        step, loss = 3, torch.tensor(1.5)

    curve = LossCurve()
    list(curve.watch([Bare()]))
    assert rows(curve)[0, :2].tolist() == [3, 1.5]
    assert np.isnan(rows(curve)[0, 2:]).all()


# ---- What is left behind --------------------------------------------------------------------------------------------


def test_an_empty_curve_says_what_it_will_show():
    curve = LossCurve(LANDMARKS, steps=900)
    assert repr(curve) == (
        "<LossCurve: Loss in nats per token, with uniform at 5.12, unigram at 4.00, bigram at 1.20, trigram at 0.90 "
        "and floor at 0.41. No run yet.>"
    )
    data, _ = curve._repr_mimebundle_()
    assert left_behind(data) == curve.alt
    assert repr(LossCurve()) == "<LossCurve: Loss in nats per token. No run yet.>"


def test_what_is_left_behind_holds_no_digit_that_another_processor_would_change():
    texts = []
    for seed in (0, 1):  # other losses in the second digit, other speeds
        curve = LossCurve(LANDMARKS, steps=300)
        list(curve.watch(records(300, seed=seed), name="lr 0.006"))
        data, _ = curve._repr_mimebundle_()
        assert left_behind(data) == curve.alt
        texts.append((data["text/plain"], re.sub('base64,[^"]*', "", data["text/html"])))
    assert texts[0] == texts[1]
    assert "begins near uniform, passes unigram, bigram and trigram, and ends near floor." in texts[0][0]


def test_the_picture_has_the_runs_and_the_landmarks(monkeypatch):
    seen = {}
    monkeypatch.setattr(
        plots,
        "plot_losses",
        lambda runs, landmarks, **how: seen.update(runs=runs, landmarks=landmarks, **how) or plots.new_axes(),
    )
    curve = LossCurve(LANDMARKS, steps=900, smoothing=50, log_loss=True)
    curve.picture()
    assert seen["runs"] == {}
    assert seen["n_steps"] == 900
    list(curve.watch(records(20)))
    curve._new("empty", 0, "running")
    curve.picture()
    assert list(seen["runs"]) == ["run 1"]
    assert seen["n_steps"] == 1
    np.testing.assert_allclose(seen["runs"]["run 1"], np.array(list(records(20)))[:, :2].T, rtol=1e-6)
    assert (seen["landmarks"], seen["window"], seen["log_loss"], seen["log_steps"]) == (
        LANDMARKS,
        50,
        True,
        False,
    )


def test_the_saved_state_has_all_the_browser_needs():
    curve = LossCurve(LANDMARKS, steps=50, log_steps=True)
    list(curve.watch(records(50)))
    state = curve.get_state()
    assert [float(height) for _, height in state["landmarks"]] == sorted(LANDMARKS.values(), reverse=True)
    assert (state["steps"], state["smoothing"], state["log_steps"], state["log_loss"]) == (
        50,
        20,
        True,
        False,
    )
    assert len(state["data"][0]) == 50 * 20
    assert state["runs"][0]["state"] == "finished"


def test_summaries_compare_with_the_floor():
    curve = LossCurve({"The floor": 0.5, "uniform": 5.0})
    list(curve.watch(records(200, end=0.6), steps=200))
    (one,) = curve.summaries()
    losses = np.array(list(records(200, end=0.6)))
    assert one.first == pytest.approx(losses[0, 1], rel=1e-6)
    assert one.last == pytest.approx(losses[-20:, 1].mean(), rel=1e-6)
    assert one.ratio == pytest.approx(one.last / 0.5)
    assert one.best <= one.last
    assert one.tokens_per_second == pytest.approx(statistics.median(losses[:, 4]), rel=1e-6)
    assert math.isnan(LossCurve({"uniform": 5.0})._runs == [] and summary(RUNS[0]).ratio)


# ---- Stored runs ----------------------------------------------------------------------------------------------------


def test_stored_runs_are_shown_with_their_digits():
    steps = np.arange(10, 1001, 10)
    curve = LossCurve.from_runs(
        {"train": {"step": steps, "loss": 4 / np.sqrt(steps)}, "held out": {"step": [1, 500, 1000], "loss": [5.0, 1.0, 1.5], "gradient_norm": [1, 2, 3]}},
        {"floor": 0.4}, smoothing=0,
    )  # fmt: skip
    assert [one["state"] for one in curve.runs] == ["given", "given"]
    assert curve.exact
    assert len(rows(curve)) == 100
    assert rows(curve, 1)[:, 3].tolist() == [1, 2, 3]
    assert np.isnan(rows(curve)[:, 2:]).all()
    assert (
        "held out, 3 points: begins and ends above floor, from 5.00 to 1.50, lowest 1.00 at step 500."
        in curve.alt
    )
    assert curve.smoothing == 0
    assert left_behind(curve._repr_mimebundle_()[0]) == curve.alt


def test_a_stored_loss_that_is_no_number_is_a_gap():
    curve = LossCurve.from_runs({"a": {"step": [1, 2, 3], "loss": [4.0, math.nan, None]}})
    assert "a, 3 points: stays where it began, from 4.00 to 4.00, lowest 4.00 at step 1." in curve.alt
    assert curve.picture().startswith(b"\x89PNG")
    none = LossCurve.from_runs({"a": {"step": [1], "loss": [math.inf]}})
    assert "a, 1 point: no loss that is a number." in none.alt
    assert none.picture().startswith(b"\x89PNG")


# ---- Bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("landmarks", "why"),
    [
        (
            {"floor": 0},
            "the landmark 'floor' must be above 0 nats per token, got 0; give its loss as a number",
        ),
        ({"floor": -1.5}, "must be above 0 nats per token, got -1.5"),
        ({"floor": math.nan}, "got nan"),
        ({"floor": math.inf}, "got inf"),
        ({"floor": "0.4"}, "got '0.4'"),
        ({"floor": None}, "got None"),
        ({"floor": True}, "got True"),
        ({"": 1.0}, "a landmark must have a name of 1 to 24 characters, got ''; it stands beside its line"),
        ({3: 1.0}, "a landmark must have a name of 1 to 24 characters, got 3"),
        ({"x" * 25: 1.0}, "a landmark must have a name"),
        ({"a\nb": 1.0}, "a landmark must have a name"),
        ([("floor", 1.0)], "landmarks must be a dict of up to 8 names and losses, got"),
        ({str(i): 1.0 + i for i in range(9)}, "landmarks must be a dict of up to 8"),
    ],
)
def test_landmarks_that_can_not_be_drawn(landmarks, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        LossCurve(landmarks)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"steps": -1}, "steps must be a whole number from 0 to 16,777,216, got -1; config.steps is one"),
        ({"steps": 1.5}, "steps must be a whole number from 0 to 16,777,216, got 1.5"),
        ({"steps": "900"}, "got '900'"),
        ({"steps": True}, "got True"),
        ({"steps": 2**24 + 1}, "got 16777217"),
        (
            {"smoothing": 7},
            "smoothing must be one of 0, 5, 10, 20, 50, 100, 200, 500 steps, got 7; 0 is none",
        ),
        ({"smoothing": -20}, "got -20"),
        ({"smoothing": None}, "got None"),
        ({"smoothing": False}, "got False"),
    ],
)
def test_settings_that_are_refused(settings, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        LossCurve(**settings)


def test_whole_numbers_of_numpy_are_whole_numbers():
    curve = LossCurve({"floor": np.float32(0.5), "bigram": torch.tensor(1.0)}, steps=np.int64(9))
    assert curve.landmarks == [["bigram", 1.0], ["floor", 0.5]]
    assert curve.steps == 9


@pytest.mark.parametrize("what", [5, None, "records", {"step": 1}, b"x"])
def test_what_is_no_iterator_is_refused_at_once(what):
    curve = LossCurve()
    with pytest.raises(ValueError, match=r"records must come one by one, got \w+; pass training\.train"):
        curve.watch(what)
    assert curve.runs == []


@pytest.mark.parametrize("name", ["", " ", 3, "x" * 25, "a\nb", "half \ud800"])
def test_names_that_are_refused(name):
    curve = LossCurve()
    with pytest.raises(ValueError, match="a run must have a name of 1 to 24 characters, got"):
        curve.watch(records(2), name=name)
    with pytest.raises(ValueError, match="a run must have a name"):
        curve.add(Record(1, 1.0, 0, 0, 0), run=name)
    assert curve.runs == []


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (5, "a record must have a step and a loss, got int; training.train yields such records"),
        ({"step": 1, "loss": 2}, "a record must have a step and a loss, got dict"),
        (
            Record(-1, 1.0, 0, 0, 0),
            "a record's step must be a whole number from 0 to 16,777,216, got -1; count from 1",
        ),
        (Record(1.5, 1.0, 0, 0, 0), "got 1.5"),
        (Record("x", 1.0, 0, 0, 0), "got 'x'"),
        (Record(math.nan, 1.0, 0, 0, 0), "got nan"),
        (Record(2**24 + 2, 1.0, 0, 0, 0), "got 16777218"),
        (
            Record(7, 1.0, 0, 0, 0),
            "steps must rise, got step 7 after step 7; give what starts anew a run of its own",
        ),
        (Record(3, 1.0, 0, 0, 0), "steps must rise, got step 3 after step 7"),
    ],
)
def test_records_that_are_refused(record, why):
    curve, log = LossCurve(), []

    def them():
        try:
            yield Record(7, 1.0, 0, 0, 0)
            yield record
        finally:
            log.append("closed")

    with pytest.raises(ValueError, match=re.escape(why)):
        list(curve.watch(them()))
    assert curve.runs[0]["state"] == "failed"
    assert log == ["closed"]
    assert len(rows(curve)) == 1


def test_points_do_not_go_to_a_run_that_is_watched():
    curve = LossCurve()
    list(curve.watch(records(2), name="train"))
    with pytest.raises(
        ValueError,
        match="a point goes to a run of its own, got 'train', which is another one; choose a new name",
    ):
        curve.add(Record(9, 1.0, 0, 0, 0), run="train")


def test_a_curve_holds_so_many_runs():
    curve = LossCurve()
    for _ in range(12):
        list(curve.watch(records(1)))
    with pytest.raises(ValueError, match="a curve holds up to 12 runs, got one more; make a new LossCurve"):
        list(curve.watch(records(1)))
    assert len(curve.runs) == 12


@pytest.mark.parametrize(
    ("runs", "why"),
    [
        ({}, "runs must be a dict with at least one run, got {}; write"),
        ([1, 2], "runs must be a dict with at least one run, got [1, 2]"),
        ({"a": [5.0, 4.0]}, 'the run \'a\' must have "step" and "loss", got [5.0, 4.0]; give a list of each'),
        ({"a": {"loss": [5.0]}}, 'the run \'a\' must have "step" and "loss", got'),
        (
            {"a": {"step": [1, 2], "loss": [5.0]}},
            "the lists of the run 'a' must be equally long and not empty, got step 2, loss 1; one entry a step",
        ),
        ({"a": {"step": [], "loss": []}}, "got step 0, loss 0"),
        ({"a": {"step": 1, "loss": 5.0}}, "got step no list, loss no list"),
        ({"a": {"step": [1], "loss": [5.0], "gradient_norm": []}}, "gradient_norm 0"),
        (
            {"a": {"step": [1], "loss": [5.0], "lr": [1]}},
            "the run 'a' may have step, loss, learning_rate, gradient_norm, tokens_per_second, got 'lr'; leave it out",
        ),
        ({"a": {"step": [2, 1], "loss": [5.0, 4.0]}}, "steps must rise, got step 1 after step 2"),
        ({"a": {"step": ["x"], "loss": [5.0]}}, "a record's step must be a whole number"),
        ({"": {"step": [1], "loss": [5.0]}}, "a run must have a name"),
    ],
)
def test_stored_runs_that_are_refused(runs, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        LossCurve.from_runs(runs)


# ---- The script -------------------------------------------------------------------------------------------------------


def test_it_is_one_script_that_asks_for_nothing_and_answers_by_itself():
    text, sheet = str(LossCurve._esm), str(LossCurve._css)
    body = "const url = 'data:text/javascript;base64,' + Buffer.from(given).toString('base64'); return Object.keys((await import(url)).default)"
    assert run(None, body, text) == ["initialize", "render"]
    assert set(re.findall(r"https?://[^\s\"'`]+", text + sheet)) <= {"http://www.w3.org/2000/svg"}
    assert "innerHTML" not in text
    assert 'el.dataset.answers = "browser"' in text
    own = (HERE / "loss_curve.js").read_text(encoding="utf-8")
    assert "save_changes" not in own  # two threads would set traits at once
    assert min(float(size) for size in re.findall(r"font-size: ([\d.]+)px", sheet)) >= 11
