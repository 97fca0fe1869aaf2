"""Correctness and an honest confidence in it, in one reward."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from crucible.errors import UserError
from crucible.rewards.base import Combined, valid
from crucible.types import Completion, Context, Prompt, Scores

_ORDER = ("think", "answer", "analysis", "confidence")
_NUMBER = re.compile(r"[0-9]{0,8}\.?[0-9]{1,20}")


class RLCR(Combined):
    """Correctness c in {0, 1} with a Brier term for the stated confidence q in [0, 1].

    Source: RLCR (arXiv 2507.16806). `form` "paper": c - (q - c)^2; "code" (official repository):
    0.5 format + 0.5 c + 0.5 (1 - (q - c)^2). Any bounded proper score keeps the optimum at the likeliest answer with a
    calibrated q. `correct` judges the text in <answer>; right is a score of at least 0.5. Components: `format`,
    `confidence`, `brier` (the last two NaN without the format).

    Format: <think>, <answer>, <analysis>, <confidence>, each once, in order, closed, nothing behind the last, and a
    number from 0 to 1 in it. Without it the reward is 0 whatever the answer (the official code; here in the paper's
    form too), so the format must be learnt first. One and the same confidence for everything is the
    known failure: look at `confidence`.

    A row with the format is without a reward where `correct` has none.
    """

    def __init__(self, *, correct: Any, form: Literal["paper", "code"] = "code"):
        if form not in ("paper", "code"):
            raise UserError(f"reward.form is {form!r}; it must be paper or code")
        super().__init__({"correct": correct})
        self.form = form

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        read = [answer_and_confidence(c.text) for c in completions]
        seen = [replace(c, text=r[0] if r else "") for c, r in zip(completions, read, strict=True)]
        found, together = self.score_parts(prompts, seen, replace(context, rollouts=None))
        shaped = torch.tensor([r is not None for r in read], dtype=torch.bool)
        right = (found["correct"].total >= 0.5).float()
        confidence = torch.tensor([r[1] if r else math.nan for r in read])
        brier = (confidence - right) ** 2
        value = right - brier if self.form == "paper" else 0.5 + 0.5 * right + 0.5 * (1 - brier)
        known = valid(found["correct"])
        together.total = torch.where(shaped & known, value, 0.0)
        together.valid = None if bool((known | ~shaped).all()) else known | ~shaped
        together.components |= {
            "format": shaped.float(),
            "confidence": confidence,
            "brier": torch.where(known, brier, math.nan),
        }
        return together


def answer_and_confidence(text: str) -> tuple[str, float] | None:
    """The text in <answer> and the number in <confidence>; None where the format is broken."""
    marks = [mark for tag in _ORDER for mark in (f"<{tag}>", f"</{tag}>")]
    places = [text.find(mark) for mark in marks]
    if any(text.count(mark) != 1 for mark in marks) or places != sorted(places):
        return None
    if text[places[-1] + len(marks[-1]) :].strip():
        return None
    inside = {tag: text[places[2 * i] + len(tag) + 2 : places[2 * i + 1]] for i, tag in enumerate(_ORDER)}
    stated = inside["confidence"].strip()
    if not _NUMBER.fullmatch(stated) or not 0 <= float(stated) <= 1:
        return None
    return inside["answer"], float(stated)
