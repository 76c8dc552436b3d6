"""The exercises as they stand in the notebooks: stub, check and solution of each, read from the notebook itself.

The solution passes its own check and the stub does not. Wrong answers that people give are rejected, each with
a sentence of its own; right answers that look unusual pass. And the solution is changed in every small way there is
(`<` to `<=`, `+` to `-`, 1 to 2, a line left out ...): whatever then behaves in another way must be rejected.
"""

import ast
import contextlib
import copy
import io
import json
import random
import re
from typing import NamedTuple

import pytest
from execute import NOTEBOOKS

from helpers import checks, tokenization
from helpers.checks import EXERCISES, Endless, limited

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
NAMES = list(EXERCISES)


def solution(name):
    return SOLUTION.search(WRITTEN[name].folded)[1]


def made(source, name):
    """The function that some source defines, in a namespace like that of the notebook."""
    space = {"tokenization": tokenization}
    exec(source, space)
    return space[name]


# ---- the notebook ------------------------------------------------------------------------------------


def test_notebooks_and_checks_have_the_same_exercises():
    assert set(WRITTEN) == set(EXERCISES)


@pytest.mark.parametrize("name", NAMES)
def test_heading_says_what_the_registry_says(name):
    exercise = EXERCISES[name]
    planned = (exercise.notebook, exercise.number, exercise.minutes, exercise.difficulty)
    assert WRITTEN[name][:4] == planned


@pytest.mark.parametrize("stem", sorted({exercise.notebook for exercise in EXERCISES.values()}))
def test_at_least_three_from_easy_to_harder(stem):
    here = sorted((one.number, one.difficulty) for one in WRITTEN.values() if one.notebook == stem)
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
    space = {"checks": checks, "tokenization": tokenization}
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
    import doctest

    docstring = ast.get_docstring(ast.parse(WRITTEN[name].cell).body[0])
    test = doctest.DocTestParser().get_doctest(docstring, {name: made(solution(name), name)}, name, None, 0)
    assert test.examples
    runner, said = doctest.DocTestRunner(verbose=False), io.StringIO()
    runner.run(test, out=said.write)
    assert not runner.failures, said.getvalue()


# ---- right, but unusual --------------------------------------------------------------------------------

