"""`python train.py trainer=trl` on the tiny model: the run directory, and the same numbers as Lightning's loop."""

from __future__ import annotations

import importlib.util
import re

import pytest
import torch

from crucible.errors import UserError
from crucible.rundir import read_metrics, read_samples, read_status
from crucible.trl.refuse import KNOWN
from tests.conftest import ROOT, same_weights

pytestmark = pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason=f"needs TRL {KNOWN}")
TRL = "trainer=trl"
ONE = "batch.updates_per_rollout=1"  # one update a step: then TRL deals the same rows to it as Crucible does


def updates(path):
    return [row for row in read_metrics(path) if row["kind"] == "update"]


def timeless(path):
    timings = ("time/", "perf/", "trl/step_time")
    return [{k: v for k, v in row.items() if not k.startswith(timings)} for row in read_metrics(path)]


def weights(path, step):
    return torch.load(path / "checkpoints" / f"step-{step:06d}.ckpt", weights_only=True)["state_dict"]


def test_a_run_of_trls_is_a_run_directory(small_run, capsys):
    path = small_run("algo=grpo", TRL, "samples_every=1")
    said = capsys.readouterr().out
    assert "with its own loss (dapo) on Crucible's advantages: TRL lacks algo.advantage.eps=1e-06" in said
    assert re.search(r"over 2 updates the losses differ by at most \d\.\de-\d\d, the gradients by \d\.\de-\d\d", said)
    assert "step 2/2" in said
    assert read_status(path)["state"] == "finished"
    assert {p.name for p in path.iterdir()} >= {"config.yaml", "provenance.json", "samples", "checkpoints", "policy"}
    rows = updates(path)
    assert [(row["step"], row["update"]) for row in rows] == [(1, 1), (1, 2), (2, 3), (2, 4)]
    for row in rows:
        assert row["policy/grad_norm"] > 0.0
        assert row["policy/entropy"] > 0.0
        assert row["policy/lr"] == pytest.approx(0.003 * row["update"] / 10)
    for row in rows[:2]:
        assert row["trl/loss_gap"] < 1e-5
        assert row["trl/gradient_gap"] < 1e-5
    assert "trl/loss_gap" not in rows[2]
    assert rows[0]["trl/reward"] == pytest.approx(rows[1]["reward/mean"])  # told behind the first update of a step
    evaluations = [row for row in read_metrics(path) if row["kind"] == "eval"]
    assert [(row["step"], row["phase"]) for row in evaluations] == [(0, "before"), (2, "after")]
    assert next(iter(read_samples(path, 2)))["prompt"].endswith("=")


@pytest.mark.parametrize(
    "options",
    [
        ("algo=grpo",),
        pytest.param(("algo=dr_grpo", "optim.max_grad_norm=null"), marks=pytest.mark.slow),
        pytest.param(("algo=ce_gppo",), marks=pytest.mark.slow),
        pytest.param(("algo=gspo",), marks=pytest.mark.slow),
        pytest.param(("algo=grpo", "entropy=adaptive"), marks=pytest.mark.slow),
        pytest.param(("algo=grpo", "algo/kl=in_loss"), marks=pytest.mark.slow),
    ],
)
def test_with_one_update_a_step_both_loops_are_the_same_run(small_run, options):
    """The same rollouts, losses and weights, but for rounding."""
    one = small_run(*options, ONE, "run_id=lightning", "steps=3")
    other = small_run(*options, ONE, "run_id=trl", "steps=3", TRL)
    for ours, theirs in zip(updates(one), updates(other), strict=True):
        for name in ("reward/mean", "completion/length", "policy/lr"):
            assert theirs[name] == pytest.approx(ours[name], rel=1e-6), name
        for name in ("policy/loss", "policy/grad_norm", "policy/entropy"):
            assert theirs[name] == pytest.approx(ours[name], rel=1e-5, abs=1e-6), name
    ours, theirs = weights(one, 3), weights(other, 3)
    assert max((theirs[k] - ours[k]).abs().max().item() for k in ours) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("algo", ["grpo", "ce_gppo"])
def test_killed_between_updates_and_started_again_it_is_the_undisturbed_run(small_run, monkeypatch, algo):
    from crucible.modules.online_rl import OnlineRL

    close_update = OnlineRL.close_update

    def dies(self, update, metrics):
        if self.steps_done == 3 and update == 1:
            raise KeyboardInterrupt
        return close_update(self, update, metrics)

    options = (f"algo={algo}", "algo/filter=keep_all", TRL, "steps=4", "checkpoint_every=2")
    whole = small_run("run_id=whole", *options)
    with monkeypatch.context() as patched:
        patched.setattr(OnlineRL, "close_update", dies)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            small_run("run_id=killed", *options)
    killed = small_run("run_id=killed", *options)
    assert read_status(killed)["attempt"] == 2
    one, other = timeless(whole), timeless(killed)
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        # TRL counts tokens and epochs of this process
        assert {k: v for k, v in a.items() if k != "trl/num_tokens"} == {
            k: v for k, v in b.items() if k != "trl/num_tokens"
        }
    assert same_weights(whole, killed, step=4)


def test_a_checkpoint_of_lightnings_is_not_gone_on_from(small_run, monkeypatch):
    from crucible.modules.online_rl import OnlineRL

    options = ("algo=grpo", "run_id=mixed", "checkpoint_every=1")
    with monkeypatch.context() as patched:
        patched.setattr(OnlineRL, "score", dying_at_the_second_step(OnlineRL.score))
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            small_run(*options)
    with pytest.raises(UserError, match="was saved by another trainer"):
        small_run(*options, TRL, "resume=force")


def dying_at_the_second_step(score):
    def dies(self, rollouts):
        if self.steps_done == 1:
            raise KeyboardInterrupt
        return score(self, rollouts)

    return dies


@pytest.mark.slow
def test_updates_without_rows_make_no_step(small_run):
    """Random weights are never right: the filter drops every group."""
    path = small_run("algo=ce_gppo", "algo.filter.by=success", "data.terms=8", "model.context_length=128", TRL)
    rows = updates(path)
    assert all(row["policy/updates_without_rows"] == 1.0 for row in rows)
    first = weights(path, 2)
    untouched = small_run(
        "algo=ce_gppo", "algo.filter.by=success", "data.terms=8", "model.context_length=128", "run_id=plain"
    )
    assert all(torch.equal(first[k], v) for k, v in weights(untouched, 2).items())


def test_every_metric_of_such_a_run_is_documented():
    page = (ROOT / "docs" / "trl.md").read_text()
    for name in ("trl/<name>", "trl/loss_gap", "trl/gradient_gap", "trl/denominator"):
        assert f"`{name}`" in page
