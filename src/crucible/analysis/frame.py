"""One loader: any number of runs as tidy pandas frames.

    runs = find_runs(["runs/ce_gppo-betas"])     # folders, globs, run directories, results files, wandb:entity/project
    runs_frame(runs)                             # a row a run, the config flattened to columns
    evaluations_frame(runs)                      # a row for each run, evaluation and metric
    outcomes_frame(runs)                         # a row for each run, evaluation and problem
    curves_frame(runs, ["policy/entropy"])       # a row for each run, step and metric

Runs that are unfinished, failed or damaged are rows like the others: `state` and `problems` say so. The column
`run` joins the frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from crucible.analysis.evaluation import COUNTS
from crucible.analysis.find import find_runs
from crucible.analysis.rows import is_number
from crucible.analysis.runs import IDENTITY, Run
from crucible.errors import UserError, nearest

__all__ = ["curves_frame", "evaluations_frame", "find_runs", "outcomes_frame", "runs_frame"]

Runs = Sequence[Run] | Iterable[Path | str] | Path | str
TARGET = "._target_"
EVALUATIONS = ["run", "seed", "step", "phase", "data", "metric", "value", "low", "high", "problems", "samples"]
OUTCOMES = ["run", "seed", "step", "phase", "data", "problem", "right", "samples"]
CURVES = ["run", "seed", "step", "metric", "value"]


def runs_frame(runs: Runs) -> pd.DataFrame:
    """A row a run: run, path, experiment, run_id, state, step, ..., commit, problems, then the config.

    Config columns have the dotted names of the options ("algo.loss.beta1"). A part is also a column of its own,
    named by what was chosen: "algo.loss" is "ce_gppo" where algo.loss._target_ is "....ce_gppo". An option that a
    run does not have is NaN there. `problems` joins in one string what was missing or damaged, "" for nothing.
    """
    found = as_runs(runs)
    columns: dict[str, list[Any]] = {"run": [r.name for r in found], "path": [r.path for r in found]}
    for name in IDENTITY:
        columns[name] = [r.facts.get(name) for r in found]
    columns["problems"] = ["; ".join(r.problems) for r in found]
    configs = [with_choices(r.config) for r in found]
    for name in dict.fromkeys(name for config in configs for name in config):
        if name not in columns:
            columns[name] = [config.get(name, np.nan) for config in configs]
    return pd.DataFrame(columns)


def evaluations_frame(runs: Runs) -> pd.DataFrame:
    """A row for each run, evaluation and metric, long form: run, seed, step, phase, data, metric, value, low, high,
    problems, samples.

    `metric` is the name without eval/<data>/ ("avg@8", "pass@8", "reward", "length"); low and high are the stored
    95 % interval over problems (NaN where there is none); phase is before, during or after.
    """
    records: list[tuple[Any, ...]] = []
    for run in as_runs(runs):
        for row in run.rows("eval"):
            counted = {m["data"]: (len(row[k]), int(m["n"])) for k in row if (m := COUNTS.fullmatch(k))}
            for key, value in row.items():
                if not key.startswith("eval/") or key.endswith(("_low", "_high")) or not is_number(value):
                    continue
                data, metric = split_name(key, counted)
                problems, samples = counted.get(data, (np.nan, np.nan))
                limits = (row.get(f"{key}_low", np.nan), row.get(f"{key}_high", np.nan))
                where = (run.name, run.seed, row.get("step"), str(row.get("phase", "")))
                records.append((*where, data, metric, value, *limits, problems, samples))
    return pd.DataFrame.from_records(records, columns=EVALUATIONS)


def outcomes_frame(runs: Runs, *, phase: str | None = None) -> pd.DataFrame:
    """A row for each run, evaluation and problem: run, seed, step, phase, data, problem, right, samples.

    `problem` is the index in the task's order; `right` of `samples` answers were right. `phase` selects
    evaluations; None is all that have counts by problem.
    """
    keys: list[tuple[Any, ...]] = []
    counts: list[np.ndarray] = []
    for run in as_runs(runs):
        for row in run.rows("eval"):
            if phase is not None and row.get("phase") != phase:
                continue
            for key, right in row.items():
                match = COUNTS.fullmatch(key)
                if match and isinstance(right, list):
                    name = str(row.get("phase", ""))
                    keys.append((run.name, run.seed, row.get("step"), name, match["data"], int(match["n"])))
                    counts.append(np.asarray(right, dtype=np.int64))
    lengths = [len(right) for right in counts]
    each: dict[str, Any] = {
        "problem": np.concatenate([np.arange(n) for n in lengths]) if keys else [],
        "right": np.concatenate(counts) if keys else [],
    }
    return _long(keys, ["run", "seed", "step", "phase", "data", "samples"], lengths, each)[OUTCOMES]


def curves_frame(
    runs: Runs, names: Sequence[str] | None = None, *, by: Literal["step", "update"] = "step"
) -> pd.DataFrame:
    """A row for each run, step and metric of the update rows: run, seed, step, metric, value (and update).

    by="step" averages the updates of a rollout step; by="update" has every optimiser step, with the column
    `update`, and needs run directories (results files keep curves by step, thinned out). names=None is all
    metrics. NaN values stay, as gaps. Errors: UserError for a name that no run has.
    """
    found = as_runs(runs)
    keys: list[tuple[Any, ...]] = []
    parts: list[np.ndarray] = []  # (steps, values) or (steps, values, updates)
    for run in found:
        for name, *columns in _by_step(run, names) if by == "step" else _by_update(run, names):
            keys.append((run.name, run.seed, name))
            parts.append(np.array(columns, dtype=np.float64))
    kinds = ["step", "value"] if by == "step" else ["step", "value", "update"]
    joined = np.concatenate(parts, axis=1) if parts else np.empty((len(kinds), 0))
    lengths = [part.shape[1] for part in parts]
    frame = _long(keys, ["run", "seed", "metric"], lengths, dict(zip(kinds, joined, strict=True)))
    frame = frame[[*CURVES, *kinds[2:]]]
    absent = set(names or ()) - set(frame["metric"])
    if absent and found:
        name = sorted(absent)[0]
        raise UserError(f"no run has the metric {name}{nearest(name, metric_names(found))} ({len(found)} runs)")
    return frame


def metric_names(runs: Runs) -> list[str]:
    """Names of the update metrics that occur in any of these runs, in order of appearance."""
    return list(dict.fromkeys(name for run in as_runs(runs) for name in run.curves()))


def as_runs(runs: Runs) -> list[Run]:
    """Runs as they are; anything else is looked up by `find_runs`."""
    if isinstance(runs, Path | str):
        return find_runs([runs])
    items = list(runs)
    known = [item for item in items if isinstance(item, Run)]
    if len(known) == len(items):
        return known
    return find_runs([item for item in items if not isinstance(item, Run)], also=known)


def with_choices(config: dict[str, Any]) -> dict[str, Any]:
    """A flat config with a column for each part, named by the last name of its `_target_`."""
    chosen = {
        name.removesuffix(TARGET): str(value).rpartition(".")[2]
        for name, value in config.items()
        if name.endswith(TARGET)
    }
    return {**chosen, **config}


def split_name(key: str, known: Iterable[str] = ()) -> tuple[str, str]:
    """("chain", "reward/exact") of "eval/chain/reward/exact"; `known` data names may hold slashes themselves."""
    rest = key.removeprefix("eval/")
    for data in known:
        if rest.startswith(f"{data}/"):
            return data, rest.removeprefix(f"{data}/")
    data, _, metric = rest.partition("/")
    return data, metric


def _by_step(run: Run, names: Sequence[str] | None) -> Iterator[tuple[Any, ...]]:
    """(name, steps, values) of each metric."""
    for name, curve in run.curves(names).items():
        yield name, curve.steps, curve.mean


def _by_update(run: Run, names: Sequence[str] | None) -> Iterator[tuple[Any, ...]]:
    """(name, steps, values, updates) of each metric."""
    rows = [row for row in run.rows("update", names) if is_number(row.get("step"))]
    for name in names if names is not None else {key: None for row in rows for key in row}:
        chosen = [row for row in rows if is_number(row.get(name))]
        if chosen and name not in ("step", "update"):
            yield name, *([row.get(key, np.nan) for row in chosen] for key in ("step", name, "update"))


def _long(
    keys: Sequence[tuple[Any, ...]], names: Sequence[str], lengths: Sequence[int], each: dict[str, Any]
) -> pd.DataFrame:
    """A row for each of the `lengths` items of each key: the key's columns (text as categories) beside `each`."""
    columns: dict[str, Any] = {}
    for name, values in zip(names, zip(*keys, strict=True) if keys else [()] * len(names), strict=True):
        kept = pd.Categorical(values) if any(isinstance(v, str) for v in values) else np.array(values)
        columns[name] = kept.repeat(lengths) if len(values) else []
    return pd.DataFrame({**columns, **each})
