"""The one exception that is meant for a person rather than for a debugger, and two helps to give it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class UserError(Exception):
    """Something the user can put right. The message is one line: what, where, what would be right."""


def nearest(name: str, known: Iterable[str]) -> str:
    """' (did you mean "x"?)' for the known name most like `name`, or '' when none is near."""
    match = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f' (did you mean "{match[0]}"?)' if match else ""


def expanded(path: str) -> Path:
    """A path with ~ replaced by the home directory. Errors: UserError where there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(f"{path}: {str(error).lower().rstrip('.')}; set HOME, or write the whole path") from None
