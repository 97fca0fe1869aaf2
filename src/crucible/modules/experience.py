"""The rollout stage after sampling: from scored completions to what the optimiser steps need."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from crucible.algorithms.critics.value_head import explained_variance
from crucible.algorithms.given import Given, all_names, call
from crucible.algorithms.kl.in_reward import penalised
from crucible.errors import UserError
from crucible.modules.methods import PASS_NAMES, Methods
from crucible.modules.microbatch import split_groups
from crucible.modules.passes import token_columns
from crucible.modules.reference import Reference
from crucible.types import Advantages, Answers, Rollouts, Scores

if TYPE_CHECKING:
    from crucible.policy.policy import Policy


@dataclass(slots=True)
class Experience:
    """All that the optimiser steps of one rollout step need. N rows, on the CPU."""

    rollouts: Rollouts
    scores: Scores  # as the reward gave them
    success: Tensor  # (N,) true success by the task's checker, 0.0 or 1.0
    advantages: Advantages
    columns: dict[str, Tensor]  # (N,) or (N, T), by the names that parts of the update stage may ask for
    auxiliary: dict[str, Tensor]  # (N, T) weights of each auxiliary loss
    updates: list[Tensor]  # row numbers of each optimiser step; empty where nothing is left to train on
    answers: Answers | None = None  # where an auxiliary loss learns from reference answers
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Learner:
    """Makes an Experience. `recompute`: the old log-probs are the trainer's own instead of the sampler's."""

    policy: Policy
    methods: Methods
    reference: Reference | None
    recompute: bool
    micro_batch_tokens: int
    updates_per_rollout: int
    value_head: nn.Module | None = None

    def learn_from(
        self,
        rollouts: Rollouts,
        scores: Scores,
        success: Tensor,
        *,
        order: torch.Generator,
        clock: dict[str, Any],
        more: dict[str, Any],
    ) -> Experience:
        """Advantages, what is left out, and which rows each optimiser step gets.

        `order` shuffles the groups; `clock` holds updates_done and progress, `more` what else was sampled.
        """
        methods, mask = self.methods, rollouts.mask
        given = self.given(rollouts, scores, success, {**clock, **more})
        shaped, kl = scores, None
        for part in methods.shaping.values():
            shaped = call(part, given, scores=shaped)
        rewards = shaped
        if (in_reward := getattr(methods.kl, "in_reward", None)) is not None:
            kl = call(in_reward, given)
            rewards = penalised(shaped, kl, methods.kl.coefficient, mask)
        advantages = call(methods.advantage, given, scores=rewards)
        if (shape := methods.hook("shape")) is not None:
            advantages = call(shape, given, advantages=advantages)
        for part in methods.of_auxiliaries("shape").values():
            advantages = call(part, given, advantages=advantages)
        times = call(methods.filter, given)  # (N,) bool, or how often
        if advantages.keep is not None:
            times = torch.where(advantages.keep, times, torch.zeros_like(times))
        keep = times > 0
        x = Experience(
            rollouts=rollouts,
            scores=scores,
            success=success,
            advantages=replace(advantages, keep=keep),
            columns=self.columns(given, rewards, advantages),
            auxiliary={name: call(select, given) for name, select in methods.of_auxiliaries("select").items()},
            updates=split_groups(rollouts.group, times, self.updates_per_rollout, order),
            answers=answers_of(scores) if methods.of_auxiliaries("per_answer") else None,
        )
        if "returns" in x.columns:
            values, returns = x.columns["values"], x.columns["returns"]
            x.metrics["critic/explained_variance"] = explained_variance(values, returns, mask)
        if methods.shaping:
            x.metrics["shaping/reward"] = (shaped.total - scores.total)[x.columns["valid"]].mean().item()
        if kl is not None:
            mean = ((kl * mask).sum() / mask.sum()).item()
            x.metrics |= methods.kl.observe(mean, len(rollouts))
            x.metrics["kl/reward"] = (rewards.total - shaped.total)[x.columns["valid"]].mean().item()
        return x

    def given(self, rollouts: Rollouts, scores: Scores, success: Tensor, clock: dict[str, Any]) -> Given:
        """The vocabulary of the rollout stage for these rows; one pass of the policy serves all who need one."""
        asked = self.asked()

        @functools.cache
        def columns() -> dict[str, Tensor]:
            every = torch.arange(len(rollouts))
            read = self.methods.reader(self.value_head).get("value_head")
            return token_columns(self.policy, rollouts, every, self.micro_batch_tokens, asked, value_head=read)

        def column(key: str) -> Tensor:
            return columns()[key]

        made = {name: functools.partial(column, key) for name, key in PASS_NAMES.items() if key in asked}
        if self.reference is not None:
            made["reference_logps"] = lambda: self.reference_logps(rollouts)
        made["reasoning_mask"] = lambda: answers_of(scores).reasoning
        if not self.recompute:
            made["old_logps"] = lambda: rollouts.sampling_logps
        return Given(
            {
                "scores": scores,
                "group": rollouts.group,
                "mask": rollouts.mask,
                "success": success,
                "truncated": torch.tensor([reason == "length" for reason in rollouts.finish_reason]),
                "completion_ids": rollouts.completion_ids,
                "texts": rollouts.texts,
                "prompts": rollouts.prompts,
                "sampling_logps": rollouts.sampling_logps,
                "staleness": clock["updates_done"] - rollouts.policy_version,
                **clock,
            },
            made,
        )

    def asked(self) -> frozenset[str]:
        """The fields of a pass of the policy in training that some part needs before the update, or of that time."""
        names = all_names(self.methods.before_update())
        later = self.methods.update_names
        names |= later & {"old_uniform", "old_collision", "values", "token_scores"}
        names |= {"entropy"} if "old_entropy" in later else set()
        fields = {PASS_NAMES[name] for name in names if name in PASS_NAMES and name != "old_logps"}
        return frozenset(fields | ({"logps"} if self.recompute else set()))

    def reference_logps(self, rollouts: Rollouts) -> Tensor:
        assert self.reference is not None
        frozen, every = self.reference.on(self.policy.device), torch.arange(len(rollouts))
        return token_columns(frozen, rollouts, every, self.micro_batch_tokens, {"logps"})["logps"]

    def columns(self, given: Given, rewards: Scores, advantages: Advantages) -> dict[str, Tensor]:
        """What the update stage may ask for and what is known by now."""
        valid = rewards.valid if rewards.valid is not None else torch.ones_like(given["group"], dtype=torch.bool)
        found = {name: given[name] for name in ("sampling_logps", "old_logps", "group", "success", "truncated")}
        found |= {"completion_ids": given["completion_ids"], "advantages": advantages.values}
        found |= {"rewards": rewards.total, "valid": valid}
        asked = self.methods.update_names
        if "old_entropy" in asked:
            found["old_entropy"] = given["entropy"]
        as_it_is = ("old_uniform", "old_collision", "reference_logps", "values", "token_scores")
        found |= {name: given[name] for name in as_it_is if name in asked}
        if "returns" in asked:
            if advantages.returns is None:
                raise UserError("algo.critic: the advantage says nothing of returns, so the critic cannot learn")
            found["returns"] = advantages.returns
        return found


def answers_of(scores: Scores) -> Answers:
    """The reference answers that the reward has put behind the reasoning. UserError where it has not."""
    if scores.answers is None:
        raise UserError(
            "algo.auxiliary: the reward gave no reference answers to learn from; verifree does where it sees the whole "
            "completion, not inside rewards that hand on a part of its text"
        )
    return scores.answers
