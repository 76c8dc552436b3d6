"""Matrices in 8 bits against the matrices they came from."""

import copy
import dataclasses

import pytest
import torch
import torch.nn.functional as F

import helpers.quantized as quantized
from helpers.quantized import Int8Embedding, Int8Linear, quantize, to_int8
from helpers.sampling import generate
from helpers.transformer import GPT, Cache, GPTConfig

# Widths of 64 and 128 numbers are multiplied in 8 bits; 52 is not, and must not be: see the module.
GPT2_LIKE = GPTConfig(vocab_size=37, n_ctx=11, n_layers=3, n_heads=4, d_model=64, d_mlp=52)
LLAMA_LIKE = GPTConfig(
    vocab_size=37,
    n_ctx=11,
    n_layers=3,
    n_heads=6,
    n_kv_heads=2,
    d_model=192,
    d_mlp=128,
    norm="rmsnorm",
    positions="rotary",
    mlp="swiglu",
    bias=False,
)
each_config = pytest.mark.parametrize(
    "config",
    [GPT2_LIKE, LLAMA_LIKE, dataclasses.replace(LLAMA_LIKE, tied=False)],
    ids=["gpt2", "llama", "untied"],
)
without_the_product = pytest.mark.parametrize("without", [False, True])


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rough(config, std=0.08):
    """Weights, biases too, so large that a lost one is seen."""
    model, generator = GPT(config), torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm.weight" in name else 0.0, std, generator=generator)
    return model.eval()


def some_ids():
    return torch.randint(37, (2, 7), generator=torch.Generator().manual_seed(0))


def close(a, b, atol):
    torch.testing.assert_close(a, b, rtol=0, atol=atol)


@pytest.mark.parametrize("size", [1e-30, 1e-3, 1.0, 1e30])
def test_no_number_is_off_by_more_than_half_a_scale(size):
    weight = draw(13, 301) * size
    numbers, scale = to_int8(weight)
    assert (numbers.dtype, scale.dtype) == (torch.int8, torch.bfloat16)
    assert numbers.shape == (13, 301)
    assert scale.shape == (13,)
    assert numbers.min() >= -127, "-128 would have no counterpart"
    assert (numbers.abs().amax(dim=1) >= 126).all(), "the whole range is used"
    off = (numbers.double() * scale.double()[:, None] - weight.double()).abs() / scale.double()[:, None]
    assert off.max() <= 0.5 + 1e-4
    assert off.max() > 0.45, "it is rounded, and to the nearest"


def test_a_row_of_zeros_stays_zero():
    numbers, scale = to_int8(torch.tensor([[0.0, 0.0, 0.0], [0.0, -2.54, 0.0]]))
    assert numbers.tolist() == [[0, 0, 0], [0, -127, 0]] or numbers.tolist() == [[0, 0, 0], [0, -126, 0]]
    close(numbers * scale.float()[:, None], torch.tensor([[0.0, 0.0, 0.0], [0.0, -2.54, 0.0]]), 0.01)


@without_the_product
@pytest.mark.parametrize("inside", [64, 192, 16, 20, 25])
@pytest.mark.parametrize("shape", [(), (7,), (2, 7)])
def test_a_linear_layer_in_8_bits(monkeypatch, without, shape, inside):
    if without:
        monkeypatch.setattr(quantized, "_PRODUCT", None)
    weight, bias, x = draw(40, inside), draw(40, seed=1) * 5, draw(*shape, inside, seed=2)
    exact = F.linear(x, weight, bias)
    for layer, expected in (
        (Int8Linear(*to_int8(weight), bias), exact),
        (Int8Linear(*to_int8(weight)), exact - bias),
    ):
        y = layer(x)
        assert y.dtype == torch.float32
        assert y.shape == (*shape, 40)
        # Sums of `inside` products of size 1: 8 significant bits in and out, and a scale of 3 / 127 a number.
        close(y, expected, 0.03 * inside**0.5)
        assert (y - expected).abs().max() > 1e-3, "8 bits are not 32"


