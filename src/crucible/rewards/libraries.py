"""Libraries that only some rewards need."""

from __future__ import annotations

import functools
import importlib.util

from crucible.errors import UserError


@functools.cache
def required(module: str, package: str) -> None:
    """UserError with what to install where `module` cannot be found. Nothing is imported."""
    if importlib.util.find_spec(module) is None:
        raise UserError(f"{module} is not installed; it comes with: pip install '{package}'")
