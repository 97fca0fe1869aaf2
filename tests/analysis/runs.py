"""Runs made for tests: the shapes of real metrics, from a seeded generator."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crucible.analysis.statistics import avg_at_k_interval, pass_at_k_interval
from crucible.rundir import RunDir

PROBLEMS, SAMPLES = 24, 8


def eval_row(step: int, phase: str, ability: float, *, n: int = SAMPLES, data: str = "chain") -> dict:
    difficulty = np.linspace(-2, 2, PROBLEMS)
    chance = 1 / (1 + np.exp(difficulty - ability))
    right = np.random.default_rng(step).binomial(n, chance).tolist()
    row = {"kind": "eval", "step": step, "phase": phase, f"eval/{data}/right_of_{n}": right}
    for name, found in (
        (f"avg@{n}", avg_at_k_interval(right, n)),
        (f"pass@{n}", pass_at_k_interval(right, n, n)),
    ):
        key = f"eval/{data}/{name}"
        row |= {key: found.value, f"{key}_low": found.low, f"{key}_high": found.high}
    return row | {f"eval/{data}/every_step": 0.25 + step / 100}


def update_rows(step: int, updates: int = 2) -> list[dict]:
    noise = np.random.default_rng(1000 + step).normal
    rows = []
    for u in range(updates):
        row = {"kind": "update", "step": step, "update": (step - 1) * updates + u + 1}
        row |= {"policy/loss": noise(0, 0.01), "policy/entropy": 0.6 * 0.97**step, "policy/grad_norm": 0.5}
        row |= {"policy/preserved_left": 0.004 * u, "policy/preserved_right": 0.002 * u, "policy/kl_old": 0.002 * u}
        row |= {"policy/clip_fraction": 0.006 * u, "policy/dual_clip_fraction": 0.0}
        rows.append(row)
    last = rows[-1]
    last |= {"reward/mean": 0.02 * step, "reward/std": 1.0, "reward/answer": 0.03 * step, "reward/length": 0.1}
    last |= {"true/success": min(1.0, 0.4 + 0.01 * step), "groups/without_signal": 0.2}
    last |= {"policy/entropy_sampled": 0.6 * 0.97**step + noise(0, 0.02)}
    last |= {"completion/length": 18.0 + 0.1 * step, "completion/truncated": 0.01}
    last |= {"time/rollout_s": 1.2, "time/reward_s": 0.3, "time/update_s": 2.1}
    return rows


def make_run(path: Path, *, steps: int = 12, state: str = "finished", rows: list[dict] | None = None) -> Path:
    config = {"seed": 1, "steps": steps, "algo": {"beta": 0.5}}
    with RunDir.open(path, config, steps=steps, command="python train.py", report=lambda line: None) as run:
        if rows is None:
            rows = [eval_row(0, "before", -1.0)]
            for step in range(1, steps + 1):
                rows += update_rows(step)
                if step == steps // 2:
                    rows.append(eval_row(step, "during", 0.0))
            rows.append(eval_row(steps, "after", 1.0))
        for row in rows:
            run.write_metrics(row)
        run.write_status(state, step=steps)
    return path
