"""How likely a policy finds the reference answer after a given text."""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING

from crucible.errors import UserError
from crucible.rewards.runtime.outcome import Outcome
from crucible.types import Prompt, Rollouts

if TYPE_CHECKING:
    from torch import Tensor

    from crucible.policy.policy import Policy

TOO_LONG = Outcome("error", problem="the completion and the reference answer exceed the model's context")


def before_answer(text: str, marker: str) -> str | None:
    """The completion up to its last `marker`, the marker included: where its answer begins. None without a marker."""
    at = text.rfind(marker)
    return None if at < 0 else text[: at + len(marker)]


def answer_logps(
    policy: Policy, prompts: Sequence[Prompt], before: Sequence[str], answers: Sequence[str], tokens: int
) -> list[Tensor | None]:
    """log pi of each token of the answer, after the prompt and the text `before`: one (A,) tensor a row, at
    temperature 1 and without gradient. None where the row does not fit into the model's context.

    Passes of at most `tokens` padded tokens. Errors: those of `spliced`.
    """
    rows = with_logps(policy, spliced(policy, prompts, before, answers), tokens)
    lengths = rows.lengths.long().tolist()
    return [logps[:n] if n else None for logps, n in zip(rows.sampling_logps, lengths, strict=True)]


def spliced(
    policy: Policy, prompts: Sequence[Prompt], before: Sequence[str | None], answers: Sequence[str]
) -> Rollouts:
    """Rows whose prompt is the prompt and the text `before`, and whose completion is the answer.

    No completion where `before` is None or the row does not fit into the model's context. Text is turned into tokens
    in two pieces, so that the answer's first token is the same whatever stands before it. Every row is a group.
    Errors: UserError for an answer that is empty or that the tokenizer does not know.
    """
    import torch

    asked = dict(zip([p.id for p in prompts], prompts, strict=True))
    known = dict(zip(asked, policy.token_ids(list(asked.values())), strict=True))
    left, right = list[list[int]](), list[list[int]]()
    for prompt, text, answer in zip(prompts, before, answers, strict=True):
        start = [] if text is None else known[prompt.id] + _ids(policy, text)
        end = [] if text is None else answer_ids(policy, prompt, answer)
        fits = len(start) + len(end) <= policy.context_length
        left.append(start if fits else [])
        right.append(end if fits else [])
    prompt_ids, prompt_mask = _padded(left, policy.pad_id, at_left=True)
    completion_ids, mask = _padded(right, policy.pad_id, at_left=False)
    return Rollouts(
        prompt_ids=prompt_ids,
        prompt_mask=prompt_mask,
        completion_ids=completion_ids,
        mask=mask.float(),
        sampling_logps=torch.zeros(mask.shape),
        group=torch.arange(len(prompts)),
        policy_version=torch.zeros(len(prompts), dtype=torch.int64),
        prompts=list(prompts),
        texts=list(answers),
        finish_reason=["stop"] * len(prompts),
    )


def with_logps(policy: Policy, rows: Rollouts, tokens: int) -> Rollouts:
    """The rows with the log-probs that `policy` gives their completions; those without a completion cost nothing."""
    from crucible.modules.passes import token_columns

    some = rows.mask.any(-1).nonzero().flatten()
    if len(some):
        rows.sampling_logps[some] = token_columns(policy, rows, some, tokens, {"logps"})["logps"]
    return rows


def reasoning_mask(policy: Policy, rollouts: Rollouts, before: Sequence[str | None]) -> Tensor:
    """(N, T) 1.0 on the sampled tokens whose text is in `before`, the token in which it ends included; where it is
    None, on all tokens of the row."""
    import torch

    def written(row: list[int], tokens: int) -> int:
        """The characters of the first so many tokens."""
        found: str = policy.tokenizer.decode(row[:tokens], skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return len(found)

    counts = rollouts.lengths.long().tolist()
    for i, (row, text) in enumerate(zip(rollouts.completion_ids.tolist(), before, strict=True)):
        if text is not None:
            counts[i] = bisect_left(range(counts[i]), len(text), key=functools.partial(written, row))
    places = torch.arange(rollouts.mask.shape[1])
    return rollouts.mask * (places < torch.tensor(counts).unsqueeze(-1))


def answer_ids(policy: Policy, prompt: Prompt, answer: str) -> list[int]:
    ids = _ids(policy, answer)
    if not ids or policy.tokenizer.unk_token_id in ids:
        raise UserError(
            f"prompt {prompt.id}: the model's tokenizer cannot write the reference answer {answer[:60]!r}, "
            "so it has no likelihood"
        )
    return ids


def _ids(policy: Policy, text: str) -> list[int]:
    ids: list[int] = policy.tokenizer(text, add_special_tokens=False)["input_ids"] if text else []
    return ids


def _padded(rows: Sequence[Sequence[int]], pad: int, *, at_left: bool) -> tuple[Tensor, Tensor]:
    """(ids, mask), both (K, longest) int64."""
    import torch

    width = max(map(len, rows), default=0)
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros((len(rows), width), dtype=torch.int64)
    for k, row in enumerate(rows):
        place = slice(width - len(row), width) if at_left else slice(0, len(row))
        ids[k, place], mask[k, place] = torch.tensor(row, dtype=torch.int64), 1
    return ids, mask
