"""Run directories as plain Python values. Nothing is hidden: what cannot be read is listed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crucible.errors import UserError, nearest
from crucible.rundir import read_config, read_metrics, read_provenance, read_status
from crucible.rundir.config_file import FILE as CONFIG
from crucible.rundir.lock import is_locked
from crucible.rundir.metrics import NAME as METRICS
from crucible.rundir.status import FILE as STATUS


@dataclass(slots=True)
class RunRecord:
    """One run directory. `problems` says in one line each what was missing or damaged.

    `state` is finished, failed, preempted or running as status.json has it, except: "dead" for a run that
    says running while no process holds it, "unknown" without a readable status.json.
    """

    path: Path
    state: str
    config: dict[str, Any] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """<experiment>/<run_id>"""
        return f"{self.path.parent.name}/{self.path.name}"

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Metrics rows of one kind: "update", "eval", ..."""
        return [row for row in self.metrics if row.get("kind") == kind]

    def series(self, metric: str, *, kind: str = "update", x: str = "step") -> tuple[list[float], list[float]]:
        """(x, y) of a metric where both are there; NaN values stay, as gaps."""
        rows = [r for r in self.rows(kind) if _number(r.get(metric)) and _number(r.get(x))]
        return [float(r[x]) for r in rows], [float(r[metric]) for r in rows]

    def metric_names(self, kind: str = "update") -> list[str]:
        """Numeric metrics that occur in rows of this kind, in order of appearance."""
        names: dict[str, None] = {}
        for row in self.rows(kind):
            names |= {k: None for k, v in row.items() if _number(v) and k not in ("step", "update")}
        return list(names)


def load_run(path: Path | str) -> RunRecord:
    """Everything a run directory holds, as far as it can be read.

    Errors: UserError only when `path` is no directory.
    """
    path = Path(path)
    if not path.is_dir():
        siblings = [p.name for p in path.parent.iterdir() if p.is_dir()] if path.parent.is_dir() else []
        raise UserError(f"no run directory {path}{nearest(path.name, siblings)}")
    problems: list[str] = []
    config = _read(lambda: read_config(path / CONFIG) if (path / CONFIG).exists() else None, problems)
    if config is None and not problems:
        problems.append(f"{path} has no {CONFIG}")
    status = _read(lambda: read_status(path), problems)
    metrics = _read(lambda: read_metrics(path, problems.append), problems)
    state = str((status or {}).get("state", "unknown"))
    if state == "running" and not is_locked(path):
        state = "dead"
    return RunRecord(
        path=path,
        state=state,
        config=config or {},
        status=status or {},
        provenance=read_provenance(path),
        metrics=metrics or [],
        problems=problems,
    )


def find_runs(root: Path | str) -> Iterator[Path]:
    """Run directories at or under `root`, whole or half-written, in order of their paths."""
    for folder, folders, files in os.walk(root):
        if CONFIG in files or STATUS in files or any(METRICS.fullmatch(f) for f in files):
            folders.clear()
            yield Path(folder)
        folders[:] = sorted(f for f in folders if not f.startswith("."))


def load_runs(root: Path | str) -> list[RunRecord]:
    """All runs at or under `root`: finished, unfinished, failed and half-written ones alike.

    Errors: UserError when there is no such folder, or no run in it.
    """
    root = Path(root)
    if not root.is_dir():
        siblings = [p.name for p in root.parent.iterdir() if p.is_dir()] if root.parent.is_dir() else []
        raise UserError(f"no folder {root} to look for runs in{nearest(root.name, siblings)}")
    runs = [load_run(path) for path in find_runs(root)]
    if not runs:
        raise UserError(f"no runs in {root}: no folder under it has a {CONFIG}, a {STATUS} or metrics")
    return runs


def _read(read: Callable[[], Any], problems: list[str]) -> Any:
    try:
        return read()
    except (UserError, OSError, KeyError, ValueError, TypeError) as error:
        problems.append(" ".join(f"{error}".split()) or type(error).__name__)
        return None


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
