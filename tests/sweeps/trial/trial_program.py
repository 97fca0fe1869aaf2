"""A real training program, small enough to run dozens of times: linear regression by SGD.

It behaves as the main job does - run directory, checkpoints, exact resume, stop flag, fence - and
loads no torch. Options named `fault_*` make it misbehave on purpose.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crucible.rundir import RunDir
from crucible.sweeps.signals import stop_flag

TRUTH = (1.5, -2.0, 0.5)


def constant(step: int, *, lr: float = 0.05) -> float:
    """The same learning rate at every step."""
    return lr


def decay(step: int, *, lr: float = 0.05, half_life: float = 10.0) -> float:
    """Halved every `half_life` steps."""
    return lr * 0.5 ** (step / half_life)


def train(
    *,
    optim: Mapping[str, Any],
    seed: int,
    steps: int,
    experiment: str,
    run_id: str | None = None,
    runs_dir: str = "runs",
    resume: str = "auto",
    batch_size: int = 8,
    doubled: int = 16,
    checkpoint_every: int = 5,
    step_seconds: float = 0.0,
    fault_raise_at: int | None = None,
    fault_file: str | None = None,
    fault_memory_at: int | None = None,
    fault_deaf: bool = False,
) -> Path:
    """Fit y = w.x with a noisy stream of examples. The state is (weights, random state)."""
    config = {key: value for key, value in locals().items()}
    path = Path(runs_dir) / experiment / str(run_id)
    rate = {"constant": constant, "decay": decay}[optim["_target_"].rpartition(".")[2]]
    options = {key: value for key, value in optim.items() if not key.startswith("_")}
    rng, weights, done = random.Random(seed), [0.0] * len(TRUTH), 0
    with RunDir.open(path, config, resume=resume) as run:
        if (latest := run.latest_checkpoint()) is not None:
            saved = json.loads(latest.read_text())
            weights, done = saved["weights"], saved["step"]
            rng.setstate(tuple(tuple(part) if isinstance(part, list) else part for part in saved["rng"]))
        run.begin(done)

        def save() -> None:
            state = json.dumps({"weights": weights, "step": done, "rng": rng.getstate()})
            run.save_checkpoint(done, lambda file: file.write_text(state) and None)

        try:
            while done < steps:
                done += 1
                loss = _step(weights, rng, rate(done, **options), batch_size)
                time.sleep(step_seconds)
                _misbehave(done, fault_raise_at, fault_file, fault_memory_at)
                run.write_metrics({"kind": "update", "step": done, "update": done, "reward/mean": -loss})
                if not run.owns():
                    return path
                if done % checkpoint_every == 0 or done == steps:
                    save()
                run.write_status("running", step=done)
                if not fault_deaf and stop_flag.agreed() is not None and done < steps:
                    save()
                    run.write_status("preempted", step=done)
                    return path
        except Exception as error:
            run.write_status("failed", step=done, error=f"{type(error).__name__}: {error}")
            raise
        run.write_status("finished", step=done)
    return path


def _step(weights: list[float], rng: random.Random, lr: float, batch_size: int) -> float:
    gradient, loss = [0.0] * len(weights), 0.0
    for _ in range(batch_size):
        x = [rng.gauss(0, 1) for _ in weights]
        error = sum((w - t) * v for w, t, v in zip(weights, TRUTH, x, strict=True)) + rng.gauss(0, 0.1)
        loss += error**2 / batch_size
        gradient = [g + 2 * error * v / batch_size for g, v in zip(gradient, x, strict=True)]
    weights[:] = [w - lr * g for w, g in zip(weights, gradient, strict=True)]
    return loss


def _misbehave(step: int, raise_at: int | None, file: str | None, memory_at: int | None) -> None:
    if step == raise_at and (file is None or os.path.exists(file)):
        raise ValueError(f"planned failure at step {step}")
    if step == memory_at and (file is None or os.path.exists(file)):
        hoard = [bytearray(os.urandom(1024) * 1024 * 50) for _ in range(40)]  # 2 GB, really touched
        time.sleep(30)
        del hoard
