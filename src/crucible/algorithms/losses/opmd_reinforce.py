"""OPMD reduced to REINFORCE: mirror descent's gradient at the old policy, damped by 1 / (1 + tau)."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from crucible.algorithms.losses.base import report
from crucible.algorithms.ratio import log_ratio
from crucible.errors import UserError
from crucible.types import PolicyLoss


def opmd_reinforce(
    logps: Tensor, old_logps: Tensor, advantages: Tensor, mask: Tensor, *, tau: Annotated[float, ">= 0"] = 1.0
) -> PolicyLoss:
    """-A log pi / (1 + tau). F = 1 / (1 + tau).

    Trinity-RFT's simple variant of Kimi's mirror descent (2501.12599), tau 1; A = reward - mean of the group
    (algo/advantage=group_center), token_mean. Only the size of the step differs from REINFORCE, so with AdamW and no
    other term in the loss tau hardly matters. Nothing bounds later updates of a rollout step.
    """
    if not tau >= 0.0:
        raise UserError(f"opmd_reinforce: tau is {tau}; give 0 or more")
    return PolicyLoss(-advantages * logps / (1.0 + tau), report(log_ratio(logps, old_logps, mask), advantages, mask))
