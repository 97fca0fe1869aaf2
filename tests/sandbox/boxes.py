"""Sandboxes for tests."""

from __future__ import annotations

from typing import Any

import pytest

from crucible.errors import UserError
from crucible.sandbox import Sandbox

PYTHONS = ("", "/usr/bin/python3")  # as root, one in a private folder cannot be read by the users programs run as


def started(**options: Any) -> Sandbox:
    """A sandbox that works here, or a skipped test that says why not."""
    refused = []
    for python in PYTHONS:
        try:
            box = Sandbox(**options, python=python)
            box.isolation()
            return box
        except UserError as error:
            refused.append(str(error))
    pytest.skip(refused[0])
