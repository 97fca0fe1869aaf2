"""How likely a policy finds the reference answer after a given text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crucible.errors import UserError
from crucible.rewards.runtime.outcome import Outcome
from crucible.types import Prompt

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

    Passes of at most `tokens` padded tokens. Text is turned into tokens in two pieces, so that the answer's first token
    is the same whatever stands before it. Errors: UserError for an answer that is empty or that the tokenizer does not
    know.
    """
    import torch

    from crucible.modules.passes import token_columns
    from crucible.types import Rollouts

    asked = dict(zip([p.id for p in prompts], prompts, strict=True))
    known = dict(zip(asked, policy.token_ids(list(asked.values())), strict=True))
    left = [known[p.id] + _ids(policy, text) for p, text in zip(prompts, before, strict=True)]
    right = [answer_ids(policy, p, answer) for p, answer in zip(prompts, answers, strict=True)]
    fits = [i for i in range(len(prompts)) if len(left[i]) + len(right[i]) <= policy.context_length]
    found: list[Tensor | None] = [None] * len(prompts)
    if not fits:
        return found
    prompt_ids, prompt_mask = _padded([left[i] for i in fits], policy.pad_id, at_left=True)
    completion_ids, mask = _padded([right[i] for i in fits], policy.pad_id, at_left=False)
    rows = torch.arange(len(fits))
    spliced = Rollouts(
        prompt_ids=prompt_ids,
        prompt_mask=prompt_mask,
        completion_ids=completion_ids,
        mask=mask.float(),
        sampling_logps=torch.zeros(mask.shape),
        group=rows,
        policy_version=torch.zeros_like(rows),
        prompts=[prompts[i] for i in fits],
        texts=[answers[i] for i in fits],
        finish_reason=["stop"] * len(fits),
    )
    logps = token_columns(policy, spliced, rows, tokens, {"logps"})["logps"]
    for k, i in enumerate(fits):
        found[i] = logps[k, : len(right[i])]
    return found


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

    width = max(map(len, rows))
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros((len(rows), width), dtype=torch.int64)
    for k, row in enumerate(rows):
        place = slice(width - len(row), width) if at_left else slice(0, len(row))
        ids[k, place], mask[k, place] = torch.tensor(row), 1
    return ids, mask
