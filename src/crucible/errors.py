"""The one exception that is meant for a person rather than for a debugger."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can put right. The message is one line: what, where, what would be right."""


def nearest(name: str, known: Iterable[str]) -> str:
    """' (did you mean "x"?)' for the known name most like `name`, or '' when none is near."""
    match = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f' (did you mean "{match[0]}"?)' if match else ""
