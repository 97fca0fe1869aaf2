"""A principle-conditioned Yes/No judge: r = log P(Yes) - log P(No) = logit(Yes) - logit(No)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from crucible.errors import UserError
from crucible.feedback.pipeline import Outcome
from crucible.modules.rm_proofreader import Proofreader
from crucible.modules.rm_questions import Asker, Packed, Row, answer_tokens, pack
from crucible.policy import Policy, load
from crucible.types import Prompt

NOTES = "reward_model.json"
PROOFREADER = "proofreader"


def read_notes(folder: Path) -> dict[str, Any]:
    """What is known of the reward model in a folder. Errors: UserError where there is none, or a damaged one."""
    if not (folder / NOTES).is_file():
        raise UserError(
            f"no reward model at {folder}: a folder with {NOTES} is expected, as algo=rm_principle writes it"
        )
    try:
        notes = json.loads((folder / NOTES).read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"the reward model at {folder} is damaged: {NOTES}: {' '.join(str(error).split())}") from error
    if not isinstance(notes, dict):
        raise UserError(f"the reward model at {folder} is damaged: {NOTES} holds no mapping")
    return notes


class Judge:
    """Scores (prompt, response, principle). 2509.21319: P(Yes | Yes or No) = sigmoid(r).

    Where the tokenizer writes Yes or No as several tokens, their log-probs are sums over those (`several`): ours, the
    paper's models have them as one.
    """

    def __init__(
        self,
        policy: Policy,
        notes: dict[str, Any] | None = None,
        feedback: Outcome | None = None,
        proofreader: Proofreader | None = None,
    ) -> None:
        self.policy = policy
        self.proofreader = proofreader
        self.notes = notes or {}
        self.feedback = feedback
        self.answers = answer_tokens(policy.tokenizer)
        self.several = max(map(len, self.answers)) > 1
        self.asker = Asker(policy, [answer[:-1] for answer in self.answers] if self.several else ([],))
        self.seen_ids = policy.seen_ids

    def explained(self) -> list[str]:
        """What is to be said of the scores: a line where the answers are several tokens, else none."""
        if not self.several:
            return []
        yes, no = map(len, self.answers)
        return [
            f"reward model: the tokenizer writes Yes as {yes} tokens and No as {no}; log P(Yes) - log P(No) is of the "
            "whole words, the sums of their tokens' log-probabilities"
        ]

    def rows(self, prompts: Sequence[Prompt], texts: Sequence[str], principles: Sequence[Sequence[str]]) -> list[Row]:
        """What the judge reads of each response: the text, marked where there is a proofreader."""
        if self.proofreader is not None:
            texts = self.proofreader.mark(prompts, texts)
        return self.asker.rows(prompts, texts, principles)

    def fits(self, example: Any) -> bool:
        """Does a response (prompt, text, principles) fit the context with its longest question?"""
        try:
            self.asker.rows([example.prompt], [example.text], [example.principles])
        except UserError as error:
            if "more than the context" not in str(error):
                raise
            return False
        return True

    def hidden(self, batch: Packed) -> Tensor:
        """(B, T, D) last hidden states, with gradient."""
        device = self.policy.device
        return self.policy.model.get_decoder()(
            input_ids=batch.ids.to(device),
            attention_mask=None if batch.attention is None else batch.attention.to(device),
            position_ids=batch.positions.to(device),
            use_cache=False,
        ).last_hidden_state

    def read(self, hidden: Tensor, batch: Packed) -> Tensor:
        """(K,) r of every question in the batch."""
        row, at = batch.answer_row.to(hidden.device), batch.answer_at.to(hidden.device)
        if self.several:
            yes, no = (self.logps(hidden, row[i::2], at[i::2], answer) for i, answer in enumerate(self.answers))
            return yes - no
        return self.log_odds(hidden[row, at])

    def logps(self, hidden: Tensor, row: Tensor, at: Tensor, answer: list[int]) -> Tensor:
        """(K,) log P of an answer of several tokens, float32: the sum over its tokens, each after those before it.

        `at` (K,): the place of its last token but one, the question's last where it has one alone.
        """
        head, total = self.policy.model.get_output_embeddings(), torch.zeros(len(row), device=hidden.device)
        for back, token in enumerate(reversed(answer)):
            total = total + head(hidden[row, at - back]).float().log_softmax(-1)[:, token]
        return total

    def log_odds(self, states: Tensor) -> Tensor:
        """(K,) logit(Yes) - logit(No), float32, of states (K, D). Only two rows of the output layer are used."""
        head = self.policy.model.get_output_embeddings()
        pair = torch.tensor([answer[0] for answer in self.answers], device=states.device)
        bias = head.bias[pair] if getattr(head, "bias", None) is not None else None
        logits = F.linear(states, head.weight[pair], bias).float()
        return logits[:, 0] - logits[:, 1]

    def score(
        self, prompts: Sequence[Prompt], texts: Sequence[str], principles: Sequence[str], *, batch_tokens: int = 16384
    ) -> Tensor:
        """(N, P) r of every response under every principle, without gradient."""
        each = self.score_each(prompts, texts, [principles] * len(texts), batch_tokens=batch_tokens)
        return torch.stack(each) if each else torch.zeros(0, len(principles))

    @torch.no_grad()
    def score_each(
        self,
        prompts: Sequence[Prompt],
        texts: Sequence[str],
        principles: Sequence[Sequence[str]],
        *,
        batch_tokens: int = 16384,
    ) -> list[Tensor]:
        """r of every response under its own principles; rows are sorted by length, then batched."""
        asked = [(p.id, text, tuple(own)) for p, text, own in zip(prompts, texts, principles, strict=True)]
        first = {key: i for i, key in reversed(list(enumerate(asked)))}  # the samples of a prompt are often alike
        once = sorted(first.values())
        rows = self.rows([prompts[i] for i in once], [texts[i] for i in once], [principles[i] for i in once])
        out = [torch.zeros(0)] * len(rows)
        training = self.policy.model.training
        self.policy.model.eval()
        for chosen in batches_by_length(rows, batch_tokens):
            batch = pack([rows[i] for i in chosen], self.policy.pad_id)
            r = self.read(self.hidden(batch), batch).cpu()
            asked_of = [len(principles[once[i]]) for i in chosen]
            for i, values in zip(chosen, r.split(asked_of), strict=True):
                out[i] = values
        self.policy.model.train(training)
        place = {i: at for at, i in enumerate(once)}
        return [out[place[first[key]]] for key in asked]

    def save(self, path: str | Path) -> None:
        """A Hugging Face folder with reward_model.json and the feedback it learnt from (feedback/), complete or
        not at all; an earlier one is replaced."""
        save_folder(Path(path), self.policy, self.notes, self.proofreader, self.feedback)

    @classmethod
    def load(cls, path: str | Path) -> Judge:
        folder = Path(path)
        notes = read_notes(folder)
        policy = load(folder)
        policy.model.eval()
        proofreader = None
        if (folder / PROOFREADER).is_dir():
            proofreader = Proofreader(load(folder / PROOFREADER), threshold=notes["proofread_threshold"])
        return cls(policy, notes, proofreader=proofreader)


def save_folder(
    path: Path, policy: Policy, notes: dict[str, Any], proofreader: Proofreader | None, feedback: Outcome | None
) -> None:
    """A reward model's folder: the Hugging Face one of `policy`, the proofreader's, the feedback's, and the notes."""
    whole = path.with_name(f"{path.name}.new")
    shutil.rmtree(whole, ignore_errors=True)
    try:
        whole.parent.mkdir(parents=True, exist_ok=True)
        policy.save(whole)
        if proofreader is not None:
            proofreader.policy.save(whole / PROOFREADER)
            notes = {**notes, "proofread_threshold": proofreader.threshold}
        if feedback is not None:
            feedback.save(whole / "feedback")
        (whole / NOTES).write_text(json.dumps(notes, indent=1) + "\n")
    except OSError as e:
        raise UserError(f"cannot write the reward model to {path}: {e.strerror}; set cache_dir") from None
    shutil.rmtree(path, ignore_errors=True)
    whole.rename(path)


