"""DPO that also imitates the better answer."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from torch import Tensor

from crucible.algorithms.preference.base import compared
from crucible.algorithms.ratio import check_positive
from crucible.errors import UserError
from crucible.types import PreferenceLoss


def rpo(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    reference_chosen_logps: Tensor,
    reference_rejected_logps: Tensor,
    chosen_lengths: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 0.1,
    alpha: Annotated[float, ">= 0"] = 1.0,
) -> PreferenceLoss:
    """-log s(beta d) - alpha log pi(y_w) / |y_w|.

    Iterative RPO, 2404.19733 (beta 0.1, weight 1, there on the first term); the same shape in RPO, 2405.16436 (alpha
    0.005). Keeps the likelihood of the better answer from falling.
    """
    check_positive("rpo", beta=beta)
    if alpha < 0:
        raise UserError(f"rpo: alpha is {alpha}; give 0 or more")
    better = beta * (chosen_logps - reference_chosen_logps)
    worse = beta * (rejected_logps - reference_rejected_logps)
    nll = -chosen_logps / chosen_lengths
    return compared(-F.logsigmoid(better - worse) + alpha * nll, better, worse, nll=nll)
