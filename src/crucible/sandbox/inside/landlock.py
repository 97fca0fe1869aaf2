"""Landlock (Linux 5.13): a process that gives up the file tree but for some folders. Used where namespaces are refused.

From version 4 also TCP, from 6 also signals and abstract Unix sockets to processes outside.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Sequence

from kernel import syscall

CREATE, ADD, RESTRICT = 444, 445, 446
READ = 1 | 4 | 8  # execute, read files, list folders
RIGHTS = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF, 5: 0xFFFF}  # the file rights each version knows
DEVICE = 2 | 4 | 0x4000  # write, read, truncate


def version() -> int:
    """0 where the kernel has none."""
    try:
        return syscall("landlock_create_ruleset", CREATE, None, ctypes.c_size_t(0), 1)
    except OSError:
        return 0


def restrict(readable: Sequence[str], writable: Sequence[str], devices: Sequence[str]) -> None:
    """Only these from here on, for this process and its children. Needs no_new_privs."""
    known = version()
    rights = RIGHTS[min(known, 5)]
    ruleset = struct.pack("=QQQ", rights, 3 if known >= 4 else 0, 3 if known >= 6 else 0)
    size = 8 if known < 4 else 16 if known < 6 else 24
    handle = syscall("landlock_create_ruleset", CREATE, ruleset, ctypes.c_size_t(size), 0)
    granted = [(readable, READ), (writable, rights), (devices, DEVICE & rights)]
    for path, access in [(path, access) for paths, access in granted for path in paths]:
        at = os.open(path, os.O_PATH | os.O_CLOEXEC)
        if not os.path.isdir(path):
            access &= 0x1 | 0x2 | 0x4 | 0x4000 | 0x8000
        syscall("landlock_add_rule", ADD, handle, 1, struct.pack("=Qi", access & rights, at), 0)
        os.close(at)
    syscall("landlock_restrict_self", RESTRICT, handle, 0)
    os.close(handle)
