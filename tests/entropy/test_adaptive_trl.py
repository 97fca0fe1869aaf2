"""TRL's adaptive bonus, in lock-step with a plain reading of its rule."""

from __future__ import annotations

import pytest

from crucible.entropy.adaptive_trl import AdaptiveEntropyTRL
from crucible.errors import UserError
from tests.entropy.logits import entropy_and_gradient, gradient_of
from tests.entropy.world import Batch, step

BATCH = Batch.of([[1.0, 1.0]], [[-1.0, -1.0]], entropy=[[1.386294, 0.325083]])


def oracle(entropies, *, target, delta, minimum, maximum, start):
    """(coefficient, applied?) after each measured entropy."""
    c, found = start, []
    for h in entropies:
        if h <= target:
            c = c + delta if c + delta < maximum else maximum
        else:
            c = c - delta if c - delta > minimum else minimum
        found.append((c, h <= target))
    return found


@pytest.mark.parametrize("options", [{}, {"delta": 0.4, "minimum": 0.1}, {"start": 3.0}])
def test_in_step_with_the_oracle(options):
    options = {"target": 0.2, "delta": 0.005, "minimum": 0.0, "maximum": 1.0, "start": 0.0} | options
    entropies = [0.1, 0.05, 0.2, 0.3, 0.25, 1.0, 0.2, 0.0, 0.0, 0.9]
    control = AdaptiveEntropyTRL(**options)
    assert not step(control, BATCH).term.any()  # nothing measured yet
    for h, (c, applied) in zip(entropies, oracle(entropies, **options), strict=True):
        assert control.after_step(h) == {"entropy/coefficient": pytest.approx(c), "entropy/active": float(applied)}
        wanted = -c * BATCH.entropy if applied else 0.0 * BATCH.entropy
        assert step(control, BATCH).term.flatten().tolist() == pytest.approx(wanted.flatten().tolist())


def test_worked_example():
    """Entropies .15 .18 .25 .19 with the defaults: c = .005, .010, .005, .010."""
    control = AdaptiveEntropyTRL()
    seen = [control.after_step(h)["entropy/coefficient"] for h in (0.15, 0.18, 0.25, 0.19)]
    assert seen == pytest.approx([0.005, 0.010, 0.005, 0.010])


def test_the_target_itself_counts_as_too_low():
    control = AdaptiveEntropyTRL()
    assert control.after_step(0.2) == {"entropy/coefficient": 0.005, "entropy/active": 1.0}


def test_gradient_is_that_of_the_entropy():
    control = AdaptiveEntropyTRL()
    control.after_step(0.1)
    _, gradient = entropy_and_gradient([2.0, 1.0, 0.0])
    assert gradient_of(control, [[2.0, 1.0, 0.0]])[0] == pytest.approx([-0.005 * d for d in gradient])


def test_what_it_cannot_use_is_refused():
    with pytest.raises(UserError, match=r"minimum 2\.0 is above maximum 1\.0"):
        AdaptiveEntropyTRL(minimum=2.0)
    with pytest.raises(UserError, match="mean entropy is inf"):
        AdaptiveEntropyTRL().after_step(float("inf"))
