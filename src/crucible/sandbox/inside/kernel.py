"""The Linux calls that Python 3.11 does not have: namespaces, mounts, prctl, capabilities. x86-64 and arm64."""

from __future__ import annotations

import ctypes
import os
import platform
import signal

NEWNS, NEWUTS, NEWIPC = 0x00020000, 0x04000000, 0x08000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE, MS_REMOUNT, MS_RDONLY = 2, 4, 4096, 16384, 1 << 18, 32, 1
MS_NOEXEC = 8
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
AT_RECURSIVE = 0x8000

X86 = platform.machine() == "x86_64"
SYS_PIVOT_ROOT, SYS_CAPSET, SYS_CLONE, SYS_MOUNT_SETATTR = (155, 126, 56, 442) if X86 else (41, 91, 220, 442)

libc = ctypes.CDLL(None, use_errno=True)
libc_holding_lock = ctypes.PyDLL(None, use_errno=True)


def check(result: int, what: str) -> int:
    """`result`, or OSError naming the call that gave -1."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(what: str, number: int, *arguments: object) -> int:
    return check(libc.syscall(ctypes.c_long(number), *arguments), what)


def prctl(option: int, value: int = 0, pointer: object = 0) -> None:
    long = ctypes.c_ulong
    check(libc.prctl(option, long(value), pointer or long(0), long(0), long(0)), f"prctl({option})")


def fork(namespaces: int) -> int:
    """os.fork into new namespaces: with NEWPID the child is process 1 of its own, and all die with it."""
    ctypes.pythonapi.PyOS_BeforeFork()
    zero = ctypes.c_long(0)
    flags = ctypes.c_long(namespaces | signal.SIGCHLD)
    child = libc_holding_lock.syscall(ctypes.c_long(SYS_CLONE), flags, zero, zero, zero, zero)
    if child == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    else:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
    return check(child, "clone")


def unshare(flags: int) -> None:
    check(libc.unshare(flags), f"unshare({flags:#x})")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    given = (source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), data.encode() or None)
    check(libc.mount(*given), f"mount {kind or source} on {target}")


def umount(target: str) -> None:
    check(libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    syscall("pivot_root", SYS_PIVOT_ROOT, new.encode(), old.encode())


def read_only(target: str) -> None:
    """`target` and every mount below it: read-only, no set-uid programs, no devices."""
    attributes = (ctypes.c_uint64 * 4)(MS_RDONLY | MS_NOSUID | MS_NODEV, 0, 0, 0)  # the MOUNT_ATTR_ values are equal
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    syscall("mount_setattr", SYS_MOUNT_SETATTR, -100, target.encode(), AT_RECURSIVE, attributes, size)


def drop_capabilities() -> None:
    """None left, and none to be had again."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    syscall("capset", SYS_CAPSET, header, (ctypes.c_uint32 * 6)())


def die_with_parent(parent: int) -> None:
    """SIGKILL when the parent ends. `parent` is its id as seen from here: it may be gone already."""
    prctl(PR_SET_PDEATHSIG, 9)
    if os.getppid() != parent:
        os._exit(1)
