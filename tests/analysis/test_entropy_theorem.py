"""The entropy theorem: exact as the step goes to 0 on a tabular softmax; on runs, the direction."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from crucible.analysis.entropy_theorem import (
    centred,
    change_of_one_token,
    covariance,
    entropy,
    measured_change,
    predicted_change,
    quadrant_signs,
    tabular_checks,
)
from crucible.analysis.entropy_theorem_runs import Pairs, agreement, pairs
from crucible.errors import UserError


def oracle(logits: list[float], advantages: list[float], eta: float, rule: str) -> tuple[float, float]:
    """(predicted, measured) of one state, in plain Python: the step made, the covariance as E[xy] - E[x]E[y]."""

    def softmax(z: list[float]) -> list[float]:
        top = max(z)
        weights = [math.exp(x - top) for x in z]
        return [w / sum(weights) for w in weights]

    p = softmax(logits)
    mean = sum(q * a for q, a in zip(p, advantages, strict=True))
    a = [x - mean for x in advantages]
    step = [q * x for q, x in zip(p, a, strict=True)] if rule == "policy" else a
    logp = [math.log(q) for q in p]
    e_xy = sum(q * x * y for q, x, y in zip(p, logp, step, strict=True))
    e_x, e_y = (sum(q * v for q, v in zip(p, values, strict=True)) for values in (logp, step))
    after = softmax([z + eta * s for z, s in zip(logits, step, strict=True)])
    h = [-sum(q * math.log(q) for q in dist) for dist in (p, after)]
    return -eta * (e_xy - e_x * e_y), h[1] - h[0]


@pytest.mark.parametrize("rule", ["policy", "natural"])
def test_against_the_oracle(rule):
    rng = np.random.default_rng(3)
    logits, advantages = rng.normal(size=(5, 7)), rng.normal(size=(5, 7))
    for i in range(5):
        predicted, measured = oracle(logits[i].tolist(), advantages[i].tolist(), 0.2, rule)
        assert predicted_change(logits, advantages, 0.2, rule)[i] == pytest.approx(predicted, rel=1e-10)
        assert measured_change(logits, advantages, 0.2, rule)[i] == pytest.approx(measured, rel=1e-9)


@pytest.mark.parametrize("rule", ["policy", "natural"])
def test_exact_in_the_limit_of_small_steps(rule):
    errors = [check.relative_error for check in tabular_checks([1e-2, 1e-3, 1e-4, 1e-5], rule=rule)]
    assert errors[-1] < 1e-4
    assert [a / b for a, b in pairwise(errors)] == pytest.approx([10, 10, 10], rel=0.05)


def test_worked_entropies():
    assert entropy([[2.0, 1.0, 0.0]]) == pytest.approx([0.832396], abs=1e-6)
    assert entropy(np.log([[0.5, 0.25, 0.25]])) == pytest.approx([1.039721], abs=1e-6)


def test_a_uniform_policy_and_equal_advantages_do_not_move():
    flat = np.zeros((1, 6))
    assert covariance(flat, np.arange(6.0)) == pytest.approx([0], abs=1e-12)
    assert measured_change(np.arange(6.0)[None], np.ones((1, 6)), 0.5) == pytest.approx([0], abs=1e-12)
    assert centred(flat, np.arange(6.0)).sum() == pytest.approx(0, abs=1e-12)


def test_the_four_token_kinds():
    signs = {kind: np.sign(change) for kind, change in quadrant_signs().items()}
    assert signs == {"pa_hp": -1, "na_lp": -1, "pa_lp": 1, "na_hp": 1}


def test_one_token_steps_average_to_the_policy_gradient():
    """E_{a ~ pi} of the one-token changes is the first-order change of the exact gradient: with the factor 1."""
    z, a, eta = np.array([1.5, 0.2, -0.4, -1.0]), np.array([1.0, -0.5, 0.3, -0.2]), 1e-6
    p = np.exp(z) / np.exp(z).sum()
    a = a - p @ a
    mean = sum(p[i] * change_of_one_token(z, i, a[i], eta) for i in range(4))
    assert mean == pytest.approx(predicted_change(z[None], a[None], eta)[0], rel=1e-4)


def noisy_run(seed: int, *, slope: float, steps: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A run whose true entropy follows slope x -Cov, seen through batches: hard ones raise both entropy and Cov."""
    rng = np.random.default_rng(seed)
    covariance = 0.004 * np.sin(np.arange(steps) / 15 + seed) + 0.002
    truth = 0.5 + np.concatenate([[0], np.cumsum(-slope * covariance)])[:steps]
    hard = rng.normal(0, 1, steps)
    return np.arange(1, steps + 1), truth + 0.01 * hard, covariance + 0.004 * hard


def test_the_slope_is_found_although_batches_differ():
    found = agreement([pairs(f"r{s}", *noisy_run(s, slope=0.5)) for s in range(6)])
    assert found.correlation_interval[0] > 0.3
    assert found.slope_interval[0] < 0.5 < found.slope_interval[1] + 0.12  # noise in the covariance flattens it
    assert found.runs == 6


def test_the_intervals_are_those_of_resampling_runs_and_blocks_one_by_one():
    found = [pairs(f"r{s}", *noisy_run(s, slope=0.5, steps=60 + 20 * s)) for s in range(4)]
    rng, draws = np.random.default_rng(7), []
    for _ in range(1500):
        x, y = [], []
        for p in (found[i] for i in rng.integers(4, size=4)):
            block = round(len(p) ** (1 / 3))
            index = [(s + j) % len(p) for s in rng.integers(len(p), size=len(p)) for j in range(block)][: len(p)]
            for pooled, values in ((x, p.predicted[index]), (y, p.measured[index])):
                pooled += (values - values.mean()).tolist()
        draws.append((np.corrcoef(x, y)[0, 1], np.polyfit(x, y, 1)[0]))
    expected = np.percentile(draws, [2.5, 97.5], axis=0)
    mine = agreement(found, resamples=4000)
    assert mine.correlation_interval == pytest.approx(expected[:, 0], abs=0.04)
    assert mine.slope_interval == pytest.approx(expected[:, 1], abs=0.04)


def test_no_effect_is_not_found():
    runs = [noisy_run(s, slope=0.0) for s in range(6)]
    found = agreement([pairs("r", *run) for run in runs], resamples=300)
    assert found.correlation_interval[0] < 0 < found.correlation_interval[1]
    neighbours = [Pairs("r", -c[:-1], np.diff(h)) for _, h, c in runs]
    assert agreement(neighbours, resamples=50).correlation > 0.3  # what differences of neighbouring steps would find


def test_pairs_by_hand():
    steps, h, c = np.arange(1, 7), np.array([6.0, 5, 4, 3, 2, 1]), np.array([1.0, 1, 2, 4, 0, 0])
    found = pairs("r", steps, h, c, window=2)
    assert found.predicted.tolist() == [-2 * 2 * 3.0]
    assert found.measured.tolist() == [1.5 - 5.5]
    assert len(pairs("r", [1, 2, 3, 4, 6, 7], h, c, window=2)) == 0  # a gap


def test_too_few_blocks_are_refused():
    with pytest.raises(UserError, match="at least 10 blocks"):
        agreement([pairs("r", np.arange(20), np.ones(20), np.ones(20))])
