"""The one place that reaches into TRL's private parts: GRPOTrainer, with a run of Crucible behind its seams.

TRL asks the run for rollouts (its `rollout_func`) and rewards (its `reward_funcs`), both public. What is private, and
checked by tests/trl/test_adapter.py against the TRL that `crucible.trl.refuse.KNOWN` names:

    _generate_and_score_completions   its result gets the row numbers, and the columns that the run computes itself
    _compute_loss                     TRL's, or the run's objective on the rows it was given
    _clip_grad_norm                   the norm is noted
    _send_telemetry                   a run tells nobody about itself
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor
from trl import GRPOTrainer

ROW = "crucible_row"  # the column that TRL shuffles and cuts with the others


class Run(Protocol):
    """What a run gives and is told."""

    def columns(self, found: dict[str, Any]) -> dict[str, Any]:
        """Columns that replace those TRL made of a rollout step; one row each, in the order of the rollouts."""
        ...

    def loss(self, rows: Tensor, trainer: Any) -> Tensor | None:
        """The run's objective on these rows; None: TRL's own."""
        ...

    def note(self, rows: Tensor, loss: Tensor) -> None:
        """A loss was computed on these rows; its gradient is about to be added up."""
        ...

    def note_norm(self, norm: Any) -> None:
        """The gradient norm before clipping."""
        ...


class Trainer(GRPOTrainer):
    """TRL's GRPOTrainer for `run`."""

    def __init__(self, *, run: Run, **options: Any) -> None:
        self.run = run
        super().__init__(**options)

    def _send_telemetry(self) -> None:
        """Nobody is told."""

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        found = super()._generate_and_score_completions(inputs)
        rows = torch.arange(len(found["completion_ids"]), device=found["completion_ids"].device)
        return found | self.run.columns(found) | {ROW: rows}

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        rows = inputs[ROW].cpu()
        loss = self.run.loss(rows, self)
        if loss is None:
            loss = super()._compute_loss(model, inputs)
        self.run.note(rows, loss.detach())
        return loss

    def _clip_grad_norm(self, model: Any) -> Any:
        norm = super()._clip_grad_norm(model)
        self.run.note_norm(norm)
        return norm
