"""Pass@k training: the analytic advantage when the reward of k completions is that one of them is right."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.groups import on_tokens, reward_groups
from crucible.config.needs import needs
from crucible.errors import UserError
from crucible.types import Advantages, Scores


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def pass_at_k_training(
    scores: Scores, group: Tensor, mask: Tensor, *, k: Annotated[int, ">= 1"] = 4, right_reward: float = 1.0
) -> Advantages:
    """(mean reward of the k-subsets that hold the row - mean of all k-subsets) / standard deviation of all.

    Pass@k Training, 2508.10751, Eq. 14-15. G rows, W of them wrong (total reward under `right_reward`); a subset is
    rewarded 1 when it holds a right row:
        mean m = 1 - C(W, k) / C(G, k), sigma = sqrt(m (1 - m)), A of a right row = (1 - m) / sigma,
        A of a wrong row = (1 - m - C(W - 1, k - 1) / C(G - 1, k - 1)) / sigma.
    Wrong rows of a hard prompt are hardly punished, and a prompt with W < k teaches nothing. k = 1 is group_norm
    with the population deviation. All right or all wrong, or a group of one: 0. A group with fewer than k rows
    uses k = its size. The paper's k: 4 and 8 (G 32).
    """
    if k < 1:
        raise UserError(f"pass_at_k_training: k is {k}; give at least 1")
    total, groups = reward_groups(scores, group)
    wrong = groups.valid & (total < right_reward)
    size, lost = groups.size.double(), groups.sum(wrong.to(total.dtype)).double()
    taken = size.clamp(max=float(k))
    none_right = _ratio(lost, size, taken)
    sigma = (none_right * (1.0 - none_right)).sqrt()
    others_wrong = torch.where(wrong, _ratio(lost - 1.0, size - 1.0, taken - 1.0), torch.zeros_like(none_right))
    teaches = groups.valid & (none_right > 0.0) & (none_right < 1.0)
    found = torch.where(teaches, (none_right - others_wrong) / torch.where(teaches, sigma, 1.0), 0.0)
    return on_tokens(found.to(total.dtype), scores, mask)


def _ratio(above: Tensor, below: Tensor, k: Tensor) -> Tensor:
    """C(above, k) / C(below, k) for above <= below; 0 where above < k."""
    possible = above >= k
    top = torch.where(possible, above, k)
    bottom = torch.maximum(below, k)
    log = _log_falling(top, k) - _log_falling(bottom, k)
    return torch.where(possible, log.exp(), torch.zeros_like(log))


def _log_falling(n: Tensor, k: Tensor) -> Tensor:
    """log of n (n - 1) ... (n - k + 1)."""
    return torch.lgamma(n + 1.0) - torch.lgamma(n - k + 1.0)
