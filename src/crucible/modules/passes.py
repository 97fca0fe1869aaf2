"""Passes of a policy over many rows, without gradient."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from crucible.modules.microbatch import micro_batches
from crucible.types import Rollouts

if TYPE_CHECKING:
    from crucible.policy.policy import Policy

PER_TOKEN = ("logps", "entropy", "uniform", "collision", "values")


@torch.no_grad()
def token_columns(
    policy: Policy,
    rollouts: Rollouts,
    rows: Tensor,
    tokens: int,
    wanted: Set[str],
    *,
    value_head: Callable[[Tensor], Tensor] | None = None,
) -> dict[str, Tensor]:
    """What `policy` says of `rows` (K,), in micro-batches of at most `tokens`: the fields of TokenStats in `wanted`.

    (K, T) each, "hidden" (K, D); all on the device of the rollouts.
    """
    found = {name: torch.zeros_like(rollouts.mask) for name in PER_TOKEN if name in wanted}
    means: dict[int, Tensor] = {}
    shared = policy.shares(rollouts.width)
    for part in micro_batches(rollouts, rows, tokens, shared=shared):
        stats = part.forward(
            policy,
            entropy_gradient=False,
            uniform="uniform" in wanted,
            collision="collision" in wanted,
            hidden="hidden" in wanted,
            value_head=value_head if "values" in wanted else None,
        )
        for name, column in found.items():
            column[part.index, : part.width] = getattr(stats, name).to(column.device)
        if stats.hidden is not None:
            means |= zip(part.index.tolist(), stats.hidden.to(rollouts.mask.device), strict=True)
    columns = {name: column[rows] for name, column in found.items()}
    if means:
        columns["hidden"] = torch.stack([means[i] for i in rows.tolist()])
    return columns
