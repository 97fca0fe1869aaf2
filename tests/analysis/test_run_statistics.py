"""Statistics over runs and tasks: worked numbers, brute force, and coverage."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from crucible.analysis.statistics import (
    batch_means_interval,
    bootstrap_distribution,
    iqm,
    mean,
    median,
    optimality_gap,
    performance_profile,
    performance_profile_band,
    probability_of_improvement,
    probability_of_improvement_interval,
    stratified_bootstrap,
)
from crucible.errors import UserError

SCORES = st.integers(1, 6).flatmap(
    lambda tasks: st.lists(
        st.lists(st.integers(0, 8).map(lambda i: i / 8), min_size=tasks, max_size=tasks), min_size=1, max_size=6
    )
)


def test_worked_numbers():
    scores = [[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 2.0]]
    assert iqm(scores) == pytest.approx(0.45)
    assert mean(scores) == pytest.approx(0.6)
    assert optimality_gap(scores) == pytest.approx(0.525)
    assert probability_of_improvement([0.5, 0.7, 0.9], [0.4, 0.7]) == pytest.approx(0.75)


@settings(max_examples=60, deadline=None)
@given(SCORES)
def test_aggregates_equal_plain_loops(scores):
    flat = sorted(value for run in scores for value in run)
    cut = len(flat) // 4
    middle = flat[cut : len(flat) - cut]
    by_task = [sum(run[t] for run in scores) / len(scores) for t in range(len(scores[0]))]
    assert iqm(scores) == pytest.approx(sum(middle) / len(middle))
    assert mean(scores) == pytest.approx(sum(by_task) / len(by_task))
    ordered, half = sorted(by_task), len(by_task) // 2
    middle_task = ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
    assert median(scores) == pytest.approx(middle_task)
    short = [max(0.0, 0.7 - value) for value in flat]
    assert optimality_gap(scores, target=0.7) == pytest.approx(sum(short) / len(short))


@settings(max_examples=60, deadline=None)
@given(SCORES, st.randoms(use_true_random=False))
def test_profiles_and_improvement_equal_plain_loops(scores, random):
    taus = [0.0, 0.3, 0.5, 1.0]
    flat = [value for run in scores for value in run]
    expected = [sum(value > tau for value in flat) / len(flat) for tau in taus]
    assert performance_profile(scores, taus).tolist() == pytest.approx(expected)
    tasks = len(scores[0])
    means = [sum(run[t] for run in scores) / len(scores) for t in range(tasks)]
    of_means = performance_profile(scores, taus, of="task means")
    assert of_means.tolist() == pytest.approx([sum(m > tau for m in np.mean(scores, axis=0)) / tasks for tau in taus])
    assert np.mean(scores, axis=0).tolist() == pytest.approx(means)
    other = [[random.random() for _ in range(tasks)] for _ in range(3)] + [scores[0]]
    wins = [
        sum((a[t] > b[t]) + 0.5 * (a[t] == b[t]) for a in scores for b in other) / len(scores) / len(other)
        for t in range(tasks)
    ]
    assert probability_of_improvement(scores, other) == pytest.approx(sum(wins) / tasks)
    u = [stats.mannwhitneyu([a[t] for a in scores], [b[t] for b in other]).statistic for t in range(tasks)]
    assert probability_of_improvement(scores, other) == pytest.approx(np.mean(u) / len(scores) / len(other))


@pytest.mark.parametrize("units", ["runs within tasks", "whole runs"])
def test_the_bootstrap_draws_from_the_right_population(units):
    """Against all resamples there are, each counted once: 3 runs x 2 tasks."""
    scores = np.array([[0.1, 0.9], [0.4, 0.2], [0.8, 0.3]])
    if units == "whole runs":
        every = [iqm(scores[list(rows)]) for rows in itertools.product(range(3), repeat=3)]
    else:
        every = [
            iqm(np.column_stack([scores[list(left), 0], scores[list(right), 1]]))
            for left in itertools.product(range(3), repeat=3)
            for right in itertools.product(range(3), repeat=3)
        ]
    draws = bootstrap_distribution(scores, iqm, resamples=20_000, seed=1, units=units)
    assert set(np.round(draws, 9)) <= set(np.round(every, 9))
    assert draws.mean() == pytest.approx(np.mean(every), abs=0.004)
    assert draws.std() == pytest.approx(np.std(every), rel=0.03)
    for q in (0.1, 0.5, 0.9):
        assert np.mean(draws <= np.quantile(every, q) + 1e-9) == pytest.approx(
            np.mean(np.array(every) <= np.quantile(every, q) + 1e-9), abs=0.02
        )


def test_runs_that_go_up_and_down_together_are_resampled_together():
    together = np.linspace(0, 1, 8)[:, None] + np.zeros((8, 5))
    apart = bootstrap_distribution(together, mean, resamples=4000, units="runs within tasks").std()
    whole = bootstrap_distribution(together, mean, resamples=4000, units="whole runs").std()
    assert whole / apart == pytest.approx(math.sqrt(5), rel=0.1)


def test_the_random_state_is_honoured():
    scores = np.random.default_rng(0).random((5, 3))
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    first = stratified_bootstrap(scores, iqm, resamples=500, seed=7)
    assert first == stratified_bootstrap(scores, iqm, resamples=500, seed=7)
    assert first != stratified_bootstrap(scores, iqm, resamples=500, seed=8)
    band = performance_profile_band(scores, [0.2, 0.5], seed=3, resamples=300)
    assert (band.low == performance_profile_band(scores, [0.2, 0.5], seed=3, resamples=300).low).all()
    assert probability_of_improvement_interval(scores, scores, seed=1, resamples=200) == (
        probability_of_improvement_interval(scores, scores, seed=1, resamples=200)
    )
    assert (np.random.get_state()[1] == state).all()


def test_of_one_task_the_t_method_is_the_t_interval_over_runs():
    runs = [0.41, 0.48, 0.52, 0.47, 0.44]
    found = stratified_bootstrap(runs, mean, method="t", resamples=200_000)
    half = stats.t.ppf(0.975, 4) * stats.sem(runs)
    assert (found.low, found.high) == pytest.approx((np.mean(runs) - half, np.mean(runs) + half), abs=0.0005)
    assert found.n == 5


def test_with_few_runs_percentiles_hold_the_truth_too_seldom_and_the_t_method_does_not():
    rng, hits = np.random.default_rng(0), {"t": 0, "percentile": 0}
    for trial in range(400):
        runs = rng.normal(0.5, 0.05, size=4)
        for method in hits:
            found = stratified_bootstrap(runs, mean, method=method, resamples=400, seed=trial)
            hits[method] += found.low <= 0.5 <= found.high
    assert 0.92 <= hits["t"] / 400 <= 0.98
    assert hits["percentile"] / 400 < 0.88


def test_intervals_hold_their_value_and_stay_in_bounds():
    scores = [[0.97, 1.0], [1.0, 0.99], [0.9, 1.0]]
    found = stratified_bootstrap(scores, mean, method="t", bounds=(0.0, 1.0), resamples=500)
    assert found.low < found.value < found.high == 1.0
    band = performance_profile_band(scores, np.linspace(0, 1, 11), resamples=200)
    assert (band.low <= band.share).all()
    assert (band.share <= band.high).all()
    chance = probability_of_improvement_interval(scores, [[0.1, 0.2], [0.95, 0.5]], resamples=200)
    assert chance.low <= chance.value <= chance.high


def test_what_cannot_be_resampled_is_refused():
    with pytest.raises(UserError, match=r"at least two of them: with one run nothing varies"):
        stratified_bootstrap([[0.1, 0.2]], mean)
    with pytest.raises(UserError, match=r"finite numbers, runs x tasks; these have the shape \(2, 2\)"):
        stratified_bootstrap([[0.1, math.nan], [0.2, 0.3]], mean)
    with pytest.raises(UserError, match=r"the same tasks: 1 and 2"):
        probability_of_improvement([0.1], [[0.1, 0.2]])
    with pytest.raises(UserError, match=r"at least two of each side"):
        probability_of_improvement_interval([0.1], [0.1, 0.2])


def test_batch_means_know_that_neighbours_are_alike():
    """An autoregressive curve: the naive interval of its mean is far too narrow, that of batch means is not."""
    rng, hits, naive = np.random.default_rng(0), 0, 0
    for _ in range(300):
        noise, x = rng.normal(size=400), np.empty(400)
        x[0] = noise[0]
        for i in range(1, 400):
            x[i] = 0.8 * x[i - 1] + noise[i]
        found = batch_means_interval(x)
        hits += found.low <= 0 <= found.high
        naive += abs(x.mean()) <= 1.96 * stats.sem(x)
    assert hits / 300 > 0.9
    assert naive / 300 < 0.6
    assert math.isnan(batch_means_interval([1.0] * 9).low)
