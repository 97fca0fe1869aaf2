"""Words and letters that must, or must not, occur."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crucible.rewards.instructions.relation import holds


def existence(text: str, *, keywords: Sequence[str]) -> bool:
    """Every keyword occurs, in any case, also inside of a word."""
    return all(keyword.lower() in text.lower() for keyword in keywords)


def frequency(text: str, *, keyword: str, frequency: int, relation: str) -> bool:
    """Counted in any case, also inside of a word."""
    return holds(text.lower().count(keyword.strip().lower()), relation, frequency)


def forbidden_words(text: str, *, forbidden_words: Sequence[str]) -> bool:
    """None occurs as a word of its own, in any case."""
    return not any(re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) for word in forbidden_words)


def letter_frequency(text: str, *, letter: str, let_frequency: int, let_relation: str) -> bool:
    return holds(text.lower().count(letter.strip().lower()), let_relation, let_frequency)
