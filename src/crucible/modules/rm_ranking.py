"""How well scores put the answers to one prompt in order: against the truth by program, and on hard pairs.

A score may follow how an answer looks. The hard pairs of a prompt show it, in the manner of RM-Bench (2410.16184: a
plain right answer against a fancy wrong one): the shortest right and the longest wrong of some answers written by
program. The easy pair is the other way round: the longest right against the shortest wrong.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from crucible.modules.rm_data import Example
from crucible.reward_benchmarks import principle_pairs
from crucible.types import Prompt

TRIES = 24  # answers written for each prompt, half of them corrupted
Score = Callable[[Sequence[Prompt], Sequence[str]], Tensor]


class Contrast(NamedTuple):
    """A right answer and a wrong one to a prompt."""

    prompt: Prompt
    right: str
    wrong: str


def ordered(scores: Tensor, better: Tensor) -> float:
    """Of the pairs (i, j) in `better` (N, N) bool, the share with scores[i] > scores[j], ties half; NaN without any."""
    difference = scores[:, None] - scores[None, :]
    won = (difference > 0).float() + 0.5 * (difference == 0).float()
    return won[better].mean().item() if bool(better.any()) else math.nan


def of_responses(
    scores: Tensor, truth: Tensor, examples: Sequence[Example], principles: Sequence[str]
) -> dict[str, float]:
    """Of pairs of responses to one prompt. `scores` (N,); `truth` (N, P) bool, what each fulfils by program.

    `rm/pair_accuracy_true`: pairs of which one truly fulfils more principles. `rm/auc_within/<p>`: pairs of which one
    fulfils p and the other does not; `rm/sampled/auc_within/<p>`: of the start policy's samples alone.
    """
    number = {name: i for i, name in enumerate(dict.fromkeys(e.prompt.id for e in examples))}
    group = torch.tensor([number[e.prompt.id] for e in examples])
    same = group[:, None] == group[None, :]
    count = truth.sum(1)
    out = {"rm/pair_accuracy_true": ordered(scores, same & (count[:, None] > count[None, :]))}
    sampled = torch.tensor([e.source == "sample" for e in examples])
    both = sampled[:, None] & sampled[None, :]
    for i, principle in enumerate(principles):
        pairs = same & truth[:, i, None] & ~truth[None, :, i]
        out[f"rm/auc_within/{principle}"] = ordered(scores, pairs)
        out[f"rm/sampled/auc_within/{principle}"] = ordered(scores, pairs & both)
    return out


def contrasts(task: Any, *, tries: int = TRIES) -> tuple[list[Contrast], list[Contrast]]:
    """(hard, easy): one pair of each for every evaluation prompt that has it, the same in every run.

    A prompt has a hard pair where the longest wrong answer is longer than the shortest right one.
    """
    hard, easy, most = list[Contrast](), list[Contrast](), principle_pairs.longest(task)
    for prompt in task.eval_prompts():
        rng = random.Random(f"contrast {prompt.id}")
        said = [(task.corrupt if i % 2 else task.demonstrate)(prompt, rng) for i in range(tries)]
        said = sorted({text for text in said if len(text) <= most}, key=lambda text: (len(text), text))
        right = [text for text in said if task.correct(prompt, text)]
        wrong = [text for text in said if not task.correct(prompt, text)]
        if right and wrong and len(wrong[-1]) > len(right[0]):
            hard.append(Contrast(prompt, right[0], wrong[-1]))
        if right and wrong and len(right[-1]) > len(wrong[0]):
            easy.append(Contrast(prompt, right[-1], wrong[0]))
    return hard, easy


def of_contrasts(score: Score, pairs: Sequence[Contrast]) -> Tensor:
    """The share of pairs whose right answer has the higher score, ties half: () of (N,) scores, (P,) of (N, P)."""
    prompts = [p.prompt for p in pairs]
    found = score(prompts + prompts, [p.right for p in pairs] + [p.wrong for p in pairs])
    difference = found[: len(pairs)] - found[len(pairs) :]
    return ((difference > 0).float() + 0.5 * (difference == 0).float()).mean(0)


def truth_of(task: Any, examples: Sequence[Example]) -> Tensor:
    """(N, P) bool: what each response fulfils of the task's principles, by program."""
    return torch.tensor([[task.fulfils(e.prompt, e.text, p) for p in task.principles()] for e in examples])


def measure(score: Score, task: Any, examples: Sequence[Example]) -> dict[str, float]:
    """All of it for scores (N,): see `of_responses`; `rm/pair_accuracy_hard` and `_easy`; `principle_pairs.measures`,
    though the score reads no principle; their spread."""
    scores = score([e.prompt for e in examples], [e.text for e in examples])
    truth = truth_of(task, examples)
    out = of_responses(scores, truth, examples, list(task.principles()))
    for name, pairs in zip(("hard", "easy"), contrasts(task), strict=True):
        if pairs:
            out[f"rm/pair_accuracy_{name}"] = of_contrasts(score, pairs).item()
    if items := principle_pairs.pairs(task):
        once = score([i.prompt for i in items] * 2, [i.responses[k] for k in (0, 1) for i in items])
        out |= principle_pairs.measures(items, once.view(2, -1).T)
    out |= {"rm/score_mean": scores.mean().item(), "rm/score_std": scores.std(unbiased=False).item()}
    out["rm/correlation_true"] = correlation(scores, truth.float().mean(1))
    return {name: value for name, value in out.items() if not math.isnan(value)}


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's; NaN where one of them is constant."""
    a, b = a.double() - a.double().mean(), b.double() - b.double().mean()
    spread = (a.square().sum() * b.square().sum()).sqrt().item()
    return (a * b).sum().item() / spread if spread > 0 else math.nan


def table(measured: dict[str, float]) -> str:
    """What was measured, one line each."""
    wide = max((len(name) for name in measured), default=0)
    return "\n".join(f"  {name:<{wide}}  {value:.3f}" for name, value in measured.items())
