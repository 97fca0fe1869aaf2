"""SAGA's metrics (2507.06920) on worked examples and against loops."""

from __future__ import annotations

import math
import random
from itertools import combinations

import numpy as np
import pytest

from crucible.analysis.verification.suite_quality import detection_limit, quality
from crucible.analysis.verification.verdicts import Verdict


def verdicts(problem: str, rejects: list[list[int]], right: int = 1) -> list[Verdict]:
    """`rejects` is tests x wrong programs, as in the paper; `right` programs pass everything."""
    wrong = [
        Verdict(problem, f"w{j}", 1, "s", tuple("failed" if row[j] else "passed" for row in rejects), False, "f")
        for j in range(len(rejects[0]))
    ]
    return wrong + [Verdict(problem, f"r{i}", 1, "s", ("passed",) * len(rejects), True, "f") for i in range(right)]


def test_the_worked_example() -> None:
    found = quality(verdicts("p", [[1, 0, 1], [0, 0, 1]]))
    assert found is not None
    assert found.detection_rate == pytest.approx(2 / 3)
    assert found.verifier_accuracy == 0
    assert (found.patterns, found.pattern_ratio) == (2, 1)
    assert found.true_positive_rate == 1
    assert detection_limit(0.1, 0.05) == pytest.approx(0.878423, abs=1e-6)


def test_a_suite_that_rejects_everything_is_told_by_the_right_programs() -> None:
    rows = [*verdicts("p", [[1, 1]], right=0), Verdict("p", "r", 1, "s", ("failed",), True, "f")]
    found = quality(rows)
    assert found is not None
    assert (found.detection_rate, found.verifier_accuracy, found.true_positive_rate) == (1, 1, 0)


def test_area() -> None:
    """Verifier accuracy with the first 1, 2, 3 tests: 0, 1/2, 1."""
    rows = verdicts("p", [[1, 0], [0, 1], [0, 0]]) + verdicts("q", [[0, 1], [0, 0], [1, 0]])
    found = quality(rows)
    assert found is not None
    assert found.auc == pytest.approx((0 + 0.5) / 2 / 2 + (0.5 + 1) / 2 / 2)


def test_without_wrong_programs_there_is_nothing_to_detect() -> None:
    assert quality([Verdict("p", "r", 1, "s", ("passed",), True, "f")]) is None
    one = quality(verdicts("p", [[1]]))
    assert one is not None
    assert math.isnan(one.auc)
    assert one.as_json()["auc"] is None


def oracle_correlation(tables: list[np.ndarray]) -> float:
    means = []
    for m in tables:
        telling = [row for row in m.astype(float) if 0 < row.sum() < len(row)]
        found = []
        for a, b in combinations(telling, 2):
            covariance = ((a - a.mean()) * (b - b.mean())).mean()
            found.append(covariance / math.sqrt(((a - a.mean()) ** 2).mean() * ((b - b.mean()) ** 2).mean()))
        if found:
            means.append(sum(found) / len(found))
    return sum(means) / len(means)


def test_against_loops() -> None:
    rng = random.Random(4)
    tables = [[[rng.random() < 0.4 for _ in range(rng.randint(3, 6))]] for _ in range(15)]
    tables = [[[rng.random() < 0.4 for _ in first[0]] for _ in range(4)] for first in tables]
    rows = [row for i, table in enumerate(tables) for row in verdicts(f"p{i}", table)]
    found = quality(rows)
    assert found is not None
    caught = [[any(row[j] for row in t) for j in range(len(t[0]))] for t in tables]
    assert found.detection_rate == pytest.approx(sum(map(sum, caught)) / sum(map(len, caught)))
    assert found.verifier_accuracy == pytest.approx(sum(map(all, caught)) / 15)
    assert found.patterns == pytest.approx(sum(len({tuple(r) for r in t if any(r)}) for t in tables) / 15)
    assert found.potency == pytest.approx(sum(sum(map(sum, t)) for t in tables) / sum(4 * len(t[0]) for t in tables))
    rho = oracle_correlation([np.array(t) for t in tables])
    assert found.correlation == pytest.approx(rho)
    assert found.effective_tests == pytest.approx(4 / (1 + 3 * rho))
    assert found.limit == pytest.approx(detection_limit(found.potency, rho))
    assert found.wrong_programs == sum(len(t[0]) for t in tables)
