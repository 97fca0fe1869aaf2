"""Regression of the scores that people gave, attribute by attribute."""

from __future__ import annotations

import torch
from torch import Tensor


def regression(scores: Tensor, targets: Tensor, counted: Tensor | None = None) -> Tensor:
    """(r - target)^2 where `counted`, 0 elsewhere; the caller divides by the number counted in the whole step.

    The first stage of HelpSteer2-Preference, 2410.01257: answers that lack an attribute are masked in it. All (K, A)
    for A attributes, `counted` bool (None: all). A masked target may be anything, NaN too: it has no gradient.
    No signal: where nothing is counted.
    """
    error = scores - targets.to(scores.dtype)
    if counted is not None:
        error = torch.where(counted, scores, 0.0) - torch.where(counted, targets.to(scores.dtype), 0.0)
    return error.square()
