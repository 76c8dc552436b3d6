"""The glossary: it has every term that a notebook puts in bold, in order, and every link in it leads somewhere."""

import json
import re

import pytest
from execute import NOTEBOOKS

GLOSSARY = (
    NOTEBOOKS / "glossary.md"
)  # JupyterLab renders a .md that a link leads to, and goes to its anchor at once
FILES = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
# Bold words that are no terms: the steps of the course, and words that are only stressed.
STRESSED = {
    "predict",
    "run",
    "explain",
    "next",
    "back",
    "append",
    "sea",
    "correct",
    "controls",
    "a learned table",
}
OTHER_FORMS = {"bpe": "byte-pair encoding", "trained": "training", "neural": "neural network", "statistical": "statistical model",
               "vocabularies": "vocabulary", "probabilities": "probability", "dice": "weighted dice",
               "dense": "dense vector", "cosine": "cosine similarity", "sinusoidal": "sinusoidal encoding", "sinusoid": "sinusoidal encoding",
               "rotary": "rotary encoding", "greedy": "greedy decoding", "memorised": "memorisation", "merged": "merging",
               "reference": "reference model"}  # fmt: skip


def prose(path):
    """The texts of a notebook's cells, or the glossary's introduction and entries."""
    if path.suffix == ".md":
        return re.split(r"\n\n(?=### )", path.read_text(encoding="utf-8").strip())
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]


def terms():
    return [match for source in prose(GLOSSARY) for match in re.findall(r"^### (.+)$", source, re.M)]


def anchors(path):
    """What JupyterLab lets a link lead to: the headings, with dashes for spaces."""
    headings = [heading for source in prose(path) for heading in re.findall(r"^#+ (.+)$", source, re.M)]
    return {re.sub(r"[*`]", "", heading).strip().replace(" ", "-") for heading in headings}


def bold(source):
    source = re.sub(r"```.*?```|`[^`\n]*`", "", source, flags=re.S)
    return re.findall(r"\*\*([^*\n]{1,30})\*\*", source)


def looked_up(term):
    """The entry under which a term stands, in whatever form it was written; None if there is none."""
    term = term.strip(" .:,").lower()
    entries = {entry.lower(): entry for entry in terms()}
    forms = [
        term,
        OTHER_FORMS.get(term, ""),
        term.removesuffix("s"),
        OTHER_FORMS.get(term.removesuffix("s"), ""),
    ]
    return next((entries[form] for form in forms if form in entries), None)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_bold_term_is_in_the_glossary(path):
    missing = {
        term
        for source in prose(path)
        for term in bold(source)
        if term.strip(" .:,").lower() not in STRESSED and not looked_up(term)
    }
    assert missing == set()


def test_terms_stand_in_order_with_one_or_two_sentences_each():
    assert terms() == sorted(terms(), key=str.lower)
    assert len(set(terms())) == len(terms()) >= 25
    for source in prose(GLOSSARY)[1:]:
        heading, text, met = source.split("\n\n")
        assert heading.startswith("### ")
        assert 1 <= len(re.findall(r"[.?!](?=\s|$)", text.replace("See ", ""))) <= 4, text
        assert met.startswith("*Met in [notebook ")


@pytest.mark.parametrize("path", [GLOSSARY, *FILES], ids=lambda path: path.stem)
def test_every_link_to_a_place_in_a_notebook_leads_there(path):
    for source in prose(path):
        for file, anchor in re.findall(r"\]\(([\w.]*?\.(?:ipynb|md))?#([^)]+)\)", source):
            target = NOTEBOOKS / file if file else path
            assert target.exists(), target
            assert anchor in anchors(target), f"{path.name}: {file}#{anchor}"


def test_a_term_and_a_link_that_are_missing_are_found():
    assert looked_up("Tokens.") == "token"
    assert looked_up("BPE") == "byte-pair encoding"
    assert looked_up("flux compensator") is None
    assert "byte-pair-encoding" in anchors(GLOSSARY)
    assert "flux" not in anchors(GLOSSARY)
