"""Odds-ratio preference optimisation: supervised learning and a preference in one, without a reference."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from crucible.algorithms.preference.base import compared
from crucible.algorithms.ratio import check_positive
from crucible.types import PreferenceLoss

SUREST = -1e-6  # a mean log-prob closer to 0 has odds beyond float32


def orpo(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    chosen_lengths: Tensor,
    rejected_lengths: Tensor,
    mean_chosen_length: float,
    *,
    beta: Annotated[float, "> 0"] = 0.1,
) -> PreferenceLoss:
    """-log pi(y_w) / mean |y_w| - beta log s(o(y_w) - o(y_l)), o(y) = a - log(1 - e^a), a = log pi(y) / |y|.

    ORPO, 2403.07691, Eq. 6; beta is the paper's lambda, 0.1. The first term is a token mean over the better answers of
    the step. a is kept below -1e-6, with gradient 0 beyond.
    Differs from TRL: its likelihood term includes the prompt's tokens; the paper's, and this, do not.
    """
    check_positive("orpo", beta=beta)
    a_w, a_l = chosen_logps / chosen_lengths, rejected_logps / rejected_lengths
    odds_w, odds_l = log_odds(a_w), log_odds(a_l)
    nll = -chosen_logps / mean_chosen_length
    per_pair = nll - beta * F.logsigmoid(odds_w - odds_l)
    return compared(per_pair, beta * a_w, beta * a_l, nll=nll, log_odds=odds_w - odds_l)


def log_odds(a: Tensor) -> Tensor:
    """log of p / (1 - p), p = e^a."""
    a = a.clamp(max=SUREST)
    return a - torch.log(-torch.expm1(a))
