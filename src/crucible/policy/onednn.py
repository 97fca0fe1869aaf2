"""Float32 products of linear layers on a CPU by oneDNN.

torch multiplies float32 matrices with its BLAS. That of its wheels, MKL, uses AVX-512 on processors of Intel alone;
oneDNN, which the wheels carry as well, uses it on others too: twice the rate on an AMD EPYC of 2024 (docs/speed.md).
The operation called here is the one that torch's own compiler puts in the place of a linear layer. Values and gradients
differ from those of the BLAS by rounding.

oneDNN writes a program for each number of rows it meets, in some milliseconds and half a megabyte. So it is called for
few numbers (`aligned`), and what is in rows of tokens is filled up to the next one (`spare`) where it is laid out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from crucible.policy.fused_norms import replace_forward

LEAST = 1_500_000  # multiply-adds of a product; in smaller ones the BLAS is called sooner
AVAILABLE = torch.backends.cpu.get_cpu_capability().startswith("AVX512") and hasattr(
    torch.ops.mkldnn, "_linear_pointwise"
)

Linear = Callable[..., Tensor]  # x, weight[, bias]


def use_onednn(model: nn.Module, on: bool = True) -> None:
    """Uses oneDNN in the linear layers of `model` where it is the faster way, or (`on` false) torch's BLAS alone."""
    for layer in model.modules():
        if type(layer) is nn.Linear:  # not what adapters put around one
            replace_forward(layer, forward if on else None)


def linear_of(layer: nn.Module) -> Linear:
    """What multiplies as `layer` does, without gradient: `linear`, or torch's own if the layer does not use oneDNN."""
    ours = getattr(layer.__dict__.get("forward"), "__func__", None) is forward
    return linear if ours else functional.linear


def aligned(rows: int) -> int:
    """The next number of rows that oneDNN is called for: 16 numbers between a power of two and the next, at least 8."""
    step = max(8, 2 ** max((rows - 1).bit_length() - 5, 0))
    return -(-rows // step) * step


def spare(rows: int, weight: Tensor, linear_of_layer: Linear) -> int:
    """How many rows to add to `rows` so that their product with `weight`, if it pays, is one of oneDNN."""
    used = linear_of_layer is linear and _pays(weight, weight, rows * weight.numel())
    return aligned(rows) - rows if used else 0


def fits(x: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN is the faster way for (..., K) by (N, K)."""
    rows = x.numel() // x.shape[-1]
    return _pays(x, weight, x.numel() * len(weight)) and rows == aligned(rows)


def _pays(a: Tensor, b: Tensor, work: int) -> bool:
    return (
        AVAILABLE
        and work >= LEAST
        and a.dtype == b.dtype == torch.float32
        and a.device.type == b.device.type == "cpu"
    )


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x weight' + bias without a gradient: (..., K), (N, K), (N,) -> (..., N)."""
    return _multiplied(x, weight, bias) if fits(x, weight) else functional.linear(x, weight, bias)


def _multiplied(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return found


def weight_gradient(by_out: Tensor, x: Tensor, linear: Linear = linear) -> Tensor:
    """by_out' x: (L, N), (L, K) -> (N, K). oneDNN has the left side laid out anew: the one with fewer columns here."""
    rows, work = len(x), by_out.numel() * x.shape[1]
    if linear is functional.linear or rows != aligned(rows) or not _pays(by_out, x, work):
        return by_out.T @ x
    return _multiplied(by_out.T, x.T) if by_out.shape[1] <= x.shape[1] else _multiplied(x.T, by_out.T).T


def forward(self: Any, input: Tensor) -> Tensor:
    """The forward of a linear layer, with oneDNN where that is the faster way."""
    if not fits(input, self.weight) or torch.is_autocast_enabled("cpu"):
        found: Tensor = type(self).forward(self, input)
        return found
    out: Tensor = _Linear.apply(input.reshape(-1, input.shape[-1]), self.weight, self.bias)
    return out.view(*input.shape[:-1], len(self.weight))


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return linear(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_out: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        return (
            linear(by_out, weight.T) if wanted[0] else None,
            weight_gradient(by_out, x) if wanted[1] else None,
            by_out.sum(0) if wanted[2] else None,
        )
