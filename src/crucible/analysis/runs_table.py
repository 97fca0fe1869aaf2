"""Finished runs side by side: where each started, where it ended, and whether the mechanism was at work."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from crucible.analysis.evaluation import evaluations, paired
from crucible.analysis.find import one_run
from crucible.analysis.rows import Row
from crucible.errors import UserError
from crucible.rundir.atomic import write_text

HEADER = (
    "| run | seed | before | after | change | entropy | left | right | steps/s |",
    "|---|---|---|---|---|---|---|---|---|",
)


def facts(path: Path | str) -> dict[str, Any]:
    """The numbers of one finished run, as plain values. Errors: UserError for a run without an end."""
    run = one_run(path)
    rows, evaluated = run.rows("update"), run.rows("eval")
    found = evaluations(evaluated)
    if len(found) < 2 or found[-1].phase != "after":
        raise UserError(f"{path}: no evaluation before and after training; finish the run first (same command)")
    before, after = found[0], found[-1]
    change = paired(before, after, 1)
    last_tenth = rows[-max(1, len(rows) // 10) :]
    return {
        "experiment": Path(path).parent.name,
        "run_id": Path(path).name,
        "seed": run.seed,
        "data": before.data,
        "problems": len(before.right),
        "samples": before.n,
        "before": interval(before.avg()),
        "after": interval(after.avg()),
        "change": interval(change),
        "entropy_last": mean(last_tenth, "policy/entropy"),
        "preserved_left": mean(rows, "policy/preserved_left"),
        "preserved_right": mean(rows, "policy/preserved_right"),
        "rollout_s": mean(rows, "time/rollout_s"),
        "reward_s": mean(rows, "time/reward_s"),
        "update_s": mean(rows, "time/update_s"),
        "eval": {n: [float(evaluated[0][n]), float(evaluated[-1][n])] for n in named(evaluated[0])},
    }


def named(row: Row) -> list[str]:
    """What an evaluation says beside accuracy: reward, share of Yes, fulfilment by program."""
    rewards = [key for key in row if key.endswith("/reward")]
    if not rewards:
        raise UserError("an evaluation has no reward; was it made by this program?")
    name = rewards[0].removesuffix("/reward")
    return sorted(k for k in row if k.startswith((f"{name}/true/", f"{name}/yes/", f"{name}/reward")))


def mean(rows: Iterable[Mapping[str, Any]], name: str) -> float:
    """Over the rows that have it."""
    values = [float(row[name]) for row in rows if name in row]
    if not values:
        raise UserError(f"no row has {name}")
    return sum(values) / len(values)


def interval(found: Any) -> list[float]:
    return [found.value, found.low, found.high]


def table(runs: Iterable[Mapping[str, Any]]) -> str:
    """Markdown. Accuracies are avg@n on held-out prompts in %, with 95 % intervals over prompts."""
    lines = list(HEADER)
    for r in sorted(runs, key=lambda r: (r["experiment"], r["seed"])):
        pace = 1 / (r["rollout_s"] + r["reward_s"] + r["update_s"])
        lines.append(
            f"| {r['experiment']} | {r['seed']} | {percent(r['before'])} | {percent(r['after'])} | "
            f"{percent(r['change'], sign='+')} | {r['entropy_last']:.3f} | {r['preserved_left']:.2%} | "
            f"{r['preserved_right']:.2%} | {pace:.2f} |"
        )
    return "\n".join(lines)


def percent(values: list[float], sign: str = "") -> str:
    value, low, high = (100 * v for v in values)
    return f"{value:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"


def write(paths: Iterable[Path | str], file: Path) -> str:
    """Store the facts of these runs in `file` (JSON) and return their table."""
    runs = [facts(path) for path in paths]
    write_text(file, json.dumps(runs, indent=1) + "\n")
    return table(runs)
