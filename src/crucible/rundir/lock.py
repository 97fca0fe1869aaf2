"""One process on one run directory: an flock on run.lock, which the kernel frees when its holder dies."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crucible.errors import UserError
from crucible.rundir.atomic import explained, temporary_name
from crucible.rundir.status import now

FILE = "run.lock"
UNSUPPORTED = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
PATIENCE_S = 5.0  # how long forked children of a dead holder may take to notice


class RunLock:
    """Held from `acquire` to `release`. `path` holds pid, host and time of the holder, for messages."""

    def __init__(self, run: Path, fd: int):
        self.path, self._fd = run / FILE, fd

    @classmethod
    def acquire(cls, run: Path, *, takeover: bool = False, report: Callable[[str], None] = print) -> RunLock:
        """Lock the run, or refuse in one line that names the holder.

        takeover: put a fresh lock in place of one that another process still holds. For a scheduler's
        restart of a run whose first process may live on, on a machine that was given up; that process
        finds in `RunDir.owns` that it was replaced.
        Errors: UserError when another live process holds the run.
        """
        path = run / FILE
        with explained("cannot lock", path):
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                holder = read_holder(path)
                if not _locked_now(fd, path, holder, report):
                    if not takeover:
                        raise UserError(
                            f"{run} is in use by {describe(holder)}; wait for it, stop it, or choose another run_id"
                        )
                    report(f"taking the run over from {describe(holder)}")
                    fd = _fresh(path, fd)
                elif holder:
                    report(f"the last process on this run ({describe(holder)}) ended without closing it")
                _write(fd, {"pid": os.getpid(), "host": socket.gethostname(), "since": now()})
            except BaseException:
                os.close(fd)
                raise
        return cls(run, fd)

    def held(self) -> bool:
        """False once another process has put its own lock in place."""
        try:
            there, mine = os.stat(self.path), os.fstat(self._fd)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)

    def release(self) -> None:
        if self._fd >= 0:
            if self.held():
                os.ftruncate(self._fd, 0)  # an empty lock file: closed in order
            os.close(self._fd)
            self._fd = -1


def read_holder(path: Path) -> dict[str, Any]:
    """Who holds, or last held, the lock; {} for nobody."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def describe(holder: dict[str, Any]) -> str:
    if not holder:
        return "another process"
    return f"process {holder.get('pid')} on {holder.get('host')} since {holder.get('since')}"


def is_locked(run: Path) -> bool:
    """Is a live process working on the run? Changes nothing."""
    try:
        fd = os.open(run / FILE, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    finally:
        os.close(fd)
    return False


def _locked_now(fd: int, path: Path, holder: dict[str, Any], report: Callable[[str], None]) -> bool:
    deadline = time.monotonic() + (PATIENCE_S if _died(holder) else 0.0)
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
            report(f"{path.parent}: this file system has no locks; only the attempt number guards the run")
            return True


def _died(holder: dict[str, Any]) -> bool:
    if holder.get("host") != socket.gethostname() or not isinstance(holder.get("pid"), int):
        return False
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _fresh(path: Path, old: int) -> int:
    """A new lock file in place of `path`, locked before it is seen."""
    temporary = temporary_name(path)
    fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.replace(temporary, path)
    except BaseException:
        os.close(fd)
        raise
    os.close(old)
    return fd


def _write(fd: int, holder: dict[str, Any]) -> None:
    os.ftruncate(fd, 0)
    os.pwrite(fd, json.dumps(holder).encode(), 0)
