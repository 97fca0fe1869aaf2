"""What rewards made of rewards share: asking a part about some rows only, and changing one reward's numbers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from crucible.rewards.base import Combined, checked, valid
from crucible.types import Completion, Context, Prompt, Reward, Scores

if TYPE_CHECKING:
    from torch import Tensor


class Asked(NamedTuple):
    """What a reward is called with."""

    prompts: Sequence[Prompt]
    completions: Sequence[Completion]
    context: Context


class Transform(Combined, ABC):
    """A reward that is a function of one other, which is logged as `raw`. Rows without a raw value have none here."""

    monotone = True  # a yes of the raw reward stays a yes

    def __init__(self, raw: Reward):
        super().__init__({"raw": raw})

    @abstractmethod
    def change(self, total: Tensor, known: Tensor, asked: Asked) -> Tensor:
        """The new totals (N,) of the old ones; `known` (N,) bool is False where there is none."""

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        found, together = self.score_parts(prompts, completions, context)
        raw, known = found["raw"], valid(found["raw"])
        total = self.change(torch.where(known, raw.total, 0.0), known, Asked(prompts, completions, context))
        verdict = raw.verdict if self.monotone else None
        return replace(together, total=torch.where(known, total, 0.0), valid=only_if_needed(known), verdict=verdict)


def asked_about(
    name: str,
    part: Reward,
    rows: Tensor,
    prompts: Sequence[Prompt],
    completions: Sequence[Completion],
    context: Context,
) -> Scores:
    """What `part` says of the rows where `rows` (N,) bool is True, laid out over all rows; the others are invalid.

    Its outcomes are those of the calls there were. A part that looks at groups sees these rows of each group.
    """
    import torch

    if bool(rows.all()):
        return checked(name, part(prompts, completions, context), len(prompts))
    empty = torch.zeros(len(prompts))
    if not bool(rows.any()):
        return Scores(empty, {name: torch.full_like(empty, math.nan)}, valid=rows)
    index = rows.nonzero().flatten()
    at = index.tolist()
    fewer = replace(
        context,
        group=context.group[index],
        rollouts=None if context.rollouts is None else context.rollouts.rows(index),
    )
    some = checked(name, part([prompts[i] for i in at], [completions[i] for i in at], fewer), len(at))

    def spread(values: Tensor, fill: float = 0.0) -> Tensor:
        whole = torch.full((len(prompts), *values.shape[1:]), fill, dtype=values.dtype)
        whole[index] = values.cpu()
        return whole

    return Scores(
        total=spread(some.total),
        components={child: spread(values.float(), math.nan) for child, values in some.components.items()},
        per_token=None if some.per_token is None else spread(some.per_token),
        valid=spread(valid(some)),
        verdict=None if some.verdict is None else spread(some.verdict),
        outcomes=some.outcomes,
        answers=None
        if some.answers is None or context.rollouts is None
        else some.answers.over(index, context.rollouts),
    )


def only_if_needed(known: Tensor) -> Tensor | None:
    """`Scores.valid`: None where every row has a reward."""
    return None if bool(known.all()) else known


def all_known(found: Mapping[str, Scores]) -> Tensor:
    """(N,) bool: rows on which every part has a value."""
    import torch

    return torch.stack([valid(scores) for scores in found.values()]).all(0)


def columns(found: Mapping[str, Scores]) -> Tensor:
    """(N, K) the totals of the parts, in their order; 0 where a part has no value."""
    import torch

    return torch.stack([torch.where(valid(scores), scores.total, 0.0) for scores in found.values()], dim=1)
