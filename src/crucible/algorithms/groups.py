"""Statistics over the rows of one prompt, vectorised and blind to rows without a reward."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from crucible.errors import UserError
from crucible.types import Advantages, Scores


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows of equal `group` number, in any order. Statistics are of the valid rows and come back per row."""

    index: Tensor  # (N,) int64, 0 .. number of groups - 1
    number: int  # groups
    valid: Tensor  # (N,) bool
    size: Tensor  # (N,) valid rows in the group of each row

    @classmethod
    def of(cls, group: Tensor, valid: Tensor | None, dtype: torch.dtype) -> Groups:
        """`dtype` is the floating type of the statistics; `valid` None means every row."""
        names, index = torch.unique(group, return_inverse=True)
        known = torch.ones_like(group, dtype=torch.bool) if valid is None else valid
        counts = torch.zeros(len(names), dtype=dtype, device=group.device).index_add(0, index, known.to(dtype))
        return cls(index, len(names), known, counts[index])

    def sum(self, values: Tensor) -> Tensor:
        """Sum of the group of each row."""
        kept = torch.where(self.valid, values, torch.zeros_like(values))
        return torch.zeros(self.number, dtype=values.dtype, device=values.device).index_add(0, self.index, kept)[
            self.index
        ]

    def least(self, values: Tensor) -> Tensor:
        """Minimum of the group of each row; +inf where the group has no valid row."""
        far = torch.full_like(values, float("inf"))
        start = torch.full((self.number,), float("inf"), dtype=values.dtype, device=values.device)
        return start.scatter_reduce(0, self.index, torch.where(self.valid, values, far), "amin")[self.index]

    def most(self, values: Tensor) -> Tensor:
        """Maximum of the group of each row; -inf where the group has no valid row."""
        return -self.least(-values)

    def mean(self, values: Tensor) -> Tensor:
        """Mean of the group of each row; 0 where the group has no valid row."""
        return self.sum(values) / self.size.clamp(min=1.0)

    def rank(self, values: Tensor) -> Tensor:
        """(N,) how many valid rows of the group lie strictly below; 0 on invalid rows. Equal values share a rank."""
        by_value = torch.argsort(torch.where(self.valid, values, torch.full_like(values, float("inf"))), stable=True)
        order = by_value[torch.argsort(self.index[by_value], stable=True)]  # by group, then by value
        place = torch.arange(len(order), device=values.device)
        new_group = _changes(self.index[order])
        new_value = new_group | _changes(values[order])
        below = torch.cummax(torch.where(new_value, place, 0), 0).values if len(order) else place
        start = torch.cummax(torch.where(new_group, place, 0), 0).values if len(order) else place
        ranks = torch.zeros_like(values).scatter(0, order, (below - start).to(values.dtype))
        return torch.where(self.valid, ranks, torch.zeros_like(values))

    def place(self, among: Tensor) -> Tensor:
        """(N,) int64: how many earlier rows of the group are in `among` (N,) bool, in the order of the rows."""
        order = torch.argsort(self.index, stable=True)
        counted = among[order].long()
        before = counted.cumsum(0) - counted
        start = torch.cummax(torch.where(_changes(self.index[order]), before, 0), 0).values if len(order) else before
        return torch.zeros_like(before).scatter(0, order, before - start)

    def centred(self, values: Tensor, weights: Tensor | None = None) -> Tensor:
        """value - weighted mean of the group; 0 on invalid rows and in groups of one.

        Values are first measured from the group's minimum, so equal values give exactly 0 and not a rounding
        error that a later division by the standard deviation would blow up.
        """
        weight = torch.ones_like(values) if weights is None else weights
        above = torch.where(self.valid, values - self.least(values), torch.zeros_like(values))
        total = self.sum(weight)
        mean = self.sum(weight * above) / torch.where(total > 0, total, torch.ones_like(total))
        return torch.where(self.valid, above - mean, torch.zeros_like(values))


def _changes(values: Tensor) -> Tensor:
    """(N,) bool: True where a value differs from the one before it, and at the first."""
    if len(values) == 0:
        return torch.zeros(0, dtype=torch.bool, device=values.device)
    return torch.cat([torch.ones(1, dtype=torch.bool, device=values.device), values[1:] != values[:-1]])


def rewards(scores: Scores) -> Tensor:
    """(N,) total rewards as floating numbers. Raises UserError where a valid row has none."""
    total = scores.total if scores.total.is_floating_point() else scores.total.to(torch.get_default_dtype())
    wrong = ~total.isfinite()
    if scores.valid is not None:
        wrong &= scores.valid
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise UserError(
            f"reward: row {row} is {float(total[row])}; mark a reward that could not be computed as invalid"
        )
    return total


def reward_groups(scores: Scores, group: Tensor) -> tuple[Tensor, Groups]:
    """The total rewards (N,) and the groups of their valid rows."""
    total = rewards(scores)
    return total, Groups.of(group, scores.valid, total.dtype)


def on_tokens(per_row: Tensor, scores: Scores, mask: Tensor) -> Advantages:
    """One value per row, laid on its tokens (N, T); 0 on padding; invalid rows are marked to be left out."""
    return Advantages(per_row.unsqueeze(-1) * mask, keep=scores.valid)


def unit_rewards(method: str, scores: Scores) -> Tensor:
    """(N,) total rewards, which `method` needs within [0, 1]. Raises UserError where a valid row's is not."""
    total = rewards(scores)
    outside = (total < 0.0) | (total > 1.0)
    if scores.valid is not None:
        outside &= scores.valid
    if outside.any():
        raise UserError(f"{method}: a reward is {float(total[outside][0]):g}; it needs rewards from 0 to 1")
    return total


def rewarded(scores: Scores, at_least: float) -> Tensor:
    """(N,) bool: valid rows with a total reward of `at_least`, what the reward calls right."""
    right = rewards(scores) >= at_least
    return right if scores.valid is None else right & scores.valid
