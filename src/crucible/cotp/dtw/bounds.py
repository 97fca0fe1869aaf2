"""Lower bounds of the cost of a path, cheap for many chains at once. Divided by `Warp.most` they bound the distance.

A path visits the first cell, the last cell, every row and every column. So its cost is at least

    kim       the first cell's plus, where it is another cell, the last one's           (LB_Kim, Kim et al. 2001)
    by row    sum over rows of the cheapest cell of the row: sum_a w_a min_b delta      (LB_Keogh, Keogh 2002, with the
    by column sum over columns of the cheapest cell: sum_b min_a w_a delta               weights inside the minimum)

Of labels the cheapest cell is looked up (the minimum over the labels that occur); of numbers it is the distance to
the range [min, max] of the other chain or, where the window keeps a path near the diagonal and both chains are of
one length, to the envelope of the elements in reach. Windows only take cells away, so the others hold with them too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crucible.cotp.dtw.warp import Floats, Many, Rows, Warp
from crucible.cotp.ragged import Ragged

SLACK = 1.0 - 1e-12  # sums in another order may come out a few units in the last place above
AT_ONCE = 2**22  # numbers in a temporary


def lower_bounds(rows: Rows, many: Many, warp: Warp) -> Floats:
    """A number no larger than the distance to each chain of `many`."""
    bound = _of_labels(rows.table, many) if rows.table is not None else _of_numbers(rows, many, warp)
    return bound * SLACK / warp.most(len(rows), many.chains.lengths)


def _kim(first: Floats, last: Floats, n: int, many: Many) -> Floats:
    return first + np.where((many.chains.lengths > 1) | (n > 1), last, 0.0)


def _of_labels(table: Floats, many: Many) -> Floats:
    first, last = many.ends
    kim = _kim(table[0][first], table[-1][last], len(table), many)
    columns = np.add.reduceat(table.min(0)[many.chains.values], many.chains.offsets[:-1])
    sets, which = many.label_sets
    rows = np.empty(len(sets))
    step = max(1, AT_ONCE // (len(table) * sets.shape[1]))
    for start in range(0, len(sets), step):
        rows[start : start + step] = table[:, sets[start : start + step]].min(-1).sum(0)
    return np.maximum(np.maximum(columns, rows[which]), kim)


def _of_numbers(rows: Rows, many: Many, warp: Warp) -> Floats:
    values, chains = rows.values, many.chains
    assert values is not None
    n, (first, last), (low, high) = len(values), many.ends, many.range
    kim = _kim(np.abs(values[0] - first), np.abs(values[-1] - last), n, many)
    ordered = np.sort(values)
    outside = np.maximum(chains.values - ordered[-1], 0.0) + np.maximum(ordered[0] - chains.values, 0.0)
    columns = np.add.reduceat(outside, chains.offsets[:-1])
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    over, under = np.searchsorted(ordered, high), np.searchsorted(ordered, low)
    by_row = np.maximum(sums[n] - sums[over] - (n - over) * high, 0.0) + np.maximum(under * low - sums[under], 0.0)
    # differences of long sums lose digits: no more than this
    by_row -= 1e-12 * (abs(sums[n]) + n * np.maximum(np.abs(low), np.abs(high)))
    bound = np.maximum(np.maximum(by_row, columns), kim)
    if warp.window is not None:
        equal = np.flatnonzero(chains.lengths == n)
        bound[equal] = np.maximum(bound[equal], _keogh(values, chains, equal, int(warp.bands(n, np.array([n]))[0])))
    return bound


def _keogh(values: Floats, chains: Ragged, equal: NDArray[np.int64], band: int) -> Floats:
    """Sum of the distances of the elements of each chain of our own length to the envelope of ours."""
    n = len(values)
    reach = [values[max(0, b - band) : b + band + 1] for b in range(n)]
    low, high = np.array([r.min() for r in reach]), np.array([r.max() for r in reach])
    found = np.empty(len(equal))
    step = max(1, AT_ONCE // n)
    for start in range(0, len(equal), step):
        part = equal[start : start + step]
        y = chains.values[chains.offsets[part][:, None] + np.arange(n)]
        found[start : start + step] = (np.maximum(y - high, 0.0) + np.maximum(low - y, 0.0)).sum(1)
    return found
