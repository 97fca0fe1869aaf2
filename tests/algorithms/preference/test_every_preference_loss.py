"""What holds for every preference loss in conf/algo/preference: names, micro-batches, order, float32, reports."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from crucible.algorithms.given import call
from preference.preference_cases import FILES, LOGPS, OF_ANSWERS, OF_PAIRS, answers, built, pairs, value_and_slopes

EVERY = pytest.mark.parametrize("name", FILES)


def case(name: str, **how):
    return (pairs(7, **how), LOGPS) if name in OF_PAIRS else (answers(7, **how), ("logps",))


def ready(name: str, given):
    """The loss, having seen the step where it wants to."""
    loss = built(name)
    if hasattr(loss, "observe"):
        call(loss.observe, given)
    return loss


def test_every_loss_is_of_pairs_or_of_answers():
    assert set(OF_PAIRS) | set(OF_ANSWERS) == set(FILES)
    assert not set(OF_PAIRS) & set(OF_ANSWERS)
    assert len(OF_PAIRS) > 15
    assert len(OF_ANSWERS) >= 3


@EVERY
def test_each_item_stands_alone_so_micro_batches_and_order_change_nothing(name):
    given, leaves = case(name)
    loss = ready(name, given)
    whole = value_and_slopes(loss, given, leaves)
    order = torch.randperm(len(whole[0]), generator=torch.Generator().manual_seed(1))
    pieces = [
        value_and_slopes(loss, {k: v[i] if isinstance(v, Tensor) else v for k, v in given.items()}, leaves)
        for i in order.split(2)
    ]
    for column, expected in enumerate(whole):
        found = torch.cat([piece[column] for piece in pieces])[order.argsort()]
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


@EVERY
def test_float32_has_the_same_numbers(name):
    (exact, leaves), (near, _) = case(name), case(name, dtype=torch.float32)
    for a, b in zip(
        value_and_slopes(ready(name, exact), exact, leaves),
        value_and_slopes(ready(name, near), near, leaves),
        strict=True,
    ):
        assert b.dtype == torch.float32
        torch.testing.assert_close(b.double(), a, rtol=2e-4, atol=2e-5)


@EVERY
def test_rewards_are_reported_without_a_gradient(name):
    given, leaves = case(name)
    given |= {leaf: given[leaf].clone().requires_grad_() for leaf in leaves}
    found = call(ready(name, given), given).diagnostics
    assert {"chosen_reward", "rejected_reward"} <= found.keys() if name in OF_PAIRS else "reward" in found
    assert all(value.shape == given[leaves[0]].shape and not value.requires_grad for value in found.values())
