"""Several rewards, of which only the undominated answers are learned from."""

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

_AMONG = ("batch", "group")


class Pareto(Combined):
    """The sum of the parts; rows that another row dominates are left out of the update, not given a 0.

    Parrot, 2401.05675, section 4.2: a row dominates another where no part is lower and one is higher, `among` all rows
    of the batch (the paper) or those of a prompt. Equal rows keep each other; the more parts, the fewer are dominated.
    In training dominated rows are invalid, so they are in reward/invalid and not in reward/mean; in evaluations every
    row counts. Logged: undominated, 1 or 0. A row needs a value of every part, and dominates nothing without.

    Differs from the paper: there one part at a time is the reward, announced in the prompt, and the rows share 1 / |P|;
    here their sum goes to the advantage of the run.

    Errors: UserError for fewer than two parts or another `among`.
    """

    def __init__(self, *, parts: Mapping[str, Reward], among: Literal["batch", "group"] = "batch"):
        if len(parts) < 2:
            raise UserError(f"reward pareto: with {len(parts)} part there is nothing to trade off; give two or more")
        if among not in _AMONG:
            raise UserError(f'reward pareto: among is "{among}"; give batch or group{nearest(among, _AMONG)}')
        super().__init__(dict(parts))
        self.among = among

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        found, together = self.score_parts(prompts, completions, context)
        known, values = all_known(found), columns(found)
        rivals = known.unsqueeze(0) & known.unsqueeze(1)
        if self.among == "group":
            rivals &= context.group.unsqueeze(0) == context.group.unsqueeze(1)
        kept = ~dominated(values, rivals)
        together.components["undominated"] = torch.where(known, kept.float(), torch.nan)
        if context.training:
            known = known & kept
        return replace(together, total=torch.where(known, values.sum(1), 0.0), valid=only_if_needed(known))


def dominated(values: Tensor, rivals: Tensor) -> Tensor:
    """(N,) bool: is there a row that is nowhere lower and somewhere higher? `values` (N, K), `rivals` (N, N) bool."""
    import torch

    no_lower = torch.ones_like(rivals)
    higher = torch.zeros_like(rivals)
    for part in values.unbind(1):  # [i, j]: of row j, as seen from row i
        no_lower &= part.unsqueeze(0) >= part.unsqueeze(1)
        higher |= part.unsqueeze(0) > part.unsqueeze(1)
    return (no_lower & higher & rivals).any(1)
