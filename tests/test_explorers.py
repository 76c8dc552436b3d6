"""The base of all explorers, and the panel: what kernel and browser do, without a browser."""

import json
import logging
import re

import numpy as np
import pytest
import traitlets
from bundles import left_behind
from js.run import run

import helpers.explorers
from helpers import plots, sampling
from helpers.explorers import Bars, Panel, Pieces, explore
from helpers.explorers.base import HERE, Explorer, bundled, script, style


def draw(ax, k, name="sine", wide=False):
    if name == "broken":
        raise KeyError("no such wave")
    if k > 8:
        raise ValueError(f"k must be at most 8, got {k}; take a slower wave")
    ax.plot([0, k], [0, 1 + wide])


def describe(k, name="sine", wide=False):
    return f"A {name} with k = {k}{', wide' if wide else ''}"


@pytest.fixture
def panel():
    return explore(
        draw, describe, k=(1, 10, 1, 2), name=["sine", "broken"], wide=False, labels={"k": "frequency"}
    )


def move(panel, **values):
    panel.values = {**panel.values, **values}


def test_it_shows_itself_with_a_picture_and_a_line(panel):
    data, _ = panel._repr_mimebundle_()
    assert data["text/plain"] == repr(panel) == "<Explorer: A sine with k = 2>"
    assert left_behind(data) == panel.alt
    assert "application/vnd.jupyter.widget-view+json" in data


def test_controls_reach_the_browser(panel):
    slider, choice, switch = panel.controls
    assert slider == {
        "name": "k", "label": "frequency", "kind": "slider", "min": 1, "max": 10, "step": 1, "value": 2, "whole": True,
    }  # fmt: skip
    assert choice["choices"] == ["sine", "broken"]
    assert choice["label"] == "name"
    assert switch["kind"] == "switch"


def test_a_move_changes_picture_and_text(panel):
    before = panel.png
    move(panel, k=5, wide=True)
    assert panel.alt == "A sine with k = 5, wide"
    assert panel.png != before


def test_moving_there_and_back_gives_the_same_picture(panel):
    before = panel.png
    move(panel, k=7)
    move(panel, k=2)
    assert panel.png == before


def test_a_rule_that_is_broken_is_said_and_the_picture_stays(panel):
    move(panel, k=4)
    before = panel.png
    move(panel, k=9)
    assert panel.problem == "k must be at most 8, got 9; take a slower wave"
    assert panel.png == before
    assert panel.alt == "A sine with k = 4"
    assert panel.values["k"] == 9  # what the learner chose is kept
    move(panel, k=3)
    assert panel.problem == ""


def test_an_error_in_the_drawing_function_is_never_swallowed(panel, caplog):
    with caplog.at_level(logging.ERROR):
        move(panel, name="broken")
    assert panel.problem == "KeyError: 'no such wave'"
    assert "no such wave" in caplog.text


def test_the_first_picture_must_not_fail():
    with pytest.raises(ValueError, match="k must be at most 8, got 9"):
        explore(draw, describe, k=(1, 10, 1, 9))


def test_whole_numbers_stay_whole_after_the_browser():
    seen = []
    panel = explore(
        lambda ax, k, x: seen.append((k, x)), lambda k, x: f"{k} {x}", k=(0, 9, 1, 2), x=(0.0, 1.0, 0.1, 0.5)
    )
    panel.values = {"k": 3.0, "x": 1}
    assert seen[-1] == (3, 1)
    assert isinstance(seen[-1][0], int)
    assert panel.alt == "3 1"


@pytest.mark.parametrize(
    "control", [(1, 2), (0, 10, 3, 4), (5, 1, 1, 3), (0, 5, 1, 9), (0, 5, 0, 1), [], 3, None, [1, 2]]
)
def test_what_can_not_be_a_control_is_refused(control):
    with pytest.raises(ValueError, match="control 'k' must be"):
        explore(lambda ax, k: None, lambda k: "x", k=control)


def test_a_panel_is_a_widget_with_its_javascript_beside_it():
    assert "function render" in str(Panel._esm)
    assert ".uth-panel" in str(Panel._css)


def test_the_browser_asks_and_the_panel_draws(panel):
    before = panel.png
    panel.set_state({"question": {"number": 5, "values": {"k": 6.0, "name": "sine", "wide": True}}})
    assert panel.answer == {"number": 5}
    assert panel.values == {"k": 6, "name": "sine", "wide": True}
    assert panel.alt == "A sine with k = 6, wide"
    assert panel.png != before


