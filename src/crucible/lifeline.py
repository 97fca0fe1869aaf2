"""A connection between the main process of a run and each other rank, by which either learns that the other is gone.

A rank that dies closes its connection, whatever killed it. torch's collectives say no more than that some peer is lost,
and over NCCL may say nothing for hours.
"""

from __future__ import annotations

import os
import secrets
import selectors
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from crucible.errors import UserError

GRACE_S = 20.0  # a rank that still waits for a lost one after that is ended
NOTICE_S = 3.0  # in which word of a lost rank arrives, once a collective has failed
CONNECT_S = 60.0
LOST = 75  # the exit code of a rank that was ended so: EX_TEMPFAIL, the same command goes on
DONE = "done"


class LostRank(UserError):
    """Another rank died or stopped. `told`: that rank has said why itself."""

    def __init__(self, message: str, *, told: bool = False) -> None:
        super().__init__(message)
        self.told = told


def this_process() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def main_calls(address: str) -> tuple[socket.socket, tuple[str, int, str]]:
    """Of the main process: a socket that listens, and what the other ranks need to call it: address, port, password."""
    local = address in ("127.0.0.1", "localhost")
    listener = socket.create_server(("127.0.0.1" if local else "", 0), backlog=1024)
    return listener, (address, listener.getsockname()[1], secrets.token_hex(16))


@dataclass(eq=False)
class Lifeline:
    """The connections of one rank: to the main process, or on that one to all others. `names` by rank.

    A thread waits for what they say: "done" at a regular end, the error of a rank that stops, nothing of one that dies.
    """

    names: dict[int, str]
    connections: dict[int, socket.socket]
    lost: str | None = None
    told: bool = False
    on_hang: Callable[[str], None] | None = None
    _known: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def watch(self) -> Lifeline:
        self._thread = threading.Thread(target=self._watch, name="lifeline", daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        with selectors.DefaultSelector() as waiting:
            heard = dict.fromkeys(self.connections, b"")
            for rank, connection in self.connections.items():
                waiting.register(connection, selectors.EVENT_READ, rank)
            while heard and not self._over.is_set():
                for key, _ in waiting.select(timeout=0.2):
                    rank, said = key.data, _received(key.fileobj)
                    heard[rank] += said
                    if said and not heard[rank].endswith(b"\n"):
                        continue
                    waiting.unregister(key.fileobj)
                    self._gone(rank, heard.pop(rank).decode(errors="replace").strip())
                if self.lost is not None and not self._over.wait(GRACE_S):
                    self.hang()

    def _gone(self, rank: int, last_words: str) -> None:
        """A rank has said its last words, or none at all."""
        if last_words == DONE or self.lost is not None:
            return
        name = f"rank {rank}" + (", the main process," if rank == 0 else "")
        self.told = bool(last_words)
        self.lost = last_words if last_words.startswith("rank ") else f"{name} stopped: {last_words}"
        if not last_words:
            self.lost = f"{name} died ({self.names[rank]}): it was killed, or its machine is lost"
        self._known.set()
        self._say(self.lost)

    def _say(self, words: str) -> None:
        for connection in self.connections.values():
            with suppress(OSError):
                connection.sendall(f"{words}\n".encode())

    def hang(self) -> None:
        """A rank is lost and this one has not noticed: it waits for it in a collective."""
        assert self.lost is not None
        if self.on_hang is not None:
            self.on_hang(self.lost)
        print(f"error: {self.lost}", file=sys.stderr, flush=True)
        os._exit(LOST)

    @contextmanager
    def holding(self, on_hang: Callable[[str], None] | None = None) -> Iterator[None]:
        """An error in the body that comes of a lost rank becomes a LostRank; where none comes, `on_hang` ends it."""
        self.on_hang = on_hang
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            failed_collective = isinstance(error, RuntimeError)
            if self.lost is None and not (failed_collective and self._known.wait(NOTICE_S)):
                raise
            raise LostRank(f"{self.lost}; the same command goes on from the last checkpoint", told=self.told) from error

    def close(self, error: BaseException | None = None) -> None:
        """The last words of this rank: that it is done, or its error."""
        self._over.set()
        if error is None:
            self._say(DONE)
        elif self.lost is None:
            text = " ".join(str(error).split())[:500]
            kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
            self._say(f"{kind}{text}" or "it was interrupted")
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(5)
        for connection in self.connections.values():
            connection.close()


def _received(connection: Any) -> bytes:
    try:
        found: bytes = connection.recv(4096)
    except OSError:  # reset: its process was killed with words of ours unread
        found = b""
    return found


def main_end(listener: socket.socket, world: int, password: str) -> Lifeline:
    """The main process' end: waits for the call of every other rank."""
    connections: dict[int, socket.socket] = {}
    names: dict[int, str] = {}
    listener.settimeout(CONNECT_S)
    with listener:
        while len(connections) < world - 1:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                missing = sorted(set(range(1, world)) - connections.keys())
                raise UserError(f"rank {missing[0]} did not connect to the main process in {CONNECT_S:.0f} s") from None
            connection.settimeout(CONNECT_S)
            with suppress(OSError, ValueError):
                said, rank, name = connection.makefile("r").readline().rstrip("\n").split(" ", 2)
                if secrets.compare_digest(said, password):
                    connections[int(rank)], names[int(rank)] = _quiet(connection), name
    return Lifeline(names, connections).watch()


def other_end(call: tuple[str, int, str], rank: int, main: str) -> Lifeline:
    """The end of rank `rank`; `main` says which process the main one is."""
    address, port, password = call
    try:
        connection = socket.create_connection((address, port), timeout=CONNECT_S)
        connection.sendall(f"{password} {rank} {this_process()}\n".encode())
    except OSError as error:
        raise UserError(f"rank {rank} cannot connect to the main process at {address}:{port}: {error}") from error
    return Lifeline({0: main}, {0: _quiet(connection)}).watch()


def _quiet(connection: socket.socket) -> socket.socket:
    """For waiting without an end on a peer whose machine may vanish without a word: asked every half minute."""
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connection
