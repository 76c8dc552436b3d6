"""The grid of trainings: made by the command, read with care, and what is concluded from it."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import scaling
from helpers.scaling import (
    GRID,
    PLANS,
    Grid,
    Plan,
    PowerLaw,
    Run,
    carry_out,
    early_stop,
    fit_power_law,
    frontier,
    load_grid,
    main,
    make_grid,
    save_grid,
    suitable_rate,
)

SMALL = Plan("sizes", 4, 70, 6, 0.01, seed=3, n_layers=1, n_heads=1, batch_size=5, every=2)


@pytest.fixture(scope="module")
def grid():
    return load_grid()


def a_run(held_out, n_params=10, tokens=7.0, every=2, group="sizes", **plan):
    held_out = np.array(held_out, dtype=float)
    steps = every * np.arange(1, len(held_out) + 1)
    return Run(
        Plan(group, 8, 30, int(steps[-1]), 0.1, **plan),
        n_params,
        tokens,
        steps,
        held_out[::-1] + 1,
        held_out,
        None,
    )


# ---------------------------------------------------------------------------------------------
# The committed grid.


def test_the_grid_is_the_plan(grid):
    assert [run.plan for run in grid.runs] == list(PLANS)
    assert [run.plan.group for run in grid.runs if run.plan.seed == 0] == ["rates"] * 7 + ["data"] * 4 + [
        "sizes"
    ] * 6
    assert GRID.stat().st_size < 100_000
    for run in grid.runs:
        assert run.steps[-1] == (run.stopped - 1 if run.stopped else run.plan.steps)
        assert (np.diff(run.steps) > 0).all()
        assert (run.stopped is not None) == (run.plan.learning_rate == 1000)


def test_the_grid_comes_from_the_command(grid):
    """The first steps of the run with the fewest stories, trained again."""
    run = grid.group("data")[0]
    again = carry_out(run.plan, steps=run.plan.every)
    assert again.steps.tolist() == [run.plan.every]
    assert again.losses[0] == pytest.approx(run.losses[0], abs=1e-2)
    assert again.held_out[0] == pytest.approx(run.held_out[0], abs=1e-2)
    assert again.n_params == run.n_params
    assert again.tokens_per_step == pytest.approx(run.tokens_per_step, abs=0.01)


def test_the_floor_is_what_the_dice_pay(grid):
    from helpers import tinytown

    stories = tinytown.stories("validation", scaling.N_HELD_OUT)
    nats = sum(sum(tinytown.surprise(story)) for story in stories)
    assert grid.floor == pytest.approx(nats / sum(len(story) + 1 for story in stories), abs=1e-4)
    assert grid.floor == pytest.approx(tinytown.entropy_per_token(), rel=0.02)
    assert not any((run.held_out <= grid.floor).any() for run in grid.runs)


def test_parameters_are_counted_as_elsewhere(grid):
    from helpers.parameters import gpt_parameters
    from helpers.training import TINYTOWN_CONFIG

    for run in grid.runs:
        sizes = {"d_model": run.plan.d_model, "n_heads": run.plan.n_heads, "n_layers": run.plan.n_layers}
        assert run.n_params == gpt_parameters(scaling.replace(TINYTOWN_CONFIG, **sizes)).total


def test_what_the_rates_show(grid):
    last = {run.plan.learning_rate: run.held_out[-1] for run in grid.group("rates")}
    assert min(last, key=last.get) == pytest.approx(0.01)
    assert last[1e-4] > last[1e-3] > last[0.1] > last[0.01]
    assert 2 < last[1.0] < last[30.0] < 4
    worst = grid.group("rates")[5]
    assert (
        worst.losses.max() > 1000
    )  # far above the 5.1 of a model that knows nothing, and back as the rate falls
    assert math.isnan(last[1000.0])


def test_what_the_data_show(grid):
    few, more, many, most = grid.group("data")
    for run in (few, more):
        assert run.best < len(run.steps) / 3
        assert run.losses[-1] < grid.floor < run.held_out[run.best] < run.held_out[-1] - 0.15
        assert early_stop(run.held_out, patience=3) == run.best
    bests = [run.held_out[run.best] for run in (few, more, many, most)]
    assert bests == sorted(bests, reverse=True)
    assert most.held_out[-1] == pytest.approx(most.held_out[most.best], abs=1e-3)
    # A plateau looks like the end to whoever has too little patience.
    assert many.held_out[early_stop(many.held_out, patience=5)] > many.held_out[many.best] + 0.03
    assert early_stop(many.held_out, patience=10) == many.best


def test_what_the_sizes_show(grid):
    """The law of the five smaller sizes, and how far it is off for the largest."""
    found = {}
    for run in grid.group("sizes"):
        found.setdefault(run.n_params, []).append(run.held_out[-1])
    *sizes, largest = found
    means = {size: sum(losses) / len(losses) for size, losses in found.items()}
    assert [len(losses) for losses in found.values()] == [3] * 6
    law = fit_power_law(sizes, [means[size] for size in sizes], grid.floor)
    assert law.exponent == pytest.approx(1.11, abs=0.01)
    assert law.spread == pytest.approx(1.25, abs=0.01)
    assert law.predict(largest) == pytest.approx(0.4241, abs=1e-3)
    assert means[largest] == pytest.approx(0.4455, abs=1e-3)
    assert law.predict(largest) < min(found[largest])  # a miss: too hopeful


def test_a_group_holds_its_runs_only(grid):
    assert {run.plan.group for run in grid.group("data")} == {"data"}
    assert sum(len(grid.group(name)) for name in ("rates", "data", "sizes")) == len(grid.runs)
    for wrong in ("size", None, ["rates"]):
        with pytest.raises(ValueError, match=r"^a group must be one of rates, data, sizes, got .+; take one"):
            grid.group(wrong)


def test_loading_is_quick_and_needs_no_torch():
    code = (
        "import sys, time; from helpers.scaling import load_grid\n"
        "times = []\n"
        "for _ in range(5):\n"
        "    began = time.process_time(); load_grid(); times.append(time.process_time() - began)\n"
        "assert min(times) < 0.05, times\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---------------------------------------------------------------------------------------------
# Files.


def test_what_is_saved_is_loaded(tmp_path):
    runs = (a_run([3.0, 2.5, 1.23456789], tokens=7.123, seed=2), a_run([math.nan, 4.0])._replace(stopped=5))
    save_grid(Grid(0.123456, runs), tmp_path / "g.json")
    assert [path.name for path in tmp_path.iterdir()] == ["g.json"]
    found = load_grid(str(tmp_path / "g.json"))
    assert found.floor == pytest.approx(0.12346)
    assert [run.plan for run in found.runs] == [run.plan for run in runs]
    assert [run.stopped for run in found.runs] == [None, 5]
    assert found.runs[0].held_out.tolist() == pytest.approx([3.0, 2.5, 1.235])
    assert found.runs[0].losses.tolist() == pytest.approx([2.235, 3.5, 4.0])
    assert found.runs[0].steps.tolist() == [2, 4, 6]
    assert found.runs[0].tokens_per_step == pytest.approx(7.12)
    assert math.isnan(found.runs[1].held_out[0])
    assert found.runs[1].best == 1


def test_a_file_that_could_not_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "g.json"
    save_grid(Grid(0.5, (a_run([3.0]),)), path)
    monkeypatch.setattr(scaling.os, "replace", lambda *names: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_grid(Grid(0.7, (a_run([2.0]),)), path)
    assert load_grid(path).floor == pytest.approx(0.5)
    assert [file.name for file in tmp_path.iterdir()] == ["g.json"]


def drop(place, name):
    place.pop(name)


DAMAGE = {
    "no runs": (lambda grid: drop(grid, "runs"), "must hold whole runs, got one that does not fit"),
    "no floor": (lambda grid: drop(grid, "floor"), "must hold whole runs"),
    "a word for a floor": (lambda grid: grid.update(floor="low"), "must hold whole runs"),
    "a number for a run": (lambda grid: grid.update(runs=[7]), "must hold whole runs"),
    "a number for runs": (lambda grid: grid.update(runs=7), "must hold whole runs"),
    "no plan": (lambda grid: drop(grid["runs"][1], "plan"), "must hold whole runs"),
    "another plan": (lambda grid: grid["runs"][1]["plan"].update(depth=3), "must hold whole runs"),
    "held_out short": (lambda grid: drop(grid["runs"][1]["held_out"], 0), "curves of different lengths"),
    "losses short": (lambda grid: drop(grid["runs"][1]["losses"], 0), "curves of different lengths"),
    "steps short": (lambda grid: drop(grid["runs"][1]["steps"], 0), "curves of different lengths"),
    "words": (lambda grid: grid["runs"][1].update(losses=["a", "b"]), "must hold whole runs"),
    "no size": (lambda grid: grid["runs"][1].update(n_params=None), "must hold whole runs"),
    "a table for a curve": (
        lambda grid: grid["runs"][1].update(steps=[[1]], losses=[[2.0]], held_out=[[3.0]]),
        "curves of different lengths",
    ),
    "empty": (
        lambda grid: grid["runs"][1].update(steps=[], losses=[], held_out=[]),
        "curves of different lengths, or empty ones",
    ),
    "another format": (
        lambda grid: grid.update(format="another"),
        "must say that its format is 'under-the-hood grid",
    ),
}


def refused(path):
    """What load_grid says to a file that it refuses."""
    with pytest.raises(
        ValueError, match=r"^other\.json must .+; delete it, and python -m helpers.scaling"
    ) as caught:
        load_grid(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("change", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_grid_is_refused_in_a_sentence(tmp_path, change, message):
    path = tmp_path / "other.json"
    save_grid(Grid(0.5, (a_run([3.0]), a_run([3.0, 2.0]))), path)
    found = json.loads(path.read_text(encoding="utf-8"))
    change(found)
    path.write_text(json.dumps(found), encoding="utf-8")
    assert message in refused(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be whole, got a file that is damaged"),
        (b"\xff\xfe\x00", "must be whole, got a file that is damaged"),
        (b'{"format": "under', "must be whole, got a file that is damaged"),
        (b"[]", "must say that its format is 'under-the-hood grid of trainings, version 1', it does not"),
        (b"{}", "must say that its format is 'under-the-hood grid"),
    ],
)
def test_another_file_is_refused_in_a_sentence(tmp_path, content, message):
    path = tmp_path / "other.json"
    path.write_bytes(content)
    assert message in refused(path)


def test_a_missing_file_is_refused_in_a_sentence(tmp_path):
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(
            FileNotFoundError, match=r"which is not there; python -m helpers.scaling makes it"
        ):
            load_grid(path)


# ---------------------------------------------------------------------------------------------
# A run.


def test_operations_and_epochs_by_hand():
    run = a_run([3.0, 2.0], n_params=10, tokens=7.0, every=5, batch_size=6)
    assert run.steps.tolist() == [5, 10]
    assert run.operations.tolist() == [6 * 10 * 7 * 5, 6 * 10 * 7 * 10]
    assert run.epochs.tolist() == [1, 2]  # 30 stories, 6 at once
    assert run.best == 1


def test_without_a_number_there_is_no_best():
    with pytest.raises(
        ValueError, match=r"^the best point has a held-out loss, but this run has none; take another"
    ):
        _ = a_run([math.nan, math.nan]).best


def test_operations_are_6nd(grid):
    from helpers.costs import training_operations

    run = grid.runs[-1]
    tokens = run.tokens_per_step * run.plan.steps
    assert run.operations[-1] == pytest.approx(training_operations(run.n_params, tokens))


def test_a_run_is_the_training_loops_own_curve():
    from helpers import tinytown
    from helpers.training import IGNORED, TrainingConfig, evaluate, story_rows, train
    from helpers.transformer import GPT, GPTConfig

    inputs, targets = story_rows(tinytown.stories("train", 70, seed=3))
    config = GPTConfig(
        vocab_size=len(tinytown.VOCABULARY), n_ctx=64, n_layers=1, n_heads=1, d_model=4, bias=False
    )
    model = GPT(config, seed=3)
    records = list(
        train(model, inputs, targets, TrainingConfig(steps=6, batch_size=5, learning_rate=0.01, seed=3))
    )
    run = carry_out(SMALL)
    assert run.losses.tolist() == pytest.approx(
        [(records[i].loss + records[i + 1].loss) / 2 for i in (0, 2, 4)], rel=1e-4
    )
    held_out = tinytown.stories("validation", scaling.N_HELD_OUT)
    assert run.held_out[-1] == pytest.approx(evaluate(model, held_out), rel=1e-4)
    assert (run.n_params, run.stopped, run.steps.tolist()) == (model.n_params, None, [2, 4, 6])
    assert run.tokens_per_step == pytest.approx((targets != IGNORED).sum().item() / 70 * 5)


def test_a_shorter_run_is_the_beginning_of_the_longer():
    whole, beginning = carry_out(SMALL), carry_out(SMALL, steps=4)
    assert beginning.steps.tolist() == [2, 4]
    assert beginning.held_out == pytest.approx(whole.held_out[:2], rel=1e-5)


def test_a_loss_that_is_no_number_is_a_result():
    run = carry_out(SMALL._replace(learning_rate=1e25, steps=40, every=3))
    assert 2 <= run.stopped <= 40
    assert run.steps[-1] == run.stopped - 1
    assert len(run.steps) == len(run.losses) == len(run.held_out) == math.ceil((run.stopped - 1) / 3)
    assert run.losses[0] == pytest.approx(5.1, abs=0.2) or run.losses[0] > 5


def test_other_mistakes_are_not_taken_for_results():
    with pytest.raises(ValueError, match="batch_size"):
        carry_out(SMALL._replace(n_stories=4))


def test_wider_models_take_smaller_steps():
    rates = [suitable_rate(width) for width in (4, 8, 16, 32, 64)]
    assert rates == sorted(rates, reverse=True)
    assert suitable_rate(64) == pytest.approx(suitable_rate(16) / 2)
    assert suitable_rate(32) == pytest.approx(0.0071)


# ---------------------------------------------------------------------------------------------
# Making the grid.


def test_an_interrupted_grid_goes_on(tmp_path, monkeypatch):
    kept, asked = tmp_path / "kept", []
    plans = [SMALL._replace(seed=seed) for seed in (5, 6, 7)]

    def pretend(plan):
        asked.append(plan.seed)
        if asked == [5, 6]:
            raise KeyboardInterrupt
        return a_run([3.0, 2.0])._replace(plan=plan)

    monkeypatch.setattr(scaling, "carry_out", pretend)
    with pytest.raises(KeyboardInterrupt):
        list(make_grid(plans, kept))
    assert [run.plan.seed for run in load_grid(kept).runs] == [5]
    assert [run.plan for run in make_grid(plans, kept)] == plans
    assert asked == [5, 6, 6, 7]
    assert [run.plan.seed for run in load_grid(kept).runs] == [5, 6, 7]
    assert load_grid(kept).floor == pytest.approx(load_grid().floor, abs=1e-4)


def test_the_command(tmp_path, capsys):
    out = tmp_path / "grid.json"
    main(["--quick", "--out", str(out)])
    grid = load_grid(out)
    assert sorted(run.plan.group for run in grid.runs) == ["data", "rates", "sizes"]
    assert all(run.steps.tolist() == [2, 4] and run.plan.n_stories == 100 for run in grid.runs)
    assert [file.name for file in tmp_path.iterdir()] == ["grid.json"]  # what was kept is no longer needed
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 4
    assert all(f"{number} of 3" in line and "held-out" in line for number, line in enumerate(printed[:3], 1))
    assert printed[3].startswith("wrote grid.json, ")


def test_trying_the_command_does_not_write_over_the_grid(capsys):
    before = GRID.stat().st_mtime_ns
    with pytest.raises(SystemExit):
        main(["--quick"])
    assert "--quick needs --out" in capsys.readouterr().err
    assert GRID.stat().st_mtime_ns == before


def test_the_command_says_where_a_loss_was_no_number(tmp_path, capsys, monkeypatch):
    stopped = a_run([3.0])._replace(stopped=77)
    monkeypatch.setattr(scaling, "carry_out", lambda plan: stopped._replace(plan=plan))
    monkeypatch.setattr(scaling, "PLANS", (SMALL,))
    main(["--out", str(tmp_path / "g.json")])
    assert "no number at step 77" in capsys.readouterr().out


# ---------------------------------------------------------------------------------------------
# Early stopping.


@pytest.mark.parametrize(
    ("held_out", "patience", "kept"),
    [
        ([5.0], 1, 0),
        ([5.0, 4.0, 3.0], 1, 2),
        ([5.0, 6.0, 3.0], 1, 0),
        ([5.0, 6.0, 3.0], 2, 2),
        ([5.0, 5.0, 5.0, 1.0], 2, 0),  # as low is not lower
        ([5.0, 5.0, 5.0, 1.0], 3, 3),
        ([5.0, 4.0, 4.5, 3.0, 3.5, 3.6, 1.0], 2, 3),
        ([3, 2, 4], np.int64(9), 1),
    ],
)
def test_early_stopping_by_hand(held_out, patience, kept):
    assert early_stop(held_out, patience) == kept
    assert early_stop(np.array(held_out, dtype=float), patience) == kept


@given(st.lists(st.floats(0, 9), min_size=1, max_size=20), st.integers(1, 25))
def test_patience_never_hurts(held_out, patience):
    kept, later = early_stop(held_out, patience), early_stop(held_out, patience + 1)
    assert held_out[later] <= held_out[kept]
    assert held_out[kept] == min(held_out[: kept + patience])
    assert early_stop(held_out, len(held_out)) == held_out.index(min(held_out))


@pytest.mark.parametrize("patience", [0, -1, 1.5, True, "2", None, math.nan])
def test_patience_is_a_whole_number(patience):
    with pytest.raises(ValueError, match=r"^patience must be a whole number from 1, got .+; 5 is usual"):
        early_stop([1.0, 2.0], patience)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([], "in a row, at least one, got the shape"),
        ([[1.0, 2.0]], "in a row, at least one, got the shape"),
        (3.0, "in a row, at least one, got the shape"),
        ([1.0, math.nan], "must be finite numbers, got NaN or infinity"),
        ([1.0, math.inf], "must be finite numbers, got NaN or infinity"),
        ([1.0, "low"], "must be numbers, got"),
        (None, "in a row|must be"),
        ([1.0, [2.0]], "must be numbers, got"),
        ([10**400], "must be numbers, got"),
    ],
)
def test_numbers_are_checked(numbers, message):
    with pytest.raises(ValueError, match=f"held_out .*({message})"):
        early_stop(numbers, 2)
    with pytest.raises(ValueError, match=f"sizes .*({message})"):
        fit_power_law(numbers, [1.0, 2.0], 0.0)
    with pytest.raises(ValueError, match=f"losses .*({message})"):
        fit_power_law([1.0, 2.0], numbers, 0.0)


# ---------------------------------------------------------------------------------------------
# The power law.


@settings(max_examples=50, deadline=None)
@given(st.floats(0.1, 100), st.floats(0.05, 3), st.floats(-1, 2), st.integers(2, 7))
def test_a_true_law_is_found(coefficient, exponent, floor, n):
    sizes = 100.0 * 2.0 ** np.arange(n)
    true = PowerLaw(coefficient, exponent, floor, 1.0)
    losses = [true.predict(size) for size in sizes]
    above = np.array(losses) - floor
    if (above > 1e-6).all():
        found = fit_power_law(sizes, losses, floor)
        assert found.exponent == pytest.approx(exponent, rel=1e-3, abs=1e-4)
        assert found.predict(5000) - floor == pytest.approx(true.predict(5000) - floor, rel=1e-2)
        assert found.spread == pytest.approx(1, abs=1e-3)


def test_the_fit_is_scipys():
    optimize = pytest.importorskip("scipy.optimize")
    sizes = np.array([50, 110, 170, 700, 1300])
    losses = np.array([5.0, 3.1, 3.3, 1.9, 1.2])
    ours = fit_power_law(sizes, losses, 0.4)
    (height, exponent), _ = optimize.curve_fit(lambda x, a, b: a - b * x, np.log(sizes), np.log(losses - 0.4))
    assert (math.log(ours.coefficient), ours.exponent) == pytest.approx((height, exponent), rel=1e-5)
    off = np.log(losses - 0.4) - (height - exponent * np.log(sizes))
    assert math.log(ours.spread) == pytest.approx(math.sqrt((off**2).sum() / 3), rel=1e-5)
    assert ours.floor == pytest.approx(0.4)


def test_the_order_of_the_points_does_not_matter():
    sizes, losses = [10, 20, 50, 90], [5.0, 4.5, 3.0, 2.0]
    assert fit_power_law(sizes, losses, 1.0) == pytest.approx(fit_power_law(sizes[::-1], losses[::-1], 1.0))


def test_two_points_are_met():
    law = fit_power_law([3, 7], [4.0, 2.5], 0.5)
    assert [law.predict(3), law.predict(7)] == pytest.approx([4.0, 2.5])
    assert law.spread == pytest.approx(1)


@pytest.mark.parametrize(
    ("sizes", "losses", "floor", "message"),
    [
        ([1, 2, 3], [5.0, 4.0], 0.0, "there must be a loss for each size, got 3 sizes and 2 losses"),
        ([0, 2], [5.0, 4.0], 0.0, "sizes must be above 0, got 0; leave it out"),
        ([-2, 2], [5.0, 4.0], 0.0, "sizes must be above 0, got -2; leave it out"),
        ([2, 2], [5.0, 4.0], 0.0, "a line needs at least two different sizes, got one; add another"),
        ([2], [5.0], 0.0, "a line needs at least two different sizes, got one; add another"),
        (
            [1, 2],
            [5.0, 4.0],
            4.0,
            "losses must be above the floor, got 4 for a floor of 4; measure the floor",
        ),
        (
            [1, 2],
            [5.0, 4.0],
            4.5,
            "losses must be above the floor, got 4 for a floor of 4.5; measure the floor",
        ),
        ([1, 2], [5.0, 4.0], math.nan, "floor must be finite numbers, got NaN"),
        ([1, 2], [5.0, 4.0], "low", "floor must be numbers, got"),
    ],
)
def test_what_has_no_line_is_refused(sizes, losses, floor, message):
    with pytest.raises(ValueError, match=message):
        fit_power_law(sizes, losses, floor)


@pytest.mark.parametrize("size", [0, -1, math.nan, math.inf, "9", True, None])
def test_only_a_size_is_predicted(size):
    with pytest.raises(ValueError, match=r"^size must be a number above 0, got .+; n_params is one$"):
        PowerLaw(1.0, 1.0, 0.0, 1.0).predict(size)


def test_a_prediction_by_hand():
    law = PowerLaw(coefficient=8.0, exponent=1.5, floor=0.25, spread=1.0)
    assert law.predict(4) == pytest.approx(0.25 + 8 / 8)
    assert law.predict(np.int64(4)) == pytest.approx(1.25)


# ---------------------------------------------------------------------------------------------
# The frontier.


def test_the_frontier_by_hand():
    small = a_run([5.0, 4.0, 4.0], n_params=1, tokens=1.0, every=1)  # 6, 12 and 18 operations
    large = a_run([4.5, 3.0, math.nan], n_params=2, tokens=1.0, every=1)  # 12, 24 and 36
    points = frontier([large, small])
    assert [(point.operations, point.held_out) for point in points] == [(6, 5.0), (12, 4.0), (24, 3.0)]
    assert [point.run.n_params for point in points] == [1, 1, 2]


def test_the_frontier_of_the_grid_only_falls(grid):
    runs = grid.group("sizes")
    points = frontier(runs)
    assert (np.diff([point.operations for point in points]) > 0).all()
    assert (np.diff([point.held_out for point in points]) < 0).all()
    for run in runs:
        for operations, loss in zip(run.operations, run.held_out, strict=True):
            assert any(point.operations <= operations and point.held_out <= loss for point in points)


def test_no_runs_no_frontier():
    with pytest.raises(ValueError, match=r"^runs must hold at least one run, got none; load_grid"):
        frontier([])
