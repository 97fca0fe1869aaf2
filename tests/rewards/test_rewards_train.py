"""Every reward made of rewards, and those that vote or ask the policy, in a small run: it trains, and all is logged."""

from __future__ import annotations

import pytest
import yaml

from crucible.config.compose import compose
from crucible.rundir import read_metrics, read_status
from tests.conftest import ROOT, same_weights
from tests.rewards.cases import ENDS
from tests.rewards.judge.server import exact_judge, serving

CHOICES = {  # what is logged, beside reward/mean
    "product": {"right", "form"},
    "gated": {"right", "form"},
    "route": {"answers", "shapes"},
    "rubric": {"right", "form"},
    "pareto": {"right", "length", "undominated"},
    "flipped": {"raw"},
    "trust": {"outcome", "thinking", "trust"},
    "maths": {"answer", "answer/right", "answer/form", "form", "weight/form", "overlong"},
    "majority_vote": {"majority_vote", "majority_ratio"},
    "rlpr": {"rlpr", "probability", "baseline"},
    "verifree": {"verifree"},
    "information_gain": {"information_gain", "with_thought", "without_thought"},
}


def chosen(reward: str) -> list[str]:
    """The small world has a reward of its own, which this takes the place of."""
    target = yaml.safe_load((ROOT / "conf" / "reward" / f"{reward}.yaml").read_text())["_target_"]
    return [f"reward={reward}", f"reward._target_={target}"]


@pytest.mark.slow
@pytest.mark.parametrize("reward", CHOICES)
def test_it_trains_and_logs_its_nodes(small_run, reward):
    path = small_run("algo=grpo", *chosen(reward))
    assert read_status(path)["state"] == "finished"
    rows = list(read_metrics(path))
    steps = [row for row in rows if row["kind"] == "update" and "reward/mean" in row]
    assert len(steps) == 2
    assert all(f"reward/{name}" in row for name in CHOICES[reward] for row in steps)
    assert any(key.startswith("eval/chain/reward") for row in rows for key in row)


@pytest.mark.slow
def test_majority_voting_logs_what_is_true_under_names_of_its_own(small_run):
    steps = [row for row in read_metrics(small_run("algo=grpo", *chosen("majority_vote"))) if "reward/mean" in row]
    assert all({"true/label_accuracy", "true/reward_accuracy"} <= set(row) for row in steps)
    assert not any(key.startswith("reward/true") for row in steps for key in row)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        [*chosen("flipped")],
        [*chosen("rlpr"), "algo/filter=rlpr_std", "algo.filter.average_from=1", "algo.filter.filter_from=3"],
        [*chosen("information_gain"), "reward.decay=0.5"],
        [*chosen("gated"), "reward@reward.parts.right=verifree", "reward.above=-1.0", "algo/advantage=rloo",
         "algo/loss=reinforce", "algo/aggregation=seq_mean_token_sum", "algo/auxiliary=verifree", ENDS],
    ],
    ids=["flipped", "rlpr and its filter", "moving average", "verifree behind a gate"],
)  # fmt: skip
def test_a_killed_run_ends_like_one_that_was_not(small_run, killed_run, options):
    """The tosses and the start policy's probabilities are the same after a resume: nothing of them is stored.
    The threshold of the filter and the moving average are."""
    options = ["algo=grpo", *options, "steps=6", "checkpoint_every=2"]
    assert same_weights(small_run("run_id=whole", *options), killed_run(*options), 6)


@pytest.mark.slow
def test_a_run_with_a_judge(small_run):
    with serving(exact_judge) as server:
        judge = [f"reward.endpoint.url={server.url}", "reward.endpoint.model=judge-1"]
        path = small_run("algo=grpo", *chosen("llm_judge"), *judge, "run_id=judged")
        steps = [row for row in read_metrics(path) if "reward/mean" in row]
        asked = len(server.asked)
        small_run("algo=grpo", *chosen("llm_judge"), *judge, "run_id=again")
    assert asked > 0
    assert len(server.asked) == asked, "the second run has the same answers and pays nothing"
    assert all(0 <= row["reward/judge_known"] <= 1 for row in steps)
    assert steps[0]["reward/judge_tokens"] > 0
    assert steps[0]["outcomes/llm_judge/error"] == 0.0


@pytest.mark.parametrize("schedule", ["linear", "cosine", "exponential"])
def test_a_weight_gets_a_schedule_on_the_command_line(schedule):
    options = [f"+reward/schedule@reward.weights.length={schedule}", "reward.weights.length.start=0.5"]
    weights = compose(["reward=weighted", *options], ROOT).config["reward"]["weights"]
    assert weights["length"]["shape"] == schedule
    assert weights["length"]["start"] == 0.5
    assert weights["exact"] == 1.0


@pytest.mark.slow
def test_the_whole_of_verifree_gives_the_numbers_of_one_process_on_two(small_run):
    options = ["algo=rloo", *chosen("verifree"), "algo/auxiliary=verifree", "algo/filter=keep_all", ENDS]
    alone, two = small_run(*options, "run_id=alone"), small_run(*options, "run_id=two", "trainer.devices=2")
    logged = [[row for row in read_metrics(p) if row["kind"] == "update"] for p in (alone, two)]
    for a, b in zip(*logged, strict=True):
        for name in ("policy/loss", "auxiliary/verifree", "policy/grad_norm"):
            assert a[name] == pytest.approx(b[name], rel=2e-3, abs=2e-5)
    assert all(row["auxiliary/verifree"] > 0 for row in logged[0])
