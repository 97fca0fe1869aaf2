"""Synthetic suites: their number and errors are exact, their strength is in order, all follows from the seed."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import ROOT

from crucible.data.programs import pool, suites, trusted
from crucible.data.programs.pool import Skill
from crucible.data.programs.programs import Programs, embedded_suite, problem_of
from crucible.data.programs.suites import STRATEGIES, error_rates, wrong_tests

TASKS = [problem_of(p) for p in islice(Programs(eval_prompts=1).untested_prompts(random.Random(5)), 40)]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("count", [1, 8, 24])
def test_a_suite_is_as_long_as_asked_for_different_and_true(strategy, count):
    for task in TASKS[:6]:
        found = embedded_suite(task, strategy, count, 0, 0)
        assert found == embedded_suite(task, strategy, count, 0, 0)
        assert len(found) == (count if strategy != "gold" else len(found))
        assert len({str(test) for test in found}) == len(found)
        assert all(test.expected == task.answer(test.given) and not test.wrong for test in found)
        if strategy != "gold" and count > 1:
            assert found != embedded_suite(task, strategy, count, 1, 0)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_wrong_tests_are_wrong_and_as_many_as_asked_for(strategy):
    for task in TASKS[:6]:
        found = embedded_suite(task, strategy, 6, 0, 2)
        assert [test.wrong for test in found] == [test.expected != task.answer(test.given) for test in found]
        assert sum(test.wrong for test in found) == 2
        assert [test.given for test in found] == [test.given for test in embedded_suite(task, strategy, 6, 0, 0)]


def rejected(tasks, near, count: int) -> dict[str, float]:
    """The share of the nearly right programs of each task that a suite of each strategy rejects."""
    caught = Counter()
    for task, programs in zip(tasks, near, strict=True):
        for strategy in STRATEGIES:
            tests = embedded_suite(task, strategy, count, 0, 0)
            for program in programs:
                outputs = trusted.outputs(program, [test.given for test in tests])
                caught[strategy] += not all(trusted.same(o, t.expected) for o, t in zip(outputs, tests, strict=True))
    return {strategy: caught[strategy] / sum(map(len, near)) for strategy in STRATEGIES}


def nearly_right(task, count: int, seed: int):
    return [s.program for s in pool.solutions(task, count, seed, Skill(0.0, 0.0, 1.0)) if s.kind == "near"]


def test_strength_is_in_order():
    share = rejected(TASKS, [nearly_right(task, 10, 3) for task in TASKS], 3)
    assert share["minimal"] < 0.6
    assert share["minimal"] + 0.1 < share["structured"] < share["progressive"] < share["gold"] == 1.0


@pytest.mark.slow
def test_the_table_of_the_documentation():
    tasks = [problem_of(p) for p in islice(Programs().untested_prompts(random.Random(1)), 120)]
    near = [nearly_right(task, 24, 7) for task in tasks]
    page = (ROOT / "docs" / "verification.md").read_text()
    assert f"({sum(map(len, near)):,} near programs of 120 tasks;" in page
    for place, count in enumerate((2, 4, 8, 16)):
        for strategy, share in rejected(tasks, near, count).items():
            line = next(line for line in page.split("\n") if line.startswith(f"| `{strategy}` |"))
            assert line.split("|")[3 + place].strip() == f"{100 * share:.0f}%", (strategy, count)


def test_progressive_tests_reject_at_least_as_many_of_the_pool_as_the_minimal_round():
    harder = 0
    for task in TASKS[:20]:
        programs = [s.program for s in pool.solutions(task, 12, 0, Skill(0.3, 0.0, 1.0))]
        failing = pool.failing(task, programs)
        rng = random.Random(f"progressive 0 {task.statement}")
        first = suites.inputs.distinct(suites.inputs.typical(task.given, rng), 3)
        last = [t.given for t in suites.suite(task, "progressive", 3, failing=failing)]
        counts = [len(frozenset().union(*failing(given))) for given in (first, last)]
        assert counts[0] <= counts[1]
        harder += counts[0] < counts[1]
    assert harder > 5


def test_structured_tests_leave_out_the_minimal_ones_and_look_at_the_candidates_constants():
    task = next(t for t in TASKS if t.given == "x" and not t.constants)
    minimal = {t.given for t in suites.suite(task, "minimal", 4)}
    found = [t.given for t in suites.suite(task, "structured", 12, candidate="def f(x):return x-77")]
    assert not minimal & set(found)
    assert {76, 77, 78} & set(found)


@settings(max_examples=80, deadline=None)
@given(
    count=st.integers(1, 12), problems=st.integers(2, 60), rate=st.floats(0, 1), grows=st.booleans(),
    hard=st.lists(st.integers(1, 4), min_size=60, max_size=60),
)  # fmt: skip
def test_the_error_rate_of_all_suites_together_is_exact(count, problems, rate, grows, hard):
    rates = error_rates(hard[:problems], rate, grows)
    found = wrong_tests([count] * problems, rates)
    assert all(0 <= wrong <= count for wrong in found)
    for k in range(1, problems + 1):  # also over the first k
        assert abs(sum(found[:k]) - count * sum(rates[:k])) <= 0.5 + 1e-6
    if not grows:
        assert abs(sum(found) - round(rate * count * problems)) <= 1
    if grows and max(rates) < 1:
        assert sum(rates) / problems == pytest.approx(rate)


def test_of_a_single_task_the_error_rate_holds_on_average():
    found = [wrong_tests([8], [0.3], seed=seed)[0] for seed in range(2000)]
    assert set(found) == {2, 3}
    assert sum(found) / 2000 == pytest.approx(2.4, abs=0.05)
