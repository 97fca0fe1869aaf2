"""The sampling stage of a rollout step: the rows themselves, and what else parts asked to have sampled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from crucible.entropy.base import More
from crucible.modules.methods import Methods
from crucible.modules.passes import token_columns
from crucible.modules.seeds import derived_seed
from crucible.rollout.split import joined
from crucible.types import Prompt, RolloutEngine, Rollouts, Sampling, Scores

if TYPE_CHECKING:
    from crucible.policy.policy import Policy


@dataclass(slots=True)
class Collector:
    """Samples with the weights that the engine's lag leaves behind. Everything ends on the CPU."""

    engine: RolloutEngine
    policy: Policy
    methods: Methods
    samples_per_prompt: int
    micro_batch_tokens: int
    seed: int

    def collect(self, prompts: Sequence[Prompt], sampling: Sampling, step: int) -> tuple[Rollouts, Rollouts | None]:
        """The rows of step `step`, tempered ones last; and each prompt's greedy completion where a part wants it."""
        sampling = replace(sampling, seed=derived_seed(self.seed, "rollout", step))
        if (temperature := self.methods.hook("temperature")) is not None:
            sampling = replace(sampling, temperature=temperature(sampling.temperature))
        more = hook() if (hook := self.methods.hook("more")) is not None else None
        greedy = None
        with self.engine.behind() as version:
            rollouts = self.engine.generate(prompts, self.samples_per_prompt, sampling).to("cpu")
            if more is not None:
                again = replace(sampling, seed=derived_seed(self.seed, "tempered", step))
                rollouts = joined([rollouts, self.tempered(prompts, again, more)], pad_id=self.policy.pad_id)
            if self.methods.wants("greedy_rewards"):
                greedy = self.engine.generate(prompts, 1, replace(sampling, temperature=0.0)).to("cpu")
        return replace(rollouts, policy_version=torch.full_like(rollouts.group, version)), greedy

    def tempered(self, prompts: Sequence[Prompt], sampling: Sampling, more: More) -> Rollouts:
        """Rows of the first prompts at another temperature, with the log-probs they have at the usual one."""
        some = prompts[: math.ceil(more.share * len(prompts))]
        hot = replace(sampling, temperature=more.temperature)
        rollouts = replace(
            self.engine.generate(some, self.samples_per_prompt, hot).to("cpu"), temperature=sampling.temperature
        )
        every = torch.arange(len(rollouts))
        logps = token_columns(self.policy, rollouts, every, self.micro_batch_tokens, {"logps"})["logps"]
        return replace(rollouts, sampling_logps=logps, group=rollouts.group + len(prompts))


def greedy_rewards(greedy: Rollouts, scores: Scores, rollouts: Rollouts) -> Tensor:
    """(N,) what the greedy completion of each row's prompt earned, NaN where no reward could be computed."""
    valid = scores.valid if scores.valid is not None else torch.ones_like(scores.total, dtype=torch.bool)
    earned = torch.where(valid, scores.total.double(), math.nan).tolist()
    by_prompt = dict(zip((prompt.id for prompt in greedy.prompts), earned, strict=True))
    return torch.tensor([by_prompt[prompt.id] for prompt in rollouts.prompts], dtype=scores.total.dtype)
