"""Costs: what it takes to train a language model, from two numbers to operations, hours, money and energy.

A model of N parameters that reads D tokens takes about ``6 N D`` operations. A GPU does so many a second at best, and
reaches a part of that in practice: this gives GPU hours. Hours have a price and draw power. Every step is one
multiplication or division, so that each assumption stands where it can be seen and changed: how well the GPUs are
used, what an hour costs, how much power the building adds.

1. What others have published, reported or estimated, each figure with its source: ``FIGURES``, ``figure``.
2. From parameters to money: ``training_operations``, ``gpu_hours``, ``money``, ``energy``, and back: ``utilisation``.
3. The same on another machine: ``years``.

What this leaves out: failed and repeated runs, experiments before the last run, people, the machines' own making,
and the use of the model afterwards, which can cost more than its training.

Sources: Kaplan et al. 2020 (arXiv:2001.08361), section 2.1 and table 1, for ``6 N D``; Patterson et al. 2021
(arXiv:2104.10350), section 2, for energy; for each figure, the figure itself.
"""

from numbers import Real
from typing import Any, NamedTuple

SECONDS_PER_HOUR = 3600
HOURS_PER_YEAR = 365.25 * 24
LARGEST = 1e30  # a hundred thousand times the operations of the largest training that was published

KINDS = {
    "published": "by those who trained the model or made the GPU",
    "reported": "told to a journalist",
    "estimated": "worked out by others or from assumptions",
}


class Figure(NamedTuple):
    """One number that somebody stands for."""

    subject: str  # "GPT-3"
    quantity: str  # "tokens"
    value: float
    unit: str
    kind: str  # published, reported or estimated: see `KINDS`
    source: str
    note: str = ""


_GPT2 = "Radford et al. 2019, 'Language Models are Unsupervised Multitask Learners'"
_GPT3 = "Brown et al. 2020, arXiv:2005.14165"
_CHINCHILLA = "Hoffmann et al. 2022, arXiv:2203.15556"
_LLAMA3 = "Llama Team 2024, arXiv:2407.21783"
_LLAMA3_CARD = "Llama 3.1 model card, Meta, 23 July 2024"
_DEEPSEEK = "DeepSeek-AI 2024, arXiv:2412.19437"
_SMOLLM2 = "Allal et al. 2025, arXiv:2502.02737, and the model card of SmolLM2-135M"
_ENERGY = "Patterson et al. 2021, arXiv:2104.10350, table 4"

