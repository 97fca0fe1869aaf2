"""No group filter."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.types import Scores


def keep_all(success: Tensor, scores: Scores, group: Tensor) -> Tensor:
    """(N,) bool, True everywhere."""
    return torch.ones_like(group, dtype=torch.bool)
