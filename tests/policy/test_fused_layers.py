"""Attention layers with a rotation of their own: against float64 of the formula, and against transformers' layers."""

from __future__ import annotations

import copy

import pytest
import torch

from crucible.policy.fused_layers import FAMILIES, rotated, use_fused_layers
from crucible.policy.shared_prompts import Grid
from tests.policy.models import llama, qwen3
from tests.policy.test_shared_prompts import batch
from tests.policy.test_token_stats import gradients

GROUPS = [(6, [5, 3, 7]), (3, [4, 0, 1]), (6, [7])]


@pytest.mark.parametrize(("tokens", "heads", "width"), [(1, 1, 2), (7, 3, 8), (40, 6, 32)])
def test_value_and_gradient_of_the_rotation(tokens, heads, width):
    generator = torch.Generator().manual_seed(tokens)
    x, by_out = (torch.randn(tokens, heads, width, generator=generator) for _ in range(2))
    angle = torch.rand(tokens, width // 2, generator=generator, dtype=torch.float64) * 6
    both = torch.cat([angle, angle], -1)[:, None]
    x.requires_grad_()
    out = rotated(x, both.cos().float(), both.sin().float())
    (got,) = torch.autograd.grad(out, x, by_out)

    # the rotation as a product of complex numbers
    exact_x = x.detach().double().requires_grad_()
    turned = torch.complex(*exact_x.chunk(2, -1)) * torch.polar(torch.ones_like(angle), angle)[:, None]
    exact = torch.cat([turned.real, turned.imag], -1)
    (expected,) = torch.autograd.grad(exact, exact_x, by_out.double())
    torch.testing.assert_close(out.double(), exact, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(got.double(), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("lengths", [[3, 3], [4, 1, 0, 2], [0, 5]])
def test_a_grid_gives_back_its_tokens_and_their_gradient(lengths):
    grid = Grid.of(torch.tensor(lengths))
    tokens = torch.randn(sum(lengths), 2, 3, requires_grad=True)
    rows = grid.rows(tokens)
    assert rows.shape == (len(lengths), max(lengths), 2, 3)
    assert [list(part) for part in rows[:, :, 0, 0][grid.real].split(lengths)] == [
        list(part) for part in tokens[:, 0, 0].split(lengths)
    ]
    assert not rows[~grid.real].any()
    back = grid.tokens(rows)
    assert torch.equal(back, tokens)
    weights = torch.randn_like(back)
    (gradient,) = torch.autograd.grad((back * weights).sum(), tokens)
    assert torch.equal(gradient, weights)
    places = grid.places(10)
    assert places[grid.real].tolist() == list(range(10, 10 + sum(lengths)))


@pytest.mark.parametrize("make", [qwen3, llama])
def test_a_model_computes_the_same_with_them_and_without(make):
    policy = make()
    layers = [m for m in policy.model.modules() if type(m).__name__ in FAMILIES]
    assert layers
    assert all("forward" in vars(m) for m in layers)
    data = batch(policy, GROUPS)
    weights = torch.linspace(-1, 1, data[-1].numel()).view_as(data[-1])
    fused = policy.token_stats(*data).logps
    got = gradients(policy, (fused * weights).sum())
    use_fused_layers(policy.model, on=False)
    assert not any("forward" in vars(m) for m in layers)
    plain = policy.token_stats(*data).logps
    expected = gradients(policy, (plain * weights).sum())
    torch.testing.assert_close(fused, plain, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(got, expected, atol=1e-5 * max(1.0, float(expected.abs().max())), rtol=1e-4)


def test_a_copy_has_layers_of_its_own():
    policy = qwen3()
    other = copy.deepcopy(policy.model)
    layers = [m for m in other.modules() if type(m).__name__ in FAMILIES]
    assert all(m.forward.__self__ is m for m in layers)
