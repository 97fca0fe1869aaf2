"""Rewards for the length of a completion."""

from __future__ import annotations

from typing import Any

from crucible.errors import UserError
from crucible.rewards.base import per_sample
from crucible.types import Completion, Prompt


def _check(*, buffer_tokens: int, floor: float | None = -1.0, **_: Any) -> None:
    if buffer_tokens < 1:
        raise UserError(f"reward.buffer_tokens={buffer_tokens}: at least 1 token over which the punishment grows")
    if floor is not None and floor > -1:
        raise UserError(f"reward.floor={floor}: -1 or below (the punishment at max_tokens is -1), or null for none")


@per_sample(inline=True, check=_check)
def length(
    prompt: Prompt, completion: Completion, *, max_tokens: int, buffer_tokens: int, floor: float | None = -1.0
) -> float:
    """Soft overlong punishment of DAPO (arXiv 2503.14476, Eq. 13), in tokens.

    0 up to `max_tokens - buffer_tokens`; then falling linearly to -1 at `max_tokens`; `floor` is the least it can be:
    -1 in the paper and in TRL; None, going on to fall beyond `max_tokens`, in verl and NeMo-RL. Where generation stops
    at `max_tokens` the two are one.
    """
    over = completion.tokens - (max_tokens - buffer_tokens)
    if over <= 0:
        return 0.0
    return -over / buffer_tokens if floor is None else max(-over / buffer_tokens, floor)
