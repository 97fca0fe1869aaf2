"""The distance of a pool chain to a core chain (arXiv 2509.21124):

D_ij = lambda * d_pattern / s_p + (1 - lambda) * d_entropy / s_e
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from crucible.cotp.dtw import Engine, Many, Rows, Warp, engine_named
from crucible.cotp.dtw.bounds import lower_bounds
from crucible.cotp.dtw.warp import Floats
from crucible.cotp.importance import Importance, Weights
from crucible.cotp.labels import LabelDistance
from crucible.cotp.ragged import Ragged
from crucible.errors import UserError

SAMPLE = 1000  # pool chains, evenly spaced, from which the scales are taken
PRUNE = 1.0 + 1e-9  # limits are a little generous: rounding never drops a pair


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What the distance is made of. lambda_: share of the patterns, the paper's best 0.8; 1 needs no entropies.

    scale: the two parts live on different scales (a bounded label distance times TF-IDF, nats). "mean" divides each by
    its mean over evenly spaced pool chains, so that lambda weighs equals (ours: the paper says nothing); "rank" takes
    the ranks of each part among all pairs, divided by their number; "none" mixes them as they are.
    """

    lambda_: float = 0.8
    labels: LabelDistance = field(default_factory=LabelDistance)
    importance: Importance = field(default_factory=Importance)
    warp: Warp = field(default_factory=Warp)
    scale: Literal["mean", "rank", "none"] = "mean"

    def __post_init__(self) -> None:
        if not 0 <= self.lambda_ <= 1:
            raise UserError(f"lambda_={self.lambda_}: must be from 0 to 1")
        if self.scale not in ("mean", "rank", "none"):
            raise UserError(f"scale={self.scale}: mean, rank or none")


@dataclass(frozen=True, slots=True)
class Chains:
    """Chains in their two representations: labels in order, and entropies in nats (None where lambda is 1)."""

    ids: Sequence[str]
    patterns: Sequence[Sequence[str]]
    entropies: Ragged | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, index: Sequence[int]) -> Chains:
        entropies = None if self.entropies is None else self.entropies.rows(index)
        return Chains([self.ids[i] for i in index], [self.patterns[i] for i in index], entropies)

    def check(self, what: str, *, lambda_: float) -> None:
        """Errors: UserError for an empty chain, entropies that are not numbers, and none where they are needed."""
        for chain, patterns in zip(self.ids, self.patterns, strict=True):
            if lambda_ > 0 and not patterns:
                raise UserError(f"{what} chain {chain} is empty: it has no patterns; annotate it, or leave it out")
        if lambda_ == 1:
            return
        if self.entropies is None:
            raise UserError(
                f"lambda_={lambda_:g} needs entropies of the {what} chains; there are none (lambda_=1 does without)"
            )
        if len(self.entropies) != len(self):
            raise UserError(f"{len(self.entropies)} entropy chains for {len(self)} {what} chains: one each is needed")
        if (short := np.flatnonzero(self.entropies.lengths == 0)).size:
            raise UserError(f"{what} chain {self.ids[short[0]]} is empty: it has no entropies")
        if (bad := np.flatnonzero(~np.isfinite(self.entropies.values))).size:
            place = int(np.searchsorted(self.entropies.offsets, bad[0], side="right")) - 1
            at = int(bad[0] - self.entropies.offsets[place])
            raise UserError(
                f"{what} chain {self.ids[place]}: entropy {at + 1} of {self.entropies.lengths[place]} is "
                f"{self.entropies.values[bad[0]]}, not a number; read the chain again"
            )


@dataclass(frozen=True, slots=True)
class Scales:
    """What each part is divided by."""

    patterns: float = 1.0
    entropies: float = 1.0


