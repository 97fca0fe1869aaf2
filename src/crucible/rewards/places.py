"""Where a text says its answer: in a box, between tags, after a mark. Every search is linear in the text.

No regular expression here can backtrack, and nothing raises, whatever the text.
"""

from __future__ import annotations

_BOXES = ("\\boxed", "\\fbox")
_TRIED = 8  # boxes without a closing brace that are passed over before the search gives up
_LONGEST = 20_000  # characters of a box


def boxed(text: str) -> str | None:
    """The content of the last `\\boxed{...}` or `\\fbox{...}` whose braces are balanced."""
    end = len(text)
    for _ in range(_TRIED):
        at, mark = max((text.rfind(mark, 0, end), mark) for mark in _BOXES)
        if at < 0:
            return None
        start = at + len(mark)
        while start < end and text[start] == " ":
            start += 1
        if start < end and text[start] == "{":
            close = _closing(text, start)
            if close is not None:
                return text[start + 1 : close].strip()
        end = at
    return None


def tagged(text: str, tag: str) -> list[str]:
    """The contents of every `<tag>...</tag>`, in order; each closes at the first closing tag after its opening."""
    found: list[str] = []
    opening, closing, at = f"<{tag}>", f"</{tag}>", 0
    while True:
        start = text.find(opening, at)
        end = text.find(closing, start + len(opening)) if start >= 0 else -1
        if end < 0:
            return found
        found.append(text[start + len(opening) : end])
        at = end + len(closing)


def after_last(text: str, mark: str) -> str | None:
    """What follows the last `mark`; None where there is none."""
    _, found, tail = text.rpartition(mark)
    return tail if found else None


def _closing(text: str, opening: int) -> int | None:
    """Where the brace at `opening` closes. A brace behind a backslash is a character of LaTeX, as in \\{1, 2\\}."""
    depth, at = 0, opening
    end = min(len(text), opening + _LONGEST)
    while at < end:
        letter = text[at]
        if letter == "\\":
            at += 1
        elif letter == "{":
            depth += 1
        elif letter == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    return None
