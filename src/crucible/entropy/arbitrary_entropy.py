"""AEPO, arbitrary entropy policy optimisation: REINFORCE on rows sampled hotter or colder than the policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import torch
from torch import Tensor

from crucible.entropy.base import EntropyControl, More, finite
from crucible.errors import UserError
from crucible.modules.seeds import derived_seed
from crucible.types import Advantages


class ArbitraryEntropy(EntropyControl):
    """A' = 1 on rows sampled at T that did better than their group; they take the place of as many other rows.

    AEPO, 2510.08141 (authors' code; not the agentic AEPO, 2510.14545): T = `hot` while H <= target, which raises the
    entropy, else `cold`. Each rollout step samples `share` of its prompts once more at T; of these rows those with a
    positive advantage train, at most `rows_hot` (`rows_cold`) of them, with log-probs of the untempered policy. H is
    the mean entropy last measured, in nats; before anything is measured there are no such rows.

    Differs from the code: the rows that give way are drawn at random, there the first of the batch; the draw depends
    on `seed` (the run's) and on the number of draws. Statistics over a batch, and the step's metrics, count the
    tempered rows too. Not enough rows with a reward to give way: as many as there are.
    """

    shapes = True

    def __init__(
        self,
        *,
        target: float = 0.5,
        hot: Annotated[float, "> 0"] = 1.2,
        cold: Annotated[float, "> 0"] = 0.8,
        share: Annotated[float, "> 0, <= 1"] = 0.25,
        rows_hot: Annotated[int, ">= 0"] = 60,
        rows_cold: Annotated[int, ">= 0"] = 30,
        seed: int = 0,
    ) -> None:
        if not 0.0 < cold < hot:
            raise UserError(f"entropy arbitrary_entropy: cold is {cold} and hot {hot}; give 0 < cold < hot")
        if not 0.0 < share <= 1.0:
            raise UserError(f"entropy arbitrary_entropy: share is {share}; give 0 < share <= 1, of the prompts")
        if rows_hot < 0 or rows_cold < 0:
            raise UserError(f"entropy arbitrary_entropy: rows_hot is {rows_hot}, rows_cold {rows_cold}; give 0 or more")
        self.target, self.hot, self.cold, self.share = target, hot, cold, share
        self.rows_hot, self.rows_cold, self.seed = rows_hot, rows_cold, seed
        self.last: float | None = None
        self.draws = 0

    @property
    def low(self) -> bool:
        return self.last is not None and self.last <= self.target

    def more(self) -> More | None:
        return None if self.last is None else More(self.share, self.hot if self.low else self.cold)

    def shape(self, advantages: Advantages, tempered: Tensor, mask: Tensor) -> Advantages:
        keep = torch.ones_like(tempered) if advantages.keep is None else advantages.keep
        better = tempered & keep & ((advantages.values * mask).sum(-1) > 0)
        others = (keep & ~tempered).nonzero().flatten()
        number = min(int(better.sum()), len(others), self.rows_hot if self.low else self.rows_cold)
        chosen = better.nonzero().flatten()[:number]
        draw = torch.Generator().manual_seed(derived_seed(self.seed, "arbitrary_entropy", self.draws))
        self.draws += 1
        keep = keep & ~tempered
        keep[others[torch.randperm(len(others), generator=draw)[:number].to(others.device)]] = False
        keep[chosen] = True
        values = advantages.values.clone()
        values[chosen] = mask[chosen].to(values.dtype)
        return replace(advantages, values=values, keep=keep)

    def after_step(self, mean_entropy: float) -> dict[str, float]:
        self.last = finite("arbitrary_entropy", mean_entropy)
        return {"entropy/hot": float(self.low)}

    def state_dict(self) -> dict[str, Any]:
        return {"last": self.last, "draws": self.draws}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.last = None if state["last"] is None else float(state["last"])
        self.draws = int(state["draws"])
