"""Writes the program of a task, in one of many right forms; and, given changed parts, wrong ones.

expression   def f(a):return sum(x*2 for x in a if x>3)+4
steps        def f(a):a=[x*2 for x in a if x>3];s=sum(a);return s+4
loop         def f(a):
              s=0
              for x in a:
               if x>3:s+=x*2
              return s+4
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from crucible.data.programs.operations import (
    ATOM,
    COMPARISON,
    GENERATOR,
    NAME,
    OPERATIONS,
    Spelling,
    Stage,
)
from crucible.data.programs.problem import LIST, Problem

Style = Literal["expression", "steps", "loop"]
STYLES: tuple[Style, ...] = ("expression", "steps", "loop")
SHARES = (0.35, 0.5, 0.15)  # of the styles
LONGEST = 46  # characters of a program: short enough for a small model, and for sampling.max_tokens=48
USUAL = 0.5  # share of operations in their first spelling; of the others each is as likely
_IN_PLACE = re.compile(r"_(\+|-|\*|//|%|>>)K?(\d?)")


class Written(str):
    """Program text that this package wrote itself, from its own catalogue: the only text it runs in its own process."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One operation as it is about to be written. `loose`: its operand gets no brackets, needed or not."""

    word: str
    spelling: Spelling
    constant: int = 0
    loose: bool = False

    @property
    def stage(self) -> Stage:
        return OPERATIONS[self.word].stage


@dataclass(frozen=True, slots=True)
class Piece:
    """Some Python and how tightly it binds."""

    text: str
    binds: int = NAME


def parts_of(problem: Problem, rng: random.Random | None = None) -> list[Part]:
    """The operations of a task in right spellings: chosen by `rng`, or the first of each."""
    parts = []
    for step in problem.steps:
        spellings = step.operation.spellings
        chosen = spellings[0] if rng is None or rng.random() < USUAL else rng.choice(spellings)
        parts.append(Part(step.word, chosen, step.constant))
    return parts


def write(given: str, parts: Sequence[Part], style: Style = "expression", rng: random.Random | None = None) -> Written:
    """The program of these parts, for a task that is given `given`. A loop without a sum or count is an expression.

    `rng` decides what the spellings leave open: sum([...]) or sum(...), x+=3 or x=x+3.
    """
    draw = _Draw(rng)
    if given == LIST and style == "loop" and (text := _loop(parts, draw)):
        return Written(text)
    statements, result = _steps(given, parts, draw) if style == "steps" else ([], _expression(given, parts, draw))
    return Written(f"def f({given}):{''.join(s + ';' for s in statements)}return{_spaced(result.text)}")


def demonstration(problem: Problem, rng: random.Random) -> Written:
    """A right program, in a form chosen by `rng`, of at most LONGEST characters (the shortest form fits: `fits`)."""
    for _ in range(6):
        text = write(problem.given, parts_of(problem, rng), rng.choices(STYLES, SHARES)[0], rng)
        if len(text) <= LONGEST:
            return text
    return write(problem.given, parts_of(problem))


def fits(problem: Problem) -> bool:
    return len(write(problem.given, parts_of(problem))) <= LONGEST


class _Draw:
    """Yes or no by chance; always no without a generator."""

    def __init__(self, rng: random.Random | None):
        self.rng = rng

    def __call__(self, share: float = 0.5) -> bool:
        return self.rng is not None and self.rng.random() < share


def _apply(part: Part, operand: Piece) -> Piece:
    spelling = part.spelling
    if spelling.needs == NAME and operand.binds < NAME:  # it would be written twice
        spelling = OPERATIONS[part.word].spellings[0]
    bare = operand.binds >= spelling.needs or (part.loose and operand.binds > GENERATOR)
    text = operand.text if bare else f"({operand.text})"
    return Piece(spelling.text.replace("K", str(part.constant)).replace("_", text), spelling.binds)


class _Pass:
    """One comprehension under way: `element for x in source if conditions`."""

    def __init__(self, source: Piece):
        self.source, self.element, self.conditions = source, Piece("x"), list[Piece]()

    def take(self, part: Part) -> bool:
        """Whether the part could be worked in."""
        if part.stage == "value":
            self.element = _apply(part, self.element)
            return True
        if part.stage == "filter":
            self.conditions.append(_apply(part, self.element))
            return True
        return False

    @property
    def condition(self) -> str:
        texts = [
            c.text if c.binds >= COMPARISON or len(self.conditions) == 1 else f"({c.text})" for c in self.conditions
        ]
        return " and ".join(texts)

    def list(self, *, generator: bool = False) -> Piece:
        if self.element.text == "x" and not self.conditions:
            return self.source
        body = f"{self.element.text} for x in {self.source.text}" + (f" if {self.condition}" if self.conditions else "")
        return Piece(body, GENERATOR) if generator else Piece(f"[{body}]", ATOM)


def _expression(given: str, parts: Sequence[Part], draw: _Draw) -> Piece:
    result = Piece(given)
    under_way = _Pass(result) if given == LIST else None
    for part in parts:
        if under_way is None:
            result = _apply(part, result)
        elif not under_way.take(part):
            operand = under_way.list(generator=part.spelling.generator and draw())
            if operand.binds == GENERATOR:
                part = replace(part, spelling=replace(part.spelling, needs=GENERATOR))
            result = _apply(part, operand)
            under_way = _Pass(result) if part.stage == "order" else None
    return under_way.list() if under_way is not None else result


def _steps(given: str, parts: Sequence[Part], draw: _Draw) -> tuple[list[str], Piece]:
    """Assignments, and the expression that is returned."""
    statements: list[str] = []
    listed, name, at = given == LIST, given, 0
    while at < len(parts):
        part = parts[at]
        if listed and part.stage in ("value", "filter"):
            under_way = _Pass(Piece(name))
            while at < len(parts) and under_way.take(parts[at]):
                at += 1
            result = under_way.list()
        else:
            result = _apply(part, Piece(name))
            at += 1
            if part.stage == "reduce":
                listed, name = False, "s"
        if at >= len(parts):
            return statements, result
        in_place = _IN_PLACE.fullmatch(part.spelling.text) if not listed and part.stage == "value" else None
        if in_place and draw():
            statements.append(f"{name}{in_place[1]}={in_place[2] or part.constant}")
        else:
            statements.append(f"{name}={result.text}")
    return statements, Piece(name)


def _loop(parts: Sequence[Part], draw: _Draw) -> str | None:
    """A loop that adds up; None for tasks without a sum or count, or with an order that is asked for after it."""
    stages = [part.stage for part in parts]
    if "reduce" not in stages:
        return None
    cut = stages.index("reduce")
    kind = {"sum(_)": "sum", "len(_)": "count"}.get(parts[cut].spelling.text)
    first = 1 if stages[0] == "order" else 0
    if kind is None or "order" in stages[first:cut]:
        return None
    source = _apply(parts[0], Piece(LIST)) if first else Piece(LIST)
    under_way = _Pass(source)
    for part in parts[first:cut]:
        under_way.take(part)
    added = under_way.element.text if kind == "sum" else "1"
    test = f"\n  if {under_way.condition}:" if under_way.conditions else ""
    result = Piece("s")
    for part in parts[cut + 1 :]:
        result = _apply(part, result)
    body = f"{test}s+={added}"
    return f"def f(a):\n s=0\n for x in {source.text}:{body}\n return{_spaced(result.text)}"


def _spaced(text: str) -> str:
    """With a space where a keyword needs one in front."""
    return text if text[0] in "([-" else f" {text}"
