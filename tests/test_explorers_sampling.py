"""The sampling explorer: what the browser computes is what Python computes, what may come in, and what stays behind."""

import base64
import itertools
import math
import re

import numpy as np
import pytest
from bundles import left_behind
from js.run import run

from helpers import plots, sampling
from helpers.explorers import sampling as module
from helpers.explorers.base import HERE
from helpers.explorers.sampling import (
    Row,
    Sampling,
    about,
    hidden,
    judged,
    outside,
    rows,
    tenths,
    told,
    way,
)  # fmt: skip
from helpers.pretrained import is_available, load_smollm2, load_tinytown

INF = math.inf
NAMES = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")


def settings_of(*values):
    """Settings in the order of `NAMES`; what is left out is off."""
    return dict(itertools.zip_longest(NAMES, values)) | ({"temperature": 1.0} if not values else {})


HEAT = (0, 0.05, 0.5, 1.0, 1.7, 20.0, INF)
CUTS = ((None, None, None), (3, None, None), (None, 0.7, None), (None, None, 0.1), (40, 0.9, 0.02), (7, 1.0, 0.0), (1, 0.01, 1.0))  # fmt: skip
GRID = [settings_of(heat, *cuts, penalty) for heat in HEAT for cuts in CUTS for penalty in (None, 1.3, 0.5)]
FEW = [GRID[0], GRID[-1], *GRID[4::23]]


def random_logits(n, seed, ties=False):
    logits = np.random.default_rng(seed).normal(size=n) * 4
    return np.round(logits) if ties else logits


CASES = {
    "five": ([3.0, 2.0, 2.0, 0.0, -1.0], [2, 4, 1, 4], GRID[::2]),
    "one": ([0.5], [0], GRID[::8]),
    "zeros": ([0.0, -0.0, 0.0, -0.0], [2], GRID[::8]),
    "forbidden": ([-INF, 1.0, 2.5, -INF, 0.0, 2.5, -3.0], [0, 2, 6], GRID[1::4]),
    "thirteen": (random_logits(13, 1), [12, 0, 5], GRID[::5]),
    "ties": (random_logits(300, 2, ties=True), [7, 250, 8, 9, 10], GRID[::4]),
    "wide": (random_logits(61, 3) * 40, [], GRID[::7]),
    "large": (random_logits(49_152, 4), [5, 40_000, 123, 9_999, 12], FEW),
    "large ties": (random_logits(49_152, 5, ties=True), [5, 40_000, 123], FEW),
}
SEEDS = (0, 1, 2**32 - 1)

# float64 numbers come back as their bytes: 49,152 of them as text would take long.
BODY = """
const { logits, seen, grid, wanted } = given;
const sampler = new m.Sampler(Float32Array.from(logits, Number), seen);
return grid.map(({ seed, title, ...settings }) => {
  settings.temperature = Number(settings.temperature);
  sampler.set({ ...settings, seed });
  const found = sampler.rows();
  return {
    dice: Buffer.from(sampler.dice.buffer).toString("base64"),
    drawn: Array.from(sampler.drawn),
    way: sampler.way(),
    all: sampler.movedInAll,
    rows: found,
    hidden: sampler.hidden(),
    judged: m.judged(found),
    alt: m.describe(sampler, found, title, (id) => `t${id}`, settings),
    says: m.says(found, seed),
  };
});
"""


def sent(value):
    """JSON has no infinity."""
    return str(value).replace("inf", "Infinity") if value is not None and abs(value) == INF else value


def explorer_of(logits, seen=(), **settings):
    return Sampling.from_logits(logits, [f"t{i}" for i in range(len(logits))], seen, **settings)


def in_browser(logits, seen, grid):
    """What the browser makes of each of the settings, one after the other, with what it keeps from one to the next."""
    asked = [
        {name: sent(value) for name, value in one.items()}
        | {"seed": SEEDS[i % len(SEEDS)], "title": f"Dice of {len(logits):,} tokens"}
        for i, one in enumerate(grid)
    ]
    given = {"logits": [sent(float(one)) for one in logits], "seen": list(seen), "grid": asked}
    answers = run("sampling", BODY, given)
    return [
        (one, SEEDS[i % len(SEEDS)], answer)
        for i, (one, answer) in enumerate(zip(grid, answers, strict=True))
    ]


