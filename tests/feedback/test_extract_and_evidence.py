"""Extraction by rules, and the evidence check against invented quotes."""

from __future__ import annotations

import random

import pytest
from feedback_worlds import finding, responses

from crucible.data.chain import Chain
from crucible.errors import UserError
from crucible.feedback.annotators import default_annotators
from crucible.feedback.evidence import check_evidence, supported
from crucible.feedback.extract import _FABRICATIONS, HELPFULNESS, RuleExtractor, wordings
from crucible.feedback.records import Feedback

TEXT = (
    "The response is mostly helpful. It is not true that the last number is the right answer. "
    "This holds: the steps are shown. It is only partly true that the response is concise. "
    "I find that the tone is friendly."
)


def plain(**options: float) -> RuleExtractor:
    return RuleExtractor(
        task=Chain(), **({"own_words_rate": 0.0, "reword_rate": 0.0, "fabrication_rate": 0.0} | options)
    )


def test_reads_principle_judgement_and_quote_of_every_sentence():
    found = plain().extract(Feedback(0, "A", TEXT))
    assert [(f.principle, f.judgement) for f in found] == [
        (HELPFULNESS, "yes"),
        ("the final answer is right", "no"),
        ("the steps are shown", "yes"),
        ("it is no longer than needed", "partially"),
        ("the tone is friendly", "yes"),
    ]
    assert all(f.quote in TEXT for f in found)


def test_a_clause_it_knows_nearly_is_named_and_another_is_kept():
    near = plain().extract(Feedback(0, "A", "I find that the final answer is corect."))
    far = plain().extract(Feedback(0, "A", "I find that the answer rhymes."))
    assert near[0].principle == "the final answer is right"
    assert far[0].principle == "the answer rhymes"


def test_wording_varies_within_the_known_ways():
    extractor = plain(reword_rate=1.0)
    said = {extractor.extract(Feedback(i, "A", "I find that the steps are shown."))[0].principle for i in range(40)}
    assert said == set(wordings("the steps are shown")) - {"the steps are shown"}


def test_fabrications_come_at_their_rate_and_are_all_dropped_and_no_true_quote_is():
    task, found = responses(300)
    extractor = plain(fabrication_rate=0.1)
    texts = [a.write(task, r, i, random.Random(i)) for i, r in enumerate(found) for a in default_annotators()]
    findings = [f for t in texts for f in extractor.extract(t)]
    made_up = [f for f in findings if f.quote in _FABRICATIONS]
    assert len(made_up) / len(findings) == pytest.approx(0.1, abs=0.02)
    kept, dropped = check_evidence(findings, {(t.response, t.annotator): t.text for t in texts})
    assert dropped == made_up
    assert len(kept) + len(dropped) == len(findings)


def test_the_threshold_is_strict_and_partial_ratio_is_rapidfuzz():
    assert supported("This holds: the steps are shown.", TEXT)
    assert supported("this holds the steps are shown", TEXT)  # a quote with small slips
    assert not supported("(see bullet 4, where grammar problems were flagged by reviewers)", TEXT)
    assert not supported("  ", "")
    assert not supported("abcd", "abcd", threshold=100)


def test_evidence_is_looked_for_in_the_annotators_own_text():
    texts = {(0, "A"): "I find that the steps are shown.", (0, "B"): "xyzzy qqq."}
    kept, dropped = check_evidence(
        [finding("A", "p", quote="the steps are shown"), finding("B", "p", quote="the steps are shown")], texts
    )
    assert [f.annotator for f in kept] == ["A"]
    assert [f.annotator for f in dropped] == ["B"]


def test_bad_rates_are_refused():
    with pytest.raises(UserError, match="fabrication_rate=2"):
        plain(fabrication_rate=2)
