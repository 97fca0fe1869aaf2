"""DARLING: rewards are multiplied by how different a completion is from the others of its prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from crucible.algorithms.groups import Groups, reward_groups
from crucible.algorithms.shaping.change import with_total
from crucible.config.needs import needs
from crucible.data.answers import final_answer, number
from crucible.errors import UserError, nearest
from crucible.types import Scores

_MEASURES = ("text", "answer")


@needs(min_samples_per_prompt=2, because="diversity is among the completions of a prompt")
def darling(
    scores: Scores,
    group: Tensor,
    mask: Tensor,
    texts: Sequence[str],
    *,
    by: Literal["text", "answer"] = "text",
    floor: float = 0.1,
) -> Scores:
    """R max(d, floor), d = rows of the group in other classes / (group size - 1).

    DARLING, 2509.02534 (authors' code); use with algo/advantage=group_center and token_mean. All rows in one class
    are all multiplied by `floor`, so what is right still shows. Group of one: times `floor`.

    Differs from the paper: its classes come from a learned classifier of meaning; here two completions are of a
    class when their texts are equal up to case and white space, or, with by=answer, their final answers are equal
    as crucible.data.answers reads them.
    """
    if by not in _MEASURES:
        raise UserError(f'darling: by is "{by}"; give text or answer{nearest(by, _MEASURES)}')
    total, groups = reward_groups(scores, group)
    keys = [_answer(text) if by == "answer" else " ".join(text.casefold().split()) for text in texts]
    numbers = {key: k for k, key in enumerate(dict.fromkeys(keys))}
    kind = torch.tensor([numbers[key] for key in keys], dtype=torch.int64, device=total.device)
    same = Groups.of(groups.index * max(len(numbers), 1) + kind, scores.valid, total.dtype).size
    different = (groups.size - same) / (groups.size - 1.0).clamp(min=1.0)
    return with_total(scores, total * different.clamp(min=floor), mask)


def _answer(text: str) -> str:
    found = final_answer(text, numeric=True)
    if found is None:
        return ""
    value = number(found)
    return " ".join(found.casefold().split()) if value is None else f"{value[0]}{'%' if value[1] else ''}"
