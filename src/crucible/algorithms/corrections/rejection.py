"""Rejection of tokens or completions on which the sampler and the trainer diverge."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from crucible.ahead import looks_ahead
from crucible.algorithms.corrections.levels import corrected
from crucible.algorithms.kl.estimators import estimate
from crucible.algorithms.ratio import log_ratio
from crucible.config.needs import needs
from crucible.errors import UserError, nearest
from crucible.types import Correction

By = Literal["token", "seq_sum", "seq_mean", "seq_max"]
BY = ("token", "seq_sum", "seq_mean", "seq_max")
ESTIMATORS = ("k1", "k2", "k3")


def _bounds(by: str, estimator: str, low: float | None, high: float) -> tuple[float, float]:
    """What the divergence must lie between; UserError for bounds and names that mean nothing."""
    if by not in BY:
        raise UserError(f'correction rejection: by is "{by}"; give {", ".join(BY)}{nearest(by, BY)}')
    if estimator not in ESTIMATORS:
        raise UserError(f'correction rejection: estimator is "{estimator}"; give {", ".join(ESTIMATORS)}')
    if estimator == "k1":
        if by == "seq_max":
            raise UserError("correction rejection: the maximum of k1 sees one side only; give by=token, or k2 or k3")
        lower = 1.0 / high if low is None and high > 0 else low
        if lower is None or not 0.0 < lower <= 1.0 <= high:
            raise UserError(f"correction rejection: the ratio band is {low} .. {high}; give 0 < low <= 1 <= high")
        return math.log(lower), math.log(high)
    if low is not None:
        raise UserError(f"correction rejection: {estimator} has no lower bound; give low=null")
    if high < 0.0:
        raise UserError(f"correction rejection: high is {high}; give a divergence of 0 or more")
    return -math.inf, high


@looks_ahead(_bounds)
@needs(old_logps=["recompute"], because="with the sampler's own log-probs as the old ones there is nothing to correct")
def rejection(
    old_logps: Tensor,
    sampling_logps: Tensor,
    mask: Tensor,
    *,
    by: By = "seq_mean",
    estimator: Literal["k1", "k2", "k3"] = "k3",
    low: float | None = None,
    high: float = 0.01,
) -> Correction:
    """Weight 1 where the divergence is within its bound, else 0. No importance weight.

    verl's rollout rejection. With x = log pi_old - log pi_sample: k2 = x^2 / 2 and k3 = exp(x) - 1 - x, the
    estimates of KL(pi_sample || pi_old), must be at most `high`; k1 is a band of the ratio exp(x) itself, low <= exp(x)
    <= high, where `low` null means 1 / high. `by`: the token's own, or the sum, mean or maximum over the
    completion's tokens, which then keeps or loses all of them; the mean of k1 is the geometric ratio. Defaults: verl's
    k3 preset, mean 0.01; its geometric preset is by=seq_mean estimator=k1 low=0.999 high=1.001.

    Differs from verl: rejected tokens still count in the denominators; and the band of k1 is on pi_old / pi_sample,
    where verl's direction depends on its version.
    """
    lower, upper = _bounds(by, estimator, low, high)
    x = log_ratio(old_logps.detach(), sampling_logps, mask)
    # estimate() wants log pi - log ref for samples of pi, and the samples are the sampler's
    found = x if estimator == "k1" else estimate(-x, estimator)
    if by != "token":
        found = _of_rows(found, mask, by).expand_as(x)
    keep = (found >= lower) & (found <= upper)
    return corrected(torch.ones_like(x), keep.to(x.dtype), mask)


def _of_rows(values: Tensor, mask: Tensor, by: By) -> Tensor:
    if by == "seq_max":
        return values.amax(-1, keepdim=True)
    total = values.sum(-1, keepdim=True)
    return total / mask.sum(-1, keepdim=True).clamp(min=1.0) if by == "seq_mean" else total
