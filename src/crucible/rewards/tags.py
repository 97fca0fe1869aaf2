"""Whether a completion has the tags it should have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from crucible.errors import UserError, nearest
from crucible.rewards.base import per_sample
from crucible.types import Completion, Prompt

_OPEN, _CLOSE, _ANSWER, _END = TAGS = ("<think>", "</think>", "<answer>", "</answer>")
_COUNTED = ("<think>\n", "\n</think>\n", "\n<answer>\n", "\n</answer>")  # with the newlines open-r1 asks for


def _check(*, rule: str = "think", **_: Any) -> None:
    if rule not in RULES:
        raise UserError(f"reward.rule is {rule!r}{nearest(rule, RULES)}; it must be one of {', '.join(RULES)}")


@per_sample(check=_check)
def tags(
    prompt: Prompt,
    completion: Completion,
    *,
    rule: Literal["think", "think_answer", "count", "order"] = "think",
    value: float = 1.0,
) -> float:
    """`value` times the share of the rule that is kept; says nothing about truth.

    think: starts with <think>, has no other one, and a </think> later: 1 or 0 (TRL `think_format_reward`).
    think_answer: the whole text is <think>, newline, text, newline, </think>, newline, and the same with <answer>:
    1 or 0 (open-r1 `format_reward`).
    count: a quarter for each of the four tags that occurs exactly once together with its newlines (open-r1
    `tag_count_reward`).
    order: each of the four tags exactly once and in order: 1 or 0 (RLPR, arXiv 2506.18254, official code).

    Differs from open-r1: think_answer asks for each tag exactly once; the pattern of the code also accepts nested
    junk. A reward for the shape alone is learnt first: weigh it lightly, or let it gate.
    """
    return value * RULES[rule](completion.text)


def _think(text: str) -> float:
    return float(text.startswith(_OPEN) and text.count(_OPEN) == 1 and _CLOSE in text)


def _think_answer(text: str) -> float:
    inner = text.startswith("<think>\n") and text.endswith("\n</answer>") and "\n</think>\n<answer>\n" in text
    return float(inner and all(text.count(tag) == 1 for tag in TAGS))


def _count(text: str) -> float:
    return sum(text.count(tag) == 1 for tag in _COUNTED) / len(_COUNTED)


def _order(text: str) -> float:
    places = [text.find(tag) for tag in TAGS]
    return float(all(text.count(tag) == 1 for tag in TAGS) and places == sorted(places))


RULES: dict[str, Callable[[str], float]] = {
    "think": _think,
    "think_answer": _think_answer,
    "count": _count,
    "order": _order,
}
