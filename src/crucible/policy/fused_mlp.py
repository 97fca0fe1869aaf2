"""Gated MLPs with a gradient written out.

For the gradient it keeps three tensors of the MLP's width where the general modules keep four, and makes two where they
make four: a tenth of the memory of an update. Values and gradients differ by rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.functional import silu

from crucible.policy.onednn import Linear, linear_of, weight_gradient

FAMILIES = ("LlamaMLP", "MistralMLP", "Qwen2MLP", "Qwen3MLP")  # all: down(act(gate x) * up x)


def forward(self: Any, x: Tensor) -> Tensor:
    """The module's forward, written out where it has plain layers without bias, a SiLU and one dtype throughout."""
    layers = (self.gate_proj, self.up_proj, self.down_proj)
    plain = all(type(m) is nn.Linear and m.bias is None and m.weight.dtype == x.dtype for m in layers)
    if not plain or self.config.hidden_act != "silu" or torch.is_autocast_enabled(x.device.type):
        found: Tensor = type(self).forward(self, x)
        return found
    gate, up, down = (m.weight for m in layers)
    return gated_mlp(x, gate, up, down, linear_of(self.gate_proj))


def gated_mlp(x: Tensor, gate: Tensor, up: Tensor, down: Tensor, linear: Linear = functional.linear) -> Tensor:
    """(silu(x gate') * x up') down': (..., D), weights (F, D), (F, D), (D, F) -> (..., D); products by `linear`."""
    out: Tensor = _GatedMLP.apply(x.flatten(0, -2), gate, up, down, linear)
    return out.view(x.shape)


class _GatedMLP(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gate: Tensor, up: Tensor, down: Tensor, linear: Linear) -> Tensor:
        gated, opened = linear(x, gate), linear(x, up)
        product = silu(gated).mul_(opened)
        ctx.save_for_backward(x, gated, opened, product, gate, up, down)
        ctx.linear = linear
        return linear(product, down)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_out: Tensor) -> tuple[Tensor | None, ...]:
        x, gated, opened, product, gate, up, down = ctx.saved_tensors
        linear, wanted = ctx.linear, ctx.needs_input_grad
        by_product = linear(by_out, down.T)
        by_opened = silu(gated).mul_(by_product)
        by_gated = by_product.mul_(opened)
        torch.ops.aten.silu_backward(by_gated, gated, grad_input=by_gated)
        by_x = linear(by_gated, gate.T).add_(linear(by_opened, up.T)) if wanted[0] else None
        columns = x.T.contiguous().T if wanted[1] and wanted[2] else x  # laid out once for both
        pairs = ((by_gated, columns), (by_opened, columns), (by_out, product))
        return (
            by_x,
            *(weight_gradient(*pair, linear) if want else None for want, pair in zip(wanted[1:4], pairs, strict=True)),
            None,
        )
