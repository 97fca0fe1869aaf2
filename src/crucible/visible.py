"""Text that a model wrote, made harmless to look at: what would act on a terminal is shown as a sign instead.

A completion may hold any character. Written to a terminal as it is, an escape sequence can clear the screen, set the
title, or put text where it does not belong; a carriage return overwrites the line; a bidirectional override shows
characters in another order than they stand; a zero-width character hides that it is there.
"""

from __future__ import annotations

import re
import unicodedata

_KEPT = "\n\t\u200c\u200d"  # lines and tabs, and the two joiners that Persian, Indic scripts and emoji are written with
_ASCII = re.compile(r"[\x20-\x7e\n\t]*")
_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, formats (bidi, zero-width, tags), surrogates, line separators


def visible(text: str) -> str:
    """`text` with every acting character as a picture of it (ESC: ␛) or as its number (<U+202E>). The rest is kept."""
    return text if _ASCII.fullmatch(text) else "".join(_shown(c) if acts(c) else c for c in text)


def escaped(text: str) -> str:
    r"""JSON text with every acting character inside its strings as \uXXXX: what is read from it stays the same."""
    return text if _ASCII.fullmatch(text) else "".join(_json(c) if acts(c) else c for c in text)


def acts(character: str) -> bool:
    """Would it do something to a terminal, or be invisible there?"""
    return character not in _KEPT and unicodedata.category(character) in _CATEGORIES


def _shown(character: str) -> str:
    number = ord(character)
    if number < 0x20:
        return chr(0x2400 + number)  # the control pictures
    return "\u2421" if number == 0x7F else f"<U+{number:04X}>"


def _json(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
