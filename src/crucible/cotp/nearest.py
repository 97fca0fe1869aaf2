"""For each core item the nearest of a pool that comes in blocks: lower bounds first, then distances with abandoning.

Exact: a pair is left out only when something no larger than its distance is above the K-th smallest so far.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crucible.cotp.distance import PRUNE, Against, Chains, CoreSet
from crucible.cotp.dtw.warp import Floats
from crucible.errors import UserError

CHUNK = 1024  # pairs between two looks at the K-th smallest distance


@dataclass(slots=True)
class Candidates:
    """For each of t core items its K nearest pool items seen so far, nearest first, equally near ones by their place.

    `seen` pool items were looked at; `computed` pairs were not ruled out by bounds. Places without an item: -1,
    infinity.
    """

    distances: Floats  # (t, K)
    items: NDArray[np.int64]  # (t, K)
    seen: int = 0
    computed: int = 0

    @classmethod
    def empty(cls, core: int, k: int) -> Candidates:
        return cls(np.full((core, k), np.inf), np.full((core, k), -1, np.int64))

    @property
    def k(self) -> int:
        return self.distances.shape[1]

    def join(self, i: int, distances: Floats, items: NDArray[np.int64]) -> None:
        """Put new items into the list of core item i."""
        d, j = np.concatenate([self.distances[i], distances]), np.concatenate([self.items[i], items])
        if len(d) > 2 * self.k:  # a full sort of what cannot be among them is waste
            kept = d <= np.partition(d, self.k - 1)[self.k - 1]
            d, j = d[kept], j[kept]
        best = np.lexsort((np.where(j < 0, np.iinfo(np.int64).max, j), d))[: self.k]
        self.distances[i], self.items[i] = d[best], j[best]

    def merged(self, other: Candidates) -> Candidates:
        """Those of two parts of the pool."""
        if self.distances.shape != other.distances.shape:
            raise UserError(f"candidates of {self.distances.shape} and {other.distances.shape} do not belong together")
        found = Candidates(
            self.distances.copy(), self.items.copy(), self.seen + other.seen, self.computed + other.computed
        )
        for i in range(len(found.distances)):
            found.join(i, other.distances[i], other.items[i])
        return found


def add_block(
    found: Candidates,
    core: CoreSet,
    block: Chains,
    places: NDArray[np.int64],
    *,
    threads: int = 1,
    prune: bool = True,
) -> None:
    """Look at the pool items in `block`; `places` are their numbers in the pool. prune: ask lower bounds first."""
    if core.metric.scale == "rank":
        raise UserError("scale=rank needs all distances at once; with blocks: scale=mean or none")
    against = core.against(block)
    with ThreadPoolExecutor(threads) as pool:
        computed = list(pool.map(lambda i: _search(found, against, i, places, prune), range(len(core))))
    found.seen += len(block)
    found.computed += sum(computed)


def _search(found: Candidates, against: Against, i: int, places: NDArray[np.int64], prune: bool) -> int:
    """Core item i against the block; how many pairs were computed."""
    nothing = np.zeros(against.size)
    bounds = against.bounds(i) if prune else (nothing, nothing)
    total = bounds[0] + bounds[1]
    order, at, computed = np.argsort(total, kind="stable"), 0, 0
    while at < len(order):
        limit = float(found.distances[i, -1])
        part = order[at : at + max(CHUNK, found.k)]
        part = part[total[part] <= limit * PRUNE]
        if len(part) == 0:
            break  # the bounds are in order: nothing nearer is left
        distances = against.distances(i, part, limit, bounds)
        near = distances < np.inf
        found.join(i, distances[near], places[part[near]])
        computed += len(part)
        at += max(CHUNK, found.k)
    return computed
