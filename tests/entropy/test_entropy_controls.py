"""Entropy controls: what they add to the loss, how they adapt, and that a checkpoint holds all of it."""

from __future__ import annotations

import copy

import pytest
import torch

from crucible.entropy.adaptive import AdaptiveEntropy
from crucible.entropy.bonus import EntropyBonus
from crucible.entropy.none import NoControl
from crucible.errors import UserError
from crucible.types import Advantages

ENTROPY = torch.tensor([[1.386294, 0.325083]], dtype=torch.float64)
MASK = torch.ones(1, 2, dtype=torch.float64)


def exact_entropy(logits):
    logps = logits.log_softmax(-1)
    return -(logps.exp() * logps).sum(-1)


@pytest.mark.parametrize("control", [NoControl(), EntropyBonus(), AdaptiveEntropy()])
def test_none_of_them_touches_the_advantages(control):
    advantages = Advantages(torch.ones(1, 2))
    assert control.shape(advantages, ENTROPY, MASK) is advantages
    assert control.shapes is False


def test_no_control_adds_nothing():
    control = NoControl()
    assert control.needs_gradient is False
    assert control.loss_term(ENTROPY, MASK) is None
    assert control.after_step(0.5) == {}
    assert control.state_dict() == {}
    control.load_state_dict({})


def test_bonus_worked_number():
    term = EntropyBonus(coefficient=0.01).loss_term(ENTROPY, MASK)
    assert float(term.mean()) == pytest.approx(-0.008557, abs=1e-6)
    assert EntropyBonus(coefficient=0.01).after_step(0.3) == {"entropy/coefficient": 0.01}


def test_bonus_gradient_is_that_of_the_entropy_and_raises_it():
    logits = torch.tensor([2.0, 1.0, 0.0], dtype=torch.float64, requires_grad=True)
    control = EntropyBonus(coefficient=1.0)
    assert control.needs_gradient
    control.loss_term(exact_entropy(logits), torch.ones(())).backward()
    expected = torch.tensor([-0.282587, 0.140770, 0.141817], dtype=torch.float64)
    torch.testing.assert_close(-logits.grad, expected, atol=1e-6, rtol=0)
    with torch.no_grad():
        assert exact_entropy(logits - 0.1 * logits.grad) > exact_entropy(logits)


def test_adaptive_worked_sequence():
    """Skywork-OR1's rule on entropies .15 .18 .25 .19: the bonus is off after the third."""
    control = AdaptiveEntropy(target=0.2, delta=1e-4)
    assert control.loss_term(ENTROPY, MASK) is None  # nothing measured yet
    seen = []
    for entropy in (0.15, 0.18, 0.25, 0.19):
        metrics = control.after_step(entropy)
        term = control.loss_term(ENTROPY, MASK)
        assert metrics["entropy/active"] == float(term is not None)
        if term is not None:
            torch.testing.assert_close(term, -metrics["entropy/coefficient"] * ENTROPY)
        seen.append((metrics["entropy/coefficient"], term is not None))
    assert [active for _, active in seen] == [True, True, False, True]
    assert [c for c, _ in seen] == pytest.approx([1e-4, 2e-4, 1e-4, 2e-4])


def test_adaptive_stays_within_its_limits_and_counts_the_target_as_reached():
    control = AdaptiveEntropy(target=0.2, delta=0.004, maximum=0.005, minimum=0.001, start=0.002)
    assert [control.after_step(0.1)["entropy/coefficient"] for _ in range(3)] == [0.005] * 3
    assert [control.after_step(0.2)["entropy/coefficient"] for _ in range(3)] == [0.001] * 3
    assert control.loss_term(ENTROPY, MASK) is None


def test_adaptive_goes_on_from_a_checkpoint():
    straight, stopped = AdaptiveEntropy(delta=0.001), AdaptiveEntropy(delta=0.001)
    for entropy in (0.1, 0.15, 0.3, 0.1):
        straight.after_step(entropy)
        stopped.after_step(entropy)
        state = copy.deepcopy(stopped.state_dict())
        stopped = AdaptiveEntropy(delta=0.001)
        stopped.load_state_dict(state)
        torch.testing.assert_close(stopped.loss_term(ENTROPY, MASK), straight.loss_term(ENTROPY, MASK))
        assert stopped.state_dict() == straight.state_dict()
    assert straight.state_dict() != AdaptiveEntropy().state_dict()


def test_adaptive_refuses_what_it_cannot_use():
    with pytest.raises(UserError, match=r"start is 0\.1"):
        AdaptiveEntropy(start=0.1, maximum=0.005)
    with pytest.raises(UserError, match="mean entropy is nan"):
        AdaptiveEntropy().after_step(float("nan"))
