"""From a forked supervisor to a program: limits, descriptors, privileges given up, then the program itself."""

from __future__ import annotations

import builtins
import fcntl
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import kernel
import landlock
import root
import seccomp

MEGABYTE = 1 << 20
ALL_DESCRIPTORS = 1 << 30
RPC = 3  # the descriptor on which a program of role "serve" or "tests" talks


def become(request: Mapping[str, Any], place: Mapping[str, Any], descriptors: Sequence[int], fault: int) -> int:
    """Everything but the last step. `descriptors`: stdin, stdout, stderr and, where there is one, the RPC socket.

    `fault` is a pipe to the supervisor for what goes wrong here; returned under its new number.
    """
    os.setsid()
    if request["command"]:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it
    descriptors = [fcntl.fcntl(d, fcntl.F_DUPFD_CLOEXEC, 16) for d in descriptors]  # out of the way of 0 to 3
    fault = fcntl.fcntl(fault, fcntl.F_DUPFD_CLOEXEC, 16)
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target, inheritable=target < RPC)
    os.closerange(len(descriptors), fault)
    os.closerange(fault + 1, ALL_DESCRIPTORS)
    os.chdir(place["box"])
    os.umask(0o077)
    if place["box"] != root.BOX:  # else it is in the environment already
        os.environ.update(HOME=place["box"], TMPDIR=place["box"] + "/tmp")
    limit(request["limits"], place["others"])
    if place["uid"] is not None:
        os.setgroups([])
        os.setresgid(place["uid"], place["uid"], place["uid"])
        os.setresuid(place["uid"], place["uid"], place["uid"])
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.drop_capabilities()
    if place["landlock"]:
        landlock.restrict(root.visible(place["readable"]), [place["box"]], root.DEVICES)
    if place["seccomp"]:
        seccomp.install(place["namespaces"])
    return fault


def limit(limits: Mapping[str, Any], others: int) -> None:
    """Kernel limits. `others`: processes that count against the same number."""
    cpu = int(limits["cpu_seconds"]) + 1  # whole seconds; the supervisor looks after the rest
    memory = int(limits["memory_mb"] * MEGABYTE)
    kinds = {
        resource.RLIMIT_CPU: cpu,
        resource.RLIMIT_FSIZE: int(limits["file_mb"] * MEGABYTE),
        resource.RLIMIT_NOFILE: limits["open_files"],
        resource.RLIMIT_NPROC: limits["processes"] + others,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        # what reserves far more than it uses (V8, the JVM) is limited in what it can write to
        resource.RLIMIT_AS if limits["address_space"] else resource.RLIMIT_DATA: memory,
    }
    for kind, value in kinds.items():
        resource.setrlimit(kind, (value, value))
    resource.setrlimit(resource.RLIMIT_STACK, (8 * MEGABYTE, resource.getrlimit(resource.RLIMIT_STACK)[1]))


def execute(command: Sequence[str], fault: int) -> None:
    """Replace this process. What the program itself brought and cannot be started is its own failure: exit code 127."""
    try:
        os.execvp(command[0], list(command))
    except OSError as error:
        text = f"{command[0]}: {error.strerror}\n".encode()
        os.write(2 if command[0].startswith("./") else fault, text)
        os._exit(127)


def run_python(source: str, filename: str, box: str) -> None:
    """`source` as the main program of this warm interpreter, then what Python does at the end of one."""
    import types

    main = types.ModuleType("__main__")
    main.__file__ = filename
    vars(main)["__builtins__"] = builtins
    sys.modules["__main__"] = main
    sys.argv = [filename]
    sys.path.insert(0, box)
    code = 1
    try:
        exec(compile(source, filename, "exec", dont_inherit=True), main.__dict__)
        code = 0
    except SystemExit as leave:
        code = _exit_code(leave.code)
    except BaseException as error:
        _show(error, filename)
    finally:
        finish(code)


def finish(code: int) -> None:
    """The end of a Python program: threads joined, atexit run, output flushed; nothing taken apart."""
    import atexit
    import threading

    flush = [lambda: sys.stdout.flush(), lambda: sys.stderr.flush()]
    for step in [vars(threading)["_shutdown"], atexit._run_exitfuncs, *flush]:
        try:
            step()
        except BaseException as error:
            code = code or 120
            os.write(2, f"{type(error).__name__} at the end of the program\n".encode())
    os._exit(code)


def _exit_code(code: Any) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _show(error: BaseException, filename: str) -> None:
    """The traceback from the program's own first frame on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != filename:
        trace = trace.tb_next
    sys.excepthook(type(error), error.with_traceback(trace), trace)
