"""Variables that libraries misread in silence are refused; the usual ones are not."""

from __future__ import annotations

import pytest

from crucible.config.environment import refuse_misread
from crucible.errors import UserError

TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500"}


@pytest.mark.parametrize("usual", [{}, {"OMP_NUM_THREADS": "4"}, {"OMP_NUM_THREADS": "4,2"}, {"OMP_NUM_THREADS": ""},
                                   {"SLURM_RESTART_COUNT": "0"}, TORCHRUN])  # fmt: skip
def test_the_usual(usual: dict[str, str]) -> None:
    refuse_misread(usual)


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"OMP_NUM_THREADS": "all"}, ["OMP_NUM_THREADS=all"]),
        ({"OMP_NUM_THREADS": "0"}, ["OMP_NUM_THREADS=0"]),
        ({"OMP_NUM_THREADS": "4,-1"}, ["OMP_NUM_THREADS=4,-1"]),
        ({"OMP_NUM_THREADS": "2.5", "SLURM_RESTART_COUNT": "x"}, ["OMP_NUM_THREADS=2.5", "SLURM_RESTART_COUNT=x"]),
        ({**TORCHRUN, "RANK": "first"}, ["RANK=first"]),
        ({"RANK": "0", "WORLD_SIZE": "1"}, ["RANK is set and MASTER_ADDR, MASTER_PORT not"]),
    ],
)
def test_one_line_for_each(odd: dict[str, str], said: list[str]) -> None:
    with pytest.raises(UserError) as refused:
        refuse_misread(odd)
    lines = str(refused.value).splitlines()
    assert len(lines) == len(said)
    assert all(part in line for part, line in zip(said, lines, strict=True))