def test_both_ways_to_multiply_agree(monkeypatch):
    layer, x = Int8Linear(*to_int8(draw(40, 64))), draw(5, 64, seed=3).bfloat16().float()
    quick = layer(x)
    monkeypatch.setattr(quantized, "_PRODUCT", None)
    close(quick, layer(x), 0.07)  # what comes out was cut to 8 significant bits: up to 32 / 256 / 2


@pytest.mark.parametrize(("inside", "used"), [(64, True), (128, True), (96, False), (20, False)])
def test_the_product_gets_whole_strides_alone(monkeypatch, inside, used):
    """With others it reads past the end: wrong numbers, or a crash."""
    calls = []

    def product(x, numbers, scale):
        calls.append(x.shape)
        return x.new_zeros(len(x), len(numbers))

    monkeypatch.setattr(quantized, "_PRODUCT", product)
    Int8Linear(*to_int8(draw(3, inside)))(draw(2, inside))
    assert calls == [(2, inside)] * used


def test_the_input_keeps_its_kind():
    for inside in (24, 64):
        layer = Int8Linear(*to_int8(draw(40, inside)))
        assert layer(draw(5, inside).bfloat16()).dtype == torch.bfloat16


def test_a_table_in_8_bits():
    weight, ids = draw(37, 24), torch.tensor([[3, 0, 36], [5, 3, 1]])
    vectors = Int8Embedding(*to_int8(weight))(ids)
    assert vectors.dtype == torch.float32
    close(vectors, weight[ids], 0.02)


@without_the_product
@each_config
def test_a_model_in_8_bits_says_nearly_the_same(monkeypatch, config, without):
    if without:
        monkeypatch.setattr(quantized, "_PRODUCT", None)
    model, ids = rough(config), some_ids()
    light = quantize(model)
    with torch.no_grad():
        expected, whole = model(ids, trace=True)
        logits, trace = light(ids, trace=True)
    spread = float(expected.std())
    assert spread > 0.3
    close(logits, expected, 0.1 * spread)
    assert (logits - expected).std() < 0.04 * spread
    assert (logits - expected).abs().max() > 1e-4, "8 bits are not 32"
    close(trace.attention, whole.attention, 0.05)
    cache = Cache()
    pieces = [light(piece, cache=cache) for piece in ids.split((4, 1, 2), dim=1)]
    close(torch.cat(pieces, dim=1), logits, 0.05 * spread)
    assert len(list(generate(light, [1, 2, 3], 4, temperature=0))) == 4


@each_config
def test_the_original_stays_and_the_copy_is_a_quarter(config):
    model = rough(config)
    before = copy.deepcopy(model.state_dict())
    light = quantize(model)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not any(parameter.requires_grad for parameter in light.parameters())
    assert not light.training
    matrices = sum(
        p.numel() for name, p in model.named_parameters() if p.ndim == 2 and "position" not in name
    )
    in_8_bits = sum(p.numel() for p in light.parameters() if p.dtype == torch.int8)
    assert in_8_bits == matrices, "every matrix, a tied table once"
    assert not {p.data_ptr() for p in light.parameters()} & {
        p.data_ptr() for p in model.parameters() if p.ndim == 2
    }


def test_dropout_and_training_are_over():
    model = rough(dataclasses.replace(GPT2_LIKE, dropout=0.5)).train()
    light = quantize(model)
    assert model.training
    close(light(some_ids()), light(some_ids()), 0)


@pytest.mark.parametrize(
    ("model", "got"),
    [
        (torch.nn.Linear(2, 3), "Linear"),
        (None, "NoneType"),
        (quantize(GPT(GPT2_LIKE)), "one that was already"),
    ],
)
def test_what_cannot_be_quantized(model, got):
    with pytest.raises(ValueError, match=f"only a GPT in full precision can be quantized, got {got}; load_"):
        quantize(model)
