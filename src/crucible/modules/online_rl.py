"""Online RL as a LightningModule: one epoch is one rollout step, one batch is one optimiser step.

    on_train_epoch_start   prompts -> rollouts -> scores -> advantages      (experience.py)
    training_step          loss -> optimiser step -> metrics                (objective.py; updates_per_rollout times)

The module only wires the axes; what a method is stands in algorithms/, entropy/ and rewards/.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from torch import Tensor

from crucible.algorithms.critics.value_head import ValueHead
from crucible.algorithms.kl.penalty import KLPenalty
from crucible.config.batch import Batch
from crucible.errors import UserError
from crucible.modules.callbacks import Evaluate
from crucible.modules.experience import Learner
from crucible.modules.journal import Journal
from crucible.modules.methods import Methods
from crucible.modules.objective import Objective
from crucible.modules.options import AdamW, SamplingOptions
from crucible.modules.reference import Reference, Refresh
from crucible.modules.seeds import derived_seed
from crucible.modules.step_metrics import sample_rows, step_metrics
from crucible.modules.updates import no_loader
from crucible.policy.policy import Policy
from crucible.ranks import Ranks
from crucible.rewards.base import checked
from crucible.types import Advantages, Correction, PolicyLoss, Reward, RolloutEngine, Rollouts, Sampler, Scores, Task


class OnlineRL(pl.LightningModule):
    """Any objective x reward shaping x advantage x aggregation x filter x correction x KL penalty x auxiliary losses
    x entropy control.

    Each piece is called with what it names (crucible.algorithms.given).
    """

    shares_rows = True  # several processes can train it, see crucible.ranks

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
        critic: ValueHead | None = None,
        shaping: Mapping[str, Callable[..., Scores]] | None = None,
        reference: Refresh | None = None,
        old_logps: Literal["sampler", "recompute"] = "sampler",
    ):
        super().__init__()
        self.automatic_optimization = False
        self.policy, self.model = policy, policy.model
        self.engine, self.task, self.reward, self.sampler = engine, task, reward, sampler
        self.batch, self.sampling, self.optim, self.journal, self.seed = batch, sampling, optim, journal, seed
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
        self.ranks = ranks
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

    @property
    def clock(self) -> dict[str, Any]:
        """How far the run is, by the names that methods may ask for."""
        return {"updates_done": self.updates_done, "progress": self.steps_done / self.epochs}

    # -- one rollout step ---------------------------------------------------------------------

    def on_train_epoch_start(self) -> None:
        started = time.perf_counter()
        step = self.steps_done + 1
        prompts = self.sampler.draw(self.batch.prompts_per_step)
        self.policy.check_prompts(prompts, self.sampling.max_tokens)
        self.seen_ids.update(p.id for p in prompts)
        sampling = self.sampling.at(derived_seed(self.seed, "rollout", step))
        with self.engine.behind() as version:
            rollouts = self.engine.generate(prompts, self.batch.samples_per_prompt, sampling).to("cpu")
        rollouts = replace(rollouts, policy_version=torch.full_like(rollouts.group, version))
        sampled = time.perf_counter()
        scores = self.score(rollouts)
        self.sampler.observe(rollouts.prompts, scores)
        scored = time.perf_counter()
        order = torch.Generator().manual_seed(derived_seed(self.seed, "updates", step))
        success = torch.tensor(
            [float(self.task.correct(p, t)) for p, t in zip(rollouts.prompts, rollouts.texts, strict=True)]
        )
        self.experience = self.learner.learn_from(rollouts, scores, success, order=order, clock=self.clock)
        self.step_metrics = step_metrics(self.experience) | {
            "time/rollout_s": sampled - started,
            "time/reward_s": scored - sampled,
            "perf/rollout_tokens_per_s": float(rollouts.mask.sum()) / (sampled - started),
        }
        self.update_started = time.perf_counter()

    def score(self, rollouts: Rollouts) -> Scores:
        return checked("reward", self.reward(rollouts.prompts, rollouts.completions()), len(rollouts))

    # -- one optimiser step -------------------------------------------------------------------

    def train_dataloader(self) -> Any:
        return no_loader(self.batch.updates_per_rollout)

    def training_step(self, update: int, _: int) -> None:
        rows = self.experience.updates[update]
        if len(rows):
            metrics = self.optimise(rows)
            self.updates_done += 1
            if update == 0:  # the entropy of the policy that sampled, before anything was learned from it
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
        number = self.steps_done * self.batch.updates_per_rollout + update + 1
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

    def optimise(self, rows: Tensor) -> dict[str, float]:
        """One optimiser step on `rows`."""
        optimizer = self.optimizers()
        optimizer.zero_grad()
        critic = self.methods.critic
        learn_policy = critic is None or self.steps_done >= critic.pretrain_steps
        metrics = self.objective.backward(
            self.experience, rows, self.clock, self.manual_backward, learn_policy=learn_policy
        )
        self.ranks.sum_gradients(list(self.model.parameters()))
        norm = float(self.optim.clip(self.model.parameters()))
        if self.value_head is not None:
            self.ranks.sum_gradients(list(self.value_head.parameters()))
            metrics["critic/grad_norm"] = float(self.optim.clip(self.value_head.parameters()))
        if not math.isfinite(norm) or not math.isfinite(metrics["policy/loss"]):
            raise UserError(
                f"the loss or its gradient is no longer a number at step {self.steps_done + 1} "
                f"(loss {metrics['policy/loss']}, gradient norm {norm}); try a smaller optim.lr"
            )
        schedule = self.lr_schedulers()
        rate = schedule.get_last_lr()[0]
        optimizer.step()
        schedule.step()
        if hasattr(self.methods.kl, "in_loss"):
            metrics |= self.methods.kl.observe(metrics["kl/mean"], len(rows))
        return metrics | {"policy/grad_norm": norm, "policy/lr": rate}

    def configure_optimizers(self) -> Any:
        groups = []
        if self.methods.critic is not None and self.value_head is not None:
            groups.append({"params": list(self.value_head.parameters()), "lr": self.methods.critic.learning_rate})
        optimizer, schedule = self.optim.build(self.model.parameters(), *groups)
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    # -- resume -------------------------------------------------------------------------------

    def remembering(self) -> dict[str, Any]:
        """All that has a state besides the policy and its optimiser."""
        found = {"sampler": self.sampler, "engine": self.engine, **self.methods.remembering()}
        return found if self.reference is None else {**found, "reference": self.reference}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["crucible"] = {
            "steps_done": self.steps_done,
            "updates_done": self.updates_done,
            "parts": {name: part.state_dict() for name, part in self.remembering().items()},
            "seen_ids": sorted(self.seen_ids),
            "torch_rng": torch.get_rng_state(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = checkpoint["crucible"]
        self.steps_done, self.updates_done = state["steps_done"], state["updates_done"]
        for name, part in self.remembering().items():
            part.load_state_dict(state["parts"][name])
        self.seen_ids = set(state["seen_ids"])
        torch.set_rng_state(state["torch_rng"])
