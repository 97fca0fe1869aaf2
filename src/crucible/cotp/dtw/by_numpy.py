"""DTW by NumPy: cell after cell, all pairs of a batch at once. No early abandoning: a batch ends together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crucible.cotp.dtw.warp import Floats, Many, Rows, Warp

CELLS = 2**20  # padded cells of a batch, (longest, pairs)
BIG = 1e300  # a number of steps no path has


class NumpyEngine:
    name = "numpy"

    def distances(
        self, rows: Rows, many: Many, warp: Warp, index: NDArray[np.int64], limits: Floats | None = None
    ) -> Floats:
        found = np.empty(len(index))
        lengths = many.chains.lengths[index]
        order = np.argsort(lengths, kind="stable")
        start = 0
        while start < len(order):
            fitting = max(1, CELLS // int(lengths[order[-1]]))
            part = order[start : start + fitting]
            found[part] = _batch(rows, many, warp, index[part])
            start += fitting
        return found


def _batch(rows: Rows, many: Many, warp: Warp, index: NDArray[np.int64]) -> Floats:
    chains, n = many.chains, len(rows)
    lengths = chains.lengths[index]
    longest, pairs = int(lengths.max()), len(index)
    padded = np.zeros((longest, pairs), chains.values.dtype)
    for column, i in enumerate(index):
        padded[: lengths[column], column] = chains[int(i)]
    band = warp.bands(n, lengths)
    places = np.arange(longest)[:, None]
    path = warp.normalise == "path"
    cost = np.full((longest + 1, pairs), np.inf)
    cost[0] = 0.0
    steps = np.zeros((longest + 1, pairs))
    for a in range(n):
        here = rows.table[a][padded] if rows.table is not None else np.abs(rows.values[a] - padded)  # type: ignore[index]
        if warp.window is not None:
            here = np.where(np.abs(a - places) > band, np.inf, here)
        diagonal, cost[0] = cost[0].copy(), np.inf
        diagonal_steps, steps[0] = steps[0].copy(), 0.0
        for b in range(1, longest + 1):
            above, left = cost[b].copy(), cost[b - 1]
            best = np.minimum(np.minimum(diagonal, above), left)
            if path:
                above_steps = steps[b].copy()
                least = np.minimum(
                    np.where(diagonal == best, diagonal_steps, BIG), np.where(above == best, above_steps, BIG)
                )
                steps[b] = np.minimum(least, np.where(left == best, steps[b - 1], BIG)) + 1.0
                diagonal_steps = above_steps
            cost[b] = best + here[b - 1]
            diagonal = above
    at = (lengths, np.arange(pairs))
    if path:
        return cost[at] / steps[at]
    return cost[at] / (n + lengths) if warp.normalise == "length" else cost[at]
