"""Checks of a task's dials: a bad value is refused in one line before anything is generated."""

from __future__ import annotations

from crucible.errors import UserError


def whole(task: str, name: str, value: object, low: int, high: int | None = None) -> int:
    """`value` as an int in low..high, or UserError. True and 3.0 are not whole numbers."""
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= (high or value):
        return value
    span = f"of at least {low}" if high is None else f"from {low} to {high}"
    raise UserError(f"data={task}: {name} is {value!r}; it must be a whole number {span}")


def share(task: str, name: str, value: object, *, open_ends: bool = False) -> float:
    """`value` as a float in [0, 1], or in (0, 1) with `open_ends`."""
    number = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else -1.0
    if 0 < number < 1 or (number in (0, 1) and not open_ends):
        return number
    kind = "strictly between 0 and 1" if open_ends else "from 0 to 1"
    raise UserError(f"data={task}: {name} is {value!r}; it must be a share {kind}")


def operations(task: str, value: object, allowed: str) -> str:
    """`value` as a non-empty string of different characters of `allowed`."""
    if not isinstance(value, str) or not value or set(value) - set(allowed) or len(set(value)) != len(value):
        raise UserError(f'data={task}: operations is {value!r}; it must be some of "{allowed}", each at most once')
    return value
