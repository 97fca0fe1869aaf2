"""The parent's hold on a program that answers calls: starts it, carries frames, finds out how it ended."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from crucible.sandbox.report import Execution, Outcome
from crucible.sandbox.session import Session
from crucible.sandbox.wire import Closed, Late, TooLong, Wire

if TYPE_CHECKING:
    from crucible.sandbox.sandbox import Sandbox

LOADED = b'{"loaded": true}'
Ending = tuple[Outcome, str]


class Candidate:
    """`count` calls are expected of it. It is started by the first exchange, and anew by the one after it ended."""

    def __init__(self, sandbox: Sandbox, program: str, count: int, deadline: float):
        self.sandbox, self.program, self.deadline = sandbox, program, deadline
        self.count = count
        self.wire: Wire | None = None
        self.session: Session | None = None
        self.wall = self.cpu = 0.0
        self.output = b""

    def start(self) -> Ending | None:
        """Load the program. None, or why that failed."""
        limits = self.sandbox.limits
        ours, theirs = socket.socketpair()
        with theirs:
            self.wire = Wire(ours)
            self.session = self.sandbox.session()
            self.session.start(
                "serve",
                source=self.program,
                filename=self.sandbox.language.filename,
                files={self.sandbox.language.filename: self.program},
                rpc=theirs,
                wall_seconds=max(1.0, self.deadline - time.monotonic() + 1.0),
                cpu_seconds=limits.cpu_seconds * (self.count + 1),
            )
        try:
            first = self.wire.read(self.until(), int(limits.output_kb * 1024))
        except (Closed, Late, TooLong) as error:
            return self.end(error)
        if first != LOADED:
            self.end(None)
            return raised(first, "while the program was loaded: ")
        return None

    def until(self) -> float:
        """When a step that begins now has to be over."""
        return min(time.monotonic() + self.sandbox.limits.wall_seconds, self.deadline)

    def read(self, until: float) -> bytes:
        assert self.wire is not None
        return self.wire.read(until, int(self.sandbox.limits.output_kb * 1024))

    def send(self, frame: bytes, until: float) -> None:
        assert self.wire is not None
        self.wire.send(frame, until)

    def end(self, because: Exception | None) -> Ending:
        """End its process. What that makes of the test that ran when `because` was raised."""
        assert self.session is not None
        assert self.wire is not None
        self.session.stop()
        execution = self.session.result()
        self._count(execution)
        self.close()
        if execution.ended not in ("stopped", "exited"):
            return cast(Outcome, execution.ended), limit_text(execution.ended)
        if isinstance(because, Late):
            return "timeout", limit_text("timeout")
        if isinstance(because, TooLong):
            return "output", "the value it returned is larger than output_kb"
        how = f"signal {-execution.code}" if execution.code < 0 else f"exit code {execution.code}"
        return "error", f"the program ended its process ({how}) before the test was over"

    def _count(self, execution: Execution) -> None:
        self.wall += execution.wall_seconds
        self.cpu += execution.cpu_seconds
        self.output = (self.output + execution.stdout + execution.stderr)[:2000]

    def close(self) -> None:
        """Let go. The supervisor then ends what is left."""
        with contextlib.ExitStack() as stack:
            ends: list[Callable[[], None]] = [part.close for part in (self.wire, self.session) if part is not None]
            for end in ends:
                stack.callback(end)
        self.wire = self.session = None


def raised(frame: bytes, where: str = "") -> Ending:
    """The outcome of an exception the program reports; of anything else it may have written."""
    try:
        name, _, text = json.loads(frame)["raised"]
        if isinstance(name, str) and isinstance(text, str):
            return ("memory" if name == "MemoryError" else "error"), f"{where}{name}: {text}"[:500]
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    return "error", f"{where}the program did not answer in the agreed form"


def limit_text(ended: str) -> str:
    return {"timeout": "ran longer than wall_seconds", "cpu": "used more than cpu_seconds",
            "memory": "used more than memory_mb", "output": "wrote more than output_kb or file_mb",
            "disk": "wrote more than scratch_mb"}[ended]  # fmt: skip
