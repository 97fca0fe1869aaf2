"""status.json: how a run stands, for people, sweeps and the loader."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any, Literal, get_args

from crucible.errors import UserError
from crucible.rundir.atomic import write_json
from crucible.rundir.encoding import encode
from crucible.rundir.secrets import redact

State = Literal["running", "finished", "failed", "preempted"]
FILE = "status.json"


def one_line(text: object, limit: int = 400) -> str:
    """Any text as one line without secrets."""
    line = redact(" ".join(str(text).split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def now() -> str:
    """UTC, ISO 8601, seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def write_status(
    run: Path,
    state: State,
    *,
    attempt: int,
    step: int | None = None,
    error: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Replace status.json. What is not given (step, steps, started, ...) is carried over from before.

    `error` is set for this state only; it goes away with the next write.
    """
    if state not in get_args(State):
        raise ValueError(f"state {state!r}: one of {', '.join(get_args(State))}")
    before = read_status(run) or {}
    moment = now()
    status = {
        **before,
        "state": state,
        "step": before.get("step", 0) if step is None else step,
        "attempt": attempt,
        "attempts": max(attempt, before.get("attempts", 0)),
        "started": before.get("started", moment),
        "updated": moment,
        "heartbeat": time.time(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "error": None if error is None else one_line(error),
        **more,
    }
    write_json(run / FILE, encode(status, "status"))
    return status


def read_status(run: Path) -> dict[str, Any] | None:
    """status.json, or None where there is none. Errors: UserError when it is not a JSON object."""
    try:
        value = json.loads((run / FILE).read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise UserError(f"{run / FILE} cannot be read ({one_line(error)}); delete it to go on") from error
    if not isinstance(value, dict):
        raise UserError(f"{run / FILE} cannot be read (it holds no JSON object); delete it to go on")
    return value
