"""Feedback to training data: every stage, its counts, and what it rejected and why.

responses -> feedback -> findings -> evidence check -> drop helpfulness -> drop "partially"
          -> consensus -> (prompt, response, principle, fulfilment)
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crucible.errors import UserError
from crucible.feedback.annotators import Annotator
from crucible.feedback.consensus import Consensus
from crucible.feedback.evidence import check_evidence
from crucible.feedback.extract import is_helpfulness, is_made_up
from crucible.feedback.records import Extractor, FeedbackTask, Finding, Response, Triple
from crucible.feedback.truth import label_accuracy

UNSUPPORTED = "the quote is not in the feedback"
GLOBAL = "helpfulness is a verdict on the whole"
PARTIAL = "judged partially"
PAPER_YES_RATE = 0.646  # of 2509.21319, without "helpfulness" and "partially", before consensus


@dataclass(slots=True)
class Outcome:
    """`counts` maps each stage to what left it, in order; `rejected` holds (finding, reason); `measures` what a
    simulation can know beside: see `measured`."""

    triples: list[Triple]
    counts: dict[str, int]
    rejected: list[tuple[Finding, str]] = field(default_factory=list)
    measures: dict[str, float] = field(default_factory=dict)

    @property
    def yes_rate(self) -> float:
        return sum(t.fulfilled for t in self.triples) / max(1, len(self.triples))

    def table(self) -> str:
        """The counts in words, one stage a line."""
        reasons = Counter(reason for _, reason in self.rejected)
        lines = [f"  {stage:<38}{count:>8,}" for stage, count in self.counts.items()]
        lines += [f"  rejected: {reason:<42}{count:>8,}" for reason, count in reasons.most_common()]
        return "\n".join([*lines, f"  fulfilled: {self.yes_rate:.1%} of the triples"])

    def save(self, folder: Path) -> None:
        """counts.json, triples.jsonl and rejected.jsonl (with reasons)."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "counts.json").write_text(json.dumps({**self.counts, "yes_rate": self.yes_rate}, indent=1) + "\n")
        _write(folder / "triples.jsonl", [
            {"prompt_id": t.prompt.id, "prompt": t.prompt.text, "response": t.response, "principle": t.principle,
             "fulfilment": "Yes" if t.fulfilled else "No", "source": t.source} for t in self.triples
        ])  # fmt: skip
        _write(folder / "rejected.jsonl", [
            {"response": f.response, "annotator": f.annotator, "principle": f.principle, "quote": f.quote,
             "judgement": f.judgement, "reason": reason} for f, reason in self.rejected
        ])  # fmt: skip


def run(
    task: FeedbackTask,
    responses: Sequence[Response],
    *,
    annotators: Sequence[Annotator],
    extractor: Extractor,
    consensus: Consensus,
    evidence_threshold: float = 60.0,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Run all stages. The same arguments give the same triples. UserError where nothing is left."""
    if len(annotators) < 2 or len({a.name for a in annotators}) < len(annotators):
        raise UserError("feedback: consensus needs at least two annotators with different names")
    rejected: list[tuple[Finding, str]] = []
    counts = {"responses": len(responses)}
    feedback = [
        annotator.write(task, response, number, random.Random(f"{seed}/{annotator.name}/{number}"))
        for number, response in enumerate(responses)
        for annotator in annotators
    ]
    counts["feedback texts"] = len(feedback)
    findings = [finding for text in feedback for finding in extractor.extract(text)]
    counts["principles extracted"] = len(findings)

    texts = {(f.response, f.annotator): f.text for f in feedback}
    extracted = findings
    findings, unsupported = check_evidence(findings, texts, threshold=evidence_threshold)
    supported = findings
    rejected += [(f, UNSUPPORTED) for f in unsupported]
    counts["with evidence"] = len(findings)

    rejected += [(f, GLOBAL) for f in findings if is_helpfulness(f.principle)]
    findings = [f for f in findings if not is_helpfulness(f.principle)]
    counts["without helpfulness"] = len(findings)

    rejected += [(f, PARTIAL) for f in findings if f.judgement == "partially"]
    findings = [f for f in findings if f.judgement != "partially"]
    counts["without partially"] = len(findings)

    checked = findings
    findings, without_consensus = consensus(findings, [a.name for a in annotators])
    rejected += without_consensus
    counts["triples"] = len(findings)
    triples = [
        Triple(responses[f.response].prompt, responses[f.response].text, f.principle, f.judgement == "yes",
               responses[f.response].source)
        for f in findings
    ]  # fmt: skip
    if not triples:
        raise UserError(
            f"feedback: no principle is left of {counts['principles extracted']} after consensus; "
            "lower tau or the annotators' error rates, or take more responses"
        )
    outcome = Outcome(triples, counts, rejected, measured(task, extracted, unsupported, supported, checked, triples))
    report("feedback pipeline\n" + outcome.table())
    return outcome


def measured(
    task: FeedbackTask,
    extracted: Sequence[Finding],
    unsupported: Sequence[Finding],
    supported: Sequence[Finding],
    checked: Sequence[Finding],
    triples: Sequence[Triple],
) -> dict[str, float]:
    """What the stages did, in shares; a share of nothing is left out.

    fakes_dropped, real_kept: of invented quotes what the evidence check dropped, of the others what it kept.
    yes_rate_*: of the judgements with evidence; without "helpfulness" and "partially"; of the triples. nearer_mix: how
    much nearer the second of these is to the paper's 64.6 % than the first (2509.21319). label_accuracy: true labels
    of triples.
    """
    made_up = [f for f in extracted if is_made_up(f.quote)]
    caught = [f for f in unsupported if is_made_up(f.quote)]
    before, after = (_share([f.judgement == "yes" for f in found]) for found in (supported, checked))
    found = {
        "triples": float(len(triples)),
        "fakes": float(len(made_up)),
        "fakes_dropped": len(caught) / len(made_up) if made_up else math.nan,
        "real_kept": 1 - (len(unsupported) - len(caught)) / max(1, len(extracted) - len(made_up)),
        "yes_rate_with_evidence": before,
        "yes_rate_checked": after,
        "yes_rate": _share([t.fulfilled for t in triples]),
        "nearer_mix": abs(before - PAPER_YES_RATE) - abs(after - PAPER_YES_RATE),
        "label_accuracy": label_accuracy(task, triples),
    }
    return {f"feedback/{name}": value for name, value in found.items() if not math.isnan(value)}


def _share(held: Sequence[bool]) -> float:
    return sum(held) / len(held) if held else math.nan


def _write(path: Path, rows: Sequence[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
