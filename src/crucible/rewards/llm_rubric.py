"""A checklist of each prompt's own, ticked off by a language model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crucible.errors import UserError
from crucible.rewards.judge.asking import Judge
from crucible.rewards.judge.endpoint import Endpoint
from crucible.rewards.judge.template import Template
from crucible.rewards.llm_judge import billed, check_prices
from crucible.rewards.runtime.outcome import Outcome, scores_of
from crucible.types import Completion, Context, Prompt, Scores


class LLMRubric:
    """sum_k w_k s_k / sum_k |w_k| over the criteria of Prompt.reference["rubric"], s_k the judge's verdict on each.

    As open-instruct's rubric verifier and RaR's explicit aggregation, 2507.17746 (secondary notes); the sum of a named
    checklist is reward=rubric. "rubric" is a list of texts (weight 1) or of {criterion, weight}; a negative weight is a
    penalty. One request a criterion, each answered from the cache where it is known (see reward=llm_judge, also for
    what is logged). A row is valid only where every criterion has a verdict; the first failure is its outcome
    (open-instruct takes a failed call for a miss).

    Errors: UserError for a template without {criterion}, and for a rubric that is none of these or weighs nothing.
    """

    name = "llm_rubric"
    needs: tuple[str, ...] = ("rubric",)

    def __init__(
        self, *, template: Template, endpoint: Endpoint, cache_dir: str | Path, prices: list[float] | None = None
    ):
        if "criterion" not in template.places:
            raise UserError("reward.template: the text has no {criterion}; choose reward/template=criterion")
        check_prices(prices)
        self.judge, self.prices = Judge(template, endpoint, Path(cache_dir) / "judge"), prices
        if "gold" in template.places:
            self.needs = ("rubric", "answer")

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        questions: list[dict[str, str]] = []
        rows, weights = [], []
        for prompt, completion in zip(prompts, completions, strict=True):
            criteria = criteria_of(prompt)
            rows.append(list(range(len(questions), len(questions) + len(criteria))))
            weights.append([weight for _, weight in criteria])
            questions += [self.judge.template.fields(prompt, completion.text, text) for text, _ in criteria]
        asked = self.judge.ask(questions)
        outcomes = [
            combined([asked.outcomes[k] for k in row], weight) for row, weight in zip(rows, weights, strict=True)
        ]
        scores = scores_of(self.name, outcomes)
        scores.components |= billed(asked, self.prices, rows)
        return scores


def combined(verdicts: Sequence[Outcome], weights: Sequence[float]) -> Outcome:
    """The weighted share of fulfilled criteria; the first verdict that is no value, where there is one."""
    seconds = sum(o.seconds for o in verdicts)
    for o in verdicts:
        if o.kind != "value":
            return Outcome(o.kind, problem=o.problem, seconds=seconds)
    total = sum(w * o.value for w, o in zip(weights, verdicts, strict=True))
    return Outcome("value", total / sum(map(abs, weights)), seconds=seconds)


def criteria_of(prompt: Prompt) -> list[tuple[str, float]]:
    """(criterion, weight) of each entry of a prompt's rubric."""
    rubric: Any = prompt.reference["rubric"]
    found = []
    for entry in rubric if isinstance(rubric, list | tuple) else [None]:
        if isinstance(entry, str):
            entry = {"criterion": entry, "weight": 1.0}
        text, weight = (entry.get("criterion"), entry.get("weight")) if isinstance(entry, Mapping) else (None, None)
        number = isinstance(weight, int | float) and not isinstance(weight, bool) and math.isfinite(weight)
        if not isinstance(text, str) or not text.strip() or not number:
            raise UserError(
                f"prompt {prompt.id}: its rubric is {str(rubric)[:60]!r}; a list of texts or of {{criterion, weight}}"
            )
        found.append((text, float(weight)))  # type: ignore[arg-type]
    if not any(weight for _, weight in found):
        raise UserError(f"prompt {prompt.id}: its rubric weighs nothing")
    return found
