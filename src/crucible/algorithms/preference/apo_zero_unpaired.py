"""Anchored preference optimisation, zero, on single answers called good or bad."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.ratio import check_positive
from crucible.types import PreferenceLoss


def apo_zero_unpaired(
    logps: Tensor,
    reference_logps: Tensor,
    desirable: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 0.1,
    desirable_weight: Annotated[float, "> 0"] = 1.0,
    undesirable_weight: Annotated[float, "> 0"] = 1.0,
) -> PreferenceLoss:
    """desirable_weight (1 - s(beta u)) where desirable, else undesirable_weight s(beta u).

    2408.06266, Eq. 7 taken apart; TRL's KTO loss_type "apo_zero_unpaired". u = log pi(y) - log pi_ref(y).
    """
    check_positive("apo_zero_unpaired", beta=beta)
    u = beta * (logps - reference_logps)
    per_item = torch.where(desirable, desirable_weight * (1.0 - u.sigmoid()), undesirable_weight * u.sigmoid())
    return PreferenceLoss(per_item, {"reward": u.detach()})
