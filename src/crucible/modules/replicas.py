"""Lightning's data parallelism without its averages: each replica's gradients are summed by the module itself."""

from __future__ import annotations

from lightning.pytorch.plugins.environments import LightningEnvironment, SLURMEnvironment
from lightning.pytorch.strategies import DDPStrategy


class Replicas(DDPStrategy):
    """DDPStrategy with its processes, devices and barriers, but with the bare module.

    A policy loss has one denominator for the whole batch, so its gradient is the sum over ranks, added up once an
    optimiser step, however many micro-batches each rank has. torch's DDP wrapper would average, and would wait for
    as many backward passes on every rank.
    """

    def configure_ddp(self) -> None:
        """No wrapper: `Ranks.sum_gradients` is called by the module before its optimiser step."""


def replicas() -> Replicas:
    """For processes that are started already and are one process group."""
    slurm = SLURMEnvironment.detect()
    return Replicas(cluster_environment=SLURMEnvironment(auto_requeue=False) if slurm else LightningEnvironment())
