"""How sure a judge that writes its judgement is of the label: the reward of a generative reward model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from crucible.config.batch import Batch
from crucible.errors import UserError
from crucible.feedback.judging import WORDS, read
from crucible.rewards.answer_likelihood import TOO_LONG, spliced, with_logps
from crucible.rewards.runtime.outcome import Outcome, scores_of
from crucible.types import Completion, Context, Prompt, Scores

if TYPE_CHECKING:
    from crucible.policy.policy import Policy

FLOOR = -50.0  # of either word's log-probability (released code of 2509.21319)


class LabelSigned:
    """r if the label is Yes, -r if it is No, with r = log P(Yes) - log P(No) at the verdict of a written judgement.

    RLBFF, 2509.21319, for its generative reward model: the r that the model gives as a reward is said to be used in its
    own GRPO training too; how the label enters was not found, and this sign is inferred. r is read where the completion
    wrote its verdict, the last line "Final Judgement: Yes" or "... No", from the current policy at temperature 1;
    either log-probability counts as at least `floor`, so |r| <= 50. No such line, or a completion that was cut off:
    `missing` (ours; the least that a judgement can get). Logged: log_odds (r), confident (r has the sign of the label),
    agrees (the verdict as written is the label), missing.

    Differs from the authors' scoring code: there the step's largest score is taken off before the floor, here the
    log-probability is floored; the two differ only where a word is less likely than e^-50. The text before the verdict
    is turned into tokens again. A row too long for the model's context is an error, not a number.

    Errors: UserError for a floor that is not below 0 and for a missing reward above 0.
    """

    needs: tuple[str, ...] = ("label",)

    def __init__(
        self,
        *,
        policy: Any,
        batch: Batch,
        floor: Annotated[float, "< 0"] = FLOOR,
        missing: Annotated[float, "<= 0"] = FLOOR,
    ):
        if not floor < 0 or not missing <= 0:
            raise UserError(f"reward label_signed: floor={floor} must be below 0, and missing={missing} not above it")
        self.policy, self.tokens, self.floor, self.missing = policy, batch.micro_batch_tokens, floor, missing

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        found = [None if c.finish_reason == "length" else read(c.text) for c in completions]
        labels = [_label(p) for p in prompts]
        r = log_odds(self.policy, prompts, [f and f[0] for f in found], tokens=self.tokens, floor=self.floor)
        outcomes = [
            Outcome("value", self.missing) if f is None
            else TOO_LONG if value is None
            else Outcome("value", value if label else -value)
            for f, value, label in zip(found, r, labels, strict=True)
        ]  # fmt: skip
        scores = scores_of("label_signed", outcomes)
        scores.components |= {
            "log_odds": torch.tensor([torch.nan if value is None else value for value in r]),
            "confident": (scores.total > 0).float(),
            "agrees": torch.tensor([float(f is not None and f[1] == y) for f, y in zip(found, labels, strict=True)]),
            "missing": torch.tensor([float(f is None) for f in found]),
        }
        scores.verdict = scores.total > 0
        return scores


def log_odds(
    policy: Policy, prompts: Sequence[Prompt], before: Sequence[str | None], *, tokens: int, floor: float = FLOOR
) -> list[float | None]:
    """log P(Yes) - log P(No) right after prompt and the text `before`, either floored; None where that is None or does
    not fit into the model's context. The two words of a row share the pass over what stands before them."""
    import torch

    twice = [p for p in prompts for _ in WORDS]
    rows = spliced(
        policy,
        twice,
        [text for text in before for _ in WORDS],
        [f" {word}" for _ in prompts for word in WORDS.values()],
    )
    rows.group = torch.arange(len(prompts)).repeat_interleave(len(WORDS))
    rows = with_logps(policy, rows, tokens)
    whole = rows.sampling_logps.double().sum(-1).clamp(min=floor)
    fits = rows.mask.any(-1).view(-1, len(WORDS)).all(-1).tolist()
    yes, no = whole.view(-1, len(WORDS)).unbind(-1)
    return [value if ok else None for value, ok in zip((yes - no).tolist(), fits, strict=True)]


def _label(prompt: Prompt) -> bool:
    """Errors: UserError for a label that is neither Yes nor No."""
    said = prompt.reference["label"]
    if said not in WORDS.values():
        raise UserError(f"reward label_signed: prompt {prompt.id} has the label {str(said)[:40]!r}; Yes or No")
    return bool(said == WORDS[True])
