"""What the samples of an evaluation vote for, where a problem has one right answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crucible.analysis.statistics import count_votes
from crucible.data.answers import final_answer, number, same
from crucible.data.chain import Chain
from crucible.data.countdown import Countdown
from crucible.data.expression import Expression
from crucible.types import Prompt


def votes_of(
    task: Any, prompts: Sequence[Prompt], texts: Sequence[str], right: Sequence[bool], n: int
) -> list[list[list[int]]] | None:
    """Of each problem [samples, right ones among them] of each distinct answer, the most frequent first.

    `prompts`, `texts` and `right` hold the n samples of a problem one after the other. Answers are equal as in
    `data.answers.same`; one that cannot be read has no vote.
    None where there is nothing to vote on: a problem without an answer of its own, and a countdown, which says its
    result itself and asks for one of many ways.
    """
    if isinstance(task, Countdown) or any("answer" not in prompt.reference for prompt in prompts):
        return None
    answers = [read_answer(task, prompt, text) for prompt, text in zip(prompts, texts, strict=True)]
    return [count_votes(_named_alike(answers[i : i + n]), right[i : i + n]) for i in range(0, len(answers), n)]


def read_answer(task: Any, prompt: Prompt, text: str) -> str | None:
    """The final answer, as the task's own check reads it where it has one, else as `data.answers.final_answer` does."""
    if isinstance(task, Chain | Expression):
        return task.check(prompt, text).answer
    answer = final_answer(text, numeric=number(prompt.reference["answer"]) is not None)
    return answer if answer and answer.strip() else None


def _named_alike(answers: Sequence[str | None]) -> list[str | None]:
    """Equal answers get the name of the first of them."""
    known: list[str] = []
    named: list[str | None] = []
    for answer in answers:
        name = None if answer is None else next((k for k in known if same(answer, k)), answer)
        if name is not None and name not in known:
            known.append(name)
        named.append(name)
    return named
