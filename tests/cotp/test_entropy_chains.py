"""Entropy chains against a softmax of our own; batches, files, shortening."""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
import pytest
import torch

from crucible.cotp import entropy_chains
from crucible.cotp.entropy_chains import Reading, entropies, write_entropies
from crucible.cotp.ragged import Ragged, open_ragged
from crucible.errors import UserError
from crucible.types import Prompt
from tests.policy.models import qwen3

TEXTS = ["7+8=15;=15", "=15", "7+8>15,15-8>7&,=15", "?3;=3", "x"]
PAIRS = [(Prompt(id=f"q{i}", text=f"{i}+8="), text) for i, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def policy():
    return qwen3()


def oracle(policy, prompt: Prompt, text: str) -> list[float]:
    """The whole model on one text, no padding, the entropy of each softmax by hand in float64."""
    given = policy.token_ids([prompt])[0]
    said = policy.tokenizer(text, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logits = policy.model(input_ids=torch.tensor([given + said])).logits[0].double()
    found = []
    for at in range(len(given) - 1, len(given) + len(said) - 1):
        p = torch.softmax(logits[at], 0)
        found.append(-(p * p.log()).sum().item())
    return found


@pytest.mark.parametrize("batch_tokens", [1, 40, 10_000])
def test_entropies_are_those_of_the_softmax_whatever_the_batches(policy, batch_tokens):
    for (prompt, text), found in zip(PAIRS, entropies(policy, PAIRS, batch_tokens=batch_tokens), strict=True):
        np.testing.assert_allclose(found, oracle(policy, prompt, text), atol=1e-5)
        assert len(found) == len(text)
        assert 0 <= found.min() <= found.max() <= math.log(policy.vocabulary)


def test_a_file_that_was_stopped_is_gone_on_with(policy, tmp_path, monkeypatch):
    monkeypatch.setattr(entropy_chains, "WINDOW", 2)
    told: list[str] = []
    assert write_entropies(policy, PAIRS, tmp_path / "e", total=5, stop=lambda: True) == 2
    assert len(open_ragged(tmp_path / "e")) == 2
    rest = lambda start: islice(iter(PAIRS), start, None)  # noqa: E731
    assert write_entropies(policy, rest, tmp_path / "e", total=5, report=told.append) == 5
    assert "2 of 5 chains were read before" in told[0]
    write_entropies(policy, PAIRS, tmp_path / "whole", total=5)
    one, other = open_ragged(tmp_path / "e"), open_ragged(tmp_path / "whole")
    assert one.values.tobytes() == other.values.tobytes()
    assert one.offsets.tolist() == other.offsets.tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the chain of prompt q is empty: its completion has no tokens"),
        ("7²", "has '²', which the reference model's tokenizer lacks"),
        ("1" * 70, r"has 70 tokens, 59 fit into the reference model's context of 64 beside the prompt"),
    ],
)
def test_texts_that_cannot_be_read_are_named(policy, text, message):
    with pytest.raises(UserError, match=message):
        list(entropies(policy, [(Prompt(id="q", text="1+1="), text)]))


def test_smoothing_and_shortening():
    chain = np.array([0.0, 2.0, 4.0, 6.0, 8.0, 10.0])
    assert Reading().one(chain) is chain
    assert Reading(smooth=3).one(chain).tolist() == [1.0, 2.0, 4.0, 6.0, 8.0, 9.0]
    assert Reading(points=3).one(chain).tolist() == [1.0, 5.0, 9.0]
    assert Reading(points=4).one(chain).tolist() == pytest.approx([2 / 3, 10 / 3, 20 / 3, 28 / 3])  # 1.5 tokens each
    assert Reading(points=9).one(chain) is chain  # never longer
    assert Reading(points=4).one(chain).mean() == pytest.approx(chain.mean())
    assert Reading(smooth=9).one(np.array([1.0, 3.0])).tolist() == [2.0, 2.0]
    many = Reading(points=2).of(Ragged.of([chain, chain[:1]], np.float32))
    assert [many[i].tolist() for i in range(2)] == [[2.0, 8.0], [0.0]]
    for bad in ({"points": 0}, {"smooth": 0}):
        with pytest.raises(UserError, match="at least 1"):
            Reading(**bad)
