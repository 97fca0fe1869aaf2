"""The process beside a sandbox: takes requests from the parent, forks the program, watches it, ends it, reports.

One supervisor serves one session: one program, in one set of namespaces. Each run in it is a new process with a new
scratch folder; everything of the run before it is dead and gone.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

import frames
import judge
import process
import serve
import watch
from place import Place

LOOK_SECONDS = 0.02  # between two looks at what the program uses


def supervise(control: socket.socket, settings: Mapping[str, Any]) -> Callable[[], None] | None:
    """Serve the session. Returns only in a forked program: with what that process has to do."""
    try:
        place = Place(settings)
    except OSError as error:
        frames.send(control, {"broken": str(error)})
        os._exit(1)
    kept: dict[str, bytes] = {}
    try:
        while (got := frames.receive(control, 4)) is not None:
            if got[0].get("op") == "end":
                break
            if "op" in got[0]:  # a stop that came when the program had just ended
                continue
            job, result = _run(place, control, got[0], got[1], kept)
            if job:
                return job
            frames.send(control, result)
    except (OSError, RuntimeError) as error:
        _say_broken(control, error)
    place.end()
    os._exit(0)


def _say_broken(control: socket.socket, error: Exception) -> None:
    try:
        frames.send(control, {"broken": f"{type(error).__name__}: {error}"})
    except OSError:  # the parent has gone
        os._exit(1)


def _run(
    place: Place, control: socket.socket, request: dict[str, Any], descriptors: list[int], kept: dict[str, bytes]
) -> tuple[Callable[[], None] | None, dict[str, Any]]:
    limits = request["limits"]
    place.fresh_box(limits["scratch_mb"])
    given = {name: text.encode(errors="surrogatepass") for name, text in request["files"].items()}
    for name, body in {**given, **kept}.items():
        place.write(name, body)
    facts = place.facts(limits["address_space"])
    started = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    hear_fault, fault = os.pipe()
    child = place.fork()
    if not child:
        try:
            place.arrive(fault)
            return _job(request, facts, process.become(request, facts, descriptors, fault)), {}
        except BaseException as error:
            os.write(fault, f"{type(error).__name__}: {error}".encode())
            os._exit(1)
    os.close(fault)
    outputs = descriptors[1:3]
    place.proc = os.read(hear_fault, 1) == b"p"
    end, peak = _watch(place, control, child, outputs, limits, started)
    if end:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    faults = os.read(hear_fault, 1000).decode()
    os.close(hear_fault)
    if faults:
        raise RuntimeError(f"before the program began: {faults}")
    wall = time.monotonic() - started
    place.kill_all()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = os.waitstatus_to_exitcode(status)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if not end and code == -signal.SIGKILL and cpu >= limits["cpu_seconds"]:
        end = "cpu"
    if not end and (code == -signal.SIGXFSZ or _over(outputs, limits)):
        end = "output"
    for descriptor in descriptors:
        os.close(descriptor)
    for name in request["keep"]:
        body = place.read(name, int(limits["file_mb"] * process.MEGABYTE))
        if body is not None:
            kept[name] = body
    return None, {
        "end": end or "exited", "code": code, "cpu_s": cpu, "wall_s": wall, "peak_mb": peak, "kept": sorted(kept),
        "proc": place.proc,
    }  # fmt: skip


def _job(request: Mapping[str, Any], facts: Mapping[str, Any], fault: int) -> Callable[[], None]:
    """The last step of a program's process, to be taken at the bottom of the stack."""
    box, source, filename = facts["box"], request["source"], request["filename"]
    if request["command"]:
        return lambda: process.execute(request["command"], fault)
    os.close(fault)
    if request["role"] == "program":
        return lambda: process.run_python(source, filename, box)
    if request["role"] == "serve":
        return lambda: serve.load(source, filename, box, process.RPC)
    return lambda: judge.judge(request["suite"])


def _watch(
    place: Place, control: socket.socket, child: int, outputs: list[int], limits: Mapping[str, Any], started: float
) -> tuple[str, float]:
    """Until the program ends, or has to: (why it must end or "", most memory seen at once in MB)."""
    poll, pidfd = select.poll(), os.pidfd_open(child)
    poll.register(pidfd, select.POLLIN)
    poll.register(control, select.POLLIN | select.POLLHUP)
    peak = 0.0
    while True:
        events = dict(poll.poll(LOOK_SECONDS * 1000))
        if pidfd in events:
            os.close(pidfd)
            return "", peak
        if control.fileno() in events:  # a stop request, or the parent has gone
            os.close(pidfd)
            asked = frames.receive(control)
            if asked is None or asked[0]["op"] == "end":
                place.end(child)
                os._exit(0)
            return "stopped", peak
        memory, cpu = watch.usage(place.processes())
        peak = max(peak, memory)
        if time.monotonic() - started > limits["wall_seconds"]:
            return "timeout", peak
        if cpu > limits["cpu_seconds"]:
            return "cpu", peak
        if memory > limits["memory_mb"]:
            return "memory", peak
        if _over(outputs, limits):
            return "output", peak
        if place.scratch_bytes() > limits["scratch_mb"] * process.MEGABYTE:
            return "disk", peak


def _over(outputs: list[int], limits: Mapping[str, Any]) -> bool:
    return sum(os.fstat(descriptor).st_size for descriptor in outputs) > limits["output_kb"] * 1024
