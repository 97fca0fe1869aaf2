"""Who reads the findings out of the texts: rules, the file itself, or a model behind an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, cast

from crucible.feedback.corpus import prompts
from crucible.feedback.corpus.items import Item, plain
from crucible.feedback.extract import RuleExtractor
from crucible.feedback.records import Feedback, Finding, Judgement
from crucible.verification.writer import Writer, dying

Numbered = tuple[int, Item]
Extracted = dict[str, Any]  # response, findings (each with its annotator), unread


class Extraction(Protocol):
    """`made_from`: what the findings depend on; `at_once`: responses that are read together."""

    made_from: Mapping[str, Any]
    at_once: int

    def of(self, some: Sequence[Numbered]) -> Iterator[Extracted]:
        """A line for each response, in order. An endpoint that dies gives what it can before it raises."""
        ...


class ByRules:
    at_once = 256

    def __init__(self, extractor: RuleExtractor):
        self.extractor = extractor
        names = ("match", "own_words_rate", "reword_rate", "fabrication_rate", "seed")
        self.made_from: Mapping[str, Any] = {"extractor": "rules", **{name: getattr(extractor, name) for name in names}}

    def of(self, some: Sequence[Numbered]) -> Iterator[Extracted]:
        for number, item in some:
            texts = [self.extractor.extract(Feedback(number, t.annotator, t.text)) for t in item.texts]
            yield line(number, [plain(finding) for found in texts for finding in found])


class AsGiven:
    at_once = 256
    made_from: Mapping[str, Any] = {"extractor": "given"}

    def of(self, some: Sequence[Numbered]) -> Iterator[Extracted]:
        for number, item in some:
            yield line(number, [{"annotator": t.annotator, **f} for t in item.texts for f in t.findings or ()])


class ByEndpoint:
    """One question for each text (2509.21319: one call per feedback text). Replies are kept and asked for once."""

    def __init__(self, model: str, options: Mapping[str, Any], at_once: int, make: Callable[[], Writer]):
        self.at_once, self._make = max(1, at_once), make
        self.writer: Writer | None = None
        self.made_from: Mapping[str, Any] = {"extractor": f"endpoint {model}", **options, "prompt": prompts.digest()}

    def connect(self) -> None:
        """Errors: UserError for an endpoint that is not there. Not needed where all is extracted."""
        self.writer = self.writer or self._make()

    def of(self, some: Sequence[Numbered]) -> Iterator[Extracted]:
        self.connect()
        assert self.writer is not None
        replies = iter(self.writer.ask([(prompts.extract(t.text), 0) for _, item in some for t in item.texts]))
        answered = [[(t.annotator, next(replies)) for t in item.texts] for _, item in some]
        for (number, _), texts in zip(some, answered, strict=True):
            if any(reply is None for _, reply in texts):
                missing = sum(reply is None for found in answered for _, reply in found)
                raise dying("findings", missing, self.writer.problem)
            found, unread = list[dict[str, str]](), list[dict[str, str]]()
            for annotator, reply in texts:
                read, rest = prompts.findings_in(reply or "")
                found += [{"annotator": annotator, **finding} for finding in read]
                unread += [{"annotator": annotator, **entry} for entry in rest]
            yield line(number, found, unread)


def line(number: int, findings: list[dict[str, str]], unread: Sequence[dict[str, str]] = ()) -> Extracted:
    return {"response": number, "findings": findings, "unread": list(unread)}


def findings_of(row: Extracted) -> list[Finding]:
    return [
        Finding(row["response"], f["annotator"], f["principle"], f["quote"], cast(Judgement, f["judgement"]))
        for f in row["findings"]
    ]
