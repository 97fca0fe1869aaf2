"""Binary classifier optimisation: single answers called good or bad, against the mean reward so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from crucible.algorithms.ratio import check_positive
from crucible.types import PreferenceLoss


class BCO:
    """-log s(r - shift) where desirable, else -log s(shift - r), r = beta (log pi(y) - log pi_ref(y)).

    BCO, 2404.04656 (beta 0.1; 0.01 in the paper's runs). The shift is the mean of r over all answers of both
    kinds seen so far, those of the step included, a constant: it keeps the two terms of the bound on DPO's loss tight.
    Differs from the paper: no density ratio on the bad answers, for which it trains a classifier of prompts, and one
    mean over all answers, as TRL had it, where the paper takes the mean of the two kinds' means.
    """

    def __init__(self, *, beta: Annotated[float, "> 0"] = 0.1):
        check_positive("bco", beta=beta)
        self.beta = beta
        self.total, self.seen = 0.0, 0

    @property
    def shift(self) -> float:
        return self.total / self.seen if self.seen else 0.0

    def observe(self, logps: Tensor, reference_logps: Tensor) -> None:
        """All answers of a step, before its first micro-batch."""
        self.total += self.beta * float((logps - reference_logps).detach().double().sum())
        self.seen += len(logps)

    def __call__(self, logps: Tensor, reference_logps: Tensor, desirable: Tensor) -> PreferenceLoss:
        r = self.beta * (logps - reference_logps)
        above = r - self.shift
        per_item = -F.logsigmoid(torch.where(desirable, above, -above))
        return PreferenceLoss(per_item, {"reward": r.detach(), "shift": torch.full_like(r.detach(), self.shift)})

    def state_dict(self) -> dict[str, Any]:
        return {"total": self.total, "seen": self.seen}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.total, self.seen = float(state["total"]), int(state["seen"])
