"""TRL's own GRPO loss on given tensors: the one place that reaches into its private parts."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

KNOWN = "1.16"  # the version whose GRPOTrainer._compute_loss needs just the attributes set below


def trl_loss(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    loss_type: str,
    importance_sampling_level: str = "token",
    epsilon_low: float = 0.2,
    epsilon_high: float = 0.2,
    max_completion_length: int,
) -> Tensor:
    """The scalar of GRPOTrainer._compute_loss when the model's log-probs are `logps`; advantages (N,)."""
    trl = pytest.importorskip("trl")
    if not trl.__version__.startswith(f"{KNOWN}."):
        pytest.skip(f"written for TRL {KNOWN}, found {trl.__version__}")
    trainer = trl.GRPOTrainer.__new__(trl.GRPOTrainer)
    trainer.model = SimpleNamespace(training=True)
    trainer.args = SimpleNamespace(delta=None, steps_per_generation=1, use_bias_correction_kl=False)
    trainer.accelerator = SimpleNamespace(
        num_processes=1, gather=lambda x: x, reduce=lambda x, reduction: x, sync_gradients=True
    )
    trainer.loss_type = loss_type
    trainer.importance_sampling_level = importance_sampling_level
    trainer.epsilon_low, trainer.epsilon_high = epsilon_low, epsilon_high
    trainer.max_completion_length = max_completion_length
    trainer.current_gradient_accumulation_steps = 1
    trainer.top_entropy_quantile, trainer.off_policy_mask_threshold = 1.0, None
    trainer.beta, trainer.use_vllm, trainer.aux_loss_enabled = 0.0, False, False
    trainer._entropy_bonus_enabled = False
    trainer._metrics = {"train": defaultdict(list)}
    trainer._get_per_token_logps_and_entropies = lambda *args, **kwargs: (logps, torch.zeros_like(mask), None)
    ids = torch.zeros(mask.shape, dtype=torch.long)
    return trainer._compute_loss(
        trainer.model,
        {
            "prompt_ids": ids[:, :1],
            "prompt_mask": torch.ones_like(ids[:, :1]),
            "completion_ids": ids,
            "completion_mask": mask,
            "advantages": advantages,
            "old_per_token_logps": old_logps,
            "num_items_in_batch": mask.sum(),
        },
    )
