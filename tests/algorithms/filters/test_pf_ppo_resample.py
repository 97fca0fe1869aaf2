"""PF-PPO as resampling."""

from __future__ import annotations

import pytest
import torch

from crucible.algorithms.filters.pf_ppo_resample import PFPPOResample
from crucible.errors import UserError
from crucible.types import Scores

EXCEPTIONS = {"keeps_or_drops": "rows are drawn at random, and more than once", "absent": "the draw is over all rows"}


def oracle(reward, rule, power=2.0):
    raw = {
        "pow": [abs(r) ** power for r in reward],
        "max_min": [float(r in (max(reward), min(reward))) for r in reward],
        "max_random": [0.4 if r == max(reward) else 0.1 for r in reward],
    }[rule]
    return [x / sum(raw) for x in raw]


REWARD = [2.0, -1.0, 0.5, 0.0]


@pytest.mark.parametrize(
    ("rule", "worked"),
    [
        ("pow", [0.761905, 0.190476, 0.047619, 0.0]),
        ("max_min", [0.5, 0.5, 0.0, 0.0]),
        ("max_random", [0.571429, 0.142857, 0.142857, 0.142857]),
    ],
)
def test_rows_are_drawn_as_often_as_their_weights_say(rule, worked):
    assert oracle(REWARD, rule) == pytest.approx(worked, abs=1e-6)
    part, scores = PFPPOResample(rule=rule), Scores(torch.tensor(REWARD, dtype=torch.float64))
    counts = torch.zeros(4)
    for _ in range(500):
        times = part(scores)
        assert times.dtype == torch.int64
        assert int(times.sum()) == 4
        counts += times
    assert (counts / 2000).tolist() == pytest.approx(worked, abs=0.04)
    assert all(n == 0 for n, w in zip(counts.tolist(), worked, strict=True) if w == 0)


def test_rows_without_a_reward_are_never_drawn():
    scores = Scores(torch.tensor([1.0, float("nan"), 0.5]), valid=torch.tensor([True, False, True]))
    for rule in ("pow", "max_min", "max_random"):
        part = PFPPOResample(rule=rule)
        assert all(int(part(scores)[1]) == 0 for _ in range(20))


def test_where_no_row_has_weight_all_are_kept_once():
    scores = Scores(torch.zeros(3), valid=torch.tensor([True, True, False]))
    assert PFPPOResample(rule="pow")(scores).tolist() == [1, 1, 0]


def test_a_resumed_part_draws_what_it_would_have_drawn():
    scores = Scores(torch.tensor(REWARD))
    straight, stopped = PFPPOResample(seed=3), PFPPOResample(seed=3)
    straight(scores), stopped(scores)
    fresh = PFPPOResample(seed=3)
    fresh.load_state_dict(stopped.state_dict())
    assert [fresh(scores).tolist() for _ in range(5)] == [straight(scores).tolist() for _ in range(5)]


def test_what_means_nothing_is_refused():
    with pytest.raises(UserError, match='did you mean "max_min"'):
        PFPPOResample(rule="maxmin")
    with pytest.raises(UserError, match="power"):
        PFPPOResample(rule="pow", power=0.0)
