"""A batch of calls over a few workers. A stuck worker is killed and replaced; each call ends exactly once."""

from __future__ import annotations

import atexit
import selectors
import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from crucible.errors import UserError
from crucible.pulse import beat
from crucible.rewards.runtime.outcome import Outcome
from crucible.rewards.runtime.process import Worker
from crucible.rewards.runtime.wire import IDLE, LOADING

LOADING_SECONDS = 120.0  # for a worker to start and import the verifier's module, on a busy machine
FALSE_STARTS = 3  # workers of one batch that may die before they take up their task, e.g. killed for want of memory
LOOK_SECONDS = 0.05  # between looks at what the workers are doing
TASKS_A_WORKER = 4  # a batch is cut into this many tasks for each worker, so that none waits for the slowest


class Pool:
    """`workers` processes, started when first needed. Thread-safe: batches of several threads follow one another."""

    def __init__(self, workers: int, memory_gb: float):
        self.size, self.memory_bytes = workers, int(memory_gb * 1e9)
        self.replaced = 0  # workers killed or found dead so far
        self._workers: list[Worker] = []
        self._lock = threading.Lock()
        atexit.register(_close, weakref.ref(self))

    def run(self, function: str, options: Mapping[str, Any], items: Sequence[Any], timeout: float) -> list[Outcome]:
        """`function` ("module:name") called with each item's arguments and `options`; `timeout` seconds for each.

        Errors: UserError where the function raised one: then the call is wrong, not the text.
        """
        with self._lock:
            try:
                return _Batch(self, function, options, items, timeout).outcomes()
            except BaseException:
                self.close()  # an interrupted batch leaves no worker in the middle of a task
                raise

    def worker(self, place: int) -> Worker:
        while len(self._workers) <= place:
            self._workers.append(Worker(self.memory_bytes))
        return self._workers[place]

    def replace(self, place: int) -> None:
        self._workers[place].kill()
        self._workers[place] = Worker(self.memory_bytes)
        self.replaced += 1

    def close(self) -> None:
        """End all workers; the next batch starts new ones."""
        while self._workers:
            self._workers.pop().kill()


class _Batch:
    def __init__(self, pool: Pool, function: str, options: Mapping[str, Any], items: Sequence[Any], timeout: float):
        self.pool, self.function, self.options, self.timeout = pool, function, options, timeout
        self.items = dict(enumerate(items))
        self.found: dict[int, Outcome] = {}
        size = max(1, -(-len(items) // (pool.size * TASKS_A_WORKER)))
        numbers = list(self.items)
        self.tasks = deque(numbers[i : i + size] for i in range(0, len(numbers), size))
        self.busy: set[int] = set()  # places of workers with a task
        self.began: dict[int, float] = {}  # when a place got its task
        self.false_starts = 0

    def outcomes(self) -> list[Outcome]:
        for place in range(min(self.pool.size, len(self.tasks))):
            self.next_task(place)
        while self.busy:
            for place in self.ready():
                self.read(place)
            for place in list(self.busy):
                self.look(place)
        return [self.found[number] for number in self.items]

    def next_task(self, place: int) -> None:
        self.busy.discard(place)
        if self.tasks:
            numbers = self.tasks.popleft()
            self.pool.worker(place).give(self.function, self.options, {n: self.items[n] for n in numbers})
            self.busy.add(place)
            self.began[place] = time.monotonic()

    def ready(self) -> list[int]:
        """Wait a moment; the places that wrote something. Tasks are sent on the way."""
        with selectors.DefaultSelector() as selector:
            for place in self.busy:
                worker = self.pool.worker(place)
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.outgoing else 0)
                selector.register(worker.connection, wanted, place)
            events = selector.select(LOOK_SECONDS)
        for key, what in events:
            if what & selectors.EVENT_WRITE:
                self.pool.worker(key.data).send()
        return [key.data for key, what in events if what & selectors.EVENT_READ]

    def read(self, place: int) -> None:
        worker = self.pool.worker(place)
        results, ended, dead = worker.results()
        beat()
        for number, kind, value, problem, seconds in results:
            if kind == "refuse":
                raise UserError(problem)
            self.found[number] = Outcome(kind, float("nan") if value is None else value, problem, seconds)
        if ended:
            self.next_task(place)
        elif dead:
            item, since = worker.page.read()
            if item == IDLE:
                self.false_starts += 1
                item, since = (LOADING if self.false_starts > FALSE_STARTS else IDLE), self.began[place]
            self.give_up(place, Outcome("error", problem=worker.how_it_died(), seconds=time.monotonic() - since), item)

    def look(self, place: int) -> None:
        """Kill the worker that is over its time with one item, or that never began."""
        item, since = self.pool.worker(place).page.read()
        if item == IDLE or since < self.began[place]:  # it has not taken up its task
            item, since = LOADING, self.began[place]
        limit = LOADING_SECONDS if item == LOADING else self.timeout
        spent = time.monotonic() - since
        if spent > limit:
            doing = "starting" if item == LOADING else "one answer"
            self.give_up(place, Outcome("timeout", problem=f"{doing} took over {limit:g} s", seconds=spent), item)

    def give_up(self, place: int, outcome: Outcome, item: int) -> None:
        """End the worker. The item it was at has `outcome`; the others of its task are done by somebody else."""
        left = list(self.pool.worker(place).waiting)
        blamed = [item] if item in left else left if item == LOADING else []
        for number in blamed:
            self.found[number] = outcome
        if rest := [number for number in left if number not in blamed]:
            self.tasks.appendleft(rest)
        self.pool.replace(place)
        self.next_task(place)


def _close(pool: weakref.ref[Pool]) -> None:
    if (alive := pool()) is not None:
        alive.close()
