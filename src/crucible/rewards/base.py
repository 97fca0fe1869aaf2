"""What every reward is: a batch of (prompt, completion) in, Scores out."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from crucible.errors import UserError
from crucible.types import Completion, Prompt, Scores


class RewardError(UserError):
    """A reward that broke its contract. The run stops: a broken reward is not a zero."""


class PerSample:
    """A batch reward made of a function of one (prompt, completion). See `per_sample`."""

    def __init__(self, function: Callable[..., float], needs: tuple[str, ...], options: dict[str, Any]):
        self.function, self.needs, self.options = function, needs, options
        self.name = function.__name__

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion]) -> Scores:
        import torch

        values = [
            float(self.function(prompt, completion, **self.options))
            for prompt, completion in zip(prompts, completions, strict=True)
        ]
        total = torch.tensor(values, dtype=torch.float32)
        return Scores(total=total, components={self.name: total})


def per_sample(
    *, needs: Sequence[str] = ()
) -> Callable[[Callable[..., float]], Callable[..., PerSample]]:
    """Turn `f(prompt, completion, *, options) -> float` into a reward built from its options.

    `needs` names the keys of `Prompt.reference` that `f` reads, so that a data set without them is
    refused before training. The undecorated function stays at `.__wrapped__`.
    """

    def decorate(function: Callable[..., float]) -> Callable[..., PerSample]:
        @functools.wraps(function)
        def build(**options: Any) -> PerSample:
            return PerSample(function, tuple(needs), options)

        return build

    return decorate


def checked(reward_name: str, scores: Scores, rows: int) -> Scores:
    """The scores, if they keep the contract: one finite number for each valid row."""
    for name, values in {"total": scores.total, **scores.components}.items():
        if tuple(values.shape) != (rows,):
            raise RewardError(
                f"reward {reward_name}: {name} has shape {tuple(values.shape)} for {rows} completions; "
                f"a reward returns one number for each completion"
            )
    valid = scores.valid.tolist() if scores.valid is not None else [True] * rows
    bad = [i for i, (v, ok) in enumerate(zip(scores.total.tolist(), valid, strict=True)) if ok and not math.isfinite(v)]
    if bad:
        raise RewardError(
            f"reward {reward_name}: {len(bad)} of {rows} values are NaN or infinite (first at row {bad[0]}); "
            f"mark rows that have no reward with Scores.valid = False"
        )
    return scores
