"""The mixed distance against a plain sum of oracles; scales, ranks; what is no chain."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from crucible.cotp.distance import Chains, CoreSet, Metric, evenly_spaced
from crucible.cotp.dtw import Warp
from crucible.cotp.importance import Importance
from crucible.cotp.labels import LabelDistance
from crucible.cotp.ragged import Ragged
from crucible.errors import UserError

from .test_dtw import oracle
from .worlds import chains, core_set

CORE, POOL = chains(1, 3), chains(2, 12, prefix="p")


def parts(warp: Warp, importance: str = "tf_idf", labels: LabelDistance | None = None):
    """d_pattern and d_entropy (3, 12) by the oracle."""
    weights = Importance(by=importance).of(CORE.ids, CORE.patterns)
    delta = labels or LabelDistance()
    found = np.zeros((2, len(CORE), len(POOL)))
    for i in range(len(CORE)):
        for j in range(len(POOL)):
            cost = [[weights[CORE.ids[i]][p] * delta(p, r) for r in POOL.patterns[j]] for p in CORE.patterns[i]]
            found[0, i, j] = oracle(np.array(cost), warp)
            found[1, i, j] = oracle(np.abs(np.subtract.outer(CORE.entropies[i], POOL.entropies[j])), warp)
    return found


@pytest.mark.parametrize("normalise", ["path", "length", "none"])
def test_the_distance_is_the_mixture_of_its_parts(normalise):
    warp = Warp(normalise=normalise)
    patterns, entropies = parts(warp)
    none = core_set(CORE, POOL, lambda_=0.3, warp=warp, scale="none").matrix(POOL)
    np.testing.assert_allclose(none, 0.3 * patterns + 0.7 * entropies, atol=1e-8)
    mean = core_set(CORE, POOL, lambda_=0.3, warp=warp).matrix(POOL)
    np.testing.assert_allclose(mean, 0.3 * patterns / patterns.mean() + 0.7 * entropies / entropies.mean(), rtol=1e-6)
    ranks = core_set(CORE, POOL, lambda_=0.3, warp=warp, scale="rank").matrix(POOL)
    expected = sum(
        s * rankdata(np.round(x, 9), axis=None).reshape(x.shape) / x.size
        for s, x in ((0.3, patterns), (0.7, entropies))
    )
    np.testing.assert_allclose(ranks, expected, atol=0.03)  # the oracle's rounding makes or breaks a few ties


def test_without_entropies_or_patterns_neither_is_asked_for():
    bare = Chains(POOL.ids, POOL.patterns)
    patterns, entropies = parts(Warp())
    only = core_set(Chains(CORE.ids, CORE.patterns), bare, lambda_=1.0, scale="none").matrix(bare)
    np.testing.assert_allclose(only, patterns, atol=1e-8)
    unlabelled = Chains(POOL.ids, [[] for _ in POOL.ids], POOL.entropies)
    numbers = core_set(CORE, unlabelled, lambda_=0.0, scale="none").matrix(unlabelled)
    np.testing.assert_allclose(numbers, entropies, atol=1e-8)


def test_the_ablations_are_other_distances():
    warp = Warp()
    flat = core_set(CORE, POOL, lambda_=1.0, scale="none", importance=Importance(by="none")).matrix(POOL)
    np.testing.assert_allclose(flat, parts(warp, "none")[0], atol=1e-8)
    two = LabelDistance(orders=(2,))
    bigrams = core_set(CORE, POOL, lambda_=1.0, scale="none", labels=two).matrix(POOL)
    np.testing.assert_allclose(bigrams, parts(warp, labels=two)[0], atol=1e-8)


def test_evenly_spaced_places():
    assert evenly_spaced(5).tolist() == [0, 1, 2, 3, 4]
    assert evenly_spaced(1001, 3).tolist() == [0, 500, 1000]


def with_entropies(entropies) -> Chains:
    return Chains([f"p{i}" for i in range(len(entropies))], [["add step"]] * len(entropies), Ragged.of(entropies))


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        (
            Chains(["p0"], [[]], Ragged.of([[1.0]])),
            "pool chain p0 is empty: it has no patterns; annotate it, or leave it out",
        ),
        (with_entropies([[1.0], []]), "pool chain p1 is empty: it has no entropies"),
        (with_entropies([[1.0], [0.5, float("nan"), 1.0]]), "pool chain p1: entropy 2 of 3 is nan, not a number"),
        (with_entropies([[float("inf")]]), "pool chain p0: entropy 1 of 1 is inf, not a number"),
        (Chains(["p0"], [["add step"]]), r"lambda_=0.8 needs entropies of the pool chains; there are none \(lambda_=1"),
        (Chains(["p0", "p1"], [["a"], ["b"]], Ragged.of([[1.0]])), "1 entropy chains for 2 pool chains"),
    ],
)
def test_what_is_no_chain_is_named_in_one_line(pool, message):
    core = chains(1, 2)
    ready = CoreSet(core, core.ids, Importance().of(core.ids, core.patterns), Metric(scale="none"))
    with pytest.raises(UserError, match=message):
        ready.matrix(pool)


def test_an_empty_core_chain_and_bad_options():
    with pytest.raises(UserError, match="core chain c0 is empty"):
        CoreSet(Chains(["c0"], [[]]), ["q"], {}, Metric(lambda_=1.0))
    with pytest.raises(UserError, match=r"lambda_=1.5: must be from 0 to 1"):
        Metric(lambda_=1.5)
    with pytest.raises(UserError, match="scale=max: mean, rank or none"):
        Metric(scale="max")
