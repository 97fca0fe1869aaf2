from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from crucible.errors import UserError
from crucible.rewards.runtime.outcome import Outcome, scores_of
from crucible.rewards.runtime.runtime import Runtime
from tests.rewards.cases import completions, prompt, scored
from tests.rewards.runtime.verifiers import misbehave, own_time

TIMEOUT = 0.5


@pytest.fixture(scope="module")
def runtime():
    made = Runtime(workers=2, timeout=TIMEOUT, max_failed=0.5)
    yield made
    made.close()


def run(runtime, *texts, reward=misbehave, **options):
    return reward(reward_runtime=runtime, **options).outcomes([prompt()] * len(texts), completions(*texts))


@pytest.mark.parametrize(
    ("text", "kind", "problem"),
    [
        ("value 0.25", "value", ""),
        ("flood", "value", ""),
        ("abstain", "abstain", ""),
        ("raise no such thing", "error", "ValueError: no such thing"),
        ("exit", "error", "SystemExit: 3"),
        ("die", "error", "the worker process died (exit code 7)"),
        ("crash", "error", "the worker process died (SIGSEGV)"),
        ("memory", "error", "MemoryError: (no message)"),
        ("nan", "error", "returned nan"),
        ("recurse", "error", "RecursionError: "),
        ("loop", "timeout", "one answer took over 0.5 s"),
        ("sleep 30", "timeout", "one answer took over 0.5 s"),
        ("hold", "timeout", "one answer took over 0.5 s"),
        ("ignore", "timeout", "one answer took over 0.5 s"),
    ],
)
def test_every_call_ends_in_exactly_one_way_and_its_neighbours_are_untouched(runtime, text, kind, problem):
    before, found, after = run(runtime, "value 1", text, "value 2")
    assert (before.kind, before.value, after.kind, after.value) == ("value", 1.0, "value", 2.0)
    assert found.kind == kind
    assert found.problem.startswith(problem)
    assert bool(found.problem) == bool(problem)
    assert math.isnan(found.value) == (kind != "value")
    assert (found.seconds >= TIMEOUT) == (kind == "timeout")


