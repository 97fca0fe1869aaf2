"""Marks for a tiny judge: which tokens of a response its language model would hardly have written.

    5-3=2;2+4=7;7+0=7   ->   5-3=2;2+4=7!;7+0=7

A judge with a large pre-trained base knows what 2+4 is. One made from scratch would have to learn it from a few
thousand one-bit labels, which it does not do in minutes (measured). So a language model that can do the task
proofreads the response first, and the judge reads the marked text. The marks say nothing of principles.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import torch

from crucible.errors import UserError
from crucible.policy import Policy
from crucible.policy.progress import progress
from crucible.types import Prompt

MARK = "!"


class Proofreader:
    """Puts `MARK` behind every token, and at an end, that `policy` gives a probability below `threshold`."""

    def __init__(self, policy: Policy, *, threshold: float = 0.3) -> None:
        if not 0 < threshold < 1:
            raise UserError(f"reward model: proofreading threshold={threshold} must be a probability between 0 and 1")
        self.policy, self.threshold = policy, threshold
        policy.model.eval().requires_grad_(False)

    @torch.no_grad()
    def mark(self, prompts: Sequence[Prompt], texts: Sequence[str], *, rows_at_once: int = 256) -> list[str]:
        """The texts with their marks, (N,) in the same order. The tokenizer must report offsets (fast ones do)."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        out = [""] * len(texts)
        for start in range(0, len(order), rows_at_once):
            chosen = order[start : start + rows_at_once]
            marked = self._mark([prompts[i] for i in chosen], [texts[i] for i in chosen])
            for i, text in zip(chosen, marked, strict=True):
                out[i] = text
        return out

    def _mark(self, prompts: list[Prompt], texts: list[str]) -> list[str]:
        policy = self.policy
        encoded = [
            policy.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True) if text else None
            for text in texts
        ]
        rows = [[*(e["input_ids"] if e else []), policy.eos_id] for e in encoded]
        ends = [[*(end for _, end in e["offset_mapping"])] if e else [] for e in encoded]
        width = max(map(len, rows))
        ids = torch.tensor([row + [policy.pad_id] * (width - len(row)) for row in rows], device=policy.device)
        mask = torch.tensor([[1.0] * len(row) + [0.0] * (width - len(row)) for row in rows], device=policy.device)
        likely = policy.token_stats(*policy.encode(prompts), ids, mask).logps > math.log(self.threshold)
        return [
            marked(text, [*places, len(text)], good)
            for text, places, good in zip(texts, ends, likely.tolist(), strict=True)
        ]


def marked(text: str, places: Sequence[int], likely: Sequence[bool]) -> str:
    """`text` with a mark at each of `places` (ends of tokens, in characters) that is not likely."""
    pieces, last = [], 0
    for place, good in zip(places, likely, strict=False):  # `likely` is as wide as the longest row
        pieces += [text[last:place], "" if good else MARK]
        last = place
    return "".join(pieces) + text[last:]


def trained_proofreader(
    task: Any,
    start: Policy,
    *,
    updates: int,
    batch: int = 64,
    learning_rate: float = 2e-3,
    threshold: float = 0.3,
    seed: int = 0,
    report: Callable[[str], None],
) -> Proofreader:
    """A copy of `start` that learned on from the task's demonstrations: AdamW, cosine down to a fiftieth.

    Loss: mean negative log-probability of the demonstrations' tokens and their end.
    """
    policy = copied(start)
    model = policy.model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    rng = random.Random(f"proofreader {seed}")
    prompts = task.warmup_prompts(random.Random(f"proofreader prompts {seed}"))
    with progress("proofreader", updates, report) as show:
        for update in range(1, updates + 1):
            chosen = list(islice(prompts, batch))
            rows = [
                [*policy.tokenizer(task.demonstrate(p, rng), add_special_tokens=False)["input_ids"], policy.eos_id]
                for p in chosen
            ]
            width = max(map(len, rows))
            ids = torch.tensor([row + [policy.pad_id] * (width - len(row)) for row in rows], device=policy.device)
            mask = torch.tensor([[1.0] * len(row) + [0.0] * (width - len(row)) for row in rows], device=policy.device)
            loss = -policy.token_stats(*policy.encode(chosen), ids, mask).logps.sum() / mask.sum()
            rate = min(1.0, update / 10) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * update / updates)))
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * rate
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            show(update, f"loss {loss.item():.4f}" if update % 50 == 0 or update == updates else "")
    return Proofreader(policy, threshold=threshold)


def copied(policy: Policy) -> Policy:
    """A policy of its own weights and tokenizer."""
    return Policy(
        copy.deepcopy(policy.model),
        copy.deepcopy(policy.tokenizer),
        chat=policy.chat,
        template_options=policy.template_options,
    )
