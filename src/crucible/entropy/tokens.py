"""Statistics over the real tokens of a whole batch. What is stored on padding does not matter, not even NaN."""

from __future__ import annotations

import torch
from torch import Tensor


def on_real(values: Tensor, mask: Tensor) -> Tensor:
    """(N, T) the values, 0 on padding."""
    return torch.where(mask > 0, values, torch.zeros_like(values))


def mean(values: Tensor, mask: Tensor) -> Tensor:
    """Token mean; 0 where there is no token."""
    return on_real(values, mask).sum() / (mask > 0).sum().clamp(min=1)


def row_means(values: Tensor, mask: Tensor) -> Tensor:
    """(N,) mean over the tokens of each row; 0 for an empty row."""
    return on_real(values, mask).sum(-1) / (mask > 0).sum(-1).clamp(min=1)


def quantile(values: Tensor, q: float) -> Tensor:
    """The q-quantile of (M,) values, linear between neighbours (torch.quantile's, which refuses 16M values)."""
    ordered = values.sort().values
    at = q * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return torch.lerp(ordered[low], ordered[high], at - low)


def covariances(logps: Tensor, advantages: Tensor, mask: Tensor) -> Tensor:
    """(N, T) (A - mean A) (log pi - mean log pi), means over all real tokens; 0 on padding.

    Its mean is the covariance of the entropy theorem (2505.22617): where it is large and positive, a policy
    gradient step lowers the entropy most. Advantages are first measured from their least, so that equal ones
    give exactly 0.
    """
    a, lp = on_real(advantages, mask), on_real(logps, mask)
    if bool((mask > 0).any()):
        a = on_real(a - a[mask > 0].min(), mask)
    return on_real((a - mean(a, mask)) * (lp - mean(lp, mask)), mask)
