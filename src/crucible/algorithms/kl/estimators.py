"""Per-token estimates of KL(pi || ref) from the log-probs of sampled tokens."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from crucible.algorithms.ratio import LOG_RATIO_BOUND, importance_ratio, log_ratio
from crucible.errors import UserError, nearest

Estimator = Literal["k1", "abs", "k2", "k3"]
Gradient = Literal["own", "k2"]
ESTIMATORS = ("k1", "abs", "k2", "k3")


def estimate(log_ratio: Tensor, estimator: Estimator) -> Tensor:
    """k1, |k1|, k2 or k3 of x = log pi - log ref, elementwise, in nats.

    Schulman, "Approximating KL Divergence" (joschu.net, 2020): k1 = x; k2 = x^2 / 2; k3 = exp(-x) - 1 + x.
    Under samples of pi, k1 and k3 have the value of the KL in the mean and k2 has its gradient; k3 is never
    negative. x = 0 gives 0 in all of them.

    Differs from verl, which clamps the result of k3 to +-10: here only the exponent is bounded, to +-20.
    """
    if estimator == "k1":
        return log_ratio
    if estimator == "abs":
        return log_ratio.abs()
    if estimator == "k2":
        return log_ratio.square() / 2
    if estimator == "k3":
        return (-log_ratio).clamp(-LOG_RATIO_BOUND, LOG_RATIO_BOUND).exp() - 1.0 + log_ratio
    raise UserError(f'kl: estimator is "{estimator}"; give {", ".join(ESTIMATORS)}{nearest(estimator, ESTIMATORS)}')


def kl_per_token(
    logps: Tensor,
    reference_logps: Tensor,
    mask: Tensor,
    *,
    estimator: Estimator,
    gradient: Gradient = "own",
    old_logps: Tensor | None = None,
) -> Tensor:
    """(N, T) estimate of KL(pi || ref), 0 on padding, with gradient on `logps`.

    gradient "k2": the value of the estimator with the gradient of k2, x grad log pi, which is the KL's own when
    the samples are pi's ("k3+" in verl); k1 and abs have no such gradient of their own: k1's is 0 in the mean.
    `old_logps`: the estimate times the ratio pi / pi_old, unbiased for samples of pi_old (DeepSeek-V3.2's
    k3; TRL: use_bias_correction_kl). The ratio keeps its gradient.
    """
    x = log_ratio(logps, reference_logps, mask)
    value = estimate(x, estimator)
    if gradient == "k2":
        through = estimate(x, "k2")
        value = through - through.detach() + value.detach()
    elif gradient != "own":
        raise UserError(f'kl: gradient is "{gradient}"; give own or k2{nearest(gradient, ("own", "k2"))}')
    if old_logps is not None:
        value = value * importance_ratio(log_ratio(logps, old_logps, mask))
    return torch.where(mask > 0, value, torch.zeros_like(value))
