"""A full or read-only disk is one clear line, and what was there before is still there, whole."""

from __future__ import annotations

import os

import pytest

from crucible.errors import UserError
from crucible.rundir import read_metrics, read_status
from tests.rundir.disks import full, read_only, small_disk
from tests.rundir.opening import opened, snapshot

FULL, READ_ONLY = "no space left on the device", "the file system is read-only"


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk") as folder:
        yield folder


def started(path):
    run = opened(path)
    run.write_metrics({"kind": "update", "step": 1, "update": 1})
    run.save_checkpoint(1, lambda p: p.write_bytes(b"one" * 1000))
    return run


def one_line(refusal) -> str:
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_a_disk_that_fills_up_leaves_the_run_whole_and_it_goes_on(disk):
    path = disk / "run"
    run = started(path)
    before = {name: content for name, content in snapshot(path).items() if not name.startswith("metrics")}
    writes = {
        "cannot write .*metrics.001.jsonl": lambda: [run.write_metrics({"step": 2, "x": "y" * 5000}) for _ in "ab"],
        "cannot write .*step-000002.ckpt": lambda: run.save_checkpoint(2, lambda p: p.write_bytes(b"two" * 100_000)),
        "cannot write .*step-000002.jsonl": lambda: run.write_samples(2, [{"prompt": "p" * 9000, "completion": ""}]),
        "cannot write .*status.json": lambda: run.write_status("failed", error="x" * 300),
        "cannot write .*policy": lambda: run.write_policy(lambda p: p.joinpath("weights").write_bytes(b"w" * 9999)),
    }
    with full(disk):
        for where, write in writes.items():
            with pytest.raises(UserError, match=where) as refusal:
                write()
            assert FULL in one_line(refusal)
        run.close()
    after = {name: content for name, content in snapshot(path).items() if not name.startswith("metrics")}
    assert after == before | {"run.lock": b""}, "no half-made file is left, and none is lost"
    assert [row["step"] for row in read_metrics(path)] == [1]
    with opened(path) as run:
        assert run.latest_checkpoint().name == "step-000001.ckpt"
        run.save_checkpoint(2, lambda p: p.write_bytes(b"two"))
    assert read_status(path)["checkpoint"] == 2


def test_a_new_run_on_a_full_disk_leaves_nothing(disk):
    with full(disk):
        with pytest.raises(UserError, match=FULL) as refusal:
            opened(disk / "run")
        one_line(refusal)
        assert [p.name for p in disk.iterdir()] == ["ballast"]


def test_a_new_run_on_a_disk_with_room_for_the_config_alone_leaves_nothing(disk, monkeypatch):
    from crucible.rundir import provenance

    def no_more(*_):
        raise UserError(f"cannot write provenance.json: {FULL}")

    monkeypatch.setattr(provenance, "write_provenance", no_more)
    with pytest.raises(UserError, match=FULL):
        opened(disk / "run")
    assert list(disk.iterdir()) == []


def test_a_run_that_is_there_is_gone_on_with_once_the_disk_has_room(disk):
    started(disk / "run").close()
    before = snapshot(disk / "run")
    with full(disk), pytest.raises(UserError, match=FULL):
        opened(disk / "run")
    kept = snapshot(disk / "run")
    assert {name: kept[name] for name in before} == before
    with opened(disk / "run") as run:
        assert run.latest_checkpoint().name == "step-000001.ckpt"


def test_a_read_only_disk_is_one_line_and_changes_nothing(disk):
    started(disk / "run").close()
    before = snapshot(disk)
    with read_only(disk):
        for path in (disk / "run", disk / "new", disk / "deeper" / "new"):
            with pytest.raises(UserError, match=READ_ONLY) as refusal:
                opened(path)
            one_line(refusal)
    assert snapshot(disk) == before


@pytest.mark.parametrize(("number", "words"), [(28, FULL), (122, "the disk quota is used up"), (30, READ_ONLY)])
@pytest.mark.parametrize("call", ["fsync", "replace", "write"])
def test_whichever_call_is_refused(path, monkeypatch, number, words, call):
    """Quotas are often noticed by fsync alone."""
    run = started(path)
    before = snapshot(path)

    def refused(*_, **__):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refused)
        with pytest.raises(UserError, match=words):
            run.write_metrics({"step": 2}) if call == "write" else run.save_checkpoint(2, lambda p: p.write_bytes(b"2"))
    assert snapshot(path) == before
    run.close()
