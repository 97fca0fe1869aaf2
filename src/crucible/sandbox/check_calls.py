"""Calls of a function: the program gets arguments and gives values; what is expected never leaves this process."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crucible.sandbox.candidate import Candidate, Ending, raised
from crucible.sandbox.compare import same_value
from crucible.sandbox.inside import values
from crucible.sandbox.report import Report, Test
from crucible.sandbox.suites import Call, Calls
from crucible.sandbox.wire import Closed, Late, TooLong

if TYPE_CHECKING:
    from crucible.sandbox.sandbox import Sandbox


def check_calls(sandbox: Sandbox, program: str, suite: Calls, names: Sequence[str] = ()) -> Report:
    """A program that ends in a call is started anew for the next. One that does not load fails every test.

    `names` of the tests; by default the calls themselves.
    """
    started = time.monotonic()
    candidate = Candidate(sandbox, program, len(suite.calls), started + sandbox.limits.suite_seconds)
    tests: list[Test] = []
    verdict: Ending | None = None
    try:
        for number, call in enumerate(suite.calls):
            verdict = verdict or (candidate.start() if candidate.session is None else None)
            if time.monotonic() > candidate.deadline:
                verdict = "timeout", "the suite ran longer than suite_seconds"
            outcome, text = verdict or _one(candidate, suite, call)
            tests.append(Test(names[number][:200] if names else _name(suite, call), outcome, text))
        if candidate.session is not None:
            candidate.end(None)
    finally:
        candidate.close()
    output = candidate.output.decode(errors="replace")
    return Report(tuple(tests), time.monotonic() - started, candidate.cpu, output)


def _one(candidate: Candidate, suite: Calls, call: Call) -> Ending:
    until = candidate.until()
    request = {
        "op": "call",
        "target": ["name", suite.function],
        "args": [_encode(a) for a in call.args],
        "kwargs": {name: _encode(a) for name, a in call.kwargs.items()},
    }
    try:
        candidate.send(json.dumps(request).encode(), until)
        reply = candidate.read(until)
    except (Late, Closed, TooLong) as error:
        return candidate.end(error)
    try:
        actual = json.loads(reply)["value"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return raised(reply)
    if isinstance(actual, list) and actual[:1] in (["object"], ["callback"]):
        return "failed", f"returned a {str(actual[-1])[:100]}, which is not plain data"
    if same_value(actual, _encode(call.expected), suite.tolerance):
        return "passed", ""
    return "failed", f"returned {json.dumps(actual)[:200]}"


def _encode(value: Any) -> Any:
    return values.encode(value, values.refuse)


def _name(suite: Calls, call: Call) -> str:
    given = [repr(a) for a in call.args] + [f"{name}={value!r}" for name, value in call.kwargs.items()]
    return f"{suite.function}({', '.join(given)})"[:200]
