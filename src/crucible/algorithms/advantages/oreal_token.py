"""OREAL with token weights: of the chosen completions, the tokens that decide what they are worth."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from crucible.algorithms.advantages.oreal import oreal
from crucible.algorithms.groups import rewarded
from crucible.config.needs import needs
from crucible.types import Advantages, Scores


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def oreal_token(
    scores: Scores,
    group: Tensor,
    mask: Tensor,
    token_scores: Tensor,
    *,
    right_reward: float = 1.0,
    negative: float = 0.5,
    threshold: float = 0.5,
    clone: bool = True,
) -> Advantages:
    """oreal's rows and advantages times the token's weight, and each side divided by its own share of the tokens.

    OREAL, 2502.06781 (authors' code). p_t = sigmoid(mean of the token scores up to t) is the chance that the completion
    is right. On right rows w = max(p - threshold, 0) / (1 - threshold), on wrong ones the same of 1 - p.
    `clone`: a right row's own advantage is left out, behaviour cloning (authors' default; false: pos_mult_adv).
    The sides are sums over their own tokens divided by their own number, so with token_mean and one update a rollout
    step the loss is the authors' to the letter; with several updates the numbers are those of the rollout step.
    A head that has learned nothing gives p = 1/2: every weight 0, no gradient. Group of one, equal rewards: 0.

    Differs from the authors' code: top-k rescaling is not there.
    """
    chosen = oreal(scores, group, mask, right_reward=right_reward, negative=negative)
    assert chosen.keep is not None  # oreal always chooses
    right = rewarded(scores, right_reward).unsqueeze(-1)
    counted = mask.cumsum(-1).clamp(min=1.0)
    p = torch.sigmoid(torch.where(mask > 0, token_scores, 0.0).cumsum(-1) / counted)
    weight = (torch.where(right, p, 1.0 - p) - threshold).clamp(min=0.0) / (1.0 - threshold)
    base = torch.where(right, mask, chosen.values) if clone else chosen.values
    kept = chosen.keep.unsqueeze(-1) * mask
    share = torch.where(right, (kept * right).sum(), (kept * ~right).sum()).clamp(min=1.0) / kept.sum().clamp(min=1.0)
    values = torch.where(chosen.keep.unsqueeze(-1), base * weight / share * mask, torch.zeros_like(base))
    return replace(chosen, values=values)
