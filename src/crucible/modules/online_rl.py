"""Online RL as a LightningModule: one epoch is one rollout step, one batch is one optimiser step.

    on_train_epoch_start   prompts -> rollouts -> scores -> advantages
    training_step          loss -> optimiser step -> metrics          (updates_per_rollout times)

The module only wires the axes; what a method is stands in algorithms/, entropy/ and rewards/.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from torch import Tensor

from crucible.algorithms.diagnostics import gradient_coefficient, token_diagnostics
from crucible.config.batch import Batch
from crucible.errors import UserError
from crucible.modules.callbacks import Evaluate
from crucible.modules.journal import Journal
from crucible.modules.microbatch import micro_batches, split_groups
from crucible.modules.options import AdamW, SamplingOptions
from crucible.modules.seeds import derived_seed
from crucible.modules.updates import no_loader
from crucible.policy.policy import Policy
from crucible.policy.token_stats import TokenStats
from crucible.rewards.base import checked
from crucible.types import Advantages, PolicyLoss, Reward, RolloutEngine, Rollouts, Sampler, Scores, Task, Totals


@dataclass(slots=True)
class Experience:
    """All that the optimiser steps of one rollout step need. N rows."""

    rollouts: Rollouts
    scores: Scores
    success: Tensor  # (N,) true success by the task's checker, 0.0 or 1.0
    advantages: Advantages
    old_logps: Tensor  # (N, T) log-probs under the policy that sampled
    auxiliary: dict[str, Tensor]  # (N, T) weights of each auxiliary loss
    updates: list[Tensor]  # row numbers of each optimiser step; empty where nothing is left to train on


class OnlineRL(pl.LightningModule):
    """Any objective x advantage x aggregation x filter x auxiliary losses x entropy control x reward."""

    def __init__(
        self,
        *,
        policy: Policy,
        engine: RolloutEngine,
        task: Task,
        reward: Reward,
        sampler: Sampler,
        entropy: Any,
        batch: Batch,
        sampling: SamplingOptions,
        optim: AdamW,
        journal: Journal,
        seed: int,
        steps: int,
        samples_every: int,
        loss: Callable[..., PolicyLoss],
        advantage: Callable[..., Advantages],
        aggregation: Callable[..., Tensor],
        filter: Callable[..., Tensor],
        auxiliary: Mapping[str, Any],
        old_logps: Literal["sampler", "recompute"] = "sampler",
    ):
        super().__init__()
        self.automatic_optimization = False
        self.policy, self.model = policy, policy.model
        self.engine, self.task, self.reward, self.sampler, self.entropy = engine, task, reward, sampler, entropy
        self.batch, self.sampling, self.optim, self.journal, self.seed = batch, sampling, optim, journal, seed
        self.epochs, self.samples_every = steps, samples_every
        self.loss, self.advantage, self.aggregation, self.filter = loss, advantage, aggregation, filter
        self.auxiliary, self.old_logps = dict(auxiliary), old_logps
        self.steps_done = 0
        self.updates_done = 0
        self.seen_ids: set[str] = set()

    def callbacks(self, parts: Any) -> list[pl.Callback]:
        """What this kind of run does at the end of a step, before anything else does."""
        return [Evaluate(parts["evaluation"], parts, self.journal)]

    def headline(self) -> str:
        """The last step in a few words."""
        m = self.step_metrics
        length = f"length {m['completion/length']:.1f}"
        return f"reward {m['reward/mean']:+.3f}  true success {m['true/success']:.1%}  {length}"

    # -- one rollout step ---------------------------------------------------------------------

    def on_train_epoch_start(self) -> None:
        started = time.perf_counter()
        step = self.steps_done + 1
        prompts = self.sampler.draw(self.batch.prompts_per_step)
        self.policy.check_prompts(prompts, self.sampling.max_tokens)
        self.seen_ids.update(p.id for p in prompts)
        sampling = self.sampling.at(derived_seed(self.seed, "rollout", step))
        rollouts = self.engine.generate(prompts, self.batch.samples_per_prompt, sampling)
        rollouts = replace(rollouts, policy_version=torch.full_like(rollouts.group, self.updates_done))
        sampled = time.perf_counter()
        scores = self.score(rollouts)
        self.sampler.observe(rollouts.prompts, scores)
        scored = time.perf_counter()
        self.experience = self.learnable(rollouts, scores, step)
        self.step_metrics = step_metrics(self.experience) | {
            "time/rollout_s": sampled - started,
            "time/reward_s": scored - sampled,
            "perf/rollout_tokens_per_s": float(rollouts.mask.sum()) / (sampled - started),
        }
        self.update_started = time.perf_counter()

    def score(self, rollouts: Rollouts) -> Scores:
        return checked("reward", self.reward(rollouts.prompts, rollouts.completions()), len(rollouts))

    def learnable(self, rollouts: Rollouts, scores: Scores, step: int) -> Experience:
        """Advantages, what is left out, and which rows each optimiser step gets."""
        success = torch.tensor(
            [float(self.task.correct(p, t)) for p, t in zip(rollouts.prompts, rollouts.texts, strict=True)]
        )
        advantages = self.advantage(scores, rollouts.group, rollouts.mask)
        if self.entropy.shapes:
            advantages = self.entropy.shape(advantages, self.stats(rollouts).entropy, rollouts.mask)
        keep = self.filter(success, scores, rollouts.group)
        if advantages.keep is not None:
            keep = keep & advantages.keep
        old = rollouts.sampling_logps if self.old_logps == "sampler" else self.stats(rollouts).logps
        order = torch.Generator().manual_seed(derived_seed(self.seed, "updates", step))
        return Experience(
            rollouts=rollouts,
            scores=scores,
            success=success,
            advantages=replace(advantages, keep=keep),
            old_logps=old,
            auxiliary={n: a.select(scores, success, rollouts.mask) for n, a in self.auxiliary.items()},
            updates=split_groups(rollouts.group, keep, self.batch.updates_per_rollout, order),
        )

    @torch.no_grad()
    def stats(self, rollouts: Rollouts) -> TokenStats:
        """Log-probs and exact entropies (N, T) of all rows under the current policy."""
        logps, entropy = torch.zeros_like(rollouts.mask), torch.zeros_like(rollouts.mask)
        for rows in micro_batches(rollouts, torch.arange(len(rollouts)), self.batch.micro_batch_tokens):
            part = rows.forward(self.policy, entropy_gradient=False)
            logps[rows.index, : rows.width] = part.logps
            entropy[rows.index, : rows.width] = part.entropy
        return TokenStats(logps=logps, entropy=entropy)

    # -- one optimiser step -------------------------------------------------------------------

    def train_dataloader(self) -> Any:
        return no_loader(self.batch.updates_per_rollout)

    def training_step(self, update: int, _: int) -> None:
        rows = self.experience.updates[update]
        if len(rows):
            metrics = self.optimise(rows)
            self.updates_done += 1
            if update == 0:  # the entropy of the policy that sampled, before anything was learned from it
                metrics |= self.entropy.after_step(metrics["policy/entropy"])
        else:
            metrics = {"policy/updates_without_rows": 1.0}
        if update == self.batch.updates_per_rollout - 1:
            spent = time.perf_counter() - self.update_started
            tokens = float(self.experience.rollouts.mask.sum())
            metrics |= self.step_metrics | {
                "time/update_s": spent,
                "perf/tokens_per_s": tokens / (spent + self.step_metrics["time/rollout_s"]),
            }
        number = self.steps_done * self.batch.updates_per_rollout + update + 1
        self.journal.row({"kind": "update", "step": self.steps_done + 1, "update": number, **metrics})
        if update == self.batch.updates_per_rollout - 1:
            self.end_step()

    def end_step(self) -> None:
        """Before Lightning's end-of-epoch hooks, whose callbacks read `steps_done` and save it."""
        self.steps_done += 1
        self.engine.sync(self.updates_done)
        if self.steps_done % self.samples_every == 0 or self.steps_done == 1:
            self.journal.run_dir.write_samples(self.steps_done, sample_rows(self.experience))

    def optimise(self, rows: Tensor) -> dict[str, float]:
        """One optimiser step on `rows`, in micro-batches whose number does not change the gradient."""
        x, device = self.experience, self.device
        mask = x.rollouts.mask[rows]
        totals = Totals(float(mask.sum()), float(len(rows)), self.sampling.max_tokens)
        auxiliary_totals = {name: max(float(w[rows].sum()), 1.0) for name, w in x.auxiliary.items()}
        sums: dict[str, float] = {}
        optimizer = self.optimizers()
        optimizer.zero_grad()
        for part in micro_batches(x.rollouts, rows, self.batch.micro_batch_tokens):
            stats = part.forward(self.policy, entropy_gradient=self.entropy.needs_gradient)
            m = part.of(x.rollouts.mask).to(device)
            result = self.loss(
                stats.logps, part.of(x.old_logps).to(device), part.of(x.advantages.values).to(device), m
            )
            terms = {"policy/loss": self.aggregation(result.per_token, m, totals)}
            bonus = self.entropy.loss_term(stats.entropy, m)
            if bonus is not None:
                terms["policy/entropy_term"] = self.aggregation(bonus, m, totals)
            for name, auxiliary in self.auxiliary.items():
                weights = part.of(x.auxiliary[name]).to(device)
                per_token = (weights * auxiliary.per_token(stats.logps, stats.entropy)).sum()
                terms[f"auxiliary/{name}"] = auxiliary.coefficient * per_token / auxiliary_totals[name]
            coefficient = gradient_coefficient(result.per_token, stats.logps)
            self.manual_backward(sum(terms.values()))
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value.item()
            kinds = token_diagnostics(
                stats.logps, part.of(x.old_logps).to(device), stats.entropy, part.of(x.advantages.values).to(device), m,
                coefficient,
            )  # fmt: skip
            for name, value in {**result.diagnostics, **kinds, "entropy": stats.entropy}.items():
                total = (value.detach() * m).sum().item() / totals.tokens
                sums[f"policy/{name}"] = sums.get(f"policy/{name}", 0.0) + total
        norm = float(self.optim.clip(self.model.parameters()))
        if not math.isfinite(norm) or not math.isfinite(sums["policy/loss"]):
            raise UserError(
                f"the loss or its gradient is no longer a number at step {self.steps_done + 1} "
                f"(loss {sums['policy/loss']}, gradient norm {norm}); try a smaller optim.lr"
            )
        schedule = self.lr_schedulers()
        rate = schedule.get_last_lr()[0]
        optimizer.step()
        schedule.step()
        return sums | {"policy/grad_norm": norm, "policy/lr": rate}

    def configure_optimizers(self) -> Any:
        optimizer, schedule = self.optim.build(self.model.parameters())
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    # -- resume -------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["crucible"] = {
            "steps_done": self.steps_done,
            "updates_done": self.updates_done,
            "sampler": self.sampler.state_dict(),
            "entropy": self.entropy.state_dict(),
            "seen_ids": sorted(self.seen_ids),
            "torch_rng": torch.get_rng_state(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = checkpoint["crucible"]
        self.steps_done, self.updates_done = state["steps_done"], state["updates_done"]
        self.sampler.load_state_dict(state["sampler"])
        self.entropy.load_state_dict(state["entropy"])
        self.seen_ids = set(state["seen_ids"])
        torch.set_rng_state(state["torch_rng"])


def step_metrics(x: Experience) -> dict[str, float]:
    """What is known of a step before its first update. Means over all rows that have a reward."""
    valid = x.scores.valid if x.scores.valid is not None else torch.ones_like(x.success, dtype=torch.bool)
    rewards, tokens = x.scores.total[valid], x.rollouts.mask.sum()
    rows = x.rollouts
    metrics = {
        "reward/mean": rewards.mean().item() if len(rewards) else math.nan,
        "reward/std": rewards.std().item() if len(rewards) > 1 else 0.0,
        "reward/invalid": 1.0 - valid.float().mean().item(),
        "true/success": x.success.mean().item(),
        "completion/length": rows.lengths.mean().item(),
        "completion/truncated": sum(r == "length" for r in rows.finish_reason) / len(rows),
        "policy/entropy_sampled": -(rows.sampling_logps * rows.mask).sum().item() / tokens.item(),
        "rows/trained": x.advantages.keep.float().mean().item() if x.advantages.keep is not None else 1.0,
        "groups/without_signal": share_without_signal(x.advantages.values, rows.group),
    }
    for name, values in x.scores.components.items():
        label = name if name.startswith("true/") else f"reward/{name}"  # known by program, not rewarded
        metrics[label] = values[valid].mean().item() if len(rewards) else math.nan
    return metrics | x.advantages.diagnostics


def share_without_signal(advantages: Tensor, group: Tensor) -> float:
    """Share of groups in which every advantage is zero: they do not move the policy."""
    groups, index = group.unique(return_inverse=True)
    strength = torch.zeros(len(groups)).scatter_reduce(0, index, advantages.abs().amax(-1), "amax")
    return (strength == 0).float().mean().item()


def sample_rows(x: Experience, limit: int = 64) -> list[dict[str, Any]]:
    """The first `limit` completions of a step, as stored in samples/."""
    return [
        {
            "prompt_id": prompt.id,
            "prompt": prompt.text or [dict(m) for m in prompt.messages],
            "completion": x.rollouts.texts[i],
            "finish_reason": x.rollouts.finish_reason[i],
            "reward": x.scores.total[i].item(),
            "components": {name: values[i].item() for name, values in x.scores.components.items()},
            "success": bool(x.success[i]),
        }
        for i, prompt in enumerate(x.rollouts.prompts[:limit])
    ]
