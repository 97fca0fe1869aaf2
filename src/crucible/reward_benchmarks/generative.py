"""A generative judge of algo=rm_genrm: it writes a judgement, and r is read at its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from crucible.modules.written_judge import WrittenJudge
from crucible.reward_benchmarks.items import Question
from crucible.types import Prompt


class Generative:
    """`principles` are asked of every response, one judgement each; r is their mean or minimum; none: the item's own.

    A response without a readable verdict under one of them has no score. Errors: UserError for a folder without such a
    model.
    """

    def __init__(
        self, folder: Path, *, principles: Sequence[str], combine: Literal["mean", "min"], device: str,
        batch_tokens: int, max_tokens: int, temperature: float, seed: int,
    ):  # fmt: skip
        self.judge = WrittenJudge.load(
            folder, device=device, batch_tokens=batch_tokens, max_tokens=max_tokens, temperature=temperature, seed=seed
        )
        self.principles, self.combine = tuple(principles), combine

    def scores(self, questions: Sequence[Question]) -> list[float | None]:
        each = [self._asked(q) for q in questions]
        flat = iter(self.judge.scores([p for own in each for p in own]))
        return [self._combined([next(flat) for _ in own]) for own in each]

    def too_long(self, questions: Sequence[Question]) -> list[str]:
        each = [self._asked(q) for q in questions]
        flat = iter(self.judge.too_long([p for own in each for p in own]))
        return [next(filter(None, [next(flat) for _ in own]), "") for own in each]

    def _asked(self, question: Question) -> list[Prompt]:
        principles = self.principles or (question.principle,)
        return [self.judge.asked(question.prompt, question.response, p) for p in principles]

    def _combined(self, found: Sequence[float | None]) -> float | None:
        values = [r for r in found if r is not None]
        if len(values) < len(found):
            return None
        return min(values) if self.combine == "min" else sum(values) / len(values)
