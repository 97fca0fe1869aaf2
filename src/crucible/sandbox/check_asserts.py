"""Python tests against a program in another process. This one carries frames between the two and keeps the clock.

tests' process   clean, trusted: runs the tests; the program's functions are stand-ins there   (inside/judge.py)
candidate        loads the program, answers calls with plain data                              (inside/serve.py)

What the candidate writes reaches only the tests' process, as the answer to a call: it cannot speak to this one.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from typing import TYPE_CHECKING, Any, cast

from crucible.sandbox.candidate import Candidate, limit_text
from crucible.sandbox.errors import SandboxError, SuiteError
from crucible.sandbox.report import Outcome, Report, Test
from crucible.sandbox.suites import Asserts
from crucible.sandbox.wire import Closed, Late, TooLong, Wire

if TYPE_CHECKING:
    from crucible.sandbox.sandbox import Sandbox

GRACE_SECONDS = 1.0  # for the tests' process to report that a call was given up
TRUSTED_FRAME = 64 << 20


class _Tests:
    """The tests' process and what it has said so far."""

    def __init__(self, sandbox: Sandbox, suite: Asserts, deadline: float):
        ours, theirs = socket.socketpair()
        with theirs:
            self.wire = Wire(ours)
            self.session = sandbox.session()
            request = {"code": suite.code, "entry_point": suite.entry_point, "support": suite.support}
            wall = deadline - time.monotonic() + 2.0
            self.session.start("tests", suite=request, rpc=theirs, wall_seconds=wall, cpu_seconds=wall)
        self.names: list[str] = []
        self.found: dict[int, tuple[Outcome, str]] = {}
        self.running = 0
        self.done = False

    def hear(self, message: dict[str, Any]) -> None:
        if "problem" in message:
            raise SuiteError(message["problem"])
        if "tests" in message:
            self.names = [" ".join(name.split())[:200] for name in message["tests"]]
            if not self.names:
                raise SuiteError("no assert, test function or check: a suite without tests judges nobody")
        elif "begin" in message:
            self.running = message["begin"]
        elif "end" in message:
            self.found[message["end"]] = message["outcome"], message["text"]
        elif "all" in message:
            self.rest(message["all"], message["text"])
        self.done = "done" in message or "all" in message

    def rest(self, outcome: Outcome, text: str) -> None:
        """The same for every test that has no outcome yet."""
        for number in range(len(self.names)):
            self.found.setdefault(number, (outcome, text))

    def close(self) -> None:
        self.wire.close()
        self.session.close()


def check_asserts(sandbox: Sandbox, program: str, suite: Asserts) -> Report:
    """Every test has its own wall time. A program that ends in one test is started anew for the next."""
    started = time.monotonic()
    deadline = started + sandbox.limits.suite_seconds
    tests = _Tests(sandbox, suite, deadline)
    candidate = Candidate(sandbox, program, 1 + suite.code.count("\n"), deadline)
    try:
        while not tests.done:
            _test(sandbox, tests, candidate)
        if candidate.session is not None:
            candidate.end(None)
        tests.session.stop()
        tests.session.result()
    finally:
        candidate.close()
        tests.close()
    found = tuple(Test(name, *tests.found[number]) for number, name in enumerate(tests.names))
    return Report(found, time.monotonic() - started, candidate.cpu, candidate.output.decode(errors="replace"))


def _test(sandbox: Sandbox, tests: _Tests, candidate: Candidate) -> None:
    """Carry frames until one test has begun or ended, or its time is over."""
    until = candidate.until()
    while not tests.done:
        try:
            frame = tests.wire.read(until, TRUSTED_FRAME)
        except Late:
            tests.found[tests.running] = "timeout", limit_text("timeout")
            tests.rest("timeout", "an earlier test did not end")
            _require_names(tests, "the tests did not begin in time")
            tests.done = True
            return
        except Closed:
            _tests_ended(tests)
            return
        if frame[:1] == b"!":
            tests.hear(json.loads(frame[1:]))
            return
        _ask(tests, candidate, frame[1:], until)
        until = max(until, time.monotonic() + GRACE_SECONDS)


def _ask(tests: _Tests, candidate: Candidate, frame: bytes, until: float) -> None:
    """One frame to the candidate, one back; or word that it has gone."""
    ending = candidate.start() if candidate.session is None else None
    if ending is None:
        try:
            candidate.send(frame, until)
            answer = b">" + candidate.read(until)
        except (Late, Closed, TooLong) as error:
            ending = candidate.end(error)
    if ending is not None:
        answer = b"!" + json.dumps({"gone": ending[0], "text": ending[1]}).encode()
    with contextlib.suppress(Late, Closed):  # then the next read finds out
        tests.wire.send(answer, time.monotonic() + GRACE_SECONDS)


def _tests_ended(tests: _Tests) -> None:
    """The tests' process went without a word: a limit it ran into, or tests that end their own process."""
    tests.session.stop()
    execution = tests.session.result()
    if execution.ended in ("exited", "stopped"):
        last = execution.stderr.decode(errors="replace").strip().rpartition("\n")[2][:300]
        raise SuiteError(f"the tests ended their own process, exit code {execution.code} {last}".rstrip())
    _require_names(tests, "the tests' process ran into a limit before the first test")
    tests.rest(cast(Outcome, execution.ended), f"in the tests' process: {limit_text(execution.ended)}")
    tests.done = True


def _require_names(tests: _Tests, text: str) -> None:
    if not tests.names:
        raise SandboxError(text)
