"""Rates as Markdown for people and as CSV for programs."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence

from crucible.analysis.statistics.interval import Interval
from crucible.analysis.verification.counts import SuiteCounts
from crucible.analysis.verification.rates import RATES, compared, parts, rate
from crucible.analysis.verification.ratios import ratio
from crucible.errors import UserError

Suites = Mapping[str, SuiteCounts]
Groups = Mapping[str, Sequence[int]]
ALL = "all"
MOST_GROUPS = 8
VERIFIER_RATES = ("kept", "precision", "recall", "false_accept", "false_reject")
QUALITY = {
    "problems": "problems", "wrong_programs": "wrong programs", "detection_rate": "detection rate",
    "verifier_accuracy": "verifier accuracy", "true_positive_rate": "right accepted", "patterns": "error patterns",
    "pattern_ratio": "patterns / tests", "auc": "AUC@N", "potency": "p", "correlation": "rho",
    "effective_tests": "effective tests", "limit": "limit",
}  # fmt: skip


def groups(suites: Suites, given: Sequence[str] = ()) -> dict[str, list[int]]:
    """Difficulties by label: "3" or "1-2"; every difficulty there is when none are given.

    Errors: UserError for a text that is no difficulty, one without problems, and more than eight without a choice.
    """
    there = sorted({int(d) for suite in suites.values() for d in suite.difficulty})
    if not given:
        if len(there) > MOST_GROUPS:
            raise UserError(f"{len(there)} difficulties ({there[0]} to {there[-1]}); group them: difficulties=1-5,6-9")
        return {str(d): [d] for d in there}
    found = {}
    for text in given:
        low, _, high = text.partition("-")
        if not low.isdecimal() or (high and not high.isdecimal()):
            raise UserError(f"difficulties={text}: a number or a span such as 1-3 is needed")
        found[text] = [d for d in there if int(low) <= d <= int(high or low)]
        if not found[text]:
            raise UserError(f"difficulties={text}: no problem; there are {', '.join(map(str, there))}")
    return found


def taus_of(suite: SuiteCounts, kind: str = "tests") -> list[tuple[float, str]]:
    """The thresholds that were counted, with the verifier's label."""
    return sorted((float(label.partition("@")[2]), label) for label in suite.verifiers if label.startswith(f"{kind}@"))


def by_difficulty(suite: SuiteCounts, name: str, labels: Mapping[str, str], chosen: Groups) -> str:
    """One rate: a row for each verifier (label by what the row is called), a column for each difficulty."""
    head = ["", ALL, *(f"difficulty {group}" for group in chosen)]
    lines = []
    for called, label in labels.items():
        cells = [rate(suite, label, name), *(rate(suite, label, name, at) for at in chosen.values())]
        lines.append([called, *map(cell, cells)])
    return table(head, lines)


def of_verifiers(suite: SuiteCounts) -> str:
    """Precision, recall and the two errors of every verifier, but those without the wrong tests."""
    lines = []
    for label, counts in suite.verifiers.items():
        if not label.startswith("sound@"):
            rates = [cell(rate(suite, label, name)) for name in VERIFIER_RATES]
            lines.append([label, str(int(counts.judged.sum())), str(int(counts.known.sum())), *rates])
    return table(["verifier", "judged", "with gold", *(name.replace("_", " ") for name in VERIFIER_RATES)], lines)


def of_wrong_tests(suite: SuiteCounts) -> str:
    """What the wrong tests of a suite cost, threshold by threshold: right programs lost, wrong ones kept out."""
    lines = []
    for tau, sound in taus_of(suite, "sound"):
        label = f"tests@{sound.partition('@')[2]}"
        for name in ("recall", "false_accept"):
            effect = compared(name, (suite, sound, None), (suite, label, None))
            changed = f"{effect.interval.value:+.3f}{_limits(effect.interval)}" if effect else ""
            lines.append(
                [f"{tau:g}", name.replace("_", " "), cell(rate(suite, label, name)), cell(rate(suite, sound, name)),
                 changed, _p(effect.p) if effect else ""]
            )  # fmt: skip
    return table(["tau", "rate", "all tests", "without the wrong ones", "effect of them", "p"], lines)


def of_quality(suites: Suites) -> str:
    lines = []
    for name, suite in suites.items():
        if suite.quality:
            values = [suite.quality.get(key) for key in QUALITY]
            lines.append([name, *("" if v is None else str(v) if isinstance(v, int) else f"{v:.3f}" for v in values)])
    return table(["suite", *QUALITY.values()], lines) if lines else ""


def long_csv(suites: Suites, chosen: Groups) -> str:
    """One line a suite, verifier, rate and difficulty: value, interval, problems, part and whole."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["suite", "verifier", "rate", "difficulty", "value", "low", "high", "problems", "part", "whole"])
    for name, suite in suites.items():
        for label in suite.verifiers:
            for which in RATES:
                for group, at in {ALL: None, **chosen}.items():
                    _, (a, b) = parts(suite, label, which, at)
                    found = ratio(a, b)
                    numbers = ["", "", "", 0] if found is None else [found.value, found.low, found.high, found.n]
                    writer.writerow([name, label, which, group, *numbers, int(a.sum()), int(b.sum())])
    return text.getvalue()


def cell(found: Interval | None) -> str:
    return "" if found is None else f"{found.value:.3f}{_limits(found)}"


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(text.replace("|", "\\|") for text in row) + " |" for row in rows)


def _limits(found: Interval) -> str:
    return "" if math.isnan(found.low) else f" [{found.low:.3f}, {found.high:.3f}]"


def _p(p: float) -> str:
    return "" if math.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}"
