"""The whole pipeline: counts add up, rejected items keep their reason, a seed fixes everything."""

from __future__ import annotations

import json

import pytest
from feedback_worlds import responses

from crucible.errors import UserError
from crucible.feedback import pipeline
from crucible.feedback.annotators import default_annotators
from crucible.feedback.consensus import Consensus
from crucible.feedback.embed import NGramEmbedder
from crucible.feedback.extract import HELPFULNESS, RuleExtractor
from crucible.feedback.responses import collect


def run(count: int = 300, *, seed: int = 0, tau: float = 0.6, error_rates=(0.03, 0.08, 0.15), **extractor):
    task, found = responses(count)
    return task, pipeline.run(
        task,
        found,
        annotators=default_annotators(error_rates),
        extractor=RuleExtractor(task=task, **extractor),
        consensus=Consensus(embedder=NGramEmbedder(), tau=tau),
        seed=seed,
    )


def test_every_finding_is_kept_or_rejected_with_a_reason():
    _, outcome = run()
    counts = list(outcome.counts.values())
    assert counts[1] == 3 * counts[0]
    assert outcome.counts["principles extracted"] == len(outcome.triples) + len(outcome.rejected)
    assert counts[2:] == sorted(counts[2:], reverse=True)
    reasons = [reason for _, reason in outcome.rejected]
    for before, after, reason in (
        ("principles extracted", "with evidence", pipeline.UNSUPPORTED),
        ("with evidence", "without helpfulness", pipeline.GLOBAL),
        ("without helpfulness", "without partially", pipeline.PARTIAL),
    ):
        assert outcome.counts[before] - outcome.counts[after] == reasons.count(reason) > 0


def test_nothing_global_or_partial_or_invented_is_left():
    _, outcome = run()
    assert all(t.principle != HELPFULNESS for t in outcome.triples)
    assert not any("tone" in t.principle for t in outcome.triples)
    assert all(f.judgement == "partially" for f, reason in outcome.rejected if reason == pipeline.PARTIAL)


def test_consensus_labels_are_nearly_always_true_though_annotators_err():
    task, outcome = run(600, own_words_rate=0.0, reword_rate=0.0)
    right = [task.fulfils(t.prompt, t.response, t.principle) == t.fulfilled for t in outcome.triples]
    assert len(right) > 300
    # all three wrong: 0.03 * 0.08 * 0.15 = 0.0004 of the judgements
    assert sum(right) / len(right) > 0.99


def test_a_higher_threshold_keeps_less():
    kept = [len(run(200, tau=tau)[1].triples) for tau in (0.5, 0.7, 0.95)]
    assert kept[0] > kept[1] > kept[2]


def test_the_seed_decides_all():
    assert run(100)[1].triples == run(100)[1].triples
    assert run(100)[1].triples != run(100, seed=1)[1].triples


def test_what_is_stored(tmp_path):
    _, outcome = run(60)
    outcome.save(tmp_path)
    assert json.loads((tmp_path / "counts.json").read_text())["triples"] == len(outcome.triples)
    rows = [json.loads(line) for line in (tmp_path / "rejected.jsonl").read_text().splitlines()]
    assert len(rows) == len(outcome.rejected)
    assert all(row["reason"] and row["quote"] for row in rows)
    assert {json.loads(x)["fulfilment"] for x in (tmp_path / "triples.jsonl").read_text().splitlines()} == {"Yes", "No"}


def test_no_consensus_at_all_is_one_line():
    with pytest.raises(UserError, match="no principle is left"):
        run(4, error_rates=(0.0, 1.0), tau=0.99)


def test_responses_are_mixed_in_the_asked_shares():
    import random

    task, _ = responses(1)
    found = collect(
        task, task.warmup_prompts(random.Random(0)), 100, generate=None, sampled_from=iter(()),
        demonstration_share=0.3, sample_share=0.4, max_tokens=8, seed=0,
    )  # fmt: skip
    assert sum(r.source == "demonstration" for r in found) == 30
    assert sum(r.source == "flawed" for r in found) == 70  # nobody to sample from
    with pytest.raises(UserError, match="sum is at most 1"):
        collect(task, iter(()), 1, generate=None, sampled_from=iter(()), demonstration_share=0.8, sample_share=0.4,
                max_tokens=8, seed=0)  # fmt: skip
