"""How good a suite is at exposing wrong programs (SAGA / TCGBench, arXiv 2507.06920).

From the paper (by a note on its text): detection rate, verifier accuracy, distinct error patterns and their share of
the tests, AUC@N, the limit of the detection rate and the effective number of tests. Inferred, not found in it: that the
first k tests of a suite stand for k tests (AUC@N), and how p and rho are estimated from verdicts (below). The true
positive rate is no metric of that paper; a suite that rejects everything has a detection rate of 1 without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crucible.analysis.verification.verdicts import PASSED, Verdict

Matrix = NDArray[np.bool_]  # (tests, wrong programs): does the test reject the program?


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over problems with wrong programs, but `detection_rate`: over all pairs of problem and wrong program."""

    problems: int
    wrong_programs: int
    detection_rate: float  # share of wrong programs that some test rejects
    verifier_accuracy: float  # share of problems whose every wrong program some test rejects
    true_positive_rate: float  # share of right programs that all tests accept
    patterns: float  # distinct error patterns: different non-zero rows of the matrix
    pattern_ratio: float  # patterns / tests
    auc: float  # area under verifier accuracy against the number of tests, / (N - 1); NaN below two tests
    potency: float  # p: share of (test, wrong program) pairs that are a rejection
    correlation: float  # rho: mean correlation of two tests over wrong programs; NaN where no test tells two apart
    effective_tests: float  # n / (1 + (n - 1) rho)
    limit: float  # of the detection rate with ever more such tests: 1 - (1 - p)^(1 / rho)

    def as_json(self) -> dict[str, Any]:
        return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in asdict(self).items()}


def quality(verdicts: Iterable[Verdict]) -> Quality | None:
    """Of one suite; None where no program is known to be wrong."""
    problems: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.outcomes and verdict.gold is not None:
            problems.setdefault(verdict.problem, []).append(verdict)
    right = [v for rows in problems.values() for v in rows if v.gold]
    tables = [m for rows in problems.values() if (m := rejections(rows)).shape[1]]
    if not tables:
        return None
    caught = [m.any(0) for m in tables]
    n = float(np.mean([len(m) for m in tables]))
    p = float(np.concatenate([m.ravel() for m in tables]).mean())
    rho = correlation(tables)
    patterns = [len({row.tobytes() for row in m if row.any()}) for m in tables]
    return Quality(
        problems=len(tables),
        wrong_programs=sum(m.shape[1] for m in tables),
        detection_rate=float(np.concatenate(caught).mean()),
        verifier_accuracy=float(np.mean([c.all() for c in caught])),
        true_positive_rate=float(np.mean([v.v == 1.0 for v in right])) if right else math.nan,
        patterns=float(np.mean(patterns)),
        pattern_ratio=float(np.mean([k / len(m) for k, m in zip(patterns, tables, strict=True)])),
        auc=area(tables),
        potency=p,
        correlation=rho,
        effective_tests=n / (1 + (n - 1) * rho) if not math.isnan(rho) and 1 + (n - 1) * rho > 0 else math.nan,
        limit=detection_limit(p, rho),
    )


def rejections(rows: Sequence[Verdict]) -> Matrix:
    """(tests, wrong programs) of one problem."""
    wrong = [[outcome != PASSED for outcome in row.outcomes] for row in rows if row.gold is False]
    return np.array(wrong, dtype=bool).T if wrong else np.zeros((len(rows[0].outcomes), 0), dtype=bool)


def area(tables: Sequence[Matrix]) -> float:
    """AUC@N from k = 1: trapezoids under the verifier accuracy with the first k tests, over N - 1.

    N is the smallest number of tests of a problem.
    """
    most = min(len(m) for m in tables)
    if most < 2:
        return math.nan
    heights = [float(np.mean([m[:k].any(0).all() for m in tables])) for k in range(1, most + 1)]
    return (sum(heights) - (heights[0] + heights[-1]) / 2) / (most - 1)


def correlation(tables: Sequence[Matrix]) -> float:
    """Mean over problems of the mean Pearson correlation of two tests' rejections; pairs where a test rejects all or
    none of the wrong programs say nothing."""
    means = []
    for m in tables:
        telling = m[(m.any(1)) & (~m.all(1))].astype(np.float64)
        if len(telling) > 1:
            pairs = np.asarray(np.corrcoef(telling))[np.triu_indices(len(telling), 1)]
            means.append(float(pairs.mean()))
    return float(np.mean(means)) if means else math.nan


def detection_limit(p: float, rho: float) -> float:
    """1 - (1 - p)^(1 / rho); 1 for independent tests (rho <= 0) that reject anything."""
    if math.isnan(rho):
        return math.nan
    if rho <= 0:
        return 1.0 if p > 0 else 0.0
    return float(1 - (1 - p) ** (1 / rho))
