"""Asserts that are nothing but calls: then one process does, and what is expected stays out here."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from crucible.parsing import PARSING
from crucible.sandbox.inside import units, values
from crucible.sandbox.suites import Asserts, Call, Calls

LONGEST = 100_000  # characters of tests that are looked at in this process


def as_calls(suite: Asserts) -> tuple[Calls, list[str]] | None:
    """The same tests as calls, and their names; None unless each is `assert f(plain data) == plain data` of one f.

    Literals assigned at the top level (METADATA = {...}) are ignored, since nothing but literals is used.
    """
    if suite.support.strip() or len(suite.code) > LONGEST:
        return None
    try:
        with PARSING:
            body = ast.parse(suite.code).body
            names, modules = units.wanted(suite.code, "", suite.entry_point)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    alias, asserts = _asserts(body, suite.entry_point)
    calls = [_call(statement) for statement in asserts]
    functions = {function for function, _ in filter(None, calls)}
    if not calls or None in calls or modules or len(functions) != 1:
        return None
    function = suite.entry_point if functions == {alias} else functions.pop()
    if function not in names:
        return None
    labels = [" ".join((ast.get_source_segment(suite.code, statement) or "assert").split()) for statement in asserts]
    return Calls(function, [call for _, call in filter(None, calls)]), labels


def _asserts(body: Sequence[ast.stmt], entry_point: str) -> tuple[str, Sequence[ast.stmt]]:
    """The statements of the suite, and the name they give the entry point; of a check(candidate) those in it."""
    body = [s for s in body if not (isinstance(s, ast.Assign) and _literal(s.value))]
    if entry_point and len(body) == 1 and isinstance(body[0], ast.FunctionDef) and body[0].name == "check":
        arguments = body[0].args
        plain = not (arguments.posonlyargs or arguments.kwonlyargs or arguments.vararg or arguments.kwarg)
        if plain and len(arguments.args) == 1 and not body[0].decorator_list:
            return arguments.args[0].arg, body[0].body
    return entry_point, body


def _call(statement: ast.stmt) -> tuple[str, Call] | None:
    if not isinstance(statement, ast.Assert) or not isinstance(statement.test, ast.Compare):
        return None
    test = statement.test
    call = test.left
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or not isinstance(test.ops[0], ast.Eq):
        return None
    given = [*call.args, *(keyword.value for keyword in call.keywords), test.comparators[0]]
    if len(test.ops) != 1 or not all(map(_literal, given)) or any(keyword.arg is None for keyword in call.keywords):
        return None
    *args, expected = (ast.literal_eval(value) for value in given)
    keywords = dict(zip([str(k.arg) for k in call.keywords], args[len(call.args) :], strict=True))
    return call.func.id, Call(args[: len(call.args)], expected, keywords)


def _literal(node: ast.expr) -> bool:
    try:
        values.encode(ast.literal_eval(node), values.refuse)
        return True
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
