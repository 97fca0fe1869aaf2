"""Where weights lie in shards, a rank with fewer micro-batches goes along with the passes of the others."""

from __future__ import annotations

import pytest
import torch

from crucible.modules.microbatch import in_step
from crucible.ranks import ALONE, Ranks
from tests.policy.models import llama


class Busier(Ranks):
    """One of two ranks; the other has three micro-batches."""

    __slots__ = ()

    def gather(self, item):
        return [item, 3]


@pytest.mark.parametrize("own", [0, 1, 3])
def test_every_rank_makes_as_many_passes(own):
    policy, losses = llama(), []

    def backward(loss):
        losses.append(loss.item())
        loss.backward()

    parts = [object() for _ in range(own)]
    assert list(in_step(parts, Busier(0, 2, sharded=True), policy, backward)) == parts
    assert losses == [0.0] * (3 - own)
    gradients = [p.grad for p in policy.model.parameters()]
    assert all((g is None) == (own == 3) for g in gradients), "an idle pass reaches every weight"
    assert all(torch.count_nonzero(g) == 0 for g in gradients if g is not None)


@pytest.mark.parametrize("ranks", [ALONE, Busier(0, 2)], ids=["alone", "data parallel"])
def test_whole_weights_need_no_idle_passes(ranks):
    def never(loss):
        raise AssertionError

    assert list(in_step([1, 2], ranks, None, never)) == [1, 2]
