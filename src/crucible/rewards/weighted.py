"""A weighted sum of rewards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crucible.errors import UserError, nearest
from crucible.rewards.base import checked
from crucible.types import Completion, Prompt, Reward, Scores


class Weighted:
    """total = sum of weight x part. Each part is logged under its own name, unweighted.

    A row is valid only where every part with a non-zero weight could be computed.
    """

    def __init__(self, *, parts: Mapping[str, Reward], weights: Mapping[str, float]):
        for name in weights:
            if name not in parts:
                raise UserError(
                    f"reward.weights.{name}: there is no such part{nearest(name, parts)}; parts are {', '.join(parts)}"
                )
        missing = [name for name in parts if name not in weights]
        if missing:
            raise UserError(f"reward.weights: no weight for part {missing[0]}; write reward.weights.{missing[0]}=1.0")
        self.parts, self.weights = dict(parts), dict(weights)
        self.needs = tuple(key for part in parts.values() for key in part.needs)

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion]) -> Scores:
        import torch

        total = torch.zeros(len(prompts))
        valid = torch.ones(len(prompts), dtype=torch.bool)
        components = {}
        for name, part in self.parts.items():
            scores = checked(name, part(prompts, completions), len(prompts))
            if self.weights[name]:
                ok = scores.valid if scores.valid is not None else torch.ones_like(valid)
                total += self.weights[name] * torch.where(ok, scores.total, 0.0)
                valid &= ok
            components[name] = scores.total
            for child, values in scores.components.items():
                if child != name:
                    components[f"{name}/{child}"] = values
        return Scores(total=total, components=components, valid=None if bool(valid.all()) else valid)
