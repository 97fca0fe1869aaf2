"""OTB: at every token the baseline of least variance, from what the sampled tokens cost so far."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.groups import Groups
from crucible.algorithms.ratio import importance_ratio, log_ratio
from crucible.algorithms.returns import returns_to_go, token_rewards
from crucible.config.needs import needs
from crucible.types import Advantages, Scores


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def otb(
    scores: Scores,
    group: Tensor,
    mask: Tensor,
    old_logps: Tensor,
    old_collision: Tensor,
    sampling_logps: Tensor,
    *,
    zero_tail: bool = True,
    rollout_weights: bool = False,
    eps: float = 1e-8,
) -> Advantages:
    """G_t - b_t, b_t = sum_g G_t W_t / (sum_g W_t + eps) over the group's rows that have a token t.

    Optimal token baseline, 2602.07078 (the authors' contribution to verl). G_t is the return to go, W_t the sum up
    to t of 1 - 2 pi + sum_v pi_v^2 (`old_collision`), the squared gradient of log pi with respect to the logits.
    `zero_tail`: no baseline where only the longest row of the group is left, as there it would be its own return.
    `rollout_weights`: each summand of W times rho^2, rho = pi_old / pi_sample, for use with a correction that weighs
    the loss by rho. Equal rewards do not give 0 on that tail, nor within eps elsewhere. Group of one: no baseline in
    the paper, 0 here.
    """
    paid = token_rewards(scores, mask)
    groups = Groups.of(group, scores.valid, paid.dtype)
    counted = mask * groups.valid.unsqueeze(-1)
    energy = torch.where(counted > 0, 1.0 - 2.0 * old_logps.exp() + old_collision, torch.zeros_like(paid))
    if rollout_weights:
        energy = energy * importance_ratio(2.0 * log_ratio(old_logps, sampling_logps, mask))
    weight = energy.cumsum(-1) * counted
    returns = returns_to_go(paid, 1.0)
    sums = torch.zeros(3, groups.number, mask.shape[-1], dtype=paid.dtype, device=paid.device)
    sums = sums.index_add(1, groups.index, torch.stack([returns * weight, weight, counted]))[:, groups.index]
    baseline = sums[0] / (sums[1] + eps)
    if zero_tail:
        baseline = torch.where(sums[2] > 1.0, baseline, torch.zeros_like(baseline))
    compared = (groups.valid & (groups.size > 1.0)).unsqueeze(-1)
    return Advantages(torch.where(compared, (returns - baseline) * mask, 0.0), keep=scores.valid)
