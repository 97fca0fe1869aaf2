"""What a job does on its node: run one point, survive preemption, leave the truth in the run directory.

submitit pickles `work` by its import path and one file name, nothing else.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import crucible
from crucible.errors import UserError
from crucible.ranks import started_rank
from crucible.rundir.code import changed_files, code_version, running_copy, source_hashes
from crucible.rundir.directory import Superseded
from crucible.rundir.existing import is_run
from crucible.rundir.lock import RunLock
from crucible.rundir.status import one_line, read_status, write_status
from crucible.sweeps.ledger import write_json
from crucible.sweeps.signals import stop_flag

PROGRAM = "crucible.run.run"
STOPPED = 143  # 128 + TERM, what a shell reports
RESTART_LOCALLY = 144  # submitit's local controller starts a job again that exits with this


def work(point_file: str) -> str:
    """Run the point described in `point_file`. Returns the state it ends in.

    USR2 while running: saved by the loop, requeued here. TERM: saved, exit status 143, no requeue.
    An exception is written to the run's status and raised, so that SLURM sees a failed job.
    """
    stop_flag.clear()
    stop_flag.install()  # replaces submitit's handlers, which would save in the middle of a step
    point = json.loads(Path(point_file).read_bytes())
    run_dir = Path(point["run_dir"])
    if _state(run_dir) == "finished":
        return "finished"  # sent twice, or requeued after its end
    try:
        _refuse_other_code(point)
        _take_over(run_dir)
        with running_copy(Path(point["code_file"])):
            _program(point["config"])(**_arguments(point["config"]))
    except Exception as error:
        _note_failure(run_dir, Path(point["failure_file"]), error)
        raise
    state = _state(run_dir)
    wish = stop_flag.requested()
    if state == "preempted" and wish == "requeue":
        _requeue(run_dir, point)
    elif state == "preempted" and wish == "stop":
        sys.exit(STOPPED)
    return state or "unknown"


def _state(run_dir: Path) -> str | None:
    return (read_status(run_dir) or {}).get("state")


def _program(config: Mapping[str, Any]) -> Callable[..., Any]:
    module, _, name = str(config.get("_target_", PROGRAM)).rpartition(".")
    return getattr(importlib.import_module(module), name)


def _arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != "_target_"}


def _refuse_other_code(point: Mapping[str, Any]) -> None:
    submitted = json.loads(Path(point["code_file"]).read_bytes())
    here = source_hashes()
    if code_version(here) == submitted["version"] or point["allow_code_change"]:
        return
    changed = changed_files(submitted["hashes"], here)
    raise UserError(
        f"this job imports another crucible ({Path(crucible.__file__).parent}) than the one that was submitted "
        f"({', '.join(changed[:3])}{', ...' if len(changed) > 3 else ''} differ); look at PYTHONPATH and "
        "resources.setup, or allow it with allow_code_change=true"
    )


def _take_over(run_dir: Path) -> None:
    """The queue holds one element per run and started this one: an older copy still alive has lost the run.

    (A node that lost its slurmd, or the network, keeps its processes.) That copy sees it in
    `RunDir.owns` and stops.
    """
    if started_rank() == 0 and is_run(run_dir):
        RunLock.acquire(run_dir, takeover=True).release()


def _note_failure(run_dir: Path, failure_file: Path, error: Exception) -> None:
    """Failures that the program could not write itself: before it opened the run directory, or on another rank.

    Of several ranks the first to fail is the one that says why: the others then lose their connection to it.
    """
    if isinstance(error, Superseded):
        return
    text = one_line(error if isinstance(error, UserError) else f"{type(error).__name__}: {error}")
    if (rank := started_rank()) != 0:
        if not failure_file.exists():
            write_json(failure_file, {"error": f"rank {rank}: {text}"})
        return
    if not is_run(run_dir):
        write_json(failure_file, {"error": text})
        return
    before = read_status(run_dir) or {}
    if before.get("state") != "failed" or before.get("pid") != os.getpid():
        write_status(run_dir, "failed", attempt=int(before.get("attempt", 0)), error=text)


def _requeue(run_dir: Path, point: Mapping[str, Any]) -> None:
    """Put this job back into its queue, unless that has been done too often or it is being cancelled."""
    if "SUBMITIT_LOCAL_JOB_ID" in os.environ and "SLURM_JOB_ID" not in os.environ:
        sys.exit(RESTART_LOCALLY)
    if started_rank() != 0 or "SLURM_JOB_ID" not in os.environ:
        return
    restarts = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    if restarts >= point["max_requeues"]:
        _say(run_dir, f"not requeued: restarted {restarts} times already (resources.max_requeues)")
        return
    job = os.environ["SLURM_JOB_ID"]
    if array := os.environ.get("SLURM_ARRAY_JOB_ID"):
        job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    # a job that is being cancelled would come back to life
    seen = subprocess.run(
        ["squeue", "-h", "-j", job, "-o", "%T"], capture_output=True, text=True, timeout=60, check=False
    )
    if seen.returncode == 0 and seen.stdout.strip() not in ("RUNNING", "COMPLETING", "PREEMPTED"):
        _say(run_dir, f"not requeued: SLURM says the job is {seen.stdout.strip() or 'gone'}")
        return
    done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        _say(run_dir, f"requeue refused: {done.stderr.strip() or done.stdout.strip()}")


def _say(run_dir: Path, note: str) -> None:
    status = read_status(run_dir) or {}
    write_status(run_dir, "preempted", attempt=int(status.get("attempt", 0)), error=note)
    print(note, file=sys.stderr)
