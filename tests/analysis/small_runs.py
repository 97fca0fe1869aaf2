"""Run directories with exactly the numbers a test needs."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crucible.rundir.config_file import write_config

CONFIG: dict[str, Any] = {
    "steps": 10,
    "algo": {"loss": {"_target_": "crucible.algorithms.losses.ppo_clip.ppo_clip", "eps_high": 0.2}},
    "reward": {"_target_": "crucible.rewards.exact.Exact", "right": 1.0},
    "data": {"_target_": "crucible.data.chain.Chain", "terms": 3},
    "evaluation": {"every": 5, "samples_per_prompt": 4, "temperature": 1.0},
    "sampling": {"max_tokens": 32},
}


def config_with(options: Mapping[str, Any]) -> dict[str, Any]:
    """`CONFIG` with dotted options set."""
    config = copy.deepcopy(CONFIG)
    for name, value in options.items():
        node = config
        *parents, last = name.split(".")
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    return config


def write_run(
    path: Path,
    *,
    seed: int = 1,
    options: Mapping[str, Any] | None = None,
    right: Mapping[str, Sequence[int]] | None = None,
    votes: Mapping[str, Sequence[Sequence[Sequence[int]]]] | None = None,
    samples: int = 4,
    data: str = "chain",
    curves: Mapping[str, Sequence[float]] | None = None,
    state: str = "finished",
    commit: str = "abc1234",
) -> Path:
    """`right` and `votes` map a phase to what each problem has of them; `curves` a metric to its values by step."""
    path.mkdir(parents=True)
    write_config(path / "config.yaml", {"seed": seed, **config_with(options or {})}, command="python train.py")
    (path / "status.json").write_text(json.dumps({"state": state, "step": 10, "steps": 10}))
    (path / "provenance.json").write_text(json.dumps({"git": {"commit": commit, "dirty": False}, "code_version": "c0"}))
    rows = [{"kind": "attempt", "attempt": 1}]
    for phase, counts in (right or {}).items():
        step = {"before": 0, "during": 5, "after": 10}[phase]
        value = sum(counts) / samples / len(counts)
        names = {f"eval/{data}/right_of_{samples}": list(counts), f"eval/{data}/avg@{samples}": value}
        if votes:
            names[f"eval/{data}/votes_of_{samples}"] = votes[phase]
        rows.append({"kind": "eval", "step": step, "phase": phase, **names, f"eval/{data}/length": 20.0 + seed})
    length = max((len(values) for values in (curves or {}).values()), default=0)
    for i in range(length):
        values = {name: series[i] for name, series in (curves or {}).items()}
        rows.append({"kind": "update", "step": i + 1, "update": i + 1, **values})
    (path / "metrics.001.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
