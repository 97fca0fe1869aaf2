"""What happens at the end of a step besides training: evaluation, progress, checkpoints, stopping.

In this order, and before Lightning's own hooks of the module: a checkpoint is saved only when all that
belongs to its step is on disk.
"""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl

from crucible.modules.evaluation import Evaluation
from crucible.modules.journal import Journal, Pace
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
        seen = module.seen_ids | self.parts["policy"].seen_ids
        metrics = self.evaluation.measure(self.parts, seen)
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
            self.journal.run_dir.save_checkpoint(module.steps_done, trainer.save_checkpoint)
            self.saved = module.steps_done


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
