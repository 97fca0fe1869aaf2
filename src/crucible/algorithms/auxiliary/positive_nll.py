"""Likelihood of the model's own correct completions, beside the policy loss."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.types import Scores


class PositiveNLL:
    """-log pi, averaged over the tokens of correct completions of the whole update.

    Klear-Reasoner, 2508.07629, section 3.2.3, Eq. 13-14, alpha = `coefficient` = 0.1 (best of 0, 0.05,
    0.1, 0.2 in its Table 6). Also set in CE-GPPO's run scripts (0.1), though 2509.20712 does not mention
    it. Also VAPO's term. Differs from the paper: Eq. 13 prints -pi; this is -log pi, as in the authors'
    code.

    correct_reward null: correct means `success`, the task's own check. A number: correct means a total
    reward of at least that number (the scripts use their "correct" score, 1), for runs whose reward must
    not see the truth. No correct completion: all weights 0, no term.
    """

    def __init__(self, *, coefficient: float = 0.1, correct_reward: float | None = None) -> None:
        self.coefficient = coefficient
        self.correct_reward = correct_reward

    def select(self, scores: Scores, success: Tensor, mask: Tensor) -> Tensor:
        """(N, T) 1.0 on the tokens of correct rows with a reward."""
        correct = success > 0 if self.correct_reward is None else scores.total >= self.correct_reward
        if scores.valid is not None:
            correct = correct & scores.valid
        return torch.where(correct.unsqueeze(-1), mask, torch.zeros_like(mask))

    def per_token(self, logps: Tensor, entropy: Tensor) -> Tensor:
        """(N, T) in nats."""
        return -logps
