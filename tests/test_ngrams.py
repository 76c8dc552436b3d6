"""n-grams against counts made by hand, and against the entropy of Tinytown."""

import math

import pytest

from helpers import tinytown
from helpers.ngrams import NGram

TEXTS = [["a", "b"], ["a", "c"], ["a", "b"]]


def test_counts_by_hand():
    model = NGram(order=2).count(TEXTS)
    assert model.counts(["a"]) == {"b": 2, "c": 1}
    assert list(NGram(1).count([["c", "b", "a", "b"]]).counts([])) == [
        "b",
        "c",
        "a",
        "<end>",
    ]  # most frequent first
    assert model.counts([]) == {"a": 3}  # what begins a text
    assert model.counts(["x", "c"]) == {"<end>": 1}
    assert model.counts(["x"]) == {}
    assert model.distribution(["a"]) == {"b": 2 / 3, "c": 1 / 3}


def test_witten_bell_by_hand():
    """After a: seen 3 times with 2 followers. P(b | a) = (2 + 2 * P(b)) / (3 + 2)."""
    model = NGram(order=2).count(TEXTS)
    # Alone: 9 tokens of 4 kinds (a, b, c, <end>), and 1/4 for each from below.
    p_b = (2 + 4 * 0.25) / (9 + 4)
    assert model.probability("b", ["a"]) == pytest.approx((2 + 2 * p_b) / 5)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_add_up_to_one(order):
    model = NGram(order).count(tinytown.stories("train", 300))
    for prefix in ([], ["once"], ["the", "blue"], ["never", "seen"]):
        assert sum(model.probability(word, prefix) for word in model.vocabulary) == pytest.approx(1)


def test_an_order_looks_back_as_far_as_it_says():
    texts = [["a", "x", "b"], ["c", "x", "d"]]
    assert NGram(2).count(texts).counts(["a", "x"]) == {"b": 1, "d": 1}
    assert NGram(3).count(texts).counts(["a", "x"]) == {"b": 1}


def test_more_context_helps_until_counts_run_out():
    train, test = tinytown.stories("train", 3000), tinytown.stories("test", 300)
    losses = [NGram(order).count(train).loss(test) for order in (1, 2, 3)]
    assert losses[0] > losses[1] > losses[2] > tinytown.entropy_per_token()
    short, long = (NGram(order).count(train).coverage(test) for order in (2, 8))
    assert short > 0.99 > long


def test_a_shorter_order_is_as_if_counted_alone():
    train, test = tinytown.stories("train", 200), tinytown.stories("test", 20)
    longest = NGram(5).count(train)
    for order in range(1, 6):
        alone = NGram(order).count(train)
        assert longest.shorter(order).loss(test) == pytest.approx(alone.loss(test))
        assert longest.shorter(order).coverage(test) == alone.coverage(test)
    with pytest.raises(ValueError, match="order must be from 1 to 5, the order that was counted, got 6"):
        longest.shorter(6)


def test_loss_by_hand():
    model = NGram(order=1).count([["a"]])
    # Two kinds, a and <end>, each seen once: (1 + 2 * 1/2) / (2 + 2) = 1/2.
    assert model.loss([["a"]]) == pytest.approx(math.log(2))


def test_the_end_is_counted():
    """By hand: after c comes only <end>. P(<end> | c) = (1 + 1 * P(<end>)) / (1 + 1)."""
    model = NGram(order=2).count(TEXTS)
    p_a, p_end = (3 + 4 * 0.25) / (9 + 4), (3 + 4 * 0.25) / (9 + 4)
    steps = [(3 + 1 * p_a) / (3 + 1), (1 + 2 * (1 + 4 * 0.25) / 13) / (3 + 2), (1 + 1 * p_end) / (1 + 1)]
    assert model.loss([["a", "c"]]) == pytest.approx(-sum(map(math.log, steps)) / 3)
    # Contexts of "x": the start, which was seen, and x, which was not. Of "a": the start and a.
    assert model.coverage([["x"]]) == 0.5
    assert model.coverage([["a"], ["x"]]) == 0.75


def test_a_text_may_be_given_as_one_string():
    apart, whole = NGram(3).count([["the", "blue", "sky"]]), NGram(3).count(["the blue sky"])
    assert whole.counts("the blue") == apart.counts(["the", "blue"]) == {"sky": 1}
    assert whole.probability("sky", "the blue") == apart.probability("sky", ["the", "blue"])
    assert whole.loss(["the blue sea"]) == apart.loss([["the", "blue", "sea"]])
    assert whole.coverage(["the blue sea"]) == apart.coverage([["the", "blue", "sea"]])


def test_bad_input():
    for order in (0, 1.5, float("nan")):
        with pytest.raises(ValueError, match=f"order must be a whole number from 1, got {order}"):
            NGram(order)
    with pytest.raises(ValueError, match="loss needs at least one text"):
        NGram(1).loss([])
    with pytest.raises(ValueError, match="coverage needs at least one text"):
        NGram(1).coverage([])
    with pytest.raises(ValueError, match="probability needs counts, got none"):
        NGram(1).loss([["a"]])
    with pytest.raises(ValueError, match=r"got the one text 'the sky'; write \[text\]"):
        NGram(1).count("the sky")
