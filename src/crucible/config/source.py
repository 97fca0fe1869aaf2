"""Where a name is defined, found in source files. Nothing is imported, so nothing is slow."""

from __future__ import annotations

import ast
import functools
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_HOPS = 12  # a chain of re-exports longer than this is a cycle


@dataclass(frozen=True, eq=False)  # one object a file (see `module`), so the object is its own key
class Module:
    """A parsed source file. `package` is what relative imports in it start from."""

    name: str
    package: str
    file: Path
    tree: ast.Module = field(repr=False)


@dataclass(frozen=True)
class Definition:
    """Where a name is defined: a function, a class, or the expression assigned to it."""

    module: Module
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.expr


@functools.cache
def module(dotted: str) -> Module | None:
    """The parsed module, or None where there is no such source file."""
    top, *rest = dotted.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    folders = [Path(p) for p in spec.submodule_search_locations or ()]
    file = Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    for part in rest:
        files = (f for d in folders for f in (d / part / "__init__.py", d / f"{part}.py"))
        file = next((f for f in files if f.is_file()), None)
        folders = [d / part for d in folders if (d / part).is_dir()]
        if file is None and not folders:
            return None
    if file is None:
        return None
    package = dotted if file.name == "__init__.py" else dotted.rpartition(".")[0]
    return Module(dotted, package, file, ast.parse(file.read_text(encoding="utf-8"), str(file)))


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Top-level statements, also those under `if TYPE_CHECKING:` and `try:`."""
    for statement in body:
        yield statement
        for inner in ("body", "orelse", "finalbody"):
            if isinstance(statement, ast.If | ast.Try):
                yield from statements(getattr(statement, inner, []))


@functools.cache
def define(scope: Module, name: str, hops: int = 0) -> Definition | None:
    """The definition that `name` has in `scope`, wherever it was imported from."""
    found: Definition | None = None
    if hops > _HOPS:
        return None
    for s in statements(scope.tree.body):
        if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and s.name == name:
            found = Definition(scope, s)
        elif (value := assigned(s, name)) is not None:
            other = define(scope, value.id, hops + 1) if isinstance(value, ast.Name) else None
            found = other or Definition(scope, value)
        elif isinstance(s, ast.ImportFrom):
            for alias in s.names:
                if (alias.asname or alias.name) == name and (source := module(_imported(scope, s))):
                    found = define(source, alias.name, hops + 1) or found
    return found


def assigned(statement: ast.stmt, name: str) -> ast.expr | None:
    """The expression that `name = ...` or `name: T = ...` assigns."""
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign) and statement.value:
        targets = [statement.target]
    if any(isinstance(t, ast.Name) and t.id == name for t in targets):
        assert isinstance(statement, ast.Assign | ast.AnnAssign)
        return statement.value
    return None


def _imported(scope: Module, statement: ast.ImportFrom) -> str:
    """The absolute name of the module an import statement reads."""
    if not statement.level:
        return statement.module or ""
    base = scope.package.split(".")
    base = base[: len(base) - statement.level + 1]
    return ".".join([*base, *([statement.module] if statement.module else [])])
