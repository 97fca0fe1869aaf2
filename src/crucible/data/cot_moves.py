"""Reasoning moves over a sum, how they are written in two notations, and how a text is read back into moves.

    7+8-6+2=    split 8, add 3, add 5, check, subtract, add with carry, answer
    plain       8=3+5;7+3=10;10+5=15;15-8=7?;15-6=9;9+2=11^;=11
    terse       8>3+5,7+3>10,10+5>15,15-8>7&,15-6>9,9+2>11~,=11

The same moves look different in the two, so texts of one notation are alike whatever they think: what a pattern chain
is meant to see through. Both end with `=` and the answer, which is all that `data=chain` checks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

Pattern = str

# How an annotator names the moves; the second wordings stand for one that does not always use the same words.
WORDINGS: dict[str, tuple[str, ...]] = {
    "add": ("add next number", "add number"),
    "subtract": ("subtract next number", "subtract number"),
    "carry": ("add with carry", "carry over"),
    "borrow": ("subtract with borrow", "borrow from tens"),
    "split": ("split number", "decompose number"),
    "check": ("check result", "verify result"),
    "back": ("go back", "return to earlier step"),
    "restate": ("restate problem", "repeat problem"),
    "leap": ("add several numbers", "do several steps at once"),
    "guess": ("guess answer", "try an answer"),
    "answer": ("state answer", "give answer"),
    "other": ("other", "unclear"),
}


@dataclass(frozen=True, slots=True)
class Notation:
    """The signs of a notation: between moves, for "makes", and what marks a move."""

    between: str
    makes: str
    check: str
    carry: str
    back: str
    restate: str
    guess: str


NOTATIONS = {
    "plain": Notation(";", "=", "?", "^", "!", ":", "?"),
    "terse": Notation(",", ">", "&", "~", "#", "|", "@"),
}


@dataclass(frozen=True, slots=True)
class Move:
    """`kind` is a key of WORDINGS; `text` holds the numbers, with `=` for "makes"."""

    kind: str
    text: str


def calculation(left: int, sign: str, operand: int, result: int) -> Move:
    """One step; where it leaves its ten it carries or borrows."""
    over = left // 10 != result // 10
    kind = ("carry" if over else "add") if sign == "+" else ("borrow" if over else "subtract")
    return Move(kind, f"{left}{sign}{operand}={result}")


def written(moves: Sequence[Move], notation: Notation) -> str:
    """The text of a chain of moves; the last one is an answer, which both notations write alike."""
    return notation.between.join(_one(move, notation) for move in moves)


def _one(move: Move, n: Notation) -> str:
    if move.kind == "answer":
        return move.text
    text = move.text.replace("=", n.makes)
    if move.kind in ("carry", "borrow"):
        return text + n.carry
    if move.kind == "guess":
        return n.guess + text
    return text + {"check": n.check, "back": n.back, "restate": n.restate}.get(move.kind, "")


_NUMBER = r"-?\d+"
_FORMS = [
    ("answer", re.compile(rf"={_NUMBER}")),
    ("guess", re.compile(rf"[?@]{_NUMBER}")),
    ("check", re.compile(rf"{_NUMBER}[+-]\d+[=>]{_NUMBER}[?&]")),
    ("back", re.compile(rf"{_NUMBER}[+-]\d+[=>]{_NUMBER}[!#]")),
    ("carry", re.compile(rf"{_NUMBER}\+\d+[=>]{_NUMBER}[\^~]")),
    ("borrow", re.compile(rf"{_NUMBER}-\d+[=>]{_NUMBER}[\^~]")),
    ("add", re.compile(rf"{_NUMBER}\+\d+[=>]{_NUMBER}")),
    ("subtract", re.compile(rf"{_NUMBER}-\d+[=>]{_NUMBER}")),
    ("leap", re.compile(rf"{_NUMBER}(?:[+-]\d+){{2,}}[=>]{_NUMBER}")),
    ("split", re.compile(r"\d+[=>]\d+\+\d+")),
    ("restate", re.compile(rf"{_NUMBER}(?:[+-]\d+)*[:|]")),
]


def read(text: str) -> list[str]:
    """The kinds of the moves in a text of either notation; "other" for what is no move. Never raises."""
    kinds = []
    for part in re.split(r"[;,]", text.strip()[:10_000]):
        if part:
            kinds.append(next((kind for kind, form in _FORMS if form.fullmatch(part)), "other"))
    return kinds
