"""One worker process as the program sees it."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from crucible.rewards.runtime.wire import Page, framed, page_file, take_frames

# The system kills a worker when the *thread* that started it ends: so one starts all, and lives as long as we do.
_STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reward-workers")
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "CUDA_VISIBLE_DEVICES")


class Worker:
    """A process that works on one task at a time. It is started at once and imports nothing before its first task."""

    def __init__(self, memory_bytes: int):
        self.connection, theirs = socket.socketpair()
        self.connection.setblocking(False)
        page = page_file()
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        environment |= {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "crucible.rewards.runtime.worker"]
        command += [str(theirs.fileno()), str(page), str(memory_bytes)]
        try:
            self.process = _STARTER.submit(
                subprocess.Popen, command, env=environment, pass_fds=(theirs.fileno(), page), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            ).result()  # fmt: skip
            self.page = Page(page)
        finally:
            theirs.close()
            os.close(page)
        self.waiting: dict[int, Any] = {}  # items of its task without a result, by number
        self.outgoing = b""
        self._incoming = bytearray()

    def give(self, function: str, options: Mapping[str, Any], items: dict[int, Any]) -> None:
        """Begin a task; `send` writes it."""
        self.waiting = dict(items)
        task = {"function": function, "options": dict(options), "items": list(items.items())}
        self.outgoing = framed(pickle.dumps(task, protocol=pickle.HIGHEST_PROTOCOL))

    def send(self) -> None:
        """Write what fits, without waiting. A dead worker is noticed by `results`."""
        try:
            self.outgoing = self.outgoing[self.connection.send(self.outgoing) :]
        except BlockingIOError:
            return
        except OSError:
            self.outgoing = b""

    def results(self) -> tuple[list[list[Any]], bool, bool]:
        """New results, whether the task is over, and whether the worker is dead."""
        try:
            part = self.connection.recv(1 << 20)
        except BlockingIOError:
            return [], False, False
        except OSError:
            part = b""
        if not part:
            return [], False, True
        self._incoming += part
        lists = take_frames(self._incoming)
        ended = any(found and found[-1] == "end" for found in lists)
        results = [result for found in lists for result in found if result != "end"]
        for result in results:
            self.waiting.pop(result[0], None)
        return results, ended, False

    def how_it_died(self) -> str:
        code = self.process.wait()
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"the worker process died ({name})"

    def kill(self) -> None:
        """End it and whatever it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.connection.close()
        self.page.close()
