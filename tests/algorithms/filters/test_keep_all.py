"""No filter."""

from __future__ import annotations

import torch

from crucible.algorithms.filters.keep_all import keep_all
from crucible.types import Scores


def oracle(reward, group):
    return [True] * len(reward)


def test_everything_is_kept():
    reward, group = [0.0, 0.0, 1.0], [4, 4, 7]
    found = keep_all(torch.tensor(reward), Scores(torch.tensor(reward)), torch.tensor(group))
    assert found.tolist() == oracle(reward, group)
