"""Counts that a study has committed: docs/studies/verdicts/<name>.json, named from the repository's root."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from crucible.analysis.verification.counts import SuiteCounts, read_counts
from crucible.errors import UserError, nearest

REPOSITORY = Path(__file__).resolve().parents[4]


def stored(name: str, root: Path | None = None) -> dict[str, SuiteCounts]:
    """`root` is this repository by default. Errors: UserError for a file that is not there, or is none."""
    return _read((root or REPOSITORY) / name)


def suite_of(suites: dict[str, SuiteCounts], name: str) -> SuiteCounts:
    if name not in suites:
        raise UserError(f"no suite {name}{nearest(name, suites)}; there are {', '.join(suites)}")
    return suites[name]


@lru_cache(maxsize=8)
def _read(path: Path) -> dict[str, SuiteCounts]:
    return read_counts(path)