def test_many_bad_answers_among_many_good_ones_keep_their_places(runtime):
    texts = [f"value {i}" if i % 17 else ("die", "loop", "raise x", "abstain")[i // 17 % 4] for i in range(150)]
    found = run(runtime, *texts, factor=2.0)
    expected = [
        ("value", 2.0 * i) if i % 17 else (("error", "timeout", "error", "abstain")[i // 17 % 4], None)
        for i in range(150)
    ]
    assert [(o.kind, None if o.kind != "value" else o.value) for o in found] == expected


def test_a_stuck_worker_is_killed_with_all_it_started_and_replaced(runtime):
    before, mark = runtime.pool.replaced, "987.654321"
    (found,) = run(runtime, f"child {mark}")
    assert found.kind == "timeout"
    assert runtime.pool.replaced == before + 1
    for _ in range(50):  # a killed process is listed until the kernel has come to it
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        if mark not in listed:
            break
        time.sleep(0.1)
    assert mark not in listed


def test_workers_know_neither_torch_nor_the_environment(runtime, monkeypatch):
    monkeypatch.setenv("A_SECRET_KEY", "x")
    fresh = Runtime(workers=1)
    assert [o.value for o in run(fresh, "torch", "secret")] == [0.0, 0.0]
    fresh.close()


def test_a_user_error_of_the_verifier_stops_the_batch_and_the_runtime_goes_on(runtime):
    with pytest.raises(UserError, match="options: nothing fits"):
        run(runtime, "value 1", "refuse")
    assert run(runtime, "value 3")[0].value == 3.0


def test_it_works_in_threads(runtime):
    found = {}
    threads = [
        threading.Thread(target=lambda i=i: found.update({i: run(runtime, *[f"value {i}"] * 20)})) for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {i: {o.value for o in outcomes} for i, outcomes in found.items()} == {i: {float(i)} for i in range(4)}


def test_a_verifier_may_say_how_long_it_takes(runtime):
    assert [o.kind for o in run(runtime, "0", "0.4", reward=own_time)] == ["value", "timeout"]
    assert [o.kind for o in run(runtime, "0.7", reward=own_time, timeout=5.0)] == ["value"]


def test_workers_die_with_the_program_even_when_it_is_killed(tmp_path):
    script = (
        "import os, sys, time\n"
        "from tests.rewards.runtime.test_runtime import *\n"
        "runtime = Runtime(workers=2, timeout=60)\n"
        "run(runtime, 'value 1', 'value 2')\n"
        "print(*[w.process.pid for w in runtime.pool._workers], flush=True)\n"
        "run(runtime, 'ignore', 'hold')\n"
    )
    root = Path(__file__).resolve().parents[3]
    env = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}"}
    program = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=env, cwd=root)
    pids = [int(pid) for pid in program.stdout.readline().split()]
    assert len(pids) == 2
    time.sleep(0.2)
    program.kill()
    program.wait()
    deadline = time.monotonic() + 5
    while (alive := [pid for pid in pids if running(pid)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR2])
def test_signals_that_a_scheduler_sends_to_everybody_are_left_to_the_program(runtime, number):
    run(runtime, "value 1")
    before = runtime.pool.replaced
    for worker in runtime.pool._workers:
        os.kill(worker.process.pid, number)
    assert [o.value for o in run(runtime, *["value 1"] * 8)] == [1.0] * 8
    assert runtime.pool.replaced == before


def test_rows_without_a_value_are_no_zeros():
    outcomes = [Outcome("value", 0.5), Outcome("abstain"), Outcome("timeout", problem="slow", seconds=9.0)]
    scores = scores_of("mine", outcomes)
    assert scores.total.tolist() == [0.5, 0.0, 0.0]
    assert scores.valid.tolist() == [True, False, False]
    assert torch.isnan(scores.components["mine"]).tolist() == [False, True, True]
    assert scores.outcomes["mine"].problem == "slow"
    assert scores.outcomes["mine"].share("timeout") == pytest.approx(1 / 3)
    assert scores_of("mine", outcomes[:1]).valid is None


def test_without_a_runtime_the_function_is_called_in_the_program():
    scores = scored(misbehave(factor=3.0), [prompt()] * 3, completions("value 1", "abstain", "raise x"))
    assert scores.total.tolist() == [3.0, 0.0, 0.0]
    assert scores.valid.tolist() == [True, False, False]


def test_a_wrong_option_is_refused_when_the_reward_is_built():
    with pytest.raises(TypeError, match="facter"):
        misbehave(facter=3.0)


def steps(watching, *kinds, rows=64):
    """The kinds of each step, as shares of its rows, through `watch`."""
    for shares in kinds:
        outcomes = [Outcome(kind) for kind, share in shares.items() for _ in range(round(share * rows))]
        outcomes += [Outcome("value", 1.0)] * (rows - len(outcomes))
        metrics = watching.watch(scores_of("mine", outcomes))
    return metrics


def test_a_run_goes_on_below_the_threshold_and_says_how_calls_ended():
    metrics = steps(Runtime(max_failed=0.1), {"timeout": 1 / 16, "abstain": 1 / 4})
    assert metrics["outcomes/mine/timeout"] == pytest.approx(1 / 16)
    assert metrics["outcomes/mine/abstain"] == pytest.approx(1 / 4)
    assert metrics["outcomes/mine/error"] == 0.0


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ([{"timeout": 0.125}], r"reward mine: 12% of the last 64 calls timed out or broke.*max_failed=0\.1"),
        ([{"error": 0.0625, "timeout": 0.0625}], "timed out or broke"),
        ([{}] * 3 + [{"error": 0.5}], "12% of the last 256"),  # 32 of 256
        ([{"abstain": 1.0}], "no verdict on 100%"),
    ],
)
def test_a_run_stops_above_it(kinds, message):
    with pytest.raises(UserError, match=message):
        steps(Runtime(max_failed=0.1), *kinds)


def test_few_rows_decide_nothing_and_old_ones_are_forgotten():
    steps(Runtime(max_failed=0.1), {"error": 1.0}, rows=32)
    late = Runtime(max_failed=0.1)
    steps(late, {"error": 0.09375}, *[{}] * 40)
    with pytest.raises(UserError):
        steps(late, *[{"error": 0.125}] * 4)


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"timeout": 0.0}, {"max_failed": 1.5}, {"memory_gb": -1.0}])
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(UserError, match=f"reward_runtime.{next(iter(wrong))}="):
        Runtime(**wrong)
