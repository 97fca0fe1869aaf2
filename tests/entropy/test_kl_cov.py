"""KL-Cov: which tokens pay, how much, and with which gradient."""

from __future__ import annotations

import pytest
import torch

from crucible.algorithms.losses.ppo_clip import ppo_clip
from crucible.entropy.kl_cov import KLCov
from crucible.errors import UserError
from tests.entropy.world import Batch, step


def oracle(batch, *, ratio, coefficient):
    """{position: (penalty, its derivative)} of the tokens that pay, ranked by plain sorting."""
    at = [(i, t) for i, row in enumerate(batch.mask.tolist()) for t, m in enumerate(row) if m]
    a, lp, old = batch.advantages.tolist(), batch.logps.tolist(), batch.old_logps.tolist()
    mean_a = sum(a[i][t] for i, t in at) / len(at)
    mean_lp = sum(lp[i][t] for i, t in at) / len(at)
    ranked = sorted(at, key=lambda p: -(a[p[0]][p[1]] - mean_a) * (lp[p[0]][p[1]] - mean_lp))
    found = {}
    for i, t in ranked[: max(1, int(ratio * len(at)))]:
        moved = lp[i][t] - old[i][t]
        found[i, t] = (coefficient * abs(moved), coefficient * ((moved > 0) - (moved < 0)))
    return found


@pytest.mark.parametrize("pieces", [None, [[3, 1], [0, 2, 4, 5], [7, 6]]])
@pytest.mark.parametrize("ratio", [0.001, 0.2, 1.0])
def test_against_the_oracle(ratio, pieces):
    batch = Batch.random(rows=8, seed=2)
    wanted = oracle(batch, ratio=ratio, coefficient=0.7)
    done = step(KLCov(ratio=ratio, coefficient=0.7), batch, pieces)
    for i, row in enumerate(batch.mask.tolist()):
        for t in range(len(row)):
            value, slope = wanted.get((i, t), (0.0, 0.0))
            assert done.term[i, t].item() == pytest.approx(value, abs=1e-12)
            assert done.term_logps_gradient[i, t].item() == pytest.approx(slope, abs=1e-12)
    assert torch.equal(done.weights, batch.mask)


def test_worked_example():
    """cov = 3 .5 .5 3, one of four tokens pays .1; on top of the loss without a clip the mean is -.075167."""
    old = [[-0.1, -1.0, -2.0, -2.9]]
    batch = Batch.of([[2.0, 1.0, -1.0, -2.0]], [[0.0, -1.0, -2.0, -3.0]], old_logps=old)
    done = step(KLCov(ratio=0.25), batch)
    assert done.term[0].tolist() == pytest.approx([0.1, 0.0, 0.0, 0.0])
    unclipped = ppo_clip(batch.logps, batch.old_logps, batch.advantages, batch.mask, eps_low=1.0, eps_high=1000.0)
    assert unclipped.per_token.mean().item() == pytest.approx(-0.100167, abs=1e-6)
    assert (unclipped.per_token[0, 0] + done.term[0, 0]).item() == pytest.approx(-2.110342, abs=1e-6)
    assert (unclipped.per_token + done.term).mean().item() == pytest.approx(-0.075167, abs=1e-6)


def test_equal_covariances_give_the_wanted_number_however_the_rows_are_cut():
    """Equal advantages: every covariance is 0, and still just two tokens pay."""
    batch = Batch.of([[1.0]] * 8, [[-1.0]] * 8, old_logps=[[-1.5]] * 8)
    for pieces in (None, [[i] for i in range(8)]):
        assert step(KLCov(ratio=0.25), batch, pieces).term.count_nonzero() == 2


def test_nothing_happens_before_the_policy_has_moved():
    batch = Batch.random()
    batch.logps = batch.old_logps
    done = step(KLCov(ratio=1.0), batch)
    assert not done.term.any()
    assert not done.term_logps_gradient.any()


def test_two_passes_of_a_policy_may_differ_in_the_last_digits():
    """In float32 a pass without gradient and one with need not agree to the bit."""
    batch = Batch.random(rows=8)
    control = KLCov(ratio=0.2)
    mask = batch.mask
    control.weigh(batch.logps, batch.advantages, mask)
    noise = 1e-7 * torch.sin(torch.arange(40.0, dtype=torch.float64)).view(8, 5)
    chosen = control.loss_term(batch.logps + noise, batch.old_logps, batch.advantages, mask) > 0
    assert {tuple(p) for p in chosen.nonzero().tolist()} == set(oracle(batch, ratio=0.2, coefficient=1.0))


def test_it_tells_where_the_border_lies():
    control = KLCov(ratio=0.25)
    step(control, Batch.of([[2.0, 1.0, -1.0, -2.0]], [[0.0, -1.0, -2.0, -3.0]]))
    assert control.after_step(0.3) == {"entropy/covariance_threshold": pytest.approx(3.0)}


def test_what_it_cannot_use_is_refused():
    with pytest.raises(UserError, match=r"ratio is 1\.5"):
        KLCov(ratio=1.5)
