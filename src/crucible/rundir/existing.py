"""May an existing directory be gone on with? Every refusal is one line that says what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from crucible.errors import UserError
from crucible.rundir import config_file
from crucible.rundir.code import changed_files, code_version, source_hashes
from crucible.rundir.metrics import attempt_files
from crucible.rundir.provenance import read_provenance
from crucible.rundir.status import read_status


def is_run(path: Path) -> bool:
    """Does this directory hold a run (whole or not)?"""
    return (path / config_file.FILE).is_file()


def refuse_stranger(path: Path) -> None:
    """Errors: UserError when `path` exists, is not empty and is not a run."""
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file, not a run directory; choose another run_id or runs_dir")
    if path.is_dir() and not is_run(path) and any(path.iterdir()):
        raise UserError(f"{path} exists and is no run directory (no config.yaml); choose another run_id or runs_dir")


def refuse_restart(path: Path) -> None:
    """Errors: UserError for resume=never on a run that exists."""
    state = (read_status(path) or {}).get("state", "unknown")
    raise UserError(f"{path} holds a run already (state: {state}) and resume=never; use resume=auto or another run_id")


def config_differences(path: Path, config: Mapping[str, Any]) -> list[str]:
    """What differs between the stored config and `config`, one line a key; cosmetics do not count."""
    from crucible.config.identity import differences

    return [str(line) for line in differences(config_file.read_config(path / config_file.FILE), dict(config))]


def refuse_other_config(path: Path, config: Mapping[str, Any], limit: int = 6) -> None:
    """Errors: UserError listing what differs from the config of the run."""
    lines = config_differences(path, config)
    if lines:
        more = f" and {len(lines) - limit} more" if len(lines) > limit else ""
        raise UserError(
            f"{path} belongs to another config: {'; '.join(lines[:limit])}{more}; "
            "choose another run_id, or go on under the new config with resume=force"
        )


def refuse_other_code(path: Path, limit: int = 4) -> None:
    """Errors: UserError when Crucible's own sources changed since the run's last attempt."""
    facts = read_provenance(path)
    before, after = facts.get("code"), source_hashes()
    if not isinstance(before, dict) or code_version(before) == code_version(after):
        return
    files = changed_files(before, after)
    more = f" and {len(files) - limit} more" if len(files) > limit else ""
    raise UserError(
        f"{path} was made by another version of the code ({code_version(before)}, now {code_version(after)}; "
        f"changed: {', '.join(files[:limit])}{more}); choose another run_id, or go on with resume=force"
    )


def last_attempt(path: Path) -> int:
    """Number of the newest attempt, 0 before the first."""
    return max(attempt_files(path), default=0)


def say_how_it_stands(path: Path, report: Callable[[str], None]) -> None:
    """One line on the run that is about to be gone on with."""
    status = read_status(path) or {}
    error = f": {status['error']}" if status.get("error") else ""
    report(
        f"going on with {path} (attempt {last_attempt(path) + 1}; "
        f"last seen {status.get('state', 'unknown')} at step {status.get('step', 0)}{error})"
    )
