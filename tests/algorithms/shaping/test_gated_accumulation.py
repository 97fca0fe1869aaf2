"""Gated reward accumulation."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from shaping_cases import agree, check, totals

from crucible.algorithms.shaping.gated_accumulation import gated_accumulation
from crucible.errors import UserError
from crucible.types import Scores


def oracle(rows, gate=0.0, weight=1.0):
    return [
        row.components["exact"] + (weight * row.components["format"] if row.components["exact"] > gate else 0.0)
        for row in rows
    ]


def test_against_loops():
    agree(gated_accumulation, oracle)
    options = {"low": {"format": 0.3}, "gate": 0.5}
    agree(partial(gated_accumulation, **options), partial(oracle, gate=0.5, weight=0.3))


def scores(**components):
    parts = {name: torch.tensor(x, dtype=torch.float64) for name, x in components.items()}
    return Scores(torch.zeros(len(next(iter(parts.values()))), dtype=torch.float64), parts)


def test_worked_numbers():
    """Outcome -1 with steps .2 and .3 stays -1; outcome 1 becomes 1.5."""
    given = scores(exact=[-1.0, 1.0], step=[0.2, 0.2], tool=[0.3, 0.3])
    check(gated_accumulation, [0, 0], [-1, 1.5], scores=given)


def test_parts_of_components_and_the_truth_are_not_taken():
    given = scores(**{"exact": [1.0], "format": [0.5], "format/a": [9.0], "true/steps": [9.0]})
    check(gated_accumulation, [0], [1.5], scores=given)


def test_the_main_reward_is_the_first_component_or_the_one_that_is_named():
    given = scores(format=[1.0, 0.0], exact=[0.0, 1.0])
    check(gated_accumulation, [0, 0], [1, 0], scores=given)
    check(partial(gated_accumulation, high="exact"), [0, 0], [0, 1], scores=given)
    with pytest.raises(UserError, match="has no components"):
        totals(gated_accumulation, [1.0])


def test_unknown_components_are_refused_with_the_nearest_name():
    with pytest.raises(UserError, match='did you mean "exact"'):
        totals(partial(gated_accumulation, high="exat"), [0], scores=scores(exact=[1.0]))
    with pytest.raises(UserError, match="no component style"):
        totals(partial(gated_accumulation, low={"style": 1.0}), [0], scores=scores(exact=[1.0]))
