"""Length-desensitised DPO: what a longer answer says beyond the length of the shorter counts less."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from torch import Tensor

from crucible.algorithms.preference.base import compared
from crucible.algorithms.ratio import check_positive
from crucible.errors import UserError
from crucible.types import PreferenceLoss


def ld_dpo(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    reference_chosen_logps: Tensor,
    reference_rejected_logps: Tensor,
    chosen_shared_logps: Tensor,
    rejected_shared_logps: Tensor,
    reference_chosen_shared_logps: Tensor,
    reference_rejected_shared_logps: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 0.1,
    alpha: Annotated[float, "0 to 1"] = 0.5,
) -> PreferenceLoss:
    """DPO with log pi(y) = the sum over the first p tokens + alpha x the rest, p the length of the shorter answer.

    LD-DPO, 2409.06411 (alpha 0.5); TRL's ld_alpha. alpha 1 is DPO, 0 leaves the rest out.
    """
    check_positive("ld_dpo", beta=beta)
    if not 0.0 <= alpha <= 1.0:
        raise UserError(f"ld_dpo: alpha is {alpha}; give 0 to 1")

    def ratio(total: Tensor, shared: Tensor, reference_total: Tensor, reference_shared: Tensor) -> Tensor:
        return beta * ((1.0 - alpha) * (shared - reference_shared) + alpha * (total - reference_total))

    better = ratio(chosen_logps, chosen_shared_logps, reference_chosen_logps, reference_chosen_shared_logps)
    worse = ratio(rejected_logps, rejected_shared_logps, reference_rejected_logps, reference_rejected_shared_logps)
    return compared(-F.logsigmoid(better - worse), better, worse)
