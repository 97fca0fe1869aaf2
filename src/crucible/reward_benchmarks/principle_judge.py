"""A reward model of algo=rm_principle: r = log P(Yes) - log P(No) under one principle, or several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from crucible.modules.rm_questions import SEPARATOR
from crucible.modules.rm_scorer import Judge
from crucible.reward_benchmarks.items import Question

Combine = Literal["mean", "min"]


class PrincipleJudge:
    """`principles` are asked of every response and r is their mean or minimum; none: the item's own is asked.

    The conversation is written as the judge learned it: in the tokenizer's chat template where it has one. Errors:
    UserError for a folder without a reward model and for a principle that is empty, too long or unreadable.
    """

    def __init__(
        self, folder: Path, *, principles: Sequence[str], combine: Combine, device: str, batch_tokens: int
    ) -> None:
        self.judge = Judge.load(folder)
        self.judge.policy.model.to(device)
        if self.judge.proofreader is not None:
            self.judge.proofreader.policy.model.to(device)
        self.principles, self.combine, self.batch_tokens = tuple(principles), combine, batch_tokens
        for principle in self.principles:
            self.judge.asker.question(principle)

    def scores(self, questions: Sequence[Question]) -> list[float | None]:
        each = self.judge.score_each(
            [q.prompt for q in questions],
            [q.response for q in questions],
            [self._asked(q) for q in questions],
            batch_tokens=self.batch_tokens,
        )
        return [float(r.mean() if self.combine == "mean" else r.min()) for r in each]

    def too_long(self, questions: Sequence[Question]) -> list[str]:
        """Prompt, response and its longest question against the context. A proofreader's marks count too."""
        most = self.judge.policy.context_length
        tokens = [self._tokens(q, q.response) for q in questions]
        if self.judge.proofreader is not None:
            fit = [i for i, count in enumerate(tokens) if count <= most]
            prompts, texts = [questions[i].prompt for i in fit], [questions[i].response for i in fit]
            for i, text in zip(fit, self.judge.proofreader.mark(prompts, texts), strict=True):
                tokens[i] = self._tokens(questions[i], text)
        return [f"{count} tokens of {most}" if count > most else "" for count in tokens]

    def _asked(self, question: Question) -> tuple[str, ...]:
        return self.principles or (question.principle,)

    def _tokens(self, question: Question, text: str) -> int:
        tokenizer, policy = self.judge.policy.tokenizer, self.judge.policy
        count = len(policy.token_ids([question.prompt])[0])
        for part in filter(None, (text, SEPARATOR)):
            count += len(tokenizer(part, add_special_tokens=False, verbose=False)["input_ids"])
        asker = self.judge.asker
        return count + max(len(asker.question(p)) for p in self._asked(question)) + max(map(len, asker.endings))
