"""What holds for every auxiliary loss in conf/algo/auxiliary that is taken on sampled tokens.

Those on reference answers are called elsewhere; tests/algorithms/auxiliary/test_verifree.py cuts and shares them out.
"""

from __future__ import annotations

import pytest
import torch
from rollout_cases import SIZES, built, case, failing, methods, rows, wider

from crucible.algorithms.given import call

AXIS = "algo/auxiliary"
SAMPLED = [name for name in methods(AXIS) if hasattr(built(AXIS, name), "per_token")]
EVERY = pytest.mark.parametrize("name", SAMPLED)
N = sum(SIZES)


def with_policy(given):
    """The update stage: a policy that has moved a little from the one that sampled."""
    return {**given, "logps": given["old_logps"] * 0.9, "rewards": given["scores"].total}


def term(part, given, chosen):
    """The term of the loss and its gradient on log pi, from these rows of the update."""
    weights = call(part.select, given)
    total = weights.sum().clamp(min=1.0)
    piece = rows({**with_policy(given), "weights": weights}, chosen)
    leaf = piece["logps"].detach().clone().requires_grad_()
    value = part.coefficient * (piece["weights"] * call(part.per_token, {**piece, "logps": leaf})).sum() / total
    value.backward()
    return value.detach(), leaf.grad


@EVERY
def test_weights_are_on_counted_tokens_of_rows_with_a_reward(name):
    given = case(1)
    weights = call(built(AXIS, name).select, given)
    assert weights.shape == given["mask"].shape
    assert torch.all(weights[given["mask"] == 0] == 0)
    assert (weights >= 0).all()
    lost = torch.zeros(N, dtype=torch.bool)
    lost[[0, 4, 11]] = True
    assert torch.all(call(built(AXIS, name).select, failing(given, lost))[lost] == 0)


@EVERY
def test_padding_is_not_seen(name):
    given = case(2)
    value, slope = term(built(AXIS, name), given, torch.arange(N))
    wide_value, wide_slope = term(built(AXIS, name), wider(given, 3), torch.arange(N))
    torch.testing.assert_close(wide_value, value)
    torch.testing.assert_close(wide_slope[:, :-3], slope)
    assert torch.all(wide_slope[:, -3:] == 0)


@EVERY
@pytest.mark.parametrize("cut", [1, 3, 5])
def test_micro_batches_add_up(name, cut):
    given = case(3)
    value, slope = term(built(AXIS, name), given, torch.arange(N))
    order = torch.randperm(N, generator=torch.Generator().manual_seed(cut))
    pieces = [term(built(AXIS, name), given, piece) for piece in order.split(cut)]
    torch.testing.assert_close(sum(v for v, _ in pieces), value)
    torch.testing.assert_close(torch.cat([s for _, s in pieces])[order.argsort()], slope)
    assert slope.isfinite().all()


@EVERY
def test_rows_without_tokens(name):
    given = case(4)
    given["mask"][[0, 5]] = 0.0
    value, slope = term(built(AXIS, name), given, torch.arange(N))
    assert value.isfinite()
    assert torch.all(slope[[0, 5]] == 0)


def test_every_auxiliary_loss_is_of_one_kind_or_the_other():
    kinds = {name: built(AXIS, name) for name in methods(AXIS)}
    assert all(hasattr(part, "per_token") != hasattr(part, "per_answer") for part in kinds.values())
    assert all(hasattr(part, "select") == hasattr(part, "per_token") for part in kinds.values())
    assert len(SAMPLED) >= 2
