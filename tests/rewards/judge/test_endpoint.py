"""The endpoint against a server that fails in every way it is told to; and the key, which goes nowhere else."""

from __future__ import annotations

import threading
import time

import pytest

from crucible.errors import UserError
from crucible.rewards.judge.cache import Reply
from crucible.rewards.judge.endpoint import Endpoint, Failure, _Pace
from tests.rewards.judge.server import serving

KEY = "wobbly.quokka.Zq7"  # of no shape that would give it away


@pytest.fixture
def server():
    with serving(lambda text: f"said {text}") as running:
        yield running


@pytest.mark.parametrize("failure", ["429", "500", "503", "408", "garbage", "empty", "cut", "reset"])
def test_what_passes_is_tried_again(server, failure):
    server.script = [failure, failure]
    found, requests = server.endpoint(retries=2).ask("x")
    assert found == Reply("said x", "stop", 100, 10)
    assert requests == 3


@pytest.mark.parametrize(
    ("failure", "kind", "words"),
    [
        ("500", "error", "status 500"), ("garbage", "error", "no chat completion"), ("cut", "error", "judge: "),
        ("reset", "error", "judge: "), ("hang", "timeout", "0.3 s"), ("drip", "timeout", "0.3 s"),
    ],
)  # fmt: skip
def test_what_does_not_pass_is_an_outcome(server, failure, kind, words):
    server.script = [failure] * 2
    began = time.monotonic()
    found, requests = server.endpoint(retries=1, timeout=0.3).ask("x")
    assert isinstance(found, Failure)
    assert found.kind == kind
    assert words in found.problem
    assert requests == 2
    assert time.monotonic() - began < 3


def test_what_another_attempt_would_meet_again_is_not_repeated(server):
    server.script = ["400"]
    found, requests = server.endpoint(retries=3).ask("x")
    assert isinstance(found, Failure)
    assert requests == 1


@pytest.mark.parametrize("status", ["401", "403", "404"])
def test_being_refused_stops_the_run_and_does_not_tell_the_key(server, status, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", KEY)
    endpoint = server.endpoint(key_variable="JUDGE_KEY")
    server.script = [status]
    with pytest.raises(UserError, match=f"status {status}") as caught:
        endpoint.ask("x")
    assert "no, Bearer" in str(caught.value), "the server said the key in its answer"
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_key_is_in_the_header_alone(server, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", f" {KEY}\n")
    endpoint = server.endpoint(key_variable="JUDGE_KEY")
    endpoint.ask("x")
    assert [h["Authorization"] for h in server.headers] == [f"Bearer {KEY}"] * 2
    assert KEY not in str(server.bodies)
    assert KEY not in repr(endpoint)
    assert "Authorization" not in _headers_without_key(server)


def _headers_without_key(server):
    server.endpoint().ask("y")
    return server.headers[-1]


def test_the_request_is_what_was_asked_for(server):
    server.endpoint(temperature=0.5, max_tokens=7, body={"seed": 3}).ask("x")
    message = {"role": "user", "content": "x"}
    expected = {"model": "judge-1", "messages": [message], "temperature": 0.5, "max_tokens": 7, "seed": 3}
    assert server.bodies == [expected]


def test_it_waits_as_long_as_the_server_asks(server):
    server.script = ["wait"]
    began = time.monotonic()
    assert isinstance(server.endpoint(retries=1).ask("x")[0], Reply)
    assert time.monotonic() - began >= 1.0


def test_requests_begin_no_faster_than_allowed():
    pace, stopped, began = _Pace(1200), threading.Event(), time.monotonic()
    threads = [threading.Thread(target=pace.wait, args=(stopped,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began >= 4 * 60 / 1200


def test_an_endpoint_that_is_not_there_is_refused_when_it_is_made():
    with pytest.raises(UserError, match=r"reward\.endpoint\.url=http://127\.0\.0\.1:9/v1 cannot be reached"):
        Endpoint(url="http://127.0.0.1:9/v1", model="judge-1")


def test_a_model_that_is_not_there_is_refused_when_it_is_made(server):
    with pytest.raises(UserError, match='did you mean "judge-1"'):
        server.endpoint(model="judge-2")
    server.models = []
    server.endpoint(model="anything")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "localhost:8000"}, "give an address"),
        ({"key_variable": "NO_SUCH_VARIABLE"}, "NO_SUCH_VARIABLE: this environment variable is not set"),
        ({"timeout": 0.0}, r"timeout=0\.0: must be above 0"),
        ({"requests_per_minute": -1.0}, "must be above 0"),
        ({"concurrency": 0}, "concurrency=0: must be at least 1"),
        ({"retries": -1}, "retries=-1"),
    ],
)
def test_bad_options_are_refused_in_one_line(server, options, message):
    with pytest.raises(UserError, match=message) as caught:
        server.endpoint(**options)
    assert "\n" not in str(caught.value)
