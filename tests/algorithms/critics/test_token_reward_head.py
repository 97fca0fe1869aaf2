"""OREAL's token-level reward model: the cross-entropy of a row's mean score."""

from __future__ import annotations

import math

import pytest
import torch

from crucible.algorithms.critics.token_reward_head import TokenRewardHead
from crucible.errors import UserError


def oracle(scores, right):
    """(loss of the row, its derivative in each of the row's scores)."""
    p = 1 / (1 + math.exp(-math.fsum(scores) / len(scores)))
    return -math.log(p if right else 1 - p), [(p - right) / len(scores)] * len(scores)


def test_value_and_gradient():
    draw = torch.Generator().manual_seed(0)
    scores = torch.randn(4, 5, generator=draw, dtype=torch.float64)
    mask = (torch.arange(5) < torch.tensor([[5], [2], [1], [0]])).double()
    scores = torch.where(mask > 0, scores, float("nan")).requires_grad_()
    rewards = torch.tensor([1.0, 0.2, 1.0, 1.0], dtype=torch.float64)
    found = TokenRewardHead().per_token(scores, rewards, mask)
    (found.sum(-1) / mask.sum(-1).clamp(min=1.0)).sum().backward()
    for n, length in enumerate((5, 2, 1)):
        loss, slope = oracle(scores[n, :length].tolist(), float(rewards[n] >= 1))
        assert found[n].tolist() == pytest.approx([loss] * length + [0.0] * (5 - length), rel=1e-12)
        assert scores.grad[n].tolist() == pytest.approx(slope + [0.0] * (5 - length), rel=1e-12)
    assert found[3].tolist() == [0.0] * 5
    assert scores.grad[3].tolist() == [0.0] * 5


def test_descent_finds_the_token_that_decides():
    """Right rows hold a state that wrong rows lack; after training it is the one with the largest score."""
    draw = torch.Generator().manual_seed(1)
    states = torch.randn(16, 4, 6, generator=draw)
    rewards = (torch.arange(16) % 2).float()
    states[:, 2, 0] += 4.0 * (2 * rewards - 1)
    critic, mask = TokenRewardHead(), torch.ones(16, 4)
    head = critic.build(6)
    optimiser = torch.optim.Adam(head.parameters(), lr=0.1)
    for _ in range(60):
        optimiser.zero_grad()
        scores = critic.reader(head)(states.flatten(0, 1)).view(16, 4)
        critic.per_token(scores, rewards, mask).mean().backward()
        optimiser.step()
    assert bool((scores[rewards > 0].argmax(-1) == 2).all())
    assert bool((scores[rewards == 0].argmin(-1) == 2).all())


def test_nothing_learned_is_log_two():
    mask = torch.ones(2, 3)
    found = TokenRewardHead().per_token(torch.zeros(2, 3), torch.tensor([1.0, 0.0]), mask)
    torch.testing.assert_close(found, torch.full((2, 3), math.log(2)))


@pytest.mark.parametrize(
    ("through", "learns", "flows"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_it_starts_at_zero_and_only_asks_the_trunk_to_learn_when_told(through, learns, flows):
    critic = TokenRewardHead(trunk_gradient=through)
    head, states = critic.build(3), torch.randn(5, 3, requires_grad=True)
    assert critic.reader(head)(states).abs().sum() == 0
    torch.nn.init.ones_(head.weight)
    critic.reader(head, learns_policy=learns)(states).sum().backward()
    assert (states.grad is not None) == flows
    assert head.weight.grad is not None


@pytest.mark.parametrize("options", [{"learning_rate": 0.0}, {"coefficient": -1.0}, {"pretrain_steps": -1}])
def test_what_means_nothing_is_refused(options):
    with pytest.raises(UserError, match="critic: "):
        TokenRewardHead(**options)
