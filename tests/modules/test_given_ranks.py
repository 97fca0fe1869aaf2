"""Several processes learn from given answers as one does."""

from __future__ import annotations

import pytest
from tests.test_ranks import close

from crucible.rundir import read_metrics, read_status


@pytest.mark.slow
@pytest.mark.parametrize(("algo", "trainer"), [("sft", "ddp"), ("dpo", "ddp"), ("bco", "ddp"), ("dpo", "fsdp")])
def test_two_processes_give_the_numbers_of_one(small_run, algo, trainer):
    uneven = (f"algo={algo}", "batch.prompts_per_step=5", "batch.micro_batch_tokens=64")
    alone = small_run(*uneven, "run_id=alone")
    together = small_run(*uneven, f"trainer={trainer}", "run_id=together")
    close(read_metrics(alone), read_metrics(together))
    assert read_status(together)["state"] == "finished"
    assert len(list(together.glob("metrics.*.jsonl"))) == 1
    assert (together / "policy" / "config.json").exists()
