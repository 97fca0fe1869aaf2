"""The final answer as a normalised text: the maths checker of Minerva and DAPO."""

from __future__ import annotations

import re
from typing import Any

from crucible.errors import UserError
from crucible.rewards.base import per_sample
from crucible.rewards.places import boxed
from crucible.types import Completion, Prompt

_SAID = re.compile(r"answer\s*:\s*([^\n]+)", re.IGNORECASE)
_BOX_WINDOW = 100  # characters at the end in which a box is looked for
_UNITS = [
    "apples",
    "cents",
    "cm",
    "degrees",
    "digits",
    "dollars",
    "edges",
    "feet",
    "grams",
    "hours",
    "inches",
    "integers",
    "kg",
    "kilometers",
    "km",
    "lb",
    "meals",
    "meters",
    "miles",
    "minutes",
    "mm",
    "mph",
    "multiples",
    "points",
    "pounds",
    "seconds",
    "square",
    "students",
    "units",
    "ways",
    "years",
]
_UNIT = re.compile(rf"(?<![A-Za-z\\])(?:{'|'.join(_UNITS)})(?![A-Za-z])")
_ARTICLE = re.compile(r"(?<![A-Za-z\\])(?:an?|the)\s+", re.IGNORECASE)
_WRAPPER = re.compile(r"\\(?:text|textbf|textit|mathrm|mbox|overline)\{([^{}]*)\}")
_NOTHING = ("\\ ", "\\,", "\\;", "\\!", "^\\circ", "^{\\circ}", "\\ldots", "\\dots", '"', "\\$", "$")
_BARE_FRACTION = re.compile(r"\\[dt]?frac(?:([0-9A-Za-z])|\{([^{}]*)\})(?:([0-9A-Za-z])|\{([^{}]*)\})")
_BARE_ROOT = re.compile(r"\\sqrt([0-9A-Za-z])")
_THOUSANDS = re.compile(r"-?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")


def _check(*, window: int = 300, **_: Any) -> None:
    if window < 1:
        raise UserError(f"reward.window={window}: at least 1 character")


@per_sample(needs=["answer"], check=_check)
def dapo_math(
    prompt: Prompt, completion: Completion, *, right: float = 1.0, wrong: float = -1.0, window: int = 300
) -> float:
    """`right` where the final answer and the reference answer are the same normalised text, else `wrong`.

    Source: DAPO (arXiv 2503.14476), verl's `math_dapo`, after Minerva (arXiv 2206.14858, appendix on answer
    normalisation). The last `Answer: ...` line in the last `window` characters; where there is none, the
    `\\boxed{...}` in the last 100. Normalised: what follows the last `=`; units, articles, dollar signs, spacing and
    wrappers like \\text{} go; `\\frac12` becomes `\\frac{1}{2}`; the commas of digit groups go.

    Differs from the code: units and articles are taken out as whole words, not inside of other words, and the list
    of units is ours; a full stop at the end goes; digit groups are joined only where they are
    groups of three (there `1,2` becomes `12`), and also in a negative or decimal number.

    +1 / -1 rather than 1 / 0 is the same under group normalisation and not where rewards are added.
    """
    text = completion.text[-window:]
    said = _SAID.findall(text)
    answer = said[-1] if said else boxed(text[-_BOX_WINDOW:])
    return right if answer is not None and same_text(answer, str(prompt.reference["answer"])) else wrong


def same_text(answer: str, gold: str) -> bool:
    """Whether two answers are the same text after normalisation; an empty one equals nothing."""
    return normalised(answer) == normalised(gold) != ""


def normalised(answer: str) -> str:
    """A final answer in the form in which texts are compared."""
    text = answer[-1000:]
    inner = boxed(text)
    if inner is not None:
        text = text.replace(f"\\boxed{{{inner}}}", inner)
    text = text.rpartition("=")[2]
    text = _ARTICLE.sub("", text)
    for mark in _NOTHING:
        text = text.replace(mark, "")
    text = text.replace("{,}", ",")
    text = _WRAPPER.sub(r"\1", text)
    text = _UNIT.sub("", text)
    text = _BARE_FRACTION.sub(lambda m: f"\\frac{{{m[1] or m[2] or ''}}}{{{m[3] or m[4] or ''}}}", text)
    text = _BARE_ROOT.sub(r"\\sqrt{\1}", text)
    text = text.replace("\\left", "").replace("\\right", "")
    text = "".join(text.split()).removesuffix(".")
    return text.replace(",", "") if _THOUSANDS.fullmatch(text) else text
