"""Runs of a whole study made for tests: every arm with a few seeds, entropies and accuracies that are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from crucible.rundir.config_file import write_config

STEPS, PROBLEMS, SAMPLES = 24, 32, 8

# arm of analysis/arms/ce_gppo.yaml -> options, entropy at the end, ability at the end
ARMS: dict[str, tuple[dict[str, object], float, float]] = {
    "grpo": ({"loss": "ppo_clip", "eps_high": 0.2}, 0.03, 0.6),
    "dapo": ({"loss": "ppo_clip", "eps_high": 0.28}, 0.09, 0.8),
    "cispo": ({"loss": "cispo"}, 0.05, 0.7),
    "ce_gppo_0.5_1": ({"loss": "ce_gppo", "beta1": 0.5, "beta2": 1}, 0.07, 1.2),
    "ce_gppo_0_1": ({"loss": "ce_gppo", "beta1": 0, "beta2": 1}, 0.11, 0.9),
    "ce_gppo_1_1": ({"loss": "ce_gppo", "beta1": 1, "beta2": 1, "eps_high": 0.2}, 0.05, 1.0),
    "ce_gppo_1_0.5": ({"loss": "ce_gppo", "beta1": 1, "beta2": 0.5}, 0.03, 0.3),
    "bonus_0.003": ({"loss": "ppo_clip", "eps_high": 0.2, "entropy": "bonus.EntropyBonus"}, 0.2, 0.2),
}


def config_of(arm: str, seed: int) -> dict:
    options = dict(ARMS[arm][0])
    loss, entropy = options.pop("loss"), options.pop("entropy", "none.NoControl")
    control = {"_target_": f"crucible.entropy.{entropy}"}
    if arm.startswith("bonus"):
        control["coefficient"] = float(arm.removeprefix("bonus_"))
    return {
        "seed": seed,
        "steps": STEPS,
        "algo": {"loss": {"_target_": f"crucible.algorithms.losses.{loss}.{loss}", **options}},
        "entropy": control,
        "reward": {"_target_": "crucible.rewards.exact.Exact", "right": 1.0},
    }


def rows_of(arm: str, seed: int, *, steps: int = STEPS) -> list[dict]:
    """Metrics rows: entropy falls from 0.2 to the arm's value, -0.5 x covariance, up to noise."""
    _, entropy_end, ability = ARMS[arm]
    noise = np.random.default_rng([seed, *arm.encode()])
    entropy = 0.2 + (entropy_end - 0.2) * np.linspace(0, 1, steps + 1) ** 0.5 + noise.normal(0, 0.002, steps + 1)
    covariance = -np.diff(entropy) / 0.5 + noise.normal(0, 0.001, steps)
    rows = [evaluation(0, "before", -1.0, noise)]
    for step in range(1, steps + 1):
        preserved = 0.0 if step == 1 else 0.01
        row = {"kind": "update", "step": step, "update": step, "policy/entropy": entropy[step - 1]}
        row |= {"policy/covariance": covariance[step - 1], "policy/covariance_natural": 2 * covariance[step - 1]}
        row |= {"policy/preserved_left": preserved, "policy/preserved_right": preserved / 2, "policy/kl_old": 0.002}
        row |= {"policy/grad_norm": 0.5 + noise.normal(0, 0.01), "policy/clip_fraction": 1.5 * preserved}
        row |= {"policy/outside_band": 2 * preserved, "policy/prob_outside": 0.4 * preserved}
        row |= {"policy/prob_inside": 0.9 * (1 - 2 * preserved)}
        for i, kind in enumerate(("pa_hp", "pa_lp", "na_hp", "na_lp")):
            row |= {f"policy/{kind}": 0.4 - 0.1 * i, f"policy/mass_{kind}": 0.1 + 0.02 * i}
        row |= {"reward/mean": 0.3 + step / 100, "true/success": 0.3 + step / 100, "completion/length": 18.0}
        rows.append(row)
        if step == steps // 2:
            rows.append(evaluation(step, "during", ability / 2, noise))
    return [*rows, evaluation(steps, "after", ability, noise)]


def evaluation(step: int, phase: str, ability: float, noise: np.random.Generator) -> dict:
    chance = 1 / (1 + np.exp(np.linspace(-2, 2, PROBLEMS) - ability))
    right = noise.binomial(SAMPLES, chance)
    return {
        "kind": "eval", "step": step, "phase": phase, f"eval/chain/right_of_{SAMPLES}": right.tolist(),
        f"eval/chain/avg@{SAMPLES}": float(right.mean() / SAMPLES),
    }  # fmt: skip


def write_run(folder: Path, arm: str, seed: int, *, state: str = "finished", steps: int = STEPS) -> Path:
    """A run directory as the loader needs it: config, status, provenance, metrics, samples of the last step."""
    run = folder / f"seed{seed}-{arm.replace('_', '-')}"
    run.mkdir(parents=True)
    write_config(run / "config.yaml", config_of(arm, seed), command="python train.py")
    status = {"state": state, "step": steps, "steps": STEPS, "error": "out of memory" if state == "failed" else None}
    (run / "status.json").write_text(json.dumps(status))
    facts = {"git": {"commit": "abc1234", "dirty": False}, "code_version": "0123456789ab", "command": "python train.py"}
    (run / "provenance.json").write_text(json.dumps(facts))
    rows = rows_of(arm, seed, steps=steps)
    (run / "metrics.001.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return run


def write_study(folder: Path, *, seeds: int = 3) -> Path:
    """Every arm with `seeds` seeds, and one failed run."""
    for arm in ARMS:
        for seed in range(1, seeds + 1):
            write_run(folder, arm, seed)
    write_run(folder, "grpo", seeds + 1, state="failed", steps=5)
    return folder
