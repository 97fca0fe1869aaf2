"""Several processes learn from given answers as one does."""

from __future__ import annotations

import pytest
from tests.test_ranks import close

from crucible.rundir import read_metrics, read_status


@pytest.mark.slow
@pytest.mark.parametrize("algo", ["sft", "dpo", "bco"])
def test_two_processes_give_the_numbers_of_one(small_run, algo):
    alone = small_run(f"algo={algo}", "run_id=alone")
    together = small_run(f"algo={algo}", "trainer.devices=2", "run_id=together")
    close(read_metrics(alone), read_metrics(together))
    assert read_status(together)["state"] == "finished"
    assert len(list(together.glob("metrics.*.jsonl"))) == 1
    assert (together / "policy" / "config.json").exists()
