"""How an answer begins and ends."""

from __future__ import annotations


def start_checker(text: str, *, start_phrase: str) -> bool:
    """It begins with the phrase, in any case. Not in IFEval's data; the mirror of `end_checker`."""
    return text.strip().strip('"').lower().startswith(start_phrase.strip().lower())


def end_checker(text: str, *, end_phrase: str) -> bool:
    """It ends with the phrase, in any case, before a closing quotation mark."""
    return text.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def quotation(text: str) -> bool:
    """It stands between double quotation marks."""
    whole = text.strip()
    return len(whole) > 1 and whole[0] == whole[-1] == '"'
