"""GRPO-CARE: right answers that follow from their reasoning, in the eyes of the reference model, earn a bonus."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.groups import Groups, reward_groups
from crucible.algorithms.shaping.change import with_total
from crucible.config.needs import needs
from crucible.types import Scores


@needs(min_samples_per_prompt=2, because="consistency is compared among the completions of a prompt")
def grpo_care(
    scores: Scores,
    group: Tensor,
    mask: Tensor,
    reference_logps: Tensor,
    *,
    bonus: float = 0.5,
    margin: float = 0.01,
    cap: float = 0.95,
    least: float = 0.1,
    answer_tokens: int = 4,
) -> Scores:
    """R + bonus R where c >= mean c - margin, among the rows with R > least and R >= mean_g; that mean is over them.

    GRPO-CARE, 2506.16141 (authors' code), c = min(exp(mean reference log-prob of the answer's tokens), cap). One
    such row meets its own mean and gets the bonus. The paper's reference is an average of the policy, 0.995 every
    10 steps: algo.reference.every=10 algo.reference.mix=0.005. It has no KL penalty.

    Differs from the paper: the answer is taken to be the last `answer_tokens` tokens, since a run does not know
    where the answer starts.
    """
    total, groups = reward_groups(scores, group)
    after = mask.flip(-1).cumsum(-1).flip(-1)  # counted tokens from here to the end
    answer = mask * (after <= answer_tokens)
    mean = (torch.where(answer > 0, reference_logps, 0.0)).sum(-1) / answer.sum(-1).clamp(min=1.0)
    consistency = mean.exp().clamp(max=cap).to(total.dtype)
    accurate = groups.valid & (total > least) & (groups.centred(total) >= 0)
    among = Groups.of(group, accurate, total.dtype)
    earns = accurate & (consistency >= among.mean(consistency) - margin)
    return with_total(scores, total + torch.where(earns, bonus * total, torch.zeros_like(total)), mask)
