"""What a program is worth by the tests it passes, run in the sandbox (docs/sandbox.md)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal

from crucible.errors import UserError, nearest
from crucible.rewards.base import per_sample
from crucible.types import Completion, Prompt

if TYPE_CHECKING:
    from crucible.sandbox import Sandbox

MODES = ("binary", "fraction", "threshold")


def _check(
    *, tau: float = 1.0, mode: str = "binary", language: str = "python", test_seconds: float = 5.0,
    suite_seconds: float = 30.0, memory_mb: float = 512.0, timeout: float = 60.0, **_: Any,
) -> None:  # fmt: skip
    from crucible.sandbox import Limits, languages

    if mode not in MODES:
        raise UserError(f"reward.mode is {mode!r}{nearest(mode, MODES)}; it must be one of {', '.join(MODES)}")
    if not 0 < tau <= 1:
        raise UserError(f"reward.tau={tau} must be above 0 and at most 1")
    if timeout < suite_seconds + 10:
        raise UserError(
            f"reward.timeout={timeout} must be at least suite_seconds + 10 = {suite_seconds + 10:g}: a slow program "
            "has failed, and only the sandbox can tell that from a lost worker"
        )
    Limits(wall_seconds=test_seconds, cpu_seconds=test_seconds, suite_seconds=suite_seconds, memory_mb=memory_mb)
    languages.load(language).require()


@per_sample(needs=["tests"], check=_check)
def unit_tests(
    prompt: Prompt,
    completion: Completion,
    *,
    tau: float = 1.0,
    mode: Literal["binary", "fraction", "threshold"] = "binary",
    language: str = "python",
    test_seconds: float = 5.0,
    suite_seconds: float = 30.0,
    memory_mb: float = 512.0,
    isolation: Literal["auto", "namespaces", "process"] = "auto",
    timeout: float = 60.0,
) -> float | None:
    """V = passed tests / tests. binary: 1[V >= tau]; fraction: V; threshold: V where V >= tau, else 0.

    V and tau: Verification Limits (arXiv 2509.20837), D(tau) = {s: V(s; T) >= tau}, usual practice tau = 1 (known to us
    from a third-party note; the paper's grid of tau was not found, 0.6 to 0.8 are named as better than 1). threshold:
    open-instruct's CodeVerifier. test_seconds: open-r1's 5 s; the other limits are ours.
    Differs from open-r1: "all passed" is exact, not p > 0.99, and stdout must have as many lines as expected.

    The program is the last code block, or what reference "program" says (`crucible.sandbox.program_of`). reference
    "tests": see `crucible.sandbox.formats.suite_of`; "entry_point" and "support" beside it where tests need them.
    0 for a completion without a program, and for a program that ends, hangs or crashes. No verdict (abstains) for a
    suite that can judge nobody: no tests, tests that do not parse. A failure of the sandbox is an error.
    """
    from crucible.sandbox import SuiteError, program_of
    from crucible.sandbox.formats import suite_of

    box = _box(language, test_seconds, suite_seconds, memory_mb, isolation)
    reference = prompt.reference
    try:
        suite = suite_of(reference["tests"], reference.get("entry_point", ""), reference.get("support", ""))
        report = box.check(program_of(completion.text, language, reference.get("program")), suite)
    except SuiteError:
        return None
    if mode != "fraction" and report.passed < tau * report.total - 1e-9:
        return 0.0
    return 1.0 if mode == "binary" else report.fraction


@functools.lru_cache(maxsize=4)
def _box(language: str, test_seconds: float, suite_seconds: float, memory_mb: float, isolation: str) -> Sandbox:
    """One warm sandbox a worker; it ends with it."""
    from crucible.sandbox import Limits, Sandbox

    limits = Limits(
        wall_seconds=test_seconds, cpu_seconds=test_seconds, suite_seconds=suite_seconds, memory_mb=memory_mb
    )
    return Sandbox(limits=limits, language=language, isolation=isolation)
