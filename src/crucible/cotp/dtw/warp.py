"""What is aligned with what, and how. The recurrence of all of it (its exact form was not found in the paper):

C(a, b) = w_a delta(x_a, y_b) + min( C(a-1, b), C(a, b-1), C(a-1, b-1) ),   C(0, 0) = 0,  C(0, b) = C(a, 0) = inf
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from crucible.cotp.ragged import Ragged
from crucible.errors import UserError

Floats = NDArray[np.float64]
Normalise = Literal["path", "length", "none"]


@dataclass(frozen=True, kw_only=True)
class Warp:
    """How two chains of n and m elements are aligned.

    normalise: "path" divides by the number of cells of the cheapest path (of the shortest of equally cheap ones),
    "length" by n + m, "none" not at all. window: a path stays within window * max(n, m) cells of the diagonal, but no
    less than |n - m| (Sakoe and Chiba); None: anywhere.
    """

    normalise: Normalise = "path"
    window: float | None = None

    def __post_init__(self) -> None:
        if self.normalise not in ("path", "length", "none"):
            raise UserError(f"normalise={self.normalise}: path, length or none")
        if self.window is not None and not 0 <= self.window <= 1:
            raise UserError(f"window={self.window}: a share of the longer chain from 0 to 1, or null")

    def bands(self, n: int, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """How far from the diagonal a path may be, for each length."""
        if self.window is None:
            return np.maximum(n, lengths)
        longer = np.maximum(n, lengths)
        return np.maximum(np.ceil(self.window * longer - 1e-9).astype(np.int64), np.abs(n - lengths))

    def most(self, n: int, lengths: NDArray[np.int64]) -> Floats:
        """The largest number a sum of costs may be divided by: it turns a bound on the sum into one on the distance."""
        if self.normalise == "none":
            return np.ones(len(lengths))
        return (n + lengths - (1 if self.normalise == "path" else 0)).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Rows:
    """One chain, as the cost of each of its elements: of labels, `table` (n, L) holds w_a delta(x_a, v) for each label
    v of the others; of numbers, `values` (n,) are compared by absolute difference, with weight one."""

    table: Floats | None = None
    values: Floats | None = None

    def __len__(self) -> int:
        one = self.table if self.table is not None else self.values
        return 0 if one is None else len(one)


class Many:
    """The chains it is compared with: label numbers (int32) of `labels` labels, or numbers (float64). What bounds need
    to know of them is found once."""

    def __init__(self, chains: Ragged, labels: int = 0):
        self.chains, self.labels = chains, labels

    def __len__(self) -> int:
        return len(self.chains)

    @cached_property
    def ends(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """First and last element of each chain."""
        return self.chains.values[self.chains.offsets[:-1]], self.chains.values[self.chains.offsets[1:] - 1]

    @cached_property
    def range(self) -> tuple[Floats, Floats]:
        """Smallest and largest number of each chain."""
        values, starts = self.chains.values, self.chains.offsets[:-1]
        return np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)

    @cached_property
    def label_sets(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The distinct sets of labels (S, largest), padded by repeating, and the set of each chain."""
        chains, labels = self.chains, self.labels
        owner = np.repeat(np.arange(len(chains)), chains.lengths)
        pairs = np.unique(owner * labels + chains.values)  # of (chain, label), each once, in order
        sizes = np.bincount(pairs // labels, minlength=len(chains))
        starts = np.cumsum(sizes) - sizes
        at = np.minimum(np.arange(sizes.max()), sizes[:, None] - 1)  # the last label again and again
        sets, which = np.unique((pairs % labels)[starts[:, None] + at], axis=0, return_inverse=True)
        return sets, which.reshape(-1)
