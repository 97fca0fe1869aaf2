"""The vLLM engines without vLLM: weights on their way, sleeping, servers that do not answer, what is refused."""

from __future__ import annotations

import copy
import io
import json
import os
import socket
import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoConfig, AutoTokenizer

from crucible.config.compose import compose
from crucible.errors import UserError
from crucible.ranks import ALONE
from crucible.rollout.from_main import EngineOfMain
from crucible.rollout.vllm import base, in_process
from crucible.rollout.vllm.base import VLLMRollouts, row_seed
from crucible.rollout.vllm.client import Client, Gone, Hangs, Refused, address_of
from crucible.rollout.vllm.in_process import VLLMEngine, undisturbed
from crucible.rollout.vllm.server import VLLMServerEngine
from crucible.rollout.vllm.stream import offered, received, send
from crucible.rollout.vllm.weights import named_weights, write_folder
from crucible.rundir import read_metrics
from crucible.types import Prompt, Sampling
from tests.conftest import ROOT
from tests.policy.models import llama, qwen3

# -- weights ------------------------------------------------------------------------------------

TENSORS = {
    "a": torch.randn(3, 4),
    "half": torch.randn(2, 2).to(torch.bfloat16),
    "number": torch.tensor(7),
    "none": torch.empty(0, 3),
    "turned": torch.randn(3, 2).T,
}


def same(found, expected):
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value)


def test_weights_come_through_a_stream_as_they_are():
    out = io.BytesIO()
    assert send(out, TENSORS.items()) == 5
    same(dict(received(io.BytesIO(out.getvalue()))), TENSORS)


@pytest.mark.parametrize("lost", [1, 2, 20, 60])
def test_a_stream_that_breaks_off_is_an_error(lost):
    out = io.BytesIO()
    send(out, TENSORS.items())
    with pytest.raises(EOFError):
        list(received(io.BytesIO(out.getvalue()[:-lost])))


def fetch(offer, token):
    with socket.create_connection((offer.host, offer.port), timeout=5) as connection:
        connection.sendall(token.encode() + b"\n")
        with connection.makefile("rb") as source:
            return dict(received(source))


def test_an_offer_is_for_those_who_know_its_token_and_for_all_workers():
    with offered("127.0.0.1", TENSORS.items) as offer:
        same(fetch(offer, offer.token), TENSORS)
        same(fetch(offer, offer.token), TENSORS)
        with pytest.raises(EOFError):
            fetch(offer, "guess")
    assert offer.tensors == [5, 5]
    assert offer.problem is None


def test_an_error_while_weights_are_made_is_kept_for_the_trainer():
    def broken():
        yield "a", TENSORS["a"]
        raise ValueError("no more")

    with offered("127.0.0.1", broken) as offer, pytest.raises(EOFError):
        fetch(offer, offer.token)
    assert "no more" in str(offer.problem)


@pytest.mark.parametrize("policy", [qwen3(), llama()], ids=["tied", "untied"])
def test_every_parameter_is_handed_over_once_by_its_own_name(policy):
    found = dict(named_weights(policy))
    assert ("lm_head.weight" in found) == (not policy.model.config.tie_word_embeddings)
    same(found, {name: p.detach() for name, p in policy.model.named_parameters()})


def with_lora(policy):
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    policy.model = peft.get_peft_model(policy.model, config)
    for name, p in policy.model.named_parameters():
        if "lora_B" in name:  # zero at first, and an adapter that does nothing shows nothing
            torch.nn.init.normal_(p, std=0.1, generator=torch.Generator().manual_seed(len(name)))
    return policy


def test_adapters_are_added_to_what_they_adapt():
    plain = dict(qwen3().model.named_parameters())
    policy = with_lora(qwen3())
    found = dict(named_weights(policy))
    merged = dict(copy.deepcopy(policy.model).merge_and_unload().named_parameters())
    assert list(found) == list(plain)
    for name, value in found.items():
        torch.testing.assert_close(value, merged[name].detach(), rtol=0, atol=1e-7)
    changed = [name for name in found if not torch.equal(found[name], plain[name])]
    assert len(changed) == 14  # seven projections in each of two layers
    assert all(torch.equal(p, plain[n.replace(".base_layer", "")]) for n, p in base_parameters(policy))


def base_parameters(policy):
    base_model = policy.model.get_base_model()
    return [(name, p) for name, p in base_model.named_parameters() if "lora_" not in name]


@pytest.mark.parametrize("make", [qwen3, lambda: with_lora(qwen3())], ids=["plain", "lora"])
def test_the_folder_holds_the_model_without_its_weights(make, tmp_path):
    policy = make()
    write_folder(policy, tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).architectures == ["Qwen3ForCausalLM"]
    assert AutoTokenizer.from_pretrained(tmp_path).eos_token_id == policy.eos_id
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".safetensors", ".bin")]


