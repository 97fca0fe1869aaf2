"""DTW: both engines against an oracle that walks every path, the properties of the paper's distance, abandoning."""

from __future__ import annotations

import math
from functools import cache
from itertools import product

import numpy as np
import pytest

from crucible.cotp.dtw import Many, Rows, Warp, engine_named
from crucible.cotp.dtw import engine as engines
from crucible.cotp.dtw.bounds import lower_bounds
from crucible.cotp.labels import LabelDistance
from crucible.cotp.ragged import Ragged
from crucible.errors import UserError

ENGINES = ("numpy", "numba")
WARPS = [Warp(normalise=n, window=w) for n, w in product(("path", "length", "none"), (None, 0.0, 0.2))]
AS_TEXT = [f"{w.normalise}-{w.window}" for w in WARPS]


@pytest.fixture(params=ENGINES)
def engine(request):
    pytest.importorskip(request.param)
    return engine_named(request.param)


@cache
def steps_of(n: int, m: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Every warping path from (0, 0) to (n - 1, m - 1)."""
    if (n, m) == (1, 1):
        return (((0, 0),),)
    before = [(n - 1, m), (n, m - 1), (n - 1, m - 1)]
    return tuple((*path, (n - 1, m - 1)) for a, b in before if a and b for path in steps_of(a, b))


def oracle(cost: np.ndarray, warp: Warp) -> float:
    """The cheapest path over the cells (n, m) within the window, of equally cheap ones the shortest; normalised."""
    n, m = cost.shape
    band = max(n, m) if warp.window is None else max(math.ceil(warp.window * max(n, m) - 1e-9), abs(n - m))
    allowed = [path for path in steps_of(n, m) if all(abs(a - b) <= band for a, b in path)]
    totals = [(round(sum(cost[cell] for cell in path), 9), len(path)) for path in allowed]
    total, length = min(totals)
    return total / {"path": length, "length": n + m, "none": 1}[warp.normalise]


def cost_of(rows: Rows, chain: np.ndarray) -> np.ndarray:
    if rows.table is not None:
        return rows.table[:, chain]
    return np.abs(np.subtract.outer(rows.values, chain))


def cases(seed: int, *, whole: bool):
    """A core chain of labels and one of numbers, each with pool chains of every length from 1 to 5."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 6))
    table, values = rng.random((n, 4)), rng.gamma(0.5, 1.0, n)
    if whole:
        table, values = np.round(2 * table), np.round(values)
    lengths = [*range(1, 6), *rng.integers(1, 6, 20)]
    labels = Ragged.of([rng.integers(0, 4, k) for k in lengths], np.int32)
    numbers = [rng.gamma(0.5, 1.0, k) for k in lengths]
    yield Rows(table=table), Many(labels, 4)
    yield Rows(values=values), Many(Ragged.of([np.round(x) if whole else x for x in numbers]))


@pytest.mark.parametrize("warp", WARPS, ids=AS_TEXT)
@pytest.mark.parametrize("whole", [False, True], ids=["reals", "ties"])
def test_distances_and_bounds_are_those_of_all_paths(engine, warp, whole):
    for seed in range(3):
        for rows, many in cases(seed, whole=whole):
            found = engine.distances(rows, many, warp, np.arange(len(many)))
            expected = np.array([oracle(cost_of(rows, many.chains[j]), warp) for j in range(len(many))])
            np.testing.assert_allclose(found, expected, atol=1e-8)
            bounds = lower_bounds(rows, many, warp)
            assert (bounds <= found).all()
            assert bounds.max() > 0


@pytest.mark.parametrize("warp", WARPS, ids=AS_TEXT)
def test_both_engines_give_the_same_bits(warp):
    pytest.importorskip("numba")
    for rows, many in cases(7, whole=False):
        index = np.array([3, 1, 24, 3])  # any order, and one twice
        one, other = (engine_named(name).distances(rows, many, warp, index) for name in ENGINES)
        assert one.tobytes() == other.tobytes()
        assert one[0] == one[3]


@pytest.mark.parametrize("warp", WARPS, ids=AS_TEXT)
def test_only_distances_above_their_limit_are_given_up(engine, warp):
    rng = np.random.default_rng(0)
    many = Many(Ragged.of([rng.random(k) + (3.0 if k % 3 else 0.0) for k in rng.integers(5, 40, 200)]))
    rows, every = Rows(values=rng.random(20)), np.arange(200)
    exact = engine.distances(rows, many, warp, every)
    for limit in (0.0, float(np.median(exact)), float(exact.max())):
        found = engine.distances(rows, many, warp, every, np.full(200, limit))
        kept = exact <= limit
        assert (found[kept] == exact[kept]).all()
        assert ((found[~kept] == exact[~kept]) | np.isinf(found[~kept])).all()
    if engine.name == "numba":
        assert np.isinf(engine.distances(rows, many, warp, every, np.zeros(200))).any()


def one(engine, x, y, warp=None, weights=1.0) -> float:
    """Weighted DTW of two lists of numbers, as a table over the distinct values of y."""
    x, values = np.array(x, float), np.unique(np.array(y, float))
    table = np.broadcast_to(weights, x.shape)[:, None] * np.abs(np.subtract.outer(x, values))
    codes = Ragged.of([np.searchsorted(values, y)], np.int32)
    return float(
        engine.distances(
            Rows(table=table), Many(codes, len(values)), warp or Warp(normalise="none"), np.zeros(1, np.int64)
        )[0]
    )


def test_worked_examples_and_the_papers_properties(engine):
    assert one(engine, [1, 2, 3], [1, 3]) == 1.0
    assert one(engine, [1, 2, 3], [1, 3], weights=[1, 2, 1]) == 2.0  # a heavier mismatching pattern is further
    assert one(engine, [1, 2, 3], [1, 2, 3]) == 0.0
    assert one(engine, [1, 2, 3], [1, 2, 2, 2, 3]) == 0.0  # a repeated element costs nothing
    assert one(engine, [4], [4, 6]) == 2.0  # a chain of one element is legal
    assert one(engine, [1, 2, 3], [2, 3, 4], weights=1.0) == one(engine, [1, 2, 3], [2, 3, 4], weights=[1, 1, 1])
    plain = engine.distances(
        Rows(values=np.array([1.0, 2, 3])),
        Many(Ragged.of([[2.0, 3, 4]])),
        Warp(normalise="none"),
        np.zeros(1, np.int64),
    )
    assert plain[0] == one(engine, [1, 2, 3], [2, 3, 4])  # weight one is plain DTW
    patterns = LabelDistance(orders=(1,)).matrix(["A", "B"], ["A", "C"])
    table = Rows(table=np.array([patterns[0], patterns[1]]))
    assert (
        engine.distances(table, Many(Ragged.of([[0, 1]], np.int32), 2), Warp(normalise="none"), np.zeros(1, np.int64))[
            0
        ]
        == 1.0
    )


def test_the_shortest_of_equally_cheap_paths_counts(engine):
    """All cells cost 1: three of them along the diagonal, not five around it."""
    assert one(engine, [0, 0, 0], [1, 1, 1], Warp(normalise="path")) == 1.0
    zero_then_one = one(engine, [0, 1], [0, 0], Warp(normalise="path"))
    assert zero_then_one == 0.5


def test_options_are_checked_and_a_missing_numba_falls_back(monkeypatch):
    with pytest.raises(UserError, match="normalise=mean: path, length or none"):
        Warp(normalise="mean")
    with pytest.raises(UserError, match=r"window=2: a share of the longer chain from 0 to 1"):
        Warp(window=2)
    with pytest.raises(UserError, match="engine=fast: auto, numba or numpy"):
        engine_named("fast")
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    assert engine_named("auto").name == "numpy"
    with pytest.raises(UserError, match=r"numba is not installed; pip install 'crucible-rl\[dtw\]', or engine=numpy"):
        engine_named("numba")
