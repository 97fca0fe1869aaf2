"""What is known of a rollout step before its first update, and the samples that are stored."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from crucible.algorithms.ratio import importance_ratio
from crucible.modules.experience import Experience


def step_metrics(x: Experience) -> dict[str, float]:
    """Means over all rows that have a reward."""
    valid = x.scores.valid if x.scores.valid is not None else torch.ones_like(x.success, dtype=torch.bool)
    rewards, tokens = x.scores.total[valid], x.rollouts.mask.sum()
    rows = x.rollouts
    metrics = {
        "reward/mean": rewards.mean().item() if len(rewards) else math.nan,
        "reward/std": rewards.std().item() if len(rewards) > 1 else 0.0,
        "reward/invalid": 1.0 - valid.float().mean().item(),
        "completion/length": rows.lengths.mean().item(),
        "completion/truncated": sum(r == "length" for r in rows.finish_reason) / len(rows),
        "policy/entropy_sampled": -(rows.sampling_logps * rows.mask).sum().item() / tokens.item(),
        "rows/trained": x.advantages.keep.float().mean().item() if x.advantages.keep is not None else 1.0,
        "groups/without_signal": share_without_signal(x.advantages.values, rows.group),
    }
    for name, values in x.scores.components.items():
        label = name if name.startswith("true/") else f"reward/{name}"  # known by program, not rewarded
        metrics[label] = values.nanmean().item()  # over the rows where this component has a value
    if x.columns["old_logps"] is not rows.sampling_logps:
        metrics |= mismatch(x.columns["old_logps"], rows.sampling_logps, rows.mask)
    return metrics | x.metrics | x.advantages.diagnostics


def share_without_signal(advantages: Tensor, group: Tensor) -> float:
    """Share of groups in which every advantage is zero: they do not move the policy."""
    groups, index = group.unique(return_inverse=True)
    strength = torch.zeros(len(groups)).scatter_reduce(0, index, advantages.abs().amax(-1), "amax")
    return (strength == 0).float().mean().item()


def mismatch(old_logps: Tensor, sampling_logps: Tensor, mask: Tensor) -> dict[str, float]:
    """How far the policy that starts the update is from the one that sampled, on the sampled tokens."""
    difference = torch.where(mask > 0, old_logps - sampling_logps, 0.0)
    return {
        "mismatch/kl": -difference.sum().item() / mask.sum().item(),
        "mismatch/max": difference.abs().max().item(),
        "mismatch/ess": effective_sample_size(importance_ratio(difference), mask),
    }


def effective_sample_size(ratio: Tensor, mask: Tensor) -> float:
    """(sum r)^2 / (n sum r^2) over the n counted tokens, in (0, 1]: the share that weighting leaves of them."""
    weighted = ratio * mask
    return (weighted.sum().square() / (mask.sum() * weighted.square().sum())).item()


def sample_rows(x: Experience, limit: int = 64) -> list[dict[str, Any]]:
    """The first `limit` completions of a step, as stored in samples/."""
    return [
        {
            "prompt_id": prompt.id,
            "prompt": prompt.text or [dict(m) for m in prompt.messages],
            "completion": x.rollouts.texts[i],
            "finish_reason": x.rollouts.finish_reason[i],
            "reward": x.scores.total[i].item(),
            "components": {name: values[i].item() for name, values in x.scores.components.items()},
            "success": bool(x.success[i]),
        }
        for i, prompt in enumerate(x.rollouts.prompts[:limit])
    ]
