"""Methods plug in by name: what they ask for is computed, what they do not is not, and nothing else changes."""

from __future__ import annotations

import pytest
import torch
from tests.conftest import ROOT, SMALL, same_weights
from tests.modules import curious

from crucible.config.compose import compose
from crucible.errors import UserError
from crucible.rundir import read_metrics

KEEP = "algo/filter=keep_all"


def updates(path):
    return [row for row in read_metrics(path) if row["kind"] == "update"]


def same(a, b, *, within=0.0):
    """All the metrics of two runs that both have, but timings; `within` is the difference that rounding may make."""
    for x, y in zip(updates(a), updates(b), strict=True):
        for name in x.keys() & y.keys():
            if "/" in name and not name.startswith(("time/", "perf/")):
                assert x[name] == pytest.approx(y[name], rel=within, abs=within), name


@pytest.fixture(autouse=True)
def forget():
    curious.SEEN.clear()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """An ordinary GRPO run, to compare with."""
    from crucible.run import run

    place = tmp_path_factory.mktemp("plain")
    options = [f"runs_dir={place}", f"cache_dir={place}/cache", "algo=grpo", KEEP]
    return run(**compose([*SMALL, *options], ROOT).config)


def small(*names):
    """Override a node with another target and no options."""
    return [f"++{axis}={{_target_: tests.modules.curious.{name}, _partial_: true}}" for axis, name in names]


def asks_for_everything():
    gone = ["~algo.loss", "~algo.advantage"]
    return [*gone, *small(("algo.loss", "loss"), ("algo.advantage", "advantage"))]


def test_parts_that_name_everything_get_it_and_change_nothing(small_run, plain):
    path = small_run("algo=grpo", KEEP, *asks_for_everything(), "entropy._target_=tests.modules.curious.Curious")
    same(plain, path, within=1e-4)  # groups stay together, so sums are taken in another order
    for row in curious.SEEN["advantage"]:
        n, t = row["mask"].shape
        assert n == 16 == len(row["texts"]) == len(row["prompts"]) == len(row["truncated"])
        for name in ("sampling_logps", "old_logps", "entropy", "old_uniform", "old_collision", "reference_logps"):
            assert row[name].shape == (n, t)
            assert not row[name].requires_grad
        assert row["hidden"].shape == (n, 32)
        assert row["hidden"].abs().sum() > 0
        # the mean of log pi over the vocabulary is at most minus the log of its size
        size = 1 / row["old_uniform"][row["mask"] > 0].exp().max()
        assert size >= 2
        assert row["truncated"].dtype == torch.bool
        assert (row["staleness"] == 0).all()
    first, last = curious.SEEN["advantage"]
    assert (first["updates_done"], last["updates_done"]) == (0, 2)
    assert (first["progress"], last["progress"]) == (0.0, 0.5)
    torch.testing.assert_close(first["reference_logps"], first["sampling_logps"], atol=1e-5, rtol=0)
    assert not torch.allclose(last["reference_logps"], last["sampling_logps"], atol=1e-3)


def test_micro_batches_are_whole_groups_where_a_part_looks_at_the_group(small_run):
    small_run("algo=grpo", KEEP, *asks_for_everything(), "batch.micro_batch_tokens=33", "steps=1")
    pieces = curious.SEEN["loss"]
    assert len(pieces) == 4  # one group each, although not even two rows fit
    for row in pieces:
        k, t = row["mask"].shape
        assert k == 4 == len(row["rewards"]) == len(row["valid"])
        assert row["group"].unique().numel() == 1
        for name in ("entropy", "old_entropy", "uniform", "old_uniform", "collision", "old_collision"):
            assert row[name].shape == (k, t)
    assert {row["updates_done"] for row in pieces} == {0, 1}
    assert {int(s) for row in pieces for s in row["staleness"]} == {0, 1}
    first = pieces[0]
    torch.testing.assert_close(first["uniform"], first["old_uniform"], atol=1e-5, rtol=0)
    torch.testing.assert_close(first["entropy"], first["old_entropy"], atol=1e-5, rtol=0)


def test_the_weights_of_a_whole_update_see_all_its_rows_under_the_policy_of_that_moment(small_run):
    small_run("algo=grpo", KEEP, "entropy._target_=tests.modules.curious.Curious", "steps=1")
    first, second = curious.SEEN["weigh"]
    for row in (first, second):
        assert len(row["group"].unique()) == 2
        assert row["logps"].shape == row["entropy"].shape == row["uniform"].shape == row["mask"].shape
        assert len(row["rewards"]) == 8
        assert not row["logps"].requires_grad
        assert (row["logps"][row["mask"] > 0] < 0).all()


def test_weights_of_the_entropy_control_and_of_the_correction_multiply_the_policy_loss(small_run, plain):
    path = small_run(
        "algo=grpo", KEEP, "entropy._target_=tests.modules.curious.Doubles", *small(("algo.correction", "half"))
    )
    same(plain, path)
    row = updates(path)[0]
    assert row["entropy/weight_mean"] == 2.0
    assert row["correction/weight_mean"] == 0.5


