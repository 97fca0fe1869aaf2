"""PURE: a completion is worth its worst step, not the sum of its steps."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.groups import Groups
from crucible.algorithms.returns import last_token, returns_to_go, step_ends, token_rewards
from crucible.config.needs import needs
from crucible.errors import UserError
from crucible.types import Advantages, Scores


@needs(min_samples_per_prompt=2, because="the baseline is the mean of the other completions")
def pure(
    scores: Scores, group: Tensor, mask: Tensor, *, temperature: Annotated[float, "> 0"] = 0.1, verifiable: float = 0.0
) -> Advantages:
    """A_t = sum over the steps k that end at t or later of (w_k r_k - b n_k), w = softmax(-r / temperature).

    PURE, 2504.15275 (authors' code). r_k is the step reward (`scores.per_token` where it is not 0; without it the
    completion is one step), n_k the tokens of the step, b the mean over the group's other rows of their
    sum w r / length. sum w r is close to the least r. `verifiable` > 0 adds that weight times the leave-one-out
    advantage of `scores.verdict`; the paper trains with 1, without, and with it alone. Group of one: 0.

    Equal step rewards do not give 0 where lengths differ: the baseline is per token. Differs from the authors'
    code: separators between steps keep their advantage; it is not known here which tokens they are.
    """
    if temperature <= 0.0:
        raise UserError(f"pure: temperature is {temperature}; give more than 0")
    paid, ends = token_rewards(scores, mask), step_ends(scores, mask)
    groups = Groups.of(group, scores.valid, paid.dtype)
    logits = torch.where(ends, -paid / temperature, torch.full_like(paid, float("-inf")))
    weights = torch.where(ends, torch.softmax(logits, -1), torch.zeros_like(paid))  # rows without a step: nan, unused
    worst = weights * paid
    length = mask.sum(-1)
    baseline = _others(worst.sum(-1) / length.clamp(min=1.0), groups)
    at = torch.arange(1, mask.shape[-1] + 1, device=mask.device).expand(mask.shape)
    before = torch.cummax(torch.where(ends, at, 0), -1).values  # tokens up to the last step end so far
    started = torch.cat([torch.zeros_like(before[:, :1]), before[:, :-1]], -1)
    tokens = torch.where(ends, at - started, 0).to(paid.dtype)
    found = worst - baseline.unsqueeze(-1) * tokens
    if verifiable:
        if scores.verdict is None:
            raise UserError("pure: verifiable needs a reward with a verdict; set algo.advantage.verifiable=0")
        right = scores.verdict.to(paid.dtype)
        found = found + verifiable * (right - _others(right, groups)).unsqueeze(-1) * last_token(mask)
    compared = (groups.valid & (groups.size > 1.0)).unsqueeze(-1)
    found = torch.where(compared, returns_to_go(found, 1.0) * mask, torch.zeros_like(found))
    return Advantages(found, keep=scores.valid)


def _others(values: Tensor, groups: Groups) -> Tensor:
    """Mean of the other valid rows of the group; 0 where there is none."""
    own = torch.where(groups.valid, values, torch.zeros_like(values))
    return (groups.sum(values) - own) / (groups.size - 1.0).clamp(min=1.0)
