"""A penalty on repeated n-grams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from crucible.errors import UserError
from crucible.types import Completion, Context, Prompt, Scores


class Repetition:
    """penalty x (1 - distinct n-grams / n-grams), and 0 for completions of fewer than n units.

    Source: arXiv 2502.03373 (Demystifying Long Chain-of-Thought Reasoning); `unit`: "token" as TRL
    (`get_repetition_penalty_reward`, n 3, penalty -1), "word" as open-r1 (lower case, split at white space).

    "token" needs the tokens behind the texts: on texts that no policy of this run sampled no row has a reward.
    """

    needs: tuple[str, ...] = ()

    def __init__(self, *, n: int = 3, penalty: float = -1.0, unit: Literal["token", "word"] = "token"):
        if n < 1:
            raise UserError(f"reward.n={n}: at least 1")
        if penalty > 0:
            raise UserError(f"reward.penalty={penalty}: a penalty is 0 or below")
        if unit not in ("token", "word"):
            raise UserError(f"reward.unit is {unit!r}; it must be token or word")
        self.n, self.penalty, self.unit = n, penalty, unit

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        if self.unit == "word":
            rows: list[list[object]] = [list(c.text.lower().split()) for c in completions]
        elif context.rollouts is not None:
            ids, lengths = context.rollouts.completion_ids.tolist(), context.rollouts.lengths.tolist()
            rows = [row[: int(length)] for row, length in zip(ids, lengths, strict=True)]
        else:
            nothing = torch.zeros(len(completions))
            return Scores(nothing, {"repetition": torch.full_like(nothing, torch.nan)}, valid=nothing.bool())
        total = torch.tensor([self.penalty * repeated(row, self.n) for row in rows])
        return Scores(total=total, components={"repetition": total})


def repeated(units: Sequence[object], n: int) -> float:
    """Share of the n-grams of a sequence that occurred before, from 0 to 1."""
    count = len(units) - n + 1
    if count < 1:
        return 0.0
    return 1 - len({tuple(units[i : i + n]) for i in range(count)}) / count