# -- in process ---------------------------------------------------------------------------------


class Recorder:
    """Stands in for vllm.LLM: notes what is asked of it."""

    def __init__(self):
        self.calls = []

    def collective_rpc(self, method, kwargs):
        list(kwargs["weights"])
        self.calls.append(method)

    def reset_prefix_cache(self):
        self.calls.append("reset")
        return True

    def sleep(self, level):
        self.calls.append(f"sleep {level}")

    def wake_up(self, tags):
        self.calls.append(f"wake {tags[0]}")

    def taken(self):
        calls, self.calls = self.calls, []
        return calls


@pytest.fixture
def recorded(monkeypatch):
    """An engine on a GPU, as far as it can tell, whose completions are two end tokens apart from `Recorder`'s notes."""
    monkeypatch.setattr(in_process, "refuse", lambda: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(VLLMEngine, "_load", lambda self, *_, **options: Recorder())

    def complete(self, prompts, samples, sampling):
        self.llm.calls.append("complete")
        return [base.Row([self.policy.eos_id], [-1.0], True)] * (len(prompts) * samples)

    monkeypatch.setattr(VLLMEngine, "complete", complete)
    monkeypatch.setattr(in_process, "random_state", dict)
    monkeypatch.setattr(in_process, "restore_random_state", lambda state: None)
    engine = VLLMEngine(qwen3(), report=lambda line: None)
    engine.compared = True
    return engine


SOME = Sampling(max_tokens=4)


def test_it_sleeps_but_for_sampling_and_gets_the_weights_before_the_memory_of_its_cache(recorded):
    assert recorded.llm.taken() == ["sleep 2"]
    recorded.generate([Prompt("a", "1+1=")], 2, SOME)
    awake = ["wake weights", "crucible_load_weights", "wake kv_cache", "reset", "complete"]
    assert recorded.llm.taken() == [*awake, "sleep 2"]
    with recorded.behind() as version:
        assert version == 0
        for _ in range(2):
            recorded.generate([Prompt("a", "1+1=")], 2, SOME)
        recorded.sync(5)
        recorded.generate([Prompt("a", "1+1=")], 2, SOME)
    assert recorded.llm.taken() == [*awake, "complete", "crucible_load_weights", "reset", "complete", "sleep 2"]


def test_an_error_while_sampling_does_not_keep_it_awake(recorded, monkeypatch):
    def broken(self, prompts, samples, sampling):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(VLLMEngine, "complete", broken)
    with pytest.raises(RuntimeError, match="out of memory"):
        recorded.generate([Prompt("a", "1+1=")], 2, SOME)
    assert recorded.llm.taken()[-1] == "sleep 2"


def test_a_prefix_cache_that_cannot_be_emptied_is_an_error(recorded, monkeypatch):
    monkeypatch.setattr(Recorder, "reset_prefix_cache", lambda self: False)
    with pytest.raises(RuntimeError, match="keys and values of old weights"):
        recorded.generate([Prompt("a", "1+1=")], 2, SOME)


def test_what_vllm_sets_for_itself_comes_back(monkeypatch):
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    threads, set_threads = torch.get_num_threads(), torch.set_num_threads
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with undisturbed():
        torch.set_num_threads(threads + 1)
        torch.set_num_threads = lambda n: None
        monkeypatch.setenv("LD_PRELOAD", "libtcmalloc.so")
        torch.rand(7)
    assert torch.set_num_threads is set_threads
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.rand(2), expected)
    assert "LD_PRELOAD" not in os.environ


def test_a_model_that_is_not_the_policys_is_refused_at_once():
    class Wrong(VLLMRollouts):
        def hand_over(self):
            """Loses everything."""

        def complete(self, prompts, samples, sampling):
            return [base.Row([20, 21], [-0.5, -0.5], False)] * (len(prompts) * samples)

    engine = Wrong(qwen3(), name="vllm", max_mismatch=0.05)
    with pytest.raises(UserError, match=r"^rollout=vllm: vLLM's log-probs of qwen3 differ .*max_mismatch=0.05"):
        engine.generate([Prompt("a", "1+1=")], 2, SOME)


def test_weights_count_as_old_after_a_sync_and_after_a_resume():
    given = []

    class Noted(VLLMRollouts):
        def hand_over(self):
            given.append(self.policy_version)

        def complete(self, prompts, samples, sampling):
            return [base.Row([20], [-0.5], False)] * (len(prompts) * samples)

    engine = Noted(qwen3(), name="vllm", max_mismatch=100.0)
    for version in (None, None, 4, None, {"policy_version": 9}):
        if isinstance(version, dict):
            engine.load_state_dict(version)
        elif version is not None:
            engine.sync(version)
        out = engine.generate([Prompt("a", "1+1=")], 2, SOME)
    assert given == [0, 4, 9]
    assert out.policy_version.tolist() == [9, 9]
    assert engine.state_dict() == {"policy_version": 9}


