"""One process owns a run directory: a second is refused, a takeover fences the old one out."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import pytest

from crucible.errors import UserError
from crucible.rundir import Superseded, read_metrics, read_status
from crucible.rundir.lock import is_locked
from tests.rundir.opening import CONFIG, SOURCE, opened, snapshot

HOLD = """
import sys
from crucible.rundir import RunDir
run = RunDir.open(sys.argv[1], {config!r}, report=lambda line: None)
run.write_metrics({{"kind": "update", "step": 1, "update": 1}})
print("open", flush=True)
for line in sys.stdin:
    try:
        run.write_status("running", step=5)
        print("wrote", run.owns(), flush=True)
    except Exception as e:
        print(type(e).__name__, run.owns(), flush=True)
"""


@pytest.fixture
def holder(path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(config=CONFIG), str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": SOURCE},
    )  # fmt: skip
    assert process.stdout.readline() == "open\n"
    yield process
    process.kill()
    process.communicate()


def ask(process) -> str:
    process.stdin.write("?\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def test_a_second_process_is_refused_and_changes_nothing(path, holder):
    before = snapshot(path)
    with pytest.raises(UserError, match=rf"is in use by process {holder.pid} on "):
        opened(path)
    with pytest.raises(UserError, match=r"is in use by"):
        opened(path, resume="force")
    assert snapshot(path) == before
    assert ask(holder) == "wrote True"


def test_a_killed_process_leaves_a_run_that_can_be_gone_on_with(path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    heard: list[str] = []
    with opened(path, report=heard.append) as run:
        assert run.attempt == 2
    assert any(f"process {holder.pid} on " in line and "ended without closing" in line for line in heard)
    assert [r["step"] for r in read_metrics(path)] == [1]


def test_a_takeover_fences_the_old_process_out(path, holder):
    with opened(path, takeover=True) as run:
        assert ask(holder) == "Superseded False"
        assert run.owns()
        assert run.attempt == 2
        assert is_locked(path)
        assert read_status(path)["pid"] == os.getpid()
        with pytest.raises(UserError, match=r"is in use by"):
            opened(path)


def test_a_newer_attempt_elsewhere_ends_ownership(path):
    """As on a file system without locks: the attempt number alone is the fence."""
    run = opened(path)
    (path / "metrics.002.jsonl").touch()
    assert not run.owns()
    for write in (
        lambda: run.write_status("running"),
        lambda: run.write_samples(1, []),
        lambda: run.save_checkpoint(1, lambda p: p.write_bytes(b"x")),
        lambda: run.write_policy(lambda p: None),
    ):
        with pytest.raises(Superseded):
            write()
    assert not (path / "checkpoints").exists()
    run.close()
    assert opened(path).attempt == 3


def test_a_removed_directory_is_noticed(path):
    run = opened(path)
    shutil.rmtree(path)
    assert not run.owns()
    run.close()
