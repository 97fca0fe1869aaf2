"""Held-out evaluation: avg@n, unbiased pass@k, and how far the reward agrees with the truth."""

from __future__ import annotations

import time
from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any

import torch

from crucible.analysis.statistics import avg_at_k_interval, pass_at_k_interval
from crucible.errors import UserError
from crucible.modules.seeds import derived_seed
from crucible.types import Rollouts, Sampling


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """When and how the policy is measured on prompts it never trains on.

    Every `every` steps, `samples_per_prompt` answers to each prompt at `temperature` (0: greedy), drawn with
    `seed`; avg@n and pass@n for n = samples_per_prompt, and pass@k for each k of `pass_at`.
    """

    every: int = 25
    samples_per_prompt: int = 8
    temperature: float = 1.0
    seed: int = 0
    pass_at: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UserError(f"evaluation.every={self.every}: must be at least 1 step")
        if self.samples_per_prompt < 1:
            raise UserError(f"evaluation.samples_per_prompt={self.samples_per_prompt}: must be at least 1")
        if self.temperature < 0:
            raise UserError(f"evaluation.temperature={self.temperature}: must be 0 (greedy) or above")
        for k in self.pass_at:
            if not 1 <= k <= self.samples_per_prompt:
                raise UserError(
                    f"evaluation.pass_at={self.pass_at}: pass@{k} needs evaluation.samples_per_prompt of at least {k}, "
                    f"it is {self.samples_per_prompt}"
                )

    def ks(self) -> list[int]:
        return sorted({*self.pass_at, self.samples_per_prompt})

    def measure(self, parts: Any, seen: Set[str]) -> dict[str, Any]:
        """Metrics of one evaluation, `eval/<data>/right_of_<n>` being the right answers of each problem.

        `parts` names policy, engine, task, reward and sampling; `seen` the prompts ever trained on.
        """
        started = time.perf_counter()
        task, policy = parts["task"], parts["policy"]
        prompts = list(task.eval_prompts())
        if not prompts:
            raise UserError(f"data={task.name} has no held-out prompts to evaluate on")
        max_tokens = parts["sampling"].max_tokens
        policy.check_prompts(prompts, max_tokens)
        sampling = Sampling(
            max_tokens=max_tokens, temperature=self.temperature, seed=derived_seed(self.seed, "evaluation")
        )
        rollouts = parts["engine"].generate(prompts, self.samples_per_prompt, sampling)
        right = [task.correct(p, t) for p, t in zip(rollouts.prompts, rollouts.texts, strict=True)]
        counts = torch.tensor(right).view(len(prompts), self.samples_per_prompt).sum(-1).tolist()
        metrics = self.accuracy(task.name, counts)
        metrics |= rewarded_and_true(task.name, parts["reward"], rollouts)
        metrics[f"eval/{task.name}/length"] = rollouts.lengths.mean().item()
        metrics[f"eval/{task.name}/truncated"] = sum(r == "length" for r in rollouts.finish_reason) / len(rollouts)
        metrics["data/eval_seen_in_training"] = sum(p.id in seen for p in prompts) / len(prompts)
        return metrics | {"time/eval_s": time.perf_counter() - started}

    def accuracy(self, name: str, counts: list[int]) -> dict[str, Any]:
        """avg@n and pass@k from the right answers of each problem, each with a 95 % interval over problems."""
        n = self.samples_per_prompt
        found = {f"avg@{n}": avg_at_k_interval(counts, n)}
        found |= {f"pass@{k}": pass_at_k_interval(counts, n, k) for k in self.ks() if k > 1}
        metrics: dict[str, Any] = {f"eval/{name}/right_of_{n}": counts}
        for label, interval in found.items():
            metrics[f"eval/{name}/{label}"] = interval.value
            metrics[f"eval/{name}/{label}_low"] = interval.low
            metrics[f"eval/{name}/{label}_high"] = interval.high
        return metrics


def rewarded_and_true(name: str, reward: Any, rollouts: Rollouts) -> dict[str, float]:
    """What the reward says of the held-out completions, and what is true where the reward can tell."""
    scores = reward(rollouts.prompts, rollouts.completions())
    metrics = {f"eval/{name}/reward": scores.total.mean().item()}
    for label, values in scores.components.items():
        if label.startswith("true/"):
            continue
        metrics[f"eval/{name}/reward/{label}"] = values.mean().item()
    if hasattr(reward, "fulfilment"):
        for label, values in reward.fulfilment(rollouts.prompts, rollouts.completions()).items():
            metrics[f"eval/{name}/{label}"] = values.mean().item()
    return metrics
