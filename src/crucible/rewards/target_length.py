"""A reward for a given length."""

from __future__ import annotations

from typing import Any

from crucible.errors import UserError
from crucible.rewards.base import per_sample
from crucible.types import Completion, Prompt


def _check(*, target: int, scale: float, **_: Any) -> None:
    if target < 0 or not scale > 0:
        raise UserError(f"reward.target={target}, reward.scale={scale}: at least 0 tokens, and a scale above 0")


@per_sample(inline=True, check=_check)
def target_length(prompt: Prompt, completion: Completion, *, target: int, scale: float, up_to: bool = False) -> float:
    """max(0, 1 - |tokens - target| / scale); with `up_to`, 1 for everything shorter than `target`.

    Source: open-instruct's length verifiers. Differs from them: never below 0, as their docstring says and their
    code does not.
    """
    over = completion.tokens - target
    return max(0.0, 1 - (max(over, 0) if up_to else abs(over)) / scale)
