"""Everything about some suites on one page of Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from crucible.analysis.verification import tables
from crucible.analysis.verification.counts import SuiteCounts
from crucible.analysis.verification.tables import Groups, Suites

NOTE = """\
Rates are sums over problems; intervals are 95 %, the problem being the unit (its solutions are no independent draws).
A solution is right when it passes the hidden tests (gold). V is the share of a suite's tests that a solution passes."""


def page(suites: Suites, chosen: Groups, *, sources: Sequence[str]) -> str:
    parts = [f"# Verification\n\n{NOTE}\n\nVerdicts: {', '.join(f'`{source}`' for source in sources)}."]
    quality = tables.of_quality(suites)
    if quality:
        parts.append(
            "## The suites\n\n"
            + quality
            + "\n\nDetection rate, verifier accuracy, error patterns, AUC@N and the limit are "
            "those of arXiv 2507.06920; how p and rho are estimated is ours (`suite_quality`)."
        )
    parts += [_suite(name, suite, chosen) for name, suite in suites.items()]
    return "\n\n".join(parts) + "\n"


def _suite(name: str, suite: SuiteCounts, chosen: Groups) -> str:
    taus = {f"tau {tau:g}": label for tau, label in tables.taus_of(suite)}
    others = {label: label for label in suite.verifiers if not label.startswith(("tests@", "sound@"))}
    tests = sorted({int(n) for n in suite.tests})
    span = f"{tests[0]}" if len(tests) == 1 else f"{tests[0]} to {tests[-1]}"
    parts = [
        f"## Suite {name}\n\n{len(suite.problems)} problems, {span} tests each.",
        "### Kept\n\nShare of the solutions that are kept:\n\n" + tables.by_difficulty(suite, "kept", taus, chosen),
        "Share of the problems that keep a solution:\n\n" + tables.by_difficulty(suite, "problems", taus, chosen),
        "### Verifiers against gold\n\n" + tables.of_verifiers(suite),
        "### Ceilings\n\nCoverage, P(accept | right, difficulty):\n\n"
        + tables.by_difficulty(suite, "recall", taus | others, chosen),
        "Diversity, distinct accepted right forms / distinct right forms:\n\n"
        + tables.by_difficulty(suite, "diversity", taus | others, chosen),
    ]
    if tables.taus_of(suite, "sound"):
        parts.append("### Wrong tests\n\n" + tables.of_wrong_tests(suite))
    return "\n\n".join(parts)
