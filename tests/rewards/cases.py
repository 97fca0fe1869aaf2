"""Rewards called as a run calls them, on hand-made rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from crucible.rewards.base import checked
from crucible.types import Completion, Context, Prompt, Scores

ENDS = (  # an option of small runs: a policy that has learned to write "=" and to end, in two seconds
    "model.warmup={_target_: crucible.policy.warmup.WarmUp, target_accuracy: 0.01, max_steps: 80, probe_every: 10, "
    "probe_prompts: 32, probe_samples: 4, batch_size: 32, max_tokens: 48}"
)


def completions(*texts: str, reason: str = "stop") -> list[Completion]:
    return [Completion(text, len(text), reason) for text in texts]


def prompt(i: int = 0, **reference: Any) -> Prompt:
    return Prompt(id=str(i), text=str(i), reference=reference)


def context(prompts: Sequence[Prompt], **rest: Any) -> Context:
    """Rows of one prompt id are a group."""
    numbers: dict[str, int] = {}
    group = [numbers.setdefault(p.id, len(numbers)) for p in prompts]
    return Context(group=torch.tensor(group, dtype=torch.int64), **rest)


def scored(reward: Any, prompts: Sequence[Prompt], rows: Sequence[Completion], **rest: Any) -> Scores:
    """What the run gets of `reward`, after the check of its contract."""
    return checked("reward", reward(prompts, rows, context(prompts, **rest)), len(rows))
