"""The rates of a verifier, each a ratio over problems (`ratios`), for all problems or for some difficulties.

kept             accepted / judged
precision        right among the accepted, of those with a gold label
recall           accepted / right: the coverage ceiling, coverage_v(d) = P(accept | correct, difficulty d)
false_reject     1 - recall
false_accept     accepted / wrong
problems         problems that keep a solution / problems
reach            problems that keep a right solution / problems that have one
diversity        distinct accepted right forms / distinct right forms: the diversity ceiling

The definitions of the two ceilings are inferred (the paper's were not found).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import ArrayLike

from crucible.analysis.statistics.difference import Difference
from crucible.analysis.statistics.interval import Interval
from crucible.analysis.verification.counts import Counts, SuiteCounts
from crucible.analysis.verification.ratios import Array, difference, ratio
from crucible.errors import UserError, nearest

Parts = tuple[Array, Array]
RATES: dict[str, Callable[[Counts], tuple[Array, Array]]] = {
    "kept": lambda c: _floats(c.accepted, c.judged),
    "precision": lambda c: _floats(c.right, c.accepted_known),
    "recall": lambda c: _floats(c.right, c.correct),
    "false_reject": lambda c: _floats(c.correct - c.right, c.correct),
    "false_accept": lambda c: _floats(c.accepted_known - c.right, c.known - c.correct),
    "problems": lambda c: _floats(c.accepted > 0, c.judged > 0),
    "reach": lambda c: _floats(c.right > 0, c.correct > 0),
    "diversity": lambda c: _floats(c.right_forms, c.forms),
}


def rate(suite: SuiteCounts, label: str, name: str, difficulties: Collection[int] | None = None) -> Interval | None:
    """A rate of a verifier on a suite; None where there is nothing to be a share of."""
    _, (a, b) = parts(suite, label, name, difficulties)
    return ratio(a, b)


def compared(
    name: str,
    a: tuple[SuiteCounts, str, Collection[int] | None],
    b: tuple[SuiteCounts, str, Collection[int] | None],
) -> Difference | None:
    """A rate of b minus that of a, each (suite, verifier, difficulties); paired where the problems are the same."""
    (ids_a, parts_a), (ids_b, parts_b) = (parts(suite, label, name, at) for suite, label, at in (a, b))
    return difference(parts_a, parts_b, problems=(ids_a, ids_b))


def parts(
    suite: SuiteCounts, label: str, name: str, difficulties: Collection[int] | None = None
) -> tuple[Sequence[str], Parts]:
    """The problems that count, and what each contributes to part and whole."""
    if name not in RATES:
        raise UserError(f"no rate {name!r}{nearest(name, RATES)}; one of {', '.join(RATES)}")
    if difficulties is not None and not isinstance(difficulties, Collection):
        raise UserError(f"difficulties must be a list of numbers, not {difficulties!r}")
    chosen = np.ones(len(suite.problems), bool) if difficulties is None else np.isin(suite.difficulty, [*difficulties])
    ids = [name for name, wanted in zip(suite.problems, chosen, strict=True) if wanted]
    return ids, RATES[name](suite.counts(label).of(chosen))


def _floats(a: ArrayLike, b: ArrayLike) -> Parts:
    return np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
