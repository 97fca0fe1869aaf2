"""An OpenAI-compatible chat endpoint: one question in, one reply or one failure out."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from crucible.errors import UserError, nearest
from crucible.rewards.judge.cache import Reply
from crucible.rundir.secrets import redact

if TYPE_CHECKING:
    import httpx

LONGEST_REPLY = 10_000_000  # bytes of an HTTP answer
LONGEST_PAUSE = 60.0  # seconds between two attempts, whatever the server asks for
PASSING = (408, 409, 425, 429, *range(500, 600))  # status codes that another attempt may not meet
NOT_ALLOWED = (401, 403, 404)  # the endpoint's fault or ours, never the answer's: the run stops


@dataclass(frozen=True, slots=True)
class Failure:
    """`kind` is timeout or error, as in `runtime.outcome`; `passing`: trying again may help."""

    kind: str
    problem: str
    passing: bool = True
    pause: float = 0.0  # seconds the server asked to wait


class Endpoint:
    """`model` at `url` (ending in /v1): greedy unless `temperature`, at most `max_tokens` of a reply.

    The key is read from the environment variable `key_variable` and goes into the Authorization header alone.
    `concurrency` requests are on their way at a time, at most `requests_per_minute` are begun. An attempt may take
    `timeout` seconds; time-outs, broken connections, unreadable replies and status 408, 409, 425, 429 and 5xx are tried
    again `retries` times, after a random time up to `backoff`, doubled each time, or what the server asks for.
    `body` is added to each request, e.g. {seed: 1}.

    Errors: UserError for options out of range, a variable that is not set, and, when it is made, for an endpoint that
    cannot be reached, refuses the key, or lists its models and not this one. Later: status 401, 403 and 404.
    """

    def __init__(
        self,
        *,
        url: str,
        model: str,
        key_variable: str | None = None,
        temperature: float = 0.0,
        max_tokens: int = 512,
        timeout: float = 60.0,
        retries: int = 4,
        backoff: float = 1.0,
        concurrency: int = 16,
        requests_per_minute: float | None = None,
        body: Mapping[str, Any] | None = None,
    ):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"reward.endpoint.url={url}: give an address like http://localhost:8000/v1")
        for name, least, value in (
            ("temperature", 0, temperature), ("max_tokens", 1, max_tokens), ("retries", 0, retries),
            ("backoff", 0, backoff), ("concurrency", 1, concurrency),
        ):  # fmt: skip
            if not value >= least:
                raise UserError(f"reward.endpoint.{name}={value}: must be at least {least}")
        for name, number in {"timeout": timeout, "requests_per_minute": requests_per_minute}.items():
            if number is not None and not number > 0:
                raise UserError(f"reward.endpoint.{name}={number}: must be above 0")
        self.url, self.model, self.timeout, self.retries, self.backoff = (
            url.rstrip("/"),
            model,
            timeout,
            retries,
            backoff,
        )
        self.concurrency, self.pace = concurrency, _Pace(requests_per_minute)
        self.options = {"temperature": temperature, "max_tokens": max_tokens, **(body or {})}
        self.stopped = threading.Event()
        self._key = _key(key_variable)
        self._client = self._connect(loopback=parts.hostname in ("localhost", "127.0.0.1", "::1"))
        self.refuse_unreachable()

    def _connect(self, *, loopback: bool) -> httpx.Client:
        import httpx

        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        limits = httpx.Limits(max_connections=self.concurrency)
        # a judge on this machine is not asked through the proxy of the environment
        return httpx.Client(headers=headers, timeout=self.timeout, limits=limits, trust_env=not loopback)

    def refuse_unreachable(self) -> None:
        """Ask for the list of models, once."""
        import httpx

        try:
            answer = self._client.get(f"{self.url}/models", timeout=min(self.timeout, 10.0))
        except httpx.HTTPError as error:
            raise UserError(f"reward.endpoint.url={self.url} cannot be reached: {self.safe(error)}") from None
        if answer.status_code in (401, 403):
            raise UserError(f"reward.endpoint.url={self.url} refuses us (status {answer.status_code}); {_KEY_HINT}")
        if answer.status_code != 200:
            return  # some servers have no such list
        try:
            known = [str(entry["id"]) for entry in answer.json()["data"]]
        except (ValueError, KeyError, TypeError):
            return
        if known and self.model not in known:
            names = ", ".join(known[:5])
            raise UserError(
                f"reward.endpoint.model={self.model}: not there{nearest(self.model, known)}; it has {names}"
            )

    def ask(self, text: str) -> tuple[Reply | Failure, int]:
        """The reply to one user message, or how the last attempt failed; and the number of attempts."""
        for attempt in range(self.retries + 1):
            self.pace.wait(self.stopped)
            found = self.attempt(text)
            if isinstance(found, Reply) or not found.passing or attempt == self.retries or self.stopped.is_set():
                return found, attempt + 1
            pause = max(found.pause, random.uniform(0, self.backoff * 2**attempt))
            self.stopped.wait(min(pause, LONGEST_PAUSE))
        raise AssertionError("there is at least one attempt")

    def attempt(self, text: str) -> Reply | Failure:
        """One request."""
        import httpx

        request = {"model": self.model, "messages": [{"role": "user", "content": text}], **self.options}
        began = time.monotonic()
        content = bytearray()
        try:
            with self._client.stream("POST", f"{self.url}/chat/completions", json=request) as answer:
                for part in answer.iter_bytes():
                    content += part
                    if time.monotonic() - began > self.timeout:
                        return Failure("timeout", f"the judge's reply took over {self.timeout:g} s")
                    if len(content) > LONGEST_REPLY:
                        return Failure("error", f"the judge's reply has over {LONGEST_REPLY:,} bytes", passing=False)
        except httpx.TimeoutException:
            return Failure("timeout", f"the judge did not answer within {self.timeout:g} s")
        except httpx.HTTPError as error:
            return Failure("error", f"judge: {self.safe(error)}")
        status = answer.status_code
        if status == 200:
            return self.read(bytes(content))
        words = self.safe(content[:300].decode("utf-8", "replace"))
        if status in NOT_ALLOWED:
            hint = _KEY_HINT if status != 404 else "is there such a model, and does the address end in /v1?"
            raise UserError(f"reward.endpoint.url={self.url} answers with status {status}: {words}; {hint}")
        pause = _seconds(answer.headers.get("retry-after", ""))
        return Failure("error", f"judge: status {status}: {words}", passing=status in PASSING, pause=pause)

    def read(self, content: bytes) -> Reply | Failure:
        """The reply in the body of a successful answer."""
        try:
            whole = json.loads(content)
            choice = whole["choices"][0]
            text = choice["message"]["content"]
            usage = whole.get("usage") or {}
            if not isinstance(text, str):
                raise TypeError("the message has no text")
            counts = [int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
            return Reply(text, str(choice.get("finish_reason") or ""), *counts)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            return Failure("error", f"judge: the answer is no chat completion ({self.safe(error)[:80]})")

    def safe(self, problem: object) -> str:
        """Words about a problem on one line, without the key."""
        text = " ".join(str(problem).split()) or type(problem).__name__
        return redact(text.replace(self._key, "[redacted]") if self._key else text)


class _Pace:
    """Begins of requests at least 60 / `per_minute` seconds apart, over all threads."""

    def __init__(self, per_minute: float | None):
        self.gap = 60.0 / per_minute if per_minute else 0.0
        self.next, self.lock = 0.0, threading.Lock()

    def wait(self, stopped: threading.Event) -> None:
        if not self.gap:
            return
        with self.lock:
            now = time.monotonic()
            at = max(self.next, now)
            self.next = at + self.gap
        stopped.wait(at - now)


_KEY_HINT = "reward.endpoint.key_variable names the environment variable with the key"


def _key(variable: str | None) -> str:
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise UserError(f"reward.endpoint.key_variable={variable}: this environment variable is not set")
    return key


def _seconds(text: str) -> float:
    """A Retry-After header in seconds; its other form, a date, is taken for 0."""
    return float(text) if text.isdigit() else 0.0
