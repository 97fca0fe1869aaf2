"""The sandbox for programs written by models. See docs/sandbox.md."""

from crucible.sandbox.completion import last_code_block, program_of
from crucible.sandbox.errors import SandboxError, SuiteError
from crucible.sandbox.isolation import Isolation
from crucible.sandbox.limits import Limits
from crucible.sandbox.report import Execution, Report, Test
from crucible.sandbox.sandbox import Sandbox
from crucible.sandbox.suites import Asserts, Call, Calls, Stdio

__all__ = [
    "Asserts",
    "Call",
    "Calls",
    "Execution",
    "Isolation",
    "Limits",
    "Report",
    "Sandbox",
    "SandboxError",
    "Stdio",
    "SuiteError",
    "Test",
    "last_code_block",
    "program_of",
]
