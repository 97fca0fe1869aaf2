"""Faults on a real SLURM: each ends in the right state, and retry (or SLURM itself) finishes the sweep.

What is seen is collected into the fault table that `pytest -m slurm` prints at its end.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from crucible.rundir import read_status
from crucible.sweeps.status import Standing, Survey
from tests.slurm.cluster import Cluster
from tests.slurm.table import record
from tests.sweeps.lab import SMALL, Lab, assert_finished_once, attempts

pytestmark = pytest.mark.slurm

LONG = ["step_seconds=0.15", "steps=40", "checkpoint_every=8"]  # 6 s of work, checkpoints at 8, 16, ...


def running(lab: Lab, step: int = 10, **content: object) -> Standing:
    """One run, sent, under way past a checkpoint."""
    lab.write(**{"base": LONG, "grid": ["batch_size=4"], **content})
    lab.act()
    return lab.wait_for_step(step, 60).standings[0]


def one(seen: Survey) -> Standing:
    (standing,) = seen.standings
    return standing


def retried(lab: Lab, fault: str, state: str) -> None:
    """The run stands in `state`; retry sends it, and it ends as if nothing had happened."""
    seen = one(lab.wait_for(state, 60))
    lab.act(action="retry")
    assert "sent 1 runs" in lab.said[-1]
    after = lab.wait_for("finished", 60)
    assert_finished_once(after, lab.folder)
    record(fault, seen.state, seen.note, f"retry: {one(after).state}, attempt {one(after).attempt}")


def went_on(lab: Lab, fault: str, seconds: float = 90) -> None:
    """The run finishes by itself in a later attempt, as if nothing had happened."""
    met: set[str] = set()

    def finished(seen: Survey) -> bool:
        met.add(one(seen).state)
        return one(seen).state == "finished"

    after = one(lab.wait(finished, seconds))
    assert met <= {"running", "preempted", "finished"}, "a run that SLURM brings back was called something else"
    assert_finished_once(lab.survey(), lab.folder)
    record(fault, " > ".join(s for s in ("running", "preempted", "finished") if s in met), "",
           f"by itself: {after.state}, attempt {after.attempt}")  # fmt: skip


def pid_of(standing: Standing) -> int:
    return int((read_status(standing.point.run_dir) or {})["pid"])


def test_usr2_is_saved_and_requeued(lab: Lab, cluster: Cluster) -> None:
    run = running(lab)
    cluster.notify(run.job)
    seen = one(lab.wait_for("preempted", 20))
    assert (read_status(seen.point.run_dir) or {})["state"] == "preempted"
    assert seen.step >= run.step, "nothing done was lost"
    went_on(lab, "USR2 (time limit, preemption notice)")
    assert attempts(seen) == 2


def test_scontrol_requeue(lab: Lab, cluster: Cluster) -> None:
    run = running(lab)
    cluster.run("scontrol", "requeue", run.job)
    went_on(lab, "scontrol requeue (TERM)")
    assert attempts(run) == 2


def test_scancel_of_a_running_job(lab: Lab, cluster: Cluster) -> None:
    run = running(lab)
    cluster.run("scancel", run.job)
    dead = one(lab.wait_for("dead", 20))
    assert (read_status(dead.point.run_dir) or {})["state"] == "preempted", "it saved before it went"
    retried(lab, "scancel, running", "dead")


def test_scancel_of_a_pending_array_element(lab: Lab, cluster: Cluster) -> None:
    """It leaves no record anywhere in SLURM."""
    lab.write(base=["steps=3"], seeds="1,2,3", grid=["batch_size=4"], resources={**SMALL, "parallel": 1})
    lab.act()
    waiting = lab.survey().having("pending")[-1]
    cluster.run("scancel", waiting.job)
    seen = lab.wait(lambda s: len(s.having("finished")) == 2, 60)
    (dead,) = seen.having("dead")
    assert dead.point.run_id == waiting.point.run_id
    assert not dead.point.run_dir.exists()
    lab.act(action="retry")
    assert_finished_once(lab.wait_for("finished", 60), lab.folder)
    record("scancel, pending array element", dead.state, dead.note, "retry: finished, attempt 1")


def test_cancel_action_ends_running_and_waiting_runs(lab: Lab, cluster: Cluster) -> None:
    lab.write(base=LONG, seeds="1,2,3", grid=["batch_size=4"], resources={**SMALL, "parallel": 2})
    lab.act()
    lab.wait(lambda s: sum(x.step > 3 for x in s.standings) == 2, 60)
    lab.act(action="cancel")
    seen = lab.wait_for("cancelled", 30)
    assert not cluster.run("squeue", "-h").strip()
    lab.act(action="retry")
    assert "sent 0 runs" in lab.said[-1], "cancelled is not broken"
    lab.act()
    assert "sent 3 runs" in lab.said[-1]
    assert_finished_once(lab.wait_for("finished", 90), lab.folder)
    record("action=cancel (2 running, 1 waiting)", seen.standings[0].state, "", "submit: finished")


def test_sigkill(lab: Lab) -> None:
    run = running(lab)
    os.kill(pid_of(run), signal.SIGKILL)
    retried(lab, "SIGKILL of the process", "dead")


def test_an_exception(lab: Lab, cluster: Cluster, tmp_path: Path) -> None:
    bug = tmp_path / "bug"
    bug.touch()
    lab.write(base=["steps=6", "fault_raise_at=5", f"fault_file={bug}"], grid=["batch_size=4"])
    lab.act()
    job = lab.survey().standings[0].job
    failed = one(lab.wait_for("failed", 60))
    assert failed.note == "ValueError: planned failure at step 5"
    assert "JobState=FAILED" in cluster.run("scontrol", "show", "job", job), "SLURM must not see a success"
    bug.unlink()
    retried(lab, "exception in the run", "failed")


def test_a_run_that_cannot_even_be_imported(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    path = os.environ["PYTHONPATH"]
    monkeypatch.setenv("PYTHONPATH", path.split(os.pathsep)[0])  # the job will not find the trial program
    lab.write(base=["steps=3"], grid=["batch_size=4"])
    lab.act()
    failed = one(lab.wait_for("failed", 60))
    assert "No module named 'trial_program'" in failed.note
    monkeypatch.setenv("PYTHONPATH", path)
    retried(lab, "import error on the node", "failed")


def test_other_code_than_submitted_is_refused(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A setup line puts another crucible first."""
    import shutil

    import crucible

    other = tmp_path / "other"
    shutil.copytree(Path(crucible.__file__).parent, other / "crucible")
    (other / "crucible" / "errors.py").open("a").write("\n# edited\n")
    setup = [f'export PYTHONPATH="{other}:$PYTHONPATH"']
    lab.write(base=["steps=3"], grid=["batch_size=4"], resources={**SMALL, "setup": setup})
    lab.act()
    failed = one(lab.wait_for("failed", 60))
    assert "another crucible" in failed.note
    assert "errors.py" in failed.note
    assert not failed.point.run_dir.exists()
    lab.write(base=["steps=3"], grid=["batch_size=4"])
    retried(lab, "other code than submitted", "failed")


