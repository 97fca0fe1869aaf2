"""A penalty for completions that say the same ten words again and again."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from crucible.errors import UserError
from crucible.rewards.base import per_sample
from crucible.types import Completion, Prompt

_SPLIT = re.compile(r"[ _]+")


def _check(*, words: int = 10, times: int = 6, **_: Any) -> None:
    if words < 1 or times < 2:
        raise UserError(f"reward.words={words}, reward.times={times}: at least 1 word, at least 2 times")


@per_sample(check=_check)
def repeated_window(
    prompt: Prompt, completion: Completion, *, words: int = 10, times: int = 6, penalty: float = -1.0
) -> float:
    """`penalty` where any `words` consecutive words occur at least `times` times, else 0.

    Source: RLPR (arXiv 2506.18254), official code; words are split at spaces and underscores. Its docstring says
    "more than 6", its code at least 6: the code counts here.
    """
    units = [word for word in _SPLIT.split(completion.text) if word]
    windows = Counter(tuple(units[i : i + words]) for i in range(len(units) - words + 1))
    return penalty if any(n >= times for n in windows.values()) else 0.0
