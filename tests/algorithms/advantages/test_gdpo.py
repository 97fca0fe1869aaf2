"""GDPO."""

from __future__ import annotations

from functools import partial
from statistics import mean, stdev

import pytest
import torch
from advantage_cases import agree, check, groups_of

from crucible.algorithms.advantages.gdpo import gdpo
from crucible.errors import UserError
from crucible.types import Scores

EXCEPTIONS = {"group_of_one": "the batch score comes last, so a row of a group without signal gets -mean / std"}


def oracle(rows, weights=None, eps=1e-4):
    weights = weights or {"exact": 1.0, "format": 1.0}
    mixed = [0.0] * len(rows)
    for name, weight in weights.items():
        for members in groups_of(rows):
            value = [rows[i].components[name] for i in members]
            spread = stdev(value) if len(value) > 1 else 0.0
            for i, v in zip(members, value, strict=True):
                mixed[i] += weight * (v - mean(value)) / (spread + eps)
    if len(rows) < 2:
        return [0.0] * len(rows)
    return [(a - mean(mixed)) / (stdev(mixed) + eps) for a in mixed]


def test_against_loops():
    agree(gdpo, oracle)
    weights = {"exact": 2.0, "format": -0.5}
    agree(partial(gdpo, weights=weights), partial(oracle, weights=weights))


def scores(**components):
    parts = {name: torch.tensor(x, dtype=torch.float64) for name, x in components.items()}
    return Scores(sum(parts.values()), parts)


def test_worked_numbers():
    given = scores(correct=[1.0, 0, 0, 0], format=[0, 1.0, 0, 1.0])
    check(gdpo, [0] * 4, [0.689442, 0.398089, -1.485620, 0.398089], scores=given, close=2e-6)
    given = scores(r1=[1.0, 0, 1, 0], r2=[0.0, 0, 1, 1])
    check(gdpo, [0] * 4, [0.866025, -0.866025] * 2, [0, 0, 1, 1], scores=given, close=2e-4)


def test_components_that_cancel():
    check(gdpo, [0] * 4, [0] * 4, [0, 0, 1, 1], scores=scores(r1=[1.0, 0, 1, 0], r2=[0.0, 1, 0, 1]))


def test_a_part_of_a_component_and_the_truth_are_not_taken():
    both = scores(**{"exact": [1.0, 0.0], "exact/digits": [0.0, 5.0], "true/steps": [0.0, 9.0]})
    alone = scores(exact=[1.0, 0.0])
    check(gdpo, [0, 0], [0.707007, -0.707007], scores=alone, close=1e-4)
    check(gdpo, [0, 0], [0.707007, -0.707007], scores=both, close=1e-4)


def test_a_component_without_a_number_is_left_out_on_that_row():
    given = scores(exact=[1.0, 0.0, 1.0], format=[float("nan"), 1.0, 1.0])
    given.total = torch.ones(3, dtype=torch.float64)
    check(gdpo, [0] * 3, [0.577317, -1.154634, 0.577317], scores=given, close=3e-4)


def test_unknown_components_are_refused_with_the_nearest_name():
    with pytest.raises(UserError, match='did you mean "format"'):
        check(partial(gdpo, weights={"formt": 1.0}), [0], [0], scores=scores(format=[1.0]))
    with pytest.raises(UserError, match="has no components"):
        check(gdpo, [0.0], [0])