def test_over_the_memory_limit(lab: Lab, tmp_path: Path) -> None:
    leak = tmp_path / "leak"
    leak.touch()
    lab.write(
        base=[*LONG, "fault_memory_at=12", f"fault_file={leak}"],
        grid=["batch_size=4"],
        resources={**SMALL, "memory_gb": 0.3},
    )
    lab.act()
    lab.wait_for("dead", 60)
    leak.unlink()
    retried(lab, "memory limit", "dead")


def test_node_goes_down(lab: Lab, cluster: Cluster) -> None:
    run = running(lab)
    cluster.run("scontrol", "update", f"nodename={run.node}", "state=down", "reason=test")
    went_on(lab, "node set down")
    assert attempts(run) == 2


def test_slurmd_dies_and_the_old_process_lives_on(lab: Lab, cluster: Cluster) -> None:
    """Two copies of one run: the newer attempt owns it, the older one finds out and stops."""
    run = running(lab, base=["step_seconds=0.5", "steps=120", "checkpoint_every=8"])
    old = pid_of(run)
    cluster.stop(f"slurmd.{run.node}", signal.SIGKILL)
    second = one(lab.wait(lambda s: one(s).attempt == 2, 90))
    assert second.node != run.node
    lab.wait(lambda s: not _alive(old), 20)
    rows = (run.point.run_dir / "metrics.001.jsonl").read_text()
    went_on(lab, "slurmd killed, old process alive")
    assert (run.point.run_dir / "metrics.001.jsonl").read_text() == rows, "the old copy wrote nothing more"


def test_controller_restarts(lab: Lab, cluster: Cluster) -> None:
    run = running(lab)
    cluster.stop("slurmctld")
    cluster.start_controller()
    went_on(lab, "controller restarted")
    assert attempts(run) == 1


def test_preemption_by_a_job_of_higher_priority(lab: Lab, cluster: Cluster) -> None:
    run = running(lab, resources={**SMALL, "cpus": 16})
    urgent = cluster.run(
        "sbatch", "--parsable", "-p", "urgent", "-N2", "--exclusive", "--output=/dev/null", "--wrap", "sleep 8"
    ).strip()
    one(lab.wait_for("preempted", 30))
    assert cluster.run("squeue", "-h", "-j", urgent, "-o", "%T").strip() in ("RUNNING", "PENDING")
    went_on(lab, "preempted by another job")
    assert attempts(run) == 2


def test_the_worker_caps_its_requeues(lab: Lab, cluster: Cluster) -> None:
    run = running(lab, resources={**SMALL, "max_requeues": 1})
    cluster.notify(run.job)
    again = one(lab.wait(lambda s: one(s).attempt == 2 and one(s).step > run.step + 2, 60))
    cluster.notify(again.job)
    dead = one(lab.wait_for("dead", 30))
    assert "restarted 1 times already" in dead.note
    retried(lab, "more requeues than allowed", "dead")


@pytest.mark.slow
def test_time_limit_with_and_without_notice(lab: Lab) -> None:
    """A run that hears the notice goes on by itself; a deaf one is killed. SLURM looks every 30 s."""
    lab.write(
        base=["step_seconds=0.5", "checkpoint_every=20"],
        grid={"hears": ["steps=100"], "deaf": ["steps=240", "fault_deaf=true"]},
        resources={**SMALL, "hours": 1 / 60, "notice_seconds": 20},
    )
    lab.act()
    seen = lab.wait(lambda s: bool(s.having("dead")), 150)
    (deaf,) = seen.having("dead")
    assert deaf.point.label["grid"] == "deaf"
    heard = lab.wait(lambda s: bool(s.having("finished")), 150).having("finished")[0]
    assert heard.attempt >= 2
    record("time limit, notice heard", "preempted > running", "", f"by itself: finished, attempt {heard.attempt}")
    lab.act(action="retry")
    after = lab.wait_for("finished", 150)
    assert_finished_once(after, lab.folder)
    record(
        "time limit, notice ignored", deaf.state, deaf.note, f"retry: finished, attempt {after.standings[1].attempt}"
    )


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
