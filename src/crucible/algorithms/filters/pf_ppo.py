"""PF-PPO's filtration: only the completions a reward model is surest about are trained on."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from crucible.algorithms.groups import reward_groups
from crucible.config.needs import needs
from crucible.errors import UserError, nearest
from crucible.types import Scores

_RULES = ("best_worst", "best")


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def pf_ppo(scores: Scores, group: Tensor, *, rule: Literal["best_worst", "best"] = "best_worst") -> Tensor:
    """(N,) bool: True for the rows of the highest ("best_worst": and of the lowest) reward of each group.

    PF-PPO, 2409.06957: a reward model errs least at the extremes. "best_worst" is its BW (verl: max_min, weights 1 on
    both and 0 elsewhere), "best" its BoN. Rows of equal reward are kept together, so equal rewards keep the group.
    Rows without a reward are dropped. Advantages are those of the whole group.

    Differs from the paper: rows are kept or dropped, not drawn again with replacement, so BR (0.4 on the best, 0.1 on
    the others) and pow (|R|^2) are not there: algo/filter=pf_ppo_resample has verl's, over the batch.
    """
    if rule not in _RULES:
        raise UserError(f'pf_ppo: rule is "{rule}"; give best_worst or best{nearest(rule, _RULES)}')
    total, groups = reward_groups(scores, group)
    kept = total == groups.most(total)
    if rule == "best_worst":
        kept = kept | (total == groups.least(total))
    return kept & groups.valid
