"""Soft verification as a reward: a judge of programs that errs at known rates."""

from __future__ import annotations

from typing import Annotated, Any

from crucible.rewards.base import per_sample
from crucible.types import Completion, Prompt


def _check(*, false_accept: float = 0.1, false_reject: float = 0.1, **_: Any) -> None:
    from crucible.verification.known_errors import refuse_rates

    refuse_rates("reward", false_accept=false_accept, false_reject=false_reject)


@per_sample(needs=["gold", "entry_point"], check=_check)
def simulated_judge(
    prompt: Prompt,
    completion: Completion,
    *,
    false_accept: Annotated[float, ">= 0, <= 1"] = 0.1,
    false_reject: Annotated[float, ">= 0, <= 1"] = 0.1,
    judge_seed: int = 0,
    timeout: float = 60.0,
) -> float | None:
    """1 where the judge takes the program for right, else 0. It reads the truth, the hidden tests of reference "gold".

    Its errors are those of data/verify/judge=embedded in data=verified (Verification Limits, arXiv 2509.20837, b.4; the
    rates are ours): a share `false_accept` of the wrong programs, `false_reject` of the right ones, the same programs
    each time, which a policy can find out; reward=flipped tosses anew. No verdict where the sandbox breaks.
    """
    from crucible.data.programs.judging import passes
    from crucible.verification.known_errors import says_right

    right = passes(prompt, completion.text)
    if right is None:
        return None
    rates = {"false_accept": false_accept, "false_reject": false_reject}
    return float(says_right(right, prompt.id, completion.text, **rates, seed=judge_seed))
