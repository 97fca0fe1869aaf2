"""Programs that read stdin and write stdout, in any language: a fresh process for each input, compared out here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from crucible.sandbox.candidate import limit_text
from crucible.sandbox.compare import same_output
from crucible.sandbox.report import Execution, Outcome, Report, Test
from crucible.sandbox.suites import Stdio

if TYPE_CHECKING:
    from crucible.sandbox.sandbox import Sandbox


def check_stdio(sandbox: Sandbox, program: str, suite: Stdio) -> Report:
    """Compiled once. A right output counts only with exit code 0."""
    started = time.monotonic()
    tests: list[Test] = []
    cpu, output = 0.0, b""
    with sandbox.prepared(program) as prepared:
        for given, expected in suite.cases:
            name = f"stdin {given[:60]!r}"
            if prepared.failure is not None:
                tests.append(Test(name, "error", prepared.failure_text()))
            elif time.monotonic() - started > sandbox.limits.suite_seconds:
                tests.append(Test(name, "timeout", "the suite ran longer than suite_seconds"))
            else:
                execution = prepared.run(given)
                cpu += execution.cpu_seconds
                output = (output + execution.stdout + execution.stderr)[:2000]
                tests.append(Test(name, *verdict(execution, expected)))
    return Report(tuple(tests), time.monotonic() - started, cpu, output.decode(errors="replace"))


def verdict(execution: Execution, expected: str) -> tuple[Outcome, str]:
    if execution.ended != "exited":
        return cast(Outcome, execution.ended), limit_text(execution.ended)
    if execution.code:
        last = execution.stderr.decode(errors="replace").strip().rpartition("\n")[2][:300]
        memory = any(word in last for word in ("MemoryError", "bad_alloc", "out of memory", "OutOfMemoryError"))
        how = f"signal {-execution.code}" if execution.code < 0 else f"exit code {execution.code}"
        return "memory" if memory else "error", f"{how}: {last}" if last else how
    actual = execution.stdout.decode(errors="replace")
    return ("passed", "") if same_output(actual, expected) else ("failed", f"printed {actual[:200]!r}")
