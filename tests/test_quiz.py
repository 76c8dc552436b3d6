"""The quiz: its questions, what is said about every choice, and that the browser says the same as Python."""

import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from bundles import left_behind
from execute import NOTEBOOKS

from helpers.explorers.questions import QUESTIONS
from helpers.explorers.quiz import Quiz, choose, mark, match, n_right, quiz, right, written, wrong

STEMS = sorted(path.stem[:2] for path in NOTEBOOKS.glob("*.ipynb"))
# A quiz may be there before its notebook is.
PLACED = [name for name in QUESTIONS if name[:2] in STEMS]
QUIZ_JS = Path(__file__).parent.parent / "helpers" / "explorers" / "quiz.js"
EVERY = [
    pytest.param(question, id=f"{name}-{number}")
    for name, questions in QUESTIONS.items()
    for number, question in enumerate(questions, 1)
]


def answers(question):
    """Every answer to a question of one of several; for matching all right, each pair wrong once, and none."""
    if question["kind"] == "choose":
        return [None, *range(len(question["choices"])), len(question["choices"])]
    options = question["options"]
    turned = [[*options[by:], *options[:by]] for by in range(len(options))]
    return [None, [], [pair["right"] for pair in question["pairs"]], *turned, ["", "no such thing"]]


@pytest.mark.parametrize("question", EVERY)
def test_every_choice_has_a_sentence_of_its_own(question):
    about = question["choices"] if question["kind"] == "choose" else question["pairs"]
    whys = [one["why"] for one in about]
    assert len(set(whys)) == len(whys)
    for why in whys:
        assert why[0].isupper()
        assert why[-1] == "."
        assert len(why.split()) >= 5
    assert len({written(question)[0], *written(question)[1]}) > 1
    assert question["ask"][-1] in "?."


@pytest.mark.parametrize("question", EVERY)
def test_exactly_one_answer_is_right(question):
    def all_right(given):
        return all(line[0] is True for line in mark(question, given))

    if question["kind"] == "choose":
        assert sum(all_right(given) for given in range(len(question["choices"]))) == 1
    else:
        orders = itertools.permutations(question["options"])
        assert sum(all_right(list(order)) for order in orders) == 1
        assert [pair["right"] for pair in question["pairs"]] != question["options"], "the list gives it away"


def test_enough_questions_and_no_place_of_the_right_choice_to_learn_by_heart():
    assert set(STEMS) <= set(QUESTIONS)
    for name in (name for name in QUESTIONS if len(name) == 2):
        assert len(QUESTIONS[name]) >= 5
        places = [
            [choice["right"] for choice in question["choices"]].index(True)
            for question in QUESTIONS[name]
            if question["kind"] == "choose"
        ]
        assert max(places.count(place) for place in places) <= len(places) * 0.6
    assert {pair["right"] for pair in QUESTIONS["00-gpt"][0]["pairs"]} == {
        "generative",
        "pre-trained",
        "transformer",
    }


@pytest.mark.parametrize("name", PLACED)
def test_each_quiz_stands_in_its_notebook_with_what_it_asks_stored(name):
    (path,) = NOTEBOOKS.glob(f"{name[:2]}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    (cell,) = [cell for cell in cells if "".join(cell["source"]).strip() == f'quiz("{name}")']
    assert "".join(cell["outputs"][0]["data"]["text/plain"]) == repr(quiz(name))


def test_the_prose_of_a_notebook_does_not_ask_the_same():
    for name in PLACED:
        (path,) = NOTEBOOKS.glob(f"{name[:2]}_*.ipynb")
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        prose = " ".join(
            " ".join("".join(cell["source"]).split()) for cell in cells if cell["cell_type"] == "markdown"
        )
        assert [question["ask"] for question in QUESTIONS[name] if question["ask"] in prose] == []


def test_a_quiz_says_what_it_asks_and_leaves_a_picture():
    shown = quiz("00-gpt")
    assert repr(shown) == (
        "<Quiz: 1 question. 1. What do the three letters stand for? "
        "G, P, T with: transformer; pre-trained; generative.>"
    )
    data, _ = shown._repr_mimebundle_()
    assert left_behind(data) == shown.alt
    for question in QUESTIONS["01"]:
        ask, lines = written(question)
        assert ask in quiz("01").alt
        assert all(line in quiz("01").alt for line in lines)


def test_the_picture_has_every_line(monkeypatch):
    from helpers.explorers import quiz as module

    drawn = []
    draw = module._draw
    monkeypatch.setattr(module, "_draw", lambda ax, lines: drawn.extend(lines) or draw(ax, lines))
    quiz("00").picture()
    text = re.sub(r"\s+", " ", " ".join(line.strip(" –") for line, _ in drawn))
    for question in QUESTIONS["00"]:
        ask, lines = written(question)
        assert ask in text
        assert all(line in text for line in lines)


def test_what_is_given_does_not_change_what_is_stored():
    shown = quiz("01")
    before = repr(shown), shown.picture()
    shown.given = {"0": ["a", "b", "c", "d"], "1": 2}
    assert (repr(shown), shown.picture()) == before


BAD = [
    lambda: choose("Why?", right("a", "Because.")),
    lambda: choose("Why?", wrong("a", "No."), wrong("b", "No.")),
    lambda: choose("Why?", right("a", "Yes."), right("b", "Yes.")),
    lambda: choose("Why?", right("a", "Yes."), wrong("a", "No.")),
    lambda: choose("Why?", right("a", "Yes."), wrong("b", " ")),
    lambda: match("Which?", ("a", "b", "Yes.")),
    lambda: match("Which?", ("a", "b", "Yes."), ("a", "c", "Yes.")),
    lambda: match("Which?", ("a", "b", "Yes."), ("c", "b", "Yes.")),
    lambda: Quiz([]),
    lambda: quiz("99"),
]


@pytest.mark.parametrize("bad", BAD)
def test_a_question_that_can_not_be_asked_is_refused(bad):
    with pytest.raises(ValueError, match=r"needs|must be one of"):
        bad()


def test_it_needs_no_kernel_and_nothing_from_elsewhere():
    source = QUIZ_JS.read_text(encoding="utf-8")
    assert "http" not in source
    assert "innerHTML" not in source
    assert "asker" not in source
    assert "function render" in str(Quiz._esm)


@pytest.mark.skipif(not shutil.which("node"), reason="node runs the browser's half: install nodejs")
def test_the_browser_says_what_python_says(tmp_path):
    rows = [
        (question, given)
        for questions in QUESTIONS.values()
        for question in questions
        for given in answers(question)
    ]
    scores = [
        (questions, {str(place): answers(question)[pick % 4] for place, question in enumerate(questions)})
        for questions in QUESTIONS.values()
        for pick in range(4)
    ]
    for file in ("quiz.js", "shared.js"):
        (tmp_path / file).write_bytes((QUIZ_JS.parent / file).read_bytes())
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "run.js").write_text(
        'import { mark, nRight } from "./quiz.js";\nimport { readFileSync } from "node:fs";\n'
        'const { rows, scores } = JSON.parse(readFileSync(0, "utf8"));\n'
        "console.log(JSON.stringify([rows.map(([q, g]) => mark(q, g)), scores.map(([q, g]) => nRight(q, g))]));\n"
    )
    done = subprocess.run(
        ["node", "run.js"],
        cwd=tmp_path,
        input=json.dumps({"rows": rows, "scores": scores}),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    marks, counted = json.loads(done.stdout)
    assert [[tuple(line) for line in lines] for lines in marks] == [mark(*row) for row in rows]
    assert counted == [n_right(*score) for score in scores]
    assert len(set(counted)) > 2
