"""MLPs with a gradient written out: against the formula in float64, and where they leave the work to the module."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from crucible.policy import fused_mlp
from crucible.policy.fused_mlp import FAMILIES, gated_mlp
from tests.policy.models import llama, qwen3


def given(lead, width=6, inner=10, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(*lead, width), (inner, width), (inner, width), (width, inner)]
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]


def formula(x, gate, up, down):
    gated = torch.einsum("...d,fd->...f", x, gate)
    return torch.einsum("...f,df->...d", gated / (1 + (-gated).exp()) * torch.einsum("...d,fd->...f", x, up), down)


@pytest.mark.parametrize("lead", [(1,), (7,), (2, 5)])
def test_value_and_gradient(lead):
    tensors = given(lead)
    out = gated_mlp(*tensors)
    exact = [t.detach().double().requires_grad_() for t in tensors]
    expected = formula(*exact)
    torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=1e-5)
    by_out = torch.randn(out.shape, generator=torch.Generator().manual_seed(1))
    before = by_out.clone()
    got = torch.autograd.grad(out, tensors, by_out)
    assert torch.equal(by_out, before)  # another branch may read it
    for mine, theirs in zip(got, torch.autograd.grad(expected, exact, by_out.double()), strict=True):
        torch.testing.assert_close(mine.double(), theirs, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("learned", range(4))
def test_only_what_learns_gets_a_gradient(learned):
    tensors = [t.detach().requires_grad_(i == learned) for i, t in enumerate(given((3,)))]
    gated_mlp(*tensors).square().sum().backward()
    assert [t.grad is not None for t in tensors] == [i == learned for i in range(4)]
    whole = given((3,))
    gated_mlp(*whole).square().sum().backward()
    assert torch.equal(tensors[learned].grad, whole[learned].grad)


class Other(nn.Linear):
    """As an adapter replaces a layer."""


def autocast(mlp):
    return torch.autocast("cpu", torch.bfloat16)


def adapter(mlp):
    mlp.up_proj.__class__ = Other
    return torch.no_grad()


def bias(mlp):
    mlp.down_proj.bias = nn.Parameter(torch.ones(mlp.down_proj.out_features))
    return torch.no_grad()


@pytest.mark.parametrize("make", [qwen3, llama])
@pytest.mark.parametrize("how", [None, autocast, adapter, bias])
def test_other_layers_and_types_are_left_to_the_module(make, how, monkeypatch):
    mlps = [m for m in make().model.modules() if type(m).__name__ in FAMILIES]
    assert mlps
    calls = []
    monkeypatch.setattr(fused_mlp, "gated_mlp", lambda *given, **how: calls.append(given) or gated_mlp(*given, **how))
    x = torch.randn(4, mlps[0].gate_proj.in_features)
    with how(mlps[0]) if how else torch.no_grad():
        out = mlps[0](x)
        expected = type(mlps[0]).forward(mlps[0], x)
    assert bool(calls) is (how is None)
    torch.testing.assert_close(out, expected, atol=1e-6 if how is None else 0, rtol=1e-5 if how is None else 0)
