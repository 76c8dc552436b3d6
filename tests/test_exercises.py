"""The exercises as they stand in the notebooks: stub, check and solution of each, read from the notebook itself.

An exercise may have its check before its notebook is there: then only what needs no notebook is tested.

The solution passes its own check and the stub does not. Wrong answers that people give are rejected, each with
a sentence of its own; right answers that look unusual pass. And the solution is changed in every small way there is
(`<` to `<=`, `+` to `-`, 1 to 2, a line left out ...): whatever then behaves in another way must be rejected.
"""

import ast
import contextlib
import copy
import doctest
import io
import json
import random
import re
from typing import NamedTuple

import numpy as np
import pytest
from execute import NOTEBOOKS
from exercises import INPUTS, UNUSUAL, WRONG

from helpers import checks, tokenization
from helpers.checks import EXERCISES
from helpers.checks.checking import Endless, close, limited, plain

HEADING = re.compile(r"^### Exercise (\d+) · (\d+) minutes · (easy|medium|harder)$", re.M)
SOLUTION = re.compile(
    r"<details><summary>Solution</summary>\n\n```python\n(.*?)\n```\n\n(?:[^<]+\n\n)?</details>", re.S
)


class Written(NamedTuple):
    """An exercise as a notebook has it."""

    notebook: str
    number: int
    minutes: int
    difficulty: str
    cell: str  # the code cell: stub and check
    outputs: list
    folded: str  # hints and solution


def written():
    """Every exercise of every notebook, by the name that its check has."""
    found = {}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        heading, last = None, None
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "code" and (
                check := re.search(r"^checks\.(\w+)\((\w+)\)\Z", source, re.M)
            ):
                assert heading, f"{path.name}: {check[0]} has no heading with minutes and difficulty above it"
                assert check[1] == check[2], f"{path.name}: {check[0]} checks another function"
                number, minutes, difficulty = heading.groups()
                last = Written(
                    path.stem[:2], int(number), int(minutes), difficulty, source, cell["outputs"], ""
                )
                assert check[1] not in found, f"{check[1]} is checked twice"
                found[check[1]] = last
                name, heading = check[1], None
            elif cell["cell_type"] == "markdown":
                if match := HEADING.search(source):
                    heading, last = match, None
                elif source.startswith("#"):
                    heading, last = None, None
                elif last:
                    found[name] = last = last._replace(folded=last.folded + source)
    return found


WRITTEN = written()
STEMS = sorted(path.stem[:2] for path in NOTEBOOKS.glob("*.ipynb"))
NAMES = [name for name, exercise in EXERCISES.items() if exercise.notebook in STEMS]
EVERY = list(EXERCISES)


def solution(name):
    return SOLUTION.search(WRITTEN[name].folded)[1]


def made(source, name):
    """The function that some source defines, in a namespace like that of the notebook."""
    space = {"np": np, "tokenization": tokenization}
    exec(source, space)
    return space[name]


# ---- the notebook ------------------------------------------------------------------------------------


def test_notebooks_and_checks_have_the_same_exercises():
    """Every exercise of a notebook that is there stands in it, and no other."""
    assert set(WRITTEN) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_heading_says_what_the_registry_says(name):
    exercise = EXERCISES[name]
    planned = (exercise.notebook, exercise.number, exercise.minutes, exercise.difficulty)
    assert WRITTEN[name][:4] == planned


@pytest.mark.parametrize("stem", sorted({exercise.notebook for exercise in EXERCISES.values()}))
def test_at_least_three_from_easy_to_harder(stem):
    here = sorted((one.number, one.difficulty) for one in EXERCISES.values() if one.notebook == stem)
    assert [number for number, _ in here] == list(range(1, len(here) + 1))
    assert len(here) >= 3
    levels = [["easy", "medium", "harder"].index(difficulty) for _, difficulty in here]
    assert levels == sorted(levels)


@pytest.mark.parametrize("name", NAMES)
def test_hints_come_before_the_solution(name):
    folds = re.findall(r"<details><summary>(.*?)</summary>\n\n", WRITTEN[name].folded)
    assert folds.index("Solution") >= 1
    assert all(fold.startswith("Hint") for fold in folds[: folds.index("Solution")])
    assert WRITTEN[name].folded.count("</details>") == len(folds)


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_passes_its_own_check(name):
    verdict = EXERCISES[name](made(solution(name), name))
    assert verdict.passed, verdict


