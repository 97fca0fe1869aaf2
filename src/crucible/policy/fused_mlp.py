"""Gated MLPs with a gradient written out.

For the gradient it keeps three tensors of the MLP's width where the general modules keep four, and makes two where they
make four: a tenth of the memory of an update. Values and gradients differ by rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import silu

FAMILIES = ("LlamaMLP", "MistralMLP", "Qwen2MLP", "Qwen3MLP")  # all: down(act(gate x) * up x)


def forward(self: Any, x: Tensor) -> Tensor:
    """The module's forward, written out where it has plain layers without bias, a SiLU and one dtype throughout."""
    layers = (self.gate_proj, self.up_proj, self.down_proj)
    plain = all(type(m) is nn.Linear and m.bias is None and m.weight.dtype == x.dtype for m in layers)
    if not plain or self.config.hidden_act != "silu" or torch.is_autocast_enabled(x.device.type):
        found: Tensor = type(self).forward(self, x)
        return found
    return gated_mlp(x, *(m.weight for m in layers))


def gated_mlp(x: Tensor, gate: Tensor, up: Tensor, down: Tensor) -> Tensor:
    """(silu(x gate') * x up') down': (..., D), weights (F, D), (F, D), (D, F) -> (..., D)."""
    out: Tensor = _GatedMLP.apply(x.flatten(0, -2), gate, up, down)
    return out.view(x.shape)


class _GatedMLP(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gate: Tensor, up: Tensor, down: Tensor) -> Tensor:
        gated, opened = x @ gate.T, x @ up.T
        product = silu(gated).mul_(opened)
        ctx.save_for_backward(x, gated, opened, product, gate, up, down)
        return product @ down.T

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_out: Tensor) -> tuple[Tensor | None, ...]:
        x, gated, opened, product, gate, up, down = ctx.saved_tensors
        by_product = by_out @ down
        by_opened = silu(gated).mul_(by_product)
        by_gated = by_product.mul_(opened)
        torch.ops.aten.silu_backward(by_gated, gated, grad_input=by_gated)
        wanted = ctx.needs_input_grad
        by_x = torch.addmm(by_gated @ gate, by_opened, up) if wanted[0] else None
        pairs = ((by_gated, x), (by_opened, x), (by_out, product))
        return by_x, *(left.T @ right if want else None for want, (left, right) in zip(wanted[1:], pairs, strict=True))
