"""Tests are parsed in threads, side by side."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from crucible.data.programs.forms import form
from crucible.sandbox import Asserts
from crucible.sandbox.simple import as_calls


@pytest.fixture
def often() -> Iterator[None]:
    """Threads change and garbage goes all the time, which is when two parsers met."""
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(5)
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*threshold)


class Garbage:
    """Runs code of its own when it is collected, wherever that is."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        sum(range(50))


def test_threads_may_parse_at_once(often) -> None:
    tests = "\n".join(f"assert f([{i}, [1, [2, [3]]]]) == [{i}, {{'a': [1]}}]" for i in range(30))

    def both(_: int) -> tuple[bool, str]:
        Garbage()
        return as_calls(Asserts(tests, entry_point="f")) is not None, form(tests)

    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(both, range(80)))
    assert len(found) == 1
    assert found.pop()[0]