UNUSUAL = {
    "roll": [
        """
import numpy as np
def roll(odds, number):
    edges = np.cumsum(list(odds.values()))
    return np.array(list(odds))[np.searchsorted(edges, number, side="right")]  # a NumPy text
""",
        """
def roll(odds, number):
    while True:  # in place: the dice are used up
        face = next(iter(odds))
        number -= odds.pop(face)
        if number < 0:
            return face
""",
        """
from itertools import accumulate
def roll(odds, number, *, verbose=True):
    print("rolled", number)
    return next(face for face, edge in zip(odds, accumulate(odds.values())) if number < edge)
""",
    ],
    "bigram_odds": [
        """
from collections import Counter, defaultdict
from fractions import Fraction
def bigram_odds(stories):
    counts = defaultdict(Counter)
    for story in stories:
        for i, word in enumerate(story):
            counts[word][story[i + 1] if i + 1 < len(story) else "<end>"] += 1
    for die in counts.values():
        total = sum(die.values())
        for word in die:
            die[word] = Fraction(die[word], total)
    return counts
""",
        """
import numpy as np
def bigram_odds(stories):
    pairs = [pair for story in stories for pair in zip(["<start>", *story], [*story, "<end>"])]
    words = {word for pair in pairs for word in pair}
    odds = {}
    for word in words:  # every word for every word, most of them with 0
        row = np.array([pairs.count((word, other)) for other in words], dtype=np.float32)
        odds[word] = dict(zip(words, row / max(row.sum(), 1)))
    return odds
""",
    ],
    "write": [
        """
def write(next_word, start, limit):
    words = tuple(start)
    while "<end>" not in words and len(words) < limit:
        words += (next_word(list(words)),)
    return words
""",
        """
def write(next_word, start, limit):
    words = []
    for word in start:
        words.append(word)
        yield word
    while words[-1] != "<end>" and len(words) < limit:
        words.append(next_word(words))
        yield words[-1]
""",
        """
def write(next_word, start, limit):
    if start[-1] == "<end>" or len(start) >= limit:
        return start
    return write(next_word, start + [next_word(start)], limit)
""",
    ],
    "count_pairs": [
        """
from collections import Counter
def count_pairs(ids):
    return Counter(zip(ids, ids[1:]))
""",
        """
import numpy as np
def count_pairs(ids):
    pairs, counts = np.unique(np.array([ids[:-1], ids[1:]], dtype=np.int64), axis=1, return_counts=True)
    return {tuple(pair): count for pair, count in zip(pairs.T, counts)}  # NumPy's numbers in keys and counts
""",
        """
from collections import defaultdict
def count_pairs(ids):
    counts = defaultdict(int)
    while len(ids) > 1:  # in place, from the back
        right = ids.pop()
        counts[ids[-1], right] += 1
    return counts
""",
    ],
    "merge": [
        """
def merge(ids, pair, new_id):
    i = 0
    while i < len(ids):
        if (ids[i], *ids[i + 1 : i + 2]) == pair:
            yield new_id
            i += 1
        else:
            yield ids[i]
        i += 1
""",
        """
import numpy as np
def merge(ids, pair, new_id):
    out = []
    for one in ids:
        if out and out[-1] == pair[0] and one == pair[1] and out[-1] != new_id:
            out[-1] = new_id
        else:
            out.append(one)
    return np.array(out, dtype=np.uint32)
""",
        """
def merge(ids, pair, new_id):
    ids = list(ids)
    for i in range(len(ids) - 1):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            ids[i : i + 2] = [new_id]
    return tuple(ids)
""",
    ],
    "encode": [
        """
def encode(text, merges):
    ids, ranks = list(bytes(text, "utf-8")), dict(merges)
    while known := set(zip(ids, ids[1:])) & ranks.keys():
        first = min(known, key=ranks.get)
        ids = tokenization.merge(ids, first, ranks[first])
    return tuple(ids)
""",
        """
import numpy as np
def encode(text, merges):
    ids = np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int32).tolist()
    for (left, right), new_id in merges:
        i = 0
        while i + 1 < len(ids):
            if ids[i] == left and ids[i + 1] == right:
                ids[i : i + 2] = [new_id]
            i += 1
    return np.array(ids)
""",
    ],
    "decode": [
        """
def decode(ids, merges):
    parts = {new_id: pair for pair, new_id in merges}
    def data(i):
        return data(parts[i][0]) + data(parts[i][1]) if i in parts else bytes([i])
    return str(b"".join(map(data, ids)), "utf-8", "replace")
""",
        """
def decode(ids, merges):
    for pair, new_id in reversed(merges):
        ids = [one for i in ids for one in (pair if i == new_id else [i])]
    return bytearray(ids).decode(errors="replace")
""",
    ],
}


@pytest.mark.parametrize(("name", "source"), [(name, one) for name in UNUSUAL for one in UNUSUAL[name]])
def test_right_and_unusual_answers_pass(name, source):
    verdict = EXERCISES[name](made(source, name))
    assert verdict.passed, verdict


# ---- wrong, each in its own way ------------------------------------------------------------------------

