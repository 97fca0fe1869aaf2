"""The probability of the reference answer after the policy's own reasoning, as a reward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from crucible.config.batch import Batch
from crucible.errors import UserError, nearest
from crucible.modules.reference import Reference, Refresh
from crucible.rewards.answer_likelihood import TOO_LONG, answer_logps, before_answer
from crucible.rewards.runtime.outcome import Outcome, scores_of
from crucible.types import Completion, Context, Prompt, Scores

_BASELINES = ("start", "none")


class RLPR:
    """clip(PR - PR_0, 0, 1), PR the mean over the tokens of the reference answer of p(token | prompt, reasoning).

    RLPR, 2506.18254 (authors' code). The reference answer stands in place of the completion's own, which begins after
    its last `marker` ("<answer>" there; the last one: ours); the current policy gives p. PR_0 is the same without
    reasoning, the marker right after the prompt, under the start policy (`baseline` start; a second model in memory),
    or 0 (none). A completion without the marker has PR = 0. Logged: probability (PR), baseline (PR_0). The paper's
    total is 0.9 rlpr + 0.1 format: reward=weighted. Its filter of prompts by the standard deviation of this total is
    algo/filter=rlpr_std, its flag for repetition reward=repeated_window.

    Differs from the paper: the reasoning is turned into tokens again from its text. A row too long for the model's
    context is an error, not a 0.

    Errors: UserError for an empty marker or another baseline.
    """

    needs: tuple[str, ...] = ("answer",)

    def __init__(self, *, policy: Any, batch: Batch, marker: str = "=", baseline: Literal["start", "none"] = "start"):
        if not marker:
            raise UserError("reward rlpr: marker is empty; give the text after which an answer begins")
        if baseline not in _BASELINES:
            raise UserError(f"reward rlpr: no baseline {baseline}{nearest(baseline, _BASELINES)}; start or none")
        self.policy, self.tokens, self.marker = policy, batch.micro_batch_tokens, marker
        self.start = Reference(policy, Refresh()) if baseline == "start" else None

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        before = [before_answer(c.text, self.marker) for c in completions]
        outcomes = self.probabilities(prompts, before)
        unaided = self.unaided(prompts)
        paid = []
        for p, o in zip(prompts, outcomes, strict=True):
            without = unaided[p.id]
            if o.kind == "value":
                o = TOO_LONG if without is None else Outcome("value", min(max(o.value - without, 0.0), 1.0))
            paid.append(o)
        scores = scores_of("rlpr", paid)
        scores.components["probability"] = torch.tensor([o.value for o in outcomes])
        scores.components["baseline"] = torch.tensor(
            [torch.nan if unaided[p.id] is None else unaided[p.id] for p in prompts]
        )
        return scores

    def probabilities(self, prompts: Sequence[Prompt], before: Sequence[str | None]) -> list[Outcome]:
        """PR of each row."""
        rows = [i for i, text in enumerate(before) if text is not None]
        golds = [str(prompts[i].reference["answer"]) for i in rows]
        logps = answer_logps(
            self.policy, [prompts[i] for i in rows], [before[i] or "" for i in rows], golds, self.tokens
        )
        found = [Outcome("value", 0.0)] * len(before)
        for i, row in zip(rows, logps, strict=True):
            found[i] = TOO_LONG if row is None else Outcome("value", row.double().exp().mean().item())
        return found

    def unaided(self, prompts: Sequence[Prompt]) -> dict[str, float | None]:
        """PR_0 of each prompt, by id; None where it does not fit."""
        asked = list({p.id: p for p in prompts}.values())
        if self.start is None:
            return {p.id: 0.0 for p in asked}
        golds = [str(p.reference["answer"]) for p in asked]
        start = self.start.on(self.policy.device)
        logps = answer_logps(start, asked, [self.marker] * len(asked), golds, self.tokens)
        found = [None if row is None else row.double().exp().mean().item() for row in logps]
        return dict(zip([p.id for p in asked], found, strict=True))
