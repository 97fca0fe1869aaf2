"""DTW pairs per second beside public libraries; what pruning saves, and that it changes nothing; how cost grows.

    python benchmarks/dtw.py                                   # about a minute on two quiet cores
    python benchmarks/dtw.py --core 10 --pool 500 --repeats 1  # a look

The libraries that are installed are used (dtaidistance, tslearn, aeon, dtw-python, fastdtw), the others are named as
absent; pip install dtaidistance dtw-python fastdtw tslearn. The first table is the same plain DTW of numbers for all:
absolute difference, no weights, no window, no normalisation. `largest difference` is against ours; a library whose base
distance is fixed to squares does the same work and is compared by time alone. Wall-clock time; best of the repeats, in
one process, compiled code warmed up. Nothing is asserted, but for the pruned search, which must equal the full one.
"""

from __future__ import annotations

import argparse
import importlib
import os
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CORES = len(os.sched_getaffinity(0))
os.environ["OMP_NUM_THREADS"] = str(CORES)  # for libraries that share out by OpenMP; set before they are loaded
ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT / "src")  # in place of this folder, whose dtw.py would be taken for the package dtw

import numpy as np  # noqa: E402

from crucible.cotp.assignment import assign, of_matrix  # noqa: E402
from crucible.cotp.distance import Chains, CoreSet, Metric, evenly_spaced  # noqa: E402
from crucible.cotp.dtw import Many, Rows, Warp, engine_named  # noqa: E402
from crucible.cotp.nearest import Candidates, add_block  # noqa: E402
from crucible.cotp.ragged import Ragged  # noqa: E402
from crucible.data.cot_moves import WORDINGS  # noqa: E402
from crucible.errors import UserError  # noqa: E402

PLAIN = Warp(normalise="none")
LABELS = [wording for wordings in WORDINGS.values() for wording in wordings]


