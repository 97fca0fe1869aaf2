"""The 80/20 rule, against numpy's quantile and against TRL's own mask."""

from __future__ import annotations

import types

import numpy as np
import pytest
import torch

from crucible.entropy.top_entropy import TopEntropy
from crucible.errors import UserError
from tests.entropy.world import Batch, step


def oracle(batch, *, share):
    """Weights by numpy: linear interpolation, real tokens only."""
    entropy, mask = batch.entropy.numpy(), batch.mask.numpy() > 0
    border = np.quantile(entropy[mask], 1.0 - share, method="linear")
    return [
        [1.0 if m and h >= border else 0.0 for h, m in zip(*rows, strict=True)]
        for rows in zip(entropy, mask, strict=True)
    ]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 1.0])
def test_against_the_oracle(share, seed):
    batch = Batch.random(rows=9, seed=seed)
    assert step(TopEntropy(share=share), batch).weights.tolist() == oracle(batch, share=share)


@pytest.mark.parametrize("seed", range(3))
def test_parity_with_trl(seed):
    from trl import GRPOTrainer

    batch = Batch.random(rows=9, seed=seed)
    one_process = types.SimpleNamespace(pad_across_processes=lambda x, **_: x, gather=lambda x: x)
    trainer = types.SimpleNamespace(accelerator=one_process)
    theirs = GRPOTrainer.get_high_entropy_mask(trainer, batch.entropy.float(), batch.mask, 0.8)
    batch.entropy = batch.entropy.float().double()
    assert torch.equal(step(TopEntropy(share=0.2), batch).weights > 0, theirs)


def test_worked_example():
    """H = .1 .2 ... 1.0: the quantile is .82, so .9 and 1.0 learn."""
    entropy = [[0.1 * i for i in range(1, 11)]]
    done = step(TopEntropy(), Batch.of([[1.0] * 10], [[-1.0] * 10], entropy=entropy))
    assert done.weights.tolist() == [[0.0] * 8 + [1.0] * 2]


def test_equal_entropies_and_a_single_token_are_kept():
    assert step(TopEntropy(), Batch.of([[1.0] * 5], [[-1.0] * 5])).weights.tolist() == [[1.0] * 5]
    assert step(TopEntropy(), Batch.of([[1.0]], [[-1.0]])).weights.tolist() == [[1.0]]


def test_a_share_that_is_none_is_refused():
    with pytest.raises(UserError, match=r"share is 20\.0"):
        TopEntropy(share=20.0)
