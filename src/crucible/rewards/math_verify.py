"""Whether an answer is mathematically equal to the reference answer, by the library Math-Verify."""

from __future__ import annotations

import functools
import itertools
import logging
import re
from typing import Any, Literal

from crucible.errors import UserError
from crucible.rewards.base import per_sample
from crucible.rewards.libraries import required
from crucible.rewards.places import boxed
from crucible.types import Completion, Prompt

EXTRACTIONS = ("latex", "latex_or_expression")
_DELIMITERS = ("$", "\\(", "\\[")
_TINY = 1e-3  # below it, numbers must also agree to a thousandth of themselves (ours)
_SCIENTIFIC = re.compile(r"(?<![0-9A-Za-z.\\])([0-9]+(?:\.[0-9]+)?)[eE]([-+]?[0-9]{1,3})(?![0-9A-Za-z])")
_PERCENTAGE = re.compile(r"([-+]?[0-9][0-9.,]*)\s?\\?%")


def _check(*, extraction: str = "latex", float_rounding: int = 6, window: int = 2000, **_: Any) -> None:
    required("math_verify", "math-verify[antlr4_9_3]")
    if extraction not in EXTRACTIONS:
        raise UserError(f"reward.extraction is {extraction!r}; it must be one of {', '.join(EXTRACTIONS)}")
    if float_rounding < 0:
        raise UserError(f"reward.float_rounding={float_rounding}: at least 0 decimals")
    if window < 1:
        raise UserError(f"reward.window={window}: at least 1 character")


@per_sample(needs=["answer"], check=_check)
def math_verify(
    prompt: Prompt,
    completion: Completion,
    *,
    extraction: Literal["latex", "latex_or_expression"] = "latex",
    float_rounding: int = 6,
    numeric_precision: int = 15,
    strict: bool = True,
    allow_set_relation_comp: bool = False,
    window: int = 2000,
) -> float | None:
    """1 where Math-Verify finds the completion's final answer equal to the reference answer, else 0.

    Source: huggingface/Math-Verify 0.9 (`parse`, then `verify(gold, prediction)`: the order matters, an inequality as
    gold accepts an interval, not the other way round); extraction as in TRL's `accuracy_reward`.
    `extraction`: "latex" reads `\\boxed{...}` first, then LaTeX between delimiters behind "answer", and repairs no
    malformed operator (the library's advice for training); "latex_or_expression" also reads plain numbers and
    expressions, anywhere, the last one first. `window`: characters at the end that are read (the library's patterns
    take quadratic time); a box further up is still found.

    Differs from TRL: the reference answer is put between LaTeX delimiters where it has none, since of a bare
    `3\\sqrt{13}` the library reads the 3; the only box is right where it holds the reference answer letter by letter,
    also a malformed one (`\\frac43`); 1.5e6 is a power of ten; numbers below a thousandth must also agree to a
    thousandth of themselves (to six decimals 3e-9 would be 5e-8); one candidate that cannot be compared does not hide
    an equal one. As in the library 50% equals 50 and 0.5, a reference answer in words is a product of its letters, so
    that any order of them equals it, and neighbouring boxes are one set.

    No verdict (abstains) where nothing can be read in the reference answer. No readable answer in the completion is
    0. What the library cannot compare is an error, not a 0; its own time limits are off, the runtime has one.
    """
    reference = str(prompt.reference["answer"])
    gold = _gold(reference)
    if not gold:
        return None
    said = boxed(completion.text) if completion.text.count("\\boxed") == 1 else None
    if said and said == (boxed(reference) or reference.strip().strip("$").strip()):
        return 1.0
    options = {
        "float_rounding": float_rounding,
        "numeric_precision": numeric_precision,
        "strict": strict,
        "allow_set_relation_comp": allow_set_relation_comp,
    }
    return float(_equal(gold, _answer(completion.text, extraction, window), options))


def _equal(gold: tuple[Any, ...], answer: list[Any], options: dict[str, Any]) -> bool:
    """Whether any pair of candidates is equal. A pair that breaks matters only where no other is equal."""
    from math_verify import verify

    broken = None
    for g, a in itertools.product(gold, answer):
        try:
            if verify(g, a, timeout_seconds=None, raise_on_error=True, **options) and not _tiny_and_apart(g, a):
                return True
        except Exception as error:  # raised below, unless another pair is equal
            broken = error
    if broken is not None:
        raise broken
    return False


def _tiny_and_apart(gold: Any, answer: Any) -> bool:
    """Whether two numbers are one only because both are rounded to (nearly) nothing."""
    try:
        x, y = float(gold), float(answer)
    except (TypeError, ValueError, OverflowError):  # not two real numbers
        return False
    return 0 < abs(x) < _TINY and abs(x - y) > _TINY * abs(x)


@functools.lru_cache(maxsize=1024)
def _gold(answer: str) -> tuple[Any, ...]:
    """The candidates in a reference answer: symbolic first, then its text."""
    from math_verify import LatexExtractionConfig, parse

    _quiet()
    text = answer.strip()
    inner = boxed(text)
    if inner is not None:
        text = inner
    bare = " ".join(text.replace("\\$", "").split())
    if bare.count("$") == 2 and bare[0] == bare[-1] == "$":
        bare = bare[1:-1].strip()
    if any(mark in bare for mark in _DELIMITERS):
        found = parse(bare, (LatexExtractionConfig(),), parsing_timeout=None)
        if found:
            return tuple(found)
    bare = _readable(bare.replace("$", " ").strip())
    return tuple(parse(bare if bare.endswith("$%") else f"${bare}$", parsing_timeout=None)) if bare else ()


def _answer(text: str, extraction: str, window: int) -> list[Any]:
    """The candidates in a completion. Where there is one box, it is all that is read."""
    from math_verify import parse

    _quiet()
    tail = text[-window:]
    if tail.count("\\boxed") < 2 and (inner := boxed(text)) is not None:
        inner = _readable(inner[:window])
        tail = f"the answer is {inner}" if inner.endswith("$%") else f"\\boxed{{{inner}}}"
    if extraction == "latex":
        return list(parse(tail, _latex_only(), extraction_mode="first_match", parsing_timeout=None))
    return list(parse(tail, _latex_or_expression(), parsing_timeout=None))


def _readable(latex: str) -> str:
    """1.5e6 as a power of ten (the library reads 1.5 e 6); a percentage as `$5$%` (the only one antlr 4.9 reads)."""
    percentage = _PERCENTAGE.fullmatch(latex)
    if percentage:
        return f"${percentage[1]}$%"
    return _SCIENTIFIC.sub(r"\1 \\times 10^{\2}", latex)


@functools.cache
def _latex_only() -> tuple[Any, ...]:
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig

    plain = NormalizationConfig(units=True)
    return (
        LatexExtractionConfig(boxed_match_priority=0, try_extract_without_anchor=False, normalization_config=plain),
    )


@functools.cache
def _latex_or_expression() -> tuple[Any, ...]:
    from math_verify import ExprExtractionConfig, LatexExtractionConfig

    return (LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig())


@functools.cache
def _quiet() -> None:
    """The library warns whenever its own time limits are off."""
    for name in ("math_verify.parser", "math_verify.grader"):
        logging.getLogger(name).setLevel(logging.ERROR)
