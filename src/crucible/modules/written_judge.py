"""A judge that writes before it answers (algo=rm_genrm): generate, find the verdict, read r there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crucible.errors import UserError
from crucible.feedback.judging import WORDS, form_for, question, read
from crucible.modules.rm_scorer import NOTES
from crucible.policy import Policy, load
from crucible.rewards.label_signed import log_odds
from crucible.types import Prompt, Sampling

MAX_ROWS = 64  # judgements written at a time


class WrittenJudge:
    """r = log P(Yes) - log P(No) at the verdict of a judgement that is written first, as in 2509.21319.

    The question has the form of `crucible.feedback.judging`: plain text where the tokenizer has no chat template, a
    user's message where it has, or the role `principle` where its template knows it. `temperature` 0 is greedy (the
    paper's was not found; it writes up to 16,000 tokens). Either log-probability counts as at least -50.
    """

    def __init__(self, policy: Policy, *, max_tokens: int, temperature: float, seed: int, batch_tokens: int):
        self.policy, self.batch_tokens, self.max_tokens = policy, batch_tokens, max_tokens
        self.temperature, self.seed = temperature, seed
        self.form = form_for(getattr(policy.tokenizer, "chat_template", None))

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "cpu", **options: int | float) -> WrittenJudge:
        """Errors: UserError for a folder without a causal language model, or with a reward model of another kind."""
        refuse_other_kind(Path(folder))
        policy = load(folder)
        policy.model.to(device).eval()
        return cls(policy, **options)  # type: ignore[arg-type]

    def asked(self, prompt: Prompt, response: str, principle: str) -> Prompt:
        return question(prompt, response, principle, self.form, {})

    def too_long(self, asked: Sequence[Prompt]) -> list[str]:
        """Of questions: what is too long about each, with the judgement that is to be written; "" where it fits."""
        most = self.policy.context_length
        counts = [len(ids) for ids in self.policy.token_ids(list(asked))]
        return [f"{n} + {self.max_tokens} tokens of {most}" if n + self.max_tokens > most else "" for n in counts]

    def scores(self, asked: Sequence[Prompt], *, seed: int = 0) -> list[float | None]:
        """r of each question; None where no verdict was written."""
        from crucible.rollout.embedded import EmbeddedEngine

        once = list({p.id: p for p in asked}.values())
        if not once:
            return []
        sampling = Sampling(max_tokens=self.max_tokens, temperature=self.temperature, seed=self.seed + seed)
        written = EmbeddedEngine(self.policy, max_rows=MAX_ROWS).generate(once, 1, sampling)
        ended = [reason == "stop" for reason in written.finish_reason]
        found = [read(text) if ok else None for text, ok in zip(written.texts, ended, strict=True)]
        r = log_odds(self.policy, once, [f and f[0] for f in found], tokens=self.batch_tokens)
        by_id = dict(zip([p.id for p in once], r, strict=True))
        return [by_id[p.id] for p in asked]


def refuse_other_kind(folder: Path) -> None:
    """Errors: UserError for a reward model that answers or scores at once: it writes nothing."""
    config = folder / "config.json"
    if (folder / NOTES).is_file() or (config.is_file() and "ForSequenceClassification" in config.read_text("utf-8")):
        raise UserError(
            f"{folder} is a reward model that writes no judgement; algo=rm_genrm, or another causal language model, "
            f'ends what it writes with "Final Judgement: {WORDS[True]}" or "... {WORDS[False]}"'
        )
