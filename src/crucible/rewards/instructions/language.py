"""The language of an answer."""

from __future__ import annotations

from crucible.rewards.libraries import required

_LONGEST = 2_000  # characters that are looked at


def response_language(text: str, *, language: str) -> bool:
    """Most likely in `language` (ISO 639-1, e.g. "en") by py3langid; a text without a letter is in none.

    Differs from IFEval: there langdetect, which is drawn by lot without a seed, and which lets a text that it cannot
    read pass.
    """
    required("py3langid", "py3langid")
    import py3langid

    start = text[:_LONGEST].encode("utf-8", "replace").decode("utf-8").lower()
    return any(letter.isalpha() for letter in start) and py3langid.classify(start)[0] == language.partition("-")[0]