def test_every_row_of_a_batch_has_a_seed_of_its_own_wherever_it_is_sampled():
    whole = [row_seed(Sampling(max_tokens=1, seed=5), row) for row in range(6)]
    part = [row_seed(Sampling(max_tokens=1, seed=5, first_row=4), row) for row in range(2)]
    assert len(set(whole)) == 6
    assert part == whole[4:]
    assert not set(whole) & {row_seed(Sampling(max_tokens=1, seed=6), row) for row in range(6)}
    assert all(0 <= seed < 2**63 for seed in whole)


@pytest.mark.parametrize(
    ("sampling", "message"),
    [({"temperature": 0.005}, "vLLM samples at 0.01 at least"), ({"max_tokens": 0}, "nothing to sample")],
)
def test_what_cannot_be_sampled_is_refused(sampling, message):
    engine = VLLMRollouts(qwen3(), name="vllm", max_mismatch=0.05)
    with pytest.raises(UserError, match=message):
        engine.generate([Prompt("a", "1+1=")], 2, Sampling(**{"max_tokens": 4, **sampling}))


# -- servers ------------------------------------------------------------------------------------


@contextmanager
def serving(answers):
    """An HTTP server: {path: (status, JSON)}, or a function of the request's JSON that gives those."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = answers.get(self.path, (404, {"detail": "Not Found"}))
            status, content = found(json.loads(body)) if callable(found) else found
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = answer

        def log_message(self, *_):
            """Not in the output of the tests."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 256  # as long as a real one's; Python's is 5

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@contextmanager
def silent():
    """Takes every connection and says nothing."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            over.wait(10)

    over = threading.Event()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            over.set()
            server.shutdown()


def test_answers_come_in_the_order_of_their_requests():
    with serving({"/double": lambda request: (200, 2 * request["n"])}) as url:
        client = Client(url, 5.0)
        assert client.answers("/double", [{"n": n} for n in range(150)]) == [2 * n for n in range(150)]
        assert client.own_address() == "127.0.0.1"


@pytest.mark.parametrize(("status", "error"), [(400, Refused), (404, Refused), (500, Gone)])
def test_a_request_that_is_refused_and_one_that_breaks_the_server(status, error):
    answers = {"/x": (status, {"why": "it is so"})}
    with serving(answers) as url, pytest.raises(error, match=f"status {status}.*it is so"):
        Client(url, 5.0).answers("/x", [{}])


@pytest.mark.parametrize(("health", "error"), [(200, Refused), (503, Gone)])
def test_an_error_of_a_server_whose_engine_is_dead_is_its_death(health, error):
    with serving({"/x": (500, {}), "/health": (health, {})}) as url, pytest.raises(error):
        Client(url, 5.0).answer("POST", "/x", json={})


def test_a_server_that_is_not_there_and_one_that_says_nothing():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = Client(f"http://127.0.0.1:{free.getsockname()[1]}", 5.0)
    for call in (lambda: nobody.answers("/x", [{}]), lambda: nobody.answer("GET", "/x"), nobody.own_address):
        with pytest.raises(Gone):
            call()
    assert not nobody.healthy()
    with silent() as url:
        for call in (lambda c: c.answers("/x", [{}, {}]), lambda c: c.answer("GET", "/x")):
            with pytest.raises(Hangs):
                call(Client(url, 0.3))


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://", "http://host:port"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(UserError, match=r"give an address like http://localhost:8000"):
        address_of(url)


ABOUT = {"results": [{"logprobs_mode": "processed_logprobs", "dtype": "torch.float32"}]}
GOOD = {
    "/health": (200, {}),
    "/v1/models": (200, {"data": [{"id": "mine", "max_model_len": 64}]}),
    "/collective_rpc": (200, ABOUT),
}


def at(url, **options):
    return VLLMServerEngine(qwen3(context_length=64), report=lambda line: None, run_dir=None, url=url, **options)


def test_a_server_at_a_url_is_taken_as_it_is():
    with serving(GOOD) as url:
        assert at(url).model_name == "mine"
        assert at(f"{url}/v1").client.url == url


@pytest.mark.parametrize(
    ("wrong", "options", "message"),
    [
        ({}, {"model_name": "mime"}, r'rollout.model_name=mime: .* has no such model \(did you mean "mine"\?\)'),
        ({"/v1/models": (200, {"data": [{"id": "mine", "max_model_len": 32}]})}, {}, "its context is 32 tokens .* 64"),
        ({"/collective_rpc": (404, {})}, {}, "takes no weights: start it with VLLM_SERVER_DEV_MODE=1 and --worker-ext"),
        (
            {"/collective_rpc": (200, {"results": [{"logprobs_mode": "raw_logprobs"}]})},
            {},
            "start it with --logprobs-mode processed_logprobs",
        ),
        ({"/health": (503, {})}, {"start_timeout": 0.3}, r"did not answer within 0.3 s \(rollout.start_timeout\)"),
    ],
)
def test_a_server_with_other_numbers_is_refused_in_one_line(wrong, options, message):
    with serving(GOOD | wrong) as url, pytest.raises(UserError, match=message) as refused:
        at(url, **options)
    assert "\n" not in str(refused.value)


def test_a_server_at_a_url_that_is_lost_again_and_again():
    said = []
    with serving(GOOD) as url:
        engine = at(url, restarts=2)
        engine.report, engine.stale, engine.compared = said.append, False, True
        engine._come_up = lambda: None
    with pytest.raises(UserError, match=r"was lost in all 3 attempts at a batch \(rollout.restarts=2\): ConnectError"):
        engine.generate([Prompt("a", "1+1=")], 2, SOME)
    assert len(said) == 2


def test_the_engine_of_the_main_process_serves_all_ranks():
    class Noted(VLLMRollouts):
        def hand_over(self):
            """To nobody."""

        def complete(self, prompts, samples, sampling):
            return [base.Row([20], [-0.5], False)] * (len(prompts) * samples)

    engine = EngineOfMain(Noted(qwen3(), name="x", max_mismatch=100.0), ALONE)
    engine.sync(3)
    with engine.behind() as version:
        assert version == 3
    assert len(engine.generate([Prompt("a", "1+1=")], 2, SOME)) == 2
    engine.load_state_dict({"policy_version": 8})
    assert engine.state_dict() == {"policy_version": 8}
    other = EngineOfMain(None, SimpleNamespace(from_main=lambda item: "told"))
    other.sync(1)
    other.load_state_dict({})
    assert other.state_dict() == {}
    assert other.generate([Prompt("a", "1+1=")], 2, SOME) == "told"


# -- runs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["vllm", "vllm_server"])
def test_without_vllm_a_run_is_refused_before_a_model_loads(small_run, monkeypatch, option, tmp_path):
    monkeypatch.setattr(base, "find_spec", lambda name: None)
    monkeypatch.setattr("crucible.policy.tiny.untrained", lambda **_: pytest.fail("a model was made"))
    assert compose([f"rollout={option}"], ROOT).config["rollout"]["max_mismatch"] == 0.05
    with pytest.raises(UserError) as refused:
        small_run(f"rollout={option}")
    assert str(refused.value) == (
        f"rollout={option} needs vLLM, which is not installed: make setup-vllm (CPU) or pip install -e '.[vllm]' (GPU)"
    )
    assert not list((tmp_path / "runs").rglob("config.yaml"))


def updates(path):
    return [row for row in read_metrics(path) if row["kind"] == "update"]


def test_the_mismatch_with_an_engine_apart_is_measured_whatever_the_ratio_is_taken_against(small_run):
    keep = ("algo=grpo", "algo/filter=keep_all", "steps=1")
    own = updates(small_run(*keep, "run_id=own"))
    apart = updates(small_run(*keep, "run_id=apart", "rollout._target_=tests.rollout.apart.Apart"))
    assert not any(name.startswith("mismatch/") for row in own for name in row)
    assert not any(name.startswith("mismatch/") for name in apart[0])  # of the step: with its last update
    assert abs(apart[1]["mismatch/kl"]) < 1e-4
    assert 0 < apart[1]["mismatch/max"] < 1e-4
    assert apart[1]["mismatch/ess"] == pytest.approx(1.0)
    assert apart[1]["policy/loss"] == own[1]["policy/loss"]


def test_the_mismatch_shows_weights_that_were_not_handed_over(small_run, monkeypatch):
    """The log-probs of old weights: what a forgotten sync would give."""
    from tests.rollout.apart import Apart

    generate = Apart.generate

    def old(self, prompts, samples, sampling):
        out = generate(self, prompts, samples, sampling)
        out.sampling_logps = out.sampling_logps - 0.25 * out.mask
        return out

    monkeypatch.setattr(Apart, "generate", old)
    options = ("algo=grpo", "algo/filter=keep_all", "steps=1", "rollout._target_=tests.rollout.apart.Apart")
    row = updates(small_run(*options))[1]
    assert row["mismatch/kl"] == pytest.approx(-0.25, abs=1e-3)
    assert row["mismatch/max"] == pytest.approx(0.25, abs=1e-3)