def compare(logits, seen, grid):
    logits = np.asarray(logits, dtype="<f4").astype(np.float64)
    own = sampling.temperature_softmax(logits)
    explorer = explorer_of(logits, seen)
    for settings, seed, got in in_browser(logits, seen, grid):
        dice = np.frombuffer(base64.b64decode(got["dice"]))
        stages = sampling.stages(logits, **settings, seen=seen, every=True)
        wanted = stages[-1].probabilities
        assert np.flatnonzero(dice).tolist() == np.flatnonzero(wanted).tolist(), settings
        np.testing.assert_allclose(dice, wanted, rtol=1e-9, atol=0, err_msg=str(settings))
        drawn = np.bincount(got["drawn"], minlength=len(logits))
        np.testing.assert_array_equal(drawn, sampling.draw_counts(wanted, 1000, seed))
        for mine, step in zip(got["way"], way(logits, seen, settings), strict=True):
            assert (mine["name"], mine["used"], mine["left"]) == (step.name, step.used, step.left), settings
            numbers = [mine["entropy"], mine["best"], mine["moved"]]
            assert numbers == pytest.approx([step.entropy, step.best, step.moved], abs=1e-9), settings
        assert got["all"] == pytest.approx(0.5 * np.abs(own - wanted).sum(), abs=1e-9)
        found = rows(logits, seen, settings, seed)
        exact = [[row[name] for name in ("token", "count", "cut")] for row in got["rows"]]
        assert exact == [[row.token, row.count, row.cut] for row in found], settings
        for name in ("probability", "own"):
            mine, theirs = [row[name] for row in got["rows"]], [getattr(row, name) for row in found]
            assert mine == pytest.approx(theirs, rel=1e-9, abs=1e-9)
        assert got["hidden"] == pytest.approx(hidden(stages[2].probabilities), abs=1e-9)
        assert tuple(got["judged"]) == judged(found)
        with explorer.hold_trait_notifications():  # one sentence, not six
            for name, value in (settings | {"seed": seed}).items():
                setattr(explorer, name, value)
        assert (got["alt"], got["says"]) == (explorer.describe(), explorer.says())


# ---- The browser agrees with Python -------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_every_step_is_that_of_python(case):
    compare(*CASES[case])


@pytest.mark.skipif(not is_available("smollm2"), reason="run python -m helpers.pretrained")
def test_every_step_on_a_real_models_logits():
    model, tokenizer = load_smollm2()
    ids = tokenizer.encode("The capital of France is", special=True)
    compare(model.reader()(ids), ids, FEW)


def test_a_hair_between_the_sum_and_top_p_does_not_count():
    """Eight of ten equal tokens reach 0.8, although floats may miss it; and all of them are as good as the best."""
    grid = [settings_of(1.0, None, p) for p in (0.1, 0.3, 0.7, 0.8, 0.8 + 5e-13, 0.8 + 5e-12)]
    logits = np.zeros(10)
    compare(logits, [], grid)
    assert [way(logits, [], one)[-1].left for one in grid] == [1, 3, 7, 8, 8, 9]
    compare(logits, [3], [settings_of(1.0, None, None, 1.0, 1.5), settings_of(0.0, 4, 0.5)])


def test_heat_so_great_that_tokens_tie():
    """Of tokens that tie the lower id stays, also where their logits differ and they tie in two groups."""
    far = 16384 * 610_352.0  # beside 1e20, floats can't tell it from its neighbours, nor 1 from 3
    logits = [1.0, 3.0, far + 1024, far + 2048, 2.0, far, 1e20]
    grid = [settings_of(1e20, k) for k in (1, 2, 3, 5, 6)]
    compare(logits, [], grid)
    kept = [np.flatnonzero(explorer_of(logits, **one).odds()).tolist() for one in grid]
    assert kept == [[6], [2, 6], [2, 3, 6], [0, 2, 3, 5, 6], [0, 1, 2, 3, 5, 6]]


