"""A real training program, small enough to run dozens of times: linear regression by SGD, without torch.

Options named `fault_*` make it misbehave on purpose.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import trial_loop
from trial_gate import pass_gate

TRUTH = (1.5, -2.0, 0.5)
GATE_AT = 10  # the step at which runs wait where a test has put up a gate


def constant(step: int, *, lr: float = 0.05) -> float:
    """The same learning rate at every step."""
    return lr


def decay(step: int, *, lr: float = 0.05, half_life: float = 10.0) -> float:
    """Halved every `half_life` steps."""
    return lr * 0.5 ** (step / half_life)


class Regression:
    """y = w.x from a noisy stream of examples. The state is (weights, random state)."""

    def __init__(self, rate: Any, seed: int, batch_size: int, fault: Any) -> None:
        self.rate, self.batch_size, self.fault = rate, batch_size, fault
        self.rng, self.weights = random.Random(seed), [0.0] * len(TRUTH)

    def advance(self, step: int) -> float:
        self.fault(step)
        gradient, loss = [0.0] * len(self.weights), 0.0
        for _ in range(self.batch_size):
            x = [self.rng.gauss(0, 1) for _ in self.weights]
            wrong = sum((w - t) * v for w, t, v in zip(self.weights, TRUTH, x, strict=True)) + self.rng.gauss(0, 0.1)
            loss += wrong**2 / self.batch_size
            gradient = [g + 2 * wrong * v / self.batch_size for g, v in zip(gradient, x, strict=True)]
        lr = self.rate(step)
        self.weights = [w - lr * g for w, g in zip(self.weights, gradient, strict=True)]
        return loss

    def save(self, file: Path, *, step: int) -> None:
        file.write_text(json.dumps({"weights": self.weights, "step": step, "rng": self.rng.getstate()}))

    def load(self, file: Path) -> int:
        state = json.loads(file.read_text())
        self.weights = state["weights"]
        self.rng.setstate(tuple(tuple(part) if isinstance(part, list) else part for part in state["rng"]))
        return int(state["step"])


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
    checkpoint_every: int = 5,
    step_seconds: float = 0.0,
    fault_raise_at: int | None = None,
    fault_file: str | None = None,
    fault_memory_at: int | None = None,
    fault_deaf: bool = False,
) -> Path:
    """One run. The keywords are the keys of conf/train.yaml."""
    config = dict(locals())
    schedule = {"constant": constant, "decay": decay}[optim["_target_"].rpartition(".")[2]]
    options = {key: value for key, value in optim.items() if not key.startswith("_")}
    return trial_loop.run(
        Regression(
            lambda step: schedule(step, **options),
            seed,
            batch_size,
            lambda step: misbehave(str(run_id), step, fault_raise_at, fault_file, fault_memory_at),
        ),
        Path(runs_dir) / experiment / str(run_id),
        config,
        steps=steps,
        resume=resume,
        checkpoint_every=checkpoint_every,
        step_seconds=step_seconds,
        deaf=fault_deaf,
    )


def misbehave(run_id: str, step: int, raise_at: int | None, file: str | None, memory_at: int | None) -> None:
    if step >= GATE_AT:
        pass_gate(run_id)
    if step == raise_at and (file is None or os.path.exists(file)):
        raise ValueError(f"planned failure at step {step}")
    if step == memory_at and (file is None or os.path.exists(file)):
        hoard = [bytearray(os.urandom(1024) * 1024 * 50) for _ in range(40)]  # 2 GB, really touched
        time.sleep(30)
        del hoard
