"""Conditions on a point of a sweep, e.g. `algo == "ce_gppo" and algo.loss.beta1 >= algo.loss.beta2`.

A dotted name is a value of the composed config; where the config holds a group there, it is the
chosen option (`algo`, `algo.loss`, `model`). Comparisons, `in`, and/or/not, + - * /, numbers,
strings and lists may be used; nothing else is evaluated.
"""

from __future__ import annotations

import ast
import functools
import operator
from collections.abc import Callable, Mapping
from typing import Any

from crucible.errors import UserError, nearest

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def holds(condition: str, config: Mapping[str, Any], choices: Mapping[str, str | None]) -> bool:
    """Whether `condition` is true of a point. `choices`: {"algo.loss": "algo/loss/ppo_clip"}."""
    try:
        return bool(_value(_parse(condition), config, choices))
    except (TypeError, ZeroDivisionError) as error:
        raise UserError(f"condition {condition!r}: {error}") from None


@functools.cache
def _parse(condition: str) -> ast.expr:
    try:
        return ast.parse(condition, mode="eval").body
    except (SyntaxError, ValueError) as error:  # ValueError: a null byte, before Python 3.11.4
        raise UserError(f"condition {condition!r}: {getattr(error, 'msg', error)}") from None


def _value(node: ast.expr, config: Mapping[str, Any], choices: Mapping[str, str | None]) -> Any:
    def value(inner: ast.expr) -> Any:
        return _value(inner, config, choices)

    match node:
        case ast.Constant():
            return node.value
        case ast.List() | ast.Tuple():
            return [value(item) for item in node.elts]
        case ast.Name() | ast.Attribute():
            return _look_up(_dotted(node), config, choices)
        case ast.BoolOp(op=ast.And()):
            return all(value(item) for item in node.values)
        case ast.BoolOp():
            return any(value(item) for item in node.values)
        case ast.UnaryOp(op=ast.Not()):
            return not value(node.operand)
        case ast.UnaryOp(op=ast.USub()):
            return -value(node.operand)
        case ast.BinOp() if type(node.op) in _ARITHMETIC:
            return _ARITHMETIC[type(node.op)](value(node.left), value(node.right))
        case ast.Compare() if all(type(op) in _COMPARE for op in node.ops):
            operands = [value(node.left), *(value(item) for item in node.comparators)]
            pairs = zip(node.ops, operands, operands[1:], strict=False)
            return all(_COMPARE[type(op)](left, right) for op, left, right in pairs)
    raise UserError(f"a condition cannot use {ast.unparse(node)!r}: only comparisons, and/or/not, + - * /")


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    raise UserError(f"a condition cannot use {ast.unparse(node)!r}: names are dotted config keys")


def _look_up(path: str, config: Mapping[str, Any], choices: Mapping[str, str | None]) -> Any:
    node: Any = config
    for depth, key in enumerate(path.split(".")):
        if not isinstance(node, Mapping) or key not in node:
            at = ".".join(path.split(".")[:depth]) or "the config"
            known = list(node) if isinstance(node, Mapping) else []
            raise UserError(f"condition: {at} has no {key!r}{nearest(key, known)}")
        node = node[key]
    if isinstance(node, Mapping):
        if path not in choices:
            raise UserError(f"condition: {path} is neither a value nor a group with options")
        return str(choices[path]).rpartition("/")[2]
    return node
