"""Rewards that count only behind a gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from crucible.errors import UserError, nearest
from crucible.rewards.base import Combined, checked, put_together, valid
from crucible.rewards.nodes import all_known, asked_about, columns, only_if_needed
from crucible.types import Completion, Context, Prompt, Reward, Scores


class Gated(Combined):
    """Where the part `gate` is above `above`: the sum of the other parts; elsewhere `closed`.

    The gate opens or shuts and is not added itself. The other parts are asked only about rows with an open gate (so a
    judge is not paid for answers that do not count); elsewhere their components are NaN, and a part that looks at
    groups sees the open rows alone. A row is valid where the gate has a value and, if it is open, every other part.
    Gates in order of priority are gates in gates. G-RA, 2508.10548, adds its gate too: algo/shaping=gated_accumulation.

    Errors: UserError where `gate` is none of the parts or the only one.
    """

    def __init__(self, *, parts: Mapping[str, Reward], gate: str, above: float = 0.0, closed: float = 0.0):
        if gate not in parts:
            raise UserError(f"reward.gate={gate}: no such part{nearest(gate, parts)}; parts: {', '.join(parts)}")
        if len(parts) < 2:
            raise UserError(f"reward.gate={gate}: nothing stands behind the gate; add a part to reward.parts")
        super().__init__(dict(parts))
        self.gate, self.above, self.closed = gate, above, closed

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        gate = checked(self.gate, self.parts[self.gate](prompts, completions, context), len(prompts))
        is_open = valid(gate) & (gate.total > self.above)
        behind = {
            name: asked_about(name, part, is_open, prompts, completions, context)
            for name, part in self.parts.items()
            if name != self.gate
        }
        known = torch.where(is_open, all_known(behind), valid(gate))
        total = torch.where(is_open, columns(behind).sum(1), self.closed)
        found = {self.gate: gate, **behind}
        together = put_together({name: found[name] for name in self.parts}, len(prompts))
        return replace(together, total=torch.where(known, total, 0.0), valid=only_if_needed(known))
