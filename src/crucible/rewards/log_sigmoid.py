"""Log-sigmoid centred rewards: a conjunction of several reward models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from crucible.errors import UserError, nearest
from crucible.rewards.base import Combined
from crucible.rewards.nodes import all_known, columns, only_if_needed
from crucible.types import Completion, Context, Prompt, Reward, Scores

if TYPE_CHECKING:
    from torch import Tensor


class LogSigmoid(Combined):
    """sum_k log sigma(r_k - ref_k) over the parts: the log-probability that each beats its reference, a soft AND.

    LSC, 2402.00742 (formula recalled, abstract read). Above its reference a part soon pays nothing more; the part that
    is far below decides. `references` holds ref_k of each part: a number, or the name of a key of Prompt.reference with
    the number of this prompt, as in the paper, where it is a high quantile of the rewards of the start policy's
    samples (a re-implementation: mean + 1.036433 std, the normal 85th percentile). Always below 0. A row is valid
    only where every part has a value.

    Errors: UserError where parts and references do not match, and for a prompt whose reference is no number.
    """

    def __init__(self, *, parts: Mapping[str, Reward], references: Mapping[str, float | str]):
        for name in references:
            if name not in parts:
                raise UserError(f"reward.references.{name}: there is no such part{nearest(name, parts)}")
        for name in parts:
            if name not in references:
                raise UserError(f"reward.references: no reference for part {name}; write reward.references.{name}=0.0")
        super().__init__(dict(parts))
        self.references = dict(references)
        keys = [key for key in self.references.values() if isinstance(key, str)]
        self.needs = tuple(dict.fromkeys([*self.needs, *keys]))

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        found, together = self.score_parts(prompts, completions, context)
        beats = torch.nn.functional.logsigmoid(columns(found) - self.reference(list(found), prompts))
        known = all_known(found)
        return replace(together, total=torch.where(known, beats.sum(1), 0.0), valid=only_if_needed(known))

    def reference(self, names: Sequence[str], prompts: Sequence[Prompt]) -> Tensor:
        """(N, K) the reference of each row and part."""
        import torch

        return torch.tensor([[self.of_prompt(self.references[name], prompt) for name in names] for prompt in prompts])

    def of_prompt(self, reference: float | str, prompt: Prompt) -> float:
        if not isinstance(reference, str):
            return float(reference)
        value = prompt.reference.get(reference)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserError(f"reward log_sigmoid: reference {reference} of prompt {prompt.id} is {value!r}, no number")
        return float(value)
