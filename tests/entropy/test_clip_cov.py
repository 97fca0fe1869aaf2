"""Clip-Cov: who is a candidate, how many are drawn, and that the draw is seeded."""

from __future__ import annotations

import pytest

from crucible.entropy.clip_cov import ClipCov
from crucible.errors import UserError
from tests.entropy.world import Batch, step

EXAMPLE = Batch.of([[2.0, 1.0, -1.0, -2.0]], [[0.0, -1.0, -2.0, -3.0]])


def oracle(batch, *, ratio, low, high, eps_low, eps_high):
    """Positions of the candidates, and how many of them are drawn."""
    at = [(i, t) for i, row in enumerate(batch.mask.tolist()) for t, m in enumerate(row) if m]
    a, lp, old = (
        {p: x[p[0]][p[1]] for p in at}
        for x in (batch.advantages.tolist(), batch.logps.tolist(), batch.old_logps.tolist())
    )
    mean_a, mean_lp = sum(a.values()) / len(at), sum(lp.values()) / len(at)
    found = set()
    for p in at:
        ratio_of_p = 2.718281828459045 ** (lp[p] - old[p])
        clipped = (a[p] > 0 and ratio_of_p > 1 + eps_high) or (a[p] < 0 and ratio_of_p < 1 - eps_low)
        if low < (a[p] - mean_a) * (lp[p] - mean_lp) < high and not clipped:
            found.add(p)
    wanted = int(ratio * len(at))
    return found, min(len(found), wanted if wanted > 1 else 1)


def left_out(control, batch):
    weights = step(control, batch).weights
    return {
        (i, t) for i, row in enumerate(weights.tolist()) for t, w in enumerate(row) if batch.mask[i, t] and w == 0.0
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("eps", [0.1, 1.0])
def test_against_the_oracle(seed, eps):
    options = {"ratio": 0.1, "low": 0.5, "high": 4.0, "eps_low": eps, "eps_high": eps}
    batch = Batch.random(rows=12, seed=seed)
    candidates, number = oracle(batch, **options)
    chosen = left_out(ClipCov(**options), batch)
    assert chosen <= candidates
    assert len(chosen) == number > 0
    assert left_out(ClipCov(**options | {"ratio": 1.0}), batch) == candidates


def test_worked_example():
    """cov = 3 .5 .5 3: tokens 0 and 3 are candidates, one of them is drawn; either, over the seeds."""
    seen = [left_out(ClipCov(seed=seed), EXAMPLE) for seed in range(20)]
    assert all(len(chosen) == 1 for chosen in seen)
    assert set.union(*seen) == {(0, 0), (0, 3)}


def test_the_draw_follows_from_the_seed_and_its_number():
    def draws(control):
        return [left_out(control, EXAMPLE) for _ in range(12)]

    assert draws(ClipCov(seed=3)) == draws(ClipCov(seed=3))
    assert draws(ClipCov(seed=3)) != draws(ClipCov(seed=4))
    later = ClipCov(seed=3)
    later.load_state_dict({"draws": 5})
    assert draws(later)[:7] == draws(ClipCov(seed=3))[5:]


def test_no_candidate_leaves_plain_ppo():
    constant = Batch.of([[0.3] * 4], [[0.0, -1.0, -2.0, -3.0]])
    assert left_out(ClipCov(low=0.0), constant) == set()
    assert left_out(ClipCov(), Batch.of([[1.0]], [[-1.0]])) == set()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"ratio": 0.0}, "ratio is 0.0"), ({"low": 5.0}, "low < high"), ({"eps_low": 2.0}, "eps_low is 2.0")],
)
def test_what_it_cannot_use_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        ClipCov(**options)
