"""The likelihood of the whole reference answer after the policy's own reasoning, as a reward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crucible.config.batch import Batch
from crucible.errors import UserError
from crucible.rewards.answer_likelihood import TOO_LONG, answer_logps, before_answer
from crucible.rewards.runtime.outcome import Outcome, scores_of
from crucible.types import Completion, Context, Prompt, Scores


class VeriFree:
    """R = pi(y* | x, z), the product of the probabilities of the reference answer's tokens after the reasoning z.

    VeriFree, 2505.21493 (authors' code), with algo/advantage=rloo. z is the completion up to its last `marker`
    ("<answer" there); without one R = 0. Long references make R vanish, and other right wordings are not paid.

    Differs from the paper: its gradient has a second term, R grad log pi(y* | x, z). It is left out, since an auxiliary
    loss sees the sampled tokens alone; what remains is the score-function term, an unbiased gradient of R only with
    respect to z. The advantage is laid on all tokens of the completion, there on those of z. z is turned into tokens
    again from its text. A row too long for the model's context is an error, not a 0.

    Errors: UserError for an empty marker.
    """

    needs: tuple[str, ...] = ("answer",)

    def __init__(self, *, policy: Any, batch: Batch, marker: str = "="):
        if not marker:
            raise UserError("reward verifree: marker is empty; give the text after which an answer begins")
        self.policy, self.tokens, self.marker = policy, batch.micro_batch_tokens, marker

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        texts = [before_answer(c.text, self.marker) for c in completions]
        rows = [i for i, text in enumerate(texts) if text is not None]
        golds = [str(prompts[i].reference["answer"]) for i in rows]
        before = [text for text in texts if text is not None]
        found = [Outcome("value", 0.0)] * len(texts)
        logps = answer_logps(self.policy, [prompts[i] for i in rows], before, golds, self.tokens)
        for i, row in zip(rows, logps, strict=True):
            found[i] = TOO_LONG if row is None else Outcome("value", row.double().sum().exp().item())
        return scores_of("verifree", found)
