"""Trouble in real runs: weights that were not trained by it, rows that tell, and an end in one line."""

from __future__ import annotations

import pytest
import torch
from tests.conftest import same_weights

from crucible.errors import UserError
from crucible.modules.callbacks import Evaluate
from crucible.rundir import read_metrics, read_status

KEEP = ("algo=grpo", "algo/filter=keep_all")


def loss(name):
    return ("~algo.loss", f"+algo.loss={{_target_: tests.modules.troubled.{name}, _partial_: true}}")


def updates(path):
    return [row for row in read_metrics(path) if row["kind"] == "update"]


def only_run(tmp_path):
    return next((tmp_path / "runs").rglob("status.json")).parent


def test_updates_that_are_no_number_are_left_out_and_the_run_goes_on(small_run, capsys):
    path = small_run(*KEEP, *loss("no_number_in_step_two"), "steps=4", "checkpoint_every=1", "keep_checkpoints=4")
    rows = updates(path)
    assert [row.get("trouble/skipped_recently") for row in rows] == [None, None, 1.0, 2.0, None, None, None, None]
    assert ["policy/lr" in row for row in rows] == [True, True, False, False, True, True, True, True]
    stored = {s: path / "checkpoints" / f"step-{s:06d}.ckpt" for s in (1, 2, 3, 4)}
    one, two, three = (torch.load(stored[s], weights_only=True) for s in (1, 2, 3))
    assert all(torch.equal(one["state_dict"][name], two["state_dict"][name]) for name in one["state_dict"])
    assert not all(torch.equal(one["state_dict"][name], three["state_dict"][name]) for name in one["state_dict"])
    assert [state["crucible"]["updates_done"] for state in (one, two, three)] == [2, 2, 4]
    assert all(bool(torch.isfinite(weight).all()) for weight in three["state_dict"].values())
    assert "step 2: update 3 is left out, no longer a number: loss nan, gradient norm nan" in capsys.readouterr().out


def test_a_run_that_is_nothing_but_trouble_ends_with_the_reason(small_run, tmp_path):
    with pytest.raises(UserError, match=r"step 2: no longer a number: .*more than trouble\.max_skipped_updates=3"):
        small_run(*KEEP, *loss("never_a_number"), "steps=4")
    path = only_run(tmp_path)
    assert read_status(path)["state"] == "failed"
    assert "no longer a number" in read_status(path)["error"]
    assert [row["trouble/skipped"] for row in updates(path)] == [1.0, 1.0, 1.0]


def test_a_policy_that_ran_away_is_stopped(small_run):
    with pytest.raises(UserError, match=r"times as sure of a token .*trouble\.max_ratio"):
        small_run(*KEEP, "optim.lr=0.1", "trouble.max_ratio=1.5", "trouble.max_skipped_updates=0", "steps=4",
                  "optim.warmup_updates=0")  # fmt: skip


def test_steps_without_signal_are_reported_and_logged_or_end_the_run(small_run, capsys):
    nothing = (*KEEP, "++reward.right=0.0", "trouble.steps_without_signal=2", "steps=3")
    path = small_run(*nothing)
    assert [row.get("trouble/steps_without_signal") for row in updates(path)] == [None, None, None, 2.0, None, 3.0]
    assert capsys.readouterr().out.count("no group of the last 2 steps had anything to learn from") == 1
    with pytest.raises(UserError, match=r"step 2: no group of the last 2 steps"):
        small_run(*nothing, "trouble.stop=true", "run_id=stops")


def test_options_of_trouble_and_watchdog_make_no_other_run(small_run, capsys):
    path = small_run(*KEEP)
    assert small_run(*KEEP, "trouble.stop=true", "trouble.max_ratio=1e3", "watchdog.minutes=null") == path
    assert "nothing to do" in capsys.readouterr().out


def test_weights_that_are_no_numbers_are_never_saved(small_run, tmp_path, monkeypatch):
    original = Evaluate.on_train_epoch_end

    def poison(self, trainer, module):
        original(self, trainer, module)
        if module.steps_done == 2:
            next(module.model.parameters()).data[0, 0] = float("nan")

    monkeypatch.setattr(Evaluate, "on_train_epoch_end", poison)
    with pytest.raises(UserError, match=r"after step 2 the weight .* is no longer a number"):
        small_run(*KEEP, "steps=3", "checkpoint_every=1")
    assert [p.name for p in (only_run(tmp_path) / "checkpoints").glob("*.ckpt")] == ["step-000001.ckpt"]


def test_a_state_that_could_not_be_loaded_again_is_refused_when_it_is_saved(small_run, tmp_path):
    with pytest.raises(UserError, match=r"could not be loaded again, so it is not kept"):
        small_run(*KEEP, "reward._target_=tests.modules.troubled.HasAPath", "checkpoint_every=1")
    assert list((only_run(tmp_path) / "checkpoints").iterdir()) == []


@pytest.mark.slow
def test_a_killed_run_remembers_its_trouble(small_run, killed_run):
    options = (*KEEP, *loss("no_number_in_step_two"), "steps=4", "checkpoint_every=2")
    whole, killed = small_run("run_id=whole", *options), killed_run(*options)
    assert same_weights(whole, killed, step=4)
    stored = [torch.load(run / "checkpoints" / "step-000004.ckpt", weights_only=True) for run in (whole, killed)]
    assert stored[0]["crucible"]["parts"]["trouble"] == stored[1]["crucible"]["parts"]["trouble"]
    assert stored[0]["crucible"]["parts"]["trouble"]["skipped"] == [3, 4]
