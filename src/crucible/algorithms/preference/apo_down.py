"""Anchored preference optimisation, down: for better answers that are worse than what the model says."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from crucible.algorithms.preference.base import compared
from crucible.algorithms.ratio import check_positive
from crucible.types import PreferenceLoss


def apo_down(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    reference_chosen_logps: Tensor,
    reference_rejected_logps: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 0.1,
) -> PreferenceLoss:
    """s(beta w) + 1 - s(beta d).

    APO-down, 2408.06266, Eq. 8: lowers both answers, the worse one more.
    """
    check_positive("apo_down", beta=beta)
    better = beta * (chosen_logps - reference_chosen_logps)
    worse = beta * (rejected_logps - reference_rejected_logps)
    return compared(better.sigmoid() + 1.0 - (better - worse).sigmoid(), better, worse)
