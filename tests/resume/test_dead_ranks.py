"""A rank that dies or fails ends the run on the others too, at once and by name, instead of leaving them to wait."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from crucible.rundir import read_metrics, read_status
from crucible.rundir.lock import is_locked
from tests.conftest import ROOT, SMALL

DIED = r"rank {} died \(process \d+ on .*\): it was killed, or its machine is lost"


def until_its_end(folder, loss, *options):
    """Runs three steps of which the second goes wrong, until no process of it is left: its lines and exit code, the
    run directory, and the seconds from the first step on."""
    more = [f"+algo.loss={{_target_: tests.modules.troubled.{loss}, _partial_: true}}", *options, "algo=grpo"]
    places = [f"runs_dir={folder}", "experiment=e", "run_id=r", "checkpoint_every=1", "steps=3", "~algo.loss"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-u", str(ROOT / "train.py"), *SMALL, *places, *more],
        cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        said, first_step = [], 0.0
        for line in process.stdout:  # ends when all ranks have ended, which share it
            said.append(line.rstrip())
            if line.startswith("step 1/3"):
                first_step = time.monotonic()
        process.wait(timeout=60)
    assert first_step, "\n".join(said)
    return said, process.returncode, folder / "e" / "r", time.monotonic() - first_step


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "trainer", "pattern"),
    [
        ("rank_one_dies", "fsdp", DIED.format(1)),
        ("rank_one_fails", "ddp", "rank 1 stopped: ValueError: no such number"),
    ],
)
def test_a_lost_rank_ends_the_run(tmp_path, loss, trainer, pattern):
    said, code, path, seconds = until_its_end(tmp_path, loss, f"trainer={trainer}")
    text = "\n".join(said)
    assert code == 2, text
    assert seconds < 120, "noticed within seconds, also on a very busy machine"
    assert "Traceback" not in text
    errors = [line for line in said if line.startswith("error: ")]
    assert len(errors) == 1, text
    assert re.fullmatch(f"error: {pattern}; the same command goes on from the last checkpoint", errors[0])
    status = read_status(path)
    assert (status["state"], f"error: {status['error']}") == ("failed", errors[0])
    assert not is_locked(path)
    assert {row["step"] for row in read_metrics(path) if row["kind"] == "update"} == {1}


@pytest.mark.slow
def test_a_main_process_that_dies_leaves_no_rank_behind(tmp_path):
    said, code, path, seconds = until_its_end(tmp_path, "rank_zero_dies", "trainer=ddp")
    assert code == -signal.SIGKILL
    assert seconds < 120, "the other rank had ended by then: nobody else holds the pipe"
    line = next(line for line in said if line.startswith("rank 1 stopped: "))
    assert re.fullmatch(f"rank 1 stopped: {DIED.format('0, the main process,')}; the same command goes on .*", line)
    assert not is_locked(path)
