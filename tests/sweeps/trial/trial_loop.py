"""What every trial program does besides training, as the main job does it: run directory, checkpoints, exact
resume, stop flag, fence."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol

from crucible.rundir import RunDir
from crucible.rundir.checkpoints import latest
from crucible.sweeps.signals import stop_flag


class Trial(Protocol):
    """A training in steps, with a state that fits into a file."""

    def advance(self, step: int) -> float:
        """Make one step; its mean loss over all ranks."""
        ...

    def save(self, file: Path, *, step: int) -> None: ...

    def load(self, file: Path) -> int:
        """Take up the state in `file`; the step it was saved after."""
        ...


def run(
    trial: Trial,
    path: Path,
    config: Mapping[str, Any],
    *,
    steps: int,
    resume: str,
    checkpoint_every: int,
    step_seconds: float,
    deaf: bool = False,
    rank: int = 0,
    ranks: int = 1,
    meet: Callable[[], None] = lambda: None,
) -> Path:
    """Train to `steps`. Rank 0 holds the run directory; every rank asks the stop flag after each step.

    `meet` is the ranks' barrier: none reads the run directory before it is there.
    """
    run_dir = RunDir.open(path, config, resume=resume) if rank == 0 else None
    meet()
    with run_dir or nullcontext():
        saved = latest(path / "checkpoints")
        done = 0 if saved is None else trial.load(saved)
        if run_dir:
            run_dir.begin(done)
        try:
            while done < steps:
                done += 1
                loss = trial.advance(done)
                time.sleep(step_seconds)
                wish = stop_flag.agreed() if done < steps and not deaf else None
                if run_dir:
                    run_dir.write_metrics({"kind": "update", "step": done, "update": done, "reward/mean": -loss})
                    if not run_dir.owns():
                        return path
                    if wish is not None or done % checkpoint_every == 0 or done == steps:
                        run_dir.save_checkpoint(done, functools.partial(trial.save, step=done))
                    run_dir.write_status("preempted" if wish else "running", step=done, ranks=ranks)
                if wish is not None:
                    return path
        except Exception as error:
            if run_dir:
                run_dir.write_status("failed", step=done, error=f"{type(error).__name__}: {error}")
            raise
        if run_dir:
            run_dir.write_status("finished", step=done)
    return path
