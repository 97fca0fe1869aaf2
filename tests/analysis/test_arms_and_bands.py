"""Which runs are an arm, what an arm's curve is, and one number a run."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from crucible.analysis.arms import assign, matches, read_arms
from crucible.analysis.auto_arms import auto_arms
from crucible.analysis.bands import band, mean_and_half
from crucible.analysis.curves import Curve
from crucible.analysis.find import find_runs
from crucible.analysis.measured import Measured
from crucible.analysis.scalars import final, scalar
from crucible.errors import UserError

from ..conftest import ROOT
from .study_runs import ARMS, STEPS, rows_of, write_run, write_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("runs") / "study", seeds=2)


@pytest.fixture(scope="module")
def runs(study):
    return [run for run in find_runs([study]) if run.state == "finished"]


def curve(steps, values):
    v = np.array(values, dtype=float)
    return Curve(np.array(steps, dtype=float), v, v, v)


def test_every_run_finds_its_arm(runs):
    arms, others = assign(read_arms(ROOT / "analysis" / "arms" / "ce_gppo.yaml"), runs)
    assert {key for key, arm in arms.items() if arm.runs} == set(ARMS)
    assert all(arms[key].seeds == (1, 2) for key in ARMS)
    assert others == []


def test_the_arms_of_the_paper_have_different_looks():
    arms = read_arms(ROOT / "analysis" / "arms" / "ce_gppo.yaml")
    assert [arm.place for arm in arms.values()] == list(range(len(arms)))
    assert len(arms) <= 49


def test_where():
    config = {"algo.loss": "ce_gppo", "algo.loss.beta1": 1, "flag": True}
    assert matches(config, {"algo.loss": ["gppo", "ce_gppo"], "algo.loss.beta1": 1.0})
    assert not matches(config, {"algo.loss.beta1": 0.5})
    assert not matches(config, {"flag": 1})
    assert not matches(config, {"absent": None})


def test_two_runs_of_one_seed_and_two_arms_of_one_run_are_refused(study, tmp_path):
    arms = read_arms(ROOT / "analysis" / "arms" / "ce_gppo.yaml")
    write_run(tmp_path / "again", "grpo", 1)
    with pytest.raises(UserError, match="two runs of seed 1"):
        assign(arms, find_runs([study / "seed1-grpo", tmp_path / "again"]))
    (tmp_path / "arms.yaml").write_text("a: {where: {seed: 1}}\nb: {where: {algo.loss: ppo_clip}}\n")
    with pytest.raises(UserError, match="fits the arms a and b"):
        assign(read_arms(tmp_path / "arms.yaml"), find_runs([study / "seed1-grpo"]))
    (tmp_path / "arms.yaml").write_text("a: {were: {seed: 1}}\n")
    with pytest.raises(UserError, match="arm a must be"):
        read_arms(tmp_path / "arms.yaml")
    with pytest.raises(UserError, match=r'no arms arm in .*did you mean "arms"'):
        read_arms(tmp_path / "arm.yaml")


def test_arms_from_runs_alone(runs):
    arms = auto_arms(runs)
    assert len(arms) == len(ARMS)
    assert {len(arm.runs) for arm in arms.values()} == {2}
    labels = {arm.runs[0].path.rpartition("seed1-")[2]: arm.label for arm in arms.values()}
    assert len(set(labels.values())) == len(labels)
    assert "beta1=0.5" in labels["ce-gppo-0.5-1"]
    assert "eps_high" not in labels["ce-gppo-0.5-1"]  # tells only the arms of ppo_clip apart
    assert labels["cispo"] == "cispo"
    assert "coefficient" not in labels["grpo"]


def test_a_band_is_the_mean_and_t_interval_where_all_runs_have_the_step():
    found = band([curve([1, 2, 3], [1, 2, 3]), curve([1, 2], [3, 6])])
    assert found.steps.tolist() == [1, 2]
    assert found.mean.tolist() == [2, 4]
    half = stats.t.ppf(0.975, 1) * np.array([np.sqrt(2), np.sqrt(8)]) / np.sqrt(2)
    assert found.high == pytest.approx(found.mean + half)
    assert band([]) is None
    assert band([curve([1], [1]), curve([2], [1])]) is None
    assert np.isnan(band([curve([1, 2], [1, 2])]).low).all()


def test_mean_and_half_is_scipys():
    values = [0.1, 0.4, 0.35, 0.2]
    mean, half = mean_and_half(values)
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert (mean - half, mean + half) == pytest.approx((low, high))


def test_numbers_of_a_run(study):
    run = Measured(next(iter(find_runs([study / "seed1-dapo"]))))
    rows = rows_of("dapo", 1)
    entropies = [row["policy/entropy"] for row in rows if row["kind"] == "update"]
    assert scalar(run, "first(policy/entropy)") == entropies[0]
    assert scalar(run, "final(policy/entropy)") == pytest.approx(np.mean(entropies[-3:]))  # steps 22..24 of 24
    assert scalar(run, "ratio(policy/entropy)") == pytest.approx(np.mean(entropies[-3:]) / entropies[0])
    assert scalar(run, "early(policy/entropy)") == pytest.approx(np.mean(entropies[2:4]) - np.mean(entropies[:2]))
    assert scalar(run, "mean(policy/prob_outside / policy/outside_band)") == pytest.approx(0.2)
    assert scalar(run, "accuracy") == rows[-1]["eval/chain/avg@8"]
    assert scalar(run, "accuracy_before") == rows[0]["eval/chain/avg@8"]
    assert scalar(run, "accuracy_drop") >= 0
    assert scalar(run, "max(policy/nothing)") is None
    with pytest.raises(UserError, match=r'did you mean "accuracy"'):
        scalar(run, "acuracy")


def test_final_is_the_last_tenth():
    assert final(curve(range(1, 101), range(1, 101))) == pytest.approx(95.5)
    assert final(curve([5], [2])) == 2


def test_entropy_at_an_evaluation_is_that_of_the_policy_evaluated(study):
    run = Measured(next(iter(find_runs([study / "seed1-dapo"]))))
    entropy, accuracy = run.exchange()
    steps = run.curve("policy/entropy")
    assert entropy == [steps.mean[0], steps.mean[STEPS // 2], steps.mean[-1]]
    assert len(accuracy) == 3
