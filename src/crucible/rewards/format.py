"""Rewards for the shape of a completion, whatever it says."""

from __future__ import annotations

import functools
import re
from typing import Any

from crucible.errors import UserError
from crucible.rewards.base import per_sample
from crucible.types import Completion, Prompt


@functools.lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error as e:
        raise UserError(f"reward.pattern is no regular expression: {e} in {pattern!r}") from None


def _check(*, pattern: str = "", **_: Any) -> None:
    _compiled(pattern)


@per_sample(check=_check)
def format(
    prompt: Prompt, completion: Completion, *, pattern: str = r"[0-9+\-*=;]*=-?\d+", value: float = 1.0
) -> float:
    """`value` when the whole completion matches `pattern` and ended by itself, else 0.

    The default pattern is a chain of worked steps that ends in `=number`. For chat models the usual
    choice is r"<think>.*</think>.*" (tag format of DeepSeek-R1, arXiv 2501.12948, section 2.2).
    """
    whole = _compiled(pattern).fullmatch(completion.text)
    return value if whole and completion.finish_reason == "stop" else 0.0
