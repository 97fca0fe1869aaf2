"""The endpoint of the data pipelines, made when it is first needed; its messages name their options."""

from __future__ import annotations

from crucible.errors import UserError
from crucible.rewards.judge.endpoint import Endpoint

WORDS = (
    ("reward.endpoint.url", "endpoint"), ("reward.endpoint.model", "endpoint_model"),
    ("reward.endpoint.key_variable", "key_variable"), ("reward.endpoint.", "endpoint_"),
)  # fmt: skip


class Client:
    def __init__(self, url: str, model: str, key_variable: str | None, max_tokens: int, retries: int, concurrency: int):
        self.url, self.model, self.key_variable = url, model, key_variable
        self.max_tokens, self.retries, self.concurrency = max_tokens, retries, concurrency

    def __call__(self, temperature: float) -> Endpoint:
        if not self.url or not self.model:
            raise UserError("an endpoint is asked for: give endpoint=http://... and endpoint_model=NAME")
        return Endpoint(
            url=self.url, model=self.model, key_variable=self.key_variable, temperature=temperature,
            max_tokens=self.max_tokens, retries=self.retries, concurrency=self.concurrency,
        )  # fmt: skip
