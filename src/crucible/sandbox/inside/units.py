"""A text of tests, cut into the parts that are counted one by one. Knows only the tests, never the program."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator, Sequence
from types import CodeType
from typing import NamedTuple

FILENAME = "<tests>"
BY_REFERENCE = "__by_reference__"
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef


class Unit(NamedTuple):
    """A statement. `label` is its source where it is a test, "" where it only prepares."""

    code: CodeType
    label: str


def units(code: str, entry_point: str) -> list[Unit]:
    """The statements of `code` in order; those of a `check(candidate)` in its place, where it can be opened.

    A test is: a top-level statement with an assert in it (a whole loop is one test); a call of a function of this
    text that has an assert; a function test_*() without parameters that nobody calls. Statements of `check` count
    likewise, unless it returns or yields: then it is one test. Errors: SyntaxError.
    """
    tree = ast.parse(code, FILENAME)
    asserting = {s.name for s in tree.body if isinstance(s, ast.FunctionDef) and any(_asserts(s.body))}
    called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    found: list[Unit] = []
    for statement in tree.body:
        name = statement.name if isinstance(statement, ast.FunctionDef) else ""
        if entry_point and name == "check" and name not in called and _parameters(statement) == 1:
            found += _opened(statement, code, entry_point)
        else:
            test = any(_asserts([statement])) or _calls(statement) in asserting
            found.append(_unit([statement], ast.get_source_segment(code, statement) or "assert" if test else ""))
            if name.startswith("test") and name not in called and _parameters(statement) == 0:
                found.append(_unit(ast.parse(f"{name}()").body, f"{name}()"))
    return found


def _opened(check: ast.stmt, code: str, entry_point: str) -> Iterator[Unit]:
    assert isinstance(check, ast.FunctionDef)
    kept = ast.Return | ast.Yield | ast.YieldFrom | ast.Await | ast.Global | ast.Nonlocal
    if any(isinstance(node, kept) for node in _own(check.body)) or not any(_asserts(check.body)):
        yield _unit([check], "")
        yield _unit(ast.parse(f"check({entry_point})").body, f"check({entry_point})")
        return
    yield _unit(ast.parse(f"{check.args.args[0].arg} = {entry_point}").body, "")
    for statement in check.body:
        test = any(_asserts([statement]))
        yield _unit([statement], ast.get_source_segment(code, statement) or "assert" if test else "")


def _parameters(function: ast.stmt) -> int:
    assert isinstance(function, ast.FunctionDef)
    given = function.args
    return len(given.args) + len(given.posonlyargs) + len(given.kwonlyargs) + bool(given.vararg) + bool(given.kwarg)


def _own(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Every node of these statements, without the insides of functions and classes."""
    for node in body:
        yield node
        if not isinstance(node, FUNCTIONS):
            yield from _own(list(ast.iter_child_nodes(node)))


def _asserts(body: Sequence[ast.AST]) -> Iterator[bool]:
    return (True for node in _own(body) if isinstance(node, ast.Assert))


def _calls(statement: ast.stmt) -> str:
    call = statement.value if isinstance(statement, ast.Expr) else None
    return call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else ""


class _ByReference(ast.NodeTransformer):
    """`f(x)` as a statement of its own is called for what it does to x: then the candidate's x comes back."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.Call):
            call = node.value
            call.args = [call.func, *call.args]
            call.func = ast.copy_location(ast.Name(BY_REFERENCE, ast.Load()), node)
        return node


def _unit(body: Sequence[ast.stmt], label: str) -> Unit:
    module = ast.Module([_ByReference().visit(s) for s in body], type_ignores=[])
    return Unit(compile(ast.fix_missing_locations(module), FILENAME, "exec", dont_inherit=True), label)


def wanted(code: str, support: str, entry_point: str) -> tuple[list[str], list[str]]:
    """Names the tests take from the program, and standard modules they use without importing them.

    A name counts when the tests use it and neither they nor `support` define it. A built-in name is the program's
    only where it is the entry point, or where the tests call nothing else: a program cannot replace `abs` or `len`.
    """
    tree = ast.parse(support + "\n" + code, FILENAME)
    bound: set[str] = set()
    loaded: dict[str, bool] = {}  # name: used in another way than as the left side of a dot
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            loaded.setdefault(node.id, False)
        elif isinstance(node, ast.Name):
            bound.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
    dotted = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in loaded and id(node) not in dotted:
            loaded[node.id] = True
    free = {name: plain for name, plain in loaded.items() if name not in bound}
    modules = [name for name, plain in free.items() if not plain and name in sys.stdlib_module_names]
    names = [name for name in free if not hasattr(builtins, name) and name not in modules]
    if entry_point:
        names = [entry_point, *(name for name in names if name != entry_point)]
    elif not names:
        names = [name for name in _outermost(tree) if name in free]
    return [name for name in names if not name.startswith("__")], modules


def _outermost(tree: ast.Module) -> list[str]:
    """Functions called directly on the left of an assert: assert sum(10, 15) == 6."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            side = node.test.left if isinstance(node.test, ast.Compare) else node.test
            if isinstance(side, ast.Call) and isinstance(side.func, ast.Name) and side.func.id not in found:
                found.append(side.func.id)
    return found
