"""The program in a completion."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*([^\s`]*)[^\n`]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
NAMES = {
    "python": ("python", "python3", "py"),
    "javascript": ("javascript", "js", "node"),
    "bash": ("bash", "sh", "shell"),
    "perl": ("perl", "pl"),
    "c": ("c",),
}


def last_code_block(text: str, language: str = "python") -> str | None:
    """The last fenced block marked with the language or with nothing; None where there is none.

    A block of another language is never taken. One that is not closed (a completion cut off) ends with the text.
    """
    names = NAMES.get(language, (language,))
    blocks = [body for _, mark, body in FENCE.findall(text) if not mark or mark.lower() in names]
    return blocks[-1] if blocks else None


def program_of(text: str, language: str = "python", how: Mapping[str, Any] | None = None) -> str:
    """The program in an answer, "" where there is none. `how` is what a data set keeps as reference "program":

    None                                          the last code block
    {"mode": "block", "prefix": P}                P (imports, helpers), then the last code block
    {"mode": "completion", "prefix": P, "stops": [...]}   P, then the answer up to the first of the stops
    """
    if how is None or how["mode"] == "block":
        block = last_code_block(text, language)
        return "" if block is None else (how or {}).get("prefix", "") + block
    for stop in how["stops"]:
        text = text.partition(stop)[0]
    return str(how["prefix"]) + text
