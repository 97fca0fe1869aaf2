"""Kahneman-Tversky optimisation: single answers called good or bad, against a point of reference."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.ratio import check_positive
from crucible.config.needs import needs
from crucible.types import PreferenceLoss


@needs(min_prompts_per_step=2, because="its point of reference needs an answer behind another prompt")
def kto(
    logps: Tensor,
    reference_logps: Tensor,
    desirable: Tensor,
    mismatched_log_ratio: float,
    *,
    beta: Annotated[float, "> 0"] = 0.1,
    desirable_weight: Annotated[float, "> 0"] = 1.0,
    undesirable_weight: Annotated[float, "> 0"] = 1.0,
) -> PreferenceLoss:
    """desirable_weight (1 - s(beta (u - z))) where desirable, else undesirable_weight (1 - s(beta (z - u))).

    KTO, 2402.01306: u = log pi(y) - log pi_ref(y), z = max(0, mean of u over answers put behind other prompts),
    a constant: an estimate of KL(pi || pi_ref). beta 0.1, weights 1; the paper wants desirable_weight n_desirable /
    (undesirable_weight n_undesirable) between 1 and 1.5.

    z is the mean over the whole step. A step may lack one of the two kinds.
    Differs from TRL: there z is the mean of each micro-batch.
    """
    check_positive("kto", beta=beta, desirable_weight=desirable_weight, undesirable_weight=undesirable_weight)
    u = beta * (logps - reference_logps)
    z = beta * max(0.0, mismatched_log_ratio)
    good = desirable_weight * (1.0 - (u - z).sigmoid())
    bad = undesirable_weight * (1.0 - (z - u).sigmoid())
    return PreferenceLoss(torch.where(desirable, good, bad), {"reward": u.detach(), "kl": torch.full_like(u, z / beta)})
