"""SLURM as Crucible sees it: one squeue, job arrays through submitit, scancel. sacct is never asked."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from crucible.errors import UserError
from crucible.sweeps.ledger import JOB_PREFIX, Batch, Parcel
from crucible.sweeps.queue import Element, Queue, Queued, QueueSilent
from crucible.sweeps.resources import Resources
from crucible.sweeps.signals import patient_python
from crucible.sweeps.worker import work

if TYPE_CHECKING:
    import submitit

_WAITING = ("PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD", "CONFIGURING")
# e.g. after a node was lost while a job was starting or ending on it
_NEVER = ("launch failed requeued held", "BadConstraints", "DependencyNeverSatisfied")
_GONE = ("CANCELLED", "COMPLETED", "FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE")


@dataclass(frozen=True)
class Slurm:
    """A SLURM cluster, reached with the sbatch, squeue, scontrol and scancel on the PATH."""

    resources: Mapping[str, Any]
    kind: ClassVar[str] = "slurm"

    def layers(self, command_line: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Resources below and above those of a sweep file: the file knows more than defaults."""
        return self.resources, command_line

    def refuse(self, resources: Resources) -> None:
        """Ask SLURM whether it would take such a job, before any is sent. Raises UserError with its message."""
        if shutil.which("sbatch") is None or shutil.which("srun") is None:
            raise UserError("cluster=slurm: no sbatch and srun on this machine; use cluster=local or a login node")
        with tempfile.TemporaryDirectory() as folder:
            executor = _executor(Path(folder), "test", resources, [])
            script = Path(folder) / "job.sh"
            script.write_text(executor._make_submission_file_text("true", "test"))
            done = _call("sbatch", "--test-only", str(script))
        if done.returncode:
            raise UserError(f"SLURM refuses these resources: {_message(done)}")

    def chunk(self) -> int:
        """How many elements an array may have: indices stay below MaxArraySize."""
        done = _call("scontrol", "show", "config")
        if done.returncode:
            raise UserError(f"SLURM does not answer: {_message(done)}")
        found = re.search(r"^MaxArraySize\s*=\s*(\d+)", done.stdout, re.MULTILINE)
        return max(1, int(found[1])) if found else 1000

    def send(self, parcel: Parcel) -> None:
        """Submit one array. Raises UserError with SLURM's message when it refuses."""
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        setup = [f'export PYTHONPATH="{parcel.code}${{PYTHONPATH:+:$PYTHONPATH}}"']
        setup += [f"export {name}={value}" for name, value in parcel.resources.variables().items()]
        executor = _executor(parcel.logs, parcel.batch.job_name, parcel.resources, setup)
        try:
            executor.map_array(work, [str(path) for path in parcel.point_files])
        except (FailedJobError, FailedSubmissionError) as error:
            raise UserError(f"SLURM refused the job: {_sentence(str(error))}") from None


def squeue(batches: Sequence[Batch]) -> Queue:
    """All elements of these batches that SLURM has in its queue, by one call. Raises QueueSilent."""
    try:
        done = _call("squeue", "-h", "-r", "--me", "-o", "%F|%K|%j|%T|%N|%L|%r")
    except UserError as error:
        raise QueueSilent(str(error)) from None
    if done.returncode:
        raise QueueSilent(f"squeue does not answer: {_message(done)}")
    return parse_squeue(done.stdout, {batch.batch for batch in batches})


def parse_squeue(text: str, batches: set[str]) -> Queue:
    """Lines of "array job|index|name|state|node|time left|reason". A single job has index N/A and is element 0."""
    queue: Queue = {}
    for line in text.splitlines():
        job, index, name, state, node, left, reason = line.split("|", 6)
        batch = name.removeprefix(JOB_PREFIX)
        if not name.startswith(JOB_PREFIX) or batch not in batches or state in _GONE:
            continue
        at = int(index) if index.isdigit() else 0
        waiting = state in _WAITING
        stuck = waiting and reason in _NEVER
        queue[Element(batch, at)] = Queued(
            job=f"{job}_{index}" if index.isdigit() else job,
            waiting=waiting,
            node="" if waiting else node,
            time_left="" if waiting else left,
            note=f"SLURM holds it: {reason}" if stuck else (reason if waiting and reason != "None" else ""),
            stuck=stuck,
        )
    return queue


def scancel(jobs: Sequence[str]) -> None:
    """Cancel jobs or array elements: TERM, and KILL after KillWait."""
    for start in range(0, len(jobs), 500):
        done = _call("scancel", *jobs[start : start + 500])
        if done.returncode:
            raise UserError(f"scancel: {_message(done)}")


def _executor(folder: Path, name: str, resources: Resources, setup: Sequence[str]) -> submitit.SlurmExecutor:
    import submitit

    auto = submitit.AutoExecutor(folder=folder, cluster="slurm", slurm_max_num_timeout=0, slurm_python=patient_python())
    auto.update_parameters(name=name, **resources.submitit(), slurm_setup=[*setup, *resources.setup])
    executor = auto._executor
    assert isinstance(executor, submitit.SlurmExecutor)
    return executor


def _call(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except FileNotFoundError:
        raise UserError(f"no {command[0]} on this machine; run this where SLURM's commands are") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"{command[0]} gave no answer within 120 s") from None


def _message(done: subprocess.CompletedProcess[str]) -> str:
    return _sentence(done.stderr or done.stdout) or f"exit status {done.returncode}"


def _sentence(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if "error:" in line or "failure:" in line] or text.splitlines()
    return "; ".join(dict.fromkeys(line.strip() for line in lines if line.strip()))
