"""Estimates and intervals against worked numbers, brute force and coverage."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.analysis.statistics import (
    all_at_k,
    avg_at_k,
    avg_at_k_interval,
    bootstrap_interval,
    mean_interval,
    paired_difference,
    pass_at_k,
    pass_at_k_interval,
    standard_error,
    wilson_interval,
)
from crucible.errors import UserError


@pytest.mark.parametrize(
    ("n", "c", "k", "value"),
    [(10, 3, 1, 0.3), (10, 3, 2, 0.533333), (10, 3, 5, 0.916667), (10, 3, 8, 1.0), (10, 0, 5, 0.0)],
)
def test_pass_at_k_worked_numbers(n, c, k, value):
    assert pass_at_k(n, c, k) == pytest.approx(value, abs=5e-7)


def draws(n, c, k):
    """Every way to draw k of n samples, the first c of which are right."""
    return list(itertools.combinations([i < c for i in range(n)], k))


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_and_all_at_k_equal_counting_every_draw(case):
    n, c, k = case
    subsets = draws(n, c, k)
    assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, subsets)) / len(subsets), abs=1e-12)
    assert all_at_k(n, c, k) == pytest.approx(sum(map(all, subsets)) / len(subsets), abs=1e-12)


def test_pass_at_k_is_the_ratio_of_binomials_also_for_large_n():
    for n, c, k in [(200, 7, 64), (1000, 3, 512), (2048, 1, 1024)]:
        exact = 1 - math.comb(n - c, k) / math.comb(n, k)
        assert pass_at_k(n, c, k) == pytest.approx(exact, rel=1e-12)
    assert all_at_k(10, 3, 2) == pytest.approx(3 / 45)


def test_the_plug_in_estimate_is_not_used():
    assert pass_at_k(10, 3, 5) != pytest.approx(1 - (1 - 0.3) ** 5, abs=0.05)


def test_undefined_estimates_are_refused():
    with pytest.raises(UserError, match=r"pass@11 from 10 samples a problem is undefined: k must be between 1 and 10"):
        pass_at_k(10, 3, 11)
    for bad in [(10, 3, 0), (10, 11, 1), (10, -1, 1)]:
        with pytest.raises(UserError):
            pass_at_k(*bad)
    with pytest.raises(UserError, match=r"all@3"):
        all_at_k(2, 1, 3)
    with pytest.raises(UserError, match=r"at least one value"):
        mean_interval([])
    with pytest.raises(UserError, match=r"NaN"):
        mean_interval([0.5, math.nan])


def test_avg_at_k():
    assert avg_at_k([[1, 0, 1, 1], [0, 0, 0, 1]]) == 0.5
    found = avg_at_k_interval([3, 1], 4)
    assert (found.value, found.n) == (0.5, 2)
    assert pass_at_k_interval([3, 1], 4, 2).value == pytest.approx((1.0 + 0.5) / 2)


def test_standard_errors_worked_numbers():
    s, clusters = [1, 1, 0, 0, 1, 0], [0, 0, 1, 1, 2, 2]
    assert standard_error(s, ddof=0) == pytest.approx(0.204124, abs=5e-7)
    assert standard_error(s) == pytest.approx(0.223607, abs=5e-7)
    assert standard_error(s, clusters, ddof=0) == pytest.approx(0.235702, abs=5e-7)
    assert standard_error(s, clusters) == pytest.approx(0.252763, abs=5e-7)
    thirty = [1] * 18 + [0] * 12
    assert standard_error(thirty, ddof=0) == pytest.approx(0.089443, abs=5e-7)
    wilson = wilson_interval(18, 30)
    assert (wilson.low, wilson.high) == pytest.approx((0.4232, 0.7541), abs=5e-5)


def test_samples_of_one_problem_are_no_independent_evidence():
    """The clustered error of all samples equals the error of the problems' means, for equal group sizes."""
    rng = np.random.default_rng(0)
    successes = rng.binomial(1, rng.beta(0.5, 0.5, size=(40, 1)), size=(40, 8)).astype(float)
    clusters = [p for p in range(40) for _ in range(8)]
    clustered = standard_error(successes.ravel(), clusters, ddof=0)
    assert clustered == pytest.approx(standard_error(successes.mean(1), ddof=0))
    assert clustered > 1.5 * standard_error(successes.ravel(), ddof=0)


def test_negative_covariance_is_cut_off_at_zero():
    assert standard_error([1, 0, 1, 0], ["a", "a", "b", "b"], ddof=0) == 0.0


def test_paired_difference_worked_numbers():
    a, b = [1, 1, 1, 0, 1, 0, 1, 1], [1, 0, 1, 0, 1, 0, 0, 1]
    found = paired_difference(b, a)
    assert found.value == 0.25
    assert standard_error(np.subtract(a, b)) == pytest.approx(0.163663, abs=5e-7)
    assert found.high - found.value == pytest.approx(2.364624 * 0.163663, abs=2e-6)  # t with 7 d.o.f.
    with pytest.raises(UserError, match=r"same problems: 2 before, 3 after"):
        paired_difference([0, 1], [0, 1, 1])


def test_pairing_takes_the_spread_between_problems_out():
    difficulty = np.linspace(0, 0.9, 50)
    found = paired_difference(difficulty, difficulty + 0.1 + 0.01 * np.sin(np.arange(50)))
    assert found.high - found.low < 0.01


def test_no_variation_is_no_certainty():
    """All right, all wrong or unchanged everywhere still leaves what n problems cannot exclude."""
    none = mean_interval([0.0] * 30)
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(wilson_interval(0, 30).high)
    every = mean_interval([1.0] * 30)
    assert (every.low, every.high) == pytest.approx((wilson_interval(30, 30).low, 1.0))
    same = paired_difference([0.5] * 30, [0.5] * 30)
    assert same.low == -same.high < 0 < same.high
    assert mean_interval([0.7]).low < 0.2
    assert bootstrap_interval([1.0] * 30) == every


@pytest.mark.parametrize("method", ["t", "percentile", "BCa"])
def test_intervals_cover_the_truth(method):
    """Over repeated evaluations of 60 problems x 8 samples, 95 % intervals hold the true mean about so often."""
    rng, truth, hits, trials = np.random.default_rng(1), 0.4, 0, 200
    for trial in range(trials):
        chances = rng.beta(2, 3, size=60)
        means = rng.binomial(8, chances) / 8
        if method == "t":
            found = mean_interval(means)
        else:
            found = bootstrap_interval(means, method=method, resamples=300, seed=trial)
        hits += found.low <= truth <= found.high
    assert 0.90 <= hits / trials <= 0.99


def test_the_bootstrap_is_seeded_and_leaves_the_global_generator_alone():
    values = np.random.default_rng(3).random(30)
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    first = bootstrap_interval(values, seed=5, resamples=500)
    assert first == bootstrap_interval(values, seed=5, resamples=500)
    assert first != bootstrap_interval(values, seed=6, resamples=500)
    assert (np.random.get_state()[1] == state).all()
    assert first.low < first.value < first.high


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_intervals_hold_their_value_stay_in_bounds_and_ignore_order(values, random):
    found = mean_interval(values)
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1 + 1e-12
    shuffled = random.sample(values, len(values))
    other = mean_interval(shuffled)
    assert (other.low, other.high) == pytest.approx((found.low, found.high), abs=1e-9)
    wider = mean_interval(values, level=0.99)
    assert wider.low <= found.low + 1e-12
    assert wider.high >= found.high - 1e-12
