"""data/select=cotp: the pool chains that an optimal assignment gives to the core chains, by patterns and entropies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import numpy as np

from crucible.cotp.assignment import assign, of_matrix
from crucible.cotp.chains import CoT
from crucible.cotp.distance import Chains, CoreSet, Metric, evenly_spaced
from crucible.cotp.dtw import Warp, engine_named
from crucible.cotp.entropy_chains import Reading
from crucible.cotp.importance import Importance
from crucible.cotp.labels import LabelDistance
from crucible.cotp.selection import Pool, Selection
from crucible.cotp.selectors.reference import entropies_of
from crucible.errors import UserError


class CoTP:
    """CoTP (arXiv 2509.21124): each of t core chains gets the o pool chains of the least total distance.

    The distance is `crucible.cotp.distance`, its options `LabelDistance`, `Importance`, `Warp`, `Metric` and `Reading`;
    the assignment `crucible.cotp.assignment`. lambda_ 0.8 and n-grams of order 1 and 2 are the paper's; what it does
    not say has a default of ours. `reference` is the model whose entropies are taken; with lambda_=1 it is not used.
    """

    def __init__(
        self,
        *,
        reference: Callable[..., Any] | None = None,
        lambda_: Annotated[float, ">= 0, <= 1"] = 0.8,
        ngrams: Sequence[int] = (1, 2),
        ngram_over: Literal["union", "mean"] = "union",
        ngram_overlap: Literal["jaccard", "dice"] = "jaccard",
        importance: Literal["tf_idf", "none"] = "tf_idf",
        idf: Literal["plain", "smooth"] = "plain",
        importance_floor: Annotated[float, ">= 0"] = 0.0,
        normalise: Literal["path", "length", "none"] = "path",
        window: Annotated[float | None, ">= 0, <= 1"] = None,
        scale: Literal["mean", "rank", "none"] = "mean",
        points: Annotated[int | None, ">= 1"] = None,
        smooth: Annotated[int, ">= 1"] = 1,
        assignment: Literal["hungarian", "greedy", "knn"] = "hungarian",
        engine: Literal["auto", "numba", "numpy"] = "auto",
    ) -> None:
        labels = LabelDistance(orders=tuple(ngrams), over=ngram_over, overlap=ngram_overlap)
        weights = Importance(by=importance, idf=idf, floor=importance_floor)
        warp = Warp(normalise=normalise, window=window)
        self.metric = Metric(lambda_=lambda_, labels=labels, importance=weights, warp=warp, scale=scale)
        self.reading, self.assignment, self.engine = Reading(points=points, smooth=smooth), assignment, engine
        self.reference = reference
        if lambda_ < 1 and reference is None:
            raise UserError(
                f"data.select.lambda_={lambda_:g} needs entropies: choose data.select.reference, or lambda_=1"
            )

    def __call__(self, pool: Pool) -> Selection:
        pool.wanted  # noqa: B018 - refuses a pool that is too small before anything is read
        core, items = self.represented(pool.core, pool), self.represented(pool.items, pool)
        found = assign(of_matrix(self.core_set(pool, core, items).matrix(items)), pool.per_core, self.assignment)
        return Selection(found.items.tolist(), {"cost": found.cost, "distinct": len(found.items) / found.asked})

    def core_set(self, pool: Pool, core: Chains, items: Chains) -> CoreSet:
        """The core chains with their importance, and with scales from the pool."""
        weights = self.metric.importance.of([c.question for c in pool.corpus], pool.patterns(pool.corpus))
        ready = CoreSet(core, [c.question for c in pool.core], weights, self.metric, engine_named(self.engine))
        ready.settle(items.rows(evenly_spaced(len(items)).tolist()))
        return ready

    def represented(self, chains: Sequence[CoT], pool: Pool) -> Chains:
        entropies = None
        if self.metric.lambda_ < 1:
            assert self.reference is not None
            entropies = self.reading.of(entropies_of(chains, pool, self.reference))
        return Chains([c.id for c in chains], pool.patterns(chains), entropies)


def distance_to_core(pool: Pool, items: Sequence[int]) -> float:
    """Mean over these pool chains of the pattern distance to the nearest core chain: CoTP's with lambda 1, unscaled."""
    selector = CoTP(lambda_=1.0, scale="none")
    core, chosen = selector.represented(pool.core, pool), selector.represented([pool.items[i] for i in items], pool)
    return float(np.mean(selector.core_set(pool, core, chosen).matrix(chosen).min(0)))
