"""The importance ratio, safe on padding and for any log-ratio; of a token and of a whole completion."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.errors import UserError

# exp(20) = 4.9e8: beyond it a ratio says "off the map" and only endangers the gradient norm. verl's bound.
LOG_RATIO_BOUND = 20.0


def log_ratio(logps: Tensor, old_logps: Tensor, mask: Tensor) -> Tensor:
    """(N, T) log pi_theta - log pi_old; exactly 0 on padding, whatever is stored there."""
    return torch.where(mask > 0, logps - old_logps.detach(), 0.0)


def importance_ratio(log_ratio: Tensor, bound: float = LOG_RATIO_BOUND) -> Tensor:
    """(N, T) exp of the log-ratio bounded to +-`bound`; the gradient is 0 beyond the bound."""
    return log_ratio.clamp(-bound, bound).exp()


def score(logps: Tensor, mask: Tensor) -> Tensor:
    """(N, T) 0 in value, grad log pi in gradient, nothing on padding: carries the gradient of a whole row."""
    return log_ratio(logps, logps, mask)


def with_slope(value: Tensor, slope: Tensor, logps: Tensor, mask: Tensor) -> Tensor:
    """(N, T) `value`, whose derivative in log pi of each token is `slope` (0 on padding); both enter as constants.

    For losses whose slope is known in closed form: the backward pass is then one product, not a chain of clips.
    """
    return value.detach() + (slope.detach() * mask) * (logps - logps.detach())


def bounded(log_ratio: Tensor, bound: float = LOG_RATIO_BOUND) -> Tensor:
    """1.0 where the log-ratio is within +-`bound`, else 0.0: where `importance_ratio` has a gradient."""
    return torch.le(log_ratio.abs(), bound, out=torch.empty_like(log_ratio))


def lengths(mask: Tensor) -> Tensor:
    """(N, 1) tokens of each row, at least 1."""
    return mask.sum(-1, keepdim=True).clamp(min=1.0)


def row_mean(values: Tensor, mask: Tensor) -> Tensor:
    """(N, 1) mean over the tokens of each row; 0 where a row has none."""
    return torch.where(mask > 0, values, 0.0).sum(-1, keepdim=True) / lengths(mask)


def total_log_ratio(logps: Tensor, old_logps: Tensor, mask: Tensor) -> Tensor:
    """(N, T) the row's summed log-ratio, log of pi(y) / pi_old(y), on each of its tokens; gradient there: length x
    grad log pi of that token.

    So the mean over a row's tokens of f(this) has the value and the gradient of f at the row's summed log-ratio,
    while a weight on single tokens still acts on single tokens.
    """
    total = log_ratio(logps, old_logps, mask).detach().sum(-1, keepdim=True)
    return total + lengths(mask) * score(logps, mask)


def check_bounds(loss: str, *, eps_low: float | None, eps_high: float, dual_clip: float | None = None) -> None:
    """Raises UserError for bounds that describe no clip."""
    if eps_low is not None and not 0.0 <= eps_low <= 1.0:
        raise UserError(f"{loss}: eps_low is {eps_low}, but 1 - eps_low bounds a ratio: give 0 <= eps_low <= 1")
    if eps_high < 0.0:
        raise UserError(f"{loss}: eps_high is {eps_high}, but 1 + eps_high bounds a ratio: give eps_high >= 0")
    if dual_clip is not None and dual_clip <= 1.0:
        raise UserError(f"{loss}: dual_clip is {dual_clip}, but it caps ratios above 1: give more than 1, or null")


def check_positive(loss: str, **values: float) -> None:
    """Raises UserError for a hyper-parameter that must be above 0 and is not."""
    for name, value in values.items():
        if not value > 0.0:
            raise UserError(f"{loss}: {name} is {value}; give more than 0")
