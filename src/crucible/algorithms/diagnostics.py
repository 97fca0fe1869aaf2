"""What every policy loss reports about its importance ratios: (N, T) tensors, logged as token means."""

from __future__ import annotations

import torch
from torch import Tensor

# The band used for reporting by losses that have no bound on a side: CE-GPPO's eps (2509.20712, section 4.1).
REPORT_EPS = 0.2


@torch.no_grad()
def ratio_diagnostics(
    ratio: Tensor,
    log_ratio: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    eps_low: float,
    eps_high: float,
    dual_clip: float | None = None,
) -> dict[str, Tensor]:
    """Where the ratios lie on CE-GPPO's map (2509.20712, Eq. 8; strict inequalities). (N, T), 0 on padding.

    preserved_left       1 where ratio < 1 - eps_low and A < 0 (region NA&LP, beta1's)
    preserved_right      1 where ratio > 1 + eps_high and A > 0 (region PA&LP, beta2's)
    clip_fraction        1 in either: the tokens whose gradient PPO's clip removes
    dual_clip_fraction   1 where ratio > dual_clip and A < 0 (no gradient); 0 everywhere without a dual clip
    ratio_mean           the ratio
    kl_old               log pi_old - log pi_theta, whose mean estimates KL(old || new), in nats

    The two preserved_* name regions, so runs of different losses can be compared. CE-GPPO and GPPO preserve
    the gradient there, CISPO and REINFORCE too (with their own weight); PPO and GSPO remove it.
    """
    left = (ratio < 1.0 - eps_low) & (advantages < 0)
    right = (ratio > 1.0 + eps_high) & (advantages > 0)
    cap = float("inf") if dual_clip is None else dual_clip
    found = {
        "clip_fraction": left | right,
        "preserved_left": left,
        "preserved_right": right,
        "dual_clip_fraction": (ratio > cap) & (advantages < 0),
        "ratio_mean": ratio,
        "kl_old": -log_ratio,
    }
    return {name: torch.where(mask > 0, value.to(ratio.dtype), 0.0) for name, value in found.items()}


@torch.no_grad()
def quadrants(old_logps: Tensor, advantages: Tensor, mask: Tensor, *, low: float = 0.5) -> dict[str, Tensor]:
    """The four token kinds of CE-GPPO (2509.20712, section 3.2): sign of the advantage x probability.

    (N, T) indicators pa_hp, pa_lp, na_hp, na_lp; 0 on padding and where the advantage is 0. A token counts as
    low-probability when pi_old < `low`; the paper gives no threshold (not found), 0.5 is ours.
    """
    positive, negative = advantages > 0, advantages < 0
    rare = old_logps.exp() < low
    found = {
        "pa_hp": positive & ~rare,
        "pa_lp": positive & rare,
        "na_hp": negative & ~rare,
        "na_lp": negative & rare,
    }
    return {name: (value & (mask > 0)).to(old_logps.dtype) for name, value in found.items()}
