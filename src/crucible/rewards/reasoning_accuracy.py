"""What a verifier says of the part of an answer that follows the thoughts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from crucible.errors import UserError
from crucible.rewards.base import Combined, valid
from crucible.rewards.places import after_last
from crucible.types import Completion, Context, Prompt, Scores


class ReasoningAccuracy(Combined):
    """`score` of what follows the last `delimiter`; `unfinished` for completions without one, whatever they say.

    Source: TRL `reasoning_accuracy_reward`. A completion that never stops thinking is punished, not left out, and a
    box inside the thoughts counts for nothing. `score` is any reward of one answer. It sees the text alone: the
    number of tokens stays that of the whole completion, and `context.rollouts` is not handed on.

    A row with the delimiter is without a reward where `score` has none.
    """

    def __init__(self, *, score: Any, delimiter: str = "</think>", unfinished: float = 0.0):
        if not delimiter:
            raise UserError("reward.delimiter is empty; it is what ends the thoughts, such as </think>")
        super().__init__({"score": score})
        self.delimiter, self.unfinished = delimiter, unfinished

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        tails = [after_last(c.text, self.delimiter) for c in completions]
        seen = [replace(c, text=tail or "") for c, tail in zip(completions, tails, strict=True)]
        found, together = self.score_parts(prompts, seen, replace(context, rollouts=None))
        finished = torch.tensor([tail is not None for tail in tails], dtype=torch.bool)
        together.total = torch.where(finished, found["score"].total, self.unfinished)
        known = valid(found["score"]) | ~finished
        together.valid = None if bool(known.all()) else known
        together.components["finished"] = finished.float()
        return together
