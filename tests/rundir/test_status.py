"""What an open run writes about itself: status, heartbeat and the final policy, each replaced whole."""

from __future__ import annotations

import pytest

from crucible.rundir import read_status
from tests.rundir.opening import opened


def test_status_is_one_line_without_secrets(path):
    with opened(path) as run:
        run.write_status("failed", step=3, error="boom\n  at hf_abcdefghijklmnopqrstuvwxyz\n")
    assert read_status(path)["error"] == "boom at [redacted]"
    with opened(path) as run:
        assert read_status(path)["error"] is None
        with pytest.raises(ValueError, match=r"running, finished, failed, preempted"):
            run.write_status("done")


def test_heartbeat_is_throttled(path, monkeypatch):
    with opened(path) as run:
        before = read_status(path)
        run.heartbeat(step=7)
        assert read_status(path) == before
        monkeypatch.setattr(run, "_beat", -100.0)
        run.heartbeat(step=7)
        after = read_status(path)
        assert after["step"] == 7
        assert after["heartbeat"] > before["heartbeat"]


def test_the_policy_folder_is_replaced_whole(path):
    def write(name):
        return lambda p: (p / name).write_text(name)

    def fail(p):
        (p / "half").write_text("x")
        raise RuntimeError("no")

    with opened(path) as run:
        assert run.write_policy(write("a")) == path / "policy"
        run.write_policy(write("b"))
        with pytest.raises(RuntimeError):
            run.write_policy(fail)
    assert [p.name for p in (path / "policy").iterdir()] == ["b"]
    assert not [p for p in path.iterdir() if p.name.startswith(".")]
