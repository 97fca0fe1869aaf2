"""Tests as they are counted: one assert a test, and each once."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from crucible.data.programs.forms import parsed
from crucible.sandbox import SuiteError


def counted(tests: Any, support: str = "") -> tuple[Any, str]:
    """(tests, support): a list of single asserts without repetitions, where the tests are asserts; imports and
    constants among them go to the support. Inputs and outputs without repetitions. Other tests as they are.

    Errors: SuiteError for tests that do not parse.
    """
    if isinstance(tests, Mapping):
        return _pairs(tests), support
    texts = [tests] if isinstance(tests, str) else tests
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise SuiteError(f"tests must be text, a list of texts or inputs and outputs, not {type(tests).__name__}")
    asserts: dict[str, None] = {}
    rest: list[str] = []
    plain = True
    for text in texts:
        tree = parsed(text)
        if tree is None:
            raise SuiteError(f"a test is not Python: {' '.join(text.split())[:60]}")
        for statement in tree.body:
            written = ast.unparse(statement)
            if isinstance(statement, ast.Assert):
                asserts[written] = None
            else:
                rest.append(written)
                plain = plain and _constant(statement)
    if not plain or (rest and not asserts):  # a check(candidate), test functions, steps: the sandbox counts them
        return "\n".join(texts), support
    return list(asserts), "\n".join([*filter(None, [support]), *rest])


def _constant(statement: ast.stmt) -> bool:
    """An import, or an assignment of plain data."""
    if isinstance(statement, ast.Assign):
        try:
            ast.literal_eval(statement.value)
        except (ValueError, TypeError, RecursionError):
            return False
        return True
    return isinstance(statement, ast.Import | ast.ImportFrom)


def _pairs(tests: Mapping[str, Any]) -> dict[str, Any]:
    inputs, outputs = tests.get("inputs"), tests.get("outputs")
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise SuiteError('tests must have as many "outputs" as "inputs", both lists')
    once = {repr(pair): pair for pair in zip(inputs, outputs, strict=True)}
    return {**tests, "inputs": [i for i, _ in once.values()], "outputs": [o for _, o in once.values()]}
