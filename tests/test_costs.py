"""Costs: the figures against each other, the formulas against what others published, and what is refused."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import costs
from helpers.costs import (
    FIGURES,
    KINDS,
    LARGEST,
    energy,
    figure,
    gpu_hours,
    money,
    training_operations,
    utilisation,
    years,
)

above_0 = st.floats(1e-6, 1e26)


def value(subject, quantity):
    return figure(subject, quantity).value


def test_every_figure_says_who_stands_for_it():
    for each in FIGURES:
        assert each.kind in KINDS, each
        assert re.search(r"arXiv:\d{4}\.\d{5}|\b20\d\d\b|data sheet|section \d", each.source), each
        assert each.value > 0
        assert math.isfinite(each.value)
    assert len({(each.subject, each.quantity) for each in FIGURES}) == len(FIGURES)


@pytest.mark.parametrize(
    ("subject", "quantity", "expected", "unit", "kind"),
    [
        ("GPT-2", "parameters", 1.5e9, "parameters", "published"),
        ("GPT-2", "text", 40e9, "bytes", "published"),
        ("GPT-3", "parameters", 175e9, "parameters", "published"),
        ("GPT-3", "tokens", 300e9, "tokens", "published"),
        ("GPT-3", "text before filtering", 45e12, "bytes", "published"),
        ("GPT-3", "text", 570e9, "bytes", "published"),
        ("GPT-3", "operations", 3.14e23, "operations", "published"),
        ("GPT-3", "energy", 1287e3, "kWh", "estimated"),
        ("Chinchilla", "parameters", 70e9, "parameters", "published"),
        ("Chinchilla", "tokens", 1.4e12, "tokens", "published"),
        ("Chinchilla", "operations", 5.76e23, "operations", "published"),
        ("GPT-4", "money", 100e6, "US dollars", "reported"),
        ("Llama 3.1 405B", "parameters", 405e9, "parameters", "published"),
        ("Llama 3.1 405B", "tokens", 15.6e12, "tokens", "published"),
        ("Llama 3.1 405B", "operations", 3.8e25, "operations", "published"),
        ("Llama 3.1 405B", "GPU hours", 30.84e6, "hours of an NVIDIA H100", "published"),
        ("DeepSeek-V3", "parameters", 37e9, "parameters", "published"),
        ("DeepSeek-V3", "tokens", 14.8e12, "tokens", "published"),
        ("DeepSeek-V3", "GPU hours", 2.788e6, "hours of an NVIDIA H800", "published"),
        ("DeepSeek-V3", "money", 5.576e6, "US dollars", "estimated"),
        ("SmolLM2-135M", "parameters", 135e6, "parameters", "published"),
        ("SmolLM2-135M", "tokens", 2e12, "tokens", "published"),
        ("NVIDIA V100", "peak", 125e12, "operations a second", "published"),
        ("NVIDIA V100", "power", 330, "watts", "estimated"),
        ("NVIDIA H100", "peak", 989e12, "operations a second", "published"),
        ("NVIDIA H100", "power", 700, "watts", "published"),
    ],
)
def test_a_figure_is_what_its_source_says(subject, quantity, expected, unit, kind):
    found = figure(subject, quantity)
    assert (found.value, found.unit, found.kind) == (expected, unit, kind)
    assert (found.subject, found.quantity) == (subject, quantity)


def test_what_the_table_shares_with_other_modules_is_the_same():
    from helpers.hardware import MACHINES
    from helpers.parameters import PUBLISHED, gpt_parameters

    peaks = {machine.name: machine.operations_per_second for machine in MACHINES}
    assert value("NVIDIA H100", "peak") == pytest.approx(peaks["NVIDIA H100"])
    assert value("SmolLM2-135M", "parameters") == pytest.approx(
        gpt_parameters(PUBLISHED["SmolLM2"].sizes).total, rel=0.01
    )
    assert value("GPT-3", "parameters") == pytest.approx(
        gpt_parameters(PUBLISHED["GPT-3"].sizes).total, rel=0.01
    )


@pytest.mark.parametrize("model", ["GPT-3", "Chinchilla", "Llama 3.1 405B"])
def test_6nd_comes_within_3_percent_of_what_the_makers_count(model):
    ours = training_operations(value(model, "parameters"), value(model, "tokens"))
    assert ours == pytest.approx(value(model, "operations"), rel=0.03)


def test_6nd_is_torchs_own_count():
    """A linear layer with a bias that is not counted: 6 operations for each weight and token."""
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    tokens, inputs, outputs = 7, 11, 13
    x = torch.randn(tokens, inputs, requires_grad=True)
    layer = torch.nn.Linear(inputs, outputs, bias=False)
    with FlopCounterMode(display=False) as counter:
        layer(x).sum().backward()
    assert counter.get_total_flops() == training_operations(inputs * outputs, tokens)


def test_the_published_energy_of_gpt3_follows_from_its_hours():
    """Patterson et al. 2021, table 4: 10,000 V100 for 14.8 days, 330 watts each, in a building with a PUE of 1.10."""
    hours = figure("GPT-3", "GPU hours").value
    assert hours == pytest.approx(3.552e6)
    assert energy(hours, value("NVIDIA V100", "power"), pue=1.10) == pytest.approx(
        value("GPT-3", "energy"), rel=0.005
    )
    # The same table: 24.6 TFLOPS were measured.
    reached = utilisation(value("GPT-3", "operations"), value("NVIDIA V100", "peak"), hours)
    assert reached * value("NVIDIA V100", "peak") == pytest.approx(24.6e12, rel=0.005)


def test_the_published_money_of_deepseek_follows_from_its_hours():
    assert money(value("DeepSeek-V3", "GPU hours"), price=2) == pytest.approx(value("DeepSeek-V3", "money"))


def test_llama_used_a_third_of_its_gpus():
    """The paper's table 4 says 38 to 43 % while it ran; the hours of the model card hold more than that."""
    reached = utilisation(
        value("Llama 3.1 405B", "operations"),
        value("NVIDIA H100", "peak"),
        value("Llama 3.1 405B", "GPU hours"),
    )
    assert 0.3 < reached < 0.4


