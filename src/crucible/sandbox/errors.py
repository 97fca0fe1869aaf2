"""Two failures that are not the program's."""

from __future__ import annotations

from crucible.errors import UserError


class SuiteError(UserError):
    """A suite that can judge nobody: no tests, tests that do not parse, or that need what cannot be expressed."""


class SandboxError(Exception):
    """The sandbox itself broke. Says nothing about the program; never counted as a failed test."""
