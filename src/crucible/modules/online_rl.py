"""Online RL as a LightningModule: one epoch is one rollout step, one batch is one optimiser step.

    on_train_epoch_start   prompts -> rollouts -> scores -> advantages      (experience.py)
    training_step          loss -> optimiser step -> metrics                (objective.py; updates_per_rollout times)

The module only wires the axes; what a method is stands in algorithms/, entropy/ and rewards/.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from torch import Tensor

from crucible.ahead import asks_for, stand_in
from crucible.algorithms.kl.penalty import KLPenalty
from crucible.config.batch import Batch
from crucible.data.fit import refuse_misfit, refuse_unfit, refuse_unjudged
from crucible.data.truth import judged, truth_metrics
from crucible.modules.alarms import Alarms
from crucible.modules.callbacks import Evaluate
from crucible.modules.collect import Collector, greedy_rewards
from crucible.modules.experience import Learner
from crucible.modules.journal import Journal
from crucible.modules.methods import Methods
from crucible.modules.objective import Objective
from crucible.modules.options import AdamW, SamplingOptions
from crucible.modules.random_state import random_state, restore_random_state
from crucible.modules.reference import Reference, Refresh
from crucible.modules.seeds import derived_seed
from crucible.modules.step_metrics import sample_rows, step_metrics
from crucible.modules.trouble import Trouble
from crucible.modules.updates import no_loader
from crucible.policy.policy import Policy
from crucible.pulse import beat
from crucible.ranks import Ranks
from crucible.rewards.base import checked
from crucible.rewards.runtime.runtime import Runtime
from crucible.types import (
    Advantages,
    Context,
    Correction,
    PolicyLoss,
    Reward,
    RolloutEngine,
    Rollouts,
    Sampler,
    Scores,
    Task,
)


class OnlineRL(pl.LightningModule):
    """Any objective x reward shaping x advantage x aggregation x filter x correction x KL penalty x auxiliary losses
    x entropy control.

    Each piece is called with what it names (crucible.algorithms.given).
    """

    shares_rows = True  # several processes can train it, see crucible.ranks

    def __init__(
        self,
        *,
        task: Task,
        reward: Reward,
        policy: Policy,
        engine: RolloutEngine,
        sampler: Sampler,
        entropy: Any,
        batch: Batch,
        sampling: SamplingOptions,
        optim: AdamW,
        reward_runtime: Runtime,
        trouble: Trouble,
        alarms: Alarms,
        journal: Journal,
        ranks: Ranks,
        seed: int,
        steps: int,
        samples_every: int,
        loss: Callable[..., PolicyLoss],
        advantage: Callable[..., Advantages],
        aggregation: Callable[..., Tensor],
        filter: Callable[..., Tensor],
        auxiliary: Mapping[str, Any],
        correction: Callable[..., Correction] | None = None,
        kl: KLPenalty | None = None,
        critic: Any = None,
        shaping: Mapping[str, Callable[..., Scores]] | None = None,
        reference: Refresh | None = None,
        old_logps: Literal["sampler", "recompute"] = "sampler",
    ):
        super().__init__()
        refuse_misfit(task, getattr(reward, "reward", reward))  # of several processes, the main one's
        self.automatic_optimization = False
        self.policy, self.model = policy, policy.model
        self.engine, self.task, self.reward, self.sampler = engine, task, reward, sampler
        self.batch, self.sampling, self.optim, self.journal, self.seed = batch, sampling, optim, journal, seed
        self.reward_runtime, self.trouble, self.alarms = reward_runtime, trouble, alarms
        self.epochs, self.samples_every = steps, samples_every
        self.methods = Methods(
            loss, advantage, aggregation, filter, dict(auxiliary), entropy, correction, kl, critic, dict(shaping or {})
        )
        needed = self.methods.wants("reference_logps")
        self.reference = Reference(policy, reference or Refresh()) if needed else None
        self.value_head = critic.build(policy.width) if critic is not None else None
        self.learner = Learner(
            policy=policy,
            methods=self.methods,
            reference=self.reference,
            recompute=old_logps == "recompute",
            micro_batch_tokens=batch.micro_batch_tokens,
            updates_per_rollout=batch.updates_per_rollout,
            value_head=self.value_head,
        )
        self.objective = Objective(
            policy, self.methods, batch.micro_batch_tokens, sampling.max_tokens, ranks, self.value_head
        )
        self.collector = Collector(
            engine, policy, self.methods, batch.samples_per_prompt, batch.micro_batch_tokens, seed
        )
        self.ranks = ranks
        self.steps_done = 0
        self.updates_done = 0
        self.held_out = {prompt.id for prompt in task.eval_prompts()}
        self.seen_ids: set[str] = set()  # of the held-out prompts, those ever trained on: none, if all is well

    @staticmethod
    def look_ahead(parts: Any) -> None:
        """Before any model is loaded: do the data have what the reward and the check of the data read, and do all
        prompts fit the model? Where only the model can tell, the latter is asked as soon as there is one."""
        task, main = parts["task"], parts["ranks"].main
        refuse_unjudged(task)
        early = main and not asks_for(parts, "reward", "policy")  # one that needs the policy: in __init__
        for reader in (getattr(task, "check", None), parts["reward"] if early else None):
            refuse_misfit(task, reader)
        fits = functools.partial(refuse_unfit, task, max_tokens=parts["sampling"].max_tokens)
        if main and (similar := stand_in(parts)) is not None:
            fits(similar)
        elif main:
            parts.once_built("policy", fits)

    def callbacks(self, parts: Any) -> list[pl.Callback]:
        """What this kind of run does at the end of a step, before anything else does."""
        return [Evaluate(parts["evaluation"], parts, self.journal)]

    def headline(self) -> str:
        """The last step in a few words."""
        m = self.step_metrics
        length = f"length {m['completion/length']:.1f}"
        return f"reward {m['reward/mean']:+.3f}  true success {m['true/success']:.1%}  {length}"

    @property
    def clock(self) -> dict[str, Any]:
        """How far the run is, by the names that methods may ask for."""
        return {"updates_done": self.updates_done, "progress": self.steps_done / self.epochs}

    # -- one rollout step ---------------------------------------------------------------------

    def on_train_epoch_start(self) -> None:
        started = time.perf_counter()
        step = self.steps_done + 1
        beat(f"sampling in step {step}")
        prompts = self.sampler.draw(self.batch.prompts_per_step)
        self.policy.check_prompts(prompts, self.sampling.max_tokens)
        self.seen_ids.update(p.id for p in prompts if p.id in self.held_out)
        rollouts, greedy = self.collector.collect(prompts, self.sampling.at(self.seed), step)
        sampled = time.perf_counter()
        beat(f"scoring in step {step}")
        scores = self.score(rollouts)
        more: dict[str, Any] = {"tempered": rollouts.group >= len(prompts)}
        if greedy is not None:
            more["greedy_rewards"] = greedy_rewards(greedy, self.score(greedy), rollouts)
        self.sampler.observe(rollouts.prompts, scores)
        scored = time.perf_counter()
        order = torch.Generator().manual_seed(derived_seed(self.seed, "updates", step))
        verdicts = judged(self.task, rollouts.prompts, rollouts.texts)
        success = torch.tensor([float(verdict is True) for verdict in verdicts])
        self.experience = self.learner.learn_from(rollouts, scores, success, order=order, clock=self.clock, more=more)
        self.step_metrics = (
            step_metrics(self.experience)
            | truth_metrics(verdicts)
            | self.reward_runtime.watch(scores)
            | {
                "time/rollout_s": sampled - started,
                "time/reward_s": scored - sampled,
                "perf/rollout_tokens_per_s": float(rollouts.mask.sum()) / (sampled - started),
            }
        )
        for line in self.alarms.watch(self.step_metrics, rollouts.group.tolist(), rollouts.texts):
            self.journal.report(line)
        self.step_metrics |= self.alarms.metrics
        self.update_started = time.perf_counter()
        beat(f"updating in step {step}")

    def score(self, rollouts: Rollouts) -> Scores:
        context = Context.of(rollouts, step=self.steps_done + 1, progress=self.steps_done / self.epochs)
        return checked("reward", self.reward(rollouts.prompts, rollouts.completions(), context), len(rollouts))

    # -- one optimiser step -------------------------------------------------------------------

    def train_dataloader(self) -> Any:
        return no_loader(self.batch.updates_per_rollout)

    def training_step(self, update: int, _: int) -> None:
        rows = self.experience.updates[update]
        number = self.steps_done * self.batch.updates_per_rollout + update + 1
        self.close_update(update, self.optimise(rows, number) if len(rows) else None)

    def close_update(self, update: int, metrics: dict[str, float] | None) -> None:
        """Writes the metrics of an update, None where it had no rows; after the last one of a step, ends the step."""
        number = self.steps_done * self.batch.updates_per_rollout + update + 1
        if metrics is not None:
            made = "trouble/skipped" not in metrics
            self.updates_done += made
            if made and update == 0:  # the entropy of the policy that sampled, before anything was learned from it
                metrics |= self.methods.entropy.after_step(metrics["policy/entropy"])
        else:
            metrics = {"policy/updates_without_rows": 1.0}
        if update == self.batch.updates_per_rollout - 1:
            spent = time.perf_counter() - self.update_started
            tokens = float(self.experience.rollouts.mask.sum())
            metrics |= self.step_metrics | {
                "time/update_s": spent,
                "perf/tokens_per_s": tokens / (spent + self.step_metrics["time/rollout_s"]),
            }
            metrics |= self.trouble.of_step(self.steps_done + 1, metrics)
        self.journal.row({"kind": "update", "step": self.steps_done + 1, "update": number, **metrics})
        if update == self.batch.updates_per_rollout - 1:
            self.end_step()

    def end_step(self) -> None:
        """Before Lightning's end-of-epoch hooks, whose callbacks read `steps_done` and save it."""
        self.steps_done += 1
        self.engine.sync(self.updates_done)
        if self.reference is not None:
            self.reference.end_of_step(self.steps_done, self.policy)
        if self.steps_done % self.samples_every == 0 or self.steps_done == 1:
            self.journal.run_dir.write_samples(self.steps_done, sample_rows(self.experience))

    def optimise(self, rows: Tensor, number: int) -> dict[str, float]:
        """Optimiser step `number` on `rows`; none where the numbers are in trouble."""
        optimizer = self.optimizers()
        optimizer.zero_grad()
        critic = self.methods.critic
        learn_policy = critic is None or self.steps_done >= critic.pretrain_steps
        metrics = self.objective.backward(
            self.experience, rows, self.clock, self.manual_backward, learn_policy=learn_policy
        )
        if getattr(self.engine, "apart", False) and number == self.steps_done * self.batch.updates_per_rollout + 1:
            self.step_metrics = self.objective.mismatch | self.step_metrics  # known of all rows where recomputed
        self.ranks.sum_gradients(list(self.model.parameters()))
        metrics["policy/grad_norm"] = float(self.optim.clip(self.model.parameters()))
        if self.value_head is not None:
            self.ranks.sum_gradients(list(self.value_head.parameters()))
            metrics["critic/grad_norm"] = float(self.optim.clip(self.value_head.parameters()))
        if skipped := self.trouble.of_update(self.steps_done + 1, number, metrics):
            optimizer.zero_grad()
            return metrics | skipped
        schedule = self.lr_schedulers()
        rate = schedule.get_last_lr()[0]
        optimizer.step()
        schedule.step()
        if hasattr(self.methods.kl, "in_loss"):
            metrics |= self.methods.kl.observe(metrics["kl/mean"], len(rows))
        return metrics | {"policy/lr": rate}

    def configure_optimizers(self) -> Any:
        groups = []
        if self.methods.critic is not None and self.value_head is not None:
            groups.append({"params": list(self.value_head.parameters()), "lr": self.methods.critic.learning_rate})
        optimizer, schedule = self.optim.build(self.model.parameters(), *groups)
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    # -- resume -------------------------------------------------------------------------------

    def remembering(self) -> dict[str, Any]:
        """All that has a state besides the policy and its optimiser."""
        found = {
            "sampler": self.sampler, "engine": self.engine, "reward": self.reward, "reference": self.reference,
            "reward_runtime": self.reward_runtime, "trouble": self.trouble, "alarms": self.alarms,
            **self.methods.remembering(),
        }  # fmt: skip
        return {name: part for name, part in found.items() if hasattr(part, "state_dict")}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["crucible"] = {
            "steps_done": self.steps_done,
            "updates_done": self.updates_done,
            "parts": {name: part.state_dict() for name, part in self.remembering().items()},
            "seen_ids": sorted(self.seen_ids),
            "random": random_state(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = checkpoint["crucible"]
        self.steps_done, self.updates_done = state["steps_done"], state["updates_done"]
        for name, part in self.remembering().items():
            part.load_state_dict(state["parts"][name])
        self.seen_ids = set(state["seen_ids"])
        restore_random_state(state["random"])
