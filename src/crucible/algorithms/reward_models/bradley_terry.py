"""Bradley-Terry: of two answers the better one has the higher score."""

from __future__ import annotations

from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor

from crucible.algorithms.preference.base import compared
from crucible.errors import UserError, nearest
from crucible.types import PreferenceLoss

Form = Literal["plain", "scaled", "margin"]


def bradley_terry(
    chosen: Tensor,
    rejected: Tensor,
    margins: Tensor | None = None,
    *,
    form: Form = "plain",
    centre: float | None = None,
) -> PreferenceLoss:
    """-log s(d); margin: -log s(d - m); scaled: -m log s(d); each + centre (r_c + r_r)^2.

    `form` plain: 2509.21319's baseline. margin and scaled: HelpSteer2-Preference, 2410.01257, where scaled was best
    (m = 1, 2 or 3); margin as in TRL's RewardTrainer. `centre`: TRL's center_rewards_coefficient (0.01 suggested
    there), which keeps the mean of the scores near 0; null: none. All tensors (P,).
    No signal: a scaled pair with m = 0, a tie. A margin that is not on the scale of the scores drives them apart.
    Errors: UserError for another form, a negative centre, and a form that needs margins without any.
    """
    check_form(form, centre)
    difference = chosen - rejected
    if form == "plain":
        per_item = -F.logsigmoid(difference)
    elif margins is None:
        raise UserError(f"bradley_terry: form={form} needs the margin of every pair")
    else:
        m = margins.to(difference.dtype)
        per_item = -F.logsigmoid(difference - m) if form == "margin" else -m * F.logsigmoid(difference)
    if centre is not None:
        per_item = per_item + centre * (chosen + rejected).square()
    return compared(per_item, chosen, rejected)


def check_form(form: str, centre: float | None) -> None:
    """Errors: UserError for options without a meaning."""
    if form not in (forms := get_args(Form)):
        raise UserError(f"bradley_terry: form is {form}; it must be {', '.join(forms)}{nearest(form, forms)}")
    if centre is not None and not centre >= 0:
        raise UserError(f"bradley_terry: centre is {centre}; it must be at least 0, or null")
