"""One score from several reward models of the same thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from crucible.errors import UserError, nearest
from crucible.rewards.base import Combined
from crucible.rewards.nodes import all_known, columns, only_if_needed
from crucible.types import Completion, Context, Prompt, Reward, Scores

if TYPE_CHECKING:
    from torch import Tensor

_RULES = ("mean", "median", "min", "mean_minus_std", "mean_minus_variance")


class Ensemble(Combined):
    """mean, median, min (WCO), mean - std, or mean - penalty x variance (UWO) of the members `parts`.

    2310.02743 (authors' code: five members that differ by seed; penalty 0.1 in their configs) for min and UWO, whose
    variance is the population's in best-of-n and the sample's in PPO: `sample` chooses n - 1 (so in std too).
    2312.09244 (secondary notes) for mean - std. One member has variance 0. Members need a common offset and scale, or
    reward=normalised around each; where all of them err alike no rule helps. Their standard deviation is logged as
    disagreement. A row is valid only where every member has a value.

    Errors: UserError for another rule or a negative penalty.
    """

    def __init__(
        self,
        *,
        parts: Mapping[str, Reward],
        rule: Literal["mean", "median", "min", "mean_minus_std", "mean_minus_variance"] = "mean_minus_variance",
        penalty: float = 0.1,
        sample: bool = True,
    ):
        if rule not in _RULES:
            raise UserError(f"reward ensemble: no rule {rule}{nearest(rule, _RULES)}; rules: {', '.join(_RULES)}")
        if not penalty >= 0:
            raise UserError(f"reward ensemble: penalty={penalty} must be 0 or above")
        if not parts:
            raise UserError("reward ensemble: it has no members; add one with +reward@reward.parts.NAME=REWARD")
        super().__init__(dict(parts))
        self.rule, self.penalty, self.sample = rule, penalty, sample

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        found, together = self.score_parts(prompts, completions, context)
        known, members = all_known(found), columns(found)
        total, spread = self.aggregated(members)
        together.components["disagreement"] = torch.where(known, spread, torch.nan)
        return replace(together, total=torch.where(known, total, 0.0), valid=only_if_needed(known))

    def aggregated(self, members: Tensor) -> tuple[Tensor, Tensor]:
        """The total (N,) and the standard deviation (N,) of members (N, M)."""
        import torch

        variance = members.var(1, correction=int(self.sample)) if members.shape[1] > 1 else torch.zeros(len(members))
        mean = members.mean(1)
        total = {
            "mean": mean,
            "median": members.quantile(0.5, dim=1),
            "min": members.amin(1),
            "mean_minus_std": mean - variance.sqrt(),
            "mean_minus_variance": mean - self.penalty * variance,
        }[self.rule]
        return total, variance.sqrt()
