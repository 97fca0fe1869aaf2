"""Runs of several processes: srun starts the ranks, USR2 reaches all, they leave at one step."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crucible.rundir import read_status
from tests.slurm.cluster import Cluster
from tests.sweeps.lab import SMALL, Lab, assert_same_history, attempts, updates

pytestmark = pytest.mark.slurm
DDP = Path(__file__).resolve().parents[1] / "sweeps" / "trial_ddp"


def test_two_ranks_are_preempted_together_and_go_on(
    lab: Lab, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([os.environ["PYTHONPATH"], str(DDP)]))
    monkeypatch.syspath_prepend(str(DDP))
    ends = []
    for name in ("quiet", "disturbed"):
        place = Lab(tmp_path / name, cluster=lab.cluster, root=DDP)
        place.write(grid=["lr=0.05"], base=["step_seconds=0.2"], resources={**SMALL, "tasks": 2, "memory_gb": 2})
        place.act()
        if name == "disturbed":
            run = place.wait_for_step(8, 90).standings[0]
            cluster.run("scancel", "--signal=USR2", run.job)
            place.wait_for("preempted", 30)
        ends.append(place.wait_for("finished", 120).standings[0])
    quiet, disturbed = ends
    assert (read_status(quiet.point.run_dir) or {})["ranks"] == 2
    assert (attempts(quiet), attempts(disturbed)) == (1, 2)
    assert_same_history(disturbed, updates(quiet.point.run_dir))
