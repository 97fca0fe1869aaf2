"""What an algorithm learns from, read from its class: given answers, or (most) what it samples itself.

A LightningModule that learns from given answers has `learns_from: ClassVar[str]`, the word for one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crucible.config.batch import count
from crucible.config.signatures import read

NOT_USED = ("samples_per_prompt", "updates_per_rollout")  # terms of the batch that say how much is sampled


def learns_from(algo: Any) -> str:
    """ "demonstration", "pair of answers" ...; "" for what samples, and where no target is named."""
    target = algo.get("_target_") if isinstance(algo, Mapping) else None
    return str(read(target).attributes.get("learns_from", "")) if isinstance(target, str) else ""


def batch_node(config: Mapping[str, Any]) -> dict[str, Any]:
    """The batch of a config without the terms that its algorithm does not use: those are 1."""
    unused = dict.fromkeys(NOT_USED, 1) if learns_from(config.get("algo")) else {}
    return {**config["batch"], **unused}


def in_words(noun: str, batch: Mapping[str, Any], steps: int | None) -> str:
    """The batch arithmetic of an algorithm that learns from given answers."""
    each, (head, of, rest) = batch["prompts_per_step"], noun.partition(" of ")
    parts = [
        f"{count(each, head)}{of}{rest} a step, one optimiser step",
        f"micro-batches of at most {batch['micro_batch_tokens']:,} tokens",
    ]
    if steps is not None:
        parts.append(
            f"{count(steps, 'step')} = {count(steps, 'optimiser step')}, {count(steps * each, head)}{of}{rest}"
        )
    return "; ".join(parts)
