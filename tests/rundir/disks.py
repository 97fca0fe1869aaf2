"""A small file system of one's own, to be filled up or made read-only. Needs root, and the right to mount."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BYTES = 4 << 20


@contextmanager
def small_disk(folder: Path, size: int = BYTES) -> Iterator[Path]:
    """A tmpfs of `size` bytes at `folder`; the test is skipped where none can be mounted."""
    folder.mkdir()
    if os.geteuid() != 0 or _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)):
        pytest.skip("mounting a tmpfs takes root and the right to mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not a byte is left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for piece in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\1" * piece)
            except OSError:
                continue
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def read_only(disk: Path) -> Iterator[None]:
    """Nobody writes, not even root; files that are open for writing would keep it from being so."""
    assert _mount("-o", "remount,ro", str(disk)) == 0
    try:
        yield
    finally:
        assert _mount("-o", "remount,rw", str(disk)) == 0


def _mount(*arguments: str) -> int:
    return subprocess.run(["mount", *arguments], capture_output=True).returncode
