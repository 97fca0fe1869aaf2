"""Runs of several processes: srun starts the ranks, USR2 reaches all, they leave at one step."""

from __future__ import annotations

from pathlib import Path

import pytest

from crucible.rundir import read_status
from tests.slurm.cluster import Cluster
from tests.slurm.table import record
from tests.sweeps.lab import SMALL, Lab, assert_same_history, attempts, updates

pytestmark = pytest.mark.slurm
DDP = Path(__file__).resolve().parents[1] / "sweeps" / "trial_ddp"  # its conf/; the program is in trial/


def test_two_ranks_are_preempted_together_and_go_on(lab: Lab, cluster: Cluster, tmp_path: Path) -> None:
    ends = []
    for name in ("quiet", "disturbed"):
        place = Lab(tmp_path / name, cluster=lab.cluster, root=DDP)
        place.write(grid=["lr=0.05"], base=["step_seconds=0.2"], resources={**SMALL, "tasks": 2, "memory_gb": 2})
        place.act()
        if name == "disturbed":
            run = place.wait_for_step(8, 90).standings[0]
            cluster.notify(run.job)
            place.wait_for("preempted", 30)
        ends.append(place.wait_for("finished", 120).standings[0])
    quiet, disturbed = ends
    assert (read_status(quiet.point.run_dir) or {})["ranks"] == 2
    assert (attempts(quiet), attempts(disturbed)) == (1, 2)
    assert_same_history(disturbed, updates(quiet.point.run_dir))


def test_a_failing_rank_ends_the_whole_job_and_is_named(lab: Lab, cluster: Cluster, tmp_path: Path) -> None:
    """The other rank waits for it in a collective; its own error would be about a lost connection."""
    place = Lab(tmp_path / "broken", cluster=lab.cluster, root=DDP)
    place.write(grid=["lr=0.05"], base=["fault_rank_1=true"], resources={**SMALL, "tasks": 2, "memory_gb": 2})
    place.act()
    failed = place.wait_for("failed", 120).standings[0]
    assert failed.note == "rank 1: ValueError: planned failure at step 7"
    place.wait(lambda _: not cluster.run("squeue", "-h").strip(), 30)
    record("exception in one of two ranks", failed.state, failed.note, "")
