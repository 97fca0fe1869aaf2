"""The file tree a program sees: system folders and the interpreter, read-only, and one small writable folder."""

from __future__ import annotations

import os
from collections.abc import Sequence

import kernel
from kernel import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REC, MS_REMOUNT

BOX = "/box"  # working folder, home, and with tmp/ and shm/ in it what stands behind /tmp and /dev/shm
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives", "/etc/ld.so.cache")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
LINKS = {"/tmp": BOX + "/tmp", "/dev/shm": BOX + "/shm", "/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0",
         "/dev/stdout": "/proc/self/fd/1", "/dev/stderr": "/proc/self/fd/2"}  # fmt: skip
USERS = "box:x:1000:1000::/box:/bin/sh\n"


def visible(extra: Sequence[str]) -> list[str]:
    """The paths of this machine that are shown, those that exist; none inside another."""
    paths = [path for path in [*SYSTEM, *extra] if os.path.lexists(path)]
    return [path for path in paths if not any(path != other and path.startswith(other + "/") for other in paths)]


def build(at: str, extra: Sequence[str]) -> None:
    """Make the tree at `at` and make it this process' root. Needs its own mount namespace."""
    kernel.mount("", "/", flags=MS_PRIVATE | MS_REC)
    kernel.mount("tmpfs", at, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
    for path in visible(extra):
        _show(path, at + path)
    for device in DEVICES:
        _bind(device, at + device)
    for name, target in LINKS.items():
        if not os.path.lexists(at + name):  # something in /tmp is shown: then /tmp is read-only, TMPDIR is not
            os.symlink(target, at + name)
    os.makedirs(at + "/etc", exist_ok=True)
    with open(at + "/etc/passwd", "w") as file:
        file.write(USERS)
    for folder in (BOX, "/proc", "/old"):
        os.mkdir(at + folder)
    kernel.mount("/proc", at + "/proc", flags=MS_BIND | MS_REC)  # needed to mount one's own; covered before any use
    kernel.pivot_root(at, at + "/old")
    os.chdir("/")
    kernel.umount("/old")
    os.rmdir("/old")
    kernel.mount("", "/", flags=MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)


def own_proc() -> bool:
    """The processes of this namespace in /proc, nothing else; an empty folder where the machine refuses."""
    try:
        kernel.mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "subset=pid")
        return True
    except OSError:
        kernel.mount("tmpfs", "/proc", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV, "size=4k,mode=755")
        return False


def fresh_box(size: int) -> None:
    """An empty writable folder of `size` bytes."""
    kernel.mount("tmpfs", BOX, "tmpfs", MS_NOSUID | MS_NODEV, f"mode=700,size={size},nr_inodes=16384")
    for name in ("tmp", "shm"):
        os.mkdir(f"{BOX}/{name}")


def _show(path: str, at: str) -> None:
    if os.path.islink(path):
        os.makedirs(os.path.dirname(at), exist_ok=True)
        os.symlink(os.readlink(path), at)
    else:
        _bind(path, at)
        kernel.read_only(at)


def _bind(path: str, at: str) -> None:
    if os.path.isdir(path):
        os.makedirs(at, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(at), exist_ok=True)
        with open(at, "x"):
            pass
    kernel.mount(path, at, flags=MS_BIND | MS_REC)