WRONG = {
    "roll": {
        "return max(odds, key=odds.get)": "the most likely face",
        "return random.choice(list(odds))": "gave two answers",
        "for face in odds:\n  if number < odds[face]: return face": "the sum of all up to that face",
        "total = 0\nfor face in odds:\n  total += odds[face]\n  if number <= total: return face": "`<=` that should be",
        "total = 0\nfor face in odds:\n  if number < total: return face\n  total += odds[face]": "compare first and add",
        "return sorted(odds)[int(number * len(odds))]": "it should be `'sky'`",
        "for i in range(len(odds)):\n  if number < odds[i]: return i": "raised `KeyError: 0`",
    },
    "bigram_odds": {
        "c = {}\nfor s in stories:\n  for a, b in zip(s, s[1:]): c.setdefault(a, {}).setdefault(b, 0); c[a][b] += 1\n"
        "return {a: {b: n / sum(d.values()) for b, n in d.items()} for a, d in c.items()}": "The end is missing",
        "c = {}\nfor s in stories:\n  s = list(s) + ['<end>']\n  for a, b in zip(s, s[1:]):\n"
        "    c.setdefault(a, {})\n    c[a][b] = c[a].get(b, 0) + 1\nreturn c": "These are counts",
        "c = {}\nfor s in stories:\n  s = s if isinstance(s, tuple) else s\n  if isinstance(s, list): s.append('<end>')\n"
        "  else: s = (*s, '<end>')\n  for a, b in zip(s, s[1:]): c.setdefault(a, []).append(b)\n"
        "return {a: {b: d.count(b) / len(d) for b in d} for a, d in c.items()}": "changed `stories`",
        "c = {}\nfor s in stories:\n  for a, b in zip(s, s[1:] + ['<end>']): c.setdefault(a, []).append(b)\n"
        "return {a: {b: d.count(b) / len(d) for b in d} for a, d in c.items()}": "tuples of words",
        "w = [w for s in stories for w in [*s, '<end>']]\nc = {}\nfor a, b in zip(w, w[1:]): c.setdefault(a, []).append(b)\n"
        "return {a: {b: d.count(b) / len(d) for b in d} for a, d in c.items()}": "last word of one story",
        "c = {}\nfor s in stories:\n  for a, b in zip(s, [*s[1:], '<end>']): c[a][b] += 1\nreturn c": "no entry yet",
        "return [(a, b) for s in stories for a, b in zip(s, s[1:])]": "a dict from words to dicts, and this is a list",
    },
    "write": {
        "w = list(start)\nwhile w[-1] != '<end>' and len(w) < limit: w.append(next_word(w[-1:]))\nreturn w": "last word alone",
        "w = list(start)\nwhile w[-1] != '<end>': w.append(next_word(w))\nreturn w": "doesn't stop",
        "w = list(start)\nwhile w[-1] != '<end>' and len(w) <= limit: w.append(next_word(w))\nreturn w": "one word too many",
        "w = start\nwhile w[-1] != '<end>' and len(w) < limit: w.append(next_word(w))\nreturn w": "changed `start`",
        "w = list(start)\nwhile len(w) < limit and next_word(w) != '<end>': w.append(next_word(w))\nreturn w": "roll twice",
        "w = list(start)\nwhile len(w) < limit: w.append(next_word(w))\nreturn w": "go on after `<end>`",
        "w = list(start)\nwhile w[-1] != '<end>' and len(w) < limit: w.append(next_word(w))\nreturn ' '.join(w)": "is a text",
        "w = list(start)\nwhile w[-1] != '<end>' and len(w) < limit: w.append(next_word(w))\nprint(w)": "where it says `print`",
    },
    "count_pairs": {
        "c = {}\nfor i in range(0, len(ids) - 1, 2): c[ids[i], ids[i+1]] = c.get((ids[i], ids[i+1]), 0) + 1\nreturn c": "step over two",
        "c = {}\nfor i in range(len(ids)): c[ids[i], ids[i+1]] = c.get((ids[i], ids[i+1]), 0) + 1\nreturn c": "no right neighbour",
        "c = {}\nfor i in range(len(ids)): c[ids[i-1], ids[i]] = c.get((ids[i-1], ids[i]), 0) + 1\nreturn c": "no ring",
        "c = {}\nfor p in zip(ids, ids[1:]): c[p] += 1\nreturn c": "no count yet",
        "c = {}\nfor p in zip(ids, ids[1:]): c[p] = 1\nreturn c": "counts 1, however often",
        "c = {}\nfor p in zip(ids, ids[1:]): c[p] = c[p] + 1 if p in c else 0\nreturn c": "1 too low",
        "s = ''.join(map(chr, ids))\nreturn {(ord(a), ord(b)): s.count(a + b) for a, b in zip(s, s[1:])}": "miss the overlaps",
        "return [p for p in zip(ids, ids[1:])]": "a dict from pairs to counts, and this is a list",
    },
    "merge": {
        "for i in range(len(ids) - 1):\n  if (ids[i], ids[i+1]) == pair: ids[i:i+2] = [new_id]\nreturn ids": "no right neighbour",
        "i = 0\nwhile i < len(ids) - 1:\n  if (ids[i], ids[i+1]) == pair: ids[i:i+2] = [new_id]\n  i += 1\nreturn ids": "changed `ids`",
        "o = []\nfor i in range(len(ids)):\n  if tuple(ids[i:i+2]) == pair: o.append(new_id)\n  else: o.append(ids[i])\nreturn o": "right one standing",
        "o, i = [], 0\nwhile i < len(ids) - 1:\n  if (ids[i], ids[i+1]) == pair: o.append(new_id); i += 2\n  else: o.append(ids[i]); i += 1\nreturn o": "lose the last id",
        "o, i = [], 0\nwhile i < len(ids):\n  if tuple(ids[i:i+2]) == pair: o.append(new_id); i += 2\nreturn o": "doesn't stop",
        "o, i = [], 0\nwhile i < len(ids):\n  if set(ids[i:i+2]) == set(pair): o.append(new_id); i += 2\n  else: o.append(ids[i]); i += 1\nreturn o": "it should be",
        "o, i = [], 0\nwhile i < len(ids):\n  if ids[i] == pair[0] and ids[i+1] == pair[1]: o.append(new_id); i += 2\n  else: o.append(ids[i]); i += 1\nreturn o": "ask whether there is one",
    },
    "encode": {
        "ids = [ord(c) for c in text]\nfor p, n in merges: ids = tokenization.merge(ids, p, n)\nreturn ids": "each character",
        "ids = list(text.encode())\nfor p, n in merges: tokenization.merge(ids, p, n)\nreturn ids": "merges change nothing",
        "ids = list(text.encode())\nfor p, n in merges:\n  ids = tokenization.merge(ids, p, n)\n  return ids": "gave nothing",
        "ids = list(text.encode())\nfor p, n in reversed(merges): ids = tokenization.merge(ids, p, n)\nreturn ids": "from the last to the first",
        "ids = list(text.encode())\nwhile merges:\n  p, n = merges.pop(0)\n  ids = tokenization.merge(ids, p, n)\nreturn ids": "changed `merges`",
        "ids = list(text.encode())\nfor a, b, n in merges: ids = tokenization.merge(ids, (a, b), n)\nreturn ids": "a pair and its new id",
        "ids = list(text.encode())\nfor p, n in merges: ids = merge(ids, p, n)\nreturn ids": "Has the cell with your `merge`",
    },
    "decode": {
        "v = tokenization.N_BYTES\nreturn ''.join(chr(i) for i in ids)": "look up which bytes",
        "v = {i: bytes([i]) for i in range(256)}\nfor (a, b), n in merges: v[n] = v[a] + v[b]\n"
        "return ''.join(v[i].decode('utf-8', 'replace') for i in ids)": "read each token by itself, and a character that lies across two is lost",
        "v = {i: bytes([i]) for i in range(256)}\nfor (a, b), n in merges: v[n] = v[a] + v[b]\n"
        "return b''.join(v[i] for i in ids).decode()": "A cut character raises",
        "v = {i: bytes([i]) for i in range(256)}\nfor (a, b), n in merges: v[n] = v[b] + v[a]\n"
        "return b''.join(v[i] for i in ids).decode('utf-8', 'replace')": "Left and right are swapped",
        "v = {i: bytes([i]) for i in range(256)}\nfor (a, b), n in merges: v[n] = bytes([a]) + bytes([b])\n"
        "return b''.join(v[i] for i in ids).decode('utf-8', 'replace')": "has to be looked up",
        "v = {i: bytes([i]) for i in range(256)}\nfor (a, b), n in merges: v[n] = v[a] + v[b]\n"
        "return b''.join(v[i] for i in ids)": "these are bytes",
        "v = {i: bytes([i]) for i in range(255)}\nfor (a, b), n in merges: v[n] = v[a] + v[b]\n"
        "return b''.join(v[i] for i in ids).decode('utf-8', 'replace')": "raised `KeyError: 255`",
    },
}  # fmt: skip


