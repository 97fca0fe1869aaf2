"""SPO: one completion a prompt is enough, because the baseline is remembered from earlier steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from crucible.algorithms.groups import Groups, on_tokens, unit_rewards
from crucible.algorithms.returns import standardised
from crucible.errors import UserError
from crucible.types import Advantages, Prompt, Scores


class SPO:
    """(R - p - mean) / (std + eps) over the rows of the batch, p = a / (a + b) of the prompt's tracker before the step.

    Single-stream policy optimisation, 2509.13232 (authors' code). After the step a <- rho a + R, b <- rho b + 1 - R.
    Rewards are within [0, 1]; a new prompt starts at a = b = 0.5. Equal rewards on equally known prompts: 0. It is
    meant for data that comes back: where every prompt is new it is the batch's standard score. Several completions
    of a prompt count as one with their mean reward.

    Differs from the paper: rho is fixed at `memory`, the paper's lower bound. There it is 2^(-D / 0.06) within
    [0.875, 0.96] with D the mean change of log pi on the prompt's last completion, which would have to be kept and
    scored again. No start from 8 offline samples a prompt, and prompts are not drawn by sqrt(p (1 - p)) + 0.05:
    that is a sampler.
    """

    def __init__(self, *, memory: float = 0.875, eps: float = 1e-8) -> None:
        if not 0.0 <= memory < 1.0:
            raise UserError(f"spo: memory is {memory}; give a factor from 0 to under 1")
        self.memory, self.eps = memory, eps
        self.trackers: dict[str, tuple[float, float]] = {}

    def __call__(self, scores: Scores, group: Tensor, mask: Tensor, prompts: Sequence[Prompt]) -> Advantages:
        total = unit_rewards("spo", scores)
        valid = torch.ones_like(total, dtype=torch.bool) if scores.valid is None else scores.valid
        ids = [prompt.id for prompt in prompts]
        known = torch.tensor([self.trackers.get(i, (0.5, 0.5)) for i in ids], dtype=torch.float64, device=total.device)
        value = (known[:, 0] / known.sum(-1)).to(total.dtype)
        found = on_tokens(standardised(total - value, valid, eps=self.eps), scores, mask)
        self._remember(ids, total, valid)
        return found

    def _remember(self, ids: Sequence[str], total: Tensor, valid: Tensor) -> None:
        numbers = {name: k for k, name in enumerate(dict.fromkeys(ids))}
        prompt = Groups.of(torch.tensor([numbers[i] for i in ids], device=total.device), valid, total.dtype)
        means, seen = prompt.mean(total).tolist(), prompt.size.tolist()
        for name, mean, rows in {n: (n, m, s) for n, m, s in zip(ids, means, seen, strict=True)}.values():
            if rows:
                a, b = self.trackers.get(name, (0.5, 0.5))
                self.trackers[name] = (self.memory * a + mean, self.memory * b + 1.0 - mean)

    def state_dict(self) -> dict[str, Any]:
        return {"trackers": {name: list(pair) for name, pair in self.trackers.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.trackers = {name: (float(a), float(b)) for name, (a, b) in state["trackers"].items()}
