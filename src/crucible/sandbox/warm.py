"""Supervisors between two programs. Each program has a process and a scratch folder of its own; these outlive it."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from crucible.sandbox.inside import frames

MOST_IDLE = 8  # more would be of no use: so many programs seldom run at once
MOST_PROGRAMS = 64  # then a supervisor is replaced
END_SECONDS = 5.0  # that one which waits may take to end


@dataclass(slots=True)
class Supervisor:
    """The parent's end of one. `pid` is known once it has answered."""

    control: socket.socket
    programs: int = 0  # that it has served before
    pid: int = 0

    def end(self, patience: float = 0.0) -> None:
        """Said aloud: a forked child of ours may hold the socket too. `patience`: so long it may take."""
        with suppress(OSError):  # it has ended by itself
            frames.send(self.control, {"op": "end"})
            if patience:
                self.control.settimeout(patience)
                self.control.recv(1)
        self.control.close()

    def waits(self) -> bool:
        """Neither gone nor with a word to say, as it should be between two programs."""
        poll = select.poll()
        poll.register(self.control, select.POLLIN | select.POLLHUP)
        return not poll.poll(0)


class Warm:
    """The idle supervisors of one sandbox. A forked child of this process leaves them alone and has its own.

    Only those come back that ended their last program in order, within its limits (`Session.close`).
    """

    def __init__(self, make: Callable[[], socket.socket]):
        self._make, self._lock, self._owner = make, threading.Lock(), os.getpid()
        self._idle: list[Supervisor] = []

    def take(self) -> Supervisor:
        with self._lock:
            if self._owner != os.getpid():
                for supervisor in self._idle:
                    supervisor.control.close()
                self._idle, self._owner = [], os.getpid()
            while self._idle:
                supervisor = self._idle.pop()
                if supervisor.waits():
                    return supervisor
                supervisor.end()
        return Supervisor(self._make())

    def give_back(self, supervisor: Supervisor) -> None:
        supervisor.programs += 1
        with self._lock:
            if supervisor.programs < MOST_PROGRAMS and len(self._idle) < MOST_IDLE and self._owner == os.getpid():
                self._idle.append(supervisor)
                return
        supervisor.end()

    @property
    def pids(self) -> list[int]:
        """Of those that wait."""
        with self._lock:
            return [supervisor.pid for supervisor in self._idle]

    def close(self) -> None:
        """End those that wait, and wait for their ends. They are made again when they are wanted."""
        with self._lock:
            idle, self._idle = self._idle, []
            for supervisor in idle:
                if self._owner == os.getpid():
                    supervisor.end(END_SECONDS)
                else:
                    supervisor.control.close()
