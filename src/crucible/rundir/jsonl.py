"""Append-only JSON lines that survive a kill at any byte."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from crucible.rundir.atomic import explained, replacing
from crucible.rundir.encoding import encode


def line_of(row: dict[str, Any]) -> bytes:
    text = json.dumps(encode(row, "row"), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", errors="backslashreplace") + b"\n"


class JsonlWriter:
    """Appends one line a row; each line has reached the operating system when `write` returns.

    A row that could not be written in full (full disk, quota) is taken back, so the file always ends
    on a whole line while its writer lives.
    """

    def __init__(self, path: Path, *, new: bool = False):
        self.path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_EXCL if new else 0)
        self._fd: int | None = os.open(path, flags, 0o644)

    def write(self, row: dict[str, Any]) -> None:
        if self._fd is None:
            raise ValueError(f"{self.path} is closed")
        line = memoryview(line_of(row))
        end = os.fstat(self._fd).st_size
        with explained("cannot write", self.path):
            try:
                while line:
                    line = line[os.write(self._fd, line) :]
            except BaseException:
                with suppress(OSError):  # nothing to take back from a device that is not a file
                    os.ftruncate(self._fd, end)
                raise

    def sync(self) -> None:
        """Make all rows durable (survive a power cut)."""
        if self._fd is not None:
            with explained("cannot write", self.path):
                os.fsync(self._fd)

    def close(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)


def repair(path: Path) -> int:
    """Cut off what a killed or starved writer left behind the last whole row; bytes that were cut off.

    A whole row without its line end gets one. Damage between whole rows stays: cutting there would lose rows.
    For the owner of a file that nobody writes to any more. Errors: UserError when it cannot be written.
    """
    with explained("cannot repair", path):
        content = path.read_bytes()
        end = len(content)
        while end and _row(content[(start := content.rfind(b"\n", 0, end - 1) + 1) : end]) is None:
            end = start
        kept = content[:end]
        if (end == len(content) and kept.endswith(b"\n")) or not content:
            return 0
        with path.open("r+b") as file:
            file.truncate(end)
            if kept and not kept.endswith(b"\n"):
                file.seek(end)
                file.write(b"\n")
            file.flush()
            os.fsync(file.fileno())
    return len(content) - end


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Replace `path` by these rows, all or none."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.writelines(line_of(row) for row in rows)


def read_jsonl(path: Path, report: Callable[[str], None] | None = None) -> list[dict[str, Any]]:
    """All whole rows of a file. A torn last line is left out; so is a damaged line, which `report` hears of.

    No cut-off JSON object is itself valid JSON, so a row is either complete or not there.
    """
    rows = []
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip(b"\0 \r"):
            continue
        if (row := _row(line)) is not None:
            rows.append(row)
        elif number < len(lines) and report is not None:
            report(f"{path}:{number}: not a JSON object; the line is left out")
    return rows
