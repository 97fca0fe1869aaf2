"""The controller, and a penalty in the reward and in the loss."""

from __future__ import annotations

import pytest
import torch

from crucible.algorithms.kl.controllers import Controller
from crucible.algorithms.kl.in_loss import KLInLoss
from crucible.algorithms.kl.in_reward import KLInReward, penalised
from crucible.errors import UserError
from crucible.types import Scores


def oracle(beta, kl, target, completions, horizon):
    """The adaptive rule, written with if."""
    error = kl / target - 1.0
    if error > 0.2:
        error = 0.2
    if error < -0.2:
        error = -0.2
    return beta + beta * error * completions / horizon


@pytest.mark.parametrize("kl", [0.0, 0.05, 0.1, 0.11, 0.3, -0.2])
def test_adaptive(kl):
    controller = Controller(0.02, 0.1, 500)
    controller.update(kl, 128)
    assert controller.coefficient == pytest.approx(oracle(0.02, kl, 0.1, 128, 500))


def test_the_worked_example_of_the_controller():
    controller = Controller(0.001, 0.1, 10000)
    controller.update(0.3, 1024)
    assert controller.coefficient == pytest.approx(0.00102048)
    controller.update(0.1, 1024)
    assert controller.coefficient == pytest.approx(0.00102048)


def test_fixed_stays_and_a_state_is_taken_back():
    fixed, adaptive, again = Controller(0.5, None, 100), Controller(0.5, 0.1, 100), Controller(0.5, 0.1, 100)
    fixed.update(9.0, 1000)
    assert fixed.coefficient == 0.5
    adaptive.update(9.0, 10)
    again.load_state_dict(adaptive.state_dict())
    assert again.coefficient == adaptive.coefficient != 0.5


def test_a_coefficient_never_becomes_negative():
    controller = Controller(0.5, 0.1, 1)
    controller.update(0.0, 1000)
    assert controller.coefficient == 0.0


def test_the_worked_example_in_the_reward():
    """beta .1, x = [.2, -.1, .3], score 1 at the end: rewards [-.02, .01, .97]."""
    x, mask = torch.tensor([[0.2, -0.1, 0.3]], dtype=torch.float64), torch.ones(1, 3, dtype=torch.float64)
    penalty = KLInReward(coefficient=0.1)
    kl = penalty.in_reward(x, torch.zeros_like(x), mask)
    scores = penalised(Scores(torch.tensor([1.0], dtype=torch.float64)), kl, penalty.coefficient, mask)
    expected = torch.tensor([[-0.02, 0.01, 0.97]], dtype=torch.float64)
    torch.testing.assert_close(scores.per_token, expected)
    torch.testing.assert_close(scores.total, expected.sum(-1))


def test_in_the_reward_the_last_counted_token_has_the_score_and_the_sum_is_the_total():
    mask = torch.tensor([[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    kl = torch.arange(12.0).view(3, 4)
    scores = Scores(torch.tensor([3.0, -1.0, 5.0]), {"a": torch.zeros(3)}, valid=torch.tensor([True, True, False]))
    found = penalised(scores, kl, 0.5, mask)
    assert found.per_token[0].tolist() == [0.0, 2.5, 0.0, 0.0]
    assert found.per_token[1].tolist() == [-2.0, 0.0, -3.0, -4.5]
    torch.testing.assert_close(found.per_token.sum(-1)[:2], found.total[:2])
    assert found.total[2] == 5.0
    assert found.valid is scores.valid
    dense = penalised(
        Scores(torch.tensor([3.0]), per_token=torch.tensor([[1.0, 2.0]])), torch.ones(1, 2), 0.5, torch.ones(1, 2)
    )
    assert dense.per_token.tolist() == [[0.5, 1.5]]
    assert dense.total.tolist() == [2.0]


def test_in_the_reward_nothing_has_a_gradient():
    logps = torch.zeros(1, 2, requires_grad=True)
    assert not KLInReward().in_reward(logps, torch.ones(1, 2), torch.ones(1, 2)).requires_grad


def test_in_the_loss_the_ratio_is_used_only_where_asked_for():
    logps, old, mask = torch.zeros(1, 2, requires_grad=True), torch.full((1, 2), -1.0), torch.ones(1, 2)
    plain = KLInLoss(estimator="k2").in_loss(logps, old, -mask, mask)
    weighted = KLInLoss(estimator="k2", ratio_weighted=True).in_loss(logps, old, -mask, mask)
    assert plain.tolist() == [[0.5, 0.5]]
    torch.testing.assert_close(weighted, plain * torch.e)
    assert weighted.requires_grad


def test_with_the_penalty_in_the_reward_the_optimum_is_the_reference_tilted_by_the_reward():
    """KL-regularised RL is Bayesian inference (2205.11275): ref 1/2 each, R 1 and 0, beta 1 gives e / (e + 1)."""
    best = 0.731059
    logits = torch.tensor([best, 1 - best], dtype=torch.float64).log().requires_grad_()
    logps = logits.log_softmax(-1).unsqueeze(-1)
    mask, reference = torch.ones_like(logps), torch.full_like(logps, 0.5).log()
    kl = KLInReward(coefficient=1.0).in_reward(logps.detach(), reference, mask)
    rewards = penalised(Scores(torch.tensor([1.0, 0.0], dtype=torch.float64)), kl, 1.0, mask).total
    torch.testing.assert_close(rewards[0], rewards[1], atol=1e-5, rtol=0)  # nothing left to prefer
    (logps.exp().detach().squeeze(-1) * rewards * logps.squeeze(-1)).sum().backward()
    assert logits.grad.tolist() == pytest.approx([0.0, 0.0], abs=1e-5)


def test_metrics_name_the_coefficient_that_was_used():
    penalty = KLInLoss(coefficient=0.1, target=0.1, horizon=100)
    assert penalty.observe(1.0, 50) == {"kl/mean": 1.0, "kl/coefficient": 0.1}
    assert penalty.coefficient == pytest.approx(0.11)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coefficient": -1.0}, "coefficient is -1.0; give 0 or more"),
        ({"target": 0.0}, "target is 0.0"),
        ({"horizon": 0}, "horizon is 0"),
        ({"estimator": "k9"}, 'estimator is "k9"'),
    ],
)
def test_what_means_nothing_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        KLInLoss(**options)


def test_a_diverged_policy_stops_the_adaptive_controller():
    with pytest.raises(UserError, match="the measured KL is nan"):
        Controller(0.1, 0.1, 10).update(float("nan"), 1)
