"""Checkpoints: step-000040.ckpt beside its checksum step-000040.ckpt.sha256, as sha256sum writes it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from crucible.errors import UserError
from crucible.rundir.atomic import add_folder, explained, is_temporary, replacing, write_text

FOLDER = "checkpoints"
_NAME = re.compile(r"step-(\d+)\.ckpt")


def checkpoint_file(folder: Path, step: int) -> Path:
    return folder / f"step-{step:06d}.ckpt"


def checksum_file(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def stored(folder: Path) -> dict[int, Path]:
    """Checkpoints by step, whole or not."""
    if not folder.is_dir():
        return {}
    found = {int(m[1]): p for p in folder.iterdir() if (m := _NAME.fullmatch(p.name))}
    return dict(sorted(found.items()))


def save(
    folder: Path,
    step: int,
    write: Callable[[Path], None],
    *,
    keep: int = 2,
    check: Callable[[Path], None] | None = None,
) -> Path:
    """Store what `write(path)` writes as the checkpoint after `step`, then prune.

    Order: temporary file, `check` (may raise), checksum, fsync, rename. At every moment the folder holds
    either the earlier checkpoints alone or the new one as well, whole. Then the new one is read back from the
    disk, and only if its checksum holds are old ones removed: the newest `keep` up to this step stay; those
    of later steps go, since the run has gone another way.
    Errors: UserError where it cannot be written, or reads back as something else; the old ones are all there.
    """
    if keep < 1:
        raise UserError(f"keep_checkpoints={keep}: must be at least 1")
    path = checkpoint_file(folder, step)
    with explained("cannot write", path):
        add_folder(folder)
    with replacing(path) as temporary:
        _written(write, temporary, path)
        if not temporary.is_file():
            raise ValueError(f"the checkpoint writer wrote no file at the path it was given ({temporary})")
        if check is not None:
            check(temporary)
        line = _checksum_line(temporary, path.name)
        # Until the rename the old file of this step is the valid one, so both checksums stand for a moment.
        old = [x for x in _checksum_lines(path) if path.exists() and x != line]
        write_text(checksum_file(path), "".join([line, *old]))
    write_text(checksum_file(path), line)
    forget_cached(path)
    if (reason := fault(path)) is not None:
        raise UserError(f"checkpoint {path} cannot be read back: {reason}; earlier ones are kept")
    prune(folder, step, keep)
    return path


def forget_cached(path: Path) -> None:
    """Let the next read of `path`, which is on the disk, come from there and not from memory, where possible."""
    if hasattr(os, "posix_fadvise"):
        with explained("cannot read", path), path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _written(write: Callable[[Path], None], temporary: Path, path: Path) -> None:
    try:
        write(temporary)
    except RuntimeError as error:  # torch.save reports a full disk as a failed position check
        if "inline_container" in str(error) or "PytorchStreamWriter" in str(error):
            raise UserError(f"cannot write {path}: it stopped half-way (disk full, or a quota?)") from error
        raise


def prune(folder: Path, step: int, keep: int) -> None:
    """Leave the newest `keep` checkpoints up to `step`, and no leftovers of killed writes."""
    files = stored(folder)
    stay = {s for s in sorted(s for s in files if s <= step)[-keep:]}
    for s, path in files.items():
        if s not in stay:
            with suppress(OSError):
                path.unlink()
    for leftover in folder.iterdir():
        orphan = leftover.name.endswith(".sha256") and not leftover.with_suffix("").exists()
        if orphan or is_temporary(leftover):
            with suppress(OSError):
                leftover.unlink()


def finish_pruning(folder: Path, newest: Path, keep: int) -> None:
    """What a process did not get done that was killed after it had saved `newest`, which is whole.

    Not where there is a damaged one beyond it: that stays to be looked at until the next is saved.
    """
    if newest == next(reversed(stored(folder).values())):
        prune(folder, step_of(newest), keep)


def fault(path: Path) -> str | None:
    """Why a checkpoint must not be loaded, or None for a whole one."""
    if not path.is_file():
        return "there is no such file"
    lines = _checksum_lines(path)
    if not lines:
        return "its checksum is missing"
    with explained("cannot read", path):
        if _checksum_line(path, path.name) not in lines:
            return "it is truncated or was changed (its checksum differs)"
    return None


def latest(folder: Path, report: Callable[[str], None] = print) -> Path | None:
    """The newest whole checkpoint, or None when none was ever stored. `report` hears of damaged ones.

    Errors: UserError when there are checkpoints and none is whole: starting over would not be a resume.
    """
    files = stored(folder)
    for step in sorted(files, reverse=True):
        reason = fault(files[step])
        if reason is None:
            return files[step]
        report(f"checkpoint {files[step].name} is left out: {reason}")
    if files:
        raise UserError(f"none of the {len(files)} checkpoints in {folder} is whole; delete that folder to start over")
    return None


def at(folder: Path, step: int) -> Path:
    """The checkpoint after `step`. Errors: UserError when it is missing (naming the nearest) or damaged."""
    path, files = checkpoint_file(folder, step), stored(folder)
    if step not in files:
        there = f"there are those after steps {', '.join(map(str, files))}" if files else "there are none"
        raise UserError(f"no checkpoint after step {step} in {folder}: {there}")
    if (reason := fault(path)) is not None:
        raise UserError(f"checkpoint {path}: {reason}")
    return path


def step_of(path: Path) -> int:
    """The step a checkpoint was taken after, from its name."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise UserError(f"{path} is not named step-NNNNNN.ckpt")
    return int(match[1])


def _checksum_line(path: Path, name: str) -> str:
    with path.open("rb") as file:
        return f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n"


def _checksum_lines(path: Path) -> list[str]:
    try:
        text = checksum_file(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.splitlines(keepends=True)
