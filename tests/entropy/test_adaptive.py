"""Skywork-OR1's adaptive bonus, in lock-step with a plain reading of its rule."""

from __future__ import annotations

import pytest

from crucible.entropy.adaptive import AdaptiveEntropy
from crucible.errors import UserError
from tests.entropy.logits import entropy_and_gradient, gradient_of
from tests.entropy.world import Batch, step

BATCH = Batch.of([[1.0, 1.0]], [[-1.0, -1.0]], entropy=[[1.386294, 0.325083]])


def oracle(entropies, *, target, delta, minimum, maximum, start):
    """(coefficient, applied?) after each measured entropy."""
    c, found = start, []
    for h in entropies:
        c = c + delta if h < target else c - delta
        c = minimum if c < minimum else maximum if c > maximum else c
        found.append((c, h < target))
    return found


@pytest.mark.parametrize(
    "options", [{}, {"delta": 0.004, "minimum": 0.001, "start": 0.002}, {"target": 1.0, "delta": 1.0}]
)
def test_in_step_with_the_oracle(options):
    options = {"target": 0.2, "delta": 1e-4, "minimum": 0.0, "maximum": 0.005, "start": 0.0} | options
    entropies = [0.1, 0.05, 0.2, 0.3, 0.25, 1.0, 0.1999, 0.0, 0.0, 0.0]
    control = AdaptiveEntropy(**options)
    assert not step(control, BATCH).term.any()  # nothing measured yet
    for h, (c, applied) in zip(entropies, oracle(entropies, **options), strict=True):
        assert control.after_step(h) == {"entropy/coefficient": pytest.approx(c), "entropy/active": float(applied)}
        wanted = -c * BATCH.entropy if applied else 0.0 * BATCH.entropy
        assert step(control, BATCH).term.flatten().tolist() == pytest.approx(wanted.flatten().tolist())


def test_worked_example():
    """Entropies .15 .18 .25 .19 with the defaults: c = 1, 2, 1, 2 times 1e-4; off after the third."""
    control = AdaptiveEntropy()
    seen = [control.after_step(h) for h in (0.15, 0.18, 0.25, 0.19)]
    assert [m["entropy/coefficient"] for m in seen] == pytest.approx([1e-4, 2e-4, 1e-4, 2e-4])
    assert [m["entropy/active"] for m in seen] == [1.0, 1.0, 0.0, 1.0]


def test_gradient_is_that_of_the_entropy():
    control = AdaptiveEntropy(start=0.003)
    control.after_step(0.1)
    _, gradient = entropy_and_gradient([2.0, 1.0, 0.0])
    assert gradient_of(control, [[2.0, 1.0, 0.0]])[0] == pytest.approx([-0.0031 * d for d in gradient])


def test_what_it_cannot_use_is_refused():
    with pytest.raises(UserError, match=r"start is 0\.1"):
        AdaptiveEntropy(start=0.1, maximum=0.005)
    with pytest.raises(UserError, match="mean entropy is nan"):
        AdaptiveEntropy().after_step(float("nan"))
