"""The code that runs is the code that was submitted: each code version is copied once and run from there.

So sources may be edited while runs wait. The worker compares what it really imported with the copy's
hash and refuses anything else. A copy has no .git: what git said at submission is noted beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

import crucible
from crucible.rundir.code import code_version, origin, source_hashes
from crucible.sweeps.ledger import Ledger, write_json


@dataclass(frozen=True)
class Snapshot:
    version: str
    folder: Path  # goes on PYTHONPATH; holds crucible/ and the records
    record: Path  # JSON: version, hashes by file, and git's commit and diff at this submission


def take(ledger: Ledger) -> Snapshot:
    """Copy the package that is running now, unless this version is there already, and note where it comes from.

    Equal sources may be submitted from several commits (of recipes, of documents): one copy, a record for each.
    """
    package = Path(crucible.__file__).resolve().parent
    code = ledger.folder / "code"
    temporary = code / f".{uuid.uuid4().hex}"
    try:
        shutil.copytree(package, temporary / "crucible", ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        hashes = source_hashes(temporary / "crucible")  # of the copy: the original may be changing right now
        version = code_version(hashes)
        folder = code / version
        if not folder.exists():
            os.rename(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    git = origin(hashes)
    record = folder / f"from-{hashlib.sha256(json.dumps(git, sort_keys=True).encode()).hexdigest()[:12]}.json"
    if not record.exists():
        write_json(record, {"version": version, "hashes": hashes, "git": git})
    return Snapshot(version, folder, record)