def test_tokens_are_in_order_and_the_lower_id_is_first_of_those_that_tie():
    logits = [0.5, -1.0, 3.0, -0.0, 0.0, 3.0, -INF, 1e-30, -1e30, 2.0**-140, -INF]
    got = run("sampling", "return m.byLogit(given.map(Number))", [sent(one) for one in logits])
    assert got == np.argsort(-np.float32(logits), kind="stable").tolist()
    assert got == [2, 5, 0, 7, 9, 3, 4, 1, 8, 6, 10]


def test_what_is_kept_from_move_to_move_changes_nothing():
    """Each setting alone is moved there and back; then all is as it was, and as if it had been there from the start."""
    logits, seen = random_logits(200, 6), [3, 50, 199]
    start = settings_of(0.8, 100, 0.95, 0.01, 1.2)
    moves = [start]
    for name, value in zip(NAMES, (1.5, 5, 0.5, 0.3, 1.7), strict=True):
        moves += [start | {name: value}, start]
    compare(logits, seen, [*moves, settings_of(), start])


def test_words_for_numbers_are_the_same():
    values = [1.0, 4.44, 9.94, 9.96, 10.4, 99.5, 104.9, 105.0, 3217.0, 49_152.0]
    assert run("sampling", "return given.map(m.about)", values) == [about(value) for value in values]
    assert [about(value) for value in values] == (
        ["1.0", "4.4", "9.9", "10", "10", "100", "100", "110", "3,200", "49,000"]
    )
    shares = [0, 1e-12, 1e-7, 0.00099, 0.001, 0.0312, 0.5, 1]
    assert run("sampling", "return given.map(m.tenths)", shares) == [tenths(share) for share in shares]
    assert [tenths(share) for share in shares][2:] == ["under 0.1 %"] * 2 + ["0.1 %", "3.1 %", "50.0 %", "100.0 %"]  # fmt: skip


def test_settings_are_told_in_the_same_words():
    all_of = [
        {}, {"temperature": 1}, {"temperature": 0.7, "top_p": 1}, {"temperature": INF, "top_k": 1200, "min_p": 0},
        {"temperature": 0, "top_k": 1, "top_p": 0.95, "min_p": 0.05, "repetition_penalty": 1.1}, {"min_p": 1 / 3},
        {"temperature": 123456.7, "top_p": 0.00012}, {"temperature": 1234567, "top_p": 0.000012}, {"temperature": 999999.9},
    ]  # fmt: skip
    given = [{name: sent(value) for name, value in one.items()} for one in all_of]
    number = "if ('temperature' in one) one.temperature = Number(one.temperature);"
    got = run("sampling", f"return given.map((one) => {{ {number} return m.told(one); }})", given)
    assert got == [told(one) for one in all_of]
    assert got[:2] == ["the model's own odds"] * 2
    assert got[2:4] == ["temperature 0.7", "temperature ∞, top-k 1,200"]
    assert got[4] == "temperature 0, top-k 1, top-p 0.95, min-p 0.05, repetition penalty 1.1"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("The capital", "Dice after 'The capital'"),
        ("it's\ntwo lines, and more letters than there is room for", "Dice after \"it's two lines, and more letters than t…\""),
        ("", "Dice for a first token"),
    ],
)  # fmt: skip
def test_titles_are_the_same(text, title):
    explorer = explorer_of([1.0, 0.0])
    explorer.written, explorer.reading = True, explorer.reading | {"text": text}
    assert explorer._title() == title
    assert run("sampling", "return m.titleOf({ text: given }, true, 5)", text) == title
    assert run("sampling", "return m.titleOf({ text: '' }, false, 49152)") == "Dice of 49,152 tokens"


@pytest.mark.parametrize("n", [1, 5, 162, 49_152])
def test_sliders_stop_at_sensible_places(n):
    body = "return Object.entries(m.stops(given)).map(([name, all]) => [name, all, m.OFF[name]])"
    found = {name: ([float(one) for one in all_], float(off)) for name, all_, off in run("sampling", body, n)}
    assert list(found) == ["temperature", "top_k", "top_p", "min_p", "repetition_penalty"]
    ends = {
        "temperature": (0, INF), "top_k": (1 if n > 1 else INF, INF), "top_p": (0.01, 1), "min_p": (0, 1), "repetition_penalty": (1, 2),
    }  # fmt: skip
    for name, (places, off) in found.items():
        assert all(a < b for a, b in itertools.pairwise(places)), name
        assert (places[0], places[-1]) == ends[name]
        assert off in places
        assert all(len(f"{place:g}") <= 5 or place == INF for place in places), name
    assert all(k < n for k in found["top_k"][0][:-1])
    assert {0.7, 1.0, 2.0, 100.0} <= set(found["temperature"][0])
    assert n < 1000 or {1, 40, 50, 40_000} <= set(found["top_k"][0])
    assert {0.9, 0.95} <= set(found["top_p"][0])


