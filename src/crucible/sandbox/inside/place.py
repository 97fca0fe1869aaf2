"""Where programs run: in namespaces, or without them in a folder."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import stat
import time
from collections.abc import Mapping
from typing import Any

import kernel
import root
import watch

DEEPEST, MOST_FILES = 64, 16384  # of a scratch folder on disk; that in memory has as many inodes
FIRST_USER = 1_900_000_000  # far above any account: each program started by root runs as a user of its own
MOST_PIDS = 1 << 22  # Linux' own limit: supervisors that live at once have users apart


class Place:
    """`settings`: namespaces, seccomp, landlock (bool), readable (paths), scratch (a folder)."""

    def __init__(self, settings: Mapping[str, Any]):
        self.settings, self.namespaces = settings, bool(settings["namespaces"])
        self.proc, self.started, self.mounted, self.box = True, False, False, root.BOX
        self.programs = 0
        self.uid: int | None = None
        if self.namespaces:
            self._enter()
        else:
            kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)

    def _enter(self) -> None:
        """A user and a mount namespace. The network is the zygote's empty one; without seccomp one's own, too."""
        uid, gid = os.getuid(), os.getgid()
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # else /proc/self is not ours
        others = 0 if self.settings["seccomp"] else kernel.NEWNET | kernel.NEWIPC | kernel.NEWUTS
        kernel.unshare(kernel.NEWUSER | kernel.NEWNS | others)
        for name, text in {"setgroups": b"deny", "uid_map": b"1000 %d 1" % uid, "gid_map": b"1000 %d 1" % gid}.items():
            descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
            os.write(descriptor, text)
            os.close(descriptor)

    def next_program(self) -> None:
        """What follows is another program's: without namespaces, where this is root, another user's."""
        if not self.namespaces and not os.getuid():
            self.uid = FIRST_USER + os.getpid() + MOST_PIDS * self.programs
        self.programs += 1

    def fork(self) -> int:
        """A child: process 1 of a new process-id namespace, where there are any."""
        if not self.namespaces:
            return os.fork()
        if self.started:
            kernel.umount("/proc")  # of the last one
        self.started = True
        return kernel.fork(kernel.NEWPID)

    def arrive(self, tell: int) -> None:
        """The child's first step. Says on `tell` whether /proc shows its processes."""
        os.write(tell, b"p" if not self.namespaces or root.own_proc() else b"-")

    def facts(self, address_space: bool) -> dict[str, Any]:
        """What a process about to become the program must know."""
        others = 1 if self.namespaces else 0 if self.uid is not None else watch.threads_of(os.getuid())
        return {**self.settings, "uid": self.uid, "box": self.box, "others": others}

    def fresh_box(self, megabytes: float) -> None:
        """An empty scratch folder."""
        if self.namespaces:
            root.fresh_box(int(megabytes * (1 << 20)))
            self.mounted = True
            return
        self.box = f"{self.settings['scratch']}/{os.getpid()}"  # in a folder that only its owner can write to
        for path in (self.box, self.box + "/tmp"):
            os.mkdir(path, 0o700)
            if self.uid is not None:
                os.chown(path, self.uid, self.uid)

    def leave_box(self) -> None:
        """The scratch folder goes, with what is in it. No process of the program is left then."""
        if self.mounted:
            kernel.umount(root.BOX)
            self.mounted = False
        elif not self.namespaces and self.box != root.BOX and os.path.isdir(self.box):
            _remove(self.box)

    def write(self, name: str, body: bytes | int) -> None:
        """A file for the program, of these bytes or of what a descriptor holds."""
        path = f"{self.box}/{name}"
        with open(path, "xb") as file:
            if isinstance(body, int):
                copy(body, file.fileno(), os.fstat(body).st_size)
            else:
                file.write(body)
        os.chmod(path, 0o700)
        if self.uid is not None:
            os.chown(path, self.uid, self.uid)

    def keep(self, name: str, most: int) -> int | None:
        """A file the program has made, as a descriptor of a copy: an ordinary one in its folder, no link, no pipe; else
        None. The kernel copies: what a program made must not be in the memory that later ones are forked from.
        """
        with contextlib.suppress(OSError):
            descriptor = os.open(f"{self.box}/{name}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                found = os.fstat(file.fileno())
                if stat.S_ISREG(found.st_mode) and found.st_size <= most:
                    kept = os.memfd_create("kept")
                    copy(file.fileno(), kept, found.st_size)
                    return kept
        return None

    def processes(self) -> list[int]:
        if self.namespaces:
            return watch.everyone() if self.proc else []
        return watch.descendants(os.getpid())

    def scratch_bytes(self) -> float:
        """What lies in a scratch folder that no mount bounds."""
        if self.namespaces:
            return 0
        return _bytes_in(self.box)

    def kill_all(self) -> None:
        """End what the program, which has ended, has left behind. Errors: RuntimeError if that fails.

        A process-id namespace ends with its first process: the kernel has done it already.
        """
        if self.namespaces:
            return
        deadline = time.monotonic() + 10
        while True:  # an orphan becomes the supervisor's child, so no child left means nobody left
            for pid in watch.descendants(os.getpid()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return
            if time.monotonic() > deadline:
                raise RuntimeError("processes of the sandbox could not be killed")
            time.sleep(0.001)

    def end(self, child: int = 0) -> None:
        """With `child`, a program that still runs."""
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        self.kill_all()
        self.leave_box()


def _bytes_in(folder: str) -> float:
    """What the files hold; infinite for a tree that is too large, too deep or closed to look through."""
    total, seen, waiting = 0.0, 0, [(folder, 0)]
    while waiting:
        at, depth = waiting.pop()
        try:
            entries = list(os.scandir(at))
            total += sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
        except FileNotFoundError:  # removed meanwhile
            continue
        except OSError:
            return math.inf
        seen += len(entries)
        if depth > DEEPEST or seen > MOST_FILES:
            return math.inf
        waiting += [(entry.path, depth + 1) for entry in entries if entry.is_dir(follow_symlinks=False)]
    return total


def _remove(folder: str) -> None:
    """Folders that are closed or thousands deep included. Runs when no process of the program is left."""
    with contextlib.suppress(OSError):  # most programs leave nothing but their own file
        for entry in list(os.scandir(folder)):
            (os.rmdir if entry.is_dir(follow_symlinks=False) else os.unlink)(entry.path)
        os.rmdir(folder)
        return
    _command("chmod", "-R", "u+rwX", folder)
    if _command("rm", "-rf", folder):
        raise OSError(f"the scratch folder {folder} cannot be removed")


def _command(*words: str) -> int:
    """Its exit code. Without subprocess, which every later program would find imported."""
    child = os.fork()
    if not child:
        try:
            silent = os.open("/dev/null", os.O_WRONLY)
            for descriptor in (1, 2):
                os.dup2(silent, descriptor)
            os.execvp(words[0], words)
        finally:
            os._exit(127)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def copy(source: int, target: int, size: int) -> None:
    """The whole of a file to the end of another, by the kernel alone."""
    done = 0
    while done < size and (more := os.sendfile(target, source, done, size - done)):
        done += more
