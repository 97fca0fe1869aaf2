"""Tests as data sets hold them, as suites."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import Any

from crucible.sandbox.errors import SuiteError
from crucible.sandbox.suites import Asserts, Call, Calls, Stdio, Suite


def suite_of(tests: Any, entry_point: str = "", support: str = "") -> Suite:
    """A suite from one of three shapes; JSON text of the second and third is taken too.

    Python text; a list of such texts (MBPP's test_list); {"inputs": [...], "outputs": [...]} with one stdin and one
    stdout each (APPS, TACO), or with "fn_name" one list of arguments and one value each. Errors: SuiteError.
    """
    if isinstance(tests, str) and tests.lstrip()[:1] in ("{", "["):
        try:
            tests = json.loads(tests)
        except ValueError as error:
            raise SuiteError(f"tests look like JSON and are not: {error}") from None
    if isinstance(tests, str):
        return Asserts(tests, entry_point, support)
    if isinstance(tests, Mapping):
        return _pairs(tests)
    if isinstance(tests, list | tuple) and all(isinstance(test, str) for test in tests):
        return Asserts("\n".join(tests), entry_point, support)
    raise SuiteError(f"tests must be text, a list of texts or inputs and outputs, not {type(tests).__name__}")


def _pairs(tests: Mapping[str, Any]) -> Suite:
    inputs, outputs = tests.get("inputs"), tests.get("outputs")
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise SuiteError('tests must have as many "outputs" as "inputs", both lists')
    if name := tests.get("fn_name"):
        if not all(isinstance(given, list) for given in inputs):
            raise SuiteError(f"every input of {name} must be the list of its arguments")
        return Calls(name, [Call(given, wanted) for given, wanted in zip(inputs, outputs, strict=True)])
    if not all(isinstance(text, str) for text in [*inputs, *outputs]):
        raise SuiteError('inputs and outputs of programs must be text; of a function, give its name as "fn_name"')
    return Stdio(list(zip(inputs, outputs, strict=True)))


def humaneval(row: Mapping[str, Any]) -> Asserts:
    """What the prompt defines beside the entry point belongs to the tests: a program cannot change it there."""
    entry = row["entry_point"]
    body = [s for s in ast.parse(row["prompt"]).body if getattr(s, "name", "") != entry]
    return Asserts(row["test"], entry_point=entry, support=ast.unparse(ast.Module(body, type_ignores=[])))


def mbpp(row: Mapping[str, Any]) -> Asserts:
    """The asserts of `test_list`, after `test_setup_code`, which may use the program's classes (sanitized
    version: after `test_imports`).
    """
    setup = row["test_setup_code"].replace("\r\n", "\n") if "test_setup_code" in row else "\n".join(row["test_imports"])
    return Asserts("\n".join([setup, *row["test_list"]]))
