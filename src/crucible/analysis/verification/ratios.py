"""Rates over problems: sums of numbers that each problem contributes. The problem is the unit, its solutions a cluster.

R = sum_p a_p / sum_p b_p. With r_p = (a_p - R b_p) / sum b its standard error is sqrt(G / (G - 1) sum_p r_p^2) over the
G problems with b_p > 0: the clustered standard error of Miller 2024 (arXiv 2411.00640) for a mean of 0/1 values, times
the usual factor for few clusters; for precision, whose whole varies too, the linearised ratio (Cochran 1977, 6.4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from crucible.analysis.statistics.difference import Difference
from crucible.analysis.statistics.interval import Interval
from crucible.errors import UserError

Array = NDArray[np.float64]
LEVEL = 0.95
METHOD = "t, clustered by problem"


def ratio(a: ArrayLike, b: ArrayLike, *, level: float = LEVEL) -> Interval | None:
    """sum a / sum b with its interval, cut to [0, 1]; None where sum b is 0: there is nothing to be a share of.

    `n` is the number of problems with b_p > 0. Where no problem differs from another the interval is Wilson's upper
    (or lower) limit for that many problems, as in `statistics.mean_interval`: no variation seen is no knowledge.
    """
    x, y = _pair(a, b)
    if y.sum() == 0:
        return None
    value, residuals = _linear(x, y)
    groups = int((y > 0).sum())
    if groups > 1 and float(np.abs(residuals).max()) > 1e-12:
        half = float(stats.t.ppf(0.5 + level / 2, groups - 1)) * _error([residuals], groups)
        return Interval(value, max(0.0, value - half), min(1.0, value + half), groups, METHOD)
    z2 = float(stats.norm.ppf(0.5 + level / 2)) ** 2
    share = z2 / (groups + z2)
    return Interval(value, value * (1 - share), value + share * (1 - value), groups, "Wilson, no variation seen")


def difference(
    a: tuple[ArrayLike, ArrayLike],
    b: tuple[ArrayLike, ArrayLike],
    *,
    problems: tuple[Sequence[str], Sequence[str]],
    level: float = LEVEL,
) -> Difference | None:
    """Rate b - rate a, each (numerators, denominators) of its `problems`; None where one of them is no rate.

    A problem on both sides is a pair; different problems are independent. t with G - 1 degrees of freedom, G the
    problems that count on either side. p is NaN where nothing varies.
    """
    sides = [_pair(*side) for side in (a, b)]
    if any(y.sum() == 0 for _, y in sides):
        return None
    values, each = zip(*(_linear(x, y) for x, y in sides), strict=True)
    place = {name: i for i, name in enumerate(dict.fromkeys([*problems[0], *problems[1]]))}
    joined, counts = np.zeros(len(place)), np.zeros(len(place), dtype=bool)
    for sign, names, residuals, (_, y) in zip((-1, 1), problems, each, sides, strict=True):
        if len(names) != len(y):
            raise UserError(f"{len(names)} problems for {len(y)} numbers")
        for name, residual, weight in zip(names, residuals, y, strict=True):
            joined[place[name]] += sign * residual
            counts[place[name]] |= bool(weight > 0)
    groups = int(counts.sum())
    value = float(values[1] - values[0])
    if groups < 2 or float(np.abs(joined).max()) <= 1e-12:
        why = "no problem differs" if groups > 1 else "one problem"
        return Difference(Interval(value, math.nan, math.nan, groups, "none"), math.nan, f"none: {why}")
    error = _error([joined], groups)
    half = float(stats.t.ppf(0.5 + level / 2, groups - 1)) * error
    p = 2 * float(stats.t.sf(abs(value) / error, groups - 1))
    shared = len(set(problems[0]) & set(problems[1]))
    how = (
        "paired by problem"
        if shared == len(place)
        else f"{shared} of {len(place)} problems paired"
        if shared
        else "two sets"
    )
    return Difference(
        Interval(value, value - half, value + half, groups, METHOD), p, f"t over {groups} problems, {how}"
    )


def _pair(a: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise UserError(f"a rate needs two lists of one length, not shapes {x.shape} and {y.shape}")
    if (x < 0).any() or (x > y + 1e-9).any():
        raise UserError("a rate needs numbers with 0 <= part <= whole for each problem")
    return x, y


def _linear(x: Array, y: Array) -> tuple[float, Array]:
    value = float(x.sum() / y.sum())
    return value, (x - value * y) / y.sum()


def _error(residuals: Sequence[Array], groups: int) -> float:
    return math.sqrt(groups / (groups - 1) * sum(float(r @ r) for r in residuals))
