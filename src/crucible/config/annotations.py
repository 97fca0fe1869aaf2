"""What an annotation allows, for the plain values a config can hold.

`float | None`, `Literal["a", "b"]`, `list[int]`, `Mapping[str, float]`, a class, an alias of these in
the same file or imported: each becomes a tuple of `Kind`s, any of which a value may match.
"""

from __future__ import annotations

import ast
import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from crucible.config.bounds import outside
from crucible.config.source import Module, define
from crucible.errors import nearest

SCALARS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "None": "null",
}
WORDS = SCALARS | {"list": "a list", "mapping": "a mapping"}
_LISTS = {"list", "List", "Sequence", "Iterable", "Collection", "tuple", "Tuple", "set", "frozenset"}
_MAPPINGS = {"dict", "Dict", "Mapping", "MutableMapping"}
_PATHS = {"Path", "PathLike", "PurePath"}


@dataclass(frozen=True)
class Kind:
    """One alternative. `name`: a key of SCALARS, "literal", "list", "mapping", "part" or "any"."""

    name: str
    values: tuple[Any, ...] = ()  # of a literal
    inner: ast.expr | None = None  # annotation of the items of a list, or of the values of a mapping
    scope: Module | None = None  # where `inner`, or the class of a part, is to be looked up
    label: str = ""
    bounds: str = ""  # of a number: crucible.config.bounds


@functools.cache
def kinds(annotation: ast.expr | None, scope: Module) -> tuple[Kind, ...]:
    """The alternatives of an annotation; no annotation allows anything."""
    return tuple(_kinds(annotation, scope)) if annotation is not None else (Kind("any"),)


def _kinds(node: ast.expr, scope: Module) -> Iterator[Kind]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        node = ast.parse(node.value, mode="eval").body
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from _kinds(node.left, scope)
        yield from _kinds(node.right, scope)
        return
    name = _last(node)
    arguments = _arguments(node)
    if isinstance(node, ast.Constant) and node.value is None:
        yield Kind("None")
    elif name in ("Union", "Optional"):
        for argument in arguments:
            yield from _kinds(argument, scope)
        if name == "Optional":
            yield Kind("None")
    elif name == "Annotated":
        bounds = next((a.value for a in arguments[1:] if isinstance(a, ast.Constant) and isinstance(a.value, str)), "")
        for kind in _kinds(arguments[0], scope):
            yield replace(kind, bounds=bounds) if kind.name in ("int", "float") else kind
    elif name in ("Final", "Required"):
        yield from _kinds(arguments[0], scope)
    elif name == "Literal":
        yield Kind("literal", values=tuple(ast.literal_eval(a) for a in arguments))
    elif name in ("Any", "object"):
        yield Kind("any")
    elif name in SCALARS:
        yield Kind(name)
    elif name in _PATHS:
        yield Kind("str")
    elif name in _LISTS:
        yield Kind("list", inner=arguments[0] if arguments else None, scope=scope)
    elif name in _MAPPINGS:
        yield Kind("mapping", inner=arguments[-1] if arguments else None, scope=scope)
    else:
        definition = define(scope, name) if isinstance(node, ast.Name) else None
        if definition is not None and isinstance(definition.node, ast.expr):
            yield from _kinds(definition.node, definition.module)
        elif definition is not None and isinstance(definition.node, ast.ClassDef):
            yield Kind("part", label=f"{definition.module.name}.{definition.node.name}")
        else:
            yield Kind("part")


def _last(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        return _last(node.value)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _arguments(node: ast.expr) -> list[ast.expr]:
    if not isinstance(node, ast.Subscript):
        return []
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def plain(alternatives: tuple[Kind, ...]) -> bool:
    """True where only a config could supply the value: numbers, text, lists and mappings of any sort."""
    return all(kind.name not in ("part", "any") for kind in alternatives)


def scalar_problem(value: Any, alternatives: tuple[Kind, ...]) -> str | None:
    """What is wrong with a number, text or null, as the end of a sentence; None where it fits."""
    if isinstance(value, float) and math.isnan(value):
        return "is not a number (NaN); give a number"
    if fitting := [kind for kind in alternatives if _fits(value, kind)]:
        problems = [outside(value, kind.bounds) if kind.bounds else None for kind in fitting]
        return None if None in problems else problems[0]
    literals = [v for kind in alternatives for v in kind.values]
    if literals:
        near = nearest(str(value), map(str, literals))
        return f"must be one of {', '.join(map(show, literals))}{near}"
    wanted = [WORDS.get(kind.name, "a part") for kind in alternatives]
    if "int" in (k.name for k in alternatives) and isinstance(value, float) and value.is_integer():
        return f"must be a whole number: write {int(value)}"
    return f"must be {' or '.join(dict.fromkeys(wanted))}, not {show(value)}"


def _fits(value: Any, kind: Kind) -> bool:
    match kind.name:
        case "any":
            return True
        case "None":
            return value is None
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "str":
            return isinstance(value, str)
        case "literal":
            return any(value == v and type(value) is type(v) for v in kind.values)
        case _:
            return False


def show(value: Any) -> str:
    """A value as one would write it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
