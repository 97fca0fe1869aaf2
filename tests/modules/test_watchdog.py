"""A run that hangs is ended with its stacks on disk; one that gets on, however slowly, is left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from tests.conftest import ROOT

from crucible import pulse
from crucible.errors import UserError
from crucible.modules.watchdog import HUNG, Watchdog, read_heartbeat
from crucible.rundir import RunDir, read_status
from crucible.rundir.lock import is_locked


def start(path, how):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(
        [sys.executable, str(ROOT / "tests" / "modules" / "hanging.py"), str(path), how],
        capture_output=True, text=True, timeout=120, env=environment,
    )  # fmt: skip


def test_a_run_that_hangs_is_ended_and_says_where(tmp_path):
    path = tmp_path / "run"
    ended = start(path, "hang")
    assert ended.returncode == HUNG, ended.stderr
    assert "error: nothing got done for" in ended.stderr
    assert "while sampling" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert "wait_for_ever" in (path / "stacks.001.txt").read_text()
    status = read_status(path)
    assert status["state"] == "failed"
    assert "stacks.001.txt" in status["error"]
    assert not is_locked(path)


@pytest.mark.slow
def test_a_run_that_gets_on_is_left_alone(tmp_path):
    ended = start(tmp_path / "run", "get on")
    assert ended.returncode == 0, ended.stderr
    assert read_status(tmp_path / "run")["state"] == "finished"
    beat = read_heartbeat(tmp_path / "run")
    assert beat["doing"] == "sampling"
    assert not list((tmp_path / "run").glob("stacks*"))


def test_time_in_which_the_process_did_not_run_is_no_hang(tmp_path, monkeypatch):
    """A job that was suspended, or a laptop that slept: one look comes very late."""
    from crucible.modules import watchdog

    looks = iter([0.0, 1000.0, 1000.1])
    monkeypatch.setattr(watchdog.time, "monotonic", lambda: next(looks, 1000.2))
    monkeypatch.setattr(watchdog, "end", lambda run, why: pytest.fail(why))

    class Twice:
        looks = 0

        def wait(self, seconds):
            self.looks += 1
            return self.looks == 2

    dog = Watchdog(minutes=1.0)
    with RunDir.open(tmp_path / "run", {"seed": 1}, report=lambda line: None) as run:
        dog._watch(run, print, Twice())


def test_the_heartbeat_says_what_is_done_and_since_when(tmp_path):
    dog = Watchdog(minutes=None)
    dog.look_s = 0.01
    with RunDir.open(tmp_path / "run", {"seed": 1}, report=lambda line: None) as run:
        with dog.watching(run, print):
            pulse.beat("evaluating")
            deadline = time.monotonic() + 20
            while (read_heartbeat(run.path) or {}).get("doing") != "evaluating" and time.monotonic() < deadline:
                time.sleep(0.01)
        found = read_heartbeat(run.path)
    assert (found["doing"], found["pid"], found["attempt"]) == ("evaluating", os.getpid(), 1)
    assert found["progress"] <= found["time"] <= time.time()
    assert [p.name for p in run.path.iterdir() if p.name.startswith(".")] == []


def test_a_heartbeat_that_cannot_be_written_is_told_once(tmp_path, monkeypatch):
    heard = []
    dog = Watchdog(minutes=None)
    with RunDir.open(tmp_path / "run", {"seed": 1}, report=lambda line: None) as run:

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "replace", full)
        assert dog._beat(run, 0.0, heard.append) is False
        assert dog._beat(run, 0.0, None) is False
    assert len(heard) == 1
    assert "No space left" in heard[0]


def test_no_heartbeat_is_none(tmp_path):
    assert read_heartbeat(tmp_path) is None
    (tmp_path / "heartbeat.json").write_text('{"tim')
    assert read_heartbeat(tmp_path) is None


@pytest.mark.parametrize("minutes", [0, -1.0, float("nan")])
def test_minutes_out_of_range(minutes):
    with pytest.raises(UserError, match=r"watchdog\.minutes"):
        Watchdog(minutes=minutes)
