"""Truncated importance sampling: the ratio as a weight, with a cap."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from crucible.algorithms.corrections.levels import Level, corrected, importance_weights
from crucible.config.needs import needs
from crucible.errors import UserError
from crucible.types import Correction


@needs(old_logps=["recompute"], because="with the sampler's own log-probs as the old ones there is nothing to correct")
def tis(
    old_logps: Tensor,
    sampling_logps: Tensor,
    mask: Tensor,
    *,
    cap: Annotated[float, "> 0"] = 2.0,
    level: Level = "token",
) -> Correction:
    """min(rho, cap), rho = pi_old / pi_sample of the token, of the completion, or its geometric mean per token.

    ACER, 1606.02647, section 3.1 (truncation; its bias correction is left out, as in every LLM framework). cap: 2 in
    verl, 3 in TRL. Diagnostics: ratio, changed (capped), zeroed.

    Differs from verl: weights are not divided by their batch mean, since a correction sees its own rows only.
    """
    if cap <= 0.0:
        raise UserError(f"correction tis: cap is {cap}; give more than 0")
    rho = importance_weights(old_logps, sampling_logps, mask, level)
    return corrected(rho, rho.clamp(max=cap), mask)
