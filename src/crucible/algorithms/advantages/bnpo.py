"""BNPO: centred rewards divided by a Beta density fitted to the success rates of the batch."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.groups import Groups, on_tokens, unit_rewards
from crucible.config.needs import needs
from crucible.errors import UserError
from crucible.types import Advantages, Scores

EDGE = 1e-6  # the density is read within (EDGE, 1 - EDGE); at 0 and 1 the numerator is 0


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def bnpo(
    scores: Scores, group: Tensor, mask: Tensor, *, largest_weight: float = 1e6, decompose: bool = False
) -> Advantages:
    """(R - p_g) min(1 / Beta(p_g; alpha, beta), largest_weight), p_g = mean reward of the group, rewards in [0, 1].

    BNPO, 2506.02864 (authors' code). Over the prompts of the batch, m and v (n - 1) are the mean and variance of p:
    k = m (1 - m) / v - 1, alpha = max(1 + k m / 3, 1), beta = max(1 + k (1 - m) / 3, 1). alpha = beta = 1 is
    group_center. The name also means a mere aggregation in TRL; here it is the advantage.

    One prompt, or the same rate in all: alpha = beta = 1 (the authors' code puts m = 0, v = 1 for one prompt and
    divides by 0 for equal rates). Equal rewards in a group: 0. Raises UserError for rewards outside [0, 1].

    `decompose`: the paper's advantage decomposition, the mean of that over the reward's components, each with a fit of
    its own ("exact", not its parts "exact/...", nor "true/..."). A component without a number (NaN) on a row is left
    out there.
    """
    total = unit_rewards("bnpo", scores)
    if not decompose:
        everywhere = Groups.of(group, scores.valid, total.dtype)
        return on_tokens(_normalised(total, everywhere, largest_weight), scores, mask)
    names = [name for name in scores.components if "/" not in name]
    if not names:
        raise UserError("bnpo: the reward has no components; use reward=weighted, or algo.advantage.decompose=false")
    found = torch.zeros_like(total)
    for name in names:
        value = scores.components[name].to(total.dtype)
        known = value.isfinite() if scores.valid is None else value.isfinite() & scores.valid
        value = unit_rewards(f"bnpo, {name}", Scores(torch.where(known, value, torch.zeros_like(value))))
        found = found + _normalised(value, Groups.of(group, known, total.dtype), largest_weight) / len(names)
    return on_tokens(found, scores, mask)


def _normalised(total: Tensor, groups: Groups, largest_weight: float) -> Tensor:
    """(N,) centred rewards divided by the Beta density of their group's rate."""
    rate = groups.mean(total)
    share = torch.where(groups.valid, 1.0 / groups.size.clamp(min=1.0), torch.zeros_like(total))  # each prompt once
    prompts = share.sum()
    m = (share * rate).sum() / prompts.clamp(min=1.0)
    v = (share * (rate - m).square()).sum() / (prompts - 1.0).clamp(min=1.0)
    fitted = v > 1e-12
    k = torch.where(fitted, m * (1.0 - m) / torch.where(fitted, v, torch.ones_like(v)) - 1.0, torch.zeros_like(v))
    alpha, beta = (1.0 + k * m / 3.0).clamp(min=1.0), (1.0 + k * (1.0 - m) / 3.0).clamp(min=1.0)
    inside = rate.clamp(EDGE, 1.0 - EDGE)
    log_norm = torch.lgamma(alpha) + torch.lgamma(beta) - torch.lgamma(alpha + beta)
    weight = (log_norm - (alpha - 1.0) * inside.log() - (beta - 1.0) * (1.0 - inside).log()).exp()
    return groups.centred(total) * weight.clamp(max=largest_weight)
