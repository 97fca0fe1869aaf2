"""The log-odds that an answer fulfils the principle bound to its prompt, by a judge that writes first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from crucible.ahead import looks_ahead
from crucible.config.batch import Batch
from crucible.errors import UserError, expanded
from crucible.rewards.runtime.outcome import Outcome, scores_of
from crucible.types import Completion, Context, Prompt, Scores


def refuse(*, checkpoint: str) -> None:
    """Errors: UserError for a folder without a model, before any is loaded."""
    from crucible.modules.written_judge import refuse_other_kind

    folder = expanded(checkpoint)
    if not (folder / "config.json").is_file():
        raise UserError(f"reward.checkpoint={checkpoint}: no model there; give policy/ of an algo=rm_genrm run")
    refuse_other_kind(folder)


@looks_ahead(refuse)
class GenRM:
    """r = log P(Yes) - log P(No) of the judge in `checkpoint` that the completion fulfils the principle of its prompt.

    RLBFF, 2509.21319, with its generative reward model: each training prompt has one principle
    (reference["principle"], data.principle_column), which the policy never sees; `principle` instead asks one of every
    prompt. A judgement without a verdict, and one that has no room in the judge's context, is an abstention: the row
    trains nothing. The judge is a second model in memory and writes up to `max_tokens` for every completion; each step
    draws its own noise at a temperature above 0.

    Errors: UserError for a checkpoint without such a model.
    """

    def __init__(
        self,
        *,
        checkpoint: str,
        policy: Any,
        batch: Batch,
        report: Callable[[str], None],
        principle: str | None = None,
        max_tokens: Annotated[int, ">= 1"] = 1024,
        temperature: Annotated[float, ">= 0"] = 0.0,
    ):
        from crucible.modules.written_judge import WrittenJudge

        refuse(checkpoint=checkpoint)
        self.principle = principle
        self.needs: tuple[str, ...] = () if principle is not None else ("principle",)
        self.judge = WrittenJudge.load(
            Path(expanded(checkpoint)), device=str(policy.device), batch_tokens=batch.micro_batch_tokens,
            max_tokens=max_tokens, temperature=temperature, seed=0,
        )  # fmt: skip
        report(f"generative reward model from {checkpoint}; questions in the form {self.judge.form}")

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        asked = [
            self.judge.asked(p, c.text, self.principle or str(p.reference["principle"]))
            for p, c in zip(prompts, completions, strict=True)
        ]
        fits = [not words for words in self.judge.too_long(asked)]
        r = iter(self.judge.scores([a for a, ok in zip(asked, fits, strict=True) if ok], seed=context.step))
        found = [next(r) if ok else None for ok in fits]
        scores = scores_of("genrm", [Outcome("abstain") if x is None else Outcome("value", x) for x in found])
        scores.verdict = scores.total > 0
        return scores
