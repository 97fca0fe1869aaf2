"""Messages on a stream socket: four bytes of length, then that many bytes. File descriptors ride with the length."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

LARGEST = 1 << 30


def send(to: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    body = json.dumps(message).encode()
    socket.send_fds(to, [struct.pack("=I", len(body))], list(descriptors))
    to.sendall(body)


def receive(at: socket.socket, most: int = 0) -> tuple[dict[str, Any], list[int]] | None:
    """The next message with at most `most` descriptors, or None where the other side has gone."""
    head, descriptors, _, _ = socket.recv_fds(at, 4, most)
    while head and len(head) < 4:
        more = at.recv(4 - len(head))
        if not more:
            return None
        head += more
    if not head:
        return None
    body = bytearray()
    (length,) = struct.unpack("=I", head)
    while len(body) < length:
        more = at.recv(min(length - len(body), 1 << 20))
        if not more:
            return None
        body += more
    return json.loads(body), descriptors


def read_exactly(descriptor: int, size: int) -> bytes:
    """`size` bytes of a plain descriptor. Errors: EOFError where the other side has gone."""
    body = bytearray()
    while len(body) < size:
        more = os.read(descriptor, min(size - len(body), 1 << 20))
        if not more:
            raise EOFError
        body += more
    return bytes(body)


def read_frame(descriptor: int) -> bytes:
    return read_exactly(descriptor, struct.unpack("=I", read_exactly(descriptor, 4))[0])


def write_frame(descriptor: int, body: bytes) -> None:
    data = memoryview(struct.pack("=I", len(body)) + body)
    while data:
        data = data[os.write(descriptor, data) :]