# ---- The base ----------------------------------------------------------------------------------------------------


class Doubler(Explorer):
    """The smallest explorer."""

    _esm = "export default {}"
    shown = ("n",)
    n = traitlets.Int(1).tag(sync=True)
    done = 0

    def describe(self):
        if self.n < 0:
            raise ValueError(f"n must be 0 or more, got {self.n}; take a larger one")
        return f"Twice {self.n}\nis {2 * self.n}"

    def picture(self):
        return b"\x89PNG"

    def compute(self, question):
        self.done += 1
        if question["n"] == 13:
            raise KeyError("thirteen")
        self.n = question["n"]
        return {"twice": 2 * self.n, "bytes": b"ab"}


def test_an_explorer_shows_itself_in_one_line_with_a_picture():
    data, _ = Doubler(n=4)._repr_mimebundle_()
    assert data["text/plain"] == "<Doubler: Twice 4 is 8>"
    assert left_behind(data) == Doubler(n=4).alt
    assert "application/vnd.jupyter.widget-view+json" in data


def test_the_sentence_follows_a_trait():
    explorer = Doubler()
    explorer.n = 5
    assert explorer.alt == "Twice 5\nis 10"
    explorer.n = -1
    assert explorer.problem == "n must be 0 or more, got -1; take a larger one"
    assert explorer.alt == "Twice 5\nis 10"
    explorer.n = 2
    assert explorer.problem == ""


def test_a_question_is_answered_once_with_its_number():
    explorer = Doubler()
    explorer.question = {"number": 3, "n": 7}
    assert explorer.answer == {"number": 3, "twice": 14, "bytes": b"ab"}
    explorer.question = {"number": 2, "n": 8}  # overtaken on the way
    assert (explorer.answer["number"], explorer.done, explorer.n) == (3, 1, 7)
    assert explorer.ask(n=9)["twice"] == 18
    assert explorer.answer["number"] == 4


def test_what_goes_wrong_is_said_and_logged(caplog):
    explorer = Doubler()
    with caplog.at_level(logging.ERROR):
        explorer.ask(n=13)
    assert explorer.problem == "KeyError: 'thirteen'"
    assert "thirteen" in caplog.text
    assert explorer.answer == {"number": 1}
    assert explorer.ask(n=-4) == {"number": 2}
    assert explorer.problem.startswith("n must be 0 or more")


def test_an_explorer_that_is_not_finished_says_what_it_lacks():
    class Empty(Explorer):
        _esm = "export default {}"

    with pytest.raises(NotImplementedError, match="Empty must say what it shows"):
        Empty()


def test_names_are_imported_when_they_are_asked_for():
    assert helpers.explorers.Merges.__name__ == "Merges"
    with pytest.raises(AttributeError, match="no 'Missing'; it has"):
        _ = helpers.explorers.Missing


# ---- JavaScript: one text for anywidget, the same files for Node -------------------------------------------------


@pytest.mark.parametrize("name", ["panel", "merges", "tokens"])
def test_the_one_text_runs_and_asks_for_nothing(name):
    text = script(name)
    body = "const url = 'data:text/javascript;base64,' + Buffer.from(given).toString('base64'); return Object.keys((await import(url)).default)"
    assert run(None, body, text) == ["initialize", "render"]
    addresses = set(re.findall(r"https?://[^\s\"'`]+", text + style()))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a name, not a place
    assert "innerHTML" not in text
    assert "insertAdjacentHTML" not in text
    assert "@import" not in style()


