"""PF-PPO's filtration."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from crucible.algorithms.filters.pf_ppo import pf_ppo
from crucible.errors import UserError
from crucible.types import Scores


def oracle(reward, group, worst=True):
    kept = []
    for r, g in zip(reward, group, strict=True):
        mine = [s for s, h in zip(reward, group, strict=True) if h == g]
        kept.append(r == max(mine) or (worst and r == min(mine)))
    return kept


@pytest.mark.parametrize("seed", range(8))
def test_against_loops(seed):
    draw = torch.Generator().manual_seed(seed)
    reward = torch.randint(0, 4, (12,), generator=draw).double()
    group = torch.randint(0, 4, (12,), generator=draw)
    scores = Scores(reward)
    assert pf_ppo(scores, group).tolist() == oracle(reward.tolist(), group.tolist())
    assert pf_ppo(scores, group, rule="best").tolist() == oracle(reward.tolist(), group.tolist(), worst=False)


def test_worked_numbers():
    group = torch.zeros(4, dtype=torch.int64)
    assert pf_ppo(Scores(torch.tensor([2, -1, 0.5, 0])), group).tolist() == [True, True, False, False]
    assert pf_ppo(Scores(torch.tensor([0.1, 0.9, 0.5, 0.4])), group).tolist() == [True, True, False, False]
    best = partial(pf_ppo, rule="best")
    assert best(Scores(torch.tensor([0.1, 0.9, 0.5, 0.4])), group).tolist() == [False, True, False, False]


def test_equal_rewards_are_kept_and_rows_without_one_are_not():
    scores = Scores(torch.tensor([1.0, 1.0, float("nan")]), valid=torch.tensor([True, True, False]))
    assert pf_ppo(scores, torch.zeros(3, dtype=torch.int64)).tolist() == [True, True, False]


def test_an_unknown_rule_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match='did you mean "best_worst"'):
        pf_ppo(Scores(torch.zeros(1)), torch.zeros(1), rule="bestworst")
