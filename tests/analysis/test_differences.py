"""Tests of differences against scipy, brute force and worked numbers; corrections; votes; power."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from crucible.analysis.statistics import (
    compare_seeds,
    detectable_difference,
    detectable_difference_of_means,
    holm,
    mcnemar,
    paired_test,
    problems_needed,
    unpaired_test,
    variance_parts,
)
from crucible.errors import UserError


def test_mcnemar_worked_number():
    a = [1, 1] + [0] * 9 + [1] * 5 + [0] * 4
    b = [0, 0] + [1] * 9 + [1] * 5 + [0] * 4
    found = mcnemar(a, b)
    assert found.p == pytest.approx(0.065430, abs=5e-7)
    assert found.method == "exact McNemar, 9 gained and 2 lost"
    assert found.interval.value == pytest.approx(7 / 20)
    assert mcnemar([1, 0], [1, 0]).p == 1.0
    with pytest.raises(UserError, match=r"right or wrong answer \(1 or 0\)"):
        mcnemar([0.5, 1], [1, 0])


def test_paired_worked_number():
    a, b = [1, 0, 1, 0, 1, 0, 0, 1], [1, 1, 1, 0, 1, 0, 1, 1]
    found = paired_test(a, b, unit="problems")
    assert found.interval.value == 0.25
    assert found.interval.high - 0.25 == pytest.approx(2.364624 * 0.163663, abs=2e-6)
    assert found.p == pytest.approx(stats.ttest_rel(b, a).pvalue)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-8, 8), min_size=2, max_size=8))
def test_the_permutation_test_counts_every_sign(differences):
    d = np.array(differences) / 8
    found = paired_test(np.zeros(len(d)), d, unit="seeds", method="permutation")
    sums = [abs(float(np.dot(signs, d))) for signs in itertools.product((1, -1), repeat=len(d))]
    expected = np.mean([s >= abs(d.sum()) - 1e-9 for s in sums])
    assert found.p == pytest.approx(expected, abs=1e-9)


def test_differences_that_are_all_alike_are_no_proof():
    """A t-test of three equal differences would divide by zero and be certain; eight sign patterns are not."""
    assert paired_test([0.1, 0.2, 0.3], [0.2, 0.3, 0.4], unit="seeds").p == pytest.approx(0.25)
    assert paired_test([0.5, 0.5], [0.5, 0.5], unit="seeds").p == 1.0
    alone = paired_test([0.5], [0.6], unit="seeds")
    assert math.isnan(alone.p)
    assert math.isnan(alone.interval.low)
    with pytest.raises(UserError, match=r"the same seeds on both sides: 1 and 2"):
        paired_test([0.5], [0.6, 0.7], unit="seeds")


def test_welch():
    a, b = [0.41, 0.48, 0.52], [0.5, 0.61, 0.58, 0.6]
    found, expected = unpaired_test(a, b, unit="seeds"), stats.ttest_ind(b, a, equal_var=False)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.interval.value == pytest.approx(np.mean(b) - np.mean(a))
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert math.isnan(unpaired_test([0.1], b, unit="seeds").p)
    assert math.isnan(unpaired_test([0.1, 0.1], [0.2, 0.2], unit="seeds").p)


def test_equal_seeds_are_pairs_others_are_not():
    a, b = [(1, 0.1), (2, 0.5), (3, 0.9)], [(3, 0.95), (1, 0.12), (2, 0.54)]
    found = compare_seeds(a, b)
    assert found.method == "paired t-test over 3 seeds"
    assert found.p == pytest.approx(stats.ttest_rel([0.12, 0.54, 0.95], [0.1, 0.5, 0.9]).pvalue)
    assert compare_seeds(a, b[:2]).method == "Welch t-test over 3 and 2 seeds"
    assert compare_seeds(a, [(1, 0.1), (1, 0.2), (2, 0.3), (3, 0.1)]).method.startswith("Welch")


def test_tests_hold_their_level_when_nothing_differs():
    rng, found = np.random.default_rng(0), []
    for _ in range(500):
        level = rng.normal(0.5, 0.1, size=5)
        a, b = (list(enumerate(level + rng.normal(0, 0.02, size=5))) for _ in range(2))
        found.append(compare_seeds(a, b).p < 0.05)
    assert 0.03 <= np.mean(found) <= 0.075


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_holm_is_the_step_down_procedure(p):
    """Reject the smallest while p <= alpha / (number left): the corrected value is where a hypothesis first falls."""
    corrected = holm(p)
    for alpha in (0.01, 0.05, 0.3):
        rejected, left = set(), sorted(range(len(p)), key=lambda i: p[i])
        for count, i in zip(range(len(p), 0, -1), left, strict=True):
            if p[i] * count > alpha:
                break
            rejected.add(i)
        assert {i for i in range(len(p)) if corrected[i] <= alpha} == rejected


def test_holm_leaves_what_was_not_tested_out_of_the_count():
    assert holm([0.01, math.nan, 0.04]).tolist() == pytest.approx([0.02, math.nan, 0.04], nan_ok=True)
    assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


def test_power_worked_numbers():
    assert problems_needed(0.03, between=1 / 9) == 969
    assert detectable_difference(198, between=1 / 9, within_a=1 / 6, within_b=1 / 6) == pytest.approx(0.1327, abs=5e-5)
    ten = detectable_difference(198, between=1 / 9, within_a=1 / 6, within_b=1 / 6, samples_a=10, samples_b=10)
    assert ten == pytest.approx(0.0757, abs=5e-5)
    assert problems_needed(detectable_difference(198, between=1 / 9) - 1e-9, between=1 / 9) == 199


def test_power_of_few_seeds_by_simulation():
    shift = detectable_difference_of_means(0.02, 5)
    rng = np.random.default_rng(0)
    found = [stats.ttest_1samp(rng.normal(shift, 0.02, size=5), 0).pvalue < 0.05 for _ in range(3000)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.025)
    with pytest.raises(UserError, match=r"at least 2 pairs"):
        detectable_difference_of_means(0.02, 1)


def test_variance_within_and_between_problems():
    """(Var_q[x] + E[sigma^2] / K) / P, from 0/1 samples by their definition."""
    rng = np.random.default_rng(0)
    outcomes = rng.binomial(1, rng.beta(2, 2, size=(4000, 1)), size=(4000, 8))
    found = variance_parts(outcomes.sum(1), 8)
    assert found.within == pytest.approx(outcomes.var(axis=1, ddof=1).mean())
    assert found.between == pytest.approx(0.05, abs=0.005)  # of Beta(2, 2)
    assert found.within == pytest.approx(0.2, abs=0.01)  # E[p (1 - p)] of Beta(2, 2)
    assert found.error**2 == pytest.approx((found.between + found.within / 8) / 4000)
    with pytest.raises(UserError, match=r"2 problems with 2 samples, not 3 with 1"):
        variance_parts([0, 1, 1], 1)
