"""Killed at any moment, a run directory can be gone on with, or says which file is damaged."""

from __future__ import annotations

import shutil

import pytest

from crucible.errors import UserError
from crucible.rundir import read_status
from tests.rundir.opening import opened


@pytest.mark.parametrize("missing", ["status.json", "provenance.json", "metrics.001.jsonl", "run.lock"])
def test_a_run_killed_while_it_was_made_can_be_gone_on_with(path, missing):
    opened(path).close()
    (path / missing).unlink()
    with opened(path) as run:
        run.write_status("running", step=1)
        assert read_status(path)["state"] == "running"


def test_leftovers_of_killed_writes_are_no_harm(path):
    with opened(path) as run:
        run.save_checkpoint(1, lambda p: p.write_bytes(b"one"))
    (path / ".status.json.tmp-1-aa").write_text('{"st')
    (path / "samples").mkdir()
    (path / "samples" / ".step-000001.jsonl.tmp-1-dd").write_bytes(b"{")
    (path / "checkpoints" / ".step-000002.ckpt.tmp-1-bb").write_bytes(b"tw")
    (path.parent / ".run-1.tmp-1-cc").mkdir()
    with (path / "metrics.001.jsonl").open("ab") as file:
        file.write(b'{"kind":"update","st')
    heard: list[str] = []
    with opened(path, report=heard.append) as run:
        assert not [p for p in path.rglob(".*")]
        assert any("metrics.001.jsonl: 20 bytes of a row that was never finished are cut off" in line for line in heard)
        assert run.latest_checkpoint().name == "step-000001.ckpt"
        run.save_checkpoint(2, lambda p: p.write_bytes(b"two"))
    assert (path / "metrics.001.jsonl").read_bytes().endswith(b"}\n")
    assert len(list((path / "checkpoints").iterdir())) == 4
    assert [p for p in [*path.iterdir(), *path.parent.iterdir()] if p.name.startswith(".")] == []


def test_a_damaged_status_is_named(path):
    opened(path).close()
    (path / "status.json").write_text('{"state": "runn')
    with pytest.raises(UserError, match=r"status\.json cannot be read .*delete it to go on"):
        opened(path)


def test_checkpoints_that_were_there_and_are_gone(path):
    with opened(path) as run:
        run.save_checkpoint(4, lambda p: p.write_bytes(b"four"))
    shutil.rmtree(path / "checkpoints")
    with opened(path) as run, pytest.raises(UserError, match=r"stored after step 4, and .* has none"):
        run.latest_checkpoint()
