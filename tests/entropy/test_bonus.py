"""The fixed bonus: -c H in value, -c grad H in gradient."""

from __future__ import annotations

import pytest

from crucible.entropy.bonus import EntropyBonus
from tests.entropy.logits import entropy_and_gradient, gradient_of
from tests.entropy.world import Batch, step

ROWS = [[2.0, 1.0, 0.0], [0.5, 0.5, 0.5], [6.0, 0.0, -3.0]]


def oracle(rows, c):
    """Sum of -c H over rows of logits, and its gradient."""
    found = [entropy_and_gradient(row) for row in rows]
    return -c * sum(h for h, _ in found), [[-c * d for d in g] for _, g in found]


def test_value_and_gradient():
    value, gradient = oracle(ROWS, 0.01)
    entropy = [[entropy_and_gradient(row)[0]] for row in ROWS]
    done = step(EntropyBonus(coefficient=0.01), Batch.of([[1.0]] * 3, [[-1.0]] * 3, entropy=entropy))
    assert done.term.sum().item() == pytest.approx(value, rel=1e-12)
    for found, wanted in zip(gradient_of(EntropyBonus(coefficient=0.01), ROWS), gradient, strict=True):
        assert found == pytest.approx(wanted, abs=1e-12)


def test_worked_example():
    """H = ln 4 and .325083, c = .01: mean contribution -.008557; dH/dz at logits 2 1 0."""
    done = step(EntropyBonus(coefficient=0.01), Batch.of([[1.0, 1.0]], [[-1.0, -1.0]], entropy=[[1.386294, 0.325083]]))
    assert done.term.mean().item() == pytest.approx(-0.008557, abs=1e-6)
    assert gradient_of(EntropyBonus(coefficient=-1.0), ROWS[:1])[0] == pytest.approx(
        [-0.282587, 0.140770, 0.141817], abs=1e-6
    )


def test_it_says_its_coefficient():
    assert EntropyBonus(coefficient=0.02).after_step(0.3) == {"entropy/coefficient": 0.02}
