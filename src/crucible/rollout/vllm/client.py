"""Talking to a vLLM server: what came back, or which of three ways it did not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from crucible.errors import UserError
from crucible.pulse import beat

if TYPE_CHECKING:
    import httpx

AT_ONCE = 128  # requests on their way
HEALTH_S = 5.0  # for the answer that it is well


class Gone(Exception):
    """It is not there any more, or its engine is dead behind its door."""


class Hangs(Exception):
    """It is there and says nothing."""


class Refused(Exception):
    """It answered, and said no."""


class Client:
    """The server at `url`; one that gives no sign for `timeout` seconds hangs."""

    def __init__(self, url: str, timeout: float):
        self.url, self.timeout = url.rstrip("/").removesuffix("/v1"), timeout
        self.host, self.port = address_of(url)
        self.far = self.host not in ("localhost", "127.0.0.1", "::1")  # perhaps behind the environment's proxy

    def healthy(self) -> bool:
        import httpx

        try:
            return httpx.get(f"{self.url}/health", timeout=HEALTH_S, trust_env=self.far).status_code == 200
        except httpx.HTTPError:
            return False

    def own_address(self) -> str:
        """This machine's address, as the server sees it. Errors: Gone."""
        try:
            with socket.create_connection((self.host, self.port), timeout=HEALTH_S) as way:
                return str(way.getsockname()[0])
        except OSError as error:
            raise Gone(f"{type(error).__name__} {error}") from None

    def answer(self, verb: str, path: str, **content: Any) -> Any:
        """Errors: Gone, Hangs, Refused."""
        import httpx

        try:
            found = httpx.request(verb, self.url + path, timeout=self.timeout, trust_env=self.far, **content)
        except httpx.TimeoutException:
            raise Hangs from None
        except httpx.TransportError as error:
            raise Gone(f"{type(error).__name__} {error}") from None
        if found.status_code == 200:
            return found.json()
        raise Refused(words(found)) if self.healthy() else Gone(words(found))

    def call_workers(self, method: str, kwargs: Mapping[str, str] | None = None) -> list[Any]:
        """What a method of `worker.WeightReceiver` returns in each of the server's workers."""
        found = self.answer("POST", "/collective_rpc", json={"method": method, "kwargs": kwargs or {}})
        return list(found["results"])

    def answers(self, path: str, requests: Sequence[Mapping[str, Any]]) -> list[Any]:
        """The answers to many requests, in their order. A sign is the next answer, to whichever.

        Errors: Gone, Hangs, Refused.
        """
        found = asyncio.run(self._all(path, requests))
        for one in found:
            if one.status_code != 200:
                raise (Gone if one.status_code >= 500 else Refused)(words(one))
        return [one.json() for one in found]

    async def _all(self, path: str, requests: Sequence[Mapping[str, Any]]) -> list[httpx.Response]:
        import httpx

        limits = httpx.Limits(max_connections=AT_ONCE)
        async with httpx.AsyncClient(base_url=self.url, timeout=None, limits=limits, trust_env=self.far) as client:
            tasks = [asyncio.ensure_future(client.post(path, json=request)) for request in requests]
            waiting = set(tasks)
            try:
                while waiting:
                    done, waiting = await asyncio.wait(
                        waiting, timeout=self.timeout, return_when=asyncio.FIRST_COMPLETED
                    )
                    if not done:
                        raise Hangs
                    for task in done:
                        task.result()
                    beat()
            except httpx.TransportError as error:
                raise Gone(f"{type(error).__name__} {error}") from None
            finally:
                for task in waiting:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            return [task.result() for task in tasks]


def words(answer: httpx.Response) -> str:
    return f"status {answer.status_code}: {' '.join(answer.text.split())[:300]}"


def address_of(url: str) -> tuple[str, int]:
    """Errors: UserError for what is no address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"rollout.url={url}: give an address like http://localhost:8000")
    return parts.hostname, port or (443 if parts.scheme == "https" else 80)
