"""Trust-GRPO on its worked numbers and at its edges."""

from __future__ import annotations

import pytest

from crucible.errors import UserError
from crucible.rewards.trust import Trust
from tests.rewards.parts import NONE, Fixed, of, values


def test_the_worked_example():
    """mu_c 0.2, mu_w 0.8: gamma exp(-0.6); the wrong row gets 0.131715 at the start and 0.079889 at half the run."""
    reward = Trust(outcome=Fixed(1.0, 0.0), thinking=Fixed(0.2, 0.8), steps=100)
    first = of(reward, 2, group=2, step=1)
    assert first.components["trust"].tolist() == pytest.approx([0.548812] * 2, abs=1e-6)
    assert values(first)[1] == pytest.approx(0.131715, abs=1e-6)
    assert values(of(reward, 2, group=2, step=51))[1] == pytest.approx(0.079889, abs=1e-6)
    sooner = Trust(outcome=Fixed(1.0, 0.0), thinking=Fixed(0.2, 0.8), steps=1000, decay_steps=100)
    assert values(of(sooner, 2, group=2, step=51))[1] == pytest.approx(0.079889, abs=1e-6)


@pytest.mark.parametrize(
    ("outcome", "thinking"),
    [
        ((1.0, 0.0), (0.8, 0.2)),  # the thinking of right rows is better
        ((0.0, 0.0), (0.2, 0.8)),  # none is right
        ((1.0, 1.0), (-0.2, -0.8)),  # none is wrong
        ((1.0, NONE), (0.2, 0.8)),  # the wrong side has no outcome
    ],
)
def test_full_trust(outcome, thinking):
    scores = of(Trust(outcome=Fixed(*outcome), thinking=Fixed(*thinking), steps=10), 2, group=2)
    assert scores.components["trust"].nanmean().item() == 1.0
    expected = [
        None if o != o else pytest.approx(o + 0.3 * t, abs=1e-6) for o, t in zip(outcome, thinking, strict=True)
    ]
    assert values(scores) == expected


def test_each_prompt_has_its_own_trust():
    scores = of(Trust(outcome=Fixed(1, 0, 1, 0), thinking=Fixed(0.2, 0.8, 0.8, 0.2), steps=10), 4, group=2)
    assert scores.components["trust"].tolist() == pytest.approx([0.548812, 0.548812, 1.0, 1.0], abs=1e-6)


@pytest.mark.parametrize("options", [{"alpha": -0.1}, {"decay_steps": 0}])
def test_bad_options_are_refused(options):
    with pytest.raises(UserError, match=r"^reward trust: "):
        Trust(outcome=Fixed(), thinking=Fixed(), steps=10, **options)
