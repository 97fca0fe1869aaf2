from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import chisquare

from crucible.rollout.sampling import draw, noise


def test_noise_depends_on_the_seed_alone_and_leaves_the_global_generator_be():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    a = noise(4, 5, seed=7)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(2)
    assert torch.equal(a, noise(4, 5, seed=7))
    assert not torch.equal(a, noise(4, 5, seed=8))
    assert a.dtype == torch.float64
    assert ((a >= 0) & (a < 1)).all()


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_draws_follow_the_softmax_at_the_temperature(temperature):
    n, logits = 20_000, torch.tensor([0.0, 2.0, -1.0, 1.0, -torch.inf, 0.5])
    tokens, logps = draw(logits.expand(n, -1), noise(n, 1, seed=11)[:, 0], temperature=temperature)
    probabilities = (logits / temperature).softmax(-1)
    counts = torch.bincount(tokens, minlength=6)
    assert counts[4] == 0
    possible = probabilities > 0
    assert (
        chisquare(counts[possible], n * probabilities[possible].double() / probabilities.double().sum()).pvalue > 0.01
    )
    torch.testing.assert_close(logps, probabilities.log()[tokens], atol=1e-6, rtol=1e-6)


def test_the_ends_of_the_unit_interval_give_possible_tokens():
    logits = torch.tensor([[-torch.inf, 1.0, 0.0, -torch.inf]]).expand(2, -1)
    tokens, _ = draw(logits, torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64), temperature=1.0)
    assert tokens.tolist() == [1, 2]


def test_improbable_tokens_keep_their_share():
    """Two tokens of probability 1e-9 after a near certain one: a float32 sum would drop both."""
    logits = torch.tensor([[0.0, math.log(1e-9), math.log(1e-9)]]).expand(3, -1)
    tokens, _ = draw(logits, 1 - torch.tensor([2.5e-9, 1.5e-9, 0.5e-9], dtype=torch.float64), temperature=1.0)
    assert tokens.tolist() == [0, 1, 2]


def test_a_large_vocabulary_is_hit_where_it_should_be():
    size = 150_000
    uniform = (torch.arange(0, size, 997, dtype=torch.float64) + 0.5) / size
    tokens, _ = draw(torch.zeros(len(uniform), size), uniform, temperature=1.0)
    assert tokens.tolist() == list(range(0, size, 997))


def test_temperature_zero_is_greedy_with_log_probabilities_at_one():
    logits = torch.tensor([[0.0, 3.0, 1.0], [2.0, 0.0, 0.0]])
    tokens, logps = draw(logits, torch.tensor([0.99, 0.99], dtype=torch.float64), temperature=0.0)
    assert tokens.tolist() == [1, 0]
    torch.testing.assert_close(logps, logits.log_softmax(-1).amax(-1))
