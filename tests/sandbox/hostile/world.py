"""Something to lose: secrets, servers and folders of the parent, and what of them has changed."""

from __future__ import annotations

import gc
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crucible.sandbox import Sandbox

CHECKOUT = Path(__file__).resolve().parents[3]
FIRST_USER = 1_900_000_000  # of inside/place.py
VARIABLE, SECRET = "CRUCIBLE_TEST_SECRET", "s3cr3t-of-the-parent"


class World:
    def __init__(self, folder: Path, box: Sandbox):
        self.box, self.outside = box, folder / "outside"
        self.outside.mkdir()
        self.outside.chmod(0o777)
        secret = folder / "secret.txt"
        secret.write_text(SECRET)
        secret.chmod(0o666)
        self.servers = [socket.socket(socket.AF_INET), socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)]
        self.servers[0].bind(("127.0.0.1", 0))
        self.servers[1].bind(str(folder / "unix"))
        self.servers[2].bind(f"\0crucible-test-{os.getpid()}")
        for server in self.servers:
            server.listen()
        assert box.run("").ok
        zygote = box._zygote
        assert zygote is not None
        self.zygote = zygote.pid
        self.names: dict[str, Any] = {
            "home": Path.home(), "checkout": CHECKOUT, "secret": secret, "outside": self.outside, "variable": VARIABLE,
            "parent": os.getpid(), "group": os.getpgrp(), "zygote": self.zygote, "unix": folder / "unix",
            "port": self.servers[0].getsockname()[1], "abstract": f"crucible-test-{os.getpid()}",
        }  # fmt: skip

    def fill(self, program: str) -> str:
        return program.format(**self.names)

    def close(self) -> None:
        for server in self.servers:
            server.close()

    def changed(self) -> list[str]:
        return os.listdir(self.outside)


@contextmanager
def world(folder: Path, box: Sandbox) -> Iterator[World]:
    made = World(folder, box)
    try:
        yield made
    finally:
        made.close()


def parent_of(pid: int) -> int:
    """0 for a process that has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def everyone() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def below(pid: int) -> set[int]:
    """Living descendants of a process, zombies included."""
    parents = {child: parent_of(child) for child in everyone()}
    found, last = {pid}, -1
    while len(found) != last:
        last = len(found)
        found |= {child for child, parent in parents.items() if parent in found}
    return found - {pid}


def is_of_sandbox(pid: int) -> bool:
    """Runs as a user only sandboxes have (where this is root)."""
    try:
        return os.stat(f"/proc/{pid}").st_uid >= FIRST_USER
    except OSError:
        return False


def abandoned() -> set[int]:
    """Processes of sandboxes that no Python program holds any more: its sandboxes hang below it."""
    found = set()
    for pid in filter(is_of_sandbox, everyone()):
        above = pid
        while is_of_sandbox(above):
            above = parent_of(above)
        try:
            held = b"python" in Path(f"/proc/{above}/cmdline").read_bytes()
        except OSError:  # it has just ended
            continue
        if not held:
            found.add(pid)
    return found


def settles(condition: Any, seconds: float = 10.0) -> bool:
    """Does it hold before the time is over? The kernel takes a moment to put ended processes away."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def own_use() -> tuple[int, float]:
    """(open descriptors, resident MB) of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return len(os.listdir("/proc/self/fd")), pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
