"""What one run asks of the cluster, merged from the cluster file, the sweep and its points."""

from __future__ import annotations

import dataclasses
import math
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crucible.errors import UserError, nearest


@dataclass(frozen=True)
class Resources:
    """Resources of one run. Runs with equal resources share a job array."""

    gpus: int = 0  # GPUs per node
    cpus: int = 1  # CPUs per task; also the thread count of torch and BLAS
    memory_gb: float = 4.0  # memory per node
    hours: float = 1.0  # time limit of one attempt; a run that needs longer requeues itself
    nodes: int = 1
    tasks: int = 1  # processes per node (DDP ranks)
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    setup: tuple[str, ...] = ()  # shell lines before the run, e.g. "module load cuda"
    parallel: int = 64  # runs of one array at a time (SLURM's array throttle)
    notice_seconds: int = 120  # how long before the time limit a run is told to save (USR2)
    max_requeues: int = 20  # a run that has been restarted this often is left to `retry`
    options: tuple[tuple[str, Any], ...] = ()  # further sbatch options by name, e.g. {gres: "gpu:a100:1"}

    @property
    def gpu_hours(self) -> float:
        """GPU hours of one attempt that uses its whole time limit."""
        return self.gpus * self.nodes * self.hours

    @property
    def ranks(self) -> int:
        return self.nodes * self.tasks

    def variables(self) -> dict[str, str]:
        """Thread counts for the libraries below torch, which otherwise take the whole machine."""
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
        return {**dict.fromkeys(names, str(self.cpus)), "TOKENIZERS_PARALLELISM": "false"}

    def submitit(self) -> dict[str, Any]:
        """Parameters for submitit's SLURM executor."""
        wanted: dict[str, Any] = {
            "timeout_min": math.ceil(self.hours * 60),
            "mem_gb": self.memory_gb,
            "nodes": self.nodes,
            "tasks_per_node": self.tasks,
            "cpus_per_task": self.cpus,
            "stderr_to_stdout": True,
            "slurm_signal_delay_s": self.notice_seconds,
            "slurm_array_parallelism": self.parallel,
            "slurm_srun_args": ["--kill-on-bad-exit=1"],  # a rank that dies takes along those that wait for it
        }
        if self.gpus:
            wanted["gpus_per_node"] = self.gpus
        for key in ("partition", "account", "qos", "constraint"):
            if getattr(self, key) is not None:
                wanted[f"slurm_{key}"] = getattr(self, key)
        if self.options:
            wanted["slurm_additional_parameters"] = dict(self.options)
        return wanted


_FIELDS = {field.name: field for field in dataclasses.fields(Resources)}
_WHOLE = {"gpus": 0, "cpus": 1, "nodes": 1, "tasks": 1, "parallel": 1, "notice_seconds": 0, "max_requeues": 0}
_POSITIVE = ("memory_gb", "hours")
_NAMES = ("partition", "account", "qos", "constraint")
HOURS_IN_A_YEAR = 8760


def merge(*layers: Mapping[str, Any]) -> Resources:
    """Resources from mappings; later ones win, except `setup` and `options`, which add up.

    Raises UserError for an unknown key or an impossible amount.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            if key not in _FIELDS:
                raise UserError(f"resources: unknown key {key!r}{nearest(key, _FIELDS)}; known: {', '.join(_FIELDS)}")
            if key == "setup":
                if not isinstance(value, list | tuple) or not all(isinstance(line, str) for line in value):
                    raise UserError(f"resources: setup must be a list of shell lines, got {value!r}")
                value = (*merged.get("setup", ()), *value)
            if key == "options":
                if not isinstance(value, Mapping):
                    raise UserError(f"resources: options must be a mapping, got {value!r}")
                value = tuple({**dict(merged.get("options", ())), **value}.items())
            merged[key] = value
    for key, least in _WHOLE.items():
        value = merged.get(key, least)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise UserError(f"resources: {key} must be a whole number of at least {least}, got {value!r}")
    for key in _NAMES:
        value = merged.get(key)
        if value is not None and not (isinstance(value, str) and value and not set(value) & set(string.whitespace)):
            raise UserError(f"resources: {key} must be a name without spaces, got {value!r}")
    for key in _POSITIVE:
        value = merged.get(key, 1)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
            raise UserError(f"resources: {key} must be a number above 0, got {value!r}")
    if merged.get("hours", 1) > HOURS_IN_A_YEAR:  # YAML reads an unquoted 4:00:00 as 14400
        raise UserError(f"resources: hours={merged['hours']} is more than a year; hours are a plain number: hours: 4")
    resources = Resources(**merged)
    if resources.notice_seconds >= resources.hours * 3600:
        raise UserError(
            f"resources: notice_seconds={resources.notice_seconds} is no shorter than hours={resources.hours}; "
            "a run would be told to stop before it starts"
        )
    return resources
