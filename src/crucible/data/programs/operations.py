"""The operations that tasks are composed of: what each means, how it can be written, and how it is got wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Stage = Literal["value", "filter", "order", "reduce"]

# How tightly a piece of Python binds, loosest first. An operand that binds less than is needed gets brackets.
GENERATOR, TERNARY, BOOLEAN, COMPARISON, SHIFT, SUM, PRODUCT, UNARY, ATOM, NAME = range(10)


@dataclass(frozen=True, slots=True)
class Spelling:
    """`text` with _ for the operand and K for the constant; how tightly it binds, and its operand has to."""

    text: str
    binds: int
    needs: int
    generator: bool = False  # the operand may be a generator without brackets of its own


@dataclass(frozen=True, slots=True)
class Operation:
    """value: number to number (of a list: each of its numbers); filter: keeps some; order: list to list; reduce: list
    to number. `meaning(operand, constant)` is the truth; every one of `spellings` has it, every one of `mistakes` has
    another one on some operands.
    """

    word: str
    stage: Stage
    meaning: Callable[[Any, int], Any]
    spellings: tuple[Spelling, ...]
    mistakes: tuple[Spelling, ...]
    constants: range = range(0)  # of the statement; empty: it takes none


def _value(word: str, meaning: Any, constants: range, spellings: Any, mistakes: Any) -> Operation:
    return Operation(word, "value", meaning, _all(spellings), _all(mistakes), constants)


def _filter(word: str, meaning: Any, constants: range, spellings: Any, mistakes: Any) -> Operation:
    return Operation(word, "filter", meaning, _all(spellings), _all(mistakes), constants)


def _all(given: list[tuple[str, int, int]]) -> tuple[Spelling, ...]:
    return tuple(Spelling(*entry) for entry in given)


def _call(text: str, *, generator: bool = False) -> Spelling:
    """A call or a subscript of a whole list."""
    operand = ATOM if text.startswith("_") else BOOLEAN + 1 if " or " in text else GENERATOR + 1
    return Spelling(text, ATOM, operand, generator)


def _listed(
    word: str, stage: Stage, meaning: Any, spellings: tuple[Spelling, ...], mistakes: tuple[Spelling, ...],
    constants: range = range(0),
) -> Operation:  # fmt: skip
    return Operation(word, stage, meaning, spellings, mistakes, constants)


_SMALL, _FACTORS, _LIMITS, _FEW = range(1, 10), range(2, 10), range(0, 10), range(1, 5)

_OPERATIONS = (
    _value("add", lambda v, k: v + k, _SMALL,
           [("_+K", SUM, SUM), ("K+_", SUM, PRODUCT)], [("_-K", SUM, SUM), ("_*K", PRODUCT, PRODUCT)]),
    _value("sub", lambda v, k: v - k, _SMALL,
           [("_-K", SUM, SUM), ("-K+_", SUM, PRODUCT)],
           [("K-_", SUM, PRODUCT), ("abs(_-K)", ATOM, SUM), ("max(_-K,0)", ATOM, SUM)]),
    _value("mul", lambda v, k: v * k, _FACTORS,
           [("_*K", PRODUCT, PRODUCT), ("K*_", PRODUCT, UNARY)], [("_+K", SUM, SUM), ("abs(_)*K", PRODUCT, TERNARY)]),
    _value("double", lambda v, _: 2 * v, range(0),
           [("_*2", PRODUCT, PRODUCT), ("2*_", PRODUCT, UNARY), ("_+_", SUM, NAME)],
           [("_**2", UNARY, ATOM), ("_+2", SUM, SUM), ("abs(_)*2", PRODUCT, TERNARY)]),
    _value("half", lambda v, _: v // 2, range(0),
           [("_//2", PRODUCT, PRODUCT), ("_>>1", SHIFT, SUM)],
           [("int(_/2)", ATOM, PRODUCT), ("_/2", PRODUCT, PRODUCT), ("-(-_//2)", UNARY, UNARY)]),
    _value("mod", lambda v, k: v % k, _FACTORS,
           [("_%K", PRODUCT, PRODUCT), ("_-_//K*K", SUM, NAME)],
           [("abs(_)%K", PRODUCT, TERNARY), ("_//K", PRODUCT, PRODUCT)]),
    _value("cap", lambda v, k: min(v, k), _LIMITS,
           [("min(_,K)", ATOM, TERNARY), ("min(K,_)", ATOM, TERNARY)],
           [("max(_,K)", ATOM, TERNARY), ("max(min(_,K),0)", ATOM, TERNARY), ("min(abs(_),K)", ATOM, TERNARY)]),
    _value("neg", lambda v, _: -v, range(0),
           [("-_", UNARY, UNARY), ("0-_", SUM, PRODUCT)], [("-abs(_)", UNARY, TERNARY), ("abs(_)", ATOM, TERNARY)]),
    _value("abs", lambda v, _: abs(v), range(0),
           [("abs(_)", ATOM, TERNARY), ("max(_,-_)", ATOM, NAME)],
           [("max(_,0)", ATOM, TERNARY), ("-_", UNARY, UNARY)]),
    _filter("even", lambda v, _: v % 2 == 0, range(0),
            [("_%2==0", COMPARISON, PRODUCT), ("not _%2", BOOLEAN, PRODUCT)],
            [("_%2", PRODUCT, PRODUCT), ("_%4==0", COMPARISON, PRODUCT), ("_>0==_%2", COMPARISON, PRODUCT)]),
    _filter("odd", lambda v, _: v % 2 == 1, range(0),
            [("_%2==1", COMPARISON, PRODUCT), ("_%2", PRODUCT, PRODUCT)],
            [("not _%2", BOOLEAN, PRODUCT), ("_>0<_%2", COMPARISON, PRODUCT), ("_%4==1", COMPARISON, PRODUCT)]),
    _filter("over", lambda v, k: v > k, _LIMITS,
            [("_>K", COMPARISON, SHIFT), ("K<_", COMPARISON, SHIFT)],
            [("_>=K", COMPARISON, SHIFT), ("_<K", COMPARISON, SHIFT), ("abs(_)>K", COMPARISON, TERNARY)]),
    _filter("under", lambda v, k: v < k, _LIMITS,
            [("_<K", COMPARISON, SHIFT), ("K>_", COMPARISON, SHIFT)],
            [("_<=K", COMPARISON, SHIFT), ("_>K", COMPARISON, SHIFT), ("0<=_<K", COMPARISON, SHIFT)]),
    _listed("sort", "order", lambda v, _: sorted(v),
            (_call("sorted(_)", generator=True),),
            (_call("sorted(set(_))", generator=True), _call("sorted(_)[::-1]", generator=True))),
    _listed("flip", "order", lambda v, _: v[::-1],
            (_call("_[::-1]"), _call("list(reversed(_))")),
            (_call("_[:0:-1]"), _call("sorted(_)[::-1]", generator=True))),
    _listed("take", "order", lambda v, k: v[:k],
            (_call("_[:K]"), _call("_[0:K]")), (_call("_[1:K]"), _call("_[-K:]")), _FEW),
    _listed("drop", "order", lambda v, k: v[k:],
            (_call("_[K:]"),), (_call("_[:-K]"), _call("_[:K]")), _FEW),
    _listed("sum", "reduce", lambda v, _: sum(v),
            (_call("sum(_)", generator=True),),
            (_call("sum(set(_))", generator=True), _call("len(_)"), _call("sum(_[1:])"))),
    _listed("count", "reduce", lambda v, _: len(v),
            (_call("len(_)"),), (_call("len(set(_))", generator=True), _call("sum(_)", generator=True))),
    _listed("max", "reduce", lambda v, _: max(v, default=0),
            (_call("max(_,default=0)"), _call("max(_ or[0])")),
            (_call("max(_)", generator=True), _call("max([0,*_])"), _call("min(_,default=0)"))),
    _listed("min", "reduce", lambda v, _: min(v, default=0),
            (_call("min(_,default=0)"), _call("min(_ or[0])")),
            (_call("min(_)", generator=True), _call("min([0,*_])"), _call("max(_,default=0)"))),
)  # fmt: skip

OPERATIONS = {operation.word: operation for operation in _OPERATIONS}
WORDS: dict[Stage, tuple[str, ...]] = {
    stage: tuple(o.word for o in _OPERATIONS if o.stage == stage) for stage in ("value", "filter", "order", "reduce")
}
