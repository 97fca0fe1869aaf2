"""A factor on the reward of completions that were cut off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crucible.errors import UserError
from crucible.rewards.base import Combined
from crucible.types import Completion, Context, Prompt, Scores


class Truncation(Combined):
    """`factor` x the reward of completions cut off by the token limit; the reward itself for the others.

    Source: NeMo-RL. 1 changes nothing, 0 gives cut-off completions nothing. It is a factor: a negative reward becomes
    *less* negative by it, so it belongs on rewards from 0 up.
    """

    def __init__(self, *, score: Any, factor: float = 0.0):
        if not 0 <= factor <= 1:
            raise UserError(f"reward.factor={factor}: from 0 to 1")
        super().__init__({"score": score})
        self.factor = factor

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        found, together = self.score_parts(prompts, completions, context)
        factors = torch.tensor([self.factor if c.finish_reason == "length" else 1.0 for c in completions])
        together.total, together.valid = found["score"].total * factors, found["score"].valid
        return together
