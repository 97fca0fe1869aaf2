"""The learned coefficient, against the derivative of its own objective taken numerically."""

from __future__ import annotations

import math

import pytest

from crucible.entropy.sac import LearnedCoefficient
from crucible.errors import UserError
from tests.entropy.logits import entropy_and_gradient, gradient_of
from tests.entropy.world import Batch, step


def oracle(entropies, *, target, lr, start, cap=None):
    """Coefficients after each entropy: descent on exp(a) (H - target) by central differences."""
    a, found = math.log(start), []
    for h in entropies:
        slope = (math.exp(a + 1e-6) * (h - target) - math.exp(a - 1e-6) * (h - target)) / 2e-6
        a -= lr * slope
        if cap is not None and math.exp(a) > cap:
            a = math.log(cap)
        found.append(math.exp(a))
    return found


@pytest.mark.parametrize("options", [{}, {"cap": 0.03}, {"target": 0.2, "lr": 20.0}])
def test_in_step_with_the_oracle(options):
    options = {"target": 1.0, "lr": 5.0, "start": 0.02} | options
    entropies = [0.1, 0.05, 0.2, 3.0, 2.0, 1.0, 0.0]
    control = LearnedCoefficient(**options)
    for h, c in zip(entropies, oracle(entropies, **options), strict=True):
        assert control.after_step(h)["entropy/coefficient"] == pytest.approx(c, rel=1e-7)
        done = step(control, Batch.of([[1.0]], [[-1.0]], entropy=[[0.7]]))
        assert done.term.item() == pytest.approx(-0.7 * c, rel=1e-7)


def test_worked_example():
    """c .01, H .5, target .3, an effective step of .1 on the logarithm: c = .01 exp(-.02) = .009802."""
    control = LearnedCoefficient(target=0.3, lr=0.1 / 0.01, start=0.01)
    assert control.after_step(0.5)["entropy/coefficient"] == pytest.approx(0.009802, abs=1e-6)


def test_at_the_target_it_rests_and_above_it_stays_positive():
    control = LearnedCoefficient(target=0.5, start=0.01, lr=10.0)
    assert control.after_step(0.5)["entropy/coefficient"] == pytest.approx(0.01)
    assert all(control.after_step(100.0)["entropy/coefficient"] > 0.0 for _ in range(20))


def test_gradient_is_that_of_the_entropy():
    _, gradient = entropy_and_gradient([2.0, 1.0, 0.0])
    found = gradient_of(LearnedCoefficient(start=0.02), [[2.0, 1.0, 0.0]])[0]
    assert found == pytest.approx([-0.02 * d for d in gradient])


@pytest.mark.parametrize(("options", "message"), [({"start": 0.0}, "start is 0.0"), ({"cap": 1e-4}, "at most cap")])
def test_what_it_cannot_use_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        LearnedCoefficient(**options)
