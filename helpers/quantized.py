"""A GPT on a diet: every matrix in whole numbers of 8 bits, so that a new token costs a quarter of the reading.

To write one token, a model reads all of its weights once, and it waits for memory more than it
computes. Here each row of a matrix becomes whole numbers from -127 to 127 and one scale: ``weight is
about number * scale``. Only the weights are rounded for good; the residual stream, the norms and attention stay
in 32 bits. (What goes into a product and comes out of it passes through bfloat16, 8 significant bits, on the way.)

What this leaves out: activations in 8 bits, groups smaller than a row, 4 bits, training.

The product of the two kinds of numbers is ``torch._weight_int8pack_mm``, which torch keeps to itself for
now. It reads rows in strides, and past the end of one that is no multiple of its stride: so it gets rows of
64, 128, ... numbers alone, which real models have. Elsewhere, and in a torch without it, a matrix is
spelt out in 32 bits for each product: the same numbers, but slower than the model they came from. It is
quick where torch has vector instructions for it (AVX2, AVX-512, Arm's NEON), and slower than 32 bits on older
processors; ``benchmarks/transformer.py`` says what it brings on the machine at hand.

Source: Dettmers et al. 2022, "LLM.int8()", section 2.1 and 3.1 (absmax, one scale a row).
"""

import copy
import dataclasses

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Int8
from torch import Tensor, nn

from helpers.transformer import GPT

_PRODUCT = getattr(torch, "_weight_int8pack_mm", None)
_STRIDE = 64  # numbers; 16 and 32 are what its kernels take at once


def to_int8(
    weight: Float[Tensor, "row column"],
) -> tuple[Int8[Tensor, "row column"], Float[Tensor, " row"]]:
    """Whole numbers from -127 to 127 and one scale a row, so that ``numbers * scale`` is about ``weight``.

    No number is off by more than half a scale. The scales are bfloat16, rounded up, so that nothing overflows.

    >>> numbers, scale = to_int8(torch.tensor([[1.0, -127.0, 64.4], [31.75, 16.1, 0.0]]))
    >>> numbers  # the scales are 1 and 1/4
    tensor([[   1, -127,   64],
            [ 127,   64,    0]], dtype=torch.int8)
    """
    largest = weight.detach().abs().amax(dim=1)
    scale = (largest / 127).to(torch.bfloat16)
    too_small = scale.float() * 127 < largest
    scale = torch.where(too_small, torch.nextafter(scale, torch.full_like(scale, torch.inf)), scale)
    numbers = weight.detach() / scale.float().clamp(min=torch.finfo(torch.float32).tiny)[:, None]
    return numbers.round().to(torch.int8).contiguous(), scale  # row by row, as the product reads them


class Int8Linear(nn.Module):
    """A linear layer whose matrix is kept in 8 bits; numbers of any kind in, the same kind out."""

    def __init__(
        self,
        numbers: Int8[Tensor, "outside inside"],
        scale: Float[Tensor, " outside"],
        bias: Float[Tensor, " outside"] | None = None,
    ):
        super().__init__()
        self.weight = nn.Parameter(numbers, requires_grad=False)
        self.scale = nn.Parameter(scale, requires_grad=False)
        self.bias = bias

    def forward(self, x: Float[Tensor, "*batch inside"]) -> Float[Tensor, "*batch outside"]:
        if _PRODUCT is None or x.shape[-1] % _STRIDE or x.device.type != "cpu":
            return F.linear(x, self.weight.to(x.dtype) * self.scale.to(x.dtype)[:, None], self.bias)
        rows = x.reshape(-1, x.shape[-1]).to(torch.bfloat16)
        y = _PRODUCT(rows, self.weight, self.scale).to(x.dtype).view(*x.shape[:-1], -1)
        return y if self.bias is None else y + self.bias


class Int8Embedding(nn.Module):
    """A table of vectors kept in 8 bits, which gives out float32."""

    def __init__(self, numbers: Int8[Tensor, "vocab d_model"], scale: Float[Tensor, " vocab"]):
        super().__init__()
        self.weight = nn.Parameter(numbers, requires_grad=False)
        self.scale = nn.Parameter(scale, requires_grad=False)

    def forward(self, ids: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch d_model"]:
        return self.weight[ids].float() * self.scale[ids].float()[..., None]


def quantize(model: object) -> GPT:
    """A copy of a GPT that keeps every matrix in 8 bits: for reading and writing, not for learning.

    It takes the calls of the original (``model(ids)``, ``trace=True``, ``reader()``, ``generate``) and
    needs a quarter of its memory. The original stays as it is. A table that also reads the answer out is kept once,
    though the copy's config calls it untied. Raises ``ValueError`` for what is no GPT, or one that was quantized
    before.

    >>> from helpers.transformer import GPTConfig
    >>> model = GPT(GPTConfig(vocab_size=7, n_ctx=5, n_layers=1, n_heads=2, d_model=8))
    >>> light, ids = quantize(model), torch.tensor([[1, 4, 2]])
    >>> bool((light(ids) - model(ids)).abs().max() < 0.01)
    True
    """
    if not isinstance(model, GPT) or isinstance(model.embedding, Int8Embedding):
        was = "one that was already" if isinstance(model, GPT) else type(model).__name__
        raise ValueError(
            f"only a GPT in full precision can be quantized, got {was}; load_smollm2() gives one"
        )
    # The new matrices stand in for the old ones, so that these are never copied.
    table = to_int8(model.embedding.weight)
    new = {id(model.embedding): Int8Embedding(*table)}
    for module in model.modules():
        if isinstance(module, nn.Linear):
            new[id(module)] = Int8Linear(*to_int8(module.weight), copy.deepcopy(module.bias))
    light = copy.deepcopy(model, new)
    if model.config.tied:
        light.config = dataclasses.replace(model.config, tied=False)
        light.unembedding = Int8Linear(*table)
        light.unembedding.weight, light.unembedding.scale = light.embedding.weight, light.embedding.scale
    return light.eval().requires_grad_(False)
