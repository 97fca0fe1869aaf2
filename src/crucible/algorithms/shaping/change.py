"""Putting a new total into Scores."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from crucible.algorithms.returns import last_token
from crucible.types import Scores


def with_total(scores: Scores, total: Tensor, mask: Tensor) -> Scores:
    """The scores with `total` (N,) on rows that have a reward. Paid token by token, the change is on the last token."""
    if scores.valid is not None:
        total = torch.where(scores.valid, total, scores.total)
    if scores.per_token is None:
        return replace(scores, total=total)
    extra = (total - scores.total).unsqueeze(-1)
    return replace(
        scores, total=total, per_token=torch.where(last_token(mask), scores.per_token + extra, scores.per_token)
    )
