"""Answers to questions of fact, compared word by word after SQuAD's normalisation."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

from crucible.errors import UserError, nearest
from crucible.rewards.base import per_sample
from crucible.rewards.places import tagged
from crucible.types import Completion, Prompt

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_MANY_TAGS = 10


def _check(*, metric: str = "em", read: str = "answer_tag", **_: Any) -> None:
    if metric not in METRICS:
        raise UserError(
            f"reward.metric is {metric!r}{nearest(metric, METRICS)}; it must be one of {', '.join(METRICS)}"
        )
    if read not in ("answer_tag", "whole"):
        raise UserError(f"reward.read is {read!r}; it must be answer_tag or whole")


@per_sample(needs=["answer"], check=_check)
def qa(
    prompt: Prompt,
    completion: Completion,
    *,
    metric: Literal["em", "sub_em", "f1"] = "em",
    read: Literal["answer_tag", "whole"] = "answer_tag",
    many_tags_factor: float = 0.25,
    format_score: float = 0.0,
) -> float | None:
    """How well the answer fits the best of the reference answers, from 0 to 1.

    em: the same words. sub_em: a reference answer occurs in it, word for word. f1: the harmonic mean of the shares of
    words in common. Words: lower case, without punctuation and a / an / the (SQuAD, arXiv 1606.05250).
    `read`: the last <answer>...</answer> (Search-R1, arXiv 2503.09516, official code and verl), or the whole text
    (open-instruct). With more than ten opening or closing answer tags the reward is multiplied by `many_tags_factor`
    (a quarter there). `format_score`: an answer between tags that is wrong (0 in the score).

    reference "answer": a text, or a list of texts any of which is right. Differs from Search-R1: sub_em compares whole
    words ("art" is not in "party"). sub_em is hacked by listing answers, f1 pays for single words of them.

    No verdict (abstains) where no reference answer has a word.
    """
    reference = prompt.reference["answer"]
    golds = [words(str(g)) for g in (reference if isinstance(reference, list | tuple) else [reference])]
    golds = [gold for gold in golds if gold]
    if not golds:
        return None
    text = completion.text
    if read == "answer_tag":
        found = tagged(text, "answer")
        if not found:
            return 0.0
        text = found[-1]
    said = words(text)
    value = max(METRICS[metric](said, gold) for gold in golds) or format_score
    tags = max(completion.text.count("<answer>"), completion.text.count("</answer>"))
    return value * many_tags_factor if read == "answer_tag" and tags > _MANY_TAGS else value


def words(text: str) -> list[str]:
    """Lower case, no punctuation, no articles."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def _em(said: list[str], gold: list[str]) -> float:
    return float(said == gold)


def _sub_em(said: list[str], gold: list[str]) -> float:
    return float(f" {' '.join(gold)} " in f" {' '.join(said)} ")


def _f1(said: list[str], gold: list[str]) -> float:
    common = (Counter(said) & Counter(gold)).total()
    return 2 * common / (len(said) + len(gold)) if common else 0.0


METRICS: dict[str, Callable[[list[str], list[str]], float]] = {"em": _em, "sub_em": _sub_em, "f1": _f1}
