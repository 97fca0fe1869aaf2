"""The last good checkpoint survives whatever happens while the next one is written."""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path

import pytest

from crucible.errors import UserError
from crucible.rundir import checkpoints
from crucible.rundir.checkpoints import at, checksum_file, latest, save, step_of, stored


def writing(content: bytes):
    return lambda path: path.write_bytes(content)


def test_the_newest_is_found_and_the_last_ones_are_kept(tmp_path):
    for step in (5, 10, 15, 20):
        save(tmp_path, step, writing(b"%d" % step), keep=2)
    assert list(stored(tmp_path)) == [15, 20]
    assert latest(tmp_path).read_bytes() == b"20"
    assert step_of(latest(tmp_path)) == 20
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "step-000015.ckpt",
        "step-000015.ckpt.sha256",
        "step-000020.ckpt",
        "step-000020.ckpt.sha256",
    ]


def test_sha256sum_agrees(tmp_path):
    save(tmp_path, 1, writing(b"weights"))
    subprocess.run(["sha256sum", "--check", "--strict", "step-000001.ckpt.sha256"], cwd=tmp_path, check=True)


def test_none_before_the_first(tmp_path):
    assert latest(tmp_path / "checkpoints") is None
    assert latest(tmp_path) is None


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "no checksum", "empty checksum"])
def test_a_damaged_checkpoint_is_left_out_with_a_word(tmp_path, damage):
    save(tmp_path, 1, writing(b"good" * 100))
    newest = save(tmp_path, 2, writing(b"better" * 100))
    content = newest.read_bytes()
    if damage == "no checksum":
        checksum_file(newest).unlink()
    elif damage == "empty checksum":
        checksum_file(newest).write_text("")
    else:
        newest.write_bytes({"truncated": content[:-1], "flipped": b"B" + content[1:], "empty": b""}[damage])
    heard: list[str] = []
    assert latest(tmp_path, heard.append) == tmp_path / "step-000001.ckpt"
    assert len(heard) == 1
    assert "step-000002.ckpt is left out" in heard[0]
    with pytest.raises(UserError, match=r"step-000002"):
        at(tmp_path, 2)


def test_starting_over_is_not_done_silently(tmp_path):
    save(tmp_path, 1, writing(b"x")).write_bytes(b"y")
    with pytest.raises(UserError, match=r"none of the 1 checkpoints .* is whole"):
        latest(tmp_path, lambda line: None)


def test_missing_checkpoint_names_those_that_are_there(tmp_path):
    with pytest.raises(UserError, match=r"no checkpoint after step 7 .*there are none"):
        at(tmp_path, 7)
    save(tmp_path, 5, writing(b"x"))
    with pytest.raises(UserError, match=r"no checkpoint after step 7 .*steps 5"):
        at(tmp_path, 7)


def test_a_writer_that_raises_leaves_the_old_ones_and_no_litter(tmp_path):
    save(tmp_path, 1, writing(b"good"), keep=1)

    def half(path: Path) -> None:
        path.write_bytes(b"ha")
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match=r"step-000002.ckpt: no space left on the device"):
        save(tmp_path, 2, half, keep=1)
    assert latest(tmp_path).read_bytes() == b"good"
    assert len(list(tmp_path.iterdir())) == 2


def test_the_message_of_a_tensor_writer_on_a_full_disk_is_translated(tmp_path):
    def full(path: Path) -> None:
        raise RuntimeError("[enforce fail at inline_container.cc:668] . unexpected pos 64 vs 0")

    with pytest.raises(UserError, match=r"stopped half-way"):
        save(tmp_path, 1, full)


def test_a_refused_checkpoint_replaces_nothing_and_prunes_nothing(tmp_path):
    save(tmp_path, 1, writing(b"good"), keep=1)

    def refuse(path: Path) -> None:
        assert path.read_bytes() == b"bad"
        raise UserError("not loadable")

    with pytest.raises(UserError, match=r"not loadable"):
        save(tmp_path, 2, writing(b"bad"), keep=1, check=refuse)
    assert list(stored(tmp_path)) == [1]


