"""Many questions to a judge: each different one is asked once, and never again once it is in the cache."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from crucible.errors import UserError
from crucible.rewards.judge.cache import Cache, Reply
from crucible.rewards.judge.endpoint import Endpoint, Failure
from crucible.rewards.judge.template import Template
from crucible.rewards.runtime.outcome import Kind, Outcome

MARK_CHARACTERS = 12


@dataclass(slots=True)
class Asked:
    """What became of a list of questions, in their order. What was not asked now cost nothing."""

    outcomes: list[Outcome]
    tokens: list[int]  # billed for this question, prompt and reply
    requests: list[int]  # HTTP requests made for it, 0 where the reply was known
    bill: list[tuple[int, int]] = field(default_factory=list)  # prompt and reply tokens


class Judge:
    """A template, an endpoint and a cache. Thread-safe as a whole: one call at a time asks in many threads.

    The key of a question is a hash of the template, the fields, the model and the options of the request: not of the
    address, which differs from job to job. Its first characters are the mark in the text.
    """

    def __init__(self, template: Template, endpoint: Endpoint, folder: Path):
        self.template, self.endpoint, self.cache = template, endpoint, Cache(folder)

    def key(self, fields: Mapping[str, str]) -> str:
        asked = [self.template.text, dict(fields), self.endpoint.model, self.endpoint.options]
        return hashlib.blake2b(json.dumps(asked, sort_keys=True).encode(), digest_size=20).hexdigest()

    def ask(self, questions: Sequence[Mapping[str, str]]) -> Asked:
        """Errors: UserError where the endpoint refuses us; replies that came before are in the cache by then."""
        keys = [self.key(fields) for fields in questions]
        found: dict[str, tuple[Reply | Failure, int, float]] = {}
        for key in keys:
            if key not in found and (reply := self.cache.get(key)) is not None:
                found[key] = (reply, 0, 0.0)
        found |= self._fetch({key: f for key, f in zip(keys, questions, strict=True) if key not in found})
        asked, first = Asked([], [], []), set[str]()
        for key in keys:
            result, requests, seconds = found[key]
            paid = key not in first and requests > 0
            first.add(key)
            asked.outcomes.append(self.outcome(result, seconds))
            bill = (result.prompt_tokens, result.completion_tokens) if paid and isinstance(result, Reply) else (0, 0)
            asked.bill.append(bill)
            asked.tokens.append(sum(bill))
            asked.requests.append(requests if paid else 0)
        return asked

    def _fetch(self, questions: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[Reply | Failure, int, float]]:
        if not questions:
            return {}
        self.endpoint.stopped.clear()
        with ThreadPoolExecutor(min(self.endpoint.concurrency, len(questions)), thread_name_prefix="judge") as threads:
            waiting = {key: threads.submit(self._one, key, fields) for key, fields in questions.items()}
            try:
                wait(waiting.values(), return_when=FIRST_EXCEPTION)
                return {key: future.result() for key, future in waiting.items()}
            except BaseException:  # refused, or Ctrl-C: what waits is not asked, what is under way is not repeated
                self.endpoint.stopped.set()
                for future in waiting.values():
                    future.cancel()
                raise

    def _one(self, key: str, fields: Mapping[str, str]) -> tuple[Reply | Failure, int, float]:
        began = time.perf_counter()
        if self.endpoint.stopped.is_set():
            return Failure("error", "the run was stopping"), 0, 0.0
        try:
            result, requests = self.endpoint.ask(self.template.filled(fields, key[:MARK_CHARACTERS]))
        except UserError:
            self.endpoint.stopped.set()  # what waits behind this one would be refused too
            raise
        if isinstance(result, Reply):
            self.cache.put(key, result)
        return result, requests, time.perf_counter() - began

    def outcome(self, result: Reply | Failure, seconds: float) -> Outcome:
        """A verdict is a value; a reply without one an abstention."""
        if isinstance(result, Failure):
            kind: Kind = "timeout" if result.kind == "timeout" else "error"
            return Outcome(kind, problem=result.problem, seconds=seconds)
        value = self.template.value(result.text)
        if value is None:
            return Outcome("abstain", seconds=seconds)
        return Outcome("value", value, seconds=seconds)
