"""Runs programs on tests: in the sandbox, in a process of each program's own, several at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from crucible.errors import UserError
from crucible.sandbox import Limits, Sandbox, SandboxError, SuiteError
from crucible.sandbox.formats import suite_of

# The sandbox's own words are finer; here a limit on time is a time-out, any other an error. Neither passes.
_OUTCOMES = {"passed": "passed", "failed": "failed", "timeout": "timeout", "cpu": "timeout"}


@dataclass(frozen=True, slots=True)
class Job:
    """A program and suites to run it on: {name: (tests, support)}."""

    program: str
    entry_point: str
    suites: Mapping[str, tuple[Any, str]]


@dataclass(frozen=True, slots=True)
class Result:
    """Outcomes of each suite (none of one that does not run at all: `problem`), and the seconds of the processes."""

    outcomes: dict[str, list[str]]
    seconds: float
    problem: str = ""


class Executor:
    """`workers` programs at a time. `test_seconds` of wall and CPU time for a test, `suite_seconds` for a suite.

    Errors: UserError for a language without a runner, limits that make no sense, and a sandbox that broke: a program
    is never judged by that.
    """

    def __init__(
        self, *, language: str = "python", workers: int = 2, test_seconds: float = 2.0, suite_seconds: float = 20.0,
        memory_mb: float = 256.0, isolation: str = "auto",
    ):  # fmt: skip
        if workers < 1:
            raise UserError(f"workers={workers}: at least 1")
        self.language, self.workers = language, workers
        limits = Limits(
            wall_seconds=test_seconds, cpu_seconds=test_seconds, suite_seconds=suite_seconds, memory_mb=memory_mb
        )
        self.box = Sandbox(limits=limits, language=language, isolation=isolation)

    def run(self, jobs: Sequence[Job]) -> list[Result]:
        """In the order of the jobs; equal jobs are run once."""
        once = {repr(job): job for job in jobs}
        with ThreadPoolExecutor(self.workers, thread_name_prefix="sandbox") as threads:
            found = dict(zip(once, threads.map(self._one, once.values()), strict=True))
        return [found[repr(job)] for job in jobs]

    def close(self) -> None:
        self.box.close()

    def _one(self, job: Job) -> Result:
        outcomes: dict[str, list[str]] = {}
        seconds, problem = 0.0, ""
        waiting = _together(job.suites)
        while waiting:
            names, tests, support = waiting.pop(0)
            try:
                found, spent = self._check(job, tests, support)
            except SuiteError as error:
                if len(names) > 1:  # which of them is it?
                    waiting += [([name], *job.suites[name]) for name in names]
                    continue
                found, spent, problem = [], 0.0, str(error)
            seconds += spent
            for name in names:
                outcomes[name] = [found[tests.index(test)] for test in job.suites[name][0]] if len(names) > 1 else found
        return Result(outcomes, seconds, problem)

    def _check(self, job: Job, tests: Any, support: str) -> tuple[list[str], float]:
        if isinstance(tests, list) and not tests:
            return [], 0.0
        try:
            report = self.box.check(job.program, suite_of(tests, job.entry_point, support))
        except SandboxError as error:
            raise UserError(f"the sandbox broke, which says nothing about the program: {error}; run it again") from None
        return [_OUTCOMES.get(test.outcome, "error") for test in report.tests], report.wall_seconds


def _together(suites: Mapping[str, tuple[Any, str]]) -> list[tuple[list[str], Any, str]]:
    """Suites that are lists of asserts without support share one process: (names, tests, support)."""
    plain = [name for name, (tests, support) in suites.items() if isinstance(tests, list) and tests and not support]
    found: list[tuple[list[str], Any, str]] = []
    if plain:
        found.append((plain, list(dict.fromkeys(test for name in plain for test in suites[name][0])), ""))
    return found + [([name], tests, support) for name, (tests, support) in suites.items() if name not in plain]
