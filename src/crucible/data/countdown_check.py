"""Follows the steps of a countdown answer, `36-19=17;17*3=51`, over the numbers still on the table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

# At most nine digits: what a model made up is never costly to convert.
_STEP = re.compile(r"(0|[1-9][0-9]{0,8})([-+*/])(0|[1-9][0-9]{0,8})=(0|[1-9][0-9]{0,8})")
_PARTS = 255  # a longer completion is not taken apart beyond this: its last part is then malformed


def combine(left: int, operation: str, right: int) -> int | None:
    """The result of one operation, or None when it is not a whole number of at least 0."""
    if operation == "+":
        return left + right
    if operation == "*":
        return left * right
    if operation == "-":
        return left - right if left >= right else None
    return left // right if right and left % right == 0 else None


@dataclass(frozen=True, slots=True)
class Move:
    """One part of a completion between semicolons; the flags are False where `well_formed` is."""

    text: str
    well_formed: bool
    arithmetic_right: bool = False  # and the operation is allowed
    available: bool = False  # both numbers were still on the table


@dataclass(frozen=True, slots=True)
class CountdownReport:
    moves: tuple[Move, ...]
    answer: str | None  # the result of the last step, None when that is no step
    reaches_target: bool  # the last result is the target, whatever the steps before
    uses_all_once: bool  # the steps are possible one after the other and leave one number on the table

    @property
    def correct(self) -> bool:
        return self.reaches_target and self.uses_all_once and all(m.arithmetic_right for m in self.moves)


def check(numbers: Sequence[int], target: int, completion: str, operations: str = "+-*/") -> CountdownReport:
    """Judge `completion` as a way from `numbers` to `target`. Never raises.

    Steps `a+b=c` are joined by ";"; white space around the completion is ignored, none is allowed
    within. Each step takes two numbers off the table and puts its result, as written, on it. Results
    are whole numbers of at least 0. Each given number is used exactly once, as in TinyZero's countdown.
    """
    text = completion.strip()
    table = Counter(numbers)
    moves: list[Move] = []
    answer = None
    for part in text.split(";", _PARTS) if text else []:
        match = _STEP.fullmatch(part)
        if match is None:
            moves.append(Move(part, well_formed=False))
            answer = None
            continue
        left, right, result = int(match[1]), int(match[3]), int(match[4])
        taken = Counter((left, right))
        available = taken <= table
        if available:
            table = table - taken + Counter((result,))
        allowed = match[2] in operations
        moves.append(Move(part, True, allowed and combine(left, match[2], right) == result, available))
        answer = match[4]
    return CountdownReport(
        moves=tuple(moves),
        answer=answer,
        reaches_target=answer == str(target),
        uses_all_once=bool(moves) and all(m.available for m in moves) and table.total() == 1,
    )
