"""How good a judge is on held-out responses: against the truth by program and against consensus labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from crucible.modules import rm_ranking
from crucible.modules.rm_data import Example
from crucible.modules.rm_scorer import Judge
from crucible.reward_benchmarks import principle_pairs


def auc(scores: Tensor, positive: Tensor) -> float:
    """Share of (positive, negative) pairs in the right order, ties half; NaN where one kind is missing."""
    good, bad = scores[positive], scores[~positive]
    if len(good) == 0 or len(bad) == 0:
        return math.nan
    difference = good[:, None] - bad[None, :]
    return ((difference > 0).float() + 0.5 * (difference == 0).float()).mean().item()


def auc_within(scores: Tensor, positive: Tensor, groups: Sequence[str]) -> float:
    """The same over pairs of one group (prompt), as group-relative RL sees them; NaN without such pairs."""
    same = torch.tensor([[a == b for b in groups] for a in groups])
    pairs = same & positive[:, None] & ~positive[None, :]
    difference = scores[:, None] - scores[None, :]
    won = (difference > 0).float() + 0.5 * (difference == 0).float()
    return won[pairs].mean().item() if bool(pairs.any()) else math.nan


def balanced(right: Tensor, positive: Tensor) -> float:
    """Mean of the accuracies on positives and on negatives; NaN where one kind is missing."""
    return (right[positive].float().mean().item() + right[~positive].float().mean().item()) / 2


def measure(judge: Judge, task: Any, examples: Sequence[Example]) -> dict[str, float]:
    """Accuracy (r > 0 means Yes), balanced accuracy and AUC per principle, on natural label shares.

    `rm/accuracy_true/<p>`: truth by program, all responses. `rm/sampled/...`: the start policy's samples
    alone. `rm/accuracy_consensus`: the labels the pipeline kept, in the wordings it kept.
    """
    principles = list(task.principles())
    scores = judge.score([e.prompt for e in examples], [e.text for e in examples], principles)
    truth = torch.tensor([[task.fulfils(e.prompt, e.text, p) for p in principles] for e in examples])
    right = (scores > 0) == truth
    sampled = torch.tensor([e.source == "sample" for e in examples])
    out = {"rm/accuracy_true": right.float().mean().item()}
    for i, p in enumerate(principles):
        out[f"rm/accuracy_true/{p}"] = right[:, i].float().mean().item()
        out[f"rm/accuracy_balanced/{p}"] = balanced(right[:, i], truth[:, i])
        out[f"rm/auc/{p}"] = auc(scores[:, i], truth[:, i])
        out[f"rm/yes_rate/{p}"] = truth[:, i].float().mean().item()
        if bool(sampled.any()):
            out[f"rm/sampled/accuracy_true/{p}"] = right[sampled, i].float().mean().item()
            groups = [e.prompt.id for e, s in zip(examples, sampled.tolist(), strict=True) if s]
            out[f"rm/sampled/auc_within/{p}"] = auc_within(scores[sampled, i], truth[sampled, i], groups)
    out |= _ranking(judge, task, examples, scores, truth)
    judged = [e for e in examples if e.principles]
    hits = [
        (r > 0) == label
        for e, row in zip(judged, _own_questions(judge, judged), strict=True)
        for r, label in zip(row, e.labels, strict=True)
    ]
    out["rm/accuracy_consensus"] = sum(hits) / len(hits) if hits else math.nan
    return {name: value for name, value in out.items() if not math.isnan(value)}


def _ranking(judge: Judge, task: Any, examples: Sequence[Example], scores: Tensor, truth: Tensor) -> dict[str, float]:
    """The measures that scalar reward models have too: of the mean r over the principles, and on hard and easy pairs of
    r of each principle as well."""
    principles = list(task.principles())
    found = rm_ranking.of_responses(scores.mean(1), truth, examples, principles)
    out = {"rm/pair_accuracy_true": found["rm/pair_accuracy_true"]}
    for name, pairs in zip(("hard", "easy"), rm_ranking.contrasts(task), strict=True):
        if not pairs:
            continue
        asked = rm_ranking.of_contrasts(lambda shown, said: with_mean(judge.score(shown, said, principles)), pairs)
        out[f"rm/pair_accuracy_{name}"] = asked[-1].item()
        out |= {f"rm/pair_accuracy_{name}/{p}": asked[i].item() for i, p in enumerate(principles)}
    return out | _asked_by_name(judge, task)


def _asked_by_name(judge: Judge, task: Any) -> dict[str, float]:
    """See `principle_pairs.measures`."""
    if not (items := principle_pairs.pairs(task)):
        return {}
    texts = [i.responses[k] for k in (0, 1) for i in items]
    r = torch.cat(judge.score_each([i.prompt for i in items] * 2, texts, [(i.principle,) for i in items] * 2))
    return principle_pairs.measures(items, r.view(2, -1).T)


def with_mean(r: Tensor) -> Tensor:
    """(N, P) -> (N, P + 1), the mean behind."""
    return torch.cat([r, r.mean(1, keepdim=True)], 1)


def _own_questions(judge: Judge, examples: Sequence[Example]) -> list[list[float]]:
    """r of every example under the principles it was judged by."""
    asked = [e.principles for e in examples]
    flat = judge.score_each([e.prompt for e in examples], [e.text for e in examples], asked)
    return [values.tolist() for values in flat]


def table(measured: dict[str, float], principles: Sequence[str]) -> str:
    """One line a principle."""
    lines = [f"  {'principle':<46}{'accuracy':>9}{'balanced':>9}{'AUC':>7}{'yes':>7}{'samples':>9}{'AUC/prompt':>11}"]
    columns = (("accuracy_true", 9), ("accuracy_balanced", 9), ("auc", 7), ("yes_rate", 7),
               ("sampled/accuracy_true", 9), ("sampled/auc_within", 11))  # fmt: skip
    for p in principles:
        cells = (f"{measured.get(f'rm/{name}/{p}', math.nan):>{width}.3f}" for name, width in columns)
        lines.append(f"  {p:<46}{''.join(cells)}")
    lines.append(
        f"  all, against the truth: {measured['rm/accuracy_true']:.3f}; against the annotators' consensus: "
        f"{measured.get('rm/accuracy_consensus', math.nan):.3f}"
    )
    return "\n".join(lines)
