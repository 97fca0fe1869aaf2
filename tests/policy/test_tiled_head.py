"""The tiled output layer against all logits in one piece, value and gradient."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from crucible.policy import tiled_head
from crucible.policy.tiled_head import fits, tiled_stats


def case(*, tokens=37, width=12, words=101, bias=False, seed=0, spread=3.0):
    torch.manual_seed(seed)
    head = nn.Linear(width, words, bias=bias)
    hidden = (torch.randn(tokens, width) * spread).requires_grad_()
    return hidden, torch.randint(0, words, (tokens,)), head


def naive(hidden, targets, head, temperature):
    """In float64."""
    logits = hidden.double() @ head.weight.double().T
    if head.bias is not None:
        logits = logits + head.bias.double()
    log_probs = (logits / temperature).log_softmax(-1)
    return log_probs.gather(-1, targets[:, None]).squeeze(-1), -(log_probs.exp() * log_probs).sum(-1)


def learned(hidden, head, value):
    return torch.autograd.grad(value, [hidden, *head.parameters()])


@pytest.mark.parametrize("tile", [1, 40, 5000])  # logits: one word a tile, a few, all
@pytest.mark.parametrize("rows", [5, 64])
@pytest.mark.parametrize(("bias", "temperature"), [(False, 1.0), (True, 0.7)])
@pytest.mark.parametrize("entropy_gradient", [False, True])
def test_value_and_gradient_equal_all_logits_in_one_piece(monkeypatch, tile, rows, bias, temperature, entropy_gradient):
    monkeypatch.setattr(tiled_head, "TILE", {"cpu": tile})
    monkeypatch.setattr(tiled_head, "ROWS", rows)
    hidden, targets, head = case(bias=bias)
    logps, entropy = tiled_stats(hidden, targets, head, temperature=temperature, entropy_gradient=entropy_gradient)
    right_logps, right_entropy = naive(hidden, targets, head, temperature)
    torch.testing.assert_close(logps.double(), right_logps, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(entropy.double(), right_entropy, atol=1e-5, rtol=1e-5)
    assert entropy.requires_grad == entropy_gradient
    weights, more = torch.randn(2, len(targets))
    value, right = (logps * weights).sum(), (right_logps * weights).sum()
    if entropy_gradient:
        value, right = value + (entropy * more).sum(), right + (right_entropy * more).sum()
    for got, expected in zip(learned(hidden, head, value), learned(hidden, head, right), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-5 * float(expected.abs().max()), rtol=1e-4)


def test_logits_far_apart_and_far_from_zero_neither_overflow_nor_vanish():
    hidden, targets, head = case(spread=300.0)
    logps, entropy = tiled_stats(hidden, targets, head, temperature=1.0, entropy_gradient=False)
    right_logps, right_entropy = naive(hidden, targets, head, 1.0)
    torch.testing.assert_close(logps.double(), right_logps, atol=1e-3, rtol=1e-5)
    torch.testing.assert_close(entropy.double(), right_entropy, atol=1e-3, rtol=1e-3)


def test_half_precision_weights_give_float32_results_and_gradients_of_their_own_kind():
    hidden, targets, head = case()
    head.to(torch.bfloat16)
    low = hidden.detach().to(torch.bfloat16).requires_grad_()
    logps, entropy = tiled_stats(low, targets, head, temperature=1.0, entropy_gradient=False)
    assert logps.dtype == entropy.dtype == torch.float32
    right = (low @ head.weight.T).float().log_softmax(-1).gather(-1, targets[:, None]).squeeze(-1)
    torch.testing.assert_close(logps, right, atol=0.05, rtol=0.02)
    assert [g.dtype for g in learned(low, head, logps.sum())] == [torch.bfloat16] * 2


class Largest(TorchDispatchMode):
    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else [out]:
            if isinstance(tensor, torch.Tensor):
                self.elements = max(self.elements, tensor.numel())
        return out


def test_nothing_is_ever_as_large_as_the_logits(monkeypatch):
    monkeypatch.setattr(tiled_head, "TILE", {"cpu": 400})
    hidden, targets, head = case(tokens=64, width=4, words=300)
    with Largest() as seen:
        logps, _ = tiled_stats(hidden, targets, head, temperature=1.0, entropy_gradient=False)
        logps.sum().backward()
    assert seen.elements == head.weight.numel()  # 1,200, where the logits are 19,200


def test_only_a_plain_linear_layer_fits():
    head = nn.Linear(3, 4)
    assert fits(head)
    assert not fits(nn.Sequential(head))
    head.register_forward_hook(lambda module, given, out: out * 2)
    assert not fits(head)