def test_a_correction_changes_nothing_where_the_policies_agree(small_run, plain):
    path = small_run("algo=grpo", KEEP, "algo/correction=tis", "algo.old_logps=recompute")
    for a, b in zip(updates(plain), updates(path), strict=True):
        assert a["policy/grad_norm"] == pytest.approx(b["policy/grad_norm"], rel=1e-3)
    last = updates(path)[-1]
    assert last["mismatch/max"] < 1e-4
    assert last["mismatch/ess"] == pytest.approx(1.0)
    assert last["correction/weight_mean"] == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("typo", 'algo.loss=.* asks for "refrence_logps".*did you mean "reference_logps"'),
        ("too_early", 'algo.loss=.* asks for "scores"'),
        ("wants_values", 'asks for "values", which only a critic can give: choose algo/critic=value_head'),
    ],
)
def test_names_that_a_run_does_not_have_are_refused_before_anything_loads(part, message):
    with pytest.raises(UserError, match=message):
        compose([*SMALL, "algo=grpo", "~algo.loss", *small(("algo.loss", part))], ROOT)


def test_with_a_lag_old_weights_sample_and_the_policy_in_training_is_untouched(small_run, plain):
    path = small_run("algo=grpo", KEEP, "rollout.lag=1", "steps=3")
    rows = updates(path)
    assert [row["policy/staleness"] for row in rows] == [0.0, 1.0, 2.0, 3.0, 2.0, 3.0]
    first = zip(updates(plain)[:2], rows[:2], strict=True)
    for a, b in first:
        assert a["policy/loss"] == b["policy/loss"]
    assert rows[2]["policy/kl_old"] != 0.0  # the ratio is against the policy that sampled
    assert rows[2]["policy/ess"] < 1.0


def test_with_a_lag_recomputed_log_probs_leave_the_rest_to_the_correction(small_run):
    path = small_run("algo=grpo", KEEP, "rollout.lag=1", "algo.old_logps=recompute", "algo/correction=tis", "steps=2")
    last = updates(path)[2:]
    assert abs(last[0]["policy/ratio_mean"] - 1.0) < 1e-4
    assert last[1]["mismatch/max"] > 1e-3
    assert last[1]["mismatch/ess"] < 1.0


@pytest.mark.parametrize("place", ["in_loss", "in_reward"])
def test_a_kl_penalty(small_run, plain, place):
    path = small_run("algo=grpo", KEEP, f"algo/kl={place}", "algo.kl.coefficient=0.5", "algo.kl.target=0.0001")
    rows = updates(path)
    measured = [row for row in rows if "kl/mean" in row]
    assert len(measured) == (4 if place == "in_loss" else 2)
    assert measured[0]["kl/mean"] == pytest.approx(0.0, abs=1e-6)  # the policy is its own reference at first
    assert rows[0]["policy/loss"] == pytest.approx(updates(plain)[0]["policy/loss"], abs=1e-6)
    assert measured[-1]["kl/mean"] != 0.0
    assert measured[1]["kl/coefficient"] < 0.5
    if place == "in_loss":
        assert rows[-1]["kl/loss"] == pytest.approx(rows[-1]["kl/coefficient"] * rows[-1]["kl/mean"], rel=1e-4)
    else:
        assert "kl/reward" in rows[-1]
        assert rows[-1]["reward/mean"] == updates(path)[-1]["reward/digits"]  # what is logged is the reward itself


def test_killed_and_resumed_with_everything_that_remembers(small_run, killed_run):
    """Stale weights, a refreshed reference and an adaptive coefficient all come back exactly."""

    options = (
        "algo=grpo", KEEP, "algo/kl=in_loss", "algo.kl.coefficient=0.1", "algo.kl.target=0.001", "algo.kl.horizon=50",
        "algo.reference.every=1", "algo.reference.mix=0.5", "rollout.lag=1", "algo.old_logps=recompute",
        "algo/correction=tis", "steps=4", "checkpoint_every=2",
    )  # fmt: skip
    whole = small_run("run_id=whole", *options)
    killed = killed_run(*options)
    same(whole, killed)
    assert same_weights(whole, killed, step=4)


def test_a_critic_learns_alone_at_first_and_comes_back_after_a_kill(small_run, killed_run):
    options = ("algo=vapo", KEEP, "algo.critic.pretrain_steps=1", "algo.critic.learning_rate=0.05", "steps=4",
               "checkpoint_every=2", "optim.warmup_updates=0")  # fmt: skip
    whole = small_run("run_id=whole", *options)
    rows = updates(whole)
    assert [row["policy/grad_norm"] for row in rows[:2]] == [0.0, 0.0]
    assert all(row["policy/grad_norm"] > 0 for row in rows[2:])
    assert all(row["critic/grad_norm"] > 0 for row in rows)
    assert rows[1]["critic/loss"] < rows[0]["critic/loss"]
    same(whole, killed_run(*options))


def test_a_critic_without_its_advantage_and_the_other_way_round_are_refused():
    with pytest.raises(UserError, match="needs algo/advantage=gae"):
        compose([*SMALL, "algo=grpo", "algo/critic=value_head"], ROOT)
    with pytest.raises(UserError, match='"values", which only a critic can give: choose algo/critic=value_head'):
        compose([*SMALL, "algo=grpo", "algo/advantage=gae"], ROOT)
