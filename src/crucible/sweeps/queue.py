"""What is waiting or running somewhere, whoever runs it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Element:
    """Element `index` of a batch."""

    batch: str
    index: int


@dataclass(frozen=True)
class Queued:
    """An element in a queue: waiting, or else running (or starting, or ending) on `node`."""

    job: str  # what cancels it: "123_4", or a process id
    waiting: bool
    node: str = ""
    time_left: str = ""
    note: str = ""
    stuck: bool = False  # it will never start by itself


Queue = dict[Element, Queued]


class QueueSilent(Exception):
    """The queue cannot be read now, so nothing may be called dead."""
