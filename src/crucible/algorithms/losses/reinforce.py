"""REINFORCE: the score function weighted by the advantage, with no importance ratio."""

from __future__ import annotations

from torch import Tensor

from crucible.algorithms.losses.base import report
from crucible.algorithms.ratio import log_ratio
from crucible.types import PolicyLoss


def reinforce(logps: Tensor, old_logps: Tensor, advantages: Tensor, mask: Tensor) -> PolicyLoss:
    """-A log pi. F = 1.

    Williams, 1992. Unbiased for the first update after a rollout only; later updates are off-policy and
    nothing corrects or bounds them. The regions in the diagnostics use a band of 0.2. It is also the loss of
    GPG, 2504.02546, whose own part is the advantage.
    """
    return PolicyLoss(-advantages * logps, report(log_ratio(logps, old_logps, mask), advantages, mask))
