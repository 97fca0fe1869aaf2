"""Numbers that go wrong: left out, counted, reported, and the end of the run where that does not help."""

from __future__ import annotations

import math

import pytest

from crucible.errors import UserError
from crucible.modules.trouble import Trouble

FINE = {"policy/loss": 0.1, "policy/grad_norm": 2.0, "policy/ratio_max": 1.5, "policy/entropy": 0.5}
LEARNS = {**FINE, "groups/without_signal": 0.5, "rows/trained": 0.5}


@pytest.fixture
def heard():
    return []


def trouble(heard=None, **options):
    return Trouble(report=(heard if heard is not None else []).append, **options)


def test_a_healthy_update_and_step_leave_no_trace(heard):
    watched = trouble(heard)
    before = watched.state_dict()
    assert watched.of_update(1, 1, FINE) == {}
    assert watched.of_update(1, 2, {**FINE, "critic/grad_norm": 1.0}) == {}
    assert watched.of_step(1, LEARNS) == {}
    assert watched.state_dict() == before
    assert heard == []


@pytest.mark.parametrize("name", ["policy/loss", "policy/grad_norm", "critic/grad_norm"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_left_out_and_named(heard, name, value):
    found = trouble(heard).of_update(3, 9, {**FINE, name: value})
    assert found == {"trouble/skipped": 1.0, "trouble/skipped_recently": 1.0}
    assert len(heard) == 1
    assert "step 3: update 9 is left out" in heard[0]
    assert str(value) in heard[0]


@pytest.mark.parametrize(("ratio", "limit", "skipped"), [(9.9, 10.0, False), (10.1, 10.0, True), (1e30, None, False),
                                                          (math.nan, 10.0, True), (2e6, 1e6, True)])  # fmt: skip
def test_a_policy_that_ran_away_is_not_trained_further(ratio, limit, skipped):
    found = trouble(max_ratio=limit).of_update(1, 1, {**FINE, "policy/ratio_max": ratio})
    assert ("trouble/skipped" in found) is skipped


def test_more_than_the_limit_of_the_last_hundred_updates_ends_the_run(heard):
    watched = trouble(heard, max_skipped_updates=2)
    bad = {**FINE, "policy/loss": math.nan}
    assert watched.of_update(1, 1, bad)["trouble/skipped_recently"] == 1.0
    assert watched.of_update(25, 100, bad)["trouble/skipped_recently"] == 2.0
    assert watched.of_update(26, 101, bad)["trouble/skipped_recently"] == 2.0  # the first is long ago
    with pytest.raises(UserError, match=r"step 26: no longer a number: loss nan; more than .*max_skipped_updates=2"):
        watched.of_update(26, 102, bad)
    with pytest.raises(UserError, match=r"max_skipped_updates=0"):
        trouble(max_skipped_updates=0).of_update(1, 1, bad)


def test_a_collapse_is_told_once_and_logged_while_it_lasts(heard):
    watched = trouble(heard, min_entropy=0.01)
    entropies = [0.02, 0.005, 0.004, 0.03, 0.001]
    found = [watched.of_step(i, {**LEARNS, "policy/entropy": h}) for i, h in enumerate(entropies, 1)]
    assert [f.get("trouble/collapsed", 0.0) for f in found] == [0.0, 1.0, 1.0, 0.0, 1.0]
    assert [line.split(":")[0] for line in heard] == ["step 2", "step 5"]
    assert trouble(min_entropy=None).of_step(1, {**LEARNS, "policy/entropy": 0.0}) == {}
    without_rows = {name: value for name, value in LEARNS.items() if name != "policy/entropy"}
    assert watched.of_step(6, without_rows) == {}
    assert watched.collapsed, "a step that says nothing of the entropy ends no collapse"


@pytest.mark.parametrize("nothing", [{"groups/without_signal": 1.0}, {"rows/trained": 0.0}])
def test_steps_without_signal_are_counted_in_a_row(heard, nothing):
    watched = trouble(heard, steps_without_signal=2)
    steps = [{**LEARNS, **nothing}, LEARNS, {**LEARNS, **nothing}, {**LEARNS, **nothing}, {**LEARNS, **nothing}, LEARNS]
    found = [watched.of_step(i, row).get("trouble/steps_without_signal", 0.0) for i, row in enumerate(steps, 1)]
    assert found == [0.0, 0.0, 0.0, 2.0, 3.0, 0.0]
    assert heard == ["step 4: no group of the last 2 steps had anything to learn from"]


@pytest.mark.parametrize("row", [{"policy/entropy": 1e-9}, {"groups/without_signal": 1.0}])
def test_stop_ends_the_run_with_the_reason(row):
    watched = trouble(steps_without_signal=1, stop=True)
    with pytest.raises(UserError, match=r"step 4: .*trouble\.stop=true"):
        watched.of_step(4, {**LEARNS, **row})


def test_a_resumed_run_remembers():
    one, bad = trouble(steps_without_signal=3), {**FINE, "policy/loss": math.nan}
    for update in (1, 2, 3):
        one.of_update(1, update, bad)
    one.of_step(1, {**LEARNS, "groups/without_signal": 1.0, "policy/entropy": 0.0})
    other = trouble(steps_without_signal=3)
    other.load_state_dict(one.state_dict())
    assert other.state_dict() == one.state_dict() == {"skipped": [1, 2, 3], "collapsed": True, "quiet_steps": 1}
    with pytest.raises(UserError):
        other.of_update(2, 4, bad)


@pytest.mark.parametrize(
    "option",
    [{"max_skipped_updates": -1}, {"max_ratio": 1.0}, {"max_ratio": math.nan}, {"min_entropy": 0.0},
     {"steps_without_signal": 0}],
)  # fmt: skip
def test_options_out_of_range(option):
    with pytest.raises(UserError, match=f"trouble.{next(iter(option))}="):
        trouble(**option)
