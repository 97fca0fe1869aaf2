"""Clip-Cov: a few random tokens of large covariance are left out of the policy gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from torch import Tensor

from crucible.algorithms.ratio import check_bounds, importance_ratio, log_ratio
from crucible.entropy.base import EntropyControl
from crucible.entropy.tokens import covariances
from crucible.errors import UserError
from crucible.modules.seeds import derived_seed


class ClipCov(EntropyControl):
    """Weight 0 for n = max(int(ratio * tokens), 1) random tokens among those with low < cov < high; 1 elsewhere.

    Clip-Cov, 2505.22617; defaults of the authors' code. cov = (A - mean A)(log pi - mean log pi) over the tokens of
    the optimiser step, log pi that of the moment. Tokens outside the band 1 - eps_low .. 1 + eps_high on the side that
    PPO clips are no candidates: set the eps of the loss there (official scripts: 1 and 1 for both, so the band
    is 0 .. 2). The denominator of the loss does not change. No candidate, or equal advantages: nothing is left out.

    The draw depends on `seed` (the run's) and on the number of draws so far, which is state; candidates are taken in
    the order of their covariance, so neither row order nor padding changes it.

    Differs from the code: means and draw are over the optimiser step; there over the micro-batch, whose size then
    changes the result, and the draw is not seeded.
    """

    def __init__(
        self,
        *,
        ratio: Annotated[float, "> 0, <= 1"] = 0.0002,
        low: float = 1.0,
        high: float = 5.0,
        eps_low: float = 1.0,
        eps_high: float = 1.0,
        seed: int = 0,
    ) -> None:
        check_bounds("clip_cov", eps_low=eps_low, eps_high=eps_high)
        if not 0.0 < ratio <= 1.0:
            raise UserError(f"entropy clip_cov: ratio is {ratio}; it is a share of the tokens: 0 < ratio <= 1")
        if low >= high:
            raise UserError(f"entropy clip_cov: low is {low} and high {high}; give low < high")
        self.ratio, self.low, self.high = ratio, low, high
        self.eps_low, self.eps_high, self.seed = eps_low, eps_high, seed
        self.draws = 0

    def weigh(self, logps: Tensor, old_logps: Tensor, advantages: Tensor, mask: Tensor) -> Tensor:
        delta = importance_ratio(log_ratio(logps, old_logps, mask))
        clipped = (delta > 1.0 + self.eps_high) & (advantages > 0)
        clipped |= (delta < 1.0 - self.eps_low) & (advantages < 0)
        cov = covariances(logps, advantages, mask)
        candidate = (cov > self.low) & (cov < self.high) & ~clipped & (mask > 0)
        chosen = torch.zeros_like(candidate)
        chosen.view(-1)[self._drawn(cov, candidate, int((mask > 0).sum()))] = True
        return torch.where(chosen, 0.0, torch.ones_like(logps))

    def _drawn(self, cov: Tensor, candidate: Tensor, tokens: int) -> Tensor:
        """Flat positions of the tokens drawn from the candidates."""
        found = candidate.flatten().nonzero().flatten()
        found = found[cov.flatten()[found].argsort(stable=True)]
        draw = torch.Generator().manual_seed(derived_seed(self.seed, "clip_cov", self.draws))
        self.draws += 1
        number = max(int(self.ratio * tokens), 1)
        return found[torch.randperm(len(found), generator=draw)[:number].to(found.device)]

    def state_dict(self) -> dict[str, Any]:
        return {"draws": self.draws}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.draws = int(state["draws"])
