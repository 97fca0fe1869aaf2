"""DAPO's filter keeps or drops whole groups."""

from __future__ import annotations

import pytest
import torch

from crucible.algorithms.filters.drop_without_signal import drop_without_signal
from crucible.errors import UserError
from crucible.types import Scores

#                 all right    mixed        all wrong    alone
SUCCESS = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0])
REWARD = torch.tensor([0.9, 0.7, 0.5, 0.5, 0.1, 0.1, 1.0])
GROUP = torch.tensor([4, 4, 1, 1, 9, 9, 7])


def oracle(measure, group):
    """Groups in which the measure takes two values."""
    return [len({m for m, h in zip(measure, group, strict=True) if h == g}) > 1 for g in group]


@pytest.mark.parametrize("seed", range(8))
def test_against_loops(seed):
    draw = torch.Generator().manual_seed(seed)
    success = torch.randint(0, 2, (12,), generator=draw).double()
    group = torch.randint(0, 5, (12,), generator=draw)
    expected = oracle(success.tolist(), group.tolist())
    assert drop_without_signal(success, Scores(success), group).tolist() == expected
    assert drop_without_signal(success, Scores(1 - success), group, by="success").tolist() == expected


def test_by_success_looks_at_right_and_wrong_only():
    kept = drop_without_signal(SUCCESS, Scores(REWARD), GROUP, by="success")
    assert kept.tolist() == [False, False, True, True, False, False, False]


def test_by_reward_looks_at_the_total_reward_only():
    kept = drop_without_signal(SUCCESS, Scores(REWARD), GROUP)
    assert kept.tolist() == [True, True, False, False, False, False, False]


def test_a_verdict_goes_before_the_value_of_a_reward():
    """Graded values differ in every group; Yes and No do not."""
    verdict = torch.tensor([True, True, True, False, False, False, True])
    kept = drop_without_signal(SUCCESS, Scores(REWARD, verdict=verdict), GROUP)
    assert kept.tolist() == [False, False, True, True, False, False, False]
    truth = 1 - SUCCESS  # the truth is not looked at
    assert drop_without_signal(truth, Scores(REWARD, verdict=verdict), GROUP).tolist() == kept.tolist()


def test_boolean_success():
    kept = drop_without_signal(SUCCESS.bool(), Scores(REWARD), GROUP, by="success")
    assert kept.tolist() == [False, False, True, True, False, False, False]


@pytest.mark.parametrize("by", ["success", "reward"])
def test_rows_without_reward_cannot_save_a_group(by):
    success = torch.tensor([1.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    valid = torch.tensor([True, True, False, True, True, False])
    reward = torch.where(valid, success, float("nan"))
    kept = drop_without_signal(success, Scores(reward, valid=valid), torch.tensor([0, 0, 0, 1, 1, 1]), by=by)
    assert kept.tolist() == [False, False, False, True, True, True]


def test_equal_rewards_are_equal_whatever_their_rounding():
    reward = torch.full((3,), 0.1)
    assert not drop_without_signal(reward, Scores(reward), torch.zeros(3), by="reward").any()


def test_unknown_measure_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match='did you mean "reward"'):
        drop_without_signal(SUCCESS, Scores(REWARD), GROUP, by="rewards")
