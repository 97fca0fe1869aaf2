"""Anchored preference optimisation, zero: for better answers that are better than what the model says."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from crucible.algorithms.preference.base import compared
from crucible.algorithms.ratio import check_positive
from crucible.types import PreferenceLoss


def apo_zero(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    reference_chosen_logps: Tensor,
    reference_rejected_logps: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 0.1,
) -> PreferenceLoss:
    """1 - s(beta w) + s(beta l).

    APO-zero, 2408.06266, Eq. 7: raises the better answer, lowers the worse one, each up to a saturation.
    """
    check_positive("apo_zero", beta=beta)
    better = beta * (chosen_logps - reference_chosen_logps)
    worse = beta * (rejected_logps - reference_rejected_logps)
    return compared(1.0 - better.sigmoid() + worse.sigmoid(), better, worse)
