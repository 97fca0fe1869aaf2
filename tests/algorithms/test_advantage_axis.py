"""What holds for every advantage in conf/algo/advantage, unless its own test file says why not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from rollout_cases import KINDS, SIZES, apply, case, cast, failing, methods, renamed, rows, unless, wider

AXIS = "algo/advantage"
EVERY = pytest.mark.parametrize("name", methods(AXIS))
N = sum(SIZES)


def close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


@EVERY
@KINDS
@pytest.mark.parametrize("seed", [1, 2])
def test_shape_padding_and_finite(name, kind, seed):
    given = case(seed, **kind)
    found = apply(AXIS, name, given)
    assert found.values.shape == given["mask"].shape
    assert found.values.isfinite().all()
    assert torch.all(found.values[given["mask"] == 0] == 0)
    assert found.keep is None or (found.keep.dtype == torch.bool and found.keep.shape == (N,))
    assert not found.values.requires_grad


@EVERY
@KINDS
def test_padding_columns_are_not_seen(name, kind):
    given = case(3, **kind)
    found, base = apply(AXIS, name, wider(given, 3)).values, apply(AXIS, name, given).values
    close(found[:, :-3], base)
    assert torch.all(found[:, -3:] == 0)


@EVERY
@KINDS
@pytest.mark.parametrize("seed", [1, 2])
def test_row_order_does_not_matter(name, kind, seed):
    unless("advantages", name, "row_order")
    given = case(seed, **kind)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(seed))
    found, base = apply(AXIS, name, rows(given, order)), apply(AXIS, name, given)
    close(found.values, base.values[order])
    assert (found.keep is None) == (base.keep is None)
    assert found.keep is None or torch.equal(found.keep, base.keep[order])


@EVERY
def test_group_numbers_are_only_names(name):
    given = case(4)
    close(apply(AXIS, name, renamed(given)).values, apply(AXIS, name, given).values)


@EVERY
@KINDS
def test_rows_without_a_reward_are_as_if_absent(name, kind):
    given = case(5, **kind)
    lost = torch.zeros(N, dtype=torch.bool)
    lost[[1, 4, 8, 11]] = True  # one of several in three groups, and the whole of the group of one
    found = apply(AXIS, name, failing(given, lost))
    without = apply(AXIS, name, rows(given, (~lost).nonzero().flatten()))
    close(found.values[~lost], without.values)
    assert torch.all(found.values[lost] == 0)
    assert found.keep is not None
    assert not found.keep[lost].any()


@EVERY
def test_no_row_with_a_reward(name):
    found = apply(AXIS, name, failing(case(6), torch.ones(N, dtype=torch.bool)))
    assert torch.all(found.values == 0)
    assert not found.keep.any()


@EVERY
@pytest.mark.parametrize("reward", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_rewards_everywhere_give_exactly_zero(name, reward, dtype):
    """0.1 three times does not average to 0.1 in floating point; a small deviation must not blow that up."""
    unless("advantages", name, "equal_rewards")
    given = case(7, dtype=dtype)
    total = torch.full((N,), reward, dtype=dtype)
    scores = replace(given["scores"], total=total, components={"exact": total, "format": total})
    found = apply(AXIS, name, {**given, "scores": scores, "success": total})
    assert torch.all(found.values == 0)
    assert found.values.dtype == dtype


@EVERY
def test_a_group_of_one_says_nothing(name):
    unless("advantages", name, "group_of_one")
    found = apply(AXIS, name, case(8, graded=True))
    assert torch.all(found.values[11] == 0)
    alone = apply(AXIS, name, rows(case(8, graded=True), torch.tensor([0])))
    assert torch.all(alone.values == 0)


@EVERY
def test_rows_without_tokens(name):
    given = case(9)
    mask = given["mask"].clone()
    mask[[0, 5, 11]] = 0.0
    found = apply(AXIS, name, {**given, "mask": mask})
    assert torch.all(found.values[[0, 5, 11]] == 0)
    assert found.values.isfinite().all()
    assert torch.all(apply(AXIS, name, {**given, "mask": mask * 0}).values == 0)


@EVERY
@KINDS
def test_single_precision(name, kind):
    given = case(10, **kind)
    found, exact = apply(AXIS, name, cast(given, torch.float32)), apply(AXIS, name, given)
    assert found.values.dtype == torch.float32
    torch.testing.assert_close(found.values.double(), exact.values, rtol=2e-4, atol=2e-4)


@EVERY
def test_the_inputs_are_left_alone(name):
    given, before = case(11), case(11)
    apply(AXIS, name, given)
    close(given["scores"].total, before["scores"].total)
    for key in ("mask", "old_logps", "hidden", "values"):
        close(given[key], before[key])
