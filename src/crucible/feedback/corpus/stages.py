"""The stages that are computed from the findings: checks, consensus, and the files at the end.

    findings -> evidence -> without helpfulness -> without partially -> consensus -> one of each group -> triples

Each stage gives every finding of a response a fate: "" where it lives, else why it does not (the first reason counts).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from crucible.errors import UserError
from crucible.feedback.consensus import ALONE, NO_MATCH, OPPOSITE, SAME, Consensus
from crucible.feedback.corpus.extractors import Extracted, findings_of
from crucible.feedback.corpus.formats import each, row_of
from crucible.feedback.corpus.items import Item, item_of
from crucible.feedback.corpus.read import lines
from crucible.feedback.corpus.store import FEEDBACK, Stages
from crucible.feedback.evidence import supported
from crucible.feedback.extract import is_helpfulness
from crucible.feedback.pipeline import GLOBAL, PARTIAL, UNSUPPORTED
from crucible.feedback.records import Finding, Triple

TOGETHER = 256  # responses whose principles are embedded together: what is in memory at a time
Fated = tuple[Item, Extracted, list[str]]


def items_in(store: Stages) -> Iterator[Item]:
    return each(lines(store.path / FEEDBACK), item_of)


def checks(block: Sequence[tuple[Item, Extracted]], evidence_threshold: float) -> Iterator[dict[str, Any]]:
    for item, found in block:
        texts = {t.annotator: t.text for t in item.texts}
        fates = [_objection(f, texts[f.annotator], evidence_threshold) for f in findings_of(found)]
        yield {"response": found["response"], "fates": fates}


def _objection(finding: Finding, text: str, evidence_threshold: float) -> str:
    if not supported(finding.quote, text, threshold=evidence_threshold):
        return UNSUPPORTED
    if is_helpfulness(finding.principle):
        return GLOBAL
    return PARTIAL if finding.judgement == "partially" else ""


def agreed(block: Sequence[Fated], make: Callable[[], Consensus]) -> Iterator[dict[str, Any]]:
    """Consensus among those who wrote about a response, with new memory for each block."""
    living = [f for _, found, fates in block for f, fate in zip(findings_of(found), fates, strict=True) if not fate]
    annotators = {found["response"]: [t.annotator for t in item.texts] for item, found, _ in block}
    _, rejected = make()(living, annotators)
    reasons = {id(finding): reason for finding, reason in rejected}
    alive = iter(living)
    for _, found, fates in block:
        new = [fate or reasons.get(id(next(alive)), "") for fate in fates]
        yield {"response": found["response"], "fates": new}


def all_fates(store: Stages, stage: str) -> Iterator[Fated]:
    """Every response with its findings and their fates after `stage`."""
    for item, found, row in zip(items_in(store), store.rows("findings"), store.rows(stage), strict=True):
        yield item, found, row["fates"]


def triples(store: Stages) -> Iterator[tuple[Triple, Item]]:
    for item, found, fates in all_fates(store, "consensus"):
        for finding, fate in zip(findings_of(found), fates, strict=True):
            if not fate:
                r = item.response
                yield Triple(r.prompt, r.text, finding.principle, finding.judgement == "yes", r.source), item


def triple_rows(store: Stages) -> Iterator[dict[str, Any]]:
    for triple, item in triples(store):
        yield {**row_of(triple), **item.extra}


def rejected_rows(store: Stages) -> Iterator[dict[str, Any]]:
    """Every finding that is in no triple, and every reply that could not be read, with the reason."""
    for _, found, fates in all_fates(store, "consensus"):
        number = found["response"]
        for given, fate in zip(found["findings"], fates, strict=True):
            if fate:
                yield {"response": number, **given, "reason": fate}
        for unread in found["unread"]:
            yield {"response": number, **unread}


def counts(store: Stages) -> dict[str, Any]:
    """What left each stage, the labels before and after consensus, and the reasons of all that is rejected.

    Errors: UserError where no triple is left.
    """
    reasons, labels = Counter[str](), {"before": Counter[str](), "after": Counter[str]()}
    responses = texts = extracted = unread = 0
    for item, found, fates in all_fates(store, "consensus"):
        responses, texts = responses + 1, texts + len(item.texts)
        extracted, unread = extracted + len(fates), unread + len(found["unread"])
        reasons.update(fate for fate in fates if fate)
        reasons.update(entry["reason"] for entry in found["unread"])
        for given, fate in zip(found["findings"], fates, strict=True):
            if fate in ("", ALONE, NO_MATCH, OPPOSITE, SAME):
                labels["before"][given["judgement"]] += 1
                labels["after"][given["judgement"]] += not fate
    with_evidence = extracted - reasons[UNSUPPORTED]
    without_helpfulness = with_evidence - reasons[GLOBAL]
    without_partially = without_helpfulness - reasons[PARTIAL]
    matched = without_partially - reasons[ALONE] - reasons[NO_MATCH] - reasons[OPPOSITE]
    left = matched - reasons[SAME]
    if not left:
        most = ", ".join(f"{count:,}: {reason}" for reason, count in reasons.most_common(3)) or "nothing was found"
        raise UserError(
            f"no principle is left of {extracted:,} ({most}); lower tau, take more responses, or another extractor "
            "(extractor=rules reads the sentences of the embedded world alone)"
        )
    return {
        "responses": responses, "feedback texts": texts, "principles extracted": extracted,
        "with evidence": with_evidence, "without helpfulness": without_helpfulness,
        "without partially": without_partially, "with consensus": matched, "triples": left,
        "unreadable": unread, "yes_rate_before_consensus": _yes(labels["before"]), "yes_rate": _yes(labels["after"]),
        "rejected": dict(sorted(reasons.items())),
    }  # fmt: skip


def _yes(labels: Counter[str]) -> float:
    return labels["yes"] / max(1, labels.total())
