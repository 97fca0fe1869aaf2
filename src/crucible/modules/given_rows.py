"""Given answers as rows of tokens: what a policy that wrote them itself would have sampled."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch

from crucible.errors import UserError
from crucible.policy.policy import Policy
from crucible.policy.tokenizer import unknown_characters
from crucible.types import Prompt, Rollouts

T = TypeVar("T")
TooLong = Literal["refuse", "skip", "cut"]


def texts_of(item: Any) -> tuple[str, ...]:
    """The answers of a Demonstration, Preference or Labelled."""
    return (item.chosen, item.rejected) if hasattr(item, "chosen") else (item.completion,)


@dataclass(frozen=True, slots=True)
class Encoder:
    """Tokens of prompts and answers; the end token closes an answer, and a cut one has none.

    `max_tokens`: tokens of an answer at most (None: as many as the context has room for). An answer that is longer is
    refused, its item left out (skip), or it keeps its beginning (cut), as `too_long` says.
    """

    policy: Policy
    max_tokens: int | None = None
    too_long: TooLong = "refuse"

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 1:
            raise UserError(f"algo.max_tokens={self.max_tokens}: must be at least 1 token, or null")

    def answer(self, prompt: Prompt, text: str) -> list[int]:
        """The answer's tokens, the end token last."""
        tokenizer = self.policy.tokenizer
        ids = [*tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"], self.policy.eos_id]
        if tokenizer.unk_token_id in ids and (unknown := unknown_characters(tokenizer, text)):
            raise UserError(
                f"an answer to prompt {prompt.id} has {unknown[0]!r}, which the model's tokenizer does not know "
                f"(in {text[:60]!r})"
            )
        return ids

    def room(self, prompt_tokens: int) -> int:
        """Tokens an answer may have."""
        room = self.policy.context_length - prompt_tokens
        return min(room, self.max_tokens or room)

    def overlong(self, item: Any) -> tuple[int, int] | None:
        """(tokens, room) of the first answer of an item that has no room; None where all have."""
        room = self.room(len(self.policy.token_ids([item.prompt])[0]))
        for text in texts_of(item):
            if (tokens := len(self.answer(item.prompt, text))) > room:
                return tokens, room
        return None

    def usable(self, item: Any) -> bool:
        """False for an item to be left out. Errors: UserError for one that is too long to be learned from."""
        found = self.overlong(item)
        if found is None or (self.too_long == "cut" and found[1] > 0):
            return True
        if self.too_long == "refuse":
            raise UserError(self.refusal(item, found))
        return False

    def kept(self, items: Sequence[T], report: Callable[[str], None]) -> list[T]:
        """The items of a finite set that can be learned from, all looked at. Errors: UserError where one is refused."""
        found = [self.overlong(item) for item in items]
        long = [i for i, size in enumerate(found) if size is not None]
        if not long:
            return list(items)
        first = found[long[0]]
        assert first is not None
        if self.too_long == "refuse":
            raise UserError(f"{len(long)} of {len(items)} answers are too long: {self.refusal(items[long[0]], first)}")
        out = {i for i in long if self.too_long == "skip" or (found[i] or (0, 0))[1] < 1}
        if len(out) == len(items):
            raise UserError(f"all {len(items)} answers are too long: {self.refusal(items[long[0]], first)}")
        words = [f"{len(out)} left out"] * bool(out) + [f"{len(long) - len(out)} cut"] * (len(long) > len(out))
        report(f"{len(long)} of {len(items)} answers are too long: {', '.join(words)} (algo.too_long={self.too_long})")
        return [item for i, item in enumerate(items) if i not in out]

    def refusal(self, item: Any, size: tuple[int, int]) -> str:
        tokens, room = size
        return (
            f"an answer to prompt {item.prompt.id} has {tokens} tokens, and there is room for {max(room, 0)} (context "
            f"{self.policy.context_length}, algo.max_tokens={self.max_tokens or 'null'}); set algo.too_long=skip or cut"
        )

    def rows(self, answers: Sequence[tuple[Prompt, str]], *, group: Sequence[int] | None = None) -> Rollouts:
        """One row an answer, on the CPU. No policy of this run sampled them: `sampling_logps` are NaN."""
        prompts = [prompt for prompt, _ in answers]
        encoded = self.policy.token_ids(prompts)
        rows, reasons = [], []
        for (prompt, text), before in zip(answers, encoded, strict=True):
            ids, room = self.answer(prompt, text), self.room(len(before))
            rows.append(ids[:room])
            reasons.append("stop" if len(ids) <= room else "length")
        width, prompt_width, pad = max(map(len, rows)), max(map(len, encoded)), self.policy.pad_id
        mask = torch.tensor([[1.0] * len(row) + [0.0] * (width - len(row)) for row in rows])
        return Rollouts(
            prompt_ids=torch.tensor([[pad] * (prompt_width - len(row)) + row for row in encoded]),
            prompt_mask=torch.tensor([[0] * (prompt_width - len(row)) + [1] * len(row) for row in encoded]),
            completion_ids=torch.tensor([row + [pad] * (width - len(row)) for row in rows]),
            mask=mask,
            sampling_logps=torch.full_like(mask, math.nan),
            group=torch.arange(len(rows)) if group is None else torch.tensor(group),
            policy_version=torch.zeros(len(rows), dtype=torch.int64),
            prompts=prompts,
            texts=[text for _, text in answers],
            finish_reason=reasons,
        )
