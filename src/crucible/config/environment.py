"""Environment variables that libraries misread in silence, or choke on much later."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from crucible.errors import UserError

WHOLE = {  # variable: its least value
    "OMP_NUM_THREADS": 1,  # OpenMP ignores what it cannot read and takes every core
    "SLURM_RESTART_COUNT": 0,
    "RANK": 0,
    "WORLD_SIZE": 1,
    "LOCAL_RANK": 0,
    "MASTER_PORT": 1,
}
TOGETHER = ("WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # beside RANK, which torchrun sets


def refuse_misread(environment: Mapping[str, str] | None = None) -> None:
    """Errors: UserError with one line for each variable a run would misread."""
    found = list(_problems(os.environ if environment is None else environment))
    if found:
        raise UserError("\n".join(found))


def _problems(environment: Mapping[str, str]) -> Iterator[str]:
    for name, least in WHOLE.items():
        # OpenMP takes a list too, one number for each level of nesting
        for value in environment.get(name, "").split(",") if environment.get(name) else ():
            if not value.strip().isdecimal() or int(value) < least:
                yield f"the environment variable {name}={environment[name]}: must be a whole number of at least {least}"
                break
    if "RANK" in environment and (lacking := [name for name in TOGETHER if name not in environment]):
        yield f"the environment variable RANK is set and {', '.join(lacking)} not: use torchrun, or unset RANK"
