"""Contrastive preference optimisation: DPO with a uniform reference, and imitation of the better answer."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from torch import Tensor

from crucible.algorithms.preference.base import check_smoothing, compared
from crucible.algorithms.ratio import check_positive
from crucible.errors import UserError
from crucible.types import PreferenceLoss


def cpo(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    mean_chosen_length: float,
    *,
    beta: Annotated[float, "> 0"] = 0.1,
    alpha: Annotated[float, ">= 0"] = 1.0,
    label_smoothing: Annotated[float, ">= 0, < 0.5"] = 0.0,
) -> PreferenceLoss:
    """-log s(beta (log pi(y_w) - log pi(y_l))) - alpha log pi(y_w) / mean |y_w|.

    CPO, 2401.08417 (beta 0.1); alpha is TRL's cpo_alpha, 1. The likelihood is a token mean over the better
    answers of the step, as in TRL. label_smoothing as in conservative DPO.
    """
    check_positive("cpo", beta=beta)
    check_smoothing("cpo", label_smoothing)
    if alpha < 0:
        raise UserError(f"cpo: alpha is {alpha}; give 0 or more")
    better, worse = beta * chosen_logps, beta * rejected_logps
    nll = -chosen_logps / mean_chosen_length
    loss = -(1.0 - label_smoothing) * F.logsigmoid(better - worse) - label_smoothing * F.logsigmoid(worse - better)
    return compared(loss + alpha * nll, better, worse, nll=nll)
