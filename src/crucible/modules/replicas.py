"""Lightning's data parallelism without its averages: each replica's gradients are summed by the module itself."""

from __future__ import annotations

from typing import Any

import torch.distributed as dist
from lightning.pytorch.plugins.environments import LightningEnvironment, SLURMEnvironment
from lightning.pytorch.strategies import DDPStrategy


class Replicas(DDPStrategy):
    """DDPStrategy with its processes, devices and barriers, but with the bare module.

    A policy loss has one denominator for the whole batch, so its gradient is the sum over ranks, added up once an
    optimiser step, however many micro-batches each rank has. torch's DDP wrapper would average, and would wait for
    as many backward passes on every rank.
    """

    def configure_ddp(self) -> None:
        """No wrapper: `Ranks.sum_gradients` is called by the module before its optimiser step.

        All start from the main process' weights, as DDP sees to: an architecture may draw some without a seed.
        """
        assert self.lightning_module is not None
        for value in self.lightning_module.state_dict().values():
            dist.broadcast(value, 0)


def environment() -> dict[str, Any]:
    """For strategies of processes that are started already and are one process group."""
    slurm = SLURMEnvironment.detect()
    return {"cluster_environment": SLURMEnvironment(auto_requeue=False) if slurm else LightningEnvironment()}
