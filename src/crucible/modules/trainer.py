"""Lightning's Trainer with the settings a run of Crucible needs."""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from crucible.config.needs import needs
from crucible.errors import UserError
from crucible.modules.freed_memory import keep_freed_memory
from crucible.ranks import ALONE, Ranks

if TYPE_CHECKING:
    from lightning.pytorch import Callback, LightningModule

# Not 16-mixed: gradients are clipped and summed as they are, not scaled. Not those that change what torch.zeros makes.
Precision = Literal["32-true", "bf16-mixed"]


def lightning_trainer(
    *,
    module: LightningModule,
    callbacks: Iterable[Callback] = (),
    ranks: Ranks = ALONE,
    accelerator: str = "auto",
    devices: Annotated[int, "1 to 1024"] = 1,
    nodes: Annotated[int, ">= 1"] = 1,
    precision: Precision = "32-true",
    threads: Annotated[int, ">= 1"] | None = None,
    deterministic: bool = True,
    keep_memory: bool = True,
) -> Any:
    """A `lightning.pytorch.Trainer` of `module.epochs` epochs on `devices` devices of each of `nodes` nodes.

    Checkpoints, metrics and progress are ours, so Lightning's are off. `keep_memory`: what an update frees on the CPU
    stays with the process (`freed_memory`).

    Lightning's own CSV logger deletes rows on resume and its checkpoint callback keeps no checksums;
    the run directory does both.
    """
    processes = functools.partial(_replicas, ranks, nodes)
    return _trainer(module, callbacks, processes, accelerator, devices, precision, threads, deterministic, keep_memory)


@needs(
    rollout=["embedded", "EmbeddedEngine"],
    max_lag=0,
    because="weights in shards are put together for the sampling of their own process alone, as they are now",
)
def fsdp(
    *,
    module: LightningModule,
    callbacks: Iterable[Callback] = (),
    ranks: Ranks = ALONE,
    accelerator: str = "auto",
    devices: Annotated[int, "1 to 1024"] = 1,
    nodes: Annotated[int, ">= 1"] = 1,
    precision: Precision = "32-true",
    threads: Annotated[int, ">= 1"] | None = None,
    deterministic: bool = True,
    keep_memory: bool = True,
    cpu_offload: bool = False,
) -> Any:
    """`lightning_trainer` with weights, gradients and optimiser state in shards, one on each device: FSDP2.

    accelerator, devices, nodes, precision, threads, deterministic, keep_memory: as there. cpu_offload: what a device
    does not compute with at the moment stays in the memory of the CPU. One process has nothing to share: it trains as
    there.
    """
    processes = functools.partial(_shards, ranks, nodes, cpu_offload)
    return _trainer(module, callbacks, processes, accelerator, devices, precision, threads, deterministic, keep_memory)


def _trainer(
    module: LightningModule,
    callbacks: Iterable[Callback],
    processes: Callable[[], dict[str, Any]],
    accelerator: str,
    devices: int,
    precision: str,
    threads: int | None,
    deterministic: bool,
    keep_memory: bool,
) -> Any:
    import lightning.pytorch as pl
    import torch
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    if threads is not None and threads < 1:
        raise UserError(f"trainer.threads={threads}: at least 1, or null for as many as torch finds")
    if threads is not None:
        torch.set_num_threads(threads)
    if keep_memory:
        keep_freed_memory()
    # with `deterministic` torch would write into all new memory first, for programs that read what they never wrote
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    # a data loader that counts updates has no use for workers; one epoch is one step, so it is short
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*srun.*command is available.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*deprecated.*")
    # the judge and the proofreader of a reward are in eval mode on purpose
    warnings.filterwarnings("ignore", message=".*module\\(s\\) in eval mode.*")
    try:
        return pl.Trainer(
            max_epochs=module.epochs,
            callbacks=list(callbacks),
            accelerator=accelerator,
            devices=devices,
            precision=cast("Any", precision),
            deterministic=deterministic,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            **processes(),
        )
    except (MisconfigurationException, ValueError, ModuleNotFoundError) as error:
        line = " ".join(str(error).split())
        raise UserError(
            f"trainer: accelerator={accelerator}, devices={devices}, precision={precision}: {line}"
        ) from error


def _replicas(ranks: Ranks, nodes: int) -> dict[str, Any]:
    """The options of Lightning's Trainer for the processes there are, each with the whole model.

    A job requeues itself through crucible.sweeps: Lightning's own way saves inside a signal handler.
    """
    from lightning.pytorch.plugins.environments import SLURMEnvironment

    if ranks.world > 1:
        from crucible.modules.replicas import Replicas, environment

        return {"strategy": Replicas(**environment()), "num_nodes": nodes}
    return {"plugins": [SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else None}


def _shards(ranks: Ranks, nodes: int, cpu_offload: bool) -> dict[str, Any]:
    """The same for processes that have a shard each."""
    if ranks.world == 1:
        return _replicas(ranks, nodes)
    from crucible.modules.replicas import environment
    from crucible.modules.sharded import Sharded

    return {"strategy": Sharded(cpu_offload=cpu_offload, **environment()), "num_nodes": nodes}
