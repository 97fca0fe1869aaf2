"""Bracketed whole-number formulas as trees: read, write, evaluate, reduce, normalise.

The reader is a shunting-yard with a stack of its own: brackets a thousand deep cost memory, not the
interpreter's recursion limit. Trees are walked recursively only where they were generated here or are
shallow enough (`MAX_OPERATIONS`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

MAX_OPERATIONS = 64  # a longer formula is not read
_TOKEN = re.compile(r"[0-9]+|[-+*/()]")
_RANK = {"+": 1, "-": 1, "*": 2, "/": 2}


@dataclass(frozen=True, slots=True)
class Node:
    operation: str
    left: Formula
    right: Formula


Formula = int | Node


def read(text: str) -> Formula | None:
    """The tree of `text`, or None when it is no formula. Numbers: no sign, no leading zeros, 9 digits.

    Left to right, * and / before + and -; brackets wherever they are well formed, `((3))` included.
    """
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != text or sum(token in _RANK for token in tokens) > MAX_OPERATIONS:
        return None
    values: list[Formula] = []
    waiting: list[str] = []

    def close(rank: int) -> None:
        while waiting and waiting[-1] != "(" and _RANK[waiting[-1]] >= rank:
            right, left = values.pop(), values.pop()
            values.append(Node(waiting.pop(), left, right))

    operand_next = True
    for token in tokens:
        if operand_next:
            if token == "(":
                waiting.append(token)
            elif token[0].isdigit() and len(token) <= 9 and (token == "0" or token[0] != "0"):
                values.append(int(token))
                operand_next = False
            else:
                return None
        elif token in _RANK:
            close(_RANK[token])
            waiting.append(token)
            operand_next = True
        elif token == ")":
            close(0)
            if not waiting:
                return None
            waiting.pop()
        else:
            return None
    if operand_next:
        return None
    close(0)
    return None if waiting else values[0]


def write(formula: Formula) -> str:
    """Text that `read` turns back into the same tree, with no more brackets than that takes."""
    if isinstance(formula, int):
        return str(formula)
    left, right = write(formula.left), write(formula.right)
    rank = _RANK[formula.operation]
    if isinstance(formula.left, Node) and _RANK[formula.left.operation] < rank:
        left = f"({left})"
    if isinstance(formula.right, Node) and _RANK[formula.right.operation] <= rank:
        right = f"({right})"
    return left + formula.operation + right


def operations(formula: Formula) -> int:
    return 0 if isinstance(formula, int) else 1 + operations(formula.left) + operations(formula.right)


def evaluate(formula: Formula) -> Fraction | None:
    """The exact value, or None where something is divided by zero."""
    if isinstance(formula, int):
        return Fraction(formula)
    left, right = evaluate(formula.left), evaluate(formula.right)
    if left is None or right is None:
        return None
    return apply(formula.operation, left, right)


def apply(operation: str, left: Fraction, right: Fraction) -> Fraction | None:
    if operation == "+":
        return left + right
    if operation == "-":
        return left - right
    if operation == "*":
        return left * right
    return left / right if right else None


def reduce(formula: Node) -> Formula:
    """One step of working: the first operation, left to right and innermost first, becomes its result.

    Only for formulas whose every part has a whole value of at least 0, as the generated ones have.
    """
    if isinstance(formula.left, Node):
        return Node(formula.operation, reduce(formula.left), formula.right)
    if isinstance(formula.right, Node):
        return Node(formula.operation, formula.left, reduce(formula.right))
    value = evaluate(formula)
    if value is None or value.denominator != 1 or value < 0:
        raise ValueError(f"{write(formula)} has no whole value of at least 0")
    return int(value)


def canonical(formula: Formula) -> str:
    """The same text for formulas that differ in brackets or order alone: a+(b-c) and b+a-c agree.

    Sums are flattened to a sorted list of signed terms and products to one of factors and divisors;
    nothing is multiplied out.
    """
    if isinstance(formula, int):
        return str(formula)
    parts: list[str] = []

    def collect(node: Formula, rank: int, opposite: bool) -> None:
        if isinstance(node, Node) and _RANK[node.operation] == rank:
            collect(node.left, rank, opposite)
            collect(node.right, rank, opposite != (node.operation in "-/"))
        else:
            parts.append(("-/"[rank - 1] if opposite else "+*"[rank - 1]) + canonical(node))

    collect(formula, _RANK[formula.operation], False)
    return f"({' '.join(sorted(parts))})"
