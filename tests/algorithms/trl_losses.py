"""TRL's own losses on given tensors: the one place that reaches into its private parts."""

from __future__ import annotations

import importlib.util
import inspect
import re
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

KNOWN = "1.16"  # the version whose trainers' loss functions need just the attributes set below


def known() -> bool:
    """Is the TRL these functions were written for installed?"""
    if importlib.util.find_spec("trl") is None:
        return False
    import trl

    return trl.__version__.startswith(f"{KNOWN}.")


def loss_types() -> set[str]:
    """The loss types that GRPOTrainer computes, read off its source."""
    from trl import GRPOTrainer

    lines = [line for line in inspect.getsource(GRPOTrainer._compute_loss).splitlines() if "self.loss_type" in line]
    return set(re.findall(r'"(\w+)"', " ".join(lines)))


def _trainer(kind: Any, logps: Tensor, mask: Tensor, options: dict[str, Any]) -> Any:
    """A trainer without a model: its log-probs are `logps`."""
    trainer = kind.__new__(kind)
    trainer.model = SimpleNamespace(training=True)
    trainer.accelerator = SimpleNamespace(
        num_processes=1, gather=lambda x: x, reduce=lambda x, reduction: x, sync_gradients=True
    )
    trainer.args = SimpleNamespace(
        delta=options.get("delta"),
        steps_per_generation=1,
        use_bias_correction_kl=False,
        sapo_temperature_pos=1.0,
        sapo_temperature_neg=1.05,
        vespo_k_pos=2.0,
        vespo_lambda_pos=3.0,
        vespo_k_neg=3.0,
        vespo_lambda_neg=2.0,
        beta2=options.get("beta2"),
    )
    trainer.loss_type = options.get("loss_type", "grpo")
    trainer.importance_sampling_level = options.get("importance_sampling_level", "token")
    trainer.epsilon_low = options.get("epsilon_low", 0.2)
    trainer.epsilon_high = options.get("epsilon_high", 0.2)
    trainer.max_completion_length = options.get("max_completion_length", mask.shape[1])
    trainer.current_gradient_accumulation_steps = 1
    trainer.top_entropy_quantile, trainer.off_policy_mask_threshold = 1.0, None
    trainer.beta, trainer.use_vllm, trainer.aux_loss_enabled = 0.0, False, False
    trainer._entropy_bonus_enabled = False
    trainer._metrics = {"train": defaultdict(list)}
    trainer._get_per_token_logps_and_entropies = lambda *args, **kwargs: (logps, torch.zeros_like(mask), None)
    trainer._get_sequence_logps = lambda *args: (logps * mask).sum(-1)
    return trainer


def grpo_loss(
    logps: Tensor, old_logps: Tensor, advantages: Tensor, mask: Tensor, *, kind: Any = None, **options: Any
) -> Tensor:
    """The scalar of `_compute_loss` of GRPOTrainer, or of `kind`; advantages (N,)."""
    if kind is None:
        from trl import GRPOTrainer as kind
    trainer = _trainer(kind, logps, mask, options)
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


def gmpo_loss(logps: Tensor, old_logps: Tensor, advantages: Tensor, mask: Tensor, **options: Any) -> Tensor:
    """The scalar of the experimental GMPOTrainer."""
    from trl.experimental.gmpo import GMPOTrainer

    return grpo_loss(logps, old_logps, advantages, mask, kind=GMPOTrainer, **options)


def a2po_loss(
    logps: Tensor, reference_logps: Tensor, rewards: Tensor, values: Tensor, mask: Tensor, *, beta2: float
) -> Tensor:
    """The scalar of the experimental A2POTrainer's regression; `values` (N,) are its V*."""
    from trl.experimental.a2po import A2POTrainer

    trainer = _trainer(A2POTrainer, logps, mask, {"beta2": beta2})
    inputs: dict[str, Any] = dict.fromkeys(["input_ids", "attention_mask", "logits_to_keep"])
    given = {"ref_logps": (reference_logps * mask).sum(-1), "rewards": rewards, "v_star": values}
    return trainer.compute_loss(trainer.model, inputs | given)
