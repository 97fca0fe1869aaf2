"""MAPO: standard score on uncertain prompts, deviation in per cent of the mean on certain ones."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.groups import on_tokens, reward_groups, rewarded
from crucible.config.needs import needs
from crucible.errors import UserError
from crucible.types import Advantages, Scores


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def mapo_certainty(
    scores: Scores, group: Tensor, mask: Tensor, *, right_reward: float = 1.0, eps: float = 1e-6
) -> Advantages:
    """(1 - c) (R - mean_g) / (std_g + eps) + c (R - mean_g) / mean_g, c = 1 - 4 p (1 - p).

    MAPO, 2509.18849 (Mixed Advantage Policy Optimization, not the one for dialogues), Eq. 3-6. p is the share of
    the group with a total reward of `right_reward`; std over n, as the paper's examples have it. Where nearly all
    answers are right a slightly worse one is no longer punished like a wrong one. eps: inferred, the paper has
    none. Equal rewards, group of one: 0. Rewards must not be negative (UserError): the mean divides.
    """
    total, groups = reward_groups(scores, group)
    if bool((groups.valid & (total < 0)).any()):
        raise UserError("mapo_certainty: a reward is negative; it divides by the mean reward, so give rewards from 0")
    centred, mean = groups.centred(total), groups.mean(total)
    variance = groups.mean(centred.square())
    p = groups.mean(rewarded(scores, right_reward).to(total.dtype))
    certain = 1.0 - 4.0 * p * (1.0 - p)
    score = centred / (variance.sqrt() + eps)
    share = torch.where(mean > 0, centred / torch.where(mean > 0, mean, 1.0), torch.zeros_like(centred))
    return on_tokens((1.0 - certain) * score + certain * share, scores, mask)
