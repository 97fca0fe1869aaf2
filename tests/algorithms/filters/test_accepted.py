"""Rejection sampling."""

from __future__ import annotations

import pytest
import torch

from crucible.algorithms.filters.accepted import accepted
from crucible.errors import UserError
from crucible.types import Scores

EXCEPTIONS = {"keeps_or_drops": "of equal texts the first is kept, so the order of the rows matters"}


def oracle(reward, group, texts, *, threshold=1.0, most=None, distinct=True):
    """Row i is kept where fewer than `most` acceptable rows of its group, each text once, come before it."""
    n = len(reward)
    fine = [i for i in range(n) if threshold is None or reward[i] >= threshold]

    def before(i, j):
        return group[i] == group[j] and (reward[i], -i) > (reward[j], -j)

    if distinct:
        fine = [i for i in fine if not any(before(j, i) and texts[j] == texts[i] for j in fine)]
    return [i in fine and (most is None or sum(before(j, i) for j in fine) < most) for i in range(n)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "options",
    [{}, {"threshold": None, "most": 1}, {"threshold": 2.0, "distinct": False}, {"threshold": 1.0, "most": 2}],
)
def test_against_loops(seed, options):
    draw = torch.Generator().manual_seed(seed)
    reward = torch.randint(0, 4, (20,), generator=draw).double()
    group = torch.randint(0, 4, (20,), generator=draw)
    texts = [f"t{int(k)}" for k in torch.randint(0, 3, (20,), generator=draw)]
    found = accepted(Scores(reward), group, texts, **options)
    assert found.dtype == torch.bool
    assert found.tolist() == oracle(reward.tolist(), group.tolist(), texts, **options)


def test_worked_numbers():
    scores, group = Scores(torch.tensor([1.0, 0.0, 1.0, 1.0, 0.5])), torch.tensor([0, 0, 0, 1, 1])
    texts = ["a", "b", "a", "c", "d"]
    assert accepted(scores, group, texts).tolist() == [True, False, False, True, False]
    assert accepted(scores, group, texts, distinct=False).tolist() == [True, False, True, True, False]
    assert accepted(scores, group, texts, threshold=None, most=1).tolist() == [True, False, False, True, False]
    assert accepted(scores, group, texts, threshold=2.0).tolist() == [False] * 5
    lost = Scores(torch.tensor([float("nan"), 0.0, 1.0, 1.0, 0.5]), valid=torch.tensor([False, True, True, True, True]))
    assert accepted(lost, group, texts).tolist() == [False, False, True, True, False]


def test_which_rows_are_kept_depends_on_the_order_only_among_equal_ones():
    reward, group = torch.tensor([1.0, 3.0, 2.0, 3.0, 1.0, 2.0]), torch.tensor([0, 0, 0, 1, 1, 1])
    texts = ["a", "b", "c", "a", "b", "c"]
    base = accepted(Scores(reward), group, texts, most=2)
    order = torch.tensor([5, 2, 0, 3, 1, 4])
    again = accepted(Scores(reward[order]), group[order], [texts[i] for i in order.tolist()], most=2)
    assert torch.equal(again, base[order])


def test_none_of_a_group_is_refused():
    with pytest.raises(UserError, match="most is 0"):
        accepted(Scores(torch.zeros(1)), torch.zeros(1), ["a"], most=0)
