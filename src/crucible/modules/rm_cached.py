"""The scalar reward model of a recipe: from the cache, else trained now and put there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from crucible.modules.rm_recipe import RewardModelRecipe, cache_folder
from crucible.policy import Policy

Kind = Literal["bradley_terry", "regression"]


class Told:
    """A journal without a run directory: what is said goes to `report`, now and then the loss too."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.report = report

    def row(self, row: dict[str, Any]) -> None:
        if row["kind"] == "update" and row["step"] % 25 == 0:
            self.report(f"reward model: step {row['step']}, loss {row['policy/loss']:.3f}")


def trained_scorer(
    *,
    task: Any,
    policy: Policy,
    cache_dir: str | Path,
    recipe: RewardModelRecipe,
    report: Callable[[str], None],
    kind: Kind = "bradley_terry",
    form: Literal["plain", "scaled", "margin"] = "plain",
    centre: float | None = None,
) -> Any:
    """A `Scorer`. The draws of the run around it do not depend on whether it was in the cache."""
    import torch

    from crucible.config.batch import Batch
    from crucible.modules.options import AdamW
    from crucible.modules.rm_bradley_terry import BradleyTerry
    from crucible.modules.rm_learner import Measured
    from crucible.modules.rm_regression import Regression
    from crucible.modules.rm_scalar import Scorer
    from crucible.modules.trainer import lightning_trainer
    from crucible.modules.trouble import Trouble
    from crucible.ranks import ALONE

    pairs = kind == "bradley_terry"
    options: dict[str, Any] = {"form": form, "centre": centre} if pairs else {}
    folder = cache_folder(cache_dir, recipe=recipe, task=task, policy=policy, kind={"kind": kind, **options})
    if (folder / "reward_model.json").is_file():
        report(f"reward model taken from {folder}")
        return Scorer.load(folder, chat=policy.chat)
    report(f"no reward model yet: training one first, to be cached at {folder}")
    journal: Any = Told(report)
    module = (BradleyTerry if pairs else Regression)(
        task=task, policy=policy, recipe=recipe, cache_dir=cache_dir, journal=journal, trouble=Trouble(report=report),
        batch=Batch(prompts_per_step=1, samples_per_prompt=1, updates_per_rollout=1, micro_batch_tokens=16384),
        optim=AdamW(lr=recipe.learning_rate), ranks=ALONE, seed=recipe.seed, steps=1, **options,
    )  # fmt: skip
    with torch.random.fork_rng():
        lightning_trainer(
            module=module,
            callbacks=[Measured(module.material, journal, None)],
            accelerator="cpu" if policy.device.type == "cpu" else "auto",
        ).fit(module)
    return Scorer.load(folder, chat=policy.chat)
