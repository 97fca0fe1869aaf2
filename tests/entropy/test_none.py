"""No control: nothing is added, weighed or changed."""

from __future__ import annotations

import torch

from crucible.entropy.none import NoControl
from tests.entropy.world import Batch, step


def oracle(batch):
    """Advantages as they are, weight 1, no term."""
    return batch.advantages, batch.mask, 0.0 * batch.mask


def test_it_leaves_everything_as_it_is():
    batch = Batch.random()
    done = step(NoControl(), batch)
    for found, wanted in zip((done.advantages, done.weights, done.term), oracle(batch), strict=True):
        assert torch.equal(found, wanted)
    assert NoControl.needs_gradient is False
    assert NoControl.shapes is False
    assert NoControl().after_step(0.5) == {}
    assert NoControl().state_dict() == {}
