"""Noise contrastive alignment, for pairs: each answer against the reference, not against the other alone."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from torch import Tensor

from crucible.algorithms.preference.base import compared
from crucible.algorithms.ratio import check_positive
from crucible.types import PreferenceLoss


def nca_pair(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    reference_chosen_logps: Tensor,
    reference_rejected_logps: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 0.01,
) -> PreferenceLoss:
    """-log s(beta w) - (log s(-beta w) + log s(-beta l)) / 2.

    NCA, 2402.05369 (beta 0.01); TRL's loss_type "nca_pair". Keeps the likelihood of the better answer from falling.
    """
    check_positive("nca_pair", beta=beta)
    better = beta * (chosen_logps - reference_chosen_logps)
    worse = beta * (rejected_logps - reference_rejected_logps)
    return compared(-F.logsigmoid(better) - 0.5 * F.logsigmoid(-better) - 0.5 * F.logsigmoid(-worse), better, worse)
