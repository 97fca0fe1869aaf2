"""Generalised advantage estimation against the backward recursion, one token at a time."""

from __future__ import annotations

from math import sqrt
from statistics import mean, variance

import pytest
import torch

from crucible.algorithms.advantages.gae import gae
from crucible.errors import UserError
from crucible.types import Scores

EXCEPTIONS = {
    "equal_rewards": "advantages are measured from the critic's values, not from each other",
    "group_of_one": "there are no groups: a completion is compared with the critic's values",
}


def oracle(paid, values, mask, gamma, lam):
    """Advantages of one row, unwhitened; uncounted tokens are passed over."""
    found, following, carried = [0.0] * len(paid), 0.0, 0.0
    for t in reversed(range(len(paid))):
        if mask[t]:
            delta = paid[t] + gamma * following - values[t]
            carried = delta + gamma * lam * carried
            found[t], following = carried, values[t]
    return found


def world(seed=0, rows=5, width=7, holes=True):
    draw = torch.Generator().manual_seed(seed)
    mask = (torch.arange(width) < torch.tensor([7, 4, 1, 6, 0])[:rows, None]).double()
    if holes:
        mask[0, 2] = mask[3, 0] = 0.0
    paid = torch.randn(rows, width, generator=draw, dtype=torch.float64) * mask
    values = torch.randn(rows, width, generator=draw, dtype=torch.float64)
    return Scores(paid.sum(-1), per_token=paid), mask, values


def expected(scores, mask, values, gamma, lams):
    rows = zip(scores.per_token.tolist(), values.tolist(), mask.tolist(), lams, strict=True)
    return torch.tensor([oracle(p, v, m, gamma, lam) for p, v, m, lam in rows], dtype=torch.float64)


@pytest.mark.parametrize("gamma", [1.0, 0.9])
@pytest.mark.parametrize("lam", [1.0, 0.5, 0.0])
def test_advantages_and_returns(gamma, lam):
    scores, mask, values = world()
    found = gae(scores, mask, values, gamma=gamma, lam=lam, whiten=False)
    raw = expected(scores, mask, values, gamma, [lam] * 5)
    torch.testing.assert_close(found.values, raw)
    torch.testing.assert_close(found.returns, (raw + values) * mask)


def test_whitened_over_all_tokens_and_the_returns_are_not():
    scores, mask, values = world(1)
    found, raw = gae(scores, mask, values, lam=0.7), expected(scores, mask, values, 1.0, [0.7] * 5)
    every = raw[mask > 0].tolist()
    whitened = (raw - mean(every)) / sqrt(variance(every) + 1e-8) * mask
    torch.testing.assert_close(found.values, whitened)
    torch.testing.assert_close(found.returns, (raw + values) * mask)


def test_decoupled_and_length_adaptive():
    """VAPO: the critic learns from lam 1, the actor's lam depends on the length."""
    scores, mask, values = world(2)
    found = gae(scores, mask, values, critic_lam=1.0, length_alpha=0.3, whiten=False)
    lams = [max(1 - 1 / (0.3 * max(n, 1)), 0.0) for n in mask.sum(-1).tolist()]
    assert min(lams) == 0.0 < max(lams)
    torch.testing.assert_close(found.values, expected(scores, mask, values, 1.0, lams))
    torch.testing.assert_close(found.returns, (expected(scores, mask, values, 1.0, [1.0] * 5) + values) * mask)


def row(paid, values, mask=(1.0, 1.0, 1.0), **options):
    paid, values, mask = (torch.tensor([x], dtype=torch.float64) for x in (paid, values, mask))
    return gae(Scores(paid.sum(-1), per_token=paid), mask, values, whiten=False, **options)


def test_the_worked_examples():
    assert row([0, 0, 1], [0.5, 0.5, 0.5]).values.tolist() == [[0.5, 0.5, 0.5]]
    assert row([0, 0, 1], [0.5, 0.5, 0.5]).returns.tolist() == [[1.0, 1.0, 1.0]]
    assert row([0, 0, 1], [0.5, 0.5, 0.5], lam=0.5).values.tolist() == [[0.125, 0.25, 0.5]]
    assert row([0, 0, 1], [0.5, 0.7, 0.5], (1.0, 0.0, 1.0), lam=0.5).values.tolist() == [[0.25, 0.0, 0.5]]
    scores = Scores(torch.ones(1, dtype=torch.float64))
    for length, lam in ((1000, 0.98), (719, 1 - 1 / (0.05 * 719))):  # the latter 0.972184
        long = torch.ones(1, length, dtype=torch.float64)
        adaptive = gae(scores, long, 0 * long, length_alpha=0.05, whiten=False).values
        torch.testing.assert_close(adaptive, gae(scores, long, 0 * long, lam=lam, whiten=False).values)
    assert lam == pytest.approx(0.972184, abs=1e-6)


def test_without_per_token_rewards_the_total_is_on_the_last_token():
    _, mask, values = world(3, holes=False)
    total = torch.arange(5.0, dtype=torch.float64)
    paid = torch.zeros_like(mask)
    for i, n in enumerate(mask.sum(-1).long().tolist()):
        if n:
            paid[i, n - 1] = total[i]
    dense = gae(Scores(paid.sum(-1), per_token=paid), mask, values, lam=0.9)
    torch.testing.assert_close(gae(Scores(total), mask, values, lam=0.9).values, dense.values)


def test_one_token():
    assert row([2.0], [0.5], (1.0,)).values.tolist() == [[1.5]]
    one = torch.ones(1, 1)
    assert gae(Scores(torch.ones(1)), one, one * 0.5).values.tolist() == [[0.0]]  # nothing to be compared with


@pytest.mark.parametrize("options", [{"gamma": 1.1}, {"lam": -0.1}, {"critic_lam": 2.0}, {"length_alpha": 0.0}])
def test_what_means_nothing_is_refused(options):
    with pytest.raises(UserError, match="gae: "):
        row([1.0], [0.0], (1.0,), **options)
