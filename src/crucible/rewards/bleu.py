"""Word overlap with reference answers as a reward."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from crucible.errors import UserError
from crucible.rewards.base import per_sample
from crucible.rewards.libraries import required
from crucible.rewards.places import tagged
from crucible.types import Completion, Prompt

_ORDERS = 4
_LONGEST = 20_000  # characters of a text that are compared


def _check(*, mix: str = "none", **_: Any) -> None:
    required("sacrebleu", "sacrebleu")
    if mix not in ("none", "rouge_l"):
        raise UserError(f"reward.mix is {mix!r}; it must be none or rouge_l")


@per_sample(needs=["references"], check=_check)
def bleu(prompt: Prompt, completion: Completion, *, mix: Literal["none", "rouge_l"] = "none") -> float | None:
    """Smoothed sentence BLEU-4 against one or more references, from 0 to 1; with `mix`, 2 B R / (B + R) with ROUGE-L.

    BLEU = min(1, exp(1 - shortest / n)) x (prod_k (c_k + 1) / (t_k + 1))^(1/4): c_k of the t_k k-grams of the
    completion (n tokens) occur in a reference; `shortest` is the length of the shortest reference.
    Source: BLEUBERI (arXiv 2505.11080, official code), which calls the BLEU of the NMT script: one is added to every
    order, and the shortest reference counts. Tokens and counts are sacrebleu's (tokeniser 13a). ROUGE-L: F1 of the
    longest common subsequence of words in lower case, the best reference.
    Only the last <answer>...</answer> is compared where there is one; the first 20,000 characters of any text.

    Smoothing leaves no completion without a reward: one word in common with nothing still earns more than 0.
    0 for a completion without a token. No verdict (abstains) where no reference has a token. reference "references":
    a text or a list of texts.
    """
    given = prompt.reference["references"]
    references = [str(r)[:_LONGEST] for r in (given if isinstance(given, list | tuple) else [given])]
    references = [r for r in references if r.strip()]
    if not references:
        return None
    found = tagged(completion.text, "answer")
    text = _encodable((found[-1] if found else completion.text)[:_LONGEST])
    value = smoothed_bleu(text, [_encodable(r) for r in references])
    if mix == "none":
        return value
    rouge = max(rouge_l(text.lower().split(), r.lower().split()) for r in references)
    return 2 * value * rouge / (value + rouge) if rouge else 0.0


def smoothed_bleu(text: str, references: Sequence[str]) -> float:
    """BLEU-4 with add-one smoothing of every order and the brevity penalty of the shortest reference."""
    from sacrebleu.metrics import BLEU

    metric = BLEU(tokenize="13a", effective_order=True)
    score = metric.sentence_score(text, list(references))
    if score.sys_len == 0:
        return 0.0
    shortest = min(len(metric.tokenizer(r).split()) for r in references)
    log = sum(math.log((c + 1) / (t + 1)) for c, t in zip(score.counts, score.totals, strict=True)) / _ORDERS
    return math.exp(min(0.0, 1 - shortest / score.sys_len) + log)


def rouge_l(said: Sequence[str], reference: Sequence[str]) -> float:
    """F1 of the longest common subsequence."""
    from rapidfuzz.distance import LCSseq

    common = LCSseq.similarity(said, reference)
    return 2 * common / (len(said) + len(reference)) if common else 0.0


def _encodable(text: str) -> str:
    """Without lone surrogates, which sacrebleu cannot hash."""
    return text.encode("utf-8", "replace").decode("utf-8")