def body_of(name, body):
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return f"import random\ndef {name}({', '.join(EXERCISES[name].parameters)}):\n{lines}\n"


@pytest.mark.parametrize("name", NAMES)
def test_wrong_answers_are_rejected_each_with_its_own_sentence(name, capsys):
    said = {}
    for body, part in WRONG[name].items():
        verdict = EXERCISES[name](made(body_of(name, body), name))
        assert verdict.state == "wrong", body
        assert part in verdict.sentence, verdict
        said[body] = verdict.sentence
    assert len(said) >= 3
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
}


def changes(node):
    """Functions that each change one node in place, in one small way."""
    if isinstance(node, ast.Compare):
        for new in COMPARISONS.get(type(node.ops[0]), ()):
            yield lambda node, new=new: setattr(node, "ops", [new()])
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for new in OPERATIONS[type(node.op)]:
            yield lambda node, new=new: setattr(node, "op", new())
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


def rolls(rng):
    faces = rng.sample(["sky", "sea", "fox", "hen", "owl"], rng.randint(1, 5))
    sides = [rng.choice([0, 1, 2, 4]) for _ in faces[1:]]
    sides = [16 - sum(sides), *sides]
    rng.shuffle(sides)
    return {face: side / 16 for face, side in zip(faces, sides, strict=True)}, rng.randrange(32) / 32


