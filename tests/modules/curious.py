"""Parts that ask for everything a run can give, and remember what they were given."""

from __future__ import annotations

import torch

from crucible.algorithms.advantages.group_norm import group_norm
from crucible.algorithms.losses.ppo_clip import ppo_clip
from crucible.entropy.base import EntropyControl
from crucible.types import Correction, PolicyLoss

SEEN: dict[str, list[dict]] = {}


def note(who, given):
    SEEN.setdefault(who, []).append({name: value for name, value in given.items() if name != "self"})


def advantage(
    scores, group, mask, success, truncated, completion_ids, texts, prompts, sampling_logps, old_logps, entropy,
    old_uniform, old_collision, hidden, reference_logps, staleness, updates_done, progress,
):  # fmt: skip
    note("advantage", locals())
    return group_norm(scores, group, mask)


def loss(
    logps, old_logps, sampling_logps, reference_logps, advantages, mask, entropy, old_entropy, uniform, old_uniform,
    collision, old_collision, rewards, success, truncated, valid, group, completion_ids, staleness,
    updates_done, progress,
) -> PolicyLoss:  # fmt: skip
    note("loss", {k: v.detach() if isinstance(v, torch.Tensor) else v for k, v in locals().items()})
    assert logps.requires_grad
    assert not entropy.requires_grad
    return ppo_clip(logps, old_logps, advantages, mask)


def typo(logps, refrence_logps) -> PolicyLoss:
    return PolicyLoss(logps)


def too_early(logps, scores) -> PolicyLoss:
    return PolicyLoss(logps)


def wants_values(logps, values) -> PolicyLoss:
    return PolicyLoss(logps)


def half(mask, advantages) -> Correction:
    return Correction(0.5 * mask)


class Doubles(EntropyControl):
    """Weights that undo a correction of one half; they need no pass of the policy."""

    def weigh(self, mask, advantages):
        note("weigh", locals())
        return 2.0 * mask


class Curious(EntropyControl):
    def weigh(self, logps, entropy, uniform, group, rewards, mask):
        note("weigh", locals())
        return mask

    def loss_term(self, old_entropy, entropy, mask):
        return torch.zeros_like(entropy)
