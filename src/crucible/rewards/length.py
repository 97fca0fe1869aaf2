"""Rewards for the length of a completion."""

from __future__ import annotations

from crucible.rewards.base import per_sample
from crucible.types import Completion, Prompt


@per_sample()
def length(prompt: Prompt, completion: Completion, *, max_tokens: int, buffer_tokens: int) -> float:
    """Soft overlong punishment of DAPO (arXiv 2503.14476, Eq. 13), in tokens.

    0 up to `max_tokens - buffer_tokens`; then falling linearly to -1 at `max_tokens`; -1 beyond.
    """
    room = max_tokens - buffer_tokens
    if completion.tokens <= room:
        return 0.0
    if completion.tokens > max_tokens:
        return -1.0
    return (room - completion.tokens) / buffer_tokens
