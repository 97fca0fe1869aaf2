"""The parent's end of the warm process that forks sandboxes (inside/zygote.py)."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from crucible.sandbox.errors import SandboxError
from crucible.sandbox.inside import frames
from crucible.sandbox.languages import PATH

PROGRAM = Path(__file__).parent / "inside" / "zygote.py"
# All of the environment. The hash seed is fixed so that a program's verdict does not depend on the order of a set
ENVIRONMENT = {"PATH": PATH, "HOME": "/box", "TMPDIR": "/box/tmp", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}


class Zygote:
    """Started at the first session, again in a forked child of this process, again if it was killed. Thread-safe."""

    def __init__(self, protection: Mapping[str, bool], readable: Sequence[str], python: str = ""):
        self.protection, self.readable = protection, list(readable)
        self.python = python or os.path.realpath(sys.executable)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._owner, self._scratch = 0, ""
        self.features: dict[str, int] = {}  # what the kernel offers: seccomp (0, 1), landlock (its version)

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def session(self) -> socket.socket:
        """The control socket of a new supervisor."""
        with self._lock:
            for attempt in (1, 2):
                if self._control is None or self._owner != os.getpid():
                    self._start()
                assert self._control is not None
                ours, theirs = socket.socketpair()
                try:
                    frames.send(self._control, {"op": "session"}, [theirs.fileno()])
                    return ours
                except (BrokenPipeError, ConnectionResetError):  # it was killed from outside
                    ours.close()
                    self._stop()
                    if attempt == 2:
                        raise SandboxError("the sandbox's warm process ended twice in a row") from None
                finally:
                    theirs.close()
        raise AssertionError("not reached")

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        namespaces = self.protection["namespaces"]
        self._scratch = "" if namespaces else tempfile.mkdtemp(prefix=f"crucible-sandbox-{os.getpid()}-")
        if self._scratch:
            os.chmod(self._scratch, 0o711)
        settings = {**self.protection, "readable": self.readable, "scratch": self._scratch, "parent": os.getpid()}
        options = ["-S", "-s", "-P", "-X", "utf8"]
        try:
            self._process = subprocess.Popen(
                [self.python, *options, str(PROGRAM), str(theirs.fileno()), json.dumps(settings)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=ENVIRONMENT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                cwd="/",
            )
        finally:
            theirs.close()
        self._control, self._owner = ours, os.getpid()
        try:
            got = frames.receive(ours)
        except OSError as error:
            raise SandboxError(f"the sandbox's warm process did not start: {error}") from None
        if got is None or "broken" in got[0]:
            self._stop()
            raise SandboxError(f"the sandbox's warm process did not start: {got[0]['broken'] if got else 'it ended'}")
        self.features = got[0]

    def _stop(self) -> None:
        if self._control is not None:
            if self._owner == os.getpid():
                with contextlib.suppress(OSError):  # it has ended by itself
                    frames.send(self._control, {"op": "end"})
            self._control.close()
        if self._process is not None and self._owner == os.getpid():
            self._process.wait(timeout=30)
            if self._scratch:
                shutil.rmtree(self._scratch, ignore_errors=True)  # where it was killed, and could not
        self._control = self._process = None

    def close(self) -> None:
        with self._lock:
            self._stop()