@pytest.mark.parametrize("last", [1, 2, 5, 162, 49_152])
def test_ranks_of_the_plot(last):
    found = run("sampling", "return m.ranks(given)", last)
    assert (found[0], found[-1]) == (1, last)
    assert all(a < b for a, b in itertools.pairwise(found))
    assert len(found) <= 161
    assert last > 50 or found == list(range(1, last + 1))


def test_bars_have_a_round_scale_that_holds_them():
    shares = [1, 0.77, 0.5, 0.49, 0.2, 0.021, 0.00013, 0]
    got = run("sampling", "return given.map(m.scaleFor)", shares)
    assert got == pytest.approx([1, 1, 0.5, 0.5, 0.2, 0.05, 0.0002, 1])


# ---- Numbers and sentences ------------------------------------------------------------------------------------------


def test_the_way_by_hand():
    odds = np.array([0.5, 0.25, 0.15, 0.1])
    found = way(np.log(odds), [0], settings_of(0.5, 3, 0.8, None, 2.0))
    assert [(step.used, step.left) for step in found] == [(False, 4), (True, 4), (True, 4), (True, 3), (True, 2), (False, 2)]  # fmt: skip
    # Log 0.5 is negative: doubled, 0.25. Of 0.75 in all that is a third; squared, 4/4, 4/4, 36/100, 16/100 of 0.0625.
    assert found[0].entropy == pytest.approx(-(odds * np.log(odds)).sum())
    assert found[1].best == pytest.approx(1 / 3)
    assert found[1].moved == pytest.approx(1 / 2 - 1 / 3)
    assert found[2].best == pytest.approx(1 / 2.52)
    assert found[3].moved == pytest.approx(0.16 / 2.52)
    assert found[4].best == pytest.approx(0.5)
    assert found[4].entropy == pytest.approx(np.log(2))
    assert found[4].moved == pytest.approx(0.36 / 2.36)
    assert found[5] == found[4]._replace(name="min-p", used=False, moved=0)


def test_rows_say_what_cut_them():
    logits = np.log([0.4, 0.3, 0.15, 0.1, 0.05])
    found = rows(logits, [], settings_of(1.0, 4, 0.85, 0.6, None), seed=1)
    assert [row.cut for row in found] == ["", "", "min-p", "top-p", "top-k"]
    assert [row.cut for row in rows(logits, [], settings_of(0), seed=1)] == ["", *["temperature"] * 4]
    assert sum(row.count for row in found) == 1000


def test_rows_that_can_not_be_judged_are_not():
    sure, rare, off, fine = (
        Row(0, 0.999, 0, 900, ""), Row(1, 0.004, 0, 100, ""), Row(2, 0.5, 0, 540, ""), Row(3, 0.5, 0, 520, ""),
    )  # fmt: skip
    assert judged([sure, rare, off, fine]) == (2, 1)
    assert [outside(row) for row in (sure, rare, off, fine)] == [False, False, True, False]
    assert [judged([Row(0, p, 0, 0, "")]) for p in (0.005, 0.0049, 0.995, 0.9951)] == [(1, 1), (0, 0), (1, 1), (0, 0)]  # fmt: skip


def test_the_share_outside_is_that_of_a_bell():
    assert pytest.approx(0.0455, abs=1e-4) == module.OUTSIDE
    constants = ["SHOWN", "TOLD", "VIEW", "DRAWS", "ENOUGH", "OUTSIDE", "NOTHING"]
    got = run("sampling", f"return [{', '.join(f'm.{name}' for name in constants)}]")
    assert got == pytest.approx([getattr(module, name) for name in constants])


