"""Weighted preference optimisation: pairs count as much as the policy might have written them."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from torch import Tensor

from crucible.algorithms.preference.base import compared
from crucible.algorithms.ratio import check_positive
from crucible.types import PreferenceLoss


def wpo(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    reference_chosen_logps: Tensor,
    reference_rejected_logps: Tensor,
    chosen_typicality: Tensor,
    rejected_typicality: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 0.1,
) -> PreferenceLoss:
    """-v(y_w) v(y_l) log s(beta d), v(y) = exp of the mean over tokens of log pi(y_t) - log sum over v of pi(v)^2.

    WPO, 2406.11827, Eq. 2, with the weights aligned; TRL's use_weighting. v, a constant, is about 1 for what the policy
    writes itself.
    """
    check_positive("wpo", beta=beta)
    better = beta * (chosen_logps - reference_chosen_logps)
    worse = beta * (rejected_logps - reference_rejected_logps)
    weight = (chosen_typicality + rejected_typicality).detach().exp()
    return compared(-weight * F.logsigmoid(better - worse), better, worse, weight=weight)
