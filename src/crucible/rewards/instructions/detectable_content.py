"""Parts that an answer must have."""

from __future__ import annotations

import re


def number_placeholders(text: str, *, num_placeholders: int) -> bool:
    """At least so many `[...]`, each within a line."""
    return sum(_bracketed(line) for line in text.splitlines()) >= num_placeholders


def postscript(text: str, *, postscript_marker: str) -> bool:
    """The marker occurs, in any case; `P.S.` and `P.P.S` may have a space between their letters."""
    marker = postscript_marker.strip()
    known = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
    return re.search(known.get(marker, re.escape(marker.lower())), text.lower()) is not None


def _bracketed(line: str) -> int:
    count, at = 0, 0
    while (opening := line.find("[", at)) >= 0 and (closing := line.find("]", opening)) >= 0:
        count, at = count + 1, closing + 1
    return count