def test_by_hand():
    assert training_operations(3, 5) == pytest.approx(90)
    assert gpu_hours(3600 * 40, peak=100, utilisation=0.1) == pytest.approx(4)
    assert gpu_hours(3600, peak=1, utilisation=1) == pytest.approx(1)
    assert money(3, 0) == 0
    assert money(3, 1.5) == pytest.approx(4.5)
    assert energy(2, 3000, 1) == pytest.approx(6)
    assert energy(2, 3000, 1.5) == pytest.approx(9)
    assert years(60 * 60 * 24 * 365.25 * 7, 0.5) == pytest.approx(14)


@given(above_0, above_0, st.floats(1e-3, 1))
def test_utilisation_undoes_gpu_hours(operations, peak, share):
    hours = gpu_hours(operations, peak, share)
    if 1 / LARGEST <= hours <= LARGEST:
        assert utilisation(operations, peak, hours) == pytest.approx(share)


def test_numbers_of_all_kinds_are_numbers():
    for kind in (int, float, np.float32, np.int64, Fraction):
        assert training_operations(kind(3), kind(5)) == pytest.approx(90)
        answers = (
            training_operations(kind(3), kind(5)),
            money(kind(3), kind(5)),
            energy(kind(3), kind(5), kind(2)),
        )
        assert [type(answer) for answer in answers] == [float] * 3


def test_the_ends_are_let_in_and_stay_finite():
    assert pytest.approx(1e30) == LARGEST
    assert math.isfinite(training_operations(LARGEST, LARGEST))
    assert math.isfinite(gpu_hours(LARGEST, 1 / LARGEST, 1 / LARGEST))
    assert math.isfinite(utilisation(LARGEST, 1 / LARGEST, 1 / LARGEST))
    assert math.isfinite(years(LARGEST, 1 / LARGEST))
    assert math.isfinite(money(LARGEST, LARGEST))
    assert math.isfinite(energy(LARGEST, LARGEST, 100))


WRONG = (0, -1, math.nan, math.inf, -math.inf, 1.1e30, 10**400, True, "7", None, [7], 7j)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong!r:.12}")
@pytest.mark.parametrize(
    ("function", "good"),
    [
        (training_operations, {"parameters": 3, "tokens": 5}),
        (gpu_hours, {"operations": 3, "peak": 5}),
        (utilisation, {"operations": 3, "peak": 5, "hours": 7}),
        (money, {"hours": 3}),
        (energy, {"hours": 3, "watts": 5}),
        (years, {"operations": 3, "operations_per_second": 5}),
    ],
)
def test_what_is_not_above_0_is_refused_by_name(function, good, wrong):
    rest = {gpu_hours: {"utilisation": 0.5}, money: {"price": 2}, energy: {"pue": 1.1}}.get(function, {})
    for name in good:
        with pytest.raises(
            ValueError, match=rf"^{name} must be a number above 0 and at most 1e30, got .+; \w"
        ):
            function(**{**good, **rest, name: wrong})


@pytest.mark.parametrize("wrong", [0, -0.1, 1.01, 40, math.nan, True, "0.4", None])
def test_a_share_is_above_0_and_at_most_1(wrong):
    with pytest.raises(
        ValueError, match=r"^utilisation must be a share above 0 and at most 1, got .+; 0.4 is good$"
    ):
        gpu_hours(7, 5, wrong)


@pytest.mark.parametrize("wrong", [-0.01, math.nan, math.inf, 10**400, True, "2", None])
def test_a_price_is_not_below_0(wrong):
    with pytest.raises(ValueError, match=r"^price must be a number of 0 or more, got .+; an hour"):
        money(7, wrong)


@pytest.mark.parametrize("wrong", [0.99, 0, -1, 101, math.nan, True, "1.1", None])
def test_a_building_draws_no_less_than_its_computers(wrong):
    with pytest.raises(ValueError, match=r"^pue must be from 1 \(no cooling at all\) to 100, got .+; 1.1 is"):
        energy(7, 5, wrong)


def test_a_refusal_is_one_short_line():
    with pytest.raises(ValueError, match="got") as caught:
        training_operations("x" * 10_000, 1)
    assert len(str(caught.value)) < 160
    with pytest.raises(ValueError, match="got one of more than 30 digits; GPT-3 has 175e9"):
        training_operations(10**5000, 1)


def test_what_was_never_published_is_refused():
    with pytest.raises(
        ValueError, match=r"^for GPT-4 there is money, but no 'parameters'; take one of those$"
    ):
        figure("GPT-4", "parameters")
    with pytest.raises(
        ValueError, match=r"^subject must be one of GPT-2, GPT-3, .*, got 'GPT-5'; take GPT-3$"
    ):
        figure("GPT-5", "parameters")
    for wrong in (None, 7, ["GPT-3"]):
        with pytest.raises(ValueError, match="subject must be one of"):
            figure(wrong, "tokens")
        with pytest.raises(ValueError, match=r"for GPT-3 there is parameters, tokens, .* but no"):
            figure("GPT-3", wrong)
    assert "more than this" in figure("GPT-4", "money").note


def test_needs_nothing_but_python():
    import subprocess
    import sys

    code = "import sys, helpers.costs; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_six_is_two_and_four():
    assert "2 operations" in costs.training_operations.__doc__
    assert "4 more" in costs.training_operations.__doc__
