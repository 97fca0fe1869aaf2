"""What most answers of a prompt agree on is taken for right: a reward without labels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from crucible.config.needs import needs
from crucible.data.answers import final_answer, number
from crucible.data.truth import judged
from crucible.modules.seeds import derived_seed
from crucible.types import Completion, Context, Prompt, Scores, Task


@needs(min_samples_per_prompt=2, because="the completions of a prompt vote")
class MajorityVote:
    """1 where the final answer is the one that most completions of the prompt give, else 0.

    TTRL, 2504.16084; MM-UPT, 2505.22453. Answers are read by crucible.data.answers (`numeric`: a number is wanted) and
    are one when their exact value is (1/2 and 0.5), else when they are the same text up to case and white space. A
    completion without an answer has no vote and earns 0; a prompt without any answer has no reward. A tie goes to the
    answer with the smallest hash of prompt and answer: the same in any order of rows, and no side is favoured.

    Logged: majority_ratio (votes for the label over the completions of the prompt), true/label_accuracy (is the label
    right: the share of the completions with it that are) and true/reward_accuracy (does the reward agree with the
    truth). The truth never enters the reward. A confident wrong majority locks in: watch them.

    Differs from the paper: all completions vote and all are trained on; TTRL trains on the first of those that vote.
    The official code breaks ties by the order of the rows and compares answers as strings.
    """

    needs: tuple[str, ...] = ()

    def __init__(self, *, task: Task, numeric: bool = True):
        self.task, self.numeric = task, numeric

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        answers = [answer_key(c.text, numeric=self.numeric) for c in completions]
        members: dict[int, list[int]] = {}
        for row, group in enumerate(context.group.tolist()):
            members.setdefault(group, []).append(row)
        truth = {True: 1.0, False: 0.0, None: math.nan}
        right = torch.tensor([truth[v] for v in judged(self.task, prompts, [c.text for c in completions])])
        total, ratio = torch.zeros_like(right), torch.full_like(right, math.nan)
        accuracy = ratio.clone()
        valid = torch.zeros(len(answers), dtype=torch.bool)
        for rows in members.values():
            votes = Counter(key for key in (answers[i] for i in rows) if key is not None)
            if not votes:
                continue
            label = elected(votes, prompts[rows[0]].id)
            chosen = [i for i in rows if answers[i] == label]
            valid[rows], total[chosen] = True, 1.0
            ratio[rows] = len(chosen) / len(rows)
            accuracy[rows] = right[chosen].nanmean()
        agrees = torch.where(valid & ~right.isnan(), (total == right).float(), math.nan)
        components = {
            "majority_vote": torch.where(valid, total, math.nan),
            "majority_ratio": ratio,
            "true/label_accuracy": accuracy,
            "true/reward_accuracy": agrees,
        }
        return Scores(total=total, components=components, valid=None if bool(valid.all()) else valid)


def answer_key(text: str, *, numeric: bool) -> str | None:
    """What equal answers have in common; None where there is no answer."""
    found = final_answer(text, numeric=numeric)
    if found is None:
        return None
    value = number(found)
    plain = " ".join(found.split()).removesuffix(".").strip().casefold()
    return (f"{value[0]}{'%' if value[1] else ''}" if value is not None else plain) or None


def elected(votes: Counter[str], prompt_id: str) -> str:
    """The answer with most votes."""
    most = max(votes.values())
    return min((key for key, n in votes.items() if n == most), key=lambda key: (derived_seed(prompt_id, key), key))
