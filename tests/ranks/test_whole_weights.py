"""In shards: a reward and an auxiliary loss that ask the policy, a reference that follows it, log-probs taken anew."""

from __future__ import annotations

import pytest

from crucible.rundir import read_metrics
from tests.rewards.cases import ENDS
from tests.rewards.test_rewards_train import chosen
from tests.test_ranks import close

OPTIONS = [
    "algo=rloo",
    *chosen("verifree"),
    "algo/auxiliary=verifree",
    "algo/filter=keep_all",
    "algo/kl=in_loss",
    "algo.kl.coefficient=0.1",
    "algo.reference.every=1",
    "algo.reference.mix=0.5",
    "algo.old_logps=recompute",
    "batch.prompts_per_step=6",
    "batch.micro_batch_tokens=48",
    ENDS,
]


@pytest.mark.slow
def test_two_processes_with_weights_in_shards_give_the_numbers_of_one(small_run):
    alone, shards = (
        [row for row in read_metrics(small_run(*OPTIONS, *more)) if row["kind"] == "update"]
        for more in (["run_id=alone"], ["run_id=shards", "trainer=fsdp"])
    )
    assert any(row["kl/mean"] > 0 for row in alone)
    close(alone, shards)