@pytest.mark.parametrize("name", NAMES)
def test_stub_and_solution_begin_with_the_same_line(name):
    assert WRITTEN[name].cell.splitlines()[0] == solution(name).splitlines()[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_stub_is_not_there_yet_and_the_notebook_stores_that(name):
    space = {"checks": checks}
    *body, last = ast.parse(WRITTEN[name].cell).body
    exec(compile(ast.Module(body, []), "", "exec"), space)
    verdict = eval(compile(ast.Expression(last.value), "", "eval"), space)
    assert verdict.state == "unfinished"
    (output,) = WRITTEN[name].outputs
    assert "".join(output["data"]["text/plain"]) == repr(verdict)
    assert "".join(output["data"]["text/html"]) == verdict._repr_html_()


@pytest.mark.parametrize("name", NAMES)
def test_the_example_in_the_stub_is_true(name):
    """The docstring of the stub is a doctest of the solution."""
    docstring = ast.get_docstring(ast.parse(WRITTEN[name].cell).body[0])
    space = {"np": np, name: made(solution(name), name)}
    test = doctest.DocTestParser().get_doctest(docstring, space, name, None, 0)
    assert test.examples
    runner, said = doctest.DocTestRunner(verbose=False), io.StringIO()
    runner.run(test, out=said.write)
    assert not runner.failures, said.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_the_notebook_imports_what_the_solution_uses(name):
    (path,) = NOTEBOOKS.glob(f"{EXERCISES[name].notebook}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    there = {
        alias.asname or alias.name
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    docstring = ast.get_docstring(ast.parse(WRITTEN[name].cell).body[0])
    example = "".join(one.source for one in doctest.DocTestParser().get_examples(docstring))
    used = {
        node.id for node in ast.walk(ast.parse(f"{solution(name)}\n{example}")) if isinstance(node, ast.Name)
    }
    assert used & {"np", "tokenization", "tinytown"} <= there


# ---- right, but unusual --------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "source"), [(name, one) for name in UNUSUAL for one in UNUSUAL[name]])
def test_right_and_unusual_answers_pass(name, source):
    verdict = EXERCISES[name](made(source, name))
    assert verdict.passed, verdict


# ---- wrong, each in its own way ------------------------------------------------------------------------


def body_of(name, body):
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return (
        f"import random\nimport numpy as np\ndef {name}({', '.join(EXERCISES[name].parameters)}):\n{lines}\n"
    )


@pytest.mark.parametrize("name", EVERY)
def test_wrong_answers_are_rejected_each_with_its_own_sentence(name, capsys):
    said = {}
    for body, part in WRONG[name].items():
        verdict = EXERCISES[name](made(body_of(name, body), name))
        assert verdict.state == "wrong", body
        assert part in verdict.sentence, verdict
        said[body] = verdict.sentence
    assert len(said) >= 7
    assert len(set(said.values())) == len(said)


# ---- every small change to the solution ------------------------------------------------------------------

COMPARISONS = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}
OPERATIONS = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add,),
    ast.Div: (ast.Mult, ast.FloorDiv),
    ast.MatMult: (ast.Mult,),
    ast.Pow: (ast.Mult,),
}
NAMESAKES = {"sin": "cos", "cos": "sin", "maximum": "minimum", "log": "log2", "mean": "sum", "sum": "mean"}


def become(node, other):
    """Puts one node in the place of another."""
    node.__class__, node.__dict__ = other.__class__, dict(other.__dict__)


