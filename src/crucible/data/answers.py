"""The final answer of a free text, and whether two answers are the same. Never raises on any text.

Extraction looks for, in this order, and takes the last of the first kind it finds:
`\\boxed{...}`, `#### ...`, `answer is ...` or `answer: ...`, `= number`, and, where a number is wanted, any
number; where none is wanted, the last line.

Two answers are equal when both are numbers of the same exact value (`0.5`, `1/2` and `\\frac{1}{2}` are;
`1,000` and `1000` are; a percentage equals a percentage alone: `50%` is neither `50` nor `0.5`), and
otherwise when they are the same text up to case, white space, a closing full stop and one pair of LaTeX's
delimiters around the whole (`$...$`, `$$...$$`, `\\(...\\)`, `\\[...\\]`). Nothing is rounded and no unit is
understood. This is the plain checker; it does no algebra.
"""

from __future__ import annotations

import re
from fractions import Fraction

_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+"
_NUMBER = rf"[-+]?\$?(?:{_DIGITS})(?:[eE][-+]?[0-9]{{1,2}}|\s?/\s?[0-9]+)?(?:\s?\\?%)?"
_FIND = re.compile(rf"(?<![0-9A-Za-z.,_]){_NUMBER}(?![0-9A-Za-z_])")
_LEAD = re.compile(rf"({_NUMBER})(?![0-9A-Za-z_(^*+/\\]|\s*[-+*/^])")
_FRACTION = re.compile(r"([-+]?)\\[dt]?frac\{([0-9]+)\}\{([0-9]+)\}")
_SAID = re.compile(r"\banswer(?:\s+is|\s*:)\s*:?", re.IGNORECASE)
_DELIMITERS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))
_LONGEST = 64  # characters of a number; longer ones are compared as text
_WINDOW = 20_000  # an answer is looked for in this many characters at the end of a text


def number(text: str) -> tuple[Fraction, bool] | None:
    """(exact value, is a percentage) of a text that is one number, else None."""
    plain = _bare(text).strip("$").strip()
    for mark in ("\\!", "\\,", "\\$", "{,}"):
        plain = plain.replace(mark, "," if mark == "{,}" else "")
    plain = plain.removesuffix(".").strip()
    match = _FRACTION.fullmatch(plain)
    if match:
        plain = f"{match[1]}{match[2]}/{match[3]}"
    if len(plain) > _LONGEST or not re.fullmatch(_NUMBER, plain):
        return None
    percent = plain.endswith("%")
    plain = re.sub(r"[\s,$%\\]", "", plain)
    above, _, below = plain.partition("/")
    if below and int(below) == 0:
        return None
    return Fraction(above) / (Fraction(below) if below else 1), percent


def same(answer: str, gold: str) -> bool:
    """Whether two final answers are equal, as numbers when both are, else as texts."""
    a, b = number(answer), number(gold)
    if a is not None and b is not None:
        return a == b
    return _plain(answer) == _plain(gold) != ""


def final_answer(text: str, *, numeric: bool) -> str | None:
    """The final answer stated in `text`, or None. `numeric`: the gold answer is a number."""
    text = text[-_WINDOW:]
    boxed = _boxed(text)
    if boxed is not None:
        return boxed
    for at in (_after(text, "####"), _after_said(text)):
        if at is not None:
            return _stated(text[at:], numeric)
    if numeric:
        if "=" in text:
            lead = _LEAD.match(text.rpartition("=")[2].lstrip())
            if lead:
                return lead[1]
        found = _FIND.findall(text)
        return found[-1] if found else None
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else None


def gold_answer(text: str) -> str:
    """The final answer of a reference solution: after `####`, in `\\boxed{}`, or the whole text."""
    boxed = _boxed(text)
    at = _after(text, "####")
    if at is not None:
        return text[at:].strip()
    return text.strip() if boxed is None else boxed


def _plain(text: str) -> str:
    return _bare(text).casefold()


def _bare(text: str) -> str:
    """The text without a closing full stop and one pair of delimiters around it, white space made single."""
    plain = " ".join(text.split()).removesuffix(".").strip()
    for opening, closing in _DELIMITERS:
        inner = plain.removeprefix(opening).removesuffix(closing)
        if len(plain) - len(inner) != len(opening) + len(closing) or inner.endswith("\\"):
            continue
        inside, inner = inner.replace("\\$", ""), inner.strip().removesuffix(".").strip()
        if inner and opening not in inside and closing not in inside:
            return inner
    return plain


def _after(text: str, mark: str) -> int | None:
    at = text.rfind(mark)
    return None if at < 0 else at + len(mark)


def _after_said(text: str) -> int | None:
    ends = [match.end() for match in _SAID.finditer(text)]
    return ends[-1] if ends else None


def _stated(tail: str, numeric: bool) -> str:
    """The answer at the start of `tail`: a leading number where one is wanted, else the rest of the line."""
    lines = tail.strip().splitlines()
    line = lines[0].strip() if lines else ""
    if numeric:
        bare = line.rpartition("=")[2].strip().lstrip("*_ ")
        lead = _LEAD.match(bare)
        if lead:
            return lead[1]
    return line.strip("*_ ")


def _boxed(text: str) -> str | None:
    """The content of the last `\\boxed{...}` whose braces are balanced; only the last eight are tried."""
    at = text.rfind("\\boxed{")
    for _ in range(8):
        if at < 0:
            break
        start, depth = at + len("\\boxed{"), 1
        for i in range(start, len(text)):
            depth += (text[i] == "{") - (text[i] == "}")
            if depth == 0:
                return text[start:i].strip()
        at = text.rfind("\\boxed{", 0, at)
    return None
