"""The mean of independent shares with its interval."""

from __future__ import annotations

import math

import numpy as np
import pytest

from crucible.analysis.statistics import Interval, mean_interval, wilson_interval
from crucible.reward_benchmarks.summary import Row, Summary, as_json, combined, text


def test_one_part_is_itself_and_two_equal_ones_are_narrower_by_the_root_of_two() -> None:
    part = Interval(0.5, 0.4, 0.7, 10, "x")
    one, two = combined([part]), combined([part, part])
    assert (one.value, one.low, one.high) == pytest.approx((0.5, 0.4, 0.7))
    assert (two.low, two.high) == pytest.approx((0.5 - 0.1 / math.sqrt(2), 0.5 + 0.2 / math.sqrt(2)))


def test_it_never_leaves_the_range_and_has_a_width_where_nothing_varied() -> None:
    found = combined([wilson_interval(20, 20), wilson_interval(0, 20)])
    assert 0 < found.low < 0.5 < found.high < 1


def test_it_holds_the_truth_about_as_often_as_it_says() -> None:
    """Unequal groups of shares 0.2, 0.5 and 0.9: 95 % intervals hold 0.5333 in 92 to 98 % of 400 worlds."""
    rng = np.random.default_rng(1)
    truth, held = (0.2 + 0.5 + 0.9) / 3, 0
    for _ in range(400):
        parts = [mean_interval(rng.random(n) < p) for n, p in ((40, 0.2), (80, 0.5), (160, 0.9))]
        found = combined(parts)
        held += found.low <= truth <= found.high
    assert 0.92 < held / 400 < 0.98


def test_table_and_json_hold_the_same() -> None:
    cell = Interval(0.5, 0.25, 0.75, 4, "x")
    summary = Summary(("accuracy",), [Row("math", 4, {"accuracy": cell}, of=8)], ["a note"], more={"missing": []})
    assert text(summary).splitlines()[1:] == ["math   4 of 8   50.0 [25.0, 75.0]", "note: a note"]
    found = as_json(summary)
    assert found["rows"][0]["accuracy"] == {"value": 0.5, "low": 0.25, "high": 0.75, "n": 4, "method": "x"}
    assert (found["rows"][0]["of"], found["missing"]) == (8, [])
