"""Held-out evaluation: avg@n, unbiased pass@k, maj@n, and how far the reward agrees with the truth."""

from __future__ import annotations

import time
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Annotated, Any

import torch

from crucible.analysis.statistics import (
    Interval,
    attempts_interval,
    avg_at_k_interval,
    maj_at_k_by_problem,
    mean_interval,
    pass_at_k_interval,
)
from crucible.config.pass_at import impossible
from crucible.data.truth import judged
from crucible.errors import UserError
from crucible.modules.seeds import derived_seed
from crucible.modules.votes import votes_of
from crucible.rewards.base import checked
from crucible.types import AsksFurther, Context, Rollouts, Sampling, Scores


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """When and how the policy is measured on prompts it never trains on.

    Every `every` steps, `samples_per_prompt` answers to each prompt at `temperature` (0: greedy), drawn with
    `seed`; avg@n and pass@n for n = samples_per_prompt, and pass@k for each k of `pass_at`.
    """

    every: Annotated[int, ">= 1"] = 25
    samples_per_prompt: Annotated[int, ">= 1"] = 8
    temperature: Annotated[float, ">= 0"] = 1.0
    seed: int = 0
    pass_at: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UserError(f"evaluation.every={self.every}: must be at least 1 step")
        if self.samples_per_prompt < 1:
            raise UserError(f"evaluation.samples_per_prompt={self.samples_per_prompt}: must be at least 1")
        if self.temperature < 0:
            raise UserError(f"evaluation.temperature={self.temperature}: must be 0 (greedy) or above")
        if problem := impossible(self.pass_at, self.samples_per_prompt):
            raise UserError(problem)

    def ks(self) -> list[int]:
        return sorted({*self.pass_at, self.samples_per_prompt})

    def measure(self, parts: Any, seen: Set[str], step: int) -> dict[str, Any]:
        """Metrics of one evaluation, `eval/<data>/right_of_<n>` being the right answers of each problem.

        `parts` names policy, engine, task, reward, its runtime and sampling; `seen` the prompts ever trained on;
        `step` the rollout steps done. An answer without a verdict counts as not right, see `eval/<data>/unknown`.
        What a task has found out about its own data (`facts`, numbers by name) is noted as data/<name>.
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
        verdicts = judged(task, rollouts.prompts, rollouts.texts)
        right = [verdict is True for verdict in verdicts]
        counts = torch.tensor(right).view(len(prompts), self.samples_per_prompt).sum(-1).tolist()
        metrics = self.accuracy(task.name, counts)
        votes = votes_of(task, rollouts.prompts, rollouts.texts, right, self.samples_per_prompt)
        metrics |= self.majority(task.name, votes)
        scores = self.scores(parts["reward"], rollouts, step)
        parts["reward_runtime"].watch(scores)
        metrics |= rewarded_and_true(task.name, parts["reward"], rollouts, scores)
        metrics[f"eval/{task.name}/length"] = rollouts.lengths.mean().item()
        metrics[f"eval/{task.name}/unknown"] = sum(verdict is None for verdict in verdicts) / len(verdicts)
        metrics[f"eval/{task.name}/truncated"] = sum(r == "length" for r in rollouts.finish_reason) / len(rollouts)
        metrics["data/eval_seen_in_training"] = sum(p.id in seen for p in prompts) / len(prompts)
        metrics |= {f"data/{name}": value for name, value in getattr(task, "facts", {}).items()}
        metrics |= self.further(parts, step)
        return metrics | {"time/eval_s": time.perf_counter() - started}

    def further(self, parts: Any, step: int) -> Mapping[str, float]:
        """What the task measures on answers to further prompts of its own, one each."""
        task, max_tokens = parts["task"], parts["sampling"].max_tokens
        prompts = list(task.further_prompts()) if isinstance(task, AsksFurther) else []
        if not prompts:
            return {}
        parts["policy"].check_prompts(prompts, max_tokens)
        seed = derived_seed(self.seed, "further prompts")
        sampling = Sampling(max_tokens=max_tokens, temperature=self.temperature, seed=seed)
        rollouts = parts["engine"].generate(prompts, 1, sampling)
        return task.further_measures(self.scores(parts["reward"], rollouts, step))

    def scores(self, reward: Any, rollouts: Rollouts, step: int) -> Scores:
        context = Context.of(rollouts, step=step, training=False)
        return checked("reward", reward(rollouts.prompts, rollouts.completions(), context), len(rollouts))

    def accuracy(self, name: str, counts: list[int]) -> dict[str, Any]:
        """avg@n, pass@k, attempts@n from the right answers of each problem, each with a 95 % interval over problems."""
        n = self.samples_per_prompt
        found = {f"avg@{n}": avg_at_k_interval(counts, n)}
        found |= {f"pass@{k}": pass_at_k_interval(counts, n, k) for k in self.ks() if k > 1}
        if n > 1:
            found[f"attempts@{n}"] = attempts_interval(counts, n)
        return {f"eval/{name}/right_of_{n}": counts} | with_limits(name, found)

    def majority(self, name: str, votes: list[list[list[int]]] | None) -> dict[str, Any]:
        """maj@n, and the votes from which maj@k follows for any k; nothing without votes, or for one sample."""
        n = self.samples_per_prompt
        if votes is None or n == 1:
            return {}
        found = {f"maj@{n}": mean_interval(maj_at_k_by_problem(votes, n, n))}
        return {f"eval/{name}/votes_of_{n}": votes} | with_limits(name, found)


def with_limits(name: str, found: Mapping[str, Interval]) -> dict[str, Any]:
    """Each interval as three metrics: its value, _low and _high."""
    metrics: dict[str, Any] = {}
    for label, interval in found.items():
        key = f"eval/{name}/{label}"
        metrics |= {key: interval.value, f"{key}_low": interval.low, f"{key}_high": interval.high}
    return metrics


def rewarded_and_true(name: str, reward: Any, rollouts: Rollouts, scores: Scores) -> dict[str, float]:
    """What the reward says of the held-out completions, and what is true where the reward can tell.

    Means over the rows with a value; NaN where there is none.
    """
    known = scores.total if scores.valid is None else scores.total[scores.valid]
    metrics = {f"eval/{name}/reward": known.mean().item()}
    for label, values in scores.components.items():
        if label.startswith("true/"):
            continue
        metrics[f"eval/{name}/reward/{label}"] = values.nanmean().item()
    if hasattr(reward, "fulfilment"):
        for label, values in reward.fulfilment(rollouts.prompts, rollouts.completions()).items():
            metrics[f"eval/{name}/{label}"] = values.mean().item()
    return metrics
