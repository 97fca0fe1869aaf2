"""What is sampled in a step: its temperature, rows at another one, greedy completions; and that it all resumes."""

from __future__ import annotations

import math

import pytest
import torch
from tests.conftest import same_weights

from crucible.modules import online_rl
from crucible.modules.experience import Learner
from crucible.rundir import read_metrics

KEEP = "algo/filter=keep_all"


@pytest.fixture
def learned(monkeypatch):
    """Every call of the learner: (rollouts, scores, more)."""
    calls = []
    learn_from = Learner.learn_from

    def noted(self, rollouts, scores, success, **rest):
        calls.append((rollouts, scores, rest["more"]))
        return learn_from(self, rollouts, scores, success, **rest)

    monkeypatch.setattr(online_rl.Learner, "learn_from", noted)
    return calls


def updates(path):
    return [row for row in read_metrics(path) if row["kind"] == "update"]


def test_log_probs_are_taken_at_the_temperature_of_the_step(small_run, learned):
    path = small_run(
        "algo=grpo", KEEP, "entropy=temperature_control", "entropy.target=9", "entropy.gain=0.02", "entropy.maximum=2",
        "steps=3",
    )  # fmt: skip
    temperatures = [rollouts.temperature for rollouts, *_ in learned]
    assert temperatures[0] == 1.0
    assert temperatures[0] < temperatures[1] < temperatures[2] < 2.0
    rows = updates(path)
    assert [row["entropy/temperature"] for row in rows if "entropy/temperature" in row] == temperatures
    for first in rows[::2]:  # the first update of a step: the policy in training is the one that sampled
        assert first["policy/ratio_mean"] == pytest.approx(1.0, abs=1e-4)


def test_tempered_rows_are_groups_of_their_own_with_log_probs_of_the_untempered_policy(small_run, learned):
    path = small_run("algo=grpo", KEEP, "entropy=arbitrary_entropy", "entropy.target=9", "entropy.share=0.5")
    (first, _, none), (second, scores, more) = learned
    assert len(first) == 16
    assert not none["tempered"].any()
    assert len(second) == len(scores.total) == 24  # 4 prompts x 4, and half of them again
    assert more["tempered"].tolist() == [False] * 16 + [True] * 8
    assert second.group.unique().tolist() == [0, 1, 2, 3, 4, 5]
    assert [second.prompts[i].id for i in (16, 20)] == [second.prompts[i].id for i in (0, 4)]
    assert second.temperature == 1.0
    first_update = updates(path)[2]
    assert first_update["policy/ratio_mean"] == pytest.approx(1.0, abs=1e-4)
    assert first_update["policy/kl_old"] == pytest.approx(0.0, abs=1e-4)


def test_the_greedy_completion_of_every_prompt_is_scored_and_none_trains(small_run, learned):
    small_run("algo=remax", KEEP, "steps=1")
    ((rollouts, _, more),) = learned
    assert len(rollouts) == 16
    assert more["greedy_rewards"].shape == (16,)
    per_prompt = more["greedy_rewards"].view(4, 4)
    assert torch.equal(per_prompt, per_prompt[:, :1].expand(4, 4))
    assert more["greedy_rewards"].isfinite().all()


def test_other_methods_sample_nothing_more(small_run, learned):
    small_run("algo=grpo", KEEP, "steps=1")
    ((rollouts, _, more),) = learned
    assert len(rollouts) == 16
    assert set(more) == {"tempered"}


@pytest.mark.parametrize(
    "options",
    [
        ("algo=grpo", "entropy=temperature_control"),
        ("algo=grpo", "entropy=arbitrary_entropy", "entropy.share=0.5"),
        ("algo=flowrl",),
        ("algo=oreal_token", "algo.critic.learning_rate=0.05"),
        ("algo=grpo", "algo/filter=pf_ppo_resample"),
    ],
    ids=lambda o: o[-1],
)
def test_killed_and_resumed_it_ends_as_one_that_was_not(small_run, killed_run, options):
    options = (*options, "steps=4", "checkpoint_every=2")
    whole = small_run("run_id=whole", *options)
    assert same_weights(whole, killed_run(*options), step=4)


def test_rows_that_are_drawn_twice_train_twice(small_run, monkeypatch):
    seen = []
    backward = online_rl.Objective.backward

    def noted(self, x, rows, *rest, **more):
        seen.append(rows)
        return backward(self, x, rows, *rest, **more)

    monkeypatch.setattr(online_rl.Objective, "backward", noted)
    small_run("algo=grpo", "algo/filter=pf_ppo_resample", "algo.filter.rule=max_random", "steps=1")
    rows = torch.cat(seen)
    assert len(rows) == 16
    assert len(rows.unique()) < 16


def test_log_z_learns_through_the_policy_loss(small_run):
    rows = updates(
        small_run("algo=flowrl", KEEP, "algo.critic.learning_rate=0.01", "optim.warmup_updates=0", "steps=3")
    )
    assert rows[0]["policy/log_partition"] == 0.0
    assert rows[-1]["policy/log_partition"] != 0.0
    assert all(row["critic/grad_norm"] > 0 for row in rows)


def test_a_token_reward_head_learns_alone_at_first(small_run):
    rows = updates(
        small_run(
            "algo=oreal_token", "algo.critic.learning_rate=0.1", "algo.critic.pretrain_steps=1", "steps=3",
            "reward._target_=tests.small_world.HasDigits", "batch.samples_per_prompt=8", "optim.warmup_updates=0",
        )
    )  # fmt: skip
    learned = [row for row in rows if "critic/loss" in row]
    assert learned[0]["critic/loss"] == pytest.approx(math.log(2))  # it knows nothing, so every weight is 0
    assert learned[0]["policy/grad_norm"] == 0.0
    assert learned[0]["critic/grad_norm"] > 0.0
    assert learned[-1]["critic/loss"] != pytest.approx(math.log(2))
    assert learned[-1]["policy/grad_norm"] > 0.0
