"""Shaped rewards reach the advantage and the loss, and nothing else."""

from __future__ import annotations

import pytest
import torch
from tests.modules import curious
from tests.modules.shapers import SEEN

from crucible.errors import UserError
from crucible.rundir import read_metrics


def part(axis, name):
    return f"++algo.{axis}={{_target_: tests.modules.shapers.{name}, _partial_: true}}"


def last(path):
    return [row for row in read_metrics(path) if row["kind"] == "update"][-1]


@pytest.fixture(autouse=True)
def forget():
    SEEN.clear()
    curious.SEEN.clear()


def test_the_advantage_and_the_loss_see_shaped_rewards_in_the_order_of_the_parts(small_run):
    loss = "++algo.loss={_target_: tests.modules.curious.loss, _partial_: true}"
    parts = [part("shaping.first", "triple"), part("shaping.second", "add_one")]
    pieces = [part("advantage", "advantage"), part("filter", "sees")]
    path = small_run("algo=grpo", "~algo.loss", loss, "~algo.advantage", "~algo.filter", *parts, *pieces, "steps=1")
    raw = SEEN["raw"]
    assert raw.std() > 0
    torch.testing.assert_close(SEEN["advantage"], 3.0 * raw + 1.0)
    torch.testing.assert_close(SEEN["filter"], raw)
    rewards = torch.cat([row["rewards"] for row in curious.SEEN["loss"]])
    torch.testing.assert_close(rewards.sort().values, (3.0 * raw + 1.0).sort().values)
    assert last(path)["reward/mean"] == pytest.approx(float(raw.mean()))
    assert last(path)["shaping/reward"] == pytest.approx(float((2.0 * raw + 1.0).mean()))


def test_without_shaping_there_is_no_metric_of_it(small_run):
    assert "shaping/reward" not in last(small_run("algo=grpo", "steps=1"))


def test_several_shapings_from_their_files(small_run):
    path = small_run("algo=grpo", "algo/shaping=[unlikeliness,darling]", "steps=1")
    assert last(path)["shaping/reward"] < 0.0


def test_a_part_that_names_what_a_run_cannot_give_is_refused(small_run):
    with pytest.raises(UserError, match='did you mean "group"'):
        small_run("algo=grpo", part("shaping.wrong", "misspelt"))
