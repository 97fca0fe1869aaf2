"""What holds for every supervised loss in conf/algo/supervised: padding, micro-batches, ranges."""

from __future__ import annotations

import pytest
import torch
from loss_cases import rows_of, totals, value_and_slope
from torch.nn.functional import pad

from crucible.algorithms.aggregation.token_mean import token_mean
from crucible.algorithms.given import SUPERVISED, call, names
from supervised.supervised_cases import NAMES, built, demonstrations

EVERY = pytest.mark.parametrize("name", NAMES)


def loss_and_slope(part, given, whole):
    leaf = given["logps"].detach().clone().requires_grad_()
    loss = token_mean(call(part, given, logps=leaf).per_token, given["mask"], whole)
    loss.backward()
    return loss.detach(), leaf.grad


@EVERY
def test_it_names_what_there_is(name):
    assert set(names(built(name))) <= set(SUPERVISED)


@EVERY
@pytest.mark.parametrize("cut", [1, 3, 5])
def test_micro_batches_add_up_to_the_step(name, cut):
    given = demonstrations(1, empty=[2])
    whole = totals(given["mask"], 9)
    loss, slope = loss_and_slope(built(name), given, whole)
    order = torch.randperm(len(slope), generator=torch.Generator().manual_seed(cut))
    pieces = [loss_and_slope(built(name), rows_of(given, part), whole) for part in order.split(cut)]
    torch.testing.assert_close(sum(value for value, _ in pieces), loss, rtol=1e-12, atol=0)
    torch.testing.assert_close(torch.cat([s for _, s in pieces])[order.argsort()], slope, rtol=1e-12, atol=0)
    assert slope.abs().max() > 0


@EVERY
def test_padding_is_not_seen(name):
    given = demonstrations(2)
    wide = {k: pad(v, (0, 3), value=float("nan")) if torch.is_tensor(v) and v.dim() == 2 and v.is_floating_point()
            else v for k, v in given.items()}  # fmt: skip
    wide["mask"] = pad(given["mask"], (0, 3))
    _, slope = value_and_slope(built(name), given)
    _, wide_slope = value_and_slope(built(name), wide)
    torch.testing.assert_close(wide_slope[:, :-3], slope, rtol=1e-12, atol=0)


@EVERY
def test_the_numbers_of_float32(name):
    exact, near = demonstrations(3), demonstrations(3, dtype=torch.float32)
    near |= {k: v.float() for k, v in near.items() if torch.is_tensor(v) and v.dtype == torch.float64}
    value, slope = value_and_slope(built(name), exact)
    value32, slope32 = value_and_slope(built(name), near)
    assert value32.dtype == torch.float32
    torch.testing.assert_close(value32.double(), value, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(slope32.double(), slope, rtol=1e-5, atol=1e-5)
