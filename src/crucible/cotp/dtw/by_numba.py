"""DTW by compiled code: sixteen pairs at a time, one in each lane of a vector register; a group of pairs that are all
above their limits is abandoned.

What belongs to the lanes stands side by side in two arrays, since the compiler cannot make vectors of code in which
more than a few arrays might overlap.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from crucible.cotp.dtw.warp import Floats, Many, Rows, Warp

LANES = 16
BIG = 1e300  # a number of steps no path has
WAYS = {"none": 0, "length": 1, "path": 2}
NO_TABLE, NO_VALUES, NO_CODES = np.zeros((0, 1)), np.zeros(0), np.zeros(0, np.int32)


class NumbaEngine:
    name = "numba"

    def distances(
        self, rows: Rows, many: Many, warp: Warp, index: NDArray[np.int64], limits: Floats | None = None
    ) -> Floats:
        chains = many.chains
        found = np.empty(len(index))
        if len(index) == 0:
            return found
        lengths = chains.lengths[index]
        order = np.argsort(lengths, kind="stable")
        labels = rows.table is not None
        found[order] = _pairs(
            NO_TABLE if rows.table is None else np.ascontiguousarray(rows.table),
            NO_VALUES if rows.values is None else rows.values,
            chains.values if labels else NO_CODES,
            NO_VALUES if labels else chains.values,
            chains.offsets[index][order],
            lengths[order],
            warp.bands(len(rows), lengths)[order],
            np.full(len(index), np.inf) if limits is None else limits[order],
            WAYS[warp.normalise],
        )
        return found


@njit(nogil=True, cache=True, error_model="numpy")
def _pairs(table, values, codes, numbers, starts, lengths, bands, limits, way):  # type: ignore[no-untyped-def]
    """Pairs in order of length; lanes beyond the last pair repeat it.

    `grid` holds for each column the cost so far, the steps of its path, and the cost of this cell; `state` the
    diagonal neighbour and its steps, the left neighbour and its steps, and the lowest cost of the row.
    """
    labels = len(table) > 0
    n = len(table) if labels else len(values)
    pairs, longest = len(starts), lengths.max()
    found = np.empty(pairs)
    label = np.zeros((longest + 1, LANES), np.int32)
    number = np.zeros((longest + 1, LANES))
    grid, state = np.empty((longest + 1, 3 * LANES)), np.empty(5 * LANES)
    for first in range(0, pairs, LANES):
        m = lengths[min(first + LANES, pairs) - 1]
        for lane in range(LANES):
            pair = min(first + lane, pairs - 1)
            for b in range(lengths[pair]):
                if labels:
                    label[b + 1, lane] = codes[starts[pair] + b]
                else:
                    number[b + 1, lane] = numbers[starts[pair] + b]
        grid[: m + 1, :LANES] = np.inf
        grid[0, :LANES] = 0.0
        grid[: m + 1, LANES : 2 * LANES] = 0.0
        abandoned = False
        for a in range(n):
            if labels:
                _costs_of_labels(grid, table[a], label, m)
            else:
                _costs_of_numbers(grid, values[a], number, m)
            for lane in range(LANES):
                band = bands[min(first + lane, pairs - 1)]
                if band < max(n, m) - 1:
                    for b in range(m):
                        if abs(a - b) > band:
                            grid[b + 1, 2 * LANES + lane] = np.inf
            if way == 2:
                _row_with_steps(grid, state, m)
            else:
                _row(grid, state, m)
            abandoned = True
            for lane in range(LANES):
                pair = min(first + lane, pairs - 1)
                most = 1.0 if way == 0 else n + lengths[pair] - (1.0 if way == 2 else 0.0)
                if not state[4 * LANES + lane] / most > limits[pair]:
                    abandoned = False
            if abandoned:
                break
        for lane in range(min(LANES, pairs - first)):
            m = lengths[first + lane]
            total = grid[m, lane]
            if way == 2:
                total /= grid[m, LANES + lane]
            elif way == 1:
                total /= n + m
            found[first + lane] = np.inf if abandoned else total
    return found


@njit(nogil=True, cache=True, error_model="numpy")
def _costs_of_labels(grid, row, label, m):  # type: ignore[no-untyped-def]
    for b in range(1, m + 1):
        for lane in range(LANES):
            grid[b, 2 * LANES + lane] = row[label[b, lane]]


@njit(nogil=True, cache=True, error_model="numpy")
def _costs_of_numbers(grid, value, number, m):  # type: ignore[no-untyped-def]
    for b in range(1, m + 1):
        for lane in range(LANES):
            grid[b, 2 * LANES + lane] = abs(value - number[b, lane])


@njit(nogil=True, cache=True, error_model="numpy")
def _row(grid, state, m):  # type: ignore[no-untyped-def]
    """One more row of cells."""
    for lane in range(LANES):
        state[lane] = grid[0, lane]
        grid[0, lane] = np.inf
        state[2 * LANES + lane] = np.inf
        state[4 * LANES + lane] = np.inf
    for b in range(1, m + 1):
        for lane in range(LANES):
            above, left = grid[b, lane], state[2 * LANES + lane]
            total = min(min(state[lane], above), left) + grid[b, 2 * LANES + lane]
            state[lane] = above
            state[2 * LANES + lane] = total
            state[4 * LANES + lane] = min(state[4 * LANES + lane], total)
            grid[b, lane] = total


@njit(nogil=True, cache=True, error_model="numpy")
def _row_with_steps(grid, state, m):  # type: ignore[no-untyped-def]
    """One more row of cells, and of the steps of the shortest of the cheapest paths to each."""
    for lane in range(LANES):
        state[lane] = grid[0, lane]
        grid[0, lane] = np.inf
        state[LANES + lane] = 0.0
        state[2 * LANES + lane] = np.inf
        state[3 * LANES + lane] = 0.0
        state[4 * LANES + lane] = np.inf
    for b in range(1, m + 1):
        for lane in range(LANES):
            diagonal, above, left = state[lane], grid[b, lane], state[2 * LANES + lane]
            best = min(min(diagonal, above), left)
            by_diagonal = state[LANES + lane] if diagonal == best else BIG
            by_above = grid[b, LANES + lane] if above == best else BIG
            by_left = state[3 * LANES + lane] if left == best else BIG
            taken = min(min(by_diagonal, by_above), by_left) + 1.0
            total = best + grid[b, 2 * LANES + lane]
            state[LANES + lane] = grid[b, LANES + lane]
            state[lane] = above
            state[2 * LANES + lane] = total
            state[3 * LANES + lane] = taken
            state[4 * LANES + lane] = min(state[4 * LANES + lane], total)
            grid[b, lane] = total
            grid[b, LANES + lane] = taken
