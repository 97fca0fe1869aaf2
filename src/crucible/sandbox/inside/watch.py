"""What the processes of a sandbox use together, read from /proc."""

from __future__ import annotations

import os

TICK = os.sysconf("SC_CLK_TCK")


def everyone() -> list[int]:
    """The processes of this /proc."""
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def descendants(of: int) -> list[int]:
    """The living processes below `of`, in the /proc of the machine."""
    children: dict[int, list[int]] = {}
    for pid in everyone():
        fields = _stat(pid)
        if fields:
            children.setdefault(int(fields[1]), []).append(pid)
    found = list(children.get(of, []))
    for pid in found:  # grows while it is read
        found += children.get(pid, [])
    return found


def usage(pids: list[int]) -> tuple[float, float]:
    """(resident MB without what files back, CPU seconds) of these processes and the children they have waited for.

    Memory that several of them share counts once for each.
    """
    memory = cpu = 0.0
    for pid in pids:
        fields = _stat(pid)
        if not fields:
            continue
        cpu += sum(map(int, fields[11:15])) / TICK
        try:
            with open(f"/proc/{pid}/status", errors="replace") as file:
                lines = [line.split() for line in file if line.startswith(("RssAnon:", "RssShmem:"))]
        except OSError:  # it has just ended
            continue
        memory += sum(int(line[1]) for line in lines) / 1024
    return memory, cpu


def threads_of(uid: int) -> int:
    """Threads of a user on the machine: what its process limit counts. The supervisor itself among them."""
    count = 0
    for pid in everyone():
        try:
            if os.stat(f"/proc/{pid}").st_uid == uid:
                count += len(os.listdir(f"/proc/{pid}/task"))
        except OSError:
            continue
    return count


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on, [] for a process that has ended."""
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []
