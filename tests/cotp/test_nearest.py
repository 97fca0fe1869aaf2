"""The search with lower bounds and abandoning finds what looking at every pair finds, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from crucible.cotp import nearest
from crucible.cotp.assignment import of_matrix
from crucible.cotp.dtw import Warp
from crucible.cotp.nearest import Candidates, add_block
from crucible.errors import UserError

from .worlds import chains, core_set

CORE = chains(3, 4, longest=9)
METRICS = {
    "both": {},
    "patterns": {"lambda_": 1.0},
    "entropies": {"lambda_": 0.0},
    "window": {"warp": Warp(normalise="length", window=0.1)},
    "sums": {"warp": Warp(normalise="none"), "scale": "none"},
}


def brute(ready, pool, k: int) -> Candidates:
    """Every distance, the k smallest by (distance, place)."""
    whole = of_matrix(ready.matrix(pool))
    return Candidates(whole.distances[:, :k], whole.items[:, :k])


def searched(ready, pool, k: int, block: int, **options) -> Candidates:
    found = Candidates.empty(len(ready), k)
    for start in range(0, len(pool), block):
        places = np.arange(start, min(start + block, len(pool)))
        add_block(found, ready, pool.rows(places.tolist()), places, **options)
    return found


@pytest.mark.parametrize("engine", ["numba", "numpy"])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("whole", [False, True], ids=["reals", "ties"])
def test_pruning_changes_nothing(engine, metric, whole, monkeypatch):
    pytest.importorskip(engine)
    monkeypatch.setattr(nearest, "CHUNK", 5)  # the limit is looked at often
    pool = chains(4, 150, longest=9, whole=whole, prefix="p")
    ready = core_set(CORE, pool, engine, **METRICS[metric])
    for k, block, threads in ((1, 150, 1), (7, 40, 2), (150, 64, 1)):
        expected = brute(ready, pool, k)
        for prune in (True, False):
            found = searched(ready, pool, k, block, threads=threads, prune=prune)
            assert found.items.tolist() == expected.items.tolist()
            assert found.distances.tobytes() == expected.distances.tobytes()
            assert found.seen == 150


def test_bounds_do_rule_pairs_out():
    """Else the test above would say nothing of them: most of this pool is far away."""
    near, far = chains(5, 20, prefix="n"), chains(6, 400, prefix="f")
    far = type(far)(far.ids, far.patterns, type(far.entropies)(far.entropies.values + 20.0, far.entropies.offsets))
    ready = core_set(CORE, near, scale="none", lambda_=0.5)
    found = Candidates.empty(len(CORE), 3)
    add_block(found, ready, near, np.arange(20))
    add_block(found, ready, far, np.arange(20, 420))
    assert found.items.max() < 20
    assert found.computed == 4 * 20


def test_parts_of_a_pool_merge_to_the_whole():
    pool = chains(8, 60, whole=True, prefix="p")
    ready = core_set(CORE, pool)
    halves = [Candidates.empty(4, 9) for _ in range(2)]
    for half, places in zip(halves, (np.arange(30, 60), np.arange(30)), strict=True):
        add_block(half, ready, pool.rows(places.tolist()), places)
    whole, merged = brute(ready, pool, 9), halves[0].merged(halves[1])
    assert merged.items.tolist() == whole.items.tolist()
    assert merged.distances.tobytes() == whole.distances.tobytes()
    assert merged.seen == 60
    with pytest.raises(UserError, match="do not belong together"):
        merged.merged(Candidates.empty(4, 3))


def test_ranks_need_the_whole_pool():
    pool = chains(8, 10, prefix="p")
    ready = core_set(CORE, pool, scale="rank")
    with pytest.raises(UserError, match="scale=rank needs all distances at once"):
        add_block(Candidates.empty(4, 2), ready, pool, np.arange(10))
