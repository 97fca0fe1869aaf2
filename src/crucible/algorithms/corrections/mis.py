"""Masked importance sampling: the ratio as a weight inside a band, nothing outside."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.ahead import looks_ahead
from crucible.algorithms.corrections.levels import Level, corrected, importance_weights
from crucible.config.needs import needs
from crucible.errors import UserError
from crucible.types import Correction


def _check(low: float, high: float) -> None:
    if not 0.0 <= low <= high:
        raise UserError(f"correction mis: the band is {low} .. {high}; give 0 <= low <= high")


@looks_ahead(_check)
@needs(old_logps=["recompute"], because="with the sampler's own log-probs as the old ones there is nothing to correct")
def mis(
    old_logps: Tensor,
    sampling_logps: Tensor,
    mask: Tensor,
    *,
    low: Annotated[float, ">= 0"] = 0.0,
    high: Annotated[float, ">= 0"] = 2.0,
    level: Level = "token",
) -> Correction:
    """rho where low <= rho <= high, else 0; rho = pi_old / pi_sample of the token or of the completion.

    low 0 is the one-sided form of verl and TRL (caps 2 and 3); both bounds are IcePop, 2510.18855 (0.5 and 5.0 in
    public implementations; the paper's own numbers: not found). Level "sequence" drops whole completions.
    A bound belongs to the band. Diagnostics: ratio, changed, zeroed. Dropped tokens still count in the denominators,
    as in TRL; in verl they do not.
    """
    _check(low, high)
    rho = importance_weights(old_logps, sampling_logps, mask, level)
    return corrected(rho, torch.where((rho >= low) & (rho <= high), rho, torch.zeros_like(rho)), mask)
