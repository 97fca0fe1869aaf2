"""Keeps a principle only where every other annotator of the response raised an equal one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from crucible.feedback.embed import Embedder, Vectors
from crucible.feedback.records import Finding

ALONE = "only one annotator wrote about the response"
NO_MATCH = "no match with every other annotator"
OPPOSITE = "matched annotators disagree on the fulfilment"
SAME = "the same principle is kept in another wording"


class Consensus:
    """p of annotator a is matched iff every other annotator b has some q with cos(p, q) > tau.

    Source: 2509.21319, stage 4 (tau = 0.8). Which member stands for a matched group, and what happens on
    opposite labels, was not found. Inferred: some matching q of every b must also have p's label, and the
    first wording (annotators by name) stands for its group.
    """

    def __init__(self, *, embedder: Embedder, tau: float = 0.8) -> None:
        self.embedder, self.tau = embedder, tau
        self._vectors: dict[str, Vectors] = {}
        self._similar: dict[tuple[str, str], bool] = {}

    def __call__(
        self, findings: Sequence[Finding], annotators: Sequence[str] | Mapping[int, Sequence[str]]
    ) -> tuple[list[Finding], list[tuple[Finding, str]]]:
        """(kept, [(rejected, reason)]).

        `annotators` wrote about every response, or about the response of that number; findings of one response are
        adjacent. Of a response that one alone wrote about nothing is kept.
        """
        self._learn(f.principle for f in findings)
        kept: list[Finding] = []
        rejected: list[tuple[Finding, str]] = []
        for response, group in groupby(findings, key=lambda f: f.response):
            of_response = sorted(group, key=lambda f: f.annotator)
            wrote = annotators[response] if isinstance(annotators, Mapping) else annotators
            chosen: list[Finding] = []
            for finding in of_response:
                reason = self._objection(finding, of_response, chosen, wrote)
                if reason is None:
                    chosen.append(finding)
                else:
                    rejected.append((finding, reason))
            kept.extend(chosen)
        return kept, rejected

    def similar(self, a: str, b: str) -> bool:
        """cos(e(a), e(b)) > tau, strictly."""
        if (a, b) not in self._similar:
            self._learn((a, b))
            self._similar[a, b] = float(self._vectors[a] @ self._vectors[b]) > self.tau
        return self._similar[a, b]

    def _objection(
        self, finding: Finding, others: Sequence[Finding], chosen: Sequence[Finding], annotators: Sequence[str]
    ) -> str | None:
        if len(set(annotators)) < 2:
            return ALONE
        matches = [f for f in others if self.similar(finding.principle, f.principle)]
        needed = set(annotators) - {finding.annotator}
        if not needed <= {f.annotator for f in matches}:
            return NO_MATCH
        if not needed <= {f.annotator for f in matches if f.judgement == finding.judgement}:
            return OPPOSITE
        return SAME if any(self.similar(finding.principle, f.principle) for f in chosen) else None

    def _learn(self, texts: Iterable[str]) -> None:
        new = sorted(set(texts) - self._vectors.keys())
        if new:
            self._vectors.update(zip(new, self.embedder.embed(new), strict=True))
