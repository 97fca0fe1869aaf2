"""TER: w |H - target| of the mean entropy of an optimiser step, in value and in gradient."""

from __future__ import annotations

import pytest
import torch

from crucible.entropy.ter import TargetedEntropy
from tests.entropy.logits import entropy_and_gradient, exact_entropy
from tests.entropy.world import Batch, step


def oracle(rows, *, weight, target):
    """Loss of tokens with these logits, and its gradient by the chain rule through |.| and the mean."""
    found = [entropy_and_gradient(row) for row in rows]
    distance = sum(h for h, _ in found) / len(rows) - target
    side = (distance > 0) - (distance < 0)
    return weight * abs(distance), [[weight * side * d / len(rows) for d in g] for _, g in found]


@pytest.mark.parametrize("target", [0.1, 0.55, 0.9])
def test_value_and_gradient(target):
    rows = [[2.0, 1.0, 0.0], [0.5, 0.4, 0.3], [6.0, 0.0, -3.0], [3.0, 0.0, 0.0]]
    value, gradient = oracle(rows, weight=0.01, target=target)
    logits = torch.tensor(rows, dtype=torch.float64, requires_grad=True)
    entropy = exact_entropy(logits).view(2, 2)
    control = TargetedEntropy(weight=0.01, target=target)
    control.weigh(entropy.detach(), torch.ones_like(entropy))
    loss = control.loss_term(entropy).mean()
    loss.backward()
    assert loss.item() == pytest.approx(value, rel=1e-12)
    for found, wanted in zip(logits.grad.tolist(), gradient, strict=True):
        assert found == pytest.approx(wanted, abs=1e-15)


@pytest.mark.parametrize(("mean", "value"), [(0.3, 0.00025), (0.55, 0.0), (0.9, 0.00035)])
def test_worked_example(mean, value):
    done = step(TargetedEntropy(), Batch.of([[1.0]], [[-1.0]], entropy=[[mean]]))
    assert done.term.mean().item() == pytest.approx(value, abs=1e-12)
    assert bool(done.term_entropy_gradient.any()) == (value > 0)


def test_the_side_is_that_of_the_mean_not_of_the_token():
    """One token above and two below the target: the mean is below, so all are pushed up."""
    done = step(TargetedEntropy(target=0.5), Batch.of([[1.0] * 3], [[-1.0] * 3], entropy=[[0.7, 0.1, 0.1]]))
    assert done.term_entropy_gradient.flatten().tolist() == [-0.001] * 3
    assert done.weights.flatten().tolist() == [1.0] * 3
    assert TargetedEntropy(target=0.5).after_step(0.3) == {"entropy/distance": pytest.approx(-0.2)}
