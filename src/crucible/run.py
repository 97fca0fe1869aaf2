"""The whole program: config -> parts -> trainer.fit -> a run directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from crucible.ahead import refuse_ahead
from crucible.analysis.closing import closing_words
from crucible.analysis.figures import draw_run_figures
from crucible.config.dry_run import run_directory
from crucible.config.learns_from import batch_node
from crucible.loggers.none import NoLogger
from crucible.modules.callbacks import Checkpoint, Progress, Stop
from crucible.modules.journal import Journal, silent, tell
from crucible.modules.lifecycle import recorded, restarted
from crucible.modules.random_state import seed_global
from crucible.modules.seeds import derived_seed
from crucible.modules.sharing import share_out
from crucible.modules.watchdog import together
from crucible.parts import Parts, locate
from crucible.pulse import beat_with
from crucible.ranks import joined
from crucible.rundir.bystander import open_together
from crucible.rundir.fits import refuse_foreign


def run(
    *,
    algo: Mapping[str, Any],
    entropy: Mapping[str, Any],
    reward: Mapping[str, Any],
    data: Mapping[str, Any],
    sampler: Mapping[str, Any],
    model: Mapping[str, Any],
    rollout: Mapping[str, Any],
    trainer: Mapping[str, Any],
    logger: Mapping[str, Any],
    batch: Mapping[str, Any],
    sampling: Mapping[str, Any],
    optim: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    reward_runtime: Mapping[str, Any],
    trouble: Mapping[str, Any],
    alarms: Mapping[str, Any],
    watchdog: Mapping[str, Any],
    seed: int,
    steps: Annotated[int, ">= 1"],
    experiment: str,
    run_id: str | None = None,
    runs_dir: str = "runs",
    cache_dir: str = ".cache",
    checkpoint_every: Annotated[int, ">= 1"] = 25,
    keep_checkpoints: Annotated[int, ">= 1"] = 2,
    samples_every: Annotated[int, ">= 1"] = 25,
    figures: bool = True,
    resume: Literal["auto", "never", "force"] = "auto",
    dry_run: bool = False,
) -> Path:
    """Run one experiment and return its run directory. The keywords are the keys of conf/train.yaml.

    Errors: UserError, one line; nothing is left behind by a run that was refused before its first step.
    """
    config = dict(locals())
    path = run_directory(config)
    with (
        joined(trainer.get("devices", 1), trainer.get("nodes", 1), config) as ranks,
        open_together(
            ranks, path, config, resume=resume, takeover=restarted(), keep_checkpoints=keep_checkpoints, steps=steps,
            report=tell,
        ) as run_dir,
    ):  # fmt: skip
        report = tell if ranks.main else silent
        if run_dir.finished:
            report(f"nothing to do: {path} is finished\n{closing_words(path)}")
            return path
        parts = Parts(
            {
                "task": data, "policy": model, "engine": rollout, "reward": reward, "sampler": sampler,
                "entropy": entropy, "logger": logger, "batch": batch_node(config), "sampling": sampling, "optim": optim,
                "evaluation": evaluation, "reward_runtime": reward_runtime, "trouble": trouble, "alarms": alarms,
                "watchdog": watchdog,
            },
            run_dir=run_dir, path=path, config=config, report=report, cache_dir=Path(cache_dir), seed=seed, steps=steps,
            samples_every=samples_every, resume=resume, ranks=ranks,
        )  # fmt: skip
        with recorded(run_dir, parts), parts["watchdog"].watching(run_dir, report), together(ranks, run_dir):
            # before any model
            parts.make("batch", "sampling", "optim", "evaluation", "reward_runtime", "trouble", "task", "entropy")
            kind = locate(algo["_target_"])
            if ranks.main:
                refuse_ahead(parts, algo, reward, trainer, rollout)
            if hasattr(kind, "look_ahead"):
                kind.look_ahead(parts)
            journal = parts.add("journal", Journal(run_dir, parts["logger"] if ranks.main else NoLogger(), report))
            share_out(parts, ranks, kind)
            module = parts.build(algo)
            beat_with(module.model)
            seed_global(derived_seed(seed, "global"))
            ends_of_step = [*module.callbacks(parts), Progress(journal), Checkpoint(checkpoint_every, journal)]
            loop = parts.build(trainer, module=module, callbacks=[*ends_of_step, Stop(journal)])
            checkpoint = run_dir.latest_checkpoint()
            if checkpoint is not None:
                refuse_foreign(checkpoint, module.state_dict())
            loop.fit(module, ckpt_path=checkpoint, weights_only=True)
            if module.steps_done == module.epochs:
                run_dir.write_policy(module.policy.save)
                run_dir.write_status("finished", step=module.steps_done)
    if ranks.main:
        if figures:
            draw_run_figures(path)
        tell(closing_words(path))
    return path
