"""A rank that dies ends the run on the other ranks too, at once, instead of leaving them to wait."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from crucible.rundir import read_metrics, read_status
from crucible.rundir.lock import is_locked
from tests.conftest import ROOT, SMALL

LOSS = "+algo.loss={_target_: tests.modules.troubled.rank_one_dies, _partial_: true}"


@pytest.mark.slow
def test_a_rank_that_dies_ends_the_run(tmp_path):
    more = ["algo=grpo", "~algo.loss", LOSS, "trainer.devices=2", "steps=3", "experiment=e", "run_id=r"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable,
        "-u",
        str(ROOT / "train.py"),
        *SMALL,
        *more,
        f"runs_dir={tmp_path}",
        "checkpoint_every=1",
    ]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        said, first_step = [], 0.0
        for line in process.stdout:
            said.append(line)
            if line.startswith("step 1/3"):
                first_step = time.monotonic()
        process.wait(timeout=60)
    assert process.returncode != 0, "".join(said)
    assert first_step, "".join(said)
    assert time.monotonic() - first_step < 60, "noticed within seconds, also on a busy machine"
    path = tmp_path / "e" / "r"
    status = read_status(path)
    assert status["state"] == "failed"
    assert "peer" in status["error"], status["error"]
    assert not is_locked(path)
    assert {row["step"] for row in read_metrics(path) if row["kind"] == "update"} == {1}