def changes(node):
    """Functions that each change one node in place, in one small way."""
    if isinstance(node, ast.Compare):
        for new in COMPARISONS.get(type(node.ops[0]), ()):
            yield lambda node, new=new: setattr(node, "ops", [new()])
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for new in OPERATIONS[type(node.op)]:
            yield lambda node, new=new: setattr(node, "op", new())
    if isinstance(node, ast.BinOp):
        yield lambda node: become(node, node.left)
        yield lambda node: become(node, node.right)
    if isinstance(node, ast.UnaryOp):
        yield lambda node: become(node, node.operand)
    if isinstance(node, ast.Attribute) and node.attr in NAMESAKES:
        yield lambda node: setattr(node, "attr", NAMESAKES[node.attr])
    if isinstance(node, ast.BoolOp):
        other = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield lambda node: setattr(node, "op", other())
        for place in range(len(node.values)):
            yield lambda node, place=place: setattr(node, "values", [node.values[place]])
    if isinstance(node, ast.Constant) and type(node.value) is int:
        for step in (1, -1):
            yield lambda node, step=step: setattr(node, "value", node.value + step)
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        more = node.value[:1] or (" " if isinstance(node.value, str) else b" ")
        yield lambda node: setattr(node, "value", node.value + more)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        lines = node.value.splitlines()  # a text of several lines, with one of them left out
        for place in (place for place, line in enumerate(lines) if line and len(lines) > 1):
            text = "\n".join([*lines[:place], *lines[place + 1 :]])
            yield lambda node, text=text: setattr(node, "value", text)
    if isinstance(node, ast.List | ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) > 1:
        for place in range(len(node.elts)):
            yield lambda node, place=place: node.elts.pop(place)
        yield lambda node: node.elts.reverse()
    if isinstance(node, ast.Call) and len(node.args) > 1:
        yield lambda node: node.args.reverse()
    if isinstance(node, ast.Call) and node.keywords:
        yield lambda node: node.keywords.clear()
    for field in ("body", "orelse"):
        lines = getattr(node, field, None)
        if isinstance(lines, list):
            for place in range(len(lines)):
                yield lambda node, field=field, place=place: getattr(node, field).__setitem__(
                    place, ast.Pass()
                )
    if isinstance(node, ast.For | ast.While):  # a return that has slipped into the loop
        for last in (node.body[-1:], []):
            yield (
                lambda node, last=last: (
                    node.body.append(ast.Break()) if last else setattr(node, "body", [ast.Break()])
                )
            )


def mutants(source):
    """(what is changed, source) for every small change to a function."""
    tree = ast.parse(source)
    seen = {ast.unparse(tree)}
    for place, node in enumerate(ast.walk(tree)):
        for change in changes(node):
            mutant = copy.deepcopy(tree)
            change(list(ast.walk(mutant))[place])
            text = ast.unparse(ast.fix_missing_locations(mutant))
            if text not in seen and text.startswith("def "):
                seen.add(text)
                yield text


def behaviour(exercise, function, arguments):
    """What a function does with some arguments, as far as anybody can see, and what becomes of the arguments."""
    arguments = copy.deepcopy(arguments)
    try:
        with limited(3000), contextlib.redirect_stdout(io.StringIO()):
            answer = function(*arguments)
            value = None if answer is None else exercise.read(answer)
    except (Exception, Endless) as error:
        value = type(error).__name__
    kept = [arg for name, arg in zip(exercise.parameters, arguments, strict=True) if name in exercise.keeps]
    return [value, exercise.notes(arguments), plain(kept)]


def test_there_are_many_small_changes():
    counts = {name: len(list(mutants(solution(name)))) for name in NAMES}
    assert all(count >= 6 for count in counts.values()), counts
    assert sum(counts.values()) >= 120, counts


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # changed arithmetic divides by 0
@pytest.mark.parametrize("name", NAMES)
def test_every_change_of_the_solution_that_matters_is_rejected(name, capsys):
    """A change matters if one of many random inputs, none of them the check's own, tells it from the solution."""
    exercise, rng = EXERCISES[name], random.Random(0)
    right = made(solution(name), name)
    inputs = [INPUTS[name](rng) for _ in range(150)]
    expected = [behaviour(exercise, right, one) for one in inputs]
    passed, same, rejected = [], [], 0
    for source in mutants(solution(name)):
        mutant = made(source, name)
        verdict = exercise(mutant)
        if not verdict.passed:
            rejected += 1
        elif all(
            close(behaviour(exercise, mutant, one), wanted)
            for one, wanted in zip(inputs, expected, strict=True)
        ):
            same.append(source)
        else:
            passed.append(source)
    assert passed == [], f"{len(passed)} changed answers pass, the first:\n{passed[0]}"
    assert rejected >= 6
    assert len(same) <= 6, "\n\n".join(same)
