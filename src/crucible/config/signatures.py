"""The signature of a dotted target, read from its source (see crucible.config.source).

Follows re-exports (`from .x import y`), aliases (`b = a`), dataclass fields, inherited `__init__`
and `Class.method`. The same reading serves packages that are not ours (lightning.pytorch.Trainer).
A target without readable source (compiled, or made at run time) is refused: wrap it in a function
with named parameters.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crucible.config.source import Definition, Module, assigned, define, module, statements
from crucible.errors import UserError, nearest


@dataclass(frozen=True)
class Parameter:
    """One parameter. `annotation` is to be read in `module`; `default` is source text."""

    name: str
    annotation: ast.expr | None
    module: Module
    default: str | None
    keyword_only: bool

    @property
    def required(self) -> bool:
        return self.default is None


@dataclass(frozen=True)
class Signature:
    """What a target takes, and the literal arguments of @needs."""

    target: str
    file: Path
    line: int
    parameters: Mapping[str, Parameter]
    summary: str
    docstring: str
    needs: Mapping[str, Any]
    attributes: Mapping[str, Any]  # class attributes with literal values
    methods: frozenset[str]

    @property
    def name(self) -> str:
        return self.target.rpartition(".")[2]


@functools.cache
def read(target: str) -> Signature:
    """The signature of a dotted target. Raises UserError where there is no such target."""
    parts = target.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        source = module(".".join(parts[:cut]))
        if source is None:
            continue
        definition = define(source, parts[cut])
        for name in parts[cut + 1 :]:
            definition = _member(definition, name)
        if definition is None or isinstance(definition.node, ast.expr):
            body = statements(source.tree.body)
            names = [s.name for s in body if isinstance(s, ast.FunctionDef | ast.ClassDef)]
            missing = ".".join(parts[cut:])
            raise UserError(f"_target_ {target}: {source.name} defines no {missing}{nearest(missing, names)}")
        return _signature(target, definition)
    raise UserError(f"_target_ {target}: no module of that name has readable source")


@functools.cache
def passed_on(target: str) -> frozenset[str]:
    """The names a function hands to others: `Parts({"policy": model}, task=...)` gives policy and task."""
    source = module(target.rpartition(".")[0])
    definition = define(source, target.rpartition(".")[2]) if source else None
    names: set[str] = set()
    for node in ast.walk(definition.node) if definition else ():
        if isinstance(node, ast.Call):
            names |= {k.arg for k in node.keywords if k.arg}
        elif isinstance(node, ast.Dict):
            names |= {k.value for k in node.keys if isinstance(k, ast.Constant) and isinstance(k.value, str)}
    return frozenset(names)


@functools.cache
def leading(target: str, method: str = "") -> tuple[str, ...] | None:
    """The positional parameters of a function, or of a method of a class, its bases included (`__call__` where
    `method` is ""). None where there is no such method, or where it is given as an attribute only."""
    source = module(target.rpartition(".")[0])
    definition = define(source, target.rpartition(".")[2]) if source else None
    if definition is None:
        return None
    if isinstance(definition.node, ast.FunctionDef):
        return None if method else _positional(definition.node)
    for c in _lineage(definition):
        for s in statements(c.node.body):
            if isinstance(s, ast.FunctionDef) and s.name == (method or "__call__"):
                return _positional(s)[1:]
    return None


def _positional(node: ast.FunctionDef) -> tuple[str, ...]:
    return tuple(arg.arg for arg in (*node.args.posonlyargs, *node.args.args))


def _member(definition: Definition | None, name: str) -> Definition | None:
    if definition is None or not isinstance(definition.node, ast.ClassDef):
        return None
    inside = {s.name: s for s in definition.node.body if isinstance(s, ast.FunctionDef)}
    return Definition(definition.module, inside[name]) if name in inside else None


def _signature(target: str, definition: Definition) -> Signature:
    node = definition.node
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    parents = list(_lineage(definition))
    if isinstance(node, ast.ClassDef):
        parameters = _of_class(definition)
    else:
        bound = any(_name(d) == "classmethod" for d in node.decorator_list)
        parameters = _of_function(definition.module, node, skip_first=bound)
    docstring = ast.get_docstring(node) or ""
    attributes: dict[str, Any] = {}
    for parent in reversed(parents):
        attributes |= _attributes(parent.node)
    decorated = {_name(d): _keywords(d) for d in node.decorator_list if isinstance(d, ast.Call)}
    if "per_sample" in decorated:
        attributes["needs"] = tuple(decorated["per_sample"].get("needs", ()))
    return Signature(
        target=target,
        file=definition.module.file,
        line=node.lineno,
        parameters=parameters,
        summary=docstring.partition("\n")[0],
        docstring=docstring,
        needs=decorated.get("needs", {}),
        attributes=attributes,
        methods=frozenset(s.name for p in parents for s in p.node.body if isinstance(s, ast.FunctionDef)),
    )


@dataclass(frozen=True)
class _Class(Definition):
    node: ast.ClassDef


def _lineage(definition: Definition) -> Iterator[_Class]:
    """A class and the bases whose source can be read, nearest first."""
    if isinstance(definition.node, ast.ClassDef):
        yield _Class(definition.module, definition.node)
        for base in definition.node.bases:
            if isinstance(base, ast.Name) and (parent := define(definition.module, base.id)):
                yield from _lineage(parent)


def _of_class(definition: Definition) -> dict[str, Parameter]:
    lineage = list(_lineage(definition))
    fields: dict[str, Parameter] = {}
    for c in reversed(lineage):
        if any(_name(d) == "dataclass" for d in c.node.decorator_list):
            fields |= _fields(c)
    for c in lineage:
        if any(_name(d) == "dataclass" for d in c.node.decorator_list):
            return fields
        for s in c.node.body:
            if isinstance(s, ast.FunctionDef) and s.name == "__init__":
                return _of_function(c.module, s, skip_first=True)
    return {}


def _fields(c: _Class) -> dict[str, Parameter]:
    found = {}
    calls = [d for d in c.node.decorator_list if isinstance(d, ast.Call)]
    keyword_only = any(_keywords(d).get("kw_only", False) for d in calls)
    for s in c.node.body:
        if not isinstance(s, ast.AnnAssign) or not isinstance(s.target, ast.Name):
            continue
        if _name(s.annotation) == "KW_ONLY":
            keyword_only = True
            continue
        if _name(s.annotation) == "ClassVar":
            continue
        default = ast.unparse(s.value) if s.value else None
        if isinstance(s.value, ast.Call) and _name(s.value) == "field":
            options = {k.arg: k.value for k in s.value.keywords}
            if isinstance(init := options.get("init"), ast.Constant) and init.value is False:
                continue
            value = options.get("default") or options.get("default_factory")
            default = ast.unparse(value) if value else None
        found[s.target.id] = Parameter(s.target.id, s.annotation, c.module, default, keyword_only)
    return found


def _of_function(
    scope: Module, node: ast.FunctionDef | ast.AsyncFunctionDef, *, skip_first: bool
) -> dict[str, Parameter]:
    """Named parameters, those of `**options: Unpack[SomeTypedDict]` too. A bare *args or **kwargs allows nothing."""
    given = node.args
    positional = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)
    rows = [(arg, value, False) for arg, value in zip(positional, defaults, strict=True)][skip_first:]
    rows += [(arg, value, True) for arg, value in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    named = {
        a.arg: Parameter(a.arg, a.annotation, scope, ast.unparse(value) if value else None, keyword_only)
        for a, value, keyword_only in rows
    }
    return named | _unpacked(scope, given.kwarg)


def _unpacked(scope: Module, rest: ast.arg | None) -> dict[str, Parameter]:
    """The keys of the TypedDict in `**options: Unpack[SomeTypedDict]`; none may be required (total=False)."""
    annotation = rest.annotation if rest else None
    if not isinstance(annotation, ast.Subscript) or _name(annotation) != "Unpack":
        return {}
    definition = define(scope, _name(annotation.slice))
    if definition is None or not isinstance(definition.node, ast.ClassDef):
        return {}
    keys = [s for s in definition.node.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)]
    names = [(s.target.id, s.annotation) for s in keys if isinstance(s.target, ast.Name)]
    return {name: Parameter(name, annotation, definition.module, "...", True) for name, annotation in names}


def _name(node: ast.expr) -> str:
    """The last name of `a.b`, `b`, `a.b(...)`, `b[...]`."""
    if isinstance(node, ast.Call):
        return _name(node.func)
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _keywords(call: ast.Call) -> dict[str, Any]:
    """The literal keyword arguments of a decorator. Those of ours must be literals."""
    found = {}
    for k in call.keywords:
        try:
            found[k.arg or "**"] = ast.literal_eval(k.value)
        except ValueError:
            if (name := _name(call)) == "needs" or (name == "per_sample" and k.arg != "check"):
                raise ValueError(f"line {call.lineno}: @{name}({k.arg}=...) must be a literal") from None
    return found


def _attributes(node: ast.ClassDef) -> dict[str, Any]:
    """Class attributes with a literal value."""
    found = {}
    for s in node.body:
        names = [s.target] if isinstance(s, ast.AnnAssign) else s.targets if isinstance(s, ast.Assign) else []
        for name in names:
            value = assigned(s, name.id) if isinstance(name, ast.Name) else None
            if isinstance(name, ast.Name) and value is not None:
                try:
                    found[name.id] = ast.literal_eval(value)
                except ValueError:
                    continue
    return found
