"""The code that runs is a copy of the code that was submitted, and the run says which checkout that was."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from crucible.rundir import read_provenance
from crucible.rundir.code import RECORD, code_version, git_state, origin, running_copy, source_hashes
from crucible.sweeps.ledger import Ledger
from crucible.sweeps.snapshot import take
from tests.sweeps.lab import REPOSITORY, TRIAL, Lab


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git checkout of the package: one commit, and an edit on top of it."""
    root = tmp_path / "checkout"
    shutil.copytree(REPOSITORY / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (root / ".gitignore").write_text("__pycache__\nruns\n")
    git(root, "init", "-q", "-b", "main")
    commit(root, "submitted")
    with (root / "src" / "crucible" / "errors.py").open("a") as file:
        file.write("# an uncommitted edit\n")
    return root


def git(root: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def commit(root: Path, message: str) -> str:
    git(root, "add", ".")
    git(root, "commit", "-q", "--allow-empty", "-m", message)
    return git(root, "rev-parse", "HEAD")


def test_a_snapshot_holds_the_sources_and_is_taken_once(lab: Lab) -> None:
    ledger = Ledger(lab.runs)
    ledger.create()
    one = take(ledger)
    assert code_version(source_hashes(one.folder / "crucible")) == one.version
    made = one.record.stat().st_mtime_ns
    assert take(ledger) == one
    assert one.record.stat().st_mtime_ns == made
    assert [p.name for p in (ledger.folder / "code").iterdir()] == [one.version]


def test_a_run_records_the_commit_and_the_edits_it_was_submitted_with(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its runs folder is inside the checkout, which moves on before the job starts."""
    submitted = git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(checkout / "src"), str(TRIAL)]))
    monkeypatch.syspath_prepend(str(TRIAL))
    lab = Lab(checkout)
    lab.write(grid=["batch_size=4"], base=["steps=3"])
    ledger = Ledger(lab.runs)
    ledger.create()
    with open(ledger.folder / "local" / "slot.0", "w") as slot:  # no run starts while another holds the only slot
        fcntl.flock(slot, fcntl.LOCK_EX)
        done = lab.cli("sweep=t", "cluster=local", "cluster.at_once=1")
        assert "sent 1 runs" in done.stdout, done.stderr
        later = commit(checkout, "later")
        assert not list(lab.runs.glob("*/*/config.yaml"))
    (finished,) = lab.wait_for("finished", 60).standings
    noted = read_provenance(finished.point.run_dir)["git"]
    assert (noted["commit"], noted["noted"], noted["dirty"]) == (submitted, "when submitted", True)
    assert noted["commit"] != later
    assert "+# an uncommitted edit" in noted["diff"]


def test_equal_sources_of_another_commit_are_one_copy_with_two_records(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(lab.runs)
    ledger.create()
    commits = iter("ab")
    monkeypatch.setattr("crucible.sweeps.snapshot.origin", lambda hashes: {"commit": next(commits)})
    one, other = take(ledger), take(ledger)
    assert one.folder == other.folder
    assert [json.loads(s.record.read_text())["git"]["commit"] for s in (one, other)] == ["a", "b"]


def test_a_record_of_other_sources_is_not_believed(tmp_path: Path) -> None:
    record = tmp_path / "from.json"
    record.write_text(json.dumps({"hashes": {"a.py": "1"}, "git": {"commit": "c"}}))
    with running_copy(record):
        assert origin({"a.py": "1"}) == {"commit": "c", "noted": "when submitted"}
        assert origin({"a.py": "2"}) == git_state()
        with running_copy(tmp_path / "gone.json"):
            assert origin({"a.py": "1"}) == git_state()
        assert origin({"a.py": "1"})["commit"] == "c"
    assert RECORD not in os.environ


def test_a_package_that_its_surroundings_do_not_track_has_no_commit(checkout: Path) -> None:
    """As installed in a virtual environment inside somebody's project."""
    inside = checkout / "runs" / "site-packages" / "crucible"
    shutil.copytree(checkout / "src" / "crucible" / "rundir", inside)
    assert len(git_state(checkout / "src" / "crucible")["commit"]) == 40
    assert git_state(inside) == {
        "commit": None,
        "reason": "the git checkout around the package does not track it",
    }
