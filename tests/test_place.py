"""Which rank a process is, from what started it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from crucible.ranks import Place, place, started_rank

TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "n1", "MASTER_PORT": "5"}
SRUN = {
    "SLURM_STEP_ID": "0", "SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8", "SLURM_NTASKS": "16", "SLURM_LOCALID": "1",
}  # fmt: skip
BATCH_SCRIPT = {"SLURM_PROCID": "0", "SLURM_NTASKS": "16", "SLURM_LOCALID": "0", "SLURM_JOB_ID": "7"}
SUBMITIT = {"SUBMITIT_LOCAL_NTASKS": "2", "SUBMITIT_LOCAL_GLOBALID": "1", "SUBMITIT_LOCAL_JOB_ID": "70001"}


@pytest.mark.parametrize(
    ("environment", "here"),
    [
        ({}, None),
        (TORCHRUN, Place(3, 4, 1, "n1", 5)),
        (SRUN, Place(5, 8, 1)),
        (BATCH_SCRIPT, None),
        (SUBMITIT, Place(1, 2, 1, "127.0.0.1", 30_001)),
        (BATCH_SCRIPT | SUBMITIT, Place(1, 2, 1, "127.0.0.1", 30_001)),
        (SRUN | TORCHRUN, Place(3, 4, 1, "n1", 5)),
    ],
)
def test_the_starter_says_where(monkeypatch, environment, here) -> None:
    for name in list(os.environ):
        if name.startswith(("SLURM_", "SUBMITIT_")) or name in TORCHRUN:
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert place() == here
    assert started_rank() == (here.rank if here else 0)


def test_asking_loads_no_library() -> None:
    code = (
        "import sys; from crucible.ranks import place; print(place().rank, {'torch', 'lightning'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | SRUN, capture_output=True, text=True, check=True
    )
    assert done.stdout == "5 set()\n"
