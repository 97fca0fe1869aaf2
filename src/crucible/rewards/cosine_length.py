"""A value for right and wrong answers that moves with their length along half a cosine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from crucible.errors import UserError
from crucible.rewards.base import Combined, valid
from crucible.types import Completion, Context, Prompt, Scores


class CosineLength(Combined):
    """r = long + (short - long) (1 + cos(pi min(tokens / max_tokens, 1))) / 2, with one pair for right, one for wrong.

    Source: arXiv 2502.03373 (Demystifying Long Chain-of-Thought Reasoning), values as in TRL and open-r1. Right
    answers fall from `right_short` to `right_long`; wrong ones rise from `wrong_short` to `wrong_long`, so that
    thinking on pays where there is no answer yet. `correct` says which is which: right is a score of at least 0.5.

    Differs from open-r1: tokens, not characters, and clamped at `max_tokens` as in TRL (unclamped, a right answer of
    one and a half times the length would climb back to 0.75).

    A row is without a reward where `correct` has none.
    """

    def __init__(
        self,
        *,
        correct: Any,
        max_tokens: int,
        right_short: float = 1.0,
        right_long: float = 0.5,
        wrong_short: float = -1.0,
        wrong_long: float = -0.5,
    ):
        if max_tokens < 1:
            raise UserError(f"reward.max_tokens={max_tokens}: at least 1")
        super().__init__({"correct": correct})
        self.max_tokens = max_tokens
        self.right, self.wrong = (right_short, right_long), (wrong_short, wrong_long)

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        found, together = self.score_parts(prompts, completions, context)
        known, right = valid(found["correct"]), found["correct"].total >= 0.5
        values = [
            cosine(c.tokens / self.max_tokens, *(self.right if ok else self.wrong))
            for c, ok in zip(completions, right.tolist(), strict=True)
        ]
        together.total = torch.where(known, torch.tensor(values), 0.0)
        together.valid = found["correct"].valid
        return together


def cosine(share: float, short: float, long: float) -> float:
    """From `short` at share 0 to `long` at share 1 and beyond."""
    return long + (short - long) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
