"""The answers that a row holds to learn from: a worked one, a better and a worse one, or one called good or bad.

TRL's formats: prompt-completion, conversational ("messages"), preference with an explicit or an implicit prompt, and
unpaired preference (completion and label).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crucible.data.cells import Row, Unusable, cell, has, messages, number, text
from crucible.errors import UserError


@dataclass(frozen=True, slots=True)
class AnswerColumns:
    """Which columns hold answers to learn from. All None: a row is a question alone."""

    completion: str | None = None
    chosen: str | None = None
    rejected: str | None = None
    label: str | None = None
    weight: str | None = None
    margin: str | None = None
    score: str | None = None

    def named(self) -> list[str]:
        columns = (self.completion, self.chosen, self.rejected, self.label, self.weight, self.margin, self.score)
        return [column for column in columns if column is not None]

    def refuse_odd(self, name: str, prompt: str | None) -> None:
        """Errors: UserError for columns that make no row together."""
        if (self.chosen is None) != (self.rejected is None):
            lacking = "chosen_column" if self.chosen is None else "rejected_column"
            raise UserError(f"data={name}: a pair needs both answers; give data.{lacking} as well")
        if self.completion is not None and self.chosen is not None:
            raise UserError(f"data={name}: a row holds a completion or a pair of answers; leave out one of the columns")
        of_completion = (("label_column", self.label), ("weight_column", self.weight), ("score_column", self.score))
        for option, column in of_completion:
            if column is not None and self.completion is None:
                raise UserError(f"data={name}: {option}={column} is about a completion; give completion_column too")
        if self.margin is not None and self.chosen is None:
            raise UserError(
                f"data={name}: margin_column={self.margin} is about a pair; give chosen_column and rejected_column too"
            )
        if prompt is None and self.chosen is None:
            raise UserError(
                f"data={name}: prompt_column=null takes the prompt from what two answers begin with; give "
                "chosen_column and rejected_column, or a prompt_column"
            )


@dataclass(frozen=True, slots=True)
class GivenAnswers:
    """What one row gives: a completion (with a weight, perhaps called desirable or not, or scored), or a pair (perhaps
    with a margin)."""

    completion: str | None = None
    chosen: str | None = None
    rejected: str | None = None
    desirable: bool | None = None
    weight: float = 1.0
    margin: float | None = None
    score: float | None = None

    def __bool__(self) -> bool:
        return self.completion is not None or self.chosen is not None


def read_answers(row: Row, prompt: str | None, columns: AnswerColumns, *, optional: bool) -> tuple[Any, GivenAnswers]:
    """(the question as it stands in the row, the answers). `prompt` is the question's column.

    `optional`: a row without these columns is a question alone. Errors: Unusable.
    """
    if optional and not all(has(row, column) for column in columns.named()):
        return cell(row, prompt or "prompt", "prompt"), GivenAnswers()
    if columns.chosen is not None and columns.rejected is not None:
        return _pair(row, prompt, columns.chosen, columns.rejected, columns.margin)
    assert prompt is not None
    question = cell(row, prompt, "prompt")
    if columns.completion is None:
        return question, GivenAnswers()
    if columns.completion == prompt:
        question, completion = _split(question, prompt)
    else:
        completion = _answer(cell(row, columns.completion, "completion"), columns.completion)
    return question, GivenAnswers(
        completion=completion,
        desirable=None if columns.label is None else _label(cell(row, columns.label, "label"), columns.label),
        weight=1.0 if columns.weight is None else _weight(cell(row, columns.weight, "weight"), columns.weight),
        score=None if columns.score is None else number(cell(row, columns.score, "score"), columns.score),
    )


def _split(value: Any, column: str) -> tuple[list[dict[str, str]], str]:
    """A whole conversation: what comes before its last message, and that message, which is the assistant's."""
    if isinstance(value, str):
        raise Unusable(f'has a text in column "{column}", which is to hold prompt and completion: a list of messages')
    turns = messages(value, column)
    if turns[-1]["role"] != "assistant" or len(turns) < 2:
        raise Unusable(f'has a chat in column "{column}" that does not end with an answer of the assistant')
    return turns[:-1], turns[-1]["content"]


def _answer(value: Any, column: str) -> str:
    """A text, or a list of the one message that is the assistant's."""
    if isinstance(value, str):
        return text(value, column)
    turns = messages(value, column)
    if len(turns) > 1 or turns[0]["role"] != "assistant":
        roles = ", ".join(turn["role"][:20] for turn in turns[:4])
        raise Unusable(f'has messages by {roles} in column "{column}"; one message by the assistant is an answer')
    return turns[0]["content"]


def _pair(row: Row, prompt: str | None, chosen: str, rejected: str, margin: str | None) -> tuple[Any, GivenAnswers]:
    better, worse = cell(row, chosen, "chosen"), cell(row, rejected, "rejected")
    if prompt is None:
        question, better, worse = common_beginning(better, worse, chosen)
    else:
        question = cell(row, prompt, "prompt")
    found = GivenAnswers(
        chosen=_answer(better, chosen),
        rejected=_answer(worse, rejected),
        margin=None if margin is None else number(cell(row, margin, "margin"), margin),
    )
    if found.chosen == found.rejected:
        raise Unusable(f'has the same answer in columns "{chosen}" and "{rejected}"')
    return question, found


def common_beginning(chosen: Any, rejected: Any, column: str) -> tuple[Any, Any, Any]:
    """(the prompt, the rest of each): the longest common beginning of two texts, or of two lists of messages.

    As `trl.extract_prompt`: a space before the first difference belongs to the answers.
    """
    if type(chosen) is not type(rejected) or not isinstance(chosen, str | list):
        raise Unusable(f'has neither two texts nor two lists of messages in column "{column}" and its other')
    length = _common(chosen, rejected)
    if isinstance(chosen, str) and length and chosen[length - 1] == " ":
        length -= 1
    if length == 0 or length >= min(len(chosen), len(rejected)):
        raise Unusable(f'has no prompt in column "{column}": one that both answers begin with, and go on from')
    return chosen[:length], chosen[length:], rejected[length:]


def _common(one: Sequence[Any], other: Sequence[Any]) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _label(value: Any, column: str) -> bool:
    if value not in (True, False, 0, 1) or not isinstance(value, bool | int):
        raise Unusable(f'has {str(value)[:40]!r} in column "{column}"; a label is true or false')
    return bool(value)


def _weight(value: Any, column: str) -> float:
    weight = number(value, column)
    if weight < 0:
        raise Unusable(f'has {weight} in column "{column}"; a weight is at least 0')
    return weight
