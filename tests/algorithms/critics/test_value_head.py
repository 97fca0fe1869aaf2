"""The critic: PPO's clipped value loss, and who learns from it."""

from __future__ import annotations

import pytest
import torch

from crucible.algorithms.critics.value_head import ValueHead, explained_variance, value_loss
from crucible.errors import UserError


def oracle(new, old, target, clip):
    """(loss, derivative in the new value) of one token."""
    plain = 0.5 * (new - target) ** 2
    if clip is None:
        return plain, new - target
    near = min(max(new, old - clip), old + clip)
    clipped = 0.5 * (near - target) ** 2
    return (plain, new - target) if plain >= clipped else (clipped, 0.0)


@pytest.mark.parametrize("clip", [None, 0.2, 0.5])
def test_value_and_gradient(clip):
    draw = torch.Generator().manual_seed(0)
    new, old, target = (torch.randn(4, 6, generator=draw, dtype=torch.float64) for _ in range(3))
    mask = torch.ones(4, 6, dtype=torch.float64)
    mask[1, 4:] = mask[3] = 0.0
    new.requires_grad_()
    found = value_loss(new, old, target, mask, clip=clip)
    found.sum().backward()
    cells = [
        oracle(*cell[:3], clip) if cell[3] else (0.0, 0.0)
        for cell in zip(*(x.flatten().tolist() for x in (new, old, target, mask)), strict=True)
    ]
    torch.testing.assert_close(found.flatten(), torch.tensor([c[0] for c in cells], dtype=torch.float64))
    torch.testing.assert_close(new.grad.flatten(), torch.tensor([c[1] for c in cells], dtype=torch.float64))


def test_the_worked_example():
    one, zero = torch.ones(1, 1), torch.zeros(1, 1)
    assert value_loss(one, zero, 2 * one, one, clip=0.2).item() == pytest.approx(1.62)


def test_the_head_starts_at_zero_and_only_asks_the_trunk_to_learn_when_told():
    states = torch.randn(5, 3, requires_grad=True)
    for through, learns, flows in [(False, True, False), (True, True, True), (True, False, False)]:
        critic = ValueHead(trunk_gradient=through)
        head = critic.build(3)
        assert critic.reader(head)(states).abs().sum() == 0
        torch.nn.init.ones_(head.weight)
        states.grad = None
        critic.reader(head, learns_policy=learns)(states).sum().backward()
        assert head.weight.grad is not None
        assert (states.grad is not None) == flows


def test_explained_variance():
    returns, mask = torch.tensor([[1.0, 2.0, 3.0, 99.0]]), torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    assert explained_variance(returns, returns, mask) == 1.0
    assert explained_variance(returns * 0 + 7, returns, mask) == pytest.approx(0.0, abs=1e-6)
    assert explained_variance(-returns, returns, mask) == pytest.approx(-3.0)
    assert explained_variance(returns, returns * 0, mask) == 0.0


@pytest.mark.parametrize(
    "options", [{"learning_rate": 0.0}, {"coefficient": -1.0}, {"clip": 0.0}, {"pretrain_steps": -1}]
)
def test_what_means_nothing_is_refused(options):
    with pytest.raises(UserError, match="critic: "):
        ValueHead(**options)