def test_what_a_list_of_50_hides():
    odds = np.full(51, 0.01)
    odds[7] = 0.5
    assert hidden(odds) == pytest.approx(0.01)
    assert hidden(odds[:50] / odds[:50].sum()) == 0
    assert hidden(np.full(200, 1 / 200)) == pytest.approx(0.75)
    assert hidden(np.full(49, 1 / 49)) == 0


def test_sentences_by_hand():
    explorer = explorer_of(np.log([0.6, 0.3, 0.05, 0.03, 0.0196, 0.0004]), seed=3)
    assert explorer.alt == (
        "Dice of 6 tokens (the model's own odds): t0 60 %, t1 30 %, t2 5 %, t3 3 %, t4 2 %, all others under 0.1 %. "
        "Entropy 1.0 nats: as open as a choice among 2.7 equally likely tokens."
    )
    assert re.fullmatch(
        r"1,000 draws with seed 3\. More than two standard errors off: \d of 5 rows; chance alone makes it about 0\.2\. "
        r"A row that expects fewer than 5 draws, or leaves fewer to the others, is not judged\.",
        explorer.says(),
    )
    explorer.temperature = 0
    assert explorer.alt == (
        "Dice of 6 tokens (temperature 0): t0 100 %. Entropy 0.0 nats: as open as a choice among 1.0 equally likely token."
    )
    assert explorer.says() == "1,000 draws with seed 3 all give the same token."
    flat = explorer_of(np.zeros(5000))
    assert flat.says() == (
        "1,000 draws with seed 1 are too few to judge: no row expects 5 or more, and leaves as many to the others."
    )
    assert flat.alt.startswith("Dice of 5,000 tokens (the model's own odds): t0 under 0.1 %, ")
    assert "t4 under 0.1 %, all others over 99 %. Entropy 8.5 nats" in flat.alt


# ---- The explorer ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tinytown():
    return load_tinytown()


def test_a_text_is_read_and_its_tokens_count_as_seen(tinytown):
    explorer = Sampling(*tinytown, "once there was a red", repetition_penalty=1.5)
    model, tokenizer = tinytown
    ids = tokenizer.encode("once there was a red", special=True)
    logits = model.reader()(ids)
    np.testing.assert_allclose(explorer.logits(), logits, rtol=1e-6, atol=1e-6)
    assert explorer.seen() == sorted(set(ids))
    wanted = sampling.next_distribution(logits, repetition_penalty=1.5, seen=ids)
    np.testing.assert_allclose(explorer.odds(), wanted, atol=1e-6)
    assert [row.token for row in explorer.rows()[:3]] == np.argsort(-wanted)[:3].tolist()
    assert "repetition penalty 1.5" in explorer.alt


def test_another_text_changes_everything_and_a_wrong_one_nothing(tinytown):
    explorer = Sampling(*tinytown, "once there was a", top_k=3)
    before = explorer.alt
    explorer.ask(text="today the clown says two and two is")
    assert explorer.problem == ""
    assert explorer.text == explorer.reading["text"] == "today the clown says two and two is"
    assert explorer.alt.startswith("Dice after 'today the clown says two and two is' (top-k 3): five ")
    after = explorer.alt
    for text, why in (
        ("the zebra", "got 'zebra'"),
        ("the " * 64, "at most 64 tokens here, got 65; shorten it"),
    ):
        explorer.ask(text=text)
        assert why in explorer.problem
        assert (explorer.alt, explorer.reading["text"]) == (after, "today the clown says two and two is")
    explorer.ask(text="the " * 63)
    assert explorer.problem == ""
    explorer.text = "once there was a"
    assert (explorer.alt, explorer.problem) == (before, "")


@pytest.mark.skipif(not is_available("smollm2"), reason="run python -m helpers.pretrained")
def test_the_real_model():
    explorer = Sampling(*load_smollm2())
    assert explorer.alt.startswith(
        "Dice after 'The capital of France is' (the model's own odds): ␣Paris 77 %, ␣the 6 %"
    )
    assert "Entropy 1.5 nats: as open as a choice among 4.4 equally likely tokens." in explorer.alt
    explorer.ask(text="")
    assert explorer.problem == "a prompt must have at least one token, got none; type a word"
    explorer.ask(text="a\ud800")
    assert "half of one" in explorer.problem
    explorer.ask(text="word " * 600)
    assert "at most 512 tokens here" in explorer.problem
    # A token of two bytes that are half a letter is named, too.
    explorer.ask(text="आप ")
    assert explorer.problem == ""
    assert tenths(hidden(sampling.temperature_softmax(explorer.logits()))).endswith(" %")


