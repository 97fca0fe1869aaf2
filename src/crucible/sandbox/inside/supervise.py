"""The process beside a sandbox: takes requests from the parent, forks the program, watches it, ends it, reports.

One supervisor serves one session at a time: one program. Each run is a new process, in a new process-id namespace
where there are any, with a new scratch folder; everything of the run before it is dead and gone before the parent
hears of its end. A session may follow another: then nothing that was kept is left, and without namespaces the user
id is a new one. It never reads a program or a test, for it is the memory of every program forked from it: those are in
a file that only the forked process reads.
"""

from __future__ import annotations

import json
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


def supervise(control: socket.socket, parent: int, settings: Mapping[str, Any]) -> Callable[[], None] | None:
    """Serve until the parent (a pidfd) says so or is gone. Returns only in a forked program: with what it has to do."""
    try:
        place = Place(settings)
    except OSError as error:
        frames.send(control, {"broken": str(error)})
        os._exit(1)
    kept: dict[str, int] = {}
    try:
        while (got := _next(control, parent)) is not None:
            if got[0].get("op") == "end":
                break
            if "op" in got[0]:  # a stop that came when the program had just ended
                continue
            if got[0]["first"]:
                for descriptor in kept.values():
                    os.close(descriptor)
                kept.clear()
                place.next_program()
            job, result = _run(place, control, got[0], got[1], kept)
            if job:
                return job
            frames.send(control, result)
    except (OSError, RuntimeError) as error:
        _say_broken(control, error)
    place.end()
    os._exit(0)


def _next(control: socket.socket, parent: int) -> tuple[dict[str, Any], list[int]] | None:
    """The next message; None where the parent has gone. Its socket may be open still, in a child it has forked."""
    poll = select.poll()
    for descriptor in (control.fileno(), parent):
        poll.register(descriptor, select.POLLIN | select.POLLHUP)
    return frames.receive(control, 5) if control.fileno() in dict(poll.poll()) else None


def _say_broken(control: socket.socket, error: Exception) -> None:
    try:
        frames.send(control, {"broken": f"{type(error).__name__}: {error}"})
    except OSError:  # the parent has gone
        os._exit(1)


def _run(
    place: Place, control: socket.socket, request: dict[str, Any], descriptors: list[int], kept: dict[str, int]
) -> tuple[Callable[[], None] | None, dict[str, Any]]:
    """`descriptors`: the program (see `_read`), its stdin, stdout, stderr and, where there is one, the RPC socket."""
    limits = request["limits"]
    place.fresh_box(limits["scratch_mb"])
    facts = place.facts(limits["address_space"])
    started = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    hear_fault, fault = os.pipe()
    child = place.fork()
    if not child:
        try:
            place.arrive(fault)
            program = _read(descriptors[0])
            given = {name: text.encode(errors="surrogatepass") for name, text in program["files"].items()}
            for name, body in {**given, **kept}.items():
                place.write(name, body)
            return _job(request, program, facts, process.become(request, facts, descriptors[1:], fault)), {}
        except BaseException as error:
            os.write(fault, f"{type(error).__name__}: {error}".encode())
            os._exit(1)
    os.close(fault)
    outputs = descriptors[2:4]
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
        copy = place.keep(name, int(limits["file_mb"] * process.MEGABYTE))
        if copy is not None:
            kept[name] = copy
    place.leave_box()
    return None, {
        "end": end or "exited", "code": code, "cpu_s": cpu, "wall_s": wall, "peak_mb": peak, "kept": sorted(kept),
        "proc": place.proc, "pid": os.getpid(),
    }  # fmt: skip


def _read(descriptor: int) -> dict[str, Any]:
    """The program: source, files and, where this is the tests' process, suite."""
    with open(descriptor, "rb", closefd=False) as file:
        return json.loads(file.read())


def _job(
    request: Mapping[str, Any], program: Mapping[str, Any], facts: Mapping[str, Any], fault: int
) -> Callable[[], None]:
    """The last step of a program's process, to be taken at the bottom of the stack."""
    box, source, filename = facts["box"], program["source"], request["filename"]
    if request["command"]:
        return lambda: process.execute(request["command"], fault)
    os.close(fault)
    if request["role"] == "program":
        return lambda: process.run_python(source, filename, box)
    if request["role"] == "serve":
        return lambda: serve.load(source, filename, box, process.RPC)
    return lambda: judge.judge(program["suite"])


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
