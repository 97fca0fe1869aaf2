"""Several processes train as one does: the same samples, the same numbers up to rounding, one run directory."""

from __future__ import annotations

import pytest
import torch

from crucible.errors import UserError
from crucible.modules.microbatch import rows_of_rank
from crucible.ranks import ALONE, Ranks
from crucible.rollout.split import joined
from crucible.rundir import read_metrics, read_samples, read_status
from tests.test_run import timeless

TWO = ("trainer.devices=2", "algo/filter=keep_all", "samples_every=1")


def close(one, other):
    assert len(one) == len(other)
    for a, b in zip(timeless(one), timeless(other), strict=True):
        assert a.keys() == b.keys()
        for name, value in a.items():
            same = pytest.approx(value, rel=2e-3, abs=2e-5) if isinstance(value, float) else value
            assert b[name] == same, name


@pytest.mark.slow
@pytest.mark.parametrize("algo", ["ce_gppo", "gspo"])
def test_two_processes_give_the_numbers_of_one(small_run, algo):
    alone = small_run(f"algo={algo}", *TWO[1:], "run_id=alone")
    together = small_run(f"algo={algo}", *TWO, "run_id=together")
    assert [r["completion"] for r in read_samples(alone, 1)] == [r["completion"] for r in read_samples(together, 1)]
    close(read_metrics(alone), read_metrics(together))
    assert read_status(together)["state"] == "finished"
    assert len(list(together.glob("metrics.*.jsonl"))) == 1
    assert (together / "policy" / "config.json").exists()


@pytest.mark.slow
def test_two_processes_go_on_where_two_stopped(small_run):
    whole = small_run(*TWO, "run_id=whole")
    small_run(*TWO, "run_id=cut", "steps=1", "checkpoint_every=1")
    cut = small_run(*TWO, "run_id=cut", "checkpoint_every=1", "resume=force")
    updates = [[r for r in read_metrics(path) if r["kind"] == "update"] for path in (whole, cut)]
    assert timeless(updates[0]) == timeless(updates[1])


def test_a_part_that_knows_one_process_is_refused(small_run, tmp_path):
    with pytest.raises(UserError, match="trains on one process"):
        small_run("algo=rm_principle", "trainer.devices=2", "reward=exact")


def test_processes_that_do_not_fit_the_config_are_refused(small_run, monkeypatch):
    for name, value in {"RANK": "0", "WORLD_SIZE": "3", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"trainer.devices=2 x trainer.nodes=1 are 2 processes, and 3 were started"):
        small_run("trainer.devices=2")
    with pytest.raises(UserError, match=r"3 processes were started for a run of one; set trainer.devices=3"):
        small_run()


@pytest.mark.parametrize(("number", "world"), [(7, 3), (2, 4), (0, 2), (8, 2)])
def test_the_shares_are_everything_once_and_even(number, world):
    shares = [Ranks(rank, world).share(number) for rank in range(world)]
    assert [i for share in shares for i in share] == list(range(number))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_rank_gets_whole_groups():
    group = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    rows = torch.tensor([5, 4, 0, 1, 7, 2, 3])
    shares = [rows_of_rank(group, rows, Ranks(rank, 2)) for rank in range(2)]
    assert sorted(torch.cat(shares).tolist()) == sorted(rows.tolist())
    assert not set(group[shares[0]].tolist()) & set(group[shares[1]].tolist())
    assert rows_of_rank(group, rows, ALONE) is rows


def test_joined_rows_keep_their_padding_on_the_right_side(small_rollouts):
    wide, narrow = small_rollouts(prompt_width=5, width=3), small_rollouts(prompt_width=3, width=6)
    both = joined([wide, narrow], pad_id=9)
    assert both.prompt_ids.shape == (4, 5)
    assert both.completion_ids.shape == (4, 6)
    assert torch.equal(both.prompt_ids[2:, 2:], narrow.prompt_ids)
    assert (both.prompt_ids[2:, :2] == 9).all()
    assert (both.prompt_mask[2:, :2] == 0).all()
    assert torch.equal(both.completion_ids[:2, :3], wide.completion_ids)
    assert (both.completion_ids[:2, 3:] == 9).all()
    assert (both.mask[:2, 3:] == 0).all()
    assert both.texts == [*wide.texts, *narrow.texts]


@pytest.fixture
def small_rollouts():
    from crucible.types import Prompt, Rollouts

    def make(prompt_width, width):
        return Rollouts(
            prompt_ids=torch.randint(0, 8, (2, prompt_width)),
            prompt_mask=torch.ones(2, prompt_width, dtype=torch.long),
            completion_ids=torch.randint(0, 8, (2, width)),
            mask=torch.ones(2, width),
            sampling_logps=-torch.rand(2, width),
            group=torch.tensor([0, 0]),
            policy_version=torch.zeros(2, dtype=torch.long),
            prompts=[Prompt("a"), Prompt("a")],
            texts=["x", "y"],
            finish_reason=["stop", "stop"],
        )

    return make
