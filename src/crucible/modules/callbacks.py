"""What happens at the end of a step besides training: evaluation, progress, checkpoints, stopping.

In this order, and before Lightning's own hooks of the module: a checkpoint is saved only when all that
belongs to its step is on disk.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from crucible.errors import UserError
from crucible.modules.evaluation import Evaluation
from crucible.modules.journal import Journal, Pace
from crucible.policy.shards import full
from crucible.pulse import beat
from crucible.sweeps.signals import stop_flag


class Evaluate(pl.Callback):
    """Before the first step, every few steps, and after the last."""

    def __init__(self, evaluation: Evaluation, parts: Any, journal: Journal):
        self.evaluation, self.parts, self.journal = evaluation, parts, journal

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        if module.steps_done == 0:
            self.evaluate(module, "before")

    def on_train_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        if module.steps_done == module.epochs:
            self.evaluate(module, "after")
        elif module.steps_done % self.evaluation.every == 0:
            self.evaluate(module, "during")

    def evaluate(self, module: Any, phase: str) -> None:
        step, name, n = module.steps_done, self.parts["task"].name, self.evaluation.samples_per_prompt
        beat(f"evaluating after step {step}")
        seen = module.seen_ids | self.parts["policy"].seen_ids
        metrics = self.evaluation.measure(self.parts, seen, module.steps_done)
        self.journal.row({"kind": "eval", "step": step, "phase": phase, **metrics})
        problems = len(metrics[f"eval/{name}/right_of_{n}"])
        value, low, high = (metrics[f"eval/{name}/avg@{n}{end}"] for end in ("", "_low", "_high"))
        self.journal.report(
            f"evaluation {phase} training (step {step}): avg@{n} {value:.1%} [{low:.1%}, {high:.1%}] "
            f"on {problems} held-out prompts, {metrics['time/eval_s']:.1f} s"
        )


class Progress(pl.Callback):
    """One line for each of the first steps, then for every fifth; a sign of life for each."""

    def __init__(self, journal: Journal, every: int = 5):
        self.journal, self.every = journal, every

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        self.pace = Pace(module.epochs)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        done, pace = module.steps_done, self.pace.tick(module.steps_done)
        self.journal.run_dir.heartbeat(done)
        if done <= 3 or done % self.every == 0 or done == module.epochs:
            self.journal.report(f"step {done}/{module.epochs}  {module.headline()}  {pace}")


class Checkpoint(pl.Callback):
    """Saves every few steps and after the last one."""

    def __init__(self, every: int, journal: Journal):
        self.every, self.journal = every, journal

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        self.saved = module.steps_done
        self.journal.run_dir.begin(module.steps_done)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        if module.steps_done % self.every == 0 or module.steps_done == module.epochs:
            self.save(trainer, module)

    def save(self, trainer: pl.Trainer, module: Any) -> None:
        if self.saved != module.steps_done:
            beat(f"saving step {module.steps_done}")
            refuse_broken_weights(module)
            self.journal.run_dir.save_checkpoint(module.steps_done, trainer.save_checkpoint, check=refuse_unloadable)
            self.saved = module.steps_done


def refuse_broken_weights(module: Any) -> None:
    """Errors: UserError where a weight is NaN or infinite: nobody would want to go on from there."""
    for name, weight in module.named_parameters():
        if int(full((~torch.isfinite(weight.detach())).sum())):
            raise UserError(
                f"after step {module.steps_done} the weight {name} is no longer a number, so this step is not saved; "
                "the checkpoints before it are kept: try a smaller optim.lr"
            )


def refuse_unloadable(path: Path) -> None:
    """Errors: UserError for a checkpoint that could not be resumed from: it must load without trusting its content."""
    try:
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        why = " ".join(str(error).split())[:200]
        raise UserError(f"this checkpoint could not be loaded again, so it is not kept: {why}") from error


class Stop(pl.Callback):
    """Leaves the loop at the end of a step, saved, when a signal asked for it (see sweeps/signals.py)."""

    def __init__(self, journal: Journal):
        self.journal = journal

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        stop_flag.install()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        wish = stop_flag.agreed()
        if wish is None or module.steps_done == module.epochs:
            return
        next(c for c in trainer.callbacks if isinstance(c, Checkpoint)).save(trainer, module)
        self.journal.run_dir.write_status("preempted", step=module.steps_done)
        self.journal.report(f"asked to stop: saved after step {module.steps_done}; the same command goes on from there")
        trainer.should_stop = True