FIGURES: tuple[Figure, ...] = (
    Figure("GPT-2", "parameters", 1.5e9, "parameters", "published", f"{_GPT2}, section 3"),
    Figure("GPT-2", "text", 40e9, "bytes", "published", f"{_GPT2}, section 2.1"),
    Figure("GPT-3", "parameters", 175e9, "parameters", "published", f"{_GPT3}, table 2.1"),
    Figure("GPT-3", "tokens", 300e9, "tokens", "published", f"{_GPT3}, table 2.1"),
    Figure("GPT-3", "text before filtering", 45e12, "bytes", "published", f"{_GPT3}, section 2.2",
           "of Common Crawl, compressed"),
    Figure("GPT-3", "text", 570e9, "bytes", "published", f"{_GPT3}, section 2.2",
           "of Common Crawl after filtering; other texts came on top"),
    Figure("GPT-3", "operations", 3.14e23, "operations", "published", f"{_GPT3}, appendix D, table D.1"),
    Figure("GPT-3", "GPU hours", 10_000 * 14.8 * 24, "hours of an NVIDIA V100", "estimated", _ENERGY,
           "10,000 GPUs for 14.8 days"),
    Figure("GPT-3", "energy", 1_287_000, "kWh", "estimated", _ENERGY),
    Figure("Chinchilla", "parameters", 70e9, "parameters", "published", f"{_CHINCHILLA}, table 1"),
    Figure("Chinchilla", "tokens", 1.4e12, "tokens", "published", f"{_CHINCHILLA}, table 1"),
    Figure("Chinchilla", "operations", 5.76e23, "operations", "published", f"{_CHINCHILLA}, figure 2 and table 3",
           "the same as Gopher's, a model of four times its size"),
    Figure("GPT-4", "money", 100e6, "US dollars", "reported", "Sam Altman, in Wired, 17 April 2023",
           "more than this; parameters, tokens and operations were never published"),
    Figure("Llama 3.1 405B", "parameters", 405e9, "parameters", "published", f"{_LLAMA3}, section 1"),
    Figure("Llama 3.1 405B", "tokens", 15.6e12, "tokens", "published", f"{_LLAMA3}, section 1"),
    Figure("Llama 3.1 405B", "operations", 3.8e25, "operations", "published", f"{_LLAMA3}, section 1"),
    Figure("Llama 3.1 405B", "GPU hours", 30.84e6, "hours of an NVIDIA H100", "published", _LLAMA3_CARD),
    Figure("DeepSeek-V3", "parameters", 37e9, "parameters", "published", f"{_DEEPSEEK}, abstract",
           "at work for any one token, of 671 billion in all"),
    Figure("DeepSeek-V3", "tokens", 14.8e12, "tokens", "published", f"{_DEEPSEEK}, abstract"),
    Figure("DeepSeek-V3", "GPU hours", 2.788e6, "hours of an NVIDIA H800", "published", f"{_DEEPSEEK}, table 1"),
    Figure("DeepSeek-V3", "money", 5.576e6, "US dollars", "estimated", f"{_DEEPSEEK}, table 1",
           "by its makers, for the last run alone, at an assumed 2 dollars an hour"),
    Figure("SmolLM2-135M", "parameters", 135e6, "parameters", "published", _SMOLLM2),
    Figure("SmolLM2-135M", "tokens", 2e12, "tokens", "published", _SMOLLM2),
    Figure("NVIDIA V100", "peak", 125e12, "operations a second", "published", "NVIDIA data sheet, SXM2",
           "float16 with tensor cores"),
    Figure("NVIDIA V100", "power", 330, "watts", "estimated", _ENERGY,
           "on average, with its share of the computer around it"),
    Figure("NVIDIA H100", "peak", 989e12, "operations a second", "published", "NVIDIA data sheet, SXM, 2023",
           "bfloat16, without the doubling for matrices that are half zeros"),
    Figure("NVIDIA H100", "power", 700, "watts", "published", _LLAMA3_CARD, "the most that it may draw, by itself"),
)  # fmt: skip


def figure(subject: Any, quantity: Any) -> Figure:
    """The figure for a quantity of a model or GPU, with its source.

    >>> figure("GPT-3", "parameters").value / 1e9
    175.0
    >>> figure("GPT-4", "money").kind
    'reported'

    Raises ValueError for what nobody has published, and says what is known.
    """
    subjects = list(dict.fromkeys(each.subject for each in FIGURES))
    if subject not in subjects:
        raise ValueError(f"subject must be one of {', '.join(subjects)}, got {_told(subject)}; take GPT-3")
    known = {each.quantity: each for each in FIGURES if each.subject == subject}
    if quantity not in list(known):
        raise ValueError(
            f"for {subject} there is {', '.join(known)}, but no {_told(quantity)}; take one of those"
        )
    return known[quantity]


# ---------------------------------------------------------------------------------------------
# From parameters to money.


def training_operations(parameters: Any, tokens: Any) -> float:
    """Multiplications and additions to train a model of so many parameters on so many tokens: ``6 N D``.

    Forward, each parameter is multiplied once with what comes in and the product is added up: 2 operations for each
    token. The way back takes two such products, one for the gradient of the weight and one for the gradient of what
    came in: 4 more. The comparing of tokens in attention is left out, a few percent in a large model.

    >>> training_operations(1000, 20)
    120000.0
    >>> f"{training_operations(175e9, 300e9):.3g}"  # GPT-3; its authors count 3.14e23
    '3.15e+23'

    With tokens a second in place of tokens, operations a second come back. Parameters that a token does not pass
    (experts that sleep, the rows of other tokens in an embedding table that is not tied) don't count. Raises
    ValueError for numbers that are not above 0. Kaplan et al. 2020, table 1.
    """
    parameters = _positive("parameters", parameters, "GPT-3 has 175e9")
    return 6 * parameters * _positive("tokens", tokens, "GPT-3 read 300e9")


