"""Schedules against their formulas, at the ends, and at the step an evaluation belongs to."""

from __future__ import annotations

import math

import pytest

from crucible.errors import UserError
from crucible.rewards.schedule import Schedule
from tests.rewards.cases import context


def at(done: int, **options) -> float:
    """The weight in the training step that follows `done` steps."""
    return Schedule(steps=100, start=1.0, end=0.2, over=10, **options).at(context([], step=done + 1))


@pytest.mark.parametrize(
    ("shape", "done", "expected"),
    [
        ("linear", 0, 1.0), ("linear", 5, 0.6), ("linear", 10, 0.2), ("linear", 99, 0.2),
        ("cosine", 0, 1.0), ("cosine", 5, 0.6), ("cosine", 10, 0.2), ("cosine", 99, 0.2),
        ("cosine", 2, 0.2 + 0.8 * (1 + math.cos(math.pi / 5)) / 2),
        ("exponential", 0, 1.0), ("exponential", 10, 0.2 + 0.8 / math.e), ("exponential", 20, 0.2 + 0.8 / math.e**2),
    ],
)  # fmt: skip
def test_the_weight_is_the_formulas(shape, done, expected):
    assert at(done, shape=shape) == pytest.approx(expected, rel=1e-12)


def test_without_a_length_it_takes_the_whole_run():
    assert Schedule(steps=40).at(context([], step=21)) == pytest.approx(0.5)


def test_an_evaluation_has_the_weight_of_the_next_training_step():
    schedule = Schedule(steps=10)
    for done in range(10):
        assert schedule.at(context([], step=done, training=False)) == schedule.at(context([], step=done + 1))


@pytest.mark.parametrize("options", [{"shape": "lineer"}, {"over": 0}, {"start": math.inf}])
def test_what_makes_no_sense_is_refused(options):
    with pytest.raises(UserError, match="reward schedule: "):
        Schedule(steps=10, **options)
