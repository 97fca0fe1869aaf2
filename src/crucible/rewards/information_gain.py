"""How much the policy's thought helps to predict the reference text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from crucible.config.batch import Batch
from crucible.config.needs import needs
from crucible.errors import UserError, nearest
from crucible.modules.reference import Reference, Refresh
from crucible.rewards.answer_likelihood import TOO_LONG, answer_logps, before_answer
from crucible.rewards.runtime.outcome import Outcome, scores_of
from crucible.rewards.schedule import steps_done
from crucible.types import Completion, Context, Prompt, Scores

_BASELINES = ("average", "start", "policy")


@needs(min_samples_per_prompt=2, because="the thoughts of a prompt are compared with each other")
class InformationGain:
    """mean over the tokens of y* of log p(y*_t | x, thought) - log p_0(y*_t | x), in nats a token.

    RLP, 2510.01265, of one token x_t in pre-training text; here y* is the reference text Prompt.reference[`key`]. The
    thought is the completion up to its last `marker`, which is put after it where it has none; p_0 sees the marker
    alone. With algo/advantage=rloo, the paper's G / (G - 1) (r - mean). Logged: with_thought, without_thought (nats).

    p_0, `baseline`: "average" (the paper), a second model that starts as the policy and after each rollout step becomes
    decay p_0 + (1 - decay) policy, weight by weight; a checkpoint keeps it. "start", the start policy; "policy", the
    current one. The paper found that a frozen baseline drifts and that one without lag makes the ratio collapse to 0.

    The paper's average begins as the policy of the first batch and moves after each step; whether a rollout step has
    several optimiser steps there was not found: here it moves once a rollout step, whatever their number.

    Differs from the paper: the mean over tokens is ours. A row too long for the model's context is an error, not a 0.

    Errors: UserError for an empty marker, another baseline, and a decay outside [0, 1).
    """

    def __init__(
        self,
        *,
        policy: Any,
        batch: Batch,
        marker: str = "=",
        key: str = "answer",
        baseline: Literal["average", "start", "policy"] = "average",
        decay: Annotated[float, ">= 0, < 1"] = 0.999,
    ):
        if not marker:
            raise UserError("reward information_gain: marker is empty; give the text after which an answer begins")
        if baseline not in _BASELINES:
            raise UserError(f"reward information_gain: no baseline {baseline}{nearest(baseline, _BASELINES)}")
        if not 0.0 <= decay < 1.0:
            raise UserError(f"reward information_gain: decay={decay} must be from 0 to below 1")
        self.policy, self.tokens, self.marker, self.key = policy, batch.micro_batch_tokens, marker, key
        self.needs: tuple[str, ...] = (key,)
        follows = Refresh(every=1, mix=1.0 - decay) if baseline == "average" else Refresh()
        self.reference = None if baseline == "policy" else Reference(policy, follows)
        self.followed = 0  # rollout steps that the average has seen
        if baseline == "average":
            self.state_dict, self.load_state_dict = self._state_dict, self._load_state_dict

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        self.follow(steps_done(context))
        thoughts = [before_answer(c.text, self.marker) or c.text + self.marker for c in completions]
        aided = self.mean_logps(self.policy, prompts, thoughts)
        asked = list({p.id: p for p in prompts}.values())
        other = self.policy if self.reference is None else self.reference.on(self.policy.device)
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

    def follow(self, done: int) -> None:
        """Move the average by the steps made since it was last asked; the policy has not changed since the last one."""
        if self.reference is None:
            return
        for step in range(self.followed, done):
            self.reference.end_of_step(step + 1, self.policy)
        self.followed = max(self.followed, done)

    def mean_logps(self, policy: Any, prompts: Sequence[Prompt], before: Sequence[str]) -> list[float | None]:
        golds = [str(p.reference[self.key]) for p in prompts]
        rows = answer_logps(policy, prompts, before, golds, self.tokens)
        return [None if row is None else row.double().mean().item() for row in rows]

    def _state_dict(self) -> dict[str, Any]:
        assert self.reference is not None
        return {"followed": self.followed, "average": self.reference.state_dict()}

    def _load_state_dict(self, state: Mapping[str, Any]) -> None:
        assert self.reference is not None
        self.followed = int(state["followed"])
        self.reference.load_state_dict(state["average"])
