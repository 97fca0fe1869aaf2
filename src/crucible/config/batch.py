"""The four batch terms, and everything that follows from them.

Only these four can be set. All other sizes are derived here and printed in words, so that there is
one meaning of "batch" in the program.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from crucible.errors import UserError

LARGEST_TRIED = 100_000  # divisor, for the hint: the sizes of real batches have their smaller ones below it


@dataclass(frozen=True, kw_only=True)
class Batch:
    """How much is sampled in a step and how it is cut into updates. A step is one rollout phase."""

    prompts_per_step: Annotated[int, ">= 1"]
    samples_per_prompt: Annotated[int, ">= 1"]
    updates_per_rollout: Annotated[int, ">= 1"]
    micro_batch_tokens: Annotated[int, ">= 1"]

    def __post_init__(self) -> None:
        for name in ("prompts_per_step", "samples_per_prompt", "updates_per_rollout", "micro_batch_tokens"):
            if getattr(self, name) < 1:
                raise UserError(f"batch.{name}={getattr(self, name)}: must be at least 1")
        prompts, updates = self.prompts_per_step, self.updates_per_rollout
        if prompts % updates:
            below, above = prompts // updates * updates, -(-prompts // updates) * updates
            legal = above if not below or above - prompts <= prompts - below else below
            small = [d for d in range(1, min(math.isqrt(prompts), LARGEST_TRIED) + 1) if prompts % d == 0]
            divisors = [*small, *(prompts // d for d in small)]
            other = min(divisors, key=lambda d: (abs(d - updates), d))
            raise UserError(
                f"batch.prompts_per_step={prompts} does not divide into "
                f"batch.updates_per_rollout={updates} equal updates; "
                f"nearest: prompts_per_step={legal} or updates_per_rollout={other}"
            )

    @property
    def completions_per_step(self) -> int:
        return self.prompts_per_step * self.samples_per_prompt

    @property
    def prompts_per_update(self) -> int:
        return self.prompts_per_step // self.updates_per_rollout

    @property
    def completions_per_update(self) -> int:
        return self.completions_per_step // self.updates_per_rollout

    def in_words(self, steps: int | None = None) -> str:
        """The arithmetic as one sentence; with `steps`, also the totals of the run."""
        n = self.updates_per_rollout
        parts = [
            f"{count(self.prompts_per_step, 'prompt')} x {count(self.samples_per_prompt, 'sample')} = "
            f"{count(self.completions_per_step, 'completion')} a step",
            f"{count(n, 'update')} of {count(self.prompts_per_update, 'prompt')} "
            f"({count(self.completions_per_update, 'completion')}){' each' if n > 1 else ''}",
            f"micro-batches of at most {self.micro_batch_tokens:,} tokens",
        ]
        if steps is not None:
            parts.append(
                f"{count(steps, 'step')} = {count(steps * n, 'optimiser step')}, "
                f"{count(steps * self.completions_per_step, 'completion')}"
            )
        return "; ".join(parts)


def count(n: int, noun: str) -> str:
    """'1 prompt', '51,200 completions'."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
