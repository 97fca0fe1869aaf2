"""What runs between the program and a worker: a socket for messages, a shared page for what the worker is doing.

To the worker go pickles (a function's name, its options, items); back come JSON lists alone, since a worker has read
text that nobody vouches for. The page says which item is being worked on and since when, so a stuck item is known
without a message for each one.
"""

from __future__ import annotations

import json
import mmap
import os
import socket
import struct
import time
from typing import Any

HEADER = struct.Struct("<I")
DOING = struct.Struct("<qd")  # item number, since when (the monotonic clock, the same for all processes)
IDLE, LOADING = -2, -1


class Page:
    """The shared page. The worker writes it, the program reads it."""

    def __init__(self, fd: int):
        self._memory = mmap.mmap(fd, DOING.size)

    def write(self, item: int) -> None:
        DOING.pack_into(self._memory, 0, item, time.monotonic())

    def read(self) -> tuple[int, float]:
        item, since = DOING.unpack_from(self._memory, 0)
        return int(item), float(since)

    def close(self) -> None:
        self._memory.close()


def page_file() -> int:
    """A file descriptor for a Page that two processes share and that vanishes with them."""
    import tempfile

    with tempfile.TemporaryFile() as file:
        file.write(DOING.pack(IDLE, 0.0))
        file.flush()
        return os.dup(file.fileno())


def framed(payload: bytes) -> bytes:
    return HEADER.pack(len(payload)) + payload


def take_frames(buffer: bytearray) -> list[Any]:
    """The whole JSON messages at the start of a buffer, which are taken out of it."""
    found = []
    while len(buffer) >= HEADER.size:
        (size,) = HEADER.unpack_from(buffer)
        if len(buffer) < HEADER.size + size:
            break
        found.append(json.loads(bytes(buffer[HEADER.size : HEADER.size + size])))
        del buffer[: HEADER.size + size]
    return found


def receive(connection: socket.socket) -> bytes | None:
    """The next message; None where the other side has closed."""
    header = _exactly(connection, HEADER.size)
    return None if header is None else _exactly(connection, HEADER.unpack(header)[0])


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        if not (part := connection.recv(min(size - len(parts), 1 << 20))):
            return None
        parts += part
    return bytes(parts)
