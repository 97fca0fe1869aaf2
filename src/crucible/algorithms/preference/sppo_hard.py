"""Self-play preference optimisation with certain preferences."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from crucible.algorithms.preference.base import compared
from crucible.algorithms.ratio import check_positive
from crucible.types import PreferenceLoss


def sppo_hard(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    reference_chosen_logps: Tensor,
    reference_rejected_logps: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 0.001,
) -> PreferenceLoss:
    """(w - 1 / (2 beta))^2 + (l + 1 / (2 beta))^2.

    SPPO, 2405.00675, Eq. 4.7 with win probabilities 1 and 0; beta = 1 / eta = 0.001. Each answer has a target of its
    own, so the likelihood of the better one rises.
    """
    check_positive("sppo_hard", beta=beta)
    better, worse = chosen_logps - reference_chosen_logps, rejected_logps - reference_rejected_logps
    return compared((better - 0.5 / beta).square() + (worse + 0.5 / beta).square(), beta * better, beta * worse)
