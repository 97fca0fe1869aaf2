"""What flows through the feedback pipeline: responses -> feedback -> findings -> triples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from crucible.types import Prompt

Judgement = Literal["yes", "no", "partially"]


@dataclass(frozen=True, slots=True)
class Response:
    """One answer to be judged. `source` says where it comes from, e.g. "demonstration"."""

    prompt: Prompt
    text: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What one annotator wrote about one response. `response` is its number in the list of responses."""

    response: int
    annotator: str
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One principle read out of a feedback text, with the words that are said to support it."""

    response: int
    annotator: str
    principle: str
    quote: str
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Triple:
    """(prompt, response, principle, fulfilment): one training example of a reward model."""

    prompt: Prompt
    response: str
    principle: str
    fulfilled: bool
    source: str = ""


@runtime_checkable
class FeedbackTask(Protocol):
    """A task whose principles a program can check, with the wordings people use for them."""

    name: str

    def principles(self) -> Sequence[str]: ...

    def paraphrases(self, principle: str) -> Sequence[str]: ...

    def fulfils(self, prompt: Prompt, completion: str, principle: str) -> bool: ...


class Extractor(Protocol):
    """Reads findings out of feedback texts (in the paper a large language model, here rules)."""

    def extract(self, feedback: Feedback) -> list[Finding]: ...
