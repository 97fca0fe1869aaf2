"""A response with what was written about it: one line of feedback.jsonl, and of a user's own file.

    {"prompt": "...", "response": "...", "feedback": ["...", "..."]}

`prompt` is a text, or messages with role and content (also as `context`). An entry of `feedback` is a text, or
{"annotator": "A", "text": "...", "findings": [{"principle": "...", "quote": "...", "judgement": "yes"}]}; annotators
without a name are A, B, C by their place. `findings` are what somebody read out of the text already (extractor=given);
a judgement is yes, no or partially. Also read: prompt_id, source, domain, language.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from crucible.data.cells import Row, Unusable, cell, has, messages, scalar, text
from crucible.data.split import content_id
from crucible.feedback.records import Finding, Judgement, Response
from crucible.types import Prompt

JUDGEMENTS: tuple[str, ...] = get_args(Judgement)
EXTRA = ("domain", "language")  # kept beside a response and its triples, where known


@dataclass(frozen=True, slots=True)
class Text:
    """What one annotator wrote; `findings` null where nobody has read it yet."""

    annotator: str
    text: str
    findings: tuple[Mapping[str, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    response: Response
    texts: tuple[Text, ...]
    extra: Mapping[str, str] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        texts = [
            {"annotator": t.annotator, "text": t.text} | ({} if t.findings is None else {"findings": list(t.findings)})
            for t in self.texts
        ]
        return {**of_response(self.response), **self.extra, "feedback": texts}


def of_response(response: Response) -> dict[str, Any]:
    prompt = response.prompt
    asked = list(prompt.messages) if prompt.messages else prompt.text
    return {"prompt_id": prompt.id, "prompt": asked, "response": response.text, "source": response.source}


def item_of(row: Row) -> Item:
    """Errors: Unusable."""
    given = cell(row, "feedback", "texts about the response")
    if not isinstance(given, list) or not given:
        raise Unusable('has no list of texts in "feedback"')
    texts = tuple(_text(entry, place) for place, entry in enumerate(given))
    return Item(response_of(row), refuse_namesakes(texts), extra_of(row))


def response_of(row: Row, column: str = "response", source: str = "file") -> Response:
    given = optional(row, "source") or source
    return Response(prompt_of(row, given), whole(row, column, "the response"), given)


def prompt_of(row: Row, source: str) -> Prompt:
    """The prompt of a row; its id is the row's own, or a hash of the content, as `data=jsonl` has it."""
    column = "context" if "context" in row.fields and "prompt" not in row.fields else "prompt"
    value = cell(row, column, "the prompt")
    if isinstance(value, str):
        canonical, asked, turns = text(value, column), value, tuple[dict[str, str], ...]()
    else:
        chat = messages(value, column)
        if chat[-1]["role"] != "user":
            raise Unusable(f'has a chat in column "{column}" that does not end with the user')
        canonical = json.dumps([[m["role"], m["content"]] for m in chat]) if len(chat) > 1 else chat[0]["content"]
        asked, turns = "", tuple(chat)
    name = optional(row, "prompt_id") or content_id("question", " ".join(canonical.split()).casefold())
    return Prompt(id=name, text=asked, messages=turns, source=source)


def extra_of(row: Row) -> dict[str, str]:
    return {name: value for name in EXTRA if (value := optional(row, name))}


def optional(row: Row, column: str) -> str:
    return scalar(cell(row, column, ""), column) if has(row, column) else ""


def whole(row: Row, column: str, role: str) -> str:
    value = cell(row, column, role)
    if not isinstance(value, str):
        raise Unusable(f'has no text in column "{column}"')
    return text(value, column)


def name_of(place: int) -> str:
    """A, B, ..., Z, A1, B1, ..."""
    return chr(ord("A") + place % 26) + (str(place // 26) if place >= 26 else "")


def refuse_namesakes(texts: tuple[Text, ...]) -> tuple[Text, ...]:
    names = [t.annotator for t in texts]
    if double := next((name for name in names if names.count(name) > 1), None):
        raise Unusable(f'has two texts of annotator {double} in "feedback"')
    return texts


def _text(entry: Any, place: int) -> Text:
    where = f'text {place + 1} of "feedback"'
    if isinstance(entry, str):
        return Text(name_of(place), text(entry, "feedback"))
    if not isinstance(entry, Mapping) or not isinstance(entry.get("text"), str):
        raise Unusable(f"has neither text nor an object with text as {where}")
    name = entry.get("annotator", name_of(place))
    if not isinstance(name, str) or not name:
        raise Unusable(f"has no name as annotator of {where}")
    given = entry.get("findings")
    if given is not None and not isinstance(given, list):
        raise Unusable(f"has no list as findings of {where}")
    findings = (
        None if given is None else tuple(finding_of(f, f"finding {i + 1} of {where}") for i, f in enumerate(given))
    )
    return Text(name, text(entry["text"], "feedback"), findings)


def finding_of(given: Any, where: str) -> dict[str, str]:
    """principle, quote and judgement. Errors: Unusable for what lacks one of them, and for another judgement."""
    if not isinstance(given, Mapping):
        raise Unusable(f"has no object as {where}")
    for name in ("principle", "quote", "judgement"):
        if not isinstance(given.get(name), str) or not given[name].strip():
            raise Unusable(f'has no "{name}" in {where}' + ("; a finding needs evidence" if name == "quote" else ""))
        text(given[name], name)
    judgement = given["judgement"].strip().lower()
    if judgement not in JUDGEMENTS:
        raise Unusable(f"has the judgement {given['judgement'][:40]!r} in {where}; one of {', '.join(JUDGEMENTS)}")
    return {"principle": given["principle"], "quote": given["quote"], "judgement": judgement}


def plain(finding: Finding) -> dict[str, str]:
    return {"annotator": finding.annotator, "principle": finding.principle, "quote": finding.quote,
            "judgement": finding.judgement}  # fmt: skip
