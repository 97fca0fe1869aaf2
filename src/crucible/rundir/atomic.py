"""Writes that are whole or absent: temporary file, fsync, rename, fsync of the folder."""

from __future__ import annotations

import errno
import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from crucible.errors import UserError

REASONS = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than this system allows",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "no permission to write there",
    errno.EPERM: "no permission to write there",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EEXIST: "a part of the path is a file, not a folder",
    errno.EISDIR: "it is a folder, not a file",
}


@contextmanager
def explained(action: str, path: Path) -> Iterator[None]:
    """Turn an operating-system error into one clear line."""
    try:
        yield
    except OSError as error:
        reason = REASONS.get(error.errno or 0) or error.strerror or type(error).__name__
        raise UserError(f"{action} {path}: {reason}") from error


def fsync_folder(folder: Path) -> None:
    """Make a rename inside `folder` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fsync_file(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def add_folder(path: Path) -> None:
    """Make the folder `path` if it is not there, so that it lasts: what is put into it would go with it."""
    if not path.is_dir():
        path.mkdir(exist_ok=True)
        fsync_folder(path.parent)


def temporary_name(path: Path) -> Path:
    """A hidden sibling of `path`: no reader looks at it, and a rename from it stays on one file system."""
    return path.with_name(f".{path.name}.tmp-{os.getpid()}-{uuid.uuid4().hex[:8]}")


def is_temporary(path: Path) -> bool:
    return path.name.startswith(".") and ".tmp-" in path.name


def clear_leftovers(folder: Path) -> None:
    """Remove what killed writes of `folder`, of files in it and in its folders left behind. For its one owner."""
    import shutil

    siblings = [p for p in folder.parent.iterdir() if p.name.startswith(f".{folder.name}.tmp-")]
    inside = [p for p in [*folder.iterdir(), *folder.glob("*/*")] if is_temporary(p)]
    for leftover in [*siblings, *inside]:
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            with suppress(OSError):
                leftover.unlink()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary file to fill; on success it is made durable and takes the place of `path`.

    When the block raises, or the process dies, `path` keeps its earlier content.
    """
    temporary = temporary_name(path)
    try:
        with explained("cannot write", path):
            yield temporary
            fsync_file(temporary)
            os.replace(temporary, path)
            fsync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` (UTF-8)."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by strict JSON; NaN and infinities must be encoded beforehand (`encoding.encode`)."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def make_folder(path: Path, fill: Callable[[Path], None]) -> bool:
    """Create the folder `path` with the content that `fill` writes, all at once.

    Returns False, and leaves nothing behind, if another process made `path` (not empty) meanwhile.
    """
    import shutil

    temporary = temporary_name(path)
    with explained("cannot create", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.mkdir()
            fill(temporary)
            fsync_folder(temporary)
            os.rename(temporary, path)
        except BaseException as error:
            shutil.rmtree(temporary, ignore_errors=True)
            if isinstance(error, OSError) and error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return False
            raise
        fsync_folder(path.parent)
    return True


def replace_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Replace the folder `path` by what `fill` writes, e.g. the final model.

    A folder cannot be renamed over a filled one, so the old one steps aside first; a crash in between
    leaves it as `.<name>.tmp-*` and no `path`, never a mixture.
    """
    import shutil

    temporary, aside = temporary_name(path), temporary_name(path)
    with explained("cannot write", path):
        try:
            temporary.mkdir(parents=True)
            fill(temporary)
            for inside in sorted(temporary.rglob("*")):
                fsync_folder(inside) if inside.is_dir() else fsync_file(inside)
            fsync_folder(temporary)
            if path.exists():
                os.rename(path, aside)
            os.rename(temporary, path)
            fsync_folder(path.parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            if aside.exists() and not path.exists():
                os.rename(aside, path)
            raise
        shutil.rmtree(aside, ignore_errors=True)
