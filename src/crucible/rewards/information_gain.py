"""How much the policy's thought helps to predict the reference text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from crucible.config.batch import Batch
from crucible.config.needs import needs
from crucible.errors import UserError, nearest
from crucible.modules.reference import Reference, Refresh
from crucible.rewards.answer_likelihood import TOO_LONG, answer_logps, before_answer
from crucible.rewards.runtime.outcome import Outcome, scores_of
from crucible.types import Completion, Context, Prompt, Scores

_BASELINES = ("start", "policy")


@needs(min_samples_per_prompt=2, because="the thoughts of a prompt are compared with each other")
class InformationGain:
    """mean over the tokens of y* of log p(y*_t | x, thought) - log p_0(y*_t | x), in nats a token.

    RLP, 2510.01265, of one token x_t in pre-training text; here y* is the reference text Prompt.reference[`key`]. The
    thought is the completion up to its last `marker`, which is put after it where it has none; p_0 sees the marker
    alone. With algo/advantage=rloo, the paper's G / (G - 1) (r - mean). Logged: with_thought, without_thought (nats).

    Differs from the paper: p_0 is the start policy (`baseline` start; a second model in memory) or the current one
    (policy), where the paper's is a moving average of the policy (0.999): a reward has no state that a checkpoint
    keeps. The paper found that a frozen baseline drifts and that one without lag makes the ratio collapse to 0.
    The mean over tokens is ours. A row too long for the model's context is an error, not a 0.

    Errors: UserError for an empty marker or another baseline.
    """

    def __init__(
        self,
        *,
        policy: Any,
        batch: Batch,
        marker: str = "=",
        key: str = "answer",
        baseline: Literal["start", "policy"] = "start",
    ):
        if not marker:
            raise UserError("reward information_gain: marker is empty; give the text after which an answer begins")
        if baseline not in _BASELINES:
            raise UserError(f"reward information_gain: no baseline {baseline}{nearest(baseline, _BASELINES)}")
        self.policy, self.tokens, self.marker, self.key = policy, batch.micro_batch_tokens, marker, key
        self.needs: tuple[str, ...] = (key,)
        self.start = Reference(policy, Refresh()) if baseline == "start" else None

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        thoughts = [before_answer(c.text, self.marker) or c.text + self.marker for c in completions]
        aided = self.mean_logps(self.policy, prompts, thoughts)
        asked = list({p.id: p for p in prompts}.values())
        other = self.policy if self.start is None else self.start.on(self.policy.device)
        found = zip(asked, self.mean_logps(other, asked, [self.marker] * len(asked)), strict=True)
        unaided = {p.id: value for p, value in found}
        gains = []
        for p, value in zip(prompts, aided, strict=True):
            without = unaided[p.id]
            gains.append(TOO_LONG if value is None or without is None else Outcome("value", value - without))
        scores = scores_of("information_gain", gains)
        without_thought = [unaided[p.id] for p in prompts]
        for name, values in {"with_thought": aided, "without_thought": without_thought}.items():
            scores.components[name] = torch.tensor([torch.nan if value is None else value for value in values])
        return scores

    def mean_logps(self, policy: Any, prompts: Sequence[Prompt], before: Sequence[str]) -> list[float | None]:
        golds = [str(p.reference[self.key]) for p in prompts]
        rows = answer_logps(policy, prompts, before, golds, self.tokens)
        return [None if row is None else row.double().mean().item() for row in rows]
