"""The terms of the loss on reference answers that a reward has put behind each row's own reasoning.

A pass of its own, with gradient, over prompt + reasoning + answer; rows without an answer cost nothing.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor

from crucible.algorithms.given import Given, call
from crucible.modules.experience import Experience
from crucible.modules.methods import Methods
from crucible.modules.microbatch import MicroBatch, in_step, micro_batches
from crucible.ranks import Ranks
from crucible.types import Answers, Totals

if TYPE_CHECKING:
    from crucible.policy.policy import Policy

PER_ROW = ("rewards", "success", "truncated", "valid")


def answer_terms(
    policy: Policy,
    methods: Methods,
    x: Experience,
    answers: Answers,
    mine: Tensor,
    totals: Totals,
    clock: dict[str, Any],
    tokens: int,
    backward: Callable[[Tensor], None],
    ranks: Ranks,
) -> dict[str, float]:
    """Adds the gradient of the terms on the rows `mine` (K,), in passes of at most `tokens` tokens; their values.

    Each is coefficient x the aggregation of `per_answer`, with the denominators of the policy loss (`totals`, all rows
    of the update): the two are terms of one objective, and splitting the rows changes neither. No prompt is shared
    here: each row has its own reasoning in it.
    """
    sums: dict[str, float] = defaultdict(float)
    rows = mine[answers.rows.mask[mine].any(-1)]
    for part in in_step(micro_batches(answers.rows, rows, tokens), ranks, policy, backward):
        given = _given(x, answers, part, part.forward(policy).logps, clock)
        terms = {
            f"auxiliary/{name}": methods.auxiliary[name].coefficient
            * methods.aggregation(call(term, given), given["answer_mask"], totals)
            for name, term in methods.of_auxiliaries("per_answer").items()
        }
        backward(sum(terms.values()))
        for name, value in terms.items():
            sums[name] += value.item()
    return sums


def _given(x: Experience, answers: Answers, part: MicroBatch, logps: Tensor, clock: dict[str, Any]) -> Given:
    """The vocabulary of `per_answer` for one micro-batch."""

    def rows_of(column: Tensor) -> Tensor:
        return part.of(column).to(logps.device)

    columns = {name: x.columns[name] for name in PER_ROW}
    columns |= {"old_answer_logps": answers.rows.sampling_logps, "answer_mask": answers.rows.mask}
    columns["staleness"] = clock["updates_done"] - x.rollouts.policy_version
    return Given(
        {"answer_logps": logps, **clock}, {k: functools.partial(rows_of, column) for k, column in columns.items()}
    )