def test_every_token_that_can_come_among_the_first_has_a_name(tinytown):
    model, tokenizer = tinytown
    explorer = Sampling(model, tokenizer, "a red hen and a blue")
    for penalty, heat in itertools.product((0.01, 0.5, 1, 2, 100), (0, 1, INF)):
        explorer.repetition_penalty, explorer.temperature = penalty, heat
        for row in explorer.rows():
            assert row.token < 0 or explorer._piece(row.token) == tokenizer.decode([row.token])
    assert len(explorer.reading["named"]) == len(set(explorer.reading["named"])) <= 12 + 2 * 7


@pytest.mark.parametrize(("seen", "penalty"), [([0, 1, 2, 3, 4], 100.0), ([35], 0.01)])
def test_tokens_that_the_penalty_brings_to_the_front_have_a_name(seen, penalty):
    explorer = explorer_of(np.arange(40.0, 0, -1), seen, repetition_penalty=penalty)
    shown = [row.token for row in explorer.rows()[:-1]]
    assert shown == ([*range(5, 17)] if penalty > 1 else [35, *range(11)])
    assert [explorer._piece(token) for token in shown] == [f"t{token}" for token in shown]


def test_a_model_that_gives_nan_changes_nothing(tinytown):
    explorer = Sampling(*tinytown, "once there was a")
    before = explorer.reading
    explorer._read = lambda ids: np.full(162, np.nan)
    explorer.ask(text="the hen")
    assert "logits must be numbers, got NaN" in explorer.problem
    assert explorer.reading is before


def test_given_logits_have_names_and_no_text():
    explorer = explorer_of([1.0, 3.0, 2.0], seen=[2, 2], top_k=2.0)
    assert isinstance(explorer.top_k, int)
    assert (explorer.top_k, explorer.written, explorer.seen()) == (2, False, [2])
    assert explorer.reading["tokens"] == ["t2", "t2"]
    assert explorer.alt.startswith("Dice of 3 tokens (top-k 2): t1 73 %, t2 27 %. ")
    explorer.ask(text="a text")
    assert "these logits were given and come after no text" in explorer.problem


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (([], []), "logits must be one row"),
        (([[1.0, 2.0]], ["a"]), "logits must be one row"),
        (([1.0, math.nan], ["a", "b"]), "logits must be numbers, got NaN"),
        (([1.0, INF], ["a", "b"]), "none .infinity"),
        (([1.0, 1e300], ["a", "b"]), "none .infinity"),
        (([-INF, -INF], ["a", "b"]), "at least one logit must be finite"),
        (([1.0, 2.0], ["a"]), "names must have one for each of the 2 logits, got 1"),
        (([1.0, 2.0], ["a", "b", "c"]), "names must have one for each of the 2 logits, got 3"),
        (([1.0, 2.0], ["a", "b"], [2]), "the ids seen must be from 0 to 1, got 2"),
        (([1.0, 2.0], ["a", "b"], [-1]), "the ids seen must be from 0 to 1, got -1"),
    ],
)
def test_logits_that_can_not_be_shown_are_refused(arguments, why):
    with pytest.raises(ValueError, match=why):
        Sampling.from_logits(*arguments)


WRONG = [
    ("temperature", -0.5, "temperature must be 0 or more, got -0.5"),
    ("temperature", math.nan, "temperature must be 0 or more, got nan"),
    ("top_k", 0, "top-k must be a whole number from 1, got 0"),
    ("top_p", 0.0, "top-p must be above 0 and at most 1, got 0"),
    ("top_p", math.nan, "top-p must be above 0"),
    ("min_p", 1.5, "min-p must be from 0 to 1, got 1.5"),
    ("repetition_penalty", 0.0, "repetition penalty must be above 0 and finite, got 0"),
    ("repetition_penalty", INF, "repetition penalty must be above 0 and finite, got inf"),
    ("seed", -1, "a seed must be a whole number from 0 to 4,294,967,295, got -1; try 1"),
    ("seed", 2**32, "a seed must be a whole number"),
]


