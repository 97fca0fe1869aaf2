"""Where runs are: folders, globs, run directories, results files, sweeps and W&B projects, in any mixture."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from crucible.analysis.results import read_results
from crucible.analysis.runs import FolderRun, Run, read_run
from crucible.errors import UserError, nearest
from crucible.rundir.config_file import FILE as CONFIG
from crucible.rundir.metrics import NAME as METRICS
from crucible.rundir.status import FILE as STATUS

WANDB, SWEEP = "wandb:", "sweep:"


def find_runs(
    roots: Iterable[Path | str] | Path | str,
    *,
    also: Sequence[Run] = (),
    runs_dir: Path = Path("runs"),
    repository: Path = Path("."),
) -> list[Run]:
    """Every run at or under the roots, each once, ordered by path within a root; whatever state they are in.

    A root is a folder, a run directory, a glob of them ("runs/*/seed1-*"), a results file (.json),
    "sweep:ce_gppo/betas" (the points of a sweep of `repository`, with runs in `runs_dir`; a point that was never
    started is a run in state "missing") or "wandb:entity/project". `also` joins runs that are known already.
    Errors: UserError where a root does not exist, or there is no run in any of them.
    """
    roots = [roots] if isinstance(roots, Path | str) else list(roots)
    found: dict[str, Run] = {run.path: run for run in also}
    for root in roots:
        for run in _at(str(root), runs_dir, repository):
            found.setdefault(run.path, run)
    runs = list(found.values())
    if not runs:
        where = ", ".join(str(root) for root in roots) or "nowhere (no roots were given)"
        raise UserError(f"no runs found in {where}: no folder under it has a config.yaml, a status.json or metrics")
    twice = {name for name, count in Counter(run.name for run in runs).items() if count > 1}
    for run in runs:
        if run.name in twice:
            run.name = run.path
    return runs


def run_directories(root: Path | str) -> Iterator[Path]:
    """Run directories at or under `root`, whole or half-written, in order of their paths."""
    for folder, folders, files in os.walk(root):
        if CONFIG in files or STATUS in files or any(METRICS.fullmatch(f) for f in files):
            folders.clear()
            yield Path(folder)
        folders[:] = sorted(f for f in folders if not f.startswith("."))


def one_run(path: Path | str) -> FolderRun:
    """The run directory at `path`, in whatever state. Errors: UserError when it is no directory."""
    path = Path(path)
    if not path.is_dir():
        raise UserError(f"no run directory {path}: {_why_not(path)}")
    return read_run(path)


def _at(root: str, runs_dir: Path, repository: Path) -> list[Run]:
    if root.startswith(SWEEP):
        from crucible.analysis.sweep_runs import sweep_runs

        return list(sweep_runs(root.removeprefix(SWEEP), repository=repository, runs_dir=runs_dir))
    if root.startswith(WANDB):
        from crucible.analysis.wandb_runs import wandb_runs

        return list(wandb_runs(root.removeprefix(WANDB)))
    path = Path(root).expanduser()
    if path.suffix == ".json" and not path.is_dir():
        return list(read_results(path))
    if path.is_dir():
        paths = [path]
    else:
        paths = [Path(p) for p in sorted(glob.glob(str(path), recursive=True)) if Path(p).is_dir()]
        if not paths:
            raise UserError(f"no runs found at {root}: {_why_not(path)}")
    seen: dict[Path, None] = {}
    for folder in paths:
        seen |= dict.fromkeys(run_directories(folder))
    return [read_run(p) for p in seen]


def _why_not(path: Path) -> str:
    """Where the path stops to exist, and the nearest name there."""
    if path.exists():
        return "it is a file, neither a run directory nor a results file (.json)"
    missing, known = path, path.parent
    while not known.exists() and known != known.parent:
        missing, known = known, known.parent
    if glob.has_magic(missing.name):
        return f"nothing in {known} matches {missing.name}"
    names = [p.name for p in known.iterdir() if p.is_dir()] if known.is_dir() else []
    return f"{known} has no {missing.name}{nearest(missing.name, names)}"
