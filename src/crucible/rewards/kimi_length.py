"""A reward for being shorter than the other answers to the same prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crucible.rewards.base import Combined, valid
from crucible.types import Completion, Context, Prompt, Scores


class KimiLength(Combined):
    """r = score_weight x correct + length_weight x l; l = lambda for right answers and min(0, lambda) for wrong ones.

    lambda = 0.5 - (tokens - shortest) / (longest - shortest), over the completions of one prompt: from 0.5 for the
    shortest to -0.5 for the longest. Source: Kimi k1.5 (arXiv 2501.12599), where l is added to the reward with a
    weight; open-r1's `len_reward` is l alone (score_weight 0). `correct` says which answers are right: a score of at
    least 0.5. Component `length`: l.

    0 for all where the answers of a prompt are equally long. A row is without a reward where `correct` has none, and
    its length does not count among the others'. Differs from open-r1: tokens, not characters.
    """

    def __init__(self, *, correct: Any, score_weight: float = 1.0, length_weight: float = 1.0):
        super().__init__({"correct": correct})
        self.score_weight, self.length_weight = score_weight, length_weight

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        found, together = self.score_parts(prompts, completions, context)
        known, score = valid(found["correct"]), found["correct"].total
        tokens = torch.tensor([float(c.tokens) for c in completions])
        share = torch.zeros_like(tokens)
        for number in context.group.unique():
            rows = (context.group.cpu() == number.cpu()) & known
            if rows.any() and (spread := tokens[rows].max() - tokens[rows].min()) > 0:
                share[rows] = 0.5 - (tokens[rows] - tokens[rows].min()) / spread
        length = torch.where(score >= 0.5, share, share.clamp(max=0.0))
        together.total = torch.where(known, self.score_weight * score + self.length_weight * length, 0.0)
        together.components["length"] = torch.where(known, length, torch.nan)
        together.valid = found["correct"].valid
        return together
