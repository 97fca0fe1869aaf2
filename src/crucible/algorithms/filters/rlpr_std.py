"""RLPR's filter: prompts whose rewards differ less than usual are left out, by a moving threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from torch import Tensor

from crucible.algorithms.groups import reward_groups
from crucible.config.needs import needs
from crucible.errors import UserError
from crucible.types import Scores


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
class RLPRStd:
    """(N,) bool: True for the rows of groups whose standard deviation of rewards is at least beta x average.

    RLPR, 2506.18254 (authors' code, read in a copy): m_s is the mean standard deviation of step s over its groups,
    those to be dropped included. From step `filter_from` on, average = the mean of m_s over the steps `average_from`
    to `filter_from` - 1, and then, step by step, decay x average + (1 - decay) m of the step before; until then every
    group is kept. n - 1 in the variance, of the total reward (inferred from their GRPO advantage). Rows without a
    reward do not count; a group with fewer than two others says nothing of the average and is dropped from
    `filter_from` on. With equal rewards everywhere the threshold is 0 and every other group is kept.

    Differs from the authors' code: the batch is not filled up again with other prompts. A checkpoint keeps the average.

    Errors: UserError for a decay outside [0, 1], a negative beta, and steps out of order.
    """

    def __init__(
        self,
        *,
        beta: Annotated[float, ">= 0"] = 0.5,
        decay: Annotated[float, "0 to 1"] = 0.99,
        average_from: Annotated[int, ">= 1"] = 6,
        filter_from: Annotated[int, ">= 2"] = 11,
    ) -> None:
        if not 0.0 <= decay <= 1.0:
            raise UserError(f"rlpr_std: decay={decay} must be from 0 to 1")
        if not beta >= 0.0:
            raise UserError(f"rlpr_std: beta={beta} must be 0 or above")
        if not 1 <= average_from < filter_from:
            raise UserError(
                f"rlpr_std: average_from={average_from}, filter_from={filter_from}: steps from 1 on, the first before "
                "the second, which needs an average of the steps between them"
            )
        self.beta, self.decay = beta, decay
        self.average_from, self.filter_from = average_from, filter_from
        self.steps = 0
        self.means: list[float] = []  # m of the steps that the average does not hold yet
        self.average: float | None = None

    def __call__(self, scores: Scores, group: Tensor) -> Tensor:
        total, groups = reward_groups(scores, group)
        compared = groups.size >= 2
        variance = groups.sum(groups.centred(total).square()) / (groups.size - 1.0).clamp(min=1.0)
        spread = variance.sqrt()
        self.steps += 1
        kept = torch.ones_like(group, dtype=torch.bool)
        if self.steps >= self.filter_from:
            self.absorb()
            if self.average is not None:
                kept = compared & (spread >= self.beta * self.average)
        if self.steps >= self.average_from and bool(compared.any()):
            first = torch.zeros(groups.number, dtype=spread.dtype, device=spread.device)
            each = first.scatter(0, groups.index, spread)
            counted = torch.zeros_like(first).scatter(0, groups.index, compared.to(spread.dtype))
            self.means.append(float((each * counted).sum() / counted.sum()))
        return kept

    def absorb(self) -> None:
        """Take the means of the steps before into the average: all of them at once at first, later one at a time."""
        if self.average is None:
            self.average = sum(self.means) / len(self.means) if self.means else None
        else:
            for mean in self.means:
                self.average = self.decay * self.average + (1.0 - self.decay) * mean
        self.means = []

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "means": list(self.means), "average": self.average}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.steps, self.means = int(state["steps"]), [float(mean) for mean in state["means"]]
        self.average = None if state["average"] is None else float(state["average"])
