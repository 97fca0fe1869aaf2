"""Helpers of the sweep tests: write a sweep file, act on it, wait for it, look at what it left."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from crucible.rundir import read_metrics
from crucible.sweeps.local import Local
from crucible.sweeps.program import sweep
from crucible.sweeps.status import Standing, State, Survey
from crucible.sweeps.submission import Cluster

REPOSITORY = Path(__file__).resolve().parents[2]
TRIAL = Path(__file__).resolve().parent / "trial"
SMALL = {"hours": 0.5, "memory_gb": 0.2, "notice_seconds": 60}  # resources of a trial run
LOCAL = Local(resources={}, at_once=2)


@dataclass
class Lab:
    folder: Path
    cluster: Cluster = LOCAL
    root: Path = TRIAL  # holds the conf/ of the program
    said: list[str] = field(default_factory=list)

    @staticmethod
    def python_path() -> str:
        return os.pathsep.join([str(REPOSITORY / "src"), str(TRIAL)])

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def write(self, name: str = "t", **content: Any) -> str:
        """A sweep file. Left out: two points, one seed, small resources."""
        path = self.folder / "sweeps" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        filled = {"grid": ["batch_size=4,8"], "seeds": "1", "resources": SMALL, **content}
        path.write_text(yaml.safe_dump({k: v for k, v in filled.items() if v is not None}))
        return name

    def act(self, name: str = "t", **options: Any) -> Survey:
        """One `python sweep.py` in this process. What it says is kept in `said`."""
        text = io.StringIO()
        options = {"cluster": self.cluster, "root": str(self.root), "runs_dir": str(self.runs), **options}
        try:
            return sweep(
                sweep=name, sweeps_dir=str(self.folder / "sweeps"), console=Console(file=text, width=200), **options
            )
        finally:
            self.said.append(text.getvalue())

    def command(self, *arguments: str) -> list[str]:
        """The real command line on this laboratory."""
        return [
            sys.executable, str(REPOSITORY / "sweep.py"), f"root={self.root}", f"sweeps_dir={self.folder / 'sweeps'}",
            f"runs_dir={self.runs}", *arguments,
        ]  # fmt: skip

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=120, cwd=self.folder, check=False
        )

    def survey(self, name: str = "t") -> Survey:
        return self.act(name, action="status")

    def states(self, name: str = "t") -> dict[str, int]:
        return dict(Counter(s.state for s in self.survey(name).standings))

    def wait(self, until: Callable[[Survey], bool], seconds: float, name: str = "t") -> Survey:
        """Poll the status until it is so; the last table and the logs are shown when it does not come."""
        deadline = time.monotonic() + seconds
        while True:
            seen = self.survey(name)
            if until(seen):
                return seen
            if time.monotonic() > deadline:
                logs = "\n".join(f"{p}:\n{p.read_text()[-1500:]}" for p in self.runs.glob(".sweeps/logs/*/*.out"))
                raise AssertionError(f"not within {seconds} s:\n{self.said[-1]}\n{logs[-6000:]}")
            time.sleep(0.3)

    def wait_for(self, state: State, seconds: float, count: int | None = None, name: str = "t") -> Survey:
        """Until `count` runs (all of them) are in `state`."""
        return self.wait(
            lambda seen: len(seen.having(state)) >= (count or len(seen.standings)),
            seconds,
            name,
        )

    def wait_for_step(self, step: int, seconds: float, name: str = "t") -> Survey:
        """Until every run has made `step` steps."""
        return self.wait(lambda seen: all(s.step >= step for s in seen.standings), seconds, name)


def updates(run_dir: Path) -> list[dict[str, Any]]:
    """The training rows of a run, attempts joined."""
    return [row for row in read_metrics(run_dir) if row.get("kind") == "update"]


def undisturbed(standing: Standing, folder: Path) -> list[dict[str, Any]]:
    """The rows of the same run made in one go, in this process."""
    import trial_program

    config = {k: v for k, v in standing.point.config.items() if k != "_target_"}
    config |= {"runs_dir": str(folder), "run_id": "alone", "step_seconds": 0.0, "experiment": standing.point.run_id}
    config |= {key: None for key in config if key.startswith("fault_")} | {"fault_deaf": False}
    return updates(trial_program.train(**config))


def assert_finished_once(seen: Survey, folder: Path) -> None:
    """Every run finished, each step there exactly once and equal to a run never disturbed."""
    assert {s.state for s in seen.standings} == {"finished"}
    for standing in seen.standings:
        assert_same_history(standing, undisturbed(standing, folder / "undisturbed"))


def assert_same_history(standing: Standing, wanted: list[dict[str, Any]]) -> None:
    """All steps, in order, once, with these numbers; durations aside."""
    rows = updates(standing.point.run_dir)
    steps = [row["step"] for row in rows if row.get("update") == max(
        other["update"] for other in rows if other["step"] == row["step"])]  # fmt: skip
    assert steps == list(range(1, standing.point.config["steps"] + 1))
    assert len({row["update"] for row in rows}) == len(rows)
    assert [untimed(row) for row in rows] == [untimed(row) for row in wanted]


def untimed(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if not key.startswith(("time/", "perf/"))}


def attempts(standing: Standing) -> int:
    return int(json.loads((standing.point.run_dir / "status.json").read_text())["attempts"])
