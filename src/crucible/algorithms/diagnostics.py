"""What every policy loss reports about its importance ratios: (N, T) tensors, logged as token means."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# The band used for reporting by losses that have no bound on a side: CE-GPPO's eps (2509.20712, section 4.1).
REPORT_EPS = 0.2


@torch.no_grad()
def ratio_diagnostics(
    ratio: Tensor,
    log_ratio: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    eps_low: float,
    eps_high: float,
    dual_clip: float | None = None,
) -> dict[str, Tensor]:
    """Where the ratios lie on CE-GPPO's map (2509.20712, Eq. 8; strict inequalities). (N, T), 0 on padding.

    preserved_left       1 where ratio < 1 - eps_low and A < 0 (region NA&LP, beta1's)
    preserved_right      1 where ratio > 1 + eps_high and A > 0 (region PA&LP, beta2's)
    clip_fraction        1 in either: the tokens whose gradient PPO's clip removes
    dual_clip_fraction   1 where ratio > dual_clip and A < 0 (no gradient); 0 everywhere without a dual clip
    ratio_mean           the ratio
    kl_old               log pi_old - log pi_theta, whose mean estimates KL(old || new), in nats

    The two preserved_* name regions, so runs of different losses can be compared. CE-GPPO and GPPO preserve
    the gradient there, CISPO and REINFORCE too (with their own weight); PPO and GSPO remove it.

    Ratios must be numbers on padding too, as `ratio.log_ratio` leaves them: a product with the mask is several times
    faster than a choice by it.
    """
    negative, positive = _is(torch.lt, advantages, 0.0).mul_(mask), _is(torch.gt, advantages, 0.0).mul_(mask)
    left = _is(torch.lt, ratio, 1.0 - eps_low).mul_(negative)
    right = _is(torch.gt, ratio, 1.0 + eps_high).mul_(positive)
    beyond = ratio.new_zeros(()).expand_as(ratio)
    if dual_clip is not None:
        beyond = _is(torch.gt, ratio, dual_clip).mul_(negative)
    return {
        "clip_fraction": left + right,
        "preserved_left": left,
        "preserved_right": right,
        "dual_clip_fraction": beyond,
        "ratio_mean": ratio * mask,
        "kl_old": -log_ratio * mask,
    }


def _is(compare: Callable[..., Tensor], values: Tensor, bound: float) -> Tensor:
    """1.0 where the comparison holds, else 0.0, without a tensor of bools on the way."""
    return compare(values, bound, out=torch.empty_like(values))


@torch.no_grad()
def quadrants(old_logps: Tensor, advantages: Tensor, mask: Tensor, *, low: float = 0.5) -> dict[str, Tensor]:
    """The four token kinds of CE-GPPO (2509.20712, section 3.2): sign of the advantage x probability.

    (N, T) indicators pa_hp, pa_lp, na_hp, na_lp; 0 on padding and where the advantage is 0. A token counts as
    low-probability when pi_old < `low`; the paper gives no threshold (not found), 0.5 is ours.
    """
    negative, positive = _is(torch.lt, advantages, 0.0).mul_(mask), _is(torch.gt, advantages, 0.0).mul_(mask)
    probability = old_logps.exp()
    rare, frequent = _is(torch.lt, probability, low), _is(torch.ge, probability, low)
    return {
        "pa_hp": positive * frequent,
        "pa_lp": positive * rare,
        "na_hp": negative * frequent,
        "na_lp": negative * rare,
    }


def gradient_coefficient(per_token: Tensor, logps: Tensor) -> Tensor:
    """(N, T) d(sum of the per-token loss)/d(log pi) of every token: what the loss puts on grad log pi.

    Costs one backward pass through the loss alone, not through the model.
    """
    (found,) = torch.autograd.grad(per_token.sum(), logps, retain_graph=True)
    return found


@torch.no_grad()
def token_diagnostics(
    logps: Tensor, old_logps: Tensor, entropy: Tensor, advantages: Tensor, mask: Tensor, coefficient: Tensor
) -> dict[str, Tensor]:
    """What an update does to which tokens, whatever the loss. (N, T), 0 on padding, logged as token means.

    pa_hp .. na_lp            1 where the token is of that kind, see `quadrants`
    mass_pa_hp .. mass_na_lp  |coefficient on grad log pi| there: the gradient mass of the kind
    covariance                (log pi + H) pi A, whose mean over states and sampled actions is
                              E_s Cov_a(log pi, pi A): the entropy theorem's rate (2509.20712, Eq. 5), -dH per
                              unit of plain policy gradient on tabular logits. Exact in the mean on-policy.
    covariance_natural        (log pi + H) A, the same for the natural gradient (2505.22617)
    outside_band              1 where |ratio - 1| > REPORT_EPS
    prob_outside, prob_inside pi_old there and elsewhere; divide by the share of tokens for the mean probability

    All inputs must be numbers on padding too.
    """
    kinds = quadrants(old_logps, advantages, mask)
    probability = old_logps.exp() * mask
    outside = _is(torch.gt, (logps - old_logps).exp().sub_(1.0).abs_(), REPORT_EPS).mul_(mask)
    prob_outside = probability * outside
    size, surprise = coefficient.abs(), (logps + entropy) * mask
    return {
        **kinds,
        **{f"mass_{name}": size * kind for name, kind in kinds.items()},
        "covariance": surprise * logps.exp() * advantages,
        "covariance_natural": surprise * advantages,
        "outside_band": outside,
        "prob_outside": prob_outside,
        "prob_inside": probability - prob_outside,
    }
