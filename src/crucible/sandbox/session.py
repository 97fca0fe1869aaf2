"""One program in one sandbox, from the parent's side: requests to its supervisor, results from it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from crucible.sandbox.errors import SandboxError
from crucible.sandbox.inside import frames
from crucible.sandbox.limits import Limits
from crucible.sandbox.report import Execution
from crucible.sandbox.warm import Supervisor

BACKSTOP_SECONDS = 30.0  # how long after its own limits a supervisor may stay silent before it counts as broken


class Session:
    """One run at a time. `give_back` takes the supervisor of a session that ended in order; else it ends, too."""

    def __init__(
        self,
        supervisor: Supervisor,
        limits: Limits,
        address_space: bool = True,
        give_back: Callable[[Supervisor], None] | None = None,
    ):
        self.supervisor, self.control, self.give_back = supervisor, supervisor.control, give_back
        self.limits, self.address_space = limits, address_space
        self.first, self.running = True, False
        self.sound = True  # every run so far has ended by itself or was stopped
        self.stdout = self.stderr = -1
        self.proc = True  # whether all its processes could be watched
        self.kept: list[str] = []  # files of the `keep` of earlier runs

    def start(
        self,
        role: str,
        *,
        source: str = "",
        filename: str = "program.py",
        command: Sequence[str] = (),
        files: Mapping[str, str] | None = None,
        keep: Sequence[str] = (),
        suite: Mapping[str, Any] | None = None,
        stdin: bytes = b"",
        rpc: socket.socket | None = None,
        **limits: float,
    ) -> None:
        """Fork the program. `limits` replace those of the session."""
        self.close_outputs()
        program, given = os.memfd_create("program"), os.memfd_create("stdin")
        self.stdout, self.stderr = os.memfd_create("stdout"), os.memfd_create("stderr")
        bounds = {**asdict(self.limits), "address_space": self.address_space, **limits}
        request = {
            "role": role, "filename": filename, "command": list(command), "keep": list(keep), "limits": bounds,
            "first": self.first,
        }  # fmt: skip
        self.first, self.running = False, True
        try:
            _fill(program, json.dumps({"source": source, "files": dict(files or {}), "suite": suite}).encode())
            _fill(given, stdin)
            descriptors = [program, given, self.stdout, self.stderr, *([rpc.fileno()] if rpc else [])]
            self.control.settimeout(bounds["wall_seconds"] + BACKSTOP_SECONDS)
            frames.send(self.control, request, descriptors)
        except OSError as error:
            raise SandboxError(self._reason(f"the supervisor of a sandbox is gone: {error}")) from None
        finally:
            os.close(program)
            os.close(given)

    def stop(self) -> None:
        """End the program now; its result follows."""
        try:
            frames.send(self.control, {"op": "stop"})
        except OSError:  # gone: result() says so
            return

    def result(self) -> Execution:
        """Wait for the end of the run. Every process of it is dead then."""
        try:
            got = frames.receive(self.control)
        except OSError as error:
            raise SandboxError(f"the supervisor of a sandbox does not answer: {error}") from None
        if got is None or "broken" in got[0]:
            raise SandboxError(got[0]["broken"] if got else "the supervisor of a sandbox ended without a word")
        answer = got[0]
        self.proc, self.kept, self.supervisor.pid = answer["proc"], answer["kept"], answer["pid"]
        self.running, self.sound = False, self.sound and answer["end"] in ("exited", "stopped")
        most = int(self.limits.output_kb * 1024)
        return Execution(
            ended=answer["end"],
            code=answer["code"],
            stdout=os.pread(self.stdout, most, 0),
            stderr=os.pread(self.stderr, most, 0),
            wall_seconds=answer["wall_s"],
            cpu_seconds=answer["cpu_s"],
            peak_mb=answer["peak_mb"],
        )

    def _reason(self, otherwise: str) -> str:
        """What a supervisor said before it ended."""
        try:
            got = frames.receive(self.control)
        except OSError:
            return otherwise
        return got[0].get("broken", otherwise) if got else otherwise

    def close_outputs(self) -> None:
        for descriptor in (self.stdout, self.stderr):
            if descriptor >= 0:
                os.close(descriptor)
        self.stdout = self.stderr = -1

    def close(self) -> None:
        """The end of the session, and of what still runs in it."""
        self.close_outputs()
        if self.sound and not self.running and self.give_back is not None:
            self.give_back(self.supervisor)
        else:
            self.supervisor.end()


def _fill(descriptor: int, body: bytes) -> None:
    rest = memoryview(body)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
