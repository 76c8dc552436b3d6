"""The wine list and its questions keep what they promise; that the answers are right, a reader has to judge."""

import dataclasses

import pytest

from helpers.search import keyword_search, words_of
from helpers.wines import QUESTIONS, WINES, Question, Wine

NAMES = [wine.name for wine in WINES]
BY_NAME = dict(zip(NAMES, WINES, strict=True))


def test_sixty_wines_and_twenty_questions():
    assert len(WINES) == len(set(NAMES)) == len({wine.text for wine in WINES}) == 60
    assert len(QUESTIONS) == len({question.text for question in QUESTIONS}) == 20


@pytest.mark.parametrize("wine", WINES, ids=lambda wine: wine.name)
def test_a_line_of_the_list(wine):
    assert wine.colour in ("red", "white", "pink")
    assert 5 <= wine.price <= 60
    assert wine.country.istitle()
    assert wine.text.endswith(".")
    assert 5 <= len(wine.text.split()) <= 22
    assert wine.document == f"{wine.name}. {wine.text}"
    assert wine.name[:4] != "20"
    assert wine.name == wine.name.strip()


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.text)
def test_a_question_and_its_answers(question):
    assert len(question.right) == len(set(question.right)) >= 3
    assert set(question.right) <= set(NAMES)
    assert question.kind in ("meaning", "word", "not")


def test_the_question_that_keyword_search_cannot_answer():
    """By hand: no text has either word, and a right answer is "good with fish"."""
    assert not any({"wine", "seafood"} & set(words_of(wine.document)) for wine in WINES)
    question = QUESTIONS[0]
    assert question.text == "wine for seafood"
    assert "good with fish" in BY_NAME[question.right[0]].text.lower()
    assert keyword_search(question.text, [wine.document for wine in WINES], k=60) == []


def test_kinds_differ_in_the_words_they_share():
    """A question by word shares one with each of its answers; one by meaning with fewer than half of them."""
    for kind, least, most in (("word", 1.0, 1.0), ("meaning", 0.0, 0.5)):
        pairs = [
            bool(set(words_of(question.text)) & set(words_of(BY_NAME[name].document)))
            for question in QUESTIONS
            for name in question.right
            if question.kind == kind
        ]
        assert least <= sum(pairs) / len(pairs) <= most


def test_names_grapes_and_years_have_all_their_wines():
    for asked in ("Riesling", "2012", "Tumbledown Owl", "Tempranillo"):
        right = next(question.right for question in QUESTIONS if question.text == asked)
        assert set(right) == {name for name in NAMES if asked in name}


def test_every_filter_of_the_notebook_leaves_something_to_find():
    assert {wine.colour for wine in WINES} == {"red", "white", "pink"}
    white_and_cheap = [wine for wine in WINES if wine.colour == "white" and wine.price <= 15]
    assert 5 < len(white_and_cheap) < 40
    assert any(wine.price == 15 for wine in white_and_cheap)  # "at most" includes the limit
    fish = [BY_NAME[name] for name in QUESTIONS[0].right]
    assert {wine.colour for wine in fish} == {"red", "white", "pink"}


def test_the_list_cannot_be_changed_by_accident():
    with pytest.raises(dataclasses.FrozenInstanceError):
        WINES[0].price = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        QUESTIONS[0].text = ""
    assert isinstance(WINES[0], Wine)
    assert isinstance(QUESTIONS[0], Question)
