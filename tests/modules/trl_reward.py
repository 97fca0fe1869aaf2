"""TRL's RewardTrainer on a given classifier: its public options alone."""

from __future__ import annotations

from typing import Any

KNOWN = "1.16"  # the version whose loss was read


def reward_trainer(model: Any, tokenizer: Any, rows: list[dict[str, Any]], folder: Any, **options: Any) -> Any:
    from datasets import Dataset
    from trl import RewardConfig, RewardTrainer

    config = RewardConfig(
        output_dir=str(folder), use_cpu=True, bf16=False, report_to=[], gradient_checkpointing=False, max_length=None,
        per_device_train_batch_size=len(rows), disable_tqdm=True, **options,
    )  # fmt: skip
    return RewardTrainer(model=model, args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