def numbers(rng: np.random.Generator, count: int, length: int) -> list[np.ndarray]:
    """Chains like token entropies: mostly near 0, some up to 2; half to the whole of the length."""
    return [rng.gamma(0.4, 0.5, n) for n in rng.integers(length // 2, length + 1, count)]


def best_of(repeats: int, call: Callable[[], object]) -> tuple[float, object]:
    """Seconds of the fastest call, and what it gave."""
    found: object = None
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        found = call()
        times.append(time.perf_counter() - started)
    return min(times), found


def ours(name: str, threads: int, core: list[np.ndarray], pool: list[np.ndarray]) -> np.ndarray:
    engine, many = engine_named(name), Many(Ragged.of(pool))  # type: ignore[arg-type]
    every = np.arange(len(pool))
    with ThreadPoolExecutor(threads) as workers:
        return np.stack(list(workers.map(lambda x: engine.distances(Rows(values=x), many, PLAIN, every), core)))


def dtaidistance(core: list[np.ndarray], pool: list[np.ndarray]) -> np.ndarray:
    from dtaidistance import dtw

    block = ((0, len(core)), (len(core), len(core) + len(pool)))
    found = dtw.distance_matrix_fast([*core, *pool], block=block, inner_dist="euclidean", parallel=True)
    return np.asarray(found)[: len(core), len(core) :]


def tslearn(core: list[np.ndarray], pool: list[np.ndarray]) -> None:
    from tslearn.metrics import cdist_dtw
    from tslearn.utils import to_time_series_dataset

    cdist_dtw(to_time_series_dataset(core), to_time_series_dataset(pool), n_jobs=CORES)


def aeon(core: list[np.ndarray], pool: list[np.ndarray]) -> None:
    from aeon.distances import dtw_pairwise_distance

    dtw_pairwise_distance(core, pool, n_jobs=CORES)


def dtw_python(core: list[np.ndarray], pool: list[np.ndarray]) -> np.ndarray:
    from dtw import dtw

    def one(x: np.ndarray, y: np.ndarray) -> float:
        return float(dtw(x, y, dist_method="cityblock", step_pattern="symmetric1", distance_only=True).distance)

    return np.array([[one(x, y) for y in pool] for x in core])


def fastdtw(core: list[np.ndarray], pool: list[np.ndarray]) -> np.ndarray:
    from fastdtw import fastdtw as approximate

    return np.array([[approximate(x, y)[0] for y in pool] for x in core])


# name, module, call, core chains and pool chains at most (slow ones get fewer), what to know
LIBRARIES: list[tuple[str, str, Callable[..., object], int, int, str]] = [
    ("dtaidistance", "dtaidistance", dtaidistance, 10**6, 10**6, f"C, OpenMP, {CORES} threads"),
    ("tslearn", "tslearn", tslearn, 10**6, 10**6, f"numba, {CORES} jobs; squared differences"),
    ("aeon", "aeon", aeon, 10**6, 10**6, f"numba, {CORES} jobs; squared differences"),
    ("dtw-python", "dtw", dtw_python, 2, 100, "C, one pair a call, one thread"),
    ("fastdtw", "fastdtw", fastdtw, 2, 50, "approximate (radius 1), one thread"),
]


def compare(options: argparse.Namespace) -> None:
    rng = np.random.default_rng(0)
    core, pool = numbers(rng, options.core, options.length), numbers(rng, options.pool, options.length)
    pairs = len(core) * len(pool)
    print(f"{len(core)} x {len(pool):,} chains of {options.length // 2} to {options.length} numbers, plain DTW")
    print(f"{'':<28}{'pairs/s':>14}{'largest difference':>20}  ")

    def line(name: str, seconds: float, count: int, difference: str, note: str = "") -> None:
        print(f"{name:<28}{count / seconds:>14,.0f}{difference:>20}  {note}".rstrip(), flush=True)

    exact: np.ndarray | None = None
    for name, threads in (("numba", 1), ("numba", CORES), ("numpy", 1)):
        try:
            engine_named(name)  # type: ignore[arg-type]
        except UserError as error:
            print(f"crucible {name:<19} absent: {error}")
            continue
        few = pool if name == "numba" else pool[: max(1, len(pool) // 4)]
        ours(name, threads, core[:1], pool[:20])
        seconds, found = best_of(options.repeats, lambda n=name, t=threads, p=few: ours(n, t, core, p))
        assert isinstance(found, np.ndarray)
        exact = found if exact is None else exact
        apart = f"{np.abs(found - exact[:, : len(few)]).max():.1e}"
        line(f"crucible {name} x{threads}", seconds, len(core) * len(few), apart)
    for name, module, call, most_core, most_pool, note in LIBRARIES:
        try:
            importlib.import_module(module)
        except ImportError:
            print(f"{name:<28}{'absent':>14}")
            continue
        some = core[:most_core], pool[:most_pool]
        call(core[:1], pool[:2])
        seconds, found = best_of(options.repeats, lambda c=call, s=some: c(*s))
        apart = "-"
        if isinstance(found, np.ndarray) and exact is not None:
            apart = f"{np.abs(found - exact[: len(some[0]), : len(some[1])]).max():.1e}"
        line(name, seconds, len(some[0]) * len(some[1]), apart, note)
    print(f"({pairs:,} pairs; libraries that take one pair a call were given fewer)\n")


def chains(rng: np.random.Generator, count: int, labels: int, length: int) -> Chains:
    """Chains of CoTP: a walk over labels that stays near where it is, and numbers."""
    walks = []
    for n in rng.integers(labels // 2, labels + 1, count):
        steps = rng.integers(-2, 3, n).cumsum() + rng.integers(0, len(LABELS))
        walks.append([LABELS[i % len(LABELS)] for i in steps])
    return Chains([str(i) for i in range(count)], walks, Ragged.of(numbers(rng, count, length)))


def prepared(core: Chains, pool: Chains, normalise: str) -> CoreSet:
    metric = Metric(warp=Warp(normalise=normalise))  # type: ignore[arg-type]
    ready = CoreSet(core, core.ids, metric.importance.of(core.ids, core.patterns), metric)
    ready.settle(pool.rows(evenly_spaced(len(pool), 200).tolist()))
    return ready


def search(options: argparse.Namespace) -> tuple[float, float]:
    """CoTP's whole distance: everything against the search with bounds and abandoning. Best pairs/s of both, as by
    default (normalised by the path)."""
    rng = np.random.default_rng(1)
    pool = chains(rng, options.pool, options.labels, options.length)
    core = chains(rng, options.core, options.labels, options.length)
    pairs, best = options.core * len(pool), (0.0, 0.0)
    print(
        f"CoTP's distance (lambda 0.8), {options.core} x {len(pool):,}, up to {options.labels} patterns and "
        f"{options.length} entropies, {CORES} threads, engine {engine_named().name}; K nearest: 1 % of the pool"
    )
    print(
        f"{'normalise':<12}{'every pair/s':>14}{'abandoning/s':>14}{'and bounds/s':>14}{'not ruled out by bounds':>26}"
    )
    for normalise in ("path", "length", "none"):
        ready, rates, results = prepared(core, pool, normalise), list[float](), list[Candidates]()
        for k, bounds in ((len(pool), False), (max(1, len(pool) // 100), False), (max(1, len(pool) // 100), True)):

            def run(k: int = k, bounds: bool = bounds, ready: CoreSet = ready) -> Candidates:
                found = Candidates.empty(options.core, k)
                add_block(found, ready, pool, np.arange(len(pool)), threads=CORES, prune=bounds)
                return found

            seconds, found = best_of(options.repeats, run)
            assert isinstance(found, Candidates)
            rates.append(pairs / seconds)
            results.append(found)
        for found in results[1:]:
            same = np.array_equal(found.items, results[0].items[:, : found.k])
            if not same or not np.array_equal(found.distances, results[0].distances[:, : found.k]):
                raise SystemExit(f"normalise={normalise}: the pruned search did not find what the full one does")
        left = results[2].computed / pairs
        print(f"{normalise:<12}{rates[0]:>14,.0f}{rates[1]:>14,.0f}{rates[2]:>14,.0f}{left:>26.1%}", flush=True)
        if normalise == "path":
            best = rates[0], max(rates)
    print("the pruned searches found what the full ones did, to the bit\n")
    return best


def growth(options: argparse.Namespace) -> None:
    rng = np.random.default_rng(2)
    print("cost growth, every pair, one thread")
    print(f"{'numbers a chain':<28}{'us a pair':>14}{'ns a cell':>12}")
    engine = engine_named()
    for length in (16, 32, 64, 128, 256):
        pool = Many(Ragged.of([rng.random(length) for _ in range(max(32, 2**15 // length))]))
        rows = Rows(values=rng.random(length))
        seconds, _ = best_of(options.repeats, lambda r=rows, p=pool: engine.distances(r, p, Warp(), np.arange(len(p))))
        each = 1e6 * seconds / len(pool)
        print(f"{length:<28}{each:>14.2f}{1e3 * each / length**2:>12.2f}")
    print(f"{'assignment (Hungarian)':<28}{'seconds':>14}")
    for cores, each, count in ((20, 10, 2000), (40, 10, 4000), (80, 10, 8000)):
        found = of_matrix(rng.random((cores, count)))
        seconds, _ = best_of(1, lambda f=found, e=each: assign(f, e))
        print(f"{f'{cores} x {each} of {count:,}':<28}{seconds:>14.2f}")
    k = 100
    found = Candidates(np.sort(rng.random((1000, k)), 1), np.argsort(rng.random((1000, 20_000)), 1)[:, :k], 20_000)
    seconds, solved = best_of(1, lambda: assign(found, 10))
    proof = "proven optimal" if solved.proven else "not proven optimal"  # type: ignore[attr-defined]
    print(f"{'1,000 x 10, 100 candidates':<28}{seconds:>14.2f}  {proof}\n")


def plan(every: float, pruned: float) -> None:
    pairs = 1000 * 1_000_000
    print(f"extrapolated to 1,000 core x 1,000,000 pool chains at these rates ({CORES} cores):")
    print(
        f"  every pair {pairs / every / 3600:.1f} h, the best way above {pairs / pruned / 3600:.1f} h; shards divide it"
    )
    print("  candidates: t x K x 16 bytes, 160 MB for K = 10,000 (o = 10), and as much again while they are joined")
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:,.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--core", type=int, default=20, help="core chains")
    parser.add_argument("--pool", type=int, default=5000, help="pool chains")
    parser.add_argument("--length", type=int, default=64, help="numbers a chain at most")
    parser.add_argument("--labels", type=int, default=24, help="patterns a chain at most")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    compare(options)
    rates = search(options)
    growth(options)
    plan(*rates)


if __name__ == "__main__":
    main()
