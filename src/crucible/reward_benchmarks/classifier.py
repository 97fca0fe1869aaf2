"""A scalar reward model: a sequence classifier with one label, of algo=rm_bradley_terry or anybody else's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crucible.modules.rm_scalar import Scorer, closing, opening
from crucible.reward_benchmarks.items import Question


class Classifier:
    """The one logit, in float32, of the conversation as `rm_scalar` writes it.

    That is the tokenizer's chat template with the response as the assistant's turn; without a template the prompt,
    behind it the response, and the end-of-sequence token. Errors: UserError for a folder that cannot be loaded.
    """

    def __init__(self, folder: Path, *, device: str, batch_tokens: int):
        self.scorer, self.batch_tokens = Scorer.load(folder), batch_tokens
        self.scorer.policy.model.to(device)
        if self.scorer.proofreader is not None:
            self.scorer.proofreader.policy.model.to(device)

    def scores(self, questions: Sequence[Question]) -> list[float | None]:
        prompts, responses = [q.prompt for q in questions], [q.response for q in questions]
        return [float(s) for s in self.scorer.score(prompts, responses, batch_tokens=self.batch_tokens)]

    def too_long(self, questions: Sequence[Question]) -> list[str]:
        """Prompt and response against the context. A proofreader's marks count too."""
        most = self.scorer.policy.context_length
        tokens = [self._tokens(q, q.response) for q in questions]
        if self.scorer.proofreader is not None:
            fit = [i for i, count in enumerate(tokens) if count <= most]
            prompts, texts = [questions[i].prompt for i in fit], [questions[i].response for i in fit]
            for i, text in zip(fit, self.scorer.proofreader.mark(prompts, texts), strict=True):
                tokens[i] = self._tokens(questions[i], text)
        return [f"{count} tokens of {most}" if count > most else "" for count in tokens]

    def _tokens(self, question: Question, text: str) -> int:
        policy = self.scorer.policy
        answer = closing(policy, question.prompt, text)
        if not answer:
            coded = policy.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"] if text else []
            answer = [*coded, policy.eos_id]
        return len(opening(policy, question.prompt)) + len(answer)
