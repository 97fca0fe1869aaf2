"""Parts of a study's document that are made of committed counts. Each is a function of the study and of words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crucible.analysis.verification import tables
from crucible.analysis.verification.stored import stored, suite_of


def verdict_rates(study: Any, counts: str, suite: str, rate: str = "kept") -> str:
    """A rate of a suite: a row for each verifier, a column for each difficulty."""
    suites = stored(counts, study.root)
    found = suite_of(suites, suite)
    labels = {label: label for label in found.verifiers if not label.startswith("sound@")}
    return tables.by_difficulty(found, rate, labels, tables.groups(suites))


def verdict_errors(study: Any, counts: str, suite: str) -> str:
    """Precision, recall and the two errors of every verifier on a suite."""
    return tables.of_verifiers(suite_of(stored(counts, study.root), suite))


def verdict_wrong_tests(study: Any, counts: str, suite: str) -> str:
    """What the wrong tests of a suite cost."""
    return tables.of_wrong_tests(suite_of(stored(counts, study.root), suite))


def verdict_suites(study: Any, counts: str) -> str:
    """The quality of every suite (arXiv 2507.06920)."""
    return tables.of_quality(stored(counts, study.root))


PARTS: dict[str, Callable[..., str]] = {
    "verdict_rates": verdict_rates, "verdict_errors": verdict_errors, "verdict_wrong_tests": verdict_wrong_tests,
    "verdict_suites": verdict_suites,
}  # fmt: skip
