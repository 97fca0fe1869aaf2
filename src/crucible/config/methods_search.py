"""Looking for a method by words, forgiving typos."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rapidfuzz import fuzz

from crucible.config.methods_entry import Method

ENOUGH = 82.0  # of 100: one wrong letter in a word of six
PLACES = (("name", 4.0), ("summary", 2.0), ("docstring", 1.0))


def search(found: Iterable[Method], words: Sequence[str]) -> list[Method]:
    """The methods in which every word occurs, or nearly, the best first."""
    scored = [(score(method, words), method) for method in found]
    return [method for value, method in sorted(scored, key=_by_score) if value > 0.0]


def score(method: Method, words: Sequence[str]) -> float:
    """0 where a word is nowhere; more, the nearer the words are to the name of the method."""
    texts = {
        "name": f"{method.axis} {method.name}",
        "summary": f"{method.summary} {method.notes} {' '.join(method.pieces.values())} {' '.join(method.papers)}",
        "docstring": method.docstring,
    }
    total = 0.0
    for word in words:
        best = max(weight * _nearness(word.lower(), texts[place].lower()) for place, weight in PLACES)
        if best == 0.0:
            return 0.0
        total += best
    return total


def _nearness(word: str, text: str) -> float:
    """1 for the word itself, a little less inside a longer word, less again for a near miss, else 0."""
    tokens = set(re.findall(r"[a-z0-9.]+", text))
    if word in tokens:
        return 1.0
    if word in text:
        return 0.9
    if len(word) < 4:
        return 0.0
    nearest = max((fuzz.ratio(word, token, score_cutoff=ENOUGH) for token in tokens), default=0.0)
    return 0.7 * nearest / 100.0


def _by_score(pair: tuple[float, Method]) -> tuple[float, str, str]:
    value, method = pair
    return -value, method.axis, method.name
