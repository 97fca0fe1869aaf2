"""PF-PPO's filtration as resampling: rows are drawn again with replacement, by what they earned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from crucible.algorithms.groups import rewards
from crucible.errors import UserError, nearest
from crucible.modules.seeds import derived_seed
from crucible.types import Scores

_RULES = ("pow", "max_min", "max_random")


class PFPPOResample:
    """(N,) int64: how often each row is trained on, N draws with replacement in proportion to its weight.

    PF-PPO, 2409.06957, as in verl, over the whole batch. Weight of a row: |R|^`power` ("pow"), 1 on the best and the
    worst reward of the batch and 0 elsewhere ("max_min"), 0.4 on the best and 0.1 elsewhere ("max_random"). Rows
    without a reward have weight 0. Every weight 0: each row with a reward once. Advantages are those of the whole
    group; the draw depends on `seed` (the run's) and on the number of draws, and on the order of the rows.
    """

    def __init__(
        self,
        *,
        rule: Literal["pow", "max_min", "max_random"] = "max_min",
        power: float = 2.0,
        seed: int = 0,
    ) -> None:
        if rule not in _RULES:
            raise UserError(f'pf_ppo_resample: rule is "{rule}"; give {", ".join(_RULES)}{nearest(rule, _RULES)}')
        if not power > 0.0:
            raise UserError(f"pf_ppo_resample: power is {power}; give more than 0")
        self.rule, self.power, self.seed = rule, power, seed
        self.draws = 0

    def __call__(self, scores: Scores) -> Tensor:
        total = rewards(scores)
        valid = torch.ones_like(total, dtype=torch.bool) if scores.valid is None else scores.valid
        weights = self.weights(total, valid)
        self.draws += 1
        if not bool((weights > 0).any()):
            return valid.long()
        draw = torch.Generator().manual_seed(derived_seed(self.seed, "pf_ppo", self.draws))
        drawn = torch.multinomial(weights.double().cpu(), len(total), replacement=True, generator=draw)
        return torch.bincount(drawn, minlength=len(total)).to(total.device)

    def weights(self, total: Tensor, valid: Tensor) -> Tensor:
        """(N,) weights, not normalised; 0 where there is no reward."""
        far = torch.full_like(total, float("inf"))
        best, worst = torch.where(valid, total, -far).amax(), torch.where(valid, total, far).amin()
        if self.rule == "pow":
            found = total.abs() ** self.power
        elif self.rule == "max_min":
            found = ((total == best) | (total == worst)).to(total.dtype)
        else:
            found = torch.where(total == best, 0.4, 0.1).to(total.dtype)
        return torch.where(valid, found, torch.zeros_like(found))

    def state_dict(self) -> dict[str, Any]:
        return {"draws": self.draws}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.draws = int(state["draws"])
