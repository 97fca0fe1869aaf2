"""Reads a worked sum, `7+8=15;15-6=9;9+2=11`, and says of every step what is right and what is not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# Whole numbers as the demonstrations write them: ASCII digits, no leading zeros, at most nine digits
# (so that converting the text a model made up is never costly).
_NUMBER = r"-?(?:0|[1-9][0-9]{0,8})"
_STEP = re.compile(rf"({_NUMBER})([+-])({_NUMBER})=({_NUMBER})")
_DIRECT = re.compile(rf"=({_NUMBER})")
_ANSWER = re.compile(_NUMBER)
_PARTS = 255  # a longer completion is not taken apart beyond this: its last part is then malformed
_TERM = re.compile(r"([+-])([0-9]+)")

Term = tuple[str, int]
"""A signed term of the sum: ("+" or "-", operand). The first term is always "+"."""


def terms_of(expression: str) -> list[Term]:
    """`7+8-6` -> [("+", 7), ("+", 8), ("-", 6)]."""
    return [(sign, int(digits)) for sign, digits in _TERM.findall("+" + expression)]


def apply(total: int, sign: str, operand: int) -> int:
    return total + operand if sign == "+" else total - operand


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a completion between semicolons; the flags are False where `well_formed` is."""

    text: str
    well_formed: bool  # reads a+b=c or a-b=c
    arithmetic_right: bool = False  # a+b is c
    total_right: bool = False  # a is the result written just before (first step: the first given number)
    operand_right: bool = False  # the sign and b are the next given ones
    left: int = 0
    term: Term = ("+", 0)
    result: int = 0

    @property
    def right(self) -> bool:
        return self.arithmetic_right and self.total_right and self.operand_right


@dataclass(frozen=True, slots=True)
class StepReport:
    """What a program can say of one completion. `expected_steps` is the number of operations given."""

    steps: tuple[Step, ...]
    expected_steps: int
    answer: str | None  # what follows the last "=", None when that is no whole number
    answer_right: bool
    direct: bool  # answered at once, `=11`
    well_formed: bool  # a direct answer, or steps and nothing else
    numbers_used_once: bool  # first operand and (sign, operand) of the steps are the given ones, in any order
    in_order: bool  # ... in the given order, each step starting from the result before it
    characters: int  # without surrounding white space

    @property
    def every_step_right(self) -> bool:
        """The whole working is the one right working."""
        return self.in_order and all(step.right for step in self.steps)


def check(terms: Sequence[Term], completion: str) -> StepReport:
    """Judge `completion` as the working of the sum of `terms` (at least two). Never raises.

    White space around the completion is ignored, none is allowed within. The answer is what follows
    the last "=" up to the end of the completion: `...=11;` or `...=11 ok` has no answer.
    """
    text = completion.strip()
    total = 0
    for sign, operand in terms:
        total = apply(total, sign, operand)
    direct = _DIRECT.fullmatch(text) is not None
    parts = text.split(";", _PARTS) if text and not direct else []
    steps: list[Step] = []
    before: int | None = terms[0][1]
    for i, part in enumerate(parts):
        following = terms[i + 1] if i + 1 < len(terms) else None
        step = _read(part, before, following)
        steps.append(step)
        before = step.result if step.well_formed else None
    formed = bool(steps) and all(step.well_formed for step in steps)
    _, equals, tail = text.rpartition("=")
    answer = tail if equals and _ANSWER.fullmatch(tail) else None
    used = formed and steps[0].left == terms[0][1] and sorted(s.term for s in steps) == sorted(terms[1:])
    return StepReport(
        steps=tuple(steps),
        expected_steps=len(terms) - 1,
        answer=answer,
        answer_right=answer == str(total),
        direct=direct,
        well_formed=direct or formed,
        numbers_used_once=used,
        in_order=used and all(step.total_right and step.operand_right for step in steps),
        characters=len(text),
    )


def _read(part: str, before: int | None, following: Term | None) -> Step:
    match = _STEP.fullmatch(part)
    if match is None:
        return Step(part, well_formed=False)
    left, operand, result = int(match[1]), int(match[3]), int(match[4])
    return Step(
        part,
        well_formed=True,
        arithmetic_right=apply(left, match[2], operand) == result,
        total_right=left == before,
        operand_right=(match[2], operand) == following,
        left=left,
        term=(match[2], operand),
        result=result,
    )
