"""Reasoning potential: the geometric identity by simulation, attempts by enumeration, infinite cases, the script."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import math
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from crucible.analysis import arguments, style
from crucible.analysis.arms import Arm
from crucible.analysis.figure_points import pass_at_k as pass_at_k_panel
from crucible.analysis.find import find_runs
from crucible.analysis.measured import Measured
from crucible.analysis.potential import as_jsonl, as_text, potentials
from crucible.analysis.scalars import scalar
from crucible.analysis.statistics import (
    attempts_interval,
    attempts_up_to,
    expected_attempts,
    geometric_pass_at_k,
    median_attempts,
    pass_at_k,
)
from crucible.errors import UserError

from ..conftest import ROOT
from .small_runs import write_run

PHI = np.array([0.9, 0.5, 0.2, 0.05])


def simulated(rng: np.random.Generator, times: int) -> np.ndarray:
    """Attempts until the first success, (problems, times): answers are drawn one by one until one is right."""
    attempts = np.zeros((len(PHI), times), int)
    open_ = np.ones((len(PHI), times), bool)
    while open_.any():
        attempts += open_
        open_ &= rng.random((len(PHI), times)) >= PHI[:, None]
    return attempts


def test_the_geometric_identity_holds_in_a_simulation():
    """Claim 1: the mean number of attempts is 1 / Phi, and P(K <= k) is pass@k = 1 - (1 - Phi)^k."""
    attempts = simulated(np.random.default_rng(0), 20_000)
    np.testing.assert_allclose(attempts.mean(1), 1 / PHI, rtol=0.03)
    np.testing.assert_allclose(1 / attempts.mean(1), PHI, rtol=0.03)
    for k in (1, 2, 4, 8):
        np.testing.assert_allclose((attempts <= k).mean(1), geometric_pass_at_k(PHI, k), atol=0.015)
    assert 1 / (1 / PHI).mean() < 0.7 * PHI.mean()  # the mean of Phi is not one over the mean of K


def test_unbiased_pass_at_k_and_attempts_average_to_the_geometric_ones():
    rng, n = np.random.default_rng(1), 10
    counts = rng.binomial(n, PHI[:, None], (len(PHI), 4000))
    for k in (1, 3, 10):
        table = np.array([pass_at_k(n, c, k) for c in range(n + 1)])
        np.testing.assert_allclose(table[counts].mean(1), geometric_pass_at_k(PHI, k), atol=0.02)
    budget = np.array([attempts_up_to(n, c, n) for c in range(n + 1)])
    np.testing.assert_allclose(budget[counts].mean(1), (1 - (1 - PHI) ** n) / PHI, rtol=0.02)  # E[min(K, n)]


def oracle_attempts(n: int, c: int, budget: int) -> float:
    """Mean over all orders of n samples, c of them right, of the place of the first right one, capped."""
    orders = set(permutations([1] * c + [0] * (n - c)))
    return sum(min(order.index(1) + 1 if c else budget, budget) for order in orders) / len(orders)


def test_attempts_up_to_a_budget_are_those_of_all_orders():
    for n in (1, 3, 5):
        for c in range(n + 1):
            for budget in range(1, n + 1):
                assert attempts_up_to(n, c, budget) == pytest.approx(oracle_attempts(n, c, budget)), (n, c, budget)
    assert attempts_up_to(8, 0, 8) == 8.0
    assert attempts_up_to(8, 8, 8) == 1.0
    with pytest.raises(UserError, match="the budget must be between 1 and 5"):
        attempts_up_to(4, 1, 6)


def test_problems_that_are_never_solved_are_infinite_and_stay_out_of_means():
    assert expected_attempts([4, 4, 4], [4, 1, 0]).tolist() == [1.0, 4.0, math.inf]
    assert median_attempts([4] * 3, [4, 1, 0]) == 4.0
    assert median_attempts([4] * 4, [4, 1, 0, 0]) == math.inf
    assert median_attempts([4] * 4, [4, 4, 1, 0]) == 2.5
    interval = attempts_interval([0, 0, 0], 4)
    assert (interval.value, interval.high) == (4.0, 4.0)
    assert 1.0 < interval.low < 4.0
    with pytest.raises(UserError, match="k must be at least 1"):
        geometric_pass_at_k([0.5], 0)


@pytest.fixture
def runs(tmp_path):
    write_run(tmp_path / "runs" / "a", right={"before": [0, 0, 1, 2], "after": [4, 2, 1, 0]})
    write_run(tmp_path / "runs" / "b", seed=2, right={"after": [0, 0, 0, 0]})
    return tmp_path / "runs"


def test_the_potential_of_runs(runs):
    found = {(p.run.rpartition("/")[2], p.phase): p for p in potentials(find_runs(str(runs)))}
    after = found["a", "after"]
    assert after.phi.value == pytest.approx((1 + 0.5 + 0.25 + 0) / 4)
    assert (after.unsolved, after.median) == (0.25, 3.0)
    assert sorted(after.curve) == [1, 2, 4]
    assert after.curve[1].value == after.phi.value == after.geometric[1]
    assert after.curve[4].value == 0.75 == 1 - after.unsolved
    assert after.geometric[4] <= after.curve[4].value  # a plug-in of c/n is biased downwards
    assert found["b", "after"].median == math.inf
    assert {p.phase for p in potentials(find_runs(str(runs)), "before")} == {"before"}
    text = as_text(list(found.values()))
    assert "| infinite |" in text
    assert "25.0%" in text
    rows = [json.loads(line) for line in as_jsonl([found["b", "after"]]).splitlines()]
    assert [row["k"] for row in rows] == [1, 2, 4]
    assert rows[0]["median_attempts"] == "inf"
    with pytest.raises(UserError, match="no evaluation with right answers by problem"):
        potentials(find_runs(str(runs)), data="other")


def test_the_script(runs, tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("potential_script", ROOT / "analysis" / "potential.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert arguments.run(script.potential, [f"runs={runs}", "phase=after", "format=csv"], usage="") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 2 * 3
    assert float(rows[0]["phi"]) == 0.4375
    out = tmp_path / "potential.md"
    assert arguments.run(script.potential, [f"runs={runs}", f"out={out}"], usage="") == 0
    assert out.read_text().startswith("| run | data | phase | Phi = avg@n |")
    assert arguments.run(script.potential, [f"runs={runs}", "phase=late"], usage="") == 2


def test_pass_at_k_and_metrics_of_evaluations_are_values_of_a_run(runs):
    run = Measured(find_runs(str(runs / "a"))[0])
    assert scalar(run, "pass@4") == 0.75
    assert scalar(run, "pass@4_before") == 0.5
    assert scalar(run, "pass@8") is None
    assert scalar(run, "accuracy_gain") == pytest.approx(0.4375 - 3 / 16)
    assert scalar(run, "evaluated(eval/chain/length)") == 21.0
    assert scalar(run, "evaluated_before(eval/chain/length)") == 21.0
    assert scalar(run, "evaluated(data/recall)") is None
    with pytest.raises(UserError, match="is no value of a run"):
        scalar(run, "passed@4")


def test_the_panel_of_start_policies_draws_each_arms_own(tmp_path):
    """Where arms start differently (after SFT on other data), pass@k before training is a curve of each arm."""
    for name, seed, before in (("a", 1, [4, 4, 2, 2]), ("b", 2, [1, 0, 0, 0])):
        write_run(tmp_path / "runs" / name, seed=seed, right={"before": before, "after": [4, 4, 4, 4]})
    runs = {Path(run.path).name: run for run in find_runs(str(tmp_path / "runs"))}
    arms = [Arm(name, name, {}, place, runs=(runs[name],)) for place, name in enumerate("ab")]
    with style.drawing() as pyplot:
        _, axes = pyplot.subplots()
        pass_at_k_panel(axes, arms, lambda arm: [Measured(run) for run in arm.runs], phase="before")
        curves = [line.get_ydata() for line in axes.lines]
        with pytest.raises(UserError, match="phase=during: after or before"):
            pass_at_k_panel(axes, arms, lambda arm: [], phase="during")
    assert [curve[0] for curve in curves] == [0.75, 0.0625]
    assert [curve[-1] for curve in curves] == [1.0, 0.25]
