"""Reading a judge's reply. None where there is no verdict; never raises."""

from __future__ import annotations

import re

_BOXED = re.compile(r"\\boxed\{\s*(?:\\text\{)?\s*([^{}]*?)\s*\}")
_BARE = re.compile(r"\W*([ABC])\W*")
_SAID = re.compile(r"final judgment\W*:\W*([ABC])\b", re.IGNORECASE)
_NUMBER = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?)(?:\s*/\s*10)?")
_SCORED = re.compile(r"\bscore\W{1,8}([0-9]{1,3}(?:\.[0-9]{1,4})?)(?![0-9.]*[0-9])", re.IGNORECASE)


def letter(reply: str) -> str | None:
    """A, B or C: the last `\\boxed{X}`, else a reply that is one letter, else what follows "Final Judgment:".

    The order of CompassVerifier, 2508.03686 (authors' code).
    """
    boxed = [text for text in _BOXED.findall(reply) if text in ("A", "B", "C")]
    if boxed:
        return str(boxed[-1])
    if bare := _BARE.fullmatch(reply):
        return bare[1]
    said = _SAID.findall(reply)
    return said[-1].upper() if said else None


def points(reply: str) -> float | None:
    """0 to 10: the last number in `\\boxed{}`, else a reply that is one number, else the last "Score: 7"."""
    found = [match[1] for match in map(_NUMBER.fullmatch, _BOXED.findall(reply)) if match]
    if not found and (bare := _NUMBER.fullmatch(reply.strip().strip("*. "))):
        found = [bare[1]]
    found = found or _SCORED.findall(reply)
    return float(found[-1]) if found and 0 <= float(found[-1]) <= 10 else None
