"""Two groups of runs: options, curves, outcome."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from crucible.analysis.compare import compare
from crucible.analysis.compare_text import as_markdown
from crucible.analysis.find import find_runs
from crucible.errors import UserError

from .small_runs import write_run

RNG = np.random.default_rng(0)
RIGHT = {name: RNG.binomial(4, p, size=(3, 20)) for name, p in {"a": 0.3, "b": 0.6}.items()}


@pytest.fixture
def groups(tmp_path):
    for name, options in (("a", {}), ("b", {"algo.loss.eps_high": 0.28})):
        for i, right in enumerate(RIGHT[name]):
            curve = [0.5 / (step + i) + (name == "b") for step in range(1, 41)]
            write_run(tmp_path / name / f"s{i}", seed=i, options=options, right={"after": right.tolist()},
                      curves={"policy/entropy": curve, "reward/mean": curve})  # fmt: skip
    return [find_runs([tmp_path / name]) for name in "ab"]


def test_what_differs(groups):
    found = compare(*groups)
    assert found.config == {"algo.loss.eps_high": ((0.2,), (0.28,))}
    assert found.varying == {"seed": (0, 1, 2)}
    line = next(x for x in found.curves if x.name == "policy/entropy")
    a = [np.mean([0.5 / (step + i) for step in range(37, 41)]) for i in range(3)]
    assert line.a.value == pytest.approx(np.mean(a))
    assert line.over_seeds.interval.value == pytest.approx(1.0)
    assert found.window == (36, 40)
    outcome = next(x for x in found.outcome if x.name == "chain avg@4")
    means = [RIGHT[name].mean(axis=1) / 4 for name in "ab"]
    assert outcome.over_seeds.p == pytest.approx(stats.ttest_rel(*means).pvalue)
    problems = [RIGHT[name].mean(axis=0) / 4 for name in "ab"]
    assert outcome.over_problems.p == pytest.approx(stats.ttest_rel(*problems).pvalue)
    assert [x.name for x in found.outcome] == ["chain avg@4", "chain pass@2", "chain pass@4"]
    assert outcome.p >= outcome.over_seeds.p
    text = as_markdown(found)
    assert "| algo.loss.eps_high | 0.2 | 0.28 |" in text
    assert "paired t-test over 3 seeds" in text


def test_one_run_each_says_nothing_about_seeds(groups):
    found = compare(groups[0][:1], groups[1][:1])
    line = found.curves[0]
    assert line.over_seeds is None
    assert math.isnan(line.p)
    outcome = found.outcome[0]
    assert outcome.over_seeds is None
    assert outcome.over_problems.method == "paired t-test over 20 problems"
    assert "over problems: these runs, not other seeds" in as_markdown(found)
    wide = compare(groups[0][:1], groups[1][:1], window=0.5, metrics=["policy/entropy"]).curves[0]
    assert wide.a.low < wide.a.value < wide.a.high
    assert wide.a.method == "batch means over 20 steps"


def test_single_answers_are_compared_by_mcnemar(tmp_path):
    a, b = [1, 1] + [0] * 9 + [1] * 5, [0, 0] + [1] * 9 + [1] * 5
    for name, right in (("a", a), ("b", b)):
        write_run(tmp_path / name / "s", right={"after": right}, samples=1)
    found = compare(find_runs(tmp_path / "a"), find_runs(tmp_path / "b")).outcome
    assert [x.name for x in found] == ["chain avg@1"]
    assert found[0].over_problems.p == pytest.approx(0.065430, abs=5e-7)


def test_unfinished_runs_are_compared_at_equal_training(tmp_path):
    write_run(tmp_path / "a" / "s", right={"before": [1, 2], "during": [2, 2], "after": [4, 4]},
              curves={"reward/mean": list(range(1, 21))})  # fmt: skip
    write_run(tmp_path / "b" / "s", right={"before": [1, 2], "during": [3, 3]}, state="failed",
              curves={"reward/mean": list(range(1, 11))})  # fmt: skip
    found = compare(find_runs(tmp_path / "a"), find_runs(tmp_path / "b"))
    assert found.window == (9, 10)
    assert found.curves[0].a.value == found.curves[0].b.value == 10
    assert found.outcome_step == 5
    assert found.outcome[0].over_problems.interval.value == pytest.approx(0.25)
    assert "(failed)" in as_markdown(found)


def test_other_problems_are_not_compared(tmp_path):
    write_run(tmp_path / "a" / "s", right={"after": [1, 2]})
    write_run(tmp_path / "b" / "s", right={"after": [1, 2]}, options={"data.terms": 5})
    found = compare(find_runs(tmp_path / "a"), find_runs(tmp_path / "b"))
    assert found.outcome == ()
    reason = "the runs were evaluated on other problems or in another way (data.terms: 3, 5)"
    assert f"Not compared: {reason}." in as_markdown(found)


def test_runs_without_metrics(groups, tmp_path):
    for name in ("x", "y"):
        (tmp_path / "none" / name).mkdir(parents=True)
        (tmp_path / "none" / name / "config.yaml").write_text("seed: 1\n")
    bare = find_runs(tmp_path / "none")
    with pytest.raises(UserError, match="none of the 2 runs has metrics yet: none/x") as caught:
        compare(bare[:1], bare[1:])
    assert "\n" not in str(caught.value)
    found = compare(groups[0], bare)
    assert found.bare == ("none/x", "none/y")
    assert not found.curves
    assert not found.outcome
    text = as_markdown(found)
    assert text.count("Not compared: of the 5 runs, none/x, none/y have no metrics.") == 2
    assert compare(*groups).bare == ()


def test_mistakes(groups):
    with pytest.raises(UserError, match=r"is on both sides"):
        compare(groups[0], groups[0])
    with pytest.raises(UserError, match=r'no run has the metric policy/entrop \(did you mean "policy/entropy"\?\)'):
        compare(*groups, metrics=["policy/entrop"])
    with pytest.raises(UserError, match=r"window=0: a share"):
        compare(*groups, window=0)
    for level in (0, 1, math.nan):
        with pytest.raises(UserError, match=r"level=.*between 0 and 1"):
            compare(*groups, level=level)
