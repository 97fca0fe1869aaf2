"""Which code made a run: content hashes of Crucible's own sources and of the git checkout around them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from crucible.rundir.secrets import redact

DIFF_LIMIT = 200_000  # characters of a dirty diff that are stored
RECORD = "CRUCIBLE_CODE_RECORD"  # variable: the file in which a launcher noted what it copied, and from which checkout
PRIVATE = ("*.env", "*.env.*", ".env*", "*.pem", "*.key", "*secret*", "*credential*", ".netrc")


def source_hashes(root: Path | None = None) -> dict[str, str]:
    """First 12 hex digits of the SHA-256 of every Python file of the package, by path inside it."""
    root = root or Path(__file__).resolve().parents[1]
    return {
        file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()[:12]
        for file in sorted(root.rglob("*.py"))
    }


def code_version(hashes: dict[str, str] | None = None) -> str:
    """One hash (12 hex digits) over all sources of the package. Equal code, equal version, git or not."""
    hashes = source_hashes() if hashes is None else hashes
    text = "".join(f"{name} {digest}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def changed_files(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Source files that were added, removed or edited between two `source_hashes`."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


@contextlib.contextmanager
def running_copy(record: Path) -> Iterator[None]:
    """While this lasts, here and in child processes, the code is a launcher's copy and `record` tells its origin."""
    before = os.environ.get(RECORD)
    os.environ[RECORD] = str(record)
    try:
        yield
    finally:
        os.environ.pop(RECORD)
        if before is not None:
            os.environ[RECORD] = before


def origin(hashes: Mapping[str, str]) -> dict[str, Any]:
    """The checkout that sources with these hashes come from: `git_state`, as it is or as it was when they were copied.

    A copy has no .git, and the checkout may have moved on since. `noted` is "when submitted" for a copy. A record
    of other sources is not believed.
    """
    try:
        record = json.loads(Path(os.environ.get(RECORD, "")).read_bytes())
    except (OSError, ValueError):
        return git_state()
    if not isinstance(record, dict) or record.get("hashes") != hashes or not isinstance(record.get("git"), dict):
        return git_state()
    return {**record["git"], "noted": "when submitted"}


def git_state(folder: Path | None = None) -> dict[str, Any]:
    """Commit, branch and uncommitted changes of the checkout that holds the package.

    The diff leaves out files that tend to hold credentials and redacts what looks like one; of untracked
    files only the names are kept. {"commit": None, "reason": ...} without git, outside a checkout, and in one that
    does not track the package (a virtual environment inside another project).
    """
    folder = folder or Path(__file__).resolve().parent
    try:
        root = Path(_git(folder, "rev-parse", "--show-toplevel").strip())
        commit = _git(root, "rev-parse", "--verify", "--quiet", "HEAD").strip()
        if not _git(folder, "ls-files", "--", "."):
            return {"commit": None, "reason": "the git checkout around the package does not track it"}
        branch = _git(root, "rev-parse", "--abbrev-ref", "HEAD").strip()
        private = [f":(exclude,icase,glob)**/{pattern}" for pattern in PRIVATE]
        diff = _git(root, "diff", "HEAD", "--no-ext-diff", "--no-color", "--", ".", *private)
        untracked = _git(root, "ls-files", "--others", "--exclude-standard").splitlines()
    except FileNotFoundError:
        return {"commit": None, "reason": "git is not installed"}
    except subprocess.SubprocessError:
        return {"commit": None, "reason": "not a git checkout with a commit"}
    return {
        "commit": commit,
        "branch": branch,
        "dirty": bool(diff or untracked),
        "diff": redact(diff[:DIFF_LIMIT]),
        "diff_cut": len(diff) > DIFF_LIMIT,
        "untracked": untracked[:200],
    }


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=30,
    ).stdout
