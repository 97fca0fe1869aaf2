"""The three kinds of tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crucible.sandbox.errors import SuiteError
from crucible.sandbox.inside import values


@dataclass(frozen=True, slots=True)
class Asserts:
    """Python tests: asserts, test_*() functions, or a check(candidate) for the function named `entry_point`.

    `support` is trusted code the tests need (helpers, constants). Names in neither are the program's.
    """

    code: str
    entry_point: str = ""
    support: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """f(*args, **kwargs) == expected. Everything is plain data."""

    args: Sequence[Any]
    expected: Any
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of one function. `tolerance` is absolute and relative, for floats and what holds them in order."""

    function: str
    calls: Sequence[Call]
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        if not self.calls:
            raise SuiteError(f"calls of {self.function}: a suite without tests judges nobody")
        for call in self.calls:
            try:
                values.encode([call.args, call.expected, dict(call.kwargs)], values.refuse)
            except (TypeError, RecursionError) as error:
                raise SuiteError(f"calls of {self.function}: {error}") from None


@dataclass(frozen=True, slots=True)
class Stdio:
    """(stdin, expected stdout) pairs. Lines must be as many and equal; whitespace at line ends does not count."""

    cases: Sequence[tuple[str, str]]

    def __post_init__(self) -> None:
        if not self.cases:
            raise SuiteError("stdin/stdout tests: a suite without tests judges nobody")


Suite = Asserts | Calls | Stdio
