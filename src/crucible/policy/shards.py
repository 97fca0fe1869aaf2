"""A model whose weights, gradients and optimiser state lie in shards on several processes (torch's FSDP2).

Each transformer block is a shard of its own, gathered while it computes; what is left (embedding, last norm, output
layer) is one more, whole from the forward pass to the end of its backward pass. A pass of any rank gathers from all
ranks, so all must make the same passes; `whole` is for passes of which each rank makes its own number.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from crucible.errors import UserError

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh

SHARDS, DEVICE = "crucible_shards", "crucible_device"  # in the __dict__ of a model that is sharded


def shard(model: Any, mesh: DeviceMesh, *, half: bool = False, offload: bool = False) -> None:
    """Cut the parameters of `model` into shards along `mesh`, in place. Gradients become sums over ranks.

    `half`: gather and compute in bfloat16, keep weights and add up gradients in float32. `offload`: shards, gradients
    and optimiser state stay in the memory of the CPU.
    Errors: UserError for a model that does not name its blocks.
    """
    from torch.distributed.fsdp import (
        CPUOffloadPolicy,
        MixedPrecisionPolicy,
        OffloadPolicy,
        fully_shard,
        register_fsdp_forward_method,
    )

    names = set(getattr(model, "_no_split_modules", None) or ())
    blocks = [module for module in model.modules() if type(module).__name__ in names]
    if not blocks:
        raise UserError(f"trainer=fsdp: {type(model).__name__} does not say what its blocks are; use trainer=ddp")
    decoder = model.get_decoder()
    options: dict[str, Any] = {
        "mesh": mesh,
        "mp_policy": MixedPrecisionPolicy(torch.bfloat16 if half else None, torch.float32),
        "offload_policy": CPUOffloadPolicy(pin_memory=mesh.device_type != "cpu") if offload else OffloadPolicy(),
    }
    for block in blocks:
        fully_shard(block, reshard_after_forward=True, **options)
    fully_shard(model, reshard_after_forward=False, **options)
    for module in (*blocks, model):
        # losses have one denominator for all ranks: sums, where torch would take means
        module.set_gradient_divide_factor(1.0)
        module.set_force_sum_reduction_for_comms(True)
        module.set_reduce_scatter_unused_params(True, recurse=False)
    # a policy calls the decoder and then the output layer, never the model around them
    model.run_decoder = decoder.forward
    register_fsdp_forward_method(model, "run_decoder")
    decoder.forward = model.run_decoder
    model.__dict__[SHARDS] = [*blocks, model]
    if mesh.device_type != "cpu":
        model.__dict__[DEVICE] = torch.device(mesh.device_type, torch.accelerator.current_device_index())


def shards(model: nn.Module) -> list[Any]:
    """The blocks, and last the model itself; none where nothing is sharded."""
    found: list[Any] = model.__dict__.get(SHARDS, [])
    return found


def compute_device(model: nn.Module) -> torch.device:
    """Where passes are made, which with offloaded weights is not where these are."""
    found: torch.device = model.__dict__.get(DEVICE) or next(model.parameters()).device
    return found


@contextmanager
def whole(model: nn.Module) -> Iterator[None]:
    """Every weight is a whole, plain tensor on every rank while it lasts. Collective; passes inside are not.

    It takes the memory of one whole model, in the type it computes in, on every device.
    """
    parts = shards(model)
    for part in parts:
        part.set_reshard_after_forward(False, recurse=False)
        part.unshard()
    try:
        yield
    finally:
        for part in parts:
            part.reshard()
            part.set_reshard_after_forward(part is not model, recurse=False)


def in_shards(model: nn.Module) -> None:
    """Gives back what a forward pass without a backward pass has left whole."""
    for part in shards(model):
        part.reshard()


def full(value: Tensor) -> Tensor:
    """A tensor in shards as a whole one, on every rank (collective); any other as it is."""
    gather = getattr(value, "full_tensor", None)
    return value if gather is None else gather()


def full_parameters(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The parameters by name, one whole tensor at a time. Collective."""
    in_shards(model)
    for name, parameter in model.named_parameters():
        yield name, full(parameter.detach())


def like(value: Tensor, parameter: Tensor) -> Tensor:
    """A whole tensor that every rank has, cut as `parameter` is; as it is where that is whole or of another shape."""
    mesh = getattr(parameter, "device_mesh", None)
    if mesh is None or value.shape != parameter.shape:
        return value
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(
        value.to(parameter.device), mesh, getattr(parameter, "placements", None), src_data_rank=None
    )


def skeleton(model: nn.Module) -> nn.Module:
    """A copy without the memory of its parameters."""
    empty = {p: nn.Parameter(torch.empty_like(p, device="meta"), p.requires_grad) for p in model.parameters()}
    return copy_with(model, empty)


def copy_with(model: nn.Module, parameters: Mapping[nn.Parameter, nn.Parameter]) -> nn.Module:
    """A deep copy with other parameters in the place of its own, shared where those are."""
    return copy.deepcopy(model, {id(old): new for old, new in parameters.items()})
