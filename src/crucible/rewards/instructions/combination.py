"""Constraints on the whole of an answer."""

from __future__ import annotations

_DIVIDER = "******"


def two_responses(text: str) -> bool:
    """Two different answers with six asterisks between them, and no empty one in the middle."""
    parts = [part.strip() for part in text.split(_DIVIDER)]
    given = [part for part in parts if part]
    return all(parts[1:-1]) and len(given) == 2 and given[0] != given[1]


def repeat_prompt(text: str, *, prompt_to_repeat: str) -> bool:
    """It begins with the request, in any case."""
    return text.strip().lower().startswith(prompt_to_repeat.strip().lower())
