"""A right answer is paid by how near its length is to a target (L1: length-controlled policy optimisation)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from crucible.errors import UserError, nearest
from crucible.rewards.base import Combined, valid
from crucible.types import Completion, Context, Prompt, Reward, Scores

MODES = ("exact", "max")


class L1(Combined):
    """exact: right - alpha |target - tokens|. max: right x clip(alpha (target - tokens) + delta, 0, 1).

    Source: L1 (arXiv 2503.04697), LCPO-Exact and LCPO-Max, alpha 0.0003 and delta 0.5: formula and numbers recalled
    and not read again for this, so inferred. `right` is the reward that says whether an answer is right.
    Differs from the paper: one `target` in tokens for all prompts where `reference` is null; else the prompt's own,
    under that key of Prompt.reference. Putting it into the prompt's text is up to the data.

    A row is valid where `right` is. Errors: UserError for another mode, alpha <= 0, a target below 1, and a prompt
    without one.
    """

    def __init__(
        self,
        *,
        right: Reward,
        mode: Literal["exact", "max"] = "exact",
        target: int = 1024,
        alpha: float = 0.0003,
        delta: float = 0.5,
        reference: str | None = None,
    ):
        super().__init__({"right": right})
        if mode not in MODES:
            raise UserError(f"reward.mode={mode}{nearest(mode, MODES)}; it must be exact or max")
        if target < 1 or not alpha > 0:
            raise UserError(f"reward.target={target}, reward.alpha={alpha}: at least 1 token, and alpha above 0")
        self.mode, self.target, self.alpha, self.delta, self.reference = mode, target, alpha, delta, reference
        if reference is not None:
            self.needs = (*self.needs, reference)

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        found, together = self.score_parts(prompts, completions, context)
        known = valid(found["right"])
        right = torch.where(known, found["right"].total, 0.0)
        left = torch.tensor([float(self.goal(p) - c.tokens) for p, c in zip(prompts, completions, strict=True)])
        if self.mode == "exact":
            total = right - self.alpha * left.abs()
        else:
            total = right * (self.alpha * left + self.delta).clamp(0.0, 1.0)
        return replace(together, total=torch.where(known, total, 0.0), valid=found["right"].valid)

    def goal(self, prompt: Prompt) -> int:
        return self.target if self.reference is None else int(prompt.reference[self.reference])
