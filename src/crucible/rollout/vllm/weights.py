"""What vLLM gets of a policy: once a folder without weights, then the weights by the names of a checkpoint."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from crucible.policy.policy import Policy


def write_folder(policy: Policy, folder: Path) -> None:
    """config.json and the tokenizer."""
    model = policy.model
    base = model.get_base_model() if hasattr(model, "peft_config") else model
    config = copy.deepcopy(base.config)
    config.architectures = [type(base).__name__]
    config.save_pretrained(folder)
    policy.tokenizer.save_pretrained(folder)


@torch.no_grad()
def named_weights(policy: Policy) -> Iterator[tuple[str, Tensor]]:
    """Every parameter once, tied ones under the first of their names; LoRA adapters added to what they adapt.

    The sum W + scale B A is rounded in the type of W, while the trainer adds the adapter's output to W's: in float32
    the log-probs agree to rounding, in bfloat16 to that of the weights.
    """
    model = policy.model
    if not hasattr(model, "peft_config"):
        for name, parameter in model.named_parameters():
            yield name, parameter.detach()
        return
    from peft.tuners.lora import LoraLayer

    base = model.get_base_model()
    adapted: dict[str, Any] = {name: module for name, module in base.named_modules() if isinstance(module, LoraLayer)}
    adapters = {
        f"{owner}.{name}"
        for owner, module in adapted.items()
        for name, _ in module.named_parameters()
        if not name.startswith("base_layer.")
    }
    for name, parameter in base.named_parameters():
        if name in adapters:
            continue
        owner, inside, last = name.rpartition(".base_layer.")
        value = parameter.detach()
        if inside and last == "weight":
            layer = adapted[owner]
            for adapter in layer.active_adapters:
                value = value + layer.get_delta_weight(adapter).to(value.dtype)
        yield (f"{owner}.{last}" if inside else name), value