class Sized(Protocol):
    """What goes through a model together with others: its tokens, padding of its own included."""

    @property
    def tokens(self) -> int: ...


def batches_by_length(rows: Sequence[Sized], batch_tokens: int) -> list[list[int]]:
    """Row numbers, longest first, in batches of at most `batch_tokens` padded tokens (at least one row)."""
    out: list[list[int]] = []
    for i in sorted(range(len(rows)), key=lambda i: -rows[i].tokens):
        if out and rows[out[-1][0]].tokens * (len(out[-1]) + 1) <= batch_tokens:
            out[-1].append(i)
        else:
            out.append([i])
    return out


def teach_words(policy: Policy, texts: Sequence[str]) -> int:
    """Makes every word of `texts` one token (with its leading space) and returns how many are new.

    For models that read characters: questions become about three times shorter. New embeddings are drawn
    with the spread of the old ones.
    """
    words = sorted({f" {word}" for text in texts for word in text.removesuffix("?").split()})
    added = policy.tokenizer.add_tokens([w for w in words if len(policy.tokenizer.tokenize(w)) > 1])
    if added:
        spread = policy.model.get_input_embeddings().weight.detach().std().item()
        policy.model.resize_token_embeddings(len(policy.tokenizer), mean_resizing=False)
        with torch.no_grad():
            policy.model.get_input_embeddings().weight[-added:].normal_(0, spread)
    return added
