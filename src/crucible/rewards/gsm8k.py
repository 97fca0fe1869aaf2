"""The number at the end of an answer, compared as a text: the checkers of GSM8K runs."""

from __future__ import annotations

import re
from typing import Any, Literal

from crucible.data.answers import number
from crucible.errors import UserError
from crucible.rewards.base import per_sample
from crucible.types import Completion, Prompt

METHODS = ("strict", "flexible", "last_number")
_STRICT = re.compile(r"#### (-?[0-9.,]+)")
_FLEXIBLE = re.compile(r"-?[0-9.,]+")
_SIGNED = re.compile(r"[-+]?(?:[0-9]*\.[0-9]+|[0-9]+)")
_GROUPS = re.compile(r"(?<=[0-9]),(?=[0-9])")


def _check(*, method: str = "strict", compare: str = "text", window: int | None = 300, **_: Any) -> None:
    if method not in METHODS:
        raise UserError(f"reward.method is {method!r}; it must be one of {', '.join(METHODS)}")
    if compare not in ("text", "value"):
        raise UserError(f"reward.compare is {compare!r}; it must be text or value")
    if window is not None and window < 1:
        raise UserError(f"reward.window={window}: at least 1 character, or null for the whole text")


@per_sample(needs=["answer"], check=_check)
def gsm8k(
    prompt: Prompt,
    completion: Completion,
    *,
    method: Literal["strict", "flexible", "last_number"] = "strict",
    compare: Literal["text", "value"] = "text",
    score: float = 1.0,
    format_score: float = 0.0,
    window: int | None = 300,
) -> float:
    """`score` where the number found equals the reference answer, `format_score` for another number, 0 for none.

    `method`: "strict" takes the last `#### <number>`, without its commas; "flexible" the last run of digits, dots and
    commas that is more than dots and commas; both are verl's `gsm8k` and look at the last `window` characters.
    "last_number" joins digit groups and takes the last signed number of the whole text: open-instruct's
    `GSM8KVerifier`.
    `compare`: "text" as there (`18` is not `18.0`, and "flexible" finds `1234.` in "the answer is 1234."); "value"
    (ours) compares exact values and allows a closing full stop.

    Differs from verl: the last `####` counts (the code takes the first in the window); `,` and `$` are taken out of
    the reference answer too, as its data preparation does; "flexible" passes over every run without a digit.
    """
    text = completion.text if window is None or method == "last_number" else completion.text[-window:]
    found = _found(text, method)
    if found is None:
        return 0.0
    gold = str(prompt.reference["answer"]).strip().replace(",", "").replace("$", "")
    if compare == "text":
        return score if found.casefold() == gold.casefold() else format_score
    a, b = number(found.rstrip(".,").replace(",", "")), number(gold)
    return score if a is not None and a == b else format_score


def _found(text: str, method: str) -> str | None:
    if method == "strict":
        marked = _STRICT.findall(text)
        return marked[-1].replace(",", "") if marked else None
    if method == "flexible":
        return next((run for run in reversed(_FLEXIBLE.findall(text)) if any(c.isdigit() for c in run)), None)
    signed = _SIGNED.findall(_GROUPS.sub("", text))
    return signed[-1] if signed else None
