"""REINFORCE: the score function weighted by the advantage, with no importance ratio."""

from __future__ import annotations

from torch import Tensor

from crucible.algorithms.diagnostics import REPORT_EPS, ratio_diagnostics
from crucible.algorithms.ratio import importance_ratio, log_ratio
from crucible.types import PolicyLoss


def reinforce(logps: Tensor, old_logps: Tensor, advantages: Tensor, mask: Tensor) -> PolicyLoss:
    """-A log pi. F = 1.

    Williams, 1992. Unbiased for the first update after a rollout only; later updates are off-policy and
    nothing corrects or bounds them. The regions in the diagnostics use a band of 0.2.
    """
    log_delta = log_ratio(logps, old_logps, mask)
    return PolicyLoss(
        -advantages * logps,
        ratio_diagnostics(
            importance_ratio(log_delta), log_delta, advantages, mask, eps_low=REPORT_EPS, eps_high=REPORT_EPS
        ),
    )
