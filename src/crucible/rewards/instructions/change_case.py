"""Capital and small letters."""

from __future__ import annotations

import re

from crucible.rewards.instructions.language import response_language
from crucible.rewards.instructions.relation import holds

_WORD = re.compile(r"\w+(?:[-'’]\w+)*")


def english_capital(text: str) -> bool:
    return text.isupper() and response_language(text, language="en")


def english_lowercase(text: str) -> bool:
    return text.islower() and response_language(text, language="en")


def capital_word_frequency(text: str, *, capital_frequency: int, capital_relation: str) -> bool:
    """Words all in capital letters; one with a hyphen is one word. Differs from IFEval: no tokeniser of nltk."""
    found = sum(word.isupper() for word in _WORD.findall(text))
    return holds(found, capital_relation, capital_frequency)
