"""CE-GPPO whose two coefficients move during training."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from crucible.ahead import looks_ahead
from crucible.algorithms.losses.ce_gppo import ce_gppo
from crucible.errors import UserError
from crucible.types import PolicyLoss


def _check(start: float, end: float) -> None:
    if not 0.0 <= start <= end <= 1.0:
        raise UserError(f"ce_gppo_scheduled: start is {start} and end is {end}; give 0 <= start <= end <= 1")


@looks_ahead(_check)
def ce_gppo_scheduled(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    progress: float,
    *,
    beta1_start: float = 0.0,
    beta1_end: float = 0.5,
    beta2_start: float = 1.0,
    beta2_end: float = 1.0,
    start: Annotated[float, "0 to 1"] = 0.5,
    end: Annotated[float, "0 to 1"] = 0.5,
    eps_low: Annotated[float, "0 to 1"] = 0.2,
    eps_high: Annotated[float, ">= 0"] = 0.2,
    dual_clip: Annotated[float, "> 1"] | None = 10.0,
) -> PolicyLoss:
    """CE-GPPO with beta = beta_start + (beta_end - beta_start) clip((progress - start) / (end - start), 0, 1).

    progress is the share of the run's steps that are done, 0 to 1. start = end is a jump: beta_start before it,
    beta_end from it on. F is CE-GPPO's with the betas of that moment. CE-GPPO, 2509.20712, Fig. 6: beta1 from
    0 to 0.5 (beta2 1) late in the run turns a rise of the entropy into a fall.

    Differs from the paper: its jump is at step 585; as a share of the run that is not found, and the middle is
    our default. The linear ramp (start < end) is ours.
    """
    _check(start, end)
    share = float(progress >= start) if start == end else (progress - start) / (end - start)
    share = min(max(share, 0.0), 1.0)
    return ce_gppo(
        logps,
        old_logps,
        advantages,
        mask,
        beta1=beta1_start + (beta1_end - beta1_start) * share,
        beta2=beta2_start + (beta2_end - beta2_start) * share,
        eps_low=eps_low,
        eps_high=eps_high,
        dual_clip=dual_clip,
    )
