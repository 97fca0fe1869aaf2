"""RMS norms with their own gradient: against float64 autograd of the formula, and against the modules they replace."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.policy.fused_norms import rms_norm, use_fused_norms
from tests.policy.models import llama, qwen3

EPS = 1e-6


@settings(max_examples=40, deadline=None)
@given(
    shape=st.lists(st.integers(1, 5), min_size=2, max_size=4),
    seed=st.integers(0, 999),
    size=st.sampled_from([1e-4, 1, 1e3]),
)
def test_value_and_gradient_of_the_formula(shape, seed, size):
    generator = torch.Generator().manual_seed(seed)
    x, by_out = (torch.randn(shape, generator=generator) for _ in range(2))
    weight = torch.randn(shape[-1], generator=generator)
    x = (x * size).requires_grad_()
    weight.requires_grad_()
    out = rms_norm(x, weight, EPS)
    got = torch.autograd.grad(out, (x, weight), by_out)

    exact_x, exact_weight = (t.detach().double().requires_grad_() for t in (x, weight))
    exact = exact_weight * exact_x / (exact_x.square().mean(-1, keepdim=True) + EPS).sqrt()
    expected = torch.autograd.grad(exact, (exact_x, exact_weight), by_out.double())
    torch.testing.assert_close(out.double(), exact, atol=1e-5, rtol=1e-5)
    for mine, true in zip(got, expected, strict=True):
        torch.testing.assert_close(mine.double(), true, atol=2e-5 * max(1.0, float(true.abs().max())), rtol=1e-4)


def test_only_the_gradients_that_are_asked_for():
    x, weight = torch.randn(2, 3, 4), torch.ones(4, requires_grad=True)
    rms_norm(x, weight, EPS).sum().backward()
    assert weight.grad is not None
    x.requires_grad_()
    rms_norm(x, weight.detach(), EPS).sum().backward()
    assert x.grad is not None


def states_and_gradient(policy, ids):
    policy.model.zero_grad()
    out = policy.model(input_ids=ids, use_cache=False).logits
    (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
    return out.detach(), torch.cat([p.grad.flatten() for p in policy.model.parameters() if p.grad is not None])


@pytest.mark.parametrize("make", [qwen3, llama])
def test_a_model_computes_the_same_with_them_and_without(make):
    policy = make()
    ids = torch.randint(0, 50, (3, 9), generator=torch.Generator().manual_seed(0))
    use_fused_norms(policy.model)
    norms = [m for m in policy.model.modules() if "RMSNorm" in type(m).__name__]
    assert norms
    assert all("forward" in vars(m) for m in norms)
    out, gradient = states_and_gradient(policy, ids)
    use_fused_norms(policy.model, on=False)
    assert not any("forward" in vars(m) for m in norms)
    plain, expected = states_and_gradient(policy, ids)
    torch.testing.assert_close(out, plain, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(gradient, expected, atol=1e-5 * max(1.0, float(expected.abs().max())), rtol=1e-4)


def test_other_types_use_the_modules_own_code():
    policy = qwen3()
    policy.model.bfloat16()
    ids = torch.arange(6)[None]
    use_fused_norms(policy.model)
    fused = policy.model(input_ids=ids).logits
    use_fused_norms(policy.model, on=False)
    assert torch.equal(fused, policy.model(input_ids=ids).logits)


def test_a_copy_has_norms_of_its_own():
    policy = qwen3()
    use_fused_norms(policy.model)
    other = copy.deepcopy(policy.model)
    with torch.no_grad():
        other.model.norm.weight.zero_()
    ids = torch.arange(6)[None]
    assert not other(input_ids=ids).logits.any()
    assert policy.model(input_ids=ids).logits.any()
    pickle.dumps(other)
