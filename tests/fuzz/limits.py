"""How much is tried: CRUCIBLE_FUZZ examples of each target (300; the costly ones a part of it), each within 5 s.

CRUCIBLE_FUZZ=20000 python -m pytest tests/fuzz        # an hour or so
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from crucible.errors import UserError

EXAMPLES = int(os.environ.get("CRUCIBLE_FUZZ", "300"))
SLOWEST_MS = 5_000  # of one example: no text may keep a verifier busy


def fuzzed(share: float = 1.0) -> Callable[[Any], Any]:
    """Marks a fuzz test. `share`: of the examples, for a target that takes long."""

    def wrap(test: Any) -> Any:
        limited = settings(
            max_examples=max(20, round(EXAMPLES * share)),
            deadline=SLOWEST_MS,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
            print_blob=True,
        )
        return pytest.mark.slow(limited(test))

    return wrap


def told(call: Callable[[], Any]) -> str:
    """What the user is told by a call that may refuse: "" where it did not. Anything but a UserError is a crash."""
    try:
        call()
    except UserError as error:
        return str(error)
    return ""
