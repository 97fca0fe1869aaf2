"""The tests' process: clean, trusted, and with no line of the program in it."""

from __future__ import annotations

import builtins
import importlib
import os
from typing import Any

import remote
import units


def judge(suite: dict[str, Any]) -> None:
    """Run the suite and tell the parent the outcome of each test. Never returns."""
    link = remote.Link()
    try:
        _judge(suite, link)
        link.tell_parent({"done": True})
    except remote.Unsupported as error:
        link.tell_parent({"problem": str(error)})
    except remote.Gone as gone:  # while the names were looked up
        link.tell_parent({"all": gone.outcome, "text": gone.text})
    except EOFError:
        pass
    os._exit(0)


def _judge(suite: dict[str, Any], link: remote.Link) -> None:
    try:
        parts = units.units(suite["code"], suite["entry_point"])
        names, modules = units.wanted(suite["code"], suite["support"], suite["entry_point"])
        support = compile(suite["support"], "<support>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        link.tell_parent({"problem": f"the tests do not parse: {error}"})
        os._exit(0)
    link.tell_parent({"tests": [part.label for part in parts if part.label]})
    space: dict[str, Any] = {"__name__": "tests", "__builtins__": builtins}
    space[units.BY_REFERENCE] = remote.call_by_reference
    for name in modules:
        space[name] = importlib.import_module(name)
    for name in names:
        try:
            value = link.value("get", ["name", name])
        except Exception:  # the program has no such name: a test that uses it raises NameError
            continue
        space[name] = remote.Remote(link, ["name", name], None, name) if isinstance(value, remote.Remote) else value
    broken = _run(support, space)
    if broken:
        link.tell_parent({"problem": f"the support code of the tests fails: {broken[1]}"})
        os._exit(0)
    _tests(parts, space, link)


def _tests(parts: list[units.Unit], space: dict[str, Any], link: remote.Link) -> None:
    number, broken = 0, None
    for part in parts:
        link.gone = None
        if not part.label:
            broken = broken or _run(part.code, space)
            continue
        link.tell_parent({"begin": number})
        outcome, text = broken or _run(part.code, space) or ("passed", "")
        link.tell_parent({"end": number, "outcome": outcome, "text": text})
        number += 1
    if broken and number:  # a statement after the last test: the suite did not run to its end
        link.tell_parent({"end": number - 1, "outcome": broken[0], "text": broken[1]})


def _run(code: Any, space: dict[str, Any]) -> tuple[str, str] | None:
    """None, or (outcome, text) of what went wrong."""
    try:
        exec(code, space)
        return None
    except remote.Unsupported:
        raise
    except remote.Gone as gone:
        return gone.outcome, gone.text
    except AssertionError as error:
        return "failed", str(error)[:500]
    except EOFError as error:
        if getattr(error, "of_candidate", False):
            return "error", "EOFError"
        raise
    except BaseException as error:
        return _outcome(error), f"{type(error).__name__}: {error}"[:500]


def _outcome(error: BaseException) -> str:
    return "memory" if isinstance(error, MemoryError) and getattr(error, "of_candidate", False) else "error"