class CoreSet:
    """The core chains and what matters in them; compares itself with blocks of the pool."""

    def __init__(
        self, core: Chains, questions: Sequence[str], weights: Weights, metric: Metric, engine: Engine | None = None
    ):
        core.check("core", lambda_=metric.lambda_)
        self.core, self.metric, self.engine = core, metric, engine or engine_named()
        pairs = zip(questions, core.patterns, strict=True)
        self.weights = [np.array([weights[q][p] for p in chain]) for q, chain in pairs]
        self.scales = Scales()

    def __len__(self) -> int:
        return len(self.core)

    def settle(self, sample: Chains) -> Scales:
        """Take the scales from some pool chains: `evenly_spaced` of them."""
        if self.metric.scale == "mean":
            block = self.against(sample)
            every = np.arange(len(sample))
            parts = [[part(i, every) for i in range(len(self))] for part in (block.patterns, block.entropies)]
            self.scales = Scales(*(float(np.mean(p)) or 1.0 for p in parts))
        return self.scales

    def against(self, block: Chains) -> Against:
        block.check("pool", lambda_=self.metric.lambda_)
        return Against(self, block)

    def matrix(self, pool: Chains) -> Floats:
        """Every distance (core, pool)."""
        block, every = self.against(pool), np.arange(len(pool))
        if self.metric.scale != "rank":
            return np.stack([block.distances(i, every) for i in range(len(self))])
        found = np.zeros((len(self), len(pool)))
        for share, part in ((self.metric.lambda_, block.patterns), (1 - self.metric.lambda_, block.entropies)):
            if share:
                values = np.stack([part(i, every) for i in range(len(self))])
                found += share * (rankdata(values, axis=None).reshape(values.shape) / values.size)
        return found


class Against:
    """A core set beside one block of the pool."""

    def __init__(self, core: CoreSet, block: Chains):
        self.core, self.metric, self.size = core, core.metric, len(block)
        self._tables: list[Rows] = []
        self._values: list[Rows] = []
        if self.metric.lambda_ > 0:
            labels = sorted({label for chain in block.patterns for label in chain})
            number = {label: i for i, label in enumerate(labels)}
            codes = [[number[label] for label in chain] for chain in block.patterns]
            self._labels = Many(Ragged.of(codes, np.int32), len(labels))
            own = sorted({label for chain in core.core.patterns for label in chain})
            apart = self.metric.labels.matrix(own, labels)
            at = {label: i for i, label in enumerate(own)}
            for chain, weights in zip(core.core.patterns, core.weights, strict=True):
                self._tables.append(Rows(table=weights[:, None] * apart[[at[label] for label in chain]]))
        if self.metric.lambda_ < 1:
            assert block.entropies is not None
            assert core.core.entropies is not None
            self._numbers = Many(Ragged(block.entropies.values.astype(np.float64), block.entropies.offsets))
            own_entropies = core.core.entropies
            self._values = [Rows(values=own_entropies[i].astype(np.float64)) for i in range(len(core))]

    def patterns(self, i: int, index: NDArray[np.int64], limits: Floats | None = None) -> Floats:
        """d_pattern of core chain i and these chains of the block; zeros where lambda is 0."""
        if self.metric.lambda_ == 0:
            return np.zeros(len(index))
        return self.core.engine.distances(self._tables[i], self._labels, self.metric.warp, index, limits)

    def entropies(self, i: int, index: NDArray[np.int64], limits: Floats | None = None) -> Floats:
        """d_entropy, as `patterns`; zeros where lambda is 1."""
        if self.metric.lambda_ == 1:
            return np.zeros(len(index))
        return self.core.engine.distances(self._values[i], self._numbers, self.metric.warp, index, limits)

    def bounds(self, i: int) -> tuple[Floats, Floats]:
        """Lower bounds of the two terms of D for every chain of the block."""
        share, scales = self.metric.lambda_, self.core.scales
        zero, warp = np.zeros(self.size), self.metric.warp
        first = share / scales.patterns * lower_bounds(self._tables[i], self._labels, warp) if share > 0 else zero
        second = (
            (1 - share) / scales.entropies * lower_bounds(self._values[i], self._numbers, warp) if share < 1 else zero
        )
        return first, second

    def distances(
        self,
        i: int,
        index: NDArray[np.int64],
        limit: float = math.inf,
        bounds: tuple[Floats, Floats] | None = None,
    ) -> Floats:
        """D of core chain i and these chains; above `limit` it may be infinity. `bounds`: those of `bounds(i)`."""
        share, scales, found = self.metric.lambda_, self.core.scales, np.full(len(index), np.inf)
        limit = limit * PRUNE  # above what rounding can add anywhere below
        rest = bounds[1][index] if bounds is not None else np.zeros(len(index))
        left = (limit - rest) * (scales.patterns / share) if share > 0 else None
        first = share * self.patterns(i, index, left) / scales.patterns
        near = np.flatnonzero(first + rest <= limit)
        if len(near):
            left = (limit - first[near]) * (scales.entropies / (1 - share)) if share < 1 else None
            found[near] = first[near] + (1 - share) * self.entropies(i, index[near], left) / scales.entropies
        return found


def evenly_spaced(size: int, wanted: int = SAMPLE) -> NDArray[np.int64]:
    """Places of `wanted` of `size` items, or all."""
    return np.unique(np.linspace(0, size - 1, min(size, wanted)).round().astype(np.int64))
