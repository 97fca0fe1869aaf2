"""A language model's verdict on each answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crucible.errors import UserError
from crucible.rewards.judge.asking import Asked, Judge
from crucible.rewards.judge.endpoint import Endpoint
from crucible.rewards.judge.template import Template
from crucible.rewards.runtime.outcome import scores_of
from crucible.types import Completion, Context, Prompt, Scores


class LLMJudge:
    """What the judge behind `endpoint` says of each answer, asked with `template`; from 0 to 1.

    The contract A, B, C is CompassVerifier's, 2508.03686; what is sent and how replies are read: judge/template.py,
    judge/verdicts.py. A time-out, a failed request and a reply without a verdict leave the row without a reward.
    Replies are kept under `cache_dir`/judge, so equal questions, a resumed run and another run with the same judge pay
    nothing. `criterion` fills {criterion}. Logged, as means over completions: judge_tokens and judge_requests of this
    step, judge_known (share answered from the cache) and, with `prices` (per million prompt and reply tokens),
    judge_cost. Every judge can be talked into errors (2507.08794): compare it with true/success.

    Errors: UserError for prices that are not two numbers; see judge/endpoint.py and judge/template.py.
    """

    name = "llm_judge"
    needs: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        template: Template,
        endpoint: Endpoint,
        cache_dir: str | Path,
        criterion: str = "",
        prices: list[float] | None = None,
    ):
        if "criterion" in template.places and not criterion.strip():
            raise UserError("reward.criterion is empty, and the template asks for it")
        self.judge, self.criterion, self.prices = (
            Judge(template, endpoint, Path(cache_dir) / "judge"),
            criterion,
            prices,
        )
        check_prices(prices)
        self.needs = ("answer",) if "gold" in template.places else ()

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        template = self.judge.template
        pairs = zip(prompts, completions, strict=True)
        asked = self.judge.ask([template.fields(p, c.text, self.criterion) for p, c in pairs])
        scores = scores_of(self.name, asked.outcomes)
        scores.components |= billed(asked, self.prices, [[i] for i in range(len(prompts))])
        return scores


def billed(asked: Asked, prices: Sequence[float] | None, rows: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Components (N,) with what the questions `rows[i]` of each completion cost."""
    import torch

    def per_row(values: Sequence[float]) -> Any:
        return torch.tensor([float(sum(values[k] for k in row)) for row in rows])

    known = [float(n == 0) for n in asked.requests]
    found = {
        "judge_tokens": per_row(asked.tokens),
        "judge_requests": per_row(asked.requests),
        "judge_known": per_row(known) / torch.tensor([float(max(len(row), 1)) for row in rows]),
    }
    if prices is not None:
        found["judge_cost"] = per_row([(a * prices[0] + b * prices[1]) / 1e6 for a, b in asked.bill])
    return found


def check_prices(prices: Sequence[float] | None) -> None:
    if prices is not None and (len(prices) != 2 or min(prices) < 0):
        raise UserError(f"reward.prices={list(prices)}: two numbers, of a million prompt and of a million reply tokens")
