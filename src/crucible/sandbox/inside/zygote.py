"""A small warm interpreter that forks supervisors and never reads a program or a test.

    python -S -s -P zygote.py <control descriptor> <settings as JSON>

It ends when the process that started it ends, or closes the other side of the control socket.
"""

from __future__ import annotations

import bisect  # noqa: F401  loaded here so that programs find them loaded
import collections  # noqa: F401
import copy  # noqa: F401
import functools  # noqa: F401
import heapq  # noqa: F401
import itertools  # noqa: F401
import json
import math  # noqa: F401
import operator  # noqa: F401
import os
import random  # noqa: F401
import re  # noqa: F401
import select
import signal
import socket
import string  # noqa: F401
import sys
import threading  # noqa: F401
import typing  # noqa: F401
from collections.abc import Callable

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import atexit  # noqa: F401
import gc

import frames
import kernel
import landlock
import place
import root
import seccomp
import supervise


def main(descriptor: int, settings: dict[str, object]) -> Callable[[], None] | None:
    """Serve until the other side closes. Returns only in a forked program: with what that process has to do."""
    control = socket.socket(fileno=descriptor)
    try:
        prepare(settings)
    except OSError as error:
        frames.send(control, {"broken": str(error)})
        sys.exit(1)
    features = {"seccomp": seccomp.supported(), "landlock": landlock.version()}
    settings["seccomp"] = features["seccomp"]
    settings["landlock"] = features["landlock"] and not settings["namespaces"]
    signal.signal(signal.SIGCHLD, reap)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # for the programs, which inherit it
    frames.send(control, features)
    gc.collect()
    gc.freeze()
    poll = select.poll()
    parent = os.pidfd_open(settings["parent"])  # type: ignore[arg-type]
    poll.register(parent, select.POLLIN)
    poll.register(control, select.POLLIN | select.POLLHUP)
    while True:
        got = None if parent in dict(poll.poll()) else frames.receive(control, 1)
        if got is None or got[0]["op"] == "end":
            leave(settings)
            return None
        zygote = os.getpid()
        if os.fork():
            os.close(got[1][0])
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if settings["namespaces"]:  # else it has to live until it has found and killed every descendant
            kernel.die_with_parent(zygote)
        control.close()
        return supervise.supervise(socket.socket(fileno=got[1][0]), parent, settings)


def leave(settings: dict[str, object]) -> None:
    """End. Without namespaces only after the supervisors, which see that the parent has gone and clean up."""
    if settings["scratch"]:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            while True:
                os.wait()
        except ChildProcessError:
            os.rmdir(str(settings["scratch"]))
    os._exit(0)


def reap(*_: object) -> None:
    """Supervisors that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def prepare(settings: dict[str, object]) -> None:
    """What can be done once for all sessions: the file tree, the user, no way to be looked into."""
    settings["readable"] = [*settings["readable"], sys.base_prefix]  # type: ignore[misc]
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # before anything else of this machine
    if settings["namespaces"]:
        uid, gid = os.getuid(), os.getgid()
        apart = kernel.NEWNS | kernel.NEWNET | kernel.NEWIPC | kernel.NEWUTS
        kernel.unshare(apart if uid == 0 else apart | kernel.NEWUSER)
        if uid:
            for name, text in {"setgroups": "deny", "uid_map": f"{uid} {uid} 1", "gid_map": f"{gid} {gid} 1"}.items():
                with open(f"/proc/self/{name}", "w") as file:
                    file.write(text)
        root.build("/sys", settings["readable"])  # type: ignore[arg-type]
        if uid == 0:
            user = place.FIRST_USER + os.getpid()
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)


job = main(int(sys.argv[1]), json.loads(sys.argv[2]))
if job is not None:
    job()
