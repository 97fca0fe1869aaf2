"""What holds for every aggregation in conf/algo/aggregation."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rollout_cases import built, methods

from crucible.types import Totals

AXIS = "algo/aggregation"
EVERY = pytest.mark.parametrize("name", methods(AXIS))
LIMIT = 9


def batch(seed, rows=6, width=5):
    draw = torch.Generator().manual_seed(seed)
    lengths = torch.randint(0, width + 1, (rows,), generator=draw)
    mask = (torch.arange(width) < lengths.unsqueeze(-1)).double()
    return torch.randn(rows, width, generator=draw, dtype=torch.float64), mask


def totals(mask):
    return Totals(float(mask.sum()), float(len(mask)), LIMIT)


@EVERY
def test_garbage_on_padding_is_not_seen(name):
    values, mask = batch(22)
    dirty = torch.where(mask > 0, values, float("nan")).requires_grad_()
    found = built(AXIS, name)(dirty, mask, totals(mask))
    found.backward()
    assert float(found.detach()) == float(built(AXIS, name)(values, mask, totals(mask)))
    assert torch.all(dirty.grad[mask == 0] == 0)


@EVERY
def test_step_without_tokens_is_zero(name):
    values, mask = batch(23)
    leaf = values.clone().requires_grad_()
    found = built(AXIS, name)(leaf, mask * 0, totals(mask * 0))
    found.backward()
    assert float(found.detach()) == 0.0
    assert torch.all(leaf.grad == 0)
    assert float(built(AXIS, name)(values[:0], mask[:0], totals(mask[:0]))) == 0.0


@EVERY
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 999), cut=st.integers(1, 6), shuffled=st.booleans())
def test_micro_batches_add_up_to_the_whole_batch(name, seed, cut, shuffled):
    values, mask = batch(seed)
    step, part = totals(mask), built(AXIS, name)

    def value_and_gradient(pieces):
        leaf, value = values.clone().requires_grad_(), 0.0
        for rows in pieces:
            width = max(int(mask[rows].sum(-1).max()), 1)  # padding that only other rows need is cut off
            term = part(leaf[rows, :width].sin() ** 2, mask[rows, :width], step)
            term.backward()
            value += float(term.detach())
        return value, leaf.grad

    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed)) if shuffled else torch.arange(6)
    whole, gradient = value_and_gradient([torch.arange(6)])
    split, split_gradient = value_and_gradient(order.split(cut))
    assert split == pytest.approx(whole, rel=1e-12, abs=1e-14)
    torch.testing.assert_close(split_gradient, gradient, rtol=1e-12, atol=1e-15)


@EVERY
def test_row_order_and_precision(name):
    values, mask = batch(25)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    found, part = built(AXIS, name)(values, mask, totals(mask)), built(AXIS, name)
    torch.testing.assert_close(part(values[order], mask[order], totals(mask)), found)
    single = part(values.float(), mask.float(), totals(mask))
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), found, rtol=1e-5, atol=1e-6)
