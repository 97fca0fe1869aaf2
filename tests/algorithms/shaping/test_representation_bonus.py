"""The representation bonus, with numpy's inverse."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from advantage_cases import groups_of
from rollout_cases import case
from shaping_cases import agree, check, totals

from crucible.algorithms.shaping.representation_bonus import representation_bonus
from crucible.errors import UserError


def oracle(rows, beta=0.01, ridge=0.01, centre=True):
    found = [row.reward for row in rows]
    for members in groups_of(rows):
        states = np.array([rows[i].hidden for i in members])
        states = states - states.mean(0) if centre else states
        inverse = np.linalg.inv(sum(np.outer(h, h) for h in states) + ridge * np.eye(states.shape[1]))
        if any(rows[i].reward >= 1 for i in members):
            for i, h in zip(members, states, strict=True):
                found[i] += beta * h @ inverse @ h
    return found


def test_against_loops():
    agree(representation_bonus, oracle)
    options = {"beta": 2.0, "ridge": 0.5, "centre": False}
    agree(partial(representation_bonus, **options), partial(oracle, **options))


def test_worked_numbers():
    """Without centring and as the ridge goes to 0 equal states share one unit of leverage."""
    hidden = torch.tensor([[1.0, 0], [1, 0], [0, 1]], dtype=torch.float64)
    part = partial(representation_bonus, beta=1.0, ridge=1e-9, centre=False)
    check(part, [1, 0, 0], [1.5, 0.5, 1.0], hidden=hidden)


def test_no_bonus_where_nothing_is_right():
    hidden = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    check(representation_bonus, [0, 0.5, 0], [0, 0.5, 0], hidden=hidden)


def test_the_projection_is_fixed_and_keeps_lengths_on_average():
    given = case(3)
    given["hidden"] = torch.randn(len(given["group"]), 400, generator=torch.Generator().manual_seed(1)).double()
    one, same, other = (
        totals(
            partial(representation_bonus, beta=1.0, seed=seed), given["scores"].total.tolist(),
            given["group"].tolist(), hidden=given["hidden"],
        )
        for seed in (0, 0, 1)
    )  # fmt: skip
    assert one == same != other
    from crucible.algorithms.shaping.representation_bonus import _projected

    small = _projected(given["hidden"], 200, 0)
    assert float(small.square().sum() / given["hidden"].square().sum()) == pytest.approx(1.0, abs=0.1)


def test_no_ridge_is_refused():
    with pytest.raises(UserError, match="ridge is 0"):
        totals(partial(representation_bonus, ridge=0.0), [1], hidden=torch.zeros(1, 2))
