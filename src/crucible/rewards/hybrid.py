"""A rule first, a model where the rule finds nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crucible.rewards import nodes
from crucible.rewards.base import Combined, checked, put_together, valid
from crucible.types import Completion, Context, Prompt, Reward, Scores


class Hybrid(Combined):
    """`rule` where it is above `above`, else `model`, which is asked about the other rows only.

    The hybrid verifier of 2505.22203 (README of the authors' code): rules are precise but miss right answers in
    other clothes, models find these and can be talked into errors. A row for which the rule has no value goes to the
    model too; a row is valid where the one that decides has a value. Both must be on one scale (0 wrong, 1 right).
    """

    def __init__(self, *, rule: Reward, model: Reward, above: float = 0.5):
        super().__init__({"rule": rule, "model": model})
        self.above = above

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        rule = checked("rule", self.parts["rule"](prompts, completions, context), len(prompts))
        passed = valid(rule) & (rule.total > self.above)
        model = nodes.asked_about("model", self.parts["model"], ~passed, prompts, completions, context)
        known = passed | valid(model)
        total = torch.where(passed, rule.total, model.total)
        together = put_together({"rule": rule, "model": model}, len(prompts))
        return replace(together, total=torch.where(known, total, 0.0), valid=nodes.only_if_needed(known))
