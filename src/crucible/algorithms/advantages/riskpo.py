"""RiskPO: bundles of prompts, and an advantage that looks at the lower tail of what they earn together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from crucible.algorithms.groups import Groups, on_tokens, reward_groups, rewarded
from crucible.errors import UserError, nearest
from crucible.types import Advantages, Scores

_QUANTILES = ("batch", "track", "mix")
_SHARES = ("uniform", "score", "std")


class RiskPO:
    """A = (w c + a) / (w + 1) of a paper's score S, the same for all its rows.

    RiskPO, 2510.00911 (authors' code). `bundle` prompts in a row are an exam; "paper" k is the k-th completion of
    each, S the sum of their rewards. With the quantiles q_d, q_u of the bundle's papers at `lower` and `upper`:
        a = [max(S - q_d, 0) - max(S - q_u, 0) + q_d - q_u] / (upper - lower + 1e-6)     range value at risk
        c = -max(q_d - S, 0) / (lower + 1e-6)                                            conditional value at risk
    and w = `tail`. q_d - q_u is the natural baseline, which makes a <= 0; `baseline` false leaves it out.
    quantiles: "batch" takes the bundle's own (linear interpolation), "track" remembered ones that move by
    q <- q + rate (level - share of papers with S < q), "mix" the mean of both. They start at the first batch's mean.
    Levels 0.2 / 0.9 for easy, 0.2 / 0.8 for DAPO's data. Papers of equal score, or one paper: 0 (quantiles=batch).

    The k-th completion is the k-th row with a reward, so the order of rows matters. Differs from the paper: a
    prompt with fewer rows than others adds its mean to the papers it misses, and a last bundle with fewer prompts
    is scaled up.

    `share`: how the rows of a paper share its advantage. "uniform": all the same; "score": x 1.5 on wrong rows and
    x 0.5 on right ones (a total reward of at least `right_reward`); "std": over the std of the row's prompt + 1e-6.
    The authors' sum-mean (in proportion to R - mean of the prompt) is not there.
    """

    def __init__(
        self,
        *,
        bundle: int = 5,
        lower: float = 0.2,
        upper: float = 0.8,
        tail: float = 1.5,
        quantiles: Literal["batch", "track", "mix"] = "mix",
        rate: float = 0.1,
        baseline: bool = True,
        divide_by_std: bool = False,
        share: Literal["uniform", "score", "std"] = "uniform",
        right_reward: float = 1.0,
    ) -> None:
        if share not in _SHARES:
            raise UserError(f'riskpo: share is "{share}"; give uniform, score or std{nearest(share, _SHARES)}')
        if quantiles not in _QUANTILES:
            hint = nearest(quantiles, _QUANTILES)
            raise UserError(f'riskpo: quantiles is "{quantiles}"; give batch, track or mix{hint}')
        if not 0.0 < lower < upper < 1.0 or bundle < 1:
            raise UserError(f"riskpo: bundle {bundle}, lower {lower}, upper {upper}; give 0 < lower < upper < 1")
        self.bundle, self.lower, self.upper, self.tail = bundle, lower, upper, tail
        self.quantiles, self.rate, self.baseline, self.divide_by_std = quantiles, rate, baseline, divide_by_std
        self.share, self.right_reward = share, right_reward
        self.tracked: tuple[float, float] | None = None

    def __call__(self, scores: Scores, group: Tensor, mask: Tensor) -> Advantages:
        total, groups = reward_groups(scores, group)
        if not bool(groups.valid.any()):
            return on_tokens(torch.zeros_like(total), scores, mask)
        rows = groups.valid.nonzero().squeeze(-1)
        bundle, paper, table = self._papers(total[rows], group[rows])
        levels = torch.tensor([self.lower, self.upper], dtype=total.dtype, device=total.device)
        own = torch.nanquantile(table, levels, dim=-1, keepdim=True)  # (2, bundles, 1)
        low, high = self._quantiles(table, own)
        a = (table - low).clamp(min=0) - (table - high).clamp(min=0)
        if self.baseline:
            a = a + low - high
        c = -(low - table).clamp(min=0) / (self.lower + 1e-6)
        found = (self.tail * c + a / (self.upper - self.lower + 1e-6)) / (self.tail + 1.0)
        if self.divide_by_std:
            found = found / (_std(table) + 1e-6)
        per_row = torch.zeros_like(total).scatter(0, rows, found[bundle, paper])
        if self.share == "score":
            per_row = per_row * torch.where(rewarded(scores, self.right_reward), 0.5, 1.5)
        elif self.share == "std":
            variance = groups.sum(groups.centred(total).square()) / (groups.size - 1.0).clamp(min=1.0)
            per_row = per_row / (variance.sqrt() + 1e-6)
        return on_tokens(per_row, scores, mask)

    def _papers(self, total: Tensor, group: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Bundle and paper of each row (K,), and the scores (bundles, papers), NaN where there is no such paper."""
        groups = Groups.of(group, None, total.dtype)
        bundle, paper = groups.index // self.bundle, groups.place(groups.valid)
        bundles = -(-groups.number // self.bundle)
        shape = (bundles, int(paper.max()) + 1)
        empty = torch.zeros(shape, dtype=total.dtype, device=total.device).flatten()
        place = bundle * shape[1] + paper
        mean = groups.mean(total)
        above = empty.index_add(0, place, total - mean)
        there = empty.index_add(0, place, torch.ones_like(total)) > 0
        each = torch.zeros(bundles, dtype=total.dtype, device=total.device)
        share = 1.0 / groups.size
        prompts, sums = each.index_add(0, bundle, share), each.index_add(0, bundle, share * mean)
        whole = self.bundle / prompts.unsqueeze(-1)
        table = whole * (above.reshape(shape) + sums.unsqueeze(-1))
        return bundle, paper, torch.where(there.reshape(shape), table, float("nan"))

    def _quantiles(self, table: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        if self.tracked is None:
            self.tracked = (float(own[0].mean()), float(own[1].mean()))
        tracked = torch.tensor(self.tracked, dtype=table.dtype, device=table.device).reshape(2, 1, 1)
        known = table[~table.isnan()]
        low, high = ((known < q).to(table.dtype).mean().item() for q in tracked.flatten())
        self.tracked = (
            self.tracked[0] + self.rate * (self.lower - low),
            self.tracked[1] + self.rate * (self.upper - high),
        )
        found = {"batch": own, "track": tracked.expand(own.shape), "mix": (own + tracked) / 2.0}[self.quantiles]
        return found[0], found[1]

    def state_dict(self) -> dict[str, Any]:
        return {"tracked": self.tracked}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.tracked = None if state["tracked"] is None else tuple(state["tracked"])


def _std(table: Tensor) -> Tensor:
    """(bundles, 1) deviation of each bundle's papers over n - 1; 0 for one paper."""
    there = ~table.isnan()
    n = there.sum(-1, keepdim=True)
    known = torch.where(there, table, torch.zeros_like(table))
    mean = known.sum(-1, keepdim=True) / n
    deviation = torch.where(there, table - mean, torch.zeros_like(table))
    return (deviation.square().sum(-1, keepdim=True) / (n - 1).clamp(min=1)).sqrt()
