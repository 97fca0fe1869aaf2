"""The coefficient that is inversely proportional to the entropy."""

from __future__ import annotations

import pytest

from crucible.entropy.target_ratio import TargetRatio
from crucible.errors import UserError
from tests.entropy.logits import entropy_and_gradient, gradient_of
from tests.entropy.world import Batch, step


def oracle(last, *, target, coefficient, floor):
    """The coefficient after the entropy `last`; None: nothing measured."""
    if last is None:
        return coefficient
    return coefficient * target / (floor if last < floor else last)


@pytest.mark.parametrize("last", [None, 2.0, 1.0, 0.5, 0.01, 0.0])
def test_value_and_gradient(last):
    options = {"target": 0.8, "coefficient": 0.002, "floor": 0.02}
    control, c = TargetRatio(**options), oracle(last, **options)
    if last is not None:
        assert control.after_step(last) == {"entropy/coefficient": pytest.approx(c)}
    assert step(control, Batch.of([[1.0]], [[-1.0]], entropy=[[0.7]])).term.item() == pytest.approx(-0.7 * c)
    _, gradient = entropy_and_gradient([2.0, 1.0, 0.0])
    assert gradient_of(control, [[2.0, 1.0, 0.0]])[0] == pytest.approx([-c * d for d in gradient])


def test_at_the_target_it_is_the_plain_bonus():
    assert TargetRatio(target=0.5, coefficient=0.003).after_step(0.5)["entropy/coefficient"] == pytest.approx(0.003)


def test_what_it_cannot_use_is_refused():
    with pytest.raises(UserError, match=r"floor is 0\.0"):
        TargetRatio(floor=0.0)
