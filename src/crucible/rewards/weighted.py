"""A weighted sum of rewards."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from crucible.errors import UserError, nearest
from crucible.rewards.base import Combined, valid
from crucible.rewards.schedule import Schedule
from crucible.types import Completion, Context, Prompt, Reward, Scores


class Weighted(Combined):
    """total = sum of weight x part. Each part is logged under its own name, unweighted.

    A weight is a number or a schedule over the steps, which is logged as weight/<part>. A row is valid only where
    every part whose weight is not 0 at this step could be computed. Where such a part pays token by token so does
    the sum; the parts that do not are paid on the last token.
    """

    def __init__(self, *, parts: Mapping[str, Reward], weights: Mapping[str, float | Schedule]):
        check_weights(parts, weights)
        super().__init__(dict(parts))
        self.weights = dict(weights)

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        found, together = self.score_parts(prompts, completions, context)
        weights = {name: w.at(context) if isinstance(w, Schedule) else w for name, w in self.weights.items()}
        known = torch.ones(len(prompts), dtype=torch.bool)
        for name, weight in weights.items():
            if weight:
                ok = valid(found[name])
                together.total += weight * torch.where(ok, found[name].total, 0.0)
                known &= ok
            if isinstance(self.weights[name], Schedule):
                together.components[f"weight/{name}"] = torch.full_like(together.total, weight)
        together.total = torch.where(known, together.total, 0.0)
        together.valid = None if bool(known.all()) else known
        counted = {name: found[name] for name, weight in weights.items() if weight}
        if context.rollouts is not None and any(scores.per_token is not None for scores in counted.values()):
            from crucible.algorithms.returns import token_rewards

            paid = [weights[name] * token_rewards(scores, context.rollouts.mask) for name, scores in counted.items()]
            together.per_token = torch.where(known.unsqueeze(-1), torch.stack(paid).sum(0), 0.0)
        return together


def check_weights(parts: Mapping[str, Reward], weights: Mapping[str, float | Schedule]) -> None:
    """Errors: UserError unless each part, and nothing else, has a finite weight."""
    for name, weight in weights.items():
        if name not in parts:
            raise UserError(
                f"reward.weights.{name}: there is no such part{nearest(name, parts)}; parts are {', '.join(parts)}"
            )
        if not isinstance(weight, Schedule) and not math.isfinite(weight):
            raise UserError(f"reward.weights.{name}={weight}: must be finite")
    missing = [name for name in parts if name not in weights]
    if missing:
        raise UserError(f"reward.weights: no weight for part {missing[0]}; write reward.weights.{missing[0]}=1.0")
