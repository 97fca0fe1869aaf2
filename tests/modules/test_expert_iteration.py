"""`algo=expert_iteration` is supervised learning of the right answers that the policy sampled itself."""

from __future__ import annotations

import pytest

from crucible.rundir import read_metrics

DIGITS = ("reward._target_=tests.small_world.HasDigits", "batch.updates_per_rollout=1")


def updates(path):
    return [row for row in read_metrics(path) if row["kind"] == "update"]


def test_the_loss_is_the_mean_surprise_at_what_was_kept(small_run):
    """With one update a rollout pi is the sampler, so -log p of the kept tokens is what the sampler recorded."""
    path = small_run("algo=expert_iteration", "algo.filter.threshold=null", "algo.filter.distinct=false", *DIGITS)
    first = updates(path)[0]
    assert first["rows/trained"] == 1.0
    assert first["policy/loss"] == pytest.approx(first["policy/entropy_sampled"], rel=1e-4)
    assert first["policy/grad_norm"] > 0


def test_only_the_best_of_each_prompt_is_imitated(small_run):
    path = small_run("algo=raft", *DIGITS)
    assert [row["rows/trained"] for row in updates(path)] == [0.25, 0.25]  # one of four samples


def test_a_step_in_which_nothing_is_right_teaches_nothing(small_run):
    path = small_run("algo=expert_iteration", "algo.filter.threshold=5", *DIGITS)
    assert [row["policy/updates_without_rows"] for row in updates(path)] == [1.0, 1.0]
