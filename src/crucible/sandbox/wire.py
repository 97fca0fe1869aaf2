"""Frames to and from a process that may stall, flood or vanish."""

from __future__ import annotations

import socket
import struct
import time


class Late(Exception):
    """No whole frame in time."""


class Closed(Exception):
    """The other side has gone."""


class TooLong(Exception):
    """A frame longer than agreed."""


class Wire:
    def __init__(self, end: socket.socket):
        self.socket = end

    def read(self, until: float, most: int) -> bytes:
        """The next frame, by the clock time `until` (time.monotonic) and of at most `most` bytes."""
        (length,) = struct.unpack("=I", self._exactly(4, until))
        if length > most:
            raise TooLong
        return self._exactly(length, until)

    def send(self, body: bytes, until: float) -> None:
        self._allow(until)
        try:
            self.socket.sendall(struct.pack("=I", len(body)) + body)
        except TimeoutError:
            raise Late from None
        except OSError:
            raise Closed from None

    def _exactly(self, size: int, until: float) -> bytes:
        body = bytearray()
        while len(body) < size:
            self._allow(until)
            try:
                more = self.socket.recv(min(size - len(body), 1 << 20))
            except TimeoutError:
                raise Late from None
            except OSError:
                raise Closed from None
            if not more:
                raise Closed
            body += more
        return bytes(body)

    def _allow(self, until: float) -> None:
        left = until - time.monotonic()
        if left <= 0:
            raise Late
        self.socket.settimeout(left)

    def close(self) -> None:
        self.socket.close()
