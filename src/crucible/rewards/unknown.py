"""No verdict on anything: the check of data for which no program can tell what is right."""

from __future__ import annotations

from crucible.rewards.base import per_sample
from crucible.types import Completion, Prompt


@per_sample(inline=True)
def unknown(prompt: Prompt, completion: Completion) -> float | None:
    """An abstention, whatever the answer: accuracy then says nothing, and eval/<data>/unknown is 1.

    For rewards by a model alone, as in RLBFF (arXiv 2509.21319), whose prompts have no right answer.
    """
    return None
