"""A worker: reads a function's name and items, calls it on each, writes back how each call ended.

    python -m crucible.rewards.runtime.worker <socket> <page> <memory limit in bytes, 0: none>

It is told nothing of the run: no torch, none of the program's environment but PATH, HOME and where Python looks for
modules. It ends when the program does.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import pickle
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from crucible.errors import UserError
from crucible.rewards.runtime.wire import IDLE, LOADING, Page, framed, receive
from crucible.sweeps.signals import leave_to_the_program

FLUSH_SECONDS = 0.02  # results are sent at least this often, and at the end of a batch of items
LONGEST = 300  # characters of a problem
PR_SET_PDEATHSIG = 1


def main(socket_fd: int, page_fd: int, memory_bytes: int) -> None:
    connection, page = socket.socket(fileno=socket_fd), Page(page_fd)
    die_with_the_program()
    sys.stdout = sys.stderr  # the /dev/null of a verifier that prints
    if memory_bytes:
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while (message := receive(connection)) is not None:
        work(connection, page, pickle.loads(message))


def work(connection: socket.socket, page: Page, task: dict[str, Any]) -> None:
    """Every item of a task: [number, kind, value, problem, seconds] each, in lists of some."""
    page.write(LOADING)
    done: list[list[Any]] = []
    try:
        function = function_named(task["function"])
    except Exception as error:
        for number, _ in task["items"]:
            done.append([number, "error", None, _words(error, f"cannot import {task['function']}: "), 0.0])
        task["items"] = []
        function = print
    flushed = time.monotonic()
    for number, arguments in task["items"]:
        page.write(number)
        done.append([number, *called(function, arguments, task["options"])])
        if time.monotonic() - flushed > FLUSH_SECONDS:
            connection.sendall(framed(json.dumps(done).encode()))
            done, flushed = [], time.monotonic()
    page.write(IDLE)
    connection.sendall(framed(json.dumps([*done, "end"]).encode()))


def called(function: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> list[Any]:
    """[kind, value, problem, seconds] of one call. "refuse" is a UserError: the caller's, not the text's fault."""
    started = time.perf_counter()
    value: float | None = None
    try:
        answer = function(*arguments, **options)
        kind, problem = "abstain", ""
        if answer is not None:
            value = float(answer)
            kind = "value"
            if value != value or value in (float("inf"), float("-inf")):
                kind, problem, value = "error", f"returned {value}", None
    except UserError as error:
        kind, problem = "refuse", str(error)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: the verifier's end is not the worker's
        kind, problem, value = "error", _words(error), None
    return [kind, value, problem, time.perf_counter() - started]


def function_named(name: str) -> Callable[..., Any]:
    """`module:name`. A reward made by `per_sample` stands for the function it was made of."""
    module, _, attribute = name.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    function: Callable[..., Any] = getattr(found, "__wrapped__", found)
    return function


def die_with_the_program() -> None:
    """Be killed when the parent is, even where that was killed. Elsewhere than on Linux the closed socket ends us."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)


def _words(error: BaseException, before: str = "") -> str:
    lines = str(error).strip().splitlines()
    return f"{before}{type(error).__name__}: {lines[0] if lines else '(no message)'}"[:LONGEST]


if __name__ == "__main__":
    leave_to_the_program()
    main(*(int(argument) for argument in sys.argv[1:4]))
