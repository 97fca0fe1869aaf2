"""A product of rewards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from crucible.errors import UserError
from crucible.rewards.base import Combined
from crucible.rewards.nodes import all_known, columns, only_if_needed
from crucible.types import Completion, Context, Prompt, Reward, Scores


class Product(Combined):
    """total = product of the parts: for parts from 0 to 1 a soft AND, since any 0 makes it 0.

    A row is valid only where every part has a value: 0 times an unknown number is unknown here too, so that a part
    that fails more often on bad answers does not bias the reward. Ours, no paper.

    Errors: UserError without parts.
    """

    def __init__(self, *, parts: Mapping[str, Reward]):
        if not parts:
            raise UserError("reward product: it has no parts; add one with +reward@reward.parts.NAME=REWARD")
        super().__init__(dict(parts))

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        found, together = self.score_parts(prompts, completions, context)
        known = all_known(found)
        return replace(together, total=columns(found).prod(1) * known, valid=only_if_needed(known))