def gpu_hours(operations: Any, peak: Any, utilisation: Any) -> float:
    """Hours that one GPU would need, or that many GPUs need together.

    `peak` is the GPU's operations a second at best, `utilisation` the share of it that is reached, from 0 to 1.

    >>> gpu_hours(operations=7.2e6, peak=1000, utilisation=0.5)  # 14,400 seconds at 500 a second
    4.0

    Raises ValueError for numbers that are not above 0, and for a share above 1.
    """
    operations = _positive("operations", operations, "training_operations gives them")
    rate = _positive("peak", peak, "an NVIDIA H100 has 989e12") * _share(utilisation)
    return operations / rate / SECONDS_PER_HOUR


def utilisation(operations: Any, peak: Any, hours: Any) -> float:
    """The share of the peak that a training reached which took so many GPU hours: `gpu_hours` turned around.

    It says what an assumption is worth: above 1, one of the three numbers is wrong.

    >>> utilisation(operations=7.2e6, peak=1000, hours=4)
    0.5

    Raises ValueError for numbers that are not above 0.
    """
    operations = _positive("operations", operations, "training_operations gives them")
    peak = _positive("peak", peak, "an NVIDIA H100 has 989e12")
    return operations / peak / SECONDS_PER_HOUR / _positive("hours", hours, "Llama 3.1 405B took 30.84e6")


def money(hours: Any, price: Any) -> float:
    """What GPU hours cost, in the currency of `price`, which is for one hour of one GPU.

    >>> money(hours=2.788e6, price=2) / 1e6  # DeepSeek-V3's last run, in millions, at the price its makers assume
    5.576

    Raises ValueError for hours that are not above 0 and for a price below 0.
    """
    hours = _positive("hours", hours, "gpu_hours gives them")
    if not (_is_number(price) and 0 <= price <= LARGEST):
        raise ValueError(
            f"price must be a number of 0 or more, got {_told(price)}; an hour may cost 2 dollars"
        )
    return hours * float(price)


def energy(hours: Any, watts: Any, pue: Any) -> float:
    """Electricity for so many GPU hours, in kilowatt-hours.

    `watts` is what one GPU draws, with its share of the computer around it; `pue`, power usage effectiveness, is
    what the whole building draws for each watt of its computers, for cooling above all: 1.1 is good, 1.6 usual.

    >>> energy(hours=1000, watts=500, pue=1.2)
    600.0

    Raises ValueError for hours or watts that are not above 0, and for a pue below 1. Patterson et al. 2021, section 2.
    """
    hours = _positive("hours", hours, "gpu_hours gives them")
    watts = _positive("watts", watts, "an H100 may draw 700")
    if not (_is_number(pue) and 1 <= pue <= 100):
        raise ValueError(
            f"pue must be from 1 (no cooling at all) to 100, got {_told(pue)}; 1.1 is a good building"
        )
    return hours * watts * float(pue) / 1000


def years(operations: Any, operations_per_second: Any) -> float:
    """How long a machine of that speed would need, in years of 365.25 days.

    Its own speed follows from a training that it did: ``training_operations(parameters, tokens_per_second)``.

    >>> years(operations=31_557_600, operations_per_second=1)
    1.0

    Raises ValueError for numbers that are not above 0.
    """
    operations = _positive("operations", operations, "training_operations gives them")
    rate = _positive(
        "operations_per_second", operations_per_second, "training_operations of tokens a second gives it"
    )
    return operations / rate / SECONDS_PER_HOUR / HOURS_PER_YEAR


# ---------------------------------------------------------------------------------------------
# What is accepted.


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _told(given: Any) -> str:
    """What was given, in at most 60 characters."""
    if isinstance(given, int) and abs(given) > LARGEST:
        return "one of more than 30 digits"  # Python refuses to write thousands of them
    return f"{given!r:.60}"


def _positive(name: str, value: Any, hint: str) -> float:
    """The value, if it is a number above 0; the ends keep every product and quotient finite."""
    if not (_is_number(value) and 1 / LARGEST <= value <= LARGEST):
        raise ValueError(f"{name} must be a number above 0 and at most 1e30, got {_told(value)}; {hint}")
    return float(value)


def _share(value: Any) -> float:
    if not (_is_number(value) and 1 / LARGEST <= value <= 1):
        raise ValueError(
            f"utilisation must be a share above 0 and at most 1, got {_told(value)}; 0.4 is good"
        )
    return float(value)
