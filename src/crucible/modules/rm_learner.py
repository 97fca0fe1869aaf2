"""What the modules that train a scalar reward model share: their material, and what is measured of the model."""

from __future__ import annotations

import json
from typing import Any, cast

import lightning.pytorch as pl

from crucible.modules import rm_ranking
from crucible.modules.journal import Journal
from crucible.modules.offline import GivenObjective, Offline
from crucible.modules.rm_material import Material
from crucible.modules.rm_scalar import Answers
from crucible.modules.trouble import Trouble
from crucible.pulse import beat
from crucible.ranks import Ranks
from crucible.types import Task


class ScalarRewardModel(Offline):
    """Trains the scorer of `material`, with the batch, optimiser, steps and seed that go with it."""

    shares_rows = False

    def __init__(
        self,
        *,
        material: Material,
        objective: GivenObjective,
        encoder: Answers,
        task: Task,
        trouble: Trouble,
        journal: Journal,
        ranks: Ranks,
    ):
        super().__init__(
            objective=objective, source=material.source, encoder=encoder, task=task,
            policy=cast("Any", material.scorer), batch=material.batch, optim=material.optim, trouble=trouble,
            journal=journal, ranks=ranks, seed=material.seed, steps=material.steps,
        )  # fmt: skip
        self.material = material
        self.model.train()

    def callbacks(self, parts: Any) -> list[pl.Callback]:
        return [Measured(self.material, self.journal, parts["evaluation"].every)]


class Measured(pl.Callback):
    """Measures on held-out answers before the first step, every few steps (None: never) and after the last; then writes
    the notes, and puts a model made by a recipe into the cache."""

    def __init__(self, material: Material, journal: Journal, every: int | None):
        self.material, self.journal, self.every = material, journal, every

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        if module.steps_done == 0 and self.every is not None:
            self.measure(module, "before")

    def on_train_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        if module.steps_done == module.epochs:
            self.finish(module, self.measure(module, "after"))
        elif self.every is not None and module.steps_done % self.every == 0:
            self.measure(module, "during")

    def measure(self, module: Any, phase: str) -> dict[str, float]:
        beat(f"measuring after step {module.steps_done}")
        found: dict[str, float] = module.measure_held_out()
        if self.material.examples is not None:
            score = self.material.scorer.score
            found |= rm_ranking.measure(score, module.task, self.material.examples.held_out)
            found |= self.material.examples.training.measures
        self.journal.row({"kind": "eval", "step": module.steps_done, "phase": phase, **found})
        self.journal.report(
            f"reward model {phase} training (step {module.steps_done}), held out\n{rm_ranking.table(found)}"
        )
        return found

    def finish(self, module: Any, found: dict[str, float]) -> None:
        m = self.material
        notes = {**m.kind, "task": module.task.name, "steps": module.steps_done, **m.notes, "held_out": found}
        m.scorer.notes = json.loads(json.dumps(notes))
        self.journal.row({"kind": "reward_model", "step": module.steps_done, **held_out_row(found)})
        if m.folder is not None:
            m.scorer.save(m.folder)
            self.journal.report(f"reward model cached at {m.folder}")


def held_out_row(measured: dict[str, float]) -> dict[str, float]:
    """What of a scalar reward model's measures a metrics row holds, by short names."""
    kept = ("pair_accuracy", "auc_within", "preference_", "score_mse", "score_correlation", "correlation_true")
    short = {(n.removeprefix("rm/") if n.startswith("rm/") else n.rpartition("/")[2]): v for n, v in measured.items()}
    return {name: value for name, value in short.items() if name.startswith(kept)}
