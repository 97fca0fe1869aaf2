"""What holds for every filter in conf/algo/filter."""

from __future__ import annotations

import pytest
import torch
from rollout_cases import SIZES, apply, case, failing, methods, renamed, rows, unless, wider

AXIS = "algo/filter"
EVERY = pytest.mark.parametrize("name", methods(AXIS))
N = sum(SIZES)


@EVERY
@pytest.mark.parametrize("graded", [False, True])
def test_keeps_or_drops_rows_whatever_their_order_padding_and_group_numbers(name, graded):
    unless("filters", name, "keeps_or_drops")
    given = case(1, graded=graded)
    base = apply(AXIS, name, given)
    assert base.shape == (N,)
    assert base.dtype == torch.bool
    order = torch.randperm(N, generator=torch.Generator().manual_seed(1))
    assert torch.equal(apply(AXIS, name, rows(given, order)), base[order])
    assert torch.equal(apply(AXIS, name, wider(given, 2)), base)
    assert torch.equal(apply(AXIS, name, renamed(given)), base)


@EVERY
def test_rows_without_a_reward_decide_nothing(name):
    unless("filters", name, "absent")
    given = case(2)
    lost = torch.zeros(N, dtype=torch.bool)
    lost[[1, 4, 8, 11]] = True
    found = apply(AXIS, name, failing(given, lost))
    without = apply(AXIS, name, rows(given, (~lost).nonzero().flatten()))
    assert torch.equal(found[~lost], without)
    assert apply(AXIS, name, failing(given, ~torch.zeros(N, dtype=torch.bool))).shape == (N,)
