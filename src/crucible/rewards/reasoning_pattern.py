"""A reward for turns of phrase of somebody who reasons, whatever they reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from crucible.errors import UserError
from crucible.rewards.base import per_sample
from crucible.rewards.places import after_last, boxed
from crucible.types import Completion, Prompt

PHRASES = (
    "let us ", "let's ", "let me ", "we know that", "we are given", "we want to", "we need to", "we have to",
    "first,", "next,", "then we", "after that", "finally,", "step by step", "suppose", "assume", "define",
    "consider", "recall that", "note that", "observe that", "because", "since", "so that", "it follows", "therefore",
    "which means", "this implies", "for example", "in this case", "on the other hand", "however", "but wait", "hold on",
    "alternatively", "another way", "double-check", "checking", "to verify", "going back",
)  # fmt: skip
_NEW_TURN = "user: "


def _check(*, phrases: Sequence[str] = PHRASES, full_at: int = 20, ngram: int = 20, **_: Any) -> None:
    if not phrases or any(not isinstance(p, str) or not p.strip() for p in phrases):
        raise UserError("reward.phrases must be texts, at least one")
    if full_at < 1 or ngram < 1:
        raise UserError(f"reward.full_at={full_at}, reward.ngram={ngram}: at least 1")


@per_sample(check=_check)
def reasoning_pattern(
    prompt: Prompt,
    completion: Completion,
    *,
    phrases: Sequence[str] = PHRASES,
    full_at: int = 20,
    ngram: int = 20,
    need_answer: bool = True,
    thoughts_from: str = "<think>",
) -> float:
    """max(0, min(1, h / full_at) - rep - extra): h of the phrases occur; no reference answer is read.

    rep: distinct `ngram`-grams of words that occur more than once, over all of them (so a loop of one word costs
    little); extra: occurrences of "user: ", the mark of an invented turn. Source: RPR (arXiv 2505.22653, official
    code), where it stands alone or pays for answers that a noisy checker calls wrong. Lower case; only what follows
    the last `thoughts_from` counts, where it occurs. `need_answer`: 0 without a `\\boxed{}` answer.

    Differs from the paper: the forty phrases are ours, not the official list (give that one in `phrases`); an answer
    is a box. English alone; sprinkling phrases games it, which is what it is for studying.
    """
    text = completion.text.lower()
    if need_answer and not boxed(completion.text):
        return 0.0
    tail = after_last(text, thoughts_from.lower()) if thoughts_from else None
    text = text if tail is None else tail
    hits = sum(phrase.lower() in text for phrase in set(phrases))
    return max(0.0, min(1.0, hits / full_at) - _repeated(text.split(), ngram) - text.count(_NEW_TURN))


def _repeated(words: Sequence[str], n: int) -> float:
    grams = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
    return sum(times > 1 for times in grams.values()) / grams.total() if grams else 0.0
