"""AEPO: which rows train, and with what."""

from __future__ import annotations

import pytest
import torch

from crucible.entropy.arbitrary_entropy import ArbitraryEntropy
from crucible.entropy.base import More
from crucible.errors import UserError
from crucible.types import Advantages

TEMPERED = torch.tensor([False] * 6 + [True] * 4)
VALUES = torch.tensor([1.0, -1.0, 0.5, -0.5, 0.0, 0.0, 2.0, -2.0, 0.1, 0.3])


def oracle(values, tempered, limit):
    """(advantages of the tempered rows that train, how many rows give way): the first good ones, each with 1."""
    good = [i for i, (a, t) in enumerate(zip(values, tempered, strict=True)) if t and a > 0]
    ones = {i: 1.0 for i in good[: min(limit, tempered.count(False))]}
    return ones, len(ones)


def shaped(control, keep=None):
    mask = torch.ones(10, 3)
    mask[0, 1:] = 0.0
    found = control.shape(Advantages(VALUES.unsqueeze(-1) * mask, keep=keep), TEMPERED, mask)
    return found.values, found.keep, mask


@pytest.mark.parametrize(("limit", "entropy"), [(60, 0.1), (2, 0.1), (1, 0.9), (0, 0.9)])
def test_good_tempered_rows_take_the_place_of_others(limit, entropy):
    control = ArbitraryEntropy(rows_hot=limit, rows_cold=limit)
    control.after_step(entropy)
    values, keep, mask = shaped(control)
    ones, number = oracle(VALUES.tolist(), TEMPERED.tolist(), limit)
    assert keep[TEMPERED].nonzero().flatten().tolist() == [i - 6 for i in ones]
    assert all(values[i].tolist() == [1.0] * 3 for i in ones)
    assert int(keep[:6].sum()) == 6 - number
    torch.testing.assert_close(values[:6], VALUES[:6].unsqueeze(-1) * mask[:6])
    assert int(keep.sum()) == 6


def test_the_side_of_the_target_chooses_temperature_and_limit():
    control = ArbitraryEntropy(target=0.5, rows_hot=3, rows_cold=1)
    assert control.more() is None  # nothing was measured
    for entropy, temperature, rows in ((0.4, 1.2, 3), (0.5, 1.2, 3), (0.6, 0.8, 1)):
        control.after_step(entropy)
        assert control.more() == More(0.25, temperature)
        assert int(shaped(control)[1][TEMPERED].sum()) == rows


def test_rows_without_a_reward_neither_train_nor_give_way():
    control = ArbitraryEntropy()
    control.after_step(0.1)
    lost = torch.tensor([True] * 5 + [False] + [False] + [True] * 3)
    _, keep, _ = shaped(control, keep=lost)
    assert not keep[[5, 6]].any()
    assert keep[[8, 9]].all()
    assert int(keep[:5].sum()) == 3


def test_who_gives_way_is_drawn_and_comes_back_after_a_resume():
    one, drawn = ArbitraryEntropy(seed=1, rows_hot=1), set()
    one.after_step(0.1)
    for _ in range(30):
        other = ArbitraryEntropy(seed=1, rows_hot=1)
        other.load_state_dict(one.state_dict())
        keep = shaped(one)[1]
        assert torch.equal(keep, shaped(other)[1])
        drawn |= set((~keep[:6]).nonzero().flatten().tolist())
    assert drawn == set(range(6))


@pytest.mark.parametrize(
    ("options", "message"), [({"cold": 1.5}, "cold is 1.5"), ({"share": 0.0}, "share"), ({"rows_hot": -1}, "rows_hot")]
)
def test_what_means_nothing_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        ArbitraryEntropy(**options)
