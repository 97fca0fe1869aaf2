"""Numbers of words, sentences and paragraphs."""

from __future__ import annotations

import re

from crucible.rewards.instructions.relation import holds

_WORD = re.compile(r"\w+")
_STOP = re.compile(r"[.!?。！？][\"'”’)\]]{0,3}(?=\s|$)")
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|sr|jr|st|vs|etc|e\.g|i\.e|inc|ltd|co)|(?<!\w)[a-z])\.$", re.IGNORECASE
)
_DIVIDER = re.compile(r"\s?\*\*\*\s?")


def number_words(text: str, *, num_words: int, relation: str) -> bool:
    return holds(len(_WORD.findall(text)), relation, num_words)


def number_sentences(text: str, *, num_sentences: int, relation: str) -> bool:
    """Differs from IFEval: sentences end at . ! or ? before white space, but for abbreviations; no trained splitter."""
    return holds(_sentences(text), relation, num_sentences)


def number_paragraphs(text: str, *, num_paragraphs: int) -> bool:
    """Paragraphs are separated by `***`; an empty one counts at neither end and breaks it in the middle."""
    parts = [part.strip() for part in _DIVIDER.split(text)]
    return all(parts[1:-1]) and sum(map(bool, parts)) == num_paragraphs


def nth_paragraph_first_word(text: str, *, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    """Paragraphs are separated by an empty line; case and quotes before the word do not matter."""
    parts = [part.strip() for part in text.split("\n\n")]
    count = sum(map(bool, parts))
    if count != num_paragraphs or not 1 <= nth_paragraph <= count or not parts[nth_paragraph - 1]:
        return False
    word = parts[nth_paragraph - 1].split(maxsplit=1)[0].lstrip("'").lstrip('"')
    return re.split(r"[.,?!'\"]", word, maxsplit=1)[0].lower() == first_word.lower()


def _sentences(text: str) -> int:
    """Stretches of text that end with a stop, and what is left behind the last one."""
    count, start = 0, 0
    for stop in _STOP.finditer(text):
        before = text[max(start, stop.start() - 12) : stop.start() + 1]
        if not _ABBREVIATION.search(before):
            count, start = count + 1, stop.end()
    return count + bool(_WORD.search(text, start))
