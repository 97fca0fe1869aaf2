"""What holds for every reward shaping in conf/algo/shaping, unless its own test file says why not."""

from __future__ import annotations

import pytest
import torch
from rollout_cases import KINDS, SIZES, apply, case, cast, failing, methods, renamed, rows, unless, wider

from crucible.types import Scores

AXIS = "algo/shaping"
EVERY = pytest.mark.parametrize("name", methods(AXIS))
N = sum(SIZES)


def same(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


@EVERY
@KINDS
def test_scores_out_of_scores(name, kind):
    given = case(1, **kind)
    found = apply(AXIS, name, given)
    assert isinstance(found, Scores)
    assert found.total.shape == (N,)
    assert found.total.isfinite().all()
    assert found.components.keys() == given["scores"].components.keys()
    assert not found.total.requires_grad
    same(given["scores"].total, case(1, **kind)["scores"].total)  # the reward's own scores are left alone


@EVERY
def test_rewards_paid_by_token_still_add_up_to_the_total(name):
    given = case(2, steps=True)
    found = apply(AXIS, name, given)
    same((found.per_token * given["mask"]).sum(-1), found.total)


@EVERY
@KINDS
def test_padding_columns_are_not_seen(name, kind):
    given = case(3, **kind)
    same(apply(AXIS, name, wider(given, 3)).total, apply(AXIS, name, given).total)


@EVERY
@KINDS
def test_row_order_does_not_matter(name, kind):
    unless("shaping", name, "row_order")
    given = case(4, **kind)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(4))
    same(apply(AXIS, name, rows(given, order)).total, apply(AXIS, name, given).total[order])


@EVERY
def test_group_numbers_are_only_names(name):
    given = case(5)
    same(apply(AXIS, name, renamed(given)).total, apply(AXIS, name, given).total)


@EVERY
@KINDS
def test_rows_without_a_reward_are_as_if_absent(name, kind):
    given = case(6, **kind)
    lost = torch.zeros(N, dtype=torch.bool)
    lost[[1, 4, 8, 11]] = True
    found = apply(AXIS, name, failing(given, lost))
    without = apply(AXIS, name, rows(given, (~lost).nonzero().flatten()))
    same(found.total[~lost], without.total)
    assert torch.equal(found.valid, ~lost)
    nothing = apply(AXIS, name, failing(given, torch.ones(N, dtype=torch.bool)))
    assert not nothing.valid.any()


@EVERY
def test_rows_without_tokens_and_single_precision(name):
    given = case(7)
    given["mask"][[0, 5, 11]] = 0.0
    found = apply(AXIS, name, given).total
    assert found.isfinite().all()
    single = apply(AXIS, name, cast(given, torch.float32)).total
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), found, rtol=2e-4, atol=2e-4)
