"""A run of online RL as TRL's GRPOTrainer sees it: rollouts, rewards, perhaps the loss, and a callback."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import TrainerCallback

from crucible.modules.random_state import restore_random_state
from crucible.trl.compare import Gaps, gaps
from crucible.trl.plan import Plan

if TYPE_CHECKING:
    from crucible.modules.online_rl import OnlineRL
    from crucible.trl.loop import TRLLoop

# TRL's names of what Crucible measures too
SAME = {"entropy": "policy/entropy", "clip_ratio/region_mean": "policy/clip_fraction"}
LEFT_OUT = ("loss", "grad_norm", "learning_rate", "epoch", "step_time", "total_flos")


class TRLRun(TrainerCallback):
    """Between TRL's trainer and the module. An update is an optimiser step of TRL's; `rows` are those it trains on."""

    def __init__(self, loop: TRLLoop, module: OnlineRL, plan: Plan, compare_steps: int):
        self.loop, self.module, self.plan, self.compare_steps = loop, module, plan, compare_steps
        self.rows: list[Tensor] = []
        self.value = 0.0  # of TRL's loss, over the passes of the update
        self.norm = math.nan
        self.objective: dict[str, float] = {}  # what the run's own objective reports, where TRL calls it
        self.metrics: dict[str, float] | None = {}
        self.found: list[Gaps] = []
        self.place = 0  # of the current update in its step

    # -- what TRL asks for ---------------------------------------------------------------------

    def rollout(self, prompts: list[str], trainer: Any) -> dict[str, Any]:
        """TRL's rollout_func. `prompts` are numbers (TRLLoop.numbers): the sampler draws."""
        self.module.on_train_epoch_start()
        x = self.module.experience.rollouts
        assert len(x) == len(prompts)
        return {
            "prompt_ids": _lists(x.prompt_ids, x.prompt_mask),
            "completion_ids": _lists(x.completion_ids, x.mask),
            "logprobs": _lists(x.sampling_logps, x.mask),
        }

    def reward(self, completions: list[str], **_: Any) -> list[float | None]:
        """TRL's reward function; None where no reward could be computed."""
        scores = self.module.experience.scores
        valid = torch.ones(len(completions), dtype=torch.bool) if scores.valid is None else scores.valid
        return [value if known else None for value, known in zip(scores.total.tolist(), valid.tolist(), strict=True)]

    def columns(self, found: dict[str, Any]) -> dict[str, Any]:
        """The run's old log-probs, and its advantages where TRL's are others."""
        x, width = self.module.experience, found["completion_ids"].shape[1]
        device = found["completion_ids"].device
        given = {"old_per_token_logps": x.columns["old_logps"][:, :width].to(device)}
        if self.plan.scale_rewards is None:
            given["advantages"] = x.advantages.values[:, :width].to(device)
        return given

    def loss(self, rows: Tensor, trainer: Any) -> Tensor | None:
        """The run's objective in its own micro-batches: all but the last are gone back through here, and the loss that
        TRL gets has the value of all and the gradient of the last."""
        if self.plan.loss is not None:
            return None
        pieces: list[Tensor] = []
        total = 0.0

        def one(piece: Tensor) -> None:
            nonlocal total
            total += float(piece.detach())
            if pieces:
                trainer.accelerator.backward(pieces.pop())
            pieces.append(piece)

        kept = self.kept(rows)
        if not len(kept):
            self.objective = {}
            return next(p for p in self.module.model.parameters() if p.requires_grad).sum() * 0.0
        self.objective = self.module.objective.backward(self.module.experience, kept, self.module.clock, one)
        last = pieces.pop()
        return last + (total - last.detach())

    def kept(self, rows: Tensor) -> Tensor:
        """Those of TRL's rows that the run trains on, as often as it does."""
        used = torch.cat(self.module.experience.updates)
        times = torch.bincount(used, minlength=len(self.module.experience.rollouts))
        return rows.repeat_interleave(times[rows])

    # -- what TRL tells --------------------------------------------------------------------------

    def note(self, rows: Tensor, loss: Tensor) -> None:
        self.rows.append(rows)
        self.value += float(loss)

    def note_norm(self, norm: Any) -> None:
        self.norm = float(norm)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        for callback in self.loop.callbacks:
            callback.on_train_start(self.loop, self.module)
        if self.loop.random is not None:
            restore_random_state(self.loop.random)

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """After clipping, before the step: compare, and leave the step out where its numbers are in trouble."""
        module, rows = self.module, torch.cat(self.rows)
        step, number = module.steps_done + 1, self.number
        own = self.plan.loss is not None  # TRL's own loss
        metrics = {"policy/loss": self.value} if own else dict(self.objective)
        metrics |= {"policy/grad_norm": self.norm}
        made = own or len(self.kept(rows)) > 0
        if made and own and module.steps_done < self.compare_steps:
            self.found.append(gaps(module, rows, self.kept(rows), self.value, self.plan))
            metrics |= self.found[-1].metrics()
        skipped = module.trouble.of_update(step, number, metrics) if made else {}
        if not made or skipped:
            for p in module.model.parameters():
                p.grad = None  # the optimiser then leaves the parameter alone
        else:
            metrics["policy/lr"] = float(self.loop.schedule.get_last_lr()[0])
            kl = module.methods.kl
            if not own and kl is not None and hasattr(kl, "in_loss"):
                metrics |= kl.observe(metrics["kl/mean"], len(rows))
        self.metrics = metrics | skipped if made else None
        self.rows, self.value = [], 0.0

    @property
    def number(self) -> int:
        """Of the update, from 1."""
        return self.module.steps_done * self.module.batch.updates_per_rollout + self.place + 1

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """TRL logs each update behind its optimiser step, and once more at the end of training."""
        if logs is None or "loss" not in logs:
            return
        module, metrics = self.module, self.metrics
        if metrics is not None:
            metrics |= told(logs) if self.plan.loss is not None else {}
        last = self.place == module.batch.updates_per_rollout - 1
        module.close_update(self.place, metrics)
        self.place = 0 if last else self.place + 1
        if last:
            self.end_of_step(control)

    def end_of_step(self, control: Any) -> None:
        if self.found and self.module.steps_done == min(self.compare_steps, self.module.epochs):
            self.module.journal.report(Gaps.worst(self.found).in_words(len(self.found)))
        for callback in self.loop.callbacks:
            callback.on_train_epoch_end(self.loop, self.module)
        if self.loop.should_stop:
            control.should_training_stop = True


def told(logs: dict[str, Any]) -> dict[str, float]:
    """TRL's own metrics as trl/<name>, those that Crucible measures too under its names."""
    numbers = {k: float(v) for k, v in logs.items() if isinstance(v, int | float) and k not in LEFT_OUT}
    return {SAME.get(name, f"trl/{name}"): value for name, value in numbers.items()}


def _lists(values: Tensor, mask: Tensor) -> list[list[Any]]:
    """The rows without their padding."""
    return [row[keep].tolist() for row, keep in zip(values, mask > 0, strict=True)]
