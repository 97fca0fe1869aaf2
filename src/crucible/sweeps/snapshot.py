"""The code that runs is the code that was submitted: each code version is copied once and run from there.

So sources may be edited while runs wait. The worker compares what it really imported with the copy's
hash and refuses anything else.
"""

from __future__ import annotations

import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

import crucible
from crucible.rundir.code import code_version, git_state, source_hashes
from crucible.sweeps.ledger import Ledger, write_json


@dataclass(frozen=True)
class Snapshot:
    version: str
    folder: Path  # goes on PYTHONPATH; holds crucible/ and code.json

    @property
    def record(self) -> Path:
        """JSON: version, hashes by file, and git's commit and diff at submission."""
        return self.folder / "code.json"


def take(ledger: Ledger) -> Snapshot:
    """Copy the package that is running now, unless this version is there already."""
    package = Path(crucible.__file__).resolve().parent
    code = ledger.folder / "code"
    temporary = code / f".{uuid.uuid4().hex}"
    try:
        shutil.copytree(package, temporary / "crucible", ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        hashes = source_hashes(temporary / "crucible")  # of the copy: the original may be changing right now
        version = code_version(hashes)
        kept = Snapshot(version, code / version)
        if not kept.folder.exists():
            write_json(temporary / "code.json", {"version": version, "hashes": hashes, "git": git_state()})
            os.rename(temporary, kept.folder)
        return kept
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
