"""Which core item gets which pool items: minimise the sum of distances, each core item o, each pool item at most once.

By copying each core item o times it is an assignment problem, solved exactly by the Hungarian method (arXiv 2509.21124,
appendix; scipy's solvers). Two facts make it fit in memory, both proven in docs/cotp.md and tested by brute force:

- each core item's T = t * o nearest pool items are enough: of them at most T - 1 are given to others;
- of any number of candidates the result is the optimum of the whole pool if every core item has a candidate that nobody
  was given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from crucible.cotp.dtw.warp import Floats
from crucible.cotp.nearest import Candidates
from crucible.errors import UserError

How = Literal["hungarian", "greedy", "knn"]
DENSE = 2**25  # cells of a cost matrix that are laid out; beyond, only those of the candidates


@dataclass(frozen=True, slots=True)
class Assignment:
    """Pool item `items[k]` goes to core item `core[k]` at `distances[k]`: by core item, nearest first.

    `proven`: it is what the whole pool would have given. `asked`: how many were asked for (t * o).
    """

    items: NDArray[np.int64]
    core: NDArray[np.int64]
    distances: Floats
    asked: int
    proven: bool

    @property
    def cost(self) -> float:
        return float(self.distances.sum())


def assign(found: Candidates, per_core: int, how: How = "hungarian") -> Assignment:
    """`per_core` items for each core item, out of its candidates.

    "hungarian" is the exact optimum; "greedy" takes the nearest pair of all that is still free, again and again; "knn"
    gives each core item its nearest, whoever else has them, and keeps an item once: fewer than t * o may come back.
    Errors: UserError where the pool, or the candidates, are too few.
    """
    cores, k = found.distances.shape
    asked = cores * per_core
    if per_core < 1:
        raise UserError(f"per_core={per_core}: at least 1")
    if found.seen < asked:
        raise UserError(
            f"the pool has {found.seen:,} chains, fewer than the {cores:,} x {per_core:,} = {asked:,} that "
            f"{cores:,} core chains with {per_core:,} each ask for"
        )
    if k < per_core:
        raise UserError(f"candidates={k}: at least per_core={per_core} are needed")
    enough = k >= min(asked, found.seen)
    if how == "knn":
        return _knn(found, per_core, asked)
    if how not in ("hungarian", "greedy"):
        raise UserError(f"assignment={how}: hungarian, greedy or knn")
    core, place = (_hungarian if how == "hungarian" else _greedy)(found, per_core)
    order = np.lexsort((found.items[core, place], found.distances[core, place], core))
    core, place = core[order], place[order]
    items = found.items[core, place]
    spare = (~np.isin(found.items, items) & (found.items >= 0)).any(1).all()
    return Assignment(items, core, found.distances[core, place], asked, bool(enough or spare))


def of_matrix(distances: Floats) -> Candidates:
    """All pairs of a small pool, (t, N), as candidates."""
    items = np.argsort(distances, axis=1, kind="stable")
    return Candidates(
        np.take_along_axis(distances, items, 1), items.astype(np.int64), distances.shape[1], distances.size
    )


Places = tuple[NDArray[np.int64], NDArray[np.int64]]  # (T,) core items, and the places of their items in the lists


def _hungarian(found: Candidates, per_core: int) -> Places:
    cores, k = found.distances.shape
    used, column = np.unique(found.items, return_inverse=True)
    column = column.reshape(cores, k)
    if used[0] < 0:
        raise UserError(
            f"{int((found.items < 0).sum())} places of the candidates are empty: the pool has {found.seen} chains"
        )
    if len(used) < cores * per_core:
        raise UserError(_too_few(found, per_core))
    if cores * per_core * len(used) <= DENSE:
        costs = np.full((cores, len(used)), np.inf)
        np.put_along_axis(costs, column, found.distances, 1)
        try:
            rows, chosen = linear_sum_assignment(np.repeat(costs, per_core, 0))
        except ValueError:
            raise UserError(_too_few(found, per_core)) from None
        core = rows // per_core
    else:
        # a weight of zero would be no edge; a constant on all of them changes no optimum
        weights = np.repeat(found.distances - found.distances.min() + 1.0, per_core, 0)
        places = np.repeat(column, per_core, 0)
        starts = np.arange(0, weights.size + 1, k)
        edges = csr_array((weights.ravel(), places.ravel(), starts), shape=(len(weights), len(used)))
        try:
            rows, chosen = min_weight_full_bipartite_matching(edges)
        except ValueError:
            raise UserError(_too_few(found, per_core)) from None
        core = rows // per_core
    at = np.full(len(used), -1)
    place = np.empty(len(core), np.int64)
    for i in range(cores):
        at[column[i]] = np.arange(k)
        mine = core == i
        place[mine] = at[chosen[mine]]
    return core.astype(np.int64), place


def _greedy(found: Candidates, per_core: int) -> Places:
    cores, k = found.distances.shape
    flat = np.lexsort((np.repeat(np.arange(cores), k), found.items.ravel(), found.distances.ravel()))
    wanting, taken, core, place = np.full(cores, per_core), set[int](), [], []
    for pair in flat:
        i, at = divmod(int(pair), k)
        item = int(found.items[i, at])
        if wanting[i] and item not in taken and item >= 0:
            taken.add(item)
            wanting[i] -= 1
            core.append(i)
            place.append(at)
    if wanting.any():
        raise UserError(_too_few(found, per_core))
    return np.array(core), np.array(place)


def _knn(found: Candidates, per_core: int, asked: int) -> Assignment:
    core = np.repeat(np.arange(len(found.distances)), per_core)
    items, distances = found.items[:, :per_core].ravel(), found.distances[:, :per_core].ravel()
    order = np.lexsort((core, distances, items))  # of each item the core item it is nearest to
    first = order[np.r_[True, items[order][1:] != items[order][:-1]]]
    kept = first[np.lexsort((items[first], distances[first], core[first]))]
    return Assignment(items[kept], core[kept].astype(np.int64), distances[kept], asked, True)


def _too_few(found: Candidates, per_core: int) -> str:
    return (
        f"candidates={found.k}: too few, core items compete for the same ones; at most "
        f"{min(found.seen, len(found.distances) * per_core)} are ever needed"
    )
