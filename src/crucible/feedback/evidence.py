"""The evidence check: a quote must really be in the feedback it is said to come from."""

from __future__ import annotations

from collections.abc import Iterable

from rapidfuzz.fuzz import partial_ratio

from crucible.feedback.records import Finding


def supported(quote: str, text: str, *, threshold: float = 60.0) -> bool:
    """RapidFuzz partial_ratio(quote, text) > threshold (2509.21319: 60, strictly; 2.2% dropped there).

    An empty quote supports nothing (partial_ratio gives it 100 against an empty text).
    """
    return bool(quote.strip()) and partial_ratio(quote, text, score_cutoff=threshold) > threshold


def check_evidence(
    findings: Iterable[Finding], texts: dict[tuple[int, str], str], *, threshold: float = 60.0
) -> tuple[list[Finding], list[Finding]]:
    """(kept, dropped). `texts` maps (response, annotator) to the feedback text."""
    kept: list[Finding] = []
    dropped: list[Finding] = []
    for finding in findings:
        text = texts[finding.response, finding.annotator]
        (kept if supported(finding.quote, text, threshold=threshold) else dropped).append(finding)
    return kept, dropped
