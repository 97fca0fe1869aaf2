"""A program ready to run: compiled, where its language has a compiler."""

from __future__ import annotations

from dataclasses import replace

from crucible.sandbox.languages import Language
from crucible.sandbox.report import Execution
from crucible.sandbox.session import Session


class Prepared:
    """Every run is a new process in a new scratch folder; `failure` is the compiler's Execution where it refused."""

    def __init__(self, session: Session, language: Language, program: str):
        self.session, self.language = session, language
        self.program = program
        self.files = {language.filename: program}
        self.failure: Execution | None = None
        if language.compile:
            self._compile()

    def _compile(self) -> None:
        seconds = self.session.limits.compile_seconds
        self.session.start(
            "program",
            command=self.language.compile,
            files=self.files,
            keep=[self.language.artifact],
            wall_seconds=seconds,
            cpu_seconds=seconds,
        )
        execution = self.session.result()
        if not execution.ok:
            self.failure = execution
        elif self.language.artifact not in self.session.kept:
            self.failure = replace(execution, code=1, stderr=b"the compiler made no " + self.language.artifact.encode())
        self.files = {}

    def run(self, stdin: str) -> Execution:
        language = self.language
        given = stdin.encode(errors="surrogatepass")
        if language.warm:
            name = language.filename
            self.session.start("program", source=self.program, filename=name, files=self.files, stdin=given)
            return self.session.result()
        self.session.start("program", command=language.execute, files=self.files, stdin=given)
        return self.session.result()

    def failure_text(self) -> str:
        assert self.failure is not None
        said = (self.failure.stderr or self.failure.stdout).decode(errors="replace").strip()
        return f"does not compile: {said[:400]}" if said else f"the compiler ended with {self.failure.ended}"
