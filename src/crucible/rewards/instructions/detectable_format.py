"""Lists, highlights, sections, titles, JSON: marks that a program sees."""

from __future__ import annotations

import json
import re

_HIGHLIGHT = re.compile(r"\*[^\n*]*\*")
_DOUBLE = re.compile(r"\*\*[^\n*]*\*\*")
_OPTIONS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
_FENCES = ("```json", "```Json", "```JSON", "```")


def number_bullet_lists(text: str, *, num_bullets: int) -> bool:
    """Exactly so many lines that begin with one `*` or with `-`."""
    lines = [line.lstrip() for line in text.splitlines()]
    return (
        sum(line.startswith("-") or (line[:1] == "*" and line[1:2] not in ("", "*")) for line in lines) == num_bullets
    )


def number_highlighted_sections(text: str, *, num_highlights: int) -> bool:
    """At least so many `*...*`, and `**...**`, with something inside."""
    found = [*_HIGHLIGHT.findall(text), *_DOUBLE.findall(text)]
    return sum(bool(mark.strip("*").strip()) for mark in found) >= num_highlights


def multiple_sections(text: str, *, section_spliter: str, num_sections: int) -> bool:
    """At least so many `<splitter> <number>`."""
    return len(re.findall(rf"{re.escape(section_spliter.strip())}\s?[0-9]", text)) >= num_sections


def title(text: str) -> bool:
    """A line with `<<...>>` with something inside."""
    for line in text.splitlines():
        start, end = line.find("<<"), line.rfind(">>")
        if 0 <= start < end and line[start:end].strip("<> \t"):
            return True
    return False


def json_format(text: str) -> bool:
    """The whole answer is JSON, in a code block or not."""
    whole = text.strip()
    for fence in _FENCES:
        if whole.startswith(fence):
            whole = whole.removeprefix(fence)
            break
    try:
        json.loads(whole.removesuffix("```").strip())
    except (ValueError, RecursionError):  # no JSON; JSON nested without end
        return False
    return True


def constrained_response(text: str) -> bool:
    """It has one of the three sentences that may be the answer."""
    return any(option in text for option in _OPTIONS)
