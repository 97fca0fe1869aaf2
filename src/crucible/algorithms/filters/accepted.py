"""Rejection sampling: the completions that are good enough to be imitated."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.groups import rewards
from crucible.errors import UserError
from crucible.types import Scores


def accepted(
    scores: Scores,
    group: Tensor,
    texts: list[str],
    *,
    threshold: float | None = 1.0,
    most: Annotated[int, ">= 1"] | None = None,
    distinct: bool = True,
) -> Tensor:
    """(N,) bool: True for rows with a reward of at least `threshold` (None: any), of each group the `most` best.

    The selection of RAFT, 2304.06767 (the best of K: most 1, no threshold), of ReST, 2308.08998 (a threshold), and of
    ReST-EM, 2312.06585 (right answers, at most 10 a problem). With `distinct` equal texts of a group count once, the
    first of them. Of equal rewards the earlier row is better. Rows without a reward are not accepted; a prompt without
    an accepted row is left out.
    """
    if most is not None and most < 1:
        raise UserError(f"accepted: most is {most}; give at least 1 row of a group, or null")
    total = rewards(scores)
    good = torch.ones_like(total, dtype=torch.bool) if scores.valid is None else scores.valid.clone()
    if threshold is not None:
        good &= total >= threshold
    values, groups = total.tolist(), group.tolist()
    best_first = sorted((i for i, ok in enumerate(good.tolist()) if ok), key=lambda i: (-values[i], i))
    kept: dict[int, list[int]] = {}
    seen: set[tuple[int, str]] = set()
    for i in best_first:
        mine = kept.setdefault(groups[i], [])
        if (distinct and (groups[i], texts[i]) in seen) or (most is not None and len(mine) >= most):
            continue
        seen.add((groups[i], texts[i]))
        mine.append(i)
    found = torch.zeros_like(good)
    found[[i for rows in kept.values() for i in rows]] = True
    return found
