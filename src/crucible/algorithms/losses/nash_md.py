"""Nash-MD: play for preference against a mixture of the policy and its reference."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor

from crucible.algorithms.losses.base import report
from crucible.algorithms.ratio import check_positive, log_ratio, with_slope
from crucible.config.needs import needs
from crucible.errors import UserError, nearest
from crucible.types import PolicyLoss

_PREFERENCES = ("bradley_terry", "win")


@needs(
    aggregation=["seq_mean_token_sum"],
    min_samples_per_prompt=2,
    because="it compares the completions of a prompt, and a row's loss is the sum over its tokens",
)
def nash_md(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    reference_logps: Tensor,
    rewards: Tensor,
    valid: Tensor,
    group: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 0.1,
    mixture: Annotated[float, "0 to 1"] = 0.5,
    preference: Literal["bradley_terry", "win"] = "bradley_terry",
) -> PolicyLoss:
    """sum over a row's tokens of (beta sg(log pi / pi_ref) - (P - 1/2)) log pi, P the chance to be preferred to the
    opponent, pi^(1 - mixture) pi_ref^mixture.

    Nash-MD, 2312.00886, as a policy gradient with a baseline of 1/2 and the KL to the reference by the score function.
    The slope of token t is beta log(pi_t / pi_ref_t) - (P - 1/2). P of two rows: sigmoid of the difference of their
    rewards, or with "win" 1, 1/2 or 0 for more, as much or less. `advantages` only enter the diagnostics.

    Differs from the paper: the opponents are the group's other completions, weighted by (pi_ref / pi_old)^mixture of
    the whole completion and normalised, in place of samples of a mixture of each token's two distributions; the weights
    estimate the mixture of completions that the paper's theory is about. In groups of two the weight cancels:
    self-play. A row without an opponent, or without a reward, has P = 1/2: the KL alone moves it. No importance ratio:
    meant for batch.updates_per_rollout=1.
    """
    check_positive("nash_md", beta=beta)
    if not 0.0 <= mixture <= 1.0:
        raise UserError(f"nash_md: mixture is {mixture}; it is the reference's share of the opponent: give 0 to 1")
    if preference not in _PREFERENCES:
        hint = nearest(preference, _PREFERENCES)
        raise UserError(f'nash_md: preference is "{preference}"; give bradley_terry or win{hint}')
    log_reference = log_ratio(logps.detach(), reference_logps, mask)
    opponent = mixture * log_ratio(reference_logps.detach(), old_logps, mask).sum(-1)
    known = valid & (mask.sum(-1) > 0)
    plays = (group.unsqueeze(-1) == group) & known.unsqueeze(-1) & known
    plays &= ~torch.eye(len(group), dtype=torch.bool, device=group.device)
    ahead = rewards.detach().unsqueeze(-1) - rewards.detach()
    wins = torch.sigmoid(ahead) if preference == "bradley_terry" else 0.5 * (1.0 + ahead.sign())
    weights = torch.where(plays, opponent, -torch.inf).softmax(-1)
    edge = torch.where(plays, weights * (wins - 0.5), 0.0).sum(-1, keepdim=True)  # P - 1/2
    slope = beta * log_reference - edge
    found = report(log_ratio(logps, old_logps, mask), advantages, mask)
    found["preferred"] = (0.5 + edge) * mask
    value = torch.where(mask > 0, slope * logps.detach(), 0.0)
    return PolicyLoss(with_slope(value, slope, logps, mask), found)
