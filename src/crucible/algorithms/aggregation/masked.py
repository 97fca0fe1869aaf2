"""Sums over real tokens, shared by the aggregations."""

from __future__ import annotations

import torch
from torch import Tensor


def row_sums(per_token: Tensor, mask: Tensor) -> Tensor:
    """(N,) sum over the real tokens of each row; what is stored on padding does not matter, not even NaN."""
    return torch.where(mask > 0, per_token, torch.zeros_like(per_token)).sum(-1)
