"""Runs programs nobody has read, and judges them where they cannot interfere."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from crucible.errors import UserError
from crucible.sandbox import languages
from crucible.sandbox.errors import SandboxError
from crucible.sandbox.isolation import Isolation
from crucible.sandbox.limits import Limits
from crucible.sandbox.prepared import Prepared
from crucible.sandbox.report import Execution, Report
from crucible.sandbox.session import Session
from crucible.sandbox.simple import as_calls
from crucible.sandbox.suites import Asserts, Calls, Stdio, Suite
from crucible.sandbox.warm import Supervisor, Warm
from crucible.sandbox.zygote import Zygote

LEVELS = ("auto", "namespaces", "process")


class Sandbox:
    """A few warm processes and any number of runs, from any thread, several at a time.

    `isolation`: "namespaces" is refused where the machine has none; "process" uses none; "auto" takes what there is:
    `isolation()` then says what is in force. `readable`: further paths of this machine that programs may read.
    `python`: the interpreter (3.11 or later) of Python programs; "" is the one that runs Crucible.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        language: str = "python",
        isolation: str = "auto",
        readable: Sequence[str] = (),
        python: str = "",
    ):
        if isolation not in LEVELS:
            raise UserError(f"sandbox isolation={isolation} must be one of {', '.join(LEVELS)}")
        self.limits, self.language = limits or Limits(), languages.load(language)
        self.language.require()
        self._level, self._readable = isolation, [*readable, *self.language.readable]
        for path in readable:
            if not os.path.isabs(path) or not os.path.exists(path):
                raise UserError(f"sandbox readable: {path} must be an absolute path that exists")
        if python and not os.access(python, os.X_OK):
            raise UserError(f"sandbox python: {python} is not an interpreter on this machine")
        self._python = python
        self._lock = threading.Lock()
        self._zygote: Zygote | None = None
        self._isolation: Isolation | None = None
        self.warm = Warm(lambda: self._started().session())

    def run(self, program: str, stdin: str = "") -> Execution:
        """Run the program once. One that does not compile gives the compiler's Execution."""
        with self.prepared(program) as prepared:
            return prepared.failure or prepared.run(stdin)

    def check(self, program: str, suite: Suite) -> Report:
        """The outcome of every test. Errors: SuiteError for the suite's faults, SandboxError for the sandbox's own."""
        from crucible.sandbox.check_asserts import check_asserts
        from crucible.sandbox.check_calls import check_calls
        from crucible.sandbox.check_stdio import check_stdio

        if isinstance(suite, Stdio):
            return check_stdio(self, program, suite)
        if not self.language.warm:
            raise UserError(
                f"sandbox language {self.language.name}: {type(suite).__name__} need python; other languages are "
                "judged by Stdio"
            )
        if isinstance(suite, Calls):
            return check_calls(self, program, suite)
        assert isinstance(suite, Asserts)
        simple = as_calls(suite)
        return check_calls(self, program, *simple) if simple else check_asserts(self, program, suite)

    @contextmanager
    def prepared(self, program: str) -> Iterator[Prepared]:
        """The program, compiled where its language asks for it, to be run several times."""
        session = self.session()
        try:
            yield Prepared(session, self.language, program)
        finally:
            session.close()

    def session(self) -> Session:
        return Session(self.warm.take(), self.limits, self.language.address_space, self.warm.give_back)

    def isolation(self) -> Isolation:
        """What is in force here."""
        self._started()
        assert self._isolation is not None
        return self._isolation

    def _started(self) -> Zygote:
        with self._lock:
            if self._zygote is None:
                wanted = [True, False] if self._level == "auto" else [self._level == "namespaces"]
                why = "asked for"
                for namespaces in wanted:
                    zygote = Zygote({"namespaces": namespaces}, self._readable, self._python)
                    try:
                        self._isolation = _try(zygote, namespaces, "" if namespaces else why)
                        self._zygote = zygote
                        break
                    except SandboxError as error:
                        zygote.close()
                        why = str(error)
                        if namespaces is wanted[-1]:
                            raise UserError(f"sandbox isolation={self._level}: not on this machine: {why}") from None
            assert self._zygote is not None
            return self._zygote

    def close(self) -> None:
        """End the warm processes and with them everything that still runs in their sandboxes."""
        self.warm.close()
        with self._lock:
            if self._zygote is not None:
                self._zygote.close()
                self._zygote = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _try(zygote: Zygote, namespaces: bool, why: str) -> Isolation:
    """Run a program that does next to nothing. Errors: SandboxError where that does not work here."""
    session = Session(Supervisor(zygote.session()), Limits())
    try:
        session.start("program", source="import encodings.idna")
        execution = session.result()
    finally:
        session.close()
    if not execution.ok:
        said = execution.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise SandboxError(f"a program that only imports fails in it (can other users read the interpreter?): {said}")
    features = zygote.features
    return Isolation(namespaces, bool(features["seccomp"]), features["landlock"], session.proc, os.geteuid() == 0, why)