@pytest.mark.parametrize(
    ("own", "why"),
    [
        ('import { nothing } from "./shared.js";\n', "got 'nothing'"),
        ('import * as all from "./shared.js";\n', "imports must read"),
        ('import { two } from "./other.js";\n', "imports must read"),
        ("export { a };\n", "imports must read"),
    ],
)
def test_what_the_bundler_would_not_understand_is_refused(own, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        bundled("export const two = 2;\n", own)


def test_names_of_both_files_do_not_meet():
    text = bundled(
        "const hidden = 1;\nexport function two() { return hidden + 1; }\n",
        'import {\n  two as pair,\n} from "./shared.js";\nconst hidden = 5, two = 7;\nexport default { render: pair() + hidden + two };\n',
    )
    body = "return (await import('data:text/javascript,' + encodeURIComponent(given))).default.render"
    assert run(None, body, text) == 14


def test_colours_are_those_of_the_pictures():
    sheet = (HERE / "shared.css").read_text()
    light = sheet[: sheet.index("[data-jp-theme-light")]
    found = dict(re.findall(r"--uth-([a-z0-9-]+): (#[0-9a-f]{6});", light))
    for role, colour in plots.ROLES.items():
        assert found[role] == colour.lower()
    assert [found[f"chip-{i}"] for i in range(5)] == [colour.lower() for colour in plots.CHIPS]


def test_letters_on_chips_can_be_read_in_both_themes():
    sheet = (HERE / "shared.css").read_text()
    light, dark = sheet.split('[data-jp-theme-light="false"] .uth {')[:2]
    for part in (light, dark.split("}")[0]):
        found = dict(re.findall(r"--uth-([a-z0-9-]+): (#[0-9a-f]{6});", part))
        for ink in ("ink", "faint"):
            for i in range(5):
                high, low = sorted(
                    (plots.luminance(found[ink]), plots.luminance(found[f"chip-{i}"])), reverse=True
                )
                assert (high + 0.05) / (low + 0.05) >= 4.5


def test_numbers_travel_as_bytes():
    values = np.array([0, 1.5, -2.25, 65504, 6e-8, np.inf, 1e-5])
    for kind, name in (("<f4", "floats"), ("<f2", "halves")):
        got = run(
            None,
            f"return m.{name}(Uint8Array.from(given))",
            list(values.clip(max=6e4).astype(kind).tobytes()),
        )
        assert np.array_equal(np.array(got, dtype=float), values.clip(max=6e4).astype(kind).astype(float))
    whole = np.array([0, 1, 65535])
    assert (
        run(None, "return m.shorts(Uint8Array.from(given))", list(whole.astype("<u2").tobytes()))
        == whole.tolist()
    )
    whole = np.array([0, 1, 4294967295])
    assert (
        run(None, "return m.words(Uint8Array.from(given))", list(whole.astype("<u4").tobytes()))
        == whole.tolist()
    )


@pytest.mark.parametrize("temperature", [0, 0.3, 1, 2.5, 1000])
def test_softmax_is_that_of_python(temperature):
    logits = np.random.default_rng(0).normal(0, 4, 37)
    got = run(None, "return m.softmax(given[0], given[1])", [logits.tolist(), temperature])
    assert np.allclose(got, sampling.temperature_softmax(logits, temperature), atol=1e-12)


def test_shares_are_written_as_in_the_pictures():
    shares = [
        0,
        1,
        1e-6,
        0.00099,
        0.001,
        0.0025,
        0.0094,
        0.0095,
        0.045,
        0.125,
        0.135,
        0.774,
        0.9949,
        0.995,
        0.9999,
    ]
    shares += np.random.default_rng(0).random(300).tolist()
    assert run(None, "return given.map(m.percent)", shares) == [plots.percent(share) for share in shares]


def test_numbers_are_rounded_as_in_python():
    numbers = [k / 8 for k in range(80)] + [1.005, 2.675, 1.115, 0.145]
    got = run(None, "return given.map((x) => [0, 1, 2].map((d) => m.rounded(x, d)))", numbers)
    assert got == [[f"{x:.{digits}f}" for digits in (0, 1, 2)] for x in numbers]


def test_half_a_character_is_refused_in_the_browser():
    body = "return ['ok', 'ab\\ud800c', '🦊', '🦊\\udc00'].map(m.halved)"
    fine, lone, fox, after = run(None, body)
    assert fine == fox == ""
    assert "U+D800, at position 2" in lone
    assert "U+DC00, at position 1" in after


# ---- Questions to the kernel, asked by shared.js -----------------------------------------------------------------

ASKER = """
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const values = { question: {}, answer: {}, problem: "", alt: "fine" }, listeners = {}, sent = [], said = [], wrong = [], drawn = [];
  const model = {
    widget_manager: { kernel: { status: "idle" } },
    get: (name) => values[name], set: (name, value) => { values[name] = value; },
    save_changes: () => sent.push(values.question),
    on: (name, f) => { listeners[name] = f; }, off: (name) => { delete listeners[name]; },
  };
  const el = { classList: { contains: () => false }, dataset: {} };
  const reply = (problem = "") => { values.problem = problem; values.answer = { number: values.question.number, n: values.question.n }; listeners["change:answer"](); };
  const talk = m.asker(model, el, { needs: "New text", say: (t) => said.push(t), complain: (t) => wrong.push(t), answered: (a) => drawn.push(a.n), wait: 15, slow: 30, lost: 80 });
"""


def test_a_burst_of_questions_costs_one_computation():
    body = (
        ASKER
        + "for (let n = 1; n <= 40; n++) talk.ask({ n }); await pause(25); reply(); return [sent, drawn, said.at(-1)]"
    )
    assert run(None, body) == [[{"n": 40, "number": 1}], [40], "fine"]


def test_while_one_is_worked_on_only_the_newest_waits():
    body = (
        ASKER
        + """
      talk.ask({ n: 1 }, { now: true }); talk.ask({ n: 2 }, { now: true }); talk.ask({ n: 3 }, { now: true });
      reply(); reply(); await pause(20); return [sent.map((q) => q.n), drawn]"""
    )
    assert run(None, body) == [[1, 3], [3]]


def test_a_slow_answer_is_announced_and_a_problem_leaves_the_picture():
    body = (
        ASKER
        + "talk.ask({ n: 1 }); await pause(60); const slow = said.at(-1); reply('n must be 2'); return [slow, wrong.at(-1), drawn]"
    )
    assert run(None, body) == ["working …", "n must be 2", []]


def test_without_a_kernel_it_says_so_at_once():
    body = (
        ASKER
        + "model.widget_manager.kernel = null; talk.ask({ n: 1 }, { now: true }); return [sent, wrong, talk.gone]"
    )
    sent, wrong, gone = run(None, body)
    assert (sent, gone) == ([], True)
    assert wrong[-1].startswith(
        "New text needs a kernel, and none is connected to this view. Run this cell again"
    )


def test_a_kernel_that_was_restarted_under_an_open_view():
    body = (
        ASKER
        + "listeners.comm_live_update.call({ model: { comm_live: false } }); talk.ask({ n: 1 }, { now: true }); return [sent, wrong.at(-1)]"
    )
    sent, wrong = run(None, body)
    assert sent == []
    assert "needs a kernel" in wrong


def test_a_kernel_that_is_busy_or_silent_is_told_apart():
    body = (
        ASKER
        + """
      model.widget_manager.kernel.status = given; talk.ask({ n: 1 }); await pause(140); const told = wrong.at(-1);
      reply(); return [told, drawn, wrong.at(-1)]"""
    )
    busy, drawn, after = run(None, body, "busy")
    assert "busy with another cell" in busy
    assert (drawn, after) == ([1], "")  # the late answer still counts
    silent, *_ = run(None, body, "idle")
    assert "has not answered" in silent


def test_numbers_of_numpy_become_pythons():
    panel = explore(
        lambda ax, k: None, lambda k: f"{k}", k=(np.int64(0), np.int64(9), np.int64(1), np.int64(2))
    )
    assert json.dumps(panel.controls)
    assert panel.controls[0]["whole"] is True


@pytest.mark.parametrize("control", [(0, float("inf"), 1, 2), (0, 9, float("nan"), 2), ("a", "b", "c", "d")])
def test_a_slider_needs_finite_numbers(control):
    with pytest.raises(ValueError, match="control 'k' must be"):
        explore(lambda ax, k: None, lambda k: "x", k=control)


def test_labels_must_name_a_control():
    with pytest.raises(ValueError, match=r"labels must name controls \(k\), got 'frequency'"):
        explore(lambda ax, k: None, lambda k: "x", k=(0, 9, 1, 2), labels={"frequency": "f"})


@pytest.mark.parametrize("told", ["", "  ", None])
def test_a_picture_must_be_described(told):
    with pytest.raises(ValueError, match="describe must say in a sentence what is shown"):
        explore(lambda ax, k: None, lambda k: told, k=(0, 9, 1, 2))


# ---- Views that the browser draws --------------------------------------------------------------------------------


def counted(n, empty=False):
    if n > 8:
        raise ValueError(f"n must be at most 8, got {n}; take fewer")
    return Bars(
        ["sky", "sea"], {"counted": [n, float("nan") if empty else 1234.5]}, title="After blue", unit="words"
    )


def test_a_view_travels_as_values_and_leaves_a_picture():
    panel = explore(counted, n=(1, 9, 1, 2), empty=False)
    assert panel.alt == "After blue: counted sky 2, sea 1,234."
    assert panel.view["series"] == [{"name": "counted", "role": "probabilities", "values": [2.0, 1234.5]}]
    panel.set_state({"question": {"number": 1, "values": {"n": 3.0, "empty": True}}})
    assert panel.view["series"][0]["values"] == [3.0, None]
    assert json.dumps(panel.view, allow_nan=False)
    assert repr(panel) == "<Explorer: After blue: counted sky 3, sea never counted.>"
    assert panel.png == b""
    assert panel.picture().startswith(b"\x89PNG")


def test_a_view_that_fails_leaves_the_one_before():
    panel = explore(counted, n=(1, 9, 1, 2))
    before = panel.view
    panel.ask(values={"n": 9})
    assert (panel.problem, panel.view) == ("n must be at most 8, got 9; take fewer", before)
    assert "sky 2" in panel.alt


def test_pieces_may_be_bytes_and_have_something_below():
    panel = explore(
        lambda n: Pieces(["a b"] * n + [b"\xe0\xa4"], below=range(n + 1), title="cut"), n=(1, 3, 1, 1)
    )
    assert panel.view == {
        "kind": "pieces",
        "pieces": ["a b", [0xE0, 0xA4]],
        "below": ["0", "1"],
        "caption": "cut",
    }
    assert panel.alt == "cut: a␣b ⟨E0 A4⟩"
    assert panel.picture().startswith(b"\x89PNG")


def test_own_words_say_what_is_shown():
    panel = explore(counted, lambda n: f"{n} of them", n=(1, 9, 1, 2))
    panel.ask(values={"n": 5})
    assert panel.alt == "5 of them"


def test_a_function_must_show_something():
    with pytest.raises(ValueError, match=r"must return what to show, such as Bars or Pieces, got 2"):
        explore(lambda n: n, n=(1, 9, 1, 2))
    with pytest.raises(ValueError, match="describe must be given"):
        explore(lambda ax, n: None, n=(1, 9, 1, 2))


def test_numbers_are_written_as_in_the_pictures():
    values = [0, 7, 12345, 1234.56, 99.96, 0.0123456, 2.5, 100.5, 1e6]
    assert run(None, "return given.map(m.number)", values) == [plots.number(value) for value in values]


def test_a_slider_stands_on_its_grid():
    assert explore(counted, n=(1, 9, 2, 7)).values == {"n": 7}
    assert explore(lambda x: Pieces([f"{x}"]), x=(0.1, 1.0, 0.1, 0.7)).values == {"x": 0.7}


@pytest.mark.parametrize("settings", [{"size": (0, 9, 1, 2)}, {"size": (0, 3)}, {"labels": (0, 9, 1, 2)}])
def test_a_control_can_not_be_called_size_or_labels(settings):
    with pytest.raises(ValueError, match="a control needs another name"):
        explore(counted, n=(1, 9, 1, 2), **settings)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"k": "x"}, "frequency must be a number from 1 to 10, got 'x'"),
        ({"k": 11}, "frequency must be a number from 1 to 10, got 11"),
        ({"k": True}, "frequency must be a number from 1 to 10, got True"),
        ({"name": "square"}, "name must be one of sine, broken, got 'square'"),
    ],
)
def test_a_value_that_a_control_can_not_have_is_said(panel, values, why):
    before = panel.alt
    panel.ask(values={**panel.values, **values})
    assert panel.problem == why
    assert panel.alt == before


def test_the_picture_left_behind_is_the_last_one():
    panel = explore(counted, n=(1, 9, 1, 2))
    before = panel.picture()
    panel.ask(values={"n": 8})
    assert panel.picture() != before
    assert left_behind(panel._repr_mimebundle_()[0]) == "After blue: counted sky 8, sea 1,234."


def test_all_that_changes_travels_in_one_message(panel, monkeypatch):
    sent = []
    monkeypatch.setattr(panel, "send_state", lambda key=None: sent.append(set(key)))
    panel.ask(values={**panel.values, "k": 6})
    assert [names for names in sent if "png" in names] == [sent[-1]]
    assert {"png", "alt", "answer", "values"} <= sent[-1]


def test_a_text_box_begins_with_its_text():
    panel = explore(lambda words: Pieces(words.split()), words="two words")
    assert panel.controls == [{"name": "words", "label": "words", "kind": "text", "value": "two words"}]
    panel.ask(values={"words": ""})
    assert panel.view["pieces"] == []
