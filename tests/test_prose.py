"""Numbers in the text of a notebook are those that its cells print: a wrong sentence is a bug.

A number in a text cell, with two digits or more or in percent, must stand in the code or in an output of the same
notebook. `KNOWN` holds the few that come from elsewhere.
"""

import json
import math
import re
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
# Numbers that no cell prints: years, minutes, names of notebooks, and facts with a source beside them.
KNOWN = {
    "00_start_here": {"35": "minutes", "135": "SmolLM2's size, in millions", "1948": "Shannon's paper",
                      "50": "an order that nobody counts", "100": "a suggestion", "2502.02737": "arXiv", "19 %": "tested below",
                      "36 %": "tested below", "0.75": "0.5 and 0.25, in a hint"},
    "01_tokenization": {"45": "minutes", "1994": "Gage's article", "500": "a text somebody asks for",
                        "255": "the largest byte",
                        "21": "tested below"},
    "02_embeddings": {"1957": "Firth's book", "2013": "word2vec", "1,024": "other models' sizes, named by the course",
                      "2012": "a year on the wine list", "6333": "Qdrant's port", "200": "a suggestion"},
    "03_positional_encoding": {"500": "any far place", "3.5": "a section of a paper", "50": "5 places of 10 degrees", "15": "minutes"},
    "04_attention": {"75": "minutes", "54.6": "tested below", "7.4": "tested below", "63": "tested below", "60": "tested below"},
    "05_transformer": {"75": "minutes", "96": "GPT-3's layers, Brown et al. 2020", "2020": "a year of an essay", "2.1": "a table in a paper",
                       "0.00001": "the norm's epsilon", "1.4": "7 times 0.2, in a hint", "1,000,000": "a suggestion"},
    "06_training": {"90": "minutes", "900": "a logit, in an exercise", "0.05": "a suggestion", "0.02": "a suggestion"},
    "07_sampling": {"75": "minutes", "2.7": "e", "7.4": "e squared", "0.001": "a temperature, in an exercise", "54.6": "e to the power of 4",
                    "88 %": "54.6 of 54.6 and 7.4", "3.14": "a number with a dot in it", "15": "minutes", "0.7": "a temperature, in a hint"},
    "08_fine_tuning": {"80": "minutes", "10": "minutes", "15": "minutes", "-100": "torch's number for a target that does not count", "1,000": "a margin, in an exercise", "11": "in a hint",
                       "1.5": "in a hint", "2023": "a year", "40": "words, and steps", "22 %": "tests/test_preferences.py asserts it", "60": "examples that sums.BY_HEART reads", "19": "a number to add", "20": "a number to add"},
    "09_translation": {"2018": "BERT's paper", "15": "in a hundred, and minutes", "1,000": "a score, in an exercise", "0.05": "0.5 times 0.1", "0.69": "ln 2, in a hint", "200": "a suggestion"},
    "10_beyond_text": {"75": "minutes", "1998": "a year", "19": "of 20: what 95 % means", "3.75": "15 / 4, in a hint", "0.36": "0.6 squared", "2020": "a year", "0.467": "tests/exercises has it", "2017": "a year"},
}  # fmt: skip
NUMBER = re.compile(r"(?<![\w.])\d[\d,.]*\d(?:\s%)?|(?<![\w.])\d\s%")


def numbers(text):
    return [
        found.group()
        for found in NUMBER.finditer(
            re.sub(r"\[[^\]]*, (?:19|20)\d\d\]\([^)]*\)|\]\([^)]*\)|<[^>]+>", " ", text)
        )
    ]


