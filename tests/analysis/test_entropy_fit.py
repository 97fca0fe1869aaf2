"""R = -a exp(H) + b."""

from __future__ import annotations

import numpy as np
import pytest

from crucible.analysis.entropy_fit import fit
from crucible.errors import UserError


def test_worked_numbers():
    found = fit([0, 0.5, 1], [0.6, 0.405384, 0.084515])  # arXiv 2505.22617, methods: a = .3, b = .9, ceiling .6
    assert (found.a, found.b, found.ceiling) == pytest.approx((0.3, 0.9, 0.6), abs=1e-5)
    assert found.r_squared == pytest.approx(1)
    assert np.isnan(found.a_half)


def test_against_linear_least_squares():
    rng = np.random.default_rng(0)
    h = rng.uniform(0, 1, 30)
    r = -0.2 * np.exp(h) + 0.8 + rng.normal(0, 0.02, 30)
    slope, intercept = np.polyfit(np.exp(h), r, 1)
    found = fit(h, r)
    assert (found.a, found.b) == pytest.approx((-slope, intercept), rel=1e-6)
    assert found.a - found.a_half < 0.2 < found.a + found.a_half
    assert found.r_squared == pytest.approx(np.corrcoef(np.exp(h), r)[0, 1] ** 2)
    assert found([0.0]) == pytest.approx([found.ceiling])


def test_rising_performance_is_no_exchange():
    found = fit([0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4])
    assert not found.exchange
    assert "no exchange" in str(found)


def test_too_few_entropies_are_refused():
    with pytest.raises(UserError, match="3 distinct"):
        fit([0.1, 0.1, 0.2, float("nan")], [1, 1, 1, 1])
    with pytest.raises(UserError, match="one reward for each"):
        fit([0.1, 0.2, 0.3], [1, 1])
