"""HEPO's mask on the advantages."""

from __future__ import annotations

import pytest
import torch

from crucible.entropy.hepo import HighEntropyAdvantage
from crucible.errors import UserError
from tests.entropy.world import Batch, shaped


def oracle(batch, *, share):
    """Advantages after plain sorting of the real tokens; ties by position."""
    at = [(i, t) for i, row in enumerate(batch.mask.tolist()) for t, m in enumerate(row) if m]
    ranked = sorted(at, key=lambda p: -float(batch.old_entropy[p]))
    kept = set(ranked[: max(int(share * len(at)), 1)])
    return [
        [a if (i, t) in kept else 0.0 for t, a in enumerate(row)] for i, row in enumerate(batch.advantages.tolist())
    ]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 1.0])
def test_against_the_oracle(share, seed):
    batch = Batch.random(rows=9, seed=seed)
    assert shaped(HighEntropyAdvantage(share=share), batch).values.tolist() == oracle(batch, share=share)


def test_padding_is_not_ranked():
    batch = Batch.of(
        [[1.0, 2.0, 0.0], [-1.0, -2.0, -3.0]],
        [[-1.0] * 3] * 2,
        old_entropy=[[0.1, 0.5, 9.0], [0.2, 0.4, 0.3]],
        mask=[[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]],
    )
    found = shaped(HighEntropyAdvantage(share=0.4), batch).values
    assert found.tolist() == [[0.0, 2.0, 0.0], [0.0, -2.0, 0.0]]


def test_equal_entropies_keep_the_number_and_the_first():
    batch = Batch.of([[1.0] * 5], [[-1.0] * 5])
    assert shaped(HighEntropyAdvantage(share=0.4), batch).values.tolist() == [[1.0, 1.0, 0.0, 0.0, 0.0]]


def test_all_of_it_changes_nothing():
    batch = Batch.random()
    assert torch.equal(shaped(HighEntropyAdvantage(share=1.0), batch).values, batch.advantages)


def test_a_share_that_is_none_is_refused():
    with pytest.raises(UserError, match=r"share is 0\.0"):
        HighEntropyAdvantage(share=0.0)
