"""Which k pass@k can be measured for."""

from __future__ import annotations

from collections.abc import Iterable


def impossible(pass_at: Iterable[object], samples: object) -> str | None:
    """What is wrong with `evaluation.pass_at`, for the estimator draws k of the n samples of a prompt; else None."""
    asked = list(pass_at)
    wrong = [k for k in asked if not isinstance(k, int) or not isinstance(samples, int) or not 1 <= k <= samples]
    if not wrong:
        return None
    return (
        f"evaluation.pass_at={asked}: there is no pass@{wrong[0]}; each k must be from 1 to "
        f"evaluation.samples_per_prompt={samples}"
    )
