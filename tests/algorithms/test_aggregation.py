"""Aggregations: the formulas row by row, and the same gradient however the batch is cut."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_cases import ALL_LOSSES, random_batch, totals

from crucible.algorithms.aggregation.seq_mean_token_mean import seq_mean_token_mean
from crucible.algorithms.aggregation.seq_mean_token_sum import seq_mean_token_sum
from crucible.algorithms.aggregation.seq_mean_token_sum_norm import seq_mean_token_sum_norm
from crucible.algorithms.aggregation.token_mean import token_mean
from crucible.algorithms.aggregation.token_sum import token_sum

LIMIT = 9
ALL = [token_mean, token_sum, seq_mean_token_mean, seq_mean_token_sum, seq_mean_token_sum_norm]


def by_loops(name, per_token, mask):
    rows = [[v for v, m in zip(vs, ms, strict=True) if m] for vs, ms in zip(per_token, mask, strict=True)]
    everything = sum(sum(row) for row in rows)
    return {
        "token_mean": lambda: everything / sum(len(row) for row in rows),
        "token_sum": lambda: everything,
        "seq_mean_token_mean": lambda: sum(sum(row) / len(row) for row in rows if row) / len(rows),
        "seq_mean_token_sum": lambda: everything / len(rows),
        "seq_mean_token_sum_norm": lambda: everything / len(rows) / LIMIT,
    }[name]()


@pytest.mark.parametrize("aggregate", ALL)
def test_formula(aggregate):
    values, _, _, mask = random_batch(21)
    mask[1] = 0.0
    found = aggregate(values, mask, totals(mask, LIMIT))
    assert float(found) == pytest.approx(by_loops(aggregate.__name__, values.tolist(), mask.tolist()))


@pytest.mark.parametrize("aggregate", ALL)
def test_garbage_on_padding_is_not_seen(aggregate):
    values, _, _, mask = random_batch(22)
    dirty = torch.where(mask > 0, values, float("nan")).requires_grad_()
    found = aggregate(dirty, mask, totals(mask, LIMIT))
    found.backward()
    assert float(found.detach()) == float(aggregate(values, mask, totals(mask, LIMIT)))
    assert torch.all(dirty.grad[mask == 0] == 0)


@pytest.mark.parametrize("aggregate", ALL)
def test_step_without_tokens_is_zero(aggregate):
    values, _, _, mask = random_batch(23)
    leaf = values.clone().requires_grad_()
    found = aggregate(leaf, mask * 0, totals(mask * 0, LIMIT))
    found.backward()
    assert float(found.detach()) == 0.0
    assert torch.all(leaf.grad == 0)
    assert float(aggregate(values[:0], mask[:0], totals(mask[:0], LIMIT))) == 0.0


@pytest.mark.parametrize("aggregate", ALL)
@pytest.mark.parametrize("name", ALL_LOSSES)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 999), cut=st.integers(1, 6), shuffled=st.booleans())
def test_micro_batches_add_up_to_the_whole_batch(aggregate, name, seed, cut, shuffled):
    logps, old, advantages, mask = random_batch(seed)
    step = totals(mask, LIMIT)

    def value_and_gradient(pieces):
        leaf = logps.clone().requires_grad_()
        value = 0.0
        for rows in pieces:
            width = int(mask[rows].sum(-1).max())  # padding that only other rows need is cut off
            part = [x[rows, :width] for x in (leaf, old, advantages, mask)]
            term = aggregate(ALL_LOSSES[name](*part).per_token, part[3], step)
            term.backward()
            value += float(term.detach())
        return value, leaf.grad

    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed)) if shuffled else torch.arange(6)
    whole, gradient = value_and_gradient([torch.arange(6)])
    split, split_gradient = value_and_gradient(order.split(cut))
    assert split == pytest.approx(whole, rel=1e-12, abs=1e-14)
    torch.testing.assert_close(split_gradient, gradient, rtol=1e-12, atol=1e-15)