def test_writing_elsewhere_is_a_mistake(tmp_path):
    with pytest.raises(ValueError, match=r"wrote no file"):
        save(tmp_path, 1, lambda path: None)


class Killed(BaseException):
    """Stands for the end of the process: nothing after it runs, not even the clean-up."""


@pytest.mark.parametrize("same_step", [False, True])
def test_killed_between_any_two_system_calls(tmp_path, monkeypatch, same_step):
    """Stop the write at its n-th fsync, rename or unlink, for every n: a whole checkpoint is always there."""
    old, new = b"old" * 50, b"new" * 50
    step = 1 if same_step else 2
    n = finished = 0
    while not finished:
        folder = tmp_path / str(n)
        folder.mkdir()
        save(folder, 1, writing(old), keep=1)
        calls = 0

        def counted(call, *arguments, limit=n, **more):
            nonlocal calls
            calls += 1
            if calls > limit:
                raise Killed
            return call(*arguments, **more)

        with monkeypatch.context() as patch:
            for name in ("fsync", "replace", "unlink"):
                patch.setattr(os, name, functools.partial(counted, getattr(os, name)))
            try:
                save(folder, step, writing(new), keep=1)
                finished = 1
            except Killed:
                pass
        found = latest(folder, lambda line: None)
        assert found is not None
        assert found.read_bytes() in (old, new)
        again = save(folder, step, writing(new), keep=1)
        assert latest(folder) == again
        assert again.read_bytes() == new
        assert len(list(folder.iterdir())) == 2, "leftovers of the killed write are cleared"
        n += 1
    assert n > 5


def test_old_ones_are_pruned_only_once_the_new_one_reads_back(tmp_path, monkeypatch):
    """A disk that says it wrote, and did not."""
    save(tmp_path, 1, writing(b"good"), keep=1)
    forget = checkpoints.forget_cached

    def lost(path: Path) -> None:
        path.write_bytes(b"bat")
        forget(path)

    monkeypatch.setattr(checkpoints, "forget_cached", lost)
    with pytest.raises(UserError, match=r"step-000002.ckpt cannot be read back: .*earlier ones are kept"):
        save(tmp_path, 2, writing(b"bad"), keep=1)
    assert latest(tmp_path, lambda line: None).read_bytes() == b"good"


def test_what_a_killed_process_left_to_prune_is_pruned_but_nothing_beside_a_damaged_one(tmp_path):
    for step in (1, 2, 3):
        save(tmp_path, step, writing(b"x"), keep=3)
    (tmp_path / ".step-000004.ckpt.tmp-1-a").write_bytes(b"y")
    checkpoints.finish_pruning(tmp_path, checkpoints.checkpoint_file(tmp_path, 2), keep=1)
    assert list(stored(tmp_path)) == [1, 2, 3]
    checkpoints.finish_pruning(tmp_path, checkpoints.checkpoint_file(tmp_path, 3), keep=2)
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".ckpt") == ["step-000002.ckpt", "step-000003.ckpt"]
    assert len(list(tmp_path.iterdir())) == 4


def test_later_steps_of_a_past_that_was_left_are_removed(tmp_path):
    save(tmp_path, 40, writing(b"a"))
    save(tmp_path, 60, writing(b"b")).write_bytes(b"damaged")
    assert step_of(latest(tmp_path, lambda line: None)) == 40
    save(tmp_path, 50, writing(b"c"))
    assert list(stored(tmp_path)) == [40, 50]


def test_keep_must_keep_something(tmp_path):
    with pytest.raises(UserError, match=r"keep_checkpoints=0"):
        save(tmp_path, 1, writing(b"x"), keep=0)
    with pytest.raises(UserError, match=r"is not named"):
        checkpoints.step_of(tmp_path / "last.ckpt")
