"""Lightning's strategy for weights in shards: FSDP2, with the checkpoints of one process."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from crucible.modules.replicas import Replicas
from crucible.policy.shards import copy_with, full, full_parameters, like, shard, skeleton


class Sharded(Replicas):
    """The policy's weights, gradients and optimiser state in shards on all ranks, one shard a block.

    FSDP sums the gradients in every backward pass. The rest of the module (a value head) is whole on every rank, as
    in `Replicas`. A checkpoint holds whole tensors and is gathered on the main process: what one process saved several
    can go on from, sharded or not, and the other way round. `cpu_offload`: see `policy.shards.shard`.
    """

    def __init__(self, *, cpu_offload: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.cpu_offload = cpu_offload

    def model_to_device(self) -> None:
        """Each shard is moved when it is cut, so no device ever holds the whole model for that."""

    def configure_ddp(self) -> None:
        from torch.distributed.device_mesh import init_device_mesh

        super().configure_ddp()
        module: Any = self.lightning_module
        self.skeleton = skeleton(module.model) if self.is_global_zero else None
        mesh = init_device_mesh(self.root_device.type, (self.world_size,))
        half = isinstance(self.precision_plugin, MixedPrecision)
        shard(module.model, mesh, half=half, offload=self.cpu_offload)
        for child in module.children():
            if child is not module.model:
                child.to(self.root_device)

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """Whole tensors on the main process, empty ones elsewhere."""
        return tree_map(self.gathered, super().lightning_module_state_dict())

    def optimizer_state(self, optimizer: Any) -> dict[str, Any]:
        return tree_map(self.gathered, super().optimizer_state(optimizer))

    def gathered(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        found = full(value)
        return found.cpu() if self.is_global_zero else torch.empty(0)

    def load_optimizer_state_dict(self, checkpoint: Any) -> None:
        """From whole tensors. (The weights are loaded before they are sharded.)"""
        for optimizer, stored in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            state = {
                index: {name: like(v, parameters[index]) if isinstance(v, Tensor) else v for name, v in values.items()}
                for index, values in stored["state"].items()
            }
            optimizer.load_state_dict({**stored, "state": state})

    def on_train_end(self) -> None:
        """The main process gets the trained model as a plain one on the CPU, for whoever saves the policy."""
        module: Any = self.lightning_module
        if module.steps_done < module.epochs:  # it was asked to stop
            return
        weights = dict(self.kept(full_parameters(module.model)))
        if self.skeleton is not None:
            filled = {p: nn.Parameter(weights[name], p.requires_grad) for name, p in self.skeleton.named_parameters()}
            module.policy.model = copy_with(self.skeleton, filled).cpu()

    def kept(self, gathered: Any) -> Any:
        """Of weights that all ranks gather one after the other: those of the main process, on the CPU."""
        for name, weight in gathered:
            if self.is_global_zero:
                yield name, weight.cpu()
