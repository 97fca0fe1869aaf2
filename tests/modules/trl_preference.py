"""TRL's preference trainers on given policies: the one place that sets what no public option of theirs sets."""

from __future__ import annotations

import inspect
import re
from types import SimpleNamespace
from typing import Any

import torch

KNOWN = "1.16"  # the version whose trainers have the attributes that are set below


def version() -> str:
    import trl

    return trl.__version__


def dpo_trainer(policy: Any, reference: Any, rows: list[dict[str, Any]], folder: Any, **options: Any) -> Any:
    """DPOTrainer, made by its public options; `loss` then chooses the loss."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    config = DPOConfig(
        output_dir=str(folder), use_cpu=True, bf16=False, report_to=[], gradient_checkpointing=False, max_length=None,
        per_device_train_batch_size=len(rows), disable_tqdm=True, **options,
    )  # fmt: skip
    return DPOTrainer(
        model=policy.model, ref_model=reference.model, args=config, train_dataset=Dataset.from_list(rows),
        processing_class=policy.tokenizer,
    )  # fmt: skip


def choose(trainer: Any, loss_type: str, **options: Any) -> None:
    """The loss of a DPOTrainer that is there already: the attributes its constructor sets from DPOConfig."""
    defaults = {
        "beta": 0.1, "label_smoothing": 0.0, "f_divergence_type": "reverse_kl", "f_alpha_divergence_coef": 0.5,
        "ld_alpha": None,
    }  # fmt: skip
    trainer.loss_types, trainer.loss_weights = [loss_type], [1.0]
    for name, value in {**defaults, **options}.items():
        assert hasattr(trainer, name), f"TRL {version()} keeps {name} elsewhere"
        setattr(trainer, name, value)


def dpo_loss_types() -> set[str]:
    """The loss types that DPOTrainer computes, read off its source."""
    from trl import DPOTrainer

    return set(re.findall(r'loss_type == "(\w+)"', inspect.getsource(DPOTrainer._compute_loss)))


def kto_trainer(policy: Any, reference: Any, rows: list[dict[str, Any]], folder: Any, **options: Any) -> Any:
    from datasets import Dataset
    from trl import KTOConfig, KTOTrainer

    config = KTOConfig(
        output_dir=str(folder), use_cpu=True, bf16=False, report_to=[], gradient_checkpointing=False, max_length=None,
        per_device_train_batch_size=len(rows), disable_tqdm=True, **options,
    )  # fmt: skip
    return KTOTrainer(
        model=policy.model, ref_model=reference.model, args=config, train_dataset=Dataset.from_list(rows),
        processing_class=policy.tokenizer,
    )  # fmt: skip


def cpo_losses(chosen: torch.Tensor, rejected: torch.Tensor, **options: Any) -> torch.Tensor:
    """(P,) `cpo_loss` of the experimental CPOTrainer, without its likelihood term."""
    from trl.experimental.cpo import CPOTrainer

    trainer = CPOTrainer.__new__(CPOTrainer)
    trainer.accelerator = SimpleNamespace(device=chosen.device)
    defaults = {"beta": 0.1, "label_smoothing": 0.0, "loss_type": "sigmoid", "simpo_gamma": 0.5, "alpha": 0.0}
    for name, value in {**defaults, **options}.items():
        setattr(trainer, name, value)
    return trainer.cpo_loss(chosen, rejected)[0]


def odds_ratio_losses(chosen: torch.Tensor, rejected: torch.Tensor, *, beta: float) -> torch.Tensor:
    """(P,) `odds_ratio_loss` of the experimental ORPOTrainer, to be subtracted from the likelihood; float32."""
    from trl.experimental.orpo import ORPOTrainer

    trainer = ORPOTrainer.__new__(ORPOTrainer)
    trainer.accelerator, trainer.beta = SimpleNamespace(device=chosen.device), beta
    return trainer.odds_ratio_loss(chosen, rejected)[0]