def corpora(rng):
    return ([[rng.choice("abc") for _ in range(rng.randint(1, 6))] for _ in range(rng.randint(0, 4))],)


def scripts(rng):
    said = rng.choices(["a", "b", "c", "<end>"], k=rng.randint(1, 8))
    start = [rng.choice(["a", "b", "<end>"]) for _ in range(rng.randint(1, 4))]
    start = start[: start.index("<end>") + 1] if "<end>" in start else start
    return checks.Script(*said), start, rng.randint(1, 9)


def sequences(rng, most=9):
    return [rng.choice([0, 1, 2, 300]) for _ in range(rng.randint(0, most))]


def learned(rng):
    """Some merges as training gives them, on one text, and another text."""
    letters = rng.choice(["abc", "aé", "आप🦊", "ab"])
    text = "".join(rng.choices(letters, k=30))
    merges = [(tuple(pair), new_id) for pair, new_id, _ in tokenization.train_by_recounting(text, 4)]
    return "".join(rng.choices(letters + "é", k=rng.randint(0, 12))), merges


def encoded(rng):
    merges = learned(rng)[1]
    return [
        rng.choice([*range(97, 100), 0, 195, 169, 255, *range(256, 256 + len(merges))]) for _ in range(6)
    ], merges


INPUTS = {
    "roll": rolls,
    "bigram_odds": corpora,
    "write": scripts,
    "count_pairs": lambda rng: (sequences(rng),),
    "merge": lambda rng: (sequences(rng), (rng.choice([0, 1, 300]), rng.choice([0, 2, 300])), 301),
    "encode": learned,
    "decode": encoded,
}  # fmt: skip


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
    return [value, exercise.notes(arguments), kept]


def test_there_are_many_small_changes():
    counts = {name: len(list(mutants(solution(name)))) for name in NAMES}
    assert all(count >= 6 for count in counts.values()), counts
    assert sum(counts.values()) >= 120, counts


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
            checks.close(behaviour(exercise, mutant, one), wanted)
            for one, wanted in zip(inputs, expected, strict=True)
        ):
            same.append(source)
        else:
            passed.append(source)
    assert passed == [], f"{len(passed)} changed answers pass, the first:\n{passed[0]}"
    assert rejected >= 6
    assert len(same) <= 6, "\n\n".join(same)
