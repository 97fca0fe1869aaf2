"""StableReinforce's advantage: standard scores of the batch, without its outliers."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.groups import on_tokens, rewards
from crucible.algorithms.returns import standardised
from crucible.types import Advantages, Scores


def stable_reinforce(
    scores: Scores, group: Tensor, mask: Tensor, *, sigmas: float = 3.0, eps: float = 1e-8
) -> Advantages:
    """z = (R - mean) / (std + eps) over the rows of the batch, n - 1 in the variance; 0 where |z| > sigmas.

    R1-Reward, 2505.02835 (the paper's rule; the authors' code filters raw values outside the mean +- 3, or |A| > 10).
    The row stays in the update. Of n rows none can exceed (n - 1) / sqrt(n), so nothing is ever filtered among
    fewer than 11. Its pre-clip of the ratio belongs to the loss. Equal rewards in the batch: 0.
    """
    total = rewards(scores)
    valid = torch.ones_like(total, dtype=torch.bool) if scores.valid is None else scores.valid
    z = standardised(total, valid, eps=eps)
    return on_tokens(torch.where(z.abs() > sigmas, torch.zeros_like(z), z), scores, mask)
