"""Occupancy regularisation: the square root of the chi-squared divergence from the reference policy."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from crucible.types import Scores

LINEAR_BEYOND = 10.0  # |log-ratio| of a row from which its divergence goes on linearly (authors' code)


class ChiSquared:
    """coefficient sqrt(max(chi2, floor)), chi2 = mean over rows of (e^l - 1) + (e^-l - 1), l = log pi / pi_ref.

    Correlated Proxies, 2403.03185 (authors' language-model code), l summed over the row's tokens, linear for
    |l| > 10. Against a proxy reward it is a bound on the true one, which KL is not. floor 1e-4: at no divergence the
    term is 0.01 x coefficient with gradient 0. coefficient: 0.1 is the worked example's, no default was found.

    Differs from the paper: the root is of the whole update's mean, which no micro-batch knows, so its slope
    1 / (2 sqrt(chi2)) is taken from the policy that starts the update; the first optimiser step is exact.
    """

    def __init__(self, *, coefficient: float = 0.1, floor: float = 1e-4) -> None:
        self.coefficient = coefficient
        self.floor = floor
        self.constant, self.slope = floor**0.5, 0.0

    def select(self, scores: Scores, mask: Tensor, old_logps: Tensor, reference_logps: Tensor) -> Tensor:
        """(N, T) 1.0 on the first token of rows that have a reward: the mean is over rows. Also fixes the slope."""
        started = mask.cumsum(-1) * mask == 1.0
        weights = started.to(mask.dtype)
        if scores.valid is not None:
            weights = weights * scores.valid.unsqueeze(-1)
        start = divergence(old_logps, reference_logps, mask)
        chi2 = float((weights.sum(-1) * start).sum() / weights.sum().clamp(min=1.0))
        if chi2 > self.floor:
            self.constant, self.slope = chi2**0.5 / 2.0, 0.5 / chi2**0.5
        else:
            self.constant, self.slope = self.floor**0.5, 0.0
        return weights

    def per_token(self, logps: Tensor, reference_logps: Tensor, mask: Tensor) -> Tensor:
        """(K, T) the row's share of the linearised root, the same on all its tokens; read where select weighs 1."""
        found = self.constant + self.slope * divergence(logps, reference_logps, mask)
        return found.unsqueeze(-1).expand(mask.shape)


def divergence(logps: Tensor, reference_logps: Tensor, mask: Tensor) -> Tensor:
    """(N,) (e^l - 1) + (e^-l - 1) = 4 sinh(l / 2)^2 of each row, linear beyond the bound."""
    difference = torch.where(mask > 0, logps - reference_logps, torch.zeros_like(logps))
    size = difference.sum(-1).abs()
    inside = size.clamp(max=LINEAR_BEYOND)
    return 4.0 * torch.sinh(inside / 2.0).square() + 2.0 * math.sinh(LINEAR_BEYOND) * (size - inside)
