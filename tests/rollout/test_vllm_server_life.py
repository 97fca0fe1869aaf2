"""The life of a server that a run has started, with a server in vLLM's place that starts at once."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from crucible.errors import UserError
from crucible.rollout.vllm import base
from crucible.rollout.vllm.server import VLLMServerEngine
from crucible.rundir import read_metrics, read_status
from crucible.types import Prompt, Sampling
from tests.policy.models import qwen3

STAND_IN = Path(__file__).parent / "stand_in"
PROMPTS = [Prompt(str(i), f"{i}+{i}=") for i in range(3)]
SAMPLING = Sampling(max_tokens=5, seed=1)


@pytest.fixture
def start(tmp_path, monkeypatch):
    """`start(**options)` starts a server; it is gone after the test."""
    monkeypatch.setattr(base, "find_spec", lambda name: name)
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))
    begun = []

    def launch(**options):
        said: list[str] = []
        engine = VLLMServerEngine(
            qwen3(), report=said.append, run_dir=SimpleNamespace(path=tmp_path), max_mismatch=1e9, timeout=20.0,
            start_timeout=20.0, **options,
        )  # fmt: skip
        engine.said = said
        begun.append(engine)
        return engine

    yield launch
    for engine in begun:
        engine.stop()


def gone(pid: int, seconds: float = 10.0) -> bool:
    """Has a process ended, within that time? One that only waits for its parent's notice has."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_server_is_told_what_it_is_for_takes_the_weights_and_ends_when_asked(start):
    engine = start(max_rows=7, arguments=["--tensor-parallel-size", "2"])
    told = engine.child.log.read_text().replace("=", " ").split()
    for name, value in {
        "--load-format": "dummy", "--max-model-len": "64", "--max-num-seqs": "7", "--dtype": "float32",
        "--logprobs-mode": "processed_logprobs", "--tensor-parallel-size": "2", "--host": "127.0.0.1",
        "--worker-extension-cls": "crucible.rollout.vllm.worker.WeightReceiver",
    }.items():  # fmt: skip
        assert told[told.index(name) + 1] == value
    assert told[:2] == ["vllm", "serve"]
    assert ("--no-enable-chunked-prefill" in told) != torch.cuda.is_available()
    out = engine.generate(PROMPTS, 2, SAMPLING)
    assert out.finish_reason == ["length"] * 6
    first = out.completion_ids[:, 0].tolist()  # of seeds that count up: the rows are in order
    assert [(b - a) % 40 for a, b in itertools.pairwise(first)] == [1] * 5
    engine.stop()
    assert not engine.child.alive()


@pytest.mark.slow
def test_a_server_that_dies_is_started_again_and_gives_the_rows_it_would_have_given(start):
    engine = start()
    undisturbed = engine.generate(PROMPTS, 2, SAMPLING)
    first = engine.child.pid
    threading.Timer(0.1, os.kill, (first, signal.SIGKILL)).start()
    out = engine.generate(PROMPTS, 2, SAMPLING)
    assert engine.child.pid != first
    assert torch.equal(out.completion_ids, undisturbed.completion_ids)
    assert [line for line in engine.said if f"(process {first}) is gone" in line]
    assert gone(first)
    os.kill(engine.child.pid, signal.SIGKILL)  # between two batches
    engine.sync(3)
    assert engine.generate(PROMPTS, 2, SAMPLING).policy_version.tolist() == [3] * 6


def test_a_server_that_dies_too_often_ends_the_run_in_one_line(start):
    engine = start(restarts=0)
    threading.Timer(0.1, os.kill, (engine.child.pid, signal.SIGKILL)).start()
    with pytest.raises(UserError, match=r"was lost in all 1 attempts at a batch .*; its log is") as error:
        engine.generate(PROMPTS, 2, SAMPLING)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_server_that_hangs_is_named_and_ended(start):
    engine = start()
    engine.generate(PROMPTS, 2, SAMPLING)
    engine.timeout = engine.client.timeout = 1.0
    child = engine.child
    for _ in range(2):  # while sampling, and then, in a new one, while it takes the weights
        os.killpg(child.pid, signal.SIGSTOP)
        with pytest.raises(UserError) as error:
            engine.generate(PROMPTS, 2, SAMPLING)
        assert str(error.value) == (
            f"rollout=vllm_server: the server at {engine.client.url} (process {child.pid}) hangs: it gave no answer "
            f"for 1 s (rollout.timeout); its log is {child.log}"
        )
        assert not child.alive()
        engine._start_child()
        child = engine.child


def test_a_server_that_cannot_start_says_why_in_one_line(start):
    with pytest.raises(UserError) as error:
        start(arguments=["--fail"])
    assert str(error.value).startswith(
        "rollout=vllm_server: the server ended while starting: ValueError: this model cannot be served; its log is"
    )


def test_a_server_ends_with_a_trainer_that_is_killed(tmp_path):
    program = (
        "import sys, time; from pathlib import Path; from crucible.rollout.vllm.child import Child;"
        f"child = Child(['model'], Path({str(tmp_path / 'log')!r}), cuda_devices=None);"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(STAND_IN), *sys.path])}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as trainer:
        server = int(trainer.stdout.readline())
        until = time.monotonic() + 10
        while not (tmp_path / "log").read_text() and time.monotonic() < until:
            time.sleep(0.05)
        assert (tmp_path / "log").read_text().startswith("vllm serve model")
        trainer.send_signal(signal.SIGKILL)
    assert gone(server)


@pytest.mark.slow
def test_two_processes_have_one_server_and_its_numbers_are_compared_with_the_trainers(small_run, monkeypatch):
    monkeypatch.setattr(base, "find_spec", lambda name: name)
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))
    path = small_run(
        "algo=grpo", "algo/filter=keep_all", "rollout=vllm_server", "rollout.max_mismatch=1000", "trainer.devices=2",
        "steps=2",
    )  # fmt: skip
    assert read_status(path)["state"] == "finished"
    assert (path / "vllm_server.log").read_text().count("vllm serve") == 1
    updates = [row for row in read_metrics(path) if row["kind"] == "update"]
    assert len(updates) == 4
    assert [row["policy/staleness"] for row in updates] == [0.0, 1.0, 0.0, 1.0]
    for row in updates[1::2]:  # the stand-in says -1 of every token, and the policy about -log 102
        assert row["mismatch/kl"] == pytest.approx(-1.0 + 4.62, abs=0.3)
