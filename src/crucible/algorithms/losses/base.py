"""What losses without a band of their own report about their ratios."""

from __future__ import annotations

from torch import Tensor

from crucible.algorithms.diagnostics import REPORT_EPS, ratio_diagnostics
from crucible.algorithms.ratio import importance_ratio


def report(log_delta: Tensor, advantages: Tensor, mask: Tensor, *, ratio: Tensor | None = None) -> dict[str, Tensor]:
    """The regions of `ratio_diagnostics` for token ratios and a band of 0.2, so that runs can be compared.

    `ratio`: exp of the log-ratios, where it is there already.
    """
    log_delta = log_delta.detach()
    ratio = importance_ratio(log_delta) if ratio is None else ratio.detach()
    return ratio_diagnostics(ratio, log_delta, advantages, mask, eps_low=REPORT_EPS, eps_high=REPORT_EPS)
