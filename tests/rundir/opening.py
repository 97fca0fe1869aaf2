"""How the tests of run directories open one, and see whether anything changed."""

from __future__ import annotations

from pathlib import Path

from crucible.rundir import RunDir
from crucible.rundir import provenance as provenance_module

CONFIG = {"seed": 3, "steps": 10, "algo": {"_target_": "crucible.x", "beta": 0.5}, "runs_dir": "runs"}
SOURCE = str(Path(provenance_module.__file__).parents[2])


def quiet(line: str) -> None:
    pass


def opened(path, config=CONFIG, **options):
    return RunDir.open(path, config, **{"report": quiet, "command": "python train.py", **options})


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
