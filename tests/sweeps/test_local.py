"""Sweeps on this machine: n at a time, USR2, cancel, retry; and in process."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import time

import pytest

from crucible.errors import UserError
from crucible.rundir import read_status
from crucible.sweeps.debug import Debug
from crucible.sweeps.local import Local
from tests.sweeps.lab import Lab, assert_finished_once, attempts

pytestmark = pytest.mark.slow  # real processes that wait for each other
SLOW = ["step_seconds=0.1", "checkpoint_every=4"]


def test_a_sweep_runs_n_at_a_time_after_its_launcher_has_gone(lab: Lab) -> None:
    lab.write(base=["step_seconds=0.05"], seeds="1,2")
    done = lab.cli("sweep=t", "cluster=local", "cluster.at_once=2")
    assert done.returncode == 0, done.stderr
    assert "sent 4 runs" in done.stdout
    most = 0

    def finished(seen) -> bool:
        nonlocal most
        most = max(most, len(seen.having("running")))
        return len(seen.having("finished")) == 4

    assert_finished_once(lab.wait(finished, 90), lab.folder)
    assert 1 <= most <= 2
    lab.act()
    assert "sent 0 runs" in lab.said[-1]


def test_two_sweeps_share_the_slots(lab: Lab) -> None:
    lab.cluster = Local(resources={}, at_once=1)
    lab.write("one", base=["steps=10", "step_seconds=0.05"])
    lab.write("two", base=["steps=11", "step_seconds=0.05"])
    lab.act("one")
    lab.act("two")
    most = 0

    def finished(seen) -> bool:
        nonlocal most
        most = max(most, len(seen.having("running")) + len(lab.survey("one").having("running")))
        return len(seen.having("finished")) == 2

    lab.wait(finished, 90, name="two")
    lab.wait_for("finished", 60, name="one")
    assert most == 1


def test_usr2_saves_and_goes_on_and_a_failure_is_retried(lab: Lab, tmp_path) -> None:
    bug = tmp_path / "bug"
    bug.touch()
    lab.write(base=[*SLOW, f"fault_file={bug}"], grid=["fault_raise_at=null,9"])
    lab.act()
    healthy = lab.wait(lambda s: s.standings[0].step >= 5, 60).standings[0]
    os.kill(int((read_status(healthy.point.run_dir) or {})["pid"]), signal.SIGUSR2)
    seen = lab.wait(lambda s: s.standings[0].state == "finished" and s.standings[1].state == "failed", 60)
    assert attempts(seen.standings[0]) == 2
    assert seen.standings[1].note == "ValueError: planned failure at step 9"
    bug.unlink()
    lab.act()
    assert "sent 0 runs" in lab.said[-1]
    assert "1 failed or dead runs were left alone" in lab.said[-1]
    lab.act(action="retry")
    assert "sent 1 runs" in lab.said[-1]
    assert_finished_once(lab.wait_for("finished", 60), lab.folder)


def test_cancel_ends_running_and_waiting_runs(lab: Lab) -> None:
    lab.cluster = Local(resources={}, at_once=1)
    lab.write(base=["step_seconds=0.2", "steps=50"])
    lab.act()
    lab.wait(lambda s: s.standings[0].step >= 2, 60)
    lab.act(action="cancel")
    seen = lab.wait_for("cancelled", 30)
    assert (read_status(seen.standings[0].point.run_dir) or {})["state"] == "preempted", "it saved first"
    assert not seen.standings[1].point.run_dir.exists()


def test_what_waits_for_a_slot_is_cancelled_at_once_and_can_be_sent_again(lab: Lab) -> None:
    lab.cluster = Local(resources={}, at_once=1)
    lab.write(seeds="1")
    slots = lab.runs / ".sweeps" / "local"
    slots.mkdir(parents=True)
    with open(slots / "slot.0", "w") as taken:
        fcntl.flock(taken, fcntl.LOCK_EX)  # as by a run of another sweep
        lab.act()
        lab.wait_for("pending", 10)
        lab.act(action="cancel")
        lab.wait_for("cancelled", 0)
        lab.act()
        lab.wait_for("pending", 10)
    assert_finished_once(lab.wait_for("finished", 60), lab.folder)


def test_a_killed_queue_leaves_its_running_run_and_dead_ones(lab: Lab) -> None:
    lab.cluster = Local(resources={}, at_once=1)
    lab.write(base=["step_seconds=0.2"])
    lab.act()
    lab.wait(lambda s: s.standings[0].step >= 2, 60)
    found = subprocess.run(["pgrep", "-f", f"local_queue {lab.runs}"], capture_output=True, text=True, check=True)
    for pid in found.stdout.split():
        os.kill(int(pid), signal.SIGKILL)
    seen = lab.wait(lambda s: bool(s.having("dead")), 20)
    assert [s.state for s in seen.standings] == ["running", "dead"]
    lab.wait(lambda s: s.standings[0].state == "finished", 60)
    lab.act(action="retry")
    assert_finished_once(lab.wait_for("finished", 60), lab.folder)


def test_what_one_machine_cannot_give_is_refused(lab: Lab) -> None:
    lab.write(resources={"gpus": 1})
    with pytest.raises(UserError, match="2 runs of 1 GPUs each"):
        lab.act()
    lab.write(resources={"nodes": 2})
    with pytest.raises(UserError, match="one node"):
        lab.act()
    assert lab.states() == {"new": 2}


def test_slots_get_their_own_gpus_and_runs_their_threads(lab: Lab) -> None:
    """CUDA_VISIBLE_DEVICES and OMP_NUM_THREADS as each run saw them, from the provenance it wrote."""
    lab.cluster = Local(resources={}, at_once=2, gpus=[4, 5, 6, 7])
    lab.write(resources={"gpus": 2, "cpus": 3, "hours": 0.5}, base=["step_seconds=0.2"])
    lab.act()
    seen = lab.wait_for("finished", 90)
    used = [json.loads((s.point.run_dir / "provenance.json").read_text()) for s in seen.standings]
    assert sorted(p["variables"]["CUDA_VISIBLE_DEVICES"] for p in used) == ["4,5", "6,7"]
    assert {p["variables"]["OMP_NUM_THREADS"] for p in used} == {"3"}


def test_debug_runs_here_and_reports_a_failure(lab: Lab, capsys) -> None:
    lab.cluster = Debug(resources={})
    lab.write(base=["steps=6"], grid=["fault_raise_at=3,null"])
    lab.act()
    assert lab.states() == {"failed": 1, "finished": 1}
    assert "ValueError: planned failure at step 3" in capsys.readouterr().out


def test_time_limit_on_this_machine(lab: Lab) -> None:
    """hours and notice_seconds hold here too: the run is told, saves, and starts again."""
    lab.write(
        base=["step_seconds=0.25", "steps=50"],
        grid=["batch_size=4"],
        resources={"hours": 10 / 3600, "notice_seconds": 4},
    )
    began = time.monotonic()
    lab.act()
    seen = lab.wait_for("finished", 90)
    assert_finished_once(seen, lab.folder)
    assert attempts(seen.standings[0]) >= 2
    assert time.monotonic() - began > 10
