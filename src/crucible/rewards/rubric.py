"""A weighted checklist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from crucible.errors import UserError
from crucible.rewards.base import Combined
from crucible.rewards.nodes import all_known, columns, only_if_needed
from crucible.rewards.weighted import check_weights
from crucible.types import Completion, Context, Prompt, Reward, Scores


class Rubric(Combined):
    """sum_k w_k s_k / sum_k |w_k| over the criteria `parts`, each from 0 to 1; a negative weight is a penalty.

    As in open-instruct's rubric verifier; RaR, 2507.17746 (secondary notes), weights Essential 1.0, Important 0.7,
    Optional 0.3 and Pitfall 0.9, pitfalls worded so that avoiding them is a hit. From -1 to 1. A criterion can be any
    reward; criteria of each prompt's own are reward=llm_rubric. A row is valid only where every criterion has a value
    (open-instruct takes a failed call of its judge for a miss).

    Errors: UserError unless each part has a weight and one of them is not 0.
    """

    def __init__(self, *, parts: Mapping[str, Reward], weights: Mapping[str, float]):
        check_weights(parts, weights)
        if not any(weights.values()):
            raise UserError("reward.weights: all are 0, so the checklist asks for nothing")
        super().__init__(dict(parts))
        self.weights = dict(weights)

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        found, together = self.score_parts(prompts, completions, context)
        counted = {name: scores for name, scores in found.items() if self.weights[name]}
        weights = torch.tensor([float(self.weights[name]) for name in counted])
        known = all_known(counted)
        total = columns(counted) @ weights / weights.abs().sum()
        return replace(together, total=torch.where(known, total, 0.0), valid=only_if_needed(known))
