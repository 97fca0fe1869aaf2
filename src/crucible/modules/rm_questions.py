"""Questions about a response, packed so that all principles share one pass over prompt and response.

    <prompt><response>\n | <principle 1>? | <principle 2>? | ...

Each question sees prompt, response and itself, never another question, and its positions go on from the
response, so its Yes/No logits equal those of a row with this question alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from crucible.errors import UserError
from crucible.policy import Policy
from crucible.policy.tokenizer import unknown_characters
from crucible.types import Prompt

SEPARATOR = "\n"
WORDS = ("Yes", "No")


def answer_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The tokens of Yes and No behind a question: one each, bare or with a leading space, where the tokenizer has them;
    else the bare words as several. Errors: UserError where it cannot write or cannot tell them apart."""
    unknown = getattr(tokenizer, "unk_token_id", None)
    forms = [
        [list(tokenizer(space + word, add_special_tokens=False)["input_ids"]) for word in WORDS] for space in ("", " ")
    ]
    for yes, no in (*[pair for pair in forms if max(map(len, pair)) == 1], *forms):
        written = yes and no and unknown not in (*yes, *no)
        if written and yes != no and yes != no[: len(yes)] and no != yes[: len(no)]:
            return yes, no
    raise UserError(
        "reward model: the tokenizer cannot write Yes and No, or writes them alike, and the score is log P(Yes) - "
        "log P(No); choose a base whose tokenizer can"
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One response with its questions, as token ids. Where the answers are several tokens, each question stands there
    twice: before all but the last token of Yes, and before those of No."""

    prefix: list[int]
    questions: list[list[int]]

    @property
    def tokens(self) -> int:
        return len(self.prefix) + sum(map(len, self.questions))


@dataclass(frozen=True, slots=True)
class Packed:
    """B rows of T tokens with K questions in all. `answer_row`, `answer_at` (K,): where each answer is read.

    `attention` is None where no row has more than one question: then plain causal attention says the same, since
    padding is on the right.
    """

    ids: Tensor  # (B, T)
    positions: Tensor  # (B, T)
    attention: Tensor | None  # (B, 1, T, T) additive, 0 or the dtype's minimum
    answer_row: Tensor
    answer_at: Tensor


def question_ids(tokenizer: Any, context_length: int, principle: str) -> list[int]:
    """The tokens of a principle as a question. Errors: UserError for one that is empty, too long or unreadable."""
    text = " ".join(principle.split())
    if not text:
        raise UserError("reward model: a principle is empty; write what a response should fulfil")
    question = f" {text.removesuffix('?')}?"
    ids: list[int] = tokenizer(question, add_special_tokens=False)["input_ids"]
    if len(ids) >= context_length:
        raise UserError(
            f"reward model: the principle {text[:40]!r}... has {len(ids)} tokens, more than the context "
            f"of {context_length}; shorten it"
        )
    if tokenizer.unk_token_id in ids and (unknown := unknown_characters(tokenizer, question)):
        raise UserError(f"reward model: its tokenizer does not know {unknown[0]!r} in the principle {text[:40]!r}")
    return ids


class Asker:
    """Turns texts into rows of token ids for one policy's tokenizer."""

    def __init__(self, policy: Policy, endings: Sequence[list[int]] = ([],)) -> None:
        self.policy, self.endings = policy, endings
        self._questions: dict[str, list[int]] = {}

    def question(self, principle: str) -> list[int]:
        if principle not in self._questions:
            self._questions[principle] = question_ids(self.policy.tokenizer, self.policy.context_length, principle)
        return self._questions[principle]

    def rows(self, prompts: Sequence[Prompt], texts: Sequence[str], principles: Sequence[Sequence[str]]) -> list[Row]:
        """One row for each response; UserError where it does not fit the context with its longest question."""
        cache: dict[str, list[int]] = {}
        out: list[Row] = []
        for prompt, text, asked in zip(prompts, texts, principles, strict=True):
            if prompt.id not in cache:
                cache[prompt.id] = self.policy.token_ids([prompt])[0]
            questions = [[*self.question(p), *ending] for p in asked for ending in self.endings]
            prefix = [*cache[prompt.id], *self._ids(text), *self._ids(SEPARATOR)]
            longest = len(prefix) + max(map(len, questions), default=0)
            if longest > self.policy.context_length:
                raise UserError(
                    f"reward model: prompt {prompt.id} with its response and a principle has {longest} tokens, more "
                    f"than the context of {self.policy.context_length}; shorten the principle or sampling.max_tokens"
                )
            out.append(Row(prefix, questions))
        return out

    def _ids(self, text: str) -> list[int]:
        return self.policy.tokenizer(text, add_special_tokens=False)["input_ids"] if text else []


def pack(rows: Sequence[Row], pad_id: int, *, dtype: torch.dtype = torch.float32) -> Packed:
    """Right-padded batch. Padding sees itself only (a row of all-masked attention would be NaN)."""
    width = max(row.tokens for row in rows)
    ids = torch.full((len(rows), width), pad_id)
    positions = torch.zeros(len(rows), width, dtype=torch.int64)
    segment = torch.full((len(rows), width), -1)  # 0 prefix, 1.. questions, -1 padding
    answers: list[tuple[int, int]] = []
    for i, row in enumerate(rows):
        tokens, places, parts = list(row.prefix), list(range(len(row.prefix))), [0] * len(row.prefix)
        for number, question in enumerate(row.questions, 1):
            tokens += question
            places += range(len(row.prefix), len(row.prefix) + len(question))
            parts += [number] * len(question)
            answers.append((i, len(tokens) - 1))
        n = len(tokens)
        ids[i, :n], positions[i, :n], segment[i, :n] = torch.tensor(tokens), torch.tensor(places), torch.tensor(parts)
    attention = None
    if max(len(row.questions) for row in rows) > 1:
        key, query = segment[:, None, :], segment[:, :, None]
        causal = torch.ones(width, width, dtype=torch.bool).tril()
        seen = causal & (((key == query) & (key >= 0)) | ((key == 0) & (query > 0)))
        seen |= torch.eye(width, dtype=torch.bool)
        attention = torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)[:, None]
    where = torch.tensor(answers, dtype=torch.int64).reshape(-1, 2)
    return Packed(ids, positions, attention, where[:, 0], where[:, 1])
