"""The likelihood of the whole reference answer after the policy's own reasoning, as a reward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crucible.config.batch import Batch
from crucible.errors import UserError
from crucible.rewards.answer_likelihood import TOO_LONG, before_answer, reasoning_mask, spliced, with_logps
from crucible.rewards.runtime.outcome import Outcome, scores_of
from crucible.types import Answers, Completion, Context, Prompt, Scores


class VeriFree:
    """R = pi(y* | x, z), the product of the probabilities of the reference answer's tokens after the reasoning z.

    VeriFree, 2505.21493 (authors' code). z is the completion up to its last `marker` ("<answer" there); without one,
    and for a completion that was cut off, R = 0. Long references make R vanish, and other right wordings are not paid.
    The paper's gradient, A grad log pi(z | x) + R grad log pi(y* | x, z), is this reward with algo=rloo and
    algo/auxiliary=verifree: `Scores.answers` holds what the second term learns from.

    Differs from the authors' code: z ends at the last marker, there at the first. In both z is turned into tokens again
    from its text. A row too long for the model's context is an error and has no reward, there R = 0.

    Errors: UserError for an empty marker.
    """

    needs: tuple[str, ...] = ("answer",)
    gives: tuple[str, ...] = ("answers",)

    def __init__(self, *, policy: Any, batch: Batch, marker: str = "="):
        if not marker:
            raise UserError("reward verifree: marker is empty; give the text after which an answer begins")
        self.policy, self.tokens, self.marker = policy, batch.micro_batch_tokens, marker

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        before = [before_answer(c.text, self.marker) for c in completions]
        asked = [None if c.finish_reason == "length" else z for c, z in zip(completions, before, strict=True)]
        golds = [str(p.reference["answer"]) for p in prompts]
        rows = with_logps(self.policy, spliced(self.policy, prompts, asked, golds), self.tokens)
        likely = rows.sampling_logps.double().sum(-1).exp().tolist()
        fits = rows.mask.any(-1).tolist()
        found = [
            Outcome("value", 0.0) if z is None else Outcome("value", r) if ok else TOO_LONG
            for z, r, ok in zip(asked, likely, fits, strict=True)
        ]
        scores = scores_of("verifree", found)
        if context.training and context.rollouts is not None:
            rows.group = context.group
            scores.answers = Answers(rows, reasoning_mask(self.policy, context.rollouts, before))
        return scores
