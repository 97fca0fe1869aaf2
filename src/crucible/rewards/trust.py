"""A reward for the reasoning, trusted as far as it agrees with the outcome."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from crucible.errors import UserError
from crucible.rewards.base import Combined
from crucible.rewards.nodes import all_known, only_if_needed
from crucible.rewards.schedule import steps_done
from crucible.types import Completion, Context, Prompt, Reward, Scores

if TYPE_CHECKING:
    from torch import Tensor


class Trust(Combined):
    """outcome + gamma alpha exp(-steps done / decay_steps) thinking, with gamma = 1 or exp(mu_c - mu_w) in each group.

    Trust-GRPO of SophiaVL-R1, 2505.17018: mu_c and mu_w are the mean thinking rewards of the rows of the prompt whose
    outcome is at least `right_from` and of the others; gamma is 1 where mu_c >= mu_w, and where no row is right or none
    is wrong (authors' code). alpha 0.3, decay over the whole run (`decay_steps` null). Logged: trust (gamma). A row is
    valid where both rewards have a value; only such rows are in the means.

    Differs from the authors' code: the thinking reward counts on every row, there only from an outcome of 0.2, and
    never where all outcomes are at least 0.9 or at most 0.1.

    Errors: UserError for a negative alpha or decay_steps below 1.
    """

    def __init__(
        self,
        *,
        outcome: Reward,
        thinking: Reward,
        steps: int,
        alpha: float = 0.3,
        decay_steps: int | None = None,
        right_from: float = 0.5,
    ):
        if not alpha >= 0:
            raise UserError(f"reward trust: alpha={alpha} must be 0 or above")
        if decay_steps is not None and decay_steps < 1:
            raise UserError(f"reward trust: decay_steps={decay_steps} must be at least 1, or null for the whole run")
        super().__init__({"outcome": outcome, "thinking": thinking})
        self.alpha, self.decay_steps, self.right_from = alpha, decay_steps or steps, right_from

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        found, together = self.score_parts(prompts, completions, context)
        known = all_known(found)
        outcome, thinking = found["outcome"].total, found["thinking"].total
        trust = self.trust(outcome, thinking, known, context.group)
        factor = self.alpha * math.exp(-steps_done(context) / self.decay_steps)
        together.components["trust"] = torch.where(known, trust, torch.nan)
        total = torch.where(known, outcome + factor * trust * thinking, 0.0)
        return replace(together, total=total, valid=only_if_needed(known))

    def trust(self, outcome: Tensor, thinking: Tensor, known: Tensor, group: Tensor) -> Tensor:
        """(N,) gamma of the group of each row."""
        import torch

        from crucible.algorithms.groups import Groups

        right = Groups.of(group, known & (outcome >= self.right_from), thinking.dtype)
        wrong = Groups.of(group, known & (outcome < self.right_from), thinking.dtype)
        apart = right.mean(thinking) - wrong.mean(thinking)
        both = (right.size > 0) & (wrong.size > 0)
        return torch.where(both, apart.clamp(max=0.0).exp(), 1.0)