@pytest.mark.parametrize(("name", "value", "why"), WRONG)
def test_settings_out_of_range_are_refused_and_nothing_moves(name, value, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        explorer_of([1.0, 2.0], **{name: value})
    explorer = explorer_of([1.0, 2.0])
    before = explorer.alt, getattr(explorer, name)
    with pytest.raises(ValueError, match=re.escape(why)):
        setattr(explorer, name, value)
    assert (explorer.alt, getattr(explorer, name)) == before


def test_top_k_between_two_numbers_is_refused():
    with pytest.raises(ValueError, match=r"top-k must be a whole number from 1, got 2\.5"):
        explorer_of([1.0, 2.0], top_k=2.5)


def test_the_sentence_follows_every_setting():
    explorer = explorer_of([3.0, 2.0, 1.0, 0.0], seen=[0])
    alts = [explorer.alt]
    for name, value in (("temperature", 0.5), ("top_k", 3), ("top_p", 0.99), ("min_p", 0.2), ("repetition_penalty", 1.5)):  # fmt: skip
        setattr(explorer, name, value)
        alts.append(explorer.alt)
        assert f"{name.replace('_', ' ' if 'penalty' in name else '-')} {value:g}" in explorer.alt
    assert len(set(alts)) == 6


def test_endless_heat_travels_as_json():
    explorer = explorer_of([1.0, 0.0, -INF], temperature=INF)
    assert "temperature ∞" in explorer.alt
    assert explorer.get_state("temperature") == {"temperature": "Infinity"}
    explorer.set_state({"temperature": 0.5})
    assert explorer.temperature == pytest.approx(0.5)
    explorer.set_state({"temperature": "Infinity"})
    assert explorer.temperature == INF
    assert explorer.odds() == pytest.approx([0.5, 0.5, 0])


def test_what_the_browser_sets_is_not_sent_back():
    traits = Sampling.class_traits()
    for name in (*module.SETTINGS, "seed"):
        assert traits[name].metadata["echo_update"] is False
    assert set(module.SETTINGS) == set(Sampling.shown) == set(NAMES)


def test_what_stays_behind_in_a_notebook():
    explorer = explorer_of([3.0, 2.0, 0.0], temperature=0.5)
    data, _ = explorer._repr_mimebundle_()
    assert left_behind(data) == explorer.alt
    assert data["text/plain"] == repr(explorer) == f"<Sampling: {explorer.alt}>"


def test_the_picture_shows_the_dice_and_the_models_own_odds_where_they_differ(monkeypatch):
    drawn = []
    real = plots.plot_bars
    monkeypatch.setattr(plots, "plot_bars", lambda *a, **k: drawn.append((a, k)) or real(*a, **k))
    explorer = Sampling.from_logits(np.log([0.6, 0.4]), [" $x$", "你好"])
    assert explorer.picture().startswith(b"\x89PNG")
    explorer.top_k = 1
    assert explorer.picture().startswith(b"\x89PNG")
    (labels, series), settings = drawn[0]
    assert labels == ["␣$x$", "…"]
    assert list(series) == ["the final dice"]
    assert series["the final dice"] == pytest.approx([0.6, 0.4])
    assert settings["title"] == "Dice of 2 tokens\nthe model's own odds"
    (_, series), settings = drawn[1]
    assert series["the final dice"] == pytest.approx([1, 0])
    assert series["the model's own odds"] == pytest.approx([0.6, 0.4])
    assert settings["roles"] == {"the final dice": "probabilities", "the model's own odds": "truth"}
    assert settings["title"].endswith("top-k 1")


def test_it_is_one_script_that_asks_for_nothing():
    text, css = str(Sampling._esm), str(Sampling._css)
    body = "const url = 'data:text/javascript;base64,' + Buffer.from(given).toString('base64'); return Object.keys((await import(url)).default)"
    assert run(None, body, text) == ["initialize", "render"]
    assert set(re.findall(r"https?://[^\s\"'`]+", text + css)) <= {"http://www.w3.org/2000/svg"}
    assert "innerHTML" not in text
    own = (HERE / "sampling.css").read_text(encoding="utf-8")
    assert min(float(size) for size in re.findall(r"font-size: ([\d.]+)px", own)) >= 11
