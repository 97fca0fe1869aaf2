"""Where one session runs: in fresh namespaces, or without them in a folder of its own."""

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
FIRST_USER = 1_900_000_000  # far above any account: each session started by root runs as a user of its own


class Place:
    """`settings`: namespaces, seccomp, landlock (bool), readable (paths), scratch (a folder)."""

    def __init__(self, settings: Mapping[str, Any]):
        self.settings, self.namespaces = settings, bool(settings["namespaces"])
        self.proc, self.started, self.mounted, self.box = True, False, False, root.BOX
        self.uid = None if self.namespaces or os.getuid() else FIRST_USER + os.getpid()
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
        """An empty scratch folder; that of the last run is gone."""
        if self.namespaces:
            root.fresh_box(int(megabytes * (1 << 20)), self.mounted)
            self.mounted = True
            return
        self.remove_box()
        self.box = f"{self.settings['scratch']}/{os.getpid()}"  # in a folder that only its owner can write to
        for path in (self.box, self.box + "/tmp"):
            os.mkdir(path, 0o700)
            if self.uid is not None:
                os.chown(path, self.uid, self.uid)

    def remove_box(self) -> None:
        if not self.namespaces and self.box != root.BOX and os.path.isdir(self.box):
            _remove(self.box)

    def write(self, name: str, body: bytes) -> None:
        path = f"{self.box}/{name}"
        with open(path, "xb") as file:
            file.write(body)
        os.chmod(path, 0o700)
        if self.uid is not None:
            os.chown(path, self.uid, self.uid)

    def read(self, name: str, most: int) -> bytes | None:
        """A file the program has made: an ordinary one in its folder, no link, no pipe; else None."""
        with contextlib.suppress(OSError):
            descriptor = os.open(f"{self.box}/{name}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                if stat.S_ISREG(os.fstat(file.fileno()).st_mode) and os.fstat(file.fileno()).st_size <= most:
                    return file.read(most)
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
        self.remove_box()


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
    import subprocess  # not at the top: every fork would carry it

    for command in (["chmod", "-R", "u+rwX", folder], ["rm", "-rf", folder]):
        subprocess.run(command, check=command[0] == "rm", stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
