"""Small chains for the tests of CoTP."""

from __future__ import annotations

import numpy as np

from crucible.cotp.distance import Chains, CoreSet, Metric
from crucible.cotp.dtw import engine_named
from crucible.cotp.ragged import Ragged

LABELS = ("add step", "subtract step", "split number", "check result", "check sum", "go back", "restate", "guess")


def chains(seed: int, count: int, *, longest: int = 6, whole: bool = False, prefix: str = "c") -> Chains:
    """Random chains; `whole` entropies are whole numbers, so that many distances are equal."""
    rng = np.random.default_rng(seed)
    patterns = [[LABELS[k] for k in rng.integers(0, len(LABELS), rng.integers(1, longest + 1))] for _ in range(count)]
    entropies = [rng.gamma(0.5, 0.6, rng.integers(1, longest + 1)) for _ in range(count)]
    if whole:
        entropies = [np.round(e) for e in entropies]
    return Chains([f"{prefix}{i}" for i in range(count)], patterns, Ragged.of(entropies))


def core_set(core: Chains, pool: Chains, engine: str = "auto", **options) -> CoreSet:
    metric = Metric(**options)
    ready = CoreSet(core, core.ids, metric.importance.of(core.ids, core.patterns), metric, engine_named(engine))
    ready.settle(pool)
    return ready