def unprinted(notebook, known):
    """(number, the words around it) for every number in the prose that no cell shows."""
    shown, prose = [], []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            prose.append(re.sub(r"[Nn]otebooks? (\d\d)( and \d\d)?|\b\d\d ·", " ", source))
            continue
        shown.append(source)
        for output in cell["outputs"]:
            data = output.get("data", {})
            shown += ["".join(output.get("text", "")), "".join(data.get("text/plain", ""))]
    seen = set(re.findall(r"\d[\d,.]*\d(?:\s%)?|\d\s%|\d", " ".join(shown)))
    seen |= {number.replace(",", "").replace("_", "") for number in seen}
    return [
        (number, text[max(0, text.find(number) - 30) :][:70])
        for text in prose
        for number in numbers(text)
        if number not in seen and number.replace(",", "") not in seen and number not in known
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_numbers_in_prose_are_printed_by_a_cell(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert unprinted(notebook, KNOWN.get(path.stem, {})) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_known_numbers_are_still_in_the_text(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    # In the prose: somewhere in the file, among the pixels of the pictures, stands any short number.
    prose = " ".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    missing = [
        number
        for number in KNOWN.get(path.stem, {})
        if not re.search(rf"(?<!\d){re.escape(number)}(?!\d)", prose)
    ]
    assert missing == []


def test_a_number_that_drifts_is_seen():
    def cell(kind, source, outputs=()):
        return {"cell_type": kind, "source": source, "outputs": list(outputs)}

    printed = {"output_type": "stream", "name": "stdout", "text": "share 77 %, 49,152 tokens"}
    good = {
        "cells": [
            cell("code", "show()", [printed]),
            cell("markdown", "It has 77 % of 49,152. See notebook 05."),
        ]
    }
    assert unprinted(good, {}) == []
    bad = {"cells": [cell("code", "show()", [printed]), cell("markdown", "It has 78 % of 49,153.")]}
    assert [number for number, _ in unprinted(bad, {})] == ["78 %", "49,153"]


def test_what_is_said_of_twenty_rolls():
    """00: exactly 14 times sky in 19 % of all tries of 20 rolls, no banana in 36 %."""
    assert round(100 * math.comb(20, 14) * 0.7**14 * 0.3**6) == 19
    assert round(100 * 0.95**20) == 36


def test_what_is_said_of_bytes_and_vocabularies():
    """01: SmolLM2 lacks 21 of the 256 bytes; Llama 3's ids begin as GPT-4's; Qwen 3 holds nearly all of GPT-4's tokens."""
    from helpers.tokenization import load_tokenizer

    smollm2, gpt4, llama3, qwen3 = map(load_tokenizer, ("smollm2", "cl100k_base", "llama3", "qwen3"))
    single = {smollm2.token_bytes(i) for i in range(smollm2.vocab_size)}
    assert sum(bytes([byte]) not in single for byte in range(256)) == 21
    first = [gpt4.token_bytes(i) for i in range(100_000)]
    assert first == [llama3.token_bytes(i) for i in range(100_000)]
    theirs = {qwen3.token_bytes(i) for i in range(151_643)}
    assert sum(token in theirs for token in first) > 98_000


def test_what_is_said_of_the_blue_goose():
    """00: an n-gram of order 2 has something to say after "blue goose", one of order 3 and more has not."""
    from helpers import ngrams, tinytown

    counts = ngrams.NGram(5).count(tinytown.stories("train", 1000))
    silent = [
        not counts.shorter(order).counts(["once", "there", "was", "a", "blue", "goose"])
        for order in range(1, 6)
    ]
    assert silent == [False, False, True, True, True]


def test_what_is_said_of_the_softmax_and_the_sentences():
    """04: e to the power of 4 and of 2, the sum with e to the power of 0, and how many sentences there are."""
    from helpers.senses import SENSES

    assert (round(math.exp(4), 1), round(math.exp(2), 1)) == (54.6, 7.4)
    assert round(math.exp(4) + math.exp(2) + 1) == 63
    assert sum(len(sense.sentences) for sense in SENSES) == 60
    assert {(len(sense.clue_before), len(sense.clue_after)) for sense in SENSES} == {(10, 5)}


def words_a_line(notebook):
    """Words of prose for each line of code; folded hints, answers and solutions are not counted."""
    text = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    text = re.sub(r"<details>.*?</details>|```.*?```|\]\([^)]*\)|<[^>]*>", " ", text, flags=re.S)
    code = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    lines = [line for source in code for line in "".join(source).splitlines() if line.strip()]
    return len(re.findall(r"[^\W_]+(?:['’.,-][^\W_]+)*", text)) / len(lines)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_prose_leads(path):
    assert 5 <= words_a_line(json.loads(path.read_text(encoding="utf-8"))) <= 20
