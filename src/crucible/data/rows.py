"""From rows of a table to prompts. A row that cannot be used is named with its place and the reason."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crucible.data.answers import gold_answer
from crucible.data.cells import Row, Unusable, cell, messages, scalar, text
from crucible.data.given_answers import AnswerColumns, GivenAnswers, read_answers
from crucible.data.split import content_id
from crucible.types import Demonstration, Labelled, Preference, Prompt, Scored


@dataclass(frozen=True, slots=True)
class Rejected:
    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where} {self.reason}"


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold what, and how a question is put to the model."""

    prompt: str | None = "prompt"  # None: what a row's two answers begin with
    answer: str | None = "answer"
    id: str | None = None
    principle: str | None = None
    instruction: str = ""
    system: str = ""
    chat: bool = False
    reference: Mapping[str, str] = field(default_factory=dict)  # further keys of Prompt.reference: their columns
    answers: AnswerColumns = field(default_factory=AnswerColumns)
    answers_optional: bool = False  # a row without those columns is a question alone


@dataclass(frozen=True, slots=True)
class Item:
    """A row that can be used."""

    prompt: Prompt
    answers: GivenAnswers


def read_rows(rows: Iterable[Row], columns: Columns, source: str) -> tuple[dict[str, Item], list[Rejected]]:
    """Items by where they come from, and the rows left out.

    Two rows with the same question (up to case and white space) and the same answers to learn from, or with the same
    id, are duplicates: the first counts, the others are left out.
    """
    items: dict[str, Item] = {}
    rejected: list[Rejected] = []
    first: dict[Any, str] = {}
    for row in rows:
        try:
            item, own_id = _item(row, columns, source)
            same = (item.prompt.id, item.answers)
            if same in first:
                raise Unusable(f"{'says' if item.answers else 'asks'} the same as {first[same]}")
            if own_id is not None and own_id in first:
                raise Unusable(f"has the id {own_id!r} of {first[own_id]}")
        except Unusable as reason:
            rejected.append(Rejected(row.where, str(reason)))
            continue
        first[same] = row.where
        if own_id is not None:
            first[own_id] = row.where
        items[row.where] = item
    return items, rejected


def _item(row: Row, columns: Columns, source: str) -> tuple[Item, str | None]:
    if row.problem:
        raise Unusable(row.problem)
    question, answers = read_answers(row, columns.prompt, columns.answers, optional=columns.answers_optional)
    where = columns.prompt or columns.answers.chosen or ""
    reference: dict[str, Any] = {}
    if columns.answer is not None:
        answer = scalar(cell(row, columns.answer, "answer"), columns.answer)
        reference |= {"answer": gold_answer(answer), "solution": answer}
        if not reference["answer"]:
            raise Unusable(f'has no final answer in column "{columns.answer}"')
    reference |= {key: cell(row, column, f"reference {key}") for key, column in columns.reference.items()}
    if columns.principle is not None:
        reference["principle"] = scalar(cell(row, columns.principle, "principle"), columns.principle)
    own_id = None if columns.id is None else scalar(cell(row, columns.id, "id"), columns.id)
    if isinstance(question, str) and not columns.chat:
        plain = text(question, where)
        canonical, asked, turns = plain, plain + columns.instruction, ()
    else:
        chat = _chat(question, where)
        canonical = json.dumps([[m["role"], m["content"]] for m in chat]) if len(chat) > 1 else chat[0]["content"]
        last = {"role": "user", "content": chat[-1]["content"] + columns.instruction}
        system = ({"role": "system", "content": columns.system},) if columns.system else ()
        asked, turns = "", (*system, *chat[:-1], last)
    prompt = Prompt(
        id=content_id("question", " ".join(canonical.split()).casefold()),
        text=asked,
        messages=turns,
        reference=reference,
        source=source,
    )
    return Item(prompt, answers), own_id


def _chat(question: Any, column: str) -> list[dict[str, str]]:
    """The chat of a row: the user's question, or the list of messages the column holds."""
    if isinstance(question, str):
        return [{"role": "user", "content": text(question, column)}]
    turns = messages(question, column)
    if turns[-1]["role"] != "user":
        raise Unusable(f'has a chat in column "{column}" that does not end with the user')
    return turns


def prompts_of(items: Iterable[Item]) -> tuple[Prompt, ...]:
    """Each question once, as its first row puts it."""
    first: dict[str, Prompt] = {}
    for item in items:
        first.setdefault(item.prompt.id, item.prompt)
    return tuple(first.values())


def demonstrations_of(items: Iterable[Item]) -> tuple[Demonstration, ...]:
    """The completions that are not called bad, and the better one of each pair."""
    found = ((item.prompt, item.answers) for item in items)
    return tuple(
        Demonstration(prompt, answer, answers.weight)
        for prompt, answers in found
        if answers.desirable is not False and (answer := answers.completion or answers.chosen) is not None
    )


def preferences_of(items: Iterable[Item]) -> tuple[Preference, ...]:
    """The pairs."""
    found = ((item.prompt, item.answers.chosen, item.answers.rejected, item.answers.margin) for item in items)
    return tuple(Preference(prompt, a, b, m) for prompt, a, b, m in found if a is not None and b is not None)


def scored_of(items: Iterable[Item]) -> tuple[Scored, ...]:
    """The completions with a score."""
    found = ((item.prompt, item.answers.completion, item.answers.score) for item in items)
    return tuple(Scored(prompt, text, score) for prompt, text, score in found if text is not None and score is not None)


def labelled_of(items: Iterable[Item]) -> tuple[Labelled, ...]:
    """The completions with a label, and both answers of each pair."""
    found = [
        Labelled(item.prompt, item.answers.completion, item.answers.desirable)
        for item in items
        if item.answers.completion is not None and item.answers.desirable is not None
    ]
    for pair in preferences_of(items):
        found += [Labelled(pair.prompt, pair.chosen, True), Labelled(pair.prompt, pair.rejected, False)]
    return tuple(found)
