"""Texts from an OpenAI-compatible endpoint (solutions, tests): each is asked for once and kept on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from crucible.errors import UserError
from crucible.rewards.judge.cache import Cache, Reply
from crucible.rewards.judge.endpoint import Endpoint, Failure


class Dying(UserError):
    """An endpoint that stopped answering. What it has answered is kept."""


class Writer:
    """The client and the cache of `reward=llm_judge`, for replies that are text and not verdicts."""

    def __init__(self, endpoint: Endpoint, folder: Path):
        self.endpoint, self.folder = endpoint, folder
        self.problem = ""

    def ask(self, questions: Sequence[tuple[str, int]]) -> list[str | None]:
        """The reply to each (text, number of the sample); None where the endpoint failed: see `problem`.

        Errors: UserError where the endpoint refuses us. What was answered before is in the cache.
        """
        self.problem, self.cache = "", Cache(self.folder)
        once = list(dict.fromkeys(questions))
        self.endpoint.stopped.clear()
        with ThreadPoolExecutor(min(self.endpoint.concurrency, len(once) or 1), thread_name_prefix="writer") as threads:
            try:
                found = dict(zip(once, threads.map(self._one, once), strict=True))
            except BaseException:
                self.endpoint.stopped.set()
                raise
        return [found[question] for question in questions]

    def _one(self, question: tuple[str, int]) -> str | None:
        text, number = question
        asked = json.dumps([text, number, self.endpoint.model, self.endpoint.options], sort_keys=True)
        key = hashlib.blake2b(asked.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()
        if (known := self.cache.get(key)) is not None:
            return known.text
        if self.endpoint.stopped.is_set():
            return None
        try:
            reply, _ = self.endpoint.ask(text)
        except UserError:
            self.endpoint.stopped.set()
            raise
        if isinstance(reply, Failure):
            self.problem = self.problem or reply.problem
            self.endpoint.stopped.set()  # it has failed several times in a row: what waits would too
            return None
        assert isinstance(reply, Reply)
        self.cache.put(key, reply)
        return reply.text


def dying(what: str, missing: int, problem: str) -> Dying:
    return Dying(
        f"the endpoint gave no {what} for {missing} of the requests ({problem or 'they were not begun'}); what it gave "
        "is kept: run the same command again to go on, nothing is asked twice"
    )
