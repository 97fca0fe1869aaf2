"""From rows of a table to prompts. A row that cannot be used is named with its place and the reason."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crucible.data.answers import gold_answer
from crucible.data.split import content_id
from crucible.errors import nearest
from crucible.types import Prompt


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was read: where ("train.jsonl:3"), and its fields or the reason there are none."""

    where: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where} {self.reason}"


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold what, and how a question is put to the model."""

    prompt: str = "prompt"
    answer: str | None = "answer"
    id: str | None = None
    principle: str | None = None
    instruction: str = ""
    system: str = ""
    chat: bool = False
    reference: Mapping[str, str] = field(default_factory=dict)  # further keys of Prompt.reference: their columns


class Unusable(Exception):
    """The reason a row cannot be used."""


def read_rows(rows: Iterable[Row], columns: Columns, source: str) -> tuple[dict[str, Prompt], list[Rejected]]:
    """Prompts by where they come from, and the rows left out.

    Two rows with the same question (up to case and white space), or the same id, are duplicates: the
    first counts, the others are left out.
    """
    prompts: dict[str, Prompt] = {}
    rejected: list[Rejected] = []
    first: dict[str, str] = {}
    for row in rows:
        try:
            prompt, own_id = _prompt(row, columns, source)
            if prompt.id in first:
                raise Unusable(f"asks the same as {first[prompt.id]}")
            if own_id is not None and f"id {own_id}" in first:
                raise Unusable(f"has the id {own_id!r} of {first[f'id {own_id}']}")
        except Unusable as reason:
            rejected.append(Rejected(row.where, str(reason)))
            continue
        first[prompt.id] = row.where
        if own_id is not None:
            first[f"id {own_id}"] = row.where
        prompts[row.where] = prompt
    return prompts, rejected


def _prompt(row: Row, columns: Columns, source: str) -> tuple[Prompt, str | None]:
    if row.problem:
        raise Unusable(row.problem)
    question = _cell(row, columns.prompt, "prompt")
    reference: dict[str, Any] = {}
    if columns.answer is not None:
        answer = _scalar(_cell(row, columns.answer, "answer"), columns.answer)
        reference |= {"answer": gold_answer(answer), "solution": answer}
        if not reference["answer"]:
            raise Unusable(f'has no final answer in column "{columns.answer}"')
    reference |= {key: _cell(row, column, f"reference {key}") for key, column in columns.reference.items()}
    if columns.principle is not None:
        reference["principle"] = _scalar(_cell(row, columns.principle, "principle"), columns.principle)
    own_id = None if columns.id is None else _scalar(_cell(row, columns.id, "id"), columns.id)
    if isinstance(question, str) and not columns.chat:
        plain = _text(question, columns.prompt)
        canonical, text, messages = plain, plain + columns.instruction, ()
    else:
        asked = _messages(question, columns)
        turns = [[m["role"], m["content"]] for m in asked]
        canonical = json.dumps(turns) if len(turns) > 1 else asked[0]["content"]
        last = {"role": "user", "content": asked[-1]["content"] + columns.instruction}
        system = ({"role": "system", "content": columns.system},) if columns.system else ()
        text, messages = "", (*system, *asked[:-1], last)
    prompt = Prompt(
        id=content_id("question", " ".join(canonical.split()).casefold()),
        text=text,
        messages=messages,
        reference=reference,
        source=source,
    )
    return prompt, own_id


def _cell(row: Row, column: str, role: str) -> Any:
    """The value of a column; where no column has that name, a dot looks into a nested one."""
    fields, name = row.fields, column
    while name not in fields:
        outer, dot, inner = name.partition(".")
        if not dot or not isinstance(fields.get(outer), Mapping):
            hint, has = nearest(name, map(str, fields)), ", ".join(map(str, fields)) or "none"
            raise Unusable(f'has no column "{column}" ({role}){hint}; it has: {has}')
        fields, name = fields[outer], inner
    value = fields[name]
    if value is None:
        raise Unusable(f'has null in column "{column}"')
    return value


def _scalar(value: Any, column: str) -> str:
    if isinstance(value, str):
        return _text(value, column)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise Unusable(f'has {str(value)[:40]!r} in column "{column}", which is neither text nor a number')
    return str(value)


def _text(value: str, column: str) -> str:
    if not value.strip():
        raise Unusable(f'has nothing in column "{column}"')
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unusable(f'has half a character (a lone surrogate) in column "{column}"') from None
    return value


def _messages(question: Any, columns: Columns) -> list[dict[str, str]]:
    """The chat of a row: the user's question, or the list of messages the column holds."""
    column = columns.prompt
    if isinstance(question, str):
        return [{"role": "user", "content": _text(question, column)}]
    fits = (
        isinstance(question, list)
        and question
        and all(
            isinstance(m, Mapping) and isinstance(m.get("role"), str) and isinstance(m.get("content"), str)
            for m in question
        )
    )
    if not fits:
        raise Unusable(f'has neither text nor a list of messages with role and content in column "{column}"')
    if question[-1]["role"] != "user":
        raise Unusable(f'has a chat in column "{column}" that does not end with the user')
    return [{"role": m["role"], "content": _text(m["content"], column)} for m in question]
