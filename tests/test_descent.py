"""Gradient descent on landscapes: against torch's optimizer, against autograd, and against what is known of bowls."""

import math

import numpy as np
import pytest
import torch

from helpers.descent import FLAT, LANDSCAPES, descend

BOWL, VALLEY, DENTS, SUM = LANDSCAPES.values()
PLACES = [(0.3, -0.7), (-1.6, 0.9), (1.9, 1.3), (-0.2, 0.1)]


def torch_loss(name, x, y):
    return {
        "bowl": lambda: (x**2 + y**2) / 2,
        "narrow valley": lambda: (x**2 + 16 * y**2) / 2,
        "two dents": lambda: (x**2 - 1) ** 2 / 4 + 0.15 * x + 0.16 + y**2 / 2,
        "two and two": lambda: torch.nn.functional.cross_entropy(
            torch.stack([0.2 * (x + x), y * (x + x), 0.4 * (x + x)]), torch.tensor(1)
        ),
    }[name]()


@pytest.mark.parametrize("name", LANDSCAPES)
@pytest.mark.parametrize("place", PLACES)
def test_heights_and_slopes_are_those_of_autograd(name, place):
    x, y = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in place)
    loss = torch_loss(name, x, y)
    loss.backward()
    assert math.isclose(LANDSCAPES[name].loss(*place), loss.item(), rel_tol=1e-9)
    np.testing.assert_allclose(LANDSCAPES[name].gradient(*place), [x.grad.item(), y.grad.item()], atol=1e-12)


@pytest.mark.parametrize("name", LANDSCAPES)
@pytest.mark.parametrize(("rate", "momentum"), [(0.03, 0.0), (0.05, 0.9), (0.11, 0.5)])
def test_the_way_is_that_of_torchs_sgd(name, rate, momentum):
    place = torch.tensor(LANDSCAPES[name].start, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([place], lr=rate, momentum=momentum)
    expected = [place.detach().clone()]
    for _ in range(25):
        optimizer.zero_grad()
        torch_loss(name, *place).backward()
        optimizer.step()
        expected.append(place.detach().clone())
    way = descend(LANDSCAPES[name], rate, momentum, steps=25)
    np.testing.assert_allclose(way.path, torch.stack(expected), atol=1e-10)
    assert len(way.losses) == len(way.slopes) == 26
    np.testing.assert_allclose(way.losses, [LANDSCAPES[name].loss(*place) for place in way.path])
    np.testing.assert_allclose(
        way.slopes, [np.hypot(*LANDSCAPES[name].gradient(*place)) for place in way.path]
    )


@pytest.mark.parametrize(("landscape", "limit"), [(BOWL, 2.0), (VALLEY, 2 / 16)])
def test_the_limit_is_two_over_the_curvature(landscape, limit):
    below, above = (descend(landscape, limit * share, steps=400) for share in (0.98, 1.02))
    assert below.losses[-1] < 0.01 * below.losses[0]
    assert above.losses[-1] > 10 * above.losses[0]
    assert not below.diverged
    assert descend(landscape, 1.3 * limit, steps=400).diverged


def test_who_diverges_is_followed_until_far_away():
    way = descend(BOWL, 3.0, steps=1000)
    assert way.diverged
    assert way.arrived is None
    assert np.abs(way.path[-1]).max() > 1e4 >= np.abs(way.path[-2]).max()
    assert len(way.path) == len(way.losses) == len(way.slopes) < 30


def test_momentum_helps_along_the_valley():
    plain, rolling = descend(VALLEY, 0.06, steps=300), descend(VALLEY, 0.06, 0.6, steps=300)
    assert rolling.arrived < 0.7 * plain.arrived
    assert plain.slopes[plain.arrived] < FLAT <= plain.slopes[plain.arrived - 1]


def test_where_it_is_flat():
    for landscape in (BOWL, VALLEY, DENTS):
        for place in landscape.lowest:
            assert np.hypot(*landscape.gradient(*place)) < 2e-3
            assert landscape.loss(*place) < landscape.loss(place[0] + 0.2, place[1])
            assert landscape.loss(*place) < landscape.loss(place[0] - 0.2, place[1] + 0.2)
    left, right = DENTS.lowest
    assert 0 <= DENTS.loss(*left) < DENTS.loss(*right)


def test_it_ends_in_the_nearer_dent_unless_it_rolls_on():
    near, far = descend(DENTS, 0.1, steps=300).path[-1], descend(DENTS, 0.1, 0.9, steps=300).path[-1]
    np.testing.assert_allclose(near, DENTS.lowest[1], atol=0.01)
    np.testing.assert_allclose(far, DENTS.lowest[0], atol=0.01)


def test_the_sum_is_learned_and_has_no_bottom():
    way = descend(SUM, 0.5, steps=2000)
    assert way.losses[-1] < 0.001
    assert (np.diff(way.losses) < 0).all()
    assert SUM.lowest == ()


def test_starts_and_none_at_all():
    assert descend(BOWL, 0.1, steps=0).path.tolist() == [list(BOWL.start)]
    assert descend(BOWL, 0.1, steps=3, start=(0.0, 0.0)).arrived == 0
    for landscape in LANDSCAPES.values():
        for place, (low, high) in zip(landscape.start, (landscape.x_range, landscape.y_range), strict=True):
            assert low < place < high


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"learning_rate": 0}, "learning_rate must be above 0"),
        ({"learning_rate": -0.1}, "learning_rate must be above 0"),
        ({"learning_rate": math.nan}, "learning_rate must be above 0"),
        ({"learning_rate": math.inf}, "learning_rate must be above 0 and finite"),
        ({"learning_rate": 0.1, "momentum": 1.0}, "momentum must be from 0 up to 1"),
        ({"learning_rate": 0.1, "momentum": -0.1}, "momentum must be from 0 up to 1"),
        ({"learning_rate": 0.1, "momentum": math.nan}, "momentum must be from 0 up to 1"),
        ({"learning_rate": 0.1, "steps": -1}, "steps must be a whole number from 0 to 10,000"),
        ({"learning_rate": 0.1, "steps": 1.5}, "steps must be a whole number"),
        ({"learning_rate": 0.1, "steps": 10_001}, "steps must be a whole number"),
        ({"learning_rate": 0.1, "steps": True}, "steps must be a whole number"),
    ],
)
def test_bad_settings(settings, rule):
    with pytest.raises(ValueError, match=rule):
        descend(BOWL, **settings)
