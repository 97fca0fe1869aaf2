"""RLPR's filter by a moving threshold on the standard deviation of a prompt's rewards."""

from __future__ import annotations

import statistics

import pytest
import torch

from crucible.algorithms.filters.rlpr_std import RLPRStd
from crucible.errors import UserError
from crucible.types import Scores

GROUP = torch.tensor([4, 4, 4, 1, 1, 1, 9, 9, 9])


def step(draw, *, spread=1.0):
    return torch.rand(9, generator=draw, dtype=torch.float64) * spread


def oracle(history, group, beta, decay, first, start):
    """What is kept in the last step of `history`: lists in place of tensors, the whole past gone through again."""
    spreads = [
        {g: statistics.stdev(r for r, h in zip(rewards, group, strict=True) if h == g) for g in set(group)}
        for rewards in history
    ]
    means = [statistics.mean(s.values()) for s in spreads]
    now = len(history)
    if now < start:
        return [True] * len(group)
    average = statistics.mean(means[first - 1 : start - 1])
    for mean in means[start - 1 : now - 1]:
        average = decay * average + (1 - decay) * mean
    return [spreads[-1][g] >= beta * average for g in group]


@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_against_the_whole_past_gone_through_again(beta):
    draw = torch.Generator().manual_seed(1)
    part = RLPRStd(beta=beta, decay=0.7, average_from=2, filter_from=4)
    history, dropped = [], 0
    for number in range(12):
        rewards = step(draw, spread=1.0 + number % 3)
        history.append(rewards.tolist())
        kept = part(Scores(rewards), GROUP)
        assert kept.dtype == torch.bool
        assert kept.tolist() == oracle(history, GROUP.tolist(), beta, 0.7, 2, 4)
        dropped += int((~kept).sum())
    assert dropped > 0, "a case in which nothing is dropped shows nothing"


def test_the_worked_number():
    """EMA from 0.2 with a new 0.3 is 0.201; times beta 0.1005: a prompt at 0.1 goes, one at 0.101 stays."""
    part = RLPRStd(average_from=1, filter_from=2)
    group, half = torch.tensor([0, 0, 1, 1]), 0.5**0.5  # of two rewards r apart the standard deviation is r sqrt(1/2)

    def rewards(*spreads):
        return Scores(torch.tensor([x for s in spreads for x in (0.0, s / half)], dtype=torch.float64))

    part(rewards(0.2, 0.2), group)
    assert part(rewards(0.3, 0.3), group).tolist() == [True] * 4
    assert part.average == pytest.approx(0.2)
    assert part(rewards(0.1, 0.101), group).tolist() == [False, False, True, True]
    assert part.average == pytest.approx(0.201)


def test_rows_without_a_reward_and_single_rows_say_nothing():
    part = RLPRStd(average_from=1, filter_from=2)
    group, valid = torch.tensor([0, 0, 0, 1, 1, 2]), torch.tensor([True, True, False, False, True, True])
    scores = Scores(torch.tensor([0.0, 1.0, float("nan"), float("nan"), 1.0, 1.0]), valid=valid)
    assert part(scores, group).all()
    assert part(scores, group).tolist() == [True, True, True, False, False, False]
    assert part.average == pytest.approx(0.5**0.5)


def test_with_equal_rewards_only_the_average_decides():
    part = RLPRStd(average_from=1, filter_from=2)
    equal = Scores(torch.ones(9))
    part(equal, GROUP)
    assert part(equal, GROUP).all(), "the threshold is 0"
    nothing = RLPRStd(average_from=1, filter_from=2)
    lost = Scores(torch.zeros(9), valid=torch.zeros(9, dtype=torch.bool))
    assert nothing(lost, GROUP).all()
    assert nothing(lost, GROUP).all(), "without any average nothing is dropped"


@pytest.mark.parametrize("at", [1, 3, 5, 7])
def test_a_resumed_part_drops_what_it_would_have_dropped(at):
    draw = torch.Generator().manual_seed(2)
    whole, stopped, fresh = (RLPRStd(beta=1.0, decay=0.5, average_from=2, filter_from=4) for _ in range(3))
    past, future = ([Scores(step(draw)) for _ in range(n)] for n in (at, 6))
    for scores in past:
        whole(scores, GROUP), stopped(scores, GROUP)
    fresh.load_state_dict(stopped.state_dict())
    for scores in future:
        assert torch.equal(fresh(scores, GROUP), whole(scores, GROUP))
    assert fresh.average == whole.average


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decay": 1.1}, "decay=1.1 must be"), ({"beta": -0.1}, "beta=-0.1 must be"),
        ({"average_from": 11}, "average_from=11, filter_from=11"), ({"average_from": 0}, "from 1 on"),
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        RLPRStd(**options)
