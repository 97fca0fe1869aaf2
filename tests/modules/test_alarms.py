"""Alarms on made-up runs: each goes off on what it is for, once, and stays silent on healthy runs."""

from __future__ import annotations

import math
import random

import pytest
from scipy.stats import ttest_ind

from crucible.errors import UserError
from crucible.modules.alarms import Alarms, same_pairs

DIFFERENT = ["a", "b", "c", "d"]
GROUP = [0, 0, 1, 1]


def metrics(reward: float, success: float, length: float = 20.0, **more: float) -> dict[str, float]:
    named = {name.replace("__", "/"): value for name, value in more.items()}
    return {"reward/mean": reward, "true/success": success, "completion/length": length, **named}


def watched(rows: list[dict[str, float]], alarms: Alarms | None = None, texts: list[str] = DIFFERENT) -> list[str]:
    """The names of the alarms that were said, in order."""
    alarms = alarms or Alarms(window=20)
    said = [line for row in rows for line in alarms.watch(row, GROUP, texts)]
    assert all("\n" not in line for line in said)
    return [line.split(":")[0].removeprefix("alarm ") for line in said]


def noisy(level: float, seed: int) -> float:
    return level + random.Random(seed).gauss(0, 0.01)


def test_a_healthy_run_raises_none():
    rows = [metrics(noisy(0.2 + 0.01 * i, i), noisy(0.2 + 0.01 * i, 1000 + i)) for i in range(60)]
    assert watched(rows) == []


def test_a_reward_that_rises_without_the_truth_is_said_once():
    rows = [metrics(noisy(0.2 + 0.01 * i, i), noisy(0.3, 1000 + i)) for i in range(40)]
    alarms = Alarms(window=20)
    assert watched(rows[:19], alarms) == []
    assert watched(rows[19:], alarms) == ["hacking"]
    assert alarms.metrics["alarms/hacking"] == 1.0
    assert watched([metrics(noisy(0.6, i), noisy(0.3, i)) for i in range(40)], alarms) == []
    assert alarms.metrics["alarms/hacking"] == 0.0, "the metric goes back, the line is not said again"


def test_at_the_ceiling_of_the_truth_a_rising_reward_is_no_alarm():
    assert watched([metrics(0.01 * i, 0.95) for i in range(40)]) == []


def test_a_rising_form_is_named():
    rows = [metrics(noisy(0.2, i), noisy(0.3, i), reward__maths__form=noisy(0.02 * i, i)) for i in range(40)]
    assert watched(rows) == ["format_only"]
    assert watched([row | {"reward/exact": row["reward/maths/form"]} for row in rows]) == ["format_only"]


@pytest.mark.parametrize("late", [41.0, 9.0])
def test_lengths_that_drift(late):
    rows = [metrics(0.2, 0.2, length=20.0)] * 10 + [metrics(0.2, 0.2, length=late)] * 20
    assert watched(rows) == ["length"]
    assert watched([metrics(0.2, 0.2, length=20.0)] * 10 + [metrics(0.2, 0.2, length=39.0)] * 20) == []


def test_equal_wrong_answers_are_an_alarm_and_equal_right_ones_none():
    assert watched([metrics(0.2, 0.2)] * 12, texts=["x", "X ", "y", "y"]) == ["duplicates"]
    assert watched([metrics(0.2, 0.95)] * 12, texts=["x", "X ", "y", "y"]) == []
    assert watched([metrics(0.2, 0.2)] * 12, texts=["x", "z", "y", "y"]) == []


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ({"error": 0.06, "timeout": 0.0, "abstain": 0.0}, ["outcomes"]),
        ({"error": 0.03, "timeout": 0.03, "abstain": 0.0}, ["outcomes"]),
        ({"error": 0.0, "timeout": 0.0, "abstain": 0.6}, ["outcomes"]),
        ({"error": 0.02, "timeout": 0.02, "abstain": 0.4}, []),
    ],
)
def test_calls_that_fail(shares, expected):
    row = metrics(0.2, 0.2) | {f"outcomes/a/b/{kind}": share for kind, share in shares.items()}
    assert watched([row] * 12) == expected


def test_the_rise_is_welchs_t():
    values = [random.Random(i).gauss(0.02 * i, 0.1) for i in range(20)]
    alarms = Alarms(window=20)
    watched([metrics(value, 0.5) for value in values], alarms)
    expected = ttest_ind(values[10:], values[:10], equal_var=False).statistic
    assert alarms.rises("reward/mean") == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("values", "expected"), [([1.0] * 10, 0.0), ([1.0] * 5 + [2.0] * 5, math.inf)])
def test_the_rise_of_values_that_do_not_vary(values, expected):
    alarms = Alarms(window=10)
    watched([metrics(value, 0.5) for value in values], alarms)
    assert alarms.rises("reward/mean") == expected


def test_a_component_without_a_value_raises_nothing():
    rows = [metrics(0.2, 0.3, reward__form=math.nan if i % 3 else 0.1 * i) for i in range(40)]
    assert watched(rows) == []


def test_a_resumed_run_says_what_one_that_was_not_killed_says():
    rows = [metrics(noisy(0.2 + 0.01 * i, i), noisy(0.3, 1000 + i), 20.0 + i) for i in range(60)]
    whole = Alarms(window=20)
    expected = watched(rows, whole)
    assert set(expected) == {"hacking", "length"}
    for cut in (5, 21, 30):
        first, second = Alarms(window=20), Alarms(window=20)
        said = watched(rows[:cut], first)
        second.load_state_dict(first.state_dict())
        assert said + watched(rows[cut:], second) == expected
        assert second.state_dict() == whole.state_dict()


@pytest.mark.parametrize(
    ("group", "texts", "expected"),
    [
        ([0, 0, 0, 1, 1], ["a", "a", "b", "c", "c"], (2 + 2) / (6 + 2)),
        ([0, 1, 0, 1], ["a", "a", "b", "b"], 0.0),
        ([0, 0], ["A  b", "a b\n"], 1.0),
    ],
)
def test_share_of_equal_pairs(group, texts, expected):
    assert same_pairs(group, texts) == expected


def test_without_pairs_there_is_no_share():
    assert math.isnan(same_pairs([0, 1], ["a", "a"]))
    alarms = Alarms()
    assert [alarms.watch(metrics(0.2, 0.2), [0, 1], ["a", "a"]) for _ in range(30)] == [[]] * 30
    assert "groups/duplicates" not in alarms.metrics


@pytest.mark.parametrize("options", [{"window": 3}, {"length_factor": 1.0}, {"rise": 0.5}, {"most_failed": 1.5}])
def test_bad_options_are_refused(options):
    with pytest.raises(UserError, match="alarms"):
        Alarms(**options)
